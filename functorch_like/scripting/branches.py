"""Branches of scripted functions.

Where a condition is traced both branches are staged, each on the objects of the function around
it. What they return is merged leaf by leaf, as are the arrays, items and attributes they wrote.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import tree
from ..arguments import as_array
from ..checks import line_of_error
from ..checks.primitive import state_condition
from ..control_flow import switch_primitive
from ..control_flow.branches import settled_dtype
from ..control_flow.staging import weak
from ..errors import ScriptError
from ..graph import Graph
from ..graph_transforms import BodyTrace, Closed, close, has_effects
from ..numpy.views import assign, lose, may_share, origins
from ..primitives.core import ShapedArray, Tracer, aval_of, state, under, watch
from .regions import (
    ABSENT,
    Region,
    Unsettled,
    check_readable,
    is_lost,
    refuse_length,
    roots,
    trying,
)
from .state import Nothing, described, is_array, is_result, line_of, same_static

__all__ = ["as_boolean", "branch", "same_memory", "share", "truth"]


def truth(test: Any) -> bool | None:
    """A condition's value, or None where it is traced and not known."""
    if isinstance(test, Tracer) and test.concrete() is None:
        if test.shape != ():
            raise ScriptError(
                f"a condition must be a single truth value; got {aval_of(test)}, at {line_of()}; "
                "reduce it by np.all or np.any, or choose by np.where."
            )
        return None
    return bool(test)


def as_boolean(test: Any) -> Any:
    """A traced number as a truth value, as Python takes it."""
    return test if test.dtype.kind == "b" else np.not_equal(test, 0)


def branch(
    test: Any,
    then: Callable,
    otherwise: Callable,
    values: Sequence[Any],
    names: Sequence[str] | None,
    line: int,
) -> Any:
    """Call one of two functions of ``values``.

    ``names`` are those of the results; None where the function returns any one value.
    """
    known = truth(test)
    if known is not None:
        return (then if known else otherwise)(*values)
    sides = [Side(f, values, names, line) for f in (then, otherwise)]
    for side, other in zip(sides, (otherwise, then), strict=True):
        if side.error is not None:  # not raised, but it is a check for ``checkify``
            if watch.checks is not None:
                told = f"{type(side.error).__name__}: {side.error}".removesuffix(": ")
                holds = as_boolean(test)
                state_condition(
                    holds if other is then else np.logical_not(holds),
                    lambda told=told: told, (), f"at {line_of_error(side.error)}",
                )  # fmt: skip
            return other(*values)
    labels = names if names is not None else ("the value returned",)
    results = [
        Merged(name, a, b, line) for name, a, b in zip(labels, *[s.out for s in sides], strict=True)
    ]
    effects = _effects(sides, line)
    written = {key: x for side in sides for key, x in side.written.items()}
    chosen: list[list[Any]] = [list(written.values()), list(written.values())]
    places: dict[tuple[int, int], int] = {}
    for merged in (*results, *(m for _, m in effects)):
        merged.place(chosen, places)
    closed = [side.closed(outs) for side, outs in zip(sides, chosen, strict=True)]
    made: Sequence[Any] = ()
    if chosen[0] or any(has_effects(graph) for graph, _ in closed):
        graphs, constants = switch_primitive.unite(closed)
        index = as_boolean(test).astype(np.int64)
        made = switch_primitive.switch(index, *constants, graphs=graphs[::-1])
    for x, new in zip(written.values(), made, strict=False):
        assign(x, new)
    out = tuple(m.value(made) for m in results)
    for effect, merged in effects:
        effect.put(merged.value(made))
    _note_sharing([*results, *(m for _, m in effects)], made)
    for side in sides:
        for x in side.losses:
            lose(x)
    return out if names is not None else out[0]


class Side:
    """One branch, staged."""

    def __init__(self, f: Callable, values: Sequence[Any], names: Any, line: int) -> None:
        self.error: Exception | None = None  # that the branch raises on purpose
        self.trace = BodyTrace(state.trace, ("script", f))
        with under(self.trace), Region() as region:
            for x in tree.leaves(tuple(values)):
                if isinstance(x, np.ndarray):
                    region.touch(x, False)  # x += 1 writes into it
            try:
                out = f(*values)
            except RecursionError:
                raise ScriptError(
                    f"a function calls itself without end under a traced condition, at "
                    f"{line_of(line)}; write a loop."
                ) from None
            except Exception as error:
                if not getattr(error, "raised_by_script", False):
                    raise
                if trying():
                    raise Unsettled(
                        f"whether an exception is raised inside try depends on a traced value, at "
                        f"{line_of(line)}; choose by if and else instead."
                    ) from None
                self.error = error
                return
            self.out = [Flat(v) for v in ((out,) if names is None else out)]
            del out
            for name, flat in zip(names or (), self.out, strict=False):
                if is_result(name):
                    flat.leaves = [Blank(aval_of(x)) if is_lost(x) else x for x in flat.leaves]
            region.finish([x for flat in self.out for x in flat.leaves])
            check_readable([x for flat in self.out for x in flat.leaves])
            self.written = {id(x): x for x in roots(list(region.written.values()))}
            self.losses = region.losses
            self.effects = region.effects
        for flat in self.out:
            flat.find_origins()

    def closed(self, chosen: Sequence[Any]) -> Closed:
        """The graph with the outputs chosen: arrays, numbers with a dtype, or blanks."""
        with under(self.trace):
            outputs = [self.trace.variable(_output(x)) for x in chosen]
        trace = self.trace
        return close(Graph([], trace.constants, trace.captured, trace.equations, [*outputs]))


def _output(x: Any) -> Any:
    if isinstance(x, Blank):
        return np.broadcast_to(x.aval.dtype.type(0), x.aval.shape)
    if isinstance(x, tuple):
        number, dtype = x
        return dtype.type(number)
    return as_array(x)


class Flat:
    """A value taken apart."""

    def __init__(self, value: Any) -> None:
        self.nothing = value if isinstance(value, Nothing) else None
        self.leaves, self.structure = tree.flatten(value)
        self.said = described(value)

    def find_origins(self) -> None:
        """Note which arrays each leaf is, or may be, in memory."""
        self.origins = [
            origins(x) if isinstance(x, Tracer) and x.shape else [] for x in self.leaves
        ]


class Blank:
    """Zeros in the place of an array that one branch does not have."""

    def __init__(self, aval: ShapedArray) -> None:
        self.aval = aval


def _effects(sides: Sequence[Side], line: int) -> list[tuple[Any, Merged]]:
    """Items and attributes that a branch changed, with what they become."""
    found: dict[tuple, list[Any]] = {}
    for i, side in enumerate(sides):
        for effect in side.effects:
            found.setdefault(effect.place, [None, None])[i] = effect
    merged = []
    for pair in found.values():
        first = pair[0] or pair[1]
        if any(e is not None and e.kind == "length" for e in pair):
            values = [first.owner if e is None else e.after for e in pair]
            merged.append((first, _of_one_length(first, values, line)))
            continue
        values = [first.before if e is None else e.after for e in pair]
        if any(v is ABSENT for v in values):
            raise ScriptError(
                f"{first.name} is made in one branch of a traced condition only, at "
                f"{line_of(line)}; give it a value before."
            )
        flat = [Flat(v) for v in values]
        for f in flat:
            f.find_origins()
        merged.append((first, Merged(first.name, flat[0], flat[1], line)))
    return merged


def _of_one_length(effect: Any, values: Sequence[list], line: int) -> Merged:
    """A list that both branches made longer or shorter, its items merged."""
    if len(values[0]) != len(values[1]):
        refuse_length(effect.owner)
    flat = [Flat(list(v)) for v in values]
    for f in flat:
        f.find_origins()
    return Merged("an item of a list", flat[0], flat[1], line)


class Merged:
    """What a result of both branches becomes."""

    def __init__(self, name: str, then: Flat, otherwise: Flat, line: int) -> None:
        self.name, self.line = name, line
        self.nothing: Nothing | None = None
        self.parts: list[tuple[bool, Any]] = []  # of each leaf: whether it is made, and where
        self.sides = (then, otherwise)
        missing = [f.nothing is not None for f in self.sides]
        self.structure = then.structure
        if any(missing):
            marks = [f.nothing for f in self.sides if f.nothing is not None]
            if not all(missing) and any(m.guarded for m in marks):
                # A flag says whether it is there; where it is not, zeros keep its place.
                other = otherwise if missing[0] else then
                blank = [Blank(aval_of(as_array(x))) if is_array(x) else x for x in other.leaves]
                pairs = (blank, other.leaves) if missing[0] else (other.leaves, blank)
                self.structure = other.structure
                self.pairs = list(zip(*pairs, strict=True))
                return
            self.pairs = []
            said = next((m for m in marks if m.why), marks[0] if all(missing) else None)
            if said is None:
                said = Nothing(name, f": only one branch of the if at line {line} assigns it")
            self.nothing = said
            return
        if then.structure != otherwise.structure:
            none = "None" in (then.said, otherwise.said)
            advice = "give it a value in both" if none else "make them alike"
            self.refuse(then.said, otherwise.said, advice)
        self.pairs = list(zip(then.leaves, otherwise.leaves, strict=True))

    def refuse(self, then: Any, otherwise: Any, advice: str) -> None:
        """Raise the error about two branches that do not go together."""
        raise ScriptError(
            f"{self.name} differs between the branches of a traced condition, at "
            f"{line_of(self.line)}: {then} in one, {otherwise} in the other; {advice}."
        )

    def place(self, chosen: list[list[Any]], places: dict[tuple[int, int], int]) -> None:
        """Add the arrays to what the two graphs return, each pair once."""
        for pair in self.pairs:
            x, y = pair
            made = isinstance(x, Blank) or isinstance(y, Blank)
            if not made:
                made = not (x is y or same_static(x, y))
                if made and not (is_array(x) and is_array(y)):
                    said = "only arrays and numbers can depend on a traced value"
                    if hasattr(x, "__dict__") and hasattr(y, "__dict__"):
                        said += f"; register {type(x).__name__} with functorch_like.tree"
                    self.refuse(repr(x), repr(y), said)
                if made:
                    pair = self.typed(x, y)
            if not made:
                self.parts.append((False, x))
                continue
            key = (id(x), id(y))
            if key not in places:
                places[key] = len(chosen[0])
                for outs, v in zip(chosen, pair, strict=True):
                    outs.append(v)
            self.parts.append((True, places[key]))

    def typed(self, x: Any, y: Any) -> tuple:
        """The two leaves, numbers with the dtype that both agree on."""
        avals, numbers = [aval_of(as_array(v)) for v in (x, y)], [weak(x), weak(y)]
        dtype = settled_dtype(avals, numbers)
        for aval, number in zip(avals, numbers, strict=True):
            if aval.shape != avals[0].shape:
                self.refuse(avals[0], avals[1], "give them one shape")
            if aval.dtype != dtype and not number:
                self.refuse(avals[0], avals[1], "convert one by x.astype")
        return tuple((v, dtype) if number else v for v, number in zip((x, y), numbers, strict=True))

    def value(self, made: Sequence[Any]) -> Any:
        """The merged value."""
        if self.nothing is not None:
            return self.nothing
        return tree.unflatten(self.structure, [made[x] if new else x for new, x in self.parts])


def _note_sharing(results: Sequence[Merged], made: Sequence[Any]) -> None:
    """Note which results may be one array with another, or with one from outside."""
    seen: list[tuple[Any, int, list[Any]]] = []  # (array, side, its origins there)
    for merged in results:
        if merged.nothing is not None:
            continue
        for k, (new, x) in enumerate(merged.parts):
            array = made[x] if new else x
            if not isinstance(array, Tracer) or not array.shape:
                continue
            for i, flat in enumerate(merged.sides):
                if flat.nothing is None:
                    seen.append((array, i, flat.origins[k]))
    pairs = [(array, origin) for array, _, found in seen for origin in found]
    for n, (array, i, found) in enumerate(seen):
        pairs += [(array, y) for y, j, theirs in seen[:n] if i == j and same_memory(found, theirs)]
    for array, other in pairs:
        share(array, other)


def same_memory(first: Sequence[Any], second: Sequence[Any]) -> bool:
    """Whether two arrays with these origins may be one."""
    if not first or not second:
        return False
    return any(first[0] is y for y in second) or any(second[0] is x for x in first)


def share(array: Any, other: Any) -> None:
    """Note that two arrays may be one, if they are of the present trace or around it."""
    trace = state.trace
    ours = other._trace is trace or trace.inside(other._trace)
    if ours and not any(other is x for x in origins(array)):
        may_share(array, other)
