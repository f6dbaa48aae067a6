"""Graphs made from graphs: closed bodies, their derivatives and their batches.

A *closed* graph has no captured constants: what it needs comes in as inputs, so that a
primitive can hold it among its params and handle everything that varies as operands. Each
transform stages ``graph.evaluate`` under the trace that gives the transform its meaning; what
was made from a graph is kept with it, so that nothing is staged twice.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np

from .arguments import as_array
from .batching import BatchTrace, BatchTracer, SharedTracer
from .forward import ForwardTrace, ForwardTracer
from .graph import Equation, Graph, Literal, StagingTrace, Var
from .primitives.core import (
    EVAL,
    LOST,
    Elementwise,
    EscapedTracerError,
    LinearTrace,
    LinearTracer,
    Nondifferentiable,
    Primitive,
    ShapedArray,
    Trace,
    Tracer,
    aval_of,
    escaped_message,
    is_zero,
    state,
    under,
    zeros_like_aval,
)
from .primitives.structural import broadcast_to, convert, slice_at
from .reverse import ReverseTrace, ReverseTracer, pull_back

__all__ = [
    "Closed",
    "batch_graph",
    "check_linear",
    "close",
    "derived",
    "effectful",
    "has_effects",
    "jvp_graph",
    "prune",
    "reached",
    "scatter",
    "stage_closed",
    "vjp_graph",
    "without_effects",
]

Flags = Sequence[bool]


class Closed(NamedTuple):
    """A closed graph and the arrays that its first inputs stand for."""

    graph: Graph
    constants: list[Any]


class BodyTrace(StagingTrace):
    """Stages a function whose captured values are operands of the primitive that holds it.

    Whichever tracers it captures, the current trace judges them when it gets them as operands.
    """

    __slots__ = ("region",)

    def __init__(self, parent: Trace, label: tuple[str, Any]) -> None:
        super().__init__(parent, label)
        self.region: Any = None  # what takes note of assignments to arrays of outer traces

    def capture(self, value: Any) -> Var:
        var = self.held.get(id(value))
        if var is None:
            if isinstance(value, Tracer) and value._trace is LOST:
                raise EscapedTracerError(escaped_message(value))
            var = self.held[id(value)] = Var(aval_of(value))
            self.constants.append(var)
            self.captured.append(value)
        return var


def stage_closed(label: tuple, function: Callable, avals: Sequence[ShapedArray]) -> Closed:
    """Stage a function of flat arguments; what it closed over becomes its first inputs."""
    trace = BodyTrace(state.trace, label)
    inputs = [trace.input(a) for a in avals]
    variables = [x._var for x in inputs]  # before the function may assign to its arguments
    with under(trace):
        outputs = [trace.variable(x) for x in function(*inputs)]
    return close(Graph(variables, trace.constants, trace.captured, trace.equations, [*outputs]))


def close(graph: Graph) -> Closed:
    """Make captured arrays inputs, the first ones; captured numbers become literals."""
    literals: dict[Any, Literal] = {}
    first: list[Equation] = []
    inputs, values = [], []
    for var, value in zip(graph.constants, graph.constant_values, strict=True):
        if isinstance(value, np.generic):
            literals[var] = Literal(value)
        elif _uniform(value):
            number = Literal(value[(0,) * value.ndim])
            first.append(Equation(broadcast_to, [number], {"shape": value.shape}, [var]))
        else:
            inputs.append(var)
            values.append(value)

    def read(x: Var | Literal) -> Var | Literal:
        return literals.get(x, x)

    equations = [
        Equation(e.primitive, [read(x) for x in e.inputs], e.params, e.outputs, e.line)
        for e in graph.equations
    ]
    outputs = [read(x) for x in graph.outputs]
    return Closed(
        prune(Graph([*inputs, *graph.inputs], [], [], first + equations, outputs)), values
    )


def _uniform(x: Any) -> bool:
    """Whether ``x`` is one number repeated without memory, as rules make their zeros."""
    return type(x) is np.ndarray and x.ndim > 0 and x.size > 0 and not any(x.strides)


def prune(graph: Graph) -> Graph:
    """Leave out the equations that no output needs."""
    needed = {x for x in graph.outputs if isinstance(x, Var)}
    kept = []
    for equation in reversed(graph.equations):
        if not needed.isdisjoint(equation.outputs) or effectful(equation):
            needed.update(x for x in equation.inputs if isinstance(x, Var))
            kept.append(equation)
    return Graph(graph.inputs, graph.constants, graph.constant_values, kept[::-1], graph.outputs)


def effectful(equation: Equation) -> bool:
    """Whether an equation, or one in the graphs among its params, has an effect."""
    if equation.primitive.effect:
        return True
    for value in equation.params.values():
        for graph in value if type(value) is tuple else (value,):
            if type(graph) is Graph and has_effects(graph):
                return True
    return False


def has_effects(graph: Graph) -> bool:
    """Whether one of the equations of a graph has an effect."""
    return derived(graph, "effects", lambda: any(map(effectful, graph.equations)))


def without_effects(value: Any) -> Any:
    """A graph, or those among a primitive's params, for values that are computed once more.

    A reverse sweep runs again what it needs of the way forward; callbacks have been run by then.
    """
    if type(value) is tuple:
        return tuple(map(without_effects, value))
    if type(value) is dict:
        # What a custom rule does to cotangents is done on the way back only.
        return {k: v if k == "backward" else without_effects(v) for k, v in value.items()}
    if type(value) is not Graph or not has_effects(value):
        return value

    def make() -> Graph:
        equations = [
            Equation(e.primitive, e.inputs, without_effects(e.params), e.outputs, e.line)
            if effectful(e)
            else e
            for e in value.equations
            if not e.primitive.effect
        ]
        return prune(
            Graph(value.inputs, value.constants, value.constant_values, equations, value.outputs)
        )

    return derived(value, "without effects", make)


def derived(graph: Graph, key: Hashable, make: Callable[[], Any]) -> Any:
    """What ``make`` gives, made once a graph and key."""
    made = vars(graph).setdefault("derived", {})
    if key not in made:
        made[key] = make()
    return made[key]


def reached(graph: Graph, flags: Flags, derivative: bool) -> tuple[bool, ...]:
    """Which outputs depend on the flagged inputs, or have a derivative in them."""
    held = {var for var, flag in zip(graph.inputs, flags, strict=True) if flag}
    for equation in graph.equations:
        if held.isdisjoint(equation.inputs) or (derivative and _flat(equation.primitive)):
            continue
        held.update(x for x in equation.outputs if not derivative or x.aval.dtype.kind in "fc")
    return tuple(x in held for x in graph.outputs)


def _flat(primitive: Primitive) -> bool:
    """Whether the derivative is zero everywhere."""
    return isinstance(primitive, Nondifferentiable) or (
        isinstance(primitive, Elementwise) and primitive.rules is None
    )


def scatter(flags: Flags, values: Sequence[Any]) -> list[Any]:
    """The values at the flagged positions and None elsewhere."""
    given = iter(values)
    return [next(given) if flag else None for flag in flags]


def _chosen(flags: Flags, values: Sequence[Any]) -> list[Any]:
    return [x for flag, x in zip(flags, values, strict=True) if flag]


def _staged(trace: StagingTrace, inputs: Sequence[Any], outputs: Sequence[Any]) -> Closed:
    return close(trace.graph(inputs, [as_array(x) for x in outputs]))


def jvp_graph(graph: Graph, flags: Flags, results: Flags) -> Closed:
    """The graph with tangents.

    Parameters
    ----------
    graph
        A closed graph.
    flags
        Which inputs have tangents.
    results
        Of which outputs tangents are wanted.

    Returns
    -------
    Closed
        Takes ``(*constants, *inputs, *tangents)`` and returns ``(*outputs, *tangents)``.
    """

    def make() -> Closed:
        staging = StagingTrace(EVAL, ("jvp", graph))
        primals = [staging.input(var.aval) for var in graph.inputs]
        tangents = [staging.input(var.aval) for var in _chosen(flags, graph.inputs)]
        trace = ForwardTrace(staging, staging.label)
        traced = [
            x if t is None else ForwardTracer(trace, x, t)
            for x, t in zip(primals, scatter(flags, tangents), strict=True)
        ]
        with under(trace):
            outs = graph.evaluate(traced)
        own = [type(x) is ForwardTracer and x._trace is trace for x in outs]
        values = [x.primal if mine else x for x, mine in zip(outs, own, strict=True)]
        with under(staging):
            found = [
                _instantiated(x.tangent if mine else None, aval)
                for x, mine, aval in zip(outs, own, graph.output_avals, strict=True)
            ]
        return _staged(staging, [*primals, *tangents], [*values, *_chosen(results, found)])

    return derived(graph, ("jvp", tuple(flags), tuple(results)), make)


def vjp_graph(graph: Graph, wanted: Flags, cotangents: Flags) -> Closed:
    """The transposed derivative of a graph, which computes anew the values it needs.

    Parameters
    ----------
    graph
        A closed graph.
    wanted
        Of which inputs cotangents are wanted.
    cotangents
        Of which outputs cotangents are given; those of the others are zero.

    Returns
    -------
    Closed
        Takes ``(*constants, *inputs, *cotangents of outputs)`` and returns the cotangents of
        the wanted inputs.
    """
    graph = without_effects(graph)

    def make() -> Closed:
        staging = StagingTrace(EVAL, ("vjp", graph))
        primals = [staging.input(var.aval) for var in graph.inputs]
        given = [staging.input(aval) for aval in _chosen(cotangents, graph.output_avals)]
        trace = ReverseTrace(staging, staging.label)
        traced = [
            trace.new(x, None) if want else x for x, want in zip(primals, wanted, strict=True)
        ]
        slots = [x.slot for x in _chosen(wanted, traced)]
        with under(trace):
            outs = graph.evaluate(traced)
        for array in trace.locked:
            array.flags.writeable = True
        seeds = [
            (x.slot, ct)
            for x, ct in zip(outs, scatter(cotangents, given), strict=True)
            if ct is not None and type(x) is ReverseTracer and x.slot is not None
        ]
        with under(staging):
            found = [
                _instantiated(ct, var.aval)
                for ct, var in zip(
                    pull_back(trace.tape, seeds, slots), _chosen(wanted, graph.inputs), strict=True
                )
            ]
        return _staged(staging, [*primals, *given], found)

    return derived(graph, ("vjp", tuple(wanted), tuple(cotangents)), make)


def _instantiated(t: Any, aval: ShapedArray) -> Any:
    """A tangent or cotangent as an array of the type of what it belongs to."""
    if t is None:
        return zeros_like_aval(aval)
    return t if t.dtype == aval.dtype else convert(t, dtype=aval.dtype)


def batch_graph(graph: Graph, size: int, flags: Flags, results: Flags) -> Closed:
    """The graph on a batch.

    Parameters
    ----------
    graph
        A closed graph.
    size
        Size of the batch.
    flags
        Which inputs have a batch axis, the first one.
    results
        Which outputs get one: those that depend on the flagged inputs, and any others.

    Returns
    -------
    Closed
        Takes ``(*constants, *inputs)``.
    """

    def make() -> Closed:
        staging = StagingTrace(EVAL, ("vmap", graph))
        inputs = [
            staging.input(ShapedArray((size, *aval.shape), aval.dtype) if flag else aval)
            for aval, flag in zip([var.aval for var in graph.inputs], flags, strict=True)
        ]
        trace = BatchTrace(staging, staging.label, size)
        with under(trace):
            outs = graph.evaluate(
                [BatchTracer(trace, x) if b else x for x, b in zip(inputs, flags, strict=True)]
            )
        with under(staging):
            outs = [
                trace.unwrap(x) if b else _of_all(x) for x, b in zip(outs, results, strict=True)
            ]
        return _staged(staging, inputs, outs)

    return derived(graph, ("batch", size, tuple(flags), tuple(results)), make)


def _of_all(x: Any) -> Any:
    """What does not depend on the batch; primitives that carry functions repeat it all the same."""
    if type(x) is SharedTracer:
        return x.value
    return slice_at(x.value, index=(0,)) if type(x) is BatchTracer else x


def check_linear(label: tuple, graph: Graph, flags: Flags, results: Flags) -> None:
    """Raise unless the outputs at ``results`` are linear in the flagged inputs together."""
    staging = StagingTrace(EVAL, label)
    trace = LinearTrace(staging, [], label)
    inputs = [
        trace.new(var.aval.shape, var.aval.dtype, None) if flag else staging.input(var.aval)
        for var, flag in zip(graph.inputs, flags, strict=True)
    ]
    with under(trace):
        outs = graph.evaluate(inputs)
    for x in _chosen(results, outs):
        if type(x) is not LinearTracer and not is_zero(x):
            raise TypeError(f"{trace.name}: expected a linear function; part of it is constant.")
