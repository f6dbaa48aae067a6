"""Where temporaries lie: one arena, in which arrays whose lives do not overlap share room."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["plan_arena"]

ALIGNMENT = 64


def plan_arena(lives: Sequence[tuple[int, int, int]]) -> tuple[list[int], int]:
    """Offsets of arrays in an arena, and its size in bytes.

    Parameters
    ----------
    lives
        ``(first, last, bytes)`` of each array: the steps, ends included, between which it is
        needed.

    Returns
    -------
    tuple
        An offset for each array, a multiple of 64, and the size of the arena. Larger arrays are
        placed first, each in the lowest gap among those alive with it.

    Examples
    --------
    >>> plan_arena([(0, 1, 64), (1, 2, 64), (2, 3, 64)])
    ([0, 64, 0], 128)
    """
    offsets = [0] * len(lives)
    placed: list[tuple[int, int, int, int]] = []  # offset, end, first, last
    total = 0
    order = sorted(range(len(lives)), key=lambda k: -lives[k][2])
    for k in order:
        first, last, size = lives[k]
        size = -(-max(size, 1) // ALIGNMENT) * ALIGNMENT
        offset = 0
        for begin, end, other_first, other_last in sorted(placed):
            if other_last < first or last < other_first:
                continue
            if offset + size <= begin:
                break
            offset = max(offset, end)
        offsets[k] = offset
        placed.append((offset, offset + size, first, last))
        total = max(total, offset + size)
    return offsets, total
