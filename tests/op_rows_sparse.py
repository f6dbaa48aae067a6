"""Rows for the primitives of sparse matrices."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

INDICES = np.array([0, 2, 1, 2, 0, 3], np.int32)
INDPTR = np.array([0, 2, 2, 4, 6], np.int32)  # (4, 4), its second row empty
SQUARE = np.array([0, 1, 1, 2, 0, 2], np.int32)
SQUARE_ROWS = np.array([0, 2, 4, 6], np.int32)


def add_rows(
    row: Callable, normal: Callable, uniform: Callable, constant: Callable, f8, f4, c16
) -> None:
    """One row or more a primitive."""
    pattern = (constant(INDICES), constant(INDPTR))
    square = (constant(SQUARE), constant(SQUARE_ROWS))
    every = (f8, f4, c16)
    for transpose in (False, True):
        flipped = {"shape": (4, 5), "transpose": transpose}
        lines = 4 if transpose else 5
        for label, lead, columns in (("", (), 2), ("vector-", (), 1), ("batched-", (2,), 2)):
            row("sparse_product", normal(*lead, 6), normal(*lead, lines, columns), *pattern,
                params=flipped, dtypes=every, label=f"{label}{transpose}")  # fmt: skip
        for label, lead in (("flat-", ()), ("flat-batched-", (2,))):
            row("sparse_product", normal(*lead, 6), normal(*lead, lines), *pattern,
                params=flipped, dtypes=every, label=f"{label}{transpose}")  # fmt: skip
        row("sparse_solve", uniform(1, 2, 6), normal(3, 2), *square, dtypes=every,
            params={"transpose": transpose, "order": "COLAMD"}, label=str(transpose))  # fmt: skip
    row("sparse_solve", uniform(1, 2, 2, 6), normal(2, 3, 1), *square,
        params={"transpose": False, "order": "NATURAL"}, label="batched")  # fmt: skip
    for label, lead in (("", ()), ("batched", (2,))):
        row("sparse_sampled", normal(*lead, 4, 2), normal(*lead, 5, 2), *pattern,
            params={"shape": (4, 5)}, dtypes=every, label=label)  # fmt: skip
    # diagonally dominant, so that the eigenvalues found are apart
    wide = np.array([0, 1, 0, 1, 2, 1, 2, 3, 2, 3, 4, 3, 4], np.int32)
    wide_rows = np.array([0, 2, 5, 8, 11, 13], np.int32)
    options = {"which": "LM", "sigma": None, "tol": 0.0, "maxiter": None}
    row("sparse_eigenpairs", lambda rng, dtype: banded(rng).astype(dtype), constant(wide),
        constant(wide_rows), params={"k": 2, "hermitian": True, **options})  # fmt: skip
    row("sparse_eigenpairs", lambda rng, dtype: banded(rng).astype(dtype), constant(wide),
        constant(wide_rows), params={"k": 2, "hermitian": False, **options},
        label="general")  # fmt: skip


def banded(rng: np.random.Generator) -> np.ndarray:
    """Elements of a symmetric tridiagonal matrix of five rows."""
    off = rng.uniform(0.1, 0.3, 4)
    d = np.arange(1.0, 6.0) + rng.uniform(0, 0.2, 5)
    rows = [[d[0], off[0]]] + [[off[i - 1], d[i], off[i]] for i in (1, 2, 3)] + [[off[3], d[4]]]
    return np.concatenate(rows)
