"""Derivatives of the incomplete gamma and beta functions by their shape parameters.

With ``u = log t`` the regularised ``P(a, x)`` is the integral up to ``log x`` of the log-concave
density ``exp(a u - exp(u)) / Gamma(a)`` (DLMF 8.2.4), and its derivatives by ``a`` are those of
the same density times polynomials in ``u - psi(a)``. The tail that is integrated is the one that
ends before the density's maximum, where integrands fall monotonically and do not cancel. The
incomplete beta function is treated alike with ``t = x / (x + y exp(s))``.
"""

from __future__ import annotations

import math
from typing import Any

from .arrays import (
    FAR,
    Jet,
    by_order,
    falling_to,
    jet_exp,
    jet_multiply,
    legendre,
    modules_of,
    psi_derivatives,
    stirling_remainder,
)

__all__ = [
    "beta_density_derivative",
    "betainc_derivative",
    "gamma_density_derivative",
    "gammainc_derivative",
]

TWO_PI = 2 * math.pi


def _bell(count: int, first: Any, higher: list[Any]) -> Any:
    """``count``-th complete Bell polynomial of the cumulants ``first, *higher``.

    It is what the derivative of that order multiplies ``exp(f)`` with, cumulants being the
    derivatives of ``f``.
    """
    made: list[Any] = [1.0]
    for n in range(count):
        made.append(
            made[n] * first
            + sum(math.comb(n, k) * made[n - k] * higher[k - 1] for k in range(1, n + 1))
        )
    return made[count]


def _poisson(xp: Any, special: Any, a: Any, x: Any) -> Any:
    """``x**a exp(-x) / Gamma(a)`` for a > 0."""
    r = (x - a) / a
    exponent = a * (_logarithm(xp, r, x / a) - r) - stirling_remainder(xp, special, a)
    return xp.sqrt(a / TWO_PI) * xp.exp(exponent)


def _logarithm(xp: Any, r: Any, whole: Any) -> Any:
    """``log(1 + r)`` from r where that is small, and from ``whole = 1 + r`` where not."""
    far = xp.abs(r) > 0.5
    return xp.where(far, xp.log(xp.where(far, whole, 1.0)), xp.log1p(xp.where(far, 0.0, r)))


# --- the gamma distribution ------------------------------------------------------------------


def _gammainc(xp: Any, special: Any, n: int, a: Any, x: Any) -> Any:
    if n == 0:
        return special.gammainc(a, x)
    inside = (x > 0) & (a > 0) & xp.isfinite(x) & xp.isfinite(a)
    ends = (a > 0) & ((x == 0) | (x == xp.inf))
    a, x = xp.where(inside, a, 1.0), xp.where(inside, x, 1.0)
    near = x <= 1.5
    made = xp.where(
        near,
        _gammainc_series(xp, special, n, a, xp.where(near, x, 1.0)),
        _gammainc_integral(xp, special, n, a, xp.where(near, 2.0, x)),
    )
    return xp.where(inside, made, xp.where(ends, 0.0, xp.nan))


def _gammainc_series(xp: Any, special: Any, n: int, a: Any, x: Any) -> Any:
    """DLMF 8.7.1, all of whose terms are positive, differentiated term by term."""
    psi = psi_derivatives(special, a + 1, n)
    exponent: Jet = [a * xp.log(x) - x - special.gammaln(a + 1)]
    exponent += [
        ((xp.log(x) if k == 1 else 0.0) - psi[k - 1]) / math.factorial(k) for k in range(1, n + 1)
    ]
    zero = xp.zeros_like(a)
    term: Jet = [zero + 1.0] + [zero] * n
    total = term
    for k in range(1, 40):
        factor: Jet = [x * (-1.0) ** j / (a + k) ** (j + 1) for j in range(n + 1)]
        term = jet_multiply(term, factor)
        total = [s + t for s, t in zip(total, term, strict=True)]
    return math.factorial(n) * jet_multiply(jet_exp(xp, exponent), total)[n]


def _gammainc_integral(xp: Any, special: Any, n: int, a: Any, x: Any) -> Any:
    below = x < a
    # Distance from the end, and minus the logarithm of the integrand there: a s - x (1 - e^-s)
    # below, x (e^s - 1) - a s above.
    beyond = xp.where(
        below,
        (FAR + x) / a,
        (xp.sqrt((x - a) ** 2 + 2 * FAR * x) - xp.where(below, 0.0, x - a)) / x,
    )
    way = xp.where(below, -1.0, 1.0)

    def height(s: Any) -> Any:
        return x * xp.expm1(way * s) - a * way * s

    def slope(s: Any) -> Any:
        return way * (x * xp.exp(way * s) - a)

    nodes, weights = legendre(xp, 64)
    length = falling_to(xp, beyond, height, slope)
    s = length[:, None] * nodes
    w, step = way[:, None], way[:, None] * s
    values = xp.exp(a[:, None] * step - x[:, None] * xp.expm1(step))
    psi = psi_derivatives(special, a, n)
    first = (xp.log(x) - psi[0])[:, None] + step
    higher = [-p[:, None] for p in psi[1:]]
    total = (values * _bell(n, first, higher) * weights).sum(axis=1) * length
    return -w[:, 0] * total * _poisson(xp, special, a, x)


def _gamma_density(xp: Any, special: Any, n: int, a: Any, x: Any) -> Any:
    """Derivatives by ``a`` of ``x**(a - 1) exp(-x) / Gamma(a)``, entire in ``a``."""
    large = a > 3.0
    b = xp.where(large, a, 3.0)
    y = xp.where(x > 0, x, 1.0)
    psi = psi_derivatives(special, b, n)
    away = _poisson(xp, special, b, y) / y
    if n:
        away = away * _bell(n, xp.log(y) - psi[0], [-p for p in psi[1:]])
    away = xp.where((x == 0) | (x == xp.inf), 0.0, away)
    # Nearer 0 the reciprocal of gamma by its recurrence: a (a + 1) ... / Gamma(a + m).
    c = xp.where(large, 1.0, a)
    up = xp.where(c < -20.0, xp.nan, c) + 24.0
    psi = psi_derivatives(special, up, n)
    exponent: Jet = [-special.gammaln(up)]
    exponent += [
        ((xp.log(y) if k == 1 else 0.0) - psi[k - 1]) / math.factorial(k) for k in range(1, n + 1)
    ]
    near = jet_exp(xp, exponent)
    for k in range(24):
        near = jet_multiply(near, [c + k, xp.ones_like(c)] + [0.0] * (n - 1) if n else [c + k])
    value = near[n] * math.factorial(n) * xp.exp((c - 1) * xp.log(y) - y)
    if n:
        at_zero = xp.where(c > 1, 0.0, xp.where(value == 0, 0.0, xp.copysign(xp.inf, -1.0)))
    else:
        rest = near[0]
        at_zero = xp.where(
            (c > 1) | (rest == 0), 0.0, xp.where(c == 1, 1.0, xp.copysign(xp.inf, rest))
        )
    value = xp.where(x == 0, at_zero, xp.where(x == xp.inf, 0.0, value))
    return xp.where((x < 0) | xp.isnan(x) | xp.isnan(a), xp.nan, xp.where(large, away, value))


gammainc_derivative = by_order(_gammainc, 1, nodes=256)
gamma_density_derivative = by_order(_gamma_density, 1, nodes=16)


# --- the beta distribution -------------------------------------------------------------------


def _cumulants(special: Any, m: int, n: int, a: Any, b: Any) -> dict[tuple[int, int], Any]:
    """Mixed derivatives of ``-log B(a, b)``, of orders up to (m, n)."""
    of_sum = psi_derivatives(special, a + b, m + n)
    made = {}
    for i in range(m + 1):
        for j in range(n + 1):
            if i and j:
                made[i, j] = of_sum[i + j - 1]
            elif i:
                made[i, j] = _psi_change(special, i - 1, a, b)
            elif j:
                made[i, j] = _psi_change(special, j - 1, b, a)
    return made


def _psi_change(special: Any, k: int, a: Any, by: Any) -> Any:
    """``psi^(k)(a + by) - psi^(k)(a)``, by Taylor's series where they nearly agree."""
    xp = modules_of(a)[0]
    small = xp.where(by < 0.02 * a, by, 0.0)
    series: Any = 0.0
    for j in range(8, 0, -1):
        series = (series + special.polygamma(k + j, a)) * small / j
    return xp.where(small > 0, series, special.polygamma(k, a + by) - special.polygamma(k, a))


def _mixed(m: int, n: int, cumulant: dict[tuple[int, int], Any]) -> Any:
    """What the mixed derivative of order (m, n) multiplies ``exp(f)`` with."""
    made: dict[tuple[int, int], Any] = {(0, 0): 1.0}
    for i in range(m + 1):
        for j in range(n + 1):
            if i:
                made[i, j] = sum(
                    math.comb(i - 1, k) * math.comb(j, q) * made[i - 1 - k, j - q]
                    * cumulant[k + 1, q]
                    for k in range(i)
                    for q in range(j + 1)
                )  # fmt: skip
            elif j:
                made[i, j] = sum(
                    math.comb(j - 1, q) * made[i, j - 1 - q] * cumulant[i, q + 1] for q in range(j)
                )
    return made[m, n]


def _beta_weight(xp: Any, special: Any, a: Any, b: Any, x: Any, y: Any) -> Any:
    """``x**a y**b / B(a, b)``, where x + y = 1, accurate for large a and b."""
    cross = x * b - y * a
    r, q = cross / a, -cross / b

    def rest(z: Any) -> Any:
        return stirling_remainder(xp, special, z)

    at_x = _logarithm(xp, r, x * ((a + b) / a)) - r
    at_y = _logarithm(xp, q, y * ((a + b) / b)) - q
    exponent = a * at_x + b * at_y + rest(a + b) - rest(a) - rest(b)
    return xp.sqrt(a * (b / (a + b)) / TWO_PI) * xp.exp(exponent)


def _betainc(xp: Any, special: Any, m: int, n: int, a: Any, b: Any, x: Any) -> Any:
    if m == n == 0:
        return special.betainc(a, b, x)
    shapes = (a > 0) & (b > 0) & xp.isfinite(a + b)
    inside = shapes & (x > 0) & (x < 1)
    a, b = xp.where(shapes, a, 1.0), xp.where(shapes, b, 1.0)
    z = xp.where(inside, x, 0.5)
    # The tail that ends before the density's maximum; the upper one by reflection (DLMF 8.17.4).
    lower = z <= a / (a + b)
    made = xp.empty_like(z)
    for mask, order, sign in ((lower, (m, n), 1.0), (~lower, (n, m), -1.0)):
        (where,) = xp.nonzero(mask)
        if where.size:
            p, q, u, v = a[where], b[where], z[where], 1 - z[where]
            if sign < 0:
                p, q, u, v = q, p, v, u
            made[where] = sign * _lower_beta_tail(xp, special, *order, p, q, u, v)
    edge = shapes & ((x == 0) | (x == 1))
    return xp.where(inside, made, xp.where(edge, 0.0, xp.nan))


def _lower_beta_tail(xp: Any, special: Any, m: int, n: int, a: Any, b: Any, x: Any, y: Any) -> Any:
    # A small a means a tail as long as 1 / a: raised by one first (DLMF 8.17.20).
    small = a < 1.0
    raised = xp.where(small, a + 1, a)
    first = _beta_tail_integral(xp, special, m, n, raised, b, x, y)
    if not bool(small.any()):
        return first
    cumulant = _cumulants(special, m, n, a + 1, b)
    # x^a y^b / (a B(a, b)) = Gamma(a + b) x^a y^b / (Gamma(a + 1) Gamma(b))
    for (i, j), value in cumulant.items():
        k = i + j - 1  # psi^(k)(a + b) - psi^(k)(a + b + 1), DLMF 5.5.2
        cumulant[i, j] = value - (-1.0) ** k * math.factorial(k) / (a + b) ** (k + 1)
    if m:
        cumulant[1, 0] = cumulant[1, 0] + xp.log(x)
    if n:
        cumulant[0, 1] = cumulant[0, 1] + xp.log1p(-x)
    extra = _beta_weight(xp, special, a, b, x, y) / a * _mixed(m, n, cumulant)
    return first + xp.where(small, extra, 0.0)


def _beta_tail_integral(
    xp: Any, special: Any, m: int, n: int, a: Any, b: Any, x: Any, y: Any
) -> Any:
    both = a + b

    def height(s: Any) -> Any:
        return a * s + both * xp.log1p(x * xp.expm1(-s))

    def slope(s: Any) -> Any:
        shrunk = x * xp.exp(-s)
        return a - both * shrunk / (y + shrunk)

    length = falling_to(xp, (FAR - both * xp.log(y)) / a, height, slope, steps=20)
    nodes, weights = legendre(xp, 200)
    s = length[:, None] * nodes
    logarithm = xp.log1p(x[:, None] * xp.expm1(-s))  # of what 1 - t is smaller by than y
    values = xp.exp(-a[:, None] * s - both[:, None] * logarithm)
    cumulant = {k: v[:, None] for k, v in _cumulants(special, m, n, a, b).items()}
    if m:
        cumulant[1, 0] = (cumulant[1, 0] + xp.log(x)[:, None]) - s - logarithm
    if n:
        cumulant[0, 1] = (cumulant[0, 1] + xp.log(y)[:, None]) - logarithm
    total = (values * _mixed(m, n, cumulant) * weights).sum(axis=1) * length
    return total * _beta_weight(xp, special, a, b, x, y)


def _beta_density(xp: Any, special: Any, m: int, n: int, a: Any, b: Any, x: Any) -> Any:
    """Derivatives by ``a`` and ``b`` of ``x**(a - 1) (1 - x)**(b - 1) / B(a, b)``."""
    shapes = (a > 0) & (b > 0)
    inside = shapes & (x > 0) & (x < 1)
    a, b = xp.where(shapes, a, 1.0), xp.where(shapes, b, 1.0)
    z = xp.where(inside, x, 0.5)
    made = _beta_weight(xp, special, a, b, z, 1 - z) / (z * (1 - z))
    if m or n:
        cumulant = _cumulants(special, m, n, a, b)
        if m:
            cumulant[1, 0] = cumulant[1, 0] + xp.log(z)
        if n:
            cumulant[0, 1] = cumulant[0, 1] + xp.log1p(-z)
        made = made * _mixed(m, n, cumulant)
    # At an end: the power of 0, which beats logarithms.
    shape, other = xp.where(x == 0, a, b), xp.where(x == 0, b, a)
    sign = (-1.0) ** (m + n)
    edge = xp.where(shape > 1, 0.0, xp.where(shape == 1, other, sign * xp.inf))
    if m or n:
        edge = xp.where(shape > 1, 0.0, sign * xp.inf)
    ends = shapes & ((x == 0) | (x == 1))
    return xp.where(
        inside, made, xp.where(ends, edge, xp.where(shapes & xp.isfinite(x), 0, xp.nan))
    )


betainc_derivative = by_order(_betainc, 2, nodes=800)
beta_density_derivative = by_order(_beta_density, 2, nodes=16)
