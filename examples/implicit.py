"""Solutions as functions of data: roots, minima and fixed points with exact derivatives.

Three answers that a solver gives, each differentiated through the equation it solves, and none
through the iterations of the solver:

* an orbit: Kepler's equation, solved by SciPy's ``brentq``, at many times at once;
* a model's best regularisation: ridge regression is solved inside, the error on held-out data is
  minimised outside, by its gradient with respect to the penalty;
* a market: prices at a fixed point, and how they answer to a tax.
"""

from __future__ import annotations

import pathlib
import sys

import numpy as np
import scipy.optimize

import functorch_like as ft


def kepler(E: np.ndarray, e: np.ndarray, M: np.ndarray) -> np.ndarray:  # noqa: N803
    """Kepler's equation: zero at the eccentric anomaly of an orbit."""
    return E - e * np.sin(E) - M


def solve_kepler(e: float, M: float) -> float:  # noqa: N803
    """The eccentric anomaly, by a solver that takes plain numbers only."""
    return scipy.optimize.brentq(kepler, -1.0, 8.0, (float(e), float(M)), xtol=1e-14)


anomaly = ft.implicit_function(solve_kepler, kepler)


def data(seed: int = 0) -> tuple[np.ndarray, ...]:
    """A regression with more features than it can bear, in two halves."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(80, 30))
    y = x @ (rng.normal(size=30) * (np.arange(30) < 5)) + 2.0 * rng.normal(size=80)
    return x[:40], y[:40], x[40:], y[40:]


def held_out_error(log_penalty: np.ndarray, parts: tuple[np.ndarray, ...]) -> np.ndarray:
    """Error on the second half of the model that is best on the first, with the penalty."""
    x, y, x_test, y_test = parts
    penalty = np.exp(log_penalty)
    # Any solver will do: this one applies the matrix only.
    weights = ft.implicit.solve_cg(lambda w: x.T @ (x @ w) + penalty * w, x.T @ y)
    return np.mean((x_test @ weights - y_test) ** 2)


def prices(tax: np.ndarray) -> np.ndarray:
    """Prices of two goods, each made with the other."""
    cost = lambda p: np.stack([1.0 + 0.3 * np.sqrt(p[1]) + tax, 0.5 + 0.6 * np.sqrt(p[0])])  # noqa: E731
    return ft.fixed_point(cost, np.ones(2))


def main(output: pathlib.Path | None = None) -> dict:
    """Solve the three, print derivatives beside differences, plot to ``output``."""
    times = np.linspace(0.1, 6.2, 50)
    E = ft.vmap(anomaly, (None, 0))(0.6, times)  # noqa: N806
    speed = ft.vmap(ft.grad(anomaly, argnums=1), (None, 0))(0.6, times)
    exact = 1 / (1 - 0.6 * np.cos(E))
    print(f"orbit: dE/dM at {len(times)} times, largest error {np.max(np.abs(speed - exact)):.1e}")

    parts = data()
    objective = ft.jit(ft.value_and_grad(lambda s: held_out_error(s, parts)))
    found = scipy.optimize.minimize(
        lambda s: objective(s[0])[0],
        np.zeros(1),
        jac=lambda s: np.atleast_1d(objective(s[0])[1]),
    )
    best = float(found.x[0])
    print(
        f"ridge: best penalty {np.exp(best):.2f}, error {found.fun:.3f}, {found.nfev} evaluations"
    )

    tax = 0.2
    answer = ft.jacfwd(prices)(tax)
    h = 1e-5
    difference = (prices(tax + h) - prices(tax - h)) / (2 * h)
    print(f"market: prices {prices(tax).round(4)}, dp/dtax {answer.round(6)}")
    print(f"        by differences      {difference.round(6)}")

    grid = np.linspace(-3.0, 8.0, 60)
    errors = np.array([objective(s)[0] for s in grid])
    if output is not None:
        plot(times, E, speed, grid, errors, best, float(found.fun), output)
    return {
        "speed": speed,
        "exact": exact,
        "best": best,
        "grid": grid,
        "errors": errors,
        "answer": answer,
        "difference": difference,
    }


def plot(
    times: np.ndarray,
    E: np.ndarray,  # noqa: N803
    speed: np.ndarray,
    grid: np.ndarray,
    errors: np.ndarray,
    best: float,
    smallest: float,
    output: pathlib.Path,
) -> None:
    """Draw the orbit's anomaly with its slope, and the error over the penalty."""
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11.0, 4.2), layout="constrained")
    left.plot(times, E, label="eccentric anomaly E")
    left.plot(times, speed, label="dE/dM, implicit")
    left.set_xlabel("mean anomaly M")
    left.set_title("Kepler's equation, eccentricity 0.6")
    left.legend()
    right.plot(np.exp(grid), errors)
    right.plot([np.exp(best)], [smallest], "o", color="tab:red", label="found by its gradient")
    right.set_xscale("log")
    right.set_xlabel("penalty")
    right.set_ylabel("mean squared error on held-out data")
    right.set_title("Ridge regression")
    right.legend()
    figure.savefig(output, dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else None)
