"""Factorisations with orthogonal or unitary factors: QR, RQ, SVD, polar, Schur, Hessenberg."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg as scipy_linalg

from ...errors import user_line
from ...primitives import decompositions as d
from ...primitives import elementwise as e
from ...primitives import linalg as p
from ...primitives import schur as schur_forms
from ...primitives.core import dtype_of
from ...primitives.stopping import stop_gradient
from ...primitives.structural import convert
from .operands import (
    LinAlgError,
    inexact,
    matrices,
    mirrors,
    same_shape,
    squares,
    stack_together,
    value_of,
)

__all__ = [
    "diagsvd",
    "hessenberg",
    "null_space",
    "orth",
    "orthogonal_procrustes",
    "polar",
    "qr",
    "qr_multiply",
    "rq",
    "schur",
    "subspace_angles",
    "svd",
    "svdvals",
]


def _padded_rows(a: Any, rows: int) -> Any:
    *lead, m, n = a.shape
    if m == rows:
        return a
    return np.concatenate((a, np.zeros((*lead, rows - m, n), dtype_of(a))), axis=-2)


@mirrors(scipy_linalg.qr)
def qr(
    a: Any,
    overwrite_a: bool = False,
    lwork: Any = None,
    mode: str = "full",
    pivoting: bool = False,
    check_finite: bool = True,
) -> tuple[Any, ...]:
    """QR factorisation ``a = q r``, or ``a[:, perm] = q r`` with ``pivoting``.

    ``mode`` is 'full', 'economic' or 'r' ('raw' is refused on traced arrays). The first min(m, n)
    columns must be independent; the permutation is held constant, and the further columns of a
    full q move as little as they can.

    Examples
    --------
    >>> import numpy as np, functorch_like as ft
    >>> from functorch_like.scipy import linalg
    >>> a = np.array([[3.0, 1.0], [4.0, 2.0]])
    >>> ft.grad(lambda a: linalg.qr(a)[1][0, 0])(a)
    array([[-0.6,  0. ],
           [-0.8,  0. ]])
    """
    if mode not in ("full", "qr", "r", "economic"):
        raise ValueError(
            f"qr: expected mode 'full', 'economic' or 'r' for a traced array; got {mode!r}, at "
            f"{user_line()}."
        )
    a = matrices("qr", a, check_finite)
    more: tuple = ()
    if pivoting:
        order = d.column_pivots(a)
        a = np.take_along_axis(a, order[..., None, :], -1)
        more = (order,)
    if mode == "r":
        return (_padded_rows(p.qr(a, complete=False)[1], a.shape[-2]), *more)
    q, r = p.qr(a, complete=mode != "economic")
    return (q, r, *more)


@mirrors(scipy_linalg.qr_multiply)
def qr_multiply(
    a: Any,
    c: Any,
    mode: str = "right",
    pivoting: bool = False,
    conjugate: bool = False,
    overwrite_a: bool = False,
    overwrite_c: bool = False,
) -> tuple[Any, ...]:
    """``c q`` (mode 'right') or ``q c`` ('left') for the economic QR of ``a``, and r."""
    if mode not in ("left", "right"):
        raise ValueError(f"qr_multiply: expected mode 'left' or 'right'; got {mode!r}.")
    q, *rest = qr(a, mode="economic", pivoting=pivoting)
    q = p.conjugated(q) if conjugate else q
    c = inexact("qr_multiply", c)
    vector = len(c.shape) < 2
    c = np.reshape(c, (-1, 1) if mode == "left" else (1, -1)) if vector else c
    m, k = q.shape[-2:]
    wanted, got = (k, c.shape[-2]) if mode == "left" else (m, c.shape[-1])
    if wanted != got:
        raise LinAlgError(
            f"qr_multiply: expected c with {wanted} {'rows' if mode == 'left' else 'columns'}; got "
            f"shapes {q.shape} of q and {c.shape} of c, at {user_line()}."
        )
    q, c = stack_together("qr_multiply", q, c)
    made = p.matmul(q, c) if mode == "left" else p.matmul(c, q)
    if vector:
        made = made[..., 0] if mode == "left" else made[..., 0, :]
    return (made, *rest)


@mirrors(scipy_linalg.rq)
def rq(
    a: Any,
    overwrite_a: bool = False,
    lwork: Any = None,
    mode: str = "full",
    check_finite: bool = True,
) -> Any:
    """RQ factorisation ``a = r q``: the QR of the adjoint, read backwards.

    The last min(m, n) rows must be independent.
    """
    if mode not in ("full", "r", "economic"):
        raise ValueError(f"rq: expected mode 'full', 'r' or 'economic'; got {mode!r}.")
    a = matrices("rq", a, check_finite)
    q, r = p.qr(p.adjoint(a)[..., ::-1, ::-1], complete=mode != "economic")
    r = p.adjoint(r)[..., ::-1, ::-1]
    return r if mode == "r" else (r, p.adjoint(q)[..., ::-1, ::-1])


# --- singular values -----------------------------------------------------------------------


@mirrors(scipy_linalg.svd)
def svd(
    a: Any,
    full_matrices: bool = True,
    compute_uv: bool = True,
    overwrite_a: bool = False,
    check_finite: bool = True,
    lapack_driver: str = "gesdd",
) -> Any:
    """Singular value decomposition ``a = u diag(s) vh`` of (..., m, n).

    Complex vectors, and the further ones of full matrices, are determined up to phases and
    rotations and move as little as they can; terms of exactly equal values are 0. On traced
    arrays the driver is always 'gesdd', whose signs may differ from 'gesvd'.

    Examples
    --------
    >>> import numpy as np, functorch_like as ft
    >>> from functorch_like.scipy import linalg
    >>> ft.grad(lambda a: linalg.svd(a)[1][0])(np.diag([3.0, 1.0]))
    array([[1., 0.],
           [0., 0.]])
    """
    if lapack_driver not in ("gesdd", "gesvd"):
        raise ValueError(f"svd: lapack_driver must be 'gesdd' or 'gesvd'; got {lapack_driver!r}.")
    a = matrices("svd", a, check_finite)
    return p.svd(a, full_matrices=bool(full_matrices)) if compute_uv else p.svdvals(a)


@mirrors(scipy_linalg.svdvals)
def svdvals(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """Singular values, the greatest first; ds = Re diag(u^H da v)."""
    return p.svdvals(matrices("svdvals", a, check_finite))


@mirrors(scipy_linalg.diagsvd)
def diagsvd(s: Any, M: int, N: int) -> Any:  # noqa: N803
    """Matrix (..., M, N) with the values of ``s`` on its diagonal."""
    s = inexact("diagsvd", s)
    n = s.shape[-1]
    if n not in (M, N):
        raise ValueError(
            f"diagsvd: expected M or N to be the length of s; got {M}, {N} and shape {s.shape}, "
            f"at {user_line()}."
        )
    return p.transposed(_padded_rows(p.transposed(_diagonal_rows(s, M)), N))


def _diagonal_rows(s: Any, rows: int) -> Any:
    square = s[..., :, None] * np.eye(s.shape[-1], dtype=dtype_of(s))
    return _padded_rows(square, rows)


def _rank(name: str, s: Any, shape: tuple[int, ...], rcond: Any) -> int:
    known = value_of(s)
    if known is None:
        raise TypeError(
            f"{name}: the shape of the result depends on values, which vmap and jit do not know, "
            f"at {user_line()}; use the columns of qr(a) or svd(a) that you need."
        )
    share = np.finfo(known.dtype).eps * max(shape[-2:]) if rcond is None else rcond
    ranks = np.sum(known > np.max(known, axis=-1, initial=0, keepdims=True) * share, axis=-1)
    if np.ndim(ranks) and len(np.unique(ranks)) > 1:
        raise LinAlgError(f"{name}: expected a stack of one rank; got {ranks}.")
    return int(np.max(ranks, initial=0))


@mirrors(scipy_linalg.orth)
def orth(A: Any, rcond: Any = None) -> Any:  # noqa: N803
    """Orthonormal basis of the range: the left singular vectors of nonzero values.

    The rank is held constant; it must be known, so that vmap and jit are refused.
    """
    u, s, _ = p.svd(matrices("orth", A), full_matrices=False)
    return u[..., : _rank("orth", s, A.shape, rcond)]


@mirrors(scipy_linalg.null_space)
def null_space(
    A: Any,  # noqa: N803
    rcond: Any = None,
    *,
    overwrite_a: bool = False,
    check_finite: bool = True,
    lapack_driver: str = "gesdd",
) -> Any:
    """Orthonormal basis of the null space, at constant rank.

    The basis within the space is arbitrary and moves as little as it can: right for every
    function of the space alone. The rank must be known, so that vmap and jit are refused.

    Examples
    --------
    >>> import numpy as np, functorch_like as ft
    >>> from functorch_like.scipy import linalg
    >>> def height(a):
    ...     v = linalg.null_space(a)
    ...     return (v @ v.T)[1, 1]
    >>> ft.grad(height)(np.array([[1.0, 1.0]]))
    array([[ 0.5, -0.5]])
    """
    a = matrices("null_space", A, check_finite)
    _, s, vh = p.svd(stop_gradient(a), full_matrices=True)
    rank = _rank("null_space", s, a.shape, rcond)
    basis = p.adjoint(vh[..., rank:, :])
    if 0 in basis.shape:
        return basis
    # The constant basis, projected on the null space and made orthonormal again: its value is
    # the basis and its derivatives are those of the space, at every order.
    share = np.finfo(dtype_of(a)).eps * max(a.shape[-2:]) if rcond is None else rcond
    inverse = p.pseudo_inverse(a, np.full(a.shape[:-2], share), hermitian=False)
    return d.polar_factor(basis - p.matmul(inverse, p.matmul(a, basis)))


@mirrors(scipy_linalg.subspace_angles)
def subspace_angles(A: Any, B: Any) -> Any:  # noqa: N803
    """Angles between the ranges of two matrices of full column rank, the greatest first.

    From the sines where they are small and the cosines elsewhere (Knyazev and Argentati 2002).
    An angle 0 has no derivative.
    """
    a, b = matrices("subspace_angles", A), matrices("subspace_angles", B)
    if a.shape[-2] != b.shape[-2]:
        raise LinAlgError(
            f"subspace_angles: expected as many rows in A as in B; got shapes {a.shape} and "
            f"{b.shape}, at {user_line()}."
        )
    a, b = stack_together("subspace_angles", a, b)
    qa, qb = (p.qr(x, complete=False)[0] for x in (a, b))
    if qa.shape[-1] < qb.shape[-1]:
        qa, qb = qb, qa
    inner = p.matmul(p.adjoint(qa), qb)
    cosines = p.svdvals(inner)[..., ::-1]
    sines = p.svdvals(qb - p.matmul(qa, inner))
    near = e.greater_equal(cosines**2, 0.5)
    # Each branch sees harmless arguments where the other is taken.
    by_sine = np.arcsin(np.clip(np.where(near, sines, 0), -1, 1))
    by_cosine = np.arccos(np.clip(np.where(near, 0, cosines), -1, 1))
    return np.where(near, by_sine, by_cosine)


@mirrors(scipy_linalg.orthogonal_procrustes)
def orthogonal_procrustes(A: Any, B: Any, check_finite: bool = True) -> tuple[Any, Any]:  # noqa: N803
    """Orthogonal (unitary) r that minimises ||a r - b||, and the sum of the singular values.

    r is the polar factor of a^H b, whose derivative is a Sylvester equation.

    Examples
    --------
    >>> import numpy as np, functorch_like as ft
    >>> from functorch_like.scipy import linalg
    >>> a = np.array([[2.0, 0.0], [0.0, 1.0]])
    >>> ft.grad(lambda b: linalg.orthogonal_procrustes(a, b)[0][0, 1])(np.eye(2)).round(4)
    array([[ 0.    ,  0.6667],
           [-0.3333,  0.    ]])
    """
    a = matrices("orthogonal_procrustes", A, check_finite)
    b = matrices("orthogonal_procrustes", B, check_finite)
    same_shape("orthogonal_procrustes", a, b)
    a, b = stack_together("orthogonal_procrustes", a, b)
    m = p.matmul(p.adjoint(a), b)
    r = d.polar_factor(m)
    scale = np.sum(np.real(np.conj(r) * m), axis=(-2, -1))
    return r, scale


@mirrors(scipy_linalg.polar)
def polar(a: Any, side: str = "right") -> tuple[Any, Any]:
    """Polar decomposition ``a = u p`` ('right') or ``a = p u`` ('left') at full rank.

    With du = u w, u^H da - da^H u = w p + p w (Higham, "Functions of Matrices", section 8).

    Examples
    --------
    >>> import numpy as np, functorch_like as ft
    >>> from functorch_like.scipy import linalg
    >>> ft.grad(lambda a: linalg.polar(a)[0][0, 1])(np.eye(2))
    array([[ 0. ,  0.5],
           [-0.5,  0. ]])
    """
    if side not in ("right", "left"):
        raise ValueError(f"polar: side must be either 'right' or 'left'; got {side!r}.")
    a = matrices("polar", a)
    tall = a.shape[-2] >= a.shape[-1]
    u = d.polar_factor(a) if tall else p.adjoint(d.polar_factor(p.adjoint(a)))
    h = p.matmul(p.adjoint(u), a) if side == "right" else p.matmul(a, p.adjoint(u))
    return u, 0.5 * (h + p.adjoint(h))


# --- Schur and Hessenberg ------------------------------------------------------------------


@mirrors(scipy_linalg.schur)
def schur(
    a: Any,
    output: str = "real",
    lwork: Any = None,
    overwrite_a: bool = False,
    sort: Any = None,
    check_finite: bool = True,
) -> tuple[Any, Any]:
    """Schur decomposition ``a = z t z^H``.

    The phases of complex vectors move as little as they can. The real form has blocks of two,
    whose diagonal elements LAPACK makes equal, for complex pairs of eigenvalues; where such a
    block is normal it has no derivative (LinAlgError). Terms of exactly equal eigenvalues are 0.
    ``sort`` is refused on traced arrays.

    Examples
    --------
    >>> import numpy as np, functorch_like as ft
    >>> from functorch_like.scipy import linalg
    >>> a = np.array([[1.0, 2.0], [0.0, 3.0]])
    >>> ft.grad(lambda a: linalg.schur(a)[0][0, 0])(a)
    array([[ 1.,  0.],
           [-1.,  0.]])
    """
    if output not in ("real", "complex", "r", "c"):
        raise ValueError(f"schur: output must be 'real' or 'complex'; got {output!r}.")
    if sort is not None:
        raise TypeError(
            f"schur: sort is not supported on traced arrays, at {user_line()}; sort=None."
        )
    a = squares("schur", a, check_finite)
    if output in ("complex", "c") and dtype_of(a).kind != "c":
        a = convert(a, dtype=np.result_type(dtype_of(a), np.complex64))
    return schur_forms.schur(a)


@mirrors(scipy_linalg.hessenberg)
def hessenberg(
    a: Any, calc_q: bool = False, overwrite_a: bool = False, check_finite: bool = True
) -> Any:
    """Hessenberg form h of ``a = q h q^H``, or (h, q) with ``calc_q``.

    q is determined by its first column, which is constant (the implicit Q theorem, Golub and Van
    Loan, section 7.4). Where an element of the subdiagonal is zero the part beyond it is held.
    """
    a = squares("hessenberg", a, check_finite)
    if a.shape[-1] <= 2:
        return (a, np.broadcast_to(np.eye(a.shape[-1]), a.shape)) if calc_q else a
    h, q = schur_forms.hessenberg(a)
    return (h, q) if calc_q else h
