"""Modules as the rewritten sources see them: NumPy, its array API layer, math, SciPy's."""

from __future__ import annotations

import functools
import importlib
import math
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from ...numpy import fallback
from ...primitives.core import Tracer
from .runtime import REPLACEMENTS, check, has_tracer, replaces, share_memory, subdtype

__all__ = ["AnyArray", "Rows", "module_view", "numpy_view"]


def of_scipy(name: Any) -> bool:
    """Whether a module's name is SciPy's."""
    return isinstance(name, str) and (name == "scipy" or name.startswith("scipy."))


class _ArrayMeta(type):
    def __instancecheck__(cls, x: object) -> bool:
        return isinstance(x, (np.ndarray, Tracer))


class AnyArray(metaclass=_ArrayMeta):
    """``np.ndarray`` as SciPy's source sees it: tracers are arrays."""


class MathView(types.ModuleType):
    """``math``, whose functions take tracers."""

    def __getattr__(self, name: str) -> Any:
        plain = getattr(math, name)
        if not callable(plain) or not hasattr(np, name):
            return plain
        numpys = getattr(np, name)

        def either(*args: Any) -> Any:
            return numpys(*args) if has_tracer(args) else plain(*args)

        return either


class _NumpyView(types.ModuleType):
    """``numpy``, or SciPy's compatibility layer over it."""

    def __init__(self, module: types.ModuleType) -> None:
        super().__init__(module.__name__)
        self.__dict__["_module"] = module

    def __getattr__(self, name: str) -> Any:
        from .translation import translate

        module = self.__dict__["_module"]
        outermost = module is np or of_scipy(module.__name__)
        value = NUMPY_NAMES.get(name) if outermost else None
        if value is None:
            # The compatibility layer over NumPy wraps what NumPy itself has.
            plain = getattr(np if outermost and hasattr(np, name) else module, name)
            value = fallback._replaced(plain)
            if isinstance(plain, types.ModuleType):
                value = numpy_view(plain)
            elif of_scipy(getattr(plain, "__module__", None)):
                value = translate(plain)
            elif value is plain and isinstance(plain, NUMPY_FUNCTION) and name not in _JOINS:
                value = _taking_lists(plain)
        self.__dict__[name] = value
        return value


NUMPY_FUNCTION = (type(np.mean), np.ufunc)

# Functions whose first operand is a list of arrays: NumPy looks into it by itself.
_JOINS = frozenset((
    "concatenate", "concat", "stack", "hstack", "vstack", "dstack", "column_stack", "block",
    "row_stack", "select", "choose", "lexsort", "ix_", "meshgrid", "broadcast_arrays", "einsum",
    "multi_dot", "piecewise", "ravel_multi_index", "unravel_index", "result_type",
))  # fmt: skip


def _taking_lists(function: Any) -> Any:
    """A function of NumPy that takes lists of tracers for arrays."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if any(type(a) in (list, tuple) and has_tracer(a) for a in args):
            from ...numpy.creation import array

            args = tuple(
                array(a) if type(a) in (list, tuple) and has_tracer(a) else a for a in args
            )
        return function(*args, **kwargs)

    if isinstance(function, np.ufunc):
        for name in ("reduce", "accumulate", "outer", "at"):
            setattr(call, name, getattr(function, name))
    return call


class Rows:
    """``np.r_`` with traced pieces."""

    def __getitem__(self, pieces: Any) -> Any:
        if not has_tracer(pieces):
            return np.r_[pieces]
        parts = pieces if isinstance(pieces, tuple) else (pieces,)
        if any(isinstance(p, (str, slice)) for p in parts):
            parts = tuple(np.r_[p] if isinstance(p, slice) else p for p in parts)
        from ...numpy.creation import array

        arrays = [p if isinstance(p, Tracer) else array(p) for p in parts]
        return np.concatenate([np.reshape(p, (1,)) if p.ndim == 0 else p for p in arrays])


def _astype(x: Any, dtype: Any, /, *, copy: bool = True, **unused: Any) -> Any:
    return x.astype(dtype) if hasattr(x, "astype") else np.asarray(x, dtype)


# Arrays of zeros are written into, and may have to hold traced values; those of integers hold
# positions and masks, which have to stay plain. Other constants stay plain until assigned to.


def _writable(name: str) -> Callable:
    def make(shape: Any, dtype: Any = float, *args: Any, **kwargs: Any) -> Any:
        from ...numpy import creation

        if np.dtype(dtype).kind not in "fc":
            return np.zeros(shape, dtype)
        return getattr(creation, name)(shape, dtype)

    return make


def _like(name: str) -> Callable:
    def make(a: Any, *args: Any, **kwargs: Any) -> Any:
        given = args[1:] if name == "full_like" else args
        dtype = np.dtype(kwargs.get("dtype") or (given[0] if given else None) or _dtype(a))
        shape = np.shape(a) if kwargs.get("shape") is None else kwargs["shape"]
        if name == "ones_like":
            return np.ones(shape, dtype)
        if name == "full_like":
            return _full(shape, args[0] if args else kwargs["fill_value"], dtype)
        return _writable("zeros")(shape, dtype)

    return make


def _dtype(a: Any) -> Any:
    return a.dtype if hasattr(a, "dtype") else np.asarray(a).dtype


def _full(shape: Any, fill_value: Any, dtype: Any = None, **unused: Any) -> Any:
    from ...numpy import creation

    make = creation.full if has_tracer(fill_value) else np.full
    return make(shape, fill_value, dtype)


NUMPY_NAMES: dict[str, Any] = {
    "ndarray": AnyArray,
    "ones": np.ones,
    "full": _full,
    "zeros": _writable("zeros"),
    "empty": _writable("empty"),
    "ones_like": _like("ones_like"),
    "zeros_like": _like("zeros_like"),
    "empty_like": _like("empty_like"),
    "full_like": _like("full_like"),
    "astype": _astype,
    "issubdtype": subdtype,
    "r_": Rows(),
    "may_share_memory": share_memory,
    "shares_memory": share_memory,
    "isdtype": lambda dtype, kind: np.isdtype(np.dtype(dtype), kind),
}


@functools.cache
def numpy_view(module: types.ModuleType) -> _NumpyView:
    """``numpy``, or the layer over it, for the rewritten sources."""
    return _NumpyView(module)


class _ModuleView(types.ModuleType):
    """A module of SciPy as the rewritten sources see it."""

    def __init__(self, module: types.ModuleType) -> None:
        super().__init__(module.__name__)
        self.__dict__["_module"] = module

    def __getattr__(self, name: str) -> Any:
        from .translation import translate

        module = self.__dict__["_module"]
        replacement = REPLACEMENTS.get((module.__name__, name))
        if replacement is None:
            replacement = translate(getattr(module, name))
        self.__dict__[name] = replacement
        return replacement


@functools.cache
def module_view(module: types.ModuleType) -> _ModuleView:
    """A module of SciPy for the rewritten sources."""
    return _ModuleView(module)


# --------------------------------------------------------------------------------------
# The array API layer: there is one namespace, NumPy's


@replaces("scipy._lib._array_api", "array_namespace")
def _array_namespace(*arrays: Any, **unused: Any) -> Any:
    return numpy_view(importlib.import_module("scipy._lib.array_api_compat.numpy"))


_namespace_like = _array_namespace
REPLACEMENTS["scipy._lib.array_api_compat.common.HELPERS", "array_namespace"] = _namespace_like
for _name in ("is_numpy", "is_numpy_namespace"):
    REPLACEMENTS["scipy._lib._array_api", _name] = lambda xp: True
    REPLACEMENTS["scipy._lib.array_api_compat.common.HELPERS", _name] = lambda xp: True
for _name in ("is_torch", "is_jax", "is_cupy", "is_dask", "is_lazy_array", "is_array_api_strict"):
    for _module in ("scipy._lib._array_api", "scipy._lib.array_api_compat.common.HELPERS"):
        REPLACEMENTS[_module, _name] = lambda x: False


@replaces("scipy._lib._array_api", "_asarray")
def _asarray(
    array: Any, dtype: Any = None, order: Any = None, copy: Any = None, **options: Any
) -> Any:
    from ...numpy.creation import array as make

    if options.get("check_finite") and check(np.logical_not(np.all(np.isfinite(array)))):
        raise ValueError("array must not contain infs or NaNs")
    if isinstance(array, Tracer) or has_tracer(array):
        return make(array, dtype, copy=copy)
    return np.array(array, dtype=dtype, order=order or "K") if copy else np.asarray(array, dtype)


@replaces("scipy._lib._array_api", "xp_copy")
def _xp_copy(x: Any, *, xp: Any = None) -> Any:
    return _asarray(x, copy=True)


@replaces("scipy._lib._util", "_asarray_validated")
def _asarray_validated(a: Any, check_finite: bool = True, **unused: Any) -> Any:
    return _asarray(a, check_finite=check_finite)
