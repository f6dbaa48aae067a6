"""``scan`` and ``while_loop`` that keep every n-th carry only: same results, less memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import functorch_like as ft

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
    for checkpoint in (1, 3):
        found = TRANSFORMS[name](scan_loss(length, reverse, checkpoint))(*args)
        check_same(found, expected)


@pytest.mark.parametrize("length", [0, 1, 9, 12])
def test_lengths(length: int) -> None:
    args = W, START, np.random.default_rng(0).normal(size=(length, 2))
    expected = TRANSFORMS["grad"](scan_loss(length, False, None))(*args)
    for checkpoint in (np.int64(2), "auto", True, False, 100):
        check_same(TRANSFORMS["grad"](scan_loss(length, False, checkpoint))(*args), expected)
    check_same(TRANSFORMS["jit(grad)"](scan_loss(length, False, "auto"))(*args), expected)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_while_loop_in_chunks_is_the_loop(name: str) -> None:
    args = W, START, np.ones((1, 1))
    expected = TRANSFORMS[name](while_loss(None))(*args)
    for checkpoint in (3, 7):
        check_same(TRANSFORMS[name](while_loss(checkpoint))(*args), expected)


def test_while_loops_whose_lanes_differ() -> None:
    def power(checkpoint: int | None) -> Callable:
        return lambda x: ft.while_loop(
            lambda value: value < 100.0, lambda value: value * x + 1, x, checkpoint=checkpoint
        )

    xs = np.array([1.5, 2.0, 5.0, 200.0])
    expected = [ft.grad(power(None))(x) for x in xs]
    for transform in (lambda f: ft.vmap(ft.grad(f)), lambda f: ft.jit(ft.vmap(ft.grad(f)))):
        np.testing.assert_allclose(transform(power(3))(xs), expected, rtol=1e-12)


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


@pytest.mark.parametrize("checkpoint", [0, -2, "sqrt"])
def test_bad_sizes(checkpoint: Any) -> None:
    with pytest.raises(ValueError, match=r"scan\(.*\): expected checkpoint to be"):
        ft.scan(lambda c, x: (c, x), 0.0, np.ones(3), checkpoint=checkpoint)
    with pytest.raises(ValueError, match=r"while_loop\(.*\): expected checkpoint to be"):
        ft.while_loop(lambda x: x < 3, lambda x: x + 1, 0, checkpoint=checkpoint)


@pytest.mark.parametrize("checkpoint", ["auto", True])
def test_a_while_loop_needs_the_number(checkpoint: Any) -> None:
    with pytest.raises(ValueError, match="how many steps there will be is not known"):
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
