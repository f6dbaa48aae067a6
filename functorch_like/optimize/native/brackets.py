"""One unknown within an interval: roots by bisection and Brent's method, minima likewise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ... import tree
from ...arguments import as_array
from ...control_flow import while_loop
from ...errors import boundary
from ...primitives.core import aval_of
from .derivatives import bracketed_root, interval_minimum
from .problem import RUNNING, Limits, Root, Solution, Status, Variables, decide

__all__ = ["bisect", "brentq", "fminbound", "golden"]

GOLDEN = 0.5 * (3.0 - 5.0**0.5)  # the smaller share of an interval cut by the golden section


@boundary
def bisect(
    fun: Callable,
    a: Any,
    b: Any,
    args: Any = (),
    *,
    xtol: float | None = None,
    rtol: float | None = None,
    max_iterations: int | None = None,
) -> Root:
    """Root of a function of one number by bisection.

    Parameters
    ----------
    fun
        ``fun(x, *args)``, a single real number, continuous from ``a`` to ``b``.
    a, b
        The ends of an interval at which the signs differ; single numbers, in any order.
    args
        Further arguments, a tuple of pytrees. The root is differentiable in them, and in whatever
        ``fun`` closes over: dx/da = -(df/da) / (df/dx).
    xtol, rtol
        Stop when the interval is not wider than ``xtol + rtol |x|``; by default both are 4 times
        the precision.
    max_iterations
        By default 200.

    Returns
    -------
    Root
        ``x`` has the precision of ``a`` and ``b``. The status is ``NO_BRACKET`` where the signs at
        the ends are the same: then ``x`` is the end with the smaller absolute value.

    Raises
    ------
    TypeError
        Ends or values that are not single real numbers.
    ValueError
        Options out of range.

    Examples
    --------
    >>> import numpy as np, functorch_like as ft
    >>> round(float(ft.optimize.bisect(np.cos, 1.0, 2.0).x), 9)
    1.570796327
    """
    return _root("bisect", fun, a, b, args, xtol, rtol, max_iterations, _halved)


@boundary
def brentq(
    fun: Callable,
    a: Any,
    b: Any,
    args: Any = (),
    *,
    xtol: float | None = None,
    rtol: float | None = None,
    max_iterations: int | None = None,
) -> Root:
    """Root of a function of one number by Brent's method.

    Inverse quadratic interpolation and secants, held by bisection (R. Brent, *Algorithms for
    Minimization without Derivatives*, 1973, chapter 4). The parameters, the result and its
    derivatives are those of ``bisect``.

    Examples
    --------
    >>> import numpy as np, functorch_like as ft
    >>> def anomaly(eccentricity, mean):  # Kepler's equation
    ...     def equation(x):
    ...         return x - eccentricity * np.sin(x) - mean
    ...     return ft.optimize.brentq(equation, 0.0, np.pi).x
    >>> x = anomaly(0.3, 1.0)
    >>> bool(np.isclose(ft.grad(anomaly)(0.3, 1.0), np.sin(x) / (1 - 0.3 * np.cos(x))))
    True
    >>> ft.jit(ft.vmap(anomaly))(np.full(3, 0.3), np.array([0.5, 1.0, 1.5])).round(6)
    array([0.69125 , 1.288091, 1.792648])
    """
    return _root("brentq", fun, a, b, args, xtol, rtol, max_iterations, _interpolated)


@boundary
def golden(
    fun: Callable,
    a: Any,
    b: Any,
    args: Any = (),
    *,
    xtol: float | None = None,
    max_iterations: int | None = None,
) -> Solution:
    """Minimum of a function of one number in an interval, by golden sections.

    Parameters
    ----------
    fun
        ``fun(x, *args)``, a single real number. NaN and infinity count as larger than all others.
    a, b
        The ends of the interval, single numbers.
    args
        Further arguments, a tuple of pytrees. The minimum is differentiable in them, and in
        whatever ``fun`` closes over; one at an end moves with that end.
    xtol
        Stop when the interval is not wider than this share of ``|x|`` (of 1, if that is more); by
        default the square root of the precision, below which values do not differ.
    max_iterations
        By default 200.

    Returns
    -------
    Solution
        Of a function with several minima, one of them. ``gradient_norm`` is the absolute value of
        the derivative.

    Raises
    ------
    TypeError
        Ends or values that are not single real numbers.
    ValueError
        Options out of range.

    Examples
    --------
    >>> import functorch_like as ft
    >>> round(float(ft.optimize.golden(lambda x: (x - 0.3) ** 2, -1.0, 1.0).x), 6)
    0.3
    """
    return _minimum("golden", fun, a, b, args, xtol, max_iterations, parabolic=False)


@boundary
def fminbound(
    fun: Callable,
    a: Any,
    b: Any,
    args: Any = (),
    *,
    xtol: float | None = None,
    max_iterations: int | None = None,
) -> Solution:
    """Minimum of a function of one number in an interval, by Brent's method.

    Parabolas through the last three points, held by golden sections (R. Brent, *Algorithms for
    Minimization without Derivatives*, 1973, chapter 5). The parameters, the result and its
    derivatives are those of ``golden``.

    Examples
    --------
    >>> import numpy as np, functorch_like as ft
    >>> def lowest(a):
    ...     return ft.optimize.fminbound(lambda x: np.cosh(x - a) + x, -4.0, 4.0).x
    >>> round(float(lowest(0.5)), 6), round(float(ft.grad(lowest)(0.5)), 6)
    (-0.381374, 1.0)
    """
    return _minimum("fminbound", fun, a, b, args, xtol, max_iterations, parabolic=True)


# --------------------------------------------------------------------------------------
# Arguments


def _interval(name: str, fun: Callable, a: Any, b: Any, args: Any) -> tuple[Variables, Any, Any]:
    """The unknown, as large as the ends, and these as vectors of one number."""
    for end, given in (("a", a), ("b", b)):
        leaves, structure = tree.flatten(given)
        x = as_array(leaves[0]) if structure == tree.LEAF else None
        if x is None or x.shape != ():
            got = tree.describe(structure) if x is None else str(aval_of(x))
            raise TypeError(
                f"{name}: expected {end} to be a single number; got {got}; use vmap for several "
                "intervals."
            )
    dtype = np.result_type(*[as_array(x).dtype for x in (a, b)])
    for x in (a, b):  # a Python number has the precision of the other end
        if type(x) not in (int, float):
            others = [as_array(y).dtype for y in (a, b) if type(y) not in (int, float)]
            dtype = np.result_type(*others)
    dtype = dtype if dtype.kind == "f" else np.dtype(float)
    ends = Variables(name, fun, (a, b), args)
    low, high = (ends.start[i].astype(dtype) for i in range(2))
    variables = Variables(name, fun, low + 0.5 * (high - low), args)
    return variables, low, high


def _number(variables: Variables) -> Callable:
    return lambda x: variables.objective(x.reshape(1))


# --------------------------------------------------------------------------------------
# Roots


class _Bracket(NamedTuple):
    """A root lies between ``b``, the best point, and ``c``; ``a`` was the best one before."""

    a: Any
    b: Any
    c: Any
    fa: Any
    fb: Any
    fc: Any
    last: Any  # the last step
    before: Any  # the one before it
    iterations: Any
    status: Any


def _root(
    name: str,
    fun: Callable,
    a: Any,
    b: Any,
    args: Any,
    xtol: float | None,
    rtol: float | None,
    most: int | None,
    propose: Callable,
) -> Root:
    variables, low, high = _interval(name, fun, a, b, args)
    limits = Limits.of(
        variables.label, (rtol, 4 * variables.eps), (None, 0.0),
        (xtol, 4 * variables.eps), (most, 200),
    )  # fmt: skip
    value = _number(variables)

    def step(s: _Bracket) -> _Bracket:
        # b is to be the better end, and c the other one.
        swap = np.abs(s.fc) < np.abs(s.fb)
        a, fa = np.where(swap, s.b, s.a), np.where(swap, s.fb, s.fa)
        b, fb = np.where(swap, s.c, s.b), np.where(swap, s.fc, s.fb)
        c, fc = np.where(swap, s.b, s.c), np.where(swap, s.fb, s.fc)
        close = 0.5 * (limits.xtol + limits.tol * np.abs(b))
        half = 0.5 * (c - b)
        done = np.logical_or(np.abs(half) <= close, fb == 0)
        d, e = propose(a, b, c, fa, fb, fc, s.last, s.before, half, close)
        moved = np.where(np.abs(d) > close, d, np.where(half > 0, close, -close))
        new = b + moved.astype(b.dtype)
        f = value(new)
        outside = np.sign(f) == np.sign(fc)  # the root lies between new and b
        iterations = s.iterations + 1
        status = decide(
            RUNNING,
            (fb == 0, Status.GRADIENT),
            (done, Status.STEP),
            (np.isnan(f), Status.STALLED),
            (iterations > limits.iterations, Status.MAX_ITERATIONS),
        )
        stop = status != RUNNING
        restart = np.where(outside, new - b, e).astype(b.dtype)
        return _Bracket(
            a=np.where(stop, a, b),
            b=np.where(stop, b, new),
            c=np.where(stop, c, np.where(outside, b, c)),
            fa=np.where(stop, fa, fb),
            fb=np.where(stop, fb, f),
            fc=np.where(stop, fc, np.where(outside, fb, fc)),
            last=np.where(outside, restart, d).astype(b.dtype),
            before=restart,
            iterations=np.where(stop, s.iterations, iterations),
            status=status,
        )

    def run(_: Any) -> tuple[Any, Any]:
        fa, fb = value(low), value(high)
        same = np.sign(fa) * np.sign(fb) > 0
        status = decide(
            RUNNING,
            (np.isnan(fa + fb) | np.isnan(low + high), Status.NOT_FINITE),
            (same, Status.NO_BRACKET),
        )
        width = high - low
        s = while_loop(
            lambda s: s.status == RUNNING,
            step,
            _Bracket(low, high, low, fa, fb, fa, width, width, np.int64(0), status),
        )
        best = np.where(np.abs(s.fc) < np.abs(s.fb), s.c, s.b)
        return best.reshape(1), (s.iterations, s.iterations + 2, s.status)

    return bracketed_root(variables, run)


def _halved(
    a: Any, b: Any, c: Any, fa: Any, fb: Any, fc: Any, last: Any, before: Any, half: Any, close: Any
) -> tuple[Any, Any]:
    return half, half


def _interpolated(
    a: Any, b: Any, c: Any, fa: Any, fb: Any, fc: Any, last: Any, before: Any, half: Any, close: Any
) -> tuple[Any, Any]:
    """Brent's step from ``b``, and what is remembered as the one before it."""
    s = fb / np.where(fa == 0, 1.0, fa)
    q0, r = fa / fc, fb / fc
    secant = a == c
    p = np.where(secant, 2.0 * half * s, s * (2.0 * half * q0 * (q0 - r) - (b - a) * (r - 1.0)))
    q = np.where(secant, 1.0 - s, (q0 - 1.0) * (r - 1.0) * (s - 1.0))
    q = np.where(p > 0, -q, q)
    p = np.abs(p)
    allowed = np.minimum(3.0 * half * q - np.abs(close * q), np.abs(before * q))
    tried = np.logical_and(np.abs(before) >= close, np.abs(fa) > np.abs(fb))
    good = np.logical_and(tried, 2.0 * p < allowed)
    found = p / np.where(good, q, 1.0)
    return np.where(good, found, half), np.where(good, last, half)


# --------------------------------------------------------------------------------------
# Minima


class _Interval(NamedTuple):
    """The best three points ``x``, ``w``, ``v`` between ``a`` and ``b``."""

    a: Any
    b: Any
    x: Any
    w: Any
    v: Any
    fx: Any
    fw: Any
    fv: Any
    last: Any
    before: Any
    iterations: Any
    status: Any


def _minimum(
    name: str,
    fun: Callable,
    a: Any,
    b: Any,
    args: Any,
    xtol: float | None,
    most: int | None,
    parabolic: bool,
) -> Solution:
    variables, first, second = _interval(name, fun, a, b, args)
    low, high = np.minimum(first, second), np.maximum(first, second)
    limits = Limits.of(
        variables.label, (None, 0.0), (None, 0.0), (xtol, variables.eps**0.5), (most, 200)
    )
    number = _number(variables)

    def value(x: Any) -> Any:
        f = number(x)
        return np.where(np.isnan(f), np.inf, f).astype(f.dtype)

    def step(s: _Interval) -> _Interval:
        middle = 0.5 * (s.a + s.b)
        close = limits.xtol * np.maximum(np.abs(s.x), 1.0) / 4.0
        done = np.abs(s.x - middle) <= 2.0 * close - 0.5 * (s.b - s.a)
        section = np.where(s.x < middle, s.b - s.x, s.a - s.x)
        d, e = GOLDEN * section, section
        if parabolic:
            d, e = _parabola(s, middle, close, d, e)
        d = np.where(np.abs(d) >= close, d, np.where(d > 0, close, -close))
        u = (s.x + d).astype(s.x.dtype)
        f = value(u)
        better = f <= s.fx
        # The interval's end behind the worse of the two moves to it.
        edge = np.where(better, s.x, u)
        left = np.where(better, u >= s.x, u < s.x)
        second = np.logical_or(f <= s.fw, s.w == s.x)
        third = np.logical_or(np.logical_or(f <= s.fv, s.v == s.x), s.v == s.w)

        def ranked(x: Any, w: Any, v: Any, u: Any) -> tuple[Any, Any, Any]:
            late = np.where(second, w, np.where(third, u, v))
            return (
                np.where(better, u, x),
                np.where(better, x, np.where(second, u, w)),
                np.where(better, w, late),
            )

        x, w, v = ranked(s.x, s.w, s.v, u)
        fx, fw, fv = ranked(s.fx, s.fw, s.fv, f)
        iterations = s.iterations + 1
        status = decide(
            RUNNING, (done, Status.STEP), (iterations > limits.iterations, Status.MAX_ITERATIONS)
        )
        stop = status != RUNNING
        new = _Interval(
            a=np.where(left, edge, s.a),
            b=np.where(left, s.b, edge),
            x=x,
            w=w,
            v=v,
            fx=fx,
            fw=fw,
            fv=fv,
            last=d.astype(s.x.dtype),
            before=e.astype(s.x.dtype),
            iterations=iterations,
            status=status,
        )
        kept = _Interval(*[np.where(stop, o, n) for o, n in zip(s, new, strict=True)])
        return kept._replace(status=status)

    def run(_: Any) -> tuple[Any, Any]:
        x = low + GOLDEN * (high - low)
        f = value(x)
        bad = np.logical_or(~np.isfinite(low), ~np.isfinite(high))
        zero = 0 * x
        s = while_loop(
            lambda s: s.status == RUNNING,
            step,
            _Interval(
                low, high, x, x, x, f, f, f, zero, zero, np.int64(0),
                decide(RUNNING, (bad, Status.NOT_FINITE)),
            ),
        )  # fmt: skip
        # The ends are not tried on the way; the minimum may be there.
        found, best = s.x, s.fx
        for end in (low, high):
            at = value(end)
            better = at < best
            found, best = np.where(better, end, found), np.where(better, at, best)
        status = decide(s.status, (~np.isfinite(best), Status.NOT_FINITE))
        return found.reshape(1), (s.iterations, s.iterations + 3, status)

    return interval_minimum(variables, run, low, high)


def _parabola(s: _Interval, middle: Any, close: Any, d: Any, e: Any) -> tuple[Any, Any]:
    """The step to the minimum of the parabola through three points, or the golden section's."""
    r = (s.x - s.w) * (s.fx - s.fv)
    q = (s.x - s.v) * (s.fx - s.fw)
    p = (s.x - s.v) * q - (s.x - s.w) * r
    q = 2.0 * (q - r)
    p, q = np.where(q > 0, -p, p), np.abs(q)
    inside = np.logical_and(p > q * (s.a - s.x), p < q * (s.b - s.x))
    good = np.logical_and(np.abs(p) < np.abs(0.5 * q * s.before), inside)
    good = np.logical_and(good, np.abs(s.before) > close)
    step = p / np.where(good, q, 1.0)
    near = np.minimum(s.x + step - s.a, s.b - s.x - step) < 2.0 * close
    step = np.where(near, np.where(s.x < middle, close, -close), step)
    return np.where(good, step, d), np.where(good, s.last, e)
