"""checkpoint: keep a function's inputs and run it again in the backward pass."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import tree
from .arguments import as_array
from .errors import boundary
from .forward import ForwardTracer
from .function_primitives import (
    FunctionPrimitive,
    avals_of,
    evaluated,
    inside,
    record_captured,
    stage_function,
)
from .graph import Graph
from .primitives.core import Tracer, under

__all__ = ["checkpoint"]


class _Checkpoint(FunctionPrimitive):
    """params: function(*xs) -> outs."""

    __slots__ = ()

    functions = ("function",)

    @staticmethod
    def guard(x: Any) -> Any:
        """A copy: an ordinary function may assign to its arguments."""
        return x.copy() if type(x) is np.ndarray else x

    def record_own(self, trace: Any, primals: Sequence, slots: Sequence, params: dict) -> Any:
        outs, capture = self.pass_on(trace, primals, params)
        return record_captured(trace, params["function"], outs, primals, slots, capture)

    def record_linear(self, trace: Any, operands: Sequence, params: dict) -> Any:
        # A linear map's transpose needs no values: there is nothing to keep or to run again.
        with under(trace):
            return tuple(params["function"](*operands))

    def forward_own(self, trace: Any, primals: Sequence, tangents: Sequence, params: dict) -> Any:
        xs = [
            x if t is None else ForwardTracer(trace, x, t)
            for x, t in zip(primals, tangents, strict=True)
        ]
        return tuple(params["function"](*xs))

    def process_batch(self, trace: Any, operands: Sequence, batched: list, params: dict) -> Any:
        return self(*operands, function=inside(trace, params["function"], batched))

    def stage(self, trace: Any, operands: Sequence, params: dict) -> Any:
        graph, _, _ = stage_function(trace, params["function"], avals_of(operands))
        return self.append_staged(
            trace, graph, graph.constant_values, operands, {"function": graph}
        )

    def evaluate(self, operands: Sequence, params: dict) -> Any:
        graph: Graph = params["function"]
        first = len(graph.constants)
        return self(*operands[first:], function=evaluated(graph, operands[:first]))


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
    @boundary
    def checkpointed(*args: Any, **kwargs: Any) -> Any:
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

    return checkpointed


def _is_array(x: Any) -> bool:
    return isinstance(x, Tracer) or hasattr(x, "dtype") or isinstance(x, float)
