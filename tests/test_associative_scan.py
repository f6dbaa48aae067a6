"""``associative_scan`` against loops, closed forms and JAX's values; its derivatives and errors."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import functorch_like as ft

LENGTHS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 17, 31, 33]


def affine(f: Any, g: Any) -> Any:
    """The map ``x -> f[0] x + f[1]``, then ``g``."""
    return f[0] * g[0], g[0] * f[1] + g[1]


def draw(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(size=shape)


def by_loop(fn: Callable, elems: list[np.ndarray], reverse: bool, axis: int) -> list[np.ndarray]:
    """The same results, an element at a time."""
    length = elems[0].shape[axis]
    rows = [[np.take(x, [i], axis) for x in elems] for i in range(length)]
    results = list(itertools.accumulate(rows[::-1] if reverse else rows, fn))
    results = results[::-1] if reverse else results
    return [
        np.concatenate(column, axis) if length else x
        for x, column in zip(elems, zip(*results, strict=True) if length else elems, strict=True)
    ]


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("reverse", [False, True])
def test_every_length_both_ways_along_every_axis(length: int, reverse: bool) -> None:
    for axis in (0, 1, 2, -1, -3):
        shape = [2, 3, 2]
        shape[axis] = length
        elems = (draw(*shape), draw(*shape)[::-1])
        found = ft.associative_scan(affine, elems, reverse=reverse, axis=axis)
        assert isinstance(found, tuple)
        for x, y in zip(found, by_loop(affine, list(elems), reverse, axis), strict=True):
            assert x.shape == y.shape and x.dtype == y.dtype
            np.testing.assert_allclose(x, y, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("length", LENGTHS)
def test_the_order_of_operands_is_kept(length: int) -> None:
    # Matrix products do not commute; JAX puts the later element first in a reversed scan.
    ms = draw(length, 3, 3)
    expected = list(itertools.accumulate(ms, np.matmul))
    back = list(itertools.accumulate(ms[::-1], np.matmul))[::-1]
    shape = (length, 3, 3)
    found = ft.associative_scan(np.matmul, ms)
    np.testing.assert_allclose(found, np.reshape(expected, shape), rtol=1e-11, atol=1e-12)
    found = ft.associative_scan(np.matmul, ms, reverse=True)
    np.testing.assert_allclose(found, np.reshape(back, shape), rtol=1e-11, atol=1e-12)


def test_values_from_jax() -> None:
    # jax.lax.associative_scan of JAX 0.10.2, on the same arguments
    x = np.array([[3, 1, 2], [0, 5, 4]])
    scan = ft.associative_scan
    np.testing.assert_array_equal(scan(np.maximum, x, axis=1), [[3, 3, 3], [0, 5, 5]])
    np.testing.assert_array_equal(scan(np.subtract, x, True, 1), [[-2, 1, 2], [-1, -1, 4]])
    both = lambda f, g: {"a": f["a"] + g["a"], "b": f["b"] | g["b"]}
    found = scan(both, {"a": x, "b": x[:, 0] > 0}, reverse=True)
    np.testing.assert_array_equal(found["a"], [[3, 6, 6], [0, 5, 4]])
    np.testing.assert_array_equal(found["b"], [True, False])


@settings(max_examples=40, deadline=None)
@given(
    length=st.integers(0, 40),
    step=st.sampled_from([-2, -1, 1, 3]),
    dtype=st.sampled_from(["f4", "f8", "c16", "i4", "u1"]),
    reverse=st.booleans(),
)
def test_sums_of_all_dtypes_and_strides(length: int, step: int, dtype: str, reverse: bool) -> None:
    x = np.arange(length * abs(step) * 2).reshape(-1, 2).astype(dtype)[::step]
    found = ft.associative_scan(np.add, x, reverse=reverse)
    way = slice(None, None, -1 if reverse else 1)
    assert found.dtype == x.dtype and found.shape == x.shape
    np.testing.assert_array_equal(found, np.cumsum(x[way], 0, dtype=dtype)[way])


def test_calls_and_work_are_few() -> None:
    calls: list[int] = []

    def add(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        calls.append(len(a))
        return a + b

    for length in (2, 3, 1000, 1024):
        calls.clear()
        ft.associative_scan(add, np.ones(length))
        assert len(calls) <= 2 * np.log2(length) and sum(calls) < 2 * length


def test_results_do_not_share_memory_with_elems() -> None:
    for length in (0, 1, 2):
        x = np.ones(length)
        for reverse in (False, True):
            assert not np.shares_memory(ft.associative_scan(np.add, x, reverse), x)


def recurrence(a: Any, b: Any, reverse: bool = False) -> Any:
    """``h[i] = a[i] h[i - 1] + b[i]``, in all steps at once."""
    return ft.associative_scan(affine, (a, b), reverse=reverse)[1]


def in_steps(a: Any, b: Any, reverse: bool = False) -> Any:
    def step(h: Any, row: Any) -> tuple[Any, Any]:
        h = row[0] * h + row[1]
        return h, h

    return ft.scan(step, np.zeros(a.shape[1:]), (a, b), reverse=reverse)[1]


TRANSFORMS: dict[str, Callable] = {
    "grad": lambda f: ft.grad(f, (0, 1)),
    "jit": lambda f: ft.jit(f),
    "jit(grad)": lambda f: ft.jit(ft.grad(f, (0, 1))),
    "grad(jit)": lambda f: ft.grad(ft.jit(f), (0, 1)),
    "jvp": lambda f: lambda a, b: ft.jvp(f, (a, b), (b, a)),
    "hessian": lambda f: ft.hessian(f, (0, 1)),
    "jacfwd(jacrev)": lambda f: ft.jacfwd(ft.jacrev(f)),
    "jit(grad(grad))": lambda f: ft.jit(
        ft.grad(lambda a, b: np.sum(ft.grad(f)(a, b) ** 2), (0, 1))
    ),
    "vmap(grad)": lambda f: lambda a, b: ft.vmap(ft.grad(f), (0, None))(np.stack([a, -a, b]), b),
    "grad(vmap)": lambda f: ft.grad(
        lambda a, b: ft.vmap(f)(np.stack([a, b]), np.stack([b, b])).sum(), (0, 1)
    ),
}


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("length", [0, 1, 2, 5])
def test_derivatives_are_those_of_the_loop(name: str, length: int) -> None:
    a, b = draw(length, 2), draw(2, length).T
    for reverse in (False, True):

        def loss(run: Callable, reverse: bool = reverse) -> Callable:
            return lambda a, b: np.sum(np.sin(run(a, b, reverse)) * np.arange(1.0, 3.0))

        found = TRANSFORMS[name](loss(recurrence))(a, b)
        expected = TRANSFORMS[name](loss(in_steps))(a, b)
        pairs = zip(ft.tree.leaves(found), ft.tree.leaves(expected), strict=True)
        for x, y in pairs:
            np.testing.assert_allclose(x, y, rtol=1e-10, atol=1e-12)


def test_the_function_may_close_over_differentiated_values() -> None:
    x = draw(6)

    def last(w: Any) -> Any:
        return ft.associative_scan(lambda a, b: a + b + w * a * b, x)[-1]

    # 1 + w y is multiplicative
    expected = lambda w: (np.prod(1 + w * x) - 1) / w
    slope = (expected(0.3 + 1e-6) - expected(0.3 - 1e-6)) / 2e-6
    for gradient in (ft.grad(last), ft.jit(ft.grad(last))):
        np.testing.assert_allclose(gradient(0.3), slope, rtol=1e-6)


def test_logsumexp_of_prefixes() -> None:
    x = draw(9) * 300
    found = ft.associative_scan(np.logaddexp, x)
    np.testing.assert_allclose(found, np.logaddexp.accumulate(x), rtol=1e-13)


def test_single_elements_by_vmap() -> None:
    ms = draw(5, 4, 4)
    single = lambda a, b: np.linalg.solve(np.eye(4), a @ b)
    found = ft.associative_scan(ft.vmap(single), ms)
    np.testing.assert_allclose(found[-1], np.linalg.multi_dot(list(ms)), rtol=1e-10)


@pytest.mark.parametrize(
    ("kind", "message", "call"),
    [
        (ValueError, "5 .*elems.*; 4 ", lambda s: s(affine, (np.ones(5), np.ones(4)))),
        (ValueError, r"elems\['a'\] has shape \(\)", lambda s: s(np.add, {"a": 1.0})),
        (ValueError, r"an axis 2 .* shape \(3, 2\)", lambda s: s(np.add, np.ones((3, 2)), axis=2)),
        (ValueError, "an axis -3", lambda s: s(np.add, np.ones((3, 2)), axis=-3)),
        (ValueError, "got none", lambda s: s(np.add, ())),
        (TypeError, "structure", lambda s: s(lambda a, b: (a, b), np.ones(3))),
        (
            TypeError,
            r"keep the shape .*\(1,\).*vmap",
            lambda s: s(lambda a, b: a.sum(), np.ones(3)),
        ),
        (TypeError, "keep the dtype .*int64.*astype", lambda s: s(np.true_divide, np.arange(3))),
        (TypeError, "integer", lambda s: s(np.add, np.ones(3), axis=0.5)),
    ],
)
def test_errors(kind: type[Exception], message: str, call: Callable) -> None:
    with pytest.raises(kind, match=message):
        call(ft.associative_scan)
