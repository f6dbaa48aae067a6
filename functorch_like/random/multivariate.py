"""Vectors, orders and choices."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import user_line
from ..numpy.elementwise import as_operand
from ..numpy.indexing import take
from ..primitives import elementwise as e
from ..primitives import random as p
from ..primitives.core import dtype_of, shape_of
from ..primitives.reduction import reduce_sum
from ..primitives.stopping import stop_gradient
from .continuous import exponential, gumbel_of, normal, unit
from .discrete import binomial_of, randint
from .implicit import generalized_normal_of, loggamma
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
    "ball",
    "categorical",
    "choice",
    "dirichlet",
    "multinomial",
    "multivariate_normal",
    "orthogonal",
    "permutation",
]


def _axis(name: str, axis: int, ndim: int) -> int:
    if not -ndim <= axis < ndim:
        raise ValueError(
            f"random.{name}: expected an axis of an array of {ndim} axes; got {axis}, at "
            f"{user_line()}."
        )
    return axis % ndim


def _count(name: str, x: Any) -> int | None:
    """A population given by its size, or None if it is an array."""
    if isinstance(x, (int, np.integer)):
        return int(x)
    if shape_of(as_operand(x)) == ():
        raise TypeError(
            f"random.{name}: expected a Python integer or an array of at least one axis; got "
            f"{type(x).__name__}, at {user_line()}; sizes cannot be traced."
        )
    return None


def permutation(key: Any, x: Any, axis: int = 0, independent: bool = False) -> Any:
    """Random order of ``range(x)``, or of an array along an axis.

    Sorts by random bits, more than once where they may tie, so every order is equally likely.
    Differentiable in ``x``.

    Parameters
    ----------
    key
        uint32, (2,).
    x
        An integer, or an array.
    axis
        The axis whose elements are permuted.
    independent
        Whether each row along the axis has an order of its own.

    Raises
    ------
    TypeError
        If ``x`` is a traced or floating scalar.
    ValueError
        If there is no such axis.

    Examples
    --------
    >>> import numpy as np, functorch_like as ft
    >>> np.sort(ft.random.permutation(ft.random.key(0), 4))
    array([0, 1, 2, 3])
    """
    key, count = checked_key("permutation", key), _count("permutation", x)
    if count is not None:
        return _order(key, (count,), 0)
    x = as_operand(x)
    axis = _axis("permutation", axis, len(shape_of(x)))
    if independent:
        return np.take_along_axis(x, _order(key, shape_of(x), axis), axis)
    return take(x, _order(key, (shape_of(x)[axis],), 0), axis)


def _order(key: Any, shape: tuple[int, ...], axis: int) -> Any:
    """Random permutations of positions along an axis."""
    ramp = np.arange(shape[axis]).reshape(-1, *(1,) * (len(shape) - axis - 1))
    order = beside(key, np.ascontiguousarray(np.broadcast_to(ramp, shape)))
    size = max(1, math.prod(shape))
    # 32 bits tie with a chance of n^2 / 2^33: rounds until n^3 orders could be told apart.
    for _ in range(math.ceil(3 * math.log(size) / math.log(0xFFFFFFFF))):
        keys = split(key)
        key = keys[0]
        ranks = p.random_bits(keys[1], shape=shape, width=32)
        order = np.take_along_axis(order, np.argsort(ranks, axis=axis, kind="stable"), axis)
    return order


def choice(
    key: Any,
    a: Any,
    shape: Shape = (),
    replace: bool = True,
    p: Any = None,
    axis: int = 0,
    mode: str | None = None,
) -> Any:
    """Elements of ``a`` (or of ``range(a)``) drawn at random.

    Parameters
    ----------
    key
        uint32, (2,).
    a
        An integer, or an array whose slices along ``axis`` are drawn. Differentiable.
    shape
        Shape of the draws.
    replace
        Whether an element may be drawn again.
    p
        Chances, (a.shape[axis],), by default equal ones; they are normalised. A constant to
        derivatives.
    axis
        The axis that is drawn from.
    mode
        Of ``gumbel``, which serves draws by chances without replacement.

    Returns
    -------
    Array of shape ``a.shape[:axis] + shape + a.shape[axis + 1:]``.

    Raises
    ------
    ValueError
        If there are too few elements to draw, or ``p`` has another shape.

    Examples
    --------
    >>> import numpy as np, functorch_like as ft
    >>> bool(ft.random.choice(ft.random.key(0), np.array([2.0, 3.0])) in (2.0, 3.0))
    True
    """
    key, shape = checked_key("choice", key), checked_shape("choice", shape)
    count = _count("choice", a)
    if count is None:
        a = as_operand(a)
        axis = _axis("choice", axis, len(shape_of(a)))
        total = shape_of(a)[axis]
    else:
        total = count
    wanted = math.prod(shape)
    if wanted > 0 and total <= 0:
        raise ValueError(
            f"random.choice: expected elements to draw from; got none, at {user_line()}."
        )
    if not replace and wanted > total:
        raise ValueError(
            f"random.choice: expected at most {total} draws without replacement; got "
            f"shape={shape}, at {user_line()}; set replace=True."
        )
    if p is not None:
        p = stop_gradient(as_operand(p))
        if shape_of(p) != (total,):
            raise ValueError(
                f"random.choice: expected p of shape ({total},), as a has along axis {axis}; "
                f"got {shape_of(p)}, at {user_line()}."
            )
    index = _drawn(key, total, shape, replace, p, mode) if wanted else np.zeros(shape, np.int64)
    if count is not None:
        return index
    return take(a, index, axis)


def _drawn(
    key: Any, total: int, shape: tuple[int, ...], replace: bool, chances: Any, mode: str | None
) -> Any:
    """Positions drawn from ``range(total)``."""
    if chances is None:
        if replace:
            return randint(key, shape, 0, total)
        return _order(key, (total,), 0)[: math.prod(shape)].reshape(shape)
    dtype = dtype_of(chances) if dtype_of(chances).kind == "f" else np.dtype(np.float64)
    chances = beside(key, parameter(chances, dtype, (total,)))
    if replace:
        sums = np.cumsum(chances)
        r = e.multiply(sums[-1], e.subtract(1.0, unit(key, shape, dtype)))
        return np.searchsorted(sums, r)
    with np.errstate(divide="ignore"):
        scores = e.add(gumbel_of("choice", key, (total,), dtype, mode), e.log(chances))
    return _largest(scores, math.prod(shape)).reshape(shape)


def _largest(scores: Any, count: int) -> Any:
    """Positions of the ``count`` largest along the last axis, from the largest down."""
    return np.argsort(e.negative(scores), axis=-1, kind="stable")[..., :count]


def categorical(
    key: Any,
    logits: Any,
    axis: int = -1,
    shape: Shape | None = None,
    replace: bool = True,
    mode: str | None = None,
) -> Any:
    """Positions along an axis, with chances proportional to exp(logits).

    The largest of logits + Gumbel numbers. Without derivative.

    Parameters
    ----------
    key
        uint32, (2,).
    logits
        Logarithms of chances, which need not be normalised; -inf is never drawn.
    axis
        The axis of the categories.
    shape
        Shape of the result, which ends with the other axes of ``logits``; these by default.
    replace
        Whether a category may be drawn again along the leading axes of ``shape``.
    mode
        Of ``gumbel``.

    Returns
    -------
    int64 array.

    Raises
    ------
    ValueError
        If ``shape`` does not fit, or there are too few categories.

    Examples
    --------
    >>> import numpy as np, functorch_like as ft
    >>> int(ft.random.categorical(ft.random.key(0), np.array([-np.inf, 0.0, -np.inf])))
    1
    """
    key, logits = checked_key("categorical", key), stop_gradient(as_operand(logits))
    dtype = dtype_of(logits) if dtype_of(logits).kind == "f" else np.dtype(np.float64)
    logits = parameter(logits, floating("categorical", dtype), shape_of(logits))
    logits = beside(key, logits)
    full = shape_of(logits)
    axis = _axis("categorical", axis, len(full))
    rest = full[:axis] + full[axis + 1 :]
    wanted = rest if shape is None else checked_shape("categorical", shape)
    if wanted[len(wanted) - len(rest) :] != rest or len(wanted) < len(rest):
        raise ValueError(
            f"random.categorical: expected a shape that ends with {rest}, the axes of logits "
            f"without axis {axis}; got {wanted}, at {user_line()}."
        )
    lead = wanted[: len(wanted) - len(rest)]
    if replace:
        noise = gumbel_of("categorical", key, (*lead, *full), dtype, mode)
        return np.argmax(e.add(noise, logits), axis=len(lead) + axis)
    count = math.prod(lead)
    if count > full[axis]:
        raise ValueError(
            f"random.categorical: expected at most {full[axis]} draws without replacement; got "
            f"{count}, at {user_line()}; set replace=True."
        )
    scores = e.add(gumbel_of("categorical", key, full, dtype, mode), logits)
    found = _largest(np.moveaxis(scores, axis, -1), count)
    return np.moveaxis(found, -1, 0).reshape(wanted)


def multivariate_normal(
    key: Any,
    mean: Any,
    cov: Any,
    shape: Shape | None = None,
    dtype: Any = None,
    method: str = "cholesky",
) -> Any:
    """Normal vectors: mean + L x, with x standard normal and cov = L L^T.

    Differentiable in mean and covariance.

    Parameters
    ----------
    key
        uint32, (2,).
    mean
        (..., n).
    cov
        (..., n, n), symmetric and positive definite (semidefinite for the other methods).
    shape
        Leading axes of the result; by default those of mean and covariance.
    dtype
        That of the parameters by default.
    method
        How L is found: ``"cholesky"``, ``"eigh"`` or ``"svd"``.

    Returns
    -------
    Array of shape ``shape + (n,)``.

    Raises
    ------
    ValueError
        If the shapes do not fit, or the method is another.

    Examples
    --------
    >>> import numpy as np, functorch_like as ft
    >>> draw = lambda cov: ft.random.multivariate_normal(ft.random.key(0), np.zeros(2), cov)
    >>> ft.jacobian(draw)(np.eye(2)).shape
    (2, 2, 2)
    """
    key = checked_key("multivariate_normal", key)
    mean, cov = as_operand(mean), as_operand(cov)
    if dtype is None:
        dtype = np.result_type(dtype_of(mean), dtype_of(cov))
        dtype = dtype if dtype.kind == "f" else np.float64
    dtype = floating("multivariate_normal", dtype)
    n = shape_of(mean)[-1] if shape_of(mean) else -1
    if n < 0 or shape_of(cov)[-2:] != (n, n):
        raise ValueError(
            "random.multivariate_normal: expected mean (..., n) and cov (..., n, n); got "
            f"{shape_of(mean)} and {shape_of(cov)}, at {user_line()}."
        )
    lead = common_shape(
        "multivariate_normal",
        shape,
        mean=np.broadcast_to(0.0, shape_of(mean)[:-1]),
        cov=np.broadcast_to(0.0, shape_of(cov)[:-2]),
    )
    mean, cov = (beside(key, parameter(x, dtype, shape_of(x))) for x in (mean, cov))
    if method == "cholesky":
        factor = np.linalg.cholesky(cov)
    elif method == "eigh":
        values, vectors = np.linalg.eigh(cov)
        factor = vectors * np.sqrt(values[..., None, :])
    elif method == "svd":
        vectors, values, _ = np.linalg.svd(cov)
        factor = vectors * np.sqrt(values[..., None, :])
    else:
        raise ValueError(
            "random.multivariate_normal: expected method 'cholesky', 'eigh' or 'svd'; got "
            f"{method!r}, at {user_line()}."
        )
    x = normal(key, (*lead, n), dtype)
    return mean + np.einsum("...ij,...j->...i", factor, x)


def dirichlet(key: Any, alpha: Any, shape: Shape | None = None, dtype: Any = None) -> Any:
    """Shares of density proportional to prod x_i^(alpha_i - 1).

    Gamma variates over their sum, in logarithms; differentiable as ``gamma`` is.

    Parameters
    ----------
    key
        uint32, (2,).
    alpha
        (..., n), positive.
    shape
        Leading axes of the result; by default those of ``alpha``.
    dtype
        float64 (default) or float32.

    Returns
    -------
    Array of shape ``shape + (n,)``, whose last axis sums to 1.

    Raises
    ------
    ValueError
        If ``alpha`` is a scalar, or does not broadcast.

    Examples
    --------
    >>> import numpy as np, functorch_like as ft
    >>> x = ft.random.dirichlet(ft.random.key(0), np.array([0.5, 2.0, 3.0]), (4,))
    >>> bool(np.allclose(x.sum(-1), 1))
    True
    """
    key, alpha = checked_key("dirichlet", key), as_operand(alpha)
    if shape_of(alpha) == ():
        raise ValueError(
            f"random.dirichlet: expected alpha (..., n); got a scalar, at {user_line()}."
        )
    n = shape_of(alpha)[-1]
    given = np.broadcast_to(0.0, shape_of(alpha)[:-1])
    lead = common_shape("dirichlet", shape, alpha=given)
    logs = loggamma(key, alpha, (*lead, n), dtype)
    shares = np.exp(logs - stop_gradient(np.max(logs, axis=-1, keepdims=True)))
    return shares / np.sum(shares, axis=-1, keepdims=True)


def multinomial(key: Any, n: Any, p: Any, *, shape: Shape | None = None, dtype: Any = None) -> Any:
    """Counts of ``n`` draws among categories of chances ``p``.

    One binomial number a category, of what is left. Without derivative.

    Parameters
    ----------
    key
        uint32, (2,).
    n
        Number of draws, broadcasts to ``shape[:-1]``.
    p
        (..., k), chances that sum to 1.
    shape
        Shape of the result, whose last axis is k; by default that of ``p``.
    dtype
        float64 (default), float32 or an integer dtype.

    Returns
    -------
    Array of ``shape``, whose last axis sums to ``n``.

    Examples
    --------
    >>> import numpy as np, functorch_like as ft
    >>> x = ft.random.multinomial(ft.random.key(0), 10, np.array([0.2, 0.3, 0.5]))
    >>> float(x.sum())
    10.0
    """
    key, chances = checked_key("multinomial", key), as_operand(p)
    if shape_of(chances) == ():
        raise ValueError(
            f"random.multinomial: expected p (..., k); got a scalar, at {user_line()}."
        )
    full = common_shape("multinomial", shape, p=chances)
    f8 = np.dtype(np.float64)
    left = stop_gradient(parameter(n, f8, full[:-1]))
    chances = stop_gradient(parameter(chances, f8, full))
    rest = np.flip(np.cumsum(np.flip(chances, -1), axis=-1), -1)
    ratios = np.clip(chances / np.where(rest == 0, 1.0, rest), 0.0, 1.0)
    keys = split(key, full[-1])
    counts = []
    for i in range(full[-1]):
        counts.append(binomial_of("multinomial", keys[i], left, ratios[..., i], full[:-1], f8))
        left = left - counts[-1]
    out = np.stack(counts, axis=-1) if counts else np.zeros(full)
    return out if dtype is None else out.astype(dtype)


def orthogonal(key: Any, n: int, shape: Shape = (), dtype: Any = None, m: int | None = None) -> Any:
    """Matrices with orthonormal columns (rows, if n < m), equally likely (Haar measure).

    Q of a QR factorisation of normal numbers, the diagonal of R made positive: F. Mezzadri,
    Notices of the AMS 54 (2007).

    Parameters
    ----------
    key
        uint32, (2,).
    n, m
        Rows and columns; ``m = n`` by default.
    shape
        Leading axes of the result.
    dtype
        float64 (default) or float32.

    Returns
    -------
    Array of shape ``shape + (n, m)``.

    Examples
    --------
    >>> import numpy as np, functorch_like as ft
    >>> q = ft.random.orthogonal(ft.random.key(0), 3)
    >>> bool(np.allclose(q @ q.T, np.eye(3)))
    True
    """
    key, dtype = checked_key("orthogonal", key), floating("orthogonal", dtype)
    shape, m = checked_shape("orthogonal", shape), n if m is None else m
    q, r = np.linalg.qr(normal(key, (*shape, max(n, m), min(n, m)), dtype))
    x = q * np.sign(np.diagonal(r, axis1=-2, axis2=-1))[..., None, :]
    return np.swapaxes(x, -1, -2) if n < m else x


def ball(key: Any, d: int, p: Any = 2.0, shape: Shape = (), dtype: Any = None) -> Any:
    """Points of the ball sum |x_i|^p <= 1 in ``d`` dimensions, equally likely.

    F. Barthe, O. Guedon, S. Mendelson, A. Naor, Annals of Probability 33 (2005): g over
    (sum |g|^p + E)^(1/p), g generalised normal and E exponential. Differentiable in ``p``.

    Parameters
    ----------
    key
        uint32, (2,).
    d
        Dimension.
    p
        Exponent of the norm, a scalar.
    shape
        Leading axes of the result.
    dtype
        float64 (default) or float32.

    Returns
    -------
    Array of shape ``shape + (d,)``.

    Examples
    --------
    >>> import numpy as np, functorch_like as ft
    >>> x = ft.random.ball(ft.random.key(0), 3, shape=(100,))
    >>> bool(np.all(np.sum(x**2, axis=-1) <= 1))
    True
    """
    key, dtype = checked_key("ball", key), floating("ball", dtype)
    shape = checked_shape("ball", shape)
    common_shape("ball", (), p=p)
    power, keys = parameter(p, dtype, ()), split(key)
    g = generalized_normal_of(keys[0], parameter(power, dtype, (*shape, d)), (*shape, d), dtype)
    raised = e.power(e.absolute(g), parameter(power, dtype, (*shape, d)))
    sums = e.add(reduce_sum(raised, axes=(len(shape),)), exponential(keys[1], shape, dtype))
    size = e.power(sums, parameter(e.reciprocal(power), dtype, shape))
    return g / size[..., None]
