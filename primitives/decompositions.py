"""Factorisations that NumPy does not have; leading axes are a batch.

What a pivoting algorithm chooses (permutations, blocks) is held constant. Vectors that are
determined up to a phase or a rotation move as little as they can, as in ``primitives.linalg``.

LU: Giles (2008) for square matrices; the factors of a rectangular one are completed by columns of
the identity. Polar: dA = dU P + U dP with dU = U w, w antihermitian, is a Sylvester equation for w.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.linalg as sl

from ..kernels.device import cpu_only
from .core import General, Nondifferentiable, ShapedArray, beside, dtype_of, shape_of
from .elementwise import (
    add,
    equal,
    logical_not,
    logical_or,
    multiply,
    subtract,
)
from .linalg import (
    adjoint,
    matmul,
    solve,
    transposed,
    triangular_solve,
)
from .matrix_equations import (
    over_stack,
    same_aval,
    sylvester,
    twice_hermitian_part,
    whole_batch,
)
from .structural import concatenate, convert, reshape, slice_at

__all__ = [
    "balance",
    "column_pivots",
    "ldl",
    "lu",
    "order_of_pivots",
    "polar_factor",
]

LinAlgError = np.linalg.LinAlgError


def one_hot(at: Any, count: int, dtype: Any) -> Any:
    """Rows of the identity: the matrices with ones at the positions ``at`` of each row."""
    shape = shape_of(at)
    positions = beside(at, np.arange(count))
    return convert(equal(reshape(at, shape=(*shape, 1)), positions), dtype=dtype)


def real_dtype(dtype: Any) -> np.dtype:
    return np.empty(0, dtype).real.dtype


def triangle(a: Any, lower: bool, offset: int = 0) -> Any:
    shape = shape_of(a)[-2:]
    ones = np.ones(shape, real_dtype(dtype_of(a)))
    return multiply(a, np.tril(ones, offset) if lower else np.triu(ones, offset))


# --- LU ------------------------------------------------------------------------------------


def _lu_aval(a: ShapedArray) -> tuple[ShapedArray, ...]:
    *lead, m, n = a.shape
    return (
        ShapedArray(a.shape, a.dtype),
        ShapedArray((*lead, min(m, n)), np.int32),
        ShapedArray((*lead, m), np.int32),
    )


def _lu_core(a: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sl.LinAlgWarning)  # a zero pivot is no error here
        packed, pivots = sl.lu_factor(a, check_finite=False)
    order = np.arange(len(a))
    for i, j in enumerate(pivots):
        order[[i, j]] = order[[j, i]]
    return packed, pivots, order


def _completed(x: Any, n: int) -> Any:
    """The first columns or rows of a triangle, completed by the identity to n by n."""
    *lead, m, k = shape_of(x)
    dtype = real_dtype(dtype_of(x))
    eye = np.broadcast_to(np.eye(n, dtype=dtype), (*lead, n, n))
    if k < n:
        x = concatenate(x, eye[..., :m, k:], axis=len(lead) + 1)
    if m < n:
        x = concatenate(x, eye[..., m:, :], axis=len(lead))
    return x


def _lu_rule(primals: Sequence, tangents: Sequence) -> tuple[Any, Any]:
    # With p the permutation, inv(l) p da inv(u) = inv(l) dl + du inv(u): a strictly lower and an
    # upper triangular matrix.
    (a,), (da,) = primals, tangents
    packed, _, order = answer = lu(a)
    m, n = shape_of(a)[-2:]
    k = min(m, n)
    unit = np.eye(m, k, dtype=real_dtype(dtype_of(a)))
    lower = add(triangle(slice_at(packed, index=(Ellipsis, slice(0, k))), True, -1), unit)
    lower = _completed(lower, m)
    upper = triangle(slice_at(packed, index=(Ellipsis, slice(0, k), slice(None))), False)
    upper = _completed(upper, n)
    moved = matmul(one_hot(order, m, real_dtype(dtype_of(a))), da)
    moved = triangular_solve(lower, moved, lower=True, unit_diagonal=True, transpose=False)
    moved = transposed(
        triangular_solve(upper, transposed(moved), lower=False, unit_diagonal=False, transpose=True)
    )
    below = _square_part(triangle(moved, True, -1), m)
    above = _square_part(triangle(moved, False), n)
    tangent = add(
        _columns_to(matmul(lower, below), n),
        _rows_to(matmul(above, upper), m),
    )
    return answer, (tangent, None, None)


def _square_part(x: Any, n: int) -> Any:
    """``x`` cut, or filled by zeros, to n by n."""
    return _rows_to(_columns_to(x, n), n)


def _columns_to(x: Any, n: int) -> Any:
    *lead, m, k = shape_of(x)
    if k < n:
        return concatenate(x, np.zeros((*lead, m, n - k), dtype_of(x)), axis=len(lead) + 1)
    return slice_at(x, index=(Ellipsis, slice(0, n))) if k > n else x


def _rows_to(x: Any, n: int) -> Any:
    *lead, m, k = shape_of(x)
    if m < n:
        return concatenate(x, np.zeros((*lead, n - m, k), dtype_of(x)), axis=len(lead))
    return slice_at(x, index=(Ellipsis, slice(0, n), slice(None))) if m > n else x


# ``lu(a)`` of (m, n) matrices: both factors in one matrix as LAPACK packs them, the pivots, and
# the permutation they make: a[order] = l u.
lu: General = General(
    "lu",
    kernel=over_stack("lu", _lu_core, _lu_aval),
    abstract=_lu_aval,
    rule=_lu_rule,
    batch=whole_batch(lambda: lu),
    multiple_results=True,
)


def _order_of_pivots(pivots: np.ndarray) -> np.ndarray:
    order = np.zeros(pivots.shape, np.int64)
    for i in np.ndindex(pivots.shape[:-1]):
        row = np.arange(pivots.shape[-1])
        for k, j in enumerate(pivots[i]):
            row[[k, j]] = row[[j, k]]
        order[i] = row
    return order


# The permutation that the pivots of a square matrix make.
order_of_pivots: Nondifferentiable = Nondifferentiable(
    "order_of_pivots",
    kernel=cpu_only("order_of_pivots", _order_of_pivots),
    abstract=lambda pivots: ShapedArray(pivots.shape, np.int64),
    batch=lambda size, xs, batched: order_of_pivots(*xs),
)

# --- LDL -----------------------------------------------------------------------------------


def _ldl_aval(a: ShapedArray, **params: Any) -> tuple[ShapedArray, ...]:
    same = ShapedArray(a.shape, a.dtype)
    return same, same, ShapedArray(a.shape[:-1], np.int64)


def _ldl_core(a: np.ndarray, lower: bool, hermitian: bool) -> tuple:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an imaginary part of the diagonal
        return sl.ldl(a, lower=lower, hermitian=hermitian, check_finite=False)


def _ldl_rule(
    primals: Sequence, tangents: Sequence, lower: bool, hermitian: bool
) -> tuple[Any, Any]:
    # With a permuted, inv(l) da inv(l)^H = f d + dd + d f^H for f = inv(l) dl, which lives below
    # (above) the blocks of d, and dd inside them.
    (a,), (da,) = primals, tangents
    outer, d, order = answer = ldl(a, lower=lower, hermitian=hermitian)
    turned = adjoint if hermitian else transposed
    n = shape_of(a)[-1]
    real = real_dtype(dtype_of(a))
    permutation = one_hot(order, n, real)
    triangle = matmul(permutation, outer)
    da = multiply(add(da, turned(da)), 0.5)
    inner = matmul(matmul(permutation, da), transposed(permutation))

    def divided(x: Any) -> Any:
        return triangular_solve(triangle, x, lower=lower, unit_diagonal=True, transpose=False)

    inner = turned(divided(turned(divided(inner))))
    block = logical_or(logical_not(equal(d, 0)), np.eye(n, dtype=bool))
    inside = convert(block, dtype=real)
    beside = convert(
        logical_not(logical_or(block, np.triu(np.ones((n, n), bool), 1) ^ (not lower))), dtype=real
    )
    f = transposed(solve(transposed(d), transposed(multiply(inner, beside))))
    moved = matmul(transposed(permutation), matmul(triangle, f))
    return answer, (moved, multiply(inner, inside), None)


# ``ldl(a)``: the permuted unit triangular factor, the block diagonal one, the permutation.
ldl: General = General(
    "ldl",
    kernel=over_stack("ldl", _ldl_core, _ldl_aval),
    abstract=_ldl_aval,
    rule=_ldl_rule,
    batch=whole_batch(lambda: ldl),
    multiple_results=True,
)

# --- polar ---------------------------------------------------------------------------------


def _polar_core(a: np.ndarray) -> np.ndarray:
    w, _, vh = sl.svd(a, full_matrices=False)
    return w @ vh


def _polar_rule(primals: Sequence, tangents: Sequence) -> tuple[Any, Any]:
    # u^H da = w p + dp with w antihermitian: w p + p w = u^H da - da^H u; what of du is not in
    # the space of u is (1 - u u^H) da inv(p).
    (a,), (da,) = primals, tangents
    u = polar_factor(a)
    uh = adjoint(u)
    p = multiply(twice_hermitian_part(matmul(uh, a)), 0.5)
    inner = matmul(uh, da)
    du = matmul(u, sylvester(p, p, subtract(inner, adjoint(inner))))
    m, n = shape_of(a)[-2:]
    if m > n:
        beside = subtract(da, matmul(u, inner))
        du = add(du, adjoint(solve(p, adjoint(beside))))
    return u, du


# The nearest matrix with orthonormal columns, of matrices (m, n) with m >= n and full rank.
polar_factor: General = General(
    "polar_factor",
    kernel=over_stack("polar_factor", _polar_core, same_aval),
    abstract=same_aval,
    rule=_polar_rule,
    batch=whole_batch(lambda: polar_factor),
)

# --- choices of an algorithm ---------------------------------------------------------------


def _pivots_aval(a: ShapedArray) -> ShapedArray:
    return ShapedArray((*a.shape[:-2], a.shape[-1]), np.int32)


# The order of columns that a QR factorisation with pivoting takes.
column_pivots: Nondifferentiable = Nondifferentiable(
    "column_pivots",
    kernel=over_stack(
        "column_pivots", lambda a: sl.qr(a, mode="r", pivoting=True)[1], _pivots_aval
    ),
    abstract=_pivots_aval,
    batch=whole_batch(lambda: column_pivots),
    multiple_results=False,
)


def _balance_aval(a: ShapedArray, **params: Any) -> tuple[ShapedArray, ShapedArray]:
    lead = a.shape[:-1]
    return ShapedArray(lead, np.float64), ShapedArray(lead, np.int64)


def _balance_core(a: np.ndarray, permute: bool, scale: bool) -> tuple:
    return sl.matrix_balance(a, permute=permute, scale=scale, separate=True)[1]


# The scaling (powers of two) and the permutation that balance a matrix.
balance: Nondifferentiable = Nondifferentiable(
    "balance",
    kernel=over_stack("balance", _balance_core, _balance_aval),
    abstract=_balance_aval,
    batch=whole_batch(lambda: balance),
    multiple_results=True,
)
