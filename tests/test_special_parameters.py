"""Derivatives of special functions by orders and shapes, which SciPy has no kernels for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import mpmath as mp
import numpy as np
import pytest
import scipy.special as sc
from hypothesis import given, settings

import functorch_like as ft
import functorch_like.scipy.special as special
from functorch_like.kernels.special import bessel, incomplete
from functorch_like.kernels.special.carlson import carlson_integral
from functorch_like.kernels.special.kolmogorov import kolmogorov_derivative
from functorch_like.kernels.special.zeta import complex_polygamma, zeta_derivative


def derivative(f: Callable, at: float, order: int) -> Any:
    """By differences in so many digits that they are exact."""
    with mp.workdps(50):
        return mp.diff(f, mp.mpf(at), order, h=abs(mp.mpf(at) or 1) * mp.mpf(10) ** -12)


# --- incomplete gamma ------------------------------------------------------------------------

# The tail that does not cancel, so that the reference keeps its digits.


def gamma_reference(a: float, x: float, order: int) -> Any:
    if x < a:
        return derivative(lambda v: mp.gammainc(v, 0, x, regularized=True), a, order)
    return -derivative(lambda v: mp.gammainc(v, x, mp.inf, regularized=True), a, order)


@pytest.mark.parametrize("a", [1e-3, 0.1, 1.0, 2.5, 33.3, 300.0, 1e4])
def test_gammainc_by_shape(a: float) -> None:
    ratios = [1e-3, 0.3, 0.8, 0.97, 1.0, 1.03, 1.3, 3.0]
    for x in [a * r for r in ratios] + [1e-3, 1.4, 1.6]:
        want = gamma_reference(a, x, 1)
        if abs(want) < 1e-290:
            continue
        # by the public ufunc, in the lower and in the upper function
        got = ft.grad(sc.gammainc)(a, x)
        np.testing.assert_allclose(got, float(want), rtol=1e-11, err_msg=f"x={x}")
        np.testing.assert_allclose(ft.grad(sc.gammaincc)(a, x), -got, rtol=1e-15)


def test_gammainc_by_shape_twice() -> None:
    for a, x in [(0.1, 0.02), (2.5, 1.0), (2.5, 7.0), (33.3, 25.0), (300.0, 330.0)]:
        got = ft.grad(ft.grad(sc.gammainc))(a, x)
        np.testing.assert_allclose(got, float(gamma_reference(a, x, 2)), rtol=1e-10)
        third = ft.grad(ft.grad(ft.grad(sc.gammainc)))(a, x)
        np.testing.assert_allclose(third, float(gamma_reference(a, x, 3)), rtol=1e-9)


def test_densities_at_small_arguments() -> None:
    for a, x in [(2.5, 1e-10), (0.3, 1e-200), (40.0, 1e-5)]:
        with mp.workdps(30):
            want = mp.mpf(x) ** (mp.mpf(a) - 1) * mp.exp(-mp.mpf(x)) / mp.gamma(mp.mpf(a))
        got = ft.grad(sc.gammainc, argnums=1)(a, x)
        np.testing.assert_allclose(got, float(want), rtol=1e-12)
        with mp.workdps(30):
            want = mp.mpf(x) ** (mp.mpf(a) - 1) * mp.sqrt(1 - mp.mpf(x)) / mp.beta(mp.mpf(a), 1.5)
        got = ft.grad(sc.betainc, argnums=2)(a, 1.5, x)
        np.testing.assert_allclose(got, float(want), rtol=1e-12)


def test_gammainc_at_the_ends() -> None:
    x = np.array([0.0, np.inf])
    np.testing.assert_array_equal(incomplete.gammainc_derivative(1, 2.0, x), [0.0, 0.0])
    assert np.isnan(incomplete.gammainc_derivative(1, -1.0, 2.0))
    assert np.isnan(incomplete.gammainc_derivative(1, 1.0, np.nan))
    assert ft.grad(sc.gammainc, argnums=1)(1.0, 0.0) == 1.0
    assert ft.grad(sc.gammainc, argnums=1)(0.5, 0.0) == np.inf
    assert ft.grad(sc.gammainc, argnums=1)(2.0, 0.0) == 0.0
    second = ft.grad(ft.grad(sc.gammainc, argnums=1), argnums=1)
    assert second(2.0, 0.0) == pytest.approx(1.0)  # x exp(-x)
    assert second(1.0, 0.0) == pytest.approx(-1.0)


@settings(max_examples=30, deadline=None)
@given(st.floats(0.05, 200), st.floats(0.01, 0.99))
def test_inverses_of_gamma_undo_it(a: float, p: float) -> None:
    def back(a: Any, p: Any) -> Any:
        return sc.gammainc(a, sc.gammaincinv(a, p))

    by_a, by_p = ft.grad(back, argnums=(0, 1))(np.float64(a), np.float64(p))
    scale = max(1.0, abs(float(ft.grad(sc.gammainc)(a, sc.gammaincinv(a, p)))))
    assert abs(by_a) < 1e-9 * scale and by_p == pytest.approx(1.0, rel=1e-9)


# --- incomplete beta -------------------------------------------------------------------------


def beta_reference(a: float, b: float, x: float, which: int) -> float:
    with mp.workdps(50):
        a_, b_, x_ = map(mp.mpf, (a, b, x))

        def lower(p: Any, q: Any, z: Any) -> Any:  # DLMF 8.17.8: positive terms
            whole = z**p * (1 - z) ** q / (p * mp.beta(p, q))
            return whole * mp.hyp2f1(p + q, 1, p + 1, z)

        below = x < a / (a + b)

        def f(p: Any, q: Any) -> Any:
            return lower(p, q, x_) if below else -lower(q, p, 1 - x_)

        h = mp.mpf(10) ** -12
        if which == 0:
            return float((f(a_ + a_ * h, b_) - f(a_ - a_ * h, b_)) / (2 * a_ * h))
        return float((f(a_, b_ + b_ * h) - f(a_, b_ - b_ * h)) / (2 * b_ * h))


@pytest.mark.parametrize("a", [1e-3, 0.3, 2.5, 300.0, 1e4])
def test_betainc_by_shapes(a: float) -> None:
    for b in (1e-3, 1.0, 20.0, 1e4):
        mean = a / (a + b)
        spread = np.sqrt(mean * (1 - mean) / (a + b + 1))
        for x in (1e-3, 0.5, 0.999, mean - 2 * spread, mean + 3 * spread):
            if not 0 < x < 1:
                continue
            x = float(x)
            for which in (0, 1):
                want = beta_reference(a, b, x, which)
                if abs(want) > 1e-290:
                    got = ft.grad(sc.betainc, argnums=which)(a, b, x)
                    np.testing.assert_allclose(got, want, rtol=1e-10, err_msg=f"{a} {b} {x}")


@settings(max_examples=20, deadline=None)
@given(st.floats(0.2, 60), st.floats(0.2, 60), st.floats(0.02, 0.98))
def test_inverses_of_beta_undo_it(a: float, b: float, p: float) -> None:
    def back(a: Any, b: Any, p: Any) -> Any:
        return sc.betainc(a, b, sc.betaincinv(a, b, p))

    slopes = ft.grad(back, argnums=(0, 1, 2))(*map(np.float64, (a, b, p)))
    np.testing.assert_allclose(slopes, [0.0, 0.0, 1.0], atol=1e-8)


# --- Bessel functions by the order -----------------------------------------------------------


BESSEL: dict[str, tuple[Callable, Callable]] = {
    "jv": (bessel.jv_derivative, mp.besselj),
    "yv": (bessel.yv_derivative, mp.bessely),
    "ive": (bessel.ive_derivative, lambda v, x: mp.besseli(v, x) * mp.exp(-x)),
    "kve": (bessel.kve_derivative, lambda v, x: mp.besselk(v, x) * mp.exp(x)),
}


@pytest.mark.parametrize("name", BESSEL)
def test_bessel_by_order(name: str) -> None:
    kernel, exact = BESSEL[name]
    for order in (1, 2):
        for v in (-2.5, 0.3, 2.5, 30.2) if order == 1 else (2.5,):
            for x in (1e-3, 1.0, 20.0, 45.0, 1e3):
                want = float(derivative(lambda u: exact(u, mp.mpf(x)), v, order))  # noqa: B023
                if not 1e-290 < abs(want) < 1e290:
                    continue
                # J and Y oscillate: their errors are in units of the wave's height.
                wave = np.sqrt(2 / np.pi / x) if name in ("jv", "yv") and x > abs(v) else 0.0
                got = kernel(order, v, x)
                np.testing.assert_allclose(got, want, rtol=1e-11, atol=1e-10 * wave)


def test_bessel_by_order_of_many_at_once() -> None:
    rng = np.random.default_rng(0)
    v, x = rng.uniform(0, 20, (7, 1)), rng.uniform(0.1, 90, 9)
    for name, (kernel, _) in BESSEL.items():
        np.testing.assert_allclose(kernel(0, v, x), getattr(sc, name)(v, x), rtol=1e-9, atol=1e-12)
        together = kernel(1, v, x)
        np.testing.assert_allclose(together[3, 4], kernel(1, v[3, 0], x[4]), rtol=1e-13)
    assert bessel.jv_derivative(1, np.zeros((0, 3)), 1.0).shape == (0, 3)
    assert np.isnan(bessel.jv_derivative(1, 1.0, -1.0))
    assert bessel.jv_derivative(1, 1.0, 0.0) == 0.0


def test_bessel_far_out_is_an_error_or_right() -> None:
    with pytest.raises(ValueError, match="differentiate by the argument only"):
        ft.grad(sc.jv)(1e4, 1e7)
    assert abs(ft.grad(sc.jv)(3.0, 1e7)) < 1e-3


# --- zeta ------------------------------------------------------------------------------------


def test_zeta_by_exponent() -> None:
    for order in (1, 2):
        for s in (-30.3, -8.0, -2.3, -0.5, 0.0, 0.999, 1.5, 3.0, 40.0):
            with mp.workdps(30):
                want = float(mp.zeta(mp.mpf(s), 1, order))
            np.testing.assert_allclose(zeta_derivative(order, s, 1.0), want, rtol=1e-12)
    for s, q in [(1.001, 0.3), (3.0, 1e-3), (1.5, 1e3), (10.0, 2.5)]:
        with mp.workdps(30):
            want = float(mp.zeta(mp.mpf(s), mp.mpf(q), 1))
        np.testing.assert_allclose(ft.grad(special.zeta)(s, q), want, rtol=1e-12)


def test_complex_polygamma() -> None:
    z = np.array([0.3 + 0.4j, -5.5 + 1e-3j, 20 - 3j])
    for n in (1, 2, 5):
        want = [complex(mp.polygamma(n, mp.mpc(w))) for w in z]
        np.testing.assert_allclose(complex_polygamma(n, z), want, rtol=1e-11)


# --- elliptic integrals, Kolmogorov ----------------------------------------------------------


def test_carlson_integrals_over_twelve_decades() -> None:
    x, y, z, w = 10 ** np.random.default_rng(0).uniform(-6, 6, (4, 50))
    np.testing.assert_allclose(
        0.5 * carlson_integral(0, 1, 1, 1, 0, x, y, z, 1.0), sc.elliprf(x, y, z), rtol=1e-13
    )
    np.testing.assert_allclose(
        1.5 * carlson_integral(0, 1, 1, 1, 2, x, y, z, w), sc.elliprj(x, y, z, w), rtol=1e-12
    )
    np.testing.assert_allclose(
        0.5 * carlson_integral(0, 1, 1, 1, 0, x, y, 0.0, 1.0), sc.elliprf(x, y, 0.0), rtol=1e-13
    )
    assert carlson_integral(0, 3, 1, 1, 0, 0.0, 1.0, 1.0, 1.0) == np.inf
    assert np.isnan(carlson_integral(0, 1, 1, 1, 0, -1.0, 1.0, 1.0, 1.0))


def test_jacobi_functions_by_the_parameter() -> None:
    for u, m in [(0.7, 0.3), (5.0, 0.9), (-2.0, 1e-8)]:
        for k, kind in enumerate(("sn", "cn", "dn")):
            with mp.workdps(40):
                want = derivative(lambda v: mp.ellipfun(kind, mp.mpf(u), m=v), m, 1)  # noqa: B023
            got = ft.grad(lambda m: sc.ellipj(u, m)[k])(m)  # noqa: B023
            np.testing.assert_allclose(got, float(want), rtol=1e-9)


def test_kolmogorov() -> None:
    def exact(x: Any) -> Any:
        return 2 * mp.nsum(lambda k: (-1) ** (k - 1) * mp.exp(-2 * (k * x) ** 2), [1, 40])

    for x in (0.3, 0.79, 0.81, 2.0):
        for order in (1, 2):
            want = float(derivative(exact, x, order))
            np.testing.assert_allclose(kolmogorov_derivative(order, x), want, rtol=1e-8)
    assert ft.grad(sc.kolmogorov)(0.0) == 0.0
    slope = ft.grad(lambda p: sc.kolmogorov(sc.kolmogi(p)))(0.3)
    assert slope == pytest.approx(1.0)


# --- distributions ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("forward", "inverse", "operands", "at"),
    [
        ("chdtr", "chdtriv", (3.5, 2.0), 0),
        ("fdtr", "fdtri", (3.5, 6.0, 1.3), 2),
        ("stdtr", "stdtrit", (3.5, 1.3), 1),
        ("gdtr", "gdtrib", (0.7, 2.5, 3.0), 1),
        ("bdtr", "bdtrik", (3.0, 8, 0.4), 0),
    ],
)
def test_inverses_undo(forward: str, inverse: str, operands: tuple, at: int) -> None:
    f, g = getattr(sc, forward), getattr(sc, inverse)
    p = f(*operands)
    solved = (*operands[:at], p, *operands[at + 1 :])
    np.testing.assert_allclose(g(*solved), operands[at], rtol=1e-6)
    slope = ft.grad(g, argnums=at)(*map(np.float64, solved))
    if forward != "bdtr":  # which jumps
        back = ft.grad(f, argnums=at)(*map(np.float64, operands))
        np.testing.assert_allclose(slope * back, 1.0, rtol=1e-6)
    assert np.isfinite(slope)


def test_student_at_the_centre_and_far_out() -> None:
    # d/d(df) of the density at 0
    h = 1e-5
    density = [ft.grad(sc.stdtr, argnums=1)(3.0 + e, 0.0) for e in (h, -h)]
    mixed = ft.grad(ft.grad(sc.stdtr), argnums=1)(3.0, 0.0)
    assert mixed == pytest.approx((density[0] - density[1]) / (2 * h), rel=1e-7)
    assert ft.grad(ft.grad(sc.stdtr))(3.0, 0.0) == pytest.approx(0.0, abs=1e-12)
    # tails: of Student's with two degrees of freedom in closed form at any t
    slopes = [ft.grad(sc.stdtr)(3.0, t) for t in (-0.999999, -1.000001)]
    assert slopes[0] == pytest.approx(slopes[1], rel=1e-5)
    assert ft.grad(sc.stdtr)(3.0, -1e5) < 0


def test_noncentral_at_the_central_ones() -> None:
    for nc in (0.0, 1e-12, 0.3, 0.31, 40.0):
        x, df = 3.3, 2.6
        pdf = ft.grad(sc.chndtr)(x, df, nc)
        h = 1e-4
        want = (sc.chndtr(x + h, df, nc) - sc.chndtr(x - h, df, nc)) / (2 * h)
        assert pdf == pytest.approx(want, rel=1e-6)
        by_nc = ft.grad(sc.chndtr, argnums=2)(x, df, nc)
        assert by_nc == pytest.approx((sc.chndtr(x, df + 2, nc) - sc.chndtr(x, df, nc)) / 2)
        assert np.isfinite(ft.grad(ft.grad(sc.chndtr, argnums=2), argnums=2)(x, df, nc))
    assert ft.grad(sc.fdtr, argnums=2)(2.0, 5.0, 0.0) == pytest.approx(1.0)


shapes = st.sampled_from([(), (0,), (3,), (2, 3), (2, 1), (1, 3)])


@settings(max_examples=40, deadline=None)
@given(shapes, shapes, st.sampled_from(["f4", "f8"]), st.booleans(), st.integers(0, 9))
def test_kernels_take_any_layout(
    first: tuple, second: tuple, dtype: str, reverse: bool, seed: int
) -> None:
    try:
        shape = np.broadcast_shapes(first, second)
    except ValueError:
        return
    rng = np.random.default_rng(seed)
    a, x = (rng.uniform(0.5, 4, s).astype(dtype) for s in (first, second))
    if reverse and a.ndim:
        a = a[::-1]
    for kernel in (incomplete.gammainc_derivative, bessel.kve_derivative):
        got = kernel(1, a, x)
        assert got.shape == shape and got.dtype == dtype
        full = [np.broadcast_to(v, shape).astype(float) for v in (a, x)]
        want = [kernel(1, float(p), float(q)) for p, q in zip(*(v.ravel() for v in full))]  # noqa: B905
        tolerance = 1e-6 if dtype == "f4" else 1e-12
        np.testing.assert_allclose(got, np.reshape(want, shape), rtol=tolerance)
    np.testing.assert_array_equal(
        incomplete.gammainc_derivative(np.array([0, 1, 2]), 2.0, 3.0),
        [incomplete.gammainc_derivative(n, 2.0, 3.0) for n in range(3)],
    )


def test_transforms_and_jit() -> None:
    a, x = np.array([0.4, 3.0, 20.0]), np.array([0.5, 2.0, 22.0])

    def f(a: Any, x: Any) -> Any:
        return np.sum(sc.gammainc(a, x) * sc.jv(a, x) + sc.betainc(a, 2.0, 0.3))

    eager = ft.grad(f, argnums=(0, 1))(a, x)
    compiled = ft.jit(ft.grad(f, argnums=(0, 1)))(a, x)
    np.testing.assert_allclose(compiled, eager, rtol=1e-13)
    lanes = ft.vmap(ft.grad(f))(a, x)
    np.testing.assert_allclose(lanes, [ft.grad(f)(p, q) for p, q in zip(a, x, strict=True)])
    curved = ft.hessian(f)(a, x)
    np.testing.assert_allclose(curved, np.diag(np.diag(curved)), atol=1e-12)


def test_float32_stays() -> None:
    a, x = np.float32([0.4, 3.0]), np.float32([0.5, 2.0])
    for f in (sc.gammainc, sc.jv, sc.kve, sc.beta):
        value, pull = ft.vjp(f, a, x)
        assert value.dtype == pull(value)[0].dtype == pull(value)[1].dtype == np.float32


# --- values of the Python functions on plain arrays ------------------------------------------


def test_plain_arrays_go_to_scipy() -> None:
    assert special.erf is sc.erf
    np.testing.assert_array_equal(special.lqn(2, 0.3), sc.lqn(2, 0.3))
    assert special.comb(5, 2, exact=True) == 10
    with pytest.raises(TypeError, match="exact=False"):
        ft.grad(lambda n: special.comb(n, 2, exact=True))(5.0)
    with pytest.raises(TypeError, match="expected an integer degree n"):
        ft.grad(lambda n: np.real(special.sph_harm_y(n, 1, 0.3, 0.4)))(2.0)
    with pytest.raises(TypeError, match="diff_n"):
        ft.grad(lambda t: special.sph_legendre_p(2, 1, t, diff_n=1)[0])(0.4)


def test_spherical_harmonics_at_the_pole() -> None:
    # sqrt(3 / 8 pi) sin(theta) exp(i phi), with the sign of Condon and Shortley
    slope = ft.grad(lambda t: np.real(special.sph_harm_y(1, 1, t, 0.0)))(0.0)
    assert slope == pytest.approx(-np.sqrt(3 / (8 * np.pi)))
    for n, m in [(3, -3), (4, 2), (5, 0), (2, 3)]:
        value, _ = ft.jvp(lambda t: special.sph_harm_y(n, m, t, 0.7), (0.4,), (1.0,))  # noqa: B023
        np.testing.assert_allclose(value, sc.sph_harm_y(n, m, 0.4, 0.7), atol=1e-14)
