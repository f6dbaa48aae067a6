"""Making arrays: from tracers, and as tracers that can be assigned to."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ConcreteValueError, user_line
from ..primitives.core import EVAL, Trace, Tracer, beside, dtype_of, shape_of, state
from .dispatch import implements
from .elementwise import as_operand
from .manipulation import astype, broadcast_to, reshape, stack

__all__ = [
    "arange",
    "array",
    "asarray",
    "assignable",
    "contains_tracer",
    "empty",
    "eye",
    "full",
    "identity",
    "ones",
    "tri",
    "zeros",
]


def contains_tracer(x: Any) -> bool:
    """Whether nested lists, or an array of Python objects, hold a tracer."""
    if isinstance(x, (list, tuple)):
        return any(contains_tracer(v) for v in x)
    if isinstance(x, Tracer):
        return True
    return type(x) is np.ndarray and x.dtype == object and any(map(contains_tracer, x.flat))


def _stacked(a: Any) -> Any:
    """Nested lists with tracers in them as one array."""
    if type(a) is np.ndarray and a.dtype == object:
        a = a.tolist()
    if isinstance(a, Tracer):
        return a
    if not isinstance(a, (list, tuple)):
        made = np.asarray(a)
        if made.dtype.kind not in "fciub":
            raise TypeError(
                f"array: expected numbers and arrays beside the traced values, at {user_line()}; "
                f"got {type(a).__name__}, {a!r}."
            )
        return made
    parts = [_stacked(x) for x in a]
    shapes = {x.shape for x in parts}
    if len(shapes) > 1:
        raise ValueError(
            f"array: expected elements of one shape, at {user_line()}; got shapes "
            f"{', '.join(map(str, sorted(shapes)))}; pad them, or keep the list."
        )
    return stack(parts) if parts else np.zeros(0)


@implements(np.array)
def array(
    object: Any,
    dtype: Any = None,
    *,
    copy: bool | None = True,
    order: Any = "K",
    subok: bool = False,
    ndmin: int = 0,
    **more: Any,
) -> Any:
    """An array of numbers, arrays and tracers nested in lists, as ``np.array`` makes."""
    if not contains_tracer(object):
        return np.array(object, dtype, copy=copy, order=order, subok=subok, ndmin=ndmin, **more)
    if dtype is not None and np.dtype(dtype).kind not in "fciub":
        raise TypeError(
            f"array: traced values cannot be held by an array of dtype {np.dtype(dtype)}, at "
            f"{user_line()}; use a list."
        )
    made = _stacked(object)
    converts = dtype is not None and made.dtype != dtype
    if copy is False and (converts or made is not object):
        raise ValueError("Unable to avoid copy while creating an array as requested.")
    if converts:
        made = astype(made, dtype)
    elif copy and made is object:
        made = made.copy()
    missing = ndmin - made.ndim
    return reshape(made, (1,) * missing + made.shape) if missing > 0 else made


@implements(np.asarray, np.asanyarray)
def asarray(
    a: Any,
    dtype: Any = None,
    order: Any = None,
    *,
    device: Any = None,
    copy: bool | None = None,
    **more: Any,
) -> Any:
    """``a`` as an array, without a copy where it is one."""
    if contains_tracer(a):
        _check_device("asarray", device)
        return array(a, dtype, copy=copy)
    return np.asarray(a, dtype, order, device=device, copy=copy, **more)


@implements(np.ascontiguousarray, np.asfortranarray)
def at_least_vector(a: Any, dtype: Any = None, **unused: Any) -> Any:
    """``a`` as an array of one axis or more: a traced array has no memory layout."""
    made = asarray(a, dtype)
    return made if made.ndim else reshape(made, (1,))


def _check_device(name: str, device: Any) -> None:
    if device not in (None, "cpu"):
        raise ValueError(f'{name}: expected device="cpu" or None; got {device!r}.')


def traced(value: Any) -> Any:
    """A constant as a tracer of the current trace, so that it can be assigned to."""
    trace: Trace = state.trace
    return value if trace is EVAL else trace.constant(value)


def assignable(value: Any) -> Any:
    """New real or complex numbers as a tracer that can be assigned to.

    Integers and truth values stay plain: they are mostly indices, sizes and masks, which must
    have values where shapes depend on them.
    """
    plain = isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "fc"
    return traced(value) if plain else value


def _shape(shape: Any) -> Any:
    """A shape whose entries may be traced integers that have values."""
    if isinstance(shape, Tracer):
        return shape.__index__() if not shape.shape else tuple(n.__index__() for n in shape)
    return shape


@implements(np.zeros)
def zeros(
    shape: Any, dtype: Any = None, order: Any = "C", *, device: Any = None, like: Any = None
) -> Any:
    """Zeros; inside a transform they can be assigned traced values."""
    return traced(beside(like, np.zeros(_shape(shape), dtype, order, device=device)))


@implements(np.ones)
def ones(
    shape: Any, dtype: Any = None, order: Any = "C", *, device: Any = None, like: Any = None
) -> Any:
    """Ones; inside a transform they can be assigned traced values."""
    return traced(beside(like, np.ones(_shape(shape), dtype, order, device=device)))


@implements(np.empty)
def empty(
    shape: Any, dtype: Any = None, order: Any = "C", *, device: Any = None, like: Any = None
) -> Any:
    """Zeros, in NumPy's place for "uninitialised"; can be assigned traced values."""
    return zeros(shape, dtype, order, device=device, like=like)


@implements(np.full)
def full(
    shape: Any,
    fill_value: Any,
    dtype: Any = None,
    order: Any = "C",
    *,
    device: Any = None,
    like: Any = None,
) -> Any:
    """An array of one value, which may be traced."""
    value = as_operand(fill_value)
    if isinstance(value, Tracer):
        _check_device("full", device)
        return broadcast_to(value if dtype is None else astype(value, dtype), shape).copy()
    return traced(beside(like, np.full(_shape(shape), value, dtype, order, device=device)))


@implements(np.eye)
def eye(
    N: int,  # noqa: N803
    M: int | None = None,  # noqa: N803
    k: int = 0,
    dtype: Any = float,
    order: Any = "C",
    *,
    device: Any = None,
    like: Any = None,
) -> Any:
    """Ones on a diagonal; inside a transform they can be assigned traced values."""
    return assignable(np.eye(N, M, k, dtype, order, device=device))


@implements(np.identity)
def identity(n: int, dtype: Any = None, *, like: Any = None) -> Any:
    """The identity matrix; inside a transform it can be assigned traced values."""
    return assignable(np.identity(n, dtype))


@implements(np.tri)
def tri(
    N: int,  # noqa: N803
    M: int | None = None,  # noqa: N803
    k: int = 0,
    dtype: Any = float,
    *,
    like: Any = None,
) -> Any:
    """Ones on and below a diagonal; inside a transform they can be assigned traced values."""
    return assignable(np.tri(N, M, k, dtype))


@implements(np.arange)
def arange(
    start_or_stop: Any,
    /,
    stop: Any = None,
    step: Any = 1,
    *,
    dtype: Any = None,
    device: Any = None,
    like: Any = None,
) -> Any:
    """Evenly spaced numbers; traced ends and steps must have values, which say how many."""
    start: Any
    start, end = (0, start_or_stop) if stop is None else (start_or_stop, stop)
    given = (start, end, step)
    if not contains_tracer(given):
        return assignable(np.arange(start, end, step, dtype=dtype, device=device))
    values = [x.concrete() if isinstance(x, Tracer) else x for x in given]
    if any(v is None for v in values):
        raise ConcreteValueError(
            f"arange: how many numbers there are depends on traced values, at {user_line()}; write "
            "np.linspace(start, stop, num), or start + step * np.arange(num), with a fixed num."
        )
    plain = np.arange(*values)
    kind = np.dtype(plain.dtype if dtype is None else dtype).kind
    if kind not in "fc" or not any(dtype_of(x).kind in "fc" for x in given):
        return np.arange(*values, dtype=dtype)
    made = start + step * np.arange(plain.size, dtype=plain.dtype)
    return made if dtype is None else astype(made, dtype)


def _like(a: Any, dtype: Any, shape: Any) -> tuple[Any, Any]:
    a = as_operand(a)
    return (shape_of(a) if shape is None else shape), (dtype_of(a) if dtype is None else dtype)


@implements(np.zeros_like, np.empty_like)
def zeros_like(
    a: Any,
    dtype: Any = None,
    order: Any = "K",
    subok: bool = True,
    shape: Any = None,
    *,
    device: Any = None,
) -> Any:
    return zeros(*_like(a, dtype, shape), device=device, like=a)


@implements(np.ones_like)
def ones_like(
    a: Any,
    dtype: Any = None,
    order: Any = "K",
    subok: bool = True,
    shape: Any = None,
    *,
    device: Any = None,
) -> Any:
    return ones(*_like(a, dtype, shape), device=device, like=a)


@implements(np.full_like)
def full_like(
    a: Any,
    fill_value: Any,
    dtype: Any = None,
    order: Any = "K",
    subok: bool = True,
    shape: Any = None,
    *,
    device: Any = None,
) -> Any:
    shape, dtype = _like(a, dtype, shape)
    return full(shape, fill_value, dtype, device=device, like=a)


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
    *,
    device: Any = None,
) -> Any:
    _check_device("linspace", device)
    start, stop = as_operand(start) * 1.0, as_operand(stop) * 1.0
    parts = num - 1 if endpoint else num
    step = (stop - start) / parts if parts > 0 else (stop - start) * np.nan
    ramp = np.arange(num, dtype=step.dtype).reshape(-1, *(1,) * np.ndim(stop - start))
    ramp = beside(step, ramp)
    made = start + ramp * step if parts > 0 else start + 0.0 * ramp * (stop - start)
    if endpoint and num > 1:  # as NumPy does, the last point is exactly stop
        last = beside(step, np.arange(num).reshape(ramp.shape) == num - 1)
        made = np.where(last, stop + 0.0 * made, made)
    if axis:
        made = np.moveaxis(made, 0, axis)
    if dtype is not None:
        made = astype(made, dtype)
    return (made, step) if retstep else made
