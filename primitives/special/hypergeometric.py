"""Hypergeometric functions (DLMF 13, 15, 10.46): every order in the argument.

0F1, 1F1 and 2F1 also by their parameters, where the power series is accurate (for 2F1 well inside
the unit circle); elsewhere that is a ``ValueError``, never a wrong number.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...kernels.special.hypergeometric import (
    hyp0f1_derivative,
    hyp1f1_derivative,
    hyp2f1_derivative,
)
from ..elementwise import add, divide, exp, multiply, negative, subtract
from .base import Special, plus, ratio, real_only, special

PARAMETER = "the parameter "


def _by_parameters(name: str, count: int, kernel: Callable) -> Special:
    """All derivatives: ``count`` orders by the parameters, one by x, the parameters, x."""

    def slope_of(i: int) -> Callable:
        def slope(ans: Any, *operands: Any) -> Any:
            return made(*operands[:i], plus(operands[i], 1), *operands[i + 1 :])

        return slope

    made: Special = special(
        f"{name}_by_parameters",
        *("an order of derivative",) * (count + 1),
        *(slope_of(i) for i in range(count + 1)),
        kernel=kernel,
        orders=count + 1,
    )
    return made


hyp0f1_by_parameters = _by_parameters("hyp0f1", 1, hyp0f1_derivative)
hyp1f1_by_parameters = _by_parameters("hyp1f1", 2, hyp1f1_derivative)
hyp2f1_by_parameters = _by_parameters("hyp2f1", 3, hyp2f1_derivative)


def _first(name: str, function: Special, count: int, i: int) -> Callable:
    """The slope by the ``i``-th of ``count`` parameters."""
    orders = tuple(int(j == i) for j in range(count + 1))

    def slope(ans: Any, *operands: Any) -> Any:
        real_only(f"{name}, by a parameter", operands[-1])
        return function(*orders, *operands)

    return slope


hyp0f1: Special = special(
    "hyp0f1",
    _first("hyp0f1", hyp0f1_by_parameters, 1, 0),
    lambda ans, v, z: divide(hyp0f1(plus(v, 1), z), v),
)
hyp1f1: Special = special(
    "hyp1f1",
    _first("hyp1f1", hyp1f1_by_parameters, 2, 0),
    _first("hyp1f1", hyp1f1_by_parameters, 2, 1),
    lambda ans, a, b, x: multiply(ratio(a, b), hyp1f1(plus(a, 1), plus(b, 1), x)),
)
hyp2f1: Special = special(
    "hyp2f1",
    *(_first("hyp2f1", hyp2f1_by_parameters, 3, i) for i in range(3)),
    lambda ans, a, b, c, x: multiply(
        ratio(a, ratio(c, b)), hyp2f1(plus(a, 1), plus(b, 1), plus(c, 1), x)
    ),
)
hyperu: Special = special(
    "hyperu",
    PARAMETER + "a",
    PARAMETER + "b",
    lambda ans, a, b, x: negative(multiply(a, hyperu(plus(a, 1), plus(b, 1), x))),
)
# d/dx sum x^k / (k! Gamma(a k + b)) moves b to a + b.
wright_bessel: Special = special(
    "wright_bessel",
    PARAMETER + "a",
    PARAMETER + "b",
    lambda ans, a, b, x: wright_bessel(a, _sum(a, b), x),
)
log_wright_bessel: Special = special(
    "log_wright_bessel",
    PARAMETER + "a",
    PARAMETER + "b",
    lambda ans, a, b, x: exp(subtract(log_wright_bessel(a, _sum(a, b), x), ans)),
)


def _sum(a: Any, b: Any) -> Any:
    return a + b if type(a) in (int, float) and type(b) in (int, float) else add(a, b)
