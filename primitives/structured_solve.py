"""Solutions of equations with banded and Toeplitz matrices, held in their short form.

Each is linear in its right-hand side. Its transpose solves with the transposed matrix; the
derivative in the matrix multiplies the moved matrix by the solution: a dx = db - da x.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.linalg as sl

from .core import General, ShapedArray, dtype_of, shape_of
from .elementwise import multiply, negative
from .indexing import gather
from .linalg import _batched_solve as batched_solve
from .linalg import matmul
from .matrix_equations import over_stack, total
from .structural import concatenate, move_axis, slice_at, zeros_like

__all__ = ["banded_solve", "toeplitz_solve"]


def _solution_aval(a: ShapedArray, b: ShapedArray, **params: Any) -> ShapedArray:
    return ShapedArray(b.shape, np.result_type(a.dtype, b.dtype))


# --- banded --------------------------------------------------------------------------------

# ``ab`` (lower + upper + 1, n) holds the diagonals as scipy.linalg.solve_banded has them:
# ab[upper + i - j, j] = a[i, j].


def _transposed_band(ab: np.ndarray, lower: int, upper: int) -> np.ndarray:
    out = np.zeros_like(ab)
    n = ab.shape[-1]
    for k in range(-lower, upper + 1):  # diagonal k of a is diagonal -k of its transpose
        width = n - abs(k)
        if width > 0:
            start, end = max(k, 0), max(-k, 0)
            out[lower + k, end : end + width] = ab[upper - k, start : start + width]
    return out


def _banded_core(
    ab: np.ndarray, b: np.ndarray, lower: int, upper: int, positive: bool, transpose: bool
) -> np.ndarray:
    if positive:
        half = ab[: upper + 1]
        return sl.solveh_banded(half.conj() if transpose else half, b, check_finite=False)
    if transpose:
        ab, lower, upper = _transposed_band(ab, lower, upper), upper, lower
    return sl.solve_banded((lower, upper), ab, b, check_finite=False)


def _padded_rows(x: Any, before: int, after: int) -> Any:
    *lead, _, m = shape_of(x)
    parts = [x]
    if before:
        parts.insert(0, np.zeros((*lead, before, m), dtype_of(x)))
    if after:
        parts.append(np.zeros((*lead, after, m), dtype_of(x)))
    return concatenate(*parts, axis=len(lead)) if len(parts) > 1 else x


def banded_product(ab: Any, x: Any, lower: int, upper: int, transpose: bool) -> Any:
    """The product of the banded matrix, or its transpose, and the columns of ``x``."""
    n = shape_of(x)[-2]
    out = None
    for k in range(-lower, upper + 1):
        if abs(k) >= n:
            continue
        columns = slice(max(k, 0), n + min(k, 0))
        rows = slice(max(-k, 0), n - max(k, 0))
        read, written = (rows, columns) if transpose else (columns, rows)
        weights = slice_at(ab, index=(Ellipsis, upper - k, columns, None))
        part = multiply(weights, slice_at(x, index=(Ellipsis, read, slice(None))))
        part = _padded_rows(part, written.start, n - written.stop)
        out = total(out, part)
    return zeros_like(x) if out is None else out


def _banded_rule(primals: Sequence, tangents: Sequence, **params: Any) -> tuple[Any, Any]:
    (ab, b), (dab, right) = primals, tangents
    x = banded_solve(ab, b, **params)
    if dab is not None and shape_of(x)[-2]:
        form = {k: params[k] for k in ("lower", "upper", "transpose")}
        right = total(right, negative(banded_product(dab, x, **form)))
    return x, None if right is None else banded_solve(ab, right, **params)


# ``positive``: the matrix is Hermitian positive definite, which is checked.
banded_solve: General = General(
    "banded_solve",
    kernel=over_stack("banded_solve", _banded_core, _solution_aval),
    abstract=_solution_aval,
    rule=_banded_rule,
    batch=batched_solve(lambda a, b, **params: banded_solve(a, b, **params)),
    linear_in=1,
    transpose=lambda ct, operands, transpose, **params: banded_solve(
        operands[0], ct, transpose=not transpose, **params
    ),
)

# --- Toeplitz ------------------------------------------------------------------------------

# ``values`` (1, 2 n - 1) holds the first row backwards and then the first column:
# a[i, j] = values[0, n - 1 + i - j]. (One row, so that a stack of them is a stack of matrices.)


def _toeplitz_core(values: np.ndarray, b: np.ndarray, transpose: bool) -> np.ndarray:
    v = values[0]
    n = len(b)
    v = v[::-1] if transpose else v
    return sl.solve_toeplitz((v[n - 1 :], v[n - 1 :: -1]), b, check_finite=False)


def toeplitz_matrix(values: Any, rows: int, columns: int) -> Any:
    """The matrix ``values[0, columns - 1 + i - j]``."""
    at = columns - 1 + np.arange(rows)[:, None] - np.arange(columns)
    ndim = len(shape_of(values))
    v = move_axis(slice_at(values, index=(Ellipsis, 0, slice(None))), ndim - 2, 0)
    dense = gather(v, at)
    for _ in range(2):
        dense = move_axis(dense, 0, len(shape_of(dense)) - 1)
    return dense


def _toeplitz_rule(primals: Sequence, tangents: Sequence, transpose: bool) -> tuple[Any, Any]:
    (values, b), (dvalues, right) = primals, tangents
    x = toeplitz_solve(values, b, transpose=transpose)
    if dvalues is not None:
        n = shape_of(b)[-2]
        if transpose:
            dvalues = slice_at(dvalues, index=(Ellipsis, slice(None, None, -1)))
        right = total(right, negative(matmul(toeplitz_matrix(dvalues, n, n), x)))
    return x, toeplitz_solve(values, right, transpose=transpose)


toeplitz_solve: General = General(
    "toeplitz_solve",
    kernel=over_stack("toeplitz_solve", _toeplitz_core, _solution_aval),
    abstract=_solution_aval,
    rule=_toeplitz_rule,
    batch=batched_solve(lambda a, b, **params: toeplitz_solve(a, b, **params)),
    linear_in=1,
    transpose=lambda ct, operands, transpose: toeplitz_solve(
        operands[0], ct, transpose=not transpose
    ),
)
