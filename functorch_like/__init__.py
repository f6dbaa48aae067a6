"""Composable transformations of plain NumPy functions."""

import importlib
from typing import Any

from . import debug, errors, testing, tree
from . import numpy as numpy  # connects NumPy's functions to traced arrays
from .batching import vmap
from .checkpointing import checkpoint
from .control_flow import associative_scan, cond, fori_loop, map, scan, switch, while_loop
from .custom_rules import custom_gradient, custom_jvp, custom_vjp, stop_gradient
from .debug import debug_nans
from .forward import jvp
from .graph import eval_shape, make_graph
from .jacobians import hessian, hvp, jacfwd, jacobian, jacrev
from .jit import disable_jit, jit, log_compiles
from .overrides import finite_difference, straight_through, surrogate, wrap
from .primitives.core import ShapedArray
from .reverse import grad, linear_transpose, linearize, value_and_grad, vjp
from .scripting import script

__version__ = "0.1.0"

__all__ = [
    "ShapedArray",
    "associative_scan",
    "checkpoint",
    "cond",
    "custom_gradient",
    "custom_jvp",
    "custom_vjp",
    "debug",
    "debug_nans",
    "disable_jit",
    "errors",
    "eval_shape",
    "finite_difference",
    "fori_loop",
    "grad",
    "hessian",
    "hvp",
    "jacfwd",
    "jacobian",
    "jacrev",
    "jit",
    "jvp",
    "linear_transpose",
    "linearize",
    "log_compiles",
    "make_graph",
    "map",
    "scan",
    "script",
    "stop_gradient",
    "straight_through",
    "surrogate",
    "switch",
    "testing",
    "tree",
    "value_and_grad",
    "vjp",
    "vmap",
    "while_loop",
    "wrap",
]


def __getattr__(name: str) -> Any:
    if name in ("random", "scipy"):  # loaded when they are first used
        return importlib.import_module(f"functorch_like.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
