"""The loops of scipy.ndimage's filters, on traced arrays.

Each extends the image beyond its borders, which is a look-up, and then looks through a window:
correlation for linear filters, extremes and order statistics of shifted copies for the others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...numpy.elementwise import as_operand
from ...numpy.manipulation import astype
from ...primitives import filtering as p
from ...primitives.core import dtype_of, shape_of
from ..source import replace_by_source, replaces

__all__ = ["extended", "positions"]

# SciPy's codes of boundary modes, as np.pad calls them.
PAD_MODES = {
    0: "edge", 1: "wrap", 2: "symmetric", 3: "reflect", 4: "constant", 5: "wrap", 6: "constant",
}  # fmt: skip


def positions(n: int, before: int, after: int, mode: int) -> np.ndarray:
    """Where each element of an extended axis of length ``n`` comes from; -1: from nowhere."""
    if PAD_MODES[mode] == "constant":
        return np.pad(np.arange(n), (before, after), constant_values=-1)
    return np.pad(np.arange(n), (before, after), PAD_MODES[mode])  # type: ignore[call-overload]


def extended(x: Any, axis: int, before: int, after: int, mode: int, cval: Any) -> Any:
    """``x`` with elements before and after along an axis, by SciPy's boundary mode."""
    n = shape_of(x)[axis]
    if before <= 0 and after <= 0:
        return x
    if PAD_MODES[mode] == "constant":
        sides = [(0, 0)] * len(shape_of(x))
        sides[axis] = (before, after)
        return np.pad(x, sides, constant_values=cval)
    return np.take(x, positions(n, before, after, mode), axis)


replace_by_source("scipy.ndimage._ni_support", "_get_output")


def _store(output: Any, value: Any) -> None:
    output[...] = astype(value, output.dtype)


def _origins(origin: Any, ndim: int) -> list[int]:
    listed = list(np.ravel(np.asarray(origin)))
    return [int(v) for v in (listed * ndim if len(listed) == 1 else listed)]


@replaces("scipy.ndimage._nd_image")
def correlate1d(
    x: Any, weights: Any, axis: int, output: Any, mode: int, cval: Any, origin: int
) -> None:
    x, weights = astype(x, np.float64), astype(as_operand(weights), np.float64)
    size = weights.shape[0]
    before = size // 2 + origin
    padded = extended(x, axis, before, size - 1 - before, mode, cval)
    window = np.reshape(weights, (1,) * axis + (size,) + (1,) * (x.ndim - axis - 1))
    _store(output, p.correlate_valid(padded, window, ndim=x.ndim))


@replaces("scipy.ndimage._nd_image")
def correlate(x: Any, weights: Any, output: Any, mode: int, cval: Any, origin: Any) -> None:
    x, weights = astype(x, np.float64), astype(as_operand(weights), np.float64)
    padded = _extended_by_window(x, weights.shape, mode, cval, _origins(origin, x.ndim))
    _store(output, p.correlate_valid(padded, weights, ndim=x.ndim))


def _extended_by_window(
    x: Any, window: Sequence[int], mode: int, cval: Any, origins: Sequence[int]
) -> Any:
    for axis, (size, origin) in enumerate(zip(window, origins, strict=True)):
        before = size // 2 + origin
        x = extended(x, axis, before, size - 1 - before, mode, cval)
    return x


@replaces("scipy.ndimage._nd_image")
def uniform_filter1d(
    x: Any, size: int, axis: int, output: Any, mode: int, cval: Any, origin: int
) -> None:
    correlate1d(x, np.full(size, 1.0 / size), axis, output, mode, cval, origin)


# --- extremes and order statistics ---------------------------------------------------------------


def _windows(x: Any, footprint: np.ndarray, mode: int, cval: Any, origins: Sequence[int]) -> Any:
    """The elements under the footprint, stacked first."""
    shape = shape_of(x)
    padded = _extended_by_window(x, footprint.shape, mode, cval, origins)
    parts = [
        padded[tuple(slice(k, k + n) for k, n in zip(offset, shape, strict=True))]
        for offset in np.argwhere(footprint)
    ]
    return np.stack(parts)


@replaces("scipy.ndimage._nd_image")
def min_or_max_filter1d(
    x: Any, size: int, axis: int, output: Any, mode: int, cval: Any, origin: int, minimum: int
) -> None:
    footprint = np.ones((1,) * axis + (size,) + (1,) * (x.ndim - axis - 1), bool)
    origins = [0] * x.ndim
    origins[axis] = origin
    windows = _windows(x, footprint, mode, cval, origins)
    _store(output, (np.min if minimum else np.max)(windows, axis=0))


@replaces("scipy.ndimage._nd_image")
def min_or_max_filter(
    x: Any,
    footprint: Any,
    structure: Any,
    output: Any,
    mode: int,
    cval: Any,
    origin: Any,
    minimum: int,
) -> None:
    windows = _windows(x, np.asarray(footprint), mode, cval, _origins(origin, x.ndim))
    if structure is not None:
        heights = structure[np.asarray(footprint)]
        heights = np.reshape(heights, (-1,) + (1,) * x.ndim)
        windows = windows - heights if minimum else windows + heights
    _store(output, (np.min if minimum else np.max)(windows, axis=0))


@replaces("scipy.ndimage._nd_image")
def rank_filter(
    x: Any, rank: int, footprint: Any, output: Any, mode: int, cval: Any, origin: Any
) -> None:
    windows = _windows(x, np.asarray(footprint), mode, cval, _origins(origin, x.ndim))
    _store(output, np.sort(windows, axis=0)[int(rank)])


@replaces("scipy.ndimage._rank_filter_1d", "rank_filter")
def _rank_filter_1d(
    x: Any, rank: int, size: int, output: Any, mode: int, cval: Any, origin: Any
) -> None:
    rank_filter(x, rank, np.ones(size, bool), output, mode, cval, origin)


# --- Fourier filters -----------------------------------------------------------------------------


def _frequencies(shape: Sequence[int], axis: int, n: int, real_axis: int) -> np.ndarray:
    """Frequencies in cycles over the axis; ``n`` is the length of the one that rfft halved."""
    if n >= 0 and axis == real_axis:
        made: Any = np.arange(shape[axis]) / n
    else:
        made = np.fft.fftfreq(shape[axis])
    return made.reshape((-1,) + (1,) * (len(shape) - axis - 1))


@replaces("scipy.ndimage._nd_image")
def fourier_filter(x: Any, sizes: Any, n: int, axis: int, output: Any, kind: int) -> None:
    gain: Any = 1.0
    for k in range(x.ndim):
        f = _frequencies(x.shape, k, n, axis)
        if kind == 0:
            gain = gain * np.exp(-2 * (math.pi * sizes[k] * f) ** 2)
        else:
            gain = gain * np.sinc(sizes[k] * f)
    _store(output, x * gain)


@replaces("scipy.ndimage._nd_image")
def fourier_shift(x: Any, shifts: Any, n: int, axis: int, output: Any) -> None:
    phase: Any = 0.0
    for k in range(x.ndim):
        phase = phase - 2 * math.pi * shifts[k] * _frequencies(x.shape, k, n, axis)
    _store(output, x * (np.cos(phase) + 1j * np.sin(phase)))


# --- complex images ------------------------------------------------------------------------------


@replaces("scipy.ndimage._filters", "_complex_via_real_components")
def _complex_via_real_components(
    func: Any, x: Any, weights: Any, output: Any, cval: Any, **options: Any
) -> Any:
    """A real linear filter of a complex image by complex weights."""
    parts = [
        (factor * other, v, np.real(cval) if factor == 1 else np.imag(cval), w)
        for factor, v in _parts(x)
        for other, w in _parts(weights)
    ]
    total = sum(c * func(v, w, output=None, cval=edge, **options) for c, v, edge, w in parts)
    _store(output, total)
    return output


def _parts(x: Any) -> list[tuple[complex, Any]]:
    x = as_operand(x)
    if dtype_of(x).kind != "c":
        return [(1, x)]
    return [(1, np.real(x)), (1j, np.imag(x))]
