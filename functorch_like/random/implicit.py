"""Gamma variates, what is made of them, and von Mises angles: samplers that reject.

Their derivatives are taken along constant probability: see ``primitives.random``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..primitives import elementwise as e
from ..primitives import random as p
from ..primitives.stopping import stop_gradient
from .continuous import normal_of, prepared, signs
from .keys import Shape, split

__all__ = [
    "beta",
    "chisquare",
    "f",
    "gamma",
    "generalized_normal",
    "loggamma",
    "t",
    "von_mises",
]


def gamma(key: Any, a: Any, shape: Shape | None = None, dtype: Any = None) -> Any:
    """Numbers of Gamma(a, 1), with density x^(a - 1) e^-x / Gamma(a).

    Marsaglia and Tsang's rejection. The derivative in ``a`` is the implicit one, along constant
    probability: dx/da = -(dP(a, x)/da) / density, so that the gradient of a mean over samples is
    the mean of gradients; its own derivatives follow, to any order.

    Parameters
    ----------
    key
        uint32, (2,).
    a
        Positive, broadcasts to ``shape``; NaN results where it is not positive.
    shape
        Shape of the result; by default that of ``a``.
    dtype
        float64 (default) or float32.

    Examples
    --------
    >>> import numpy as np, functorch_like as ft
    >>> draw = lambda a: np.mean(ft.random.gamma(ft.random.key(0), a, (10_000,)))
    >>> round(float(ft.grad(draw)(3.0)), 1)  # the mean of Gamma(a, 1) is a
    1.0
    """
    key, shape, dtype, a = prepared("gamma", key, shape, dtype, a=a)
    return _gamma(key, a, shape, log=False)


def loggamma(key: Any, a: Any, shape: Shape | None = None, dtype: Any = None) -> Any:
    """Logarithms of numbers of Gamma(a, 1), which do not underflow for small ``a``.

    See ``gamma``, whose logarithms these are for the same key.

    Examples
    --------
    >>> import functorch_like as ft
    >>> bool(ft.random.loggamma(ft.random.key(0), 1e-3) > -1e6)
    True
    """
    key, shape, dtype, a = prepared("loggamma", key, shape, dtype, a=a)
    return _gamma(key, a, shape, log=True)


def _gamma(key: Any, a: Any, shape: tuple[int, ...], log: bool) -> Any:
    return p.random_gamma(p.random_split(key, shape=shape), a, log=log)


def chisquare(key: Any, df: Any, shape: Shape | None = None, dtype: Any = None) -> Any:
    """Chi-square numbers: twice Gamma(df / 2). Differentiable in ``df``, as ``gamma`` is.

    Examples
    --------
    >>> import functorch_like as ft
    >>> bool(ft.random.chisquare(ft.random.key(0), 3.0) > 0)
    True
    """
    key, shape, dtype, df = prepared("chisquare", key, shape, dtype, df=df)
    return _chisquare(key, df, shape)


def _chisquare(key: Any, df: Any, shape: tuple[int, ...]) -> Any:
    return e.multiply(2.0, e.exp(_gamma(key, e.divide(df, 2.0), shape, log=True)))


def t(key: Any, df: Any, shape: Shape | None = None, dtype: Any = None) -> Any:
    """Student's t: a normal number times sqrt((df / 2) / Gamma(df / 2)). Differentiable in ``df``.

    Examples
    --------
    >>> import functorch_like as ft
    >>> ft.random.t(ft.random.key(0), 3.0, (2,)).shape
    (2,)
    """
    key, shape, dtype, df = prepared("t", key, shape, dtype, df=df)
    keys, half = split(key), e.divide(df, 2.0)
    ratio = e.divide(half, _gamma(keys[1], half, shape, log=False))
    return e.multiply(normal_of(keys[0], shape, dtype), e.sqrt(ratio))


def f(key: Any, dfnum: Any, dfden: Any, shape: Shape | None = None, dtype: Any = None) -> Any:
    """Fisher's F: the ratio of two chi-squares over their degrees. Differentiable in both.

    Examples
    --------
    >>> import functorch_like as ft
    >>> bool(ft.random.f(ft.random.key(0), 3.0, 4.0) > 0)
    True
    """
    key, shape, dtype, dfnum, dfden = prepared("f", key, shape, dtype, dfnum=dfnum, dfden=dfden)
    keys = split(key)
    numerator = e.divide(_chisquare(keys[1], dfnum, shape), dfnum)
    return e.divide(numerator, e.divide(_chisquare(keys[0], dfden, shape), dfden))


def beta(key: Any, a: Any, b: Any, shape: Shape | None = None, dtype: Any = None) -> Any:
    """Numbers in [0, 1] of Beta(a, b): the share of Gamma(a) in Gamma(a) + Gamma(b).

    Differentiable in both, as ``gamma`` is; worked in logarithms, for small parameters.

    Examples
    --------
    >>> import functorch_like as ft
    >>> bool(0 < ft.random.beta(ft.random.key(0), 2.0, 3.0) < 1)
    True
    """
    key, shape, dtype, a, b = prepared("beta", key, shape, dtype, a=a, b=b)
    keys = split(key)
    log_a, log_b = (_gamma(keys[i], x, shape, log=True) for i, x in enumerate((a, b)))
    largest = stop_gradient(e.maximum(log_a, log_b))
    share_a, share_b = (e.exp(e.subtract(x, largest)) for x in (log_a, log_b))
    return e.divide(share_a, e.add(share_a, share_b))


def generalized_normal(key: Any, p: Any, shape: Shape | None = None, dtype: Any = None) -> Any:
    """Numbers of density proportional to exp(-|x|^p): +-Gamma(1/p)^(1/p).

    Differentiable in ``p``.

    Examples
    --------
    >>> import functorch_like as ft
    >>> ft.random.generalized_normal(ft.random.key(0), 4.0, (2,)).shape
    (2,)
    """
    key, shape, dtype, power = prepared("generalized_normal", key, shape, dtype, p=p)
    return generalized_normal_of(key, power, shape, dtype)


def generalized_normal_of(key: Any, power: Any, shape: tuple[int, ...], dtype: np.dtype) -> Any:
    """See ``generalized_normal``; ``power`` has the shape."""
    keys, inverse = split(key), e.reciprocal(power)
    logs = _gamma(keys[0], inverse, shape, log=True)  # the logarithm does not underflow
    return e.multiply(signs(keys[1], shape, dtype), e.exp(e.multiply(logs, inverse)))


def von_mises(
    key: Any, kappa: Any, loc: Any = 0.0, shape: Shape | None = None, dtype: Any = None
) -> Any:
    """Angles in [-pi, pi] of density proportional to exp(kappa cos(x - loc)).

    Best and Fisher's rejection. The derivative in ``kappa`` is the implicit one (see ``gamma``),
    of any order; in ``loc`` it is 1.

    Parameters
    ----------
    key
        uint32, (2,).
    kappa
        Concentration, not negative (NaN otherwise).
    loc
        The mode.
    shape
        Shape of the result; by default that of the parameters.
    dtype
        float64 (default) or float32.

    Examples
    --------
    >>> import functorch_like as ft
    >>> bool(abs(ft.random.von_mises(ft.random.key(0), 1e4)) < 0.1)
    True
    """
    key, shape, dtype, kappa, loc = prepared("von_mises", key, shape, dtype, kappa=kappa, loc=loc)
    x = p.random_von_mises(p.random_split(key, shape=shape), kappa)
    full = dtype.type(2 * math.pi)
    x = e.add(x, loc)
    turns = stop_gradient(e.rint(e.divide(x, full)))
    return e.subtract(x, e.multiply(turns, full))
