"""Samplers that reject: loops over the elements that have not been accepted yet.

Each element (gamma, von Mises) or each key (Poisson, binomial) goes its own way through its own
stream, so a batch gives exactly what its members give alone. The streams are consumed in the
order in which jax.random consumes them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .threefry import split, uniform_at

__all__ = ["binomial", "gamma", "hypergeometric", "poisson", "von_mises", "wald_root"]

MOST = 10_000  # rounds of rejection; each accepts at least a third


def _erfinv(x: np.ndarray) -> np.ndarray:
    import scipy.special  # slow to import

    return scipy.special.erfinv(x)


def _lgamma(x: np.ndarray) -> np.ndarray:
    import scipy.special

    return scipy.special.gammaln(x)


def _uniform(key: np.ndarray, dtype: np.dtype) -> np.ndarray:
    return uniform_at(key, np.zeros((), np.uint32), dtype)


def _normal(key: np.ndarray, dtype: np.dtype) -> np.ndarray:
    low = np.nextafter(dtype.type(-1), dtype.type(0))
    u = _uniform(key, dtype) * (dtype.type(1) - low) + low
    return dtype.type(math.sqrt(2.0)) * _erfinv(np.maximum(u, low))


def gamma(key: Any, a: Any, log: bool) -> np.ndarray:
    """Gamma(a, 1) variates, or their logarithms, one key an element.

    G. Marsaglia and W. W. Tsang, "A simple method for generating gamma variables", ACM TOMS 26
    (2000): v = (1 + x / sqrt(9 d))^3 of a normal x is accepted with the squeeze of the paper;
    d v is Gamma(d + 1/3). Below a = 1, Gamma(a) = Gamma(a + 1) U^(1/a).

    Parameters
    ----------
    key
        uint32, a.shape + (2,).
    a
        Shape parameters, float32 or float64. NaN where a is not positive.
    log
        Whether to return logarithms, which do not underflow for small ``a``.
    """
    a = np.asarray(a)
    shape, dtype = a.shape, a.dtype
    one = dtype.type(1)
    a = a.reshape(-1)
    keys = split(np.asarray(key).reshape(-1, 2), (2,))
    large = a >= one
    shifted = np.where(large, a, a + one)
    d = shifted - dtype.type(1 / 3)
    with np.errstate(all="ignore"):
        v = _marsaglia_tsang(keys[:, 0], d)
        left = one - _uniform(keys[:, 1], dtype)
        if log:
            logs = np.log(left)
            boost = np.where(large | (logs == 0), dtype.type(0), logs * (one / a))
            out = np.log(d) + np.log(v) + boost
        else:
            out = d * v * np.where(large, one, left ** (one / a))
        out[~(a > 0)] = np.nan
    return out.reshape(shape)


def _marsaglia_tsang(key: np.ndarray, d: np.ndarray) -> np.ndarray:
    """Numbers v such that d v is Gamma(d + 1/3)."""
    dtype = d.dtype
    one, half, squeeze = dtype.type(1), dtype.type(0.5), dtype.type(0.0331)
    c = dtype.type(1 / 3) / np.sqrt(d)
    out = np.full(d.shape, np.nan, dtype)
    left = np.flatnonzero(np.isfinite(c) & (d > 0))
    key = key[left]
    for _ in range(MOST):
        if not left.size:
            break
        three = split(key, (3,))
        key = three[:, 0]
        x, v = _normal_above(three[:, 1], c[left])
        x, v, u = x * x, v * v * v, _uniform(three[:, 2], dtype)
        rejected = (u >= one - squeeze * (x * x)) & (
            np.log(u) >= x * half + d[left] * (one - v + np.log(v))
        )
        out[left] = v
        left, key = left[rejected], key[rejected]
    return out


def _normal_above(key: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Normal x, and v = 1 + c x, drawn again while v is not positive."""
    x, v = np.empty_like(c), np.empty_like(c)
    left = np.arange(c.size)
    for _ in range(MOST):
        if not left.size:
            break
        two = split(key, (2,))
        key = two[:, 0]
        x[left] = _normal(two[:, 1], c.dtype)
        v[left] = 1 + x[left] * c[left]
        again = v[left] <= 0
        left, key = left[again], key[again]
    return x, v


def von_mises(key: Any, kappa: Any) -> np.ndarray:
    """Angles in [-pi, pi] of von Mises' distribution about 0, one key an element.

    D. J. Best and N. I. Fisher, "Efficient simulation of the von Mises distribution", Applied
    Statistics 28 (1979); beyond kappa = 10^6 a normal of variance 1 / kappa.
    """
    kappa = np.asarray(kappa)
    shape, dtype = kappa.shape, kappa.dtype
    k = kappa.reshape(-1).astype(np.float64)
    first = split(np.asarray(key).reshape(-1, 2), (2,))
    with np.errstate(all="ignore"):
        out = _normal(first[:, 1], np.dtype(np.float64)) / np.sqrt(k)
        out[~(k >= 0)] = np.nan
        # The envelope is a wrapped Cauchy distribution: cos of its angle is
        # (2 kappa + t z) / (t + 2 kappa z) with t = 1 + sqrt(1 + 4 kappa^2), z = cos(pi u).
        root = np.sqrt(1 + 4 * k * k)
        t, excess = 1 + root, 1 + 1 / (root + 2 * k)  # excess = t - 2 kappa
        left = np.flatnonzero((k >= 0) & (k <= 1e6))
        stream = first[left, 0]
        for _ in range(MOST):
            if not left.size:
                break
            two = split(stream, (2,))
            stream = two[:, 0]
            u1, u2, u3 = (uniform_at(two[:, 1], np.uint32(i), np.float64) for i in range(3))
            z = np.cos(np.pi * u1)
            versine = excess[left] * (1 - z) / (t[left] + 2 * k[left] * z)  # 1 - cos
            c = excess[left] / 2 + k[left] * versine
            accepted = (c * (2 - c) > u2) | (np.log(c / u2) + 1 - c >= 0)
            angle = 2 * np.arcsin(np.sqrt(np.minimum(versine / 2, 1)))
            out[left[accepted]] = np.copysign(angle, u3 - 0.5)[accepted]
            left, stream = left[~accepted], stream[~accepted]
        out = np.remainder(out + np.pi, 2 * np.pi) - np.pi
    return out.reshape(shape).astype(dtype)


def wald_root(y: Any, z: Any, mean: Any) -> Any:
    """Inverse Gaussian variates of scale 1, from chi-square ``y`` of one degree and uniform ``z``.

    J. Michael, W. Schucany, R. Haas, "Generating random variates using transformations with
    multiple roots", American Statistician 30 (1976). NaN where ``mean`` is negative.
    """
    with np.errstate(invalid="ignore"):
        # The smaller root, mean (1 + h - sqrt(h (2 + h))) with h = mean y / 2.
        h = mean * y * 0.5
        x = mean / (1 + h + np.sqrt(h * (h + 2)))
        return np.where(z <= mean / (mean + x), x, mean * mean / x)


# --- one key for an array of counts ----------------------------------------------------------


def _flat(key: Any, *parameters: Any) -> tuple[np.ndarray, ...]:
    """One row a key: keys (n, 2), and parameters (n, count)."""
    key = np.asarray(key)
    rows = math.prod(key.shape[:-1])
    return key.reshape(-1, 2), *(np.asarray(x).reshape(rows, -1) for x in parameters)


def poisson(key: Any, rate: Any, dtype: Any) -> np.ndarray:
    """Poisson counts, ``rate.shape``; ``rate`` (float64) begins with the axes of ``key``.

    Below a rate of 10 by multiplying uniform numbers (Knuth, TAOCP 2, 3.4.1); above by
    transformed rejection: W. Hoermann, "The transformed rejection method for generating Poisson
    random variables", Insurance: Mathematics and Economics 12 (1993). -1 where the rate is
    negative or no number.
    """
    keys, rates = _flat(key, rate)
    out = np.full(rates.shape, -1.0)
    with np.errstate(all="ignore"):
        small = (rates >= 0) & (rates < 10)
        if small.any():
            _poisson_products(keys, rates, np.nonzero(small), out)
        large = (rates >= 10) & (rates < 2.0**62)
        if large.any():
            _poisson_rejection(keys, rates, np.nonzero(large), out)
        out[rates == 0] = 0
    return out.reshape(np.shape(rate)).astype(dtype)


def _poisson_products(keys: np.ndarray, rates: np.ndarray, where: Any, out: np.ndarray) -> None:
    row, column = where
    rate = rates[row, column]
    total, k = np.zeros(rate.shape), np.zeros(rate.shape)
    left = np.arange(rate.size)
    while left.size:  # ends: a uniform number of 23 bits is 0 at times, and its logarithm -inf
        two = split(keys, (2,))
        keys = two[:, 0]
        k[left] += 1
        draws = uniform_at(two[row[left], 1], column[left].astype(np.uint32), np.float32)
        total[left] += np.log(draws.astype(np.float64))
        left = left[total[left] > -rate[left]]
    out[row, column] = k - 1


def _poisson_rejection(keys: np.ndarray, rates: np.ndarray, where: Any, out: np.ndarray) -> None:
    row, column = where
    rate = rates[row, column]
    log_rate = np.log(rate)
    b = 0.931 + 2.53 * np.sqrt(rate)
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    v_r = 0.9277 - 3.6224 / (b - 2)

    def attempt(i: np.ndarray, u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        u = u - 0.5
        edge = 0.5 - np.abs(u)
        k = np.floor((2 * a[i] / edge + b[i]) * u + rate[i] + 0.43)
        s = np.log(v * inverse_alpha[i] / (a[i] / (edge * edge) + b[i]))
        t = -rate[i] + k * log_rate[i] - _lgamma(k + 1)
        quick = (edge >= 0.07) & (v <= v_r[i])
        rejected = (k < 0) | ((edge < 0.013) & (v > edge))
        return k, quick | (~rejected & (s <= t))

    out[row, column] = _rejection(keys, row, column, np.dtype(np.float32), attempt)


def _rejection(
    keys: np.ndarray, row: np.ndarray, column: np.ndarray, dtype: np.dtype, attempt: Callable
) -> np.ndarray:
    """Two uniform numbers an attempt, of two keys split from each row's, until all accept."""
    out = np.full(row.shape, -1.0)
    left = np.arange(row.size)
    for _ in range(MOST):
        if not left.size:
            break
        three = split(keys, (3,))
        keys = three[:, 0]
        position = column[left].astype(np.uint32)
        u, v = (uniform_at(three[row[left], j], position, dtype).astype(np.float64) for j in (1, 2))
        k, accepted = attempt(left, u, v)
        out[left[accepted]] = k[accepted]
        left = left[~accepted]
    return out


def binomial(key: Any, count: Any, chance: Any, dtype: Any) -> np.ndarray:
    """Binomial counts; ``count`` and ``chance`` (float64) begin with the axes of ``key``.

    Up to a mean of 10 by adding geometric waiting times (Devroye, Non-Uniform Random Variate
    Generation, 1986, X.4.3); above by transformed rejection: W. Hoermann, "The generation of
    binomial random variates", J. Statistical Computation and Simulation 46 (1993). NaN (-1 in
    an integer dtype) where ``count`` is negative or no number, or ``chance`` is outside [0, 1].
    """
    keys, counts, chances = _flat(key, count, chance)
    with np.errstate(all="ignore"):
        counts = np.floor(counts)
        flipped = chances >= 0.5
        q = np.where(flipped, 1 - chances, chances)
        valid = (counts >= 0) & (counts < np.inf) & (chances >= 0) & (chances <= 1)
        out = np.full(counts.shape, np.nan)
        few = valid & (counts * q <= 10)
        if few.any():
            _binomial_waiting(keys, counts, q, np.nonzero(few), out)
        many = valid & ~few
        if many.any():
            _binomial_rejection(keys, counts, q, np.nonzero(many), out)
        out = np.where(flipped, counts - out, out)
        out[np.isnan(out) & (np.dtype(dtype).kind in "iu")] = -1
        return out.reshape(np.shape(count)).astype(dtype)


def _binomial_waiting(
    keys: np.ndarray, counts: np.ndarray, q: np.ndarray, where: Any, out: np.ndarray
) -> None:
    row, column = where
    count, log_miss = counts[row, column], np.log1p(-q[row, column])
    waited, k = np.zeros(count.shape), np.zeros(count.shape)
    left = np.flatnonzero(log_miss < 0)
    k[log_miss == 0] = 1  # chance 0: the first success never comes
    while left.size:
        two = split(keys, (2,))
        keys = two[:, 1]
        k[left] += 1
        u = uniform_at(two[row[left], 0], column[left].astype(np.uint32), np.float64)
        waited[left] += np.ceil(np.log(u) / log_miss[left])
        left = left[waited[left] <= count[left]]
    out[row, column] = k - 1


# log k! - (log(2 pi)/2 + (k + 1/2) log(k + 1) - (k + 1)) for k = 0 .. 9.
STIRLING = tuple(
    math.lgamma(k + 1) - (0.5 * math.log(2 * math.pi) + (k + 0.5) * math.log(k + 1) - (k + 1))
    for k in range(10)
)


def _stirling_rest(k: np.ndarray) -> np.ndarray:
    """What Stirling's formula misses of log k!: DLMF 5.11.1."""
    squared = (k + 1) * (k + 1)
    series = (1 / 12 - (1 / 360 - 1 / 1260 / squared) / squared) / (k + 1)
    return np.where(k <= 9, np.array(STIRLING)[np.clip(k, 0, 9).astype(np.intp)], series)


def _binomial_rejection(
    keys: np.ndarray, counts: np.ndarray, q: np.ndarray, where: Any, out: np.ndarray
) -> None:
    row, column = where
    n, p = counts[row, column], q[row, column]
    deviation = np.sqrt(n * p * (1 - p))
    b = 1.15 + 2.53 * deviation
    a = -0.0873 + 0.0248 * b + 0.01 * p
    center = n * p + 0.5
    v_r = 0.92 - 4.2 / b
    odds = p / (1 - p)
    alpha = (2.83 + 5.1 / b) * deviation
    mode = np.floor((n + 1) * p)
    at_mode = (
        (mode + 0.5) * np.log((mode + 1) / (odds * (n - mode + 1)))
        + _stirling_rest(mode)
        + _stirling_rest(n - mode)
    )

    def attempt(i: np.ndarray, u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        u = u - 0.5
        edge = 0.5 - np.abs(u)
        m = n[i]
        k = np.floor((2 * a[i] / edge + b[i]) * u + center[i])
        quick = (edge >= 0.07) & (v <= v_r[i])
        outside = (k < 0) | (k > m)
        v = np.log(v * alpha[i] / (a[i] / (edge * edge) + b[i]))
        bound = (
            at_mode[i]
            + (m + 1) * np.log((m - mode[i] + 1) / (m - k + 1))
            + (k + 0.5) * np.log(odds[i] * (m - k + 1) / (k + 1))
            - _stirling_rest(k)
            - _stirling_rest(m - k)
        )
        return k, quick | (~outside & (v <= bound))

    out[row, column] = _rejection(keys, row, column, np.dtype(np.float64), attempt)


def hypergeometric(key: Any, good: Any, bad: Any, drawn: Any, dtype: Any) -> np.ndarray:
    """Good ones among ``drawn`` of ``good + bad``, drawn one after the other; int64 operands.

    The work grows with the smaller of ``drawn`` and ``good + bad - drawn``. -1 where an operand
    is negative or more are drawn than there are.
    """
    shape = np.shape(good)
    keys, good, bad, drawn = _flat(key, good, bad, drawn)
    total = good + bad
    invalid = (good < 0) | (bad < 0) | (drawn < 0) | (drawn > total)
    rest = drawn > total - drawn  # what stays behind is a sample as well
    steps = np.where(invalid, 0, np.where(rest, total - drawn, drawn))
    row, column = np.nonzero(steps > 0)
    have, all_, todo = good[row, column].copy(), total[row, column].copy(), steps[row, column]
    found = np.zeros(row.shape, np.int64)
    left = np.arange(row.size)
    while left.size:
        two = split(keys, (2,))
        keys = two[:, 0]
        u = uniform_at(two[row[left], 1], column[left].astype(np.uint32), np.float64)
        hit = u * all_[left] < have[left]
        found[left] += hit
        have[left] -= hit
        all_[left] -= 1
        todo[left] -= 1
        left = left[todo[left] > 0]
    out = np.zeros(good.shape, np.int64)
    out[row, column] = found
    out = np.where(rest, good - out, out)
    out[invalid] = -1
    return out.reshape(shape).astype(dtype)
