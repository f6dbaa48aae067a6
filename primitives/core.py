"""Primitives, traces and tracers: the three ideas everything else is made of.

A *primitive* is an operation that can be differentiated, batched and staged; its rules are
fields of one declaration. A *trace* says what an operation means now: evaluate it, push a
tangent through it, record it, batch it, write it into a graph. A *tracer* stands for an
array inside a trace.

``primitive(x, y)`` hands the operation to the current trace. A trace whose tracers are not
among the operands passes it on to its parent, up to ``EVAL``, which runs the kernel. Rules
are themselves written in primitives and run under the parent of the trace that applies
them. So nesting needs no level numbers: in ``grad(lambda x: x * grad(lambda y: x + y)(1.0))``
the inner trace's parent is the outer trace, ``x`` is no tracer of the inner trace, and what
is done to ``x`` goes to the outer one. Perturbations cannot be confused because a tracer
belongs to exactly one trace, by identity.
"""

from __future__ import annotations

import dis
import inspect
import threading
import types
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..kernels.device import is_gpu

__all__ = [
    "EVAL",
    "Block",
    "Choice",
    "Elementwise",
    "EscapedTracerError",
    "General",
    "Linear",
    "LinearTrace",
    "LinearTracer",
    "Multilinear",
    "Nondifferentiable",
    "PrimalTracer",
    "Primitive",
    "ShapedArray",
    "Trace",
    "Tracer",
    "beside",
    "current_trace",
    "dtype_of",
    "elementwise",
    "on_arrays",
    "registry",
    "shape_of",
    "under",
]

NO_PARAMS: dict[str, Any] = {}


class EscapedTracerError(TypeError):
    """A tracer was used after, or outside of, the transform that made it."""


class ShapedArray:
    """The shape and dtype of an array, without its values."""

    __slots__ = ("dtype", "shape")

    def __init__(self, shape: Sequence[int], dtype: Any) -> None:
        self.shape = tuple(shape)
        self.dtype = np.dtype(dtype)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))

    def __repr__(self) -> str:
        kind = {"f": "f", "c": "c", "i": "i", "u": "u", "b": "bool"}.get(self.dtype.kind)
        name = str(self.dtype) if kind is None else kind
        if kind is not None and kind != "bool":
            name = f"{kind}{8 * self.dtype.itemsize}"
        return f"{name}[{','.join(map(str, self.shape))}]"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ShapedArray):
            return NotImplemented
        return self.shape == other.shape and self.dtype == other.dtype

    def __hash__(self) -> int:
        return hash((self.shape, self.dtype))


_PYTHON_SCALARS: dict[type, np.dtype] = {
    bool: np.dtype(bool),
    int: np.dtype(np.int64),
    float: np.dtype(np.float64),
    complex: np.dtype(np.complex128),
}


def shape_of(x: Any) -> tuple[int, ...]:
    """Shape of an array, a tracer or a Python scalar."""
    return () if type(x) in _PYTHON_SCALARS else x.shape


def dtype_of(x: Any) -> np.dtype:
    """Dtype of an array, a tracer or a Python scalar."""
    dtype = _PYTHON_SCALARS.get(type(x))
    return x.dtype if dtype is None else dtype


# --------------------------------------------------------------------------------------
# Traces and tracers


class Trace:
    """What an operation means. ``parent`` is the trace that was current when this began."""

    __slots__ = ("label", "parent")

    stages = False  # whether it writes operations down instead of computing

    def __init__(self, parent: Trace | None, label: tuple[str, Any]) -> None:
        self.parent: Any = parent
        self.label = label

    @property
    def staged(self) -> bool:
        """Whether what is done is written down, here or in a trace around this one."""
        trace: Any = self
        while trace is not None and not trace.stages:
            trace = trace.parent
        return trace is not None

    @property
    def name(self) -> str:
        """The transform and the user's function, for messages."""
        transform, f = self.label
        return f"{transform}({getattr(f, '__name__', None) or type(f).__name__})"

    def inside(self, trace: Trace) -> bool:
        """Whether ``trace`` is one of those that were current when this one began."""
        outer = self.parent
        while outer is not None:
            # One that sees through another's tracers (``target``) takes them as its own.
            if outer is trace or getattr(outer, "target", None) is trace:
                return True
            outer = outer.parent
        return False

    def process(self, primitive: Primitive, operands: Sequence[Any], params: dict) -> Any:
        """Apply ``primitive`` in the sense of this trace."""
        raise NotImplementedError

    def constant(self, value: Any) -> Any:
        """A plain array as a tracer that can be assigned to, where the trace has such."""
        return value

    # The two shapes of an elementwise call, which a trace may take a shorter way.

    def unary(self, primitive: Primitive, x: Any) -> Any:
        return self.process(primitive, (x,), NO_PARAMS)

    def binary(self, primitive: Primitive, x: Any, y: Any) -> Any:
        return self.process(primitive, align((x, y)), NO_PARAMS)


class _State(threading.local):
    """The current trace, one a thread: transforms in different threads never meet."""

    trace: Trace

    def __init__(self) -> None:
        self.trace = EVAL


def current_trace() -> Trace:
    """The trace to which operations go now."""
    return state.trace


class _Watch(threading.local):
    """What ``debug_nans`` puts in place while it is on, in this thread."""

    evaluate: Any = None  # evaluates the equations of graphs
    tape: Any = None  # makes the tapes of reverse mode
    line: Any = None  # tells the line that operations belong to
    checks: Any = None  # the kinds of checks that ``checkify`` makes now


class under:  # noqa: N801  (reads as a statement: ``with under(trace):``)
    """Context manager that makes ``trace`` the current one."""

    __slots__ = ("saved", "trace")

    def __init__(self, trace: Trace) -> None:
        self.trace = trace

    def __enter__(self) -> Trace:
        self.saved = state.trace
        state.trace = self.trace
        return self.trace

    def __exit__(self, *exc: object) -> None:
        state.trace = self.saved


class Tracer:
    """Stands for an array inside ``trace``.

    The array protocol (operators, methods, NumPy dispatch) is attached by
    ``functorch_like.numpy``; subclasses add what their trace keeps, and ``shape`` and
    ``dtype``.
    """

    # ``_view``, ``_views`` and ``_shares`` exist only on tracers that are views, have some, or may
    # be one array with others: see functorch_like.numpy.views.
    __slots__ = ("__weakref__", "_shares", "_trace", "_view", "_views")

    _trace: Trace
    _view: Any
    _views: list
    _shares: list
    shape: Any
    dtype: Any
    # A Python number whose dtype is weak (NEP 50), if the tracer stands for a Python number.
    weak: Any = None
    __hash__ = None  # type: ignore[assignment]

    if TYPE_CHECKING:  # the ndarray interface, attached by functorch_like.numpy

        def __getattr__(self, name: str) -> Any: ...
        def __getitem__(self, index: Any) -> Any: ...
        def __iter__(self) -> Any: ...

    def concrete(self) -> Any:
        """The value this tracer stands for, if its trace knows one, else None."""
        return None

    def constant(self) -> bool:
        """Whether it is known to carry no derivative, so that its value may be taken."""
        return False

    def held(self) -> Any:
        """What it is in the parent trace (of a batch, all of it), or None if it is nothing."""
        return None


class PrimalTracer(Tracer):
    """A tracer that knows its value: ``primal``, in the parent trace."""

    __slots__ = ("primal",)

    primal: Any

    @property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]
        return self.primal.shape

    @property
    def dtype(self) -> np.dtype:  # type: ignore[override]
        return self.primal.dtype

    @property
    def weak(self) -> Any:  # type: ignore[override]
        return self.primal.weak if isinstance(self.primal, Tracer) else None

    def concrete(self) -> Any:
        primal = self.primal
        return primal.concrete() if isinstance(primal, Tracer) else primal

    def constant(self) -> bool:
        primal = self.primal
        return not isinstance(primal, Tracer) or primal.constant()

    def held(self) -> Any:
        return self.primal


class _EvalTrace(Trace):
    """The bottom of every chain of traces: runs kernels."""

    __slots__ = ()

    def process(self, primitive: Primitive, operands: Sequence[Any], params: dict) -> Any:
        for x in operands:
            if isinstance(x, Tracer):
                raise EscapedTracerError(escaped_message(x))
        return primitive.kernel(*operands, **params)


def escaped_message(tracer: Tracer) -> str:
    """Explain how a tracer can turn up outside its transform."""
    if tracer._trace is LOST:
        return (
            f"a traced array of shape {tracer.shape} is read after it may have been written by "
            "another name, in a branch or loop that depends on traced values; give the two names "
            "arrays of their own, y = x.copy()."
        )
    return (
        f"{tracer._trace.name}: a traced array of shape {tracer.shape} and dtype {tracer.dtype} "
        "was used outside the call that traced it; it was probably kept in a global, a list or "
        "an attribute, or closed over by a function that runs later. Return it from the "
        "function (has_aux=True passes extra results) or pass it in as an argument."
    )


EVAL: Trace = _EvalTrace(None, ("eval", None))
LOST: Trace = Trace(None, ("lost", None))  # of tracers whose value can no longer be told
state = _State()
watch = _Watch()


# --------------------------------------------------------------------------------------
# Primitives

registry: dict[str, Primitive] = {}


class Primitive:
    """An operation with its rules; subclasses are the families of ``design``.

    Parameters
    ----------
    name
        Unique name, printed in graphs.
    kernel
        ``kernel(*arrays, **params)`` computes the value, on NumPy or CuPy arrays.
    abstract
        ``abstract(*avals, **params) -> ShapedArray`` (or a tuple of them).
    batch
        ``batch(size, operands, batched, **params)``: the operation with a leading batch
        axis on the operands flagged in ``batched``; every result has a leading batch axis.
    """

    __slots__ = ("abstract", "batch", "kernel", "multiple_results", "name")

    def __init__(
        self,
        name: str,
        kernel: Callable,
        abstract: Callable | None = None,
        batch: Callable | None = None,
        multiple_results: bool = False,
    ) -> None:
        if name in registry:
            raise ValueError(f"Primitive: {name!r} is declared twice")
        self.name = name
        self.kernel = kernel
        self.abstract: Any = abstract
        self.batch: Any = batch
        self.multiple_results = multiple_results
        registry[name] = self

    def __call__(self, *operands: Any, **params: Any) -> Any:
        return state.trace.process(self, operands, params)

    def __repr__(self) -> str:
        return self.name

    # What the two derivative traces ask. ``slots`` holds a tape position where an operand
    # is differentiated and None elsewhere; ``tangents`` likewise.

    def jvp(self, primals: Sequence, tangents: Sequence, params: dict) -> tuple[Any, Any]:
        """Value and tangent; runs with the parent of the forward trace current."""
        raise NotImplementedError

    def record(self, trace: Any, primals: Sequence, slots: Sequence, params: dict) -> Any:
        """Compute the value under ``trace.parent`` and record the linear part on the tape."""
        raise NotImplementedError

    def record_linear(self, trace: Any, operands: Sequence, params: dict) -> Any:
        """Record an operation on tangents, in which it must be linear."""
        raise TypeError(
            f"{trace.name}: the operation {self.name} is not linear in the values it was given"
        )

    # Primitives that carry a function (custom rules, checkpoint) handle a trace themselves,
    # because their functions may close over its tracers.

    carries_function = False

    # Whether it does something besides giving results: then it stays where nobody reads them.
    effect = False

    def forward(self, trace: Any, primals: Sequence, tangents: Sequence, params: dict) -> Any:
        """Results, as tracers of ``trace``; the forward trace's side of ``record``."""
        raise NotImplementedError

    def stage(self, trace: Any, operands: Sequence, params: dict) -> Any:
        """Write the operation into the graph that ``trace`` is building."""
        return trace.add(self, operands, params)

    def evaluate(self, operands: Sequence, params: dict) -> Any:
        """Apply an equation of a graph to values."""
        return self(*operands, **params)


# A tape is a list with one entry a recorded array; the position in the list is the array's
# slot. An entry is a tuple of contributions (slot_in, pull, push, args, accumulate, quick):
#   pull(ct, *args)  is what a cotangent of this array adds to that of slot_in,
#   push(t, *args)   is what a tangent of slot_in adds to that of this array,
#   accumulate(buffer, ct, *args)  adds pull's result to a plain buffer in place, or None,
#   quick            is pull for the case that everything is a plain array.
# Operations with several results, or that carry functions, are Blocks.


class Block:
    """A linear operation with several inputs and outputs on the tape.

    It stands at the slot of its first output; the slots of the others hold ``()``.
    """

    __slots__ = ("count", "inputs", "pull", "push")

    def __init__(self, inputs: Sequence[int], count: int, pull: Callable, push: Callable) -> None:
        self.inputs = inputs
        self.count = count
        self.pull = pull  # list of cotangents (None: zero) -> list of cotangents
        self.push = push  # list of tangents (None: zero) -> list of tangents


class Choice(tuple):
    """The contributions of a selection, which leave cotangents out where it did not choose.

    What is left out is no zero that something may be multiplied by: see ``masked``.
    """

    __slots__ = ()


class LinearTracer(Tracer):
    """A tangent that is being recorded: a slot on a tape, with no value."""

    __slots__ = ("dtype", "shape", "slot")

    def __init__(self, trace: Trace, shape: tuple[int, ...], dtype: Any, slot: int) -> None:
        self._trace = trace
        self.shape = shape
        self.dtype = dtype
        self.slot = slot


class LinearTrace(Trace):
    """Records linear operations on a tape, to be transposed or replayed."""

    __slots__ = ("tape",)

    def __init__(self, parent: Trace, tape: list, label: tuple[str, Any]) -> None:
        self.parent = parent
        self.tape = tape
        self.label = label

    def new(self, shape: tuple[int, ...], dtype: Any, entry: Any) -> LinearTracer:
        self.tape.append(entry)
        return LinearTracer(self, shape, dtype, len(self.tape) - 1)

    def process(self, primitive: Primitive, operands: Sequence[Any], params: dict) -> Any:
        for x in operands:
            if type(x) is LinearTracer and x._trace is self:
                return primitive.record_linear(self, operands, params)
        return self.parent.process(primitive, operands, params)

    def slots(self, operands: Sequence[Any]) -> list[int | None]:
        return [x.slot if type(x) is LinearTracer and x._trace is self else None for x in operands]


def aval_of(x: Any) -> ShapedArray:
    """ShapedArray of an operand."""
    return ShapedArray(shape_of(x), dtype_of(x))


def _batched_elementwise(primitive: Primitive) -> Callable:
    def batch(size: int, operands: Sequence, batched: Sequence[bool], **params: Any) -> Any:
        shape = next(
            shape_of(x) for x, is_batched in zip(operands, batched, strict=True) if is_batched
        )
        # NumPy aligns trailing axes, so an unbatched constant needs nothing; a tracer is
        # differentiated or staged by somebody and must have the full shape.
        full = [
            x
            if is_batched or not isinstance(x, Tracer)
            else registry["broadcast_to"](x, shape=shape)
            for x, is_batched in zip(operands, batched, strict=True)
        ]
        return primitive(*full, **params)

    return batch


def on_arrays(function: Any) -> Any:
    """A rule's twin for plain arrays: the same code with primitives' names bound to kernels.

    At the bottom of the chain of traces a primitive only hands its operands to its kernel;
    eager gradients spend much of their time there. Helpers that the rule calls are twinned
    with it.
    """
    if not isinstance(function, types.FunctionType):
        return function
    names = _twin_namespaces.get(id(function.__globals__))
    if names is None:
        names = _twin_namespaces[id(function.__globals__)] = _Twins(function.__globals__)
    return names.twin(function)


def _reads(rule: Any, count: int) -> tuple[bool, ...]:
    """Which of its ``count`` parameters after the first a rule reads."""
    code = getattr(rule, "__code__", None)
    if code is None or code.co_argcount != count + 1 or code.co_flags & inspect.CO_VARARGS:
        return (True,) * count
    names = {i.argval for i in dis.get_instructions(code)} | set(code.co_cellvars)
    return tuple(name in names for name in code.co_varnames[1 : code.co_argcount])


class _Twins:
    """A module's namespace as ``on_arrays`` shows it to the module's rules."""

    def __init__(self, original: dict[str, Any]) -> None:
        self.names = dict(original)
        self.made: dict[types.FunctionType, types.FunctionType] = {}
        for name, value in original.items():
            if isinstance(value, Primitive):
                self.names[name] = value.kernel
            elif (
                isinstance(value, types.FunctionType)
                and value.__globals__ is original
                and not name.startswith("__")
            ):
                self.names[name] = self.twin(value)
            elif isinstance(value, types.FunctionType) and value.__module__.startswith(_OURS):
                self.names[name] = on_arrays(value)

    def twin(self, function: types.FunctionType) -> types.FunctionType:
        made = self.made.get(function)
        if made is None:
            made = types.FunctionType(
                function.__code__,
                self.names,
                function.__name__,
                function.__defaults__,
                function.__closure__,
            )
            made.__kwdefaults__ = function.__kwdefaults__
            self.made[function] = made
        return made


_OURS = __name__.rpartition(".")[0] + "."
_twin_namespaces: dict[int, _Twins] = {}


class Elementwise(Primitive):
    """Acts on each element alone.

    ``rules[i](t, answer, *operands)`` is the contribution of operand ``i``'s tangent ``t``.
    The Jacobian is diagonal, so the same rule serves a cotangent. A rule is None where
    the derivative is zero everywhere; ``rules=None`` means no operand has one.
    ``linear`` names the operands in which the operation is linear: in each with the others
    held fixed, or ``jointly`` in all of them at once.

    Calling it broadcasts and promotes the operands that are traced (see ``align``);
    constants are left to NumPy.
    """

    __slots__ = ("arity", "jointly", "keep", "linear", "quick", "rules")

    def __init__(
        self,
        name: str,
        kernel: Callable,
        rules: Sequence[Callable | None] | None,
        arity: int | None = None,
        linear: Sequence[int] = (),
        jointly: bool = False,
        abstract: Callable | None = None,
    ) -> None:
        super().__init__(name, kernel, abstract or ufunc_abstract(kernel))
        self.batch = _batched_elementwise(self)
        self.rules = None if rules is None else tuple(rules)
        self.quick: Any = None  # the rules' twins, made when first needed, and with them
        self.keep: Any = None  # which of (answer, *operands) the rules read: the rest is let go
        self.arity = arity if arity is not None else len(rules or ())
        self.linear = frozenset(linear)
        self.jointly = jointly

    def __call__(self, *operands: Any) -> Any:  # type: ignore[override]
        trace = state.trace
        if trace is EVAL:
            return self.kernel(*operands)
        return trace.process(self, self.align(operands), NO_PARAMS)

    def align(self, operands: tuple) -> tuple:
        """Operands with the traced ones at the shape and dtype of the result."""
        return align(operands)

    def jvp(self, primals: Sequence, tangents: Sequence, params: dict) -> tuple[Any, Any]:
        answer = self(*primals)
        if self.rules is None:
            return answer, None
        primals = strong(primals, answer.dtype)
        total = None
        for rule, t in zip(self.rules, tangents, strict=True):
            if t is not None and rule is not None:
                part = rule(t, answer, *primals)
                total = part if total is None else registry["add"](total, part)
        return answer, total

    def quick_rules(self) -> tuple:
        """The rules' twins on plain arrays; see ``on_arrays``."""
        if self.quick is None:
            rules = self.rules or (None,) * self.arity
            read = [_reads(rule, self.arity + 1) for rule in rules if rule is not None]
            self.keep = tuple(any(r[i] for r in read) for i in range(self.arity + 1))
            self.quick = tuple(map(on_arrays, rules))
        return self.quick

    def record(self, trace: Any, primals: Sequence, slots: Sequence, params: dict) -> Any:
        answer = trace.parent.process(self, primals, NO_PARAMS)
        if self.rules is None:
            return answer
        quick_rules = self.quick_rules()
        primals = strong(primals, answer.dtype)
        args = tuple([x if k else None for x, k in zip((answer, *primals), self.keep, strict=True)])
        entry = tuple(
            [
                (slot, rule, rule, args, None, quick)
                for slot, rule, quick in zip(slots, self.rules, quick_rules, strict=True)
                if slot is not None and rule is not None
            ]
        )
        return trace.new(answer, entry) if entry else answer

    def record_linear(self, trace: Any, operands: Sequence, params: dict) -> Any:
        slots = trace.slots(operands)
        traced = {i for i, slot in enumerate(slots) if slot is not None}
        constant = self.linear - traced
        if not traced <= self.linear or (
            any(not is_zero(operands[i]) for i in constant) if self.jointly else len(traced) > 1
        ):
            return super().record_linear(trace, operands, params)
        # Traced operands have the result's shape and dtype: see ``align``.
        t = operands[min(traced)]
        args = (
            None,
            *(None if slot is not None else x for slot, x in zip(slots, operands, strict=True)),
        )
        rules: Any = self.rules
        entry = tuple((slots[i], rules[i], rules[i], args, None, rules[i]) for i in sorted(traced))
        return trace.new(t.shape, t.dtype, entry)


class Unary(Elementwise):
    """Elementwise in one operand."""

    __slots__ = ()

    def __call__(self, x: Any) -> Any:  # type: ignore[override]
        trace = state.trace
        return self.kernel(x) if trace is EVAL else trace.unary(self, x)


class Binary(Elementwise):
    """Elementwise in two operands."""

    __slots__ = ()

    def __call__(self, x: Any, y: Any) -> Any:  # type: ignore[override]
        trace = state.trace
        return self.kernel(x, y) if trace is EVAL else trace.binary(self, x, y)


def elementwise(
    name: str,
    kernel: Callable,
    rules: Sequence[Callable | None] | None,
    arity: int = 0,
    **more: Any,
) -> Elementwise:
    """Declare an elementwise primitive of as many operands as there are rules."""
    count = arity if rules is None else len(rules)
    family = {1: Unary, 2: Binary}.get(count, Elementwise)
    return family(name, kernel, rules, arity=count, **more)


class Nondifferentiable(Primitive):
    """Its results carry no derivative: comparisons, rounding, argsort, integer functions."""

    __slots__ = ()

    def jvp(self, primals: Sequence, tangents: Sequence, params: dict) -> tuple[Any, Any]:
        answer = self(*primals, **params)
        return answer, ((None,) * len(answer) if self.multiple_results else None)

    def record(self, trace: Any, primals: Sequence, slots: Sequence, params: dict) -> Any:
        return trace.parent.process(self, primals, params)


class Linear(Primitive):
    """Linear in its first operand; further operands (indices) are not differentiated.

    ``transpose(ct, shape, dtype, *rest, **params)`` maps a cotangent of the result to one of
    the operand, whose shape and dtype are given. ``accumulate(buffer, ct, shape, dtype,
    *rest, **params)`` may add that to a plain array in place.
    """

    __slots__ = ("accumulate", "pull", "push", "transpose")

    def __init__(
        self,
        name: str,
        kernel: Callable,
        abstract: Callable,
        transpose: Callable,
        batch: Callable,
        accumulate: Callable | None = None,
    ) -> None:
        super().__init__(name, kernel, abstract, batch)
        self.transpose = transpose

        def pull(ct: Any, shape: tuple, dtype: Any, rest: Sequence, params: dict) -> Any:
            return transpose(ct, shape, dtype, *rest, **params)

        def push(t: Any, shape: tuple, dtype: Any, rest: Sequence, params: dict) -> Any:
            return self(t, *rest, **params)

        def add_to(buffer: Any, ct: Any, shape: tuple, dtype: Any, rest: Any, params: dict) -> None:
            accumulate(buffer, ct, shape, dtype, *rest, **params)  # type: ignore[misc]

        self.pull = pull
        self.push = push
        self.accumulate = None if accumulate is None else add_to

    def jvp(self, primals: Sequence, tangents: Sequence, params: dict) -> tuple[Any, Any]:
        t = tangents[0]
        tangent = None if t is None else self(t, *primals[1:], **params)
        return self(*primals, **params), tangent

    def _entry(self, x: Any, slot: int, rest: Sequence, params: dict) -> tuple:
        args = (x.shape, x.dtype, rest, params)
        return ((slot, self.pull, self.push, args, self.accumulate, self.pull),)

    def record(self, trace: Any, primals: Sequence, slots: Sequence, params: dict) -> Any:
        if trace.parent is EVAL:
            answer = self.kernel(*primals, **params)
        else:
            answer = trace.parent.process(self, primals, params)
        if slots[0] is None:
            return answer
        return trace.new(answer, self._entry(primals[0], slots[0], primals[1:], params))

    def record_linear(self, trace: Any, operands: Sequence, params: dict) -> Any:
        slots = trace.slots(operands)
        if any(slot is not None for slot in slots[1:]):
            return super().record_linear(trace, operands, params)
        aval = self.abstract(*map(aval_of, operands), **params)
        entry = self._entry(operands[0], slots[0], operands[1:], params)
        return trace.new(aval.shape, aval.dtype, entry)


class Multilinear(Primitive):
    """Linear in each operand with the others held fixed (or, ``jointly``, in all at once).

    ``linear`` counts the operands in which it is, where further ones (positions) follow.

    ``transpose(i, ct, operands, shape, dtype, **params)`` maps a cotangent of the result to
    one of operand ``i``, whose shape and dtype are given; operands that are themselves
    tangents are None.
    """

    __slots__ = ("jointly", "linear", "pulls", "pushes", "transpose")

    def __init__(
        self,
        name: str,
        kernel: Callable,
        abstract: Callable,
        transpose: Callable,
        batch: Callable,
        jointly: bool = False,
        linear: int | None = None,
    ) -> None:
        super().__init__(name, kernel, abstract, batch)
        self.transpose = transpose
        self.jointly = jointly
        self.linear = linear  # so many of the first operands; the rest are positions

    def _pull(
        self, ct: Any, i: int, operands: Sequence, shape: tuple, dtype: Any, params: dict
    ) -> Any:
        return self.transpose(i, ct, operands, shape, dtype, **params)

    def _push(
        self, t: Any, i: int, operands: Sequence, shape: tuple, dtype: Any, params: dict
    ) -> Any:
        if self.jointly:
            k = self.linear
            rest = () if k is None else operands[k:]
            operands = [*(zeros_like_aval(x, t) for x in operands[:k]), *rest]
        return self(*operands[:i], t, *operands[i + 1 :], **params)

    def jvp(self, primals: Sequence, tangents: Sequence, params: dict) -> tuple[Any, Any]:
        answer = self(*primals, **params)
        if self.jointly:
            k = self.linear
            full = [
                zeros_like_aval(aval_of(x), x) if t is None else t
                for x, t in zip(primals[:k], tangents[:k], strict=True)
            ]
            return answer, self(*full, *(() if k is None else primals[k:]), **params)
        total = None
        for i, t in enumerate(tangents):
            if t is not None:
                part = self(*primals[:i], t, *primals[i + 1 :], **params)
                total = part if total is None else registry["add"](total, part)
        return answer, total

    def _entry(self, operands: Sequence, slots: Sequence, params: dict, linear: bool) -> tuple:
        kept: Any
        pull = self._pull
        if self.jointly:
            k = self.linear
            kept = (*map(aval_of, operands[:k]), *(() if k is None else operands[k:]))
        elif linear:
            kept = tuple(None if s is not None else x for s, x in zip(slots, operands, strict=True))
        else:
            kept = tuple(operands)
        return tuple(
            (slot, pull, self._push, (i, kept, shape_of(x), dtype_of(x), params), None, pull)
            for i, (slot, x) in enumerate(zip(slots, operands, strict=True))
            if slot is not None
        )

    def record(self, trace: Any, primals: Sequence, slots: Sequence, params: dict) -> Any:
        answer = trace.parent.process(self, primals, params)
        return trace.new(answer, self._entry(primals, slots, params, linear=False))

    def record_linear(self, trace: Any, operands: Sequence, params: dict) -> Any:
        slots = trace.slots(operands)
        count = sum(slot is not None for slot in slots)
        if self.jointly:
            k = self.linear
            zero = [
                zeros_like_aval(aval_of(x)) if s is None else x
                for x, s in zip(operands[:k], slots[:k], strict=True)
            ]
            zero += () if k is None else operands[k:]
            operands = zero
        elif count > 1:
            return super().record_linear(trace, operands, params)
        aval = self.abstract(*map(aval_of, operands), **params)
        return trace.new(aval.shape, aval.dtype, self._entry(operands, slots, params, linear=True))


class General(Primitive):
    """Differentiated by a jvp written in primitives.

    ``rule(primals, tangents, **params) -> (answer, tangent)``; a tangent is None where an
    operand has none, and may be None in the result. Reverse mode runs the rule on recorded
    tangents and transposes what was recorded. An operation that is linear in one operand
    (``solve`` in its right-hand side) says so by ``linear_in`` and ``transpose(ct, operands,
    **params)``, and may then be applied to tangents in rules, its own among them.
    """

    __slots__ = ("linear_in", "rule", "transpose")

    def __init__(
        self,
        name: str,
        kernel: Callable,
        abstract: Callable,
        rule: Callable,
        batch: Callable,
        multiple_results: bool = False,
        linear_in: int | None = None,
        transpose: Callable | None = None,
    ) -> None:
        super().__init__(name, kernel, abstract, batch, multiple_results)
        self.rule = rule
        self.linear_in = linear_in
        self.transpose: Any = transpose

    def jvp(self, primals: Sequence, tangents: Sequence, params: dict) -> tuple[Any, Any]:
        return self.rule(primals, tangents, **params)

    def record(self, trace: Any, primals: Sequence, slots: Sequence, params: dict) -> Any:
        linear = LinearTrace(trace.parent, trace.tape, trace.label)
        tangents = [
            None if slot is None else LinearTracer(linear, shape_of(x), dtype_of(x), slot)
            for x, slot in zip(primals, slots, strict=True)
        ]
        with under(linear):
            answer, tangent = self.rule(primals, tangents, **params)
        if not self.multiple_results:
            return answer if tangent is None else trace.lift(answer, tangent)
        return tuple(
            a if t is None else trace.lift(a, t) for a, t in zip(answer, tangent, strict=True)
        )

    def _pull(self, ct: Any, operands: Sequence, params: dict) -> Any:
        return self.transpose(ct, operands, **params)

    def _push(self, t: Any, operands: Sequence, params: dict) -> Any:
        i: Any = self.linear_in
        return self(*operands[:i], t, *operands[i + 1 :], **params)

    def record_linear(self, trace: Any, operands: Sequence, params: dict) -> Any:
        slots = trace.slots(operands)
        traced = [i for i, slot in enumerate(slots) if slot is not None]
        if traced != [self.linear_in]:
            return super().record_linear(trace, operands, params)
        aval = self.abstract(*map(aval_of, operands), **params)
        kept = tuple(None if i == self.linear_in else x for i, x in enumerate(operands))
        pull = self._pull
        entry = ((slots[traced[0]], pull, self._push, (kept, params), None, pull),)
        return trace.new(aval.shape, aval.dtype, entry)


def strong(operands: Sequence, dtype: np.dtype) -> Sequence:
    """Python numbers given the dtype they were promoted to.

    A rule may apply a function to such an operand alone, and NumPy would answer in float64.
    """
    single = {"f": np.float32, "F": np.float32, "e": np.float16}.get(dtype.char)
    if single is None:
        return operands
    return [single(x) if type(x) in (int, float) else x for x in operands]


def is_zero(x: Any) -> bool:
    """Whether a constant is known to be zero throughout."""
    return not isinstance(x, Tracer) and not np.any(x)


def beside(x: Any, array: Any) -> Any:
    """``array``, made by NumPy, on the device where ``x`` lives.

    The arrays that rules make (masks, zeros, positions) go through here: CuPy's arrays meet none
    of NumPy's. While a function is staged nothing is known of the device; then it stays NumPy's.
    """
    while isinstance(x, Tracer):
        x = x.held()
    if type(x) is np.ndarray or not is_gpu(x):
        return array
    return np.asarray(array, like=x)


def zeros_like_aval(aval: ShapedArray, near: Any = None) -> np.ndarray:
    """Zeros that take no memory of their own, on the device of the operand ``near``."""
    return np.broadcast_to(beside(near, np.zeros((), aval.dtype)), aval.shape)


# --------------------------------------------------------------------------------------
# Broadcasting and promotion of traced operands


def align(operands: tuple) -> tuple:
    """Give every traced operand the shape and dtype of the result.

    Constants are left as they are: NumPy broadcasts and promotes them for nothing. A
    differentiated operand must be full-sized, so that elementwise rules and their transposes
    need no sum over broadcast axes; ``broadcast_to`` and ``convert`` carry that instead.
    """
    if len(operands) == 2:
        x, y = operands
        if isinstance(x, Tracer):
            kind = type(y)
            if kind is float or kind is int:
                if x.dtype.kind in "fc":
                    return operands
            elif isinstance(y, Tracer) and x.shape == y.shape and x.dtype == y.dtype:
                return operands
        elif isinstance(y, Tracer):
            kind = type(x)
            if (kind is float or kind is int) and y.dtype.kind in "fc":
                return operands
    return _align(operands)


def _align(operands: tuple) -> tuple:
    shape = np.broadcast_shapes(*[shape_of(x) for x in operands])
    # Python scalars are weak (NEP 50); np.result_type knows them as such.
    dtype = np.result_type(*[_promoted(x) for x in operands])
    return tuple([fit(x, shape, dtype) if isinstance(x, Tracer) else x for x in operands])


def _promoted(x: Any) -> Any:
    """An operand as promotion sees it."""
    if type(x) in _PYTHON_SCALARS:
        return x
    return x.weak if isinstance(x, Tracer) and x.weak is not None else x.dtype


def fit(x: Any, shape: tuple[int, ...], dtype: np.dtype) -> Any:
    """``x`` converted to ``dtype`` and broadcast to ``shape``, where it is not already."""
    if x.dtype != dtype:
        x = registry["convert"](x, dtype=dtype)
    if x.shape != shape:
        x = registry["broadcast_to"](x, shape=shape)
    return x


def ufunc_abstract(ufunc: Any) -> Callable:
    """Abstract rule of an elementwise primitive whose kernel is a NumPy ufunc."""

    def abstract(*avals: ShapedArray) -> ShapedArray:
        shape = np.broadcast_shapes(*[a.shape for a in avals])
        dtypes = ufunc.resolve_dtypes((*[a.dtype for a in avals], *(None,) * ufunc.nout))
        return ShapedArray(shape, dtypes[-1])

    return abstract
