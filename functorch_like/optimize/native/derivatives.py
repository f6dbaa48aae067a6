"""Solutions with their implicit derivatives: what was found, and the equation that it solves."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from ...batching import BatchTrace, vmap
from ...custom_rules import stop_gradient
from ...implicit import custom_root, solve_auto
from ...jit import jit
from ...primitives.core import Tracer, state
from ...reverse import grad, vjp
from .problem import Root, Solution, Variables
from .small_matrices import UNROLLED, back_substitution, is_regular, triangularise

__all__ = ["bracketed_root", "interval_minimum", "least_squares_minimum", "minimum", "root_of"]

# From so many problems at once on the loop of a solver is compiled, though nobody asked for it.
MANY_LANES = 16

Run = Callable[[Any], tuple[Any, tuple]]


# Trial points may lie outside of the function's domain, and the status tells of the start: NumPy's
# warnings would say nothing more.
_silent = np.errstate(all="ignore")


def _differentiable(variables: Variables, equation: Callable, run: Run, symmetric: bool) -> tuple:
    """What ``run`` finds from the start, ``x`` with the derivative that ``equation`` gives it."""

    def solve(_: Callable, start: Any) -> tuple[Any, tuple]:
        trace = state.trace
        if isinstance(trace, BatchTrace) and trace.size >= MANY_LANES and not trace.staged:
            # Lane after lane in the interpreter costs more than compiling the loop once.
            return jit(run)(start)
        return run(start)

    functools.update_wrapper(equation, variables.fun, updated=())
    tangent_solve: Callable = functools.partial(solve_auto, symmetric=symmetric)
    if variables.size <= UNROLLED:
        tangent_solve = functools.partial(_solve_small, variables)
    x, found = custom_root(equation, variables.start, solve, tangent_solve, has_aux=True)
    return x, tuple(value[()] for value in found)


def _solve_small(variables: Variables, g: Callable, y: Any) -> Any:
    """Solution of ``g(t) = y`` by an unrolled factorisation.

    An exception would take the other lanes of a batch with it: where the values are not known, a
    singular system has NaN for its solution.
    """
    unit = np.eye(variables.size, dtype=variables.dtype)
    triangle, q = triangularise(vmap(g)(unit).T, unit)
    product = np.sum(q * y, axis=1)  # y may be a tangent, in which all is to be linear
    regular = is_regular(triangle)
    if not isinstance(regular, Tracer) and not regular:
        raise np.linalg.LinAlgError(
            f"{variables.label}: expected a solution that is isolated, to differentiate it; got a "
            "singular matrix of second derivatives (for a root: a singular Jacobian) there; some "
            "combination of the unknowns is not determined: fix or penalise it."
        )
    return back_substitution(triangle, product) * np.where(regular, 1.0, np.nan).astype(y.dtype)


@_silent
def minimum(variables: Variables, run: Run) -> Solution:
    """A stationary point of the objective."""
    gradient = grad(variables.objective)
    x, found = _differentiable(variables, lambda x: gradient(x), run, symmetric=True)
    return Solution(variables.tree_of(x), variables.objective(x), *found)


@_silent
def least_squares_minimum(
    variables: Variables, run: Run, lower: Any = None, upper: Any = None
) -> Solution:
    """A stationary point of half the sum of squares, within bounds where there are any.

    With bounds it is a fixed point of a projected step along the gradient: unknowns that a bound
    holds move with the bound.
    """

    def normal(x: Any) -> Any:
        r, pullback = vjp(variables.residual, x)
        return pullback(r)[0]

    def projected(x: Any) -> Any:
        return _projected(x, normal(x), lower, upper)

    bounded = lower is not None
    x, found = _differentiable(
        variables, projected if bounded else normal, run, symmetric=not bounded
    )
    r = variables.residual(x)
    return Solution(variables.tree_of(x), 0.5 * np.sum(r * r), *found)


@_silent
def root_of(variables: Variables, run: Run) -> Root:
    """A zero of the residual, which has as many values as there are unknowns."""
    x, found = _differentiable(variables, lambda x: variables.residual(x), run, symmetric=False)
    solution = variables.tree_of(x)
    return Root(solution, variables.fun(solution, *variables.args), *found)


@_silent
def bracketed_root(variables: Variables, run: Run) -> Root:
    """A zero of a function of one number."""

    def equation(x: Any) -> Any:
        return variables.objective(x).reshape(1)

    x, found = _differentiable(variables, equation, run, symmetric=True)
    solution = variables.tree_of(x)
    return Root(solution, variables.objective(x), *found)


@_silent
def interval_minimum(variables: Variables, run: Run, lower: Any, upper: Any) -> Solution:
    """A minimum of a function of one number between two ends."""
    gradient = grad(variables.objective)

    def projected(x: Any) -> Any:
        return _projected(x, gradient(x), lower, upper)

    x, (iterations, evaluations, status) = _differentiable(
        variables, projected, run, symmetric=True
    )
    norm = np.max(np.abs(stop_gradient(gradient(x))))
    return Solution(
        variables.tree_of(x), variables.objective(x), norm, iterations, evaluations, status
    )


def _projected(x: Any, gradient: Any, lower: Any, upper: Any) -> Any:
    """What a step along the gradient changes, projected on the bounds: 0 at a minimum."""
    moved = x - gradient
    return x - np.where(moved <= lower, lower, np.where(moved >= upper, upper, moved))
