"""Derivatives of hypergeometric functions by their parameters: the series, term by term.

The derivative by a parameter of a Pochhammer symbol follows its recurrence, so that a term's
derivatives of all orders cost a few multiplications. Where terms cancel (large negative arguments,
but for Kummer's transformation of 1F1) or converge slowly, the result would be wrong: that is an
error.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

from .arrays import by_order

__all__ = ["hyp0f1_derivative", "hyp1f1_derivative", "hyp2f1_derivative"]

TERMS = 3000
LOST = 1e6  # cancellation that leaves ten digits


def _series(
    xp: Any, name: str, orders: tuple[int, ...], order: int, upper: list, lower: list, x: Any
) -> Any:
    """Derivatives of pFq: ``orders`` by the parameters, upper ones first, ``order`` by x."""
    zero = xp.zeros_like(x)
    indices = list(itertools.product(*(range(n + 1) for n in orders)))
    term = {i: zero + (0.0 if any(i) else 1.0) for i in indices}
    top = tuple(orders)
    total, size, finished = zero, zero, False
    value = zero  # of the function, whose size the derivative's error is measured by, too
    first = (0,) * len(orders)
    power = zero + 1.0
    for k in range(TERMS):
        if k >= order:
            part = power * term[top] * math.perm(k, order)
            total, size = total + part, size + xp.abs(part)
            value = value + power * term[first] * math.perm(k, order)
            still = xp.abs(part) > 1e-18 * size
            if k > order + 4 and not bool(still.any()):
                finished = True
                break
            power = power * x
        for axis, parameter in enumerate([*upper, *lower]):
            term = _raised(term, indices, axis, parameter + k, axis >= len(upper))
        term = {i: t / (k + 1) for i, t in term.items()}
    kept = xp.isfinite(size) & (size <= LOST * (xp.abs(total) + xp.abs(value)) + 1e-280)
    if not finished or not bool((kept | xp.isnan(x)).all()):
        raise ValueError(
            f"{name}: the derivative by a parameter is computed from the power series, which "
            "cancels or does not converge at one of the arguments given; "
            "differentiate by the argument only, or use functorch_like.finite_difference."
        )
    return total * math.prod(math.factorial(n) for n in orders)


def _raised(
    term: dict[tuple[int, ...], Any], indices: list, axis: int, value: Any, divide: bool
) -> dict[tuple[int, ...], Any]:
    """Taylor coefficients multiplied, or divided, by ``value + t`` in one parameter's ``t``."""
    made: dict[tuple[int, ...], Any] = {}
    for i in indices:
        below = (*i[:axis], i[axis] - 1, *i[axis + 1 :])
        if divide:
            made[i] = (term[i] - made.get(below, 0.0)) / value
        else:
            made[i] = term[i] * value + term.get(below, 0.0)
    return made


def _hyp0f1(xp: Any, special: Any, n: int, order: int, v: Any, x: Any) -> Any:
    return _series(xp, "hyp0f1", (n,), order, [], [v], x)


def _hyp1f1(xp: Any, special: Any, m: int, n: int, order: int, a: Any, b: Any, x: Any) -> Any:
    left = x < 0
    made = xp.empty_like(x)
    for mask, part in ((left, _kummer), (~left, _plain)):
        (where,) = xp.nonzero(mask)
        if where.size:
            made[where] = part(xp, m, n, order, a[where], b[where], x[where])
    return made


def _plain(xp: Any, m: int, n: int, order: int, a: Any, b: Any, x: Any) -> Any:
    return _series(xp, "hyp1f1", (m, n), order, [a], [b], x)


def _kummer(xp: Any, m: int, n: int, order: int, a: Any, b: Any, x: Any) -> Any:
    # M(a, b, x) = exp(x) M(b - a, b, -x), DLMF 13.2.39
    total: Any = 0.0
    for j in range(n + 1):
        for q in range(order + 1):
            share = math.comb(n, j) * math.comb(order, q) * (-1.0) ** (m + q)
            total = total + share * _plain(xp, m + j, n - j, q, b - a, b, -x)
    return xp.exp(x) * total


def _hyp2f1(
    xp: Any, special: Any, k: int, m: int, n: int, order: int, a: Any, b: Any, c: Any, x: Any
) -> Any:
    return _series(xp, "hyp2f1", (k, m, n), order, [a, b], [c], x)


hyp0f1_derivative: Callable = by_order(_hyp0f1, 2)
hyp1f1_derivative: Callable = by_order(_hyp1f1, 3)
hyp2f1_derivative: Callable = by_order(_hyp2f1, 4)
