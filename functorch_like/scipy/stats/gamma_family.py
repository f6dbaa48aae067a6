"""Distributions made of the incomplete gamma and beta functions and of Bessel functions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .continuous import INF, Continuous
from .formulas import LOG_2, LOG_PI, LOG_ROOT_TWO_PI, log_normal_density, special

__all__ = [
    "arcsine", "beta", "betaprime", "chi", "chi2", "dgamma", "erlang", "f", "gamma", "gengamma",
    "genhyperbolic", "geninvgauss", "invgamma", "jf_skew_t", "loggamma", "maxwell", "nakagami",
    "ncx2", "norminvgauss", "pearson3", "rayleigh", "rdist", "rice", "semicircular", "t",
    "vonmises", "vonmises_line",
]  # fmt: skip

POSITIVE = (0.0, INF)
UNIT = (0.0, 1.0)

# --- gamma ---------------------------------------------------------------------------------------


def _gamma_entropy(a: Any) -> Any:
    return a + special.gammaln(a) + (1.0 - a) * special.psi(a)


def _gamma(name: str, **more: Any) -> Continuous:
    return Continuous(
        name,
        lambda x, a: special.xlogy(a - 1.0, x) - x - special.gammaln(a),
        POSITIVE,
        cdf=lambda x, a: special.gammainc(a, x),
        sf=lambda x, a: special.gammaincc(a, x),
        mean=lambda a: a,
        var=lambda a: a,
        skew=lambda a: 2.0 / np.sqrt(a),
        kurtosis=lambda a: 6.0 / a,
        entropy=_gamma_entropy,
        **more,
    )


gamma = _gamma("gamma")
erlang = _gamma("erlang")
chi2 = Continuous(
    "chi2",
    lambda x, df: (
        special.xlogy(0.5 * df - 1.0, x) - 0.5 * x - special.gammaln(0.5 * df) - 0.5 * LOG_2 * df
    ),
    POSITIVE,
    cdf=lambda x, df: special.gammainc(0.5 * df, 0.5 * x),
    sf=lambda x, df: special.gammaincc(0.5 * df, 0.5 * x),
    mean=lambda df: df,
    var=lambda df: 2.0 * df,
    skew=lambda df: 2.0 * np.sqrt(2.0 / df),
    kurtosis=lambda df: 12.0 / df,
    entropy=lambda df: LOG_2 + _gamma_entropy(0.5 * df),
)
chi = Continuous(
    "chi",
    lambda x, df: (
        LOG_2
        - 0.5 * LOG_2 * df
        - special.gammaln(0.5 * df)
        + special.xlogy(df - 1.0, x)
        - 0.5 * x * x
    ),
    POSITIVE,
    cdf=lambda x, df: special.gammainc(0.5 * df, 0.5 * x * x),
    sf=lambda x, df: special.gammaincc(0.5 * df, 0.5 * x * x),
    mean=lambda df: _chi_mean(df),
    var=lambda df: df - _chi_mean(df) ** 2,
    entropy=lambda df: (
        special.gammaln(0.5 * df) + 0.5 * (df - LOG_2 - (df - 1.0) * special.psi(0.5 * df))
    ),
)


def _chi_mean(df: Any) -> Any:
    return math.sqrt(2.0) * np.exp(special.gammaln(0.5 * df + 0.5) - special.gammaln(0.5 * df))


rayleigh = Continuous(
    "rayleigh",
    lambda x: np.log(x) - 0.5 * x * x,
    POSITIVE,
    cdf=lambda x: -np.expm1(-0.5 * x * x),
    logsf=lambda x: -0.5 * x * x,
    ppf=lambda q: np.sqrt(-2.0 * np.log1p(-q)),
    isf=lambda q: np.sqrt(-2.0 * np.log(q)),
    mean=lambda: math.sqrt(math.pi / 2.0),
    var=lambda: 2.0 - math.pi / 2.0,
    skew=lambda: 2.0 * (math.pi - 3.0) * math.sqrt(math.pi) / (4.0 - math.pi) ** 1.5,
    kurtosis=lambda: 6.0 * math.pi / (4.0 - math.pi) - 16.0 / (4.0 - math.pi) ** 2,
    entropy=lambda: 0.57721566490153286 / 2.0 + 1.0 - 0.5 * LOG_2,
)
maxwell = Continuous(
    "maxwell",
    lambda x: 0.5 * (LOG_2 - LOG_PI) + 2.0 * np.log(x) - 0.5 * x * x,
    POSITIVE,
    cdf=lambda x: special.gammainc(1.5, 0.5 * x * x),
    sf=lambda x: special.gammaincc(1.5, 0.5 * x * x),
    mean=lambda: 2.0 * math.sqrt(2.0 / math.pi),
    var=lambda: 3.0 - 8.0 / math.pi,
    entropy=lambda: 0.57721566490153286 + 0.5 * math.log(2.0 * math.pi) - 0.5,
)
nakagami = Continuous(
    "nakagami",
    lambda x, nu: (
        LOG_2
        + special.xlogy(nu, nu)
        - special.gammaln(nu)
        + special.xlogy(2.0 * nu - 1.0, x)
        - nu * x * x
    ),
    POSITIVE,
    cdf=lambda x, nu: special.gammainc(nu, nu * x * x),
    sf=lambda x, nu: special.gammaincc(nu, nu * x * x),
    mean=lambda nu: _nakagami_mean(nu),
    var=lambda nu: 1.0 - _nakagami_mean(nu) ** 2,
)


def _nakagami_mean(nu: Any) -> Any:
    return np.exp(special.gammaln(nu + 0.5) - special.gammaln(nu)) / np.sqrt(nu)


invgamma = Continuous(
    "invgamma",
    lambda x, a: -(a + 1.0) * np.log(x) - special.gammaln(a) - 1.0 / x,
    POSITIVE,
    open_ends=True,
    cdf=lambda x, a: special.gammaincc(a, 1.0 / x),
    sf=lambda x, a: special.gammainc(a, 1.0 / x),
    mean=lambda a: np.where(a > 1.0, 1.0 / (np.where(a > 1.0, a, 2.0) - 1.0), INF),
    var=lambda a: np.where(a > 2.0, _inverse_gamma_variance(np.where(a > 2.0, a, 3.0)), INF),
    entropy=lambda a: a + special.gammaln(a) - (1.0 + a) * special.psi(a),
)


def _inverse_gamma_variance(a: Any) -> Any:
    return 1.0 / ((a - 1.0) ** 2 * (a - 2.0))


gengamma = Continuous(
    "gengamma",
    lambda x, a, c: (
        np.log(np.absolute(c)) + special.xlogy(c * a - 1.0, x) - np.power(x, c) - special.gammaln(a)
    ),
    POSITIVE,
    open_ends=True,
    valid=lambda a, c: np.logical_and(a > 0.0, c != 0.0),
    cdf=lambda x, a, c: np.where(
        c > 0.0, special.gammainc(a, np.power(x, c)), special.gammaincc(a, np.power(x, c))
    ),
    sf=lambda x, a, c: np.where(
        c > 0.0, special.gammaincc(a, np.power(x, c)), special.gammainc(a, np.power(x, c))
    ),
    mean=lambda a, c: np.exp(special.gammaln(a + 1.0 / c) - special.gammaln(a)),
    var=lambda a, c: (
        np.exp(special.gammaln(a + 2.0 / c) - special.gammaln(a))
        - np.exp(2.0 * (special.gammaln(a + 1.0 / c) - special.gammaln(a)))
    ),
)
loggamma = Continuous(
    "loggamma",
    lambda x, c: c * x - np.exp(x) - special.gammaln(c),
    cdf=lambda x, c: special.gammainc(c, np.exp(x)),
    sf=lambda x, c: special.gammaincc(c, np.exp(x)),
    mean=lambda c: special.psi(c),
    var=lambda c: special.polygamma(1, c),
    skew=lambda c: special.polygamma(2, c) / special.polygamma(1, c) ** 1.5,
    kurtosis=lambda c: special.polygamma(3, c) / special.polygamma(1, c) ** 2,
    entropy=lambda c: special.gammaln(c) - c * special.psi(c) + c,
)
dgamma = Continuous(
    "dgamma",
    lambda x, a: (
        special.xlogy(a - 1.0, np.absolute(x)) - np.absolute(x) - LOG_2 - special.gammaln(a)
    ),
    mean=lambda a: 0.0 * a,
    var=lambda a: a * (a + 1.0),
    skew=lambda a: 0.0 * a,
    kurtosis=lambda a: (a + 2.0) * (a + 3.0) / (a * (a + 1.0)) - 3.0,
    entropy=lambda a: LOG_2 + _gamma_entropy(a),
)

# --- beta ----------------------------------------------------------------------------------------


def _log_beta_density(x: Any, a: Any, b: Any) -> Any:
    return special.xlog1py(b - 1.0, -x) + special.xlogy(a - 1.0, x) - special.betaln(a, b)


beta = Continuous(
    "beta",
    lambda x, a, b: _log_beta_density(x, a, b),
    UNIT,
    cdf=lambda x, a, b: special.betainc(a, b, x),
    sf=lambda x, a, b: special.betainc(b, a, 1.0 - x),
    mean=lambda a, b: a / (a + b),
    var=lambda a, b: a * b / ((a + b) ** 2 * (a + b + 1.0)),
    skew=lambda a, b: 2.0 * (b - a) * np.sqrt(a + b + 1.0) / ((a + b + 2.0) * np.sqrt(a * b)),
    kurtosis=lambda a, b: (
        6.0
        * ((a - b) ** 2 * (a + b + 1.0) - a * b * (a + b + 2.0))
        / (a * b * (a + b + 2.0) * (a + b + 3.0))
    ),
    entropy=lambda a, b: (
        special.betaln(a, b)
        - (a - 1.0) * special.psi(a)
        - (b - 1.0) * special.psi(b)
        + (a + b - 2.0) * special.psi(a + b)
    ),
)
betaprime = Continuous(
    "betaprime",
    lambda x, a, b: special.xlogy(a - 1.0, x) - special.xlog1py(a + b, x) - special.betaln(a, b),
    POSITIVE,
    cdf=lambda x, a, b: special.betainc(a, b, x / (1.0 + x)),
    sf=lambda x, a, b: special.betainc(b, a, 1.0 / (1.0 + x)),
    mean=lambda a, b: np.where(b > 1.0, a / (np.where(b > 1.0, b, 2.0) - 1.0), INF),
    var=lambda a, b: np.where(b > 2.0, _beta_prime_variance(a, np.where(b > 2.0, b, 3.0)), INF),
)


def _beta_prime_variance(a: Any, b: Any) -> Any:
    return a * (a + b - 1.0) / ((b - 2.0) * (b - 1.0) ** 2)


f = Continuous(
    "f",
    lambda x, dfn, dfd: (
        0.5 * dfd * np.log(dfd)
        + 0.5 * dfn * np.log(dfn)
        + special.xlogy(0.5 * dfn - 1.0, x)
        - 0.5 * (dfn + dfd) * np.log(dfd + dfn * x)
        - special.betaln(0.5 * dfn, 0.5 * dfd)
    ),
    POSITIVE,
    cdf=lambda x, dfn, dfd: special.betainc(0.5 * dfn, 0.5 * dfd, dfn * x / (dfd + dfn * x)),
    sf=lambda x, dfn, dfd: special.betainc(0.5 * dfd, 0.5 * dfn, dfd / (dfd + dfn * x)),
    mean=lambda dfn, dfd: np.where(
        dfd > 2.0, _f_mean(np.where(dfd > 2.0, dfd, 3.0)) + 0.0 * dfn, INF
    ),
    var=lambda dfn, dfd: np.where(dfd > 4.0, _f_variance(dfn, np.where(dfd > 4.0, dfd, 5.0)), INF),
)


def _f_mean(dfd: Any) -> Any:
    return dfd / (dfd - 2.0)


def _f_variance(dfn: Any, dfd: Any) -> Any:
    return 2.0 * dfd**2 * (dfn + dfd - 2.0) / (dfn * (dfd - 2.0) ** 2 * (dfd - 4.0))


t = Continuous(
    "t",
    lambda x, df: (
        -special.betaln(0.5, 0.5 * df) - 0.5 * np.log(df) - 0.5 * (df + 1.0) * np.log1p(x * x / df)
    ),
    cdf=lambda x, df: special.betainc(0.5 * df, 0.5 * df, _t_fraction(x, df)),
    sf=lambda x, df: special.betainc(0.5 * df, 0.5 * df, _t_fraction(-x, df)),
    mean=lambda df: np.where(df > 1.0, 0.0, INF),
    var=lambda df: np.where(
        df > 2.0, _t_variance(np.where(df > 2.0, df, 3.0)), np.where(df > 1.0, INF, math.nan)
    ),
    entropy=lambda df: (
        0.5 * (df + 1.0) * (special.psi(0.5 * df + 0.5) - special.psi(0.5 * df))
        + 0.5 * np.log(df)
        + special.betaln(0.5 * df, 0.5)
    ),
)


def _t_fraction(x: Any, df: Any) -> Any:
    """``(1 + x / r) / 2`` with ``r = sqrt(df + x**2)`` (Jones and Faddy, 2003), also far left.

    The usual argument, ``df / (df + x**2)``, has no derivative at the centre.
    """
    r = np.sqrt(df + np.square(x))
    left = x < 0.0
    far = df / (r + np.where(left, -x, 0.0))
    return 0.5 * np.where(left, far, r + np.where(left, 0.0, x)) / r


def _t_variance(df: Any) -> Any:
    return df / (df - 2.0)


arcsine = Continuous(
    "arcsine",
    lambda x: -LOG_PI - 0.5 * np.log(x) - 0.5 * np.log1p(-x),
    UNIT,
    cdf=lambda x: 2.0 / math.pi * np.arcsin(np.sqrt(x)),
    ppf=lambda q: np.sin(0.5 * math.pi * q) ** 2,
    mean=lambda: 0.5,
    var=lambda: 0.125,
    skew=lambda: 0.0,
    kurtosis=lambda: -1.5,
    entropy=lambda: math.log(math.pi / 4.0),
)
rdist = Continuous(
    "rdist",
    lambda x, c: (0.5 * c - 1.0) * (np.log1p(x) + np.log1p(-x)) - special.betaln(0.5, 0.5 * c),
    (-1.0, 1.0),
    cdf=lambda x, c: special.betainc(0.5 * c, 0.5 * c, 0.5 * (1.0 + x)),
    sf=lambda x, c: special.betainc(0.5 * c, 0.5 * c, 0.5 * (1.0 - x)),
    mean=lambda c: 0.0 * c,
    var=lambda c: 1.0 / (c + 1.0),
)
semicircular = Continuous(
    "semicircular",
    lambda x: LOG_2 - LOG_PI + 0.5 * (np.log1p(x) + np.log1p(-x)),
    (-1.0, 1.0),
    cdf=lambda x: special.betainc(1.5, 1.5, 0.5 * (1.0 + x)),
    sf=lambda x: special.betainc(1.5, 1.5, 0.5 * (1.0 - x)),
    mean=lambda: 0.0,
    var=lambda: 0.25,
    skew=lambda: 0.0,
    kurtosis=lambda: -1.0,
    entropy=lambda: 0.64472988584940017414,
)
jf_skew_t = Continuous(
    "jf_skew_t",
    lambda x, a, b: (
        (a + 0.5) * np.log1p(x / np.sqrt(a + b + x * x))
        + (b + 0.5) * np.log1p(-x / np.sqrt(a + b + x * x))
        - (a + b - 1.0) * LOG_2
        - special.betaln(a, b)
        - 0.5 * np.log(a + b)
    ),
    cdf=lambda x, a, b: special.betainc(a, b, _t_fraction(x, a + b)),
    sf=lambda x, a, b: special.betainc(b, a, _t_fraction(-x, a + b)),
)
pearson3 = Continuous(
    "pearson3",
    lambda x, skew: _log_pearson_density(x, skew),
    (lambda skew: _pearson_end(skew, 1.0), lambda skew: _pearson_end(skew, -1.0)),
    valid=lambda skew: np.isfinite(skew),
    cdf=lambda x, skew: _pearson_below(x, skew),
    sf=lambda x, skew: _pearson_below(-x, -skew),
    mean=lambda skew: 0.0 * skew,
    var=lambda skew: 1.0 + 0.0 * skew,
    skew=lambda skew: skew,
    kurtosis=lambda skew: 1.5 * skew * skew,
)


def _log_pearson_density(x: Any, skew: Any) -> Any:
    normal = np.absolute(skew) < 1.6e-5  # as SciPy: there the gamma function would cancel
    s = np.where(normal, 1.0, skew)
    alpha = 4.0 / (s * s)
    z = np.where(normal, 1.0, 2.0 / s * (x + 2.0 / s))  # beta (x - zeta)
    curved = (
        np.log(2.0 / np.absolute(s)) + special.xlogy(alpha - 1.0, z) - z - special.gammaln(alpha)
    )
    return np.where(normal, log_normal_density(x), curved)


def _pearson_below(x: Any, skew: Any) -> Any:
    normal = np.absolute(skew) < 1.6e-5
    s = np.where(normal, 1.0, skew)
    alpha = 4.0 / (s * s)
    z = np.where(normal, 1.0, 2.0 / s * (x + 2.0 / s))
    below, above = special.gammainc(alpha, z), special.gammaincc(alpha, z)
    return np.where(normal, special.ndtr(x), np.where(s > 0.0, below, above))


def _pearson_end(skew: Any, side: float) -> Any:
    """The end at -2 / skew, where the skewness has the sign of ``side``."""
    here = np.logical_and(np.absolute(skew) >= 1.6e-5, skew * side > 0.0)
    return np.where(here, -2.0 / np.where(here, skew, 1.0), -side * INF)


# --- Bessel functions ----------------------------------------------------------------------------

rice = Continuous(
    "rice",
    lambda x, b: np.log(x) - 0.5 * (x - b) ** 2 + np.log(special.i0e(x * b)),
    POSITIVE,
    valid=lambda b: b >= 0.0,
)
vonmises = Continuous(
    "vonmises",
    lambda x, kappa: (
        kappa * special.cosm1(x) - math.log(2.0 * math.pi) - np.log(special.i0e(kappa))
    ),
    valid=lambda kappa: kappa >= 0.0,
    mean=lambda kappa: 0.0 * kappa,
    entropy=lambda kappa: (
        -kappa * special.i1e(kappa) / special.i0e(kappa)
        + math.log(2.0 * math.pi)
        + np.log(special.i0e(kappa))
        + kappa
    ),
)
vonmises.period = (-math.pi, math.pi)
vonmises_line = Continuous(
    "vonmises_line",
    lambda x, kappa: (
        kappa * special.cosm1(x) - math.log(2.0 * math.pi) - np.log(special.i0e(kappa))
    ),
    (-math.pi, math.pi),
    valid=lambda kappa: kappa >= 0.0,
    mean=lambda kappa: 0.0 * kappa,
)
norminvgauss = Continuous(
    "norminvgauss",
    lambda x, a, b: (
        np.sqrt((a - b) * (a + b))
        + np.log(a / math.pi)
        + b * x
        - a * np.sqrt(1.0 + x * x)
        + np.log(special.k1e(a * np.sqrt(1.0 + x * x)))
        - 0.5 * np.log1p(x * x)
    ),
    valid=lambda a, b: np.logical_and(a > 0.0, np.absolute(b) < a),
    mean=lambda a, b: b / np.sqrt((a - b) * (a + b)),
    var=lambda a, b: a * a / ((a - b) * (a + b)) ** 1.5,
)
genhyperbolic = Continuous(
    "genhyperbolic",
    lambda x, p, a, b: (
        0.5 * p * np.log((a - b) * (a + b))
        - LOG_ROOT_TWO_PI
        - (p - 0.5) * np.log(a)
        - np.log(special.kve(p, np.sqrt((a - b) * (a + b))))
        + np.sqrt((a - b) * (a + b))
        + np.log(special.kve(p - 0.5, a * np.sqrt(1.0 + x * x)))
        - a * np.sqrt(1.0 + x * x)
        + b * x
        + 0.5 * (p - 0.5) * np.log1p(x * x)
    ),
    valid=lambda p, a, b: np.logical_and(a > 0.0, np.absolute(b) < a),
)
geninvgauss = Continuous(
    "geninvgauss",
    lambda x, p, b: (
        special.xlogy(p - 1.0, x) - 0.5 * b * (x - 1.0) ** 2 / x - LOG_2 - np.log(special.kve(p, b))
    ),
    POSITIVE,
    open_ends=True,
    valid=lambda p, b: b > 0.0,
)
ncx2 = Continuous(
    "ncx2",
    lambda x, df, nc: (
        -LOG_2
        - 0.5 * (np.sqrt(x) - np.sqrt(nc)) ** 2
        + (0.25 * df - 0.5) * np.log(x / nc)
        + np.log(special.ive(0.5 * df - 1.0, np.sqrt(nc * x)))
    ),
    POSITIVE,
    open_ends=True,
    mean=lambda df, nc: df + nc,
    var=lambda df, nc: 2.0 * (df + 2.0 * nc),
    skew=lambda df, nc: math.sqrt(8.0) * (df + 3.0 * nc) / (df + 2.0 * nc) ** 1.5,
    kurtosis=lambda df, nc: 12.0 * (df + 4.0 * nc) / (df + 2.0 * nc) ** 2,
)
