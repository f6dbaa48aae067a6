"""Initial-value problems: SciPy's steps, closed forms, differences, adjoints and events."""

import numpy as np
import pytest
import scipy.integrate as reference

import functorch_like as ft
from functorch_like.scipy.integrate import odeint, solve_ivp

METHODS = ["RK23", "RK45", "DOP853", "Radau"]
TIGHT = {"rtol": 1e-10, "atol": 1e-12}


def predators(t, y, a, b):
    return [a * y[0] - b * y[0] * y[1], -1.5 * y[1] + 0.3 * y[0] * y[1]]


def oscillator(t, y, k):
    return np.stack([y[1], -k * y[0]])


def value(x):
    return x.concrete() if isinstance(x, ft.primitives.core.Tracer) else x


def traced(call):
    """What ``call`` returns when it runs on traced values, as plain values."""
    kept = []

    def run(one):
        kept.append(call(one))
        return one

    ft.jvp(run, (1.0,), (1.0,))
    return kept[0]


# --------------------------------------------------------------------------------------
# Values


@pytest.mark.parametrize("method", ["RK23", "RK45", "DOP853"])
@pytest.mark.parametrize("span", [(0.0, 5.0), (2.0, -1.0)])
def test_steps_are_those_of_scipy(method, span):
    args = (1.1, 0.4)
    wanted = reference.solve_ivp(predators, span, [2.0, 1.0], method, args=args, dense_output=True)
    got = traced(
        lambda one: solve_ivp(
            predators, span, [2.0 * one, 1.0], method, args=args, dense_output=True
        )
    )
    np.testing.assert_allclose(value(got.t), wanted.t, rtol=1e-12)
    np.testing.assert_allclose(value(got.y), wanted.y, rtol=1e-9)
    assert (got.status, got.success) == (wanted.status, wanted.success)
    if method != "DOP853":  # SciPy makes three more stages a step for the interpolant
        assert got.nfev == wanted.nfev
    assert got.message == wanted.message


@pytest.mark.parametrize("method", ["RK23", "RK45", "DOP853"])
def test_values_at_times_compiled_and_batched(method):
    times = np.linspace(0.0, 5.0, 9)
    f = lambda a: solve_ivp(predators, (0, 5), [2.0, 1.0], method, times, args=(a, 0.4)).y
    wanted = [
        reference.solve_ivp(predators, (0, 5), [2.0, 1.0], method, times, args=(a, 0.4)).y
        for a in (1.1, 1.3)
    ]
    np.testing.assert_allclose(f(1.1), wanted[0], rtol=1e-13)
    np.testing.assert_allclose(ft.jit(f)(1.1), wanted[0], rtol=1e-9)
    np.testing.assert_allclose(ft.vmap(f)(np.array([1.1, 1.3])), wanted, rtol=1e-9)
    np.testing.assert_allclose(ft.jit(ft.vmap(f))(np.array([1.1, 1.3])), wanted, rtol=1e-9)


def test_each_lane_takes_its_own_steps():
    count = lambda k: solve_ivp(oscillator, (0, 10), [1.0, 0.0], t_eval=[10.0], args=(k,)).nfev
    ks = np.array([1.0, 25.0])
    wanted = [reference.solve_ivp(oscillator, (0, 10), [1.0, 0.0], args=(k,)).nfev for k in ks]
    assert list(ft.vmap(count)(ks)) == wanted
    assert list(ft.jit(ft.vmap(count))(ks)) == wanted


def test_plain_arguments_go_to_scipy():
    made = solve_ivp(lambda t, y: -y, (0, 1), [1.0], "LSODA")
    assert isinstance(made, reference._ivp.ivp.OdeResult)


def test_radau_on_a_stiff_problem():
    def stiff(t, y, mu):
        return [y[1], mu * (1 - y[0] ** 2) * y[1] - y[0]]

    f = lambda mu: solve_ivp(
        stiff, (0.0, 20.0), [2.0, 0.0], "Radau", [20.0], args=(mu,), rtol=1e-7, atol=1e-9
    )
    wanted = reference.solve_ivp(
        stiff, (0.0, 20.0), [2.0, 0.0], "Radau", args=(100.0,), rtol=1e-10, atol=1e-12
    )
    got = ft.jit(f)(100.0)
    np.testing.assert_allclose(got.y[:, 0], wanted.y[:, -1], rtol=1e-5)
    end = lambda mu: f(mu).y[0, 0]
    h = 1e-2
    difference = (ft.jit(end)(100.0 + h) - ft.jit(end)(100.0 - h)) / (2 * h)
    np.testing.assert_allclose(ft.jit(ft.grad(end))(100.0), difference, rtol=1e-3)


def test_complex_states():
    f = lambda w: solve_ivp(
        lambda t, y: 1j * w * y, (0.0, 2.0), [1.0 + 0j], t_eval=[2.0], **TIGHT
    ).y[0, 0]
    y, t = ft.jvp(f, (1.3,), (1.0,))
    np.testing.assert_allclose(y, np.exp(2.6j), rtol=1e-8)
    np.testing.assert_allclose(t, 2j * np.exp(2.6j), rtol=1e-7)
    real = lambda w: f(w).real
    np.testing.assert_allclose(ft.grad(real)(1.3), -2 * np.sin(2.6), rtol=1e-7)


# --------------------------------------------------------------------------------------
# Derivatives


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("adjoint", ["discrete", "continuous"])
def test_exponential_in_everything(method, adjoint):
    """y = y0 exp(-k (t1^2 - t0^2) / 2): derivatives in y0, k, t0, t1."""
    exact = lambda y0, k, t0, t1: y0 * np.exp(-k * (t1**2 - t0**2) / 2)

    def f(y0, k, t0, t1):
        made = solve_ivp(
            lambda t, y: -k * t * y, (t0, t1), y0[None], method, t1[None],
            adjoint=adjoint, rtol=tol, atol=0.01 * tol,
        )  # fmt: skip
        return made.y[0, 0]

    tol, close = (1e-6, 1e-4) if method in ("RK23", "Radau") else (1e-9, 3e-6)
    at = tuple(map(np.float64, (1.5, 0.7, 0.3, 1.4)))
    every = (0, 1, 2, 3)
    wanted = ft.grad(exact, every)(*at)
    np.testing.assert_allclose(ft.grad(f, every)(*at), wanted, rtol=close)
    np.testing.assert_allclose(ft.jacfwd(f, every)(*at), wanted, rtol=close)
    if method in ("RK45",):
        np.testing.assert_allclose(ft.jit(ft.grad(f, every))(*at), wanted, rtol=close)


@pytest.mark.parametrize("adjoint", ["discrete", "continuous"])
def test_second_derivatives(adjoint):
    """Harmonic oscillator: y = cos(sqrt(k) t)."""
    times = np.array([0.5, 1.2])
    f = lambda k: np.sum(
        solve_ivp(
            oscillator,
            (0, 1.2),
            [1.0, 0.0],
            "RK45",
            times,
            args=(k,),
            adjoint=adjoint,
            rtol=1e-8,
            atol=1e-10,
        ).y[0]
    )
    exact = lambda k: np.sum(np.cos(np.sqrt(k) * times))
    for second in (
        lambda f: ft.grad(ft.grad(f)),
        lambda f: lambda k: ft.jvp(ft.grad(f), (k,), (1.0,))[1],
        lambda f: ft.grad(lambda k: ft.jvp(f, (k,), (1.0,))[1]),
    ):
        np.testing.assert_allclose(second(f)(2.0), second(exact)(2.0), rtol=1e-5)
    if adjoint == "discrete":
        np.testing.assert_allclose(ft.jit(ft.hessian(f))(2.0), ft.hessian(exact)(2.0), rtol=1e-5)


def test_adjoints_agree_with_each_other_and_with_differences():
    times = np.linspace(0.5, 4.0, 5)
    weights = np.random.default_rng(3).normal(size=(2, 5))

    def loss(p, adjoint="discrete"):
        made = solve_ivp(
            lambda t, y: predators(t, y, p[0], p[1]), (0.0, 4.0), p[2:], "DOP853", times,
            adjoint=adjoint, **TIGHT,
        )  # fmt: skip
        return np.sum(weights * made.y)

    p = np.array([1.1, 0.4, 2.0, 1.0])
    g = ft.grad(loss)(p)
    h = 1e-5
    differences = [(loss(p + h * e) - loss(p - h * e)) / (2 * h) for e in np.eye(4)]
    np.testing.assert_allclose(g, differences, rtol=1e-6)
    np.testing.assert_allclose(ft.grad(lambda p: loss(p, "continuous"))(p), g, rtol=1e-7)
    np.testing.assert_allclose(ft.jacfwd(loss)(p), g, rtol=1e-10)
    np.testing.assert_allclose(ft.jit(ft.grad(loss))(p), g, rtol=1e-9)


def test_closed_over_parameters_and_steps_without_t_eval():
    def last(p):
        made = solve_ivp(lambda t, y: -p["k"] * y + p["c"], (0.0, 1.0), p["y0"], **TIGHT)
        return made.y[0, -1]

    p = {"k": np.float64(2.0), "c": np.float64(0.5), "y0": np.array([1.0])}
    exact = lambda p: (p["y0"][0] - p["c"] / p["k"]) * np.exp(-p["k"]) + p["c"] / p["k"]
    got, wanted = ft.grad(last)(p), ft.grad(exact)(p)
    for key in p:
        np.testing.assert_allclose(got[key], wanted[key], rtol=1e-7)


def test_derivative_in_t_eval_is_the_slope():
    f = lambda times: solve_ivp(oscillator, (0.0, 2.0), [1.0, 0.0], "DOP853", times, args=(4.0,),
                                **TIGHT).y[0]  # fmt: skip
    times = np.array([0.0, 0.4, 1.7, 2.0])
    np.testing.assert_allclose(ft.jacobian(f)(times), np.diag(-2 * np.sin(2 * times)), atol=1e-7)


def test_kepler_keeps_its_energy_and_the_derivative_of_it():
    def orbit(t, y):
        r3 = (y[0] ** 2 + y[1] ** 2) ** 1.5
        return [y[2], y[3], -y[0] / r3, -y[1] / r3]

    def energy(s):
        return 0.5 * (s[2] ** 2 + s[3] ** 2) - 1 / np.sqrt(s[0] ** 2 + s[1] ** 2)

    at_end = lambda s: energy(solve_ivp(orbit, (0.0, 5.0), s, "RK45", [5.0], **TIGHT).y[:, 0])
    s = np.array([0.5, 0.0, 0.1, 1.6])
    np.testing.assert_allclose(at_end(s), energy(s), rtol=1e-8)
    np.testing.assert_allclose(ft.jit(ft.grad(at_end))(s), ft.grad(energy)(s), atol=1e-6)


def test_flow_of_a_hamiltonian_is_symplectic():
    flow = lambda s: solve_ivp(
        lambda t, y: [y[1], -np.sin(y[0])], (0.0, 3.0), s, "DOP853", [3.0], **TIGHT
    ).y[:, 0]
    j = ft.jacrev(flow)(np.array([1.0, 0.3]))
    np.testing.assert_allclose(np.linalg.det(j), 1.0, rtol=1e-8)


def test_odeint():
    times = np.linspace(0.0, 2.0, 5)
    wanted = reference.odeint(lambda y, t, k: -k * y, [1.0], times, (1.5,))
    f = lambda k: odeint(lambda y, t, k: -k * y, [1.0], times, (k,))
    np.testing.assert_allclose(ft.jit(f)(1.5), wanted, rtol=1e-6)
    np.testing.assert_allclose(
        ft.jacobian(f)(1.5)[:, 0], -times * np.exp(-1.5 * times), rtol=1e-5, atol=1e-9
    )
    first = lambda k: odeint(lambda t, y, k: -k * y, [1.0], times, (k,), tfirst=True)
    np.testing.assert_allclose(ft.jvp(first, (1.5,), (0.0,))[0], wanted, rtol=1e-6)


# --------------------------------------------------------------------------------------
# Events


def fall(t, s, g):
    return [s[1], -g]


def ground(t, s, g):
    return s[0]


ground.terminal = True
ground.direction = -1


def apex(t, s, g):
    return s[1]


def test_time_of_a_terminal_event_in_every_mode():
    def hit(h, g):
        made = solve_ivp(
            fall, (0.0, 10.0), np.stack([h, 0.0 * h]), t_eval=[0.1], args=(g,), events=ground
        )
        return made.t_events[0][0]

    exact = lambda h, g: np.sqrt(2 * h / g)
    at = (3.0, 9.81)
    for transform in (
        lambda f: f,
        lambda f: ft.grad(f, (0, 1)),
        lambda f: ft.jacfwd(f, (0, 1)),
        lambda f: ft.hessian(f, (0, 1)),
    ):
        wanted = ft.tree.leaves(transform(exact)(*at))
        np.testing.assert_allclose(ft.tree.leaves(transform(hit)(*at)), wanted, rtol=1e-8)
    np.testing.assert_allclose(
        ft.jit(ft.grad(hit, (0, 1)))(*at), ft.grad(exact, (0, 1))(*at), rtol=1e-8
    )
    heights = np.array([1.0, 2.0])
    np.testing.assert_allclose(
        ft.vmap(ft.grad(hit), (0, None))(heights, 9.81),
        [ft.grad(exact)(h, 9.81) for h in heights],
        rtol=1e-8,
    )


def test_bouncing_ball():
    """Three bounces, each an event; the speed halves. Time of the third in closed form."""

    def third(h, g):
        t, s = 0.0 * h, np.stack([h, 0.0 * h])
        for _ in range(3):
            made = solve_ivp(fall, (t, t + 10.0), s, args=(g,), events=ground, max_step=1.0)
            t = made.t_events[0][0]
            s = np.stack([1e-12 + 0.0 * h, -0.5 * made.y_events[0][0, 1]])
        return t

    exact = lambda h, g: np.sqrt(2 * h / g) * (1 + 2 * 0.5 + 2 * 0.25)
    np.testing.assert_allclose(third(2.0, 9.81), exact(2.0, 9.81), rtol=1e-8)
    np.testing.assert_allclose(
        ft.grad(third, (0, 1))(2.0, 9.81), ft.grad(exact, (0, 1))(2.0, 9.81), rtol=1e-7
    )


def test_events_are_those_of_scipy():
    kept = []

    def f(v):
        made = solve_ivp(fall, (0.0, 10.0), [0.5, v], args=(9.81,), events=[ground, apex])
        kept.append(made)
        return made.t_events[1][0]

    np.testing.assert_allclose(ft.grad(f)(4.0), 1 / 9.81)
    wanted = reference.solve_ivp(fall, (0.0, 10.0), [0.5, 4.0], args=(9.81,), events=[ground, apex])
    got = kept[0]
    assert got.status == wanted.status == 1
    np.testing.assert_allclose(value(got.t), wanted.t, rtol=1e-10)
    for mine, theirs in zip(got.t_events, wanted.t_events, strict=True):
        np.testing.assert_allclose(value(mine), theirs, rtol=1e-10)
    for mine, theirs in zip(got.y_events, wanted.y_events, strict=True):
        np.testing.assert_allclose(value(mine), theirs, rtol=1e-9, atol=1e-9)


def test_compiled_solution_ends_at_the_event():
    times = np.linspace(0.0, 1.0, 11)
    f = lambda g: solve_ivp(fall, (0.0, 1.0), [1.0, 0.0], t_eval=times, args=(g,), events=ground)
    got = ft.jit(f)(9.81)
    wanted = reference.solve_ivp(
        fall, (0.0, 1.0), [1.0, 0.0], t_eval=times, args=(9.81,), events=ground
    )
    count = wanted.y.shape[1]
    np.testing.assert_allclose(got.y[:, :count], wanted.y, rtol=1e-9, atol=1e-12)
    assert np.all(np.isnan(got.y[:, count:]))
    assert got.status == 1
    none = ft.jit(f)(0.5)
    assert none.status == 0
    assert np.isnan(none.t_events[0][0])
    assert np.all(np.isfinite(none.y))
    total = lambda g: np.sum(np.where(np.isnan(f(g).y), 0.0, f(g).y))
    exact = -0.5 * np.sum(times[:count] ** 2) - np.sum(times[:count])
    np.testing.assert_allclose(ft.jit(ft.grad(total))(9.81), exact, rtol=1e-8)


# --------------------------------------------------------------------------------------
# Errors


def decay(t, y):
    return -y


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda y: solve_ivp(decay, (0, 1), y[None, None]), r"expected y0 of a vector; got shape"),
        (lambda y: solve_ivp(lambda t, z: z[:0], (0, 1), y[None]), r"to return an array of shape"),
        (lambda y: solve_ivp(decay, (0, 1), y[None], "BDF"), r"use Radau for stiff"),
        (lambda y: solve_ivp(decay, 1.0, y[None]), r"expected t_span as a pair"),
        (lambda y: solve_ivp(decay, (0, 1), y[None], t_eval=[2.0]), r"expected t_eval within"),
        (lambda y: solve_ivp(decay, (0, 1), y[None], t_eval=[0.5, 0.1]), r"in the order of"),
        (lambda y: solve_ivp(decay, (0, 1), y[None], rtool=1), r"unknown options rtool"),
        (lambda y: solve_ivp(decay, (0, 1), y[None], adjoint="x"), r"'discrete' or 'continuous'"),
        (lambda y: solve_ivp(decay, (0, 1), y[None], adjoint="continuous"), r"write t_eval="),
    ],
)
def test_errors(call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        ft.grad(lambda y: call(y).y[0, -1])(1.0)


def test_errors_under_jit():
    with pytest.raises(TypeError, match=r"expected t_eval under vmap and jit"):
        ft.jit(lambda y: solve_ivp(decay, (0, 1), y).y)(np.ones(1))
    with pytest.raises(TypeError, match=r"expected terminal events under vmap and jit"):
        ft.jit(lambda y: solve_ivp(decay, (0, 1), y, t_eval=[1.0], events=lambda t, y: y[0]).y)(
            np.ones(1)
        )


def test_blow_up_is_reported():
    """y' = y^2 ends at t = 1: the steps get too small, as in SciPy."""
    kept = []

    def f(y0):
        made = solve_ivp(lambda t, y: y * y, (0.0, 2.0), y0)
        kept.append((made.status, made.success, made.message))
        return made.y[0, -1]

    with np.errstate(all="ignore"):
        ft.grad(lambda y: f(y[None]))(1.0)
    assert kept[0] == (-1, False, "Required step size is less than spacing between numbers.")
    g = lambda y0: solve_ivp(lambda t, y: y * y, (0.0, 2.0), y0[None], t_eval=[0.5, 2.0])
    made = ft.jit(g)(1.0)
    assert made.status == -1
    np.testing.assert_allclose(made.y[0, 0], 2.0, rtol=1e-3)
    assert np.isnan(made.y[0, 1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda y: solve_ivp(decay, (0, 1), []), r"y0 of at least one number"),
        (lambda y: solve_ivp(decay, (0, 1), y[None] * np.nan), r"y0 to be finite; got \[nan\]"),
        (lambda y: solve_ivp(decay, (0, np.nan), y[None]), r"t_span\[1\]; got NaN"),
        (lambda y: solve_ivp(lambda t, z: z / (y - 1.0), (0, 1), y[None]), r"fun\(t0, y0\) to be"),
    ],
)
def test_what_is_not_finite_at_the_start_is_an_error(call, message):
    with np.errstate(all="ignore"), pytest.raises(ValueError, match=message):
        ft.grad(lambda y: call(y).y[0, -1])(1.0)


def test_nan_in_a_compiled_solution_ends_it():
    f = lambda y0: solve_ivp(lambda t, y: y * (y0 - y0) / t, (0.0, 1.0), y0[None], t_eval=[1.0])
    with np.errstate(all="ignore"):
        made = ft.jit(f)(1.0)
    assert made.status == -1
    assert np.isnan(made.y).all()


def test_times_out_of_the_span_are_nan_under_jit():
    times = lambda k: np.stack([k * 0.5, k * 0.8])
    made = ft.jit(lambda k: solve_ivp(decay, (0.75, 1.0), [1.0], t_eval=times(k)).y[0])(1.0)
    assert np.isnan(made[0])
    np.testing.assert_allclose(made[1], np.exp(-0.05), rtol=1e-4)


def test_an_event_that_is_always_zero_happens_at_the_start():
    event = lambda t, y: 0.0 * y[0] * (t + 1)
    event.terminal = True
    want = reference.solve_ivp(decay, (0, 1), [1.0], events=event).t_events[0]
    with np.errstate(all="ignore"):
        got = ft.jvp(
            lambda y: solve_ivp(decay, (0, 1), y[None], events=event).t_events[0], (1.0,), (1.0,)
        )[0]
    np.testing.assert_array_equal(got, want)
