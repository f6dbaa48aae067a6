"""Sorting and searching: the order is constant almost everywhere, the values follow it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..primitives import sorting as p
from ..primitives.core import dtype_of, shape_of
from .dispatch import implements
from .elementwise import as_operand
from .indexing import take_along_axis
from .manipulation import normalize_axis, ravel
from .operands import as_array

__all__: list[str] = []


def _axis(a: Any, axis: Any) -> tuple[Any, int]:
    a = as_operand(a)
    if axis is None:
        return ravel(a), 0
    return a, normalize_axis(axis, len(shape_of(a)))


@implements(np.argsort)
def argsort(
    a: Any, axis: Any = -1, kind: Any = None, order: Any = None, *, stable: Any = None
) -> Any:
    a, axis = _axis(a, axis)
    if order is not None:
        raise ValueError("Cannot specify order when the array has no fields.")
    return p.argsort(a, axis=axis, kind="stable" if stable else kind)


@implements(np.sort)
def sort(a: Any, axis: Any = -1, kind: Any = None, order: Any = None, *, stable: Any = None) -> Any:
    # Stable, so that elements that tie keep their own derivatives in order.
    a, axis = _axis(a, axis)
    return take_along_axis(a, p.argsort(a, axis=axis, kind="stable"), axis)


@implements(np.sort_complex)
def sort_complex(a: Any) -> Any:
    # As NumPy has it: single precision is for complex64 and the small integers.
    dtype = dtype_of(a)
    if dtype.kind != "c":
        dtype = np.dtype(np.complex64 if dtype.char in "bhBH" else np.complex128)
    return sort(a.astype(dtype))


@implements(np.argpartition)
def argpartition(
    a: Any, kth: Any, axis: Any = -1, kind: Any = "introselect", order: Any = None
) -> Any:
    a, axis = _axis(a, axis)
    kth = tuple(np.atleast_1d(kth).tolist())
    return p.argpartition(a, kth=kth, axis=axis)


@implements(np.partition)
def partition(
    a: Any, kth: Any, axis: Any = -1, kind: Any = "introselect", order: Any = None
) -> Any:
    a, axis = _axis(a, axis)
    return take_along_axis(a, argpartition(a, kth, axis), axis)


@implements(np.lexsort)
def lexsort(keys: Any, axis: int = -1) -> Any:
    keys = [as_array(k) for k in keys]
    axis = normalize_axis(axis, len(shape_of(keys[0])))
    return p.lexsort(*keys, axis=axis)


@implements(np.searchsorted)
def searchsorted(a: Any, v: Any, side: Any = "left", sorter: Any = None) -> Any:
    if sorter is not None:
        a = np.take(a, sorter)
    a, v = as_array(a), as_array(v)
    if a.ndim != 1:
        raise ValueError(f"np.searchsorted: expected a sorted vector; got shape {a.shape}.")
    if side not in ("left", "right"):
        raise ValueError(f"search side must be 'left' or 'right' (got '{side}')")
    return p.searchsorted(a, v, side=side)


@implements(np.digitize)
def digitize(x: Any, bins: Any, right: bool = False) -> Any:
    x, bins = as_array(x), as_array(bins)
    side = "left" if right else "right"
    values = bins.concrete() if hasattr(bins, "concrete") else bins
    if values is not None and len(values) > 1 and values[0] > values[-1]:
        flipped = p.searchsorted(bins[::-1], as_operand(x), side="right" if right else "left")
        return len(values) - flipped
    return p.searchsorted(bins, as_operand(x), side=side)
