"""What the solvers take for a matrix, as a function of a vector."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse.linalg as sl

from ....arguments import as_array
from ....primitives.core import EVAL, Tracer, shape_of, state
from ..array import SparseArray, as_sparse, issparse

__all__ = ["is_traced", "matvec_of", "opaque", "square"]


def opaque(a: Any) -> bool:
    """Whether ``a`` is a function or an operator, which may close over traced values."""
    return callable(a) or isinstance(a, sl.LinearOperator)


def is_traced(*values: Any) -> bool:
    """Whether ours have to run: for traced values, and for functions within a transform."""
    return any(
        isinstance(x, (Tracer, SparseArray)) or (opaque(x) and state.trace is not EVAL)
        for x in values
    )


def square(name: str, a: Any, n: int | None = None) -> None:
    """Raise unless a matrix, where its shape is known, is square and fits a right-hand side."""
    shape = getattr(a, "shape", None)
    if shape is None:
        return
    if len(shape) != 2 or shape[0] != shape[1]:
        raise ValueError(f"{name}: expected a square matrix; got shape {tuple(shape)}.")
    if n is not None and shape[0] != n:
        raise ValueError(
            f"{name}: expected a right-hand side of {shape[0]} elements, as the matrix has rows; "
            f"got {n}."
        )


def matvec_of(a: Any) -> Callable[[Any], Any]:
    """A matrix, an operator of SciPy's or a function, as a function of a vector."""
    if issparse(a):
        made = as_sparse(a)
        return lambda x: made @ x
    if isinstance(a, sl.LinearOperator):
        return _applying(a)
    if callable(a):
        return a
    dense = as_array(a)
    if len(shape_of(dense)) != 2:
        raise ValueError(f"expected a matrix; got an array of shape {shape_of(dense)}.")
    return lambda x: np.matmul(dense, x)


def _applying(operator: sl.LinearOperator) -> Callable[[Any], Any]:
    """The user's function in an operator, whose own entry would convert traced vectors."""
    inner = getattr(operator, "_CustomLinearOperator__matvec_impl", None)
    if inner is not None:
        return inner
    matrix = getattr(operator, "A", None)
    if matrix is not None and type(operator).__name__ == "MatrixLinearOperator":
        return matvec_of(matrix)
    return operator._matvec
