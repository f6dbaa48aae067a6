"""What rewritten source calls: truth, comparisons, calls, and the control flow of this folder.

Everything here first asks whether its operands are known; if so it does what Python does.
"""

from __future__ import annotations

import builtins
import functools
import math
import operator
import os
import sysconfig
import types
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..checks import debug_check
from ..errors import ScriptError
from ..numpy import creation
from ..primitives.core import Tracer, watch
from .branches import as_boolean, branch, truth
from .loops import Enumerated, Range, Zipped, can_be_rolled, for_loop, while_loop
from .regions import Trying, own, raised, refuse_outside, writable
from .rewrite import rewrite
from .state import Nothing

__all__ = [
    "Trying",
    "and_",
    "assert_",
    "augment",
    "branch",
    "call",
    "compare",
    "for_loop",
    "not_",
    "nothing",
    "or_",
    "own",
    "raised",
    "refuse_outside",
    "scripted",
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


# --- truth ------------------------------------------------------------------------------------


def and_(lazy: bool, first: Any, *rest: Callable) -> Any:
    """``first and rest() and ...``."""
    for later in rest:
        known = truth(first)
        if known is None:
            first = _both(lazy, first, later, np.logical_and)
        elif known:
            first = later()
        else:
            return first
    return first


def or_(lazy: bool, first: Any, *rest: Callable) -> Any:
    """``first or rest() or ...``."""
    for later in rest:
        known = truth(first)
        if known is None:
            first = _both(lazy, first, later, np.logical_or)
        elif known:
            return first
        else:
            first = later()
    return first


def _both(lazy: bool, first: Any, later: Callable, combine: Any) -> Any:
    """A traced operand and another one: only truth values, as Python's numbers would differ."""
    first = as_boolean(first)
    if not lazy:
        return combine(first, _as_truth(later()))
    if combine is np.logical_and:
        return branch(first, lambda: _as_truth(later()), lambda: False, (), None, 0)
    return branch(first, lambda: True, lambda: _as_truth(later()), (), None, 0)


def _as_truth(x: Any) -> Any:
    return bool(x) if truth(x) is not None else as_boolean(x)


def not_(x: Any) -> Any:
    """``not x``."""
    known = truth(x)
    return np.logical_not(as_boolean(x)) if known is None else not known


def compare(first: Any, compared: Sequence[Callable], later: Sequence[Callable]) -> Any:
    """``a < b < c``: each operand once, and none after the first comparison that fails."""
    made: Any = True
    left = first
    for f, operand in zip(compared, later, strict=True):
        right = operand()
        one = f(left, right)
        known = truth(one)
        if known is False:
            return one
        made = one if made is True else np.logical_and(as_boolean(made), _as_truth(one))
        left = right
    return made


def assert_(test: Any, message: Any, line: int) -> None:
    """``assert test, message``; what is traced is a check for ``checkify``, and else let be."""
    if watch.checks is not None and isinstance(test, Tracer):
        told = "assertion failed" if message is None else f"AssertionError: {message()}"
        debug_check(as_boolean(test), "{}", told)
        return
    known = truth(test)
    if known is None:
        return
    if not known:
        raise AssertionError(*(() if message is None else (message(),)))


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


# --- calls ------------------------------------------------------------------------------------


def _traced(*values: Any) -> bool:
    return any(isinstance(x, Tracer) and x.concrete() is None for x in values)


def _range(*bounds: Any) -> Any:
    return Range(*bounds) if _traced(*bounds) else range(*map(_index, bounds))


def _index(x: Any) -> Any:
    return x.concrete().item() if isinstance(x, Tracer) and x.concrete() is not None else x


def _zip(*parts: Any, strict: bool = False) -> Any:
    if any(isinstance(p, (Tracer, Range)) for p in parts) and all(map(can_be_rolled, parts)):
        return Zipped(*parts)
    return zip(*parts, strict=strict)


def _enumerate(part: Any, start: int = 0) -> Any:
    if isinstance(part, (Tracer, Range, Zipped)):
        return Enumerated(part, start)
    return enumerate(part, start)


def _reversed(part: Any) -> Any:
    return part.__reversed__() if isinstance(part, Range) else reversed(part)


def _any_tracer(*values: Any) -> bool:
    return any(isinstance(x, Tracer) for x in values)


def _float(x: Any = 0.0) -> Any:
    kept = isinstance(x, Tracer) and x.shape == () and not x.constant()  # with its derivative
    return x.astype(np.float64) if kept else float(x)


def _int(x: Any = 0, *base: Any) -> Any:
    if _traced(x) and x.shape == ():
        return np.trunc(x).astype(np.int64)
    return int(_index(x), *base)  # which has no derivative


def _bool(x: Any = False) -> Any:
    return as_boolean(x) if _traced(x) and x.shape == () else bool(x)


def _any(items: Any) -> Any:
    return _quantified(items, or_)


def _all(items: Any) -> Any:
    return _quantified(items, and_)


def _quantified(items: Any, combine: Callable) -> Any:
    made: Any = combine is and_
    for item in items:
        made = combine(False, made, lambda item=item: item)
        if truth(made) is (combine is or_):
            break
    return made if isinstance(made, Tracer) else bool(made)


def _extreme(choose: Any, python: Callable) -> Callable:
    def extreme(*values: Any, **keywords: Any) -> Any:
        if set(keywords) == {"key"} and values and callable(keywords["key"]):
            key = call(keywords["key"])
            if _traced(*(key(x) for x in (values[0] if len(values) == 1 else values))):
                ahead: Any = np.less if python is min else np.greater
                return _by_key(values, key, ahead)
        if keywords and set(keywords) == {"default"} and len(values) == 1 and len(values[0]):
            keywords = {}
        if not keywords:
            if len(values) == 1 and not isinstance(values[0], Tracer):
                values = (tuple(values[0]),)
            items = values[0] if len(values) == 1 else values
            if isinstance(items, Tracer) and items.concrete() is None and len(items.shape) == 1:
                return choose.reduce(items)
            if isinstance(items, tuple) and _traced(*items):
                if any(np.ndim(x) for x in items):
                    return functools.reduce(choose, items)
                better = operator.lt if python is min else operator.gt
                # Python's own choice: the first of equal ones, and of a NaN and another the first
                return functools.reduce(lambda x, y: np.where(better(y, x), y, x), items)
        return python(*values, **keywords)

    return extreme


def _round(x: Any, *digits: Any) -> Any:
    if not isinstance(x, Tracer):
        return round(x, *digits)
    if not digits and x.concrete() is not None:
        return round(x.concrete().item())
    return np.round(x, *digits) if digits else np.rint(x).astype(np.int64)


def _by_key(values: tuple, key: Callable, better: Callable) -> Any:
    """``min`` or ``max`` of numbers by a key, the first of several that are equal."""
    items = tuple(values[0]) if len(values) == 1 else values
    best, its_key = items[0], key(items[0])
    for item in items[1:]:
        new = key(item)
        ahead = better(new, its_key)
        best, its_key = branch(
            ahead, lambda *v: v[2:], lambda *v: v[:2], (best, its_key, item, new),
            ("the element", "its key"), 0,
        )  # fmt: skip
    return best


def _sorted(items: Any, *, key: Callable | None = None, reverse: bool = False) -> Any:
    listed = list(items)
    keys = listed if key is None else [key(x) for x in listed]
    if not _traced(*keys) or any(x.shape for x in keys if isinstance(x, Tracer)):
        return sorted(listed, key=None if key is None else call(key), reverse=reverse)
    numbers = np.stack([creation.asarray(x) for x in keys])
    order = np.argsort(-numbers if reverse else numbers, kind="stable")
    elements = np.stack([creation.asarray(x) for x in listed])
    return list(elements[order])


def _divmod(a: Any, b: Any) -> Any:
    return (a // b, a % b) if _any_tracer(a, b) else divmod(a, b)


def _complex(real: Any = 0.0, imag: Any = 0.0) -> Any:
    return real + 1j * imag if _any_tracer(real, imag) else complex(real, imag)


def _ndenumerate(array: Any) -> Any:
    if not isinstance(array, Tracer):
        return np.ndenumerate(array)
    return ((index, array[index]) for index in np.ndindex(*array.shape))


_REPLACED: dict[Any, Callable] = {
    range: _range,
    zip: _zip,
    enumerate: _enumerate,
    reversed: _reversed,
    float: _float,
    int: _int,
    bool: _bool,
    builtins.min: _extreme(np.minimum, min),
    builtins.max: _extreme(np.maximum, max),
    round: _round,
    sorted: _sorted,
    divmod: _divmod,
    complex: _complex,
    np.ndenumerate: _ndenumerate,
    any: _any,
    all: _all,
    np.array: creation.array,
    np.asarray: creation.asarray,
    np.zeros: creation.zeros,
    np.ones: creation.ones,
    np.empty: creation.empty,
    np.full: creation.full,
}


def _mathematics(function: Callable, python: Callable) -> Callable:
    def call(*values: Any) -> Any:
        return function(*values) if any(isinstance(x, Tracer) for x in values) else python(*values)

    return call


for _name, _other in {
    "acos": "arccos", "acosh": "arccosh", "asin": "arcsin", "asinh": "arcsinh", "atan": "arctan",
    "atan2": "arctan2", "atanh": "arctanh", "ceil": "ceil", "cos": "cos", "cosh": "cosh",
    "degrees": "degrees", "exp": "exp", "expm1": "expm1", "fabs": "fabs", "floor": "floor",
    "fmod": "fmod", "hypot": "hypot", "isfinite": "isfinite", "isinf": "isinf", "isnan": "isnan",
    "log10": "log10", "log1p": "log1p", "log2": "log2", "pow": "power", "radians": "radians",
    "sin": "sin", "sinh": "sinh", "sqrt": "sqrt", "tan": "tan", "tanh": "tanh",
    "copysign": "copysign", "cbrt": "cbrt", "exp2": "exp2", "trunc": "trunc",
}.items():  # fmt: skip
    _python = getattr(math, _name)
    _REPLACED[_python] = _mathematics(getattr(np, _other), _python)
_REPLACED[math.log] = _mathematics(
    lambda x, base=None: np.log(x) if base is None else np.log(x) / np.log(base), math.log
)


def _stacked(function: Callable, python: Callable) -> Callable:
    """A function of an iterable of numbers."""

    def call(items: Any, *rest: Any, **keywords: Any) -> Any:
        listed = items if isinstance(items, Tracer) else list(items)
        if not isinstance(listed, Tracer) and not _any_tracer(*listed):
            return python(listed, *rest, **keywords)
        return function(creation.asarray(listed), *rest, **keywords)

    return call


def _distance(p: Any, q: Any) -> Any:
    p, q = list(p), list(q)
    if not _any_tracer(*p, *q):
        return math.dist(p, q)
    return np.sqrt(np.sum((creation.asarray(p) - creation.asarray(q)) ** 2))


def _special(name: str) -> Callable:
    def function(x: Any) -> Any:
        import scipy.special

        return getattr(scipy.special, name)(x)

    return function


_REPLACED[math.fsum] = _stacked(np.sum, math.fsum)
_REPLACED[math.prod] = _stacked(lambda x, start=1: np.prod(x) * start, math.prod)
_REPLACED[math.dist] = _distance
_REPLACED[math.trunc] = _mathematics(lambda x: np.trunc(x).astype(np.int64), math.trunc)
_REPLACED[math.floor] = _mathematics(lambda x: np.floor(x).astype(np.int64), math.floor)
_REPLACED[math.ceil] = _mathematics(lambda x: np.ceil(x).astype(np.int64), math.ceil)
for _name in ("erf", "erfc", "gamma"):
    _REPLACED[getattr(math, _name)] = _mathematics(_special(_name), getattr(math, _name))
_REPLACED[math.lgamma] = _mathematics(_special("gammaln"), math.lgamma)


def _isclose(a: Any, b: Any, *, rel_tol: float = 1e-9, abs_tol: float = 0.0) -> Any:
    if not _any_tracer(a, b):
        return math.isclose(a, b, rel_tol=rel_tol, abs_tol=abs_tol)
    return np.abs(a - b) <= np.maximum(rel_tol * np.maximum(np.abs(a), np.abs(b)), abs_tol)


_REPLACED[math.isclose] = _isclose

_CONTAINERS = (list, dict, set, np.ndarray)
_WRITING = {
    "add", "append", "clear", "discard", "extend", "fill", "insert", "itemset", "partition", "pop",
    "popitem", "put", "remove", "resize", "reverse", "setdefault", "setfield", "sort", "update",
}  # fmt: skip


def _writes_first(function: Callable) -> Callable:
    """NumPy's functions that write into their first operand."""

    def call(first: Any, *rest: Any, **keywords: Any) -> Any:
        return function(writable(first), *rest, **keywords)

    return call


for _writer in (np.copyto, np.fill_diagonal, np.place, np.put, np.putmask, np.put_along_axis):
    _REPLACED[_writer] = _writes_first(_writer)
for _ufunc in (np.add, np.subtract, np.multiply, np.divide, np.maximum, np.minimum):
    _REPLACED[_ufunc.at] = _writes_first(_ufunc.at)

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
    if kind is types.BuiltinMethodType and type(function.__self__) in _CONTAINERS:
        if function.__name__ in _WRITING:
            writable(function.__self__)
        return function
    try:
        return _REPLACED.get(function, function)
    except TypeError:  # not hashable
        return function


def _construction(made: type) -> Any:
    """A class to be called: its ``__init__`` scripted, where a user wrote it."""
    replaced = _REPLACED.get(made)
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
    replaced = _REPLACED.get(function)
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
            f"script({function.__name__}): generators and coroutines cannot be rewritten."
        )
    made = rewrite(function.__code__, function.__qualname__).function(function, operators)
    made.__scripted__ = True  # type: ignore[attr-defined]
    _SCRIPTED[made] = made
    return made
