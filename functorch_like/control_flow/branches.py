"""Branches: ``cond`` and ``switch``.

A choice that is known calls the function chosen; under staging and batching, where it is not,
all are staged into the branches of one primitive, of which each element of a batch takes one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import tree
from ..arguments import as_array
from ..errors import boundary, name_of
from ..graph import Graph, Literal
from ..graph_transforms import Closed, stage_closed
from ..primitives.core import Tracer, aval_of
from . import switch_primitive
from .staging import Label, named, paths, weak

__all__ = ["cond", "settled_dtype", "switch"]


@boundary
def cond(pred: Any, true_fun: Callable, false_fun: Callable, *operands: Any) -> Any:
    """Apply one of two functions.

    Parameters
    ----------
    pred
        A single truth value.
    true_fun, false_fun
        Functions of the operands; where ``pred`` is traced, their results must have one
        structure, and the same shapes and dtypes.
    *operands
        Pytrees of arrays.

    Returns
    -------
    pytree
        What the chosen function returns; the other one does not run.

    Raises
    ------
    TypeError
        A ``pred`` that is not a single truth value, or functions whose results differ in type.

    Examples
    --------
    >>> import functorch_like as ft
    >>> ft.cond(True, lambda x: x + 1, lambda x: x - 1, 3.0)
    np.float64(4.0)
    """
    label = ("cond", true_fun)
    x = as_array(pred)
    if x.shape != () or x.dtype.kind != "b":
        fix = "compare it, pred != 0" if x.shape == () else "reduce it, np.all(pred), or use vmap"
        raise TypeError(
            f"{named(label)}: expected pred to be a single truth value; got {aval_of(x)}; {fix}."
        )
    chosen = _known(x)
    if chosen is not None:
        return _apply(true_fun if chosen else false_fun, operands)
    return _staged(label, x.astype(np.int64), (false_fun, true_fun), operands)


@boundary
def switch(index: Any, branches: Sequence[Callable], *operands: Any) -> Any:
    """Apply one of several functions.

    Parameters
    ----------
    index
        Which one: a single integer, moved to the nearest end where it is out of range.
    branches
        Functions of the operands; where ``index`` is traced, their results must have one
        structure, and the same shapes and dtypes.
    *operands
        Pytrees of arrays.

    Returns
    -------
    pytree
        What the chosen function returns; the others do not run.

    Raises
    ------
    TypeError
        An ``index`` that is not a single integer, or functions whose results differ in type.
    ValueError
        No branches.

    Examples
    --------
    >>> import functorch_like as ft
    >>> ft.switch(1, [abs, lambda x: 2 * x], -3.0)
    np.float64(-6.0)
    """
    branches = tuple(branches)
    if not branches:
        raise ValueError("switch: expected at least one branch; got none.")
    label = ("switch", branches[0])
    x = as_array(index)
    if x.shape != () or x.dtype.kind not in "iu":
        raise TypeError(
            f"{named(label)}: expected index to be a single integer; got {aval_of(x)}; write "
            "index.astype(np.int64), or use cond for a truth value."
        )
    last = len(branches) - 1
    known = _known(x)
    if known is not None:
        return _apply(branches[min(max(int(known), 0), last)], operands)
    return _staged(label, np.clip(x.astype(np.int64), 0, last), branches, operands)


def _known(x: Any) -> Any:
    return x.concrete() if isinstance(x, Tracer) else x


def _apply(branch: Callable, operands: tuple) -> Any:
    """Call a function with arrays, and return arrays, as the staged form does."""
    return tree.map(as_array, branch(*tree.map(as_array, operands)))


def _staged(label: Label, index: Any, branches: Sequence[Callable], operands: tuple) -> Any:
    leaves, in_tree = tree.flatten(operands)
    arrays = [as_array(x) for x in leaves]
    staged = [Branch((label[0], f), f, in_tree, arrays) for f in branches]
    first = staged[0]
    for branch in staged:
        if branch.structure != first.structure:
            raise TypeError(
                f"{label[0]}: expected branches whose results have one structure; {first.name} "
                f"returns {tree.describe(first.structure)}, {branch.name} returns "
                f"{tree.describe(branch.structure)}; make them alike."
            )
    dtypes = []
    for i, path in enumerate(paths(first.structure, "result")):
        dtypes.append(settled_dtype([b.avals[i] for b in staged], [b.numbers[i] for b in staged]))
        for branch in staged:
            got = branch.avals[i]
            if got.shape != first.avals[i].shape or (
                got.dtype != dtypes[i] and not branch.numbers[i]
            ):
                raise TypeError(
                    f"{label[0]}: expected branches whose results have the same types; for {path}, "
                    f"{first.name} returns {first.avals[i]}, {branch.name} returns {got}; convert "
                    "one by x.astype, or reshape it."
                )
    graphs, constants = switch_primitive.unite([b.closed(dtypes) for b in staged])
    outs = switch_primitive.switch(index, *constants, *arrays, graphs=graphs)
    return tree.unflatten(first.structure, outs)


class Branch:
    """A function staged on the operands of its ``cond`` or ``switch``."""

    def __init__(self, label: Label, f: Callable, in_tree: Any, operands: Sequence) -> None:
        def flat(*inputs: Any) -> list[Any]:
            outs, self.structure = tree.flatten(f(*tree.unflatten(in_tree, inputs)))
            self.numbers = [weak(x) for x in outs]
            return [as_array(x) for x in outs]

        self.name = name_of(f)
        self.staged = stage_closed(label, flat, [aval_of(x) for x in operands])
        self.avals = self.staged.graph.output_avals

    def closed(self, dtypes: Sequence[np.dtype]) -> Closed:
        """The graph, whose numbers have taken the dtypes of the other branches."""
        graph, constants = self.staged
        outputs = [
            Literal(x.value.astype(dtype)) if isinstance(x, Literal) and number else x
            for x, dtype, number in zip(graph.outputs, dtypes, self.numbers, strict=True)
        ]
        return Closed(Graph(graph.inputs, [], [], graph.equations, outputs), constants)


def settled_dtype(avals: Sequence, numbers: Sequence[bool]) -> np.dtype:
    """The dtype that arrays give to Python numbers in their place; the first one's, if any."""
    arrays = [aval.dtype for aval, number in zip(avals, numbers, strict=True) if not number]
    if not arrays:
        return np.result_type(*[aval.dtype for aval in avals])
    kinds = {"i": 0, "f": 0.0, "c": 0j}
    weak_values = [kinds[a.dtype.kind] for a, number in zip(avals, numbers, strict=True) if number]
    return np.result_type(arrays[0], *weak_values)
