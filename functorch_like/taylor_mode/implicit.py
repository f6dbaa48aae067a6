"""Solutions of equations: the coefficients come one by one from the equation, not the solver.

With x_0 .. x_(k-1) known, the coefficient k of A(s) x(s) = b(s) or f(x(s), s) = 0 is linear in
x_k: ``A_0 x_k = b_k - [A(s) (x_0 + ... + x_(k-1) s^(k-1))]_k``. The solver of the values serves
for all orders, and what it does is not expanded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..function_primitives import FunctionPrimitive, seen_through
from ..implicit.primitives import linear_solve, root_solve
from ..primitives.core import Primitive, Trace, aval_of, under, zeros_like_aval
from ..primitives.elementwise import negative
from .series import minus
from .trace import CARRIED, TaylorTrace, TaylorTracer

__all__ = ["solved"]


class _Values(Trace):
    """Sees through the series of ``target`` that a function closed over: uses their values."""

    __slots__ = ("target",)

    def __init__(self, target: TaylorTrace) -> None:
        super().__init__(target.parent, target.label)
        self.target = target

    def process(self, primitive: Primitive, operands: Sequence[Any], params: dict) -> Any:
        """Apply a primitive to values."""
        if isinstance(primitive, FunctionPrimitive):
            seeing: dict = {
                k: seen_through(self, params[k])  # type: ignore[arg-type]
                for k in primitive.functions
            }
            params = {**params, **seeing}
        with under(self.parent):
            return self.parent.process(primitive, [self.value(x) for x in operands], params)

    def value(self, x: Any) -> Any:
        """``x``, or the value of a series."""
        return x.primal if self.target.owns(x) else x


def solved(trace: TaylorTrace, primitive: Any, operands: Sequence[Any], params: dict) -> tuple:
    """The series of a solution, as tracers, and auxiliary results."""
    parent, count = trace.parent, params["solution"]
    values = _Values(trace)
    seeing: dict = {
        k: seen_through(values, params[k])  # type: ignore[arg-type]
        for k in primitive.functions
    }
    plain = {**params, **seeing}
    equation = params[primitive.equation]
    linear = primitive is linear_solve
    with under(parent):
        outs = parent.process(primitive, [values.value(x) for x in operands], plain)
    with under(trace):
        made = equation(*outs[:count])
    sources = [x for x in (*made, *(operands if linear else ())) if trace.owns(x) and x.terms]
    order = min((len(x.terms) for x in sources), default=0)
    series = [[x] for x in outs[:count]]
    for k in range(1, order + 1):
        if k > 1:
            current = [
                TaylorTracer(trace, x[0], (*x[1:], None)) if any(_given(x[1:])) else x[0]
                for x in series
            ]
            with under(trace):
                made = equation(*current)
        with under(parent):
            rest = [trace.series(x, k)[k] for x in made]
            if linear:
                rest = [
                    minus(trace.series(b, k)[k], t) for b, t in zip(operands, rest, strict=True)
                ]
            if not any(_given(rest)):
                found: Sequence[Any] = [None] * count
            else:
                full = [
                    zeros_like_aval(aval_of(x[0]), x[0]) if t is None else t
                    for x, t in zip(series, rest, strict=True)
                ]
                if linear:
                    found = parent.process(primitive, full, plain)[:count]
                else:
                    found = [negative(t) for t in seeing["tangent"](*outs[:count], *full)]
        for x, t in zip(series, found, strict=True):
            x.append(t)
    return (*(trace.kept(x) for x in series), *outs[count:])


def _given(terms: Sequence[Any]) -> list[bool]:
    return [t is not None for t in terms]


CARRIED[linear_solve] = CARRIED[root_solve] = solved
