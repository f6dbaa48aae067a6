"""Histograms, counts and sets: what is counted is constant, weights and edges are not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..primitives.core import dtype_of, shape_of
from ..primitives.indexing import scatter_add
from .dispatch import implements
from .indexing import take
from .manipulation import astype, ravel, reshape, transpose
from .operands import as_array, as_floating, is_known, known_value

__all__: list[str] = []


@implements(np.bincount)
def bincount(x: Any, /, weights: Any = None, minlength: int = 0) -> Any:
    places = known_value("np.bincount", x, "the length of the result depends on a value not known")
    if weights is None:
        return np.bincount(places, minlength=minlength)
    length = len(np.bincount(places, minlength=minlength))
    weights = astype(as_array(weights), np.float64, casting="same_kind")
    if weights.shape != places.shape:
        raise ValueError("The weights and list don't have the same length.")
    return scatter_add(weights, places, shape=(length,))


# --- histograms --------------------------------------------------------------------------------


def _edges(name: str, a: Any, bins: Any, limits: Any, of_dtype: bool = True) -> Any:
    """Edges of the bins; those between the least and the largest element move with them."""
    if isinstance(bins, str):
        values = known_value(name, a, f"the number of bins by the rule {bins!r} depends on values")
        bins = len(np.histogram_bin_edges(values, bins, limits)) - 1
    if np.ndim(bins) == 0:
        if not isinstance(bins, (int, np.integer)):
            raise TypeError("`bins` must be an integer, a string, or an array")
        if bins < 1:
            raise ValueError("`bins` must be positive, when an integer")
        if limits is not None:
            low, high = limits
            if is_known(low, high) and not known_value(name, low) <= known_value(name, high):
                raise ValueError("max must be larger than min in range parameter.")
        else:
            low, high = (0.0, 1.0) if not math.prod(shape_of(a)) else (np.min(a), np.max(a))
        if (
            is_known(low, high)
            and not np.isfinite([known_value(name, v) for v in (low, high)]).all()
        ):
            raise ValueError(f"range of [{low}, {high}] is not finite")
        weak = [v if type(v) in (int, float) else as_array(v).dtype for v in (low, high)]
        dtype = np.result_type(*weak, dtype_of(a))
        equal = np.equal(low, high)
        low, high = np.where(equal, low - 0.5, low), np.where(equal, high + 0.5, high)
        edges = np.linspace(low, high, int(bins) + 1)
        return astype(edges, dtype) if of_dtype else edges
    edges = as_array(bins)
    if edges.ndim != 1:
        raise ValueError("`bins` must be 1d, when an array")
    if is_known(edges):
        plain = known_value(name, edges)
        if np.any(plain[:-1] > plain[1:]):
            raise ValueError("`bins` must increase monotonically, when an array")
    return edges


def _bin_of(edges: Any, a: Any) -> tuple[Any, Any]:
    """The bin of each element, and whether it is in one; the last bin has both its edges."""
    bins = edges.shape[0] - 1
    place = np.searchsorted(edges, a, side="right") - 1
    place = np.where(np.equal(a, edges[-1]), bins - 1, place)
    return place, np.logical_and(place >= 0, place < bins)


@implements(np.histogram)
def histogram(
    a: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None
) -> Any:
    a = as_array(a)
    if weights is not None:
        if isinstance(bins, str):
            raise TypeError(
                "Automated estimation of the number of bins is not supported for weighted data"
            )
        weights = as_array(weights)
        if weights.shape != a.shape:
            raise ValueError("weights should have the same shape as a.")
    a = ravel(as_floating(a))
    edges = _edges("np.histogram", a, bins, range)
    count = edges.shape[0] - 1
    place, inside = _bin_of(edges, a)
    place = np.where(inside, place, count)  # a bin that is thrown away
    values = np.ones(a.shape, np.int64) if weights is None else ravel(weights)
    counts = scatter_add(values, place, shape=(count + 1,))[:-1]
    if density:
        counts = counts / astype(np.diff(edges), np.float64) / np.sum(counts)
    return counts, edges


@implements(np.histogram_bin_edges)
def histogram_bin_edges(a: Any, bins: Any = 10, range: Any = None, weights: Any = None) -> Any:
    return _edges("np.histogram_bin_edges", ravel(as_floating(a)), bins, range)


@implements(np.histogramdd)
def histogramdd(
    sample: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None
) -> Any:
    if hasattr(sample, "shape"):
        points = sample if len(sample.shape) == 2 else reshape(as_array(sample), (-1, 1))
    else:
        points = transpose(np.stack([as_array(x) for x in sample]))
    points = as_floating(points)
    size, ndim = points.shape
    every: Sequence = [bins] * ndim if np.ndim(bins) == 0 else bins
    limits: Sequence = [None] * ndim if range is None else range
    if len(every) != ndim:
        raise ValueError("The dimension of bins must be equal to the dimension of the sample x.")
    if len(limits) != ndim:
        raise ValueError("range argument must have one entry per dimension")
    flat: Any = 0
    valid: Any = True
    edges = []
    for i, (each, limit) in enumerate(zip(every, limits, strict=True)):
        column = points[:, i]
        made = _edges("np.histogramdd", column, each, limit, of_dtype=False)
        place, inside = _bin_of(made, column)
        flat = flat * (made.shape[0] - 1) + place
        valid = np.logical_and(valid, inside)
        edges.append(made)
    shape = tuple(made.shape[0] - 1 for made in edges)
    total = math.prod(shape)
    values = np.ones(size) if weights is None else as_array(weights)
    values = astype(values, np.float64, casting="same_kind")
    counts = scatter_add(values, np.where(valid, flat, total), shape=(total + 1,))[:-1]
    counts = reshape(counts, shape)
    if density:
        counts = counts / np.sum(counts)
        for i, made in enumerate(edges):
            along = tuple(-1 if k == i else 1 for k, _ in enumerate(shape))
            counts = counts / reshape(np.diff(made), along)
    return counts, tuple(edges)


# --- sets ----------------------------------------------------------------------------------------


@implements(np.unique)
def unique(
    ar: Any,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: Any = None,
    *,
    equal_nan: bool = True,
    sorted: bool = True,
) -> Any:
    # Which elements are kept depends on values; the kept ones carry their derivatives.
    value = known_value("np.unique", ar, "the length of the result depends on values not known")
    _, index, *rest = np.unique(  # type: ignore[call-overload]
        value, True, return_inverse, return_counts, axis, equal_nan=equal_nan
    )
    kept = take(ar, index, axis)
    if return_index:
        rest.insert(0, index)
    return (kept, *rest) if rest else kept


@implements(np.isin)
def isin(
    element: Any,
    test_elements: Any,
    assume_unique: bool = False,
    invert: bool = False,
    *,
    kind: Any = None,
) -> Any:
    element, among = as_array(element), ravel(as_array(test_elements))
    if not among.shape[0]:
        found: Any = np.zeros(element.shape, bool)
    else:
        ordered = np.sort(astype(among, np.result_type(dtype_of(element), dtype_of(among))))
        place = np.minimum(np.searchsorted(ordered, element), among.shape[0] - 1)
        found = np.equal(take(ordered, place), element)
    return np.logical_not(found) if invert else found
