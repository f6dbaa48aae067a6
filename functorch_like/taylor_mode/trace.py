"""The trace of Taylor mode.

A tracer holds a value and its further coefficients. For a primitive without a recurrence of its
own, y(s) = F(x(s)) is integrated: y'(s) is what the primitive's jvp gives for x(s) in the
direction x'(s), both series of one order less. So one rule, the jvp, gives every order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..checkpointing import checkpoint_call
from ..forward import ForwardTrace, ForwardTracer
from ..function_primitives import FunctionPrimitive, seen_through
from ..primitives.core import (
    Elementwise,
    General,
    Linear,
    Multilinear,
    Nondifferentiable,
    PrimalTracer,
    Primitive,
    Trace,
    Tracer,
    aval_of,
    registry,
    strong,
    under,
    zeros_like_aval,
)
from .recurrences import RULES, multilinear
from .series import Series, plus, scaled

__all__ = ["TaylorTrace", "TaylorTracer"]

CONTROL: dict[Primitive, Callable] = {}  # filled by control.py
CARRIED: dict[Primitive, Callable] = {}  # filled by implicit.py


class TaylorTracer(PrimalTracer):
    """A value and the coefficients of its series, in the parent trace.

    ``terms`` are x_1 .. x_K, None for zero; it is empty for a constant.
    """

    __slots__ = ("cut", "terms")

    def __init__(self, trace: Trace, primal: Any, terms: tuple) -> None:
        self._trace = trace
        self.primal = primal
        self.terms = terms
        self.cut: Any = None  # the same with one term less, once asked for

    def constant(self) -> bool:
        """Whether it has no derivative, here and outside."""
        return not self.terms and super().constant()

    def become(self, other: Any) -> None:
        """Stand for another value from here on: what assignment to an element does."""
        own = type(other) is TaylorTracer and other._trace is self._trace
        self.primal, self.terms = (other.primal, other.terms) if own else (other, ())
        self.cut = None

    def shortened(self, order: int) -> TaylorTracer:
        """The series up to ``order``; the same object each time, so that results are found."""
        x = self
        while len(x.terms) > order:
            if x.cut is None:
                x.cut = x._trace.make(x.primal, x.terms[:-1])  # type: ignore[attr-defined]
            x = x.cut
        return x


class TaylorTrace(Trace):
    """Applies recurrences, and jvp rules in series arithmetic."""

    __slots__ = ("memory",)

    def __init__(self, parent: Trace, label: tuple[str, Any]) -> None:
        super().__init__(parent, label)
        # What rules computed, while one is applied: the derivatives of a family of functions
        # (Bessel's) refer to each other, and each member is expanded once.
        self.memory: dict[Any, Any] | None = None

    def constant(self, value: Any) -> TaylorTracer:
        """A value without derivative, as a tracer that can be assigned to."""
        return TaylorTracer(self, value, ())

    def make(self, primal: Any, terms: Sequence[Any]) -> TaylorTracer:
        """A tracer; one whose terms are all zero is a constant."""
        return TaylorTracer(self, primal, tuple(terms) if any(_given(terms)) else ())

    def kept(self, made: Series) -> Any:
        """A result as a tracer, so that it can be assigned to; integers and bools as they are."""
        first = made[0]
        if first.dtype.kind not in "fc":
            return first
        dtype = first.dtype
        convert = registry["convert"]
        terms = [t if t is None or t.dtype == dtype else convert(t, dtype=dtype) for t in made[1:]]
        return self.make(first, terms)

    def owns(self, x: Any) -> bool:
        """Whether ``x`` is a tracer of this trace."""
        return type(x) is TaylorTracer and x._trace is self

    def process(self, primitive: Primitive, operands: Sequence[Any], params: dict) -> Any:
        """Apply a primitive to series."""
        mine = [self.owns(x) for x in operands]
        orders = [len(x.terms) for x, own in zip(operands, mine, strict=True) if own and x.terms]
        if primitive.carries_function:
            return self._carried(primitive, operands, min(orders, default=0), params)
        if not orders:
            values = [x.primal if own else x for x, own in zip(operands, mine, strict=True)]
            answer = self.parent.process(primitive, values, params)
            if True not in mine:
                return answer
            if primitive.multiple_results:
                return tuple(self.kept((a,)) for a in answer)
            return self.kept((answer,))
        order = min(orders)
        with under(self.parent):
            made = self._direct(primitive, operands, order, params)
            if made is not None:
                if primitive.multiple_results:
                    return tuple(map(self.kept, made))
                return self.kept(made)
        return self._integrated(primitive, operands, order, params)

    # --- by structure ------------------------------------------------------------------------

    def _direct(
        self, primitive: Primitive, operands: Sequence, order: int, params: dict
    ) -> list[Any] | None:
        """Coefficients of the result without series of lower order, or None."""
        series = [self.series(x, order) for x in operands]
        values = [s[0] for s in series]
        if isinstance(primitive, Nondifferentiable):
            answer = primitive(*values, **params)
            return [(a,) for a in answer] if primitive.multiple_results else [answer]
        traced = [i for i, s in enumerate(series) if any(_given(s[1:]))]
        if not traced:
            answer = primitive(*values, **params)
            return [(a,) for a in answer] if primitive.multiple_results else [answer]
        if primitive in CONTROL:
            return CONTROL[primitive](self, series, traced, order, params)
        if isinstance(primitive, Elementwise):
            if primitive.rules is None and type(primitive).jvp is Elementwise.jvp:
                return [primitive(*values)]
            if primitive.linear.issuperset(traced) and (primitive.jointly or len(traced) == 1):
                return _linear_elementwise(primitive, series, traced, order)
        if isinstance(primitive, Linear):
            return [_applied(primitive, t, values[1:], params) for t in series[0]]
        if isinstance(primitive, Multilinear):
            if primitive.jointly:
                return _joint(primitive, series, order, params)
            if primitive.linear is None or max(traced) < primitive.linear:
                return multilinear(lambda *xs: primitive(*xs, **params), series, order, traced)
        if isinstance(primitive, General) and traced == [primitive.linear_in]:
            (i,) = traced
            return [
                None if t is None else primitive(*values[:i], t, *values[i + 1 :], **params)
                for t in series[i]
            ]
        rule = RULES.get(primitive)
        return None if rule is None else rule(series, order, params)

    def series(self, x: Any, order: int) -> Series:
        """An operand as a series of ``order + 1`` coefficients."""
        if self.owns(x):
            terms = x.terms[:order]
            return (x.primal, *terms, *[None] * (order - len(terms)))
        return (x, *[None] * order)

    # --- by integration of the jvp -----------------------------------------------------------

    def _integrated(
        self, primitive: Primitive, operands: Sequence, order: int, params: dict
    ) -> Any:
        key = None
        outermost = self.memory is None
        if outermost:
            self.memory = {}
        try:
            shorter = [x.shortened(order - 1) if self.owns(x) else x for x in operands]
            slopes = [self.slope(x, order) for x in operands]
            whole = [x.shortened(order) if self.owns(x) else x for x in operands]
            key = (primitive, *map(_identity, whole), *_params_key(params))
            assert self.memory is not None
            found = self.memory.get(key)
            if found is not None:
                return found[0]
            with under(self):
                if isinstance(primitive, Elementwise):
                    answer, slope = self._elementwise(primitive, shorter, slopes)
                else:
                    answer, slope = primitive.jvp(shorter, slopes, params)
            with under(self.parent):
                if primitive.multiple_results:
                    result: Any = tuple(
                        self.integral(a, t, order) for a, t in zip(answer, slope, strict=True)
                    )
                else:
                    result = self.integral(answer, slope, order)
            self.memory[key] = (result, whole)  # with the operands, so that they keep their ids
            return result
        finally:
            if outermost:
                self.memory = None

    def _elementwise(self, primitive: Elementwise, xs: Sequence, slopes: Sequence) -> tuple:
        """Value and slope; the value only to order 0 where no rule reads it."""
        primitive.quick_rules()
        rules: Any = primitive.rules or (None,) * len(slopes)
        unruled = any(t is not None and r is None for t, r in zip(slopes, rules, strict=True))
        if unruled or primitive.keep[0]:
            return primitive.jvp(xs, slopes, {})
        values = [x.primal if self.owns(x) else x for x in xs]
        with under(self.parent):
            answer = primitive(*values)
        total = None
        operands = strong(xs, answer.dtype)
        for rule, t in zip(rules, slopes, strict=True):
            if t is not None and rule is not None:
                part = rule(t, answer, *operands)
                total = part if total is None else registry["add"](total, part)
        return answer, total

    def slope(self, x: Any, order: int) -> Any:
        """The derivative of a series, of order ``order - 1``, or None where it is zero."""
        if not self.owns(x) or not any(_given(x.terms[:order])):
            return None
        with under(self.parent):
            made = [scaled(t, k) for k, t in enumerate(x.terms[:order], 1)]
            if made[0] is None:
                made[0] = zeros_like_aval(aval_of(x.primal), x.primal)
        return self.make(made[0], made[1:])

    def integral(self, answer: Any, slope: Any, order: int) -> Any:
        """The series with the value of ``answer`` and the given derivative."""
        first = answer.primal if self.owns(answer) else answer
        if slope is None:
            return self.kept((first,))
        terms = self.series(slope, order - 1)
        return self.kept([first, *[scaled(t, 1 / k) for k, t in enumerate(terms, 1)]])

    # --- primitives that carry functions -----------------------------------------------------

    def _carried(self, primitive: Primitive, operands: Sequence, order: int, params: dict) -> tuple:
        if primitive is checkpoint_call:
            with under(self):
                return tuple(params["function"](*operands))
        if primitive in CARRIED:
            return CARRIED[primitive](self, primitive, operands, params)
        if not order:
            return self._passed_on(primitive, operands, params)
        # The functions may close over tracers of ours. So the operands become series of a
        # trace above, whose coefficients are series in what was closed over: the same variable.
        above = TaylorTrace(self, self.label)
        wrapped = [TaylorTracer(above, x.primal, x.terms) if self.owns(x) else x for x in operands]
        outs = above._by_forward(primitive, wrapped, order, params)
        return tuple(self._merged(above, x, order) for x in outs)

    def _merged(self, above: TaylorTrace, x: Any, order: int) -> Any:
        """A series of series in one variable: sums over equal total degrees."""
        if not above.owns(x):
            return x
        rows = [self.series(c, order) for c in above.series(x, order)]
        with under(self.parent):
            made: list[Any] = []
            for k in range(order + 1):
                total = None
                for i in range(k + 1):
                    total = plus(total, rows[i][k - i] if rows[i][0] is not None else None)
                made.append(total)
            return self.kept(made)

    def _by_forward(
        self, primitive: Primitive, operands: Sequence, order: int, params: dict
    ) -> tuple:
        """One order at a time by a forward trace, whose parent is this one."""
        forward = ForwardTrace(self, self.label)
        wrapped: list[Any] = []
        for x in operands:
            t = self.slope(x, order)
            short = x.shortened(order - 1) if self.owns(x) else x
            wrapped.append(short if t is None else ForwardTracer(forward, short, t))
        with under(forward):
            outs = forward.process(primitive, wrapped, params)
        made = []
        for x in outs:
            own = type(x) is ForwardTracer and x._trace is forward
            answer, slope = (x.primal, x.tangent) if own else (x, None)
            if not own and slope is None:
                made.append(answer)
                continue
            with under(self.parent):
                made.append(self.integral(answer, slope, order))
        return tuple(made)

    def _passed_on(self, primitive: Primitive, operands: Sequence, params: dict) -> tuple:
        """Hand over a primitive none of whose operands has a series; its functions may."""
        values = [x.primal if self.owns(x) else x for x in operands]
        mine = any(self.owns(x) for x in operands)
        watchful = _Watchful(self)
        if isinstance(primitive, FunctionPrimitive):
            seeing: dict = {
                k: seen_through(watchful, params[k])  # type: ignore[arg-type]
                for k in primitive.functions
            }
        else:
            seeing = {}
        try:
            answer = self.parent.process(primitive, values, {**params, **seeing})
        except _ClosedOverError:
            if any(isinstance(x, Tracer) for x in values):
                raise TypeError(
                    f"{self.name}: a function with a custom derivative closes over a value that is "
                    "expanded here, and takes arguments that are differentiated elsewhere; pass "
                    "that value as an argument."
                ) from None
            with under(self):
                return tuple(params["function"](*values))
        return tuple(self.kept((a,)) for a in answer) if mine else tuple(answer)


class _ClosedOverError(Exception):
    """A function that was handed over met a tracer of the trace that did so."""


class _Watchful(Trace):
    """Notices tracers of ``target`` that a function closed over."""

    __slots__ = ("target",)

    def __init__(self, target: TaylorTrace) -> None:
        super().__init__(target.parent, target.label)
        self.target = target

    def process(self, primitive: Primitive, operands: Sequence[Any], params: dict) -> Any:
        for x in operands:
            self.value(x)
        if isinstance(primitive, FunctionPrimitive):
            seeing = {
                k: seen_through(self, params[k])  # type: ignore[arg-type]
                for k in primitive.functions
            }
            params = {**params, **seeing}
        with under(self.parent):
            return self.parent.process(primitive, operands, params)

    def value(self, x: Any) -> Any:
        """``x``, unless it is a series."""
        if self.target.owns(x):
            if x.terms:
                raise _ClosedOverError
            return x.primal
        return x


def _given(terms: Sequence[Any]) -> list[bool]:
    return [t is not None for t in terms]


def _identity(x: Any) -> Any:
    """What tells operands apart: tracers by identity, small arrays by value."""
    if isinstance(x, Tracer):
        return id(x)
    if isinstance(x, (int, float, complex, np.generic)):
        return (type(x), x)
    if type(x) is np.ndarray and x.size <= 64:
        return (x.dtype.str, x.shape, x.tobytes())
    return object()


def _params_key(params: dict) -> tuple:
    key = tuple(sorted(params.items()))
    try:
        hash(key)
    except TypeError:
        return (object(),)
    return key


def _applied(primitive: Primitive, t: Any, rest: Sequence, params: dict) -> Any:
    return None if t is None else primitive(t, *rest, **params)


def _linear_elementwise(
    primitive: Elementwise, series: Sequence[Series], traced: Sequence[int], order: int
) -> list[Any]:
    """The rules, which are linear in the tangent, applied to each coefficient."""
    given = [s[0] for s in series]
    answer = primitive(*given)
    values = strong(given, answer.dtype)
    rules: Any = primitive.rules
    made = [answer]
    for k in range(1, order + 1):
        total = None
        for i in traced:
            t = series[i][k]
            if t is not None and rules[i] is not None:
                total = plus(total, rules[i](t, answer, *values))
        made.append(total)
    return made


def _joint(primitive: Multilinear, series: Sequence[Series], order: int, params: dict) -> list[Any]:
    """A primitive linear in its first operands together."""
    count = len(series) if primitive.linear is None else primitive.linear
    values = [s[0] for s in series]
    made = [primitive(*values, **params)]
    for k in range(1, order + 1):
        terms = [s[k] for s in series[:count]]
        if not any(_given(terms)):
            made.append(None)
            continue
        full = [
            zeros_like_aval(aval_of(x), x) if t is None else t
            for t, x in zip(terms, values, strict=False)
        ]
        made.append(primitive(*full, *values[count:], **params))
    return made
