"""Profile likelihoods: the minimum over all parameters but one, and where it crosses a level."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg
import scipy.optimize

from .constraints import FlatBounds
from .functions import Scalar

__all__ = ["Profile", "ProfileLikelihood", "minimum_along"]


def minimum_along(
    objective: Scalar,
    index: int,
    value: float,
    rest: np.ndarray,
    bounds: FlatBounds | None,
    kept: dict,
) -> tuple[np.ndarray, float]:
    """Minimise over all unknowns but one: the point, and the value there.

    ``kept`` belongs to one index: what the last minimum left for the next.
    """
    others = np.delete(np.arange(rest.size), index)
    point = rest.copy()
    point[index] = value
    if not others.size:
        return point, objective.value(point)

    def full(part: np.ndarray) -> np.ndarray:
        made = point.copy()
        made[others] = part
        return made

    with np.errstate(all="ignore"):
        try:
            found = _minimum(objective, others, full, point, bounds, kept)
        except (ValueError, np.linalg.LinAlgError):  # NaN in the Hessian: outside of the domain
            return point, np.inf
    return full(found.x), float(found.fun)


def _minimum(
    objective: Scalar,
    others: np.ndarray,
    full: Callable,
    point: np.ndarray,
    bounds: Any,
    kept: dict,
) -> scipy.optimize.OptimizeResult:
    def value(part: np.ndarray) -> float:
        return objective.both(full(part))[0]

    def gradient(part: np.ndarray) -> np.ndarray:
        return objective.gradient(full(part))[others]

    def hessian(part: np.ndarray) -> np.ndarray:
        return objective.dense(full(part))[np.ix_(others, others)]

    start = point[others]
    if bounds is not None:
        box = scipy.optimize.Bounds(bounds.lb[others], bounds.ub[others])
        tight = {"ftol": 1e-14, "gtol": 1e-10}
        return scipy.optimize.minimize(
            value, start, jac=gradient, bounds=box, method="L-BFGS-B", options=tight
        )
    part = _newton(value, gradient, hessian, start, kept)
    if part is not None:
        return scipy.optimize.OptimizeResult(x=part, fun=value(part))
    return scipy.optimize.minimize(
        value, start, jac=gradient, hess=hessian, method="trust-exact", options={"gtol": 1e-7}
    )


def _newton(
    value: Callable, gradient: Callable, hessian: Callable, part: np.ndarray, kept: dict
) -> np.ndarray | None:
    """Newton's method from a point nearby; None where the function is not convex there.

    The factors of the last Hessian serve as long as steps shrink tenfold, from one minimum of the
    profile to the next. It stops where a step would lower the function by less than 1e-11, which
    in units of the log-likelihood is nothing.
    """
    last = np.inf
    for _ in range(60):
        slope, now = gradient(part), value(part)
        fresh = "factor" not in kept
        try:
            if fresh:
                kept["factor"] = scipy.linalg.cho_factor(hessian(part))
        except np.linalg.LinAlgError:
            return None
        step = -scipy.linalg.cho_solve(kept["factor"], slope)
        fall = -float(slope @ step)
        if fall < 2e-11:
            return part
        if not fresh and not fall < 0.01 * last and last < np.inf:
            del kept["factor"]
            last = np.inf
            continue
        length = 1.0
        while not value(part + length * step) <= now - 1e-4 * length * fall + 1e-12 * abs(now):
            length /= 4
            if length < 1e-4:
                break
        if length < 1e-4:
            if fresh:
                return None
            del kept["factor"]
            continue
        last = fall if length == 1.0 else np.inf
        if length < 1.0:
            kept.pop("factor", None)
        part = part + length * step
    return None


class ProfileLikelihood:
    """The profile along one parameter.

    Attributes
    ----------
    name : str
        The parameter.
    interval : (float, float)
        Confidence interval; infinite where the likelihood never falls far enough.
    level : float
        Its level.
    values : (k,) array
        Values of the parameter.
    deviance : (k,) array
        Twice the fall of the log-likelihood from its maximum (sum of squares over variance).
    points : (k, n) array
        The other parameters' optima: rows are flat vectors.
    threshold : float
        Deviance at the ends of the interval.
    """

    def __init__(self, name: str, estimate: float, error: float, level: float) -> None:
        self.name, self.estimate, self.error, self.level = name, estimate, error, level
        self.interval = (-np.inf, np.inf)
        self.threshold = np.nan
        self.values = self.deviance = np.zeros(0)
        self.points = np.zeros((0, 0))

    @property
    def signed_root(self) -> np.ndarray:
        """Square root of the deviance, negative below the estimate: straight for a normal one."""
        return np.sign(self.values - self.estimate) * np.sqrt(np.maximum(self.deviance, 0.0))

    def plot(self, ax: Any = None) -> Any:
        """Draw the deviance, its quadratic approximation, and the interval."""
        import matplotlib.pyplot as plt
        import scipy.interpolate

        if ax is None:
            _, ax = plt.subplots(figsize=(6.0, 4.0), layout="constrained")
        fine = np.linspace(self.values[0], self.values[-1], 400)
        # The signed root is nearly straight: it is what may be interpolated.
        if len(self.values) > 1:
            smooth = scipy.interpolate.PchipInterpolator(self.values, self.signed_root)(fine) ** 2
            ax.plot(fine, smooth, color="tab:blue", label="profile")
        ax.plot(self.values, self.deviance, "o", ms=3, color="tab:blue")
        quadratic = ((fine - self.estimate) / self.error) ** 2
        ax.plot(fine, quadratic, "--", color="0.5", label="quadratic approximation")
        ax.axhline(self.threshold, color="black", lw=0.8, ls=":")
        for end in self.interval:
            if np.isfinite(end):
                ax.axvline(end, color="tab:red", lw=0.8)
        ax.set_ylim(0, 2 * self.threshold)  # the legend has the upper part
        ax.set_xlabel(self.name)
        ax.set_ylabel("deviance")
        ax.set_title(f"{100 * self.level:g}% interval from the profile likelihood")
        ax.legend(loc="upper center", ncols=2, fontsize="small")
        return ax

    def __repr__(self) -> str:
        low, high = self.interval
        return (
            f"ProfileLikelihood({self.name}: {self.estimate:.6g}, "
            f"{100 * self.level:g}% interval {low:.6g} to {high:.6g})"
        )


class Profile:
    """A likelihood that can be walked along.

    ``solve(index, value, start)`` minimises over the others; ``deviance`` of the minimum;
    ``threshold(level)`` the deviance at the ends of an interval.
    """

    def __init__(
        self,
        solve: Callable[[int, float, np.ndarray], tuple[np.ndarray, float]],
        deviance: Callable[[float], float],
        threshold: Callable[[float], float],
    ) -> None:
        self.solve, self.deviance, self.threshold = solve, deviance, threshold

    def along(
        self, index: int, x: np.ndarray, error: float, level: float, points: int, name: str
    ) -> ProfileLikelihood:
        """The profile and its interval."""
        made = ProfileLikelihood(name, float(x[index]), error, level)
        made.threshold = self.threshold(level)
        rows: list[tuple[float, float, np.ndarray]] = [(float(x[index]), 0.0, x.copy())]
        ends = [self._end(index, x, side * error, made.threshold, rows) for side in (-1.0, 1.0)]
        made.interval = (ends[0], ends[1])
        spread = np.sqrt(made.threshold) * error
        outer = [
            e + side * 0.15 * abs(e - x[index]) if np.isfinite(e) else x[index] + side * 3 * spread
            for e, side in zip(ends, (-1.0, 1.0), strict=True)
        ]
        rows = [(float(x[index]), 0.0, x.copy())]
        for side in (0, 1):
            start = x
            inner = np.linspace(x[index], outer[side], points // 2 + 1)[1:]
            for value in inner:
                start, found = self.solve(index, float(value), start)
                if not np.isfinite(found):
                    break
                rows.append((float(value), self.deviance(found), start))
        rows.sort(key=lambda row: row[0])
        made.values = np.array([row[0] for row in rows])
        made.deviance = np.array([row[1] for row in rows])
        made.points = np.array([row[2] for row in rows])
        return made

    def _end(self, index: int, x: np.ndarray, step: float, threshold: float, rows: list) -> float:
        """Where the deviance reaches the threshold on one side, or infinity."""
        last = {"point": x}

        def above(value: float) -> float:
            point, found = self.solve(index, value, last["point"])
            if not np.isfinite(found):
                return np.inf
            last["point"] = point
            return self.deviance(found) - threshold

        inside, outside = float(x[index]), float(x[index]) + step * np.sqrt(threshold)
        with np.errstate(all="ignore"):
            before = np.nan
            for _ in range(15):  # a thousand standard errors
                height = above(outside)
                if height > 0:
                    break
                if abs(height - before) < 1e-6 * threshold:  # the likelihood has levelled off
                    return np.inf if step > 0 else -np.inf
                before = height
                inside, outside = outside, outside + 1.6 * (outside - inside)
            else:
                return np.inf if step > 0 else -np.inf
            while not np.isfinite(height):  # beyond the domain: come back to a finite value
                middle = 0.5 * (inside + outside)
                height = above(middle)
                if height > 0:
                    outside = middle
                else:
                    inside = middle
                if abs(outside - inside) < 1e-12 * (1 + abs(inside)):
                    return outside
                height = above(outside)
            return float(
                scipy.optimize.brentq(above, inside, outside, xtol=1e-8 * abs(step), rtol=1e-10)
            )
