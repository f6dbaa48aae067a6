"""Loops and branches: against Python's own, under every transform, eager and staged."""

from __future__ import annotations

import traceback

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import functorch_like as ft

SIZE = 6
X = np.random.default_rng(0).normal(size=SIZE)
U = np.random.default_rng(1).normal(size=SIZE)
LANES = np.random.default_rng(2).normal(size=(3, SIZE))
MIX = np.random.default_rng(3).normal(size=(SIZE, SIZE)) / 3


# --------------------------------------------------------------------------------------
# Programs: written with ours, and by hand


def recurrent(x):
    weight, xs = x[:4].reshape(2, 2), MIX[:, :2] * x[4]

    def step(carry, row):
        hidden, count = carry
        hidden = np.tanh(weight @ hidden + row)
        return (hidden, count + 1), {"square": hidden**2 * (count + 1.0), "half": hidden / 2}

    (hidden, _), ys = ft.scan(step, (x[4:6], 0), xs)
    return np.sum(ys["square"]) + np.sum(hidden * ys["half"][2])


def recurrent_by_hand(x):
    weight, xs = x[:4].reshape(2, 2), MIX[:, :2] * x[4]
    hidden, total, halves = x[4:6], 0.0, []
    for count in range(SIZE):
        hidden = np.tanh(weight @ hidden + xs[count])
        total = total + np.sum(hidden**2 * (count + 1.0))
        halves.append(hidden / 2)
    return total + np.sum(hidden * halves[2])


def backwards(x):
    def step(carry, row):
        return np.sin(carry) + row * x[0], carry * row

    carry, ys = ft.scan(step, x[1], x, reverse=True)
    return carry + np.sum(ys * np.arange(SIZE))


def backwards_by_hand(x):
    carry, ys = x[1], [None] * SIZE
    for i in reversed(range(SIZE)):
        ys[i] = carry * x[i]
        carry = np.sin(carry) + x[i] * x[0]
    return carry + np.sum(np.stack(ys) * np.arange(SIZE))


def only_length(x):
    carry, ys = ft.scan(lambda c, _: (MIX @ np.tanh(c), c[1] * x[2]), x, length=3)
    return np.sum(carry**2) + np.sum(ys)


def only_length_by_hand(x):
    carry, total = x, 0.0
    for _ in range(3):
        total = total + carry[1] * x[2]
        carry = MIX @ np.tanh(carry)
    return np.sum(carry**2) + total


def root(x):
    """Newton's square root: as many steps as the value needs."""
    a = np.sum(x**2) + 1.0
    start = (a, np.int64(0))
    found, _ = ft.while_loop(
        lambda s: np.abs(s[0] ** 2 - a) > 1e-13 * a,
        lambda s: ((s[0] + a / s[0]) / 2, s[1] + 1),
        start,
    )
    return found * x[0]


def root_by_hand(x):
    a = np.sum(x**2) + 1.0
    found = a
    while np.abs(found**2 - a) > 1e-13 * a:
        found = (found + a / found) / 2
    return found * x[0]


def counted(x):
    def body(state):
        value, i = state
        return np.sin(value * x[i]) + x, i + 1

    return np.sum(ft.while_loop(lambda s: s[1] < 4, body, (x, 0))[0])


def counted_by_hand(x):
    value = x
    for i in range(4):
        value = np.sin(value * x[i]) + x
    return np.sum(value)


def doubling(x):
    """A batched predicate, and lanes that would be NaN if they went on."""

    def body(state):
        value, total = state
        return value * 2, total + np.sqrt(8.0 - value)

    value, total = ft.while_loop(lambda s: s[0] <= 8, body, (np.sum(x**2), 0.0))
    return total * value


def doubling_by_hand(x):
    value, total = np.sum(x**2), 0.0
    while value <= 8:
        value, total = value * 2, total + np.sqrt(8.0 - value)
    return total * value


def factorials(x):
    return ft.fori_loop(1, 5, lambda i, v: np.cos(v * x[i] + i), x[0])


def traced_bound(x):
    upper = 5 + np.floor(np.tanh(x[0] ** 2)).astype(np.int64)
    return ft.fori_loop(1, upper, lambda i, v: np.cos(v * x[i] + i), x[0])


def factorials_by_hand(x):
    value = x[0]
    for i in range(1, 5):
        value = np.cos(value * x[i] + i)
    return value


def pieces(x):
    def one(a):
        return ft.cond(a > 0, lambda a: np.sin(a) * x[0], lambda a: a**3 * x[1] + 2.0, a)

    return one(x[0]) + one(x[1]) * one(x[2]) + one(x[3])


def pieces_by_hand(x):
    def one(a):
        return np.sin(a) * x[0] if a > 0 else a**3 * x[1] + 2.0

    return one(x[0]) + one(x[1]) * one(x[2]) + one(x[3])


def switched(x):
    branches = [lambda a, b: a * b["k"], lambda a, b: np.exp(a) + x[4], lambda a, b: 1.5]
    total = 0.0
    for i in range(3):
        index = np.floor(np.abs(x[i]) * 2.0).astype(np.int64)
        total = total + ft.switch(index, branches, x[i] * x[3], {"k": x[5]})
    return total


def switched_by_hand(x):
    total = 0.0
    for i in range(3):
        index = min(int(np.floor(abs(float(ft.stop_gradient(x[i]))) * 2)), 2)
        total = total + [x[i] * x[3] * x[5], np.exp(x[i] * x[3]) + x[4], 1.5][index]
    return total


def nested(x):
    """A scan, a while loop and a branch inside a scan."""

    def outer(carry, row):
        inner, ys = ft.scan(lambda c, r: (np.sin(c + r * x[0]), c * r), carry, row)
        grown = ft.while_loop(lambda v: v[0] < 3, lambda v: (v[0] + 1, v[1] * inner), (0, carry))[1]
        chosen = ft.cond(grown > inner, lambda g: g * x[1], lambda g: g - x[2], grown)
        return inner + chosen / 3, np.sum(ys)

    carry, ys = ft.scan(outer, x[3], MIX[:4, :3] * x[:3])
    return carry + np.sum(ys**2)


def nested_by_hand(x):
    rows, carry, total = MIX[:4, :3] * x[:3], x[3], 0.0
    for i in range(4):
        inner, ys = carry, 0.0
        for j in range(3):
            inner, ys = np.sin(inner + rows[i, j] * x[0]), ys + inner * rows[i, j]
        grown = carry * inner * inner * inner
        chosen = grown * x[1] if grown > inner else grown - x[2]
        carry, total = inner + chosen / 3, total + ys**2
    return carry + total


def branch_in_while(x):
    def body(state):
        i, v = state
        return i + 1, ft.cond(v > x[2], lambda v: v * x[0] - 1.0, lambda v: np.cos(v) + x[1], v)

    return ft.while_loop(lambda s: s[0] < 5, body, (np.int64(0), x[3]))[1]


def branch_in_while_by_hand(x):
    v = x[3]
    for _ in range(5):
        v = v * x[0] - 1.0 if v > x[2] else np.cos(v) + x[1]
    return v


def complex_carry(x):
    def step(z, a):
        z = z * np.exp(1j * a) + a * x[0]
        return z, np.abs(z)

    z, ys = ft.scan(step, x[0] + 1j * x[1], x[:4])
    return np.real(z * np.conj(z) * (1 + 2j)) + np.sum(ys) + np.imag(z)


def complex_carry_by_hand(x):
    z, total = x[0] + 1j * x[1], 0.0
    for i in range(4):
        z = z * np.exp(1j * x[i]) + x[i] * x[0]
        total = total + np.abs(z)
    return np.real(z * np.conj(z) * (1 + 2j)) + total + np.imag(z)


def mapped(x):
    return np.sum(ft.map(lambda row: np.sin(row @ x) * x[0], MIX, batch_size=4) ** 2)


def mapped_by_hand(x):
    return sum((np.sin(MIX[i] @ x) * x[0]) ** 2 for i in range(SIZE))


def assigned(x):
    """Bodies that write into what they are given."""

    def step(carry, row):
        carry[0] = carry[1] * row[0]
        row[0] = 3.0 * row[0]
        carry[1] = (carry[0] + row[0]) * x[1]
        return carry, carry

    carry, ys = ft.scan(step, np.ones(3), MIX)
    return np.sum(carry) + np.sum(ys[:, 0] * np.arange(SIZE))


def assigned_by_hand(x):
    a, b, total = 1.0, 1.0, 0.0
    for i in range(SIZE):
        a = b * MIX[i, 0]
        b = (a + 3.0 * MIX[i, 0]) * x[1]
        total = total + a * i
    return a + b + 1.0 + total


PROGRAMS = {
    "recurrent": (recurrent, recurrent_by_hand),
    "backwards": (backwards, backwards_by_hand),
    "only_length": (only_length, only_length_by_hand),
    "root": (root, root_by_hand),
    "counted": (counted, counted_by_hand),
    "doubling": (doubling, doubling_by_hand),
    "factorials": (factorials, factorials_by_hand),
    "traced_bound": (traced_bound, factorials_by_hand),
    "pieces": (pieces, pieces_by_hand),
    "switched": (switched, switched_by_hand),
    "nested": (nested, nested_by_hand),
    "branch_in_while": (branch_in_while, branch_in_while_by_hand),
    "complex_carry": (complex_carry, complex_carry_by_hand),
    "mapped": (mapped, mapped_by_hand),
    "assigned": (assigned, assigned_by_hand),
}


def lanes(f):
    """The reference for vmap: one lane after the other."""
    return lambda x: np.stack([f(lane) for lane in along(x)])


def along(x):
    return [x * LANES[i] * 2.0 for i in range(len(LANES))]


def batched(f):
    return lambda x: ft.vmap(f)(x * LANES * 2.0)


def same(transform):
    return transform, transform


def squared_norm(f):
    return lambda x: np.sum(np.sin(f(x)))


def directional(f):
    return lambda x: ft.jvp(f, (x,), (U,))[1]


# What is applied to a program, and to its twin by hand.
TRANSFORMS = {
    "value": same(lambda f: f),
    "grad": same(ft.grad),
    "jvp": same(directional),
    "linearize": same(lambda f: lambda x: ft.linearize(f, x)[1](U)),
    "jacfwd": same(ft.jacfwd),
    "jacrev": same(ft.jacrev),
    "hessian": same(ft.hessian),
    "grad of grad": same(lambda f: ft.grad(squared_norm(ft.grad(f)))),
    "grad of jvp": same(lambda f: ft.grad(directional(f))),
    "jvp of grad": same(lambda f: directional(ft.grad(f))),
    "jacrev of jacrev": same(lambda f: ft.jacrev(ft.jacrev(f))),
    "third order": same(lambda f: directional(directional(ft.grad(f)))),
    "grad of grad of grad": same(
        lambda f: ft.grad(squared_norm(ft.grad(squared_norm(ft.grad(f)))))
    ),
    "vmap": (batched, lanes),
    "vmap of grad": (lambda f: batched(ft.grad(f)), lambda f: lanes(ft.grad(f))),
    "vmap of jvp": (lambda f: batched(directional(f)), lambda f: lanes(directional(f))),
    "vmap of hessian": (lambda f: batched(ft.hessian(f)), lambda f: lanes(ft.hessian(f))),
    "grad of vmap": (
        lambda f: ft.grad(squared_norm(batched(f))),
        lambda f: ft.grad(squared_norm(lanes(f))),
    ),
    "hessian of vmap": (
        lambda f: ft.hessian(squared_norm(batched(f))),
        lambda f: ft.hessian(squared_norm(lanes(f))),
    ),
    "vmap of vmap": (
        lambda f: lambda x: ft.vmap(lambda a: batched(f)(x * a))(U),
        lambda f: lambda x: np.stack([lanes(f)(x * U[i]) for i in range(SIZE)]),
    ),
}


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("program", PROGRAMS)
def test_equals_python_under_transforms(program: str, transform: str) -> None:
    f, by_hand = PROGRAMS[program]
    ours, theirs = TRANSFORMS[transform]
    want = theirs(by_hand)(X.copy())
    got = ours(f)(X.copy())
    scale = 1e-11 * (1 + np.max(np.abs(want)))
    assert (got.shape, got.dtype) == (want.shape, want.dtype)
    np.testing.assert_allclose(got, want, rtol=1e-9, atol=scale)
    graph = ft.make_graph(ours(f))(X)
    graph.check()
    staged = graph(X.copy())
    assert (staged.shape, staged.dtype) == (want.shape, want.dtype)
    np.testing.assert_allclose(staged, want, rtol=1e-9, atol=scale)


# --------------------------------------------------------------------------------------
# Values, types and structures


def python_scan(f, init, xs, reverse):
    carry, ys = init, []
    for x in xs[::-1] if reverse else xs:
        carry, y = f(carry, x)
        ys.append(y)
    return carry, np.stack(ys[::-1] if reverse else ys)


def graphed(f, *args):
    """What the staged form of ``f`` gives."""
    graph = ft.make_graph(f)(*args)
    graph.check()
    return graph(*args)


@given(st.integers(1, 7), st.booleans(), st.integers(0, 100), st.sampled_from(["f4", "f8", "c16"]))
def test_scan_is_the_loop(length: int, reverse: bool, seed: int, dtype: str) -> None:
    rng = np.random.default_rng(seed)
    xs, init = rng.normal(size=(length, 2)).astype(dtype), rng.normal(size=2).astype(dtype)

    def f(carry, x):
        return carry * x[::-1] + 1, np.sum(x) * carry

    want = python_scan(f, init, xs, reverse)
    for got in (
        ft.scan(f, init, xs, reverse=reverse),
        graphed(lambda i, x: ft.scan(f, i, x, reverse=reverse), init, xs),
    ):
        for a, b in zip(got, want, strict=True):
            assert (a.shape, a.dtype) == (b.shape, b.dtype)
            np.testing.assert_array_equal(a, b)


@given(st.integers(0, 9), st.integers(1, 5))
def test_map_in_batches(length: int, batch_size: int) -> None:
    xs = {"a": np.arange(2.0 * length).reshape(length, 2), "b": np.arange(length)}

    def f(x):
        return np.sum(x["a"]) * x["b"], x["b"] + 1

    want = (np.sum(xs["a"], axis=1) * xs["b"], xs["b"] + 1)
    for call in (ft.map, lambda f, xs: graphed(lambda xs: ft.map(f, xs, batch_size), xs)):
        for a, b in zip(call(f, xs), want, strict=True):
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)


@given(st.integers(-3, 6), st.integers(-3, 6))
def test_fori_loop_is_range(lower: int, upper: int) -> None:
    want = sum(range(lower, upper))
    traced = ft.make_graph(lambda a, b: ft.fori_loop(a, b, lambda i, s: s + i, 0))(lower, upper)
    for got in (ft.fori_loop(lower, upper, lambda i, s: s + i, 0), traced(lower, upper)):
        assert got == want and got.dtype == np.int64


@given(st.integers(-3, 6))
def test_switch_takes_the_nearest_branch(index: int) -> None:
    branches = [lambda x: x, lambda x: x * 2, lambda x: x * 3]
    want = 1.5 * [1, 2, 3][min(max(index, 0), 2)]
    assert ft.switch(index, branches, 1.5) == want
    assert graphed(lambda i: ft.switch(i, branches, 1.5), np.int64(index)) == want


@pytest.mark.parametrize("reverse", [False, True])
def test_no_steps(reverse: bool) -> None:
    def f(carry, x):
        return carry * x[0], {"y": x.astype("f4"), "n": 1}

    def run(init, xs):
        return ft.scan(f, init, xs, reverse=reverse)

    xs = np.zeros((0, 3))
    for carry, ys in (run(2.0, xs), graphed(run, np.float64(2.0), xs)):
        assert carry == 2.0
        assert (ys["y"].shape, ys["y"].dtype) == ((0, 3), np.float32)
        assert (ys["n"].shape, ys["n"].dtype) == ((0,), np.int64)

    def total(init):
        carry, ys = run(init, xs)
        return carry * 3.0 + np.sum(ys["y"])

    assert ft.grad(total)(2.0) == 3.0
    assert graphed(ft.grad(total), np.float64(2.0)) == 3.0
    np.testing.assert_array_equal(ft.vmap(ft.grad(total))(np.ones(2)), [3.0, 3.0])
    assert graphed(lambda x: ft.while_loop(lambda v: v < 0, lambda v: v * x, x), 2.0) == 2.0


def test_steps_are_the_users_own() -> None:
    """Eager loops run the function once a step, on values that can be printed and branched on."""
    seen = []

    def f(carry, x):
        if carry > 2:
            carry = carry * 0.5
        seen.append(float(ft.stop_gradient(carry)))
        return carry + x, None

    assert ft.grad(lambda a: ft.scan(f, a, np.array([1.0, 1.0, 1.0]))[0])(1.5) == 0.25
    assert seen == [1.5, 1.25, 1.125]


def test_known_predicates_take_one_branch_even_when_staged() -> None:
    def forbidden(x):
        raise AssertionError

    assert ft.cond(np.bool_(True), np.sin, forbidden, 0.0) == 0.0
    assert graphed(lambda x: ft.cond(True, np.sin, forbidden, x), 0.0) == 0.0
    assert ft.switch(5, [forbidden, np.cos], 0.0) == 1.0


def test_one_branch_runs_in_each_lane() -> None:
    def f(x):
        return ft.cond(x > 0, np.log, lambda x: -x, x)

    xs = np.array([1.0, -2.0, 3.0])
    with np.errstate(all="raise"):
        np.testing.assert_allclose(ft.vmap(f)(xs), [0.0, 2.0, np.log(3.0)])
        np.testing.assert_allclose(ft.vmap(ft.grad(f))(xs), [1.0, -1.0, 1 / 3])


def test_lanes_have_their_own_number_of_steps() -> None:
    def collatz(n):
        return ft.while_loop(
            lambda s: s[0] != 1,
            lambda s: (
                ft.cond(s[0] % 2 == 0, lambda n: n // 2, lambda n: 3 * n + 1, s[0]),
                s[1] + 1,
            ),
            (n, 0),
        )[1]

    np.testing.assert_array_equal(ft.vmap(collatz)(np.arange(1, 8)), [0, 1, 7, 2, 5, 8, 16])
    np.testing.assert_array_equal(
        graphed(ft.vmap(collatz), np.arange(1, 8)), [0, 1, 7, 2, 5, 8, 16]
    )


def test_single_precision_stays() -> None:
    xs = np.linspace(0, 1, 5, dtype=np.float32)

    def f(a):
        carry, ys = ft.scan(lambda c, x: (np.sin(c * x) + a, c), a, xs)
        return carry + np.sum(ys)

    a = np.float32(0.7)
    want = ft.grad(lambda a: f(a))(np.float64(a))
    for call in (ft.grad(f), lambda a: graphed(ft.grad(f), a), ft.jacfwd(f)):
        got = call(a)
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, want, rtol=1e-5)
    assert graphed(ft.hessian(f), a).dtype == np.float32


def test_python_numbers_give_way() -> None:
    xs = np.ones(3, np.float32)

    def narrow(c, x):
        return (c * x).astype(np.float32), None

    for call in (lambda f, x: f(x), graphed):
        assert call(lambda x: ft.scan(narrow, 0.1, x)[0], xs).dtype == np.float32
        assert call(lambda x: ft.scan(lambda c, a: (c + a, c), 0.0, x)[1], xs).dtype == np.float32
        found = call(
            lambda x: ft.while_loop(lambda v: v < 5, lambda v: v + x[0] / 2, 0), np.ones(2)
        )
        assert found == 5.0 and found.dtype == np.float64
        assert (
            call(lambda x: ft.scan(lambda c, _: (1.0, None), x[0], length=2)[0], xs).dtype == "f4"
        )
        chosen = call(lambda x: ft.cond(x[0] > 0, lambda: x[0], lambda: 0), xs)
        assert chosen == 1 and chosen.dtype == np.float32


def test_arguments_are_left_alone() -> None:
    init, xs = np.zeros(2), np.ones((3, 2))

    def f(carry, x):
        carry += x
        x *= 2
        return carry, carry

    for call in (ft.scan, lambda f, i, x: graphed(lambda i, x: ft.scan(f, i, x), i, x)):
        carry, ys = call(f, init, xs)
        np.testing.assert_array_equal(carry, [3.0, 3.0])
        np.testing.assert_array_equal(ys[:, 0], [1.0, 2.0, 3.0])
    assert not init.any() and np.all(xs == 1)


def test_bodies_are_staged_once() -> None:
    calls = []

    def f(carry, x):
        calls.append(None)
        return np.sin(carry * x), carry

    ft.make_graph(ft.hessian(lambda a: np.sum(ft.scan(f, a, np.ones(50))[1])))(1.0)
    assert len(calls) == 1


def test_graphs_are_closed_and_short() -> None:
    weight = np.eye(2)

    def f(x):
        return np.sum(
            ft.scan(lambda c, _: (np.tanh(weight @ c) * np.float64(2), None), x, length=9)[0]
        )

    graph = ft.make_graph(ft.grad(f))(np.ones(2))
    names = [equation.primitive.name for equation in graph.equations]
    assert "scan_vjp" in names and len(names) < 6
    for equation in graph.equations:
        body = equation.params.get("graph")
        assert body is None or (body.constants == [] and len(body.equations) == 3)


def test_linear_loops_are_transposed() -> None:
    weights = np.random.default_rng(5).normal(size=(4, 2, 2))

    def f(x):
        carry, ys = ft.scan(lambda c, w: (w @ c, (np.sum(c), w[0, 0])), x, weights)
        chosen = ft.cond(ys[1][0] > 0, lambda c: 2 * c, lambda c: c[::-1], carry)
        return ft.fori_loop(0, 3, lambda i, c: c * 0.5 + x, chosen), ys[0]

    x, cts = np.ones(2), (np.array([1.0, 2.0]), np.arange(4.0))
    (want,) = ft.vjp(f, x)[1](cts)
    (got,) = ft.linear_transpose(f, x)(cts)
    np.testing.assert_allclose(got, want)
    staged = graphed(lambda a, b: ft.linear_transpose(f, x)((a, b))[0], *cts)
    np.testing.assert_allclose(staged, want)

    def square(x):
        return ft.scan(lambda c, _: (c * c, None), x, length=2)[0]

    with pytest.raises(TypeError, match="not linear"):
        ft.make_graph(lambda ct: ft.linear_transpose(square, x)(ct))(x)


def test_loops_in_custom_rules() -> None:
    """A backward function made of loops, which is transposed for second derivatives."""
    xs = np.array([0.3, 0.7, 1.1])

    @ft.custom_vjp
    def f(x):
        return ft.scan(lambda c, a: (np.sin(c * a), None), x, xs)[0]

    def forward(x):
        return ft.scan(lambda c, a: (np.sin(c * a), np.cos(c * a) * a), x, xs)

    def backward(slopes, ct):
        return (ft.scan(lambda c, slope: (c * slope, None), ct, slopes)[0],)

    f.defvjp(forward, backward)

    def plain(x):
        for a in xs:
            x = np.sin(x * a)
        return x

    for transform in (ft.grad, ft.jacfwd, ft.hessian, lambda f: ft.grad(ft.grad(f))):
        want = transform(plain)(0.8)
        np.testing.assert_allclose(transform(f)(0.8), want)
        np.testing.assert_allclose(graphed(transform(f), 0.8), want)
        np.testing.assert_allclose(ft.vmap(transform(f))(np.array([0.8, 0.8])), [want, want])
        inside = transform(lambda x: ft.scan(lambda c, _: (f(c) + x, None), x, length=2)[0])
        np.testing.assert_allclose(graphed(inside, 0.8), inside(0.8))


def test_rules_with_constants_of_their_own() -> None:
    """Derivative rules that make arrays: they become operands of the loop."""

    def f(x):
        def step(c, _):
            c = np.linalg.cholesky(c @ c.T + np.eye(3))
            return c, np.cumsum(np.sort(c[:, 0]))

        carry, ys = ft.scan(step, x, length=2)
        chosen = ft.cond(carry[0, 0] > 0, np.linalg.cholesky, lambda a: a, carry @ carry.T)
        return np.sum(carry**3) + np.sum(ys) + np.sum(np.tril(chosen) ** 2)

    x = np.random.default_rng(4).normal(size=(3, 3))
    want = ft.grad(f)(x)
    np.testing.assert_allclose(graphed(ft.grad(f), x), want)
    np.testing.assert_allclose(ft.vmap(ft.grad(f))(np.stack([x, 2 * x]))[0], want)
    np.testing.assert_allclose(graphed(ft.hessian(f), x), ft.hessian(f)(x))
    np.testing.assert_allclose(
        ft.vmap(ft.hessian(f))(np.stack([2 * x, x]))[1], ft.hessian(f)(x), rtol=1e-6
    )


# --------------------------------------------------------------------------------------
# Errors

ONES = np.ones(3)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: ft.scan(lambda c, a: c, x, ONES), TypeError, r"scan\(<lambda>\): expected the function to return a pair \(carry, y\); got .*return \(carry, None\)"),
        (lambda x: ft.scan(lambda c, a: ((c, c), None), x, ONES), TypeError, r"expected carry returned with the structure it has at the start, \*; got \(\*, \*\); return the same"),
        (lambda x: ft.scan(lambda c, a: ({"h": c["h"][:1]}, None), {"h": x}, ONES), TypeError, r"expected carry\['h'\] to keep its shape .*f64\[2\] at the start; got f64\[1\]; start from an array of shape \(1,\)"),
        (lambda x: ft.scan(lambda c, a: (c.astype(np.float32), None), x, ONES), TypeError, r"f64\[2\] at the start; got f32\[2\]; return it as x\.astype\(np\.float64\)"),
        (lambda x: ft.scan(lambda c, a: (c * 1j, None), x, ONES), TypeError, r"got complex128\[2\]|got c128\[2\]; start from x\.astype\(np\.complex128\)"),
        (lambda x: ft.scan(lambda c, a: (c * 0.5, None), x.astype(np.int64), ONES), TypeError, r"i64\[2\] at the start; got f64\[2\]; start from x\.astype\(np\.float64\)"),
        (lambda x: ft.scan(lambda c, a: (c, None), x, (ONES, x)), ValueError, r"one number of steps; got 3 \(xs\[0\] of shape \(3,\)\); 2 \(xs\[1\]"),
        (lambda x: ft.scan(lambda c, a: (c, None), x, ONES, length=4), ValueError, r"got 3 \(xs of shape .*; 4 \(length\)"),
        (lambda x: ft.scan(lambda c, a: (c, None), x), ValueError, r"expected arrays in xs, or a length; got neither; pass length=n"),
        (lambda x: ft.scan(lambda c, a: (c, None), x, length=-1), ValueError, r"length of at least 0; got -1"),
        (lambda x: ft.scan(lambda c, a: (c, None), x, {"a": 1.0}), ValueError, r"xs\['a'\] is a single float64; close over it"),
        (lambda x: ft.scan(lambda c, a: (c, None), "text", ONES), TypeError, r"expected carry made of arrays or numbers; got carry of dtype <U4"),
        (lambda x: ft.map(np.sin, x, batch_size=0), ValueError, r"map\(sin\): expected a positive batch_size; got 0"),
        (lambda x: ft.map(np.sin, (x, ONES)), ValueError, r"map\(sin\): expected one number of steps"),
        (lambda x: ft.while_loop(lambda v: v > 0, lambda v: v, x), TypeError, r"while_loop\(<lambda>\): expected the condition to return a single truth value; got bool\[2\]; reduce it by np\.all or np\.any"),
        (lambda x: ft.while_loop(lambda v: v[0], lambda v: v, x), TypeError, r"got f64\[\]; compare it, x != 0"),
        (lambda x: ft.while_loop(lambda v: (True, v), lambda v: v, x), TypeError, r"one truth value; got the structure \(\*, \*\)"),
        (lambda x: ft.while_loop(lambda v: v[0] == x[0], lambda v: v[:1], x), TypeError, r"expected value to keep its shape and dtype from step to step, f64\[2\] at the start; got f64\[1\]"),
        (lambda x: ft.fori_loop(0, 2.0, lambda i, v: v, x), TypeError, r"fori_loop\(<lambda>\): expected upper to be an integer; got f64\[\]; write int\(upper\)"),
        (lambda x: ft.fori_loop(0, 2, lambda i, v: v[0], x), TypeError, r"fori_loop\(<lambda>\): .*to keep its shape"),
        (lambda x: ft.cond(x[0], np.sin, np.cos, x), TypeError, r"cond\(sin\): expected pred to be a single truth value; got f64\[\]; compare it, pred != 0"),
        (lambda x: ft.cond(x > 0, np.sin, np.cos, x), TypeError, r"got bool\[2\]; reduce it, np\.all\(pred\), or use vmap"),
        (lambda x: ft.switch(x[0], [np.sin, np.cos], x), TypeError, r"switch\(sin\): expected index to be a single integer; got f64\[\]; write index\.astype\(np\.int64\)"),
        (lambda x: ft.switch(x[0] > 0, [np.sin, np.cos], x), TypeError, r"got bool\[\]; .*use cond for a truth value"),
        (lambda x: ft.switch(0, [], x), ValueError, r"switch: expected at least one branch; got none"),
    ],
)  # fmt: skip
def test_messages(call, error, message: str) -> None:
    x = np.array([0.5, 1.5])
    runs = (call, ft.make_graph(call), ft.jacrev(call), ft.vmap(call, in_axes=None, axis_size=2))
    for run in runs:
        with pytest.raises(error, match=message) as caught:
            run(x)
        frames = traceback.extract_tb(caught.value.__traceback__)
        assert sum("functorch_like" in frame.filename for frame in frames) <= 3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p, x: ft.cond(p, np.sum, lambda a: (a, a), x), r"cond: expected branches whose results have one structure; <lambda> returns \(\*, \*\), sum returns \*; make them alike"),
        (lambda p, x: ft.cond(p, np.sum, np.sin, x), r"cond: expected branches whose results have the same types; for result, sin returns f64\[2\], sum returns f64\[\]; convert one by x\.astype, or reshape"),
        (lambda p, x: ft.cond(p, lambda a: {"k": a}, lambda a: {"k": a.astype(np.float32)}, x), r"for result\['k'\], <lambda> returns f32\[2\], <lambda> returns f64\[2\]"),
    ],
)  # fmt: skip
def test_branches_that_differ(call, message: str) -> None:
    x = np.array([0.5, 1.5])
    with pytest.raises(TypeError, match=message):
        ft.make_graph(call)(np.bool_(True), x)
    with pytest.raises(TypeError, match=message):
        ft.vmap(lambda p: call(p, x))(np.array([True, False]))


def test_eager_outputs_that_differ() -> None:
    def changing(c, x):
        return c, (x if x == 0 else (x, x))

    def growing(c, x):
        return c, np.ones(int(x) + 1)

    with pytest.raises(TypeError, match=r"every step to return y structured like the first, \*"):
        ft.scan(changing, 0.0, np.arange(2.0))
    with pytest.raises(TypeError, match=r"y of one shape; got \(1,\) and \(2,\)"):
        ft.scan(growing, 0.0, np.arange(2.0))


def test_escaped_values_are_named() -> None:
    kept = []

    def f(c, x):
        kept.append(c)
        return c * x, None

    ft.make_graph(lambda x: ft.scan(f, x, ONES)[0])(1.0)
    with pytest.raises(ft.errors.EscapedTracerError, match=r"scan\(f\): a traced array"):
        ft.grad(lambda x: x * kept[0])(1.0)
    with pytest.raises(ft.errors.EscapedTracerError, match=r"scan\(f\)"):
        ft.make_graph(lambda x: ft.scan(lambda c, _: (c * kept[0], None), x, length=2)[0])(1.0)
