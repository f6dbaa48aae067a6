"""Medians and quantiles: the order is constant almost everywhere, the values follow it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..primitives import elementwise as e
from ..primitives.core import Tracer, beside
from ..primitives.reduction import keep_dims
from .dispatch import implements, refuse_out
from .elementwise import discretize
from .indexing import getitem, take, take_along_axis
from .manipulation import astype, moveaxis, normalize_axes, ravel, reshape, transpose
from .operands import as_array, as_floating, is_known, known_value, weights_like
from .sorting import sort

__all__: list[str] = []

# Hyndman and Fan's continuous definitions (The American Statistician 50, 1996, table 1): the
# q-quantile stands at n q + alpha + q (1 - alpha - beta) - 1 in the sorted sample.
_CONTINUOUS = {
    "linear": (1.0, 1.0),
    "interpolated_inverted_cdf": (0.0, 1.0),
    "hazen": (0.5, 0.5),
    "weibull": (0.0, 0.0),
    "median_unbiased": (1 / 3, 1 / 3),
    "normal_unbiased": (3 / 8, 3 / 8),
}


def _middle(h: Any) -> Any:
    return 0.5 * (np.floor(h) + np.ceil(h))


def _step(h: Any, stay: Any, gap: float) -> Any:
    return np.floor(h) + np.where(stay, gap, 1.0)


# The others are steps in q: where they stand in a sample of n.
_STEPPED: dict[str, Callable[[Any, Any], Any]] = {
    "inverted_cdf": lambda n, q: np.ceil(n * q - 1),
    "averaged_inverted_cdf": lambda n, q: _step(n * q - 1, n * q - 1 == np.floor(n * q - 1), 0.5),
    "closest_observation": lambda n, q: _step(n * q - 1.5, _odd_whole(n * q - 1.5), 0.0),
    "lower": lambda n, q: np.floor((n - 1) * q),
    "higher": lambda n, q: np.ceil((n - 1) * q),
    "midpoint": lambda n, q: _middle((n - 1) * q),
    "nearest": lambda n, q: np.rint((n - 1) * q),
}


def _odd_whole(h: Any) -> Any:
    return np.logical_and(h == np.floor(h), np.floor(h) % 2 == 1)


def _rows(a: Any, axis: Any) -> tuple[Any, tuple[int, ...]]:
    """``a`` with the axes made one, the last, and those axes."""
    axes = normalize_axes(axis, a.ndim)
    kept = [i for i in range(a.ndim) if i not in axes]
    n = math.prod(a.shape[i] for i in axes)
    if list(axes) == [a.ndim - 1]:
        return a, axes
    return reshape(transpose(a, [*kept, *axes]), [*(a.shape[i] for i in kept), n]), axes


def _present(rows: Any) -> Any:
    return np.sum(np.logical_not(np.isnan(rows)), axis=-1, keepdims=True)


def _nan_if(flag: Any, x: Any) -> Any:
    return e.select(flag, math.nan, x)


def _median(a: Any, axis: Any, keepdims: Any, skip_nan: bool) -> Any:
    a = as_floating(a)
    rows, axes = _rows(a, axis)
    ordered = sort(rows)
    n: Any = _present(rows) if skip_nan else rows.shape[-1]
    if rows.shape[-1] == 0:
        return (np.nanmedian if skip_nan else np.median)(np.empty(a.shape), axis, keepdims=keepdims)
    if skip_nan:
        low, high = (np.maximum(i, 0) for i in ((n - 1) // 2, n // 2))
        result = (take_along_axis(ordered, low) + take_along_axis(ordered, high)) / 2.0
        result = getitem(result, (Ellipsis, 0))
    else:
        result = getitem(ordered, (Ellipsis, n // 2))
        if n % 2 == 0:
            result = (getitem(ordered, (Ellipsis, n // 2 - 1)) + result) / 2.0
        result = _nan_if(e.isnan(getitem(ordered, (Ellipsis, -1))), result)
    return keep_dims(result, a.shape, axes) if keepdims is True else result


@implements(np.median)
def median(
    a: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False, keepdims: Any = False
) -> Any:
    refuse_out("np.median", out)
    return _median(a, axis, keepdims, skip_nan=False)


@implements(np.nanmedian)
def nanmedian(
    a: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False, keepdims: Any = False
) -> Any:
    refuse_out("np.nanmedian", out)
    return _median(a, axis, keepdims, skip_nan=True)


def _position(n: Any, q: Any, method: str) -> Any:
    """Where in a sorted sample of ``n`` the quantiles stand, a number between 0 and n - 1."""
    if method == "linear":
        at = (n - 1) * q
    elif method in _CONTINUOUS:
        alpha, beta = _CONTINUOUS[method]
        at = n * q + (alpha + q * (1 - alpha - beta)) - 1
    else:
        at = _STEPPED[method](n, q)
    # Outside the sample the quantile is its first or last element, with slope 0.
    return np.clip(at, 0.0, n - 1.0)


def _weighted(name: str, rows: Any, q: Any, weights: Any, skip_nan: bool) -> Any:
    """Of each row, the first element whose share of the weight, summed up to it, reaches ``q``."""
    order = np.argsort(rows, axis=-1, kind="stable")
    weights = astype(weights, np.float64)
    if skip_nan:
        weights = e.select(e.isnan(rows), 0.0, weights)
    running = np.cumsum(take_along_axis(weights, order), axis=-1)
    share = running / running[..., -1:]
    if is_known(share):
        values, least = known_value(name, share), known_value(name, weights)
        if np.isnan(values).any() or (least < 0).any():
            raise ValueError(f"{name}: expected weights that are not negative, of finite sum > 0.")
    # Leading weights of zero are no part of the sample, not even for q = 0.
    share = np.where(share == 0, -1.0, share)
    before = np.sum(share[..., None, :] < q[:, None], axis=-1)
    return take_along_axis(take_along_axis(rows, order), np.minimum(before, rows.shape[-1] - 1), -1)


def _quantile(
    name: str,
    a: Any,
    q: Any,
    axis: Any,
    method: str,
    keepdims: Any,
    weights: Any,
    skip_nan: bool,
    scale: float,
) -> Any:
    a = as_floating(a)
    if a.dtype.kind == "c":
        raise TypeError("a must be an array of real numbers")
    if method not in _CONTINUOUS and method not in _STEPPED:
        methods = sorted([*_CONTINUOUS, *_STEPPED])
        raise ValueError(f"{name}: expected a method out of {methods}; got {method!r}.")
    weak = type(q) in (int, float)  # a Python number does not promote float32
    q = as_floating(q) if hasattr(q, "dtype") else beside(a, as_floating(q))
    if scale != 1.0:
        q = q / scale
    if is_known(q) and not np.all((known_value(name, q) >= 0) & (known_value(name, q) <= 1)):
        raise ValueError(f"{name}: expected quantiles between 0 and {int(scale)}; got others.")
    rows, axes = _rows(a, axis)
    if not rows.shape[-1]:
        raise ValueError(f"{name}: expected at least one element; got shape {a.shape}.")
    if weights is not None:
        if method != "inverted_cdf":
            raise ValueError(f"Only method 'inverted_cdf' supports weights. Got: {method}.")
        full = weights_like(name, weights, a, axis)
        result = _weighted(name, rows, ravel(q), _rows(full, axes)[0], skip_nan)
        last = np.max(rows, axis=-1, keepdims=True)  # NaN where there is one
    else:
        ordered = sort(rows)
        result = _interpolated(a.dtype, ordered, rows, ravel(q), method, skip_nan, weak)
        last = getitem(ordered, (Ellipsis, slice(-1, None)))
    if not skip_nan:
        result = _nan_if(e.isnan(last), result)
    result = reshape(moveaxis(result, -1, 0), (*q.shape, *rows.shape[:-1]))
    if keepdims is True:
        kept = tuple(1 if i in axes else m for i, m in enumerate(a.shape))
        result = reshape(result, (*q.shape, *kept))
    return result


def _interpolated(
    dtype: Any, ordered: Any, rows: Any, q: Any, method: str, skip_nan: bool, weak: bool
) -> Any:
    n: Any = rows.shape[-1]
    if skip_nan:
        n = np.maximum(astype(_present(rows), q.dtype), 1.0)
    at = _position(n, q, method)
    below = np.floor(at)
    fraction = at - below
    low = (
        discretize(below, np.dtype(np.intp)) if isinstance(below, Tracer) else below.astype(np.intp)
    )
    last = n - 1 if isinstance(n, int) else astype(n, np.intp) - 1
    high = np.minimum(low + 1, last)
    if isinstance(n, int):  # one position for all rows
        first, second = take(ordered, low, -1), take(ordered, high, -1)
    else:
        first, second = take_along_axis(ordered, low), take_along_axis(ordered, high)
    # From the nearer end, as NumPy does.
    step = second - first
    near, rest = fraction >= 0.5, 1.0 - fraction
    if weak or method in ("inverted_cdf", "closest_observation", "lower", "higher", "nearest"):
        fraction, rest = astype(fraction, dtype), astype(rest, dtype)
    result = np.where(near, second - step * rest, first + step * fraction)
    # Infinite neighbours that are equal: their difference is NaN.
    return np.where(np.equal(first, second), first, result)


def _declare_quantile(numpy_function: Callable, skip_nan: bool, scale: float) -> None:
    name = f"np.{numpy_function.__name__}"

    def quantile(
        a: Any,
        q: Any,
        axis: Any = None,
        out: Any = None,
        overwrite_input: bool = False,
        method: str = "linear",
        keepdims: Any = False,
        *,
        weights: Any = None,
    ) -> Any:
        refuse_out(name, out)
        weights = None if weights is None else as_array(weights)
        return _quantile(name, a, q, axis, method, keepdims, weights, skip_nan, scale)

    implements(numpy_function)(quantile)


_declare_quantile(np.quantile, False, 1.0)
_declare_quantile(np.percentile, False, 100.0)
_declare_quantile(np.nanquantile, True, 1.0)
_declare_quantile(np.nanpercentile, True, 100.0)
