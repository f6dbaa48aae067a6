"""Sparse arrays made of traced elements; with plain ones SciPy's own constructors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp

from ...arguments import as_array
from ...primitives.core import Tracer, shape_of
from ...primitives.indexing import scatter_add
from .array import SparseArray
from .pattern import Form, Pattern

__all__ = [
    "bsr_array",
    "coo_array",
    "csc_array",
    "csr_array",
    "csr_matrix",
    "dia_array",
    "diags_array",
    "from_coordinates",
]


def _traced(x: Any) -> bool:
    return isinstance(x, Tracer) or (
        isinstance(x, (tuple, list)) and any(isinstance(v, Tracer) for v in x)
    )


def from_coordinates(
    data: Any, rows: Any, columns: Any, shape: tuple[int, int], kind: type, across: bool = False
) -> SparseArray:
    """Elements at positions; those at one position are added up."""
    rows, columns = (np.asarray(i, np.int64).ravel() for i in (rows, columns))
    for what, i, n in (("row", rows, shape[0]), ("column", columns, shape[1])):
        if i.size and (i.min() < 0 or i.max() >= n):
            raise ValueError(
                f"{kind.__name__}: expected {what} indices between 0 and {n - 1}, the array having "
                f"shape {shape}; got {i.min()} to {i.max()}."
            )
    if len(rows) != len(columns) or shape_of(data) != rows.shape:
        raise ValueError(
            f"{kind.__name__}: expected as many elements as positions; got data of shape "
            f"{shape_of(data)}, {len(rows)} rows and {len(columns)} columns."
        )
    stored = shape[::-1] if across else shape
    outer, inner = (columns, rows) if across else (rows, columns)
    keys, target = np.unique(outer * stored[1] + inner, return_inverse=True)
    if len(keys) == len(target):
        order = np.argsort(target)
        data = data if np.array_equal(order, np.arange(len(order))) else data[order]
    else:
        data = scatter_add(data, target, shape=(len(keys),))
    return SparseArray(data, Form(Pattern.of_keys(keys, stored), kind, across))


def _with(data: Any, source: SparseArray, kind: type, dtype: Any) -> Any:
    return data if dtype is None else data.astype(dtype)


def _compressed(kind: type, across: bool) -> Any:
    def construct(arg1: Any, shape: Any = None, dtype: Any = None, copy: bool = False) -> Any:
        if isinstance(arg1, SparseArray):
            made = arg1.asformat("csc" if across else "csr")
            form = Form(made.form.pattern, kind, made.form.across, made.form.flat)
            return SparseArray(_with(made.data, made, kind, dtype), form)
        if isinstance(arg1, Tracer):
            return _dense(arg1, kind)
        if isinstance(arg1, tuple) and len(arg1) == 3 and isinstance(arg1[0], Tracer):
            data, indices, indptr = arg1
            indices, indptr = np.asarray(indices), np.asarray(indptr)
            if shape is None:
                inner = int(indices.max(initial=-1)) + 1
                shape = (inner, len(indptr) - 1) if across else (len(indptr) - 1, inner)
            outer = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
            rows, columns = (indices, outer) if across else (outer, indices)
            data = data if dtype is None else data.astype(dtype)
            return from_coordinates(data, rows, columns, tuple(shape), kind, across)
        if isinstance(arg1, tuple) and len(arg1) == 2 and isinstance(arg1[0], Tracer):
            made = coo_array(arg1, shape=shape, dtype=dtype)
            return construct(made)
        return kind(arg1, shape=shape, dtype=dtype, copy=copy)

    construct.__name__ = construct.__qualname__ = kind.__name__
    construct.__doc__ = f"``scipy.sparse.{kind.__name__}``, whose elements may be traced."
    return construct


def _dense(x: Any, kind: type) -> Any:
    value = x.concrete()
    if value is None:
        raise TypeError(
            f"{kind.__name__}: which elements of a traced array of shape {x.shape} are zero is not "
            "known while it is staged or batched; pass (data, indices, indptr), or "
            "(data, (rows, columns))."
        )
    rows, columns = np.nonzero(np.asarray(value))
    return from_coordinates(x[rows, columns], rows, columns, x.shape, kind)


csr_array = _compressed(sp.csr_array, False)
csc_array = _compressed(sp.csc_array, True)
csr_matrix = _compressed(sp.csr_matrix, False)


def coo_array(arg1: Any, shape: Any = None, dtype: Any = None, copy: bool = False) -> Any:
    """``scipy.sparse.coo_array``, whose elements may be traced."""
    if isinstance(arg1, SparseArray):
        return arg1.asformat("coo")
    if isinstance(arg1, tuple) and len(arg1) == 2 and isinstance(arg1[0], Tracer):
        data, (rows, columns) = arg1
        rows, columns = np.asarray(rows), np.asarray(columns)
        if shape is None:
            shape = (int(rows.max(initial=-1)) + 1, int(columns.max(initial=-1)) + 1)
        data = data if dtype is None else data.astype(dtype)
        return from_coordinates(data, rows, columns, tuple(shape), sp.coo_array)
    if isinstance(arg1, Tracer):
        return _dense(arg1, sp.coo_array)
    return sp.coo_array(arg1, shape=shape, dtype=dtype, copy=copy)


def bsr_array(arg1: Any, shape: Any = None, dtype: Any = None, blocksize: Any = None) -> Any:
    """``scipy.sparse.bsr_array``, whose blocks may be traced: ``(data, indices, indptr)``."""
    if isinstance(arg1, SparseArray):
        return arg1.asformat("bsr")
    if not (isinstance(arg1, tuple) and len(arg1) == 3 and isinstance(arg1[0], Tracer)):
        return sp.bsr_array(arg1, shape=shape, dtype=dtype, blocksize=blocksize)
    data, indices, indptr = arg1
    _, r, c = data.shape
    indices, indptr = np.asarray(indices), np.asarray(indptr)
    if shape is None:
        shape = ((len(indptr) - 1) * r, (int(indices.max(initial=-1)) + 1) * c)
    outer = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    rows = outer[:, None, None] * r + np.arange(r)[:, None] + np.zeros((1, 1, c), int)
    columns = indices[:, None, None] * c + np.arange(c) + np.zeros((1, r, 1), int)
    data = data if dtype is None else data.astype(dtype)
    return from_coordinates(data.reshape(-1), rows, columns, tuple(shape), sp.bsr_array)


def dia_array(arg1: Any, shape: Any = None, dtype: Any = None, copy: bool = False) -> Any:
    """``scipy.sparse.dia_array``, whose diagonals may be traced: ``(data, offsets)``."""
    if isinstance(arg1, SparseArray):
        return arg1.asformat("dia")
    if not (isinstance(arg1, tuple) and len(arg1) == 2 and isinstance(arg1[0], Tracer)):
        return sp.dia_array(arg1, shape=shape, dtype=dtype, copy=copy)
    data, offsets = arg1
    if shape is None:
        raise ValueError("dia_array: expected a shape.")
    offsets = np.atleast_1d(np.asarray(offsets))
    data = data if len(data.shape) == 2 else data.reshape(1, -1)
    if data.shape[0] != len(offsets):
        raise ValueError(
            f"dia_array: expected a row of data for each of the {len(offsets)} offsets; got data "
            f"of shape {data.shape}."
        )
    columns = np.arange(data.shape[1])[None, :] + np.zeros((len(offsets), 1), int)
    rows = columns - offsets[:, None]
    inside = (rows >= 0) & (rows < shape[0]) & (columns < shape[1])
    which, at = np.nonzero(inside)
    data = data if dtype is None else data.astype(dtype)
    values = data[which, at]
    return from_coordinates(values, rows[inside], columns[inside], tuple(shape), sp.dia_array)


def diags_array(
    diagonals: Any,
    /,
    *,
    offsets: Any = 0,
    shape: Any = None,
    format: str | None = None,
    dtype: Any = None,
) -> Any:
    """``scipy.sparse.diags_array``, whose diagonals may be traced."""
    if not _traced(diagonals):
        return sp.diags_array(diagonals, offsets=offsets, shape=shape, format=format, dtype=dtype)
    if np.ndim(offsets) == 0:
        given: Sequence[Any] = (
            [diagonals] if len(shape_of(as_array(diagonals))) == 1 else [diagonals[0]]
        )
        places = [int(offsets)]
    else:
        given, places = [diagonals[i] for i in range(len(offsets))], [int(k) for k in offsets]
    given = [as_array(d) for d in given]
    if shape is None:
        n = shape_of(given[0])[0] + abs(places[0])
        shape = (n, n)
    parts, rows, columns = [], [], []
    for d, k in zip(given, places, strict=True):
        length = min(shape[0] + min(k, 0), shape[1] - max(k, 0))
        own = shape_of(d)
        if own == () or own == (1,):
            d = np.broadcast_to(d, (length,))
        elif own != (length,):
            raise ValueError(
                f"diags_array: expected {length} elements for diagonal {k} of an array of shape "
                f"{shape}; got shape {own}."
            )
        parts.append(d)
        rows.append(np.arange(length) - min(k, 0))
        columns.append(np.arange(length) + max(k, 0))
    data = np.concatenate(parts)
    data = data if dtype is None else data.astype(dtype)
    made = from_coordinates(
        data, np.concatenate(rows), np.concatenate(columns), tuple(shape), sp.dia_array
    )
    return made if format is None else made.asformat(format)
