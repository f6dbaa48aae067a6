"""Branches and loop bodies while they are staged: what they write that was there before.

A branch or loop body runs once, to be staged, on the very objects of the function around it.
Assignments to arrays from outside are kept by the region: within it the array stands for its new
value, after it for the old one again, until the branch or loop has become an operation whose
results are assigned. Lists, dicts and attributes are put back too, and what became of them is
told.
"""

from __future__ import annotations

import sys
import threading
import types
from collections import deque
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np

from ..errors import ScriptError, user_line
from ..numpy.views import refresh
from ..primitives.core import EVAL, LOST, Tracer, escaped_message, state

__all__ = [
    "ABSENT",
    "Effect",
    "Region",
    "Trying",
    "Unsettled",
    "check_readable",
    "current",
    "held_by_one_variable",
    "is_lost",
    "own",
    "raised",
    "refuse_length",
    "refuse_outside",
    "roots",
    "trying",
    "writable",
]


def _references(x: Any) -> int:
    return sys.getrefcount(x)


def _count_one_variable() -> int:
    x = object()
    return _references(x)


# What is counted for an object that one local variable refers to.
_OF_A_VARIABLE = _count_one_variable()


def held_by_one_variable(x: Any) -> bool:
    """Whether a parameter of the caller is all that refers to an object."""
    return _references(x) <= _OF_A_VARIABLE + 1


class Unsettled(BaseException):
    """Becomes a ScriptError where it leaves the scripted function: no handler is to see it."""


class _Tries(threading.local):
    """How many try statements of scripted functions are under way."""

    count = 0


_tries = _Tries()


class Trying:
    """Entered around each try statement."""

    def __enter__(self) -> None:
        _tries.count += 1

    def __exit__(self, *error: Any) -> None:
        _tries.count -= 1


def trying() -> bool:
    """Whether a try statement might see an exception."""
    return _tries.count > 0


def raised(error: Any) -> Any:
    """The exception of a raise statement, marked."""
    made = error() if isinstance(error, type) else error
    made.raised_by_script = True
    return made


class _Absent:
    """The value of an attribute or item that is not there."""

    def __repr__(self) -> str:
        return "nothing"


ABSENT = _Absent()


class Effect:
    """One item or attribute of an object from outside that a region changed."""

    __slots__ = ("after", "before", "key", "kind", "owner")

    def __init__(self, owner: Any, kind: str, key: Any, before: Any, after: Any) -> None:
        self.owner, self.kind, self.key = owner, kind, key
        self.before, self.after = before, after

    @property
    def name(self) -> str:
        """How it is written."""
        if self.kind == "variable":
            return str(self.key)
        what = type(self.owner).__name__
        if self.kind == "length":
            return f"a {what}"
        return f"{what}.{self.key}" if self.kind == "attribute" else f"{what}[{self.key!r}]"

    @property
    def place(self) -> tuple:
        """What it is the same as in another region."""
        return id(self.owner), self.kind, self.key

    def touch(self) -> None:
        """Tell the region that the place is about to change."""
        if self.kind == "variable":
            region = current()
            if region is not None:
                region.touch(self.owner, False)
        else:
            writable(self.owner, self.kind == "attribute")

    def get(self) -> Any:
        """What the item, attribute or variable has now."""
        if self.kind == "attribute":
            return getattr(self.owner, self.key)
        return self.owner.cell_contents if self.kind == "variable" else self.owner[self.key]

    def put(self, value: Any) -> None:
        """Let the item, attribute or variable have a value."""
        if self.kind == "variable":
            self.touch()
            self.owner.cell_contents = value
        elif self.kind == "attribute":
            writable(self.owner, True)
            setattr(self.owner, self.key, value)
        elif self.kind == "length":
            writable(self.owner)
            self.owner[:] = value
        else:
            writable(self.owner)
            self.owner[self.key] = value


class Region:
    """Entered under the trace of a branch or loop body."""

    trace: Any  # a BodyTrace

    def __init__(self) -> None:
        self.written: dict[int, Any] = {}  # arrays from outside that were assigned to
        self.lost: list[tuple[Any, Any]] = []  # arrays that may no longer be read, their traces
        self.kept: dict[tuple, tuple[Any, Any]] = {}  # objects and what they held
        self.effects: list[Effect] = []

    def __enter__(self) -> Region:
        self.trace = state.trace
        self.trace.region = self
        return self

    def __exit__(self, *error: Any) -> None:
        self.trace.region = None
        for x, trace in reversed(self.lost):
            x._trace = trace
        for owner, held in self.kept.values():
            _restore(owner, held)

    def hold(self, x: Any, value: Any) -> None:
        """Let an array from outside stand for a value, and its views accordingly."""
        self.trace.held[id(x)] = self.trace.variable(value)
        refresh(x, [])
        self.written.clear()

    def write(self, x: Any, value: Any) -> None:
        """Let an array from outside stand for a new value."""
        self.trace.held[id(x)] = self.trace.variable(value)
        self.written[id(x)] = x

    def lose(self, x: Any) -> None:
        """Note that an array may no longer be read."""
        if not any(x is y for y, _ in self.lost):
            self.lost.append((x, x._trace))

    @property
    def losses(self) -> list[Any]:
        """Arrays from outside that may no longer be read after the region."""
        return [x for x, trace in self.lost if trace is not self.trace]

    def touch(self, owner: Any, attribute: bool) -> None:
        """Keep what an object holds, before it is written."""
        key = (id(owner), attribute)
        if key not in self.kept:
            self.kept[key] = (owner, _contents(owner, attribute))

    def finish(self, returned: Sequence[Any] = ()) -> None:
        """Find what became of objects from outside.

        Those made in the region are referred to by nothing but ``kept`` once it has returned.
        """
        for key in list(self.kept):
            owner, held = self.kept[key]
            ours = sum(other is owner for other, _ in self.kept.values())
            # What is returned is referred to by the result, and by the list of it.
            ours += 2 * sum(x is owner for x in returned)
            if _references(owner) - _OF_A_VARIABLE <= ours:
                continue
            self.effects += _effects(owner, held)


class _Attributes(dict):
    """What an object's attributes were."""


def _slots(owner: Any) -> list[str]:
    """Attributes that are not in the object's ``__dict__``."""
    found: list[str] = []
    for kind in type(owner).__mro__:
        named = vars(kind).get("__slots__", ())
        for name in [named] if isinstance(named, str) else named:
            private = name.startswith("__") and not name.endswith("__")
            found.append(f"_{kind.__name__.lstrip('_')}{name}" if private else name)
    return [name for name in found if name not in ("__dict__", "__weakref__")]


def _attributes(owner: Any) -> _Attributes:
    held = _Attributes(getattr(owner, "__dict__", {}))
    held.update((name, getattr(owner, name)) for name in _slots(owner) if hasattr(owner, name))
    return held


def _contents(owner: Any, attribute: bool) -> Any:
    if attribute:
        return _attributes(owner)
    if isinstance(owner, (list, dict, set, deque, np.ndarray)):
        return owner.copy()
    if isinstance(owner, types.CellType):
        return (owner.cell_contents,)
    return None


def _restore(owner: Any, held: Any) -> None:
    if isinstance(held, _Attributes):
        now = getattr(owner, "__dict__", {})
        slots = _slots(owner)
        for name in slots:
            before = held.get(name, ABSENT)
            if before is ABSENT and hasattr(owner, name):
                delattr(owner, name)
            elif getattr(owner, name, ABSENT) is not before:
                setattr(owner, name, before)
        kept = {k: v for k, v in held.items() if k not in slots} if slots else held
        if any(now.get(k, ABSENT) is not v for k, v in kept.items()) or len(now) != len(kept):
            now.clear()
            now.update(kept)
    elif isinstance(owner, list):
        owner[:] = held
    elif isinstance(owner, (dict, set)):
        owner.clear()
        owner.update(held)
    elif isinstance(owner, deque):
        owner.clear()
        owner.extend(held)
    elif isinstance(owner, types.CellType):
        owner.cell_contents = held[0]
    elif isinstance(owner, np.ndarray) and owner.flags.writeable:
        owner[...] = held


def refuse_length(owner: Any) -> NoReturn:
    """Raise the error about a container that grows or shrinks."""
    raise ScriptError(
        f"a {type(owner).__name__} changes its length in a traced branch or loop, at "
        f"{user_line()}; make an array before it and assign to its elements."
    )


def _effects(owner: Any, held: Any) -> list[Effect]:
    if isinstance(held, _Attributes):
        now = _attributes(owner)
        names = [k for k in {**held, **now} if now.get(k, ABSENT) is not held.get(k, ABSENT)]
        return [
            Effect(owner, "attribute", k, held.get(k, ABSENT), now.get(k, ABSENT)) for k in names
        ]
    if isinstance(owner, types.CellType):
        now = owner.cell_contents
        return (
            []
            if now is held[0]
            else [Effect(owner, "variable", _NAMES.get(id(owner)), held[0], now)]
        )
    if isinstance(owner, (list, deque)) and len(owner) == len(held):
        items = enumerate(zip(held, owner, strict=True))
        return [Effect(owner, "item", i, a, b) for i, (a, b) in items if a is not b]
    if isinstance(owner, list):
        return [Effect(owner, "length", None, list(held), list(owner))]
    if isinstance(owner, dict) and all(k in owner for k in held):
        pairs = [(k, held.get(k, ABSENT), v) for k, v in owner.items()]
        return [Effect(owner, "item", k, a, b) for k, a, b in pairs if a is not b]
    if isinstance(owner, set) and owner == held:
        return []
    if isinstance(owner, np.ndarray):
        if np.array_equal(owner, held):
            return []
        raise ScriptError(
            f"a plain array of shape {owner.shape} is written in a traced branch or loop, at "
            f"{user_line()}; make it inside the scripted function, as x = x.copy(), or pass it as "
            "an argument of what is compiled."
        )
    if isinstance(owner, (list, dict, set, deque)):
        refuse_length(owner)
    raise ScriptError(
        f"a {type(owner).__name__} from outside is written in a traced branch or loop, at "
        f"{user_line()}; keep what changes in variables or arrays."
    )


# --- called by rewritten source ---------------------------------------------------------------


def current() -> Region | None:
    """The region being staged."""
    trace = state.trace
    while trace is not None:
        region = getattr(trace, "region", None)
        if region is not None:
            return region
        trace = trace.parent
    return None


def writable(owner: Any, attribute: bool = False) -> Any:
    """An object that is about to be written."""
    if not isinstance(owner, Tracer):
        region = current()
        if region is not None:
            region.touch(owner, attribute)
    return owner


_NAMES: dict[int, str] = {}  # of variables of outer functions, by their cells


def refuse_outside(name: str, read: Any = None) -> None:
    """Called before a variable of another function is assigned.

    ``read`` refers to a variable of a function around; global variables are refused.
    """
    region = current()
    if region is not None and read is not None:
        (cell,) = read.__closure__
        try:
            cell.cell_contents  # noqa: B018  (it may have none yet)
        except ValueError:
            pass
        else:
            _NAMES[id(cell)] = name
            region.touch(cell, False)
            return
    if region is not None:
        raise ScriptError(
            f"{name}, a global variable or one without a value, is assigned in a traced branch or "
            f"loop, at {user_line()}; return the new value and assign it there."
        )


def is_lost(x: Any) -> bool:
    """Whether an array may have been written by another name."""
    return isinstance(x, Tracer) and x._trace is LOST


def check_readable(leaves: Sequence[Any]) -> None:
    """Raise if an array may have been written by another name."""
    for x in leaves:
        if is_lost(x):
            raise ScriptError(escaped_message(x))


def own(x: Any) -> Any:
    """A new array as one of the current trace, so that traced values can be assigned to it."""
    trace = state.trace
    plain = type(x) is np.ndarray and x.dtype.kind in "biufc"
    if plain and x.base is not None:
        base = x.base
        plain = type(base) is np.ndarray and _references(base) <= _OF_A_VARIABLE + 1
    foreign = isinstance(x, Tracer) and x._trace is not trace and not hasattr(x, "_view")
    # Known to our variable alone: nobody sees the difference.
    if (plain or foreign) and trace is not EVAL and _references(x) <= _OF_A_VARIABLE:
        return trace.constant(x)
    return x


def roots(arrays: Sequence[Any]) -> list[Any]:
    """Those that are no views."""
    return [x for x in arrays if getattr(x, "_view", None) is None]
