"""Trigonometric functions and their inverses.

Arguments are reduced to a quarter turn by Cody and Waite's method with fused multiply-add, or, at
any size, by that of Payne and Hanek with a table of the bits of 2 / pi. The inverse functions use
one polynomial each and the usual identities.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

from ..scalar import Value, fma, lookup, maximum, select
from . import coefficients as c
from .formats import (
    INF,
    NAN,
    choose,
    format_of,
    pi_bits,
    polynomial,
    signed_as,
    two_product,
    two_sum,
)

# Up to here sin_small, cos_small and tan_small are as right as sin, cos and tan, and faster.
SMALL_ANGLE = {"f64": 2.0**22, "f32": 2.0**16}

Reduced = tuple[Value, Value, Value | None]  # n in the low bits of an integer, r, its correction


def reduce_small(y: Value) -> Reduced:
    """``y = n pi / 2 + r + low`` for ``0 <= y <= SMALL_ANGLE``.

    The second part of pi / 2 has 30 bits in float64: where the first two terms cancel, their
    difference is then exact, and elsewhere its error is what Dekker's sum finds.
    """
    f = format_of(y)
    first, second, third = c.HALF_PI_SHORT[y.dtype]
    shifted = fma(y, c.TWO_OVER_PI[y.dtype][0], f.magic)
    n = shifted - f.magic
    exact = fma(n, -first, y)
    r = fma(n, -second, exact)
    if y.dtype == "f32":
        return shifted.bits(), fma(n, -third, r), None
    low = fma(n, -second, exact - r)
    return shifted.bits(), r, fma(n, -third, low)


_LIFT = 128  # the table is times 2**128, so that its smallest parts are normal numbers


@functools.cache
def _two_over_pi(group: int, fraction_bits: int, parts: int) -> tuple[tuple[float, ...], ...]:
    """2 / pi for each of 32 groups of exponents, 0 to 31 times ``group``, in parts of 53 bits.

    Less what gives a multiple of 4 times any number of the group with so many bits of fraction.
    """
    digits = 1400
    bits = (2 << (2 * digits)) // pi_bits(digits)  # 2 / pi in units of 2**-digits
    columns: tuple[list[float], ...] = tuple([] for _ in range(parts))
    for start in range(0, 32 * group, group):
        rest = bits % (1 << (digits + 2 + fraction_bits - start))
        for column in columns:
            shift = max(rest.bit_length() - 53, 0)
            column.append(math.ldexp(rest >> shift, shift - digits + _LIFT))
            rest &= (1 << shift) - 1
    return tuple(map(tuple, columns))


def _table_parts(y: Value, group: int, fraction_bits: int, parts: int) -> list[Value]:
    f = format_of(y)
    shift = f.bits + group.bit_length() - 1
    index = maximum(y, 2.0).bits().shift_right_logical(shift) - (f.bias + 1) // group
    return [lookup(t, index, y.dtype) for t in _two_over_pi(group, fraction_bits, parts)]


def reduce_any(y: Value) -> Reduced:
    """``y = n pi / 2 + r + low`` for any ``y >= 2**-800`` in float64 (Payne and Hanek).

    The products with the four parts are summed exactly as far as the worst cancellation asks.
    """
    f = format_of(y)
    part0, part1, part2, part3 = _table_parts(y, 32, 52, 4)
    x = y * 2.0**-_LIFT
    product0, error0 = two_product(x, part0)
    product1, error1 = two_product(x, part1)
    product2, error2 = two_product(x, part2)
    turns = fma((product0 * 0.25).rint(), -4.0, product0)
    total, a = two_sum(turns, error0)
    total, b = two_sum(total, product1)
    shifted = total + f.magic
    total = total - (shifted - f.magic)
    tail, d = two_sum(a, b)
    tail, e = two_sum(tail, error1)
    tail, g = two_sum(tail, product2)
    fraction, low = two_sum(total, tail)
    low = low + (d + e + g + (error2 + x * part3))
    half_pi, half_pi_low, _ = c.HALF_PI["f64"]
    r, r_low = two_product(fraction, half_pi)
    return shifted.bits(), r, r_low + fma(fraction, half_pi_low, low * half_pi)


def reduce_any_single(y: Value) -> Reduced:
    """``reduce_any`` of a float32 number, in float64."""
    f = format_of(y)
    part0, part1 = _table_parts(y, 4, 23, 2)
    x = y * 2.0**-_LIFT
    product, error = two_product(x, part0)
    shifted = product + f.magic
    fraction = (product - (shifted - f.magic)) + fma(x, part1, error)
    return shifted.bits(), fraction * c.HALF_PI["f64"][0], None


def sin_kernel(r: Value, low: Value | None, dtype: str) -> Value:
    """``sin(r + low)`` to the precision of ``dtype``."""
    z = r * r
    p = polynomial(z, c.SIN[dtype])
    return fma(z * r, p, r) if low is None else r + fma(z * r, p, low)


def cos_kernel(r: Value, low: Value | None, dtype: str) -> Value:
    """``cos(r + low)`` to the precision of ``dtype``."""
    z = r * r
    p = fma(z, polynomial(z, c.COS[dtype]), -0.5)
    return fma(z if low is None else fma(r, r, r * (low + low)), p, 1.0)


def _flip(value: Value, n: Value, bit: int, x: Value | None = None) -> Value:
    """``value`` with its sign changed where this bit of n is set, and where x is negative."""
    sign = n << (int(n.dtype[1:]) - 1 - bit)
    if x is not None:
        sign = sign ^ x.bits()
    return (value.bits() ^ (sign & format_of(value).sign)).from_bits()


def _sine_and_cosine(reduced: Reduced, dtype: str) -> tuple[Value, Value, Value]:
    """Sine and cosine for an even n and the reverse for an odd one; whether n is odd."""
    n, r, low = reduced
    sine, cosine = sin_kernel(r, low, dtype), cos_kernel(r, low, dtype)
    odd = (n << (int(n.dtype[1:]) - 1)) < 0
    return sine, cosine, odd


def _sin(x: Value, reduced: Reduced, dtype: str) -> Value:
    sine, cosine, odd = _sine_and_cosine(reduced, dtype)
    value = select(odd, cosine, sine)
    return _flip(value, reduced[0], 1, x)


def _cos(x: Value, reduced: Reduced, dtype: str) -> Value:
    sine, cosine, odd = _sine_and_cosine(reduced, dtype)
    return _flip(select(odd, sine, cosine), reduced[0] + 1, 1)


def _tan(x: Value, reduced: Reduced, dtype: str) -> Value:
    sine, cosine, odd = _sine_and_cosine(reduced, dtype)
    value = select(odd, cosine, sine) / select(odd, sine, cosine)
    return _flip(value, reduced[0], 0, x)


def _two_variants(
    finish: Callable[[Value, Reduced, str], Value], name: str
) -> tuple[Callable[[Value], Value], Callable[[Value], Value]]:
    """A function of any angle and that of small ones."""

    def any_angle(x: Value) -> Value:
        if x.dtype == "f64":
            result = finish(x, reduce_any(x.abs()), "f64")
            # the reduction spoils the smallest numbers
            return result if finish is _cos else select(x.abs() < 2.0**-30, x, result)
        wide = x.convert("f64")
        return finish(wide, reduce_any_single(wide.abs()), "f32").convert("f32")

    def small_angle(x: Value) -> Value:
        return finish(x, reduce_small(x.abs()), x.dtype)

    any_angle.__doc__ = f"{name} of any angle."
    small_angle.__doc__ = f"{name} of ``|x| <= SMALL_ANGLE``."
    return any_angle, small_angle


sin, sin_small = _two_variants(_sin, "Sine")
cos, cos_small = _two_variants(_cos, "Cosine")
tan, tan_small = _two_variants(_tan, "Tangent")


def arctan_from(base: Value, low: Value, t: Value) -> Value:
    """``base + low + arctan(t)`` for ``-1 <= t <= 1``."""
    z = t * t
    return (base + t) + fma(z * t, polynomial(z - 0.75, c.ARCTAN[t.dtype]), low)


def arctan(x: Value) -> Value:
    """Inverse of the tangent."""
    high, low, _ = c.HALF_PI[x.dtype]
    y = x.abs()
    beyond = y > 1.0
    t = select(beyond, -1.0 / y, y)
    base, base_low = (choose(beyond, part, 0.0, x.dtype) for part in (high, low))
    return signed_as(arctan_from(base, base_low, t), x)


def arctan2(y: Value, x: Value) -> Value:
    """Angle of the point (x, y), from -pi to pi: a multiple of pi / 2 and the arctan of a slope."""
    across, up = x.abs(), y.abs()
    swap, behind = up > across, x.bits() < 0
    larger, smaller = select(swap, up, across), select(swap, across, up)
    # (0, 0) has slope 0 and (inf, inf) slope 1
    slope = smaller / select(larger == 0.0, 1.0, larger)
    slope = select(smaller == INF, 1.0, slope)
    slope = select(swap ^ behind, -slope, slope)
    high, low = (
        select(swap, part, choose(behind, 2.0 * part, 0.0, x.dtype))
        for part in c.HALF_PI[x.dtype][:2]
    )
    angle = arctan_from(high, low, slope)
    return signed_as(select((x == x) & (y == y), angle, NAN), y)


def arcsin_parts(y: Value) -> tuple[Value, Value, Value]:
    """For ``0 <= y <= 1``: whether y > 1/2, and root and rest.

    Their sum is ``arcsin(sqrt((1 - y) / 2))`` then, otherwise ``arcsin(y)``.
    """
    large = y > 0.5
    z = select(large, fma(y, -0.5, 0.5), y * y)
    root = select(large, z.sqrt(), y)
    return large, root, (z * root) * polynomial(z, c.ARCSIN[y.dtype])


def arcsin(x: Value) -> Value:
    """Inverse of the sine."""
    high, low, _ = c.HALF_PI[x.dtype]
    large, root, rest = arcsin_parts(x.abs())
    main = fma(root, -2.0, high)
    error = fma(root, -2.0, high - main) + low
    return signed_as(select(large, main + fma(rest, -2.0, error), root + rest), x)


def arccos(x: Value) -> Value:
    """Inverse of the cosine."""
    high, low, _ = c.HALF_PI[x.dtype]
    large, root, rest = arcsin_parts(x.abs())
    negative = x < 0.0
    near = 2.0 * (root + rest)
    far = fma(root, -2.0, 2.0 * high) - fma(rest, 2.0, -2.0 * low)
    root, rest = signed_as(root, x), signed_as(rest, x)
    return select(large, select(negative, far, near), high - (root - (low - rest)))
