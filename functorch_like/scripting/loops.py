"""Loops of scripted functions.

A loop runs in Python for as long as Python can tell whether it goes on and nothing that it carries
is traced; from there on it is staged: one body, however many steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from .. import tree
from ..arguments import as_array
from ..control_flow import scan
from ..control_flow import while_loop as control_while_loop
from ..control_flow.staging import must_stage
from ..errors import ConcreteValueError, ScriptError, user_line
from ..graph_transforms import stage_closed
from ..primitives.core import Tracer, aval_of
from .branches import as_boolean, branch, truth
from .state import Nothing, Variables, described, is_array, same_static

__all__ = ["Enumerated", "Range", "Zipped", "for_loop", "while_loop"]

# So few steps are written out: the code is no longer, and indices stay Python's.
UNROLLED = 4


# --- what can be looped over without being unrolled -----------------------------------------------


class Range:
    """``range`` of integers some of which are traced."""

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
            return np.maximum(
                (self.stop - self.start + self.step - np.sign(self.step)) // self.step, 0
            )
        return len(range(self.start, self.stop, self.step))

    def item(self, i: Any) -> Any:
        """The element at a traced position."""
        return self.start + i * self.step

    def __iter__(self) -> Iterator:
        raise ScriptError(
            "range over traced bounds can only be looped over by a for statement, at "
            f"{user_line()}."
        )


class _Rows:
    """The leading axis of a traced array."""

    def __init__(self, array: Any) -> None:
        self.array = array
        self.count = array.shape[0]

    def item(self, i: Any) -> Any:
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

    def item(self, i: Any) -> tuple:
        """The elements at a traced position."""
        return tuple(p.item(i) for p in self.parts)

    def __iter__(self) -> Iterator:
        return (self.item(i) for i in range(self.count))  # type: ignore[arg-type]


class Enumerated:
    """``enumerate`` of what can be looped over."""

    def __init__(self, part: Any, start: int = 0) -> None:
        self.part, self.start = _source(part), start
        self.count = self.part.count

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


def while_loop(
    test: Callable,
    step: Callable,
    values: Sequence[Any],
    names: Sequence[str],
    stopped: str | None,
    line: int,
) -> tuple:
    """``while test(*values): values = step(*values)``."""
    now = tuple(values)
    at = None if stopped is None else names.index(stopped)
    while True:
        stop = False if at is None else truth(now[at])
        if stop:
            return now
        going = truth(test(*now)) if stop is False else None
        if going is False:
            return now
        if going is None:
            return _staged_while(test, step, now, names, at, line)
        now = step(*now)


def for_loop(
    iterable: Any,
    step: Callable,
    values: Sequence[Any],
    names: Sequence[str],
    stopped: str | None,
    line: int,
) -> tuple:
    """``for item in iterable: values = step(item, *values)``."""
    at = None if stopped is None else names.index(stopped)
    source = _source(iterable) if must_stage() else None
    if source is None:
        return _python_for(iter(iterable), step, tuple(values), at)
    count = source.count
    if isinstance(count, Tracer):
        return _rolled(source, 0, count, step, tuple(values), names, at, line)
    return _counted_for(source, iterable, count, step, tuple(values), names, at, line)


def _python_for(items: Iterator, step: Callable, values: tuple, at: int | None) -> tuple:
    for item in items:
        stop = False if at is None else truth(values[at])
        if stop:
            break
        if stop is None:
            values = _unless_stopped(item, step, values, at)
        else:
            values = step(item, *values)
    return values


def _unless_stopped(item: Any, step: Callable, values: tuple, at: Any) -> tuple:
    """A step of an unrolled loop that a traced ``break`` may already have left."""
    names = [str(i) for i in range(len(values))]
    return branch(values[at], lambda *v: v, lambda *v: step(item, *v), values, names, 0)


def _counted_for(
    source: Any,
    iterable: Any,
    count: int,
    step: Callable,
    values: tuple,
    names: Sequence[str],
    at: int | None,
    line: int,
) -> tuple:
    """A loop of known length: in Python while nothing it carries is traced, then rolled up."""
    items = iter(iterable)
    for i in range(count):
        leaves = tree.leaves(values)
        known = not any(isinstance(x, Tracer) and x.concrete() is None for x in leaves)
        unset = any(isinstance(x, Nothing) for x in leaves)
        if count - i > UNROLLED and not known and not unset:
            try:
                return _rolled(source, i, count, step, values, names, at, line)
            except (ConcreteValueError, ScriptError, TypeError):
                # What needs Python's integers, or lists that grow, is written out.
                return _python_for(items, step, values, at)
        stop = False if at is None else truth(values[at])
        if stop:
            break
        item = next(items)
        if stop is None:
            values = _unless_stopped(item, step, values, at)
        else:
            values = step(item, *values)
    return values


def _rolled(
    source: Any,
    start: int,
    count: Any,
    step: Callable,
    values: tuple,
    names: Sequence[str],
    at: int | None,
    line: int,
) -> tuple:
    def go_on(i: Any, *rest: Any) -> Any:
        return i < count

    def advance(i: Any, *rest: Any) -> tuple:
        return (i + 1, *step(source.item(i), *rest))

    if at is None and not isinstance(count, Tracer):
        return _staged_scan(source, start, count, step, values, names, line)
    first = (np.int64(start), *values)
    position = None if at is None else at + 1
    return _staged_while(go_on, advance, first, ["its index", *names], position, line)[1:]


# --- staged loops ------------------------------------------------------------------------------


class _Carried:
    """What a staged loop carries: the arrays among its variables, by name."""

    def __init__(self, values: Sequence[Any], names: Sequence[str], line: int) -> None:
        self.given = Variables(values)
        self.names, self.line = names, line
        self.written = [False] * len(self.given.arrays)

    @property
    def keys(self) -> list[str]:
        """A name for every array."""
        keys: list[str] = []
        paths = [p.codify("") for p in self.given.structure.accessors()]
        for path, at in zip(paths, self.given.position, strict=True):
            if at is not None and at == len(keys):
                index, rest = path[1:].split("]", 1)
                keys.append(self.names[int(index)] + rest)
        return keys

    def initial(self) -> dict[str, Any]:
        return dict(zip(self.keys, self.given.arrays, strict=True))

    def variables(self, carry: dict[str, Any]) -> tuple:
        return self.given.rebuilt([carry[k] for k in self.keys])

    def next(self, carry: dict[str, Any], out: Sequence[Any]) -> dict[str, Any]:
        """The carry after a step, checked."""
        inputs = [carry[k] for k in self.keys]
        leaves, structure = tree.flatten(tuple(out))
        if structure != self.given.structure:
            for name, before, after in zip(self.names, self.given.values, out, strict=True):
                if tree.structure(before) != tree.structure(after):
                    self._refuse(
                        name,
                        f"{described(before)} before the loop, {described(after)} after a step",
                    )
        made: dict[str, Any] = {}
        for leaf, at, start in zip(leaves, self.given.position, self.given.leaves, strict=True):
            if at is None:
                if isinstance(start, Nothing) and not isinstance(leaf, Nothing):
                    continue
                if not same_static(leaf, start) and not isinstance(leaf, Nothing):
                    self._refuse("a variable", f"{start!r} before the loop, {leaf!r} after a step")
                continue
            key = self.keys[at]
            if leaf is inputs[at]:
                self.written[at] = True  # the very object: it may have been assigned to
            if key in made and made[key] is not leaf:
                self._refuse(key, "one array with two names that a step makes two arrays")
            made[key] = leaf
        return made

    def _refuse(self, name: str, what: str) -> None:
        raise ScriptError(
            f"{name} changes in the loop at line {self.line}: {what}; give it its final form "
            "before the loop."
        )

    def result(self, carry: dict[str, Any], ran: str) -> tuple:
        """The variables after the loop."""
        where = f"in the loop at line {self.line}"
        arrays = []
        for outer, key, written in zip(self.given.arrays, self.keys, self.written, strict=True):
            made = carry[key]
            if isinstance(outer, Tracer) and written:
                made = self.given.write(len(arrays), made, where)
            arrays.append(made)
        leaves = []
        for leaf, at in zip(self.given.leaves, self.given.position, strict=True):
            if isinstance(leaf, Nothing):
                leaf = Nothing(leaf.name, f": only the loop at line {self.line} assigns it{ran}")
            leaves.append(leaf if at is None else arrays[at])
        return tree.unflatten(self.given.structure, leaves)


def _with_line(error: TypeError, line: int) -> ScriptError:
    return ScriptError(f"{error} (the loop at line {line})")


def _filled(values: tuple, out: Sequence[Any]) -> tuple:
    """Zeros in place of variables that only the loop assigns and that its flags guard."""
    made = []
    for before, after in zip(values, out, strict=True):
        if isinstance(before, Nothing) and before.guarded:
            leaves, structure = tree.flatten(after)
            zeros = [
                np.zeros(aval_of(as_array(x)).shape, aval_of(as_array(x)).dtype)
                if is_array(x) else x for x in leaves
            ]  # fmt: skip
            made.append(tree.unflatten(structure, zeros))
        else:
            made.append(before)
    return tuple(made)


def _staged_while(
    test: Callable,
    step: Callable,
    values: tuple,
    names: Sequence[str],
    stopped: int | None,
    line: int,
) -> tuple:
    if any(isinstance(v, Nothing) and v.guarded for v in values):
        values = _filled(values, _types_after(step, values))
    carried = _Carried(values, names, line)

    def go_on(carry: dict) -> Any:
        variables = carried.variables(carry)
        going = test(*variables)
        if stopped is not None:
            # The test of a loop that was left is not asked again.
            stop = variables[stopped]
            going = branch(stop, lambda: False, lambda: _boolean(test(*variables)), (), None, line)
        return _boolean(going)

    def advance(carry: dict) -> dict:
        return carried.next(carry, step(*carried.variables(carry)))

    try:
        carry = control_while_loop(go_on, advance, carried.initial())
    except ScriptError:
        raise
    except ConcreteValueError:
        raise
    except TypeError as error:
        raise _with_line(error, line) from None
    return carried.result(carry, " if it runs")


def _boolean(x: Any) -> Any:
    x = as_array(x)
    return as_boolean(x) if x.dtype.kind != "b" else x


def _types_after(step: Callable, values: tuple) -> tuple:
    """What a step returns, staged for its types alone."""
    given = Variables(values)
    kept: list[Any] = []

    def flat(*inputs: Any) -> list[Any]:
        out = step(*given.rebuilt(inputs))
        kept[:] = [tree.map(_blank, v) for v in out]
        return []

    stage_closed(("script", step), flat, given.avals)
    return tuple(kept)


def _blank(x: Any) -> Any:
    if not is_array(x):
        return x
    x = as_array(x)
    return np.zeros(x.shape, x.dtype)


def _staged_scan(
    source: Any,
    start: int,
    count: int,
    step: Callable,
    values: tuple,
    names: Sequence[str],
    line: int,
) -> tuple:
    carried = _Carried(values, names, line)

    def advance(carry: tuple, _: Any) -> tuple:
        i, inner = carry
        out = step(source.item(i), *carried.variables(inner))
        return (i + 1, carried.next(inner, out)), None

    try:
        (_, carry), _ = scan(
            advance, (np.int64(start), carried.initial()), None, length=count - start
        )
    except (ScriptError, ConcreteValueError):
        raise
    except TypeError as error:
        raise _with_line(error, line) from None
    return carried.result(carry, "")
