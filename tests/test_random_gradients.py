"""Derivatives of samples: closed forms, quantile functions, and derivatives of expectations."""

from __future__ import annotations

from collections.abc import Callable

import mpmath
import numpy as np
import pytest
import scipy.special
import scipy.stats as stats

import functorch_like as ft
from functorch_like import random as r
from functorch_like.kernels.cpu import implicit

KEY = r.key(5)

# Along constant probability a sample is a quantile: its derivative is that of the quantile.
QUANTILES: dict[str, tuple[Callable, Callable, tuple]] = {
    "gamma": (lambda a: r.gamma(KEY, a, (20,)), lambda a: stats.gamma(a), (0.3, 1.0, 4.0, 60.0)),
    "chisquare": (lambda a: r.chisquare(KEY, a, (20,)), lambda a: stats.chi2(a), (0.7, 5.0)),
    "wald": (lambda a: r.wald(KEY, a, (20,)), lambda a: stats.invgauss(a), (0.5, 3.0)),
    "von_mises": (
        lambda a: r.von_mises(KEY, a, 0.0, (20,)),
        lambda a: stats.vonmises(a),
        (0.4, 6.0),
    ),
    "pareto": (lambda a: r.pareto(KEY, a, (20,)), lambda a: stats.pareto(a), (1.5,)),
    "weibull_min": (
        lambda a: r.weibull_min(KEY, 2.0, a, (20,)),
        lambda a: stats.weibull_min(a, scale=2.0),
        (1.5,),
    ),
    "truncated_normal": (
        lambda a: r.truncated_normal(KEY, -a, a, (20,)),
        lambda a: stats.truncnorm(-a, a),
        (1.2,),
    ),
    "triangular": (
        lambda a: r.triangular(KEY, 0.0, a, 4.0, (20,)),
        lambda a: stats.triang(a / 4, 0, 4),
        (1.0,),
    ),
    "rayleigh": (lambda a: r.rayleigh(KEY, a, (20,)), lambda a: stats.rayleigh(scale=a), (2.0,)),
}


@pytest.mark.parametrize("name", QUANTILES)
def test_samples_move_as_quantiles(name: str) -> None:
    draw, distribution, parameters = QUANTILES[name]
    for a in parameters:
        x, slope = ft.jvp(draw, (a,), (1.0,))
        chance = distribution(a).cdf(x)
        rest = distribution(a).sf(x)
        h = 1e-4 * a

        def quantile(b, chance=chance, rest=rest):
            d = distribution(b)
            return np.where(chance < 0.5, d.ppf(chance), d.isf(rest))

        want = (
            8 * (quantile(a + h) - quantile(a - h)) - quantile(a + 2 * h) + quantile(a - 2 * h)
        ) / (12 * h)
        np.testing.assert_allclose(slope, want, rtol=1e-5, atol=1e-7)


def test_gamma_derivatives_against_mpmath() -> None:
    with mpmath.workdps(40):
        for a in (1e-3, 0.4, 2.5, 30.0, 800.0):
            for z in (-3.0, -0.5, 0.6, 3.0):
                y = np.log(a) + z / np.sqrt(a) if a > 1 else z / np.sqrt(a)
                if np.exp(y) > a + 40 + 10 * np.sqrt(a):
                    continue
                x = mpmath.exp(mpmath.mpf(y))
                density = mpmath.exp(a * mpmath.mpf(y) - x) / mpmath.gamma(a)
                share = lambda b, x=x: mpmath.gammainc(b, 0, x, regularized=True)
                for order in (1, 2):
                    want = -mpmath.diff(share, a, order, h=mpmath.mpf(10) ** -12) / density
                    got = implicit.gamma_slope(np.array(a), np.array(y), order)
                    scale = float(abs(want)) + a**-order * 1e-3
                    assert abs(float(got) - float(want)) < 1e-11 * scale, (a, y, order)


def test_von_mises_derivatives_against_quadrature() -> None:
    with mpmath.workdps(25):
        for kappa in (0.05, 1.0, 12.0):
            norm = lambda k: 2 * mpmath.pi * mpmath.besseli(0, k)
            for x in (-3.0, -0.4, 0.02, 1.7):

                def share(k, x=x, norm=norm):
                    return mpmath.quad(lambda t: mpmath.exp(k * mpmath.cos(t)), [0, x]) / norm(k)

                density = mpmath.exp(kappa * mpmath.cos(x)) / norm(kappa)
                for order in (1, 2):
                    want = -mpmath.diff(share, kappa, order, h=mpmath.mpf(10) ** -6) / density
                    got = implicit.von_mises_slope(np.array(kappa), np.array(x), order)
                    assert abs(float(got) - float(want)) < 1e-9 * (abs(float(want)) + 1e-3)


def test_huge_and_tiny_parameters_have_slopes() -> None:
    """Limits: y' = 1/a for a normal-like gamma, y ~ log(u)/a for a tiny one."""
    a = np.array([1e6, 1e9])
    np.testing.assert_allclose(implicit.gamma_slope(a, np.log(a), 1), 1 / a, rtol=1e-5)
    y = -1e4  # P(a, e^y) = e^(a y) / Gamma(a + 1), so y' = -(y - psi(a + 1)) / a
    got = implicit.gamma_slope(np.array(1e-3), np.array(y), 1)
    np.testing.assert_allclose(got, -(y - scipy.special.psi(1 + 1e-3)) / 1e-3, rtol=1e-13)
    assert ft.grad(lambda a: r.gamma(r.key(1), a))(1e-6) == 0  # underflows to 0, and stays there
    assert np.isfinite(ft.grad(lambda a: r.loggamma(r.key(1), a))(1e-6))
    kappa = np.array([1e5])  # x ~ z / sqrt(kappa)
    np.testing.assert_allclose(
        implicit.von_mises_slope(kappa, np.array([0.003]), 1), -0.003 / (2 * kappa), rtol=1e-4
    )
    np.testing.assert_allclose(
        implicit.von_mises_slope(np.zeros(1), np.array([0.7]), 1), -np.sin(0.7), rtol=1e-13
    )


# d/dp E[f(x)] and its derivative, against means of derivatives.
def moments() -> list:
    n = 40_000
    cases = [
        ("gamma", lambda a: np.mean(r.gamma(KEY, a, (n,)) ** 2), 2.3, lambda a: a * (a + 1)),
        ("log of gamma", lambda a: np.mean(r.loggamma(KEY, a, (n,))), 0.6, scipy.special.psi),
        ("beta", lambda a: np.mean(r.beta(KEY, a, 2.0, (n,)) ** 2), 1.4,
         lambda a: a * (a + 1) / ((a + 2) * (a + 3))),
        ("dirichlet",
         lambda a: np.mean(r.dirichlet(KEY, a * np.array([1.0, 0.5]), (n,))[:, 0] ** 2), 1.4,
         lambda a: (a + 1) / 1.5 / (1.5 * a + 1)),
        ("t", lambda a: np.mean(np.abs(r.t(KEY, a, (n,)))), 9.0,
         lambda a: 2 * np.sqrt(a) / ((a - 1) * scipy.special.beta(a / 2, 0.5))),
        ("f", lambda a: np.mean(r.f(KEY, 6.0, a, (n,))), 15.0, lambda a: a / (a - 2)),
        ("von_mises", lambda a: np.mean(np.cos(r.von_mises(KEY, a, 0.0, (n,)))), 1.7,
         lambda a: scipy.special.i1(a) / scipy.special.i0(a)),
        ("wald", lambda a: np.mean(np.log(r.wald(KEY, a, (n,)) + 1)), 1.2, None),
        ("generalized_normal", lambda a: np.mean(r.generalized_normal(KEY, a, (n,)) ** 2), 3.0,
         lambda a: scipy.special.gamma(3 / a) / scipy.special.gamma(1 / a)),
    ]  # fmt: skip
    return [pytest.param(*case[1:], id=case[0]) for case in cases]


@pytest.mark.parametrize(("mean", "at", "exact"), moments())
def test_mean_of_gradients_is_gradient_of_mean(mean, at, exact) -> None:
    if exact is None:

        def exact(a):
            return stats.invgauss(a).expect(lambda x: np.log(x + 1), epsabs=1e-12, epsrel=1e-12)

    h = 0.02 * at
    first = (exact(at + h) - exact(at - h)) / (2 * h)
    second = (exact(at + h) - 2 * exact(at) + exact(at - h)) / h**2
    np.testing.assert_allclose(ft.grad(mean)(at), first, rtol=0.03, atol=3e-3)
    np.testing.assert_allclose(ft.grad(ft.grad(mean))(at), second, rtol=0.15, atol=0.02)


def test_second_order_in_every_mode() -> None:
    """The first derivative along a quantile is a function: difference it, at fixed samples."""
    a = np.array([0.4, 1.0, 3.0, 20.0])
    for draw in (
        lambda a: r.gamma(KEY, a),
        lambda a: r.loggamma(KEY, a),
        lambda a: r.von_mises(KEY, a),
        lambda a: r.wald(KEY, a),
    ):
        f = lambda a, draw=draw: np.sum(draw(a) ** 2)
        reference = np.diag(ft.hessian(f)(a))
        np.testing.assert_allclose(np.diag(ft.jacfwd(ft.grad(f))(a)), reference, rtol=1e-10)
        np.testing.assert_allclose(np.diag(ft.jacrev(ft.jacfwd(f))(a)), reference, rtol=1e-10)
        np.testing.assert_allclose(np.diag(ft.jit(ft.hessian(f))(a)), reference, rtol=1e-9)
        batched = ft.vmap(ft.hessian(f))(np.stack([a, 2 * a]))
        np.testing.assert_allclose(np.diag(batched[0]), reference, rtol=1e-10)
    # x'' along the quantile, from differences of quantiles.
    x = r.gamma(KEY, 3.0)
    chance = stats.gamma(3.0).cdf(x)
    h = 1e-3
    second = (
        sum(w * stats.gamma(3.0 + k * h).ppf(chance) for k, w in ((-1, 1), (0, -2), (1, 1))) / h**2
    )
    np.testing.assert_allclose(ft.grad(ft.grad(lambda a: r.gamma(KEY, a)))(3.0), second, rtol=1e-4)
    h = 0.02
    third = sum(
        w * stats.gamma(3.0 + k * h).ppf(chance)
        for k, w in ((-2, -0.5), (-1, 1), (1, -1), (2, 0.5))
    )
    got = ft.grad(ft.grad(ft.grad(lambda a: r.gamma(KEY, a))))(3.0)
    np.testing.assert_allclose(got, third / h**3, rtol=1e-2)


def test_single_precision_stays_single() -> None:
    for draw in (r.gamma, r.loggamma, r.von_mises, r.wald, r.chisquare, r.t):
        a = np.array([0.7, 2.0], np.float32)
        f = lambda a, draw=draw: draw(KEY, a, dtype=np.float32)
        x, t = ft.jvp(f, (a,), (np.ones_like(a),))
        assert x.dtype == t.dtype == np.float32
        wide = ft.jvp(lambda a, draw=draw: draw(KEY, a), (a.astype(float),), (np.ones(2),))[1]
        assert wide.dtype == np.float64 and np.all(np.isfinite(t))
