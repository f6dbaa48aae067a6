"""Least squares and pseudo-inverses, at constant rank (Golub and Pereyra 1973)."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg as scipy_linalg

from ...errors import user_line
from ...primitives import linalg as p
from ...primitives.core import dtype_of
from ...primitives.stopping import stop_gradient
from .operands import (
    inexact,
    matrices,
    mirrored,
    mirrors,
    right_hand_side,
    squares,
    value_of,
)

__all__ = ["lstsq", "pinv", "pinvh"]


@mirrors(scipy_linalg.lstsq)
def lstsq(
    a: Any,
    b: Any,
    cond: Any = None,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    lapack_driver: Any = None,
) -> tuple[Any, Any, Any, Any]:
    """Least squares: the solution, its residuals, the rank and the singular values.

    The derivative is that at constant rank (Golub and Pereyra 1973). Under vmap and jit, where
    the rank is not known, the residuals are those of a matrix of full rank.

    Examples
    --------
    >>> import numpy as np, functorch_like as ft
    >>> from functorch_like.scipy import linalg
    >>> a = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]])
    >>> ft.grad(lambda b: linalg.lstsq(a, b)[0][1])(np.array([1.0, 2.0, 4.0])).round(6) + 0.0
    array([-0.5,  0. ,  0.5])
    """
    driver = lapack_driver or "gelsd"
    if driver not in ("gelsd", "gelsy", "gelss"):
        raise ValueError(f"lstsq: LAPACK driver {driver!r} is not found, at {user_line()}.")
    a, b = matrices("lstsq", a, check_finite), inexact("lstsq", b, check_finite)
    m, n = a.shape[-2:]
    a, b, restore = right_hand_side("lstsq", a, b, m)
    cutoff = float(np.finfo(dtype_of(a)).eps) if cond is None else float(cond)
    x = p.least_squares(a, b, rcond=cutoff)
    s = p.svdvals(a)
    rank: Any = np.sum(s > cutoff * s[..., :1], axis=-1) if min(m, n) else 0
    known = value_of(rank)
    full = known is None or np.all(known == n)
    if known is not None and np.ndim(known) == 0:
        rank = int(known)
    residuals: Any = np.empty(0, dtype_of(a))
    if driver != "gelsy" and m > n and full:
        error = b - p.matmul(a, x)
        residuals = restore(np.sum(np.real(error * np.conj(error)), axis=-2, keepdims=True))
        residuals = residuals[..., 0] if len(residuals.shape) < 2 else residuals[..., 0, :]
    return restore(x), residuals, rank, None if driver == "gelsy" else s


def _cutoff(name: str, greatest: Any, atol: Any, rtol: Any, default: float) -> tuple[Any, Any]:
    """The least size that counts, absolute and as a share of the greatest; without derivative."""
    atol = 0.0 if atol is None else atol
    rtol = default if rtol is None else rtol
    if atol < 0 or rtol < 0:
        raise ValueError(f"{name}: atol and rtol must not be negative, at {user_line()}.")
    least = atol + greatest * rtol
    share = least / np.where(greatest == 0, 1, greatest)
    return least, share


@mirrors(scipy_linalg.pinv)
def pinv(
    a: Any,
    *,
    atol: Any = None,
    rtol: Any = None,
    return_rank: bool = False,
    check_finite: bool = True,
) -> Any:
    """Moore-Penrose inverse (..., n, m); its derivative is that at constant rank.

    Golub and Pereyra (1973): dp = -p da p + p p^H da^H (1 - a p) + (1 - p a) da^H p^H p.
    """
    a = matrices("pinv", a, check_finite)
    default = max(a.shape[-2:]) * float(np.finfo(dtype_of(a)).eps)
    s = stop_gradient(p.svdvals(a))
    least, share = _cutoff("pinv", np.max(s, axis=-1, initial=0), atol, rtol, default)
    made = p.pseudo_inverse(a, share, hermitian=False)
    return (made, _count(s, least)) if return_rank else made


def _count(sizes: Any, least: Any) -> Any:
    rank = np.sum(sizes > least[..., None], axis=-1)
    known = value_of(rank)
    return rank if known is None or np.ndim(known) else int(known)


@mirrors(scipy_linalg.pinvh)
def pinvh(
    a: Any,
    atol: Any = None,
    rtol: Any = None,
    lower: bool = True,
    return_rank: bool = False,
    check_finite: bool = True,
) -> Any:
    """Moore-Penrose inverse of a Hermitian matrix, of which one triangle is read."""
    a = mirrored(squares("pinvh", a, check_finite), bool(lower))
    default = a.shape[-1] * float(np.finfo(dtype_of(a)).eps)
    s = np.abs(stop_gradient(p.eigvalsh(a, uplo="L")))
    least, share = _cutoff("pinvh", np.max(s, axis=-1, initial=0), atol, rtol, default)
    made = p.pseudo_inverse(a, share, hermitian=True)
    return (made, _count(s, least)) if return_rank else made
