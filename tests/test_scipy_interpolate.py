"""Interpolation: classes on traced data, against closed forms, SciPy and loops."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.interpolate
from hypothesis import given, settings
from hypothesis import strategies as st

import functorch_like as ft
from functorch_like.scipy import interpolate

rng = np.random.default_rng(1)
X = np.array([0.0, 0.7, 1.1, 2.0, 2.9, 3.3, 4.1, 5.0])
Y = rng.normal(size=8)


@pytest.mark.parametrize("kind", ["CubicSpline", "make_interp_spline", "KroghInterpolator"])
def test_a_cubic_is_reproduced_with_its_derivatives(kind: str) -> None:
    x = X[:4] if kind == "KroghInterpolator" else X
    data = x**3 - 2 * x

    def f(q):
        return getattr(interpolate, kind)(x, data)(q)

    q = np.array([0.4, 2.2, 4.4])
    np.testing.assert_allclose(ft.jvp(f, (q,), (np.ones(3),))[1], 3 * q**2 - 2, atol=1e-10)
    second = ft.jvp(lambda v: ft.jvp(f, (v,), (np.ones(3),))[1], (q,), (np.ones(3),))[1]
    np.testing.assert_allclose(second, 6 * q, atol=1e-9)


def test_cardinal_functions() -> None:
    """The derivative in the data is the spline through the unit vectors."""
    q = np.array([0.3, 3.0])
    for kind in ("CubicSpline", "make_interp_spline", "BarycentricInterpolator"):
        got = ft.jacrev(lambda y, k=kind: getattr(interpolate, k)(X, y)(q))(Y)
        want = getattr(scipy.interpolate, kind)(X, np.eye(8))(q)
        np.testing.assert_allclose(got, want, atol=1e-10)


def test_integral_slopes_are_values_at_the_limits() -> None:
    spline = interpolate.CubicSpline(X, Y)
    a, b = ft.grad(lambda s, t: spline.integrate(s, t), argnums=(0, 1))(0.4, 3.7)
    np.testing.assert_allclose([a, b], [-spline(0.4), spline(3.7)], rtol=1e-12)
    np.testing.assert_allclose(spline(3.7), scipy.interpolate.CubicSpline(X, Y)(3.7), rtol=1e-13)


def test_barycentric_at_a_node() -> None:
    f = np.polynomial.Polynomial([1.0, -2.0, 0.5, 0.3])
    nodes = X[:4]
    got = ft.jvp(lambda q: interpolate.BarycentricInterpolator(nodes, f(nodes))(q),
                 (nodes,), (np.ones(4),))  # fmt: skip
    np.testing.assert_allclose(got[0], f(nodes), atol=1e-12)
    np.testing.assert_allclose(got[1], f.deriv()(nodes), atol=1e-10)


@settings(deadline=None, max_examples=25)
@given(k=st.integers(1, 5), seed=st.integers(0, 99), nu=st.integers(0, 3))
def test_bsplines_of_any_degree(k, seed, nu) -> None:
    draw = np.random.default_rng(seed)
    inner = np.sort(draw.integers(1, 6, 4)).astype(float)  # knots may coincide
    t = np.concatenate([np.zeros(k + 1), inner, np.full(k + 1, 7.0)])
    c, q = draw.normal(size=(k + 5, 2)), draw.uniform(-1, 8, 6)
    want = scipy.interpolate.BSpline(t, c, k)(q, nu)
    got, _ = ft.jvp(lambda c: interpolate.BSpline(t, c, k)(q, nu), (c,), (c,))
    np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-9)


def test_outside_is_nan_where_scipy_has_nan() -> None:
    q = np.array([-0.5, 0.5, 5.5])
    for make in (
        lambda m, y: m.CubicSpline(X, y, extrapolate=False)(q),
        lambda m, y: m.PchipInterpolator(X, y, extrapolate=False)(q),
        lambda m, y: m.interp1d(X, y, bounds_error=False)(q),
    ):
        got, _ = ft.jvp(lambda y, f=make: f(interpolate, y), (Y,), (Y,))
        np.testing.assert_allclose(got, make(scipy.interpolate, Y))


def test_grids_batched_and_compiled() -> None:
    grid = (np.linspace(0, 1, 5), np.linspace(0, 2, 6))
    values, points = rng.normal(size=(5, 6)), rng.uniform(0.1, 0.9, (4, 3, 2))

    def f(p):
        return interpolate.RegularGridInterpolator(grid, values)(p).sum()

    want = np.stack([ft.grad(f)(p) for p in points])
    np.testing.assert_allclose(ft.vmap(ft.grad(f))(points), want, atol=1e-12)
    np.testing.assert_allclose(ft.jit(ft.grad(f))(points[0]), want[0], atol=1e-12)


def test_errors_are_scipys_or_say_what_to_write() -> None:
    with pytest.raises(ValueError, match="strictly increasing"):
        ft.grad(lambda y: interpolate.CubicSpline(X[::-1], y)(1.0))(Y)
    with pytest.raises(TypeError, match="LinearNDInterpolator: its points are triangulated"):
        ft.grad(lambda y: interpolate.LinearNDInterpolator(np.ones((8, 2)), y)(0, 0))(Y)
    with pytest.raises(TypeError, match="splrep: its knots are chosen"):
        ft.grad(lambda y: interpolate.splrep(X, y)[1].sum())(Y)
    assert isinstance(
        interpolate.UnivariateSpline(X, Y), scipy.interpolate.UnivariateSpline
    )  # plain data


def test_tracers_do_not_change_scipy() -> None:
    before = scipy.interpolate.CubicSpline.__call__
    ft.grad(lambda y: interpolate.CubicSpline(X, y)(1.0))(Y)
    assert scipy.interpolate.CubicSpline.__call__ is before
    assert isinstance(scipy.interpolate.CubicSpline(X, Y)(1.0), np.ndarray)
