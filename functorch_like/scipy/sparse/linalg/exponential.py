"""Products with the exponential of a sparse matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse.linalg as sl

from ....arguments import as_array
from ....control_flow import while_loop
from ....custom_rules import stop_gradient
from ....errors import boundary
from ....primitives.core import shape_of
from ..array import SparseArray, as_sparse, issparse
from .operands import is_traced, matvec_of, square

__all__ = ["expm_multiply"]

REACH = 9.9  # norm for which TERMS terms of the series reach double precision
TERMS = 55


@boundary
def expm_multiply(
    A: Any,  # noqa: N803
    B: Any,  # noqa: N803
    start: Any = None,
    stop: Any = None,
    num: Any = None,
    endpoint: Any = None,
    traceA: Any = None,  # noqa: N803
) -> Any:
    """``expm(A) @ B`` without the exponential; see ``scipy.sparse.linalg.expm_multiply``.

    Where an argument is traced: truncated Taylor series in as many steps as the norm of ``A``
    asks for (Al-Mohy and Higham, "Computing the action of the matrix exponential", 2011), as loops
    that are differentiated.

    Parameters
    ----------
    A
        Sparse or dense square matrix.
    B
        Vector, or matrix of columns.
    start, stop, num, endpoint
        Several times at once, where nothing is traced.
    traceA
        The trace of ``A``, if it is known.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.sparse
    >>> import functorch_like as ft
    >>> A = scipy.sparse.csr_array([[0.0, 1.0], [-1.0, 0.0]])  # a rotation
    >>> f = lambda t: ft.scipy.sparse.linalg.expm_multiply(t * A, np.array([1.0, 0.0]))
    >>> np.round(f(np.pi / 2), 12) + 0.0
    array([ 0., -1.])
    >>> np.round(ft.jvp(f, (np.pi / 2,), (1.0,))[1], 12) + 0.0
    array([-1.,  0.])
    """
    if not is_traced(A, B):
        return sl.expm_multiply(A, B, start, stop, num, endpoint, traceA)
    if not (start is stop is num is endpoint is None):
        raise TypeError(
            "expm_multiply: several times are not available where an argument is traced; call it "
            "once a time, with t * A."
        )
    matrix = as_sparse(A) if issparse(A) else as_array(A)
    b = as_array(B)
    square("expm_multiply", matrix, shape_of(b)[0])
    n = matrix.shape[0]
    dtype = np.result_type(matrix.dtype, b.dtype, np.float32)
    mean = (matrix.trace() if traceA is None else traceA) / n
    apply = matvec_of(matrix)
    size = _norm(matrix) + np.abs(mean)
    steps = np.maximum(np.ceil(stop_gradient(size) / REACH), 1.0)
    scale = 1.0 / steps
    grown = np.exp(mean * scale)
    small = float(np.finfo(dtype).eps) / 2

    def more_terms(held: tuple) -> Any:
        term, total, last, j = held
        extent = np.max(np.abs(term))
        return (j <= TERMS) & (extent + last > small * np.max(np.abs(total)))

    def next_term(held: tuple) -> tuple:
        term, total, _, j = held
        extent = np.max(np.abs(term))
        term = (apply(term) - mean * term) * (scale / j)
        return term, total + term, extent, j + 1.0

    def step(held: tuple) -> tuple:
        x, i = held
        begin = (x, x, np.max(np.abs(x)), np.ones_like(steps))
        _, total, _, _ = while_loop(more_terms, next_term, begin)
        return total * grown, i + 1.0

    x, _ = while_loop(lambda held: held[1] < steps, step, (b.astype(dtype), np.zeros_like(steps)))
    return x


def _norm(a: Any) -> Any:
    """The largest column sum."""
    columns = abs(a).sum(axis=0) if isinstance(a, SparseArray) else np.sum(np.abs(a), axis=0)
    return np.max(columns)
