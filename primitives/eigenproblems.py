"""Eigenvalue problems as SciPy's drivers solve them; leading axes are a batch.

Every driver of LAPACK chooses its own signs, so that a value that shall be SciPy's comes from the
driver that SciPy calls. The derivatives are those of ``primitives.linalg`` (Giles 2008):
v^H da v = diag(dw) + [v^H dv, w].
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.linalg as sl

from ..kernels.device import cpu_only
from .core import General, ShapedArray, dtype_of, shape_of
from .elementwise import add, divide, equal, multiply, negative, select, subtract
from .linalg import _largest_real_element as largest_real_element
from .linalg import (
    adjoint,
    conjugated,
    matmul,
    product,
    real_part,
    scale_columns,
    solve,
)
from .matrix_equations import over_stack, same_aval, twice_hermitian_part, whole_batch
from .structural import conjugate, convert, imag, make_complex, real, reshape, slice_at

__all__ = ["distinct", "eig_both", "eig_pair", "hermitian_eigen"]


def _differences(w: Any, of: Any) -> Any:
    """``1 / (w_j - of_i)``, and 0 where they are equal; rows i and columns j."""
    shape, rows = shape_of(w), shape_of(of)
    gap = subtract(reshape(w, shape=(*shape[:-1], 1, shape[-1])), reshape(of, shape=(*rows, 1)))
    zero = equal(gap, 0)
    return select(zero, 0, divide(1, select(zero, 1, gap)))


def _diagonal(a: Any, start: int = 0) -> Any:
    """Elements ``a[start + j, j]``."""
    m, n = shape_of(a)[-2:]
    weight = np.eye(m, n, -start, dtype=np.empty(0, dtype_of(a)).real.dtype)
    return product("ij,ij->j", a, np.broadcast_to(weight, shape_of(a)))


# --- Hermitian -----------------------------------------------------------------------------


def _hermitian_aval(a: ShapedArray, subset: Any, **params: Any) -> tuple[ShapedArray, ShapedArray]:
    *lead, n, _ = a.shape
    count = n if subset is None else subset[1] - subset[0] + 1
    kind = np.empty(0, a.dtype).real.dtype
    return ShapedArray((*lead, count), kind), ShapedArray((*lead, n, count), a.dtype)


def _band_of(a: np.ndarray, width: int, lower: bool) -> np.ndarray:
    n = len(a)
    band = np.zeros((width + 1, n), a.dtype)
    for k in range(min(width, n - 1) + 1):
        if lower:
            band[k, : n - k] = np.diagonal(a, -k)
        else:
            band[width - k, k:] = np.diagonal(a, k)
    return band


def _hermitian_core(
    a: np.ndarray, solver: str, lower: bool, subset: tuple[int, int] | None, width: int
) -> tuple[np.ndarray, np.ndarray]:
    if solver == "banded":
        select, chosen = ("a", None) if subset is None else ("i", subset)
        band = _band_of(a, width, lower)
        return sl.eig_banded(band, lower=lower, select=select, select_range=chosen)
    if solver.startswith("tridiagonal-"):
        select, chosen = ("a", None) if subset is None else ("i", subset)
        driver = solver.removeprefix("tridiagonal-")
        if driver == "sterf":  # of eigenvalues only
            driver = "stevd"
        d, e = np.diagonal(a).real, np.diagonal(a, -1).real
        return sl.eigh_tridiagonal(
            d, e, select=select, select_range=chosen, lapack_driver=driver, check_finite=False
        )
    return sl.eigh(
        a, lower=lower, subset_by_index=subset, driver=solver or None, check_finite=False
    )


def _hermitian_rule(
    primals: Sequence, tangents: Sequence, subset: Any, solver: str, **params: Any
) -> tuple[Any, Any]:
    # Each vector moves by all others: v^H dv_j = v^H da v_j / (w_j - w).
    (a,), (da,) = primals, tangents
    w, v = answer = hermitian_eigen(a, subset=subset, solver=solver, **params)
    all_w, all_v, start = w, v, 0
    if subset is not None:
        start, stop = subset
        # Any driver serves: the signs of these vectors cancel.
        all_w, all_v = hermitian_eigen(a, subset=None, solver="evr", **params)
        w = slice_at(all_w, index=(Ellipsis, slice(start, stop + 1)))
    da = multiply(twice_hermitian_part(da), 0.5)
    inner = matmul(adjoint(all_v), matmul(da, v))
    if subset is None:
        dw = real_part(_diagonal(inner))
    else:
        dw = real_part(product("ij,ij->j", conjugated(v), matmul(da, v)))
    return answer, (dw, matmul(all_v, multiply(inner, _differences(w, all_w))))


# Eigenvalues (ascending) and vectors of Hermitian matrices. ``subset``: the first and the last
# index, or None; ``solver``: a driver of scipy.linalg.eigh, "banded" (reads ``width`` diagonals)
# or "tridiagonal-<driver>".
hermitian_eigen: General = General(
    "hermitian_eigen",
    kernel=over_stack("hermitian_eigen", _hermitian_core, _hermitian_aval),
    abstract=_hermitian_aval,
    rule=_hermitian_rule,
    batch=whole_batch(lambda: hermitian_eigen),
    multiple_results=True,
)

# --- general -------------------------------------------------------------------------------


def _complex_dtype(a: ShapedArray) -> np.dtype:
    return np.result_type(a.dtype, np.complex64)


def _eig_aval(a: ShapedArray, *rest: ShapedArray) -> tuple[ShapedArray, ...]:
    dtype = _complex_dtype(a)
    vectors = ShapedArray(a.shape, dtype)
    return ShapedArray(a.shape[:-1], dtype), vectors, vectors


def _vector_tangent(w: Any, v: Any, inner: Any) -> Any:
    """``v`` times the off-diagonal part of [v^-1 dv], from inner = v^-1 da v."""
    return matmul(v, multiply(inner, _differences(w, w)))


def _of_length_one(v: Any, dv: Any, by_largest: bool) -> Any:
    """Fix the free factor of each vector: length one, and its phase.

    The phase is that of a real largest element, or moves as little as it can.
    """
    along = product("ij,ij->j", conjugate(v), dv)
    shrink = negative(real(along))
    if by_largest:
        # The element is real, so its imaginary part moves by the phase times it.
        largest = largest_real_element(v)
        moved, element = product("ij,ij->j", dv, largest), product("ij,ij->j", v, largest)
        turn = negative(imag(divide(moved, element)))
    else:
        turn = negative(imag(along))
    return add(dv, scale_columns(v, make_complex(shrink, turn)))


def _eig_both_rule(primals: Sequence, tangents: Sequence) -> tuple[Any, Any]:
    (a,), (da,) = primals, tangents
    w, left, right = answer = eig_both(a)
    if not shape_of(a)[-1]:
        return answer, (None, None, None)
    da = convert(da, dtype=dtype_of(w))
    inner = solve(right, matmul(da, right))
    dright = _of_length_one(right, _vector_tangent(w, right, inner), True)
    # The left vectors are the right ones of a^H, with the values conjugated.
    turned = solve(left, matmul(adjoint(da), left))
    dleft = _of_length_one(left, _vector_tangent(conjugate(w), left, turned), True)
    return answer, (_diagonal(inner), dleft, dright)


# ``eig_both(a)``: eigenvalues, left and right vectors, always complex.
eig_both: General = General(
    "eig_both",
    kernel=over_stack("eig_both", lambda a: sl.eig(a, left=True, check_finite=False), _eig_aval),
    abstract=_eig_aval,
    rule=_eig_both_rule,
    batch=whole_batch(lambda: eig_both),
    multiple_results=True,
)


def _pair_tangents(w: Any, v: Any, a: Any, b: Any, da: Any, db: Any) -> tuple[Any, Any]:
    # a v = b v w: inv(b v) (da v - db v w) = diag(dw) + [inv(v) dv, w]
    right = None if da is None else matmul(da, v)
    if db is not None:
        moved = negative(scale_columns(matmul(db, v), w))
        right = moved if right is None else add(right, moved)
    inner = solve(matmul(b, v), right)
    return _diagonal(inner), _of_length_one(v, _vector_tangent(w, v, inner), False)


def _eig_pair_rule(primals: Sequence, tangents: Sequence) -> tuple[Any, Any]:
    w, left, right = answer = eig_pair(*primals)
    if not shape_of(primals[0])[-1]:
        return answer, (None, None, None)
    a, b = (convert(x, dtype=dtype_of(w)) for x in primals)
    da, db = (None if t is None else convert(t, dtype=dtype_of(w)) for t in tangents)
    dw, dright = _pair_tangents(w, right, a, b, da, db)
    dah, dbh = (None if t is None else adjoint(t) for t in (da, db))
    _, dleft = _pair_tangents(conjugate(w), left, adjoint(a), adjoint(b), dah, dbh)
    return answer, (dw, dleft, dright)


# ``eig_pair(a, b)``: a v = w b v with b regular, and u^H a = w u^H b; w, u, v always complex. The
# vectors have length one; their phase is what LAPACK's QZ makes it and moves as little as it can.
eig_pair: General = General(
    "eig_pair",
    kernel=over_stack(
        "eig_pair", lambda a, b: sl.eig(a, b, left=True, check_finite=False), _eig_aval
    ),
    abstract=_eig_aval,
    rule=_eig_pair_rule,
    batch=whole_batch(lambda: eig_pair),
    multiple_results=True,
)


def _distinct(w: np.ndarray) -> np.ndarray:
    ordered = np.sort(w, axis=-1)
    if np.any(ordered[..., 1:] == ordered[..., :-1]):
        raise np.linalg.LinAlgError(
            f"funm: expected distinct eigenvalues; got equal ones among {w.shape}; use one of "
            "expm, logm, sqrtm and fractional_matrix_power, which have no such bound."
        )
    return w


def _distinct_rule(primals: Sequence, tangents: Sequence) -> tuple[Any, Any]:
    return distinct(primals[0]), tangents[0]


# Its operand, of which no two elements of the last axis may be equal: checked when it runs, so
# that jit and vmap check it too.
distinct: General = General(
    "distinct",
    kernel=cpu_only("distinct", _distinct),
    abstract=same_aval,
    rule=_distinct_rule,
    batch=lambda size, xs, batched: distinct(*xs),
)
