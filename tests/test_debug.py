"""debug.print and debug.callback run once wherever values are; debug_nans names the first NaN."""

import threading

import numpy as np
import pytest

import functorch_like as ft
from functorch_like.graph_transforms import effectful, without_effects
from functorch_like.primitives.core import EVAL, state

SINE = float(np.sin(1.0))


def with_callbacks(seen):
    def f(x):
        ft.debug.callback(seen.append, x)
        y = np.sin(x)
        ft.debug.callback(seen.append, y)
        return y * 2

    return f


ONCE = {
    "plain": lambda f: f,
    "jit": ft.jit,
    "grad": ft.grad,
    "jit of grad": lambda f: ft.jit(ft.grad(f)),
    "grad of jit": lambda f: ft.grad(ft.jit(f)),
    "grad of grad": lambda f: ft.grad(ft.grad(f)),
    "jit of grad of grad": lambda f: ft.jit(ft.grad(ft.grad(f))),
    "jvp": lambda f: lambda x: ft.jvp(f, (x,), (1.0,)),
    "jit of jvp": lambda f: ft.jit(lambda x: ft.jvp(f, (x,), (1.0,))),
    "vjp": lambda f: lambda x: ft.vjp(f, x)[1](1.0),
    "linearize of jit": lambda f: lambda x: ft.linearize(ft.jit(f), x)[1](1.0),
    "hessian": ft.hessian,
    "graph": lambda f: lambda x: ft.make_graph(f)(x)(x),
}


@pytest.mark.parametrize("how", ONCE)
def test_callback_runs_once_a_run(how):
    seen = []
    g = ONCE[how](with_callbacks(seen))
    for _ in range(2):
        g(1.0)
        assert [float(x) for x in seen] == pytest.approx([1.0, SINE])
        seen.clear()


@pytest.mark.parametrize("how", ONCE)
def test_callback_in_a_scan_runs_once_a_step(how):
    seen = []

    def body(c, x):
        ft.debug.callback(seen.append, c)
        return c * x, None

    g = ONCE[how](lambda x: ft.scan(body, x, np.array([2.0, 3.0, 4.0]))[0])
    for _ in range(2):
        g(1.0)
        assert [float(x) for x in seen] == [1.0, 2.0, 6.0]
        seen.clear()


@pytest.mark.parametrize("how", ["plain", "jit", "grad", "jit of grad", "grad of jit"])
def test_callback_in_while_loops_and_branches(how):
    seen = []

    def step(c):
        ft.debug.callback(seen.append, c)
        return c * 2

    def shown(x):
        ft.debug.callback(seen.append, x)
        return x * 3

    def f(x):
        y = ft.while_loop(lambda c: c < 5, step, x)
        return ft.cond(y > 0, shown, lambda x: x, y)

    g = ONCE[how](f)
    g(1.0)
    assert [float(x) for x in seen] == [1.0, 2.0, 4.0, 8.0]


@pytest.mark.parametrize("jitted", [False, True])
def test_vmap_calls_once_a_lane_in_order(jitted):
    seen = []
    f = ft.vmap(with_callbacks(seen))
    (ft.jit(f) if jitted else f)(np.arange(3.0))
    assert [float(x) for x in seen] == pytest.approx([*range(3), *np.sin(np.arange(3))])
    seen.clear()

    def pair(x, y):
        ft.debug.callback(lambda a, b: seen.append((float(a), float(b))), x, y)
        return x

    g = ft.vmap(ft.vmap(pair, in_axes=(0, None)), in_axes=(None, 0))
    (ft.jit(g) if jitted else g)(np.array([1.0, 2.0]), np.array([3.0, 4.0, 5.0]))
    assert seen == [(a, b) for b in (3.0, 4.0, 5.0) for a in (1.0, 2.0)]


def test_vmap_of_data_dependent_control_flow_calls_for_the_lanes_that_come_there():
    seen = []

    def step(c):
        ft.debug.callback(seen.append, c)
        return c * 2

    ft.jit(ft.vmap(lambda x: ft.while_loop(lambda c: c < 5, step, x)))(np.array([1.0, 3.0, 9.0]))
    assert [float(x) for x in seen] == [1.0, 2.0, 4.0, 3.0]


def test_nothing_is_dropped_or_shared():
    seen = []

    def body(c, x):
        ft.debug.callback(seen.append, c)
        return c * x, None

    @ft.jit
    def f(x):
        xs = np.array([2.0, 3.0])
        ft.scan(body, x, xs)  # equal, and read by nobody
        ft.scan(body, x, xs)
        ft.debug.callback(seen.append, x)
        ft.debug.callback(seen.append, x)

    assert f(1.0) is None
    assert [float(x) for x in seen] == [1.0, 2.0, 1.0, 2.0, 1.0, 1.0]
    graph = f.lower(1.0).graph
    assert sum(map(effectful, graph.equations)) == 4
    assert not any(map(effectful, without_effects(graph).equations))
    plain = ft.make_graph(np.sin)(1.0)
    assert without_effects(plain) is plain


def test_values_may_be_kept_and_written():
    kept = []

    @ft.jit
    def f(x):
        y = x + 1
        ft.debug.callback(lambda a: (kept.append(a), a.fill(9.0) if len(kept) == 1 else None), y)
        return y * 2

    np.testing.assert_array_equal(f(np.ones(3)), 4.0)
    f(np.zeros(3))
    np.testing.assert_array_equal(kept[0], 9.0)
    np.testing.assert_array_equal(kept[1], 1.0)
    x = np.ones(2)
    ft.debug.callback(lambda a: a.fill(5.0), x)
    np.testing.assert_array_equal(x, 1.0)


def test_callback_may_use_the_library_and_itself():
    seen = []
    inner = ft.jit(lambda x: x * 3)

    @ft.jit
    def f(x):
        ft.debug.callback(lambda a: seen.append((float(inner(a)), float(ft.grad(np.sin)(a)))), x)
        return inner(x)

    assert float(ft.grad(f)(0.0)) == 3.0
    assert seen == [(0.0, 1.0)]


def test_print(capsys):
    @ft.jit
    def f(x):
        ft.debug.print("{:.2f} of {name} {tree}", x, name="x", tree={"a": (x, 1)})
        ft.debug.print("done")
        return x

    f(1.5)
    assert capsys.readouterr().out.splitlines()[0].startswith("1.50 of x {'a': (")
    f(2.0)
    assert capsys.readouterr().out.splitlines()[-1] == "done"
    with pytest.raises(TypeError, match="expected a format string"):
        ft.debug.print(1.0)
    with pytest.raises(TypeError, match="expected a function"):
        ft.debug.callback("x")


def test_errors_of_a_callback_end_the_program():
    def refuse(x):
        raise ValueError(f"no {x}")

    def f(x):
        ft.debug.callback(refuse, x)
        return x

    for g in (f, ft.jit(f), ft.grad(f)):
        with pytest.raises(ValueError, match="no 1"):
            g(1.0)


@ft.script
def scripted(x, note):
    s = x * 0
    for _ in range(3):
        if s < 1.5:
            ft.debug.callback(note, s)
        s = s + x
    while s > 1.0:
        ft.debug.callback(note, s)
        s = s / 2
    return s


@pytest.mark.parametrize("how", ["plain", "jit", "grad", "jit of grad", "grad of jit"])
def test_callback_in_a_scripted_branch_that_assigns_nothing(how):
    seen = []
    ONCE[how](lambda x: scripted(x, seen.append))(1.0)
    assert [float(x) for x in seen] == [0.0, 1.0, 3.0, 1.5]


@pytest.mark.parametrize("how", ["grad", "jit of grad", "grad of jit"])
def test_callback_sees_cotangents_in_a_custom_rule(how):
    seen = []

    @ft.custom_vjp
    def double(x):
        return x * 2

    def backward(_, ct):
        ft.debug.callback(seen.append, ct)
        return (ct * 2,)

    double.defvjp(lambda x: (double(x), None), backward)
    for f in (
        lambda x: double(double(double(x))),
        lambda x: ft.scan(lambda c, _: (double(c), None), x, None, length=3)[0],
        lambda x: ft.while_loop(lambda c: c < 7, double, x),
    ):
        assert float(ONCE[how](f)(1.0)) == 8.0
        assert [float(x) for x in seen] == [1.0, 2.0, 4.0]
        seen.clear()


def test_refusals():
    @ft.custom_jvp
    def f(x):
        return x * 2

    @f.defjvp
    def rule(primals, tangents):
        ft.debug.callback(lambda t: None, tangents[0])
        return primals[0] * 2, tangents[0] * 2

    with pytest.raises(TypeError, match="a tangent that is"):
        ft.grad(f)(1.0)
    assert ft.jvp(f, (1.0,), (1.0,))[1] == 2.0
    with pytest.raises(TypeError, match=r"debug\.callback"):
        print(ft.jit(with_callbacks([])).lower(1.0).code)


# --------------------------------------------------------------------------------------
# debug_nans


def logarithm(x):
    y = x - 3.0
    z = np.log(y)  # the culprit
    return np.sum(z * x)


FORWARD = {
    "jit": ft.jit,
    "grad": ft.grad,
    "jit of grad": lambda f: ft.jit(ft.grad(f)),
    "grad of jit": lambda f: ft.grad(ft.jit(f)),
    "jvp": lambda f: lambda x: ft.jvp(f, (x,), (x,)),
    "hessian": ft.hessian,
    "linearize": lambda f: lambda x: ft.linearize(f, x),
    "vmap": lambda f: lambda x: ft.vmap(f)(x[None]),
}


@pytest.mark.parametrize("how", FORWARD)
def test_nan_forward(how):
    g = FORWARD[how](logarithm)
    with (
        ft.debug_nans(),
        pytest.raises(
            FloatingPointError,
            match=r"log made NaN in 1 of 3 .*test_debug\.py.*the culprit.*-2.0 to 2",
        ),
    ):
        g(np.array([1.0, 4.0, 5.0]))
    assert state.trace is EVAL
    with np.errstate(all="ignore"):
        g(np.array([1.0, 4.0, 5.0]))  # off again
    with ft.debug_nans():
        g(np.array([4.0, 4.5, 5.0]))


def norm(x):
    n = np.sqrt(np.sum(x * x))  # not differentiable at 0
    return n * 2


BACKWARD = {
    "grad": ft.grad,
    "jit of grad": lambda f: ft.jit(ft.grad(f)),
    "grad of jit": lambda f: ft.grad(ft.jit(f)),
    "jacrev": ft.jacrev,
    "vmap of grad": lambda f: lambda x: ft.vmap(ft.grad(f))(x[None]),
    "vjp": lambda f: lambda x: ft.vjp(f, x)[1](1.0),
}


@pytest.mark.parametrize("how", BACKWARD)
def test_nan_backward_names_the_forward_line(how):
    g = BACKWARD[how](norm)
    with (
        np.errstate(all="ignore"),
        ft.debug_nans(),
        pytest.raises(
            FloatingPointError,
            match=r"made NaN in 3 of 3 elements, in the derivative of .*not differentiable at 0",
        ),
    ):
        g(np.zeros(3))


@pytest.mark.parametrize("how", ["jit", "grad", "jit of grad", "grad of jit"])
def test_nan_in_loops(how):
    def body(c, x):
        d = c - x
        return np.sqrt(d), d  # the root

    g = FORWARD[how](lambda x: ft.scan(body, x, np.ones(3))[0])
    with ft.debug_nans(), pytest.raises(FloatingPointError, match=r"sqrt made NaN.*the root"):
        g(1.5)

    def flat(c, x):
        d = c * c  # times infinity
        return np.sqrt(d), None

    if "grad" in how:
        h = FORWARD[how](lambda x: ft.scan(flat, x, np.ones(3))[0])
        with (
            np.errstate(all="ignore"),
            ft.debug_nans(),
            pytest.raises(FloatingPointError, match=r"the derivative of .*times infinity"),
        ):
            h(0.0)


def test_plain_numpy_is_asked_itself():
    def plain(x):
        return np.log(x)  # on an array

    with ft.debug_nans(), pytest.raises(FloatingPointError, match=r"NumPy met .*on an array"):
        plain(np.array(-1.0))
    with ft.debug_nans():
        plain(np.array(1.0))
        np.nanmean(np.array([1.0, np.nan]))


def test_what_is_let_pass():
    f = ft.jit(lambda x: np.sin(x) / 2)
    with ft.debug_nans():
        assert np.isnan(f(np.nan))  # it came with the argument
        assert np.isinf(ft.jit(lambda x: 1 / x)(0.0))
        with ft.debug_nans(False):
            with np.errstate(all="ignore"):
                assert np.isnan(ft.jit(np.log)(-1.0))
            with pytest.warns(RuntimeWarning, match="invalid"):
                np.log(np.array(-1.0))
        with pytest.raises(FloatingPointError, match="log"):
            ft.jit(np.log)(-1.0)
    with ft.debug_nans(infs=True), pytest.raises(FloatingPointError, match="divide made inf"):
        ft.jit(lambda x: 1 / x)(0.0)


def test_values_are_the_same_while_it_is_on():
    def f(x):
        y = np.linalg.inv(x @ x.T + np.eye(3))
        z = ft.fori_loop(0, 3, lambda i, c: np.tanh(c + y), y)
        return np.sum(z * np.where(x > 0, x, 0.0))

    x = np.random.default_rng(0).normal(size=(3, 3))
    for g in (f, ft.jit(f), ft.grad(f), ft.jit(ft.grad(f)), ft.hessian(f), ft.jit(ft.hessian(f))):
        expected = g(x)
        with ft.debug_nans():
            found = g(x)
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


def test_callbacks_run_once_while_it_is_on():
    for how in ONCE:
        seen = []
        with ft.debug_nans():
            ONCE[how](with_callbacks(seen))(1.0)
        assert [float(x) for x in seen] == pytest.approx([1.0, SINE]), how


def test_nans_are_looked_for_in_this_thread_only():
    found = []

    def other():
        with np.errstate(all="ignore"):
            found.append(float(ft.grad(np.log)(-1.0)))
            found.append(float(ft.jit(np.log)(-1.0)))

    with ft.debug_nans():
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert found[0] == -1.0
    assert np.isnan(found[1])


def test_entering_inside_a_transform_is_refused():
    def f(x):
        with ft.debug_nans():
            return x * 2

    with pytest.raises(RuntimeError, match=r"outside of all transforms; got inside grad\(f\)"):
        ft.grad(f)(1.0)
