"""``scipy.sparse.linalg`` on traced arrays: SciPy's names, arguments and results.

Without traced arguments SciPy's own functions run. Derivatives are implicit: a solution's comes
from one more solution, by the same factors or the same iteration, an eigenvalue's from its vectors;
nothing is recorded of the algorithm. ``direct.py`` factorises, ``iterative.py`` has the Krylov
methods, ``eigen.py`` a few eigenpairs or singular triplets, ``exponential.py`` products with
exponentials; every other name is SciPy's.
"""

from __future__ import annotations

from typing import Any

import scipy.sparse.linalg as _scipy

from .direct import Factorization, factorized, norm, splu, spsolve
from .eigen import eigs, eigsh, svds
from .exponential import expm_multiply
from .iterative import bicgstab, cg, gmres, minres

__all__ = [
    "Factorization",
    "bicgstab",
    "cg",
    "eigs",
    "eigsh",
    "expm_multiply",
    "factorized",
    "gmres",
    "minres",
    "norm",
    "splu",
    "spsolve",
    "svds",
]


def __getattr__(name: str) -> Any:
    return getattr(_scipy, name)
