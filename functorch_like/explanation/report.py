"""The result of ``explain`` and how it prints."""

from __future__ import annotations

import dataclasses
import os
import textwrap

from ..compilation.cost import Cost
from ..graph import Graph
from ..primitives.core import ShapedArray

__all__ = ["Explanation", "Leaf", "Line", "Modes", "Obstacle", "Stop"]


@dataclasses.dataclass(frozen=True)
class Line:
    """What one of the user's lines records.

    Attributes
    ----------
    line
        ``file:line: source``.
    primitives
        Names and how often each is recorded; in a loop once.
    results
        Types of what they make.
    flops
        Operations of a compiled run, calls of mathematical functions among them.
    retained_bytes
        What reverse mode keeps of what the line made.
    """

    line: str
    primitives: dict[str, int]
    results: tuple[str, ...]
    flops: int
    retained_bytes: int


@dataclasses.dataclass(frozen=True)
class Stop:
    """A place where a derivative ends."""

    line: str
    primitive: str
    reason: str


@dataclasses.dataclass(frozen=True)
class Leaf:
    """An argument's or result's array.

    Attributes
    ----------
    name
        Of the argument and the path to the leaf.
    aval
        Its type.
    asked
        Whether it is to be differentiated.
    differentiable
        Of an argument: whether a result has a derivative in it; of a result: whether it has one in
        the arguments.
    stops
        Of a result: where derivatives end on the way to it.
    """

    name: str
    aval: ShapedArray
    asked: bool
    differentiable: bool
    stops: tuple[Stop, ...] = ()


@dataclasses.dataclass(frozen=True)
class Obstacle:
    """Something that cannot be compiled, or differentiated, and what to do."""

    line: str
    message: str
    advice: str


@dataclasses.dataclass(frozen=True)
class Modes:
    """What a derivative costs in two modes, in evaluations of the function.

    Attributes
    ----------
    best
        The name of the cheaper mode.
    costs
        For each mode its estimated cost, in evaluations of the function.
    counts
        For each mode how many products with the Jacobian, or of second order, it takes.
    call
        What to write.
    """

    best: str
    costs: dict[str, float]
    counts: dict[str, int]
    call: str


@dataclasses.dataclass(frozen=True, repr=False)
class Explanation:
    """What ``explain`` found; prints as a report.

    Attributes
    ----------
    name
        Of the function.
    how
        ``types``: staged on types alone; ``values``: arguments' values had to be used;
        ``partly``: only up to an obstacle.
    graph
        What would be recorded.
    argnums
        Positions of the arguments that are differentiated.
    lines, inputs, outputs, stops, obstacles
        Tuples of ``Line``, ``Leaf``, ``Stop`` and ``Obstacle``.
    host_calls
        ``(line, primitive)`` of what a compiled program calls NumPy or Python for.
    cost
        Of the compiled function; None where it cannot be compiled.
    jacobian, hessian
        ``Modes``; None where there is nothing to differentiate.
    retained_bytes
        What reverse mode keeps.
    unknown_steps
        Whether there are loops whose number of steps is not known: they count as one step.
    """

    name: str
    how: str
    graph: Graph
    argnums: tuple[int, ...]
    lines: tuple[Line, ...]
    inputs: tuple[Leaf, ...]
    outputs: tuple[Leaf, ...]
    stops: tuple[Stop, ...]
    obstacles: tuple[Obstacle, ...]
    host_calls: tuple[tuple[str, str], ...]
    cost: Cost | None
    jacobian: Modes | None
    hessian: Modes | None
    retained_bytes: int
    unknown_steps: bool

    @property
    def compiles(self) -> bool:
        """Whether ``jit`` takes the function as it stands."""
        return not self.obstacles

    def __repr__(self) -> str:
        taken = ", ".join(f"{x.name}: {x.aval}" for x in self.inputs)
        given = ", ".join(str(x.aval) for x in self.outputs)
        text = [f"{self.name}({taken}) -> {given or 'nothing'}"]
        if self.how == "values":
            text.append("staged with the values of the arguments: other values may go other ways")
        elif self.how == "partly":
            text.append("told up to the first obstacle only")
        text += self._table()
        text += self._derivatives()
        text += self._compiling()
        return "\n".join(text)

    def _table(self) -> list[str]:
        rows = [("recorded", "results", "operations", "kept", "line")]
        for x in self.lines:
            names = [n if k == 1 else f"{n} x{k}" for n, k in x.primitives.items()]
            kept = _bytes(x.retained_bytes) if x.retained_bytes else ""
            rows.append(
                (
                    _short(" ".join(names), 34), _short(" ".join(x.results), 26),
                    _count(x.flops) if x.flops else "", kept, _place(x.line, 60),
                )
            )  # fmt: skip
        widths = [max(len(row[i]) for row in rows) for i in range(4)]
        made = []
        for row in rows:
            cells = [
                cell.rjust(w) if i > 1 else cell.ljust(w)
                for i, (cell, w) in enumerate(zip(row, widths, strict=False))
            ]
            made.append("  " + "  ".join([*cells, row[4]]).rstrip())
        return made

    def _derivatives(self) -> list[str]:
        made = []
        if self.jacobian is not None:
            made.append(f"Jacobian: {_modes(self.jacobian)}")
        if self.hessian is not None:
            made.append(f"Hessian: {_modes(self.hessian)}")
        more = ", and as much again for every step of loops of unknown length"
        kept = f"reverse mode keeps {_bytes(self.retained_bytes)}"
        made.append(kept + (more if self.unknown_steps else ""))
        for x in self.inputs if self.how != "partly" else ():
            if x.asked and not x.differentiable:
                made.append(f"no derivative in {x.name}: no result depends on it with a slope")
        for x in self.outputs:
            if x.asked and not x.differentiable:
                why = f"; it ends at {_place(x.stops[0].line, 60)}" if x.stops else ""
                made.append(f"no derivative of {x.name} ({x.aval}){why}")
        seen: dict[tuple[str, str], list[str]] = {}
        for stop in self.stops:
            seen.setdefault((stop.line, stop.reason), []).append(stop.primitive)
        for (line, reason), names in seen.items():
            said = " ".join(dict.fromkeys(names))
            made.append(f"a derivative ends in {said}, at {_place(line, 60)}: {reason}")
        return made

    def _compiling(self) -> list[str]:
        made = []
        if self.cost is not None:
            work = self.cost.flops + self.cost.transcendentals
            moved = self.cost.bytes_read + self.cost.bytes_written
            made.append(f"compiled: {_count(work)} operations, {_bytes(moved)} moved")
        for obstacle in self.obstacles:
            made.append(f"not compiled: {_place(obstacle.line, 80)}")
            made += textwrap.wrap(
                obstacle.message, 96, initial_indent="    ", subsequent_indent="    "
            )
            if obstacle.advice:
                made += textwrap.wrap(
                    obstacle.advice, 96, initial_indent="    ", subsequent_indent="    "
                )
        for line, name in self.host_calls:
            made.append(f"compiled code calls NumPy or Python for {name}, at {_place(line, 60)}")
        return made


def _modes(modes: Modes) -> str:
    parts = [
        f"{name} {_number(modes.costs[name])} ({modes.counts[name]} product"
        f"{'' if modes.counts[name] == 1 else 's'})"
        for name in sorted(modes.costs, key=lambda n: modes.costs[n])
    ]
    return f"{modes.call} is cheapest; in evaluations of the function: {', '.join(parts)}"


def _number(x: float) -> str:
    return f"{x:.3g}" if x < 1e4 else f"{x:.1e}"


def _count(x: int) -> str:
    return f"{x:,}" if x < 10**7 else f"{x:.2e}"


def _bytes(x: int) -> str:
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if x >= 10 * scale:
            return f"{x / scale:.3g} {unit}"
    return f"{x:,} bytes"


def _short(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 3]}..."


def _place(line: str, width: int) -> str:
    place, colon, source = line.removesuffix(":").partition(": ")
    return _short(os.path.basename(place) + colon + source, width)
