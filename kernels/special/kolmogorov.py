"""Derivatives of Kolmogorov's distribution."""

from __future__ import annotations

import math
from typing import Any

from .arrays import Jet, by_order, jet_divide, jet_exp, jet_multiply

__all__ = ["kolmogorov_derivative"]


def _kolmogorov(xp: Any, special: Any, n: int, x: Any) -> Any:
    """The survival function differentiated n times: a theta function and its transform."""
    positive = x > 0
    far = x > 0.8
    zero = xp.zeros_like(x)

    def jet(*coefficients: Any) -> Jet:
        return ([zero + c for c in coefficients] + [zero] * (n + 1))[: n + 1]

    y = xp.where(far, x, 1.0)
    tail = jet(0.0)
    for k in range(1, 9):
        part = jet_exp(xp, jet(-2 * k * k * y * y, -4 * k * k * y, -2.0 * k * k))
        tail = [s - 2 * (-1.0) ** k * c for s, c in zip(tail, part, strict=True)]
    z = xp.where(far | ~positive, 0.8, x)
    inverse = jet_divide(jet(1.0), jet(z, 1.0))
    head = jet(0.0)
    for k in range(1, 9):
        scale = -((2 * k - 1) ** 2) * math.pi**2 / 8
        part = jet_exp(xp, [scale * c for c in jet_multiply(inverse, inverse)])
        head = [s + c for s, c in zip(head, part, strict=True)]
    head = [-math.sqrt(2 * math.pi) * c for c in jet_multiply(inverse, head)]
    head[0] = 1 + head[0]
    made = math.factorial(n) * xp.where(far, tail[n], head[n])
    return xp.where(xp.isnan(x), xp.nan, xp.where(positive, made, 1.0 if n == 0 else 0.0))


kolmogorov_derivative = by_order(_kolmogorov, 1, nodes=16)
