"""Reading and assigning by every kind of NumPy index."""

from __future__ import annotations

import functools
import operator
from typing import Any

import numpy as np

from ..errors import ConcreteValueError, MutationError, user_line
from ..kernels.device import is_gpu
from ..primitives import elementwise as e
from ..primitives.core import Tracer, aval_of, beside, dtype_of, shape_of
from ..primitives.indexing import gather, scatter_add, scatter_set, update_at
from ..primitives.structural import slice_at, update_slice
from .dispatch import implements, refuse_out
from .elementwise import as_operand
from .manipulation import (
    astype,
    broadcast_to,
    moveaxis,
    normalize_axis,
    ravel,
    reshape,
    transpose,
)
from .views import assign, is_view_at, view_of

__all__ = ["getitem", "setitem", "take", "take_along_axis", "writable_diagonal"]

_BASIC = (int, slice, type(None), type(Ellipsis), np.integer)


def _is_basic(item: Any) -> bool:
    return isinstance(item, _BASIC) and not isinstance(item, (bool, np.bool_))


def _concrete_mask(mask: Any) -> np.ndarray:
    value = mask.concrete() if isinstance(mask, Tracer) else mask
    if value is None:
        raise ConcreteValueError(
            f"{mask._trace.name}: indexing by a boolean mask that depends on a traced value has no "
            f"fixed shape, at {user_line()}; write np.where(mask, x, other) instead."
        )
    return value if is_gpu(value) else np.asarray(value)


def _normalize(index: Any, shape: tuple[int, ...]) -> list[Any]:
    """The index as a list with one item an axis: no Ellipsis, no masks, lists made arrays."""
    items: list[Any] = []
    for item in index if isinstance(index, tuple) else (index,):
        if _is_basic(item):
            items.append(operator.index(item) if isinstance(item, np.integer) else item)
            continue
        item = as_operand(item)
        if isinstance(item, (bool, np.bool_)):
            item = np.asarray(item)
        kind = dtype_of(item).kind
        if kind == "b":
            mask = _concrete_mask(item)
            at = len([i for i in items if i is not None])
            if Ellipsis not in [i for i in items if i is Ellipsis] and (
                mask.shape != shape[at : at + mask.ndim]
            ):
                raise IndexError(
                    f"boolean index of shape {mask.shape} does not match the axes "
                    f"{shape[at : at + mask.ndim]} it indexes"
                )
            items.extend(mask.nonzero() if mask.ndim else [np.arange(int(mask))])
            if mask.ndim == 0:
                raise IndexError("0-dimensional boolean indices are not supported on traced arrays")
        elif kind in "iu":
            items.append(item)
        elif isinstance(item, np.ndarray) and item.size == 0 and item.dtype == float:
            items.append(item.astype(np.intp))  # x[[]]
        else:
            raise IndexError(
                "only integers, slices (`:`), ellipsis (`...`), None and integer or boolean arrays "
                f"are valid indices; got {dtype_of(item)}"
            )
    used = len([i for i in items if i is not None and i is not Ellipsis])
    if used > len(shape):
        raise IndexError(
            f"too many indices: the array is {len(shape)}-dimensional, but {used} were indexed"
        )
    fill = [slice(None)] * (len(shape) - used)
    where = next((k for k, item in enumerate(items) if item is Ellipsis), None)
    return items + fill if where is None else items[:where] + fill + items[where + 1 :]


def getitem(x: Any, index: Any) -> Any:
    """``x[index]``."""
    kind = type(index)
    if kind is int:
        if not -x.shape[0] <= index < x.shape[0]:
            raise IndexError(f"index {index} is out of bounds for axis 0 with size {x.shape[0]}")
        taken = slice_at(x, index=(index,))
        return taken if len(x.shape) == 1 else view_of(x, taken, "slice", (index,))
    if kind is slice:
        return view_of(x, slice_at(x, index=(index,)), "slice", (index,))
    if all(map(_is_basic, index if kind is tuple else (index,))):
        index = index if kind is tuple else (index,)
        taken = slice_at(x, index=index)
        whole = len(taken.shape) or Ellipsis in index  # a single element is a number, no view
        return view_of(x, taken, "slice", index) if whole else taken
    mask = _single_mask(index)
    if mask is not None:  # one more axis, of length one or none
        taken = slice_at(x, index=(None,))
        return taken if _concrete_mask(mask) else slice_at(taken, index=(slice(0, 0),))
    taken = _advanced(x, _normalize(index, x.shape))
    index = index if kind is tuple else (index,)
    if len(taken.shape) and all(map(_is_number, index)):
        return _row_of(x, taken, index)
    return taken


def _is_number(item: Any) -> bool:
    """Whether an index is basic, or one traced integer, which stands for a number."""
    return _is_basic(item) or (isinstance(item, Tracer) and item.shape == ())


def _row_of(x: Any, taken: Any, index: tuple) -> Any:
    """``x[i]`` at a traced position shares the memory of ``x``, as it does at a known one."""

    def read(base: Any) -> Any:
        return _advanced(base, _normalize(index, base.shape))

    def write(base: Any, value: Any) -> Any:
        changed = base.copy()
        setitem(changed, index, value)
        return changed

    return view_of(x, taken, "function", (read, write, index))


def _single_mask(index: Any) -> Any:
    """The index, if it is one truth value."""
    if type(index) is tuple and len(index) == 1:
        index = index[0]
    if isinstance(index, (bool, np.bool_)):
        return np.asarray(index)
    single = isinstance(index, (np.ndarray, Tracer)) and index.shape == ()
    return index if single and index.dtype.kind == "b" else None


def _split_index(items: list[Any]) -> tuple[list, list, list, list]:
    """Basic part of an index, with slice(None) where arrays stand, and the arrays.

    Returns the basic index, the arrays, the axes of the basic result they index, and the
    positions of the items in the index that count as advanced.
    """
    basic: list[Any] = []
    arrays: list[Any] = []
    axes: list[int] = []
    positions: list[int] = []
    axis = 0
    for k, item in enumerate(items):
        if item is None or isinstance(item, slice):
            basic.append(item)
            axis += 1
        else:  # an integer beside arrays is an array of shape ()
            basic.append(slice(None))
            arrays.append(item)
            axes.append(axis)
            positions.append(k)
            axis += 1
    return basic, arrays, axes, positions


def _advanced(x: Any, items: list[Any]) -> Any:
    basic, arrays, axes, positions = _split_index(items)
    if any(item is None or item != slice(None) for item in basic):
        x = slice_at(x, index=tuple(basic))
    rest = [i for i in range(len(shape_of(x))) if i not in axes]
    if axes != list(range(len(axes))):
        x = transpose(x, [*axes, *rest])
    shape = np.broadcast_shapes(*[shape_of(a) for a in arrays])
    index = [_index_array(a, shape, n) for a, n in zip(arrays, shape_of(x), strict=False)]
    taken = gather(x, *index)
    # Adjacent arrays leave their axes in place; separated ones put them first.
    first = axes[0]
    if first and positions == list(range(positions[0], positions[0] + len(positions))):
        n = len(shape)
        taken = moveaxis(taken, tuple(range(n)), tuple(range(first, first + n)))
    return taken


def _index_array(a: Any, shape: tuple[int, ...], size: int) -> Any:
    if not isinstance(a, Tracer):
        if is_gpu(a):  # whether it is inside of the bounds is known on the device alone
            return np.broadcast_to(a, shape)
        a = np.asarray(a)
        if a.size and not (-size <= a.min() and a.max() < size):
            bad = a.max() if a.max() >= size else a.min()
            raise IndexError(f"index {bad} is out of bounds for axis with size {size}")
        return np.broadcast_to(a, shape)
    return broadcast_to(a, shape)


def setitem(x: Tracer, index: Any, value: Any) -> None:
    """``x[index] = value``, recorded as a new array that ``x`` stands for from here on."""
    if isinstance(value, Tracer) and is_view_at(
        value, x, index if type(index) is tuple else (index,)
    ):
        return  # the second half of x[i] += v, whose first half has written already
    value = as_operand(value)
    if dtype_of(value).kind == "c" and x.dtype.kind != "c":
        raise TypeError(
            f"assignment of {dtype_of(value)} to an array of {x.dtype}, at {user_line()}: the "
            "imaginary part would be lost; write value.real, or make the array complex."
        )
    if isinstance(value, Tracer) and x.dtype.kind in "iub" and value.dtype.kind in "fc":
        raise TypeError(
            f"assignment of {value.dtype} to an array of {x.dtype}, at {user_line()}: the value "
            "and its derivative would be truncated; make the array with a floating dtype."
        )
    if not isinstance(value, (Tracer, np.ndarray)) and not is_gpu(value):
        value = beside(x, np.asarray(value, x.dtype))
    if value.dtype != x.dtype:
        value = astype(value, x.dtype)
    if all(map(_is_basic, index if type(index) is tuple else (index,))):
        index = index if type(index) is tuple else (index,)
        target = np.broadcast_to(np.zeros(()), x.shape)[index].shape
        assign(x, update_slice(x, _fill(value, target), index=index))
        return
    single = _single_mask(index)
    if single is not None:
        assign(x, e.select(single, _fill(value, x.shape), x))
        return
    if _is_whole_mask(index, x) and shape_of(value) in ((), x.shape):
        # A mask of the array's own shape keeps a fixed shape, whatever the batch.
        assign(x, e.select(index, value, x))
        return
    items = _normalize(index, x.shape)
    # Which element of the value was written last at each place, by NumPy's own assignment.
    basic, arrays, axes, _ = _split_index(items)
    if any(isinstance(a, Tracer) and a.concrete() is None for a in arrays):
        _set_traced(x, value, items, basic, arrays, axes)
        return
    plain = tuple(a.concrete() if isinstance(a, Tracer) else a for a in items)
    count = beside(x, np.arange(x.size).reshape(x.shape))[plain]
    written = beside(x, np.full(x.shape, -1))
    written[plain] = beside(x, np.arange(count.size).reshape(count.shape))
    source = ravel(_fill(value, count.shape))
    if count.size == 0:
        assign(x, e.positive(x))  # nothing, unless it is refused
        return
    chosen = gather(source, np.maximum(written, 0))
    assign(x, e.select(written >= 0, chosen, x))


def _is_whole_mask(index: Any, x: Any) -> bool:
    return isinstance(index, Tracer) and index.dtype.kind == "b" and index.shape == x.shape


def _set_traced(x: Any, value: Any, items: list, basic: list, arrays: list, axes: list) -> None:
    if axes != list(range(len(axes))) or any(b is None or b != slice(None) for b in basic):
        places = _places(x, items)
        flat = ravel(x)
        values = ravel(_fill(value, shape_of(places)))
        if all(shape_of(a) == () for a in arrays):  # nothing is written twice
            flat = update_at(flat, values, ravel(places))
        else:
            flat = flat.copy()
            setitem(flat, ravel(places), values)
        assign(x, reshape(flat, x.shape))
        return
    shape = np.broadcast_shapes(*[shape_of(a) for a in arrays])
    index = [_index_array(a, shape, n) for a, n in zip(arrays, x.shape, strict=False)]
    target = shape + x.shape[len(arrays) :]
    if shape == ():  # one position: nothing is written twice
        assign(x, update_at(x, astype(_fill(value, target), x.dtype), *index))
        return
    order = beside(x, np.arange(int(np.prod(target, dtype=int))).reshape(target))
    written = scatter_set(beside(x, np.full(x.shape, -1)), order, *index)
    chosen = gather(ravel(_fill(value, target)), e.maximum(written, 0))
    assign(x, e.select(e.greater_equal(written, 0), chosen, x))


def _places(x: Any, items: list) -> Any:
    """Where in memory order the elements are that an index with traced positions names."""
    size = int(np.prod(x.shape, dtype=int))
    return _advanced(beside(x, np.arange(size).reshape(x.shape)), items)


def _fill(value: Any, shape: tuple[int, ...]) -> Any:
    own = shape_of(value)
    while len(own) > len(shape) and own[0] == 1:  # NumPy drops leading ones on assignment
        value = reshape(value, own[1:])
        own = own[1:]
    fits = len(own) <= len(shape) and all(
        m in (1, n) for m, n in zip(own[::-1], shape[::-1], strict=False)
    )
    if not fits:
        raise ValueError(f"could not broadcast input array from shape {own} into shape {shape}")
    return broadcast_to(value, shape)


@implements(np.take)
def take(a: Any, indices: Any, axis: Any = None, out: Any = None, mode: str = "raise") -> Any:
    refuse_out("np.take", out)
    a, indices = as_operand(a), as_operand(indices)
    if axis is None:
        a, axis = ravel(a), 0
    axis = normalize_axis(axis, len(shape_of(a)))
    n = shape_of(a)[axis]
    if mode == "wrap":
        indices = np.remainder(indices, n)
    elif mode == "clip":
        indices = np.clip(indices, 0, n - 1)
    return getitem(_as_array(a), (*(slice(None),) * axis, _as_array(indices)))


def _as_array(x: Any) -> Any:
    return x if isinstance(x, Tracer) or is_gpu(x) else np.asarray(x)


@implements(np.take_along_axis)
def take_along_axis(arr: Any, indices: Any, axis: Any = -1) -> Any:
    if axis is None:
        arr, axis = ravel(arr), 0
    return _advanced(arr, _along(arr, indices, axis))


def _along(arr: Any, indices: Any, axis: int) -> list[Any]:
    axis = normalize_axis(axis, len(shape_of(arr)))
    shape = list(shape_of(indices))
    index: list[Any] = []
    for k, n in enumerate(shape_of(arr)):
        if k == axis:
            index.append(indices)
        else:
            dims = [1] * len(shape)
            dims[k] = n
            index.append(beside(arr, np.arange(n).reshape(dims)))
    return index


@implements(np.put_along_axis)
def put_along_axis(arr: Any, indices: Any, values: Any, axis: Any) -> None:
    if not isinstance(arr, Tracer):
        raise MutationError(
            f"np.put_along_axis: traced values cannot be written into a plain array, at "
            f"{user_line()}; make it with np.zeros_like(x) of a traced x."
        )
    if axis is None:
        setitem(arr, tuple(np.unravel_index(_as_array(indices), arr.shape)), values)
        return
    setitem(arr, tuple(_along(arr, indices, axis)), values)


@implements(np.unravel_index)
def unravel_index(indices: Any, shape: Any, order: str = "C") -> tuple:
    places = []
    dims = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
    rest = as_operand(indices)
    for n in dims if order == "F" else dims[::-1]:
        places.append(e.remainder(rest, n))
        rest = e.floor_divide(rest, n)
    return tuple(places if order == "F" else places[::-1])


@implements(np.ravel_multi_index)
def ravel_multi_index(multi_index: Any, dims: Any, mode: Any = "raise", order: str = "C") -> Any:
    axes = list(zip(map(as_operand, multi_index), dims, strict=True))
    modes = (mode,) * len(axes) if isinstance(mode, str) else tuple(mode)
    total: Any = 0
    stride = 1
    pairs = list(zip(axes, modes, strict=True))
    for (place, n), how in pairs if order == "F" else pairs[::-1]:
        if how == "wrap":
            place = e.remainder(place, n)
        elif how == "clip":
            place = np.clip(place, 0, n - 1)
        total = e.add(total, e.multiply(place, stride))
        stride *= n
    return total


@implements(np.compress)
def compress(condition: Any, a: Any, axis: Any = None, out: Any = None) -> Any:
    refuse_out("np.compress", out)
    return take(a, np.flatnonzero(_concrete_mask(condition)), axis)


@implements(np.extract)
def extract(condition: Any, arr: Any) -> Any:
    return take(ravel(arr), np.flatnonzero(_concrete_mask(condition)))


@implements(np.nonzero)
def nonzero(a: Any) -> tuple:
    return np.nonzero(_concrete_mask(a))


@implements(np.flatnonzero)
def flatnonzero(a: Any) -> Any:
    return np.flatnonzero(_concrete_mask(a))


@implements(np.argwhere)
def argwhere(a: Any) -> Any:
    return np.argwhere(_concrete_mask(a))


@implements(np.delete)
def delete(arr: Any, obj: Any, axis: Any = None) -> Any:
    if axis is None:
        arr, axis = ravel(arr), 0
    length = arr.shape[axis]
    if isinstance(obj, Tracer):
        value = obj.concrete()
        if value is None and obj.shape == () and obj.dtype.kind in "iu":
            kept = np.arange(length - 1)  # those behind the position move up
            at: Any = obj
            return take(arr, kept + (kept >= np.where(at < 0, at + length, at)), axis)
        if value is None:
            raise ConcreteValueError(
                f"np.delete: expected one integer position, or positions that are known; got "
                f"{aval_of(obj)}, at {user_line()}; how many elements are left depends on them."
            )
        obj = np.asarray(value)[()]
    return take(arr, np.delete(np.arange(length), obj), axis)


@implements(np.choose)
def choose(a: Any, choices: Any, out: Any = None, mode: str = "raise") -> Any:
    refuse_out("np.choose", out)
    parts = [_as_array(as_operand(c)) for c in choices]
    a, n = _as_array(as_operand(a)), len(parts)
    if mode == "wrap":
        a = np.remainder(a, n)
    elif mode == "clip":
        a = np.clip(a, 0, n - 1)
    else:
        value = a.concrete() if isinstance(a, Tracer) else a
        if value is not None and value.size and not (value.min() >= 0 and value.max() < n):
            raise ValueError("invalid entry in choice array")
    result = parts[0]
    for k, part in enumerate(parts[1:], 1):
        result = e.select(e.equal(a, k), part, result)
    shape = np.broadcast_shapes(shape_of(a), shape_of(result))
    return result if shape_of(result) == shape else broadcast_to(result, shape).copy()


@implements(np.lib.stride_tricks.sliding_window_view)
def sliding_window_view(
    x: Any, window_shape: Any, axis: Any = None, *, subok: bool = False, writeable: bool = False
) -> Any:
    sizes = (window_shape,) if isinstance(window_shape, (int, np.integer)) else tuple(window_shape)
    if axis is None:
        axes = tuple(range(x.ndim))
    else:
        axes = np.lib.array_utils.normalize_axis_tuple(axis, x.ndim, allow_duplicate=True)
    if len(sizes) != len(axes):
        raise ValueError(
            f"sliding_window_view: expected a window size for each of the axes {axes}; got {sizes}."
        )
    read = functools.partial(_windows, sizes=sizes, axes=axes)
    # Where it is asked for, NumPy's can be written, at several elements at once.
    return view_of(x, read(x), *(("unknown",) if writeable else ("function", (read, None))))


def _windows(x: Any, sizes: tuple[int, ...], axes: tuple[int, ...]) -> Any:
    for size, k in zip(sizes, axes, strict=True):
        if not 0 <= size <= x.shape[k]:
            raise ValueError(f"sliding_window_view: window of {size} on an axis of {x.shape[k]}.")
        starts = np.arange(x.shape[k] - size + 1)
        x = moveaxis(take(x, starts[:, None] + np.arange(size), k), k + 1, -1)
    return x


# --- diagonals and triangles -------------------------------------------------------------------


@implements(np.linalg.diagonal)
def matrix_diagonal(x: Any, /, *, offset: int = 0) -> Any:
    return diagonal(x, offset, -2, -1)


@implements(np.linalg.trace)
def matrix_trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Any:
    return trace(x, offset, -2, -1, dtype)


@implements(np.diagonal)
def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    read = functools.partial(_diagonal, offset=offset, axis1=axis1, axis2=axis2)
    return view_of(a, read(a), "function", (read, None))


def writable_diagonal(a: Any, axis1: int, axis2: int) -> Any:
    """The diagonal as ``np.einsum("ii->i", a)`` returns it: assigning to it changes ``a``."""
    read = functools.partial(_diagonal, offset=0, axis1=axis1, axis2=axis2)

    def write(base: Any, value: Any) -> Any:
        size = int(np.prod(base.shape, dtype=int))
        source = np.full(base.shape, -1)
        places = np.diagonal(np.arange(size).reshape(base.shape), 0, axis1, axis2)
        source.reshape(-1)[places.ravel()] = np.arange(places.size)
        return e.select(source >= 0, gather(ravel(value), np.maximum(source, 0)), base)

    return view_of(a, read(a), "function", (read, write))


def _diagonal(a: Any, offset: int, axis1: int, axis2: int) -> Any:
    i, j = normalize_axis(axis1, a.ndim), normalize_axis(axis2, a.ndim)
    a = moveaxis(a, (i, j), (0, 1))
    rows, columns = a.shape[:2]
    start_row, start_column = max(-offset, 0), max(offset, 0)
    n = max(min(rows - start_row, columns - start_column), 0)
    k = np.arange(n)
    picked = gather(a, k + start_row, k + start_column)
    return moveaxis(picked, 0, -1)


@implements(np.diag)
def diag(v: Any, k: int = 0) -> Any:
    v = as_operand(v)
    if v.ndim == 2:
        return diagonal(v, k)
    n = v.shape[0] + abs(k)
    i = np.arange(v.shape[0])
    return scatter_add(v, i + max(-k, 0), i + max(k, 0), shape=(n, n))


@implements(np.diagflat)
def diagflat(v: Any, k: int = 0) -> Any:
    return diag(ravel(v), k)


@implements(np.trace)
def trace(
    a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: Any = None
) -> Any:
    refuse_out("np.trace", out)
    return np.sum(diagonal(a, offset, axis1, axis2), axis=-1, dtype=dtype)


@implements(np.tril)
def tril(m: Any, k: int = 0) -> Any:
    return e.select(_below(m, k), m, beside(m, np.zeros(1, m.dtype)))


def _below(m: Any, k: int) -> Any:
    m_shape = shape_of(m)[-2:]
    shape = m_shape if len(m_shape) == 2 else (m_shape[0], m_shape[0])
    return beside(m, np.tri(*shape, k, bool))


@implements(np.triu)
def triu(m: Any, k: int = 0) -> Any:
    return e.select(_below(m, k - 1), beside(m, np.zeros(1, m.dtype)), m)


def add_at(x: Any, index: Any, value: Any) -> Any:
    """A copy of ``x`` with ``value`` added at ``index``, repeated positions adding up."""
    value = as_operand(value)
    value = value if isinstance(value, Tracer) else np.asarray(value, x.dtype)
    if _holds_tracer(index):
        items = _normalize(index, x.shape)
        basic, arrays, axes, _ = _split_index(items)
        if axes != list(range(len(axes))) or any(b is None or b != slice(None) for b in basic):
            at = ravel(_places(x, items))
            spread = _fill(value, _advanced(np.empty(x.shape), items).shape)
            added = scatter_add(ravel(spread), at, shape=(int(np.prod(x.shape, dtype=int)),))
            return e.add(x, reshape(added, x.shape))
        shape = np.broadcast_shapes(*map(shape_of, arrays))
        at = [_index_array(a, shape, n) for a, n in zip(arrays, x.shape, strict=False)]
        spread = _fill(value, shape + x.shape[len(arrays) :])
        return e.add(x, scatter_add(spread, *at, shape=x.shape))
    places = getitem(np.arange(int(np.prod(x.shape, dtype=int))).reshape(x.shape), index)
    flat = _fill(value, places.shape)
    size = int(np.prod(x.shape, dtype=int))
    total = scatter_add(ravel(flat), places.ravel(), shape=(size,))
    return e.add(x, reshape(total, x.shape))


def _holds_tracer(index: Any) -> bool:
    return any(isinstance(i, Tracer) for i in (index if isinstance(index, tuple) else (index,)))
