"""Error, gamma and kindred functions."""

from __future__ import annotations

import functools
import math

from ..scalar import Value, fma, lookup, select
from . import coefficients as c
from .exponential import exp_exact, exp_single, log, log1p_of, log_single
from .formats import (
    INF,
    NAN,
    at_most,
    choose,
    format_of,
    horner,
    pi_bits,
    polynomial,
    polynomial_once,
    power_of_two,
    signed_as,
    two_product,
)
from .trigonometric import cos_kernel, sin_kernel


def erf(x: Value) -> Value:
    """Error function."""
    return _erf_single(x) if x.dtype == "f32" else _erf_double(x)


def _erf_single(x: Value) -> Value:
    """By a polynomial to 1, and beyond as ``1 - 2**-p``."""
    f = format_of(x)
    y = x.abs()
    z = x * x
    near = fma(y, polynomial(z, c.ERF_SMALL["f32"]), y)
    exponent = polynomial(at_most(y, 4.0) - 1.0, c.ERF_TAIL["f32"])
    shifted = f.magic - exponent
    r = (f.magic - shifted) - exponent
    power = power_of_two(shifted)
    far = 1.0 - fma(power * r, polynomial(r, c.EXP2["f32"]), power)
    return signed_as(select(y < 1.0, near, far), x)


@functools.cache
def _erf_tables() -> tuple[tuple[float, ...], tuple[float, ...]]:
    """``erf(k / 128)`` and its slope, as far as the index of a NaN may lie."""
    points = [k / 128 for k in range(1024)]
    slope = 2 / math.sqrt(math.pi)
    return tuple(map(math.erf, points)), tuple(slope * math.exp(-p * p) for p in points)


def _erf_double(x: Value) -> Value:
    """By the Taylor series about the nearest 128th."""
    y = at_most(x.abs(), 6.0)
    magic = format_of(x).magic / 128
    shifted = y + magic
    index = shifted.bits() & 1023
    r = shifted - magic
    d = y - r
    value, slope = (lookup(table, index, "f64") for table in _erf_tables())
    # the derivatives of exp(-r**2) are Hermite polynomials of r
    square = r * r
    second = fma(square, 2 / 3, -1 / 3)
    third = r * fma(square, -1 / 3, 0.5)
    fourth = fma(square, fma(square, 2 / 15, -0.4), 0.1)
    fifth = r * fma(square, fma(square, -2 / 45, 2 / 9), -1 / 6)
    series = horner(d, (-r, second, third, fourth, fifth))
    return signed_as(value + slope * fma(d * d, series, d), x)


@functools.cache
def _erfc_tables() -> tuple[tuple[float, ...], ...]:
    """``exp(p**2) erfc(p)`` at p = k / 16 to 32, its slope, and what the first lacks.

    The function obeys ``f' = 2 p f - 2 / sqrt(pi)``. Followed downwards in integers of 200 bits,
    the error of a crude start dies away as ``exp(p**2)`` does.
    """
    bits = 200
    root = math.isqrt(pi_bits(2 * bits))
    constant = (2 << (2 * bits)) // root
    value = constant // (2 * 34)
    values, slopes, lows = [], [], []
    for k in range(34 * 16, -1, -1):
        slope = (value * k >> 3) - constant
        if k < 512:
            values.append(value / (1 << bits))
            slopes.append(slope / (1 << bits))
            lows.append((value - int(math.ldexp(values[-1], bits))) / (1 << bits))
        before, term, total = value, slope, value
        for n in range(1, 40):  # the Taylor series at k / 16 in -1 / 16
            total += term >> 4 * n if n % 2 == 0 else -(term >> 4 * n)
            before, term = term, ((term * k >> 3) + 2 * before) // (n + 1)
        value = total
    return tuple(values[::-1]), tuple(slopes[::-1]), tuple(lows[::-1])


def erfc(x: Value) -> Value:
    """Complementary error function: ``exp(-x**2)`` times a Taylor series about a 16th."""
    if x.dtype == "f32":
        wide = x.convert("f64")
        tail, low, square, _ = _scaled_erfc(wide, 6)
        result = (tail + low) * exp_single(-square)
        return select(wide < 0.0, 2.0 - result, result).convert("f32")
    tail, low, square, square_low = _scaled_erfc(x, 10)
    result = exp_exact(-square, -square_low, tail + low)
    return select(x < 0.0, 2.0 - result, result)


def _scaled_erfc(x: Value, terms: int) -> tuple[Value, Value, Value, Value]:
    """``exp(x**2) erfc(|x|)`` and ``x**2``, either in two parts."""
    y = at_most(x.abs(), 28.0)
    magic = format_of(x).magic / 16
    shifted = y + magic
    index = shifted.bits() & 511
    r = shifted - magic
    d = y - r
    value, slope, low = (lookup(table, index, "f64") for table in _erfc_tables())
    series = [value, slope]
    for n in range(2, terms):
        series.append(fma(r, series[-1], series[-2]) * (2 / n))
    return value, fma(d, polynomial(d, series[1:]), low), *two_product(y, y)


def erfinv(x: Value) -> Value:
    """Inverse of erf (after Giles): x times a polynomial in ``w = -log(1 - x**2)`` or its root."""
    if x.dtype == "f32":
        return _erfinv_single(x.convert("f64")).convert("f32")
    y = x.abs()
    w = select(y < 0.5, -log1p_of(-(y * y)), -log((1.0 - y) * (1.0 + y)))
    near = polynomial_once(w - 0.625, c.ERFINV["f64"])
    far = polynomial_once(w.sqrt() - 3.375, c.ERFINV_TAIL["f64"])
    return _erfinv_limits(x, x * select(w < 5.0, near, far))


def _erfinv_single(x: Value) -> Value:
    w = -log_single(fma(x, -x, 1.0))
    near = polynomial(w - 0.625, c.ERFINV_SINGLE["f64"])
    far = polynomial(w.sqrt() - 3.375, c.ERFINV_TAIL_SINGLE["f64"])
    return _erfinv_limits(x, x * select(w < 5.0, near, far))


def _erfinv_limits(x: Value, result: Value) -> Value:
    y = x.abs()
    return select(y < 1.0, result, select(y == 1.0, x * INF, NAN))


def sin_pi(y: Value) -> tuple[Value, Value]:
    """``sin(pi r)`` and ``cos(pi r)`` for r = y - rint(y), from those of half the angle."""
    r = y - y.rint()
    half_pi, half_pi_low, _ = c.HALF_PI["f64"]
    angle, rest = two_product(r, half_pi)
    rest = fma(r, half_pi_low, rest)
    s, co = sin_kernel(angle, rest, "f64"), cos_kernel(angle, rest, "f64")
    return (s + s) * co, (co - s) * (co + s)


def gammaln(x: Value) -> Value:
    """Logarithm of the absolute value of gamma; by Stirling's series from 5."""
    y = x.abs()
    log_y = log(y)
    low = y < 1.0
    u = select(low, y, y - 1.0)  # gamma(u + 1)
    t = (u - 2.0) / (u + 3.0)
    middle = fma(u, u, -u) * polynomial_once(t, c.GAMMALN["f64"]) + 0.0
    middle = select(low, middle - log_y, middle)
    inverse = 1.0 / y
    series = inverse * polynomial(inverse * inverse, c.STIRLING["f64"])
    far = fma(y - 0.5, log_y - 1.0, series + (c.HALF_LOG_2PI["f64"][0] - 0.5))
    positive = select(y < 5.0, middle, far)
    sine, _ = sin_pi(y)
    sine = select(y < 2.0**-60, y, sine.abs() * (1 / math.pi))  # that of subnormal numbers is rough
    reflected = -(log_y + log(sine)) - positive
    result = select(x < 0.0, select(y == y.floor(), INF, reflected), positive)
    return select(y < INF, select(y == 0.0, INF, result), x)


def psi(x: Value) -> Value:
    """Digamma function, by its asymptotic series from 5."""
    y = x.abs()
    low = y < 1.0
    u = select(low, y, y - 1.0)
    t = (u - 2.0) / (u + 3.0)
    root, root_low, _ = c.PSI_ROOT["f64"]
    inverse = 1.0 / y
    middle = ((u - (root - 1.0)) - root_low) * polynomial_once(t, c.PSI["f64"])
    z = inverse * inverse
    far = log(y) - fma(z, polynomial(z, c.PSI_TAIL["f64"]), inverse * 0.5)
    far = select(y < 5.0, middle, far)
    positive = select(low, far - inverse, far)
    sine, cosine = sin_pi(y)
    reflected = select(low, far, far + inverse) + math.pi * cosine / sine
    reflected = select(y == y.floor(), NAN, reflected)
    result = select(x < 0.0, reflected, positive)
    return select(x == 0.0, choose(x.bits() < 0, INF, -INF, "f64"), result)
