"""Reverse sweeps of scans as two scans: one that keeps what the way back needs, and one back.

What is kept are the carries, and results of large products; small ones are computed again, in
registers. A sum over the steps of products, such as the cotangent of a recurrent network's weights,
becomes one product after the loop.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..control_flow.loop_primitives import (
    body_vjp,
    chosen,
    scan,
    scatter,
    separate,
    split,
)
from ..graph import Equation, Graph, Literal, Var, stage_flat
from ..graph_transforms import derived, prune
from ..primitives.core import ShapedArray, aval_of, registry
from ..primitives.elementwise import add
from .counting import as_while, writes_in_place

__all__ = ["expand_scans", "scan_key", "summing"]


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
            places[scan_key(equation.params, equation.inputs)] = len(equations)
        if equation.primitive.name != "scan_vjp":
            equations.append(equation)
            continue
        wanted, params = separate(equation.params)
        if writes_in_place(params):
            equations.append(
                as_while(equation, wanted, params, lambda aval: _zeros(aval, equations))
            )
            continue
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

        back = summing(closed.graph, len(hoisted), n_consts, n_carry, sum(want_consts))
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
                [e for e in back.equations if not e.outputs or e.outputs[0] not in again],
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


def scan_key(params: dict, inputs: Sequence[Any]) -> tuple:
    """What tells whether two scans compute the same."""
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

    key = scan_key(params, operands)
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


def summing(graph: Graph, hoisted: int, consts: int, carry: int, totals: int) -> Graph:
    """The transposed body with running totals of its first results, given first."""
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
