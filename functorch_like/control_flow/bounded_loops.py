"""Loops whose reverse mode runs steps again: every n-th carry kept, or binomially chosen ones.

A loop in chunks is a loop over loops. Under staging a primitive holds each, and is reversed from
its operands; Python's own loops are put under ``checkpoint``. A loop in segments is for Python's
own: the segment before each kept carry is under ``checkpoint``, and split in its turn when it runs
again, so that the carries in memory are those of the binomial schedule.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import tree
from ..checkpointing import again_in_reverse
from .schedules import split
from .staging import Carry, Label, named

__all__ = ["in_chunks", "in_segments", "joined_rows"]

Loop = Callable[[Label, Callable, Carry, list[Any], int, bool], tuple[Any, Any]]


def in_chunks(
    loop: Loop,
    eager: bool,
    label: Label,
    step: Callable,
    carry: Carry,
    xs: list[Any],
    length: int,
    reverse: bool,
    size: int,
) -> tuple[Any, Any]:
    """A scan over chunks of ``size`` steps, of which reverse mode keeps the first carry."""

    def chunk(value: Any, rows: list[Any]) -> tuple[Any, Any]:
        return loop(label, step, carry.at(tree.leaves(value)), rows, size, reverse)

    if eager:
        chunk = again_in_reverse(chunk)
    whole = length // size * size
    # The rest of the steps comes last: the first rows in a reversed scan.
    cut = length - whole if reverse else whole
    head, rest = [x[:cut] for x in xs], [x[cut:] for x in xs]
    if reverse:
        head, rest = rest, head
    head = [x.reshape(whole // size, size, *x.shape[1:]) for x in head]
    value, ys = loop(label, chunk, carry, head, whole // size, reverse)
    ys = tree.map(lambda y: y.reshape(whole, *y.shape[2:]), ys)
    if whole == length:
        return value, ys
    value, more = loop(label, step, carry.at(tree.leaves(value)), rest, length - whole, reverse)
    return value, joined_rows(label, [ys, more], reverse)


def in_segments(
    loop: Loop,
    label: Label,
    step: Callable,
    carry: Carry,
    xs: list[Any],
    length: int,
    reverse: bool,
    states: int,
) -> tuple[Any, Any]:
    """A scan that keeps so many carries at a time, in a binomial schedule."""
    value: Any = tree.unflatten(carry.structure, carry.leaves)
    pieces = []
    done, room = 0, states

    def rows(count: int) -> list[Any]:
        first = length - done - count if reverse else done
        return [x[first : first + count] for x in xs]

    while length - done > 1:
        count = split(length - done, room)

        def segment(value: Any, part: list[Any], count: int = count, room: int = room) -> Any:
            start = carry.at(tree.leaves(value))
            return in_segments(loop, label, step, start, part, count, reverse, room)

        value, ys = again_in_reverse(segment)(value, rows(count))
        pieces.append(ys)
        done += count
        room = max(room - 1, 1)
    value, ys = loop(label, step, carry.at(tree.leaves(value)), rows(1), 1, reverse)
    return value, joined_rows(label, [*pieces, ys], reverse)


def joined_rows(label: Label, pieces: list[Any], reverse: bool) -> Any:
    """The stacked outputs of consecutive parts of a scan, one after the other."""
    first = tree.structure(pieces[0])
    for piece in pieces[1:]:
        if tree.structure(piece) != first:
            raise TypeError(
                f"{named(label)}: expected every step to return y structured like the first, "
                f"{tree.describe(first)}; got {tree.describe(tree.structure(piece))}."
            )
    if len(pieces) == 1:
        return pieces[0]

    def join(*parts: Any) -> Any:
        # In groups: reverse mode takes each operand of a concatenation apart from all before it.
        found = list(parts[::-1] if reverse else parts)
        while len(found) > 1:
            found = [np.concatenate(found[i : i + 32]) for i in range(0, len(found), 32)]
        return found[0]

    return tree.map(join, *pieces)
