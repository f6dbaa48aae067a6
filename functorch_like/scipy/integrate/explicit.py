"""Explicit Runge-Kutta methods: RK23, RK45 and DOP853, with the coefficients of SciPy's classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from .stepping import Problem, State, Trial, constant, first, scale

__all__ = ["DormandPrince853", "RungeKutta"]

SAFETY, LEAST, MOST = 0.9, 0.2, 10.0


def combine(coefficients: Any, stages: Any) -> Any:
    """The linear combination of stages, without those whose coefficient is zero."""
    total: Any = None
    for c, k in zip(coefficients, stages, strict=False):
        if c != 0:
            term = k if c == 1 else float(c) * k
            total = term if total is None else total + term
    return np.zeros_like(stages[0]) if total is None else total


class RungeKutta:
    """An embedded pair; ``source`` is SciPy's class, whose public attributes are its tableau.

    Memory is the derivative at ``t``; dense output are the stages of the step.
    """

    def __init__(self, source: Any) -> None:
        self.source = source
        self.error_order = source.error_estimator_order
        self.a = [row[:s] for s, row in enumerate(source.A)]
        self.b, self.c, self.stages = source.B, source.C, source.n_stages

    def begin(self, problem: Problem, t: Any, y: Any, f: Any) -> tuple[Any, Any]:
        """See ``Method``."""
        return (f,), (np.zeros_like(f),) * (self.stages + 1)

    def step(self, problem: Problem, state: State, h: Any) -> Trial:
        """See ``Method``."""
        t, y = state.t, state.y
        k = [state.memory[0]]
        for s in range(1, self.stages):
            k.append(problem.fun(t + float(self.c[s]) * h, y + h * combine(self.a[s], k)))
        y_new = y + h * combine(self.b, k)
        k.append(problem.fun(t + h, y_new))
        larger = np.maximum(np.abs(constant(y)), np.abs(constant(y_new)))
        weights = scale(problem, first(problem, larger))
        flat = [first(problem, constant(x)) for x in k]
        error = self.error(flat, constant(h), weights)
        zero = error == 0
        power = SAFETY * np.where(zero, 1.0, error) ** (-1.0 / (self.error_order + 1))
        return Trial(
            y=y_new,
            memory=(k[-1],),
            dense=tuple(k),
            error=error,
            taken=np.where(zero, MOST, np.minimum(MOST, power)),
            refused=np.where(power > LEAST, power, LEAST),  # also where it is NaN
            nfev=self.stages,
        )

    def error(self, k: list, h: Any, weights: Any) -> Any:
        """Norm of the error relative to ``weights``."""
        x = combine(self.source.E, k) * h / weights
        return np.sqrt(np.mean(np.abs(x) ** 2))

    def interpolate(self, problem: Problem, state: State, t: Any) -> Any:
        """See ``Method``."""
        h = state.t - state.t_old
        x = (t - state.t_old) / np.where(h == 0, 1.0, h)
        power, total = x, None
        for column in self.source.P.T:
            term = power * combine(column, state.dense)
            total = term if total is None else total + term
            power = power * x
        return state.y_old + h * total


class DormandPrince853(RungeKutta):
    """The pair of order 8 with two error estimates, and its interpolant of order 7.

    The interpolant takes three more stages, which are made where it is used.
    """

    def error(self, k: list, h: Any, weights: Any) -> Any:
        """Norm of the error relative to ``weights``."""
        fifth = np.sum(np.abs(combine(self.source.E5, k) / weights) ** 2)
        third = np.sum(np.abs(combine(self.source.E3, k) / weights) ** 2)
        total = fifth + 0.01 * third
        size = np.sqrt(np.where(total > 0, total, 1.0) * weights.shape[0])
        return np.abs(h) * fifth / size

    def interpolate(self, problem: Problem, state: State, t: Any) -> Any:
        """See ``Method``."""
        h = state.t - state.t_old
        k = list(state.dense)
        source = self.source
        for row, c in zip(source.A_EXTRA, source.C_EXTRA, strict=True):
            at = state.t_old + float(c) * h
            k.append(problem.fun(at, state.y_old + h * combine(row, k)))
        change = state.y - state.y_old
        f_old, f_new = k[0], k[self.stages]
        parts = [change, h * f_old - change, 2 * change - h * (f_new + f_old)]
        parts += [h * combine(row, k) for row in source.D]
        x = (t - state.t_old) / np.where(h == 0, 1.0, h)
        total = np.zeros_like(change)
        for i, part in enumerate(reversed(parts)):
            total = (total + part) * (x if i % 2 == 0 else 1 - x)
        return state.y_old + total
