"""Entries of a matrix from its compressed products.

The products are one flat array: entry i of the column product of colour c stands at ``c * m + i``,
and after them entry j of the row product of colour c at ``c * n + j``.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse

from .coloring import Coloring, adjacency

__all__ = ["Substitution", "places"]


def places(pattern: scipy.sparse.csr_array, coloring: Coloring) -> np.ndarray:
    """Where each entry of the pattern, row by row, stands in the products alone.

    For column, row, bidirectional and star colourings.
    """
    m, n = pattern.shape
    rows = np.repeat(np.arange(m, dtype=np.int64), np.diff(pattern.indptr))
    columns = pattern.indices.astype(np.int64)
    made: np.ndarray
    if coloring.kind == "star":
        assert coloring.columns is not None
        made = _of_star(rows, columns, coloring.columns.astype(np.int64), n, coloring.n_columns)
    elif coloring.kind == "column":
        assert coloring.columns is not None
        made = coloring.columns[columns].astype(np.int64) * m + rows
    else:
        assert coloring.rows is not None
        made = coloring.rows[rows].astype(np.int64) * n + columns
        if coloring.own is not None:
            assert coloring.columns is not None
            by_column = coloring.columns[columns].astype(np.int64) * m + rows
            made = np.where(coloring.own, by_column, coloring.n_columns * m + made)
    small = coloring.n_columns * m + coloring.n_rows * n <= np.iinfo(np.int32).max
    return made.astype(np.int32) if small else made


def _of_star(
    rows: np.ndarray, columns: np.ndarray, colors: np.ndarray, n: int, count: int
) -> np.ndarray:
    # H[i, j] is alone in row i of the sum of colour c_j, or else H[j, i] in row j of that of c_i.
    here = colors[columns] * n + rows
    there = colors[rows] * n + columns
    shared = np.bincount(here, minlength=count * n)
    alone = shared[here] == 1
    if not np.all(alone | (shared[there] == 1)):
        raise AssertionError("sparsity: a star colouring leaves an entry that no sum gives")
    # Both halves read the same place where they can, so that the matrix is exactly symmetric.
    pick_here = alone & ((rows <= columns) | (shared[there] != 1))
    return np.where(pick_here, here, there)


class Substitution:
    """Recovery from an acyclic colouring, an entry after the other.

    Rounding errors of entries found before enter those found after: along the branches of the
    trees that two colours induce.
    """

    def __init__(self, pattern: scipy.sparse.csr_array, coloring: Coloring) -> None:
        from ..kernels.cpu.coloring import substitution_order

        assert coloring.columns is not None
        colors, n = coloring.columns, pattern.shape[0]
        graph, edges = adjacency(pattern, "acyclic")
        steps = substitution_order(graph.indptr, graph.indices, edges, colors, coloring.n_columns)
        if 2 * len(steps) != graph.nnz:
            raise AssertionError("sparsity: an acyclic colouring leaves entries that no sum gives")
        rows = np.repeat(np.arange(n, dtype=np.int64), np.diff(pattern.indptr))
        on_diagonal = rows == pattern.indices
        self.diagonal = np.flatnonzero(on_diagonal)
        where = np.flatnonzero(~on_diagonal)  # entries of the graph among those of the pattern
        i = rows[self.diagonal]
        self.sums = colors[i].astype(np.int64) * n + i
        self.steps = np.ascontiguousarray(steps[:, :2])
        mate = np.empty(graph.nnz, np.int64)
        first = edges == np.arange(graph.nnz)
        mate[edges[~first]] = np.flatnonzero(~first)
        ends = steps[:, 2]
        self.places = np.stack([where[ends], where[mate[ends]]], axis=-1)
        self.count = pattern.nnz

    def __call__(self, products: np.ndarray) -> np.ndarray:
        """The entries of the pattern, row by row."""
        from ..kernels.cpu.coloring import substitute

        sums = np.array(products).reshape(-1)
        data = np.empty(self.count, sums.dtype)
        data[self.diagonal] = sums[self.sums]
        substitute(sums, self.steps, self.places, data)
        return data
