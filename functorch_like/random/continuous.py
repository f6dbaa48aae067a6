"""Distributions of real numbers that are formulas of uniform ones."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import user_line
from ..numpy.elementwise import as_operand
from ..primitives import elementwise as e
from ..primitives import random as p
from ..primitives.core import dtype_of, shape_of
from ..primitives.reduction import reduce_sum
from ..primitives.special import erf, erfinv
from ..primitives.stopping import stop_gradient
from ..primitives.structural import convert, make_complex
from .keys import (
    Shape,
    beside,
    checked_key,
    checked_shape,
    common_shape,
    floating,
    parameter,
    split,
)

__all__ = [
    "cauchy",
    "double_sided_maxwell",
    "exponential",
    "gumbel",
    "laplace",
    "logistic",
    "lognormal",
    "maxwell",
    "normal",
    "pareto",
    "rayleigh",
    "triangular",
    "truncated_normal",
    "uniform",
    "wald",
    "weibull_min",
]

ROOT_TWO = math.sqrt(2.0)


def unit(key: Any, shape: tuple[int, ...], dtype: np.dtype) -> Any:
    """Numbers in [0, 1)."""
    return p.random_uniform(key, shape=shape, dtype=dtype)


def _between(key: Any, shape: tuple[int, ...], dtype: np.dtype, low: Any, high: Any) -> Any:
    """Numbers in [low, high)."""
    u = unit(key, shape, dtype)
    if isinstance(low, (int, float)) and isinstance(high, (int, float)):
        low, high = dtype.type(low), dtype.type(high)
        if low == 0 and high == 1:
            return u
        span = high - low
    else:
        low, high = (beside(key, parameter(x, dtype, shape)) for x in (low, high))
        span = e.subtract(high, low)
    return e.maximum(low, e.add(e.multiply(u, span), low))


def prepared(name: str, key: Any, shape: Any, dtype: Any, **parameters: Any) -> tuple:
    """Checked key, shape, dtype, and the parameters at that shape and dtype."""
    key, dtype = checked_key(name, key), floating(name, dtype)
    shape = common_shape(name, shape, **parameters)
    given = (beside(key, parameter(x, dtype, shape)) for x in parameters.values())
    return key, shape, dtype, *given


def uniform(
    key: Any, shape: Shape = (), dtype: Any = None, minval: Any = 0.0, maxval: Any = 1.0
) -> Any:
    """Numbers in [minval, maxval), equally likely: u (maxval - minval) + minval.

    Parameters
    ----------
    key
        uint32, (2,).
    shape
        Shape of the result.
    dtype
        float64 (default), float32 or float16.
    minval, maxval
        Bounds that broadcast to ``shape``; they may be traced, and are differentiated.

    Returns
    -------
    Array of ``shape`` and ``dtype``. With the default bounds every multiple of 2^-52 (2^-23,
    2^-10) in [0, 1) is equally likely.

    Examples
    --------
    >>> import functorch_like as ft
    >>> ft.random.uniform(ft.random.key(0), (2,)).shape
    (2,)
    """
    key, dtype = checked_key("uniform", key), floating("uniform", dtype, half=True)
    shape = checked_shape("uniform", shape)
    if not (isinstance(minval, (int, float)) and isinstance(maxval, (int, float))):
        common_shape("uniform", shape, minval=minval, maxval=maxval)
    return _between(key, shape, dtype, minval, maxval)


def normal(key: Any, shape: Shape = (), dtype: Any = None) -> Any:
    """Standard normal numbers: sqrt(2) erfinv(u) of u in (-1, 1).

    Parameters
    ----------
    key
        uint32, (2,).
    shape
        Shape of the result.
    dtype
        float64 (default), float32, float16, complex128 or complex64. Complex numbers have
        independent parts of variance 1/2.

    Returns
    -------
    Array of ``shape`` and ``dtype``.

    Examples
    --------
    >>> import numpy as np, functorch_like as ft
    >>> draw = lambda mean, scale: mean + scale * ft.random.normal(ft.random.key(0), (3,))
    >>> bool(np.all(ft.jvp(draw, (0.0, 2.0), (1.0, 0.0))[1] == 1))
    True
    """
    key, shape = checked_key("normal", key), checked_shape("normal", shape)
    if dtype is not None and np.dtype(dtype).kind == "c":
        dtype = np.dtype(dtype)
        real = np.empty(0, dtype).real.dtype
        keys = split(key)
        parts = (normal_of(keys[i], shape, real) for i in range(2))
        return e.multiply(make_complex(*parts), 1 / ROOT_TWO)
    return normal_of(key, shape, floating("normal", dtype, half=True))


def normal_of(key: Any, shape: tuple[int, ...], dtype: np.dtype) -> Any:
    low = np.nextafter(dtype.type(-1), dtype.type(0))
    u = _between(key, shape, dtype, float(low), 1.0)
    if dtype.itemsize == 2:  # in single precision
        wide = e.multiply(erfinv(convert(u, dtype=np.dtype(np.float32))), np.float32(ROOT_TWO))
        return convert(wide, dtype=dtype)
    return e.multiply(erfinv(u), dtype.type(ROOT_TWO))


def truncated_normal(
    key: Any, lower: Any, upper: Any, shape: Shape | None = None, dtype: Any = None
) -> Any:
    """Standard normal numbers within (lower, upper).

    sqrt(2) erfinv(u), u between erf(lower / sqrt(2)) and erf(upper / sqrt(2)). Differentiable in
    the bounds. Beyond 8 (in float64) the tail is narrower than rounding: use -log of a shifted
    exponential there.

    Parameters
    ----------
    key
        uint32, (2,).
    lower, upper
        Bounds, which broadcast with each other and to ``shape``.
    shape
        Shape of the result; by default that of the bounds.
    dtype
        float64 (default) or float32.

    Examples
    --------
    >>> import numpy as np, functorch_like as ft
    >>> x = ft.random.truncated_normal(ft.random.key(0), -1.0, 2.0, (100,))
    >>> bool(np.all((x > -1) & (x < 2)))
    True
    """
    key, shape, dtype, lower, upper = prepared(
        "truncated_normal", key, shape, dtype, lower=lower, upper=upper
    )
    a, b = (erf(e.divide(x, dtype.type(ROOT_TWO))) for x in (lower, upper))
    x = e.multiply(erfinv(_between(key, shape, dtype, a, b)), dtype.type(ROOT_TWO))
    # Rounding must not leave the open interval.
    x = e.maximum(x, e.nextafter(stop_gradient(lower), dtype.type(np.inf)))
    return e.minimum(x, e.nextafter(stop_gradient(upper), dtype.type(-np.inf)))


def exponential(key: Any, shape: Shape = (), dtype: Any = None) -> Any:
    """Exponential numbers of mean 1: -log(1 - u).

    Examples
    --------
    >>> import functorch_like as ft
    >>> bool(ft.random.exponential(ft.random.key(0)) > 0)
    True
    """
    key, dtype = checked_key("exponential", key), floating("exponential", dtype)
    return _exponential(key, checked_shape("exponential", shape), dtype)


def _exponential(key: Any, shape: tuple[int, ...], dtype: np.dtype) -> Any:
    return e.negative(e.log1p(e.negative(unit(key, shape, dtype))))


def gumbel(key: Any, shape: Shape = (), dtype: Any = None, mode: str | None = None) -> Any:
    """Gumbel numbers: -log(-log u).

    Parameters
    ----------
    key
        uint32, (2,).
    shape
        Shape of the result.
    dtype
        float64 (default) or float32.
    mode
        ``"low"`` (default), or ``"high"``: two uniform numbers each, which resolves the upper
        tail down to probabilities of 2^-104 (2^-46 in float32).

    Raises
    ------
    ValueError
        If ``mode`` is another.

    Examples
    --------
    >>> import functorch_like as ft
    >>> ft.random.gumbel(ft.random.key(0), (2, 3)).shape
    (2, 3)
    """
    key, dtype = checked_key("gumbel", key), floating("gumbel", dtype)
    return gumbel_of("gumbel", key, checked_shape("gumbel", shape), dtype, mode)


def gumbel_of(name: str, key: Any, shape: tuple, dtype: np.dtype, mode: str | None) -> Any:
    """Gumbel numbers, with the mode checked."""
    tiny = float(np.finfo(dtype).tiny)
    if mode in (None, "low"):
        return e.negative(e.log(e.negative(e.log(_between(key, shape, dtype, tiny, 1.0)))))
    if mode != "high":
        raise ValueError(
            f"random.{name}: expected mode 'low' or 'high'; got {mode!r}, at {user_line()}."
        )
    both = unit(key, (2, *shape), dtype)
    high, low = both[0], both[1]
    fine = e.add(e.multiply(low, 2.0 ** -np.finfo(dtype).nmant), tiny)
    x = e.select(e.greater_equal(high, 0.5), high, e.add(high, fine))
    return e.negative(e.log(e.negative(e.log1p(e.negative(x)))))


def laplace(key: Any, shape: Shape = (), dtype: Any = None) -> Any:
    """Laplace numbers of scale 1: sign(u) log(1 - |u|), u in (-1, 1).

    Examples
    --------
    >>> import functorch_like as ft
    >>> ft.random.laplace(ft.random.key(0), 3).shape
    (3,)
    """
    key, dtype = checked_key("laplace", key), floating("laplace", dtype)
    low = -1.0 + float(np.finfo(dtype).epsneg)
    u = _between(key, checked_shape("laplace", shape), dtype, low, 1.0)
    return e.multiply(e.sign(u), e.log1p(e.negative(e.absolute(u))))


def logistic(key: Any, shape: Shape = (), dtype: Any = None) -> Any:
    """Logistic numbers of scale 1: log(u / (1 - u)).

    Examples
    --------
    >>> import functorch_like as ft
    >>> ft.random.logistic(ft.random.key(0), (2,)).shape
    (2,)
    """
    key, dtype = checked_key("logistic", key), floating("logistic", dtype)
    tiny = float(np.finfo(dtype).tiny)
    u = _between(key, checked_shape("logistic", shape), dtype, tiny, 1.0)
    return e.subtract(e.log(u), e.log1p(e.negative(u)))


def cauchy(key: Any, shape: Shape = (), dtype: Any = None) -> Any:
    """Cauchy numbers of scale 1: tan(pi (u - 1/2)).

    Examples
    --------
    >>> import functorch_like as ft
    >>> ft.random.cauchy(ft.random.key(0), (2,)).shape
    (2,)
    """
    key, dtype = checked_key("cauchy", key), floating("cauchy", dtype)
    smallest = float(np.finfo(dtype).eps)
    u = _between(key, checked_shape("cauchy", shape), dtype, smallest, 1.0)
    return e.tan(e.multiply(e.subtract(u, 0.5), dtype.type(math.pi)))


def pareto(key: Any, b: Any, shape: Shape | None = None, dtype: Any = None) -> Any:
    """Pareto numbers above 1, of tail x^-b: exp(exponential / b). Differentiable in ``b``.

    Examples
    --------
    >>> import functorch_like as ft
    >>> bool(ft.random.pareto(ft.random.key(0), 2.5) >= 1)
    True
    """
    key, shape, dtype, b = prepared("pareto", key, shape, dtype, b=b)
    return e.exp(e.divide(_exponential(key, shape, dtype), b))


def weibull_min(
    key: Any, scale: Any, concentration: Any, shape: Shape | None = None, dtype: Any = None
) -> Any:
    """Weibull numbers: scale (-log(1 - u))^(1 / concentration). Differentiable in both.

    Examples
    --------
    >>> import functorch_like as ft
    >>> bool(ft.random.weibull_min(ft.random.key(0), 2.0, 1.5) > 0)
    True
    """
    key, shape, dtype, scale, concentration = prepared(
        "weibull_min", key, shape, dtype, scale=scale, concentration=concentration
    )
    x = _exponential(key, shape, dtype)
    return e.multiply(e.power(x, e.reciprocal(concentration)), scale)


def rayleigh(key: Any, scale: Any = 1.0, shape: Shape | None = None, dtype: Any = None) -> Any:
    """Rayleigh numbers: scale sqrt(-2 log u). Differentiable in ``scale``.

    A u of exactly 0, once in 2^52 (2^23 in float32), is replaced by 1, and gives 0, not inf.

    Examples
    --------
    >>> import functorch_like as ft
    >>> bool(ft.random.rayleigh(ft.random.key(0), 2.0) > 0)
    True
    """
    key, shape, dtype, scale = prepared("rayleigh", key, shape, dtype, scale=scale)
    return e.multiply(scale, e.sqrt(e.multiply(-2.0, e.log(_positive(key, shape, dtype)))))


def _positive(key: Any, shape: tuple[int, ...], dtype: np.dtype) -> Any:
    """Numbers in (0, 1]: 0 is replaced by 1, and the others stay what they are."""
    u = unit(key, shape, dtype)
    return e.select(e.equal(u, 0), dtype.type(1), u)


def maxwell(key: Any, shape: Shape = (), dtype: Any = None) -> Any:
    """Maxwell numbers of scale 1: the norm of three normal numbers.

    Examples
    --------
    >>> import functorch_like as ft
    >>> bool(ft.random.maxwell(ft.random.key(0)) > 0)
    True
    """
    key, dtype = checked_key("maxwell", key), floating("maxwell", dtype)
    return _maxwell(key, checked_shape("maxwell", shape), dtype)


def _maxwell(key: Any, shape: tuple[int, ...], dtype: np.dtype) -> Any:
    x = normal_of(key, (*shape, 3), dtype)
    return e.sqrt(reduce_sum(e.square(x), axes=(len(shape),)))


def signs(key: Any, shape: tuple[int, ...], dtype: np.dtype) -> Any:
    """-1 or 1 with equal chances."""
    return e.select(
        e.less(unit(key, shape, np.dtype(np.float64)), 0.5), dtype.type(1), dtype.type(-1)
    )


def double_sided_maxwell(
    key: Any, loc: Any, scale: Any, shape: Shape | None = None, dtype: Any = None
) -> Any:
    """Maxwell numbers x of random sign: loc + scale x. Differentiable in both.

    Examples
    --------
    >>> import functorch_like as ft
    >>> ft.random.double_sided_maxwell(ft.random.key(0), 0.0, 1.0, (4,)).shape
    (4,)
    """
    key, shape, dtype, loc, scale = prepared(
        "double_sided_maxwell", key, shape, dtype, loc=loc, scale=scale
    )
    keys = split(key)
    x = e.multiply(signs(keys[1], shape, dtype), _maxwell(keys[0], shape, dtype))
    return e.add(e.multiply(x, scale), loc)


def lognormal(key: Any, sigma: Any = 1.0, shape: Shape | None = None, dtype: Any = None) -> Any:
    """exp(sigma x) of standard normal x. Differentiable in ``sigma``.

    Examples
    --------
    >>> import functorch_like as ft
    >>> bool(ft.random.lognormal(ft.random.key(0), 0.5) > 0)
    True
    """
    key, shape, dtype, sigma = prepared("lognormal", key, shape, dtype, sigma=sigma)
    return e.exp(e.multiply(normal_of(key, shape, dtype), sigma))


def triangular(
    key: Any, left: Any, mode: Any, right: Any, shape: Shape | None = None, dtype: Any = None
) -> Any:
    """Numbers in [left, right] of triangular density with its peak at ``mode``.

    The inverse of the distribution function; differentiable in the three parameters.

    Examples
    --------
    >>> import functorch_like as ft
    >>> bool(0 <= ft.random.triangular(ft.random.key(0), 0.0, 1.0, 4.0) <= 4)
    True
    """
    key, shape, dtype, left, mode, right = prepared(
        "triangular", key, shape, dtype, left=left, mode=mode, right=right
    )
    width, rise = e.subtract(right, left), e.subtract(mode, left)
    u = unit(key, shape, dtype)
    below = e.less(u, e.divide(rise, width))

    def rooted(share: Any, side: Any, used: Any) -> Any:
        # The root of what is not chosen may be 0, where its slope is infinite.
        inside = e.multiply(e.multiply(share, width), side)
        return e.sqrt(e.select(used, inside, 1.0))

    lower = e.add(left, rooted(u, rise, below))
    upper = e.subtract(
        right, rooted(e.subtract(1.0, u), e.subtract(right, mode), e.logical_not(below))
    )
    return e.select(below, lower, upper)


def wald(key: Any, mean: Any, shape: Shape | None = None, dtype: Any = None) -> Any:
    """Inverse Gaussian numbers of a mean and of scale 1.

    J. Michael, W. Schucany, R. Haas, American Statistician 30 (1976). The derivative in ``mean``
    is the implicit one (see ``gamma``), in closed form.

    Examples
    --------
    >>> import functorch_like as ft
    >>> bool(ft.random.wald(ft.random.key(0), 2.0) > 0)
    True
    """
    key, shape, dtype, mean = prepared("wald", key, shape, dtype, mean=mean)
    keys = split(key)
    y = e.square(normal_of(keys[0], shape, dtype))
    return p.wald_root(y, unit(keys[1], shape, dtype), mean)


def real_parameter(x: Any) -> Any:
    """A parameter as a floating operand: integers become float64."""
    x = as_operand(x)
    if dtype_of(x).kind == "f" and hasattr(x, "dtype"):
        return x
    return parameter(x, np.dtype(np.float64), shape_of(x))
