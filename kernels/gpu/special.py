"""Special functions of CuPy arrays that are not SciPy's ufuncs under CuPy's names.

CuPy has Bessel functions of the orders 0 and 1; those of further orders, which derivatives ask
for, come from recurrences where these are stable and from power series elsewhere (DLMF 10.6, 10.8,
10.25, 10.29, 10.51, 10.53).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from . import launch

__all__ = ["HIGHEST_ORDER", "device_kernel"]

HIGHEST_ORDER = 16


def device_kernel(name: str, function: Callable) -> Callable:
    """The kernel of that name: one of ours, CuPy's own, or the ``function`` of the CPU.

    The last is a ufunc, for which NumPy asks CuPy, or is made of NumPy's and SciPy's functions.
    """

    def kernel(*operands: Any) -> Any:
        special = launch.cupyx("scipy.special")
        if name in KERNELS:
            return KERNELS[name](special, *operands)
        if not isinstance(function, np.ufunc) and hasattr(special, name):
            return getattr(special, name)(*operands)
        return function(*operands)

    return kernel


def _polygamma(special: Any, n: Any, x: Any) -> Any:
    return special.polygamma(launch.cupy().asarray(n, dtype=x.dtype), x)


def _zeta(special: Any, s: Any, q: Any = 1.0) -> Any:
    return special.zeta(s, q)


def _of_trials(name: str) -> Callable:
    """Of the binomial distribution: the number of trials is an integer, by promotion a float."""

    def kernel(special: Any, k: Any, n: Any, p: Any) -> Any:
        n = n.astype(np.int64) if hasattr(n, "astype") else int(n)
        return getattr(special, name)(k, n, p)

    return kernel


# --- integer orders ------------------------------------------------------------------------------


def _whole(name: str, n: Any) -> int:
    """An order that is a Python number, of those there are kernels for."""
    if isinstance(n, np.generic):  # as compiled programs pass numbers
        n = n.item()
    if type(n) not in (int, float) or n != int(n) or not 0 <= n <= HIGHEST_ORDER:
        raise TypeError(
            f"CuPy has no kernel for {name} but of the orders 0 to {HIGHEST_ORDER}, given as "
            "Python numbers"
        )
    return int(n)


def _series(x: Any, n: int, start: float, sign: float, step: Callable, terms: int) -> Any:
    """``start x^n`` times the sum of products of ``sign (x/2)^2 / step(k)``."""
    square = sign * 0.25 * x * x
    total: Any = 1.0
    for k in range(terms, 0, -1):
        total = 1.0 + square / step(k) * total
    return start * x**n * total


def _upwards(first: Any, second: Any, n: int, step: Callable) -> Any:
    """Orders 0 and 1 raised to ``n`` by ``f_{k+1} = step(k, f_k, f_{k-1})``."""
    for k in range(1, n):
        first, second = second, step(k, second, first)
    return first if n == 0 else second


def _first_kind(name: str, zero: str, one: str, modified: bool, scaled: bool) -> Callable:
    sign = 1.0 if modified else -1.0

    def kernel(special: Any, order: Any, x: Any) -> Any:
        n = _whole(name, order)
        first, second = getattr(special, zero)(x), getattr(special, one)(x)
        if n < 2:
            return (first, second)[n]
        far = np.abs(x) > (2 * n + 10 if modified else n)
        away = np.where(far, x, 1.0)
        raised = _upwards(first, second, n, lambda k, f, g: sign * (g - 2 * k / away * f))
        near = np.where(far, 0.0, x)
        start = 0.5**n / math.factorial(n)
        summed = _series(near, n, start, sign, lambda k: k * (n + k), 64)
        if scaled:
            summed = summed * np.exp(-np.abs(near))
        return np.where(far, raised, summed)

    return kernel


def _second_kind(name: str, zero: str, one: str, modified: bool) -> Callable:
    sign = 1.0 if modified else -1.0

    def kernel(special: Any, order: Any, x: Any) -> Any:
        n = _whole(name, order)
        first, second = getattr(special, zero)(x), getattr(special, one)(x)
        if n < 2:
            return (first, second)[n]
        # K_{k+1} = K_{k-1} + 2k/x K_k and Y_{k+1} = 2k/x Y_k - Y_{k-1}
        return _upwards(first, second, n, lambda k, f, g: sign * g + 2 * k / x * f)

    return kernel


def _spherical_first_kind(name: str, modified: bool) -> Callable:
    sign = 1.0 if modified else -1.0

    def kernel(special: Any, order: Any, x: Any) -> Any:
        n = _whole(name, order)
        far = np.abs(x) > (2 * n + 10 if modified else n + 1)
        away = np.where(far, x, 1.0)
        s, c = (np.sinh(away), np.cosh(away)) if modified else (np.sin(away), np.cos(away))
        first = s / away
        second = sign * (c - first) / away
        raised = _upwards(first, second, n, lambda k, f, g: sign * (g - (2 * k + 1) / away * f))
        near = np.where(far, 0.0, x)
        start = 1.0 / math.prod(range(1, 2 * n + 2, 2))
        summed = _series(near, n, start, sign, lambda k: k * (n + k + 0.5), 64)
        return np.where(far, raised, summed)

    return kernel


def _spherical_second_kind(name: str, modified: bool) -> Callable:
    sign = 1.0 if modified else -1.0

    def kernel(special: Any, order: Any, x: Any) -> Any:
        n = _whole(name, order)
        if modified:
            first = 0.5 * math.pi * np.exp(-x) / x
            second = first * (1.0 + 1.0 / x)
        else:
            first = -np.cos(x) / x
            second = (first - np.sin(x)) / x
        return _upwards(first, second, n, lambda k, f, g: sign * g + (2 * k + 1) / x * f)

    return kernel


KERNELS: dict[str, Callable] = {
    "polygamma": _polygamma,
    "zeta": _zeta,
    "riemann_zeta": _zeta,
    **{name: _of_trials(name) for name in ("bdtr", "bdtrc", "bdtri")},
    "lambertw": lambda special, k, z: special.lambertw(z, k),
    "jv": _first_kind("jv", "j0", "j1", modified=False, scaled=False),
    "iv": _first_kind("iv", "i0", "i1", modified=True, scaled=False),
    "ive": _first_kind("ive", "i0e", "i1e", modified=True, scaled=True),
    "yv": _second_kind("yv", "y0", "y1", modified=False),
    "kv": _second_kind("kv", "k0", "k1", modified=True),
    "kn": _second_kind("kn", "k0", "k1", modified=True),
    "kve": _second_kind("kve", "k0e", "k1e", modified=True),
    "spherical_jn": _spherical_first_kind("spherical_jn", modified=False),
    "spherical_in": _spherical_first_kind("spherical_in", modified=True),
    "spherical_yn": _spherical_second_kind("spherical_yn", modified=False),
    "spherical_kn": _spherical_second_kind("spherical_kn", modified=True),
}
