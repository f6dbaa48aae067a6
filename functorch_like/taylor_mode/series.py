"""Arithmetic of truncated power series.

A series is a sequence ``x_0, x_1, ..., x_K`` of arrays, the coefficients of x(s) = sum x_k s^k;
None stands for a coefficient that is zero (never for ``x_0``). Everything here is written in
primitives and runs in the sense of whatever trace is current.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..primitives.elementwise import add, divide, multiply, negative, subtract

__all__ = [
    "Series",
    "constant",
    "convolved",
    "differences",
    "integral",
    "integral_over",
    "minus",
    "over",
    "plus",
    "product",
    "quotient",
    "scaled",
    "square",
    "square_root",
    "square_term",
    "times",
]

Series = Sequence[Any]


def plus(x: Any, y: Any) -> Any:
    """``x + y`` of coefficients."""
    return y if x is None else x if y is None else add(x, y)


def minus(x: Any, y: Any) -> Any:
    """``x - y`` of coefficients."""
    if y is None:
        return x
    return negative(y) if x is None else subtract(x, y)


def times(x: Any, y: Any) -> Any:
    """``x y`` of coefficients."""
    return None if x is None or y is None else multiply(x, y)


def over(x: Any, y: Any) -> Any:
    """``x / y`` of a coefficient and an array or number."""
    return None if x is None else divide(x, y)


def scaled(x: Any, number: float) -> Any:
    """A coefficient times a Python number."""
    return x if x is None or number == 1 else multiply(x, float(number))


def constant(x: Any, order: int) -> list[Any]:
    """A constant as a series."""
    return [x, *[None] * order]


def convolved(x: Series, y: Series, k: int, first: int = 0, last: int | None = None) -> Any:
    """The sum of ``x_j y_(k-j)`` for j from ``first`` to ``last``, both included."""
    total = None
    for j in range(first, (k if last is None else last) + 1):
        total = plus(total, times(x[j], y[k - j]))
    return total


def product(x: Series, y: Series) -> list[Any]:
    """The product of two series."""
    return [convolved(x, y, k) for k in range(len(x))]


def square_term(x: Series, k: int) -> Any:
    """Coefficient ``k`` of the square, each product of two different coefficients made once."""
    total = None
    for j in range((k + 1) // 2):
        total = plus(total, times(x[j], x[k - j]))
    total = scaled(total, 2)
    if k % 2 == 0:
        total = plus(total, times(x[k // 2], x[k // 2]))
    return total


def square(x: Series) -> list[Any]:
    """The square of a series."""
    return [square_term(x, k) for k in range(len(x))]


def quotient(x: Series, y: Series, first: Any) -> list[Any]:
    """``x / y``, whose first coefficient is given: z_k = (x_k - sum_(j>0) y_j z_(k-j)) / y_0."""
    made = [first]
    for k in range(1, len(x)):
        made.append(over(minus(x[k], convolved(y, [*made, None], k, first=1)), y[0]))
    return made


def square_root(x: Series, first: Any, divisor: Any = None) -> list[Any]:
    """A series whose square is ``x``: s_k = (x_k - sum_(0<j<k) s_j s_(k-j)) / (2 s_0).

    ``divisor`` stands for s_0 in the denominator.
    """
    made = [first]
    twice = multiply(2.0, first if divisor is None else divisor)
    for k in range(1, len(x)):
        rest = convolved([*made, None], [*made, None], k, first=1, last=k - 1)
        made.append(over(minus(x[k], rest), twice))
    return made


def differences(x: Series) -> list[Any]:
    """``j x_j``: the coefficients of s x'(s)."""
    return [None, *[scaled(t, j) for j, t in enumerate(x[1:], 1)]]


def integral(slope: Series, moved: Series, k: int) -> Any:
    """Coefficient ``k`` of y with y' = slope x', where ``moved = differences(x)``.

    It reads the slope's coefficients below k only.
    """
    total = None
    for j in range(1, k + 1):
        total = plus(total, times(moved[j], slope[k - j]))
    return scaled(total, 1 / k)


def integral_over(x: Series, divisor: Series, first: Any) -> list[Any]:
    """``y`` with y' divisor = x': y_k = (x_k - sum_(0<j<k) j y_j divisor_(k-j) / k) / divisor_0."""
    made, moved = [first], [None]
    for k in range(1, len(x)):
        rest = scaled(convolved([*moved, None], divisor, k, first=1, last=k - 1), 1 / k)
        made.append(over(minus(x[k], rest), divisor[0]))
        moved.append(scaled(made[k], k))
    return made
