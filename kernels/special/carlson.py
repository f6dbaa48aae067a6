"""The integrals of which Carlson's elliptic integrals and all their derivatives are multiples."""

from __future__ import annotations

from typing import Any

import numpy as np

from .arrays import by_order

__all__ = ["carlson_integral"]

STEP = 0.45  # the integrand is analytic in |Im u| < pi, so the sum is exact to exp(-2 pi pi / STEP)
DECAY = 40.0


def _carlson(
    xp: Any,
    special: Any,
    k: int,
    p1: int,
    p2: int,
    p3: int,
    p4: int,
    x: Any,
    y: Any,
    z: Any,
    w: Any,
) -> Any:
    """Integral of ``t**k (t + x)**(-p1 / 2) ... (t + w)**(-p4 / 2)`` over t from 0 to infinity.

    With t = exp(u) the trapezoidal rule converges exponentially; no term is negative.
    """
    powers = [(v, p) for v, p in ((x, p1), (y, p2), (z, p3), (w, p4)) if p]
    bad = x < 0
    for v, _ in powers:
        bad = bad | ~(v >= 0) | (v == xp.inf)
    clean = [(xp.where(bad, 1.0, v), p) for v, p in powers]
    at_zero = sum(p * (v == 0) for v, p in clean) / 2
    falls_left = k + 1 - at_zero  # the integrand is t to this power at 0, but for dt / t
    falls_right = sum(p for _, p in clean) / 2 - k - 1
    diverges = (falls_left <= 0) | (falls_right <= 0)
    least = xp.full(x.shape, np.inf)
    most = xp.zeros(x.shape)
    for v, _ in clean:
        least = xp.minimum(least, xp.where(v > 0, v, np.inf))
        most = xp.maximum(most, v)
    left = xp.log(xp.where(xp.isfinite(least), least, 1.0)) - DECAY / xp.where(
        diverges, 1.0, falls_left
    )
    right = xp.log(xp.where(most > 0, most, 1.0)) + DECAY / max(falls_right, 0.5)
    count = int(np.ceil(float((right - left).max()) / STEP)) + 1
    share = xp.linspace(0.0, 1.0, count)
    u = left[:, None] + (right - left)[:, None] * share
    exponent = (k + 1) * u
    for v, p in clean:
        exponent = exponent - 0.5 * p * xp.logaddexp(u, xp.log(v)[:, None])
    total = xp.exp(exponent).sum(axis=1) * (right - left) / (count - 1)
    return xp.where(bad, xp.nan, xp.where(diverges, xp.inf, total))


carlson_integral = by_order(_carlson, 5, nodes=600)
