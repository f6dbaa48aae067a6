"""Triangular factorisations (Cholesky, LU, LDL) and what solves with them."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg as scipy_linalg

from ...primitives import decompositions as d
from ...primitives import linalg as p
from ...primitives import structured_solve as structured
from ...primitives.core import dtype_of
from ...primitives.structural import convert
from . import bands
from .operands import (
    inexact,
    matrices,
    mirrored,
    mirrors,
    right_hand_side,
    squares,
)

__all__ = [
    "cho_factor",
    "cho_solve",
    "cho_solve_banded",
    "cholesky",
    "cholesky_banded",
    "ldl",
    "lu",
    "lu_factor",
    "lu_solve",
]


@mirrors(scipy_linalg.cholesky)
def cholesky(
    a: Any, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True
) -> Any:
    """Cholesky factor of Hermitian positive-definite matrices (..., n, n).

    One triangle of ``a`` is read; the derivative is that in a Hermitian matrix: with a = l l^H,
    dl = l m where m is the lower triangle, its diagonal halved, of inv(l) da inv(l)^H.

    Raises
    ------
    LinAlgError
        If a matrix is not positive definite, or not square.

    Examples
    --------
    >>> import numpy as np, functorch_like as ft
    >>> from functorch_like.scipy import linalg
    >>> ft.grad(lambda a: linalg.cholesky(a)[0, 1])(np.array([[4.0, 2.0], [2.0, 3.0]]))
    array([[-0.125,  0.25 ],
           [ 0.25 ,  0.   ]])
    """
    a = mirrored(squares("cholesky", a, check_finite), bool(lower))
    return p.cholesky(a, upper=not lower)


@mirrors(scipy_linalg.cho_factor)
def cho_factor(
    a: Any, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True
) -> tuple[Any, bool]:
    """Cholesky factor as ``cho_solve`` takes it: the other triangle is what it was in ``a``."""
    a = squares("cho_factor", a, check_finite)
    factor = p.cholesky(mirrored(a, bool(lower)), upper=not lower)
    return factor + (np.triu(a, 1) if lower else np.tril(a, -1)), lower


@mirrors(scipy_linalg.cho_solve)
def cho_solve(
    c_and_lower: Any, b: Any, overwrite_b: bool = False, check_finite: bool = True
) -> Any:
    """Solve ``a x = b`` with the factor of ``cho_factor``, of which one triangle is read.

    Examples
    --------
    >>> import numpy as np, functorch_like as ft
    >>> from functorch_like.scipy import linalg
    >>> a = np.array([[4.0, 1.0], [1.0, 2.0]])
    >>> ft.grad(lambda a: linalg.cho_solve(linalg.cho_factor(a), np.ones(2)).sum())(a).round(4)
    array([[-0.0204, -0.0612],
           [-0.0612, -0.1837]])
    """
    c, lower = c_and_lower
    c, b = squares("cho_solve", c, check_finite), inexact("cho_solve", b, check_finite)
    c, b, restore = right_hand_side("cho_solve", c, b, c.shape[-1])
    return restore(_twice(p.triangular_solve, c, b, _one_flag(lower), unit_diagonal=False))


def _one_flag(lower: Any) -> bool:
    """Which triangle; SciPy's factorisation of a stack says it once a matrix."""
    return bool(np.all(lower))


def _twice(solve: Any, c: Any, b: Any, lower: bool, **options: Any) -> Any:
    """Solve with l l^H for c = l, or with u^H u for c = u."""
    if lower:
        y = solve(c, b, lower=True, transpose=False, **options)
        return solve(p.conjugated(c), y, lower=True, transpose=True, **options)
    y = solve(p.conjugated(c), b, lower=False, transpose=True, **options)
    return solve(c, y, lower=False, transpose=False, **options)


@mirrors(scipy_linalg.cholesky_banded)
def cholesky_banded(
    ab: Any, overwrite_ab: bool = False, lower: bool = False, check_finite: bool = True
) -> Any:
    """Cholesky factor of a banded matrix (..., u + 1, n), in the same form.

    Traced arrays are factored as full matrices. Each element of ``ab`` stands for two elements
    of the matrix, and its derivative is that of both; elements outside the matrix are zero in
    the result.
    """
    ab = matrices("cholesky_banded", ab, check_finite)
    dense = bands.hermitian_of_band(ab, bool(lower))
    factor = p.cholesky(dense, upper=not lower)
    return bands.band_of_triangle(factor, ab.shape[-2] - 1, bool(lower))


@mirrors(scipy_linalg.cho_solve_banded)
def cho_solve_banded(
    cb_and_lower: Any, b: Any, overwrite_b: bool = False, check_finite: bool = True
) -> Any:
    """Solve with the factor of ``cholesky_banded``, by two banded systems."""
    cb, lower = cb_and_lower
    cb = matrices("cho_solve_banded", cb, check_finite)
    b = inexact("cho_solve_banded", b, check_finite)
    width = cb.shape[-2] - 1
    cb, b, restore = right_hand_side("cho_solve_banded", cb, b, cb.shape[-1])

    def solve(c: Any, right: Any, lower: bool, transpose: bool) -> Any:
        below, above = (width, 0) if lower else (0, width)
        return structured.banded_solve(
            c, right, lower=below, upper=above, positive=False, transpose=transpose
        )

    return restore(_twice(solve, cb, b, _one_flag(lower)))


# --- LU ------------------------------------------------------------------------------------


def _unit_lower(packed: Any) -> Any:
    m, n = packed.shape[-2:]
    k = min(m, n)
    unit = np.eye(m, k, dtype=np.empty(0, dtype_of(packed)).real.dtype)
    return np.tril(packed[..., :k], -1) + unit


@mirrors(scipy_linalg.lu)
def lu(
    a: Any,
    permute_l: bool = False,
    overwrite_a: bool = False,
    check_finite: bool = True,
    p_indices: bool = False,
) -> tuple[Any, ...]:
    """LU factorisation ``a = p l u`` of matrices (..., m, n); the pivots are held constant.

    inv(l) p^T da inv(u) = inv(l) dl + du inv(u), whose terms are its two triangles.

    Returns
    -------
    (p, l, u), or (p l, u) with ``permute_l``; with ``p_indices`` p is the index array for which
    ``a = l[p] @ u``.

    Examples
    --------
    >>> import numpy as np, functorch_like as ft
    >>> from functorch_like.scipy import linalg
    >>> ft.grad(lambda a: linalg.lu(a)[2][1, 1])(np.array([[4.0, 2.0], [1.0, 3.0]]))
    array([[ 0.125, -0.25 ],
           [-0.5  ,  1.   ]])
    """
    packed, _, order = d.lu(matrices("lu", a, check_finite))
    lower, upper = _unit_lower(packed), np.triu(packed[..., : min(packed.shape[-2:]), :])
    inverse = np.argsort(order, axis=-1)
    if permute_l:
        return np.take_along_axis(lower, inverse[..., None], -2), upper
    if p_indices:
        return convert(inverse, dtype=np.dtype(np.int32)), lower, upper
    kind = np.empty(0, dtype_of(packed)).real.dtype
    return d.one_hot(inverse, packed.shape[-2], kind), lower, upper


@mirrors(scipy_linalg.lu_factor)
def lu_factor(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> tuple[Any, Any]:
    """LU factorisation with both factors in one matrix, and the pivots, as ``lu_solve`` takes it.

    A singular matrix has a factorisation, but no derivative: that raises LinAlgError.
    """
    packed, pivots, _ = d.lu(matrices("lu_factor", a, check_finite))
    return packed, pivots


@mirrors(scipy_linalg.lu_solve)
def lu_solve(
    lu_and_piv: Any, b: Any, trans: int = 0, overwrite_b: bool = False, check_finite: bool = True
) -> Any:
    """Solve with the factors of ``lu_factor``: a (0), its transpose (1) or its adjoint (2).

    Examples
    --------
    >>> import numpy as np, functorch_like as ft
    >>> from functorch_like.scipy import linalg
    >>> a = np.array([[4.0, 2.0], [1.0, 3.0]])
    >>> ft.grad(lambda a: linalg.lu_solve(linalg.lu_factor(a), np.ones(2)).sum())(a)
    array([[-0.02, -0.06],
           [-0.02, -0.06]])
    """
    if trans not in (0, 1, 2):
        raise ValueError(f"lu_solve: expected trans to be 0, 1 or 2; got {trans!r}.")
    packed, pivots = lu_and_piv
    packed, b = squares("lu_solve", packed, check_finite), inexact("lu_solve", b, check_finite)
    packed, b, restore = right_hand_side("lu_solve", packed, b, packed.shape[-1])
    order = d.order_of_pivots(pivots)
    if order.shape != packed.shape[:-1]:
        order = np.broadcast_to(order, packed.shape[:-1])
    lower = {"lower": True, "unit_diagonal": True}
    upper = {"lower": False, "unit_diagonal": False}
    if trans == 0:
        y = p.triangular_solve(packed, _rows_at(b, order), transpose=False, **lower)
        return restore(p.triangular_solve(packed, y, transpose=False, **upper))
    if trans == 2:
        packed = p.conjugated(packed)
    y = p.triangular_solve(packed, b, transpose=True, **upper)
    y = p.triangular_solve(packed, y, transpose=True, **lower)
    return restore(_rows_at(y, np.argsort(order, axis=-1)))


def _rows_at(x: Any, order: Any) -> Any:
    return np.take_along_axis(x, order[..., None], -2)


# --- LDL -----------------------------------------------------------------------------------


@mirrors(scipy_linalg.ldl)
def ldl(
    A: Any,  # noqa: N803  (SciPy's name)
    lower: bool = True,
    hermitian: bool = True,
    overwrite_a: bool = False,
    check_finite: bool = True,
) -> tuple[Any, Any, Any]:
    """LDL factorisation ``a = l d l^H`` (``l d l^T`` unless ``hermitian``) of (..., n, n).

    One triangle of ``a`` is read; the derivative is that in a Hermitian (symmetric) matrix. The
    permutation and the blocks of two in ``d`` are held constant: with x = inv(l) da inv(l)^H, dd
    is x inside the blocks and dl = l (x beside them) inv(d).

    Returns
    -------
    (l, d, perm), where ``l[perm]`` is triangular.
    """
    a = mirrored(squares("ldl", A, check_finite), bool(lower), conjugate=bool(hermitian))
    if dtype_of(a).kind != "c":
        hermitian = True
    return d.ldl(a, lower=bool(lower), hermitian=bool(hermitian))
