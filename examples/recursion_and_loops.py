"""Derivatives through recursion and through a loop that decides itself when to stop.

Nothing here is written for a differentiation library: an arithmetic-geometric mean calls itself
until its two numbers meet, and Newton's iteration for Kepler's equation runs ``while`` it still
moves. ``ft.grad`` and ``ft.hessian`` follow whatever Python does. Both derivatives are known in
closed form, so the last digits can be compared. (Towards m = 0 it is the closed form of K'' that
loses digits: it divides a small difference by m twice.)
"""

from __future__ import annotations

import pathlib
import sys

import numpy as np
import scipy.special

import functorch_like as ft

ECCENTRICITY = 0.6


def agm(a: float, b: float) -> float:
    """Arithmetic-geometric mean of two positive numbers, by recursion."""
    if np.abs(a - b) < 1e-12 * a:
        return (a + b) / 2
    return agm((a + b) / 2, np.sqrt(a * b))


def elliptic_k(m: float) -> float:
    """Complete elliptic integral of the first kind, by Gauss's formula."""
    return np.pi / (2 * agm(1.0, np.sqrt(1 - m)))


def eccentric_anomaly(mean_anomaly: float, eccentricity: float) -> float:
    """Solve ``E - e sin(E) = M`` for ``E`` by Newton's iteration, until it stops moving."""
    e = mean_anomaly + eccentricity * np.sin(mean_anomaly)
    step = np.inf
    while np.abs(step) > 1e-13:
        residual = e - eccentricity * np.sin(e) - mean_anomaly
        step = residual / (1 - eccentricity * np.cos(e))
        e = e - step
    return e


def elliptic_exact(m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and second derivative of K, from E and from Legendre's equation."""
    k, e = scipy.special.ellipk(m), scipy.special.ellipe(m)
    slope = (e - (1 - m) * k) / (2 * m * (1 - m))
    return slope, (k / 4 - (1 - 2 * m) * slope) / (m * (1 - m))


def kepler_exact(mean_anomaly: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and second derivative of E by M, from Kepler's equation differentiated by hand."""
    anomaly = np.array([eccentric_anomaly(x, ECCENTRICITY) for x in mean_anomaly])
    radius = 1 - ECCENTRICITY * np.cos(anomaly)  # distance from the focus, in semi-major axes
    return 1 / radius, -ECCENTRICITY * np.sin(anomaly) / radius**3


def main(output: pathlib.Path | None = None) -> dict:
    """Differentiate both programs once and twice, compare with the closed forms, and plot."""
    programs = {
        "elliptic": (elliptic_k, elliptic_exact, np.linspace(0.02, 0.98, 33)),
        "kepler": (
            lambda x: eccentric_anomaly(x, ECCENTRICITY),
            kepler_exact,
            np.linspace(-np.pi, np.pi, 41),
        ),
    }
    results = {}
    for name, (function, exact, x) in programs.items():
        first = np.array([ft.grad(function)(value) for value in x])
        second = np.array([ft.hessian(function)(value) for value in x])
        errors = [
            np.abs(found - true) / (1 + np.abs(true))
            for found, true in zip((first, second), exact(x), strict=True)
        ]
        print(f"{name:9s} first derivative: error {np.max(errors[0]):.1e}")
        print(f"{name:9s} second derivative: error {np.max(errors[1]):.1e}")
        results[name] = {"x": x, "first": first, "second": second, "errors": errors}
    if output is not None:
        plot(results, output)
    return results


def plot(results: dict, output: pathlib.Path) -> None:
    """Draw derivatives over their closed forms, and what is left between the two."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(
        2, 2, figsize=(10.5, 6.4), height_ratios=[2, 1], sharex="col", layout="constrained"
    )
    panels = [
        (
            "elliptic",
            elliptic_exact,
            "Recursion: elliptic integral K(m) by the AGM",
            "parameter m",
            ["dK/dm", "d²K/dm²"],
        ),
        (
            "kepler",
            kepler_exact,
            f"while loop: Kepler's equation, eccentricity {ECCENTRICITY}",
            "mean anomaly M (radians)",
            ["dE/dM", "d²E/dM²"],
        ),
    ]
    machine = np.finfo(float).eps
    for (top, bottom), (name, exact, title, x_label, labels) in zip(axes.T, panels, strict=True):
        r = results[name]
        x = r["x"]
        fine = np.linspace(x[0], x[-1], 600)
        for k, (color, method) in enumerate((("tab:blue", "ft.grad"), ("tab:red", "ft.hessian"))):
            top.plot(fine, exact(fine)[k], color=color, label=f"{labels[k]}, closed form")
            values = r[("first", "second")[k]]
            top.plot(x, values, "o", color=color, markersize=4, label=f"{labels[k]}, {method}")
            shown = np.maximum(r["errors"][k], 1e-17)  # exact zeros at the foot of the panel
            bottom.semilogy(x, shown, ".-", color=color, linewidth=0.7)
        top.set_title(title)
        top.set_ylabel("derivative")
        top.legend()
        top.grid(alpha=0.3)
        bottom.set_ylim(5e-18, 1e-12)
        bottom.axhline(machine, color="black", linestyle="--", linewidth=0.8)
        bottom.text(x[-1], 1e-15, "dashed: machine precision", fontsize=8, ha="right")
        bottom.set_xlabel(x_label)
        bottom.set_ylabel("error / (1 + |value|)")
        bottom.grid(alpha=0.3)
    axes[0, 0].set_yscale("log")
    figure.savefig(output, dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else None)
