"""Linear operations that move elements: shapes, slices, joins, and conversions of dtype.

Every one is linear, so its derivative is itself and reverse mode needs only the transpose.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..kernels.device import is_gpu
from .core import (
    Linear,
    Multilinear,
    ShapedArray,
    beside,
    dtype_of,
    registry,
    shape_of,
    zeros_like_aval,
)

__all__ = [
    "broadcast_to",
    "concatenate",
    "conjugate",
    "convert",
    "copy",
    "imag",
    "make_complex",
    "real",
    "reshape",
    "slice_at",
    "transpose",
    "unslice",
    "update_slice",
    "zeros_like",
]


def zeros_like(x: Any) -> np.ndarray:
    """Zeros with the shape and dtype of an operand, taking no memory of their own."""
    return np.broadcast_to(beside(x, np.zeros((), dtype_of(x))), shape_of(x))


# --- shape ---------------------------------------------------------------------------------

reshape: Linear = Linear(
    "reshape",
    kernel=lambda x, shape: x.reshape(shape),
    abstract=lambda x, shape: ShapedArray(shape, x.dtype),
    transpose=lambda ct, shape0, dtype, shape: reshape(ct, shape=shape0),
    batch=lambda size, xs, batched, shape: reshape(xs[0], shape=(size, *shape)),
)

transpose: Linear = Linear(
    "transpose",
    kernel=lambda x, axes: x.transpose(axes),
    abstract=lambda x, axes: ShapedArray([x.shape[a] for a in axes], x.dtype),
    transpose=lambda ct, shape0, dtype, axes: transpose(ct, axes=inverse_permutation(axes)),
    batch=lambda size, xs, batched, axes: transpose(xs[0], axes=(0, *(a + 1 for a in axes))),
)


def inverse_permutation(axes: Sequence[int]) -> tuple[int, ...]:
    inverse = [0] * len(axes)
    for i, a in enumerate(axes):
        inverse[a] = i
    return tuple(inverse)


def move_axis(x: Any, source: int, destination: int) -> Any:
    """Move one axis (both nonnegative)."""
    if source == destination:
        return x
    axes = [a for a in range(len(shape_of(x))) if a != source]
    axes.insert(destination, source)
    return transpose(x, axes=tuple(axes))


def _broadcast_to_transpose(ct: Any, shape0: tuple, dtype: Any, shape: tuple) -> Any:
    lead = len(shape) - len(shape0)
    axes = tuple(
        i for i in range(len(shape)) if i < lead or (shape0[i - lead] == 1 and shape[i] != 1)
    )
    if axes:
        ct = registry["reduce_sum"](ct, axes=axes)
    return ct if shape_of(ct) == shape0 else reshape(ct, shape=shape0)


def _broadcast_to_batch(size: int, xs: Sequence, batched: Sequence[bool], shape: tuple) -> Any:
    x = xs[0]
    own = x.shape[1:]
    if len(own) != len(shape):
        x = reshape(x, shape=(size, *(1,) * (len(shape) - len(own)), *own))
    return broadcast_to(x, shape=(size, *shape))


# Below this many elements a filled array costs less than NumPy's broadcast view.
SMALL = 4096


def _broadcast_to(x: Any, shape: tuple[int, ...]) -> Any:
    if math.prod(shape) > SMALL or is_gpu(x):
        return np.broadcast_to(x, shape)
    out = np.empty(shape, x.dtype)
    out[...] = x
    return out


broadcast_to: Linear = Linear(
    "broadcast_to",
    kernel=_broadcast_to,
    abstract=lambda x, shape: ShapedArray(shape, x.dtype),
    transpose=_broadcast_to_transpose,
    batch=_broadcast_to_batch,
)

# --- dtype ---------------------------------------------------------------------------------


def _convert(x: Any, dtype: Any) -> Any:
    dtype = np.dtype(dtype)
    if dtype_of(x).kind == "c" and dtype.kind not in "cb":
        x = x.real  # NumPy would warn; the real part is what is meant
    return x.astype(dtype) if hasattr(x, "astype") else np.asarray(x, dtype)


convert: Linear = Linear(
    "convert",
    kernel=_convert,
    abstract=lambda x, dtype: ShapedArray(x.shape, dtype),
    transpose=lambda ct, shape0, dtype0, dtype: convert(ct, dtype=dtype0),
    batch=lambda size, xs, batched, dtype: convert(xs[0], dtype=dtype),
)

copy: Linear = Linear(
    "copy",
    kernel=lambda x: x.copy(),
    abstract=lambda x: ShapedArray(x.shape, x.dtype),
    transpose=lambda ct, shape0, dtype: ct,
    batch=lambda size, xs, batched: copy(xs[0]),
)

# Complex numbers are pairs of reals; a cotangent (a, b) of z = x + iy is written a - ib, as
# in JAX, so that a holomorphic function's transpose is multiplication by its derivative.


def _real_dtype(dtype: Any) -> np.dtype:
    return np.empty(0, dtype).real.dtype


real: Linear = Linear(
    "real",
    kernel=lambda x: np.real(x),
    abstract=lambda x: ShapedArray(x.shape, _real_dtype(x.dtype)),
    transpose=lambda ct, shape0, dtype: convert(ct, dtype=dtype),
    batch=lambda size, xs, batched: real(xs[0]),
)

imag: Linear = Linear(
    "imag",
    kernel=lambda x: np.imag(x),
    abstract=lambda x: ShapedArray(x.shape, _real_dtype(x.dtype)),
    transpose=lambda ct, shape0, dtype: registry["multiply"](convert(ct, dtype=dtype), -1j),
    batch=lambda size, xs, batched: imag(xs[0]),
)

conjugate: Linear = Linear(
    "conjugate",
    kernel=lambda x: np.conjugate(x),
    abstract=lambda x: ShapedArray(x.shape, x.dtype),
    transpose=lambda ct, shape0, dtype: conjugate(ct),
    batch=lambda size, xs, batched: conjugate(xs[0]),
)


def make_complex(re: Any, im: Any) -> Any:
    """``re + 1j * im``, for arrays of one shape and real dtype."""
    dtype = np.result_type(dtype_of(re), np.complex64)
    add, multiply = registry["add"], registry["multiply"]
    return add(convert(re, dtype=dtype), multiply(convert(im, dtype=dtype), 1j))


# --- slices --------------------------------------------------------------------------------

# An index here is a tuple of ints, slices, None and at most one Ellipsis: NumPy's basic
# indexing, in which no element is read twice.


def _sliced_shape(shape: tuple, index: tuple) -> tuple[int, ...]:
    # A zero-stride view: no memory is touched.
    return np.broadcast_to(np.zeros(()), shape)[index].shape


def _slice_accumulate(buffer: Any, ct: Any, shape0: tuple, dtype: Any, index: tuple) -> None:
    buffer[index] += ct


slice_at: Linear = Linear(
    "slice_at",
    kernel=lambda x, index: x[index],
    abstract=lambda x, index: ShapedArray(_sliced_shape(x.shape, index), x.dtype),
    transpose=lambda ct, shape0, dtype, index: unslice(ct, shape=shape0, index=index),
    batch=lambda size, xs, batched, index: slice_at(xs[0], index=(slice(None), *index)),
    accumulate=_slice_accumulate,
)


def _unslice(x: Any, shape: tuple, index: tuple) -> Any:
    out = np.zeros_like(x, shape=shape)
    out[index] = x
    return out


unslice: Linear = Linear(
    "unslice",
    kernel=_unslice,
    abstract=lambda x, shape, index: ShapedArray(shape, x.dtype),
    transpose=lambda ct, shape0, dtype, shape, index: slice_at(ct, index=index),
    batch=lambda size, xs, batched, shape, index: unslice(
        xs[0], shape=(size, *shape), index=(slice(None), *index)
    ),
)


def _update_slice(x: Any, value: Any, index: tuple) -> Any:
    if isinstance(x, np.generic) or (x.ndim == 0 and not is_gpu(x)):
        out = np.array(x)  # a NumPy scalar is immutable
    else:
        out = x.copy("K") if isinstance(x, np.ndarray) else np.array(x, like=x)  # K: as laid out
    out[index] = value
    return out


def _update_slice_transpose(
    i: int, ct: Any, operands: Sequence, shape: tuple, dtype: Any, index: tuple
) -> Any:
    if i == 1:
        return slice_at(ct, index=index)
    return update_slice(ct, zeros_like_aval(operands[1], ct), index=index)


def _update_slice_batch(size: int, xs: Sequence, batched: Sequence[bool], index: tuple) -> Any:
    x, value = (full_batch(size, v, b) for v, b in zip(xs, batched, strict=True))
    return update_slice(x, value, index=(slice(None), *index))


def full_batch(size: int, x: Any, batched: bool) -> Any:
    """``x`` with a leading batch axis, repeated where it has none."""
    return x if batched else broadcast_to(x, shape=(size, *shape_of(x)))


update_slice: Multilinear = Multilinear(
    "update_slice",
    kernel=_update_slice,
    abstract=lambda x, value, index: ShapedArray(x.shape, x.dtype),
    transpose=_update_slice_transpose,
    batch=_update_slice_batch,
    jointly=True,
)

# --- joins ---------------------------------------------------------------------------------


def _concatenate_abstract(*xs: ShapedArray, axis: int) -> ShapedArray:
    shape = list(xs[0].shape)
    shape[axis] = sum(x.shape[axis] for x in xs)
    return ShapedArray(shape, np.result_type(*[x.dtype for x in xs]))


def _concatenate_transpose(
    i: int, ct: Any, operands: Sequence, shape: tuple, dtype: Any, axis: int
) -> Any:
    start = sum(x.shape[axis] for x in operands[:i])
    return slice_at(ct, index=(slice(None),) * axis + (slice(start, start + shape[axis]),))


concatenate: Multilinear = Multilinear(
    "concatenate",
    kernel=lambda *xs, axis: np.concatenate(xs, axis),
    abstract=_concatenate_abstract,
    transpose=_concatenate_transpose,
    batch=lambda size, xs, batched, axis: concatenate(
        *[full_batch(size, x, b) for x, b in zip(xs, batched, strict=True)], axis=axis + 1
    ),
    jointly=True,
)


def size_of(shape: Sequence[int]) -> int:
    """Number of elements of a shape."""
    return math.prod(shape)
