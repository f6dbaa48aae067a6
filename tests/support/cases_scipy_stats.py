"""Calls of scipy.stats."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.stats

from functorch_like.scipy.stats import refusals
from functorch_like.scipy.stats.continuous import Continuous
from functorch_like.scipy.stats.discrete import Discrete
from functorch_like.scipy.stats.numeric import DISTRIBUTIONS
from support.cases import Cases

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(4, 9)), rng.normal(size=(4, 9))
V, W = rng.normal(size=12), rng.normal(size=12)
P = rng.uniform(0.5, 2.0, (4, 9))
A = rng.normal(size=(3, 3))

cases = Cases(scipy.stats, "functorch_like.scipy.stats")

# --- distributions: shapes at which they are called; ----------------------------

SHAPES: dict[str, tuple[float, ...]] = {
    "alpha": (3.6,), "argus": (1.0,), "beta": (2.3, 0.7), "betaprime": (5.0, 6.0),
    "bradford": (0.3,), "burr": (10.5, 4.3), "burr12": (10.0, 4.0), "chi": (7.8,),
    "chi2": (5.5,), "crystalball": (2.0, 3.0), "dgamma": (1.1,),
    "dpareto_lognorm": (3.0, 1.2, 1.5, 2.0),
    "dweibull": (2.07,), "erlang": (10.0,), "exponnorm": (1.5,), "exponpow": (2.7,),
    "exponweib": (2.9, 1.95), "f": (29.0, 18.0), "fatiguelife": (0.9,), "fisk": (3.1,),
    "foldcauchy": (4.7,), "foldnorm": (1.95,), "gamma": (1.99,), "gausshyper": (3.7, 3.1, 2.5, 0.4),
    "genexpon": (9.1, 16.2, 3.3), "genextreme": (-0.1,), "gengamma": (4.4, 3.1),
    "genhalflogistic": (0.77,), "genhyperbolic": (0.5, 1.5, -0.5), "geninvgauss": (2.3, 1.5),
    "genlogistic": (0.41,), "gennorm": (1.3,), "genpareto": (0.1,), "gompertz": (0.95,),
    "halfgennorm": (0.67,), "invgamma": (4.1,), "invgauss": (0.5,), "invweibull": (10.6,),
    "jf_skew_t": (8.0, 4.0), "johnsonsb": (4.3, 3.2), "johnsonsu": (2.6, 2.2), "kappa3": (1.0,),
    "kappa4": (0.2, 0.3), "laplace_asymmetric": (2.0,), "loggamma": (0.41,), "loglaplace": (3.25,),
    "lognorm": (0.95,), "loguniform": (0.5, 1.25), "lomax": (1.9,), "mielke": (10.4, 4.6),
    "nakagami": (4.97,), "ncx2": (21.0, 1.06), "norminvgauss": (1.25, 0.5), "pareto": (2.6,),
    "pearson3": (0.8,), "powerlaw": (1.66,), "powerlognorm": (2.1, 0.45), "powernorm": (4.4,),
    "rdist": (3.6,), "recipinvgauss": (0.63,), "reciprocal": (0.5, 1.25),
    "rel_breitwigner": (36.5,),
    "rice": (0.77,), "skewcauchy": (0.5,), "skewnorm": (4.0,), "t": (2.7,), "trapezoid": (0.2, 0.8),
    "triang": (0.16,), "truncexpon": (4.7,), "truncnorm": (-1.0, 2.0), "truncpareto": (2.0, 4.9),
    "truncweibull_min": (2.5, 0.25, 1.75), "tukeylambda": (3.1,), "vonmises": (1.9,),
    "vonmises_line": (3.99,), "weibull_max": (2.95,), "weibull_min": (1.79,), "wrapcauchy": (0.03,),
}  # fmt: skip
# Their distribution function, or its quantile, is too slow or too rough in SciPy for differences.
DENSITY_ONLY = {
    "dpareto_lognorm", "gausshyper", "geninvgauss", "genhyperbolic", "norminvgauss", "argus",
    "rel_breitwigner",
}  # fmt: skip
# No derivative in the shapes (orders of Bessel functions, parameters of 2F1).
FIXED_SHAPES: set[str] = set()


def of_methods(names: tuple[str, ...], fixed: tuple[float, ...]) -> Any:
    """Several methods of a distribution at once, so that a row is one judgement."""

    def call(f: Any, x: Any, q: Any, loc: Any, scale: Any, *shapes: Any) -> list[Any]:
        given = (*(shapes or fixed), loc, scale)
        return [getattr(f, name)(q if name in ("ppf", "isf") else x, *given) for name in names]

    return call


def add_continuous(name: str, ours: Continuous) -> None:
    shapes = SHAPES.get(name, ())
    public = getattr(scipy.stats, name)
    q = np.array([0.2, 0.71])
    x = public.ppf(q, *shapes, 0.3, 1.7) if name not in DENSITY_ONLY else None
    if x is None:
        x = np.array([1.1, 1.6])
    names: tuple[str, ...] = ("logpdf", "pdf")
    if name not in DENSITY_ONLY:
        names += ("logcdf", "sf")
        if "ppf" in ours.closed:
            names += ("ppf", "isf")
    fixed = shapes if name in FIXED_SHAPES else ()
    moving = [np.float64(s) for s in shapes] if not fixed else []
    operands = (x, q, np.array([0.3]), np.float64(1.7), *moving)
    cases(name, *operands, call=of_methods(names, fixed), tolerance=1e-4)


for _name, _ours in sorted(DISTRIBUTIONS.items()):
    if isinstance(_ours, Continuous):
        add_continuous(_name, _ours)

add_continuous("reciprocal", DISTRIBUTIONS["loguniform"])

COUNTS: dict[str, tuple[float, ...]] = {
    "bernoulli": (0.3,), "binom": (5, 0.4), "betabinom": (5, 2.3, 0.63),
    "betanbinom": (5, 9.3, 1.0),
    "boltzmann": (1.4, 19), "dlaplace": (0.8,), "geom": (0.5,), "hypergeom": (30, 12, 6),
    "logser": (0.6,), "nbinom": (4.2, 0.4), "nhypergeom": (30, 12, 6), "planck": (0.51,),
    "poisson": (0.6,), "randint": (7, 31), "skellam": (1.5, 0.8), "yulesimon": (11.0,),
    "zipf": (6.6,), "zipfian": (1.25, 10),
}  # fmt: skip


def add_discrete(name: str) -> None:
    values = COUNTS[name]
    # Whole numbers are no variables.
    floats = tuple(i for i, v in enumerate(values) if isinstance(v, float))

    def call(f: Any, k: Any, *moving: Any) -> list[Any]:
        given: list[Any] = list(values)
        for i, v in zip(floats, moving, strict=True):
            given[i] = v
        return [f.logpmf(k, *given), f.pmf(k, *given), f.cdf(k, *given), f.sf(k, *given)]

    k = np.asarray(getattr(scipy.stats, name).ppf([0.2, 0.9], *values), int)
    cases(name, k, *[np.float64(values[i]) for i in floats], call=call)


for _name, _found in sorted(DISTRIBUTIONS.items()):
    if isinstance(_found, Discrete):
        add_discrete(_name)

# --- vectors and matrices ------------------------------------------------------------------------


def spd(a: Any) -> Any:
    return a @ a.T + np.eye(3)


def logpdf(f: Any, *args: Any) -> list[Any]:
    return [f.logpdf(*args), f.pdf(*args)]


cases("multivariate_normal", X[:, :3], V[:3], A, call=lambda f, x, m, a: logpdf(f, x, m, spd(a)))
cases("multivariate_normal", X[0, :3], call=lambda f, x: f.logpdf(x))
cases("multivariate_normal", A, call=lambda f, a: f.entropy(None, spd(a)))
cases(
    "multivariate_t", X[:, :3], V[:3], A, 2.5,
    call=lambda f, x, m, a, df: logpdf(f, x, m, spd(a), df),
)  # fmt: skip
cases(
    "dirichlet",
    np.array([1.2, 0.7, 2.0]),
    call=lambda f, a: [f.logpdf([0.2, 0.5, 0.3], a), f.mean(a), f.var(a), f.entropy(a)],
)
cases(
    "dirichlet_multinomial", np.array([1.2, 0.7, 2.0]), call=lambda f, a: f.logpmf([1, 2, 3], a, 6)
)
cases(
    "multinomial",
    np.array([0.2, 0.3]),
    call=lambda f, p: [f.logpmf([1, 2, 3], 6, np.concatenate([p, 1 - np.sum(p, keepdims=True)]))],
)
cases("multivariate_hypergeom", call=lambda f: f.logpmf([1, 2], [4, 5], 3))
for _name in ("wishart", "invwishart"):
    cases(
        _name, A, X[:3, :3], np.float64(5.5),
        call=lambda f, a, b, df: f.logpdf(spd(a), df[()], spd(b)),
    )  # fmt: skip
cases(
    "matrix_normal",
    X[:3, :3],
    A,
    Y[:3, :3],
    call=lambda f, x, a, b: f.logpdf(x, None, spd(a), spd(b)),
)
cases(
    "matrix_t",
    X[:3, :3],
    A,
    Y[:3, :3],
    np.float64(2.2),
    call=lambda f, x, a, b, df: f.logpdf(x, None, spd(a), spd(b), df[()]),
)
cases(
    "vonmises_fisher",
    np.float64(2.0),
    call=lambda f, k: [f.logpdf(np.array([0.6, 0.8]), np.array([1.0, 0.0]), k[()])],
)
cases("normal_inverse_gamma", *map(np.float64, (0.3, 0.5, 0.1, 2.0, 1.5, 0.7)), call=logpdf)

# --- statistics of samples ------------------------------------------------------------------------

for _name in ("gmean", "hmean", "gstd"):
    cases(_name, P)
    cases(_name, P, axis=None, keepdims=True)
cases("gmean", P, P[::-1] * 1.0, call=lambda f, x, w: f(x, axis=1, weights=w))
for _p in (2.5, 0):
    cases("pmean", P, p=_p, axis=(0, 1))
cases("moment", X, order=3, axis=1)
cases("moment", X, order=[2, 4])
for _name in ("skew", "kurtosis"):
    cases(_name, X, axis=1, keepdims=True)
    cases(_name, X, axis=None, bias=False)
cases("variation", P, axis=1, ddof=1)
cases("sem", X)
for _name in ("zscore", "gzscore"):
    cases(_name, P, axis=1, ddof=1)
    cases(_name, P, axis=None)
cases("zmap", X, Y, axis=1)
cases("iqr", X, axis=1, rng=(10, 60))
cases("iqr", X, scale="normal")
cases("median_abs_deviation", X, axis=1)
cases("trim_mean", X, proportiontocut=0.2, axis=1)
for _name in ("tmean", "tvar", "tstd", "tsem"):
    cases(_name, X, limits=(-1.0, 1.5))
    cases(_name, X, axis=1)
cases("tmin", X, lowerlimit=-0.5, axis=1)
cases("tmax", X, upperlimit=0.5, axis=1)
cases("describe", X, axis=1)
cases("entropy", P, axis=1, base=2)
cases("entropy", P, P[::-1] * 1.0)
for _method in ("auto", "vasicek", "van es", "ebrahimi"):
    cases("differential_entropy", np.sort(V), method=_method)
cases("kstat", V, n=4)
cases("kstat", X, n=3, axis=1)
cases("kstatvar", V, n=2)
for _name in ("circmean", "circvar", "circstd"):
    cases(_name, P, axis=1)
cases("rankdata", X, axis=1)
cases("rankdata", V, method="min")
cases("boxcox", P[0], call=lambda f, x: f(x, 0.7))
cases("boxcox_llf", np.float64(0.7), P[0])
cases("yeojohnson", V, call=lambda f, x: f(x, 0.7))
cases("yeojohnson_llf", np.float64(0.7), V)
cases("wasserstein_distance", V, W[:9])
cases("energy_distance", V, W[:9])
cases("quantile", X, p=0.3, axis=1)
cases("quantile", V, p=np.array([0.3, 0.6]))
cases("scoreatpercentile", X, per=30)
cases("lmoment", V)
cases("lmoment", X, order=[1, 3], axis=1)

for _name in ("ttest_1samp",):
    cases(_name, X, popmean=0.1, axis=1)
    cases(_name, X, popmean=0.1, alternative="less")
for _name in ("ttest_ind", "ttest_rel"):
    cases(_name, X, Y, axis=1)
    cases(_name, V, W, alternative="greater")
cases("ttest_ind", V, W[:9], equal_var=False)
cases("ttest_ind_from_stats", 0.1, 1.2, 10.0, 0.7, 1.5, 13.0)
cases("f_oneway", V, W, V[:7] + 1.0)
cases("bartlett", V, W, V[:7] + 1.0)
cases("levene", V, W, V[:7] + 1.0)
for _name in ("skewtest", "kurtosistest", "normaltest"):
    cases(_name, rng.normal(size=25))
cases("jarque_bera", V)
for _lambda in ("pearson", "log-likelihood", "neyman", "cressie-read"):
    cases("power_divergence", P[0], lambda_=_lambda)
cases("chisquare", P[0])
cases("chi2_contingency", P)
cases("chi2_contingency", P[:2, :2] * 3)
cases("combine_pvalues", np.array([0.1, 0.3, 0.7]))
cases("combine_pvalues", np.array([0.1, 0.3, 0.7]), method="stouffer")
cases("pearsonr", V, W)
cases(
    "pointbiserialr", (V > 0) * 1.0, W, call=lambda f, x, y: f(np.where(V > 0, 1.0, 0.0), y + 0 * x)
)
cases("linregress", V, W)
cases("theilslopes", V, W)
cases("gaussian_kde", V, np.array([0.1, 0.7]), call=lambda f, d, x: [f(d).logpdf(x), f(d)(x)])
cases("gaussian_kde", X[:2], Y[:2, :3], P[0], call=lambda f, d, x, w: f(d, "silverman", w).pdf(x))

# --- the rest ------------------------------------------------------------------------------------

for _name, _reason in (*refusals.FUNCTIONS.items(), *refusals.DISTRIBUTIONS.items()):
    cases.refuse(_reason, _name)
cases.other("draws random directions; it has no density", "uniform_direction")
cases.other(
    "a type",
    "Binomial", "BootstrapMethod", "CensoredData", "ConstantInputWarning", "Covariance",
    "DegenerateDataWarning", "FitError", "Logistic", "Mixture", "MonteCarloMethod",
    "NearConstantInputWarning", "Normal", "PermutationMethod", "Uniform", "rv_continuous",
    "rv_discrete", "rv_histogram",
)  # fmt: skip
cases.other("a function of SciPy's random variables", "abs", "exp", "log", "truncate")
cases.other(
    "a module",
    "biasedurn", "contingency", "distributions", "kde", "morestats", "mstats", "mstats_basic",
    "mstats_extras", "mvn", "qmc", "stats",
)  # fmt: skip
