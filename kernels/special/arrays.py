"""What the kernels of this folder share: the arrays' module, jets, quadrature, chunks."""

from __future__ import annotations

import functools
import importlib
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..device import is_gpu
from ..gpu import launch

__all__ = [
    "FAR",
    "Jet",
    "by_order",
    "falling_to",
    "jet_divide",
    "jet_exp",
    "jet_multiply",
    "legendre",
    "modules_of",
    "psi_derivatives",
    "stirling_remainder",
]

# An integrand is left out where it has fallen by this many e-foldings: exp(-42) < 1e-18.
FAR = 42.0
CHUNK = 1 << 18  # numbers (elements times nodes) worked at once

# Taylor coefficients f, f', f''/2!, ... of a function of a parameter.
Jet = list[Any]


def modules_of(*operands: Any) -> tuple[Any, Any]:
    """The modules of arrays and of special functions: NumPy and SciPy, or CuPy's."""
    if any(is_gpu(x) for x in operands):
        return launch.cupy(), launch.cupyx("scipy.special")
    return np, importlib.import_module("scipy.special")


def by_order(function: Callable, orders: int, nodes: int = 64) -> Callable:
    """A kernel ``(*orders, *operands)`` from ``function(xp, special, *orders, *flat_operands)``.

    The first ``orders`` operands are orders of derivatives, integers (of any dtype) that may
    be arrays; each combination that occurs is computed at once (which of them occur is read from
    a device, as the condition of an if would be). The others are broadcast to vectors
    of float64, in chunks of a size that suits ``nodes`` quadrature nodes an element.
    """

    @functools.wraps(function)
    def kernel(*operands: Any) -> Any:
        xp, special = modules_of(*operands)
        dtype = np.result_type(
            *[x if type(x) in (int, float) else x.dtype for x in operands[orders:]]
        )
        dtype = dtype if dtype.kind == "f" else np.dtype(np.float64)
        values = [xp.asarray(x, np.float64) for x in operands[orders:]]
        wanted = [np.asarray(x if type(x) in (int, float) else _host(x)) for x in operands[:orders]]
        shape = np.broadcast_shapes(*[v.shape for v in values], *[n.shape for n in wanted])
        flat = [xp.ascontiguousarray(xp.broadcast_to(v, shape)).ravel() for v in values]
        result = xp.empty(flat[0].shape, np.float64)
        with np.errstate(all="ignore"):
            if all(n.ndim == 0 for n in wanted):
                _in_chunks(
                    xp, special, function, [int(n) for n in wanted], flat, result, None, nodes
                )
            else:
                full = [np.broadcast_to(n, shape).ravel().astype(int) for n in wanted]
                for chosen in sorted(set(zip(*full, strict=True))):
                    mask = np.logical_and.reduce(
                        [n == c for n, c in zip(full, chosen, strict=True)]
                    )
                    where = xp.asarray(np.flatnonzero(mask))
                    _in_chunks(xp, special, function, list(chosen), flat, result, where, nodes)
        return result.astype(dtype, copy=False).reshape(shape)[()]

    return kernel


def _host(x: Any) -> Any:
    return launch.cupy().asnumpy(x) if is_gpu(x) else x


def _in_chunks(
    xp: Any,
    special: Any,
    function: Callable,
    orders: list[int],
    flat: Sequence[Any],
    result: Any,
    where: Any,
    nodes: int,
) -> None:
    if where is not None:
        flat = [v[where] for v in flat]
    size = max(CHUNK // nodes, 1)
    parts = [
        function(xp, special, *orders, *[v[i : i + size] for v in flat])
        for i in range(0, flat[0].size, size)
    ]
    if parts:
        result[slice(None) if where is None else where] = xp.concatenate(parts)


@functools.cache
def _legendre(count: int) -> tuple[np.ndarray, np.ndarray]:
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return (nodes + 1) / 2, weights / 2


def legendre(xp: Any, count: int) -> tuple[Any, Any]:
    """Nodes and weights of the Gauss-Legendre rule on [0, 1]."""
    nodes, weights = _legendre(count)
    return xp.asarray(nodes), xp.asarray(weights)


def falling_to(xp: Any, start: Any, height: Callable, slope: Callable, steps: int = 12) -> Any:
    """Where the convex ``height`` reaches ``FAR``, from a ``start`` beyond, by Newton's steps.

    They come down from above without passing the root, so any number of them is safe.
    """
    s = start
    for _ in range(steps):
        below = slope(s)
        s = s - xp.where(below > 0, (height(s) - FAR) / xp.where(below > 0, below, 1.0), 0.0)
    return s


# --- jets ------------------------------------------------------------------------------------


def jet_multiply(f: Jet, g: Jet) -> Jet:
    """Taylor coefficients of a product."""
    return [sum(f[i] * g[k - i] for i in range(k + 1)) for k in range(len(f))]


def jet_divide(f: Jet, g: Jet) -> Jet:
    """Taylor coefficients of a quotient."""
    made: Jet = []
    for k in range(len(f)):
        made.append((f[k] - sum(made[i] * g[k - i] for i in range(k))) / g[0])
    return made


def jet_exp(xp: Any, f: Jet) -> Jet:
    """Taylor coefficients of ``exp(f)``: ``k e_k`` is the sum of ``i f_i e_{k-i}``."""
    made: Jet = [xp.exp(f[0])]
    for k in range(1, len(f)):
        made.append(sum(i * f[i] * made[k - i] for i in range(1, k + 1)) / k)
    return made


# --- gamma functions -------------------------------------------------------------------------


def psi_derivatives(special: Any, a: Any, count: int) -> list[Any]:
    """``psi, psi', ...`` at ``a``, ``count`` of them."""
    return [special.psi(a) if k == 0 else special.polygamma(k, a) for k in range(count)]


# B_{2k} / (2k (2k - 1)), DLMF 5.11.1.
STIRLING = (
    1 / 12,
    -1 / 360,
    1 / 1260,
    -1 / 1680,
    1 / 1188,
    -691 / 360360,
    1 / 156,
    -3617 / 122400,
)


def stirling_remainder(xp: Any, special: Any, a: Any) -> Any:
    """``log Gamma(a) - (a - 1/2) log a + a - log(2 pi) / 2``, for a > 0, without cancelling."""
    large = xp.maximum(a, 10.0)
    series: Any = 0.0
    for coefficient in reversed(STIRLING):
        series = series / large**2 + coefficient
    small = xp.minimum(a, 10.0)
    direct = (
        special.gammaln(small) - (small - 0.5) * xp.log(small) + small - 0.5 * math.log(2 * math.pi)
    )
    return xp.where(a >= 10.0, series / large, direct)
