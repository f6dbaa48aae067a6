"""Sparse matrices in traced functions, under scipy.sparse's names.

SciPy's own arrays and matrices, constant or differentiated, work where they are: ``A @ x``,
``x @ A``, ``A.T @ x``, ``A * x``, ``A + x`` with a traced ``x`` call ours, and an argument of a
transform that is a sparse array (``ft.grad(f)(A)``) is a pytree whose one leaf holds the elements,
so that inside ``f`` it is a ``SparseArray`` and a gradient is a sparse array of the same pattern.

``pattern.py`` is where elements stand, ``array.py`` the array with traced elements, ``products.py``
and ``elementwise.py`` what is done with it, ``blocks.py`` arrays of arrays, ``linalg`` solvers and
eigenvalues. The functions here that SciPy has too make a sparse array of traced elements where
SciPy's would need plain ones; every other name is SciPy's.
"""

from __future__ import annotations

import importlib
from typing import Any

import scipy.sparse as _scipy

from .array import SparseArray, as_sparse, issparse
from .blocks import block_array, block_diag, hstack, kron, vstack
from .constructors import (
    bsr_array,
    coo_array,
    csc_array,
    csr_array,
    csr_matrix,
    dia_array,
    diags_array,
)

__all__ = [
    "SparseArray",
    "as_sparse",
    "block_array",
    "block_diag",
    "bsr_array",
    "coo_array",
    "csc_array",
    "csr_array",
    "csr_matrix",
    "dia_array",
    "diags_array",
    "hstack",
    "issparse",
    "kron",
    "vstack",
]


def __getattr__(name: str) -> Any:
    if name == "linalg":  # imports SciPy's, which takes a while
        return importlib.import_module(f"{__name__}.linalg")
    return getattr(_scipy, name)
