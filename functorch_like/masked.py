"""Reverse mode through ``np.where``: what was not chosen takes no part.

``np.where(x > 0, np.log(x), 0.0)`` has no slope at x = 0, where it chose the constant. Forward
mode says so by itself, for the selection drops the infinite tangent. Reverse mode comes from the
other side: the selection hands on a cotangent of zero, and the rule of ``log`` divides it by zero.
A zero that stands for "not chosen" must not be multiplied with anything. So with such a cotangent
goes a mask, live where it was chosen, through all that acts on elements alone and all that only
moves them; where the mask is not live, a rule's NaN is zero. Where two contributions meet, one of
them live, the sum is; matrix products, factorisations and the like end a mask.

A zero that was computed, as in ``np.sqrt(x) * np.sqrt(x)`` at 0, is multiplied as ever: 0 times
infinity is NaN there, for no single value would be right.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .primitives import elementwise as e
from .primitives import reduction
from .primitives import structural as s
from .primitives.core import EVAL, Choice, Tracer, shape_of, state

__all__ = ["Live", "pull_masked"]

# Transposes that move or add elements and multiply them with nothing: applied to ones at the live
# elements, what comes out positive is live.
_MOVES = {
    primitive.pull
    for primitive in (
        s.reshape,
        s.transpose,
        s.broadcast_to,
        s.convert,
        s.copy,
        s.slice_at,
        s.unslice,
        reduction.reduce_sum,
    )
}
SMALL = 4096  # elements; below, to look for a NaN costs more than to take it away
_SELECTIONS: Any = e.select.rules
# A zero stays zero in these, whatever else they are given.
_HARMLESS = {
    rule
    for primitive in (e.add, e.subtract, e.negative, e.positive)
    for rule in (primitive.rules or ())
}


class Live(dict):
    """Masks of cotangents by slot; a slot without one is live everywhere."""

    __slots__ = ("halves",)

    halves: dict[int, tuple[Any, Any, bool]]  # by id of a mask: it, its condition, which half

    def note(self, mask: Any, condition: Any, half: bool) -> None:
        """Remember that ``mask`` is where ``condition`` holds, or where it does not."""
        if not hasattr(self, "halves"):
            self.halves = {}
        self.halves[id(mask)] = (mask, condition, half)

    def joined(self, first: Any, second: Any) -> Any:
        """Where either is live, or None: the two halves of one selection are everywhere."""
        one, other = (self.halves.get(id(m), (None, self, True)) for m in (first, second))
        if one[1] is other[1] and one[2] is not other[2]:
            return None
        return e.logical_or(first, second)


def pull_masked(
    entry: tuple, ct: Any, mask: Any, cotangents: list, owned: bytearray, live: Live
) -> None:
    """Hand on the cotangent ``ct`` of a tape's entry, live at ``mask`` only (None: everywhere)."""
    with np.errstate(all="ignore"):  # what a rule divides by zero here is taken away again
        _pull(entry, ct, mask, cotangents, owned, live)


def _pull(entry: tuple, ct: Any, mask: Any, cotangents: list, owned: bytearray, live: Live) -> None:
    plain = state.trace is EVAL
    for source, pull, push, args, _accumulate, quick in entry:
        part = (quick if plain else pull)(ct, *args)
        own = None  # where this contribution is live
        if type(entry) is Choice:
            half = pull is _SELECTIONS[1]
            own = _spread(args[1] if half else e.logical_not(args[1]), shape_of(ct))
            if mask is None:
                live.note(own, args[1], half)
            else:
                own = e.logical_and(own, mask)
        elif pull is push:  # on elements alone
            own = mask
            if pull not in _HARMLESS:
                part = _without_nan(part, mask, plain)
        elif pull in _MOVES:
            own = e.greater(pull(s.convert(mask, dtype=np.float32), *_of_mask(args)), 0)
        held = cotangents[source]
        if held is None:
            cotangents[source] = part
            owned[source] = 0
            if own is not None:
                live[source] = own
            continue
        if plain and owned[source]:
            np.add(held, part, out=held)
        else:
            cotangents[source] = total = e.add(held, part)
            owned[source] = plain and type(total) is np.ndarray
        other = live.pop(source, None)
        if own is not None and other is not None:
            both = live.joined(own, other)
            if both is not None:
                live[source] = both


def _spread(condition: Any, shape: tuple[int, ...]) -> Any:
    if shape_of(condition) == shape:
        return condition
    if isinstance(condition, Tracer):
        return s.broadcast_to(condition, shape=shape)
    return np.broadcast_to(condition, shape)


def _of_mask(args: tuple) -> tuple:
    """The arguments of a transpose, for a mask instead of a cotangent."""
    shape, _dtype, rest, params = args
    if "dtype" in params:  # convert
        params = {**params, "dtype": np.dtype(np.float32)}
    return shape, np.dtype(np.float32), rest, params


def _without_nan(part: Any, mask: Any, plain: bool) -> Any:
    """``part``, zero where it is not live; left alone where that changes nothing."""
    if not plain:
        return e.select(mask, part, 0)
    if not shape_of(part):
        return part if mask else part.dtype.type(0)
    # One pass over memory, and none to write, where there is no NaN.
    if part.size > SMALL and not np.isnan(np.add.reduce(part, axis=None)):
        return part
    return np.where(mask, part, 0)
