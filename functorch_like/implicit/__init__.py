"""Implicit differentiation: derivatives of solutions from the equations they solve.

``custom_root`` and ``custom_linear_solve`` take a solver of one's own, ``implicit_function`` any
black box, ``fixed_point`` iterates itself; ``at_root``, ``at_minimum`` and the others attach the
derivative to a solution that is known. All of them in forward and reverse mode of every order,
under ``vmap`` and ``jit``.
"""

from .iteration import fixed_point
from .rules import custom_linear_solve, custom_root
from .solutions import (
    at_constrained_minimum,
    at_least_squares,
    at_minimum,
    at_root,
    implicit_function,
)
from .systems import solve_auto, solve_cg, solve_dense, solve_gmres

__all__ = [
    "at_constrained_minimum",
    "at_least_squares",
    "at_minimum",
    "at_root",
    "custom_linear_solve",
    "custom_root",
    "fixed_point",
    "implicit_function",
    "solve_auto",
    "solve_cg",
    "solve_dense",
    "solve_gmres",
]
