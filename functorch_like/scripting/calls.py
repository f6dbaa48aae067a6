"""Calls that change what a compiled loop or branch cannot carry, or must be told of.

The body of a staged loop runs once. What draws a random number there, or takes the next element of
an iterator, would do so once for all steps: that is refused, before anything has changed, so that a
loop of known length is written out instead. Containers that are about to change are noted.
"""

from __future__ import annotations

import types
from collections import deque
from collections.abc import Iterator
from typing import Any, NoReturn

import numpy as np

from ..errors import ScriptError
from .regions import current, held_by_one_variable, writable
from .state import line_of

__all__ = ["advanced", "before_method"]

CONTAINERS = (list, dict, set, deque, np.ndarray)
WRITING = {
    "__delitem__", "__iadd__", "__setitem__", "add", "append", "appendleft", "clear",
    "difference_update", "discard", "extend", "extendleft", "fill", "insert",
    "intersection_update", "itemset", "move_to_end", "partition", "pop", "popitem", "popleft",
    "put", "remove", "resize", "reverse", "rotate", "setdefault", "setfield", "sort", "subtract",
    "symmetric_difference_update", "update",
}  # fmt: skip
# Modules of generators of random numbers, which NumPy loads late.
DRAWING = ("random", "numpy.random.mtrand", "numpy.random._generator")


def before_method(function: Any) -> None:
    """Called in a branch or loop that is being staged, before a method, which is no user's."""
    owner = getattr(function, "__self__", None)
    if owner is None or isinstance(owner, (type, types.ModuleType)):
        return
    name = getattr(function, "__name__", "")
    if isinstance(owner, CONTAINERS):
        if name in WRITING:
            writable(owner)
    elif isinstance(owner, Iterator):
        if name in ("__next__", "send", "throw"):
            _refuse_iterator(owner)
    elif any(kind.__module__ in DRAWING for kind in type(owner).__mro__):
        raise ScriptError(
            f"{type(owner).__name__}.{name} draws numbers in a traced branch or loop, whose body "
            f"runs once for all steps, at {line_of()}; draw an array of them before, or use "
            "functorch_like.random with a key."
        )


def advanced(items: Any, *default: Any) -> Any:
    """``next``; of an iterator from before a staged branch or loop, it is refused."""
    if current() is not None and not held_by_one_variable(items):
        _refuse_iterator(items)
    return next(items, *default)


def _refuse_iterator(items: Any) -> NoReturn:
    raise ScriptError(
        f"a {type(items).__name__} is advanced in a traced branch or loop, whose body runs once "
        f"for all steps, at {line_of()}; loop over an array by its index instead."
    )
