"""Statistics of labelled regions of plain and traced images; labels are plain integers."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from ...errors import boundary, user_line
from ...numpy.elementwise import as_operand
from ...primitives.core import Tracer, shape_of
from ..source import has_tracer

__all__ = [
    "center_of_mass", "extrema", "maximum", "maximum_position", "mean", "median", "minimum",
    "minimum_position", "standard_deviation", "sum", "sum_labels", "variance",
]  # fmt: skip


def _regions(name: str, shape: tuple, labels: Any, index: Any) -> tuple[list[np.ndarray], Any]:
    """Positions in the flat image of each region asked for, and the shape of the answer."""
    for what, v in (("labels", labels), ("index", index)):
        if has_tracer(v):
            raise TypeError(
                f"ndimage.{name}: expected plain {what}; got traced ones, at {user_line()}."
            )
    count = int(np.prod(shape))
    if labels is None:
        if index is not None:
            raise ValueError("index must be None when labels is None")
        return [np.arange(count)], ()
    flat = np.broadcast_to(np.asarray(labels), shape).ravel()
    if index is None:
        return [np.flatnonzero(flat > 0)], ()
    index = np.asarray(index)
    return [np.flatnonzero(flat == k) for k in index.ravel()], index.shape


def _reduced(name: str, empty: float, reduce: Callable[[Any], Any]) -> Callable:
    """The statistic ``reduce`` of each region; ``empty`` where a region has no element."""

    def statistic(input: Any, labels: Any = None, index: Any = None) -> Any:
        if not has_tracer(input):
            public = getattr(importlib.import_module("scipy.ndimage"), name)
            return public(input, labels, index)
        x = as_operand(input)
        regions, shape = _regions(name, shape_of(x), labels, index)
        flat = np.reshape(x, -1)
        found = [reduce(flat[at]) if at.size else 0.0 * flat[0] + empty for at in regions]
        return found[0] if shape == () else np.reshape(np.stack(found), shape)

    statistic.__name__ = statistic.__qualname__ = name
    statistic.__doc__ = f"``scipy.ndimage.{name}``, also of traced images; the same arguments."
    return boundary(statistic)


sum_labels = _reduced("sum_labels", 0.0, np.sum)
sum = _reduced("sum", 0.0, np.sum)
mean = _reduced("mean", np.nan, np.mean)
variance = _reduced("variance", np.nan, np.var)
standard_deviation = _reduced("standard_deviation", np.nan, np.std)
maximum = _reduced("maximum", 0.0, np.max)
minimum = _reduced("minimum", 0.0, np.min)
median = _reduced("median", np.nan, np.median)


def _position(name: str, find: Callable) -> Callable:
    """Where the extreme of each region is: integers, which carry no derivative."""

    def position(input: Any, labels: Any = None, index: Any = None) -> Any:
        if not has_tracer(input):
            public = getattr(importlib.import_module("scipy.ndimage"), name)
            return public(input, labels, index)
        x = as_operand(input)
        regions, shape = _regions(name, shape_of(x), labels, index)
        flat = np.reshape(x, -1)
        at = [np.asarray(r)[find(flat[r])] if not isinstance(x, Tracer) else _pick(r, find(flat[r]))
              for r in regions]  # fmt: skip
        places = [_unravelled(k, shape_of(x)) for k in at]
        return places[0] if shape == () else places

    position.__name__ = position.__qualname__ = name
    position.__doc__ = f"``scipy.ndimage.{name}``, also of traced images; the same arguments."
    return boundary(position)


def _pick(table: np.ndarray, k: Any) -> Any:
    from ...numpy.creation import traced

    return traced(table)[k]


def _unravelled(k: Any, shape: tuple) -> tuple:
    made = []
    for n in reversed(shape):
        made.append(k % n)
        k = k // n
    return tuple(reversed(made))


maximum_position = _position("maximum_position", np.argmax)
minimum_position = _position("minimum_position", np.argmin)


@boundary
def extrema(input: Any, labels: Any = None, index: Any = None) -> tuple:
    """``scipy.ndimage.extrema``: least and greatest values, and where they are."""
    given = (input, labels, index)
    return minimum(*given), maximum(*given), minimum_position(*given), maximum_position(*given)


@boundary
def center_of_mass(input: Any, labels: Any = None, index: Any = None) -> Any:
    """``scipy.ndimage.center_of_mass``: mean position of each region, weighted by the image."""
    if not has_tracer(input):
        public = importlib.import_module("scipy.ndimage")
        return public.center_of_mass(input, labels, index)
    x = as_operand(input)
    total = sum(x, labels, index)
    grids = np.indices(shape_of(x)).astype(float)
    centre = [sum(x * grid, labels, index) / total for grid in grids]
    if labels is None or index is None or np.ndim(index) == 0:
        return tuple(centre)
    return [tuple(v[k] for v in centre) for k in range(np.asarray(index).size)]
