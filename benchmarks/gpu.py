"""Compiled programs on the GPU, against CuPy operation by operation and jax.jit on the same device.

    python benchmarks/gpu.py [--seconds 0.5]

Prints a table: milliseconds of each, least of many, and our ratio to the others. Without a GPU it
says so and ends. JAX is left out where it has no device.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import functorch_like as ft

RNG = np.random.default_rng(0)


def wave(xp: Any) -> Callable:
    """A sum of products of elementary functions."""
    return lambda x: xp.sum(xp.exp(-x * x) * xp.sin(x))


def logistic(xp: Any) -> Callable:
    """The loss of logistic regression."""

    def loss(w: Any, x: Any, y: Any) -> Any:
        z = x @ w
        return xp.mean(xp.log1p(xp.exp(-xp.abs(z))) + xp.maximum(z, 0) - z * y)

    return loss


def attention(xp: Any) -> Callable:
    """The sum of the results of softmax attention."""

    def loss(q: Any, k: Any, v: Any) -> Any:
        s = q @ xp.swapaxes(k, -1, -2) / q.shape[-1] ** 0.5
        e = xp.exp(s - xp.max(s, axis=-1, keepdims=True))
        return xp.sum((e / xp.sum(e, axis=-1, keepdims=True)) @ v)

    return loss


def stencil(xp: Any) -> Callable:
    """A sum over neighbours on a grid."""
    return lambda x: xp.sum((x[2:, 1:-1] + x[:-2, 1:-1] + x[1:-1, 2:] - 3 * x[1:-1, 1:-1]) ** 2)


def lorenz_step(xp: Any, s: Any) -> Any:
    """A step of Euler's method on the Lorenz system."""
    d = [10 * (s[1] - s[0]), s[0] * (28 - s[2]) - s[1], s[0] * s[1] - 8 / 3 * s[2]]
    return s + 0.001 * xp.stack(d)


# Name, how many arguments are differentiated, the function of a namespace, arguments.
GRADIENTS: list[tuple[str, tuple, Callable, list]] = [
    ("sum(exp(-x x) sin x), 1e7 doubles", (0,), wave, [RNG.normal(size=10**7)]),
    (
        "logistic regression, 1e6 x 100 singles",
        (0,),
        logistic,
        [
            RNG.normal(size=100).astype("f4"),
            RNG.normal(size=(10**6, 100)).astype("f4"),
            (RNG.random(10**6) > 0.5).astype("f4"),
        ],
    ),
    (
        "attention, 32 x 1024 x 64 singles",
        (0, 1, 2),
        attention,
        [RNG.normal(size=(32, 1024, 64)).astype("f4") for _ in range(3)],
    ),
    ("five-point stencil, 4096 x 4096 doubles", (0,), stencil, [RNG.normal(size=(4096, 4096))]),
]


def timed(run: Callable[[], Any], wait: Callable[[], Any], seconds: float) -> float:
    """The least time of a call, in milliseconds; the first two are not counted."""
    for _ in range(2):
        run()
    wait()
    best = float("inf")
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        run()
        wait()
        best = min(best, time.perf_counter() - start)
    return 1e3 * best


def jax_on_device() -> Any:
    """The module JAX if it has a GPU."""
    try:
        import jax

        jax.config.update("jax_enable_x64", True)
        return jax if jax.default_backend() == "gpu" else None
    except Exception:
        return None


def row(name: str, ours: float, eager: float | None, theirs: float | None) -> None:
    """Print a line of the table."""
    cells = [f"{ours:9.3f}"]
    for other in (eager, theirs):
        cells.append(" " * 19 if other is None else f"{other:9.3f} ({ours / other:6.2f})")
    print(f"{name:45s} {'  '.join(cells)}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=0.5)
    seconds = parser.parse_args().seconds
    try:
        import cupy
    except ImportError:
        print("There is no GPU to measure: CuPy is not installed.")
        return
    if not cupy.cuda.is_available():
        print("There is no GPU to measure: CuPy finds no CUDA device.")
        return
    jax = jax_on_device()
    wait = cupy.cuda.get_current_stream().synchronize
    print(f"{cupy.cuda.runtime.getDeviceProperties(0)['name'].decode()}, CuPy {cupy.__version__}")
    print(f"{'milliseconds (ours to it)':45s} {'ours':>9s}  {'CuPy':>19s}  {'jax.jit':>19s}")
    for name, at, make, arrays in GRADIENTS:
        given = [cupy.asarray(x) for x in arrays]
        slope = ft.grad(make(np), at)
        compiled = ft.jit(slope)
        ours = timed(lambda f=compiled, a=given: f(*a), wait, seconds)
        eager = timed(lambda f=slope, a=given: f(*a), wait, seconds)
        theirs = None
        if jax is not None:
            there = [jax.numpy.asarray(x) for x in arrays]
            f = jax.jit(jax.grad(make(jax.numpy), at))
            theirs = timed(lambda: jax.block_until_ready(f(*there)), lambda: None, seconds)  # noqa: B023
        row(f"gradient of {name}"[:45], ours, eager, theirs)
    loops(cupy, jax, wait, seconds)


def loops(cupy: Any, jax: Any, wait: Callable, seconds: float) -> None:
    """Batches of loops, one lane a thread; a recurrent network, a replayed graph."""
    starts = RNG.normal(size=(100_000, 3))

    def energy(s: Any) -> Any:
        return np.sum(ft.fori_loop(0, 1000, lambda i, s: lorenz_step(np, s), s) ** 2)

    def root(a: Any) -> Any:
        return ft.while_loop(lambda r: np.abs(r * r - a) > 1e-9 * a, lambda r: (r + a / r) / 2, a)

    lanes = np.linspace(1.0, 1e6, 1_000_000)
    w, xs = RNG.normal(size=(512, 512)) / 23, RNG.normal(size=(64, 128, 512))

    def network(w: Any, xs: Any) -> Any:
        return np.sum(ft.scan(lambda h, x: (np.tanh(h @ w + x), None), xs[0] * 0, xs)[0])

    cases: list[tuple[str, Callable, list, Callable | None]] = [
        ("Newton's root of 1e6 lanes, gradient", ft.vmap(ft.grad(root)), [lanes], None),
        ("1,000 steps of Lorenz, 1e5 lanes", ft.vmap(energy), [starts], None),
        ("recurrent network, 64 steps, gradient", ft.grad(network), [w, xs], None),
    ]
    if jax is not None:
        jnp, lax = jax.numpy, jax.lax

        def their_energy(s: Any) -> Any:
            return jnp.sum(lax.fori_loop(0, 1000, lambda i, s: lorenz_step(jnp, s), s) ** 2)

        def their_network(w: Any, xs: Any) -> Any:
            return jnp.sum(lax.scan(lambda h, x: (jnp.tanh(h @ w + x), None), xs[0] * 0, xs)[0])

        for i, f in ((1, jax.vmap(their_energy)), (2, jax.grad(their_network))):
            cases[i] = (*cases[i][:3], f)
    for name, f, arrays, theirs in cases:
        given = [cupy.asarray(x) for x in arrays]
        compiled = ft.jit(f)
        ours = timed(lambda f=compiled, a=given: f(*a), wait, seconds)
        other = None
        if theirs is not None:
            there = [jax.numpy.asarray(x) for x in arrays]
            g = jax.jit(theirs)
            other = timed(lambda: jax.block_until_ready(g(*there)), lambda: None, seconds)  # noqa: B023
        row(name, ours, None, other)


if __name__ == "__main__":
    main()
