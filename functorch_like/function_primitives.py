"""Primitives that carry Python functions: custom rules and checkpoint.

What they share: a function of flat values to be run under whatever trace needs it, batched by
running it inside the batch trace, and staged by staging it into a graph of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import tree
from .arguments import as_array
from .batching import BatchTrace, BatchTracer, SharedTracer
from .forward import ForwardTrace, ForwardTracer
from .graph import Graph, StagingTrace
from .primitives.core import (
    EVAL,
    NO_PARAMS,
    Block,
    EscapedTracerError,
    LinearTrace,
    LinearTracer,
    Primitive,
    Trace,
    Tracer,
    align,
    aval_of,
    beside,
    escaped_message,
    state,
    under,
)
from .primitives.reduction import reduce_sum
from .reverse import ReverseTrace, ReverseTracer, pull_back, push_forward

__all__ = ["FunctionPrimitive"]


class FunctionPrimitive(Primitive):
    """A primitive among whose params are functions of flat values, named in ``functions``.

    The functions may close over tracers of any trace that is current. So each trace, from the
    innermost outwards, handles the primitive whether or not an operand is its own: where one
    is, the subclass's ``record_own`` or ``forward_own`` applies its rule; where none is, the
    functions are made to see through the trace's tracers and the parent is asked, and what they
    closed over is differentiated in the ordinary way.
    """

    __slots__ = ()

    carries_function = True
    functions: tuple[str, ...] = ()

    def __init__(self, name: str) -> None:
        super().__init__(name, kernel=self._call, multiple_results=True)

    @staticmethod
    def _call(*operands: Any, function: Callable, **rules: Any) -> tuple:
        return tuple(function(*operands))

    def record_own(self, trace: Any, primals: Sequence, slots: Sequence, params: dict) -> Any:
        """Reverse mode of operands that are differentiated."""
        raise NotImplementedError

    def forward_own(self, trace: Any, primals: Sequence, tangents: Sequence, params: dict) -> Any:
        """Forward mode of operands that have tangents."""
        raise NotImplementedError

    def record(self, trace: Any, primals: Sequence, slots: Sequence, params: dict) -> Any:
        if any(slot is not None for slot in slots):
            return self.record_own(trace, primals, slots, params)
        outs, capture = self.pass_on(trace, primals, params)
        return record_captured(trace, params["function"], outs, primals, slots, capture)

    def forward(self, trace: Any, primals: Sequence, tangents: Sequence, params: dict) -> Any:
        if any(t is not None for t in tangents):
            return self.forward_own(trace, primals, tangents, params)
        outs, capture = self.pass_on(trace, primals, params)
        if not capture.captured:
            return outs
        again = params["function"](*map(self.guard, primals))
        return join(trace, outs, [strip(trace, x)[1] for x in again])

    @staticmethod
    def guard(x: Any) -> Any:
        """A plain operand as the user's function may see it: a tape may hold it, so read-only."""
        if type(x) is np.ndarray:
            x = x.view()
            x.flags.writeable = False
        return x

    def pass_on(self, trace: Any, operands: Sequence, params: dict) -> tuple[Any, CaptureTrace]:
        """Hand the primitive to the parent, its functions seeing through ``trace``'s tracers."""
        capture = CaptureTrace(trace.parent, trace)
        seeing = {k: seen_through(capture, params[k]) for k in self.functions}
        with under(trace.parent):
            guarded = [self.guard(x) for x in operands]
            outs = trace.parent.process(self, guarded, {**params, **seeing})
        return outs, capture

    def append_staged(
        self,
        trace: StagingTrace,
        graph: Graph,
        constants: Sequence[Any],
        operands: Sequence[Any],
        params: dict,
    ) -> Any:
        """Append the equation of the staged ``graph``: the constants come before the operands."""
        inputs = [trace.operand(x) for x in (*constants, *operands)]
        return trace.append(self, inputs, params, tuple(graph.output_avals))


def evaluated(graph: Graph, constants: Sequence[Any]) -> Callable:
    """A staged graph as a function of flat values."""
    return lambda *values: graph.evaluate(values, constants)


def seen_through(capture: CaptureTrace, function: Callable) -> Callable:
    """``function`` with the tracers of ``capture.target`` replaced by their values."""

    def run(*args: Any) -> Any:
        with entering(capture):
            return tree.map(capture.value, function(*args))

    return run


def inside(trace: BatchTrace, function: Callable, batched: Sequence[bool]) -> Callable:
    """``function`` on values that carry the batch axis of ``trace``; so do its results.

    The trace is entered again, not made anew, so that the function may close over its tracers.
    """

    def entered(*values: Any) -> list[Any]:
        wrapped = [BatchTracer(trace, x) if b else x for x, b in zip(values, batched, strict=True)]
        with entering(trace):
            results = function(*wrapped)
        return [trace.unwrap(x) for x in results]

    return entered


class entering:  # noqa: N801  (reads as a statement)
    """Make a trace current on top of whatever is current now."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace

    def __enter__(self) -> None:
        self.parent = self.trace.parent
        self.current = state.trace
        if self.current is not self.trace:
            self.trace.parent = self.current
        state.trace = self.trace

    def __exit__(self, *exc: object) -> None:
        self.trace.parent = self.parent
        state.trace = self.current


def sum_over_batch(cts: Sequence[Any], batched: Sequence[bool]) -> list[Any]:
    """Cotangents of operands, summed over the batch for those the batch shares."""
    return [
        ct if b or ct is None else reduce_sum(ct, axes=(0,))
        for ct, b in zip(cts, batched, strict=True)
    ]


def strip(trace: Trace, x: Any) -> tuple[Any, Any]:
    """A result as a value of the parent trace and its slot or tangent in ``trace``."""
    if type(x) is ReverseTracer and x._trace is trace:
        return x.primal, x.slot
    if type(x) is ForwardTracer and x._trace is trace:
        return x.primal, x.tangent
    if isinstance(x, Tracer) and not trace.inside(x._trace):
        raise EscapedTracerError(
            f"{escaped_message(x)} (A function with a custom derivative closes over it: pass it "
            "as an argument.)"
        )
    return as_array(x), None


class CaptureTrace(Trace):
    """Sees through the tracers of ``target``, to which a function closes over: uses their values.

    It computes what is done to them in the sense of its parent and notes which were met.
    """

    __slots__ = ("captured", "target")

    def __init__(self, parent: Trace, target: Any) -> None:
        super().__init__(parent, target.label)
        self.target = target
        self.captured: dict[Any, Any] = {}

    def process(self, primitive: Primitive, operands: Sequence[Any], params: dict) -> Any:
        values = [self.value(x) for x in operands]
        if isinstance(primitive, FunctionPrimitive):
            seeing = {k: seen_through(self, params[k]) for k in primitive.functions}
            with under(self.parent):
                return self.parent.process(primitive, values, {**params, **seeing})
        return self.parent.process(primitive, values, params)

    # On plain arrays, without the detour.

    def unary(self, primitive: Primitive, x: Any) -> Any:
        x = self.value(x)
        if self.parent is EVAL and not isinstance(x, Tracer):
            return primitive.kernel(x)
        return self.process(primitive, (x,), NO_PARAMS)

    def binary(self, primitive: Primitive, x: Any, y: Any) -> Any:
        x, y = self.value(x), self.value(y)
        if self.parent is EVAL and not (isinstance(x, Tracer) or isinstance(y, Tracer)):
            return primitive.kernel(x, y)
        return self.process(primitive, align((x, y)), NO_PARAMS)

    def value(self, x: Any) -> Any:
        if isinstance(self.target, RerunTrace):
            x = self.target.value(x)
        if type(x) is ReverseTracer and x._trace is self.target:
            if x.slot is not None:
                self.captured[x.slot] = x
            return x.primal
        if type(x) is ForwardTracer and x._trace is self.target:
            if x.tangent is not None:
                self.captured[id(x)] = x
            return x.primal
        if type(x) is SharedTracer and x._trace is self.target:
            return x.value
        return x

    def constant(self, value: Any) -> Any:
        return self.parent.constant(value) if hasattr(self.parent, "constant") else value


def transpose_linear(
    pull: Callable[[list], Sequence[Any]], outputs: Sequence[Any], tangents: Sequence[Any]
) -> list[Any]:
    """Apply the transpose of a linear ``pull`` (cotangents to cotangents) to tangents."""
    trace = LinearTrace(state.trace, [], ("transpose", pull))
    cts: list[Any] = []
    for out in outputs:
        if out.dtype.kind in "fc":
            cts.append(trace.new(out.shape, out.dtype, None))
        else:
            cts.append(beside(out, np.zeros(out.shape, out.dtype)))
    with under(trace):
        parts = pull(cts)
    seeds = [
        (part.slot, t)
        for part, t in zip(parts, tangents, strict=True)
        if t is not None and type(part) is LinearTracer and part._trace is trace
    ]
    slots = [ct.slot if type(ct) is LinearTracer else None for ct in cts]
    found = iter(pull_back(trace.tape, seeds, [s for s in slots if s is not None]))
    return [None if slot is None else next(found) for slot in slots]


def link(
    trace: ReverseTrace,
    outs: Sequence[Any],
    slots: Sequence[int | None],
    pull: Callable[[list], Sequence[Any]],
    push: Callable[[list], Sequence[Any]],
) -> tuple:
    """Record results whose derivative in the operands at ``slots`` is given by functions.

    Results that depend on the trace in their own right, through closed-over tracers, keep that
    dependence beside the custom one.
    """
    stripped = [strip(trace, x) for x in outs]
    own = [slot for slot in slots if slot is not None]
    own += [slot for _, slot in stripped if slot is not None]

    def block_pull(cts: list) -> list:
        full = [
            beside(x, np.zeros(x.shape, x.dtype)) if ct is None else ct
            for ct, (x, _) in zip(cts, stripped, strict=True)
        ]
        capture = CaptureTrace(state.trace, trace)
        with under(capture):
            parts = [capture.value(x) for x in pull(full)]
        found = [part for part, slot in zip(parts, slots, strict=True) if slot is not None]
        return found + [ct for ct, (_, slot) in zip(cts, stripped, strict=True) if slot is not None]

    def block_push(ts: list) -> list:
        given = iter(ts)
        tangents = [None if slot is None else next(given) for slot in slots]
        capture = CaptureTrace(state.trace, trace)
        with under(capture):
            pushed = [capture.value(x) for x in push(tangents)]
        for k, (_, slot) in enumerate(stripped):
            if slot is not None:
                through = next(given)
                if through is not None:
                    pushed[k] = through if pushed[k] is None else pushed[k] + through
        return pushed

    first = len(trace.tape)
    trace.tape.append(Block(own, len(outs), block_pull, block_push))
    trace.tape.extend(() for _ in outs[1:])
    return tuple(
        ReverseTracer(trace, x, first + k) if x.dtype.kind in "fc" else x
        for k, (x, _) in enumerate(stripped)
    )


class RerunTrace(ReverseTrace):
    """Records a second run, in which captured tracers stand for inputs of this record."""

    __slots__ = ("captured", "target")

    def __init__(self, target: ReverseTrace, captured: Sequence[tuple[int, Any]]) -> None:
        super().__init__(state.trace, target.label)
        self.target = target
        self.captured = {slot: self.new(value, None).slot for slot, value in captured}

    def process(self, primitive: Primitive, operands: Sequence[Any], params: dict) -> Any:
        values = [self.value(x) for x in operands]
        if isinstance(primitive, FunctionPrimitive):
            seeing = {k: self._seen(params[k]) for k in primitive.functions}
            return super().process(primitive, values, {**params, **seeing})
        return super().process(primitive, values, params)

    def unary(self, primitive: Any, x: Any) -> Any:
        return super().unary(primitive, self.value(x))

    def binary(self, primitive: Any, x: Any, y: Any) -> Any:
        return super().binary(primitive, self.value(x), self.value(y))

    def _seen(self, function: Callable) -> Callable:
        return lambda *args: tree.map(self.value, function(*args))

    def value(self, x: Any) -> Any:
        if isinstance(self.target, RerunTrace):  # a checkpoint within one that runs again
            x = self.target.value(x)
        if type(x) is ReverseTracer and x._trace is self.target:
            if x.slot is None:
                return x.primal
            slot = self.captured.get(x.slot)
            if slot is None:
                raise EscapedTracerError(
                    f"{self.name}: a function under checkpoint read other traced values when it "
                    "ran again, in the backward pass, than when it ran first: a variable that it "
                    "closes over was assigned in between; pass that value as an argument."
                )
            return ReverseTracer(self, x.primal, slot)
        return x


def record_captured(
    trace: ReverseTrace,
    function: Callable,
    outs: Sequence[Any],
    primals: Sequence[Any],
    slots: Sequence[int | None],
    capture: CaptureTrace,
) -> Any:
    """Record results whose derivative is that of running ``function`` once more.

    It is taken in the operands at ``slots`` and in the tracers the function closed over.
    """
    captured = [(slot, x.primal) for slot, x in capture.captured.items()]
    inputs = [slot for slot in slots if slot is not None] + [slot for slot, _ in captured]
    if not inputs:
        return tuple(outs)

    def rerun() -> tuple[list, list, list]:
        again = RerunTrace(trace, captured)
        xs = [
            x if slot is None else again.new(x, None)
            for x, slot in zip(primals, slots, strict=True)
        ]
        # Before the function runs: it may assign to its arguments, which then have other slots.
        ins = [x.slot for x, slot in zip(xs, slots, strict=True) if slot is not None]
        ins += list(again.captured.values())
        with under(again):
            results = [again.value(x) for x in function(*xs)]
        own = [x.slot if type(x) is ReverseTracer and x._trace is again else None for x in results]
        return again.tape, ins, own

    def pull(cts: list) -> list:
        tape, ins, own = rerun()
        return pull_back(
            tape, [(s, c) for s, c in zip(own, cts, strict=True) if s is not None], ins
        )

    def push(ts: list) -> list:
        tape, ins, own = rerun()
        seeds = [(s, t) for s, t in zip(ins, ts, strict=True) if t is not None]
        found = iter(push_forward(tape, seeds, [s for s in own if s is not None]))
        return [None if s is None else next(found) for s in own]

    return link(trace, outs, inputs, pull, push)


def join(trace: ForwardTrace, outs: Sequence[Any], tangents: Sequence[Any]) -> tuple:
    """Forward results from values and the tangents a custom rule gave; see ``link``."""
    made = []
    for out, t in zip(outs, tangents, strict=True):
        x, through = strip(trace, out)
        if t is not None:
            t, _ = strip(trace, t)
        if through is not None:
            with under(trace.parent):
                t = through if t is None else t + through
        made.append(x if t is None else ForwardTracer(trace, x, t))
    return tuple(made)


def stage_function(
    trace: StagingTrace, function: Callable, avals: Sequence[Any]
) -> tuple[Graph, StagingTrace, list]:
    """Stage a function into a graph whose constants are what it captured from outside."""
    inner = StagingTrace(trace, trace.label)
    inputs = [inner.input(a) for a in avals]
    with under(inner):
        outputs = list(function(*inputs))
    return inner.graph(inputs, outputs), inner, outputs


def avals_of(operands: Sequence[Any]) -> list:
    """Shapes and dtypes of operands."""
    return [aval_of(as_array(x)) for x in operands]
