"""Integrals against closed forms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import scipy.integrate

import functorch_like as ft
from functorch_like.scipy import integrate


@pytest.mark.parametrize(
    ("f", "slope", "curvature"),
    [
        # int_0^inf exp(-k x) dx = 1 / k
        (lambda k: integrate.quad(lambda x: np.exp(-k * x), 0, np.inf)[0],
         lambda k: -1 / k**2, lambda k: 2 / k**3),
        # int exp(-k x^2) dx = sqrt(pi / k)
        (lambda k: integrate.quad(lambda x: np.exp(-k * x * x), -np.inf, np.inf)[0],
         lambda k: -math.sqrt(math.pi) / 2 * k**-1.5,
         lambda k: 0.75 * math.sqrt(math.pi) * k**-2.5),
        # int_0^1 x^(k - 1) dx = 1 / k, singular at 0
        (lambda k: integrate.quad(lambda x: x ** (k - 1), 0, 1)[0],
         lambda k: -1 / k**2, lambda k: 2 / k**3),
        # the limits: int_{-k}^{k^2} x dx
        (lambda k: integrate.quad(lambda x: x, -k, k * k)[0],
         lambda k: 2 * k**3 - k, lambda k: 6 * k * k - 1),
        # int_{-inf}^k exp(x) dx
        (lambda k: integrate.quad(np.exp, -np.inf, k)[0], math.exp, math.exp),
    ],
)  # fmt: skip
@pytest.mark.parametrize("k", [0.6, 1.7])
def test_closed_forms(f, slope, curvature, k: float) -> None:
    if f(k) is None:
        pytest.fail("no value")
    np.testing.assert_allclose(ft.grad(f)(k), slope(k), rtol=1e-7)
    np.testing.assert_allclose(ft.jvp(f, (k,), (1.0,))[1], slope(k), rtol=1e-7)
    np.testing.assert_allclose(ft.grad(ft.grad(f))(k), curvature(k), rtol=1e-5)


def test_value_is_scipys_to_the_bit() -> None:
    value, _ = ft.jvp(lambda k: integrate.quad(lambda x: np.sqrt(x) * k, 0, 1)[0], (2.0,), (1.0,))
    assert value == scipy.integrate.quad(lambda x: np.sqrt(x) * 2.0, 0, 1)[0]
    assert integrate.quad(math.sin, 0, 1) == scipy.integrate.quad(math.sin, 0, 1)
    got = ft.jvp(lambda k: k * integrate.quad(math.sin, 0, 1)[0], (1.0,), (1.0,))[1]
    assert got == scipy.integrate.quad(math.sin, 0, 1)[0]


def test_kronrod_rule() -> None:
    x, w = map(np.array, integrate.adaptive.kronrod())
    # Exact to degree 3 n + 1 = 31.
    for degree in range(0, 32, 2):
        np.testing.assert_allclose(np.sum(w * x**degree), 2 / (degree + 1), rtol=1e-13)
    # QUADPACK's largest node and its weight (Piessens and others, 1983).
    np.testing.assert_allclose(x[-1], 0.995657163025808080735527280689003, rtol=1e-14)
    np.testing.assert_allclose(w[-1], 0.011694638867371874278064396062192, rtol=1e-11)


def test_several_dimensions() -> None:
    # int_0^k int_0^1 x y^2 dy dx = k^2 / 6
    f = lambda k: integrate.dblquad(lambda y, x: x * y * y, 0, k, 0, 1)[0]
    np.testing.assert_allclose(ft.grad(f)(1.5), 0.5, rtol=1e-10)


def test_refusals() -> None:
    quad = integrate.quad
    with pytest.raises(TypeError, match="no weight"):
        ft.vmap(lambda k: quad(lambda x: x * k, 0, 1, points=[0.5])[0])(np.ones(2))
    with pytest.raises(TypeError, match="values that are known in an integral over several"):
        ft.jit(lambda k: integrate.dblquad(lambda y, x: x * k, 0, 1, 0, 1)[0])(1.0)
    with pytest.raises(TypeError, match="quad_vec: expected no points"):
        ft.grad(lambda k: integrate.quad_vec(lambda x: x * k, 0, 1, full_output=True)[0])(1.0)
    with pytest.raises(TypeError, match="no weight"):
        ft.grad(lambda k: quad(lambda x: x * k, 0, 1, weight="cos", wvar=2.0)[0])(1.0)
    with pytest.raises(TypeError, match="ode: its steps are chosen"):
        ft.grad(lambda k: integrate.ode(k))(1.0)


COMPILED = [
    (lambda k: integrate.quad(lambda x: np.exp(-k * x), 0, np.inf)[0], lambda k: 1 / k),
    (lambda k: integrate.quad(lambda x: np.sqrt(x) * k, 0, k)[0], lambda k: 2 / 3 * k**2.5),
    (lambda k: integrate.quad(lambda x: k / (k * k + x * x), -np.inf, np.inf)[0], lambda k: np.pi),
    (lambda k: integrate.quad(lambda x: np.exp(k * x), k, -np.inf)[0],
     lambda k: -np.exp(k * k) / k),
]  # fmt: skip


@pytest.mark.parametrize(("f", "exact"), COMPILED)
def test_quad_compiled_and_batched(f: Any, exact: Any) -> None:
    """Where values are not known, the division is made in a loop."""
    ks = np.array([0.7, 1.9])
    np.testing.assert_allclose(ft.vmap(f)(ks), [exact(k) for k in ks], rtol=1e-8)
    np.testing.assert_allclose(ft.jit(f)(1.9), exact(1.9), rtol=1e-8)


def test_quad_compiled_derivatives() -> None:
    f, exact = COMPILED[1]
    both = lambda f: lambda k: (ft.grad(f)(k), ft.grad(ft.grad(f))(k))
    np.testing.assert_allclose(ft.jit(both(f))(1.9), both(exact)(1.9), rtol=1e-7)
    np.testing.assert_allclose(both(f)(1.9), both(exact)(1.9), rtol=1e-7)
    double = lambda k: integrate.dblquad(lambda y, x: x * y * y, 0, k, 0, lambda x: x)[0]
    np.testing.assert_allclose(ft.grad(double)(1.5), 1.5**4 / 3, rtol=1e-9)


def test_quad_vec() -> None:
    powers = np.arange(4)
    f = lambda b: integrate.quad_vec(lambda x: x**powers * b, 0.0, b)[0]
    exact = lambda b: b ** (powers + 2) / (powers + 1)
    for transform in (lambda f: f, ft.jacfwd, ft.jacrev, lambda f: ft.jacfwd(ft.jacrev(f))):
        np.testing.assert_allclose(transform(f)(1.3), transform(exact)(1.3), rtol=1e-10)
    np.testing.assert_allclose(ft.jit(ft.jacrev(f))(1.3), ft.jacrev(exact)(1.3), rtol=1e-10)
    kink = lambda c: integrate.quad_vec(lambda x: np.abs(x - c) * np.ones(2), 0.0, 1.0)[0]
    np.testing.assert_allclose(ft.jacfwd(kink)(0.3), [-0.4, -0.4], rtol=1e-4)


def test_samples_compiled() -> None:
    y, x = np.random.default_rng(0).normal(size=(3, 6)), np.linspace(0, 1, 6) ** 2
    for name in ("trapezoid", "simpson", "cumulative_simpson"):
        f = lambda v, n=name: np.sum(getattr(integrate, n)(v, x=x) ** 2)
        np.testing.assert_allclose(ft.jit(ft.grad(f))(y), ft.grad(f)(y), atol=1e-12)


def test_interval_of_no_length_has_the_derivatives_of_its_limits() -> None:
    f = lambda k: integrate.quad(np.cos, 0.0, k)[0]
    np.testing.assert_allclose(ft.grad(f)(0.0), 1.0)
    g = lambda k: integrate.dblquad(lambda y, x: 1.0 + 0 * x, 0, k, 0, lambda x: 2.0)[0]
    np.testing.assert_allclose(ft.grad(g)(0.0), 2.0)


def test_kinks() -> None:
    # int_0^2 |x - k| dx = (k^2 + (2 - k)^2) / 2
    f = lambda k: integrate.quad(lambda x: np.abs(x - k), 0, 2)[0]
    np.testing.assert_allclose(ft.grad(f)(1.3), 0.6, rtol=1e-6)
    # A kink that stays: int_0^k |x - c| dx, twice: sign(k - c)
    g = lambda k: integrate.quad(lambda x: np.abs(x - 0.3), 0, k, points=[0.3])[0]
    np.testing.assert_allclose(ft.grad(g)(1.3), 1.0, rtol=1e-9)
    np.testing.assert_allclose(ft.grad(ft.grad(g))(1.3), 1.0, rtol=1e-9)


def test_integrand_that_branches_in_python() -> None:
    # int_0^1 (k x for x < 1/2, else k^2) dx = k / 8 + k^2 / 2
    f = lambda k: integrate.quad(lambda x: k * x if x < 0.5 else k * k, 0, 1, points=[0.5])[0]
    np.testing.assert_allclose(ft.grad(f)(1.3), 0.125 + 1.3, rtol=1e-9)
    g = lambda k: integrate.nquad(lambda x, y: k * x * y if y < 5 else 0.0, [[0, 1], [0, k]])[0]
    np.testing.assert_allclose(ft.grad(g)(1.3), 0.75 * 1.3**2, rtol=1e-9)


NESTED = [
    # int_0^k int_0^1 int_0^1 (k y + z) = k^2 / 2 + k / 2
    (lambda k: integrate.tplquad(lambda z, y, x: k * y + z, 0, k, 0, 1, 0, 1)[0],
     lambda k: k + 0.5, lambda k: 1.0),
    # over the triangle 0 < y < k x, 0 < x < 1: int k y = k^3 / 6
    (lambda k: integrate.dblquad(lambda y, x: k * y, 0, 1, 0, lambda x: k * x)[0],
     lambda k: k * k / 2, lambda k: k),
    # int over the plane of exp(-k (x^2 + y^2)) = pi / k
    (lambda k: integrate.dblquad(lambda y, x: np.exp(-k * (x * x + y * y)),
                                 -np.inf, np.inf, -np.inf, np.inf)[0],
     lambda k: -np.pi / k**2, lambda k: 2 * np.pi / k**3),
    # int_k^inf exp(-x) dx int_1^0 y dy = -exp(-k) / 2, backwards and with infinity first
    (lambda k: integrate.nquad(lambda x, y: y * np.exp(-x), [[np.inf, k], [1, 0]])[0],
     lambda k: -np.exp(-k) / 2, lambda k: np.exp(-k) / 2),
    # singular at an end, where one sum is not enough: int_0^1 int_0^1 k^2 / sqrt(y) = 2 k^2
    (lambda k: integrate.dblquad(lambda y, x: k * k / np.sqrt(y), 0, 1, 0, 1)[0],
     lambda k: 4 * k, lambda k: 4.0),
]  # fmt: skip


@pytest.mark.parametrize(("f", "slope", "curvature"), NESTED)
def test_nested_integrals(f: Any, slope: Any, curvature: Any) -> None:
    np.testing.assert_allclose(ft.grad(f)(1.3), slope(1.3), rtol=1e-7)
    np.testing.assert_allclose(ft.jacfwd(f)(1.3), slope(1.3), rtol=1e-7)
    np.testing.assert_allclose(ft.grad(ft.grad(f))(1.3), curvature(1.3), rtol=1e-6)


def test_integral_of_integrals_written_by_hand() -> None:
    inner = lambda x, k: integrate.quad(lambda y: k * x * y, 0, x)[0]
    f = lambda k: integrate.quad(lambda x: inner(x, k), 0, k)[0]  # k^5 / 8
    np.testing.assert_allclose(ft.grad(f)(1.3), 0.625 * 1.3**4, rtol=1e-8)
    np.testing.assert_allclose(ft.jacfwd(f)(1.3), 0.625 * 1.3**4, rtol=1e-8)


def test_complex_integrand() -> None:
    # int_0^1 exp(i k x) dx = (exp(i k) - 1) / (i k)
    f = lambda k: integrate.quad(lambda x: np.exp(1j * k * x), 0, 1, complex_func=True)[0]
    exact = lambda k: (np.exp(1j * k) - 1) / (1j * k)
    value, slope = ft.jvp(f, (1.3,), (1.0,))
    np.testing.assert_allclose(value, exact(1.3), rtol=1e-12)
    np.testing.assert_allclose(slope, (exact(1.3001) - exact(1.2999)) / 2e-4, rtol=1e-7)


def test_integrals_that_are_none() -> None:
    quad = integrate.quad
    with pytest.raises(TypeError, match=r"complex128 of shape .*use complex_func"):
        ft.grad(lambda k: quad(lambda x: k * x * 1j, 0, 1)[0])(1.0)
    with pytest.raises(TypeError, match=r"float64 of shape \(2,\).*use quad_vec"):
        ft.grad(lambda k: quad(lambda x: k * np.ones(2), 0, 1)[0])(1.0)
    # SciPy's warnings, as without a trace
    with pytest.warns(scipy.integrate.IntegrationWarning):
        ft.grad(lambda k: quad(lambda x: k / x, 0, 1)[0])(1.0)
    with (
        pytest.warns(scipy.integrate.IntegrationWarning),
        pytest.raises(ValueError, match="finite; got nan"),
    ):
        ft.grad(lambda k: quad(lambda x: k * np.nan, 0, 1)[0])(1.0)
