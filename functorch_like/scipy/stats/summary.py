"""Statistics of samples: means, moments, quantiles, scores, entropies, distances.

Inside these functions the samples lie along the last axis (``sampling``); the public functions
have SciPy's signatures, with ``nan_policy="propagate"`` only.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ...numpy.elementwise import discretize
from ...primitives.core import shape_of
from .arguments import constant
from .formulas import special
from .sampling import of_samples

__all__ = [
    "boxcox", "boxcox_llf", "circmean", "circstd", "circvar", "describe",
    "differential_entropy", "energy_distance", "entropy", "gmean", "gstd", "gzscore", "hmean",
    "iqr", "kstat", "kstatvar", "kurtosis", "lmoment", "median_abs_deviation", "moment",
    "pmean", "quantile", "rankdata", "scoreatpercentile", "sem", "skew", "tmax", "tmean",
    "tmin", "trim_mean", "tsem", "tstd", "tvar", "variation", "wasserstein_distance",
    "yeojohnson", "yeojohnson_llf", "zmap", "zscore",
]  # fmt: skip


def _count(x: Any) -> int:
    return shape_of(x)[-1]


def _central(x: Any, order: int, center: Any = None) -> Any:
    mean = np.mean(x, axis=-1, keepdims=True) if center is None else center
    return np.mean((x - mean) ** order, axis=-1)


def _average(x: Any, weights: Any) -> Any:
    if weights is None:
        return np.mean(x, axis=-1)
    return np.sum(x * weights, axis=-1) / np.sum(weights * np.ones(shape_of(x)), axis=-1)


@of_samples()
def gmean(a: Any, weights: Any = None) -> Any:
    """Geometric mean, ``exp(mean(log a))``."""
    return np.exp(_average(np.log(a), weights))


@of_samples()
def hmean(a: Any, weights: Any = None) -> Any:
    """Harmonic mean, ``1 / mean(1 / a)``."""
    return 1.0 / _average(1.0 / a, weights)


@of_samples()
def pmean(a: Any, p: Any, weights: Any = None) -> Any:
    """Power mean, ``mean(a**p)**(1/p)``; the geometric one at ``p = 0``, which must be a number."""
    if type(p) in (int, float) and p == 0:
        return np.exp(_average(np.log(a), weights))
    return _average(a**p, weights) ** (1.0 / p)


@of_samples()
def moment(a: Any, order: Any = 1, center: Any = None) -> Any:
    """Mean of a power of the deviations from the centre."""
    if isinstance(order, (list, tuple, np.ndarray)):
        return np.stack([_moment(a, int(k), center) for k in order])
    return _moment(a, order, center)


def _moment(a: Any, order: int, center: Any) -> Any:
    if order == 1 and center is None:
        return 0.0 * np.mean(a, axis=-1)
    return _central(a, order, center)


@of_samples()
def skew(a: Any, bias: bool = True) -> Any:
    """Third standardised moment."""
    n = _count(a)
    made = _central(a, 3) / _central(a, 2) ** 1.5
    return made if bias else made * math.sqrt((n - 1.0) * n) / (n - 2.0)


@of_samples()
def kurtosis(a: Any, fisher: bool = True, bias: bool = True) -> Any:
    """Fourth standardised moment, less 3 (``fisher``)."""
    n = _count(a)
    made = _central(a, 4) / _central(a, 2) ** 2
    if not bias:
        made = ((n**2 - 1.0) * made - 3.0 * (n - 1.0) ** 2) / ((n - 2.0) * (n - 3.0)) + 3.0
    return made - 3.0 if fisher else made


@of_samples()
def variation(a: Any, ddof: int = 0) -> Any:
    """Standard deviation over mean."""
    return np.std(a, axis=-1, ddof=ddof) / np.mean(a, axis=-1)


@of_samples()
def sem(a: Any, ddof: int = 1) -> Any:
    """Standard error of the mean."""
    return np.std(a, axis=-1, ddof=ddof) / math.sqrt(_count(a))


@of_samples(reduces=False)
def zscore(a: Any, ddof: int = 0) -> Any:
    """Deviations from the mean in standard deviations."""
    return _scores(a, a, ddof)


@of_samples(samples=2, reduces=False)
def zmap(scores: Any, compare: Any, ddof: int = 0) -> Any:
    """Deviations from the mean of another sample, in its standard deviations."""
    return _scores(scores, compare, ddof)


@of_samples(reduces=False)
def gzscore(a: Any, ddof: int = 0) -> Any:
    """Standard scores of the logarithms."""
    return _scores(np.log(a), np.log(a), ddof)


def _scores(x: Any, sample: Any, ddof: int) -> Any:
    mean = np.mean(sample, axis=-1, keepdims=True)
    return (x - mean) / np.std(sample, axis=-1, ddof=ddof, keepdims=True)


@of_samples()
def gstd(a: Any, ddof: int = 1) -> Any:
    """Geometric standard deviation, ``exp(std(log a))``."""
    return np.exp(np.std(np.log(a), axis=-1, ddof=ddof))


@of_samples()
def iqr(x: Any, rng: Any = (25, 75), scale: Any = 1.0, interpolation: Any = "linear") -> Any:
    """Distance of two quantiles, the quartiles by default."""
    if isinstance(scale, str):
        scale = 1.3489795003921634  # of the normal distribution
    low, high = (np.quantile(x, p / 100.0, axis=-1, method=interpolation) for p in sorted(rng))
    return (high - low) / scale


@of_samples()
def median_abs_deviation(x: Any, center: Any = None, scale: Any = 1.0) -> Any:
    """Median of the absolute deviations from the median."""
    if isinstance(scale, str):
        scale = 0.6744897501960817  # the normal distribution's third quartile
    middle = np.expand_dims((center or np.median)(x, axis=-1), -1)
    return np.median(np.absolute(x - middle), axis=-1) / scale


@of_samples()
def trim_mean(a: Any, proportiontocut: float) -> Any:
    """Mean without a proportion of the sorted sample at either end."""
    n = _count(a)
    cut = int(proportiontocut * n)
    return np.mean(np.sort(a, axis=-1)[..., cut : n - cut], axis=-1)


def _within(a: Any, limits: Any, inclusive: Any) -> Any:
    """1 where the sample is between the limits."""
    a = constant(a)
    inside = np.ones(shape_of(a), bool)
    low, high = limits or (None, None)
    if low is not None:
        inside = np.logical_and(inside, a >= low if inclusive[0] else a > low)
    if high is not None:
        inside = np.logical_and(inside, a <= high if inclusive[1] else a < high)
    return inside


def _trimmed_variance(a: Any, limits: Any, inclusive: Any, ddof: int) -> tuple[Any, Any]:
    inside = _within(a, limits, inclusive)
    n = np.sum(np.where(inside, 1.0, 0.0), axis=-1)
    mean = np.sum(np.where(inside, a, 0.0), axis=-1) / n
    squares = np.where(inside, (a - np.expand_dims(mean, -1)) ** 2, 0.0)
    return np.sum(squares, axis=-1) / (n - ddof), n


@of_samples()
def tmean(a: Any, limits: Any = None, inclusive: Any = (True, True)) -> Any:
    """Mean of the values within limits."""
    inside = _within(a, limits, inclusive)
    return np.sum(np.where(inside, a, 0.0), axis=-1) / np.sum(np.where(inside, 1.0, 0.0), axis=-1)


@of_samples()
def tvar(a: Any, limits: Any = None, inclusive: Any = (True, True), ddof: int = 1) -> Any:
    """Variance of the values within limits."""
    return _trimmed_variance(a, limits, inclusive, ddof)[0]


@of_samples()
def tstd(a: Any, limits: Any = None, inclusive: Any = (True, True), ddof: int = 1) -> Any:
    """Standard deviation of the values within limits."""
    return np.sqrt(_trimmed_variance(a, limits, inclusive, ddof)[0])


@of_samples()
def tsem(a: Any, limits: Any = None, inclusive: Any = (True, True), ddof: int = 1) -> Any:
    """Standard error of the mean of the values within limits."""
    variance, n = _trimmed_variance(a, limits, inclusive, ddof)
    return np.sqrt(variance / n)


@of_samples()
def tmin(a: Any, lowerlimit: Any = None, inclusive: bool = True) -> Any:
    """Smallest value from a limit on."""
    inside = _within(a, (lowerlimit, None), (inclusive, True))
    return np.min(np.where(inside, a, math.inf), axis=-1)


@of_samples()
def tmax(a: Any, upperlimit: Any = None, inclusive: bool = True) -> Any:
    """Largest value up to a limit."""
    inside = _within(a, (None, upperlimit), (True, inclusive))
    return np.max(np.where(inside, a, -math.inf), axis=-1)


class DescribeResult(NamedTuple):
    """What ``describe`` returns."""

    nobs: Any
    minmax: tuple[Any, Any]
    mean: Any
    variance: Any
    skewness: Any
    kurtosis: Any


@of_samples()
def describe(a: Any, ddof: int = 1, bias: bool = True) -> DescribeResult:
    """Count, extremes, mean, variance, skewness, kurtosis."""
    return DescribeResult(
        np.int64(_count(a)),
        (np.min(a, axis=-1), np.max(a, axis=-1)),
        np.mean(a, axis=-1),
        np.var(a, axis=-1, ddof=ddof),
        skew.__wrapped__(a, bias=bias),  # type: ignore[attr-defined]
        kurtosis.__wrapped__(a, bias=bias),  # type: ignore[attr-defined]
    )


@of_samples(samples=2)
def entropy(pk: Any, qk: Any = None, base: Any = None) -> Any:
    """Entropy of normalised weights, or their divergence from others (Kullback and Leibler)."""
    p = pk / np.sum(pk, axis=-1, keepdims=True)
    if qk is None:
        made = np.sum(special.entr(p), axis=-1)
    else:
        made = np.sum(special.rel_entr(p, qk / np.sum(qk, axis=-1, keepdims=True)), axis=-1)
    return made if base is None else made / math.log(base)


@of_samples()
def differential_entropy(
    values: Any, window_length: int | None = None, base: Any = None, method: str = "auto"
) -> Any:
    """Entropy of the density of a sample, from the spacings of its order (Vasicek, 1976)."""
    n = _count(values)
    if method not in ("auto", "vasicek") or (method == "auto" and n <= 1000):
        if method not in ("auto", "van es", "ebrahimi"):
            raise TypeError(
                f"differential_entropy: expected method among auto, vasicek, van es, ebrahimi on "
                f"traced arrays; got {method!r}."
            )
        if method == "auto":
            method = "van es" if n <= 10 else "ebrahimi"
    else:
        method = "vasicek"
    m = math.floor(math.sqrt(n) + 0.5) if window_length is None else window_length
    x = np.sort(values, axis=-1)
    if method == "van es":
        total = np.sum(np.log((n + 1.0) / m * (x[..., m:] - x[..., :-m])), axis=-1) / (n - m)
        made = total + float(np.sum(1.0 / np.arange(m, n + 1.0))) + math.log(m) - math.log(n + 1.0)
    else:
        ends = [np.repeat(x[..., i : i + 1], m, axis=-1) for i in (0, n - 1)]
        padded = np.concatenate([ends[0], x, ends[1]], axis=-1)
        spacings = padded[..., 2 * m :] - padded[..., : -2 * m]
        if method == "vasicek":
            factor: Any = 2.0 * np.ones(n)
        else:
            i = np.arange(1, n + 1)
            factor = np.where(i <= m, 1 + (i - 1) / m, np.where(i > n - m, 1 + (n - i) / m, 2.0))
        made = np.mean(np.log(n / (factor * m) * spacings), axis=-1)
    return made if base is None else made / math.log(base)


@of_samples()
def kstat(data: Any, n: int = 2) -> Any:
    """Unbiased estimate of the n-th cumulant (n up to 4)."""
    return _kstat(data, n)


def _kstat(data: Any, order: int) -> Any:
    n = _count(data)
    if order == 1:
        return np.mean(data, axis=-1)
    m2 = _central(data, 2)
    if order == 2:
        return m2 * n / (n - 1.0)
    if order == 3:
        return _central(data, 3) * n * n / ((n - 1.0) * (n - 2.0))
    scale = n * n / ((n - 1.0) * (n - 2.0) * (n - 3.0))
    return scale * ((n + 1.0) * _central(data, 4) - 3.0 * (n - 1.0) * m2**2)


@of_samples()
def kstatvar(data: Any, n: int = 2) -> Any:
    """Unbiased estimate of the variance of ``kstat`` (n = 1 or 2)."""
    size = _count(data)
    if n == 1:
        return _kstat(data, 2) / size
    k2, k4 = _kstat(data, 2), _kstat(data, 4)
    return (2.0 * size * k2**2 + (size - 1.0) * k4) / (size * (size + 1.0))


def _resultant(samples: Any, high: Any, low: Any) -> tuple[Any, Any, Any]:
    angle = (samples - low) * (2.0 * math.pi / (high - low))
    sine, cosine = np.mean(np.sin(angle), axis=-1), np.mean(np.cos(angle), axis=-1)
    return sine, cosine, np.minimum(np.hypot(sine, cosine), 1.0)


@of_samples()
def circmean(samples: Any, high: Any = 2 * math.pi, low: Any = 0) -> Any:
    """Mean of angles in a range."""
    sine, cosine, _ = _resultant(samples, high, low)
    angle = np.arctan2(sine, cosine)
    turn = np.where(constant(angle) < 0.0, 2.0 * math.pi, 0.0)
    return (angle + turn) * ((high - low) / (2.0 * math.pi)) + low


@of_samples()
def circvar(samples: Any, high: Any = 2 * math.pi, low: Any = 0) -> Any:
    """1 - length of the mean direction of angles."""
    return 1.0 - _resultant(samples, high, low)[2]


@of_samples()
def circstd(samples: Any, high: Any = 2 * math.pi, low: Any = 0, normalize: bool = False) -> Any:
    """Standard deviation of angles, ``sqrt(-2 log R)``."""
    made = np.sqrt(-2.0 * np.log(_resultant(samples, high, low)[2]))
    return made if normalize else made * ((high - low) / (2.0 * math.pi))


@of_samples(reduces=False)
def rankdata(a: Any, method: str = "average") -> Any:
    """Ranks, from 1; a constant."""
    a = constant(a)
    row, column = np.expand_dims(a, -1), np.expand_dims(a, -2)
    below = np.sum(np.where(column < row, 1.0, 0.0), axis=-1)
    equal = np.sum(np.where(column == row, 1.0, 0.0), axis=-1)
    if method == "average":
        return below + 0.5 * (equal + 1.0)
    if method not in ("min", "max"):
        raise TypeError(
            f"rankdata: expected method among average, min, max on traced arrays; got {method!r}."
        )
    return discretize(below + (1.0 if method == "min" else equal), np.dtype(np.int64))


# --- power transforms ----------------------------------------------------------------------------


@of_samples(moves=False)
def boxcox(x: Any, lmbda: Any = None) -> Any:
    """``(x**lmbda - 1) / lmbda`` with the exponent given (it is not estimated)."""
    _exponent_given("boxcox", lmbda)
    return special.boxcox(x, lmbda)


@of_samples(moves=False)
def yeojohnson(x: Any, lmbda: Any = None) -> Any:
    """Box and Cox's transform for both signs (Yeo and Johnson, 2000), with the exponent given."""
    _exponent_given("yeojohnson", lmbda)
    return _yeo_johnson(x, lmbda)


def _exponent_given(name: str, lmbda: Any) -> None:
    if lmbda is None:
        raise TypeError(
            f"{name}: expected an exponent lmbda for traced data; got None; its estimate is found "
            f"by an optimiser: maximise {name}_llf, and pass lmbda."
        )


def _yeo_johnson(x: Any, lmbda: Any) -> Any:
    positive = x >= 0.0
    right = special.boxcox1p(np.where(positive, x, 0.0), lmbda)
    left = special.boxcox1p(np.where(positive, 0.0, -x), 2.0 - lmbda)
    return np.where(positive, right, -left)


def _boxcox_llf(lmb: Any, data: Any) -> Any:
    # log var((x**l - 1) / l); the derivative of the transform is x**(l - 1).
    n = _count(data)
    variance = np.var(special.boxcox(data, lmb), axis=-1)
    return (lmb - 1.0) * np.sum(np.log(data), axis=-1) - 0.5 * n * np.log(variance)


@of_samples(samples=2, moves=False)
def boxcox_llf(lmb: Any, data: Any, axis: Any = 0) -> Any:
    """Log likelihood of the exponent of a Box-Cox transform."""
    return _boxcox_llf(lmb, np.moveaxis(data, axis, -1) if axis is not None else np.ravel(data))


@of_samples(samples=2, moves=False)
def yeojohnson_llf(lmb: Any, data: Any, axis: Any = 0) -> Any:
    """Log likelihood of the exponent of a Yeo-Johnson transform."""
    data = np.moveaxis(data, axis, -1) if axis is not None else np.ravel(data)
    logs = np.sum(np.sign(data) * np.log1p(np.absolute(data)), axis=-1)
    variance = np.var(_yeo_johnson(data, lmb), axis=-1)
    return -0.5 * _count(data) * np.log(variance) + (lmb - 1.0) * logs


# --- distances -----------------------------------------------------------------------------------


def _distribution_gap(u: Any, v: Any, u_weights: Any, v_weights: Any) -> tuple[Any, Any]:
    """Steps between the sorted values of both samples and the difference of distributions."""
    both = np.sort(np.concatenate([u, v]))
    steps = both[1:] - both[:-1]
    left = constant(both)[:-1]
    gap: Any = 0.0
    for sample, weights, sign in ((u, u_weights, 1.0), (v, v_weights, -1.0)):
        weights = np.ones(shape_of(sample)) if weights is None else weights
        below = np.where(constant(sample) <= np.expand_dims(left, -1), weights, 0.0)
        gap = gap + sign * np.sum(below, axis=-1) / np.sum(weights)
    return steps, gap


@of_samples(samples=2, moves=False)
def wasserstein_distance(
    u_values: Any, v_values: Any, u_weights: Any = None, v_weights: Any = None
) -> Any:
    """Least cost of moving one sample to the other: the area between their distributions."""
    steps, gap = _distribution_gap(u_values, v_values, u_weights, v_weights)
    return np.sum(np.absolute(gap) * steps)


@of_samples(samples=2, moves=False)
def energy_distance(
    u_values: Any, v_values: Any, u_weights: Any = None, v_weights: Any = None
) -> Any:
    """Root of twice the integral of the squared difference of the distributions."""
    steps, gap = _distribution_gap(u_values, v_values, u_weights, v_weights)
    return np.sqrt(2.0 * np.sum(gap * gap * steps))


# --- quantiles -----------------------------------------------------------------------------------


@of_samples(moves=False)
def quantile(x: Any, p: Any, method: Any = "linear", axis: Any = 0) -> Any:
    """Quantiles along an axis: that of the number ``p``, or of a vector of them."""
    if axis is None:
        x, axis = np.ravel(x), 0
    made = np.quantile(x, p, axis=axis, method=method)
    return np.moveaxis(made, 0, axis) if np.ndim(p) else made


@of_samples(moves=False)
def scoreatpercentile(a: Any, per: Any, axis: Any = None) -> Any:
    """The value below which a percentage of the sample lies."""
    return np.percentile(a, per, axis=axis)


@of_samples()
def lmoment(sample: Any, order: Any = None, standardize: bool = True) -> Any:
    """L-moments of orders 1 to 4 (Hosking, 1990), ratios from the third on."""
    n = _count(sample)
    x = np.sort(sample, axis=-1)
    i = np.arange(n, dtype=float)
    weights = [np.ones(n)]
    for k in range(1, 4):
        weights.append(weights[-1] * (i - k + 1.0) / (n - k))
    b = [np.sum(w * x, axis=-1) / n for w in weights]
    made = [
        b[0],
        2.0 * b[1] - b[0],
        6.0 * b[2] - 6.0 * b[1] + b[0],
        20.0 * b[3] - 30.0 * b[2] + 12.0 * b[1] - b[0],
    ]
    if standardize:
        made[2:] = [m / made[1] for m in made[2:]]
    if order is None:
        return np.stack(made)
    if np.ndim(order):
        return np.stack([made[int(k) - 1] for k in order])
    return made[int(order) - 1]
