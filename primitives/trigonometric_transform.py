"""Discrete cosine and sine transforms, orthonormal: the transpose is the inverse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..kernels.device import is_gpu
from ..kernels.gpu import launch
from .core import Linear, ShapedArray

__all__ = ["trigonometric_transform"]

_INVERSE = {1: 1, 2: 3, 3: 2, 4: 4}


def _kernel(x: Any, name: str, kind: int, axis: int) -> Any:
    if is_gpu(x):
        if kind in (1, 4):
            raise TypeError(f"CuPy has no kernel for {name} of type {kind}")
        return getattr(launch.cupyx("scipy.fft"), name)(x, kind, axis=axis, norm="ortho")
    import scipy.fft

    return getattr(scipy.fft, name)(x, kind, axis=axis, norm="ortho")


def _abstract(x: ShapedArray, name: str, kind: int, axis: int) -> ShapedArray:
    wide = np.complex128 if x.dtype.kind == "c" else np.float64
    single = x.dtype in (np.float16, np.float32, np.complex64)
    narrow = np.complex64 if x.dtype.kind == "c" else np.float32
    return ShapedArray(x.shape, narrow if single else wide)


def _transpose(ct: Any, shape: tuple, dtype: Any, name: str, kind: int, axis: int) -> Any:
    return trigonometric_transform(ct, name=name, kind=_INVERSE[kind], axis=axis)


def _batch(
    size: int, xs: Sequence, batched: Sequence[bool], name: str, kind: int, axis: int
) -> Any:
    return trigonometric_transform(xs[0], name=name, kind=kind, axis=axis + 1)


# ``name`` is dct or dst, ``kind`` the type 1 to 4; types 1 and 4 are their own inverses.
trigonometric_transform: Linear = Linear(
    "trigonometric_transform",
    kernel=_kernel,
    abstract=_abstract,
    transpose=_transpose,
    batch=_batch,
)
