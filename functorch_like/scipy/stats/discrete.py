"""Discrete distributions: declarations of log masses on the integers, and SciPy's methods.

``k`` must be integers (as integer or floating arrays) and is a constant; the parameters are
differentiated. Quantiles are piecewise constant and carry no derivative.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...errors import user_line
from ...primitives.core import Tracer
from .arguments import both, broadcast, constant, double, has_tracer, log_probability, public
from .continuous import Distribution
from .formulas import log1mexp, special
from .gamma_family import ncx2
from .numeric import discrete_quantile

__all__ = [
    "bernoulli", "betabinom", "betanbinom", "binom", "boltzmann", "dlaplace", "geom",
    "hypergeom", "logser", "nbinom", "nhypergeom", "planck", "poisson", "randint", "skellam",
    "yulesimon", "zipf", "zipfian",
]  # fmt: skip

INF = math.inf
LONGEST_SUM = 100_000


class Discrete(Distribution):
    """A discrete distribution, under the names and with the arguments of SciPy's.

    Parameters
    ----------
    name
        Its name in scipy.stats.
    logpmf
        Log mass at ``k``, a function of ``k`` and the shapes.
    support
        Ends of the support: numbers, or functions of the shapes.
    valid
        Condition on the shapes.
    cdf, sf, logsf
        Closed forms, where there are; else the masses are summed, for which ``k`` and the ends
        must be known values.
    mean, var, skew, kurtosis, entropy
        Moments.
    """

    def __init__(
        self,
        name: str,
        logpmf: Callable,
        support: tuple[Any, Any],
        valid: Callable,
        **closed: Callable,
    ) -> None:
        shapes = logpmf.__code__.co_varnames[1 : logpmf.__code__.co_argcount]
        super().__init__(name, shapes)
        self.parameters = (*shapes, "loc")
        self.closed = {"logpmf": logpmf, **closed}
        self._support, self._valid = support, valid

    def ends(self, shapes: Sequence[Any]) -> tuple[Any, Any]:
        """Ends of the support before it is moved by ``loc``."""
        low, high = (end(*shapes) if callable(end) else end for end in self._support)
        return constant(low), constant(high)

    def _at(self, method: str, k: Any, args: tuple, kwds: dict) -> tuple:
        *shapes, loc = self._values(method, args, kwds)
        k = constant(double(k, f"{self.name}.{method}") - constant(loc))
        low, high = self.ends(shapes)
        wrong = np.logical_or(np.isnan(k), np.logical_not(self._valid(*shapes)))
        return shapes, k, low, high, wrong

    def _mass(self, method: str, k: Any, args: tuple, kwds: dict, outside: float) -> Any:
        shapes, k, low, high, wrong = self._at(method, k, args, kwds)
        inside = both(k >= low, k <= high, np.floor(k) == k, np.isfinite(k))
        inside = np.logical_and(inside, np.logical_not(wrong))
        value = self.closed["logpmf"](np.where(inside, k, _finite(low)), *shapes)
        if method == "pmf":
            zero = value == -INF
            value = np.where(zero, 0.0, np.exp(np.where(zero, 0.0, value)))
        return np.where(inside, value, np.where(wrong, math.nan, outside))

    def _cumulative(self, method: str, k: Any, args: tuple, kwds: dict, ends: tuple) -> Any:
        shapes, k, low, high, wrong = self._at(method, k, args, kwds)
        k = np.floor(k)
        over, under = k >= high, k < low
        # Not masked by the parameters: a sum of masses needs k as a known value.
        inside = np.logical_not(np.logical_or(np.logical_or(over, under), np.isnan(k)))
        value = self._inside(method, np.where(inside, k, _finite(low)), shapes)
        outside = np.where(wrong, math.nan, np.where(over, ends[1], ends[0]))
        return np.where(np.logical_and(inside, np.logical_not(wrong)), value, outside)

    def _inside(self, method: str, k: Any, shapes: Sequence[Any]) -> Any:
        closed = self.closed
        if method in closed:
            return closed[method](k, *shapes)
        if method == "cdf":
            if "logsf" in closed:
                return -np.expm1(closed["logsf"](k, *shapes))
            return 1.0 - closed["sf"](k, *shapes) if "sf" in closed else self._sum(k, shapes)
        if method == "sf":
            if "logsf" in closed:
                return np.exp(closed["logsf"](k, *shapes))
            return 1.0 - self._inside("cdf", k, shapes)
        other = {"logcdf": ("cdf", "sf"), "logsf": ("sf", "cdf")}[method]
        complement = self._inside(other[1], k, shapes) if "sf" in closed else None
        return log_probability(self._inside(other[0], k, shapes), complement)

    def _sum(self, k: Any, shapes: Sequence[Any]) -> Any:
        """The sum of the masses up to ``k``, which must be known."""
        low = self.ends(shapes)[0]
        for what in (k, low):
            if isinstance(what, Tracer) and what.concrete() is None:
                raise TypeError(
                    f"{self.name}.cdf: expected k and the support to be known values, since it is "
                    f"a sum of masses; got traced ones, at {user_line()}; sum pmf over a fixed "
                    "range instead."
                )
        last, first = (
            float(f(np.asarray(x.concrete() if isinstance(x, Tracer) else x), initial=0.0))
            for x, f in ((k, np.max), (low, np.min))
        )
        if last - first > LONGEST_SUM:
            raise TypeError(f"{self.name}.cdf: expected k below {LONGEST_SUM}; got {last:.0f}.")
        terms = np.arange(first, last + 1.0)
        wide = [np.expand_dims(s, -1) for s in shapes]
        inside = np.logical_and(terms <= np.expand_dims(k, -1), terms >= np.expand_dims(low, -1))
        logarithm = self.closed["logpmf"](np.where(inside, terms, np.expand_dims(low, -1)), *wide)
        return np.sum(np.where(inside, np.exp(logarithm), 0.0), axis=-1)

    @public
    def logpmf(self, k: Any, *args: Any, **kwds: Any) -> Any:
        """Logarithm of the mass at ``k``."""
        return self._mass("logpmf", k, args, kwds, -INF)

    @public
    def pmf(self, k: Any, *args: Any, **kwds: Any) -> Any:
        """Mass at ``k``."""
        return self._mass("pmf", k, args, kwds, 0.0)

    @public
    def cdf(self, k: Any, *args: Any, **kwds: Any) -> Any:
        """Probability of values up to ``k``."""
        return self._cumulative("cdf", k, args, kwds, (0.0, 1.0))

    @public
    def sf(self, k: Any, *args: Any, **kwds: Any) -> Any:
        """Probability of values above ``k``."""
        return self._cumulative("sf", k, args, kwds, (1.0, 0.0))

    @public
    def logcdf(self, k: Any, *args: Any, **kwds: Any) -> Any:
        """Logarithm of ``cdf``."""
        return self._cumulative("logcdf", k, args, kwds, (-INF, 0.0))

    @public
    def logsf(self, k: Any, *args: Any, **kwds: Any) -> Any:
        """Logarithm of ``sf``."""
        return self._cumulative("logsf", k, args, kwds, (0.0, -INF))

    def _quantile(self, method: str, q: Any, args: tuple, kwds: dict) -> Any:
        operands = [double(q, f"{self.name}.{method}"), *self._values(method, args, kwds)]
        return discrete_quantile(*broadcast(operands), distribution=self.name, method=method)

    @public
    def ppf(self, q: Any, *args: Any, **kwds: Any) -> Any:
        """The smallest integer whose ``cdf`` is at least ``q``; a constant."""
        return self._quantile("ppf", q, args, kwds)

    @public
    def isf(self, q: Any, *args: Any, **kwds: Any) -> Any:
        """The integer whose ``sf`` is ``q``; a constant."""
        return self._quantile("isf", q, args, kwds)

    @public
    def median(self, *args: Any, **kwds: Any) -> Any:
        """The quantile of one half; a constant."""
        return self._quantile("ppf", 0.5, args, kwds)

    @public
    def support(self, *args: Any, **kwds: Any) -> Any:
        """Ends of the support."""
        *shapes, loc = self._values("support", args, kwds)
        low, high = self.ends(shapes)
        return low + loc, high + loc

    def _moment(self, what: str, args: tuple, kwds: dict) -> Any:
        *shapes, loc = self._values(what, args, kwds)
        if what not in self.closed:
            if has_tracer(args, kwds):
                raise TypeError(
                    f"{self.name}.{what}: no closed form is known here; sum over pmf, at "
                    f"{user_line()}."
                )
            import scipy.stats

            theirs = getattr(scipy.stats, self.name)
            if what in ("skew", "kurtosis"):
                return theirs.stats(*args, **kwds, moments=what[0])
            return getattr(theirs, what)(*args, **kwds)
        value = self.closed[what](*shapes)
        return np.where(self._valid(*shapes), value + (loc if what == "mean" else 0.0), math.nan)

    @public
    def mean(self, *args: Any, **kwds: Any) -> Any:
        """Expectation."""
        return self._moment("mean", args, kwds)

    @public
    def var(self, *args: Any, **kwds: Any) -> Any:
        """Variance."""
        return self._moment("var", args, kwds)

    @public
    def std(self, *args: Any, **kwds: Any) -> Any:
        """Square root of the variance."""
        return np.sqrt(self._moment("var", args, kwds))

    @public
    def entropy(self, *args: Any, **kwds: Any) -> Any:
        """Entropy, in nats."""
        return self._moment("entropy", args, kwds)

    @public
    def stats(self, *args: Any, moments: str = "mv", **kwds: Any) -> Any:
        """Mean, variance, skewness and excess kurtosis: those of the letters in ``moments``."""
        names = {"m": "mean", "v": "var", "s": "skew", "k": "kurtosis"}
        made = tuple(self._moment(names[m], args, kwds) for m in "mvsk" if m in moments)
        return made if len(made) != 1 else made[0]


def _finite(low: Any) -> Any:
    """A point of the support, from its lower end."""
    return 0.0 if type(low) is float and math.isinf(low) else low


def _unit(p: Any) -> Any:
    return np.logical_and(p >= 0.0, p <= 1.0)


def _whole(n: Any, least: float = 0.0) -> Any:
    return np.logical_and(n >= least, np.floor(n) == n)


def _log_choose(n: Any, k: Any) -> Any:
    return -np.log1p(n) - special.betaln(n - k + 1.0, k + 1.0)


bernoulli = Discrete(
    "bernoulli",
    lambda k, p: special.xlogy(k, p) + special.xlog1py(1.0 - k, -p),
    (0.0, 1.0),
    valid=_unit,
    cdf=lambda k, p: 1.0 - p,
    sf=lambda k, p: p,
    mean=lambda p: p,
    var=lambda p: p * (1.0 - p),
    skew=lambda p: (1.0 - 2.0 * p) / np.sqrt(p * (1.0 - p)),
    kurtosis=lambda p: (1.0 - 6.0 * p * (1.0 - p)) / (p * (1.0 - p)),
    entropy=lambda p: special.entr(p) + special.entr(1.0 - p),
)
binom = Discrete(
    "binom",
    lambda k, n, p: (
        special.gammaln(n + 1.0)
        - special.gammaln(k + 1.0)
        - special.gammaln(n - k + 1.0)
        + special.xlogy(k, p)
        + special.xlog1py(n - k, -p)
    ),
    (0.0, lambda n, p: n),
    valid=lambda n, p: np.logical_and(_whole(n), _unit(p)),
    cdf=lambda k, n, p: special.betainc(n - k, k + 1.0, 1.0 - p),
    sf=lambda k, n, p: special.betainc(k + 1.0, n - k, p),
    mean=lambda n, p: n * p,
    var=lambda n, p: n * p * (1.0 - p),
    skew=lambda n, p: (1.0 - 2.0 * p) / np.sqrt(n * p * (1.0 - p)),
    kurtosis=lambda n, p: (1.0 - 6.0 * p * (1.0 - p)) / (n * p * (1.0 - p)),
)
nbinom = Discrete(
    "nbinom",
    lambda k, n, p: (
        special.gammaln(n + k)
        - special.gammaln(k + 1.0)
        - special.gammaln(n)
        + n * np.log(p)
        + special.xlog1py(k, -p)
    ),
    (0.0, INF),
    valid=lambda n, p: np.logical_and(n > 0.0, np.logical_and(p > 0.0, p <= 1.0)),
    cdf=lambda k, n, p: special.betainc(n, k + 1.0, p),
    sf=lambda k, n, p: special.betainc(k + 1.0, n, 1.0 - p),
    mean=lambda n, p: n * (1.0 - p) / p,
    var=lambda n, p: n * (1.0 - p) / p**2,
    skew=lambda n, p: (2.0 - p) / np.sqrt(n * (1.0 - p)),
    kurtosis=lambda n, p: 6.0 / n + p**2 / (n * (1.0 - p)),
)
geom = Discrete(
    "geom",
    lambda k, p: special.xlog1py(k - 1.0, -p) + np.log(p),
    (1.0, INF),
    valid=lambda p: np.logical_and(p > 0.0, p <= 1.0),
    logsf=lambda k, p: k * np.log1p(-p),
    mean=lambda p: 1.0 / p,
    var=lambda p: (1.0 - p) / p**2,
    skew=lambda p: (2.0 - p) / np.sqrt(1.0 - p),
    kurtosis=lambda p: 6.0 + p**2 / (1.0 - p),
    entropy=lambda p: -np.log(p) - np.log1p(-p) * (1.0 - p) / p,
)
poisson = Discrete(
    "poisson",
    lambda k, mu: special.xlogy(k, mu) - special.gammaln(k + 1.0) - mu,
    (0.0, INF),
    valid=lambda mu: mu >= 0.0,
    cdf=lambda k, mu: special.gammaincc(k + 1.0, mu),
    sf=lambda k, mu: special.gammainc(k + 1.0, mu),
    mean=lambda mu: mu,
    var=lambda mu: mu,
    skew=lambda mu: 1.0 / np.sqrt(mu),
    kurtosis=lambda mu: 1.0 / mu,
)
hypergeom = Discrete(
    "hypergeom",
    lambda k, M, n, N: (  # noqa: N803
        special.betaln(n + 1.0, 1.0)
        + special.betaln(M - n + 1.0, 1.0)
        + special.betaln(M - N + 1.0, N + 1.0)
        - special.betaln(k + 1.0, n - k + 1.0)
        - special.betaln(N - k + 1.0, M - n - N + k + 1.0)
        - special.betaln(M + 1.0, 1.0)
    ),
    (
        lambda M, n, N: np.maximum(N - (M - n), 0.0),  # noqa: N803
        lambda M, n, N: np.minimum(n, N),  # noqa: N803
    ),
    valid=lambda M, n, N: both(  # noqa: N803
        _whole(M), _whole(n), _whole(N), n <= M, N <= M
    ),
    mean=lambda M, n, N: n * N / M,  # noqa: N803
    var=lambda M, n, N: n * N * (M - n) * (M - N) / (M * M * (M - 1.0)),  # noqa: N803
)
nhypergeom = Discrete(
    "nhypergeom",
    lambda k, M, n, r: (  # noqa: N803
        -special.betaln(k + 1.0, r)
        + special.betaln(k + r, 1.0)
        - special.betaln(n - k + 1.0, M - r - n + 1.0)
        + special.betaln(M - r - k + 1.0, 1.0)
        + special.betaln(n + 1.0, M - n + 1.0)
        - special.betaln(M + 1.0, 1.0)
    ),
    (0.0, lambda M, n, r: n),  # noqa: N803
    valid=lambda M, n, r: both(  # noqa: N803
        _whole(M), _whole(n), _whole(r, 1.0), n <= M, r <= M - n
    ),
    mean=lambda M, n, r: r * n / (M - n + 1.0),  # noqa: N803
)
betabinom = Discrete(
    "betabinom",
    lambda k, n, a, b: _log_choose(n, k) + special.betaln(k + a, n - k + b) - special.betaln(a, b),
    (0.0, lambda n, a, b: n),
    valid=lambda n, a, b: both(_whole(n), a > 0.0, b > 0.0),
    mean=lambda n, a, b: n * a / (a + b),
    var=lambda n, a, b: n * (a + b + n) * a * b / ((a + b) ** 2 * (a + b + 1.0)),
)
betanbinom = Discrete(
    "betanbinom",
    lambda k, n, a, b: (
        -np.log(n + k)
        - special.betaln(n, k + 1.0)
        + special.betaln(a + n, b + k)
        - special.betaln(a, b)
    ),
    (0.0, INF),
    valid=lambda n, a, b: both(_whole(n), a > 0.0, b > 0.0),
    mean=lambda n, a, b: np.where(a > 1.0, n * b / (np.where(a > 1.0, a, 2.0) - 1.0), INF),
)
zipf = Discrete(
    "zipf",
    lambda k, a: -a * np.log(k) - np.log(special.zeta(a, 1.0)),
    (1.0, INF),
    valid=lambda a: a > 1.0,
)


def _harmonic(n: Any, a: Any) -> Any:
    """Sum of ``k**-a`` for k = 1 ... n."""
    last = n.concrete() if isinstance(n, Tracer) else n
    if last is None:
        raise TypeError(
            f"zipfian: expected n to be known, as it is the length of a sum; got a traced one, at "
            f"{user_line()}."
        )
    terms = np.arange(1.0, float(np.max(last)) + 1.0)
    logarithm = -np.expand_dims(a, -1) * np.log(terms)
    return np.sum(np.where(terms <= np.expand_dims(n, -1), np.exp(logarithm), 0.0), axis=-1)


zipfian = Discrete(
    "zipfian",
    lambda k, a, n: -a * np.log(k) - np.log(_harmonic(n, a)),
    (1.0, lambda a, n: n),
    valid=lambda a, n: np.logical_and(a >= 0.0, _whole(n, 1.0)),
    cdf=lambda k, a, n: _harmonic(k, a) / _harmonic(n, a),
    mean=lambda a, n: _harmonic(n, a - 1.0) / _harmonic(n, a),
)
boltzmann = Discrete(
    "boltzmann",
    lambda k, lambda_, N: (  # noqa: N803
        np.log(-np.expm1(-lambda_)) - np.log(-np.expm1(-lambda_ * N)) - lambda_ * k
    ),
    (0.0, lambda lambda_, N: N - 1.0),  # noqa: N803
    valid=lambda lambda_, N: np.logical_and(lambda_ > 0.0, _whole(N, 1.0)),  # noqa: N803
    cdf=lambda k, lambda_, N: (  # noqa: N803
        np.expm1(-lambda_ * (k + 1.0)) / np.expm1(-lambda_ * N)
    ),
)
planck = Discrete(
    "planck",
    lambda k, lambda_: log1mexp(-lambda_) - lambda_ * k,
    (0.0, INF),
    valid=lambda lambda_: lambda_ > 0.0,
    logsf=lambda k, lambda_: -lambda_ * (k + 1.0),
    mean=lambda lambda_: 1.0 / np.expm1(lambda_),
    var=lambda lambda_: np.exp(-lambda_) / np.expm1(-lambda_) ** 2,
    skew=lambda lambda_: 2.0 * np.cosh(0.5 * lambda_),
    kurtosis=lambda lambda_: 4.0 + 2.0 * np.cosh(lambda_),
    entropy=lambda lambda_: lambda_ * np.exp(-lambda_) / -np.expm1(-lambda_) - log1mexp(-lambda_),
)
dlaplace = Discrete(
    "dlaplace",
    lambda k, a: np.log(np.tanh(0.5 * a)) - a * np.absolute(k),
    (-INF, INF),
    valid=lambda a: a > 0.0,
    cdf=lambda k, a: np.where(
        k >= 0.0,
        1.0 - np.exp(-a * (np.absolute(k))) / (np.exp(a) + 1.0),
        np.exp(-a * np.absolute(k + 1.0)) / (np.exp(a) + 1.0),
    ),
    mean=lambda a: 0.0 * a,
    var=lambda a: 2.0 * np.exp(a) / np.expm1(a) ** 2,
    skew=lambda a: 0.0 * a,
    entropy=lambda a: a / np.sinh(a) - np.log(np.tanh(0.5 * a)),
)
logser = Discrete(
    "logser",
    lambda k, p: k * np.log(p) - np.log(k) - np.log(-np.log1p(-p)),
    (1.0, INF),
    valid=lambda p: np.logical_and(p > 0.0, p < 1.0),
    mean=lambda p: p / ((p - 1.0) * np.log1p(-p)),
    var=lambda p: -p * (p + np.log1p(-p)) / ((1.0 - p) * np.log1p(-p)) ** 2,
)
randint = Discrete(
    "randint",
    lambda k, low, high: -np.log(high - low) + 0.0 * k,
    (lambda low, high: low, lambda low, high: high - 1.0),
    valid=lambda low, high: both(high > low, np.floor(low) == low, np.floor(high) == high),
    cdf=lambda k, low, high: (k - low + 1.0) / (high - low),
    mean=lambda low, high: 0.5 * (low + high - 1.0),
    var=lambda low, high: ((high - low) ** 2 - 1.0) / 12.0,
    entropy=lambda low, high: np.log(high - low),
)
yulesimon = Discrete(
    "yulesimon",
    lambda k, alpha: np.log(alpha) + special.betaln(k, alpha + 1.0),
    (1.0, INF),
    valid=lambda alpha: alpha > 0.0,
    cdf=lambda k, alpha: 1.0 - k * special.beta(k, alpha + 1.0),
    sf=lambda k, alpha: k * special.beta(k, alpha + 1.0),
    mean=lambda alpha: np.where(
        alpha > 1.0, 1.0 + 1.0 / (np.where(alpha > 1.0, alpha, 2.0) - 1.0), INF
    ),
)


def _skellam_below(k: Any, mu1: Any, mu2: Any) -> Any:
    left = k < 0.0
    below = ncx2.cdf(2.0 * mu2, np.where(left, -2.0 * k, 2.0), 2.0 * mu1)
    above = ncx2.sf(2.0 * mu1, np.where(left, 2.0, 2.0 * (k + 1.0)), 2.0 * mu2)
    return np.where(left, below, above)


skellam = Discrete(
    "skellam",
    lambda k, mu1, mu2: (
        -((np.sqrt(mu1) - np.sqrt(mu2)) ** 2)
        + 0.5 * k * np.log(mu1 / mu2)
        + np.log(special.ive(np.absolute(k), 2.0 * np.sqrt(mu1 * mu2)))
    ),
    (-INF, INF),
    valid=lambda mu1, mu2: np.logical_and(mu1 > 0.0, mu2 > 0.0),
    cdf=_skellam_below,
    mean=lambda mu1, mu2: mu1 - mu2,
    var=lambda mu1, mu2: mu1 + mu2,
    skew=lambda mu1, mu2: (mu1 - mu2) / (mu1 + mu2) ** 1.5,
    kurtosis=lambda mu1, mu2: 1.0 / (mu1 + mu2),
)
