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

import numpy as np

from ..control_flow.loop_primitives import body_vjp, chosen, scan, scatter, split, while_loop
from ..graph import Equation, Graph, Literal, Var
from ..graph_transforms import derived, prune
from ..kernels.loop import Builder, Constant, Copy, External, If, Index, While
from ..kernels.scalar import Value
from ..primitives.core import ShapedArray, aval_of, registry
from .nodes import UNROLL, UNROLL_TOTAL, Label, Root, Step, View, computes

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


def is_small(root: Root) -> bool:
    """Whether an array is kept in variables."""
    return (
        computes(root.dtype)
        and all(n <= UNROLL for n in root.shape)
        and math.prod(root.shape) <= UNROLL_TOTAL
    )


def keys_of(root: Root) -> list[tuple]:
    """All indices of a small array."""
    return list(itertools.product(*map(range, root.shape)))


class Body:
    """The nodes and steps of a sub-graph; ``block`` is their tree once it is built."""

    __slots__ = ("block", "inputs", "lowering", "outputs", "running")

    def __init__(self, outer: Any, graph: Graph, given: Sequence[Any]) -> None:
        """Lower ``graph``; ``given`` holds a view, or a Root made for it, for each input."""
        self.lowering = type(outer)()
        self.lowering.captured = outer.captured
        self.inputs = list(given)
        for var, value in zip(graph.inputs, given, strict=True):
            self.lowering.views[var] = (
                View(value, value.shape, value.dtype) if isinstance(value, Root) else value
            )
        for var, held in zip(graph.constants, graph.constant_values, strict=True):
            self.lowering.views[var] = self.lowering.capture(held)
        for equation in graph.equations:
            self.lowering.add(equation)
        self.outputs = [self.lowering.view(x) for x in graph.outputs]
        self.running: Any = None
        self.block: Any = None

    def small(self, view: View) -> Root:
        """A result of a few numbers, in registers at the end of the body."""
        root = Root(view.shape, view.dtype)
        self.lowering.copy(root, view, None)
        return root

    def large(self, view: View, taken: set[Root]) -> Root:
        """A result in memory that the body wrote itself."""
        if not view.literal and view.identity and view.root.producer is not None:
            root = view.root
            if root.window is None and root.memory() not in taken and root in self.made():
                taken.add(root.memory())
                return root
        root = Root(view.shape, view.dtype)
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
        from .lowering import labels_index

        self.lowering.node(
            target,
            labels,
            [None, *labels],
            [(view, labels_index(labels))],
            lambda code, read, at: read(0, at),
            None,
            position=lambda code, read, at: [running.at(code), *at],
        )


def carried(lowering: Any, views: Sequence[View], results: Sequence[Root]) -> list[Root]:
    """Roots of a loop's carries inside it: small ones are new, large ones the results' memory."""
    roots = []
    for view, result in zip(views, results, strict=True):
        root = Root(view.shape, result.dtype)
        if not is_small(root):
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


def _scan(lowering: Any, equation: Equation) -> bool | None:
    params = equation.params
    graph: Graph = params["graph"]
    n_consts, n_carry = params["n_consts"], params["n_carry"]
    views = [lowering.view(x) for x in equation.inputs]
    consts, init, xs = split((n_consts, n_carry, len(views) - n_consts - n_carry), views)
    results = [lowering.result(v) for v in equation.outputs]
    if not all(computes(r.dtype) for r in results) or not all(computes(v.dtype) for v in views):
        for v in equation.outputs:
            lowering.views.pop(v)
        return False
    running = Running()
    bases = [lowering.root(v, equation) for v in xs]
    carries = carried(lowering, init, results[:n_carry])
    body = Body(lowering, graph, [*consts, *carries, *[window(b, running) for b in bases]])
    starts = _starts(lowering, init, carries, equation)
    nexts = _nexts(body, carries, body.outputs[:n_carry])
    for target, view in zip(results[n_carry:], body.outputs[n_carry:], strict=True):
        body.write_row(target, running, view)
    memory = bases + [s for s, c in zip(starts, carries, strict=True) if c.alias is not None]
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
    return None


def _starts(lowering: Any, init: Sequence[View], carries: Sequence[Root], equation: Any) -> list:
    """Where each carry begins: a small root, in registers, or a root in memory to copy."""
    found = []
    for view, root in zip(init, carries, strict=True):
        if root.alias is not None:
            found.append(lowering.root(view, equation))
        else:
            start = Root(view.shape, root.dtype)
            lowering.copy(start, view, equation)
            found.append(start)
    return found


def _nexts(body: Body, carries: Sequence[Root], outputs: Sequence[View]) -> list[Root]:
    taken: set[Root] = set()
    return [
        body.large(view, taken) if root.alias is not None else body.small(view)
        for root, view in zip(carries, outputs, strict=True)
    ]


def _while(lowering: Any, equation: Equation) -> bool | None:
    params = equation.params
    views = [lowering.view(x) for x in equation.inputs]
    first, second = params["n_cond_consts"], params["n_body_consts"]
    conds, consts, init = split((first, second, len(views) - first - second), views)
    results = [lowering.result(v) for v in equation.outputs]
    if not all(computes(r.dtype) for r in results) or not all(computes(v.dtype) for v in views):
        for v in equation.outputs:
            lowering.views.pop(v)
        return False
    carries = carried(lowering, init, results)
    test = Body(lowering, params["cond"], [*conds, *carries])
    condition = test.small(test.outputs[0])
    body = Body(lowering, params["body"], [*consts, *carries])
    nexts = _nexts(body, carries, body.outputs)
    starts = _starts(lowering, init, carries, equation)
    lowering.items.append(
        Step(
            "while",
            [s for s, c in zip(starts, carries, strict=True) if c.alias is not None],
            results,
            equation,
            bodies=[test, body],
            condition=condition,
            carries=carries,
            starts=starts,
            nexts=nexts,
        )
    )
    return None


def _while_vjp(lowering: Any, equation: Equation) -> bool | None:
    """Forward with the carries pushed on a tape, then back along it."""
    params = {k: v for k, v in equation.params.items() if k != "wanted"}
    wanted = equation.params["wanted"]
    closed, active, _ = body_vjp(while_loop, params, wanted)
    views = [lowering.view(x) for x in equation.inputs]
    results = [lowering.result(v) for v in equation.outputs]
    if not all(computes(r.dtype) for r in results) or not all(computes(v.dtype) for v in views):
        for v in equation.outputs:
            lowering.views.pop(v)
        return False
    n_cond, n_consts, n_carry, _ = while_loop.sizes(params)
    conds, consts, init, cts = split((n_cond, n_consts, n_carry, len(views)), views)
    _, want_consts, want_carry, _ = split(while_loop.sizes(params), wanted)
    floats = while_loop.float_results(params)
    cts = chosen(active, scatter(floats, cts))

    finals = [Root(v.shape, v.dtype) for v in init]
    carries = carried(lowering, init, finals)
    test = Body(lowering, params["cond"], [*conds, *carries])
    condition = test.small(test.outputs[0])
    body = Body(lowering, params["body"], [*consts, *carries])
    nexts = _nexts(body, carries, body.outputs)
    starts = _starts(lowering, init, carries, equation)

    # Backwards: the carries are totals of the constants' cotangents and the carry's cotangents.
    hoisted = [lowering.capture(x) for x in closed.constants]
    totals = chosen(want_consts, consts)
    zeros = [
        View(np.zeros((), v.dtype)[()], (), v.dtype).then(v.shape, lambda own: []) for v in totals
    ]
    back_init = [*zeros, *cts]
    n_totals = len(totals)
    want_active = chosen(active, want_carry)
    targets: list[Root] = []
    given = iter(results)
    for _ in range(n_totals):
        targets.append(next(given))
    for view, want in zip(cts, want_active, strict=True):
        targets.append(next(given) if want else Root(view.shape, view.dtype))
    back_carries = carried(lowering, back_init, targets)
    kept = [Root(v.shape, v.dtype) for v in init]
    for root in kept:
        if not is_small(root):
            root.window = _unknown  # on the tape's row, once it is being read
    graph = _summing(closed.graph, len(hoisted), n_consts, n_carry, n_totals)
    back = Body(
        lowering,
        graph,
        [*back_carries[:n_totals], *hoisted, *consts, *kept, *back_carries[n_totals:]],
    )
    back_nexts = _nexts(back, back_carries, back.outputs)
    back_starts = _starts(lowering, back_init, back_carries, equation)
    memory = [s for s, c in zip(starts, carries, strict=True) if c.alias is not None]
    memory += [s for s, c in zip(back_starts, back_carries, strict=True) if c.alias is not None]
    inactive = [r for r in results if r not in targets]
    assert not inactive
    lowering.items.append(
        Step(
            "while_vjp",
            memory,
            [*targets, *[f for f, c in zip(finals, carries, strict=True) if c.alias is not None]],
            equation,
            bodies=[test, body, back],
            condition=condition,
            carries=carries,
            starts=starts,
            nexts=nexts,
            kept=kept,
            finals=finals,
            back_carries=back_carries,
            back_starts=back_starts,
            back_nexts=back_nexts,
            targets=targets,
        )
    )
    return None


def _unknown(emitter: Any) -> Any:
    raise AssertionError("a row of a tape is read outside its loop")


def _summing(graph: Graph, hoisted: int, consts: int, carry: int, totals: int) -> Graph:
    """The transposed body with running totals of its first results, given first."""
    from ..graph import stage_flat
    from ..primitives.elementwise import add
    from .simplify import simplify

    def make() -> Graph:
        avals = [v.aval for v in graph.inputs]
        first = graph.output_avals[:totals]

        def summed(*values: Any) -> list[Any]:
            made = graph.evaluate(values[totals:])
            return [
                *[add(t, part) for t, part in zip(values[:totals], made[:totals], strict=True)],
                *made[totals:],
            ]

        return simplify(stage_flat(("vjp", graph), summed, [*first, *avals]))

    return derived(graph, ("summing", totals), make)


def _switch(lowering: Any, equation: Equation) -> bool | None:
    graphs = equation.params["graphs"]
    views = [lowering.view(x) for x in equation.inputs]
    results = [lowering.result(v) for v in equation.outputs]
    if not all(computes(r.dtype) for r in results) or not all(computes(v.dtype) for v in views):
        for v in equation.outputs:
            lowering.views.pop(v)
        return False
    index = Root((), views[0].dtype)
    lowering.copy(index, views[0], equation)
    bodies = [Body(lowering, graph, views[1:]) for graph in graphs]
    outs: list[list[Root]] = []
    for body in bodies:
        made = []
        for result, view in zip(results, body.outputs, strict=True):
            root = Root(result.shape, result.dtype)
            if not is_small(result):
                root.alias = result
            body.lowering.copy(root, view, equation)
            made.append(root)
        outs.append(made)
    lowering.items.append(
        Step("switch", [], results, equation, bodies=bodies, index=index, outs=outs)
    )
    return None


# --------------------------------------------------------------------------------------
# scan_vjp as two scans


def expand_scans(graph: Graph) -> Graph:
    """Write each reverse sweep of a scan as a scan that keeps its carries and one that goes back.

    Where the program runs the very scan that is reversed, that run keeps the carries.
    """
    if not any(e.primitive.name == "scan_vjp" for e in graph.equations):
        return graph
    places: dict[Any, int] = {}
    equations: list[Any] = []
    constants, values = list(graph.constants), list(graph.constant_values)
    for equation in graph.equations:
        if equation.primitive.name == "scan":
            places[_scan_key(equation.params, equation.inputs)] = len(equations)
        if equation.primitive.name != "scan_vjp":
            equations.append(equation)
            continue
        params = {k: v for k, v in equation.params.items() if k != "wanted"}
        wanted = equation.params["wanted"]
        closed, active, _ = body_vjp(scan, params, wanted)
        hoisted = [Var(aval_of(x)) for x in closed.constants]
        constants += hoisted
        values += closed.constants
        _, n_consts, n_carry, n_xs = scan.sizes(params)
        operands = equation.inputs[: len(wanted)]
        consts, _, xs = split((n_consts, n_carry, n_xs), operands)
        _, want_consts, want_carry, _ = split(scan.sizes(params), wanted)
        cts = equation.inputs[len(wanted) :]
        floats = scan.float_results(params)
        carry_cts = chosen(active, scatter(floats[:n_carry], cts[: sum(floats[:n_carry])]))
        ys_cts = cts[sum(floats[:n_carry]) :]

        back = _summing(closed.graph, len(hoisted), n_consts, n_carry, sum(want_consts))
        totals, own, body_consts, kept, steps, ct_in, ct_rows = split(
            (
                *(sum(want_consts), len(hoisted), n_consts, n_carry, n_xs),
                *(len(carry_cts), len(ys_cts)),
            ),
            back.inputs,
        )
        products = _products(back, totals)
        given = {("c", i): v for i, v in enumerate(body_consts)}
        given |= {("h", i): v for i, v in enumerate(kept)}
        given |= {("x", i): v for i, v in enumerate(steps)}
        place = _forward(equation, params, operands, places, equations)
        again = _computed_again(back, given, equations[place].params, params["length"])
        shared = {*own, *body_consts}
        factors = [x for a, b, _ in products.values() for x in (a, b) if x not in shared]
        back = prune(
            Graph(
                back.inputs,
                [],
                [],
                [e for e in back.equations if e.outputs[0] not in again],
                [*[x for k, x in enumerate(back.outputs) if k not in products], *factors],
            )
        )
        read = {x for e in back.equations for x in e.inputs} | set(back.outputs)
        used = [var in read for var in kept]
        inner: Graph = equations[place].params["graph"]
        carries = chosen(used, inner.inputs[n_consts : n_consts + n_carry])
        stacks = _keep(equations, place, [*carries, *again.values()])
        const_pairs = [
            (var, x)
            for var, x in zip([*own, *body_consts], [*hoisted, *consts], strict=True)
            if var in read
        ]
        row_pairs = [
            (var, x)
            for var, x in zip(
                [*chosen(used, kept), *again, *steps, *ct_rows],
                [*stacks, *xs, *ys_cts],
                strict=True,
            )
            if var in read
        ]
        summed = [k for k in range(len(totals)) if k not in products]
        zeros = [_zeros(totals[k].aval, equations) for k in summed]
        body = Graph(
            [
                *[v for v, _ in const_pairs],
                *[totals[k] for k in summed],
                *ct_in,
                *[v for v, _ in row_pairs],
            ],
            [],
            [],
            back.equations,
            back.outputs,
        )
        wanted_results = list(equation.outputs)
        outputs = [wanted_results[k] for k in summed]
        rest = iter(wanted_results[len(totals) :])
        want_active = chosen(active, want_carry)
        outputs += [
            next(rest) if want else Var(var.aval)
            for var, want in zip(ct_in, want_active, strict=True)
        ]
        outputs += list(rest)
        rows = [Var(ShapedArray((params["length"], *x.aval.shape), x.aval.dtype)) for x in factors]
        equations.append(
            Equation(
                scan,
                [*[x for _, x in const_pairs], *zeros, *carry_cts, *[x for _, x in row_pairs]],
                {
                    "graph": body,
                    "n_consts": len(const_pairs),
                    "n_carry": len(summed) + len(ct_in),
                    "length": params["length"],
                    "reverse": not params["reverse"],
                },
                [*outputs, *rows],
                equation.line,
            )
        )
        stacked = iter(rows)
        outer = dict(zip([*own, *body_consts], [*hoisted, *consts], strict=True))
        for k, (x, y, subscripts) in products.items():
            operands_of: list[Any] = []
            labels = []
            for var, s in zip((x, y), subscripts, strict=False):
                operands_of.append(outer[var] if var in shared else next(stacked))
                labels.append(s if var in shared else "T" + s)
            equations.append(
                Equation(
                    registry["contract"],
                    operands_of,
                    {"subscripts": (*labels, subscripts[2])},
                    [wanted_results[k]],
                    equation.line,
                )
            )
    made = Graph(graph.inputs, constants, values, equations, graph.outputs)
    made.in_tree, made.out_tree = graph.in_tree, graph.out_tree
    return made


def _scan_key(params: dict, inputs: Sequence[Any]) -> tuple:
    return (
        id(params["graph"]),
        params["reverse"],
        *[id(x) if isinstance(x, Var) else repr(x.value) for x in inputs],
    )


def _zeros(aval: ShapedArray, equations: list) -> Var | Literal:
    """Zeros of a type, as an equation of a literal where they are an array."""
    zero = Literal(aval.dtype.type(0))
    if not aval.shape:
        return zero
    var = Var(aval)
    equations.append(Equation(registry["broadcast_to"], [zero], {"shape": aval.shape}, [var]))
    return var


def _forward(
    equation: Equation, params: dict, operands: Sequence[Any], places: dict, equations: list
) -> int:
    """Where the scan that is reversed runs; it is appended if the program has no use for it."""
    from .simplify import simplify

    key = _scan_key(params, operands)
    place = places.get(key)
    if place is None:
        outputs = [Var(a) for a in params["graph"].output_avals[: params["n_carry"]]]
        graph = params["graph"]
        body = prune(Graph(graph.inputs, [], [], graph.equations, graph.outputs[: len(outputs)]))
        made = Equation(scan, list(operands), {**params, "graph": body}, outputs, equation.line)
        place = places[key] = len(equations)
        equations.append(made)
    before = equations[place]
    body = derived(before.params["graph"], "simplified", lambda: simplify(before.params["graph"]))
    equations[place] = Equation(
        scan, before.inputs, {**before.params, "graph": body}, before.outputs, before.line
    )
    return place


def _keep(equations: list, place: int, inside: Sequence[Var]) -> list[Var]:
    """Stack variables of a scan's body: further outputs of the scan."""
    before = equations[place]
    graph: Graph = before.params["graph"]
    length = before.params["length"]
    stacks = [Var(ShapedArray((length, *v.aval.shape), v.aval.dtype)) for v in inside]
    body = Graph(graph.inputs, [], [], graph.equations, [*graph.outputs, *inside])
    equations[place] = Equation(
        scan,
        before.inputs,
        {**before.params, "graph": body},
        [*before.outputs, *stacks],
        before.line,
    )
    return stacks


def _products(back: Graph, totals: Sequence[Var]) -> dict[int, tuple]:
    """Totals that are sums over the steps of products of smaller arrays, with their factors.

    One product over all steps, made after the loop, does for them: in a recurrent network the
    cotangent of the weights.
    """
    made: dict[Any, Equation] = {out: e for e in back.equations for out in e.outputs}
    found: dict[int, tuple] = {}
    for k, total in enumerate(totals):
        last = made.get(back.outputs[k])
        if last is None or last.primitive.name != "add" or total not in last.inputs:
            continue
        readers = sum(total in e.inputs for e in back.equations)
        part = next((x for x in last.inputs if x is not total), None)
        product = made.get(part)
        if readers != 1 or product is None or product.primitive.name != "contract":
            continue
        x, y = product.inputs
        subscripts = product.params["subscripts"]
        if not isinstance(x, Var) or not isinstance(y, Var) or "T" in "".join(subscripts):
            continue
        if total.aval.size > x.aval.size + y.aval.size and not {x, y} & set(totals):
            found[k] = (x, y, subscripts)
    return found


KEPT_BYTES = 1 << 28  # results that a loop computes again rather than keep more of
PRODUCT_WORK = 4096  # multiplications for which a result is worth keeping


def _computed_again(back: Graph, given: dict, params: dict, length: int) -> dict[Var, Var]:
    """Products that the way back would compute again, and where the way forth has them."""
    graph: Graph = params["graph"]
    n_consts, n_carry = params["n_consts"], params["n_carry"]
    table: dict[Any, int] = {}

    def numbered(names: dict, equations: Sequence[Equation]) -> dict:
        """A number for each variable, the same for the same expression of the given ones."""
        found = {var: table.setdefault(name, len(table)) for name, var in names.items()}
        for e in equations:
            inputs = [
                found.get(x) if isinstance(x, Var) else ("literal", repr(x.value)) for x in e.inputs
            ]
            if None in inputs:
                continue
            key = (e.primitive.name, repr(e.params), *inputs)
            for i, out in enumerate(e.outputs):
                found[out] = table.setdefault((*key, i), len(table))
        return found

    places = [("c", n_consts), ("h", n_carry), ("x", len(graph.inputs) - n_consts - n_carry)]
    names = [(kind, i) for kind, count in places for i in range(count)]
    forth = numbered(dict(zip(names, graph.inputs, strict=True)), graph.equations)
    where = {number: var for var, number in forth.items()}
    numbers = numbered(given, back.equations)
    found: dict[Var, Var] = {}
    for e in back.equations:
        if e.primitive.name != "contract":
            continue
        out = e.outputs[0]
        var = where.get(numbers.get(out, -1))
        x, y, _ = e.params["subscripts"]
        shapes = [v.aval.shape if isinstance(v, Var) else () for v in e.inputs]
        sizes = dict(zip(x + y, (*shapes[0], *shapes[1]), strict=False))
        heavy = math.prod(sizes.values()) >= PRODUCT_WORK
        if var is not None and heavy and length * 8 * out.aval.size <= KEPT_BYTES:
            found[out] = var
    return found


CONTROL_RULES: dict[str, Callable] = {
    "scan": _scan,
    "while_loop": _while,
    "while_vjp": _while_vjp,
    "switch": _switch,
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
    with code.loop(length) as i:
        at: Any = i
        if more["reverse"]:
            last = code.extent(more["length"] - 1)
            at = Index(code, code.emit("sub", "i64", last, i).name, "i64")
        more["running"].value = at
        enter(emitter, variables)
        emitter.block(more["bodies"][0].block)
        leave(emitter, variables, more["carries"], more["nexts"])
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
    code.items.append(While(test, condition, items))
    emitter.registers = visible


def emit_while(emitter: Any, step: Step) -> None:
    more = step.more
    variables = begin(emitter, more["carries"], more["starts"])
    run_while(emitter, more, variables)
    finish(emitter, variables, more["carries"], step.writes)


def emit_while_vjp(emitter: Any, step: Step) -> None:
    code: Builder = emitter.code
    more = step.more
    number = emitter.new_tape()
    # A row of the tape: the carries one after the other, each from a multiple of 8 bytes.
    offsets, size = [], 0
    for root in more["kept"]:
        offsets.append(size)
        size += -(-math.prod(root.shape) * root.dtype.itemsize // 8) * 8
    tape = code.parameter(("tape", number), emitter.new_buffer("i64"))
    row = code.size(size // 8)
    count = code.variable(code.constant(0, "i64"))

    def row_pointer(at: Value, offset: int, dtype: str) -> Any:
        pointer = code.pointer(tape)
        index = Index(code, code.emit("mul", "i64", at, row).name, "i64") + offset // 8
        found = code.offset(pointer, index)
        return code.cast(found, dtype)

    def push() -> None:
        held = code.get(count)
        capacity = code.load(tape, code.constant(1, "i64"))
        full = held >= capacity
        grow = If(full, [External("grow", [code.constant(-1 - number, "i64"), row])], [])
        code.items.append(grow)
        for root, offset in zip(more["carries"], offsets, strict=True):
            target = row_pointer(held, offset, root.kind)
            if root.alias is None:
                for k, key in enumerate(keys_of(root)):
                    value = emitter.element(root, key)
                    code.store(target, code.constant(k, "i64"), value)
            else:
                total = code.size(math.prod(root.shape))
                code.items.append(Copy(target, emitter.buffer(root)[0], total))
        code.set(count, held + 1)

    variables = begin(emitter, more["carries"], more["starts"])
    run_while(emitter, more, variables, push)

    total = code.get(count)
    back = begin(emitter, more["back_carries"], more["back_starts"])
    visible = dict(emitter.registers)
    with code.loop(total) as i:
        at = code.emit("sub", "i64", code.emit("sub", "i64", total, i), code.constant(1, "i64"))
        enter(emitter, back)
        for root, offset in zip(more["kept"], offsets, strict=True):
            source = row_pointer(at, offset, root.kind)
            if is_small(root):
                values = {
                    key: code.load(source, code.constant(k, "i64"))
                    for k, key in enumerate(keys_of(root))
                }
                emitter.keep(root, values)
            else:
                root.window = lambda emitter, source=source: source
        emitter.block(more["bodies"][2].block)
        leave(emitter, back, more["back_carries"], more["back_nexts"])
    emitter.registers = visible
    finish(emitter, back, more["back_carries"], more["targets"])


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
    "while_vjp": emit_while_vjp,
    "switch": emit_switch,
}
