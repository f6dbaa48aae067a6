"""Sums of exponentials without overflow."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.special as scipy_special

from ...primitives import elementwise as e
from ...primitives.core import dtype_of, shape_of
from ...primitives.reduction import keep_dims, reduce_max, reduce_sum
from ...primitives.stopping import stop_gradient
from ...primitives.structural import convert, real
from .connect import floating as _floating
from .connect import ours


def _axes(x: Any, axis: Any) -> tuple[int, ...]:
    from ...numpy.manipulation import normalize_axes

    return normalize_axes(axis, len(shape_of(x)))


def _centre(x: Any, axes: tuple[int, ...]) -> Any:
    """The largest element along axes, kept; a constant, and 0 where it is not finite."""
    size = real(x) if dtype_of(x).kind == "c" else x
    largest = stop_gradient(keep_dims(reduce_max(size, axes=axes), shape_of(x), axes))
    return e.select(e.isfinite(largest), largest, np.zeros((), dtype_of(size)))


@ours(scipy_special.logsumexp)
def logsumexp(
    a: Any, axis: Any = None, b: Any = None, keepdims: bool = False, return_sign: bool = False
) -> Any:
    """Logarithm of the sum of exponentials, without overflow.

    Parameters
    ----------
    a
        Exponents, real or complex.
    axis
        Axis or axes summed over; all of them by default.
    b
        Factors of the exponentials, which may be zero or negative; they broadcast against ``a``.
    keepdims
        Whether summed axes stay, with length one.
    return_sign
        Whether to return the pair (logarithm of the absolute sum, sign of the sum, its direction
        if it is complex); without it a negative sum gives NaN.

    Returns
    -------
    array, or a pair of arrays

    Examples
    --------
    >>> import numpy as np
    >>> from functorch_like.scipy.special import logsumexp
    >>> print(round(float(logsumexp(np.array([1000.0, 1000.0])) - 1000.0), 6))
    0.693147
    """
    a = _floating(a)
    if b is not None:
        b = _floating(b)
        shape = np.broadcast_shapes(shape_of(a), shape_of(b))
        a, b = (v if shape_of(v) == shape else np.broadcast_to(v, shape) for v in (a, b))
        # A factor 0 leaves its exponent out, though that be infinite.
        absent = e.equal(b, 0.0)
        a = e.select(absent, -math.inf, a)
    axes = _axes(a, axis)
    if math.prod(shape_of(a)[i] for i in axes) == 0:
        empty = np.sum(np.zeros(shape_of(a), dtype_of(a)), axis=axes, keepdims=keepdims)
        return (empty - math.inf, empty) if return_sign else empty - math.inf
    centre = _centre(a, axes)
    terms = e.exp(e.subtract(a, centre))
    if b is not None:
        terms = e.multiply(terms, b)
    total = reduce_sum(terms, axes=axes)
    direction, total = _split(total) if return_sign else (None, total)
    kept = shape_of(keep_dims(total, shape_of(a), axes))
    logarithm = e.add(e.log(total), np.reshape(centre, shape_of(total)))
    if keepdims:
        logarithm = np.reshape(logarithm, kept)
        direction = None if direction is None else np.reshape(direction, kept)
    return (logarithm, direction) if return_sign else logarithm


def _split(total: Any) -> tuple[Any, Any]:
    """Direction and size of a sum."""
    if dtype_of(total).kind == "c":
        size = e.complex_absolute(total)
        wide = e.select(e.equal(size, 0.0), 1.0, size)
        return e.divide(total, convert(wide, dtype=dtype_of(total))), size
    direction = e.sign(total)
    # log|s| has slope 1/s whatever its sign.
    return direction, e.multiply(total, stop_gradient(direction))


@ours(scipy_special.softmax)
def softmax(x: Any, axis: Any = None) -> Any:
    """Exponentials divided by their sum.

    Parameters
    ----------
    x
        Logits.
    axis
        Axis or axes that sum to one; all of them by default.

    Returns
    -------
    array of the shape of ``x``

    Examples
    --------
    >>> import numpy as np
    >>> from functorch_like.scipy.special import softmax
    >>> print(softmax(np.array([0.0, 0.0, 1000.0])))
    [0. 0. 1.]
    """
    x = _floating(x)
    axes = _axes(x, axis)
    terms = e.exp(e.subtract(x, _centre(x, axes)))
    return e.divide(terms, keep_dims(reduce_sum(terms, axes=axes), shape_of(x), axes))


@ours(scipy_special.log_softmax)
def log_softmax(x: Any, axis: Any = None) -> Any:
    """Logarithm of ``softmax``, accurate where that underflows.

    Parameters
    ----------
    x
        Logits.
    axis
        Axis or axes whose softmax sums to one; all of them by default.

    Returns
    -------
    array of the shape of ``x``
    """
    x = _floating(x)
    axes = _axes(x, axis)
    moved = e.subtract(x, _centre(x, axes))
    total = keep_dims(reduce_sum(e.exp(moved), axes=axes), shape_of(x), axes)
    return e.subtract(moved, e.log(total))
