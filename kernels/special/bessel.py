"""Derivatives of Bessel functions by their order.

Schläfli's integrals (DLMF 10.9.6, 10.9.7, 10.32.4, 10.32.9) are entire in the order. Those of J and
I are taken along the line through the saddle point, where the integrand is as large as the
function itself; on the imaginary axis it would cancel for orders above the argument.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from .arrays import FAR, Jet, by_order, jet_exp, jet_multiply, legendre

__all__ = ["ive_derivative", "jv_derivative", "kve_derivative", "yv_derivative"]

NODES_AT_MOST = 1 << 20


def _grouped(xp: Any, function: Callable, wanted: Any, *operands: Any) -> Any:
    """``function(count, *operands)``, with elements that need alike numbers of nodes together."""
    power = xp.clip(xp.ceil(xp.log2(xp.maximum(wanted, 1.0) / 64.0)), 0, None)
    made = xp.empty_like(operands[0])
    for k in xp.unique(power).tolist():
        count = int(64 * 2**k) if k < 30 else NODES_AT_MOST + 1
        if count > NODES_AT_MOST:
            raise ValueError(
                "jv, yv: expected an argument below 1e6 or above the square of the order for the "
                f"derivative by the order; got {count} nodes' work; differentiate by the argument "
                "only."
            )
        (where,) = xp.nonzero(power == k)
        size = max((1 << 18) // count, 1)
        for i in range(0, where.size, size):
            part = where[i : i + size]
            made[part] = function(count, *[v[part] for v in operands])
    return made


def _integrate(xp: Any, integrand: Callable, length: Any, nodes: Any, *operands: Any) -> Any:
    """Integral of ``integrand(s, *operands)`` over [0, length]."""

    def rule(count: int, length: Any, *operands: Any) -> Any:
        s, weights = legendre(xp, count)
        values = integrand(length[:, None] * s, *[v[:, None] for v in operands])
        return (values * weights).sum(axis=1) * length

    return _grouped(xp, rule, nodes, length, *operands)


def _power(z: Any, n: int) -> Any:
    made: Any = 1.0
    for _ in range(n):
        made = made * z
    return made


def _inside(xp: Any, v: Any, x: Any) -> tuple[Any, Any, Any]:
    """Where the kernels apply, and operands that are harmless elsewhere."""
    inside = (x > 0) & xp.isfinite(x) & xp.isfinite(v)
    return inside, xp.where(inside, v, 0.5), xp.where(inside, x, 1.0)


def _finish(xp: Any, inside: Any, made: Any, v: Any, x: Any, at_zero: Any) -> Any:
    known = (x == 0) & xp.isfinite(v)
    return xp.where(inside, made, xp.where(known, at_zero, xp.where(x == xp.inf, 0.0, xp.nan)))


def _past_saddle(xp: Any, v: Any, x: Any) -> Any:
    """Where ``|v| s - x sinh s`` has fallen by FAR from its maximum over s >= 0."""
    saddle = xp.arccosh(xp.maximum(xp.abs(v) / x, 1.0))
    scale = x * xp.cosh(saddle)
    # x sinh(saddle) (cosh r - 1) + x cosh(saddle) (sinh r - r) = FAR, bounded from above.
    return saddle + xp.minimum(
        xp.cbrt(6 * FAR / scale), xp.maximum(2.2, xp.arcsinh(2 * FAR / scale))
    )


def _nodes(xp: Any, length: Any, v: Any, x: Any) -> Any:
    return 128 + 8 * length * xp.sqrt(xp.abs(v) + x)


def _hankel_asymptotic(xp: Any, n: int, v: Any, x: Any) -> Any:
    """J + i Y by DLMF 10.17.5, differentiated n times by v; for x >= max(40, v**2)."""
    zero = xp.zeros_like(v)

    def jet(*coefficients: Any) -> Jet:
        return ([zero + c for c in coefficients] + [zero] * (n + 1))[: n + 1]

    term = total = jet(1.0)
    for k in range(1, 26):
        # a_k / a_{k-1} = (4 v^2 - (2k - 1)^2) / (8 k)
        factor = jet(4 * v * v - (2 * k - 1) ** 2, 8 * v, 4.0)
        term = [t * (1j / (8 * k * x)) for t in jet_multiply(term, factor)]
        total = [s + t for s, t in zip(total, term, strict=True)]
    phase = jet_exp(xp, jet(1j * (x - v * (math.pi / 2) - math.pi / 4), -0.5j * math.pi))
    whole = jet_multiply(phase, total)[n]
    return math.factorial(n) * whole * xp.sqrt(2 / (math.pi * x))


def _by_size(near: Callable, part: Callable, at_zero: float) -> Callable:
    """Integrals near the origin, the asymptotic series far from it."""

    def function(xp: Any, special: Any, n: int, v: Any, x: Any) -> Any:
        inside, order, argument = _inside(xp, v, x)
        far = argument >= xp.maximum(40.0, order * order)
        made = xp.empty_like(order)
        if bool(far.any()):
            (where,) = xp.nonzero(far)
            made[where] = part(_hankel_asymptotic(xp, n, order[where], argument[where]))
        if not bool(far.all()):
            (where,) = xp.nonzero(~far)
            made[where] = near(xp, n, order[where], argument[where])
        return _finish(xp, inside, made, v, x, xp.where(v > 0, at_zero, xp.nan))

    return function


def _jv(xp: Any, n: int, v: Any, x: Any) -> Any:
    saddle = xp.arccosh(xp.maximum(v / x, 1.0))

    def along(share: Any, v: Any, x: Any, saddle: Any) -> Any:
        t = saddle + 1j * math.pi * share
        return (_power(-t, n) * xp.exp(x * xp.sinh(t) - v * t)).real

    ones = xp.ones_like(v)
    first = _integrate(xp, along, ones, 80 + 2.2 * (x + xp.abs(v)), v, x, saddle)

    def back(s: Any, v: Any, x: Any, saddle: Any) -> Any:
        s = saddle + s
        size = xp.exp(-x * xp.sinh(s) - v * s)
        return (_power(-(s + 1j * math.pi), n) * xp.exp(-1j * math.pi * v)).imag * size

    falling = xp.minimum(xp.arcsinh(FAR / x), FAR / (xp.maximum(v, 0.0) + x))
    length = xp.where(v >= 0, falling, _past_saddle(xp, v, x))
    return first + _integrate(xp, back, length, _nodes(xp, length, v, x), v, x, saddle) / math.pi


def _yv(xp: Any, n: int, v: Any, x: Any) -> Any:
    def along(share: Any, v: Any, x: Any) -> Any:
        t = 1j * math.pi * share
        return (_power(-t, n) * xp.exp(x * xp.sinh(t) - v * t)).imag

    first = _integrate(xp, along, xp.ones_like(v), 80 + 2.2 * (x + xp.abs(v)), v, x)

    def back(s: Any, v: Any, x: Any) -> Any:
        fall = x * xp.sinh(s)
        turned = _power(-s + 1j * math.pi, n) * xp.exp(-v * s - fall + 1j * math.pi * v)
        return _power(s, n) * xp.exp(v * s - fall) + turned.real

    length = _past_saddle(xp, v, x)
    return first - _integrate(xp, back, length, _nodes(xp, length, v, x), v, x) / math.pi


def _ive(xp: Any, special: Any, n: int, v0: Any, x0: Any) -> Any:
    inside, v, x = _inside(xp, v0, x0)
    saddle = xp.arcsinh(xp.maximum(v, 0.0) / x)
    turn = 2 * xp.arcsin(xp.minimum(xp.sqrt(FAR / (2 * x * xp.cosh(saddle))), 1.0))

    def along(angle: Any, v: Any, x: Any, saddle: Any) -> Any:
        t = saddle + 1j * angle
        return (_power(-t, n) * xp.exp(x * (xp.cosh(t) - 1) - v * t)).real

    first = _integrate(xp, along, turn, 128 + 2.2 * xp.where(v < 0, -v, 0), v, x, saddle)

    def back(s: Any, v: Any, x: Any, saddle: Any) -> Any:
        s = saddle + s
        size = xp.exp(-x * (xp.cosh(s) + 1) - v * s)
        return (_power(-(s + 1j * math.pi), n) * xp.exp(-1j * math.pi * v)).imag * size

    falling = xp.minimum(xp.arccosh(1 + FAR / x), FAR / xp.maximum(v, 1e-300))
    length = xp.where(v >= 0, falling, _past_cosh(xp, v, x))
    second = _integrate(xp, back, length, _nodes(xp, length, v, x), v, x, saddle)
    made = (first + second) / math.pi
    return _finish(xp, inside, made, v0, x0, xp.where(v0 > 0, 0.0, xp.nan))


def _past_cosh(xp: Any, v: Any, x: Any) -> Any:
    """Where ``|v| s - x cosh s`` has fallen by FAR from its maximum."""
    saddle = xp.arcsinh(xp.abs(v) / x)
    return saddle + xp.arccosh(1 + FAR / (x * xp.cosh(saddle)))


def _kve(xp: Any, special: Any, n: int, v0: Any, x0: Any) -> Any:
    inside, v, x = _inside(xp, v0, x0)

    def integrand(s: Any, v: Any, x: Any) -> Any:
        fall = 2 * x * xp.sinh(s / 2) ** 2
        up, down = xp.exp(v * s - fall), xp.exp(-v * s - fall)
        return _power(s, n) * 0.5 * (up - down if n % 2 else up + down)

    length = _past_cosh(xp, v, x)
    made = _integrate(xp, integrand, length, _nodes(xp, length, v, x), v, x)
    if n % 2:  # exact where the exponentials nearly agree
        made = xp.where(v == 0, 0.0, made)
    at_zero = xp.where(v0 == 0, 0.0 if n % 2 else xp.inf, xp.sign(v0) ** n * xp.inf)
    return _finish(xp, inside, made, v0, x0, at_zero)


jv_derivative = by_order(_by_size(_jv, lambda z: z.real, 0.0), 1)
yv_derivative = by_order(_by_size(_yv, lambda z: z.imag, -math.inf), 1)
ive_derivative = by_order(_ive, 1)
kve_derivative = by_order(_kve, 1)
