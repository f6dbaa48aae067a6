"""Loops of scripted functions.

A loop runs in Python for as long as Python can tell whether it goes on and nothing that it carries
is traced; from there on it is staged: one body, however many steps.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from .. import tree
from ..arguments import as_array
from ..control_flow import scan
from ..control_flow import while_loop as control_while_loop
from ..control_flow.staging import must_stage
from ..errors import ConcreteValueError, ScriptError, user_line
from ..graph_transforms import BodyTrace
from ..primitives.core import Tracer, aval_of, state, under
from .branches import as_boolean, branch, truth
from .carried import Carried, Unforeseen
from .regions import Region
from .state import Nothing, is_array

__all__ = ["Enumerated", "Range", "Zipped", "for_loop", "while_loop"]

# So few steps are written out: the code is no longer, and indices stay Python's.
UNROLLED = 4


# --- what can be looped over without being unrolled -----------------------------------------------


class Range:
    """``range`` of integers some of which are traced."""

    traced = False  # whether the elements themselves are arrays that are traced

    def __init__(self, *bounds: Any) -> None:
        start, stop, step = (0, *bounds, 1) if len(bounds) == 1 else (*bounds, 1)[:3]
        self.start, self.stop, self.step = start, stop, step
        if isinstance(step, Tracer):
            raise ScriptError(f"range: expected a step that is not traced, at {user_line()}.")
        for bound in (start, stop):
            if as_array(bound).dtype.kind not in "iu" or as_array(bound).shape != ():
                raise TypeError(
                    f"range: expected integers; got {aval_of(as_array(bound))}, at {user_line()}."
                )

    @property
    def count(self) -> Any:
        """The number of steps, which may be traced."""
        if isinstance(self.start, Tracer) or isinstance(self.stop, Tracer):
            if self.step == 1:
                return np.maximum(self.stop - self.start, 0)
            return np.maximum(
                (self.stop - self.start + self.step - np.sign(self.step)) // self.step, 0
            )
        return len(range(self.start, self.stop, self.step))

    def item(self, i: Any) -> Any:
        """The element at a traced position."""
        return self.start + i * self.step

    def __reversed__(self) -> Range:
        last = self.start + (self.count - 1) * self.step
        return Range(last, self.start - (1 if self.step > 0 else -1), -self.step)

    def __iter__(self) -> Iterator:
        raise ScriptError(
            "range over traced bounds can only be looped over by a for statement, at "
            f"{user_line()}."
        )


class _Rows:
    """The leading axis of an array."""

    def __init__(self, array: Any) -> None:
        self.array = array
        self.count = array.shape[0]
        self.traced = isinstance(array, Tracer) and array.concrete() is None

    def item(self, i: Any) -> Any:
        if isinstance(i, Tracer) and isinstance(self.array, np.ndarray):
            return state.trace.constant(self.array)[i]
        return self.array[i]


class Zipped:
    """``zip`` of what can be looped over."""

    def __init__(self, *parts: Any) -> None:
        self.parts = [_source(p) for p in parts]
        counts = [p.count for p in self.parts]
        self.count = min(counts) if not any(isinstance(c, Tracer) for c in counts) else None
        if self.count is None:
            raise ScriptError(
                f"zip: a range with traced bounds cannot be zipped, at {user_line()}."
            )

    @property
    def traced(self) -> bool:
        """Whether the elements of a part are."""
        return any(p.traced for p in self.parts)

    def item(self, i: Any) -> tuple:
        """The elements at a traced position."""
        return tuple(p.item(i) for p in self.parts)

    def __iter__(self) -> Iterator:
        return (self.item(i) for i in range(self.count))  # type: ignore[arg-type]


class Enumerated:
    """``enumerate`` of what can be looped over."""

    def __init__(self, part: Any, start: int = 0) -> None:
        self.part, self.start = _source(part), start
        self.count, self.traced = self.part.count, self.part.traced

    def item(self, i: Any) -> tuple:
        """The position and the element there."""
        return i + self.start, self.part.item(i)

    def __iter__(self) -> Iterator:
        return (self.item(i) for i in range(self.count))


class _Counted(Range):
    """A range that is known."""

    def __init__(self, given: range) -> None:
        self.start, self.stop, self.step = given.start, given.stop, given.step


def _source(x: Any) -> Any:
    """What can be looped over by position, or None."""
    if isinstance(x, (Range, Zipped, Enumerated)):
        return x
    if isinstance(x, range):
        return _Counted(x)
    if isinstance(x, (Tracer, np.ndarray)) and x.shape:
        return _Rows(x)
    return None


def can_be_rolled(x: Any) -> bool:
    """Whether ``zip`` and ``enumerate`` of ``x`` can be looped over by position."""
    return _source(x) is not None


# --- loops ----------------------------------------------------------------------------------------


class Loop:
    """What is known of a loop from its source."""

    def __init__(self, names: Sequence[str], stopped: str | None, line: int) -> None:
        self.names = names  # of the variables that the loop gives new values
        self.at = None if stopped is None else names.index(stopped)  # the flag of break
        self.line = line


def while_loop(
    test: Callable,
    step: Callable,
    values: Sequence[Any],
    names: Sequence[str],
    written: Sequence[Any],
    stopped: str | None,
    line: int,
) -> tuple:
    """``while test(*values): values = step(*values)``.

    ``written`` are the objects that the loop writes into.
    """
    loop = Loop(names, stopped, line)
    now = tuple(values)
    while True:
        stop = False if loop.at is None else truth(now[loop.at])
        if stop:
            return now
        going = truth(test(*now)) if stop is False else None
        if going is False:
            return now
        if going is None:
            return _staged_while(test, step, now, loop, written)
        now = step(*now)


def for_loop(
    iterable: Any,
    step: Callable,
    values: Sequence[Any],
    names: Sequence[str],
    written: Sequence[Any],
    stopped: str | None,
    line: int,
) -> tuple:
    """``for item in iterable: values = step(item, *values)``."""
    loop = Loop(names, stopped, line)
    source = _source(iterable) if must_stage() else None
    if source is None:
        return _python_for(iter(iterable), step, tuple(values), loop)
    if isinstance(source.count, Tracer):
        return _rolled(source, 0, step, tuple(values), loop, written)
    return _counted_for(source, iterable, step, tuple(values), loop, written)


def _python_for(items: Iterator, step: Callable, values: tuple, loop: Loop) -> tuple:
    for item in items:
        stop = False if loop.at is None else truth(values[loop.at])
        if stop:
            break
        values = step(item, *values) if stop is False else _unless(item, step, values, loop)
    return values


def _unless(item: Any, step: Callable, values: tuple, loop: Loop) -> tuple:
    """A step of an unrolled loop that a traced ``break`` may already have left."""
    assert loop.at is not None
    stop = values[loop.at]
    return branch(stop, lambda *v: v, lambda *v: step(item, *v), values, loop.names, loop.line)


def _counted_for(
    source: Any, iterable: Any, step: Callable, values: tuple, loop: Loop, written: Sequence[Any]
) -> tuple:
    """A loop of known length: in Python while nothing it carries is traced, then rolled up."""
    items = iter(iterable)
    for i in range(source.count):
        leaves = tree.leaves((values, tuple(written)))
        known = not any(isinstance(x, Tracer) and x.concrete() is None for x in leaves)
        unset = any(isinstance(x, Nothing) for x in leaves)
        rolls = not known or (i == 0 and source.traced)
        if source.count - i > UNROLLED and rolls and not unset:
            try:
                return _rolled(source, i, step, values, loop, written)
            except (ConcreteValueError, ScriptError, TypeError):
                # What needs Python's integers, or lists that grow, is written out; but what is
                # carried may be of another kind after the first step.
                if not known:
                    return _python_for(items, step, values, loop)
        stop = False if loop.at is None else truth(values[loop.at])
        if stop:
            break
        item = next(items)
        values = step(item, *values) if stop is False else _unless(item, step, values, loop)
    return values


def _rolled(
    source: Any, start: int, step: Callable, values: tuple, loop: Loop, written: Sequence[Any]
) -> tuple:
    count = source.count

    def go_on(i: Any, *rest: Any) -> Any:
        return i < count

    def advance(i: Any, *rest: Any) -> tuple:
        return (i + 1, *step(source.item(i), *rest))

    if loop.at is None and not isinstance(count, Tracer):
        return _staged_scan(source, start, step, values, loop, written)
    stopped = None if loop.at is None else loop.names[loop.at]
    counted = Loop(["its index", *loop.names], stopped, loop.line)
    return _staged_while(go_on, advance, (np.int64(start), *values), counted, written)[1:]


# --- staged loops ------------------------------------------------------------------------------


def _staged_while(
    test: Callable, step: Callable, values: tuple, loop: Loop, written: Sequence[Any]
) -> tuple:
    if any(isinstance(v, Nothing) and v.guarded for v in values):
        values = _filled(values, step)
    carried = Carried(values, loop.names, written, loop.line)

    def go_on(carry: dict) -> Any:
        with carried.entered(carry) as region:
            variables = carried.variables(carry)
            going = test(*variables)
            if loop.at is not None:
                # The test of a loop that was left is not asked again.
                stop = variables[loop.at]
                going = branch(
                    stop, lambda: False, lambda: _boolean(test(*variables)), (), None, loop.line
                )
            if region.written:
                raise ScriptError(
                    f"the condition of the while at line {loop.line} writes into an array; write "
                    "in the loop."
                )
            return _boolean(going)

    def advance(carry: dict) -> dict:
        return carried.step(carry, step)

    carry = _foreseen(carried, loop, lambda: control_while_loop(go_on, advance, carried.initial()))
    return carried.result(carry, " if it runs")


def _staged_scan(
    source: Any, start: int, step: Callable, values: tuple, loop: Loop, written: Sequence[Any]
) -> tuple:
    carried = Carried(values, loop.names, written, loop.line)

    def advance(carry: tuple, _: Any) -> tuple:
        i, inner = carry
        return (i + 1, carried.step(inner, lambda *v: step(source.item(i), *v))), None

    def run() -> dict:
        length = source.count - start
        return scan(advance, (np.int64(start), carried.initial()), None, length=length)[0][1]

    return carried.result(_foreseen(carried, loop, run), "")


def _foreseen(carried: Carried, loop: Loop, run: Callable) -> dict:
    """Run a staged loop, again if it writes arrays that its source did not tell of."""
    while True:
        try:
            return run()
        except Unforeseen as found:
            carried.hidden += found.arrays
            carried.places += found.places
        except (ScriptError, ConcreteValueError):
            raise
        except TypeError as error:
            raise _in_words(error, loop) from None


_CARRY = re.compile(r"(?:carry\[1\]|value)\['(.*?)'\]")


def _in_words(error: TypeError, loop: Loop) -> TypeError:
    """The error of a carry that changes its type, as one about the variable."""
    message = str(error)
    place = _CARRY.search(message)
    if place is None:
        return error
    said = message[place.end() :].removeprefix(" to keep its shape and dtype from step to step, ")
    name = place[1]
    return ScriptError(
        f"{name} changes its type in the loop at line {loop.line}: expected "
        f"{said.replace('at the start', 'before the loop').replace('; got', ', got', 1)}"
    )


def _boolean(x: Any) -> Any:
    x = as_array(x)
    return as_boolean(x) if x.dtype.kind != "b" else x


def _filled(values: tuple, step: Callable) -> tuple:
    """Zeros in place of variables that only the loop assigns and that its flags guard."""
    carried = Carried(values, [""] * len(values), (), 0)
    made: list[Any] = []
    with under(BodyTrace(state.trace, ("script", step))) as trace, Region():
        given = [trace.input(aval_of(as_array(x))) for x in carried.arrays]  # type: ignore[attr-defined]
        out = step(*carried.rebuilt(given))
        for before, after in zip(values, out, strict=True):
            guarded = isinstance(before, Nothing) and before.guarded
            made.append(tree.map(_zeros, after) if guarded else before)
    return tuple(made)


def _zeros(x: Any) -> Any:
    if not is_array(x):
        return x
    aval = aval_of(as_array(x))
    return np.zeros(aval.shape, aval.dtype)
