"""Loops and branches compiled: values and derivatives equal the eager ones, carries of every kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from test_control_flow import LANES, PROGRAMS, TRANSFORMS
from test_control_flow import X as START
from test_jit_programs import assert_close, check

import functorch_like as ft

SIZES = (1, 3, 8, 9, 17, 40)  # registers to 8, numbers in the text to 16


def everything(f: Callable) -> Callable:
    """Value, gradient, a second derivative and a batch of gradients in one program."""
    slope = ft.grad(f)
    return lambda x: (f(x), slope(x), ft.jvp(slope, (x,), (x,))[1], ft.vmap(slope)(x * LANES))


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs(program: str) -> None:
    f, by_hand = PROGRAMS[program]
    got, slope, product, batch = ft.jit(everything(f))(START.copy())
    np.testing.assert_allclose(got, by_hand(START), rtol=1e-10)
    want = ft.grad(by_hand)
    np.testing.assert_allclose(slope, want(START), rtol=1e-9, atol=1e-10)
    twice = ft.jvp(want, (START,), (START,))[1]
    scale = 1e-10 * np.max(np.abs(twice))
    np.testing.assert_allclose(product, twice, rtol=1e-8, atol=scale)
    wanted = np.stack([want(START * lane) for lane in LANES])
    np.testing.assert_allclose(batch, wanted, rtol=1e-9, atol=1e-10 * np.max(np.abs(wanted)))


@pytest.mark.parametrize(
    ("program", "transform"),
    [
        ("root", "hessian"),
        ("backwards", "third order"),
        ("branch_in_while", "grad of vmap"),
        ("traced_bound", "grad of grad"),
        ("assigned", "jacrev"),
        ("complex_carry", "vmap"),
        ("factorials", "vmap of vmap"),
    ],
)
def test_programs_under_transforms(program: str, transform: str) -> None:
    f, by_hand = PROGRAMS[program]
    ours, theirs = TRANSFORMS[transform]
    want = theirs(by_hand)(START.copy())
    for compiled in (ft.jit(ours(f)), ours(ft.jit(f))):
        got = compiled(START.copy())
        assert (got.shape, got.dtype) == (want.shape, want.dtype)
        scale = 1e-11 * (1 + np.max(np.abs(want)))
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=scale)


# --------------------------------------------------------------------------------------
# Carries and stacked results, small ones in registers and larger ones in memory


def swapped(x, xs):
    return ft.scan(lambda c, r: ((c[1], c[0] * r), c[0]), (x, x[::-1] * 2), xs)


def rotated(x, xs):
    init = (x, x * 2, np.sin(x))
    return ft.scan(lambda c, r: ((c[1], c[2], c[0] + r), None), init, xs)[0]


def unchanged(x, xs):
    return ft.scan(lambda c, r: ((c[0], c[1] + c[0] * r), c[0]), (x, x), xs)


def the_same_twice(x, xs):
    def step(c, r):
        new = np.tanh(c[0] + c[1] * r)
        return (new, new), (new, new)

    return ft.scan(step, (x, x), xs)


def forgotten(x, xs):
    return ft.scan(lambda c, r: (r, c), x, xs)


def rows_as_they_are(x, xs):
    return ft.scan(lambda c, r: (c * 0.5 + r, (r, c, x, np.ones(2), 1.5, r[::-1])), x, xs)


def constants_of_all_kinds(x, xs):
    weight = np.outer(x, x) / 9
    return ft.scan(lambda c, r: (np.tanh(weight @ c + x[0] * r + np.arange(c.size)), None), x, xs)


def counted(x, xs):
    def step(c, r):
        value, n, up = c
        up = np.logical_not(up)
        return (value + np.where(up, r, -r), n + 2, up), n * r

    return ft.scan(step, (x, 0, True), xs)


def numbers(x, xs):
    def step(c, r):
        a, b = c
        return (np.sin(a + b) + r[0], a * 0.5 + np.sum(r)), (a, a + b)

    return ft.scan(step, (x[0], x[-1]), xs)


def single(x, xs):
    x, xs = x.astype(np.float32), xs.astype(np.float32)
    return ft.scan(lambda c, r: (np.sin(c) * r, c.sum()), x, xs)


def wide_results(x, xs):
    return ft.scan(lambda c, r: (c * 0.9 + r, np.outer(c, r) + np.ones((3, 1, 1))), x, xs)[1]


def of_matrices(x, xs):
    """Products large enough for BLAS, where the carry is."""

    def step(c, r):
        c = np.tanh(c @ c.T + r[:, None])
        return c, c @ x

    return ft.scan(step, np.outer(x, np.cos(x)) / 4, xs)


def used_again(x, xs):
    c, ys = ft.scan(lambda c, r: (np.cos(c) + r, c * r), x, xs)
    d, zs = ft.scan(lambda d, y: (d + y * c, d), c, ys, reverse=True)
    return ft.map(lambda z: np.sum(z * d), zs), d


def nested(x, xs):
    def outer(c, r):
        inner, ys = ft.scan(lambda d, s: (np.sin(d + s * r), d * s), c, xs)
        return inner, np.sum(ys, axis=0) * r

    return ft.scan(outer, x, xs)


def while_in_scan(x, xs):
    def step(c, r):
        _, c = ft.while_loop(
            lambda s: s[0] < 3, lambda s: (s[0] + 1, np.tanh(s[1] * 1.1 + r)), (0, c)
        )
        return c, c[::-1]

    return ft.scan(step, x, xs)


def scan_in_while(x, xs):
    def body(s):
        i, c = s
        return i + 1, ft.scan(lambda d, r: (np.sin(d + r) * x, None), c, xs)[0]

    return ft.while_loop(lambda s: (s[0] < 3) & (np.sum(s[1]) < 1e6), body, (0, x))


def branches(x, xs):
    def step(c, r):
        c = ft.cond(r[0] > 0, lambda c: c * r, lambda c: np.cos(c), c)
        c, low = ft.switch(
            (np.abs(r[0]) * 3).astype(int),
            [lambda c: (c, c[0]), lambda c: (c * 0.5 + x, 1.0), lambda c: (x, c[0] * 2)],
            c,
        )
        return c, low

    return ft.scan(step, x, xs)


def loop_in_branch(x, xs):
    def long(c):
        return ft.scan(lambda d, r: (np.sin(d) + r, d), c, xs)

    return ft.cond(x[0] > 0, long, lambda c: (c * 2, np.stack([c] * len(xs))), x)


def sorted_steps(x, xs):
    """What only NumPy computes, within a body."""
    return ft.scan(lambda c, r: (np.sort(c * 0.7 + r), np.cumsum(c)), x, xs)


def decomposed(x, xs):
    def step(c, r):
        low = np.linalg.cholesky(np.outer(r, r) + (3 + np.sum(c**2)) * np.eye(r.size))
        return low @ c / 4, np.linalg.solve(low, c)

    return ft.scan(step, x, xs)


def sorted_in_while(x, xs):
    def body(s):
        return s[0] + 1, np.sort(np.cos(s[1]) * x), np.cumsum(s[2]) / 9

    return ft.while_loop(lambda s: (s[0] < 3) & (np.max(s[1]) < 9), body, (0, x, xs[0]))


def sorted_in_branch(x, xs):
    return ft.cond(xs[0, 0] > 0, lambda: np.sort(x) * x, lambda: np.sort(xs[0])[::-1] + x)


def gathered(x, xs):
    def step(c, r):
        place = np.argsort(r)
        new = c[place] * r[(place + 1) % r.size]
        new[0] = c[-1]
        return new, new[place[0]]

    return ft.scan(step, x, xs)


def counting(x, xs):
    return ft.fori_loop(0, len(xs), lambda i, c: c * 0.5 + xs[i] * i + x[i % x.size], x)


def reshaped(x, xs):
    def step(c, r):
        square = np.stack([c, r]).reshape(-1, 2)
        return square.T.reshape(2, -1)[0] * 0.5, square.ravel()[::-1]

    return ft.scan(step, x, xs)


LOOPS = [
    *[swapped, rotated, unchanged, the_same_twice, forgotten, rows_as_they_are],
    *[constants_of_all_kinds, counted, numbers, single, wide_results, of_matrices, used_again],
    *[nested, while_in_scan, scan_in_while, branches, loop_in_branch, sorted_steps, decomposed],
    *[sorted_in_while, sorted_in_branch, gathered, counting, reshaped],
]
SLOW = {decomposed, branches, of_matrices, nested}  # to compile


def total(f: Callable) -> Callable:
    def summed(x, xs):
        leaves = [y for y in ft.tree.leaves(f(x, xs)) if y.dtype.kind == "f"]
        return sum(np.sum(np.sin(y) * (k + 1)) for k, y in enumerate(leaves))

    return summed


def rows(size: int, length: int, layout: str) -> np.ndarray:
    xs = np.random.default_rng(size).normal(size=(length, size))
    if layout == "reversed":
        return xs[::-1, ::-1]
    if layout == "F":
        return np.asfortranarray(xs)
    return np.broadcast_to(xs[:1], xs.shape) if layout == "broadcast" else xs


@pytest.mark.parametrize("f", LOOPS)
@pytest.mark.parametrize("size", SIZES)
def test_loops(f: Callable, size: int) -> None:
    x = np.cos(np.arange(size) * 1.3 + 0.1)
    layout = ("C", "reversed", "F", "broadcast")[(SIZES.index(size) + LOOPS.index(f)) % 4]
    xs = rows(size, 1 + size % 5, layout)
    slopes = ft.value_and_grad(total(f), (0, 1))
    program = f if size in (1, 8, 40) else lambda x, xs: (f(x, xs), slopes(x, xs))
    check(program, x, xs, tol=2e-3 if f is single else 1e-8)


@pytest.mark.parametrize("f", [f for f in LOOPS if f not in SLOW])
def test_batches_and_second_derivatives(f: Callable) -> None:
    size = (2, 10)[LOOPS.index(f) % 2]
    x = np.cos(np.arange(size) * 1.3 + 0.1)
    xs = rows(size, 3, "C")
    slope = ft.grad(total(f), 0)

    def program(x, xs):
        lanes = ft.vmap(slope, in_axes=(0, None))(np.stack([x, x * 0.5, -x]), xs)
        return ft.jvp(lambda x: slope(x, xs), (x,), (x,))[1], lanes

    check(program, x, xs, tol=2e-3 if f is single else 1e-7)


@pytest.mark.parametrize("f", [swapped, forgotten, rows_as_they_are, counted, used_again, nested])
@pytest.mark.parametrize("size", [2, 17])
def test_no_steps(f: Callable, size: int) -> None:
    x, xs = np.linspace(0, 1, size), np.zeros((0, size))
    check(f, x, xs)
    check(ft.value_and_grad(total(f), (0, 1)), x, xs)


@pytest.mark.parametrize("size", [2, 17])
@pytest.mark.parametrize("reverse", [False, True])
def test_directions_and_lengths(size: int, reverse: bool) -> None:
    def f(x, xs):
        c, ys = ft.scan(lambda c, r: (c * r[0] + r, c), x, (xs,)[0], reverse=reverse)
        d, _ = ft.scan(lambda d, _: (np.cos(d), None), c, length=4, reverse=reverse)
        return c, ys, d

    check(
        lambda x, xs: (f(x, xs), ft.grad(total(f), (0, 1))(x, xs)),
        np.ones(size),
        rows(size, 5, "C"),
    )


@pytest.mark.parametrize("steps", [0, 1, 300, 2000])
def test_tapes_grow(steps: int) -> None:
    """The backward sweep of a loop whose length is not known keeps all carries."""

    def f(a, n):
        def body(s):
            return s[0] + 1, np.sin(s[1] + a), s[2] * 0.999 + s[1][0]

        _, v, t = ft.while_loop(lambda s: s[0] < n, body, (0, a, 0.0))
        return np.sum(v) + t

    compiled = ft.jit(ft.value_and_grad(f))
    for size in (2, 20):
        a = np.linspace(0.1, 0.9, size)
        assert_close(compiled(a, steps), ft.value_and_grad(f)(a, steps), 1e-9)
        assert_close(compiled(a, 3), ft.value_and_grad(f)(a, 3), 1e-9)


def test_bodies_that_bring_arrays() -> None:
    """Derivative rules make constants: they belong to the program, however deep the loop is."""

    def f(x):
        def step(s):
            return s[0] + 1, np.cumsum(np.linalg.cholesky(s[1] @ s[1].T + np.eye(3)), axis=1) / 2

        grown = ft.while_loop(lambda s: s[0] < 2, step, (0, x))[1]

        def again(c, _):
            return ft.while_loop(lambda s: s[0] < 2, step, (0, c))[1], np.tril(c)

        c, ys = ft.scan(again, grown, length=2)
        return np.sum(c**2) + np.sum(ys)

    x = np.random.default_rng(0).normal(size=(3, 3))
    check(ft.value_and_grad(f), x, tol=1e-8)


def test_modulo_in_registers() -> None:
    """Zero-dimensional values all through, traced bounds and predicates."""

    def collatz(n):
        def step(s):
            n, count = s
            return ft.cond(n % 2 == 0, lambda n: n // 2, lambda n: 3 * n + 1, n), count + 1

        return ft.while_loop(lambda s: s[0] != 1, step, (n, 0))[1]

    compiled = ft.jit(collatz)
    assert [int(compiled(n)) for n in range(1, 8)] == [0, 1, 7, 2, 5, 8, 16]
    np.testing.assert_array_equal(ft.jit(ft.vmap(collatz))(np.arange(1, 8)), [0, 1, 7, 2, 5, 8, 16])
    upper = ft.jit(lambda a, b: ft.fori_loop(a, b, lambda i, s: s + i, 0))
    assert [int(upper(a, b)) for a, b in ((0, 5), (-3, 2), (4, 1))] == [10, -5, 0]


@pytest.mark.parametrize("index", [-2, 0, 1, 2, 7])
@pytest.mark.parametrize("size", [2, 30])
def test_switches(index: int, size: int) -> None:
    x = np.linspace(-1, 1, size)
    branches: list[Any] = [
        lambda x: (x, x[0], x[::-1]),
        lambda x: (np.sin(x), 2.0, x),
        lambda x: (np.sort(x * x), np.sum(x), x * 0.5),
    ]
    f = lambda i, x: ft.switch(i, branches, x)
    compiled = ft.jit(lambda i, x: (f(i, x), ft.jacrev(lambda x: f(i, x))(x)))
    assert_close(compiled(index, x), (f(index, x), ft.jacrev(lambda x: f(index, x))(x)))
