"""How much memory a call of a compiled program takes, told from the program."""

from __future__ import annotations

import dataclasses
import math
import os
from typing import Any

from .cost import flat
from .nodes import Root, Step

__all__ = ["Memory", "MemoryEntry", "Tape", "footprint"]

FIRST_ROWS = 256  # what a tape has room for at first; it grows by doubling
SHOWN = 8  # arrays named in the table


@dataclasses.dataclass(frozen=True)
class MemoryEntry:
    """One temporary array of a program.

    Attributes
    ----------
    bytes
        Its size.
    type
        Its shape and dtype, as in ``f64[3,4]``.
    primitive
        What makes it.
    line
        The user's line, or ''.
    """

    bytes: int
    type: str
    primitive: str
    line: str


@dataclasses.dataclass(frozen=True)
class Tape:
    """What the reverse sweep of a loop of unknown length keeps of each step.

    Attributes
    ----------
    row
        Bytes a step.
    written
        Bytes for each element that a step writes in place; 0 where it writes none.
    line
        The user's line, or ''.
    """

    row: int
    written: int
    line: str

    def bytes(self, steps: int) -> int:
        """Bytes at the most for so many steps: the tape doubles, and is copied when it does."""
        rows = FIRST_ROWS
        while rows < steps:
            rows *= 2
        return (rows + (rows // 2 if rows > FIRST_ROWS else 0)) * max(self.row, 8) * (steps > 0)


@dataclasses.dataclass(frozen=True)
class Memory:
    """What ``jit(f).memory(*args)`` returns, in bytes; prints as a table.

    Attributes
    ----------
    name
        Of the function.
    arguments, constants
        Arrays that the caller holds: the arguments, and what the function closes over.
    results
        Arrays that the call returns.
    reused
        Of these, what takes the memory of donated arguments.
    temporaries
        One block for all intermediate arrays, which share room where they can. The program holds
        it between calls.
    library
        The largest result of a function that is left to NumPy or SciPy, before it is put into its
        place. What such functions need inside is not known.
    tapes
        What reverse sweeps of loops of unknown length keep, which depends on the number of steps:
        see ``at``.
    entries
        The arrays that take room among the temporaries when they take the most, largest first.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> memory = ft.jit(lambda x: np.cumsum(np.sort(x))).memory(np.zeros(1000))
    >>> memory.arguments, memory.results, memory.peak >= 16000
    (8000, 8000, True)
    """

    name: str
    arguments: int
    constants: int
    results: int
    reused: int
    temporaries: int
    library: int
    tapes: tuple[Tape, ...]
    entries: tuple[MemoryEntry, ...]

    @property
    def allocated(self) -> int:
        """What a first call allocates, without tapes."""
        return self.results - self.reused + self.temporaries + self.library

    @property
    def peak(self) -> int:
        """Everything at once, without tapes."""
        return self.arguments + self.constants + self.allocated

    def at(self, steps: int) -> int:
        """The peak if each loop of unknown length takes so many steps.

        What steps write in place on top of that is not counted.
        """
        return self.peak + sum(tape.bytes(steps) for tape in self.tapes)

    def __repr__(self) -> str:
        more = ", and tapes" if self.tapes else ""
        text = [f"{self.name}: {_size(self.peak)} at the most{more}"]
        rows: list[tuple[str, int | str, str]] = [("arguments", self.arguments, "")]
        if self.constants:
            rows.append(("closed over", self.constants, ""))
        rows.append(("results", self.results, ""))
        if self.reused:
            rows.append(("reused", -self.reused, "of donated arguments"))
        rows.append(("temporaries", self.temporaries, "kept between calls"))
        for entry in self.entries[:SHOWN]:
            place, colon, source = entry.line.partition(": ")
            line = os.path.basename(place) + colon + source
            rows.append(("", entry.bytes, f"{entry.type} {entry.primitive}  {line}".rstrip()))
        if len(self.entries) > SHOWN:
            rest = self.entries[SHOWN:]
            rows.append(("", sum(e.bytes for e in rest), f"{len(rest)} others"))
        if self.library:
            rows.append(("library calls", self.library, "the largest result of one"))
        for tape in self.tapes:
            written = f", {tape.written} B an element written" if tape.written else ""
            line = os.path.basename(tape.line) or "a while loop"
            what = f"a step{written}; how many is not known  {line}"
            rows.append(("tape", f"{tape.row} B", what))
        shown = [(a, b if isinstance(b, str) else _size(b), c) for a, b, c in rows]
        widths = [max(len(row[i]) for row in shown) for i in range(2)]
        text += [f"{a:<{widths[0]}}  {b:>{widths[1]}}  {c}".rstrip() for a, b, c in shown]
        return "\n".join(text)


def _size(count: int) -> str:
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if abs(count) >= scale:
            return f"{count / scale:.3g} {unit}"
    return f"{count} B"


def footprint(program: Any, name: str, here: str = "") -> Memory:
    """The memory of an ``Executable``; ``here`` is the line that asks for it."""
    count = len(program.graph.inputs)
    results = [_bytes(root) for root in program.outputs]
    taken = program.taken_over() if program.donated else [-1] * len(results)
    steps = [x for e in program.top.entries for x in flat(e) if isinstance(x, Step)]
    library = [sum(map(_bytes, s.writes)) for s in steps if s.kind == "host"]
    return Memory(
        name,
        sum(map(_bytes, program.inputs[:count])),
        sum(map(_bytes, program.inputs[count:])),
        sum(results),
        sum(size for size, k in zip(results, taken, strict=True) if k >= 0),
        program.arena_bytes,
        max(library, default=0),
        tuple(_tape(s, here) for s in steps if s.kind == "while_vjp"),
        _entries(program, here),
    )


def _entries(program: Any, here: str) -> tuple[MemoryEntry, ...]:
    """Who lives in the arena at the moment when most do."""
    end = len(program.top.entries)
    lives = []
    for key in program.offsets:
        if isinstance(key, Root):
            first, last = program.lives[key]
            lives.append((first, last, _bytes(key), key))
        else:
            lives.append((0, end, program.row_bytes(key), key))
    if not lives:
        return ()
    moment = max(
        sorted({first for first, *_ in lives}),
        key=lambda at: sum(size for first, last, size, _ in lives if first <= at <= last),
    )
    made = _makers(program)
    found = []
    for first, last, size, key in lives:
        if not first <= moment <= last:
            continue
        if not isinstance(key, Root):
            what = "copies for threads" if key[0] == "private" else "rows of loops"
            found.append(MemoryEntry(size, "", what, ""))
            continue
        equation = made.get(key)
        dims = ",".join(map(str, key.shape))
        kind = f"{key.dtype.kind}{8 * key.dtype.itemsize}" if key.dtype.kind != "b" else "bool"
        primitive = equation.primitive.name if equation is not None else "copy"
        found.append(MemoryEntry(size, f"{kind}[{dims}]", primitive, _line(equation, here)))
    return tuple(sorted(found, key=lambda entry: -entry.bytes))


def _makers(program: Any) -> dict[Root, Any]:
    """The equation that first writes each root's memory."""
    made: dict[Root, Any] = {}
    for entry in program.top.entries:
        for part in flat(entry):
            roots = part.writes if isinstance(part, Step) else (part.root,)
            for root in roots:
                if part.equation is not None:
                    made.setdefault(root.memory(), part.equation)
    return made


def _tape(step: Step, here: str) -> Tape:
    more = step.more
    logs = len(more.get("logs", ()))
    used = more.get("used") or [True] * len(more["kept"])
    row = 8 * logs
    for root, use in zip(more["kept"], used, strict=True):
        if use and root.alias is None:
            row += -(-_bytes(root) // 8) * 8
    return Tape(row, 16 if logs else 0, _line(step.equation, here))


def _line(equation: Any, here: str) -> str:
    line = getattr(equation, "line", None)
    return "" if line is None or line == here else line


def _bytes(root: Root) -> int:
    return math.prod(root.shape) * root.dtype.itemsize
