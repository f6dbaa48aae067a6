"""Statistics and p-values of tests with a smooth statistic, correlation, regression.

Inside these functions the samples lie along the last axis (``sampling``). P-values are
differentiable wherever the distribution function is.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ...errors import user_line
from ...primitives.core import shape_of
from .arguments import constant, result
from .formulas import special
from .gamma_family import beta, chi2, f, t
from .normal_family import norm
from .sampling import Significance, of_samples

__all__ = [
    "bartlett", "chi2_contingency", "chisquare", "combine_pvalues", "f_oneway", "jarque_bera",
    "kurtosistest", "levene", "linregress", "normaltest", "pearsonr", "pointbiserialr",
    "power_divergence", "skewtest", "theilslopes", "ttest_1samp", "ttest_ind",
    "ttest_ind_from_stats", "ttest_rel",
]  # fmt: skip


def _two_sided(name: str, distribution: Any, alternative: str) -> Any:
    """P-value of a symmetric distribution."""
    if alternative not in ("two-sided", "less", "greater"):
        raise ValueError(
            f"{name}: expected alternative among two-sided, less, greater; got {alternative!r}, "
            f"at {user_line()}."
        )

    def pvalue(statistic: Any, *shapes: Any) -> Any:
        if alternative == "less":
            return distribution.cdf(statistic, *shapes)
        if alternative == "greater":
            return distribution.sf(statistic, *shapes)
        return 2.0 * distribution.sf(np.absolute(statistic), *shapes)

    return pvalue


def _count(x: Any) -> int:
    return shape_of(x)[-1]


def _mean(x: Any) -> Any:
    return np.mean(x, axis=-1)


def _variance(x: Any) -> Any:
    return np.var(x, axis=-1, ddof=1)


@of_samples()
def ttest_1samp(a: Any, popmean: Any, alternative: str = "two-sided") -> Significance:
    """Student's test that the mean is ``popmean``."""
    n = _count(a)
    statistic = (_mean(a) - popmean) / np.sqrt(_variance(a) / n)
    return Significance(statistic, _two_sided("ttest_1samp", t, alternative)(statistic, n - 1.0))


@of_samples(samples=2)
def ttest_rel(a: Any, b: Any, alternative: str = "two-sided") -> Significance:
    """Student's test that paired samples have the same mean."""
    n = _count(a)
    statistic = _mean(a - b) / np.sqrt(_variance(a - b) / n)
    return Significance(statistic, _two_sided("ttest_rel", t, alternative)(statistic, n - 1.0))


def _independent(
    name: str, difference: Any, v1: Any, n1: Any, v2: Any, n2: Any, equal_var: bool, side: str
) -> Significance:
    if equal_var:
        df: Any = n1 + n2 - 2.0
        pooled = ((n1 - 1.0) * v1 + (n2 - 1.0) * v2) / df
        width = np.sqrt(pooled * (1.0 / n1 + 1.0 / n2))
    else:  # Welch
        first, second = v1 / n1, v2 / n2
        df = (first + second) ** 2 / (first**2 / (n1 - 1.0) + second**2 / (n2 - 1.0))
        width = np.sqrt(first + second)
    statistic = difference / width
    return Significance(statistic, _two_sided(name, t, side)(statistic, df))


@of_samples(samples=2)
def ttest_ind(
    a: Any, b: Any, equal_var: bool = True, alternative: str = "two-sided"
) -> Significance:
    """Student's (or Welch's) test that independent samples have the same mean."""
    return _independent(
        "ttest_ind", _mean(a) - _mean(b), _variance(a), _count(a), _variance(b), _count(b),
        equal_var, alternative,
    )  # fmt: skip


@of_samples(samples=6, moves=False)
def ttest_ind_from_stats(
    mean1: Any, std1: Any, nobs1: Any, mean2: Any, std2: Any, nobs2: Any,
    equal_var: bool = True, alternative: str = "two-sided",
) -> Significance:  # fmt: skip
    """``ttest_ind`` from means, standard deviations and counts."""
    return _independent(
        "ttest_ind_from_stats", mean1 - mean2, std1**2, nobs1, std2**2, nobs2, equal_var,
        alternative,
    )  # fmt: skip


@of_samples(samples=0)
def f_oneway(*samples: Any, equal_var: bool = True) -> Significance:
    """Analysis of variance: whether the groups have the same mean."""
    if not equal_var:
        raise TypeError("f_oneway: equal_var=False is not supported on traced arrays; leave it.")
    return _analysis_of_variance(samples)


def _analysis_of_variance(groups: tuple) -> Significance:
    k, n = len(groups), sum(map(_count, groups))
    grand = sum(np.sum(x, axis=-1) for x in groups) / n
    between = sum(_count(x) * (_mean(x) - grand) ** 2 for x in groups) / (k - 1.0)
    within = sum(_count(x) * np.var(x, axis=-1) for x in groups) / float(n - k)
    statistic = between / within
    return Significance(statistic, f.sf(statistic, k - 1.0, float(n - k)))


@of_samples(samples=0)
def bartlett(*samples: Any) -> Significance:
    """Bartlett's test of equal variances."""
    k = len(samples)
    counts = [float(_count(x)) for x in samples]
    variances = [_variance(x) for x in samples]
    n = sum(counts)
    pooled = sum((c - 1.0) * v for c, v in zip(counts, variances, strict=True)) / (n - k)
    top = (n - k) * np.log(pooled) - sum(
        (c - 1.0) * np.log(v) for c, v in zip(counts, variances, strict=True)
    )
    scale = 1.0 + (sum(1.0 / (c - 1.0) for c in counts) - 1.0 / (n - k)) / (3.0 * (k - 1.0))
    return Significance(top / scale, chi2.sf(top / scale, k - 1.0))


@of_samples(samples=0)
def levene(*samples: Any, center: str = "median", proportiontocut: float = 0.05) -> Significance:
    """Levene's test of equal variances: analysis of variance of the absolute deviations."""
    if center not in ("median", "mean"):
        raise TypeError(f"levene: expected center median or mean; got {center!r}.")
    middle = np.median if center == "median" else np.mean
    return _analysis_of_variance(
        tuple(np.absolute(x - np.expand_dims(middle(x, axis=-1), -1)) for x in samples)
    )


def _skewness(a: Any) -> Any:
    centred = a - np.expand_dims(_mean(a), -1)
    return _mean(centred**3) / _mean(centred**2) ** 1.5


def _kurtosis(a: Any) -> Any:
    centred = a - np.expand_dims(_mean(a), -1)
    return _mean(centred**4) / _mean(centred**2) ** 2


def _skew_score(a: Any) -> Any:
    # D'Agostino (1970)
    n = float(_count(a))
    y = _skewness(a) * math.sqrt((n + 1.0) * (n + 3.0) / (6.0 * (n - 2.0)))
    beta2 = (
        3.0 * (n * n + 27.0 * n - 70.0) * (n + 1.0) * (n + 3.0)
        / ((n - 2.0) * (n + 5.0) * (n + 7.0) * (n + 9.0))
    )  # fmt: skip
    w2 = -1.0 + math.sqrt(2.0 * (beta2 - 1.0))
    return np.arcsinh(y / math.sqrt(2.0 / (w2 - 1.0))) / math.sqrt(0.5 * math.log(w2))


def _kurtosis_score(a: Any) -> Any:
    # Anscombe and Glynn (1983)
    n = float(_count(a))
    expected = 3.0 * (n - 1.0) / (n + 1.0)
    variance = 24.0 * n * (n - 2.0) * (n - 3.0) / ((n + 1.0) ** 2 * (n + 3.0) * (n + 5.0))
    x = (_kurtosis(a) - expected) / math.sqrt(variance)
    root = (
        6.0 * (n * n - 5.0 * n + 2.0) / ((n + 7.0) * (n + 9.0))
        * math.sqrt(6.0 * (n + 3.0) * (n + 5.0) / (n * (n - 2.0) * (n - 3.0)))
    )  # fmt: skip
    degrees = 6.0 + 8.0 / root * (2.0 / root + math.sqrt(1.0 + 4.0 / root**2))
    bottom = 1.0 + x * math.sqrt(2.0 / (degrees - 4.0))
    third = np.cbrt((1.0 - 2.0 / degrees) / bottom)
    return (1.0 - 2.0 / (9.0 * degrees) - third) / math.sqrt(2.0 / (9.0 * degrees))


@of_samples()
def skewtest(a: Any, alternative: str = "two-sided") -> Significance:
    """Test that the skewness is that of a normal sample."""
    score = _skew_score(a)
    return Significance(score, _two_sided("skewtest", norm, alternative)(score))


@of_samples()
def kurtosistest(a: Any, alternative: str = "two-sided") -> Significance:
    """Test that the kurtosis is that of a normal sample."""
    score = _kurtosis_score(a)
    return Significance(score, _two_sided("kurtosistest", norm, alternative)(score))


@of_samples()
def normaltest(a: Any) -> Significance:
    """D'Agostino and Pearson's test: squares of both scores."""
    statistic = _skew_score(a) ** 2 + _kurtosis_score(a) ** 2
    return Significance(statistic, np.exp(-0.5 * statistic))


@of_samples()
def jarque_bera(x: Any) -> Significance:
    """Jarque and Bera's test of normality."""
    statistic = _count(x) / 6.0 * (_skewness(x) ** 2 + 0.25 * (_kurtosis(x) - 3.0) ** 2)
    return Significance(statistic, np.exp(-0.5 * statistic))


_POWERS = {
    "pearson": 1.0,
    "log-likelihood": 0.0,
    "freeman-tukey": -0.5,
    "mod-log-likelihood": -1.0,
    "neyman": -2.0,
    "cressie-read": 2.0 / 3.0,
}


def _divergence(f_obs: Any, f_exp: Any, ddof: Any, power: Any) -> Significance:
    expected = np.mean(f_obs, axis=-1, keepdims=True) if f_exp is None else f_exp
    power = _POWERS[power] if isinstance(power, str) else 1.0 if power is None else power
    if power == 1:
        terms = (f_obs - expected) ** 2 / expected
    elif power == 0:
        terms = 2.0 * special.xlogy(f_obs, f_obs / expected)
    elif power == -1:
        terms = 2.0 * special.xlogy(expected, expected / f_obs)
    else:
        terms = f_obs * ((f_obs / expected) ** power - 1.0) / (0.5 * power * (power + 1.0))
    statistic = np.sum(terms, axis=-1)
    return Significance(statistic, chi2.sf(statistic, shape_of(terms)[-1] - 1.0 - ddof))


@of_samples(samples=2)
def power_divergence(
    f_obs: Any, f_exp: Any = None, ddof: Any = 0, lambda_: Any = None
) -> Significance:
    """Cressie and Read's statistic of observed and expected frequencies."""
    return _divergence(f_obs, f_exp, ddof, lambda_)


@of_samples(samples=2)
def chisquare(f_obs: Any, f_exp: Any = None, ddof: Any = 0) -> Significance:
    """Pearson's statistic of observed and expected frequencies."""
    return _divergence(f_obs, f_exp, ddof, 1.0)


@of_samples(samples=2)
def pearsonr(x: Any, y: Any, alternative: str = "two-sided") -> Significance:
    """Correlation coefficient; the p-value is that of the beta distribution on (-1, 1)."""
    r = _correlation(x, y)
    half = 0.5 * _count(x) - 1.0
    pvalue = _two_sided("pearsonr", beta, alternative)
    if alternative == "two-sided":
        return Significance(r, 2.0 * beta.sf(np.absolute(r), half, half, -1.0, 2.0))
    return Significance(r, pvalue(r, half, half, -1.0, 2.0))


def _correlation(x: Any, y: Any) -> Any:
    x, y = (v - np.expand_dims(_mean(v), -1) for v in (x, y))
    return np.sum(x * y, axis=-1) / np.sqrt(np.sum(x * x, axis=-1) * np.sum(y * y, axis=-1))


class LinregressResult(NamedTuple):
    """What ``linregress`` returns; SciPy's has the last as an attribute only."""

    slope: Any
    intercept: Any
    rvalue: Any
    pvalue: Any
    stderr: Any


@of_samples(samples=2)
def linregress(x: Any, y: Any, alternative: str = "two-sided") -> LinregressResult:
    """Least-squares line through points."""
    n = _count(x)
    mean_x, mean_y = _mean(x), _mean(y)
    dx, dy = x - np.expand_dims(mean_x, -1), y - np.expand_dims(mean_y, -1)
    xx, yy, xy = _mean(dx * dx), _mean(dy * dy), _mean(dx * dy)
    slope = xy / xx
    r = xy / np.sqrt(xx * yy)
    df = n - 2.0
    statistic = r * np.sqrt(df / ((1.0 - r) * (1.0 + r)))
    pvalue = _two_sided("linregress", t, alternative)(statistic, df)
    stderr = np.sqrt((1.0 - r * r) * yy / xx / df)
    return LinregressResult(slope, mean_y - slope * mean_x, r, pvalue, stderr)


class TheilslopesResult(NamedTuple):
    """What ``theilslopes`` returns."""

    slope: Any
    intercept: Any
    low_slope: Any
    high_slope: Any


@of_samples(samples=2, moves=False)
def theilslopes(
    y: Any, x: Any = None, alpha: float = 0.95, method: str = "separate"
) -> TheilslopesResult:
    """Theil and Sen's estimate: the median of the slopes between the points."""
    n = shape_of(y)[0]
    x = np.arange(float(n)) if x is None else x
    first, second = np.triu_indices(n, 1)
    # As in SciPy, ties in x take part only in the count.
    slopes = np.sort((y[second] - y[first]) / (x[second] - x[first]))
    slope = np.median(slopes)
    middle = np.median(y - slope * x) if method == "joint" else np.median(y) - slope * np.median(x)
    alpha = 1.0 - alpha if alpha > 0.5 else alpha
    z = float(constant(norm.ppf(0.5 * alpha)))
    count = n * (n - 1) / 2
    sigma = math.sqrt(n * (n - 1.0) * (2.0 * n + 5.0) / 18.0)
    upper = min(round((count - z * sigma) / 2.0), int(count) - 1)
    lower = max(round((count + z * sigma) / 2.0) - 1, 0)
    return TheilslopesResult(*map(result, (slope, middle, slopes[lower], slopes[upper])))


class ContingencyResult(NamedTuple):
    """What ``chi2_contingency`` returns."""

    statistic: Any
    pvalue: Any
    dof: int
    expected_freq: Any


@of_samples(moves=False)
def chi2_contingency(
    observed: Any, correction: bool = True, lambda_: Any = None
) -> ContingencyResult:
    """Test of independence of the factors of a table of frequencies."""
    shape, total = shape_of(observed), np.sum(observed)
    rank = len(shape)
    expected: Any = total ** (1.0 - rank)
    for i in range(rank):
        others = tuple(j for j in range(rank) if j != i)
        expected = expected * np.sum(observed, axis=others, keepdims=True)
    dof = math.prod(shape) - sum(shape) + rank - 1
    if dof == 1 and correction:  # Yates
        gap = expected - observed
        observed = observed + np.minimum(0.5, np.absolute(gap)) * np.sign(gap)
    made = _divergence(np.ravel(observed), np.ravel(expected), math.prod(shape) - 1 - dof, lambda_)
    return ContingencyResult(made.statistic, made.pvalue, dof, expected)


@of_samples()
def combine_pvalues(pvalues: Any, method: str = "fisher") -> Significance:
    """One p-value from several, by Fisher's, Pearson's or Stouffer's method."""
    n = _count(pvalues)
    if method == "fisher":
        statistic = -2.0 * np.sum(np.log(pvalues), axis=-1)
        return Significance(statistic, chi2.sf(statistic, 2.0 * n))
    if method == "pearson":
        statistic = 2.0 * np.sum(np.log1p(-pvalues), axis=-1)
        return Significance(statistic, chi2.cdf(-statistic, 2.0 * n))
    if method == "stouffer":
        statistic = np.sum(norm.isf(pvalues), axis=-1) / math.sqrt(n)
        return Significance(statistic, norm.sf(statistic))
    raise TypeError(
        f"combine_pvalues: expected method fisher, pearson or stouffer on traced arrays; got "
        f"{method!r}."
    )


@of_samples(samples=2, moves=False)
def pointbiserialr(x: Any, y: Any) -> Significance:
    """``pearsonr`` of a binary and a continuous variable."""
    return pearsonr.__wrapped__(x, y)  # type: ignore[attr-defined,no-any-return]
