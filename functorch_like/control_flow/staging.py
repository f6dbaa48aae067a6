"""What loops and branches share: when to stage, and how bodies and carries are checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import tree
from ..arguments import as_array
from ..batching import BatchTrace
from ..errors import name_of
from ..graph import StagingTrace
from ..primitives.core import ShapedArray, Tracer, aval_of, state
from ..primitives.structural import copy

__all__ = ["Carry", "must_stage", "own", "paths", "weak"]

Label = tuple[str, Any]


def must_stage() -> bool:
    """Whether a trace is current under which Python cannot run the loop: a value is not known."""
    trace = state.trace
    while trace is not None:
        if isinstance(trace, (StagingTrace, BatchTrace)):
            return True
        trace = trace.parent
    return False


def named(label: Label) -> str:
    """The function and what it was given, for messages."""
    return f"{label[0]}({name_of(label[1])})"


def paths(treedef: tree.PyTreeDef, root: str) -> list[str]:
    """How a user writes each leaf of a structure."""
    return [accessor.codify(root) for accessor in treedef.accessors()]


def weak(x: Any) -> bool:
    """Whether a leaf is a Python number, whose dtype gives way to others'."""
    return type(x) in (int, float, complex)


def own(x: Any) -> Any:
    """A copy of an array, which a function may assign to."""
    return copy(x) if x.shape or isinstance(x, Tracer) else x


def gives_way(given: np.dtype, other: np.dtype) -> bool:
    """Whether a Python number that was given one dtype may have the other one instead."""
    order = "iufc"
    return other.kind in order and min(order.index(given.kind), 2) <= order.index(other.kind)


class Carry:
    """The carry of a loop: its leaves, which must keep their structure, shapes and dtypes."""

    def __init__(self, label: Label, root: str, init: Any, beside: Sequence[Any] = ()) -> None:
        self.label = label
        self.root = root  # what the user calls the carry
        leaves, self.structure = tree.flatten(init)
        self.weak = [weak(x) for x in leaves]
        self.leaves = [as_array(x) for x in leaves]
        if any(self.weak):
            self._settle(beside)
        self.avals = [aval_of(x) for x in self.leaves]
        for x, path in zip(self.leaves, paths(self.structure, root), strict=True):
            if x.dtype.kind not in "biufc":
                raise TypeError(
                    f"{named(label)}: expected {root} made of arrays or numbers; got {path} of "
                    f"dtype {x.dtype}; pass it by a closure."
                )

    def _settle(self, beside: Sequence[Any]) -> None:
        """Give Python's floats the precision of the arrays of the loop, if there are any."""
        arrays = [x for x, number in zip(self.leaves, self.weak, strict=True) if not number]
        dtypes = [x.dtype for x in (*arrays, *beside) if x.dtype.kind in "fc"]
        if dtypes:
            single = np.result_type(*dtypes).char in "fF"
            for i, x in enumerate(self.leaves):
                if self.weak[i] and single and x.dtype.kind in "fc":
                    self.leaves[i] = x.astype("f" if x.dtype.kind == "f" else "F")

    def at(self, leaves: list[Any]) -> Carry:
        """The carry at a later step, as far as it has settled its dtypes."""
        later = object.__new__(Carry)
        vars(later).update(vars(self))
        later.weak, later.avals, later.leaves = list(self.weak), list(self.avals), list(leaves)
        return later

    def fresh(self) -> list[Any]:
        """Leaves of the initial carry that the function may assign to, traced values too."""
        owned = [own(x) for x in self.leaves]
        return [
            state.trace.constant(x) if type(x) is np.ndarray and x.dtype.kind in "fc" else x
            for x in owned
        ]

    def promoted(self, out: Any) -> bool:
        """Whether Python numbers of the initial carry took the dtypes of the returned one.

        The step that returned it is then to be taken again.
        """
        leaves, structure = tree.flatten(out)
        if structure != self.structure or not any(self.weak):
            return False
        changed = False
        for i, x in enumerate(leaves):
            if not self.weak[i] or weak(x):
                continue
            aval = aval_of(as_array(x))
            if aval.shape == () and aval.dtype != self.avals[i].dtype:
                if not gives_way(self.avals[i].dtype, aval.dtype):
                    continue
                self.leaves[i] = self.leaves[i].astype(aval.dtype)  # NumPy's number
                self.avals[i] = aval
                self.weak[i] = False
                changed = True
        return changed

    def returned(self, out: Any) -> list[Any]:
        """Leaves of the carry a step returned, like those of the initial one; or an error."""
        leaves, structure = tree.flatten(out)
        if structure != self.structure:
            raise TypeError(
                f"{named(self.label)}: expected {self.root} returned with the structure it has "
                f"at the start, {tree.describe(self.structure)}; got {tree.describe(structure)}; "
                "return the same containers with as many leaves."
            )
        arrays = []
        for i, (leaf, aval) in enumerate(zip(leaves, self.avals, strict=True)):
            x = as_array(leaf)
            if weak(leaf) and aval.shape == () and x.dtype != aval.dtype:
                settled = np.result_type(aval.dtype, leaf)
                x = x.astype(settled) if settled == aval.dtype else x
            if x.shape != aval.shape or x.dtype != aval.dtype:
                self._refuse(i, aval_of(x))
            arrays.append(x)
        return arrays

    def _refuse(self, i: int, got: ShapedArray) -> None:
        aval, path = self.avals[i], paths(self.structure, self.root)[i]
        if got.shape != aval.shape:
            fix = f"start from an array of shape {got.shape}, or return one of shape {aval.shape}"
        elif np.can_cast(got.dtype, aval.dtype, "same_kind"):
            fix = f"return it as x.astype(np.{aval.dtype})"
        else:
            fix = f"start from x.astype(np.{got.dtype})"
        raise TypeError(
            f"{named(self.label)}: expected {path} to keep its shape and dtype from step to step, "
            f"{aval} at the start; got {got}; {fix}."
        )
