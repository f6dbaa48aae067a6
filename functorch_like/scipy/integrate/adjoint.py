"""The continuous adjoint: reverse mode by integrating another equation backwards.

With ``y' = f(t, y, p)`` and cotangents of y at some times, ``a' = -(df/dy)^T a`` runs backwards
from time to time, jumps by the cotangent at each, and ``m' = -(df/dp)^T a`` collects the cotangent
of p. The solution itself is integrated backwards beside it, from the value at each time, so that
nothing is kept of the way forward. The backward integration is again one of these, which gives
derivatives of higher orders; forward mode goes through the steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...arguments import as_array
from ...control_flow import scan
from ...custom_rules import _CustomVjp
from ...forward import ForwardTrace, ForwardTracer
from ...function_primitives import link, strip
from ...graph_transforms import Closed, stage_closed
from ...primitives.core import ShapedArray, Tracer, aval_of, beside, shape_of, state, under
from ...primitives.structural import size_of
from ...reverse import vjp
from .stepping import Method, Problem, advance, constant, sample, start

__all__ = ["sample_adjoint"]


class _Integral(_CustomVjp):
    """A custom vjp whose forward mode differentiates the function itself."""

    __slots__ = ()

    def forward_own(self, trace: Any, primals: Sequence, tangents: Sequence, params: dict) -> Any:
        xs = [
            x if t is None else ForwardTracer(trace, x, t)
            for x, t in zip(primals, tangents, strict=True)
        ]
        return tuple(params["function"](*xs))

    def record_own(self, trace: Any, primals: Sequence, slots: Sequence, params: dict) -> Any:
        outs, residuals = params["forward_function"](*map(self.guard, primals))
        backward, function = params["backward_function"], params["function"]

        def push(ts: Sequence[Any]) -> list[Any]:
            forward = ForwardTrace(state.trace, trace.label)
            xs = [
                x if t is None else ForwardTracer(forward, x, t)
                for x, t in zip(primals, ts, strict=True)
            ]
            with under(forward):
                made = function(*xs)
            return [strip(forward, x)[1] for x in made]

        return link(trace, outs, slots, lambda cts: backward(residuals, cts), push)


ode_integral = _Integral("ode_integral")
_OWNER = object()  # one for all: rules call their own kind


def sample_adjoint(
    problem: Problem, method: Method, t0: Any, y0: Any, times: Any
) -> tuple[Any, Any, Any]:
    """The solution at ``times`` (m, n), the status, and the number of evaluations."""
    n = shape_of(y0)[0]
    number = ShapedArray((), np.result_type(aval_of(t0).dtype, aval_of(times).dtype))
    closed = stage_closed(
        ("solve_ivp", problem.fun),
        lambda t, y: [problem.fun(t, y)],
        [number, ShapedArray((n,), y0.dtype)],
    )
    varied = [isinstance(x, Tracer) and x.dtype.kind == "f" for x in closed.constants]
    parameters = [x for x, v in zip(closed.constants, varied, strict=True) if v]
    fixed = [x for x, v in zip(closed.constants, varied, strict=True) if not v]
    if any(isinstance(x, Tracer) and x.dtype.kind == "c" for x in fixed):
        raise TypeError(
            "solve_ivp: expected real parameters with adjoint='continuous'; got complex ones; use "
            "adjoint='discrete'."
        )
    problem = problem._replace(fun=None, end=constant(problem.end))  # type: ignore[arg-type]
    return _integral(problem, method, closed, varied, fixed, t0, y0, times, parameters)


def _rate(closed: Closed, varied: list[bool], fixed: list, parameters: Sequence) -> Any:
    """The right-hand side as a function of t, y and parameters."""
    own, rest = iter(parameters), iter(fixed)
    constants = [next(own) if v else next(rest) for v in varied]
    return lambda t, y: closed.graph.evaluate([*constants, as_array(t), y])[0]


def _integral(
    problem: Problem,
    method: Method,
    closed: Closed,
    varied: list[bool],
    fixed: list,
    t0: Any,
    y0: Any,
    times: Any,
    parameters: list,
) -> tuple[Any, Any, Any]:
    def function(t0: Any, y0: Any, times: Any, *parameters: Any) -> list[Any]:
        own = problem._replace(fun=_rate(closed, varied, fixed, parameters), end=times[-1])
        begun = start(own, method, t0, y0)
        ended, ys = sample(own, method, begun, times)
        ended = advance(own, method, ended, lambda s: np.bool_(False))
        return [ys, np.where(ended.status < 0, -1, 0), as_array(ended.nfev)]

    def forward(*operands: Any) -> tuple[list, Any]:
        t0, y0, times, *own = operands
        outs = _integral(problem, method, closed, varied, fixed, t0, y0, times, own)
        return list(outs), (t0, y0, times, outs[0], *own)

    def backward(residuals: Any, cts: Sequence[Any]) -> list[Any]:
        t0, y0, times, ys, *own = residuals
        return _pull(problem, method, closed, varied, fixed, t0, y0, times, ys, own, cts[0])

    return ode_integral(
        as_array(t0),
        y0,
        times,
        *parameters,
        function=function,
        forward_function=forward,
        backward_function=backward,
        owner=_OWNER,
    )


def _pull(
    problem: Problem,
    method: Method,
    closed: Closed,
    varied: list[bool],
    fixed: list,
    t0: Any,
    y0: Any,
    times: Any,
    ys: Any,
    parameters: list,
    ct: Any,
) -> list[Any]:
    """Cotangents of t0, y0, times and the parameters."""
    n = shape_of(y0)[0]
    shapes = [shape_of(p) for p in parameters]
    total = sum(map(size_of, shapes))

    def rate(t: Any, y: Any, own: Sequence) -> Any:
        return _rate(closed, varied, fixed, own)(t, y)

    def adjoint(t: Any, z: Any) -> Any:
        f, pullback = vjp(lambda y, own: rate(t, y, own), z[:n], list(parameters))
        back, collected = pullback(z[n : 2 * n])
        parts = [as_array(c).reshape(-1) for c in collected]
        return np.concatenate([f, -back, *(-p for p in parts)])

    backwards = problem._replace(
        fun=adjoint,
        direction=-problem.direction,
        counted=2 * n,
        atol=problem.atol if np.ndim(problem.atol) == 0 else np.concatenate([problem.atol] * 2),
    )
    # From each time back to the one before, the first one's being t0.
    before = np.concatenate([as_array(t0).reshape(1), times[:-1]])
    slopes = scan(
        lambda carry, x: (carry, np.sum(rate(x[0], x[1], parameters) * x[2])),
        np.float64(0.0),
        (times, ys, ct),
    )[1]

    def segment(carry: tuple, x: tuple) -> tuple:
        a, m = carry
        t_from, t_to, y, c = x
        z = np.concatenate([y, a + c, m])
        made, _, _ = sample_adjoint(
            backwards._replace(end=t_to), method, t_from, z, t_to.reshape(1)
        )
        return (made[0, n : 2 * n], made[0, 2 * n :]), None

    zero = beside(y0, np.zeros(n, y0.dtype)), beside(y0, np.zeros(total, y0.dtype))
    (a, m), _ = scan(segment, zero, (times, before, ys, ct), reverse=True)
    start_slope = -np.sum(rate(as_array(t0), y0, parameters) * a)
    found, at = [], 0
    for shape in shapes:
        found.append(m[at : at + size_of(shape)].reshape(shape))
        at += size_of(shape)
    return [start_slope, a, slopes, *found]
