"""Sum values into an array at given positions, repeated positions adding up."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

__all__ = ["scatter_add"]

# NumPy adds single elements fast (1e6 in 1.2 ms) but rows slowly (20,000 rows of 64 doubles:
# 14 ms, compiled 1.1 ms); below this many elements it is not worth waking Numba.
SMALL = 1 << 15


def scatter_add(out: np.ndarray, index: Sequence[Any], values: Any) -> None:
    """Add ``values`` into ``out`` in place: ``out[index] += values``, duplicates included.

    Parameters
    ----------
    out
        Array whose leading ``len(index)`` axes are indexed.
    index
        Integer arrays that broadcast together.
    values
        Array of shape ``broadcast(index).shape + out.shape[len(index):]``.
    """
    depth = len(index)
    row = math.prod(out.shape[depth:])
    if not out.flags.c_contiguous or row == 0:
        np.add.at(out, tuple(index), values)
        return
    lead = out.shape[:depth]
    # mode="raise" checks bounds; negative positions count from the end, as in NumPy.
    wrapped = [np.where(np.less(i, 0), np.add(i, n), i) for i, n in zip(index, lead, strict=True)]
    position = np.ravel_multi_index(np.broadcast_arrays(*wrapped), lead).ravel()
    if row == 1:
        np.add.at(out.reshape(-1), position, np.ascontiguousarray(values).reshape(-1))
    elif position.size * row < SMALL:
        np.add.at(out.reshape(-1, row), position, np.reshape(values, (-1, row)))
    else:
        rows = np.ascontiguousarray(values, out.dtype).reshape(-1, row)
        _compiled()(out.reshape(-1, row), position, rows)


@functools.cache
def _compiled() -> Callable:
    import numba

    @numba.njit(cache=True, nogil=True)
    def kernel(out: Any, position: Any, rows: Any) -> None:  # pragma: no cover - compiled
        for r in range(position.size):
            p = position[r]
            for c in range(rows.shape[1]):
                out[p, c] += rows[r, c]

    return kernel
