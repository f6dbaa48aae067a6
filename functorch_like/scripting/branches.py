"""Branches of scripted functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import tree
from ..arguments import as_array
from ..control_flow import switch_primitive
from ..control_flow.branches import settled_dtype
from ..control_flow.staging import weak
from ..errors import ScriptError, user_line
from ..graph import Equation, Graph, Literal, Var
from ..graph_transforms import Closed, prune, stage_closed
from ..primitives.core import Tracer, aval_of
from ..primitives.structural import broadcast_to
from .state import Nothing, Variables, described, is_array, same_static

__all__ = ["branch", "truth"]


def truth(test: Any) -> bool | None:
    """A condition's value, or None where it is traced and not known."""
    if isinstance(test, Tracer) and test.concrete() is None:
        if test.shape != ():
            raise ScriptError(
                f"a condition must be a single truth value; got {aval_of(test)}, at {user_line()}; "
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
    given = Variables(values)
    sides = [Side(f, given) for f in (then, otherwise)]
    changed = [a or b for a, b in zip(sides[0].changed, sides[1].changed, strict=True)]
    if any(changed):
        given.check_views()
    results = [(side.out if names is not None else (side.out,)) for side in sides]
    labels = names if names is not None else ("the value returned",)
    merged = [Merged(name, a, b, sides, given) for name, a, b in zip(labels, *results, strict=True)]
    chosen: list[list[Any]] = [[], []]  # what each graph returns
    places = [i for i, c in enumerate(changed) if c]
    for side, outs in zip(sides, chosen, strict=True):
        outs += [side.current[i] for i in places]
    for m in merged:
        m.place(chosen)
    closed = [side.closed(outs) for side, outs in zip(sides, chosen, strict=True)]
    graphs, constants = switch_primitive.unite(closed)
    arrays = [as_array(x) for x in given.arrays]
    index = as_boolean(test).astype(np.int64)
    if graphs[0].outputs:
        made = switch_primitive.switch(index, *constants, *arrays, graphs=graphs[::-1])
    else:
        made = ()
    for i, value in zip(places, made, strict=False):
        given.write(i, value, f"in the branch at line {line}")
    out = tuple(m.value(made) for m in merged)
    return out if names is not None else out[0]


class Side:
    """One branch, staged."""

    def __init__(self, f: Callable, given: Variables) -> None:
        self.position: dict[int, int] = {}  # of arrays among the graph's outputs, by identity
        self.inputs: list[Any] = []
        self.arrays: list[Any] = []

        def flat(*inputs: Any) -> list[Any]:
            self.inputs = list(inputs)
            before = [x._var for x in inputs]
            arguments = given.rebuilt(inputs)
            self.out = f(*arguments)
            for value, argument in zip(given.values, arguments, strict=True):
                _check_container(value, argument)
            self.changed = [x._var is not b for x, b in zip(inputs, before, strict=True)]
            self.current = list(inputs)
            leaves = [x for x in tree.flatten(self.out)[0] if is_array(x)]
            self.arrays = [*inputs, *leaves]
            return [as_array(x) for x in self.arrays]

        self.staged = stage_closed(("script", f), flat, given.avals)

    def output(self, x: Any) -> Any:
        """The graph's output for an array that the branch returned."""
        for i, y in enumerate(self.arrays):
            if y is x:
                return self.staged.graph.outputs[i]
        raise AssertionError("an array the branch did not return")

    def closed(self, chosen: Sequence[Any]) -> Closed:
        """The graph with the outputs chosen: arrays, or (number, dtype)."""
        graph, constants = self.staged
        outputs: list[Any] = []
        equations = list(graph.equations)
        for x in chosen:
            if isinstance(x, Blank):
                var = Var(x.aval)
                zero = Literal(x.aval.dtype.type(0))
                equations.append(
                    Equation(broadcast_to, [zero], {"shape": x.aval.shape}, [var], None)
                )
                outputs.append(var)
            elif isinstance(x, tuple):
                outputs.append(Literal(x[1].type(x[0])))
            elif type(x) in (bool, int, float, complex):
                outputs.append(Literal(as_array(x)))
            else:
                outputs.append(self.output(x))
        return Closed(prune(Graph(graph.inputs, [], [], equations, outputs)), constants)


class Blank:
    """Zeros in the place of an array that one branch does not have."""

    def __init__(self, like: Any) -> None:
        self.aval = aval_of(as_array(like))


class Merged:
    """What a result of both branches becomes."""

    def __init__(
        self, name: str, then: Any, otherwise: Any, sides: Sequence[Side], given: Variables
    ) -> None:
        self.name = name
        self.nothing: Nothing | None = None
        self.parts: list[Any] = []  # of each leaf: ("static", x), ("same", i) or ("made", place)
        missing = [isinstance(v, Nothing) for v in (then, otherwise)]
        if any(v.guarded for v in (then, otherwise) if isinstance(v, Nothing)) and not all(missing):
            # A flag says whether it is there; where it is not, zeros keep its place.
            other = otherwise if missing[0] else then
            blank = tree.map(lambda x: Blank(x) if is_array(x) else x, other)
            then, otherwise = (blank, other) if missing[0] else (other, blank)
        elif any(missing):
            self.nothing = (
                then if isinstance(then, Nothing) and isinstance(otherwise, Nothing)
                else Nothing(name, ": only one branch of an if assigns it")
            )  # fmt: skip
            return
        (a, self.structure), (b, other) = tree.flatten(then), tree.flatten(otherwise)
        if self.structure != other:
            raise ScriptError(
                f"{name} differs between the branches of a traced condition, at {user_line()}: "
                f"{described(then)} in one, {described(otherwise)} in the other; make them alike."
            )
        self.pairs = list(zip(a, b, strict=True))
        self.sides = sides
        self.given = given
        self.made: list[tuple[Any, Any]] = []

    def place(self, chosen: list[list[Any]]) -> None:
        """Add the arrays to what the two graphs return."""
        if self.nothing is not None:
            return
        for x, y in self.pairs:
            if isinstance(x, Blank) or isinstance(y, Blank):
                self.parts.append(("made", len(chosen[0])))
                for outs, v in zip(chosen, (x, y), strict=True):
                    outs.append(v)
                continue
            if x is y and isinstance(x, Tracer):  # one from outside, as it is
                self.parts.append(("static", x))
                continue
            if not is_array(x) or not is_array(y):
                if not same_static(x, y):
                    raise ScriptError(
                        f"{self.name} differs between the branches of a traced condition, at "
                        f"{user_line()}: {x!r} in one, {y!r} in the other; only arrays and numbers "
                        "can depend on a traced value."
                    )
                self.parts.append(("static", x))
                continue
            at = [_index(x, self.sides[0].inputs), _index(y, self.sides[1].inputs)]
            if at[0] is not None and at[0] == at[1]:
                self.parts.append(("same", at[0]))
                continue
            dtype = self.dtype(x, y)
            self.parts.append(("made", len(chosen[0])))  # the place among the switch's results
            for outs, v in zip(chosen, (x, y), strict=True):
                outs.append((v, dtype) if type(v) in (bool, int, float, complex) else v)

    def dtype(self, x: Any, y: Any) -> np.dtype:
        """The dtype both branches agree on, or an error with both types."""
        avals, numbers = [aval_of(as_array(v)) for v in (x, y)], [weak(x), weak(y)]
        dtype = settled_dtype(avals, numbers)
        for aval, number in zip(avals, numbers, strict=True):
            if aval.shape != avals[0].shape or (aval.dtype != dtype and not number):
                raise ScriptError(
                    f"{self.name} differs between the branches of a traced condition, at "
                    f"{user_line()}: {avals[0]} in one, {avals[1]} in the other; convert one by "
                    "x.astype, or reshape it."
                )
        return dtype

    def value(self, made: Sequence[Any]) -> Any:
        """The merged value."""
        if self.nothing is not None:
            return self.nothing
        leaves = []
        for kind, x in self.parts:
            if kind == "static":
                leaves.append(x)
            elif kind == "same":
                leaves.append(self.given.arrays[x])
            else:
                leaves.append(made[x])
        return tree.unflatten(self.structure, leaves)


def _index(x: Any, inputs: Sequence[Any]) -> int | None:
    return next((i for i, y in enumerate(inputs) if y is x), None)


def _check_container(outer: Any, inner: Any) -> None:
    """Raise if a list or dict was changed inside: the one outside would not show it."""
    if isinstance(outer, (list, dict)) and tree.structure(outer) != tree.structure(inner):
        raise ScriptError(
            f"a {type(outer).__name__} changes its length inside a traced branch or loop, at "
            f"{user_line()}; make an array before and assign to its elements."
        )
