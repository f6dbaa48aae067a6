"""Covariance, interpolation, convolution, functions of functions, grids.

These are the functions that do not come out right from NumPy's own source.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..primitives import fft as convolution
from ..primitives.core import Tracer, beside, shape_of
from .creation import array
from .dispatch import implements
from .elementwise import as_operand, conjugate, real
from .fallback import run_numpy_source
from .indexing import take
from .manipulation import (
    astype,
    broadcast_to,
    concatenate,
    moveaxis,
    normalize_axes,
    normalize_axis,
    ravel,
    reshape,
    stack,
    transpose,
)
from .operands import as_array, as_floating, is_known, known_value

__all__: list[str] = []


# --- covariance --------------------------------------------------------------------------------


@implements(np.cov)
def cov(
    m: Any,
    y: Any = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: Any = None,
    fweights: Any = None,
    aweights: Any = None,
    *,
    dtype: Any = None,
) -> Any:
    def variables(v: Any) -> Any:
        v = as_floating(v)
        if v.ndim > 2:
            raise ValueError("m has more than 2 dimensions")
        if v.ndim < 2:
            return reshape(v, (1, -1))
        return v if rowvar else transpose(v)

    x = variables(m)
    if y is not None:
        x = concatenate([x, variables(y)], 0)
    x = astype(x, np.result_type(x.dtype, np.float64) if dtype is None else dtype)
    if ddof is None:
        ddof = 0 if bias else 1
    weights: Any = None
    if fweights is not None:
        weights = np.asarray(fweights, float)
    if aweights is not None:
        aweights = as_floating(aweights)
        weights = aweights if weights is None else weights * aweights
    if weights is None:
        total: Any = x.shape[1]
        centre = np.mean(x, axis=1)
        factor = x.shape[1] - ddof
    else:
        total = np.sum(weights)
        centre = np.sum(x * weights, axis=1) / total
        if aweights is None or ddof == 0:
            factor = total - ddof
        else:
            factor = total - ddof * np.sum(weights * aweights) / total
    x = x - reshape(centre, (-1, 1))
    weighted = x if weights is None else x * weights
    result = np.dot(x, transpose(conjugate(weighted))) * np.true_divide(1, factor)
    return np.squeeze(result)


@implements(np.corrcoef)
def corrcoef(x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None) -> Any:
    c = cov(x, y, rowvar, dtype=dtype)
    if c.ndim == 0:
        return c / c
    deviation = np.sqrt(real(np.diagonal(c)))
    c = c / reshape(deviation, (-1, 1)) / reshape(deviation, (1, -1))
    if c.dtype.kind == "c":
        return np.clip(c.real, -1, 1) + 1j * np.clip(c.imag, -1, 1)
    return np.clip(c, -1, 1)


# --- interpolation and finite differences --------------------------------------------------------


@implements(np.interp)
def interp(
    x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None
) -> Any:
    # At a knot the slope is that of the interval to its right.
    x, xp = (astype(as_array(v), np.float64) for v in (x, xp))
    fp = as_array(fp)
    fp = astype(fp, np.complex128 if fp.dtype.kind == "c" else np.float64)
    if period is not None:
        if period == 0:
            raise ValueError("period must be a non-zero value")
        period = abs(period)
        left = right = None
        x, xp = np.remainder(x, period), np.remainder(xp, period)
        order = np.argsort(xp)
        xp, fp = take(xp, order), take(fp, order)
        xp = concatenate([xp[-1:] - period, xp, xp[:1] + period])
        fp = concatenate([fp[-1:], fp, fp[:1]])
    if xp.ndim != 1 or fp.shape != xp.shape or not xp.shape[0]:
        raise ValueError("fp and xp are not of the same length")
    n = xp.shape[0]
    first = fp[0] if left is None else left
    last = fp[n - 1] if right is None else right
    if n == 1:
        inside = fp[0]
    else:
        place = np.searchsorted(xp, ravel(x), side="right")
        j = reshape(np.clip(place - 1, 0, n - 2), x.shape)
        x0, x1, f0, f1 = take(xp, j), take(xp, j + 1), take(fp, j), take(fp, j + 1)
        inside = (f1 - f0) / (x1 - x0) * (x - x0) + f0
    result = np.where(x == xp[n - 1], fp[n - 1], inside)
    result = np.where(x < xp[0], first, np.where(x > xp[n - 1], last, result))
    return np.where(np.isnan(x), math.nan, result)


@implements(np.gradient)
def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    f = as_floating(f)
    axes = normalize_axes(axis, f.ndim)
    if edge_order not in (1, 2):
        raise ValueError("'edge_order' greater than 2 not supported")
    spacings = list(varargs) if varargs else [1.0]
    if len(spacings) == 1 and np.ndim(spacings[0]) == 0:
        spacings *= len(axes)
    if len(spacings) != len(axes):
        raise TypeError("invalid number of arguments")
    if any(f.shape[k] < edge_order + 1 for k in axes):
        raise ValueError(
            "Shape of array too small to calculate a numerical gradient, at least (edge_order + 1) "
            "elements are required."
        )
    parts = [
        _gradient_along(f, as_operand(h), k, edge_order)
        for h, k in zip(spacings, axes, strict=True)
    ]
    return parts[0] if len(parts) == 1 else tuple(parts)


def _gradient_along(f: Any, spacing: Any, axis: int, edge_order: int) -> Any:
    """Second-order differences at the given coordinates (Fornberg, 1988)."""
    dtype = f.dtype
    f = moveaxis(f, axis, -1)
    if np.ndim(spacing) > 1:
        raise ValueError("distances must be either scalars or 1d")
    if np.ndim(spacing) == 1:
        if spacing.shape[0] != f.shape[-1]:
            raise ValueError(
                "when 1d, distances must match the length of the corresponding dimension"
            )
        h: Any = np.diff(as_floating(spacing))
        if not isinstance(h, Tracer) and np.all(h == h[0]):
            h = h[0]  # as NumPy does; traced coordinates each keep their derivative
    else:
        h = spacing
    left, middle, right = f[..., :-2], f[..., 1:-1], f[..., 2:]
    if np.ndim(h) == 0:
        inner = (right - left) / (2.0 * h)
        first, second, last, before_last = h, h, h, h
    else:
        before, after = h[:-1], h[1:]
        inner = (
            -after / (before * (before + after)) * left
            + (after - before) / (before * after) * middle
            + before / (after * (before + after)) * right
        )
        first, second, last, before_last = h[:1], h[1:2], h[-1:], h[-2:-1]
    if edge_order == 1:
        start = (f[..., 1:2] - f[..., :1]) / first
        end = (f[..., -1:] - f[..., -2:-1]) / last
    else:
        (a, b, c), (x, y, z) = _edge_weights(first, second, before_last, last)
        start = a * f[..., :1] + b * f[..., 1:2] + c * f[..., 2:3]
        end = x * f[..., -3:-2] + y * f[..., -2:-1] + z * f[..., -1:]
    made = concatenate([start, inner, end], -1)
    return moveaxis(astype(made, dtype), -1, axis)


def _edge_weights(h1: Any, h2: Any, h3: Any, h4: Any) -> tuple[tuple, tuple]:
    """One-sided differences of second order at both ends, in NumPy's order of operations."""
    if np.ndim(h1) == 0:
        return (-1.5 / h1, 2.0 / h1, -0.5 / h1), (0.5 / h1, -2.0 / h1, 1.5 / h1)
    start = (
        -(2.0 * h1 + h2) / (h1 * (h1 + h2)),
        (h1 + h2) / (h1 * h2),
        -h1 / (h2 * (h1 + h2)),
    )
    end = (
        h4 / (h3 * (h3 + h4)),
        -(h4 + h3) / (h3 * h4),
        (2.0 * h4 + h3) / (h4 * (h3 + h4)),
    )
    return start, end


# --- convolution --------------------------------------------------------------------------------


def _full_convolution(a: Any, v: Any) -> Any:
    dtype = np.result_type(a.dtype, v.dtype)
    return convolution.convolve(astype(a, dtype), astype(v, dtype))


def _vectors(name: str, a: Any, v: Any) -> tuple[Any, Any]:
    a, v = (reshape(x, 1) if x.ndim == 0 else x for x in map(as_array, (a, v)))
    if a.ndim != 1 or v.ndim != 1:
        raise ValueError(f"{name}: expected vectors; got shapes {a.shape} and {v.shape}.")
    if not a.size or not v.size:
        raise ValueError(f"{name}: expected vectors that are not empty.")
    return a, v


def _part(full: Any, mode: Any, long: int, short: int, flipped: bool) -> Any:
    """The part of a full convolution that a mode of NumPy's names."""
    if mode in ("full", 2):
        return full
    if mode in ("valid", 0):
        return full[short - 1 : long]
    if mode not in ("same", 1):
        raise ValueError(f"mode must be one of 'valid', 'same', or 'full' (got {mode!r})")
    start = short - 1 - short // 2
    if flipped:
        start = short // 2
    return full[start : start + long]


@implements(np.convolve)
def convolve(a: Any, v: Any, mode: Any = "full") -> Any:
    a, v = _vectors("np.convolve", a, v)
    if v.size > a.size:
        a, v = v, a
    return _part(_full_convolution(a, v), mode, a.size, v.size, False)


@implements(np.correlate)
def correlate(a: Any, v: Any, mode: Any = "valid") -> Any:
    a, v = _vectors("np.correlate", a, v)
    full = _full_convolution(a, conjugate(v)[::-1])
    # Where the second is longer NumPy swaps them and reverses the result.
    return _part(full, mode, max(a.size, v.size), min(a.size, v.size), v.size > a.size)


@implements(np.vander)
def vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:  # noqa: N803
    x = as_array(x)
    if x.ndim != 1:
        raise ValueError("x must be a one-dimensional array or sequence.")
    x = astype(x, np.promote_types(x.dtype, int))
    n = x.shape[0] if N is None else N
    if n == 0:
        return np.zeros((x.shape[0], 0), x.dtype)
    ones = beside(x, np.ones((x.shape[0], 1), x.dtype))
    powers = ones
    if n > 1:
        repeated = broadcast_to(reshape(x, (-1, 1)), (x.shape[0], n - 1))
        powers = concatenate([ones, np.cumprod(repeated, axis=1)], 1)
    return powers if increasing else powers[:, ::-1].copy()


@implements(np.ediff1d)
def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    ary = ravel(as_array(ary))
    parts = [np.diff(ary)]

    def end(name: str, x: Any) -> Any:
        x = ravel(as_array(x))
        if not np.can_cast(x.dtype, ary.dtype, casting="same_kind"):
            raise TypeError(
                f"dtype of `{name}` must be compatible with input `ary` under the `same_kind` rule."
            )
        return astype(x, ary.dtype)

    if to_begin is not None:
        parts.insert(0, end("to_begin", to_begin))
    if to_end is not None:
        parts.append(end("to_end", to_end))
    return concatenate(parts) if len(parts) > 1 else parts[0]


# --- functions applied ---------------------------------------------------------------------------


@implements(np.apply_along_axis)
def apply_along_axis(func1d: Callable, axis: int, arr: Any, *args: Any, **kwargs: Any) -> Any:
    arr = as_array(arr)
    axis = normalize_axis(axis, arr.ndim)
    rows = moveaxis(arr, axis, -1)
    lead = rows.shape[:-1]
    if 0 in lead:
        raise ValueError("Cannot apply_along_axis when any iteration dimensions are 0")
    results = [array(func1d(rows[i].copy(), *args, **kwargs)) for i in np.ndindex(*lead)]
    made = stack(results)
    own = made.shape[1:]
    made = reshape(made, lead + own)
    count = len(own)
    source = range(len(lead), len(lead) + count)
    return moveaxis(made, tuple(source), tuple(range(axis, axis + count)))


@implements(np.piecewise)
def piecewise(x: Any, condlist: Any, funclist: Any, *args: Any, **kw: Any) -> Any:
    x = as_array(x)
    if isinstance(condlist, (np.ndarray, Tracer)):
        alone = condlist.ndim == 0 or (condlist.ndim == 1 and x.ndim != 0)
    else:
        first = condlist if isinstance(condlist, (bool, np.bool_)) else condlist[0]
        single = isinstance(first, (bool, int, np.bool_)) or shape_of(as_array(first)) == ()
        alone = first is condlist or (single and x.ndim != 0)
    conditions = [as_array(c) for c in ([condlist] if alone else condlist)]
    conditions = [c if c.dtype.kind == "b" else np.not_equal(c, 0) for c in conditions]
    pieces = list(funclist)
    count = len(conditions)
    if len(pieces) == count + 1:
        rest = np.logical_not(functools.reduce(np.logical_or, conditions))
        conditions.append(rest)
    elif len(pieces) != count:
        raise ValueError(
            f"with {count} condition(s), either {count} or {count + 1} functions are expected"
        )
    result: Any = np.zeros_like(x)
    for condition, piece in zip(conditions, pieces, strict=True):  # the last that holds counts
        if not callable(piece):
            result = np.where(condition, astype(as_array(piece), x.dtype), result)
        elif is_known(condition) and x.ndim:
            # As NumPy does: a piece sees the elements it is for, and no others.
            where = np.nonzero(known_value("np.piecewise", condition))
            if where[0].size:
                result = result.copy()
                result[where] = piece(x[where], *args, **kw)
        elif not is_known(condition) or known_value("", condition):
            # The conditions differ over a batch: evaluate every piece everywhere and pick.
            value = as_array(piece(x, *args, **kw))
            result = np.where(condition, astype(value, x.dtype), result)
    return result


@implements(np.kaiser)
def kaiser(M: Any, beta: Any) -> Any:  # noqa: N803  (NumPy's name)
    """The Kaiser window of ``M`` points, i0(beta sqrt(1 - t^2)) / i0(beta) for t in [-1, 1]."""
    if M < 1:
        return np.zeros(0)
    if M == 1:
        return np.ones(1)
    t = np.arange(M) / ((M - 1) / 2.0) - 1.0
    return i0(beta * np.sqrt(np.maximum(1.0 - t * t, 0.0))) / i0(beta)


@implements(np.sinc)
def sinc(x: Any) -> Any:
    from ..primitives import special  # imports scipy.special

    return special.sinc(as_floating(x))


@implements(np.i0)
def i0(x: Any) -> Any:
    from ..primitives import special

    return special.numpy_i0(as_floating(x))


# --- making arrays -------------------------------------------------------------------------------


@implements(np.geomspace)
def geomspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0
) -> Any:
    if is_known(start) and is_known(stop):
        return run_numpy_source(np.geomspace, (start, stop, num, endpoint, dtype, axis), {})
    start, stop = (as_floating(v) for v in (start, stop))
    ratio = np.log(stop / start)
    start = start + 0.0 * ratio
    steps = np.linspace(0.0 * ratio, ratio, num, endpoint)
    made = np.moveaxis(start * np.exp(steps), 0, axis)
    return made if dtype is None else astype(made, dtype)


@implements(np.meshgrid)
def meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> Any:
    if indexing not in ("xy", "ij"):
        raise ValueError("Valid values for `indexing` are 'xy' and 'ij'.")
    ndim = len(xi)
    places = list(range(ndim))
    if indexing == "xy" and ndim > 1:
        places[:2] = [1, 0]
    spread = [
        reshape(x, [-1 if k == place else 1 for k in range(ndim)])
        for x, place in zip(map(as_array, xi), places, strict=True)
    ]
    if sparse:
        return tuple(spread)
    shape = np.broadcast_shapes(*[x.shape for x in spread])
    return tuple(broadcast_to(x, shape) for x in spread)


@implements(np.insert)
def insert(arr: Any, obj: Any, values: Any, axis: Any = None) -> Any:
    arr, values = as_array(arr), as_array(values)
    if axis is None:
        arr, axis = ravel(arr), 0
    axis = normalize_axis(axis, arr.ndim)
    values = astype(values, arr.dtype)
    n = arr.shape[axis]
    values = reshape(values, (1,) * max(arr.ndim - values.ndim, 0) + values.shape)
    where = obj if isinstance(obj, slice) else np.asarray(obj)
    if not isinstance(where, slice) and where.ndim == 0:
        values = moveaxis(values, 0, axis)
        count = values.shape[axis]
    else:
        positions = np.arange(n)[where] if isinstance(where, slice) else where
        count = int(np.sum(positions)) if positions.dtype == bool else positions.size
        if count == 1:
            count = values.shape[axis]
    shape = tuple(count if i == axis else m for i, m in enumerate(arr.shape))
    # Insert numbers of the new elements among those of the old ones, and pick by number.
    order = np.insert(np.arange(n), obj, n + np.arange(count))
    return take(concatenate([arr, broadcast_to(values, shape)], axis), order, axis)
