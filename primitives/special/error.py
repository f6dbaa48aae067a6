"""The error function, its relatives and the normal distribution (DLMF 7)."""

from __future__ import annotations

import math
from typing import Any

from ..elementwise import (
    absolute,
    add,
    cos,
    divide,
    exp,
    greater,
    less,
    multiply,
    negative,
    sin,
    square,
    subtract,
)
from .base import (
    ROOT_TWO_PI,
    TWO_OVER_ROOT_PI,
    Special,
    component,
    inverse,
    pieces,
    special,
    unary,
)

SERIES_FROM = 25.0  # beyond it the asymptotic series below are exact to rounding

erf: Special = unary("erf", lambda ans, x: multiply(TWO_OVER_ROOT_PI, exp(negative(square(x)))))
erfc: Special = unary("erfc", lambda ans, x: multiply(-TWO_OVER_ROOT_PI, exp(negative(square(x)))))
erfi: Special = unary("erfi", lambda ans, x: multiply(TWO_OVER_ROOT_PI, exp(square(x))))
erfinv: Special = unary("erfinv", lambda ans, x: multiply(1 / TWO_OVER_ROOT_PI, exp(square(ans))))
erfcinv: Special = unary(
    "erfcinv", lambda ans, x: multiply(-1 / TWO_OVER_ROOT_PI, exp(square(ans)))
)


def _asymptotic(x: Any, alternate: bool) -> Any:
    """Sum of ``(2k - 1)!! u**k`` over k = 1 ... 8 with ``u = 1 / (2 x**2)``, signs +-+- or all +.

    It is what ``1 - sqrt(pi) x erfcx(x)`` and ``2 x dawsn(x) - 1`` tend to (DLMF 7.12).
    """
    u = divide(0.5, square(x))
    total: Any = 2027025.0 * (-1 if alternate else 1)
    for coefficient, even in (
        (135135.0, 0),
        (10395.0, 1),
        (945.0, 0),
        (105.0, 1),
        (15.0, 0),
        (3.0, 1),
        (1.0, 0),
    ):
        total = add(multiply(total, u), -coefficient if alternate and even else coefficient)
    return multiply(total, u)


def _erfcx_slope(ans: Any, x: Any) -> Any:
    # 2 x erfcx(x) - 2 / sqrt(pi) cancels at large x.
    return pieces(
        greater(x, SERIES_FROM),
        x,
        0.0,
        SERIES_FROM,
        lambda x: subtract(multiply(multiply(2.0, x), erfcx(x)), TWO_OVER_ROOT_PI),
        lambda x: multiply(-TWO_OVER_ROOT_PI, _asymptotic(x, alternate=True)),
    )


def _dawson_slope(ans: Any, x: Any) -> Any:
    return pieces(
        greater(absolute(x), SERIES_FROM),
        x,
        0.0,
        SERIES_FROM,
        lambda x: subtract(1.0, multiply(multiply(2.0, x), dawsn(x))),
        lambda x: negative(_asymptotic(x, alternate=False)),
    )


erfcx: Special = unary("erfcx", _erfcx_slope)
dawsn: Special = unary("dawsn", _dawson_slope)
wofz: Special = unary(
    "wofz",
    lambda ans, z: subtract(1j * TWO_OVER_ROOT_PI, multiply(2.0, multiply(z, ans))),
)


def normal_density(x: Any) -> Any:
    """Density of the standard normal distribution."""
    return multiply(1 / ROOT_TWO_PI, exp(multiply(-0.5, square(x))))


ndtr: Special = unary("ndtr", lambda ans, x: normal_density(x))
ndtri: Special = unary(
    "ndtri", lambda ans, x: multiply(ROOT_TWO_PI, exp(multiply(0.5, square(ans))))
)


def _log_ndtr_slope(x: Any) -> Any:
    # The ratio of density and distribution; erfcx keeps it accurate far out on the left.
    return pieces(
        less(x, 0.0),
        x,
        0.0,
        0.0,
        lambda x: divide(normal_density(x), ndtr(x)),
        lambda x: divide(math.sqrt(2 / math.pi), erfcx(multiply(-math.sqrt(0.5), x))),
    )


log_ndtr: Special = unary("log_ndtr", lambda ans, x: _log_ndtr_slope(x))
ndtri_exp: Special = inverse("ndtri_exp", (_log_ndtr_slope,), 0)
# Owen's T integrates exp(-h^2 (1 + t^2) / 2) / (2 pi (1 + t^2)) over t from 0 to a.
owens_t: Special = special(
    "owens_t",
    lambda ans, h, a: multiply(
        -0.5, multiply(normal_density(h), erf(multiply(math.sqrt(0.5), multiply(a, h))))
    ),
    lambda ans, h, a: divide(
        exp(multiply(-0.5, multiply(square(h), add(1.0, square(a))))),
        multiply(2 * math.pi, add(1.0, square(a))),
    ),
)


def _quarter_turns(x: Any) -> Any:
    return multiply(math.pi / 2, square(x))


fresnel_s: Special = unary(
    "fresnel_s", lambda ans, x: sin(_quarter_turns(x)), kernel=component("fresnel", 0)
)
fresnel_c: Special = unary(
    "fresnel_c", lambda ans, x: cos(_quarter_turns(x)), kernel=component("fresnel", 1)
)
