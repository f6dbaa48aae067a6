"""Matrices made of vectors: Toeplitz, circulant, companion and others; all linear or nearly so."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.linalg as scipy_linalg

from ...errors import user_line
from ...primitives import linalg as p
from ...primitives.core import dtype_of
from . import bands
from .operands import is_traced, mirrors, unify, value_of

__all__ = [
    "block_diag",
    "circulant",
    "companion",
    "convolution_matrix",
    "fiedler",
    "fiedler_companion",
    "hankel",
    "leslie",
    "toeplitz",
]


def _vector(x: Any) -> Any:
    """An operand of any dtype with at least one axis."""
    x = x if is_traced(x) and not isinstance(x, (list, tuple)) else np.asarray(x)
    return np.reshape(x, (1,)) if len(x.shape) == 0 else x


def _conjugated(x: Any) -> Any:
    return p.conjugated(x)


@mirrors(scipy_linalg.toeplitz)
def toeplitz(c: Any, r: Any = None) -> Any:
    """Matrix with elements ``c[i - j]`` below and ``r[j - i]`` above the diagonal.

    Without ``r`` it is the conjugate of ``c``; ``r[0]`` is not read. Leading axes are a batch.

    Examples
    --------
    >>> import numpy as np, functorch_like as ft
    >>> from functorch_like.scipy import linalg
    >>> ft.grad(lambda c: linalg.toeplitz(c).sum())(np.ones(3))
    array([3., 4., 2.])
    """
    c = _vector(c)
    r = _conjugated(c) if r is None else _vector(r)
    c, r = unify(c, r)
    lead = np.broadcast_shapes(c.shape[:-1], r.shape[:-1])
    c, r = (np.broadcast_to(x, lead + x.shape[-1:]) for x in (c, r))
    return bands.dense_toeplitz(bands.toeplitz_values(c, r), c.shape[-1], r.shape[-1])


@mirrors(scipy_linalg.circulant)
def circulant(c: Any) -> Any:
    """Matrix with elements ``c[(i - j) mod n]``; leading axes are a batch."""
    c = _vector(c)
    i, j = np.indices((c.shape[-1],) * 2)
    return c[..., (i - j) % c.shape[-1]]


@mirrors(scipy_linalg.hankel)
def hankel(c: Any, r: Any = None) -> Any:
    """Matrix whose first column is ``c`` and whose last row is ``r`` (zeros without it)."""
    c = np.ravel(_vector(c))
    if r is None:
        r = np.zeros(c.shape, dtype_of(c))
    c, r = unify(c, np.ravel(_vector(r)))
    values = np.concatenate((c, r[1:]))
    i, j = np.indices((c.shape[0], r.shape[0]))
    return values[i + j]


def _selection(x: Any, at: np.ndarray) -> Any:
    """``x`` at the positions ``at``, where -1 gives 0 and -2 gives 1."""
    ends = np.broadcast_to(np.array([1, 0], dtype_of(x)), (*x.shape[:-1], 2))
    return np.concatenate((x, ends), axis=-1)[..., at]


@mirrors(scipy_linalg.leslie)
def leslie(f: Any, s: Any) -> Any:
    """Leslie matrix: ``f`` (..., n) is its first row and ``s`` (..., n - 1) its subdiagonal."""
    f, s = unify(_vector(f), _vector(s))
    n = f.shape[-1]
    if s.shape[-1] != n - 1 or n < 2:
        raise ValueError(
            f"leslie: expected s to be one shorter than f, and not empty; got shapes {f.shape} and "
            f"{s.shape}, at {user_line()}."
        )
    lead = np.broadcast_shapes(f.shape[:-1], s.shape[:-1])
    f, s = (np.broadcast_to(x, lead + x.shape[-1:]) for x in (f, s))
    at = np.full((n, n), -1)
    at[0] = np.arange(n)
    at[np.arange(1, n), np.arange(n - 1)] = np.arange(n, 2 * n - 1)
    return _selection(np.concatenate((f, s), axis=-1), at)


def _check_leading(name: str, a: Any) -> None:
    known = value_of(a)
    if known is not None and np.any(known[..., 0] == 0):
        raise ValueError(f"{name}: the first coefficient must not be zero, at {user_line()}.")


@mirrors(scipy_linalg.companion)
def companion(a: Any) -> Any:
    """Companion matrix (..., n - 1, n - 1) of polynomials ``a`` (..., n), highest power first.

    Examples
    --------
    >>> import numpy as np, functorch_like as ft
    >>> from functorch_like.scipy import linalg
    >>> ft.grad(lambda a: linalg.companion(a)[0, 1])(np.array([2.0, 3.0, 4.0]))
    array([ 1. ,  0. , -0.5])
    """
    a = _vector(a)
    n = a.shape[-1]
    if n < 2:
        raise ValueError(f"companion: expected two coefficients or more; got shape {a.shape}.")
    _check_leading("companion", a)
    first = -a[..., 1:] / (1.0 * a[..., :1])
    at = np.full((n - 1, n - 1), -1)
    at[0] = np.arange(n - 1)
    at[np.arange(1, n - 1), np.arange(n - 2)] = -2
    return _selection(first, at)


@mirrors(scipy_linalg.fiedler)
def fiedler(a: Any) -> Any:
    """Symmetric matrix of ``|a_i - a_j|``; leading axes are a batch."""
    a = _vector(a)
    if not math.prod(a.shape):
        return np.zeros(0)
    if math.prod(a.shape) == 1:
        return np.abs(np.reshape(a - a, (1, 1)) * 1.0)
    return np.abs(a[..., :, None] - a[..., None, :])


@mirrors(scipy_linalg.fiedler_companion)
def fiedler_companion(a: Any) -> Any:
    """Pentadiagonal companion matrix (Fiedler 2003) of polynomials, highest power first."""
    a = _vector(a)
    n = a.shape[-1] - 1
    if n < 1:
        return a[..., :0]
    _check_leading("fiedler_companion", a)
    a = -(a / a[..., :1])
    if n == 1:
        return a[..., 1:, None]
    at = np.full((n, n), -1)
    at[np.arange(3, n, 2), np.arange(1, n - 2, 2)] = -2
    at[np.arange(2, n, 2), np.arange(1, n - 1, 2)] = np.arange(3, n + 1, 2)
    at[np.arange(0, n - 2, 2), np.arange(2, n, 2)] = -2
    at[np.arange(0, n - 1, 2), np.arange(1, n, 2)] = np.arange(2, n + 1, 2)
    at[0, 0], at[1, 0] = 1, -2
    return _selection(a, at)


@mirrors(scipy_linalg.convolution_matrix)
def convolution_matrix(a: Any, n: int, mode: str = "full") -> Any:
    """Matrix c for which ``c @ v`` is ``np.convolve(a, v, mode)`` for v of length ``n``.

    Examples
    --------
    >>> import numpy as np, functorch_like as ft
    >>> from functorch_like.scipy import linalg
    >>> ft.grad(lambda a: linalg.convolution_matrix(a, 3, "same").sum())(np.ones(2))
    array([3., 2.])
    """
    if n <= 0:
        raise ValueError("convolution_matrix: n must be a positive integer.")
    if mode not in ("full", "valid", "same"):
        raise ValueError(f"convolution_matrix: expected 'full', 'valid' or 'same'; got {mode!r}.")
    a = _vector(a)
    length = a.shape[-1]
    if not length:
        raise ValueError("convolution_matrix: len(a) must be at least 1.")
    i, j = np.indices((length + n - 1, n))
    at = np.where((i >= j) & (i - j < length), i - j, -1)
    trim = 0 if mode == "full" else min(n, length) - 1
    start = trim // 2 if mode == "same" else trim
    stop = trim - start if mode == "same" else trim
    return _selection(a, at[start : len(at) - stop])


@mirrors(scipy_linalg.block_diag)
def block_diag(*arrs: Any) -> Any:
    """Block diagonal matrix of matrices, rows or numbers; leading axes broadcast.

    Examples
    --------
    >>> import numpy as np, functorch_like as ft
    >>> from functorch_like.scipy import linalg
    >>> ft.jvp(lambda x: linalg.block_diag(x, 1.0), (np.ones((1, 2)),), (np.ones((1, 2)),))[1]
    array([[1., 1., 0.],
           [0., 0., 0.]])
    """
    blocks = []
    for x in map(_vector, arrs):
        blocks.append(np.reshape(x, (1, -1)) if len(x.shape) == 1 else x)
    blocks = list(unify(*blocks))
    lead = np.broadcast_shapes(*[x.shape[:-2] for x in blocks])
    width = sum(x.shape[-1] for x in blocks)
    rows, start = [], 0
    for x in blocks:
        m, n = x.shape[-2:]
        x = np.broadcast_to(x, (*lead, m, n))
        before = np.zeros((*lead, m, start), dtype_of(x))
        after = np.zeros((*lead, m, width - start - n), dtype_of(x))
        rows.append(np.concatenate((before, x, after), axis=-1))
        start += n
    return np.concatenate(rows, axis=-2)
