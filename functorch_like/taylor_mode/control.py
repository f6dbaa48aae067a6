"""Loops, branches and compiled calls: their bodies staged in series arithmetic, once an order.

The series of a loop is a loop whose carry holds coefficients too. The reverse sweep of a loop
needs no rule of its own. The coefficients y_k = F_k(x_0 .. x_k) of F(x(s)) have the derivatives
dy_k/dx_j = J_(k-j), the coefficients of the Jacobian J(x(s)). So the reverse sweep of the loop
of series, given the cotangents w_(K-k) for y_k, gives for x_(K-m) the sum of J_i^T w_(m-i): the
coefficient m of J(x(s))^T w(s).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..control_flow import loop_primitives as loops
from ..control_flow.loop_primitives import Loop, LoopVjp, chosen, separate, split
from ..control_flow.switch_primitive import switch, unite
from ..graph import Graph, StagingTrace
from ..graph_transforms import Closed, Flags, close, derived, reached
from ..jit import jit_call
from ..primitives.core import EVAL, Primitive, aval_of, under, zeros_like_aval
from .series import Series
from .trace import CONTROL, TaylorTrace, TaylorTracer

__all__ = ["series_graph"]


def series_graph(graph: Graph, flags: Flags, results: Flags, order: int) -> Closed:
    """The graph with series.

    Parameters
    ----------
    graph
        A closed graph.
    flags
        Which inputs have further coefficients.
    results
        Of which outputs they are wanted.
    order
        How many.

    Returns
    -------
    Closed
        Takes ``(*constants, *inputs, *coefficients)``, the coefficients 1 to ``order`` of each
        flagged input one after the other, and returns ``(*outputs, *coefficients)``.
    """

    def make() -> Closed:
        staging = StagingTrace(EVAL, ("jet", graph))
        primals = [staging.input(var.aval) for var in graph.inputs]
        given = [
            [staging.input(var.aval) for _ in range(order)] for var in chosen(flags, graph.inputs)
        ]
        trace = TaylorTrace(staging, staging.label)
        terms = iter(given)
        traced = [
            TaylorTracer(trace, x, tuple(next(terms))) if flag else x
            for x, flag in zip(primals, flags, strict=True)
        ]
        with under(trace):
            outs = graph.evaluate(traced)
        found: list[Any] = []
        with under(staging):
            series = [trace.series(x, order) for x in outs]
            for x, flag in zip(series, results, strict=True):
                if flag:
                    found += _filled(x)[1:]
        values = [x[0] for x in series]
        inputs = [*primals, *[t for group in given for t in group]]
        graph_of_series = staging.graph(inputs, [*map(_as_array, values), *found])
        return close(graph_of_series)

    return derived(graph, ("series", tuple(flags), tuple(results), order), make)


def _as_array(x: Any) -> Any:
    return x if hasattr(x, "dtype") else np.asarray(x)[()]


def _filled(x: Series) -> list[Any]:
    """The coefficients with zeros written out."""
    first = _as_array(x[0])
    return [first, *[zeros_like_aval(aval_of(first), first) if t is None else t for t in x[1:]]]


def _terms(series: Sequence[Series], flags: Flags) -> list[list[Any] | None]:
    return [_filled(x)[1:] if flag else None for x, flag in zip(series, flags, strict=True)]


def _listed(groups: Sequence[list[Any] | None]) -> list[Any]:
    return [t for group in groups if group is not None for t in group]


def _woven(sizes: Sequence[int], first: Sequence[Any], second: Sequence[Any]) -> list[Any]:
    """Each group of values followed by the coefficients of its members."""
    pairs = zip(split(sizes, first), split(sizes, second), strict=True)
    return [x for one, other in pairs for x in [*one, *_listed(other)]]


def _gathered(values: Sequence[Any], terms: Sequence[Any], flags: Flags, order: int) -> list:
    """Values and a flat list of coefficients as series."""
    given = iter(terms)
    return [
        [x, *[next(given) for _ in range(order)]] if flag else [x]
        for x, flag in zip(values, flags, strict=True)
    ]


def _flags(count: int, traced: Sequence[int]) -> list[bool]:
    return [i in traced for i in range(count)]


# --- compiled calls and branches -------------------------------------------------------------


def _jit_call(
    trace: TaylorTrace, series: list[Series], traced: Sequence[int], order: int, params: dict
) -> list:
    graph = params["graph"]
    flags = _flags(len(series), traced)
    dependent = reached(graph, flags, derivative=True)
    pushed, constants = series_graph(graph, flags, dependent, order)
    values = [x[0] for x in series]
    results = jit_call(*constants, *values, *_listed(_terms(series, flags)), graph=pushed)
    count = len(graph.outputs)
    return _gathered(results[:count], results[count:], dependent, order)


def _switch(
    trace: TaylorTrace, series: list[Series], traced: Sequence[int], order: int, params: dict
) -> list:
    graphs = params["graphs"]
    index, *values = [x[0] for x in series]
    flags = _flags(len(series), traced)[1:]
    dependent = switch.dependent(flags, graphs, derivative=True)
    pushed, constants = derived(
        graphs[0],
        ("switch series", graphs, tuple(flags), order),
        lambda: unite([series_graph(g, flags, dependent, order) for g in graphs]),
    )
    terms = _listed(_terms(series[1:], flags))
    results = switch(index, *constants, *values, *terms, graphs=pushed)
    count = len(dependent)
    return _gathered(results[:count], results[count:], dependent, order)


# --- loops -----------------------------------------------------------------------------------


def _series_loop(
    loop: Loop, params: dict, flags: Flags, dependent: Flags, order: int
) -> tuple[dict, list]:
    """Params of the loop whose carry holds series, and its further constants."""
    sizes = loop.sizes(params)
    body = loop.body(params)

    def make() -> Closed:
        own = flags[sizes[0] :]
        graph, hoisted = series_graph(body, own, dependent, order)
        extra, primals, given = split(
            (len(hoisted), len(body.inputs), order * sum(own)), graph.inputs
        )
        groups = [x[1:] or None for x in _gathered(primals, given, own, order)]
        constants = sizes[1]
        inputs = _woven((constants,), primals[:constants], groups[:constants])
        inputs += extra
        inputs += _woven(sizes[2:], primals[constants:], groups[constants:])
        count = len(body.outputs)
        made = _gathered(graph.outputs[:count], graph.outputs[count:], dependent, order)
        outputs = _woven(
            (sizes[2], count - sizes[2]), [x[0] for x in made], [x[1:] or None for x in made]
        )
        return Closed(Graph(inputs, [], [], graph.equations, outputs), hoisted)

    new_body, hoisted = derived(body, ("series loop", sizes, tuple(flags), order), make)
    grouped = split(sizes[1:], flags[sizes[0] :])
    counts = [len(group) + order * sum(group) for group in grouped]
    counts[0] += len(hoisted)
    _, _, carry, _ = split(sizes, flags)
    kept = [True] * len(carry) + [False] * (order * sum(carry))
    return loop.with_body(params, new_body, (sizes[0], *counts), kept), hoisted


def _arranged(
    loop: Loop, params: dict, values: Sequence, terms: Sequence, hoisted: Sequence
) -> list[Any]:
    """Operands of the loop of series."""
    condition, constants, *rest = split(loop.sizes(params), values)
    _, constant_terms, *rest_terms = split(loop.sizes(params), terms)
    made = [*condition, *constants, *_listed(constant_terms), *hoisted]
    for one, other in zip(rest, rest_terms, strict=True):
        made += [*one, *_listed(other)]
    return made


def _separated(
    loop: Loop, params: dict, dependent: Flags, results: Sequence, order: int
) -> list[list[Any]]:
    """Results of the loop of series, as series."""
    made: list[list[Any]] = []
    for flags in split(loop.result_sizes(params), dependent):
        count, more = len(flags), order * sum(flags)
        made += _gathered(results[:count], results[count : count + more], flags, order)
        results = results[count + more :]
    return made


def _without_condition(loop: Loop, params: dict, flags: Sequence[bool]) -> list[bool]:
    first = loop.sizes(params)[0]
    return [flag and i >= first for i, flag in enumerate(flags)]


def _loop(primitive: Loop) -> Any:
    def apply(
        trace: TaylorTrace, series: list[Series], traced: Sequence[int], order: int, params: dict
    ) -> list:
        given = _without_condition(primitive, params, _flags(len(series), traced))
        flags, dependent = primitive.spread(given, params, derivative=True)
        values = [x[0] for x in series]
        if not any(dependent):
            return [[x] for x in primitive(*values, **params)]
        new, hoisted = _series_loop(primitive, params, flags, dependent, order)
        terms = _terms(series, flags)
        results = primitive(*_arranged(primitive, params, values, terms, hoisted), **new)
        return _separated(primitive, params, dependent, results, order)

    return apply


def _sweep(primitive: LoopVjp) -> Any:
    loop = primitive.loop

    def apply(
        trace: TaylorTrace, series: list[Series], traced: Sequence[int], order: int, params: dict
    ) -> list:
        wanted, inner = separate(params)
        count = len(wanted)
        xs, cts = series[:count], series[count:]
        own = _flags(len(series), traced)[:count]
        given = [mine or want for mine, want in zip(own, wanted, strict=True)]
        given = _without_condition(loop, inner, given)
        flags, dependent = loop.spread(given, inner, derivative=True)
        new, hoisted = _series_loop(loop, inner, flags, dependent, order)
        values = [x[0] for x in xs]
        terms = _terms(xs, flags)
        operands = _arranged(loop, inner, values, terms, hoisted)
        # Cotangents of the results of the loop of series, the orders reversed.
        firsts: list[Any] = []
        others: list[Any] = []
        remaining = iter(cts)
        for flag, floating in zip(dependent, loop.float_results(inner), strict=True):
            ct = _filled(next(remaining)) if floating else None
            firsts.append([] if ct is None else [ct[order] if flag else ct[0]])
            others.append(ct[order - 1 :: -1] if flag and ct is not None else None)
        new_cts: list[Any] = []
        sizes = loop.result_sizes(inner)
        for one, other in zip(split(sizes, firsts), split(sizes, others), strict=True):
            new_cts += [*_listed(one), *_listed(other)]
        labels = [(i, 0) for i in range(count)]
        label_terms = [
            [(i, k) for k in range(1, order + 1)] if flag else None for i, flag in enumerate(flags)
        ]
        places = _arranged(loop, inner, labels, label_terms, [(-1, 0)] * len(hoisted))
        new_wanted = tuple(i >= 0 and bool(wanted[i]) for i, _ in places)
        found = primitive(*operands, *new_cts, **new, wanted=new_wanted)
        by_place = dict(zip(chosen(new_wanted, places), found, strict=True))
        return [
            [by_place.get((i, order - m)) for m in range(order + 1)]
            if flags[i]
            else [by_place[i, 0]]
            for i, want in enumerate(wanted)
            if want
        ]

    return apply


def _connect(table: dict[Primitive, Any]) -> None:
    table[jit_call] = _jit_call
    table[switch] = _switch
    for loop, sweep in ((loops.scan, loops.scan_vjp), (loops.while_loop, loops.while_vjp)):
        table[loop] = _loop(loop)
        table[sweep] = _sweep(sweep)


_connect(CONTROL)
