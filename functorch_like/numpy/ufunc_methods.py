"""ufuncs with keywords, and their methods: reduce, accumulate, outer, at, reduceat."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import MutationError, user_line
from ..primitives import elementwise as e
from ..primitives import reduction
from ..primitives.core import Tracer, shape_of
from .dispatch import find_ufunc, opaque, refuse_out
from .elementwise import as_operand
from .indexing import add_at, getitem, setitem
from .manipulation import astype, broadcast_to, normalize_axes, normalize_axis, reshape
from .reductions import all_, any_, cumprod, cumsum, max_, min_, prod, running_extreme, sum_
from .views import assign

__all__ = ["call"]

_REDUCTIONS = {
    np.add: sum_,
    np.multiply: prod,
    np.maximum: max_,
    np.minimum: min_,
    np.logical_and: all_,
    np.logical_or: any_,
}
_RUNNING = {
    np.add: cumsum,
    np.multiply: cumprod,
    np.maximum: lambda a, axis: running_extreme(reduction.running_argmax, a, axis),
    np.minimum: lambda a, axis: running_extreme(reduction.running_argmin, a, axis),
}
_IGNORED = ("casting", "order", "subok", "signature")


def call(ufunc: Any, method: str, inputs: tuple, kwargs: dict) -> Any:
    """``ufunc`` or one of its methods on operands of which one is traced."""
    kwargs = {k: v for k, v in kwargs.items() if k not in _IGNORED}
    handlers: dict[str, Any] = {
        "__call__": _call,
        "reduce": _reduce,
        "accumulate": _accumulate,
        "outer": _outer,
        "at": _at,
        "reduceat": _reduceat,
    }
    return handlers[method](ufunc, *inputs, **kwargs)


def _function(ufunc: Any) -> Any:
    found = find_ufunc(ufunc)
    if found is not None:
        return found
    if ufunc.nout != 1:
        raise TypeError(
            f"{ufunc.__name__}: not supported on traced arrays, at {user_line()}; give it a rule "
            "with functorch_like.wrap(f, vjp=...)."
        )
    return opaque(ufunc)


def _call(
    ufunc: Any, *inputs: Any, out: Any = None, where: Any = True, dtype: Any = None, **unknown: Any
) -> Any:
    if unknown and ufunc is np.vecdot:
        return _function(ufunc)(*inputs, **unknown)
    if unknown:
        raise TypeError(
            f"{ufunc.__name__}: the keywords {sorted(unknown)} are not supported on traced arrays."
        )
    target = out[0] if isinstance(out, tuple) else out
    if target is not None and not isinstance(target, Tracer):
        refuse_out(f"np.{ufunc.__name__}", target)
    operands = [as_operand(x) for x in inputs]
    if dtype is not None:
        operands = [
            astype(x, dtype) if isinstance(x, Tracer) else np.asarray(x, dtype) for x in operands
        ]
    if where is not True and target is None:
        raise TypeError(
            f"np.{ufunc.__name__}: where= without out= leaves elements undefined, at "
            f"{user_line()}; write np.where(mask, np.{ufunc.__name__}(...), other)."
        )
    result = _function(ufunc)(*operands)
    if target is None:
        return result
    if where is not True:
        result = e.select(as_operand(where), result, target)
    assign(target, astype(broadcast_to(result, target.shape), target.dtype))
    return target


def _reduce(
    ufunc: Any,
    array: Any,
    axis: Any = 0,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = np._NoValue,
    where: Any = True,
) -> Any:
    refuse_out(f"np.{ufunc.__name__}.reduce", out)
    array = as_operand(array)
    if dtype is not None:
        array = astype(array, dtype)
    function = _REDUCTIONS.get(ufunc)
    if function is not None:
        more = {} if initial is np._NoValue else {"initial": initial}
        return function(array, axis, keepdims=keepdims, where=where, **more)
    if where is not True:
        raise TypeError(f"np.{ufunc.__name__}.reduce: where= is not supported on traced arrays.")
    axes = normalize_axes(axis, array.ndim)
    result, function = array, _function(ufunc)
    for a in sorted(axes, reverse=True):
        at = (slice(None),) * a
        pieces = [getitem(result, (*at, i)) for i in range(shape_of(result)[a])]
        result = pieces[0] if initial is np._NoValue else function(initial, pieces[0])
        for piece in pieces[1:]:
            result = function(result, piece)
    return reduction.keep_dims(result, array.shape, axes) if keepdims else result


def _accumulate(ufunc: Any, array: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
    refuse_out(f"np.{ufunc.__name__}.accumulate", out)
    array = as_operand(array)
    if dtype is not None:
        array = astype(array, dtype)
    function: Any = _RUNNING.get(ufunc)
    if function is not None:
        return function(array, axis)
    axis, function = normalize_axis(axis, array.ndim), _function(ufunc)
    at = (slice(None),) * axis
    steps = [getitem(array, (*at, i)) for i in range(array.shape[axis])]
    for i in range(1, len(steps)):
        steps[i] = function(steps[i - 1], steps[i])
    return np.stack(steps, axis)


def _outer(ufunc: Any, a: Any, b: Any, **kwargs: Any) -> Any:
    a, b = as_operand(a), as_operand(b)
    a = reshape(a, shape_of(a) + (1,) * len(shape_of(b)))
    return _call(ufunc, a, b, **kwargs)


def _at(ufunc: Any, target: Any, index: Any, *values: Any) -> None:
    if not isinstance(target, Tracer):
        raise MutationError(
            f"np.{ufunc.__name__}.at: cannot add traced values into a plain array, at "
            f"{user_line()}; make it with np.zeros_like(x) of a traced x."
        )
    if ufunc in (np.add, np.subtract):
        value = values[0] if ufunc is np.add else -values[0]
        assign(target, add_at(target, index, value))
        return
    places = getitem(np.arange(target.size).reshape(target.shape), index)
    if len(np.unique(places)) != np.size(places):
        raise TypeError(
            f"np.{ufunc.__name__}.at: repeated positions are supported for add and subtract "
            f"only, at {user_line()}."
        )
    setitem(target, index, _function(ufunc)(getitem(target, index), *values))


def _reduceat(
    ufunc: Any, array: Any, indices: Any, axis: int = 0, dtype: Any = None, out: Any = None
) -> Any:
    refuse_out(f"np.{ufunc.__name__}.reduceat", out)
    axis = normalize_axis(axis, array.ndim)
    at = (slice(None),) * axis
    starts = np.asarray(indices).tolist()
    pieces = []
    for start, stop in zip(starts, [*starts[1:], array.shape[axis]], strict=True):
        piece = getitem(array, (*at, slice(start, stop if stop > start else start + 1)))
        pieces.append(_reduce(ufunc, piece, axis, dtype))
    return np.stack(pieces, axis)
