"""Thousands of nonlinear fits in one compiled call, with standard errors for each.

A detector counts photons of a decaying light at 64 x 64 pixels. Every pixel's decay is fitted with
three parameters by Levenberg and Marquardt's method: ``ft.jit(ft.vmap(fit))`` is one native loop,
in which each pixel takes as many iterations as it needs. Pixels without a decay end with a status
that says so; nothing else is disturbed. Standard errors follow from the derivative of the
solution with respect to the data: the fit itself is differentiable.
"""

from __future__ import annotations

import pathlib
import sys
import time

import numpy as np

import functorch_like as ft

SIDE = 64
TIMES = np.linspace(0.0, 10.0, 40)  # nanoseconds


def scene(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Lifetimes, pixel by pixel, and the counts they give; a dead corner has no light."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    lifetime = 1.5 + 1.5 * np.exp(-((x - 0.35) ** 2 + (y - 0.4) ** 2) / 0.03) + 0.8 * (x > 0.7)
    height = 300 * (0.4 + y)
    height[:6, :6] = 0.0
    decay = height[..., None] * np.exp(-TIMES / lifetime[..., None]) + 5.0
    return lifetime, rng.poisson(decay).astype(float)


def misfit(p: dict, counts: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted residuals; the lifetime's logarithm keeps it positive."""
    curve = p["height"] * np.exp(-TIMES * np.exp(-p["log_lifetime"])) + p["floor"]
    return (curve - counts) * weights


def fit(counts: np.ndarray, weights: np.ndarray) -> ft.optimize.Solution:
    """Fit one pixel."""
    start = {"height": np.max(counts), "log_lifetime": 0.5, "floor": np.min(counts)}
    return ft.optimize.levenberg_marquardt(misfit, start, (counts, weights), max_iterations=100)


def lifetime_of(counts: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The lifetime that the fit finds."""
    return np.exp(fit(counts, weights).x["log_lifetime"])


def main(output: pathlib.Path | None = None) -> dict:
    """Fit all pixels, print what came of it; draw maps to ``output``."""
    truth, counts = scene()
    flat = counts.reshape(-1, TIMES.size)
    weights = 1 / np.sqrt(np.maximum(flat, 1.0))

    many = ft.jit(ft.vmap(fit))
    many(flat, weights)  # compiles
    started = time.perf_counter()
    found = many(flat, weights)
    seconds = time.perf_counter() - started

    # The delta method: d lifetime / d counts, by implicit differentiation of every fit.
    slopes = ft.jit(ft.vmap(ft.grad(lifetime_of)))(flat, weights)
    lifetime = np.exp(found.x["log_lifetime"])
    error = np.sqrt(np.sum((slopes / weights) ** 2, axis=1))

    lit = counts.reshape(-1, TIMES.size).sum(axis=1) > 1.5 * 5.0 * TIMES.size
    good = lit & found.success
    pull = (lifetime - truth.reshape(-1))[good] / error[good]
    print(f"{len(flat)} fits in {seconds * 1e3:.0f} ms, {seconds / len(flat) * 1e6:.1f} us each")
    print(f"iterations: {found.iterations.min()} to {found.iterations.max()}")
    print(found.message)
    print(
        f"{(~lit).sum()} pixels have no light; of the others {good.sum()} of {lit.sum()} converged"
    )
    print(f"(fitted - true) / standard error: mean {pull.mean():.2f}, spread {pull.std():.2f}")

    maps = {
        "true lifetime, ns": truth,
        "fitted lifetime, ns": np.where(good, lifetime, np.nan).reshape(SIDE, SIDE),
        "standard error, ns": np.where(good, error, np.nan).reshape(SIDE, SIDE),
        "iterations": found.iterations.reshape(SIDE, SIDE),
    }
    if output is not None:
        plot(maps, output)
    return {"found": found, "good": good, "pull": pull, "counts": flat, "weights": weights} | maps


def plot(maps: dict[str, np.ndarray], output: pathlib.Path) -> None:
    """Draw the four maps."""
    import matplotlib.pyplot as plt

    figure, rows = plt.subplots(2, 2, figsize=(9.0, 7.6), layout="constrained")
    for axes, (title, values) in zip(rows.flat, maps.items(), strict=True):
        limits = {"vmin": 1.2, "vmax": 3.6} if "lifetime" in title else {}
        if title.startswith("standard"):
            limits = {"vmin": 0.0, "vmax": float(np.nanpercentile(values, 99))}
        if title == "iterations":
            limits = {"vmin": 0, "vmax": 20}
        colours = plt.get_cmap("cividis" if title == "iterations" else "viridis").with_extremes(
            bad="lightgray"
        )
        image = axes.imshow(values, cmap=colours, **limits)
        figure.colorbar(image, ax=axes, extend="max" if title == "iterations" else "neither")
        axes.set_title(title)
        axes.set_xticks([])
        axes.set_yticks([])
    figure.savefig(output, dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else None)
