"""The IR: a function staged as a list of equations over primitives.

A ``StagingTrace`` writes every operation into a ``Graph`` instead of computing it. A graph is
typed SSA: each variable is assigned once, by an input, a captured constant or an equation.
Calling a graph applies its equations under the current trace, so it is differentiated,
batched and staged like any function.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from . import tree
from .arguments import as_array
from .errors import boundary, name_of, user_line
from .primitives.core import (
    Elementwise,
    EscapedTracerError,
    Primitive,
    ShapedArray,
    Trace,
    Tracer,
    aval_of,
    escaped_message,
    state,
    under,
    watch,
)

__all__ = ["Equation", "Graph", "Var", "eval_shape", "make_graph"]


keep_lines = False  # whether equations remember the user's lines; see ``keeping_lines``


@contextlib.contextmanager
def keeping_lines() -> Iterator[None]:
    """Let equations that are staged inside this context remember the user's lines."""
    global keep_lines
    before, keep_lines = keep_lines, True
    try:
        yield
    finally:
        keep_lines = before


class Var:
    """A variable of a graph, known by its shape and dtype."""

    __slots__ = ("aval",)

    def __init__(self, aval: ShapedArray) -> None:
        self.aval = aval


class Literal:
    """A Python number in an equation."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __repr__(self) -> str:
        return repr(self.value)


class Equation:
    """``outputs = primitive(inputs, params)``; ``line`` is the user's, where it was kept."""

    __slots__ = ("inputs", "line", "outputs", "params", "primitive")

    def __init__(
        self,
        primitive: Primitive,
        inputs: list[Var | Literal],
        params: dict,
        outputs: list[Var],
        line: str | None = None,
    ) -> None:
        self.primitive = primitive
        self.inputs = inputs
        self.params = params
        self.outputs = outputs
        self.line = line


class Graph:
    """A staged program.

    Attributes
    ----------
    inputs
        Variables of the arguments' leaves.
    constants
        Variables of captured arrays; ``constant_values`` holds the arrays.
    equations
        In the order they were traced.
    outputs
        Variables, or literals, of the result's leaves.
    in_tree, out_tree
        Structures of the arguments and of the result.
    """

    def __init__(
        self,
        inputs: list[Var],
        constants: list[Var],
        constant_values: list[Any],
        equations: list[Equation],
        outputs: list[Var | Literal],
    ) -> None:
        self.inputs = inputs
        self.constants = constants
        self.constant_values = constant_values
        self.equations = equations
        self.outputs = outputs
        self.in_tree: Any = None
        self.out_tree: Any = None

    def __call__(self, *args: Any) -> Any:
        """Apply the program to arguments structured like those it was staged with."""
        leaves, in_tree = tree.flatten(args)
        if in_tree != self.in_tree:
            raise TypeError(
                f"graph: expected arguments structured like {tree.describe(self.in_tree)}; got "
                f"{tree.describe(in_tree)}."
            )
        leaves = [as_array(x) for x in leaves]
        for i, (leaf, var) in enumerate(zip(leaves, self.inputs, strict=True)):
            got = aval_of(leaf)
            if got != var.aval:
                raise TypeError(f"graph: expected {var.aval} for leaf {i}; got {got}.")
        return tree.unflatten(self.out_tree, self.evaluate(leaves))

    def evaluate(self, leaves: Sequence[Any], constants: Sequence[Any] | None = None) -> list[Any]:
        """Apply the equations to flat values; constants default to the captured ones."""
        values = self.constant_values if constants is None else constants
        held: dict[Var, Any] = dict(zip(self.inputs, leaves, strict=True))
        held.update(zip(self.constants, values, strict=True))
        if watch.evaluate is not None:
            return watch.evaluate(self, held)

        def read(x: Var | Literal) -> Any:
            return x.value if isinstance(x, Literal) else held[x]

        for equation in self.equations:
            answer = equation.primitive.evaluate(
                [read(x) for x in equation.inputs], equation.params
            )
            if not equation.primitive.multiple_results:
                answer = (answer,)
            held.update(zip(equation.outputs, answer, strict=True))
        return [read(x) for x in self.outputs]

    @property
    def output_avals(self) -> list[ShapedArray]:
        """Shapes and dtypes of the results."""
        return [x.aval if isinstance(x, Var) else aval_of(as_array(x.value)) for x in self.outputs]

    def check(self) -> None:
        """Raise unless every variable is assigned once, before use, with the types declared."""
        assigned = set(self.inputs) | set(self.constants)
        for equation in self.equations:
            for x in equation.inputs:
                if isinstance(x, Var) and x not in assigned:
                    raise TypeError(f"graph: {equation.primitive} reads an unassigned variable")
            for out in equation.outputs:
                if out in assigned:
                    raise TypeError(f"graph: {equation.primitive} assigns a variable again")
                assigned.add(out)
            if equation.primitive.abstract is not None:
                avals = [
                    x.aval if isinstance(x, Var) else aval_of(x.value) for x in equation.inputs
                ]
                made = equation.primitive.abstract(*avals, **equation.params)
                made = made if equation.primitive.multiple_results else (made,)
                if [o.aval for o in equation.outputs] != list(made):
                    raise TypeError(f"graph: {equation.primitive} gives {made}, not as declared")

    def names(self) -> dict[Var, str]:
        """What the variables are called where the graph is printed or drawn."""
        assigned = [v for equation in self.equations for v in equation.outputs]
        return dict(zip([*self.inputs, *self.constants, *assigned], _names(), strict=False))

    def show(self, path: Any = None, groups: Mapping[int, Any] | None = None) -> str:
        """Draw the program.

        Parameters
        ----------
        path
            File to write, ``.svg`` or ``.html``; by default a temporary one, which is opened in
            the browser.
        groups
            A group for the positions of some equations; each is drawn in a colour.

        Returns
        -------
        str
            Path of the file.
        """
        from . import graph_picture

        return graph_picture.show(self, path, groups)

    def _repr_svg_(self) -> str | None:
        # What notebooks show: text, too, where the picture would be a maze.
        from . import graph_picture

        return graph_picture.to_svg(self) if len(self.equations) <= 200 else None

    def __repr__(self) -> str:
        return _printed(self)


def _names() -> Any:
    letters = "abcdefghijklmnopqrstuvwxyz"
    length = 1
    while True:
        for i in range(26**length):
            name = ""
            for _ in range(length):
                i, k = divmod(i, 26)
                name = letters[k] + name
            yield name
        length += 1


def _printed(graph: Graph) -> str:
    names = graph.names()

    def name(x: Var | Literal) -> str:
        return repr(x.value) if isinstance(x, Literal) else names[x]

    def typed(x: Var | Literal) -> str:
        return f"{name(x)}: {x.aval}" if isinstance(x, Var) else name(x)

    lines = [f"graph({', '.join(map(typed, graph.inputs))}) {{"]
    for var, value in zip(graph.constants, graph.constant_values, strict=True):
        shown = repr(value) if np.size(value) <= 4 and not isinstance(value, Tracer) else "captured"
        lines.append(f"  {typed(var)} = {shown.replace(chr(10), '')}")
    lines += [f"  {equation_text(equation, names)}" for equation in graph.equations]
    lines.append(f"  return {', '.join(map(name, graph.outputs))}")
    return "\n".join([*lines, "}"])


def equation_text(equation: Equation, names: Mapping[Var, str]) -> str:
    """An equation as graphs print it."""
    params = ", ".join(f"{k}={_param(v)}" for k, v in equation.params.items())
    outputs = ", ".join(f"{names[v]}: {v.aval}" for v in equation.outputs)
    inputs = " ".join(
        repr(x.value) if isinstance(x, Literal) else names[x] for x in equation.inputs
    )
    return f"{outputs} = {equation.primitive.name}{f'[{params}]' if params else ''} {inputs}"


def _param(value: Any) -> str:
    if isinstance(value, Graph):
        return f"graph of {len(value.equations)}"
    if isinstance(value, tuple) and any(isinstance(v, (slice, Graph)) for v in value):
        return "(" + ", ".join(map(_param, value)) + ")"
    if isinstance(value, slice):
        parts = (value.start, value.stop, value.step)
        shown = ":".join("" if p is None else str(p) for p in parts)
        return shown.removesuffix(":") if value.step is None else shown
    return name_of(value) if callable(value) else str(value)


class StagingTracer(Tracer):
    """A variable of the graph being built."""

    __slots__ = ("_var", "weak")

    def __init__(self, trace: Trace, var: Var, weak: Any = None) -> None:
        self._trace = trace
        self._var = var
        self.weak = weak

    @property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]
        return self._var.aval.shape

    @property
    def dtype(self) -> np.dtype:  # type: ignore[override]
        return self._var.aval.dtype

    def concrete(self) -> Any:
        return self._trace.known(self)  # type: ignore[attr-defined]

    def constant(self) -> bool:
        return self.concrete() is not None

    def become(self, other: Any) -> None:
        """Stand for another value from here on: what assignment to an element does."""
        self._var = self._trace.variable(other)  # type: ignore[attr-defined]


class StagingTrace(Trace):
    """Writes operations into a graph."""

    __slots__ = ("captured", "constants", "equations", "held")

    stages = True

    def __init__(self, parent: Trace, label: tuple[str, Any]) -> None:
        super().__init__(parent, label)
        self.equations: list[Equation] = []
        self.constants: list[Var] = []
        self.captured: list[Any] = []
        self.held: dict[int, Var] = {}

    def process(self, primitive: Primitive, operands: Sequence[Any], params: dict) -> Any:
        return primitive.stage(self, operands, params)

    def input(self, aval: ShapedArray) -> StagingTracer:
        return StagingTracer(self, Var(aval))

    def known(self, tracer: StagingTracer) -> Any:
        """The value of a tracer, which a staged program does not have: see ``explain``."""
        return None

    def constant(self, value: Any) -> StagingTracer:
        """A captured array as a tracer."""
        return StagingTracer(self, self.capture(value))

    def capture(self, value: Any) -> Var:
        """The variable of an array, or of an outer trace's tracer, from outside the graph."""
        var = self.held.get(id(value))
        if var is None:
            if isinstance(value, Tracer) and not self.inside(value._trace):
                raise EscapedTracerError(escaped_message(value))
            var = Var(aval_of(value))
            self.constants.append(var)
            self.captured.append(value)
            self.held[id(value)] = var
        return var

    def variable(self, x: Any) -> Var:
        """The variable that holds an operand."""
        if type(x) is StagingTracer and x._trace is self:
            return x._var
        return self.capture(as_array(x))

    def operand(self, x: Any) -> Var | Literal:
        """A variable, or a literal for a Python number, whose dtype is weak."""
        return Literal(x) if type(x) in (int, float, complex, bool) else self.variable(x)

    def add(self, primitive: Primitive, operands: Sequence[Any], params: dict) -> Any:
        """Append an equation and return tracers of its outputs."""
        inputs = [self.operand(x) for x in operands]
        if any(isinstance(x, Literal) for x in inputs):
            inputs = self._settle(inputs)
        avals = [x.aval if isinstance(x, Var) else aval_of(x.value) for x in inputs]
        made = primitive.abstract(*avals, **params)
        tracer = self.append(primitive, inputs, params, made)
        if isinstance(primitive, Elementwise) or primitive.name in ("convert", "broadcast_to"):
            weak = [x.weak if type(x) is StagingTracer else x for x in operands]
            if all(type(w) in (float, int, complex) for w in weak) and made.dtype.kind in "ifc":
                tracer.weak = made.dtype.type(0).item()
        return tracer

    def _settle(self, inputs: list[Var | Literal]) -> list[Var | Literal]:
        """Give literals, whose dtype is weak, the dtype that promotion (NEP 50) settles on."""
        arrays = [x.aval.dtype for x in inputs if isinstance(x, Var)]
        weak = [x.value for x in inputs if isinstance(x, Literal)]
        if not arrays:
            return inputs
        dtype = np.result_type(*arrays, *weak)
        return [Literal(dtype.type(x.value)) if isinstance(x, Literal) else x for x in inputs]

    def append(self, primitive: Primitive, inputs: list, params: dict, made: Any) -> Any:
        several = primitive.multiple_results
        outputs = [Var(a) for a in (made if several else (made,))]
        line = (watch.line or user_line)() if keep_lines else None
        self.equations.append(Equation(primitive, inputs, params, outputs, line))
        tracers = tuple(StagingTracer(self, v) for v in outputs)
        return tracers if several else tracers[0]

    def graph(self, inputs: Sequence[StagingTracer], outputs: Sequence[Any]) -> Graph:
        """The finished graph."""
        read = [self.operand(x) for x in outputs]
        return Graph([x._var for x in inputs], self.constants, self.captured, self.equations, read)


def stage_flat(label: tuple, function: Callable, avals: Sequence[ShapedArray]) -> Graph:
    """Stage a function of flat arguments that returns a flat list."""
    trace = StagingTrace(state.trace, label)
    inputs = [trace.input(a) for a in avals]
    with under(trace):
        outputs = function(*inputs)
    return trace.graph(inputs, outputs)


def _aval_of_argument(x: Any) -> ShapedArray:
    return x if isinstance(x, ShapedArray) else aval_of(as_array(x))


def make_graph(f: Callable) -> Callable[..., Graph]:
    """Stage a function: see its operations without running them.

    Parameters
    ----------
    f
        Function of arrays (or pytrees of arrays).

    Returns
    -------
    Callable
        Takes arguments like ``f``'s (arrays, or ``ShapedArray`` for their types alone) and
        returns the ``Graph``, which prints as a program and can be called.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> ft.make_graph(lambda x: np.sum(np.sin(x) * 2))(np.zeros(3))
    graph(a: f64[3]) {
      b: f64[3] = sin a
      c: f64[3] = multiply b np.float64(2.0)
      d: f64[] = reduce_sum[axes=(0,)] c
      return d
    }
    """

    @functools.wraps(f, updated=())
    @boundary
    def staged(*args: Any, **kwargs: Any) -> Graph:
        leaves, in_tree = tree.flatten(args)
        trees: list[Any] = []

        def flat(*inputs: Any) -> list[Any]:
            out = f(*tree.unflatten(in_tree, inputs), **kwargs)
            outputs, out_tree = tree.flatten(out)
            trees.append(out_tree)
            return outputs

        avals = [_aval_of_argument(x) for x in leaves]
        graph = stage_flat(("make_graph", f), flat, avals)
        graph.in_tree, graph.out_tree = in_tree, trees[0]
        return graph

    return staged


@boundary
def eval_shape(f: Callable, *args: Any, **kwargs: Any) -> Any:
    """Shapes and dtypes of what ``f`` returns, without computing it.

    Parameters
    ----------
    f
        Function of arrays (or pytrees of arrays).
    *args, **kwargs
        Its arguments: arrays, or ``ShapedArray`` objects.

    Returns
    -------
    pytree of ShapedArray
        Structured like the result.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> ft.eval_shape(np.matmul, np.zeros((1000, 2000)), np.zeros((2000, 5)))
    f64[1000,5]
    """
    graph = make_graph(f)(*args, **kwargs)
    return tree.unflatten(graph.out_tree, graph.output_avals)
