"""Derivatives of the zeta functions by the exponent: the Euler-Maclaurin formula."""

from __future__ import annotations

import math
from typing import Any

from .arrays import Jet, by_order, jet_divide, jet_exp, jet_multiply, modules_of, psi_derivatives

__all__ = ["complex_polygamma", "zeta_derivative"]

# B_{2j} / (2j)!, DLMF 25.11.5.
COEFFICIENTS = (
    1 / 12,
    -1 / 720,
    1 / 30240,
    -1 / 1209600,
    1 / 47900160,
    -691 / 1307674368000,
    1 / 74724249600,
    -3617 / 10670622842880000,
    43867 / 5109094217170944000,
    -174611 / 802857662698291200000,
    77683 / 14101100039391805440000,
    -236364091 / 1693824136731743669452800000,
)
TERMS = 14


def _zeta(xp: Any, special: Any, n: int, s: Any, q: Any) -> Any:
    """``sum (k + q)**-s``, differentiated n times by s; for s > -2.5, or below 0 with q = 1."""
    zero = xp.zeros_like(s)

    def jet(*coefficients: Any) -> Jet:
        return ([zero + c for c in coefficients] + [zero] * n)[: n + 1]

    reflected = (q == 1) & (s < 0)
    inside = (q > 0) & (s != 1) & xp.isfinite(s) & (reflected | (s > -2.5))
    s, q = xp.where(inside, s, 2.0), xp.where(inside, q, 1.0)
    original = s
    s = xp.where(reflected, 1 - s, s)
    total = jet(0.0)

    def add(part: Jet) -> None:
        for k, value in enumerate(part):
            total[k] = total[k] + value

    for k in range(TERMS):
        logarithm = xp.log(q + k)
        add(jet_exp(xp, jet(-s * logarithm, -logarithm)))
    end = q + TERMS
    logarithm = xp.log(end)
    last = jet_exp(xp, jet(-s * logarithm, -logarithm))  # end**-s
    add([0.5 * c for c in last])
    add(jet_divide([end * c for c in last], jet(s - 1, 1.0)))
    # B_2j / (2j)! s (s + 1) ... (s + 2j - 2) end**(-s - 2j + 1)
    term = [c / end for c in jet_multiply(last, jet(s, 1.0))]
    for j, coefficient in enumerate(COEFFICIENTS):
        add([coefficient * c for c in term])
        for k in (2 * j + 1, 2 * j + 2):
            term = [c / end for c in jet_multiply(term, jet(s + k, 1.0))]
    if bool(reflected.any()):
        mirrored = _reflection(xp, special, xp.where(reflected, original, -1.0), total)
        total = [xp.where(reflected, r, t) for r, t in zip(mirrored, total, strict=True)]
    return xp.where(inside, math.factorial(n) * total[n], xp.nan)


def _reflection(xp: Any, special: Any, s: Any, total: Jet) -> Jet:
    """DLMF 25.4.1: zeta(s) = 2 (2 pi)**(s - 1) sin(pi s / 2) Gamma(1 - s) zeta(1 - s)."""
    n = len(total) - 1
    psi = psi_derivatives(special, 1 - s, n)
    exponent: Jet = [math.log(2) + (s - 1) * math.log(2 * math.pi) + special.gammaln(1 - s)]
    for k in range(1, n + 1):
        value = (-1.0) ** k * psi[k - 1] + (math.log(2 * math.pi) if k == 1 else 0.0)
        exponent.append(value / math.factorial(k))
    # The zeros of the sine at even s stand exactly.
    angle = 0.5 * math.pi * (s - 4 * xp.floor(s / 4))
    even = s == 2 * xp.floor(s / 2)
    waves = [xp.where(even, 0.0, xp.sin(angle)), xp.cos(angle)]
    sine: Jet = [
        (waves[k % 2] * (-1.0) ** (k // 2)) * (math.pi / 2) ** k / math.factorial(k)
        for k in range(n + 1)
    ]
    flipped = [(-1.0) ** k * c for k, c in enumerate(total)]
    return jet_multiply(jet_multiply(jet_exp(xp, exponent), sine), flipped)


zeta_derivative = by_order(_zeta, 1)


def complex_polygamma(n: int, z: Any) -> Any:
    """``(-1)**(n + 1) n! zeta(n + 1, z)`` for n > 0 (DLMF 25.11.12), by the same formula."""
    xp, _ = modules_of(z)
    steps = TERMS + int(max(0.0, math.ceil(-float(xp.min(xp.real(z), initial=0.0)))))
    s = n + 1
    total: Any = 0.0
    for k in range(steps):
        total = total + (z + k) ** -s
    end = z + steps
    total = total + end ** (1 - s) / (s - 1) + 0.5 * end**-s
    term = s * end ** (-s - 1)
    for j, coefficient in enumerate(COEFFICIENTS):
        total = total + coefficient * term
        term = term * ((s + 2 * j + 1) * (s + 2 * j + 2)) / end**2
    return (-1.0) ** (n + 1) * math.factorial(n) * total
