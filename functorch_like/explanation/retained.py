"""The bytes that reverse mode keeps from the way forward to the way back, by the user's lines.

A graph is differentiated in reverse on variables without values; what the tape then refers to is
what it would keep. Loops are taken step by step, as they run without ``jit``.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..control_flow.loop_primitives import Loop
from ..debug import remembering_lines
from ..graph import Equation, Graph, Literal, StagingTrace, StagingTracer, Var
from ..graph_transforms import prune
from ..primitives.core import EVAL, Block, Primitive, ShapedArray, under
from ..primitives.structural import SMALL
from ..reverse import COPIED, ReverseTrace, ReverseTracer
from .flow import dependence, subgraphs
from .report import Obstacle

__all__ = ["Kept", "held_arrays", "retained_by_line"]

# NumPy's results of these share the memory of the first operand.
_VIEWS = frozenset(["reshape", "transpose", "slice_at", "move_axis", "real", "imag"])


_UNKNOWN = "an unknown line"


class Kept:
    """Bytes by line."""

    def __init__(self) -> None:
        self.bytes: dict[str, int] = {}
        self.unknown_steps = False
        self.error: Obstacle | None = None

    def add(self, line: str, count: int) -> None:
        """Note bytes."""
        if count:
            self.bytes[line] = self.bytes.get(line, 0) + count


def held_arrays(tape: Sequence[Any]) -> list[Any]:
    """Arrays, and tracers without values, that the entries of a tape refer to."""
    found: dict[int, Any] = {}
    seen: set[int] = set()
    keep: list[Any] = []  # so that no id is used again

    def visit(x: Any) -> None:
        if id(x) in seen or x is None or isinstance(x, (Primitive, Graph, type, str, int, float)):
            return
        seen.add(id(x))
        keep.append(x)
        if isinstance(x, (np.ndarray, np.generic, StagingTracer)):
            found[id(x)] = x
        elif isinstance(x, ReverseTracer):
            visit(x.primal)
        elif isinstance(x, (tuple, list)):
            for y in x:
                visit(y)
        elif isinstance(x, dict):
            for y in x.values():
                visit(y)
        elif isinstance(x, Block):
            visit(x.pull)
            visit(x.push)
        elif isinstance(x, functools.partial):
            visit((x.func, x.args, x.keywords))
        elif isinstance(x, types.MethodType):
            visit(x.__self__)
        elif isinstance(x, types.FunctionType):
            for cell in x.__closure__ or ():
                if cell is not None and _has_contents(cell):
                    visit(cell.cell_contents)

    for entry in tape:
        visit(entry)
    return list(found.values())


def _has_contents(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


def retained_by_line(graph: Graph, active: Sequence[int]) -> Kept:
    """What reverse mode keeps of a graph differentiated in its inputs at ``active``."""
    kept = Kept()
    if active:
        flags = [k in active for k in range(len(graph.inputs))]
        with remembering_lines():
            _retain(prune(graph), flags, 1, kept)
    return kept


def _retain(
    graph: Graph, flags: Sequence[bool], times: int, kept: Kept, given: int | None = None
) -> None:
    """Count what is kept of a graph; its first ``given`` inputs are somebody else's."""
    staging = StagingTrace(EVAL, ("explain", None))
    inputs = [staging.input(var.aval) for var in graph.inputs]
    trace = ReverseTrace(staging, staging.label)
    outside = {x._var for x in inputs[:given]}
    # What a loop carries is told at the first line of its body.
    own = next((e.line for e in graph.equations if e.line), _UNKNOWN)
    lines: dict[Var, str] = {x._var: own for x in inputs}
    plain = {x._var for x, flag in zip(inputs, flags, strict=True) if not flag}
    held: dict[Var, Any] = {}
    for var, x, flag in zip(graph.inputs, inputs, flags, strict=True):
        held[var] = trace.new(x, None) if flag else x
    for var in graph.constants:
        held[var] = staging.input(var.aval)
        outside.add(held[var]._var)
        plain.add(held[var]._var)
    with under(trace):
        for equation in graph.equations:
            line = equation.line or _UNKNOWN
            before = len(trace.tape)
            first = len(staging.equations)
            try:
                outs = _applied(equation, held, trace, staging, times, kept)
            except Exception as error:
                if kept.error is None:
                    said = f"{type(error).__name__}: {error}"
                    advice = "Give it one: custom_vjp, surrogate or finite_difference."
                    kept.error = Obstacle(line, f"no reverse derivative: {said}", advice)
                return
            for made in staging.equations[first:]:
                lines.update((v, line) for v in made.outputs)
            for x in outs:
                value = x.primal if isinstance(x, ReverseTracer) else x
                if isinstance(value, StagingTracer):
                    lines.setdefault(value._var, line)
            held.update(zip(equation.outputs, outs, strict=True))
            for x in held_arrays(trace.tape[before:]):
                copied = isinstance(x, StagingTracer) and x._var in plain
                if copied and x.shape and x._var.aval.size <= COPIED:
                    kept.add(line, _bytes(x._var.aval) * times)  # lest it be written meanwhile
    bases = {v: e.inputs[0] for e in staging.equations if _is_view(e) for v in e.outputs}
    counted: set[Var] = set()
    for x in held_arrays(trace.tape):
        if not isinstance(x, StagingTracer) or x._trace is not staging:
            continue
        base: Any = x._var
        while base in bases:
            base = bases[base]
        if isinstance(base, Literal) or base in counted or base in outside:
            continue
        counted.add(base)
        kept.add(lines.get(base, _UNKNOWN), _bytes(base.aval) * times)


def _bytes(aval: ShapedArray) -> int:
    return aval.size * aval.dtype.itemsize


def _is_view(equation: Equation) -> bool:
    """Whether NumPy's result shares the memory of the first operand."""
    name = equation.primitive.name
    if name == "broadcast_to":  # of few elements, where to fill an array is quicker
        return equation.outputs[0].aval.size > SMALL
    return name in _VIEWS


def _applied(
    equation: Equation,
    held: dict,
    trace: ReverseTrace,
    staging: StagingTrace,
    times: int,
    kept: Kept,
) -> list[Any]:
    """Results of an equation; loops and branches are gone into, and leave fresh results."""
    operands = [x.value if isinstance(x, Literal) else held[x] for x in equation.inputs]
    given = [isinstance(x, ReverseTracer) and x.slot is not None for x in operands]
    inner = subgraphs(equation, given) if any(given) else []
    if not inner or equation.primitive.carries_function:
        answer = equation.primitive.evaluate(operands, equation.params)
        return list(answer) if equation.primitive.multiple_results else [answer]
    several = []
    for body, flags, steps in inner:
        part = Kept()
        part.unknown_steps = steps == 0
        # What is carried, and the rows of what is looped over, are made anew in each step.
        loop = equation.primitive
        first = loop.sizes(equation.params)[1] if isinstance(loop, Loop) else len(flags)
        _retain(body, flags, max(steps, 1) * times, part, first)
        several.append(part)
    largest = max(several, key=lambda part: sum(part.bytes.values()))
    for line, count in largest.bytes.items():
        kept.add(line, count)
    kept.unknown_steps |= any(part.unknown_steps for part in several)
    kept.error = kept.error or largest.error
    through = dependence(equation, given)
    fresh = [staging.input(v.aval) for v in equation.outputs]
    return [trace.new(x, ()) if flag else x for x, flag in zip(fresh, through, strict=True)]


def plain_bytes(tape: Sequence[Any], outside: Sequence[Any]) -> int:
    """Bytes that a tape made of plain arrays keeps, without those of the arrays ``outside``."""
    owners = {id(x): x for x in map(_owner, held_arrays(tape))}
    known = {id(_owner(x)) for x in outside}
    return sum(x.nbytes for key, x in owners.items() if key not in known)


def _owner(x: Any) -> Any:
    """The array whose memory it is."""
    while isinstance(getattr(x, "base", None), np.ndarray):
        x = x.base
    return x
