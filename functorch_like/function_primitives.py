"""Primitives that carry Python functions: custom rules and checkpoint.

What they share: a function of flat values to be run under whatever trace needs it, batched by
running it inside the batch trace, and staged by staging it into a graph of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .arguments import as_array
from .batching import BatchTrace, BatchTracer
from .forward import ForwardTrace, ForwardTracer
from .graph import Graph, StagingTrace
from .primitives.core import (
    Block,
    EscapedTracerError,
    LinearTrace,
    LinearTracer,
    Primitive,
    Trace,
    Tracer,
    aval_of,
    escaped_message,
    state,
    under,
)
from .primitives.reduction import reduce_sum
from .reverse import ReverseTrace, ReverseTracer, pull_back

__all__ = ["FunctionPrimitive"]


class FunctionPrimitive(Primitive):
    """A primitive among whose params are functions of flat values.

    Subclasses say what reverse and forward mode do; ``functions`` names the params that take
    operands, or residuals and cotangents, and return flat lists.
    """

    __slots__ = ()

    carries_function = True

    def __init__(self, name: str) -> None:
        super().__init__(name, kernel=self._call, multiple_results=True)

    @staticmethod
    def _call(*operands: Any, function: Callable, **rules: Any) -> tuple:
        return tuple(function(*operands))


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
    """Make a batch trace current on top of whatever is current now."""

    def __init__(self, trace: BatchTrace) -> None:
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
    if isinstance(x, Tracer) and not _outside(trace, x._trace):
        raise EscapedTracerError(
            f"{escaped_message(x)} (A function with a custom derivative closes over it: pass it "
            "as an argument.)"
        )
    return as_array(x), None


def _outside(trace: Trace, other: Trace) -> bool:
    outer = trace.parent
    while outer is not None:
        if outer is other:
            return True
        outer = outer.parent
    return False


class CaptureTrace(Trace):
    """Sees through the tracers of ``target``, to which a function closes over: uses their values.

    It computes what is done to them in the sense of its parent and notes which were met.
    """

    __slots__ = ("captured", "target")

    def __init__(self, parent: Trace, target: Any) -> None:
        super().__init__(parent, target.name)
        self.target = target
        self.captured: dict[int, ReverseTracer] = {}

    def process(self, primitive: Primitive, operands: Sequence[Any], params: dict) -> Any:
        return self.parent.process(primitive, [self.value(x) for x in operands], params)

    def value(self, x: Any) -> Any:
        if type(x) is ReverseTracer and x._trace is self.target:
            if x.slot is not None:
                self.captured[x.slot] = x
            return x.primal
        return x.primal if type(x) is ForwardTracer and x._trace is self.target else x

    def constant(self, value: Any) -> Any:
        return self.parent.constant(value) if hasattr(self.parent, "constant") else value


def transpose_linear(
    pull: Callable[[list], Sequence[Any]], outputs: Sequence[Any], tangents: Sequence[Any]
) -> list[Any]:
    """Apply the transpose of a linear ``pull`` (cotangents to cotangents) to tangents."""
    trace = LinearTrace(state.trace, [], "transpose of a backward function")
    cts = []
    for out in outputs:
        if out.dtype.kind in "fc":
            cts.append(trace.new(out.shape, out.dtype, None))
        else:
            cts.append(np.zeros(out.shape, out.dtype))
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
            np.zeros(x.shape, x.dtype) if ct is None else ct
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
    inner = StagingTrace(trace, trace.name)
    inputs = [inner.input(a) for a in avals]
    with under(inner):
        outputs = list(function(*inputs))
    return inner.graph(inputs, outputs), inner, outputs


def avals_of(operands: Sequence[Any]) -> list:
    """Shapes and dtypes of operands."""
    return [aval_of(as_array(x)) for x in operands]
