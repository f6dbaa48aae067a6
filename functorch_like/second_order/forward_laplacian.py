"""The forward Laplacian: values, their derivatives in N directions and their Laplacian together.

For y = F(x), with d_n the derivative in direction n and L the sum of second derivatives over the
directions, L y = F'(x) L x + sum_n F''(x)[d_n x, d_n x]: linear in L x, so that one array is
carried where N two-jets would carry N (Li et al., "A computational framework for neural network-
based variational Monte Carlo with forward Laplacian", 2024). Products of two arrays and functions
of each element sum over n within one operation. As long as element i of an array depends on
variable i alone, only the diagonal of its Jacobian is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..batching import BatchTrace, BatchTracer
from ..checkpointing import checkpoint_call
from ..primitives.contraction import contract
from ..primitives.core import (
    Elementwise,
    Linear,
    Multilinear,
    Nondifferentiable,
    PrimalTracer,
    Primitive,
    Trace,
    beside,
    dtype_of,
    shape_of,
    strong,
    under,
    zeros_like_aval,
)
from ..primitives.core import aval_of as aval_of_value
from ..primitives.elementwise import add, multiply
from ..primitives.reduction import reduce_sum
from ..primitives.structural import copy, reshape, size_of
from ..taylor_mode.series import plus, scaled
from ..taylor_mode.trace import TaylorTrace, TaylorTracer

__all__ = ["Diagonal", "LaplacianTrace", "LaplacianTracer"]

ELEMENT_KEEPING = (reshape, copy)  # linear, with the elements in their order


class Diagonal:
    """A Jacobian whose row ``n`` is zero but at element ``n - start``, where it is ``values``."""

    __slots__ = ("start", "total", "values")

    def __init__(self, values: Any, start: int, total: int) -> None:
        self.values = values  # of the shape of the array differentiated
        self.start = start
        self.total = total

    def like(self, values: Any) -> Diagonal:
        """Another one for the same variables."""
        return Diagonal(values, self.start, self.total)

    def matches(self, other: Any) -> bool:
        """Whether another Jacobian is diagonal in the same variables."""
        return (
            type(other) is Diagonal
            and other.start == self.start
            and shape_of(other.values) == shape_of(self.values)
        )

    def dense(self) -> Any:
        """All rows: an array of shape ``(total, *shape)``."""
        shape, dtype = shape_of(self.values), dtype_of(self.values)
        size = size_of(shape)
        rows = np.zeros((self.total, size), dtype)
        rows[self.start + np.arange(size), np.arange(size)] = 1
        mask = beside(self.values, rows.reshape(self.total, *shape))
        return multiply(mask, self.values)


class LaplacianTracer(PrimalTracer):
    """A value, its Jacobian (rows first, or a ``Diagonal``) and its Laplacian, None for zero."""

    __slots__ = ("jacobian", "laplacian")

    def __init__(self, trace: Trace, primal: Any, jacobian: Any, laplacian: Any) -> None:
        self._trace = trace
        self.primal = primal
        self.jacobian = jacobian
        self.laplacian = laplacian

    def constant(self) -> bool:
        """Whether it has no derivative, here and outside."""
        return self.jacobian is None and self.laplacian is None and super().constant()

    def become(self, other: Any) -> None:
        """Stand for another value from here on: what assignment to an element does."""
        if type(other) is LaplacianTracer and other._trace is self._trace:
            self.primal, self.jacobian = other.primal, other.jacobian
            self.laplacian = other.laplacian
        else:
            self.primal, self.jacobian, self.laplacian = other, None, None


class LaplacianTrace(Trace):
    """Propagates values, Jacobians and Laplacians; ``size`` is the number of directions."""

    __slots__ = ("size",)

    def __init__(self, parent: Trace, label: tuple[str, Any], size: int) -> None:
        super().__init__(parent, label)
        self.size = size

    def constant(self, value: Any) -> LaplacianTracer:
        """A value without derivative, as a tracer that can be assigned to."""
        return LaplacianTracer(self, value, None, None)

    def owns(self, x: Any) -> bool:
        """Whether ``x`` is a tracer of this trace."""
        return type(x) is LaplacianTracer and x._trace is self

    def kept(self, answer: Any, jacobian: Any = None, laplacian: Any = None) -> Any:
        """A result as a tracer; integers and truth values as they are."""
        if answer.dtype.kind not in "fc":
            return answer
        return LaplacianTracer(self, answer, jacobian, laplacian)

    def process(self, primitive: Primitive, operands: Sequence[Any], params: dict) -> Any:
        """Apply a primitive to values with their derivatives."""
        own = [self.owns(x) for x in operands]
        values = [x.primal if mine else x for x, mine in zip(operands, own, strict=True)]
        moving = [
            i for i, x in enumerate(operands) if own[i] and not (x.jacobian is x.laplacian is None)
        ]
        if primitive is checkpoint_call:
            with under(self):
                return tuple(params["function"](*operands))
        if not moving or isinstance(primitive, Nondifferentiable):
            answer = self.parent.process(primitive, values, params)
            if True not in own:
                return answer
            if primitive.multiple_results:
                return tuple(map(self.kept, answer))
            return self.kept(answer)
        with under(self.parent):
            made = self._direct(primitive, operands, values, moving, params)
            if made is None:
                made = self._by_jets(primitive, operands, moving, params)
        if primitive.multiple_results:
            return tuple(self.kept(*one) for one in made)
        return self.kept(*made)

    # --- by structure ------------------------------------------------------------------------

    def _direct(
        self, primitive: Primitive, operands: Sequence, values: list, moving: list, params: dict
    ) -> tuple | None:
        if isinstance(primitive, Elementwise):
            if primitive.rules is None:
                if type(primitive).jvp is not Elementwise.jvp:
                    return None
                return (primitive(*values),)
            if primitive.linear.issuperset(moving) and (primitive.jointly or len(moving) == 1):
                return self._linear_elementwise(primitive, operands, values, moving)
            if all(primitive.rules[i] is not None for i in moving):
                return self._elementwise(primitive, operands, values, moving)
            return None
        if isinstance(primitive, Linear):
            (x,) = (operands[i] for i in moving) if moving == [0] else (None,)
            if x is None:
                return None
            rest = values[1:]
            answer = primitive(*values, **params)
            laplacian = x.laplacian
            if laplacian is not None:
                laplacian = primitive(laplacian, *rest, **params)
            return answer, self._linear_rows(primitive, x.jacobian, rest, answer, params), laplacian
        if primitive is contract and len(moving) == 2:
            return self._product(operands, values, params)
        if not isinstance(primitive, Multilinear) or primitive.jointly or len(moving) > 1:
            return None
        (i,) = moving
        if primitive.linear is not None and i >= primitive.linear:
            return None
        x = operands[i]
        answer = primitive(*values, **params)

        def apply(t: Any) -> Any:
            return None if t is None else primitive(*values[:i], t, *values[i + 1 :], **params)

        rows = x.jacobian
        if rows is not None:
            full = list(values)
            full[i] = self.dense(rows)
            flags = [k == i for k in range(len(values))]
            rows = primitive.batch(self.size, full, flags, **params)
        return answer, rows, apply(x.laplacian)

    def dense(self, jacobian: Any) -> Any:
        """A Jacobian as an array with the directions first."""
        return jacobian.dense() if type(jacobian) is Diagonal else jacobian

    def _linear_rows(
        self, primitive: Linear, rows: Any, rest: Sequence, answer: Any, params: dict
    ) -> Any:
        if rows is None:
            return None
        if type(rows) is Diagonal:
            if primitive in ELEMENT_KEEPING:
                return rows.like(primitive(rows.values, *rest, **params))
            shape = shape_of(rows.values)
            full = rows.start == 0 and rows.total == size_of(shape)
            if primitive is reduce_sum and full and len(params["axes"]) == len(shape):
                return reshape(rows.values, shape=(rows.total,))
            rows = rows.dense()
        flags = [True] + [False] * len(rest)
        return primitive.batch(self.size, [rows, *rest], flags, **params)

    def _linear_elementwise(
        self, primitive: Elementwise, operands: Sequence, values: list, moving: list
    ) -> tuple:
        answer = primitive(*values)
        values = list(strong(values, answer.dtype))
        rules: Any = primitive.rules
        parts = [(i, operands[i].jacobian) for i in moving if operands[i].jacobian is not None]
        laplacian = None
        for i in moving:
            if operands[i].laplacian is not None:
                laplacian = plus(laplacian, rules[i](operands[i].laplacian, answer, *values))
        if not parts:
            return answer, None, laplacian
        first = parts[0][1]
        if type(first) is Diagonal and all(first.matches(rows) for _, rows in parts):
            total = None
            for i, rows in parts:
                total = plus(total, rules[i](rows.values, answer, *values))
            return answer, first.like(total), laplacian
        total = None
        for i, rows in parts:
            total = plus(total, rules[i](self.dense(rows), answer, *values))
        return answer, total, laplacian

    def _elementwise(
        self, primitive: Elementwise, operands: Sequence, values: list, moving: list
    ) -> tuple:
        """Partial derivatives to second order, each of the size of the result, once."""
        answer, first, second = partial_derivatives(primitive, values, moving, self)
        jacobians = [operands[i].jacobian for i in moving]
        start = next((rows for rows in jacobians if rows is not None), None)
        aligned = type(start) is Diagonal and all(
            rows is None or start.matches(rows) for rows in jacobians
        )
        rows = [None if x is None else x.values if aligned else self.dense(x) for x in jacobians]
        total = laplacian = None
        for k, i in enumerate(moving):
            if operands[i].laplacian is not None:
                laplacian = plus(laplacian, multiply(first[k], operands[i].laplacian))
            if rows[k] is not None:
                total = plus(total, multiply(rows[k], first[k]))
        for (j, k), factor in second.items():
            if rows[j] is None or rows[k] is None or factor is None:
                continue
            crossed = multiply(rows[j], rows[k])
            if not aligned:
                crossed = reduce_sum(crossed, axes=(0,))
            laplacian = plus(laplacian, multiply(crossed, factor))
        if total is not None and aligned and start is not None:
            total = start.like(total)
        return answer, total, laplacian

    def _product(self, operands: Sequence, values: list, params: dict) -> tuple:
        x, y = operands
        subscripts = params["subscripts"]
        a, b, out = subscripts
        label = next(c for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if c not in a + b)
        answer = contract(*values, subscripts=subscripts)
        total = laplacian = None
        rows, columns = self.dense(x.jacobian), self.dense(y.jacobian)
        if rows is not None:
            total = contract(rows, values[1], subscripts=(label + a, b, label + out))
        if columns is not None:
            part = contract(values[0], columns, subscripts=(a, label + b, label + out))
            total = plus(total, part)
        if rows is not None and columns is not None:
            crossed = contract(rows, columns, subscripts=(label + a, label + b, out))
            laplacian = scaled(crossed, 2)
        if x.laplacian is not None:
            part = contract(x.laplacian, values[1], subscripts=subscripts)
            laplacian = plus(laplacian, part)
        if y.laplacian is not None:
            part = contract(values[0], y.laplacian, subscripts=subscripts)
            laplacian = plus(laplacian, part)
        return answer, total, laplacian

    # --- by two-jets along each direction ------------------------------------------------------

    def _by_jets(self, primitive: Primitive, operands: Sequence, moving: list, params: dict) -> Any:
        batch = BatchTrace(self.parent, self.label, self.size)
        trace = TaylorTrace(batch, self.label)
        given: list[Any] = []
        for i, x in enumerate(operands):
            if i not in moving:
                given.append(x.primal if self.owns(x) else x)
                continue
            first = None if x.jacobian is None else BatchTracer(batch, self.dense(x.jacobian))
            # each direction has its share of what is linear in the Laplacian
            second = scaled(x.laplacian, 0.5 / self.size)
            given.append(TaylorTracer(trace, x.primal, (first, second)))
        with under(trace):
            outs = trace.process(primitive, given, params)

        def single(x: Any) -> tuple:
            value, first, second = trace.series(x, 2)
            if isinstance(value, BatchTracer):
                value = value.value[0]
            if first is not None:
                first = batch.unwrap(first)
            if second is not None:
                second = scaled(reduce_sum(batch.unwrap(second), axes=(0,)), 2)
            return value, first, second

        return tuple(map(single, outs)) if primitive.multiple_results else single(outs)


def partial_derivatives(
    primitive: Elementwise, values: Sequence, moving: Sequence[int], label: Trace
) -> tuple[Any, list, dict]:
    """Value, first and second partial derivatives of an elementwise primitive.

    The second ones are given as factors of the products of tangents (j, k) with j <= k, those
    off the diagonal twice: from two-jets along e_j and e_j + e_k.
    """
    shape = np.broadcast_shapes(*map(shape_of, values))
    dtype = np.result_type(*[dtype_of(values[i]) for i in moving])

    def along(chosen: Sequence[int]) -> tuple[Any, Any, Any]:
        trace = TaylorTrace(label.parent, label.label)
        given = list(values)
        for i in chosen:
            one = np.broadcast_to(beside(values[i], np.ones((), dtype)), shape)
            given[i] = TaylorTracer(trace, values[i], (one, None))
        with under(trace):
            out = trace.process(primitive, given, {})
        value, first, second = trace.series(out, 2)
        return value, first, None if second is None else scaled(second, 2)

    singles = [along([i]) for i in moving]
    zero = zeros_like_aval(aval_of_value(singles[0][0]), singles[0][0])
    first = [zero if s[1] is None else s[1] for s in singles]
    second: dict = {(k, k): s[2] for k, s in enumerate(singles)}
    for j in range(len(moving)):
        for k in range(j + 1, len(moving)):
            both = along([moving[j], moving[k]])[2]
            own = plus(singles[j][2], singles[k][2])
            # f_jj + 2 f_jk + f_kk, less the first and the last
            mixed = both if own is None else add(zero if both is None else both, scaled(own, -1))
            second[j, k] = mixed
    return singles[0][0], first, second
