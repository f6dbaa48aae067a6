"""Products and solutions with sparse matrices, differentiable in their elements.

A matrix A in compressed rows is ``data``, an array of its elements, and the pattern ``indices``,
``indptr``, operands that are not differentiated. Leading axes of ``data`` and of dense operands,
the same ones, are a batch, of one pattern or with a pattern each. Three primitives are closed under
derivatives:

* ``sparse_product(data, x)`` is A x, linear in each: its transpose is A^T y in ``x``, and in
  ``data`` the elements of y x^T at the pattern;
* ``sparse_sampled(x, y)``, the elements of x y^T at the pattern, whose transposes are products;
* ``sparse_solve(data, b)``, A^-1 b, with d x = A^-1 (d b - dA x).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..kernels.cpu import sparse as on_cpu
from ..kernels.device import cpu_only
from .core import General, Multilinear, Nondifferentiable, ShapedArray, dtype_of, shape_of
from .elementwise import add, negative
from .structural import broadcast_to, convert, full_batch, move_axis, reshape

__all__ = ["sparse_eigenpairs", "sparse_product", "sparse_sampled", "sparse_solve"]


def _as_dtype(x: Any, dtype: Any) -> Any:
    return x if dtype_of(x) == dtype else convert(x, dtype=dtype)


def _all_batched(size: int, xs: Sequence, batched: Sequence[bool], lead: Any = None) -> list[Any]:
    """Every operand with the batch axis, and patterns with all leading axes of the data."""
    full = [full_batch(size, x, b) for x, b in zip(xs, batched, strict=True)]
    lead = shape_of(full[1])[:-2] if lead is None else shape_of(full[0])[:lead]
    for i in (2, 3):
        shape = shape_of(full[i])
        spread = (*shape[:-1], *(1,) * (len(lead) - len(shape) + 1), shape[-1])
        full[i] = broadcast_to(reshape(full[i], shape=spread), shape=(*lead, shape[-1]))
    return full


def _as_columns(size: int, x: Any) -> tuple[Any, tuple[int, ...]]:
    """A batch of matrices as one with more columns."""
    moved = move_axis(x, 0, len(shape_of(x)) - 1)
    shape = shape_of(moved)
    return reshape(moved, shape=(*shape[:-2], shape[-2] * shape[-1])), shape[-2:]


def _from_columns(x: Any, columns: tuple[int, ...]) -> Any:
    spread = reshape(x, shape=(*shape_of(x)[:-1], *columns))
    return move_axis(spread, len(shape_of(spread)) - 1, 0)


# --- products ------------------------------------------------------------------------------


def _column(x: Any) -> Any:
    return reshape(x, shape=(*shape_of(x), 1))


def _product_abstract(
    data: ShapedArray,
    x: ShapedArray,
    indices: ShapedArray,
    indptr: ShapedArray,
    shape: tuple[int, int],
    transpose: bool,
) -> ShapedArray:
    lead = x.shape[: data.ndim - 1]
    made = (*lead, shape[1 if transpose else 0], *x.shape[data.ndim :])
    return ShapedArray(made, np.result_type(data.dtype, x.dtype))


def _product_transpose(
    i: int,
    ct: Any,
    operands: Sequence,
    shape0: tuple,
    dtype: Any,
    shape: tuple[int, int],
    transpose: bool,
) -> Any:
    data, x, indices, indptr = operands
    if i == 1:
        back = sparse_product(data, ct, indices, indptr, shape=shape, transpose=not transpose)
        return _as_dtype(back, dtype)
    left, right = (x, ct) if transpose else (ct, x)
    if len(shape_of(x)) == len(shape0):
        left, right = _column(left), _column(right)
    return _as_dtype(sparse_sampled(left, right, indices, indptr, shape=shape), dtype)


def _product_batch(size: int, xs: Sequence, batched: Sequence[bool], **params: Any) -> Any:
    data, x, *pattern = xs
    if any(batched[2:]):
        lead = len(shape_of(data)) - (1 if batched[0] else 0)
        return sparse_product(*_all_batched(size, xs, batched, lead), **params)
    if batched[0]:
        return sparse_product(data, full_batch(size, x, batched[1]), *pattern, **params)
    if len(shape_of(x)) == len(shape_of(data)) + 1:  # vectors: the batch is the columns
        last = len(shape_of(x)) - 1
        made = sparse_product(data, move_axis(x, 0, last), *pattern, **params)
        return move_axis(made, last, 0)
    flat, columns = _as_columns(size, x)
    return _from_columns(sparse_product(data, flat, *pattern, **params), columns)


# ``data`` (nnz), ``x`` (columns) or (columns, k) -> (rows) or (rows, k); with ``transpose`` the
# transposed matrix.
sparse_product: Multilinear = Multilinear(
    "sparse_product",
    kernel=cpu_only("sparse_product", on_cpu.product),
    abstract=_product_abstract,
    transpose=_product_transpose,
    batch=_product_batch,
    linear=2,
)


def _sampled_transpose(
    i: int, ct: Any, operands: Sequence, shape0: tuple, dtype: Any, shape: tuple[int, int]
) -> Any:
    x, y, indices, indptr = operands
    other = y if i == 0 else x
    back = sparse_product(ct, other, indices, indptr, shape=shape, transpose=i == 1)
    return _as_dtype(back, dtype)


def _sampled_batch(size: int, xs: Sequence, batched: Sequence[bool], shape: tuple[int, int]) -> Any:
    if any(batched[2:]):
        return sparse_sampled(*_all_batched(size, xs, batched), shape=shape)
    x, y = (full_batch(size, v, b) for v, b in zip(xs[:2], batched[:2], strict=True))
    return sparse_sampled(x, y, *xs[2:], shape=shape)


# ``x`` (rows, k), ``y`` (columns, k) -> (nnz): sum_k x[i, k] y[j, k] at each (i, j) of the pattern.
sparse_sampled: Multilinear = Multilinear(
    "sparse_sampled",
    kernel=cpu_only(
        "sparse_sampled",
        lambda x, y, indices, indptr, shape: on_cpu.sampled_product(x, y, indices, indptr),
    ),
    abstract=lambda x, y, indices, indptr, shape: ShapedArray(
        (*x.shape[:-2], indices.shape[-1]), np.result_type(x.dtype, y.dtype)
    ),
    transpose=_sampled_transpose,
    batch=_sampled_batch,
    linear=2,
)

# --- solutions -----------------------------------------------------------------------------


def _solve_rule(
    primals: Sequence, tangents: Sequence, transpose: bool, order: str
) -> tuple[Any, Any]:
    # A x = b, so A dx = db - dA x
    data, b, indices, indptr = primals
    ddata, right = tangents[:2]
    params = {"transpose": transpose, "order": order}
    x = sparse_solve(data, b, indices, indptr, **params)
    if ddata is not None:
        n = shape_of(b)[-2]
        moved = sparse_product(ddata, x, indices, indptr, shape=(n, n), transpose=transpose)
        right = negative(moved) if right is None else add(right, negative(moved))
    if right is None:
        return x, None
    return x, sparse_solve(data, right, indices, indptr, **params)


def _solve_batch(size: int, xs: Sequence, batched: Sequence[bool], **params: Any) -> Any:
    if any(batched[2:]):
        return sparse_solve(*_all_batched(size, xs, batched), **params)
    data, b, *pattern = xs
    if not batched[0]:
        flat, columns = _as_columns(size, b)
        return _from_columns(sparse_solve(data, flat, *pattern, **params), columns)
    return sparse_solve(data, full_batch(size, b, batched[1]), *pattern, **params)


def _solve_transpose(ct: Any, operands: Sequence, transpose: bool, order: str) -> Any:
    data, _, indices, indptr = operands
    return sparse_solve(data, ct, indices, indptr, transpose=not transpose, order=order)


# ``data`` (nnz) of a square matrix, ``b`` (n, k) -> (n, k); ``order`` is SuperLU's ordering.
sparse_solve: General = General(
    "sparse_solve",
    kernel=cpu_only("sparse_solve", on_cpu.solve),
    abstract=lambda data, b, indices, indptr, **params: ShapedArray(
        b.shape, np.result_type(data.dtype, b.dtype)
    ),
    rule=_solve_rule,
    batch=_solve_batch,
    linear_in=1,
    transpose=_solve_transpose,
)

# --- eigenpairs ----------------------------------------------------------------------------


def _eigenpairs_abstract(
    data: ShapedArray,
    indices: ShapedArray,
    indptr: ShapedArray,
    k: int,
    hermitian: bool,
    **params: Any,
) -> tuple[ShapedArray, ShapedArray]:
    lead, n = data.shape[:-1], indptr.shape[-1] - 1
    if hermitian:
        values, vectors = np.empty(0, data.dtype).real.dtype, data.dtype
    else:
        values = vectors = np.result_type(data.dtype, np.complex64)
    return ShapedArray((*lead, k), values), ShapedArray((*lead, n, k), vectors)


def _eigenpairs_batch(size: int, xs: Sequence, batched: Sequence[bool], **params: Any) -> Any:
    if not any(batched[1:]):
        return sparse_eigenpairs(*xs, **params)
    data, *pattern = (full_batch(size, x, b) for x, b in zip(xs, batched, strict=True))
    if len(shape_of(data)) > 2:
        raise NotImplementedError("sparse_eigenpairs: a batch of batches of patterns")
    return sparse_eigenpairs(data, *pattern, **params)


# Values alone: functorch_like.scipy.sparse.linalg gives the function that calls it its derivative.
sparse_eigenpairs: Nondifferentiable = Nondifferentiable(
    "sparse_eigenpairs",
    kernel=cpu_only("sparse_eigenpairs", on_cpu.eigenpairs),
    abstract=_eigenpairs_abstract,
    batch=_eigenpairs_batch,
    multiple_results=True,
)
