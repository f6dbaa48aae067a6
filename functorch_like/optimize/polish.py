"""Newton steps on a least-squares solution, down to the level of rounding.

A solver that compares sums of squares cannot tell points apart whose parameters agree to half of
the digits; the exact gradient can. With J = Q R, columns scaled, and S the sum of residuals times
their Hessians, Newton's step is -R^-1 (I + R^-T S R^-1)^-1 Q' r, which never forms J' J.
"""

from __future__ import annotations

import numpy as np
import scipy.linalg
import scipy.sparse

from .functions import Vector

__all__ = ["polish"]

STEPS = 40
# Sums of squares that differ by less than this are equal: rounding decides between them.
SAME = 1e-10


def polish(vector: Vector, x: np.ndarray) -> tuple[np.ndarray, int]:
    """The point after Newton steps while the projected residuals shrink; how many were tried."""
    best, tried = x, 0
    residuals = vector.value(x)
    cost, found = float(residuals @ residuals), _newton_step(vector, x, residuals)
    while found is not None and tried < STEPS:
        step, size = found
        length = 1.0
        while length > 1e-3 and tried < STEPS:
            trial = best + length * step
            residuals = vector.value(trial)
            tried += 1
            with np.errstate(over="ignore", invalid="ignore"):
                now = float(residuals @ residuals)
            if now <= cost * (1 + SAME):
                break
            length /= 4
        else:
            break
        found = _newton_step(vector, trial, residuals)
        settled = now >= cost * (1 - SAME)
        if settled and (found is None or found[1] >= size):
            break  # neither the sum of squares nor the gradient falls any more
        best, cost = trial, now
        if found is not None and np.all(np.abs(found[0]) <= 1e-16 * np.abs(best)):
            break
    return best, tried


def _newton_step(
    vector: Vector, x: np.ndarray, residuals: np.ndarray
) -> tuple[np.ndarray, float] | None:
    """Newton's step and the norm of Q' r, or None where there is no such step downhill."""
    matrix = vector.dense(x)
    scale = np.linalg.norm(matrix, axis=0)
    if not np.isfinite(scale).all() or not scale.all() or not np.isfinite(residuals).all():
        return None
    q, r = np.linalg.qr(matrix / scale)
    projected = q.T @ residuals
    curved = vector.curvature(x, residuals)
    curved = curved.toarray() if scipy.sparse.issparse(curved) else np.asarray(curved)
    try:
        half = scipy.linalg.solve_triangular(r, curved / scale / scale[:, None], trans="T")
        whole = scipy.linalg.solve_triangular(r, half.T, trans="T")
        inner = scipy.linalg.solve(
            np.eye(x.size) + 0.5 * (whole + whole.T), projected, assume_a="pos"
        )
        step = -scipy.linalg.solve_triangular(r, inner) / scale
    except (np.linalg.LinAlgError, ValueError):
        return None
    return (step, float(np.linalg.norm(projected))) if np.isfinite(step).all() else None
