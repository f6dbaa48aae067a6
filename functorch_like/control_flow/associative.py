"""``associative_scan``: all prefixes of an associative operation, in logarithmically many calls."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import tree
from ..arguments import as_array
from ..errors import boundary
from ..primitives.core import aval_of
from .staging import Label, named, paths

__all__ = ["associative_scan"]

Leaves = list[Any]


@boundary
def associative_scan(fn: Callable, elems: Any, reverse: bool = False, axis: int = 0) -> Any:
    """Combine each element with all before it, by an associative operation on arrays.

    With the elements ``x[0], x[1], ...`` along ``axis``, result ``i`` is ``x[0] ∘ ... ∘ x[i]``,
    where ``a ∘ b`` is ``fn(a, b)``. ``fn`` is called ``2 log2(length)`` times at most, on many
    elements at once, and combines fewer than ``2 * length`` of them in all (G. E. Blelloch,
    *Prefix sums and their applications*, CMU-CS-90-190, 1990). It is made of slices and
    concatenations, and so it has derivatives of all orders and modes and takes ``vmap`` and
    ``jit``.

    Parameters
    ----------
    fn
        ``fn(a, b)``: an associative operation on pytrees like ``elems``, in which any number of
        elements lie along ``axis``. It returns as many, of the same shapes and dtypes. For an
        operation on single elements write ``vmap(fn, axis, axis)``.
    elems
        Pytree of arrays, all of one length along ``axis``; the length may be 0.
    reverse
        Combine from the last element to the first: result ``i`` is ``x[-1] ∘ ... ∘ x[i]``.
    axis
        The axis along which the elements lie; where negative, counted in the first array.

    Returns
    -------
    pytree
        The results, of the structure, shapes and dtypes of ``elems``.

    Raises
    ------
    TypeError
        ``fn`` does not return what it takes: another structure, shape or dtype.
    ValueError
        No arrays, an array without that axis, or arrays of different lengths.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> ft.associative_scan(np.add, np.array([1.0, 2.0, 3.0, 4.0]))
    array([ 1.,  3.,  6., 10.])

    The recurrence ``h[i] = a[i] * h[i - 1] + b[i]`` from 0, as a composition of affine maps:

    >>> a, b = np.array([0.5, 0.5, 2.0]), np.array([1.0, 1.0, 1.0])
    >>> ft.associative_scan(lambda f, g: (f[0] * g[0], g[0] * f[1] + g[1]), (a, b))[1]
    array([1. , 1.5, 4. ])
    """
    label = ("associative_scan", fn)
    given, structure = tree.flatten(elems)
    leaves = [as_array(x) for x in given]
    places = paths(structure, "elems")
    axis = _axis(label, axis, leaves, places)
    if reverse:
        leaves = [_along(x, axis, slice(None, None, -1)) for x in leaves]

    def combine(a: Leaves, b: Leaves) -> Leaves:
        made = fn(tree.unflatten(structure, a), tree.unflatten(structure, b))
        found, got = tree.flatten(made)
        if got != structure:
            raise TypeError(
                f"{named(label)}: expected the function to return the structure of its "
                f"arguments, {tree.describe(structure)}; got {tree.describe(got)}."
            )
        out = [as_array(x) for x in found]
        for x, y, path in zip(a, out, places, strict=True):
            if x.shape != y.shape:
                raise TypeError(
                    f"{named(label)}: expected the function to keep the shape of {path}, "
                    f"{x.shape}, elements lying along axis {axis}; got {y.shape}; for a function "
                    f"of single elements pass vmap(fn, {axis}, {axis})."
                )
            if x.dtype != y.dtype:
                raise TypeError(
                    f"{named(label)}: expected the function to keep the dtype of {path}, "
                    f"{x.dtype}; got {aval_of(y)}; start from {path}.astype(np.{y.dtype})."
                )
        return out

    results = _prefixes(combine, leaves, axis)
    if reverse:
        results = [_along(x, axis, slice(None, None, -1)) for x in results]
    return tree.unflatten(structure, results)


def _axis(label: Label, axis: int, leaves: Leaves, places: list[str]) -> int:
    """The axis, counted from the first one; every leaf has it, with one length."""
    if not leaves:
        raise ValueError(f"{named(label)}: expected arrays in elems; got none; pass at least one.")
    given = operator.index(axis)
    first = given + leaves[0].ndim if given < 0 else given
    lengths: dict[int, str] = {}
    for x, path in zip(leaves, places, strict=True):
        if not 0 <= first < x.ndim:
            raise ValueError(
                f"{named(label)}: expected arrays with an axis {given} along which the elements "
                f"lie; {path} has shape {x.shape}; np.broadcast_to it, or pass another axis."
            )
        lengths.setdefault(x.shape[first], f"{path} of shape {x.shape}")
    if len(lengths) > 1:
        got = "; ".join(f"{length} ({where})" for length, where in lengths.items())
        raise ValueError(
            f"{named(label)}: expected one number of elements along axis {given}; got {got}; "
            "slice the arrays to one length."
        )
    return first


def _along(x: Any, axis: int, index: slice) -> Any:
    return x[(slice(None),) * axis + (index,)]


def _prefixes(combine: Callable[[Leaves, Leaves], Leaves], xs: Leaves, axis: int) -> Leaves:
    """All prefixes: those that end at odd positions are the prefixes of pairs."""
    length = xs[0].shape[axis]
    if length < 2:
        return [x.copy() for x in xs]
    half = length // 2  # the number of odd positions

    def part(arrays: Leaves, *index: int | None) -> Leaves:
        return [_along(x, axis, slice(*index)) for x in arrays]

    pairs = combine(part(xs, 0, 2 * half, 2), part(xs, 1, None, 2))
    odd = _prefixes(combine, pairs, axis)
    rest = (length - 1) // 2  # the number of even positions but the first
    if not rest:
        return [np.concatenate(two, axis) for two in zip(part(xs, 0, 1), odd, strict=True)]
    even = combine(part(odd, 0, rest), part(xs, 2, None, 2))
    # Position 0, then odd and even in turn; with an even length, one odd position is left.
    turns = []
    for x, y in zip(part(odd, 0, rest), even, strict=True):
        shape = (*x.shape[:axis], 2 * rest, *x.shape[axis + 1 :])
        turns.append(np.stack([x, y], axis + 1).reshape(shape))
    pieces = zip(part(xs, 0, 1), turns, part(odd, rest, None), strict=True)
    return [np.concatenate(three if half > rest else three[:2], axis) for three in pieces]
