"""The classics of tests/classics.py, scripted and compiled.

    python benchmarks/scripted.py [--small] [NAME...]

For each: a compiled call against Numba's njit of the same source (where njit takes it), against
plain Python, and against JAX's compiled form of the program that a user of its control flow writes
by hand (tests/rewritten_classics.py; ``-`` where JAX is not installed, or has no reverse mode);
the gradient against the value; and compiling, scripted, against compiling the program written by
hand for this library. Each figure is the least of several rounds in which the candidates take
turns; each compilation is the first of a process that has compiled something before, its cache on
disk empty. ``--small`` takes the arguments of the tests.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(threads, "1")
os.environ["FUNCTORCH_LIKE_CACHE_DIR"] = tempfile.mkdtemp()
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import numpy as np  # noqa: E402
from classics import CLASSICS  # noqa: E402
from rewritten_classics import REWRITTEN  # noqa: E402

import functorch_like as ft  # noqa: E402

ROUNDS = 7


def _larger() -> dict[str, tuple]:
    """Arguments of the size at which people run these programs."""
    rng = np.random.default_rng(0)
    normal = rng.normal
    square = normal(size=(80, 80))
    x = np.linspace(0, 3, 100)
    y = 2 * np.exp(-1.3 * x) + 0.5 + 0.01 * normal(size=100)
    centres = np.concatenate([[[5.0, 0, 0]], normal(size=(49, 3)) * 3 + [20, 0, 0]])
    return {
        "dormand_prince": (
            *(np.array([1.0, 0.5]), 0.0, 20.0, 1e-8),
            np.array([1.5, 1.0, 3.0, 1.0]),
        ),
        "kalman": (
            *(normal(size=(200, 2)), 0.9 * np.eye(4) + 0.05 * normal(size=(4, 4))),
            *(0.1 * np.eye(4), normal(size=(2, 4)), 0.5 * np.eye(2)),
        ),
        "metropolis": (1.5, np.zeros(3), 0.5 * normal(size=(1000, 3)), rng.uniform(size=1000)),
        "bisection": (5.0,),
        "time_warping": (normal(size=200), normal(size=220)),
        "thomas": (
            *(rng.uniform(0, 1, 1000), 3 + rng.uniform(size=1000)),
            *normal(size=(2, 1000)),
        ),
        "cholesky": (square @ square.T + 80 * np.eye(80),),
        "march": (np.zeros(3), np.array([1.0, 0.02, 0.0]), centres, np.full(50, 1.0)),
        "levenberg_marquardt": (np.array([1.0, 1.0, 0.0]), x, y),
    }


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


def _put(x: Any, index: Any, value: Any) -> Any:
    made = ft.numpy.array(x)
    made[index] = value
    return made


def _of_jax(name: str, args: tuple, numbers: tuple) -> dict[str, Callable]:
    """JAX's value and gradient of the program written by hand, as far as there are any."""
    try:
        import jax
    except ImportError:
        return {}
    jax.config.update("jax_enable_x64", True)
    f = REWRITTEN[name](jax.lax, jax.numpy, lambda x, i, v: x.at[i].set(v))
    value = jax.jit(f)
    gradient = jax.jit(jax.grad(lambda *a: jax.tree.leaves(f(*a))[0].sum(), numbers))
    made = {}
    for key, g in (("jax", value), ("jax gradient", gradient)):
        try:
            jax.block_until_ready(g(*args))
            made[key] = lambda *a, g=g: jax.block_until_ready(g(*a))
        except ValueError:  # no reverse mode of a while loop
            pass
    return made


def main(options: list[str]) -> None:
    """Print a line for each classic."""
    names = [x for x in options if not x.startswith("-")]
    larger = {} if "--small" in options else _larger()
    ft.jit(ft.script(next(iter(CLASSICS))))(*next(iter(CLASSICS.values()))[0])  # wakes LLVM
    heads = ("value", "/ numba", "/ python", "/ jax", "gradient", "/ value", "/ jax", "compile")
    print(f"{'':20}" + "".join(f"{x:>10}" for x in (*heads, "/ traced", "gradient", "/ traced")))
    for f, (small, numbers) in CLASSICS.items():
        name = f.__name__
        if names and name not in names:
            continue
        args = larger.get(name, small)
        scripted = ft.script(f)
        traced = REWRITTEN[name](ft, ft.numpy, _put)
        value, by_hand = ft.jit(scripted), ft.jit(traced)
        gradient = ft.jit(ft.grad(_total(scripted), argnums=numbers))
        gradient_by_hand = ft.jit(ft.grad(_total(traced), argnums=numbers))
        compiled = [_first(g, args) for g in (by_hand, value, gradient_by_hand, gradient)]
        candidates = {"value": value, "gradient": gradient, "python": f}
        numba = _njit(f, args)
        if numba is not None:
            candidates["numba"] = numba
        candidates |= _of_jax(name, args, numbers)
        best = dict.fromkeys(candidates, np.inf)
        for _ in range(ROUNDS):
            for key, g in candidates.items():
                if key != "python" or best[key] == np.inf:
                    best[key] = min(best[key], _seconds(g, args))

        def ratio(mine: str, other: str, best: dict = best) -> str:
            return f"{best[mine] / best[other]:10.3f}" if other in best else f"{'-':>10}"

        print(
            f"{name:20}{best['value'] * 1e6:8.1f}us"
            f"{ratio('value', 'numba')}{ratio('value', 'python')}{ratio('value', 'jax')}"
            f"{best['gradient'] * 1e6:8.1f}us"
            f"{ratio('gradient', 'value')}{ratio('gradient', 'jax gradient')}"
            f"{compiled[1]:9.2f}s{compiled[1] / compiled[0]:10.2f}"
            f"{compiled[3]:9.2f}s{compiled[3] / compiled[2]:10.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1:])
