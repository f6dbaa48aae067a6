"""The variables of a scripted branch or loop: which of their leaves are arrays, what changed.

A branch or a loop body is staged on fresh tracers that stand for the arrays among its variables.
Afterwards three things can have happened to one: nothing; its variable names another object; or
the very object was assigned to in place, which the object outside must then show, and all that
share its memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import tree
from ..arguments import as_array
from ..errors import ScriptError
from ..numpy.views import assign
from ..primitives.core import ShapedArray, Tracer, aval_of

__all__ = ["Nothing", "Variables", "described", "is_array", "same_static"]


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
        self._raise()

    def __repr__(self) -> str:
        return f"<{self.name} without a value>"


def is_array(x: Any) -> bool:
    """Whether a leaf can be traced: arrays and numbers."""
    if isinstance(x, Tracer) or type(x) in (bool, int, float, complex):
        return True
    return isinstance(x, (np.ndarray, np.generic)) and x.dtype.kind in "biufc"


def same_static(x: Any, y: Any) -> bool:
    """Whether two leaves that are no arrays are the same."""
    if x is y:
        return True
    if isinstance(x, Nothing) or isinstance(y, Nothing):
        return False
    try:
        return type(x) is type(y) and bool(x == y)
    except Exception:
        return False


def described(x: Any) -> str:
    """The structure of a value, for messages."""
    return "None" if x is None else f"{type(x).__name__} {tree.describe(tree.structure(x))}"


class Variables:
    """Values of some variables, taken apart."""

    def __init__(self, values: Sequence[Any]) -> None:
        self.values = list(values)
        self.leaves, self.structure = tree.flatten(tuple(values))
        self.arrays: list[Any] = []  # each array once, however many names it has
        self.position: list[int | None] = []  # of each leaf among the arrays
        found: dict[int, int] = {}
        for leaf in self.leaves:
            if not is_array(leaf):
                self.position.append(None)
                continue
            shared = isinstance(leaf, (Tracer, np.ndarray))
            at = found.get(id(leaf)) if shared else None
            if at is None:
                at = len(self.arrays)
                self.arrays.append(leaf)
                found[id(leaf)] = at
            self.position.append(at)

    @property
    def avals(self) -> list[ShapedArray]:
        """Types of the arrays."""
        return [aval_of(as_array(x)) for x in self.arrays]

    def rebuilt(self, arrays: Sequence[Any]) -> tuple:
        """The variables with other arrays in their places, in fresh containers."""
        leaves = [
            leaf if at is None else arrays[at]
            for leaf, at in zip(self.leaves, self.position, strict=True)
        ]
        return tree.unflatten(self.structure, leaves)

    def check_views(self) -> None:
        """Raise if one array is a view of another: inside, they would not share memory."""
        tracers = {id(x): x for x in self.arrays if isinstance(x, Tracer)}
        for x in tracers.values():
            view = getattr(x, "_view", None)
            while view is not None:
                if id(view.base) in tracers:
                    raise ScriptError(
                        f"an array of shape {view.base.shape} and a view of it, of shape "
                        f"{x.shape}, are both used in a traced branch or loop that writes into one "
                        "of them; take the view inside, or copy it."
                    )
                view = getattr(view.base, "_view", None)

    def write(self, at: int, value: Any, where: str) -> Any:
        """Let an array that was assigned to in place show its new value; that object."""
        outer = self.arrays[at]
        if isinstance(outer, Tracer):
            assign(outer, value)
            return outer
        if isinstance(outer, np.ndarray):
            raise ScriptError(
                f"a plain array of shape {outer.shape} is assigned traced values {where}; make it "
                "inside the scripted function (np.zeros, x.copy()), or pass it as an argument of "
                "what is compiled."
            )
        return value
