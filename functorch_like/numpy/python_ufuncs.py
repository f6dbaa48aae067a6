"""What ``np.frompyfunc`` makes: ufuncs that call a Python function on each element."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from ..primitives.core import Tracer
from . import creation
from .manipulation import reshape
from .operands import as_array

__all__ = ["python_ufunc"]


@functools.cache
def python_ufunc(ufunc: Any) -> Callable | None:
    """Our version of a ufunc of Python objects, or None where it has loops of its own.

    The elements of traced operands are traced scalars, handed to the function one by one. Where
    NumPy answers with an array of objects, the answer is an array of numbers.
    """
    if ufunc.types != ["O" * ufunc.nin + "->" + "O" * ufunc.nout]:
        return None

    def call(*operands: Any) -> Any:
        arrays = [_elements(as_array(x)) for x in operands]
        made = ufunc(*arrays)
        results = made if isinstance(made, tuple) else (made,)
        joined = tuple(_joined(r) for r in results)
        return joined if isinstance(made, tuple) else joined[0]

    return call


def _elements(x: Any) -> np.ndarray:
    """An array of objects, the elements; a traced one's are traced."""
    if not isinstance(x, Tracer):
        return x.astype(object)
    made = np.empty(x.shape, object)
    for at in np.ndindex(*x.shape):
        made[at] = x[at]
    return made


def _joined(results: Any) -> Any:
    if not isinstance(results, np.ndarray):
        return results
    if not results.size:
        return np.zeros(results.shape)
    parts = [creation.asarray(v) for v in results.ravel().tolist()]
    stacked = np.stack(parts)
    return reshape(stacked, results.shape + stacked.shape[1:])
