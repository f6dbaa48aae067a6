"""reduce, accumulate, outer, at and reduceat of every ufunc for which they mean something."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.cases import Case
from support.verdicts import judge

import functorch_like as ft

rng = np.random.default_rng(0)
X = rng.uniform(0.5, 1.5, size=(3, 5, 2))
N = rng.normal(size=(3, 5, 2))
Y = rng.uniform(0.5, 1.5, size=2)
K = rng.integers(1, 20, size=(3, 5, 2))
MASK = rng.uniform(size=(3, 5, 2)) > 0.4

SMOOTH = ["add", "multiply", "maximum", "minimum", "fmax", "fmin", "logaddexp", "logaddexp2"]
SMOOTH += ["hypot"]
ORDERED = ["subtract", "divide", "power", "float_power", "arctan2", "fmod", "remainder", "copysign"]
FLAT = ["logical_and", "logical_or", "logical_xor", "floor_divide"]
INTEGER = ["bitwise_and", "bitwise_or", "bitwise_xor", "gcd", "lcm", "left_shift", "right_shift"]
UNARY = ["negative", "exp", "sqrt", "square", "sin"]


def check(call: Any, *arrays: Any, without: tuple[str, ...] = ()) -> bool:
    """Every transform of one call, against NumPy, its differences and a loop."""
    known = tuple(np.asarray(a) for a in arrays)
    case = Case("numpy", "ufunc", known, lambda _, *xs: call(*xs), frozenset(without), 1e-5, "")
    return judge(case, call, call)


@pytest.mark.parametrize("name", SMOOTH)
def test_reduce_of_associative(name: str) -> None:
    u, initial = getattr(np, name), 0.7
    check(lambda x: u.reduce(x), X)
    check(lambda x: u.reduce(x, axis=-1, keepdims=True), N)
    check(lambda x: u.reduce(x, axis=(2, 0), keepdims=True, initial=initial), X)
    check(lambda x: u.reduce(x, axis=None), X)
    check(lambda x, i: u.reduce(x, axis=1, initial=i, where=MASK), X, np.float64(initial))
    check(lambda x: u.reduce(x, axis=(0, 1), initial=0.1, where=MASK[:, :, :1]), X)
    check(lambda x: u.reduce(x, axis=()), X)
    check(lambda x: u.reduce(x, dtype=complex if name in ("add", "multiply") else float), X)
    if u.identity is not None:
        empty = lambda x: u.reduce(x[:, :0], axis=1)  # the identity, which may be -inf
        np.testing.assert_array_equal(ft.vjp(empty, X)[0], empty(X))
        check(lambda x: u.reduce(x, axis=1, where=MASK), X)
    else:
        for call in (lambda x: u.reduce(x[:, :0], axis=1), lambda x: u.reduce(x, where=MASK)):
            for f in (call, lambda x, call=call: ft.vjp(call, x)):
                with pytest.raises(ValueError):
                    f(X)


@pytest.mark.parametrize("name", ORDERED)
def test_reduce_in_order(name: str) -> None:
    u = getattr(np, name)
    check(lambda x: u.reduce(x), X)
    check(lambda x: u.reduce(x, axis=1, keepdims=True, initial=1.3), X)
    check(lambda x: u.reduce(x, axis=1, initial=2.0, where=MASK), X)
    check(lambda x: u.reduce(x[:1]), X)
    for f in (lambda x: u.reduce(x, axis=(0, 1)), lambda x: u.reduce(x[:0])):
        with pytest.raises(ValueError) as plain:
            f(X)
        with pytest.raises(ValueError, match=str(plain.value).split()[0]):
            ft.vjp(f, X)


@pytest.mark.parametrize("name", SMOOTH + ORDERED)
def test_accumulate(name: str) -> None:
    u = getattr(np, name)
    check(lambda x: u.accumulate(x), X)
    check(lambda x: u.accumulate(x, axis=-2), X)
    check(lambda x: u.accumulate(x, 1), np.empty((2, 0)))
    check(lambda x: u.accumulate(x, dtype=float), X[0])


@pytest.mark.parametrize("name", SMOOTH + ORDERED)
def test_outer(name: str) -> None:
    u = getattr(np, name)
    check(lambda x, y: u.outer(x, y), X[0], Y)
    check(lambda x: (u.outer(x, [0.5, 1.5]), u.outer([0.5, 1.5], x), u.outer(2.0, x)), X[0, 0])


@pytest.mark.parametrize("name", SMOOTH + ORDERED)
def test_at(name: str) -> None:
    u = getattr(np, name)

    def repeated(x: Any, v: Any) -> Any:
        y = x * 1.0
        u.at(y, [0, 2, 0, 0, 2], v)
        return y

    def two_axes(x: Any, v: Any) -> Any:
        y = x * 1.0
        u.at(y, (np.array([0, 1, 0]), slice(1, 3)), v)
        u.at(y, 1, 0.75)
        return y

    check(repeated, X[0, 0:3, 0], X[1, :, 0])
    check(repeated, X[0], np.float64(0.8))
    check(two_axes, X[0, :3].T + 0.01 * np.arange(6.0).reshape(2, 3), X[1, :3, :])


@pytest.mark.parametrize("name", UNARY)
def test_at_of_one_operand(name: str) -> None:
    def f(x: Any) -> Any:
        y = x * 1.0
        getattr(np, name).at(y, [1, 3, 1])
        return y

    check(f, X[0, :, 0])


@pytest.mark.parametrize("name", SMOOTH + ORDERED)
def test_reduceat(name: str) -> None:
    u = getattr(np, name)
    check(lambda x: u.reduceat(x, [0, 2, 1, 1, 4], axis=1), X)
    check(lambda x: u.reduceat(x, [1, 0]), X)
    with pytest.raises(IndexError, match="out-of-bounds"):
        ft.vjp(lambda x: u.reduceat(x, [0, 9], axis=1), X)


@pytest.mark.parametrize("name", FLAT)
def test_without_derivative(name: str) -> None:
    u = getattr(np, name)
    x = np.where(MASK, X * 7, 0.0) if name != "floor_divide" else X + 3
    for f in (
        lambda x: u.reduce(x, axis=1),
        lambda x: u.outer(x[0, 0], x[0, 1]),
        lambda x: u.accumulate(x, axis=1),
        lambda x: u.reduceat(x, [0, 2], axis=1),
    ):
        moves = check(f, x)
        assert not moves or name == "floor_divide"  # of one element, it is that element
    if name != "floor_divide":
        check(lambda x: u.reduce(x, axis=1, initial=True, where=MASK), x)
        check(lambda x: u.reduce(x, axis=1, initial=False), x)


@pytest.mark.parametrize("name", INTEGER)
def test_of_integers(name: str) -> None:
    u = getattr(np, name)
    k = K if name not in ("lcm", "left_shift") else K % 3 + 1

    def along(method: Any) -> None:
        for batch in (k, k[:, :1]):
            got = ft.vmap(method)(batch)
            np.testing.assert_array_equal(got, np.stack([method(x) for x in batch]))
        graph = ft.make_graph(method)(k[0])
        np.testing.assert_array_equal(graph(k[0]), method(k[0]))

    along(lambda x: u.reduce(x))
    along(lambda x: u.accumulate(x, 0))
    along(lambda x: u.outer(x[0], x[0]))
    along(lambda x: u.reduceat(x, [0, 0]))


def test_many_elements_take_few_operations() -> None:
    x = rng.normal(size=1000)
    graph = ft.make_graph(np.logaddexp.reduce)(x)
    assert len(graph.equations) < 60
    np.testing.assert_allclose(graph(x), np.logaddexp.reduce(x), rtol=1e-13)
    np.testing.assert_allclose(
        ft.vjp(np.logaddexp.accumulate, x)[0], np.logaddexp.accumulate(x), rtol=1e-12
    )
    softmax = np.exp(x - np.logaddexp.reduce(x))
    np.testing.assert_allclose(ft.grad(np.logaddexp.reduce)(x), softmax, rtol=1e-12)
    np.testing.assert_allclose(ft.jit(ft.grad(np.logaddexp.reduce))(x), softmax, rtol=1e-12)


def test_results_written_into_traced_arrays() -> None:
    def f(x: Any) -> Any:
        total, running, whole, part = np.zeros_like(x[0]), *(np.zeros_like(x) for _ in range(3))
        np.add.reduce(x, out=total)
        np.multiply.accumulate(x, out=running)
        np.modf(x * 3, out=(part, whole))
        np.add(x, 1.0, out=part, where=MASK[0])
        table = np.zeros_like(x, shape=(5, 2, 2))
        np.multiply.outer(x, x[0], out=table)
        return total, running, whole, part, table

    check(f, X[0])


def test_adding_at_traced_positions() -> None:
    def histogram(i: Any, v: Any) -> Any:
        y = np.zeros_like(v, shape=(3, 2))
        np.add.at(y, i, v[:, :2])
        np.subtract.at(y, (i, 0), v[:, 1])
        return y

    index = np.array([[0, 1, 0], [2, -1, 2]])
    values = rng.normal(size=(2, 3, 2))
    want = np.stack([histogram(i, v) for i, v in zip(index, values, strict=True)])
    np.testing.assert_allclose(ft.vmap(histogram)(index, values), want)
    np.testing.assert_allclose(ft.jit(histogram)(index[0], values[0]), want[0])
    weigh = lambda v, i: np.sum(histogram(i, v) * np.arange(6.0).reshape(3, 2))
    for i, v in zip(index, values, strict=True):
        slope = ft.grad(weigh)(v, i)
        np.testing.assert_allclose(ft.vmap(ft.grad(weigh))(v[None], i[None])[0], slope)
        np.testing.assert_allclose(np.sum(slope * v), weigh(v, i), rtol=1e-12, atol=1e-12)

    def columns(i: Any, v: Any) -> Any:
        y = v * 2.0
        np.add.at(y, (slice(None), i), np.array([1.0, 2.0, 5.0]))
        return y

    want = np.stack([columns(i % 2, v) for i, v in zip(index, values, strict=True)])
    np.testing.assert_allclose(ft.vmap(columns)(index % 2, values), want)
    slope = ft.vmap(ft.grad(lambda v, i: np.sum(columns(i, v) ** 2)))(values, index % 2)
    np.testing.assert_allclose(slope, 4 * want)


def test_types_and_refusals() -> None:
    check(lambda x: (np.add(x, 1, dtype=complex), np.add(x, 1, dtype=np.float32) > 0), X[0])
    for call, kind, text in (
        (lambda x: np.add(x, 1, dtype=int), TypeError, "cannot cast an operand from float64"),
        (lambda x: np.add(x, 1, signature="dd->d"), TypeError, "signature="),
        (lambda x: np.add(x, 1, where=MASK[0]), TypeError, "leaves elements undefined"),
        (lambda x: np.add.reduce(x, out=np.zeros(2)), ft.errors.MutationError, "out="),
        (lambda x: np.add(x, x, out=np.zeros_like(x[0])), ValueError, "expected out= of shape"),
        (lambda x: np.add.at(np.zeros(3), [0], x[0, 0]), ft.errors.MutationError, "plain array"),
        (lambda x: np.multiply.at(x * 1, [0], 1j), TypeError, "cannot cast the result"),
        (lambda x: np.sin.reduce(x), ValueError, "binary functions"),
    ):
        with pytest.raises(kind, match=text):
            ft.vjp(call, X[0])
    with pytest.raises(TypeError, match="positions that depend on a traced value"):
        ft.vmap(lambda i: _at(np.multiply, np.ones_like(X[0, 0]), i))(np.array([0, 1]))


def _at(u: Any, y: Any, i: Any) -> Any:
    y = y * i
    u.at(y, i[None], 2.0)
    return y
