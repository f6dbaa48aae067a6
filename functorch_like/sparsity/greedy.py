"""The colourings that plans take by default, compiled by our own ``script``.

Numba takes longer to import than these take to colour a million vertices; the other colourings and
orders, in ``kernels.cpu.coloring``, are compiled by it. Graphs come as compressed rows: the
neighbours of vertex v are ``indices[ptr[v]:ptr[v + 1]]``. A colour is a number from 0 on, -1 is
none. Every vertex gets the smallest colour that is allowed.

References: [GMP] A. H. Gebremedhin, F. Manne, A. Pothen, "What color is your Jacobian?", SIAM
Review 47 (2005); [GTMP] A. H. Gebremedhin, A. Tarafdar, F. Manne, A. Pothen, "New acyclic and star
coloring algorithms with application to computing Hessians", SIAM J. Sci. Comput. 29 (2007).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from ..jit import jit
from ..primitives.core import EVAL, under

__all__ = ["partial_distance_two", "star"]


def _partial_distance_two(
    n: Any, column_ptr: Any, rows: Any, row_ptr: Any, columns: Any, order: Any
) -> Any:
    """[GMP], algorithm 3.2; ``n`` columns, arrays may be longer."""
    colors = np.full(order.size, -1, np.int32)
    forbidden = np.full(order.size + 1, -1, np.int32)  # forbidden[c] == v: not for vertex v
    count = 0
    for k in range(n):
        v = order[k]
        for a in range(column_ptr[v], column_ptr[v + 1]):
            i = rows[a]
            for b in range(row_ptr[i], row_ptr[i + 1]):
                c = colors[columns[b]]
                if c >= 0:
                    forbidden[c] = v
        color = 0
        while forbidden[color] == v:
            color += 1
        colors[v] = color
        count = max(count, color + 1)
    return colors, count


def _star(n: Any, ptr: Any, indices: Any, edges: Any, order: Any) -> Any:
    """[GTMP], algorithm 4.1; ``n`` vertices, arrays may be longer.

    Each two colours induce a set of stars, which are kept up to date, so that a vertex asks only
    whether it would lengthen one. A star's hub is -1 while it has one edge.
    """
    colors = np.full(order.size, -1, np.int32)
    forbidden = np.full(order.size + 1, -1, np.int32)
    first_of = np.full(order.size + 1, -1, np.int32)  # first_of[c] == v: v has a neighbour
    first = np.zeros(order.size + 1, np.int32)  # coloured c, the first one met being this,
    first_edge = np.zeros(order.size + 1, np.int32)  # along this edge
    treated = np.full(order.size, -1, np.int32)
    star_of = np.zeros(indices.size, np.int32)
    hub = np.zeros(indices.size, np.int32)
    stars = 0
    count = 0
    for k in range(n):
        v = order[k]
        for a in range(ptr[v], ptr[v + 1]):
            w = indices[a]
            cw = colors[w]
            if cw >= 0:
                forbidden[cw] = v
                if first_of[cw] == v:
                    # v would be the hub of w and q: none of their neighbours may have its colour.
                    q = first[cw]
                    if treated[q] != v:
                        for b in range(ptr[q], ptr[q + 1]):
                            c = colors[indices[b]]
                            if c >= 0:
                                forbidden[c] = v
                        treated[q] = v
                    for b in range(ptr[w], ptr[w + 1]):
                        c = colors[indices[b]]
                        if c >= 0:
                            forbidden[c] = v
                    treated[w] = v
                else:
                    first_of[cw] = v
                    first[cw] = w
                    first_edge[cw] = edges[a]
                    for b in range(ptr[w], ptr[w + 1]):
                        x = indices[b]
                        c = colors[x]
                        # w is a spoke of x: with the colour of x, v would hang on the spoke.
                        if x != v and c >= 0 and hub[star_of[edges[b]]] == x:
                            forbidden[c] = v
        color = 0
        while forbidden[color] == v:
            color += 1
        colors[v] = color
        count = max(count, color + 1)
        for a in range(ptr[v], ptr[v + 1]):
            w = indices[a]
            cw = colors[w]
            if cw >= 0:
                e = edges[a]
                joined = False
                b = ptr[w]
                while not joined and b < ptr[w + 1]:
                    x = indices[b]
                    if x != v and colors[x] == color:  # w is the hub of x and v
                        star_of[e] = star_of[edges[b]]
                        hub[star_of[e]] = w
                        joined = True
                    b += 1
                if not joined:
                    if first[cw] != w:  # v is the hub of the first one and w
                        star_of[e] = star_of[first_edge[cw]]
                        hub[star_of[e]] = v
                    else:
                        star_of[e] = stars
                        hub[stars] = -1
                        stars += 1
    return colors, count


# A program is staged anew for every size, which takes longer than to colour so many vertices:
# smaller arrays are padded to the next power of four.
PADDED = 1 << 17


def _size(n: int) -> int:
    made = 1 << 10
    while made < n:
        made *= 4
    return made if made <= PADDED else n


def _padded(x: np.ndarray) -> np.ndarray:
    x = np.asarray(x, np.int32)
    longer = np.zeros(_size(x.size), np.int32)
    longer[: x.size] = x
    return longer if longer.size > x.size else x


@functools.lru_cache(maxsize=32)
def _compiled(function: Callable, shapes: tuple[int, ...]) -> Callable:
    """The program for arrays of so many elements."""
    like = [np.broadcast_to(np.int32(0), (size,)) for size in shapes]
    with under(EVAL):
        return jit(function, script=True).lower(0, *like).compile()


def _colored(function: Callable, n: int, arrays: tuple[np.ndarray, ...]) -> tuple[np.ndarray, int]:
    given = [_padded(x) for x in arrays]
    colors, count = _compiled(function, tuple(x.size for x in given))(n, *given)
    return np.asarray(colors)[:n].copy(), int(count)


def partial_distance_two(
    column_ptr: np.ndarray,
    rows: np.ndarray,
    row_ptr: np.ndarray,
    columns: np.ndarray,
    order: np.ndarray,
) -> tuple[np.ndarray, int]:
    """Colour columns so that two with an entry in one row differ; colours and their number."""
    return _colored(_partial_distance_two, order.size, (column_ptr, rows, row_ptr, columns, order))


def star(
    ptr: np.ndarray, indices: np.ndarray, edges: np.ndarray, order: np.ndarray
) -> tuple[np.ndarray, int]:
    """Colour neighbours differently and leave no path of four vertices with two colours.

    ``edges`` numbers the undirected edges: equal for (v, w) and (w, v), below ``indices.size``.
    """
    return _colored(_star, order.size, (ptr, indices, edges, order))
