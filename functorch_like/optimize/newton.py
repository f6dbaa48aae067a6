"""Newton's method for equations: dense, sparse or matrix-free, with a line search.

J(x) p = -F(x), then x + t p with t halved, or interpolated, until ||F|| falls enough (J. E. Dennis
and R. B. Schnabel, Numerical Methods for Unconstrained Optimization and Nonlinear Equations, SIAM
1996, chapters 6 and 7; P. Deuflhard, Newton Methods for Nonlinear Problems, Springer 2004, chapter
3). Without a matrix the linear equations are solved by GMRES as far as they
help (S. C. Eisenstat and H. F. Walker, SIAM J. Sci. Comput. 17, 1996, choice 2).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg
import scipy.optimize
import scipy.sparse
import scipy.sparse.linalg

from .functions import Vector

__all__ = ["newton"]

SMALLEST_STEP = 1e-10


def newton(
    vector: Vector,
    start: np.ndarray,
    tol: float | None,
    iterated: Callable[[np.ndarray, np.ndarray], None],
    *,
    krylov: bool = False,
    fatol: float | None = None,
    xtol: float = 1e-12,
    maxiter: int = 100,
    inner_maxiter: int = 200,
    preconditioner: Any = None,
) -> scipy.optimize.OptimizeResult:
    """Solve F(x) = 0; the fields of SciPy's ``root``."""
    x = start.copy()
    values = vector.value(x)
    norm = float(np.max(np.abs(values)))
    relative = 1e-10 if tol is None else tol
    goal = float(relative * (1.0 + norm) if fatol is None else fatol)
    forcing, last = 0.5, np.linalg.norm(values)
    status, message = 2, "The maximum number of iterations was reached."
    steps = evaluations = 0
    for steps in range(maxiter + 1):
        norm = float(np.max(np.abs(values)))
        iterated(x, values)
        if norm <= goal:
            status, message = 1, "The solution converged."
            break
        if steps == maxiter:
            break
        if krylov:
            size = np.linalg.norm(values)
            if steps:
                wanted = 0.9 * (size / last) ** 2
                safe = 0.9 * forcing**2
                floor = max(safe if safe > 0.1 else 0.0, 0.5 * goal / norm)
                forcing = float(np.clip(wanted, floor, 0.9))
            last = size
            step = _krylov_step(vector, x, values, forcing, inner_maxiter, preconditioner)
            again = None
        else:
            step, again = _direct_step(vector, x, values)
        taken, x_new, values_new, tried = _search(vector, x, values, step, again)
        evaluations += tried
        if not taken:
            status = 5
            message = (
                "No progress: the norm of the equations has a local minimum that is no root, or "
                f"the Jacobian is singular (smallest step {SMALLEST_STEP:g}); start elsewhere."
            )
            break
        small = np.max(np.abs(x_new - x) / (1.0 + np.abs(x_new))) <= xtol
        x, values = x_new, values_new
        if small and np.max(np.abs(values)) <= max(goal, 1e-8 * (1.0 + np.max(np.abs(x)))):
            steps += 1
            iterated(x, values)
            status, message = 1, "The solution converged: steps are at the level of rounding."
            break
    return scipy.optimize.OptimizeResult(
        x=x,
        fun=values,
        success=status == 1,
        status=status,
        message=message,
        nit=steps,
        nfev=evaluations + 1,
        method="krylov" if krylov else "newton",
    )


Solve = Callable[[np.ndarray], np.ndarray]


def _direct_step(
    vector: Vector, x: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, Solve | None]:
    """-J^-1 F and J^-1; where J is singular the shortest step that reduces F most, and None."""
    matrix = vector.jacobian(x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            solve: Solve
            if scipy.sparse.issparse(matrix):
                solve = scipy.sparse.linalg.splu(scipy.sparse.csc_array(matrix)).solve
            else:
                factors = scipy.linalg.lu_factor(matrix)
                solve = lambda b: scipy.linalg.lu_solve(factors, b)  # noqa: E731
            step = solve(-values)
        except (RuntimeError, Warning, np.linalg.LinAlgError):
            step = np.full(x.size, np.nan)
    if np.isfinite(step).all():
        return np.asarray(step), solve
    if scipy.sparse.issparse(matrix):
        return np.asarray(scipy.sparse.linalg.lsmr(matrix, -values)[0]), None
    return np.asarray(np.linalg.lstsq(matrix, -values, rcond=None)[0]), None


def _krylov_step(
    vector: Vector,
    x: np.ndarray,
    values: np.ndarray,
    forcing: float,
    inner_maxiter: int,
    preconditioner: Any,
) -> np.ndarray:
    step, _ = scipy.sparse.linalg.gmres(
        vector.operator(x),
        -values,
        rtol=forcing,
        restart=min(inner_maxiter, 60, x.size),
        maxiter=max(1, inner_maxiter // 60),
        M=preconditioner,
    )
    return np.asarray(step)


def _search(
    vector: Vector, x: np.ndarray, values: np.ndarray, step: np.ndarray, again: Solve | None
) -> tuple[bool, np.ndarray, np.ndarray, int]:
    """Whether a step makes enough progress, and where it leads.

    Progress is a smaller sum of squares or, where that would depend on how the equations are
    scaled, a smaller next step with the same matrix: Deuflhard's natural monotonicity.
    """
    half = 0.5 * float(values @ values)
    length, tried = 1.0, 0
    while length > SMALLEST_STEP:
        there = x + length * step
        new = vector.value(there)
        tried += 1
        with np.errstate(over="ignore", invalid="ignore"):
            value = 0.5 * float(new @ new)
        if np.isfinite(value) and value <= (1 - 2e-4 * length) * half:
            return True, there, new, tried
        if again is not None and np.isfinite(value):
            next_step = again(-new)
            if np.linalg.norm(next_step) <= (1 - length / 4) * np.linalg.norm(step):
                return True, there, new, tried
        if np.isfinite(value):  # the minimum of the parabola through what is known
            length = length * min(0.5, max(0.1, half * length / (value - half + 2 * half * length)))
        else:
            length *= 0.1
    return False, x, values, tried
