"""Ranges of the integers in a program: an index that is known to be inside needs no check.

Intervals go through the equations. A carry to which every step of a loop adds the same number lies
between its start and where the loop's number of steps takes it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..control_flow.loop_primitives import split
from ..graph import Equation, Graph, Literal, Var

__all__ = ["Range", "find_ranges", "in_scan", "in_while", "range_of"]

Range = tuple[int, int]
Ranges = dict[Var, Range]
WIDE = (np.dtype(np.int64), np.dtype(np.int32))


def range_of(ranges: Ranges, x: Any) -> Range | None:
    """The least and the greatest value of an integer or of an array of them, if it is known."""
    if isinstance(x, Var):
        return ranges.get(x)
    value = np.asarray(x.value)
    if value.dtype.kind not in "iu" or not value.size:
        return None
    return int(value.min()), int(value.max())


def _multiplied(x: Range, y: Range) -> Range:
    ends = [a * b for a in x for b in y]
    return min(ends), max(ends)


def _remainder(x: Range, y: Range) -> Range | None:
    return (0, y[1] - 1) if y[0] > 0 else None


def _divided(x: Range, y: Range) -> Range | None:
    return (x[0] // y[0], x[1] // y[0]) if y[0] == y[1] > 0 else None


_RULES: dict[str, Callable[..., Range | None]] = {
    "add": lambda x, y: (x[0] + y[0], x[1] + y[1]),
    "subtract": lambda x, y: (x[0] - y[1], x[1] - y[0]),
    "multiply": _multiplied,
    "negative": lambda x: (-x[1], -x[0]),
    "maximum": lambda x, y: (max(x[0], y[0]), max(x[1], y[1])),
    "minimum": lambda x, y: (min(x[0], y[0]), min(x[1], y[1])),
    "remainder": _remainder,
    "floor_divide": _divided,
    **dict.fromkeys(
        ("copy", "convert", "reshape", "broadcast_to", "transpose", "slice_at"), lambda x: x
    ),
}


def find_ranges(equations: Sequence[Equation], ranges: Ranges) -> None:
    """Add what the equations make to the known ranges."""
    for equation in equations:
        name = equation.primitive.name
        if name == "scan":
            steps = _steps_of_scan(equation, ranges)
            _note_results(equation, equation.outputs, steps, equation.params["length"], ranges)
        elif name in _RULES and equation.outputs[0].aval.dtype in WIDE:
            given = [range_of(ranges, x) for x in equation.inputs]
            found = _RULES[name](*given) if None not in given else None
            limit = np.iinfo(equation.outputs[0].aval.dtype)
            if found is not None and limit.min <= found[0] and found[1] <= limit.max:
                ranges[equation.outputs[0]] = found


def _note_results(
    equation: Equation, outputs: Sequence[Var], steps: Sequence, turns: int, ranges: Ranges
) -> None:
    for out, known in zip(outputs, steps, strict=False):
        if known is not None:
            start, step = known
            ranges[out] = start[0] + step * turns, start[1] + step * turns


def _added(graph: Graph, var: Var, out: Any) -> int | None:
    """What a step adds to a carry, if it is always the same."""
    if out is var:
        return 0
    maker = next((e for e in graph.equations if e.outputs and e.outputs[0] is out), None)
    if maker is None or maker.primitive.name not in ("add", "subtract"):
        return None
    x, y = maker.inputs
    sign = 1
    if maker.primitive.name == "subtract":
        sign = -1
    elif y is var:
        x, y = y, x
    if x is not var or not isinstance(y, Literal) or np.ndim(y.value):
        return None
    return sign * int(y.value)


def _steps(
    graph: Graph, consts: int, starts: Sequence[Any], ranges: Ranges
) -> list[tuple[Range, int] | None]:
    """For each carry the range of its start and what a step adds to it."""
    found: list[tuple[Range, int] | None] = []
    for var, out, start in zip(graph.inputs[consts:], graph.outputs, starts, strict=False):
        known = range_of(ranges, start) if var.aval.dtype in WIDE else None
        step = _added(graph, var, out) if known is not None else None
        found.append((known, step) if known is not None and step is not None else None)
    return found


def _steps_of_scan(equation: Equation, ranges: Ranges) -> list[tuple[Range, int] | None]:
    params = equation.params
    first, carry = params["n_consts"], params["n_carry"]
    return _steps(params["graph"], first, equation.inputs[first : first + carry], ranges)


def _within(steps: Sequence[tuple[Range, int] | None], turns: int) -> list[Range | None]:
    """Ranges of the carries at the beginning of each of so many steps."""
    found: list[Range | None] = []
    for known in steps:
        if known is None:
            found.append(None)
            continue
        (low, high), step = known
        moved = step * max(turns - 1, 0)
        found.append((low + min(moved, 0), high + max(moved, 0)))
    return found


def in_scan(equation: Equation, ranges: Ranges) -> list[Range | None]:
    """Ranges of a scan's constants and carries inside its body."""
    params = equation.params
    consts = [range_of(ranges, x) for x in equation.inputs[: params["n_consts"]]]
    return [*consts, *_within(_steps_of_scan(equation, ranges), params["length"])]


def in_while(
    params: dict, operands: Sequence[Any], ranges: Ranges
) -> tuple[list[Range | None], list[Range | None]]:
    """Ranges of the body's constants, and of the carries while the condition holds."""
    first, second = params["n_cond_consts"], params["n_body_consts"]
    cond, body = params["cond"], params["body"]
    conds, consts, init = split((first, second, len(body.inputs) - second), operands)
    known = [range_of(ranges, x) for x in consts]
    steps = _steps(body, second, init, ranges)
    nothing: list[Range | None] = [None] * len(init)
    if len(cond.equations) != 1 or cond.equations[0].outputs[0] is not cond.outputs[0]:
        return known, nothing
    test = cond.equations[0]
    name = test.primitive.name
    x, y = test.inputs if name in ("less", "less_equal") else reversed(test.inputs)
    if name not in ("less", "less_equal", "greater", "greater_equal"):
        return known, nothing
    outer = dict(zip(cond.inputs[:first], conds, strict=True))
    places = {var: k for k, var in enumerate(cond.inputs[first:])}
    strict = name in ("less", "greater")

    def bound(z: Any) -> Range | None:
        return range_of(ranges, outer.get(z, z)) if z not in places else None

    for moving, limit, sign in ((x, bound(y), 1), (y, bound(x), -1)):
        if not isinstance(moving, Var) or moving not in places or limit is None:
            continue
        start = steps[places[moving]]
        if start is None or start[1] * sign <= 0:
            continue
        # Upwards from the least start to the greatest limit, or downwards.
        (low, high), step = start
        room = limit[1] - low if sign > 0 else high - limit[0]
        turns = max((room - strict) // abs(step) + 1, 0)
        return known, _within(steps, turns)
    return known, nothing
