"""``script``: programs with Python's control flow give the same values and right derivatives.

The references are Python and NumPy themselves, running the function as it stands, and central
differences of it.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from typing import Any

import classics
import numpy as np
import pytest
from classics import CLASSICS
from drawn_scripts import drawn_function
from script_programs import PROGRAMS

import functorch_like as ft
from functorch_like import script

# --- comparing --------------------------------------------------------------------------------


def arrays(tree: Any) -> list[np.ndarray]:
    return [np.asarray(x) for x in ft.tree.leaves(tree) if not isinstance(x, str)]


def agree(got: Any, want: Any, rtol: float = 1e-9, atol: float = 1e-10) -> None:
    got, want = arrays(got), arrays(want)
    assert len(got) == len(want)
    for g, w in zip(got, want, strict=True):
        assert g.shape == w.shape and g.dtype.kind == w.dtype.kind
        np.testing.assert_allclose(g, w, rtol=rtol, atol=atol)


def floats(args: tuple) -> tuple[int, ...]:
    """Positions of the arguments that can be differentiated."""
    return tuple(i for i, x in enumerate(args) if np.asarray(x).dtype.kind == "f")


def is_real_array(x: Any) -> bool:
    return hasattr(x, "dtype") and x.dtype.kind == "f"


def weighed(f: Callable) -> Callable:
    """One number that depends on all results of a function."""

    def total(*args: Any) -> Any:
        leaves = [x for x in ft.tree.leaves(f(*args)) if not isinstance(x, str)]
        real = [x for x in leaves if isinstance(x, float) or is_real_array(x)]
        return sum(np.sum(np.sin(1.3 * x)) for x in real)

    return total


def slope(f: Callable, args: tuple, numbers: tuple, directions: list, h: float = 1e-6) -> float:
    """Derivative along a direction, by central differences."""

    def at(t: float) -> float:
        moved = list(copy.deepcopy(args))
        for i, d in zip(numbers, directions, strict=True):
            moved[i] = moved[i] + t * d
        return f(*moved)

    return (at(h) - at(-h)) / (2 * h)


def check_gradient(
    f: Callable, g: Callable, args: tuple, numbers: tuple, rtol: float = 1e-5, h: float = 1e-6
) -> None:
    """Gradients of ``g`` against differences of ``f``."""
    rng = np.random.default_rng(1)
    directions = [rng.normal(size=np.shape(args[i])) for i in numbers]
    want = slope(f, args, numbers, directions, h)
    made = g(*copy.deepcopy(args))
    got = sum(np.sum(x * d) for x, d in zip(made, directions, strict=True))
    np.testing.assert_allclose(got, want, rtol=rtol, atol=1e-5)


# --- programs -----------------------------------------------------------------------------------

NAMES = [f"{f.__name__}-{i}" for i, (f, _) in enumerate(PROGRAMS)]


@pytest.mark.parametrize(("f", "args"), PROGRAMS, ids=NAMES)
def test_program(f: Callable, args: tuple) -> None:
    with np.errstate(all="ignore"):
        want = f(*copy.deepcopy(args))
        agree(script(f)(*copy.deepcopy(args)), want)
        agree(ft.jit(script(f))(*copy.deepcopy(args)), want)


@pytest.mark.parametrize(("f", "args"), PROGRAMS[::3], ids=NAMES[::3])
def test_gradient_of_program(f: Callable, args: tuple) -> None:
    numbers = floats(args)
    if not numbers or f.__name__ in ("mandel", "builtins_"):  # of integers, or of int(x)
        return
    gradient = ft.grad(weighed(script(f)), argnums=numbers)
    with np.errstate(all="ignore"):
        check_gradient(weighed(f), gradient, args, numbers)
        check_gradient(weighed(f), ft.jit(gradient), args, numbers)


# --- classics -----------------------------------------------------------------------------------


@pytest.mark.parametrize("f", CLASSICS, ids=lambda f: f.__name__)
def test_classic(f: Callable) -> None:
    args, numbers = CLASSICS[f]
    want = f(*args)
    agree(script(f)(*args), want)
    agree(ft.jit(script(f))(*args), want)

    def first(g: Callable) -> Callable:
        return weighed(lambda *a: ft.tree.leaves(g(*a))[0])

    gradient = ft.grad(first(script(f)), argnums=numbers)
    check_gradient(first(f), gradient, args, numbers, rtol=1e-4)
    check_gradient(first(f), ft.jit(gradient), args, numbers, rtol=1e-4)


LANES: list[tuple[Callable, tuple, tuple]] = [
    (classics.bisection, (0,), (np.array([1.0, 2.0, 5.0, 100.0]),)),
    (
        classics.march,
        (None, 0, None, None),
        (
            np.zeros(3),
            np.array([[1, 0.02, 0], [1, 0.3, 0], [0, 1, 0.0]]),
            np.array([[5.0, 0, 0], [7, 1, 0]]),
            np.array([1.0, 1.5]),
        ),
    ),
    (classics.time_warping, (0, None), (np.sin(np.arange(15.0)).reshape(3, 5), np.arange(4.0))),
    (
        classics.levenberg_marquardt,
        (None, None, 0),
        (
            np.array([1.0, 1.0, 0.0]),
            np.linspace(0, 3, 9),
            np.array([2 * np.exp(-k * np.linspace(0, 3, 9)) + 0.5 for k in (1.3, 0.7, 2.0)]),
        ),
    ),
    (
        classics.thomas,
        (0, None, None, 0),
        (np.ones((2, 5)), np.full(5, 4.0), np.ones(5), np.arange(10.0).reshape(2, 5)),
    ),
]


@pytest.mark.parametrize(("f", "axes", "args"), LANES, ids=lambda x: getattr(x, "__name__", ""))
def test_vmap_takes_each_lane_its_own_way(f: Callable, axes: tuple, args: tuple) -> None:
    size = next(len(x) for x, axis in zip(args, axes, strict=True) if axis == 0)
    rows = [
        f(*[x[i] if axis == 0 else x for x, axis in zip(args, axes, strict=True)])
        for i in range(size)
    ]
    want = [np.stack(column) for column in zip(*map(arrays, rows), strict=True)]
    batched = ft.vmap(script(f), in_axes=axes)
    agree(batched(*args), want, rtol=1e-7)
    agree(ft.jit(batched)(*args), want, rtol=1e-7)


PAIRS = [(f, args[0]) for f, args in PROGRAMS if len(args) == 2 and isinstance(args[1], float)]


@pytest.mark.parametrize(("f", "x"), PAIRS[::2], ids=[f.__name__ for f, _ in PAIRS[::2]])
def test_vmap_of_program(f: Callable, x: Any) -> None:
    lanes = np.array([0.5, -0.3, 1.2])
    with np.errstate(all="ignore"):
        try:
            rows = [arrays(f(copy.deepcopy(x), a)) for a in lanes]
        except (IndexError, ValueError):
            return
        if len({tuple(x.shape for x in row) for row in rows}) > 1:
            return
        batched = ft.vmap(script(f), in_axes=(None, 0))
        for g in (batched, ft.jit(batched)):
            for got, want in zip(arrays(g(x, lanes)), zip(*rows, strict=True), strict=True):
                np.testing.assert_allclose(got, np.stack(want), rtol=1e-9, atol=1e-10)


def test_second_order() -> None:
    def root(a: Any) -> Any:
        x = a
        while abs(x * x - a) > 1e-14:
            x = (x + a / x) / 2
        return x

    second = ft.jit(ft.grad(ft.grad(script(root))))
    np.testing.assert_allclose(second(2.0), -0.25 * 2.0**-1.5, rtol=1e-6)
    a = CLASSICS[classics.cholesky][0][0][:3, :3]
    log = weighed(script(classics.cholesky))
    hessian = ft.jit(ft.hessian(log))(a)
    d = np.random.default_rng(0).normal(size=(3, 3))
    h = 1e-6
    want = (ft.grad(log)(a + h * d) - ft.grad(log)(a - h * d)) / (2 * h)
    np.testing.assert_allclose(np.einsum("ijkl,kl", hessian, d), want, rtol=1e-5, atol=1e-8)


def test_jit_takes_script_as_an_option() -> None:
    compiled = ft.jit(classics.bisection, script=True)
    np.testing.assert_allclose(compiled(8.0), 2.0)


@pytest.mark.parametrize(
    "name", ["romberg", "standard_containers", "plain_tables_at_traced_positions", "iterators"]
)
def test_compiled_gradient_of_what_is_written_by_hand(name: str) -> None:
    f, args = next(program for program in PROGRAMS if program[0].__name__ == name)
    numbers = floats(args)
    gradient = ft.grad(weighed(script(f)), numbers)
    with np.errstate(all="ignore"):
        made = ft.jit(gradient)(*copy.deepcopy(args))
        agree(made, gradient(*copy.deepcopy(args)))
        check_gradient(weighed(f), lambda *xs: made, args, numbers)


def test_print_shows_values_when_the_program_runs(capsys: pytest.CaptureFixture) -> None:
    def f(x: Any, a: Any) -> Any:
        s = 0.0
        for i, v in enumerate(x):
            s = s + v * a
            if s > 1.5:
                print("large at", i, s)
        print(f"sum {s:.2f} of {len(x)}", "end", sep="; ")
        return s

    f(np.arange(6.0), 0.25)
    want = capsys.readouterr().out
    assert "large at 4 2.5" in want and "sum 3.75 of 6; end" in want
    g = script(f)
    for made in (g, ft.jit(g), ft.grad(g), ft.jit(ft.grad(g)), ft.jit(ft.value_and_grad(g))):
        made(np.arange(6.0), 0.25)
        assert capsys.readouterr().out == want
    ft.jit(ft.vmap(g, in_axes=(None, 0)))(np.arange(6.0), np.array([0.1, 0.25]))
    made = capsys.readouterr().out
    assert made.count("large") == want.count("large") and "sum 1.50 of 6; end" in made


# --- random programs ----------------------------------------------------------------------------


def drawn(seed: int) -> tuple[Callable, tuple]:
    rng = np.random.default_rng(seed)
    n = (4, 12)[seed % 2]
    return drawn_function(seed), (rng.normal(size=n), rng.normal(size=n), 0.4, -0.7, 5)


@pytest.mark.parametrize("seed", range(40))
def test_drawn_program(seed: int) -> None:
    f, args = drawn(seed)
    with np.errstate(all="ignore"):
        try:
            want = f(*args)
        except IndexError:
            return
        agree(ft.jit(script(f))(*args), want)


@pytest.mark.parametrize("seed", [2, 4, 5, 7, 8, 10, 11, 13, 20, 22, 37])
def test_derivatives_of_drawn_program(seed: int) -> None:
    f, args = drawn(seed)
    scripted = script(f)
    of = functools.partial(lambda m, *a: scripted(*a, m), args[-1])
    rng = np.random.default_rng(seed)
    tangents = tuple(rng.normal(size=np.shape(x)) if np.shape(x) else 0.3 for x in args[:-1])
    with np.errstate(all="ignore"):
        out, want = ft.jvp(of, args[:-1], tangents)
        agree(ft.jit(lambda x, t: ft.jvp(of, x, t)[1])(args[:-1], tangents), want, rtol=1e-8)
        cts = tuple(np.ones_like(x) for x in out)
        back = ft.vjp(of, *args[:-1])[1](cts)
        agree(ft.jit(lambda *x: ft.vjp(of, *x)[1](cts))(*args[:-1]), back, rtol=1e-8)
        forward = sum(np.sum(x) for x in want)
        backward = sum(np.sum(x * t) for x, t in zip(back, tangents, strict=True))
        np.testing.assert_allclose(forward, backward, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("size", [5, 30])
def test_gradients_of_loops_that_write_in_place(size: int) -> None:
    """Arrays too large for registers, where the way back undoes the writes of the way forth."""
    rng = np.random.default_rng(size)
    square = rng.normal(size=(size, size))
    positive = square @ square.T + size * np.eye(size)
    bands = [rng.uniform(0, 1, size), rng.uniform(3, 4, size), *rng.normal(size=(2, size))]
    cases = {
        "cholesky": (positive,),
        "thomas": tuple(bands),
        "time_warping": (rng.normal(size=size), rng.normal(size=size + 3)),
    }
    for f, (_, _) in CLASSICS.items():
        args = cases.get(f.__name__)
        if args is None:
            continue
        total = weighed(script(f))
        numbers = tuple(range(len(args)))
        want = ft.grad(total, numbers)(*args)
        agree(ft.jit(ft.grad(total, numbers))(*args), want)
        tangents = tuple(rng.normal(size=x.shape) for x in args)

        def slope(*xs: Any, total: Any = total, tangents: tuple = tangents) -> Any:
            return ft.jvp(total, xs, tangents)[1]

        if size < 10:  # reverse mode of forward mode, and a batch
            want = ft.grad(slope, numbers)(*args)
            agree(ft.jit(ft.grad(slope, numbers))(*args), want, rtol=1e-7)
            stacked = tuple(np.stack([x, 1.1 * x]) for x in args)
            made = ft.jit(ft.vmap(ft.grad(total, numbers)))(*stacked)
            want = ft.grad(total, numbers)(*[x[1] for x in stacked])
            agree([x[1] for x in made], want, rtol=1e-8)
