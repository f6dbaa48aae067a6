"""Where traced arrays meet the sparse ones of SciPy, which know nothing of them.

``x + A`` comes to the tracer, which asks ``functorch_like.scipy.sparse``. For ``A @ x`` and
``A * x`` SciPy first converts ``x`` to an array. An array without axes that holds an object is what
NumPy makes of anything it cannot convert; given one, SciPy returns NotImplemented, and Python asks
the tracer in its turn.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

import numpy as np

from ..errors import ConcreteValueError, user_line
from ..primitives.core import Tracer

__all__ = ["SparseOperandError", "asked_by_sparse", "with_sparse"]


class SparseOperandError(TypeError):
    """The other operand of an operator is sparse: ``with_sparse`` computes it."""


def with_sparse(name: str, tracer: Tracer, other: Any) -> Any:
    """The operator of a sparse array, whose method is ``name``, applied to a tracer."""
    sparse = importlib.import_module("functorch_like.scipy.sparse")
    method = getattr(sparse.as_sparse(other), name, None)
    return NotImplemented if method is None else method(tracer)


def asked_by_sparse(tracer: Tracer) -> Any:
    """What SciPy's sparse operators get for a traced array, or None if it is not they who ask."""
    frame = sys._getframe(2)
    if not frame.f_globals.get("__name__", "").startswith("scipy.sparse."):
        return None
    name = frame.f_code.co_name
    if name == "_multiply_2d_with_broadcasting":
        outer = frame.f_back
        while outer is not None and outer.f_code.co_name == "multiply":
            outer = outer.f_back
        if outer is None or outer.f_code.co_name not in ("__mul__", "__rmul__"):
            raise ConcreteValueError(_no_hook(tracer, "multiply", "A * x"))
    elif name == "dot":
        raise ConcreteValueError(_no_hook(tracer, "dot", "A @ x"))
    elif name not in ("_matmul_dispatch", "_divide"):
        return None
    held = np.empty((), object)
    held[()] = tracer
    return held


def _no_hook(tracer: Tracer, method: str, operator: str) -> str:
    return (
        f"{tracer._trace.name}: the method {method} of a constant sparse array was given a traced "
        f"value of shape {tracer.shape}, at {user_line()}, which it does not hand to others; write "
        f"{operator}, or functorch_like.scipy.sparse.as_sparse(A).{method}(x)."
    )
