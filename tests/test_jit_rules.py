"""Every primitive compiled: values, both derivatives and batches equal the eager ones."""

import numpy as np
import pytest
from op_table import Row
from test_rules import cases, in_chosen, prepared, random_like

import functorch_like as ft


def assert_equal(got: object, want: object, dtype: np.dtype) -> None:
    rtol = 1e-9 if dtype.itemsize >= 8 else 2e-4
    for a, b in zip(ft.tree.leaves(got), ft.tree.leaves(want), strict=True):
        assert np.ndim(b) == 0 or type(a) is type(b)
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        scale = np.max(np.abs(b[np.isfinite(b)]), initial=1.0) if b.dtype.kind in "fc" else 1.0
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * 1e-2 * scale)


@cases
def test_value(row: Row, dtype: np.dtype) -> None:
    primitive, operands, _ = prepared(row, dtype)
    if row.primitive in {"black_box"}:
        pytest.skip("its Python function is not a program")
    operands = [np.asarray(x) for x in operands]
    f = lambda *xs: primitive(*xs, **row.params)
    assert_equal(ft.jit(f)(*operands), f(*operands), dtype)


@cases
def test_derivatives(row: Row, dtype: np.dtype) -> None:
    primitive, operands, chosen = prepared(row, dtype)
    f = in_chosen(primitive, operands, chosen, row.params)
    rng = np.random.default_rng(4)
    xs = [np.asarray(operands[i]) for i in chosen]
    values = f(*xs)
    if not xs or not values:
        pytest.skip("nothing to differentiate")
    vs = [random_like(rng, x) for x in xs]
    us = [random_like(rng, np.asarray(y)) for y in values]

    def program(xs, vs, us):
        return ft.jvp(f, xs, vs), ft.vjp(f, *xs)[1](us)

    assert_equal(ft.jit(program)(xs, vs, us), program(xs, vs, us), dtype)


@cases
def test_batches(row: Row, dtype: np.dtype) -> None:
    primitive, operands, _ = prepared(row, dtype)
    lanes = [prepared(row, dtype, seed)[1] for seed in range(3)]
    args = [np.stack([lane[i] for lane in lanes]) for i in range(len(operands))]
    f = ft.vmap(lambda *xs: primitive(*xs, **row.params))
    assert_equal(ft.jit(f)(*args), f(*args), dtype)


@pytest.mark.parametrize("position", [0, 2, -1, -4])
def test_delete_at_a_position_that_is_traced(position: int) -> None:
    x = np.array([0.3, 2.0, -1.0, 0.7])
    made = ft.jit(lambda x, i: np.delete(x, i))(x, position)
    np.testing.assert_array_equal(made, np.delete(x, position))
    rest = lambda x: np.sum(np.delete(x, np.argmax(x)) ** 2)
    np.testing.assert_allclose(ft.jit(ft.grad(rest))(x), [0.6, 0, -2, 1.4])
    with pytest.raises(ft.errors.ConcreteValueError, match=r"np.delete: expected one .*i64\[2\]"):
        ft.jit(lambda x, i: np.delete(x, i))(x, np.array([0, 1]))
