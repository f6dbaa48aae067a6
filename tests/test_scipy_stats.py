"""functorch_like.scipy.stats: values of SciPy, mpmath and closed forms; derivatives; masks."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from support.cases_scipy_stats import COUNTS, DENSITY_ONLY, FIXED_SHAPES, SHAPES

import functorch_like as ft
from functorch_like.scipy import stats
from functorch_like.scipy.stats.continuous import Continuous
from functorch_like.scipy.stats.numeric import DISTRIBUTIONS

CONTINUOUS = sorted(n for n, d in DISTRIBUTIONS.items() if isinstance(d, Continuous))
METHODS = ("pdf", "logpdf", "cdf", "sf", "logcdf", "logsf", "ppf", "isf")
# SciPy's own tails cancel there (sf = 1 - cdf, ppf by bisection): compared in the bulk only.
NUMERIC = {
    n for n in CONTINUOUS if not {"cdf", "sf", "logcdf", "logsf"} & {*DISTRIBUTIONS[n].closed}
}
Q = np.array([0.03, 0.2, 0.5, 0.77, 0.96])


def agree(got, want, rtol=1e-11):
    np.testing.assert_allclose(got, want, rtol=rtol, atol=1e-13)


@pytest.mark.parametrize("name", CONTINUOUS)
def test_values_are_those_of_scipy(name):
    ours, theirs, shapes = getattr(stats, name), getattr(scipy.stats, name), SHAPES.get(name, ())
    slow = name in DENSITY_ONLY
    x = np.linspace(0.4, 6.0, 5) if slow else theirs.ppf(Q, *shapes, 0.3, 1.7)
    for method in METHODS[:2] if slow else METHODS:
        at = Q if method in ("ppf", "isf") else x
        agree(
            getattr(ours, method)(at, *shapes, 0.3, 1.7),
            getattr(theirs, method)(at, *shapes, 0.3, 1.7),
            1e-9 if method in ("ppf", "isf") else 1e-11,
        )
    for what in ("mean", "var", "entropy"):
        if what in ours.closed:
            agree(
                getattr(ours, what)(*shapes, 0.3, 1.7),
                getattr(theirs, what)(*shapes, 0.3, 1.7),
                1e-9,
            )
    letters = "".join(k for k, what in (("s", "skew"), ("k", "kurtosis")) if what in ours.closed)
    if letters:
        agree(ours.stats(*shapes, moments=letters), theirs.stats(*shapes, moments=letters), 1e-8)


@pytest.mark.parametrize("name", CONTINUOUS)
def test_outside_the_support_and_invalid(name):
    ours, shapes = getattr(stats, name), SHAPES.get(name, ())
    low, high = ours.support(*shapes, 0.3, 1.7)
    outside = np.array(
        [low - 2.0 if np.isfinite(low) else -np.inf, high + 2.0 if np.isfinite(high) else np.inf]
    )
    assert np.all(ours.pdf(outside, *shapes, 0.3, 1.7) == 0.0)
    assert np.all(ours.logpdf(outside, *shapes, 0.3, 1.7) == -np.inf)
    if name not in DENSITY_ONLY and name != "vonmises":
        assert list(ours.cdf(outside, *shapes, 0.3, 1.7)) == [0.0, 1.0]
        assert list(ours.sf(outside, *shapes, 0.3, 1.7)) == [1.0, 0.0]
    assert np.isnan(ours.logpdf(1.0, *shapes, 0.0, -1.0)) and np.isnan(ours.pdf(np.nan, *shapes))
    # Slopes there are zero, never NaN, in the variable and in every parameter.
    moving = () if name in FIXED_SHAPES else tuple(map(np.float64, shapes))
    fixed = shapes[len(moving) :]
    for method in ("pdf", "logpdf") + (
        () if name in DENSITY_ONLY | {"vonmises"} else ("cdf", "logsf")
    ):
        f = lambda x, loc, scale, *s, m=method: np.sum(
            np.where(np.isfinite(v := getattr(ours, m)(x, *s, *fixed, loc, scale)), v, 0.0)
        )
        for slope in ft.grad(f, argnums=tuple(range(3 + len(moving))))(outside, 0.3, 1.7, *moving):
            assert np.all(np.asarray(slope) == 0.0), method
    if name not in DENSITY_ONLY:
        assert tuple(ours.ppf(np.array([0.0, 1.0]), *shapes, 0.3, 1.7)) == (low, high)
        assert np.all(np.isnan(ours.ppf(np.array([-0.1, 1.1, np.nan]), *shapes)))


@pytest.mark.parametrize("name", sorted(NUMERIC - DENSITY_ONLY))
def test_quadrature_of_the_shape_derivative(name):
    """dF/ds of functions without a closed form, against Richardson differences of SciPy's."""
    ours, theirs, shapes = getattr(stats, name), getattr(scipy.stats, name), SHAPES.get(name, ())
    if not shapes or name in FIXED_SHAPES:
        pytest.skip("no shape to differentiate")
    x = theirs.ppf(Q, *shapes)
    f = lambda s: theirs.cdf(x, s, *shapes[1:])
    h = 1e-4 * shapes[0]
    one, two = (
        (f(shapes[0] + h) - f(shapes[0] - h)) / (2 * h),
        (f(shapes[0] + 2 * h) - f(shapes[0] - 2 * h)) / (4 * h),
    )
    got = ft.jacfwd(lambda s: ours.cdf(x, s, *shapes[1:]))(shapes[0])
    np.testing.assert_allclose(got, (4 * one - two) / 3, rtol=1e-6, atol=1e-8)


def test_t_distribution_in_its_degrees_of_freedom():
    """Against mpmath: d/ddf of the regularised incomplete beta function."""
    with mpmath.workdps(30):

        def cdf(df):
            return (
                1
                - mpmath.betainc(df / 2, 0.5, 0, df / (df + mpmath.mpf(1.3) ** 2), regularized=True)
                / 2
            )

        want = float(mpmath.diff(cdf, mpmath.mpf(2.7)))
    agree(ft.grad(lambda df: stats.t.cdf(1.3, df))(2.7), want, 1e-10)
    p = float(stats.t.cdf(1.3, 2.7))
    agree(ft.grad(lambda df: stats.t.ppf(p, df))(2.7), -want / stats.t.pdf(1.3, 2.7), 1e-9)


def test_tails():
    """Against mpmath, where 1 - cdf or log(cdf) would cancel or underflow."""
    with mpmath.workdps(40):
        normal = float(mpmath.log(mpmath.ncdf(-40)))
        gumbel = float(mpmath.log1p(-mpmath.exp(-mpmath.exp(-40))))
        upper = float(mpmath.log(mpmath.gammainc(2.5, 300, mpmath.inf, regularized=True)))
        invgauss = float(
            mpmath.log(
                mpmath.ncdf(-(40 / 0.5 - 1) / mpmath.sqrt(40))
                - mpmath.exp(4) * mpmath.ncdf(-(40 / 0.5 + 1) / mpmath.sqrt(40))
            )
        )
    agree(stats.norm.logcdf(-40.0), normal)
    agree(stats.norm.logsf(40.0), normal)
    agree(stats.gumbel_r.logsf(40.0), gumbel)
    agree(stats.gamma.logsf(300.0, 2.5), upper)
    agree(stats.invgauss.logsf(40.0, 0.5), invgauss, 1e-10)
    assert stats.norm.logsf(-40.0) == -stats.norm.sf(
        40.0
    )  # -3.7e-350 is 0, not an accident of 1 - 1
    agree(stats.norm.logcdf(9.0), -stats.norm.sf(9.0))
    agree(stats.truncnorm.logpdf(31.0, 30.0, 32.0), scipy.stats.truncnorm.logpdf(31.0, 30.0, 32.0))


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("genpareto", (0.0,)),
        ("genextreme", (0.0,)),
        ("tukeylambda", (0.0,)),
        ("kappa4", (0.0, 0.0)),
        ("pearson3", (0.0,)),
    ],
)
def test_removable_singularities(name, shapes):
    ours, theirs = getattr(stats, name), getattr(scipy.stats, name)
    x = np.array([0.2, 1.1])
    for method in ("logpdf", "cdf"):
        agree(getattr(ours, method)(x, *shapes), getattr(theirs, method)(x, *shapes), 1e-9)
        f = lambda s: np.sum(getattr(ours, method)(x, s, *shapes[1:]))  # noqa: B023
        if name in ("genpareto", "genextreme", "kappa4"):
            slope = (f(1e-4) - f(-1e-4)) / 2e-4
            agree(ft.grad(f)(0.0), slope, 1e-6)
            assert np.isfinite(ft.grad(ft.grad(f))(0.0))


@pytest.mark.parametrize("name", sorted(COUNTS))
def test_discrete_values(name):
    ours, theirs, shapes = getattr(stats, name), getattr(scipy.stats, name), COUNTS[name]
    k = np.arange(-2, 12)
    for method in ("pmf", "logpmf", "cdf", "sf", "logcdf", "logsf"):
        agree(getattr(ours, method)(k, *shapes, 1), getattr(theirs, method)(k, *shapes, 1), 1e-9)
    agree(ours.ppf(Q, *shapes), theirs.ppf(Q, *shapes))
    assert ours.pmf(2.5, *shapes) == 0.0 and np.isnan(ours.pmf(np.nan, *shapes))
    for what in ("mean", "var", "entropy"):
        if what in ours.closed:
            agree(getattr(ours, what)(*shapes, 1), getattr(theirs, what)(*shapes, 1))


def test_masses_add_up():
    """The slopes of masses in a parameter add up to zero."""
    k = np.arange(0, 120)
    for name, shapes in (
        ("poisson", (3.0,)),
        ("nbinom", (4.2, 0.4)),
        ("betabinom", (20, 2.3, 0.6)),
        ("binom", (20, 0.3)),
    ):
        last = len(shapes) - 1
        f = lambda s: np.sum(getattr(stats, name).pmf(k, *shapes[:last], s))  # noqa: B023
        agree(f(shapes[-1]), 1.0, 1e-9)
        assert abs(ft.grad(f)(shapes[-1])) < 1e-8


# --- shapes, dtypes, transforms ------------------------------------------------------------------


def test_types_of_results():
    assert type(stats.norm.logpdf(0)) is np.float64
    x = np.linspace(0.1, 2, 6, dtype=np.float32)
    for method in ("logpdf", "cdf", "ppf"):
        got = getattr(stats.gamma, method)(x[:2], np.float32(2.0))
        want = getattr(scipy.stats.gamma, method)(x[:2], np.float32(2.0))
        assert got.dtype == want.dtype == np.float64
        agree(got, want, 1e-6)  # SciPy computes some of them in float32 inside
    agree(stats.norm.pdf([0, 1], [[0.0], [1.0]]), scipy.stats.norm.pdf([0, 1], [[0.0], [1.0]]))
    assert stats.gamma.logpdf(np.zeros((0, 3)), 2.0).shape == (0, 3)
    agree(stats.norm.pdf(x[::2][::-1]), scipy.stats.norm.pdf(x[::2][::-1]))
    agree(ft.grad(lambda x: np.sum(stats.norm.logpdf(x)))(x), -x, 1e-6)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 3), st.integers(0, 3), st.integers(1, 3), st.booleans())
def test_broadcasting(rank, cut, size, traced):
    rng = np.random.default_rng(rank + 7 * cut)
    x = rng.uniform(0.2, 3.0, (size,) * rank)
    a = rng.uniform(0.5, 3.0, (size,) * max(rank - cut, 0))
    loc = rng.uniform(-1, 0, (1,) * min(cut, rank))
    f = lambda x, a, loc: stats.gamma.logpdf(x, a, loc=loc, scale=2.0)
    want = scipy.stats.gamma.logpdf(x, a, loc=loc, scale=2.0)
    got = ft.jvp(f, (x, a, loc), (x, a, loc))[0] if traced else f(x, a, loc)
    assert got.shape == want.shape
    agree(got, want)


def test_frozen_and_keywords():
    frozen = stats.gamma(2.0, scale=3.0)
    theirs = scipy.stats.gamma(2.0, scale=3.0)
    for method in ("logpdf", "cdf", "ppf"):
        agree(getattr(frozen, method)(0.4), getattr(theirs, method)(0.4))
    agree(frozen.mean(), 6.0)
    agree(frozen.std(), theirs.std())
    agree(frozen.interval(0.9), theirs.interval(0.9))
    agree(stats.gamma.logpdf(0.4, scale=3.0, a=2.0), theirs.logpdf(0.4))
    agree(
        stats.norm.nnlf((0.1, 1.2), [0.3, 0.4]),
        scipy.stats.norm.nnlf((0.1, 1.2), np.array([0.3, 0.4])),
    )
    slope = ft.grad(lambda a: stats.gamma(a, scale=3.0).logpdf(0.4))(2.0)
    agree(slope, math.log(0.4 / 3.0) - float(mpmath.digamma(2)))


DATA = np.array([0.3, 1.1, 2.4, 0.9])


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("norm", ()),
        ("gamma", (1.7,)),
        ("beta", (2.0, 3.0)),
        ("t", (4.0,)),
        ("genpareto", (0.1,)),
        ("truncnorm", (-2.0, 3.0)),
        ("weibull_min", (1.5,)),
    ],
)
def test_likelihoods_under_jit(name, shapes):
    ours = getattr(stats, name)
    data = DATA / 3.0

    def likelihood(parameters):
        return np.sum(ours.logpdf(data, *parameters))

    parameters = np.array([*shapes, 0.02, 1.1])
    slope = ft.grad(likelihood)(parameters)
    agree(ft.jit(ft.grad(likelihood))(parameters), slope)
    steps = 1e-6 * np.eye(len(parameters))
    theirs = getattr(scipy.stats, name)
    f = lambda p: np.sum(theirs.logpdf(data, *p))
    np.testing.assert_allclose(
        slope, [(f(parameters + s) - f(parameters - s)) / 2e-6 for s in steps], rtol=1e-6, atol=1e-7
    )
    hessian = ft.hessian(likelihood)(parameters)
    np.testing.assert_allclose(hessian, ft.jacfwd(ft.grad(likelihood))(parameters), rtol=1e-9)
    np.testing.assert_allclose(hessian, hessian.T, rtol=1e-7, atol=1e-9)


def test_vmap_and_jit_of_quantiles():
    q, df = np.array([0.1, 0.6, 0.9]), np.array([1.5, 3.0, 8.0])
    f = lambda q, df: stats.t.ppf(q, df)
    agree(ft.vmap(f)(q, df), f(q, df))
    agree(ft.vmap(ft.grad(f, 1))(q, df), [ft.grad(f, 1)(a, b) for a, b in zip(q, df, strict=True)])
    agree(ft.jit(ft.grad(f))(0.3, 2.0), ft.grad(f)(0.3, 2.0))
    agree(ft.vmap(f, in_axes=(None, 0))(0.3, df), f(0.3, df))
    # d2Q/dq2 = -f'(Q) / f(Q)^3
    x = stats.t.ppf(0.3, 2.0)
    slope = ft.grad(lambda x: stats.t.pdf(x, 2.0))(x)
    agree(ft.grad(ft.grad(f))(0.3, 2.0), -slope / stats.t.pdf(x, 2.0) ** 3, 1e-9)


def test_reparametrised_gradient():
    """Implicit reparametrisation (Figurnov et al., 2018): E[x] of a gamma has slope 1 in a."""
    q = (np.arange(2000) + 0.5) / 2000
    assert abs(ft.grad(lambda a: np.mean(stats.gamma.ppf(q, a)))(2.5) - 1.0) < 1e-3


def test_values_written_down_from_jax():
    """Slopes of jax.scipy.stats 0.10.2 in float64, at x = 0.3, 0.8, 1.7, summed over x."""
    x = np.array([0.3, 0.8, 1.7])
    got = ft.grad(lambda *p: np.sum(stats.gamma.cdf(x, *p)), argnums=(0, 1, 2))(1.7, 0.1, 1.3)
    np.testing.assert_allclose(got, [-0.65486285, -0.80208664, -0.55454279], atol=1e-8)
    f = lambda *p: np.sum(stats.truncnorm.logpdf(x, *p))
    got = ft.grad(f, argnums=(0, 1, 2, 3))(-1.0, 2.0, 0.1, 1.2)
    np.testing.assert_allclose(got, [0.88677858, -0.19786705, 1.73611111, -0.71180556], atol=1e-8)


# --- vectors and matrices ------------------------------------------------------------------------


def test_multivariate_normal_in_its_covariance():
    rng = np.random.default_rng(1)
    x, a = rng.normal(size=(5, 3)), rng.normal(size=(3, 3))
    cov = a @ a.T + np.eye(3)
    f = lambda c: np.sum(stats.multivariate_normal.logpdf(x, np.zeros(3), c))
    inverse = np.linalg.inv(cov)
    want = 0.5 * (inverse @ x.T @ x @ inverse - 5 * inverse)
    got = ft.grad(f)(cov)
    np.testing.assert_allclose(0.5 * (got + got.T), want, rtol=1e-9, atol=1e-12)
    agree(ft.jit(f)(cov), np.sum(scipy.stats.multivariate_normal.logpdf(x, np.zeros(3), cov)))
    with pytest.raises(TypeError, match="singular covariance"):
        stats.multivariate_normal.logpdf(x, np.zeros(3), cov, allow_singular=True)
    with pytest.raises(ValueError, match="same dimension"):
        stats.multivariate_normal.logpdf(x, np.zeros(2), cov)
    with pytest.raises(ValueError, match="along the last axis"):
        stats.multivariate_normal.logpdf(x[:, :2], np.zeros(3), cov)


def test_forms_of_covariances():
    x = np.random.default_rng(0).normal(size=(4, 3))
    for args in (
        (x[:, 0], 0.2, 2.0),
        (x, np.zeros(3), [1.0, 2.0, 3.0]),
        (0.3,),
        (x, None, np.eye(3)),
    ):
        agree(
            stats.multivariate_normal.logpdf(*args), scipy.stats.multivariate_normal.logpdf(*args)
        )
    frozen = stats.multivariate_normal(np.zeros(3), np.eye(3))
    agree(frozen.pdf(x), scipy.stats.multivariate_normal(np.zeros(3), np.eye(3)).pdf(x))


# --- samples --------------------------------------------------------------------------------------


def test_results_have_names_and_plain_arrays_go_to_scipy():
    x = np.array([0.2, 1.4, 0.7, 2.2])
    assert type(stats.ttest_1samp(x, 1.0)) is type(scipy.stats.ttest_1samp(x, 1.0))
    out, _ = ft.jvp(lambda x: stats.ttest_1samp(x, 1.0), (x,), (x,))
    agree(out.statistic, scipy.stats.ttest_1samp(x, 1.0).statistic)
    agree(out.pvalue, scipy.stats.ttest_1samp(x, 1.0).pvalue)
    described, _ = ft.jvp(lambda x: stats.describe(x).mean, (x,), (x,))
    agree(described, np.mean(x))


def test_score_slopes_add_up_to_zero():
    """zscore does not change under shift and scale."""
    x = np.random.default_rng(0).normal(size=(3, 7))
    for v in (np.ones_like(x), x):
        assert np.max(np.abs(ft.jvp(lambda x: stats.zscore(x, axis=1), (x,), (v,))[1])) < 1e-12


def test_wasserstein_slope_is_the_sign_of_the_shift():
    x = np.sort(np.random.default_rng(0).normal(size=8))
    agree(ft.grad(lambda y: stats.wasserstein_distance(y, x))(x + 5.0), np.full(8, 1 / 8))


def test_density_estimate_integrates_to_one():
    data = np.array([0.0, 1.0, 3.0])
    grid = np.linspace(-15, 18, 4001)
    mass = lambda d: np.trapezoid(stats.gaussian_kde(d)(grid), grid)
    agree(mass(data), 1.0, 1e-9)
    assert np.max(np.abs(ft.grad(mass)(data))) < 1e-9
    with pytest.raises(ValueError, match="points of shape"):
        stats.gaussian_kde(data)(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="bw_method"):
        stats.gaussian_kde(data, "best")


# --- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("call", "message"), [
    (lambda x: stats.norm.rvs(x), "functorch_like.random"),
    (lambda x: stats.gamma.fit(x), "minimise nnlf"),
    (lambda x: stats.kendalltau(x, x), "order of the data"),
    (lambda x: stats.bootstrap((x,), np.mean), "random numbers"),
    (lambda x: stats.landau.pdf(x), "no closed form|without a closed form"),
    (lambda x: stats.gamma.logpdf(x), "expected the parameters a, loc, scale"),
    (lambda x: stats.gamma.logpdf(x, 1.0, b=2.0), "not known"),
    (lambda x: stats.norm.logpdf(x, 0.0, 1.0, 2.0), "at most 2 parameters"),
    (lambda x: stats.norm.logpdf(x * 1j), "expected real numbers"),
    (lambda x: stats.skew(x, nan_policy="omit"), "nan_policy='omit' is not supported"),
    (lambda x: stats.boxcox(x), "expected an exponent lmbda"),
    (lambda x: stats.truncweibull_min.mean(2.5, x[0], 2.0), "no closed form"),
    (lambda x: stats.wishart.rvs(x, x), "random numbers"),
])  # fmt: skip
def test_refusals(call, message):
    x = np.array([0.2, 0.7, 1.4])
    with pytest.raises((TypeError, ValueError), match=message):
        ft.jvp(call, (x,), (x,))


def test_plain_arrays_reach_what_is_refused():
    x = np.array([0.2, 0.7, 1.4])
    agree(stats.kendalltau(x, x).statistic, 1.0)
    agree(stats.landau.pdf(x), scipy.stats.landau.pdf(x))
    agree(stats.norm.fit(x), scipy.stats.norm.fit(x))
