"""What a staged loop carries from step to step.

The variables that the loop gives new values are carried as their leaves, each a *slot*. Arrays that
it only writes into keep their identity; their contents are carried. Which slots are the same array,
or another slot's array, decides what names outside see afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from .. import tree
from ..errors import ScriptError
from ..numpy.views import assign, lose, origins
from ..primitives.core import LOST, Tracer, state
from .branches import same_memory, share
from .regions import Effect, Region, check_readable, is_lost, refuse_length, roots
from .state import Nothing, described, is_array, is_result, line_of, same_static

__all__ = ["Carried", "Unforeseen"]


class Unforeseen(Exception):  # noqa: N818  (no error: the loop is staged again)
    """A loop body writes arrays, or numbers in containers, that it does not carry yet."""

    def __init__(self, arrays: list[Any], places: Sequence[Effect] = ()) -> None:
        self.arrays = arrays
        self.places = list(places)


class Carried:
    """The slots of a loop, and the arrays that it writes into."""

    def __init__(
        self, values: Sequence[Any], names: Sequence[str], written: Sequence[Any], line: int
    ) -> None:
        self.values, self.names, self.line = values, names, line
        self.leaves, self.structure = tree.flatten(tuple(values))
        self.slots = [k for k, x in enumerate(self.leaves) if is_array(x)]
        self.arrays = [self.leaves[k] for k in self.slots]
        self.keys = self._keys()
        held = [y for x in tree.leaves(tuple(written)) if isinstance(x, Tracer) for y in origins(x)]
        slots = [y for x in self.arrays if isinstance(x, Tracer) for y in origins(x)]
        # Arrays written into, which no slot begins with.
        self.hidden: list[Any] = []
        for x in held:
            known = any(x is y for y in (*slots, *self.hidden))
            if x.shape and x._trace is not LOST and not known:
                self.hidden.append(x)
        # Numbers written into, in containers, objects and variables of outer functions.
        self.places: list[Effect] = []
        self.notes: _Notes | None = None

    def _keys(self) -> list[str]:
        """A name for every slot."""
        keys = []
        paths = [p.codify("") for p in self.structure.accessors()]
        for k in self.slots:
            index, rest = paths[k][1:].split("]", 1)
            keys.append(self.names[int(index)] + rest.replace("'", '"'))
        return keys

    @property
    def hidden_keys(self) -> list[str]:
        """Keys of the arrays written into."""
        return [f"an array written into ({i})" for i in range(len(self.hidden))]

    @property
    def place_keys(self) -> list[str]:
        """Keys of the numbers in containers, which may have one name."""
        names = [place.name.replace("'", '"') for place in self.places]
        return [
            name if names.index(name) == i and name not in self.keys else f"{name}, number {i}"
            for i, name in enumerate(names)
        ]

    def initial(self) -> dict[str, Any]:
        """The carry to begin with."""
        keys = [*self.keys, *self.hidden_keys]
        carry = dict(zip(keys, [*self.arrays, *self.hidden], strict=True))
        befores = [place.before for place in self.places]
        return {**carry, **dict(zip(self.place_keys, befores, strict=True))}

    def rebuilt(self, arrays: Sequence[Any]) -> tuple:
        """The variables with other arrays in their slots."""
        leaves = list(self.leaves)
        for k, x in zip(self.slots, arrays, strict=True):
            leaves[k] = x
        return tree.unflatten(self.structure, leaves)

    def variables(self, carry: dict[str, Any]) -> tuple:
        """The variables at the beginning of a step."""
        return self.rebuilt([carry[k] for k in self.keys])

    @contextmanager
    def entered(self, carry: dict[str, Any]) -> Iterator[Region]:
        """A region in which the arrays written into have their values of this step."""
        with Region() as region:
            for x, key in zip(self.hidden, self.hidden_keys, strict=True):
                region.hold(x, carry[key])
            for place, key in zip(self.places, self.place_keys, strict=True):
                place.put(carry[key])
            yield region

    def step(self, carry: dict[str, Any], step: Callable) -> dict[str, Any]:
        """The carry after a step."""
        with self.entered(carry) as region:
            inputs = [carry[k] for k in self.keys]
            before = [getattr(x, "_var", None) for x in inputs]
            out = step(*self.variables(carry))
            leaves = self._matched(out)
            del out
            region.finish()
            known = {place.place for place in self.places}
            region.effects = [e for e in region.effects if e.place not in known]
            if region.effects and all(map(_is_number, region.effects)):
                raise Unforeseen([], region.effects)
            found = [place.get() for place in self.places]
            written = dict(zip(self.place_keys, found, strict=True))
            for name, value in written.items():
                if not is_array(value) or np.ndim(value):
                    self.refuse(name, f"it is {described(value)} after a step", "keep it a number")
            if region.effects and region.effects[0].kind == "length":
                refuse_length(region.effects[0].owner)
            if region.effects:
                self.refuse(
                    region.effects[0].name, "it is written in each step", "keep it in a variable"
                )
            outside = roots(list(region.written.values()))
            new = [x for x in outside if not any(x is y for y in self.hidden)]
            if new:
                raise Unforeseen(new)
            changed = [
                x._trace is LOST or getattr(x, "_var", None) is not var
                for x, var in zip(inputs, before, strict=True)
            ]
            outs = [leaves[k] for k in self.slots]
            for s, key in enumerate(self.keys):
                if is_result(key):
                    changed[s] = False
                    if is_lost(outs[s]):
                        outs[s] = np.zeros(outs[s].shape, outs[s].dtype)
            check_readable(outs)
            self.notes = _Notes(inputs, outs, changed, outside, region.losses)
            self._check(self.notes)
            made = dict(zip([*self.keys, *self.hidden_keys], [*outs, *self.hidden], strict=True))
            return {**made, **written}

    def _matched(self, out: Sequence[Any]) -> list[Any]:
        """The leaves after a step, structured as those before."""
        leaves, structure = tree.flatten(tuple(out))
        if structure != self.structure:
            for name, before, after in zip(self.names, self.values, out, strict=True):
                if tree.structure(before) != tree.structure(after):
                    said = f"{described(before)} before the loop, {described(after)} after a step"
                    self.refuse(name, said, "give it its final form before the loop")
        for k, (leaf, start) in enumerate(zip(leaves, self.leaves, strict=True)):
            if is_array(start) or isinstance(start, Nothing) or isinstance(leaf, Nothing):
                continue
            if not same_static(leaf, start):
                path = self.structure.accessors()[k].codify("")
                name = self.names[int(path[1:].split("]", 1)[0])]
                said = f"{start!r} before the loop, {leaf!r} after a step"
                self.refuse(name, said, "only arrays and numbers can change from step to step")
        for k in self.slots:
            if not is_array(leaves[k]):
                name = self.keys[self.slots.index(k)]
                if isinstance(leaves[k], Nothing):
                    leaves[k]._raise()
                said = f"{self.leaves[k]!r} before the loop, {leaves[k]!r} after a step"
                self.refuse(name, said, "keep it a number or an array")
        return leaves

    def refuse(self, name: str, what: str, advice: str) -> None:
        """Raise the error about a variable that cannot be carried."""
        raise ScriptError(
            f"{name} cannot be carried by the loop at {line_of(self.line)}: {what}; {advice}."
        )

    def _check(self, notes: _Notes) -> None:
        """Raise where arrays may be one in some steps and not in others, and are written."""
        writes = any(notes.changed) or notes.outside
        starts = [origins(x) if _shaped(x) else [] for x in self.arrays]
        results = [s for s, key in enumerate(self.keys) if is_result(key)]
        for s in results:
            starts[s] = []
        for s, theirs in enumerate(starts):
            for t in range(s):
                if same_memory(theirs, starts[t]) and (notes.changed[s] or notes.changed[t]):
                    self._one_array(self.keys[t], self.keys[s])
            if _common(theirs, notes.outside):
                self._one_array(self.keys[s], "an array written into")
            plain = isinstance(self.arrays[s], np.ndarray) and self.arrays[s].shape
            if plain and notes.changed[s]:
                self.refuse(self.keys[s], "a plain array is written", "write x = x.copy() before")
        if not writes:
            return
        for s, theirs in enumerate(notes.origins):
            if s in results:
                continue
            for t in range(s):
                if t not in results and same_memory(theirs, notes.origins[t]):
                    self._one_array(self.keys[t], self.keys[s])
            for x in theirs:
                inner = any(x is y for y in notes.inputs) or x._trace is state.trace
                if not inner and (notes.changed[s] or any(x is y for y in notes.outside)):
                    self._one_array(self.keys[s], "another name")

    def _one_array(self, one: str, other: str) -> None:
        self.refuse(
            f"{one} and {other}", "they may be one array, and one of them is written",
            "give each its own, y = x.copy()",
        )  # fmt: skip

    def result(self, carry: dict[str, Any], ran: str) -> tuple:
        """The variables after the loop."""
        notes = self.notes
        assert notes is not None
        for x, key in zip(self.hidden, self.hidden_keys, strict=True):
            if any(x is y for y in notes.outside):
                assign(x, carry[key])
        for place, key in zip(self.places, self.place_keys, strict=True):
            place.put(carry[key])
        results = []
        for s, (x, key) in enumerate(zip(self.arrays, self.keys, strict=True)):
            kept = notes.outs[s] is notes.inputs[s]
            if kept and notes.changed[s] and isinstance(x, Tracer) and x.shape:
                assign(x, carry[key])
            results.append(x if kept and (not notes.changed[s] or _shaped(x)) else carry[key])
        self._note_sharing(notes, results)
        for x in notes.losses:
            lose(x)
        leaves = list(self.leaves)
        for k, x in zip(self.slots, results, strict=True):
            leaves[k] = x
        for k, x in enumerate(leaves):
            if isinstance(x, Nothing):
                leaves[k] = Nothing(x.name, f": only the loop at line {self.line} assigns it{ran}")
        return tree.unflatten(self.structure, leaves)

    def _note_sharing(self, notes: _Notes, results: list[Any]) -> None:
        """Note which results may be arrays from before, and which of those may be lost."""
        count = len(results)
        flows = [
            [any(notes.inputs[t] is x for x in notes.origins[s]) for t in range(count)]
            for s in range(count)
        ]
        for middle in range(count):  # the transitive closure
            for s in range(count):
                for t in range(count):
                    flows[s][t] |= flows[s][middle] and flows[middle][t]
        starts = [origins(x) if _shaped(x) else [] for x in self.arrays]
        for s, result in enumerate(results):
            if not _shaped(result):
                continue
            for t in range(count):
                if flows[s][t] and result is not self.arrays[t]:
                    for x in starts[t]:
                        share(result, x)
                both = t < s and _shaped(results[t])
                if both and same_memory(notes.origins[s], notes.origins[t]):
                    share(result, results[t])
            for x in notes.origins[s]:
                if not any(x is y for y in notes.inputs):
                    share(result, x)
        for t in range(count):
            reached = [s for s in range(count) if s == t or flows[s][t]]
            exact = notes.outs[t] is notes.inputs[t] and reached == [t]
            if not exact and any(notes.changed[s] for s in reached):
                for x in starts[t]:
                    if not any(x is r for r in results):
                        lose(x)


def _is_number(effect: Effect) -> bool:
    """Whether a place had, and has, a number: what it may share memory with is no question."""
    return all(is_array(x) and np.ndim(x) == 0 for x in (effect.before, effect.after))


class _Notes:
    """What a staged step did with its arrays."""

    def __init__(
        self,
        inputs: list[Any],
        outs: list[Any],
        changed: list[bool],
        outside: list[Any],
        losses: list[Any],
    ) -> None:
        self.inputs, self.outs, self.changed = inputs, outs, changed
        self.outside = outside  # arrays written that were there before
        self.losses = [x for x in losses if not any(x is y for y in inputs)]
        self.origins = [origins(x) if _shaped(x) else [] for x in outs]


def _shaped(x: Any) -> bool:
    return isinstance(x, Tracer) and bool(x.shape)


def _common(first: Sequence[Any], second: Sequence[Any]) -> bool:
    return any(x is y for x in first for y in second)
