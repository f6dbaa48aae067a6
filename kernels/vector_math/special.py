"""Error, gamma and kindred functions."""

from __future__ import annotations

import functools
import math

from ..scalar import Value, fma, lookup, select
from . import coefficients as c
from .exponential import exp_of, log, log1p_of
from .formats import INF, NAN, choose, format_of, polynomial, two_product


@functools.cache
def _erf_tables(dtype: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """``erf(k / 128)`` and its slope."""
    count = 128 * (6 if dtype == "f64" else 4) + 1
    points = [k / 128 for k in range(count)]
    slope = 2 / math.sqrt(math.pi)
    return tuple(map(math.erf, points)), tuple(slope * math.exp(-p * p) for p in points)


def erf(x: Value) -> Value:
    """Error function, by its Taylor series about the nearest 128th."""
    f = format_of(x)
    values, slopes = _erf_tables(x.dtype)
    end = (len(values) - 1) / 128
    y = x.abs()
    y = select(y < end, y, end)
    magic = f.magic / 128
    shifted = y + magic
    index = shifted.bits() & 1023
    r = shifted - magic
    d = y - r
    value, slope = lookup(values, index, x.dtype), lookup(slopes, index, x.dtype)
    # the derivatives of exp(-r**2) are Hermite polynomials of r
    square = r * r
    second = fma(square, 2 / 3, -1 / 3)
    third = r * fma(square, -1 / 3, 0.5)
    fourth = fma(square, fma(square, 2 / 15, -0.4), 0.1)
    fifth = r * fma(square, fma(square, -2 / 45, 2 / 9), -1 / 6)
    series = fma(d, fma(d, fma(d, fma(d, fifth, fourth), third), second), -r)
    result = value + slope * fma(d * d, series, d)
    return select(x == x, result, x).copysign(x)


def erfc(x: Value) -> Value:
    """Complementary error function: ``exp(-x**2)`` times a polynomial in (x - 4) / (x + 4)."""
    y = x.abs()
    y = select(y < 28.0, y, 28.0)
    inverse = 1.0 / (y + 4.0)
    tail = polynomial((y - 4.0) * inverse, c.ERFC[x.dtype]) * inverse
    square, low = two_product(y, y)
    result = exp_of(-square) * fma(tail, -low, tail)
    result = select(x < 0.0, 2.0 - result, result)
    return select(x == x, result, x)


def erfinv(x: Value) -> Value:
    """Inverse of erf (after Giles): x times a polynomial in ``w = -log(1 - x**2)`` or its root."""
    y = x.abs()
    w = -log((1.0 - y) * (1.0 + y))
    w = select(y < 0.5, -log1p_of(-(y * y)), w)
    w = select(y < 1.0, w, 1.0)
    near = polynomial(w - 2.5, c.ERFINV["f64"])
    far = polynomial(w.sqrt() - 4.15, c.ERFINV_TAIL["f64"])
    result = x * select(w < 5.0, near, far)
    return select(y < 1.0, result, select(y == 1.0, x * INF, NAN))


def sin_pi(y: Value) -> tuple[Value, Value]:
    """``sin(pi r)`` and ``cos(pi r)`` for r = y - rint(y)."""
    from .trigonometric import cos_kernel, sin_kernel

    r = (y - y.rint()) * 0.5  # sin and cos of twice the angle
    pi, low, _ = (2 * v for v in c.HALF_PI["f64"])
    angle = r * pi
    rest = fma(r, pi, -angle) + r * low
    s, co = sin_kernel(angle, rest, "f64"), cos_kernel(angle, rest, "f64")
    return 2.0 * s * co, (co - s) * (co + s)


def gammaln(x: Value) -> Value:
    """Logarithm of the absolute value of gamma; by Stirling's series from 5."""
    y = x.abs()
    log_y = log(y)
    low = y < 1.0
    u = select(low, y, y - 1.0)  # gamma(u + 1)
    t = (u - 1.0) / (u + 3.0)
    middle = u * (u - 1.0) * polynomial(t, c.GAMMALN["f64"])
    middle = select(low, middle - log_y, middle)
    inverse = 1.0 / y
    series = inverse * polynomial(inverse * inverse, c.STIRLING["f64"])
    far = fma(y - 0.5, log_y - 1.0, series + (c.HALF_LOG_2PI["f64"][0] - 0.5))
    positive = select(y < 5.0, middle, far)
    sine, _ = sin_pi(y)
    reflected = log(math.pi / (y * sine.abs())) - positive
    result = select(x < 0.0, select(y == y.floor(), INF, reflected), positive)
    return select(y < INF, select(y == 0.0, INF, result), y)


def psi(x: Value) -> Value:
    """Digamma function, by its asymptotic series from 5."""
    y = x.abs()
    low = y < 1.0
    u = select(low, y, y - 1.0)
    t = (u - 1.0) / (u + 3.0)
    root, root_low, _ = c.PSI_ROOT["f64"]
    inverse = 1.0 / y
    middle = ((u - (root - 1.0)) - root_low) * polynomial(t, c.PSI["f64"])
    middle = select(low, middle - inverse, middle)
    z = inverse * inverse
    far = log(y) - fma(z, polynomial(z, c.PSI_TAIL["f64"]), inverse * 0.5)
    positive = select(y < 5.0, middle, far)
    sine, cosine = sin_pi(y)
    reflected = positive + inverse + math.pi * cosine / sine
    reflected = select(y == y.floor(), NAN, reflected)
    result = select(x < 0.0, reflected, positive)
    return select(x == 0.0, choose(x.bits() < 0, INF, -INF, "f64"), result)
