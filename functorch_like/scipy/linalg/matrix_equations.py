"""Sylvester, Lyapunov and Riccati equations, differentiated implicitly."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg as scipy_linalg

from ...errors import user_line
from ...primitives import linalg as p
from ...primitives import matrix_equations as m
from ...primitives.core import dtype_of
from .operands import LinAlgError, double, matrices, mirrors, same_shape, squares, stack_together

__all__ = [
    "solve_continuous_are",
    "solve_continuous_lyapunov",
    "solve_discrete_are",
    "solve_discrete_lyapunov",
    "solve_lyapunov",
    "solve_sylvester",
]


@mirrors(scipy_linalg.solve_sylvester)
def solve_sylvester(a: Any, b: Any, q: Any) -> Any:
    """Solve ``a x + x b = q``; a dx + dx b = dq - da x - x db.

    Parameters
    ----------
    a, b, q
        (..., m, m), (..., n, n) and (..., m, n). No eigenvalue of a may be minus one of b.

    Examples
    --------
    >>> import numpy as np, functorch_like as ft
    >>> from functorch_like.scipy import linalg
    >>> a, b, q = np.diag([1.0, 2.0]), np.eye(1), np.ones((2, 1))
    >>> ft.grad(lambda a: linalg.solve_sylvester(a, b, q).sum())(a).round(4)
    array([[-0.25  , -0.1667],
           [-0.1667, -0.1111]])
    """
    a, b = squares("solve_sylvester", a), squares("solve_sylvester", b)
    q = matrices("solve_sylvester", q)
    if q.shape[-2:] != (a.shape[-1], b.shape[-1]):
        raise LinAlgError(
            f"solve_sylvester: expected q of shape (..., {a.shape[-1]}, {b.shape[-1]}); got shapes "
            f"{a.shape}, {b.shape} and {q.shape}, at {user_line()}."
        )
    return m.sylvester(*stack_together("solve_sylvester", a, b, q))


def _lyapunov_operands(name: str, a: Any, q: Any) -> tuple[Any, Any]:
    a, q = squares(name, a), squares(name, q)
    same_shape(name, a, q)
    a, q = stack_together(name, a, q)
    return a, q


@mirrors(scipy_linalg.solve_continuous_lyapunov)
def solve_continuous_lyapunov(a: Any, q: Any) -> Any:
    """Solve ``a x + x a^H = q``.

    Examples
    --------
    >>> import numpy as np, functorch_like as ft
    >>> from functorch_like.scipy import linalg
    >>> a = -np.eye(2)
    >>> ft.grad(lambda a: linalg.solve_continuous_lyapunov(a, np.eye(2)).sum())(a)
    array([[-0.5, -0.5],
           [-0.5, -0.5]])
    """
    a, q = _lyapunov_operands("solve_continuous_lyapunov", a, q)
    return m.sylvester(a, p.adjoint(a), q)


@mirrors(scipy_linalg.solve_lyapunov)
def solve_lyapunov(a: Any, q: Any) -> Any:
    """``solve_continuous_lyapunov``."""
    return solve_continuous_lyapunov(a, q)


@mirrors(scipy_linalg.solve_discrete_lyapunov)
def solve_discrete_lyapunov(a: Any, q: Any, method: Any = None) -> Any:
    """Solve ``a x a^H - x + q = 0``, by Schur forms whatever the ``method``.

    Examples
    --------
    >>> import numpy as np, functorch_like as ft
    >>> from functorch_like.scipy import linalg
    >>> a = np.eye(2) / 2
    >>> ft.grad(lambda q: linalg.solve_discrete_lyapunov(a, q)[0, 0])(np.eye(2)).round(4)
    array([[1.3333, 0.    ],
           [0.    , 0.    ]])
    """
    if method is not None and method.lower() not in ("direct", "bilinear"):
        raise ValueError(f"solve_discrete_lyapunov: unknown solver {method!r}.")
    a, q = _lyapunov_operands("solve_discrete_lyapunov", a, q)
    a, q = double(a), double(q)
    return m.stein(a, p.adjoint(a), q)


def _riccati(
    name: str, solve: Any, a: Any, b: Any, q: Any, r: Any, e: Any, s: Any, balanced: bool
) -> Any:
    a, q, r = squares(name, a), squares(name, q), squares(name, r)
    b = matrices(name, b)
    n, k = a.shape[-1], r.shape[-1]
    general = e is not None or s is not None
    e = np.eye(n, dtype=dtype_of(a)) if e is None else squares(name, e)
    s = np.zeros((n, k), dtype_of(a)) if s is None else matrices(name, s)
    wanted = {"b": (b, (n, k)), "q": (q, (n, n)), "e": (e, (n, n)), "s": (s, (n, k))}
    for label, (x, shape) in wanted.items():
        if x.shape[-2:] != shape:
            raise LinAlgError(
                f"{name}: expected {label} of shape (..., {shape[0]}, {shape[1]}) for a of shape "
                f"{a.shape} and r of shape {r.shape}; got {x.shape}, at {user_line()}."
            )
    operands = stack_together(name, double(a), b, q, r, e, s)
    return solve(*operands, general=general, balanced=bool(balanced))


@mirrors(scipy_linalg.solve_continuous_are)
def solve_continuous_are(
    a: Any, b: Any, q: Any, r: Any, e: Any = None, s: Any = None, balanced: bool = True
) -> Any:
    """Stabilising solution of ``e^H x a + a^H x e - (e^H x b + s) inv(r) (...)^H + q = 0``.

    Its derivative solves the Lyapunov equation of the closed loop (Kao and Hennequin 2020).
    ``q`` and ``r`` stand for Hermitian matrices.

    Examples
    --------
    >>> import numpy as np, functorch_like as ft
    >>> from functorch_like.scipy import linalg
    >>> one = np.eye(1)
    >>> ft.grad(lambda a: linalg.solve_continuous_are(a, one, one, one)[0, 0])(0 * one).round(6)
    array([[1.]])
    """
    name = "solve_continuous_are"
    return _riccati(name, m.continuous_riccati, a, b, q, r, e, s, balanced)


@mirrors(scipy_linalg.solve_discrete_are)
def solve_discrete_are(
    a: Any, b: Any, q: Any, r: Any, e: Any = None, s: Any = None, balanced: bool = True
) -> Any:
    """Stabilising solution of the discrete algebraic Riccati equation.

    a^H x a - e^H x e - (a^H x b + s) inv(r + b^H x b) (b^H x a + s^H) + q = 0; its derivative
    solves the Stein equation of the closed loop. ``q`` and ``r`` stand for Hermitian matrices.
    """
    return _riccati("solve_discrete_are", m.discrete_riccati, a, b, q, r, e, s, balanced)
