"""Which inputs each intermediate of a graph depends on, found from its equations.

A ``Value`` stands for an array: the index sets of its elements, and for constants the array
itself, made when a rule asks for it. ``Propagation`` walks a graph and applies a rule an equation;
the rules are in ``rules``, ``contractions`` and ``control``. A set holds every input in which the
derivative may be other than zero; values of arguments are never looked at.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..graph import Graph, Literal, Var
from ..graph_transforms import derived
from ..kernels.device import is_gpu
from ..primitives.core import EVAL, Elementwise, Nondifferentiable, Primitive, ShapedArray, under
from .index_sets import IndexSets, TooDenseError, stacked

__all__ = ["Propagation", "Value", "on_host", "sets_of_results"]

Sets = IndexSets | None  # None: every set is empty
Rule = Callable[["Propagation", Primitive, "list[Value]", dict, "list[ShapedArray]"], "list[Sets]"]

# Loops are followed step by step while that takes about so many operations on sets, some 100
# microseconds each; beyond, their steps are taken together.
BUDGET = 20_000.0
ELEMENTS = 5_000  # elements that are as much work as an operation


class Value:
    """What is known of an array.

    Attributes
    ----------
    aval
        Shape and dtype.
    sets
        What its elements depend on.
    make
        Gives the array if it is a constant, else None.
    """

    __slots__ = ("aval", "make", "sets")

    def __init__(
        self, aval: ShapedArray, sets: Sets = None, make: Callable[[], Any] | None = None
    ) -> None:
        self.aval = aval
        self.sets = sets
        self.make = make

    def constant(self) -> np.ndarray | None:
        """The array, if it is the same in every call."""
        return None if self.make is None else self.make()

    def without_sets(self) -> Value:
        """The same array where nothing is differentiated."""
        return Value(self.aval, None, self.make)

    def row(self, i: int) -> Value:
        """Element ``i`` along the first axis."""
        size = int(np.prod(self.aval.shape[1:], dtype=np.int64))
        sets = None if self.sets is None else self.sets.part(i * size, (i + 1) * size)
        make = self.make
        return Value(
            ShapedArray(self.aval.shape[1:], self.aval.dtype),
            _nonempty(sets),
            None if make is None else (lambda: make()[i]),
        )


def _nonempty(sets: Sets) -> Sets:
    return sets if sets is not None and sets.indices.size else None


def on_host(x: Any) -> np.ndarray:
    """An array of any device as NumPy's."""
    return x.get() if is_gpu(x) else np.asarray(x)


class Propagation:
    """A walk over graphs whose inputs are numbered below ``width``.

    Attributes
    ----------
    width
        How many inputs there are.
    budget
        What may still be spent on following loops step by step.
    read
        Captured arrays whose values the sets depend on, by identity.
    """

    def __init__(self, width: int, parent: Propagation | None = None) -> None:
        self.width = width
        self.read: dict[int, Any] = {} if parent is None else parent.read
        self._budget: list[float] = [BUDGET] if parent is None else parent._budget

    def spend(self, cost: float) -> bool:
        """Whether so many more operations may be done; they are taken off the budget."""
        if cost > self._budget[0]:
            return False
        self._budget[0] -= cost
        return True

    def captured(self, x: Any) -> Value:
        """The value of an array that the graph captured."""

        def make() -> np.ndarray:
            self.read[id(x)] = x
            return on_host(x)

        return Value(ShapedArray(np.shape(x), x.dtype), None, make)

    def literal(self, x: Any) -> Value:
        """The value of a Python number."""
        array = np.asarray(x)
        return Value(ShapedArray(array.shape, array.dtype), None, lambda: x)

    def graph(
        self, graph: Graph, inputs: Sequence[Value], constants: Sequence[Value] | None = None
    ) -> list[Value]:
        """The values of a graph's outputs."""
        if constants is None:
            constants = [self.captured(x) for x in graph.constant_values]
        held: dict[Var, Value] = dict(zip(graph.inputs, inputs, strict=True))
        held.update(zip(graph.constants, constants, strict=True))

        def value(x: Var | Literal) -> Value:
            return self.literal(x.value) if isinstance(x, Literal) else held[x]

        last = derived(graph, "last uses", lambda: _last_uses(graph))
        for equation, dead in zip(graph.equations, last, strict=True):
            operands = [value(x) for x in equation.inputs]
            avals = [out.aval for out in equation.outputs]
            try:
                made = self.apply(equation.primitive, operands, equation.params, avals)
            except TooDenseError as error:
                if not hasattr(error, "where"):
                    line = f" at {equation.line}" if equation.line else ""
                    error.where = f"{equation.primitive.name}{line}"  # type: ignore[attr-defined]
                raise
            held.update(zip(equation.outputs, made, strict=True))
            for x in dead:
                del held[x]
        return [value(x) for x in graph.outputs]

    def apply(
        self,
        primitive: Primitive,
        operands: list[Value],
        params: dict,
        avals: list[ShapedArray],
    ) -> list[Value]:
        """The values of an operation's results."""
        if all(x.sets is None for x in operands):
            return self._constant(primitive, operands, params, avals)
        if primitive.name in VALUED:
            return VALUED[primitive.name](self, primitive, operands, params, avals)
        if isinstance(primitive, Nondifferentiable):
            return [Value(a) for a in avals]
        rule = RULES.get(primitive.name)
        if rule is None:
            rule = RULES["elementwise" if isinstance(primitive, Elementwise) else "anything"]
        made = rule(self, primitive, operands, params, avals)
        return [
            Value(a, _nonempty(s) if a.dtype.kind in "fc" else None)
            for a, s in zip(avals, made, strict=True)
        ]

    def _constant(
        self, primitive: Primitive, operands: list[Value], params: dict, avals: list[ShapedArray]
    ) -> list[Value]:
        if primitive.effect or primitive.name in UNKNOWN or any(x.make is None for x in operands):
            return [Value(a) for a in avals]
        found: list[Any] = []

        def compute() -> list[Any]:
            if not found:
                with under(EVAL):
                    made = primitive.evaluate([x.constant() for x in operands], params)
                found.extend(made if primitive.multiple_results else (made,))
            return found

        return [Value(a, None, functools.partial(_item, compute, k)) for k, a in enumerate(avals)]


def _item(compute: Callable[[], list[Any]], k: int) -> Any:
    return compute()[k]


def _last_uses(graph: Graph) -> list[list[Var]]:
    """After each equation, the variables that nobody reads any more."""
    seen = {x for x in graph.outputs if isinstance(x, Var)}
    dead: list[list[Var]] = []
    for equation in reversed(graph.equations):
        mine: list[Var] = []
        for x in (*equation.outputs, *equation.inputs):
            if isinstance(x, Var) and x not in seen:
                seen.add(x)
                mine.append(x)
        dead.append(mine)
    return dead[::-1]


def sets_of_results(values: Sequence[Value], width: int) -> IndexSets:
    """The sets of all elements of the values, one after the other."""
    parts = [
        x.sets
        if x.sets is not None
        else IndexSets(np.zeros(x.aval.size + 1, np.int32), np.zeros(0, np.int32), width)
        for x in values
    ]
    if not parts:
        return IndexSets(np.zeros(1, np.int32), np.zeros(0, np.int32), width)
    return stacked(parts)


# Filled by ``rules``, ``contractions`` and ``control``. A rule of VALUED returns values, one of
# RULES only sets.
RULES: dict[str, Rule] = {}
VALUED: dict[str, Callable[..., list[Value]]] = {}
UNKNOWN = {"black_box", "opaque_black_box", "debug_callback"}  # Python functions are not run
