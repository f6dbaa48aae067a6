"""Logistic functions, entropies, Box-Cox transforms, losses: made of powers and logarithms."""

from __future__ import annotations

import math
from typing import Any

from ..elementwise import (
    absolute,
    add,
    divide,
    equal,
    exp,
    greater,
    hypot,
    log,
    log1p,
    multiply,
    negative,
    power,
    reciprocal,
    select,
    sign,
    sin,
    square,
    subtract,
)
from .base import Special, inverse, quotient, special, unary
from .hypergeometric import hyp1f1, hyp2f1

DEGREE = math.pi / 180

expit: Special = unary("expit", lambda ans, x: multiply(ans, expit(negative(x))))
log_expit: Special = unary("log_expit", lambda ans, x: expit(negative(x)))
logit: Special = unary("logit", lambda ans, x: reciprocal(multiply(x, subtract(1.0, x))))
xlogy: Special = special("xlogy", lambda ans, x, y: log(y), lambda ans, x, y: quotient(x, y))
xlog1py: Special = special(
    "xlog1py", lambda ans, x, y: log1p(y), lambda ans, x, y: quotient(x, add(1.0, y))
)
entr: Special = unary("entr", lambda ans, x: subtract(-1.0, log(x)))
rel_entr: Special = special(
    "rel_entr",
    lambda ans, x, y: add(1.0, log(divide(x, y))),
    lambda ans, x, y: negative(quotient(x, y)),
)
kl_div: Special = special(
    "kl_div",
    lambda ans, x, y: log(divide(x, y)),
    lambda ans, x, y: subtract(1.0, quotient(x, y)),
)
# exprel(x) is the integral of exp(x s) over s in [0, 1], that is M(1, 2, x); so are its
# derivatives, M(n + 1, n + 2, x) / (n + 1), regular at 0 (DLMF 13.3.15).
exprel: Special = unary("exprel", lambda ans, x: multiply(0.5, hyp1f1(2.0, 3.0, x)))
cosm1: Special = unary("cosm1", lambda ans, x: negative(sin(x)))
exp10: Special = unary("exp10", lambda ans, x: multiply(math.log(10.0), ans))
powm1: Special = special(
    "powm1",
    lambda ans, x, y: multiply(y, power(x, subtract(y, 1.0))),
    # x**y log x, which is 0 at x = 0 where the power is defined there
    lambda ans, x, y: multiply(add(1.0, ans), log(select(equal(x, 0.0), 1.0, x))),
)
sindg: Special = unary("sindg", lambda ans, x: multiply(DEGREE, cosdg(x)))
cosdg: Special = unary("cosdg", lambda ans, x: multiply(-DEGREE, sindg(x)))
tandg: Special = unary("tandg", lambda ans, x: multiply(DEGREE, add(1.0, square(ans))))
cotdg: Special = unary("cotdg", lambda ans, x: multiply(-DEGREE, add(1.0, square(ans))))


def _constant(value: float) -> Any:
    return lambda ans, *operands: value


radian: Special = special(
    "radian", _constant(DEGREE), _constant(DEGREE / 60), _constant(DEGREE / 3600)
)

# --- losses ----------------------------------------------------------------------------------


def _beyond(delta: Any, r: Any) -> Any:
    return greater(absolute(r), delta)


huber: Special = special(
    "huber",
    lambda ans, delta, r: select(_beyond(delta, r), subtract(absolute(r), delta), 0.0),
    lambda ans, delta, r: select(_beyond(delta, r), multiply(delta, sign(r)), r),
)


def _pseudo_huber_width_slope(ans: Any, delta: Any, r: Any) -> Any:
    # With h = hypot(delta, r) it is (h - delta)^2 / h, and h - delta = r^2 / (h + delta).
    h = hypot(delta, r)
    return divide(square(divide(square(r), add(h, delta))), h)


pseudo_huber: Special = special(
    "pseudo_huber",
    _pseudo_huber_width_slope,
    lambda ans, delta, r: multiply(r, divide(delta, hypot(delta, r))),
)

# --- Box and Cox, Tukey ----------------------------------------------------------------------


def boxcox_exponent_slope(logarithm: Any, exponent: Any) -> Any:
    # boxcox = L exprel(lam L) with L = log x.
    return multiply(
        square(logarithm), multiply(0.5, hyp1f1(2.0, 3.0, multiply(exponent, logarithm)))
    )


def _inverse_boxcox_exponent_slope(power_: Any, y: Any, exponent: Any) -> Any:
    # inv_boxcox = exp(y h(lam y)) with h(w) = log1p(w) / w = F(1, 1; 2; -w).
    w = multiply(exponent, y)
    return multiply(multiply(power_, square(y)), multiply(-0.5, hyp2f1(2.0, 2.0, 3.0, negative(w))))


boxcox: Special = special(
    "boxcox",
    lambda ans, x, lam: power(x, subtract(lam, 1.0)),
    lambda ans, x, lam: boxcox_exponent_slope(log(x), lam),
)
boxcox1p: Special = special(
    "boxcox1p",
    lambda ans, x, lam: exp(multiply(subtract(lam, 1.0), log1p(x))),
    lambda ans, x, lam: boxcox_exponent_slope(log1p(x), lam),
)
inv_boxcox: Special = special(
    "inv_boxcox",
    lambda ans, y, lam: power(ans, subtract(1.0, lam)),
    lambda ans, y, lam: _inverse_boxcox_exponent_slope(ans, y, lam),
)
inv_boxcox1p: Special = special(
    "inv_boxcox1p",
    lambda ans, y, lam: power(add(1.0, ans), subtract(1.0, lam)),
    lambda ans, y, lam: _inverse_boxcox_exponent_slope(add(1.0, ans), y, lam),
)
# Tukey's distribution solves x = boxcox(p, lam) - boxcox(1 - p, lam).
tklmbda: Special = inverse(
    "tklmbda",
    (
        lambda p, lam: add(
            power(p, subtract(lam, 1.0)), power(subtract(1.0, p), subtract(lam, 1.0))
        ),
        lambda p, lam: subtract(
            boxcox_exponent_slope(log(p), lam), boxcox_exponent_slope(log1p(negative(p)), lam)
        ),
    ),
    0,
)
