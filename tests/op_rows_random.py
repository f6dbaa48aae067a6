"""Rows of the table for the primitives of random."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import functorch_like.primitives.random  # noqa: F401  (declare the primitives)


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

    def keys(*shape: int) -> Callable:
        return lambda rng, dtype: rng.integers(0, 2**32, (*shape, 2), np.uint32)

    U4, I8 = np.dtype(np.uint32), np.dtype(np.int64)
    for width in (8, 16, 32, 64):
        params = {"shape": (3, 2), "width": width}
        row("random_bits", keys(), params=params, dtypes=(U4,), label=str(width))
    for dtype in (np.dtype(np.float16), F4, F8):
        params = {"shape": (4,), "dtype": dtype}
        row("random_uniform", keys(), params=params, dtypes=(U4,), label=str(dtype))
    row("random_split", keys(), params={"shape": (3,)}, dtypes=(U4,))
    row("random_fold", keys(), keys(), dtypes=(U4,))

    counts = {"dtype": I8}
    whole = lambda *values: constant(np.array(values))
    row("random_poisson", keys(), uniform(1, 40, 6), params=counts, dtypes=(F8,))
    row("random_binomial", keys(), whole(5.0, 30.0, 900.0), uniform(0.1, 0.9, 3), params=counts,
        dtypes=(F8,))  # fmt: skip
    row("random_hypergeometric", keys(), whole(5, 30, 9), whole(7, 20, 0), whole(6, 40, 3),
        params=counts, dtypes=(I8,))  # fmt: skip

    # A sampler's own derivative is no difference of samples of one key: see test_random_gradients.
    for log in (False, True):
        row("random_gamma", keys(4), uniform(0.3, 9, 4), params={"log": log}, check=(),
            label=f"log={log}")  # fmt: skip
    row("random_von_mises", keys(4), uniform(0.3, 9, 4), check=())
    chance = lambda rng, dtype: rng.uniform(0.1, 0.9, 3).astype(dtype)
    row("wald_root", uniform(0.1, 3, 3), chance, uniform(1, 2, 3), check=())
    for order in (1, 2):
        params = {"order": order}
        row("gamma_slope", uniform(0.6, 4, 5), uniform(-2, 2, 5), params=params, label=str(order))
        row("von_mises_slope", uniform(0.6, 4, 5), uniform(-3, 3, 5), params=params,
            label=str(order))  # fmt: skip
        row("von_mises_mean", uniform(0.6, 4, 5), params=params, label=str(order))
    row("von_mises_mean", uniform(0.6, 4, 5), params={"order": 0}, label="0")
