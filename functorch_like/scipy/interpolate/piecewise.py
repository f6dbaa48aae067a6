"""The loops of scipy.interpolate's piecewise polynomials, on traced arrays."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...errors import ConcreteValueError
from ...numpy.elementwise import as_operand
from ...numpy.manipulation import astype
from ...primitives.core import dtype_of, shape_of
from ...primitives.stopping import stop_gradient
from ..source import replaces, take

__all__ = ["ascending", "interval_of", "store"]


def store(output: Any, value: Any) -> None:
    """Write a result where SciPy's source asks for it."""
    output[...] = astype(value, output.dtype) if hasattr(value, "dtype") else value


def ascending(x: Any) -> bool:
    """Whether breakpoints ascend; taken for granted where their values are not known."""
    try:
        return bool(x[-1] >= x[0])
    except ConcreteValueError:
        return True


def interval_of(breaks: Any, x: Any) -> Any:
    """Index of the half-open interval of each point, the first or last one for those outside."""
    last = shape_of(breaks)[0] - 2
    if last <= 0:
        return np.zeros(shape_of(x), np.int64)
    inner = stop_gradient(breaks[1:-1])
    return np.searchsorted(inner, stop_gradient(x), side="right")


def outside(breaks: Any, x: Any) -> Any:
    """Which points lie beyond the breakpoints."""
    fixed, ends = stop_gradient(x), stop_gradient(breaks)
    low, high = (ends[0], ends[-1]) if ascending(breaks) else (ends[-1], ends[0])
    return (fixed < low) | (fixed > high)


def _located(c: Any, breaks: Any, x: Any) -> tuple[Any, Any, Any]:
    """Coefficients (k, points, m) of the pieces of ``x``, distance from their start, and index."""
    if not ascending(breaks):
        index = interval_of(-breaks, -x)
    else:
        index = interval_of(breaks, x)
    return take(c, (slice(None), index)), (x - take(breaks, index))[:, None], index


@replaces("scipy.interpolate._ppoly")
def evaluate(c: Any, breaks: Any, x: Any, nu: int, extrapolate: bool, out: Any) -> None:
    pieces, s, _ = _located(as_operand(c), breaks, x)
    degree = shape_of(pieces)[0] - 1
    value: Any = np.zeros(shape_of(out), dtype_of(out))
    for k in range(degree - nu + 1):
        power = degree - k
        factor = math.perm(power, nu)
        term = pieces[k] * float(factor) if factor != 1 else pieces[k]
        value = term if k == 0 else value * s + term
    if not extrapolate:
        value = np.where(outside(breaks, x)[:, None], np.nan, value)
    store(out, value)


@replaces("scipy.interpolate._ppoly")
def evaluate_bernstein(c: Any, breaks: Any, x: Any, nu: int, extrapolate: bool, out: Any) -> None:
    pieces, s, index = _located(as_operand(c), breaks, x)
    width = (take(breaks, index + 1) - take(breaks, index))[:, None]
    s = s / width
    degree = shape_of(pieces)[0] - 1
    if nu > degree:
        store(out, np.zeros(shape_of(out), dtype_of(out)))
        return
    for k in range(nu):
        pieces = (pieces[1:] - pieces[:-1]) * (degree - k) / width
    while shape_of(pieces)[0] > 1:  # de Casteljau
        pieces = pieces[:-1] * (1 - s) + pieces[1:] * s
    value = pieces[0]
    if not extrapolate:
        value = np.where(outside(breaks, x)[:, None], np.nan, value)
    store(out, value)


@replaces("scipy.interpolate._ppoly")
def fix_continuity(c: Any, breaks: Any, order: int) -> None:
    """Make pieces whose lowest ``order + 1`` coefficients are free continuous to that order."""
    degree = shape_of(c)[0] - 1
    widths = (breaks[1:] - breaks[:-1])[:-1, None]
    for nu in range(order, -1, -1):
        # The nu-th derivative at the right end of each piece, less what its start contributes.
        value: Any = 0.0
        for k in range(degree - nu):
            power = degree - k
            value = value * widths + c[k, :-1] * float(math.perm(power, nu))
        jumps = np.cumsum(value * widths, 0) / math.factorial(nu)
        row = np.concatenate([c[degree - nu, :1], c[degree - nu, :1] + jumps])
        c[degree - nu] = row


@replaces("scipy.interpolate._interpolate.PPoly", "integrate")
@replaces("scipy.interpolate._interpolate.BPoly", "integrate")
def _integrate(self: Any, a: Any, b: Any, extrapolate: Any = None) -> Any:
    """The definite integral from ``a`` to ``b``, which may be traced and in any order."""
    if extrapolate is None:
        extrapolate = self.extrapolate
    primitive = self.antiderivative()
    start, end = primitive.x[0], primitive.x[-1]
    a, b = as_operand(a) * 1.0, as_operand(b) * 1.0

    def upto(t: Any) -> Any:
        if extrapolate != "periodic":
            return primitive(t, extrapolate=bool(extrapolate))
        turns = np.floor(stop_gradient((t - start) / (end - start)))
        whole = primitive(end) - primitive(start)
        return turns * whole + primitive(t - turns * (end - start))

    return upto(b) - upto(a)


@replaces("scipy.interpolate._cubic.PchipInterpolator", "_find_derivatives")
def _pchip_slopes(x: Any, y: Any, **unused: Any) -> Any:
    """Slopes that keep the interpolant monotone (Fritsch and Butland, 1984)."""
    column = (-1,) + (1,) * (len(shape_of(y)) - 1)
    h = np.reshape(x[1:] - x[:-1], column)
    m = (y[1:] - y[:-1]) / h
    if shape_of(y)[0] == 2:
        return np.concatenate([m, m])
    before, after = m[:-1], m[1:]
    flat = stop_gradient(before) * stop_gradient(after) <= 0
    w1, w2 = 2 * h[1:] + h[:-1], h[1:] + 2 * h[:-1]
    # Where the slopes disagree in sign the value is 0: divide by 1 there.
    mean = (w1 / np.where(flat, 1.0, before) + w2 / np.where(flat, 1.0, after)) / (w1 + w2)
    inner = np.where(flat, 0.0, 1 / np.where(flat, 1.0, mean))
    first = _pchip_end(h[0], h[1], m[0], m[1])
    last = _pchip_end(h[-1], h[-2], m[-1], m[-2])
    return np.concatenate([first[None], inner, last[None]])


def _pchip_end(h0: Any, h1: Any, m0: Any, m1: Any) -> Any:
    """The slope at an end: three points, cut so that the shape is kept."""
    d = ((2 * h0 + h1) * m0 - h0 * m1) / (h0 + h1)
    fixed, own, next_ = stop_gradient(d), stop_gradient(m0), stop_gradient(m1)
    steep = (np.sign(own) != np.sign(next_)) & (np.abs(fixed) > 3 * np.abs(own))
    return np.where(np.sign(fixed) != np.sign(own), 0.0, np.where(steep, 3 * m0, d))


@replaces("scipy.interpolate._polyint.BarycentricInterpolator", "_evaluate")
def _barycentric(self: Any, x: Any) -> Any:
    """Lagrange's polynomial in its second barycentric form (Berrut and Trefethen, 2004)."""
    x, nodes, w, y = as_operand(x), self.xi, self.wi, self.yi
    if shape_of(x)[0] == 0:
        return np.zeros((0, self.r), dtype_of(y))
    gap = np.reshape(x, (-1, 1)) - nodes
    hit = stop_gradient(gap) == 0
    ratio = w / np.where(hit, 1.0, gap)
    value = (ratio @ y) / np.sum(ratio, -1)[:, None]
    # At a node: its value, and the slope of the polynomial there.
    on = np.any(hit, -1)[:, None]
    here = np.where(hit, 1.0, 0.0)
    own = here @ y
    others = np.where(hit, 0.0, ratio) / np.where(on, here @ w[:, None], 1.0)
    slope = others @ y - np.sum(others, -1)[:, None] * own
    return np.where(on, own + np.sum(here * gap, -1)[:, None] * slope, value)
