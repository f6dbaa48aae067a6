"""Built-in functions, and those of ``math`` and NumPy, that take traced numbers in scripts."""

from __future__ import annotations

import bisect
import builtins
import functools
import heapq
import math
import operator
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from ..checks import debug_check
from ..numpy import creation
from ..primitives.core import Tracer
from . import operators
from .branches import as_boolean, branch, truth
from .calls import advanced
from .loops import Enumerated, Range, Zipped, can_be_rolled
from .printing import print_
from .regions import writable
from .truth import and_, or_

__all__ = ["REPLACED", "chosen"]


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


class Chosen:
    """An element of a filtered generator: there where a condition holds."""

    def __init__(self, condition: Any, value: Callable) -> None:
        self.condition, self.value = condition, value


def chosen(condition: Any, value: Callable) -> Any:
    """What stands for an element of a generator with a condition."""
    return Chosen(condition, value)


def _same(x: Any) -> Any:
    return x


def _farthest(x: Any, python: Callable) -> Any:
    """What any number like ``x`` replaces as the least, or the greatest, of several."""
    dtype = creation.asarray(x).dtype
    if dtype.kind in "iu":
        ends = np.iinfo(dtype)
        return dtype.type(ends.max if python is min else ends.min)
    return dtype.type(math.inf if python is min else -math.inf)


def _combined(combine: Callable, total: Any, value: Callable) -> Any:
    return combine(total, value())


def _reduced(python: Callable, combine: Callable, start: Any) -> Callable:
    """A reduction that takes elements with conditions; other ones as Python does."""

    def reduce(first: Any, *rest: Any, **keywords: Any) -> Any:
        whole = _PLAIN.get(python, python)
        if type(first) is not types.GeneratorType:
            return whole(first, *rest, **keywords)
        sure: list[Any] = []  # elements before the first that may or may not be there
        total: Any = None
        begun = held = False  # ``held``: whether min and max have an element
        for item in first:  # one by one: an element's names have their values only now
            there = truth(item.condition) if isinstance(item, Chosen) else True
            if there is False:
                continue
            value = item.value if isinstance(item, Chosen) else functools.partial(_same, item)
            if not begun and there:
                sure.append(value())
                continue
            if not begun:
                begun = True
                if start is not None:
                    total = whole(sure, *rest, **keywords)
                elif sure:
                    total = whole(sure)
                else:
                    total = _farthest(value(), python)
                    held = item.condition
            if start is None and not sure and not there:
                held = or_(False, held, lambda item=item: item.condition)
            if there:
                held = True
                total = combine(total, value())
            else:
                then = functools.partial(_combined, combine, total, value)
                total = branch(item.condition, then, functools.partial(_same, total), (), None, 0)
        if start is None and begun and not sure:
            debug_check(as_boolean(held), "ValueError: {} is an empty sequence", python.__name__)
        return total if begun else whole(sure, *rest, **keywords)

    return reduce


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
            key = operators.call(keywords["key"])
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
        return sorted(listed, key=None if key is None else operators.call(key), reverse=reverse)
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


_PLAIN: dict[Any, Callable] = {
    any: _any,
    all: _all,
    min: _extreme(np.minimum, min),
    max: _extreme(np.maximum, max),
}

REPLACED: dict[Any, Callable] = {
    range: _range,
    zip: _zip,
    enumerate: _enumerate,
    reversed: _reversed,
    float: _float,
    int: _int,
    bool: _bool,
    builtins.min: _reduced(min, lambda a, b: np.minimum(b, a), None),
    builtins.max: _reduced(max, lambda a, b: np.maximum(b, a), None),
    round: _round,
    sorted: _sorted,
    divmod: _divmod,
    complex: _complex,
    np.ndenumerate: _ndenumerate,
    any: _reduced(any, lambda a, b: or_(False, a, lambda: b), False),
    all: _reduced(all, lambda a, b: and_(False, a, lambda: b), True),
    sum: _reduced(sum, lambda a, b: a + b, 0),
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
    REPLACED[_python] = _mathematics(getattr(np, _other), _python)
REPLACED[math.log] = _mathematics(
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


REPLACED[math.fsum] = _stacked(np.sum, math.fsum)
REPLACED[math.prod] = _stacked(lambda x, start=1: np.prod(x) * start, math.prod)
REPLACED[math.dist] = _distance
REPLACED[math.trunc] = _mathematics(lambda x: np.trunc(x).astype(np.int64), math.trunc)
REPLACED[math.floor] = _mathematics(lambda x: np.floor(x).astype(np.int64), math.floor)
REPLACED[math.ceil] = _mathematics(lambda x: np.ceil(x).astype(np.int64), math.ceil)
for _name in ("erf", "erfc", "gamma"):
    REPLACED[getattr(math, _name)] = _mathematics(_special(_name), getattr(math, _name))
REPLACED[math.lgamma] = _mathematics(_special("gammaln"), math.lgamma)


def _isclose(a: Any, b: Any, *, rel_tol: float = 1e-9, abs_tol: float = 0.0) -> Any:
    if not _any_tracer(a, b):
        return math.isclose(a, b, rel_tol=rel_tol, abs_tol=abs_tol)
    return np.abs(a - b) <= np.maximum(rel_tol * np.maximum(np.abs(a), np.abs(b)), abs_tol)


REPLACED[math.isclose] = _isclose


def _setattr(owner: Any, name: str, value: Any) -> None:
    setattr(writable(owner, True), name, value)


REPLACED[setattr] = _setattr
REPLACED[next] = advanced
REPLACED[print] = print_


def _writes_first(function: Callable) -> Callable:
    """NumPy's functions that write into their first operand."""

    def call(first: Any, *rest: Any, **keywords: Any) -> Any:
        return function(writable(first), *rest, **keywords)

    return call


for _writer in (np.copyto, np.fill_diagonal, np.place, np.put, np.putmask, np.put_along_axis):
    REPLACED[_writer] = _writes_first(_writer)
for _name in ("heapify", "heappop", "heappush", "heappushpop", "heapreplace"):
    REPLACED[getattr(heapq, _name)] = _writes_first(getattr(heapq, _name))
for _name in ("insort_left", "insort_right"):
    REPLACED[getattr(bisect, _name)] = _writes_first(getattr(bisect, _name))
REPLACED[operator.setitem] = _writes_first(operator.setitem)
REPLACED[operator.delitem] = _writes_first(operator.delitem)
for _ufunc in (np.add, np.subtract, np.multiply, np.divide, np.maximum, np.minimum):
    REPLACED[_ufunc.at] = _writes_first(_ufunc.at)
