"""A soap film over a rectangle by Newton's method with exact sparse Hessians.

The area of a film z(x, y) over a grid is written in NumPy; that each node meets only its
neighbours is nowhere said. ``ft.sparse_hessian`` reads it from the program, and a few products give
the matrix that SciPy factorises in every Newton step. The frame is that of Scherk's minimal surface
z = log(cos y / cos x), which is known in closed form: refining the grid must approach it with the
square of the width.
"""

from __future__ import annotations

import itertools
import pathlib
import sys
import time
from typing import Any

import numpy as np
import scipy.sparse.linalg

import functorch_like as ft

HALF = 1.2  # of the square's side; Scherk's surface ends at pi / 2


def scherk(n: int) -> np.ndarray:
    """The minimal surface at the nodes, shape (n, n)."""
    t = np.linspace(-HALF, HALF, n)
    return np.log(np.cos(t)[None, :] / np.cos(t)[:, None])


def film(inner: Any, frame: np.ndarray) -> Any:
    """The heights of all nodes: (n - 2, n - 2) free ones inside a fixed frame (n, n)."""
    z = np.zeros_like(inner, shape=frame.shape)
    z[:, :] = frame
    z[1:-1, 1:-1] = inner
    return z


def area(inner: Any, frame: np.ndarray) -> Any:
    """Area of the film: the mean of both slopes on either side of every cell."""
    h = 2 * HALF / (frame.shape[0] - 1)
    z = film(inner, frame)
    along, across = np.diff(z, axis=0) / h, np.diff(z, axis=1) / h
    slopes = (along[:, 1:] ** 2 + along[:, :-1] ** 2 + across[1:] ** 2 + across[:-1] ** 2) / 2
    return h**2 * np.sum(np.sqrt(1 + slopes))


def solve(n: int, tolerance: float = 1e-10) -> tuple[np.ndarray, list[float], ft.sparsity.Plan]:
    """Newton's method with halved steps; returns the film, the gradients' norms and the plan."""
    frame = scherk(n)
    frame[1:-1, 1:-1] = 0.0
    inner = np.zeros((n - 2, n - 2))
    plan = ft.sparsity.plan_hessian(area, inner, frame)
    value_and_gradient = ft.jit(ft.value_and_grad(area))
    norms = []
    for _ in range(50):
        value, gradient = value_and_gradient(inner, frame)
        norms.append(float(np.max(np.abs(gradient))))
        if norms[-1] < tolerance:
            break
        step = scipy.sparse.linalg.spsolve(plan(inner, frame), gradient.ravel())
        step, length = step.reshape(inner.shape), 1.0
        slope = float(np.sum(step * gradient))
        while value_and_gradient(inner - length * step, frame)[0] > value - 1e-4 * length * slope:
            length /= 2
            if length < 1e-8:
                return film(inner, frame), norms, plan
        inner = inner - length * step
    return film(inner, frame), norms, plan


def main(output: pathlib.Path | None = None) -> dict:
    """Solve on three grids, compare with the exact surface, and plot to ``output``."""
    sizes, errors = (21, 41, 81), []
    for n in sizes:
        start = time.perf_counter()
        z, norms, plan = solve(n)
        seconds = time.perf_counter() - start
        errors.append(float(np.max(np.abs(z - scherk(n)))))
        print(
            f"{n} x {n}: {len(norms)} gradients, the last {norms[-1]:.0e}; error {errors[-1]:.1e}; "
            f"{plan.nnz:,} entries from {plan.n_colors} products; {seconds:.2f} s"
        )
    orders = [float(np.log2(a / b)) for a, b in itertools.pairwise(errors)]
    print("errors fall like the width to the power", [round(o, 2) for o in orders])
    if output is not None:
        plot(z, norms, output)
    return {
        "sizes": sizes,
        "errors": errors,
        "orders": orders,
        "norms": norms,
        "colors": plan.n_colors,
        "entries": plan.nnz,
    }


def plot(z: np.ndarray, norms: list[float], output: pathlib.Path) -> None:
    """Draw the film, the pattern of a small grid, and how Newton's method converged."""
    import matplotlib.pyplot as plt

    figure = plt.figure(figsize=(13.0, 4.2), layout="constrained")
    grid = figure.add_gridspec(1, 3, width_ratios=[1.2, 1, 1])
    space = figure.add_subplot(grid[0], projection="3d")
    t = np.linspace(-HALF, HALF, len(z))
    space.plot_surface(*np.meshgrid(t, t, indexing="ij"), z, cmap="viridis", linewidth=0)
    space.set_title("The film: Scherk's surface")
    space.set_xlabel("x")
    space.set_ylabel("y")

    small = 8
    plan = ft.sparsity.plan_hessian(area, np.zeros((small - 2, small - 2)), scherk(small))
    pattern = figure.add_subplot(grid[1])
    shades = np.where(plan.pattern.toarray(), plan.colors[None, :] % 20, np.nan)
    pattern.imshow(shades, cmap="tab20", vmin=0, vmax=19, interpolation="nearest")
    pattern.set_title(f"Hessian on {small} x {small} nodes:\n{plan.n_colors} colours of columns")
    pattern.set_xlabel("free node")
    pattern.set_ylabel("free node")

    steps = figure.add_subplot(grid[2])
    steps.semilogy(norms, "o-", color="tab:blue")
    steps.set_title("Newton's method, exact Hessians")
    steps.set_xlabel("step")
    steps.set_ylabel("largest element of the gradient")
    steps.grid(alpha=0.3)
    figure.savefig(output, dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else None)
