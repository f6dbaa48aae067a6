"""A Gaussian process by maximum likelihood, with standard errors of what it learns.

The user writes the negative log marginal likelihood of a regression whose inputs each have a length
scale of their own. ``minimize`` fits its logarithms by a trust region with the exact Hessian, and
the same Hessian gives what scikit-learn's ``GaussianProcessRegressor`` does not: standard errors,
intervals from the profile likelihood, and how sure one is that an input matters at all. Data: the
progression of diabetes in 442 patients a year after four measurements (shipped with scikit-learn).
"""

from __future__ import annotations

import pathlib
import sys
import time

import numpy as np
from sklearn.datasets import load_diabetes

import functorch_like as ft

INPUTS = ["bmi", "bp", "s5"]  # body mass, blood pressure, logarithm of triglycerides


def load(patients: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Standardised inputs (n, 3) and response (n,)."""
    data = load_diabetes(scaled=False)
    x = data.data[:, [data.feature_names.index(name) for name in INPUTS]][:patients]
    y = data.target[:patients]
    return (x - x.mean(axis=0)) / x.std(axis=0), (y - y.mean()) / y.std()


def covariance(p: dict, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Squared-exponential covariance of inputs (n, d) and (m, d)."""
    a, b = a / np.exp(p["lengths"]), b / np.exp(p["lengths"])
    squared = np.sum(a**2, axis=1)[:, None] + np.sum(b**2, axis=1) - 2 * a @ b.T
    return np.exp(p["signal"]) * np.exp(-0.5 * squared)


def negative_log_likelihood(p: dict, x: np.ndarray, y: np.ndarray) -> np.floating:
    """Minus the log marginal likelihood of logarithms of variances and length scales."""
    factor = np.linalg.cholesky(covariance(p, x, x) + np.exp(p["noise"]) * np.eye(len(y)))
    white = np.linalg.solve(factor, y)
    return 0.5 * white @ white + np.sum(np.log(np.diag(factor))) + 0.5 * len(y) * np.log(2 * np.pi)


def predict(p: dict, x: np.ndarray, y: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of the process at new inputs."""
    across = covariance(p, at, x)
    weights = np.linalg.solve(covariance(p, x, x) + np.exp(p["noise"]) * np.eye(len(y)), across.T)
    variance = np.exp(p["signal"]) - np.sum(across.T * weights, axis=0)
    return weights.T @ y, np.sqrt(variance)


def main(output: pathlib.Path | None = None, patients: int | None = 150) -> dict:
    """Fit, print the parameters with their uncertainty, and draw them."""
    x, y = load(patients)
    start = {"lengths": np.zeros(3), "noise": -1.0, "signal": 0.0}
    began = time.perf_counter()
    found = ft.optimize.minimize(
        negative_log_likelihood, start, args=(x, y), method="trust-exact", tol=1e-6
    )
    seconds = time.perf_counter() - began
    errors = found.standard_errors()
    print(f"{len(y)} patients, {found.nit} iterations, {seconds:.1f} s; -log L = {found.fun:.6f}")
    rows = [(f"length of {k}", ("lengths", i)) for i, k in enumerate(INPUTS)]
    rows += [("noise variance", ("noise",)), ("signal variance", ("signal",))]
    profiles = {}
    for label, path in rows:
        value, error = (
            t[path[0]] if len(path) == 1 else t[path[0]][path[1]] for t in (found.x, errors)
        )
        profiles[label] = found.profile_likelihood(path, points=9)
        low, high = np.exp(profiles[label].interval)
        print(
            f"  {label:16s} {np.exp(value):8.3f}  log {value:6.3f} +- {error:.3f}"
            f"  {low:7.3f} to {high:.3f}"
        )

    share = found.delta_method(lambda p: 1 / (1 + np.exp(p["noise"] - p["signal"])))
    print(
        f"share of the signal in the variance: {share.value:.3f} +- {share.standard_errors():.3f}"
    )
    if output is not None:
        plot(found, profiles, x, y, output)
    return {
        "found": found,
        "errors": errors,
        "profiles": profiles,
        "share": share,
        "seconds": seconds,
    }


def plot(
    found: ft.optimize.OptimizeResult,
    profiles: dict,
    x: np.ndarray,
    y: np.ndarray,
    output: pathlib.Path,
) -> None:
    """Draw the intervals, a profile, and predictions along the body mass."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(14, 4.2), layout="constrained")
    for i, profile in enumerate(profiles.values()):
        low, high = profile.interval
        shown = min(high, profile.estimate + 4 * profile.error)
        axes[0].plot(
            *(np.exp([low, shown]), [i, i]),
            **{"color": "tab:blue", "lw": 6, "alpha": 0.3, "solid_capstyle": "butt"},
        )
        if np.isinf(high):
            axes[0].text(np.exp(shown), i, " to infinity", va="center")
        ends = np.exp(profile.estimate + 1.96 * profile.error * np.array([-1, 1]))
        middle = np.exp(profile.estimate)
        spread = [[middle - ends[0]], [ends[1] - middle]]
        axes[0].errorbar(middle, i, xerr=spread, fmt="o", color="black", capsize=3)
    axes[0].set_yticks(range(len(profiles)), list(profiles))
    axes[0].set_xscale("log")
    axes[0].set_xlim(0.1, 3e4)
    axes[0].set_title("95% intervals: profile (blue), Hessian (bars)")
    axes[0].grid(axis="x", alpha=0.3)
    profiles["length of bp"].plot(axes[1])
    axes[1].set_xlabel("log length scale of blood pressure")

    at = np.zeros((100, 3))
    at[:, 0] = np.linspace(x[:, 0].min(), x[:, 0].max(), 100)
    mean, deviation = predict(found.x, x, y, at)
    axes[2].plot(x[:, 0], y, ".", color="0.6", ms=4, label="patients")
    axes[2].plot(at[:, 0], mean, color="tab:red", label="mean, other inputs average")
    axes[2].fill_between(
        at[:, 0], mean - 1.96 * deviation, mean + 1.96 * deviation, color="tab:red", alpha=0.2
    )
    axes[2].set_title("prediction, and the 95% band of the mean")
    axes[2].set_xlabel("body mass, standardised")
    axes[2].set_ylabel("progression, standardised")
    axes[2].legend()
    figure.savefig(output, dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    paths = [pathlib.Path(a) for a in arguments if not a.startswith("-")]
    main(paths[0] if paths else None, patients=None if "--large" in arguments else 150)
