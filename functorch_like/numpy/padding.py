"""np.pad: one axis after the other, as NumPy does, so that corners come out the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..primitives import structural as p
from ..primitives.core import Tracer, beside
from .dispatch import implements
from .indexing import take
from .manipulation import astype, broadcast_to, concatenate, moveaxis, normalize_axis, reshape
from .operands import as_array

__all__: list[str] = []

_STATISTICS: dict[str, Callable] = {
    "maximum": np.max,
    "minimum": np.min,
    "mean": np.mean,
    "median": np.median,
}
_KEYWORDS = {
    **dict.fromkeys(("empty", "edge", "wrap"), ()),
    **dict.fromkeys(_STATISTICS, ("stat_length",)),
    "constant": ("constant_values",),
    "linear_ramp": ("end_values",),
    "reflect": ("reflect_type",),
    "symmetric": ("reflect_type",),
}


def _widths(pad_width: Any, ndim: int) -> list[tuple[int, int]]:
    if isinstance(pad_width, dict):
        widths = [(0, 0)] * ndim
        for axis, w in pad_width.items():
            pair = np.broadcast_to(np.asarray(w), (2,)).tolist()
            widths[normalize_axis(axis, ndim)] = (pair[0], pair[1])
        return widths
    made = np.asarray(pad_width)
    if made.dtype.kind not in "iu":
        raise TypeError("`pad_width` must be of integral type.")
    if made.size and made.min() < 0:
        raise ValueError("index can't contain negative values")
    return [(a, b) for a, b in np.broadcast_to(made, (ndim, 2)).tolist()]


def _of_sides(values: Any, ndim: int) -> list[tuple[Any, Any]]:
    """One value for each side of each axis."""
    spread = broadcast_to(as_array(values), (ndim, 2))
    return [(spread[i, 0], spread[i, 1]) for i in range(ndim)]


@implements(np.pad)
def pad(array: Any, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> Any:
    array = as_array(array)
    widths = _widths(pad_width, array.ndim)
    if callable(mode):
        return _pad_by_function(array, widths, mode, kwargs)
    if mode not in _KEYWORDS:
        raise ValueError(f"np.pad: expected a mode out of {sorted(_KEYWORDS)}; got {mode!r}.")
    unknown = set(kwargs) - set(_KEYWORDS[mode])
    if unknown:
        raise ValueError(f"unsupported keyword arguments for mode '{mode}': {unknown}")
    if mode == "constant":
        return _pad_constant(array, widths, kwargs.get("constant_values", 0))
    if mode == "empty":
        return _framed(array, widths)
    ends = _of_sides(kwargs.get("end_values", 0), array.ndim)
    lengths = kwargs.get("stat_length")
    for axis, width in enumerate(widths):
        if not any(width):
            continue
        if not array.shape[axis]:
            raise ValueError(
                f"can't extend empty axis {axis} using modes other than 'constant' or 'empty'"
            )
        if mode == "linear_ramp":
            array = _ramp(array, axis, width, ends[axis])
        elif mode in _STATISTICS:
            pairs = np.broadcast_to(np.asarray(lengths, dtype=object), (array.ndim, 2))
            array = _statistic(array, axis, width, pairs[axis].tolist(), mode)
        else:  # copies of elements: pad their positions instead
            n = array.shape[axis]
            place = np.pad(np.arange(n), width, mode)
            padded = take(array, place, axis)
            if kwargs.get("reflect_type", "even") == "odd":
                padded = _odd(array, padded, place, axis, width, mode)
            array = padded
    return array


def _framed(array: Any, widths: list[tuple[int, int]]) -> Any:
    """The array in a frame of zeros."""
    inner = tuple(slice(b, b + n) for (b, _), n in zip(widths, array.shape, strict=True))
    shape = tuple(b + n + a for (b, a), n in zip(widths, array.shape, strict=True))
    return p.unslice(array, shape=shape, index=inner)


def _pad_constant(array: Any, widths: list[tuple[int, int]], values: Any) -> Any:
    values = as_array(values) if hasattr(values, "dtype") else beside(array, as_array(values))
    if not isinstance(values, Tracer) and not np.any(values):
        return _framed(array, widths)
    values = astype(values, array.dtype)
    if values.ndim == 0:
        outside = np.pad(np.zeros(array.shape, bool), widths, constant_values=True)
        return np.where(beside(array, outside), values, _framed(array, widths))
    for axis, (width, sides) in enumerate(zip(widths, _of_sides(values, array.ndim), strict=True)):
        shapes = [(*array.shape[:axis], n, *array.shape[axis + 1 :]) for n in width]
        before, after = (broadcast_to(v, s) for v, s in zip(sides, shapes, strict=True))
        array = concatenate([before, array, after], axis)
    return array


def _slab(array: Any, axis: int, part: slice) -> Any:
    return array[(*(slice(None),) * axis, part)]


def _ramp(array: Any, axis: int, width: tuple[int, int], ends: tuple[Any, Any]) -> Any:
    """Straight lines from the outermost value to the edge, which is left out."""
    first, last = _slab(array, axis, slice(1)), _slab(array, axis, slice(-1, None))

    def line(end: Any, edge: Any, n: int, flipped: bool) -> Any:
        steps = np.arange(n)[::-1] if flipped else np.arange(n)
        steps = beside(array, steps.reshape((-1,) + (1,) * (array.ndim - axis - 1)))
        return astype(end + steps * ((edge - end) / max(n, 1)), array.dtype)

    before = line(ends[0], first, width[0], False)
    after = line(ends[1], last, width[1], True)
    return concatenate([before, array, after], axis)


def _statistic(array: Any, axis: int, width: tuple[int, int], lengths: list, mode: str) -> Any:
    """The statistic of the elements next to each end."""
    n = array.shape[axis]
    counts = [n if length is None else min(int(length), n) for length in lengths]
    if 0 in counts and mode in ("maximum", "minimum"):
        raise ValueError("stat_length of 0 yields no value for padding")
    parts = [_slab(array, axis, slice(counts[0])), _slab(array, axis, slice(n - counts[1], n))]
    sides = []
    for part, m in zip(parts, width, strict=True):
        value = _STATISTICS[mode](part, axis=axis, keepdims=True)
        if array.dtype.kind in "iu":
            value = np.round(value)
        shape = (*array.shape[:axis], m, *array.shape[axis + 1 :])
        sides.append(broadcast_to(astype(value, array.dtype), shape))
    return concatenate([sides[0], array, sides[1]], axis)


def _odd(array: Any, even: Any, place: Any, axis: int, width: Any, mode: str) -> Any:
    """Reflection at the end points: twice the edge less the mirrored element, and so on outwards.

    Every new element is ``s x[place] + a x[0] + b x[-1]``; padding three known vectors shows the
    coefficients.
    """
    n = array.shape[axis]
    first, last = (np.arange(n) == k for k in (0, n - 1))
    options: dict[str, Any] = {"mode": mode, "reflect_type": "odd"}
    a, b, total = (np.pad(v.astype(float), width, **options) for v in (first, last, np.ones(n)))
    if n == 1:
        b = np.zeros_like(b)
    s = np.where((place == 0) | (place == n - 1), 0.0, total - a - b)
    along = (-1,) + (1,) * (array.ndim - axis - 1)
    s, a, b = (beside(array, reshape(v.astype(array.dtype), along)) for v in (s, a, b))
    edges = _slab(array, axis, slice(1)), _slab(array, axis, slice(-1, None))
    return s * even + a * edges[0] + b * edges[1]


def _pad_by_function(array: Any, widths: list, function: Callable, options: dict) -> Any:
    """The user's function changes each vector in place; traced arrays take that as NumPy's do."""
    padded = _framed(array, widths)
    for axis, width in enumerate(widths):
        rows = moveaxis(padded, axis, -1)
        for index in np.ndindex(*rows.shape[:-1]):
            function(rows[(*index, slice(None))], width, axis, options)
    return padded
