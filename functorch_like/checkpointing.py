"""checkpoint: keep a function's inputs and run it again in the backward pass."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from . import tree
from .arguments import as_array
from .errors import fold
from .function_primitives import CaptureTrace, FunctionPrimitive, avals_of, inside, link, stage_function
from .graph import Graph, Var
from .primitives.core import Primitive, Tracer, state, under
from .reverse import ReverseTrace, ReverseTracer, pull_back, push_forward

__all__ = ["checkpoint"]


class _RerunTrace(ReverseTrace):
    """Records a second run, in which captured tracers stand for inputs of this record."""

    __slots__ = ("replacements",)

    def process(self, primitive: Primitive, operands: Sequence[Any], params: dict) -> Any:
        return super().process(primitive, [self.replace(x) for x in operands], params)

    def replace(self, x: Any) -> Any:
        if type(x) is ReverseTracer and x._trace is not self:
            found = self.replacements.get((id(x._trace), x.slot))
            if found is not None:
                return found
            if id(x._trace) in self.replacements["traces"]:
                return x.primal
        return x


class _Checkpoint(FunctionPrimitive):
    """params: function(*xs) -> outs."""

    __slots__ = ()

    def record(self, trace: Any, primals: Sequence, slots: Sequence, params: dict) -> Any:
        function = params["function"]
        capture = CaptureTrace(trace.parent, trace)
        with under(capture):
            outs = [capture.value(x) for x in function(*primals)]
        captured = list(capture.captured.values())
        kept = [x.primal for x in captured]
        inputs = [slot for slot in slots if slot is not None] + [x.slot for x in captured]

        def rerun() -> tuple[list, list, list]:
            again = _RerunTrace(state.trace, trace.name)
            xs = [
                x if slot is None else again.new(x, None)
                for x, slot in zip(primals, slots, strict=True)
            ]
            replacements: dict[Any, Any] = {"traces": {id(trace)}}
            for x, value in zip(captured, kept, strict=True):
                replacements[(id(trace), x.slot)] = again.new(value, None)
            again.replacements = replacements
            with under(again):
                results = [again.replace(x) for x in function(*xs)]
            own = [
                x.slot if type(x) is ReverseTracer and x._trace is again else None for x in results
            ]
            return again.tape, list(range(len(inputs))), own

        def pull(cts: list) -> list:
            tape, in_slots, out_slots = rerun()
            seeds = [(s, ct) for s, ct in zip(out_slots, cts, strict=True) if s is not None]
            return pull_back(tape, seeds, in_slots)

        def push(ts: list) -> list:
            tape, in_slots, out_slots = rerun()
            seeds = [(s, t) for s, t in zip(in_slots, ts, strict=True) if t is not None]
            found = iter(push_forward(tape, seeds, [s for s in out_slots if s is not None]))
            return [None if s is None else next(found) for s in out_slots]

        return link(trace, outs, inputs, pull, push)

    def forward(self, trace: Any, primals: Sequence, tangents: Sequence, params: dict) -> Any:
        from .forward import ForwardTracer

        xs = [
            x if t is None else ForwardTracer(trace, x, t)
            for x, t in zip(primals, tangents, strict=True)
        ]
        return tuple(params["function"](*xs))

    def process_batch(self, trace: Any, operands: Sequence, batched: list, params: dict) -> Any:
        return self(*operands, function=inside(trace, params["function"], batched))

    def stage(self, trace: Any, operands: Sequence, params: dict) -> Any:
        graph, _, _ = stage_function(trace, params["function"], avals_of(operands))
        inputs = [trace.operand(x) for x in (*graph.constant_values, *operands)]
        made = tuple(x.aval if isinstance(x, Var) else avals_of([x.value])[0] for x in graph.outputs)
        return trace.append(self, inputs, {"function": graph}, made)

    def evaluate(self, operands: Sequence, params: dict) -> Any:
        graph: Graph = params["function"]
        own = operands[: len(graph.constants)]
        return self(
            *operands[len(graph.constants) :],
            function=lambda *values: graph.evaluate(values, own),
        )


checkpoint_call = _Checkpoint("checkpoint_call")


def checkpoint(f: Callable) -> Callable:
    """Trade time for memory: record nothing of ``f``, run it again in the backward pass.

    Parameters
    ----------
    f
        Function of arrays (or pytrees of arrays); it may close over traced values.

    Returns
    -------
    Callable
        The same function; reverse mode keeps its inputs only.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> layer = ft.checkpoint(lambda x: np.sin(np.sin(np.sin(x))))
    >>> ft.grad(layer)(0.0)
    np.float64(1.0)
    """

    @functools.wraps(f, updated=())
    def checkpointed(*args: Any, **kwargs: Any) -> Any:
        try:
            leaves, in_tree = tree.flatten(args)
            arrays = [i for i, x in enumerate(leaves) if _is_array(x)]
            trees: list[Any] = []

            def function(*values: Any) -> list:
                full = list(leaves)
                for i, value in zip(arrays, values, strict=True):
                    full[i] = value
                outs, out_tree = tree.flatten(f(*tree.unflatten(in_tree, full), **kwargs))
                trees.append(out_tree)
                return outs

            outs = checkpoint_call(*[as_array(leaves[i]) for i in arrays], function=function)
            return tree.unflatten(trees[-1], outs)
        except Exception as error:
            raise fold(error) from error.__cause__

    return checkpointed


def _is_array(x: Any) -> bool:
    return isinstance(x, Tracer) or hasattr(x, "dtype") or isinstance(x, float)

