"""``and``, ``or``, ``not``, chained comparisons and ``assert``, on values that may be traced."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..checks import debug_check
from ..primitives.core import Tracer, watch
from .branches import as_boolean, branch, truth

__all__ = ["and_", "assert_", "compare", "not_", "or_"]


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
