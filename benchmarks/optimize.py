"""The three larger examples against established packages: the same answer, and the time it takes.

``python benchmarks/optimize.py`` prints the table, ``--write`` puts it into docs/optimisation.md: a
Gaussian process against scikit-learn, a bundle adjustment against SciPy with the pattern by hand
and differences, and a control problem with 10^5 unknowns against its equations by hand.
"""

from __future__ import annotations

import pathlib
import sys
import time

import numpy as np

import functorch_like as ft

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "examples")]


def gaussian_process() -> str:
    """442 patients."""
    import gaussian_process as example
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

    x, y = example.load()
    start = {"lengths": np.zeros(3), "noise": -1.0, "signal": 0.0}
    began = time.perf_counter()
    found = ft.optimize.minimize(example.negative_log_likelihood, start, args=(x, y), tol=1e-5)
    ours = time.perf_counter() - began
    errors = found.standard_errors()
    began = time.perf_counter()
    kernel = ConstantKernel(1.0, (1e-5, 1e8)) * RBF([1.0] * 3, (1e-3, 1e6))
    model = GaussianProcessRegressor(kernel + WhiteKernel(np.exp(-1)), alpha=0).fit(x, y)
    theirs = time.perf_counter() - began
    return (
        f"| Gaussian process, 442 patients, 5 parameters | -log L {found.fun:.6f}, log noise "
        f"{found.x['noise']:.4f} ± {errors['noise']:.4f}, {found.nit} iterations | {ours:.1f} | "
        f"scikit-learn: -log L {-model.log_marginal_likelihood_value_:.6f}, no errors | "
        f"{theirs:.1f} |"
    )


def bundle_adjustment(cameras: int = 60, points: int = 6000) -> str:
    """Cameras around a town."""
    import bundle_adjustment as example

    made = example.main(None, cameras, points)
    found, reference = made["found"], made["reference"]
    ours, theirs = made["seconds"]
    unknowns = 6 * cameras + 3 * points
    return (
        f"| bundle adjustment, {unknowns:,} unknowns, {found.fun.size:,} residuals | cost "
        f"{found.cost:.6f}, {found.nfev} calls, {found.njev} Jacobians | {ours:.1f} | SciPy, "
        f"pattern by hand, differences: cost {reference.cost:.6f}, {made['calls']} calls | "
        f"{theirs:.1f} |"
    )


def pde_control(n: int = 183) -> str:
    """State, control and adjoint on a grid."""
    import pde_control as example

    made = example.main(None, n)
    return (
        f"| control of a nonlinear equation, {3 * n * n:,} unknowns | {made['found'].nit} Newton "
        f"steps | {made['seconds']:.1f} | equations and matrix by hand: relative difference "
        f"{made['error']:.0e} | {made['reference_seconds']:.1f} |"
    )


def table() -> str:
    """The table as Markdown."""
    lines = ["| problem | here | seconds | established | seconds |", "|---|---|---|---|---|"]
    lines += [gaussian_process(), bundle_adjustment(), pde_control()]
    return "\n".join(lines)


if __name__ == "__main__":
    text = table()
    print(text)
    if "--write" in sys.argv[1:]:
        from nist import write

        write("packages", text)
