"""What the rewritten sources call, and the table of replacements."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from ...errors import ConcreteValueError
from ...primitives.core import EVAL, Tracer, state

__all__ = ["HELPERS", "REPLACEMENTS", "check", "has_tracer", "in_trace", "replaces", "take"]

# Functions of ours that stand in for compiled (or unsuitable) ones, by module and name.
REPLACEMENTS: dict[tuple[str, str], Any] = {}

# Modules of ours whose functions are used for SciPy's of the same name.
OURS = ("fft", "integrate", "interpolate", "linalg", "ndimage", "signal", "special", "stats")


def replaces(module: str, *names: str) -> Callable[[Any], Any]:
    """Decorate what stands for ``module.name`` in SciPy's source."""

    def register(function: Any) -> Any:
        for name in names or (function.__name__,):
            REPLACEMENTS[module, name] = function
        return function

    return register


def has_tracer(x: Any) -> bool:
    """Whether an argument is, or holds, a tracer."""
    if isinstance(x, (list, tuple)):
        return any(map(has_tracer, x))
    if isinstance(x, dict):
        return any(map(has_tracer, x.values()))
    return isinstance(x, Tracer)


# --------------------------------------------------------------------------------------
# What the rewritten source calls


def check(condition: Any) -> bool:
    """The truth of a condition under which SciPy raises; false where it cannot be known."""
    if not isinstance(condition, Tracer):
        return bool(condition)
    try:
        return bool(condition)
    except ConcreteValueError:
        return False


def _perhaps(condition: Any) -> bool:
    """The truth of a condition; true where it cannot be known."""
    try:
        return bool(condition)
    except ConcreteValueError:
        return True


def _either(*conditions: Callable) -> Any:
    """``a or b`` of a check: a part that cannot be known does not hide the others."""
    return any(check(condition()) for condition in conditions)


def _assigned(array: Any, index: Any, value: Any) -> Any:
    """``array`` after ``array[index] = value``; a plain array becomes a traced one if it must."""
    from ...numpy.creation import traced

    if isinstance(array, np.ndarray) and (has_tracer(value) or has_tracer(index)):
        array = traced(array)
    try:
        array[index] = value
    except ConcreteValueError:
        # A mask that is not known; a value for each of its elements would have no fixed shape.
        mask = isinstance(index, Tracer) and index.dtype.kind == "b"
        if np.size(value) == 1:
            value = np.reshape(value, ())
        if not mask or np.ndim(value) > len(array.shape) - len(index.shape):
            raise
        mask = index.reshape(index.shape + (1,) * (len(array.shape) - len(index.shape)))
        return np.where(mask, value, array)
    return array


def take(array: Any, index: Any) -> Any:
    """``array[index]``, also of a plain array at traced positions."""
    from ...numpy.creation import traced

    if isinstance(array, np.ndarray) and has_tracer(index):
        array = traced(array)
    return array[index]


def _augmented(operation: Callable, inplace: Callable, x: Any, y: Any) -> Any:
    """``x op= y``; a plain array and a tracer make a new array."""
    if isinstance(y, Tracer) and isinstance(x, np.ndarray):
        return operation(x, y)
    return inplace(x, y)


def _float(x: Any = 0.0) -> Any:
    return x if isinstance(x, Tracer) else float(x)


def _int(x: Any = 0, *base: Any) -> int:
    """Integers carry no derivative: the value of a traced number, where it is known."""
    if isinstance(x, Tracer) and x.concrete() is not None:
        x = x.concrete()
    return int(x, *base)


def _complex(*parts: Any) -> Any:
    if has_tracer(parts):
        return parts[0] if len(parts) == 1 else parts[0] + 1j * parts[1]
    return complex(*parts)


class _Flags(dict):
    """``x.flags`` of a traced array, which has no memory that would need another order."""

    contiguous = c_contiguous = f_contiguous = writeable = aligned = owndata = True
    fnc = forc = True

    def __missing__(self, name: str) -> bool:
        return True


def _flags(x: Any) -> Any:
    return _Flags() if isinstance(x, Tracer) else x.flags


def _view(x: Any, *dtype: Any) -> Any:
    """``x.view(dtype)``: of a traced array, complex numbers as pairs of real ones or back."""
    if not isinstance(x, Tracer):
        return x.view(*dtype)
    kind = np.dtype(dtype[0]).kind if dtype else x.dtype.kind
    if kind == x.dtype.kind:
        return x
    if kind == "f":
        return np.stack([x.real, x.imag], -1).reshape((*x.shape[:-1], -1))
    return x[..., ::2] + 1j * x[..., 1::2]


def _cast(kind: Any, x: Any) -> Any:
    return x.astype(kind) if isinstance(x, Tracer) else kind(x)


def _differs(x: Any, constant: float) -> Any:
    """``x != 1.0``, before a division by ``x``: a differentiated 1 is divided by like any other."""
    if isinstance(x, Tracer) and x.shape == () and x.dtype.kind in "fc":
        return True
    return x != constant


def share_memory(a: Any, b: Any, **unused: Any) -> bool:
    return not (has_tracer(a) or has_tracer(b)) and bool(np.may_share_memory(a, b))


def subdtype(arg1: Any, arg2: Any) -> bool:
    return np.issubdtype(arg1.dtype if isinstance(arg1, Tracer) else arg1, arg2)


HELPERS = {
    "__check": check,
    "__either": _either,
    "__assigned": _assigned,
    "__perhaps": _perhaps,
    "__take": take,
    "__augmented": _augmented,
    "__float": _float,
    "__complex": _complex,
    "__int": _int,
    "__flags": _flags,
    "__not": lambda x: np.logical_not(x) if isinstance(x, Tracer) else not x,
    "__view": _view,
    "__cast": _cast,
    "__differs": _differs,
    "__operator": operator,
}


def in_trace() -> bool:
    """Whether operations are being traced now."""
    return state.trace is not EVAL
