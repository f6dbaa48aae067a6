"""Krylov methods as loops, differentiated implicitly.

Cotangents are solved for with the transposed matrix, tangents with the matrix, by the same method
to the same tolerance, so that a derivative is as exact as the solution is. Iterations are
``while_loop``s of traced operations: compiled under ``jit``, and under ``vmap`` each system of a
batch stops when it has converged.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse.linalg as sl

from ....arguments import as_array
from ....control_flow import fori_loop, while_loop
from ....custom_rules import stop_gradient
from ....errors import boundary
from ....implicit import custom_linear_solve
from ....overrides import wrap
from ....primitives.core import ShapedArray, shape_of
from ....reverse import linear_transpose
from .operands import is_traced, matvec_of, opaque, square

__all__ = ["bicgstab", "cg", "gmres", "minres"]

Method = Callable[[Callable, Any, Any, Callable, Any, int], tuple[Any, Any, Any]]


def _dot(x: Any, y: Any) -> Any:
    return np.sum(np.conj(x) * y)


def _norm(x: Any) -> Any:
    return np.sqrt(np.real(_dot(x, x)))


def _safe(x: Any) -> Any:
    """A divisor, 1 in the place of 0."""
    return np.where(x == 0, 1, x)


def _identity(x: Any) -> Any:
    return x


def _implicitly(
    name: str,
    method: Method,
    plain: Callable,
    a: Any,
    b: Any,
    x0: Any,
    rtol: float,
    atol: float,
    maxiter: int | None,
    m: Any,
    callback: Callable | None,
    most: int,
    symmetric: bool,
    options: dict,
) -> tuple[Any, Any]:
    """What the four have in common."""
    if not is_traced(a, b, x0, m) and (not callable(a) or isinstance(a, sl.LinearOperator)):
        return plain(a, b, x0, maxiter=maxiter, M=m, callback=callback, **options)
    right = as_array(b)
    if right.dtype.kind in "iub":
        right = right.astype(np.float64)
    shape = shape_of(right)
    if len(shape) == 2 and shape[1] == 1:
        right = right.reshape(-1)
    elif len(shape) != 1:
        raise ValueError(f"{name}: expected a right-hand side of one vector; got shape {shape}.")
    n = shape[0]
    square(name, a, n)
    apply = matvec_of(a)
    dtype = np.result_type(right.dtype, getattr(a, "dtype", None) or right.dtype)
    right = right.astype(dtype) if right.dtype != dtype else right
    precondition, precondition_back = _preconditioners(m, ShapedArray((n,), dtype))
    start = None if x0 is None else stop_gradient(as_array(x0).reshape(-1)).astype(dtype)
    limit = most * n if maxiter is None else int(maxiter)

    def solve_by(before: Callable, first: Any) -> Callable:
        def solve(matvec: Callable, b: Any) -> tuple[Any, Any]:
            goal = np.maximum(float(atol), float(rtol) * _norm(b))
            begin = np.zeros_like(b) if first is None else first
            x, rest, count = method(matvec, b, begin, before, goal, limit)
            return x, np.where(rest <= goal, 0, np.maximum(count, 1)).astype(np.int64)

        return solve

    def transposed(matvec: Callable, b: Any) -> tuple[Any, Any]:
        return solve_by(precondition_back, None)(matvec, b)

    real = dtype.kind != "c"
    solved: Any = custom_linear_solve(
        apply,
        right,
        solve_by(precondition, start),
        transposed,
        symmetric=symmetric and real and m is None and start is None,
        has_aux=True,
    )
    x, info = solved
    if callback is not None and type(x) is np.ndarray:
        callback(x)
    return x, info


def _preconditioners(m: Any, result: ShapedArray) -> tuple[Callable, Callable]:
    """The preconditioner and its transpose.

    It changes how fast a solution is found, not the solution: operators of SciPy's, which may hold
    compiled code (``spilu``), are called as black boxes, and one without a transpose is left out
    where that is needed.
    """
    if m is None:
        return _identity, _identity
    if isinstance(m, sl.LinearOperator):

        def back(x: Any) -> Any:
            try:
                return np.conj(m.rmatvec(np.conj(x)))
            except NotImplementedError:
                return np.array(x)

        return wrap(m.matvec, result=result), wrap(back, result=result)
    apply = matvec_of(m)
    if opaque(m):
        return apply, lambda x: linear_transpose(apply, x)(x)[0]
    return apply, matvec_of(m.T)


@boundary
def cg(
    A: Any,  # noqa: N803
    b: Any,
    x0: Any = None,
    *,
    rtol: float = 1e-5,
    atol: float = 0.0,
    maxiter: int | None = None,
    M: Any = None,  # noqa: N803
    callback: Callable | None = None,
) -> tuple[Any, Any]:
    """Conjugate gradients for a Hermitian positive definite matrix; see SciPy's ``cg``.

    Parameters
    ----------
    A
        Sparse or dense matrix, ``LinearOperator``, or linear function of a vector, which may
        close over traced values.
    b
        Right-hand side, a vector.
    x0
        Where to start; it has no derivative.
    rtol, atol
        Stops when the residual's norm is at most ``max(rtol norm(b), atol)``. Derivatives are
        solved for to the same tolerance: make it small for exact ones.
    maxiter
        Iterations at most; 10 n by default.
    M
        Preconditioner: a matrix, operator or function that approximates the inverse of ``A``.
    callback
        Called with the iterate; in traced calls with the solution only, where it is known.

    Returns
    -------
    x
        The solution.
    info
        0, or the number of iterations after which it had not converged.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> def f(d):
    ...     x, info = ft.scipy.sparse.linalg.cg(lambda v: d * v, np.ones(2), rtol=1e-12)
    ...     return np.sum(x)
    >>> np.round(ft.grad(f)(np.array([1.0, 2.0])), 9)
    array([-1.  , -0.25])
    """
    return _implicitly(
        *("cg", _cg, sl.cg, A, b, x0, rtol, atol, maxiter, M, callback),
        *(10, True, {"rtol": rtol, "atol": atol}),
    )


def _cg(
    apply: Callable, b: Any, x: Any, before: Callable, goal: Any, most: int
) -> tuple[Any, Any, Any]:
    r = b - apply(x)
    z = before(r)

    def more(held: tuple) -> Any:
        _, r, _, _, count = held
        return (_norm(r) > goal) & (count < most)

    def step(held: tuple) -> tuple:
        x, r, p, rho, count = held
        q = apply(p)
        alpha = rho / _safe(_dot(p, q))
        x, r = x + alpha * p, r - alpha * q
        z = before(r)
        new = _dot(r, z)
        return x, r, z + (new / _safe(rho)) * p, new, count + 1

    x, r, _, _, count = while_loop(more, step, (x, r, z, _dot(r, z), 0))
    return x, _norm(r), count


@boundary
def bicgstab(
    A: Any,  # noqa: N803
    b: Any,
    x0: Any = None,
    *,
    rtol: float = 1e-5,
    atol: float = 0.0,
    maxiter: int | None = None,
    M: Any = None,  # noqa: N803
    callback: Callable | None = None,
) -> tuple[Any, Any]:
    """Stabilised biconjugate gradients; see SciPy's ``bicgstab``, and ``cg`` for the arguments."""
    return _implicitly(
        *("bicgstab", _bicgstab, sl.bicgstab, A, b, x0, rtol, atol, maxiter, M, callback),
        *(10, False, {"rtol": rtol, "atol": atol}),
    )


def _bicgstab(
    apply: Callable, b: Any, x: Any, before: Callable, goal: Any, most: int
) -> tuple[Any, Any, Any]:
    # van der Vorst (1992), preconditioned from the right
    r = b - apply(x)
    shadow = r
    one = np.ones((), b.dtype)

    def more(held: tuple) -> Any:
        return (_norm(held[1]) > goal) & (held[7] < most)

    def step(held: tuple) -> tuple:
        x, r, p, v, rho, alpha, omega, count = held
        new = _dot(shadow, r)
        beta = (new / _safe(rho)) * (alpha / _safe(omega))
        p = r + beta * (p - omega * v)
        ahead = before(p)
        v = apply(ahead)
        alpha = new / _safe(_dot(shadow, v))
        s = r - alpha * v
        aside = before(s)
        t = apply(aside)
        omega = _dot(t, s) / _safe(_dot(t, t))
        return (
            *(x + alpha * ahead + omega * aside, s - omega * t, p, v, new, alpha, omega),
            count + 1,
        )

    zero = np.zeros_like(r)
    start = (x, r, zero, zero, one, one, one, 0)
    x, r, *_, count = while_loop(more, step, start)
    return x, _norm(r), count


@boundary
def minres(
    A: Any,  # noqa: N803
    b: Any,
    x0: Any = None,
    *,
    rtol: float = 1e-5,
    shift: float = 0.0,
    maxiter: int | None = None,
    M: Any = None,  # noqa: N803
    callback: Callable | None = None,
    show: bool = False,
    check: bool = False,
) -> tuple[Any, Any]:
    """Minimal residuals for a Hermitian matrix; see SciPy's ``minres``, and ``cg``.

    Where an argument is traced the residual's norm is compared with that of ``b``.
    """
    matrix = A
    if shift and is_traced(A, b, x0, M):
        apply = matvec_of(A)
        matrix = lambda x: apply(x) - shift * x  # noqa: E731
    options = {"rtol": rtol, "shift": shift, "show": show, "check": check}
    return _implicitly(
        *("minres", _minres, sl.minres, matrix, b, x0, rtol, 0.0, maxiter, M, callback),
        *(5, True, options),
    )


def _minres(
    apply: Callable, b: Any, x: Any, before: Callable, goal: Any, most: int
) -> tuple[Any, Any, Any]:
    # Paige and Saunders (1975), as in Elman, Silvester and Wathen, "Finite elements and fast
    # iterative solvers", algorithm 4.1
    v = b - apply(x)
    z = before(v)
    gamma = np.sqrt(np.real(_dot(z, v)))
    # the preconditioned residual is what the recurrence knows: scale the goal like it
    goal = goal * np.where(_norm(v) > 0, gamma / _safe(_norm(v)), 1.0)
    zero = np.zeros_like(v)
    one = np.ones_like(gamma)

    def more(held: tuple) -> Any:
        return (np.abs(held[7]) > goal) & (held[13] < most)

    def step(held: tuple) -> tuple:
        x, v, old_v, z, w, old_w, gamma, eta, old_gamma, c, old_c, s, old_s, count = held
        z = z / _safe(gamma)
        az = apply(z)
        delta = np.real(_dot(z, az))
        new_v = az - (delta / _safe(gamma)) * v - (gamma / _safe(old_gamma)) * old_v
        new_z = before(new_v)
        new_gamma = np.sqrt(np.maximum(np.real(_dot(new_z, new_v)), 0.0))
        first = c * delta - old_c * s * gamma
        length = np.hypot(first, new_gamma)
        second = s * delta + old_c * c * gamma
        third = old_s * gamma
        new_c, new_s = first / _safe(length), new_gamma / _safe(length)
        new_w = (z - third * old_w - second * w) / _safe(length)
        x = x + (new_c * eta) * new_w
        return (
            *(x, new_v, v, new_z, new_w, w, new_gamma, -new_s * eta, gamma),
            *(new_c, c, new_s, s, count + 1),
        )

    start = (
        *(x, v, zero, z, zero, zero, gamma, gamma, one),
        *(one, one, 0 * one, 0 * one, 0),
    )
    held = while_loop(more, step, start)
    return held[0], np.where(np.abs(held[7]) <= goal, 0.0, np.inf), held[13]


@boundary
def gmres(
    A: Any,  # noqa: N803
    b: Any,
    x0: Any = None,
    *,
    rtol: float = 1e-5,
    atol: float = 0.0,
    restart: int | None = None,
    maxiter: int | None = None,
    M: Any = None,  # noqa: N803
    callback: Callable | None = None,
    callback_type: str | None = None,
) -> tuple[Any, Any]:
    """Restarted GMRES; see SciPy's ``gmres``, and ``cg`` for the arguments.

    ``restart`` vectors are kept (20 by default), ``maxiter`` counts the restarts.
    """
    width = 20 if restart is None else int(restart)

    def method(
        apply: Callable, b: Any, x: Any, before: Callable, goal: Any, most: int
    ) -> tuple[Any, Any, Any]:
        return _gmres(apply, b, x, before, goal, most, min(width, shape_of(b)[0]))

    options = {"rtol": rtol, "atol": atol, "restart": restart, "callback_type": callback_type}
    if callback is not None and callback_type is None:
        options["callback_type"] = "legacy"
    return _implicitly(
        *("gmres", method, sl.gmres, A, b, x0, rtol, atol, maxiter, M, callback),
        *(10, False, options),
    )


def _gmres(
    apply: Callable, b: Any, x: Any, before: Callable, goal: Any, most: int, width: int
) -> tuple[Any, Any, Any]:
    def more(held: tuple) -> Any:
        _, _, size, count = held
        return (size > goal) & (count < most)

    def cycle(held: tuple) -> tuple:
        x, r, size, count = held
        x = x + before(_krylov_correction(lambda v: apply(before(v)), r, size, width))
        r = b - apply(x)
        return x, r, _norm(r), count + 1

    r = b - apply(x)
    x, _, size, count = while_loop(more, cycle, (x, r, _norm(r), 0))
    return x, size, count


def _krylov_correction(apply: Callable, r: Any, size: Any, width: int) -> Any:
    """The vector of the Krylov space of ``r`` that leaves the smallest residual."""
    rows = np.arange(width + 1)
    basis = (r / _safe(size))[None, :] * (rows == 0)[:, None]
    small = np.zeros((width + 1, width), r.dtype)

    def extend(k: Any, held: tuple) -> tuple:
        basis, small = held
        w = apply(np.sum(basis * (rows == k)[:, None], axis=0))
        before = _norm(w)
        h = np.conj(basis) @ w
        w = w - h @ basis
        again = np.conj(basis) @ w  # twice is enough (Kahan and Parlett)
        w, h = w - again @ basis, h + again
        length = _norm(w)
        ends = length <= 10 * np.finfo(r.dtype).eps * before  # the space is complete
        length = np.where(ends, 0.0, length)
        column = h + length * (rows == k + 1)
        small = small + column[:, None] * (rows[:-1] == k)[None, :]
        w = np.where(ends, 0.0, 1 / _safe(length)) * w
        return basis + (rows == k + 1)[:, None] * w[None, :], small

    basis, small = fori_loop(0, width, extend, (basis, small))
    target = size * (rows == 0)
    y = np.linalg.pinv(small) @ target.astype(r.dtype)
    return y @ basis[:-1]
