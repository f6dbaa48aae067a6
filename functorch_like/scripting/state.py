"""Values of variables in scripted branches and loops: which are arrays, which are not there."""

from __future__ import annotations

import linecache
import re
from typing import Any

import numpy as np

from .. import tree
from ..arguments import as_array
from ..errors import ScriptError, user_line
from ..primitives.core import Tracer, aval_of

__all__ = ["Nothing", "described", "is_array", "is_result", "line_of", "same_static"]


_RESULT = re.compile(r"returned_\d+__value")


class Nothing:
    """The value of a name that has none: any use of it is an error that says why."""

    __slots__ = ("guarded", "name", "why")

    def __init__(self, name: str, why: str = "", guarded: bool = False) -> None:
        self.name = name
        self.why = why
        self.guarded = guarded  # whether a flag of ours says when it has a value

    def _raise(self, *args: Any, **kwargs: Any) -> Any:
        raise ScriptError(
            f"{self.name} is used where it may have no value{self.why}; give it one before."
        )

    __array_ufunc__ = __array_function__ = __array__ = _raise
    __bool__ = __float__ = __int__ = __index__ = __len__ = __iter__ = __call__ = _raise
    __getitem__ = __setitem__ = __neg__ = __abs__ = __lt__ = __le__ = __gt__ = __ge__ = _raise
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = _raise
    __rtruediv__ = __pow__ = __rpow__ = __matmul__ = __rmatmul__ = __mod__ = __floordiv__ = _raise

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        self._raise()

    def __repr__(self) -> str:
        return f"<{self.name} without a value>"


def is_array(x: Any) -> bool:
    """Whether a leaf can be traced: arrays and numbers."""
    if isinstance(x, Tracer) or type(x) in (bool, int, float, complex):
        return True
    return isinstance(x, (np.ndarray, np.generic)) and x.dtype.kind in "biufc"


def same_static(x: Any, y: Any) -> bool:
    """Whether two leaves are known to be the same."""
    if x is y:
        return True
    if isinstance(x, (Tracer, Nothing, np.ndarray)) or isinstance(y, (Tracer, Nothing, np.ndarray)):
        return False
    try:
        same = type(x) is type(y) and bool(x == y)
        return same and (x != 0 or repr(x) == repr(y) if isinstance(x, float) else same)
    except Exception:
        return False


def is_result(name: str) -> bool:
    """Whether a name, made by us, holds what a return inside a loop returns.

    Nothing is written after it, and where something is written it is not there yet.
    """
    return _RESULT.match(name) is not None


def described(x: Any) -> str:
    """The structure of a value, for messages."""
    if x is None:
        return "None"
    if is_array(x):
        return str(aval_of(as_array(x)))
    return f"{type(x).__name__} {tree.describe(tree.structure(x))}"


def line_of(number: int | None = None) -> str:
    """``file:line: source`` of the user's line, or of another line of its file."""
    here = user_line().removesuffix(":")
    if not number:
        return here
    name = here.split(":", 1)[0]
    source = linecache.getline(name, number).strip().removesuffix(":")
    return f"{name}:{number}" + (f": {source}" if source else "")
