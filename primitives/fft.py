"""Discrete Fourier transforms over one axis, and convolution.

``n`` is the length of the transform, ``norm`` as in np.fft. The matrix of ``fft`` is symmetric,
so its transpose is itself (not the inverse: cotangents of complex arrays are not conjugated).
``rfft`` is ``fft`` of a real array with the redundant half left out; ``irfft`` reads that half
back as conjugates, and only the real part of the bins that are their own conjugates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .core import Linear, Multilinear, ShapedArray, beside, dtype_of, shape_of
from .elementwise import multiply
from .structural import (
    conjugate,
    convert,
    full_batch,
    make_complex,
    real,
    slice_at,
    unslice,
    zeros_like,
)

__all__ = ["convolve", "fft", "ifft", "irfft", "rfft"]

_OPPOSITE = {None: "forward", "backward": "forward", "forward": "backward", "ortho": "ortho"}


def _resize(x: Any, n: int, axis: int) -> Any:
    """``x`` cut or padded with zeros to length ``n`` along an axis."""
    shape = shape_of(x)
    at = (slice(None),) * axis
    if shape[axis] > n:
        return slice_at(x, index=(*at, slice(0, n)))
    if shape[axis] < n:
        longer = (*shape[:axis], n, *shape[axis + 1 :])
        return unslice(x, shape=longer, index=(*at, slice(0, shape[axis])))
    return x


def _match(x: Any, dtype: Any) -> Any:
    return x if dtype_of(x) == dtype else convert(x, dtype=dtype)


def _transform(
    name: str, length: Callable[[int], int], real_result: bool, transpose: Callable
) -> Linear:
    """Declare np.fft's function ``name``, whose result has ``length(n)`` bins."""

    def kernel(x: Any, n: int, axis: int, norm: Any) -> Any:
        return getattr(np.fft, name)(x, n, axis, norm)

    def abstract(x: ShapedArray, n: int, axis: int, norm: Any) -> ShapedArray:
        shape = (*x.shape[:axis], length(n), *x.shape[axis + 1 :])
        single = x.dtype in (np.float16, np.float32, np.complex64)
        if real_result:
            return ShapedArray(shape, np.float32 if single else np.float64)
        return ShapedArray(shape, np.complex64 if single else np.complex128)

    def batch(
        size: int, xs: Sequence, batched: Sequence[bool], n: int, axis: int, norm: Any
    ) -> Any:
        return primitive(xs[0], n=n, axis=axis + 1, norm=norm)

    def back(ct: Any, shape: tuple, dtype: Any, n: int, axis: int, norm: Any) -> Any:
        return _match(_resize(transpose(ct, n, axis, norm), shape[axis], axis), dtype)

    primitive = Linear(name, kernel, abstract, back, batch)
    return primitive


def _as_complex(ct: Any) -> Any:
    return ct if dtype_of(ct).kind == "c" else make_complex(ct, zeros_like(ct))


fft: Linear = _transform(
    "fft",
    lambda n: n,
    False,
    lambda ct, n, axis, norm: fft(_as_complex(ct), n=n, axis=axis, norm=norm),
)
ifft: Linear = _transform(
    "ifft",
    lambda n: n,
    False,
    lambda ct, n, axis, norm: ifft(_as_complex(ct), n=n, axis=axis, norm=norm),
)


def _rfft_transpose(ct: Any, n: int, axis: int, norm: Any) -> Any:
    # The first bins of fft of a real array: pad, transpose that, keep the real part.
    return real(fft(_resize(ct, n, axis), n=n, axis=axis, norm=norm))


def _weights(ct: Any, n: int, axis: int) -> np.ndarray:
    """How often irfft reads each bin: twice, but once those that are their own conjugates."""
    dtype = np.empty(0, dtype_of(ct)).real.dtype
    weights = np.full(n // 2 + 1, 2.0, dtype)
    weights[0] = 1.0
    if n % 2 == 0:
        weights[-1] = 1.0
    return beside(ct, weights.reshape(-1, *(1,) * (len(shape_of(ct)) - axis - 1)))


def _irfft_transpose(ct: Any, n: int, axis: int, norm: Any) -> Any:
    # y_j = s sum_k w_k Re(z_k exp(2 pi i jk/n)); the cotangent of z = x + iy is written
    # a - ib, which makes it s w_k sum_j ct_j exp(+2 pi i jk/n): a conjugated rfft.
    bins = rfft(ct, n=n, axis=axis, norm=_OPPOSITE[norm])
    return multiply(conjugate(bins), _weights(bins, n, axis))


rfft: Linear = _transform("rfft", lambda n: n // 2 + 1, False, _rfft_transpose)
irfft: Linear = _transform("irfft", lambda n: n, True, _irfft_transpose)

# --- convolution ---------------------------------------------------------------------------------


def _convolve(x: Any, y: Any) -> Any:
    """``np.convolve`` in full, over the last axis; leading axes are a batch."""
    if x.ndim == 1:
        return np.convolve(x, y)
    lead = x.shape[:-1]
    rows = [
        np.convolve(a, b)
        for a, b in zip(x.reshape(-1, x.shape[-1]), y.reshape(-1, y.shape[-1]), strict=True)
    ]
    return np.stack(rows).reshape(*lead, -1)


def _convolve_transpose(i: int, ct: Any, operands: Sequence, shape: tuple, dtype: Any) -> Any:
    # sum_j ct[k + j] y[j]: the middle of a convolution with y backwards.
    other = operands[1 - i]
    m = shape_of(other)[-1]
    backwards = slice_at(other, index=(Ellipsis, slice(None, None, -1)))
    full = convolve(ct, backwards)
    return _match(slice_at(full, index=(Ellipsis, slice(m - 1, m - 1 + shape[-1]))), dtype)


convolve: Multilinear = Multilinear(
    "convolve",
    kernel=_convolve,
    abstract=lambda x, y: ShapedArray(
        (*x.shape[:-1], x.shape[-1] + y.shape[-1] - 1), np.result_type(x.dtype, y.dtype)
    ),
    transpose=_convolve_transpose,
    batch=lambda size, xs, batched: convolve(
        *[full_batch(size, x, b) for x, b in zip(xs, batched, strict=True)]
    ),
)
