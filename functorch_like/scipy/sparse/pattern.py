"""Where the elements of a sparse matrix stand."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import scipy.sparse as sp

__all__ = ["Form", "Pattern", "canonical"]


class Pattern:
    """Positions in compressed rows: sorted, each once.

    Equal patterns compare equal, so that a pattern can be part of a pytree's structure.
    """

    def __init__(self, indices: np.ndarray, indptr: np.ndarray, shape: tuple[int, int]) -> None:
        self.indices = indices
        self.indptr = indptr
        self.shape = shape

    @property
    def nnz(self) -> int:
        """Number of elements."""
        return int(self.indices.shape[0])

    @functools.cached_property
    def rows(self) -> np.ndarray:
        """The row of each element."""
        return np.repeat(np.arange(self.shape[0]), np.diff(self.indptr))

    @functools.cached_property
    def columns(self) -> np.ndarray:
        """The column of each element."""
        return self.indices.astype(np.int64)

    @functools.cached_property
    def keys(self) -> np.ndarray:
        """The position of each element in the flattened matrix; they increase."""
        return self.rows * self.shape[1] + self.columns

    @functools.cached_property
    def flipped(self) -> tuple[Pattern, np.ndarray]:
        """The pattern of the transposed matrix, and which elements its elements are."""
        made = canonical(self.numbered().T)
        return Pattern(made.indices, made.indptr, made.shape), made.data - 1

    def numbered(self) -> sp.csr_array:
        """A matrix whose elements are their numbers, from 1."""
        numbers = np.arange(1, self.nnz + 1)
        return sp.csr_array((numbers, self.indices, self.indptr), shape=self.shape)

    @classmethod
    def of_keys(cls, keys: np.ndarray, shape: tuple[int, int]) -> Pattern:
        """The pattern with increasing positions in the flattened matrix."""
        rows, columns = np.divmod(keys, max(shape[1], 1))
        indptr = np.searchsorted(rows, np.arange(shape[0] + 1))
        kind = np.int32 if max(len(keys), *shape, 1) < 2**31 else np.int64
        return cls(columns.astype(kind), indptr.astype(kind), shape)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Pattern) or self.shape != other.shape:
            return False
        return _same(self.indptr, other.indptr) and _same(self.indices, other.indices)

    def __hash__(self) -> int:
        return hash((self.shape, self.nnz))


def _same(x: np.ndarray, y: np.ndarray) -> bool:
    return x is y or (x.shape == y.shape and bool(np.array_equal(x, y)))


def canonical(matrix: Any) -> Any:
    """A matrix of SciPy's in compressed rows, each element once and in order; not a copy if so."""
    made = matrix.tocsr()
    if not made.has_canonical_format:
        made = made.copy() if made is matrix else made
        made.sum_duplicates()
    return made


class Form:
    """All of a sparse array but its elements: pattern, orientation and SciPy's class.

    ``across`` says that the pattern is of the transposed matrix, as in compressed columns; ``flat``
    that the array has one axis, whose pattern is that of a single row.
    """

    __slots__ = ("across", "flat", "kind", "pattern")

    def __init__(self, pattern: Pattern, kind: type, across: bool = False, flat: bool = False):
        self.pattern = pattern
        self.kind = kind
        self.across = across
        self.flat = flat

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        shape = self.pattern.shape
        if self.flat:
            return shape[1:]
        return shape[::-1] if self.across else shape

    @property
    def matrix(self) -> bool:
        """Whether ``*`` is the product of matrices, as in SciPy's older interface."""
        return issubclass(self.kind, sp.spmatrix)

    def plain(self, data: np.ndarray) -> Any:
        """SciPy's array with these elements."""
        pattern = self.pattern
        family = sp.csr_matrix if self.matrix else sp.csr_array
        made = family((data, pattern.indices, pattern.indptr), shape=pattern.shape)
        if self.flat:
            return made.reshape(self.shape).asformat(_name(self.kind))
        return (made.T if self.across else made).asformat(_name(self.kind))

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Form)
            and self.kind is other.kind
            and self.across == other.across
            and self.flat == other.flat
            and self.pattern == other.pattern
        )

    def __hash__(self) -> int:
        return hash((self.pattern, self.kind, self.across, self.flat))

    def __repr__(self) -> str:
        return f"{self.kind.__name__} of shape {self.shape}, {self.pattern.nnz} elements"


def _name(kind: type) -> str:
    return kind.__name__.split("_")[0]
