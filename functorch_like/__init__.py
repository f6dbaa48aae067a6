"""Composable transformations of plain NumPy functions."""

from . import numpy, tree
from .batching import vmap
from .forward import jvp
from .reverse import grad, linear_transpose, linearize, value_and_grad, vjp

__all__ = ["grad", "jvp", "linear_transpose", "linearize", "tree", "value_and_grad", "vjp", "vmap", "numpy"]
