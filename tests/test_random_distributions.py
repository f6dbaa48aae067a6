"""Samples against the distributions of scipy.stats, with fixed keys.

Kolmogorov and Smirnov's test for real numbers, chi-square for counts. A p-value below 1e-4, of
which there is one chance in 10,000, fails.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import scipy.stats as stats

import functorch_like as ft
from functorch_like import random as r

KEY = r.key(2026)
N = 4000
S = (N,)

REAL: dict[str, tuple[Callable, object]] = {
    "uniform": (lambda: r.uniform(KEY, S, minval=-2.0, maxval=5.0), stats.uniform(-2, 7)),
    "uniform32": (lambda: r.uniform(KEY, S, "f4"), stats.uniform()),
    "normal": (lambda: r.normal(KEY, S), stats.norm()),
    "normal32": (lambda: r.normal(KEY, S, "f4"), stats.norm()),
    "normal-complex": (lambda: r.normal(KEY, S, complex).imag, stats.norm(0, np.sqrt(0.5))),
    "truncated_normal": (lambda: r.truncated_normal(KEY, -0.5, 2.0, S), stats.truncnorm(-0.5, 2)),
    "exponential": (lambda: r.exponential(KEY, S), stats.expon()),
    "gumbel": (lambda: r.gumbel(KEY, S), stats.gumbel_r()),
    "gumbel-high": (lambda: r.gumbel(KEY, S, mode="high"), stats.gumbel_r()),
    "laplace": (lambda: r.laplace(KEY, S), stats.laplace()),
    "logistic": (lambda: r.logistic(KEY, S), stats.logistic()),
    "cauchy": (lambda: r.cauchy(KEY, S), stats.cauchy()),
    "pareto": (lambda: r.pareto(KEY, 2.5, S), stats.pareto(2.5)),
    "weibull_min": (lambda: r.weibull_min(KEY, 2.0, 1.5, S), stats.weibull_min(1.5, scale=2)),
    "rayleigh": (lambda: r.rayleigh(KEY, 3.0, S), stats.rayleigh(scale=3)),
    "maxwell": (lambda: r.maxwell(KEY, S), stats.maxwell()),
    "double_sided_maxwell": (
        lambda: np.abs(r.double_sided_maxwell(KEY, 1.0, 2.0, S) - 1),
        stats.maxwell(scale=2),
    ),
    "lognormal": (lambda: r.lognormal(KEY, 0.7, S), stats.lognorm(0.7)),
    "triangular": (lambda: r.triangular(KEY, 0.0, 1.0, 4.0, S), stats.triang(0.25, 0, 4)),
    "wald": (lambda: r.wald(KEY, 2.0, S), stats.invgauss(2)),
    **{
        f"gamma-{a}": (lambda a=a: r.gamma(KEY, a, S), stats.gamma(a))
        for a in (0.05, 0.9, 1.0, 3.3, 1e4)
    },
    "gamma32": (lambda: r.gamma(KEY, 0.7, S, "f4"), stats.gamma(0.7)),
    "loggamma": (lambda: r.loggamma(KEY, 1e-3, S), stats.loggamma(1e-3)),
    "chisquare": (lambda: r.chisquare(KEY, 3.0, S), stats.chi2(3)),
    "t": (lambda: r.t(KEY, 3.0, S), stats.t(3)),
    "f": (lambda: r.f(KEY, 3.0, 5.0, S), stats.f(3, 5)),
    "beta": (lambda: r.beta(KEY, 0.3, 2.0, S), stats.beta(0.3, 2)),
    "dirichlet": (
        lambda: r.dirichlet(KEY, np.array([0.5, 1.0, 2.0]), S)[:, 1],
        stats.beta(1.0, 2.5),
    ),
    "generalized_normal": (lambda: r.generalized_normal(KEY, 3.0, S), stats.gennorm(3)),
    **{
        f"von_mises-{k}": (lambda k=k: r.von_mises(KEY, k, 0.0, S), stats.vonmises(k))
        for k in (0.0, 1e-9, 0.3, 4.0, 1e3)
    },
    "von_mises-huge": (lambda: r.von_mises(KEY, 1e8, 0.0, S) * 1e4, stats.norm()),
    "von_mises-turned": (lambda: r.von_mises(KEY, 2.0, 1.5, S), stats.vonmises(2.0, 1.5)),
    # In a ball of dimension d the d-th power of the radius is uniform.
    "ball": (lambda: np.linalg.norm(r.ball(KEY, 3, 2.0, S), axis=-1) ** 3, stats.uniform()),
    "multivariate_normal": (
        lambda: (
            r.multivariate_normal(KEY, np.array([1.0, 2]), np.array([[2, 0.5], [0.5, 1]]), S)
            @ np.array([1.0, -1.0])
        ),
        stats.norm(-1, np.sqrt(2)),
    ),
    # A component of a random direction in the plane has the arcsine distribution.
    "orthogonal": (lambda: r.orthogonal(KEY, 2, S)[:, 0, 1], stats.arcsine(-1, 2)),
}


@pytest.mark.parametrize("name", REAL)
def test_real_samples(name: str) -> None:
    draw, distribution = REAL[name]
    x = draw()
    if name.startswith("von_mises") and name != "von_mises-huge":
        assert np.all(np.abs(x) <= np.pi)
        if name == "von_mises-turned":  # SciPy's distribution function is about its location
            x = np.where(x < 1.5 - np.pi, x + 2 * np.pi, x)
    assert stats.kstest(x, distribution.cdf).pvalue > 1e-4


COUNTS: dict[str, tuple[Callable, object]] = {
    "randint": (lambda: r.randint(KEY, S, -3, 9), stats.randint(-3, 9)),
    "randint-bytes": (lambda: r.randint(KEY, S, 0, 256, "uint8") // 16, stats.randint(0, 16)),
    "bernoulli": (lambda: r.bernoulli(KEY, 0.3, S), stats.bernoulli(0.3)),
    "bernoulli-high": (lambda: r.bernoulli(KEY, 0.3, S, "high"), stats.bernoulli(0.3)),
    "rademacher": (lambda: (r.rademacher(KEY, S) + 1) // 2, stats.bernoulli(0.5)),
    "geometric": (lambda: r.geometric(KEY, 0.2, S), stats.geom(0.2)),
    **{
        f"poisson-{rate}": (lambda rate=rate: r.poisson(KEY, rate, S), stats.poisson(rate))
        for rate in (0.3, 5.0, 9.999, 10.0, 150.0, 3e5)
    },
    **{
        f"binomial-{n}-{p}": (lambda n=n, p=p: r.binomial(KEY, n, p, S), stats.binom(n, p))
        for n, p in ((5, 0.3), (40, 0.75), (30, 0.5), (1000, 0.3), (10**6, 0.9))
    },
    "negative_binomial": (lambda: r.negative_binomial(KEY, 4, 0.3, S), stats.nbinom(4, 0.3)),
    "hypergeometric": (
        lambda: r.hypergeometric(KEY, 20, 30, 12, S),
        stats.hypergeom(50, 20, 12),
    ),
    "hypergeometric-most": (
        lambda: r.hypergeometric(KEY, 20, 30, 41, S),
        stats.hypergeom(50, 20, 41),
    ),
    "categorical": (
        lambda: r.categorical(KEY, np.log([1.0, 2.0, 3.0]), shape=S),
        stats.rv_discrete(values=(range(3), np.array([1, 2, 3]) / 6)),
    ),
    "choice": (
        lambda: r.choice(KEY, 3, S, p=np.array([1.0, 2.0, 3.0]) / 6),
        stats.rv_discrete(values=(range(3), np.array([1, 2, 3]) / 6)),
    ),
    "multinomial": (
        lambda: r.multinomial(KEY, 9, np.array([0.2, 0.3, 0.5]), shape=(N, 3))[:, 1],
        stats.binom(9, 0.3),
    ),
}


@pytest.mark.parametrize("name", COUNTS)
def test_counts(name: str) -> None:
    draw, distribution = COUNTS[name]
    x = np.asarray(draw(), np.int64)
    # Cells between quantiles, about twenty.
    edges = np.unique(distribution.ppf(np.linspace(0.03, 0.97, 20)))
    chances = np.diff(np.concatenate([[0], distribution.cdf(edges), [1]]))
    counts = np.bincount(np.searchsorted(edges, x), minlength=len(chances))
    keep = chances > 0
    assert counts[~keep].sum() == 0
    assert stats.chisquare(counts[keep], N * chances[keep]).pvalue > 1e-4


def test_orders_are_equally_likely() -> None:
    for draw in (
        lambda k: r.permutation(k, 4),
        lambda k: r.permutation(k, np.arange(4)),
        lambda k: r.choice(k, 4, (4,), replace=False),
        lambda k: r.choice(k, 4, (4,), replace=False, p=np.full(4, 0.25)),
        lambda k: r.categorical(k, np.zeros(4), shape=(4,), replace=False),
        lambda k: r.permutation(k, np.arange(8).reshape(4, 2), independent=True)[:, 1] // 2,
    ):
        orders = ft.vmap(draw)(r.split(KEY, 2400))
        codes = orders @ np.array([1, 4, 16, 64])
        found, counts = np.unique(codes, return_counts=True)
        assert len(found) == 24 and stats.chisquare(counts).pvalue > 1e-4


def test_draws_without_replacement_follow_their_chances() -> None:
    """The first two of successive draws without putting back (Plackett and Luce)."""
    chances = np.array([0.1, 0.2, 0.3, 0.4])
    pairs = ft.vmap(lambda k: r.choice(k, 4, (2,), False, chances))(r.split(KEY, N))
    want = np.array(
        [[a * b / (1 - a) * (i != j) for j, b in enumerate(chances)] for i, a in enumerate(chances)]
    )
    counts = np.zeros((4, 4))
    np.add.at(counts, tuple(pairs.T), 1)
    assert np.trace(counts) == 0
    off = ~np.eye(4, dtype=bool)
    assert stats.chisquare(counts[off], N * want[off]).pvalue > 1e-4


def test_moments_of_vectors() -> None:
    covariance = np.array([[2.0, 0.5, 0.0], [0.5, 1.0, -0.3], [0.0, -0.3, 0.7]])
    for method in ("cholesky", "eigh", "svd"):
        x = r.multivariate_normal(KEY, np.zeros(3), covariance, (20_000,), method=method)
        np.testing.assert_allclose(np.cov(x.T), covariance, atol=0.06)
    alpha = np.array([[0.5, 1.0, 2.0], [3.0, 0.2, 0.1]])
    x = r.dirichlet(KEY, alpha, (20_000, 2))
    np.testing.assert_allclose(x.sum(-1), 1, rtol=1e-12)
    np.testing.assert_allclose(x.mean(0), alpha / alpha.sum(-1, keepdims=True), atol=0.01)
    q = r.orthogonal(KEY, 3, (4,), m=5)
    np.testing.assert_allclose(
        q @ np.swapaxes(q, -1, -2), np.broadcast_to(np.eye(3), (4, 3, 3)), atol=1e-14
    )
    n = np.array([7, 20])
    x = r.multinomial(KEY, n, np.array([0.2, 0.3, 0.5]), shape=(50, 2, 3))
    np.testing.assert_array_equal(x.sum(-1), np.broadcast_to(n, (50, 2)))
    assert np.all(np.sum(np.abs(r.ball(KEY, 4, 1.0, (500,))), axis=-1) <= 1)
