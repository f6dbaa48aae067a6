"""Memory and time of gradients of long loops, with and without ``checkpoint=``.

Each row is measured in a process of its own: by how much resident memory grows at the most during
the first call of the compiled gradient, and the least of some times, taken in turn with those of
the gradient that keeps all. ``predicted`` is what ``jit(f).memory(*args)`` says of temporaries,
results and tapes.

    python benchmarks/memory.py [--steps 1000000] [--repeat 5]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import functorch_like as ft

KEEP: dict[str, Any] = {
    "all": None,
    "every 1000th": 1000,
    "Binomial(2000)": ft.Binomial(2000),
    "Binomial(1000)": ft.Binomial(1000),
    "Binomial(100)": ft.Binomial(100),
    "Binomial(10)": ft.Binomial(10),
    "64 kB": "64 kB",
}


def lorenz(state: Any, p: Any) -> Any:
    """The slope of Lorenz's system."""
    x, y, z = state[0], state[1], state[2]
    return np.stack([p[0] * (y - x), x * (p[1] - z) - y, x * y - p[2] * z])


def runge_kutta(state: Any, p: Any, h: float = 1e-3) -> Any:
    """A step of the fourth order: the step of the speed table in the README."""
    k1 = lorenz(state, p)
    k2 = lorenz(state + h / 2 * k1, p)
    k3 = lorenz(state + h / 2 * k2, p)
    k4 = lorenz(state + h * k3, p)
    return state + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


def recurrent(state: Any, p: Any) -> Any:
    """A step of a network of 16 numbers."""
    return np.tanh(p * state) + 0.1 * state[::-1]


STEPS: dict[str, tuple[Callable, np.ndarray, np.ndarray]] = {
    "lorenz": (runge_kutta, np.array([1.0, 2.0, 0.5]), np.array([1.0, 2.0, 3.0])),
    "recurrent": (recurrent, np.linspace(0.5, 0.9, 16), np.linspace(0.1, 0.3, 16)),
}


def gradient(name: str, loop: str, keep: Any, steps: int) -> tuple[Any, np.ndarray]:
    """The compiled gradient in the parameters, and the parameters."""
    step, p, start = STEPS[name]

    def scanned(p: Any) -> Any:
        one = lambda x, _: (step(x, p), None)  # noqa: E731
        return np.sum(ft.scan(one, start, None, steps, checkpoint=keep)[0] ** 2)

    def looped(p: Any) -> Any:
        one = lambda v: (v[0] + 1, step(v[1], p))  # noqa: E731
        more = lambda v: v[0] < steps  # noqa: E731
        return np.sum(ft.while_loop(more, one, (0, start), checkpoint=keep)[1] ** 2)

    return ft.jit(ft.grad({"scan": scanned, "while": looped}[loop])), p


def resident(what: str) -> int:
    """``VmHWM``, the peak of this process's resident memory, or ``VmRSS``, its size; bytes."""
    with open("/proc/self/status") as file:
        return next(int(x.split()[1]) * 1024 for x in file if x.startswith(what))


def growth(run: Callable[[], Any]) -> int:
    """By how many bytes resident memory grows at the most while something runs."""
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")  # forget the peak so far: compiling took more
        before = resident("VmRSS")
        run()
        return resident("VmHWM") - before
    except OSError:  # not on Linux
        import resource

        scale = 1 if sys.platform == "darwin" else 1024
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        run()
        return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * scale


def measure(name: str, loop: str, keep: str, steps: int, repeat: int) -> dict[str, float]:
    """Measure one row in this process: memory first, then times in turn with all kept."""
    f, p = gradient(name, loop, KEEP[keep], steps)
    f.lower(p).compile()
    warm, _ = gradient(name, loop, KEEP[keep], 10)
    warm(p)
    memory = f.memory(p)
    grown = growth(lambda: f(p))
    whole, _ = gradient(name, loop, None, steps)
    whole(p)
    times: dict[Any, float] = {}
    for _ in range(repeat):
        for which in (f, whole):
            start = time.perf_counter()
            which(p)
            taken = time.perf_counter() - start
            times[which] = min(times.get(which, taken), taken)
    turns = 1000 if keep == "every 1000th" else steps  # of each loop of the two
    predicted = memory.at(turns) - memory.arguments - memory.constants
    return {
        "grown": grown,
        "seconds": times[f],
        "ratio": times[f] / times[whole],
        "predicted": predicted,
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=10**6)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--only", nargs="*", help="steps of these names only", default=list(STEPS))
    parser.add_argument("--row", nargs=3, help="measure one row: step, loop, what is kept")
    args = parser.parse_args()
    if args.row:
        print(json.dumps(measure(*args.row, args.steps, args.repeat)))
        return
    print(f"gradient of {args.steps} steps, compiled")
    head = ("step", "loop", "kept", "states", "memory", "predicted", "time", "to all")
    print("{:10} {:6} {:15} {:>9} {:>11} {:>11} {:>10} {:>8}".format(*head))
    for name in args.only:
        start = STEPS[name][2]
        for loop in ("scan", "while"):
            for keep in KEEP:
                command = [sys.executable, __file__, "--row", name, loop, keep]
                command += ["--steps", str(args.steps), "--repeat", str(args.repeat)]
                made = subprocess.run(command, capture_output=True, text=True, check=True)
                row = json.loads(made.stdout)
                print(
                    f"{name:10} {loop:6} {keep:15} {row['grown'] / start.nbytes:9.0f} "
                    f"{row['grown'] / 1e6:8.2f} MB {row['predicted'] / 1e6:8.2f} MB "
                    f"{1e3 * row['seconds']:7.0f} ms {row['ratio']:7.2f}x",
                    flush=True,
                )


if __name__ == "__main__":
    main()
