"""Rows of op_table.py for the primitives of linear algebra.

``add_rows`` is called by op_table.py with its helpers: tests are imported without their
folder on the path, so that this file cannot import them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def _random(rng: np.random.Generator, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    x = rng.normal(size=shape)
    return x + 1j * rng.normal(size=shape) if dtype.kind == "c" else x


def dominant(*shape: int) -> Callable:
    """Well-conditioned square matrices with distinct eigenvalues."""

    def make(rng: np.random.Generator, dtype: np.dtype) -> np.ndarray:
        x = _random(rng, dtype, shape) / 4
        return (x + np.diag(1.5 * np.arange(1, shape[-1] + 1))).astype(dtype)

    return make


def positive(*shape: int) -> Callable:
    """Hermitian positive-definite matrices with distinct eigenvalues."""

    def make(rng: np.random.Generator, dtype: np.dtype) -> np.ndarray:
        x = _random(rng, dtype, shape) / 4
        x = x + np.conj(np.swapaxes(x, -1, -2))
        return (x + np.diag(2.0 * np.arange(1, shape[-1] + 1))).astype(dtype)

    return make


def separated(*shape: int) -> Callable:
    """Matrices of full rank with distinct singular values, of any shape."""

    def make(rng: np.random.Generator, dtype: np.dtype) -> np.ndarray:
        x = _random(rng, dtype, shape) / 4
        ramp = 1.5 * np.arange(1, max(shape[-2:]) + 1)
        return (x + np.diag(ramp)[: shape[-2], : shape[-1]]).astype(dtype)

    return make


def add_rows(
    row: Callable,
    normal: Callable,
    uniform: Callable,
    constant: Callable,
    F8: Any,
    F4: Any,
    C16: Any,
) -> None:
    """Add a row or more for each primitive of primitives/linalg.py."""
    every = (F8, F4, C16)
    squares: dict[str, tuple[int, ...]] = {
        "": (3, 3),
        "batched": (2, 3, 3),
        "1x1": (1, 1),
        "0x0": (0, 0),
        "empty_batch": (0, 2, 2),
    }
    for label, shape in squares.items():

        def add(name: str, maker: Callable, *rest: Callable, **options: Any) -> None:
            options.setdefault("dtypes", every)
            row(name, maker(*shape), *rest, label=label, **options)  # noqa: B023

        columns = (*shape[:-1], 2)
        for upper in (False, True):
            add("cholesky", positive, params={"upper": upper})
        add("solve", dominant, normal(*columns))
        for lower in (False, True):
            options = {"lower": lower, "unit_diagonal": not lower, "transpose": lower}
            add("triangular_solve", dominant, normal(*columns), params=options)
        add("inverse", dominant)
        add("determinant", dominant)
        add("cofactor", dominant, tolerance=1e-5)
        add("cofactor_derivative", dominant, normal(*shape), tolerance=1e-5)
        add("slogdet", dominant)
        add("eigh", positive, params={"uplo": "L"}, dtypes=(F8, F4))
        add("eigvalsh", positive, params={"uplo": "U"})
        add("eig", dominant)
    shapes: dict[str, tuple[int, ...]] = {
        "tall": (4, 2),
        "wide": (2, 4),
        "square": (3, 3),
        "batched": (2, 3, 2),
        "1x1": (1, 1),
        "empty_batch": (0, 3, 2),
    }
    for label, shape in shapes.items():
        row("qr", separated(*shape), params={"complete": False}, dtypes=every, label=label)
        # The vectors of a complex SVD have a free phase, which differences would see.
        row("svd", separated(*shape), params={"full_matrices": False}, dtypes=(F8, F4), label=label)
        row("svdvals", separated(*shape), dtypes=every, label=label)
        cutoff = constant(np.full(shape[:-2], 1e-9))
        row(
            "pseudo_inverse",
            separated(*shape),
            cutoff,
            params={"hermitian": False},
            dtypes=every,
            check=(0,),
            label=label,
        )
        row(
            "least_squares",
            separated(*shape),
            normal(*shape[:-1], 2),
            params={"rcond": 1e-9},
            dtypes=every,
            label=label,
        )
