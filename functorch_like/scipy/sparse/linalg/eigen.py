"""A few eigenpairs and singular triplets, by ARPACK, differentiated implicitly.

For a Hermitian matrix with the k eigenvectors V found, d w_j = v_j* dA v_j, and d v_j is a part
within their space, sum_i v_i (v_i* dA v_j) / (w_j - w_i), and one outside of it, z with

    [A - w_j  V] [z]   [-dA v_j]
    [V*       0] [m] = [   0   ],

a sparse system that is regular unless w_j is among the eigenvalues not found too. For a general
matrix the system with the border of v_j alone gives d v_j and d w_j together, without left
eigenvectors. Eigenvalues that are exactly equal contribute nothing to each other, and vectors move
as little as they can, as everywhere in this library.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse.linalg as sl

from ....custom_rules import custom_jvp
from ....errors import boundary
from ....primitives.indexing import scatter_add
from ....primitives.sparse import sparse_eigenpairs, sparse_product, sparse_solve
from ..array import SparseArray, as_sparse, issparse
from ..pattern import Form, Pattern
from .operands import is_traced, square

__all__ = ["eigs", "eigsh", "svds"]


class _Bordered:
    """The pattern of ``[[A - w, left], [right, 0]]`` with k further rows and columns."""

    def __init__(self, pattern: Pattern, k: int) -> None:
        n = pattern.shape[0]
        size = n + k
        diagonal = np.arange(n) * (size + 1)
        left = (np.arange(n)[:, None] * size + n + np.arange(k)).ravel()
        right = ((n + np.arange(k))[:, None] * size + np.arange(n)).ravel()
        corner = (n + np.arange(k)) * (size + 1)  # zeros, for the sake of the factors' pivots
        keys = np.concatenate(
            [pattern.rows * size + pattern.columns, diagonal, left, right, corner]
        )
        unique, self.target = np.unique(keys, return_inverse=True)
        self.pattern = Pattern.of_keys(unique, (size, size))
        self.n, self.k = n, k

    def solve(self, data: Any, w: Any, left: Any, right: Any, b: Any) -> Any:
        """Solutions for the columns of ``b`` (n, m), each with its own value of ``w`` (m).

        ``left`` (m, n, k) and ``right`` (m, k, n); returns (m, n + k).
        """
        m = w.shape[0]
        dtype = np.result_type(data.dtype, w.dtype, left.dtype, b.dtype)
        parts = [
            np.broadcast_to(data, (m, data.shape[0])),
            np.broadcast_to(-w[:, None], (m, self.n)),
            left.reshape(m, self.n * self.k),
            right.reshape(m, self.n * self.k),
            np.zeros((m, self.k)),
        ]
        joined = np.concatenate([x.astype(dtype) for x in parts], axis=1)
        placed = scatter_add(joined.T, self.target, shape=(self.pattern.nnz, m)).T
        rhs = np.concatenate([b.T, np.zeros((m, self.k))], axis=1).astype(dtype)
        made = sparse_solve(
            placed,
            rhs[:, :, None],
            self.pattern.indices,
            self.pattern.indptr,
            transpose=False,
            order="COLAMD",
        )
        return made[:, :, 0]


def _apply(data: Any, pattern: Pattern, x: Any) -> Any:
    return sparse_product(
        data, x, pattern.indices, pattern.indptr, shape=pattern.shape, transpose=False
    )


def _hermitian(pattern: Pattern, options: dict) -> Callable:
    """Eigenpairs as a function of the elements."""
    bordered: list[_Bordered] = []

    @custom_jvp
    def eigsh(data: Any) -> tuple[Any, Any]:
        return sparse_eigenpairs(data, pattern.indices, pattern.indptr, hermitian=True, **options)

    @eigsh.defjvp
    def rule(primals: tuple, tangents: tuple) -> tuple[Any, Any]:
        (data,), (change,) = primals, tangents
        w, v = eigsh(data)
        if not bordered:
            bordered.append(_Bordered(pattern, options["k"]))
        n, k = bordered[0].n, bordered[0].k
        moved = _apply(change, pattern, v)
        inner = np.conj(v.T) @ moved
        gaps = w[None, :] - w[:, None]
        equal = gaps == 0
        within = v @ np.where(equal, 0, inner / np.where(equal, 1, gaps))
        left = np.broadcast_to(v, (k, n, k))
        right = np.broadcast_to(np.conj(v.T), (k, k, n))
        outside = bordered[0].solve(data, w, left, right, -moved)[:, :n].T
        return (w, v), (np.real(np.diagonal(inner)), within + outside)

    return eigsh


def _general(pattern: Pattern, options: dict) -> Callable:
    bordered: list[_Bordered] = []

    @custom_jvp
    def eigs(data: Any) -> tuple[Any, Any]:
        return sparse_eigenpairs(data, pattern.indices, pattern.indptr, hermitian=False, **options)

    @eigs.defjvp
    def rule(primals: tuple, tangents: tuple) -> tuple[Any, Any]:
        (data,), (change,) = primals, tangents
        w, v = eigs(data)
        if not bordered:
            bordered.append(_Bordered(pattern, 1))
        n = bordered[0].n
        moved = _apply(change.astype(v.dtype), pattern, v)
        made = bordered[0].solve(
            data.astype(v.dtype), w, -v.T[:, :, None], np.conj(v.T)[:, None, :], -moved
        )
        return (w, v), (made[:, n], made[:, :n].T)

    return eigs


def _prepared(name: str, a: Any, k: int, refused: dict) -> SparseArray:
    for what, value in refused.items():
        if value is not None:
            raise TypeError(
                f"{name}: the argument {what} is not available where the matrix is traced."
            )
    if not issparse(a):
        fix = "np.linalg.eigh" if name == "eigsh" else "np.linalg.eig"
        raise TypeError(
            f"{name}: expected a sparse matrix where it is traced; got {type(a).__name__}; write "
            f"{'np.linalg.svd' if name == 'svds' else fix} for a dense one, and give an operator "
            "as a sparse matrix."
        )
    made = as_sparse(a).rowwise()
    if made.dtype.kind in "iub":
        made = made.astype(np.float64)
    limit = min(made.shape) - (2 if name == "eigs" else 1)
    if not 1 <= k <= limit:
        raise ValueError(f"{name}: expected k between 1 and {limit}; got {k}.")
    return made


@boundary
def eigsh(
    A: Any,  # noqa: N803
    k: int = 6,
    M: Any = None,  # noqa: N803
    sigma: Any = None,
    which: str = "LM",
    v0: Any = None,
    ncv: int | None = None,
    maxiter: int | None = None,
    tol: float = 0,
    return_eigenvectors: bool = True,
    **more: Any,
) -> Any:
    """A few eigenvalues and vectors of a Hermitian matrix; see ``scipy.sparse.linalg.eigsh``.

    The arguments are SciPy's. Where ``A`` has traced elements it is a sparse matrix, ``M`` and
    ``v0`` are not given, and the eigenvalues ascend.

    Returns
    -------
    w, v
        Eigenvalues (k) and vectors, the columns of (n, k); ``w`` alone unless
        ``return_eigenvectors``.

    Raises
    ------
    TypeError
        A traced matrix that is not sparse.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.sparse
    >>> import functorch_like as ft
    >>> A = scipy.sparse.diags_array(np.array([1.0, 5.0, 3.0, 2.0])).tocsr()
    >>> largest = lambda A: ft.scipy.sparse.linalg.eigsh(A, 1)[0][0]
    >>> np.round(np.abs(ft.grad(largest)(A).diagonal()), 12)
    array([0., 1., 0., 0.])
    """
    if not is_traced(A):
        return sl.eigsh(A, k, M, sigma, which, v0, ncv, maxiter, tol, return_eigenvectors, **more)
    a = _prepared("eigsh", A, k, {"M": M, "v0": v0, **more})
    square("eigsh", a)
    options = {"k": k, "which": which, "sigma": sigma, "tol": float(tol), "maxiter": maxiter}
    w, v = _hermitian(a.form.pattern, options)(a.data)
    return (w, v) if return_eigenvectors else w


@boundary
def eigs(
    A: Any,  # noqa: N803
    k: int = 6,
    M: Any = None,  # noqa: N803
    sigma: Any = None,
    which: str = "LM",
    v0: Any = None,
    ncv: int | None = None,
    maxiter: int | None = None,
    tol: float = 0,
    return_eigenvectors: bool = True,
    **more: Any,
) -> Any:
    """A few eigenvalues and vectors of a general matrix; see ``scipy.sparse.linalg.eigs``.

    Where ``A`` has traced elements it is a sparse matrix, and ``M`` and ``v0`` are not given.
    """
    if not is_traced(A):
        return sl.eigs(A, k, M, sigma, which, v0, ncv, maxiter, tol, return_eigenvectors, **more)
    a = _prepared("eigs", A, k, {"M": M, "v0": v0, **more})
    square("eigs", a)
    options = {"k": k, "which": which, "sigma": sigma, "tol": float(tol), "maxiter": maxiter}
    w, v = _general(a.form.pattern, options)(a.data)
    return (w, v) if return_eigenvectors else w


@boundary
def svds(
    A: Any,  # noqa: N803
    k: int = 6,
    ncv: int | None = None,
    tol: float = 0,
    which: str = "LM",
    v0: Any = None,
    maxiter: int | None = None,
    return_singular_vectors: Any = True,
    **more: Any,
) -> Any:
    """The largest singular values and their vectors; see ``scipy.sparse.linalg.svds``.

    Where ``A`` has traced elements they are eigenpairs of ``[[0, A], [A*, 0]]``, ascending.

    Returns
    -------
    u, s, vh
        Of shapes (m, k), (k,) and (k, n); ``s`` alone unless ``return_singular_vectors``.
    """
    if not is_traced(A):
        return sl.svds(A, k, ncv, tol, which, v0, maxiter, return_singular_vectors, **more)
    if which != "LM":
        raise NotImplementedError(
            "svds: which='SM' is not available where the matrix is traced; take the smallest "
            "eigenvalues of A.T @ A by eigsh(..., sigma=0)."
        )
    a = _prepared("svds", A, k, {"v0": v0})
    if np.size(a.data) == 0:
        raise ValueError("svds: expected a matrix with elements.")
    m, n = a.shape
    p = a.form.pattern
    size = m + n
    keys = np.concatenate([p.rows * size + m + p.columns, (m + p.columns) * size + p.rows])
    order = np.argsort(keys)
    both = np.concatenate([a.data, np.conj(a.data)])[order]
    joined = SparseArray(both, Form(Pattern.of_keys(keys[order], (size, size)), a.form.kind))
    options = {"k": k, "which": "LA", "sigma": None, "tol": float(tol), "maxiter": maxiter}
    s, v = _hermitian(joined.form.pattern, options)(joined.data)
    if return_singular_vectors is False:
        return s
    return v[:m] * np.sqrt(2.0), s, np.conj(v[m:] * np.sqrt(2.0)).T
