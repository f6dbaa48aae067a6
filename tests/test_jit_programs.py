"""Compiled programs give what eager ones give: random programs, sizes of every kind, transforms."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from drawn_programs import OPERATIONS, SIZES, Drawn, draw, looped
from hypothesis import given, settings
from hypothesis import strategies as st
from test_autograd_programs import PROGRAMS
from test_mutation import M, X, cases, views
from test_numpy_functions import CASES, arrays, awkward

import functorch_like as ft


def assert_close(got: Any, want: Any, tol: float = 1e-10) -> None:
    """Equal structures, types and, to a few ulp of the largest number, values."""
    assert ft.tree.structure(got) == ft.tree.structure(want)
    for a, b in zip(ft.tree.leaves(got), ft.tree.leaves(want), strict=True):
        assert (np.shape(a), np.asarray(a).dtype) == (np.shape(b), np.asarray(b).dtype)
        if np.asarray(b).dtype.kind in "fc":
            scale = np.max(np.abs(b), where=np.isfinite(b), initial=1.0)
            np.testing.assert_allclose(a, b, rtol=tol, atol=tol * scale)
        else:
            np.testing.assert_array_equal(a, b)


def check(f: Callable, *args: Any, tol: float = 1e-10) -> None:
    """``jit(f)`` gives what ``f`` gives, twice, and leaves its arguments alone."""
    before = ft.tree.map(np.copy, args)
    with np.errstate(all="ignore"):
        want = f(*args)
    compiled = ft.jit(f)
    for _ in range(2):
        assert_close(compiled(*args), want, tol)
    for x, y in zip(ft.tree.leaves(args), ft.tree.leaves(before), strict=True):
        np.testing.assert_array_equal(x, y)


# --------------------------------------------------------------------------------------
# Random programs


def loss(program: Drawn) -> Callable:
    def f(*xs):
        total = 0.0
        for r in program(*xs):
            if r.dtype.kind == "f":
                total = total + np.sum(np.tanh(r * 0.3)) / max(r.size, 1) ** 0.5
        return total * 1.0

    return f


def product(program: Drawn, at: tuple) -> Callable:
    """A Hessian times a vector, by forward over reverse."""

    def f(*xs):
        slope = ft.grad(loss(program), at)
        inner = lambda *ys: slope(*[ys[at.index(i)] if i in at else x for i, x in enumerate(xs)])
        ones = [np.ones_like(xs[i]) for i in at]
        return ft.jvp(inner, [xs[i] for i in at], ones)[1]

    return f


def pushed(program: Drawn, at: tuple) -> Callable:
    def f(*xs):
        inner = lambda *ys: program(*[ys[at.index(i)] if i in at else x for i, x in enumerate(xs)])
        return list(ft.jvp(inner, [xs[i] for i in at], [np.cos(xs[i]) for i in at]))

    return f


# How a program is run: eager and compiled functions, made of the program and of which arguments
# are differentiated; whether they take a batch.
MODES: dict[str, tuple[Callable, Callable, bool]] = {
    "value": (lambda p, at: p, lambda p, at: ft.jit(p), False),
    "jvp": (pushed, lambda p, at: ft.jit(pushed(p, at)), False),
    "grad": (
        lambda p, at: ft.grad(loss(p), at),
        lambda p, at: ft.jit(ft.grad(loss(p), at)),
        False,
    ),
    "grad of jit": (
        lambda p, at: ft.grad(loss(p), at),
        lambda p, at: ft.grad(ft.jit(loss(p)), at),
        False,
    ),
    "hvp": (product, lambda p, at: ft.jit(product(p, at)), False),
    "vmap": (lambda p, at: ft.vmap(p), lambda p, at: ft.jit(ft.vmap(p)), True),
    "vmap of jit": (lambda p, at: ft.vmap(p), lambda p, at: ft.vmap(ft.jit(p)), True),
    "vmap of grad": (
        lambda p, at: ft.vmap(ft.grad(loss(p), at)),
        lambda p, at: ft.jit(ft.vmap(ft.grad(loss(p), at))),
        True,
    ),
}


def compare(mode: str, program: Drawn) -> None:
    eager, compiled, batched = MODES[mode]
    args = list(program.arguments)
    at = tuple(i for i, x in enumerate(args) if x.dtype.kind == "f")
    if mode not in ("value", "vmap", "vmap of jit") and not at:
        return
    if batched:
        args = [np.stack([x, x[::-1] if x.ndim else x, x]) for x in args]
    with np.errstate(all="ignore"):
        want = eager(program, at)(*args)
        got = compiled(program, at)(*args)
    assert_close(list(got), list(want), 1e-3 if program.single else 1e-8)


SIZE_SETS = [(1, 2, 3, 7, 8), (9, 16, 17, 33), (0, 1, 3, 9, 17), SIZES]
MIXED = ("f8", "f8", "f4", "i8", "?", "i4", "u1")


def chosen_at_random(seed: int) -> Callable:
    rng = random.Random(seed)
    return lambda options: options[rng.randrange(len(options))]


@pytest.mark.parametrize("mode", MODES)
@given(seed=st.integers(0, 10**6), length=st.integers(1, 5))
@settings(max_examples=8)
def test_random_programs(mode: str, seed: int, length: int) -> None:
    pick = chosen_at_random(seed)
    dtypes = pick([("f8",), MIXED])
    compare(mode, draw(pick, length, sizes=pick(SIZE_SETS), dtypes=dtypes))


@pytest.mark.parametrize("mode", MODES)
@given(seed=st.integers(0, 10**6))
@settings(max_examples=2)
def test_random_programs_with_loops(mode: str, seed: int) -> None:
    pick = chosen_at_random(seed)
    operations = [*OPERATIONS, *[looped] * 30]
    compare(mode, draw(pick, 3, sizes=pick(SIZE_SETS), dtypes=("f8",), operations=operations))


@given(data=st.data())
@settings(max_examples=12)
def test_short_random_programs_that_shrink(data: st.DataObject) -> None:
    def pick(options):
        return data.draw(st.sampled_from(options))

    compare("value", draw(pick, 2))


# --------------------------------------------------------------------------------------
# Tables of other tests, compiled


def everything(f: Callable) -> Callable:
    """Value, forward and reverse derivative and a batch in one program."""

    def program(*xs):
        out, pullback = ft.vjp(f, *xs)
        value, tangent = ft.jvp(f, xs, xs)
        lanes = [np.stack([x, x * 0.5]) for x in xs]
        return f(*xs), value, tangent, pullback(out * 0.5 + 1), ft.vmap(f)(*lanes)

    return program


@pytest.mark.parametrize("name", CASES)
def test_numpy_functions(name: str) -> None:
    f, xs = arrays(name)
    check(everything(f), *map(awkward, xs), tol=1e-9)


@pytest.mark.parametrize(
    "name", ["operators", "matmul batched", "modulo", "moments", "softmax", "einsum", "pad", "sort"]
)
def test_numpy_functions_in_single_precision(name: str) -> None:
    if name == "softmax":
        f = lambda x: np.exp(x) / np.sum(np.exp(x), axis=1, keepdims=True)
        xs = [np.linspace(-1, 1, 34, dtype="f4").reshape(2, 17)]
    else:
        f, xs = arrays(name, dtype="f4")
    check(everything(f), *xs, tol=5e-5)


BRANCHING = {"taylor_sine", "newton_square_root"}  # on values, which jit cannot
LONG = {"runge_kutta", "fluid", "recurrent_net", "lstm_gates", "gaussian_mixture"}  # to compile
STAGED = [(p, x) for p, x in PROGRAMS if p.__name__ not in BRANCHING]


@pytest.mark.parametrize(("program", "x"), STAGED, ids=[p.__name__ for p, _ in STAGED])
def test_autograd_programs(program: Callable, x: Any) -> None:
    f = lambda x: program(np, x)
    slope = ft.value_and_grad(f)
    product = lambda x: ft.jvp(ft.grad(f), (x,), (x,))[1]
    check(slope if program.__name__ in LONG else lambda x: (slope(x), product(x)), x, tol=1e-8)


@pytest.mark.parametrize("f", [f for f in cases() if f.__name__ != "at"], ids=lambda f: f.__name__)
def test_in_place_code(f: Callable) -> None:
    check(lambda x: (f(x), ft.jacrev(f)(x), ft.vmap(f)(np.stack([x, 2 * x]))), X.copy())


@pytest.mark.parametrize("f", views(), ids=lambda f: f.__name__)
def test_writes_through_views(f: Callable) -> None:
    x = M.copy()
    try:
        f(x.copy())
    except (IndexError, ValueError):
        x = np.arange(1.0, 5)
    check(f, x)


# --------------------------------------------------------------------------------------
# Products and joins of all sizes


SIZE_TRIPLES = [
    *[(1, 1, 1), (1, 9, 1), (2, 3, 2), (3, 17, 3), (8, 8, 8), (7, 9, 16), (9, 9, 9), (1, 33, 17)],
    *[
        (16, 16, 16),
        (17, 16, 33),
        (33, 17, 9),
        (3, 700, 4),
        (4, 130, 4),
        (100, 2, 17),
        (16, 100, 8),
    ],
    *[(0, 3, 2), (3, 0, 2), (17, 0, 9), (100, 1, 33)],
]


@pytest.mark.parametrize(("m", "k", "n"), SIZE_TRIPLES)
def test_products(m: int, k: int, n: int) -> None:
    rng = np.random.default_rng(m + k + n)
    a, b, c = rng.normal(size=(m, k)), rng.normal(size=(k, n)), rng.normal(size=(m, n))

    def f(a, b):
        x = np.matmul(np.stack([a, 2 * a, -a]), b)  # batch, shared
        y = np.einsum("bij,bjk->kbi", np.stack([a, a + 1]), np.stack([b, b - 1]))
        return [a @ b, (b.T @ a.T) * 2, np.sin(a) @ b + 1, x, y, np.einsum("ij,jk->i", a, b)]

    def g(a, b, c):
        return ft.vjp(lambda a, b: a @ b, a, b)[1](c), a @ b[:, 0], a.T @ c, (a.T * 2) @ c

    check(f, a, b, tol=1e-11)
    check(g, a, b, c, tol=1e-11)
    check(lambda a, b: a @ b, a.astype("f4"), np.asfortranarray(b.astype("f4")), tol=1e-4)
    check(lambda a, b: a @ b, *[(10 * x).astype(int) for x in (a, b)])


@pytest.mark.parametrize("count", [1, 2, 4, 5, 20])
@pytest.mark.parametrize("shape", [(3,), (17,), (2, 9)])
def test_joins(count: int, shape: tuple) -> None:
    rng = np.random.default_rng(count)
    parts = [rng.normal(size=shape) for _ in range(count)]

    def f(parts):
        made = []
        for axis in range(-len(shape), len(shape)):
            cut = [
                x[(slice(None),) * (axis % len(shape)) + (slice(k % 4),)]
                for k, x in enumerate(parts)
            ]
            made += [np.concatenate(cut, axis), np.concatenate([2 * x for x in parts], axis).sum(0)]
            made += [np.stack(parts, axis)]
        return made

    def slopes(parts):
        return ft.grad(lambda parts: sum(np.sum(np.sin(x)) for x in f(parts)))(parts)

    check(lambda parts: (f(parts), slopes(parts)), parts)


@pytest.mark.parametrize("shape", [(2, 3), (9, 9), (17, 33, 3), (3, 2, 17), (33, 0, 2), (1, 40)])
def test_reductions_over_all_axes(shape: tuple) -> None:
    x = np.random.default_rng(1).normal(size=shape)

    def f(x):
        made: list[Any] = []
        for count in range(1, x.ndim + 1):
            for axes in itertools.combinations(range(x.ndim), count):
                made += [np.sum(x * x, axis=axes), np.prod(np.cos(x), axis=axes)]
                made += [np.any(x > 2, axis=axes), np.all(x < 2, axis=axes, keepdims=True)]
                made += [np.sum(x > 0, axis=axes), np.cumsum(x, axis=axes[0])]
                if x.size:
                    made += [np.max(x, axis=axes), np.min(x - 1, axis=axes, keepdims=True)]
                    made += [np.mean(x, axis=axes), np.var(x + 1, axis=axes)]
        return made

    check(f, x)
    check(f, np.asfortranarray(x)[::-1])


RESHAPES = [
    *[((4, 6), (2, 2, 6)), ((4, 6), (24,)), ((40,), (8, 5)), ((40,), (2, 20)), ((9, 34), (34, 9))],
    *[((3, 4, 5), (12, 5)), ((3, 4, 5), (3, 20)), ((33, 9), (3, 11, 9)), ((17, 2, 9), (34, 9))],
    *[((17, 2, 9), (17, 18)), ((1, 17, 1), (17,)), ((), (1, 1)), ((0, 3), (5, 0)), ((8, 8), (64,))],
]


@pytest.mark.parametrize(("old", "new"), RESHAPES)
def test_reshapes(old: tuple, new: tuple) -> None:
    x = np.random.default_rng(0).normal(size=old)

    def f(x):
        y = np.sin(x)
        made = [
            x.reshape(new),
            y.reshape(new) * 2,
            x.T.reshape(new),
            x[::-1].reshape(new) if old else x,
        ]
        made += [np.sum(y.reshape(new), axis=-1), (y.reshape(new) + 1).reshape(old)]
        return [*made, y.reshape(new)[..., ::-1]]

    check(lambda x: (f(x), ft.grad(lambda x: sum(np.sum(np.cos(y)) for y in f(x)))(x)), x)


# --------------------------------------------------------------------------------------
# Arguments and results


def test_results_are_arrays_of_their_own() -> None:
    x = np.arange(3.0)
    constant = np.arange(4.0)
    f = ft.jit(lambda x: (x, x, [x * 2, constant], {"a": 1.5, "b": x[0]}, x[::-1], None, ()))
    for _ in range(2):
        a, b, (c, d), e, r, none, empty = f(x)
        assert none is None and empty == ()
        np.testing.assert_array_equal([a, b, c / 2, r[::-1]], [x] * 4)
        np.testing.assert_array_equal(d, np.arange(4.0))
        assert e == {"a": 1.5, "b": 0.0} and isinstance(e["b"], np.float64)
        for y in (a, b, c, d, r):
            y[...] = 7.0
    np.testing.assert_array_equal(x, np.arange(3.0))
    np.testing.assert_array_equal(constant, np.arange(4.0))
    assert ft.jit(lambda: (np.ones(2), 3))()[1] == 3


@pytest.mark.parametrize("shape", [(), (0,), (1, 1), (5, 7)])
@pytest.mark.parametrize("dtype", ["f8", "f4", "i8", "u2", "?", "c16", "f2"])
def test_layouts_and_dtypes(shape: tuple, dtype: str) -> None:
    x = (10 * np.random.default_rng(3).normal(size=shape)).astype(dtype)
    unaligned = np.frombuffer(b"\0" + x.tobytes(), np.uint8)[1:].view(x.dtype).reshape(shape)
    swapped = np.asfortranarray(x).T.T
    f = lambda x: (x, x * x, np.sum(x), x.T, np.stack([x, x]), x == x, np.ravel(x)[:2] + 1)
    compiled = ft.jit(f)
    with np.errstate(all="ignore"):
        for y in (x, unaligned, swapped, np.flip(np.flip(x).copy()), np.broadcast_to(x, x.shape)):
            assert_close(compiled(y), f(y), 1e-10 if dtype not in ("f4", "f2") else 1e-3)


def test_python_numbers_and_lists() -> None:
    f = lambda x, n, ps: x * n + ps[0] - ps[1]["k"]
    for args in (
        (2, 3, [1, {"k": 2}]),
        (2.5, 3, [True, {"k": 2}]),
        (np.float32(2), 3.0, [1, {"k": 0}]),
    ):
        assert_close(ft.jit(f)(*args), np.asarray(f(*args))[()])


INTEGERS = {
    "arithmetic": lambda x, y: (x + y, x - y, x * y, -x, abs(x), x // 3, x % 3, x % -7, x // -2),
    "bits": lambda x, y: (x & y, x | y, x ^ y, ~x, x << 2, x >> 1),
    "powers": lambda x, y: ((x % 5) ** 3, x**2, np.sign(x), np.square(x)),
    "comparisons": lambda x, y: (x < y, x == y, np.maximum(x, y), np.minimum(x, 2), x != 3),
    "reductions": lambda x, y: (
        np.sum(x),
        np.prod(x % 3),
        np.max(x),
        np.min(x, axis=0),
        np.mean(x),
    ),
    "products": lambda x, y: (x @ y, np.einsum("ij,kj->ik", x, y), np.dot(x[0], y[:, 0])),
    "to float": lambda x, y: (x / 3, x * 0.5, np.sin(x), x.astype("f4") + 1, np.sqrt(np.abs(x))),
    "conversions": lambda x, y: (x.astype("i1"), x.astype("u2"), x.astype(bool), (x > 0) + y),
    "extremes": lambda x, y: (np.max(x, axis=1), np.cumsum(x, 0), np.sort(x, 1), np.argmax(x, 0)),
}


@pytest.mark.parametrize("name", INTEGERS)
@pytest.mark.parametrize("dtype", ["i8", "i1", "u8", "u1"])
@pytest.mark.filterwarnings("ignore:overflow")
def test_integers(name: str, dtype: str) -> None:
    rng = np.random.default_rng(5)
    low = 0 if dtype[0] == "u" else -100
    x, y = (rng.integers(low, 101, (9, 9)).astype(dtype) for _ in range(2))
    f = INTEGERS[name]
    if dtype[0] == "u":  # NumPy refuses negative numbers beside unsigned ones
        if name in ("arithmetic",):
            f = lambda x, y: (x + y, x - y, x * y, -x, x // 3, x % 3)
        if dtype == "u8" and name in ("to float", "conversions"):
            f = lambda x, y: (x / 3, x.astype("i1"), x.astype(bool))
    if dtype in ("i1", "u1") and name == "to float":
        f = lambda x, y: (x / 3, x.astype("f4") + 1)  # the others give half precision
    check(f, x, y)


# --------------------------------------------------------------------------------------
# Transforms


def rosenbrock(x):
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


TRANSFORMS: dict[str, tuple[Callable, Callable]] = {
    "jit of grad": (lambda f: ft.jit(ft.grad(f)), ft.grad),
    "grad of jit": (lambda f: ft.grad(ft.jit(f)), ft.grad),
    "jit of hessian": (lambda f: ft.jit(ft.hessian(f)), ft.hessian),
    "hessian of jit": (lambda f: ft.hessian(ft.jit(f)), ft.hessian),
    "jit of jacrev": (lambda f: ft.jit(ft.jacrev(ft.grad(f))), ft.hessian),
    "jit of jacfwd": (lambda f: ft.jit(ft.jacfwd(ft.jacrev(f))), ft.hessian),
    "jit of vmap": (lambda f: ft.jit(ft.vmap(lambda k: f(np.arange(5.0) * k))), lambda f: ft.vmap(lambda k: f(np.arange(5.0) * k))),
    "vmap of jit": (lambda f: lambda x: ft.vmap(ft.jit(f))(np.stack([x, x + 1])), lambda f: lambda x: ft.vmap(f)(np.stack([x, x + 1]))),
    "vmap of jit of grad": (lambda f: lambda x: ft.vmap(ft.jit(ft.grad(f)))(np.stack([x, x + 1])), lambda f: lambda x: ft.vmap(ft.grad(f))(np.stack([x, x + 1]))),
    "jit in jit": (lambda f: ft.jit(lambda x: ft.jit(f)(x) * 2 + ft.jit(ft.grad(f))(x)), lambda f: lambda x: f(x) * 2 + ft.grad(f)(x)),
    "grad of jit of grad": (lambda f: ft.grad(lambda x: np.sum(ft.jit(ft.grad(ft.jit(f)))(x) ** 2)), lambda f: ft.grad(lambda x: np.sum(ft.grad(f)(x) ** 2))),
    "jvp of jit": (lambda f: lambda x: ft.jvp(ft.jit(f), (x,), (x,)), lambda f: lambda x: ft.jvp(f, (x,), (x,))),
    "linearize of jit": (lambda f: lambda x: ft.linearize(ft.jit(f), x)[1](x), lambda f: lambda x: ft.linearize(f, x)[1](x)),
    "hvp of jit": (lambda f: lambda x: ft.jvp(ft.grad(ft.jit(f)), (x,), (x,))[1], lambda f: lambda x: ft.jvp(ft.grad(f), (x,), (x,))[1]),
    "checkpoint": (lambda f: ft.jit(ft.grad(ft.checkpoint(f))), ft.grad),
    "jit of checkpoint of jit": (lambda f: ft.jit(ft.grad(ft.checkpoint(ft.jit(f)))), ft.grad),
}  # fmt: skip


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("size", [5, 20])
def test_transforms(name: str, size: int) -> None:
    compiled, eager = (make(rosenbrock) for make in TRANSFORMS[name])
    x = np.linspace(-1, 1.3, size)
    assert_close(compiled(x), eager(x), 1e-9)


def test_custom_rules() -> None:
    @ft.custom_vjp
    def reverse(x, n):
        return np.sin(x) * n

    reverse.defvjp(lambda x, n: (reverse(x, n), (x, n)), lambda r, ct: (7 * ct * r[0] * r[1], None))

    @ft.custom_jvp
    def forward(x):
        return np.exp(x)

    forward.defjvp(lambda x, t: (forward(*x), 5 * t[0] * np.cos(x[0])))
    x = np.linspace(0.1, 1, 9)
    for f in (lambda x: np.sum(reverse(x, 3.0)), lambda x: np.sum(forward(x))):
        for transform in (ft.grad, ft.hessian, lambda f: ft.vmap(lambda k: ft.grad(f)(x * k))):
            want = transform(f)(x)
            assert_close(ft.jit(transform(f))(x), want)
            assert_close(transform(ft.jit(f))(x), want)
            assert_close(ft.jit(transform(lambda x: ft.jit(f)(x)))(x), want)


def test_closures_over_tracers() -> None:
    x = np.linspace(0.5, 1, 20)

    def outer(x):
        inner = ft.jit(lambda y: np.sum(np.sin(y) * x))
        return inner(x * 2) + ft.grad(inner)(x)[0]

    for transform in (lambda f: f, ft.grad, ft.hessian):
        assert_close(transform(outer)(x), transform(lambda x: plain(x))(x), 1e-9)
        assert_close(ft.jit(transform(outer))(x), transform(lambda x: plain(x))(x), 1e-9)


def plain(x):
    return np.sum(np.sin(x * 2) * x) + np.cos(x[0]) * x[0]


# --------------------------------------------------------------------------------------
# What was once wrong


def test_flat_loops_keep_nothing() -> None:
    """A value used within a loop over all axes at once has no memory, of whatever size."""
    x = np.random.default_rng(0).normal(size=(33, 17, 17))
    check(lambda x: np.any(x > 1.5, keepdims=True), x)
    check(lambda x: np.sum(np.sin(x) * np.cos(x)), x)


def test_a_loop_written_twice() -> None:
    """Sine and cosine of small and of all arguments: the same loop, once for each."""

    def f(x):
        return np.sum(np.tanh(np.prod(np.cos(x - np.mean(x)), axis=1)))

    for scale in (1.0, 1e9):
        check(
            ft.value_and_grad(f), scale * np.random.default_rng(0).normal(size=(9, 9, 9)), tol=1e-6
        )
