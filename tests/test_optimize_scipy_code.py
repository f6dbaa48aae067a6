"""SciPy code moved over with the import alone: what it writes, and what it gets wrong."""

import math

import numpy as np
import pytest
import scipy.optimize

import functorch_like as ft

TIMES = np.linspace(0.0, 3.0, 12)
DATA = 2.0 * np.exp(-0.7 * TIMES) + 0.05 * np.cos(9 * TIMES)


def decay(t: np.ndarray, a: float, b: float) -> np.ndarray:
    return a * np.exp(-b * t)


def with_array(x: np.ndarray) -> float:
    return np.sum(np.array([x[0] ** 2 - 1, x[1] - 3]) ** 2)


def with_math(x: np.ndarray) -> float:
    return math.cosh(x[0] - 1) + float((x[1] - 3) ** 2)


def with_loop(x: np.ndarray) -> float:
    parts = np.zeros(2)
    for i in range(2):
        parts[i] = (x[i] - 1 - 2 * i) ** 2
    return parts.sum()


@pytest.mark.parametrize("fun", [with_array, with_math, with_loop])
def test_functions_that_cannot_be_traced_are_rewritten(fun):
    result = ft.optimize.minimize(fun, [0.5, 0.5], tol=1e-9)
    np.testing.assert_allclose(result.x, [1.0, 3.0], atol=1e-6)
    assert result.success
    assert result.notes[0].startswith("the function was rewritten from its source")
    assert fun.__name__ in result.notes[0]


def test_equations_residuals_curves_and_constraints_as_arrays():
    def equations(v):
        return np.array([v[0] ** 2 - 2.0, v[0] - v[1]])

    root = ft.optimize.root(equations, [1.0, 2.0])
    np.testing.assert_allclose(root.x, [np.sqrt(2)] * 2, rtol=1e-10)
    squares = ft.optimize.least_squares(equations, [1.0, 2.0])
    np.testing.assert_allclose(squares.x, [np.sqrt(2)] * 2, rtol=1e-8)
    number = ft.optimize.root_scalar(lambda x: math.cos(x) - x, bracket=(0, 1))
    assert number.root == pytest.approx(0.7390851332151607)

    def curve(t, a, b):
        return np.array([a * np.exp(-b * s) for s in t])

    popt, pcov = ft.optimize.curve_fit(curve, TIMES, DATA)
    expected = scipy.optimize.curve_fit(decay, TIMES, DATA, ftol=1e-14, xtol=1e-14)
    np.testing.assert_allclose(popt, expected[0], rtol=1e-6)
    np.testing.assert_allclose(pcov, expected[1], rtol=1e-4)
    assert "rewritten" in ft.optimize.curve_fit(curve, TIMES, DATA).notes[0]

    limit = ft.optimize.NonlinearConstraint(lambda x: np.array([x[0] * x[1], x[0]]), 0, 0.25)
    found = ft.optimize.minimize(lambda x: np.sum((x - 1) ** 2), [0.3, 0.3], constraints=limit)
    np.testing.assert_allclose(found.x, [0.25, 1.0], atol=1e-6)


def test_what_cannot_be_rewritten_keeps_its_own_error():
    with pytest.raises(ft.errors.ConcreteValueError, match=r"item\(\) was asked"):
        ft.optimize.minimize(lambda x: np.sum(x**2).item(), [1.0])
    with pytest.raises(ValueError, match="expected a finite value at x0; got nan"):
        ft.optimize.minimize(lambda x: np.sum(np.log(np.array([x[0], x[1]]))), [-1.0, 1.0])


def test_lambdas_on_one_line_are_told_apart():
    first, second = (lambda x: float(np.sum((x - 1) ** 2)), lambda x: float(np.sum((x - 5) ** 2)))
    assert ft.script(first)(np.zeros(2)) == 2.0
    assert ft.script(second)(np.zeros(2)) == 50.0
    np.testing.assert_allclose(ft.optimize.minimize(second, [0.0, 0.0]).x, [5.0, 5.0], atol=1e-6)
    outer = lambda: lambda x: float(x[0]) * 3
    assert ft.script(outer())(np.ones(1)) == 3.0
    keyed, plain = (lambda x, *, k=2: x * k, lambda x: x + 7)
    assert (ft.script(keyed)(1.0), ft.script(plain)(1.0)) == (2.0, 8.0)


def test_value_and_gradient_in_a_tuple():
    def both(x):
        return np.sum((x - 1) ** 2), 2 * (x - 1)

    with pytest.raises(TypeError, match=r"minimize\(both\): .* a tuple of 2; say jac=True"):
        ft.optimize.minimize(both, [0.0, 0.0])
    np.testing.assert_allclose(ft.optimize.minimize(both, [0.0, 0.0], jac=True).x, 1.0)
    with pytest.raises(TypeError, match=r"expected \(value, gradient\), as jac=True says"):
        ft.optimize.minimize(lambda x: np.sum(x**2), [0.0, 1.0], jac=True)
    with pytest.raises(TypeError, match="a list of 3; return a sum"):
        ft.optimize.minimize(lambda x: [x[0], x[1], x[0]], [0.0, 1.0])


def test_arguments_of_a_wrong_kind():
    def square(x):
        return np.sum((x - 1) ** 2)

    with pytest.raises(ValueError, match=r"gradient from jac of the shape of x0, \(2,\); got"):
        ft.optimize.minimize(square, [0.0, 0.0], jac=lambda x: 2 * (x[:1] - 1))
    with pytest.raises(ValueError, match="gradient from jac of the shape"):
        ft.optimize.minimize(square, [0.0, 0.0], jac=lambda x: 2.0)
    with pytest.raises(TypeError, match="expected options as a dict; got list"):
        ft.optimize.minimize(square, [0.0, 0.0], options=[3])
    with pytest.warns(scipy.optimize.OptimizeWarning, match="maxitr"):
        ft.optimize.minimize(square, [0.0, 0.0], options={"maxitr": 3})
    with pytest.raises(TypeError, match=r"expected real values; got an array of complex128"):
        ft.optimize.least_squares(lambda x: x[0] + 1j * x[1] - (1 + 2j), [3.0, 1.0])
    named = r"value_and_grad\(taken\): item\(\)"
    with pytest.raises(TypeError, match=named):

        def taken(x):
            return x[0].item()

        ft.optimize.minimize(taken, [1.0])


def test_callbacks_with_two_arguments():
    states = []
    result = ft.optimize.minimize(
        scipy_rosenbrock, np.zeros(2), method="trust-constr",
        callback=lambda xk, state: states.append((xk.copy(), state.nit, state.fun)),
    )  # fmt: skip
    assert result.success
    assert [s[1] for s in states] == list(range(1, len(states) + 1))
    np.testing.assert_allclose(states[-1][0], result.x)
    stopped = ft.optimize.minimize(
        scipy_rosenbrock,
        np.zeros(2),
        method="trust-constr",
        callback=lambda xk, state: state.nit > 2,
    )
    assert (stopped.status, stopped.nit) == (99, 3)
    seen = []
    ft.optimize.root(
        lambda x: x**3 - 1,
        np.full(3, 2.0),
        method="krylov",
        callback=lambda x, f: seen.append((x, f)),
    )
    x, f = seen[-1]
    np.testing.assert_allclose(x**3 - 1, f, atol=1e-12)


def scipy_rosenbrock(x):
    return 100.0 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_solve_that_ends_at_nan_returns_the_best_point():
    result = ft.optimize.minimize(
        lambda x: np.sum(x - np.log(x - 0.5) * 1e-3 + np.sqrt(x)), [2.0, 1.0]
    )
    assert not result.success
    assert np.isfinite(result.fun)
    assert np.isfinite(result.x).all()
    assert result.fun == pytest.approx(
        np.sum(result.x - np.log(result.x - 0.5) * 1e-3 + np.sqrt(result.x))
    )
    assert "x is the best point before" in result.message
    assert "The function was NaN at" in result.message


def test_a_slow_fall_without_bound_is_said():
    result = ft.optimize.minimize(np.sum, [-1.0, -1.0], method="L-BFGS-B", options={"maxfun": 2000})
    assert not result.success
    assert "seems to have no lower bound" in result.message
    known = ft.optimize.minimize(lambda x: np.sum(x**3), [-1.0, -1.0])
    assert known.message.count("no lower bound") == 1


def test_equations_in_a_list_have_implicit_derivatives():
    def cross(c):
        return ft.optimize.root(lambda v: [v[0] ** 2 + v[1] ** 2 - c, v[0] - v[1]], [1.0, 1.0]).x

    np.testing.assert_allclose(ft.jacobian(cross)(2.0), [0.25, 0.25])


def test_curve_fit_differentiated_in_data_and_sigma():
    def fitted(y, scale):
        sigma = 0.1 * np.exp(scale * TIMES)
        return ft.optimize.curve_fit(decay, TIMES, y, p0=[1.0, 1.0], sigma=sigma)

    def reference(y, scale):
        sigma = 0.1 * np.exp(scale * TIMES)
        how = {"sigma": sigma, "p0": [2.0, 0.7], "ftol": 1e-14, "xtol": 1e-14}
        return scipy.optimize.curve_fit(decay, TIMES, y, **how)

    slopes = ft.jacobian(lambda y: fitted(y, 0.1)[0])(DATA)
    step = 1e-4 * np.eye(TIMES.size)
    expected = np.stack(
        [reference(DATA + e, 0.1)[0] - reference(DATA - e, 0.1)[0] for e in step], 1
    )
    np.testing.assert_allclose(slopes, expected / 2e-4, atol=1e-5)
    in_scale = ft.jacobian(lambda s: fitted(DATA, s)[0])(0.1)
    expected = (reference(DATA, 0.101)[0] - reference(DATA, 0.099)[0]) / 2e-3
    np.testing.assert_allclose(in_scale, expected, rtol=1e-4)
    in_variance = ft.grad(lambda y: fitted(y, 0.1)[1][1, 1])(DATA)
    expected = [reference(DATA + e, 0.1)[1][1, 1] - reference(DATA - e, 0.1)[1][1, 1] for e in step]
    np.testing.assert_allclose(in_variance, np.array(expected) / 2e-4, atol=1e-6)


def test_curve_fit_differentiated_with_a_covariance_names_and_bounds():
    def correlated(s):
        sigma = np.exp(-s * np.abs(np.subtract.outer(TIMES, TIMES)))
        fit = ft.optimize.curve_fit(decay, TIMES, DATA, p0={"a": 1.0, "b": 1.0}, sigma=sigma)
        return fit.popt["b"]

    difference = (correlated(2.001) - correlated(1.999)) / 2e-3
    assert ft.grad(correlated)(2.0) == pytest.approx(difference, rel=1e-3)
    held = ft.jacobian(
        lambda s: ft.optimize.curve_fit(
            decay, TIMES, s * DATA, p0=[1.0, 0.2], bounds=([0, 0], [5, 0.5])
        )[0]
    )(1.0)
    free = ft.optimize.curve_fit(lambda t, a: decay(t, a, 0.5), TIMES, DATA)[0]
    np.testing.assert_allclose(held, [free[0], 0.0], rtol=1e-6, atol=1e-9)
    with pytest.raises(TypeError, match="expected data without NaN"):
        ft.grad(lambda s: ft.optimize.curve_fit(decay, TIMES, s * DATA, nan_policy="omit")[0][0])(
            1.0
        )


def test_scipy_solvers_under_vmap_name_ours():
    with pytest.raises(TypeError, match=r"vmap and jit have not .*levenberg_marquardt"):
        ft.vmap(lambda y: ft.optimize.curve_fit(decay, TIMES, y)[0])(np.stack([DATA, DATA]))
    with pytest.raises(TypeError, match=r"vmap and jit have not .*lbfgs"):
        ft.vmap(lambda c: ft.optimize.minimize(lambda x: np.sum((x - c) ** 2), np.ones(2)).x)(
            np.arange(3.0)
        )


def test_many_problems_under_vmap_alone_are_one_compiled_loop():
    def fit(y):
        return ft.optimize.levenberg_marquardt(
            lambda p: decay(TIMES, p[0], p[1]) - y, np.array([1.0, 1.0])
        )

    many = DATA * np.linspace(0.5, 2.0, 20)[:, None]
    found = ft.vmap(fit)(many)
    assert found.success.all()
    np.testing.assert_allclose(found.x, ft.jit(ft.vmap(fit))(many).x, rtol=1e-12)
    total = ft.grad(lambda y: np.sum(ft.vmap(fit)(y).x))(many)
    each = np.stack([ft.grad(lambda y: np.sum(fit(y).x))(y) for y in many[:2]])
    np.testing.assert_allclose(total[:2], each, rtol=1e-8, atol=1e-12)


def test_least_squares_leaves_a_bound_that_x0_is_at():
    # SciPy's trf returns (1e-10, 3e-10) here and calls it converged.
    def residuals(x):
        return x - np.array([1.0, 2.0])

    found = ft.optimize.least_squares(residuals, [0.0, 0.0], bounds=([0, 0], [0.5, 1]))
    np.testing.assert_allclose(found.x, [0.5, 1.0], atol=1e-6)
    assert "x0 is at a bound" in found.notes[0]
    for start, upper in (([0.0, 0.0], [5, 5]), ([0.5, 1.0], [0.5, 1])):
        found = ft.optimize.least_squares(residuals, start, bounds=([0, 0], upper))
        np.testing.assert_allclose(found.x, np.minimum([1.0, 2.0], upper), atol=1e-5)
    sparse = ft.optimize.least_squares(
        lambda x: np.concatenate([x - 1, 0.1 * (x[1:] - x[:-1])]), np.zeros(200), bounds=(0, 0.5)
    )
    np.testing.assert_allclose(sparse.x, 0.5, atol=1e-6)


def test_complex_steps_are_not_differences_of_what_is_real():
    def quartic(x):
        return np.sum((x - 1) ** 4) + np.sum(x**2)

    expected = ft.optimize.minimize(quartic, np.zeros(2)).x
    found = ft.optimize.minimize(quartic, np.zeros(2), jac="cs")
    np.testing.assert_array_equal(found.x, expected)
    found = ft.optimize.minimize(quartic, np.zeros(2), hess="cs", method="trust-constr", tol=1e-10)
    np.testing.assert_allclose(found.x, expected, atol=1e-5)
    np.testing.assert_allclose(ft.optimize.least_squares(lambda x: x - 2, [0.0], jac="cs").x, 2.0)
    for method in (None, "Nelder-Mead"):
        with pytest.raises(TypeError, match="expected a real number; got one of complex128"):
            ft.optimize.minimize(lambda x: np.sum(x**2) + 1j, np.zeros(2), method=method)
