"""Integrals of plain and traced integrands and samples, under scipy.integrate's names.

Sums over samples (``trapezoid``, ``simpson``, ``romb`` ...) and ``fixed_quad`` run from SciPy's
source. ``quad`` has its own rule, and with it ``dblquad``, ``tplquad`` and ``nquad``.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import boundary, user_line
from ..numpy.elementwise import as_operand
from ..primitives.core import Tracer
from ..primitives.stopping import stop_gradient
from .source import Refusals, attributes, has_tracer, in_trace, replaces

__all__ = ["quad"]


@boundary
def quad(
    func: Callable,
    a: Any,
    b: Any,
    args: Any = (),
    full_output: Any = 0,
    epsabs: float = 1.49e-8,
    epsrel: float = 1.49e-8,
    limit: int = 50,
    points: Any = None,
    weight: Any = None,
    wvar: Any = None,
    wopts: Any = None,
    maxp1: int = 50,
    limlst: int = 50,
    complex_func: bool = False,
) -> tuple:
    """Integral of a function of one variable from ``a`` to ``b``, adaptively.

    Parameters
    ----------
    func
        ``func(x, *args)`` returns a number; it may close over traced values.
    a, b
        Limits, traced or plain; infinite ones as ``-np.inf`` and ``np.inf``.
    args
        Further arguments of ``func``.
    epsabs, epsrel, limit, points
        As in scipy.integrate.quad.

    Returns
    -------
    pair
        The integral, and SciPy's estimate of its absolute error (a constant).

    Raises
    ------
    TypeError
        If the integrand or a limit is traced and its value is not known (under ``vmap``, while
        staging or compiling: use ``fixed_quad``); with ``weight``; or if the integrand is so
        singular that no fixed rule reproduces the integral.

    Notes
    -----
    QUADPACK decides on plain values how to divide the interval. On its division the integral is
    a finite sum (Gauss and Kronrod's 21 points a part), or, where the ends are singular, one sum
    of the double-exponential rule (Takahasi and Mori, 1974); that sum is differentiated, which is
    the same rule applied to the derivative of the integrand (Leibniz). The value is QUADPACK's.
    The division is adapted to the integrand, not to its derivatives.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> from functorch_like.scipy.integrate import quad
    >>> round(float(ft.grad(lambda k: quad(lambda x: np.exp(-k * x), 0, np.inf)[0])(2.0)), 6)
    -0.25
    """
    import scipy.integrate

    args = args if isinstance(args, tuple) else (args,)
    if not in_trace():
        return scipy.integrate.quad(
            func, a, b, args, full_output, epsabs, epsrel, limit, points, weight, wvar, wopts,
            maxp1, limlst, complex_func,
        )  # fmt: skip
    seen: list[bool] = [has_tracer([a, b])]

    def plain(x: float) -> Any:
        value = func(x, *args)
        seen[0] = seen[0] or isinstance(value, Tracer)
        return _value(value)

    low, high = float(_value(a)), float(_value(b))
    result = scipy.integrate.quad(
        plain, low, high, (), 1, epsabs, epsrel, limit,
        None if points is None else [float(_value(p)) for p in points],
        weight, wvar, wopts, maxp1, limlst, complex_func,
    )  # fmt: skip
    value, error, info = result[:3]
    if seen[0]:
        if weight is not None or complex_func:
            raise TypeError(
                f"quad: expected no weight and a real function where values are traced, at "
                f"{user_line()}; write the weight into the integrand, or integrate the parts."
            )
        summed = _sum(lambda x: func(x, *args), a, b, low, high, info, value, error)
        value = value + (summed - stop_gradient(summed))
    if full_output:
        return (value, error, info, *result[3:])
    return value, error


def _value(x: Any) -> Any:
    """The plain value of what may be traced."""
    if not isinstance(x, Tracer):
        return x
    known = x.concrete()
    if known is None:
        raise TypeError(
            f"quad: expected values that are known when it is called; got a traced value of shape "
            f"{x.shape} without one, at {user_line()}: the integral is divided as the integrand "
            "needs, which vmap and staging do not allow; use fixed_quad(f, a, b, n=...)."
        )
    return known


@functools.cache
def _kronrod() -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Nodes and weights on [-1, 1] of the 21-point rule of Gauss and Kronrod.

    The nodes of Legendre's polynomial P_10 and of Stieltjes' E_11, which is orthogonal to all of
    lower degree with the weight P_10; found here from that definition (Laurie, 1997).
    """
    n = 10
    legendre = np.polynomial.legendre
    x, w = legendre.leggauss(40)
    base = legendre.legval(x, [0] * n + [1])
    # E_11 = P_11 + sum_{j < 11} c_j P_j with <P_10 E_11, P_i> = 0 for i < 11.
    table = np.stack([legendre.legval(x, [0] * j + [1]) for j in range(n + 2)])
    gram = np.einsum("x,x,ix,jx->ij", w, base, table[: n + 1], table)
    c, *_ = np.linalg.lstsq(gram[:, : n + 1], -gram[:, n + 1], rcond=None)
    nodes = np.sort(np.concatenate([
        legendre.leggauss(n)[0], legendre.legroots([*c, 1.0]).real,
    ]))  # fmt: skip
    nodes = (nodes - nodes[::-1]) / 2
    powers = legendre.legvander(nodes, 20).T
    right = np.zeros(21)
    right[0] = 2.0
    weights = np.linalg.solve(powers, right)
    return tuple(nodes.tolist()), tuple(((weights + weights[::-1]) / 2).tolist())


def _sum(
    f: Callable,
    a: Any,
    b: Any,
    low: float,
    high: float,
    info: dict,
    value: float,
    error: float,
) -> Any:
    """The integral as a finite sum of traced values."""
    sign = 1.0
    if low > high:
        a, b, low, high, sign = b, a, high, low, -1.0
    count = info["last"]
    parts = list(zip(info["alist"][:count], info["blist"][:count], strict=True))
    if math.isinf(low) or math.isinf(high):
        # QUADPACK's substitution x = limit +- (1 - t) / t, of which alist and blist speak.
        g, start, end = _on_half_line(f, a, b, low, high), 0.0, 1.0
    else:
        # The parts as fractions of the interval, which moves with its limits.
        def g(t: float) -> Any:
            return f(a + (b - a) * t if has_tracer([a, b]) else low + (high - low) * t) * (b - a)

        start, end = 0.0, 1.0
        width = high - low
        parts = [((p - low) / width, (q - low) / width) for p, q in parts] if width else []
    allowed = max(10 * error, 1e-9 * abs(value), 1e-13)
    for rule in (lambda: _gauss_kronrod(g, parts), lambda: _double_exponential(g, start, end)):
        total = sign * rule()
        if abs(float(_value(total)) - value) <= allowed:
            return total
    raise TypeError(
        f"quad: expected an integrand that a fixed rule integrates as well as QUADPACK's "
        f"extrapolation does, at {user_line()}; split the integral at its singular points, or "
        "substitute the variable."
    )


def _on_half_line(f: Callable, a: Any, b: Any, low: float, high: float) -> Callable:
    def g(t: float) -> Any:
        s = (1 - t) / t
        if math.isinf(low) and math.isinf(high):
            made = f(s) + f(-s)
        else:
            made = f(a + s) if math.isinf(high) else f(b - s)
        return made / (t * t)

    return g


def _gauss_kronrod(g: Callable, parts: list) -> Any:
    nodes, weights = _kronrod()
    total: Any = 0.0
    for p, q in parts:
        half, middle = (q - p) / 2, (q + p) / 2
        for x, w in zip(nodes, weights, strict=True):
            total = total + (w * half) * g(middle + half * x)
    return total


def _double_exponential(g: Callable, start: float, end: float) -> Any:
    """The trapezoidal rule in u, where x = (1 + tanh(pi/2 sinh u)) / 2."""
    total: Any = 0.0
    step = 1 / 16
    for k in range(-64, 65):
        u = k * step
        turned = math.exp(-math.pi * math.sinh(abs(u)))
        near = turned / (1 + turned)  # the distance from the nearer end
        slope = math.pi * math.cosh(u) * near / (1 + turned)
        x = start + near if u < 0 else end - near
        if start < x < end and slope > 1e-290:
            total = total + (step * slope * (end - start)) * g(x)
    return total


@replaces("scipy.integrate._quadrature", "fixed_quad")
def fixed_quad(func: Callable, a: Any, b: Any, args: tuple = (), n: int = 5) -> tuple[Any, None]:
    """Integral by Gauss and Legendre's rule of ``n`` points.

    Parameters
    ----------
    func
        Takes a vector of points (m,) and returns values (..., m).
    a, b
        Finite limits, traced or plain.
    args
        Further arguments of ``func``.
    n
        Number of points.

    Returns
    -------
    pair
        The integral and None, as SciPy has it.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> from functorch_like.scipy.integrate import fixed_quad
    >>> f = lambda b: fixed_quad(np.cos, 0.0, b)[0]
    >>> print(round(float(ft.grad(f)(0.5) - np.cos(0.5)), 6))
    0.0
    """
    x, w = np.polynomial.legendre.leggauss(n)
    for limit in (a, b):
        if not isinstance(limit, Tracer) and np.any(np.isinf(limit)):
            raise ValueError("Gaussian quadrature is only available for finite limits.")
    a, b = as_operand(a), as_operand(b)
    points = (b - a) * (x + 1) / 2.0 + a
    return (b - a) / 2.0 * np.sum(w * func(points, *args), axis=-1), None


_REFUSALS = Refusals()
_REFUSALS.add(
    "its steps are chosen while it runs; write the steps with functorch_like.scan, or while_loop.",
    "odeint", "solve_ivp", "ode", "complex_ode", "solve_bvp", "BDF", "DOP853", "LSODA", "OdeSolver",
    "RK23", "RK45", "Radau",
)  # fmt: skip
_REFUSALS.add(
    "its points are chosen while it runs; use quad, nquad or fixed_quad.",
    "quad_vec", "cubature", "tanhsinh", "qmc_quad", "nsum",
)  # fmt: skip
__getattr__, __dir__ = attributes("scipy.integrate", _REFUSALS, globals())
