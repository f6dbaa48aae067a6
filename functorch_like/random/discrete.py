"""Distributions of integers and truth values: without derivative in their parameters.

A parameter is a constant to these functions, even where it is being differentiated. For a
gradient of an expectation use the score function, ``straight_through``, or a relaxation.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import user_line
from ..numpy.elementwise import as_operand, discretize
from ..primitives import elementwise as e
from ..primitives import random as p
from ..primitives.core import dtype_of
from ..primitives.stopping import stop_gradient
from ..primitives.structural import convert
from .continuous import real_parameter, signs, unit
from .keys import (
    Shape,
    beside,
    checked_key,
    checked_shape,
    common_shape,
    floating,
    integer,
    parameter,
    split,
)

__all__ = [
    "bernoulli",
    "binomial",
    "geometric",
    "hypergeometric",
    "negative_binomial",
    "poisson",
    "rademacher",
    "randint",
]

F8, I8 = np.dtype(np.float64), np.dtype(np.int64)


def randint(key: Any, shape: Shape, minval: Any, maxval: Any, dtype: Any = None) -> Any:
    """Integers in [minval, maxval), equally likely.

    Parameters
    ----------
    key
        uint32, (2,).
    shape
        Shape of the result.
    minval, maxval
        Integer bounds that broadcast to ``shape``; ``minval`` results where the interval is
        empty.
    dtype
        int64 (default) or another integer dtype.

    Returns
    -------
    Array of ``shape`` and ``dtype``. Twice the bits of the dtype are reduced modulo the number of
    values, which leaves a bias of less than that number over 2^128 (2^64 up to 32 bits).

    Raises
    ------
    TypeError
        If a bound is no integer.

    Examples
    --------
    >>> import numpy as np, functorch_like as ft
    >>> x = ft.random.randint(ft.random.key(0), (1000,), -2, 3)
    >>> np.unique(x)
    array([-2, -1,  0,  1,  2])
    """
    key, dtype = checked_key("randint", key), integer("randint", dtype)
    shape = checked_shape("randint", shape)
    common_shape("randint", shape, minval=minval, maxval=maxval)
    limits = np.iinfo(dtype)
    sampled = dtype if dtype.itemsize >= 4 else np.dtype(np.int32)
    low, low_above = (beside(key, x) for x in _bound("minval", minval, limits, shape, sampled))
    high, high_above = (beside(key, x) for x in _bound("maxval", maxval, limits, shape, sampled))
    unsigned = np.dtype(f"u{sampled.itemsize}")
    span = e.subtract(convert(high, dtype=unsigned), convert(low, dtype=unsigned))
    if high_above is not False:  # a maxval one beyond the dtype's largest
        span = e.add(
            span, convert(e.logical_and(high_above, e.logical_not(low_above)), dtype=unsigned)
        )
        empty = e.logical_and(e.less_equal(high, low), e.logical_not(high_above))
    else:
        empty = e.less_equal(high, low)
    span = e.select(empty, unsigned.type(1), span)
    keys, width = split(key), 8 * sampled.itemsize
    upper, lower = (p.random_bits(keys[i], shape=shape, width=width) for i in range(2))
    # A span of 0 stands for all 2^width values, and leaves the bits as they are.
    whole = e.equal(span, 0)
    divisor = e.select(whole, unsigned.type(1), span)
    factor = e.remainder(unsigned.type(2 ** (width // 2)), divisor)
    factor = e.remainder(e.multiply(factor, factor), divisor)
    offset = e.add(e.multiply(e.remainder(upper, divisor), factor), e.remainder(lower, divisor))
    offset = e.select(whole, lower, e.remainder(offset, divisor))
    result = convert(e.add(convert(low, dtype=unsigned), offset), dtype=sampled)
    return result if sampled == dtype else convert(result, dtype=dtype)


def _bound(name: str, x: Any, limits: Any, shape: tuple, sampled: np.dtype) -> tuple[Any, Any]:
    """A bound clipped to the dtype's values, and whether it was above them."""
    above: Any = False
    if type(x) is int:
        beyond = np.asarray(True) if x > limits.max else False
        x = sampled.type(min(max(x, int(limits.min)), int(limits.max)))
        return parameter(np.asarray(x), sampled, shape), beyond
    x = as_operand(x)
    if dtype_of(x).kind not in "iub":
        raise TypeError(
            f"random.randint: expected an integer {name}; got dtype {dtype_of(x)}, at "
            f"{user_line()}."
        )
    own = np.iinfo(dtype_of(x)) if dtype_of(x).kind != "b" else np.iinfo(np.int8)
    if own.max > limits.max:
        above = parameter(e.greater(x, limits.max), np.dtype(bool), shape)
        x = e.minimum(x, dtype_of(x).type(limits.max))
    if own.min < limits.min:
        x = e.maximum(x, dtype_of(x).type(limits.min))
    return parameter(x, sampled, shape), above


def bernoulli(key: Any, p: Any = 0.5, shape: Shape | None = None, mode: str = "low") -> Any:
    """True with chance ``p``: u < p.

    Parameters
    ----------
    key
        uint32, (2,).
    p
        Chance, broadcasts to ``shape``. Its dtype is that of the uniform numbers.
    shape
        Shape of the result; by default that of ``p``.
    mode
        ``"low"`` resolves chances of 2^-52 (2^-23 in float32), ``"high"`` their squares.

    Returns
    -------
    Array of truth values.

    Raises
    ------
    ValueError
        If ``mode`` is another.

    Examples
    --------
    >>> import functorch_like as ft
    >>> int(ft.random.bernoulli(ft.random.key(0), 0.25, (1000,)).sum()) in range(200, 300)
    True
    """
    key, p = checked_key("bernoulli", key), real_parameter(p)
    dtype = floating("bernoulli", dtype_of(p))
    shape = common_shape("bernoulli", shape, p=p)
    chance = beside(key, stop_gradient(parameter(p, dtype, shape)))
    if mode == "low":
        return e.less(unit(key, shape, dtype), chance)
    if mode != "high":
        raise ValueError(
            f"random.bernoulli: expected mode 'low' or 'high'; got {mode!r}, at {user_line()}."
        )
    both = unit(key, (2, *shape), dtype)
    fine = e.multiply(both[1], 2.0 ** -np.finfo(dtype).nmant)
    return e.less(fine, e.subtract(chance, both[0]))


def rademacher(key: Any, shape: Shape = (), dtype: Any = None) -> Any:
    """-1 or 1 with equal chances, int64 by default.

    Examples
    --------
    >>> import numpy as np, functorch_like as ft
    >>> np.unique(ft.random.rademacher(ft.random.key(0), (100,)))
    array([-1,  1])
    """
    key = checked_key("rademacher", key)
    dtype = np.dtype(np.int64 if dtype is None else dtype)
    return signs(key, checked_shape("rademacher", shape), dtype)


def geometric(key: Any, p: Any, shape: Shape | None = None, dtype: Any = None) -> Any:
    """Number of trials up to the first success of chance ``p``: 1 + floor(log u / log(1 - p)).

    Parameters
    ----------
    key
        uint32, (2,).
    p
        Chance in (0, 1], broadcasts to ``shape``.
    shape
        Shape of the result; by default that of ``p``.
    dtype
        int64 (default) or another integer dtype.

    Examples
    --------
    >>> import functorch_like as ft
    >>> bool(ft.random.geometric(ft.random.key(0), 0.3) >= 1)
    True
    """
    key, p, dtype = checked_key("geometric", key), real_parameter(p), integer("geometric", dtype)
    shape = common_shape("geometric", shape, p=p)
    real = floating("geometric", dtype_of(p))
    chance = beside(key, stop_gradient(parameter(p, real, shape)))
    u = unit(key, shape, real)
    u = e.select(e.equal(u, 0), real.type(1), u)
    certain = e.greater_equal(chance, 1)
    log_miss = e.log1p(e.negative(e.select(certain, real.type(0.5), chance)))
    failures = e.floor(e.divide(e.log(u), log_miss))
    return discretize(e.add(e.select(certain, real.type(0), failures), 1), dtype)


def _counts(
    primitive: Any, name: str, key: Any, shape: Any, dtype: Any, given: dict, real: Any
) -> Any:
    """A sampler of counts whose parameters are constants of dtype ``real``."""
    key = checked_key(name, key)
    shape = common_shape(name, shape, **given)
    operands = [beside(key, stop_gradient(parameter(x, real, shape))) for x in given.values()]
    return primitive(key, *operands, dtype=dtype)


def poisson(key: Any, lam: Any, shape: Shape | None = None, dtype: Any = None) -> Any:
    """Poisson counts of mean ``lam``.

    Below a mean of 10 by products of uniform numbers, above by Hoermann's transformed rejection.
    The uniform numbers are of single precision, as in JAX; the arithmetic is double.

    Parameters
    ----------
    key
        uint32, (2,).
    lam
        Mean, broadcasts to ``shape``; -1 results where it is negative, NaN, or above 2^62.
    shape
        Shape of the result; by default that of ``lam``.
    dtype
        int64 (default) or another integer dtype.

    Examples
    --------
    >>> import functorch_like as ft
    >>> int(ft.random.poisson(ft.random.key(0), 1e6)) in range(990_000, 1_010_000)
    True
    """
    dtype = integer("poisson", dtype)
    return _counts(p.random_poisson, "poisson", key, shape, dtype, {"lam": lam}, F8)


def binomial(key: Any, n: Any, p: Any, shape: Shape | None = None, dtype: Any = None) -> Any:
    """Number of successes among ``n`` trials of chance ``p``, as floating numbers.

    Up to a mean of 10 by geometric waiting times, above by Hoermann's transformed rejection.

    Parameters
    ----------
    key
        uint32, (2,).
    n, p
        Number of trials and chance, which broadcast to ``shape``; NaN results where ``n`` is
        negative or ``p`` outside [0, 1].
    shape
        Shape of the result; by default that of the parameters.
    dtype
        float64 (default), float32, or an integer dtype, in which NaN is -1.

    Examples
    --------
    >>> import functorch_like as ft
    >>> bool(0 <= ft.random.binomial(ft.random.key(0), 10, 0.3) <= 10)
    True
    """
    return binomial_of("binomial", key, n, p, shape, dtype)


def binomial_of(name: str, key: Any, n: Any, chance: Any, shape: Any, dtype: Any) -> Any:
    """See ``binomial``."""
    if dtype is not None and np.dtype(dtype).kind in "iu":
        dtype = np.dtype(dtype)
    else:
        dtype = floating(name, dtype)
    return _counts(p.random_binomial, name, key, shape, dtype, {"n": n, "p": chance}, F8)


def negative_binomial(
    key: Any, n: Any, p: Any, shape: Shape | None = None, dtype: Any = None
) -> Any:
    """Failures before the ``n``-th success of chance ``p``: Poisson of Gamma(n) (1 - p) / p.

    Parameters
    ----------
    key
        uint32, (2,).
    n, p
        Number of successes (positive, need not be whole) and chance in (0, 1]; they broadcast
        to ``shape``.
    shape
        Shape of the result; by default that of the parameters.
    dtype
        int64 (default) or another integer dtype.

    Examples
    --------
    >>> import functorch_like as ft
    >>> bool(ft.random.negative_binomial(ft.random.key(0), 5, 0.5) >= 0)
    True
    """
    key, dtype = checked_key("negative_binomial", key), integer("negative_binomial", dtype)
    shape = common_shape("negative_binomial", shape, n=n, p=p)
    n, chance = (stop_gradient(parameter(x, F8, shape)) for x in (n, p))
    return _mixed_poisson(split(key), n, chance, shape, dtype)


def _mixed_poisson(keys: Any, n: Any, chance: Any, shape: tuple, dtype: np.dtype) -> Any:
    rate = p.random_gamma(p.random_split(keys[0], shape=shape), n, log=False)
    odds = e.divide(e.subtract(1.0, chance), chance)
    return p.random_poisson(keys[1], e.multiply(rate, odds), dtype=dtype)


def hypergeometric(
    key: Any, ngood: Any, nbad: Any, nsample: Any, shape: Shape | None = None, dtype: Any = None
) -> Any:
    """Good ones among ``nsample`` drawn of ``ngood + nbad`` without putting back.

    Drawn one after the other: the work grows with the smaller of ``nsample`` and what stays
    behind.

    Parameters
    ----------
    key
        uint32, (2,).
    ngood, nbad, nsample
        Integers that broadcast to ``shape``; -1 results where one is negative or more are drawn
        than there are.
    shape
        Shape of the result; by default that of the parameters.
    dtype
        int64 (default) or another integer dtype.

    Examples
    --------
    >>> import functorch_like as ft
    >>> int(ft.random.hypergeometric(ft.random.key(0), 5, 3, 8))
    5
    """
    dtype = integer("hypergeometric", dtype)
    given = {"ngood": ngood, "nbad": nbad, "nsample": nsample}
    return _counts(p.random_hypergeometric, "hypergeometric", key, shape, dtype, given, I8)
