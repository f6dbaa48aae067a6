"""Loops and branches in compiled code: native ones, their small carries in registers.

The body of a loop is lowered into a block of its own whose constants are simply the outer arrays.
A carry of a few numbers is kept in variables, a larger one in the memory of the loop's result.
What a step reads of a stacked array is a *window* on it, and what it returns is written in place.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

from ..control_flow.loop_primitives import split
from ..graph import Equation, Graph, Var
from ..kernels.loop import Builder, Constant, Copy, If, Index, While
from .counting import updates
from .nodes import ADDRESSED, UNROLL, UNROLL_TOTAL, Label, Root, Step, View, computes, labels_index
from .ranges import Range, in_scan, in_while, range_of

__all__ = ["CONTROL_RULES", "EMIT_CONTROL", "Body", "Running"]


class Running:
    """The index of a loop while its code is written."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: Any = None

    def at(self, code: Any) -> Any:
        """The index in the kernel being written, which may not be the loop's own."""
        if self.value is None or code is self.value.body:
            return self.value
        return code.parameter(("running", self), Index(code, code.name("t"), "i64"))


def entries_of(items: Sequence[Any], log: Any) -> int | None:
    """How many entries a log gets from these items, if that is the same whenever they run."""
    total = 0
    for item in items:
        if not isinstance(item, Step) or item.kind == "while_vjp":  # which leaves it as it was
            continue
        if item.kind == "log" and item.more["log"] is log:
            (root,) = item.reads
            total += math.prod(root.shape[len(item.more["index"]) :])
        inner = [entries_of(body.lowering.items, log) for body in item.more.get("bodies", ())]
        if item.kind == "scan" and isinstance(item.more["length"], int) and inner[0]:
            total += inner[0] * item.more["length"]
        elif item.kind == "switch" and len(set(inner)) == 1 and inner[0] is not None:
            total += inner[0]
        elif any(n != 0 for n in inner):
            return None
    return total


def _logs(items: Sequence[Any]) -> dict[Any, None]:
    """The logs that these items add to."""
    found: dict[Any, None] = {}
    for item in items:
        if isinstance(item, Step) and item.kind != "while_vjp":
            if item.kind == "log":
                found[item.more["log"]] = None
            for body in item.more.get("bodies", ()):
                found |= _logs(body.lowering.items)
    return found


def is_small(root: Root) -> bool:
    """Whether an array is kept in variables."""
    return (
        not root.stays()
        and computes(root.dtype)
        and all(n <= UNROLL for n in root.shape)
        and math.prod(root.shape) <= UNROLL_TOTAL
    )


def keys_of(root: Root) -> list[tuple]:
    """All indices of a small array."""
    return list(itertools.product(*map(range, root.shape)))


class Body:
    """The nodes and steps of a sub-graph; ``block`` is their tree once it is built."""

    __slots__ = ("block", "lowering", "outputs")

    def __init__(
        self,
        outer: Any,
        graph: Graph,
        given: Sequence[Any],
        owned: Sequence[Root] = (),
        logged: dict[Root, Any] | None = None,
        ranges: Sequence[Range | None] = (),
    ) -> None:
        """Lower ``graph``; ``given`` holds a view, or a Root made for it, for each input.

        ``owned`` are those whose memory the body may write, ``logged`` the memory of those of
        which it must note what it overwrites, and where. ``ranges`` are those of the inputs.
        """
        self.lowering = type(outer)(outer.most)
        self.lowering.captured = outer.captured
        self.lowering.logged = {**outer.logged, **(logged or {})}
        self.lowering.lasting.update(root.memory() for root in owned)
        self.lowering.owned.update(self.lowering.lasting)
        for var, known in zip(graph.inputs, ranges, strict=False):
            if known is not None:
                self.lowering.ranges[var] = known
        for var, value in zip(graph.inputs, given, strict=True):
            self.lowering.views[var] = (
                View(value, value.shape, value.dtype) if isinstance(value, Root) else value
            )
        for var, held in zip(graph.constants, graph.constant_values, strict=True):
            self.lowering.views[var] = self.lowering.capture(held)
        self.lowering.follow(graph)
        self.outputs = [self.lowering.view(x) for x in graph.outputs]
        self.block: Any = None

    def small(self, view: View) -> Root:
        """A result of a few numbers, in registers at the end of the body."""
        root = Root(view.shape, view.dtype)
        self.lowering.copy(root, view, None)
        return root

    def large(self, view: View, taken: set[Root], carry: Root) -> Root:
        """A result in memory that the body wrote itself, the carry's if it is there already."""
        if not view.literal and view.identity and view.root.memory() is carry.memory():
            return view.root
        if not view.literal and view.identity and view.root.producer is not None:
            root = view.root
            free = root.window is None and root.memory() not in taken
            if free and not is_small(root) and root in self.made():
                taken.add(root.memory())
                return root
        root = Root(view.shape, view.dtype)
        root.addressed = carry.stays()
        self.lowering.copy(root, view, None)
        return root

    def made(self) -> set[Root]:
        return {
            root
            for item in self.lowering.items
            for root in (item.writes if isinstance(item, Step) else (item.root,))
            if root.alias is None
        }

    def write_row(self, target: Root, running: Running, view: View) -> None:
        """Write a result into a row of a stacked array."""
        labels = [Label(n) for n in view.shape]
        self.lowering.node(
            target,
            labels,
            [None, *labels],
            [(view, labels_index(labels))],
            lambda code, read, at: read(0, at),
            None,
            position=lambda code, read, at: [running.at(code), *at],
        )


def large(roots: Sequence[Root]) -> list[Root]:
    """Those that are kept in memory."""
    return [root for root in roots if root.alias is not None]


def keep_addressed(graph: Graph, starts: Sequence[View], results: Sequence[Root]) -> None:
    """Keep carries in memory if elements at computed positions are written, and they are many."""
    writes = updates(graph)
    for view, result in zip(starts, results, strict=True):
        inside = not view.literal and view.root.stays()
        if inside or (writes and math.prod(result.shape) > ADDRESSED):
            result.addressed = True


def begin_in_place(
    lowering: Any, equation: Equation, init: Sequence[Any], results: Sequence[Root]
) -> None:
    """Let a loop whose body writes elements work in the memory of the arrays it begins with."""
    for x, result in zip(init, results, strict=True):
        if not is_small(result) and isinstance(x, Var):
            root = lowering.take(x, equation, alone=True)
            if root is not None and root.dtype == result.dtype:
                result.alias = root


def spoils(lowering: Any, carries: Sequence[Root], nexts: Sequence[Root]) -> bool:
    """Whether a step overwrites memory of which a loop around it must note every change."""
    return any(
        root.memory() in lowering.logged and new.memory() is not root.memory()
        for root, new in zip(carries, nexts, strict=True)
        if not is_small(root)
    )


def carried(lowering: Any, views: Sequence[View], results: Sequence[Root]) -> list[Root]:
    """Roots of a loop's carries inside it: small ones are new, large ones the results' memory."""
    roots = []
    for view, result in zip(views, results, strict=True):
        root = Root(view.shape, result.dtype)
        if not is_small(result):
            root.alias = result
        roots.append(root)
    return roots


def window(base: Root, running: Running) -> Root:
    """One element along the first axis of an array in memory."""
    root = Root(base.shape[1:], base.dtype)
    size = math.prod(root.shape)
    root.window = lambda emitter: emitter.code.offset(emitter.buffer(base)[0], running.value * size)
    root.base = base
    return root


def _scan(lowering: Any, equation: Equation) -> None:
    params = equation.params
    graph: Graph = params["graph"]
    n_consts, n_carry = params["n_consts"], params["n_carry"]
    views = [lowering.view(x) for x in equation.inputs]
    consts, init, xs = split((n_consts, n_carry, len(views) - n_consts - n_carry), views)
    running = Running()
    bases = [lowering.root(v, equation) for v in xs]
    for in_place in (updates(graph), False):
        results = [lowering.result(v) for v in equation.outputs]
        keep_addressed(graph, init, results[:n_carry])
        if in_place:
            given = equation.inputs[n_consts : n_consts + n_carry]
            begin_in_place(lowering, equation, given, results[:n_carry])
        carries = carried(lowering, init, results[:n_carry])
        rows = [window(b, running) for b in bases]
        ranges = in_scan(equation, lowering.ranges)
        given_all = [*consts, *carries, *rows]
        body = Body(lowering, graph, given_all, large(carries), ranges=ranges)
        nexts = nexts_of(body, carries, body.outputs[:n_carry])
        if not (in_place and spoils(lowering, carries, nexts)):
            break
    starts = starts_of(lowering, init, carries, equation)
    for target, view in zip(results[n_carry:], body.outputs[n_carry:], strict=True):
        body.write_row(target, running, view)
    memory = bases + in_memory(starts, carries)
    lowering.items.append(
        Step(
            "scan",
            memory,
            results,
            equation,
            bodies=[body],
            running=running,
            carries=carries,
            starts=starts,
            nexts=nexts,
            length=params["length"],
            reverse=params["reverse"],
        )
    )


def starts_of(lowering: Any, init: Sequence[View], carries: Sequence[Root], equation: Any) -> list:
    """Where each carry begins: a small root, in registers, or a root in memory to copy."""
    found = []
    unset = equation.params.get("unset", ())  # carries that are written before they are read
    for k, (view, root) in enumerate(zip(init, carries, strict=True)):
        if root.alias is not None and view.identity and not view.literal:
            found.append(view.root)
        elif root.alias is not None:  # written where the carry is
            start = Root(view.shape, root.dtype)
            start.alias = root
            if k not in unset:
                lowering.copy(start, view, equation)
            found.append(start)
        else:
            start = Root(view.shape, root.dtype)
            lowering.copy(start, view, equation)
            found.append(start)
    return found


def in_memory(roots: Sequence[Root], carries: Sequence[Root]) -> list[Root]:
    """Those of the roots whose carries are kept in memory."""
    return [r for r, c in zip(roots, carries, strict=True) if c.alias is not None]


def nexts_of(body: Body, carries: Sequence[Root], outputs: Sequence[View]) -> list[Root]:
    taken: set[Root] = set()
    return [
        body.large(view, taken, root) if root.alias is not None else body.small(view)
        for root, view in zip(carries, outputs, strict=True)
    ]


def _while(lowering: Any, equation: Equation) -> None:
    params = equation.params
    views = [lowering.view(x) for x in equation.inputs]
    first, second = params["n_cond_consts"], params["n_body_consts"]
    conds, consts, init = split((first, second, len(views) - first - second), views)
    for in_place in (updates(params["body"]), False):
        results = [lowering.result(v) for v in equation.outputs]
        keep_addressed(params["body"], init, results)
        if in_place:
            begin_in_place(lowering, equation, equation.inputs[first + second :], results)
        carries = carried(lowering, init, results)
        test = Body(lowering, params["cond"], [*conds, *carries])
        condition = test.small(test.outputs[0])
        fixed, moving = in_while(params, equation.inputs, lowering.ranges)
        body = Body(
            lowering,
            params["body"],
            [*consts, *carries],
            large(carries),
            ranges=[*fixed, *moving],
        )
        nexts = nexts_of(body, carries, body.outputs)
        if not (in_place and spoils(lowering, carries, nexts)):
            break
    starts = starts_of(lowering, init, carries, equation)
    lowering.items.append(
        Step(
            "while",
            in_memory(starts, carries),
            results,
            equation,
            bodies=[test, body],
            condition=condition,
            carries=carries,
            starts=starts,
            nexts=nexts,
        )
    )


def _switch(lowering: Any, equation: Equation) -> None:
    graphs = equation.params["graphs"]
    views = [lowering.view(x) for x in equation.inputs]
    results = [lowering.result(v) for v in equation.outputs]
    index = Root((), views[0].dtype)
    lowering.copy(index, views[0], equation)
    owned = []
    if any(map(updates, graphs)):
        taken = [lowering.take(x, equation) for x in equation.inputs[1:] if isinstance(x, Var)]
        owned = [root for root in taken if root is not None and not is_small(root)]
    views = [lowering.view(x) for x in equation.inputs]
    ranges = [range_of(lowering.ranges, x) for x in equation.inputs[1:]]
    bodies = [Body(lowering, graph, views[1:], owned, ranges=ranges) for graph in graphs]
    _switch_in_place(bodies, results, owned)
    outs: list[list[Root]] = []
    for body in bodies:
        made = []
        for result, view in zip(results, body.outputs, strict=True):
            if result.alias is not None:
                made.append(view.root)
                continue
            root = Root(result.shape, result.dtype)
            if not is_small(result):
                root.alias = result
            body.lowering.copy(root, view, equation)
            made.append(root)
        outs.append(made)
    lowering.items.append(
        Step("switch", [], results, equation, bodies=bodies, index=index, outs=outs)
    )


def _switch_in_place(bodies: Sequence[Body], results: Sequence[Root], owned: list[Root]) -> None:
    """Leave results where every branch has them in the memory of one and the same operand."""
    free = {root.memory(): root for root in owned}
    for i, result in enumerate(results):
        views = [body.outputs[i] for body in bodies]
        if any(not v.literal and v.root.stays() for v in views):
            result.addressed = True
        if is_small(result) or any(v.literal or not v.identity for v in views):
            continue
        memories = {v.root.memory() for v in views}
        if len(memories) == 1 and (root := free.pop(memories.pop(), None)) is not None:
            result.alias = root


def of_numbers(rule: Callable) -> Callable:
    """A rule for what scalar code can compute with; the rest is left to the primitive's kernel."""

    def checked(lowering: Any, equation: Equation) -> bool:
        dtypes = [lowering.view(x).dtype for x in equation.inputs]
        dtypes += [v.aval.dtype for v in equation.outputs]
        if not all(map(computes, dtypes)):
            return False
        rule(lowering, equation)
        return True

    return checked


CONTROL_RULES: dict[str, Callable] = {
    "scan": of_numbers(_scan),
    "while_loop": of_numbers(_while),
    "switch": of_numbers(_switch),
}


# --------------------------------------------------------------------------------------
# Code


def begin(emitter: Any, carries: Sequence[Root], starts: Sequence[Root]) -> dict[Root, dict]:
    """Variables of the small carries, and copies of the large ones."""
    code = emitter.code
    variables: dict[Root, dict] = {}
    for root, start in zip(carries, starts, strict=True):
        if root.alias is None:
            variables[root] = {
                key: code.variable(emitter.element(start, key)) for key in keys_of(root)
            }
        else:
            copy(emitter, root, start)
    return variables


def copy(emitter: Any, target: Root, source: Root) -> None:
    if target.memory() is source.memory():
        return
    code = emitter.code
    count = code.size(math.prod(target.shape))
    code.items.append(Copy(emitter.buffer(target)[0], emitter.buffer(source)[0], count))


def enter(emitter: Any, variables: dict[Root, dict]) -> None:
    """Small carries as values, at the start of a step."""
    for root, held in variables.items():
        emitter.keep(root, {key: emitter.code.get(v) for key, v in held.items()})


def leave(
    emitter: Any, variables: dict[Root, dict], carries: Sequence[Root], nexts: Sequence[Root]
) -> None:
    """The carries of the next step, all read before any is written."""
    code = emitter.code
    for root, new in zip(carries, nexts, strict=True):
        if root.alias is None:
            values = {key: emitter.element(new, key) for key in keys_of(root)}
            for key, value in values.items():
                code.set(variables[root][key], value)
        else:
            copy(emitter, root, new)


def finish(
    emitter: Any, variables: dict[Root, dict], carries: Sequence[Root], results: Sequence[Root]
) -> None:
    for root, result in zip(carries, results, strict=False):
        if root.alias is None:
            held = variables[root]
            emitter.keep(result, {key: emitter.code.get(v) for key, v in held.items()})


def emit_scan(emitter: Any, step: Step) -> None:
    code: Builder = emitter.code
    more = step.more
    variables = begin(emitter, more["carries"], more["starts"])
    visible = dict(emitter.registers)
    length = code.extent(more["length"])
    items = more["bodies"][0].lowering.items
    logs = {log: entries_of(items, log) for log in _logs(items) if not log.reserved}
    logs = {log: entries for log, entries in logs.items() if entries}
    for log, entries in logs.items():
        log.reserve(emitter, length * entries)
        log.reserved = True
    with code.loop(length) as i:
        at: Any = i
        if more["reverse"]:
            last = code.extent(more["length"] - 1)
            at = Index(code, code.emit("sub", "i64", last, i).name, "i64")
        more["running"].value = at
        enter(emitter, variables)
        emitter.block(more["bodies"][0].block)
        leave(emitter, variables, more["carries"], more["nexts"])
    for log in logs:
        log.reserved = False
    emitter.registers = visible
    finish(emitter, variables, more["carries"], step.writes)


def run_while(emitter: Any, more: dict, variables: dict, before: Callable | None = None) -> None:
    code: Builder = emitter.code
    visible = dict(emitter.registers)
    test: list[Any] = []
    items: list[Any] = []
    with code.into(test):
        enter(emitter, variables)
        emitter.block(more["bodies"][0].block)
        condition = emitter.element(more["condition"], ())
    with code.into(items):
        if before is not None:
            before()
        emitter.block(more["bodies"][1].block)
        leave(emitter, variables, more["carries"], more["nexts"])
    if code.error is not None:  # after an index out of bounds the loop might never end
        with code.into(test):
            condition = condition & (code.get(code.error) == 0)
    code.items.append(While(test, condition, items))
    emitter.registers = visible


def emit_while(emitter: Any, step: Step) -> None:
    more = step.more
    variables = begin(emitter, more["carries"], more["starts"])
    run_while(emitter, more, variables)
    finish(emitter, variables, more["carries"], step.writes)


def emit_switch(emitter: Any, step: Step) -> None:
    code: Builder = emitter.code
    more = step.more
    index = emitter.element(more["index"], ())
    variables: dict[Root, dict] = {
        root: {key: code.variable(Constant(code, 0, root.kind)) for key in keys_of(root)}
        for root in step.writes
        if is_small(root)
    }
    visible = dict(emitter.registers)

    def branch(k: int) -> None:
        emitter.registers = dict(visible)
        emitter.block(more["bodies"][k].block)
        for result, made in zip(step.writes, more["outs"][k], strict=True):
            for key, variable in variables.get(result, {}).items():
                code.set(variable, emitter.element(made, key))

    def choose(k: int) -> None:
        if k == len(more["bodies"]) - 1:
            branch(k)
            return
        made = If(index == k, [], [])
        with code.into(made.items):
            branch(k)
        with code.into(made.otherwise):
            choose(k + 1)
        code.items.append(made)

    choose(0)
    emitter.registers = visible
    for root, held in variables.items():
        emitter.keep(root, {key: code.get(v) for key, v in held.items()})


EMIT_CONTROL: dict[str, Callable] = {
    "scan": emit_scan,
    "while": emit_while,
    "switch": emit_switch,
}
