"""Bodies held by springs, relaxed and shaken, from their energy alone.

Only the energy is written, as a function of the positions. Forces are ``ft.grad`` of it, the
Newton steps of the minimiser use ``ft.hvp``, and the vibrations are eigenvalues of ``ft.hessian``.
First three masses on three linear springs, where the textbook knows the frequencies; then thirteen
atoms with Lennard-Jones forces, whose lowest energy is published (-44.326801, Cambridge Cluster
Database) and whose icosahedral symmetry fixes how many modes share a frequency.
"""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Callable

import numpy as np
import scipy.optimize

import functorch_like as ft


def distances(x: np.ndarray) -> np.ndarray:
    """Length of every pair's separation, for positions of shape (bodies, dimensions)."""
    i, j = np.triu_indices(len(x), 1)
    return np.linalg.norm(x[i] - x[j], axis=-1)


def triangle(x: np.ndarray) -> np.floating:
    """Energy of three masses in the plane, each two joined by a spring of length 1."""
    return np.sum((distances(x.reshape(3, 2)) - 1.0) ** 2) / 2


def cluster(x: np.ndarray) -> np.floating:
    """Lennard-Jones energy of thirteen atoms in space."""
    r = distances(x.reshape(13, 3))
    return 4 * np.sum(r**-12 - r**-6)


def relax(energy: Callable, start: np.ndarray) -> np.ndarray:
    """Newton's method in a trust region, with products of the Hessian and never the Hessian."""
    found = scipy.optimize.minimize(
        energy,
        start,
        jac=ft.grad(energy),
        hessp=lambda x, v: ft.hvp(energy, (x,), (v,)),
        method="trust-ncg",
        options={"gtol": 1e-9},
    )
    return found.x


def frequencies(energy: Callable, x: np.ndarray) -> np.ndarray:
    """Angular frequencies of all modes for unit masses; motions of the whole have 0."""
    eigenvalues = np.linalg.eigvalsh(ft.hessian(energy)(x))
    return np.sign(eigenvalues) * np.sqrt(np.abs(eigenvalues))


def search(rng: np.random.Generator, patience: int = 30) -> tuple[np.ndarray, list[float]]:
    """Basin hopping: shake the best cluster, relax it, keep it when lower."""

    def descend(start: np.ndarray) -> scipy.optimize.OptimizeResult:
        return scipy.optimize.minimize(cluster, start, jac=ft.grad(cluster), method="L-BFGS-B")

    best = descend(rng.normal(size=39))
    energies, idle = [float(best.fun)], 0
    while idle < patience:
        found = descend(best.x + 0.45 * rng.normal(size=39))
        energies.append(float(found.fun))
        idle += 1
        if found.fun < best.fun - 1e-6:
            best, idle = found, 0
    return best.x, energies


def groups(values: np.ndarray) -> list[int]:
    """Sizes of the groups of equal numbers in a sorted array."""
    cuts = np.flatnonzero(np.diff(values) > 1e-3) + 1
    return [len(part) for part in np.split(values, cuts)]


def main(output: pathlib.Path | None = None) -> dict:
    """Relax both systems, print energies and vibrations, and plot the cluster to ``output``."""
    flat = relax(triangle, np.array([0.0, 0.1, 1.3, 0.0, 0.4, 0.7]))
    triangle_modes = frequencies(triangle, flat)
    print("triangle: frequencies", triangle_modes[3:].round(6), "expected 1.5^.5, 1.5^.5, 3^.5")

    hopped, energies = search(np.random.default_rng(0))
    x = relax(cluster, hopped)
    modes = frequencies(cluster, x)
    energy, force = float(cluster(x)), float(np.max(np.abs(ft.grad(cluster)(x))))
    print(f"cluster: energy {energy:.6f}, {len(energies)} relaxations, largest force {force:.0e}")
    zero = int(np.sum(np.abs(modes) < 1e-3))
    print(f"cluster: {zero} motions of the whole; vibrations in groups of {groups(modes[zero:])}")
    if output is not None:
        plot(x.reshape(13, 3), energies, modes, zero, output)
    return {
        "triangle_positions": flat,
        "triangle_modes": triangle_modes,
        "positions": x,
        "energy": energy,
        "energies": energies,
        "force": force,
        "modes": modes,
        "zero_modes": zero,
        "groups": groups(modes[zero:]),
    }


def plot(
    x: np.ndarray, energies: list[float], modes: np.ndarray, zero: int, output: pathlib.Path
) -> None:
    """Draw the cluster, the search that found it, and its vibrations."""
    import matplotlib.pyplot as plt

    figure = plt.figure(figsize=(13.0, 4.6), layout="constrained")
    grid = figure.add_gridspec(1, 3, width_ratios=[1, 1, 1.25])
    space = figure.add_subplot(grid[0], projection="3d")
    x = x - x.mean(axis=0)
    center = int(np.argmin(np.linalg.norm(x, axis=-1)))
    up = np.delete(x, center, axis=0)[0]  # turned so that an axis of five-fold symmetry stands
    frame = np.linalg.qr(np.column_stack([up, np.eye(3)[:, :2]]))[0]
    x = x @ frame[:, [1, 2, 0]]
    i, j = np.triu_indices(len(x), 1)
    for a, b in zip(i, j, strict=True):
        if np.linalg.norm(x[a] - x[b]) < 1.3:
            color, width = ("0.75", 1.0) if center in (a, b) else ("tab:blue", 2.0)
            space.plot(*np.stack([x[a], x[b]]).T, color=color, linewidth=width)
    outer = np.delete(x, center, axis=0)
    space.scatter(*outer.T, s=130, color="tab:blue", edgecolor="black", depthshade=False)
    space.scatter(*x[center], s=130, color="tab:red", edgecolor="black", depthshade=False)
    space.set_title(f"Thirteen atoms: {cluster(x):.6f} ε")
    space.set_aspect("equal", adjustable="box")
    space.set_box_aspect((1, 1, 1), zoom=1.5)
    space.view_init(elev=14, azim=42)
    space.set_axis_off()

    hops = figure.add_subplot(grid[1])
    hops.set_ylim(-45.0, max(energies) + 0.5)
    hops.plot(energies, "o", color="0.6", markersize=4, label="each relaxation")
    hops.step(
        range(len(energies)),
        np.minimum.accumulate(energies),
        where="post",
        color="tab:blue",
        label="lowest so far",
    )
    hops.axhline(-44.326801, color="tab:red", linestyle="--", label="published minimum")
    hops.set_xlabel("relaxation")
    hops.set_ylabel("energy (ε)")
    hops.set_title("Basin hopping")
    hops.legend(loc=(0.38, 0.16))
    hops.grid(alpha=0.3)

    bars = figure.add_subplot(grid[2])
    colors = ["0.6"] * zero
    end = zero
    bars.text(zero / 2 - 0.7, 0.4, f"{zero} of\nthe whole", ha="center", fontsize=8)
    for k, size in enumerate(groups(modes[zero:])):
        colors += [("tab:blue", "tab:orange")[k % 2]] * size
        middle = end + (size - 1) / 2
        bars.text(middle, modes[end] + 0.35, str(size), ha="center", fontsize=9)
        end += size
    bars.bar(range(len(modes)), np.maximum(modes, 0.08), color=colors)
    bars.set_xlabel("mode")
    bars.set_ylabel(r"angular frequency ($\sqrt{\epsilon/m}\,/\,\sigma$)")
    bars.set_title("Vibrations; numbers count modes of one frequency")
    bars.grid(axis="y", alpha=0.3)
    bars.set_axisbelow(True)
    figure.savefig(output, dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else None)
