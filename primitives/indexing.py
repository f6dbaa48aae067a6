"""Reading and adding at positions given by integer arrays.

``gather(x, i_0, ..., i_{k-1})`` is ``x[i_0, ..., i_{k-1}]`` on the first ``k`` axes, for index
arrays of one shape; every form of NumPy's advanced indexing is brought to it by transposes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..kernels.cpu.scatter import scatter_add as scatter_add_on_cpu
from ..kernels.device import by_device
from ..kernels.gpu.scatter import scatter_add as scatter_add_on_gpu
from .core import (
    Linear,
    Multilinear,
    Nondifferentiable,
    ShapedArray,
    beside,
    shape_of,
    zeros_like_aval,
)
from .structural import full_batch, move_axis

__all__ = ["gather", "scatter_add", "scatter_set", "update_at"]

_add_at = by_device(scatter_add_on_cpu, scatter_add_on_gpu)


def _index_shape(index: Sequence[Any]) -> tuple[int, ...]:
    return np.broadcast_shapes(*[shape_of(i) for i in index])


def _batch_index(size: int, index: Sequence[Any], batched: Sequence[bool]) -> list[Any]:
    """Index arrays with a leading batch axis, and the position in the batch before them."""
    full = [full_batch(size, i, b) for i, b in zip(index, batched, strict=True)]
    ndim = len(shape_of(full[0]))
    lanes = beside(full[0], np.arange(size).reshape(size, *(1,) * (ndim - 1)))
    return [np.broadcast_to(lanes, shape_of(full[0])), *full]


def _gather_batch(size: int, xs: Sequence, batched: Sequence[bool]) -> Any:
    x, index = xs[0], xs[1:]
    if not any(batched[1:]):
        depth, ndim = len(index), len(_index_shape(index))
        return move_axis(gather(move_axis(x, 0, depth), *index), ndim, 0)
    if not batched[0]:
        full = [full_batch(size, i, b) for i, b in zip(index, batched[1:], strict=True)]
        return gather(x, *full)
    return gather(x, *_batch_index(size, index, batched[1:]))


gather: Linear = Linear(
    "gather",
    kernel=lambda x, *index: x[index],
    abstract=lambda x, *index: ShapedArray(_index_shape(index) + x.shape[len(index) :], x.dtype),
    transpose=lambda ct, shape0, dtype, *index: scatter_add(ct, *index, shape=shape0),
    batch=_gather_batch,
    accumulate=lambda buffer, ct, shape0, dtype, *index: _add_at(buffer, index, ct),
)


def _scatter_add(values: Any, *index: Any, shape: tuple[int, ...]) -> Any:
    out = np.zeros_like(values, shape=shape)
    _add_at(out, index, values)
    return out


def _scatter_add_batch(
    size: int, xs: Sequence, batched: Sequence[bool], shape: tuple[int, ...]
) -> Any:
    values, index = full_batch(size, xs[0], batched[0]), xs[1:]
    if any(batched[1:]):
        return scatter_add(values, *_batch_index(size, index, batched[1:]), shape=(size, *shape))
    depth, ndim = len(index), len(_index_shape(index))
    moved = scatter_add(
        move_axis(values, 0, ndim), *index, shape=(*shape[:depth], size, *shape[depth:])
    )
    return move_axis(moved, depth, 0)


# Zeros of ``shape`` with the values added at the positions.
scatter_add: Linear = Linear(
    "scatter_add",
    kernel=_scatter_add,
    abstract=lambda values, *index, shape: ShapedArray(shape, values.dtype),
    transpose=lambda ct, shape0, dtype, *index, shape: gather(ct, *index),
    batch=_scatter_add_batch,
)


def _update_at(x: Any, values: Any, *index: Any) -> Any:
    out = x.copy()
    out[index] = values
    return out


def _update_at_transpose(
    i: int, ct: Any, operands: Sequence, shape: tuple[int, ...], dtype: Any
) -> Any:
    index = operands[2:]
    return gather(ct, *index) if i else update_at(ct, zeros_like_aval(operands[1], ct), *index)


def _update_at_batch(size: int, xs: Sequence, batched: Sequence[bool]) -> Any:
    x, values = (full_batch(size, v, b) for v, b in zip(xs[:2], batched[:2], strict=True))
    return update_at(x, values, *_batch_index(size, xs[2:], batched[2:]))


# ``x`` with the elements or rows at positions, which are distinct, replaced.
update_at: Multilinear = Multilinear(
    "update_at",
    kernel=_update_at,
    abstract=lambda x, values, *index: ShapedArray(x.shape, x.dtype),
    transpose=_update_at_transpose,
    batch=_update_at_batch,
    jointly=True,
    linear=2,
)


def _scatter_set(x: Any, values: Any, *index: Any) -> Any:
    out = x.copy()
    out[index] = values
    return out


def _scatter_set_batch(size: int, xs: Sequence, batched: Sequence[bool]) -> Any:
    x, values = (full_batch(size, v, b) for v, b in zip(xs[:2], batched[:2], strict=True))
    return scatter_set(x, values, *_batch_index(size, xs[2:], batched[2:]))


# Positions only: which element was written last. Assignment of differentiated values is
# composed of this and gathers, which settles whose derivative a repeated position has.
scatter_set: Nondifferentiable = Nondifferentiable(
    "scatter_set",
    kernel=_scatter_set,
    abstract=lambda x, values, *index: ShapedArray(x.shape, x.dtype),
    batch=_scatter_set_batch,
)
