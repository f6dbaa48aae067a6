"""Integrals of functions of one variable: ``quad``, ``quad_vec`` and ``fixed_quad``."""

from __future__ import annotations

import functools
import inspect
import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ...errors import boundary, user_line
from ...numpy.elementwise import as_operand
from ...primitives.core import Tracer
from ...primitives.stopping import stop_gradient
from ..source import has_tracer, in_trace, replaces
from .adaptive import integrate_adaptively, kronrod
from .nested import integrate_together, parts_of, weighted

__all__ = ["fixed_quad", "nested", "quad", "quad_vec"]

MOST_PARTS = 400  # of an interval halved towards kinks


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
    ValueError
        An integral that is NaN or infinite.
    TypeError
        An integrand that returns no real number (complex ones with ``complex_func``); with
        ``weight`` where values are traced, or if the integrand is so singular that no fixed
        rule reproduces the integral; under ``vmap`` and ``jit`` also with ``points`` and
        ``full_output``.

    Notes
    -----
    QUADPACK decides on plain values how to divide the interval. On its division the integral is
    a finite sum (Gauss and Kronrod's 21 points a part), or, where the ends are singular, one sum
    of the double-exponential rule (Takahasi and Mori, 1974); that sum is differentiated, which is
    the same rule applied to the derivative of the integrand (Leibniz). The value is QUADPACK's.
    The division is adapted to the integrand, not to its derivatives; where a kink moves with what
    is differentiated, as in ``abs(x - k)``, the first derivative is right and the second, which
    comes of the jump, is not. Under ``vmap`` and ``jit``,
    where values are not known, the division is made by the same rule in a loop, without
    QUADPACK's extrapolation at singular ends; infinite limits must then be plain numbers.

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
    if complex_func and not full_output and weight is None:
        parts = [
            quad(lambda x, part=part: part(func(x, *args)), a, b, (), 0, epsabs, epsrel, limit,
                 points)
            for part in (np.real, np.imag)
        ]  # fmt: skip
        (real, real_error), (imaginary, imaginary_error) = parts
        return real + 1j * imaginary, real_error + 1j * imaginary_error
    if not _knowable(func, a, b, args):
        if weight is not None or complex_func or points is not None or full_output:
            raise TypeError(
                "quad: expected no weight, points or full_output and a real function under vmap "
                f"and jit, at {user_line()}; write the weight into the integrand, or integrate "
                "the parts."
            )
        return integrate_adaptively(lambda x: func(x, *args), a, b, epsabs, epsrel, limit)
    seen: list[bool] = [has_tracer([a, b])]

    def plain(x: float) -> Any:
        value = func(x, *args)
        seen[0] = seen[0] or isinstance(value, Tracer)
        return number(_value(value))

    low, high = float(_value(a)), float(_value(b))
    result = scipy.integrate.quad(
        plain, low, high, (), 1, epsabs, epsrel, limit,
        None if points is None else [float(_value(p)) for p in points],
        weight, wvar, wopts, maxp1, limlst, complex_func,
    )  # fmt: skip
    value, error, info = result[:3]
    if len(result) > 3 and not full_output:
        warnings.warn(result[3], scipy.integrate.IntegrationWarning, stacklevel=3)
    if seen[0] and not math.isfinite(value):
        raise ValueError(
            f"quad: expected an integral that is finite; got {value}, at {user_line()}; look at "
            "the integrand between the limits, at the limits too."
        )
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


def _knowable(func: Callable, a: Any, b: Any, args: tuple) -> bool:
    """Whether the limits and values of the integrand are known, as QUADPACK needs them."""
    if any(isinstance(x, Tracer) and x.concrete() is None for x in (a, b)):
        return False
    low, high = (float(_value(x)) for x in (a, b))
    inside = [x for x in (low, high) if not math.isinf(x)]
    point = 0.5 * sum(inside) if len(inside) == 2 else sum(inside) + (1 if low in inside else -1)
    with np.errstate(all="ignore"):
        value = func(point, *args)
    return not isinstance(value, Tracer) or value.concrete() is not None


def number(x: Any) -> Any:
    """A value of an integrand as QUADPACK takes it."""
    if np.size(x) != 1 or np.iscomplexobj(x):
        found = np.asarray(x)
        fix = "complex_func=True" if np.iscomplexobj(x) and found.size == 1 else "quad_vec"
        raise TypeError(
            f"quad: expected func to return a real number; got {found.dtype} of shape "
            f"{found.shape}, at {user_line()}; use {fix}."
        )
    return x


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
    allowed = max(10 * error, 1e-9 * abs(value), 1e-13)
    parts = parts_of(info, low, high)
    sign = 1.0
    g = f
    moving: tuple = (low, high)
    if math.isinf(low) or math.isinf(high):
        # QUADPACK's substitution x = limit +- (1 - t) / t, of which the parts speak.
        if low > high:
            a, b, low, high, sign = b, a, high, low, -1.0
        g, moving = _on_half_line(f, a, b, low, high), (0.0, 1.0)
    elif has_tracer([a, b]):
        moving = (a, b)

    def kronrod_sum(parts: list) -> Any:
        lows, highs = np.array(parts).T
        # Parts at the ends of the interval move with its limits, the others stay.
        if isinstance(moving[0], Tracer):
            lows = np.where(lows == low, moving[0], lows)
        if isinstance(moving[1], Tracer):
            highs = np.where(highs == high, moving[1], highs)
        nodes, weights = (np.array(x) for x in kronrod())
        lengths = highs - lows
        points = lows[:, None] + lengths[:, None] * ((1 + nodes) / 2)
        return weighted(g, points.reshape(-1), (lengths[:, None] * (weights / 2)).reshape(-1))

    def on_unit(t: Any) -> Any:
        return g(moving[0] + (moving[1] - moving[0]) * t) * (moving[1] - moving[0])

    for rule in (
        lambda: kronrod_sum(parts),
        lambda: _double_exponential(on_unit),
        lambda: kronrod_sum(_halved(g, parts, value, allowed)),  # QUADPACK extrapolated at a kink
    ):
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


def _halved(g: Callable, parts: list, value: float, allowed: float) -> list:
    """The parts, those with the largest error halved until the errors together are allowed.

    And further, until the parts at kinks are narrow.
    """
    import heapq

    nodes, weights = (np.array(x) for x in kronrod())
    weights = weights.copy()
    weights[1::2] -= np.polynomial.legendre.leggauss(10)[1]  # the difference of the two rules

    def judged(p: float, q: float) -> tuple[float, float, float]:
        half, middle = (q - p) / 2, (q + p) / 2
        return -abs(float(_value(weighted(g, middle + half * nodes, half * weights)))), p, q

    heap = [judged(p, q) for p, q in parts]
    heapq.heapify(heap)
    whole = sum(abs(q - p) for p, q in parts)
    while len(heap) < MOST_PARTS:
        worst, p, q = heap[0]
        # The derivative jumps at a kink: it is as exact as the part around it is narrow.
        narrow = abs(q - p) <= 1e-9 * whole or -worst <= 1e-16 * abs(value)
        if narrow and -sum(part[0] for part in heap) <= allowed:
            break
        heapq.heappop(heap)
        middle = (p + q) / 2
        heapq.heappush(heap, judged(p, middle))
        heapq.heappush(heap, judged(middle, q))
    return [part[1:] for part in heap]


def _double_exponential(g: Callable) -> Any:
    """The integral from 0 to 1 by the trapezoidal rule in u, x = (1 + tanh(pi/2 sinh u)) / 2."""
    points, factors = [], []
    step = 1 / 16
    for k in range(-64, 65):
        u = k * step
        turned = math.exp(-math.pi * math.sinh(abs(u)))
        near = turned / (1 + turned)  # the distance from the nearer end
        slope = math.pi * math.cosh(u) * near / (1 + turned)
        x = near if u < 0 else 1.0 - near
        if 0.0 < x < 1.0 and slope > 1e-290:
            points.append(x)
            factors.append(step * slope)
    return weighted(g, np.array(points), np.array(factors))


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


@boundary
def quad_vec(
    f: Callable,
    a: Any,
    b: Any,
    epsabs: float = 1e-200,
    epsrel: float = 1e-8,
    norm: str = "2",
    cache_size: float = 100e6,
    limit: int = 10000,
    workers: Any = 1,
    points: Any = None,
    quadrature: str | None = None,
    full_output: bool = False,
    *,
    args: tuple = (),
) -> tuple:
    """Integral of a function of one variable whose values are arrays.

    Parameters
    ----------
    f
        ``f(x, *args)`` returns an array; it may close over traced values.
    a, b
        Limits, traced or plain; infinite ones as plain ``-np.inf`` and ``np.inf``.
    epsabs, epsrel, limit
        As in scipy.integrate.quad_vec; at most 1000 parts where values are traced.
    norm, cache_size, workers, points, quadrature, full_output
        SciPy's, where nothing is traced; the norm is the Euclidean one where something is.
    args
        Further arguments of ``f``.

    Returns
    -------
    pair
        The integral, and an estimate of its error (a constant).

    Raises
    ------
    TypeError
        With ``full_output`` or ``points`` where values are traced.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> from functorch_like.scipy.integrate import quad_vec
    >>> k = np.array([1.0, 2.0])
    >>> moments = lambda k: quad_vec(lambda x: np.exp(-k * x), 0.0, np.inf)[0]
    >>> print(np.allclose(ft.jacobian(moments)(k), np.diag(-1 / k**2)))
    True
    """
    if not in_trace():
        import scipy.integrate

        return scipy.integrate.quad_vec(
            f, a, b, epsabs, epsrel, norm, cache_size, limit, workers, points, quadrature,
            full_output, args=args,
        )  # fmt: skip
    if full_output or points is not None:
        raise TypeError(
            f"quad_vec: expected no points or full_output where values are traced, at "
            f"{user_line()}; integrate the parts."
        )
    return integrate_adaptively(lambda x: f(x, *args), a, b, epsabs, epsrel, min(limit, 1000))


def nested(name: str) -> Callable:
    """SciPy's function of that name, and where values are traced a nest of ``quad``."""
    import scipy.integrate

    public = getattr(scipy.integrate, name)
    signature = inspect.signature(public)

    @functools.wraps(public)
    def call(*args: Any, **kwargs: Any) -> Any:
        if not in_trace():
            return public(*args, **kwargs)
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        given = bound.arguments
        extra = given["args"]
        extra = () if extra is None else extra if isinstance(extra, tuple) else (extra,)
        options: Any = {k: given[k] for k in ("epsabs", "epsrel") if k in given}
        if name == "nquad":
            if given["full_output"]:
                raise TypeError(
                    f"nquad: expected full_output=False where values are traced, at {user_line()}."
                )
            ranges, options = given["ranges"], given["opts"] or {}
        else:
            ranges = [(given["gfun"], given["hfun"]), (given["a"], given["b"])]
            if name == "tplquad":
                first = (given["qfun"], given["rfun"])
                ranges.insert(0, tuple(_swapped(x) if callable(x) else x for x in first))
        return _nest(given["func"], list(ranges), extra, options)

    return call


def _known_quad(func: Callable, a: Any, b: Any, **options: Any) -> tuple:
    """``quad`` where values are known: a nest of loops would take minutes to compile."""
    if not _knowable(func, a, b, ()):
        raise TypeError(
            f"quad: expected values that are known in an integral over several variables; got "
            f"traced ones without a value, at {user_line()}: vmap and jit do not give them; use "
            "fixed_quad(f, a, b, n=...) for each variable."
        )
    return quad(func, a, b, **options)


def _swapped(limit: Callable) -> Callable:
    return lambda y, x: limit(x, y)


def _listed(options: Any) -> list:
    return list(options) if isinstance(options, (list, tuple)) else [options]


def _nest(func: Callable, ranges: list, extra: tuple, options: Any) -> tuple:
    """Integrate over the first variable innermost; its range may depend on the later ones."""
    count = len(ranges)
    errors: list[Any] = []

    def limits(k: int, later: tuple) -> list:
        made = ranges[k](*later, *extra) if callable(ranges[k]) else ranges[k]
        if count > 1 and not callable(ranges[k]):  # dblquad's limits are functions one by one
            made = [x(*later) if callable(x) else x for x in made]
        low, high = made
        return [low, high]

    def chosen(k: int, later: tuple) -> dict:
        own = options[k] if isinstance(options, (list, tuple)) else options
        return own(*later, *extra) if callable(own) else own

    def plain(k: int, later: tuple) -> dict:
        own = chosen(k, later)
        return {name: _value(x) for name, x in own.items()}

    if all(isinstance(o, dict) and "weight" not in o for o in _listed(options)):
        found = integrate_together(lambda *x: func(*x, *extra), limits, plain, count)
        if found is not None:
            return found

    def level(k: int, later: tuple) -> Any:
        if k == 0:
            inner = lambda x: func(x, *later, *extra)  # noqa: E731
        else:
            inner = lambda x: level(k - 1, (x, *later))  # noqa: E731
        made = _known_quad(inner, *limits(k, later), **chosen(k, later))
        if k == count - 1:
            errors.append(made[1])
        return made[0]

    value = level(count - 1, ())
    return value, errors[-1]
