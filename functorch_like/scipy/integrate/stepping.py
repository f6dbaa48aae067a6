"""The loop of an adaptive integrator: steps that are tried, taken or tried again.

A ``State`` is the carry of the loop, a *method* makes one trial step of it. The step sizes are
constants to derivatives, except that the last one ends at the bound: what is differentiated is
the numerical solution on its own steps. The same code runs eagerly, where ``while_loop`` is
Python's, and staged, where it becomes one native loop; lanes of a batch take their own steps.

The controller is that of scipy.integrate, so that the steps are: Hairer, Norsett and Wanner,
*Solving ordinary differential equations I*, II.4.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np

from ...control_flow import scan, while_loop
from ...primitives.core import Tracer
from ...primitives.stopping import stop_gradient

__all__ = [
    "FAILED",
    "FINISHED",
    "RUNNING",
    "Method",
    "Problem",
    "State",
    "Trial",
    "advance",
    "constant",
    "norm",
    "sample",
    "start",
]

RUNNING, FINISHED, FAILED = 0, 1, -1
EPSILON = float(np.finfo(np.float64).eps)


class Problem(NamedTuple):
    """What is integrated, and how exactly."""

    fun: Callable  # fun(t, y) -> dy, vectors (n,)
    end: Any  # the last time
    direction: Any  # +1.0 or -1.0
    rtol: Any
    atol: Any
    max_step: float
    first_step: float | None
    counted: int | None  # so many of the first components count in the norm of errors


class State(NamedTuple):
    """Where an integration stands; ``dense`` describes the solution from ``t_old`` to ``t``."""

    t: Any
    y: Any
    h_abs: Any  # the step to try next
    rejected: Any  # whether the last trial was
    t_old: Any
    y_old: Any
    memory: Any  # what the method keeps from step to step
    dense: Any
    nfev: Any
    status: Any


class Trial(NamedTuple):
    """A step that a method made, to be taken or not."""

    y: Any
    memory: Any
    dense: Any
    error: Any  # relative to the tolerance, a constant
    taken: Any  # factors for the step size if it is taken, or not
    refused: Any
    nfev: Any


class Method(Protocol):
    """An integration formula."""

    error_order: int

    def begin(self, problem: Problem, t: Any, y: Any, f: Any) -> tuple[Any, Any]:
        """Memory and dense output before the first step."""

    def step(self, problem: Problem, state: State, h: Any) -> Trial:
        """A trial step of size ``h``."""

    def interpolate(self, problem: Problem, state: State, t: Any) -> Any:
        """The solution at a time between ``state.t_old`` and ``state.t``."""


def constant(x: Any) -> Any:
    """A value without derivative."""
    return stop_gradient(x) if isinstance(x, Tracer) else x


def norm(x: Any) -> Any:
    """Root mean square."""
    return np.sqrt(np.mean(np.abs(x) ** 2))


def first(problem: Problem, x: Any) -> Any:
    """The components whose errors count."""
    return x if problem.counted is None else x[: problem.counted]


def scale(problem: Problem, y: Any) -> Any:
    """What an error of 1 means."""
    return problem.atol + np.abs(y) * problem.rtol


def start(problem: Problem, method: Method, t0: Any, y0: Any) -> State:
    """The state before the first step."""
    f0 = problem.fun(t0, y0)
    if problem.first_step is None:
        h_abs, count = _initial_step(problem, method, constant(t0), constant(y0), constant(f0)), 2
    else:
        h_abs, count = np.float64(problem.first_step), 1
    memory, dense = method.begin(problem, t0, y0, f0)
    status = np.where(problem.direction * (problem.end - t0) <= 0, FINISHED, RUNNING)
    return State(t0, y0, h_abs, np.bool_(False), t0, y0, memory, dense, np.int64(count), status)


def _initial_step(problem: Problem, method: Method, t0: Any, y0: Any, f0: Any) -> Any:
    """A first step by the sizes of y, y' and y''."""
    length = np.abs(constant(problem.end) - t0)
    weights = scale(problem, first(problem, y0))
    d0 = norm(first(problem, y0) / weights)
    d1 = norm(first(problem, f0) / weights)
    tiny = (d0 < 1e-5) | (d1 < 1e-5)
    h0 = np.minimum(np.where(tiny, 1e-6, 0.01 * d0 / np.where(tiny, 1.0, d1)), length)
    f1 = constant(problem.fun(t0 + h0 * problem.direction, y0 + h0 * problem.direction * f0))
    d2 = norm(first(problem, f1 - f0) / weights) / np.where(h0 > 0, h0, 1.0)
    most = np.maximum(d1, d2)
    flat = most <= 1e-15
    power = 1.0 / (method.error_order + 1)
    h1 = np.where(flat, np.maximum(1e-6, h0 * 1e-3), (0.01 / np.where(flat, 1.0, most)) ** power)
    return np.minimum(np.minimum(100 * h0, h1), np.minimum(length, problem.max_step))


def attempt(problem: Problem, method: Method, state: State) -> State:
    """Try one step."""
    t = constant(state.t)
    direction = problem.direction
    # Ten times the distance to the next number, or up to twice that.
    least = np.maximum(10 * EPSILON * np.abs(t), 1e-322)
    too_small = state.rejected & ~(state.h_abs >= least)  # also where it is NaN
    h_abs = np.where(
        state.rejected,
        state.h_abs,
        np.minimum(np.maximum(state.h_abs, least), problem.max_step),
    )
    t_new = state.t + h_abs * direction
    past = direction * (t_new - problem.end) > 0
    t_new = np.where(past, problem.end, t_new)
    h = t_new - state.t
    trial = method.step(problem, state, h)
    taken = (trial.error < 1) & ~too_small
    factor = np.where(
        taken,
        np.where(state.rejected, np.minimum(1.0, trial.taken), trial.taken),
        trial.refused,
    )
    ended = direction * (constant(t_new) - constant(problem.end)) >= 0

    def choose(new: Any, old: Any) -> Any:
        return np.where(taken, new, old)

    return State(
        t=choose(t_new, state.t),
        y=choose(trial.y, state.y),
        h_abs=constant(np.abs(h)) * factor,
        rejected=~taken,
        t_old=choose(state.t, state.t_old),
        y_old=choose(state.y, state.y_old),
        memory=tuple(map(choose, trial.memory, state.memory)),
        dense=tuple(map(choose, trial.dense, state.dense)),
        nfev=state.nfev + trial.nfev,
        status=np.where(too_small, FAILED, np.where(taken & ended, FINISHED, RUNNING)),
    )


def advance(problem: Problem, method: Method, state: State, until: Callable) -> State:
    """Take steps until ``until(state)`` holds, the end is reached or the steps get too small."""
    return while_loop(
        lambda s: (s.status == RUNNING) & ~until(s),
        lambda s: attempt(problem, method, s),
        state,
    )


def sample(problem: Problem, method: Method, state: State, times: Any) -> tuple[State, Any]:
    """The state after the last of ``times``, and the solution at them, (m, n)."""

    def to(state: State, t: Any) -> tuple[State, Any]:
        reached = constant(t)

        def passed(s: State) -> Any:
            return problem.direction * (constant(s.t) - reached) >= 0

        state = advance(problem, method, state, passed)
        y = method.interpolate(problem, state, t)
        # Never reached: the steps got too small before. Or a time out of order, or before t0.
        ahead = problem.direction * (reached - constant(state.t_old)) >= 0
        return state, np.where(passed(state) & ahead, y, np.nan)

    return scan(to, state, times)
