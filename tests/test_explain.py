"""explain: what it says before anything runs is what happens when it does."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import classics
import numpy as np
import pytest

import functorch_like as ft
from functorch_like import ShapedArray
from functorch_like.explanation.retained import plain_bytes
from functorch_like.reverse import record

X = np.linspace(0.1, 1.0, 40)
A = np.linspace(-1, 1, 1600).reshape(40, 40)


def line(told: Any, source: str) -> Any:
    """What is told of the line that has the source."""
    (found,) = [x for x in told.lines if source in x.line]
    return found


# --- what is recorded ---------------------------------------------------------------------------


def test_lines_and_types() -> None:
    def f(x: Any, a: Any) -> Any:
        y = np.tanh(a @ x)
        z = np.float32(2) * x.astype(np.float32)
        return np.sum(y * y), z

    told = ft.explain(f, X, A)
    first = line(told, "np.tanh(a @ x)")
    assert first.primitives == {"contract": 1, "tanh": 1} and first.results == ("f64[40]",)
    assert first.flops == 2 * 40 * 40 + 40
    assert re.search(r"test_explain\.py:\d+: y = np\.tanh\(a @ x\)$", first.line)
    assert "f32[40]" in line(told, "np.float32(2)").results
    assert [(x.name, str(x.aval)) for x in told.inputs] == [("x", "f64[40]"), ("a", "f64[40,40]")]
    assert [str(x.aval) for x in told.outputs] == ["f64[]", "f32[40]"]
    assert told.how == "types" and told.compiles
    assert told.cost.flops + told.cost.transcendentals == sum(x.flops for x in told.lines)


def test_nothing_runs() -> None:
    def f(x: Any) -> Any:
        ft.debug.callback(lambda v: pytest.fail("it ran"), x)
        return np.sum(x @ x.T)

    told = ft.explain(f, ShapedArray((100_000, 100_000), float))
    assert told.how == "types" and told.cost.flops > 1e15
    assert ("debug_callback" in name for _, name in told.host_calls)


def test_pytrees_keywords_and_names() -> None:
    def f(p: Any, x: Any, *, scale: Any) -> Any:
        return {"out": (p["w"] * x[0] * scale, p["n"] + 1)}

    told = ft.explain(f, {"w": X, "n": 3}, (X, "text"), scale=2.0)
    assert [x.name for x in told.inputs] == ["p['n']", "p['w']", "x[0]", "scale"]
    assert [x.name for x in told.outputs] == ["result['out'][0]", "result['out'][1]"]


# --- derivatives --------------------------------------------------------------------------------


def test_where_derivatives_end() -> None:
    def f(x: Any, w: Any, unused: Any) -> Any:
        k = np.round(x)
        frozen = ft.stop_gradient(w)
        index = (x * 3).astype(int)
        big = x > 0.5
        return np.sum(np.where(big, x, 0) * frozen), k * 2, index, np.sum(k) + np.sum(w)

    told = ft.explain(f, X, X, X, argnums=(0, 1, 2))
    assert [x.differentiable for x in told.inputs] == [True, True, False]
    assert [x.differentiable for x in told.outputs] == [True, False, False, True]
    ends = {stop.primitive: stop for stop in told.stops}
    assert set(ends) == {"rint", "stop_gradient", "discretize", "greater"}
    assert ends["discretize"].reason == "converted to int64"
    assert ends["stop_gradient"].reason == "stop_gradient"
    assert "comparison" in ends["greater"].reason
    assert [s.primitive for s in told.outputs[1].stops] == ["rint"]
    assert "x > 0.5" in ends["greater"].line
    text = repr(told)
    assert "no derivative in unused: no result depends on it" in text
    assert "no derivative of result[1] (f64[40]); it ends at" in text
    # and so it is
    jacobian = ft.jacrev(lambda *a: f(*a)[0], argnums=(0, 1, 2))(X, X, X)
    assert not np.any(jacobian[1]) and not np.any(jacobian[2]) and np.any(jacobian[0])


def test_derivatives_that_end_in_loops_and_branches() -> None:
    def f(x: Any) -> Any:
        def body(c: Any, v: Any) -> Any:
            y = np.floor(c * 4)
            return c * v, y

        c, ys = ft.scan(body, x[0], x)
        return c, np.sum(ys)

    told = ft.explain(f, X)
    assert [x.differentiable for x in told.outputs] == [True, False]
    assert [s.primitive for s in told.stops] == ["floor"]
    assert "np.floor(c * 4)" in told.stops[0].line
    assert told.outputs[1].stops == told.stops

    @ft.script
    def g(x: Any) -> Any:
        if x[0] > 0:
            y = np.sign(x) + x
        else:
            y = x * 2
        return y

    told = ft.explain(g, X)
    assert [s.primitive for s in told.stops] == ["greater", "sign"]
    assert told.outputs[0].differentiable


@pytest.mark.parametrize(
    ("f", "x", "jacobian", "hessian"),
    [
        (lambda x: np.sum(np.sin(x) * x), X, "reverse", "forward over reverse"),
        (lambda x: np.sin(x * A), 2.0, "forward", "forward over forward"),
        (lambda x: np.sin(A[:2] @ x), X, "reverse", "forward over reverse"),
        (lambda x: np.exp(A[:, :2] @ x), X[:2], "forward", "forward over forward"),
    ],
)
def test_the_cheaper_mode(f: Callable, x: Any, jacobian: str, hessian: str) -> None:
    told = ft.explain(f, x)
    assert told.jacobian.best == jacobian and told.hessian.best == hessian
    assert told.jacobian.counts == {"forward": np.size(x), "reverse": np.size(f(x))}
    call = told.jacobian.call
    assert call == (
        "jacfwd" if jacobian == "forward" else "grad" if not np.shape(f(x)) else "jacrev"
    )
    best, other = sorted(told.jacobian.costs.values())
    assert best < other


def test_no_rule_is_told() -> None:
    opaque = ft.wrap(lambda x: np.sort(np.asarray(x)), result=ShapedArray((40,), float))

    def f(x: Any) -> Any:
        y = x * 2
        return opaque(y)

    with pytest.raises(TypeError) as caught:
        ft.grad(lambda x: np.sum(f(x)))(X)
    told = ft.explain(f, X)
    assert "return opaque(y)" in told.obstacles[-1].line
    assert told.obstacles[-1].message.startswith("no reverse derivative: TypeError")
    assert str(caught.value)[-40:] == told.obstacles[-1].message[-40:]
    told = ft.explain(ft.wrap(lambda x: np.sort(np.asarray(x))), X)
    assert told.how == "partly" and "pass result=" in told.obstacles[0].message


# --- what reverse mode keeps --------------------------------------------------------------------


def really_kept(f: Callable, x: Any, *rest: Any) -> int:
    """Bytes that the tape of an eager gradient holds, without arguments."""
    made = record("vjp", f, (x, *rest), {}, (0,))
    return plain_bytes(made.tape, [*made.inputs, *rest, A])


def layers(x: Any, a: Any) -> Any:
    for _ in range(3):
        x = np.tanh(a @ x) + x
    return np.sum(np.exp(x) / (1 + x * x))


KEPT: list[tuple[Callable, tuple]] = [
    (lambda x: np.sum(np.sin(x) * np.exp(x)), (X,)),
    (lambda x: np.sum(x + 3.0 * x), (X,)),
    (lambda x: x.reshape(8, 5).T[1:] ** 3, (X,)),
    (lambda x: np.exp(x)[::2] * np.exp(x)[1::2], (X,)),
    (layers, (X, A)),
    (lambda x: np.sum(np.outer(x, x) / (1 + x[:, None])), (X,)),
    (lambda x: np.where(x > 0.5, np.sqrt(x), x * x), (X,)),
    (lambda x: np.linalg.norm(x) + np.prod(x) + np.max(x) + np.std(x), (X,)),
    (lambda x: np.sum(np.cumsum(x) ** 2) + np.sum(np.sort(x) * np.arange(40.0)), (X,)),
    (lambda x: np.concatenate([np.sin(x), x, np.stack([x, x])[0] * x]), (X,)),
    (lambda x: np.sum(np.log(x.astype(np.float32))), (X,)),
    (lambda x: np.sum(np.cos(x) * 2) ** 2, (np.linspace(0, 1, 100_000),)),
]


@pytest.mark.parametrize(("f", "args"), KEPT, ids=range(len(KEPT)))
def test_kept_bytes_are_those_of_the_tape(f: Callable, args: tuple) -> None:
    want = really_kept(f, *args)
    got = ft.explain(f, *args).retained_bytes
    # Numbers are told as arrays of no axes; NumPy sometimes copies where a view is told.
    assert abs(got - want) <= 0.02 * want + 64, (got, want)


def test_kept_bytes_of_loops() -> None:
    def f(x: Any) -> Any:
        def body(c: Any, v: Any) -> Any:
            return np.sin(c) * v + c, None

        return np.sum(ft.scan(body, np.ones(100), x)[0])

    want = really_kept(f, X)
    told = ft.explain(f, X)
    assert not told.unknown_steps
    assert abs(told.retained_bytes - want) <= 0.1 * want, (told.retained_bytes, want)
    assert line(told, "np.sin(c) * v").retained_bytes > 0.9 * told.retained_bytes

    def g(x: Any) -> Any:
        return ft.while_loop(lambda c: np.sum(c) < 50, lambda c: c * np.sin(c + 1) + c, x)

    told = ft.explain(g, X)
    assert told.unknown_steps and "for every step of loops of unknown length" in repr(told)


def test_kept_bytes_by_line() -> None:
    def f(x: Any) -> Any:
        y = np.exp(x)
        z = y + 3.0
        w = np.sin(z)
        return np.sum(w)

    told = ft.explain(f, X)
    assert line(told, "np.exp(x)").retained_bytes == X.nbytes
    assert line(told, "y + 3.0").retained_bytes == X.nbytes  # sin's rule reads it
    assert line(told, "np.sin(z)").retained_bytes == 0
    again = ft.explain(ft.checkpoint(f), X)
    assert again.retained_bytes < told.retained_bytes


# --- what cannot be compiled --------------------------------------------------------------------


def branches(x: Any, n: Any) -> Any:
    if x[0] > 0:
        y = np.log(x)
    else:
        y = x * 2
    while np.sum(y * y) < n:
        y = y * 1.5
    return y[0] * int(y[1] * 10) + float(n)


def test_every_obstacle_is_told() -> None:
    told = ft.explain(branches, X, 30.0)
    assert told.how == "values" and not told.compiles
    sources = [x.line.split(": ", 1)[1] for x in told.obstacles]
    assert sources == [
        "if x[0] > 0:",
        "while np.sum(y * y) < n:",
        "return y[0] * int(y[1] * 10) + float(n)",
    ]
    assert all(x.advice == "jit(f, script=True) compiles it as it stands." for x in told.obstacles)
    np.testing.assert_allclose(ft.jit(branches, script=True)(X, 30.0), branches(X, 30.0))
    assert not any("x * 2" in x.line for x in told.lines), "only the way taken is recorded"
    text = repr(told)
    assert "staged with the values of the arguments" in text
    assert "not compiled: test_explain.py" in text
    with pytest.raises(ft.errors.ConcreteValueError):
        ft.jit(branches)(X, 30.0)
    assert ft.explain(ft.script(branches), X, 30.0).compiles


def test_types_alone_stop_at_the_first_obstacle() -> None:
    told = ft.explain(branches, ShapedArray((40,), float), 30.0)
    assert told.how == "partly" and len(told.obstacles) == 1 and told.jacobian is None
    assert "told up to the first obstacle only" in repr(told)


def test_obstacles_that_values_do_not_remove() -> None:
    def f(x: Any) -> Any:
        out = np.zeros(3)
        for i in range(3):
            out[i] = x[i] ** 2
        return out

    told = ft.explain(f, X)
    assert told.how == "partly" or "plain NumPy array" in told.obstacles[0].message
    assert "out[i] = x[i] ** 2" in told.obstacles[0].line
    assert told.obstacles[0].advice.startswith("jit(f, script=True)")


def test_host_calls_are_named() -> None:
    def f(x: Any) -> Any:
        ft.debug.print("{}", x[0])
        order = np.argsort(x)
        return np.exp(x[order])

    told = ft.explain(f, X)
    assert told.compiles
    calls = {name: where for where, name in told.host_calls}
    assert set(calls) == {"debug_callback", "argsort"}
    assert "np.argsort(x)" in calls["argsort"]


def test_errors_of_the_function_itself() -> None:
    def f(x: Any) -> Any:
        return x @ np.ones((3, 3))

    with pytest.raises(ValueError, match=r"mismatch|shapes|size"):
        ft.explain(f, X)
    with pytest.raises(ValueError, match="argnums"):
        ft.explain(np.sin, X, argnums=2)
    with pytest.raises(TypeError, match="explain: expected a function"):
        ft.explain(3, X)
    with pytest.raises(RuntimeError, match="outside of all transforms"):
        ft.grad(lambda x: ft.explain(np.sin, x).retained_bytes + x)(1.0)


# --- everything -----------------------------------------------------------------------------------


@pytest.mark.parametrize("f", [classics.cholesky, classics.march, classics.thomas])
def test_classics(f: Callable) -> None:
    args, numbers = classics.CLASSICS[f]
    told = ft.explain(f, *args, argnums=numbers)
    assert told.outputs and repr(told)
    scripted = ft.explain(ft.script(f), *args, argnums=numbers)
    assert scripted.compiles and scripted.how == "types" and scripted.jacobian is not None


def test_of_transformed_functions() -> None:
    f = lambda x: np.sum(np.exp(x) * x)
    for g in (
        ft.grad(f),
        ft.jit(f),
        ft.jit(ft.grad(f)),
        ft.vmap(lambda x: x * 2),
        ft.checkpoint(f),
    ):
        told = ft.explain(g, X)
        assert told.compiles and all(x.line for x in told.lines)
        assert any("np.exp(x) * x" in x.line or "x * 2" in x.line for x in told.lines)
