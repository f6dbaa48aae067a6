"""The names of ``functorch_like.numpy``: all of NumPy's, most of them NumPy's own objects.

A function of NumPy that asks its arguments (``np.sin``, ``np.linalg.solve``) takes traced arrays
as it is, and is the same object here. Those that do not ask, because they are written in C or
make arrays of nothing, have a version here. Outside of every transform these call NumPy's.
"""

from __future__ import annotations

import functools
import importlib
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..primitives.core import EVAL, Tracer, registry, shape_of, state
from . import creation, statistics
from .dispatch import UFUNCS
from .fallback import _namespace, _rebind
from .vectorization import vectorize

__all__ = ["OURS", "array_namespace", "lookup", "names"]

# --- arrays that can be assigned to -------------------------------------------------------------


def _new(function: Callable) -> Callable:
    """A maker of arrays, whose floating-point results can be assigned to inside a transform."""

    @functools.wraps(function)
    def make(*args: Any, **kwargs: Any) -> Any:
        made = function(*args, **kwargs)
        if state.trace is EVAL:
            return made
        if isinstance(made, tuple):  # np.linspace(..., retstep=True)
            return (creation.assignable(made[0]), *made[1:])
        return creation.assignable(made)

    return make


def _new_like(ours: Callable, function: Callable) -> Callable:
    """A maker of arrays like another, which NumPy knows by its first argument only."""

    @functools.wraps(function)
    def make(a: Any, *args: Any, **kwargs: Any) -> Any:
        if state.trace is EVAL:
            return function(a, *args, **kwargs)
        return ours(a, *args, **kwargs)

    return make


def _outside(ours: Callable, function: Callable) -> Callable:
    """NumPy's function outside of every transform, ours inside."""

    @functools.wraps(function)
    def make(*args: Any, **kwargs: Any) -> Any:
        return (function if state.trace is EVAL else ours)(*args, **kwargs)

    return make


@functools.wraps(np.array)
def array(object: Any, dtype: Any = None, **keywords: Any) -> Any:
    made = creation.array(object, dtype, **keywords)
    return made if made is object else creation.assignable(made)


def _converter(ours: Callable, function: Callable) -> Callable:
    """A converter to arrays: what is an array stays the array it is."""

    @functools.wraps(function)
    def convert(a: Any, *args: Any, **kwargs: Any) -> Any:
        if creation.contains_tracer(a):
            return ours(a, *args, **kwargs)
        made = function(a, *args, **kwargs)
        shared = isinstance(a, np.ndarray) and np.may_share_memory(a, made)
        return made if shared else creation.assignable(made)

    return convert


@functools.wraps(np.asarray_chkfinite)
def asarray_chkfinite(a: Any, dtype: Any = None, order: Any = None) -> Any:
    if not creation.contains_tracer(a):
        return np.asarray_chkfinite(a, dtype, order)
    made = creation.asarray(a, dtype, order)
    value = made.concrete()  # what is not known yet cannot be checked
    if value is not None and value.dtype.kind in "fc" and not np.isfinite(value).all():
        raise ValueError("array must not contain infs or NaNs")
    return made


@functools.wraps(np.require)
def require(a: Any, dtype: Any = None, requirements: Any = None, **more: Any) -> Any:
    if not creation.contains_tracer(a):
        return np.require(a, dtype, requirements, **more)
    return creation.asarray(a, dtype)  # no memory, so nothing that it could violate


@functools.wraps(np.fromiter)
def fromiter(iter: Any, dtype: Any, count: int = -1, **more: Any) -> Any:
    if state.trace is EVAL:
        return np.fromiter(iter, dtype, count, **more)
    elements = list(iter) if count < 0 else [x for x, _ in zip(iter, range(count), strict=False)]
    if len(elements) < count:
        raise ValueError(
            f"iterator too short: Expected {count} but iterator had only {len(elements)} items."
        )
    return array(elements, dtype)


# --- iterating and indexing ---------------------------------------------------------------------


@functools.wraps(np.ndenumerate, updated=())
def ndenumerate(arr: Any) -> Iterator[tuple[tuple[int, ...], Any]]:
    if not isinstance(arr, Tracer):
        return np.ndenumerate(arr)  # type: ignore[return-value]
    return ((i, arr[i]) for i in np.ndindex(*arr.shape))


@functools.wraps(np.broadcast, updated=())
def broadcast(*args: Any) -> np.broadcast:
    shapes = [x if not isinstance(x, Tracer) else np.broadcast_to(0.0, shape_of(x)) for x in args]
    return np.broadcast(*shapes)


class _Concatenator:
    """``r_`` and ``c_``, from NumPy's own source where traced arrays are among the items."""

    def __init__(self, original: Any) -> None:
        self._original = original
        self.__doc__ = original.__doc__

    def __getitem__(self, key: Any) -> Any:
        items = key if isinstance(key, tuple) else (key,)
        if not creation.contains_tracer(items):
            return creation.assignable(self._original[key])
        original: Any = type(self._original).__mro__[1]
        source = original.__getitem__
        return _rebind(source, _namespace(source.__module__))(self, key)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._original, name)

    def __len__(self) -> int:
        return 0

    @staticmethod
    def makemat(data: Any) -> Any:
        """Two axes for what would be a matrix."""
        return data if data.ndim == 2 else data.reshape(1, -1)


# --- the table ----------------------------------------------------------------------------------

OURS: dict[str, Any] = {
    "array": array,
    "asarray": _converter(creation.asarray, np.asarray),
    "asanyarray": _converter(creation.asarray, np.asanyarray),
    "ascontiguousarray": _converter(creation.at_least_vector, np.ascontiguousarray),
    "asfortranarray": _converter(creation.at_least_vector, np.asfortranarray),
    "asarray_chkfinite": asarray_chkfinite,
    "require": require,
    "fromiter": fromiter,
    "zeros": _outside(creation.zeros, np.zeros),
    "ones": _outside(creation.ones, np.ones),
    "empty": _outside(creation.empty, np.empty),
    "full": _outside(creation.full, np.full),
    "zeros_like": _new_like(creation.zeros_like, np.zeros_like),
    "empty_like": _new_like(creation.zeros_like, np.empty_like),
    "ones_like": _new_like(creation.ones_like, np.ones_like),
    "full_like": _new_like(creation.full_like, np.full_like),
    "eye": _outside(creation.eye, np.eye),
    "identity": _outside(creation.identity, np.identity),
    "tri": _outside(creation.tri, np.tri),
    "arange": _outside(creation.arange, np.arange),
    "linspace": _new(np.linspace),
    "logspace": _new(np.logspace),
    "geomspace": _new(np.geomspace),
    "copy": _new(np.copy),
    "ndenumerate": ndenumerate,
    "broadcast": broadcast,
    "kaiser": _outside(statistics.kaiser, np.kaiser),
    "r_": _Concatenator(np.r_),
    "c_": _Concatenator(np.c_),
    "vectorize": vectorize,
}


# Modules of NumPy that are imported here when they are asked for, as in NumPy.
_SUBMODULES = ("polynomial",)


class _Special(types.ModuleType):
    """SciPy's special functions, where the array API is to have them: in the namespace.

    SciPy looks for them there when SCIPY_ARRAY_API is set. Its own functions are then no ufuncs,
    so that they are found by name.
    """

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        ours = importlib.import_module("functorch_like.scipy.special")
        theirs = getattr(importlib.import_module("scipy.special"), name)
        found = UFUNCS.get(theirs) or registry.get(name) or getattr(ours, name, None)
        if found is None or found is theirs:
            raise AttributeError(f"no traced version of scipy.special.{name}")
        return found


def lookup(name: str) -> Any:
    """What ``functorch_like.numpy.<name>`` is."""
    if name in OURS:
        return OURS[name]
    if name == "special":
        return _Special("functorch_like.numpy.special")
    if name in _SUBMODULES:
        return importlib.import_module(f"{__package__}.{name}")
    return getattr(np, name)


def names() -> list[str]:
    """Every public name of NumPy."""
    return sorted({*np.__all__, "__array_namespace_info__"} - {"__version__"})


def array_namespace(self: Any, /, *, api_version: str | None = None) -> types.ModuleType:
    """``__array_namespace__`` of every tracer: ``functorch_like.numpy``."""
    checked: Any = np.empty(0)  # NumPy says which versions it knows
    checked.__array_namespace__(api_version=api_version)
    return importlib.import_module("functorch_like.numpy")
