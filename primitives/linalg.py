"""Factorisations, inverses and solutions of matrices; leading axes are a batch.

Each derivative is a jvp written in primitives, so that it exists at every order. The formulas
are those of Giles, "Collected matrix derivative results for forward and reverse mode AD"
(2008); for QR Walter and Lehmann, "Algorithmic differentiation of linear algebra functions"
(2010) and Liao et al., "Differentiable programming tensor networks" (2019); for the SVD
Townsend, "Differentiating the singular value decomposition" (2016) and Wan and Zhang,
"Automatic differentiation for complex valued SVD" (2019); for pseudo-inverses Golub and
Pereyra (1973).

Where a derivative does not exist, what keeps an optimiser running is taken:

* ``eigh``, ``eig``, ``svd``: the terms 1/(x_i - x_j) of values that are exactly equal are 0,
  and so is 1/s of a singular value 0. That is right for what does not depend on the choice of
  vectors within their common space to first order (traces, sums over the space).
* Vectors that are determined up to a phase (complex ``eigh`` and ``svd``) or a rotation (the
  further columns of a complete ``qr`` or a full ``svd``) move as little as they can: right for
  every function that does not depend on that choice. ``eig`` needs no such reading: its
  vectors have length one and a real largest element, as LAPACK makes them.
* ``pseudo_inverse``, ``least_squares``: the rank is held constant.
* ``determinant`` has its gradient and its Hessian at singular matrices too.

``cholesky``, ``eigh`` and ``eigvalsh`` read one triangle, but stand for functions of a
Hermitian matrix: their tangent is made Hermitian first, so that a gradient is a Hermitian
matrix as well.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..kernels.device import is_gpu
from ..kernels.gpu.triangular import triangular_solve as triangular_solve_on_gpu
from .contraction import contract
from .core import General, ShapedArray, beside, dtype_of, shape_of
from .elementwise import (
    add,
    divide,
    equal,
    multiply,
    negative,
    select,
    square,
    subtract,
)
from .reduction import argmax
from .structural import (
    concatenate,
    conjugate,
    convert,
    full_batch,
    imag,
    make_complex,
    move_axis,
    real,
    reshape,
    slice_at,
    transpose,
    zeros_like,
)

__all__ = [
    "cholesky",
    "cofactor",
    "cofactor_derivative",
    "determinant",
    "eig",
    "eigh",
    "eigvalsh",
    "inverse",
    "least_squares",
    "pseudo_inverse",
    "qr",
    "slogdet",
    "solve",
    "svd",
    "svdvals",
    "triangular_solve",
]

LinAlgError = np.linalg.LinAlgError

# --- helpers -------------------------------------------------------------------------------


@functools.lru_cache(maxsize=1024)
def _subscripts(text: str, ndim: int) -> tuple[str, str, str]:
    """``"ij,jk->ik"`` with the labels of the leading axes put in front."""
    inputs, out = text.split("->")
    x, y = inputs.split(",")
    lead = "abcdefghlmnopqrstuvwxyz"[: ndim - len(x)]
    return lead + x, lead + y, lead + out


def product(text: str, x: Any, y: Any) -> Any:
    """An einsum of two operands over trailing axes, with leading axes in common."""
    return contract(x, y, subscripts=_subscripts(text, len(shape_of(x))))


def matmul(a: Any, b: Any) -> Any:
    """Product of two stacks of matrices."""
    return product("ij,jk->ik", a, b)


def scale_columns(a: Any, s: Any) -> Any:
    """``a @ diag(s)``."""
    return product("ij,j->ij", a, s)


def transposed(a: Any) -> Any:
    """The last two axes exchanged."""
    n = len(shape_of(a))
    return transpose(a, axes=(*range(n - 2), n - 1, n - 2))


def conjugated(a: Any) -> Any:
    """The complex conjugate; real operands are themselves."""
    return conjugate(a) if dtype_of(a).kind == "c" else a


def adjoint(a: Any) -> Any:
    """The conjugate transpose."""
    return conjugated(transposed(a))


def real_part(a: Any) -> Any:
    """The real part; real operands are themselves."""
    return real(a) if dtype_of(a).kind == "c" else a


def _hermitian_part(a: Any) -> Any:
    return multiply(add(a, adjoint(a)), 0.5)


def _sum(x: Any, y: Any) -> Any:
    """``x + y``, where None is zero."""
    return y if x is None else x if y is None else add(x, y)


def _rows_and_columns(x: Any) -> tuple[Any, Any]:
    """A vector as a column and as a row."""
    shape = shape_of(x)
    return reshape(x, shape=(*shape, 1)), reshape(x, shape=(*shape[:-1], 1, shape[-1]))


def _reciprocal_or_zero(x: Any) -> Any:
    # Masked before dividing, so that no derivative of any order meets an infinity.
    zero = equal(x, 0)
    return select(zero, 0, divide(1, select(zero, 1, x)))


@functools.lru_cache(maxsize=256)
def _triangle(n: int, kind: str, dtype: np.dtype) -> np.ndarray:
    """Matrix of weights: which elements of an n by n matrix are kept."""
    ones = np.ones((n, n), dtype)
    made = {
        "lower": lambda: np.tril(ones),
        "upper": lambda: np.triu(ones),
        "strictly_lower": lambda: np.tril(ones, -1),
        "strictly_upper": lambda: np.triu(ones, 1),
        "halved_lower": lambda: np.tril(ones, -1) + np.eye(n, dtype=dtype) * 0.5,
        "diagonal": lambda: np.eye(n, dtype=dtype),
    }[kind]()
    made = made.astype(dtype)
    made.flags.writeable = False
    return made


def _real_dtype(dtype: Any) -> np.dtype:
    return np.empty(0, dtype).real.dtype


def _complex_dtype(dtype: Any) -> np.dtype:
    return np.result_type(dtype, np.complex64)


def _masked(a: Any, kind: str, near: Any) -> Any:
    """The elements of square matrices that ``_triangle`` keeps; ``near`` tells the device."""
    mask = _triangle(shape_of(a)[-1], kind, _real_dtype(dtype_of(a)))
    return multiply(a, beside(near, mask))


def _full(size: int, xs: Sequence, batched: Sequence[bool]) -> list[Any]:
    return [full_batch(size, x, b) for x, b in zip(xs, batched, strict=True)]


def _columns(a: Any, start: int, stop: int) -> Any:
    return slice_at(a, index=(Ellipsis, slice(start, stop)))


def _rows(a: Any, start: int, stop: int) -> Any:
    return slice_at(a, index=(Ellipsis, slice(start, stop), slice(None)))


def _batched_solve(primitive: Callable) -> Callable:
    """Batching of ``primitive(a, b)``: right-hand sides that share ``a`` become its columns."""

    def batch(size: int, xs: Sequence, batched: Sequence[bool], **params: Any) -> Any:
        if batched[0]:
            return primitive(*_full(size, xs, batched), **params)
        a, b = xs
        moved = move_axis(b, 0, len(shape_of(b)) - 1)
        shape = shape_of(moved)
        flat = reshape(moved, shape=(*shape[:-2], shape[-2] * shape[-1]))
        x = primitive(a, flat, **params)
        spread = reshape(x, shape=(*shape_of(x)[:-1], *shape[-2:]))
        return move_axis(spread, len(shape_of(spread)) - 1, 0)

    return batch


def _solution_abstract(a: ShapedArray, b: ShapedArray, **params: Any) -> ShapedArray:
    return ShapedArray(b.shape, np.result_type(a.dtype, b.dtype))


def _same_abstract(a: ShapedArray, *rest: ShapedArray, **params: Any) -> ShapedArray:
    return ShapedArray(a.shape, a.dtype)


# --- solutions -----------------------------------------------------------------------------


def _solve_rule(primals: Sequence, tangents: Sequence) -> tuple[Any, Any]:
    # a x = b, so a dx = db - da x
    (a, b), (da, db) = primals, tangents
    x = solve(a, b)
    right = db if da is None else _sum(db, negative(matmul(da, x)))
    return x, solve(a, right)


# ``solve(a, b)``: stacks of matrices ``a`` (n, n) and ``b`` (n, k) of one dtype.
solve: General = General(
    "solve",
    kernel=lambda a, b: np.linalg.solve(a, b),
    abstract=_solution_abstract,
    rule=_solve_rule,
    batch=_batched_solve(lambda a, b: solve(a, b)),
    linear_in=1,
    transpose=lambda ct, operands: solve(transposed(operands[0]), ct),
)


@functools.cache
def _trtrs(dtype: np.dtype) -> Callable:
    """LAPACK's triangular solver; importing SciPy's costs more than the rest of the package."""
    from scipy.linalg import lapack

    prefix = {"f": "s", "d": "d", "F": "c", "D": "z"}.get(dtype.char)
    if prefix is None:
        raise TypeError(f"triangular_solve: array type {dtype} is unsupported in linalg.")
    return getattr(lapack, f"{prefix}trtrs")


def _triangular_solve(
    a: Any, b: Any, lower: bool, unit_diagonal: bool, transpose: bool
) -> np.ndarray:
    if is_gpu(b):
        return triangular_solve_on_gpu(a, b, lower, unit_diagonal, transpose)
    dtype = np.result_type(a, b)
    trtrs = _trtrs(dtype)
    out = np.empty(b.shape, dtype)
    if not out.size:
        return out
    for i in np.ndindex(b.shape[:-2]):
        x, info = trtrs(a[i], b[i], lower=lower, trans=int(transpose), unitdiag=unit_diagonal)
        if info:
            raise LinAlgError(
                f"triangular_solve: singular matrix: element {info - 1} of the diagonal is zero."
            )
        out[i] = x
    return out


def _triangular_solve_rule(
    primals: Sequence, tangents: Sequence, lower: bool, unit_diagonal: bool, transpose: bool
) -> tuple[Any, Any]:
    (a, b), (da, db) = primals, tangents
    params = {"lower": lower, "unit_diagonal": unit_diagonal, "transpose": transpose}
    x = triangular_solve(a, b, **params)
    right = db
    if da is not None:
        # only the elements that are read
        kind = "strictly_" * unit_diagonal + ("lower" if lower else "upper")
        read = _masked(da, kind, a)
        moved = matmul(transposed(read) if transpose else read, x)
        right = _sum(db, negative(moved))
    return x, triangular_solve(a, right, **params)


# ``triangular_solve(a, b)`` reads one triangle of ``a``, or of its transpose (not conjugated).
triangular_solve: General = General(
    "triangular_solve",
    kernel=_triangular_solve,
    abstract=_solution_abstract,
    rule=_triangular_solve_rule,
    batch=_batched_solve(lambda a, b, **params: triangular_solve(a, b, **params)),
    linear_in=1,
    transpose=lambda ct, operands, lower, unit_diagonal, transpose: triangular_solve(
        operands[0], ct, lower=lower, unit_diagonal=unit_diagonal, transpose=not transpose
    ),
)


def _solve_lower(a: Any, b: Any) -> Any:
    return triangular_solve(a, b, lower=True, unit_diagonal=False, transpose=False)


def _inverse_rule(primals: Sequence, tangents: Sequence) -> tuple[Any, Any]:
    (a,), (da,) = primals, tangents
    answer = inverse(a)
    return answer, negative(matmul(answer, matmul(da, answer)))


inverse: General = General(
    "inverse",
    kernel=lambda a: np.linalg.inv(a),
    abstract=_same_abstract,
    rule=_inverse_rule,
    batch=lambda size, xs, batched: inverse(*xs),
)

# --- determinants --------------------------------------------------------------------------


def _determinant_rule(primals: Sequence, tangents: Sequence) -> tuple[Any, Any]:
    (a,), (da,) = primals, tangents
    return determinant(a), product("ij,ij->", cofactor(a), da)


determinant: General = General(
    "determinant",
    kernel=lambda a: np.linalg.det(a),
    abstract=lambda a: ShapedArray(a.shape[:-2], a.dtype),
    rule=_determinant_rule,
    batch=lambda size, xs, batched: determinant(*xs),
)

# The gradient of the determinant is det(a) inv(a)^T, a polynomial in a. Where a is singular it
# and its derivative come from the singular values: a = u diag(s) vh, and the cofactors of a
# diagonal matrix are products of the others of its elements.


def _by_regularity(a: Any, regular: Callable, singular: Callable, *rest: Any) -> Any:
    """Apply one of two functions ``(a, det(a), *rest)`` to each matrix of a stack."""
    with np.errstate(all="ignore"):
        d = np.linalg.det(a)
    bad = d == 0
    if not bad.any():
        return regular(a, d, *rest)
    if bad.ndim == 0:
        return singular(a, *rest)
    out = np.empty_like(a)
    out[~bad] = regular(a[~bad], d[~bad], *(x[~bad] for x in rest))
    out[bad] = singular(a[bad], *(x[bad] for x in rest))
    return out


def _swap(a: Any) -> Any:
    return np.swapaxes(a, -1, -2)


def _singular_frame(a: Any) -> tuple[Any, Any, Any, Any]:
    u, s, vh = np.linalg.svd(a)
    return u, s, vh, (np.linalg.det(u) * np.linalg.det(vh))[..., None, None]


def _singular_cofactor(a: Any) -> Any:
    u, s, vh, scale = _singular_frame(a)
    eye = beside(a, np.eye(s.shape[-1], dtype=bool))
    others = np.where(eye, 1, s[..., None, :]).prod(-1)
    return (scale * np.conj((u * others[..., None, :]) @ vh)).astype(a.dtype)


def _singular_cofactor_derivative(a: Any, e: Any) -> Any:
    u, s, vh, scale = _singular_frame(a)
    f = np.conj(_swap(u)) @ e @ np.conj(_swap(vh))
    eye = beside(a, np.eye(s.shape[-1], dtype=bool))
    left_out = eye[:, None, :] | eye[None, :, :]
    pairs = np.where(left_out, 1, s[..., None, None, :]).prod(-1) * ~eye
    inner = -pairs * _swap(f)
    inner = inner + np.einsum("...ij,...jj->...i", pairs, f)[..., None] * eye
    # scale conj(u) inner vh*: the transpose of the adjugate's derivative
    return (scale * (np.conj(u) @ inner @ np.conj(vh))).astype(a.dtype)


def _regular_cofactor(a: Any, d: Any) -> Any:
    return _swap(np.linalg.inv(a)) * d[..., None, None]


def _regular_cofactor_derivative(a: Any, d: Any, e: Any) -> Any:
    b = _swap(np.linalg.inv(a))
    t = (b * e).sum((-1, -2))[..., None, None]
    return d[..., None, None] * (t * b - b @ _swap(e) @ b)


def _cofactor_rule(primals: Sequence, tangents: Sequence) -> tuple[Any, Any]:
    (a,), (da,) = primals, tangents
    return cofactor(a), cofactor_derivative(a, da)


# The matrix of cofactors of ``a``.
cofactor: General = General(
    "cofactor",
    kernel=lambda a: _by_regularity(a, _regular_cofactor, _singular_cofactor),
    abstract=_same_abstract,
    rule=_cofactor_rule,
    batch=lambda size, xs, batched: cofactor(*xs),
)


def _cofactor_derivative_rule(primals: Sequence, tangents: Sequence) -> tuple[Any, Any]:
    # With b = inv(a)^T and t = sum(b e), it is det(a) (t b - b e^T b); db = -b da^T b.
    (a, e), (da, de) = primals, tangents
    answer = cofactor_derivative(a, e)
    tangent = None if de is None else cofactor_derivative(a, de)
    if da is not None:
        b = transposed(inverse(a))
        db = negative(matmul(b, matmul(transposed(da), b)))
        eb, be = matmul(transposed(e), b), matmul(b, transposed(e))
        moved = subtract(
            add(
                product(",ij->ij", product("ij,ij->", db, e), b),
                product(",ij->ij", product("ij,ij->", b, e), db),
            ),
            add(matmul(db, eb), matmul(be, db)),
        )
        part = add(
            product(",ij->ij", determinant(a), moved),
            product(",ij->ij", product("ij,ij->", b, da), answer),
        )
        tangent = _sum(tangent, part)
    return answer, tangent


# The derivative of ``cofactor(a)`` in the direction ``e``. It is the second derivative of the
# determinant, a symmetric form, and so its own transpose. Its own derivative needs ``inverse``.
cofactor_derivative: General = General(
    "cofactor_derivative",
    kernel=lambda a, e: _by_regularity(
        a, _regular_cofactor_derivative, _singular_cofactor_derivative, e
    ),
    abstract=_same_abstract,
    rule=_cofactor_derivative_rule,
    batch=lambda size, xs, batched: cofactor_derivative(*_full(size, xs, batched)),
    linear_in=1,
    transpose=lambda ct, operands: cofactor_derivative(operands[0], ct),
)


def _slogdet_rule(primals: Sequence, tangents: Sequence) -> tuple[Any, Any]:
    # d log det(a) = trace(inv(a) da): its real part moves the logarithm, the other the phase.
    (a,), (da,) = primals, tangents
    sign, logarithm = slogdet(a)
    trace = product("ij,ji->", inverse(a), da)
    if dtype_of(a).kind != "c":
        return (sign, logarithm), (None, trace)
    turn = multiply(convert(imag(trace), dtype=dtype_of(a)), 1j)
    return (sign, logarithm), (multiply(turn, sign), real(trace))


slogdet: General = General(
    "slogdet",
    kernel=lambda a: tuple(np.linalg.slogdet(a)),
    abstract=lambda a: (
        ShapedArray(a.shape[:-2], a.dtype),
        ShapedArray(a.shape[:-2], _real_dtype(a.dtype)),
    ),
    rule=_slogdet_rule,
    batch=lambda size, xs, batched: slogdet(*xs),
    multiple_results=True,
)

# --- factorisations ------------------------------------------------------------------------


def _cholesky_rule(primals: Sequence, tangents: Sequence, upper: bool) -> tuple[Any, Any]:
    # a = l l^H, so inv(l) da inv(l)^H = m + m^H for the lower triangular m = inv(l) dl
    (a,), (da,) = primals, tangents
    answer = cholesky(a, upper=upper)
    lower = adjoint(answer) if upper else answer
    half = _solve_lower(lower, _hermitian_part(da))
    both = _solve_lower(lower, adjoint(half))
    tangent = matmul(lower, _masked(both, "halved_lower", lower))
    return answer, adjoint(tangent) if upper else tangent


def _cholesky(a: Any, upper: bool) -> Any:
    if not upper:
        return np.linalg.cholesky(a)
    if is_gpu(a):  # CuPy has the lower factor only
        return np.conj(_swap(np.linalg.cholesky(np.conj(_swap(a)))))
    return np.linalg.cholesky(a, upper=True)


cholesky: General = General(
    "cholesky",
    kernel=_cholesky,
    abstract=_same_abstract,
    rule=_cholesky_rule,
    batch=lambda size, xs, batched, upper: cholesky(*xs, upper=upper),
)


def _qr_abstract(a: ShapedArray, complete: bool) -> tuple[ShapedArray, ShapedArray]:
    *lead, m, n = a.shape
    k = m if complete else min(m, n)
    return ShapedArray((*lead, m, k), a.dtype), ShapedArray((*lead, k, n), a.dtype)


def _qr_rule(primals: Sequence, tangents: Sequence, complete: bool) -> tuple[Any, Any]:
    # q^H dq = w is antihermitian and dr inv(r) upper triangular with a real diagonal, so the
    # lower triangle of q^H da inv(r) gives w; then dr = q^H da - w r.
    (a,), (da,) = primals, tangents
    q, r = answer = qr(a, complete=complete)
    m, n = shape_of(a)[-2:]
    k = min(m, n)
    rest = complete and m > n
    q1, r1 = (_columns(q, 0, k), _rows(r, 0, k)) if rest else (q, r)
    square_r, da1 = (_columns(r1, 0, k), _columns(da, 0, k)) if n > k else (r1, da)
    ratio = transposed(
        triangular_solve(
            square_r, transposed(da1), lower=False, unit_diagonal=False, transpose=True
        )
    )
    turned = matmul(adjoint(q1), ratio)
    below = _masked(turned, "strictly_lower", q)
    w = subtract(below, adjoint(below))
    if dtype_of(a).kind == "c":
        on = _masked(turned, "diagonal", q)
        w = add(w, multiply(subtract(on, conjugate(on)), 0.5))
    dq = matmul(q1, w)
    if m > k:
        dq = add(dq, subtract(ratio, matmul(q1, turned)))
    dr = subtract(matmul(adjoint(q1), da), matmul(w, r1))
    dr = multiply(dr, beside(q, np.triu(np.ones((k, n), _real_dtype(dtype_of(a))))))
    if rest:
        q2 = _columns(q, k, m)
        dq = _with_columns(dq, negative(matmul(q1, matmul(adjoint(dq), q2))))
        dr = _with_rows(dr, zeros_like(_rows(r, k, m)))
    return answer, (dq, dr)


def _with_columns(a: Any, b: Any) -> Any:
    return concatenate(a, b, axis=len(shape_of(a)) - 1)


def _with_rows(a: Any, b: Any) -> Any:
    return concatenate(a, b, axis=len(shape_of(a)) - 2)


qr: General = General(
    "qr",
    kernel=lambda a, complete: tuple(np.linalg.qr(a, "complete" if complete else "reduced")),
    abstract=_qr_abstract,
    rule=_qr_rule,
    batch=lambda size, xs, batched, complete: qr(*xs, complete=complete),
    multiple_results=True,
)


def _svd_abstract(a: ShapedArray, full_matrices: bool) -> tuple[ShapedArray, ...]:
    *lead, m, n = a.shape
    k = min(m, n)
    return (
        ShapedArray((*lead, m, m if full_matrices else k), a.dtype),
        ShapedArray((*lead, k), _real_dtype(a.dtype)),
        ShapedArray((*lead, n if full_matrices else k, n), a.dtype),
    )


def _svd_rule(primals: Sequence, tangents: Sequence, full_matrices: bool) -> tuple[Any, Any]:
    (a,), (da,) = primals, tangents
    u, s, vh = answer = svd(a, full_matrices=full_matrices)
    m, n = shape_of(a)[-2:]
    k = min(m, n)
    u1 = _columns(u, 0, k) if full_matrices and m > k else u
    vh1 = _rows(vh, 0, k) if full_matrices and n > k else vh
    v1 = adjoint(vh1)
    dav = matmul(da, v1)
    inner = matmul(adjoint(u1), dav)
    ds = real_part(product("ij,ij->i", inner, _eye_like(inner, u)))
    column, row = _rows_and_columns(s)
    # s_j^2 - s_i^2, as a product for the sake of close values
    gap = multiply(subtract(row, column), add(row, column))
    weight = _reciprocal_or_zero(gap)
    right, left = scale_columns(inner, s), product("i,ij->ij", s, inner)
    turn_u = multiply(add(right, adjoint(right)), weight)
    turn_v = multiply(add(left, adjoint(left)), weight)
    inverted = _reciprocal_or_zero(s)
    if dtype_of(a).kind == "c":
        on = _masked(inner, "diagonal", u)
        phase = multiply(subtract(on, conjugate(on)), 0.5)
        turn_u = add(turn_u, scale_columns(phase, inverted))
    du, dv = matmul(u1, turn_u), matmul(v1, turn_v)
    if m > k:
        du = add(du, scale_columns(subtract(dav, matmul(u1, inner)), inverted))
    if n > k:
        beside = subtract(matmul(adjoint(da), u1), matmul(v1, adjoint(inner)))
        dv = add(dv, scale_columns(beside, inverted))
    dvh = adjoint(dv)
    if full_matrices and m > k:
        u2 = _columns(u, k, m)
        du = _with_columns(du, negative(matmul(u1, matmul(adjoint(du), u2))))
    if full_matrices and n > k:
        vh2 = _rows(vh, k, n)
        dvh = _with_rows(dvh, negative(matmul(matmul(vh2, adjoint(dvh)), vh1)))
    return answer, (du, ds, dvh)


def _eye_like(a: Any, near: Any) -> np.ndarray:
    """Identity matrices of the shape of ``a``, taking the memory of one, where ``near`` is."""
    shape = shape_of(a)
    eye = _triangle(shape[-1], "diagonal", _real_dtype(dtype_of(a)))
    return np.broadcast_to(beside(near, eye), shape)


svd: General = General(
    "svd",
    kernel=lambda a, full_matrices: tuple(np.linalg.svd(a, full_matrices)),
    abstract=_svd_abstract,
    rule=_svd_rule,
    batch=lambda size, xs, batched, full_matrices: svd(*xs, full_matrices=full_matrices),
    multiple_results=True,
)


def _svdvals_rule(primals: Sequence, tangents: Sequence) -> tuple[Any, Any]:
    # The values come from their own call: LAPACK rounds them otherwise than with vectors.
    (a,), (da,) = primals, tangents
    u, _, vh = svd(a, full_matrices=False)
    tangent = product("ij,ij->i", adjoint(u), transposed(matmul(da, adjoint(vh))))
    return svdvals(a), real_part(tangent)


svdvals: General = General(
    "svdvals",
    kernel=lambda a: np.linalg.svd(a, compute_uv=False),
    abstract=lambda a: ShapedArray((*a.shape[:-2], min(a.shape[-2:])), _real_dtype(a.dtype)),
    rule=_svdvals_rule,
    batch=lambda size, xs, batched: svdvals(*xs),
)

# --- eigenvalues ---------------------------------------------------------------------------


def _eigh_rule(primals: Sequence, tangents: Sequence, uplo: str) -> tuple[Any, Any]:
    (a,), (da,) = primals, tangents
    w, v = answer = eigh(a, uplo=uplo)
    inner = matmul(adjoint(v), matmul(_hermitian_part(da), v))
    dw = real_part(product("ij,ij->i", inner, _eye_like(inner, v)))
    column, row = _rows_and_columns(w)
    weight = _reciprocal_or_zero(subtract(row, column))
    return answer, (dw, matmul(v, multiply(inner, weight)))


eigh: General = General(
    "eigh",
    kernel=lambda a, uplo: tuple(np.linalg.eigh(a, uplo)),
    abstract=lambda a, uplo: (
        ShapedArray(a.shape[:-1], _real_dtype(a.dtype)),
        ShapedArray(a.shape, a.dtype),
    ),
    rule=_eigh_rule,
    batch=lambda size, xs, batched, uplo: eigh(*xs, uplo=uplo),
    multiple_results=True,
)


def _eigvalsh_rule(primals: Sequence, tangents: Sequence, uplo: str) -> tuple[Any, Any]:
    (a,), (da,) = primals, tangents
    _, v = eigh(a, uplo=uplo)
    moved = transposed(matmul(_hermitian_part(da), v))
    return eigvalsh(a, uplo=uplo), real_part(product("ij,ij->i", adjoint(v), moved))


eigvalsh: General = General(
    "eigvalsh",
    kernel=lambda a, uplo: np.linalg.eigvalsh(a, uplo),
    abstract=lambda a, uplo: ShapedArray(a.shape[:-1], _real_dtype(a.dtype)),
    rule=_eigvalsh_rule,
    batch=lambda size, xs, batched, uplo: eigvalsh(*xs, uplo=uplo),
)


def _eig_kernel(a: Any) -> tuple[Any, Any]:
    # NumPy's result is real where all eigenvalues are; here its dtype depends on a's alone.
    dtype = _complex_dtype(a.dtype)
    w, v = np.linalg.eig(a)
    return w.astype(dtype), v.astype(dtype)


def _eig_rule(primals: Sequence, tangents: Sequence) -> tuple[Any, Any]:
    # inv(v) da v = diag(dw) + [inv(v) dv, w]; what is left free, a factor for each vector, is
    # fixed by its length, which is one, and by its largest element, which is real.
    (a,), (da,) = primals, tangents
    w, v = eig(a)
    if not shape_of(a)[-1]:
        return (w, v), (None, None)
    inner = solve(v, matmul(convert(da, dtype=dtype_of(w)), v))
    dw = product("ij,ij->i", inner, _eye_like(inner, v))
    column, row = _rows_and_columns(w)
    weight = _reciprocal_or_zero(subtract(row, column))
    dv = matmul(v, multiply(inner, weight))
    shrink = negative(real(product("ij,ij->j", conjugate(v), dv)))
    largest = _largest_real_element(v)
    # The element is real, so its imaginary part moves by the phase times it.
    turn = negative(imag(divide(product("ij,ij->j", dv, largest), product("ij,ij->j", v, largest))))
    return (w, v), (dw, add(dv, scale_columns(v, make_complex(shrink, turn))))


def _largest_real_element(v: Any) -> Any:
    """One-hot columns: where the element that LAPACK made real stands in each column."""
    size = add(square(real(v)), square(imag(v)))
    candidates = select(equal(imag(v), 0), size, 0)
    n = len(shape_of(v))
    at = argmax(candidates, axis=n - 2)
    shape = shape_of(at)
    at = reshape(at, shape=(*shape[:-1], 1, shape[-1]))
    positions = beside(v, np.arange(shape_of(v)[-1])[:, None])
    return convert(equal(positions, at), dtype=dtype_of(size))


eig: General = General(
    "eig",
    kernel=_eig_kernel,
    abstract=lambda a: (
        ShapedArray(a.shape[:-1], _complex_dtype(a.dtype)),
        ShapedArray(a.shape, _complex_dtype(a.dtype)),
    ),
    rule=_eig_rule,
    batch=lambda size, xs, batched: eig(*xs),
    multiple_results=True,
)

# --- pseudo-inverses -------------------------------------------------------------------------


def _pseudo_inverse_rule(primals: Sequence, tangents: Sequence, hermitian: bool) -> tuple[Any, Any]:
    (a, rcond), da = primals, tangents[0]
    p = pseudo_inverse(a, rcond, hermitian=hermitian)
    if da is None:
        return p, None
    if hermitian:
        da = _hermitian_part(da)
    pda, dah, ph = matmul(p, da), adjoint(da), adjoint(p)
    tangent = negative(matmul(pda, p))
    # p p^H da^H (1 - a p) and (1 - p a) da^H p^H p
    first = matmul(p, matmul(ph, dah))
    second = matmul(matmul(dah, ph), p)
    first = subtract(first, matmul(matmul(first, a), p))
    second = subtract(second, matmul(p, matmul(a, second)))
    return p, add(tangent, add(first, second))


def _pinv(a: Any, rcond: Any, hermitian: bool) -> Any:
    if is_gpu(a):  # CuPy has no shorter way for a Hermitian matrix
        return np.linalg.pinv(a, rcond)
    return np.linalg.pinv(a, rcond, hermitian)


# ``pseudo_inverse(a, rcond)``: singular values up to ``rcond`` (one a matrix) times the largest
# one count as zero. The derivative is that at constant rank.
pseudo_inverse: General = General(
    "pseudo_inverse",
    kernel=_pinv,
    abstract=lambda a, rcond, hermitian: ShapedArray(
        (*a.shape[:-2], a.shape[-1], a.shape[-2]), a.dtype
    ),
    rule=_pseudo_inverse_rule,
    batch=lambda size, xs, batched, hermitian: pseudo_inverse(
        *_full(size, xs, batched), hermitian=hermitian
    ),
)


def _least_squares(a: Any, b: Any, rcond: float) -> Any:
    out = np.empty_like(b, shape=(*b.shape[:-2], a.shape[-1], b.shape[-1]))
    for i in np.ndindex(b.shape[:-2]):
        out[i] = np.linalg.lstsq(a[i], b[i], rcond)[0]
    return out


def _pinv_of(a: Any, rcond: float) -> Any:
    limits = beside(a, np.full(shape_of(a)[:-2], rcond))
    return pseudo_inverse(a, limits, hermitian=False)


def _least_squares_rule(primals: Sequence, tangents: Sequence, rcond: float) -> tuple[Any, Any]:
    # x = p b with the pseudo-inverse p, whose derivative at constant rank is inserted
    (a, b), (da, db) = primals, tangents
    x = least_squares(a, b, rcond=rcond)
    tangent = None if db is None else least_squares(a, db, rcond=rcond)
    if da is not None:
        p = _pinv_of(a, rcond)
        ph, dah = adjoint(p), adjoint(da)
        residual = subtract(b, matmul(a, x))
        along = subtract(matmul(ph, matmul(dah, residual)), matmul(da, x))
        across = matmul(dah, matmul(ph, x))
        across = subtract(across, matmul(p, matmul(a, across)))
        tangent = _sum(tangent, add(matmul(p, along), across))
    return x, tangent


# ``least_squares(a, b)``: the shortest x with the least ||a x - b||, for stacks of matrices.
least_squares: General = General(
    "least_squares",
    kernel=_least_squares,
    abstract=lambda a, b, rcond: ShapedArray((*b.shape[:-2], a.shape[-1], b.shape[-1]), b.dtype),
    rule=_least_squares_rule,
    batch=_batched_solve(lambda a, b, rcond: least_squares(a, b, rcond=rcond)),
    linear_in=1,
    transpose=lambda ct, operands, rcond: matmul(transposed(_pinv_of(operands[0], rcond)), ct),
)
