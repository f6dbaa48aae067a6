"""The sparsity pattern of a Jacobian or Hessian, from the program of the function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.sparse

from ..errors import ConcreteValueError, name_of
from ..graph import Graph, keeping_lines, stage_flat
from ..graph_transforms import prune
from ..primitives.core import ShapedArray
from . import contractions, control, rules  # noqa: F401  (register their rules)
from .coloring import as_pattern
from .index_sets import MOST, IndexSets, TooDenseError
from .propagation import Propagation, Value, on_host, sets_of_results

__all__ = ["Found", "find_pattern"]


class Found:
    """A pattern, and what it was read from.

    Attributes
    ----------
    pattern
        Truth values in compressed rows.
    outputs
        Shapes and dtypes of the function's results.
    constants
        Arrays that the function closed over and whose values the pattern depends on, each with a
        copy from when it was found.
    """

    def __init__(
        self, pattern: scipy.sparse.csr_array, outputs: list[ShapedArray], read: Sequence[Any]
    ) -> None:
        self.pattern = pattern
        self.outputs = outputs
        self.constants = [(x, on_host(x).copy()) for x in read if any(x.strides) and x.size]

    def stale(self) -> bool:
        """Whether an array that the function closed over has other values now."""
        return not all(_equal(on_host(x), copy) for x, copy in self.constants)


def _equal(x: np.ndarray, copy: np.ndarray) -> bool:
    return bool(np.array_equal(x, copy) or np.array_equal(x, copy, equal_nan=x.dtype.kind in "fc"))


def find_pattern(
    name: str,
    f: Callable,
    flat: Callable[..., list],
    avals: Sequence[ShapedArray],
    differentiated: Sequence[bool],
    symmetric: bool,
) -> Found:
    """Stage a function of flat arguments and propagate index sets through it.

    Parameters
    ----------
    name, f
        The transform and the user's function, for messages.
    flat
        What is staged: takes the leaves of the arguments and returns those of the results.
    avals
        Types of the leaves.
    differentiated
        In which leaves; the pattern has a column for each of their elements.
    symmetric
        It is a gradient that is staged: its Jacobian's pattern is symmetric.
    """
    try:
        with keeping_lines():
            staged = stage_flat((name, f), flat, avals)
    except ConcreteValueError as error:
        error.add_note(
            f"{name}({name_of(f)}) reads the pattern from the program, which must be the same for "
            "all values: use ft.cond, ft.while_loop or np.where, or ft.script for if and while."
        )
        raise
    graph = prune(staged)
    try:
        sets, engine = _propagated(graph, differentiated)
    except TooDenseError as error:
        raise ValueError(
            f"{name}({name_of(f)}): expected a sparse derivative; got more than {MOST:,} "
            f"dependences in the result of {getattr(error, 'where', 'the function')}, which "
            "reads every element for every other one; where positions are arguments, close over "
            "them instead (their values are then known), or use products: ft.hvp, ft.jvp, ft.vjp."
        ) from None
    pattern = as_pattern(sets.matrix())
    if symmetric:  # so is the matrix: what is not in both halves is zero
        pattern = as_pattern(pattern.multiply(pattern.T.tocsr()))
    return Found(pattern, graph.output_avals, list(engine.read.values()))


def _propagated(graph: Graph, differentiated: Sequence[bool]) -> tuple[IndexSets, Propagation]:
    sizes = [var.aval.size if d else 0 for var, d in zip(graph.inputs, differentiated, strict=True)]
    width = sum(sizes)
    engine = Propagation(width)
    inputs, start = [], 0
    for var, size in zip(graph.inputs, sizes, strict=True):
        sets = IndexSets.identity(start, size, width) if size else None
        inputs.append(Value(var.aval, sets))
        start += size
    return sets_of_results(engine.graph(graph, inputs), width), engine
