"""Rows of op_table.py for the primitives behind scipy.linalg."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg


def _random(rng: np.random.Generator, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    x = rng.normal(size=shape)
    return x + 1j * rng.normal(size=shape) if dtype.kind == "c" else x


def dominant(*shape: int) -> Callable:
    """Square matrices with distinct positive eigenvalues (real ones where they are real)."""

    def make(rng: np.random.Generator, dtype: np.dtype) -> np.ndarray:
        x = _random(rng, dtype, shape) / 5
        return (x + np.diag(1.5 * np.arange(1, shape[-1] + 1))).astype(dtype)

    return make


def signed(*shape: int) -> Callable:
    """Square matrices with eigenvalues of both signs."""

    def make(rng: np.random.Generator, dtype: np.dtype) -> np.ndarray:
        x = _random(rng, dtype, shape) / 5
        signs = (-1.0) ** np.arange(shape[-1])
        return (x + np.diag(signs * np.arange(1, shape[-1] + 1))).astype(dtype)

    return make


def hermitian(*shape: int, shift: float = 2.0) -> Callable:
    """Hermitian matrices with distinct eigenvalues, positive for a large enough shift."""

    def make(rng: np.random.Generator, dtype: np.dtype) -> np.ndarray:
        x = _random(rng, dtype, shape) / 5
        x = x + np.conj(np.swapaxes(x, -1, -2))
        return (x + np.diag(shift + 1.0 * np.arange(shape[-1]))).astype(dtype)

    return make


def small(scale: float, *shape: int) -> Callable:
    """Matrices with small elements."""

    def make(rng: np.random.Generator, dtype: np.dtype) -> np.ndarray:
        return (scale * _random(rng, dtype, shape)).astype(dtype)

    return make


def turning(n: int) -> Callable:
    """Real matrices with complex pairs of eigenvalues, and a real one if n is odd."""

    def make(rng: np.random.Generator, dtype: np.dtype) -> np.ndarray:
        x = rng.normal(size=(n, n)) / 5 + np.diag(3.0 * (np.arange(n) // 2))
        for i in range(0, n - 1, 2):
            x[i, i + 1] += 2
            x[i + 1, i] -= 1
        return x.astype(dtype)

    return make


def quasi(n: int) -> Callable:
    """The Schur forms of such matrices."""

    def make(rng: np.random.Generator, dtype: np.dtype) -> np.ndarray:
        return scipy.linalg.schur(turning(n)(rng, dtype))[0]

    return make


def stable(*shape: int) -> Callable:
    """Matrices stable in continuous and in discrete time."""

    def make(rng: np.random.Generator, dtype: np.dtype) -> np.ndarray:
        return (_random(rng, dtype, shape) / 10 - np.eye(shape[-1]) / 2).astype(dtype)

    return make


def separated(*shape: int) -> Callable:
    """Matrices of full rank of any shape, whose order of pivots does not change."""

    def make(rng: np.random.Generator, dtype: np.dtype) -> np.ndarray:
        x = _random(rng, dtype, shape) / 5
        ramp = 3.0 - np.arange(max(shape[-2:])) / 3
        return (x + np.diag(ramp)[: shape[-2], : shape[-1]]).astype(dtype)

    return make


def identity_like(*shape: int) -> Callable:
    """Matrices close to the identity."""

    def make(rng: np.random.Generator, dtype: np.dtype) -> np.ndarray:
        return (_random(rng, dtype, shape) / 10 + np.eye(*shape[-2:])).astype(dtype)

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
    """Add the rows."""
    every, real = (F8, F4, C16), (F8, F4)
    squares: dict[str, tuple[int, ...]] = {
        "": (3, 3),
        "batched": (2, 3, 3),
        "1x1": (1, 1),
        "empty_batch": (0, 2, 2),
        "0x0": (0, 0),
    }
    for label, shape in squares.items():

        def add(name: str, *makers: Callable, **options: Any) -> None:
            options.setdefault("dtypes", every)
            row(name, *makers, label=label, **options)  # noqa: B023

        here, n = shape, shape[-1]
        add("matrix_exponential", small(0.4, *here))
        add("matrix_exponential_derivative", small(0.4, *here), normal(*here))
        add("matrix_logarithm", dominant(*here), tolerance=1e-5)
        add("matrix_logarithm_derivative", dominant(*here), normal(*here), tolerance=1e-5)
        add("matrix_power", dominant(*here), params={"exponent": 0.3}, tolerance=1e-5)
        add(
            "matrix_power_derivative",
            dominant(*here),
            normal(*here),
            params={"exponent": 0.3},
            tolerance=1e-5,
        )
        add("matrix_root", dominant(*here))
        add("matrix_sign", signed(*here))
        wide = (*here[:-1], 2)
        columns = (*here[:-2], 2, 2)
        add("sylvester", dominant(*here), dominant(*columns), normal(*wide))
        add("stein", small(0.3, *here), small(0.3, *columns), normal(*wide))
        riccati = (
            stable(*here),
            normal(*wide),
            hermitian(*here),
            hermitian(*columns),
            identity_like(*here),
            small(0.02, *wide),
        )
        # Empty systems have no stabilising solution to speak of.
        if n > 1:
            for name in ("continuous_riccati", "discrete_riccati"):
                params = {"general": True, "balanced": False}
                add(name, *riccati, params=params, check=(0, 1, 4, 5), dtypes=(F8, C16))
        add("hermitian_eigen", hermitian(*here), params=_solver("evd"), dtypes=real)
        add("schur", dominant(*here), dtypes=(F8,))
        add("commutator_solve", dominant(*here), normal(*here), params={"transpose": n == 3})
        add("hessenberg", normal(*here), dtypes=(F8, C16))
        add("eig_both", dominant(*here), dtypes=(F8, C16))
        add("eig_pair", dominant(*here), identity_like(*here), dtypes=(F8,), tolerance=1e-5)
        add("lu", dominant(*here))
        for lower in (False, True):
            params = {"lower": lower, "hermitian": lower}
            add("ldl", hermitian(*here), params=params, dtypes=real)
        add("column_pivots", separated(*here), dtypes=every)
        add("balance", separated(*here), params={"permute": True, "scale": True}, dtypes=every)
        band = (*here[:-2], 3, n)
        for transpose in (False, True):
            params = {"lower": 1, "upper": 1, "positive": False, "transpose": transpose}
            add("banded_solve", _band(band), normal(*wide), params=params)
    row("distinct", normal(2, 3), dtypes=every)
    row("order_of_pivots", constant(np.array([[2, 1, 2], [1, 1, 2]], np.int32)), dtypes=(F8,))
    row("schur", turning(5), dtypes=(F8,), label="pairs", tolerance=1e-5)
    row("schur", turning(4), dtypes=(F8,), label="all-pairs", tolerance=1e-5)
    for transpose in (False, True):
        params = {"transpose": transpose}
        row("commutator_solve", quasi(5), normal(5, 5), params=params, dtypes=(F8,), check=(1,),
            label="pairs")  # fmt: skip
    params = {"lower": 2, "upper": 1, "positive": False, "transpose": True}
    row("banded_solve", _band((4, 5)), normal(5, 2), params=params, dtypes=every, label="uneven")
    for solver in ("ev", "evd", "evx"):
        row("hermitian_eigen", hermitian(4, 4), params=_solver(solver), dtypes=real, label=solver)
    row("hermitian_eigen", hermitian(4, 4), params=_solver("", (1, 2)), dtypes=real, label="subset")
    for transpose in (False, True):
        row("toeplitz_solve", _toeplitz, normal(4, 2), params={"transpose": transpose},
            dtypes=every)  # fmt: skip
    for label, shape in {"tall": (4, 2), "wide": (2, 4), "batched": (2, 3, 2)}.items():
        row("lu", separated(*shape), dtypes=every, label=label)
    for label, shape in {"tall": (4, 2), "square": (3, 3), "batched": (2, 3, 2)}.items():
        row("polar_factor", separated(*shape), dtypes=every, label=label)


def _solver(solver: str, subset: Any = None) -> dict[str, Any]:
    return {"solver": solver, "lower": True, "subset": subset, "width": 1}


def _band(shape: tuple[int, ...]) -> Callable:
    def make(rng: np.random.Generator, dtype: np.dtype) -> np.ndarray:
        x = _random(rng, dtype, shape) / 4
        x[..., 1, :] += 3
        return x.astype(dtype)

    return make


def _toeplitz(rng: np.random.Generator, dtype: np.dtype) -> np.ndarray:
    x = _random(rng, dtype, (1, 7)) / 5
    x[0, 3] += 3
    return x.astype(dtype)
