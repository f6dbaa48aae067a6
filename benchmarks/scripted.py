"""The classics of tests/classics.py, scripted and compiled.

    python benchmarks/scripted.py [NAME...]

For each: the time of a compiled call against Numba's njit of the same source (where njit takes it)
and against plain Python; of the gradient against the value; and of compiling what is scripted.
Each figure is the least of several rounds, in which the candidates take turns.
"""

from __future__ import annotations

import os
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(threads, "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import numpy as np  # noqa: E402
from classics import CLASSICS  # noqa: E402

import functorch_like as ft  # noqa: E402

ROUNDS = 7


def _seconds(f: Callable, args: tuple) -> float:
    """Of one call, in a loop that takes a few milliseconds."""
    count, taken = 1, 0.0
    while taken < 2e-3:
        start = time.perf_counter()
        for _ in range(count):
            f(*args)
        taken = time.perf_counter() - start
        count *= 4
    return taken / (count // 4)


def _first(f: Callable, args: tuple) -> float:
    start = time.perf_counter()
    f(*args)
    return time.perf_counter() - start


def _njit(f: types.FunctionType, args: tuple) -> Any:
    """Numba's function, if it takes the source and gives the value."""
    try:
        import numba

        made = numba.njit(f)
        same = zip(ft.tree.leaves(made(*args)), ft.tree.leaves(f(*args)), strict=True)
        return made if all(np.allclose(x, y) for x, y in same) else None
    except Exception:
        return None


def _total(f: Callable) -> Callable:
    return lambda *args: np.sum(ft.tree.leaves(f(*args))[0])


def main(names: list[str]) -> None:
    """Print a line for each classic."""
    print(
        f"{'':20} {'value':>9} {'/ numba':>8} {'/ python':>9} {'gradient':>9} {'/ value':>8}",
        end="",
    )
    print(f" {'compile':>8} {'gradient':>9}")
    for f, (args, numbers) in CLASSICS.items():
        name = f.__name__
        if names and name not in names:
            continue
        scripted = ft.script(f)
        value = ft.jit(scripted)
        gradient = ft.jit(ft.grad(_total(scripted), argnums=numbers))
        compiled = _first(value, args), _first(gradient, args)
        candidates = {"value": value, "gradient": gradient, "python": f}
        numba = _njit(f, args)
        if numba is not None:
            candidates["numba"] = numba
        best = dict.fromkeys(candidates, np.inf)
        for _ in range(ROUNDS):
            for key, g in candidates.items():
                best[key] = min(best[key], _seconds(g, args))
        ratio = f"{best['value'] / best['numba']:8.2f}" if "numba" in best else f"{'-':>8}"
        print(
            f"{name:20} {best['value'] * 1e6:7.1f}us {ratio} {best['value'] / best['python']:9.4f} "
            f"{best['gradient'] * 1e6:7.1f}us {best['gradient'] / best['value']:8.2f} "
            f"{compiled[0]:7.2f}s {compiled[1]:8.2f}s",
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1:])
