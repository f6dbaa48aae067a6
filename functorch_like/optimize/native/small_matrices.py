"""Factorisations of small matrices, their size known: the columns are unrolled.

A library call takes longer than the whole factorisation of a 3 x 3 matrix, and would be made for
every lane of a batch. Up to ``UNROLLED`` columns the modified Gram-Schmidt process is written out;
it solves a least-squares problem as stably as Householder's reflections if the right-hand side is
one more column (A. Bjorck, *Solving linear least squares problems by Gram-Schmidt
orthogonalization*, BIT 7, 1967). Beyond, LAPACK is called.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...primitives.linalg import triangular_solve

__all__ = ["UNROLLED", "back_substitution", "damped_step", "is_regular", "triangularise"]

UNROLLED = 10


def triangularise(a: Any, b: Any) -> tuple[Any, Any]:
    """``R`` and ``Q^T b`` of ``A = Q R``.

    Parameters
    ----------
    a
        Matrix of shape (m, n); fewer rows than columns count as rows of zeros.
    b
        Shape (m,) or (m, k).

    Returns
    -------
    tuple
        Upper triangular (n, n), whose diagonal is at least 0 up to ``UNROLLED`` columns, and (n,)
        or (n, k).
    """
    m, n = a.shape
    if n > UNROLLED:
        if m < n:
            a = np.concatenate([a, np.zeros((n - m, n), a.dtype)])
            b = np.concatenate([b, np.zeros((n - m, *b.shape[1:]), b.dtype)])
        q, r = np.linalg.qr(a)
        return r, q.T @ b
    tiny = float(np.finfo(a.dtype).tiny)
    work = np.concatenate([a, b.reshape(m, -1)], axis=1)
    rows, products = [], []
    for j in range(n):
        # All that the first column has to do with itself and the others, in one pass.
        dots = np.sum(work[:, :1] * work, axis=0)
        # A column of zeros stays one: it has no direction, and takes nothing from the others.
        some = dots[0] > tiny
        square = np.where(some, dots[0], 1.0).astype(a.dtype)
        row = dots * np.where(some, 1.0 / np.sqrt(square), 0.0).astype(a.dtype)
        rows.append(np.concatenate([np.zeros(j, a.dtype), row[: n - j]]))
        products.append(row[n - j :])
        share = dots[1:] * np.where(some, 1.0 / square, 0.0).astype(a.dtype)
        work = work[:, 1:] - work[:, :1] * share
    return np.stack(rows), np.stack(products).reshape(n, *b.shape[1:])


def back_substitution(r: Any, b: Any) -> Any:
    """Solve ``R x = b`` for an upper triangular matrix; 0 for an unknown with a pivot of 0."""
    n = r.shape[0]
    if n > UNROLLED:
        unit = np.eye(n, dtype=r.dtype)
        r = r + unit * np.where(pivots(r) == 0, np.inf, 0.0).astype(r.dtype)
        right = b if len(b.shape) == 2 else b[:, None]
        solved = triangular_solve(r, right, lower=False, unit_diagonal=False, transpose=False)
        return solved.reshape(b.shape)
    found: list[Any] = [None] * n
    for i in reversed(range(n)):
        value = b[i]
        for j in range(i + 1, n):
            value = value - r[i, j] * found[j]
        pivot = r[i, i]
        singular = pivot == 0
        found[i] = np.where(singular, 0.0, value / np.where(singular, 1.0, pivot))
    return np.stack(found).astype(r.dtype)


def pivots(r: Any) -> Any:
    """The diagonal of a matrix."""
    return np.sum(r * np.eye(r.shape[0], dtype=r.dtype), axis=1)


def is_regular(r: Any) -> Any:
    """Whether no column of a triangle lies in the span of those before it, to rounding."""
    n = r.shape[0]
    lengths = np.sqrt(np.sum(r * r, axis=0))
    return np.all(np.abs(pivots(r)) > n * float(np.finfo(r.dtype).eps) * lengths)


def damped_step(r: Any, b: Any, damping: Any, scale: Any) -> Any:
    """The ``x`` that minimises ``|R x + b|^2 + damping |D x|^2``, where ``scale`` is D."""
    unit = np.eye(r.shape[0], dtype=r.dtype)
    rows = np.concatenate([r, unit * (np.sqrt(damping) * scale)])
    right = np.concatenate([b, np.zeros_like(b)])
    return -back_substitution(*triangularise(rows, right))
