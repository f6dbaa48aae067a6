"""Sparse Jacobians and Hessians: the pattern from the program, coloured, in few products.

``plan_jacobian`` and ``plan_hessian`` stage the function, find which results (or parts of the
gradient) can depend on which inputs, and colour that pattern so that columns or rows share
products; the ``Plan`` then evaluates the matrix at any values by one batch of products.

>>> import numpy as np
>>> import functorch_like as ft
>>> plan = ft.sparsity.plan_hessian(lambda x: np.sum(x[1:] ** 2 * x[:-1]), np.ones(1000))
>>> plan
<hessian 1,000 x 1,000: 2,997 entries (0.003 of all), star colouring, natural order: 3 colours>

The steps are ``index_sets`` (sets of inputs, one an element), ``propagation`` through a graph with
its ``rules``, those of ``contractions`` and of ``control`` flow, ``pattern``, ``coloring`` with
``greedy``, ``products``, ``recovery``, ``task``, ``plan``, ``picture`` and ``api``.
"""

from .api import plan_hessian, plan_jacobian, sparse_hessian, sparse_jacobian
from .coloring import Coloring, color
from .plan import Plan

__all__ = [
    "Coloring",
    "Plan",
    "color",
    "plan_hessian",
    "plan_jacobian",
    "sparse_hessian",
    "sparse_jacobian",
]
