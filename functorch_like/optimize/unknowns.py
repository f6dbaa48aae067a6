"""The unknowns of a problem: the user's pytree, and the flat vector that SciPy's solvers see."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np
import optree

from .. import tree

__all__ = ["Unknowns", "as_vector"]


def _plain_numbers(x: Any) -> bool:
    """Whether ``x`` is a list or tuple of numbers, which SciPy takes for a 1-D array."""
    return type(x) in (list, tuple) and all(
        isinstance(e, numbers.Real) or _plain_numbers(e) for e in x
    )


class Unknowns:
    """Structure, shapes and names of the unknowns; the vector from the pytree, and back.

    An array of any shape, a number, or a pytree of these. A list (or tuple) of plain numbers is an
    array, as in SciPy. ``vector`` is ``x0`` as a vector of float64, the leaves one after another.
    """

    def __init__(self, caller: str, x0: Any, what: str = "x0") -> None:
        self.caller = caller
        self.what = what
        if _plain_numbers(x0):
            x0 = np.asarray(x0, float)
        leaves, self.treedef = tree.flatten(x0)
        if not leaves:
            raise ValueError(f"{caller}: expected {what} to hold numbers; got {x0!r}.")
        arrays = [self._leaf(x, i) for i, x in enumerate(leaves)]
        self.shapes = [x.shape for x in arrays]
        self.stops = np.cumsum([x.size for x in arrays]).tolist()
        self.n = self.stops[-1]
        if self.n == 0:
            raise ValueError(f"{caller}: expected {what} to hold numbers; got an empty array.")
        self.plain = self.treedef is tree.LEAF or self.treedef.is_leaf()
        self.vector = np.concatenate([x.ravel() for x in arrays])
        bad = np.flatnonzero(~np.isfinite(self.vector))
        if bad.size:
            i = int(bad[0])
            raise ValueError(
                f"{caller}: expected finite {what}; got {self.name(i)} = {self.vector[i]}"
                + (f" and {bad.size - 1} more like it" if bad.size > 1 else "")
                + "; start from a point where the function can be evaluated."
            )

    def _leaf(self, x: Any, i: int) -> np.ndarray:
        if hasattr(x, "get") and hasattr(x, "device") and not isinstance(x, np.ndarray):
            raise TypeError(
                f"{self.caller}: expected {self.what} of NumPy arrays; got an array on the GPU; "
                "SciPy's solvers run on the CPU: pass x0.get() and move it inside the function."
            )
        try:
            made = np.asarray(x)
        except ValueError:
            made = np.asarray(None)
        if made.dtype.kind not in "biuf":
            where = "" if self.treedef.is_leaf() else f" in leaf {i}"
            remedy = (
                "pass its real and imaginary parts" if made.dtype.kind == "c" else "pass numbers"
            )
            raise TypeError(
                f"{self.caller}: expected {self.what} of real numbers; got {type(x).__name__} of "
                f"dtype {made.dtype}{where}; {remedy}."
            )
        return made.astype(float)

    def unflatten(self, vector: Any) -> Any:
        """The pytree of a vector; of a traced one too."""
        if self.plain:
            shape = self.shapes[0]
            if len(shape) == 1:
                return vector
            return vector[0] if shape == () else vector.reshape(shape)
        leaves, start = [], 0
        for shape, stop in zip(self.shapes, self.stops, strict=True):
            piece = vector[start:stop]
            leaves.append(piece[0] if shape == () else piece.reshape(shape))
            start = stop
        return tree.unflatten(self.treedef, leaves)

    def flatten(
        self, values: Any, what: str, caller: str | None = None, *, whole: bool = False
    ) -> np.ndarray:
        """The vector of a pytree like the unknowns; numbers stand for whole leaves.

        With ``whole`` each leaf has all its numbers, as a derivative has.
        """
        caller = caller or self.caller
        if _plain_numbers(values):
            values = np.asarray(values, float)
        number = isinstance(values, numbers.Real) or (
            isinstance(values, np.ndarray) and not values.ndim
        )
        if number and not (whole and self.n > 1):
            return np.full(self.n, float(values))
        leaves, treedef = tree.flatten(values)
        if treedef != self.treedef:
            if isinstance(values, np.ndarray) and values.shape == (self.n,):
                return values.astype(float)
            raise ValueError(
                f"{caller}: expected {what} structured like {self.what}, "
                f"{tree.describe(self.treedef)}; got {tree.describe(treedef)}."
            )
        parts = []
        for i, (leaf, shape) in enumerate(zip(leaves, self.shapes, strict=True)):
            try:
                array = np.asarray(leaf, float)
                if whole:
                    array = array.reshape(shape)
                parts.append(np.broadcast_to(array, shape).ravel())
            except ValueError:
                where = "" if self.plain else f" in leaf {i}"
                raise ValueError(
                    f"{caller}: expected {what} of the shape of {self.what}, {shape}{where}; got "
                    f"shape {np.shape(leaf)}."
                ) from None
        return np.concatenate(parts)

    def name(self, i: int) -> str:
        """How the user writes the i-th unknown: ``x['w'][2, 0]``."""
        leaf = int(np.searchsorted(self.stops, i, side="right"))
        start = self.stops[leaf - 1] if leaf else 0
        numbered = tree.unflatten(self.treedef, range(len(self.shapes)))
        accessors = optree.tree_accessors(numbered, namespace=tree.NAMESPACE)
        text = accessors[leaf].codify("x")
        shape = self.shapes[leaf]
        if shape == ():
            return text
        index = np.unravel_index(i - start, shape)
        return text + "[" + ", ".join(str(int(k)) for k in index) + "]"

    def index(self, which: Any, caller: str) -> int:
        """Position in the vector of an unknown given by number, name or path.

        An integer counts through the vector; a tuple is a path of keys and then of indices:
        ``("w", 2, 0)``. A string is a key whose value is a single number.
        """
        if isinstance(which, (int, np.integer)):
            if not -self.n <= which < self.n:
                raise IndexError(
                    f"{caller}: expected the number of an unknown, below {self.n}; got {which}."
                )
            return int(which) % self.n
        path: Sequence = which if isinstance(which, tuple) else (which,)
        numbered: Any = self.unflatten(np.arange(self.n))
        for step in path:
            try:
                is_key = isinstance(step, str) and not isinstance(numbered, dict)
                numbered = getattr(numbered, step) if is_key else numbered[step]
            except (KeyError, IndexError, TypeError, AttributeError):
                raise KeyError(
                    f"{caller}: expected the name of an unknown; got {which!r}; the unknowns are "
                    f"{self.listed()}."
                ) from None
        if np.ndim(numbered) != 0 or isinstance(numbered, (dict, list, tuple)):
            raise KeyError(
                f"{caller}: expected the name of a single unknown; got {which!r}, which has "
                f"several; add its index, as in {(*path, 0)!r}."
            )
        return int(numbered)

    def listed(self) -> str:
        """The first few names, for messages."""
        few = [self.name(i) for i in range(min(self.n, 6))]
        return ", ".join(few) + (f", ... ({self.n} in all)" if self.n > 6 else "")

    def combination(self, direction: np.ndarray, terms: int = 4) -> str:
        """A direction in words: ``0.71 x[0] - 0.71 x[1]``."""
        direction = direction / np.linalg.norm(direction)
        order = np.argsort(-np.abs(direction), kind="stable")
        if direction[order[0]] < 0:
            direction = -direction
        chosen = [int(i) for i in order if abs(direction[i]) > 0.01][:terms]
        parts = [
            f"{'-' if direction[i] < 0 else '+'} {abs(direction[i]):.2g} {self.name(i)}"
            for i in chosen
        ]
        rest = int((np.abs(direction) > 0.01).sum()) - len(chosen)
        text = " ".join(parts).removeprefix("+ ")
        return text + (f" and {rest} more" if rest else "")

    def blocks(self, matrix: np.ndarray) -> Any:
        """A matrix over the vector as ``ft.hessian`` would return it: a tree of trees."""
        if self.plain:
            shape = self.shapes[0]
            return matrix if len(shape) == 1 else matrix.reshape(shape + shape)[()]
        starts = [0, *self.stops[:-1]]
        rows = []
        for a, b, own in zip(starts, self.stops, self.shapes, strict=True):
            columns = [
                matrix[a:b, c:d].reshape(own + other)[()]
                for c, d, other in zip(starts, self.stops, self.shapes, strict=True)
            ]
            rows.append(tree.unflatten(self.treedef, columns))
        return tree.unflatten(self.treedef, rows)


def as_vector(values: Any) -> Any:
    """A pytree of arrays, traced or not, as one vector."""
    leaves = tree.leaves(values)
    if len(leaves) == 1:
        return np.reshape(leaves[0], (-1,))
    return np.concatenate([np.reshape(x, (-1,)) for x in leaves])
