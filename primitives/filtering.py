"""Correlation with a kernel, and recursive filters along an axis."""

from __future__ import annotations

import importlib
import math
import string
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..kernels.device import is_gpu
from ..kernels.gpu import launch
from .contraction import contract
from .core import General, Linear, Multilinear, ShapedArray, beside, dtype_of, shape_of
from .elementwise import add, negative
from .structural import (
    convert,
    full_batch,
    reshape,
    slice_at,
    unslice,
)

__all__ = ["correlate_valid", "linear_filter", "spline_filter"]


def _module(x: Any, name: str) -> Any:
    """SciPy's module, or CuPy's mirror of it."""
    if is_gpu(x):
        return launch.cupyx(f"scipy.{name}")
    return importlib.import_module(f"scipy.{name}")


# --- correlation ---------------------------------------------------------------------------------

# y[..., n] = sum_k x[..., n + k] w[..., k] wherever the kernel lies inside: over the last ``ndim``
# axes; those before are a batch. Every convolution is one of these of a padded operand.


def _correlate(x: Any, w: Any, ndim: int) -> Any:
    if x.ndim == ndim and w.ndim == ndim:
        return _correlate_one(x, w)
    lead = np.broadcast_shapes(x.shape[: x.ndim - ndim], w.shape[: w.ndim - ndim])
    single = math.prod(w.shape[: w.ndim - ndim]) == 1
    if single and w.size <= 4096 and isinstance(x, np.ndarray) and x.size:
        return _correlate_one(x, w.reshape((1,) * len(lead) + w.shape[w.ndim - ndim :]))
    xs = np.broadcast_to(x, lead + x.shape[x.ndim - ndim :])
    ws = np.broadcast_to(w, lead + w.shape[w.ndim - ndim :])
    rows = [_correlate_one(xs[i], ws[i]) for i in np.ndindex(*lead)]
    tail = _valid(x.shape[x.ndim - ndim :], w.shape[w.ndim - ndim :])
    if not rows:
        return np.zeros_like(x, shape=lead + tail, dtype=np.result_type(x.dtype, w.dtype))
    return np.stack(rows).reshape(lead + tail)


def _correlate_one(x: Any, w: Any) -> Any:
    dtype = np.result_type(x.dtype, w.dtype)
    x, w = x.astype(dtype, copy=False), w.astype(dtype, copy=False)
    if 0 in x.shape or 0 in w.shape or any(a < b for a, b in zip(x.shape, w.shape, strict=True)):
        return np.zeros_like(x, shape=_valid(x.shape, w.shape))
    if x.ndim == 1:
        return np.correlate(x, np.conj(w), "valid")
    long = [axis for axis, n in enumerate(w.shape) if n > 1]
    if len(long) <= 1 and dtype.kind == "f" and w.size <= 4096:
        axis = long[0] if long else x.ndim - 1
        y = _module(x, "ndimage").correlate1d(x, w.ravel(), axis, mode="constant", origin=0)
        at = w.size // 2
        keep = slice(at, at + x.shape[axis] - w.size + 1)
        return y[(slice(None),) * axis + (keep,)].copy()
    signal = _module(x, "signal")
    return signal.correlate(x, np.conj(w), "valid", method="direct")


def _valid(x: Sequence[int], w: Sequence[int]) -> tuple[int, ...]:
    return tuple(max(a - b + 1, 0) for a, b in zip(x, w, strict=True))


def _correlate_abstract(x: ShapedArray, w: ShapedArray, ndim: int) -> ShapedArray:
    lead = np.broadcast_shapes(x.shape[: x.ndim - ndim], w.shape[: w.ndim - ndim])
    tail = _valid(x.shape[x.ndim - ndim :], w.shape[w.ndim - ndim :])
    return ShapedArray(lead + tail, np.result_type(x.dtype, w.dtype))


def pad_zeros(x: Any, before: Sequence[int], after: Sequence[int]) -> Any:
    """``x`` with zeros before and after along its last axes."""
    shape = shape_of(x)
    lead = len(shape) - len(before)
    if not any(before) and not any(after):
        return x
    index = (slice(None),) * lead + tuple(
        slice(b, b + n) for b, n in zip(before, shape[lead:], strict=True)
    )
    full = tuple(b + n + a for b, n, a in zip(before, shape[lead:], after, strict=True))
    return unslice(x, shape=shape[:lead] + full, index=index)


def reverse(x: Any, ndim: int) -> Any:
    """``x`` backwards along its last ``ndim`` axes."""
    return slice_at(x, index=(Ellipsis,) + (slice(None, None, -1),) * ndim)


def _sum_to(x: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """Sum over the batch axes that were broadcast."""
    from .structural import _broadcast_to_transpose

    if shape_of(x) != shape:
        x = _broadcast_to_transpose(x, shape, None, shape_of(x))
    return x if dtype_of(x) == dtype else convert(x, dtype=dtype)


def _correlate_transpose(
    i: int, ct: Any, operands: Sequence, shape: tuple, dtype: Any, ndim: int
) -> Any:
    if i == 0:
        w = operands[1]
        sides = [n - 1 for n in shape_of(w)[len(shape_of(w)) - ndim :]]
        made = correlate_valid(pad_zeros(ct, sides, sides), reverse(w, ndim), ndim=ndim)
    else:
        made = correlate_valid(operands[0], ct, ndim=ndim)
    return _sum_to(made, shape, dtype)


def _correlate_batch(size: int, xs: Sequence, batched: Sequence[bool], ndim: int) -> Any:
    made = []
    longest = max(len(shape_of(x)) - b for x, b in zip(xs, batched, strict=True))
    for x, is_batched in zip(xs, batched, strict=True):
        shape = shape_of(x)
        if is_batched and len(shape) - 1 < longest:
            x = reshape(x, shape=(size, *(1,) * (longest - len(shape) + 1), *shape[1:]))
        made.append(x)
    return correlate_valid(*made, ndim=ndim)


correlate_valid: Multilinear = Multilinear(
    "correlate_valid",
    kernel=_correlate,
    abstract=_correlate_abstract,
    transpose=_correlate_transpose,
    batch=_correlate_batch,
)

# --- recursive filters ---------------------------------------------------------------------------

# y = (B/A) x along the last axis, from rest: sum_k a_k y[n-k] = sum_k b_k x[n-k]. The matrix is
# lower triangular and Toeplitz: its transpose is the same filter run backwards in time. The
# operands have one dtype; leading axes of the coefficients broadcast against those of x.


def _linear_filter(x: Any, b: Any, a: Any) -> Any:
    dtype = np.result_type(x.dtype, b.dtype, a.dtype)
    if x.size == 0:
        return np.zeros_like(x, dtype=dtype)
    x, b, a = (v.astype(dtype, copy=False) for v in (x, b, a))
    lead = x.shape[:-1]
    if b.size == b.shape[-1] and a.size == a.shape[-1]:
        made = _module(x, "signal").lfilter(b.ravel(), a.ravel(), x)
        return made.astype(dtype, copy=False)
    bs, as_ = (np.broadcast_to(v, lead + v.shape[-1:]) for v in (b, a))
    filtered = _module(x, "signal").lfilter
    rows = [filtered(bs[i], as_[i], x[i]) for i in np.ndindex(*lead)]
    return np.stack(rows).reshape(x.shape).astype(dtype, copy=False)


def _linear_filter_rule(primals: Sequence, tangents: Sequence) -> tuple[Any, Any]:
    # A y = B x, so A dy = B dx + dB x - dA y.
    (x, b, a), (dx, db, da) = primals, tangents
    y = linear_filter(x, b, a)
    tangent = None if dx is None else linear_filter(dx, b, a)
    drive = None
    if db is not None:
        drive = convolve_start(x, db)
    if da is not None:
        part = negative(convolve_start(y, da))
        drive = part if drive is None else add(drive, part)
    if drive is not None:
        one = beside(a, np.ones(1, dtype_of(a)))
        drive = linear_filter(drive, one, a)
        tangent = drive if tangent is None else add(tangent, drive)
    return y, tangent


def convolve_start(x: Any, w: Any) -> Any:
    """The convolution along the last axis, as long as ``x``; leading axes broadcast."""
    return correlate_valid(pad_zeros(x, (shape_of(w)[-1] - 1,), (0,)), reverse(w, 1), ndim=1)


def _linear_filter_transpose(ct: Any, operands: Sequence) -> Any:
    return reverse(linear_filter(reverse(ct, 1), operands[1], operands[2]), 1)


def _linear_filter_batch(size: int, xs: Sequence, batched: Sequence[bool]) -> Any:
    x = full_batch(size, xs[0], batched[0])
    ndim = len(shape_of(x))
    coefficients = []
    for v, is_batched in zip(xs[1:], batched[1:], strict=True):
        shape = shape_of(v)
        if is_batched and len(shape) < ndim:
            v = reshape(v, shape=(size, *(1,) * (ndim - len(shape)), *shape[1:]))
        coefficients.append(v)
    return linear_filter(x, *coefficients)


linear_filter: General = General(
    "linear_filter",
    kernel=_linear_filter,
    abstract=lambda x, b, a: ShapedArray(x.shape, np.result_type(x.dtype, b.dtype, a.dtype)),
    rule=_linear_filter_rule,
    batch=_linear_filter_batch,
    linear_in=0,
    transpose=_linear_filter_transpose,
)


# --- spline coefficients with the boundaries of scipy.ndimage ------------------------------------

# The operator that takes samples to the coefficients of the B-spline through them. "grid-wrap", the
# periodic one, is a symmetric circulant matrix and its own transpose. "mirror" is that on (x, x
# backwards without its ends), "reflect" that on (x, x backwards). The kernel is SciPy's; the
# transpose goes through the periodic one.


# SciPy starts "reflect" from a truncated sum: short arrays have not quite the ideal matrix.
EXACT = 48


def _spline_filter(x: Any, order: int, axis: int, mode: str) -> Any:
    return _module(x, "ndimage").spline_filter1d(x, order, axis, np.float64, mode)


def _spline_transpose(ct: Any, shape: tuple, dtype: Any, order: int, axis: int, mode: str) -> Any:
    n = shape[axis]
    if mode == "grid-wrap":
        return spline_filter(ct, order=order, axis=axis, mode=mode)
    if n == 1:
        return ct
    if mode == "reflect" and n < EXACT:
        matrix = beside(ct, _spline_filter(np.eye(n), order, 0, mode))
        letters = string.ascii_lowercase[: len(shape)]
        out = letters.replace(letters[axis], "z")
        return contract(ct, matrix, subscripts=(letters, letters[axis] + "z", out))
    at = (slice(None),) * axis
    period = 2 * n - 2 if mode == "mirror" else 2 * n
    longer = (*shape[:axis], period, *shape[axis + 1 :])
    padded = unslice(ct, shape=longer, index=(*at, slice(0, n)))
    made = spline_filter(padded, order=order, axis=axis, mode="grid-wrap")
    first = slice_at(made, index=(*at, slice(0, n)))
    second = slice_at(made, index=(*at, slice(None, n - 1, -1)))
    inner = slice(1, n - 1) if mode == "mirror" else slice(0, n)
    return add(first, unslice(second, shape=shape, index=(*at, inner)))


spline_filter: Linear = Linear(
    "spline_filter",
    kernel=_spline_filter,
    abstract=lambda x, order, axis, mode: ShapedArray(x.shape, np.float64),
    transpose=_spline_transpose,
    batch=lambda size, xs, batched, order, axis, mode: spline_filter(
        xs[0], order=order, axis=axis + 1, mode=mode
    ),
)
