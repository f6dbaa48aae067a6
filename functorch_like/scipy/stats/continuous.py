"""Continuous distributions: what SciPy's methods are, in terms of a declaration.

A declaration gives functions of the standardised variable ``y = (x - loc) / scale`` and of the
shape parameters: the log density, and, where they have closed forms, the distribution function
and its complement, their logarithms and inverses, the moments. Everything else is here: location
and scale, masks (outside the support the density is 0 and has slope 0, invalid parameters give
NaN), what follows from what, and derivatives of functions without a closed form (``numeric``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...errors import user_line
from .arguments import (
    both,
    broadcast,
    constant,
    double,
    has_tracer,
    log_probability,
    named,
    public,
)
from .numeric import DISTRIBUTIONS, distribution_function, quantile_function

__all__ = ["Continuous", "Frozen"]

INF = math.inf


class Distribution:
    """What continuous and discrete distributions share: names, freezing, refusals."""

    parameters: tuple[str, ...]

    def __init__(self, name: str, shapes: Sequence[str]) -> None:
        self.name = name
        self.shapes = ", ".join(shapes) or None
        DISTRIBUTIONS[name] = self

    def __call__(self, *args: Any, **kwds: Any) -> Frozen:
        return Frozen(self, args, kwds)

    freeze = __call__

    def __repr__(self) -> str:
        return f"<functorch_like.scipy.stats.{self.name}>"

    def _values(self, method: str, args: tuple, kwds: dict) -> list[Any]:
        return named(f"{self.name}.{method}", self.parameters, args, kwds)

    def __getattr__(self, name: str) -> Any:
        """SciPy's own method for plain arrays; an error for traced ones."""
        reason = REFUSED_METHODS.get(name)
        if reason is None:
            raise AttributeError(f"{self.name} has no attribute {name!r}")

        def call(*args: Any, **kwds: Any) -> Any:
            if has_tracer(args, kwds):
                raise TypeError(
                    f"{self.name}.{name}: expected plain arrays; got traced ones, at "
                    f"{user_line()}; {reason}"
                )
            import scipy.stats

            return getattr(getattr(scipy.stats, self.name), name)(*args, **kwds)

        return call


REFUSED_METHODS = {
    "rvs": "it draws random numbers; use functorch_like.random, or ppf(uniform numbers).",
    "fit": "it is an optimiser; minimise nnlf or -sum(logpdf) with its gradient.",
    "fit_loc_scale": "it is an estimator; use mean and std of the data.",
    "moment": "moments of any order are computed by quadrature; use mean, var or stats.",
    "expect": "it is an adaptive quadrature; sum over your own nodes.",
}


class Frozen:
    """A distribution with its parameters: every method of it, without them."""

    def __init__(self, dist: Any, args: tuple, kwds: dict) -> None:
        self.dist, self.args, self.kwds = dist, args, kwds

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        method = getattr(self.dist, name)

        def call(*args: Any, **more: Any) -> Any:
            return method(*args, *self.args, **self.kwds, **more)

        return call


class Continuous(Distribution):
    """A continuous distribution, under the names and with the arguments of SciPy's.

    Parameters
    ----------
    name
        Its name in scipy.stats.
    logpdf, pdf
        Log density, density (one of them suffices) of the standardised variable and the shapes.
    support
        Ends of the standardised support: numbers, or functions of the shapes.
    valid
        Condition on the shapes; all positive by default.
    open_ends
        Whether the density at the ends of the support is that outside.
    cdf, sf, logcdf, logsf, ppf, isf
        Closed forms, where there are.
    mean, var, skew, kurtosis, entropy
        Of the standardised variable, functions of the shapes.

    Notes
    -----
    ``logpdf(x, *shapes, loc=0, scale=1)`` and its kin compute in float64, as SciPy's do, and are
    differentiable to every order in ``x``, the shapes, ``loc`` and ``scale``, which broadcast.
    """

    def __init__(
        self,
        name: str,
        logpdf: Callable | None = None,
        support: tuple[Any, Any] = (-INF, INF),
        valid: Callable | None = None,
        open_ends: bool = False,
        **closed: Callable,
    ) -> None:
        if logpdf is not None:
            closed["logpdf"] = logpdf
        code = (logpdf or closed["pdf"]).__code__
        shapes = code.co_varnames[1 : code.co_argcount]
        super().__init__(name, shapes)
        self.parameters = (*shapes, "loc", "scale")
        self.closed = closed
        self._support = support
        self._valid = valid
        self._closed = not open_ends
        self.period: tuple[float, float] | None = None  # of a density around the circle

    # --- functions of the standardised variable -------------------------------------------

    def ends(self, shapes: Sequence[Any]) -> tuple[Any, Any]:
        """Ends of the standardised support."""
        low, high = (end(*shapes) if callable(end) else end for end in self._support)
        return low, high

    def valid(self, shapes: Sequence[Any]) -> Any:
        """Whether the shapes are parameters of the distribution."""
        if self._valid is not None:
            return self._valid(*shapes)
        return both(*[s > 0.0 for s in shapes])

    def raw(self, what: str, y: Any, shapes: Sequence[Any]) -> Any:
        """``what`` inside the support, from its closed form or from others."""
        closed = self.closed.get(what)
        return closed(y, *shapes) if closed else getattr(self, f"_{what}")(y, shapes)

    def _logpdf(self, y: Any, shapes: Sequence[Any]) -> Any:
        return log_probability(self.closed["pdf"](y, *shapes))

    def _pdf(self, y: Any, shapes: Sequence[Any]) -> Any:
        logarithm = self.closed["logpdf"](y, *shapes)
        zero = logarithm == -INF
        return np.where(zero, 0.0, np.exp(np.where(zero, 0.0, logarithm)))

    def _numeric(self, method: str, y: Any, shapes: Sequence[Any]) -> Any:
        return distribution_function(
            *broadcast([y, *shapes]), distribution=self.name, method=method
        )

    def _cdf(self, y: Any, shapes: Sequence[Any]) -> Any:
        if "logcdf" in self.closed:
            return np.exp(self.closed["logcdf"](y, *shapes))
        if "logsf" in self.closed:
            return -np.expm1(self.closed["logsf"](y, *shapes))
        if "sf" in self.closed:
            return 1.0 - self.closed["sf"](y, *shapes)
        return self._numeric("cdf", y, shapes)

    def _sf(self, y: Any, shapes: Sequence[Any]) -> Any:
        if "logsf" in self.closed:
            return np.exp(self.closed["logsf"](y, *shapes))
        if "logcdf" in self.closed:
            return -np.expm1(self.closed["logcdf"](y, *shapes))
        if "cdf" in self.closed:
            return 1.0 - self.closed["cdf"](y, *shapes)
        return self._numeric("sf", y, shapes)

    def _logcdf(self, y: Any, shapes: Sequence[Any]) -> Any:
        return self._log_of("cdf", "sf", y, shapes)

    def _logsf(self, y: Any, shapes: Sequence[Any]) -> Any:
        return self._log_of("sf", "cdf", y, shapes)

    def _log_of(self, what: str, other: str, y: Any, shapes: Sequence[Any]) -> Any:
        if "log" + other in self.closed:
            complement = self.closed["log" + other](y, *shapes)
            return log_probability(-np.expm1(complement), np.exp(complement))
        independent = other in self.closed or what not in self.closed
        complement = self.raw(other, y, shapes) if independent else None
        return log_probability(self.raw(what, y, shapes), complement)

    def _ppf(self, q: Any, shapes: Sequence[Any]) -> Any:
        if "isf" in self.closed:
            return self.closed["isf"](1.0 - q, *shapes)
        return quantile_function(*broadcast([q, *shapes]), distribution=self.name, method="ppf")

    def _isf(self, q: Any, shapes: Sequence[Any]) -> Any:
        if "ppf" in self.closed:
            return self.closed["ppf"](1.0 - q, *shapes)
        return quantile_function(*broadcast([q, *shapes]), distribution=self.name, method="isf")

    def masked_density(self, y: Any, shapes: Sequence[Any]) -> Any:
        """The standardised density, 0 outside the support."""
        y, inside, _, _ = self._locate(y, shapes, 0.0, 1.0, closed=False)
        return np.where(inside, self.raw("pdf", y, shapes), 0.0)

    # --- location, scale and masks ---------------------------------------------------------

    def _locate(
        self, x: Any, shapes: Sequence[Any], loc: Any, scale: Any, closed: bool
    ) -> tuple[Any, Any, Any, Any]:
        """Standardised variable, whether it is in the support, whether above, whether invalid.

        Outside the support the variable is a point inside, so that what is masked has no NaN.
        """
        inside = np.isfinite(x)
        y = np.where(inside, x, 0.0)
        if not (type(loc) is float and loc == 0.0):
            y = y - loc
        wrong = np.isnan(x)
        proper = self.valid(shapes)
        if not (type(scale) is float and scale == 1.0):
            y = y / scale
            proper = both(proper, scale > 0.0)
        if proper is not True:
            wrong = np.logical_or(wrong, np.logical_not(proper))
        low, high = map(constant, self.ends(shapes))
        above = x > 0.0
        if not _infinite(high):
            above = np.where(inside, y >= high, above)
            inside = np.logical_and(inside, y <= high if closed else y < high)
        elif not _infinite(low):
            above = np.where(inside, y > low, above)
        if not _infinite(low):
            inside = np.logical_and(inside, y >= low if closed else y > low)
        if not (_infinite(low) and _infinite(high)):
            y = np.where(inside, y, _interior(low, high))
        return y, inside, above, wrong

    def _at(self, method: str, x: Any, args: tuple, kwds: dict, closed: bool) -> tuple:
        *shapes, loc, scale = self._values(method, args, kwds)
        x = double(x, f"{self.name}.{method}")
        return shapes, scale, self._locate(x, shapes, loc, scale, closed)

    def _masked(
        self, method: str, x: Any, args: tuple, kwds: dict, below: float, above: float
    ) -> Any:
        shapes, _, (y, inside, over, wrong) = self._at(method, x, args, kwds, False)
        outside = np.where(wrong, math.nan, np.where(over, above, below))
        inside = np.logical_and(inside, np.logical_not(wrong))
        return np.where(inside, self.raw(method, y, shapes), outside)

    # --- SciPy's methods -------------------------------------------------------------------

    @public
    def logpdf(self, x: Any, *args: Any, **kwds: Any) -> Any:
        """Logarithm of the density, -inf outside the support."""
        shapes, scale, (y, inside, _, wrong) = self._at("logpdf", x, args, kwds, self._closed)
        value = self.raw("logpdf", y, shapes)
        if not (type(scale) is float and scale == 1.0):
            value = value - np.log(scale)
        inside = np.logical_and(inside, np.logical_not(wrong))
        return np.where(inside, value, np.where(wrong, math.nan, -INF))

    @public
    def pdf(self, x: Any, *args: Any, **kwds: Any) -> Any:
        """Density."""
        shapes, scale, (y, inside, _, wrong) = self._at("pdf", x, args, kwds, self._closed)
        value = self.raw("pdf", y, shapes)
        if not (type(scale) is float and scale == 1.0):
            value = value / scale
        inside = np.logical_and(inside, np.logical_not(wrong))
        return np.where(inside, value, np.where(wrong, math.nan, 0.0))

    @public
    def cdf(self, x: Any, *args: Any, **kwds: Any) -> Any:
        """Probability of values up to ``x``."""
        return self._masked("cdf", x, args, kwds, 0.0, 1.0)

    @public
    def sf(self, x: Any, *args: Any, **kwds: Any) -> Any:
        """Probability of values above ``x``, accurate where it is small."""
        return self._masked("sf", x, args, kwds, 1.0, 0.0)

    @public
    def logcdf(self, x: Any, *args: Any, **kwds: Any) -> Any:
        """Logarithm of ``cdf``."""
        return self._masked("logcdf", x, args, kwds, -INF, 0.0)

    @public
    def logsf(self, x: Any, *args: Any, **kwds: Any) -> Any:
        """Logarithm of ``sf``."""
        return self._masked("logsf", x, args, kwds, 0.0, -INF)

    def _quantile(self, method: str, q: Any, args: tuple, kwds: dict) -> Any:
        *shapes, loc, scale = self._values(method, args, kwds)
        q = double(q, f"{self.name}.{method}")
        inside = np.logical_and(q > 0.0, q < 1.0)
        value = self.raw(method, np.where(inside, q, 0.5), shapes) * scale + loc
        low, high = (_placed(end, loc, scale) for end in self.ends(shapes))
        if method == "isf":
            low, high = high, low
        ends = np.where(q == 0.0, low, np.where(q == 1.0, high, math.nan))
        proper = both(self.valid(shapes), scale > 0.0)
        # Location and scale belong to the shape of the result, whatever the mask.
        return np.where(proper, np.where(inside, value, ends), math.nan)

    @public
    def ppf(self, q: Any, *args: Any, **kwds: Any) -> Any:
        """Quantile: the value whose ``cdf`` is ``q``."""
        return self._quantile("ppf", q, args, kwds)

    @public
    def isf(self, q: Any, *args: Any, **kwds: Any) -> Any:
        """The value whose ``sf`` is ``q``."""
        return self._quantile("isf", q, args, kwds)

    @public
    def median(self, *args: Any, **kwds: Any) -> Any:
        """The value whose ``cdf`` is one half."""
        return self._quantile("ppf", 0.5, args, kwds)

    @public
    def interval(self, confidence: Any, *args: Any, **kwds: Any) -> Any:
        """Ends of the interval of that probability with equal tails."""
        tail = 0.5 * (1.0 - double(confidence, f"{self.name}.interval"))
        return (
            self._quantile("ppf", tail, args, kwds),
            self._quantile("ppf", 1.0 - tail, args, kwds),
        )

    @public
    def support(self, *args: Any, **kwds: Any) -> Any:
        """Ends of the support."""
        *shapes, loc, scale = self._values("support", args, kwds)
        return tuple(_placed(end, loc, scale) for end in self.ends(shapes))

    def _moment(self, what: str, method: str, args: tuple, kwds: dict) -> Any:
        *shapes, loc, scale = self._values(method, args, kwds)
        closed = self.closed.get(what)
        if closed is None:
            if has_tracer(args, kwds):
                raise TypeError(
                    f"{self.name}.{method}: no closed form is known here; integrate over ppf or "
                    f"pdf, at {user_line()}."
                )
            import scipy.stats

            theirs = getattr(scipy.stats, self.name)
            if what in ("skew", "kurtosis"):
                return theirs.stats(*args, **kwds, moments=what[0])
            return getattr(theirs, what)(*args, **kwds)
        value = closed(*shapes)
        if what == "mean":
            value = value * scale + loc
        elif what == "var":
            value = value * scale * scale
        elif what == "entropy":
            value = value + np.log(scale)
        return np.where(both(self.valid(shapes), scale > 0.0), value + 0.0 * loc, math.nan)

    @public
    def mean(self, *args: Any, **kwds: Any) -> Any:
        """Expectation."""
        return self._moment("mean", "mean", args, kwds)

    @public
    def var(self, *args: Any, **kwds: Any) -> Any:
        """Variance."""
        return self._moment("var", "var", args, kwds)

    @public
    def std(self, *args: Any, **kwds: Any) -> Any:
        """Square root of the variance."""
        return np.sqrt(self._moment("var", "std", args, kwds))

    @public
    def entropy(self, *args: Any, **kwds: Any) -> Any:
        """Differential entropy, in nats."""
        return self._moment("entropy", "entropy", args, kwds)

    @public
    def stats(self, *args: Any, moments: str = "mv", **kwds: Any) -> Any:
        """Mean, variance, skewness and excess kurtosis: those of the letters in ``moments``."""
        names = {"m": "mean", "v": "var", "s": "skew", "k": "kurtosis"}
        made = tuple(self._moment(names[m], "stats", args, kwds) for m in "mvsk" if m in moments)
        return made if len(made) != 1 else made[0]

    def nnlf(self, theta: Any, x: Any) -> Any:
        """Negative log likelihood of the data ``x``; ``theta`` holds shapes, loc and scale."""
        return -np.sum(self.logpdf(x, *theta))


def _infinite(end: Any) -> bool:
    return type(end) is float and math.isinf(end)


def _interior(low: Any, high: Any) -> Any:
    """A point inside the support."""
    if type(low) is float and type(high) is float:
        if math.isinf(low):
            return high - 1.0
        return low + 1.0 if math.isinf(high) else 0.5 * (low + high)
    no_low, no_high = np.isinf(low), np.isinf(high)
    start = np.where(no_low, np.where(no_high, 0.0, high - 1.0), low)
    stop = np.where(no_high, start + 2.0, np.where(no_low, start, high))
    return 0.5 * (start + stop)


def _placed(end: Any, loc: Any, scale: Any) -> Any:
    """An end of the support on the user's axis, without inf * 0 in derivatives."""
    if type(end) is float:
        return end if math.isinf(end) else end * scale + loc
    infinite = np.isinf(end)
    return np.where(infinite, constant(end), np.where(infinite, 0.0, end) * scale + loc)
