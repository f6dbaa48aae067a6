"""For every element of an array the set of inputs it depends on: compressed rows without values.

Row ``e`` of ``IndexSets`` is element ``e`` of the raveled array (C order), its entries are input
numbers, sorted and distinct. SciPy's compiled sparse sums and products unite the sets.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse

__all__ = ["MOST", "IndexSets", "TooDenseError", "stacked", "union"]

MOST = 1 << 28  # entries of one array's sets: a gigabyte


class TooDenseError(ValueError):
    """The sets have more entries than memory should be spent on."""

    def __init__(self, entries: int) -> None:
        super().__init__(f"{entries:,} dependences")
        self.entries = entries


class IndexSets:
    """Sets of input numbers below ``width``, one a row."""

    __slots__ = ("indices", "indptr", "width")

    def __init__(self, indptr: np.ndarray, indices: np.ndarray, width: int) -> None:
        self.indptr = indptr
        self.indices = indices
        self.width = width

    @classmethod
    def identity(cls, start: int, count: int, width: int) -> IndexSets:
        """Row ``i`` of ``count`` is the set of ``start + i`` alone."""
        return cls(
            np.arange(count + 1, dtype=np.int32),
            np.arange(start, start + count, dtype=np.int32),
            width,
        )

    @classmethod
    def repeated(cls, members: np.ndarray, count: int, width: int) -> IndexSets:
        """The same set ``count`` times."""
        check(count * members.size)
        indptr = np.arange(count + 1, dtype=np.int64) * members.size
        return cls(indptr.astype(np.int32), np.tile(members, count), width)

    def __len__(self) -> int:
        return self.indptr.size - 1

    @property
    def lengths(self) -> np.ndarray:
        """Sizes of the sets."""
        return np.diff(self.indptr)

    def matrix(self) -> scipy.sparse.csr_array:
        """The sets as a matrix of truth values."""
        data = np.ones(self.indices.size, bool)
        made = scipy.sparse.csr_array(
            (data, self.indices, self.indptr), shape=(len(self), self.width)
        )
        made.has_canonical_format = True
        return made

    @classmethod
    def of_matrix(cls, made: Any) -> IndexSets:
        """The sets of a matrix's stored entries."""
        made.sum_duplicates()
        check(made.nnz)
        return cls(
            made.indptr.astype(np.int32, copy=False),
            made.indices.astype(np.int32, copy=False),
            made.shape[1],
        )

    def take(self, rows: np.ndarray) -> IndexSets:
        """The sets at ``rows``; -1 stands for an empty set."""
        rows = np.asarray(rows).reshape(-1)
        if not len(self):
            return IndexSets(np.zeros(rows.size + 1, np.int32), self.indices[:0], self.width)
        lengths = self.lengths[rows]
        if rows.size and rows.min() < 0:
            lengths = np.where(rows < 0, 0, lengths)
        indptr = np.zeros(rows.size + 1, np.int64)
        np.cumsum(lengths, out=indptr[1:])
        total = int(indptr[-1])
        check(total)
        # Entry k of the result is entry k + shift of ours, shift being constant in a row.
        shift = (self.indptr[rows] - indptr[:-1]).astype(np.int32)
        source = np.repeat(shift, lengths)
        source += np.arange(total, dtype=np.int32)
        return IndexSets(indptr.astype(np.int32), self.indices[source], self.width)

    def part(self, start: int, stop: int) -> IndexSets:
        """Consecutive rows."""
        indptr = self.indptr[start : stop + 1]
        return IndexSets(indptr - indptr[0], self.indices[indptr[0] : indptr[-1]], self.width)

    def kept(self, mask: np.ndarray) -> IndexSets | None:
        """The sets where ``mask`` is true and empty ones elsewhere; None if none are left."""
        if mask.all():
            return self
        made = self.take(np.where(mask, np.arange(len(self)), -1))
        return made if made.indices.size else None

    def members(self) -> np.ndarray:
        """The union of all sets."""
        present = np.zeros(self.width, bool)
        present[self.indices] = True
        return np.flatnonzero(present).astype(np.int32)

    def united(self, groups: np.ndarray, count: int) -> IndexSets:
        """Unions over rows of equal ``groups``, numbers below ``count``."""
        if count == 1:
            return IndexSets.repeated(self.members(), 1, self.width)
        sizes = np.bincount(groups, minlength=count)
        if sizes.max(initial=0) <= 1:
            rows = np.full(count, -1, np.int64)
            rows[groups] = np.arange(groups.size)
            return self.take(rows)
        order = np.argsort(groups, kind="stable").astype(np.int32)
        return self._merged(order, sizes)

    def _merged(self, order: np.ndarray, sizes: np.ndarray) -> IndexSets:
        """Unions over consecutive runs, of the given ``sizes``, of the rows in ``order``."""
        indptr = np.zeros(sizes.size + 1, np.int32)
        np.cumsum(sizes, out=indptr[1:])
        chooser = scipy.sparse.csr_array(
            (np.ones(order.size, bool), order, indptr), shape=(sizes.size, len(self))
        )
        return self.mapped(chooser)

    def mapped(self, weights: scipy.sparse.csr_array) -> IndexSets:
        """Unions over the entries of each row of a matrix of truth values."""
        return IndexSets.of_matrix(weights @ self.matrix())

    def gathered(self, positions: np.ndarray) -> IndexSets:
        """Unions over the rows named in each row of ``positions``."""
        count, size = positions.shape
        check(positions.size)
        indptr = np.arange(count + 1, dtype=np.int64) * size
        chooser = scipy.sparse.csr_array(
            (np.ones(positions.size, bool), positions.reshape(-1).astype(np.int32), indptr),
            shape=(count, len(self)),
        )
        return self.mapped(chooser)

    def reduced(self, shape: Sequence[int], axes: Sequence[int]) -> IndexSets:
        """Unions over ``axes`` of an array of ``shape``, which are taken away."""
        kept = [n for i, n in enumerate(shape) if i not in axes]
        count = math.prod(kept)
        if count == 1 or not len(self):
            return self.united(np.zeros(len(self), np.int64), count)
        numbers = np.arange(count).reshape([1 if i in axes else n for i, n in enumerate(shape)])
        return self.united(np.broadcast_to(numbers, shape).reshape(-1), count)

    def spread(self, shape: Sequence[int], axes: Sequence[int]) -> IndexSets:
        """The inverse of ``reduced``: sets repeated along ``axes`` of an array of ``shape``."""
        kept = [1 if i in axes else n for i, n in enumerate(shape)]
        numbers = np.arange(math.prod(kept)).reshape(kept)
        return self.take(np.broadcast_to(numbers, shape))

    def dense_along(self, shape: Sequence[int], axes: Sequence[int]) -> IndexSets:
        """Each set replaced by the union along ``axes``."""
        return self.reduced(shape, axes).spread(shape, axes)

    def running(self, shape: Sequence[int], axis: int, reverse: bool) -> IndexSets:
        """Unions with all sets before along ``axis`` (after, if ``reverse``), by doubling."""
        length, step, sets = shape[axis], 1, self
        positions = np.arange(math.prod(shape)).reshape(shape)
        while step < length:
            moved = np.full(shape, -1)
            head, tail = [slice(None)] * len(shape), [slice(None)] * len(shape)
            head[axis], tail[axis] = slice(0, length - step), slice(step, length)
            if reverse:
                head, tail = tail, head
            moved[tuple(tail)] = positions[tuple(head)]
            sets = union([sets, sets.take(moved)])
            step *= 2
        return sets

    def same(self, other: IndexSets) -> bool:
        """Whether all sets are equal."""
        return np.array_equal(self.indptr, other.indptr) and np.array_equal(
            self.indices, other.indices
        )


def check(entries: int) -> None:
    """Raise if so many entries are too many."""
    if entries > MOST:
        raise TooDenseError(entries)


def union(parts: Sequence[IndexSets]) -> IndexSets:
    """Row by row the union of sets of equally many rows."""
    distinct = list({id(p): p for p in parts}.values())
    made = distinct[0]
    for other in distinct[1:]:
        check(made.indices.size + other.indices.size)
        if not other.indices.size:
            continue
        if not made.indices.size:
            made = other
            continue
        made = IndexSets.of_matrix(made.matrix() + other.matrix())
    return made


def stacked(parts: Sequence[IndexSets]) -> IndexSets:
    """The rows of one after those of the other."""
    if len(parts) == 1:
        return parts[0]
    check(sum(p.indices.size for p in parts))
    starts = np.cumsum([0, *(p.indices.size for p in parts)])
    indptr = [p.indptr[:-1] + start for p, start in zip(parts, starts, strict=False)]
    return IndexSets(
        np.concatenate([*indptr, starts[-1:]]).astype(np.int32),
        np.concatenate([p.indices for p in parts]),
        parts[0].width,
    )
