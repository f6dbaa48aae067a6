"""Reverse sweeps of loops that keep a bounded number of carries, as loops of their own.

The carries that are kept lie in the rows of arrays, ``slots``, with the numbers of the steps they
stand before in ``places``; ``top`` is the row filled last, and one more row takes what need not be
kept. The way back takes the steps from the last to the first: it runs forward from the top carry,
keeping others on the way as the binomial schedule says, and reverses one step.

The way forth keeps the schedule's first carries where the number of steps is known, and
otherwise, up to half the room, carries at equal distances, which double when there is no more room.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..arguments import as_array
from ..control_flow.loop_primitives import body_vjp, chosen, scan, separate, while_loop
from ..control_flow.loop_primitives import split as groups
from ..control_flow.schedules import first_kept
from ..graph import Equation, Graph, Literal, Var, stage_flat
from ..graph_transforms import derived, prune, scatter, stage_closed
from ..primitives.core import EVAL, ShapedArray, aval_of, under, zeros_like_aval
from ..primitives.indexing import gather, update_at
from ..primitives.structural import broadcast_to, convert, copy
from .nodes import computes
from .scans import scan_key, summing

__all__ = ["expand_bounded"]

LABEL = ("checkpoint", "loop")


def expand_bounded(graph: Graph) -> Graph:
    """Write reverse sweeps with a param ``checkpoint`` as loops without.

    Where the program runs the very scan that is reversed, that run keeps the first carries.
    """
    if not any(map(_bounded, graph.equations)):
        return graph
    program = Program(graph)
    for equation in graph.equations:
        if equation.primitive is scan:
            key = scan_key(equation.params, equation.inputs)
            program.scans[key] = len(program.equations)
        if not _bounded(equation):
            program.equations.append(equation)
            continue
        sweep = Sweep(equation)
        if not sweep.native():
            program.equations.append(equation)  # its kernel keeps to the schedule too
        elif sweep.length is None:
            program.insert(sweep.while_back(), equation.inputs, equation)
        elif sweep.states >= sweep.length:
            plain = {k: v for k, v in equation.params.items() if k != "checkpoint"}
            program.append(equation, equation.inputs, plain, equation.outputs)
        else:
            slots = program.kept_first(sweep)
            program.insert(sweep.scan_back(), [*equation.inputs, *slots], equation)
    return program.graph()


def _bounded(equation: Equation) -> bool:
    return "checkpoint" in equation.params and "wanted" in equation.params


class Program:
    """The equations of a graph while some are replaced."""

    def __init__(self, graph: Graph) -> None:
        self.given = graph
        self.constants, self.values = list(graph.constants), list(graph.constant_values)
        self.first: list[Equation] = []
        self.equations: list[Equation] = []
        self.scans: dict[Any, int] = {}  # where each scan is

    def graph(self) -> Graph:
        given = self.given
        equations = [*self.first, *self.equations]
        made = Graph(given.inputs, self.constants, self.values, equations, given.outputs)
        made.in_tree, made.out_tree = given.in_tree, given.out_tree
        return made

    def append(
        self, like: Equation, inputs: Sequence[Any], params: dict, outputs: Sequence[Var]
    ) -> None:
        self.equations.append(
            Equation(like.primitive, list(inputs), params, list(outputs), like.line)
        )

    def insert(self, graph: Graph, operands: Sequence[Any], equation: Equation) -> None:
        """Write the equations of a graph in place of one."""
        stands_for: dict[Any, Any] = dict(zip(graph.inputs, operands, strict=True))
        self.constants += graph.constants
        self.values += graph.constant_values
        made = {v for e in graph.equations for v in e.outputs}
        copied = []
        for out, var in zip(equation.outputs, graph.outputs, strict=True):
            if var in made and var not in stands_for:
                stands_for[var] = out
            else:
                copied.append((out, var))
        for e in graph.equations:
            self.equations.append(
                Equation(
                    e.primitive,
                    [stands_for.get(x, x) for x in e.inputs],
                    e.params,
                    [stands_for.get(v, v) for v in e.outputs],
                    equation.line,
                )
            )
        for out, var in copied:
            value = stands_for.get(var, var)
            if isinstance(value, Literal) and out.aval.shape:
                params = {"shape": out.aval.shape}
                self.equations.append(Equation(broadcast_to, [value], params, [out]))
            else:
                self.equations.append(Equation(copy, [value], {}, [out], equation.line))

    def kept_first(self, sweep: Sweep) -> list[Var]:
        """Let the scan that is reversed keep the first carries: the slots they are in.

        The scan is appended if the program has no use for it.
        """
        n = sweep.n_carry
        operands = sweep.equation.inputs[: len(sweep.wanted)]
        key = scan_key(sweep.params, operands)
        if key not in self.scans:
            self.scans[key] = len(self.equations)
            outputs = [Var(a) for a in sweep.carry_avals]
            alone = {**sweep.params, "graph": sweep.step}
            self.equations.append(
                Equation(scan, list(operands), alone, outputs, sweep.equation.line)
            )
        before = self.equations[self.scans[key]]
        graph: Graph = before.params["graph"]
        n_consts, n_carry = before.params["n_consts"], before.params["n_carry"]
        sizes = (n_consts, 1, n_carry, n, 2)
        avals = sweep.slot_avals()
        wanted = np.array([*first_kept(before.params["length"], sweep.states), -1])

        def body(*values: Any) -> list[Any]:
            consts, (positions,), carry, slots, (at, count) = groups(sizes, values)
            xs = values[sum(sizes) :]
            made = graph.evaluate([*consts, *carry, *xs])
            due = gather(positions, count) == at
            row = np.where(due, count, sweep.states)
            slots = [update_at(s, x, row) for s, x in zip(slots, carry[:n], strict=True)]
            count = np.where(due, count + 1, count)
            return [*made[:n_carry], *slots, at + 1, count, *made[n_carry:]]

        number = ShapedArray((), np.int64)
        given = [v.aval for v in graph.inputs]
        fixed, carried, rows = given[:n_consts], given[n_consts:][:n_carry], given[n_consts:]
        more = [*avals, number, number]
        with under(EVAL):
            made = stage_flat(
                LABEL, body, [*fixed, aval_of(wanted), *carried, *more, *rows[n_carry:]]
            )
        positions, slots = Var(aval_of(wanted)), [Var(a) for a in avals]
        self.constants.append(positions)
        self.values.append(wanted)
        zeros = [Var(a) for a in avals]
        for a, var in zip(avals, zeros, strict=True):
            zero = Literal(a.dtype.type(0))
            self.first.append(Equation(broadcast_to, [zero], {"shape": a.shape}, [var]))
        start = Literal(np.int64(0))
        first, init = before.inputs[:n_consts], before.inputs[n_consts:][:n_carry]
        params = {
            **{k: v for k, v in before.params.items() if k != "checkpoint"},
            "graph": made,
            "n_consts": n_consts + 1,
            "n_carry": n_carry + n + 2,
            "unset": tuple(range(n_carry, n_carry + n)),
        }
        outputs = [*before.outputs[:n_carry], *slots, Var(number), Var(number)]
        self.equations[self.scans[key]] = Equation(
            scan,
            [*first, positions, *init, *zeros, start, start, *before.inputs[n_consts + n_carry :]],
            params,
            [*outputs, *before.outputs[n_carry:]],
            before.line,
        )
        return slots


def loop_while(
    cond: Callable, body: Callable, init: Sequence[Any], unset: Sequence[int] = ()
) -> list[Any]:
    """A while loop of flat functions, staged; the carries at ``unset`` begin as they will."""
    values = [as_array(x) for x in init]
    avals = [aval_of(x) for x in values]
    test, of_test = stage_closed(LABEL, lambda *xs: [cond(*xs)], avals)
    step, of_step = stage_closed(LABEL, body, avals)
    made = while_loop(
        *of_test,
        *of_step,
        *values,
        cond=test,
        body=step,
        n_cond_consts=len(of_test),
        n_body_consts=len(of_step),
        **({"unset": tuple(unset)} if unset else {}),
    )
    return list(made)


def loop_scan(
    body: Callable, init: Sequence[Any], xs: Sequence[Any], length: int, reverse: bool
) -> list[Any]:
    """A scan of flat functions, staged."""
    values = [as_array(x) for x in init]
    rows = [ShapedArray(x.shape[1:], x.dtype) for x in xs]
    step, constants = stage_closed(LABEL, body, [*map(aval_of, values), *rows])
    made = scan(
        *constants,
        *values,
        *xs,
        graph=step,
        n_consts=len(constants),
        n_carry=len(values),
        length=length,
        reverse=reverse,
    )
    return list(made)


def split_at(length: Any, states: Any) -> Any:
    """``schedules.split`` of traced numbers."""

    def body(runs: Any, before: Any, beside: Any, here: Any) -> list[Any]:
        beside = beside * (states + runs - 1) // runs
        return [runs + 1, here, beside, here * (states + runs + 1) // (runs + 1)]

    # beta(s, r - 1), beta(s - 1, r - 1) and beta(s, r); no division where all carries have room
    init = [np.int64(1), np.int64(1), np.int64(1), states + 1]
    _, before, beside, _ = loop_while(lambda *values: values[3] < length, body, init)
    return np.minimum(before, length - beside)


class Sweep:
    """A reverse sweep, taken apart."""

    def __init__(self, equation: Equation) -> None:
        self.equation = equation
        self.wanted, self.params = separate(equation.params)
        primitive: Any = equation.primitive
        loop = self.loop = primitive.loop
        body: Graph = loop.body(self.params)
        self.sizes = loop.sizes(self.params)
        self.n_carry = self.sizes[2]
        self.length: Any = self.params.get("length")
        self.reverse: bool = self.params.get("reverse", False)
        self.carry_avals = body.output_avals[: self.n_carry]
        self.states = loop.states(self.params, None)
        closed, self.active, _ = body_vjp(loop, self.params, self.wanted)
        self.hoisted = closed.constants
        _, consts, carry, xs = groups(self.sizes, self.wanted)
        self.want_carry = carry
        self.n_totals, self.n_rows = sum(consts), sum(xs)
        self.back = summing(
            closed.graph, len(self.hoisted), self.sizes[1], self.n_carry, self.n_totals
        )
        outputs = body.outputs[: self.n_carry]
        self.step = derived(
            body,
            ("carries", self.n_carry),
            lambda: prune(Graph(body.inputs, [], [], body.equations, outputs)),
        )

    def native(self) -> bool:
        """Whether compiled code can compute with all there is in the loop."""
        given = [x.aval if isinstance(x, Var) else aval_of(x.value) for x in self.equation.inputs]
        made = [v.aval for v in self.equation.outputs]
        return all(computes(a.dtype) for a in (*given, *made, *self.carry_avals))

    def slot_avals(self) -> list[ShapedArray]:
        """Types of the arrays that hold the carries that are kept, and one more."""
        return [ShapedArray((self.states + 1, *a.shape), a.dtype) for a in self.carry_avals]

    def cotangents(self, cts: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        """Cotangents of the active carries, and of the stacked outputs."""
        floats = self.loop.float_results(self.params)[: self.n_carry]
        carry = scatter(floats, cts[: sum(floats)])
        return chosen(self.active, carry), list(cts[sum(floats) :])

    def results(self, totals: Sequence, cts: Sequence, rows: Sequence) -> list[Any]:
        """Results of the sweep in their order."""
        return [*totals, *chosen(self.want_carry, scatter(self.active, cts)), *rows]

    def zero_totals(self, consts: Sequence[Any]) -> list[Any]:
        """Where the sums of cotangents of the wanted constants begin."""
        flags = self.wanted[self.sizes[0] : self.sizes[0] + self.sizes[1]]
        return [zeros_like_aval(aval_of(x)) for x in chosen(flags, consts)]

    # The program

    def advance(self, consts: Sequence, xs: Sequence, state: list, first: Any, count: Any) -> list:
        """The carry so many steps later."""

        def row(k: Any) -> Any:
            return self.length - 1 - k if self.reverse else k

        def body(k: Any, *state: Any) -> list[Any]:
            rows = [gather(x, row(k)) for x in xs]
            return [k + 1, *self.step.evaluate([*consts, *state, *rows])]

        end = first + count
        return loop_while(lambda k, *_: k < end, body, [first, *state])[1:]

    def reach(self, consts: Sequence, xs: Sequence, slots: list, more: list, at: Any) -> tuple:
        """Run forward from the top carry to step ``at``, keeping others on the way.

        Returns ``slots``, ``[places, top]``, and the carry before the step.
        """
        places, top = more
        n = self.n_carry

        def body(*values: Any) -> list[Any]:
            slots, (places, top, here), state = groups((n, 3, n), values)
            room = self.states - top
            count = split_at(at + 1 - here, room)
            state = self.advance(consts, xs, state, here, count)
            here = here + count
            top = np.where(room > 1, top + 1, top)
            row = np.where(room > 1, top, self.states)
            slots = [update_at(s, x, row) for s, x in zip(slots, state, strict=True)]
            return [*slots, update_at(places, here, row), top, here, *state]

        here = gather(places, top)
        state = [gather(s, top) for s in slots]
        init = [*slots, places, top, here, *state]
        made = loop_while(lambda *values: values[n + 2] < at, body, init)
        return made[:n], made[n : n + 2], made[n + 3 :]

    def one_back(
        self, given: tuple, slots: list, more: list, at: Any, totals: list, cts: list, rows: tuple
    ) -> tuple:
        """Reverse step ``at``."""
        consts, xs = given
        slots, (places, top), state = self.reach(consts, xs, slots, more, at)
        x_rows, ct_rows = rows
        made = self.back.evaluate(
            [*totals, *self.hoisted, *consts, *state, *x_rows, *cts, *ct_rows]
        )
        totals, cts, made_rows = groups((len(totals), len(cts), self.n_rows), made)
        top = top - convert(gather(places, top) == at, dtype=np.dtype(np.int64))
        return slots, [places, top], totals, cts, made_rows

    def scan_back(self) -> Graph:
        """The way back of a scan; takes the sweep's operands and the slots."""
        length = self.length
        first = first_kept(length, self.states)
        places = np.array([*first, *[0] * (self.states + 1 - len(first))])
        _, n_consts, n, n_xs = self.sizes

        def sweep(*values: Any) -> list[Any]:
            operands, slots = values[:-n], list(values[-n:])
            consts, _, xs, given = groups(
                (n_consts, n, n_xs, len(operands) - len(self.wanted)), operands
            )
            cts, ct_rows = self.cotangents(given)
            totals = self.zero_totals(consts)
            sizes = (n, 2, 1, len(totals), len(cts), n_xs, len(ct_rows))

            def body(*values: Any) -> list[Any]:
                slots, more, (at,), totals, cts, x_rows, ct_rows = groups(sizes, values)
                slots, more, totals, cts, rows = self.one_back(
                    (consts, xs), slots, more, at, totals, cts, (x_rows, ct_rows)
                )
                return [*slots, *more, at - 1, *totals, *cts, *rows]

            top = np.int64(len(first) - 1)
            init = [*slots, places, top, np.int64(length - 1), *totals, *cts]
            made = loop_scan(body, init, [*xs, *ct_rows], length, not self.reverse)
            _, _, _, totals, cts, rows = groups((*sizes[:5], self.n_rows), made)
            return self.results(totals, cts, rows)

        return self.staged(sweep, self.slot_avals())

    def while_back(self) -> Graph:
        """Both ways of a while loop; takes the sweep's operands."""
        n_cond, n_consts, n, _ = self.sizes
        cond: Graph = self.params["cond"]
        capacity = max(self.states // 2, 1)
        half = (capacity + 1) // 2

        def sweep(*values: Any) -> list[Any]:
            of_cond, consts, init, given = groups(
                (n_cond, n_consts, n, len(values) - len(self.wanted)), values
            )
            cts, _ = self.cotangents(given)

            def forth(*values: Any) -> list[Any]:
                slots, (at, count, stride), state = groups((n, 3, n), values)
                full = (at == count * stride) & (count == capacity)
                end = np.where(full, half, 1)
                slots = loop_while(
                    lambda k, *_: k < end,
                    lambda k, *slots: [k + 1, *[update_at(s, gather(s, 2 * k), k) for s in slots]],
                    [np.int64(1), *slots],
                )[1:]
                count = np.where(full, half, count)
                stride = np.where(full, 2 * stride, stride)
                due = at == count * stride
                row = np.where(due, count, self.states)
                slots = [update_at(s, x, row) for s, x in zip(slots, state, strict=True)]
                state = self.step.evaluate([*consts, *state])
                return [*slots, at + 1, np.where(due, count + 1, count), stride, *state]

            slots = [zeros_like_aval(a) for a in self.slot_avals()]
            begin = [*slots, np.int64(0), np.int64(0), np.int64(1), *init]
            made = loop_while(
                lambda *values: cond.evaluate([*of_cond, *values[n + 3 :]])[0],
                forth,
                begin,
                unset=range(n),
            )
            slots, (length, count, stride), _ = groups((n, 3, n), made)
            totals = self.zero_totals(consts)
            sizes = (n, 2, 1, len(totals), len(cts))

            def back(*values: Any) -> list[Any]:
                slots, more, (at,), totals, cts = groups(sizes, values)
                slots, more, totals, cts, _ = self.one_back(
                    (consts, ()), slots, more, at, totals, cts, ((), ())
                )
                return [*slots, *more, at - 1, *totals, *cts]

            places = np.arange(self.states + 1) * stride
            begin = [*slots, places, count - 1, length - 1, *totals, *cts]
            made = loop_while(lambda *values: values[n + 2] >= 0, back, begin)
            *_, totals, cts = groups(sizes, made)
            return self.results(totals, cts, ())

        return self.staged(sweep, [])

    def staged(self, sweep: Callable, more: Sequence[ShapedArray]) -> Graph:
        """The graph of a function of the sweep's operands and more."""
        given = [x.aval if isinstance(x, Var) else aval_of(x.value) for x in self.equation.inputs]
        with under(EVAL):
            return stage_flat(LABEL, sweep, [*given, *more])
