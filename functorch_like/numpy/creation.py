"""Making arrays: from tracers, and as tracers that can be assigned to."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..primitives.core import EVAL, Trace, Tracer, state
from .dispatch import implements
from .elementwise import as_operand
from .manipulation import astype, broadcast_to, stack

__all__ = ["array", "asarray", "empty", "full", "ones", "zeros"]


def contains_tracer(x: Any) -> bool:
    """Whether nested lists hold a tracer."""
    if isinstance(x, (list, tuple)):
        return any(contains_tracer(v) for v in x)
    return isinstance(x, Tracer)


@implements(np.array, np.asarray, np.asanyarray, np.ascontiguousarray, np.asfortranarray)
def array(
    a: Any, dtype: Any = None, *, copy: bool | None = True, order: Any = None, **unused: Any
) -> Any:
    """An array of numbers, arrays and tracers nested in lists, as ``np.array`` makes."""
    if not contains_tracer(a):
        return np.array(a, dtype)
    if isinstance(a, Tracer):
        made = a.copy() if copy else a
    else:
        made = stack([array(x) for x in a])
    return made if dtype is None else astype(made, dtype)


def asarray(a: Any, dtype: Any = None) -> Any:
    """``a`` as an array, without a copy where it is one."""
    return array(a, dtype, copy=None)


def traced(value: Any) -> Any:
    """A constant as a tracer of the current trace, so that it can be assigned to."""
    trace: Trace = state.trace
    return value if trace is EVAL else trace.constant(value)


def zeros(shape: Any, dtype: Any = float, *unused: Any, **unused_too: Any) -> Any:
    """Zeros; inside a transform they can be assigned traced values."""
    return traced(np.zeros(shape, dtype))


def ones(shape: Any, dtype: Any = float, *unused: Any, **unused_too: Any) -> Any:
    """Ones; inside a transform they can be assigned traced values."""
    return traced(np.ones(shape, dtype))


def empty(shape: Any, dtype: Any = float, *unused: Any, **unused_too: Any) -> Any:
    """Zeros, in NumPy's place for "uninitialised"; can be assigned traced values."""
    return zeros(shape, dtype)


def full(shape: Any, fill_value: Any, dtype: Any = None) -> Any:
    """An array of one value, which may be traced."""
    value = as_operand(fill_value)
    if isinstance(value, Tracer):
        return broadcast_to(value if dtype is None else astype(value, dtype), shape).copy()
    return traced(np.full(shape, value, dtype))


def _like(a: Any, dtype: Any, shape: Any) -> tuple[Any, Any]:
    return (a.shape if shape is None else shape), (a.dtype if dtype is None else dtype)


@implements(np.zeros_like, np.empty_like)
def zeros_like(
    a: Any, dtype: Any = None, order: Any = "K", subok: bool = True, shape: Any = None, **_: Any
) -> Any:
    return zeros(*_like(a, dtype, shape))


@implements(np.ones_like)
def ones_like(
    a: Any, dtype: Any = None, order: Any = "K", subok: bool = True, shape: Any = None, **_: Any
) -> Any:
    return ones(*_like(a, dtype, shape))


@implements(np.full_like)
def full_like(
    a: Any,
    fill_value: Any,
    dtype: Any = None,
    order: Any = "K",
    subok: bool = True,
    shape: Any = None,
    **_: Any,
) -> Any:
    shape, dtype = _like(as_operand(a), dtype, shape)
    return full(shape, fill_value, dtype)


@implements(np.copy)
def copy(a: Any, order: Any = "K", subok: bool = False) -> Any:
    return a.copy()


@implements(np.linspace)
def linspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
    **_: Any,
) -> Any:
    start, stop = as_operand(start) * 1.0, as_operand(stop) * 1.0
    parts = num - 1 if endpoint else num
    step = (stop - start) / parts if parts > 0 else (stop - start) * np.nan
    ramp = np.arange(num, dtype=step.dtype).reshape(-1, *(1,) * np.ndim(stop - start))
    made = start + ramp * step if parts > 0 else start + 0.0 * ramp * (stop - start)
    if endpoint and num > 1:  # as NumPy does, the last point is exactly stop
        last = np.arange(num).reshape(ramp.shape) == num - 1
        made = np.where(last, stop + 0.0 * made, made)
    if axis:
        made = np.moveaxis(made, 0, axis)
    if dtype is not None:
        made = astype(made, dtype)
    return (made, step) if retstep else made
