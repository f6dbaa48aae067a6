"""Where derivatives go in a graph, and where they end."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from ..control_flow.loop_primitives import Loop
from ..control_flow.switch_primitive import Switch
from ..graph import Equation, Graph, Literal, Var
from ..graph_transforms import prune, reached
from ..primitives.core import (
    Elementwise,
    Linear,
    Multilinear,
    Nondifferentiable,
    Primitive,
)
from .report import Stop

__all__ = ["Flow", "dependence", "subgraphs", "trace_flow"]

_COMPARISONS = frozenset(["equal", "not_equal", "less", "less_equal", "greater", "greater_equal"])


@dataclasses.dataclass
class Flow:
    """What became of the derivatives in the chosen inputs."""

    outputs: list[bool]  # whether each has a derivative
    useful: set[int]  # positions of inputs in which some output has one
    stops: list[Stop]
    ended: list[frozenset[int]]  # of each output, the stops before it

    def stops_of(self, output: int) -> tuple[Stop, ...]:
        """Where derivatives end on the way to an output."""
        return tuple(self.stops[k] for k in sorted(self.ended[output]))


def dependence(equation: Equation, flags: Sequence[bool]) -> list[bool]:
    """Which results have a derivative in the flagged operands."""
    primitive, params = equation.primitive, equation.params
    floats = [v.aval.dtype.kind in "fc" for v in equation.outputs]
    if not any(flags) or isinstance(primitive, Nondifferentiable):
        return [False] * len(floats)
    if isinstance(primitive, Elementwise):
        rules = primitive.rules or ()
        through = any(f and r is not None for f, r in zip(flags, rules, strict=False))
        return [through and floats[0]]
    if isinstance(primitive, Linear):
        return [flags[0] and floats[0]]
    if isinstance(primitive, Multilinear):
        return [any(flags[: primitive.linear]) and floats[0]]
    if isinstance(primitive, Loop):
        return list(primitive.spread(flags, params, derivative=True)[1])
    if isinstance(primitive, Switch):
        return list(primitive.dependent(flags[1:], params["graphs"], derivative=True))
    graph = params.get("function", params.get("graph"))
    if isinstance(graph, Graph) and primitive.name == "checkpoint_call":
        inputs = [*graph.constants, *graph.inputs]
        alike = Graph(inputs, [], [], graph.equations, graph.outputs)
        return list(reached(alike, flags, derivative=True))
    return floats


def subgraphs(equation: Equation, flags: Sequence[bool]) -> list[tuple[Graph, list[bool], int]]:
    """Graphs that an equation runs: each closed, with its flags, and how often (0: not known)."""
    primitive, params = equation.primitive, equation.params
    if isinstance(primitive, Loop):
        spread, _ = primitive.spread(flags, params, derivative=True)
        condition = primitive.sizes(params)[0]
        times = int(params.get("length", 0))
        return [(primitive.body(params), list(spread[condition:]), times)]
    if isinstance(primitive, Switch):
        return [(graph, list(flags[1:]), 1) for graph in params["graphs"]]
    graph = params.get("function")
    if primitive.carries_function and isinstance(graph, Graph):
        inputs = [*graph.constants, *graph.inputs]
        return [(Graph(inputs, [], [], graph.equations, graph.outputs), list(flags), 1)]
    return []


def _reason(primitive: Primitive, equation: Equation) -> str:
    name = primitive.name
    if name == "stop_gradient":
        return "stop_gradient"
    if name == "discretize":
        return f"converted to {equation.outputs[0].aval.dtype}"
    if name in _COMPARISONS:
        return "a comparison has no slope (what a choice chooses keeps its own)"
    if name.startswith("debug_callback") or name == "check_holds":
        return "Python gets the value"
    if all(v.aval.dtype.kind not in "fc" for v in equation.outputs):
        return f"its result is {equation.outputs[0].aval.dtype}"
    return "its slope is 0 wherever it has one"


def _walk(
    graph: Graph, flags: Sequence[bool], stops: list[Stop], seen: dict[tuple, int]
) -> tuple[list[bool], list[frozenset[int]]]:
    """Flags of outputs, and the stops before each."""
    active = {v for v, flag in zip(graph.inputs, flags, strict=True) if flag}
    ended: dict[Var, frozenset[int]] = {}
    none: frozenset[int] = frozenset()

    def before(xs: Sequence[Var | Literal]) -> frozenset[int]:
        return none.union(*(ended.get(x, none) for x in xs if isinstance(x, Var)))

    for equation in graph.equations:
        given = [isinstance(x, Var) and x in active for x in equation.inputs]
        through = dependence(equation, given)
        found = before(equation.inputs)
        inner = subgraphs(equation, given) if any(given) else []
        for body, body_flags, _ in inner:
            _, more = _walk(body, body_flags, stops, seen)
            found = found.union(*more)
        if any(given) and not any(through) and not inner and equation.outputs:
            line = equation.line or "an unknown line"
            stop = Stop(line, equation.primitive.name, _reason(equation.primitive, equation))
            key = (line, stop.primitive, stop.reason)
            if key not in seen:
                seen[key] = len(stops)
                stops.append(stop)
            found |= {seen[key]}
        active.update(v for v, flag in zip(equation.outputs, through, strict=True) if flag)
        if found:
            ended.update((v, found) for v in equation.outputs)
    outs = [isinstance(x, Var) and x in active for x in graph.outputs]
    return outs, [before([x]) for x in graph.outputs]


def trace_flow(graph: Graph, active: Sequence[int]) -> Flow:
    """Follow the derivatives in the inputs at the positions ``active`` through a graph."""
    graph = prune(graph)
    flags = [k in active for k in range(len(graph.inputs))]
    stops: list[Stop] = []
    outputs, ended = _walk(graph, flags, stops, {})
    # Backwards: in what the outputs have a derivative.
    useful = {x for x in graph.outputs if isinstance(x, Var) and x.aval.dtype.kind in "fc"}
    for equation in reversed(graph.equations):
        if useful.isdisjoint(equation.outputs):
            continue
        for i, x in enumerate(equation.inputs):
            if not isinstance(x, Var) or x in useful or x.aval.dtype.kind not in "fc":
                continue
            alone = [j == i for j in range(len(equation.inputs))]
            through = dependence(equation, alone)
            pairs = zip(through, equation.outputs, strict=True)
            if any(flag and out in useful for flag, out in pairs):
                useful.add(x)
    places = {k for k in active if graph.inputs[k] in useful}
    return Flow(outputs, places, stops, ended)
