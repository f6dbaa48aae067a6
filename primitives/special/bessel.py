"""Bessel functions and their relatives (DLMF 9, 10, 11), by the argument and by the order.

By the argument all orders of derivatives exist, for complex arguments too. By the order J, Y, I
and K are differentiated at positive real arguments (``kernels/special/bessel.py``), where they are
analytic in it; at negative arguments that derivative does not exist and is NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special as scipy_special

from ...kernels.special.bessel import (
    ive_derivative,
    jv_derivative,
    kve_derivative,
    yv_derivative,
)
from ..core import dtype_of
from ..elementwise import (
    absolute,
    add,
    divide,
    exp,
    less,
    multiply,
    negative,
    power,
    sign,
    sqrt,
    subtract,
)
from ..structural import convert, imag, real
from .base import (
    ROOT_PI,
    Special,
    component,
    mean_of_neighbours,
    not_negative,
    pieces,
    plus,
    ratio,
    real_only,
    special,
    unary,
)
from .gamma import rgamma

# --- derivatives by the order: (n, v, x) -> the n-th -----------------------------------------

jv_by_order: Special = special(
    "jv_by_order",
    "the number of derivatives n",
    lambda ans, n, v, x: jv_by_order(plus(n, 1), v, x),
    lambda ans, n, v, x: _neighbours_by_order(jv_by_order, n, v, x, -0.5),
    kernel=jv_derivative,
    orders=1,
)
yv_by_order: Special = special(
    "yv_by_order",
    "the number of derivatives n",
    lambda ans, n, v, x: yv_by_order(plus(n, 1), v, x),
    lambda ans, n, v, x: _neighbours_by_order(yv_by_order, n, v, x, -0.5),
    kernel=yv_derivative,
    orders=1,
)
ive_by_order: Special = special(
    "ive_by_order",
    "the number of derivatives n",
    lambda ans, n, v, x: ive_by_order(plus(n, 1), v, x),
    lambda ans, n, v, x: subtract(_neighbours_by_order(ive_by_order, n, v, x, 0.5), ans),
    kernel=ive_derivative,
    orders=1,
)
kve_by_order: Special = special(
    "kve_by_order",
    "the number of derivatives n",
    lambda ans, n, v, x: kve_by_order(plus(n, 1), v, x),
    lambda ans, n, v, x: subtract(ans, _neighbours_by_order(kve_by_order, n, v, x, 0.5)),
    kernel=kve_derivative,
    orders=1,
)


def _neighbours_by_order(function: Callable, n: Any, v: Any, x: Any, share: float) -> Any:
    above = multiply(share, function(n, plus(v, 1), x))
    return add(multiply(0.5, function(n, plus(v, -1), x)), above)


# --- DLMF 10.6, 10.29 ------------------------------------------------------------------------


def _sign_of_real(name: str, x: Any) -> Any:
    if dtype_of(x).kind == "c":
        raise TypeError(
            f"{name}: scaled by the exponential of a part of z it has no complex derivative; scale "
            f"{name[:-1]}(v, z) yourself."
        )
    return sign(x)


jv: Special = special(
    "jv",
    lambda ans, v, x: jv_by_order(1, v, real_only("jv, by its order", x)),
    lambda ans, v, x: mean_of_neighbours(jv, v, x, "+-"),
)
yv: Special = special(
    "yv",
    lambda ans, v, x: yv_by_order(1, v, real_only("yv, by its order", x)),
    lambda ans, v, x: mean_of_neighbours(yv, v, x, "+-"),
)
# For real arguments, and only these have a derivative, they are jv and yv.
jve: Special = special(
    "jve",
    lambda ans, v, x: jv_by_order(1, v, real_only("jve", x)),
    lambda ans, v, x: mean_of_neighbours(jv, v, real_only("jve", x), "+-"),
)
yve: Special = special(
    "yve",
    lambda ans, v, x: yv_by_order(1, v, real_only("yve", x)),
    lambda ans, v, x: mean_of_neighbours(yv, v, real_only("yve", x), "+-"),
)
iv: Special = special(
    "iv",
    lambda ans, v, x: multiply(exp(x), ive_by_order(1, v, real_only("iv, by its order", x))),
    lambda ans, v, x: mean_of_neighbours(iv, v, x, "++"),
)
kv: Special = special(
    "kv",
    lambda ans, v, x: multiply(
        exp(negative(x)), kve_by_order(1, v, real_only("kv, by its order", x))
    ),
    lambda ans, v, x: negative(mean_of_neighbours(kv, v, x, "++")),
)
ive: Special = special(
    "ive",
    lambda ans, v, x: ive_by_order(1, v, real_only("ive, by its order", x)),
    lambda ans, v, x: subtract(
        mean_of_neighbours(ive, v, x, "++"), multiply(_sign_of_real("ive", x), ans)
    ),
)
kve: Special = special(
    "kve",
    lambda ans, v, x: kve_by_order(1, v, real_only("kve, by its order", x)),
    lambda ans, v, x: subtract(ans, mean_of_neighbours(kve, v, x, "++")),
)
ORDER = "the order v (differentiate jv and yv by it)"
hankel1: Special = special(
    "hankel1", ORDER, lambda ans, v, z: mean_of_neighbours(hankel1, v, z, "+-")
)
hankel2: Special = special(
    "hankel2", ORDER, lambda ans, v, z: mean_of_neighbours(hankel2, v, z, "+-")
)
hankel1e: Special = special(
    "hankel1e",
    ORDER,
    lambda ans, v, z: subtract(mean_of_neighbours(hankel1e, v, z, "+-"), multiply(1j, ans)),
)
hankel2e: Special = special(
    "hankel2e",
    ORDER,
    lambda ans, v, z: add(mean_of_neighbours(hankel2e, v, z, "+-"), multiply(1j, ans)),
)
yn: Special = special(
    "yn",
    "the order n (yv takes real orders)",
    lambda ans, n, x: mean_of_neighbours(yv, n, x, "+-"),
    orders=1,
)
kn: Special = special(
    "kn",
    "the order n (kv takes real orders)",
    lambda ans, n, x: negative(mean_of_neighbours(kv, n, x, "++")),
    orders=1,
)
j0: Special = unary("j0", lambda ans, x: negative(j1(x)))
j1: Special = unary("j1", lambda ans, x: multiply(0.5, subtract(j0(x), jv(2, x))))
y0: Special = unary("y0", lambda ans, x: negative(y1(x)))
y1: Special = unary("y1", lambda ans, x: multiply(0.5, subtract(y0(x), yv(2, x))))
i0: Special = unary("i0", lambda ans, x: i1(x))
i1: Special = unary("i1", lambda ans, x: multiply(0.5, add(i0(x), iv(2, x))))
k0: Special = unary("k0", lambda ans, x: negative(k1(x)))
k1: Special = unary("k1", lambda ans, x: multiply(-0.5, add(k0(x), kv(2, x))))
# The scaled ones lose a factor of 2 |x| in relative accuracy: their slope is that much smaller
# than the terms of which it is the difference.
i0e: Special = unary("i0e", lambda ans, x: subtract(i1e(x), multiply(sign(x), ans)))
i1e: Special = unary(
    "i1e",
    lambda ans, x: subtract(multiply(0.5, add(i0e(x), ive(2, x))), multiply(sign(x), ans)),
)
k0e: Special = unary("k0e", lambda ans, x: subtract(ans, k1e(x)))
k1e: Special = unary("k1e", lambda ans, x: subtract(ans, multiply(0.5, add(k0e(x), kve(2, x)))))
numpy_i0: Special = Special("numpy_i0", np.i0, (lambda t, ans, x: multiply(t, i1(x)),))

# --- spherical ones (DLMF 10.51) -------------------------------------------------------------


def _spherical(name: str, function: Callable, sign_below: float, sign_above: float) -> Special:
    """``f_n' = (s n f_{n-1} + r (n + 1) f_{n+1}) / (2n + 1)``: no division by x, right at 0."""

    def slope(ans: Any, n: Any, x: Any) -> Any:
        below, above = function(not_negative(plus(n, -1)), x), function(plus(n, 1), x)
        whole = 2 * n + 1 if type(n) is int else add(multiply(2, n), 1)
        return add(
            multiply(multiply(sign_below, ratio(n, whole)), below),
            multiply(multiply(sign_above, ratio(plus(n, 1), whole)), above),
        )

    kernel = getattr(scipy_special, name)
    return special(
        name, "the order n", slope, kernel=lambda n, x: np.asarray(kernel(n, x))[()], orders=1
    )


spherical_jn: Special = _spherical("spherical_jn", lambda n, x: spherical_jn(n, x), 1.0, -1.0)
spherical_yn: Special = _spherical("spherical_yn", lambda n, x: spherical_yn(n, x), 1.0, -1.0)
spherical_in: Special = _spherical("spherical_in", lambda n, x: spherical_in(n, x), 1.0, 1.0)
spherical_kn: Special = _spherical("spherical_kn", lambda n, x: spherical_kn(n, x), -1.0, -1.0)
# np.sinc(x) is j_0(pi x).
sinc: Special = Special(
    "sinc",
    np.sinc,
    (lambda t, ans, x: multiply(t, multiply(-math.pi, spherical_jn(1, multiply(math.pi, x)))),),
)

# --- Struve functions (DLMF 11.4) ------------------------------------------------------------


def _struve_slope(function: Callable, sign_above: float, v: Any, x: Any) -> Any:
    # (f_{v-1} -+ f_{v+1} + (x/2)^v / (sqrt(pi) Gamma(v + 3/2))) / 2
    number = type(v) in (int, float)  # stays a Python number, while a function is staged too
    gamma = float(rgamma.kernel(v + 1.5)) if number else rgamma(plus(v, 1.5))
    scale = multiply(1 / ROOT_PI, gamma)
    extra = multiply(scale, power(multiply(0.5, x), v))
    beside = add(function(plus(v, -1), x), multiply(sign_above, function(plus(v, 1), x)))
    return multiply(0.5, add(beside, extra))


struve: Special = special(
    "struve", "the order v", lambda ans, v, x: _struve_slope(struve, -1.0, v, x)
)
modstruve: Special = special(
    "modstruve", "the order v", lambda ans, v, x: _struve_slope(modstruve, 1.0, v, x)
)

# --- Airy functions (DLMF 9.2) ---------------------------------------------------------------

airy_ai: Special = unary("airy_ai", lambda ans, z: airy_aip(z), kernel=component("airy", 0))
airy_aip: Special = unary(
    "airy_aip", lambda ans, z: multiply(z, airy_ai(z)), kernel=component("airy", 1)
)
airy_bi: Special = unary("airy_bi", lambda ans, z: airy_bip(z), kernel=component("airy", 2))
airy_bip: Special = unary(
    "airy_bip", lambda ans, z: multiply(z, airy_bi(z)), kernel=component("airy", 3)
)
# Scaled by exp(2/3 z^(3/2)); Bi by exp(-|Re 2/3 z^(3/2)|), which is 1 for negative z.
airye_ai: Special = unary(
    "airye_ai",
    lambda ans, z: add(airye_aip(z), multiply(sqrt(z), ans)),
    kernel=component("airye", 0),
)
airye_aip: Special = unary(
    "airye_aip",
    lambda ans, z: add(multiply(z, airye_ai(z)), multiply(sqrt(z), ans)),
    kernel=component("airye", 1),
)


def _growth(z: Any) -> Any:
    z = real_only("airye, Bi", z)
    return pieces(less(z, 0.0), z, 1.0, -1.0, lambda z: sqrt(z), lambda z: multiply(0.0, z))


airye_bi: Special = unary(
    "airye_bi",
    lambda ans, z: subtract(airye_bip(z), multiply(_growth(z), ans)),
    kernel=component("airye", 2),
)
airye_bip: Special = unary(
    "airye_bip",
    lambda ans, z: subtract(multiply(z, airye_bi(z)), multiply(_growth(z), ans)),
    kernel=component("airye", 3),
)
ITAIRY: tuple[Special, ...] = tuple(
    unary(name, slope, kernel=component("itairy", k))
    for k, (name, slope) in enumerate(
        (
            ("itairy_ai", lambda ans, x: airy_ai(x)),
            ("itairy_bi", lambda ans, x: airy_bi(x)),
            ("itairy_ai_left", lambda ans, x: airy_ai(negative(x))),
            ("itairy_bi_left", lambda ans, x: airy_bi(negative(x))),
        )
    )
)

# --- Kelvin functions (DLMF 10.61) -----------------------------------------------------------
# ber + i bei is J_0 on a ray, whose second derivative is regular at 0; ker + i kei obeys
# w'' + w'/x - i w = 0.


def _second_on_ray(part: Callable) -> Callable:
    def slope(ans: Any, x: Any) -> Any:
        ray = complex(-math.sqrt(0.5), math.sqrt(0.5))
        z = multiply(ray, convert(x, dtype=np.result_type(dtype_of(x), np.complex64)))
        curve = multiply(0.5, subtract(jv(2, z), jv(0, z)))
        return part(multiply(-1j, curve))

    return slope


ber: Special = unary("ber", lambda ans, x: berp(x))
bei: Special = unary("bei", lambda ans, x: beip(x))
berp: Special = unary("berp", _second_on_ray(lambda w: real(w)))
beip: Special = unary("beip", _second_on_ray(lambda w: imag(w)))
ker: Special = unary("ker", lambda ans, x: kerp(x))
kei: Special = unary("kei", lambda ans, x: keip(x))
kerp: Special = unary("kerp", lambda ans, x: negative(add(kei(x), divide(ans, x))))
keip: Special = unary("keip", lambda ans, x: subtract(ker(x), divide(ans, x)))

# --- integrals of Bessel functions -----------------------------------------------------------


def _less_one(x: Any, sign_of_square: float, closed: Callable) -> Any:
    """``(1 - J_0(x)) / x`` or ``(I_0(x) - 1) / x``: where it would cancel, its series."""

    def series(x: Any) -> Any:
        # x/4 (1 + u/4 (1 + u/9 (...))) with u = -+ x^2 / 4
        u = multiply(0.25 * sign_of_square, multiply(x, x))
        total: Any = 1.0
        for k in (6, 5, 4, 3, 2):
            total = add(1.0, multiply(multiply(1 / k**2, u), total))
        return multiply(0.25, multiply(x, total))

    return pieces(less(absolute(x), 0.7), x, 1.0, 0.0, closed, series)


def _integral(name: str, k: int | None, slope: Callable) -> Special:
    source = name if k is None else name.rpartition("_")[0]
    kernel = None if k is None else component(source, k)
    return unary(name, lambda ans, x: slope(x), kernel=kernel)


INTEGRALS: dict[str, Special] = {
    name: _integral(name, k, slope)
    for name, k, slope in (
        ("itj0y0_j", 0, lambda x: j0(x)),
        ("itj0y0_y", 1, lambda x: y0(x)),
        ("iti0k0_i", 0, lambda x: i0(x)),
        ("iti0k0_k", 1, lambda x: k0(x)),
        ("it2j0y0_j", 0, lambda x: _less_one(
            x, -1.0, lambda x: divide(subtract(1.0, j0(x)), x))),
        ("it2j0y0_y", 1, lambda x: negative(divide(y0(x), x))),
        ("it2i0k0_i", 0, lambda x: _less_one(
            x, 1.0, lambda x: divide(subtract(i0(x), 1.0), x))),
        ("it2i0k0_k", 1, lambda x: negative(divide(k0(x), x))),
        ("itstruve0", None, lambda x: struve(0, x)),
        ("it2struve0", None, lambda x: negative(divide(struve(0, x), x))),
        ("itmodstruve0", None, lambda x: modstruve(0, x)),
    )
}  # fmt: skip
besselpoly: Special = special(
    "besselpoly",
    lambda ans, a, lam, nu: subtract(
        besselpoly(a, plus(lam, 1), plus(nu, -1)), besselpoly(a, plus(lam, 1), plus(nu, 1))
    ),
    "the power lmb",
    "the order nu",
)
