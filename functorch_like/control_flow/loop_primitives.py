"""``scan`` and ``while_loop`` as primitives, and the reverse sweep of each as one more.

Operands of a loop fall into four groups: constants of the condition, constants of the body, the
initial carry, and the stacked inputs; results into two: the final carry and the stacked
outputs. A scan has no condition and a while loop nothing stacked. The body is a closed graph
that takes ``(*constants, *carry, *inputs)`` and returns ``(*carry, *outputs)``.

Derivatives never leave this family:

* The tangent of a loop is a loop whose body carries tangents along.
* A loop L with operands x is reversed by one primitive, ``vjp(x, ct) = J(x)^T ct``: it runs the
  loop, keeps the carries, and walks back through the transposed body.
* For the tangent loop G(x, t) = (L(x), J(x) t), ``vjp`` of G with cotangents (a, b) is
  ``J^T b`` in t, and ``J^T a + d/de J(x + e t)^T b`` in x, second derivatives being symmetric.
  With a the tangent of ct and b = ct that is the value of ``vjp`` and its tangent. With a = 0
  and t = u it is the derivative in x of <u, vjp(x, ct)>, which reverses ``vjp``.

So derivatives of all orders are loops and reverse sweeps of loops. The param ``checkpoint``, where
it is given, says how many carries a reverse sweep keeps; it goes along into every derivative.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..graph import Graph, Var
from ..graph_transforms import (
    Closed,
    Flags,
    batch_graph,
    check_linear,
    derived,
    jvp_graph,
    reached,
    scatter,
    stage_closed,
    vjp_graph,
    without_effects,
)
from ..kernels.device import is_gpu
from ..primitives.core import (
    EVAL,
    Block,
    LinearTrace,
    LinearTracer,
    Primitive,
    ShapedArray,
    aval_of,
    beside,
    is_zero,
    under,
    zeros_like_aval,
)
from ..primitives.structural import full_batch, move_axis, zeros_like
from ..reverse import ReverseTracer
from .schedules import Kept, states_of, walk_back

__all__ = ["body_vjp", "scan", "scan_vjp", "while_loop", "while_vjp"]

Sizes = tuple[int, int, int, int]


def split(sizes: Sequence[int], values: Sequence[Any]) -> list[list[Any]]:
    """Consecutive groups of the given sizes."""
    groups, start = [], 0
    for size in sizes:
        groups.append(list(values[start : start + size]))
        start += size
    return groups


def joined(groups: Sequence[list[Any]]) -> list[Any]:
    """The groups one after the other."""
    return [x for group in groups for x in group]


def present(values: Sequence[Any]) -> list[Any]:
    """The values that are not None."""
    return [x for x in values if x is not None]


def is_float(aval: Any) -> bool:
    """Whether an array of this type can have a derivative."""
    return aval.dtype.kind in "fc"


def either(first: Flags, second: Flags) -> tuple[bool, ...]:
    """Flags raised in one or the other."""
    return tuple(a or b for a, b in zip(first, second, strict=True))


def interleave(sizes: Sequence[int], first: Sequence[Any], second: Sequence[Any]) -> list[Any]:
    """Each group of the first followed by that of the second, without those that are None."""
    pairs = zip(split(sizes, first), split(sizes, second), strict=True)
    return [x for one, other in pairs for x in present([*one, *other])]


def record_block(
    trace: Any,
    answers: Sequence[Any],
    dependent: Flags,
    slots: Sequence[int | None],
    pull: Callable[[list], list],
    push: Callable[[list], list],
) -> tuple:
    """Put a linear map on the tape and return its results as tracers of ``trace``.

    ``pull`` takes cotangents of the dependent results and ``push`` returns their tangents;
    ``push`` takes tangents of the operands that have slots and ``pull`` returns their cotangents.
    """
    if not any(dependent):
        return tuple(answers)
    first = len(trace.tape)
    count = sum(dependent)
    trace.tape.append(Block(present(slots), count, pull, push))
    # Not (), an entry whose cotangent a walk takes off before it comes to the block.
    trace.tape.extend(None for _ in range(count - 1))
    positions = iter(range(first, first + count))

    def tracer(x: Any) -> Any:
        if isinstance(trace, LinearTrace):
            return LinearTracer(trace, x.shape, x.dtype, next(positions))
        return ReverseTracer(trace, x, next(positions))

    return tuple(tracer(x) if flag else x for x, flag in zip(answers, dependent, strict=True))


# --------------------------------------------------------------------------------------
# What scan and while_loop share


class Loop(Primitive):
    """A primitive with a closed graph for a body; ``vjp`` is its reverse sweep."""

    __slots__ = ("vjp",)

    vjp: LoopVjp

    def __init__(self, name: str) -> None:
        super().__init__(name, self.run, self.result_avals, self.batched, multiple_results=True)
        self.vjp = LoopVjp(self)

    # What differs

    def body(self, params: dict) -> Graph:
        """The graph of one step."""
        raise NotImplementedError

    def sizes(self, params: dict) -> Sizes:
        """Sizes of the operands' groups."""
        raise NotImplementedError

    def with_body(self, params: dict, body: Graph, sizes: Sequence[int], carry: Flags) -> dict:
        """Params of the loop with another body; the old carry is at ``carry`` in the new."""
        raise NotImplementedError

    def run(self, *operands: Any, **params: Any) -> tuple:
        """The kernel."""
        raise NotImplementedError

    def run_back(self, *operands: Any, wanted: tuple[bool, ...], **params: Any) -> tuple:
        """The kernel of ``vjp``."""
        raise NotImplementedError

    def result_avals(self, *avals: ShapedArray, **params: Any) -> tuple[ShapedArray, ...]:
        """Types of the results."""
        raise NotImplementedError

    def diverges(self, flags: Flags, params: dict) -> bool:
        """Whether the lanes of a batch differ in their number of steps."""
        return False

    def batched_condition(self, params: dict, size: int, flags: Flags) -> tuple[dict, list]:
        """Params whose condition reads a batched carry, and its further constants."""
        return params, []

    # What is common

    def result_sizes(self, params: dict) -> tuple[int, int]:
        """Sizes of the results' groups."""
        carry = self.sizes(params)[2]
        return carry, len(self.body(params).outputs) - carry

    def float_results(self, params: dict) -> list[bool]:
        """Which results have cotangents."""
        return [is_float(aval) for aval in self.body(params).output_avals]

    def states(self, params: dict, length: int | None) -> Any:
        """How many carries the reverse sweep keeps at a time; ``length`` if nothing is asked."""
        schedule = params.get("checkpoint")
        if schedule is None:
            return length
        carry = self.body(params).output_avals[: self.sizes(params)[2]]
        return states_of(self.name, schedule, carry)

    def spread(self, flags: Flags, params: dict, derivative: bool) -> tuple[tuple, tuple]:
        """Flags of operands, raised for each carry that steps make depend on them; of results."""

        def find() -> tuple[tuple, tuple]:
            body = self.body(params)
            condition, constants, carry, xs = split(self.sizes(params), flags)
            if derivative:
                condition = [False] * len(condition)
            while True:
                out = reached(body, (*constants, *carry, *xs), derivative)
                spread = either(carry, out[: len(carry)])
                if spread == tuple(carry):
                    return (*condition, *constants, *carry, *xs), (*carry, *out[len(carry) :])
                carry = list(spread)

        key = ("spread", tuple(flags), self.sizes(params), derivative)
        return derived(self.body(params), key, find)

    def arranged(
        self, params: dict, primals: Sequence, tangents: Sequence, hoisted: Sequence = ()
    ) -> list[Any]:
        """Operands of the tangent loop; ``tangents`` are None where there are none."""
        condition, constants, *rest = split(self.sizes(params), primals)
        _, constant_tangents, *rest_tangents = split(self.sizes(params), tangents)
        carried = [present([*p, *t]) for p, t in zip(rest, rest_tangents, strict=True)]
        return [*condition, *constants, *present(constant_tangents), *hoisted, *joined(carried)]

    def separated(self, params: dict, dependent: Flags, results: Sequence) -> tuple[list, list]:
        """Results of the tangent loop as values, and tangents or None."""
        primals: list[Any] = []
        tangents: list[Any] = []
        for flags in split(self.result_sizes(params), dependent):
            count = len(flags)
            primals += results[:count]
            tangents += scatter(flags, results[count : count + sum(flags)])
            results = results[count + sum(flags) :]
        return primals, tangents

    def tangent_loop(self, params: dict, flags: Flags, dependent: Flags) -> tuple[dict, list]:
        """Params of the loop that carries tangents along, and its further constants."""
        sizes = self.sizes(params)
        key = ("tangent", sizes, tuple(flags))
        body = self.body(params)
        new_body, hoisted = derived(
            body, key, lambda: self._tangent_body(body, sizes, flags, dependent)
        )
        counts = [len(group) + sum(group) for group in split(sizes[1:], flags[sizes[0] :])]
        counts[0] += len(hoisted)
        _, _, carry, _ = split(sizes, flags)
        kept = [True] * len(carry) + [False] * sum(carry)
        return self.with_body(params, new_body, (sizes[0], *counts), kept), hoisted

    def _tangent_body(self, body: Graph, sizes: Sizes, flags: Flags, dependent: Flags) -> Closed:
        flags = flags[sizes[0] :]
        graph, hoisted = jvp_graph(body, flags, dependent)
        extra, primals, tangents = split((len(hoisted), len(body.inputs), sum(flags)), graph.inputs)
        constants = sizes[1]
        spread = scatter(flags, tangents)
        inputs = interleave((constants,), primals[:constants], spread[:constants])
        inputs += extra
        inputs += interleave(sizes[2:], primals[constants:], spread[constants:])
        values, pushed = split((len(body.outputs), sum(dependent)), graph.outputs)
        outputs = interleave((sizes[2], len(values) - sizes[2]), values, scatter(dependent, pushed))
        return Closed(Graph(inputs, [], [], graph.equations, outputs), hoisted)

    def jvp(self, primals: Sequence, tangents: Sequence, params: dict) -> tuple[Any, Any]:
        flags, dependent = self.spread([t is not None for t in tangents], params, derivative=True)
        if not any(dependent):
            answers = self(*primals, **params)
            return answers, (None,) * len(answers)
        given = instantiated(flags, primals, tangents)
        new, hoisted = self.tangent_loop(params, flags, dependent)
        results = self(*self.arranged(params, primals, given, hoisted), **new)
        return self.separated(params, dependent, results)

    def record(self, trace: Any, primals: Sequence, slots: Sequence, params: dict) -> Any:
        answers = trace.parent.process(self, primals, params)
        flags, dependent = self.spread([s is not None for s in slots], params, derivative=True)
        return self._recorded(trace, answers, primals, slots, flags, dependent, params)

    def record_linear(self, trace: Any, operands: Sequence, params: dict) -> Any:
        slots = trace.slots(operands)
        given = [s is not None for s in slots]
        flags, dependent = self.spread(given, params, derivative=True)
        constant = zip(flags, given, operands, strict=True)
        if self.diverges(either(flags, given), params) or any(
            flag and not mine and not is_zero(x) for flag, mine, x in constant
        ):
            return super().record_linear(trace, operands, params)
        check_linear(trace.label, self.body(params), flags[self.sizes(params)[0] :], dependent)
        # A linear map is its own derivative, at zero say.
        at_zero = [zeros_like(x) if mine else x for x, mine in zip(operands, given, strict=True)]
        answers: Any = self.result_avals(*map(aval_of, at_zero), **params)
        if not all(dependent):
            answers = [
                aval if flag else x
                for aval, x, flag in zip(answers, self(*at_zero, **params), dependent, strict=True)
            ]
        return self._recorded(trace, answers, at_zero, slots, flags, dependent, params)

    def _recorded(
        self,
        trace: Any,
        answers: Sequence,
        primals: Sequence,
        slots: Sequence,
        flags: Flags,
        dependent: Flags,
        params: dict,
    ) -> Any:
        given = [s is not None for s in slots]
        wanted = tuple(flag and mine for flag, mine in zip(flags, given, strict=True))
        params = without_effects(params)
        floats = self.float_results(params)

        def pull(cts: list) -> list:
            full = instantiated(floats, answers, scatter(dependent, cts))
            found = self.vjp(*primals, *present(full), **params, wanted=wanted)
            return chosen(given, scatter(wanted, found))

        def push(ts: list) -> list:
            return chosen(dependent, self.jvp(primals, scatter(given, ts), params)[1])

        return record_block(trace, answers, dependent, slots, pull, push)

    def batched(
        self, size: int, operands: Sequence, batched: Sequence[bool], **params: Any
    ) -> tuple[Any, ...]:
        """The rule for ``vmap``."""
        flags, dependent = self.spread(batched, params, derivative=False)
        if self.diverges(flags, params):
            return over_lanes(self, size, operands, batched, params)
        new, arrange = self.batched_loop(size, flags, dependent, params)
        results = self(*arrange(operands, batched), **new)
        return tuple(
            full_batch(size, move_axis(x, 1, 0) if flag and stacked else x, flag)
            for x, flag, stacked in zip(results, dependent, self.stacked(params), strict=True)
        )

    def stacked(self, params: dict) -> list[bool]:
        """Which results have the steps along their first axis."""
        carry, ys = self.result_sizes(params)
        return [False] * carry + [True] * ys

    def batched_loop(
        self, size: int, flags: Flags, dependent: Flags, params: dict
    ) -> tuple[dict, Callable]:
        """Params of the loop on a batch, and what brings operands into its order and form."""
        sizes = self.sizes(params)
        n_condition, n_constants, n_carry, n_stacked = sizes
        body = self.body(params)
        graph, hoisted = batch_graph(body, size, flags[n_condition:], dependent)
        extra, constants, rest = split(
            (len(hoisted), n_constants, n_carry + n_stacked), graph.inputs
        )
        inputs = [*constants, *extra, *rest]
        ordered = derived(
            graph, "ordered", lambda: Graph(inputs, [], [], graph.equations, graph.outputs)
        )
        new, first = self.batched_condition(params, size, flags)
        counts = (n_condition + len(first), n_constants + len(hoisted), n_carry, n_stacked)
        new = self.with_body(new, ordered, counts, [True] * n_carry)

        def arrange(operands: Sequence, batched: Sequence[bool]) -> list[Any]:
            full = [
                full_batch(size, x, b) if flag else x
                for x, b, flag in zip(operands, batched, flags, strict=True)
            ]
            condition, constants, carry, xs = split(sizes, full)
            moved = [
                move_axis(x, 0, 1) if flag else x
                for x, flag in zip(xs, flags[len(flags) - n_stacked :], strict=True)
            ]
            return [*first, *condition, *constants, *hoisted, *carry, *moved]

        return new, arrange


class LoopVjp(Primitive):
    """The reverse sweep of ``loop``.

    Operands: those of the loop, then cotangents of its floating-point results. Results:
    cotangents of the operands flagged in the param ``wanted``.
    """

    __slots__ = ("loop",)

    def __init__(self, loop: Loop) -> None:
        name = f"{loop.name.removesuffix('_loop')}_vjp"
        super().__init__(name, loop.run_back, self.result_avals, self.batched, True)
        self.loop = loop

    @staticmethod
    def result_avals(*avals: ShapedArray, wanted: Flags, **params: Any) -> tuple[ShapedArray, ...]:
        """Types of the results: those of the wanted operands."""
        return tuple(chosen(wanted, avals[: len(wanted)]))

    def second_order(
        self,
        primals: Sequence,
        tangents: Sequence,
        direct: Sequence,
        through: Sequence,
        wanted: Flags,
        wanted_tangents: Flags,
        params: dict,
    ) -> tuple[list, list]:
        """Reverse sweep of the tangent loop: cotangents of the primals and of the tangents.

        ``direct`` and ``through`` are cotangents of the loop's results and of their tangents,
        one for each result that has one.
        """
        loop = self.loop
        flags, dependent = loop.spread([t is not None for t in tangents], params, derivative=True)
        new, hoisted = loop.tangent_loop(params, flags, dependent)
        full = instantiated(flags, primals, tangents)
        operands = loop.arranged(params, primals, full, hoisted)
        through = [ct if flag else None for ct, flag in zip(through, dependent, strict=True)]
        cts = interleave(loop.result_sizes(params), direct, through)
        flagged = [w if flag else None for w, flag in zip(wanted_tangents, flags, strict=True)]
        new_wanted = tuple(loop.arranged(params, wanted, flagged, [False] * len(hoisted)))
        found = iter(self(*operands, *cts, **new, wanted=new_wanted))
        count = len(primals)
        # The same arrangement of positions says whose each result is.
        places = loop.arranged(
            params,
            range(count),
            [count + i if flag else None for i, flag in enumerate(flags)],
            [None] * len(hoisted),
        )
        made = [None] * (2 * count)
        for place, want in zip(places, new_wanted, strict=True):
            if want:
                made[place] = next(found)
        return made[:count], made[count:]

    def jvp(self, primals: Sequence, tangents: Sequence, params: dict) -> tuple[Any, Any]:
        wanted, inner = separate(params)
        count = len(wanted)
        xs, cts = primals[:count], primals[count:]
        floats = self.loop.float_results(inner)
        directions = list(tangents[:count])
        directions[: self.loop.sizes(inner)[0]] = [None] * self.loop.sizes(inner)[0]
        ct_tangents = instantiated([True] * len(cts), cts, tangents[count:])
        if all(t is None for t in directions):
            answers = self(*primals, **params)
            return answers, self(*xs, *ct_tangents, **params)
        directions = instantiated(wanted, xs, directions)
        moved, answers = self.second_order(
            xs,
            directions,
            scatter(floats, ct_tangents),
            scatter(floats, cts),
            wanted,
            wanted,
            inner,
        )
        return chosen(wanted, answers), chosen(wanted, moved)

    def record(self, trace: Any, primals: Sequence, slots: Sequence, params: dict) -> Any:
        answers = trace.parent.process(self, primals, params)
        return self._recorded(trace, answers, primals, slots, params)

    def record_linear(self, trace: Any, operands: Sequence, params: dict) -> Any:
        slots = trace.slots(operands)
        count = len(params["wanted"])
        if any(slot is not None for slot in slots[:count]):
            return super().record_linear(trace, operands, params)
        cts = [
            zeros_like(x) if slot is not None else x
            for x, slot in zip(operands[count:], slots[count:], strict=True)
        ]
        if not all(map(is_zero, cts)):
            return super().record_linear(trace, operands, params)
        primals = [*operands[:count], *cts]
        answers = self.result_avals(*map(aval_of, primals), **params)
        return self._recorded(trace, answers, primals, slots, params)

    def _recorded(
        self, trace: Any, answers: Sequence, primals: Sequence, slots: Sequence, params: dict
    ) -> Any:
        loop = self.loop
        wanted, inner = separate(params)
        count = len(wanted)
        xs, cts = primals[:count], primals[count:]
        floats = loop.float_results(inner)
        given = [s is not None for s in slots]
        first = loop.sizes(inner)[0]
        moving = tuple(mine and i >= first for i, mine in enumerate(given[:count]))

        def pull(us: list) -> list:
            full = scatter(wanted, instantiated([True] * len(us), answers, us))
            of_xs: list = [None] * count
            of_cts: list = [None] * len(cts)
            if any(given[count:]):
                of_cts = chosen(floats, loop.jvp(xs, full, inner)[1])
            if any(moving):
                none = instantiated([True] * len(cts), cts, [None] * len(cts))
                of_xs, _ = self.second_order(
                    xs,
                    full,
                    scatter(floats, none),
                    scatter(floats, cts),
                    moving,
                    [False] * count,
                    inner,
                )
            return chosen(given, [*of_xs, *of_cts])

        def push(ts: list) -> list:
            return list(self.jvp(primals, scatter(given, ts), params)[1])

        return record_block(trace, answers, [True] * len(answers), slots, pull, push)

    def batched(
        self, size: int, operands: Sequence, batched: Sequence[bool], **params: Any
    ) -> tuple[Any, ...]:
        """The rule for ``vmap``: every lane has cotangents of its own."""
        loop = self.loop
        wanted, inner = separate(params)
        count = len(wanted)
        flags, dependent = loop.spread(either(batched[:count], wanted), inner, derivative=False)
        if loop.diverges(flags, inner):
            return over_lanes(self, size, operands, batched, params)
        new, arrange = loop.batched_loop(size, flags, dependent, inner)
        cts = []
        floats = loop.float_results(inner)
        rows = zip(operands[count:], batched[count:], strict=True)
        for (ct, own), flag, stacked in zip(
            rows, chosen(floats, dependent), chosen(floats, loop.stacked(inner)), strict=True
        ):
            if flag:
                full = full_batch(size, ct, own)
                cts.append(move_axis(full, 0, 1) if stacked else full)
            else:  # a result that does not depend on what is wanted
                aval = aval_of(ct)
                cts.append(zeros_of(ShapedArray(aval.shape[1:], aval.dtype) if own else aval))
        arranged = arrange(operands[:count], batched[:count])
        new_wanted = tuple(arrange_flags(loop, inner, new, wanted))
        found = self(*arranged, *cts, **new, wanted=new_wanted)
        first_stacked = count - loop.sizes(inner)[3]
        places = [i for i, want in enumerate(wanted) if want]
        return tuple(
            move_axis(x, 1, 0) if i >= first_stacked else x
            for i, x in zip(places, found, strict=True)
        )


def arrange_flags(loop: Loop, params: dict, new: dict, flags: Flags) -> list[bool]:
    """Flags of operands for a loop with more constants."""
    old, more = loop.sizes(params), loop.sizes(new)
    condition, constants, *rest = split(old, flags)
    condition = [False] * (more[0] - old[0]) + condition
    return [*condition, *constants, *[False] * (more[1] - old[1]), *joined(rest)]


def separate(params: dict) -> tuple[tuple[bool, ...], dict]:
    """The flags ``wanted``, and the params of the loop."""
    return params["wanted"], {k: v for k, v in params.items() if k != "wanted"}


def over_lanes(
    primitive: Primitive, size: int, operands: Sequence, batched: Sequence[bool], params: dict
) -> tuple[Any, ...]:
    """Apply a primitive to each element of a batch in turn: a scan over the lanes."""
    avals = [
        ShapedArray(aval.shape[1:], aval.dtype) if own else aval
        for aval, own in zip(map(aval_of, operands), batched, strict=True)
    ]
    order = [i for i, own in enumerate(batched) if not own]
    shared = len(order)
    order += [i for i, own in enumerate(batched) if own]

    def lane(*values: Any) -> tuple[Any, ...]:
        held = dict(zip(order, values, strict=True))
        return primitive(*[held[i] for i in range(len(values))], **params)

    def stage() -> Graph:
        with under(EVAL):
            graph, _ = stage_closed(("vmap", primitive), lane, [avals[i] for i in order])
        return graph

    key = ("lane", primitive.name, tuple(avals), tuple(batched), tuple(params.items()))
    graph = derived(next(_graphs(params)), key, stage)
    values = [operands[i] for i in order]
    return scan(*values, graph=graph, n_consts=shared, n_carry=0, length=size, reverse=False)


def _graphs(params: dict) -> Any:
    for value in params.values():
        if isinstance(value, Graph):
            yield value
        elif isinstance(value, tuple):
            yield from (x for x in value if isinstance(x, Graph))


def chosen(flags: Flags, values: Sequence[Any]) -> list[Any]:
    """The flagged values."""
    return [x for flag, x in zip(flags, values, strict=True) if flag]


def placed(operands: Sequence[Any], made: list[Any]) -> list[Any]:
    """Results of a graph, those that depend on no operand too, on the operands' device."""
    near = next((x for x in operands if type(x) is not np.ndarray and is_gpu(x)), None)
    return made if near is None else [x if is_gpu(x) else beside(near, x) for x in made]


def zeros_of(aval: Any, near: Any = None) -> Any:
    """Zeros of the type of an array, on the device of ``near``."""
    return zeros_like_aval(aval, near)[()]


def instantiated(flags: Flags, models: Sequence, values: Sequence) -> list[Any]:
    """The values, with zeros of their models' types for those that are flagged but None."""
    return [
        zeros_of(model) if flag and x is None else x
        for flag, model, x in zip(flags, models, values, strict=True)
    ]


def body_vjp(loop: Loop, params: dict, wanted: Flags) -> tuple[Closed, list[bool], list[bool]]:
    """The body of a loop's reverse sweep.

    Returns
    -------
    Closed
        The transposed body. It takes its own constants, the body's constants, the carry before
        the step, the step's inputs, cotangents of the active carries after the step, and those
        of the floating-point outputs; it returns cotangents of the wanted constants, of the
        active carries before the step, and of the wanted inputs.
    list of bool
        Which carries are active: they depend on something wanted.
    list of bool
        Which outputs of a step have cotangents.
    """
    sizes = loop.sizes(params)
    body = loop.body(params)
    flags, _ = loop.spread(wanted, params, derivative=True)
    _, constants, _, stacked = split(sizes, wanted)
    _, _, active, _ = split(sizes, flags)
    outputs = loop.float_results(params)[sizes[2] :]
    closed = vjp_graph(body, (*constants, *active, *stacked), (*active, *outputs))
    return closed, active, outputs


# --------------------------------------------------------------------------------------
# scan


class Scan(Loop):
    """Operands ``(*constants, *init, *xs)``, results ``(*carry, *ys)``."""

    __slots__ = ()

    def body(self, params: dict) -> Graph:
        return params["graph"]

    def sizes(self, params: dict) -> Sizes:
        constants, carry = params["n_consts"], params["n_carry"]
        return 0, constants, carry, len(params["graph"].inputs) - constants - carry

    def with_body(self, params: dict, body: Graph, sizes: Sequence[int], carry: Flags) -> dict:
        return {**params, "graph": body, "n_consts": sizes[1], "n_carry": sizes[2]}

    def result_avals(self, *avals: ShapedArray, **params: Any) -> tuple[ShapedArray, ...]:
        made = params["graph"].output_avals
        carry = params["n_carry"]
        stacked = [ShapedArray((params["length"], *a.shape), a.dtype) for a in made[carry:]]
        return (*made[:carry], *stacked)

    def run(self, *operands: Any, **params: Any) -> tuple:
        constants, carry, xs = split(self.sizes(params)[1:], operands)
        graph, length = params["graph"], params["length"]
        ys: list[Any] = []
        with under(EVAL):
            for i in steps(length, params["reverse"]):
                made = graph.evaluate([*constants, *carry, *[x[i] for x in xs]])
                carry, outputs = made[: len(carry)], made[len(carry) :]
                if not ys:
                    ys = [np.empty_like(y, shape=(length, *y.shape)) for y in outputs]
                for stack, y in zip(ys, outputs, strict=True):
                    stack[i] = y
        if not length:
            ys = [np.zeros(a.shape, a.dtype) for a in self.result_avals(**params)[len(carry) :]]
        return (*carry, *ys)

    def run_back(self, *operands: Any, wanted: tuple[bool, ...], **params: Any) -> tuple:
        (graph, hoisted), active, _ = body_vjp(self, params, wanted)
        constants, carry, xs, cts = split(
            (*self.sizes(params)[1:], len(operands) - len(wanted)), operands
        )
        _, want_constants, want_carry, want_xs = split(self.sizes(params), wanted)
        floats = self.float_results(params)[: len(carry)]
        carry_cts, ys_cts = scatter(floats, cts[: sum(floats)]), cts[sum(floats) :]
        carry_cts = chosen(active, carry_cts)
        body, order = params["graph"], steps(params["length"], params["reverse"])
        totals = [zeros_of(aval_of(x), x) for x in chosen(want_constants, constants)]
        xs_cts = [np.zeros_like(x) for x in chosen(want_xs, xs)]

        def advance(carry: list[Any], first: int, count: int) -> list[Any]:
            for i in order[first : first + count]:
                carry = body.evaluate([*constants, *carry, *[x[i] for x in xs]])[: len(carry)]
            return carry

        def back(carry: list[Any], at: int) -> None:
            nonlocal totals, carry_cts
            i = order[at]
            given = [*[x[i] for x in xs], *carry_cts, *[ct[i] for ct in ys_cts]]
            made = placed(operands, graph.evaluate([*hoisted, *constants, *carry, *given]))
            parts, carry_cts, rows = split((len(totals), len(carry_cts), len(xs_cts)), made)
            totals = [total + part for total, part in zip(totals, parts, strict=True)]
            for stack, row in zip(xs_cts, rows, strict=True):
                stack[i] = row

        with under(EVAL):
            walk_back([(0, carry)], len(order), self.states(params, len(order)), advance, back)
        init_cts = chosen(want_carry, scatter(active, carry_cts))
        return (*totals, *init_cts, *xs_cts)


def steps(length: int, reverse: bool) -> range:
    """Positions along the stacked axis, in the order of the steps."""
    return range(length - 1, -1, -1) if reverse else range(length)


# --------------------------------------------------------------------------------------
# while_loop


class While(Loop):
    """Operands ``(*condition constants, *body constants, *init)``, results the carry."""

    __slots__ = ()

    def body(self, params: dict) -> Graph:
        return params["body"]

    def sizes(self, params: dict) -> Sizes:
        constants = params["n_body_consts"]
        return params["n_cond_consts"], constants, len(params["body"].inputs) - constants, 0

    def with_body(self, params: dict, body: Graph, sizes: Sequence[int], carry: Flags) -> dict:
        cond = params["cond"]
        if not all(carry):
            avals = tuple(var.aval for var in body.inputs[sizes[1] :])
            key = ("widened", tuple(carry), avals)
            cond = derived(cond, key, lambda: _widened(params["cond"], sizes[0], carry, avals))
        return {
            **params,
            "cond": cond,
            "body": body,
            "n_cond_consts": sizes[0],
            "n_body_consts": sizes[1],
        }

    def diverges(self, flags: Flags, params: dict) -> bool:
        condition, _, carry, _ = split(self.sizes(params), flags)
        return reached(params["cond"], (*condition, *carry), derivative=False)[0]

    def batched_condition(self, params: dict, size: int, flags: Flags) -> tuple[dict, list]:
        condition, _, carry, _ = split(self.sizes(params), flags)
        graph, hoisted = batch_graph(params["cond"], size, (*condition, *carry), [False])
        return {**params, "cond": graph}, hoisted

    def result_avals(self, *avals: ShapedArray, **params: Any) -> tuple[ShapedArray, ...]:
        return tuple(params["body"].output_avals)

    def run(self, *operands: Any, **params: Any) -> tuple:
        condition, constants, carry, _ = split(self.sizes(params), operands)
        cond, body = params["cond"], params["body"]
        with under(EVAL):
            while cond.evaluate([*condition, *carry])[0]:
                carry = body.evaluate([*constants, *carry])
        return tuple(carry)

    def run_back(self, *operands: Any, wanted: tuple[bool, ...], **params: Any) -> tuple:
        (graph, hoisted), active, _ = body_vjp(self, params, wanted)
        condition, constants, carry, _, cts = split(
            (*self.sizes(params), len(operands) - len(wanted)), operands
        )
        _, want_constants, want_carry, _ = split(self.sizes(params), wanted)
        carry_cts = chosen(active, scatter(self.float_results(params), cts))
        totals = [zeros_of(aval_of(x), x) for x in chosen(want_constants, constants)]
        cond, body = params["cond"], params["body"]
        kept = Kept(self.states(params, None))

        def advance(carry: list[Any], first: int, count: int) -> list[Any]:
            for _ in range(count):
                carry = body.evaluate([*constants, *carry])
            return carry

        def back(carry: list[Any], at: int) -> None:
            nonlocal totals, carry_cts
            made = graph.evaluate([*hoisted, *constants, *carry, *carry_cts])
            made = placed(operands, made)
            parts, carry_cts = made[: len(totals)], made[len(totals) :]
            totals = [total + part for total, part in zip(totals, parts, strict=True)]

        with under(EVAL):
            while cond.evaluate([*condition, *carry])[0]:
                kept.offer(carry)
                carry = body.evaluate([*constants, *carry])
            states = self.states(params, kept.length)
            walk_back(kept.carries, kept.length, states, advance, back)
        return (*totals, *chosen(want_carry, scatter(active, carry_cts)))


def _widened(cond: Graph, constants: int, carry: Flags, avals: Sequence[ShapedArray]) -> Graph:
    """A condition among whose inputs are further carries, which it does not read."""
    given = iter(cond.inputs[constants:])
    wide = [next(given) if own else Var(aval) for own, aval in zip(carry, avals, strict=True)]
    return Graph([*cond.inputs[:constants], *wide], [], [], cond.equations, cond.outputs)


scan = Scan("scan")
while_loop = While("while_loop")
scan_vjp = scan.vjp
while_vjp = while_loop.vjp
