"""Calls of numpy: indexing, sorting, sets, functions that assign."""

from __future__ import annotations

from typing import Any

import numpy as np

from support.cases_numpy import EAGER, EMPTY, HOLES, MASK, P, S, T, V, W, X, Y, Z, cases

cases("take", X, indices=[0, 5, 3])
cases("take", X, indices=[[0, -1], [1, 1]], axis=-1)
cases("take", X, indices=np.array(2), axis=0)
cases("take", X, indices=[-7, 5, 40], axis=1, mode="wrap")
cases("take", X, indices=[-7, 5, 40], mode="clip")
cases("take", X, V, call=lambda f, x, v: f(x, np.argsort(v), axis=1))
cases("take", X, V, call=lambda f, x, v: f(x, (v * 20).astype(int), axis=1, mode="wrap"))
cases("take", S, indices=[0, 0])
cases("take_along_axis", X, call=lambda f, x: f(x, np.argsort(x, 1), 1))
cases("take_along_axis", X, call=lambda f, x: f(x, np.argmax(x, 0, keepdims=True), axis=0))
cases("take_along_axis", X, call=lambda f, x: f(x, np.array([3, 3, 1]), axis=None))
cases("take_along_axis", X, call=lambda f, x: f(x, np.array([[0, 1]]), axis=1))
cases("compress", X, call=lambda f, x: f([True, False, True], x, axis=0))
cases("compress", X, call=lambda f, x: f([True, False, True], x))
cases("compress", X, call=lambda f, x: f(x[0] > 0, x, axis=-1), without=EAGER)
cases("extract", X, call=lambda f, x: f(MASK, x))
cases("extract", X, call=lambda f, x: f(x > 0, x), without=EAGER)
cases("nonzero", X, call=lambda f, x: f(x > 0), without=EAGER)
cases("flatnonzero", X, call=lambda f, x: f(x > 0), without=EAGER)
cases("argwhere", X, call=lambda f, x: f(x > 0), without=EAGER)
cases("delete", X, obj=1, axis=0)
cases("delete", X, obj=[0, -1], axis=-1)
cases("delete", X, obj=slice(None, None, 2), axis=1)
cases("delete", X, obj=[3, 3])
cases("delete", X, obj=[True, False, True], axis=0)
cases("insert", X, V, call=lambda f, x, v: f(x, 1, v, axis=0))
cases("insert", X, V, call=lambda f, x, v: f(x, [1, 3], v[:2], axis=1))
cases("insert", X, call=lambda f, x: f(x, [0, -1], 7.0))
cases("insert", X, W, call=lambda f, x, w: f(x, [2, 0, 2], w[:, None] * np.ones(3), axis=1))
cases("insert", X, S, call=lambda f, x, s: f(x, slice(0, 4, 2), s, axis=-1))
cases("insert", X, W, call=lambda f, x, w: f(x, [1], w[:, None], axis=1))
cases("insert", X, W, call=lambda f, x, w: f(x, 1, w, axis=1))
cases("choose", X, Y, call=lambda f, x, y: f(MASK.astype(int), [x, y]))
cases("choose", X, Y, call=lambda f, x, y: f((x > 0).astype(int), [y, x * 2]))
cases("choose", X, Y, call=lambda f, x, y: f([[5, -3, 1, 0]], [x, y], mode="wrap"))
cases("choose", X, Y, call=lambda f, x, y: f([[5, -3, 1, 0]], [x, y], mode="clip"))
cases("choose", X, V, S, call=lambda f, x, v, s: f([2, 0, 1, 2], [x, v, s]))
cases(
    "ravel_multi_index", V, call=lambda f, v: f(((np.abs(v) * 2).astype(int), [1, 2, 0, 1]), (9, 3))
)
cases("unravel_index", V, call=lambda f, v: f((np.abs(v) * 5).astype(int), (9, 6)))
cases("diag_indices_from", X[:, :3])
cases("tril_indices_from", X, k=1)
cases("triu_indices_from", X, k=-1)
cases("mask_indices", X, call=lambda f, x: x[f(3, np.triu, 1)])
cases(
    "trim_zeros",
    np.array([0.0, 0.0, 1.3, 0.0, 2.0, 0.0]),
    without=EAGER,
    call=lambda f, x: f(x * (np.abs(x) > 0.5)),
)
cases(
    "trim_zeros",
    np.array([0.0, 0.0, 1.3, 0.0, 2.0, 0.0]),
    without=EAGER,
    call=lambda f, x: f(x * (np.abs(x) > 0.5), "f"),
)
cases("trim_zeros", X, without=EAGER, call=lambda f, x: f(np.pad(x, 1), "b", axis=1))
for name in ("packbits",):
    cases(name, X, call=lambda f, x: f(x > 0, axis=1))
    cases(name, X, call=lambda f, x: f(x > 0, bitorder="little"))
cases("unpackbits", X, call=lambda f, x: f((np.abs(x) * 9).astype(np.uint8), axis=0))
cases(
    "unpackbits",
    X,
    call=lambda f, x: f((np.abs(x) * 9).astype(np.uint8), count=5, bitorder="little"),
)

# --- sorting -------------------------------------------------------------------------------------

for name in ("sort", "argsort"):
    cases(name, X)
    cases(name, X, axis=0)
    cases(name, X, axis=None)
    cases(name, Z, axis=1, kind="heapsort")
    cases(name, X, stable=True)
    cases(name, X, kind="mergesort")
    cases(name, EMPTY)
cases("sort_complex", Z)
cases("sort_complex", X)
cases("lexsort", X, V, call=lambda f, x, v: f((x[0], np.round(v))))
cases("lexsort", X, axis=0)
cases("lexsort", T)
for name in ("partition", "argpartition"):
    cases(name, X, kth=1)
    cases(name, X, kth=(0, 2), axis=-1)
    cases(name, X, kth=5, axis=None)
    cases(name, X, kth=-1, axis=0)
KNOTS = np.array([-1.0, 0.0, 0.5, 0.5, 2.0])
for side in ("left", "right"):
    cases("searchsorted", X, call=lambda f, x, s=side: f(KNOTS, x, side=s))
    cases("searchsorted", P[0], S, call=lambda f, a, v, s=side: f(np.cumsum(a), v, s))
    cases("searchsorted", V, X, call=lambda f, a, v, s=side: f(a, v, s, sorter=np.argsort(a)))
    cases("searchsorted", V, call=lambda f, v, s=side: f(np.sort(v), 0.5, s))
for name in ("unique", "unique_values", "unique_counts", "unique_inverse", "unique_all"):
    cases(name, X, without=EAGER)
    cases(name, np.array([1.0, 3.0, 1.0, 2.0]), without=EAGER, call=lambda f, x: f(np.round(x)))
cases(
    "unique", X, axis=0, return_index=True, return_inverse=True, return_counts=True, without=EAGER
)
cases("unique", X, axis=-1, without=EAGER)
cases("unique", X, return_inverse=True, without=EAGER)
cases("unique", X, sorted=False, without=EAGER)
for name in ("union1d", "intersect1d", "setdiff1d", "setxor1d"):
    cases(name, V, W, without=EAGER)
    cases(name, V, call=lambda f, v: f(v, v[:2].copy()), without=EAGER)
cases("intersect1d", V, call=lambda f, v: f(v, v[1:], assume_unique=True), without=EAGER)
cases("intersect1d", V, call=lambda f, v: f(v, v[1:], return_indices=True), without=EAGER)
cases("setdiff1d", V, call=lambda f, v: f(v, v[1:], assume_unique=True), without=EAGER)
cases("setxor1d", V, call=lambda f, v: f(v, v[1:], assume_unique=True), without=EAGER)
cases("isin", X, call=lambda f, x: f(np.round(x), [0.0, 1.0]))
cases("isin", X, V, call=lambda f, x, v: f(x, v, invert=True))
cases("isin", X, call=lambda f, x: f(x, x[0, 1:], assume_unique=True))
cases("allclose", X, Y)
cases("allclose", X, call=lambda f, x: f(x, x + 1e-9, rtol=1e-3, atol=0.1, equal_nan=True))
cases("array_equal", X, Y)
cases("array_equal", HOLES, call=lambda f, x: f(x, x, equal_nan=True))
cases("array_equiv", X, V)
cases("array_equiv", V, call=lambda f, v: f(v, np.stack([v, v])))

# --- functions that assign -----------------------------------------------------------------------


def change(*arguments: Any, **keywords: Any) -> Any:
    """Assign to a copy of the first operand and return it; callables are given the operands."""

    def call(f: Any, *arrays: Any) -> Any:
        y = arrays[0].copy()
        f(y, *[a(*arrays) if callable(a) else a for a in arguments], **keywords)
        return y

    return call


cases("copyto", X, Y, call=change(lambda x, y: y))
cases("copyto", X, V, call=change(lambda x, v: v, where=MASK))
cases("copyto", X, S, call=change(lambda x, s: s, casting="unsafe"))
cases("copyto", X, V, call=lambda f, x, v: (y := np.zeros_like(x), f(y[1], v), x * y)[2])
cases("put", X, V, call=change([0, 5, -1], lambda x, v: v))
cases("put", X, V, call=change([0, 15, -21], lambda x, v: v[:2], mode="wrap"))
cases("put", X, S, call=change([0, 15, -21], lambda x, s: s, mode="clip"))
cases("putmask", X, V, call=change(MASK, lambda x, v: v))
cases("putmask", X, Y, call=change(lambda x, y: x > 0, lambda x, y: y))
cases("place", X, V, call=change(MASK, lambda x, v: v))
cases("place", X, S, call=change(lambda x, s: x > 0, lambda x, s: s), without=EAGER)
cases("put_along_axis", X, V, call=change(np.array([[0], [3], [1]]), lambda x, v: v[0], 1))
cases(
    "put_along_axis",
    X,
    V,
    call=change(lambda x, v: np.argmax(x, 0, keepdims=True), lambda x, v: v[None], 0),
)
cases("put_along_axis", X, V, call=change(np.array([3, 7]), lambda x, v: v[:2], None))
cases("fill_diagonal", X, S, call=change(lambda x, s: s))
cases("fill_diagonal", X, V, call=change(lambda x, v: v))
cases("fill_diagonal", T.reshape(6, 4)[:, :2].copy(), S, call=change(lambda x, s: s, wrap=True))
cases("fill_diagonal", T[:, :2, :2], V, call=change(lambda x, v: v[:2]))
