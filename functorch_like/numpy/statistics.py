"""Order statistics, covariance, interpolation, convolution, histograms; functions that assign.

These are the functions that do not come out right from NumPy's own source.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import ConcreteValueError, user_line
from ..primitives import elementwise as e
from ..primitives import fft as convolution
from ..primitives.core import Tracer, dtype_of, shape_of
from ..primitives.indexing import scatter_add
from ..primitives.reduction import keep_dims
from .creation import array
from .dispatch import implements, refuse_out
from .elementwise import as_operand, conjugate, discretize, real
from .fallback import run_numpy_source
from .indexing import getitem, setitem, take, take_along_axis
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
from .sorting import sort

__all__: list[str] = []


def _array(x: Any) -> Any:
    x = as_operand(x)
    return x if isinstance(x, Tracer) else np.asarray(x)


def _floating(x: Any) -> Any:
    """An operand as a floating array or tracer."""
    x = _array(x)
    return x if x.dtype.kind in "fc" else astype(x, np.float64)


def _concrete(name: str, x: Any, why: str) -> np.ndarray:
    value = x.concrete() if isinstance(x, Tracer) else x
    if value is None:
        raise ConcreteValueError(f"{name}: {why}, at {user_line()}.")
    return np.asarray(value)


def _known(x: Any) -> bool:
    """Whether the value of an operand can be looked at."""
    return not isinstance(x, Tracer) or x.concrete() is not None


# --- order statistics --------------------------------------------------------------------------

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
    a = _floating(a)
    rows, axes = _rows(a, axis)
    ordered = sort(rows)
    n: Any = _present(rows) if skip_nan else rows.shape[-1]
    if skip_nan:
        low, high = (np.maximum(i, 0) for i in ((n - 1) // 2, n // 2))
        result = (take_along_axis(ordered, low) + take_along_axis(ordered, high)) / 2.0
        result = getitem(result, (Ellipsis, 0))
    elif n == 0:
        return np.median(np.empty(a.shape), axis, keepdims=keepdims)
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


def _position(name: str, n: Any, q: Any, method: str) -> Any:
    """Where in a sorted sample of ``n`` the quantiles stand, a number between 0 and n - 1."""
    if method in _CONTINUOUS:
        alpha, beta = _CONTINUOUS[method]
        if method == "linear":
            at = (n - 1) * q
        else:
            at = n * q + (alpha + q * (1 - alpha - beta)) - 1
        # Outside the sample the quantile is its first or last element, with slope 0.
        return np.clip(at, 0.0, n - 1.0)
    if isinstance(n, int) and _known(q):
        # The others are steps in q: NumPy's answer for the positions themselves.
        positions: Any = np.arange(float(n))
        return np.quantile(positions, _concrete(name, q, ""), method=method)  # type: ignore[call-overload]
    raise TypeError(
        f"{name}: method={method!r} is not supported for a sample or quantiles whose values are "
        f"not known, at {user_line()}; use one of {sorted(_CONTINUOUS)}."
    )


def _quantile(
    name: str, a: Any, q: Any, axis: Any, method: str, keepdims: Any, skip_nan: bool, scale: float
) -> Any:
    a = _floating(a)
    if a.dtype.kind == "c":
        raise TypeError("a must be an array of real numbers")
    weak = type(q) in (int, float)  # a Python number does not promote float32
    q = _floating(q)
    if scale != 1.0:
        q = q / scale
    if _known(q) and not np.all((_concrete(name, q, "") >= 0) & (_concrete(name, q, "") <= 1)):
        highest = int(scale)
        raise ValueError(f"{name}: expected quantiles between 0 and {highest}; got others.")
    rows, axes = _rows(a, axis)
    ordered = sort(rows)
    lead = rows.shape[:-1]
    n: Any = rows.shape[-1]
    if skip_nan:
        n = np.maximum(astype(_present(rows), q.dtype), 1.0)
    at = _position(name, n, ravel(q), method)
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
    if weak:
        fraction, rest = astype(fraction, a.dtype), astype(rest, a.dtype)
    result = np.where(near, second - step * rest, first + step * fraction)
    # Infinite neighbours that are equal: their difference is NaN.
    result = np.where(np.equal(first, second), first, result)
    if not skip_nan:
        result = _nan_if(e.isnan(getitem(ordered, (Ellipsis, slice(-1, None)))), result)
    result = reshape(moveaxis(result, -1, 0), (*q.shape, *lead))
    if keepdims is True:
        kept = tuple(1 if i in axes else m for i, m in enumerate(a.shape))
        result = reshape(result, (*q.shape, *kept))
    return result


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
        **unused: Any,
    ) -> Any:
        refuse_out(name, out)
        if weights is not None:
            options = {"axis": axis, "method": method, "keepdims": keepdims, "weights": weights}
            return run_numpy_source(numpy_function, (a, q), options)
        return _quantile(name, a, q, axis, method, keepdims, skip_nan, scale)

    implements(numpy_function)(quantile)


_declare_quantile(np.quantile, False, 1.0)
_declare_quantile(np.percentile, False, 100.0)
_declare_quantile(np.nanquantile, True, 1.0)
_declare_quantile(np.nanpercentile, True, 100.0)

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
        v = _floating(v)
        if v.ndim > 2:
            raise ValueError("m has more than 2 dimensions")
        if v.ndim < 2:
            return reshape(v, (1, -1))
        return v if rowvar else transpose(v)

    x = variables(m)
    if y is not None:
        x = concatenate([x, variables(y)], 0)
    if dtype is not None:
        x = astype(x, dtype)
    if ddof is None:
        ddof = 0 if bias else 1
    weights: Any = None
    if fweights is not None:
        weights = np.asarray(fweights, float)
    if aweights is not None:
        aweights = _floating(aweights)
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
def corrcoef(
    x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None, **unused: Any
) -> Any:
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
    x, xp = (astype(_array(v), np.float64) for v in (x, xp))
    fp = _array(fp)
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
    if not any(isinstance(v, Tracer) and v.ndim for v in varargs):  # type: ignore[attr-defined]
        return run_numpy_source(
            np.gradient, (f, *varargs), {"axis": axis, "edge_order": edge_order}
        )
    # NumPy takes equal spacings as one number, through which coordinates would get no derivative.
    f = _floating(f)
    axes = normalize_axes(axis, f.ndim)
    spacings = list(varargs) * (len(axes) if len(varargs) == 1 else 1)
    if len(spacings) != len(axes):
        raise TypeError("invalid number of arguments")
    parts = [
        _gradient_along(f, as_operand(h), ax, edge_order)
        for h, ax in zip(spacings, axes, strict=True)
    ]
    return parts[0] if len(parts) == 1 else tuple(parts)


def _gradient_along(f: Any, points: Any, axis: int, edge_order: int) -> Any:
    """Second-order differences at the given coordinates (Fornberg, 1988)."""
    if shape_of(points) == ():
        return run_numpy_source(np.gradient, (f, points), {"axis": axis, "edge_order": edge_order})
    f = moveaxis(f, axis, -1)
    h = np.diff(points)
    before, after = h[:-1], h[1:]
    left, middle, right = f[..., :-2], f[..., 1:-1], f[..., 2:]
    inner = (
        -after / (before * (before + after)) * left
        + (after - before) / (before * after) * middle
        + before / (after * (before + after)) * right
    )
    if edge_order == 1:
        start = (f[..., 1:2] - f[..., :1]) / h[:1]
        end = (f[..., -1:] - f[..., -2:-1]) / h[-1:]
    else:
        start = _edge_slope(f[..., :1], f[..., 1:2], f[..., 2:3], h[:1], h[1:2])
        end = _edge_slope(f[..., -1:], f[..., -2:-1], f[..., -3:-2], -h[-1:], -h[-2:-1])
    return moveaxis(concatenate([start, inner, end], -1), -1, axis)


def _edge_slope(f0: Any, f1: Any, f2: Any, h1: Any, h2: Any) -> Any:
    whole = h1 + h2
    return -(h1 + whole) / (h1 * whole) * f0 + whole / (h1 * h2) * f1 - h1 / (h2 * whole) * f2


# --- convolution and polynomials -----------------------------------------------------------------


def _full_convolution(a: Any, v: Any) -> Any:
    dtype = np.result_type(a.dtype, v.dtype)
    return convolution.convolve(astype(a, dtype), astype(v, dtype))


def _vectors(name: str, a: Any, v: Any) -> tuple[Any, Any]:
    a, v = (reshape(x, 1) if x.ndim == 0 else x for x in map(_array, (a, v)))
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


@implements(np.polymul)
def polymul(a1: Any, a2: Any) -> Any:
    def trimmed(c: Any) -> Any:
        c = reshape(_array(c), -1)
        if not _known(c):
            return c
        significant = np.flatnonzero(_concrete("np.polymul", c, ""))
        return c[significant[0] :] if len(significant) else c[-1:]

    return convolve(trimmed(a1), trimmed(a2))


@implements(np.vander)
def vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:  # noqa: N803
    x = _array(x)
    if x.ndim != 1:
        raise ValueError("x must be a one-dimensional array or sequence.")
    x = astype(x, np.promote_types(x.dtype, int))
    n = x.shape[0] if N is None else N
    if n == 0:
        return np.zeros((x.shape[0], 0), x.dtype)
    ones = np.ones((x.shape[0], 1), x.dtype)
    powers = ones
    if n > 1:
        repeated = broadcast_to(reshape(x, (-1, 1)), (x.shape[0], n - 1))
        powers = concatenate([ones, np.cumprod(repeated, axis=1)], 1)
    return powers if increasing else powers[:, ::-1].copy()


@implements(np.ediff1d)
def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    ary = ravel(_array(ary))
    parts = [np.diff(ary)]
    if to_begin is not None:
        parts.insert(0, ravel(_array(to_begin)))
    if to_end is not None:
        parts.append(ravel(_array(to_end)))
    return concatenate(parts) if len(parts) > 1 else parts[0]


# --- counting ----------------------------------------------------------------------------------


@implements(np.bincount)
def bincount(x: Any, /, weights: Any = None, minlength: int = 0) -> Any:
    places = _concrete("np.bincount", x, "the length of the result depends on a value not known")
    if weights is None:
        return np.bincount(places, minlength=minlength)
    length = len(np.bincount(places, minlength=minlength))
    weights = astype(_array(weights), np.float64)
    if weights.shape != places.shape:
        raise ValueError("The weights and list don't have the same length.")
    return scatter_add(weights, places, shape=(length,))


@implements(np.histogram)
def histogram(
    a: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None
) -> Any:
    a = _array(a)
    if not isinstance(bins, (int, np.integer)) or (_known(a) and _known(weights)):
        options = {"range": range, "density": density, "weights": weights}
        return run_numpy_source(np.histogram, (a, bins), options)
    a = ravel(_floating(a))
    bins = int(bins)
    low, high = (np.min(a), np.max(a)) if range is None else range
    equal = np.equal(low, high)
    low, high = np.where(equal, low - 0.5, low), np.where(equal, high + 0.5, high)
    edges = np.linspace(low, high, bins + 1)
    place = np.searchsorted(edges, a, side="right") - 1
    place = np.where(np.equal(a, edges[-1]), bins - 1, place)
    # What lies outside goes to a bin that is thrown away.
    place = np.where(np.logical_or(place < 0, place >= bins), bins, place)
    if weights is None:
        counts = scatter_add(np.ones(a.shape, np.int64), place, shape=(bins + 1,))[:-1]
    else:
        counts = scatter_add(ravel(_floating(weights)), place, shape=(bins + 1,))[:-1]
    if density:
        counts = counts / np.diff(edges) / np.sum(counts)
    return counts, edges


@implements(np.histogram_bin_edges)
def histogram_bin_edges(a: Any, bins: Any = 10, range: Any = None, weights: Any = None) -> Any:
    if isinstance(bins, (int, np.integer)) and not _known(a):
        return histogram(a, bins, range)[1]
    return run_numpy_source(np.histogram_bin_edges, (a, bins, range, weights), {})


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
    value = _concrete("np.unique", ar, "the length of the result depends on values not known")
    _, index, *rest = np.unique(  # type: ignore[call-overload]
        value, True, return_inverse, return_counts, axis, equal_nan=equal_nan
    )
    kept = take(ar, index, axis)
    if return_index:
        rest.insert(0, index)
    return (kept, *rest) if rest else kept


# --- functions applied ---------------------------------------------------------------------------


@implements(np.apply_along_axis)
def apply_along_axis(func1d: Callable, axis: int, arr: Any, *args: Any, **kwargs: Any) -> Any:
    arr = _array(arr)
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
    x = _array(x)
    if isinstance(condlist, (bool, np.bool_)) or (
        isinstance(condlist, (list, np.ndarray, Tracer))
        and len(condlist)  # type: ignore[arg-type]
        and not isinstance(condlist[0], (list, np.ndarray, Tracer))  # type: ignore[index]
        and x.ndim != 0
    ):
        condlist = [condlist]
    conditions = [_array(c) for c in condlist]
    if all(map(_known, conditions)):
        plain = [_concrete("np.piecewise", c, "") for c in conditions]
        return run_numpy_source(np.piecewise, (x, plain, funclist, *args), kw)
    # The conditions differ over a batch: evaluate every piece everywhere and pick.
    pieces = [f(x, *args, **kw) if callable(f) else f for f in funclist]
    result: Any = np.zeros(x.shape, x.dtype)
    if len(pieces) == len(conditions) + 1:
        result = pieces.pop()
    for condition, piece in zip(conditions, pieces, strict=True):  # the last that holds counts
        result = np.where(condition, piece, result)
    return astype(result, x.dtype)


@implements(np.sinc)
def sinc(x: Any) -> Any:
    from ..primitives import special  # imports scipy.special

    return special.sinc(_floating(x))


@implements(np.i0)
def i0(x: Any) -> Any:
    from ..primitives import special

    return special.numpy_i0(_floating(x))


# --- making arrays -------------------------------------------------------------------------------


@implements(np.geomspace)
def geomspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0
) -> Any:
    if _known(start) and _known(stop):
        return run_numpy_source(np.geomspace, (start, stop, num, endpoint, dtype, axis), {})
    start, stop = (_floating(v) for v in (start, stop))
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
        for x, place in zip(map(_array, xi), places, strict=True)
    ]
    if sparse:
        return tuple(spread)
    shape = np.broadcast_shapes(*[x.shape for x in spread])
    return tuple(broadcast_to(x, shape) for x in spread)


@implements(np.insert)
def insert(arr: Any, obj: Any, values: Any, axis: Any = None) -> Any:
    arr, values = _array(arr), _array(values)
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


# --- functions that assign -----------------------------------------------------------------------


def _target(name: str, x: Any) -> Any:
    """The array to be assigned to, which must be traced."""
    refuse_out(name, None if isinstance(x, Tracer) else x)
    return x


@implements(np.copyto)
def copyto(dst: Any, src: Any, casting: str = "same_kind", where: Any = True) -> None:
    dst, src = _target("np.copyto", dst), as_operand(src)
    weak = type(src) in (bool, int, float)  # NumPy lets Python numbers in
    if not weak and not np.can_cast(dtype_of(src), dst.dtype, casting):  # type: ignore[arg-type]
        raise TypeError(
            f"Cannot cast array data from {dtype_of(src)} to {dst.dtype} according to the rule "
            f"'{casting}'"
        )
    setitem(dst, Ellipsis, src if where is True else np.where(where, src, dst))


@implements(np.putmask)
def putmask(a: Any, mask: Any, values: Any) -> None:
    a = _target("np.putmask", a)
    setitem(a, Ellipsis, np.where(mask, np.resize(_array(values), a.shape), a))


@implements(np.place)
def place(arr: Any, mask: Any, vals: Any) -> None:
    arr = _target("np.place", arr)
    where = np.nonzero(_concrete("np.place", mask, "the mask depends on values not known"))
    setitem(arr, where, np.resize(_array(vals), where[0].shape))


@implements(np.put)
def put(a: Any, ind: Any, v: Any, mode: str = "raise") -> None:
    a = _target("np.put", a)
    flat = ravel(_array(ind))
    where = np.unravel_index(np.arange(a.size).take(flat, mode=mode), a.shape)  # type: ignore[call-overload]
    setitem(a, where, np.resize(_array(v), flat.shape))


@implements(np.fill_diagonal)
def fill_diagonal(a: Any, val: Any, wrap: bool = False) -> None:
    a = _target("np.fill_diagonal", a)
    if a.ndim < 2:
        raise ValueError("array must be at least 2-d")
    marked = np.zeros(a.shape, bool)
    np.fill_diagonal(marked, True, wrap)
    where: Sequence = np.nonzero(marked)
    setitem(a, tuple(where), np.resize(_array(val), where[0].shape))
