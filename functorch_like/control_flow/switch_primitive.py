"""``switch`` as a primitive: one of several closed graphs, chosen by an integer.

Operands are ``(index, *operands)``, with ``0 <= index < len(graphs)``; every graph takes the
operands. The tangent of a switch is a switch of tangent graphs, its reverse a switch of
transposed graphs that compute anew what they need, so derivatives of all orders are switches.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..graph import Graph, Var
from ..graph_transforms import (
    Closed,
    Flags,
    batch_graph,
    check_linear,
    derived,
    jvp_graph,
    reached,
    scatter,
    vjp_graph,
    without_effects,
)
from ..primitives.core import EVAL, Primitive, ShapedArray, aval_of, under
from ..primitives.structural import full_batch, zeros_like
from .loop_primitives import (
    chosen,
    either,
    instantiated,
    over_lanes,
    present,
    record_block,
)

__all__ = ["switch", "unite"]


def unite(branches: Sequence[Closed]) -> tuple[tuple[Graph, ...], list[Any]]:
    """Give all branches the constants of each, as their first inputs."""
    held: dict[int, Any] = {}
    for _, constants in branches:
        held.update((id(x), x) for x in constants)
    graphs = []
    for graph, constants in branches:
        own = dict(zip(map(id, constants), graph.inputs, strict=False))
        first = [own.get(key) or Var(aval_of(x)) for key, x in held.items()]
        inputs = [*first, *graph.inputs[len(constants) :]]
        graphs.append(Graph(inputs, [], [], graph.equations, graph.outputs))
    return tuple(graphs), list(held.values())


class Switch(Primitive):
    """Operands ``(index, *operands)``, results those of each graph."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("switch", self.run, self.result_avals, self.batched, True)

    @staticmethod
    def run(index: Any, *operands: Any, graphs: Sequence[Graph]) -> tuple:
        """The kernel."""
        with under(EVAL):
            return tuple(graphs[int(index)].evaluate(operands))

    @staticmethod
    def result_avals(
        index: Any, *avals: ShapedArray, graphs: Sequence[Graph]
    ) -> tuple[ShapedArray, ...]:
        """Types of the results."""
        return tuple(graphs[0].output_avals)

    def dependent(self, flags: Flags, graphs: Sequence[Graph], derivative: bool) -> tuple:
        """Which results depend on the flagged operands in any branch."""
        found = (False,) * len(graphs[0].outputs)
        for graph in graphs:
            found = either(found, reached(graph, flags, derivative))
        return found

    def jvp(self, primals: Sequence, tangents: Sequence, params: dict) -> tuple[Any, Any]:
        index, *operands = primals
        graphs = params["graphs"]
        flags = tuple(t is not None for t in tangents[1:])
        dependent = self.dependent(flags, graphs, derivative=True)
        pushed, constants = derived(
            graphs[0],
            ("switch tangent", graphs, flags),
            lambda: unite([jvp_graph(graph, flags, dependent) for graph in graphs]),
        )
        results = self(index, *constants, *operands, *present(tangents[1:]), graphs=pushed)
        count = len(dependent)
        return results[:count], scatter(dependent, results[count:])

    def record(self, trace: Any, primals: Sequence, slots: Sequence, params: dict) -> Any:
        answers = trace.parent.process(self, primals, params)
        return self._recorded(trace, answers, primals, slots, params)

    def record_linear(self, trace: Any, operands: Sequence, params: dict) -> Any:
        slots = trace.slots(operands)
        if slots[0] is not None:
            return super().record_linear(trace, operands, params)
        flags = [s is not None for s in slots[1:]]
        dependent = self.dependent(flags, params["graphs"], derivative=True)
        for graph in params["graphs"]:
            check_linear(trace.label, graph, flags, dependent)
        # A linear map is its own derivative, at zero say.
        at_zero = [
            x if slot is None else zeros_like(x) for x, slot in zip(operands, slots, strict=True)
        ]
        answers: Any = self.result_avals(*map(aval_of, at_zero), **params)
        if not all(dependent):
            answers = [
                aval if flag else x
                for aval, x, flag in zip(answers, self(*at_zero, **params), dependent, strict=True)
            ]
        return self._recorded(trace, answers, at_zero, slots, params)

    def _recorded(
        self, trace: Any, answers: Sequence, primals: Sequence, slots: Sequence, params: dict
    ) -> Any:
        index, *operands = primals
        params = without_effects(params)
        graphs = params["graphs"]
        given = [s is not None for s in slots]
        wanted = tuple(given[1:])
        dependent = self.dependent(wanted, graphs, derivative=True)

        def pull(cts: list) -> list:
            full = present(instantiated(dependent, answers, scatter(dependent, cts)))
            pulled, constants = derived(
                graphs[0],
                ("switch transpose", graphs, wanted),
                lambda: unite([vjp_graph(graph, wanted, dependent) for graph in graphs]),
            )
            return list(self(index, *constants, *operands, *full, graphs=pulled))

        def push(ts: list) -> list:
            return chosen(dependent, self.jvp(primals, scatter(given, ts), params)[1])

        return record_block(trace, answers, dependent, slots, pull, push)

    def batched(
        self, size: int, operands: Sequence, batched: Sequence[bool], **params: Any
    ) -> tuple[Any, ...]:
        """The rule for ``vmap``: a batched index has each lane take its own branch."""
        if batched[0]:
            return over_lanes(self, size, operands, batched, params)
        index, *rest = operands
        graphs = params["graphs"]
        flags = tuple(batched[1:])
        dependent = self.dependent(flags, graphs, derivative=False)
        made, constants = derived(
            graphs[0],
            ("switch batch", graphs, size, flags),
            lambda: unite([batch_graph(graph, size, flags, dependent) for graph in graphs]),
        )
        results = self(index, *constants, *rest, graphs=made)
        return tuple(full_batch(size, x, flag) for x, flag in zip(results, dependent, strict=True))


switch = Switch()
