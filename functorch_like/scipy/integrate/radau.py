"""Radau IIA of order 5, implicit, for stiff problems; its Jacobian is the exact one.

The stages solve ``Z = h A F(t + c h, y + Z)``, by Newton's method with one factorisation a step; to
derivatives they are the root of that equation, so that nothing of Newton's method is
differentiated. Hairer and Wanner, *Solving ordinary differential equations II*, IV.8.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...control_flow import while_loop
from ...implicit import custom_root, solve_dense
from ...jacobians import jacfwd
from .stepping import Problem, State, Trial, constant, first, norm, scale

__all__ = ["Radau"]

ROOT = 6**0.5
C = np.array([(4 - ROOT) / 10, (4 + ROOT) / 10, 1.0])
# The polynomial through 0 and the stages: coefficients of x, x^2, x^3.
POLYNOMIAL = np.linalg.inv(C[:, None] ** np.arange(1, 4))
# Collocation: the integrals to c_i of the Lagrange polynomials of the nodes.
A = (C[:, None] ** np.arange(1, 4) / np.arange(1, 4)) @ np.linalg.inv(C[:, None] ** np.arange(3))
E = np.array([-13 - 7 * ROOT, -13 + 7 * ROOT, -1.0]) / 3
REAL = 3 + 3 ** (2 / 3) - 3 ** (1 / 3)  # the real eigenvalue of the inverse of A
ITERATIONS, LEAST, MOST = 6, 0.2, 10.0


class Radau:
    """Memory: the derivative at ``t``, and size and error of the step before, if any."""

    error_order = 3

    def begin(self, problem: Problem, t: Any, y: Any, f: Any) -> tuple[Any, Any]:
        """See ``Method``."""
        none = np.zeros_like(y)
        return (f, np.float64(0.0), np.float64(0.0)), (none, none, none)

    def step(self, problem: Problem, state: State, h: Any) -> Trial:
        """See ``Method``."""
        t, y, fun = state.t, state.y, problem.fun
        f, h_before, error_before = state.memory
        n = y.shape[0]
        jacobian = constant(jacfwd(lambda y: fun(constant(t), y))(constant(y)))
        size = constant(h)
        newton = np.linalg.inv(np.eye(3 * n) - size * _kron(A, jacobian))
        weights = scale(problem, constant(y))
        rtol = float(np.max(problem.rtol))
        goal = max(10 * np.finfo(float).eps / rtol, min(0.03, rtol**0.5))

        def residual(z: Any) -> Any:
            rates = np.stack([fun(t + float(C[i]) * h, y + z[i]) for i in range(3)])
            return z - h * (A @ rates)

        def solve(residual: Callable, guess: Any) -> Any:
            return _newton(residual, guess, newton, weights, goal)

        guess = constant(self._extrapolated(state, h)) - constant(y)
        z, (converged, count, rate) = custom_root(residual, guess, solve, solve_dense, has_aux=True)
        y_new = y + z[2]
        f_new = fun(t + h, y_new)
        z_plain = constant(z)
        smooth = np.linalg.inv((REAL / size) * np.eye(n) - jacobian)
        rough = (E @ z_plain) / size
        larger = np.maximum(np.abs(constant(y)), np.abs(constant(y_new)))
        weights = scale(problem, first(problem, larger))
        error = smooth @ (constant(f) + rough)
        wrong = norm(first(problem, error) / weights)
        # After a refused step, a second estimate, which knows that stiff parts are damped.
        again = smooth @ (constant(fun(constant(t), constant(y) + error)) + rough)
        second = norm(first(problem, again) / weights)
        wrong = np.where(state.rejected & (wrong > 1), second, wrong)
        safety = 0.9 * (2 * ITERATIONS + 1) / (2 * ITERATIONS + count)
        h_abs = np.abs(size)
        zero = wrong == 0
        known_before = (h_before > 0) & (error_before > 0) & ~zero
        ratio = np.where(known_before, error_before, 1.0) / np.where(zero, 1.0, wrong)
        multiplier = np.where(
            known_before, h_abs / np.where(known_before, h_before, 1.0) * ratio**0.25, 1.0
        )
        factor = safety * np.minimum(1.0, multiplier) * np.where(zero, 1.0, wrong) ** -0.25
        taken = np.where(zero, MOST, np.minimum(MOST, factor))
        slow = (count > 2) & (rate > 1e-3)
        return Trial(
            y=y_new,
            memory=(f_new, h_abs, wrong),
            dense=tuple(POLYNOMIAL[k] @ z for k in range(3)),
            error=np.where(converged, wrong, np.inf),
            taken=np.where(~slow & (taken < 1.2), 1.0, taken),
            refused=np.where(converged, np.where(factor > LEAST, factor, LEAST), 0.5),
            nfev=3 * count + 2,
        )

    def _extrapolated(self, state: State, h: Any) -> Any:
        """The solution before continued to the stages; before the first step it stands still."""
        rows = []
        for c in C:
            x = self._position(state, state.t + float(c) * h)
            rows.append(state.y_old + self._polynomial(state, x))
        return np.stack(rows)

    def _position(self, state: State, t: Any) -> Any:
        h = state.t - state.t_old
        return (t - state.t_old) / np.where(h == 0, 1.0, h)

    def _polynomial(self, state: State, x: Any) -> Any:
        q = state.dense
        return x * (q[0] + x * (q[1] + x * q[2]))

    def interpolate(self, problem: Problem, state: State, t: Any) -> Any:
        """See ``Method``."""
        return state.y_old + self._polynomial(state, self._position(state, t))


def _kron(a: np.ndarray, jacobian: Any) -> Any:
    """Kronecker's product of a 3 by 3 matrix and a Jacobian."""
    n = jacobian.shape[0]
    spread = a[:, None, :, None] * jacobian[None, :, None, :]
    return spread.reshape(3 * n, 3 * n)


def _newton(residual: Callable, guess: Any, inverse: Any, weights: Any, goal: float) -> Any:
    """Simplified Newton: the root, and whether it was reached, in how many steps, how fast."""
    n = guess.shape[1]

    def more(value: tuple) -> Any:
        _, _, count, _, converged, diverged = value
        return (count < ITERATIONS) & ~converged & ~diverged

    def step(value: tuple) -> tuple:
        z, before, count, _, _, _ = value
        change = (inverse @ residual(z).reshape(-1)).reshape(3, n)
        size = norm(change / weights)
        started = count > 0
        rate = np.where(started, size / np.where(started, before, 1.0), 0.0)
        left = np.maximum(1.0 - rate, 1e-300)
        diverged = started & (
            (rate >= 1) | (rate ** (ITERATIONS - count) / left * size > goal)
        ) | ~np.isfinite(size)
        converged = ((size == 0) | (started & (rate / left * size < goal))) & ~diverged
        return z - change, size, count + 1, rate, converged, diverged

    zero = np.float64(0.0)
    start = (guess, zero, np.int64(0), zero, np.bool_(False), np.bool_(False))
    z, _, count, rate, converged, _ = while_loop(more, step, start)
    return z, (converged, count, rate)
