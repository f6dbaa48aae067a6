"""Rows of the table for the primitives of filtering and of cosine and sine transforms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import functorch_like.primitives.filtering
import functorch_like.primitives.trigonometric_transform  # noqa: F401  (declare the primitives)


def add_rows(
    row: Callable,
    normal: Callable,
    uniform: Callable,
    constant: Callable,
    F8: Any,
    F4: Any,
    C16: Any,
) -> None:
    """Add a row or more for each primitive."""
    every = (F8, F4, C16)
    for x, w, ndim in [
        ((7,), (3,), 1),
        ((2, 7), (3,), 1),
        ((2, 7), (2, 3), 1),
        ((2, 7), (2, 1), 1),
        ((5, 6), (2, 3), 2),
        ((5, 6), (3, 1), 2),
        ((2, 5, 6), (1, 2, 3), 2),
        ((2, 3), (4,), 1),
    ]:
        label = f"{x}-{w}-{ndim}"
        row(
            "correlate_valid",
            normal(*x),
            normal(*w),
            params={"ndim": ndim},
            dtypes=every,
            label=label,
        )

    def denominator(*lead: int) -> Callable:
        def make(rng: np.random.Generator, dtype: np.dtype) -> np.ndarray:
            a = rng.uniform(-0.3, 0.3, (*lead, 3)).astype(dtype)
            a[..., 0] = 1.5
            return a

        return make

    row("linear_filter", normal(8), normal(2), denominator(), dtypes=every)
    row("linear_filter", normal(2, 8), normal(4), denominator(), dtypes=every, label="rows")
    row("linear_filter", normal(2, 8), normal(2, 3), denominator(), label="batch")
    for mode in ("mirror", "reflect", "grid-wrap"):
        for order in (2, 3, 5):
            params = {"order": order, "axis": 1, "mode": mode}
            row("spline_filter", normal(2, 6), params=params, dtypes=(F8,), label=f"{mode}-{order}")
    for name in ("dct", "dst"):
        for kind in (1, 2, 3, 4):
            params = {"name": name, "kind": kind, "axis": 1}
            row("trigonometric_transform", normal(2, 5), params=params, dtypes=every,
                label=f"{name}-{kind}")  # fmt: skip
