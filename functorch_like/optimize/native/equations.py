"""Roots of systems of equations: Newton's method with a line search, and Broyden's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ...control_flow import cond, while_loop
from ...errors import boundary
from ...jacobians import jacfwd
from .derivatives import root_of
from .line_search import DIVERGED
from .problem import (
    RUNNING,
    Limits,
    Root,
    Status,
    Variables,
    decide,
    finite,
    largest,
    length_of,
    unmoved,
)
from .small_matrices import back_substitution, damped_step, is_regular, triangularise

__all__ = ["broyden", "newton_root"]

SUFFICIENT = 1e-4  # of the decrease that the linear model promises
SLOW, PATIENCE = 0.98, 30  # so many steps in a row that leave more of the norm than this: stalled


@boundary
def newton_root(
    fun: Callable,
    x0: Any,
    args: Any = (),
    *,
    tol: float | None = None,
    xtol: float | None = None,
    max_iterations: int | None = None,
) -> Root:
    """Solve as many equations as unknowns by Newton's method with a line search.

    Steps are shortened until the norm of ``fun`` decreases (J. Dennis and R. Schnabel, *Numerical
    Methods for Unconstrained Optimization and Nonlinear Equations*, 1983, section 6.5); where the
    Jacobian is singular, or nearly, the step is that of Levenberg and Marquardt. Compiled by
    ``jit`` it is one native loop; under ``vmap`` each lane takes its own number of iterations.

    Parameters
    ----------
    fun
        ``fun(x, *args)``: real arrays, as many numbers as ``x`` has. It may be infinite or NaN away
        from ``x0``: steps that lead there are shortened.
    x0
        Where to start: a pytree of real arrays.
    args
        Further arguments, a tuple of pytrees. The root is differentiable in them, and in whatever
        ``fun`` closes over: dx/da = -(df/dx)^-1 df/da.
    tol
        Stop when no equation is further from zero; by default the precision to the power 3/4,
        1.8e-12 in float64.
    xtol
        Stop when a full step changes no unknown by more than this share; by default the precision.
    max_iterations
        By default 100 times the number of unknowns, and 100 more.

    Returns
    -------
    Root
        ``x`` is structured like ``x0``, ``fun`` like what ``fun`` returns. The status ``STALLED``
        mostly means a minimum of the norm that is no root.

    Raises
    ------
    TypeError
        Unknowns or equations that are not real.
    ValueError
        Numbers of unknowns and equations that differ, options out of range.

    Examples
    --------
    >>> import numpy as np, functorch_like as ft
    >>> def meeting(p, radius):
    ...     return p["x"] ** 2 + p["y"] ** 2 - radius**2, p["x"] * p["y"] - 1.0
    >>> def crossing(radius):
    ...     return ft.optimize.newton_root(meeting, {"x": 2.0, "y": 0.0}, (radius,)).x["x"]
    >>> round(float(crossing(2.0)), 6), round(float(ft.grad(crossing)(2.0)), 6)
    (1.931852, 1.115355)
    """
    variables = Variables("newton_root", fun, x0, args)
    limits = _limits(variables, tol, xtol, max_iterations)

    def run(start: Any) -> tuple[Any, Any]:
        s = _newton(variables, start, limits)
        return s.x, (s.iterations, s.evaluations, s.status)

    return root_of(variables, run)


@boundary
def broyden(
    fun: Callable,
    x0: Any,
    args: Any = (),
    *,
    tol: float | None = None,
    xtol: float | None = None,
    max_iterations: int | None = None,
) -> Root:
    """Solve as many equations as unknowns by Broyden's method, with few Jacobians.

    The first Jacobian is exact; its inverse is then updated from the steps (C. Broyden, *A class of
    methods for solving nonlinear simultaneous equations*, Math. Comp. 19, 1965, the first of the
    two), and made anew where a step does not decrease the norm of ``fun``. The parameters, the
    result and its derivatives are those of ``newton_root``.

    Examples
    --------
    >>> import numpy as np, functorch_like as ft
    >>> def kepler(anomaly, mean):
    ...     return anomaly - 0.3 * np.sin(anomaly) - mean
    >>> means = np.linspace(0.0, 3.0, 5)
    >>> ft.vmap(lambda m: ft.optimize.broyden(kepler, m, (m,)).x)(means).round(6)
    array([0.      , 1.002912, 1.792648, 2.442953, 3.032625])
    """
    variables = Variables("broyden", fun, x0, args)
    limits = _limits(variables, tol, xtol, max_iterations)

    def run(start: Any) -> tuple[Any, Any]:
        s = _broyden(variables, start, limits)
        return s.x, (s.iterations, s.evaluations, s.status)

    return root_of(variables, run)


def _limits(
    variables: Variables, tol: float | None, xtol: float | None, most: int | None
) -> Limits:
    eps = variables.eps
    return Limits.of(
        variables.label, (tol, eps**0.75), (None, 0.0), (xtol, eps),
        (most, 100 * (variables.size + 1)),
    )  # fmt: skip


def _values(variables: Variables) -> Callable:
    """The equations as a vector, checked to be as many as the unknowns."""

    def values(x: Any) -> Any:
        made = variables.residual(x)
        if made.shape[0] != variables.size:
            raise ValueError(
                f"{variables.label}: expected as many equations as unknowns, {variables.size}; got "
                f"{made.shape[0]}; use levenberg_marquardt where they differ."
            )
        return made

    return values


class _State(NamedTuple):
    x: Any
    values: Any
    matrix: Any  # Newton: nothing; Broyden: the approximate inverse
    direction: Any
    share: Any  # of the step that is tried
    fresh: Any  # whether the direction comes from an exact Jacobian
    regular: Any  # whether the last exact Jacobian was
    slow: Any  # steps in a row with little decrease
    iterations: Any
    evaluations: Any
    status: Any


def _exact(values: Callable, x: Any) -> tuple[Any, Any]:
    """Values and Jacobian."""

    def twice(x: Any) -> tuple[Any, Any]:
        r = values(x)
        return r, r

    matrix, r = jacfwd(twice, has_aux=True)(x)
    return r, matrix


def _newton_step(matrix: Any, r: Any, eps: float) -> tuple[Any, Any]:
    """Newton's step, and True; or a damped one where the matrix is singular to rounding."""
    triangle, product = triangularise(matrix, r)
    singular = ~is_regular(triangle)
    lengths = np.sqrt(np.sum(triangle * triangle, axis=0))
    scale = np.where(lengths > 0, lengths, 1.0).astype(triangle.dtype)
    step = cond(
        singular,
        lambda t, p, d: damped_step(t, p, np.asarray(eps**0.5, t.dtype), d),
        lambda t, p, d: -back_substitution(t, p),
        triangle,
        product,
        scale,
    )
    return step, ~singular


def _verdict(
    s: _State, taken: Any, x: Any, r: Any, iterations: Any, limits: Limits, ended: Any
) -> Any:
    short = unmoved(s.share * s.direction, s.x, limits.xtol)
    return decide(
        RUNNING,
        (np.logical_and(taken, largest(r) <= limits.tol), Status.GRADIENT),
        (short & s.fresh & s.regular & (s.share == 1), Status.STEP),
        (np.logical_and(taken, length_of(x) > DIVERGED), Status.UNBOUNDED),
        (np.logical_or(ended, s.slow >= PATIENCE), Status.STALLED),
        (iterations >= limits.iterations, Status.MAX_ITERATIONS),
    )


def _decreased(s: _State, r: Any) -> Any:
    before, after = np.sum(s.values * s.values), np.sum(r * r)
    return np.logical_and(finite(r), after <= (1.0 - 2.0 * SUFFICIENT * s.share) * before)


def _slow(s: _State, taken: Any, r: Any) -> Any:
    little = np.sum(r * r) > SLOW**2 * np.sum(s.values * s.values)
    return np.where(taken, np.where(little, s.slow + 1, np.int64(0)), s.slow)


def _shorter(s: _State, r: Any) -> Any:
    """The next share: the parabola through the norm's square, its slope and the trial."""
    before, after = np.sum(s.values * s.values), np.sum(r * r)
    usable = np.logical_and(finite(r), np.isfinite(after))
    bent = np.where(usable, after - before + 2.0 * s.share * before, before)
    found = np.where(usable, s.share * before / bent, 0.1)
    return (s.share * np.clip(found, 0.1, 0.5)).astype(r.dtype)


def _newton(variables: Variables, start: Any, limits: Limits) -> _State:
    """A trial a turn: a full step, or a shorter one of the same direction."""
    values = _values(variables)
    eps = variables.eps
    one = np.ones((), variables.dtype)

    def trial(s: _State) -> _State:
        x = s.x + s.share * s.direction
        r, matrix = _exact(values, x)
        taken = np.logical_and(_decreased(s, r), finite(matrix))
        direction, regular = cond(
            taken, lambda m, r, old: _newton_step(m, r, eps), lambda m, r, old: old,
            matrix, r, (s.direction, s.regular),
        )  # fmt: skip
        iterations = s.iterations + taken
        lost = np.logical_or(
            unmoved(s.share * s.direction, s.x, eps), ~np.isfinite(length_of(s.direction))
        )
        return _State(
            x=np.where(taken, x, s.x),
            values=np.where(taken, r, s.values),
            matrix=(),
            direction=direction,
            share=np.where(taken, one, _shorter(s, r)),
            fresh=np.bool_(True),
            regular=regular,
            slow=_slow(s, taken, r),
            iterations=iterations,
            evaluations=s.evaluations + 1,
            status=_verdict(s, taken, x, r, iterations, limits, lost),
        )

    r, matrix = _exact(values, start)
    direction, regular = _newton_step(matrix, r, eps)
    state = _State(
        x=start,
        values=r,
        matrix=(),
        direction=direction,
        share=one,
        fresh=np.bool_(True),
        regular=regular,
        slow=np.int64(0),
        iterations=np.int64(0),
        evaluations=np.int64(1),
        status=limits.begin(finite(start, r, matrix), largest(r)),
    )
    return while_loop(lambda s: s.status == RUNNING, trial, state)


def _broyden(variables: Variables, start: Any, limits: Limits) -> _State:
    """A trial a turn; three trials of an approximate direction, then an exact Jacobian."""
    values = _values(variables)
    eps = variables.eps
    one = np.ones((), variables.dtype)

    def inverse(x: Any) -> tuple[Any, Any, Any]:
        """The Jacobian's inverse, damped where it is singular, whether not, and the values."""
        r, matrix = _exact(values, x)
        return *_newton_step(matrix, -np.eye(variables.size, dtype=r.dtype), eps), r

    def trial(s: _State) -> _State:
        step = s.share * s.direction
        x = s.x + step
        r = values(x)
        taken = _decreased(s, r)
        image = np.sum(s.matrix * (r - s.values), axis=1)
        weight = np.sum(step * image)
        # An update that makes the matrix singular is left out.
        size = length_of(step) * length_of(image)
        update = np.logical_and(taken, np.abs(weight) > 1e-8 * size)
        row = np.sum(step[:, None] * s.matrix, axis=0)
        safe = np.where(update, weight, one)
        moved = s.matrix + ((step - image) / safe)[:, None] * row
        matrix = np.where(update, moved, s.matrix)
        # What an exact Jacobian does not achieve in shorter and shorter steps is not to be had.
        poor = np.logical_and(np.logical_and(~taken, ~s.fresh), s.share < 0.2)
        matrix, regular = cond(
            poor, lambda x, old: inverse(x)[:2], lambda x, old: old, s.x, (matrix, s.regular)
        )
        now = np.where(taken, r, s.values)
        anew = np.logical_or(taken, poor)
        iterations = s.iterations + taken
        lost = np.logical_and(s.fresh, unmoved(step, s.x, eps))
        return _State(
            x=np.where(taken, x, s.x),
            values=now,
            matrix=matrix,
            direction=np.where(anew, -np.sum(matrix * now, axis=1), s.direction),
            share=np.where(anew, one, _shorter(s, r)),
            fresh=np.logical_or(poor, np.logical_and(s.fresh, ~taken)),
            regular=regular,
            slow=_slow(s, taken, r),
            iterations=iterations,
            evaluations=s.evaluations + 1,
            status=_verdict(s, taken, x, r, iterations, limits, lost),
        )

    matrix, regular, r = inverse(start)
    state = _State(
        x=start,
        values=r,
        matrix=matrix,
        direction=-np.sum(matrix * r, axis=1),
        share=one,
        fresh=np.bool_(True),
        regular=regular,
        slow=np.int64(0),
        iterations=np.int64(0),
        evaluations=np.int64(1),
        status=limits.begin(finite(start, r, matrix), largest(r)),
    )
    return while_loop(lambda s: s.status == RUNNING, trial, state)
