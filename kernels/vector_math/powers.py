"""Powers, cube roots and the hypotenuse."""

from __future__ import annotations

import functools
from typing import Any

from ..scalar import Value, fma, lookup, select
from . import coefficients as c
from .exponential import exp_of, exponent
from .formats import (
    INF,
    NAN,
    choose,
    fast_two_sum,
    format_of,
    polynomial,
    power_of_two,
    two_product,
)

_STEPS = 128  # of the table of logarithms, between 1 and 2


@functools.cache
def _log_table() -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]:
    """For c = k / 128 from sqrt(1/2) to sqrt(2): 1 / c rounded, and -log of that in two parts.

    The first part is a multiple of 2**-42, so that adding a multiple of ln 2 is exact.
    """
    from decimal import Decimal, getcontext

    getcontext().prec = 40
    inverses, high, low = [], [], []
    for k in range(90, 182):
        inverse = _STEPS / k
        exact = -Decimal(inverse).ln()
        first = round(float(exact) * 2.0**42) * 2.0**-42
        inverses.append(inverse)
        high.append(first)
        low.append(float(exact - Decimal(first)))
    return tuple(inverses), tuple(high), tuple(low)


def log_accurate(x: Value) -> tuple[Value, Value]:
    """Logarithm of a positive number to 68 bits, as a sum of two (after Tang)."""
    f = format_of(x)
    small = x < f.smallest
    x = select(small, x * 2.0**54, x)
    biased, m = exponent(x)
    k = biased - choose(small, 2.0**52 + 1023 + 54, 2.0**52 + 1023, "f64")
    magic = f.magic / _STEPS
    index = ((m + magic).bits() & 255) - 90
    inverses, highs, lows = _log_table()
    inverse = lookup(inverses, index, "f64")
    product, product_low = two_product(m, inverse)
    r = product - 1.0
    ln2 = round(c.LN2["f64"][0] * 2.0**42) * 2.0**-42
    ln2_low = (c.LN2["f64"][0] - ln2) + c.LN2["f64"][1]
    base = fma(k, ln2, lookup(highs, index, "f64"))  # exact
    base_low = fma(k, ln2_low, lookup(lows, index, "f64"))
    first, first_low = fast_two_sum(base, r)
    minus_half = r * -0.5
    square, square_low = two_product(r, minus_half)
    second, second_low = fast_two_sum(first, square)
    rest = fma(r * r * r, polynomial(r, c.LOG_TABLE["f64"]), square_low)
    rest = fma(product_low, 1.0 - r, rest) + (base_low + first_low + second_low)
    return fast_two_sum(second, rest)


def power(x: Value, y: Value) -> Value:
    """``x**y`` as ``exp(y log |x|)`` with NumPy's signs and limits."""
    body = x.body
    if x.dtype == "f32":
        return body.call("power.f64", "f64", x.convert("f64"), y.convert("f64")).convert("f32")
    base = x.abs()
    log_high, log_low = log_accurate(base)
    times = select(y > 2.0**70, 2.0**70, select(y < -(2.0**70), -(2.0**70), y))
    product, product_low = two_product(times, log_high)
    magnitude = exp_of(product, fma(times, log_low, product_low))
    # 0 and infinity
    rising = (y > 0.0) ^ (base < 1.0)
    magnitude = select((base == 0.0) | (base == INF), choose(rising, INF, 0.0, "f64"), magnitude)
    whole = y.trunc() == y
    half = y * 0.5
    odd = whole & (half.trunc() != half)
    sign = select(odd, x, 1.0)
    magnitude = magnitude.copysign(sign)
    invalid = (x < 0.0) & (x > -INF) & (y.trunc() != y)
    result = select(invalid, NAN, magnitude)
    result = select((x == x) & (y == y), result, x + y)
    return select((y == 0.0) | (x == 1.0), 1.0, result)


def cbrt(x: Value) -> Value:
    """Cube root: a polynomial for ``m**(-1/3)`` and two steps of Newton's method."""
    f = format_of(x)
    dtype = x.dtype
    y = x.abs()
    small = y < f.smallest
    lift = f.bits + 2 + (f.bits + 1) % 3 if (f.bits + 2) % 3 else f.bits + 2
    while lift % 3:
        lift += 1
    z = select(small, y * 2.0**lift, y)
    biased, m = exponent(z)
    k = biased - (2.0**f.bits + f.bias)
    shifted = fma(k, 1.0 / 3.0, f.magic)
    third = shifted - f.magic
    left = k - third * 3.0  # -1, 0 or 1
    m = m * power_of_two(left + f.magic)
    factor: Any = choose(left < 0.0, 2 ** (1 / 3), 1.0, dtype)
    factor = select(left > 0.0, 2 ** (-1 / 3), factor)
    start = m * power_of_two(-left + f.magic)
    inverse = polynomial(start, c.CBRT[dtype]) * factor
    error = fma(-(m * inverse), inverse * inverse, 1.0)
    inverse = inverse * fma(error, fma(error, 2 / 9, 1 / 3), 1.0)
    root = (m * inverse) * inverse
    square, square_low = two_product(root, root)
    rest = fma(-root, square_low, fma(-root, square, m))
    root = fma(rest * (inverse * inverse), 1 / 3, root)
    down = choose(small, 2.0 ** -(lift // 3), 1.0, dtype)
    result = root * power_of_two(shifted) * down
    return select((y == 0.0) | (y == INF) | (y != y), y, result).copysign(x)


def hypot(x: Value, y: Value) -> Value:
    """``sqrt(x**2 + y**2)`` without overflow or underflow on the way."""
    if x.dtype == "f32":
        a, b = x.convert("f64"), y.convert("f64")
        result = fma(a, a, b * b).sqrt().convert("f32")
    else:
        a, b = x.abs(), y.abs()
        larger = select(a > b, a, b)
        up = choose(larger < 2.0**-500, 2.0**600, 1.0, "f64")
        up = select(larger > 2.0**500, 2.0**-600, up)
        down = choose(larger < 2.0**-500, 2.0**-600, 1.0, "f64")
        down = select(larger > 2.0**500, 2.0**600, down)
        a, b = a * up, b * up
        result = fma(a, a, b * b).sqrt() * down
    return select((x.abs() == INF) | (y.abs() == INF), INF, result)
