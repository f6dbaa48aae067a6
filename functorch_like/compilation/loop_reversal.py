"""Reverse sweeps of loops: forward with the carries put on a tape, then back along it.

A large array whose elements the steps write in place is not copied for each step. What a write
overwrites is noted in a log, and the way back undoes the writes, last first: a step costs what it
writes. A sweep inside another borrows the array and leaves it as it was; where all that a step of
the outer loop writes is written by the inner one, and the log tells all that the inner way back
needs, it does not run forward again but goes back from where the outer step has ended.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..control_flow.loop_primitives import (
    body_vjp,
    chosen,
    scatter,
    separate,
    split,
    while_loop,
    while_vjp,
)
from ..graph import Equation, Graph, Literal, Var
from ..graph_transforms import prune
from ..kernels.loop import Builder, Copy, External, If, Index, While
from ..kernels.scalar import Value
from ..primitives.core import ShapedArray
from .control import (
    Body,
    begin,
    carried,
    enter,
    entries_of,
    finish,
    in_memory,
    is_small,
    keep_addressed,
    keys_of,
    large,
    leave,
    nexts_of,
    of_numbers,
    run_while,
    starts_of,
)
from .counting import updates
from .elements import checked
from .nodes import Root, Step, View
from .ranges import in_while
from .scans import summing

__all__ = ["EMIT_REVERSAL", "REVERSAL_RULES", "totals_of"]

FEW = 4  # entries of a log that are undone one after the other, without a loop


class Log:
    """What was overwritten in an array, and where; it grows as the program runs."""

    __slots__ = ("count", "reserved", "tape", "used")

    def __init__(self) -> None:
        self.used = False
        self.reserved = False  # whether there is room for what is being noted
        self.tape: Any = None  # its number, once the code of the sweep that needs it is written
        self.count: Any = None  # the variable that holds how many entries it has

    def push(self, emitter: Any, root: Root, index: Sequence[Any]) -> None:
        """Note the elements of ``root`` at ``index``, which may leave the last axes open."""
        code: Builder = emitter.code
        buffer, kept = emitter.buffer(root)
        start = emitter.address(root, kept, [*index, *[0] * (len(root.shape) - len(index))])
        size = math.prod(root.shape[len(index) :])
        if size == 1:
            self._push(emitter, buffer, start)
            return
        with code.loop(code.size(size)) as i:
            self._push(emitter, buffer, Index(code, code.emit("add", "i64", start, i).name, "i64"))

    def _push(self, emitter: Any, buffer: Any, address: Value) -> None:
        code: Builder = emitter.code
        held = code.get(self.count)
        if not self.reserved:
            room(emitter, self.tape, held, code.size(2))
        code.store(row_pointer(emitter, self.tape, held, 2, 0, "i64"), code.size(0), address)
        entry = row_pointer(emitter, self.tape, held, 2, 8, buffer.dtype)
        code.store(entry, code.size(0), code.load(buffer, address))
        code.set(self.count, held + 1)

    def reserve(self, emitter: Any, entries: Value) -> None:
        """Make room for so many more entries at once: a call within a loop would slow it down."""
        code: Builder = emitter.code
        test: list[Any] = []
        items: list[Any] = []
        with code.into(test):
            short = code.get(self.count) + entries > _capacity(code, self.tape)
        with code.into(items):
            items.append(_grow(code, self.tape, code.size(2)))
        code.items.append(While(test, short, items))

    def undo(self, emitter: Any, root: Root, mark: Value, entries: int | None = None) -> None:
        """Put back what was overwritten since the log had ``mark`` entries, so many if known."""
        code: Builder = emitter.code
        if entries is not None and entries <= FEW:
            for k in range(entries):
                self._pop(emitter, root, mark + (entries - 1 - k))
            code.set(self.count, mark)
            return
        test: list[Any] = []
        items: list[Any] = []
        with code.into(test):
            more = code.get(self.count) > mark
        with code.into(items):
            last = code.get(self.count) - 1
            self._pop(emitter, root, last)
            code.set(self.count, last)
        code.items.append(While(test, more, items))

    def _pop(self, emitter: Any, root: Root, entry: Value) -> None:
        """Put back what an entry says."""
        code: Builder = emitter.code
        buffer, _ = emitter.buffer(root)
        address = code.load(row_pointer(emitter, self.tape, entry, 2, 0, "i64"), code.size(0))
        held = row_pointer(emitter, self.tape, entry, 2, 8, buffer.dtype)
        value = code.load(held, code.size(0))
        code.store(buffer, Index(code, address.name, "i64"), value)


def totals_of(equation: Equation) -> int:
    """How many of an equation's first results are totals over the steps of a sweep."""
    if equation.primitive is not while_vjp:
        return 0
    first = equation.params["n_cond_consts"]
    return sum(equation.params["wanted"][first : first + equation.params["n_body_consts"]])


def row_pointer(emitter: Any, tape: int, at: Value, words: int, offset: int, dtype: str) -> Any:
    """Where in row ``at`` of a tape the bytes from ``offset`` are; rows are of so many words."""
    code: Builder = emitter.code
    pointer = code.pointer(code.buffer(("tape", tape), "i64"))
    index = Index(code, code.emit("mul", "i64", at, code.size(words)).name, "i64") + offset // 8
    return code.cast(code.offset(pointer, index), dtype)


def room(emitter: Any, tape: int, held: Value, words: Value) -> None:
    """Make a tape longer if its rows are all taken."""
    code: Builder = emitter.code
    capacity = _capacity(code, tape)
    code.items.append(If(held >= capacity, [_grow(code, tape, words)], []))


def _capacity(code: Builder, tape: int) -> Value:
    """How many rows a tape has room for."""
    return code.load(code.buffer(("tape", tape), "i64"), code.constant(1, "i64"))


def _grow(code: Builder, tape: int, words: Value) -> External:
    """The call that gives a tape room for twice as many rows."""
    return External("grow", [code.constant(-1 - tape, "i64"), words])


def _while_vjp(lowering: Any, equation: Equation) -> None:
    wanted, params = separate(equation.params)
    from .simplify import simplified

    closed, active, _ = body_vjp(while_loop, params, wanted)  # which needs the custom rules
    views = [lowering.view(x) for x in equation.inputs]
    results = [lowering.result(v) for v in equation.outputs]
    n_cond, n_consts, n_carry, _ = while_loop.sizes(params)
    conds, consts, init, cts = split((n_cond, n_consts, n_carry, len(views)), views)
    _, want_consts, want_carry, _ = split(while_loop.sizes(params), wanted)
    floats = while_loop.float_results(params)
    cts = chosen(active, scatter(floats, cts))
    want_active = chosen(active, want_carry)
    n_totals = sum(want_consts)
    graph = summing(closed.graph, len(closed.constants), n_consts, n_carry, n_totals)
    before = n_totals + len(closed.constants) + n_consts
    read = _read(graph)
    used = [var in read for var in graph.inputs[before : before + n_carry]]
    test_graph, step_graph = simplified(params["cond"]), simplified(params["body"])
    fixed, moving = in_while(
        {**params, "cond": test_graph, "body": step_graph}, equation.inputs, lowering.ranges
    )
    step_graph, needed = _needed(test_graph, step_graph, n_cond, n_consts, used)
    # From here on the carries are those that the condition or the way back needs.
    avals = [var.aval for var in test_graph.inputs[n_cond:]]
    init = chosen(needed, init)
    used = chosen(needed, used)

    given = equation.inputs[n_cond + n_consts : n_cond + n_consts + n_carry]
    given = chosen(needed, given)
    finals = [Root(v.shape, v.dtype) for v in init]
    keep_addressed(step_graph, init, finals)
    addressed = [root.addressed for root in finals]
    undone = {k for k, root in enumerate(finals) if updates(step_graph) and not is_small(root)}
    while True:
        finals = [Root(v.shape, v.dtype) for v in init]
        for root, flag in zip(finals, addressed, strict=True):
            root.addressed = flag
        logs: dict[Root, Log] = {}
        for k in undone:
            finals[k].alias = lowering.borrow(given[k], equation)
            memory = finals[k].memory()
            logs[memory] = lowering.logged.get(memory) or Log()
        carries = carried(lowering, init, finals)
        every = scatter(needed, carries)
        test = Body(lowering, test_graph, [*conds, *map(_given, every, avals)])
        condition = test.small(test.outputs[0])
        entered = [*consts, *map(_given, every, avals)]
        body = Body(lowering, step_graph, entered, large(carries), logs, [*fixed, *moving])
        nexts = nexts_of(body, carries, body.outputs)
        copied = {k for k in undone if nexts[k].memory() is not finals[k].memory()}
        if not copied:
            break
        undone -= copied
    starts = starts_of(lowering, init, carries, equation)
    entries = {log: entries_of(body.lowering.items, log) for log in logs.values() if log.used}

    # Backwards: the carries are totals of the constants' cotangents and the carry's cotangents.
    hoisted = [lowering.capture(x) for x in closed.constants]
    totals = chosen(want_consts, consts)
    zeros = [
        View(np.zeros((), v.dtype)[()], (), v.dtype).then(v.shape, lambda own: []) for v in totals
    ]
    back_init = [*zeros, *cts]
    ct_operands = equation.inputs[n_cond + n_consts + n_carry :]
    beginnings = [*[None] * n_totals, *chosen(active, scatter(floats, ct_operands))]
    for k, total in enumerate(equation.outputs[:n_totals]):
        if total in lowering.first_terms and not is_small(results[k]):
            first, last = lowering.first_terms[total]
            lowering.summed[last] = total
            back_init[k] = lowering.view(first)
            beginnings[k] = None if first in equation.inputs else first
    targets: list[Root] = []
    made = iter(results)
    for _ in range(n_totals):
        targets.append(next(made))
    for view, want in zip(cts, want_active, strict=True):
        targets.append(next(made) if want else Root(view.shape, view.dtype))
    keep_addressed(graph, back_init, targets)
    taken: set[Root] = set()
    for x, target in zip(beginnings, targets, strict=True):
        if isinstance(x, Var) and not is_small(target):
            root = lowering.take(x, equation, alone=True)
            if root is not None and not {root.memory()} & (taken | lowering.logged.keys()):
                target.alias = root
                taken.add(root.memory())
    back_carries = carried(lowering, back_init, targets)
    kept = [Root(v.shape, v.dtype) for v in init]
    for k, root in enumerate(kept):
        root.addressed = addressed[k]
        if k in undone:
            root.alias = carries[k]
        elif not is_small(root):
            root.window = _unknown  # on the tape's row, once it is being read
    every = scatter(needed, kept)
    back = Body(
        lowering,
        graph,
        [
            *back_carries[:n_totals],
            *[*hoisted, *consts],
            *map(_given, every, avals),
            *back_carries[n_totals:],
        ],
        [*large(back_carries), *[kept[k] for k in sorted(undone)]],
        logs,
        [*[None] * (n_totals + len(hoisted)), *fixed, *moving],
    )
    back_nexts = nexts_of(back, back_carries, back.outputs)
    back_starts = starts_of(lowering, back_init, back_carries, equation)
    reads = in_memory(starts, carries) + in_memory(back_starts, back_carries)
    lowering.items.append(
        Step(
            "while_vjp",
            reads,
            [*targets, *in_memory(finals, carries)],
            equation,
            bodies=[test, body, back],
            condition=condition,
            carries=carries,
            starts=starts,
            nexts=nexts,
            kept=kept,
            used=used,
            counters=_counters(step_graph, carries, n_consts, needed),
            finals=finals,
            logs={root: log for root, log in logs.items() if log.used},
            entries=entries,
            resumed=_resumed(body, back, logs, [kept[k] for k in undone]),
            back_carries=back_carries,
            back_starts=back_starts,
            back_nexts=back_nexts,
            targets=targets,
        )
    )


def _read(graph: Graph) -> set[Any]:
    """What the equations of a graph, and its results, read."""
    return {x for e in graph.equations for x in e.inputs} | set(graph.outputs)


def _needed(
    test: Graph, step: Graph, n_cond: int, n_consts: int, used: Sequence[bool]
) -> tuple[Graph, list[bool]]:
    """A step that makes only the carries that are used or that the condition needs; which."""
    read = _read(test)
    needed = [u or x in read for u, x in zip(used, test.inputs[n_cond:], strict=True)]
    while True:
        made = prune(_with_outputs(step, chosen(needed, step.outputs)))
        read = _read(made)
        more = [n or x in read for n, x in zip(needed, step.inputs[n_consts:], strict=True)]
        if more == needed:
            return made, needed
        needed = more


def _counters(
    step: Graph, carries: Sequence[Root], n_consts: int, needed: Sequence[bool]
) -> dict[int, int]:
    """Integer carries to which each step adds the same number, and which: no tape holds them."""
    makers = {e.outputs[0]: e for e in step.equations if e.primitive.name == "add"}
    found = {}
    given = chosen(needed, step.inputs[n_consts:])
    for k, (var, out, root) in enumerate(zip(given, step.outputs, carries, strict=True)):
        maker = makers.get(out) if isinstance(out, Var) and root.kind == "i64" else None
        if maker is None or root.shape or root.alias is not None or var not in maker.inputs:
            continue
        others = [x for x in maker.inputs if x is not var]
        if len(others) == 1 and isinstance(others[0], Literal):
            found[k] = int(others[0].value)
    return found


def _resumed(body: Body, back: Body, logs: dict[Root, Log], undone: Sequence[Root]) -> Step | None:
    """The sweep within a step back that need not run forward again, if there is one.

    It is all that touches the arrays on the way back; it is of the one loop that writes them on the
    way forward; and neither its tape nor the log's marks have anything that cannot be computed.
    """
    memories = {root.memory() for root in undone}
    used = {log for log in logs.values() if log.used}
    touching = [item for item in back.lowering.items if _touches(item, memories)]
    writing = [x for x in body.lowering.items if any(entries_of([x], log) != 0 for log in used)]
    if not used or len(touching) != 1 or len(writing) != 1 or len(memories) != len(used):
        return None
    (sweep,), (loop,) = touching, writing
    if any(not isinstance(x, Step) for x in (sweep, loop)) or sweep.kind != "while_vjp":
        return None
    more = sweep.more
    taped = [k for k in _taped(more) if k not in more["counters"]]
    if loop.kind not in ("scan", "while") or taped or set(more["logs"].values()) != used:
        return None
    items = loop.more["bodies"][-1].lowering.items
    same = all(more["entries"][log] == entries_of(items, log) for log in used)
    return sweep if same and all(more["entries"][log] for log in used) else None


def _touches(item: Any, memories: set[Root]) -> bool:
    """Whether an item, or what is in it, reads or writes one of the arrays."""
    if not isinstance(item, Step):
        roots = [item.root, *(view.root for view, _ in item.operands if not view.literal)]
        return any(root.memory() in memories for root in roots)
    roots = [x for x in (*item.reads, *item.writes) if isinstance(x, Root)]  # or a number
    if any(root.memory() in memories for root in roots):
        return True
    inner = [x for body in item.more.get("bodies", ()) for x in body.lowering.items]
    return any(_touches(x, memories) for x in inner)


def _taped(more: dict) -> list[int]:
    """The carries that the tape of a sweep holds."""
    return [k for k, root in enumerate(more["kept"]) if root.alias is None and more["used"][k]]


def _with_outputs(graph: Graph, outputs: list) -> Graph:
    return Graph(graph.inputs, graph.constants, graph.constant_values, graph.equations, outputs)


def _given(root: Root | None, aval: ShapedArray) -> Any:
    """A carry, or something in the place of one that nobody reads."""
    if root is not None:
        return root
    zero = View(np.zeros((), aval.dtype)[()], (), aval.dtype)
    return zero.then(aval.shape, lambda own: []) if aval.shape else zero


def _unknown(emitter: Any) -> Any:
    raise AssertionError("a row of a tape is read outside its loop")


def emit_log(emitter: Any, step: Step) -> None:
    """Note what the write that follows overwrites."""
    (root,) = step.reads
    places = zip(step.more["index"], root.shape, step.more["known"], strict=False)
    index = [checked(emitter.code, emitter.element(i, ()), n, known) for i, n, known in places]
    step.more["log"].push(emitter, root, index)


def emit_while_vjp(emitter: Any, step: Step) -> None:
    code: Builder = emitter.code
    more = step.more
    logs: dict[Root, Log] = more["logs"]
    entries: dict[Log, int | None] = more["entries"]
    own = [log for log in logs.values() if log.count is None]
    for log in own:
        log.tape = emitter.new_tape()
        log.count = code.variable(code.constant(0, "i64"))
    before = {root: code.get(log.count) for root, log in logs.items()}
    # A row of the tape: how far the logs go where that cannot be computed, and the carries one
    # after the other, each from a multiple of 8 bytes.
    counters: dict[int, int] = more["counters"]
    taped = [k for k in _taped(more) if k not in counters]
    marks = {log: 8 * i for i, log in enumerate(g for g in logs.values() if entries[g] is None)}
    offsets, size = {}, 8 * len(marks)
    for k in taped:
        root = more["kept"][k]
        offsets[k] = size
        size += -(-math.prod(root.shape) * root.dtype.itemsize // 8) * 8
    count = code.variable(code.constant(0, "i64"))
    number = emitter.new_tape() if size else -1

    def place(at: Value, offset: int, dtype: str) -> Any:
        return row_pointer(emitter, number, at, size // 8, offset, dtype)

    def push() -> None:
        held = code.get(count)
        if size:
            room(emitter, number, held, code.size(size // 8))
        for log, offset in marks.items():
            code.store(place(held, offset, "i64"), code.constant(0, "i64"), code.get(log.count))
        for k in taped:
            root = more["carries"][k]
            target = place(held, offsets[k], root.kind)
            if root.alias is None:
                for i, key in enumerate(keys_of(root)):
                    value = emitter.element(root, key)
                    code.store(target, code.constant(i, "i64"), value)
            else:
                total = code.size(math.prod(root.shape))
                code.items.append(Copy(target, emitter.buffer(root)[0], total))
        code.set(count, held + 1)

    variables = begin(emitter, more["carries"], more["starts"])
    begun = {k: code.get(variables[more["carries"][k]][()]) for k in counters}
    ended: dict[Log, Value] | None = more.pop("ended", None)
    if ended is None:
        run_while(emitter, more, variables, push)
        total = code.get(count)
    else:  # it has run, and the log has all its entries
        root, log = next(iter(logs.items()))
        before = {root: ended[log] for root, log in logs.items()}
        written = code.get(log.count) - before[root]
        total = code.emit("div", "i64", written, code.constant(entries[log], "i64"))

    back = begin(emitter, more["back_carries"], more["back_starts"])
    visible = dict(emitter.registers)
    with code.loop(total) as i:
        at = code.emit("sub", "i64", code.emit("sub", "i64", total, i), code.constant(1, "i64"))
        enter(emitter, back)
        reached = {}
        for root, log in logs.items():
            if log in marks:
                reached[log] = code.load(place(at, marks[log], "i64"), code.constant(0, "i64"))
            else:
                reached[log] = before[root] + at * entries[log]
            if more["resumed"] is None:
                log.undo(emitter, root, reached[log], entries[log])
        for k in taped:
            root = more["kept"][k]
            source = place(at, offsets[k], root.kind)
            if is_small(root):
                values = {
                    key: code.load(source, code.constant(j, "i64"))
                    for j, key in enumerate(keys_of(root))
                }
                emitter.keep(root, values)
            else:
                root.window = lambda emitter, source=source: source
        for k, added in counters.items():
            emitter.keep(more["kept"][k], {(): begun[k] + at * added})
        if more["resumed"] is not None:
            more["resumed"].more["ended"] = reached
        emitter.block(more["bodies"][2].block)
        leave(emitter, back, more["back_carries"], more["back_nexts"])
    emitter.registers = visible
    for root, log in logs.items():
        log.undo(emitter, root, before[root])
    for log in own:
        log.count = log.tape = None
    finish(emitter, back, more["back_carries"], more["targets"])


REVERSAL_RULES: dict[str, Callable] = {"while_vjp": of_numbers(_while_vjp)}
EMIT_REVERSAL: dict[str, Callable] = {"while_vjp": emit_while_vjp, "log": emit_log}
