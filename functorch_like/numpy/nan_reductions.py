"""Reductions that take a NaN for an absent element, which gets no derivative."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..primitives import elementwise as e
from ..primitives.core import Tracer
from .dispatch import implements, refuse_out
from .elementwise import as_operand
from .indexing import getitem, take_along_axis
from .manipulation import ravel, reshape
from .reductions import (
    NOT_GIVEN,
    _given,
    any_,
    argmax,
    argmin,
    cumprod,
    cumsum,
    max_,
    mean,
    min_,
    prod,
    sum_,
    var,
)

__all__: list[str] = []


def _present(a: Any) -> Any:
    return e.logical_not(e.isnan(a))


@implements(np.nansum)
def nansum(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = False,
    initial: Any = NOT_GIVEN,
    where: Any = True,
) -> Any:
    return sum_(e.select(e.isnan(a), 0.0, a), axis, dtype, out, keepdims, initial, where)


@implements(np.nanprod)
def nanprod(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = False,
    initial: Any = NOT_GIVEN,
    where: Any = True,
) -> Any:
    return prod(e.select(e.isnan(a), 1.0, a), axis, dtype, out, keepdims, initial, where)


def _counted(a: Any, where: Any) -> Any:
    """Where an element is neither NaN nor left out."""
    there = _present(a)
    return e.logical_and(there, as_operand(where)) if _given(where) and where is not True else there


@implements(np.nanmean)
def nanmean(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = False,
    *,
    where: Any = True,
) -> Any:
    refuse_out("np.nanmean", out)
    a = as_operand(a)
    there = _counted(a, where)
    return mean(e.select(there, a, 0.0), axis, dtype, None, keepdims, where=there)


@implements(np.nanvar)
def nanvar(
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
    a = as_operand(a)
    there = _counted(a, where)
    a = e.select(there, a, 0.0)
    found = var(a, axis, dtype, out, ddof, keepdims, where=there, mean=mean, correction=correction)
    # Too few elements: NaN, where var has the infinity that NumPy's has.
    spare = correction if _given(correction) else ddof
    enough = e.greater(sum_(there, axis, keepdims=keepdims), spare)
    return e.select(enough, found, math.nan)


@implements(np.nanstd)
def nanstd(
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
    return e.root_of_square_sum(
        nanvar(a, axis, dtype, out, ddof, keepdims, where=where, mean=mean, correction=correction)
    )


@implements(np.nanmax)
def nanmax(
    a: Any,
    axis: Any = None,
    out: Any = None,
    keepdims: Any = False,
    initial: Any = NOT_GIVEN,
    where: Any = True,
) -> Any:
    return _nan_extreme(max_, -math.inf, a, axis, out, keepdims, initial, where)


@implements(np.nanmin)
def nanmin(
    a: Any,
    axis: Any = None,
    out: Any = None,
    keepdims: Any = False,
    initial: Any = NOT_GIVEN,
    where: Any = True,
) -> Any:
    return _nan_extreme(min_, math.inf, a, axis, out, keepdims, initial, where)


def _nan_extreme(
    extreme: Callable,
    worst: float,
    a: Any,
    axis: Any,
    out: Any,
    keepdims: Any,
    initial: Any = NOT_GIVEN,
    where: Any = True,
) -> Any:
    a = as_operand(a)
    if _given(where) and where is not True and not _given(initial):
        raise ValueError(f"np.nan{extreme.__name__[:3]}: a where mask needs an initial value.")
    there = _counted(a, where)
    found = extreme(e.select(there, a, worst), axis, out, keepdims, initial)
    if _given(initial):
        return found
    return e.select(any_(there, axis, keepdims=keepdims), found, math.nan)


def _nan_arg_extreme(function: Callable, worst: float, a: Any, axis: Any, **kw: Any) -> Any:
    a = as_operand(a)
    there = _present(a)
    missing = e.logical_not(any_(there, axis))
    value = missing.concrete() if isinstance(missing, Tracer) else missing
    if value is not None and np.any(value):  # what is not known yet cannot be refused
        raise ValueError("All-NaN slice encountered")
    # Among equals the first counts: an infinity that stands in for NaN must not come before one.
    best = function(e.select(there, a, worst), axis, keepdims=True)
    same = e.logical_and(there, e.equal(a, _taken(a, best, axis)))
    return argmax(same, axis, **kw)


def _taken(a: Any, place: Any, axis: Any) -> Any:
    if axis is not None:
        return take_along_axis(a, place, axis)
    return getitem(ravel(a), (reshape(place, ()),))


@implements(np.nanargmax)
def nanargmax(a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = False) -> Any:
    refuse_out("np.nanargmax", out)
    return _nan_arg_extreme(argmax, -math.inf, a, axis, keepdims=keepdims)


@implements(np.nanargmin)
def nanargmin(a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = False) -> Any:
    refuse_out("np.nanargmin", out)
    return _nan_arg_extreme(argmin, math.inf, a, axis, keepdims=keepdims)


@implements(np.nancumsum)
def nancumsum(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    return cumsum(e.select(e.isnan(a), 0.0, a), axis, dtype, out)


@implements(np.nancumprod)
def nancumprod(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    return cumprod(e.select(e.isnan(a), 1.0, a), axis, dtype, out)
