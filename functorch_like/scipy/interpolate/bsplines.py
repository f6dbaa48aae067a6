"""The loops of scipy.interpolate's B-splines, on traced arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import ConcreteValueError
from ...numpy.elementwise import as_operand
from ...numpy.manipulation import astype
from ...primitives.core import dtype_of, shape_of
from ...primitives.stopping import stop_gradient
from ..source import has_tracer, replaces, take

__all__ = ["basis"]


def span_of(t: Any, k: int, x: Any) -> Any:
    """Index ``left`` with t[left] <= x < t[left + 1], within the base interval."""
    n = shape_of(t)[0] - k - 1
    found = np.searchsorted(stop_gradient(t), stop_gradient(x), side="right") - 1
    return np.clip(found, k, n - 1)


def basis(t: Any, k: int, x: Any, left: Any, nu: int = 0) -> list[Any]:
    """Derivatives of order ``nu`` of the k + 1 B-splines that are nonzero at ``x``.

    Cox and de Boor's recursion, in which the last ``nu`` steps differentiate. Denominators are
    those of intervals around ``x`` and never vanish.
    """
    knots = {s: take(t, left + s) for s in range(-k + 1, k + 1)}
    values: list[Any] = [1.0 + 0.0 * x]
    for d in range(1, k + 1):
        longer = []
        for j in range(d + 1):
            parts = []
            if j > 0:  # B_{i,d-1} with i = left - d + j
                low, high = knots[j - d], knots[j]
                weight = values[j - 1] / (high - low)
                parts.append((x - low) * weight if d <= k - nu else d * weight)
            if j < d:  # B_{i+1,d-1}
                low, high = knots[j - d + 1], knots[j + 1]
                weight = values[j] / (high - low)
                parts.append((high - x) * weight if d <= k - nu else -d * weight)
            longer.append(sum(parts[1:], parts[0]))
        values = longer
    return values


def _spline(t: Any, c: Any, k: int, x: Any, nu: int, extrapolate: bool) -> Any:
    """The spline's values (points, m)."""
    t, c, x = as_operand(t), as_operand(c), as_operand(x)
    if nu > k:
        return np.zeros((*shape_of(x), *shape_of(c)[1:]), dtype_of(c))
    n = shape_of(t)[0] - k - 1
    left = span_of(t, k, x)
    weights = basis(t, k, x, left, nu)
    parts = [w[:, None] * take(c, left - k + j) for j, w in enumerate(weights)]
    value = sum(parts[1:], parts[0])
    if not extrapolate:
        fixed, ends = stop_gradient(x), stop_gradient(t)
        out = (fixed < ends[k]) | (fixed > ends[n])
        value = np.where(out[:, None], np.nan, value)
    return value


@replaces("scipy.interpolate._dierckx")
def evaluate_spline(t: Any, c: Any, k: int, x: Any, nu: int, extrapolate: Any) -> Any:
    if not has_tracer([t, c, x]):
        from scipy.interpolate import _dierckx

        return _dierckx.evaluate_spline(t, c, k, x, nu, extrapolate)
    return _spline(t, c, k, x, nu, bool(extrapolate))


@replaces("scipy.interpolate._bsplines.BSpline", "__call__")
def _call(self: Any, x: Any, nu: int = 0, extrapolate: Any = None) -> Any:
    """The value, or the derivative of order ``nu``, at ``x``."""
    if extrapolate is None:
        extrapolate = self.extrapolate
    x = as_operand(x)
    x = astype(x, np.float64) if hasattr(x, "dtype") else np.asarray(x, np.float64)
    shape = shape_of(x)
    points = np.reshape(x, -1)
    t, c, k = self.t, self.c, self.k
    if extrapolate == "periodic":
        n = shape_of(t)[0] - k - 1
        points = t[k] + (points - t[k]) % (t[n] - t[k])
        extrapolate = False
    tail = shape_of(c)[1:]
    flat = _spline(t, np.reshape(c, (shape_of(c)[0], -1)), k, points, nu, bool(extrapolate))
    value = np.reshape(flat, shape + tail)
    ndim, axis = len(shape), self.axis
    if axis == 0:
        return value
    return np.moveaxis(value, tuple(range(ndim)), tuple(range(axis, axis + ndim)))


@replaces("scipy.interpolate._bsplines.BSpline", "integrate")
def _integrate(self: Any, a: Any, b: Any, extrapolate: Any = None) -> Any:
    """The definite integral from ``a`` to ``b``, which may be traced and in any order."""
    if extrapolate is None:
        extrapolate = self.extrapolate
    primitive = self.antiderivative()
    n = shape_of(self.t)[0] - self.k - 1
    start, end = self.t[self.k], self.t[n]
    a, b = as_operand(a) * 1.0, as_operand(b) * 1.0

    def upto(x: Any) -> Any:
        if extrapolate == "periodic":
            turns = np.floor(stop_gradient((x - start) / (end - start)))
            whole = primitive(end, extrapolate=True) - primitive(start, extrapolate=True)
            return turns * whole + primitive(x - turns * (end - start), extrapolate=True)
        if not extrapolate:  # the spline is taken to vanish outside
            x = np.clip(x, start, end)
        return primitive(x, extrapolate=True)

    return upto(b) - upto(a)


# --- interpolation -------------------------------------------------------------------------------


@replaces("scipy.interpolate._dierckx")
def _coloc(x: Any, t: Any, k: int, transposed: Any, offset: int) -> None:
    """The collocation matrix, in banded storage: row j holds the B-splines at x[j]."""
    left = span_of(t, k, x)
    rows = np.arange(shape_of(x)[0]) + offset
    for a, values in enumerate(basis(t, k, x, left)):
        columns = left - k + a
        transposed[columns, 2 * k + rows - columns] = values


@replaces("scipy.interpolate._bsplines")
def _handle_lhs_derivatives(
    t: Any, k: int, xval: Any, ab: Any, kl: int, ku: int, deriv_ords: Any, offset: int = 0
) -> None:
    """Rows of the matrix for the derivatives at an end."""
    left = shape_of(t)[0] - k - 2 if offset else k
    for row, nu in enumerate(np.asarray(deriv_ords)):
        for a, value in enumerate(basis(t, k, xval, left, int(nu))):
            column = left - k + a
            ab[kl + ku + offset + row - column, column] = value


@replaces("scipy.interpolate._bsplines")
def get_lapack_funcs(names: Any, arrays: Any = ()) -> Any:
    """LAPACK's banded solver, or ours for traced arrays."""
    if not has_tracer(list(arrays)):
        from scipy.linalg import get_lapack_funcs as plain

        return plain(names, arrays)
    return (_gbsv,)


def _gbsv(kl: int, ku: int, ab: Any, b: Any, **unused: Any) -> tuple[Any, Any, Any, int]:
    from ..linalg import solve_banded

    return None, None, solve_banded((kl, ku), ab[kl:], b), 0


@replaces("scipy.interpolate._dierckx")
def data_matrix(x: Any, t: Any, k: int, w: Any, extrapolate: bool = False) -> tuple:
    """Values of the B-splines at the points (points, k + 1), first columns, and their number."""
    if not has_tracer([x, t, w]):
        from scipy.interpolate import _dierckx

        return _dierckx.data_matrix(x, t, k, w, extrapolate)
    left = span_of(t, k, x)
    rows = np.stack(basis(t, k, x, left), -1) * w[:, None]
    return rows, left - k, shape_of(t)[0] - k - 1


# --- splines as tuples (t, c, k) -----------------------------------------------------------------


@replaces("scipy.interpolate._fitpack_impl")
def splev(x: Any, tck: Any, der: int = 0, ext: int = 0) -> Any:
    """Values of a spline; outside extrapolated (0), zero (1), refused (2) or at the border (3)."""
    if not has_tracer([x, tck]):
        from scipy.interpolate import _fitpack_impl

        return _fitpack_impl.splev(x, tck, der, ext)
    t, c, k = tck
    if isinstance(c, (list, tuple)) or len(shape_of(as_operand(c))) > 1:
        return [splev(x, (t, v, k), der, ext) for v in c]
    if not 0 <= der <= k:
        raise ValueError(f"0<=der={der}<=k={k} must hold")
    if ext not in (0, 1, 2, 3):
        raise ValueError(f"ext = {ext} not in (0, 1, 2, 3) ")
    t, x = as_operand(t), as_operand(x)
    n = shape_of(t)[0] - k - 1
    if ext == 2:
        fixed = stop_gradient(x)
        if _known(np.any((fixed < t[k]) | (fixed > t[n]))):
            raise ValueError("splev: expected points within the knots; got others, with ext=2.")
    points = np.reshape(x, -1) * 1.0
    inner = np.clip(points, t[k], t[n]) if ext == 3 else points
    value = _spline(t, as_operand(c)[:, None], k, inner, der, True)[:, 0]
    if ext == 1:
        fixed = stop_gradient(points)
        value = np.where((fixed < t[k]) | (fixed > t[n]), 0.0, value)
    return np.reshape(value, shape_of(x))


def _known(condition: Any) -> bool:
    try:
        return bool(condition)
    except ConcreteValueError:
        return False


@replaces("scipy.interpolate._fitpack_impl")
def splint(a: Any, b: Any, tck: Any, full_output: int = 0) -> Any:
    """The integral of a spline, which is zero outside its knots."""
    if full_output or not has_tracer([a, b, tck]):
        from scipy.interpolate import _fitpack_impl

        return _fitpack_impl.splint(a, b, tck, full_output)
    t, c, k = tck
    if isinstance(c, (list, tuple)) or len(shape_of(as_operand(c))) > 1:
        return [splint(a, b, (t, v, k)) for v in c]
    n = shape_of(t)[0] - k - 1
    c = as_operand(c)[:n]
    # Coefficients of the antiderivative, of order k + 1 on the knots with one more at either end.
    steps = c * (t[k + 1 :] - t[: -k - 1]) / (k + 1)
    sums = np.concatenate([np.zeros(1), np.cumsum(steps)])
    knots = np.concatenate([t[:1], t, t[-1:]])
    ends = np.clip(np.stack([as_operand(a) * 1.0, as_operand(b) * 1.0]), t[k], t[n])
    value = _spline(knots, sums[:, None], k + 1, ends, 0, True)[:, 0]
    return value[1] - value[0]


@replaces("scipy.interpolate._fitpack_impl")
def spalde(x: Any, tck: Any) -> Any:
    """All derivatives of a spline at points."""
    if not has_tracer([x, tck]):
        from scipy.interpolate import _fitpack_impl

        return _fitpack_impl.spalde(x, tck)
    t, c, k = tck
    if isinstance(c, (list, tuple)) or len(shape_of(as_operand(c))) > 1:
        return [spalde(x, (t, v, k)) for v in c]
    x = as_operand(x)
    if len(shape_of(x)) > 0:
        return [spalde(x[i], tck) for i in range(shape_of(x)[0])]
    return np.stack([splev(x, tck, nu) for nu in range(k + 1)])


# --- tensor products -----------------------------------------------------------------------------


def tensor_spline(
    knots: Any, c: Any, degrees: Any, x: Any, nu: Any = None, extrapolate: bool = True
) -> Any:
    """A tensor product of splines with coefficients ``c`` (n1, ..., nd, ...) at ``x`` (m, d)."""
    dimensions = len(knots)
    count = shape_of(x)[0]
    rows: list[Any] = []
    weights: list[Any] = []
    beyond: Any = None
    for axis, (t, k) in enumerate(zip(knots, degrees, strict=True)):
        points, k = x[:, axis], int(k)
        left = span_of(t, k, points)
        order = 0 if nu is None else int(nu[axis])
        if order > k:
            return np.zeros((count, *shape_of(c)[dimensions:]))
        weights.append(basis(t, k, points, left, order))
        offsets = np.arange(-k, 1).reshape((1,) * axis + (-1,) + (1,) * (dimensions - axis))
        rows.append(left + offsets)
        ends, fixed = stop_gradient(t), stop_gradient(points)
        out = (fixed < ends[k]) | (fixed > ends[shape_of(t)[0] - k - 1])
        beyond = out if beyond is None else beyond | out
    values = take(c, tuple(rows))
    tail = (1,) * (len(shape_of(c)) - dimensions)
    for per_axis in weights:
        parts = [np.reshape(w, (-1, *tail)) * values[j] for j, w in enumerate(per_axis)]
        values = sum(parts[1:], parts[0])
    if not extrapolate:
        values = np.where(np.reshape(beyond, (-1, *tail)), np.nan, values)
    return values


@replaces("scipy.interpolate._ndbspline.NdBSpline", "__call__")
def _call_nd(self: Any, xi: Any, *, nu: Any = None, extrapolate: Any = None) -> Any:
    """Values, or mixed derivatives of orders ``nu``, at points (..., dimensions)."""
    if extrapolate is None:
        extrapolate = self.extrapolate
    xi = as_operand(xi)
    shape = shape_of(xi)
    points = np.reshape(xi, (-1, shape[-1])) * 1.0
    values = tensor_spline(self.t, as_operand(self.c), self.k, points, nu, bool(extrapolate))
    return np.reshape(values, shape[:-1] + shape_of(values)[1:])
