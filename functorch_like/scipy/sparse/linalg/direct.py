"""Sparse direct solvers: SuperLU's factors, which the derivatives use too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse.linalg as sl

from ....arguments import as_array
from ....errors import boundary
from ....primitives.core import Tracer, shape_of
from ....primitives.sparse import sparse_solve
from ....primitives.structural import reshape
from ..array import SparseArray, as_sparse, issparse
from .operands import square

__all__ = ["Factorization", "factorized", "norm", "splu", "spsolve"]


def _solve(a: SparseArray, b: Any, transpose: bool, order: str) -> Any:
    pattern = a.form.pattern
    across = a.form.across != transpose
    shape = shape_of(b)
    columns = b if len(shape) == 2 else reshape(b, shape=(*shape, 1))
    x = sparse_solve(
        a.data, columns, pattern.indices, pattern.indptr, transpose=across, order=order
    )
    return x if len(shape) == 2 else reshape(x, shape=shape)


def _right_side(name: str, a: Any, b: Any) -> Any:
    b = as_array(b)
    if b.dtype.kind in "iub":
        b = b.astype(np.float64)
    if not 1 <= len(shape_of(b)) <= 2:
        raise ValueError(
            f"{name}: expected a right-hand side of one or two axes; got shape {shape_of(b)}."
        )
    square(name, a, shape_of(b)[0])
    return b


def _floating(a: SparseArray) -> SparseArray:
    return a.astype(np.float64) if a.dtype.kind in "iub" else a


@boundary
def spsolve(A: Any, b: Any, permc_spec: str | None = None, use_umfpack: bool = True) -> Any:  # noqa: N803
    """Solution of ``A x = b``; see ``scipy.sparse.linalg.spsolve``.

    d x = A^-1 (d b - dA x): a derivative is one more solution by the factors that are there, and
    a gradient in ``A`` has the pattern of ``A``.

    Parameters
    ----------
    A
        Sparse square array, SciPy's or one with traced elements.
    b
        Dense vector, or matrix of right-hand sides.
    permc_spec
        SuperLU's ordering of the columns: "COLAMD" (the default), "NATURAL", "MMD_ATA" or
        "MMD_AT_PLUS_A".
    use_umfpack
        As SciPy has it; SuperLU where an argument is traced.

    Raises
    ------
    ValueError
        Shapes that do not fit, or elements that are NaN or infinite.
    LinAlgError
        A matrix that is exactly singular, when it is factorised.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.sparse
    >>> import functorch_like as ft
    >>> A = scipy.sparse.csc_array([[2.0, 0.0], [1.0, 4.0]])
    >>> f = lambda A: np.sum(ft.scipy.sparse.linalg.spsolve(A, np.ones(2)))
    >>> ft.grad(f)(A).toarray()
    array([[-0.1875 ,  0.     ],
           [-0.125  , -0.03125]])
    """
    if not isinstance(A, SparseArray) and not isinstance(b, (Tracer, SparseArray)):
        return sl.spsolve(A, b, permc_spec, use_umfpack)
    if not issparse(A):
        raise TypeError(
            f"spsolve: expected a sparse matrix; got {type(A).__name__}; write np.linalg.solve for "
            "a dense one."
        )
    if issparse(b):
        raise TypeError(
            "spsolve: expected a dense right-hand side where elements are traced; got a sparse "
            "one; write b.toarray()."
        )
    b = _right_side("spsolve", A, b)
    x = _solve(_floating(as_sparse(A)), b, False, permc_spec or "COLAMD")
    return x.reshape(-1) if x.shape[1:] == (1,) else x


class Factorization:
    """What ``splu`` returns: ``solve`` with the factors of a sparse matrix.

    With plain elements its other attributes (``L``, ``U``, ``perm_r`` ...) are SuperLU's.
    """

    def __init__(self, matrix: SparseArray, order: str, plain: Callable[[], Any] | None) -> None:
        self._matrix = matrix
        self._order = order
        self._plain = plain
        self._factors: Any = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the matrix."""
        return self._matrix.shape

    def _superlu(self) -> Any:
        if self._plain is None:
            return None
        if self._factors is None:
            self._factors = self._plain()
        return self._factors

    @boundary
    def solve(self, rhs: Any, trans: str = "N") -> Any:
        """Solution of A x = rhs; of A^T x = rhs ("T") or A^H x = rhs ("H").

        Parameters
        ----------
        rhs
            Dense vector, or matrix of right-hand sides.
        trans
            "N", "T" or "H".
        """
        if trans not in ("N", "T", "H"):
            raise ValueError(f"solve: expected trans to be 'N', 'T' or 'H'; got {trans!r}.")
        if self._plain is not None and not isinstance(rhs, Tracer):
            return self._superlu().solve(np.asarray(rhs), trans)
        b = _right_side("solve", self._matrix, rhs)
        if trans == "H":
            return np.conj(_solve(self._matrix, np.conj(b), True, self._order))
        return _solve(self._matrix, b, trans == "T", self._order)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or self._plain is None:
            raise AttributeError(
                f"the factors of a sparse matrix with traced elements have no attribute {name!r}; "
                "only solve and shape are differentiable."
            )
        return getattr(self._superlu(), name)


@boundary
def splu(A: Any, permc_spec: str | None = None, **options: Any) -> Factorization:  # noqa: N803
    """Factors of a sparse square matrix; see ``scipy.sparse.linalg.splu``.

    Parameters
    ----------
    A
        Sparse square array, SciPy's or one with traced elements.
    permc_spec
        SuperLU's ordering of the columns.
    **options
        SciPy's others, for plain elements.

    Returns
    -------
    Factorization
        Its ``solve`` takes traced right-hand sides.
    """
    if not issparse(A):
        raise TypeError(f"splu: expected a sparse matrix; got {type(A).__name__}.")
    square("splu", A)
    order = permc_spec or "COLAMD"
    made = _floating(as_sparse(A))
    if isinstance(A, SparseArray):
        if options:
            raise TypeError(
                f"splu: the options {', '.join(options)} are not available where elements are "
                "traced."
            )
        return Factorization(made, order, None)
    return Factorization(made, order, lambda: sl.splu(A.tocsc(), permc_spec, **options))


@boundary
def factorized(A: Any) -> Callable:  # noqa: N803
    """A function that solves with the factors of ``A``; see ``scipy.sparse.linalg.factorized``."""
    return splu(A).solve


@boundary
def norm(x: Any, ord: Any = None, axis: Any = None) -> Any:
    """Norm of a sparse matrix: "fro" (the default), 1 or inf; see ``scipy.sparse.linalg.norm``."""
    if not isinstance(x, SparseArray):
        return sl.norm(x, ord, axis)
    if axis is None and ord in (None, "fro", "f"):
        return np.linalg.norm(x.data)
    if axis is None and ord in (1, np.inf):
        return np.max(abs(x).sum(axis=0 if ord == 1 else 1))
    if isinstance(axis, int) and ord in (None, 2):
        return np.sqrt((x * x.conj()).real.sum(axis=axis))
    raise NotImplementedError(
        f"norm: ord={ord!r}, axis={axis!r} is not available where elements are traced; 'fro', 1 "
        "and inf of the matrix, and 2 along an axis are."
    )
