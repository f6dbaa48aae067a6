"""``jit(f).memory(*args)``: the prediction beside what a first call allocates."""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import functorch_like as ft

RNG = np.random.default_rng(0)
TOLERANCE = 0.02  # of the prediction, and what Python's own objects take
OBJECTS = 40_000


def network(weights: Any, x: Any) -> Any:
    hidden = np.tanh(x @ weights[0])
    hidden = np.tanh(hidden @ weights[1])
    return np.sum((hidden @ weights[2]) ** 2)


def recurrent(x: Any) -> Any:
    return np.sum(ft.scan(lambda c, _: (np.sin(c) * 1.1, c[0]), x, None, 3000)[0])


def bounded(x: Any) -> Any:
    keep = ft.Binomial(200)
    return np.sum(ft.scan(lambda c, _: (np.sin(c) * 1.1, None), x, None, 3000, checkpoint=keep)[0])


def looped(x: Any) -> Any:
    more, step = (lambda v: v[0] < STEPS), (lambda v: (v[0] + 1, np.sin(v[1]) + 0.1))
    return np.sum(ft.while_loop(more, step, (0, x))[1] ** 2)


def bounded_loop(x: Any) -> Any:
    more, step = (lambda v: v[0] < STEPS), (lambda v: (v[0] + 1, np.sin(v[1]) + 0.1))
    return np.sum(ft.while_loop(more, step, (0, x), checkpoint="200 kB")[1] ** 2)


def of_libraries(x: Any) -> Any:
    return np.sort(np.linalg.eigh(x @ x.T)[1], axis=0)


STEPS = 5000
WEIGHTS = [RNG.normal(size=shape) for shape in ((100, 150), (150, 150), (150, 10))]
CASES: dict[str, tuple[Callable, tuple]] = {
    "elementwise": (lambda x: np.sin(x) + np.cos(x), (RNG.normal(size=50_000),)),
    "sum": (lambda x: np.sum(np.exp(x)), (RNG.normal(size=50_000),)),
    "network": (ft.grad(network), (WEIGHTS, RNG.normal(size=(300, 100)))),
    "scan": (ft.grad(recurrent), (RNG.normal(size=50),)),
    "bounded scan": (ft.grad(bounded), (RNG.normal(size=50),)),
    "bounded loop": (ft.grad(bounded_loop), (RNG.normal(size=50),)),
    "libraries": (of_libraries, (RNG.normal(size=(200, 200)),)),
    "hessian": (ft.hessian(lambda x: np.sum(np.sin(np.outer(x, x)))), (RNG.normal(size=60),)),
}


def measured(f: Any, args: tuple) -> int:
    """Bytes that a first call allocates at the most."""
    ft.jit(lambda x: x @ x)(np.ones((20, 20)))  # which loads BLAS
    f.lower(*args).compile()
    tracemalloc.start()
    try:
        result = f(*args)
        assert result is not None
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("case", CASES)
def test_the_prediction_is_what_is_measured(case: str) -> None:
    function, args = CASES[case]
    f = ft.jit(lambda *args: function(*args))
    memory = f.memory(*args)
    assert not memory.tapes
    assert memory.arguments == sum(x.nbytes for x in ft.tree.leaves(args))
    allocated = measured(f, args)
    assert abs(allocated - memory.allocated) <= TOLERANCE * memory.allocated + OBJECTS
    assert memory.peak == memory.arguments + memory.constants + memory.allocated
    assert f.lower(*args).memory().peak == memory.peak


def test_tapes() -> None:
    x = RNG.normal(size=50)
    f = ft.jit(ft.grad(looped))
    memory = f.memory(x)
    (tape,) = memory.tapes
    assert tape.row in (400, 408)  # the value; perhaps the counter
    allocated = measured(f, (x,))
    predicted = memory.at(STEPS) - memory.arguments - memory.constants
    assert abs(allocated - predicted) <= TOLERANCE * predicted + OBJECTS
    assert memory.at(0) == memory.peak
    assert [tape.bytes(n) // tape.row for n in (1, 256, 257, 1000)] == [256, 256, 768, 1536]
    assert re.search(r"tape +40[08] B  a step; how many is not known  ", repr(memory))


def test_the_table_names_lines() -> None:
    def f(x: Any) -> Any:
        large = np.cumsum(x)  # the line
        return np.sort(large)[::-1] * 2

    memory = ft.jit(f).memory(ft.ShapedArray((1000,), np.float64))
    assert memory.entries[0].bytes == 8000
    assert memory.entries[0].type == "f64[1000]"
    text = repr(memory)
    assert text.startswith("f: ")
    assert re.search(r"8 kB  f64\[1000\] \w+  test_footprint.py:\d+: large = np.cumsum", text)
    assert "library calls" in text and "kept between calls" in text


def test_closed_over_and_donated_arrays() -> None:
    shift = RNG.normal(size=1000)
    f = lambda x: np.sin(x) + shift
    memory = ft.jit(f).memory(shift)
    assert (memory.arguments, memory.constants, memory.results) == (8000, 8000, 8000)
    assert memory.reused == 0 and "closed over" in repr(memory)
    donating = ft.jit(np.sin, donate_argnums=0)
    memory = donating.memory(shift)
    assert memory.reused == 8000 and donating(shift) is not None
    assert memory.allocated == memory.temporaries
    assert "of donated arguments" in repr(memory)


def test_checkpoints_are_seen() -> None:
    x = RNG.normal(size=50)
    whole = ft.jit(ft.grad(recurrent)).memory(x)
    kept = ft.jit(ft.grad(bounded)).memory(x)
    assert whole.temporaries > 3000 * x.nbytes
    assert 200 * x.nbytes < kept.temporaries < 220 * x.nbytes
