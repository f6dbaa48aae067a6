"""Newton's method in a trust region, the steps by conjugate gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ...control_flow import while_loop
from ...errors import boundary
from ...forward import jvp
from ...jacobians import jacfwd
from ...reverse import value_and_grad
from .derivatives import minimum
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

__all__ = ["newton_cg"]

ACCEPTED = 1e-4  # share of the predicted decrease at which a step is taken
DENSE = 16  # unknowns up to which the Hessian is made


@boundary
def newton_cg(
    fun: Callable,
    x0: Any,
    args: Any = (),
    *,
    tol: float | None = None,
    ftol: float | None = None,
    xtol: float | None = None,
    max_iterations: int | None = None,
    initial_radius: float | None = None,
) -> Solution:
    """Minimise a function by Newton's method with exact Hessian products, in a trust region.

    The quadratic model is minimised by conjugate gradients, which end at the region's boundary or
    in a direction of negative curvature (T. Steihaug, *The conjugate gradient method and trust
    regions in large scale optimization*, SIAM J. Numer. Anal. 20, 1983). Up to 16 unknowns the
    Hessian is made, and its diagonal gives each unknown its unit; above, no matrix is made.
    Compiled by ``jit`` it is one native loop; under ``vmap`` each lane takes its own number of
    iterations.

    Parameters
    ----------
    fun, x0, args
        As in ``lbfgs``; ``fun`` is twice differentiable.
    tol
        Stop when no component of the gradient is larger; by default the square root of the
        precision, 1.5e-8 in float64.
    ftol
        Stop when the model promises a decrease of at most ``ftol`` times the function's absolute
        value; by default the precision.
    xtol
        Stop when a step changes no unknown by more than this share; by default the precision.
    max_iterations
        By default 200 times the number of unknowns, at most 15,000.
    initial_radius
        Longest first step; by default 1, or up to 16 unknowns the length of the gradient, both
        measured in the units that the Hessian's diagonal gives.

    Returns
    -------
    Solution
        As that of ``lbfgs``.

    Raises
    ------
    TypeError
        Unknowns that are not real, or a function that does not return a single real number.
    ValueError
        No unknowns, or options out of range.

    Examples
    --------
    >>> import numpy as np, functorch_like as ft
    >>> def wood(x):
    ...     a, b, c, d = x
    ...     left = 100 * (b - a**2) ** 2 + (1 - a) ** 2 + 90 * (d - c**2) ** 2 + (1 - c) ** 2
    ...     return left + 10 * (b + d - 2) ** 2 + (b - d) ** 2 / 10
    >>> found = ft.optimize.newton_cg(wood, np.array([-3.0, -1.0, -3.0, -1.0]))
    >>> found.x.round(6), bool(found.success)
    (array([1., 1., 1., 1.]), True)
    """
    variables = Variables("newton_cg", fun, x0, args)
    label, eps = variables.label, variables.eps
    if initial_radius is not None and not initial_radius > 0:
        raise ValueError(f"{label}: expected initial_radius above 0; got {initial_radius}.")
    limits = Limits.of(
        label, (tol, eps**0.5), (ftol, eps), (xtol, eps),
        (max_iterations, min(200 * variables.size, 15_000)),
    )  # fmt: skip

    def run(start: Any) -> tuple[Any, Any]:
        s = _iterate(variables, start, limits, initial_radius)
        return s.x, (largest(s.gradient), s.iterations, s.evaluations, s.status)

    return minimum(variables, run)


class _State(NamedTuple):
    x: Any
    value: Any
    gradient: Any
    radius: Any
    scale: Any  # of each unknown, in whose units the region is a ball
    iterations: Any
    evaluations: Any
    status: Any


def _iterate(variables: Variables, start: Any, limits: Limits, first: float | None) -> _State:
    evaluate = value_and_grad(variables.objective)
    eps = variables.eps
    small = variables.size <= DENSE

    def gradient_at(x: Any) -> Any:
        return evaluate(x)[1]

    def curvature(x: Any, scale: Any) -> tuple[Callable, Any]:
        """Products with the Hessian, and the scale of the unknowns."""
        if not small:
            return lambda v: jvp(gradient_at, (x,), (v,))[1], scale
        matrix = jacfwd(gradient_at)(x)
        diagonal = np.sum(matrix * np.eye(variables.size, dtype=variables.dtype), axis=1)
        scale = np.fmax(scale, np.sqrt(np.abs(diagonal)))
        return lambda v: np.sum(matrix * v, axis=1), np.where(scale > 0, scale, 1.0)

    def step(s: _State) -> _State:
        product, scale = curvature(s.x, s.scale)
        scaled = s.gradient / scale
        radius = np.where(s.radius > 0, s.radius, length_of(scaled))
        q, predicted, outside = _steihaug(lambda v: product(v / scale) / scale, scaled, radius)
        p = q / scale
        x = s.x + p
        value, gradient = evaluate(x)
        # Of differences as small as rounding errors the quotient is 1 (Conn, Gould and Toint,
        # Trust-Region Methods, 2000, section 17.4.2).
        noise = ROUNDING * eps * np.abs(s.value)
        ratio = (s.value - value + noise) / (predicted + noise)
        usable = np.logical_or(finite(value, gradient), value < -DIVERGED)
        taken = np.logical_and(usable, ratio > ACCEPTED)
        length = length_of(q)
        # NaN fails both comparisons: the radius shrinks, faster than for a bad value.
        shrunk = np.where(usable, 0.25, 0.1) * length
        grown = np.where(np.logical_and(ratio > 0.75, outside), 2.0 * radius, radius)
        radius = np.where(np.logical_and(usable, ratio >= 0.25), grown, shrunk)
        norm = length_of(x)
        iterations = s.iterations + 1
        diverged = np.logical_or(value < -DIVERGED, norm > DIVERGED)
        short = unmoved(p, s.x, limits.xtol)
        whole = np.logical_and(taken, ~outside)  # not cut short by the region
        status = decide(
            RUNNING,
            (np.logical_and(taken, diverged), Status.UNBOUNDED),
            (np.logical_and(taken, largest(gradient) <= limits.tol), Status.GRADIENT),
            (
                np.logical_and(usable, predicted <= limits.ftol * np.abs(s.value)),
                Status.FUNCTION,
            ),
            (np.logical_and(short, whole), Status.STEP),
            # The region shrank to nothing, or there is no step at all.
            (np.logical_or(np.logical_and(short, ~taken), ~(length > 0)), Status.STALLED),
            (iterations >= limits.iterations, Status.MAX_ITERATIONS),
        )
        return _State(
            x=np.where(taken, x, s.x),
            value=np.where(taken, value, s.value),
            gradient=np.where(taken, gradient, s.gradient),
            radius=radius.astype(variables.dtype),
            scale=scale.astype(variables.dtype),
            iterations=iterations,
            evaluations=s.evaluations + 1,
            status=status,
        )

    value, gradient = evaluate(start)
    state = _State(
        x=start,
        value=value,
        gradient=gradient,
        radius=np.asarray(first or (0.0 if small else 1.0), variables.dtype),
        scale=np.full(variables.size, 0.0 if small else 1.0, variables.dtype),
        iterations=np.int64(0),
        evaluations=np.int64(1),
        status=limits.begin(finite(start, value, gradient), largest(gradient)),
    )
    return while_loop(lambda s: s.status == RUNNING, step, state)


class _Inner(NamedTuple):
    p: Any
    residual: Any
    direction: Any
    image: Any  # the Hessian times p
    square: Any  # of the residual
    iterations: Any
    inside: Any


def _steihaug(product: Callable, gradient: Any, radius: Any) -> tuple[Any, Any, Any]:
    """Minimise the model within the region.

    Returns
    -------
    tuple
        The step, the decrease that it promises, and whether it ends at the boundary.
    """
    first = np.sum(gradient * gradient)
    size = np.sqrt(first)
    goal = first * np.minimum(0.25, size)  # relative to the gradient min(1/2, sqrt |g|)
    most = 2 * gradient.shape[0]  # rounding takes more than one step a dimension

    def more(s: _Inner) -> Any:
        ahead = np.logical_and(s.square > goal, s.iterations < most)
        return np.logical_and(s.inside, ahead)

    def step(s: _Inner) -> _Inner:
        image = product(s.direction)
        curvature = np.sum(s.direction * image)
        positive = curvature > 0
        alpha = s.square / np.where(positive, curvature, 1.0)
        trial = s.p + alpha * s.direction
        stays = np.logical_and(positive, length_of(trial) < radius)
        alpha = np.where(stays, alpha, _to_boundary(s.p, s.direction, radius))
        residual = s.residual + alpha * image
        square = np.sum(residual * residual)
        return _Inner(
            p=s.p + alpha * s.direction,
            residual=residual,
            direction=-residual + (square / s.square) * s.direction,
            image=s.image + alpha * image,
            square=square,
            iterations=s.iterations + 1,
            inside=stays,
        )

    zeros = np.zeros_like(gradient)
    s = while_loop(
        more,
        step,
        _Inner(zeros, gradient, -gradient, zeros, first, np.int64(0), np.bool_(True)),
    )
    predicted = -(np.sum(gradient * s.p) + 0.5 * np.sum(s.p * s.image))
    return s.p, predicted, ~s.inside


def _to_boundary(p: Any, d: Any, radius: Any) -> Any:
    """The positive ``t`` with ``|p + t d| = radius``."""
    a, b = np.sum(d * d), np.sum(p * d)
    c = radius * radius - np.sum(p * p)
    root = np.sqrt(np.maximum(b * b + a * c, 0.0))
    # Without cancellation for either sign of b.
    return np.where(b > 0, c / (b + root), (root - b) / a)
