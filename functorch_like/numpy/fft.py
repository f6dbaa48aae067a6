"""np.fft on traced arrays."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..primitives import fft as p
from ..primitives.core import dtype_of, shape_of
from .dispatch import implements, refuse_out
from .elementwise import as_operand, conjugate
from .manipulation import astype, normalize_axis

__all__: list[str] = []

_SWAPPED = {None: "forward", "backward": "forward", "forward": "backward", "ortho": "ortho"}


def _checked(name: str, n: Any, norm: Any, out: Any) -> int:
    refuse_out(f"np.fft.{name}", out)
    if norm not in _SWAPPED:
        raise ValueError(f'Invalid norm value {norm}; should be "backward", "ortho" or "forward".')
    n = operator.index(n)
    if n < 1:
        raise ValueError(f"Invalid number of FFT data points ({n}) specified.")
    return n


def _one(primitive: Any, a: Any, n: Any, axis: Any, norm: Any, out: Any) -> Any:
    """One of the four primitives over one axis."""
    a = as_operand(a)
    kind = dtype_of(a).kind
    if kind not in "fc":
        a = astype(a, np.float64)
    if kind == "c" and primitive is p.rfft:
        raise TypeError("np.fft.rfft: expected a real array; got a complex one; use np.fft.fft.")
    axis = normalize_axis(axis, len(shape_of(a)))
    if n is None:
        n = shape_of(a)[axis]
        if primitive is p.irfft:
            n = 2 * (n - 1)
    n = _checked(primitive.name, n, norm, out)
    if primitive is p.irfft and dtype_of(a).kind != "c":
        a = astype(a, np.result_type(dtype_of(a), np.complex64))
    return primitive(a, n=n, axis=axis, norm=norm)


@implements(np.fft.fft)
def fft(a: Any, n: Any = None, axis: int = -1, norm: Any = None, out: Any = None) -> Any:
    return _one(p.fft, a, n, axis, norm, out)


@implements(np.fft.ifft)
def ifft(a: Any, n: Any = None, axis: int = -1, norm: Any = None, out: Any = None) -> Any:
    return _one(p.ifft, a, n, axis, norm, out)


@implements(np.fft.rfft)
def rfft(a: Any, n: Any = None, axis: int = -1, norm: Any = None, out: Any = None) -> Any:
    return _one(p.rfft, a, n, axis, norm, out)


@implements(np.fft.irfft)
def irfft(a: Any, n: Any = None, axis: int = -1, norm: Any = None, out: Any = None) -> Any:
    return _one(p.irfft, a, n, axis, norm, out)


@implements(np.fft.hfft)
def hfft(a: Any, n: Any = None, axis: int = -1, norm: Any = None, out: Any = None) -> Any:
    a = as_operand(a)
    return _one(p.irfft, conjugate(a), n, axis, _SWAPPED.get(norm, norm), out)


@implements(np.fft.ihfft)
def ihfft(a: Any, n: Any = None, axis: int = -1, norm: Any = None, out: Any = None) -> Any:
    return conjugate(_one(p.rfft, a, n, axis, _SWAPPED.get(norm, norm), out))


# --- several axes ------------------------------------------------------------------------------


def _lengths(a: Any, s: Any, axes: Any, inverse_real: bool) -> tuple[list[Any], list[int]]:
    """Lengths and axes as np.fft takes them: None and -1 mean the array's own length."""
    shape = shape_of(a)
    if axes is None:
        axes = range(-(len(shape) if s is None else len(s)), 0)
    axes = [operator.index(axis) for axis in axes]
    if s is None:
        lengths = [shape[axis] for axis in axes]
        if inverse_real:
            lengths[-1] = 2 * (shape[axes[-1]] - 1)
        return lengths, axes
    if len(s) != len(axes):
        raise ValueError("Shape and axes have different lengths.")
    return [shape[axis] if n in (None, -1) else n for n, axis in zip(s, axes, strict=True)], axes


def _several(primitive: Any, a: Any, lengths: Sequence, axes: Sequence[int], norm: Any) -> Any:
    for n, axis in zip(reversed(lengths), reversed(axes), strict=True):
        a = _one(primitive, a, n, axis, norm, None)
    return a


@implements(np.fft.fftn)
def fftn(a: Any, s: Any = None, axes: Any = None, norm: Any = None, out: Any = None) -> Any:
    refuse_out("np.fft.fftn", out)
    a = as_operand(a)
    return _several(p.fft, a, *_lengths(a, s, axes, False), norm)


@implements(np.fft.ifftn)
def ifftn(a: Any, s: Any = None, axes: Any = None, norm: Any = None, out: Any = None) -> Any:
    refuse_out("np.fft.ifftn", out)
    a = as_operand(a)
    return _several(p.ifft, a, *_lengths(a, s, axes, False), norm)


@implements(np.fft.rfftn)
def rfftn(a: Any, s: Any = None, axes: Any = None, norm: Any = None, out: Any = None) -> Any:
    refuse_out("np.fft.rfftn", out)
    a = as_operand(a)
    lengths, axes = _lengths(a, s, axes, False)
    a = _one(p.rfft, a, lengths[-1], axes[-1], norm, None)
    for n, axis in zip(lengths[-2::-1], axes[-2::-1], strict=True):
        a = _one(p.fft, a, n, axis, norm, None)
    return a


@implements(np.fft.irfftn)
def irfftn(a: Any, s: Any = None, axes: Any = None, norm: Any = None, out: Any = None) -> Any:
    refuse_out("np.fft.irfftn", out)
    a = as_operand(a)
    lengths, axes = _lengths(a, s, axes, True)
    for n, axis in zip(lengths[:-1], axes[:-1], strict=True):
        a = _one(p.ifft, a, n, axis, norm, None)
    return _one(p.irfft, a, lengths[-1], axes[-1], norm, None)


@implements(np.fft.fft2)
def fft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: Any = None, out: Any = None) -> Any:
    return fftn(a, s, axes, norm, out)


@implements(np.fft.ifft2)
def ifft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: Any = None, out: Any = None) -> Any:
    return ifftn(a, s, axes, norm, out)


@implements(np.fft.rfft2)
def rfft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: Any = None, out: Any = None) -> Any:
    return rfftn(a, s, axes, norm, out)


@implements(np.fft.irfft2)
def irfft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: Any = None, out: Any = None) -> Any:
    return irfftn(a, s, axes, norm, out)


# --- shifts ------------------------------------------------------------------------------------


def _shift_axes(x: Any, axes: Any) -> tuple[int, ...]:
    if axes is None:
        return tuple(range(len(shape_of(x))))
    return (int(axes),) if isinstance(axes, (int, np.integer)) else tuple(axes)


@implements(np.fft.fftshift)
def fftshift(x: Any, axes: Any = None) -> Any:
    x = as_operand(x)
    axes = _shift_axes(x, axes)
    return np.roll(x, [shape_of(x)[a] // 2 for a in axes], axes)


@implements(np.fft.ifftshift)
def ifftshift(x: Any, axes: Any = None) -> Any:
    x = as_operand(x)
    axes = _shift_axes(x, axes)
    return np.roll(x, [-(shape_of(x)[a] // 2) for a in axes], axes)


def __getattr__(name: str) -> Any:  # what asks its arguments already, or takes none
    return getattr(np.fft, name)


def __dir__() -> list[str]:
    return list(np.fft.__all__)
