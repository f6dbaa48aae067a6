"""ufuncs with keywords, and their methods: reduce, accumulate, outer, at, reduceat.

Where a ufunc has a reduction of its own among the primitives (sum, product, extremes), the method
is that. The others are folded: those that are associative by halves, so that a thousand elements
take ten operations, the rest one element after the other, as NumPy does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import MutationError, user_line
from ..primitives import elementwise as e
from ..primitives import reduction
from ..primitives.core import Tracer, dtype_of, shape_of
from ..primitives.indexing import scatter_add
from .dispatch import find_ufunc, opaque, refuse_out
from .elementwise import as_operand
from .indexing import add_at, getitem, setitem
from .manipulation import (
    astype,
    broadcast_to,
    concatenate,
    moveaxis,
    normalize_axes,
    normalize_axis,
    reshape,
)
from .products import along_axes
from .reductions import all_, any_, cumprod, cumsum, max_, min_, prod, running_extreme, sum_
from .views import assign

__all__ = ["call"]

_REDUCTIONS: dict[Any, Callable] = {
    np.add: sum_,
    np.multiply: prod,
    np.maximum: max_,
    np.minimum: min_,
    np.logical_and: all_,
    np.logical_or: any_,
}
_RUNNING: dict[Any, Callable] = {
    np.add: cumsum,
    np.multiply: cumprod,
    np.maximum: lambda a, axis: running_extreme(reduction.running_argmax, a, axis),
    np.minimum: lambda a, axis: running_extreme(reduction.running_argmin, a, axis),
}
_ASSOCIATIVE = frozenset(
    {
        np.logaddexp,
        np.logaddexp2,
        np.hypot,
        np.fmax,
        np.fmin,
        np.logical_xor,
        np.bitwise_and,
        np.bitwise_or,
        np.bitwise_xor,
        np.gcd,
        np.lcm,
    }
)
_LAYOUT = ("order", "subok")  # say nothing about values


def call(ufunc: Any, method: str, inputs: tuple, kwargs: dict) -> Any:
    """``ufunc`` or one of its methods on operands of which one is traced."""
    kwargs = {k: v for k, v in kwargs.items() if k not in _LAYOUT}
    if kwargs.pop("signature", None) is not None or kwargs.pop("sig", None) is not None:
        raise TypeError(
            f"np.{ufunc.__name__}: signature= is not supported on traced arrays, at "
            f"{user_line()}; write dtype=, or x.astype(dtype)."
        )
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


# --- the ufunc itself, and its outer form ----------------------------------------------------


def _cast(name: str, x: Any, dtype: Any, casting: Any) -> Any:
    x = x if isinstance(x, Tracer) else np.asarray(x)
    if not np.can_cast(x.dtype, dtype, casting):
        raise TypeError(
            f"np.{name}: cannot cast an operand from {x.dtype} to {np.dtype(dtype)} under "
            f"casting={casting!r}, at {user_line()}."
        )
    return astype(x, dtype)


def _store(name: str, result: Any, out: Any, where: Any = True) -> Any:
    """``result``, written into the traced array ``out`` if there is one."""
    target = out[0] if isinstance(out, tuple) else out
    if target is None:
        return result
    if not isinstance(target, Tracer):
        refuse_out(f"np.{name}", target)
    if np.broadcast_shapes(shape_of(result), target.shape) != target.shape:
        raise ValueError(
            f"np.{name}: expected out= of shape {shape_of(result)}; got {target.shape}."
        )
    result = _cast(name, result, target.dtype, "same_kind")
    if where is not True:
        result = e.select(as_operand(where), result, target)
    assign(target, broadcast_to(result, target.shape))
    return target


def _call(
    ufunc: Any,
    *inputs: Any,
    out: Any = None,
    where: Any = True,
    dtype: Any = None,
    casting: Any = "same_kind",
    **unknown: Any,
) -> Any:
    name = ufunc.__name__
    if unknown and ufunc.signature and out is None and where is True:
        inputs = tuple(x if dtype is None else astype(as_operand(x), dtype) for x in inputs)
        return along_axes(ufunc, _function(ufunc), inputs, **unknown)
    if unknown:
        raise TypeError(
            f"{name}: the keywords {sorted(unknown)} are not supported on traced arrays."
        )
    targets = out if isinstance(out, tuple) else (out,) * ufunc.nout
    for target in targets:
        if target is not None and not isinstance(target, Tracer):
            refuse_out(f"np.{name}", target)
    operands = [as_operand(x) for x in inputs]
    if dtype is not None:
        operands = [_cast(name, x, dtype, casting) for x in operands]
    if where is not True and any(target is None for target in targets):
        raise TypeError(
            f"np.{name}: where= without out= leaves elements undefined, at "
            f"{user_line()}; write np.where(mask, np.{name}(...), other)."
        )
    result = _function(ufunc)(*operands)
    if ufunc.nout == 1:
        return _store(name, result, targets[0], where)
    return tuple(_store(name, r, t, where) for r, t in zip(result, targets, strict=True))


def _outer(ufunc: Any, a: Any, b: Any, **kwargs: Any) -> Any:
    a, b = (_array(as_operand(x)) for x in (a, b))
    a = reshape(a, a.shape + (1,) * b.ndim)
    return _call(ufunc, a, b, **kwargs)


# --- folds -----------------------------------------------------------------------------------


def _binary(ufunc: Any, method: str) -> Any:
    if ufunc.nin != 2 or ufunc.nout != 1:
        raise ValueError(f"{method} only supported for binary functions")
    return _function(ufunc)


_TRUTHS = frozenset({np.logical_and, np.logical_or, np.logical_xor})


def _operand(ufunc: Any, array: Any, dtype: Any) -> Any:
    array = _array(as_operand(array))
    if ufunc in _TRUTHS:
        return e.not_equal(array, 0)
    return array if dtype is None else astype(array, dtype)


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
    array, keepdims = _operand(ufunc, array, dtype), bool(keepdims)
    function = _REDUCTIONS.get(ufunc)
    if function in (max_, min_) and initial is None:
        initial = np._NoValue
    if function in (all_, any_):
        if initial is not np._NoValue and initial is not None:
            start = np.asarray(bool(initial))
            found = function(array, axis, keepdims=keepdims, where=where)
            return _store(ufunc.__name__, _function(ufunc)(start, found), out)
        return _store(ufunc.__name__, function(array, axis, keepdims=keepdims, where=where), out)
    if function is not None:
        more = {} if initial is np._NoValue else {"initial": initial}
        found = function(array, axis, keepdims=keepdims, where=where, **more)
        if dtype is not None and found.dtype != dtype:
            found = astype(found, dtype)
        return _store(ufunc.__name__, found, out)
    return _store(ufunc.__name__, _folded(ufunc, array, axis, keepdims, initial, where), out)


def _folded(ufunc: Any, array: Any, axis: Any, keepdims: bool, initial: Any, where: Any) -> Any:
    name, function = ufunc.__name__, _binary(ufunc, "reduce")
    axes = normalize_axes(axis, array.ndim)
    if len(axes) > 1 and ufunc not in _ASSOCIATIVE:
        raise ValueError(
            f"reduction operation '{name}' is not reorderable, so at most one axis may be specified"
        )
    # One axis, of all that are reduced, first.
    shape = array.shape
    moved = moveaxis(array, axes, tuple(range(len(axes))))
    rest = moved.shape[len(axes) :]
    x = reshape(moved, (-1 if moved.size else int(np.prod(moved.shape[: len(axes)])), *rest))
    start = None if initial is np._NoValue else initial
    if where is not True:
        if start is None:
            start = ufunc.identity if initial is np._NoValue else None
        if start is None:
            raise ValueError(
                f"reduction operation '{name}' does not have an identity, so to use a where mask "
                "one has to specify 'initial'"
            )
        mask = broadcast_to(np.asarray(where) if np.isscalar(where) else where, shape)
        mask = reshape(moveaxis(mask, axes, tuple(range(len(axes)))), x.shape)
        found = broadcast_to(astype(_array(start), x.dtype), rest)
        for i in range(x.shape[0]):
            found = e.select(getitem(mask, i), function(found, getitem(x, i)), found)
    elif not x.shape[0]:
        if start is None:
            start = ufunc.identity
        if start is None:
            raise ValueError(f"zero-size array to reduction operation {name} which has no identity")
        found = np.full(rest, start, x.dtype)
    else:
        if ufunc in _ASSOCIATIVE:
            found = _by_halves(function, x)
            found = found if start is None else function(start, found)
        else:
            found = getitem(x, 0) if start is None else function(start, getitem(x, 0))
            for i in range(1, x.shape[0]):
                found = function(found, getitem(x, i))
        if shape_of(found) != rest:  # a comparison of one element is that element
            found = broadcast_to(found, rest)
    return reduction.keep_dims(found, shape, axes) if keepdims else found


def _by_halves(function: Any, x: Any) -> Any:
    """Fold the first axis, the even and odd elements joined pairwise until one is left."""
    while (n := shape_of(x)[0]) > 1:
        pairs = function(getitem(x, slice(0, n - 1, 2)), getitem(x, slice(1, n, 2)))
        x = pairs if n % 2 == 0 else concatenate([pairs, getitem(x, slice(n - 1, n))], 0)
    return getitem(x, 0)


def _accumulate(ufunc: Any, array: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
    array = _operand(ufunc, array, dtype)
    running: Any = _RUNNING.get(ufunc)
    axis = normalize_axis(axis, array.ndim)
    if running is not None:
        totals = running(array, axis)
        if dtype is not None and totals.dtype != dtype:  # small integers run up as large ones
            totals = astype(totals, dtype)
        return _store(ufunc.__name__, totals, out)
    function = _binary(ufunc, "accumulate")
    x = moveaxis(array, axis, 0)
    n = x.shape[0]
    if ufunc in _ASSOCIATIVE:
        # Hillis and Steele (1986): each element takes in the one 1, 2, 4, ... places before it.
        step = 1
        while step < n:
            later = function(getitem(x, slice(0, n - step)), getitem(x, slice(step, n)))
            x = concatenate([getitem(x, slice(0, step)), later], 0)
            step *= 2
    elif n:
        steps = [getitem(x, 0)]
        for i in range(1, n):
            steps.append(function(steps[-1], getitem(x, i)))
        x = np.stack(steps)
    return _store(ufunc.__name__, moveaxis(x, 0, axis), out)


def _reduceat(
    ufunc: Any, array: Any, indices: Any, axis: int = 0, dtype: Any = None, out: Any = None
) -> Any:
    array = _operand(ufunc, array, dtype)
    axis = normalize_axis(axis, array.ndim)
    n = array.shape[axis]
    starts = np.asarray(indices)
    if starts.size and not (starts.min() >= 0 and starts.max() < n):
        raise IndexError(f"index out-of-bounds in {ufunc.__name__}.reduceat [0, {n})")
    starts = starts.tolist()
    stops = [*starts[1:], n]
    runs = [range(a, b if b > a else a + 1) for a, b in zip(starts, stops, strict=True)]
    if not runs:
        empty = (*array.shape[:axis], 0, *array.shape[axis + 1 :])
        return _store(ufunc.__name__, np.zeros(empty, array.dtype), out)
    if ufunc is np.add and dtype_of(array).kind in "fc":
        at = np.array([i for run in runs for i in run])
        segment = np.repeat(np.arange(len(runs)), list(map(len, runs)))
        x = getitem(moveaxis(array, axis, 0), at)
        found = scatter_add(x, segment, shape=(len(runs), *shape_of(x)[1:]))
        return _store(ufunc.__name__, moveaxis(found, 0, axis), out)
    at_axis = (slice(None),) * axis
    pieces = [
        _reduce(ufunc, getitem(array, (*at_axis, slice(run.start, run.stop))), axis) for run in runs
    ]
    return _store(ufunc.__name__, np.stack(pieces, axis), out)


# --- at ----------------------------------------------------------------------------------------


def _at(ufunc: Any, target: Any, index: Any, *values: Any) -> None:
    name = ufunc.__name__
    if not isinstance(target, Tracer):
        raise MutationError(
            f"np.{name}.at: cannot add traced values into a plain array, at "
            f"{user_line()}; make it with np.zeros_like(x) of a traced x."
        )
    if len(values) != ufunc.nin - 1:
        raise ValueError(f"np.{name}.at: expected {ufunc.nin} operands.")
    values = tuple(as_operand(v) for v in values)
    kept = np.result_type(*[np.empty(0, dtype_of(v)) for v in values], target.dtype)
    if values and not np.can_cast(kept, target.dtype, "same_kind"):
        raise TypeError(
            f"np.{name}.at: cannot cast the result from {kept} to {target.dtype}, at {user_line()}."
        )
    if ufunc in (np.add, np.subtract):
        value = values[0] if ufunc is np.add else -values[0]
        assign(target, add_at(target, index, value))
        return
    if ufunc.nout != 1:
        raise TypeError(f"np.{name}.at: expected a ufunc of one result.")
    function = _function(ufunc)
    places = np.asarray(np.arange(target.size).reshape(target.shape)[_concrete(index, name)])
    flat, order = places.ravel(), np.argsort(places.ravel(), kind="stable")
    # Repeated positions one after the other: in each round every position stands once.
    ranked = flat[order]
    new = np.r_[True, ranked[1:] != ranked[:-1]] if flat.size else np.empty(0, bool)
    first = np.maximum.accumulate(np.where(new, np.arange(flat.size), 0))
    turn = np.empty(flat.size, int)
    turn[order] = np.arange(flat.size) - first
    spread = [reshape(broadcast_to(_array(v), places.shape), (-1,)) for v in values]
    whole = reshape(target, (-1,)) * 1
    for k in range(int(turn.max(initial=-1)) + 1):
        chosen = np.flatnonzero(turn == k)
        old = getitem(whole, flat[chosen])
        new_values = function(old, *[getitem(v, chosen) for v in spread])
        setitem(whole, flat[chosen], astype(new_values, target.dtype))
    assign(target, reshape(whole, target.shape))


def _array(x: Any) -> Any:
    return x if isinstance(x, Tracer) else np.asarray(x)


def _concrete(index: Any, name: str) -> Any:
    """The index with its arrays' values, which are needed to find what is repeated."""

    def one(item: Any) -> Any:
        if not isinstance(item, Tracer):
            return item
        value = item.concrete()
        if value is None:
            raise TypeError(
                f"np.{name}.at: positions that depend on a traced value are supported for add and "
                f"subtract only, at {user_line()}."
            )
        return value

    return tuple(map(one, index)) if isinstance(index, tuple) else one(index)
