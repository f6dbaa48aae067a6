"""Solutions of second-order equations whose slope SciPy returns beside them (DLMF 12, 28, 30).

Parabolic cylinder, Mathieu and spheroidal functions: the equation gives the slope of the slope, so
derivatives by the argument exist to all orders. Also Lambert's W and Wright's omega.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import scipy.special as scipy_special

from ..elementwise import (
    add,
    cos,
    cosh,
    divide,
    exp,
    multiply,
    negative,
    square,
    subtract,
)
from .base import Special, component, special, unary


def _pair(
    name: str, refused: tuple[str, ...], second: Callable, scale: float = 1.0
) -> tuple[Special, Special]:
    """A solution and its slope, from ``second(y, slope, *operands)``, the slope of the slope.

    The argument is the last operand; ``scale`` is the derivative of what the equation is in by it.
    """
    y: Special = special(
        f"{name}_value",
        *refused,
        lambda ans, *operands: multiply(scale, slope(*operands)),
        kernel=component(name, 0),
    )
    slope: Special = special(
        f"{name}_slope",
        *refused,
        lambda ans, *operands: multiply(scale, second(y(*operands), ans, *operands)),
        kernel=component(name, 1),
    )
    return y, slope


PAIRS: dict[str, tuple[Special, Special]] = {}

for _name in ("pbdv", "pbvv"):
    PAIRS[_name] = _pair(
        _name,
        ("the order v",),
        lambda y, dy, v, x: multiply(subtract(multiply(0.25, square(x)), add(v, 0.5)), y),
    )
PAIRS["pbwa"] = _pair(
    "pbwa",
    ("the parameter a",),
    lambda y, dy, a, x: multiply(subtract(a, multiply(0.25, square(x))), y),
)

# --- Mathieu's -------------------------------------------------------------------------------

DEGREE = math.pi / 180  # the angular functions take degrees
mathieu_a: Special = special("mathieu_a", "the order m", "the parameter q")
mathieu_b: Special = special("mathieu_b", "the order m", "the parameter q")


def _mathieu(characteristic: Special, angular: bool) -> Callable:
    def second(y: Any, dy: Any, m: Any, q: Any, x: Any) -> Any:
        wave = cos(multiply(2 * DEGREE, x)) if angular else cosh(multiply(2.0, x))
        rate = subtract(characteristic(m, q), multiply(multiply(2.0, q), wave))
        return multiply(negative(rate) if angular else rate, y)

    return second


for _name, _characteristic in (("mathieu_cem", mathieu_a), ("mathieu_sem", mathieu_b)):
    PAIRS[_name] = _pair(
        _name, ("the order m", "the parameter q"), _mathieu(_characteristic, True), DEGREE
    )
for _name, _characteristic in (
    ("mathieu_modcem1", mathieu_a),
    ("mathieu_modcem2", mathieu_a),
    ("mathieu_modsem1", mathieu_b),
    ("mathieu_modsem2", mathieu_b),
):
    PAIRS[_name] = _pair(
        _name, ("the order m", "the parameter q"), _mathieu(_characteristic, False)
    )

# --- spheroidal (not those of the second kind, of which SciPy's slopes are inaccurate) -------

SPHEROIDAL = ("the order m", "the degree n", "the parameter c")
pro_cv: Special = special("pro_cv", *SPHEROIDAL)
obl_cv: Special = special("obl_cv", *SPHEROIDAL)


def _spheroidal(prolate: bool, given: bool, radial_oblate: bool) -> Callable:
    """DLMF 30.2.1 in the argument; oblate functions have i c for c, radial ones i x for x too."""

    def second(y: Any, dy: Any, m: Any, n: Any, c: Any, *rest: Any) -> Any:
        if given:
            value, x = rest
        else:
            (x,) = rest
            value = (pro_cv if prolate else obl_cv)(m, n, c)
        around = add(1.0, square(x)) if radial_oblate else subtract(1.0, square(x))
        bend = multiply(square(c), square(x))
        inner = subtract(value, bend) if prolate or radial_oblate else add(value, bend)
        inner = subtract(inner, divide(square(m), around))
        total = subtract(multiply(multiply(2.0, x), dy), multiply(inner, y))
        return divide(negative(total) if radial_oblate else total, around)

    return second


for _name, _radial_oblate in (
    ("pro_ang1", False),
    ("pro_rad1", False),
    ("obl_ang1", False),
    ("obl_rad1", True),
):
    _prolate = _name.startswith("pro")
    PAIRS[_name] = _pair(_name, SPHEROIDAL, _spheroidal(_prolate, False, _radial_oblate))
    PAIRS[_name + "_cv"] = _pair(
        _name + "_cv",
        (*SPHEROIDAL, "the characteristic value"),
        _spheroidal(_prolate, True, _radial_oblate),
    )

# --- Lambert's W, Wright's omega (DLMF 4.13) -------------------------------------------------

lambertw: Special = special(
    "lambertw",
    "the branch k",
    # exp(-w) / (1 + w), which is right at z = 0 too
    lambda ans, k, z: divide(exp(negative(ans)), add(1.0, ans)),
    kernel=lambda k, z: scipy_special.lambertw(z, k),
    orders=1,
)
wrightomega: Special = unary("wrightomega", lambda ans, z: divide(ans, add(1.0, ans)))
