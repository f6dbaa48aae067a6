"""Sparse arrays put together from others, some of whose elements may be traced."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp

from .array import SparseArray, as_sparse, issparse
from .constructors import from_coordinates

__all__ = ["block_array", "block_diag", "hstack", "kron", "vstack"]


def _any_traced(blocks: Any) -> bool:
    return any(
        isinstance(x, SparseArray) or (isinstance(x, (list, tuple)) and _any_traced(x))
        for x in blocks
    )


def block_array(blocks: Any, *, format: str | None = None, dtype: Any = None) -> Any:
    """``scipy.sparse.block_array``: an array of blocks, None for zeros."""
    if not _any_traced(blocks):
        return sp.block_array(blocks, format=format, dtype=dtype)
    rows: list[int | None] = [None] * len(blocks)
    columns: list[int | None] = [None] * len(blocks[0])
    for i, line in enumerate(blocks):
        for j, x in enumerate(line):
            if x is None:
                continue
            if not issparse(x):
                raise TypeError(
                    f"block_array: expected sparse blocks or None; got {type(x).__name__} at "
                    f"({i}, {j}); write scipy.sparse.csr_array(x)."
                )
            for found, k, n in ((rows, i, x.shape[0]), (columns, j, x.shape[1])):
                if found[k] not in (None, n):
                    raise ValueError(
                        f"block_array: expected blocks of one size in a line; block ({i}, {j}) has "
                        f"shape {x.shape}, another has {found[k]}."
                    )
                found[k] = n
    if None in rows or None in columns:
        raise ValueError("block_array: expected a block in every line; got one of None alone.")
    down = np.concatenate([[0], np.cumsum(rows)])  # type: ignore[arg-type]
    right = np.concatenate([[0], np.cumsum(columns)])  # type: ignore[arg-type]
    data, at_rows, at_columns = [], [], []
    for i, line in enumerate(blocks):
        for j, x in enumerate(line):
            if x is not None:
                made = as_sparse(x)
                data.append(made.data)
                at_rows.append(made.row + down[i])
                at_columns.append(made.col + right[j])
    dtype = np.result_type(*[x.dtype for x in data]) if dtype is None else dtype
    joined = np.concatenate([x.astype(dtype) for x in data])
    shape = (int(down[-1]), int(right[-1]))
    made = from_coordinates(
        joined, np.concatenate(at_rows), np.concatenate(at_columns), shape, sp.coo_array
    )
    return made if format is None else made.asformat(format)


def vstack(blocks: Sequence[Any], format: str | None = None, dtype: Any = None) -> Any:
    """``scipy.sparse.vstack``: arrays one below the other."""
    if not _any_traced(blocks):
        return sp.vstack(blocks, format=format, dtype=dtype)
    return block_array([[x] for x in blocks], format=format, dtype=dtype)


def hstack(blocks: Sequence[Any], format: str | None = None, dtype: Any = None) -> Any:
    """``scipy.sparse.hstack``: arrays side by side."""
    if not _any_traced(blocks):
        return sp.hstack(blocks, format=format, dtype=dtype)
    return block_array([list(blocks)], format=format, dtype=dtype)


def block_diag(mats: Sequence[Any], format: str | None = None, dtype: Any = None) -> Any:
    """``scipy.sparse.block_diag``: arrays along the diagonal."""
    if not _any_traced(mats):
        return sp.block_diag(mats, format=format, dtype=dtype)
    n = len(mats)
    blocks = [[mats[i] if i == j else None for j in range(n)] for i in range(n)]
    return block_array(blocks, format=format, dtype=dtype)


def kron(A: Any, B: Any, format: str | None = None) -> Any:  # noqa: N803
    """``scipy.sparse.kron``: the Kronecker product."""
    if not _any_traced((A, B)):
        return sp.kron(A, B, format=format)
    a, b = as_sparse(A), as_sparse(B)
    data = (a.data[:, None] * b.data[None, :]).reshape(-1)
    rows = a.row[:, None] * b.shape[0] + b.row
    columns = a.col[:, None] * b.shape[1] + b.col
    shape = (a.shape[0] * b.shape[0], a.shape[1] * b.shape[1])
    made = from_coordinates(data, rows, columns, shape, sp.coo_array)
    return made if format is None else made.asformat(format)
