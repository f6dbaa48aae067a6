"""The Hessian at every point of a grid, in one call: ``ft.vmap(ft.hessian(f))``.

Himmelblau's function has four minima, four saddles and one maximum. Newton's method on all grid
points at once (batched gradients, batched Hessians, one batched solve) finds the nine stationary
points; the eigenvalues of their Hessians say which is which. The map of the smaller eigenvalue
shows where the function is convex.
"""

from __future__ import annotations

import pathlib
import sys

import numpy as np

import functorch_like as ft


def himmelblau(p: np.ndarray) -> np.ndarray:
    """Himmelblau's function of a point (x, y)."""
    x, y = p
    return (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2


def stationary_points(starts: np.ndarray) -> np.ndarray:
    """Newton's method from every start together; the distinct points it ends in."""
    gradient, hessian = ft.vmap(ft.grad(himmelblau)), ft.vmap(ft.hessian(himmelblau))
    points = starts
    for _ in range(60):
        step = np.linalg.solve(hessian(points), gradient(points)[..., None])[..., 0]
        length = np.linalg.norm(step, axis=-1, keepdims=True)
        points = points - step / np.maximum(1.0, length)  # at most one unit a step
    ended = np.linalg.norm(gradient(points), axis=-1) < 1e-9
    return np.unique(np.round(points[ended], 9), axis=0)


def classify(eigenvalues: np.ndarray) -> str:
    """Name a stationary point by the signs of its Hessian's eigenvalues."""
    if np.all(eigenvalues > 0):
        return "minimum"
    return "maximum" if np.all(eigenvalues < 0) else "saddle"


def main(output: pathlib.Path | None = None) -> dict:
    """Find and classify the stationary points; print them; plot curvature to ``output``."""
    side = np.linspace(-6.0, 6.0, 241)
    grid = np.stack(np.meshgrid(side, side), axis=-1)
    flat = grid.reshape(-1, 2)
    smallest = np.linalg.eigvalsh(ft.vmap(ft.hessian(himmelblau))(flat))[:, 0]

    points = stationary_points(grid[::10, ::10].reshape(-1, 2) + 0.01)
    eigenvalues = np.linalg.eigvalsh(ft.vmap(ft.hessian(himmelblau))(points))
    kinds = [classify(pair) for pair in eigenvalues]
    values = himmelblau(points.T)
    convex = float(np.mean(smallest > 0))
    print(f"{len(flat)} Hessians; the function is convex on {convex:.1%} of the square")
    for (x, y), kind, value, pair in zip(points, kinds, values, eigenvalues, strict=True):
        print(f"  {kind:8s} ({x:9.6f}, {y:9.6f})  f = {value:10.6f}  eigenvalues {pair.round(2)}")

    if output is not None:
        plot(side, himmelblau(flat.T), smallest, points, kinds, output)
    return {
        "points": points,
        "kinds": kinds,
        "values": values,
        "eigenvalues": eigenvalues,
        "grid": flat,
        "smallest": smallest,
        "convex": convex,
    }


def plot(
    side: np.ndarray,
    values: np.ndarray,
    smallest: np.ndarray,
    points: np.ndarray,
    kinds: list[str],
    output: pathlib.Path,
) -> None:
    """Draw the function with its stationary points, and its smaller curvature."""
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(
        1, 2, figsize=(11.5, 5.0), sharey=True, layout="constrained"
    )
    shape = (len(side), len(side))
    height = np.log10(1 + values).reshape(shape)
    filled = left.contourf(side, side, height, levels=20, cmap="viridis")
    figure.colorbar(filled, ax=left, label="log10(1 + f)")
    left.set_title("Himmelblau's function f and its stationary points")

    curvature = smallest.reshape(shape)
    limit = 80.0
    shown = right.contourf(
        side,
        side,
        curvature,
        levels=np.linspace(-limit, limit, 33),
        cmap="RdBu_r",
        extend="both",
    )
    figure.colorbar(
        shown, ax=right, label="smaller eigenvalue of the Hessian", ticks=range(-80, 81, 20)
    )
    right.contour(side, side, curvature, levels=[0.0], colors="black", linewidths=1.2)
    right.set_title("Smaller curvature; convex outside the black line")
    styles = {"minimum": ("o", "white"), "saddle": ("X", "gold"), "maximum": ("^", "tomato")}
    for axes in (left, right):
        for kind, (marker, color) in styles.items():
            chosen = points[[k == kind for k in kinds]]
            axes.plot(
                *chosen.T,
                marker,
                color=color,
                markeredgecolor="black",
                markersize=9,
                label=f"{kind} ({len(chosen)})",
            )
        axes.set_xlabel("x")
        axes.set_aspect("equal")
    left.set_ylabel("y")
    left.legend(loc="upper right", framealpha=0.9)
    figure.savefig(output, dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else None)
