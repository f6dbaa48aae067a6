"""Solutions of triangular systems on CuPy arrays; see ``kernels.cpu``."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import launch

__all__ = ["triangular_solve"]


def triangular_solve(a: Any, b: Any, lower: bool, unit_diagonal: bool, transpose: bool) -> Any:
    """Solve with one triangle of each matrix of a stack, by cuBLAS, which reads no other.

    A zero on the diagonal gives infinities or NaN, as everywhere in cuBLAS: looking for one would
    wait for the device.
    """
    dtype = np.result_type(a.dtype, b.dtype)
    solve = launch.cupyx("scipy.linalg").solve_triangular
    if not b.size:
        return np.zeros_like(b, dtype=dtype)
    return solve(
        a.astype(dtype),
        b.astype(dtype),
        trans=int(transpose),
        lower=lower,
        unit_diagonal=unit_diagonal,
    )
