"""Direct recurrences for the coefficients of frequent functions, quadratic in the order.

A rule ``(operands, order, params)`` takes the operands as series of ``order + 1`` coefficients
and returns those of the result, or None where it does not apply and the general way, through the
primitive's jvp, has to be gone. Most are Griewank and Walther, "Evaluating Derivatives" (2008),
table 13.2: a function y(x) that satisfies a differential equation gives y_k from y_0 .. y_(k-1).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..primitives import elementwise as e
from ..primitives.core import Primitive, Tracer, dtype_of, shape_of
from ..primitives.linalg import _masked as masked_triangle
from ..primitives.linalg import inverse, matmul, solve, transposed, triangular_solve
from ..primitives.sparse import sparse_product, sparse_solve
from .series import (
    Series,
    constant,
    convolved,
    differences,
    integral,
    integral_over,
    minus,
    plus,
    product,
    quotient,
    scaled,
    square,
    square_root,
    square_term,
    times,
)

__all__ = ["RULES"]

Rule = Callable[[list[Series], int, dict], list[Any] | None]

RULES: dict[Primitive, Rule] = {}


def rule(*primitives: Primitive) -> Callable[[Rule], Rule]:
    """Decorate the recurrence of primitives."""

    def register(function: Rule) -> Rule:
        for primitive in primitives:
            RULES[primitive] = function
        return function

    return register


# --- arithmetic ----------------------------------------------------------------------------


@rule(e.multiply)
def _multiply(xs: list[Series], order: int, params: dict) -> list[Any]:
    x, y = xs
    return square(x) if x is y else product(x, y)


@rule(e.divide)
def _divide(xs: list[Series], order: int, params: dict) -> list[Any]:
    x, y = xs
    return quotient(x, y, e.divide(x[0], y[0]))


@rule(e.reciprocal)
def _reciprocal(xs: list[Series], order: int, params: dict) -> list[Any]:
    (x,) = xs
    first = e.reciprocal(x[0])
    made, minus_first = [first], e.negative(first)
    for k in range(1, order + 1):
        made.append(times(convolved(x, [*made, None], k, first=1), minus_first))
    return made


@rule(e.square)
def _square(xs: list[Series], order: int, params: dict) -> list[Any]:
    return [e.square(xs[0][0]), *square(xs[0])[1:]]


@rule(e.sqrt)
def _sqrt(xs: list[Series], order: int, params: dict) -> list[Any]:
    return square_root(xs[0], e.sqrt(xs[0][0]))


@rule(e.root_of_square_sum)
def _root_of_square_sum(xs: list[Series], order: int, params: dict) -> list[Any]:
    first = e.root_of_square_sum(xs[0][0])
    return square_root(xs[0], first, e.select(e.equal(first, 0), np.inf, first))


def _known(x: Any) -> Any:
    """The plain value of an operand, or None where it is not known."""
    return x.concrete() if isinstance(x, Tracer) else x


def _regular(x: Any) -> bool:
    """Whether all elements are known, and none is zero."""
    value = _known(x)
    return value is not None and bool(np.all(value))


def _singular(x: Any) -> bool:
    """Whether an element is known to be zero."""
    value = _known(x)
    return value is not None and not bool(np.all(value))


def _integer_power(x: Series, exponent: int, first: Any) -> list[Any]:
    """By repeated squaring, which needs no division: right at zero too."""
    made: Series | None = None
    squared = list(x)
    remaining = exponent
    while remaining:
        if remaining & 1:
            made = squared if made is None else product(made, squared)
        remaining >>= 1
        if remaining:
            squared = square(squared)
    assert made is not None
    return [first, *made[1:]]


def _binomial_power(x: Series, exponent: Any, first: Any) -> list[Any]:
    """Newton's binomial series in h = x - x_0, by Horner's rule: no division by x_0."""
    order = len(x) - 1
    step = [None, *x[1:]]
    coefficients = [first]
    factor: Any = 1.0
    for j in range(1, order + 1):
        factor = e.multiply(factor, e.multiply(e.subtract(exponent, float(j - 1)), 1.0 / j))
        # where the series ends no negative power of a zero is formed
        left = e.select(e.equal(factor, 0), 1, e.subtract(exponent, float(j)))
        coefficients.append(e.multiply(factor, e.power(x[0], left)))
    made: list[Any] = constant(coefficients[-1], order)
    for j in range(order - 1, -1, -1):
        made = [convolved(step, made, k) for k in range(order + 1)]
        made[0] = coefficients[j]
    return made


@rule(e.power)
def _power(xs: list[Series], order: int, params: dict) -> list[Any] | None:
    x, y = xs
    first = e.power(x[0], y[0])
    if all(t is None for t in y[1:]):
        exponent = _known(y[0])
        if exponent is not None and np.ndim(exponent) == 0:
            number = complex(exponent)
            if number.imag == 0 and number.real == int(number.real) and 0 < number.real <= 64:
                return _integer_power(x, int(number.real), first)
            if number == 0:
                return constant(first, order)
        if not _regular(x[0]):
            return _binomial_power(x, y[0], first)
        # x y' = a x' y
        moved, made, own = differences(x), [first], [None]
        for k in range(1, order + 1):
            up = convolved(moved, [*made, None], k, first=1)
            up = times(up, y[0])
            down = convolved(own, [*x, None], k, first=1, last=k - 1)
            term = minus(up, down)
            made.append(None if term is None else e.divide(scaled(term, 1 / k), x[0]))
            own.append(scaled(made[k], k))
        return made
    if any(t is not None for t in x[1:]) and _singular(x[0]):
        return None
    # y^' = (a log x)' y; 0 ** y has slope 0 in y, as in the rule
    base = e.select(e.equal(x[0], 0), 1, x[0])
    logarithm = integral_over([base, *x[1:]], [base, *x[1:]], e.log(base))
    exponents = product(y, logarithm)
    return _from_slope(exponents, first, lambda made: made)


# --- functions with a differential equation ------------------------------------------------


def _from_slope(x: Series, first: Any, slope: Callable[[list], Series]) -> list[Any]:
    """``y`` with y' = slope x', where the slope is made of what is known of y."""
    moved, made = differences(x), [first]
    for k in range(1, len(x)):
        made.append(integral(slope(made), moved, k))
    return made


@rule(e.exp)
def _exp(xs: list[Series], order: int, params: dict) -> list[Any]:
    return _from_slope(xs[0], e.exp(xs[0][0]), lambda made: made)


@rule(e.exp2)
def _exp2(xs: list[Series], order: int, params: dict) -> list[Any]:
    moved, made = differences([scaled(t, e.LN2) if i else t for i, t in enumerate(xs[0])]), []
    made.append(e.exp2(xs[0][0]))
    for k in range(1, order + 1):
        made.append(integral(made, moved, k))
    return made


@rule(e.expm1)
def _expm1(xs: list[Series], order: int, params: dict) -> list[Any]:
    (x,) = xs
    return [e.expm1(x[0]), *_from_slope(x, e.exp(x[0]), lambda made: made)[1:]]


@rule(e.log)
def _log(xs: list[Series], order: int, params: dict) -> list[Any]:
    return integral_over(xs[0], xs[0], e.log(xs[0][0]))


@rule(e.log2)
def _log2(xs: list[Series], order: int, params: dict) -> list[Any]:
    (x,) = xs
    rest = integral_over(x, x, None)[1:]
    return [e.log2(x[0]), *[scaled(t, 1 / e.LN2) for t in rest]]


@rule(e.log10)
def _log10(xs: list[Series], order: int, params: dict) -> list[Any]:
    (x,) = xs
    rest = integral_over(x, x, None)[1:]
    return [e.log10(x[0]), *[scaled(t, 1 / e.LN10) for t in rest]]


@rule(e.log1p)
def _log1p(xs: list[Series], order: int, params: dict) -> list[Any]:
    (x,) = xs
    return integral_over(x, [e.add(1.0, x[0]), *x[1:]], e.log1p(x[0]))


def _pair(x: Series, first: Any, second: Any, sign: int) -> tuple[list[Any], list[Any]]:
    """``u`` and ``v`` with u' = v x' and v' = sign u x'."""
    moved = differences(x)
    u, v = [first], [second]
    for k in range(1, len(x)):
        a, b = integral(v, moved, k), integral(u, moved, k)
        u.append(a)
        v.append(b if sign > 0 or b is None else e.negative(b))
    return u, v


@rule(e.sin)
def _sin(xs: list[Series], order: int, params: dict) -> list[Any]:
    (x,) = xs
    return _pair(x, e.sin(x[0]), e.cos(x[0]), -1)[0]


@rule(e.cos)
def _cos(xs: list[Series], order: int, params: dict) -> list[Any]:
    (x,) = xs
    return _pair(x, e.sin(x[0]), e.cos(x[0]), -1)[1]


@rule(e.sinh)
def _sinh(xs: list[Series], order: int, params: dict) -> list[Any]:
    (x,) = xs
    return _pair(x, e.sinh(x[0]), e.cosh(x[0]), 1)[0]


@rule(e.cosh)
def _cosh(xs: list[Series], order: int, params: dict) -> list[Any]:
    (x,) = xs
    return _pair(x, e.sinh(x[0]), e.cosh(x[0]), 1)[1]


def _riccati(x: Series, first: Any, sign: int) -> list[Any]:
    """``y`` with y' = (1 + sign y^2) x'."""
    moved, made = differences(x), [first]
    slope: list[Any] = []
    for k in range(1, len(x)):
        term = square_term(made, k - 1)
        if sign < 0 and term is not None:
            term = e.negative(term)
        slope.append(e.add(1.0, term) if k == 1 else term)
        made.append(integral(slope, moved, k))
    return made


@rule(e.tan)
def _tan(xs: list[Series], order: int, params: dict) -> list[Any]:
    return _riccati(xs[0], e.tan(xs[0][0]), 1)


@rule(e.tanh)
def _tanh(xs: list[Series], order: int, params: dict) -> list[Any]:
    return _riccati(xs[0], e.tanh(xs[0][0]), -1)


def _one_plus_square(x: Series, sign: int) -> list[Any]:
    """``1 + sign x^2``."""
    squared = square(x)
    if sign < 0:
        squared = [None if t is None else e.negative(t) for t in squared]
    return [e.add(1.0, squared[0]), *squared[1:]]


@rule(e.arctan)
def _arctan(xs: list[Series], order: int, params: dict) -> list[Any]:
    (x,) = xs
    return integral_over(x, _one_plus_square(x, 1), e.arctan(x[0]))


@rule(e.arctanh)
def _arctanh(xs: list[Series], order: int, params: dict) -> list[Any]:
    (x,) = xs
    return integral_over(x, _one_plus_square(x, -1), e.arctanh(x[0]))


def _arc(function: Any, sign: int, flipped: bool = False) -> None:
    """A function whose derivative is 1 / sqrt(1 + sign x^2), or minus that."""

    def apply(xs: list[Series], order: int, params: dict) -> list[Any] | None:
        (x,) = xs
        if dtype_of(x[0]).kind == "c":
            return None  # the side of the branch cut is the general rule's business
        squared = _one_plus_square(x, sign)
        root = square_root(squared, e.sqrt(squared[0]))
        made = integral_over(x, root, None)[1:]
        if flipped:
            made = [None if t is None else e.negative(t) for t in made]
        return [function(x[0]), *made]

    RULES[function] = apply


_arc(e.arcsin, -1)
_arc(e.arccos, -1, flipped=True)
_arc(e.arcsinh, 1)


# --- solutions of linear systems -------------------------------------------------------------


def _solution(a: Series, b: Series, apply: Callable, back: Callable) -> list[Any]:
    """``x`` with a x = b: one matrix is solved with for all orders, a_0."""
    made: list[Any] = []
    for k in range(len(a)):
        right = b[k]
        for j in range(1, k + 1):
            if a[j] is not None and made[k - j] is not None:
                right = minus(right, apply(a[j], made[k - j]))
        made.append(None if right is None else back(right))
    return made


@rule(solve)
def _solve(xs: list[Series], order: int, params: dict) -> list[Any]:
    a, b = xs
    return _solution(a, b, matmul, lambda right: solve(a[0], right))


@rule(triangular_solve)
def _triangular_solve(xs: list[Series], order: int, params: dict) -> list[Any]:
    a, b = xs
    kind = "strictly_" * params["unit_diagonal"] + ("lower" if params["lower"] else "upper")

    def apply(part: Any, x: Any) -> Any:
        read = masked_triangle(part, kind, a[0])  # only the elements that are read
        return matmul(transposed(read) if params["transpose"] else read, x)

    return _solution(a, b, apply, lambda right: triangular_solve(a[0], right, **params))


@rule(inverse)
def _inverse(xs: list[Series], order: int, params: dict) -> list[Any]:
    (a,) = xs
    first = inverse(a[0])
    made = [first]
    for k in range(1, order + 1):
        total = None
        for j in range(1, k + 1):
            if a[j] is not None and made[k - j] is not None:
                total = plus(total, matmul(a[j], made[k - j]))
        made.append(None if total is None else e.negative(matmul(first, total)))
    return made


@rule(sparse_solve)
def _sparse_solve(xs: list[Series], order: int, params: dict) -> list[Any]:
    data, b, indices, indptr = xs
    n = shape_of(b[0])[-2]
    pattern = indices[0], indptr[0]

    def apply(part: Any, x: Any) -> Any:
        form = {"shape": (n, n), "transpose": params["transpose"]}
        return sparse_product(part, x, *pattern, **form)

    return _solution(data, b, apply, lambda right: sparse_solve(data[0], right, *pattern, **params))


def multilinear(
    apply: Callable[..., Any], operands: Sequence[Series], order: int, traced: Sequence[int]
) -> list[Any]:
    """A function linear in each of the ``traced`` operands: sums over ways to share an order."""

    def total(k: int, left: Sequence[int], chosen: dict[int, Any]) -> Any:
        if not left:
            return apply(*[chosen.get(i, x[0]) for i, x in enumerate(operands)])
        i, *rest = left
        degrees = [k] if not rest else range(k + 1)
        made = None
        for j in degrees:
            if operands[i][j] is not None:
                made = plus(made, total(k - j, rest, {**chosen, i: operands[i][j]}))
        return made

    return [total(k, list(traced), {}) for k in range(order + 1)]
