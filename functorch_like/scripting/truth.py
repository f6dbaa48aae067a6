"""``and``, ``or``, ``not``, chained comparisons and ``assert``, on values that may be traced."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..checks import debug_check
from ..errors import ScriptError
from ..primitives.core import Tracer, watch
from .branches import as_boolean, branch, truth
from .state import is_array, line_of

__all__ = ["and_", "assert_", "compare", "contained", "guard", "kept", "not_", "or_"]


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


def contained(x: Any, items: Any) -> Any:
    """``x in items``; where a number is traced, whether one of the items is equal to it."""
    if isinstance(items, Tracer) or (isinstance(items, np.ndarray) and isinstance(x, Tracer)):
        return np.any(np.equal(items, x))
    if type(items) not in (list, tuple, set, frozenset, dict, range):
        return x in items
    if not any(isinstance(v, Tracer) and v.concrete() is None for v in (x, *_few(items))):
        return x in items
    if type(items) is range:
        inside = np.logical_and(x >= min(items), x <= max(items)) if items else False
        return np.logical_and(inside, (x - items.start) % items.step == 0)
    made: Any = False
    for item in items:
        if item is x:
            return True
        if is_array(item) and is_array(x):
            made = or_(False, made, lambda item=item: item == x)
    return made


def _few(items: Any) -> Any:
    return () if type(items) is range else items


def kept(test: Any) -> Any:
    """The condition of a comprehension, which says how many elements there are."""
    if truth(test) is None:
        raise ScriptError(
            "how many elements a comprehension has would depend on a traced value, at "
            f"{line_of()}; keep all of them, with np.where(condition, x, 0), or sum over it."
        )
    return test


def guard(test: Any) -> Any:
    """The guard of a case whose pattern takes a value apart, which Python runs."""
    if truth(test) is None:
        raise ScriptError(
            "the guard of a case that takes a value apart depends on a traced value, at "
            f"{line_of()}; write it as an if inside the case."
        )
    return test


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
