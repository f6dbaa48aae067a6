"""Exponential integrals, the dilogarithm and elliptic functions (DLMF 6, 8.19, 19, 22, 25.12)."""

from __future__ import annotations

import math
from typing import Any

from ...kernels.special.carlson import carlson_integral as carlson_kernel
from ..elementwise import (
    absolute,
    add,
    cos,
    divide,
    equal,
    exp,
    less_equal,
    log,
    multiply,
    negative,
    reciprocal,
    rint,
    select,
    sin,
    sqrt,
    square,
    subtract,
)
from .base import Special, component, not_negative, pieces, plus, real_only, special, unary
from .bessel import spherical_in, spherical_jn
from .hypergeometric import hyp2f1

exp1: Special = unary("exp1", lambda ans, x: negative(divide(exp(negative(x)), x)))
expi: Special = unary("expi", lambda ans, x: divide(exp(x), x))


def _expn_slope(ans: Any, n: Any, x: Any) -> Any:
    # E_0(x) = exp(-x) / x; scipy has no E_{-1}.
    first = multiply(divide(exp(negative(x)), x), add(1.0, reciprocal(x)))
    return negative(select(equal(n, 0), first, expn(not_negative(plus(n, -1)), x)))


expn: Special = special("expn", "the order n", _expn_slope, orders=1)
# sin x / x and sinh x / x are spherical Bessel functions, regular at 0.
sici_si: Special = unary("sici_si", lambda ans, x: spherical_jn(0, x), kernel=component("sici", 0))
sici_ci: Special = unary("sici_ci", lambda ans, x: divide(cos(x), x), kernel=component("sici", 1))
shichi_shi: Special = unary(
    "shichi_shi", lambda ans, x: spherical_in(0, x), kernel=component("shichi", 0)
)
shichi_chi: Special = unary(
    "shichi_chi",
    # cosh x = (exp(x) + exp(-x)) / 2
    lambda ans, x: divide(multiply(0.5, add(exp(x), exp(negative(x)))), x),
    kernel=component("shichi", 1),
)
# spence(z) is the dilogarithm of 1 - z; its slope log(z) / (1 - z) is -F(1, 1; 2; 1 - z).
spence: Special = unary(
    "spence",
    lambda ans, z: pieces(
        _near_one(z),
        z,
        0.25,
        1.0,
        lambda z: divide(log(z), subtract(1.0, z)),
        lambda z: negative(hyp2f1(1.0, 1.0, 2.0, subtract(1.0, z))),
    ),
)


def _near_one(z: Any) -> Any:
    # |Re (z - 1)^2| small would do: the square of the distance without complex absolute values
    from ..core import dtype_of
    from ..elementwise import complex_absolute

    away = subtract(z, 1.0)
    size = complex_absolute(away) if dtype_of(z).kind == "c" else absolute(away)
    return less_equal(size, 0.5)


# --- complete elliptic integrals -------------------------------------------------------------


def _near_zero(m: Any, series: Any, closed: Any) -> Any:
    """The closed forms divide by m: near 0 the hypergeometric series takes over."""
    return pieces(less_equal(absolute(m), 0.5), m, 0.75, 0.0, closed, series)


def _first_kind_slope(p: Any) -> Any:
    """dK/dm as a function of ``p = 1 - m``, accurate for p near 0 too (DLMF 19.4.1)."""
    m = subtract(1.0, p)
    difference = subtract(ellipe(m), multiply(p, ellipkm1(p)))
    return divide(difference, multiply(multiply(2.0, m), p))


def _first_kind_series(m: Any) -> Any:
    return multiply(math.pi / 8, hyp2f1(1.5, 1.5, 2.0, m))


ellipkm1: Special = unary(
    "ellipkm1",
    lambda ans, p: negative(
        pieces(
            less_equal(absolute(subtract(p, 1.0)), 0.5),
            p,
            0.25,
            1.0,
            _first_kind_slope,
            lambda p: _first_kind_series(subtract(1.0, p)),
        )
    ),
)


def _complete_first_slope(m: Any) -> Any:
    return _near_zero(m, _first_kind_series, lambda m: _first_kind_slope(subtract(1.0, m)))


def _complete_second_slope(m: Any) -> Any:
    return _near_zero(
        m,
        lambda m: multiply(-math.pi / 8, hyp2f1(0.5, 1.5, 2.0, m)),
        lambda m: divide(subtract(ellipe(m), ellipk(m)), multiply(2.0, m)),
    )


ellipk: Special = unary("ellipk", lambda ans, m: _complete_first_slope(m))
ellipe: Special = unary("ellipe", lambda ans, m: _complete_second_slope(m))

# --- Carlson's integrals ---------------------------------------------------------------------
# (k, p1, p2, p3, p4, x, y, z, w) -> the integral of t^k (t + x)^(-p1/2) ... (t + w)^(-p4/2).


def _carlson_slope(i: int) -> Any:
    def slope(ans: Any, *operands: Any) -> Any:
        powers, values = list(operands[:5]), operands[5:]
        p = powers[1 + i]
        powers[1 + i] = plus(p, 2)
        # (a power 0 means that the operand does not occur)
        return multiply(multiply(-0.5, p), carlson_integral(*powers, *values))

    return slope


carlson_integral: Special = special(
    "carlson_integral",
    *("an exponent",) * 5,
    *(_carlson_slope(i) for i in range(4)),
    kernel=carlson_kernel,
    orders=5,
)


def _carlson(name: str, scale: float, k: int, powers: tuple[int, ...]) -> Special:
    """``scale`` times the integral with ``t**k`` and these powers, one an operand."""
    count = len(powers)
    unused = (0,) * (4 - count)

    def slope_of(i: int) -> Any:
        raised = tuple(p + 2 * (j == i) for j, p in enumerate(powers))

        def slope(ans: Any, *values: Any) -> Any:
            for v in values:
                real_only(name, v)
            return multiply(
                -0.5 * powers[i] * scale,
                carlson_integral(k, *raised, *unused, *values, *(1.0,) * (4 - count)),
            )

        return slope

    return special(name, *(slope_of(i) for i in range(count)))


elliprf: Special = _carlson("elliprf", 0.5, 0, (1, 1, 1))
elliprc: Special = _carlson("elliprc", 0.5, 0, (1, 2))
elliprd: Special = _carlson("elliprd", 1.5, 0, (1, 1, 3))
elliprj: Special = _carlson("elliprj", 1.5, 0, (1, 1, 1, 2))


def _second_symmetric_slope(i: int) -> Any:
    # R_G = R_{1/2}(1/2, 1/2, 1/2); its slope is an eighth of an integral with t^1 (DLMF 19.18.1).
    powers = tuple(1 + 2 * (j == i) for j in range(3))

    def slope(ans: Any, *values: Any) -> Any:
        for v in values:
            real_only("elliprg", v)
        return multiply(0.125, carlson_integral(1, *powers, 0, *values, 1.0))

    return slope


elliprg: Special = special("elliprg", *(_second_symmetric_slope(i) for i in range(3)))

# --- incomplete elliptic integrals -----------------------------------------------------------


def _reduced(phi: Any) -> tuple[Any, Any, Any]:
    """Half turns in ``phi``, and the sine and squared cosine of what is left of it."""
    turns = rint(multiply(1 / math.pi, phi))
    rest = subtract(phi, multiply(math.pi, turns))
    return turns, sin(rest), square(cos(rest))


def _delta_squared(phi: Any, m: Any) -> Any:
    return subtract(1.0, multiply(m, square(sin(phi))))


def _by_parameter(phi: Any, m: Any, complete: Any, scale: float, powers: tuple[int, ...]) -> Any:
    # s^3 times an integral of Carlson's on the reduced amplitude, and twice the complete a turn.
    turns, s, c2 = _reduced(phi)
    d2 = subtract(1.0, multiply(m, square(s)))
    inner = carlson_integral(0, *powers, 0, c2, d2, 1.0, 1.0)
    part = multiply(multiply(scale, multiply(s, square(s))), inner)
    whole = select(equal(turns, 0.0), 0.0, complete(select(equal(turns, 0.0), 0.0, m)))
    return add(part, multiply(multiply(2.0, turns), whole))


def first_kind_by_parameter(phi: Any, m: Any) -> Any:
    """dF/dm = integral of ``sin^2 / (2 Delta^3)`` = s^3 R_D(c^2, 1, Delta^2) / 6."""
    return _by_parameter(phi, m, _complete_first_slope, 0.25, (1, 3, 1))


ellipkinc: Special = special(
    "ellipkinc",
    lambda ans, phi, m: reciprocal(sqrt(_delta_squared(phi, m))),
    lambda ans, phi, m: first_kind_by_parameter(phi, m),
)
ellipeinc: Special = special(
    "ellipeinc",
    lambda ans, phi, m: sqrt(_delta_squared(phi, m)),
    # -integral of sin^2 / (2 Delta) = -s^3 R_D(c^2, Delta^2, 1) / 6
    lambda ans, phi, m: _by_parameter(phi, m, _complete_second_slope, -0.25, (1, 1, 3)),
)

# --- Jacobi's elliptic functions (DLMF 22.13, 22.16) -----------------------------------------


def _amplitude_slope(u: Any, m: Any) -> Any:
    """D am / dm: minus dn times dF/dm at the amplitude."""
    return negative(multiply(ellipj_dn(u, m), first_kind_by_parameter(ellipj_ph(u, m), m)))


ellipj_sn: Special = special(
    "ellipj_sn",
    lambda ans, u, m: multiply(ellipj_cn(u, m), ellipj_dn(u, m)),
    lambda ans, u, m: multiply(ellipj_cn(u, m), _amplitude_slope(u, m)),
    kernel=component("ellipj", 0),
)
ellipj_cn: Special = special(
    "ellipj_cn",
    lambda ans, u, m: negative(multiply(ellipj_sn(u, m), ellipj_dn(u, m))),
    lambda ans, u, m: negative(multiply(ellipj_sn(u, m), _amplitude_slope(u, m))),
    kernel=component("ellipj", 1),
)
ellipj_dn: Special = special(
    "ellipj_dn",
    lambda ans, u, m: negative(multiply(m, multiply(ellipj_sn(u, m), ellipj_cn(u, m)))),
    lambda ans, u, m: _delta_by_parameter(ans, u, m),
    kernel=component("ellipj", 2),
)
ellipj_ph: Special = special(
    "ellipj_ph",
    lambda ans, u, m: ellipj_dn(u, m),
    lambda ans, u, m: _amplitude_slope(u, m),
    kernel=component("ellipj", 3),
)


def _delta_by_parameter(dn: Any, u: Any, m: Any) -> Any:
    # dn^2 = 1 - m sn^2
    sn, cn = ellipj_sn(u, m), ellipj_cn(u, m)
    moved = multiply(2.0, multiply(m, multiply(cn, _amplitude_slope(u, m))))
    return negative(divide(multiply(sn, add(sn, moved)), multiply(2.0, dn)))


# The arithmetic-geometric mean: pi (a + b) / (4 K), with 1 - m = 4 a b / (a + b)^2.


def _mean_slope(ans: Any, a: Any, b: Any) -> Any:
    whole = add(a, b)
    p = divide(multiply(4.0, multiply(a, b)), square(whole))
    # dp/da = 4 b (b - a) / (a + b)^3, dK/dp = -dK/dm
    by_p = divide(multiply(4.0, multiply(b, subtract(b, a))), multiply(whole, square(whole)))
    share = divide(multiply(_minus_first_slope(p), by_p), ellipkm1(p))
    return multiply(ans, subtract(reciprocal(whole), share))


def _minus_first_slope(p: Any) -> Any:
    return negative(
        pieces(
            less_equal(absolute(subtract(p, 1.0)), 0.5),
            p,
            0.25,
            1.0,
            _first_kind_slope,
            lambda p: _first_kind_series(subtract(1.0, p)),
        )
    )


agm: Special = special(
    "agm",
    lambda ans, a, b: _mean_slope(ans, a, b),
    lambda ans, a, b: _mean_slope(ans, b, a),
)
