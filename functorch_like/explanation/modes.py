"""Which mode is cheaper, and what a compiled program does, from the compiler's count of work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..compilation.cost import Cost, _Count
from ..compilation.executable import Executable
from ..compilation.fuse import Group
from ..compilation.nodes import Node
from ..compilation.simplify import simplify
from ..graph import Graph
from ..graph_transforms import close, jvp_graph, prune, vjp_graph
from .flow import Flow
from .report import Line, Modes

__all__ = ["Work", "choose_modes", "count_work"]

# Of a core's time: an operation, a call of a function, a byte moved; only ratios matter.
_OPERATION, _CALL, _BYTE = 0.25, 1.5, 0.1


class Work:
    """What a compiled program does."""

    def __init__(self) -> None:
        self.cost: Cost | None = None
        self.flops: dict[str, int] = {}
        self.host_calls: tuple[tuple[str, str], ...] = ()

    def lines(self, graph: Graph, kept: dict[str, int]) -> tuple[Line, ...]:
        """What each line records, in the order of the graph."""
        names: dict[str, dict[str, int]] = {}
        results: dict[str, dict[str, None]] = {}
        _note(graph, names, results)
        for line in kept:
            names.setdefault(line, {})
            results.setdefault(line, {})
        return tuple(
            Line(line, found, tuple(results[line]), self.flops.get(line, 0), kept.get(line, 0))
            for line, found in names.items()
        )


def _note(graph: Graph, names: dict, results: dict) -> None:
    for equation in graph.equations:
        line = equation.line or "an unknown line"
        found = names.setdefault(line, {})
        name = equation.primitive.name
        found[name] = found.get(name, 0) + 1
        types = results.setdefault(line, {})
        types.update((str(v.aval), None) for v in equation.outputs)
        for value in equation.params.values():
            for inner in value if isinstance(value, tuple) else (value,):
                if isinstance(inner, Graph):
                    _note(inner, names, results)


def count_work(graph: Graph) -> Work:
    """Count the work of a graph as it would be compiled; nothing where it cannot be lowered."""
    work = Work()
    try:
        program = Executable(simplify(graph))
    except Exception:
        return work
    work.cost = program.cost()
    calls: dict[tuple[str, str], None] = {}

    def visit(entries: Sequence[Any], times: int) -> None:
        for entry in entries:
            if isinstance(entry, Group):
                visit(entry.body.entries, times)
                continue
            bodies = () if isinstance(entry, Node) else entry.more.get("bodies", ())
            for body in bodies:
                visit(body.block.entries, times * int(entry.more.get("length", 1)))
            equation = entry.equation
            if bodies or equation is None:
                continue
            line = equation.line or "an unknown line"
            count = _Count(())
            count.entry(entry, times)
            total = count.flops + count.transcendentals
            work.flops[line] = work.flops.get(line, 0) + total
            if not isinstance(entry, Node) and entry.kind == "host":
                calls[line, equation.primitive.name] = None

    visit(program.top.entries, 1)
    work.host_calls = tuple(calls)
    return work


def _price(graph: Graph) -> float:
    """The cost of a graph, in arbitrary units."""
    cost = Executable(simplify(prune(graph))).cost()
    moved = cost.bytes_read + cost.bytes_written
    return _OPERATION * cost.flops + _CALL * cost.transcendentals + _BYTE * moved


def _tangents_only(graph: Graph, outputs: int) -> Graph:
    return Graph(graph.inputs, [], [], graph.equations, graph.outputs[outputs:])


def choose_modes(
    graph: Graph, active: Sequence[int], flow: Flow
) -> tuple[Modes | None, Modes | None]:
    """Jacobian and Hessian, each in the modes there are."""
    closed, constants = close(prune(graph))
    extra = len(constants)
    chosen = {k + extra for k in active if k in flow.useful}
    flags = tuple(k in chosen for k in range(len(closed.inputs)))
    wanted = tuple(flow.outputs)
    if not any(flags) or not any(wanted):
        return None, None
    columns = sum(v.aval.size for v, flag in zip(closed.inputs, flags, strict=True) if flag)
    rows = sum(a.size for a, flag in zip(closed.output_avals, wanted, strict=True) if flag)
    if not columns or not rows:
        return None, None
    count = len(closed.outputs)
    try:
        alone = max(_price(closed), 1e-9)
        pushed = jvp_graph(closed, flags, wanted)
        pulled = vjp_graph(closed, flags, wanted)
        forward = max(_price(pushed.graph) - alone, 0.1 * alone)
        reverse = max(_price(pulled.graph) - alone, 0.1 * alone)
        jacobian = _chosen(
            {"forward": columns, "reverse": rows},
            {
                "forward": 1 + columns * forward / alone,
                "reverse": 1 + rows * reverse / alone,
            },
            {"forward": "jacfwd", "reverse": "grad" if rows == 1 else "jacrev"}.get,
        )
        if any(v.aval.dtype.kind == "c" for v in closed.inputs):
            return jacobian, None
        slopes = pulled.graph
        first = (False,) * len(pulled.constants)
        along = (*first, *flags, *(False,) * sum(wanted))
        over = jvp_graph(slopes, along, (True,) * len(slopes.outputs))
        one = max(_price(_tangents_only(over.graph, len(slopes.outputs))), 0.1 * alone)
        first = (False,) * len(pushed.constants)
        again = (*first, *flags, *(False,) * sum(flags))
        twice = jvp_graph(pushed.graph, again, (False,) * count + (True,) * sum(wanted))
        bent = max(_price(_tangents_only(twice.graph, count + sum(wanted))), 0.1 * alone)
    except Exception:  # a primitive without this derivative: told where reverse mode is
        return None, None
    products = columns * (columns + 1) // 2
    hessian = _chosen(
        {"forward over reverse": columns * rows, "forward over forward": products},
        {
            "forward over reverse": 1 + columns * rows * one / alone,
            "forward over forward": 1 + products * bent / alone,
        },
        {
            "forward over reverse": "hessian" if rows == 1 else "jacfwd(jacrev(f))",
            "forward over forward": "jacfwd(jacfwd(f))",
        }.get,
    )
    return jacobian, hessian


def _chosen(counts: dict[str, int], costs: dict[str, float], call: Callable) -> Modes:
    best = min(costs, key=lambda name: costs[name])
    return Modes(best, costs, counts, call(best))
