"""Overridden derivatives: every mode, nondifferentiable arguments, closures, ready overrides."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special

import functorch_like as ft

X = np.array([0.3, 0.7])


def times(a, x):
    """a x with a rule that says 7 a: the rule and the closure can be told apart."""
    return ft.custom_gradient(lambda z: (a * z, lambda ct: 7 * ct * a))(x)


def test_rule_in_every_mode() -> None:
    @ft.custom_vjp
    def f(x, y):
        return np.sin(x) * y

    f.defvjp(
        lambda x, y: (f(x, y), (x, y)),
        lambda r, ct: (2 * ct * np.cos(r[0]) * r[1], ct * np.sin(r[0])),
    )
    y = np.array([1.5, 2.0])
    slope, curve = 2 * np.cos(X) * y, -2 * np.sin(X) * y
    total = lambda x: np.sum(f(x, y))
    np.testing.assert_allclose(ft.grad(total)(X), slope)
    np.testing.assert_allclose(ft.jvp(lambda x: f(x, y), (X,), (np.ones(2),))[1], slope)
    np.testing.assert_allclose(ft.linearize(total, X)[1](np.ones(2)), slope.sum())
    for hessian in (
        ft.hessian(total),
        ft.jacrev(ft.jacrev(total)),
        ft.jacfwd(ft.jacfwd(total)),
        ft.jacrev(ft.jacfwd(total)),
        ft.hessian(lambda x: ft.make_graph(total)(x)(x)),
    ):
        np.testing.assert_allclose(hessian(X), np.diag(curve), atol=1e-12)
    np.testing.assert_allclose(ft.vmap(ft.grad(f))(X, y), slope)
    shared = ft.grad(lambda b: np.sum(ft.vmap(f, in_axes=(0, None))(X, b)))(2.0)
    np.testing.assert_allclose(shared, np.sin(X).sum())
    graph = ft.make_graph(ft.grad(total))(X)
    graph.check()
    np.testing.assert_allclose(graph(X), slope)


def test_pytrees_and_none() -> None:
    @ft.custom_vjp
    def f(p, x):
        return {"out": p["w"] * x}, x

    f.defvjp(
        lambda p, x: (f(p, x), (p, x)),
        lambda r, ct: ({"w": ct[0]["out"] * r[1]}, None),
    )
    g = ft.grad(lambda p, x: f(p, x)[0]["out"] + f(p, x)[1], argnums=(0, 1))({"w": 2.0}, 3.0)
    assert g == ({"w": 3.0}, 0.0)


def test_nondifferentiable_arguments() -> None:
    calls = []

    def f(name, x, table):
        calls.append(name)
        return np.sum(x * table)

    ruled = ft.custom_vjp(f, nondiff_argnums=(0, 2))
    ruled.defvjp(
        lambda name, x, table: (np.sum(x * table), x),
        lambda name, table, x, ct: (ct * table * (10 if name == "ten" else 1),),
    )
    table = np.array([1.0, 2.0])
    np.testing.assert_array_equal(ft.grad(lambda x: ruled("ten", x, table))(X), 10 * table)
    # An array among them may be traced: batched, or constant to the derivative.
    rows = ft.vmap(lambda t: ft.grad(lambda x: ruled("ten", x, t))(X))(np.stack([table, 2 * table]))
    np.testing.assert_array_equal(rows, [10 * table, 20 * table])
    assert not np.any(ft.grad(lambda t: ruled("one", X, t))(table))

    forward = ft.custom_jvp(lambda x, n: x**n, nondiff_argnums=(1,))
    forward.defjvp(lambda n, p, t: (p[0] ** n, 5.0 * t[0]))
    assert ft.grad(forward)(2.0, 3) == 5.0
    assert ft.grad(lambda x: forward(x, n=3))(2.0) == 5.0


def test_closures_are_differentiated_in_the_ordinary_way() -> None:
    assert ft.grad(lambda a: times(a, 2.0))(3.0) == 2.0  # the closure alone
    assert ft.grad(lambda x: times(3.0, x))(2.0) == 21.0  # the rule alone
    both = lambda a: times(a, a)
    assert ft.grad(both)(3.0) == 3.0 + 21.0
    assert ft.jvp(both, (3.0,), (1.0,))[1] == 24.0
    np.testing.assert_array_equal(ft.vmap(ft.grad(both))(np.array([1.0, 3.0])), [8, 24])
    np.testing.assert_allclose(ft.vmap(lambda a: times(a, 2.0))(X), 2 * X)
    np.testing.assert_allclose(ft.vmap(lambda a: ft.grad(lambda x: times(a, x))(2.0))(X), 7 * X)
    np.testing.assert_allclose(
        ft.grad(lambda b: np.sum(ft.vmap(lambda a: times(a, b))(X)))(2.0), 7.0
    )
    # The inner transform's tracer in the closure, the outer one's as the argument.
    assert ft.grad(lambda x: ft.grad(lambda a: times(a, x))(3.0))(2.0) == 1.0
    per_row = ft.vmap(lambda x: ft.grad(lambda w: np.sum(times(w, x)))(X))(np.ones((3, 2)))
    np.testing.assert_allclose(per_row, np.ones((3, 2)))


def test_ready_overrides() -> None:
    quantise = ft.straight_through(np.round)
    assert quantise(1.7) == 2.0 and ft.grad(lambda x: quantise(x) ** 2)(1.7) == 4.0
    assert ft.hessian(lambda x: quantise(x) ** 2)(1.7) == 2.0
    step = ft.surrogate(np.sign, gradient_of=np.tanh)
    assert step(0.3) == 1.0
    t = np.tanh(0.3)
    np.testing.assert_allclose(ft.grad(step)(0.3), 1 - t**2)
    np.testing.assert_allclose(ft.grad(ft.grad(step))(0.3), -2 * t * (1 - t**2))
    np.testing.assert_allclose(ft.vmap(ft.grad(step))(X), 1 - np.tanh(X) ** 2)
    with pytest.raises(TypeError, match=r"straight_through\(sum\): expected .* shape \(2,\)"):
        ft.straight_through(np.sum)(X)


def plain_only(x: object) -> np.ndarray:
    """A function that takes nothing but plain arrays."""
    if not isinstance(x, (np.ndarray, np.generic)):
        raise AssertionError(f"called with {type(x)}")
    return scipy.special.jv(0, x)


def test_wrap() -> None:
    by_vjp = ft.wrap(plain_only, vjp=lambda ct, out, x: -ct * wrapped_j1(x))
    wrapped_j1 = ft.wrap(
        lambda x: scipy.special.jv(1, x),
        vjp=lambda ct, out, x: ct * (by_vjp(x) - wrapped_j1(x) / x),
    )
    by_jvp = ft.wrap(plain_only, jvp=lambda t, out, x: -wrapped_j1(x) * t[0])
    for f in (by_vjp, by_jvp):
        np.testing.assert_allclose(f(1.0), scipy.special.j0(1.0))
        np.testing.assert_allclose(ft.grad(f)(1.0), -scipy.special.j1(1.0))
        np.testing.assert_allclose(ft.hessian(f)(1.0), -scipy.special.jvp(1, 1.0), rtol=1e-12)
        np.testing.assert_allclose(ft.jvp(f, (X,), (X,))[1], -X * scipy.special.j1(X))
        np.testing.assert_allclose(ft.vmap(ft.grad(f))(X), -scipy.special.j1(X))
    with pytest.raises(TypeError, match="no rule was given"):
        ft.grad(ft.wrap(plain_only))(1.0)
    with pytest.raises(TypeError, match="result shape is not known"):
        ft.make_graph(ft.wrap(plain_only))(1.0)
    staged = ft.wrap(plain_only, result=ft.ShapedArray((2,), float))
    np.testing.assert_allclose(ft.make_graph(staged)(X)(X), scipy.special.j0(X))


def test_finite_difference() -> None:
    f = ft.finite_difference(lambda x, y: np.array([x[0] ** 2 * x[1] * y, x[1] ** 3]))
    exact = lambda x, y: np.stack([x[0] ** 2 * x[1] * y, x[1] ** 3])
    for transform in (ft.jacrev, ft.jacfwd, ft.jacobian):
        for k in (0, 1):
            np.testing.assert_allclose(
                transform(f, k)(X, 2.0), transform(exact, k)(X, 2.0), rtol=1e-8, atol=1e-9
            )
    total = lambda g: lambda x: np.sum(g(x, 2.0))
    np.testing.assert_allclose(ft.hessian(total(f))(X), ft.hessian(total(exact))(X), atol=1e-5)
    stack = np.stack([X, 2 * X])
    np.testing.assert_allclose(
        ft.vmap(ft.grad(total(f)))(stack), ft.vmap(ft.grad(total(exact)))(stack), rtol=1e-8
    )


def test_stop_gradient() -> None:
    assert ft.grad(lambda x: x * ft.stop_gradient(x))(3.0) == 3.0
    assert ft.grad(lambda x: ft.grad(lambda y: y * ft.stop_gradient(x * y))(x))(2.0) == 0.0
    assert ft.jvp(lambda x: ft.stop_gradient({"a": x})["a"], (1.0,), (1.0,))[1] == 0.0


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (lambda r, ct: ct, "a tuple with an entry"),
        (lambda r, ct: (ct, ct), "got 2 entries"),
        (
            lambda r, ct: (np.ones(3),),
            r"expected a cotangent of shape \(\) for argument 0; got \(3,\)",
        ),
        (lambda r, ct: ({"a": ct},), "structured like it"),
    ],
)
def test_wrong_backward_functions(rule, message: str) -> None:
    f = ft.custom_vjp(lambda x: x * 2)
    f.defvjp(lambda x: (x * 2, None), rule)
    with pytest.raises(TypeError, match=message):
        ft.grad(f)(1.0)


def test_wrong_rules_say_so() -> None:
    with pytest.raises(TypeError, match="no rule is set"):
        ft.custom_vjp(np.sin)(1.0)
    with pytest.raises(TypeError, match="no rule is set"):
        ft.custom_jvp(np.sin)(1.0)
    with pytest.raises(TypeError, match=r"return \(output, gradient function\)"):
        ft.custom_gradient(lambda x: x)(1.0)
    f = ft.custom_vjp(lambda x: x)
    f.defvjp(lambda x: x, lambda r, ct: (ct,))
    with pytest.raises(TypeError, match="a pair"):
        ft.grad(f)(1.0)
    g = ft.custom_jvp(lambda x: x)
    g.defjvp(lambda p, t: (p[0], np.sin(t[0])))
    with pytest.raises(TypeError, match="sin is not linear"):
        ft.grad(g)(1.0)
    h = ft.custom_jvp(lambda x: x)
    h.defjvp(lambda p, t: (p[0], np.ones(3)))
    with pytest.raises(TypeError, match="expected a tangent of shape"):
        ft.jvp(h, (1.0,), (1.0,))
    with pytest.raises(TypeError, match="either gives every mode"):
        ft.wrap(np.sin, vjp=np.sin, jvp=np.sin)


def test_checkpoint() -> None:
    w = np.random.default_rng(0).normal(size=(2, 2))
    runs = []

    def layer(w, x):
        runs.append(1)
        return np.tanh(w @ x)

    def loss(wrap):
        inner = wrap(lambda x: layer(w_now[0], x))  # closes over what is differentiated
        return np.sum(inner(inner(X)))

    w_now = [w]

    def over(wrap):
        def f(w):
            w_now[0] = w
            try:
                return loss(wrap)
            finally:
                w_now[0] = None

        return f

    plain = lambda f: f

    def through_closure(wrap):
        def f(w):
            inner = wrap(lambda x: layer(w, x))
            return np.sum(inner(inner(X)))

        return f

    want = through_closure(plain)
    got = through_closure(ft.checkpoint)
    np.testing.assert_allclose(ft.grad(got)(w), ft.grad(want)(w), rtol=1e-12)
    np.testing.assert_allclose(ft.hessian(got)(w), ft.hessian(want)(w), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(
        ft.jacrev(ft.jacrev(got))(w), ft.hessian(want)(w), rtol=1e-10, atol=1e-12
    )
    np.testing.assert_allclose(ft.jvp(got, (w,), (w,))[1], ft.jvp(want, (w,), (w,))[1])
    stack = np.stack([w, 2 * w])
    np.testing.assert_allclose(ft.vmap(ft.grad(got))(stack), ft.vmap(ft.grad(want))(stack))
    per_example = ft.vmap(
        lambda x: ft.grad(lambda w: np.sum(ft.checkpoint(lambda x: layer(w, x))(x)))(w)
    )
    np.testing.assert_allclose(
        per_example(np.stack([X, 2 * X])),
        np.stack([ft.grad(lambda w, x=x: np.sum(layer(w, x)))(w) for x in (X, 2 * X)]),
    )
    runs.clear()
    ft.grad(got)(w)
    assert len(runs) == 4  # twice forward, twice again in the backward pass


def test_checkpoint_keeps_only_inputs() -> None:
    import tracemalloc

    x = np.ones(100_000)

    def chain(x):
        for _ in range(20):
            x = np.sin(x) * x
        return x

    def peak(f) -> int:
        tracemalloc.start()
        ft.vjp(f, x)
        _, high = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return high

    assert peak(ft.checkpoint(chain)) < 0.2 * peak(chain)
