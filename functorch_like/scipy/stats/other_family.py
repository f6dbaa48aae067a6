"""The remaining continuous distributions with a closed density."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .continuous import INF, Continuous
from .formulas import LOG_ROOT_TWO_PI, expm1_over, log1p_over, log_normal_density, special

__all__ = [
    "alpha", "anglit", "argus", "cosine", "crystalball", "dpareto_lognorm", "gausshyper",
    "kappa4", "rel_breitwigner", "trapezoid", "triang", "tukeylambda", "wrapcauchy",
]  # fmt: skip

UNIT = (0.0, 1.0)

alpha = Continuous(
    "alpha",
    lambda x, a: -2.0 * np.log(x) + log_normal_density(a - 1.0 / x) - special.log_ndtr(a),
    (0.0, INF),
    open_ends=True,
    cdf=lambda x, a: special.ndtr(a - 1.0 / x) / special.ndtr(a),
    logcdf=lambda x, a: special.log_ndtr(a - 1.0 / x) - special.log_ndtr(a),
    ppf=lambda q, a: 1.0 / (a - special.ndtri(q * special.ndtr(a))),
    mean=lambda a: INF + 0.0 * a,
    var=lambda a: INF + 0.0 * a,
)
anglit = Continuous(
    "anglit",
    lambda x: np.log(np.cos(2.0 * x)),
    (-math.pi / 4.0, math.pi / 4.0),
    cdf=lambda x: np.sin(x + math.pi / 4.0) ** 2,
    sf=lambda x: np.cos(x + math.pi / 4.0) ** 2,
    ppf=lambda q: np.arcsin(np.sqrt(q)) - math.pi / 4.0,
    mean=lambda: 0.0,
    var=lambda: math.pi**2 / 16.0 - 0.5,
    skew=lambda: 0.0,
    entropy=lambda: 1.0 - math.log(2.0),
)
argus = Continuous(
    "argus",
    lambda x, chi: (
        3.0 * np.log(chi)
        - LOG_ROOT_TWO_PI
        - np.log(0.5 * special.gammainc(1.5, 0.5 * chi * chi))
        + np.log(x)
        + 0.5 * (np.log1p(-x) + np.log1p(x))
        - 0.5 * chi * chi * (1.0 - x) * (1.0 + x)
    ),
    UNIT,
    sf=lambda x, chi: (
        special.gammainc(1.5, 0.5 * chi * chi * (1.0 - x) * (1.0 + x))
        / special.gammainc(1.5, 0.5 * chi * chi)
    ),
)
cosine = Continuous(
    "cosine",
    lambda x: np.log1p(np.cos(x)) - math.log(2.0 * math.pi),
    (-math.pi, math.pi),
    mean=lambda: 0.0,
    var=lambda: math.pi**2 / 3.0 - 2.0,
    skew=lambda: 0.0,
    entropy=lambda: math.log(4.0 * math.pi) - 1.0,
)
crystalball = Continuous(
    "crystalball",
    lambda x, beta, m: _crystal_log_shape(x, beta, m) - np.log(_crystal_mass(beta, m)),
    valid=lambda beta, m: np.logical_and(m > 1.0, beta > 0.0),
    cdf=lambda x, beta, m: _crystal_below(x, beta, m) / _crystal_mass(beta, m),
    sf=lambda x, beta, m: np.where(
        x > -beta,
        math.sqrt(2.0 * math.pi) * special.ndtr(-x) / _crystal_mass(beta, m),
        1.0 - _crystal_below(x, beta, m) / _crystal_mass(beta, m),
    ),
)


def _crystal_log_shape(x: Any, beta: Any, m: Any) -> Any:
    core = x > -beta
    y = np.where(core, -beta - 1.0, x)
    tail = m * np.log(m / beta) - 0.5 * beta * beta - m * np.log(m / beta - beta - y)
    return np.where(core, -0.5 * np.where(core, x, 0.0) ** 2, tail)


def _crystal_tail(y: Any, beta: Any, m: Any) -> Any:
    """Mass below ``y <= -beta``."""
    ratio = m / beta
    return np.exp(m * np.log(ratio) - 0.5 * beta * beta + (1.0 - m) * np.log(ratio - beta - y)) / (
        m - 1.0
    )


def _crystal_mass(beta: Any, m: Any) -> Any:
    return m / beta / (m - 1.0) * np.exp(-0.5 * beta * beta) + math.sqrt(
        2.0 * math.pi
    ) * special.ndtr(beta)


def _crystal_below(x: Any, beta: Any, m: Any) -> Any:
    core = x > -beta
    y = np.where(core, -beta - 1.0, x)
    difference = special.ndtr(np.where(core, x, 0.0)) - special.ndtr(-beta)
    inside = m / beta / (m - 1.0) * np.exp(-0.5 * beta * beta) + (
        math.sqrt(2.0 * math.pi) * difference
    )
    return np.where(core, inside, _crystal_tail(y, beta, m))


def _between(x: Any) -> Any:
    """A divisor that may be 0 at the end of a parameter's range, where it is not used."""
    return np.where(x == 0.0, 1.0, x)


triang = Continuous(
    "triang",
    lambda x, c: np.log(_triangle(x, c)),
    UNIT,
    valid=lambda c: np.logical_and(c >= 0.0, c <= 1.0),
    pdf=lambda x, c: _triangle(x, c),
    cdf=lambda x, c: np.where(x < c, x * x / _between(c), 1.0 - (1.0 - x) ** 2 / _between(1.0 - c)),
    sf=lambda x, c: np.where(x < c, 1.0 - x * x / _between(c), (1.0 - x) ** 2 / _between(1.0 - c)),
    ppf=lambda q, c: np.where(
        q < c, np.sqrt(c * q), 1.0 - np.sqrt(np.maximum((1.0 - c) * (1.0 - q), 0.0))
    ),
    mean=lambda c: (c + 1.0) / 3.0,
    var=lambda c: (1.0 - c + c * c) / 18.0,
    kurtosis=lambda c: -0.6 + 0.0 * c,
    entropy=lambda c: 0.5 - math.log(2.0) + 0.0 * c,
)


def _triangle(x: Any, c: Any) -> Any:
    return np.where(x < c, 2.0 * x / _between(c), 2.0 * (1.0 - x) / _between(1.0 - c))


def _trapezoid_height(c: Any, d: Any) -> Any:
    return 2.0 / (d - c + 1.0)


trapezoid = Continuous(
    "trapezoid",
    lambda x, c, d: np.log(_trapezoid_density(x, c, d)),
    UNIT,
    valid=lambda c, d: np.logical_and(np.logical_and(c >= 0.0, c <= d), d <= 1.0),
    pdf=lambda x, c, d: _trapezoid_density(x, c, d),
    cdf=lambda x, c, d: np.where(
        x < c,
        0.5 * _trapezoid_height(c, d) * x * x / _between(c),
        np.where(
            x <= d,
            _trapezoid_height(c, d) * (x - 0.5 * c),
            1.0 - 0.5 * _trapezoid_height(c, d) * (1.0 - x) ** 2 / _between(1.0 - d),
        ),
    ),
)


def _trapezoid_density(x: Any, c: Any, d: Any) -> Any:
    rising, falling = x / _between(c), (1.0 - x) / _between(1.0 - d)
    shape = np.where(x < c, rising, np.where(x <= d, 1.0, falling))
    return _trapezoid_height(c, d) * shape


tukeylambda: Continuous = Continuous(
    "tukeylambda",
    # The quantile is Q(p) = (p^lam - (1 - p)^lam) / lam and the density 1 / Q'(F(x)).
    lambda x, lam: -np.log(_tukey_slope(tukeylambda.raw("cdf", x, (lam,)), lam)),
    (lambda lam: -_tukey_end(lam), lambda lam: _tukey_end(lam)),
    valid=lambda lam: np.isfinite(lam),
    ppf=lambda q, lam: expm1_over(lam, np.log(q)) - expm1_over(lam, np.log1p(-q)),
    isf=lambda q, lam: expm1_over(lam, np.log1p(-q)) - expm1_over(lam, np.log(q)),
)


def _tukey_slope(p: Any, lam: Any) -> Any:
    return np.power(p, lam - 1.0) + np.power(1.0 - p, lam - 1.0)


def _tukey_end(lam: Any) -> Any:
    bounded = lam > 0.0
    return np.where(bounded, 1.0 / np.where(bounded, lam, 1.0), INF)


wrapcauchy = Continuous(
    "wrapcauchy",
    lambda x, c: (
        np.log1p(-c * c)
        - math.log(2.0 * math.pi)
        - np.log((1.0 - c) ** 2 + 4.0 * c * np.sin(0.5 * x) ** 2)
    ),
    (0.0, 2.0 * math.pi),
    valid=lambda c: np.logical_and(c > 0.0, c < 1.0),
    cdf=lambda x, c: _wrapped(x, (1.0 + c) / (1.0 - c)),
    ppf=lambda q, c: _wrapped_quantile(q, (1.0 - c) / (1.0 + c)),
    entropy=lambda c: np.log(2.0 * math.pi * (1.0 - c * c)),
)


def _wrapped(x: Any, ratio: Any) -> Any:
    # The angle of (cos, ratio sin) of x/2 runs from 0 to pi: no branches.
    return np.arctan2(ratio * np.sin(0.5 * x), np.cos(0.5 * x)) / math.pi


def _wrapped_quantile(q: Any, ratio: Any) -> Any:
    return 2.0 * np.arctan2(ratio * np.sin(math.pi * q), np.cos(math.pi * q))


kappa4 = Continuous(
    "kappa4",
    # (1 - k x)^(1/k - 1) (1 - h (1 - k x)^(1/k))^(1/h - 1)
    lambda x, h, k: (
        -(1.0 - k) * log1p_over(-k, x) - (1.0 - h) * log1p_over(-h, np.exp(-log1p_over(-k, x)))
    ),
    (lambda h, k: _kappa_low(h, k), lambda h, k: _kappa_high(h, k)),
    valid=lambda h, k: np.logical_and(np.isfinite(h), np.isfinite(k)),
    logcdf=lambda x, h, k: -log1p_over(-h, np.exp(-log1p_over(-k, x))),
    ppf=lambda q, h, k: -expm1_over(k, np.log(-expm1_over(h, np.log(q)))),
)


def _kappa_low(h: Any, k: Any) -> Any:
    high, negative = h > 0.0, k < 0.0
    positive_h = np.where(high, h, 1.0)
    first = -expm1_over(np.where(high, k, 0.0), -np.log(positive_h))
    second = np.where(negative, 1.0 / np.where(negative, k, -1.0), -INF)
    return np.where(high, first, second)


def _kappa_high(h: Any, k: Any) -> Any:
    bounded = k > 0.0
    return np.where(bounded, 1.0 / np.where(bounded, k, 1.0), INF) + 0.0 * h


rel_breitwigner = Continuous(
    "rel_breitwigner",
    lambda x, rho: np.log(_breit_wigner_constant(rho)) - 2.0 * _log_resonance(x, rho),
    (0.0, INF),
)


def _log_resonance(x: Any, rho: Any) -> Any:
    return 0.5 * np.log(((x - rho) * (x + rho) / rho) ** 2 + 1.0)


def _breit_wigner_constant(rho: Any) -> Any:
    root = np.sqrt(1.0 + 1.0 / rho**2)
    return 2.0 * math.sqrt(2.0) / math.pi * root / np.sqrt(1.0 + root)


gausshyper = Continuous(
    "gausshyper",
    lambda x, a, b, c, z: (
        special.xlogy(a - 1.0, x)
        + special.xlog1py(b - 1.0, -x)
        - c * np.log1p(z * x)
        - special.betaln(a, b)
        - np.log(special.hyp2f1(c, a, a + b, -z))
    ),
    UNIT,
    valid=lambda a, b, c, z: np.logical_and(
        np.logical_and(a > 0.0, b > 0.0), np.logical_and(np.isfinite(c), z > -1.0)
    ),
)
dpareto_lognorm = Continuous(
    "dpareto_lognorm",
    lambda x, u, s, a, b: (
        np.log(a)
        + np.log(b)
        - np.log(a + b)
        - np.log(x)
        + log_normal_density((np.log(x) - u) / s)
        + np.logaddexp(
            _log_mills(a * s - (np.log(x) - u) / s), _log_mills(b * s + (np.log(x) - u) / s)
        )
    ),
    (0.0, INF),
    open_ends=True,
    valid=lambda u, s, a, b: np.logical_and(s > 0.0, np.logical_and(a > 0.0, b > 0.0)),
)


def _log_mills(z: Any) -> Any:
    """Logarithm of Mills' ratio, tail over density."""
    return special.log_ndtr(-z) - log_normal_density(z)
