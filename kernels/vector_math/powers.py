"""Powers, cube roots and the hypotenuse."""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable

from ..scalar import Value, fma, lookup, select
from . import coefficients as c
from .exponential import exp_exact, exp_single, log_single, reduce_log
from .formats import (
    FORMATS,
    INF,
    NAN,
    choose,
    clamp,
    fast_two_sum,
    format_of,
    polynomial,
    power_of_two,
    signed_as,
    two_product,
)

_STEPS = 256  # of the table of logarithms, between 1 and 2
_FIRST = 181  # 181 / 256 is next to sqrt(1/2)


def _bits_of(x: float) -> int:
    return int(struct.unpack("<q", struct.pack("<d", x))[0])


@functools.cache
def _log_table() -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]:
    """For c = k / 256 from sqrt(1/2) to sqrt(2): about 1 / c, and -log of that in two parts.

    The inverse has so few bits that ``inverse * m - 1`` is exact for all m beside c. The first part
    of the logarithm is a multiple of 2**-42, so that adding a multiple of ln 2 is exact.
    """
    from decimal import Decimal, getcontext

    getcontext().prec = 40
    inverses, high, low = [], [], []
    for k in range(_FIRST, 363):
        unit = 128 if k < _STEPS else 256
        inverse = round(_STEPS * unit / k) / unit
        exact = -Decimal(inverse).ln()
        first = round(float(exact) * 2.0**42) * 2.0**-42
        inverses.append(inverse)
        high.append(first)
        low.append(float(exact - Decimal(first)))
    return tuple(inverses), tuple(high), tuple(low)


def log_accurate(x: Value) -> tuple[Value, Value]:
    """Logarithm of a positive number to 67 bits, as a sum of two (after Tang)."""
    k, m = reduce_log(x)
    magic = format_of(x).magic / _STEPS
    index = (m + magic).bits() - (_bits_of(magic) + _FIRST)
    inverse, high, low = (lookup(table, index, "f64") for table in _log_table())
    r = fma(m, inverse, -1.0)
    ln2 = round(c.LN2["f64"][0] * 2.0**42) * 2.0**-42
    ln2_low = (c.LN2["f64"][0] - ln2) + c.LN2["f64"][1]
    base = fma(k, ln2, high)  # exact
    first, first_low = fast_two_sum(base, r)
    square, square_low = two_product(r, r)
    second = fma(square, -0.5, first)
    second_low = fma(square, -0.5, first - second)
    rest = fma(square * r, polynomial(r, c.LOG_TABLE["f64"]), fma(k, ln2_low, low))
    rest = fma(square_low, -0.5, rest) + (first_low + second_low)
    return fast_two_sum(second, rest)


def power(x: Value, y: Value) -> Value:
    """``x**y`` as ``exp(y log |x|)`` with NumPy's signs and limits."""
    if x.dtype == "f32":
        return _power(x.convert("f64"), y.convert("f64"), _magnitude_single).convert("f32")
    return _power(x, y, _magnitude)


def _magnitude(base: Value, y: Value) -> Value:
    """``base**y`` for a base that is not negative, to float64."""
    high, low = log_accurate(base)
    high = _log_limits(base, high)
    times = clamp(y, -(2.0**70), 2.0**70)  # (-1)**inf is 1
    product, product_low = two_product(times, high)
    return exp_exact(product, fma(times, low, product_low))


def _log_limits(base: Value, result: Value) -> Value:
    """The logarithms of 0, infinity and NaN, otherwise the result."""
    return select(base < INF, select(base > 0.0, result, -INF), base)


def _magnitude_single(base: Value, y: Value) -> Value:
    """``base**y`` to float32 or a little beyond its range, of float32 numbers."""
    log_base = _log_limits(base, log_single(base))
    return exp_single(log_base * clamp(y, -(2.0**127), 2.0**127))


def _power(x: Value, y: Value, magnitude_of: Callable[[Value, Value], Value]) -> Value:
    """The sign and the special values of a power."""
    whole = y.trunc() == y
    half = y * 0.5
    odd = whole & (half.trunc() != half)
    result = magnitude_of(x.abs(), y)
    result = (result.bits() ^ select(odd, x.bits() & FORMATS["f64"].sign, 0)).from_bits()
    result = select((x < 0.0) & (x > -INF) & (y.trunc() != y), NAN, result)
    return select((y == 0.0) | (x == 1.0), 1.0, result)


def cbrt(x: Value) -> Value:
    """Cube root: a polynomial for ``m**(-1/3)``, mended twice by Newton's series."""
    f = format_of(x)
    y = x.abs()
    k, m = reduce_log(y)
    shifted = fma(k, 1 / 3, f.magic)
    left = k - (shifted - f.magic) * 3.0  # -1, 0 or 1
    factor = select(left > 0.0, 2 ** (-1 / 3), choose(left < 0.0, 2 ** (1 / 3), 1.0, x.dtype))
    inverse = polynomial(m, c.CBRT[x.dtype]) * factor
    m = m * power_of_two(left + f.magic)
    error = fma(-(m * inverse), inverse * inverse, 1.0)
    inverse = inverse * fma(error, fma(error, 2 / 9, 1 / 3), 1.0)
    square_of_inverse = inverse * inverse
    root = m * square_of_inverse
    square, square_low = two_product(root, root)
    rest = fma(-root, square_low, fma(-root, square, m))
    root = fma(rest * square_of_inverse, 1 / 3, root) * power_of_two(shifted)
    return signed_as(select((y > 0.0) & (y < INF), root, y), x)


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
