"""Products with sparse matrices in compressed rows, and solutions of sparse systems.

``indices`` and ``indptr`` are the pattern of a matrix with ``rows`` rows, ``data`` its elements in
the order of the pattern. Leading axes of ``data`` and of the dense operands are a batch.
"""

from __future__ import annotations

import functools
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["eigenpairs", "product", "sampled_product", "solve"]


@functools.cache
def _compiled() -> dict[str, Callable]:
    """The loops, compiled when first needed."""
    import numba

    @numba.njit(cache=True, nogil=True)
    def vector(data, x, indices, indptr, out):  # type: ignore[no-untyped-def]  # pragma: no cover
        # Unsigned positions need no test for negative ones, and let the loop run at full speed.
        begin = np.uint64(indptr[0])
        for i in range(np.uint64(indptr.size - 1)):
            end = np.uint64(indptr[i + np.uint64(1)])
            total = data.dtype.type(0)
            for p in range(begin, end):
                total += data[p] * x[np.uint64(indices[p])]
            out[i] = total
            begin = end

    @numba.njit(cache=True, nogil=True)
    def vector_back(data, x, indices, indptr, out):  # type: ignore[no-untyped-def]  # pragma: no cover
        begin = np.uint64(indptr[0])
        for i in range(np.uint64(indptr.size - 1)):
            end = np.uint64(indptr[i + np.uint64(1)])
            value = x[i]
            for p in range(begin, end):
                out[np.uint64(indices[p])] += data[p] * value
            begin = end

    @numba.njit(cache=True, nogil=True)
    def matrix(data, x, indices, indptr, out):  # type: ignore[no-untyped-def]  # pragma: no cover
        for i in range(indptr.size - 1):
            for p in range(indptr[i], indptr[i + 1]):
                value, j = data[p], indices[p]
                for k in range(x.shape[1]):
                    out[i, k] += value * x[j, k]

    @numba.njit(cache=True, nogil=True)
    def matrix_back(data, x, indices, indptr, out):  # type: ignore[no-untyped-def]  # pragma: no cover
        for i in range(indptr.size - 1):
            for p in range(indptr[i], indptr[i + 1]):
                value, j = data[p], indices[p]
                for k in range(x.shape[1]):
                    out[j, k] += value * x[i, k]

    @numba.njit(cache=True, nogil=True)
    def sampled(x, y, indices, indptr, out):  # type: ignore[no-untyped-def]  # pragma: no cover
        for i in range(indptr.size - 1):
            for p in range(indptr[i], indptr[i + 1]):
                j = indices[p]
                total = out[p]
                for k in range(x.shape[1]):
                    total += x[i, k] * y[j, k]
                out[p] = total

    return {
        "vector": vector,
        "vector_back": vector_back,
        "matrix": matrix,
        "matrix_back": matrix_back,
        "sampled": sampled,
    }


def _prepared(x: Any, dtype: np.dtype) -> np.ndarray:
    return np.ascontiguousarray(x, dtype)


def _lane(x: Any, i: tuple[int, ...]) -> np.ndarray:
    """The pattern of an element of the batch; mostly all share one."""
    return x if x.ndim == 1 else x[i]


def product(
    data: Any, x: Any, indices: Any, indptr: Any, shape: tuple[int, int], transpose: bool
) -> np.ndarray:
    """``A @ x``, or ``A.T @ x``, for a vector or the columns of ``x``."""
    lead = np.ndim(data) - 1
    made = (*x.shape[:lead], shape[1] if transpose else shape[0], *x.shape[lead + 1 :])
    out = np.empty(made, np.result_type(data, x))
    product_into(out, data, x, indices, indptr, shape, transpose)
    return out


def product_into(
    out: np.ndarray,
    data: Any,
    x: Any,
    indices: Any,
    indptr: Any,
    shape: tuple[int, int],
    transpose: bool,
) -> None:
    """Write the product into ``out``, which compiled programs have ready."""
    data, x = _prepared(data, out.dtype), _prepared(x, out.dtype)
    indices, indptr = np.ascontiguousarray(indices), np.ascontiguousarray(indptr)
    single = x.ndim == data.ndim or x.shape[-1] == 1
    if transpose or not single:
        out[...] = 0
    kernel = _compiled()[("vector" if single else "matrix") + ("_back" if transpose else "")]
    for i in np.ndindex(data.shape[:-1]):
        pattern = _lane(indices, i), _lane(indptr, i)
        if single:
            kernel(data[i], x[i].reshape(-1), *pattern, out[i].reshape(-1))
        else:
            kernel(data[i], x[i], *pattern, out[i])


product.into = product_into  # type: ignore[attr-defined]


def sampled_product(x: Any, y: Any, indices: Any, indptr: Any) -> np.ndarray:
    """The elements of ``x @ y.T`` at the positions of the pattern."""
    dtype = np.result_type(x, y)
    x, y = _prepared(x, dtype), _prepared(y, dtype)
    indices, indptr = np.ascontiguousarray(indices), np.ascontiguousarray(indptr)
    lead = x.shape[:-2]
    out = np.zeros((*lead, indices.shape[-1]), dtype)
    for i in np.ndindex(lead):
        _compiled()["sampled"](x[i], y[i], _lane(indices, i), _lane(indptr, i), out[i])
    return out


# --- solutions: the factors of the last few matrices are kept, so that the derivatives of a
# solution, its transposed system and further right-hand sides factorise nothing.

KEPT = 8


class _Factors:
    """The last factorisations, found by the contents of their matrices."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.held: OrderedDict[int, tuple] = OrderedDict()

    def find(self, data: np.ndarray, indices: np.ndarray, indptr: np.ndarray, order: str) -> Any:
        with self.lock:
            for key, (d, i, p, o, factor) in reversed(self.held.items()):
                if (
                    o == order
                    and d.shape == data.shape
                    and d.dtype == data.dtype
                    and p.shape == indptr.shape
                    and np.array_equal(d, data)
                    and np.array_equal(i, indices)
                    and np.array_equal(p, indptr)
                ):
                    self.held.move_to_end(key)
                    return factor
        return None

    def keep(
        self, data: np.ndarray, indices: np.ndarray, indptr: np.ndarray, order: str, factor: Any
    ) -> None:
        with self.lock:
            self.held[id(factor)] = (data.copy(), indices.copy(), indptr.copy(), order, factor)
            while len(self.held) > KEPT:
                self.held.popitem(last=False)


_factors = _Factors()


def _factor(data: np.ndarray, indices: Any, indptr: Any, order: str) -> Any:
    """SuperLU's factors of the transposed matrix: compressed rows read as columns."""
    from scipy.sparse import csc_array
    from scipy.sparse.linalg import splu

    found = _factors.find(data, indices, indptr, order)
    if found is not None:
        return found
    n = indptr.size - 1
    data = np.ascontiguousarray(data)  # SuperLU takes no other; a lane of a batch may be strided
    matrix = csc_array((data, indices, indptr), shape=(n, n))
    if not np.isfinite(data).all():
        raise ValueError("sparse solve: the matrix contains NaN or infinities")
    try:
        factor = splu(matrix, permc_spec=order)
    except RuntimeError as error:
        if "singular" in str(error):
            raise np.linalg.LinAlgError(
                f"sparse solve: the matrix of shape ({n}, {n}) is exactly singular"
            ) from None
        raise
    _factors.keep(data, np.asarray(indices), np.asarray(indptr), order, factor)
    return factor


def solve(
    data: Any, b: Any, indices: Any, indptr: Any, transpose: bool, order: str = "COLAMD"
) -> np.ndarray:
    """``x`` with ``A x = b``, or ``A.T x = b``, for the columns of ``b``."""
    dtype = np.result_type(data, b)
    work = {"f": np.float32, "F": np.complex64, "D": np.complex128}.get(dtype.char, np.float64)
    data, b = np.asarray(data, work), np.asarray(b, work)
    out = np.empty(b.shape, dtype)
    if not out.size:
        return out
    for i in np.ndindex(b.shape[:-2]):
        factor = _factor(data[i], _lane(indices, i), _lane(indptr, i), order)
        # What is factorised is the transposed matrix.
        out[i] = factor.solve(np.asfortranarray(b[i]), "N" if transpose else "T")
    return out


# --- a few eigenpairs ------------------------------------------------------------------------


def eigenpairs(
    data: Any,
    indices: Any,
    indptr: Any,
    k: int,
    which: str,
    sigma: Any,
    hermitian: bool,
    tol: float,
    maxiter: int | None,
) -> tuple[np.ndarray, np.ndarray]:
    """``k`` eigenvalues and vectors by ARPACK, from a starting vector that is always the same."""
    from scipy.sparse import csr_array
    from scipy.sparse.linalg import eigs, eigsh

    n = indptr.shape[-1] - 1
    lead = data.shape[:-1]
    dtype = np.asarray(data).dtype
    values = np.empty(0, dtype).real.dtype if hermitian else np.result_type(dtype, np.complex64)
    vectors = dtype if hermitian else values
    w, v = np.empty((*lead, k), values), np.empty((*lead, n, k), vectors)
    first = np.random.default_rng(0).uniform(-1, 1, n).astype(dtype)
    find = eigsh if hermitian else eigs
    for i in np.ndindex(lead):
        matrix = csr_array((data[i], _lane(indices, i), _lane(indptr, i)), shape=(n, n))
        found = find(matrix, k, which=which, sigma=sigma, v0=first, tol=tol, maxiter=maxiter)
        order = np.argsort(found[0]) if hermitian else np.arange(k)
        w[i], v[i] = found[0][order], found[1][:, order]
    return w, v
