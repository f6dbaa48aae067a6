"""How index sets pass through loops, branches and functions with rules of their own.

A loop is followed step by step, exactly, while that is cheap. Otherwise, if nothing that is
differentiated goes from one step to the next, all its steps are one batch; else the sets of its
carry grow until no step adds to them, and every step is taken for all.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..control_flow.loop_primitives import LoopVjp, body_vjp, chosen, separate, split, steps
from ..graph import Graph
from ..graph_transforms import batch_graph, scatter
from ..primitives.core import ShapedArray
from .index_sets import IndexSets, stacked
from .propagation import ELEMENTS, VALUED, Propagation, Sets, Value
from .rules import anything, united

__all__: list[str] = []

Values = list[Value]
ROUNDS = 30  # of growing sets, before a carry depends on everything


def rule(*names: str) -> Callable:
    """Register a rule that gives values."""

    def register(function: Callable) -> Callable:
        VALUED.update(dict.fromkeys(names, function))
        return function

    return register


def depends(values: Sequence[Value]) -> tuple[bool, ...]:
    """Which of the values depend on an input."""
    return tuple(x.sets is not None for x in values)


# --- functions -----------------------------------------------------------------------------------


@rule("jit_call")
def _jit_call(
    engine: Propagation, primitive: Any, operands: Values, params: dict, avals: list
) -> Values:
    return engine.graph(params["graph"], operands)


@rule("checkpoint_call")
def _checkpoint(
    engine: Propagation, primitive: Any, operands: Values, params: dict, avals: list
) -> Values:
    graph = params["function"]
    first = len(graph.constants)
    return engine.graph(graph, operands[first:], operands[:first])


def _everything(engine: Propagation, operands: Values, avals: list[ShapedArray]) -> list[Sets]:
    if not any(depends(operands)):
        return [None] * len(avals)
    return anything(engine, None, operands, {}, avals)


def _with_rule(
    engine: Propagation, operands: Values, own: Values, graph: Graph, ruled: Sequence[Sets]
) -> Values:
    """Results of a function with a rule, which may depend on what it closed over besides."""
    plain = engine.graph(graph, [x.without_sets() for x in operands], own)
    return [
        Value(x.aval, united([x.sets, sets]), x.make if sets is None else None)
        for x, sets in zip(plain, ruled, strict=True)
    ]


@rule("custom_jvp_call")
def _custom_jvp(
    engine: Propagation, primitive: Any, operands: Values, params: dict, avals: list
) -> Values:
    graph, by_rule = params["function"], params["rule"]
    first = len(graph.constants)
    second = first + (0 if by_rule is None else len(by_rule.constants))
    own, other, xs = operands[:first], operands[first:second], operands[second:]
    if by_rule is None:
        ruled = _everything(engine, xs, avals)
    else:
        # The tangents take the operands' sets: what the rule makes of them is linear.
        values = [x.without_sets() for x in xs]
        tangents = [Value(x.aval, x.sets) for x in xs]
        made = engine.graph(by_rule, [*values, *tangents], [x.without_sets() for x in other])
        ruled = [x.sets for x in made[len(made) // 2 :]]
    return _with_rule(engine, xs, own, graph, ruled)


@rule("custom_vjp_call")
def _custom_vjp(
    engine: Propagation, primitive: Any, operands: Values, params: dict, avals: list
) -> Values:
    graph, forward, backward = params["function"], params["forward"], params["backward"]
    first = len(graph.constants)
    second = first + (0 if forward is None else len(forward.constants))
    own, other, xs = operands[:first], operands[first:second], operands[second:]
    if forward is None or not any(depends(xs)):
        ruled = _everything(engine, xs, avals)
    else:
        values = [x.without_sets() for x in xs]
        outs = engine.graph(forward, values, [x.without_sets() for x in other])
        residuals = outs[len(avals) :]
        # The transposed Jacobian, from cotangents numbered one after the other.
        sizes = [a.size for a in avals]
        inner = Propagation(sum(sizes), engine)
        starts = np.cumsum([0, *sizes])
        cts = [
            Value(a, IndexSets.identity(int(start), a.size, inner.width))
            for a, start in zip(avals, starts, strict=False)
        ]
        pulled = inner.graph(backward, cts, residuals)
        total: Sets = None
        for x, part in zip(xs, pulled, strict=True):
            if x.sets is not None and part.sets is not None:
                forwards = part.sets.matrix().T.tocsr()
                total = united([total, x.sets.mapped(forwards)])
        ruled = [
            None if total is None else total.part(int(start), int(start) + size)
            for start, size in zip(starts, sizes, strict=False)
        ]
    return _with_rule(engine, xs, own, graph, ruled)


@rule("switch")
def _switch(
    engine: Propagation, primitive: Any, operands: Values, params: dict, avals: list
) -> Values:
    index, *rest = operands
    graphs = params["graphs"]
    known = index.constant()
    if known is not None:
        return engine.graph(graphs[int(known)], rest)
    branches = [engine.graph(graph, rest) for graph in graphs]
    return [Value(a, united([branch[k].sets for branch in branches])) for k, a in enumerate(avals)]


# --- loops ---------------------------------------------------------------------------------------


def _cost(graph: Graph) -> float:
    """About how many operations on sets a walk over the graph takes."""
    total = 0.0
    for equation in graph.equations:
        total += 1 + sum(out.aval.size for out in equation.outputs) / ELEMENTS
    return total


def _stacked_constants(rows: Sequence[Value]) -> np.ndarray:
    return np.stack([np.asarray(x.constant()) for x in rows])


def _stack(rows: Sequence[Value], aval: ShapedArray, width: int) -> Value:
    """Results of the steps, in order, as one."""
    if all(x.sets is None for x in rows):
        make = None
        if rows and all(x.make is not None for x in rows):
            make = functools.partial(_stacked_constants, rows)
        return Value(aval, None, make)
    size = aval.size // len(rows)
    empty = IndexSets(np.zeros(size + 1, np.int32), np.zeros(0, np.int32), width)
    return Value(aval, stacked([empty if x.sets is None else x.sets for x in rows]))


def _repeat(x: Value, aval: ShapedArray) -> Value:
    """The sets of a step's result for every step."""
    return Value(aval, None if x.sets is None else x.sets.spread(aval.shape, (0,)))


def _any_step(x: Value) -> Value:
    """Element ``i`` along the first axis, for an ``i`` that is not known."""
    aval = ShapedArray(x.aval.shape[1:], x.aval.dtype)
    return Value(aval, None if x.sets is None else x.sets.reduced(x.aval.shape, (0,)))


def _grown(engine: Propagation, carry: Values, step: Callable[[Values], Values]) -> Values:
    """The sets of a carry after any number of steps."""
    carry = [Value(x.aval, x.sets) for x in carry]
    for _ in range(ROUNDS):
        after = step(carry)
        joined = [united([x.sets, y.sets]) for x, y in zip(carry, after, strict=True)]
        stable = all(
            new is None or (x.sets is not None and new.indices.size == x.sets.indices.size)
            for new, x in zip(joined, carry, strict=True)
        )
        carry = [Value(x.aval, sets) for x, sets in zip(carry, joined, strict=True)]
        if stable:
            return carry
    # A step adds no inputs but those of its operands: give them to all that depends on any.
    while True:
        sources = [x for x in (*carry, *step(carry)) if x.sets is not None]
        everything = np.unique(np.concatenate([x.sets.members() for x in sources]))  # type: ignore[union-attr]
        full = [
            x
            if x.sets is None
            else Value(x.aval, IndexSets.repeated(everything, x.aval.size, engine.width))
            for x in carry
        ]
        after = step(full)
        spread = [y.sets is not None and x.sets is None for x, y in zip(full, after, strict=True)]
        members = [y.sets.members() for y in after if y.sets is not None]
        if not any(spread) and all(np.isin(m, everything).all() for m in members):
            return full
        carry = [Value(x.aval, united([x.sets, y.sets])) for x, y in zip(full, after, strict=True)]


@rule("scan")
def _scan(
    engine: Propagation, primitive: Any, operands: Values, params: dict, avals: list
) -> Values:
    body, length = params["graph"], params["length"]
    constants, carry, xs = split(primitive.sizes(params)[1:], operands)
    n_carry = len(carry)
    if not length:
        return [*carry, *(Value(a) for a in avals[n_carry:])]
    if n_carry and engine.spend(length * _cost(body)):
        rows: dict[int, Values] = {}
        for i in steps(length, params["reverse"]):
            made = engine.graph(body, [*constants, *carry, *[x.row(i) for x in xs]])
            carry, rows[i] = made[:n_carry], made[n_carry:]
        ys = [
            _stack([rows[i][k] for i in range(length)], a, engine.width)
            for k, a in enumerate(avals[n_carry:])
        ]
        return [*carry, *ys]
    flags, _ = primitive.spread(depends(operands), params, derivative=True)
    _, _, moving, _ = split(primitive.sizes(params), flags)
    if not any(moving):  # nothing goes from step to step
        batched = (*(False for _ in (*constants, *carry)), *(True for _ in xs))
        graph, hoisted = batch_graph(body, length, batched, (True,) * len(avals))
        between = [Value(x.aval, None) for x in carry]
        made = engine.graph(graph, [*map(engine.captured, hoisted), *constants, *between, *xs])
        return [*between, *made[n_carry:]]
    each = [_any_step(x) for x in xs]
    carry = _grown(
        engine, carry, lambda now: engine.graph(body, [*constants, *now, *each])[:n_carry]
    )
    ys = engine.graph(body, [*constants, *carry, *each])[n_carry:]
    return [*carry, *[_repeat(y, a) for y, a in zip(ys, avals[n_carry:], strict=True)]]


@rule("while_loop")
def _while(
    engine: Propagation, primitive: Any, operands: Values, params: dict, avals: list
) -> Values:
    condition, constants, carry, _ = split(primitive.sizes(params), operands)
    cond, body = params["cond"], params["body"]
    cost = _cost(body) + _cost(cond)
    while True:  # step by step, as long as whether to go on is known
        go_on = engine.graph(cond, [*condition, *carry])[0].constant()
        if go_on is None or not engine.spend(cost):
            break
        if not go_on:
            return carry
        carry = engine.graph(body, [*constants, *carry])
    return _grown(engine, carry, lambda now: engine.graph(body, [*constants, *now]))


class _Sweep:
    """The parts of a loop's reverse sweep: see ``loop_primitives.LoopVjp``."""

    def __init__(self, primitive: LoopVjp, operands: Values, params: dict) -> None:
        self.loop = primitive.loop
        self.wanted, self.params = separate(params)
        (self.graph, hoisted), self.active, _ = body_vjp(self.loop, self.params, self.wanted)
        self.hoisted = hoisted
        sizes = self.loop.sizes(self.params)
        self.condition, self.constants, self.carry, self.xs, cts = split(
            (*sizes, len(operands) - len(self.wanted)), operands
        )
        _, self.want_constants, self.want_carry, self.want_xs = split(sizes, self.wanted)
        floats = self.loop.float_results(self.params)[: len(self.carry)]
        spread = scatter(floats, cts[: sum(floats)])
        self.carry_cts: Values = chosen(self.active, spread)
        self.ys_cts: Values = cts[sum(floats) :]
        self.sizes = (sum(self.want_constants), len(self.carry_cts), sum(self.want_xs))
        self.body = self.loop.body(self.params)

    def forward(self, engine: Propagation, carry: Values, xs: Values) -> Values:
        """The carry after a step."""
        return engine.graph(self.body, [*self.constants, *carry, *xs])[: len(carry)]

    def back(
        self, engine: Propagation, carry: Values, xs: Values, cts: Values, ys: Values
    ) -> list[Values]:
        """Cotangents of constants, of the active carries before a step, and of its inputs."""
        first = [engine.captured(x) for x in self.hoisted]
        made = engine.graph(self.graph, [*first, *self.constants, *carry, *xs, *cts, *ys])
        return split(self.sizes, made)

    def results(self, totals: Values, carry_cts: Values, xs_cts: Values) -> Values:
        """Cotangents of the wanted operands, in their order."""
        carried = chosen(self.want_carry, scatter(self.active, carry_cts))
        carried = [
            Value(x.aval) if ct is None else ct
            for x, ct in zip(chosen(self.want_carry, self.carry), carried, strict=True)
        ]
        return [*totals, *carried, *xs_cts]


@rule("scan_vjp", "while_vjp")
def _reverse_sweep(
    engine: Propagation, primitive: Any, operands: Values, params: dict, avals: list
) -> Values:
    sweep = _Sweep(primitive, operands, params)
    length = sweep.params.get("length")
    if length == 0:
        none = [Value(x.aval) for x in chosen(sweep.want_constants, sweep.constants)]
        rows = [Value(x.aval) for x in chosen(sweep.want_xs, sweep.xs)]
        return sweep.results(none, sweep.carry_cts, rows)
    if length is not None and sweep.carry:
        cost = length * (_cost(sweep.body) + _cost(sweep.graph))
        if engine.spend(cost):
            return _followed(engine, sweep, length)
    flags, _ = sweep.loop.spread(depends(operands[: len(sweep.wanted)]), sweep.params, True)
    _, _, moving, _ = split(sweep.loop.sizes(sweep.params), flags)
    if length is not None and not any(moving) and not sweep.carry_cts:
        return _at_once(engine, sweep, length)
    return _saturated(engine, sweep)


def _followed(engine: Propagation, sweep: _Sweep, length: int) -> Values:
    """Step by step: there and back."""
    order = list(steps(length, sweep.params["reverse"]))
    carries, carry = {}, sweep.carry
    for i in order:
        carries[i] = carry
        if i != order[-1]:
            carry = sweep.forward(engine, carry, [x.row(i) for x in sweep.xs])
    totals = [Value(x.aval) for x in chosen(sweep.want_constants, sweep.constants)]
    cts, rows = sweep.carry_cts, {}
    for i in reversed(order):
        parts, cts, rows[i] = sweep.back(
            engine,
            carries[i],
            [x.row(i) for x in sweep.xs],
            cts,
            [ct.row(i) for ct in sweep.ys_cts],
        )
        totals = [
            Value(x.aval, united([x.sets, y.sets])) for x, y in zip(totals, parts, strict=True)
        ]
    wanted = chosen(sweep.want_xs, sweep.xs)
    xs_cts = [
        _stack([rows[i][k] for i in range(length)], x.aval, engine.width)
        for k, x in enumerate(wanted)
    ]
    return sweep.results(totals, cts, xs_cts)


def _at_once(engine: Propagation, sweep: _Sweep, length: int) -> Values:
    """All steps as one batch."""
    shared = len(sweep.hoisted) + len(sweep.constants) + len(sweep.carry)
    stacks = [*sweep.xs, *sweep.ys_cts]
    batched = (*(False for _ in range(shared)), *(True for _ in stacks))
    graph, hoisted = batch_graph(sweep.graph, length, batched, (True,) * len(sweep.graph.outputs))
    first = [engine.captured(x) for x in (*hoisted, *sweep.hoisted)]
    between = [Value(x.aval) for x in sweep.carry]
    made = engine.graph(graph, [*first, *sweep.constants, *between, *stacks])
    parts, _, rows = split(sweep.sizes, made)
    return sweep.results([_any_step(x) for x in parts], [], rows)


def _saturated(engine: Propagation, sweep: _Sweep) -> Values:
    """Sets that hold for every step."""
    xs = [_any_step(x) for x in sweep.xs]
    ys = [_any_step(x) for x in sweep.ys_cts]
    carry = _grown(engine, sweep.carry, lambda now: sweep.forward(engine, now, xs))
    cts = _grown(engine, sweep.carry_cts, lambda now: sweep.back(engine, carry, xs, now, ys)[1])
    parts, _, rows = sweep.back(engine, carry, xs, cts, ys)
    wanted = chosen(sweep.want_xs, sweep.xs)
    repeated = [_repeat(row, x.aval) for row, x in zip(rows, wanted, strict=True)]
    return sweep.results(parts, cts, repeated)
