"""Shapes, axes, joins and splits."""

from __future__ import annotations

import functools
import itertools
import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import user_line
from ..kernels.device import is_gpu
from ..primitives import structural as p
from ..primitives.core import Tracer, dtype_of, shape_of
from .dispatch import implements
from .elementwise import as_operand, discretize
from .views import view_of

__all__ = ["astype", "broadcast_to", "moveaxis", "normalize_axis", "reshape", "stack", "transpose"]


def normalize_axis(axis: Any, ndim: int) -> int:
    """A nonnegative axis; raises ``AxisError`` as NumPy does."""
    return np.lib.array_utils.normalize_axis_index(operator.index(axis), ndim)


def normalize_axes(axis: Any, ndim: int) -> tuple[int, ...]:
    """Nonnegative axes of an int, a tuple, or None for all."""
    if axis is None:
        return tuple(range(ndim))
    return np.lib.array_utils.normalize_axis_tuple(axis, ndim)


def astype(
    x: Any,
    dtype: Any,
    order: Any = "K",
    casting: Any = "unsafe",
    subok: bool = True,
    copy: bool = True,
    device: Any = None,
) -> Any:
    """Convert to a dtype; derivatives end at integers and booleans."""
    dtype = np.dtype(dtype)
    if x.dtype == dtype:
        return x.copy() if isinstance(x, Tracer) and copy else x
    if not np.can_cast(x.dtype, dtype, casting):
        raise TypeError(f"astype: cannot cast {x.dtype} to {dtype} under casting={casting!r}.")
    if dtype.kind in "fc":
        return p.convert(x, dtype=dtype)
    if dtype.kind == "b":
        return np.not_equal(x, 0)
    return discretize(x, dtype)


implements(np.astype)(astype)


def _shape_argument(shape: Any, size: int) -> tuple[int, ...]:
    dims = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
    dims = tuple(operator.index(n) for n in dims)
    if -1 in dims:
        known = -math.prod(dims)
        if dims.count(-1) > 1 or known == 0 or size % known:
            raise ValueError(f"cannot reshape array of size {size} into shape {dims}")
        dims = tuple(size // known if n == -1 else n for n in dims)
    if math.prod(dims) != size:
        raise ValueError(f"cannot reshape array of size {size} into shape {dims}")
    return dims


@implements(np.reshape)
def reshape(a: Any, /, shape: Any, order: str = "C", *, copy: Any = None) -> Any:
    a = as_operand(a)
    dims = _shape_argument(shape, math.prod(shape_of(a)))
    if order == "F":
        return transpose(reshape(transpose(a), dims[::-1]))
    if order != "C":
        raise TypeError(
            f"np.reshape: order={order!r} depends on the memory layout, which a traced array does "
            f"not have, at {user_line()}; say 'C' or 'F'."
        )
    return view_of(a, p.reshape(a, shape=dims), "reshape", dims)


@implements(np.ravel)
def ravel(a: Any, order: str = "C") -> Any:
    return reshape(as_operand(a), -1, order)


@implements(np.transpose, np.permute_dims)
def transpose(a: Any, axes: Any = None) -> Any:
    a = as_operand(a)
    ndim = len(a.shape)
    if axes is None:
        order = tuple(reversed(range(ndim)))
    else:
        order = normalize_axes(tuple(axes), ndim)
        if len(order) != ndim:
            raise ValueError("axes don't match array")
    return view_of(a, p.transpose(a, axes=order), "transpose", order)


@implements(np.matrix_transpose)
def matrix_transpose(x: Any, /) -> Any:
    return swapaxes(x, -1, -2)


@implements(np.swapaxes)
def swapaxes(a: Any, axis1: int, axis2: int) -> Any:
    a = as_operand(a)
    order = list(range(a.ndim))
    i, j = normalize_axis(axis1, a.ndim), normalize_axis(axis2, a.ndim)
    order[i], order[j] = j, i
    return transpose(a, order)


@implements(np.moveaxis)
def moveaxis(a: Any, source: Any, destination: Any) -> Any:
    a = as_operand(a)
    source = normalize_axes(source, a.ndim)
    destination = normalize_axes(destination, a.ndim)
    order = [n for n in range(a.ndim) if n not in source]
    for dest, src in sorted(zip(destination, source, strict=True)):
        order.insert(dest, src)
    return transpose(a, order)


@implements(np.rollaxis)
def rollaxis(a: Any, axis: int, start: int = 0) -> Any:
    axis = normalize_axis(axis, a.ndim)
    start = start + a.ndim if start < 0 else start
    return moveaxis(a, axis, start - 1 if axis < start else start)


@implements(np.broadcast_to)
def broadcast_to(array: Any, shape: Any, subok: bool = False) -> Any:
    dims = (shape,) if isinstance(shape, (int, np.integer)) else tuple(map(operator.index, shape))
    if np.broadcast_shapes(array.shape, dims) != dims:
        raise ValueError(f"cannot broadcast an array of shape {array.shape} to {dims}")
    spread = functools.partial(p.broadcast_to, shape=dims)
    return view_of(array, spread(array), "function", (spread, None))


@implements(np.broadcast_arrays)
def broadcast_arrays(*args: Any, subok: bool = False) -> tuple:
    arrays = [as_operand(a) for a in args]
    shape = np.broadcast_shapes(*map(shape_of, arrays))
    return tuple(broadcast_to(np.asarray(a) if np.isscalar(a) else a, shape) for a in arrays)


@implements(np.squeeze)
def squeeze(a: Any, axis: Any = None) -> Any:
    if axis is None:
        axes: tuple = tuple(i for i, n in enumerate(a.shape) if n == 1)
    else:
        axes = normalize_axes(axis, a.ndim)
        if any(a.shape[i] != 1 for i in axes):
            raise ValueError("cannot select an axis to squeeze out which has size not equal to one")
    return _with_axes(a, tuple(n for i, n in enumerate(a.shape) if i not in axes))


def _with_axes(a: Any, shape: tuple[int, ...]) -> Any:
    return view_of(a, p.reshape(a, shape=shape), "axes", shape)


@implements(np.expand_dims)
def expand_dims(a: Any, axis: Any) -> Any:
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    ndim = a.ndim + len(axes)
    new = normalize_axes(tuple(axes), ndim)
    old = iter(a.shape)
    return _with_axes(a, tuple(1 if i in new else next(old) for i in range(ndim)))


@implements(np.atleast_1d)
def atleast_1d(*arys: Any) -> Any:
    made = [reshape(a, 1) if np.ndim(a) == 0 else a for a in map(as_operand, arys)]
    return made[0] if len(made) == 1 else tuple(made)


@implements(np.atleast_2d)
def atleast_2d(*arys: Any) -> Any:
    made = [a if np.ndim(a) >= 2 else reshape(a, (1, -1)) for a in map(as_operand, arys)]
    return made[0] if len(made) == 1 else tuple(made)


@implements(np.atleast_3d)
def atleast_3d(*arys: Any) -> Any:
    def one(a: Any) -> Any:
        shape = shape_of(a)
        wanted = {0: (1, 1, 1), 1: (1, *shape, 1), 2: (*shape, 1)}.get(len(shape), shape)
        return reshape(a, wanted)

    made = [one(as_operand(a)) for a in arys]
    return made[0] if len(made) == 1 else tuple(made)


# --- joins and splits --------------------------------------------------------------------------


def _arrays(seq: Any) -> list[Any]:
    if isinstance(seq, Tracer):  # iterate over the leading axis
        return list(seq)
    operands = [as_operand(x) for x in seq]
    return [x if isinstance(x, Tracer) or is_gpu(x) else np.asarray(x) for x in operands]


def _unified(arrays: Sequence[Any], dtype: Any, casting: str) -> list[Any]:
    if dtype is None:
        dtype = np.result_type(*[dtype_of(a) for a in arrays])
    return [a if dtype_of(a) == dtype else astype(a, dtype, casting=casting) for a in arrays]


@implements(np.concatenate, np.concat)
def concatenate(
    arrays: Any, /, axis: Any = 0, out: Any = None, *, dtype: Any = None, casting: Any = "same_kind"
) -> Any:
    from .dispatch import refuse_out

    refuse_out("np.concatenate", out)
    parts = _arrays(arrays)
    if axis is None:
        parts, axis = [ravel(a) for a in parts], 0
    if not parts:
        raise ValueError("need at least one array to concatenate")
    ndim = parts[0].ndim
    axis = normalize_axis(axis, ndim)
    for i, a in enumerate(parts):
        same = a.ndim == ndim and all(
            m == n
            for k, (m, n) in enumerate(zip(a.shape, parts[0].shape, strict=True))
            if k != axis
        )
        if not same:
            raise ValueError(
                f"np.concatenate: expected arrays alike but for axis {axis}; got shape {a.shape} "
                f"at position {i} beside {parts[0].shape}."
            )
    return p.concatenate(*_unified(parts, dtype, casting), axis=axis)


@implements(np.stack)
def stack(
    arrays: Any, axis: int = 0, out: Any = None, *, dtype: Any = None, casting: Any = "same_kind"
) -> Any:
    parts = _arrays(arrays)
    shapes = {a.shape for a in parts}
    if len(shapes) != 1:
        raise ValueError(f"np.stack: expected arrays of one shape; got {sorted(shapes)}.")
    axis = normalize_axis(axis, parts[0].ndim + 1)
    return concatenate(
        [expand_dims(a, axis) for a in parts], axis, out, dtype=dtype, casting=casting
    )


@implements(np.vstack)
def vstack(tup: Any, *, dtype: Any = None, casting: Any = "same_kind") -> Any:
    return concatenate([atleast_2d(a) for a in _arrays(tup)], 0, dtype=dtype, casting=casting)


@implements(np.hstack)
def hstack(tup: Any, *, dtype: Any = None, casting: Any = "same_kind") -> Any:
    parts = [atleast_1d(a) for a in _arrays(tup)]
    return concatenate(parts, 0 if parts[0].ndim == 1 else 1, dtype=dtype, casting=casting)


@implements(np.dstack)
def dstack(tup: Any) -> Any:
    return concatenate([atleast_3d(a) for a in _arrays(tup)], 2)


@implements(np.column_stack)
def column_stack(tup: Any) -> Any:
    return concatenate([reshape(a, (-1, 1)) if a.ndim < 2 else a for a in _arrays(tup)], 1)


@implements(np.block)
def block(arrays: Any) -> Any:
    def depth_of(x: Any) -> int:
        return 1 + max(map(depth_of, x)) if isinstance(x, list) else 0

    def joined(x: Any, depth: int, ndim: int) -> Any:
        if not isinstance(x, list):
            a = _arrays([x])[0]
            return reshape(a, (1,) * (ndim - a.ndim) + a.shape)
        return concatenate([joined(v, depth - 1, ndim) for v in x], -depth)

    def ndims(x: Any) -> int:
        return max(map(ndims, x)) if isinstance(x, list) else np.ndim(x)

    depth = depth_of(arrays)
    return joined(arrays, depth, max(depth, ndims(arrays)))


@implements(np.append)
def append(arr: Any, values: Any, axis: Any = None) -> Any:
    arr, values = _arrays([arr, values])
    if axis is None:
        return concatenate([ravel(arr), ravel(values)])
    return concatenate([arr, values], axis)


@implements(np.array_split)
def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    total = ary.shape[axis]
    if isinstance(indices_or_sections, (int, np.integer)):
        sections = int(indices_or_sections)
        each, extra = divmod(total, sections)
        points = np.cumsum([0] + extra * [each + 1] + (sections - extra) * [each]).tolist()
    else:
        points = [0, *indices_or_sections, total]
    at = (slice(None),) * normalize_axis(axis, ary.ndim)
    return [ary[(*at, slice(a, b))] for a, b in itertools.pairwise(points)]


@implements(np.split)
def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    if isinstance(indices_or_sections, (int, np.integer)) and ary.shape[axis] % indices_or_sections:
        raise ValueError("array split does not result in an equal division")
    return array_split(ary, indices_or_sections, axis)


@implements(np.unstack)
def unstack(x: Any, /, *, axis: int = 0) -> tuple:
    return tuple(moveaxis(x, axis, 0))


# --- repeats -----------------------------------------------------------------------------------


@implements(np.tile)
def tile(A: Any, reps: Any) -> Any:  # noqa: N803  (NumPy's name)
    counts = (reps,) if isinstance(reps, (int, np.integer)) else tuple(reps)
    ndim = max(A.ndim, len(counts))
    shape = (1,) * (ndim - A.ndim) + A.shape
    counts = (1,) * (ndim - len(counts)) + counts
    paired = [n for pair in zip(counts, shape, strict=True) for n in pair]
    spread = [n for pair in zip((1,) * ndim, shape, strict=True) for n in pair]
    dims = tuple(c * n for c, n in zip(counts, shape, strict=True))
    repeated = p.broadcast_to(reshape(A, spread), shape=tuple(paired))
    return p.copy(p.reshape(repeated, shape=dims))


@implements(np.repeat)
def repeat(a: Any, repeats: Any, axis: Any = None) -> Any:
    from .indexing import take

    a = as_operand(a)
    if axis is None:
        a, axis = ravel(a), 0
    axis = normalize_axis(axis, a.ndim)
    return take(a, np.repeat(np.arange(a.shape[axis]), repeats), axis)


@implements(np.flip)
def flip(m: Any, axis: Any = None) -> Any:
    axes = normalize_axes(axis, m.ndim)
    return m[tuple(slice(None, None, -1) if i in axes else slice(None) for i in range(m.ndim))]


@implements(np.fliplr)
def fliplr(m: Any) -> Any:
    return flip(m, 1)


@implements(np.flipud)
def flipud(m: Any) -> Any:
    return flip(m, 0)


@implements(np.rot90)
def rot90(m: Any, k: int = 1, axes: Any = (0, 1)) -> Any:
    i, j = normalize_axes(tuple(axes), m.ndim)
    k %= 4
    if k == 2:
        return flip(m, (i, j))
    if k == 1:
        return swapaxes(flip(m, j), i, j)
    return flip(swapaxes(m, i, j), j) if k == 3 else m[...]


@implements(np.roll)
def roll(a: Any, shift: Any, axis: Any = None) -> Any:
    rolled = _rolled(a, shift, axis)
    return a.copy() if rolled is a else rolled


def _rolled(a: Any, shift: Any, axis: Any) -> Any:
    if axis is None:
        return reshape(roll(ravel(a), shift, 0), a.shape)
    shifts, axes = np.broadcast_arrays(shift, axis)
    for s, ax in zip(shifts.ravel().tolist(), axes.ravel().tolist(), strict=True):
        ax = normalize_axis(ax, a.ndim)
        n = a.shape[ax]
        s = s % n if n else 0
        if s:
            at = (slice(None),) * ax
            a = concatenate([a[(*at, slice(n - s, None))], a[(*at, slice(None, n - s))]], ax)
    return a
