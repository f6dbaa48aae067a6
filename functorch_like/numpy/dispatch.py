"""How NumPy's own functions reach us: the two dispatch protocols and their tables.

``np.sin(tracer)`` calls ``__array_ufunc__``, every other NumPy function of a tracer calls
``__array_function__``. A function with no entry here runs NumPy's own Python source on the
tracers (``fallback``), so that it decomposes into functions that have one.
"""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import MutationError, user_line
from ..primitives.core import (
    EVAL,
    Elementwise,
    EscapedTracerError,
    Trace,
    Tracer,
    Unary,
    escaped_message,
    state,
)
from .fallback import run_numpy_source

__all__ = ["FUNCTIONS", "UFUNCS", "implements"]

UFUNCS: dict[Any, Callable] = {}
FUNCTIONS: dict[Any, Callable] = {}


def implements(*numpy_functions: Any) -> Callable[[Callable], Callable]:
    """Decorate our version of NumPy functions; it takes their arguments."""

    def register(function: Callable) -> Callable:
        for f in numpy_functions:
            (UFUNCS if isinstance(f, np.ufunc) else FUNCTIONS)[f] = function
        return function

    return register


class OpaqueUfunc(Elementwise):
    """A ufunc we have no rule for: it has values, batches and stages, but no derivative."""

    __slots__ = ()

    def jvp(self, primals: Any, tangents: Any, params: dict) -> Any:
        raise TypeError(self._refusal())

    def record(self, trace: Trace, primals: Any, slots: Any, params: dict) -> Any:
        raise TypeError(self._refusal())

    def _refusal(self) -> str:
        return (
            f"{self.name}: no derivative is known for this ufunc, at {user_line()}; give it one "
            "with functorch_like.wrap(f, vjp=...), or finite_difference(f)."
        )


@functools.cache
def opaque(ufunc: Any) -> OpaqueUfunc:
    """The primitive that stands for a ufunc without rules."""
    return OpaqueUfunc(f"ufunc:{ufunc.__name__}", ufunc, None, arity=ufunc.nin)


def find_ufunc(ufunc: Any) -> Callable | None:
    """Our version of a ufunc; those of scipy.special are connected when the first is met."""
    found = UFUNCS.get(ufunc)
    if found is None and "scipy.special" in sys.modules:
        importlib.import_module("functorch_like.scipy.special")  # fills UFUNCS
        found = UFUNCS.get(ufunc)
    if found is None:
        from .python_ufuncs import python_ufunc

        found = python_ufunc(ufunc)
    return found


def array_ufunc(self: Tracer, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
    """``__array_ufunc__`` of every tracer."""
    trace = state.trace
    if trace is EVAL:
        raise EscapedTracerError(escaped_message(self))
    if method == "__call__" and not kwargs:
        function = UFUNCS.get(ufunc) or find_ufunc(ufunc)
        if type(function) is Unary:
            return trace.unary(function, inputs[0])
        if function is not None:
            if any(type(x) is list or type(x) is tuple for x in inputs):
                from .elementwise import as_operand

                inputs = tuple(map(as_operand, inputs))
            return function(*inputs)
    from . import ufunc_methods  # the slow path needs the whole namespace

    return ufunc_methods.call(ufunc, method, inputs, kwargs)


def array_function(self: Tracer, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
    """``__array_function__`` of every tracer."""
    if state.trace is EVAL:
        raise EscapedTracerError(escaped_message(self))
    function = FUNCTIONS.get(func)
    if function is not None:
        return function(*args, **kwargs)
    return run_numpy_source(func, args, kwargs)


@functools.cache
def _cupy_ufuncs() -> dict[Any, Callable]:
    """NumPy's and SciPy's ufunc for each of CuPy's, by the name it is public under."""
    import cupy
    import cupyx.scipy.special
    import scipy.special

    return {
        found: getattr(ours, name)
        for theirs, ours in ((cupyx.scipy.special, scipy.special), (cupy, np))
        for name, found in vars(theirs).items()
        if isinstance(found, cupy.ufunc) and hasattr(ours, name)
    }


def cupy_kernel(self: Tracer, kernel: Any, *inputs: Any, **kwargs: Any) -> Any:
    """``cupy.sin(tracer)``: CuPy asks its operands for this method before it looks at them."""
    ufunc = _cupy_ufuncs().get(kernel)
    if ufunc is None:
        raise TypeError(
            f"{kernel.name}: this kernel of CuPy has no derivative, at {user_line()}; write it "
            "with NumPy functions, or give it one with functorch_like.wrap(f, vjp=...)."
        )
    return ufunc(*inputs, **kwargs)


def refuse_out(name: str, out: Any) -> None:
    """Raise if an ``out=`` argument asks for a plain array to be written."""
    if out is not None:
        raise MutationError(
            f"{name}: out= cannot be written by a traced operation, at {user_line()}; write "
            f"y = {name}(...) instead, or y[...] = {name}(...) with y made by "
            "np.zeros_like(x) of a traced x."
        )


Tracer.__array_ufunc__ = array_ufunc  # type: ignore[attr-defined]
Tracer.__array_function__ = array_function  # type: ignore[attr-defined]
Tracer.__cupy_override_elementwise_kernel__ = cupy_kernel  # type: ignore[attr-defined]
# NumPy must hand binary operations with plain arrays on the left to us.
Tracer.__array_priority__ = 1000  # type: ignore[attr-defined]
