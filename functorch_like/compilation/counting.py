"""The reverse sweep of a scan that writes elements in place, as that of a loop that counts.

A scan's sweep keeps every carry. Where the carry is a large array of which a step changes a few
elements, the sweep of a while loop keeps only what the steps overwrite (``loop_reversal.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..control_flow.loop_primitives import is_float, scan, split, while_vjp
from ..graph import Equation, Graph, Literal, Var, stage_flat
from ..graph_transforms import derived
from ..primitives.core import ShapedArray, aval_of
from ..primitives.elementwise import add, less, subtract
from ..primitives.indexing import gather, update_at
from .nodes import ADDRESSED, UNROLL

__all__ = ["as_while", "updates", "writes_in_place"]

WRITING = frozenset({"update_at", "scatter_add"})


def updates(graph: Graph) -> bool:
    """Whether single elements of arrays are written, or added to, anywhere in a graph."""
    for equation in graph.equations:
        if equation.primitive.name in WRITING:
            return True
        for value in equation.params.values():
            inner = value if isinstance(value, tuple) else (value,)
            if any(isinstance(g, Graph) and updates(g) for g in inner):
                return True
    return False


def writes_in_place(params: dict) -> bool:
    """Whether a scan's steps write elements of arrays that are too large to keep for each step."""
    graph, n_consts, n_carry = params["graph"], params["n_consts"], params["n_carry"]
    avals = [x.aval for x in graph.inputs[n_consts : n_consts + n_carry]]
    large = any(a.size > ADDRESSED or max(a.shape, default=0) > UNROLL for a in avals)
    return large and updates(graph)


def as_while(
    equation: Equation, wanted: Sequence[bool], params: dict, zeros: Callable[[ShapedArray], Any]
) -> Equation:
    """The sweep of a loop that counts, and takes and sets the scan's rows itself."""
    n_consts, n_carry, length = params["n_consts"], params["n_carry"], params["length"]
    graph: Graph = params["graph"]
    sizes = scan.sizes(params)[1:]

    def make() -> tuple[Graph, Graph, list[ShapedArray]]:
        consts, carry, rows = split(sizes, [v.aval for v in graph.inputs])
        made = [a for a in graph.output_avals[n_carry:] if is_float(a)]
        xs, ys = ([ShapedArray((length, *a.shape), a.dtype) for a in g] for g in (rows, made))
        state = [ShapedArray((), np.dtype(np.int64)), *carry, *ys]

        def step(*values: Any) -> list[Any]:
            own, given, (i, *held) = split((n_consts, len(xs), len(state)), values)
            at = subtract(length - 1, i) if params["reverse"] else i
            made = graph.evaluate([*own, *held[:n_carry], *[gather(x, at) for x in given]])
            rows = [y for y in made[n_carry:] if is_float(aval_of(y))]
            stacks = zip(held[n_carry:], rows, strict=True)
            return [add(i, 1), *made[:n_carry], *[update_at(s, y, at) for s, y in stacks]]

        body = stage_flat(("vjp", graph), step, [*consts, *xs, *state])
        test = stage_flat(("vjp", graph), lambda i, *_: [less(i, length)], state)
        return test, body, ys

    key = ("counting", n_consts, n_carry, length, params["reverse"])
    test, body, ys = derived(graph, key, make)
    operands: list[Var | Literal] = equation.inputs
    consts, init, xs, cts = split((*sizes, len(operands)), operands)
    want_consts, want_init, want_xs = split(sizes, wanted)
    outs = split((sum(want_consts), sum(want_init), sum(want_xs)), equation.outputs)
    count = Literal(np.int64(0))
    return Equation(
        while_vjp,
        [*consts, *xs, count, *init, *map(zeros, ys), *cts],
        {
            "cond": test,
            "body": body,
            "n_cond_consts": 0,
            "n_body_consts": n_consts + len(xs),
            "wanted": (*want_consts, *want_xs, False, *want_init, *[False] * len(ys)),
        },
        [*outs[0], *outs[2], *outs[1]],
        equation.line,
    )
