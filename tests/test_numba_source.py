"""The printed source computes what the compiled program does, as Numba and as plain Python."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import pytest
from drawn_programs import draw

import functorch_like as ft
from functorch_like.kernels.loop import Builder
from functorch_like.kernels.numba_printer import source_text

RNG = np.random.default_rng(3)
X = RNG.normal(size=30)
M = RNG.normal(size=(30, 30))
SMALL = RNG.normal(size=(3, 3))


def run(lowered: Any, leaves: list[np.ndarray], compiled: bool) -> list[np.ndarray]:
    """Run the printed source on arrays, by Numba or by Python."""
    before = numba.config.DISABLE_JIT
    numba.config.DISABLE_JIT = not compiled
    try:
        space: dict[str, Any] = {}
        exec(compile(lowered.source, "<printed>", "exec"), space)
        name = next(reversed([k for k in space if not k.startswith("__")]))
        graph = lowered.graph
        given = [np.array(x).reshape(-1) for x in (*leaves, *lowered._executable.constants)]
        outs = [np.zeros(int(np.prod(a.shape)), a.dtype) for a in graph.output_avals]
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore", numba.NumbaWarning)
            space[name](*given, *outs)
    finally:
        numba.config.DISABLE_JIT = before
    return [x.reshape(a.shape) for x, a in zip(outs, graph.output_avals, strict=True)]


def check(f: Callable, *args: Any, compiled: bool, rtol: float = 1e-12) -> str:
    lowered = ft.jit(f).lower(*args)
    want = ft.tree.leaves(ft.jit(f)(*args))
    leaves = [np.asarray(x) for x in ft.tree.leaves(args)]
    got = run(lowered, leaves, compiled)
    for a, b in zip(got, want, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol)
    return lowered.source


def vector(x, y):
    z = np.sin(x) * y
    return np.sum(z @ x) + np.sum(np.exp(-x)), np.max(np.where(x > 0, z, x)), np.any(x > 3)


def small(a, b):
    return (a @ b + a.T)[1:, ::-1], np.sum(a * b, axis=0), np.linalg.norm(a @ a, axis=1)


def branches(x, i):
    y = np.concatenate([x[i], x[::2], np.tanh(x[3:7])])
    z = ft.grad(lambda x: np.sum(x[i] ** 3) + np.sum(x[1:] * x[:-1]))(x)
    return y, z, np.pad(x, (2, 3))


def products(a, b):
    return np.tanh(a @ b) @ a, a.T @ b.T


def lorenz(s):
    def step(s, _):
        d = np.stack([10 * (s[1] - s[0]), s[0] * (28 - s[2]) - s[1], s[0] * s[1] - 8 / 3 * s[2]])
        return s + 0.01 * d, s[0]

    last, rows = ft.scan(step, s, None, length=50)
    return np.sum(last) + np.sum(rows**2)


def doubled(y):
    return ft.while_loop(lambda y: np.sum(y) < 100.0, lambda y: y * 1.5 + np.sin(y), np.abs(y))


def loops(x):
    k = ft.while_loop(lambda n: n[0] < 10, lambda n: (n[0] + 1, n[1] * 2), (0, 1))[1]
    return ft.grad(lambda x: np.sum(doubled(x)))(x), k


def choices(k, x):
    return ft.switch(k, [np.sin, lambda x: x * 2, lambda x: x - np.sum(x)], x)


def kinds(x, n):
    y = (x * np.float32(0.1) + 1) / x
    return y, n * n - 7, n & 3, np.maximum(n, 4), x > 0, n.astype(np.float64), np.sum(n), -n


CASES: dict[str, tuple] = {
    "vector": (vector, X, M),
    "small": (small, SMALL, SMALL + 1),
    "branches": (branches, X, np.array([3, -1, 20, 3])),
    "product": (lambda a, b: np.tanh(a @ b.T), M, M),
    "products": (products, RNG.normal(size=(20, 30)), RNG.normal(size=(30, 20))),
    "lorenz": (lorenz, np.ones(3)),
    "lorenz gradient": (ft.grad(lorenz), np.ones(3)),
    "loop": (doubled, X[:3]),
    "loops": (loops, X[:3]),
    "long loops": (loops, X[:20]),
    "choices": (choices, np.int64(1), X),
    "kinds": (kinds, X.astype(np.float32), np.arange(-5, 25, dtype=np.int32)),
}


# Numba takes a second for each.
IN_NUMBA = ("vector", "small", "product", "lorenz", "loop", "choices", "kinds")


@pytest.mark.parametrize("case", CASES)
def test_in_python(case: str) -> None:
    f, *args = CASES[case]
    check(f, *args, compiled=False, rtol=2e-6 if case == "kinds" else 1e-10)


@pytest.mark.parametrize("case", IN_NUMBA)
def test_in_numba(case: str) -> None:
    f, *args = CASES[case]
    check(f, *args, compiled=True, rtol=2e-6 if case == "kinds" else 1e-10)


def test_drawn_programs() -> None:
    done = 0
    for seed in range(1, 60):
        pick = random.Random(seed)
        program = draw(lambda options, pick=pick: options[pick.randrange(len(options))])
        lowered = ft.jit(program).lower(*program.arguments)
        if "host(" in lowered.source or lowered.cost().flops > 10_000:
            continue
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            rtol = 1e-3 if program.single else 1e-7
            check(program, *program.arguments, compiled=False, rtol=rtol)
        done += 1
    assert done > 10


def test_poles_and_special_functions() -> None:
    def f(x):
        return 1 / x, np.log(x), np.exp(x * 1e4), ft.scipy.special.expit(x), np.signbit(x)

    check(f, np.array([0.0, -1.0, 2.0, np.inf]), compiled=False)


def test_moved_dtypes() -> None:
    for dtype in ("complex128", "complex64", "float16"):
        check(lambda x: x[::-1], np.arange(4).astype(dtype), compiled=False)


def test_text() -> None:
    def f(x, y):
        return np.sum(np.sin(x) * y)

    source = ft.jit(f).lower(X, X).source
    assert "# f(a: f64[30], b: f64[30], out: f64[]), of flat arrays" in source
    assert "# c: f64[30] = sin a" in source
    assert "s1 += np.sin(a[" in source
    assert max(map(len, source.split("\n"))) <= 100
    # The text that is compiled has no comments: it is the key of the cache.
    assert "sin a" not in ft.jit(f).lower(X, X).llvm


def test_host_steps_are_named() -> None:
    source = ft.jit(lambda x: np.linalg.cholesky(x @ x.T)).lower(M).source
    assert "host(0)  # " in source and "cholesky" in source


def test_bounds() -> None:
    lowered = ft.jit(lambda x, i: x[i]).lower(X, np.array([1]))
    with pytest.raises(IndexError, match="out of bounds"):
        run(lowered, [X, np.array([99])], compiled=False)


def test_order_of_reads_and_writes() -> None:
    # A value read before memory changes is not folded into an expression that comes after.
    code = Builder("program")
    b = code.buffer("b", "f64")
    zero, one = code.constant(0, "i64"), code.constant(1, "i64")
    first = code.load(b, zero)
    s = code.variable(code.constant(2.0, "f64"))
    held = code.get(s)
    code.store(b, zero, code.constant(5.0, "f64"))
    code.set(s, held * 3.0)
    code.store(b, one, first + held)
    source = source_text([], code.kernel, "f")
    space: dict[str, Any] = {}
    exec(source.replace('@njit(error_model="numpy")\n', ""), space)
    memory = np.array([7.0, 0.0])
    space["f"](memory)
    assert memory.tolist() == [5.0, 9.0]
