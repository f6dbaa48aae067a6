"""Calls of numpy.lib.stride_tricks and numpy.lib.scimath (np.emath)."""

from __future__ import annotations

import numpy as np

from support.cases import Cases
from support.cases_numpy import EAGER, P, S, T, U, V, X, Z

strides = Cases(np.lib.stride_tricks, "functorch_like.numpy.lib.stride_tricks")
strides("sliding_window_view", V, window_shape=3)
strides("sliding_window_view", X, window_shape=(2, 3))
strides("sliding_window_view", T, window_shape=2, axis=1)
strides("sliding_window_view", T, window_shape=(2, 3), axis=(-1, 1))
strides("sliding_window_view", X, window_shape=(2, 2), axis=(1, 1))
strides.refuse(
    "reads memory by strides, which a traced array has not; use sliding_window_view or indexing",
    "as_strided",
)
strides("as_strided", V, shape=(2, 2), strides=(8, 8))

# Whether the result is complex depends on values, which a batch or a graph has not got.
emath = Cases(np.emath, "functorch_like.numpy.emath")
for name in ("sqrt", "log", "log2", "log10"):
    for x in (P, X, Z):
        emath(name, x, without=EAGER)
for name in ("arccos", "arcsin", "arctanh"):
    for x in (U, X * 2 + 0.1, Z):
        emath(name, x, without=EAGER)
emath("power", P, X, without=EAGER)
emath("power", X, call=lambda f, x: f(x, 1.5), without=EAGER)
emath("power", P, S, without=EAGER)
emath("power", P, call=lambda f, x: f(2.0, x), without=EAGER)
emath("logn", P, call=lambda f, x: f(3.0, x), without=EAGER)
emath("logn", P, X, without=EAGER)
