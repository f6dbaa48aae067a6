"""Eager derivatives beside their peers, in one run: times, and ratios to the best peer.

Run ``python benchmarks/eager.py``; peers that are not installed are left out. Nothing else may
run on the machine. Each figure is the least of several repetitions, the contestants in turn.
"""

from __future__ import annotations

import importlib
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np

import functorch_like as ft


def optional(name: str) -> Any:
    """A peer's module, or None where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def measure(contestants: dict[str, Callable[[], Any]], seconds: float = 0.2) -> dict[str, float]:
    """Seconds a call of each contestant, least of seven rounds in which each has its turn."""
    counts = {}
    for name, call in contestants.items():
        call()
        start = time.perf_counter()
        call()
        counts[name] = max(1, int(seconds / 7 / (time.perf_counter() - start + 1e-9)))
    best = dict.fromkeys(contestants, float("inf"))
    for _ in range(7):
        for name, call in contestants.items():
            start = time.perf_counter()
            for _ in range(counts[name]):
                call()
            best[name] = min(best[name], (time.perf_counter() - start) / counts[name])
    return best


def show(title: str, times: dict[str, float], references: tuple[str, ...] = ()) -> None:
    """One row: microseconds, and our ratio to the best peer and to the references."""
    ours = times["functorch_like"]
    peers = {k: t for k, t in times.items() if k != "functorch_like" and k not in references}
    shown = ", ".join(f"{k} {1e6 * t:,.0f}" for k, t in times.items())
    ratio = f"{ours / min(peers.values()):.2f}" if peers else "-"
    floor = "; ".join(f"{ours / times[k]:.1f} of {k}" for k in references)
    print(f"| {title} | {shown} | {ratio} | {floor} |", flush=True)


def twenty(x: Any, np: Any) -> Any:
    """Twenty operations on a vector."""
    a = np.sin(x)
    b = np.exp(a)
    c = a * b
    d = c + x
    e = np.tanh(d)
    g = e * x
    h = g - a
    i = h * h
    j = np.log(i + 1.0)
    k = j / d
    m = np.sqrt(k * k + 1.0) * b
    n = m + c
    return np.sum(np.cos(n) * 2.0)


def twenty_by_hand(x: np.ndarray) -> np.ndarray:
    """Reverse mode of ``twenty`` written out in NumPy: the floor for eager NumPy."""
    a = np.sin(x)
    b = np.exp(a)
    c = a * b
    d = c + x
    e = np.tanh(d)
    h = e * x - a
    q = h * h + 1.0
    j = np.log(q)
    k = j / d
    r = np.sqrt(k * k + 1.0)
    dn = -2.0 * np.sin(r * b + c)
    dk = dn * b * k / r
    dh = 2.0 * h * dk / (d * q)
    dd = dh * x * (1.0 - e * e) - dk * k / d
    dc = dn + dd
    db = dn * r + dc * a
    return (dc * b - dh + db * b) * np.cos(x) + dd + dh * e


def small_gradient(x: np.ndarray) -> None:
    """Gradient of twenty operations on a 10-vector."""
    gradient = ft.grad(lambda x: twenty(x, np))
    np.testing.assert_allclose(gradient(x), twenty_by_hand(x), rtol=1e-10)
    calls: dict[str, Callable[[], Any]] = {"functorch_like": lambda: gradient(x)}
    if (torch := optional("torch")) is not None:
        torch.set_num_threads(1)

        def backward() -> Any:
            t = torch.from_numpy(x).requires_grad_(True)
            twenty(t, torch).backward()
            return t.grad

        functional = torch.func.grad(lambda t: twenty(t, torch))
        tensor = torch.from_numpy(x)
        calls |= {"torch.autograd": backward, "torch.func": lambda: functional(tensor)}
    if optional("autograd") is not None:
        import autograd
        import autograd.numpy as anp

        peer = autograd.grad(lambda x: twenty(x, anp))
        calls["autograd"] = lambda: peer(x)
    if (jax := optional("jax")) is not None:
        jax.config.update("jax_enable_x64", True)
        eager = jax.grad(lambda x: twenty(x, jax.numpy))
        array = jax.numpy.asarray(x)
        calls["JAX, no jit"] = lambda: eager(array).block_until_ready()
    calls["by hand in NumPy"] = lambda: twenty_by_hand(x)
    show("gradient, 20 operations on 10 numbers", measure(calls), ("by hand in NumPy",))


def large_gradient(n: int = 1_000_000) -> None:
    """Gradient over function, and memory, at a large size."""
    x = np.random.default_rng(0).normal(size=n)

    def f(x: Any) -> Any:
        return np.sum(np.exp(-x * x) * np.sin(x))

    gradient = ft.grad(f)
    calls: dict[str, Callable[[], Any]] = {"functorch_like": lambda: gradient(x)}
    if optional("autograd") is not None:
        import autograd
        import autograd.numpy as anp

        peer = autograd.grad(lambda x: anp.sum(anp.exp(-x * x) * anp.sin(x)))
        calls["autograd"] = lambda: peer(x)
    calls["the function"] = lambda: f(x)
    show("gradient of sum(exp(-x x) sin x), 1e6 numbers", measure(calls, 1.0), ("the function",))
    tracemalloc.start()
    gradient(x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # -x, -x x, exp, sin, product: five intermediates are made on the way forward.
    print(f"| its peak memory | {peak / x.nbytes:.1f} arrays; f makes 5 | | |", flush=True)


def rosenbrock_hessian(n: int = 200) -> None:
    """Dense Hessian of the Rosenbrock function."""
    from scipy.optimize import rosen_hess

    def rosenbrock(x: Any, np: Any) -> Any:
        return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    x = np.linspace(-1, 1, n)
    hessian = ft.hessian(lambda x: rosenbrock(x, np))
    np.testing.assert_allclose(hessian(x), rosen_hess(x), atol=1e-9)
    calls: dict[str, Callable[[], Any]] = {"functorch_like": lambda: hessian(x)}
    if optional("autograd") is not None:
        import autograd
        import autograd.numpy as anp

        peer = autograd.hessian(lambda x: rosenbrock(x, anp))
        calls["autograd"] = lambda: peer(x)
    if (torch := optional("torch")) is not None:
        tensor = torch.from_numpy(x)
        functional = torch.func.hessian(lambda t: rosenbrock(t, torch))
        calls["torch.func"] = lambda: functional(tensor)
    if (jax := optional("jax")) is not None:
        eager = jax.hessian(lambda x: rosenbrock(x, jax.numpy))
        array = jax.numpy.asarray(x)
        calls["JAX, no jit"] = lambda: eager(array).block_until_ready()
    times = measure(calls, 1.0)
    show(f"Hessian, {n}-variable Rosenbrock", times)
    if "autograd" in times:
        print(f"| | {times['autograd'] / times['functorch_like']:.1f} times autograd's speed | | |")


def import_time() -> None:
    """Start-up beyond NumPy's own, in fresh processes."""
    code = (
        "import time; a = time.perf_counter(); import numpy; b = time.perf_counter(); "
        "import functorch_like; print(b - a, time.perf_counter() - b)"
    )
    runs = []
    for _ in range(7):
        out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        runs.append([float(t) for t in out.stdout.split()])
    numpy, ours = np.median(runs, 0)
    print(f"| import | {1e3 * ours:.0f} ms beyond NumPy's {1e3 * numpy:.0f} ms | | |", flush=True)


def scatter() -> None:
    """The gradient of an embedding: rows summed at repeated positions."""
    rng = np.random.default_rng(0)
    table, rows = rng.normal(size=(1000, 64)), rng.integers(0, 1000, 20_000)
    gradient = ft.grad(lambda t: np.sum(t[rows] ** 2))
    values = rng.normal(size=(20_000, 64))
    calls = {
        "functorch_like": lambda: gradient(table),
        "np.add.at alone": lambda: np.add.at(np.zeros_like(table), rows, values),
    }
    show("gradient of 20,000 rows of 64 looked up", measure(calls, 0.5))


def main() -> None:
    """Print the table."""
    print("| work | us | ours to best peer | ours to reference |")
    print("|---|---|---|---|")
    small_gradient(np.linspace(0.1, 1.0, 10))
    large_gradient()
    rosenbrock_hessian()
    scatter()
    import_time()


if __name__ == "__main__":
    main()
