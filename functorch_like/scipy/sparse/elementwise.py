"""Sums, element-by-element products, indexing and reductions of sparse arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...arguments import as_array
from ...primitives.core import Tracer, shape_of
from ...primitives.indexing import scatter_add
from ...primitives.structural import reshape
from .array import SparseArray, as_sparse, issparse, made_of, pattern_of
from .pattern import Form, Pattern, canonical

__all__ = ["add", "diagonal", "divide", "getitem", "multiply", "total"]


def _at_elements(a: SparseArray, x: Any) -> Any:
    """The elements of a dense array, broadcast to the shape of ``a``, where ``a`` has some."""
    shape = shape_of(x)
    if len(shape) > a.ndim:
        raise ValueError(f"multiply: inconsistent shapes {a.shape} and {shape}")
    np.broadcast_shapes(a.shape, shape)  # raises
    if np.broadcast_shapes(a.shape, shape) != a.shape:
        raise ValueError(
            f"multiply: a sparse array of shape {a.shape} cannot take the shape of a dense one, "
            f"{shape}; write A.toarray() * x."
        )
    coords = a.coords[a.ndim - len(shape) :]
    index = tuple(
        np.zeros_like(i) if n == 1 and m != 1 else i
        for i, n, m in zip(coords, shape, a.shape[a.ndim - len(shape) :], strict=True)
    )
    return x[index] if index else x


def multiply(a: SparseArray, other: Any) -> Any:
    """The product element by element."""
    if issparse(other):
        b = as_sparse(other)
        if b.shape != a.shape:
            return multiply(a, b.toarray())
        if a.form.pattern == b.form.pattern and a.form.across == b.form.across:
            return a.with_data(a.data * b.data)
        a, b = a.rowwise(), b.rowwise()
        p, q = a.form.pattern, b.form.pattern
        keys, first, second = np.intersect1d(
            p.keys, q.keys, assume_unique=True, return_indices=True
        )
        form = Form(Pattern.of_keys(keys, p.shape), a.form.kind, flat=a.form.flat)
        return made_of(a.data[first] * b.data[second], form)
    x = as_array(other)
    if shape_of(x) == ():
        return a.with_data(a.data * other)
    return a.with_data(a.data * _at_elements(a, x))


def divide(a: SparseArray, other: Any) -> Any:
    """The stored elements divided by a number or by those of a dense array."""
    if issparse(other):
        raise TypeError(
            "divide: the quotient of two sparse arrays is dense, NaN where both are zero; write "
            "A.toarray() / B.toarray()."
        )
    x = as_array(other)
    if shape_of(x) == ():
        return a.with_data(a.data / other)
    return a.with_data(a.data / _at_elements(a, x))


def add(a: SparseArray, other: Any, sign: int) -> Any:
    """``a + sign * other``: sparse with a sparse one, dense with a dense one."""
    if not issparse(other):
        x = as_array(other)
        if shape_of(x) == ():
            if not isinstance(x, Tracer) and x == 0:
                return a.copy()
            raise NotImplementedError(
                "adding a nonzero scalar to a sparse array is not supported; write "
                "A.toarray() + s, or add s * scipy.sparse.eye_array(n)."
            )
        dense = a.toarray()
        return dense + x if sign > 0 else dense - x
    b = as_sparse(other)
    if b.shape != a.shape:
        raise ValueError(f"add: inconsistent shapes {a.shape} and {b.shape}")
    if a.form.pattern == b.form.pattern and a.form.across == b.form.across:
        return a.with_data(a.data + b.data if sign > 0 else a.data - b.data)
    a, b = a.rowwise(), b.rowwise()
    p, q = a.form.pattern, b.form.pattern
    keys = np.union1d(p.keys, q.keys)
    dtype = np.result_type(a.dtype, b.dtype)
    first = scatter_add(a.data.astype(dtype), np.searchsorted(keys, p.keys), shape=(len(keys),))
    second = scatter_add(b.data.astype(dtype), np.searchsorted(keys, q.keys), shape=(len(keys),))
    form = Form(Pattern.of_keys(keys, p.shape), a.form.kind, flat=a.form.flat)
    return made_of(first + second if sign > 0 else first - second, form)


def total(a: SparseArray, axis: int | None, dtype: Any) -> Any:
    """Sums of the elements."""
    data = a.data if dtype is None else a.data.astype(dtype)
    if axis is None or a.ndim == 1:
        return np.sum(data)
    if not -2 <= axis < 2:
        raise ValueError(f"sum: axis {axis} is out of bounds for an array of dimension 2")
    kept = 1 - axis % 2
    made = scatter_add(data, a.coords[kept], shape=(a.shape[kept],))
    if not a.form.matrix:
        return made
    return reshape(made, shape=(1, a.shape[1]) if kept else (a.shape[0], 1))


def diagonal(a: SparseArray, k: int) -> Any:
    """The ``k``-th diagonal."""
    rows, columns = a.shape
    length = max(0, min(rows + min(k, 0), columns - max(k, 0)))
    (places,) = np.nonzero(a.col - a.row == k)
    return scatter_add(a.data[places], a.row[places] + min(k, 0), shape=(length,))


def getitem(a: SparseArray, index: Any) -> Any:
    """Indexing: that of a matrix of numbers says which elements are read."""
    b = a.rowwise()
    numbered = b.form.pattern.numbered()
    if b.form.flat:
        numbered = numbered.reshape(b.shape)
    elif b.form.matrix:
        from scipy.sparse import csr_matrix

        numbered = csr_matrix(numbered)
    found = numbered[index]
    if not issparse(found):
        place = np.asarray(found)
        if place.ndim == 0:
            return b.data[int(place) - 1] if place else b.data[:0].sum()
        hit = (place > 0).ravel()
        flat = scatter_add(b.data[place.ravel()[hit] - 1], np.nonzero(hit)[0], shape=(hit.size,))
        return reshape(flat, shape=place.shape)
    flat_result = found.ndim == 1
    if flat_result:
        from scipy.sparse import coo_array

        found = coo_array(found).reshape((1, found.shape[0]))
    found = canonical(found)
    form = Form(pattern_of(found), b.form.kind, flat=flat_result)
    return made_of(b.data[found.data - 1], form)
