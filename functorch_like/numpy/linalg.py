"""``numpy.linalg`` on traced arrays.

Values are NumPy's, derivatives those of ``primitives.linalg``; see there for what is taken
where a derivative does not exist. Two results of NumPy depend on values in their type, which
under ``vmap`` and ``jit`` they cannot: ``eig`` and ``eigvals`` of a real matrix are then
always complex, and the residuals of ``lstsq`` are then given as for a matrix of full rank.
"""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from ..errors import user_line
from ..primitives import elementwise as e
from ..primitives import linalg as p
from ..primitives.contraction import contract
from ..primitives.core import Tracer, beside, dtype_of, shape_of
from ..primitives.reduction import reduce_sum
from ..primitives.structural import conjugate as conjugate_primitive
from ..primitives.structural import imag as imag_primitive
from ..primitives.structural import real as real_primitive
from .creation import array
from .dispatch import FUNCTIONS, implements
from .elementwise import absolute, as_operand, real
from .manipulation import (
    astype,
    broadcast_to,
    matrix_transpose,
    moveaxis,
    normalize_axes,
    ravel,
    reshape,
    transpose,
)
from .products import matmul
from .reductions import any_, max_, min_, sum_

__all__: list[str] = []

LinAlgError = np.linalg.LinAlgError

# NumPy keeps the named tuples it returns in a private module.
EigResult: Any = type(np.linalg.eig(np.eye(1)))
EighResult: Any = type(np.linalg.eigh(np.eye(1)))
QRResult: Any = type(np.linalg.qr(np.eye(1)))
SlogdetResult: Any = type(np.linalg.slogdet(np.eye(1)))
SVDResult: Any = type(np.linalg.svd(np.eye(1)))

FUNCTIONS.setdefault(np.linalg.matrix_transpose, matrix_transpose)


# --- operands ------------------------------------------------------------------------------


def _inexact(x: Any) -> Any:
    """Make an operand an array or tracer of a floating or complex dtype."""
    x = as_operand(x)
    if not isinstance(x, Tracer):
        x = np.asarray(x)
    return x if dtype_of(x).kind in "fc" else astype(x, np.dtype(np.float64))


def _matrices(name: str, a: Any) -> Any:
    a = _inexact(a)
    if len(a.shape) < 2:
        raise LinAlgError(
            f"np.linalg.{name}: expected a matrix, or a stack of them; got shape {a.shape}."
        )
    return a


def _square(name: str, a: Any) -> Any:
    a = _matrices(name, a)
    if a.shape[-1] != a.shape[-2]:
        raise LinAlgError(f"np.linalg.{name}: expected square matrices; got shape {a.shape}.")
    return a


def _unify(*arrays: Any) -> tuple[Any, ...]:
    dtype = np.result_type(*map(dtype_of, arrays))
    return tuple(x if dtype_of(x) == dtype else astype(x, dtype) for x in arrays)


def _uplo(name: str, uplo: str) -> str:
    made = uplo.upper()
    if made not in ("L", "U"):
        raise ValueError(f"np.linalg.{name}: UPLO must be 'L' or 'U'; got {uplo!r}.")
    return made


def _value(x: Any) -> Any:
    """Return the value of an array, or None where it is traced and has none."""
    return x.concrete() if isinstance(x, Tracer) else x


# --- solutions -----------------------------------------------------------------------------


@implements(np.linalg.solve)
def solve(a: Any, b: Any) -> Any:
    """Solve ``a x = b``; ``b`` is one vector if it has one axis, else a stack of matrices."""
    a, b = _unify(_square("solve", a), _inexact(b))
    vector = len(b.shape) == 1
    right = reshape(b, (*b.shape, 1)) if vector else b
    if len(right.shape) < 2 or right.shape[-2] != a.shape[-1]:
        raise ValueError(
            f"np.linalg.solve: expected a right-hand side with {a.shape[-1]} rows; got shapes "
            f"{a.shape} and {b.shape}; a stack of vectors is b[..., None]."
        )
    lead = np.broadcast_shapes(a.shape[:-2], right.shape[:-2])
    a = broadcast_to(a, (*lead, *a.shape[-2:]))
    right = broadcast_to(right, (*lead, *right.shape[-2:]))
    x = p.solve(a, right)
    return reshape(x, x.shape[:-1]) if vector else x


@implements(np.linalg.inv)
def inv(a: Any) -> Any:
    """Inverse of matrices."""
    return p.inverse(_square("inv", a))


@implements(np.linalg.pinv)
def pinv(a: Any, rcond: Any = None, hermitian: bool = False, *, rtol: Any = np._NoValue) -> Any:
    """Moore-Penrose inverse; its derivative is that at constant rank."""
    a = _square("pinv", a) if hermitian else _matrices("pinv", a)
    if rcond is None:
        if rtol is np._NoValue:
            rcond = 1e-15
        elif rtol is None:
            rcond = max(a.shape[-2:]) * float(np.finfo(a.dtype).eps)
        else:
            rcond = rtol
    elif rtol is not np._NoValue:
        raise ValueError("np.linalg.pinv: `rtol` and `rcond` can't be both set.")
    cutoff = _inexact(rcond)
    if not hasattr(rcond, "dtype"):
        cutoff = beside(a, cutoff)
    cutoff = broadcast_to(cutoff, a.shape[:-2])
    return p.pseudo_inverse(a, cutoff, hermitian=bool(hermitian))


@implements(np.linalg.lstsq)
def lstsq(a: Any, b: Any, rcond: Any = None) -> tuple[Any, Any, Any, Any]:
    """Least squares; the derivative of the solution is that at constant rank."""
    a, b = _unify(_matrices("lstsq", a), _inexact(b))
    vector = len(b.shape) == 1
    right = reshape(b, (*b.shape, 1)) if vector else b
    for x, what in ((a, "a"), (right, "b")):
        if len(x.shape) != 2:
            raise LinAlgError(
                f"np.linalg.lstsq: expected {what} with two dimensions; got shape {x.shape}; "
                "use vmap for a stack."
            )
    (m, n), count = a.shape, right.shape[1]
    if right.shape[0] != m:
        raise LinAlgError(
            f"np.linalg.lstsq: expected as many rows in b as in a; got {a.shape}, {b.shape}."
        )
    eps = float(np.finfo(a.dtype).eps)
    cutoff = eps * max(m, n) if rcond is None else eps if rcond == -1 else float(rcond)
    x = p.least_squares(a, right, rcond=cutoff)
    s = p.svdvals(a)
    rank: Any = 0
    if min(m, n):
        rank = sum_(e.greater(s, e.multiply(s[0], cutoff)))
    known = _value(rank)
    rank = rank if known is None else int(known)
    residuals: Any = np.empty(0, s.dtype)
    if m > n and (known is None or rank == n):
        residuals = sum_(_squared_size(e.subtract(right, matmul(a, x))), 0)
    elif m <= n or count == 0:
        residuals = np.empty(0, s.dtype)
    return (reshape(x, (n,)) if vector else x), residuals, rank, s


@implements(np.linalg.matrix_power)
def matrix_power(a: Any, n: int) -> Any:
    """Integer power of square matrices; a negative one is a power of the inverse."""
    a = as_operand(a)
    if dtype_of(a).kind not in "iub" or n < 0:
        a = _square("matrix_power", a)
    n = operator.index(n)
    if n == 0:
        eye = np.eye(a.shape[-1], dtype=a.dtype)
        return e.add(e.multiply(a, 0), eye) if isinstance(a, Tracer) else eye
    if n < 0:
        a, n = inv(a), -n
    if n == 3:
        return matmul(matmul(a, a), a)
    squared = result = None
    while n > 0:
        squared = a if squared is None else matmul(squared, squared)
        n, bit = divmod(n, 2)
        if bit:
            result = squared if result is None else matmul(result, squared)
    return result


@implements(np.linalg.tensorinv)
def tensorinv(a: Any, ind: int = 2) -> Any:
    """Inverse of a tensor with respect to ``tensordot`` over ``ind`` axes."""
    a = _inexact(a)
    if ind <= 0:
        raise ValueError("np.linalg.tensorinv: expected a positive ind.")
    rows, columns = a.shape[:ind], a.shape[ind:]
    return reshape(inv(reshape(a, (math.prod(rows), math.prod(columns)))), columns + rows)


@implements(np.linalg.tensorsolve)
def tensorsolve(a: Any, b: Any, axes: Any = None) -> Any:
    """Solve ``tensordot(a, x, x.ndim) = b`` for ``x``."""
    a, b = _inexact(a), _inexact(b)
    ndim = len(a.shape)
    if axes is not None:
        last = [k % ndim for k in axes]
        a = transpose(a, [k for k in range(ndim) if k not in last] + last)
    shape = a.shape[-(ndim - len(b.shape)) :] if ndim > len(b.shape) else ()
    size = math.prod(shape)
    if math.prod(a.shape) != size**2:
        raise LinAlgError(
            "np.linalg.tensorsolve: expected prod(a.shape[b.ndim:]) == prod(a.shape[:b.ndim]); "
            f"got shapes {a.shape} and {b.shape}."
        )
    return reshape(solve(reshape(a, (size, size)), ravel(b)), shape)


# --- determinants --------------------------------------------------------------------------


@implements(np.linalg.det)
def det(a: Any) -> Any:
    """Compute determinants; the derivative exists at singular matrices too."""
    return p.determinant(_square("det", a))


@implements(np.linalg.slogdet)
def slogdet(a: Any) -> Any:
    """Sign (or phase) and logarithm of the determinant."""
    return SlogdetResult(*p.slogdet(_square("slogdet", a)))


# --- factorisations ------------------------------------------------------------------------


@implements(np.linalg.cholesky)
def cholesky(a: Any, /, *, upper: bool = False) -> Any:
    """Cholesky factor of Hermitian positive-definite matrices."""
    return p.cholesky(_square("cholesky", a), upper=bool(upper))


@implements(np.linalg.qr)
def qr(a: Any, mode: str = "reduced") -> Any:
    """QR factorisation, in the modes 'reduced', 'complete' and 'r'."""
    a = _matrices("qr", a)
    if mode not in ("reduced", "complete", "r"):
        raise ValueError(
            f"np.linalg.qr: expected mode 'reduced', 'complete' or 'r' for a traced array; got "
            f"{mode!r}, at {user_line()}."
        )
    q, r = p.qr(a, complete=mode == "complete")
    return r if mode == "r" else QRResult(q, r)


@implements(np.linalg.svd)
def svd(
    a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False
) -> Any:
    """Singular value decomposition ``a = u diag(s) vh``."""
    if hermitian:
        return _svd_of_hermitian(_square("svd", a), compute_uv)
    a = _matrices("svd", a)
    if not compute_uv:
        return p.svdvals(a)
    return SVDResult(*p.svd(a, full_matrices=bool(full_matrices)))


def _svd_of_hermitian(a: Any, compute_uv: bool) -> Any:
    if not compute_uv:
        values = absolute(p.eigvalsh(a, uplo="L"))
        return np.sort(values)[..., ::-1]
    w, v = p.eigh(a, uplo="L")
    order = np.argsort(absolute(w))[..., ::-1]
    w = np.take_along_axis(w, order, -1)
    v = np.take_along_axis(v, order[..., None, :], -1)
    vh = p.conjugated(matrix_transpose(e.multiply(v, e.sign(w)[..., None, :])))
    return SVDResult(v, absolute(w), vh)


@implements(np.linalg.svdvals)
def svdvals(x: Any, /) -> Any:
    """Singular values."""
    return p.svdvals(_matrices("svdvals", x))


# --- eigenvalues ---------------------------------------------------------------------------


@implements(np.linalg.eigh)
def eigh(a: Any, UPLO: str = "L") -> Any:  # noqa: N803  (NumPy's name)
    """Eigenvalues and eigenvectors of Hermitian matrices."""
    return EighResult(*p.eigh(_square("eigh", a), uplo=_uplo("eigh", UPLO)))


@implements(np.linalg.eigvalsh)
def eigvalsh(a: Any, UPLO: str = "L") -> Any:  # noqa: N803
    """Eigenvalues of Hermitian matrices."""
    return p.eigvalsh(_square("eigvalsh", a), uplo=_uplo("eigvalsh", UPLO))


@implements(np.linalg.eig)
def eig(a: Any) -> Any:
    """Eigenvalues and eigenvectors of square matrices."""
    a = _square("eig", a)
    w, v = p.eig(a)
    if _are_real(a, w):
        return EigResult(real(w), real(v))
    return EigResult(w, v)


@implements(np.linalg.eigvals)
def eigvals(a: Any) -> Any:
    """Eigenvalues of square matrices."""
    # Not a LAPACK call of its own: that may return them in another order than the vectors.
    return eig(a)[0]


def _are_real(a: Any, w: Any) -> bool:
    value = _value(w)
    return dtype_of(a).kind != "c" and value is not None and bool(np.all(value.imag == 0.0))


# --- norms ---------------------------------------------------------------------------------


def _squared_size(x: Any) -> Any:
    if dtype_of(x).kind == "c":
        return real_primitive(e.multiply(conjugate_primitive(x), x))
    return e.multiply(x, x)


def _dot(x: Any) -> Any:
    return contract(x, x, subscripts=("i", "i", ""))


@implements(np.linalg.norm)
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """Matrix or vector norm; the gradient of every norm at zero is zero."""
    x = _inexact(x)
    ndim = len(x.shape)
    if axis is None:
        plain = ord is None or (ord in ("f", "fro") and ndim == 2) or (ord == 2 and ndim == 1)
        if plain:
            flat = ravel(x)
            if dtype_of(flat).kind == "c":
                squares = e.add(_dot(real_primitive(flat)), _dot(imag_primitive(flat)))
            else:
                squares = _dot(flat)
            length = e.root_of_square_sum(squares)
            return reshape(length, (1,) * ndim) if keepdims else length
        axis = tuple(range(ndim))
    axes = normalize_axes(axis if isinstance(axis, tuple) else (operator.index(axis),), ndim)
    if len(axes) == 1:
        return _vector_norm(x, ord, axes, keepdims)
    if len(axes) == 2:
        return _matrix_norm(x, ord, axes, keepdims)
    raise ValueError("Improper number of dimensions to norm.")


def _vector_norm(x: Any, ord: Any, axes: tuple[int, ...], keepdims: Any) -> Any:
    keepdims = bool(keepdims)
    if isinstance(ord, str):
        raise ValueError(f"Invalid norm order '{ord}' for vectors")
    if ord is None or ord == 2:
        return e.root_of_square_sum(sum_(_squared_size(x), axes, keepdims=keepdims))
    if ord == 0:
        kept = astype(e.not_equal(x, 0), real(np.empty(0, dtype_of(x))).dtype)
        return sum_(kept, axes, keepdims=keepdims)
    size = absolute(x)
    if ord == math.inf:
        if 0 in x.shape:
            return max_(size, axes, keepdims=keepdims, initial=0)
        return max_(size, axes, keepdims=keepdims)
    if ord == -math.inf:
        return min_(size, axes, keepdims=keepdims)
    if ord == 1:
        return sum_(size, axes, keepdims=keepdims)
    order = float(ord)
    # Zeros are masked before the powers, whose derivatives are infinite there.
    total = sum_(_masked_power(size, order), axes, keepdims=keepdims)
    found = _masked_power(total, 1.0 / order)
    if order > 0:
        return found
    return e.select(any_(e.equal(size, 0), axes, keepdims=keepdims), 0, found)


def _masked_power(x: Any, exponent: float) -> Any:
    zero = e.equal(x, 0)
    powered = e.power(e.select(zero, 1, x), exponent)
    return e.select(zero, 0, powered)


def _matrix_norm(x: Any, ord: Any, axes: tuple[int, ...], keepdims: Any) -> Any:
    row, column = axes
    found: Any
    if ord is None or ord in ("fro", "f"):
        found = e.root_of_square_sum(sum_(_squared_size(x), axes))
    elif ord == "nuc" or ord in (2, -2):
        s = p.svdvals(moveaxis(x, axes, (-2, -1)))
        s = e.select(e.equal(s, 0), 0, s)  # which has no slope at 0, as no norm has
        if ord == "nuc":
            found = sum_(s, -1)
        elif ord == 2:
            found = max_(s, -1, initial=0) if s.shape[-1] == 0 else max_(s, -1)
        else:
            found = min_(s, -1)
    elif ord in (1, -1, math.inf, -math.inf):
        summed, other = (row, column) if abs(ord) == 1 else (column, row)
        sums = sum_(absolute(x), summed)
        left = other - (other > summed)
        if ord < 0:
            found = min_(sums, left)
        else:
            found = max_(sums, left, initial=0) if sums.shape[left] == 0 else max_(sums, left)
    else:
        raise ValueError("Invalid norm order for matrices.")
    if not keepdims:
        return found
    return reshape(found, tuple(1 if i in axes else n for i, n in enumerate(x.shape)))


@implements(np.linalg.vector_norm)
def vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    """Vector norm over any number of axes."""
    x = _inexact(x)
    ndim = len(x.shape)
    axes = normalize_axes(axis, ndim)
    if axis is None:
        found = _vector_norm(ravel(x), ord, (0,), False)
    else:
        rest = tuple(i for i in range(ndim) if i not in axes)
        if len(axes) == 1:
            found = _vector_norm(x, ord, axes, False)
        else:
            joined = (math.prod(x.shape[i] for i in axes), *(x.shape[i] for i in rest))
            found = _vector_norm(reshape(transpose(x, axes + rest), joined), ord, (0,), False)
    if not keepdims:
        return found
    return reshape(found, tuple(1 if i in axes else n for i, n in enumerate(x.shape)))


@implements(np.linalg.matrix_norm)
def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    """Matrix norm over the last two axes."""
    x = _matrices("matrix_norm", x)
    ndim = len(x.shape)
    return _matrix_norm(x, ord, (ndim - 2, ndim - 1), keepdims)


@implements(np.linalg.cond)
def cond(x: Any, p: Any = None) -> Any:
    """Condition number."""
    x = _matrices("cond", x)
    if 0 in x.shape[-2:]:
        raise LinAlgError("cond is not defined on empty arrays")
    if p is None or p in (2, -2):
        s = svdvals(x)
        # Equal values share, as in every maximum: at an orthogonal matrix, where the condition
        # number is least, its gradient is zero.
        least, greatest = min_(s, -1), max_(s, -1)
        with np.errstate(all="ignore"):
            ratio = e.divide(least, greatest) if p == -2 else e.divide(greatest, least)
        lost = e.isnan(ratio)
        given = sum_(e.isnan(x), (-2, -1))
        return e.select(e.logical_and(lost, e.equal(given, 0)), math.inf, ratio)
    return e.multiply(norm(x, p, axis=(-2, -1)), norm(inv(x), p, axis=(-2, -1)))


@implements(np.linalg.matrix_rank)
def matrix_rank(A: Any, tol: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Any:  # noqa: N803
    """Count the singular values above a threshold; it has no derivative."""
    if rtol is not None and tol is not None:
        raise ValueError("`tol` and `rtol` can't be both set.")
    a = _inexact(A)
    if len(a.shape) < 2:
        return np.any(e.not_equal(a, 0)) * 1
    s = svd(a, compute_uv=False, hermitian=hermitian)
    if s.shape[-1] == 0:
        return np.zeros(s.shape[:-1], int)
    if tol is None:
        if rtol is None:
            share: Any = max(a.shape[-2:]) * float(np.finfo(s.dtype).eps)
        else:
            share = array(rtol)[..., np.newaxis]
        tol = e.multiply(max_(s, -1, keepdims=True), share)
    else:
        tol = array(tol)[..., np.newaxis]
    return reduce_sum(e.greater(s, tol), axes=(len(shape_of(s)) - 1,))


def __getattr__(name: str) -> Any:  # what asks its arguments already, or takes none
    return getattr(np.linalg, name)


def __dir__() -> list[str]:
    return list(np.linalg.__all__)
