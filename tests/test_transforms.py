"""The transforms' interfaces: arguments, pytrees, aux, dtypes, complex numbers, threads."""

from __future__ import annotations

import collections
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import functorch_like as ft

Point = collections.namedtuple("Point", "x y")


def test_argnums_aux_and_keywords() -> None:
    def f(x, y, *, scale=1.0, power=2):
        return scale * np.sum(x * y**power), {"y": y * 2}

    x, y = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    gradient, aux = ft.grad(f, argnums=1, has_aux=True)(x, y, scale=3.0)
    np.testing.assert_allclose(gradient, 6 * x * y)
    np.testing.assert_array_equal(aux["y"], 2 * y)
    assert isinstance(aux["y"], np.ndarray)
    (gx, gy), _ = ft.grad(f, argnums=(0, -1), has_aux=True)(x, y, power=1)
    np.testing.assert_allclose((gx, gy), (y, x))
    (value, aux), (g,) = ft.value_and_grad(f, argnums=[0], has_aux=True)(x, y)
    assert value == np.sum(x * y**2) and isinstance(g, np.ndarray)
    hessian, aux = ft.hessian(f, argnums=1, has_aux=True)(x, y)
    np.testing.assert_allclose(hessian, np.diag(2 * x))
    out, pullback, aux = ft.vjp(lambda x: f(x, y), x, has_aux=True)
    np.testing.assert_allclose(pullback(1.0)[0], y**2)
    out, tangent, aux = ft.jvp(lambda x: f(x, y), (x,), (x,), has_aux=True)
    assert tangent == out
    out, f_jvp, aux = ft.linearize(lambda x: f(x, y), x, has_aux=True)
    assert f_jvp(x) == out


def test_pytrees() -> None:
    params = {"w": np.ones((2, 3)), "layers": [(np.ones(2), None), Point(np.float64(2.0), 3.0)]}

    def f(p, scale):
        (b, _), point = p["layers"]
        return scale["s"] * (np.sum(p["w"]) * point.x + np.sum(b) * point.y**2)

    g, gs = ft.grad(f, argnums=(0, 1))(params, {"s": 2.0})
    assert g["layers"][1] == Point(12.0, 24.0) and g["layers"][0][1] is None
    np.testing.assert_array_equal(g["w"], np.full((2, 3), 4.0))
    assert gs["s"] == 6 * 2.0 + 2 * 9.0
    h = ft.hessian(lambda p: f(p, {"s": 1.0}))(params)
    assert h["w"]["layers"][1].x.shape == (2, 3)
    np.testing.assert_array_equal(h["layers"][0][0]["layers"][1].y, [6.0, 6.0])
    np.testing.assert_array_equal(h["layers"][1].y["layers"][0][0], [6.0, 6.0])
    out = ft.vmap(lambda p, x: {"sum": p["a"] + x, "x": x}, in_axes=({"a": 0}, None))(
        {"a": np.arange(3.0)}, 10.0
    )
    np.testing.assert_array_equal(out["sum"], [10, 11, 12])
    assert out["x"].shape == (3,)
    assert ft.hvp(lambda p: p[0] ** 2 * p[1], ([2.0, 3.0],), ([1.0, 0.0],)) == [6.0, 4.0]


def test_registered_nodes() -> None:
    import dataclasses

    @dataclasses.dataclass
    class Model:
        weight: np.ndarray
        name: str

    ft.tree.register_dataclass(Model, static=["name"])
    g = ft.grad(lambda m: np.sum(m.weight**2))(Model(np.arange(3.0), "a"))
    assert isinstance(g, Model) and g.name == "a"
    np.testing.assert_array_equal(g.weight, [0, 2, 4])


@pytest.mark.parametrize("dtype", ["f4", "f8", "c8", "c16"])
def test_dtypes_stay(dtype: str) -> None:
    x = np.linspace(0.2, 1, 4).astype(dtype)
    f = lambda x: np.sum(np.abs(np.exp(x) * 2 + x**2 / 3 - np.sqrt(x)) ** 2)
    assert ft.grad(f)(x).dtype == x.dtype
    _, pullback = ft.vjp(lambda x: np.tanh(x) * 2.0, x)
    assert pullback(x)[0].dtype == x.dtype
    assert ft.jvp(np.sin, (x,), (x,))[1].dtype == x.dtype
    assert ft.vmap(ft.grad(lambda x: np.real(np.sin(x) * np.conj(x))))(x).dtype == x.dtype


def test_mixed_precision_gives_each_its_own() -> None:
    x, y = np.ones(3, "f4"), np.ones(3)
    gx, gy = ft.grad(lambda x, y: np.sum(x * y + x @ y), argnums=(0, 1))(x, y)
    assert (gx.dtype, gy.dtype) == (np.float32, np.float64)


def test_complex_conventions() -> None:
    z = np.array([1 + 2j, -0.5 + 0.3j])
    # A real function: df/dx - i df/dy, as in JAX.
    np.testing.assert_allclose(ft.grad(lambda z: np.sum(np.abs(z) ** 2))(z), 2 * np.conj(z))
    np.testing.assert_allclose(ft.grad(lambda z: np.sum(z.real * 3 + z.imag * 5))(z), 3 - 5j)
    # A holomorphic one: f'(z).
    np.testing.assert_allclose(
        ft.grad(lambda z: np.sum(np.exp(z) * z), holomorphic=True)(z), np.exp(z) * (1 + z)
    )
    np.testing.assert_allclose(ft.jacfwd(np.sin, holomorphic=True)(z), np.diag(np.cos(z)))
    np.testing.assert_allclose(ft.jacrev(np.sin, holomorphic=True)(z), np.diag(np.cos(z)))
    np.testing.assert_allclose(
        ft.hessian(lambda z: np.sum(z**3), holomorphic=True)(z), np.diag(6 * z)
    )
    # Real to complex and back: <ct, J v> in both modes.
    f = lambda x: np.abs(np.exp(1j * x) + x) ** 2
    x = np.array([0.3, 0.7])
    want = np.diag((f(x + 1e-6) - f(x - 1e-6)) / 2e-6)
    np.testing.assert_allclose(ft.jacrev(f)(x), want, atol=1e-8)
    np.testing.assert_allclose(ft.jacfwd(f)(x), want, atol=1e-8)


def test_gradients_are_the_callers_own() -> None:
    x = np.ones(3)
    g = ft.grad(np.sum)(x)
    g *= 2  # writeable, and nobody else's
    gx, gy = ft.grad(lambda x, y: np.sum(x + y), argnums=(0, 1))(x, x)
    gx += 1
    np.testing.assert_array_equal(gy, 1)
    ct = np.ones(3)
    out = ft.vjp(lambda x: x, x)[1](ct)[0]
    out += 1
    np.testing.assert_array_equal(ct, 1)


def test_constant_functions_have_zero_derivatives() -> None:
    assert ft.grad(lambda x: 3.0)(2.0) == 0.0
    np.testing.assert_array_equal(ft.jacfwd(lambda x: np.ones(2))(np.ones(3)), np.zeros((2, 3)))
    np.testing.assert_array_equal(ft.jacrev(lambda x: np.ones(2))(np.ones(3)), np.zeros((2, 3)))
    np.testing.assert_array_equal(ft.hessian(np.sum)(np.ones(2)), np.zeros((2, 2)))
    assert ft.grad(lambda x: np.floor(x) * 2.0)(1.5) == 0.0


def test_vmap_axes() -> None:
    x = np.arange(24.0).reshape(2, 3, 4)
    f = ft.vmap(lambda v: v * 2, in_axes=-1, out_axes=1)
    np.testing.assert_array_equal(f(x), np.moveaxis(2 * x, -1, 1))
    g = ft.vmap(lambda a, b: (a.sum(), b), in_axes=(1, None), out_axes=(0, None))
    total, b = g(x, 5.0)
    np.testing.assert_array_equal(total, x.sum((0, 2)))
    assert b == 5.0
    np.testing.assert_array_equal(ft.vmap(lambda: np.ones(2), axis_size=3)(), np.ones((3, 2)))
    np.testing.assert_array_equal(ft.vmap(lambda x, *, y: x + y)(x, y=x), 2 * x)


@given(
    x=hnp.arrays(float, st.integers(1, 9), elements=st.floats(-3, 3)),
    chunk=st.integers(1, 12),
)
def test_vmap_chunks_change_nothing(x: np.ndarray, chunk: int) -> None:
    f = lambda x: np.stack([np.sin(x), x * x])
    np.testing.assert_array_equal(ft.vmap(f, chunk_size=chunk)(x), ft.vmap(f)(x))
    h = lambda x: np.sum(x**3) * np.sum(x)
    np.testing.assert_allclose(ft.hessian(h, chunk_size=chunk)(x), ft.hessian(h)(x), rtol=1e-14)
    np.testing.assert_array_equal(
        ft.jacfwd(np.cumsum, chunk_size=chunk)(x), ft.jacrev(np.cumsum)(x)
    )


@given(
    x=hnp.arrays(
        float, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
        elements=st.floats(-2, 2),
    ),
    seed=st.integers(0, 100),
)  # fmt: skip
def test_any_shape(x: np.ndarray, seed: int) -> None:
    """Zero-dimensional and empty arrays included: <vjp(u), v> = <u, jvp(v)> and exact values."""
    rng = np.random.default_rng(seed)
    u, v = rng.normal(size=x.shape), rng.normal(size=x.shape)
    f = lambda x: np.tanh(x) * np.cumsum(x).reshape(x.shape) + x.sum() * x.T.T
    value, tangent = ft.jvp(f, (x,), (v,))
    np.testing.assert_array_equal(value, f(x))
    (ct,) = ft.vjp(f, x)[1](u)
    assert ct.shape == x.shape
    np.testing.assert_allclose(np.sum(ct * v), np.sum(u * tangent), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(
        ft.grad(lambda x: np.sum(f(x)))(x), ft.vjp(f, x)[1](np.ones(x.shape))[0]
    )


def test_empty_jacobians() -> None:
    x = np.zeros(0)
    assert ft.jacfwd(np.sin)(x).shape == (0, 0)
    assert ft.jacrev(np.sin)(x).shape == (0, 0)
    assert ft.hessian(np.sum)(x).shape == (0, 0)
    assert ft.grad(np.sum)(np.zeros((2, 0))).shape == (2, 0)
    assert ft.vmap(np.sin)(np.zeros((0, 3))).shape == (0, 3)


def test_control_flow_by_value() -> None:
    def f(x):
        total = 0.0
        while x > 0.5:
            total = total + x if x < 2 else total - x
            x = x / 2
        return total

    assert ft.grad(f)(4.0) == -1 - 0.5 + 0.25
    assert ft.grad(lambda x: x**2 if x > 1 else -x)(0.5) == -1.0
    assert ft.grad(lambda x: sorted([x, 1.0, -x])[0])(2.0) == -1.0


def test_threads_do_not_meet() -> None:
    errors, barrier = [], threading.Barrier(4)

    def work(k: int) -> None:
        try:
            barrier.wait()
            for i in range(50):
                x = 0.1 * k + 0.01 * i
                got = ft.grad(ft.grad(lambda x: np.sin(x) * x**k))(x + 1)
                want = ft.testing._difference(
                    lambda x: [ft.grad(lambda x: np.sin(x) * x**k)(x)], [x + 1], [1.0], 1e-3
                )[0]
                np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-8)
                ft.vmap(ft.hessian(lambda x: x**k))(np.ones(3))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(1, 5)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not errors


def test_pullback_is_reusable_and_batches() -> None:
    _, pullback = ft.vjp(lambda x: np.stack([x, x**2]), np.array([1.0, 2.0]))
    first = pullback(np.ones((2, 2)))[0]
    np.testing.assert_array_equal(first, pullback(np.ones((2, 2)))[0])
    rows = ft.vmap(lambda ct: pullback(ct)[0])(np.stack([np.ones((2, 2)), np.zeros((2, 2))]))
    np.testing.assert_array_equal(rows, [first, [0, 0]])


def test_long_chain_of_indexing_accumulates_in_place() -> None:
    x = np.arange(2000.0)

    def f(x):
        total = 0.0
        for i in range(2000):
            total = total + x[i] * i
        return total

    np.testing.assert_array_equal(ft.grad(f)(x), np.arange(2000.0))


def test_check_grads_finds_wrong_rules() -> None:
    @ft.custom_jvp
    def wrong(x):
        return np.sin(x)

    wrong.defjvp(lambda p, t: (wrong(*p), 1.01 * np.cos(p[0]) * t[0]))
    for modes in (["fwd"], ["rev"]):
        with pytest.raises(AssertionError, match="is wrong"):
            ft.testing.check_grads(wrong, (0.3,), 1, modes)

    @ft.custom_vjp
    def second(x):
        return np.sin(x)

    # Right to first order, wrong to second: the derivative is read as a constant.
    second.defvjp(lambda x: (np.sin(x), ft.stop_gradient(np.cos(x))), lambda c, ct: (ct * c,))
    ft.testing.check_grads(second, (0.3,), 1)
    with pytest.raises(AssertionError, match="is wrong"):
        ft.testing.check_grads(second, (0.3,), 2)
    with pytest.raises(ValueError, match="modes"):
        ft.testing.check_grads(np.sin, (0.3,), 1, ["forward"])
