"""Exponential, power and extreme-value distributions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .continuous import INF, Continuous
from .formulas import EULER, LOG_2, ZETA_3, expm1_over, log1mexp, log1p_over, special

__all__ = [
    "bradford", "burr", "burr12", "dweibull", "expon", "exponpow", "exponweib", "fisk",
    "genexpon", "genextreme", "genhalflogistic", "genpareto", "gompertz", "gumbel_l",
    "gumbel_r", "invweibull", "kappa3", "loguniform", "lomax", "mielke", "pareto", "powerlaw",
    "reciprocal", "truncexpon", "truncpareto", "truncweibull_min", "uniform", "weibull_max",
    "weibull_min",
]  # fmt: skip

POSITIVE = (0.0, INF)
ABOVE_ONE = (1.0, INF)
UNIT = (0.0, 1.0)
SQUARE_6 = math.pi**2 / 6.0

uniform = Continuous(
    "uniform",
    lambda x: 0.0 * x,
    UNIT,
    cdf=lambda x: x,
    sf=lambda x: 1.0 - x,
    ppf=lambda q: q,
    isf=lambda q: 1.0 - q,
    mean=lambda: 0.5,
    var=lambda: 1.0 / 12.0,
    skew=lambda: 0.0,
    kurtosis=lambda: -1.2,
    entropy=lambda: 0.0,
)
expon = Continuous(
    "expon",
    lambda x: -x,
    POSITIVE,
    cdf=lambda x: -np.expm1(-x),
    logsf=lambda x: -x,
    ppf=lambda q: -np.log1p(-q),
    isf=lambda q: -np.log(q),
    mean=lambda: 1.0,
    var=lambda: 1.0,
    skew=lambda: 2.0,
    kurtosis=lambda: 6.0,
    entropy=lambda: 1.0,
)


def _power(x: Any, c: Any) -> Any:
    return np.power(x, c)


def _gamma_moment(k: float, c: Any) -> Any:
    return special.gamma(1.0 + k / c)


weibull_min = Continuous(
    "weibull_min",
    lambda x, c: np.log(c) + special.xlogy(c - 1.0, x) - _power(x, c),
    POSITIVE,
    cdf=lambda x, c: -np.expm1(-_power(x, c)),
    logsf=lambda x, c: -_power(x, c),
    ppf=lambda q, c: _power(-np.log1p(-q), 1.0 / c),
    isf=lambda q, c: _power(-np.log(q), 1.0 / c),
    mean=lambda c: _gamma_moment(1.0, c),
    var=lambda c: _gamma_moment(2.0, c) - _gamma_moment(1.0, c) ** 2,
    entropy=lambda c: -EULER / c - np.log(c) + EULER + 1.0,
)
weibull_max = Continuous(
    "weibull_max",
    lambda x, c: np.log(c) + special.xlogy(c - 1.0, -x) - _power(-x, c),
    (-INF, 0.0),
    logcdf=lambda x, c: -_power(-x, c),
    sf=lambda x, c: -np.expm1(-_power(-x, c)),
    ppf=lambda q, c: -_power(-np.log(q), 1.0 / c),
    isf=lambda q, c: -_power(-np.log1p(-q), 1.0 / c),
    mean=lambda c: -_gamma_moment(1.0, c),
    var=lambda c: _gamma_moment(2.0, c) - _gamma_moment(1.0, c) ** 2,
    entropy=lambda c: -EULER / c - np.log(c) + EULER + 1.0,
)
invweibull = Continuous(
    "invweibull",
    lambda x, c: np.log(c) - (c + 1.0) * np.log(x) - _power(x, -c),
    POSITIVE,
    open_ends=True,
    logcdf=lambda x, c: -_power(x, -c),
    sf=lambda x, c: -np.expm1(-_power(x, -c)),
    ppf=lambda q, c: _power(-np.log(q), -1.0 / c),
    isf=lambda q, c: _power(-np.log1p(-q), -1.0 / c),
    entropy=lambda c: 1.0 + EULER + EULER / c - np.log(c),
)
dweibull = Continuous(
    "dweibull",
    lambda x, c: (
        np.log(0.5 * c) + special.xlogy(c - 1.0, np.absolute(x)) - np.power(np.absolute(x), c)
    ),
    mean=lambda c: 0.0 * c,
    var=lambda c: _gamma_moment(2.0, c),
    skew=lambda c: 0.0 * c,
    entropy=lambda c: -EULER / c - np.log(c) + EULER + 1.0 + LOG_2,
)
exponweib = Continuous(
    "exponweib",
    lambda x, a, c: (
        np.log(a)
        + np.log(c)
        + (a - 1.0) * log1mexp(-_power(x, c))
        - _power(x, c)
        + special.xlogy(c - 1.0, x)
    ),
    POSITIVE,
    logcdf=lambda x, a, c: a * log1mexp(-_power(x, c)),
    ppf=lambda q, a, c: _power(-log1mexp(np.log(q) / a), 1.0 / c),
    isf=lambda q, a, c: _power(-log1mexp(np.log1p(-q) / a), 1.0 / c),
)
exponpow = Continuous(
    "exponpow",
    lambda x, b: 1.0 + np.log(b) + special.xlogy(b - 1.0, x) + _power(x, b) - np.exp(_power(x, b)),
    POSITIVE,
    cdf=lambda x, b: -np.expm1(-np.expm1(_power(x, b))),
    logsf=lambda x, b: -np.expm1(_power(x, b)),
    ppf=lambda q, b: _power(np.log1p(-np.log1p(-q)), 1.0 / b),
    isf=lambda q, b: _power(np.log1p(-np.log(q)), 1.0 / b),
)
truncweibull_min = Continuous(
    "truncweibull_min",
    lambda x, c, a, b: (
        np.log(c)
        + special.xlogy(c - 1.0, x)
        - _power(x, c)
        + _power(a, c)
        - log1mexp(_power(a, c) - _power(b, c))
    ),
    (lambda c, a, b: a, lambda c, a, b: b),
    valid=lambda c, a, b: np.logical_and(a >= 0.0, np.logical_and(b > a, c > 0.0)),
    logcdf=lambda x, c, a, b: (
        log1mexp(_power(a, c) - _power(x, c)) - log1mexp(_power(a, c) - _power(b, c))
    ),
    logsf=lambda x, c, a, b: (
        _power(a, c)
        - _power(x, c)
        + log1mexp(_power(x, c) - _power(b, c))
        - log1mexp(_power(a, c) - _power(b, c))
    ),
)
gumbel_r = Continuous(
    "gumbel_r",
    lambda x: -x - np.exp(-x),
    cdf=lambda x: np.exp(-np.exp(-x)),
    logcdf=lambda x: -np.exp(-x),
    sf=lambda x: -np.expm1(-np.exp(-x)),
    ppf=lambda q: -np.log(-np.log(q)),
    isf=lambda q: -np.log(-np.log1p(-q)),
    mean=lambda: EULER,
    var=lambda: SQUARE_6,
    skew=lambda: 12.0 * math.sqrt(6.0) / math.pi**3 * ZETA_3,
    kurtosis=lambda: 2.4,
    entropy=lambda: EULER + 1.0,
)
gumbel_l = Continuous(
    "gumbel_l",
    lambda x: x - np.exp(x),
    cdf=lambda x: -np.expm1(-np.exp(x)),
    logsf=lambda x: -np.exp(x),
    sf=lambda x: np.exp(-np.exp(x)),
    ppf=lambda q: np.log(-np.log1p(-q)),
    isf=lambda q: np.log(-np.log(q)),
    mean=lambda: -EULER,
    var=lambda: SQUARE_6,
    skew=lambda: -12.0 * math.sqrt(6.0) / math.pi**3 * ZETA_3,
    kurtosis=lambda: 2.4,
    entropy=lambda: EULER + 1.0,
)


def _end_of(c: Any, side: float) -> Any:
    """``1 / c`` where c has the sign of ``side``, infinite elsewhere."""
    here = c * side > 0.0
    return np.where(here, 1.0 / np.where(here, c, 1.0), side * INF)


genextreme = Continuous(
    "genextreme",
    # log1p(-c x) / (-c) is x at c = 0.
    lambda x, c: -(1.0 - c) * log1p_over(-c, x) - np.exp(-log1p_over(-c, x)),
    (lambda c: _end_of(c, -1.0), lambda c: _end_of(c, 1.0)),
    open_ends=True,
    valid=lambda c: np.isfinite(c),
    logcdf=lambda x, c: -np.exp(-log1p_over(-c, x)),
    ppf=lambda q, c: -expm1_over(c, np.log(-np.log(q))),
    isf=lambda q, c: -expm1_over(c, np.log(-np.log1p(-q))),
)
genpareto = Continuous(
    "genpareto",
    lambda x, c: -(1.0 + c) * log1p_over(c, x),
    (0.0, lambda c: -_end_of(c, -1.0)),
    valid=lambda c: np.isfinite(c),
    cdf=lambda x, c: -np.expm1(-log1p_over(c, x)),
    logsf=lambda x, c: -log1p_over(c, x),
    ppf=lambda q, c: expm1_over(c, -np.log1p(-q)),
    isf=lambda q, c: expm1_over(c, -np.log(q)),
    mean=lambda c: np.where(c < 1.0, 1.0 / (1.0 - np.where(c < 1.0, c, 0.0)), INF),
    var=lambda c: np.where(c < 0.5, _pareto_variance(np.where(c < 0.5, c, 0.0)), INF),
    entropy=lambda c: 1.0 + c,
)


def _pareto_variance(c: Any) -> Any:
    return 1.0 / ((1.0 - c) ** 2 * (1.0 - 2.0 * c))


pareto = Continuous(
    "pareto",
    lambda x, b: np.log(b) - (b + 1.0) * np.log(x),
    ABOVE_ONE,
    cdf=lambda x, b: -np.expm1(-b * np.log(x)),
    logsf=lambda x, b: -b * np.log(x),
    ppf=lambda q, b: np.exp(-np.log1p(-q) / b),
    isf=lambda q, b: np.exp(-np.log(q) / b),
    mean=lambda b: np.where(b > 1.0, 1.0 + 1.0 / (np.where(b > 1.0, b, 2.0) - 1.0), INF),
    var=lambda b: np.where(b > 2.0, _classic_variance(np.where(b > 2.0, b, 3.0)), INF),
    entropy=lambda b: 1.0 + 1.0 / b - np.log(b),
)


def _classic_variance(b: Any) -> Any:
    return b / ((b - 1.0) ** 2 * (b - 2.0))


lomax = Continuous(
    "lomax",
    lambda x, c: np.log(c) - (c + 1.0) * np.log1p(x),
    POSITIVE,
    cdf=lambda x, c: -np.expm1(-c * np.log1p(x)),
    logsf=lambda x, c: -c * np.log1p(x),
    ppf=lambda q, c: np.expm1(-np.log1p(-q) / c),
    isf=lambda q, c: np.expm1(-np.log(q) / c),
    mean=lambda c: np.where(c > 1.0, 1.0 / (np.where(c > 1.0, c, 2.0) - 1.0), INF),
    entropy=lambda c: 1.0 + 1.0 / c - np.log(c),
)
truncpareto = Continuous(
    "truncpareto",
    lambda x, b, c: np.log(np.absolute(b)) - (b + 1.0) * np.log(x) - _log_truncation(b, c),
    (1.0, lambda b, c: c),
    valid=lambda b, c: np.logical_and(b != 0.0, c > 1.0),
    cdf=lambda x, b, c: np.expm1(-b * np.log(x)) / np.expm1(-b * np.log(c)),
    sf=lambda x, b, c: (
        np.exp(-b * np.log(x)) * np.expm1(b * np.log(x / c)) / np.expm1(-b * np.log(c))
    ),
    ppf=lambda q, b, c: np.exp(-np.log1p(q * np.expm1(-b * np.log(c))) / b),
)


def _log_truncation(b: Any, c: Any) -> Any:
    return np.log(np.absolute(np.expm1(-b * np.log(c))))


truncexpon = Continuous(
    "truncexpon",
    lambda x, b: -x - np.log(-np.expm1(-b)),
    (0.0, lambda b: b),
    cdf=lambda x, b: np.expm1(-x) / np.expm1(-b),
    sf=lambda x, b: (np.exp(-b) - np.exp(-x)) / np.expm1(-b),
    ppf=lambda q, b: -np.log1p(q * np.expm1(-b)),
)
loguniform = Continuous(
    "loguniform",
    lambda x, a, b: -np.log(x) - np.log(np.log(b / a)),
    (lambda a, b: a, lambda a, b: b),
    valid=lambda a, b: np.logical_and(a > 0.0, b > a),
    cdf=lambda x, a, b: np.log(x / a) / np.log(b / a),
    sf=lambda x, a, b: np.log(b / x) / np.log(b / a),
    ppf=lambda q, a, b: a * np.exp(q * np.log(b / a)),
    isf=lambda q, a, b: b * np.exp(-q * np.log(b / a)),
    mean=lambda a, b: (b - a) / np.log(b / a),
    var=lambda a, b: 0.5 * (b - a) * (b + a) / np.log(b / a) - ((b - a) / np.log(b / a)) ** 2,
    entropy=lambda a, b: 0.5 * (np.log(a) + np.log(b)) + np.log(np.log(b / a)),
)
reciprocal = loguniform
powerlaw = Continuous(
    "powerlaw",
    lambda x, a: np.log(a) + special.xlogy(a - 1.0, x),
    UNIT,
    cdf=lambda x, a: _power(x, a),
    logcdf=lambda x, a: a * np.log(x),
    sf=lambda x, a: -np.expm1(a * np.log(x)),
    ppf=lambda q, a: _power(q, 1.0 / a),
    isf=lambda q, a: np.exp(np.log1p(-q) / a),
    mean=lambda a: a / (a + 1.0),
    var=lambda a: a / (a + 2.0) / (a + 1.0) ** 2,
    entropy=lambda a: 1.0 - 1.0 / a - np.log(a),
)
bradford = Continuous(
    "bradford",
    lambda x, c: np.log(c) - np.log1p(c * x) - np.log(np.log1p(c)),
    UNIT,
    cdf=lambda x, c: np.log1p(c * x) / np.log1p(c),
    sf=lambda x, c: np.log1p(c * (1.0 - x) / (1.0 + c * x)) / np.log1p(c),
    ppf=lambda q, c: np.expm1(q * np.log1p(c)) / c,
    mean=lambda c: (c - np.log1p(c)) / (c * np.log1p(c)),
    entropy=lambda c: 0.5 * np.log1p(c) - np.log(c / np.log1p(c)),
)
gompertz = Continuous(
    "gompertz",
    lambda x, c: np.log(c) + x - c * np.expm1(x),
    POSITIVE,
    cdf=lambda x, c: -np.expm1(-c * np.expm1(x)),
    logsf=lambda x, c: -c * np.expm1(x),
    ppf=lambda q, c: np.log1p(-np.log1p(-q) / c),
    isf=lambda q, c: np.log1p(-np.log(q) / c),
)
genexpon = Continuous(
    "genexpon",
    lambda x, a, b, c: np.log(a - b * np.expm1(-c * x)) - (a + b) * x - b / c * np.expm1(-c * x),
    POSITIVE,
    cdf=lambda x, a, b, c: -np.expm1(-(a + b) * x - b / c * np.expm1(-c * x)),
    logsf=lambda x, a, b, c: -(a + b) * x - b / c * np.expm1(-c * x),
)
genhalflogistic = Continuous(
    "genhalflogistic",
    lambda x, c: (
        LOG_2 + (1.0 - c) * -log1p_over(-c, x) - 2.0 * np.log1p(np.exp(-log1p_over(-c, x)))
    ),
    (0.0, lambda c: 1.0 / c),
    cdf=lambda x, c: np.tanh(0.5 * log1p_over(-c, x)),
    sf=lambda x, c: 2.0 * special.expit(-log1p_over(-c, x)),
    ppf=lambda q, c: -expm1_over(c, np.log((1.0 - q) / (1.0 + q))),
    isf=lambda q, c: -expm1_over(c, np.log(q / (2.0 - q))),
)
burr = Continuous(
    "burr",
    lambda x, c, d: (
        np.log(c) + np.log(d) - (c + 1.0) * np.log(x) - (d + 1.0) * np.log1p(_power(x, -c))
    ),
    POSITIVE,
    open_ends=True,
    logcdf=lambda x, c, d: -d * np.log1p(_power(x, -c)),
    ppf=lambda q, c, d: _power(np.expm1(-np.log(q) / d), -1.0 / c),
    isf=lambda q, c, d: _power(np.expm1(-np.log1p(-q) / d), -1.0 / c),
)
burr12 = Continuous(
    "burr12",
    lambda x, c, d: (
        np.log(c) + np.log(d) + special.xlogy(c - 1.0, x) + special.xlog1py(-d - 1.0, _power(x, c))
    ),
    POSITIVE,
    cdf=lambda x, c, d: -np.expm1(-d * np.log1p(_power(x, c))),
    logsf=lambda x, c, d: -d * np.log1p(_power(x, c)),
    ppf=lambda q, c, d: _power(np.expm1(-np.log1p(-q) / d), 1.0 / c),
    isf=lambda q, c, d: _power(np.expm1(-np.log(q) / d), 1.0 / c),
)
fisk = Continuous(
    "fisk",
    lambda x, c: np.log(c) - (c + 1.0) * np.log(x) - 2.0 * np.log1p(_power(x, -c)),
    POSITIVE,
    open_ends=True,
    cdf=lambda x, c: special.expit(c * np.log(x)),
    sf=lambda x, c: special.expit(-c * np.log(x)),
    logcdf=lambda x, c: special.log_expit(c * np.log(x)),
    logsf=lambda x, c: special.log_expit(-c * np.log(x)),
    ppf=lambda q, c: np.exp(special.logit(q) / c),
    isf=lambda q, c: np.exp(-special.logit(q) / c),
    mean=lambda c: np.where(
        c > 1.0, math.pi / (np.where(c > 1.0, c, 2.0)) / _sine(np.where(c > 1.0, c, 2.0)), INF
    ),
    entropy=lambda c: 2.0 - np.log(c),
)


def _sine(c: Any) -> Any:
    return np.sin(math.pi / c)


mielke = Continuous(
    "mielke",
    lambda x, k, s: np.log(k) + special.xlogy(k - 1.0, x) - (1.0 + k / s) * np.log1p(_power(x, s)),
    POSITIVE,
    logcdf=lambda x, k, s: k * np.log(x) - k / s * np.log1p(_power(x, s)),
    ppf=lambda q, k, s: _power(np.expm1(-s / k * np.log(q)), -1.0 / s),
    isf=lambda q, k, s: _power(np.expm1(-s / k * np.log1p(-q)), -1.0 / s),
)
kappa3 = Continuous(
    "kappa3",
    lambda x, a: np.log(a) - (1.0 + 1.0 / a) * np.log(a + _power(x, a)),
    POSITIVE,
    logcdf=lambda x, a: np.log(x) - np.log(a + _power(x, a)) / a,
    ppf=lambda q, a: _power(a / np.expm1(-a * np.log(q)), 1.0 / a),
    isf=lambda q, a: _power(a / np.expm1(-a * np.log1p(-q)), 1.0 / a),
)
