"""Logistic regression by Newton's method: gradient, Hessian and standard errors of one function.

The user writes the negative log-likelihood and nothing else. ``ft.grad`` and ``ft.hessian`` give
Newton's method, which converges in a few steps; the Hessian at the optimum is the observed
information, whose inverse holds the variances of the coefficients. Data: 569 breast masses
(Wisconsin, shipped with scikit-learn), six of the measured features, standardised.
"""

from __future__ import annotations

import pathlib
import sys

import numpy as np
from sklearn.datasets import load_breast_cancer

import functorch_like as ft

FEATURES = [
    "mean radius",
    "mean texture",
    "mean smoothness",
    "mean compactness",
    "mean concave points",
    "mean symmetry",
]


def load() -> tuple[np.ndarray, np.ndarray]:
    """Design matrix with an intercept column, and labels: +1 malignant, -1 benign."""
    data = load_breast_cancer()
    x = data.data[:, [list(data.feature_names).index(name) for name in FEATURES]]
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    return np.column_stack([np.ones(len(x)), x]), np.where(data.target == 0, 1.0, -1.0)


def negative_log_likelihood(w: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.floating:
    """Minus the log-likelihood of coefficients ``w``, labels ``y`` being +1 or -1."""
    return np.sum(np.logaddexp(0.0, -y * (x @ w)))


def main(output: pathlib.Path | None = None) -> dict:
    """Fit the model, print the coefficients, and plot them to ``output``."""
    x, y = load()
    gradient, hessian = ft.grad(negative_log_likelihood), ft.hessian(negative_log_likelihood)

    w = np.zeros(x.shape[1])
    norms = []
    for _ in range(30):
        g = gradient(w, x, y)
        norms.append(float(np.linalg.norm(g)))
        if norms[-1] < 1e-9:
            break
        w = w - np.linalg.solve(hessian(w, x, y), g)

    information = hessian(w, x, y)
    errors = np.sqrt(np.diag(np.linalg.inv(information)))
    accuracy = float(np.mean(np.sign(x @ w) == y))
    print(f"Newton's method: {len(norms) - 1} steps, |gradient| = {norms[-1]:.1e}")
    print(f"accuracy on the {len(y)} cases fitted: {accuracy:.3f}")
    for name, value, error in zip(["(intercept)", *FEATURES], w, errors, strict=True):
        print(f"  {name:20s} {value:7.3f} +- {error:.3f}   z = {value / error:5.1f}")

    if output is not None:
        plot(w, errors, norms, output)
    return {
        "coefficients": w,
        "standard_errors": errors,
        "hessian": information,
        "gradient_norms": norms,
        "accuracy": accuracy,
    }


def plot(w: np.ndarray, errors: np.ndarray, norms: list[float], output: pathlib.Path) -> None:
    """Draw coefficients with 95% intervals, and the convergence of Newton's method."""
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(
        1, 2, figsize=(10.5, 4.2), width_ratios=[1.6, 1], layout="constrained"
    )
    order = np.argsort(w[1:])
    value, half = w[1:][order], 1.96 * errors[1:][order]
    clear = np.abs(value) > half
    for chosen, color, label in (
        (clear, "tab:blue", "interval excludes 0"),
        (~clear, "0.6", "interval includes 0"),
    ):
        left.errorbar(
            value[chosen],
            np.flatnonzero(chosen),
            xerr=half[chosen],
            fmt="o",
            color=color,
            capsize=4,
            label=label,
        )
    left.axvline(0.0, color="black", linewidth=0.8, linestyle="--")
    left.set_yticks(range(len(order)), [FEATURES[i] for i in order])
    left.set_xlabel("change in log-odds of malignancy per standard deviation")
    left.set_title("Coefficients with 95% intervals from the Hessian")
    left.legend(loc="lower right")
    left.grid(axis="x", alpha=0.3)

    right.semilogy(norms, "o-", color="tab:red")
    right.set_xlabel("Newton step")
    right.set_ylabel("norm of the gradient")
    right.set_title("Quadratic convergence")
    right.grid(alpha=0.3)
    figure.savefig(output, dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else None)
