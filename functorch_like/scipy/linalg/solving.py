"""Solutions of linear equations, inverses and determinants: ``scipy.linalg``'s, differentiable."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.linalg as scipy_linalg

from ...errors import user_line
from ...primitives import linalg as p
from ...primitives import structured_solve as structured
from ...primitives.core import dtype_of
from ...primitives.stopping import stop_gradient
from . import bands
from .operands import (
    LinAlgError,
    double,
    inexact,
    matrices,
    mirrored,
    mirrors,
    right_hand_side,
    squares,
    stack_together,
    value_of,
    vectors,
)

__all__ = [
    "det",
    "inv",
    "matmul_toeplitz",
    "solve",
    "solve_banded",
    "solve_circulant",
    "solve_toeplitz",
    "solve_triangular",
    "solveh_banded",
]

STRUCTURES = {
    None: "general", "general": "general", "gen": "general", "banded": "general",
    "diagonal": "diagonal", "tridiagonal": "tridiagonal", "upper triangular": "upper",
    "lower triangular": "lower", "pos": "positive", "positive definite": "positive",
    "sym": "symmetric", "symmetric": "symmetric", "her": "hermitian", "hermitian": "hermitian",
}  # fmt: skip


def _structure(name: str, assume_a: Any) -> str:
    if assume_a not in STRUCTURES:
        known = ", ".join(repr(s) for s in STRUCTURES if s)
        raise ValueError(
            f"{name}: assume_a {assume_a!r} is not a recognized matrix structure, at "
            f"{user_line()}; expected one of {known}."
        )
    return STRUCTURES[assume_a]


def _diagonal(a: Any) -> Any:
    return np.diagonal(a, axis1=-2, axis2=-1)


def _solve_positive(a: Any, b: Any) -> Any:
    factor = p.cholesky(a, upper=False)
    y = p.triangular_solve(factor, b, lower=True, unit_diagonal=False, transpose=False)
    return p.triangular_solve(
        p.conjugated(factor), y, lower=True, unit_diagonal=False, transpose=True
    )


def _solve_structured(a: Any, b: Any, kind: str, lower: bool, transposed: bool) -> Any:
    if kind in ("lower", "upper"):
        return p.triangular_solve(
            a, b, lower=kind == "lower", unit_diagonal=False, transpose=transposed
        )
    if kind == "diagonal":
        return b / _diagonal(a)[..., None]
    if kind == "positive":
        return _solve_positive(mirrored(a, lower), b)
    if kind in ("symmetric", "hermitian"):
        return p.solve(mirrored(a, lower, conjugate=kind == "hermitian"), b)
    if kind == "tridiagonal":
        n = a.shape[-1]
        k, j = np.indices((3, n))
        i = j + k - 1
        band = bands.pick(a, i, j, (i >= 0) & (i < n))
        return structured.banded_solve(
            band, b, lower=1, upper=1, positive=False, transpose=transposed
        )
    return p.solve(p.transposed(a) if transposed else a, b)


@mirrors(scipy_linalg.solve)
def solve(
    a: Any,
    b: Any,
    lower: bool = False,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    assume_a: Any = None,
    transposed: bool = False,
) -> Any:
    """Solve ``a x = b`` for a matrix of known structure.

    dx = inv(a) (db - da x).

    Parameters
    ----------
    a
        (..., n, n). With ``assume_a`` ``'pos'``, ``'sym'`` or ``'her'`` one triangle is read
        (``lower`` says which) and the derivative is that in a symmetric or Hermitian matrix;
        ``'upper triangular'``, ``'lower triangular'``, ``'diagonal'`` and ``'tridiagonal'`` read
        only these elements, and only they have a derivative.
    b
        (n,) or (..., n, k).
    overwrite_a, overwrite_b
        Ignored on traced arrays.
    transposed
        Solve with the transpose of a real ``a``.

    Raises
    ------
    LinAlgError
        For a singular matrix, one that is not positive definite under ``'pos'``, and for shapes
        that do not fit.

    Examples
    --------
    >>> import numpy as np, functorch_like as ft
    >>> from functorch_like.scipy import linalg
    >>> a, b = np.array([[4.0, 1.0], [1.0, 2.0]]), np.array([1.0, 3.0])
    >>> ft.grad(lambda a: linalg.solve(a, b, assume_a="pos").sum())(a)
    array([[ 0.02040816, -0.08163265],
           [-0.08163265, -0.67346939]])
    """
    kind = _structure("solve", assume_a)
    a, b = squares("solve", a, check_finite), inexact("solve", b, check_finite)
    if transposed and "c" in (dtype_of(a).kind, dtype_of(b).kind):
        raise NotImplementedError(
            f"solve: transposed=True is for real matrices, at {user_line()}; solve with "
            "np.swapaxes(a, -1, -2)."
        )
    if math.prod(a.shape) == 1:
        return b / np.reshape(a, ())
    a, b, restore = right_hand_side("solve", a, b, a.shape[-1])
    return restore(_solve_structured(a, b, kind, bool(lower), bool(transposed)))


@mirrors(scipy_linalg.solve_triangular)
def solve_triangular(
    a: Any,
    b: Any,
    trans: Any = 0,
    lower: bool = False,
    unit_diagonal: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
) -> Any:
    """Solve with a triangular matrix (..., n, n), its transpose or its adjoint.

    ``trans`` is 0 or 'N', 1 or 'T' (transpose), 2 or 'C' (adjoint). The derivative is in the
    elements that are read alone.

    Examples
    --------
    >>> import numpy as np, functorch_like as ft
    >>> from functorch_like.scipy import linalg
    >>> a = np.array([[2.0, 0.0], [1.0, 4.0]])
    >>> ft.grad(lambda a: linalg.solve_triangular(a, np.ones(2), lower=True).sum())(a)
    array([[-0.1875 , -0.     ],
           [-0.125  , -0.03125]])
    """
    number = {"N": 0, "T": 1, "C": 2}.get(trans, trans)
    if number not in (0, 1, 2):
        raise ValueError(
            f"solve_triangular: expected trans to be 0, 1, 2, 'N', 'T' or 'C'; got {trans!r}, at "
            f"{user_line()}."
        )
    a = squares("solve_triangular", a, check_finite)
    b = inexact("solve_triangular", b, check_finite)
    a, b, restore = right_hand_side("solve_triangular", a, b, a.shape[-1])
    if number == 2:
        a = p.conjugated(a)
    return restore(
        p.triangular_solve(
            a, b, lower=bool(lower), unit_diagonal=bool(unit_diagonal), transpose=number > 0
        )
    )


@mirrors(scipy_linalg.solve_banded)
def solve_banded(
    l_and_u: Any,
    ab: Any,
    b: Any,
    overwrite_ab: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
) -> Any:
    """Solve with a banded matrix in diagonal form: ``ab[u + i - j, j] = a[i, j]``.

    ``ab`` is (..., l + u + 1, n); elements outside the matrix are not read. Both directions of
    the derivative solve banded systems, in O(n (l + u)^2).

    Examples
    --------
    >>> import numpy as np, functorch_like as ft
    >>> from functorch_like.scipy import linalg
    >>> ab = np.array([[0.0, 1.0, 1.0], [4.0, 4.0, 4.0], [1.0, 1.0, 0.0]])
    >>> ft.grad(lambda ab: linalg.solve_banded((1, 1), ab, np.ones(3)).sum())(ab).round(4) + 0
    array([[ 0.    , -0.0306, -0.0306],
           [-0.0459, -0.0204, -0.0459],
           [-0.0306, -0.0306,  0.    ]])
    """
    below, above = (int(k) for k in l_and_u)
    ab = matrices("solve_banded", ab, check_finite)
    b = inexact("solve_banded", b, check_finite)
    if below + above + 1 != ab.shape[-2]:
        raise LinAlgError(
            f"solve_banded: expected l + u + 1 = {below + above + 1} rows; got shape {ab.shape}, "
            f"at {user_line()}."
        )
    ab, b, restore = right_hand_side("solve_banded", ab, b, ab.shape[-1])
    return restore(
        structured.banded_solve(ab, b, lower=below, upper=above, positive=False, transpose=False)
    )


@mirrors(scipy_linalg.solveh_banded)
def solveh_banded(
    ab: Any,
    b: Any,
    overwrite_ab: bool = False,
    overwrite_b: bool = False,
    lower: bool = False,
    check_finite: bool = True,
) -> Any:
    """Solve with a Hermitian positive-definite banded matrix, half of whose diagonals are given.

    Each element of ``ab`` (..., u + 1, n) stands for two elements of the matrix, and its
    derivative is that of both.
    """
    ab = matrices("solveh_banded", ab, check_finite)
    b = inexact("solveh_banded", b, check_finite)
    width = ab.shape[-2] - 1
    ab, b, restore = right_hand_side("solveh_banded", ab, b, ab.shape[-1])
    return restore(
        structured.banded_solve(
            bands.full_band(ab, bool(lower)),
            b,
            lower=width,
            upper=width,
            positive=True,
            transpose=False,
        )
    )


def _column_and_row(name: str, c_or_cr: Any, check_finite: bool) -> tuple[Any, Any]:
    c, r = c_or_cr if isinstance(c_or_cr, tuple) else (c_or_cr, None)
    c = vectors(name, c, check_finite)
    return c, p.conjugated(c) if r is None else vectors(name, r, check_finite)


@mirrors(scipy_linalg.solve_toeplitz)
def solve_toeplitz(c_or_cr: Any, b: Any, check_finite: bool = True) -> Any:
    """Solve with the Toeplitz matrix of a first column ``c``, or ``(c, r)`` with a first row.

    By Levinson's recursion in O(n^2), as are the solves of the derivative. Without ``r`` the row
    is the conjugate of the column; ``r[0]`` is not read.

    Examples
    --------
    >>> import numpy as np, functorch_like as ft
    >>> from functorch_like.scipy import linalg
    >>> ft.grad(lambda c: linalg.solve_toeplitz(c, np.ones(2)).sum())(np.array([3.0, 1.0]))
    array([-0.125, -0.125])
    """
    c, r = _column_and_row("solve_toeplitz", c_or_cr, check_finite)
    b = inexact("solve_toeplitz", b, check_finite)
    if c.shape[-1] != r.shape[-1]:
        raise LinAlgError(
            f"solve_toeplitz: expected a square matrix; got a column {c.shape} and a row {r.shape},"
            f" at {user_line()}."
        )
    n = c.shape[-1]
    c, r = stack_together("solve_toeplitz", double(c), double(r), cores=(1, 1))
    values = bands.toeplitz_values(c, r)[..., None, :]
    values, b, restore = right_hand_side("solve_toeplitz", values, b, n)
    return restore(structured.toeplitz_solve(values, b, transpose=False))


@mirrors(scipy_linalg.matmul_toeplitz)
def matmul_toeplitz(c_or_cr: Any, x: Any, check_finite: bool = False, workers: Any = None) -> Any:
    """Product of a Toeplitz matrix and ``x`` (n,) or (..., n, k), by the fast Fourier transform.

    ``workers`` is ignored on traced arrays.

    Examples
    --------
    >>> import numpy as np, functorch_like as ft
    >>> from functorch_like.scipy import linalg
    >>> ft.grad(lambda c: linalg.matmul_toeplitz(c, np.ones(3)).sum())(np.ones(3))
    array([3., 4., 2.])
    """
    c, r = _column_and_row("matmul_toeplitz", c_or_cr, check_finite)
    x = inexact("matmul_toeplitz", x, check_finite)
    c, r = stack_together("matmul_toeplitz", double(c), double(r), cores=(1, 1))
    rows, columns = c.shape[-1], r.shape[-1]
    circle = np.concatenate((c, r[..., :0:-1]), axis=-1)[..., None]
    circle, x, restore = right_hand_side("matmul_toeplitz", circle, x, columns)
    size = rows + columns - 1
    if dtype_of(circle).kind == "c":
        product: Any = np.fft.ifft(
            np.fft.fft(circle, axis=-2) * np.fft.fft(x, size, axis=-2), axis=-2
        )
    else:
        spectrum = np.fft.rfft(circle, axis=-2) * np.fft.rfft(x, size, axis=-2)
        product = np.fft.irfft(spectrum, size, axis=-2)
    return restore(product[..., :rows, :])


@mirrors(scipy_linalg.solve_circulant)
def solve_circulant(
    c: Any,
    b: Any,
    singular: str = "raise",
    tol: Any = None,
    caxis: int = -1,
    baxis: int = 0,
    outaxis: int = 0,
) -> Any:
    """Solve with the circulant matrix of first column ``c``: a division of Fourier transforms.

    With ``singular='lstsq'`` the frequencies at which the transform of ``c`` is at most ``tol``
    are left out, and which they are is held constant. ``'raise'`` can raise only where values are
    known; under vmap and jit a singular matrix then gives infinities.
    """
    if singular not in ("raise", "lstsq"):
        raise ValueError(f"solve_circulant: singular must be 'raise' or 'lstsq'; got {singular!r}.")
    c, b = vectors("solve_circulant", c), vectors("solve_circulant", b)
    if c.shape[caxis] != b.shape[baxis]:
        raise LinAlgError(
            f"solve_circulant: expected as many elements along caxis {caxis} of c as along baxis "
            f"{baxis} of b; got shapes {c.shape} and {b.shape}, at {user_line()}."
        )
    is_complex = "c" in (dtype_of(c).kind, dtype_of(b).kind)
    fc = np.fft.fft(np.moveaxis(c, caxis, -1), axis=-1)
    fb = np.fft.fft(np.moveaxis(b, baxis, -1), axis=-1)
    size = np.abs(stop_gradient(fc))
    if tol is None:
        tol = np.max(size, axis=-1, keepdims=True) * c.shape[caxis] * np.finfo(np.float64).eps
    zero = size <= tol
    known = value_of(zero)
    if singular == "raise":
        if known is not None and np.any(known):
            raise LinAlgError(
                f"solve_circulant: near singular circulant matrix of shape {c.shape}, at "
                f"{user_line()}; singular='lstsq' gives the least-squares solution."
            )
        q = fb / fc
    else:
        q = np.where(zero, 0, fb / np.where(zero, 1, fc))
    x: Any = np.fft.ifft(q, axis=-1)
    x = x if is_complex else x.real
    return np.moveaxis(x, -1, outaxis)


@mirrors(scipy_linalg.inv)
def inv(
    a: Any,
    overwrite_a: bool = False,
    check_finite: bool = True,
    *,
    assume_a: Any = None,
    lower: bool = False,
) -> Any:
    """Inverse of square matrices; d inv(a) = -inv(a) da inv(a).

    ``assume_a`` as for ``solve``.

    Examples
    --------
    >>> import numpy as np, functorch_like as ft
    >>> from functorch_like.scipy import linalg
    >>> ft.grad(lambda a: np.trace(linalg.inv(a)))(np.diag([1.0, 2.0])) + 0.0
    array([[-1.  ,  0.  ],
           [ 0.  , -0.25]])
    """
    kind = _structure("inv", assume_a)
    a = squares("inv", a, check_finite)
    if kind == "general":
        return p.inverse(a)
    n = a.shape[-1]
    eye = np.broadcast_to(np.eye(n, dtype=dtype_of(a)), a.shape)
    return _solve_structured(a, eye, kind, bool(lower), False)


@mirrors(scipy_linalg.det)
def det(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """Compute determinants, in double precision; the derivative exists at singular matrices too.

    Examples
    --------
    >>> import numpy as np, functorch_like as ft
    >>> from functorch_like.scipy import linalg
    >>> ft.grad(linalg.det)(np.array([[1.0, 2.0], [2.0, 4.0]]))
    array([[ 4., -2.],
           [-2.,  1.]])
    """
    return p.determinant(double(squares("det", a, check_finite)))
