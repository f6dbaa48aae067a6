"""Exponentials, logarithms and what is made of them.

Reduction with Cody and Waite's split of ln 2, then a minimax polynomial; logarithms by the series
of arctanh in ``(m - 1) / (m + 1)`` as Tang and Ng compute it, which loses nothing to cancellation.
"""

from __future__ import annotations

from ..scalar import Value, fma, select
from . import coefficients as c
from .formats import (
    INF,
    NAN,
    at_most,
    choose,
    clamp,
    fast_two_sum,
    format_of,
    polynomial,
    power_of_two,
    signed_as,
    two_product,
    two_sum,
)


def reduce_exp(x: Value) -> tuple[Value, Value, Value]:
    """``x = k ln 2 + r + low``: k + magic, r and low."""
    f = format_of(x)
    high, low, _ = c.LN2[x.dtype]
    shifted = fma(x, c.LOG2_E[x.dtype][0], f.magic)
    k = shifted - f.magic
    first = fma(k, -high, x)  # exact
    r = fma(k, -low, first)
    return shifted, r, fma(k, -low, first - r)


def powers_of_two(shifted: Value) -> tuple[Value, Value]:
    """Two factors of ``2**k``: a result may so be subnormal or just below infinity."""
    f = format_of(shifted)
    bits = shifted.bits()
    half = bits.shift_right_logical(1)
    first, second = (((b << f.bits) + f.one).from_bits() for b in (half, bits - half))
    return first, second


def exp(x: Value) -> Value:
    """``exp(x)``."""
    shifted, r, _ = reduce_exp(clamp(x, *format_of(x).exp_range))
    first, second = powers_of_two(shifted)
    return fma(fma(r * r, polynomial(r, c.EXP[x.dtype]), r), first, first) * second


def exp_exact(x: Value, low: Value, times: Value | None = None) -> Value:
    """``times * exp(x + low)``, low beyond the precision of x; all but the end hardly rounds.

    So whole powers of whole numbers come out whole.
    """
    limited = clamp(x, *format_of(x).exp_range)
    shifted, r, rest = reduce_exp(limited)
    r, rest = fast_two_sum(r, rest + select(limited == x, low, 0.0))
    tail = r + fma(r * r, polynomial(r, c.EXP[x.dtype]), rest)
    first, second = powers_of_two(shifted)
    if times is not None:
        first = first * times
    return fma(tail, first, first) * second


def exp_single(x: Value) -> Value:
    """``exp(x)`` of a float64 to the range and a little beyond the precision of float32."""
    shifted, r, _ = reduce_exp(clamp(x, -120.0, 100.0))
    power = power_of_two(shifted)
    return fma(fma(r * r, polynomial(r, c.EXP_POWER["f64"]), r), power, power)


def exp2(x: Value) -> Value:
    """``2**x``."""
    f = format_of(x)
    x = clamp(x, -f.bias - f.bits - 2.0, f.bias + 1.0)
    shifted = x + f.magic
    r = x - (shifted - f.magic)
    first, second = powers_of_two(shifted)
    return fma(r * first, polynomial(r, c.EXP2[x.dtype]), first) * second


def expm1_parts(x: Value, plus: int = 0) -> tuple[Value, Value]:
    """``2**plus * expm1(x)`` as a sum of two: ``(2**k - 1) + 2**k r``, exactly, and the rest."""
    shifted, r, low = reduce_exp(x)
    power = power_of_two(shifted, plus)
    base = power - 2.0**plus
    high = fma(power, r, base)
    error = fma(power, r, base - high)
    tail = fma(r * r, polynomial(r, c.EXPM1[x.dtype]), low)
    return high, fma(power, tail, error)


def expm1(x: Value) -> Value:
    """``exp(x) - 1``."""
    f = format_of(x)
    high, low = expm1_parts(clamp(x, -0.75 * f.bits, f.exp_range[1]), -1)
    # halves of small numbers lose bits
    return select(x.abs() < 2.0 ** (-f.bits - 1), x, (high + low) * 2.0)


def reduce_log(x: Value) -> tuple[Value, Value]:
    """``x = 2**k m`` for positive numbers: k and m, from sqrt(0.5) to sqrt(2)."""
    f = format_of(x)
    small = x < f.smallest
    lift = 2.0 ** (f.bits + 2)
    x = select(small, x * lift, x)
    offset = 2.0**f.bits + f.bias
    biased, m = exponent(x)
    return biased - choose(small, offset + f.bits + 2, offset, x.dtype), m


def exponent(x: Value) -> tuple[Value, Value]:
    """``k + bias + 2**bits`` and m of ``x = 2**k m``, a normal number."""
    f = format_of(x)
    bits = x.bits() + (f.one - f.root_half)
    power_bits = (f.bits + f.bias) << f.bits  # of 2.0**bits
    k = (bits.shift_right_logical(f.bits) | power_bits).from_bits()
    return k, ((bits & f.fraction) + f.root_half).from_bits()


def log_special(x: Value, result: Value) -> Value:
    """The result where x is positive and finite, else log's special value."""
    return select(x > 0.0, select(x < INF, result, x), choose(x == 0.0, -INF, NAN, x.dtype))


def log(x: Value) -> Value:
    """Natural logarithm."""
    k, m = reduce_log(x)
    return log_special(x, log_sum(k, m - 1.0, m + 1.0))


def log_single(x: Value) -> Value:
    """Logarithm of a normal float64, to a little beyond the precision of float32."""
    biased, m = exponent(x)
    s = (m - 1.0) / (m + 1.0)
    z = s * s
    log_m = fma(s * z, -polynomial(z, c.LOG_POWER["f64"]), s + s)
    return fma(biased - (2.0**52 + 1023), c.LN2["f64"][0], log_m)


def log_sum(k: Value, r: Value, base: Value, low: Value | float = 0.0) -> Value:
    """``k ln 2 + log(1 + r) + low``, base being 2 + r."""
    ln2, ln2_low, _ = c.LN2[r.dtype]
    return fma(k, ln2, r - log_bend(r, base, fma(k, -ln2_low, -low)))


def log_bend(r: Value, base: Value, plus: Value | float = 0.0) -> Value:
    """``r - log(1 + r) + plus``; with s = r / (2 + r), half the logarithm is arctanh(s)."""
    if r.dtype == "f32":  # cheaper than a division
        return fma(r * r, polynomial(r, c.LOG_DIRECT["f32"]), plus)
    s = r / base
    z = s * s
    return fma(s, fma(z, polynomial(z, c.LOG["f64"]), r), plus)


def log_times(x: Value, scale: tuple[float, ...], step: tuple[float, ...]) -> Value:
    """``scale * log(x)``, where step is ``scale * ln 2``."""
    k, m = reduce_log(x)
    r = m - 1.0
    bend = log_bend(r, m + 1.0)
    product, rest = two_product(r, scale[0])
    rest = fma(bend, -scale[0], fma(r, scale[1], rest))
    if step[1]:
        base, base_rest = two_product(k, step[0])
        rest = rest + fma(k, step[1], base_rest)
    else:
        base = k
    total, error = fast_two_sum(base, product)
    return log_special(x, total + (error + rest))


def log2(x: Value) -> Value:
    """Logarithm to base 2."""
    return log_times(x, c.LOG2_E[x.dtype], (1.0, 0.0))


def log10(x: Value) -> Value:
    """Logarithm to base 10."""
    return log_times(x, c.LOG10_E[x.dtype], c.LOG10_2[x.dtype])


def log1p_of(x: Value, low: Value | None = None) -> Value:
    """``log(1 + x + low)`` for ``x > -1``, without the special values."""
    f = format_of(x)
    u = x + 1.0
    error = x - (u - 1.0)
    if low is not None:
        error = error + low
    biased, m = exponent(u)
    k = biased - (2.0**f.bits + f.bias)
    # 2**(1 - k): at the largest k it is 0, when no error matters
    field = (2 * f.bias + 1) - ((u.bits() + (f.one - f.root_half)).shift_right_logical(f.bits))
    shrink = (field << f.bits).from_bits() * 0.5
    if low is None:
        return log_sum(k, fma(error, shrink, m - 1.0), fma(error, shrink, m + 1.0))
    r, rest = fast_two_sum(m - 1.0, error * shrink)
    return log_sum(k, r, r + 2.0, rest)


def log1p(x: Value) -> Value:
    """``log(1 + x)``."""
    result = select(x < INF, signed_as(log1p_of(x), x), x)
    return select(x > -1.0, result, choose(x == -1.0, -INF, NAN, x.dtype))


def log1p_exp(e: Value) -> tuple[Value, Value]:
    """``log(1 + e) = e - t`` for e from 0 to 1: e and t."""
    s = e / (e + 2.0)
    z = s * s
    return e, s * fma(z, polynomial(z, c.LOG1P_UNIT[e.dtype]), e)


def softplus(x: Value) -> Value:
    """``log(1 + exp(x))``."""
    e, t = log1p_exp(exp(-x.abs()))
    return select(x > 0.0, x, 0.0) + (e - t)


def logaddexp(x: Value, y: Value) -> Value:
    """``log(exp(x) + exp(y))``; its error is relative to the larger of the three."""
    e, t = log1p_exp(exp(-(x - y).abs()))
    # equal infinities, whose distance is a NaN
    return select(x == y, x + c.LN2[x.dtype][0], select(x > y, x, y) + (e - t))


def logaddexp2(x: Value, y: Value) -> Value:
    """``log2(2**x + 2**y)``."""
    scale, scale_low, _ = c.LOG2_E[x.dtype]
    e, t = log1p_exp(exp2(-(x - y).abs()))
    high, low = fast_two_sum(e, -t)
    tail = fma(high, scale, fma(low, scale, high * scale_low))
    return select(x == y, x + 1.0, select(x > y, x, y) + tail)


def expit(x: Value) -> Value:
    """``1 / (1 + exp(-x))``."""
    e = exp(-x.abs())
    return select(x < 0.0, e, 1.0) / (e + 1.0)


def sinh_cosh_parts(y: Value) -> tuple[Value, Value, Value, Value, Value]:
    """Of ``y = k ln 2 + r >= 0``: (2**k + 2**-k) / 4, (2**k - 2**-k) / 4, r, cosh(r) - 1 and
    sinh(r) - r.
    """  # noqa: D205
    f = format_of(y)
    shifted, r, low = reduce_exp(at_most(y, f.exp_range[1] + 0.6))
    up = power_of_two(shifted, -2)
    # 2**-k counts for nothing where its exponent would leave the format
    few = at_most(shifted, f.magic + 2.0 * f.bits)
    down = ((f.one - (2 << f.bits)) - (few.bits() << f.bits)).from_bits()
    z = r * r
    even = z * polynomial(z, c.COSH[y.dtype])
    odd = fma(z * r, polynomial(z, c.SINH[y.dtype]), low)
    return up + down, up - down, r, even, odd


def sinh(x: Value) -> Value:
    """Hyperbolic sine: ``(2**k - 2**-k) cosh(r) / 2 + (2**k + 2**-k) sinh(r) / 2``."""
    y = x.abs()
    plus, minus, r, even, odd = sinh_cosh_parts(y)
    high = fma(plus, r, minus)
    error = fma(plus, r, minus - high)
    result = (high + fma(minus, even, fma(plus, odd, error))) * 2.0
    return signed_as(select(y < 2.0 ** (-format_of(x).bits // 2), y, result), x)


def cosh(x: Value) -> Value:
    """Hyperbolic cosine."""
    plus, minus, r, even, odd = sinh_cosh_parts(x.abs())
    high = fma(minus, r, plus)
    error = fma(minus, r, plus - high)
    return (high + fma(plus, even, fma(minus, odd, error))) * 2.0


def tanh(x: Value) -> Value:
    """Hyperbolic tangent: ``e / (e + 2)``, e being ``expm1(2 |x|)``."""
    f = format_of(x)
    y = x.abs()
    twice = at_most(y + y, 0.75 * (f.bits + 4))
    if x.dtype == "f32":  # 1 - 2 / (exp(2 y) + 1), and a polynomial where that cancels
        z = x * x
        near = fma(z * y, polynomial(z, c.TANH["f32"]), y)
        shifted, r, _ = reduce_exp(twice)
        power = power_of_two(shifted)
        e = fma(power, fma(r * r, polynomial(r, c.EXP["f32"]), r), power)
        return signed_as(select(y < 0.625, near, 1.0 - 2.0 / (e + 1.0)), x)
    high, low = expm1_parts(twice)
    high, low = fast_two_sum(high, low)
    base = high + 2.0
    base_low = (high - (base - 2.0)) + low
    inverse = 1.0 / base
    ratio = high * inverse
    left = fma(-ratio, base, high) + fma(-ratio, base_low, low)
    return signed_as(fma(left, inverse, ratio), x)


def arcsinh(x: Value) -> Value:
    """Inverse of sinh: ``log1p(y + y**2 / (1 + sqrt(1 + y**2)))``."""
    f = format_of(x)
    y = x.abs()
    large = y > 2.0 ** (f.bits // 2 + 3)
    z = select(large, 0.0, y)
    square = z * z
    high, low = fast_two_sum(z, square / ((square + 1.0).sqrt() + 1.0))
    twofold = choose(large, c.LN2[x.dtype][0], 0.0, x.dtype)
    result = log1p_of(select(large, y - 1.0, high), low) + twofold
    return signed_as(select(y < INF, result, y), x)


def arccosh(x: Value) -> Value:
    """Inverse of cosh: ``log1p(t + sqrt(t**2 + 2 t))`` with ``t = x - 1``."""
    f = format_of(x)
    large = x > 2.0 ** (f.bits // 2 + 3)
    t = select(large, 1.0, x - 1.0)
    high, low = two_sum(t, fma(t, t, t * 2.0).sqrt())
    twofold = choose(large, c.LN2[x.dtype][0], 0.0, x.dtype)
    result = log1p_of(select(large, x - 1.0, high), low) + twofold
    return select(x >= 1.0, select(x < INF, result, x), select(x < 1.0, NAN, x))


def arctanh(x: Value) -> Value:
    """Inverse of tanh: ``log1p(2 y / (1 - y)) / 2``."""
    y = x.abs()
    base, low = fast_two_sum(1.0, -y)
    inverse = 1.0 / base
    twice = y * 2.0
    ratio = twice * inverse
    left = fma(-ratio, base, twice) - ratio * low
    result = log1p_of(ratio, left * inverse) * 0.5
    return signed_as(select(y < 1.0, result, choose(y == 1.0, INF, NAN, x.dtype)), x)
