"""How much of a loop reverse mode keeps: the values of ``checkpoint=``, and binomial schedules.

Reverse mode needs the carries in the opposite order. With ``s`` states in memory and each step
run forward ``r`` times at most, loops of up to ``beta(s, r) = (s + r)! / (s! r!)`` steps can be
reversed, and no more (A. Griewank and A. Walther, *Algorithm 799: revolve*, ACM TOMS 26, 2000).
"""

from __future__ import annotations

import dataclasses
import math
import operator
import re
from collections.abc import Callable, Sequence
from typing import Any

from ..primitives.core import ShapedArray
from .staging import Label, named

__all__ = [
    "Binomial",
    "Budget",
    "Every",
    "Kept",
    "advances",
    "chosen_schedule",
    "first_kept",
    "split",
    "states_of",
    "walk_back",
]

UNITS = {
    "b": 1,
    **{name + end: 1000**k for k, name in enumerate("kmgt", 1) for end in ("", "b")},
    **{name + "ib": 1024**k for k, name in enumerate("kmgt", 1)},
}
FORMS = "'all', 'auto', a number of steps n, ft.Binomial(states=s), or a budget such as '64 MB'"


@dataclasses.dataclass(frozen=True)
class Binomial:
    """Keep so many carries of a loop at a time, and run its steps again as rarely as can be.

    For ``checkpoint=`` of ``scan``, ``while_loop`` and ``fori_loop``. The carries that are kept
    are chosen by the binomial schedule of Griewank and Walther (*Algorithm 799: revolve*, ACM
    TOMS 26, 2000): with ``s`` states and ``r`` runs forward of each step, loops of up to
    ``(s + r)! / (s! r!)`` steps; a thousand states do for 10^6 steps in 2.5 runs on average.
    Where the number of steps is not known beforehand (``while_loop``), the states kept on the way
    forth lie at equal distances, which double when half the states are used.

    Parameters
    ----------
    states
        Carries in memory at a time, at least 2, beside the one at work.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> def last(x):
    ...     keep = ft.Binomial(states=10)
    ...     return ft.scan(lambda c, _: (np.sin(c), None), x, None, 1000, checkpoint=keep)[0]
    >>> round(float(ft.jit(ft.grad(last))(1.0)), 8)
    0.00012436
    """

    states: int

    def __post_init__(self) -> None:
        try:
            states = operator.index(self.states)
        except TypeError:
            raise TypeError(
                f"Binomial: expected a number of states; got {self.states!r}; write "
                "ft.Binomial(states=30)."
            ) from None
        if states < 2:
            raise ValueError(
                f"Binomial: expected at least 2 states, the first carry and one on the way; got "
                f"{states}; write ft.Binomial(states=2) or more."
            )
        object.__setattr__(self, "states", states)


@dataclasses.dataclass(frozen=True)
class Budget:
    """As many carries as a number of bytes can hold, in a binomial schedule."""

    bytes: int
    given: str


@dataclasses.dataclass(frozen=True)
class Every:
    """Keep the carry of every ``steps``-th step."""

    steps: int


Schedule = Binomial | Budget


def chosen_schedule(label: Label, given: Any, length: int | None) -> Every | Schedule | None:
    """What ``checkpoint=`` asks for; None to keep all carries.

    Parameters
    ----------
    label
        The loop, for messages.
    given
        The user's value.
    length
        Number of steps, or None where it is not known.
    """
    if given is None or given is False:
        return None
    if isinstance(given, Binomial):
        return given
    if isinstance(given, str):
        word = given.strip().lower()
        if word == "all":
            return None
        if word != "auto":
            return _budget(label, given)
    if given is True or isinstance(given, str):
        if length is None:
            raise ValueError(
                f"{named(label)}: expected checkpoint to be a number of steps, "
                "ft.Binomial(states=s) or a budget such as '64 MB'; got "
                f"{given!r}, but how many steps there will be is not known; write one of these."
            )
        return Every(math.isqrt(max(length - 1, 0)) + 1)
    try:
        steps = operator.index(given)
    except TypeError:
        raise ValueError(
            f"{named(label)}: expected checkpoint to be {FORMS}; got {given!r}; write one of these."
        ) from None
    if steps < 1:
        raise ValueError(
            f"{named(label)}: expected checkpoint to be at least 1 step; got {steps}; write None "
            "to keep all carries."
        )
    return Every(steps)


def _budget(label: Label, given: str) -> Budget:
    parts = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]*)?)\s*([a-zA-Z]+)\s*", given)
    unit = UNITS.get(parts[2].lower()) if parts else None
    if parts is None or unit is None:
        raise ValueError(
            f"{named(label)}: expected checkpoint to be {FORMS}; got {given!r}; a budget is a "
            "number and a unit, B, kB, MB, GB, KiB, MiB or GiB."
        )
    return Budget(int(float(parts[1]) * unit), given.strip())


def states_of(name: str, schedule: Schedule, carry: Sequence[ShapedArray]) -> int:
    """How many states of a carry a schedule keeps.

    Raises
    ------
    ValueError
        A budget that holds less than two.
    """
    if isinstance(schedule, Binomial):
        return schedule.states
    size = max(1, sum(aval.size * aval.dtype.itemsize for aval in carry))
    states = schedule.bytes // size
    if states < 2:
        raise ValueError(
            f"{name}: expected a budget in checkpoint that holds at least two carries of {size} "
            f"bytes, tangents and batch included; got {schedule.given!r}; write "
            f"checkpoint='{2 * size} B' or more."
        )
    return states


# --------------------------------------------------------------------------------------
# Griewank and Walther's numbers


def reach(states: int, runs: int) -> int:
    """The longest loop that ``states`` carries reverse in ``runs`` runs of each step."""
    return math.comb(states + runs, runs)


def advances(length: int, states: int) -> int:
    """How many steps are run forward in all, at the least, before the one that is reversed.

    ``r length - beta(s + 1, r - 1)`` for the least ``r`` with ``beta(s, r) >= length``.

    Examples
    --------
    >>> advances(10**6, 1000), advances(10**6, 1414)
    (2497497, 1998584)
    """
    runs = 0
    while reach(states, runs) < length:
        runs += 1
    return runs * length - reach(states + 1, runs - 1) if runs else 0


def split(length: int, states: int) -> int:
    """After how many steps the next carry is kept, with room for ``states``, the first included.

    The largest number for which no step is run more often than it must be, on either side.

    Examples
    --------
    >>> split(10, 3), split(10, 1)
    (4, 9)
    """
    runs, before, here = 1, 1, states + 1  # beta(s, r - 1), beta(s, r)
    while here < length:
        runs, before, here = runs + 1, here, here * (states + runs + 1) // (runs + 1)
    return min(before, length - before * states // (states + runs - 1))


def first_kept(length: int, states: int) -> list[int]:
    """The steps before which a carry is kept on the way forth.

    Examples
    --------
    >>> first_kept(10, 3)
    [0, 4, 7]
    """
    kept, room = [0], states
    while length - kept[-1] > 1 and room > 1:
        kept.append(kept[-1] + split(length - kept[-1], room))
        room -= 1
    return kept


# --------------------------------------------------------------------------------------
# Schedules at work, on Python's own objects


class Kept:
    """Carries with their positions, kept while a loop of unknown length runs forward.

    They lie ``stride`` steps apart. No more than half the room is used, so that the way back
    finds room between them; when it is, every other one is let go.
    """

    def __init__(self, states: int | None) -> None:
        self.room = None if states is None else max(states // 2, 1)
        self.stride = 1
        self.carries: list[tuple[int, Any]] = []
        self.length = 0

    def offer(self, carry: Any) -> None:
        """Take note of one more step, and of the carry before it."""
        at, self.length = self.length, self.length + 1
        if at == len(self.carries) * self.stride and len(self.carries) == self.room:
            self.carries = self.carries[::2]
            self.stride *= 2
        if at == len(self.carries) * self.stride:
            self.carries.append((at, carry))


def walk_back(
    kept: list[tuple[int, Any]], length: int, states: int, advance: Callable, back: Callable
) -> None:
    """Reverse the steps of a loop.

    Parameters
    ----------
    kept
        Carries with the numbers of the steps they stand before, the first step's among them.
    length
        Number of steps.
    states
        How many carries may be kept at a time.
    advance
        ``advance(carry, first, count) -> carry`` runs steps forward.
    back
        ``back(carry, i)`` reverses step ``i``.
    """
    for i in range(length - 1, -1, -1):
        at, carry = kept[-1]
        while at < i:
            room = states - len(kept) + 1
            count = split(i + 1 - at, room)
            carry = advance(carry, at, count)
            at += count
            if room > 1:
                kept.append((at, carry))
        back(carry, i)
        if kept[-1][0] == i:
            kept.pop()
