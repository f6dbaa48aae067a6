"""How quantiles move with a parameter: derivatives of distribution functions over densities.

With F(y; p) the distribution function and f its density in y, these are
H_n = -(d^n F / dp^n) / f. H_1 = dy/dp along F = constant is the implicit reparameterisation
gradient (M. Figurnov, S. Mohamed, A. Mnih, NeurIPS 2018); the others are for its derivatives.

d^n f / dp^n = f B_n, where B_n is a complete Bell polynomial in the derivatives of log f. The
integral of f B_n over everything is 0, so it may be taken from either end; from the end on which
B_1 does not change sign nothing cancels. All of it relative to the density at the end point, so
that nothing underflows. Gauss-Legendre quadrature over what is larger than exp(-CUT).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["bell", "gamma_slope", "von_mises_mean", "von_mises_slope"]

CUT = 40.0  # exp(-40) is below rounding
# Nodes and weights on [0, 1].
RULE = tuple(
    ((x + 1) / 2, w / 2) for x, w in np.transpose(np.polynomial.legendre.leggauss(48)).tolist()
)
TERMS = 32  # of a series whose terms fall like 2^k / k!


def bell(arguments: Sequence[Any]) -> Any:
    """Complete Bell polynomial B_n(c_1, ..., c_n), with n = len(arguments)."""
    values: list[Any] = [1.0]
    for n in range(1, len(arguments) + 1):
        values.append(sum(math.comb(n - 1, k) * values[n - 1 - k] * arguments[k] for k in range(n)))
    return values[-1]


def gamma_slope(a: Any, y: Any, order: int) -> np.ndarray:
    """H_n of y = log x, x a variate of Gamma(a, 1), with respect to ``a``.

    F = P(a, e^y), the density of y is q = exp(a y - e^y) / Gamma(a), and
    (log q)_a = y - psi(a).

    Parameters
    ----------
    a, y
        Arrays of one shape.
    order
        n, positive.
    """
    dtype = np.result_type(a, y)
    a, y = np.broadcast_arrays(np.asarray(a, np.float64), np.asarray(y, np.float64))
    shape = a.shape
    a, y = a.ravel(), y.ravel()
    out = np.full(a.shape, np.nan)
    with np.errstate(all="ignore"):
        valid = (a > 0) & ~np.isnan(y) & (y < np.inf) & (a < np.inf)
        low = valid & (y <= math.log(2.0))
        upper = y >= _polygamma(0, a)
        for chosen, f in (
            (low, _gamma_series),
            (valid & ~low & ~upper, _gamma_below),
            (valid & ~low & upper, _gamma_above),
        ):
            if chosen.any():
                out[chosen] = f(a[chosen], y[chosen], order)
    return out.reshape(shape).astype(dtype)


def _polygamma(n: int, a: np.ndarray) -> np.ndarray:
    import scipy.special  # slow to import

    return scipy.special.psi(a) if n == 0 else scipy.special.polygamma(n, a)


def _gamma_series(a: np.ndarray, y: np.ndarray, order: int) -> np.ndarray:
    # DLMF 8.7.1 for P(a, x) / q = sum x^k Gamma(a) / Gamma(a + k + 1), differentiated by terms.
    # At y = -inf the result has the limit of its first term.
    x = np.exp(y)
    psi = [_polygamma(m, a + 1) for m in range(order)]
    weight, total = 1 / a, np.zeros_like(a)
    for k in range(1, TERMS):
        total += weight * bell([y - psi[0], *(-p for p in psi[1:])])
        # psi^(m)(b + 1) = psi^(m)(b) + (-1)^m m! / b^(m + 1)
        b = a + k
        psi = [p + (-1) ** m * math.factorial(m) / b ** (m + 1) for m, p in enumerate(psi)]
        weight = np.where(x > 0, weight * x / b, 0.0)
        if k == 1 and not weight.any():
            break
        y = np.where(weight > 0, y, 0.0)  # 0 * inf
    return -total


def _excess(w: np.ndarray) -> np.ndarray:
    """exp(w) - 1 - w without cancellation."""
    small = np.abs(w) < 0.4
    v = np.where(small, w, 0.0)
    series = np.zeros_like(v)
    for k in range(16, 1, -1):
        series = (series + 1) * v / k
    # sum_{k >= 2} w^k / k! = w * (w/2 (1 + w/3 (...)))
    return np.where(small, series * v, np.expm1(w) - w)


def _gamma_below(a: np.ndarray, y: np.ndarray, order: int) -> np.ndarray:
    """The integral over what is below y, for e^y < exp(psi(a)) < a."""
    x = np.exp(y)

    def exponent(w: np.ndarray) -> np.ndarray:  # log q(y - w) - log q(y)
        return -(a - x) * w - x * _excess(-w)

    def slope(w: np.ndarray) -> np.ndarray:
        return -a + x * np.exp(-w)

    return -_gamma_integral(a, y, order, exponent, slope, (CUT + x) / a, -1)


def _gamma_above(a: np.ndarray, y: np.ndarray, order: int) -> np.ndarray:
    """The integral over what is above y, for e^y >= exp(psi(a))."""
    x = np.exp(y)

    def exponent(w: np.ndarray) -> np.ndarray:
        return (a - x) * w - x * _excess(w)

    def slope(w: np.ndarray) -> np.ndarray:
        return a - x * np.exp(w)

    bound = 2 * CUT / (x - a + np.sqrt((a - x) ** 2 + 2 * CUT * x))
    return _gamma_integral(a, y, order, exponent, slope, bound, 1)


def _gamma_integral(
    a: np.ndarray, y: np.ndarray, order: int, exponent: Any, slope: Any, bound: Any, sign: int
) -> np.ndarray:
    width = bound
    for _ in range(12):  # exponent is concave: Newton's steps come down to its root from above
        width = width - (exponent(width) + CUT) / slope(width)
    psi = [_polygamma(m, a) for m in range(order)]
    total = np.zeros_like(a)
    for node, weight in RULE:
        w = node * width
        logs = [y + sign * w - psi[0], *(-p for p in psi[1:])]
        total += weight * np.exp(exponent(w)) * bell(logs)
    return total * width


# --- von Mises ---------------------------------------------------------------------------------


def _tail(kappa: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Where exp(kappa (cos(x + w) - cos x)) falls below exp(-CUT), or w = pi - x."""
    low, high = np.zeros_like(x), np.pi - x
    full = 2 * kappa * np.sin(x + high / 2) * np.sin(high / 2) <= CUT
    for _ in range(24):
        middle = (low + high) / 2
        inside = 2 * kappa * np.sin(x + middle / 2) * np.sin(middle / 2) <= CUT
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    return np.where(full, np.pi - x, high)


def _bessel_ratio(kappa: np.ndarray) -> np.ndarray:
    """A = I_1 / I_0, the mean of cos."""
    import scipy.special

    return scipy.special.i1e(kappa) / scipy.special.i0e(kappa)


def _complement(kappa: np.ndarray) -> np.ndarray:
    """1 - A, from its asymptotic series (DLMF 10.40.1) where A is rounded."""
    v = 1 / np.maximum(kappa, 1.0)
    series = v * (0.5 + v * (0.125 + v * (0.125 + v * (25 / 128 + v * (13 / 32)))))
    return np.where(kappa > 1e3, series, 1 - _bessel_ratio(kappa))


def _cumulants(kappa: np.ndarray, order: int) -> list[np.ndarray]:
    """Derivatives 2 .. order of log I_0: the cumulants of cos beyond the mean."""
    width = _tail(kappa, np.zeros_like(kappa))
    beyond = _complement(kappa)
    moments = [np.zeros_like(kappa) for _ in range(order + 1)]
    for node, weight in RULE:
        versine = 2 * np.sin(node * width / 2) ** 2
        density = weight * np.exp(-kappa * versine)
        for m in range(order + 1):
            moments[m] += density * (beyond - versine) ** m
    mu = [m / moments[0] for m in moments]
    cumulants = [np.zeros_like(kappa), np.zeros_like(kappa)]
    for n in range(2, order + 1):
        known = sum(math.comb(n - 1, m - 1) * cumulants[m] * mu[n - m] for m in range(2, n))
        cumulants.append(mu[n] - known)
    return cumulants[2:]


def von_mises_mean(kappa: Any, order: int) -> np.ndarray:
    """The ``order``-th derivative of I_1(kappa) / I_0(kappa); order 0 is the ratio."""
    dtype = np.asarray(kappa).dtype
    k = np.asarray(kappa, np.float64)
    with np.errstate(all="ignore"):
        if order == 0:
            out = _bessel_ratio(k)
        else:
            out = np.where(k >= 0, _cumulants(np.maximum(k, 0), order + 1)[-1], np.nan)
    return out.astype(dtype)


def von_mises_slope(kappa: Any, x: Any, order: int) -> np.ndarray:
    """H_n of an angle x in [-pi, pi] with respect to ``kappa``; see ``gamma_slope``.

    f = exp(kappa cos x) / (2 pi I_0(kappa)), (log f)_kappa = cos x - A.
    """
    dtype = np.result_type(kappa, x)
    k, x = np.broadcast_arrays(np.asarray(kappa, np.float64), np.asarray(x, np.float64))
    k, x = k.copy(), x.copy()
    sign = np.sign(x)
    x = np.minimum(np.abs(x), np.pi)
    with np.errstate(all="ignore"):
        # Below acos(A) the integral from 0, above it the one up to pi.
        beyond = _complement(k)
        inner = 2 * np.sin(x / 2) ** 2 <= beyond
        width = np.where(inner, x, _tail(k, x))
        step = np.where(inner, -1.0, 1.0)
        rest = [-c for c in _cumulants(k, order)] if order > 1 else []
        total = np.zeros_like(x)
        for node, weight in RULE:
            w = node * width
            t = x + step * w
            # cos t - cos x
            change = -2 * np.sin(x + step * w / 2) * np.sin(step * w / 2)
            versine = 2 * np.sin(t / 2) ** 2
            total += weight * np.exp(k * change) * bell([beyond - versine, *rest])
        out = sign * step * total * width
        out = np.where(k >= 0, out, np.nan)
    return out.astype(dtype)
