"""Loops, branches and compiled calls whose graphs carry the state of a ``CheckTrace``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..arguments import as_array
from ..control_flow import switch_primitive
from ..control_flow.loop_primitives import split
from ..graph import Graph, StagingTrace
from ..graph_transforms import Closed, close, derived, has_effects, stage_closed
from ..primitives.core import EVAL, Primitive, ShapedArray, aval_of, under
from .error import Site
from .trace import CheckTrace, CheckTracer

__all__ = ["with_graphs"]


class Checked(NamedTuple):
    """A graph that returns ``(*outputs, code, detail, *values of the sites)``."""

    graph: Graph
    constants: list[Any]
    sites: tuple[Site, ...]
    counts: tuple[int, ...]  # how many values each site has

    @property
    def state(self) -> list[ShapedArray]:
        """Types of the state it returns."""
        return self.graph.output_avals[len(self.graph.outputs) - 2 - sum(self.counts) :]


def checked(graph: Graph, trace: CheckTrace) -> Checked:
    """A closed graph with the checks of a trace; its constants come before its inputs."""
    errors, guarded = trace.errors, trace.guarded

    def make() -> Checked:
        staging = StagingTrace(EVAL, trace.label)
        inputs = [staging.input(var.aval) for var in graph.inputs]
        inner = CheckTrace(staging, trace.label, errors)
        inner.guarded = guarded
        with under(inner):
            outs = graph.evaluate([CheckTracer(inner, x) for x in inputs])
        outs = [as_array(inner.value(x)) for x in outs]
        values = [x for group in inner.values for x in group]
        with under(staging):
            made = staging.graph(inputs, [*outs, inner.code, inner.detail, *values])
        counts = tuple(len(group) for group in inner.values)
        return Checked(*close(made), tuple(inner.sites), counts)

    return derived(graph, ("checked", errors, guarded), make)


def _silent(trace: CheckTrace) -> CheckTrace:
    """A trace that only keeps indices within bounds: the backward sweep repeats the forward one."""
    quiet = CheckTrace(trace.parent, trace.label, frozenset())
    quiet.guarded = trace.guarded
    return quiet


def _grouped(made: Checked, values: Sequence[Any]) -> list[tuple]:
    """The values of sites, of each its own."""
    return [tuple(group) for group in split(made.counts, values)]


def _zeros(avals: Sequence[ShapedArray]) -> list[Any]:
    return [np.zeros(a.shape, a.dtype)[()] for a in avals]


def _merged(state: Sequence[Any], found: Sequence[Any]) -> list[Any]:
    """The state before, if it has an error, else the one found."""
    fresh = np.equal(state[0], 0)
    return [np.where(fresh, new, old) for old, new in zip(state, found, strict=True)]


def _staged(label: tuple, function: Callable, avals: Sequence[ShapedArray]) -> Closed:
    with under(EVAL):
        return stage_closed(label, function, avals)


def _call(trace: CheckTrace, primitive: Primitive, values: Sequence[Any], params: dict) -> Any:
    """A call of a compiled graph."""
    made = checked(params["graph"], trace)
    if not made.sites and not has_effects(params["graph"]):
        return trace.parent.process(primitive, values, params)
    operands = [*made.constants, *values]
    out = trace.parent.process(primitive, operands, {**params, "graph": made.graph})
    return _results(trace, made, out)


def _results(trace: CheckTrace, made: Checked, out: Sequence[Any]) -> tuple:
    """The results without the state, which is noted."""
    count = len(out) - 2 - sum(made.counts)
    code, detail, *values = out[count:]
    trace.note(code, detail, made.sites, _grouped(made, values))
    return tuple(out[:count])


def _switch(trace: CheckTrace, primitive: Primitive, values: Sequence[Any], params: dict) -> Any:
    graphs = params["graphs"]
    made = [checked(graph, trace) for graph in graphs]
    sites = tuple(site for m in made for site in m.sites)
    counts = tuple(n for m in made for n in m.counts)
    whole = [m.state[2:] for m in made]  # types of the values of each branch
    avals = [var.aval for var in graphs[0].inputs]

    def branch(k: int) -> Closed:
        mine = made[k]
        offset = sum(len(m.sites) for m in made[:k])
        more = [aval_of(x) for x in mine.constants]

        def run(*xs: Any) -> list[Any]:
            out = mine.graph.evaluate(xs)
            count = len(out) - 2 - sum(mine.counts)
            code, detail, *own = out[count:]
            code = np.where(np.equal(code, 0), 0, code + offset) if mine.sites else code
            rest = [own if j == k else _zeros(a) for j, a in enumerate(whole)]
            flat = [x for group in rest for x in group]
            return [as_array(x) for x in (*out[:count], code, detail, *flat)]

        graph, constants = _staged(trace.label, run, [*more, *avals])
        return Closed(graph, [*constants, *mine.constants])

    if not sites and not any(map(has_effects, graphs)):
        return trace.parent.process(primitive, values, params)
    key = ("checked switch", graphs, trace.errors, trace.guarded)
    united, constants = derived(
        graphs[0], key, lambda: switch_primitive.unite([branch(k) for k in range(len(graphs))])
    )
    index, *operands = values
    out = trace.parent.process(
        primitive, [index, *constants, *operands], {**params, "graphs": united}
    )
    return _results(trace, Checked(united[0], [], sites, counts), out)


def _scan(trace: CheckTrace, primitive: Primitive, values: Sequence[Any], params: dict) -> Any:
    body = checked(params["graph"], trace)
    if not body.sites and not has_effects(params["graph"]):
        return trace.parent.process(primitive, values, params)
    first, carried = params["n_consts"], params["n_carry"]
    stacked = len(params["graph"].inputs) - first - carried
    given = (len(body.constants), first, carried, len(body.state), stacked)

    def step(*xs: Any) -> list[Any]:
        hoisted, constants, carry, state, rows = split(given, xs)
        out = body.graph.evaluate([*hoisted, *constants, *carry, *rows])
        count = len(out) - len(state)
        merged = _merged(state, out[count:])
        return [as_array(x) for x in (*out[:carried], *merged, *out[carried:count])]

    def make() -> Closed:
        own = [aval_of(x) for x in body.constants]
        avals = [var.aval for var in params["graph"].inputs]
        groups = [*own, *avals[: first + carried], *body.state, *avals[first + carried :]]
        return _staged(trace.label, step, groups)

    key = ("checked scan", first, carried, trace.errors, trace.guarded)
    graph, hoisted = derived(params["graph"], key, make)
    constants, carry, rows = split((first, carried, stacked), values)
    before = [*hoisted, *body.constants, *constants]
    new = {
        **params, "graph": graph, "n_consts": len(before), "n_carry": carried + len(body.state)
    }  # fmt: skip
    start = _zeros(body.state)
    out = trace.parent.process(primitive, [*before, *carry, *start, *rows], new)
    out = list(out)
    found = out[carried : carried + len(start)]
    return _results(trace, body, [*out[:carried], *out[carried + len(start) :], *found])


def _while(trace: CheckTrace, primitive: Primitive, values: Sequence[Any], params: dict) -> Any:
    cond, body = checked(params["cond"], trace), checked(params["body"], trace)
    if not cond.sites and not body.sites and not has_effects(params["body"]):
        return trace.parent.process(primitive, values, params)
    n_cond, n_body = params["n_cond_consts"], params["n_body_consts"]
    carried = len(params["body"].inputs) - n_body
    # The condition's checks are made before the first step and after each.
    state = [*cond.state[:2], *cond.state[2:], *body.state[2:]]
    before = (len(cond.constants), n_cond, len(body.constants), n_body)
    n_state = len(state)
    more = len(cond.state) - 2

    def asked(constants: Sequence[Any], carry: Sequence[Any]) -> tuple[Any, list[Any]]:
        going, code, detail, *own = cond.graph.evaluate([*constants, *carry])
        return going, [code, detail, *own, *_zeros(body.state[2:])]

    def go_on(*xs: Any) -> list[Any]:
        hoisted, constants, carry, now = split((*before[:2], carried, n_state), xs)
        going, _ = asked([*hoisted, *constants], carry)
        return [np.logical_and(going, np.equal(now[0], 0))]

    def step(*xs: Any) -> list[Any]:
        *groups, carry, now = split((*before, carried, n_state), xs)
        out = body.graph.evaluate([*groups[2], *groups[3], *carry])
        carry, (code, detail, *own) = out[:carried], out[carried:]
        code = np.where(np.equal(code, 0), 0, code + len(cond.sites))
        now = _merged(now, [code, detail, *_zeros(cond.state[2:]), *own])
        if cond.sites:
            now = _merged(now, asked([*groups[0], *groups[1]], carry)[1])
        return [as_array(x) for x in (*carry, *now)]

    def make() -> tuple[Closed, Closed]:
        avals = [var.aval for var in params["body"].inputs[n_body:]]
        first = [aval_of(x) for x in cond.constants]
        first += [var.aval for var in params["cond"].inputs[:n_cond]]
        second = [aval_of(x) for x in body.constants]
        second += [var.aval for var in params["body"].inputs[:n_body]]
        return (
            _staged(trace.label, go_on, [*first, *avals, *state]),
            _staged(trace.label, step, [*first, *second, *avals, *state]),
        )

    key = ("checked while", params["cond"], n_cond, n_body, trace.errors, trace.guarded)
    (test, hoisted_test), (advance, hoisted_step) = derived(params["body"], key, make)
    condition, constants, carry = split((n_cond, n_body, carried), values)
    ours = [*cond.constants, *condition]
    theirs = [*hoisted_step, *ours, *body.constants, *constants]
    start = asked(ours, carry)[1] if cond.sites else _zeros(state)
    new = {
        **params, "cond": test, "body": advance,
        "n_cond_consts": len(hoisted_test) + len(ours), "n_body_consts": len(theirs),
    }  # fmt: skip
    operands = [*hoisted_test, *ours, *theirs, *carry, *start]
    out = list(trace.parent.process(primitive, operands, new))
    assert more == sum(cond.counts)
    whole = Checked(advance, [], (*cond.sites, *body.sites), (*cond.counts, *body.counts))
    return _results(trace, whole, out)


def _sweep(trace: CheckTrace, primitive: Primitive, values: Sequence[Any], params: dict) -> Any:
    """The backward sweep of a loop, looked at as a whole."""
    quiet = _silent(trace)
    new = dict(params)
    for name, graph in params.items():
        if isinstance(graph, Graph) and quiet.guarded:
            made = checked(graph, quiet)
            if not made.constants and not made.sites:
                outputs = made.graph.outputs[: len(graph.outputs)]
                new[name] = derived(
                    made.graph,
                    "alone",
                    lambda g=made.graph, o=outputs: Graph(g.inputs, [], [], g.equations, o),  # type: ignore[misc]
                )
    with trace.quiet():
        answer = trace.parent.process(primitive, values, new)
    if "nan" in trace.errors:
        trace.computed(primitive, values, answer)
    return answer


_WITH_STATE: dict[str, Callable] = {
    "jit_call": _call,
    "scan": _scan,
    "switch": _switch,
    "while_loop": _while,
}


def with_graphs(primitive: Primitive, params: dict) -> Callable | None:
    """What applies a primitive that holds graphs, in the sense of a ``CheckTrace``."""
    apply = _WITH_STATE.get(primitive.name)
    if apply is None and any(type(x) is Graph for x in params.values()):
        return _sweep
    return apply
