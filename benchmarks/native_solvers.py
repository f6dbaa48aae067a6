"""Thousands of small problems at once: our solvers under vmap and jit, SciPy in a loop, JAX.

``python benchmarks/native_solvers.py`` prints a table: time a problem, the ratio to ours, and how
far the answers are from ours. SciPy's loops run over a sample of the problems, and their time is
divided by its size. JAX runs a hand-written Levenberg-Marquardt method under ``vmap``, and what it
finds installed of jaxopt and optimistix. ``--json`` writes the figures to a file.
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import harness
import numpy as np
import scipy.optimize
import scipy.optimize.elementwise

import functorch_like as ft

COUNT = 10_000
SAMPLE = 100
T = np.linspace(0.0, 4.0, 20)
START = np.array([1.0, 1.0, 0.0])


class Contestant(NamedTuple):
    """Solves the first ``count`` problems and returns their solutions, one a row."""

    name: str
    call: Callable[[], Any]
    count: int


def decays() -> np.ndarray:
    """Noisy exponential decays with three parameters, one a row."""
    rng = np.random.default_rng(0)
    p = rng.uniform([1.0, 0.5, -0.5], [3.0, 2.0, 0.5], size=(COUNT, 3))
    return p[:, :1] * np.exp(-p[:, 1:2] * T) + p[:, 2:] + 0.02 * rng.normal(size=(COUNT, 20))


def misfit(p: Any, y: Any) -> Any:
    """Residuals of a decay."""
    return p[0] * np.exp(-p[1] * T) + p[2] - y


def fits() -> list[Contestant]:
    """Ten thousand fits of a decay."""
    ys = decays()
    solve = ft.jit(ft.vmap(lambda y: ft.optimize.levenberg_marquardt(misfit, START, (y,)).x))
    sensitivity = ft.jit(
        ft.vmap(ft.jacobian(lambda y: ft.optimize.levenberg_marquardt(misfit, START, (y,)).x))
    )

    def curve(t: Any, a: Any, b: Any, c: Any) -> Any:
        return a * np.exp(-b * t) + c

    def slopes(p: Any, y: Any) -> Any:
        decay = np.exp(-p[1] * T)
        return np.stack([decay, -p[0] * T * decay, np.ones_like(T)], axis=1)

    some = ys[:SAMPLE]
    contestants = [
        Contestant("ours", lambda: solve(ys), COUNT),
        Contestant(
            "SciPy loop, curve_fit",
            lambda: np.stack([scipy.optimize.curve_fit(curve, T, y, p0=START)[0] for y in some]),
            SAMPLE,
        ),
        Contestant(
            "SciPy loop, least_squares('lm'), Jacobian by hand",
            lambda: np.stack(
                [
                    scipy.optimize.least_squares(misfit, START, slopes, method="lm", args=(y,)).x
                    for y in some
                ]
            ),
            SAMPLE,
        ),
    ]
    contestants += jax_fits(ys)
    # Not a contestant: d solution / d data of every fit, by implicit differentiation.
    contestants.append(Contestant("ours, all sensitivities", lambda: sensitivity(ys), COUNT))
    return contestants


def rosenbrock(x: Any) -> Any:
    """Rosenbrock's function."""
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def valleys(n: int) -> list[Contestant]:
    """Ten thousand starts of Rosenbrock's function in ``n`` dimensions, near its minimum."""
    starts = 1 + 0.5 * np.random.default_rng(1).normal(size=(COUNT, n))
    solvers = {
        name: ft.jit(ft.vmap(lambda x, s=solver: s(rosenbrock, x).x))
        for name, solver in (
            ("ours", ft.optimize.lbfgs),
            ("ours, bfgs", ft.optimize.bfgs),
            ("ours, newton_cg", ft.optimize.newton_cg),
        )
    }
    contestants = [
        Contestant(name, lambda s=solve: s(starts), COUNT) for name, solve in solvers.items()
    ]

    def sample() -> np.ndarray:
        options = {"ftol": 0.0, "gtol": 1.5e-8}
        return np.stack(
            [
                scipy.optimize.minimize(
                    scipy.optimize.rosen,
                    x,
                    jac=scipy.optimize.rosen_der,
                    method="L-BFGS-B",
                    options=options,
                ).x
                for x in starts[:SAMPLE]
            ]
        )

    contestants.append(Contestant("SciPy loop, L-BFGS-B, gradient by hand", sample, SAMPLE))
    return contestants + jax_valleys(starts)


def anomalies() -> list[Contestant]:
    """Ten thousand times Kepler's equation by Brent's method."""
    means = np.linspace(0.001, 3.14, COUNT)

    def equation(x: Any, mean: Any) -> Any:
        return x - 0.6 * np.sin(x) - mean

    solve = ft.jit(ft.vmap(lambda m: ft.optimize.brentq(equation, 0.0, np.pi, (m,)).x))
    return [
        Contestant("ours", lambda: solve(means), COUNT),
        Contestant(
            "SciPy loop, brentq",
            lambda: np.array(
                [scipy.optimize.brentq(equation, 0.0, np.pi, args=(m,)) for m in means[:SAMPLE]]
            ),
            SAMPLE,
        ),
        Contestant(
            "SciPy, elementwise.find_root",
            lambda: scipy.optimize.elementwise.find_root(equation, (0.0, np.pi), args=(means,)).x,
            COUNT,
        ),
    ]


# --------------------------------------------------------------------------------------
# JAX


def jax_fits(ys: np.ndarray) -> list[Contestant]:
    """A hand-written method, and optimistix's."""
    try:
        import jax
        import jax.numpy as jnp
    except ImportError:
        return []
    jax.config.update("jax_enable_x64", True)
    t, start, data = jnp.asarray(T), jnp.asarray(START), jnp.asarray(ys)

    def residual(p: Any, y: Any) -> Any:
        return p[0] * jnp.exp(-p[1] * t) + p[2] - y

    def fit(y: Any) -> Any:
        """Damped normal equations, Marquardt's factors, the stopping rules of ours."""

        def step(state: Any) -> Any:
            p, mu, _, count = state
            r, j = residual(p, y), jax.jacfwd(residual)(p, y)
            square, product, g = r @ r, j.T @ j, j.T @ r
            move = -jnp.linalg.solve(product + mu * jnp.diag(jnp.diag(product)), g)
            new = residual(p + move, y)
            better = new @ new < square
            cosine = jnp.max(jnp.abs(g) / jnp.sqrt(jnp.diag(product) * square))
            small = jnp.abs(square - new @ new) <= 1.8e-12 * square
            done = (cosine <= 1.5e-8) | (better & small)
            p = jnp.where(better, p + move, p)
            return p, jnp.where(better, mu / 10, mu * 10), done, count + 1

        def more(state: Any) -> Any:
            return ~state[2] & (state[3] < 100)

        return jax.lax.while_loop(more, step, (start, 1e-3, False, 0))[0]

    by_hand = jax.jit(jax.vmap(fit))
    contestants = [Contestant("JAX, by hand", lambda: jax.block_until_ready(by_hand(data)), COUNT)]
    try:
        import optimistix
    except ImportError:
        return contestants
    method = optimistix.LevenbergMarquardt(rtol=1e-8, atol=1e-12)
    theirs = jax.jit(
        jax.vmap(
            lambda y: (
                optimistix.least_squares(
                    residual, method, start, args=y, max_steps=256, throw=False
                ).value
            )
        )
    )
    contestants.append(
        Contestant("JAX, optimistix", lambda: jax.block_until_ready(theirs(data)), COUNT)
    )
    return contestants


def jax_valleys(starts: np.ndarray) -> list[Contestant]:
    """L-BFGS of jaxopt and of JAX."""
    try:
        import jax
        import jax.numpy as jnp
    except ImportError:
        return []
    jax.config.update("jax_enable_x64", True)
    data = jnp.asarray(starts)

    def function(x: Any) -> Any:
        return jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    from jax.scipy.optimize import minimize

    bfgs = jax.jit(jax.vmap(lambda x: minimize(function, x, method="BFGS", tol=1.5e-8).x))
    contestants = [Contestant("JAX, BFGS", lambda: jax.block_until_ready(bfgs(data)), COUNT)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import jaxopt
        except Exception:
            return contestants
        method = jaxopt.LBFGS(function, maxiter=500, tol=1.5e-8, linesearch="zoom")
    theirs = jax.jit(jax.vmap(lambda x: method.run(x).params))
    few = data[: COUNT // 20]  # all of them take a minute
    contestants.append(
        Contestant("JAX, jaxopt.LBFGS", lambda: jax.block_until_ready(theirs(few)), len(few))
    )
    return contestants


# --------------------------------------------------------------------------------------
# The table

GROUPS: dict[str, Callable[[], list[Contestant]]] = {
    "fits": fits,
    "rosenbrock 2": lambda: valleys(2),
    "rosenbrock 10": lambda: valleys(10),
    "kepler": anomalies,
}


def compare(name: str, contestants: list[Contestant]) -> list[dict[str, Any]]:
    """Time the contestants in turn and print a line for each."""
    print(f"\n{COUNT} problems: {name}\n")
    print("| | a problem | to ours | first call | same as ours |")
    print("|---|---|---|---|---|", flush=True)
    first, answers = {}, {}
    for one in contestants:
        first[one.name] = harness._timed(lambda c=one.call: answers.__setitem__(0, c()), 1)
        answers[one.name] = np.asarray(answers.pop(0))
    times = harness.measure({one.name: one.call for one in contestants})
    each = {one.name: times[one.name] / one.count for one in contestants}
    rows = []
    for one in contestants:
        found, ours = answers[one.name], answers["ours"][: one.count]
        same = "-"
        if found.shape == ours.shape:
            gap = np.abs(found - ours).reshape(one.count, -1).max(axis=1)
            scale = 1e-6 * np.maximum(1.0, np.abs(ours).reshape(one.count, -1).max(axis=1))
            same = f"{np.mean(gap <= scale):.2%} to 1e-6, median gap {np.median(gap):.0e}"
        ratio = each[one.name] / each["ours"]
        rows.append({"name": one.name, "seconds": each[one.name], "same": same})
        print(
            f"| {one.name} | {harness.pretty(each[one.name])} | {ratio:.3g} | "
            f"{harness.pretty(first[one.name])} | {same} |",
            flush=True,
        )
    return rows


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("groups", nargs="*", help=", ".join(GROUPS))
    parser.add_argument("--json", help="write the figures to this file")
    options = parser.parse_args()
    if unknown := set(options.groups) - set(GROUPS):
        parser.error(f"no such group: {', '.join(sorted(unknown))}")
    figures = {name: compare(name, GROUPS[name]()) for name in options.groups or GROUPS}
    if options.json:
        with open(options.json, "w") as file:
            json.dump(figures, file, indent=1)


if __name__ == "__main__":
    main()
