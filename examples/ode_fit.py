"""A differential equation fitted to data: hares and lynxes of the Hudson Bay Company, 1900-1920.

The numbers of pelts (thousands; Howard, *Elements of mathematical ecology*, 2009) follow Lotka and
Volterra's equations. Four rates and two initial numbers are fitted to the logarithms by least
squares; the Jacobian goes through the integrator, compiled with it. The curvature at the optimum
gives the standard errors.
"""

from __future__ import annotations

import pathlib
import sys

import numpy as np
import scipy.optimize

import functorch_like as ft
from functorch_like.scipy.integrate import solve_ivp

YEARS = np.arange(21.0)
HARES = np.array([
    30.0, 47.2, 70.2, 77.4, 36.3, 20.6, 18.1, 21.4, 22.0, 25.4, 27.1, 40.3, 57.0, 76.6, 52.3, 19.5,
    11.2, 7.6, 14.6, 16.2, 24.7,
])  # fmt: skip
LYNXES = np.array([
    4.0, 6.1, 9.8, 35.2, 59.4, 41.7, 19.0, 13.0, 8.3, 9.1, 7.4, 8.0, 12.3, 19.5, 45.7, 51.1, 29.7,
    15.8, 9.7, 10.1, 8.6,
])  # fmt: skip
NAMES = ("birth", "predation", "death", "growth", "hares in 1900", "lynxes in 1900")


def rates(t: np.ndarray, y: np.ndarray, p: np.ndarray) -> list:
    """Lotka and Volterra's equations."""
    hares, lynxes = y
    return [p[0] * hares - p[1] * hares * lynxes, p[3] * hares * lynxes - p[2] * lynxes]


def numbers(p: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Hares and lynxes at the times, (2, m), for the parameters (6,)."""
    return solve_ivp(rates, (0.0, 20.0), p[4:], "DOP853", times, args=(p,), rtol=1e-8, atol=1e-8).y


def residuals(log_p: np.ndarray) -> np.ndarray:
    """Differences of the logarithms, (42,)."""
    predicted = np.log(numbers(np.exp(log_p), YEARS))
    return (predicted - np.log(np.stack([HARES, LYNXES]))).reshape(-1)


def main(output: pathlib.Path | None = None) -> dict:
    """Fit, print parameters with standard errors and their product per pelt; plot to ``output``."""
    start = np.log(np.array([0.5, 0.02, 0.8, 0.02, 30.0, 4.0]))
    r, jacobian = ft.jit(residuals), ft.jit(ft.jacfwd(residuals))
    found = scipy.optimize.least_squares(r, start, jacobian, method="lm", xtol=1e-12, ftol=1e-12)
    p = np.exp(found.x)
    j = jacobian(found.x)
    variance = 2 * found.cost / (len(found.fun) - len(p))
    errors = p * np.sqrt(np.diag(variance * np.linalg.inv(j.T @ j)))
    for name, value, error in zip(NAMES, p, errors, strict=True):
        print(f"{name:15s} {value:8.4f} +- {error:.4f}")
    print(f"cost {found.cost:.6f} after {found.nfev} evaluations and {found.njev} Jacobians")
    slope = j.T @ found.fun
    print(f"largest slope at the optimum {np.max(np.abs(slope)):.1e}")
    if output is not None:
        plot(p, output)
    return {"p": p, "errors": errors, "cost": found.cost, "slope": slope, "jacobian": j,
            "x": found.x}  # fmt: skip


def plot(p: np.ndarray, output: pathlib.Path) -> None:
    """Draw data and fitted solution."""
    import matplotlib.pyplot as plt

    fine = np.linspace(0.0, 20.0, 400)
    hares, lynxes = ft.jit(lambda p: numbers(p, fine))(p)
    figure, axes = plt.subplots(figsize=(8.0, 4.2), layout="constrained")
    for data, curve, name, color in (
        (HARES, hares, "hares", "tab:blue"),
        (LYNXES, lynxes, "lynxes", "tab:red"),
    ):
        axes.plot(1900 + YEARS, data, "o", color=color, label=name)
        axes.plot(1900 + fine, curve, color=color)
    axes.set_xticks(range(1900, 1921, 5))
    axes.set_xlabel("year")
    axes.set_ylabel("pelts, thousands")
    axes.set_title("Lotka and Volterra's equations, fitted")
    axes.legend()
    figure.savefig(output, dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else None)
