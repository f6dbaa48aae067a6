"""Cases that once were wrong, or might be: aliasing, buffers, odd arguments, single precision."""

from __future__ import annotations

import numpy as np
import pytest

import functorch_like as ft

X = np.array([1.0, 2.0, 3.0])
M = np.arange(6.0).reshape(2, 3)


def test_checkpoint_of_a_function_that_assigns_to_its_argument() -> None:
    def f(z):
        z *= 2
        z[0] = z[1]
        return np.sum(z * z)

    want = ft.grad(f)(X)
    np.testing.assert_array_equal(ft.grad(ft.checkpoint(f))(X), want)
    np.testing.assert_array_equal(ft.vmap(ft.grad(ft.checkpoint(f)))(X[None])[0], want)
    np.testing.assert_array_equal(X, [1, 2, 3])


@pytest.mark.parametrize(
    "f",
    [
        lambda b, x: (b.ravel(), b.__setitem__((1, 2), b[1, 2] + x[1, 2]))[0],
        lambda b, x: (b[:1], b.__setitem__(0, x[0]))[0],
        lambda b, x: (b.__setitem__(slice(1, None), b[1:] + x[1:]), b)[1],
        lambda b, x: [row.__setitem__(slice(None), x[0]) for row in b] and b,
        lambda b, x: ((c := b.copy() + 1).__setitem__(0, x[0]), c)[1],
    ],
)
def test_fresh_arrays_and_their_views(f) -> None:
    whole = lambda x: np.sum(f(np.zeros_like(x), x) ** 2)
    value, gradient = ft.value_and_grad(whole)(M)
    assert value == whole(M)
    basis = np.eye(6).reshape(6, 2, 3)
    step = [(whole(M + 1e-6 * e) - whole(M - 1e-6 * e)) / 2e-6 for e in basis]
    np.testing.assert_allclose(gradient.ravel(), step, atol=1e-5)
    np.testing.assert_allclose(ft.jvp(whole, (M,), (M,))[1], np.sum(gradient * M))


def test_what_the_tape_keeps_is_its_own() -> None:
    x = X.copy()
    y, pullback = ft.vjp(np.exp, x)
    y -= y
    x += 1
    np.testing.assert_array_equal(pullback(np.ones(3))[0], np.exp(X))
    y, linear = ft.linearize(np.exp, X)
    y *= 0
    np.testing.assert_array_equal(linear(np.ones(3)), np.exp(X))
    _, pullback, aux = ft.vjp(lambda x: (np.sum(np.exp(x)), np.exp(x)), X, has_aux=True)
    aux *= 0
    np.testing.assert_array_equal(pullback(1.0)[0], np.exp(X))

    def stopped(x):
        y = np.exp(x)
        d = ft.stop_gradient(y)
        d *= 0
        return np.sum(y + d)

    np.testing.assert_array_equal(ft.grad(stopped)(X), np.exp(X))


def test_scratch_buffers() -> None:
    def reused(x):
        buffer, total = np.zeros(3), 0.0
        for i in range(3):
            buffer[:] = i + 1
            total = total + np.sum(x * buffer)
        return total

    np.testing.assert_array_equal(ft.grad(reused)(X), [6, 6, 6])

    def index(x):
        at = np.array([0, 1])
        y = x[at]
        at[:] = 2
        return np.sum(y)

    np.testing.assert_array_equal(ft.grad(index)(X), [1, 1, 0])

    def matrix(x):
        a = np.eye(3)
        y = a @ x
        a[:] = 0
        return np.sum(y)

    np.testing.assert_array_equal(ft.grad(matrix)(X), [1, 1, 1])


def test_large_buffers_cannot_change_unnoticed() -> None:
    x, buffer = np.ones(100_000), np.zeros(100_000)

    def reused(x):
        y = x * buffer
        buffer[:] = 1.0
        return np.sum(y)

    with pytest.raises(ft.errors.MutationError, match=r"grad\(reused\): .*copy"):
        ft.grad(reused)(x)
    buffer[0] = 2.0  # writeable again
    np.testing.assert_array_equal(ft.grad(lambda x: np.sum(x * buffer))(x), buffer)
    buffer[0] = 3.0


def test_user_functions_with_rules_cannot_corrupt_the_tape() -> None:
    def doubles(z):
        z *= 2
        return np.sum(z)

    f = ft.custom_vjp(doubles)
    f.defvjp(lambda z: (doubles(z), None), lambda r, ct: (ct * np.ones(3),))
    with pytest.raises(ValueError, match="read-only"):
        ft.grad(lambda x: f(np.exp(x)))(X)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.roll(x, 0, axis=0),
        lambda x: np.conj(x),
        lambda x: np.tile(x, 1),
        lambda x: np.nan_to_num(x),
        lambda x: np.broadcast_to(x, (3,)).copy(),
        lambda x: x.astype(float),
        lambda x: np.full_like(x, x[0]),
    ],
)
def test_functions_that_copy_do(f) -> None:
    def whole(x):
        b = f(x)
        b *= 2
        return np.sum(x * b)

    assert ft.value_and_grad(whole)(X)[0] == whole(X.copy())


@pytest.mark.parametrize(
    "f",
    [
        lambda y: np.einsum("ii->i", y).__setitem__(slice(None), y[1] * 2),
        lambda y: (np.diagonal(y), y.__setitem__(0, 1.0))[0],
        lambda y: (np.broadcast_to(y, (2, 3, 3)), y.__setitem__(0, y[1]))[0],
    ],
)
def test_views_that_no_index_makes(f) -> None:
    def whole(x):
        y = x * 1.0
        view = f(y)
        return np.sum(y**2 * M[1]) + (0.0 if view is None else np.sum(view**3))

    x = np.eye(3) + np.arange(9.0).reshape(3, 3)
    value, gradient = ft.value_and_grad(whole)(x)
    assert value == whole(x)
    basis = np.eye(9).reshape(9, 3, 3)
    step = [(whole(x + 1e-6 * e) - whole(x - 1e-6 * e)) / 2e-6 for e in basis]
    np.testing.assert_allclose(gradient.ravel(), step, rtol=1e-6, atol=1e-5)


def test_layout_decides_as_in_numpy() -> None:
    def f(x):
        y = x.T * 1.0
        w = y.reshape(-1)
        y -= 5.0
        return np.sum(w)

    try:
        value = ft.value_and_grad(f)(M)[0]
    except ft.errors.MutationError:
        pass  # refused is right, too
    else:
        assert value == f(M)


def test_odd_arguments() -> None:
    x = np.random.default_rng(0).normal(size=(3, 4))
    w = np.random.default_rng(1).uniform(size=(4, 3))
    f = lambda x: np.average(x, axis=(1, 0), weights=w)
    np.testing.assert_allclose(ft.value_and_grad(f)(x)[0], f(x))
    for g in (
        lambda x: np.min(x, axis=(), initial=0.1),
        lambda x: np.max(x, axis=(), initial=0.1),
        lambda x: np.max(x, axis=0, initial=0.1),
    ):
        np.testing.assert_array_equal(ft.vjp(g, x)[0], g(x))
    with pytest.raises(TypeError, match="memory layout"):
        ft.vjp(lambda x: x.T.ravel("K"), x)
    inf = np.array([np.inf, -np.inf, 1.0])
    with np.errstate(invalid="ignore"):
        slope = ft.grad(lambda x: np.sum(np.logaddexp(x, 0.0)))(inf)
    np.testing.assert_allclose(slope, [1.0, 0.0, 1 / (1 + np.exp(-1))])
    assert ft.vmap(lambda x: np.vecdot(x, x, axis=0))(x).shape == (3,)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: 2.0**x,
        lambda x: np.power(2, x),
        lambda x: np.arctan2(x, 2.0),
        lambda x: np.arctan2(1.0, x),
        lambda x: np.copysign(x, 2),
        lambda x: np.hypot(3.0, x),
        lambda x: np.logaddexp(1.0, x),
        lambda x: np.average(x, weights=x),
        lambda x: np.angle(x),
    ],
)
def test_single_precision_stays_single(f) -> None:
    x = np.linspace(0.5, 1, 3, dtype="f4")
    want = f(x).dtype
    value, pullback = ft.vjp(f, x)
    assert value.dtype == want == np.float32
    assert pullback(value)[0].dtype == np.float32
    assert ft.jvp(f, (x,), (x,))[1].dtype == np.float32
    assert ft.jacrev(f)(x).dtype == np.float32
    assert ft.vmap(ft.grad(f))(x).dtype == np.float32 if f(x).shape else True


def test_results_without_derivative_are_refused_by_grad() -> None:
    for f in (lambda x: x > 0, lambda x: np.argmax(np.stack([x, x])), lambda x: "a"):
        with pytest.raises(TypeError, match="expected a floating-point result"):
            ft.grad(f)(1.0)
    assert ft.grad(lambda x: 0)(1.0) == 0.0
    (_, index), pullback = ft.vjp(lambda x: (np.max(x), np.argmax(x)), X)
    assert index == 2
    np.testing.assert_array_equal(pullback((1.0, 0))[0], [0, 0, 1])


def test_constants_may_be_read() -> None:
    def f(x):
        n = int(np.floor(ft.stop_gradient(x)[0])) + float(np.sign(x[1]))
        return np.sum(x) * n + np.asarray(np.floor(x)).sum()

    np.testing.assert_array_equal(ft.grad(f)(X), [2, 2, 2])
    np.testing.assert_array_equal(ft.jvp(f, (X,), (X,))[1], 12.0)


def test_adding_numbers_at_positions() -> None:
    def f(x):
        y = x * 1.0
        np.add.at(y, [0, 0, -1], 2.0)
        np.subtract.at(y, [1], 2)
        return y.at[0].add(1.0)

    np.testing.assert_array_equal(ft.vjp(f, X)[0], [6, 0, 5])


def test_masks_of_the_arrays_own_shape_under_vmap() -> None:
    g = lambda x: _clipped(x * 1.0)
    batch = np.stack([X, -X])
    np.testing.assert_array_equal(ft.vmap(g)(batch), np.stack([g(X), g(-X)]))
    np.testing.assert_array_equal(
        ft.vmap(ft.grad(lambda x: np.sum(g(x))))(batch), [[1, 0, 0], [1] * 3]
    )


def _clipped(y):
    y[y > 1.5] = 0.0
    return y


def test_tables_shared_by_a_batch() -> None:
    table, i = np.arange(12.0).reshape(4, 3), np.array([2, 0])
    look_up = ft.vmap(lambda i, t: t[i], in_axes=(0, None))
    np.testing.assert_array_equal(look_up(i, table), table[i])
    np.testing.assert_array_equal(
        ft.vmap(lambda i, t: np.take(t, i, axis=1), (0, None))(i, table), table[:, i].T
    )

    def assigned(i, t):
        y = t * 1.0
        y[i] += 9.0
        return y

    want = np.stack([np.where(np.arange(4)[:, None] == k, table + 9, table) for k in i])
    np.testing.assert_array_equal(ft.vmap(assigned, (0, None))(i, table), want)
    slope = ft.grad(lambda t: np.sum(ft.vmap(lambda i, t: t[i] ** 2, (0, None))(i, t)))(table)
    np.testing.assert_array_equal(slope[[0, 2]], 2 * table[[0, 2]])
    assert not slope[[1, 3]].any()


def test_what_a_batch_shares_is_computed_once() -> None:
    shapes = []

    def f(x, w):
        product = w @ w
        shapes.append(type(product).__name__)
        return product @ x if product[0, 0] > 0 else x  # a plain decision: the same for all

    x, w = np.ones((5, 2)), np.eye(2)
    np.testing.assert_array_equal(ft.vmap(f, (0, None))(x, w), x)
    assert shapes == ["SharedTracer"]
    out = ft.vmap(lambda x, w: w * 2, (0, None), out_axes=None)(x, w)
    np.testing.assert_array_equal(out, 2 * w)


@pytest.mark.parametrize(
    ("f", "x", "slope"),
    [
        (np.max, [1.0, 3.0, 3.0], [0, 0.5, 0.5]),  # ties share equally
        (np.min, [2.0, 2.0, 2.0], [1 / 3] * 3),
        (lambda x: np.sum(np.maximum(x, 1.0)), [0.0, 1.0, 2.0], [0, 0.5, 1]),
        (lambda x: np.sum(np.clip(x, 1.0, 2.0)), [0.0, 1.0, 2.0], [0, 1, 1]),  # bounds are inside
        (lambda x: np.sort(x) @ np.arange(3.0), [2.0, 2.0, 1.0], [1, 2, 0]),  # ties in order
        (lambda x: np.sum(np.abs(x)), [-1.0, 0.0, 2.0], [-1, 0, 1]),
        (np.linalg.norm, [0.0, 0.0, 0.0], [0, 0, 0]),
        (np.std, [2.0, 2.0, 2.0], [0, 0, 0]),
        (np.prod, [0.0, 2.0, 3.0], [6, 0, 0]),
        (np.prod, [0.0, 0.0, 3.0], [0, 0, 0]),
        (lambda x: np.sum(x**0), [0.0, 1.0, 2.0], [0, 0, 0]),
        (lambda x: np.sum(x**2.0), [0.0, 1.0, 2.0], [0, 2, 4]),
        (lambda x: np.sum(0.0**x), [1.0, 2.0, 3.0], [0, 0, 0]),
        (lambda x: np.sum(np.hypot(x, 0.0)), [0.0, 3.0, -4.0], [0, 1, -1]),
        (lambda x: np.sum(np.sinc(x)), [0.0, 1.0, 2.0], [0, -1, 0.5]),
        (lambda x: np.sum(np.where(x > 0, x, 0.0) ** 2), [-1.0, 0.0, 2.0], [0, 0, 4]),
    ],
)
def test_where_derivatives_do_not_exist(f, x: list, slope: list) -> None:
    """The documented choices: what keeps an optimiser running, and never a NaN."""
    x = np.array(x)
    np.testing.assert_allclose(ft.grad(f)(x), slope, atol=1e-15)
    np.testing.assert_allclose(ft.jacfwd(f)(x), slope, atol=1e-15)
    np.testing.assert_allclose(ft.vmap(ft.grad(f))(x[None])[0], slope, atol=1e-15)
    assert np.isfinite(ft.hessian(f)(x)).all()


def test_limits_are_ieee() -> None:
    with np.errstate(divide="ignore"):
        assert ft.grad(np.sqrt)(0.0) == np.inf and ft.grad(np.log)(0.0) == np.inf
    assert ft.grad(np.exp)(-np.inf) == 0.0 and ft.grad(np.tanh)(np.inf) == 0.0
