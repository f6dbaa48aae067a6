"""Implicit differentiation: linear solves, roots, fixed points, optima and black boxes."""

import numpy as np
import pytest
import scipy.linalg
import scipy.optimize

import functorch_like as ft
from functorch_like import implicit

RNG = np.random.default_rng(7)
A0 = RNG.normal(size=(4, 4)) + 4 * np.eye(4)
B0 = RNG.normal(size=4)


def agree(f, reference, *args, jit=True, rtol=1e-7):
    """Every mode of ``f`` gives the derivatives of ``reference``, to the order given."""

    def close(got, wanted):
        ft.tree.map(
            lambda x, y: np.testing.assert_allclose(x, y, rtol=rtol, atol=rtol), got, wanted
        )

    n = tuple(range(len(args)))
    batch = tuple(np.stack([np.asarray(a), np.asarray(a) * 1.01]) for a in args)
    transforms = [
        lambda g: g,
        lambda g: ft.jacfwd(g, n),
        lambda g: ft.jacrev(g, n),
        lambda g: ft.jacrev(ft.jacrev(g, n), n),
        lambda g: ft.jacrev(ft.jacfwd(g, n), n),
        lambda g: ft.jacfwd(ft.jacrev(g, n), n),
    ]
    for transform in transforms:
        wanted = transform(reference)(*args)
        close(transform(f)(*args), wanted)
        many = ft.vmap(transform(reference))(*batch)
        close(ft.vmap(transform(f))(*batch), many)
    if jit:  # the last one: forward over reverse
        close(ft.jit(transform(f))(*args), wanted)
        close(transform(ft.jit(f))(*args), wanted)
        close(ft.jit(ft.vmap(transform(f)))(*batch), many)


# --------------------------------------------------------------------------------------
# custom_linear_solve


def by_numpy(matvec, b):
    return np.linalg.solve(ft.vmap(matvec)(np.eye(len(b))).T, b)


def linear(a, b):
    return ft.custom_linear_solve(lambda x: a @ x, b, by_numpy, by_numpy)


def test_linear_solve_in_every_mode():
    agree(linear, np.linalg.solve, A0, B0)


def test_linear_solve_third_order():
    third = lambda f: ft.jacfwd(ft.jacrev(ft.jacfwd(lambda t: f(A0 + t * np.eye(4), B0 * t))))
    np.testing.assert_allclose(third(linear)(0.3), third(np.linalg.solve)(0.3), rtol=1e-9)


def test_linear_solve_by_conjugate_gradients():
    spd = A0 @ A0.T

    def f(d, b):
        a = spd + np.diag(d)
        return implicit.solve_cg(lambda x: a @ x, b)

    agree(f, lambda d, b: np.linalg.solve(spd + np.diag(d), b), np.ones(4), B0, jit=False)


def test_linear_solve_by_gmres():
    def f(a, b):
        return implicit.solve_gmres(lambda x: a @ x, b)

    agree(f, np.linalg.solve, A0, B0, rtol=1e-6, jit=False)
    np.testing.assert_allclose(ft.jit(ft.vmap(f))(A0[None], B0[None])[0], f(A0, B0), rtol=1e-9)


def test_gmres_restarts():
    n = 60
    a = np.diag(np.linspace(1, 3, n)) + 0.05 * RNG.normal(size=(n, n))
    b = RNG.normal(size=n)
    x = implicit.solve_gmres(lambda x: a @ x, b, restart=8)
    np.testing.assert_allclose(a @ x, b, atol=1e-10)


def test_linear_solve_symmetric_needs_no_transpose():
    spd = A0 @ A0.T
    f = lambda a, b: ft.custom_linear_solve(lambda x: a @ x, b, by_numpy, symmetric=True)
    got = ft.jacrev(f, (0, 1))(spd, B0)
    wanted = ft.jacrev(np.linalg.solve, (0, 1))(spd, B0)
    for x, y in zip(got, wanted, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-12)


def test_linear_solve_runs_the_solver_on_plain_values():
    seen = []

    def solve(matvec, b):
        seen.append(type(b))
        return scipy.linalg.solve(np.stack([matvec(e) for e in np.eye(4)]).T, b)

    f = lambda t: np.sum(ft.custom_linear_solve(lambda x: (A0 * t) @ x, B0 * t**2, solve, solve))
    got = ft.grad(ft.grad(f))(1.5)
    assert set(seen) == {np.ndarray}
    np.testing.assert_allclose(ft.grad(f)(1.5), np.sum(np.linalg.solve(A0, B0)))
    np.testing.assert_allclose(got, 0.0, atol=1e-12)


def test_linear_solve_of_pytrees_with_aux():
    def solve(matvec, b):
        return {"x": b["x"] / 2.0, "y": b["y"] / 3.0}, {"steps": np.int64(3)}

    def f(b):
        matvec = lambda v: {"x": 2.0 * v["x"], "y": 3.0 * v["y"]}
        x, aux = ft.custom_linear_solve(matvec, b, solve, solve, has_aux=True)
        assert aux["steps"].dtype == np.int64
        return np.sum(x["x"] ** 2) + x["y"]

    b = {"x": np.array([1.0, 2.0]), "y": np.float64(3.0)}
    for g in (ft.grad(f)(b), ft.jit(ft.grad(f))(b)):
        np.testing.assert_allclose(g["x"], [0.5, 1.0])
        np.testing.assert_allclose(g["y"], 1 / 3)
    _, t = ft.jvp(f, (b,), (b,))
    np.testing.assert_allclose(t, 2 * 1.25 + 1.0)


def test_linear_solve_complex():
    a = A0 + 1j * RNG.normal(size=(4, 4))
    b = B0 + 1j * RNG.normal(size=4)
    f = lambda a, b: np.sum(np.abs(linear(a, b)) ** 2)
    reference = lambda a, b: np.sum(np.abs(np.linalg.solve(a, b)) ** 2)
    for got, wanted in zip(ft.grad(f, (0, 1))(a, b), ft.grad(reference, (0, 1))(a, b), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-9)


def test_linear_solve_inside_loops_and_checkpoint():
    def looped(solve):
        def f(t):
            step = lambda x, s: (solve(A0 + t * s * np.eye(4), x) + t, x)
            return ft.scan(step, B0 * t, np.array([0.5, 1.0, 1.5]))

        return f

    for transform in (ft.jacfwd, ft.jacrev, lambda f: ft.jacfwd(ft.jacrev(f))):
        wanted = transform(looped(np.linalg.solve))(1.2)
        for made in (
            transform(looped(linear)),
            ft.jit(transform(looped(linear))),
            transform(ft.jit(looped(linear))),
            transform(ft.checkpoint(looped(linear))),
            ft.jit(transform(ft.checkpoint(looped(linear)))),
        ):
            for x, y in zip(made(1.2), wanted, strict=True):
                np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-12)


def test_linear_solve_batches_of_closures_only():
    f = lambda t: linear(A0 * t, B0)
    ts = np.array([1.0, 2.0])
    np.testing.assert_allclose(ft.vmap(f)(ts), np.stack([np.linalg.solve(A0, B0) / t for t in ts]))
    np.testing.assert_allclose(
        ft.vmap(ft.jacrev(f))(ts), np.stack([-np.linalg.solve(A0, B0) / t**2 for t in ts])
    )


# --------------------------------------------------------------------------------------
# custom_root


def newton(f, x):
    def step(x):
        return x - np.linalg.solve(ft.jacfwd(f)(x), f(x))

    return ft.while_loop(lambda x: np.max(np.abs(f(x))) > 1e-12, step, x)


def quadratic(x, p):
    """A system with a closed form: x0 = sqrt(p0), x1 = p1 / x0."""
    return np.stack([x[0] ** 2 - p[0], x[0] * x[1] - p[1]])


def quadratic_root(p):
    return np.stack([np.sqrt(p[0]), p[1] / np.sqrt(p[0])])


P0 = np.array([2.0, 0.7])


def test_root_in_every_mode():
    f = lambda p: ft.custom_root(
        lambda x: quadratic(x, p), np.ones(2), newton, implicit.solve_dense
    )
    agree(f, quadratic_root, P0)


def test_root_of_a_number_to_fourth_order():
    def square_root(a):
        return ft.custom_root(
            lambda x: x * x - a, 1.5, lambda f, x: np.sqrt(_plain(f, x)), lambda g, y: y / g(1.0)
        )

    def _plain(f, x):  # the constant of the equation, from values of f
        return x * x - f(x)

    derivative = square_root
    for order in range(5):
        wanted = [2.0, 1 / 4, -1 / 32, 3 / 256, -15 / 2048][order]
        np.testing.assert_allclose(derivative(4.0), wanted, rtol=1e-12)
        derivative = ft.grad(derivative)


def test_root_matrix_free():
    def tangent(g, y):
        return implicit.solve_gmres(g, y)

    f = lambda p: ft.custom_root(lambda x: quadratic(x, p), np.ones(2), newton, tangent)
    agree(f, quadratic_root, P0, rtol=1e-6, jit=False)


def test_root_aux_and_pytrees():
    def solve(f, guess):
        return {"a": quadratic_root(P0)[0], "b": quadratic_root(P0)[1]}, 17

    def f(p):
        residual = lambda x: dict(zip("ab", quadratic(np.stack([x["a"], x["b"]]), p), strict=True))
        x, count = ft.custom_root(
            residual, {"a": 1.0, "b": 1.0}, solve, implicit.solve_dense, has_aux=True
        )
        assert count == 17
        return np.stack([x["a"], x["b"]])

    for transform in (ft.jacfwd, ft.jacrev, lambda f: ft.jacfwd(ft.jacrev(f))):
        np.testing.assert_allclose(
            transform(f)(P0), transform(quadratic_root)(P0), rtol=1e-10, atol=1e-12
        )


def test_root_does_not_depend_on_the_guess():
    f = lambda guess: ft.custom_root(lambda x: x**2 - 2.0, guess, scalar_newton, scalar_tangent)
    assert ft.grad(f)(1.0) == 0.0
    assert ft.jvp(f, (1.0,), (1.0,))[1] == 0.0


def scalar_newton(f, x):
    return ft.while_loop(lambda x: np.abs(f(x)) > 1e-13, lambda x: x - f(x) / ft.grad(f)(x), x)


def scalar_tangent(g, y):
    return y / g(1.0)


def test_root_inside_a_root():
    def inner(a):
        return ft.custom_root(lambda x: x**3 - a, 1.0, scalar_newton, scalar_tangent)

    def outer(p):
        return ft.custom_root(lambda x: inner(x) - p, 1.0, scalar_newton, scalar_tangent)

    x = 1.3  # outer(p) = p^3
    np.testing.assert_allclose(outer(x), x**3)
    np.testing.assert_allclose(ft.grad(outer)(x), 3 * x**2)
    np.testing.assert_allclose(ft.grad(ft.grad(outer))(x), 6 * x)
    np.testing.assert_allclose(ft.jit(ft.grad(ft.grad(outer)))(x), 6 * x)


def test_root_in_loops():
    def f(a):
        step = lambda x, _: (
            ft.custom_root(lambda y: y * y - x - a, x, scalar_newton, scalar_tangent),
            None,
        )
        return ft.scan(step, a, None, length=3)[0]

    reference = lambda a: np.sqrt(np.sqrt(np.sqrt(2 * a) + a) + a)
    for g in (lambda f: f, ft.grad, lambda f: ft.grad(ft.grad(f))):
        np.testing.assert_allclose(g(f)(2.0), g(reference)(2.0), rtol=1e-9)
        np.testing.assert_allclose(ft.jit(g(f))(2.0), g(reference)(2.0), rtol=1e-9)
        np.testing.assert_allclose(g(ft.jit(f))(2.0), g(reference)(2.0), rtol=1e-9)
        np.testing.assert_allclose(g(ft.checkpoint(f))(2.0), g(reference)(2.0), rtol=1e-9)


def test_root_complex():
    """A holomorphic equation, and one that is not: the unknowns count as real pairs."""
    solve = lambda f, z: scipy_complex_newton(f, z)
    f = lambda a: ft.custom_root(lambda z: z**2 - a, 1.0 + 1.0j, solve, implicit.solve_dense)
    a = 0.3 + 2.0j
    np.testing.assert_allclose(ft.grad(f, holomorphic=True)(a), 0.5 / np.sqrt(a), rtol=1e-9)
    g = lambda a: ft.custom_root(
        lambda z: 2 * z + np.conj(z) - a,
        1.0 + 1.0j,
        lambda _, z: linear_root(a),
        implicit.solve_dense,
    )

    def linear_root(a):
        a = ft.stop_gradient(a)
        return a.real / 3 + 1j * a.imag

    got = ft.jvp(g, (a,), (1.0 + 1.0j,))[1]
    np.testing.assert_allclose(got, 1 / 3 + 1.0j, rtol=1e-9)
    ct = ft.vjp(g, a)[1](np.complex128(1.0 + 0.5j))[0]
    t = 0.7 - 0.2j
    pushed = ft.jvp(g, (a,), (t,))[1]
    np.testing.assert_allclose((ct * t).real, ((1.0 + 0.5j) * pushed).real, rtol=1e-9)


def scipy_complex_newton(f, z):
    for _ in range(30):
        z = z - f(z) / ((f(z + 1e-6) - f(z - 1e-6)) / 2e-6)
    return z


# --------------------------------------------------------------------------------------
# Black boxes and known solutions


def test_black_box_in_every_mode():
    def solver(p):
        assert type(p) is np.ndarray
        return scipy.optimize.root(quadratic, np.ones(2), (p,), tol=1e-13).x

    f = ft.implicit_function(solver, quadratic, result=ft.ShapedArray((2,), np.float64))
    agree(f, quadratic_root, P0)


def test_at_minimum():
    def objective(x, a):
        return np.sum((x - a) ** 4) + np.sum((x - a) ** 2) + np.sum(x) ** 2

    a0 = np.array([0.5, -1.0, 2.0])

    def f(a):
        start = ft.stop_gradient(a)
        x = scipy.optimize.minimize(objective, np.zeros(3), (np.asarray(_value(start)),), tol=1e-12)
        return implicit.at_minimum(objective, _refined(objective, x.x, _value(start)), (a,))

    x = f(a0)
    h = ft.hessian(objective)(x, a0)
    mixed = ft.jacfwd(ft.grad(objective), 1)(x, a0)
    wanted = -np.linalg.solve(h, mixed)
    np.testing.assert_allclose(ft.jacrev(f)(a0), wanted, rtol=1e-8)
    np.testing.assert_allclose(ft.jacfwd(f)(a0), wanted, rtol=1e-8)


def _value(x):
    return x.concrete() if isinstance(x, ft.primitives.core.Tracer) else x


def _refined(objective, x, a):
    for _ in range(5):
        x = x - np.linalg.solve(ft.hessian(objective)(x, a), ft.grad(objective)(x, a))
    return x


def test_at_least_squares_is_exact_where_residuals_are_not_zero():
    t = np.linspace(0, 1, 7)
    y0 = np.exp(-1.3 * t) + 0.3 * np.sin(9 * t)
    residuals = lambda p, y: p[0] * np.exp(-p[1] * t) - y

    def solver(y):
        x = scipy.optimize.least_squares(residuals, [1.0, 1.0], args=(y,), xtol=1e-15).x
        cost = lambda p: 0.5 * np.sum(residuals(p, y) ** 2)
        for _ in range(4):
            x = x - np.linalg.solve(ft.hessian(cost)(x), ft.grad(cost)(x))
        return x

    f = lambda y: implicit.at_least_squares(residuals, solver(_value(y)), (y,))
    got, h = ft.jacobian(f)(y0), 1e-4
    wanted = np.stack(
        [(solver(y0 + h * e) - solver(y0 - h * e)) / (2 * h) for e in np.eye(7)], axis=-1
    )
    np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-7)
    assert np.max(np.abs(residuals(solver(y0), y0))) > 0.05
    second = ft.jacfwd(ft.jacrev(f))(y0)
    moved = [(ft.jacobian(f)(y0 + h * e) - ft.jacobian(f)(y0 - h * e)) / (2 * h) for e in np.eye(7)]
    np.testing.assert_allclose(second, np.stack(moved, -1), rtol=1e-5, atol=1e-6)


def test_constrained_minimum_bounds_equalities_and_inequalities():
    """The nearest point of a simplex: closed form by sorting (projection)."""
    a0 = np.array([0.9, 0.6, -0.7, 0.3])

    def project(a):  # threshold of the positive part; the active set is the same nearby
        k = 3
        top = np.sort(a)[::-1][:k]
        return np.maximum(a - (np.sum(top) - 1) / k, 0.0)

    x = project(a0)
    assert np.sum(x > 0) == 3
    objective = lambda x, a: np.sum((x - a) ** 2)
    total = lambda x, a: np.sum(x)[None] - 1.0
    wanted = ft.jacobian(project)(a0)
    for options in (
        {"equality": total, "lower": 0.0},
        {"equality": total, "inequality": lambda x, a: x},
    ):
        f = lambda a, options=options: implicit.at_constrained_minimum(
            objective, x, (a,), **options
        )
        np.testing.assert_allclose(f(a0), x)
        np.testing.assert_allclose(ft.jacfwd(f)(a0), wanted, atol=1e-10)
        np.testing.assert_allclose(ft.jacrev(f)(a0), wanted, atol=1e-10)
        np.testing.assert_allclose(ft.jit(ft.jacrev(f))(a0), wanted, atol=1e-10)
    bound = lambda b: implicit.at_constrained_minimum(
        lambda x: np.sum((x - np.array([2.0, 0.5])) ** 2), np.array([1.0, 0.5]), upper=b
    )
    np.testing.assert_allclose(
        ft.jacobian(bound)(np.array([1.0, 3.0])), [[1, 0], [0, 0]], atol=1e-12
    )


# --------------------------------------------------------------------------------------
# fixed_point


def test_fixed_point_in_every_mode():
    m = 0.3 * A0 / np.linalg.norm(A0, 2)
    f = lambda t, b: ft.fixed_point(lambda x: t * (m @ x) + b, np.zeros(4))
    agree(f, lambda t, b: np.linalg.solve(np.eye(4) - t * m, b), 1.1, B0, rtol=1e-6)


@pytest.mark.parametrize("memory", [0, 1, 5])
def test_fixed_point_of_a_nonlinear_map(memory):
    f = lambda x, a: {"u": np.cos(a * x["v"]), "v": 0.5 * np.sin(x["u"])}
    start = {"u": np.float64(0.1), "v": np.float64(0.1)}
    x = ft.fixed_point(f, start, 0.9, memory=memory)
    np.testing.assert_allclose(x["u"], np.cos(0.9 * 0.5 * np.sin(x["u"])), rtol=1e-12)
    g = lambda a: ft.fixed_point(f, start, a, memory=memory)["u"]
    h = 1e-5
    np.testing.assert_allclose(ft.grad(g)(0.9), (g(0.9 + h) - g(0.9 - h)) / (2 * h), rtol=1e-8)


def test_fixed_point_counts():
    """Anderson's acceleration of a slow linear iteration ends in few applications."""
    calls = []
    m = np.diag(np.linspace(0.1, 0.99, 5))

    def f(x):
        calls.append(0)
        return m @ x + 1.0

    x = ft.fixed_point(f, np.zeros(5), memory=5)
    np.testing.assert_allclose(x, 1 / (1 - np.diag(m)), rtol=1e-9)
    assert len(calls) < 40


# --------------------------------------------------------------------------------------
# Errors


def test_solvers_in_python_under_jacfwd_and_hessian():
    """Where only tangents are a batch, the solver still gets plain values."""

    def by_scipy(f, x):
        assert type(x) is np.ndarray
        return scipy.optimize.root(f, x, tol=1e-13).x

    f = lambda p: ft.custom_root(
        lambda x: quadratic(x, p), np.ones(2), by_scipy, implicit.solve_dense
    )
    np.testing.assert_allclose(ft.jacfwd(f)(P0), ft.jacfwd(quadratic_root)(P0), rtol=1e-9)
    total = lambda g: lambda p: np.sum(g(p) ** 3)
    np.testing.assert_allclose(
        ft.hessian(total(f))(P0), ft.hessian(total(quadratic_root))(P0), rtol=1e-9
    )
    with pytest.raises(AssertionError):
        ft.vmap(f)(np.stack([P0, P0]))


def test_errors_say_what_was_wrong():
    with pytest.raises(
        TypeError, match=r"custom_root\(.*\): expected f to return .* f64\[2\]; got f64\[3\]"
    ):

        def f(x):
            return np.concatenate([x, x[:1]])

        ft.grad(
            lambda t: np.sum(
                ft.custom_root(lambda x: f(x * t), np.ones(2), lambda g, x: x, implicit.solve_dense)
            )
        )(1.0)


def test_whole_numbers_are_solved_for_as_others():
    for solve in (implicit.solve_dense, implicit.solve_cg, implicit.solve_gmres):
        np.testing.assert_allclose(solve(lambda t: 2 * t, np.array([1, 2])), [0.5, 1.0])
    slope = ft.grad(lambda a: ft.fixed_point(lambda x: np.cos(a * x), 1))(1.0)
    x = ft.fixed_point(np.cos, 1)
    np.testing.assert_allclose(slope, -x * np.sin(x) / (1 + np.sin(x)))


def test_equal_bounds_fix_an_unknown():
    f = lambda a: implicit.at_constrained_minimum(
        lambda x: np.sum((x - 3.0) ** 2) + x[0] * x[1],
        np.stack([a, 3.0 - a / 2]),
        lower=np.stack([a, -np.inf + 0 * a]),
        upper=np.stack([a, np.inf + 0 * a]),
    )
    np.testing.assert_allclose(ft.jacfwd(f)(1.0), [1.0, -0.5], rtol=1e-12)
    np.testing.assert_allclose(ft.jacrev(f)(1.0), [1.0, -0.5], rtol=1e-12)


def test_errors_of_solvers_and_solutions():
    with pytest.raises(TypeError, match=r"solve_dense\(.*of 2 real numbers.*returns 3"):
        implicit.solve_dense(lambda t: np.concatenate([t, t[:1]]), np.ones(2))
    with pytest.raises(TypeError, match=r"fixed_point\(.*like x0, float64\(\); got float64\(2,\)"):
        ft.fixed_point(lambda x: np.stack([x, x]), 1.0)
    with pytest.raises(TypeError, match=r"numbers in the initial guess; got int64"):
        ft.custom_root(lambda x: x - 1.0, 1, lambda f, x: x, lambda g, y: y)
    for transform in (ft.grad, ft.jacfwd):
        with pytest.raises(np.linalg.LinAlgError, match="expected a solution that its equation"):
            transform(lambda a: implicit.at_root(lambda x: (x - a) ** 2, 1.0))(1.0)
