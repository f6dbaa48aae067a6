"""Reverse mode: record the linear part of each operation, then transpose the record.

A ``ReverseTrace`` computes values as they come and keeps on its tape, for every operation
that depends on a differentiated input, the linear map from tangents to tangents. Walking the
tape from its end with cotangents gives ``vjp`` and ``grad``; walking it from its start with
tangents gives ``linearize``. Both walks are made of primitives, so they can be recorded,
batched and staged in their turn.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import tree
from .arguments import as_array, differentiable, resolve_argnums, same_structure, substitute
from .errors import MutationError, boundary, fold, name_of
from .masked import Live, pull_masked
from .primitives.core import (
    EVAL,
    NO_PARAMS,
    Block,
    Choice,
    EscapedTracerError,
    LinearTrace,
    LinearTracer,
    PrimalTracer,
    Primitive,
    Trace,
    Tracer,
    align,
    beside,
    dtype_of,
    escaped_message,
    shape_of,
    state,
    under,
    watch,
)
from .primitives.elementwise import add
from .primitives.structural import convert

__all__ = ["grad", "linear_transpose", "linearize", "value_and_grad", "vjp"]


class ReverseTracer(PrimalTracer):
    """A value under differentiation: ``primal`` in the parent trace, ``slot`` on the tape."""

    __slots__ = ("slot",)

    def __init__(self, trace: Trace, primal: Any, slot: int | None) -> None:
        self._trace = trace
        self.primal = primal
        self.slot = slot

    def constant(self) -> bool:
        return self.slot is None and super().constant()

    def become(self, other: Any) -> None:
        """Stand for another value from here on: what assignment to an element does."""
        own = type(other) is ReverseTracer and other._trace is self._trace
        self.primal, self.slot = (other.primal, other.slot) if own else (other, None)


class ReverseTrace(Trace):
    """Computes values and records the linear part of what is done to its tracers."""

    __slots__ = ("locked", "tape")

    def __init__(self, parent: Trace, label: tuple[str, Any]) -> None:
        self.parent = parent
        self.label = label
        self.tape: list = [] if watch.evaluate is None else watch.tape()
        self.locked: list[np.ndarray] = []

    def new(self, answer: Any, entry: Any) -> ReverseTracer:
        tape = self.tape
        tracer = ReverseTracer(self, answer, len(tape))
        tape.append(entry)
        return tracer

    def constant(self, value: Any) -> ReverseTracer:
        """A value without derivative, as a tracer that can be assigned to."""
        return ReverseTracer(self, value, None)

    def lift(self, answer: Any, tangent: Any) -> Any:
        """The tracer whose tangent was recorded, by a rule, on this tape."""
        if type(tangent) is not LinearTracer:
            return answer
        return ReverseTracer(self, answer, tangent.slot)

    def process(self, primitive: Primitive, operands: Sequence[Any], params: dict) -> Any:
        primals: list = []
        slots: list = []
        own = mine = False
        for x in operands:
            if type(x) is ReverseTracer and x._trace is self:
                primals.append(x.primal)
                slots.append(x.slot)
                mine = True
                if x.slot is not None:
                    own = True
            else:
                if isinstance(x, Tracer) and self.parent is EVAL:
                    raise EscapedTracerError(escaped_message(x))
                primals.append(x)
                slots.append(None)
        if own or primitive.carries_function:
            primals = [  # those that were no tracers of ours
                self.protect(p) if p is x and type(p) is _ndarray else p
                for p, x in zip(primals, operands, strict=True)
            ]
            answer = primitive.record(self, primals, slots, params)
        else:
            answer = self.parent.process(primitive, primals, params)
        if not mine:
            return answer
        if primitive.multiple_results:
            return tuple(map(self.kept, answer))
        return self.kept(answer)

    def kept(self, answer: Any) -> Any:
        """A result without derivative as a constant tracer, so that it can be assigned to."""
        if (
            type(answer) is ReverseTracer and answer._trace is self
        ) or answer.dtype.kind not in "fc":
            return answer
        return ReverseTracer(self, answer, None)

    def protect(self, x: np.ndarray) -> np.ndarray:
        """A constant that the tape may keep: a change to it would change the derivative.

        Small arrays are copied; large ones cannot be written until the function has run. Nor can
        those of a staged function, which reads them when it is called.
        """
        owner = x
        while type(owner.base) is _ndarray:
            owner = owner.base
        if not (owner.flags.writeable or x.flags.writeable):
            return x
        if x.size <= COPIED and not self.staged:
            return x.copy("K")
        for array in (owner, x):
            if array.flags.writeable:
                array.flags.writeable = False
                self.locked.append(array)
        return x

    # What follows is ``process`` and ``record`` of elementwise primitives on plain arrays, the
    # bulk of eager work, written out: each Python call saved is a tenth of an operation.

    def unary(self, primitive: Any, x: Any) -> Any:
        if self.parent is EVAL and type(x) is ReverseTracer and x._trace is self:
            primal, slot = x.primal, x.slot
            answer = primitive.kernel(primal)
            if slot is None or primitive.rules is None:
                return self.kept(answer)
            rule = primitive.rules[0]
            quick = (primitive.quick or primitive.quick_rules())[0]
            tape = self.tape
            keep = primitive.keep
            args = (answer if keep[0] else None, primal if keep[1] else None)
            made = _new(ReverseTracer)
            made._trace, made.primal, made.slot = self, answer, len(tape)
            tape.append(((slot, rule, rule, args, None, quick),))
            return made
        return self.process(primitive, (x,), NO_PARAMS)

    def binary(self, primitive: Any, x: Any, y: Any) -> Any:
        if self.parent is not EVAL:
            return self.process(primitive, align((x, y)), NO_PARAMS)
        if type(x) is ReverseTracer and x._trace is self:
            first, slot = x.primal, x.slot
            kind = type(y)
            if kind is ReverseTracer and y._trace is self:
                second, other = y.primal, y.slot
                if first.dtype is not second.dtype or first.shape != second.shape:
                    return self.process(primitive, align((x, y)), NO_PARAMS)
            elif (kind is float or kind is int) and first.dtype is _float64:
                second, other = y, None
            elif kind is _ndarray and first.dtype is y.dtype and first.shape == y.shape:
                second, other = y if slot is None else self.protect(y), None
            else:
                return self.process(primitive, align((x, y)), NO_PARAMS)
        elif type(y) is ReverseTracer and y._trace is self:
            second, other = y.primal, y.slot
            kind = type(x)
            if (kind is float or kind is int) and second.dtype is _float64:
                first, slot = x, None
            elif kind is _ndarray and second.dtype is x.dtype and second.shape == x.shape:
                first, slot = x if other is None else self.protect(x), None
            else:
                return self.process(primitive, align((x, y)), NO_PARAMS)
        else:
            return self.process(primitive, align((x, y)), NO_PARAMS)
        answer = primitive.kernel(first, second)
        rules = primitive.rules
        if rules is None:
            return self.kept(answer)
        quick = primitive.quick or primitive.quick_rules()
        keep = primitive.keep
        args = (
            answer if keep[0] else None,
            first if keep[1] else None,
            second if keep[2] else None,
        )
        rule, last = rules
        if slot is None or rule is None:
            if other is None or last is None:
                return self.kept(answer)
            entry: tuple = ((other, last, last, args, None, quick[1]),)
        elif other is None or last is None:
            entry = ((slot, rule, rule, args, None, quick[0]),)
        else:
            entry = (
                (slot, rule, rule, args, None, quick[0]),
                (other, last, last, args, None, quick[1]),
            )
        tape = self.tape
        made = _new(ReverseTracer)
        made._trace, made.primal, made.slot = self, answer, len(tape)
        tape.append(entry)
        return made


_new: Any = object.__new__
_ndarray = np.ndarray
_float64 = np.dtype(np.float64)
COPIED = 4096  # constants of at most so many elements are copied when they are recorded

# --------------------------------------------------------------------------------------
# The two walks


def pull_back(
    tape: list, seeds: Sequence[tuple[int, Any]], inputs: Sequence[int], consume: bool = False
) -> list:
    """Walk a tape from its end.

    Parameters
    ----------
    tape
        The record.
    seeds
        ``(slot, cotangent)`` of each output.
    inputs
        Slots whose cotangents are wanted.
    consume
        Let go of what the tape holds as the walk passes it: it is walked once only.

    Returns
    -------
    list
        A cotangent for each input, or None where it is zero.
    """
    cotangents: list = [None] * len(tape)
    # A buffer we allocated for a sum may be added to in place; anything else may be shared.
    owned = bytearray(len(tape))
    in_place = state.trace is EVAL
    live = Live()  # where a cotangent has not been left out by a selection
    last = -1
    for slot, ct in seeds:
        held = cotangents[slot]
        cotangents[slot] = ct if held is None else add(held, ct)
        last = max(last, slot)
    for slot in range(last, -1, -1):
        entry = tape[slot]
        ct = cotangents[slot]
        if consume:
            tape[slot] = None
        if type(entry) is Block:
            cts = cotangents[slot : slot + entry.count]
            if all(c is None for c in cts):
                continue
            parts = entry.pull(cts)
            for source, part in zip(entry.inputs, parts, strict=True):
                if part is not None:
                    live.pop(source, None)
                    held = cotangents[source]
                    cotangents[source] = part if held is None else add(held, part)
                    owned[source] = 0
            continue
        if ct is None or not entry:  # () stands for a Block's further results
            continue
        cotangents[slot] = None
        if type(entry) is Choice or (live and slot in live):
            pull_masked(entry, ct, live.pop(slot, None), cotangents, owned, live)
            continue
        for source, pull, _push, args, accumulate, quick in entry:
            held = cotangents[source]
            if live:
                live.pop(source, None)
            if not in_place:
                part = pull(ct, *args)
                cotangents[source] = part if held is None else add(held, part)
            elif held is None:
                cotangents[source] = quick(ct, *args)
                # unslice and scatter_add, whose transposes can accumulate, make a new array
                owned[source] = accumulate is not None
            elif not owned[source]:
                total = held + quick(ct, *args)
                cotangents[source] = total
                owned[source] = type(total) is _ndarray
            elif accumulate is not None:
                accumulate(held, ct, *args)
            else:
                np.add(held, quick(ct, *args), out=held)
    return [cotangents[slot] for slot in inputs]


def push_forward(tape: list, seeds: Sequence[tuple[int, Any]], outputs: Sequence[int]) -> list:
    """Walk a tape from its start with tangents of inputs; see ``pull_back``.

    What the outputs do not depend on is left out: in a Hessian, all that only made values.
    """
    needed = bytearray(len(tape))
    for slot in outputs:
        needed[slot] = 1
    for slot in range(len(tape) - 1, -1, -1):
        entry = tape[slot]
        if type(entry) is Block:
            if any(needed[slot : slot + entry.count]):
                needed[slot] = 1
                for source in entry.inputs:
                    needed[source] = 1
        elif needed[slot] and entry:
            for contribution in entry:
                needed[contribution[0]] = 1
    tangents: list = [None] * len(tape)
    for slot, t in seeds:
        tangents[slot] = t
    for slot, entry in enumerate(tape):
        if not entry or not needed[slot]:
            continue
        if type(entry) is Block:
            ts = [tangents[i] for i in entry.inputs]
            if any(t is not None for t in ts):
                tangents[slot : slot + entry.count] = entry.push(ts)
            continue
        total = None
        for source, _pull, push, args, _accumulate, _quick in entry:
            t = tangents[source]
            if t is not None:
                part = push(t, *args)
                total = part if total is None else add(total, part)
        tangents[slot] = total
    return [tangents[slot] for slot in outputs]


# --------------------------------------------------------------------------------------
# Tracing a function


class Recording:
    """What one run of a function under reverse mode left behind."""

    __slots__ = (
        "aux",
        "in_slots",
        "in_tree",
        "inputs",
        "leaves",
        "out_slots",
        "out_tree",
        "outputs",
        "tape",
    )

    tape: list
    inputs: list[Any]
    in_slots: list[int]
    in_tree: tree.PyTreeDef
    leaves: list[Any]  # the outputs as the function returned them
    outputs: list[Any]
    out_slots: list[int | None]
    out_tree: tree.PyTreeDef
    aux: Any


def record(
    transform: str,
    f: Callable,
    args: tuple,
    kwargs: dict,
    argnums: Sequence[int],
    has_aux: bool = False,
    holomorphic: bool = False,
) -> Recording:
    """Run ``f`` and record how its result depends on the arguments at ``argnums``."""
    made = Recording()
    parent = state.trace
    trace = ReverseTrace(parent, (transform, f))
    tape = trace.tape
    chosen = args[argnums[0]] if len(argnums) == 1 else tuple([args[i] for i in argnums])
    leaves, made.in_tree = tree.flatten(chosen)
    made.inputs = [differentiable(transform, f, leaf, holomorphic) for leaf in leaves]
    made.in_slots = list(range(len(leaves)))
    traced = tree.unflatten(made.in_tree, [trace.new(x, None) for x in made.inputs])
    traced_args = substitute(args, argnums, (traced,) if len(argnums) == 1 else traced)
    state.trace = trace
    try:
        out = f(*traced_args, **kwargs)
    except ValueError as error:
        if trace.locked and "read-only" in str(error):
            raise MutationError(
                f"{trace.name}: an array was written that an operation on traced values had used "
                "before, which would change the derivative; give that operation a copy, "
                "x * buffer.copy(), or make a new array."
            ) from error
        raise
    finally:
        state.trace = parent
        for array in trace.locked:
            array.flags.writeable = True
    if has_aux:
        out, made.aux = split_aux(transform, f, out)
        made.aux = tree.map(functools.partial(_untrace, trace), made.aux)
    out_leaves, made.out_tree = tree.flatten(out)
    made.leaves, made.outputs, made.out_slots = out_leaves, [], []
    for leaf in out_leaves:
        own = type(leaf) is ReverseTracer and leaf._trace is trace
        if not own and isinstance(leaf, Tracer) and not trace.inside(leaf._trace):
            raise EscapedTracerError(escaped_message(leaf))
        made.outputs.append(leaf.primal if own else as_array(leaf))
        made.out_slots.append(leaf.slot if own else None)
    made.tape = tape
    return made


def split_aux(transform: str, f: Callable, out: Any) -> tuple[Any, Any]:
    """The ``(output, aux)`` pair a function with ``has_aux=True`` must return."""
    if not (isinstance(out, (tuple, list)) and len(out) == 2):
        raise TypeError(
            f"{transform}({name_of(f)}): expected the function to return a pair (output, aux) "
            f"because has_aux=True; got {type(out).__name__}; return two things or drop has_aux."
        )
    return out[0], out[1]


def _untrace(trace: Trace, x: Any) -> Any:
    return x.primal if type(x) is ReverseTracer and x._trace is trace else x


def _zeros(x: Any) -> Any:
    return beside(x, np.zeros(x.shape, x.dtype))[()]


def finish(results: list, inputs: Sequence[Any], seeds: Sequence[Any] = ()) -> list:
    """Cotangents as the arrays a user may keep: of their input's kind, shared with nothing."""
    seen = {id(s) for s in seeds}
    done = []
    for ct, x in zip(results, inputs, strict=True):
        if ct is None:
            ct = _zeros(x)
        elif type(ct) is np.ndarray and (
            ct.base is not None or id(ct) in seen or not ct.flags.writeable
        ):
            ct = ct.copy()
        if ct.dtype != x.dtype:
            ct = convert(ct, dtype=x.dtype)
        seen.add(id(ct))
        done.append(ct)
    return done


# --------------------------------------------------------------------------------------
# Public transforms


def value_and_grad(
    f: Callable,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
) -> Callable:
    """Value and gradient of a scalar function in one pass.

    Parameters
    ----------
    f
        Function of arrays (or pytrees of arrays) that returns a scalar.
    argnums
        Position, or positions, of the arguments to differentiate.
    has_aux
        ``f`` returns ``(scalar, aux)``; the result is ``((value, aux), gradient)``.
    holomorphic
        ``f`` is a complex-differentiable function of complex input; the gradient is f'(z).

    Returns
    -------
    Callable
        Takes ``f``'s arguments and returns ``(value, gradient)``; the gradient has the
        structure, shapes and dtypes of the argument, or is a tuple where ``argnums`` is a
        sequence. For a real function of complex z = x + iy it is df/dx - i df/dy, as in JAX.

    Raises
    ------
    TypeError
        An integer argument, or a result that is not a real scalar.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> ft.value_and_grad(lambda x: np.sum(x**2))(np.array([1.0, 2.0]))
    (np.float64(5.0), array([2., 4.]))
    """
    name = "value_and_grad"
    return _gradient(name, f, argnums, has_aux, holomorphic, _value_and_gradient)


def grad(
    f: Callable,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
) -> Callable:
    """Gradient of a scalar function.

    The parameters, errors and conventions are those of ``value_and_grad``; the result is the
    gradient alone, or ``(gradient, aux)`` with ``has_aux``.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> ft.grad(lambda x: np.sum(np.sin(x)))(np.zeros(3))
    array([1., 1., 1.])
    >>> ft.grad(ft.grad(lambda x: x**3))(2.0)
    np.float64(12.0)
    """
    return _gradient("grad", f, argnums, has_aux, holomorphic, _gradient_only)


def _value_and_gradient(value: Any, gradient: Any, has_aux: bool, aux: Any) -> Any:
    return ((value, aux) if has_aux else value), gradient


def _gradient_only(value: Any, gradient: Any, has_aux: bool, aux: Any) -> Any:
    return (gradient, aux) if has_aux else gradient


def _gradient(
    name: str,
    f: Callable,
    argnums: int | Sequence[int],
    has_aux: bool,
    holomorphic: bool,
    result: Callable,
) -> Callable:
    one = isinstance(argnums, (int, np.integer))

    @functools.wraps(f, updated=())
    def gradient(*args: Any, **kwargs: Any) -> Any:
        try:
            if argnums == 0 and one and args:
                numbers: tuple[int, ...] = (0,)
            else:
                numbers = resolve_argnums(name, f, argnums, len(args))
            made = record(name, f, args, kwargs, numbers, has_aux, holomorphic)
            value = _scalar_output(name, f, made, holomorphic)
            (slot,) = made.out_slots
            if slot is None:
                found: list = [None] * len(made.in_slots)
            else:
                seed = beside(value, value.dtype.type(1))
                found = pull_back(made.tape, [(slot, seed)], made.in_slots, consume=True)
            gradients = tree.unflatten(made.in_tree, finish(found, made.inputs))
            if not one and len(numbers) == 1:
                gradients = (gradients,)
            return result(value, gradients, has_aux, made.aux if has_aux else None)
        except Exception as error:
            raise fold(error) from error.__cause__

    return gradient


def _scalar_output(name: str, f: Callable, made: Recording, holomorphic: bool) -> Any:
    if made.out_tree is not tree.LEAF and made.out_tree != tree.LEAF:
        raise TypeError(
            f"{name}({name_of(f)}): expected a scalar result; got the structure "
            f"{tree.describe(made.out_tree)}; return one number (has_aux=True passes the rest), "
            "or use jacobian or vjp."
        )
    value = made.outputs[0]
    if value.shape != ():
        raise TypeError(
            f"{name}({name_of(f)}): expected a scalar result; got an array of shape {value.shape} "
            f"and dtype {value.dtype}; return np.sum(...) of it, or use jacobian, or "
            "vmap(grad(f)) for one gradient a row."
        )
    number = type(made.leaves[0]) is int  # of a branch that returns 0, say
    if value.dtype.kind not in "fc" and not number:
        raise TypeError(
            f"{name}({name_of(f)}): expected a floating-point result; got {value.dtype}, which has "
            "no derivative; return what it was made of, or pass it through has_aux=True."
        )
    if value.dtype.kind == "c" and not holomorphic:
        raise TypeError(
            f"{name}({name_of(f)}): expected a real result; got {value.dtype}; return its real "
            "part or modulus, or say holomorphic=True if f is complex-differentiable."
        )
    return value


@boundary
def vjp(f: Callable, *primals: Any, has_aux: bool = False) -> Any:
    """Value of ``f`` and the function that multiplies cotangents by its Jacobian.

    Parameters
    ----------
    f
        Function of arrays (or pytrees of arrays).
    *primals
        Its arguments, all differentiated.
    has_aux
        ``f`` returns ``(output, aux)``.

    Returns
    -------
    tuple
        ``(output, pullback)``, or ``(output, pullback, aux)``. ``pullback(cotangent)`` takes
        one structured like the output and returns a tuple, one cotangent a primal. It may be
        called many times, and under ``vmap``.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> y, pullback = ft.vjp(np.sin, np.array([0.0, np.pi]))
    >>> pullback(np.array([1.0, 1.0]))
    (array([ 1., -1.]),)
    """
    made = record("vjp", f, _copied(primals), {}, range(len(primals)), has_aux)
    if len(primals) == 1:
        made.in_tree = tree.structure((tree.unflatten(made.in_tree, made.inputs),))

    @boundary
    def pullback(cotangent: Any) -> tuple:
        leaves, structure = tree.flatten(cotangent)
        same_structure("vjp", f, "a cotangent", structure, made.out_tree, "the output")
        seeds = []
        for ct, out, slot in zip(leaves, made.outputs, made.out_slots, strict=True):
            ct = _like("vjp", f, "cotangent", ct, out)
            if slot is not None:
                seeds.append((slot, ct))
        found = pull_back(made.tape, seeds, made.in_slots)
        return tree.unflatten(made.in_tree, finish(found, made.inputs, leaves))

    # Copies, as of the primals: the tape keeps its arrays to itself.
    output = _copied(tree.unflatten(made.out_tree, made.outputs))
    return (output, pullback, _copied(made.aux)) if has_aux else (output, pullback)


def _copied(x: Any) -> Any:
    """A pytree whose plain arrays are nobody else's."""
    return tree.map(lambda leaf: leaf.copy("K") if type(leaf) is _ndarray else leaf, x)


def _like(transform: str, f: Callable, what: str, given: Any, wanted: Any) -> Any:
    """``given`` as an array of the shape and dtype of ``wanted``, or an error that shows both."""
    x = as_array(given)
    if x.shape != wanted.shape:
        raise TypeError(
            f"{transform}({name_of(f)}): expected a {what} of shape {wanted.shape}; got "
            f"{x.shape}; it must have the shape of what it belongs to."
        )
    if x.dtype == wanted.dtype or wanted.dtype.kind not in "fc":
        return x
    if type(given) in (int, float, bool) or np.can_cast(x.dtype, wanted.dtype, "safe"):
        return convert(x, dtype=wanted.dtype)
    raise TypeError(
        f"{transform}({name_of(f)}): expected a {what} of dtype {wanted.dtype}; got {x.dtype}; "
        f"write {what}.astype({wanted.dtype})."
    )


@boundary
def linearize(f: Callable, *primals: Any, has_aux: bool = False) -> Any:
    """Value of ``f`` and its derivative there, as a linear function of tangents.

    ``f`` runs once; the linear function replays what was recorded and may be called many
    times, under ``vmap`` too.

    Parameters
    ----------
    f
        Function of arrays (or pytrees of arrays).
    *primals
        Its arguments, all differentiated.
    has_aux
        ``f`` returns ``(output, aux)``.

    Returns
    -------
    tuple
        ``(output, f_jvp)``, or ``(output, f_jvp, aux)``; ``f_jvp(*tangents)`` returns the
        output's tangent.

    Examples
    --------
    >>> import functorch_like as ft
    >>> y, f_jvp = ft.linearize(lambda x: x**2, 3.0)
    >>> f_jvp(1.0)
    np.float64(6.0)
    """
    made = record("linearize", f, _copied(primals), {}, range(len(primals)), has_aux)

    @boundary
    def f_jvp(*tangents: Any) -> Any:
        if len(tangents) != len(primals):
            raise TypeError(
                f"linearize({name_of(f)}): expected one tangent an argument, {len(primals)}; got "
                f"{len(tangents)}."
            )
        given = tangents[0] if len(primals) == 1 else tangents
        leaves, structure = tree.flatten(given)
        same_structure("linearize", f, "tangents", structure, made.in_tree, "the primals")
        seeds = [
            (slot, _like("linearize", f, "tangent", t, x))
            for slot, t, x in zip(made.in_slots, leaves, made.inputs, strict=True)
        ]
        wanted = [slot for slot in made.out_slots if slot is not None]
        found = iter(push_forward(made.tape, seeds, wanted))
        pushed = [None if slot is None else next(found) for slot in made.out_slots]
        return tree.unflatten(made.out_tree, finish(pushed, made.outputs, leaves))

    output = _copied(tree.unflatten(made.out_tree, made.outputs))
    return (output, f_jvp, _copied(made.aux)) if has_aux else (output, f_jvp)


@boundary
def linear_transpose(f: Callable, *primals: Any) -> Callable:
    """Transpose of a linear function.

    Parameters
    ----------
    f
        Function that is linear in its arguments.
    *primals
        Arrays (or objects with ``shape`` and ``dtype``) that say what it takes; their values
        are not used.

    Returns
    -------
    Callable
        ``transposed(cotangent)`` returns a tuple, one cotangent a primal.

    Raises
    ------
    TypeError
        ``f`` is not linear; the message names the operation.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> ft.linear_transpose(lambda x: 3 * x[1:], np.zeros(3))(np.array([1.0, 2.0]))
    (array([0., 3., 6.]),)
    """
    tape, in_tree, avals, out_tree, outputs = record_linear("linear_transpose", f, primals)

    @boundary
    def transposed(cotangent: Any) -> tuple:
        leaves, structure = tree.flatten(cotangent)
        same_structure("linear_transpose", f, "a cotangent", structure, out_tree, "the output")
        seeds = [
            (out.slot, _like("linear_transpose", f, "cotangent", ct, out))
            for ct, out in zip(leaves, outputs, strict=True)
            if isinstance(out, LinearTracer)
        ]
        found = pull_back(tape, seeds, range(len(avals)))
        return tree.unflatten(in_tree, finish(found, avals, leaves))

    return transposed


def record_linear(transform: str, f: Callable, primals: tuple) -> tuple:
    """Run a linear ``f`` on tangents with no value, recording a tape."""
    leaves, in_tree = tree.flatten(primals)
    avals = [differentiable(transform, f, x) for x in leaves]
    trace = LinearTrace(state.trace, [], (transform, f))
    traced = [trace.new(shape_of(x), dtype_of(x), None) for x in avals]
    with under(trace):
        out = f(*tree.unflatten(in_tree, traced))
    outputs, out_tree = tree.flatten(out)
    for out in outputs:
        own = type(out) is LinearTracer and out._trace is trace
        if not own and np.any(as_array(out)):
            raise TypeError(
                f"{transform}({name_of(f)}): expected a linear function; part of the result is "
                "a constant that is not zero."
            )
    return trace.tape, in_tree, avals, out_tree, outputs
