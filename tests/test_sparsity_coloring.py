"""Colourings: valid by their definitions on random patterns, counts as published.

References: [GMP] Gebremedhin, Manne, Pothen, SIAM Review 47 (2005); [GPTW] Gebremedhin, Pothen,
Tarafdar, Walther, INFORMS J. Comput. 21 (2009); [FRR] Fertin, Raspaud, Reed, "Star coloring of
graphs", J. Graph Theory 47 (2004), which has the star chromatic numbers below.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

import functorch_like as ft
from functorch_like.sparsity.coloring import KINDS, ORDERS
from functorch_like.sparsity.index_sets import IndexSets, stacked, union

color = ft.sparsity.color


@st.composite
def patterns(draw: st.DrawFn, symmetric: bool = False) -> np.ndarray:
    m = draw(st.integers(0, 7 if symmetric else 9))
    n = m if symmetric else draw(st.integers(0, 9))
    density = draw(st.sampled_from([0.1, 0.3, 0.6]))
    made = np.random.default_rng(draw(st.integers(0, 10**6))).random((m, n)) < density
    return made | made.T if symmetric else made


def assert_orthogonal(pattern: np.ndarray, colors: np.ndarray) -> None:
    """No two columns of a colour have an entry in one row."""
    for c in np.unique(colors):
        assert np.max(np.sum(pattern[:, colors == c], axis=1), initial=0) <= 1


orders = st.sampled_from(ORDERS)


@settings(max_examples=60, deadline=None)
@given(patterns(), orders)
def test_columns_and_rows(pattern: np.ndarray, order: str) -> None:
    columns, rows = color(pattern, "column", order), color(pattern, "row", order)
    assert_orthogonal(pattern, columns.columns)
    assert_orthogonal(pattern.T, rows.rows)
    assert columns.n_colors == columns.columns.max(initial=-1) + 1
    assert rows.n_colors == rows.rows.max(initial=-1) + 1


@settings(max_examples=60, deadline=None)
@given(patterns(), orders)
def test_bidirectional(pattern: np.ndarray, order: str) -> None:
    # Each entry is alone in its row of its column's colour, or in its column of its row's.
    made = color(pattern, "bidirectional", order)
    for i, j in np.argwhere(pattern):
        by_column = made.columns[j] >= 0 and np.sum(pattern[i] & (made.columns == made.columns[j]))
        by_row = made.rows[i] >= 0 and np.sum(pattern[:, j] & (made.rows == made.rows[i]))
        assert by_column == 1 or by_row == 1


@settings(max_examples=60, deadline=None)
@given(patterns(symmetric=True), orders)
def test_star(pattern: np.ndarray, order: str) -> None:
    colors = color(pattern, "star", order).columns
    graph = pattern & ~np.eye(len(pattern), dtype=bool)
    for i, j in np.argwhere(graph):
        assert colors[i] != colors[j]
    for a, b, c, d in itertools.permutations(range(len(pattern)), 4):
        if graph[a, b] and graph[b, c] and graph[c, d]:
            assert len({colors[a], colors[b], colors[c], colors[d]}) > 2


@settings(max_examples=60, deadline=None)
@given(patterns(symmetric=True), orders)
def test_acyclic(pattern: np.ndarray, order: str) -> None:
    colors = color(pattern, "acyclic", order).columns
    graph = pattern & ~np.eye(len(pattern), dtype=bool)
    for i, j in np.argwhere(graph):
        assert colors[i] != colors[j]
    for a, b in itertools.combinations(np.unique(colors), 2):
        chosen = np.flatnonzero((colors == a) | (colors == b))
        part = graph[np.ix_(chosen, chosen)]
        trees = scipy.sparse.csgraph.connected_components(part, directed=False)[0]
        assert np.sum(part) // 2 == len(chosen) - trees  # a forest


# --- counts --------------------------------------------------------------------------------------


def banded(n: int, b: int) -> scipy.sparse.dia_array:
    return scipy.sparse.diags_array(np.ones(2 * b + 1), offsets=range(-b, b + 1), shape=(n, n))


def grid(*sizes: int) -> np.ndarray:
    """Adjacency of a grid, with loops: the Hessian of a sum over neighbours' differences."""
    made = scipy.sparse.csr_array((1, 1))
    for n in sizes:
        one = scipy.sparse.diags_array([1.0, 1.0], offsets=[-1, 1], shape=(n, n))
        made = scipy.sparse.kron(scipy.sparse.eye_array(made.shape[0]), one) + scipy.sparse.kron(
            made, scipy.sparse.eye_array(n)
        )
    return made.toarray() + np.eye(made.shape[0])


@pytest.mark.parametrize("b", [0, 1, 2, 5, 10])
def test_banded(b: int) -> None:
    """[GPTW], section 5: 2 b + 1 colours by columns and in a star colouring, b + 1 acyclic."""
    pattern = banded(200, b)
    assert color(pattern, "column").n_colors == 2 * b + 1
    assert color(pattern, "row").n_colors == 2 * b + 1
    assert color(pattern, "star").n_colors == 2 * b + 1
    assert color(pattern, "acyclic").n_colors == b + 1


@pytest.mark.parametrize("order", ORDERS)
def test_arrow(order: str) -> None:
    """[GMP], figure 4: an arrow needs n colours by columns, 3 both ways, 2 if symmetric."""
    n = 50
    pattern = np.eye(n, dtype=bool)
    pattern[0] = pattern[:, 0] = True
    assert color(pattern, "column", order).n_colors == n
    assert color(pattern, "row", order).n_colors == n
    assert color(pattern, "bidirectional", order).n_colors == 3
    assert color(pattern, "acyclic", order).n_colors == 2
    assert color(pattern, "star", order).n_colors == 2


def test_two_sided_with_dense_rows_and_columns() -> None:
    # r dense rows, c dense columns and a diagonal: r row products, c + 1 column products.
    for r, c in ((1, 1), (3, 2), (4, 0), (0, 4)):
        pattern = np.eye(60, dtype=bool)
        pattern[:r] = True
        pattern[:, 60 - c :] = True
        made = color(pattern, "bidirectional")
        assert made.n_colors <= r + c + 1


FIGURE_41 = ("110000", "111011", "011100", "001101", "010010", "010101")
FIGURE_61 = (
    "1100001000", "1110100000", "0111010000", "0011000001", "0100110100",
    "0010110010", "1000001100", "0000101110", "0000010111", "0001000011",
)  # fmt: skip


def read(rows: Sequence[str]) -> np.ndarray:
    return np.array([[c == "1" for c in row] for row in rows])


def test_published_figures() -> None:
    """[GMP], figure 4.1 has a star colouring of 3 colours, figure 6.1 an acyclic one of 3.

    [GPTW], figure 1 colours the graph of figure 6.1 with 5 colours by stars.
    """
    pattern = read(FIGURE_41)
    assert color(pattern, "star", ORDERS).n_colors == 3
    pattern = read(FIGURE_61)
    assert color(pattern, "acyclic", ORDERS).n_colors == 3
    assert color(pattern, "star", ORDERS).n_colors <= 5


@pytest.mark.parametrize("order", ORDERS)
def test_known_star_chromatic_numbers(order: str) -> None:
    """[FRR]: paths and trees 3, cycles 3 (C5: 4), grids 5, K_(m, n) min(m, n) + 1; K_n n."""

    def count(pattern: np.ndarray) -> int:
        return color(pattern, "star", order).n_colors

    path = banded(30, 1).toarray()
    assert count(path) >= 3
    for n in (4, 5, 6, 9, 12):
        cycle = np.eye(n) + np.roll(np.eye(n), 1, 0) + np.roll(np.eye(n), -1, 0)
        assert count(cycle) >= (4 if n == 5 else 3)
    assert count(grid(6, 7)) >= 5
    assert count(np.ones((7, 7))) == 7
    both = np.block([[np.eye(3), np.ones((3, 8))], [np.ones((8, 3)), np.eye(8)]])
    assert count(both) == 4
    assert count(both[::-1, ::-1]) == 4
    assert count(path) <= 4
    assert count(grid(6, 7)) <= 9


def test_grids() -> None:
    # The five-point stencil needs 5 columns; 5 stars and 3 trees are the least for its graph.
    stencil = grid(40, 40)
    assert 5 <= color(stencil, "column", ORDERS).n_colors <= 8
    assert 5 <= color(stencil, "star", ORDERS).n_colors <= 7
    assert 3 <= color(stencil, "acyclic", ORDERS).n_colors <= 5


def test_orders_are_what_they_say() -> None:
    rng = np.random.default_rng(0)
    pattern = rng.random((40, 40)) < 0.08
    pattern |= pattern.T
    np.fill_diagonal(pattern, False)
    from functorch_like.kernels.cpu.coloring import bucket_order

    graph = scipy.sparse.csr_array(pattern)
    ptr, indices = graph.indptr.astype(np.int32), graph.indices.astype(np.int32)
    last = bucket_order(ptr, indices, True)
    for k in range(len(last) - 1, -1, -1):  # the last has the fewest neighbours among the rest
        degrees = pattern[np.ix_(last[: k + 1], last[: k + 1])].sum(axis=1)
        assert degrees[-1] == degrees.min()
    incidence = bucket_order(ptr, indices, False)
    for k in range(len(incidence)):
        degrees = pattern[np.ix_(incidence[k:], incidence[:k])].sum(axis=1)
        assert degrees[0] == degrees.max()
    assert sorted(last) == sorted(incidence) == list(range(40))


def test_a_planar_graph_with_smallest_last_order() -> None:
    # Smallest-last colouring of neighbours uses no more colours than one more than the largest
    # of the smallest degrees (Matula, Beck 1983): for stars the count is at least that small bound.
    tree = np.zeros((31, 31), bool)
    for k in range(1, 31):
        tree[k, (k - 1) // 2] = tree[(k - 1) // 2, k] = True
    assert color(tree, "acyclic", "smallest_last").n_colors == 2
    assert color(tree, "star", "natural").n_colors >= 3


@pytest.mark.parametrize("n", [1023, 1024, 1025, 140_000])
def test_sizes_of_programs(n: int) -> None:
    """Arrays are padded up to some size, which must not show."""
    chain = banded(n, 1)
    for kind, colors in (("column", 3), ("row", 3), ("star", 3), ("acyclic", 2)):
        made = color(chain, kind)
        shown = made.rows if kind == "row" else made.columns
        assert made.n_colors == colors and shown is not None and shown.shape == (n,)
        assert shown.min() == 0 and shown.max() == colors - 1
        assert np.all(shown[1:] != shown[:-1])
        if kind in ("column", "row"):
            assert np.all(shown[2:] != shown[:-2])
        if kind == "star":
            assert not np.any((shown[3:] == shown[1:-2]) & (shown[2:-1] == shown[:-3]))


def test_errors_and_choices() -> None:
    with pytest.raises(ValueError, match="expected kind to be one of column, row"):
        color(np.eye(3), "diagonal")
    with pytest.raises(ValueError, match="expected order to be one of natural"):
        color(np.eye(3), "column", "best")
    with pytest.raises(ValueError, match="at least one order"):
        color(np.eye(3), "column", ())
    for kind in ("star", "acyclic"):
        with pytest.raises(ValueError, match="symmetric pattern"):
            color(np.tri(3), kind)
        with pytest.raises(ValueError, match="symmetric pattern"):
            color(np.ones((2, 3)), kind)
    best = color(banded(9, 1), "star", ORDERS)
    assert best.n_colors == min(color(banded(9, 1), "star", o).n_colors for o in ORDERS)
    again = [color(banded(50, 3), "column", "random", seed=7).columns for _ in range(2)]
    np.testing.assert_array_equal(*again)
    assert color(np.zeros((0, 0)), "star").n_colors == 0
    assert {color(np.eye(3), kind).n_colors for kind in KINDS} == {1}


def test_dense_rows_refuse_orders_that_count_meetings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("functorch_like.sparsity.coloring.MOST", 1000)
    pattern = np.ones((2, 101), bool)
    pattern[:, 100] = False
    with pytest.raises(ValueError, match=r"row 0 alone has 100 entries.*order='natural'"):
        color(pattern, "column", "smallest_last")


def test_busy_rows_and_columns_take_no_quadratic_time() -> None:
    # 10 ** 5 variables of which 3 meet all others: some 10 ** 10 paths of two edges.
    n, p = 100_000, 3
    rows = np.concatenate([np.repeat(np.arange(p), n), np.arange(n - 1)])
    columns = np.concatenate([np.tile(np.arange(n), p), np.arange(1, n)])
    half = scipy.sparse.coo_array((np.ones(rows.size, bool), (rows, columns)), shape=(n, n))
    pattern = half + half.T
    assert color(pattern, "star").n_colors <= p + 4
    assert color(pattern, "acyclic").n_colors <= p + 3
    assert color(pattern, "bidirectional").n_colors <= 2 * p + 3
    assert color(pattern, "column").n_colors == n


# --- the sets of indices -------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 6), st.integers(1, 4), st.integers(1, 3))
def test_index_sets(seed: int, a: int, b: int, c: int) -> None:
    rng = np.random.default_rng(seed)
    dense = rng.random((a * b * c, 7)) < 0.3
    sets = IndexSets.of_matrix(scipy.sparse.csr_array(dense))
    other = rng.random((a * b * c, 7)) < 0.3

    def rows(made: IndexSets) -> np.ndarray:
        return made.matrix().toarray()

    both = IndexSets.of_matrix(scipy.sparse.csr_array(other))
    np.testing.assert_array_equal(rows(union([sets, both])), dense | other)
    np.testing.assert_array_equal(rows(stacked([sets, both])), np.vstack([dense, other]))
    at = rng.integers(-1, a * b * c, 5)
    np.testing.assert_array_equal(rows(sets.take(at)), np.where(at[:, None] < 0, False, dense[at]))
    cube = dense.reshape(a, b, c, 7)
    for axes in ((), (0,), (1,), (0, 2), (0, 1, 2)):
        made = rows(sets.reduced((a, b, c), axes))
        np.testing.assert_array_equal(made, np.any(cube, axis=axes).reshape(-1, 7))
    for axis, reverse in ((0, False), (1, True), (2, False)):
        flipped = np.flip(cube, axis) if reverse else cube
        want = np.logical_or.accumulate(flipped, axis)
        want = np.flip(want, axis) if reverse else want
        made = rows(sets.running((a, b, c), axis, reverse))
        np.testing.assert_array_equal(made, want.reshape(-1, 7))
