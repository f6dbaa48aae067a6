"""The trace that computes flags beside values.

A ``CheckTrace`` hands each operation on to its parent and computes there, from the operands and the
answer, whether a check failed. What it keeps is the *state*: the number of the first check that
failed (0: none), one number about it, and what the messages of user's checks show. Operations that
hold graphs are given graphs that carry the state: see ``graphs``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import debug
from ..arguments import as_array
from ..forward import ForwardTrace
from ..function_primitives import entering
from ..graph import StagingTrace
from ..kernels.device import is_gpu
from ..primitives.core import (
    EVAL,
    NO_PARAMS,
    Elementwise,
    EscapedTracerError,
    LinearTrace,
    Nondifferentiable,
    PrimalTracer,
    Primitive,
    Trace,
    Tracer,
    align,
    aval_of,
    dtype_of,
    escaped_message,
    shape_of,
    under,
)
from ..primitives.stopping import stop_gradient
from ..reverse import ReverseTrace
from .error import Error, Site

__all__ = ["KINDS", "CheckTrace", "CheckTracer", "Ended"]

KINDS = ("user", "index", "nan", "div")

# Operands at which others are indexed begin here; the array indexed is the first operand, or has
# the shape that is among the params.
_INDEXED = {"gather": 1, "scatter_add": 1, "update_at": 2, "scatter_set": 2}
# Which operand divides.
_DIVISORS = {"divide": 1, "floor_divide": 1, "remainder": 1, "fmod": 1, "reciprocal": 0}
# They hand on the numbers they get.
_MOVES = frozenset(
    {
        "absolute", "broadcast_to", "concatenate", "conjugate", "convert", "copy", "gather", "imag",
        "make_complex", "maximum", "minimum", "negative", "positive", "real", "reshape",
        "scatter_set", "select", "sign", "slice_at", "transpose", "unslice", "update_at",
        "update_slice",
    }
)  # fmt: skip
_WEAK = (float, int, complex)


class Ended(BaseException):
    """Ends a checked function, where nothing sensible can be computed any more."""

    def __init__(self, trace: CheckTrace) -> None:
        self.trace = trace


class CheckTracer(PrimalTracer):
    """A value of a checked function: ``primal``, in the parent trace."""

    __slots__ = ("number",)

    def __init__(self, trace: Trace, primal: Any, number: Any = None) -> None:
        self._trace = trace
        self.primal = primal
        self.number = number  # a Python number of the type that this one was

    @property
    def weak(self) -> Any:  # type: ignore[override]
        """A Python number whose dtype is weak, if it stands for one."""
        return super().weak if self.number is None else self.number

    def become(self, other: Any) -> None:
        """Stand for another value from here on: what assignment to an element does."""
        own = type(other) is CheckTracer and other._trace is self._trace
        self.primal = other.primal if own else as_array(other)
        self.number = None


class CheckTrace(Trace):
    """Computes flags beside the values; ``errors`` are the kinds of checks."""

    __slots__ = ("code", "detail", "errors", "guarded", "sites", "values")

    def __init__(self, parent: Trace, label: tuple[str, Any], errors: frozenset[str]) -> None:
        super().__init__(parent, label)
        self.errors = errors
        self.guarded = "index" in errors  # whether indices are moved into bounds
        self.code: Any = np.int64(0)
        self.detail: Any = np.int64(0)
        self.sites: list[Site] = []
        self.values: list[tuple] = []  # of each site

    # --- values ---------------------------------------------------------------------------------

    def argument(self, x: Any) -> Any:
        """An argument of the function, traced if it is an array or a number with a fraction.

        Python's integers and truth values stay known, as sizes and choices.
        """
        if isinstance(x, Tracer):
            return CheckTracer(self, x)
        kind = type(x)
        dtype = getattr(x, "dtype", None)
        if kind in (float, complex):
            return CheckTracer(self, as_array(x), kind(0))
        if isinstance(dtype, np.dtype) and dtype.kind in "biufc":
            return CheckTracer(self, as_array(x))
        return x

    def value(self, x: Any) -> Any:
        """A result in the parent trace."""
        if type(x) is CheckTracer and x._trace is self:
            return x.primal
        if isinstance(x, Tracer) and not self.inside(x._trace):
            raise EscapedTracerError(escaped_message(x))
        return x

    def constant(self, value: Any) -> CheckTracer:
        """A value as a tracer that can be assigned to."""
        return CheckTracer(self, value)

    def error(self) -> Error:
        """What the function returns beside its result."""
        return Error(self.code, self.detail, tuple(self.values), tuple(self.sites))

    # --- the state ------------------------------------------------------------------------------

    def fail(self, flag: Any, detail: Any, say: Callable, values: Sequence = ()) -> None:
        """Let a check fail where ``flag``, computed in the parent trace, holds."""
        known = _known(flag)
        if known is not None and not known:
            return
        line, derivative = debug.line_here()
        site = Site(say, f"in the derivative of {line}" if derivative else f"at {line}")
        self.note(np.where(flag, 1, 0), detail, [site], [values])
        if known is not None and self.parent is EVAL and say.__name__ == "index_message":
            raise Ended(self)

    def note(self, code: Any, detail: Any, sites: Sequence[Site], values: Sequence) -> None:
        """Take over a state: ``code`` counts among ``sites``."""
        if not sites:
            return
        known = _known(self.code)
        first = len(self.sites)
        if known is not None and not known:
            self.code = code if not first else np.where(np.equal(code, 0), 0, code + first)
            self.detail = detail
        elif known is None:
            fresh = np.logical_and(np.equal(self.code, 0), np.not_equal(code, 0))
            self.code = np.where(fresh, code + first, self.code)
            self.detail = np.where(fresh, detail, self.detail)
        else:
            return  # the first error has been met
        self.sites += sites
        self.values += [tuple(stop_gradient(as_array(x)) for x in group) for group in values]

    # --- operations -----------------------------------------------------------------------------

    def process(self, primitive: Primitive, operands: Sequence[Any], params: dict) -> Any:
        """Apply an operation in the parent trace, and note what fails."""
        mine = False
        values = []
        for x in operands:
            if type(x) is CheckTracer and x._trace is self:
                values.append(x.primal)
                mine = True
            else:
                if isinstance(x, Tracer) and self.parent is EVAL:
                    raise EscapedTracerError(escaped_message(x))
                values.append(x)
        from .graphs import with_graphs

        # What runs now runs in the parent's sense, wherever in the chain we were called.
        with under(self.parent):
            if primitive.name == "check_holds":
                self.condition(values, params)
                return ()
            if primitive.carries_function:
                answer = self.function(primitive, operands, values, params)
                mine = True
            elif (apply := with_graphs(primitive, params)) is not None:
                answer = apply(self, primitive, values, params)
            else:
                if self.guarded and primitive.name in _INDEXED:
                    values = self.indexed(primitive.name, values, params)
                if "div" in self.errors and primitive.name in _DIVISORS:
                    self.divided(values[_DIVISORS[primitive.name]])
                with self.quiet():
                    answer = self.parent.process(primitive, values, params)
                if "nan" in self.errors:
                    self.computed(primitive, values, answer)
        if not mine:
            return answer
        if primitive.multiple_results:
            return tuple(self.wrapped(a) for a in answer)
        number = None
        if isinstance(primitive, Elementwise) and answer.shape == ():
            weak = [x.weak if isinstance(x, Tracer) else x for x in operands]
            if answer.dtype.kind in "ifc" and all(type(w) in _WEAK for w in weak):
                number = answer.dtype.type(0).item()
        return CheckTracer(self, answer, number)

    def unary(self, primitive: Primitive, x: Any) -> Any:  # noqa: D102
        return self.process(primitive, (x,), NO_PARAMS)

    def binary(self, primitive: Primitive, x: Any, y: Any) -> Any:  # noqa: D102
        return self.process(primitive, align((x, y)), NO_PARAMS)

    def wrapped(self, x: Any) -> Any:
        """A result of an operation as a tracer of this trace."""
        return x if type(x) is CheckTracer and x._trace is self else CheckTracer(self, x)

    def quiet(self) -> Any:
        """NumPy's warnings off, where the checks say more."""
        return debug.quiet() if self.errors & {"nan", "div"} else contextlib.nullcontext()

    # --- the checks -----------------------------------------------------------------------------

    def condition(self, operands: Sequence[Any], params: dict) -> None:
        """A check of the user's: a condition, of each lane if it was batched."""
        if "user" not in self.errors:
            return
        condition, *values = operands
        lanes = params["lanes"]
        failed = np.logical_not(condition)
        known = _known(failed)
        if known is not None and not np.any(known):
            return
        say, where = params["say"], params["where"]
        detail: Any = np.int64(0)
        if shape_of(condition):
            sizes = shape_of(condition)
            count = int(np.prod(sizes))
            flat = np.reshape(failed, (count,))
            detail = np.min(np.where(flat, np.arange(count), count - 1))
            place = np.unravel_index(detail, sizes)
            values = [_of_lane(x, place, lanes, k + 1) for k, x in enumerate(values)]
            failed = np.any(flat)

            def say_lane(detail: Any, *values: Any) -> str:
                at = ", ".join(map(str, map(int, np.unravel_index(int(detail), sizes))))
                return f"at mapped index {at}: {say(*values)}"

            site = Site(say_lane, where)
        else:
            site = Site(lambda detail, *values: say(*values), where)
        self.note(np.where(failed, 1, 0), detail, [site], [values])

    def indexed(self, name: str, values: Sequence[Any], params: dict) -> list[Any]:
        """The operands with indices moved into bounds; a check for each that may be outside."""
        values = list(values)
        first = _INDEXED[name]
        shape = params["shape"] if name == "scatter_add" else shape_of(values[0])
        for axis, i in enumerate(values[first:]):
            size = shape[axis]
            if not np.prod(shape_of(i), dtype=int) or is_gpu(_known(i)):
                continue
            at = i if dtype_of(i) == np.int64 else as_array(i).astype(np.int64)
            low, high = (np.min(at), np.max(at)) if shape_of(at) else (at, at)
            outside = np.logical_or(np.less(low, -size), np.greater_equal(high, size))
            known = _known(outside)
            if known is not None and not known:
                continue
            if "index" in self.errors:
                bad = np.where(np.less(low, -size), low, high)
                self.fail(outside, bad, _index_message(axis, size, shape))
            if size:
                inside = np.logical_and(np.greater_equal(at, -size), np.less(at, size))
                values[first + axis] = np.where(inside, at, 0)
        return values

    def divided(self, divisor: Any) -> None:
        """A check that nothing is divided by zero."""
        zeros = np.sum(np.equal(divisor, 0))
        size = int(np.prod(shape_of(divisor), dtype=int))

        def say(detail: Any) -> str:
            where = f" in {int(detail)} of {size} elements" if size > 1 else ""
            return f"division by zero{where}"

        self.fail(np.greater(zeros, 0), zeros, say)

    def computed(self, primitive: Primitive, operands: Sequence[Any], answer: Any) -> None:
        """A check that the results have no NaN, unless the operands have."""
        if primitive.name in _MOVES or isinstance(primitive, Nondifferentiable):
            return
        own = isinstance(primitive, Elementwise)
        for x in answer if primitive.multiple_results else (answer,):
            if dtype_of(x).kind not in "fc":
                continue
            made = np.isnan(x)
            given = [y for y in operands if not _has_no_nan(y)]
            if own:
                for y in given:
                    made = np.logical_and(made, np.logical_not(np.isnan(y)))
            count = np.sum(made)
            flag = np.greater(count, 0)
            if not own:
                for y in given:
                    flag = np.logical_and(flag, np.logical_not(np.any(np.isnan(y))))
            known = _known(flag)
            if known is not None and not known:
                continue
            numbers = [as_array(y) for y in operands if shape_of(y) == ()]
            alone = own and len(numbers) == len(operands)
            self.fail(flag, count, _nan_message(primitive, x, operands), numbers if alone else ())

    def function(
        self, primitive: Any, operands: Sequence[Any], values: Sequence[Any], params: dict
    ) -> Any:
        """An operation that carries functions: its function, checked, or as a whole.

        The function may stand in for the operation only if nobody asks for its derivative.
        """
        if primitive.name == "checkpoint_call" or not self.derived():
            with under(self):
                return [self.value(x) for x in params["function"](*operands)]
        silent = {k: self.silenced(params[k]) for k in primitive.functions}
        answer = self.parent.process(primitive, values, {**params, **silent})
        if "nan" in self.errors:
            self.computed(primitive, values, answer)
        return answer

    def derived(self) -> bool:
        """Whether a derivative may be taken of what is computed in the parent trace."""
        trace = self.parent
        while trace is not None:
            if isinstance(trace, (ReverseTrace, ForwardTrace, LinearTrace, StagingTrace)):
                return True
            trace = trace.parent
        return False

    def silenced(self, function: Callable) -> Callable:
        """A function that may close over our tracers, to be run unchecked by another trace."""

        def run(*xs: Any) -> Any:
            errors, guarded = self.errors, self.guarded
            self.errors, self.guarded = frozenset(), False
            try:
                with entering(self):
                    return [self.value(x) for x in function(*xs)]
            finally:
                self.errors, self.guarded = errors, guarded

        return run


def _known(x: Any) -> Any:
    return x.concrete() if isinstance(x, Tracer) else x


def _has_no_nan(x: Any) -> bool:
    """Whether an operand is known to have no NaN."""
    if dtype_of(x).kind not in "fc":
        return True
    known = _known(x)
    return known is not None and not is_gpu(known) and not np.any(np.isnan(known))


def _of_lane(x: Any, place: Sequence[Any], lanes: Sequence, operand: int) -> Any:
    """The value of one lane of a batch within batches."""
    places = iter(place)
    for _, batched in lanes:
        k = next(places) if batched[0] else 0
        if batched[operand]:
            x = x[k]
    return x


def _index_message(axis: int, size: int, shape: Sequence[int]) -> Callable:
    def index_message(detail: Any) -> str:
        more = f" of an array of shape {tuple(shape)}" if len(shape) > 1 else ""
        return f"index {int(detail)} is out of bounds for axis {axis} with size {size}{more}"

    return index_message


def _nan_message(primitive: Primitive, x: Any, operands: Sequence[Any]) -> Callable:
    types = [str(aval_of(as_array(y))) for y in operands]
    size = int(np.prod(shape_of(x), dtype=int))

    def say(detail: Any, *values: Any) -> str:
        shown = [f"{t} {v[()]}" for t, v in zip(types, values, strict=True)] if values else types
        count = f" in {int(detail)} of {size} elements" if size > 1 else ""
        return f"{primitive.name} made NaN{count}; operands: {'; '.join(shown) or 'none'}"

    return say
