"""SciPy's solvers of ``functorch_like.optimize`` under derivatives: their solutions' own."""

import numpy as np
import pytest
import scipy.optimize

import functorch_like as ft
from functorch_like import optimize

A = np.array([1.0, 2.0])


def bowl(x, a):
    return np.sum((x - a) ** 2) + np.sum(x) ** 2


BOWL = np.linalg.inv(np.eye(2) + np.ones((2, 2)))  # dx/da


@pytest.mark.parametrize("transform", [ft.jacrev, ft.jacfwd])
def test_minimum_in_arguments_and_closures(transform):
    by_args = lambda a: optimize.minimize(bowl, np.zeros(2), (a,)).x
    by_closure = lambda a: optimize.minimize(lambda x: bowl(x, a), np.zeros(2)).x
    np.testing.assert_allclose(transform(by_args)(A), BOWL, atol=1e-7)
    np.testing.assert_allclose(transform(by_closure)(A), BOWL, atol=1e-7)


def test_value_at_the_minimum():
    least = lambda a: optimize.minimize(bowl, np.zeros(2), (a,)).fun
    x = BOWL @ A
    np.testing.assert_allclose(ft.grad(least)(A), -2 * (x - A), atol=1e-6)
    np.testing.assert_allclose(ft.hessian(least)(A), 2 * (np.eye(2) - BOWL), atol=1e-6)


def test_bounds_and_constraints():
    f = lambda x, a: np.sum((x - a) ** 2)
    at = lambda a, **k: optimize.minimize(f, np.array([0.3, 0.3]), (a,), **k).x
    held = ft.jacobian(lambda a: at(a, bounds=[(0.0, None), (None, 1.5)]))(A)
    np.testing.assert_allclose(held, [[1, 0], [0, 0]], atol=1e-7)
    limit = lambda u: at(A, bounds=optimize.Bounds(-np.inf, u))
    np.testing.assert_allclose(
        ft.jacobian(limit)(np.array([1.5, 1.5])), [[0, 0], [0, 1]], atol=1e-7
    )
    on_line = {"type": "eq", "fun": lambda x: x[0] + x[1] - 1}
    np.testing.assert_allclose(
        ft.jacobian(lambda a: at(a, constraints=on_line))(A), [[0.5, -0.5], [-0.5, 0.5]], atol=1e-7
    )
    disc = optimize.NonlinearConstraint(lambda x: np.sum(x**2), -np.inf, 1.0)
    wanted = np.eye(2) / 5**0.5 - np.outer(A, A) / 5**1.5
    got = ft.jacobian(lambda a: at(a, constraints=disc, method="SLSQP"))(A)
    np.testing.assert_allclose(got, wanted, atol=1e-5)
    plane = optimize.LinearConstraint(np.ones((1, 2)), 1.0, 1.0)
    got = ft.jacobian(lambda a: at(a, constraints=plane, method="trust-constr"))(A)
    np.testing.assert_allclose(got, [[0.5, -0.5], [-0.5, 0.5]], atol=1e-5)


def test_least_squares_with_and_without_bounds():
    t = np.linspace(0.0, 1.0, 5)
    y = 0.4 + 0.7 * t + 0.1 * np.sin(9 * t)
    design = np.stack([np.ones(5), t], 1)
    fit = lambda y, **k: (
        optimize.least_squares(lambda p, y: p[0] + p[1] * t - y, [0.3, 0.3], args=(y,), **k).x
    )
    np.testing.assert_allclose(ft.jacobian(fit)(y), np.linalg.pinv(design), atol=1e-7)
    held = lambda y: fit(y, bounds=([-1.0, -1.0], [1.0, 0.5]))
    wanted = np.stack([np.full(5, 0.2), np.zeros(5)])
    np.testing.assert_allclose(ft.jacobian(held)(y), wanted, atol=1e-6)


def test_roots():
    cube = lambda a: optimize.root(lambda x, a: x**3 - a, np.ones(1), (a,), tol=1e-13).x[0]
    scalar = lambda a: optimize.root_scalar(lambda x: x**3 - a, bracket=(0.0, 5.0)).root
    for f in (cube, scalar):
        np.testing.assert_allclose(ft.grad(f)(8.0), 1 / 12, rtol=1e-9)
        np.testing.assert_allclose(ft.grad(ft.grad(f))(8.0), -2 / 9 * 8 ** (-5 / 3), rtol=1e-8)


def test_minimize_scalar():
    f = lambda a: optimize.minimize_scalar(lambda x: (x - a) ** 2 + np.sin(x)).x
    x = scipy.optimize.minimize_scalar(lambda x: (x - 1) ** 2 + np.sin(x)).x
    np.testing.assert_allclose(ft.grad(f)(1.0), 2 / (2 - np.sin(x)), rtol=1e-6)


def test_errors():
    with pytest.raises(TypeError, match=r"minimize: SciPy's solvers need values.*use .*lbfgs"):
        ft.jit(lambda a: optimize.minimize(bowl, np.zeros(2), (a,)).x)(A)
    with pytest.raises(TypeError, match=r"least_squares: expected loss='linear'"):
        ft.jacobian(
            lambda y: optimize.least_squares(lambda p: p - y, np.zeros(2), loss="cauchy").x
        )(A)
