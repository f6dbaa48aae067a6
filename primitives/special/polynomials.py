"""Orthogonal polynomials and Legendre functions (DLMF 14, 18), by the argument.

The derivative of a classical polynomial is one of lower degree and higher parameters (DLMF 18.9),
regular at the ends of its interval.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..elementwise import add, divide, equal, multiply, negative, select, square, subtract
from .base import Special, plus, special, times

DEGREE = "the degree n"


def _lowered(n: Any, function: Callable) -> Any:
    """``function(n - 1)``, and 0 for n = 0."""
    if type(n) in (int, float):
        return 0.0 if n == 0 else function(n - 1)
    zero = equal(n, 0)
    return select(zero, 0.0, function(select(zero, 0, subtract(n, 1))))


def _twice_less_one(x: Any) -> Any:
    return subtract(multiply(2.0, x), 1.0)


def _polynomial(name: str, slope: Callable, orders: int = 1) -> Special:
    """One of a degree and the argument."""

    def whole(ans: Any, n: Any, x: Any) -> Any:
        return slope(n, x)

    return special(name, DEGREE, whole, orders=orders)


def _by_gegenbauer(alpha: float, scale: float, inner: Callable) -> Callable:
    """``scale`` times Gegenbauer's polynomial of degree n - 1 and parameter ``alpha``."""
    return lambda n, x: _lowered(n, lambda k: multiply(scale, eval_gegenbauer(k, alpha, inner(x))))


def _by_second_kind(scale: float, inner: Callable) -> Callable:
    """``scale n U_{n-1}``."""
    return lambda n, x: _lowered(
        n, lambda k: multiply(times(scale, plus(k, 1)), eval_chebyu(k, inner(x)))
    )


def _same(x: Any) -> Any:
    return x


def _half(x: Any) -> Any:
    return multiply(0.5, x)


eval_legendre = _polynomial("eval_legendre", _by_gegenbauer(1.5, 1.0, _same))
eval_chebyt = _polynomial("eval_chebyt", _by_second_kind(1.0, _same))
eval_chebyu = _polynomial("eval_chebyu", _by_gegenbauer(2.0, 2.0, _same))
eval_chebyc = _polynomial("eval_chebyc", _by_second_kind(1.0, _half))
eval_chebys = _polynomial("eval_chebys", _by_gegenbauer(2.0, 1.0, _half))
eval_sh_legendre = _polynomial("eval_sh_legendre", _by_gegenbauer(1.5, 2.0, _twice_less_one))
eval_sh_chebyt = _polynomial("eval_sh_chebyt", _by_second_kind(2.0, _twice_less_one))
eval_sh_chebyu = _polynomial("eval_sh_chebyu", _by_gegenbauer(2.0, 4.0, _twice_less_one))
eval_laguerre = _polynomial(
    "eval_laguerre",
    lambda n, x: _lowered(n, lambda k: negative(eval_genlaguerre(k, 1.0, x))),
)
eval_hermite = _polynomial(
    "eval_hermite",
    lambda n, x: _lowered(n, lambda k: multiply(times(2.0, plus(k, 1)), eval_hermite(k, x))),
)
eval_hermitenorm = _polynomial(
    "eval_hermitenorm",
    lambda n, x: _lowered(n, lambda k: multiply(plus(k, 1), eval_hermitenorm(k, x))),
)
eval_gegenbauer: Special = special(
    "eval_gegenbauer",
    DEGREE,
    "the parameter alpha",
    lambda ans, n, alpha, x: _lowered(
        n, lambda k: multiply(times(2.0, alpha), eval_gegenbauer(k, plus(alpha, 1), x))
    ),
    orders=1,
)
eval_genlaguerre: Special = special(
    "eval_genlaguerre",
    DEGREE,
    "the parameter alpha",
    lambda ans, n, alpha, x: _lowered(
        n, lambda k: negative(eval_genlaguerre(k, plus(alpha, 1), x))
    ),
    orders=1,
)
eval_jacobi: Special = special(
    "eval_jacobi",
    DEGREE,
    "the parameter alpha",
    "the parameter beta",
    lambda ans, n, alpha, beta, x: _lowered(
        n,
        lambda k: multiply(
            multiply(0.5, add(add(plus(k, 2), alpha), beta)),
            eval_jacobi(k, plus(alpha, 1), plus(beta, 1), x),
        ),
    ),
    orders=1,
)
eval_sh_jacobi: Special = special(
    "eval_sh_jacobi",
    DEGREE,
    "the parameter p",
    "the parameter q",
    # normalised to leading coefficient 1
    lambda ans, n, p, q, x: _lowered(
        n, lambda k: multiply(plus(k, 1), eval_sh_jacobi(k, plus(p, 2), plus(q, 1), x))
    ),
    orders=1,
)


def _associated_slope(ans: Any, m: Any, v: Any, x: Any) -> Any:
    # (1 - x^2) dP/dx = (v + m) P_{v-1} - v x P_v (DLMF 14.10.5)
    below = _lowered(v, lambda k: multiply(add(plus(k, 1), m), lpmv(m, k, x)))
    return divide(subtract(below, multiply(multiply(v, x), ans)), subtract(1.0, square(x)))


lpmv: Special = special("lpmv", "the order m", "the degree v", _associated_slope, orders=2)
