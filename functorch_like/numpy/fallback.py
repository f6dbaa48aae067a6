"""NumPy functions written in Python, run from NumPy's own source on tracers.

A module of NumPy is read once into a namespace of our own in which ``asarray`` and its kin let
tracers through and creation functions return arrays that can be assigned to; its functions
are rebound to that namespace. So ``np.trapezoid`` or ``np.vander`` need nothing from us: they
decompose into functions that have rules. No file or object of NumPy is changed.
"""

from __future__ import annotations

import functools
import inspect
import sys
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import user_line
from ..kernels.device import is_gpu
from ..primitives.core import Tracer

__all__ = ["run_numpy_source"]


def _passing(function: Callable) -> Callable:
    """An array converter that lets tracers through."""

    @functools.wraps(function)
    def convert(a: Any, dtype: Any = None, *args: Any, **kwargs: Any) -> Any:
        from . import creation

        made: Any
        if isinstance(a, Tracer):
            made = a
            if dtype is not None and made.dtype != dtype:
                made = made.astype(dtype)
        elif isinstance(a, (list, tuple)) and creation.contains_tracer(a):
            made = creation.array(a, dtype)
        else:
            return function(a, dtype, *args, **kwargs)
        missing = kwargs.get("ndmin", 0) - made.ndim
        if missing > 0:
            made = made.reshape((1,) * missing + made.shape)
        # NumPy's source may assign to a copy it asked for; a tracer's copy is only a new name.
        return made.copy() if function is np.array and kwargs.get("copy", True) else made

    return convert


class _NumpyProxy(types.ModuleType):
    """``numpy`` (or a submodule) as the rebound sources see it."""

    def __init__(self, module: types.ModuleType) -> None:
        super().__init__(module.__name__)
        self.__dict__["_module"] = module

    def __getattr__(self, name: str) -> Any:
        value = _replaced(getattr(self.__dict__["_module"], name))
        self.__dict__[name] = value
        return value


@functools.cache
def _proxy(module: types.ModuleType) -> _NumpyProxy:
    return _NumpyProxy(module)


def _writable(name: str) -> Callable:
    def make(*args: Any, **kwargs: Any) -> Any:
        from . import creation

        return getattr(creation, name)(*args, **kwargs)

    return make


def _writable_like(name: str) -> Callable:
    def make(a: Any, *args: Any, **kwargs: Any) -> Any:
        from . import creation

        a = a if isinstance(a, Tracer) or is_gpu(a) else np.asarray(a)
        return getattr(creation, name)(a, *args, **kwargs)

    return make


@functools.cache
def _replacements() -> dict[int, Any]:
    found = {
        id(f): _passing(f)
        for f in (np.asarray, np.asanyarray, np.array, np.ascontiguousarray, np.asarray_chkfinite)
    }
    for name in ("zeros", "ones", "empty", "full"):
        found[id(getattr(np, name))] = _writable(name)
    for name in ("zeros_like", "ones_like", "full_like"):
        found[id(getattr(np, name))] = _writable_like(name)
    found[id(np.empty_like)] = _writable_like("zeros_like")
    # np.block calls the C function behind concatenate, which asks nobody.
    found[id(getattr(np.concatenate, "_implementation", None))] = np.concatenate
    return found


def _replaced(value: Any) -> Any:
    other = _replacements().get(id(value))
    if other is not None:
        return other
    if isinstance(value, types.ModuleType) and value.__name__.partition(".")[0] == "numpy":
        return _proxy(value)
    return value


@functools.cache
def _namespace(module_name: str) -> dict[str, Any]:
    module = sys.modules[module_name]
    names: dict[str, Any] = {}
    for name, value in vars(module).items():
        if isinstance(value, types.FunctionType) and value.__module__ == module_name:
            value = _rebind(value, names)
        elif value is not None and not name.startswith("__"):
            value = _replaced(value)
        names[name] = value
    return names


def _rebind(function: types.FunctionType, names: dict[str, Any]) -> types.FunctionType:
    new = types.FunctionType(
        function.__code__, names, function.__name__, function.__defaults__, function.__closure__
    )
    new.__kwdefaults__ = function.__kwdefaults__
    return new


def run_numpy_source(func: Any, args: tuple, kwargs: dict) -> Any:
    """Call a NumPy function's Python implementation on arguments that hold tracers."""
    source = inspect.unwrap(getattr(func, "_implementation", func))
    if not isinstance(source, types.FunctionType):
        raise TypeError(_refusal(func))
    if source.__module__.startswith("numpy.polynomial."):
        from .polynomial.source import namespace

        name = source.__module__.rpartition(".")[2]
        return namespace(name)[source.__name__](*args, **kwargs)
    names = _namespace(source.__module__)
    try:
        return _rebind(source, names)(*args, **kwargs)
    except AttributeError as error:
        # The source looks at memory (flags, strides, __array_wrap__), which a tracer has not.
        if isinstance(error.obj, Tracer):
            raise TypeError(_refusal(func)) from error
        raise


def _refusal(func: Any) -> str:
    name = getattr(func, "__qualname__", repr(func))
    return (
        f"{func.__module__}.{name}: not supported on traced arrays, at {user_line()}; write it "
        "with other NumPy functions, or give it a rule with functorch_like.wrap(f, vjp=...)."
    )
