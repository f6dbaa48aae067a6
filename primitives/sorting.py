"""Orders and positions: integers, so without derivative."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..kernels.device import is_gpu
from .core import Nondifferentiable, ShapedArray, beside, shape_of
from .structural import full_batch

__all__ = ["argpartition", "argsort", "lexsort", "searchsorted"]


def _argsort(x: Any, axis: int, kind: Any) -> Any:
    # CuPy's sort is stable, and knows no other.
    return np.argsort(x, axis, kind="stable" if is_gpu(x) else kind)


def _lexsort(*keys: Any, axis: int) -> Any:
    if not is_gpu(keys[0]):
        return np.lexsort(keys, axis)
    order = np.argsort(keys[0], axis, kind="stable")
    for key in keys[1:]:
        step = np.argsort(np.take_along_axis(key, order, axis), axis, kind="stable")
        order = np.take_along_axis(order, step, axis)
    return order


argsort: Nondifferentiable = Nondifferentiable(
    "argsort",
    kernel=_argsort,
    abstract=lambda x, axis, kind: ShapedArray(x.shape, np.intp),
    batch=lambda size, xs, batched, axis, kind: argsort(xs[0], axis=axis + 1, kind=kind),
)

argpartition: Nondifferentiable = Nondifferentiable(
    "argpartition",
    kernel=lambda x, kth, axis: np.argpartition(x, kth, axis),
    abstract=lambda x, kth, axis: ShapedArray(x.shape, np.intp),
    batch=lambda size, xs, batched, kth, axis: argpartition(xs[0], kth=kth, axis=axis + 1),
)

lexsort: Nondifferentiable = Nondifferentiable(
    "lexsort",
    kernel=_lexsort,
    abstract=lambda *keys, axis: ShapedArray(keys[0].shape, np.intp),
    batch=lambda size, xs, batched, axis: lexsort(
        *[full_batch(size, x, b) for x, b in zip(xs, batched, strict=True)], axis=axis + 1
    ),
)


def _search(a: Any, v: Any, side: str) -> Any:
    """``np.searchsorted`` in each row of the leading axes of ``a``."""
    if a.ndim == 1:
        return np.searchsorted(a, v, side)  # type: ignore[call-overload]
    rows = [_search(a[i], v[i], side) for i in range(a.shape[0])]
    return np.stack(rows) if rows else beside(v, np.zeros(v.shape, np.intp))


def _search_batch(size: int, xs: Sequence, batched: Sequence[bool], side: str) -> Any:
    if not batched[0] and len(shape_of(xs[0])) == 1:
        return searchsorted(*xs, side=side)
    a, v = (full_batch(size, x, b) for x, b in zip(xs, batched, strict=True))
    return searchsorted(a, v, side=side)


# Positions of ``v`` in sorted ``a``; leading axes of ``a`` are a batch.
searchsorted: Nondifferentiable = Nondifferentiable(
    "searchsorted",
    kernel=_search,
    abstract=lambda a, v, side: ShapedArray(v.shape, np.intp),
    batch=_search_batch,
)
