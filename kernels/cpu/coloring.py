"""Greedy colourings of sparse matrices' graphs, and the orders in which they take the vertices.

Graphs come as compressed rows: the neighbours of vertex v are ``indices[ptr[v]:ptr[v + 1]]``, all
arrays are int32. A colour is a number from 0 on, -1 is none. Every colouring gives a vertex the
smallest colour that is allowed, and takes time in proportion to the paths of length two.

References: [GMP] A. H. Gebremedhin, F. Manne, A. Pothen, "What color is your Jacobian?", SIAM
Review 47 (2005); [GTMP] A. H. Gebremedhin, A. Tarafdar, F. Manne, A. Pothen, "New acyclic and star
coloring algorithms with application to computing Hessians", SIAM J. Sci. Comput. 29 (2007);
[GPTW] A. H. Gebremedhin, A. Pothen, A. Tarafdar, A. Walther, "Efficient computation of sparse
Hessians using coloring and automatic differentiation", INFORMS J. Comput. 21 (2009).

The colourings that plans take by default are in ``functorch_like.sparsity.greedy``. This module
needs Numba; import it where it is used.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

__all__ = [
    "acyclic",
    "bucket_order",
    "substitute",
    "substitution_order",
    "two_sided",
]


@numba.njit(cache=True, nogil=True)
def two_sided(
    ptr: Any,
    others: Any,
    own: Any,
    other_ptr: Any,
    indices: Any,
    other_own: Any,
    order: Any,
    colors: Any,
) -> Any:  # pragma: no cover - compiled
    """Colour one side of a matrix for the entries that this side recovers.

    For columns: ``others`` are the rows of each column's entries, ``own`` flags the entries that
    columns recover; ``indices`` and ``other_own`` are the same entries by rows. Two columns
    conflict if a row has entries in both and a column recovers one of these. Columns that recover
    nothing keep the colour -1.
    """
    m = other_ptr.size - 1
    matters = np.zeros(m, np.bool_)  # rows of which columns recover anything
    for i in range(m):
        for b in range(other_ptr[i], other_ptr[i + 1]):
            matters[i] = matters[i] or other_own[b]
    forbidden = np.full(order.size + 1, -1, np.int32)
    count = 0
    for k in range(order.size):
        v = order[k]
        needed = False
        for a in range(ptr[v], ptr[v + 1]):
            needed = needed or own[a]
        if not needed:
            continue
        for a in range(ptr[v], ptr[v + 1]):
            i = others[a]
            if not matters[i]:
                continue
            for b in range(other_ptr[i], other_ptr[i + 1]):
                c = colors[indices[b]]
                if c >= 0 and (own[a] or other_own[b]):
                    forbidden[c] = v
        c = 0
        while forbidden[c] == v:
            c += 1
        colors[v] = c
        count = max(count, c + 1)
    return count


@numba.njit(cache=True, nogil=True)
def _root(parent: Any, e: Any) -> Any:  # pragma: no cover - compiled
    while parent[e] != e:
        parent[e] = parent[parent[e]]
        e = parent[e]
    return e


@numba.njit(cache=True, nogil=True)
def acyclic(
    ptr: Any, indices: Any, edges: Any, order: Any, colors: Any
) -> Any:  # pragma: no cover - compiled
    """Colour neighbours differently and leave no cycle with two colours.

    [GTMP], algorithm 3.1: the trees that each two colours induce are disjoint sets of edges.
    """
    n = order.size
    forbidden = np.full(n + 1, -1, np.int32)
    first_of = np.full(n + 1, -1, np.int32)
    first_edge = np.empty(n + 1, np.int32)
    visited_of = np.full(indices.size, -1, np.int32)  # by the root of a tree: which vertex came
    visited_by = np.empty(indices.size, np.int32)  # there, and from which neighbour of its
    parent = np.arange(indices.size).astype(np.int32)
    count = 0
    for k in range(n):
        v = order[k]
        for a in range(ptr[v], ptr[v + 1]):
            if colors[indices[a]] >= 0:
                forbidden[colors[indices[a]]] = v
        for a in range(ptr[v], ptr[v + 1]):
            w = indices[a]
            if colors[w] < 0:
                continue
            for b in range(ptr[w], ptr[w + 1]):
                cx = colors[indices[b]]
                if cx < 0 or forbidden[cx] == v:
                    continue
                tree = _root(parent, edges[b])
                if visited_of[tree] != v:
                    visited_of[tree] = v
                    visited_by[tree] = w
                elif visited_by[tree] != w:  # v would close a cycle through this tree
                    forbidden[cx] = v
        c = 0
        while forbidden[c] == v:
            c += 1
        colors[v] = c
        count = max(count, c + 1)
        for a in range(ptr[v], ptr[v + 1]):
            w = indices[a]
            cw = colors[w]
            if cw < 0:
                continue
            if first_of[cw] != v:
                first_of[cw] = v
                first_edge[cw] = edges[a]
            else:
                parent[_root(parent, edges[a])] = _root(parent, first_edge[cw])
            for b in range(ptr[w], ptr[w + 1]):
                if indices[b] != v and colors[indices[b]] == c:
                    parent[_root(parent, edges[a])] = _root(parent, edges[b])
    return count


@numba.njit(cache=True, nogil=True)
def bucket_order(ptr: Any, indices: Any, last: Any) -> Any:  # pragma: no cover - compiled
    """Smallest-last order if ``last``, otherwise incidence-degree order: [GMP], section 7.

    Smallest last: from the end, a vertex with the fewest neighbours among those that are left.
    Incidence degree: next, a vertex with the most neighbours among those already taken.
    """
    n = ptr.size - 1
    degree = np.zeros(n, np.int32)
    largest = 0
    for v in range(n):
        largest = max(largest, ptr[v + 1] - ptr[v])
        if last:
            degree[v] = ptr[v + 1] - ptr[v]
    # Vertices of equal degree are a doubly linked list.
    head = np.full(largest + 1, -1, np.int32)
    following = np.full(n, -1, np.int32)
    before = np.full(n, -1, np.int32)
    for v in range(n - 1, -1, -1):
        d = degree[v]
        following[v] = head[d]
        if head[d] >= 0:
            before[head[d]] = v
        head[d] = v
    order = np.empty(n, np.int32)
    taken = np.zeros(n, np.bool_)
    d = 0
    for k in range(n):
        while d <= largest and d >= 0 and head[d] < 0:
            d += 1 if last else -1
        v = head[d]
        head[d] = following[v]
        if following[v] >= 0:
            before[following[v]] = -1
        taken[v] = True
        order[n - 1 - k if last else k] = v
        for a in range(ptr[v], ptr[v + 1]):
            w = indices[a]
            if taken[w]:
                continue
            if before[w] >= 0:
                following[before[w]] = following[w]
            else:
                head[degree[w]] = following[w]
            if following[w] >= 0:
                before[following[w]] = before[w]
            degree[w] += -1 if last else 1
            before[w] = -1
            following[w] = head[degree[w]]
            if head[degree[w]] >= 0:
                before[head[degree[w]]] = w
            head[degree[w]] = w
        d = max(d - 1, 0) if last else min(d + 1, largest)
    return order


@numba.njit(cache=True, nogil=True)
def substitution_order(
    ptr: Any, indices: Any, edges: Any, colors: Any, count: Any
) -> Any:  # pragma: no cover - compiled
    """The order in which substitution finds the entries of a symmetric matrix: [GPTW], section 3.

    Each sum of the compressed product, vertex i times colour c, holds the entries (i, j) with j
    coloured c. A sum with one unknown left gives that entry, which is then taken off the other
    sum that holds it. Edges come as (giving sum, other sum, edge); sums are numbered
    ``c * n + i``. Fewer rows than edges: the colouring is not acyclic.
    """
    n = ptr.size - 1
    unknown = np.zeros(n * count, np.int32)
    mixed = np.zeros(n * count, np.int32)  # exclusive or of the unknown entries' positions
    left = 0
    for i in range(n):
        for a in range(ptr[i], ptr[i + 1]):
            s = colors[indices[a]] * n + i
            unknown[s] += 1
            mixed[s] ^= edges[a]
            left += 1
    left //= 2
    ends = np.empty((indices.size, 2), np.int32)
    for i in range(n):
        for a in range(ptr[i], ptr[i + 1]):
            if i < indices[a]:
                ends[edges[a], 0] = i
                ends[edges[a], 1] = indices[a]
    ready = np.empty(n * count, np.int64)
    waiting = 0
    for s in range(n * count):
        if unknown[s] == 1:
            ready[waiting] = s
            waiting += 1
    steps = np.empty((left, 3), np.int64)
    done = 0
    k = 0
    while k < waiting:
        s = ready[k]
        k += 1
        if unknown[s] != 1:  # found from its other side by now
            continue
        e = mixed[s]
        i = s % n
        j = ends[e, 0] + ends[e, 1] - i
        t = colors[i] * n + j
        steps[done, 0] = s
        steps[done, 1] = t
        steps[done, 2] = e
        done += 1
        unknown[s] = 0
        unknown[t] -= 1
        mixed[t] ^= e
        if unknown[t] == 1:
            ready[waiting] = t
            waiting += 1
    return steps[:done]


@numba.njit(cache=True, nogil=True)
def substitute(sums: Any, steps: Any, places: Any, data: Any) -> None:  # pragma: no cover
    """Write the entries that ``substitution_order`` planned to their two places; uses up sums."""
    for k in range(steps.shape[0]):
        value = sums[steps[k, 0]]
        sums[steps[k, 1]] -= value
        data[places[k, 0]] = value
        data[places[k, 1]] = value
