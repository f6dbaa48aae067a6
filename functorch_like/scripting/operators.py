"""What rewritten source calls: truth, comparisons, calls, and the control flow of this folder.

Everything here first asks whether its operands are known; if so it does what Python does.
"""

from __future__ import annotations

import builtins
import functools
import operator
import os
import sysconfig
import types
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import ScriptError
from ..numpy import creation, indexing
from ..primitives.core import Tracer
from .branches import branch
from .calls import before_method
from .loops import for_loop, while_loop
from .printing import Text
from .regions import Trying, current, own, raised, refuse_outside, writable
from .replaced import REPLACED, chosen
from .rewrite import rewrite
from .state import Nothing, is_array
from .truth import and_, assert_, compare, contained, guard, kept, not_, or_

__all__ = [
    "Text",
    "Trying",
    "and_",
    "assert_",
    "augment",
    "branch",
    "call",
    "chosen",
    "compare",
    "contained",
    "element",
    "for_loop",
    "guard",
    "kept",
    "not_",
    "nothing",
    "or_",
    "own",
    "raised",
    "refuse_outside",
    "scripted",
    "slice",
    "value",
    "while_loop",
    "writable",
]


def value(read: Callable, name: str) -> Any:
    """The value of a name, or the mark of one that has none yet."""
    try:
        return read()
    except NameError:
        return Nothing(name)


def nothing(name: str) -> Nothing:
    """The mark of a name without a value."""
    return Nothing(name, guarded=True)


_OPERATORS = {
    "Add": "add", "Sub": "sub", "Mult": "mul", "Div": "truediv", "FloorDiv": "floordiv",
    "Mod": "mod", "Pow": "pow", "MatMult": "matmul", "BitAnd": "and_", "BitOr": "or_",
    "BitXor": "xor", "LShift": "lshift", "RShift": "rshift",
}  # fmt: skip


def augment(owner: Any, index: Any, name: str, value: Any) -> None:
    """``owner[index] op= value``; at a traced mask the operation is done everywhere."""
    writable(owner)
    plain = _OPERATORS[name]
    mask = isinstance(index, Tracer) and index.dtype.kind == "b" and index.concrete() is None
    if mask and isinstance(owner, Tracer) and index.shape == owner.shape and np.ndim(value) == 0:
        owner[index] = getattr(operator, plain)(owner, value)
    else:
        owner[index] = getattr(operator, f"i{plain.rstrip('_')}")(owner[index], value)


slice = builtins.slice  # what stands in brackets


def element(owner: Any, index: Any) -> Any:
    """``owner[index]``; plain arrays and lists of numbers may be read at a traced position."""
    kind = type(owner)
    if kind is not np.ndarray and kind is not list and kind is not tuple:
        return owner[index]
    parts = index if type(index) is tuple else (index,)
    if not any(isinstance(i, Tracer) and i.concrete() is None for i in parts):
        return owner[index]
    if kind is np.ndarray:
        return indexing.getitem(owner, index)
    numbers = index is parts[0] and index.shape == () and all(is_array(x) for x in owner)
    if numbers and len({np.shape(x) for x in owner}) == 1:
        return indexing.getitem(creation.array(list(owner)), index)
    return owner[index]


# --- calls ------------------------------------------------------------------------------------

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_LIBRARIES = tuple(
    os.path.realpath(p) + os.sep
    for p in {_PACKAGE, *(sysconfig.get_paths()[k] for k in ("stdlib", "purelib", "platlib"))}
)
_SCRIPTED: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()


def call(function: Any) -> Any:
    """What to call in place of ``function``: its scripted form, if its source is a user's."""
    kind = type(function)
    if kind is types.FunctionType:
        found = _SCRIPTED.get(function)
        if found is None:
            found = _SCRIPTED[function] = _followed(function)
        return found
    if current() is not None:
        before_method(function)
    if kind is types.MethodType and isinstance(function.__func__, types.FunctionType):
        inner = call(function.__func__)
        return (
            function if inner is function.__func__ else types.MethodType(inner, function.__self__)
        )
    if kind is functools.partial:
        return functools.partial(call(function.func), *function.args, **function.keywords)
    if isinstance(function, type):
        return _construction(function)
    method = getattr(kind, "__call__", None)  # noqa: B004  (the function itself)
    if isinstance(method, types.FunctionType):  # an object of a user's class
        inner = call(method)
        return function if inner is method else types.MethodType(inner, function)
    try:
        return REPLACED.get(function, function)
    except TypeError:  # not hashable
        return function


def _construction(made: type) -> Any:
    """A class to be called: its ``__init__`` scripted, where a user wrote it."""
    replaced = REPLACED.get(made)
    if replaced is not None:
        return replaced
    begin = made.__init__  # type: ignore[misc]
    plain = type(made) is type and made.__new__ is object.__new__
    if not plain or not isinstance(begin, types.FunctionType) or call(begin) is begin:
        return made

    def construct(*values: Any, **keywords: Any) -> Any:
        new: Any = object.__new__(made)
        call(begin)(new, *values, **keywords)
        return new

    return construct


def _followed(function: types.FunctionType) -> Any:
    if getattr(function, "__scripted__", False):
        return function
    replaced = REPLACED.get(function)
    if replaced is not None:
        return replaced
    if os.path.realpath(function.__code__.co_filename).startswith(_LIBRARIES):
        return function
    try:
        return scripted(function)
    except ScriptError:
        return function  # no source, or a form that only a traced value would need rewritten


def scripted(function: types.FunctionType) -> Any:
    """The rewritten function."""
    from . import operators

    if function.__code__.co_flags & 0x2A0:  # generators and coroutines
        raise ScriptError(
            f"script({function.__name__}): generators and coroutines cannot be rewritten; return "
            "an array, or call it from a scripted function, where it runs as it stands."
        )
    made = rewrite(function.__code__, function.__qualname__).function(function, operators)
    made.__scripted__ = True  # type: ignore[attr-defined]
    _SCRIPTED[made] = made
    return made
