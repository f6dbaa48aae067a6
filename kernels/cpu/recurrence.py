"""The linear recurrence y[k] = a[k] y[k-1] + b[k]."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["recurrence"]

# Below this many elements the Python loop over steps costs less than waking Numba.
SMALL = 1 << 14


def recurrence(a: Any, b: Any, axis: int, reverse: bool) -> np.ndarray:
    """Solve y[k] = a[k] y[k-1] + b[k] along ``axis`` from y[-1] = 0 (from the end if reverse).

    Parameters
    ----------
    a, b
        Arrays of one shape.
    axis
        The running axis, nonnegative.
    reverse
        Run from the last element to the first: y[k] = a[k] y[k+1] + b[k].
    """
    dtype = np.result_type(a, b)
    a, b = (np.moveaxis(np.asarray(x, dtype), axis, 0) for x in (a, b))
    if reverse:
        a, b = a[::-1], b[::-1]
    if b.size < SMALL or b.shape[0] < 16:
        y = _steps(a, b)
    else:
        flat = (b.shape[0], -1)
        y = _compiled()(
            np.ascontiguousarray(a.reshape(flat)), np.ascontiguousarray(b.reshape(flat))
        ).reshape(b.shape)
    if reverse:
        y = y[::-1]
    return np.moveaxis(y, 0, axis)


def _steps(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    y = np.empty_like(b)
    for k in range(b.shape[0]):
        y[k] = b[k] if k == 0 else a[k] * y[k - 1] + b[k]
    return y


@functools.cache
def _compiled() -> Callable:
    import numba

    @numba.njit(cache=True, nogil=True)
    def kernel(a: Any, b: Any) -> Any:  # pragma: no cover - compiled
        y = np.empty_like(b)
        for j in range(b.shape[1]):
            y[0, j] = b[0, j]
        for k in range(1, b.shape[0]):
            for j in range(b.shape[1]):
                y[k, j] = a[k, j] * y[k - 1, j] + b[k, j]
        return y

    return kernel
