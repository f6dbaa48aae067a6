"""Where the time of a compiled program goes: a clock is read between its parts."""

from __future__ import annotations

import dataclasses
import os
import statistics
import time
import types
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..graph import Graph
from ..kernels.loop import External
from .cost import EntryCost, entry_cost, equations_of, kind_of
from .emit import Emitter
from .executable import Executable
from .fuse import Block
from .nodes import Node, Step

__all__ = ["Profile", "ProfileEntry", "profile_graph"]

SECONDS = 0.3  # for how long to run a program if the number of runs is not given
DERIVATIVE = "(derivative)"


@dataclasses.dataclass(frozen=True)
class ProfileEntry:
    """What one part of a program takes.

    Attributes
    ----------
    seconds
        Median time of a run.
    cost
        What it is and does; see ``EntryCost``.
    lines
        The user's lines, as ``file:line: source``, in the order of the equations.
    """

    seconds: float
    cost: EntryCost
    lines: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Profile:
    """What ``jit(f).profile(*args)`` returns; prints as a table.

    Attributes
    ----------
    name
        Of the function.
    runs
        How often the program was run.
    entries
        Its parts in the order in which they run.
    """

    name: str
    runs: int
    entries: tuple[ProfileEntry, ...]

    @property
    def seconds(self) -> float:
        """Sum of the times of the parts."""
        return sum(e.seconds for e in self.entries)

    def __repr__(self) -> str:
        total = self.seconds or 1.0
        head = ("part", "time", "share", "GB/s", "GFLOP/s", "primitives", "line")
        rows = [head]
        for entry in self.entries:
            cost, seconds = entry.cost, max(entry.seconds, 1e-12)
            rows.append(
                (
                    cost.kind,
                    _time(entry.seconds),
                    f"{100 * entry.seconds / total:.1f}%",
                    _rate(cost.bytes_read + cost.bytes_written, seconds),
                    _rate(cost.flops + cost.transcendentals, seconds),
                    _short(" ".join(cost.primitives), 36),
                    _shown(entry.lines),
                )
            )
        widths = [max(len(row[i]) for row in rows) for i in range(len(head) - 1)]
        text = [f"{self.name}: {_time(self.seconds)}, median of {self.runs} runs"]
        for row in rows:
            cells = [
                cell.rjust(width) if 1 <= i <= 4 else cell.ljust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=False))
            ]
            text.append("  ".join([*cells, row[-1]]).rstrip())
        return "\n".join(text)


def _time(seconds: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{1e9 * seconds:.0f} ns"


def _rate(count: int, seconds: float) -> str:
    return f"{1e-9 * count / seconds:.3g}" if count and seconds > 2e-8 else ""


def _short(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 3]}..."


def _shown(lines: Sequence[str]) -> str:
    """The first line of the user's, without its folders."""
    if not lines:
        return ""
    more = f" (+{len(lines) - 1})" if len(lines) > 1 else ""
    place, colon, source = lines[0].partition(": ")
    return f"{_short(os.path.basename(place) + colon + source, 60)}{more}"


class Clocked(Emitter):
    """Writes a program that reads a clock before its first part and after each part."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.times: list[int] = []
        self.parts: list[list[Any]] = []
        clock = types.SimpleNamespace(kernel=self._read_clock, multiple_results=True)
        equation = types.SimpleNamespace(primitive=clock, params={})
        self.clock = Step("clock", [], [], equation)

    def _read_clock(self) -> tuple[()]:
        self.times.append(time.perf_counter_ns())
        return ()

    def tick(self) -> None:
        """Have the program read the clock here."""
        number, none = (self.code.constant(n, "i64") for n in (len(self.steps), 0))
        self.steps.append(self.clock)
        self.code.items.append(External("host", [number, none]))

    def block(self, block: Block) -> None:
        """The program itself part by part; the rest as it is."""
        if block.parent is not None or block.group is not None:
            super().block(block)
            return
        self.tick()
        self.tick()  # with nothing between: what reading the clock takes
        for part in parts_of(block.entries):
            whole = Block(None, None)
            whole.entries = part
            super().block(whole)
            self.tick()
            self.parts.append(part)


def parts_of(entries: Sequence[Any]) -> Iterator[list[Any]]:
    """The entries of a program one by one, but the code outside of loops in runs."""
    part: list[Any] = []
    for entry in entries:
        if isinstance(entry, Step) and entry.kind == "alias":
            continue
        if part and not (isinstance(part[-1], Node) and isinstance(entry, Node)):
            yield part
            part = []
        part.append(entry)
    if part:
        yield part


def profile_graph(
    graph: Graph, leaves: Sequence[np.ndarray], name: str, repeat: int | None, here: str
) -> Profile:
    """Run a simplified graph part by part; ``here`` is the line that asked for it."""
    program = Executable(graph, name, Clocked)
    clocked: Any = program.emitter

    def run() -> np.ndarray:
        clocked.times.clear()
        program(leaves)
        return np.diff(clocked.times)

    run()
    runs = [run()]
    if repeat is None:
        once = max(float(np.sum(runs[0])), 1.0)
        repeat = int(min(max(1e9 * SECONDS / once, 3), 1000))
    while len(runs) < repeat:
        runs.append(run())
    medians = [statistics.median(column) for column in zip(*runs, strict=True)]
    entries = []
    for part, nanoseconds in zip(clocked.parts, medians[1:], strict=True):
        seconds = 1e-9 * max(float(nanoseconds - medians[0]), 0.0)
        entries.append(ProfileEntry(seconds, _cost(part, program), _lines(part, here)))
    return Profile(name, len(runs), tuple(entries))


def _cost(part: Sequence[Any], program: Executable) -> EntryCost:
    costs = [entry_cost(entry, program.slots) for entry in part]
    return EntryCost(
        kind_of(part[0]),
        tuple(dict.fromkeys(name for cost in costs for name in cost.primitives)),
        *(
            sum(getattr(cost, field) for cost in costs)
            for field in ("flops", "transcendentals", "bytes_read", "bytes_written")
        ),
    )


def _lines(part: Sequence[Any], here: str) -> tuple[str, ...]:
    """The user's lines; what derivative rules made has none but the line of the call."""
    found = [e.line for entry in part for e in equations_of(entry) if e.line is not None]
    lines = tuple(dict.fromkeys(line for line in found if line != here))
    return lines or ((DERIVATIVE,) if found else ())
