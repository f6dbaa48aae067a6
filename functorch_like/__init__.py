"""Composable transformations of plain NumPy functions."""

import importlib
from typing import TYPE_CHECKING, Any

from . import checkpoint_policies, debug, errors, testing, tree
from . import numpy as numpy  # connects NumPy's functions to traced arrays
from .batching import vmap
from .checkpoint_policies import checkpoint_name
from .checkpointing import checkpoint
from .control_flow import (
    Binomial,
    associative_scan,
    cond,
    fori_loop,
    map,
    scan,
    switch,
    while_loop,
)
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

if TYPE_CHECKING:
    from . import checks, implicit, optimize, sparsity
    from .checks import check, checkify
    from .explanation import explain
    from .implicit import custom_linear_solve, custom_root, fixed_point, implicit_function
    from .sparsity import sparse_hessian, sparse_jacobian

__version__ = "0.1.0"

__all__ = [
    "Binomial",
    "ShapedArray",
    "associative_scan",
    "check",
    "checkify",
    "checkpoint",
    "checkpoint_name",
    "checkpoint_policies",
    "checks",
    "cond",
    "custom_gradient",
    "custom_jvp",
    "custom_linear_solve",
    "custom_root",
    "custom_vjp",
    "debug",
    "debug_nans",
    "disable_jit",
    "errors",
    "eval_shape",
    "explain",
    "finite_difference",
    "fixed_point",
    "fori_loop",
    "gauss_newton",
    "gauss_newton_product",
    "grad",
    "hessian",
    "hessian_diagonal",
    "hessian_operator",
    "hvp",
    "implicit",
    "implicit_function",
    "jacfwd",
    "jacobian",
    "jacobian_operator",
    "jacrev",
    "jet",
    "jit",
    "jvp",
    "laplacian",
    "linear_transpose",
    "linearize",
    "log_compiles",
    "make_graph",
    "map",
    "optimize",
    "scan",
    "script",
    "sparse_hessian",
    "sparse_jacobian",
    "sparsity",
    "stop_gradient",
    "straight_through",
    "surrogate",
    "switch",
    "taylor",
    "testing",
    "tree",
    "value_and_grad",
    "vjp",
    "vmap",
    "while_loop",
    "wrap",
]


# Loaded when first used, so that importing the package stays quick: a name and its module.
_LATER = {
    "random": "random",
    "scipy": "scipy",
    "optimize": "optimize",
    "sparse_hessian": "sparsity",
    "sparse_jacobian": "sparsity",
    "sparsity": "sparsity",
    "check": "checks",
    "checkify": "checks",
    "checks": "checks",
    "explain": "explanation",
    "jet": "taylor_mode",
    "taylor": "taylor_mode",
    "gauss_newton": "second_order",
    "gauss_newton_product": "second_order",
    "hessian_diagonal": "second_order",
    "hessian_operator": "second_order",
    "jacobian_operator": "second_order",
    "laplacian": "second_order",
    "implicit": "implicit",
    "custom_linear_solve": "implicit",
    "custom_root": "implicit",
    "fixed_point": "implicit",
    "implicit_function": "implicit",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f".{_LATER[name]}", __name__)
    if name != _LATER[name]:  # a function of the module, not the module itself
        module = getattr(module, name)
    globals()[name] = module
    return module
