"""Products of sparse arrays with dense and sparse ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...arguments import as_array
from ...primitives.core import shape_of
from ...primitives.indexing import scatter_add
from ...primitives.sparse import sparse_product
from .array import SparseArray, as_sparse, issparse
from .pattern import Form, Pattern

__all__ = ["apply", "matmul", "matmul_reflected"]


def apply(a: SparseArray, x: Any, transpose: bool = False) -> Any:
    """``a @ x`` for a dense vector or matrix, or the transposed array's product."""
    pattern = a.form.pattern
    across = a.form.across != transpose
    return sparse_product(
        a.data, x, pattern.indices, pattern.indptr, shape=pattern.shape, transpose=across
    )


def _check(left: tuple, right: tuple) -> None:
    if not 1 <= len(right) <= 2 or left[-1] != right[0]:
        raise ValueError(
            f"matmul: dimension mismatch: a sparse array of shape {left} cannot be multiplied with "
            f"an array of shape {right}."
        )


def matmul(a: SparseArray, x: Any) -> Any:
    """``a @ x``."""
    if issparse(x):
        return _sparse(a, as_sparse(x))
    x = as_array(x)
    if shape_of(x) == ():
        raise ValueError("Scalar operands are not allowed, use '*' instead")
    _check(a.shape, shape_of(x))
    if a.form.flat:
        return matmul_reflected(a, x)
    return apply(a, x)


def matmul_reflected(a: SparseArray, x: Any) -> Any:
    """``x @ a``, or for an array of one axis the product of the vector ``a`` with ``x``."""
    if issparse(x):
        return _sparse(as_sparse(x), a)
    x = as_array(x)
    shape = shape_of(x)
    if shape == ():
        raise ValueError("Scalar operands are not allowed, use '*' instead")
    if a.form.flat:
        dense = a.toarray()
        return (
            np.matmul(x, dense)
            if len(shape) == 2 and shape[1] == dense.shape[0]
            else (np.matmul(dense, x))
        )
    if len(shape) > 2 or shape[-1] != a.shape[0]:
        raise ValueError(
            f"matmul: dimension mismatch: an array of shape {shape} cannot be multiplied with a "
            f"sparse array of shape {a.shape}."
        )
    if len(shape) == 1:
        return apply(a, x, transpose=True)
    return apply(a, x.T, transpose=True).T


def _sparse(a: SparseArray, b: SparseArray) -> Any:
    """The product of two sparse arrays: its elements are sums over pairs of theirs."""
    if a.form.flat or b.form.flat:
        if a.form.flat and b.form.flat:
            return np.sum(a.multiply(b).data)
        dense = b.toarray() if b.form.flat else a.toarray()
        return a @ dense if b.form.flat else dense @ b
    if a.shape[1] != b.shape[0]:
        raise ValueError(
            f"matmul: dimension mismatch: sparse arrays of shapes {a.shape} and {b.shape}."
        )
    a, b = a.rowwise(), b.rowwise()
    first, second, target, pattern = _pairs(a.form.pattern, b.form.pattern)
    data = scatter_add(a.data[first] * b.data[second], target, shape=(pattern.nnz,))
    return SparseArray(data, Form(pattern, a.form.kind))


def _pairs(a: Pattern, b: Pattern) -> tuple[np.ndarray, np.ndarray, np.ndarray, Pattern]:
    """Which elements meet in a product, where each pair goes, and the product's pattern."""
    counts = np.diff(b.indptr)[a.columns]
    first = np.repeat(np.arange(a.nnz), counts)
    begins = np.cumsum(counts) - counts
    within = np.arange(counts.sum()) - np.repeat(begins, counts)
    second = np.repeat(b.indptr[a.columns], counts) + within
    shape = (a.shape[0], b.shape[1])
    keys = a.rows[first] * shape[1] + b.columns[second]
    unique, target = np.unique(keys, return_inverse=True)
    return first, second, target, Pattern.of_keys(unique, shape)
