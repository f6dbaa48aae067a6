"""Optimisation with SciPy's names and exact, compiled derivatives.

``minimize``, ``least_squares``, ``curve_fit``, ``root`` and their scalar sisters take SciPy's
arguments and return SciPy's results; what differs is that derivatives are never approximated: they
come from the function itself, compiled, dense, sparse or as products. The unknowns may be a pytree.

``lbfgs``, ``bfgs``, ``newton_cg``, ``levenberg_marquardt``, ``gauss_newton``, ``newton_root``,
``broyden``, ``bisect``, ``brentq``, ``golden`` and ``fminbound`` are solvers of our own: one loop
each, which ``jit`` compiles and ``vmap`` runs for thousands of small problems at once, and whose
solutions are differentiable.
See ``docs/optimisation.md``.
"""

from __future__ import annotations

from .constraints import Bounds, LinearConstraint, NonlinearConstraint
from .curve_fitting import CurveFitResult, curve_fit
from .equations import root
from .ipopt import minimize_ipopt
from .minimization import minimize
from .native import (
    Root,
    Solution,
    Status,
    bfgs,
    bisect,
    brentq,
    broyden,
    fminbound,
    gauss_newton,
    golden,
    lbfgs,
    levenberg_marquardt,
    newton_cg,
    newton_root,
)
from .result import OptimizeResult
from .scalar import minimize_scalar, root_scalar
from .sums_of_squares import least_squares
from .uncertainty import (
    DeltaMethod,
    LaplaceApproximation,
    ProfileLikelihood,
    SingularHessianError,
    delta_method,
    laplace_approximation,
    profile_likelihood,
)

__all__ = [
    "Bounds",
    "CurveFitResult",
    "DeltaMethod",
    "LaplaceApproximation",
    "LinearConstraint",
    "NonlinearConstraint",
    "OptimizeResult",
    "ProfileLikelihood",
    "Root",
    "SingularHessianError",
    "Solution",
    "Status",
    "bfgs",
    "bisect",
    "brentq",
    "broyden",
    "curve_fit",
    "delta_method",
    "fminbound",
    "gauss_newton",
    "golden",
    "laplace_approximation",
    "lbfgs",
    "least_squares",
    "levenberg_marquardt",
    "minimize",
    "minimize_ipopt",
    "minimize_scalar",
    "newton_cg",
    "newton_root",
    "profile_likelihood",
    "root",
    "root_scalar",
]
