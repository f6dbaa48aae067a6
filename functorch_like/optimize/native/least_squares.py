"""Nonlinear least squares: Levenberg and Marquardt's method, and Gauss and Newton's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ...control_flow import while_loop
from ...errors import boundary
from ...jacobians import jacfwd
from .derivatives import least_squares_minimum
from .line_search import DIVERGED, ROUNDING
from .problem import (
    RUNNING,
    Limits,
    Solution,
    Status,
    Variables,
    decide,
    finite,
    largest,
    length_of,
    unmoved,
)
from .small_matrices import back_substitution, damped_step, triangularise

__all__ = ["gauss_newton", "levenberg_marquardt"]

ACCEPTED = 1e-4  # share of the predicted decrease at which a step is taken
EASED = 1.0 / 3.0  # of the damping is left, at least, after a good step


@boundary
def levenberg_marquardt(
    fun: Callable,
    x0: Any,
    args: Any = (),
    *,
    bounds: tuple | None = None,
    tol: float | None = None,
    ftol: float | None = None,
    xtol: float | None = None,
    max_iterations: int | None = None,
    damping: float = 1e-3,
) -> Solution:
    """Minimise half the sum of squares of residuals by Levenberg and Marquardt's method.

    Each step minimises ``|J p + r|^2 + mu |D p|^2``, with ``D`` the largest norms that the
    columns of ``J`` had so far, so that units do not matter (J. More, *The Levenberg-Marquardt
    algorithm: implementation and theory*, 1978), by orthogonal factorisations; ``mu`` follows H.
    Nielsen (*Damping parameter in Marquardt's method*, 1999). Compiled by ``jit`` it is one native
    loop; under ``vmap`` each lane takes its own number of iterations.

    Parameters
    ----------
    fun
        ``fun(x, *args)``, the residuals: a real array, or a pytree of them. They may be infinite or
        NaN away from ``x0``: steps that lead there are shortened.
    x0
        Where to start: a pytree of real arrays.
    args
        Further arguments, a tuple of pytrees. The solution is differentiable in them, and in
        whatever ``fun`` closes over.
    bounds
        ``(lower, upper)``, each like ``x0``, a single number or None; ``x0`` is moved within.
    tol
        Stop when no column of ``J`` has a larger cosine with the residuals. This and the next two
        are MINPACK's; by default the square root of the precision, 1.5e-8 in float64.
    ftol
        Stop when a step decreases the sum of squares, and was expected to, by at most this share;
        by default the precision to the power 3/4, 1.8e-12 in float64.
    xtol
        Stop when a step is at most ``xtol`` times as long as ``x``, both scaled by ``D``; by
        default the square root of the precision.
    max_iterations
        By default 200 times the number of unknowns, and 200 more.
    damping
        The first ``mu``.

    Returns
    -------
    Solution
        ``x`` is structured like ``x0``; ``fun`` is half the sum of squares, and ``gradient_norm``
        belongs to it. Derivatives are those of the exact minimum, with the second derivatives of
        the residuals.

    Raises
    ------
    TypeError
        Unknowns or residuals that are not real, bounds of another structure.
    ValueError
        No unknowns or residuals, bounds of another shape, options out of range.

    Examples
    --------
    >>> import numpy as np, functorch_like as ft
    >>> t = np.linspace(0, 4, 20)
    >>> def misfit(p, y):
    ...     return p["height"] * np.exp(-p["rate"] * t) + p["floor"] - y
    >>> fit = lambda y: ft.optimize.levenberg_marquardt(
    ...     misfit, {"height": 1.0, "rate": 1.0, "floor": 0.0}, (y,)
    ... )
    >>> found = fit(2.5 * np.exp(-1.3 * t) + 0.5)
    >>> {name: round(float(value), 9) for name, value in found.x.items()}
    {'height': 2.5, 'rate': 1.3, 'floor': 0.5}

    Many fits at once are ``ft.jit(ft.vmap(fit))(ys)``, and their sensitivities to the data:

    >>> ft.jacobian(lambda y: fit(y).x["rate"])(2.5 * np.exp(-1.3 * t) + 0.5).shape
    (20,)
    """
    variables = Variables("levenberg_marquardt", fun, x0, args)
    label, eps = variables.label, variables.eps
    if not damping > 0:
        raise ValueError(f"{label}: expected damping above 0; got {damping}.")
    limits = Limits.of(
        label, (tol, eps**0.5), (ftol, eps**0.75), (xtol, eps**0.5),
        (max_iterations, 200 * (variables.size + 1)),
    )  # fmt: skip
    lower, upper = _bounds(variables, bounds)
    problem = _Problem(variables, lower, upper)

    def run(start: Any) -> tuple[Any, Any]:
        s = _iterate(problem, start, limits, float(damping))
        return s.at.x, (s.at.norm, s.iterations, s.evaluations, s.status)

    return least_squares_minimum(variables, run, lower, upper)


def _bounds(variables: Variables, bounds: Any) -> tuple[Any, Any]:
    """Lower and upper bounds as vectors, or None twice."""
    if bounds is None:
        return None, None
    if not isinstance(bounds, (tuple, list)) or len(bounds) != 2:
        raise TypeError(
            f"{variables.label}: expected bounds as a pair (lower, upper), each like x0; got "
            f"{type(bounds).__name__}."
        )
    lower = variables.bound("the lower bound", bounds[0], -np.inf)
    upper = variables.bound("the upper bound", bounds[1], np.inf)
    if type(lower) is np.ndarray and type(upper) is np.ndarray and not np.all(lower <= upper):
        i = int(np.argmin(lower <= upper))
        raise ValueError(
            f"{variables.label}: expected lower bounds below the upper ones; got {lower[i]} and "
            f"{upper[i]} for unknown {i}."
        )
    return lower, upper


class _Point(NamedTuple):
    """A point with the triangle of its Jacobian, and ``Q^T r``: all that steps need."""

    x: Any
    cost: Any  # half the sum of squares
    triangle: Any
    product: Any
    gradient: Any
    norm: Any  # largest component of the gradient
    cosine: Any  # largest of those of the Jacobian's columns with the residuals


class _Problem:
    """Residuals as the iterations see them."""

    def __init__(self, variables: Variables, lower: Any = None, upper: Any = None) -> None:
        self.lower, self.upper = lower, upper
        self.dtype = variables.dtype
        self.eps = variables.eps
        self.tiny = float(np.finfo(variables.dtype).tiny)

        def twice(x: Any) -> tuple[Any, Any]:
            r = variables.residual(x)
            return r, r

        self.derivative = jacfwd(twice, has_aux=True)

    def within(self, x: Any) -> Any:
        """The nearest point within the bounds."""
        if self.lower is None:
            return x
        return np.minimum(np.maximum(x, self.lower), self.upper)

    def free(self, x: Any, gradient: Any) -> Any:
        """1 for the unknowns that a step may change, 0 for those that a bound holds."""
        held = np.logical_or(
            np.logical_and(x <= self.lower, gradient > 0),
            np.logical_and(x >= self.upper, gradient < 0),
        )
        return np.where(held, 0.0, 1.0).astype(self.dtype)

    def at(self, x: Any) -> _Point:
        """Residuals, Jacobian and its factors."""
        matrix, r = self.derivative(x)
        square = np.sum(r * r)
        if self.lower is not None:
            free = self.free(x, np.sum(matrix * r[:, None], axis=0))
            matrix = matrix * free
        triangle, product = triangularise(matrix, r)
        # J^T r and the norms of columns, from the small triangle.
        gradient = np.sum(triangle * product[:, None], axis=0)
        lengths = np.sqrt(np.sum(triangle * triangle, axis=0) * square)
        cosine = np.where(lengths > 0, np.abs(gradient), 0.0) / np.where(lengths > 0, lengths, 1.0)
        return _Point(
            x, 0.5 * square, triangle, product, gradient, largest(gradient), np.max(cosine)
        )


class _State(NamedTuple):
    at: _Point
    scale: Any
    damping: Any
    growth: Any
    iterations: Any
    evaluations: Any
    status: Any


def _columns(triangle: Any) -> Any:
    return np.sqrt(np.sum(triangle * triangle, axis=0))


def _iterate(problem: _Problem, start: Any, limits: Limits, damping: float) -> _State:
    def begin() -> _State:
        at = problem.at(problem.within(start))
        lengths = _columns(at.triangle)
        usable = finite(at.x, at.cost, at.triangle)
        return _State(
            at=at,
            scale=np.where(lengths > 0, lengths, 1.0).astype(problem.dtype),
            damping=np.asarray(damping, problem.dtype),
            growth=np.asarray(2.0, problem.dtype),
            iterations=np.int64(0),
            evaluations=np.int64(1),
            status=limits.begin(usable, at.cosine),
        )

    def step(s: _State) -> _State:
        at = s.at
        x = problem.within(at.x + damped_step(at.triangle, at.product, s.damping, s.scale))
        p = x - at.x
        change = np.sum(at.triangle * p, axis=1)
        predicted = -(np.sum(at.gradient * p) + 0.5 * np.sum(change * change))
        new = problem.at(x)
        actual = at.cost - new.cost
        usable = finite(new.cost, new.triangle)
        # Of differences as small as rounding errors the quotient is 1, so that steps go on to be
        # taken near the minimum (Conn, Gould, Toint, Trust-Region Methods, 2000, section 17.4.2).
        noise = ROUNDING * problem.eps * at.cost
        ratio = (actual + noise) / (np.abs(predicted) + noise + problem.tiny)
        good = np.logical_and(usable, np.logical_and(predicted > 0, ratio > ACCEPTED))
        taken = np.logical_or(good, np.logical_and(usable, actual > 0))

        eased = s.damping * np.maximum(1.0 - (2.0 * np.minimum(ratio, 1.0) - 1.0) ** 3, EASED)
        damping = np.where(good, eased, s.damping * s.growth)
        growth = np.where(good, 2.0, 2.0 * s.growth)
        scale = np.where(taken, np.maximum(s.scale, _columns(new.triangle)), s.scale)
        kept = _Point(*[np.where(taken, a, b) for a, b in zip(new, at, strict=True)])

        length, size = length_of(s.scale * p), length_of(s.scale * x)
        even = np.logical_and(np.abs(actual) <= limits.ftol * at.cost, ratio <= 2.0)
        even = np.logical_and(even, predicted <= limits.ftol * at.cost)
        iterations = s.iterations + 1
        status = decide(
            RUNNING,
            (np.logical_and(taken, new.cosine <= limits.tol), Status.GRADIENT),
            (np.logical_and(usable, even), Status.FUNCTION),
            (np.logical_and(usable, length <= limits.xtol * size), Status.STEP),
            (length_of(x) > DIVERGED, Status.UNBOUNDED),
            # No damping helps: at the edge of the domain, or the derivatives are wrong.
            (~(length > problem.eps * problem.eps * size), Status.STALLED),
            (iterations >= limits.iterations, Status.MAX_ITERATIONS),
        )
        return _State(
            at=kept,
            scale=scale.astype(problem.dtype),
            damping=np.maximum(damping, problem.eps * problem.eps).astype(problem.dtype),
            growth=np.minimum(growth, 1e10).astype(problem.dtype),
            iterations=iterations,
            evaluations=s.evaluations + 1,
            status=status,
        )

    return while_loop(lambda s: s.status == RUNNING, step, begin())


@boundary
def gauss_newton(
    fun: Callable,
    x0: Any,
    args: Any = (),
    *,
    tol: float | None = None,
    ftol: float | None = None,
    xtol: float | None = None,
    max_iterations: int | None = None,
) -> Solution:
    """Minimise half the sum of squares of residuals by Gauss and Newton's method.

    Steps minimise ``|J p + r|``, and are halved until the sum of squares decreases enough. For
    problems whose residuals are small at the minimum and whose Jacobian has full rank;
    ``levenberg_marquardt`` is the robust one. The parameters, the result and its derivatives are
    those of ``levenberg_marquardt``.

    Examples
    --------
    >>> import numpy as np, functorch_like as ft
    >>> corners = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 3.0]])
    >>> distances = np.array([2.5, 2.5, 2.5])
    >>> def misfit(p, measured):
    ...     return np.sqrt(np.sum((p - corners) ** 2, axis=1)) - measured
    >>> ft.optimize.gauss_newton(misfit, np.array([1.0, 1.0]), (distances,)).x.round(9)
    array([2. , 1.5])
    """
    variables = Variables("gauss_newton", fun, x0, args)
    label, eps = variables.label, variables.eps
    limits = Limits.of(
        label, (tol, eps**0.5), (ftol, eps**0.75), (xtol, eps**0.5),
        (max_iterations, 200 * (variables.size + 1)),
    )  # fmt: skip
    problem = _Problem(variables)

    def run(start: Any) -> tuple[Any, Any]:
        s = _halving(problem, start, limits)
        return s.at.x, (s.at.norm, s.iterations, s.evaluations, s.status)

    return least_squares_minimum(variables, run)


class _Halving(NamedTuple):
    at: _Point
    direction: Any
    share: Any  # of the step that is tried
    iterations: Any
    evaluations: Any
    status: Any


def _full_step(at: _Point) -> Any:
    return -back_substitution(at.triangle, at.product)


def _halving(problem: _Problem, start: Any, limits: Limits) -> _Halving:
    """A trial a turn: a full step, or a shorter one of the same direction."""
    at = problem.at(start)
    one = np.ones((), problem.dtype)

    def trial(s: _Halving) -> _Halving:
        at, p = s.at, s.share * s.direction
        new = problem.at(at.x + p)
        actual = at.cost - new.cost
        slope = np.sum(at.gradient * p)
        usable = finite(new.cost, new.triangle)
        noise = ROUNDING * problem.eps * at.cost
        taken = np.logical_and(usable, actual + noise >= -ACCEPTED * slope)
        kept = _Point(*[np.where(taken, a, b) for a, b in zip(new, at, strict=True)])
        # What the whole step promises, however little of it is tried.
        promised = -0.5 * np.sum(at.gradient * s.direction)
        even = np.maximum(np.abs(actual), promised) <= limits.ftol * at.cost
        short = unmoved(p, at.x, limits.xtol)
        iterations = s.iterations + taken
        evaluations = s.evaluations + 1
        status = decide(
            RUNNING,
            (np.logical_and(taken, new.cosine <= limits.tol), Status.GRADIENT),
            (np.logical_and(usable, even), Status.FUNCTION),
            (np.logical_and(short, s.share == 1), Status.STEP),
            (length_of(new.x) > DIVERGED, Status.UNBOUNDED),
            (np.logical_or(~(slope < 0), short), Status.STALLED),
            (iterations >= limits.iterations, Status.MAX_ITERATIONS),
        )
        return _Halving(
            at=kept,
            direction=np.where(taken, _full_step(kept), s.direction),
            share=np.where(taken, one, np.where(usable, 0.5, 0.1).astype(problem.dtype) * s.share),
            iterations=iterations,
            evaluations=evaluations,
            status=status,
        )

    state = _Halving(
        at=at,
        direction=_full_step(at),
        share=one,
        iterations=np.int64(0),
        evaluations=np.int64(1),
        status=limits.begin(finite(start, at.cost, at.triangle), at.cosine),
    )
    return while_loop(lambda s: s.status == RUNNING, trial, state)
