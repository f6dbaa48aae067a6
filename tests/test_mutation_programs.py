"""Random programs of views and assignments: as in NumPy, or refused; never silently different."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import functorch_like as ft

SHAPES = [(4,), (2, 3), (3, 3), (2, 1, 3), (2, 3, 2)]
REFUSED = (ft.errors.MutationError, ft.errors.ConcreteValueError)


# --- what a step may be: (name, arguments), applied to one array of the pool -------------------


def draw_index(draw: Any, shape: tuple[int, ...]) -> tuple:
    """A basic index."""
    index: list[Any] = []
    for n in shape:
        kind = draw(st.sampled_from(["all", "slice", "int", "new", "reverse"]))
        if kind == "new":
            index.append(None)
        if kind == "int" and n:
            index.append(draw(st.integers(-n, n - 1)))
        elif kind == "slice":
            start, stop = draw(st.integers(0, n)), draw(st.integers(0, n))
            index.append(slice(min(start, stop), max(start, stop), draw(st.sampled_from([1, 2]))))
        elif kind == "reverse":
            index.append(slice(None, None, -1))
        else:
            index.append(slice(None))
    if draw(st.booleans()):
        index.append(Ellipsis)  # so that a single element is an array, too
    return tuple(index)


def draw_positions(draw: Any, shape: tuple[int, ...]) -> Any:
    """An integer array index into the first axis, repeats included, perhaps with a slice."""
    places = draw(st.lists(st.integers(-shape[0], shape[0] - 1), min_size=1, max_size=4))
    if len(shape) > 1 and draw(st.booleans()):
        return (np.array(places), slice(None, None, draw(st.sampled_from([1, -1]))))
    return np.array(places)


def draw_view(draw: Any, v: np.ndarray) -> tuple:
    kinds = ["slice", "T", "reshape", "ravel", "new", "copy", "flip", "broadcast", "flat", "conj"]
    kinds += ["real", "imag", "npreal"] if v.dtype.kind == "c" else ["real"]
    if v.ndim > 1:
        kinds += ["diagonal", "einsum", "swapaxes", "moveaxis", "row", "split"]
    if v.ndim and v.shape[0] > 1:
        kinds += ["windows"]
    if 1 in v.shape:
        kinds += ["squeeze"]
    kind = draw(st.sampled_from(kinds))
    if kind == "slice":
        return kind, draw_index(draw, v.shape)
    if kind == "reshape":
        sizes = [d for d in range(1, v.size + 1) if v.size % d == 0] if v.size else [1]
        return kind, (draw(st.sampled_from(sizes)), -1) if v.size else (*v.shape, 1)
    return (kind, None)


VIEWS: dict[str, Callable] = {
    "slice": lambda v, index: v[index],
    "T": lambda v, _: v.T,
    "reshape": lambda v, shape: v.reshape(shape),
    "ravel": lambda v, _: v.ravel(),
    "new": lambda v, _: v[None],
    "copy": lambda v, _: v.copy(),
    "flip": lambda v, _: np.flip(v),
    "broadcast": lambda v, _: np.broadcast_to(v, (2, *v.shape)),
    "flat": lambda v, _: v.reshape(-1)[:2],
    "conj": lambda v, _: v.conj(),
    "real": lambda v, _: v.real,
    "imag": lambda v, _: v.imag,
    "npreal": lambda v, _: np.real(v),
    "diagonal": lambda v, _: np.diagonal(v),
    "einsum": lambda v, _: np.einsum("ii...->i...", v) if v.shape[0] == v.shape[1] else v[:1],
    "swapaxes": lambda v, _: v.swapaxes(0, -1),
    "moveaxis": lambda v, _: np.moveaxis(v, 0, -1),
    "row": lambda v, _: list(v)[-1] if len(v) else v[...],
    "split": lambda v, _: np.array_split(v, 2, axis=1)[0],
    "windows": lambda v, _: np.lib.stride_tricks.sliding_window_view(v, 2, axis=0),
    "squeeze": lambda v, _: np.squeeze(v),
}


def draw_change(draw: Any, v: np.ndarray) -> tuple:
    kinds = ["number", "times", "all", "fill", "copyto", "sin", "flat", "T", "itself", "mask"]
    if v.ndim and v.shape[0]:
        kinds += ["positions", "put"]
        if v.flags.writeable:  # NumPy's ufunc.at does not ask
            kinds += ["add.at", "multiply.at"]
        if v.dtype.kind == "f":
            kinds += ["sort", "partition"]
    kind = draw(st.sampled_from(kinds))
    c = draw(st.floats(-2, 2).map(lambda c: round(c, 2)))
    if kind in ("number", "times"):
        return kind, draw_index(draw, v.shape), c
    if kind in ("positions", "add.at", "multiply.at"):
        return kind, draw_positions(draw, v.shape), c
    if kind in ("sort", "partition"):
        return kind, draw(st.integers(0, v.ndim - 1)), c
    return kind, None, c


def change(kind: str, v: Any, index: Any, c: float, x: Any) -> None:
    """One assignment through ``v``; ``x`` is a number that carries a derivative."""
    if kind == "number":
        v[index] = c * x
    elif kind == "times":
        v[index] *= c + x
    elif kind == "all":
        v += v * c
    elif kind == "fill":
        v.fill(x * c)
    elif kind == "copyto":
        np.copyto(v, x + c, where=np.arange(v.size).reshape(v.shape) % 2 == 0)
    elif kind == "sin":
        np.sin(v, out=v)
    elif kind == "flat":
        v.flat = np.stack([x, x * c, x + 1])
    elif kind == "T":
        v.T[...] = x - c
    elif kind == "itself":
        v[...] = np.flip(v) * c
    elif kind == "mask":
        v[v.real > c] = x
    elif kind == "positions":
        v[index] = v[index] * x + c
    elif kind == "add.at":
        np.add.at(v, index, x * c)
    elif kind == "multiply.at":
        np.multiply.at(v, index, x + c)
    elif kind == "put":
        v.put([0, -1], x)
    elif kind == "sort":
        v.sort(axis=index)
    else:
        v.partition(v.shape[index] // 2 if v.shape[index] else 0, axis=index)


def start(x: Any, is_complex: bool) -> list:
    """The pool's first array, which is the program's own."""
    return [x * (1 + 0.5j) if is_complex else x * 1.0]


def step(pool: list, x: Any, item: tuple) -> None:
    what, k, args = item
    if what == "view":
        pool.append(VIEWS[args[0]](pool[k], args[1]))
    else:
        change(args[0], pool[k], args[1], args[2], x.ravel()[0])


def run(program: list, is_complex: bool, x: Any) -> Any:
    """The values of everything in the pool after the program."""
    pool = start(x, is_complex)
    for item in program:
        try:
            step(pool, x, item[:3])
        except ValueError as error:
            if "read-only" not in str(error) or item[3] == "works":
                raise
        else:
            assert item[3] == "works"
    parts = [f(v).ravel() for v in pool for f in ((np.real, np.imag) if is_complex else (np.real,))]
    return np.concatenate(parts)


@st.composite
def programs(draw: Any) -> tuple[list, bool, np.ndarray]:
    """A program that NumPy runs, and its argument."""
    shape = draw(st.sampled_from(SHAPES))
    is_complex = draw(st.integers(0, 3)) == 0
    x = np.random.default_rng(draw(st.integers(0, 99))).uniform(-1.5, 1.5, shape)
    pool, program = start(x, is_complex), []
    for _ in range(draw(st.integers(2, 9))):
        k = draw(st.integers(0, len(pool) - 1))
        if draw(st.booleans()) and pool[k].ndim < 4:
            item: tuple = ("view", k, draw_view(draw, pool[k]))
        elif isinstance(pool[k], np.ndarray):
            item = ("change", k, draw_change(draw, pool[k]))
        else:
            continue
        try:
            step(pool, x, item)
        except ValueError as error:
            if "read-only" not in str(error):
                raise
            program.append((*item, "read-only"))
            continue
        if item[0] == "view" and not isinstance(pool[-1], np.ndarray):
            pool.pop()
            continue
        program.append((*item, "works"))
    return program, is_complex, x


def allowed(f: Callable, *args: Any) -> Any:
    """The result, or None where it is refused with a reason."""
    try:
        return f(*args)
    except REFUSED as error:
        assert "test_mutation_programs.py" in str(error)
        return None


SETTINGS = settings(deadline=None, suppress_health_check=list(HealthCheck))


@given(programs())
@settings(SETTINGS, max_examples=150)
def test_as_in_numpy(made: tuple) -> None:
    program, is_complex, x = made
    f = lambda x: run(program, is_complex, x)
    want, before = f(x), x.copy()
    v = np.random.default_rng(0).normal(size=x.shape)
    found = allowed(ft.jvp, f, (x,), (v,))
    if found is None:
        return
    np.testing.assert_allclose(found[0], want, rtol=1e-13, atol=1e-13)
    h = 1e-6
    slope = (f(x + h * v) - f(x - h * v)) / (2 * h)
    curvature = np.abs(f(x + h * v) + f(x - h * v) - 2 * want)
    if curvature.max(initial=0) < 1e-8:  # no order or mask changes within the difference
        np.testing.assert_allclose(found[1], slope, rtol=1e-5, atol=1e-5 * max(1, abs(slope).max()))
    value, pullback = ft.vjp(f, x)
    np.testing.assert_allclose(value, want, rtol=1e-13, atol=1e-13)
    u = np.random.default_rng(1).normal(size=want.shape)
    np.testing.assert_allclose(
        np.sum(pullback(u)[0] * v), np.sum(u * found[1]), rtol=1e-9, atol=1e-9
    )
    np.testing.assert_array_equal(x, before)


@given(programs())
@settings(SETTINGS, max_examples=100)
def test_batched_and_staged(made: tuple) -> None:
    program, is_complex, x = made
    f = lambda x: run(program, is_complex, x)
    want = f(x)
    other = x[..., ::-1] * 1.1
    batch = allowed(ft.vmap(f), np.stack([x, other]))
    if batch is not None:
        np.testing.assert_allclose(batch[0], want, rtol=1e-13, atol=1e-13)
        np.testing.assert_allclose(batch[1], f(other), rtol=1e-13, atol=1e-13)
    graph = allowed(ft.make_graph(f), x)
    if graph is not None:
        np.testing.assert_allclose(graph(x), want, rtol=1e-13, atol=1e-13)


@given(programs())
@settings(SETTINGS, max_examples=10)
def test_compiled(made: tuple) -> None:
    program, is_complex, x = made
    f = lambda x: run(program, is_complex, x)
    found = allowed(ft.jit(f), x)
    if found is not None:
        np.testing.assert_allclose(found, f(x), rtol=1e-12, atol=1e-12)


def test_most_programs_are_not_refused() -> None:
    counts = [0, 0]

    @given(programs())
    @settings(SETTINGS, max_examples=60, derandomize=True)
    def one(made: tuple) -> None:
        program, is_complex, x = made
        refused = allowed(ft.vjp, lambda x: run(program, is_complex, x), x) is None
        counts[refused] += 1

    one()
    assert counts[1] < 0.35 * sum(counts), counts


def test_what_numpy_does_not_allow_either() -> None:
    x = np.arange(6.0).reshape(2, 3)
    for view in (lambda y: np.diagonal(y), lambda y: np.broadcast_to(y, (2, 2, 3)), np.imag):
        for run_it in (lambda f: f(x), lambda f: ft.vjp(f, x)):
            with pytest.raises(ValueError, match="read-only"):
                run_it(lambda x, view=view: view(x * 1.0).__setitem__(0, 1.0))
