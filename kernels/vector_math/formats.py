"""What the functions know of float64 and float32, and the small steps they share.

Two idioms avoid instructions that AVX2 lacks. Adding ``1.5 * 2**52`` to a float leaves its nearest
integer in the low bits (and subtracting it again gives that integer as a float), so nothing is
converted between floats and integers. Exponents are read with logical shifts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from ..scalar import Value, fma, maximum, minimum

INF = math.inf
NAN = math.nan


class Format(NamedTuple):
    """The numbers of a binary format."""

    dtype: str
    bits: int  # of the fraction
    bias: int  # of the exponent
    one: int  # the bits of 1.0
    sign: int  # the bits of -0.0
    fraction: int  # mask of the fraction
    magic: float  # adding it rounds to an integer, in the low bits
    smallest: float  # normal number
    root_half: int  # the bits of sqrt(0.5)
    exp_range: tuple[float, float]  # beyond it exp is 0 or infinite


FORMATS = {
    "f64": Format(
        "f64", 52, 1023, 0x3FF << 52, -(1 << 63), (1 << 52) - 1, 1.5 * 2.0**52, 2.0**-1022,
        0x3FE6A09E667F3BCD, (-746.0, 710.0),
    ),
    "f32": Format(
        "f32", 23, 127, 0x7F << 23, -(1 << 31), (1 << 23) - 1, 1.5 * 2.0**23, 2.0**-126,
        0x3F3504F3, (-104.0, 89.0),
    ),
}  # fmt: skip


def format_of(x: Value) -> Format:
    """The format of a value."""
    return FORMATS[x.dtype]


def polynomial(x: Value, coefficients: Sequence[Any], split: int = 6) -> Any:
    """Value of a polynomial, constant term first: Horner's rule, long ones in 2 or 4 chains."""
    if len(coefficients) < split:
        return horner(x, coefficients)
    square = x * x
    odd, even = (polynomial(square, coefficients[i::2], 8) for i in (1, 0))
    return fma(odd, x, even)


def polynomial_once(x: Value, coefficients: Sequence[float]) -> Value:
    """The same with one rounding where the constant term prevails."""
    return fma(x, polynomial(x, coefficients[1:]), coefficients[0])


def horner(x: Value, coefficients: Sequence[Any]) -> Any:
    """Value of a polynomial, constant term first, by Horner's rule."""
    result: Any = coefficients[-1]
    for c in coefficients[-2::-1]:
        result = fma(result, x, c)
    return result


def choose(condition: Value, x: float, y: float, dtype: str) -> Value:
    """``select`` between two numbers."""
    return condition.body.emit("select", dtype, condition, x, y)


def two_sum(x: Any, y: Any) -> tuple[Value, Value]:
    """The rounded sum and its error (Knuth)."""
    total = x + y
    part = total - x
    return total, (x - (total - part)) + (y - part)


def fast_two_sum(x: Any, y: Any) -> tuple[Value, Value]:
    """The rounded sum and its error, for ``|x| >= |y|`` (Dekker)."""
    total = x + y
    return total, y - (total - x)


def two_product(x: Any, y: Any) -> tuple[Value, Value]:
    """The rounded product and its error."""
    product = x * y
    return product, fma(x, y, -product)


def power_of_two(shifted: Value, plus: int = 0) -> Value:
    """``2**(k + plus)`` from ``k + magic``, for exponents of normal numbers."""
    f = format_of(shifted)
    return ((shifted.bits() << f.bits) + (f.one + (plus << f.bits))).from_bits()


def at_most(x: Value, bound: float) -> Value:
    """The smaller of x and the bound; a NaN stays."""
    return minimum(bound, x)


def clamp(x: Value, low: float, high: float) -> Value:
    """``x`` within bounds; a NaN stays."""
    return maximum(low, minimum(high, x))


def signed_as(x: Value, sign: Value) -> Value:
    """``x`` with the sign of ``sign``, for an x that has this sign already or is not negative."""
    return (x.bits() | (sign.bits() & format_of(x).sign)).from_bits()


def pi_bits(bits: int) -> int:
    """Pi times ``2**bits``, by Machin's formula; the last bits are wrong."""

    def arctan_of_inverse(k: int) -> int:
        total, term, j = 0, (1 << bits) // k, 1
        while term:
            total += term // j if j % 4 == 1 else -(term // j)
            term //= k * k
            j += 2
        return total

    return 4 * (4 * arctan_of_inverse(5) - arctan_of_inverse(239))
