"""Colourings of sparsity patterns: which columns and rows may share a product.

Definitions and algorithms are those of A. H. Gebremedhin, F. Manne, A. Pothen, "What color is
your Jacobian? Graph coloring for computing derivatives", SIAM Review 47 (2005) 629-705, and of
A. H. Gebremedhin, A. Tarafdar, F. Manne, A. Pothen, "New acyclic and star coloring algorithms with
application to computing Hessians", SIAM J. Sci. Comput. 29 (2007) 1042-1072.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse

from .greedy import partial_distance_two, star
from .index_sets import MOST

__all__ = ["KINDS", "ORDERS", "Coloring", "color", "estimates"]

KINDS = ("column", "row", "bidirectional", "star", "acyclic")
ORDERS = ("natural", "largest_first", "smallest_last", "incidence_degree", "random")


@dataclasses.dataclass(frozen=True, eq=False)
class Coloring:
    """Colours of the columns and rows of a pattern.

    Attributes
    ----------
    kind
        One of ``column``, ``row``, ``bidirectional``, ``star``, ``acyclic``.
    order
        The order in which vertices were coloured.
    columns
        int32, a colour from 0 on for every column, or -1 where none is needed; None for ``row``.
    rows
        The same for the rows, for ``row`` and ``bidirectional``; else None.
    n_columns, n_rows
        Numbers of colours; their sum is the number of products that give the matrix.
    own
        For ``bidirectional``: which entries, row by row, columns recover; else None.
    """

    kind: str
    order: str
    columns: np.ndarray | None
    rows: np.ndarray | None
    n_columns: int
    n_rows: int
    own: np.ndarray | None = None

    @property
    def n_colors(self) -> int:
        """How many products give the matrix."""
        return self.n_columns + self.n_rows


def as_pattern(pattern: Any) -> scipy.sparse.csr_array:
    """A sparse or dense matrix as truth values in sorted compressed rows, int32 indices."""
    made = scipy.sparse.csr_array(pattern)
    made.sum_duplicates()
    if made.nnz > np.iinfo(np.int32).max:
        raise ValueError(f"sparsity: expected fewer than 2**31 entries; got {made.nnz:,}.")
    data = np.ones(made.nnz, bool)
    indices, indptr = made.indices.astype(np.int32), made.indptr.astype(np.int32)
    kept = scipy.sparse.csr_array((data, indices, indptr), shape=made.shape)
    kept.has_canonical_format = True
    return kept


def color(
    pattern: Any, kind: str = "column", order: str | Sequence[str] = "natural", seed: int = 0
) -> Coloring:
    """Colour a sparsity pattern.

    Parameters
    ----------
    pattern
        Matrix (m, n), sparse or dense; its stored (nonzero) entries count, not their values.
    kind
        ``column``: columns of a colour have no row in common, so that sums of them give every
        entry (m + n vertices, partial distance-2 colouring). ``row``: the same for rows.
        ``bidirectional``: rows and columns together; dense rows are left to row products, or
        dense columns to column products, whichever promises fewer colours. For symmetric
        patterns, ``star``: every entry is in one of two sums alone (neighbours differ in colour,
        and no path of four vertices has two colours); ``acyclic``: entries follow by substitution
        (neighbours differ, and no cycle has two colours), with fewer colours.
    order
        ``natural``, ``largest_first``, ``smallest_last``, ``incidence_degree``, ``random``; or
        several, of which the colouring with the fewest colours is kept.
    seed
        Of the random order.

    Returns
    -------
    Coloring

    Raises
    ------
    ValueError
        An unknown kind or order, or a star or acyclic colouring of a pattern that is not
        symmetric.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> arrow = np.eye(6) + np.eye(6)[0] + np.eye(6)[:, :1]
    >>> ft.sparsity.color(arrow, "column").n_colors
    6
    >>> ft.sparsity.color(arrow, "bidirectional").n_colors
    3
    >>> ft.sparsity.color(arrow, "star").columns
    array([0, 1, 1, 1, 1, 1], dtype=int32)
    """
    if kind not in KINDS:
        raise ValueError(f"color: expected kind to be one of {', '.join(KINDS)}; got {kind!r}.")
    names = (order,) if isinstance(order, str) else tuple(order)
    for name in names:
        if name not in ORDERS:
            raise ValueError(
                f"color: expected order to be one of {', '.join(ORDERS)}, or several of them; got "
                f"{name!r}."
            )
    if not names:
        raise ValueError("color: expected at least one order; got none.")
    made = as_pattern(pattern)
    found = [_colored(made, kind, name, seed) for name in names]
    return min(found, key=lambda c: c.n_colors)


def _colored(pattern: scipy.sparse.csr_array, kind: str, order: str, seed: int) -> Coloring:
    if kind == "column":
        colors, count = _one_sided(pattern, order, seed)
        return Coloring(kind, order, colors, None, count, 0)
    if kind == "row":
        colors, count = _one_sided(as_pattern(pattern.T), order, seed)
        return Coloring(kind, order, None, colors, 0, count)
    if kind == "bidirectional":
        return _bidirectional(pattern, order, seed)
    colors, count = _symmetric(pattern, kind, order, seed)
    return Coloring(kind, order, colors, None, count, 0)


# --- orders --------------------------------------------------------------------------------------


def _order(
    name: str, count: int, seed: int, conflicts: scipy.sparse.csr_array | None
) -> np.ndarray:
    """Vertices in order; ``conflicts`` is the graph without loops that degrees are counted in."""
    if name == "natural":
        return np.arange(count, dtype=np.int32)
    if name == "random":
        return np.random.default_rng(seed).permutation(count).astype(np.int32)
    assert conflicts is not None
    if name == "largest_first":
        return np.argsort(-np.diff(conflicts.indptr), kind="stable").astype(np.int32)
    from ..kernels.cpu.coloring import bucket_order

    return bucket_order(conflicts.indptr, conflicts.indices, name == "smallest_last")


def _degrees_matter(order: str) -> bool:
    return order not in ("natural", "random")


def _conflicts(own: scipy.sparse.csr_array, pattern: scipy.sparse.csr_array) -> Any:
    """Columns of which one has an entry of ``own`` in a row where the other has any entry."""
    paths = int(np.sum(np.diff(own.indptr).astype(np.int64) * np.diff(pattern.indptr)))
    if paths > MOST:
        widest = int(np.argmax(np.diff(pattern.indptr)))
        raise ValueError(
            f"color: this order counts the columns that meet in a row, {paths:,} pairs here "
            f"(row {widest} alone has {int(np.diff(pattern.indptr)[widest]):,} entries); take "
            "order='natural', or colour in the other direction or in both."
        )
    one = own.T.tocsr() @ pattern
    return _without_diagonal(one + one.T.tocsr())


def _without_diagonal(matrix: Any) -> scipy.sparse.csr_array:
    coo = scipy.sparse.coo_array(matrix)
    rows, columns = coo.coords
    off = rows != columns
    made = scipy.sparse.coo_array(
        (np.ones(np.count_nonzero(off), bool), (rows[off], columns[off])), shape=matrix.shape
    )
    return as_pattern(made)


# --- Jacobians -----------------------------------------------------------------------------------


def _one_sided(pattern: scipy.sparse.csr_array, order: str, seed: int) -> tuple[np.ndarray, int]:
    n = pattern.shape[1]
    if n and np.diff(pattern.indptr).max(initial=0) == n:  # a full row: every column by itself
        return np.arange(n, dtype=np.int32), n
    by_column = as_pattern(pattern.T)
    conflicts = _conflicts(pattern, pattern) if _degrees_matter(order) else None
    vertices = _order(order, n, seed, conflicts)
    columns = by_column.indptr, by_column.indices
    return partial_distance_two(*columns, pattern.indptr, pattern.indices, vertices)


def _split(pattern: scipy.sparse.csr_array) -> tuple[int, int, np.ndarray]:
    """How many of the densest rows to leave to row products.

    Returns
    -------
    tuple
        The colours that this takes at least, how many rows, and the rank of each row.
    """
    m, n = pattern.shape
    lengths = np.diff(pattern.indptr)
    densest = np.argsort(-lengths, kind="stable")
    rank = np.empty(m, np.int64)
    rank[densest] = np.arange(m)
    of_entry = np.repeat(rank, lengths)
    by_column = np.lexsort((of_entry, pattern.indices))
    starts = np.zeros(n + 1, np.int64)
    np.cumsum(np.bincount(pattern.indices, minlength=n), out=starts[1:])
    # The how-manieth of its column an entry is, among rows from the densest on.
    place = np.arange(pattern.nnz) - np.repeat(starts[:-1], np.diff(starts)) + 1
    tallest = np.zeros(m + 1, np.int64)
    np.maximum.at(tallest, of_entry[by_column] + 1, place)
    row_colors = np.maximum.accumulate(tallest)
    column_colors = np.append(lengths[densest], 0)
    total = row_colors + column_colors
    k = int(np.argmin(total))
    return int(total[k]), k, rank


def estimates(pattern: scipy.sparse.csr_array) -> dict[str, int]:
    """Lower bounds of the numbers of colours: the entries of the fullest row, or column."""
    by_column = as_pattern(pattern.T)
    return {
        "column": int(np.diff(pattern.indptr).max(initial=0)),
        "row": int(np.diff(by_column.indptr).max(initial=0)),
        "bidirectional": min(_split(pattern)[0], _split(by_column)[0]),
    }


def _bidirectional(pattern: scipy.sparse.csr_array, order: str, seed: int) -> Coloring:
    from ..kernels.cpu.coloring import two_sided

    m, n = pattern.shape
    number = scipy.sparse.csr_array(
        (np.arange(pattern.nnz, dtype=np.int32), pattern.indices, pattern.indptr), pattern.shape
    )
    by_column = number.T.tocsr()  # data: where each entry stands row by row
    by_row_products, k, rank = _split(pattern)
    by_column_products, j, column_rank = _split(as_pattern(pattern.T))
    if by_row_products <= by_column_products:
        own = np.repeat(rank, np.diff(pattern.indptr)) >= k
    else:
        own = column_rank[pattern.indices] < j
    theirs = own[by_column.data]
    of_columns = of_rows = None
    if _degrees_matter(order):
        of_columns = _conflicts(_only(pattern, own), pattern)
        other = scipy.sparse.csr_array(pattern.T)
        of_rows = _conflicts(_only(as_pattern(other), ~theirs), as_pattern(other))
    columns, rows = np.full(n, -1, np.int32), np.full(m, -1, np.int32)
    column_sides = by_column.indptr, by_column.indices
    row_sides = pattern.indptr, pattern.indices
    n_columns = two_sided(
        *column_sides, theirs, *row_sides, own, _order(order, n, seed, of_columns), columns
    )
    n_rows = two_sided(
        *row_sides, ~own, *column_sides, ~theirs, _order(order, m, seed, of_rows), rows
    )
    return Coloring("bidirectional", order, columns, rows, int(n_columns), int(n_rows), own)


def _only(pattern: scipy.sparse.csr_array, mask: np.ndarray) -> scipy.sparse.csr_array:
    """The entries flagged in ``mask``."""
    made = pattern.copy()
    made.data = mask.copy()
    made.eliminate_zeros()
    return made


# --- Hessians ------------------------------------------------------------------------------------


def _symmetric(
    pattern: scipy.sparse.csr_array, kind: str, order: str, seed: int
) -> tuple[np.ndarray, int]:
    kernel = star if kind == "star" else _acyclic
    graph, _ = adjacency(pattern, kind)
    found = []
    for private in _private(graph):
        left = np.ones(graph.shape[0], bool)
        left[private] = False
        part, edges = (
            adjacency(as_pattern(graph[left][:, left]), kind)
            if private.size
            else (adjacency(graph, kind))
        )
        vertices = _order(order, part.shape[0], seed, part)
        colors, count = kernel(part.indptr, part.indices, edges, vertices)
        full = np.empty(graph.shape[0], np.int32)
        full[left] = colors
        full[private] = np.arange(count, count + private.size)
        found.append((full, count + private.size))
    return min(found, key=lambda f: f[1])


def _acyclic(
    ptr: np.ndarray, indices: np.ndarray, edges: np.ndarray, order: np.ndarray
) -> tuple[np.ndarray, int]:
    from ..kernels.cpu.coloring import acyclic

    colors = np.full(order.size, -1, np.int32)
    return colors, int(acyclic(ptr, indices, edges, order, colors))


# A greedy colouring walks paths of two edges. With more of them than so many an edge (and than
# what takes no time), those through the busiest vertices are spared.
PATHS = 64
FEW = 1_000_000


def _private(graph: scipy.sparse.csr_array) -> list[np.ndarray]:
    """Sets of vertices to try with a colour each for themselves.

    A vertex whose colour nobody shares is in no path or cycle of two colours, so the rest is
    coloured without it. That serves a few variables that meet many others, which a greedy
    colouring gives one colour and then needs a new one for each of the others (K_(m, n) with the
    smaller side first takes n + 1 colours in place of m + 1).
    """
    degrees = np.diff(graph.indptr).astype(np.int64)
    if not degrees.size:
        return [np.zeros(0, np.int64)]
    busiest = np.argsort(-degrees, kind="stable")
    descending = degrees[busiest]
    fewest = int(np.argmin(np.arange(degrees.size) + descending))
    paths = np.append(np.cumsum((descending**2)[::-1])[::-1], 0)
    walked = int(np.argmax(paths <= max(PATHS * graph.nnz, FEW)))
    counts = {max(walked, fewest)} if walked else {0, fewest}
    return [np.sort(busiest[:k]) for k in sorted(counts)]


def adjacency(
    pattern: scipy.sparse.csr_array, kind: str
) -> tuple[scipy.sparse.csr_array, np.ndarray]:
    """The graph of a symmetric pattern, and a number for every edge, the same at both ends."""
    m, n = pattern.shape
    graph = _without_diagonal(pattern) if m == n else pattern
    number = scipy.sparse.csr_array(
        (np.arange(graph.nnz, dtype=np.int32), graph.indices, graph.indptr), shape=graph.shape
    )
    mate = number.T.tocsr()
    if m != n or not (
        np.array_equal(mate.indptr, graph.indptr) and np.array_equal(mate.indices, graph.indices)
    ):
        raise ValueError(
            f"color: expected a symmetric pattern for a {kind} colouring; got one of shape "
            f"{(m, n)} that is not; use kind='column'."
        )
    return graph, np.minimum(number.data, mate.data)
