"""Discrete Fourier, cosine and sine transforms of plain and traced arrays, as in scipy.fft.

The functions of scipy.fft look for a backend by type and find none for traced arrays: use these.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import boundary
from ..numpy import fft as numpy_fft
from ..numpy.elementwise import as_operand
from ..numpy.manipulation import astype, normalize_axis
from ..primitives.core import dtype_of, shape_of
from ..primitives.fft import _resize
from ..primitives.trigonometric_transform import trigonometric_transform
from .source import Refusals, attributes, has_tracer

__all__ = [
    "dct", "dctn", "dst", "dstn", "fft", "fft2", "fftn", "fftshift", "hfft", "hfft2", "hfftn",
    "idct", "idctn", "idst", "idstn", "ifft", "ifft2", "ifftn", "ifftshift", "ihfft", "ihfft2",
    "ihfftn", "irfft", "irfft2", "irfftn", "rfft", "rfft2", "rfftn",
]  # fmt: skip

_SWAPPED = {None: "forward", "backward": "forward", "forward": "backward", "ortho": "ortho"}


def _plain(name: str, function: Callable) -> Callable:
    """SciPy's function on plain arrays, ``function`` on traced ones."""

    def call(x: Any, *args: Any, **kwargs: Any) -> Any:
        if not has_tracer(x):
            import scipy.fft

            return getattr(scipy.fft, name)(x, *args, **kwargs)
        return function(x, *args, **kwargs)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"``scipy.fft.{name}``, also of traced arrays; the same arguments and values."
    return boundary(call)


def _one(name: str) -> Callable:
    transform = getattr(numpy_fft, name)

    def traced(
        x: Any,
        n: Any = None,
        axis: int = -1,
        norm: Any = None,
        overwrite_x: bool = False,
        workers: Any = None,
        *,
        plan: Any = None,
    ) -> Any:
        return transform(as_operand(x), n, axis, norm)

    return _plain(name, traced)


def _over_axes(x: Any, s: Any, axes: Any) -> tuple[Any, Any]:
    """Lengths and axes as scipy.fft takes them: a single number is a tuple of one."""
    if s is not None:
        s = [operator.index(s)] if not isinstance(s, Sequence) else [operator.index(n) for n in s]
    if axes is not None:
        axes = [operator.index(a) for a in ([axes] if not isinstance(axes, Sequence) else axes)]
    elif s is not None:
        axes = list(range(-len(s), 0))
    return s, axes


def _several(name: str, default: Any) -> Callable:
    transform = getattr(numpy_fft, name)

    def traced(
        x: Any,
        s: Any = None,
        axes: Any = default,
        norm: Any = None,
        overwrite_x: bool = False,
        workers: Any = None,
        *,
        plan: Any = None,
    ) -> Any:
        return transform(as_operand(x), *_over_axes(x, s, axes), norm)

    return _plain(name, traced)


def _hermitian(name: str, default: Any, inverse: bool) -> Callable:
    # hfftn(x) is irfftn of the conjugate with the normalisations exchanged, ihfftn the converse.
    def traced(
        x: Any,
        s: Any = None,
        axes: Any = default,
        norm: Any = None,
        overwrite_x: bool = False,
        workers: Any = None,
        *,
        plan: Any = None,
    ) -> Any:
        x = as_operand(x)
        s, axes = _over_axes(x, s, axes)
        turned: Any = _SWAPPED[norm]
        if inverse:
            return np.conj(numpy_fft.rfftn(x, s, axes, turned))
        return numpy_fft.irfftn(np.conj(x), s, axes, turned)

    return _plain(name, traced)


def _shift(name: str) -> Callable:
    return _plain(name, getattr(numpy_fft, name))


fft, ifft, rfft, irfft = _one("fft"), _one("ifft"), _one("rfft"), _one("irfft")
hfft, ihfft = _one("hfft"), _one("ihfft")
fftn, ifftn = _several("fftn", None), _several("ifftn", None)
rfftn, irfftn = _several("rfftn", None), _several("irfftn", None)
fft2, ifft2 = _several("fft2", (-2, -1)), _several("ifft2", (-2, -1))
rfft2, irfft2 = _several("rfft2", (-2, -1)), _several("irfft2", (-2, -1))
hfftn, ihfftn = _hermitian("hfftn", None, False), _hermitian("ihfftn", None, True)
hfft2, ihfft2 = _hermitian("hfft2", (-2, -1), False), _hermitian("ihfft2", (-2, -1), True)
fftshift, ifftshift = _shift("fftshift"), _shift("ifftshift")

# --- cosines and sines ---------------------------------------------------------------------------

# The transforms of scipy.fft differ from the orthonormal ones by a factor and by the weights of the
# first and last elements, before or after. Inverses are those of type 1, 3, 2, 4.

_INVERSE = {1: 1, 2: 3, 3: 2, 4: 4}


def _edges(kind: int, name: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Positions of the operand and of the result that orthogonality weights by sqrt(2)."""
    if name == "dct":
        table: dict = {1: ((0, -1), (0, -1)), 2: ((), (0,)), 3: ((0,), ()), 4: ((), ())}
    else:
        table = {1: ((), ()), 2: ((), (-1,)), 3: ((-1,), ()), 4: ((), ())}
    return table[kind]


def _weights(n: int, at: Sequence[int], factor: float, ndim: int, axis: int) -> np.ndarray:
    made = np.ones(n)
    made[list(at)] = factor
    return made.reshape((-1,) + (1,) * (ndim - axis - 1))


def _along(
    x: Any, name: str, kind: int, n: Any, axis: int, norm: Any, orthogonalize: Any, inverse: bool
) -> Any:
    if kind not in _INVERSE:
        raise ValueError(f"{name}: expected a type from 1 to 4; got {kind}.")
    if norm not in _SWAPPED:
        raise ValueError(f'Invalid norm value {norm!r}; should be "backward", "ortho" or "forward"')
    if inverse:
        kind, norm = _INVERSE[kind], _SWAPPED[norm] if norm != "backward" else "forward"
    if orthogonalize is None:
        orthogonalize = norm == "ortho"
    if dtype_of(x).kind not in "fc":
        x = astype(x, np.float64)
    axis = normalize_axis(axis, len(shape_of(x)))
    if n is not None:
        x = _resize(x, operator.index(n), axis)
    n, ndim = shape_of(x)[axis], len(shape_of(x))
    period = 2 * n
    if kind == 1:
        period += -2 if name == "dct" else 2
    before, after = _edges(kind, name)
    root = math.sqrt(2.0)
    dtype = np.empty(0, dtype_of(x)).real.dtype
    if not orthogonalize and before:
        x = x * _weights(n, before, 1 / root, ndim, axis).astype(dtype)
    y = trigonometric_transform(x, name=name, kind=kind, axis=axis)
    if not orthogonalize and after:
        y = y * _weights(n, after, root, ndim, axis).astype(dtype)
    scale = {"ortho": 1.0, "forward": 1 / math.sqrt(period)}.get(norm or "", math.sqrt(period))
    return y * scale if scale != 1.0 else y


def _trigonometric(name: str, base: str, inverse: bool) -> Callable:
    def traced(
        x: Any,
        type: int = 2,
        n: Any = None,
        axis: int = -1,
        norm: Any = None,
        overwrite_x: bool = False,
        workers: Any = None,
        orthogonalize: Any = None,
    ) -> Any:
        return _along(as_operand(x), base, type, n, axis, norm, orthogonalize, inverse)

    return _plain(name, traced)


def _trigonometric_over_axes(name: str, base: str, inverse: bool) -> Callable:
    def traced(
        x: Any,
        type: int = 2,
        s: Any = None,
        axes: Any = None,
        norm: Any = None,
        overwrite_x: bool = False,
        workers: Any = None,
        *,
        orthogonalize: Any = None,
    ) -> Any:
        x = as_operand(x)
        s, axes = _over_axes(x, s, axes)
        axes = range(len(shape_of(x))) if axes is None else axes
        for i, axis in enumerate(axes):
            n = None if s is None else s[i]
            x = _along(x, base, type, n, axis, norm, orthogonalize, inverse)
        return x

    return _plain(name, traced)


dct, idct = _trigonometric("dct", "dct", False), _trigonometric("idct", "dct", True)
dst, idst = _trigonometric("dst", "dst", False), _trigonometric("idst", "dst", True)
dctn = _trigonometric_over_axes("dctn", "dct", False)
idctn = _trigonometric_over_axes("idctn", "dct", True)
dstn = _trigonometric_over_axes("dstn", "dst", False)
idstn = _trigonometric_over_axes("idstn", "dst", True)

_REFUSALS = Refusals()
_REFUSALS.add(
    "its coefficients come from a routine without derivatives here; write it with fft and "
    "scipy.special.loggamma.",
    "fht", "ifht",
)  # fmt: skip
__getattr__, __dir__ = attributes("scipy.fft", _REFUSALS, globals())
