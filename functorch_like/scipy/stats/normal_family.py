"""Distributions made of the normal one, and those of Cauchy, Laplace and the logistic."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .continuous import INF, Continuous
from .formulas import (
    LOG_2,
    LOG_PI,
    LOG_ROOT_TWO_PI,
    log1mexp,
    log_normal_density,
    special,
)

__all__ = [
    "cauchy", "exponnorm", "fatiguelife", "foldcauchy", "foldnorm", "genlogistic", "gennorm",
    "gibrat", "halfcauchy", "halfgennorm", "halflogistic", "halfnorm", "hypsecant", "invgauss",
    "johnsonsb", "johnsonsu", "laplace", "laplace_asymmetric", "levy", "levy_l", "logistic",
    "loglaplace", "lognorm", "moyal", "norm", "powerlognorm", "powernorm", "recipinvgauss",
    "skewcauchy", "skewnorm", "truncnorm", "wald",
]  # fmt: skip

ROOT_2 = math.sqrt(2.0)
ROOT_2_OVER_PI = math.sqrt(2.0 / math.pi)
POSITIVE = (0.0, INF)

norm = Continuous(
    "norm",
    log_normal_density,
    cdf=lambda x: special.ndtr(x),
    sf=lambda x: special.ndtr(-x),
    logcdf=lambda x: special.log_ndtr(x),
    logsf=lambda x: special.log_ndtr(-x),
    ppf=lambda q: special.ndtri(q),
    isf=lambda q: -special.ndtri(q),
    mean=lambda: 0.0,
    var=lambda: 1.0,
    skew=lambda: 0.0,
    kurtosis=lambda: 0.0,
    entropy=lambda: LOG_ROOT_TWO_PI + 0.5,
)
halfnorm = Continuous(
    "halfnorm",
    lambda x: LOG_2 + log_normal_density(x),
    POSITIVE,
    cdf=lambda x: special.erf(x / ROOT_2),
    sf=lambda x: 2.0 * special.ndtr(-x),
    ppf=lambda q: special.ndtri(0.5 + 0.5 * q),
    isf=lambda q: -special.ndtri(0.5 * q),
    mean=lambda: ROOT_2_OVER_PI,
    var=lambda: 1.0 - 2.0 / math.pi,
    skew=lambda: ROOT_2 * (4.0 - math.pi) / (math.pi - 2.0) ** 1.5,
    kurtosis=lambda: 8.0 * (math.pi - 3.0) / (math.pi - 2.0) ** 2,
    entropy=lambda: 0.5 * math.log(math.pi / 2.0) + 0.5,
)
foldnorm = Continuous(
    "foldnorm",
    lambda x, c: np.logaddexp(log_normal_density(x - c), log_normal_density(x + c)),
    POSITIVE,
    valid=lambda c: c >= 0.0,
    cdf=lambda x, c: special.ndtr(x - c) - special.ndtr(-x - c),
    sf=lambda x, c: special.ndtr(c - x) + special.ndtr(-x - c),
    mean=lambda c: _foldnorm_mean(c),
    var=lambda c: c * c + 1.0 - _foldnorm_mean(c) ** 2,
)


def _foldnorm_mean(c: Any) -> Any:
    return ROOT_2_OVER_PI * np.exp(-0.5 * c * c) + c * special.erf(c / ROOT_2)


lognorm = Continuous(
    "lognorm",
    lambda x, s: log_normal_density(np.log(x) / s) - np.log(s) - np.log(x),
    POSITIVE,
    open_ends=True,
    cdf=lambda x, s: special.ndtr(np.log(x) / s),
    sf=lambda x, s: special.ndtr(-np.log(x) / s),
    logcdf=lambda x, s: special.log_ndtr(np.log(x) / s),
    logsf=lambda x, s: special.log_ndtr(-np.log(x) / s),
    ppf=lambda q, s: np.exp(s * special.ndtri(q)),
    isf=lambda q, s: np.exp(-s * special.ndtri(q)),
    mean=lambda s: np.exp(0.5 * s * s),
    var=lambda s: np.expm1(s * s) * np.exp(s * s),
    skew=lambda s: np.sqrt(np.expm1(s * s)) * (2.0 + np.exp(s * s)),
    kurtosis=lambda s: (
        np.exp(4.0 * s * s) + 2.0 * np.exp(3.0 * s * s) + 3.0 * np.exp(2.0 * s * s) - 6.0
    ),
    entropy=lambda s: LOG_ROOT_TWO_PI + 0.5 + np.log(s),
)
gibrat = Continuous(
    "gibrat",
    lambda x: log_normal_density(np.log(x)) - np.log(x),
    POSITIVE,
    open_ends=True,
    cdf=lambda x: special.ndtr(np.log(x)),
    sf=lambda x: special.ndtr(-np.log(x)),
    logcdf=lambda x: special.log_ndtr(np.log(x)),
    logsf=lambda x: special.log_ndtr(-np.log(x)),
    ppf=lambda q: np.exp(special.ndtri(q)),
    isf=lambda q: np.exp(-special.ndtri(q)),
    mean=lambda: math.exp(0.5),
    var=lambda: math.e * (math.e - 1.0),
    skew=lambda: math.sqrt(math.e - 1.0) * (2.0 + math.e),
    kurtosis=lambda: math.e**4 + 2.0 * math.e**3 + 3.0 * math.e**2 - 6.0,
    entropy=lambda: LOG_ROOT_TWO_PI + 0.5,
)


def _log_mass(a: Any, b: Any) -> Any:
    """Logarithm of the normal probability of (a, b), from the tail in which it lies."""
    right = a > 0.0
    low, high = np.where(right, -b, a), np.where(right, -a, b)
    top = special.log_ndtr(high)
    return top + log1mexp(np.minimum(special.log_ndtr(low) - top, -1e-300))


truncnorm = Continuous(
    "truncnorm",
    lambda x, a, b: log_normal_density(x) - _log_mass(a, b),
    (lambda a, b: a, lambda a, b: b),
    valid=lambda a, b: a < b,
    logcdf=lambda x, a, b: _log_mass(a, x) - _log_mass(a, b),
    logsf=lambda x, a, b: _log_mass(x, b) - _log_mass(a, b),
)
skewnorm = Continuous(
    "skewnorm",
    lambda x, a: LOG_2 + log_normal_density(x) + special.log_ndtr(a * x),
    valid=lambda a: np.isfinite(a),
    mean=lambda a: ROOT_2_OVER_PI * a / np.sqrt(1.0 + a * a),
    var=lambda a: 1.0 - 2.0 / math.pi * a * a / (1.0 + a * a),
)
exponnorm = Continuous(
    "exponnorm",
    lambda x, K: (  # noqa: N803
        -np.log(K) + 1.0 / K * (0.5 / K - x) + special.log_ndtr(x - 1.0 / K)
    ),
    logsf=lambda x, K: np.logaddexp(  # noqa: N803
        special.log_ndtr(-x), 1.0 / K * (0.5 / K - x) + special.log_ndtr(x - 1.0 / K)
    ),
    mean=lambda K: K,  # noqa: N803
    var=lambda K: 1.0 + K * K,  # noqa: N803
    skew=lambda K: 2.0 * K**3 * (1.0 + K * K) ** -1.5,  # noqa: N803
    kurtosis=lambda K: 6.0 * K**4 * (1.0 + K * K) ** -2.0,  # noqa: N803
)
powernorm = Continuous(
    "powernorm",
    lambda x, c: np.log(c) + log_normal_density(x) + (c - 1.0) * special.log_ndtr(-x),
    logsf=lambda x, c: c * special.log_ndtr(-x),
    ppf=lambda q, c: -special.ndtri(np.exp(np.log1p(-q) / c)),
    isf=lambda q, c: -special.ndtri(np.exp(np.log(q) / c)),
)
powerlognorm = Continuous(
    "powerlognorm",
    lambda x, c, s: (
        np.log(c / (x * s))
        + log_normal_density(np.log(x) / s)
        + (c - 1.0) * special.log_ndtr(-np.log(x) / s)
    ),
    POSITIVE,
    open_ends=True,
    logsf=lambda x, c, s: c * special.log_ndtr(-np.log(x) / s),
    ppf=lambda q, c, s: np.exp(-s * special.ndtri(np.exp(np.log1p(-q) / c))),
    isf=lambda q, c, s: np.exp(-s * special.ndtri(np.exp(np.log(q) / c))),
)
gennorm = Continuous(
    "gennorm",
    lambda x, beta: np.log(0.5 * beta) - special.gammaln(1.0 / beta) - _power_of_absolute(x, beta),
    mean=lambda beta: 0.0 * beta,
    var=lambda beta: np.exp(special.gammaln(3.0 / beta) - special.gammaln(1.0 / beta)),
    skew=lambda beta: 0.0 * beta,
    entropy=lambda beta: 1.0 / beta - np.log(0.5 * beta) + special.gammaln(1.0 / beta),
)


def _power_of_absolute(x: Any, exponent: Any) -> Any:
    return np.power(np.absolute(x), exponent)


halfgennorm = Continuous(
    "halfgennorm",
    lambda x, beta: np.log(beta) - special.gammaln(1.0 / beta) - np.power(x, beta),
    POSITIVE,
    cdf=lambda x, beta: special.gammainc(1.0 / beta, np.power(x, beta)),
    sf=lambda x, beta: special.gammaincc(1.0 / beta, np.power(x, beta)),
    entropy=lambda beta: 1.0 / beta - np.log(beta) + special.gammaln(1.0 / beta),
)
invgauss = Continuous(
    "invgauss",
    lambda x, mu: -LOG_ROOT_TWO_PI - 1.5 * np.log(x) - ((x - mu) / mu) ** 2 / (2.0 * x),
    POSITIVE,
    open_ends=True,
    logcdf=lambda x, mu: np.logaddexp(
        special.log_ndtr((x / mu - 1.0) / np.sqrt(x)),
        2.0 / mu + special.log_ndtr(-(x / mu + 1.0) / np.sqrt(x)),
    ),
    logsf=lambda x, mu: _log_inverse_gauss_tail(x, mu),
    mean=lambda mu: mu,
    var=lambda mu: mu**3,
    skew=lambda mu: 3.0 * np.sqrt(mu),
    kurtosis=lambda mu: 15.0 * mu,
)


def _log_inverse_gauss_tail(x: Any, mu: Any) -> Any:
    first = special.log_ndtr(-(x / mu - 1.0) / np.sqrt(x))
    second = 2.0 / mu + special.log_ndtr(-(x / mu + 1.0) / np.sqrt(x))
    return first + log1mexp(np.minimum(second - first, -1e-300))


wald = Continuous(
    "wald",
    lambda x: -LOG_ROOT_TWO_PI - 1.5 * np.log(x) - (x - 1.0) ** 2 / (2.0 * x),
    POSITIVE,
    open_ends=True,
    logcdf=lambda x: invgauss.closed["logcdf"](x, 1.0),
    logsf=lambda x: _log_inverse_gauss_tail(x, 1.0),
    mean=lambda: 1.0,
    var=lambda: 1.0,
    skew=lambda: 3.0,
    kurtosis=lambda: 15.0,
)
recipinvgauss = Continuous(
    "recipinvgauss",
    lambda x, mu: -((1.0 - mu * x) ** 2) / (2.0 * x * mu**2) - LOG_ROOT_TWO_PI - 0.5 * np.log(x),
    POSITIVE,
    open_ends=True,
    cdf=lambda x, mu: (
        special.ndtr(-(1.0 / mu - x) / np.sqrt(x))
        - np.exp(2.0 / mu + special.log_ndtr(-(1.0 / mu + x) / np.sqrt(x)))
    ),
    sf=lambda x, mu: (
        special.ndtr((1.0 / mu - x) / np.sqrt(x))
        + np.exp(2.0 / mu + special.log_ndtr(-(1.0 / mu + x) / np.sqrt(x)))
    ),
    mean=lambda mu: 1.0 / mu + 1.0,
    var=lambda mu: 1.0 / mu + 2.0,
)
fatiguelife = Continuous(
    "fatiguelife",
    lambda x, c: (
        np.log1p(x)
        - (x - 1.0) ** 2 / (2.0 * x * c * c)
        - np.log(2.0 * c)
        - LOG_ROOT_TWO_PI
        - 1.5 * np.log(x)
    ),
    POSITIVE,
    open_ends=True,
    cdf=lambda x, c: special.ndtr((np.sqrt(x) - 1.0 / np.sqrt(x)) / c),
    sf=lambda x, c: special.ndtr((1.0 / np.sqrt(x) - np.sqrt(x)) / c),
    logcdf=lambda x, c: special.log_ndtr((np.sqrt(x) - 1.0 / np.sqrt(x)) / c),
    logsf=lambda x, c: special.log_ndtr((1.0 / np.sqrt(x) - np.sqrt(x)) / c),
    ppf=lambda q, c: _fatigue_quantile(c * special.ndtri(q)),
    isf=lambda q, c: _fatigue_quantile(-c * special.ndtri(q)),
    mean=lambda c: 0.5 * c * c + 1.0,
    var=lambda c: c * c * (1.25 * c * c + 1.0),
)


def _fatigue_quantile(u: Any) -> Any:
    # (u + sqrt(u^2 + 4))^2 / 4 without cancellation at negative u.
    return np.exp(2.0 * np.arcsinh(0.5 * u))


johnsonsu = Continuous(
    "johnsonsu",
    lambda x, a, b: np.log(b) - 0.5 * np.log1p(x * x) + log_normal_density(a + b * np.arcsinh(x)),
    valid=lambda a, b: b > 0.0,
    cdf=lambda x, a, b: special.ndtr(a + b * np.arcsinh(x)),
    sf=lambda x, a, b: special.ndtr(-a - b * np.arcsinh(x)),
    logcdf=lambda x, a, b: special.log_ndtr(a + b * np.arcsinh(x)),
    logsf=lambda x, a, b: special.log_ndtr(-a - b * np.arcsinh(x)),
    ppf=lambda q, a, b: np.sinh((special.ndtri(q) - a) / b),
    isf=lambda q, a, b: np.sinh((-special.ndtri(q) - a) / b),
)
johnsonsb = Continuous(
    "johnsonsb",
    lambda x, a, b: (
        np.log(b) - np.log(x) - np.log1p(-x) + log_normal_density(a + b * special.logit(x))
    ),
    (0.0, 1.0),
    open_ends=True,
    valid=lambda a, b: b > 0.0,
    cdf=lambda x, a, b: special.ndtr(a + b * special.logit(x)),
    sf=lambda x, a, b: special.ndtr(-a - b * special.logit(x)),
    logcdf=lambda x, a, b: special.log_ndtr(a + b * special.logit(x)),
    logsf=lambda x, a, b: special.log_ndtr(-a - b * special.logit(x)),
    ppf=lambda q, a, b: special.expit((special.ndtri(q) - a) / b),
    isf=lambda q, a, b: special.expit((-special.ndtri(q) - a) / b),
)
levy = Continuous(
    "levy",
    lambda x: -LOG_ROOT_TWO_PI - 1.5 * np.log(x) - 0.5 / x,
    POSITIVE,
    open_ends=True,
    cdf=lambda x: special.erfc(np.sqrt(0.5 / x)),
    sf=lambda x: special.erf(np.sqrt(0.5 / x)),
    ppf=lambda q: special.ndtri(0.5 * q) ** -2.0,
    isf=lambda q: 0.5 / special.erfinv(q) ** 2,
    mean=lambda: INF,
    var=lambda: INF,
)
levy_l = Continuous(
    "levy_l",
    lambda x: -LOG_ROOT_TWO_PI - 1.5 * np.log(-x) + 0.5 / x,
    (-INF, 0.0),
    open_ends=True,
    cdf=lambda x: special.erf(np.sqrt(-0.5 / x)),
    sf=lambda x: special.erfc(np.sqrt(-0.5 / x)),
    ppf=lambda q: -0.5 / special.erfinv(q) ** 2,
    isf=lambda q: -(special.ndtri(0.5 * q) ** -2.0),
    mean=lambda: INF,
    var=lambda: INF,
)
moyal = Continuous(
    "moyal",
    lambda x: -0.5 * (x + np.exp(-x)) - LOG_ROOT_TWO_PI,
    cdf=lambda x: special.erfc(np.exp(-0.5 * x) / ROOT_2),
    sf=lambda x: special.erf(np.exp(-0.5 * x) / ROOT_2),
    ppf=lambda q: -2.0 * np.log(-special.ndtri(0.5 * q)),
    isf=lambda q: -np.log(2.0 * special.erfinv(q) ** 2),
    mean=lambda: LOG_2 + 0.57721566490153286,
    var=lambda: math.pi**2 / 2.0,
    kurtosis=lambda: 4.0,
)

# --- Cauchy ------------------------------------------------------------------------------------

cauchy = Continuous(
    "cauchy",
    lambda x: -LOG_PI - np.log1p(x * x),
    cdf=lambda x: np.arctan2(1.0, -x) / math.pi,
    sf=lambda x: np.arctan2(1.0, x) / math.pi,
    ppf=lambda q: -_cotangent(q),
    isf=lambda q: _cotangent(q),
    mean=lambda: math.nan,
    var=lambda: math.nan,
    entropy=lambda: math.log(4.0 * math.pi),
)


def _cotangent(q: Any) -> Any:
    """Cotangent of pi q, from the nearer end of (0, 1)."""
    left = q < 0.5
    near = 1.0 / np.tan(math.pi * np.where(left, q, 1.0 - q))
    return np.where(left, near, -near)


halfcauchy = Continuous(
    "halfcauchy",
    lambda x: LOG_2 - LOG_PI - np.log1p(x * x),
    POSITIVE,
    cdf=lambda x: 2.0 / math.pi * np.arctan(x),
    sf=lambda x: 2.0 / math.pi * np.arctan2(1.0, x),
    ppf=lambda q: np.tan(0.5 * math.pi * q),
    isf=lambda q: 1.0 / np.tan(0.5 * math.pi * q),
    mean=lambda: INF,
    var=lambda: INF,
    entropy=lambda: math.log(2.0 * math.pi),
)
foldcauchy = Continuous(
    "foldcauchy",
    lambda x, c: np.log(1.0 / (1.0 + (x - c) ** 2) + 1.0 / (1.0 + (x + c) ** 2)) - LOG_PI,
    POSITIVE,
    valid=lambda c: c >= 0.0,
    cdf=lambda x, c: (np.arctan(x - c) + np.arctan(x + c)) / math.pi,
    sf=lambda x, c: (np.arctan2(1.0, x - c) + np.arctan2(1.0, x + c)) / math.pi,
    mean=lambda c: INF + 0.0 * c,
    var=lambda c: INF + 0.0 * c,
)
skewcauchy = Continuous(
    "skewcauchy",
    lambda x, a: -LOG_PI - np.log1p((x / (1.0 + a * np.sign(x))) ** 2),
    valid=lambda a: np.absolute(a) < 1.0,
    cdf=lambda x, a: (
        0.5 * (1.0 - a) + (1.0 + a * np.sign(x)) / math.pi * np.arctan(x / (1.0 + a * np.sign(x)))
    ),
)

# --- Laplace and logistic ------------------------------------------------------------------------

laplace = Continuous(
    "laplace",
    lambda x: -LOG_2 - np.absolute(x),
    logcdf=lambda x: _log_laplace(x),
    logsf=lambda x: _log_laplace(-x),
    cdf=lambda x: np.exp(_log_laplace(x)),
    sf=lambda x: np.exp(_log_laplace(-x)),
    ppf=lambda q: _laplace_quantile(q),
    isf=lambda q: -_laplace_quantile(q),
    mean=lambda: 0.0,
    var=lambda: 2.0,
    skew=lambda: 0.0,
    kurtosis=lambda: 3.0,
    entropy=lambda: LOG_2 + 1.0,
)


def _log_laplace(x: Any) -> Any:
    below = x < 0.0
    right = np.log1p(-0.5 * np.exp(-np.where(below, 0.0, x)))
    return np.where(below, x - LOG_2, right)


def _laplace_quantile(q: Any) -> Any:
    below = q < 0.5
    tail = np.log(2.0 * np.where(below, q, 1.0 - q))
    return np.where(below, tail, -tail)


laplace_asymmetric = Continuous(
    "laplace_asymmetric",
    lambda x, kappa: np.where(x >= 0.0, -kappa, 1.0 / kappa) * x - np.log(kappa + 1.0 / kappa),
    cdf=lambda x, kappa: np.where(
        x >= 0.0,
        1.0 - np.exp(-np.where(x >= 0.0, x, 0.0) * kappa) / (1.0 + kappa * kappa),
        np.exp(np.where(x >= 0.0, 0.0, x) / kappa) * kappa * kappa / (1.0 + kappa * kappa),
    ),
    sf=lambda x, kappa: np.where(
        x >= 0.0,
        np.exp(-np.where(x >= 0.0, x, 0.0) * kappa) / (1.0 + kappa * kappa),
        1.0 - np.exp(np.where(x >= 0.0, 0.0, x) / kappa) * kappa * kappa / (1.0 + kappa * kappa),
    ),
    mean=lambda kappa: 1.0 / kappa - kappa,
    var=lambda kappa: 1.0 / kappa**2 + kappa**2,
    entropy=lambda kappa: 1.0 + np.log(kappa + 1.0 / kappa),
)
loglaplace = Continuous(
    "loglaplace",
    lambda x, c: np.log(0.5 * c) - np.log(x) - c * np.absolute(np.log(x)),
    POSITIVE,
    open_ends=True,
    logcdf=lambda x, c: _log_laplace(c * np.log(x)),
    logsf=lambda x, c: _log_laplace(-c * np.log(x)),
    ppf=lambda q, c: np.exp(_laplace_quantile(q) / c),
    isf=lambda q, c: np.exp(-_laplace_quantile(q) / c),
    entropy=lambda c: np.log(2.0 / c) + 1.0,
)
logistic = Continuous(
    "logistic",
    lambda x: special.log_expit(x) + special.log_expit(-x),
    cdf=lambda x: special.expit(x),
    sf=lambda x: special.expit(-x),
    logcdf=lambda x: special.log_expit(x),
    logsf=lambda x: special.log_expit(-x),
    ppf=lambda q: special.logit(q),
    isf=lambda q: -special.logit(q),
    mean=lambda: 0.0,
    var=lambda: math.pi**2 / 3.0,
    skew=lambda: 0.0,
    kurtosis=lambda: 1.2,
    entropy=lambda: 2.0,
)
genlogistic = Continuous(
    "genlogistic",
    lambda x, c: np.log(c) + special.log_expit(-x) + c * special.log_expit(x),
    logcdf=lambda x, c: c * special.log_expit(x),
    ppf=lambda q, c: -np.log(np.expm1(-np.log(q) / c)),
    isf=lambda q, c: -np.log(np.expm1(-np.log1p(-q) / c)),
    mean=lambda c: 0.57721566490153286 + special.psi(c),
    var=lambda c: math.pi**2 / 6.0 + special.polygamma(1, c),
)
halflogistic = Continuous(
    "halflogistic",
    lambda x: LOG_2 + special.log_expit(x) + special.log_expit(-x),
    POSITIVE,
    cdf=lambda x: np.tanh(0.5 * x),
    sf=lambda x: 2.0 * special.expit(-x),
    ppf=lambda q: 2.0 * np.arctanh(q),
    isf=lambda q: -special.logit(0.5 * q),
    mean=lambda: 2.0 * LOG_2,
    var=lambda: math.pi**2 / 3.0 - 4.0 * LOG_2**2,
    entropy=lambda: 2.0 - LOG_2,
)
hypsecant = Continuous(
    "hypsecant",
    lambda x: -LOG_PI - np.logaddexp(x, -x) + LOG_2,
    cdf=lambda x: 2.0 / math.pi * np.arctan(np.exp(x)),
    sf=lambda x: 2.0 / math.pi * np.arctan(np.exp(-x)),
    ppf=lambda q: np.log(np.tan(0.5 * math.pi * q)),
    isf=lambda q: -np.log(np.tan(0.5 * math.pi * q)),
    mean=lambda: 0.0,
    var=lambda: math.pi**2 / 4.0,
    skew=lambda: 0.0,
    kurtosis=lambda: 2.0,
)
