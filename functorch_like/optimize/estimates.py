"""Fits as their uncertainties see them: the curvature of a likelihood or of a sum of squares.

The covariance is the inverse observed information, or s^2 (J'J)^-1 of least squares; see G. A. F.
Seber and C. J. Wild, Nonlinear Regression, Wiley 1989, chapters 2 and 5.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse
import scipy.special

from ..errors import name_of
from .constraints import Constraint, FlatBounds
from .functions import Scalar, Vector
from .profiles import Profile, minimum_along
from .unknowns import Unknowns, as_vector

__all__ = ["Likelihood", "Problem", "Residuals", "SingularHessianError"]

# Beyond this many unknowns the dense covariance is not made.
MANY = 5000


class SingularHessianError(np.linalg.LinAlgError):
    """The curvature at the optimum vanishes, or is negative, along a direction, which is named.

    Attributes
    ----------
    direction : (n,) array
        The direction, in the order of the flat vector.
    """

    def __init__(self, message: str, direction: np.ndarray) -> None:
        super().__init__(message)
        self.direction = direction


class Problem:
    """What a result keeps to compute uncertainties: the function, the solution, the bounds."""

    caller: str

    def __init__(self, unknowns: Unknowns, x: np.ndarray, bounds: FlatBounds | None) -> None:
        self.unknowns = unknowns
        self.x = np.array(x, float)
        self.bounds = bounds
        self._kept: dict[Any, np.ndarray] = {}

    def covariance(self, **how: Any) -> np.ndarray:
        """The covariance matrix of the vector."""
        raise NotImplementedError

    def quantile(self, level: float, **how: Any) -> float:
        """Half width of an interval in standard errors."""
        raise NotImplementedError

    def profile(self) -> Profile:
        """The likelihood as ``profiles`` walks along it."""
        raise NotImplementedError

    def check_inside(self) -> None:
        """Raise if a parameter stands at a bound, or there are too many."""
        n = self.unknowns.n
        if n > MANY:
            raise ValueError(
                f"{self.caller}: a dense covariance of {n} unknowns needs {8 * n * n / 1e9:.1f} "
                "GB; use delta_method on the few numbers of interest of a smaller problem, or "
                "solve with the sparse Hessian yourself."
            )
        if self.bounds is None:
            return
        at_bound = np.flatnonzero(self.bounds.active(self.x))
        if at_bound.size:
            named = ", ".join(self.unknowns.name(int(i)) for i in at_bound[:4])
            raise ValueError(
                f"{self.caller}: {named} {'is' if at_bound.size == 1 else 'are'} at a bound, where "
                "curvature says nothing about uncertainty; fix it and fit the others, or use "
                "profile_likelihood of the others."
            )

    def invert(self, matrix: np.ndarray, what: str) -> np.ndarray:
        """Inverse of a symmetric matrix that should be positive definite."""
        if not np.isfinite(matrix).all():
            i = int(np.argwhere(~np.isfinite(matrix))[0][0])
            raise SingularHessianError(
                f"{self.caller}: the {what} is not finite in the row of {self.unknowns.name(i)}; "
                "the function has no second derivative there.",
                np.eye(len(matrix))[i],
            )
        scale = np.sqrt(np.abs(np.diag(matrix)))
        scale[scale == 0] = 1.0
        values, vectors = scipy.linalg.eigh(matrix / scale[:, None] / scale[None, :])
        rounding = len(values) * np.finfo(float).eps * max(abs(values[0]), abs(values[-1]))
        if values[0] <= rounding:
            direction = vectors[:, 0] / scale
            direction = direction / np.linalg.norm(direction)
            words = self.unknowns.combination(direction)
            if values[0] < -10 * rounding:
                said = (
                    f"the {what} is not positive definite: the point is no minimum, the function "
                    f"falls along {words}; minimise further, from a point beside it."
                )
            else:
                said = (
                    f"the {what} is singular: the data do not determine the combination {words}; "
                    "fix one of these, or add data or a prior that does."
                )
            raise SingularHessianError(f"{self.caller}: {said}", direction)
        inverse = (vectors / values) @ vectors.T
        return inverse / scale[:, None] / scale[None, :]


class Likelihood(Problem):
    """A minimum of a negative log-likelihood (or of minus a log-posterior)."""

    def __init__(
        self,
        objective: Scalar,
        x: np.ndarray,
        bounds: FlatBounds | None = None,
        constraints: list[Constraint] | None = None,
    ) -> None:
        super().__init__(objective.unknowns, x, bounds)
        self.objective = objective
        self.constraints = constraints or []
        self.caller = objective.caller

    def hessian(self) -> np.ndarray:
        """The exact Hessian at the solution."""
        if "hessian" not in self._kept:
            self.check_inside()
            plan = self.objective.sparse_plan(self.x)
            self._kept["hessian"] = (
                self.objective.dense(self.x)
                if plan is None
                else plan(self.x, *self.objective.numbers).toarray()
            )
        return self._kept["hessian"]

    def covariance(self) -> np.ndarray:  # type: ignore[override]
        """The inverse of the Hessian; among the directions that equality constraints leave free."""
        if "covariance" not in self._kept:
            self.check_inside()
            if self.constraints:
                self._kept["covariance"] = self._constrained()
            else:
                self._kept["covariance"] = self.invert(self.hessian(), "Hessian")
        return self._kept["covariance"]

    def _constrained(self) -> np.ndarray:
        """Z (Z' H Z)^-1 Z', H the Hessian of the Lagrangian, Z a basis of its tangent space.

        S. D. Silvey, The Lagrangian multiplier test, Annals of Mathematical Statistics 30, 1959.
        """
        rows, curvature = [], self.hessian().copy()
        active = []
        for c in self.constraints:
            values = c.value(self.x)
            room = 1e-6 * (1 + np.abs(values))
            held = (np.abs(values - c.lb) <= room) | (np.abs(values - c.ub) <= room)
            if held.any() and not (c.lb == c.ub)[held].all():
                raise ValueError(
                    f"{self.caller}: an inequality of {c.name} is active at the solution, where "
                    "curvature says nothing about uncertainty; make it an equality, or leave it."
                )
            if held.any():
                matrix = c.jacobian(self.x)
                dense = matrix.toarray() if scipy.sparse.issparse(matrix) else np.asarray(matrix)
                rows.append(dense[held])
                active.append((c, held))
        if not rows:
            return self.invert(curvature, "Hessian")
        matrix = np.vstack(rows)
        slope = self.objective.both(self.x)[1]
        multipliers = np.linalg.lstsq(matrix.T, -slope, rcond=None)[0]
        start = 0
        for c, held in active:
            weights = np.zeros(c.m)
            weights[held] = multipliers[start : start + held.sum()]
            start += int(held.sum())
            curved = c.curvature(self.x, weights)
            curvature += curved.toarray() if scipy.sparse.issparse(curved) else curved
        basis = scipy.linalg.null_space(matrix)
        if basis.shape[1] == 0:
            return np.zeros_like(curvature)
        reduced = basis.T @ curvature @ basis
        values, vectors = scipy.linalg.eigh(reduced)
        if values[0] <= len(values) * np.finfo(float).eps * abs(values[-1]):
            direction = basis @ vectors[:, 0]
            raise SingularHessianError(
                f"{self.caller}: the Hessian of the Lagrangian is not positive definite along the "
                f"constraints: {self.unknowns.combination(direction)} is not determined.",
                direction,
            )
        spread = basis @ vectors
        return (spread / values) @ spread.T

    def quantile(self, level: float) -> float:  # type: ignore[override]
        """Of the normal distribution."""
        return float(scipy.special.ndtri(0.5 + checked_level(level) / 2))

    def profile(self) -> Profile:
        """Twice the fall of the log-likelihood, against chi-squared with one degree of freedom."""
        objective = self.objective
        if self.constraints:
            raise ValueError(f"{self.caller}: profile_likelihood takes no constraints.")

        kept: dict = {}

        def solve(index: int, value: float, rest: np.ndarray) -> tuple[np.ndarray, float]:
            return minimum_along(objective, index, value, rest, self.bounds, kept)

        best = objective.value(self.x)
        deviance = lambda found: 2 * (found - best)  # noqa: E731
        return Profile(solve, deviance, lambda level: self.quantile(level) ** 2)


class Residuals(Problem):
    """A least-squares fit: residuals, weighted by their standard deviations or not."""

    def __init__(
        self,
        vector: Vector,
        x: np.ndarray,
        bounds: FlatBounds | None,
        absolute_sigma: bool = False,
        plain: bool = True,
    ) -> None:
        super().__init__(vector.unknowns, x, bounds)
        self.vector = vector
        self.caller = vector.caller
        self.absolute = absolute_sigma
        self.plain = plain  # a sum of squares, not a robust loss

    def _checked(self) -> None:
        if not self.plain:
            raise ValueError(
                f"{self.caller}: uncertainties are of sums of squares; got a robust loss; write "
                "the negative log-likelihood and use minimize."
            )
        self.check_inside()

    def variance(self, absolute_sigma: bool | None = None) -> float:
        """The residuals' variance: 1, or estimated from their size."""
        absolute = self.absolute if absolute_sigma is None else absolute_sigma
        if absolute:
            return 1.0
        residuals = self.vector.value(self.x)
        spare = residuals.size - self.x.size
        if spare <= 0:
            raise ValueError(
                f"{self.caller}: {residuals.size} residuals cannot tell the variance of the noise "
                f"beside {self.x.size} unknowns; scale them by known standard deviations and say "
                "absolute_sigma=True."
            )
        return float(residuals @ residuals / spare)

    def information(self, hessian: bool) -> np.ndarray:
        """J'J, or the whole Hessian of half the sum of squares."""
        matrix = self.vector.dense(self.x)
        made = matrix.T @ matrix
        if hessian:
            curved = self.vector.curvature(self.x, self.vector.value(self.x))
            made = made + (curved.toarray() if scipy.sparse.issparse(curved) else curved)
        return made

    def covariance(  # type: ignore[override]
        self, absolute_sigma: bool | None = None, hessian: bool = False
    ) -> np.ndarray:
        """s^2 (J'J)^-1, from the singular values of J, whose square is not formed."""
        self._checked()
        variance = self.variance(absolute_sigma)
        if hessian:
            return variance * self.invert(self.information(True), "Hessian")
        if "unscaled" not in self._kept:
            self._kept["unscaled"] = self._unscaled()
        return variance * self._kept["unscaled"]

    def _unscaled(self) -> np.ndarray:
        matrix = self.vector.dense(self.x)
        if not np.isfinite(matrix).all():
            raise ValueError(f"{self.caller}: the Jacobian at the solution is not finite.")
        scale = np.linalg.norm(matrix, axis=0)
        scale[scale == 0] = 1.0
        _, values, right = np.linalg.svd(matrix / scale, full_matrices=True)
        full = np.zeros(self.x.size)
        full[: len(values)] = values
        if full[-1] <= max(matrix.shape) * np.finfo(float).eps * full[0]:
            direction = right[-1] / scale
            direction = direction / np.linalg.norm(direction)
            raise SingularHessianError(
                f"{self.caller}: the Jacobian has dependent columns: the data do not determine the "
                f"combination {self.unknowns.combination(direction)}; fix one of these, or add "
                "data or a prior that does.",
                direction,
            )
        spread = (right / full[:, None]) / scale[None, :]
        return spread.T @ spread

    def quantile(  # type: ignore[override]
        self, level: float, absolute_sigma: bool | None = None, hessian: bool = False
    ) -> float:
        """Of Student's distribution where the variance is estimated, else of the normal one."""
        absolute = self.absolute if absolute_sigma is None else absolute_sigma
        tail = 0.5 + checked_level(level) / 2
        if absolute:
            return float(scipy.special.ndtri(tail))
        spare = self.vector.value(self.x).size - self.x.size
        return float(scipy.special.stdtrit(spare, tail))

    def profile(self) -> Profile:
        """(S(theta) - S(best)) / s^2, against F with 1 and m - n degrees of freedom."""
        self._checked()
        vector, variance = self.vector, self.variance()
        best = float(np.sum(vector.value(self.x) ** 2))
        half = Scalar(
            vector.caller.partition("(")[0],
            _named(lambda x, *n: 0.5 * np.sum(as_vector(vector.user(x, *n)) ** 2), vector.user),
            self.unknowns,
            tuple(vector.numbers),
            jit=vector.jit,
        )

        kept: dict = {}

        def solve(index: int, value: float, rest: np.ndarray) -> tuple[np.ndarray, float]:
            return minimum_along(half, index, value, rest, self.bounds, kept)

        deviance = lambda found: (2 * found - best) / variance  # noqa: E731
        return Profile(solve, deviance, lambda level: self.quantile(level) ** 2)


def _named(function: Callable, like: Callable) -> Callable:
    function.__name__ = name_of(like)
    return function


def checked_level(level: float) -> float:
    if not 0 < level < 1:
        raise ValueError(f"expected a confidence level between 0 and 1; got {level}; write 0.95.")
    return float(level)
