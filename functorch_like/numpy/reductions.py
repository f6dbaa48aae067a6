"""Sums, means, extremes and running forms."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..kernels.device import is_gpu
from ..primitives import elementwise as e
from ..primitives import reduction as p
from ..primitives.core import Tracer, dtype_of, shape_of
from .dispatch import implements, refuse_out
from .elementwise import as_operand, conjugate, real
from .indexing import getitem, take_along_axis
from .manipulation import astype, broadcast_to, normalize_axes, normalize_axis, ravel, reshape
from .operands import weights_like

__all__: list[str] = []

NOT_GIVEN = np._NoValue


def _array(x: Any) -> Any:
    return x if isinstance(x, Tracer) or is_gpu(x) else np.asarray(x)


def _given(x: Any) -> bool:
    return x is not None and x is not NOT_GIVEN


def _prepared(
    a: Any, axis: Any, keepdims: Any, where: Any, neutral: Any
) -> tuple[Any, tuple[int, ...], Callable[[Any], Any]]:
    """The masked operand, its axes, and what restores the axes of a result."""
    a = as_operand(a)
    shape = shape_of(a)
    axes = normalize_axes(axis, len(shape))
    if _given(where) and where is not True:
        a = e.select(as_operand(where), a, neutral)
        shape = shape_of(a)

    def restore(x: Any) -> Any:
        return p.keep_dims(x, shape, axes) if keepdims is True else x

    return a, axes, restore


@implements(np.sum)
def sum_(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = False,
    initial: Any = NOT_GIVEN,
    where: Any = True,
) -> Any:
    if where is True and dtype is None and initial is NOT_GIVEN and not _given(out):
        # the plain call, kept short: every loss ends with it
        a = as_operand(a)
        shape = shape_of(a)
        axes = normalize_axes(axis, len(shape))
        total = p.reduce_sum(a, axes=axes)
        return p.keep_dims(total, shape, axes) if keepdims is True else total
    refuse_out("np.sum", out)
    a, axes, restore = _prepared(a, axis, keepdims, where, 0)
    if dtype is not None:
        a = astype(a, dtype)
    total = _of_dtype(restore(p.reduce_sum(a, axes=axes)), dtype)
    return e.add(total, initial) if _given(initial) else total


def _of_dtype(total: Any, dtype: Any) -> Any:
    """A total in the type that was asked for: small integers are added up as large ones."""
    return total if dtype is None or total.dtype == dtype else astype(total, dtype)


@implements(np.prod)
def prod(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = False,
    initial: Any = NOT_GIVEN,
    where: Any = True,
) -> Any:
    refuse_out("np.prod", out)
    a, axes, restore = _prepared(a, axis, keepdims, where, 1)
    if dtype is not None:
        a = astype(a, dtype)
    total = _of_dtype(restore(p.reduce_product(a, axes=axes)), dtype)
    return e.multiply(total, initial) if _given(initial) else total


def _lowest(dtype: np.dtype) -> Any:
    return -math.inf if dtype.kind == "f" else np.iinfo(dtype).min


def _highest(dtype: np.dtype) -> Any:
    return math.inf if dtype.kind == "f" else np.iinfo(dtype).max


def _extreme(
    name: str, a: Any, axis: Any, out: Any, keepdims: Any, initial: Any, where: Any
) -> Any:
    refuse_out(f"np.{name}", out)
    largest = name == "max"
    a = as_operand(a)
    if _given(where) and where is not True and not _given(initial):
        raise ValueError(f"np.{name}: a where mask needs an initial value.")
    neutral = None
    if _given(where) and where is not True:
        neutral = _lowest(dtype_of(a)) if largest else _highest(dtype_of(a))
    a, axes, restore = _prepared(a, axis, keepdims, where, neutral)
    empty = any(shape_of(a)[i] == 0 for i in axes)
    if empty and not _given(initial):
        raise ValueError(f"np.{name}: no maximum or minimum of an empty array of shape {a.shape}.")
    if empty:
        rest = tuple(n for i, n in enumerate(shape_of(a)) if i not in axes)
        return restore(np.full(rest, initial, dtype_of(a)))
    found = (p.reduce_max if largest else p.reduce_min)(a, axes=axes)
    if _given(initial):
        found = (e.maximum if largest else e.minimum)(found, initial)
    return restore(found)


@implements(np.max, np.amax)
def max_(
    a: Any,
    axis: Any = None,
    out: Any = None,
    keepdims: Any = False,
    initial: Any = NOT_GIVEN,
    where: Any = True,
) -> Any:
    return _extreme("max", a, axis, out, keepdims, initial, where)


@implements(np.min, np.amin)
def min_(
    a: Any,
    axis: Any = None,
    out: Any = None,
    keepdims: Any = False,
    initial: Any = NOT_GIVEN,
    where: Any = True,
) -> Any:
    return _extreme("min", a, axis, out, keepdims, initial, where)


@implements(np.ptp)
def ptp(a: Any, axis: Any = None, out: Any = None, keepdims: Any = False) -> Any:
    return max_(a, axis, out, keepdims) - min_(a, axis, out, keepdims)


def _boolean(x: Any) -> Any:
    return x if dtype_of(x).kind == "b" else e.not_equal(x, 0)


@implements(np.any)
def any_(
    a: Any, axis: Any = None, out: Any = None, keepdims: Any = False, *, where: Any = True
) -> Any:
    refuse_out("np.any", out)
    a, axes, restore = _prepared(_boolean(as_operand(a)), axis, keepdims, where, False)
    return restore(p.reduce_any(a, axes=axes))


@implements(np.all)
def all_(
    a: Any, axis: Any = None, out: Any = None, keepdims: Any = False, *, where: Any = True
) -> Any:
    refuse_out("np.all", out)
    a, axes, restore = _prepared(_boolean(as_operand(a)), axis, keepdims, where, True)
    return restore(p.reduce_all(a, axes=axes))


@implements(np.allclose)
def allclose(a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: bool = False) -> Any:
    return all_(np.isclose(a, b, rtol, atol, equal_nan))


@implements(np.array_equal)
def array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> Any:
    a1, a2 = as_operand(a1), as_operand(a2)
    if shape_of(a1) != shape_of(a2):
        return False
    same = e.equal(a1, a2)
    if equal_nan:
        same = e.logical_or(same, e.logical_and(e.isnan(a1), e.isnan(a2)))
    return all_(same)


@implements(np.array_equiv)
def array_equiv(a1: Any, a2: Any) -> Any:
    a1, a2 = as_operand(a1), as_operand(a2)
    try:
        np.broadcast_shapes(shape_of(a1), shape_of(a2))
    except ValueError:
        return False
    return all_(e.equal(a1, a2))


@implements(np.count_nonzero)
def count_nonzero(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    return sum_(_boolean(a), axis, keepdims=keepdims)


def _arg_extreme(primitive: Any, a: Any, axis: Any, keepdims: Any) -> Any:
    a = as_operand(a)
    ndim = len(shape_of(a))
    if axis is None:
        found = primitive(ravel(a), axis=0)
        return reshape(found, (1,) * ndim) if keepdims is True else found
    axis = normalize_axis(axis, ndim)
    found = primitive(a, axis=axis)
    return p.keep_dims(found, shape_of(a), (axis,)) if keepdims is True else found


@implements(np.argmax)
def argmax(a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = False) -> Any:
    refuse_out("np.argmax", out)
    return _arg_extreme(p.argmax, a, axis, keepdims)


@implements(np.argmin)
def argmin(a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = False) -> Any:
    refuse_out("np.argmin", out)
    return _arg_extreme(p.argmin, a, axis, keepdims)


# --- moments -----------------------------------------------------------------------------------


def _count(a: Any, axis: Any, keepdims: Any, where: Any) -> Any:
    if _given(where) and where is not True:
        mask = broadcast_to(_array(where), shape_of(a))
        return sum_(astype(mask, np.empty(0, dtype_of(a)).real.dtype), axis, keepdims=keepdims)
    shape = shape_of(a)
    return math.prod(shape[i] for i in normalize_axes(axis, len(shape)))


@implements(np.mean)
def mean(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = False,
    *,
    where: Any = True,
) -> Any:
    refuse_out("np.mean", out)
    a = as_operand(a)
    if dtype is not None:
        a = astype(a, dtype)
    elif dtype_of(a).kind in "iub":
        a = astype(a, float)
    total = sum_(a, axis, keepdims=keepdims, where=where)
    return e.divide(total, _count(a, axis, keepdims, where))


@implements(np.average)
def average(
    a: Any, axis: Any = None, weights: Any = None, returned: bool = False, *, keepdims: Any = False
) -> Any:
    a = as_operand(a)
    if weights is None:
        found = mean(a, axis, keepdims=keepdims)
        scale: Any = np.full(shape_of(found), _count(a, axis, keepdims, True), dtype_of(found))
    else:
        full = weights_like("np.average", weights, a, axis)
        dtype = np.result_type(dtype_of(a), full.dtype)
        if dtype.kind not in "fc":
            dtype = np.dtype(np.float64)
        full = astype(full, dtype)
        scale = sum_(full, axis, keepdims=keepdims)
        found = e.divide(sum_(e.multiply(a, full), axis, keepdims=keepdims), scale)
    return (found, scale) if returned else found


@implements(np.var)
def var(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: Any = 0,
    keepdims: Any = False,
    *,
    where: Any = True,
    mean: Any = NOT_GIVEN,
    correction: Any = NOT_GIVEN,
) -> Any:
    refuse_out("np.var", out)
    a = as_operand(a)
    if _given(correction):
        ddof = correction
    centre = mean if _given(mean) else _mean(a, axis, dtype, keepdims=True, where=where)
    deviation = e.subtract(a, centre)
    if dtype_of(deviation).kind == "c":
        squares = real(e.multiply(deviation, conjugate(deviation)))
    else:
        squares = e.multiply(deviation, deviation)
    total = sum_(squares, axis, keepdims=keepdims, where=where)
    count = _count(a, axis, keepdims, where) - ddof
    if not isinstance(count, Tracer):
        count = np.maximum(count, 0)
        count = float(count) if np.ndim(count) == 0 else count
    return e.divide(total, count)


_mean = mean


@implements(np.std)
def std(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: Any = 0,
    keepdims: Any = False,
    *,
    where: Any = True,
    mean: Any = NOT_GIVEN,
    correction: Any = NOT_GIVEN,
) -> Any:
    # The root has slope 0 at 0: data that are all equal do not stop an optimiser.
    return e.root_of_square_sum(
        var(a, axis, dtype, out, ddof, keepdims, where=where, mean=mean, correction=correction)
    )


# --- running forms -----------------------------------------------------------------------------


def _running(name: str, primitive: Any, a: Any, axis: Any, dtype: Any, out: Any) -> Any:
    refuse_out(name, out)
    a = as_operand(a)
    if axis is None:
        a, axis = ravel(a), 0
    if dtype is not None:
        a = astype(a, dtype)
    running = primitive(a, axis=normalize_axis(axis, len(shape_of(a))), reverse=False)
    return _of_dtype(running, dtype)


@implements(np.cumsum)
def cumsum(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    return _running("np.cumsum", p.cumulative_sum, a, axis, dtype, out)


@implements(np.cumprod)
def cumprod(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    return _running("np.cumprod", p.cumulative_product, a, axis, dtype, out)


def running_extreme(primitive: Any, a: Any, axis: int) -> Any:
    """Running maximum or minimum, the element itself picked so that derivatives follow it."""
    axis = normalize_axis(axis, len(shape_of(a)))
    return take_along_axis(a, primitive(a, axis=axis), axis)


@implements(np.diff)
def diff(
    a: Any, n: int = 1, axis: int = -1, prepend: Any = NOT_GIVEN, append: Any = NOT_GIVEN
) -> Any:
    if n < 0:
        raise ValueError(f"order must be non-negative but got {n}")
    a = as_operand(a)
    axis = normalize_axis(axis, len(shape_of(a)))
    edge = tuple(1 if i == axis else m for i, m in enumerate(shape_of(a)))
    parts = [
        e.add(np.zeros(edge, dtype_of(x)), x) if shape_of(x) == () else x
        for x in (as_operand(x) for x in (prepend, a, append) if _given(x))
    ]
    if len(parts) > 1:
        a = np.concatenate(parts, axis)
    before = (slice(None),) * axis
    for _ in range(n):
        later = getitem(a, (*before, slice(1, None)))
        earlier = getitem(a, (*before, slice(None, -1)))
        a = e.not_equal(later, earlier) if dtype_of(a).kind == "b" else e.subtract(later, earlier)
    return a
