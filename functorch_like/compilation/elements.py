"""Elements at positions that the program computes: read, written and added to in place."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from ..graph import Equation, Var
from ..kernels.loop import Builder
from ..kernels.scalar import Value, select
from .nodes import (
    DTYPES,
    OPAQUE,
    UNROLL,
    UNROLL_TOTAL,
    Label,
    Root,
    Step,
    View,
    broadcast,
    computes,
    convert,
    labels_index,
    movable,
    parse_index,
)
from .ranges import Range, range_of

__all__ = ["ELEMENT_RULES", "accumulate", "first_terms", "late_writes", "later_sums", "one_by_one"]


def checked(code: Builder, i: Value, size: int, known: Range | None = None) -> Value:
    """An index as NumPy reads it: from the end if negative; out of bounds is an error.

    ``known`` is its range, if it is known.
    """
    i = i.convert("i64")
    low, high = known or (-size - 1, size)
    if low >= 0 and high < size:
        return i
    extent = code.size(size)
    if low < 0:
        i = select(i < 0, i + extent, i)
    if -size <= low and high < size:
        return i
    outside = (i < 0) | (i >= extent)
    code.flag(outside, "index out of bounds")
    return select(outside, 0, i)


def _gather(lowering: Any, equation: Equation) -> bool | None:
    (out,) = equation.outputs
    x, *index = (lowering.view(v) for v in equation.inputs)
    if x.dtype not in DTYPES or any(v.dtype not in DTYPES or v.dtype.kind == "b" for v in index):
        return False
    if any(n == 0 for n in x.shape[: len(index)]):
        return False
    depth = len(index)
    count = len(out.aval.shape) - (len(x.shape) - depth)
    labels = [Label(n) for n in out.aval.shape]
    full = labels_index(labels)
    positions = [v if v.literal else broadcast(v, out.aval.shape[:count]) for v in index]
    known = [range_of(lowering.ranges, v) for v in equation.inputs[1:]]

    def compute(code: Builder, read: Callable, at: list) -> Value:
        found = [checked(code, read(k + 1, at[:count]), x.shape[k], known[k]) for k in range(depth)]
        return read(0, [*found, *at[count:]])

    operands = [(x, [OPAQUE] * depth + full[count:]), *((v, full[:count]) for v in positions)]
    lowering.node(lowering.result(out), labels, labels, operands, compute, equation)
    return None


def _scatter_add(lowering: Any, equation: Equation) -> bool | None:
    (out,) = equation.outputs
    values, *index = (lowering.view(v) for v in equation.inputs)
    if not computes(out.aval.dtype) or any(v.dtype.kind == "b" for v in index):
        return False
    if 0 in out.aval.shape:
        return False
    _add_elements(lowering, lowering.result(out), values, index, equation, equation)
    return None


def _add_elements(
    lowering: Any,
    root: Root,
    values: View,
    index: Sequence[View],
    term: Equation,
    equation: Equation,
) -> None:
    """Add values at positions, to zeros or to what the root's memory holds."""
    shape = root.shape
    depth = len(index)
    count = len(values.shape) - (len(shape) - depth)
    labels = [Label(n, reduced=a < count) for a, n in enumerate(values.shape)]
    full = labels_index(labels)
    positions = [v if v.literal else broadcast(v, values.shape[:count]) for v in index]
    kind = DTYPES[root.dtype]
    known = [range_of(lowering.ranges, v) for v in term.inputs[1:]]

    def position(code: Builder, read: Callable, at: list) -> list:
        found = [checked(code, read(k + 1, at[:count]), shape[k], known[k]) for k in range(depth)]
        return [*found, *at[count:]]

    lowering.node(
        root,
        labels,
        [None] * depth + labels[count:],
        [(values, full), *((v, full[:count]) for v in positions)],
        lambda code, read, at: convert(read(0, at), kind),
        equation,
        combine="add",
        position=position,
        onto=root.alias is not None,
    )


def _update_at(lowering: Any, equation: Equation) -> bool | None:
    """Elements written where they are, if nobody needs the array as it was."""
    (out,) = equation.outputs
    x, value, *index = (lowering.view(v) for v in equation.inputs)
    shape, dtype = out.aval.shape, out.aval.dtype
    if not movable(dtype, [x.dtype, value.dtype]) or any(n == 0 for n in shape):
        return False
    if any(not computes(v.dtype) or v.dtype.kind == "b" for v in index):
        return False
    depth = len(index)
    count = len(value.shape) - (len(shape) - depth)
    kind = DTYPES[dtype]
    few = all(n <= UNROLL for n in shape) and math.prod(shape) <= UNROLL_TOTAL
    if count == 0 and few and (x.literal or not x.root.stays()):
        _update_small(lowering, equation, x, value, index)
        return None
    root = None
    if count == 0 or x.literal or x.root.memory() not in lowering.logged:
        root = lowering.take(equation.inputs[0], equation)
    if root is None:
        root = Root(shape, dtype)
        lowering.copy(root, x, equation)
    log = lowering.logged.get(root.memory())
    if log is not None:
        log.used = True
        written = [Root((), v.dtype) for v in index]
        for position_of, v in zip(written, index, strict=True):
            lowering.copy(position_of, v, equation)
        known = [range_of(lowering.ranges, v) for v in equation.inputs[2:]]
        more = {"log": log, "index": written, "known": known}
        lowering.items.append(Step("log", [root], [], equation, **more))
    made = _same_memory(lowering, root, equation)
    labels = [Label(n) for n in value.shape]
    full = labels_index(labels)
    positions = [v if v.literal else broadcast(v, value.shape[:count]) for v in index]

    def position(code: Builder, read: Callable, at: list) -> list:
        found = [checked(code, read(k + 1, at[:count]), shape[k], known[k]) for k in range(depth)]
        return [*found, *at[count:]]

    known = [range_of(lowering.ranges, v) for v in equation.inputs[2:]]
    lowering.node(
        made,
        labels,
        [None] * depth + labels[count:],
        [(value, full), *((v, full[:count]) for v in positions)],
        lambda code, read, at: convert(read(0, at), kind),
        equation,
        position=position,
    )
    return None


def _same_memory(lowering: Any, root: Root, equation: Equation) -> Root:
    """The result of an equation that changes elements of an array where they are."""
    (out,) = equation.outputs
    made = Root(out.aval.shape, out.aval.dtype)
    made.alias = root
    # What reads the array as it was stands before this step, what reads the new one after it.
    lowering.items.append(Step("alias", [root], [made], equation))
    lowering.views[out] = View(made, made.shape, made.dtype)
    return made


def _update_small(
    lowering: Any, equation: Equation, x: View, value: View, index: Sequence[View]
) -> None:
    """An array that is kept in registers: each element is chosen."""
    (out,) = equation.outputs
    kind = DTYPES[out.aval.dtype]
    depth = len(index)
    known = [range_of(lowering.ranges, v) for v in equation.inputs[2:]]

    def compute(code: Builder, read: Callable, at: list) -> Value:
        here: Any = None
        for k in range(depth):
            i = checked(code, read(k + 2, []), x.shape[k], known[k])
            same = i == at[k]
            here = same if here is None else here & same
        return select(here, convert(read(1, at[depth:]), kind), convert(read(0, at), kind))

    labels = [Label(n) for n in x.shape]
    full = labels_index(labels)
    operands = [(x, full), (value, full[depth:]), *((v, []) for v in index)]
    root = lowering.result(out)
    lowering.node(root, labels, labels, operands, compute, equation, most=UNROLL_TOTAL)


# --------------------------------------------------------------------------------------
# Sums in place: the transpose of a read of an element adds to one element


TERMS = frozenset({"scatter_add", "unslice"})


def one_by_one(equations: Sequence[Equation], outputs: Sequence[Any]) -> list[Equation]:
    """``x + (a + b)`` as ``(x + a) + b`` where a or b are zeros but for some elements."""
    makers = {e.outputs[0]: e for e in equations if e.primitive.name in TERMS | {"add"}}
    if not any(e.primitive.name in TERMS for e in makers.values()):
        return list(equations)
    uses = Counter(x for e in equations for x in e.inputs if isinstance(x, Var))
    uses.update(x for x in outputs if isinstance(x, Var))

    def parts(x: Any) -> list[Any]:
        """What a sum that nobody else reads is a sum of."""
        maker = makers.get(x) if isinstance(x, Var) and uses[x] == 1 else None
        if maker is None or maker.primitive.name != "add":
            return [x]
        return [y for operand in maker.inputs for y in parts(operand)]

    def term(x: Any) -> bool:
        return isinstance(x, Var) and x in makers and makers[x].primitive.name in TERMS

    apart: set[Equation] = set()
    ordered: list[Equation] = []
    for equation in equations:
        if equation.primitive.name != "add":
            ordered.append(equation)
            continue
        x, y = equation.inputs
        if len(parts(y)) == 1 and all(map(term, parts(x))):
            x, y = y, x
        added = parts(y)
        if len(added) == 1 or not any(map(term, added)) or len(parts(x)) > 1 or term(x):
            ordered.append(equation)
            continue
        unwound: list[Any] = [y]
        while unwound:
            maker = makers.get(unwound.pop())
            if maker is not None and maker.primitive.name == "add" and uses[maker.outputs[0]] == 1:
                apart.add(maker)
                unwound += [z for z in maker.inputs if isinstance(z, Var)]
        total = x
        for part in added[:-1]:
            made = Var(equation.outputs[0].aval)
            ordered.append(Equation(equation.primitive, [total, part], {}, [made], equation.line))
            total = made
        last = [total, added[-1]]
        ordered.append(Equation(equation.primitive, last, {}, equation.outputs, equation.line))
    return [e for e in ordered if e not in apart]


def later_sums(
    equations: Sequence[Equation], outputs: Sequence[Any]
) -> dict[Var, tuple[Equation, int]]:
    """Arrays of zeros but for some elements that one equation alone reads, to add them to another.

    For each its own equation and the position of the sum.
    """
    uses = Counter(x for e in equations for x in e.inputs if isinstance(x, Var))
    uses.update(x for x in outputs if isinstance(x, Var))
    terms = {e.outputs[0]: e for e in equations if e.primitive.name in TERMS}
    found = {}
    for k, equation in enumerate(equations):
        if equation.primitive.name == "add":
            mine = [x for x in equation.inputs if isinstance(x, Var) and x in terms]
            if mine and uses[mine[-1]] == 1:
                found[mine[-1]] = terms[mine[-1]], k
    return found


def first_terms(
    equations: Sequence[Equation], outputs: Sequence[Any], totals: Callable[[Equation], int]
) -> dict[Var, tuple[Var, Equation]]:
    """Totals that one equation alone reads, to add them to an array that is there before.

    ``totals`` tells how many of an equation's first results are totals. For each the array, with
    which the total may begin, and the sum.
    """
    makers = [(k, e) for k, e in enumerate(equations) if totals(e)]
    if not makers:
        return {}
    uses = Counter(x for e in equations for x in e.inputs if isinstance(x, Var))
    uses.update(x for x in outputs if isinstance(x, Var))
    sums = {
        x: e
        for e in equations
        if e.primitive.name == "add"
        for x in e.inputs
        if isinstance(x, Var) and uses[x] == 1
    }
    made_at = {x: k for k, e in enumerate(equations) for x in e.outputs}
    found: dict[Var, tuple[Var, Equation]] = {}
    taken: set[Equation] = set()
    for k, equation in makers:
        for total in equation.outputs[: totals(equation)]:
            last = sums.get(total)
            if last is None or last in taken:
                continue
            other = next((x for x in last.inputs if x is not total), None)
            if isinstance(other, Var) and made_at.get(other, -1) < k:
                found[total] = other, last
                taken.add(last)
    return found


def late_writes(equations: Sequence[Equation]) -> list[Equation]:
    """The equations with each write of elements just before the first that reads its result.

    What reads the array as it was has been computed by then, and the write is in place.
    """
    if not any(e.primitive.name == "update_at" for e in equations):
        return list(equations)
    waiting: dict[Var, Equation] = {}
    ordered: list[Equation] = []

    def put(equation: Equation) -> None:
        for x in equation.inputs:
            if isinstance(x, Var) and x in waiting:
                put(waiting.pop(x))
        ordered.append(equation)

    for equation in equations:
        if equation.primitive.name == "update_at":
            waiting[equation.outputs[0]] = equation
        else:
            put(equation)
    for x in list(waiting):
        if x in waiting:
            put(waiting.pop(x))
    return ordered


def accumulate(lowering: Any, equation: Equation, term: Equation) -> bool:
    """Add the elements of ``term`` to memory that a loop hands from step to step."""
    (out,) = equation.outputs
    x, y = equation.inputs
    other = x if y is term.outputs[0] else y
    view = lowering.view(other)
    values, *index = (lowering.view(v) for v in term.inputs)
    if view.literal or view.dtype != out.aval.dtype or not computes(view.dtype):
        return False
    memory = view.root.memory()
    read = [v for v in (values, *index) if not v.literal]
    if memory not in lowering.lasting or memory in lowering.logged:
        return False
    if any(v.root.memory() is memory for v in read) or 0 in out.aval.shape:
        return False
    if any(v.dtype.kind == "b" or not computes(v.dtype) for v in index):
        return False
    root = lowering.take(other, equation)
    if root is None:
        return False
    made = _same_memory(lowering, root, equation)
    kind = DTYPES[out.aval.dtype]
    if term.primitive.name == "scatter_add":
        _add_elements(lowering, made, values, index, term, equation)
        return True
    parts = parse_index(made.shape, term.params["index"])
    values = broadcast(values, [n for what, _, _, n in parts if what != "int"])
    labels = [Label(n, reduced=True) for n in values.shape]

    def position(code: Builder, read: Callable, at: list) -> list:
        found: list = []
        given = iter(at)
        for what, start, step, _ in parts:
            if what == "int":
                found.append(start)
            elif what == "new":
                next(given)
            else:
                i = next(given) * step
                found.append(i + start if type(i) is int else i + code.size(start))
        return found

    lowering.node(
        made,
        labels,
        [None] * len(made.shape),
        [(values, labels_index(labels))],
        lambda code, read, at: convert(read(0, at), kind),
        equation,
        combine="add",
        position=position,
        onto=True,
    )
    return True


ELEMENT_RULES: dict[str, Callable] = {
    "gather": _gather,
    "scatter_add": _scatter_add,
    "update_at": _update_at,
}
