"""``ft.optimize``: SciPy's solvers with exact derivatives, against SciPy and closed forms."""

from __future__ import annotations

import pathlib
import pickle
import re
from typing import NamedTuple

import matplotlib
import numpy as np
import pytest
import scipy.optimize
import scipy.sparse

import functorch_like as ft
from functorch_like import optimize

matplotlib.use("Agg")

METHODS = ["CG", "BFGS", "Newton-CG", "L-BFGS-B", "TNC", "SLSQP", "trust-constr"]
METHODS += ["trust-ncg", "trust-exact", "trust-krylov", "Nelder-Mead", "Powell"]


def rosenbrock(x):
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_minimises(method: str) -> None:
    start = np.array([1.3, 0.7, 0.8])
    options = {} if method == "TNC" else {"maxiter": 2000}
    found = optimize.minimize(rosenbrock, start, method=method, options=options)
    assert found.success and found.converged
    np.testing.assert_allclose(found.x, np.ones(3), atol=2e-3)
    assert len(found.history) >= 2 and found.history.value[-1] <= found.history.value[0]
    reference = scipy.optimize.minimize(rosenbrock, start, method=method, **_given(method))
    assert set(reference) - {"hess"} <= set(found)


def _given(method: str) -> dict:
    if method in ("Nelder-Mead", "Powell"):
        return {}
    hessian = "hess" if method not in ("CG", "BFGS", "L-BFGS-B", "TNC", "SLSQP") else None
    given = {"jac": scipy.optimize.rosen_der}
    return given | ({hessian: scipy.optimize.rosen_hess} if hessian else {})


def test_fewer_evaluations_than_differences() -> None:
    start = np.full(8, -1.0)
    exact = optimize.minimize(rosenbrock, start, method="BFGS")
    differences = scipy.optimize.minimize(rosenbrock, start, method="BFGS")
    assert exact.success and exact.nfev < 0.2 * differences.nfev
    by_hand = scipy.optimize.minimize(
        rosenbrock, start, method="BFGS", jac=scipy.optimize.rosen_der
    )
    assert abs(exact.nfev - by_hand.nfev) <= 2
    np.testing.assert_allclose(exact.x, by_hand.x, atol=1e-6)


class Point(NamedTuple):
    a: float
    b: np.ndarray


@pytest.mark.parametrize(
    "x0",
    [
        {"a": 3.0, "b": np.array([[1.0, 2.0]])},
        (3.0, np.array([[1.0, 2.0]])),
        Point(3.0, np.array([[1.0, 2.0]])),
        [np.array(3.0), {"c": np.array([[1.0, 2.0]])}],
    ],
)
def test_unknowns_may_be_pytrees(x0) -> None:
    def f(x):
        a, b = ft.tree.leaves(x)
        return (a - 1.0) ** 2 + np.sum((b - np.array([[2.0, 3.0]])) ** 4) + np.sum(b**2)

    found = optimize.minimize(f, x0, method="trust-exact", tol=1e-10)
    assert ft.tree.structure(found.x) == ft.tree.structure(x0)
    assert ft.tree.structure(found.jac) == ft.tree.structure(x0)
    a, b = ft.tree.leaves(found.x)
    assert abs(a - 1.0) < 1e-9 and b.shape == (1, 2)
    np.testing.assert_allclose(4 * (b - np.array([[2.0, 3.0]])) ** 3 + 2 * b, 0.0, atol=1e-8)


def test_lists_are_arrays_and_numbers_are_numbers() -> None:
    found = optimize.minimize(rosenbrock, [0.5, 0.5])
    assert found.x.shape == (2,)
    found = optimize.minimize(lambda x: (x - 3.0) ** 2, 1)
    assert np.shape(found.x) == () and abs(found.x - 3.0) < 1e-6
    found = optimize.minimize(lambda x: np.sum((x - 1.0) ** 2), np.zeros((2, 3), np.float32))
    assert found.x.shape == (2, 3) and found.x.dtype == np.float64


def test_args_and_another_value_of_them_need_no_other_program() -> None:
    def f(x, a, power, data):
        return np.sum((x - a * data[0]) ** power)

    for a in (1.0, 2.0):
        found = optimize.minimize(f, np.zeros(2), args=(a, 2, [np.array([1.0, 2.0])]))
        np.testing.assert_allclose(found.x, [a, 2 * a], atol=1e-6)
    assert abs(optimize.minimize(lambda x, a: (x - a) ** 2, 0.0, args=3.0).x - 3.0) < 1e-6


def test_derivatives_by_hand_and_differences() -> None:
    calls = []

    def gradient(x, a):
        calls.append(a)
        return {"p": 2 * (x["p"] - a)}

    def f(x, a):
        return np.sum((x["p"] - a) ** 2)

    x0 = {"p": np.zeros(2)}
    found = optimize.minimize(f, x0, args=(2.0,), jac=gradient)
    assert calls and set(calls) == {2.0}
    np.testing.assert_allclose(found.x["p"], 2.0, atol=1e-7)
    found = optimize.minimize(lambda x: (f(x, 2.0), gradient(x, 2.0)), x0, jac=True)
    np.testing.assert_allclose(found.x["p"], 2.0, atol=1e-7)
    found = optimize.minimize(f, x0, args=(2.0,), jac="2-point")
    np.testing.assert_allclose(found.x["p"], 2.0, atol=1e-6)
    found = optimize.minimize(
        rosenbrock, np.zeros(3), method="trust-constr", hess=scipy.optimize.SR1()
    )
    np.testing.assert_allclose(found.x, 1.0, atol=1e-4)
    found = optimize.minimize(
        rosenbrock, np.zeros(3), method="Newton-CG", hessp=scipy.optimize.rosen_hess_prod
    )
    np.testing.assert_allclose(found.x, 1.0, atol=1e-3)


def test_custom_method_gets_everything() -> None:
    def newton(fun, x0, args=(), jac=None, hess=None, **rest):
        x = x0
        for _ in range(30):
            x = x - np.linalg.solve(hess(x), jac(x))
        return scipy.optimize.OptimizeResult(x=x, fun=fun(x), success=True, status=0, message="")

    found = optimize.minimize(rosenbrock, np.full(3, 1.1), method=newton)
    np.testing.assert_allclose(found.x, 1.0, atol=1e-12)


def test_what_cannot_be_compiled_runs_eagerly_and_says_so() -> None:
    def f(x):
        return x[0] ** 2 if x[0] > 0 else 2 * x[0] ** 2  # branches on a traced value

    found = optimize.minimize(f, [-1.0])
    assert found.success and abs(found.x[0]) < 1e-6
    assert any("not compiled" in note for note in found.notes)
    assert "notes" not in optimize.minimize(rosenbrock, np.zeros(2))
    assert "notes" not in optimize.minimize(f, [-1.0], jit=False)

    def looped(x):
        total = 0.0
        while total < x[0] ** 2:
            total = total + 0.5
        return (x[0] - 1.0) ** 2 + 0.0 * total

    found = optimize.minimize(looped, [3.0], script=True)
    assert "notes" not in found and abs(found.x[0] - 1.0) < 1e-6


def test_black_boxes_without_derivatives() -> None:
    def f(x):
        return float(x[0]) ** 2 + abs(float(x[1]))

    found = optimize.minimize(f, [1.0, 1.0], method="Nelder-Mead")
    assert found.success and abs(found.fun) < 1e-6


# ----------------------------------------------------------------------------------------
# Bounds and constraints


@pytest.mark.parametrize("method", ["L-BFGS-B", "TNC", "SLSQP", "trust-constr", None])
def test_bounds(method) -> None:
    def f(x):
        return np.sum((x["a"] - 2.0) ** 2) + (x["b"] + 1.0) ** 2

    x0 = {"a": np.zeros(2), "b": 0.5}
    limits = optimize.Bounds({"a": np.array([-1.0, 0.0]), "b": 0.0}, {"a": 1.0, "b": 1.0})
    found = optimize.minimize(f, x0, method=method, bounds=limits, tol=1e-8)
    near = 1e-3 if method == "trust-constr" else 1e-6  # an interior-point method
    np.testing.assert_allclose(found.x["a"], 1.0, atol=near)
    np.testing.assert_allclose(found.x["b"], 0.0, atol=near)
    pairs = [(None, 1.0), (0.0, 0.5), (0.0, None)]  # in the order of the leaves
    found = optimize.minimize(f, x0, method=method, bounds=pairs, tol=1e-8)
    np.testing.assert_allclose(found.x["a"], [1.0, 0.5], atol=near)


# Hock and Schittkowski 1981, problem 71
def hs71(x):
    return x[0] * x[3] * (x[0] + x[1] + x[2]) + x[2]


HS71 = np.array([1.0, 4.74299963, 3.82114998, 1.37940829])


@pytest.mark.parametrize("method", ["SLSQP", "trust-constr", None])
@pytest.mark.parametrize("style", ["new", "old"])
def test_constraints(method, style) -> None:
    if style == "new":
        constraints = [
            optimize.NonlinearConstraint(np.prod, 25.0, np.inf),
            scipy.optimize.NonlinearConstraint(lambda x: np.sum(x**2), 40.0, 40.0),
        ]
    else:
        constraints = [
            {"type": "ineq", "fun": lambda x: np.prod(x) - 25.0},
            {"type": "eq", "fun": lambda x, c: np.sum(x**2) - c, "args": (40.0,)},
        ]
    found = optimize.minimize(
        hs71, [1.0, 5.0, 5.0, 1.0], method=method, bounds=[(1, 5)] * 4, constraints=constraints
    )
    assert found.success
    np.testing.assert_allclose(found.x, HS71, atol=2e-3)
    assert found.constr_violation < 1e-6


def test_linear_constraints_dense_and_sparse() -> None:
    matrix = np.array([[1.0, 1.0, 1.0], [1.0, -1.0, 0.0]])
    expected = np.array([1.0, 1.0, 1.0]) / 3
    for made in (matrix, scipy.sparse.csr_array(matrix)):
        linear = optimize.LinearConstraint(made, [1.0, -np.inf], [1.0, 0.0])
        for method in ("SLSQP", "trust-constr"):
            found = optimize.minimize(
                lambda x: np.sum(x**2), [1.0, 0.0, 0.0], method=method, constraints=linear
            )
            np.testing.assert_allclose(found.x, expected, atol=2e-3)


@pytest.mark.parametrize("form", ["dense", "sparse", "products", "auto"])
def test_forms_of_derivatives_agree(form: str) -> None:
    def f(x):
        return np.sum((x[1:] - x[:-1] ** 2) ** 2) + np.sum(np.cosh(0.1 * x))

    def circle(x):
        return x[::2] ** 2 + x[1::2] ** 2

    limit = optimize.NonlinearConstraint(circle, -np.inf, 0.3)
    found = optimize.minimize(
        *(f, np.full(64, 0.2)), method="trust-constr", constraints=limit, derivatives=form
    )
    reference = optimize.minimize(f, np.full(64, 0.2), method="SLSQP", constraints=limit)
    assert found.success and "notes" not in found
    assert found.fun == pytest.approx(reference.fun, abs=1e-4)
    sparse = [scipy.sparse.issparse(j) for j in found.jac]
    assert all(sparse) == (form in ("sparse", "auto"))


# ----------------------------------------------------------------------------------------
# Least squares, curves, equations


T = np.linspace(0.0, 4.0, 40)
Y = 2.5 * np.exp(-1.3 * T) + 0.5 + 0.02 * np.sin(37 * T)


def decay(t, a, b, c):
    return a * np.exp(-b * t) + c


@pytest.mark.parametrize("method", ["lm", "trf", "dogbox"])
def test_least_squares_as_scipy(method: str) -> None:
    def residuals(p, y):
        return decay(T, p["a"], p["b"], p["c"]) - y

    found = optimize.least_squares(
        residuals, {"a": 1.0, "b": 1.0, "c": 1.0}, method=method, args=(Y,)
    )
    reference = scipy.optimize.least_squares(
        lambda p: decay(T, *p) - Y, np.ones(3), method=method, xtol=1e-12
    )
    np.testing.assert_allclose(list(found.x.values()), reference.x, rtol=1e-6)
    assert found.success and found.cost == pytest.approx(reference.cost)
    assert set(reference) <= set(found)
    assert len(found.history) > 2


def test_least_squares_options() -> None:
    rng = np.random.default_rng(0)
    spoilt = Y + np.where(rng.uniform(size=40) < 0.1, 3.0, 0.0)

    def residuals(p):
        return decay(T, *[p[i] for i in range(3)]) - spoilt

    given = {"loss": "soft_l1", "f_scale": 0.05, "x_scale": [1.0, 2.0, 1.0]}
    bounds = ([0, 0, 0], [10, 10, 0.4])
    found = optimize.least_squares(residuals, [1, 1, 0.3], bounds=bounds, **given)
    reference = scipy.optimize.least_squares(residuals, [1, 1, 0.3], bounds=bounds, **given)
    np.testing.assert_allclose(found.x, reference.x, rtol=1e-4)
    with pytest.raises(ValueError, match="robust loss"):
        found.covariance(absolute_sigma=True)


def test_sparse_and_matrix_free_least_squares() -> None:
    n = 400

    def residuals(x):
        padded = np.concatenate([np.zeros(1), x, np.zeros(1)])
        return (3 - 2 * x) * x - padded[:-2] - 2 * padded[2:] + 1

    made = {
        form: optimize.least_squares(residuals, -np.ones(n), derivatives=form)
        for form in ("auto", "sparse", "products", "dense")
    }
    assert scipy.sparse.issparse(made["auto"].jac) and made["auto"].jac.nnz == 3 * n - 2
    assert isinstance(made["products"].jac, scipy.sparse.linalg.LinearOperator)
    for found in made.values():
        assert found.success and found.cost < 1e-12


def test_polish_reaches_rounding() -> None:
    def f(p):
        return decay(T, p[0], p[1], p[2]) - Y

    plain = optimize.least_squares(f, np.ones(3), ftol=1e-4)
    found = optimize.least_squares(f, np.ones(3), ftol=1e-4, polish=True)
    assert found.optimality < 1e-13 < plain.optimality
    assert found.nhev >= 1 and found.nfev > plain.nfev
    at_bound = optimize.least_squares(f, [1, 1, 0.1], bounds=(0, [9, 9, 0.2]), polish=True)
    assert any("not polished" in note for note in at_bound.notes)


@pytest.mark.parametrize(
    "sigma", [None, 0.1, np.linspace(0.1, 0.3, 40), np.diag(np.full(40, 0.04)) + 0.01]
)
@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize("method", ["lm", "trf"])
def test_curve_fit_as_scipy(sigma, absolute, method) -> None:
    given = {"sigma": sigma, "absolute_sigma": absolute, "method": method}
    fit = optimize.curve_fit(decay, T, Y, **given)
    popt, pcov = fit
    reference, covariance = scipy.optimize.curve_fit(decay, T, Y, **given)
    np.testing.assert_allclose(popt, reference, rtol=1e-5)
    np.testing.assert_allclose(pcov, covariance, rtol=1e-3)
    np.testing.assert_allclose(fit.standard_errors(), np.sqrt(np.diag(pcov)))


def test_curve_fit_variants() -> None:
    fit = optimize.curve_fit(decay, T, Y, full_output=True)
    assert len(fit) == 5 and set(fit[2]) >= {"nfev", "fvec"} and fit[4] in (1, 2, 3, 4)
    named = optimize.curve_fit(decay, T, Y, p0={"a": 1.0, "b": 1.0, "c": 1.0})
    assert set(named.popt) == {"a", "b", "c"}
    np.testing.assert_allclose(list(named.popt.values()), fit[0], rtol=1e-6)
    errors = named.standard_errors()
    np.testing.assert_allclose(list(errors.values()), np.sqrt(np.diag(fit[1])), rtol=1e-6)
    bounded = optimize.curve_fit(decay, T, Y, bounds=([0, 0, 0], [3, 3, 3]))
    np.testing.assert_allclose(bounded.popt, fit[0], rtol=1e-5)
    missing = Y.copy()
    missing[3] = np.nan
    omitted = optimize.curve_fit(decay, T, missing, nan_policy="omit", check_finite=False)
    rest = np.arange(40) != 3
    np.testing.assert_allclose(
        omitted.popt, scipy.optimize.curve_fit(decay, T[rest], Y[rest])[0], rtol=1e-5
    )

    def jacobian(t, a, b, c):
        return np.stack([np.exp(-b * t), -a * t * np.exp(-b * t), np.ones_like(t)], axis=1)

    for jac in (jacobian, "2-point"):
        np.testing.assert_allclose(
            optimize.curve_fit(decay, T, Y, jac=jac, method="trf").popt, fit[0], rtol=1e-5
        )


@pytest.mark.parametrize(
    "method", ["hybr", "lm", "newton", "krylov", "broyden1", "anderson", "df-sane", None]
)
def test_root(method) -> None:
    def equations(p):
        x, y = p["x"], p["y"]
        return {"first": np.cos(x) - 2 * y, "second": y**2 + 0.1 * x - 0.25}

    found = optimize.root(equations, {"x": 0.3, "y": 0.4}, method=method, tol=1e-9)
    assert found.success, found.message
    assert set(found.fun) == {"first", "second"}
    assert max(abs(v) for v in found.fun.values()) < 1e-6


def test_newton_is_sparse_for_many_unknowns_and_quadratic() -> None:
    n = 500

    def equations(u):  # -u'' + u^3 = 1 on a grid
        padded = np.concatenate([np.zeros(1), u, np.zeros(1)])
        return (2 * u - padded[:-2] - padded[2:]) * (n + 1) ** 2 + u**3 - 1

    found = optimize.root(equations, np.zeros(n))
    assert found.success and found.method == "newton" and found.nit <= 5
    rough = optimize.root(lambda u: equations(u) / n**2, np.zeros(n), derivatives="sparse")
    np.testing.assert_allclose(rough.x, found.x, atol=1e-6)


def test_scalar_functions() -> None:
    found = optimize.minimize_scalar(lambda x, a: (x - a) ** 2 + 1, args=(2.0,))
    assert found.success and abs(found.x - 2.0) < 1e-7
    for how in ({"bracket": (0, 2)}, {"x0": 1.0}, {"x0": 1.0, "method": "halley"}):
        found = optimize.root_scalar(lambda x: x**3 - 2, **how)
        assert found.converged and abs(found.root - 2 ** (1 / 3)) < 1e-9
    exact = optimize.root_scalar(lambda x: x**3 - 2, x0=1.0)
    assert exact.function_calls <= 14 and exact.method == "newton"


# ----------------------------------------------------------------------------------------
# While it runs, and afterwards


@pytest.mark.parametrize("method", ["BFGS", "L-BFGS-B", "TNC", "SLSQP", "trust-constr", "COBYQA"])
def test_callback_stops(method: str) -> None:
    seen = []

    def callback(x):
        seen.append(x)
        if len(seen) == 3:
            raise StopIteration

    found = optimize.minimize(
        lambda p: rosenbrock(p["x"]), {"x": np.full(4, -1.0)}, method=method, callback=callback
    )
    assert len(seen) == 3 and set(seen[0]) == {"x"}
    assert not found.success and "StopIteration" in found.message
    assert found.status == 99 and np.isfinite(found.fun)


def test_callback_with_results_and_least_squares() -> None:
    values = []

    def callback(intermediate_result):
        values.append(intermediate_result.fun)

    optimize.minimize(rosenbrock, np.full(4, -1.0), callback=callback)
    assert values[-1] < 1e-8 < values[0]

    def stop(x):
        raise StopIteration

    for method in ("trf", "lm", "dogbox"):
        found = optimize.least_squares(lambda x: x**2 - 2, [1.0], method=method, callback=stop)
        assert not found.success and found.status == 99


def test_interrupted_solves_return_the_best_point() -> None:
    def interrupted(after, inner):
        count = [0]

        def f(x):
            count[0] += 1
            if count[0] == after:
                raise KeyboardInterrupt
            return inner(x)

        return f

    start = np.full(4, -1.0)
    for method in ("BFGS", "L-BFGS-B", "Nelder-Mead", "trust-constr"):
        f = interrupted(20, rosenbrock)
        found = optimize.minimize(f, start, method=method, jit=False)
        assert found.status == 130 and not found.success and "Interrupted" in found.message
        assert found.fun <= rosenbrock(start) and found.fun == pytest.approx(rosenbrock(found.x))
    for solver in (optimize.least_squares, optimize.root):
        found = solver(interrupted(6, lambda x: x**2 - 2.0), np.full(3, 9.0), jit=False)
        assert found.status == 130 and np.all(np.abs(found.x) < 9.0)


def test_progress_is_one_line(capsys) -> None:
    optimize.minimize(rosenbrock, np.zeros(3), options={"disp": True})
    shown = capsys.readouterr().out
    assert shown.count("\n") == 1 and shown.startswith("\rminimize(rosenbrock): iteration 1")
    assert "Optimization terminated successfully" in shown.splitlines()[-1]
    optimize.least_squares(lambda x: x**2 - 2, [1.0], progress=True)
    assert "least_squares" in capsys.readouterr().out
    optimize.minimize(rosenbrock, np.zeros(3))
    assert capsys.readouterr().out == ""


def test_the_page_of_the_docs_runs(tmp_path: pathlib.Path) -> None:
    page = (pathlib.Path(__file__).parents[1] / "docs" / "optimisation.md").read_text()
    path = tmp_path / "page.py"  # a file, so that script finds the source
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    path.write_text(
        "\n".join(blocks).replace("def fit(y)", 'rate = fit.popt["rate"]\n\n\ndef fit(y)')
    )
    names: dict = {}
    exec(compile(path.read_text(), path, "exec"), names)
    assert names["influence"].shape == (50,)
    assert names["found"].success.all() and names["found"].x.shape == (1000, 3)
    assert names["solution"].success
    np.testing.assert_allclose(names["rate"], 1.3, atol=0.2)
    matplotlib.pyplot.close("all")


def test_results_print_plot_and_pickle() -> None:
    found = optimize.minimize(rosenbrock, np.zeros(3))
    assert "history: History of" in repr(found)
    axes = found.plot()
    assert len(axes.lines) == 2
    again = pickle.loads(pickle.dumps(found))
    np.testing.assert_array_equal(again.x, found.x)
    np.testing.assert_array_equal(again.history.value, found.history.value)
    with pytest.raises(ValueError, match="unpickled"):
        again.covariance()
    fit = optimize.curve_fit(decay, T, Y)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fit)).popt, fit.popt)
    assert fit.plot().lines
    matplotlib.pyplot.close("all")
