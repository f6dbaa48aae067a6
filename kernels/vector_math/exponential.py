"""Exponentials, logarithms and what is made of them.

Reduction with Cody and Waite's split of ln 2, then a minimax polynomial; logarithms by the series
of arctanh in ``(m - 1) / (m + 1)`` as Tang and Ng compute it, which loses nothing to cancellation.
"""

from __future__ import annotations

from typing import Any

from ..scalar import Value, fma, select
from . import coefficients as c
from .formats import (
    INF,
    NAN,
    choose,
    clamp,
    fast_two_sum,
    format_of,
    polynomial,
    power_of_two,
    two_sum,
)


def reduce_exp(x: Value) -> tuple[Value, Value, Value, Value]:
    """``x = k ln 2 + r + low``: k + magic, k, r and low."""
    f = format_of(x)
    high, low, _ = c.LN2[x.dtype]
    shifted = fma(x, c.LOG2_E[x.dtype][0], f.magic)
    k = shifted - f.magic
    first = fma(k, -high, x)  # exact
    r = fma(k, -low, first)
    return shifted, k, r, fma(k, -low, first - r)


def scaled(x: Value, shifted: Value, half: Value) -> Value:
    """``x * 2**k`` in two steps, so that the result may be subnormal or just below infinity.

    ``half + magic`` holds about half of ``k + magic``.
    """
    f = format_of(x)
    rest = shifted.bits() - half.bits()
    return x * power_of_two(half) * ((rest << f.bits) + f.one).from_bits()


def exp_tail(r: Value) -> Value:
    """``exp(r) - 1`` for small r."""
    return fma(r * r, polynomial(r, c.EXP[r.dtype]), r)


def exp_of(x: Value, low: Any = None) -> Value:
    """``exp(x + low)``."""
    f = format_of(x)
    x = clamp(x, *f.exp_range)
    shifted, _, r, _ = reduce_exp(x)
    if low is not None:
        r = r + low
    half = fma(x, c.LOG2_E[x.dtype][0] / 2, f.magic)
    return scaled(exp_tail(r) + 1.0, shifted, half)


def exp(x: Value) -> Value:
    """``exp(x)``."""
    return exp_of(x)


def exp2(x: Value) -> Value:
    """``2**x``."""
    f = format_of(x)
    x = clamp(x, -f.bias - f.bits - 2.0, f.bias + 1.0)
    shifted = x + f.magic
    r = x - (shifted - f.magic)
    return scaled(fma(r, polynomial(r, c.EXP2[x.dtype]), 1.0), shifted, fma(x, 0.5, f.magic))


def expm1(x: Value) -> Value:
    """``exp(x) - 1``."""
    f = format_of(x)
    y = clamp(x, -0.75 * f.bits, f.exp_range[1])
    shifted, _, r, low = reduce_exp(y)
    # 2**(k - 1), so that k may be as large as the exponent of infinity
    power = (((shifted.bits() - 1) << f.bits) + f.one).from_bits()
    tail = fma(r * r, polynomial(r, c.EXPM1[x.dtype]), low)
    base, error = two_sum(power - 0.5, power * r)
    return ((base + fma(power, tail, error)) * 2.0).copysign(x)


def exp_of_minus(x: Value) -> tuple[Value, Value]:
    """``exp(-x)`` for ``x >= 0`` and what it lacks."""
    return exp_of(-x), x


def reduce_log(x: Value) -> tuple[Value, Value]:
    """``x = 2**k m`` for positive numbers: k and m, from sqrt(0.5) to sqrt(2)."""
    f = format_of(x)
    small = x < f.smallest
    lift = 2.0 ** (f.bits + 2)
    x = select(small, x * lift, x)
    offset = 2.0**f.bits + f.bias
    k, bits = exponent(x)
    return k - choose(small, offset + f.bits + 2, offset, x.dtype), bits


def exponent(x: Value) -> tuple[Value, Value]:
    """``k + bias + 2**bits`` and m of ``x = 2**k m``, a normal number."""
    f = format_of(x)
    bits = x.bits() + (f.one - f.root_half)
    power_bits = (f.bits + f.bias) << f.bits  # of 2.0**bits
    k = (bits.shift_right_logical(f.bits) | power_bits).from_bits()
    return k, ((bits & f.fraction) + f.root_half).from_bits()


def log_near_one(r: Value, k: Any, low: Any = None) -> tuple[Value, Value]:
    """``k ln 2 + log(1 + r + low)`` as two numbers to be added, for 1 + r within sqrt(2)."""
    dtype = r.dtype
    ln2, ln2_low, _ = c.LN2[dtype]
    half_square = (r * 0.5) * r
    if dtype == "f64":
        s = r / (r + 2.0)
        z = s * s
        rest = fma(z, polynomial(z, c.LOG[dtype]), half_square) * s
    else:
        rest = (r * r) * (r * polynomial(r, c.LOG_DIRECT[dtype]))
    rest = fma(k, ln2_low, rest)
    if low is not None:
        rest = rest + low
    high, error = fast_two_sum(r, -half_square)
    return fma(k, ln2, 0.0), (high, error + rest)  # type: ignore[return-value]


def log_special(x: Value, result: Value) -> Value:
    """The result where x is positive and finite, else log's special value."""
    result = select(x < INF, result, x)
    return select(x > 0.0, result, select(x == 0.0, -INF, select(x < 0.0, NAN, x)))


def log(x: Value) -> Value:
    """Natural logarithm."""
    ln2, ln2_low, _ = c.LN2[x.dtype]
    k, m = reduce_log(x)
    r = m - 1.0
    half_square = (r * 0.5) * r
    rest = fma(k, ln2_low, log_rest(r, half_square))
    return log_special(x, fma(k, ln2, r - (half_square - rest)))


def log_rest(r: Value, half_square: Value) -> Value:
    """``log(1 + r) - r + r**2 / 2``."""
    if r.dtype == "f32":  # cheaper than a division
        return (r * r) * (r * polynomial(r, c.LOG_DIRECT["f32"]))
    s = r / (r + 2.0)
    z = s * s
    return s * fma(z, polynomial(z, c.LOG["f64"]), half_square)


def log_parts(x: Value) -> tuple[Value, Value, Value]:
    """``log(x) = k ln 2 + high + low``."""
    k, m = reduce_log(x)
    r = m - 1.0
    half_square = (r * 0.5) * r
    high, low = fast_two_sum(r, -half_square)
    low = low - fma(r * 0.5, r, -half_square)
    return k, high, low + log_rest(r, half_square)


def log2(x: Value) -> Value:
    """Logarithm to base 2."""
    scale, scale_low, _ = c.LOG2_E[x.dtype]
    k, high, low = log_parts(x)
    product = high * scale
    rest = fma(high, scale, -product) + fma(high, scale_low, low * scale)
    total, error = fast_two_sum(k, product)
    total = select(k == 0.0, product, total)
    error = select(k == 0.0, 0.0, error)
    return log_special(x, total + (error + rest))


def log10(x: Value) -> Value:
    """Logarithm to base 10."""
    scale, scale_low, _ = c.LOG10_E[x.dtype]
    step, step_low, _ = c.LOG10_2[x.dtype]
    k, high, low = log_parts(x)
    product = high * scale
    rest = fma(high, scale, -product) + fma(high, scale_low, low * scale)
    base = k * step
    rest = rest + fma(k, step_low, fma(k, step, -base))
    total, error = two_sum(base, product)
    return log_special(x, total + (error + rest))


def log1p_of(x: Value, low: Any = None) -> Value:
    """``log(1 + x + low)`` for ``x > -1``, without the special values."""
    f = format_of(x)
    ln2, ln2_low, _ = c.LN2[x.dtype]
    u = x + 1.0
    error = x - (u - 1.0)
    if low is not None:
        error = error + low
    biased, m = exponent(u)
    k = biased - (2.0**f.bits + f.bias)
    # 2**(1 - k): at the largest k it is 0, when no error matters
    field = (2 * f.bias + 1) - ((u.bits() + (f.one - f.root_half)).shift_right_logical(f.bits))
    shrink = (field << f.bits).from_bits()
    r = fma(error * 0.5, shrink, m - 1.0)
    half_square = (r * 0.5) * r
    rest = fma(k, ln2_low, log_rest(r, half_square))
    return fma(k, ln2, r - (half_square - rest))


def log1p(x: Value) -> Value:
    """``log(1 + x)``."""
    result = select(x < INF, log1p_of(x), x).copysign(x)
    return select(x > -1.0, result, select(x == -1.0, -INF, select(x < -1.0, NAN, x)))


def log1p_unit(e: Value) -> Value:
    """``log(1 + e)`` for e from 0 to 1."""
    s = e / (e + 2.0)
    z = s * s
    return e - s * fma(z * -1.0, polynomial(z, c.LOG1P_UNIT[e.dtype]), e)


def softplus(x: Value) -> Value:
    """``log(1 + exp(x))``."""
    tail = log1p_unit(exp_of(-x.abs()))
    return select(x > 0.0, x + tail, tail)


def logaddexp(x: Value, y: Value) -> Value:
    """``log(exp(x) + exp(y))``; its error is relative to the larger of the three."""
    larger = select(x > y, x, y)
    distance = (x - y).abs()
    tail = log1p_unit(exp_of(-distance))
    # equal infinities, whose distance is a NaN
    return select(x == y, x + c.LN2[x.dtype][0], larger + tail)


def logaddexp2(x: Value, y: Value) -> Value:
    """``log2(2**x + 2**y)``."""
    larger = select(x > y, x, y)
    distance = (x - y).abs()
    tail = log1p_unit(exp2(-distance)) * c.LOG2_E[x.dtype][0]
    return select(x == y, x + 1.0, larger + tail)


def expit(x: Value) -> Value:
    """``1 / (1 + exp(-x))``."""
    e = exp_of(-x.abs())
    return select(x < 0.0, e, 1.0) / (e + 1.0)


def sinh_cosh_parts(x: Value) -> tuple[Value, Value, Value, Value, Value]:
    """Of ``x = k ln 2 + r >= 0``: 2**(k - 2), 2**(-k - 2), r, cosh(r) - 1 and sinh(r) - r."""
    f = format_of(x)
    x = clamp(x, 0.0, f.exp_range[1] + 2.0)
    shifted, _, r, low = reduce_exp(x)
    up = (((shifted.bits() - 2) << f.bits) + f.one).from_bits()
    # 2**-k counts for nothing where its exponent would leave the format
    few = select(shifted > f.magic + 2.0 * f.bits, f.magic + 2.0 * f.bits, shifted)
    down = (f.one - ((few.bits() + 2) << f.bits)).from_bits()
    z = r * r
    even = z * polynomial(z, c.COSH[x.dtype])
    odd = fma(z * r, polynomial(z, c.SINH[x.dtype]), low)
    return up, down, r, even, odd


def sinh(x: Value) -> Value:
    """Hyperbolic sine: ``(2**k - 2**-k) cosh(r) / 2 + (2**k + 2**-k) sinh(r) / 2``."""
    up, down, r, even, odd = sinh_cosh_parts(x.abs())
    plus, minus = up + down, up - down
    base, error = two_sum(minus, plus * r)
    rest = fma(minus, even, fma(plus, odd, error))
    return ((base + rest) * 2.0).copysign(x)


def cosh(x: Value) -> Value:
    """Hyperbolic cosine."""
    up, down, r, even, odd = sinh_cosh_parts(x.abs())
    plus, minus = up + down, up - down
    return (plus + fma(plus, even, minus * (r + odd))) * 2.0


def tanh(x: Value) -> Value:
    """Hyperbolic tangent: ``e / (e + 2)``, e being ``expm1(2 |x|)``."""
    f = format_of(x)
    y = clamp(x.abs(), 0.0, 0.375 * (f.bits + 4)) * 2.0
    shifted, _, r, low = reduce_exp(y)
    power = power_of_two(shifted)
    tail = fma(r * r, polynomial(r, c.EXPM1[x.dtype]), low)
    high, error = two_sum(power - 1.0, power * r)
    high, low = fast_two_sum(high, fma(power, tail, error))
    base = high + 2.0
    base_low = high - (base - 2.0) + low
    inverse = 1.0 / base
    ratio = high * inverse
    left = fma(-ratio, base, high) + fma(-ratio, base_low, low)
    return fma(left, inverse, ratio).copysign(x)


def arcsinh(x: Value) -> Value:
    """Inverse of sinh: ``log1p(y + y**2 / (1 + sqrt(1 + y**2)))``."""
    f = format_of(x)
    y = x.abs()
    large = y > 2.0 ** (f.bits // 2 + 3)
    z = select(large, 0.0, y)
    square = z * z
    high, low = fast_two_sum(z, square / ((square + 1.0).sqrt() + 1.0))
    result = log1p_of(select(large, y - 1.0, high), low) + choose(
        large, c.LN2[x.dtype][0], 0.0, x.dtype
    )
    return select(y < INF, result, y).copysign(x)


def arccosh(x: Value) -> Value:
    """Inverse of cosh: ``log1p(t + sqrt(t**2 + 2 t))`` with ``t = x - 1``."""
    f = format_of(x)
    large = x > 2.0 ** (f.bits // 2 + 3)
    t = select(large, 1.0, x - 1.0)
    high, low = two_sum(t, fma(t, t, t * 2.0).sqrt())
    result = log1p_of(select(large, x - 1.0, high), low) + choose(
        large, c.LN2[x.dtype][0], 0.0, x.dtype
    )
    return select(x >= 1.0, select(x < INF, result, x), select(x < 1.0, NAN, x))


def arctanh(x: Value) -> Value:
    """Inverse of tanh: ``log1p(2 y / (1 - y)) / 2``."""
    y = x.abs()
    base, low = fast_two_sum(1.0, -y)
    inverse = 1.0 / base
    twice = y * 2.0
    ratio = twice * inverse
    left = fma(-ratio, base, twice) - ratio * low
    result = (log1p_of(ratio, left * inverse) * 0.5).copysign(x)
    return select(y < 1.0, result, select(y == 1.0, result.copysign(x) * INF, NAN))
