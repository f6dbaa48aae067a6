"""Orders and positions: integers, so without derivative."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .core import Nondifferentiable, ShapedArray, shape_of
from .structural import full_batch

__all__ = ["argpartition", "argsort", "lexsort", "searchsorted"]

argsort: Nondifferentiable = Nondifferentiable(
    "argsort",
    kernel=lambda x, axis, kind: np.argsort(x, axis, kind=kind),
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
    kernel=lambda *keys, axis: np.lexsort(keys, axis),
    abstract=lambda *keys, axis: ShapedArray(keys[0].shape, np.intp),
    batch=lambda size, xs, batched, axis: lexsort(
        *[full_batch(size, x, b) for x, b in zip(xs, batched, strict=True)], axis=axis + 1
    ),
)


def _search(a: Any, v: Any, side: str) -> Any:
    """``np.searchsorted`` in each row of the leading axes of ``a``."""
    if a.ndim == 1:
        return np.searchsorted(a, v, side)  # type: ignore[call-overload]
    rows = [_search(row, values, side) for row, values in zip(a, v, strict=True)]
    return np.stack(rows) if rows else np.zeros(v.shape, np.intp)


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
