"""Banded and Toeplitz matrices in their short forms, and as full matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...primitives import linalg as p
from ...primitives.core import dtype_of


def pick(x: Any, rows: np.ndarray, columns: np.ndarray, kept: np.ndarray) -> Any:
    """Elements of stacked matrices, and zeros where ``kept`` is false."""
    taken = x[..., np.where(kept, rows, 0), np.where(kept, columns, 0)]
    return np.where(kept, taken, np.zeros((), dtype_of(x)))


def triangle_of_band(band: Any, lower: bool) -> Any:
    """The triangular matrix of which ``band`` (u + 1, n) holds the diagonals."""
    width, n = band.shape[-2] - 1, band.shape[-1]
    i, j = np.indices((n, n))
    row = i - j if lower else width + i - j
    return pick(band, row, j, (row >= 0) & (row <= width) & ((i >= j) if lower else (i <= j)))


def hermitian_of_band(band: Any, lower: bool) -> Any:
    """The Hermitian matrix of which ``band`` holds one half."""
    half = triangle_of_band(band, lower)
    strict = np.tril(half, -1) if lower else np.triu(half, 1)
    on = p.real_part(np.diagonal(half, axis1=-2, axis2=-1))
    diagonal = on[..., None] * np.eye(half.shape[-1], dtype=dtype_of(on))
    return strict + p.adjoint(strict) + diagonal


def band_of_triangle(a: Any, width: int, lower: bool) -> Any:
    """The diagonals of a triangular matrix, as a band (width + 1, n)."""
    n = a.shape[-1]
    k, j = np.indices((width + 1, n))
    i = j + k if lower else j - (width - k)
    return pick(a, i, j, (i >= 0) & (i < n))


def full_band(band: Any, lower: bool) -> Any:
    """All 2 u + 1 diagonals of the Hermitian matrix of which ``band`` holds u + 1."""
    width, n = band.shape[-2] - 1, band.shape[-1]
    k, j = np.indices((2 * width + 1, n))
    below = k - width  # row - column
    i = j + below
    inside = (i >= 0) & (i < n)
    if lower:
        own = pick(band, below, j, inside & (below > 0))
        other = pick(band, -below, i, inside & (below < 0))
    else:
        own = pick(band, k, j, inside & (below < 0))
        other = pick(band, width - below, i, inside & (below > 0))
    on = p.real_part(band[..., 0 if lower else width, :])
    middle = np.where(below == 0, on[..., None, :], np.zeros((), dtype_of(on)))
    return own + p.conjugated(other) + middle


def toeplitz_values(c: Any, r: Any) -> Any:
    """The first row backwards, without its first element, and then the first column."""
    return np.concatenate((r[..., :0:-1], c), axis=-1)


def dense_toeplitz(values: Any, rows: int, columns: int) -> Any:
    """The matrix with elements ``values[columns - 1 + i - j]``."""
    i, j = np.indices((rows, columns))
    return values[..., columns - 1 + i - j]
