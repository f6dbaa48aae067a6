"""Control of a partial differential equation with 10^5 unknowns, from its Lagrangian alone.

Heat sources u are to bring the temperature y of a plate, -laplace(y) + c y^3 = u with y = 0 at the
edge, close to a wanted one: min |y - wanted|^2 / 2 + beta |u|^2 / 2. The user writes the objective
and the residual of the equation on a grid. The conditions of optimality are the gradient of the
Lagrangian, ``ft.grad``, in state, control and adjoint; ``ft.optimize.root`` solves them by Newton's
method, whose sparse Jacobian, the Hessian of the Lagrangian, it finds, colours and compiles itself.
"""

from __future__ import annotations

import pathlib
import sys
import time

import numpy as np
import scipy.sparse
import scipy.sparse.linalg

import functorch_like as ft


def laplacian(y: np.ndarray, h: float) -> np.ndarray:
    """The five-point Laplacian on the inner points of a grid, zero at the edge."""
    padded = np.pad(y, 1)
    return (
        padded[2:, 1:-1] + padded[:-2, 1:-1] + padded[1:-1, 2:] + padded[1:-1, :-2] - 4 * y
    ) / h**2


def lagrangian(x: dict, wanted: np.ndarray, beta: float, cubic: float) -> np.floating:
    """Objective plus adjoint times the equation's residual, times the area of a cell."""
    y, u, p = x["state"], x["control"], x["adjoint"]
    h = 1 / (y.shape[0] + 1)
    equation = -laplacian(y, h) + cubic * y**3 - u
    return h**2 * np.sum((y - wanted) ** 2 / 2 + beta * u**2 / 2 + p * equation)


def optimality(x: dict, wanted: np.ndarray, beta: float, cubic: float) -> dict:
    """The conditions of optimality: zero at the solution."""
    return ft.grad(lagrangian)(x, wanted, beta, cubic)


def wanted_temperature(n: int) -> np.ndarray:
    """A warm L in a cold plate."""
    t = np.arange(1, n + 1) / (n + 1)
    x, y = np.meshgrid(t, t, indexing="ij")
    return np.where(
        (x > 0.2) & (y > 0.2) & (x < 0.8) & (y < 0.8) & ~((x > 0.5) & (y > 0.5)), 1.0, 0.0
    )


def by_hand(wanted: np.ndarray, beta: float, cubic: float) -> dict:
    """The same conditions and their matrix written by hand, for comparison."""
    n = wanted.shape[0]
    h = 1 / (n + 1)
    second = scipy.sparse.diags_array(
        [-np.ones(n - 1), 2 * np.ones(n), -np.ones(n - 1)], offsets=[-1, 0, 1]
    )
    one = scipy.sparse.eye_array(n)
    stiff = (scipy.sparse.kron(second, one) + scipy.sparse.kron(one, second)) / h**2
    eye = scipy.sparse.eye_array(n * n)
    y, p, goal = np.zeros(n * n), np.zeros(n * n), wanted.ravel()
    for _ in range(30):
        u = p / beta  # from the derivative with respect to u
        first = y - goal + stiff @ p + 3 * cubic * y**2 * p
        state = stiff @ y + cubic * y**3 - u
        if max(np.abs(first).max(), np.abs(state).max()) < 1e-9:
            break
        turned = stiff + scipy.sparse.diags_array(3 * cubic * y**2)
        matrix = scipy.sparse.block_array(
            [[eye + scipy.sparse.diags_array(6 * cubic * y * p), turned], [turned, -eye / beta]]
        )
        step = scipy.sparse.linalg.spsolve(matrix.tocsc(), -np.concatenate([first, state]))
        y, p = y + step[: n * n], p + step[n * n :]
    return {k: v.reshape(n, n) for k, v in (("state", y), ("control", p / beta), ("adjoint", p))}


def main(
    output: pathlib.Path | None = None, n: int = 48, beta: float = 1e-5, cubic: float = 20.0
) -> dict:
    """Solve on an n by n grid, compare with the equations by hand, and draw the plate."""
    wanted = wanted_temperature(n)
    start = {name: np.zeros((n, n)) for name in ("state", "control", "adjoint")}
    print(f"{3 * n * n} unknowns")
    began = time.perf_counter()
    found = ft.optimize.root(optimality, start, args=(wanted, beta, cubic), method="newton")
    seconds = time.perf_counter() - began
    began = time.perf_counter()
    reference = by_hand(wanted, beta, cubic)
    reference_seconds = time.perf_counter() - began
    error = max(
        np.abs(found.x[k] - reference[k]).max() / np.abs(reference[k]).max() for k in reference
    )
    print(f"{found.message} {found.nit} steps, {seconds:.1f} s with planning and compiling")
    print(f"by hand: {reference_seconds:.1f} s; largest relative difference {error:.1e}")
    if output is not None:
        plot(found, wanted, output)
    return {
        "found": found,
        "reference": reference,
        "error": error,
        "seconds": seconds,
        "reference_seconds": reference_seconds,
        "wanted": wanted,
    }


def plot(found: ft.optimize.OptimizeResult, wanted: np.ndarray, output: pathlib.Path) -> None:
    """Draw what is wanted, the state, the control and the convergence."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 4, figsize=(15, 3.6), layout="constrained")
    pictures = [
        (wanted, "wanted temperature", "viridis"),
        (found.x["state"], "temperature reached", "viridis"),
        (found.x["control"], "heat sources", "RdBu_r"),
    ]
    for ax, (values, title, colors) in zip(axes, pictures, strict=False):
        limit = np.abs(values).max()
        low = -limit if colors == "RdBu_r" else min(0.0, values.min())
        image = ax.imshow(
            values.T, origin="lower", cmap=colors, vmin=low, vmax=limit, extent=(0, 1, 0, 1)
        )
        ax.set_title(title)
        figure.colorbar(image, ax=ax, shrink=0.85)
    values = found.history.value
    axes[3].semilogy(np.arange(len(values)), values, "o-", color="tab:red")
    axes[3].set_xlabel("Newton step")
    axes[3].set_title("largest condition of optimality")
    axes[3].grid(alpha=0.3)
    figure.savefig(output, dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    paths = [pathlib.Path(a) for a in arguments if not a.startswith("-")]
    main(paths[0] if paths else None, n=183 if "--large" in arguments else 48)
