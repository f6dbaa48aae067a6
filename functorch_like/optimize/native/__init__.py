"""Solvers whose whole iteration is one compiled loop: for many small problems at once.

Each is a plain function that runs eagerly, under ``jit``, and under ``vmap``, where every lane
takes its own number of iterations. Solutions have implicit derivatives of all orders.
"""

from .brackets import bisect, brentq, fminbound, golden
from .equations import broyden, newton_root
from .least_squares import gauss_newton, levenberg_marquardt
from .problem import Root, Solution, Status
from .quasi_newton import bfgs, lbfgs
from .trust_region import newton_cg

__all__ = [
    "Root",
    "Solution",
    "Status",
    "bfgs",
    "bisect",
    "brentq",
    "broyden",
    "fminbound",
    "gauss_newton",
    "golden",
    "lbfgs",
    "levenberg_marquardt",
    "newton_cg",
    "newton_root",
]
