"""The polynomial coefficients of ``kernels/vector_math``, made from their definitions.

    python tools/minimax.py > kernels/vector_math/coefficients.py

Each fit is the weighted minimax polynomial of a function, found with the exchange algorithm of
Remez in 60 decimal digits, and rounded to the format. On an interval that begins at 0 the first
three coefficients are rounded one by one and the others fitted again each time, so that rounding
costs next to nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import mpmath
import numpy as np
from mpmath import mp, mpf

mp.dps = 60
Real = Callable[[Any], Any]


def remez(
    f: Sequence[Any], w: Sequence[Any], grid: Sequence[Any], powers: Sequence[int]
) -> tuple[list[Any], Any]:
    """Coefficients of ``x**powers`` for the least ``max w |f - p|`` on the grid, and that."""
    n = len(powers)
    last = len(grid) - 1
    chosen = [round(last * (1 - np.cos(np.pi * i / n)) / 2) for i in range(n + 1)]
    for i in range(1, n + 1):
        chosen[i] = max(chosen[i], chosen[i - 1] + 1)
    best: tuple[list[Any], Any] = ([], mpf("inf"))
    for _ in range(40):
        rows = [[grid[i] ** p for p in powers] + [(-1) ** j / w[i]] for j, i in enumerate(chosen)]
        solved = mpmath.lu_solve(mpmath.matrix(rows), mpmath.matrix([f[i] for i in chosen]))
        coefficients, level = list(solved[:n]), abs(solved[n])
        error = [
            w[i] * (f[i] - sum(c * x**p for c, p in zip(coefficients, powers, strict=True)))
            for i, x in enumerate(grid)
        ]
        worst = max(abs(e) for e in error)
        if worst < best[1]:
            best = coefficients, worst
        if worst < level * mpf("1.01"):
            break
        peaks: list[int] = []  # the largest error of each run of one sign
        for i, e in enumerate(error):
            if peaks and (error[peaks[-1]] > 0) == (e > 0):
                if abs(e) > abs(error[peaks[-1]]):
                    peaks[-1] = i
            else:
                peaks.append(i)
        while len(peaks) > n + 1:
            ends = (0, -1)
            peaks.pop(min(ends, key=lambda k: abs(error[peaks[k]])))
        if len(peaks) < n + 1:
            break
        chosen = peaks
    return best


def rounded(x: Any, dtype: str, bits: int | None = None) -> Any:
    """A real number in the format, rounded once."""
    bits = bits or (53 if dtype == "f64" else 24)
    mantissa, exponent = mpmath.frexp(x)
    return mpmath.ldexp(mpmath.nint(mpmath.ldexp(mantissa, bits)), int(exponent) - bits)


def fit(
    f: Real, weight: Real, low: Any, high: Any, count: int, dtype: str, points: int = 0
) -> tuple[list[float], float]:
    """Rounded coefficients of ``1, x, x**2 ...`` and the weighted error that they leave."""
    points = points or 30 * count
    low, high = mpf(low), mpf(high)
    grid = [
        (low + high) / 2 - (high - low) / 2 * mpmath.cos(mp.pi * i / points)
        for i in range(points + 1)
    ]
    grid = [x if abs(x) > mpf("1e-10") else mpf("1e-10") for x in grid]
    values = [f(x) for x in grid]
    weights = [max(weight(x), mpf("1e-12")) for x in grid]
    fixed: dict[int, Any] = {}
    left = list(range(count))
    while left:
        residual = [
            v - sum(c * x**p for p, c in fixed.items()) for v, x in zip(values, grid, strict=True)
        ]
        found, _ = remez(residual, weights, grid, left)
        several = len(found) if low != 0 or len(fixed) == 3 else 1
        for p, coefficient in zip(left[:several], found, strict=False):
            fixed[p] = rounded(coefficient, dtype)
        left = left[several:]
    error = max(
        abs(w * (v - sum(c * x**p for p, c in fixed.items())))
        for v, w, x in zip(values, weights, grid, strict=True)
    )
    return [float(fixed[p]) for p in range(count)], float(error)


HALF_LN2 = mpmath.log(2) / 2 * mpf("1.0001")
QUARTER_PI = mp.pi / 4 * mpf("1.01")
S = (mpmath.sqrt(2) - 1) / (mpmath.sqrt(2) + 1)  # |(m - 1) / (m + 1)|, m in sqrt(0.5) .. sqrt(2)
sq = mpmath.sqrt


def _odd(g: Real) -> Real:
    """``(g(x) - x) / x**3`` as a function of ``z = x**2``."""
    return lambda z: (g(sq(z)) - sq(z)) / sq(z) ** 3


def _arctanh(z: Any) -> Any:
    """``(2 s - 2 arctanh(s)) / s**3`` as a function of ``z = s**2``."""
    s = sq(z)
    return (s - mpmath.atanh(s)) * 2 / s**3


PSI_ROOT = mpmath.findroot(mpmath.digamma, mpf("1.46"))


def _from_mobius(t: Any) -> Any:
    """``y`` of ``t = (y - 3) / (y + 2)``, beside the zeros that are divided out."""
    y = 5 / (1 - t) - 2
    return y if min(abs(y - zero) for zero in (1, 2, PSI_ROOT)) > 1e-20 else y + mpf("1e-20")


def _erfinv_ratio(w: Any) -> Any:
    """``erfinv(x) / x`` of ``w = -log(1 - x**2)``, by Newton's method on ``log(erfc)``."""
    w = max(w, mpf("1e-15"))
    x = sq(-mpmath.expm1(-w))
    target = -w - mpmath.log1p(x)
    z = sq(w) * mpf("0.9")
    for _ in range(80):
        tail = mpmath.erfc(z)
        step = (mpmath.log(tail) - target) * tail * mpmath.exp(z * z) * -sq(mp.pi) / 2
        z -= step
        if abs(step) < mpf("1e-50") * z:
            break
    return z / x


def _erfinv_near(u: Any) -> Any:
    return _erfinv_ratio(u + mpf("0.625"))


def _erfinv_far(u: Any) -> Any:
    return _erfinv_ratio((u + mpf("3.375")) ** 2)


# name: (function, weight, low, high, number of coefficients for f64 and for f32)
FITS: dict[str, tuple[Real, Real, Any, Any, int, int]] = {
    # exp(r) = 1 + r + r**2 p(r)
    "EXP": (
        lambda r: (mpmath.expm1(r) - r) / r**2, lambda r: r**2, -HALF_LN2, HALF_LN2, 10, 5,
    ),
    "EXPM1": (
        lambda r: (mpmath.expm1(r) - r) / r**2,
        lambda r: abs(r**2 / mpmath.expm1(r)),
        -HALF_LN2, HALF_LN2, 11, 5,
    ),
    # 2**f = 1 + f p(f)
    "EXP2": (
        lambda f: (mpf(2) ** f - 1) / f,
        lambda f: abs(f) / mpf(2) ** f,
        mpf("-0.5001"), mpf("0.5001"), 11, 6,
    ),
    # sinh(r) = r + r**3 p(r**2); cosh(r) = 1 + r**2 p(r**2)
    "SINH": (_odd(mpmath.sinh), lambda z: z, 0, HALF_LN2**2, 5, 2),
    "COSH": (lambda z: (mpmath.cosh(sq(z)) - 1) / z, lambda z: z, 0, HALF_LN2**2, 5, 3),
    # 2 arctanh(s) = 2 s - s**3 p(s**2)
    "LOG": (_arctanh, lambda z: z, 0, S**2 * mpf("1.0001"), 7, 0),
    # r - log(1 + r) = r**2 p(r)
    "LOG_DIRECT": (
        lambda r: (r - mpmath.log1p(r)) / r**2,
        lambda r: abs(r**2 / mpmath.log1p(r)),
        sq(mpf("0.5")) - mpf("1.0001"), sq(mpf(2)) - mpf("0.9999"), 0, 10,
    ),
    # sin(r) = r + r**3 p(r**2); cos(r) = 1 - r**2 / 2 + r**4 p(r**2)
    "SIN": (_odd(mpmath.sin), lambda z: z, 0, QUARTER_PI**2, 6, 3),
    "COS": (
        lambda z: (mpmath.cos(sq(z)) - 1 + z / 2) / z**2,
        lambda z: z**2, 0, QUARTER_PI**2, 6, 3,
    ),
    # arctan(t) = t + t**3 p(t**2 - 3/4); arcsin(t) = t + t**3 p(t**2)
    "ARCTAN": (
        lambda u: _odd(mpmath.atan)(max(u + mpf("0.75"), mpf("1e-12"))), lambda u: u + mpf("0.75"),
        mpf("-0.75"), mpf("0.25"), 19, 8,
    ),
    "ARCSIN": (_odd(mpmath.asin), lambda z: z, 0, mpf("0.2501"), 12, 5),
    # the same for s to 1/3
    "LOG1P_UNIT": (_arctanh, lambda z: z, 0, mpf("0.11112"), 10, 4),
    # log(1 + r) = r - r**2 / 2 + r**3 p(r)
    "LOG_TABLE": (
        lambda r: (mpmath.log1p(r) - r + r * r / 2) / r**3,
        lambda r: r * r, mpf("-0.0068"), mpf("0.0068"), 6, 0,
    ),
    # m**(-1/3)
    "CBRT": (
        lambda m: m ** (-mpf(1) / 3), lambda m: m ** (mpf(1) / 3),
        sq(mpf("0.5")), sq(mpf(2)), 6, 3,
    ),
    # of t = (y - 3) / (y + 2), 1 <= y <= 5: loggamma(y) / (y - 1) / (y - 2) and
    # digamma(y) / (y - root)
    "GAMMALN": (
        lambda t: mpmath.loggamma(_from_mobius(t)).real
        / (_from_mobius(t) - 1) / (_from_mobius(t) - 2),
        lambda t: 3, mpf(-2) / 3, mpf(2) / 7, 24, 0,
    ),
    "PSI": (
        lambda t: mpmath.digamma(_from_mobius(t)) / (_from_mobius(t) - PSI_ROOT),
        lambda t: 2, mpf(-2) / 3, mpf(2) / 7, 25, 0,
    ),
    # of z = 1 / y**2, y >= 5: y (loggamma(y) - (y - 1/2) log(y) + y - log(2 pi) / 2)
    "STIRLING": (
        lambda z: (
            mpmath.loggamma(1 / sq(z)).real - (1 / sq(z) - mpf("0.5")) * mpmath.log(1 / sq(z))
            + 1 / sq(z) - mpmath.log(2 * mp.pi) / 2
        ) / sq(z) if z > mpf("1e-12") else mpf(1) / 12 - z / 360,
        lambda z: sq(z), 0, mpf("0.04"), 7, 0,
    ),
    # y**2 (log(y) - 1 / (2 y) - digamma(y))
    "PSI_TAIL": (
        lambda z: (mpmath.log(1 / sq(z)) - sq(z) / 2 - mpmath.digamma(1 / sq(z))) / z
        if z > mpf("1e-12") else mpf(1) / 12 - z / 120,
        lambda z: z, 0, mpf("0.04"), 7, 0,
    ),
    # erfinv(x) / x of w = -log(1 - x**2) less 0.625, and of sqrt(w) less 3.375; for float32 too
    "ERFINV": (_erfinv_near, lambda u: mpf(1), mpf("-0.625"), mpf("4.375"), 24, 0),
    "ERFINV_TAIL": (_erfinv_far, lambda u: mpf("0.3"), mpf("-1.14"), mpf("2.69"), 30, 0),
    "ERFINV_SINGLE": (_erfinv_near, lambda u: mpf(1), mpf("-0.625"), mpf("4.375"), 11, 0),
    "ERFINV_TAIL_SINGLE": (_erfinv_far, lambda u: mpf("0.3"), mpf("-1.14"), mpf("0.705"), 10, 0),
    # erf(x) = x + x p(x**2) to 1; -log2(erfc(x)) of x - 1 beyond
    "ERF_SMALL": (
        lambda z: mpmath.erf(sq(z)) / sq(z) - 1, lambda z: mpf(1), 0, 1, 0, 7,
    ),
    "ERF_TAIL": (
        lambda u: -mpmath.log(mpmath.erfc(u + 1), 2),
        lambda u: mpmath.erfc(u + 1), 0, 3, 0, 8,
    ),
    # exp and log for float32 powers, in float64
    "EXP_POWER": (
        lambda r: (mpmath.expm1(r) - r) / r**2, lambda r: r**2, -HALF_LN2, HALF_LN2, 6, 0,
    ),
    "LOG_POWER": (_arctanh, lambda z: z, 0, S**2 * mpf("1.0001"), 4, 0),
    # tanh(x) = x + x**3 p(x**2)
    "TANH": (_odd(mpmath.tanh), lambda z: z, 0, mpf("0.3907"), 0, 5),
}  # fmt: skip


# real numbers, each as the sum of three floats
CONSTANTS = {
    "HALF_PI": mp.pi / 2,
    "HALF_PI_SHORT": mp.pi / 2,  # its second part has few bits, see reduce_small
    "TWO_OVER_PI": 2 / mp.pi,
    "LN2": mpmath.log(2),
    "LOG2_E": 1 / mpmath.log(2),
    "LOG10_E": 1 / mpmath.log(10),
    "LOG10_2": mpmath.log10(2),
    "PSI_ROOT": PSI_ROOT,
    "HALF_LOG_2PI": mpmath.log(2 * mp.pi) / 2,
}


def main() -> None:
    """Print the module of coefficients."""
    print('"""Constants and minimax coefficients by dtype; written by tools/minimax.py."""\n')
    only = sys.argv[1:]
    for name, value in CONSTANTS.items():
        print(f"{name} = {{")
        for dtype in ("f64", "f32"):
            parts, rest = [], value
            for _ in range(3):
                short = name.endswith("SHORT") and len(parts) == 1 and dtype == "f64"
                parts.append(rounded(rest, dtype, 30 if short else None))
                rest -= parts[-1]
            print(f'    "{dtype}": ({", ".join(repr(float(p)) for p in parts)}),')
        print("}")
    for name, (f, weight, low, high, *counts) in FITS.items():
        if only and name not in only:
            continue
        print(f"{name} = {{")
        for dtype, count in zip(("f64", "f32"), counts, strict=True):
            if not count:
                continue
            coefficients, error = fit(f, weight, low, high, count, dtype)
            print(f'    "{dtype}": (  # relative error 2**{float(mpmath.log(error, 2)):.1f}')
            for c in coefficients:
                print(f"        {c!r},")
            print("    ),")
        print("}", flush=True)


if __name__ == "__main__":
    main()
