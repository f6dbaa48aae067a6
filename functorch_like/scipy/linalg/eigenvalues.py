"""Eigenvalue problems of ``scipy.linalg``: general, Hermitian, banded, tridiagonal, of pairs.

The derivatives are those of ``primitives.linalg`` (Giles 2008): terms 1/(w_i - w_j) of exactly
equal values are 0, which is right for what does not depend on the choice of vectors within their
common space. Where a selection is made by value, how many eigenvalues it holds is held constant
and must be known: vmap and jit are refused.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg as scipy_linalg

from ...errors import user_line
from ...primitives import eigenproblems as q
from ...primitives import linalg as p
from ...primitives.core import dtype_of
from ...primitives.structural import convert
from . import bands
from .operands import (
    LinAlgError,
    matrices,
    mirrored,
    mirrors,
    same_shape,
    squares,
    stack_together,
    unify,
    value_of,
    vectors,
)

__all__ = [
    "cdf2rdf",
    "eig",
    "eig_banded",
    "eigh",
    "eigh_tridiagonal",
    "eigvals",
    "eigvals_banded",
    "eigvalsh",
    "eigvalsh_tridiagonal",
]

Subset = tuple[int, int] | None

# --- general matrices ------------------------------------------------------------------------


def _real_if_known(w: Any, a: Any, *vs: Any) -> tuple[Any, ...]:
    """Vectors as SciPy returns them: real where a is real and all values are known to be."""
    known = value_of(w)
    is_real = dtype_of(a).kind != "c" and known is not None and bool(np.all(known.imag == 0))
    return tuple(np.real(v) if is_real else v for v in vs)


@mirrors(scipy_linalg.eig)
def eig(
    a: Any,
    b: Any = None,
    left: bool = False,
    right: bool = True,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    homogeneous_eigvals: bool = False,
) -> Any:
    """Eigenvalues and vectors of ``a v = w v`` or ``a v = w b v``.

    The vectors have length one. Those of one matrix have a real largest element, which fixes
    their phase; the phase of those of a pair moves as little as it can, and ``b`` must be
    regular. Vectors of a real matrix are real where all eigenvalues are known to be, and always
    complex under vmap and jit. ``homogeneous_eigvals`` is refused on traced arrays.

    Returns
    -------
    w, or (w, vl), (w, vr), (w, vl, vr) as ``left`` and ``right`` say.

    Examples
    --------
    >>> import numpy as np, functorch_like as ft
    >>> from functorch_like.scipy import linalg
    >>> a, b = np.diag([1.0, 2.0]), np.diag([2.0, 1.0])
    >>> ft.grad(lambda b: linalg.eigvals(a, b).real.sum())(b)
    array([[-0.25,  0.  ],
           [ 0.  , -2.  ]])
    """
    if homogeneous_eigvals:
        raise TypeError(
            "eig: homogeneous_eigvals is not supported on traced arrays: only the ratio of the two "
            f"has a derivative, at {user_line()}."
        )
    a = squares("eig", a, check_finite)
    if b is not None:
        b = squares("eig", b, check_finite)
        same_shape("eig", a, b)
        a, b = stack_together("eig", a, b)
        w, vl, vr = q.eig_pair(a, b)
    elif left:
        w, vl, vr = q.eig_both(a)
    else:
        w, vr = p.eig(a)
        vl = vr
    if not (left or right):
        return w
    vl, vr = _real_if_known(w, a, vl, vr)
    return (w, vl, vr) if left and right else (w, vl if left else vr)


@mirrors(scipy_linalg.eigvals)
def eigvals(
    a: Any,
    b: Any = None,
    overwrite_a: bool = False,
    check_finite: bool = True,
    homogeneous_eigvals: bool = False,
) -> Any:
    """Eigenvalues, always complex; dw = diag(inv(v) da v)."""
    return eig(
        a, b, right=False, check_finite=check_finite, homogeneous_eigvals=homogeneous_eigvals
    )


# --- Hermitian matrices ----------------------------------------------------------------------


def _by_value(name: str, a: Any, low: Any, high: Any) -> tuple[int, int]:
    """Which eigenvalues of a lie in (low, high]; the first and the last index."""
    w = value_of(p.eigvalsh(a, uplo="L"))
    if w is None or w.ndim != 1:
        raise TypeError(
            f"{name}: how many eigenvalues lie between two values is not known under vmap and jit, "
            f"at {user_line()}; select them by index."
        )
    chosen = np.flatnonzero((w > low) & (w <= high))
    if not len(chosen):
        raise LinAlgError(f"{name}: no eigenvalue lies in ({low}, {high}], at {user_line()}.")
    return int(chosen[0]), int(chosen[-1])


def _checked_subset(name: str, subset: Any, n: int) -> tuple[int, int]:
    start, stop = (int(k) for k in subset)
    if not 0 <= start <= stop < n:
        raise ValueError(
            f"{name}: expected indices 0 <= start <= stop <= {n - 1}; got {start} and {stop}, at "
            f"{user_line()}."
        )
    return start, stop


def _hermitian(
    a: Any, solver: str, subset: Subset, values_only: bool, lower: bool = True, width: int = 0
) -> Any:
    if values_only:
        w = p.eigvalsh(a, uplo="L")
        return w if subset is None else w[..., subset[0] : subset[1] + 1]
    return q.hermitian_eigen(a, solver=solver, lower=lower, subset=subset, width=width)


DRIVERS = {"ev": "ev", "evd": "evd", "evr": "evr", "evx": "evx"}
DRIVERS_OF_PAIRS = {"gv": "ev", "gvd": "evd", "gvx": "evx"}


def _driver(driver: Any, pair: bool, subset: Subset) -> str:
    if driver is None:
        return "evr" if not pair else "evx" if subset else "evd"
    known = DRIVERS_OF_PAIRS if pair else DRIVERS
    if driver not in known:
        raise ValueError(
            f"eigh: driver {driver!r} is unknown or not for this problem, at {user_line()}; "
            f"expected None or one of {', '.join(map(repr, known))}."
        )
    if subset and driver in ("ev", "evd", "gv", "gvd"):
        raise ValueError(f"eigh: {driver!r} cannot compute subsets of eigenvalues.")
    return known[driver]


@mirrors(scipy_linalg.eigh)
def eigh(
    a: Any,
    b: Any = None,
    *,
    lower: bool = True,
    eigvals_only: bool = False,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    type: int = 1,
    check_finite: bool = True,
    subset_by_index: Any = None,
    subset_by_value: Any = None,
    driver: Any = None,
) -> Any:
    """Eigenvalues and vectors of Hermitian matrices, or of a pair with positive-definite ``b``.

    ``type`` 1: a v = w b v; 2: a b v = w v; 3: b a v = w v. A pair is brought to one matrix by
    the Cholesky factor of b, through which its derivative goes. One triangle is read; the
    derivative is that in Hermitian matrices. Complex vectors have a free phase and move as little
    as they can.

    Examples
    --------
    >>> import numpy as np, functorch_like as ft
    >>> from functorch_like.scipy import linalg
    >>> a, b = np.diag([1.0, 3.0]), np.diag([2.0, 1.0])
    >>> w = lambda b: linalg.eigh(a, b, eigvals_only=True, subset_by_index=(0, 0))[0]
    >>> ft.grad(w)(b).round(12) + 0.0
    array([[-0.25,  0.  ],
           [ 0.  ,  0.  ]])
    """
    if subset_by_index is not None and subset_by_value is not None:
        raise ValueError("eigh: either index or value subset can be requested.")
    a = squares("eigh", a, check_finite)
    if b is not None:
        b = squares("eigh", b, check_finite)
        same_shape("eigh", a, b)
        if type not in (1, 2, 3):
            raise ValueError(f"eigh: expected type 1, 2 or 3; got {type!r}.")
        a, b = stack_together("eigh", a, b)
    a = mirrored(a, bool(lower))
    factor: Any = None
    if b is not None:
        # With b = l l^H: inv(l) a inv(l)^H for type 1, l^H a l for 2 and 3.
        factor = p.cholesky(mirrored(b, bool(lower)), upper=False)
        if type == 1:
            half = _divided(factor, a)
            a = _divided(factor, p.adjoint(half))
        else:
            a = p.matmul(p.adjoint(factor), p.matmul(a, factor))
        a = 0.5 * (a + p.adjoint(a))
    subset: Subset = None
    if subset_by_index is not None:
        subset = _checked_subset("eigh", subset_by_index, a.shape[-1])
    elif subset_by_value is not None:
        subset = _by_value("eigh", a, *subset_by_value)
    solver = _driver(driver, b is not None, subset)
    made = _hermitian(a, solver, subset, bool(eigvals_only), bool(lower))
    if eigvals_only or b is None:
        return made
    w, v = made
    if type == 3:
        return w, p.matmul(factor, v)
    back = p.triangular_solve(
        p.conjugated(factor), v, lower=True, unit_diagonal=False, transpose=True
    )
    return w, back


def _divided(factor: Any, a: Any) -> Any:
    return p.triangular_solve(factor, a, lower=True, unit_diagonal=False, transpose=False)


@mirrors(scipy_linalg.eigvalsh)
def eigvalsh(
    a: Any,
    b: Any = None,
    *,
    lower: bool = True,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    type: int = 1,
    check_finite: bool = True,
    subset_by_index: Any = None,
    subset_by_value: Any = None,
    driver: Any = None,
) -> Any:
    """Eigenvalues alone of ``eigh``; dw = diag(v^H (da - w db) v) for type 1."""
    return eigh(
        a,
        b,
        lower=lower,
        eigvals_only=True,
        type=type,
        check_finite=check_finite,
        subset_by_index=subset_by_index,
        subset_by_value=subset_by_value,
        driver=driver,
    )


def _selected(name: str, a: Any, select: Any, select_range: Any) -> Subset:
    kind = {0: "a", 1: "v", 2: "i", "all": "a", "value": "v", "index": "i"}.get(select, select)
    if kind not in ("a", "v", "i"):
        raise ValueError(f"{name}: invalid argument for select: {select!r}.")
    if kind == "a":
        return None
    if select_range is None or len(select_range) != 2:
        raise ValueError(f"{name}: select_range must be a 2-element array-like.")
    if kind == "i":
        return _checked_subset(name, select_range, a.shape[-1])
    return _by_value(name, a, *select_range)


@mirrors(scipy_linalg.eigh_tridiagonal)
def eigh_tridiagonal(
    d: Any,
    e: Any,
    eigvals_only: bool = False,
    select: Any = "a",
    select_range: Any = None,
    check_finite: bool = True,
    tol: float = 0.0,
    lapack_driver: str = "auto",
) -> Any:
    """Eigenvalues and vectors of a real symmetric tridiagonal matrix.

    ``d`` (..., n) is its diagonal and ``e`` (..., n - 1) the one beside it, each element of which
    stands for two of the matrix. Only the elements of the vectors on these diagonals enter the
    gradient: dw/dd_i = v_i^2, dw/de_i = 2 v_i v_{i + 1}.

    Examples
    --------
    >>> import numpy as np, functorch_like as ft
    >>> from functorch_like.scipy import linalg
    >>> d, e = np.zeros(2), np.ones(1)
    >>> ft.grad(lambda e: linalg.eigh_tridiagonal(d, e)[0][1])(e)
    array([1.])
    """
    d, e = (vectors("eigh_tridiagonal", x, check_finite) for x in (d, e))
    if "c" in (dtype_of(d).kind, dtype_of(e).kind):
        raise TypeError(f"eigh_tridiagonal: only real arrays are supported, at {user_line()}.")
    if d.shape[-1] != e.shape[-1] + 1:
        raise LinAlgError(
            f"eigh_tridiagonal: expected one more element in d than in e; got shapes {d.shape} and "
            f"{e.shape}, at {user_line()}."
        )
    if lapack_driver not in ("auto", "stemr", "sterf", "stebz", "stev", "stevd"):
        raise ValueError(f"eigh_tridiagonal: unknown lapack_driver {lapack_driver!r}.")
    d, e = stack_together("eigh_tridiagonal", d, e, cores=(1, 1))
    n = d.shape[-1]
    beside = np.concatenate((e, np.zeros((*e.shape[:-1], 1), dtype_of(e))), axis=-1)
    below = np.eye(n, k=-1, dtype=dtype_of(d)) * beside[..., None, :]
    a = np.eye(n, dtype=dtype_of(d)) * d[..., None] + below + p.transposed(below)
    subset = _selected("eigh_tridiagonal", a, select, select_range)
    if lapack_driver == "auto":
        lapack_driver = "stevd" if subset is None else "stebz"
    return _hermitian(a, f"tridiagonal-{lapack_driver}", subset, bool(eigvals_only))


@mirrors(scipy_linalg.eigvalsh_tridiagonal)
def eigvalsh_tridiagonal(
    d: Any,
    e: Any,
    select: Any = "a",
    select_range: Any = None,
    check_finite: bool = True,
    tol: float = 0.0,
    lapack_driver: str = "auto",
) -> Any:
    """Eigenvalues alone of ``eigh_tridiagonal``."""
    return eigh_tridiagonal(
        d,
        e,
        eigvals_only=True,
        select=select,
        select_range=select_range,
        check_finite=check_finite,
        tol=tol,
        lapack_driver=lapack_driver,
    )


@mirrors(scipy_linalg.eig_banded)
def eig_banded(
    a_band: Any,
    lower: bool = False,
    eigvals_only: bool = False,
    overwrite_a_band: bool = False,
    select: Any = "a",
    select_range: Any = None,
    max_ev: int = 0,
    check_finite: bool = True,
) -> Any:
    """Eigenvalues and vectors of a Hermitian banded matrix, half of whose diagonals are given.

    Each element of ``a_band`` (..., u + 1, n) beside the diagonal stands for two of the matrix.
    """
    band = matrices("eig_banded", a_band, check_finite)
    a = bands.hermitian_of_band(band, bool(lower))
    subset = _selected("eig_banded", a, select, select_range)
    width = band.shape[-2] - 1
    return _hermitian(a, "banded", subset, bool(eigvals_only), bool(lower), width)


@mirrors(scipy_linalg.eigvals_banded)
def eigvals_banded(
    a_band: Any,
    lower: bool = False,
    overwrite_a_band: bool = False,
    select: Any = "a",
    select_range: Any = None,
    check_finite: bool = True,
) -> Any:
    """Eigenvalues alone of ``eig_banded``."""
    return eig_banded(
        a_band,
        lower=lower,
        eigvals_only=True,
        select=select,
        select_range=select_range,
        check_finite=check_finite,
    )


@mirrors(scipy_linalg.cdf2rdf)
def cdf2rdf(w: Any, v: Any) -> tuple[Any, Any]:
    """Real block form of complex eigenvalues and vectors that come in conjugate pairs.

    Which eigenvalues are complex must be known: vmap and jit are refused.

    Returns
    -------
    (wr, vr), with wr (..., n, n) block diagonal and ``a @ vr = vr @ wr``.
    """
    w, v = unify(vectors("cdf2rdf", w), squares("cdf2rdf", v))
    known = value_of(w)
    if known is None or known.ndim != 1:
        raise TypeError(
            "cdf2rdf: which eigenvalues are complex is not known of a stack or under vmap and jit, "
            f"at {user_line()}; call it for one matrix outside of them."
        )
    n = len(known)
    at = np.flatnonzero(np.iscomplex(known))
    first, second = at[0::2], at[1::2]
    if len(at) % 2 or not np.allclose(known[first], np.conj(known[second])):
        raise ValueError(f"cdf2rdf: expected eigenvalues in conjugate pairs, at {user_line()}.")
    turn = np.eye(n, dtype=np.complex128)
    turn[first, first], turn[first, second] = 0.5j, 0.5
    turn[second, first], turn[second, second] = -0.5j, 0.5
    above, below = np.zeros((2, n, n), np.empty(0, dtype_of(w)).real.dtype)
    above[first, second] = below[second, first] = 1
    dtype = np.result_type(dtype_of(w), np.complex64)
    w = convert(w, dtype=dtype)
    imaginary = np.imag(w)
    eye = np.eye(n, dtype=dtype_of(imaginary))
    made = eye * np.real(w) + above * imaginary[:, None] + below * imaginary[:, None]
    return made, np.real(p.matmul(convert(v, dtype=turn.dtype), turn))
