"""Integrals and initial-value problems, plain and traced, under scipy.integrate's names.

Sums over samples (``trapezoid``, ``simpson``, ``romb`` ...) and ``fixed_quad`` run from SciPy's
source. ``quad`` has its own rule, and with it ``dblquad``, ``tplquad`` and ``nquad``; ``adaptive``
is its loop that compiles, and that of ``quad_vec``. ``solve_ivp``
and ``odeint`` are integrators of ours where values are traced: ``stepping`` is the loop,
``explicit`` and ``radau`` the methods, ``adjoint`` the continuous adjoint.
"""

from __future__ import annotations

from ..source import Refusals, attributes
from .initial_value import odeint, solve_ivp
from .quadrature import fixed_quad, nested, quad, quad_vec

__all__ = ["dblquad", "fixed_quad", "nquad", "odeint", "quad", "quad_vec", "solve_ivp", "tplquad"]

dblquad, tplquad, nquad = (nested(name) for name in ("dblquad", "tplquad", "nquad"))

_REFUSALS = Refusals()
_REFUSALS.add(
    "its steps are chosen while it runs; use solve_ivp.",
    "ode", "complex_ode", "BDF", "DOP853", "LSODA", "OdeSolver", "RK23", "RK45", "Radau",
)  # fmt: skip
_REFUSALS.add(
    "its mesh is chosen while it runs; solve the collocation equations with "
    "functorch_like.custom_root.",
    "solve_bvp",
)
_REFUSALS.add(
    "its points are chosen while it runs; use quad, nquad or fixed_quad.",
    "cubature", "tanhsinh", "qmc_quad", "nsum",
)  # fmt: skip
__getattr__, __dir__ = attributes("scipy.integrate", _REFUSALS, globals())
