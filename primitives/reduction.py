"""Sums, products and extremes over axes, and their running forms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..kernels.cpu.recurrence import recurrence as recurrence_on_cpu
from ..kernels.device import by_device, is_gpu
from ..kernels.gpu.recurrence import recurrence as recurrence_on_gpu
from ..kernels.gpu.running import running_argument as running_argument_on_gpu
from .core import General, Linear, Nondifferentiable, ShapedArray, beside, dtype_of, shape_of
from .elementwise import add, divide, equal, multiply
from .structural import broadcast_to, concatenate, convert, full_batch, reshape, slice_at

__all__ = [
    "argmax",
    "argmin",
    "cumulative_product",
    "cumulative_sum",
    "recurrence",
    "reduce_all",
    "reduce_any",
    "reduce_max",
    "reduce_min",
    "reduce_product",
    "reduce_sum",
    "running_argmax",
    "running_argmin",
]


def _reduced(shape: Sequence[int], axes: Sequence[int]) -> tuple[int, ...]:
    return tuple(n for i, n in enumerate(shape) if i not in axes)


def _accumulated_dtype(dtype: Any) -> np.dtype:
    """What NumPy sums a dtype in: small integers and bool widen."""
    return np.add.reduce(np.empty(0, dtype)).dtype


def keep_dims(x: Any, shape: Sequence[int], axes: Sequence[int]) -> Any:
    """Put back, with length one, the ``axes`` that a reduction of ``shape`` took away."""
    return reshape(x, shape=tuple(1 if i in axes else n for i, n in enumerate(shape)))


def _spread(x: Any, shape: tuple[int, ...], axes: Sequence[int]) -> Any:
    if shape_of(x) != ():
        x = keep_dims(x, shape, axes)
    return broadcast_to(x, shape=shape)


def _shift(axes: Sequence[int]) -> tuple[int, ...]:
    return tuple(a + 1 for a in axes)


reduce_sum: Linear = Linear(
    "reduce_sum",
    kernel=lambda x, axes: np.add.reduce(x, axes),
    abstract=lambda x, axes: ShapedArray(_reduced(x.shape, axes), _accumulated_dtype(x.dtype)),
    transpose=lambda ct, shape0, dtype, axes: _spread(ct, shape0, axes),
    batch=lambda size, xs, batched, axes: reduce_sum(xs[0], axes=_shift(axes)),
)

# --- extremes: the derivative goes to the extreme element, in equal shares where several tie


def _reduced_by(ufunc: Any, method: str) -> Callable:
    """The reduction of a ufunc; CuPy's ufuncs reduce sums and products only, its arrays all."""

    def kernel(x: Any, axes: tuple[int, ...]) -> Any:
        return getattr(x, method)(axes) if is_gpu(x) else ufunc.reduce(x, axes)

    return kernel


def _extreme(name: str, ufunc: Any, method: str) -> General:
    def rule(primals: Sequence, tangents: Sequence, axes: tuple[int, ...]) -> tuple[Any, Any]:
        (x,), (t,) = primals, tangents
        answer = primitive(x, axes=axes)
        hit = convert(equal(x, _spread(answer, shape_of(x), axes)), dtype=dtype_of(x))
        share = divide(hit, _spread(reduce_sum(hit, axes=axes), shape_of(x), axes))
        return answer, reduce_sum(multiply(t, share), axes=axes)

    primitive = General(
        name,
        kernel=_reduced_by(ufunc, method),
        abstract=lambda x, axes: ShapedArray(_reduced(x.shape, axes), x.dtype),
        rule=rule,
        batch=lambda size, xs, batched, axes: primitive(xs[0], axes=_shift(axes)),
    )
    return primitive


reduce_max = _extreme("reduce_max", np.maximum, "max")
reduce_min = _extreme("reduce_min", np.minimum, "min")


def _logical(name: str, ufunc: Any, method: str) -> Nondifferentiable:
    primitive = Nondifferentiable(
        name,
        kernel=_reduced_by(ufunc, method),
        abstract=lambda x, axes: ShapedArray(_reduced(x.shape, axes), bool),
        batch=lambda size, xs, batched, axes: primitive(xs[0], axes=_shift(axes)),
    )
    return primitive


reduce_any = _logical("reduce_any", np.logical_or, "any")
reduce_all = _logical("reduce_all", np.logical_and, "all")


def _arg_extreme(name: str, function: Callable) -> Nondifferentiable:
    primitive = Nondifferentiable(
        name,
        kernel=lambda x, axis: function(x, axis),
        abstract=lambda x, axis: ShapedArray(_reduced(x.shape, (axis,)), np.intp),
        batch=lambda size, xs, batched, axis: primitive(xs[0], axis=axis + 1),
    )
    return primitive


argmax = _arg_extreme("argmax", np.argmax)
argmin = _arg_extreme("argmin", np.argmin)

# --- running forms ---------------------------------------------------------------------------


def _running(ufunc: Any) -> Callable:
    def kernel(x: Any, axis: int, reverse: bool) -> Any:
        if not reverse:
            return ufunc.accumulate(x, axis)
        return np.flip(ufunc.accumulate(np.flip(x, axis), axis), axis)

    return kernel


def _running_abstract(x: ShapedArray, axis: int, reverse: bool) -> ShapedArray:
    return ShapedArray(x.shape, _accumulated_dtype(x.dtype))


cumulative_sum: Linear = Linear(
    "cumulative_sum",
    kernel=_running(np.add),
    abstract=_running_abstract,
    transpose=lambda ct, shape0, dtype, axis, reverse: cumulative_sum(
        ct, axis=axis, reverse=not reverse
    ),
    batch=lambda size, xs, batched, axis, reverse: cumulative_sum(
        xs[0], axis=axis + 1, reverse=reverse
    ),
)


def _shifted(x: Any, first: Any, axis: int, reverse: bool) -> Any:
    """``x`` moved one step along the running direction, ``first`` entering."""
    at, n = (slice(None),) * axis, shape_of(x)[axis]
    kept = slice_at(x, index=(*at, slice(1, n) if reverse else slice(0, n - 1)))
    return concatenate(*((kept, first) if reverse else (first, kept)), axis=axis)


def _edge(x: Any, axis: int, value: float) -> Any:
    shape = (*shape_of(x)[:axis], 1, *shape_of(x)[axis + 1 :])
    return np.broadcast_to(beside(x, np.array(value, dtype_of(x))), shape)


def _recurrence_rule(
    primals: Sequence, tangents: Sequence, axis: int, reverse: bool
) -> tuple[Any, Any]:
    # y_k = a_k y_{k-1} + b_k, so dy_k = a_k dy_{k-1} + (da_k y_{k-1} + db_k).
    (a, b), (da, db) = primals, tangents
    y = recurrence(a, b, axis=axis, reverse=reverse)
    drive = db
    if da is not None:
        drive = multiply(da, _shifted(y, _edge(y, axis, 0.0), axis, reverse))
        drive = drive if db is None else add(drive, db)
    return y, recurrence(a, drive, axis=axis, reverse=reverse)


def _recurrence_transpose(ct: Any, operands: Sequence, axis: int, reverse: bool) -> Any:
    a = operands[0]
    return recurrence(
        _shifted(a, _edge(a, axis, 0.0), axis, not reverse), ct, axis=axis, reverse=not reverse
    )


# The linear recurrence y_k = a_k y_{k-1} + b_k along an axis (backwards if reverse); NumPy has
# no such function, and the derivative of every running product is one.
recurrence: General = General(
    "recurrence",
    kernel=by_device(recurrence_on_cpu, recurrence_on_gpu),
    abstract=lambda a, b, axis, reverse: ShapedArray(a.shape, np.result_type(a.dtype, b.dtype)),
    rule=_recurrence_rule,
    batch=lambda size, xs, batched, axis, reverse: recurrence(
        *[full_batch(size, x, m) for x, m in zip(xs, batched, strict=True)],
        axis=axis + 1,
        reverse=reverse,
    ),
    linear_in=1,
    transpose=_recurrence_transpose,
)


def _exclusive_product(x: Any, axis: int, reverse: bool) -> Any:
    moved = _shifted(x, _edge(x, axis, 1.0), axis, reverse)
    return cumulative_product(moved, axis=axis, reverse=reverse)


def _cumulative_product_rule(
    primals: Sequence, tangents: Sequence, axis: int, reverse: bool
) -> tuple[Any, Any]:
    # p_k = x_k p_{k-1}: dp_k = x_k dp_{k-1} + p_{k-1} dx_k, with no division by x.
    (x,), (t,) = primals, tangents
    answer = cumulative_product(x, axis=axis, reverse=reverse)
    before = _shifted(answer, _edge(answer, axis, 1.0), axis, reverse)
    return answer, recurrence(x, multiply(t, before), axis=axis, reverse=reverse)


cumulative_product: General = General(
    "cumulative_product",
    kernel=_running(np.multiply),
    abstract=_running_abstract,
    rule=_cumulative_product_rule,
    batch=lambda size, xs, batched, axis, reverse: cumulative_product(
        xs[0], axis=axis + 1, reverse=reverse
    ),
)


def _reduce_product_rule(
    primals: Sequence, tangents: Sequence, axes: tuple[int, ...]
) -> tuple[Any, Any]:
    # d prod(x) = sum_i t_i prod_{j != i} x_j; the products of the others come from one running
    # product from either end, so that zeros in x are harmless.
    (x,), (t,) = primals, tangents
    answer = reduce_product(x, axes=axes)
    for axis in sorted(axes, reverse=True):
        if shape_of(x)[axis] > 0:
            before = _exclusive_product(x, axis, reverse=False)
            t = multiply(t, multiply(before, _exclusive_product(x, axis, reverse=True)))
        t = reduce_sum(t, axes=(axis,))
        x = reduce_product(x, axes=(axis,))
    return answer, t


reduce_product: General = General(
    "reduce_product",
    kernel=lambda x, axes: np.multiply.reduce(x, axes),
    abstract=lambda x, axes: ShapedArray(_reduced(x.shape, axes), _accumulated_dtype(x.dtype)),
    rule=_reduce_product_rule,
    batch=lambda size, xs, batched, axes: reduce_product(xs[0], axes=_shift(axes)),
)


def _running_argument(ufunc: Any) -> Callable:
    def kernel(x: Any, axis: int) -> Any:
        running = ufunc.accumulate(x, axis)
        shape = (1,) * axis + (-1,) + (1,) * (x.ndim - axis - 1)
        position = np.arange(x.shape[axis]).reshape(shape)
        # A new extreme starts where the running value changes; from a NaN on it does not.
        at = (slice(None),) * axis
        now, before = running[(*at, slice(1, None))], running[(*at, slice(None, -1))]
        changed = np.ones(x.shape, bool)
        changed[(*at, slice(1, None))] = (now != before) & (before == before)
        return np.maximum.accumulate(np.where(changed, position, 0), axis)

    return kernel


def _running_argument_primitive(name: str, ufunc: Any) -> Nondifferentiable:
    def on_gpu(x: Any, axis: int) -> Any:
        return running_argument_on_gpu(x, axis, ufunc is np.maximum)

    primitive = Nondifferentiable(
        name,
        kernel=by_device(_running_argument(ufunc), on_gpu),
        abstract=lambda x, axis: ShapedArray(x.shape, np.intp),
        batch=lambda size, xs, batched, axis: primitive(xs[0], axis=axis + 1),
    )
    return primitive


running_argmax = _running_argument_primitive("running_argmax", np.maximum)
running_argmin = _running_argument_primitive("running_argmin", np.minimum)
