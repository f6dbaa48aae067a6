"""Linear and quadratic equations in matrices; leading axes are a batch.

The equations are differentiated implicitly: with F(x, p) = 0 the tangent of x solves the linear
equation F_x dx = -F_p dp, which for Sylvester's and Stein's equations is the same equation with
another right-hand side, and for a Riccati equation the Lyapunov or Stein equation of its closed
loop. Kao and Hennequin, "Automatic differentiation of Sylvester, Lyapunov, and algebraic Riccati
equations" (2020); Bartels and Stewart, CACM 15 (1972) 820 for the solution by Schur forms.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.linalg as sl

from ..kernels.device import cpu_only
from .core import General, ShapedArray, aval_of
from .elementwise import add, multiply, negative, subtract
from .linalg import adjoint, matmul, solve, transposed
from .structural import full_batch

__all__ = ["continuous_riccati", "discrete_riccati", "stein", "sylvester"]


# --- helpers -------------------------------------------------------------------------------


def over_stack(name: str, core: Callable, abstract: Callable) -> Callable:
    """Make a kernel of ``core(*matrices, **params)``: a loop over the leading axes.

    Shapes and dtypes of the results come from the abstract rule, so that empty stacks and empty
    matrices need no LAPACK.
    """

    def kernel(*arrays: Any, **params: Any) -> Any:
        made = abstract(*map(aval_of, arrays), **params)
        several = isinstance(made, tuple)
        outs = [np.zeros(a.shape, a.dtype) for a in (made if several else (made,))]
        if arrays[0].size:
            for i in np.ndindex(arrays[0].shape[:-2]):
                results = core(*[x[i] for x in arrays], **params)
                for out, result in zip(outs, results if several else (results,), strict=True):
                    out[i] = result
        return tuple(outs) if several else outs[0]

    return cpu_only(name, kernel)


def same_aval(a: ShapedArray, *rest: ShapedArray, **params: Any) -> ShapedArray:
    """Abstract rule of an operation whose result is like its first operand."""
    return ShapedArray(a.shape, a.dtype)


def whole_batch(primitive: Callable) -> Callable:
    """Batching of a primitive whose operands all have the same leading axes."""

    def batch(size: int, xs: Sequence, batched: Sequence[bool], **params: Any) -> Any:
        full = [full_batch(size, x, b) for x, b in zip(xs, batched, strict=True)]
        return primitive()(*full, **params)

    return batch


def total(x: Any, y: Any) -> Any:
    """``x + y``, where None is zero."""
    return y if x is None else x if y is None else add(x, y)


def twice_hermitian_part(a: Any) -> Any:
    """``a + a^H``."""
    return add(a, adjoint(a))


# --- Sylvester and Stein -------------------------------------------------------------------


def _sylvester_rule(primals: Sequence, tangents: Sequence) -> tuple[Any, Any]:
    # a dx + dx b = dq - da x - x db
    (a, b, q), (da, db, right) = primals, tangents
    x = sylvester(a, b, q)
    if da is not None:
        right = total(right, negative(matmul(da, x)))
    if db is not None:
        right = total(right, negative(matmul(x, db)))
    return x, sylvester(a, b, right)


def _last_aval(a: ShapedArray, b: ShapedArray, q: ShapedArray) -> ShapedArray:
    return ShapedArray(q.shape, q.dtype)


def _sylvester_core(a: np.ndarray, b: np.ndarray, q: np.ndarray) -> np.ndarray:
    return sl.solve_sylvester(a, b, q)


# ``sylvester(a, b, q)``: x with a x + x b = q, for stacks of one dtype.
sylvester: General = General(
    "sylvester",
    kernel=over_stack("sylvester", _sylvester_core, _last_aval),
    abstract=_last_aval,
    rule=_sylvester_rule,
    batch=whole_batch(lambda: sylvester),
    linear_in=2,
    transpose=lambda ct, operands: sylvester(transposed(operands[0]), transposed(operands[1]), ct),
)


def _stein_core(a: np.ndarray, b: np.ndarray, q: np.ndarray) -> np.ndarray:
    # With a = u t u^H and b = v s v^H the columns of y = u^H x v follow one after the other.
    t, u = sl.schur(a, output="complex")
    s, v = sl.schur(b, output="complex")
    right = u.conj().T @ q @ v
    y = np.zeros_like(right)
    eye = np.eye(len(t))
    for j in range(right.shape[1]):
        known = right[:, j] + t @ (y[:, :j] @ s[:j, j])
        y[:, j] = sl.solve_triangular(eye - s[j, j] * t, known)
    x = u @ y @ v.conj().T
    return x if np.iscomplexobj(q) else x.real


def _stein_rule(primals: Sequence, tangents: Sequence) -> tuple[Any, Any]:
    # dx - a dx b = dq + da x b + a x db
    (a, b, q), (da, db, right) = primals, tangents
    x = stein(a, b, q)
    if da is not None:
        right = total(right, matmul(da, matmul(x, b)))
    if db is not None:
        right = total(right, matmul(matmul(a, x), db))
    return x, stein(a, b, right)


# ``stein(a, b, q)``: x with x - a x b = q, for stacks of one dtype.
stein: General = General(
    "stein",
    kernel=over_stack("stein", _stein_core, _last_aval),
    abstract=_last_aval,
    rule=_stein_rule,
    batch=whole_batch(lambda: stein),
    linear_in=2,
    transpose=lambda ct, operands: stein(transposed(operands[0]), transposed(operands[1]), ct),
)

# --- Riccati -------------------------------------------------------------------------------


def _riccati_aval(a: ShapedArray, *rest: ShapedArray, **params: Any) -> ShapedArray:
    return ShapedArray(a.shape, a.dtype)


def _conjugated_by_e(e: Any, w: Any) -> Any:
    """``inv(e)^H w inv(e)``."""
    eh = adjoint(e)
    return adjoint(solve(eh, adjoint(solve(eh, w))))


def _continuous_core(
    a: Any, b: Any, q: Any, r: Any, e: Any, s: Any, general: bool, balanced: bool
) -> np.ndarray:
    more = (e, s) if general else (None, None)
    return sl.solve_continuous_are(a, b, q, r, *more, balanced)


def _continuous_rule(
    primals: Sequence, tangents: Sequence, general: bool, balanced: bool
) -> tuple[Any, Any]:
    # 0 = a^H x e + e^H x a - g inv(r) g^H + q with g = e^H x b + s and k = inv(r) g^H, so that
    # f^H dx' + dx' f = -w with dx' = e^H dx e, f = a - b k and w the change at constant x.
    a, b, _, r, e, s = primals
    da, db, dq, dr, de, ds = tangents
    x = continuous_riccati(*primals, general=general, balanced=balanced)
    eh = adjoint(e)
    ehx = matmul(eh, x)
    g = add(matmul(ehx, b), s)
    k = solve(r, adjoint(g))
    w = None if dq is None else multiply(twice_hermitian_part(dq), 0.5)
    dg = ds
    if da is not None:
        w = total(w, twice_hermitian_part(matmul(ehx, da)))
    if de is not None:
        deh = adjoint(de)
        w = total(w, twice_hermitian_part(matmul(deh, matmul(x, a))))
        dg = total(dg, matmul(deh, matmul(x, b)))
    if db is not None:
        dg = total(dg, matmul(ehx, db))
    if dg is not None:
        w = total(w, negative(twice_hermitian_part(matmul(dg, k))))
    if dr is not None:
        kh = adjoint(k)
        w = total(w, matmul(kh, matmul(multiply(twice_hermitian_part(dr), 0.5), k)))
    closed = solve(eh, adjoint(subtract(a, matmul(b, k))))
    tangent = sylvester(closed, adjoint(closed), negative(_conjugated_by_e(e, w)))
    return x, tangent


# ``continuous_riccati(a, b, q, r, e, s)``: the stabilising x of scipy.linalg.solve_continuous_are;
# ``general`` says whether e and s are other than identity and zero. q and r stand for Hermitian
# matrices, as in all matrix functions of them: their tangents are made Hermitian.
continuous_riccati: General = General(
    "continuous_riccati",
    kernel=over_stack("continuous_riccati", _continuous_core, _riccati_aval),
    abstract=_riccati_aval,
    rule=_continuous_rule,
    batch=whole_batch(lambda: continuous_riccati),
)


def _discrete_core(
    a: Any, b: Any, q: Any, r: Any, e: Any, s: Any, general: bool, balanced: bool
) -> np.ndarray:
    more = (e, s) if general else (None, None)
    return sl.solve_discrete_are(a, b, q, r, *more, balanced)


def _discrete_rule(
    primals: Sequence, tangents: Sequence, general: bool, balanced: bool
) -> tuple[Any, Any]:
    # 0 = a^H x a - e^H x e - g k + q with g = a^H x b + s and k = inv(r + b^H x b) g^H, so that
    # dx' - f^H dx' f = w, with f = (a - b k) inv(e), dx' = dx and w conjugated by inv(e).
    a, b, _, r, e, s = primals
    da, db, dq, dr, de, ds = tangents
    x = discrete_riccati(*primals, general=general, balanced=balanced)
    ah, bh = adjoint(a), adjoint(b)
    xa, xb = matmul(x, a), matmul(x, b)
    g = add(matmul(ah, xb), s)
    k = solve(add(r, matmul(bh, xb)), adjoint(g))
    w = None if dq is None else multiply(twice_hermitian_part(dq), 0.5)
    dg = ds
    dh = None if dr is None else multiply(twice_hermitian_part(dr), 0.5)
    if da is not None:
        w = total(w, twice_hermitian_part(matmul(adjoint(xa), da)))
        dg = total(dg, matmul(adjoint(da), xb))
    if de is not None:
        ehx = matmul(adjoint(e), x)
        w = total(w, negative(twice_hermitian_part(matmul(ehx, de))))
    if db is not None:
        dg = total(dg, matmul(adjoint(xa), db))
        dh = total(dh, twice_hermitian_part(matmul(adjoint(xb), db)))
    if dg is not None:
        w = total(w, negative(twice_hermitian_part(matmul(dg, k))))
    if dh is not None:
        w = total(w, matmul(adjoint(k), matmul(dh, k)))
    closed = solve(adjoint(e), adjoint(subtract(a, matmul(b, k))))
    return x, stein(closed, adjoint(closed), _conjugated_by_e(e, w))


# ``discrete_riccati(a, b, q, r, e, s)``: the same for scipy.linalg.solve_discrete_are.
discrete_riccati: General = General(
    "discrete_riccati",
    kernel=over_stack("discrete_riccati", _discrete_core, _riccati_aval),
    abstract=_riccati_aval,
    rule=_discrete_rule,
    batch=whole_batch(lambda: discrete_riccati),
)
