"""``scan`` and ``while_loop`` that keep some carries only: same results, less memory."""

from __future__ import annotations

import functools
import math
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import functorch_like as ft
from functorch_like.control_flow.schedules import Kept, advances, first_kept, split, walk_back

W, START = np.array([0.5, 0.9, 1.1]), np.array([0.1, 0.2, 0.3])


def scan_loss(length: int, reverse: bool, checkpoint: Any) -> Callable:
    """A loss in which everything counts: constants, carry, xs, ys and a counter."""

    def loss(w: Any, start: Any, xs: Any) -> Any:
        def step(carry: Any, x: Any) -> tuple[Any, Any]:
            state, count = carry
            state = np.tanh(w * state) + 0.1 * x["x"].sum()
            return (state, count + 1), {"a": state * count, "b": (state.sum(), None)}

        (state, count), ys = ft.scan(
            step, (start, 0), {"x": xs}, reverse=reverse, checkpoint=checkpoint
        )
        by_step = np.sum(ys["b"][0] * np.arange(1.0, length + 1))
        return np.sum(state**2) + np.sum(np.sin(ys["a"])) + by_step + count

    return loss


def while_loss(checkpoint: Any) -> Callable:
    def loss(w: Any, start: Any, xs: Any) -> Any:
        def body(value: Any) -> Any:
            state = np.tanh(w * value["state"]) + 0.1 * value["state"][::-1]
            more = value["sum"] + np.sum(state * xs[0, 0])
            return {"state": state, "count": value["count"] + 1, "sum": more}

        out = ft.while_loop(
            lambda value: value["count"] < 7,
            body,
            {"state": start, "count": 0, "sum": 0},
            checkpoint=checkpoint,
        )
        return np.sum(out["state"] ** 2) + out["sum"]

    return loss


TRANSFORMS: dict[str, Callable] = {
    "value": lambda f: f,
    "grad": lambda f: ft.grad(f, (0, 1, 2)),
    "jit": lambda f: ft.jit(f),
    "jit(grad)": lambda f: ft.jit(ft.grad(f, (0, 1, 2))),
    "grad(jit)": lambda f: ft.grad(ft.jit(f), (0, 1, 2)),
    "jvp": lambda f: lambda *args: ft.jvp(f, args, args),
    "hessian": lambda f: ft.hessian(f, (0, 1)),
    "grad(grad)": lambda f: ft.grad(lambda *args: np.sum(ft.grad(f)(*args) ** 2), (0, 1, 2)),
    "vmap(grad)": lambda f: (
        lambda w, *rest: ft.vmap(ft.grad(f, (0, 1, 2)), (0, None, None))(
            np.stack([w, 2 * w]), *rest
        )
    ),
}


def check_same(found: Any, expected: Any) -> None:
    for x, y in zip(ft.tree.leaves(found), ft.tree.leaves(expected), strict=True):
        assert x.dtype == y.dtype
        np.testing.assert_allclose(x, y, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("reverse", [False, True])
def test_a_scan_in_chunks_is_the_scan(name: str, reverse: bool) -> None:
    length = 7
    args = W, START, np.random.default_rng(0).normal(size=(length, 2))
    expected = TRANSFORMS[name](scan_loss(length, reverse, None))(*args)
    for checkpoint in (1, 3, ft.Binomial(2), ft.Binomial(3), "300 B"):
        found = TRANSFORMS[name](scan_loss(length, reverse, checkpoint))(*args)
        check_same(found, expected)


@pytest.mark.parametrize("length", [0, 1, 9, 12])
def test_lengths(length: int) -> None:
    args = W, START, np.random.default_rng(0).normal(size=(length, 2))
    expected = TRANSFORMS["grad"](scan_loss(length, False, None))(*args)
    for checkpoint in (np.int64(2), "auto", True, False, "all", 100, ft.Binomial(3), "1 MB"):
        check_same(TRANSFORMS["grad"](scan_loss(length, False, checkpoint))(*args), expected)
    for checkpoint in ("auto", ft.Binomial(3)):
        check_same(TRANSFORMS["jit(grad)"](scan_loss(length, False, checkpoint))(*args), expected)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_while_loop_in_chunks_is_the_loop(name: str) -> None:
    args = W, START, np.ones((1, 1))
    expected = TRANSFORMS[name](while_loss(None))(*args)
    for checkpoint in (3, 7, ft.Binomial(2), ft.Binomial(4), "200 B"):
        check_same(TRANSFORMS[name](while_loss(checkpoint))(*args), expected)


def test_while_loops_whose_lanes_differ() -> None:
    def power(checkpoint: Any) -> Callable:
        return lambda x: ft.while_loop(
            lambda value: value < 100.0, lambda value: value * x + 1, x, checkpoint=checkpoint
        )

    xs = np.array([1.5, 2.0, 5.0, 200.0])
    expected = [ft.grad(power(None))(x) for x in xs]
    for transform in (lambda f: ft.vmap(ft.grad(f)), lambda f: ft.jit(ft.vmap(ft.grad(f)))):
        for checkpoint in (3, ft.Binomial(2), ft.Binomial(5)):
            np.testing.assert_allclose(transform(power(checkpoint))(xs), expected, rtol=1e-12)


def test_python_numbers_take_the_dtype_of_the_step() -> None:
    xs = np.arange(1.0, 8.0)

    def product(x: Any) -> Any:
        return ft.scan(lambda total, x: (total * x, total), 1, x, checkpoint=2)

    for run in (product, ft.jit(product)):
        value, before = run(xs)
        assert value == 5040.0 and before.dtype == np.float64
        np.testing.assert_array_equal(before, [1, 1, 2, 6, 24, 120, 720])
    np.testing.assert_allclose(ft.grad(lambda x: product(x)[0])(xs), 5040.0 / xs)


def test_a_step_runs_once_more_in_the_backward_pass() -> None:
    calls = []

    def loss(x: Any) -> Any:
        def step(total: Any, _: Any) -> tuple[Any, None]:
            calls.append(0)
            return np.sin(total) * x, None

        return ft.scan(step, x, None, 10, checkpoint=3)[0]

    loss(0.5)
    assert len(calls) == 10  # nothing is differentiated: the plain loop
    calls.clear()
    ft.grad(loss)(0.5)
    assert len(calls) == 10 + 9  # the rest, one step, is recorded at once


def peak(run: Callable) -> int:
    """Bytes at the most, compiling aside."""
    run()
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def scanned(length: int, checkpoint: Any) -> Callable:
    def loss(w: Any) -> Any:
        def step(state: Any, _: Any) -> tuple[Any, None]:
            return np.tanh(w * state) + 0.1 * state[::-1], None

        return np.sum(ft.scan(step, START, None, length, checkpoint=checkpoint)[0])

    return loss


def looped(length: int, checkpoint: Any) -> Callable:
    def loss(w: Any) -> Any:
        def body(value: Any) -> Any:
            return value[0] + 1, np.tanh(w * value[1]) + 0.1 * value[1][::-1]

        steps = round(length**0.5) if checkpoint else None
        go_on = lambda value: value[0] < length
        return np.sum(ft.while_loop(go_on, body, (0, START), checkpoint=steps)[1])

    return loss


@pytest.mark.parametrize("loop", [scanned, looped])
@pytest.mark.parametrize("name", ["jit(grad)", "grad(jit)"])
def test_memory_of_compiled_programs(loop: Callable, name: str) -> None:
    length = 100_000
    carries = length * START.nbytes

    def bytes_of(checkpoint: Any) -> int:
        # A new program each time: one that has run holds the memory it needs.
        loss = loop(length, checkpoint)
        if name == "jit(grad)":
            return peak(lambda: ft.jit(ft.grad(loss))(W))
        return peak(lambda: ft.grad(ft.jit(loss))(W))

    assert bytes_of(None) > carries  # that the measure sees them
    assert bytes_of("auto") < carries / 4


@pytest.mark.parametrize("loop", [scanned, looped])
@pytest.mark.parametrize(
    "transform",
    [ft.grad, lambda f: lambda w: ft.vmap(ft.grad(f))(w[None])],
    ids=["eager", "vmap"],
)
def test_memory_of_plain_python(loop: Callable, transform: Callable) -> None:
    length = 484
    kept = peak(lambda: transform(loop(length, None))(W))
    assert peak(lambda: transform(loop(length, "auto"))(W)) < kept / 2


@pytest.mark.parametrize(
    ("checkpoint", "message"),
    [
        (0, "expected checkpoint to be at least 1 step; got 0; write None"),
        (-2, "expected checkpoint to be at least 1 step; got -2"),
        ("sqrt", "got 'sqrt'; a budget is a number and a unit"),
        ("64", "got '64'; a budget is a number and a unit"),
        ("64 apples", "a number of steps n, ft.Binomial.* got '64 apples'"),
        (2.5, "expected checkpoint to be 'all', 'auto', a number of steps.* got 2.5"),
        ("15 B", "at least two carries of 8 bytes.* got '15 B'; write checkpoint="),
    ],
)
def test_bad_values(checkpoint: Any, message: str) -> None:
    with pytest.raises(ValueError, match=rf"^scan\(<lambda>\): .*{message}"):
        ft.scan(lambda c, x: (c, x), 0.0, np.ones(3), checkpoint=checkpoint)
    with pytest.raises(ValueError, match=rf"^while_loop\(<lambda>\): .*{message}"):
        ft.while_loop(lambda x: x < 3, lambda x: x + 1, 0, checkpoint=checkpoint)
    with pytest.raises(
        ValueError, match=rf"^fori_loop\(<lambda>\): .*{message.replace('8', '16')}"
    ):
        ft.fori_loop(0, 3, lambda i, x: x, 0.0, checkpoint=checkpoint)


@pytest.mark.parametrize("states", [1, 0, -3])
def test_too_few_states(states: int) -> None:
    with pytest.raises(ValueError, match=rf"at least 2 states.* got {states}; write ft.Binomial"):
        ft.Binomial(states)


def test_states_are_a_number() -> None:
    with pytest.raises(TypeError, match=r"expected a number of states; got 2.5; write ft.Binomial"):
        ft.Binomial(2.5)  # type: ignore[arg-type]


def test_a_budget_counts_the_lanes_of_a_batch() -> None:
    def last(x: Any) -> Any:
        return ft.scan(lambda c, _: (np.sin(c), None), x, None, 9, checkpoint="20 B")[0]

    assert ft.grad(last)(0.5) == ft.jit(ft.grad(last))(0.5)
    with pytest.raises(ValueError, match="two carries of 32 bytes, tangents and batch included"):
        ft.vmap(ft.grad(last))(np.ones(4))


@pytest.mark.parametrize("checkpoint", ["auto", True])
def test_a_while_loop_needs_the_number(checkpoint: Any) -> None:
    with pytest.raises(ValueError, match=r"how many steps there will be is not known; write"):
        ft.while_loop(lambda x: x < 3, lambda x: x + 1, 0, checkpoint=checkpoint)


def test_errors_name_the_carry_as_the_user_wrote_it() -> None:
    def grown(x: Any) -> Any:
        return ft.while_loop(
            lambda value: value["i"] < 3,
            lambda value: {"i": value["i"] + 1, "x": np.stack([value["x"], x])},
            {"i": 0, "x": x},
            checkpoint=2,
        )["x"]

    def scanned(x: Any) -> Any:
        step = lambda carry, _: ({"x": np.stack([carry["x"], x])}, None)
        return ft.scan(step, {"x": x}, None, 9, checkpoint=2)[0]["x"]

    for f, name in ((grown, "value"), (scanned, "carry")):
        for run in (ft.grad(f), ft.jit(ft.grad(f))):
            with pytest.raises(TypeError, match=rf"expected {name}\['x'\] to keep its shape"):
                run(1.0)


def test_every_y_keeps_its_structure_in_the_rest_of_the_steps() -> None:
    def loss(x: Any) -> Any:
        # The count is known outside jit, and so may choose what is returned.
        step = lambda i, _: (i + 1, x if int(i) < 4 else (x, x))
        return ft.scan(step, 0, None, 5, checkpoint=2)[1].sum()

    with pytest.raises(TypeError, match="expected every step to return y structured"):
        ft.grad(loss)(1.0)


@pytest.mark.parametrize(
    "transform",
    [
        ft.grad,
        lambda f: ft.jit(ft.grad(f)),
        lambda f: ft.grad(ft.grad(f)),
        lambda f: lambda x: ft.vmap(ft.grad(ft.grad(f)))(np.stack([x, 2 * x])),
    ],
    ids=["grad", "jit(grad)", "grad(grad)", "vmap(grad(grad))"],
)
def test_checkpoints_within_checkpoints_that_close_over_a_traced_value(transform: Callable) -> None:
    def three(keep: Callable) -> Callable:
        inner = lambda w: lambda x: keep(lambda y: keep(lambda z: np.sin(z) * w)(y) * w)(x) * w
        return lambda w: keep(inner(w))(w)

    expected = transform(lambda w: np.sin(w) * w**3)(1.3)
    np.testing.assert_allclose(transform(three(ft.checkpoint))(1.3), expected, rtol=1e-12)

    def loops(checkpoint: int | None) -> Callable:
        def loss(w: Any) -> Any:
            def outer(carry: Any, _: Any) -> tuple[Any, Any]:
                inner = lambda c, _: (np.sin(c * w), None)
                return ft.scan(inner, carry, None, 6, checkpoint=checkpoint)[0], carry

            last, ys = ft.scan(outer, w, None, 5, checkpoint=checkpoint)
            return last + np.sum(ys)

        return loss

    np.testing.assert_allclose(transform(loops(2))(1.3), transform(loops(None))(1.3), rtol=1e-10)


def test_linear_maps_under_checkpoint_are_transposed() -> None:
    xs = np.random.default_rng(0).normal(size=(7, 2))

    def sums(x: Any, checkpoint: int | None) -> Any:
        return ft.scan(lambda c, row: (c / 2 + row, c), np.zeros(2), x, checkpoint=checkpoint)[0]

    expected = 0.5 ** np.arange(6, -1, -1.0)[:, None] * np.array([1.0, 3.0])
    for checkpoint in (None, 3):
        f = lambda x, checkpoint=checkpoint: sums(x, checkpoint)
        for back in (ft.linear_transpose(f, xs), ft.jit(ft.linear_transpose(f, xs))):
            np.testing.assert_allclose(back(np.array([1.0, 3.0]))[0], expected, rtol=1e-14)

    def loss(keep: Callable) -> Callable:
        return lambda w: ft.linear_transpose(keep(lambda x: w * x), 1.0)(2.0)[0] ** 2

    assert ft.grad(loss(ft.checkpoint))(1.5) == ft.grad(loss(lambda f: f))(1.5) == 12.0
    with pytest.raises(TypeError, match="not linear"):
        ft.linear_transpose(ft.checkpoint(np.sin), 1.0)(1.0)


# --------------------------------------------------------------------------------------
# Binomial schedules


@functools.cache
def fewest(length: int, states: int) -> float:
    """The fewest steps forward, by trying every place for the next carry to be kept."""
    if length == 1:
        return 0
    if states == 1:
        return length * (length - 1) // 2
    return min(m + fewest(m, states) + fewest(length - m, states - 1) for m in range(1, length))


def walked(kept: list, length: int, states: int) -> int:
    """Steps forward of a walk back, which is checked on the way."""
    taken, reversed_steps = 0, []

    def advance(carry: int, first: int, count: int) -> int:
        nonlocal taken
        assert carry == first
        assert len(kept) <= states
        taken += count
        return first + count

    def back(carry: int, i: int) -> None:
        assert carry == i
        reversed_steps.append(i)

    walk_back(kept, length, states, advance, back)
    assert reversed_steps == list(range(length))[::-1]
    return taken


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 60), st.integers(1, 12))
def test_no_schedule_takes_fewer_steps(length: int, states: int) -> None:
    assert advances(length, states) == fewest(length, states)
    assert walked([(0, 0)], length, states) == advances(length, states)
    first = first_kept(length, states)
    assert len(first) <= states
    after = walked([(i, i) for i in first], length, states)
    assert after + first[-1] == advances(length, states)


def test_the_closed_formula() -> None:
    # Griewank and Walther 2000: s states and r runs do for beta(s, r) steps; the steps forward are
    # r l - beta(s + 1, r - 1) for l steps, 2 * 10 - 5 with 3 states.
    assert math.comb(3 + 2, 2) == 10
    assert advances(10, 3) == 15
    assert (split(10, 3), split(2, 1), split(2, 5)) == (4, 1, 1)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 3000), st.integers(2, 60))
def test_loops_of_unknown_length_take_little_more(length: int, states: int) -> None:
    kept = Kept(states)
    for i in range(length):
        kept.offer(i)
        assert len(kept.carries) <= max(states // 2, 1)
    taken = length + walked(kept.carries, length, states)
    assert taken <= 1.5 * advances(length, states) + 2 * length


@pytest.mark.parametrize("states", [2, 3, 7, 20])
def test_steps_that_plain_python_runs(states: int) -> None:
    calls: list[int] = []

    def scanned_steps(x: Any) -> Any:
        def step(total: Any, _: Any) -> tuple[Any, None]:
            calls.append(0)
            return np.sin(total) * x, None

        return ft.scan(step, x, None, 20, checkpoint=ft.Binomial(states))[0]

    def looped_steps(x: Any) -> Any:
        def body(value: Any) -> Any:
            calls.append(0)
            return value[0] + 1, np.sin(value[1]) * x

        keep = ft.Binomial(states)
        return ft.while_loop(lambda value: value[0] < 20, body, (0, x), checkpoint=keep)[1]

    scanned_steps(0.5)
    assert len(calls) == 20  # nothing is differentiated: the plain loop
    calls.clear()
    ft.grad(scanned_steps)(0.5)
    if states < 20:
        assert len(calls) == advances(20, states) + 20  # and each once more, recorded
    else:
        assert len(calls) == 20  # all are kept
    calls.clear()
    ft.grad(looped_steps)(0.5)
    assert len(calls) == 20 + advances(20, states) + 20  # and once to count them


@pytest.mark.parametrize("states", [2, 3, 7])
def test_steps_that_compiled_code_runs(states: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from functorch_like.primitives.core import registry

    calls: list[int] = []
    sort = registry["argsort"]  # left to NumPy, so that its calls can be counted
    kernel = sort.kernel

    def counted(*args: Any, **params: Any) -> Any:
        calls.append(0)
        return kernel(*args, **params)

    monkeypatch.setattr(sort, "kernel", counted)
    length = 30

    def step(x: Any, w: Any) -> Any:
        return 0.2 + np.sort(np.sin(x[::-1] * w))

    def scanned_steps(w: Any, x: Any) -> Any:
        body = lambda c, _: (step(c, w), None)
        return ft.scan(body, x, None, length, checkpoint=ft.Binomial(states))[0].sum()

    def looped_steps(w: Any, x: Any) -> Any:
        body = lambda v: (v[0] + 1, step(v[1], w))
        keep = ft.Binomial(states)
        return ft.while_loop(lambda v: v[0] < length, body, (0, x), checkpoint=keep)[1].sum()

    x = np.linspace(-0.5, 1.5, 12)
    expected = ft.grad(scanned_steps)(1.3, x)
    counts = []
    for f in (scanned_steps, looped_steps):
        compiled = ft.jit(ft.grad(f))
        np.testing.assert_allclose(compiled(1.3, x), expected, rtol=1e-12)
        calls.clear()
        compiled(1.3, x)
        counts.append(len(calls))
    # The way forth of a scan is the program's own run of it, to the end; each step is run once
    # more where it is reversed. A while loop's, whose result is not asked for, keeps carries as it
    # counts.
    to_the_end = length - first_kept(length, states)[-1]
    assert counts[0] == advances(length, states) + to_the_end + length
    kept = Kept(states)
    for i in range(length):
        kept.offer(i)
    assert counts[1] == length + walked(kept.carries, length, states) + length


def test_fori_loops() -> None:
    def loss(x: Any, stop: Any, checkpoint: Any) -> Any:
        body = lambda i, x: np.sin(x) + 0.1 * i * x
        return ft.fori_loop(0, stop, body, x, checkpoint=checkpoint)

    expected = ft.grad(loss)(0.3, 9, None)
    for checkpoint in (None, 3, ft.Binomial(3), "48 B"):
        f = lambda x, stop, checkpoint=checkpoint: loss(x, stop, checkpoint)
        np.testing.assert_allclose(ft.grad(f)(0.3, 9), expected, rtol=1e-12)
        np.testing.assert_allclose(ft.jit(ft.grad(f))(0.3, 9), expected, rtol=1e-12)
        scripted = ft.jit(ft.grad(ft.script(lambda x, f=f: f(x, 9))))
        np.testing.assert_allclose(scripted(0.3), expected, rtol=1e-12)


@pytest.mark.parametrize("compile", [lambda f: f, ft.jit], ids=["eager", "jit"])
def test_carries_that_scalar_code_cannot_hold(compile: Callable) -> None:
    def loss(z: Any, checkpoint: Any) -> Any:
        step = lambda c, _: (np.exp(1j * c) * z, None)
        return abs(ft.scan(step, z, None, 9, checkpoint=checkpoint)[0]) ** 2

    z = 0.3 + 0.4j
    expected = ft.grad(lambda z: loss(z, None))(z)
    found = compile(ft.grad(lambda z: loss(z, ft.Binomial(3))))(z)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_loops_within_loops() -> None:
    def loss(w: Any, checkpoint: Any) -> Any:
        def outer(carry: Any, x: Any) -> tuple[Any, Any]:
            body = lambda v: (v[0] + 1, np.tanh(w * v[1]) + x)
            inner = ft.while_loop(lambda v: v[0] < 6, body, (0, carry), checkpoint=checkpoint)[1]
            return inner, inner[::-1]

        last, ys = ft.scan(outer, START, np.arange(5.0), checkpoint=checkpoint)
        return np.sum(last**2) + np.sum(ys)

    expected = ft.grad(lambda w: loss(w, None))(W)
    f = lambda w: loss(w, ft.Binomial(2))
    for transform in (ft.grad(f), ft.jit(ft.grad(f))):
        np.testing.assert_allclose(transform(W), expected, rtol=1e-10)
    expected = ft.hessian(lambda w: loss(w, None))(W)
    np.testing.assert_allclose(ft.hessian(f)(W), expected, rtol=1e-8)


@pytest.mark.parametrize("kind", ["scan", "while", "fori", "checkpoint", "policy"])
@pytest.mark.parametrize("checkpoint", [2, ft.Binomial(2)], ids=["chunks", "binomial"])
def test_what_a_step_closes_over_is_what_it_was(kind: str, checkpoint: Any) -> None:
    """The variables of an outer loop have moved on when the steps run again."""

    def loss(x: Any, checkpoint: Any) -> Any:
        y, scale = x, np.array([1.0, 1.0])
        count = 0

        def counts() -> None:
            nonlocal count
            count += 1

        for k in range(3):

            def step(c: Any) -> Any:
                counts()
                return np.sin(c) + 0.1 * y * scale  # noqa: B023  (which is what is tested)

            if kind == "scan":
                y = ft.scan(lambda c, _: (step(c), None), y, None, 5, checkpoint=checkpoint)[0]
            elif kind == "while":
                more, body = (lambda v: v[0] < 5), (lambda v: (v[0] + 1, step(v[1])))
                y = ft.while_loop(more, body, (0, y), checkpoint=checkpoint)[1]
            elif kind == "fori":
                y = ft.fori_loop(0, 5, lambda _, c: step(c), y, checkpoint=checkpoint)
            elif checkpoint is None:
                y = step(y)
            else:
                policy = ft.checkpoint_policies.nothing_saveable if kind == "policy" else None
                y = ft.checkpoint(step, policy=policy)(y)
            scale = scale * (k + 2)
        assert count >= 3
        return np.sum(y)

    x = np.array([0.3, 0.4])
    expected = ft.grad(lambda x: loss(x, None))(x)
    np.testing.assert_allclose(ft.grad(lambda x: loss(x, checkpoint))(x), expected, rtol=1e-12)


MILLION = """
import sys
import numpy as np
import functorch_like as ft

def resident(what):
    with open("/proc/self/status") as file:
        return next(int(x.split()[1]) * 1024 for x in file if x.startswith(what))

def growth(run):
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")  # forget the peak so far: compiling took more
        before = resident("VmRSS")
        run()
        return resident("VmHWM") - before
    except OSError:  # not on Linux
        import resource
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        run()
        return 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)

keep = {"None": None, "Binomial": ft.Binomial(1000), "budget": "64 kB"}[sys.argv[1]]
steps = 10**6
w, start = np.linspace(0.5, 0.9, 8), np.linspace(0.1, 0.3, 8)

def scanned(w):
    step = lambda x, _: (np.tanh(w * x) + 0.1 * x[::-1], None)
    return np.sum(ft.scan(step, start, None, steps, checkpoint=keep)[0])

def looped(w):
    body = lambda v: (v[0] + 1, np.tanh(w * v[1]) + 0.1 * v[1][::-1])
    more = lambda v: v[0] < steps
    return np.sum(ft.while_loop(more, body, (0, start), checkpoint=keep)[1])

f = ft.jit(ft.grad({"scan": scanned, "while": looped}[sys.argv[2]]))
f.lower(w).compile()
ft.jit(ft.grad(lambda w: np.sum(np.tanh(w))))(w)  # what a first call of any program loads
print(growth(lambda: f(w)), f.memory(w).allocated)
"""


@pytest.mark.parametrize("loop", ["scan", "while"])
def test_a_million_steps_in_the_memory_of_a_thousand(loop: str) -> None:
    def run(keep: str) -> tuple[int, int]:
        command = [sys.executable, "-c", MILLION, keep, loop]
        made = subprocess.run(command, capture_output=True, text=True, check=True)
        measured, predicted = map(int, made.stdout.split())
        return measured, predicted

    carries = 64_000_000
    assert run("None")[0] > 0.9 * carries  # that the measure sees them
    for keep in ("Binomial", "budget"):
        measured, predicted = run(keep)
        assert predicted < 100_000
        assert measured < 2_000_000  # a thousand carries and the pages of the code
