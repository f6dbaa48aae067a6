"""The compiled solvers of ``ft.optimize``: published problems, derivatives, lanes, failures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st
from published_minima import (
    PROBLEMS,
    Problem,
    broyden_banded,
    broyden_tridiagonal,
    freudenstein_roth,
    trigonometric,
)

import functorch_like as ft
from functorch_like.optimize import (
    Status,
    bfgs,
    bisect,
    brentq,
    broyden,
    fminbound,
    gauss_newton,
    golden,
    lbfgs,
    levenberg_marquardt,
    newton_cg,
    newton_root,
)

NAMES = list(PROBLEMS)


def check(problem: Problem, square: Any, x: Any, status: Any) -> None:
    """Compare with the published minimum, given to six digits, and minimiser, to four."""
    squares = np.atleast_1d(problem.square)
    close = np.abs(square - squares) <= 1e-5 * np.abs(squares) + 1e-10
    assert close.any() and status > 0, (square, status)
    if problem.minimiser is not None:
        np.testing.assert_allclose(x, problem.minimiser, rtol=2e-3, atol=1e-7)


def sum_of_squares(problem: Problem) -> Callable:
    return lambda x: np.sum(problem.residuals(x) ** 2)


@pytest.mark.parametrize("name", NAMES)
def test_published_minima(name: str) -> None:
    """Least squares and one of the minimisers, in turn: each of them has every third problem."""
    problem = PROBLEMS[name]
    start = np.array(problem.start, float)
    found = levenberg_marquardt(problem.residuals, start)
    check(problem, 2 * found.fun, found.x, found.status)
    minimise = (bfgs, lbfgs, newton_cg)[NAMES.index(name) % 3]
    found = minimise(sum_of_squares(problem), start)
    check(problem, found.fun, found.x, found.status)


def test_the_hard_one_by_every_method() -> None:
    """Meyer's problem, scaled by 1e6 between unknowns: compiled, as it takes many iterations."""
    problem = PROBLEMS["meyer"]
    start = np.array(problem.start, float)
    for minimise in (bfgs, lbfgs, newton_cg):
        solve = ft.jit(lambda x, m=minimise: m(sum_of_squares(problem), x, max_iterations=3000))
        found = solve(start)
        check(problem, found.fun, found.x, found.status)
    found = gauss_newton(problem.residuals, start)
    check(problem, 2 * found.fun, found.x, found.status)


@pytest.mark.parametrize("solver", [newton_root, broyden])
def test_published_roots(solver: Callable) -> None:
    for name, problem in PROBLEMS.items():
        start = np.array(problem.start, float)
        if problem.square == 0 and len(problem.residuals(start)) == len(start):
            found = solver(problem.residuals, start)
            assert found.success, name
            assert np.max(np.abs(problem.residuals(found.x))) < 2e-12
    # A system whose norm has a minimum that is no root, to which both starts lead.
    found = solver(freudenstein_roth, np.array([0.5, -2.0]))
    assert found.status == Status.STALLED and not found.success
    assert "no acceptable step" in found.message


def test_lapack_and_products_beyond_small_sizes() -> None:
    x = newton_root(broyden_tridiagonal, -np.ones(40)).x
    assert np.max(np.abs(broyden_tridiagonal(x))) < 1e-11
    x = levenberg_marquardt(broyden_banded, -np.ones(14)).x
    assert np.max(np.abs(broyden_banded(x))) < 1e-9
    x = gauss_newton(trigonometric, np.full(12, 1 / 12)).x
    assert np.linalg.norm(trigonometric(x)) ** 2 < 1e-4  # of its minima, 2.79506e-5 and 0
    many = lambda x: np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)
    for minimise in (newton_cg, lbfgs):
        found = ft.jit(lambda x, m=minimise: m(many, x))(np.tile([-1.2, 1.0], 50))
        assert found.success
        assert many(found.x) < 4  # of two minima, 0 and 3.99
        assert np.max(np.abs(ft.grad(many)(found.x))) <= 1.5e-8


# --------------------------------------------------------------------------------------
# Eager, compiled, in lanes; precision; pytrees


def banana(x, a=1.0):
    return 100 * (x[1] - x[0] ** 2) ** 2 + (a - x[0]) ** 2


def corner(x, a=1.0):
    return np.stack([10 * (x[1] - x[0] ** 2), a - x[0]])


SOLVERS = {
    "lbfgs": lambda x, a: lbfgs(banana, x, (a,)),
    "bfgs": lambda x, a: bfgs(banana, x, (a,)),
    "newton_cg": lambda x, a: newton_cg(banana, x, (a,)),
    "levenberg_marquardt": lambda x, a: levenberg_marquardt(corner, x, (a,)),
    "gauss_newton": lambda x, a: gauss_newton(corner, x, (a,)),
    "newton_root": lambda x, a: newton_root(corner, x, (a,)),
    "broyden": lambda x, a: broyden(corner, x, (a,)),
    "bisect": lambda x, a: bisect(lambda y, a: y**3 - a**3, x[0] - 20, x[1] + 20, (a,)),
    "brentq": lambda x, a: brentq(lambda y, a: y**3 - a**3, x[0] - 20, x[1] + 20, (a,)),
    "golden": lambda x, a: golden(lambda y, a: np.cosh(y - a), x[0] - 20, x[1] + 20, (a,)),
    "fminbound": lambda x, a: fminbound(lambda y, a: np.cosh(y - a), x[0] - 20, x[1] + 20, (a,)),
}


@pytest.mark.parametrize("name", SOLVERS)
def test_modes_and_derivatives(name: str) -> None:
    """Solutions (a, a^2) or a: eager, compiled, in lanes, and their derivatives in a, twice."""
    solve = SOLVERS[name]
    starts = np.random.default_rng(0).normal(size=(5, 2)) + np.array([-1.0, 1.0])
    shifts = np.array([0.7, 1.0, 1.3, 0.9, 1.1])
    lanes = ft.jit(ft.vmap(solve))(starts, shifts)
    eager = [solve(x, a) for x, a in zip(starts, shifts, strict=True)]
    assert np.all(lanes.success)
    np.testing.assert_array_equal(lanes.status, [e.status for e in eager])
    # Rounding in another order may cost or save an iteration.
    gap = np.abs(lanes.iterations - np.array([e.iterations for e in eager]))
    assert np.max(gap) <= 3
    if name not in ("bisect", "golden"):  # which only look at the width
        assert len(set(lanes.iterations.tolist())) > 1  # each lane ended by itself
    plane = len(np.shape(lanes.x)) == 2
    want = np.stack([shifts, shifts**2], axis=1) if plane else shifts
    atol = 5e-8 if name in ("golden", "fminbound") else 1e-6
    np.testing.assert_allclose(lanes.x, want, atol=atol)
    np.testing.assert_allclose([e.x for e in eager], want, atol=atol)

    # The exact derivatives, at the point that was found.
    def of(a):
        return np.sum(solve(starts[0], a).x)

    first = 1 + 2 * 1.2 if plane else 1.0
    second = 2.0 if plane else 0.0
    scale = dict(rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(ft.grad(of)(1.2), first, **scale)
    np.testing.assert_allclose(ft.jacfwd(of)(1.2), first, **scale)
    np.testing.assert_allclose(ft.grad(ft.grad(of))(1.2), second, rtol=1e-4, atol=1e-4)
    twice = ft.jit(ft.vmap(ft.jacfwd(ft.grad(of))))(np.array([1.2, 1.2]))
    np.testing.assert_allclose(twice, [second, second], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", SOLVERS)
def test_single_precision(name: str) -> None:
    found = SOLVERS[name](np.array([-0.9, 1.1], np.float32), np.float32(1.2))
    assert found.success, found
    assert found.x.dtype == found.fun.dtype == np.float32
    want = [1.2, 1.44] if found.x.shape else 1.2
    np.testing.assert_allclose(found.x, want, rtol=3e-3)


def test_pytrees() -> None:
    def misfit(p, t, y):
        curve = p["heights"][0] * np.exp(-p["rate"] * t) + p["heights"][1]
        return {"early": (curve - y)[:5], "late": (curve - y)[5:]}

    t = np.linspace(0, 3, 12)
    y = 2.0 * np.exp(-0.8 * t) - 0.3
    start = {"heights": np.array([1.0, 0.0]), "rate": 1.0}
    found = levenberg_marquardt(misfit, start, (t, y))
    np.testing.assert_allclose(found.x["heights"], [2.0, -0.3], rtol=1e-8)
    np.testing.assert_allclose(found.x["rate"], 0.8, rtol=1e-8)
    cost = lambda p, t, y: sum(np.sum(r**2) for r in misfit(p, t, y).values())
    again = bfgs(cost, start, (t, y))
    np.testing.assert_allclose(again.x["heights"], [2.0, -0.3], rtol=1e-6)
    listed = lbfgs(banana, [0, 0])  # a list of numbers is an array, as for SciPy
    np.testing.assert_allclose(listed.x, [1.0, 1.0], rtol=1e-6)


# --------------------------------------------------------------------------------------
# Against SciPy


def decay(p, t, y):
    return p[0] * np.exp(-p[1] * t) + p[2] - y


def fits(count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    t = np.linspace(0, 4, 20)
    p = rng.uniform([1.0, 0.5, -0.5], [3.0, 2.0, 0.5], size=(count, 3))
    return t, p[:, :1] * np.exp(-p[:, 1:2] * t) + p[:, 2:] + 0.02 * rng.normal(size=(count, 20))


def test_many_fits_as_scipy() -> None:
    t, ys = fits(200)
    start = np.array([1.0, 1.0, 0.0])
    tight = dict(tol=1e-12, ftol=1e-14, xtol=1e-12)
    found = ft.jit(ft.vmap(lambda y: levenberg_marquardt(decay, start, (t, y), **tight)))(ys)
    assert np.all(found.success)
    for y, x, cost in zip(ys[:20], found.x, found.fun, strict=False):
        want = scipy.optimize.least_squares(
            decay, start, args=(t, y), method="lm", ftol=1e-15, xtol=1e-15, gtol=1e-15
        )
        np.testing.assert_allclose(x, want.x, rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(cost, want.cost, rtol=1e-12)


def test_bounds_as_scipy() -> None:
    t, ys = fits(6)
    lower, upper = np.array([0.0, 0.0, 0.05]), np.array([1.8, 5.0, np.inf])

    def fit(y):
        return levenberg_marquardt(
            decay,
            np.array([1.0, 1.0, 0.1]),
            (t, y),
            bounds=(lower, upper),
            tol=1e-14,
            ftol=0.0,
            xtol=1e-13,
        )

    found = ft.vmap(fit)(ys)
    held = 0
    for y, x in zip(ys, found.x, strict=True):
        want = scipy.optimize.least_squares(
            decay, [1.0, 1.0, 0.1], args=(t, y), bounds=(lower, upper), ftol=1e-15, xtol=1e-15,
            gtol=1e-14, x_scale="jac",
        )  # fmt: skip
        np.testing.assert_allclose(x, want.x, rtol=1e-5, atol=1e-6)
        held += np.any(np.isclose(x, lower) | np.isclose(x, upper))
    assert held > 1  # the bounds matter

    # What a bound holds does not follow the data; the rest does as differences say.
    rows = ft.jacobian(lambda y: fit(y).x)(ys[0])
    h = 1e-5
    for j in (0, 7):
        e = h * (np.arange(20) == j)
        difference = (fit(ys[0] + e).x - fit(ys[0] - e).x) / (2 * h)
        np.testing.assert_allclose(rows[:, j], difference, rtol=1e-3, atol=1e-5)
    # One held by its bound moves with it.
    moved = ft.grad(lambda top: levenberg_marquardt(
        lambda x: x - 5.0, np.zeros(1), bounds=(None, top)).x[0])(2.0)  # fmt: skip
    assert moved == 1.0


def test_least_squares_derivative_has_second_derivatives() -> None:
    """With residuals that do not vanish the Gauss-Newton approximation would be wrong."""
    t, ys = fits(1)
    y = ys[0] + np.sin(3 * t)
    tight = dict(tol=1e-14, ftol=0.0, xtol=1e-14)
    fit = lambda y: levenberg_marquardt(decay, np.array([1.0, 1.0, 0.0]), (t, y), **tight).x
    rows = ft.jacrev(fit)(y)
    h = 1e-4
    for j in (1, 11):
        e = h * (np.arange(20) == j)
        np.testing.assert_allclose(rows[:, j], (fit(y + e) - fit(y - e)) / (2 * h), rtol=1e-5)


def test_closed_over_values_are_differentiated() -> None:
    def lowest(a):
        return lbfgs(lambda x: np.sum((x - a) ** 2) + np.sum(x) ** 2, np.zeros(2))

    a = np.array([1.0, 2.0])
    want = np.array([[2.0, -1.0], [-1.0, 2.0]]) / 3
    np.testing.assert_allclose(ft.jacobian(lambda a: lowest(a).x)(a), want, atol=1e-8)
    np.testing.assert_allclose(ft.jit(ft.jacfwd(lambda a: lowest(a).x))(a), want, atol=1e-8)
    # The minimum itself: by the envelope theorem, with its second derivative.
    slope = ft.grad(lambda a: lowest(a).fun)
    np.testing.assert_allclose(slope(a), 2 * (a - lowest(a).x), atol=1e-7)
    np.testing.assert_allclose(ft.jacfwd(slope)(a), 2 * (np.eye(2) - want), atol=1e-7)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.floats(-3, 3), min_size=1, max_size=3),
    st.floats(0.1, 10),
    st.floats(0.1, 10),
)
def test_brackets_as_scipy(roots: list[float], left: float, right: float) -> None:
    """Odd powers of several roots: whichever is found, the signs change there."""
    f = lambda x: np.prod(np.stack([x - r for r in roots])) ** 3 * (1 + x * x)
    a, b = min(roots) - left, max(roots) + right
    for solver in (bisect, brentq):
        found = solver(f, a, b)
        if f(a) * f(b) > 0:
            assert found.status == Status.NO_BRACKET and found.x in (a, b)
            continue
        assert found.success
        assert np.min(np.abs(found.x - np.array(roots))) < 1e-4 or f(found.x) == 0
    if len(roots) == 1:
        want = scipy.optimize.brentq(f, a, b, xtol=1e-14, maxiter=1000)
        assert abs(bisect(f, a, b).x - roots[0]) < 1e-14 + 1e-14 * abs(roots[0])
        assert abs(brentq(f, a, b).x - want) < 1e-4


@settings(max_examples=30, deadline=None)
@given(st.floats(-2, 2), st.floats(0.1, 5), st.floats(0.1, 5))
def test_interval_minima_as_scipy(at: float, left: float, right: float) -> None:
    f = lambda x: np.cosh(x - at) + 0.1 * x
    for a, b in ((at - left, at + right), (at + right, at - left), (at + 1, at + 1 + right)):
        lowest = np.clip(at - np.arcsinh(0.1), min(a, b), max(a, b))
        for solver in (golden, fminbound):
            found = solver(f, a, b)
            assert found.success
            assert abs(found.x - lowest) < 1e-7 * max(1, abs(lowest))


# --------------------------------------------------------------------------------------
# What goes wrong

MINIMISERS = {"lbfgs": lbfgs, "bfgs": bfgs, "newton_cg": newton_cg}
MODES = {
    "eager": lambda f: f,
    "lanes": lambda f: lambda x: ft.tree.map(lambda y: y[1], ft.vmap(f)(np.stack([x + 0.1, x]))),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", MINIMISERS)
def test_failures_of_minimisers(name: str, mode: str) -> None:
    minimise = MINIMISERS[name]

    def status(f, x, **options):
        return MODES[mode](lambda x: minimise(f, x, **options))(np.asarray(x, float))

    # Outside of the domain: steps come back.
    barrier = status(lambda x: np.sum(x - np.log(x)), [5.0, 0.01])
    assert barrier.success
    np.testing.assert_allclose(barrier.x, [1.0, 1.0], rtol=1e-6)
    assert status(lambda x: np.sum(np.log(x)), [-1.0]).status == Status.NOT_FINITE
    assert status(lambda x: np.sum(x), [1.0, 2.0]).status == Status.UNBOUNDED
    assert status(lambda x: -np.exp(x[0]), [1.0]).status == Status.UNBOUNDED
    short = status(banana, [-1.2, 1.0], max_iterations=3)
    assert short.status == Status.MAX_ITERATIONS and short.iterations == 3
    assert short.fun < banana(np.array([-1.2, 1.0]))
    assert status(banana, [-1.2, 1.0], max_iterations=0).iterations == 0
    done = status(banana, [1.0, 1.0])
    assert (done.status, done.iterations) == (Status.GRADIENT, 0)
    # A tolerance out of reach ends where the function cannot be told apart any more.
    end = status(lambda x: 1e8 + np.sum((x - 0.3) ** 4 + x**2), [3.0, 4.0], tol=0.0)
    assert end.status in (Status.GRADIENT, Status.FUNCTION, Status.STEP)
    # A kink: no gradient there is small, and it ends all the same.
    kink = status(lambda x: np.sum(np.abs(x - 0.3)), [1.0, 2.5])
    assert kink.status != Status.MAX_ITERATIONS
    wall = status(lambda x: np.where(x[0] < 1.0, np.nan, x[0]), [2.0])
    assert 1.0 <= wall.x[0] < 2.0


def test_failures_compiled() -> None:
    """Each lane ends in its own way: at a minimum, at the start, without a bound, too late."""

    def f(x, kind):
        far = np.where(kind == 2, -np.exp(x[0]), banana(x))
        return np.where(kind == 1, np.nan, np.where(kind == 0, np.sum(x - np.log(x)), far))

    starts = np.array([[5.0, 0.01], [1.0, 1.0], [1.0, 1.0], [-1.2, 1.0]])
    for minimise in MINIMISERS.values():
        solve = ft.jit(ft.vmap(lambda x, k, m=minimise: m(f, x, (k,), max_iterations=36)))
        found = solve(starts, np.arange(4))
        status = [Status.GRADIENT, Status.NOT_FINITE, Status.UNBOUNDED, Status.MAX_ITERATIONS]
        assert found.status.tolist() == status
        np.testing.assert_allclose(found.x[0], 1.0, rtol=1e-6)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("solver", [levenberg_marquardt, gauss_newton])
def test_failures_of_least_squares(solver: Callable, mode: str) -> None:
    def solve(f, x, **options):
        return MODES[mode](lambda x: solver(f, x, **options))(np.asarray(x, float))

    assert solve(lambda x: np.sqrt(x - 3), [1.0]).status == Status.NOT_FINITE
    inside = solve(lambda x: np.log(x) - 1, [0.01])
    np.testing.assert_allclose(inside.x, np.e, rtol=1e-7)
    short = solve(corner, [-1.2, 1.0], max_iterations=2)
    assert short.status == Status.MAX_ITERATIONS and short.iterations == 2
    # Singular: only the sum is determined.
    flat = solve(lambda x: np.stack([x[0] + x[1] - 2, 2 * (x[0] + x[1]) - 4]), [3.0, 1.0])
    assert flat.success and abs(np.sum(flat.x) - 2) < 1e-7
    # An unknown that does nothing, fewer residuals than unknowns.
    idle = solve(lambda x: x[:1] ** 2 - 2, [1.0, 7.0])
    np.testing.assert_allclose(idle.x, [np.sqrt(2), 7.0], rtol=1e-7)


@pytest.mark.parametrize("solver", [newton_root, broyden])
def test_failures_of_roots(solver: Callable) -> None:
    assert solver(np.log, np.array([-1.0])).status == Status.NOT_FINITE
    assert solver(lambda x: x * x + 1, np.array([1.0])).status == Status.STALLED
    found = solver(np.log, np.array([30.0]))
    np.testing.assert_allclose(found.x, 1.0, rtol=1e-10)
    flat = solver(lambda x: np.stack([x[0] * x[1], x[0] + x[1]]), np.array([1.0, 1.0]))
    assert np.max(np.abs(flat.fun)) < 1e-5  # a double root: the Jacobian is singular there
    assert solver(corner, np.array([-1.2, 1.0]), max_iterations=1).status == Status.MAX_ITERATIONS


def test_failures_of_brackets() -> None:
    assert brentq(lambda x: np.sqrt(x), -1.0, 1.0).status == Status.NOT_FINITE
    assert brentq(lambda x: x, 1.0, 1e-300).status == Status.NO_BRACKET
    assert bisect(lambda x: x - 1, 0.0, 3.0, max_iterations=4).status == Status.MAX_ITERATIONS
    assert bisect(lambda x: x - 1, 1.0, 3.0).x == 1.0
    assert golden(lambda x: x * np.nan, 0.0, 1.0).status == Status.NOT_FINITE
    jump = brentq(lambda x: np.where(x < 0.4, -1.0, 2.0), 0.0, 1.0)
    assert jump.success and abs(jump.x - 0.4) < 1e-15
    statuses = ft.vmap(lambda a: brentq(lambda x: x - a, 0.0, 1.0))(np.array([0.5, 2.0, 0.2]))
    assert statuses.success.tolist() == [True, False, True]
    assert "1: the function has the same sign" in statuses.message


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda: lbfgs(lambda x: x, np.ones(2)), TypeError, "lbfgs.*single real number.*2"),
        (lambda: bfgs(np.sum, np.ones(2) * 1j), TypeError, "bfgs.*real.*c128.*imaginary"),
        (lambda: newton_cg(np.sum, np.ones(0)), ValueError, "at least one unknown"),
        (lambda: newton_cg(np.sum, np.ones(1), initial_radius=0), ValueError, "initial_radius"),
        (lambda: lbfgs(np.sum, np.ones(2), memory=0), ValueError, "memory.*at least 1"),
        (lambda: lbfgs(np.sum, np.ones(2), tol=-1.0), ValueError, "tol.*at least 0.*-1"),
        (lambda: bfgs(np.sum, np.ones(2), max_iterations=-1), ValueError, "max_iterations"),
        (lambda: newton_root(lambda x: x[:1], np.ones(2)), ValueError, "as many equations.*2.*1"),
        (lambda: levenberg_marquardt(lambda x: x * 1j, np.ones(2)), TypeError, "real.*c128"),
        (lambda: levenberg_marquardt(corner, np.ones(2), damping=0), ValueError, "damping"),
        (
            lambda: levenberg_marquardt(corner, np.ones(2), bounds=(np.ones(3), None)),
            ValueError,
            r"lower bound of shape \(2,\).*\(3,\)",
        ),
        (
            lambda: levenberg_marquardt(corner, np.ones(2), bounds=(1.0, np.array([2.0, 0.0]))),
            ValueError,
            "lower bounds below.*unknown 1",
        ),
        (lambda: levenberg_marquardt(corner, np.ones(2), bounds=3.0), TypeError, "pair"),
        (lambda: brentq(np.sin, np.ones(2), 2.0), TypeError, "single number.*vmap"),
        (lambda: golden(np.sin, {"a": 1.0}, 2.0), TypeError, "single number"),
    ],
)
def test_errors(call: Callable, error: type, said: str) -> None:
    with pytest.raises(error, match=said):
        call()


def test_derivatives_of_singular_solutions() -> None:
    """An error that says so; in a batch NaN for the lane, and the others keep theirs."""

    def lowest(a, weight):
        return np.sum(bfgs(lambda x: (x[0] + x[1] - a) ** 2 + weight * x[1] ** 2, np.ones(2)).x)

    with pytest.raises(np.linalg.LinAlgError, match=r"bfgs.*isolated.*singular"):
        ft.grad(lowest)(1.0, 0.0)
    for slopes in (ft.vmap(ft.grad(lowest)), ft.jit(ft.vmap(ft.grad(lowest)))):
        found = slopes(np.array([1.0, 2.0]), np.array([0.0, 1.0]))
        np.testing.assert_allclose(found, [np.nan, 1.0], atol=1e-6)
