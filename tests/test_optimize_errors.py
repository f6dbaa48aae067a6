"""What ``ft.optimize`` says of bad input: what is wrong, where, and what to do."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.optimize

import functorch_like as ft
from functorch_like import optimize


def logarithm(x):
    return np.sum(np.log(x["rate"])) + np.sum(x["rate"] ** 2)


def test_nan_at_the_start_names_the_line() -> None:
    with pytest.raises(
        ValueError, match=r"(?s)minimize\(logarithm\).*finite value at x0; got nan"
    ) as e:
        optimize.minimize(logarithm, {"rate": np.array([1.0, -1.0])})
    assert "log made NaN" in str(e.value) and "np.sum(np.log(x" in str(e.value)
    assert "start from a point where the function is defined" in str(e.value)
    with pytest.raises(ValueError, match=r"finite x0; got x\['rate'\]\[1\] = nan"):
        optimize.minimize(logarithm, {"rate": np.array([1.0, np.nan])})


def test_slopes_that_are_not_finite_name_the_unknown() -> None:
    with pytest.raises(ValueError, match=r"finite gradient at x0; got inf for x\[1\].*sqrt"):
        optimize.minimize(lambda x: np.sum(np.sqrt(x)), [1.0, 0.0])
    with pytest.raises(ValueError, match=r"element 2 of 3.*log"):
        optimize.least_squares(lambda x: np.log(x), [1.0, 2.0, -1.0])
    with pytest.raises(ValueError, match=r"of result 0 with respect to x\[1\]"):
        optimize.least_squares(lambda x: np.sqrt(x), [1.0, 0.0])
    with pytest.raises(ValueError, match="finite equations at x0; got nan in element 0"):
        optimize.root(lambda x: np.log(x), [-1.0])


def test_nan_on_the_way_is_in_the_message() -> None:
    def f(x):
        return np.sum(np.log(x)) * 1e3 - np.sum(x)  # falls towards 0, where the logarithm ends

    found = optimize.minimize(f, [0.5, 0.7], method="BFGS")
    assert not found.success
    assert "NaN at" in found.message and "log" in found.message


def test_shapes_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match=r"expected a scalar; got an array of shape \(3,\)"):
        optimize.minimize(lambda x: x**2, np.zeros(3))
    with pytest.raises(TypeError, match="got None; does the function end in return"):
        optimize.minimize(lambda x: None, np.zeros(3))
    with pytest.raises(ValueError, match="as many equations as unknowns, 3; got 2"):
        optimize.root(lambda x: x[:2], np.ones(3))
    with pytest.raises(ValueError, match="10 values, as many as ydata; got 9"):
        optimize.curve_fit(lambda x, a: a * x[:-1], np.arange(10.0), np.ones(10))
    with pytest.raises(ValueError, match=r"sigma of shape \(10,\)"):
        optimize.curve_fit(lambda x, a: a * x, np.arange(10.0), np.ones(10), sigma=np.ones(3))
    with pytest.raises(ValueError, match=r"2 pairs of bounds.*got 3"):
        optimize.minimize(lambda x: x @ x, np.ones(2), bounds=[(0, 1)] * 3)
    with pytest.raises(ValueError, match=r"3 columns, one for each unknown; got shape \(1, 2\)"):
        linear = optimize.LinearConstraint(np.ones((1, 2)), 0, 1)
        optimize.minimize(lambda x: x @ x, np.ones(3), constraints=linear)
    with pytest.raises(ValueError, match=r"expected limits of constraint 0 .* to fit its 3 values"):
        c = optimize.NonlinearConstraint(lambda x: x, np.zeros(2), 1)
        optimize.minimize(lambda x: x @ x, np.ones(3), constraints=c)
    with pytest.raises(ValueError, match="lower bounds structured like x0"):
        optimize.minimize(
            lambda x: x["a"] ** 2, {"a": 1.0}, bounds=optimize.Bounds({"b": 0.0}, {"b": 1.0})
        )
    with pytest.raises(ValueError, match=r"a matrix of shape \(3, 3\); got \(2, 3\)"):
        optimize.least_squares(lambda x: x, np.ones(3), jac=lambda x: np.ones((2, 3)))


def test_kinds_that_do_not_fit() -> None:
    with pytest.raises(TypeError, match="x0 of real numbers; got ndarray of dtype complex128"):
        optimize.minimize(lambda x: abs(x), np.array([1j]))
    with pytest.raises(TypeError, match="x0 of real numbers; got str"):
        optimize.minimize(lambda x: 0.0, "start")
    with pytest.raises(TypeError, match="expected a function; got int"):
        optimize.minimize(3, [1.0])
    with pytest.raises(ValueError, match=r"expected a method among .*bfgs.*; got 'bgfs'"):
        optimize.minimize(lambda x: x @ x, [1.0], method="bgfs")
    with pytest.raises(ValueError, match="takes no constraints; use SLSQP"):
        c = {"type": "eq", "fun": lambda x: x[0]}
        optimize.minimize(lambda x: x @ x, [1.0], method="BFGS", constraints=c)
    with pytest.raises(ValueError, match="takes no bounds; use L-BFGS-B"):
        optimize.minimize(lambda x: x @ x, [1.0], method="BFGS", bounds=[(0, 1)])
    with pytest.raises(ValueError, match=r"derivatives in .*; got 'spares'"):
        optimize.minimize(lambda x: x @ x, [1.0], derivatives="spares")
    with pytest.raises(ValueError, match=r"takes the options .*maxiter.*; got maxit"):
        optimize.root(lambda x: x, [1.0], method="newton", options={"maxit": 3})


def test_infeasible_problems() -> None:
    with pytest.raises(ValueError, match=r"infeasible bounds: x\[1\] has lower bound 2 above"):
        optimize.minimize(lambda x: x @ x, np.ones(3), bounds=[(0, 1), (2, 1), (0, 1)])
    with pytest.raises(
        ValueError, match=r"x0 within the bounds; got x\[0\] = 3 outside of \[0, 1\]"
    ):
        optimize.least_squares(lambda x: x, [3.0], bounds=(0, 1))
    apart = [
        optimize.NonlinearConstraint(lambda x: x[0] + x[1], 1.0, np.inf),
        optimize.NonlinearConstraint(lambda x: x[0] + x[1], -np.inf, -1.0),
    ]
    for method in ("SLSQP", "trust-constr"):
        found = optimize.minimize(
            *(lambda x: x @ x, np.zeros(2)),
            **{"constraints": apart, "method": method, "options": {"maxiter": 60}},
        )
        assert not found.success
        assert "Infeasible: constraint" in found.message and "its limit" in found.message
        assert found.constr_violation > 0.5


@pytest.mark.parametrize("method", ["BFGS", "L-BFGS-B", "Newton-CG", "trust-krylov"])
def test_unbounded_problems(method: str) -> None:
    def f(x):
        return -np.sum(x**4)

    found = optimize.minimize(f, np.ones(2), method=method)
    assert not found.success
    if found.status == 101:
        assert "no lower bound" in found.message and "add bounds" in found.message


def test_unbounded_says_so() -> None:
    found = optimize.minimize(lambda x: np.sum(x) - np.exp(x[1]), np.ones(2))
    assert (
        found.status == 101
        and "has no lower bound here" in found.message
        and "x[1]" in (found.message)
    )


def test_functions_without_curvature() -> None:
    def manhattan(x):
        return np.sum(np.abs(x - 0.3))

    for method in ("trust-exact", "Newton-CG", "trust-ncg"):
        with pytest.raises(
            ValueError, match=r"(?s)Hessian that is zero.*linear piece by piece.*BFGS"
        ):
            optimize.minimize(manhattan, np.ones(3), method=method)
    assert optimize.minimize(lambda x: np.sum(x**4), np.zeros(2), method="trust-exact").success

    black_box = ft.finite_difference(np.cosh)
    found = optimize.minimize(lambda x: np.sum(black_box(x)), np.ones(2), method="BFGS")
    np.testing.assert_allclose(found.x, 0.0, atol=1e-4)


def test_functions_that_do_not_depend_on_their_unknowns() -> None:
    for f in (lambda x: np.sum(np.round(x) ** 2), lambda x: 3.0):
        found = optimize.minimize(f, [1.2, 3.3])
        assert "gradient is exactly zero at x0 and beside it" in found.message
    assert "zero" not in optimize.minimize(lambda x: np.sum(x**2), np.zeros(2)).message


def test_unknown_options_are_heard() -> None:
    with pytest.warns(scipy.optimize.OptimizeWarning, match="Unknown solver options: maxitr"):
        optimize.minimize(lambda x: np.sum(x**2), [1.0], options={"maxitr": 3})


def test_missing_second_derivatives_are_named() -> None:
    @ft.custom_vjp
    def opaque(x):
        return x**2

    @ft.custom_vjp
    def first_only(x):
        return 2 * x

    first_only.defvjp(lambda x: (2 * x, None), lambda kept, ct: _refuse())
    opaque.defvjp(lambda x: (x**2, x), lambda x, ct: (ct * first_only(x),))
    found = optimize.minimize(lambda x: np.sum(opaque(x)), np.ones(2), method="BFGS")
    assert found.success
    with pytest.raises(
        NotImplementedError, match=r"(?s)needs second derivatives.*no curvature.*BFGS"
    ):
        optimize.minimize(lambda x: np.sum(opaque(x)), np.ones(2), method="trust-exact")
    found = optimize.minimize(lambda x: np.sum(opaque(x)), np.ones(2), method="trust-constr")
    assert found.success and any("BFGS instead" in note for note in found.notes)


def _refuse():
    raise NotImplementedError("no curvature known")


def test_equations_without_root() -> None:
    for method in ("newton", "hybr", "krylov"):
        found = optimize.root(lambda x: x**2 + 1.0, [3.0, 2.0], method=method)
        assert not found.success and found.message
    found = optimize.root(lambda x: x**2 + 1.0, [3.0], method="newton")
    assert "no root" in found.message or "maximum number" in found.message


def test_scalar_errors() -> None:
    with pytest.raises(ValueError, match=r"differs in sign; got f\(0\) = 1 and f\(1\) = 2; widen"):
        optimize.root_scalar(lambda x: x**2 + 1, bracket=(0.0, 1.0))
    with pytest.raises(ValueError, match="got NaN at x = -1"):
        optimize.root_scalar(lambda x: np.log(x), x0=-1.0)
    with pytest.raises(ValueError, match=r"expected a number; got an array of shape \(2,\)"):
        optimize.minimize_scalar(lambda x: np.stack([x, x]))


def test_curve_fit_errors() -> None:
    x, y = np.arange(5.0), np.array([1.0, 2.0, np.nan, 4.0, 5.0])
    with pytest.raises(ValueError, match=r"expected finite ydata; got ydata\[2\]"):
        optimize.curve_fit(lambda x, a: a * x, x, y)
    with pytest.raises(TypeError, match="5 data for 6 parameters"):
        optimize.curve_fit(lambda x, *p: sum(p) * x, x, np.ones(5), p0=np.ones(6))
    with pytest.raises(ValueError, match="to tell the number of parameters"):
        optimize.curve_fit(lambda x: x, x, np.ones(5))
    with pytest.raises(ValueError, match="positive, finite sigma; element 1 is 0"):
        sigma = np.array([1.0, 0.0, 1.0, 1.0, 1.0])
        optimize.curve_fit(lambda x, a: a * x, x, np.ones(5), sigma=sigma)
    with pytest.raises(ValueError, match="to be positive definite"):
        optimize.curve_fit(lambda x, a: a * x, x, np.ones(5), sigma=-np.eye(5))
    with pytest.raises(RuntimeError, match="optimal parameters not found"):
        optimize.curve_fit(lambda x, a: np.exp(a * x), x, x**3, maxfev=3)
    with pytest.warns(
        scipy.optimize.OptimizeWarning, match=r"combination 0.71 x\[0\] - 0.71 x\[1\]"
    ):
        fit = optimize.curve_fit(lambda x, a, b: (a + b) * x, x, 2.0 * x)
    assert np.isinf(fit.pcov).all()


def test_ipopt_is_optional() -> None:
    try:
        import cyipopt  # noqa: F401
    except ImportError:
        with pytest.raises(ImportError, match=r"pip install functorch-like\[ipopt\]"):
            optimize.minimize_ipopt(lambda x: x @ x, np.ones(2))
