"""Adaptive quadrature as a loop that compiles: for ``quad`` under jit and vmap, and ``quad_vec``.

The part with the largest error is halved until the errors are small together; each is integrated by
Gauss and Kronrod's 21 points. The division is a constant to derivatives: what is differentiated is
the sum on it, which is the same rule applied to the derivative of the integrand (Leibniz).
Piessens and others, *QUADPACK*, 1983 (without its extrapolation).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ...arguments import as_array
from ...batching import vmap
from ...control_flow import fori_loop, while_loop
from ...graph import eval_shape
from ...primitives.core import Tracer
from ...primitives.stopping import stop_gradient

__all__ = ["integrate_adaptively", "kronrod"]


@functools.cache
def kronrod() -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Nodes and weights on [-1, 1] of the 21-point rule of Gauss and Kronrod.

    The nodes of Legendre's polynomial P_10 and of Stieltjes' E_11, which is orthogonal to all of
    lower degree with the weight P_10; found here from that definition (Laurie, 1997).
    """
    n = 10
    legendre = np.polynomial.legendre
    x, w = legendre.leggauss(40)
    base = legendre.legval(x, [0] * n + [1])
    # E_11 = P_11 + sum_{j < 11} c_j P_j with <P_10 E_11, P_i> = 0 for i < 11.
    table = np.stack([legendre.legval(x, [0] * j + [1]) for j in range(n + 2)])
    gram = np.einsum("x,x,ix,jx->ij", w, base, table[: n + 1], table)
    c, *_ = np.linalg.lstsq(gram[:, : n + 1], -gram[:, n + 1], rcond=None)
    nodes = np.sort(np.concatenate([
        legendre.leggauss(n)[0], legendre.legroots([*c, 1.0]).real,
    ]))  # fmt: skip
    nodes = (nodes - nodes[::-1]) / 2
    powers = legendre.legvander(nodes, 20).T
    right = np.zeros(21)
    right[0] = 2.0
    weights = np.linalg.solve(powers, right)
    return tuple(nodes.tolist()), tuple(((weights + weights[::-1]) / 2).tolist())


def on_unit_interval(f: Callable, a: Any, b: Any) -> Callable:
    """``f`` substituted so that its integral from a to b is that from 0 to 1.

    Infinite limits, which are plain numbers, by x = limit +- (1 - t) / t.
    """

    def infinite(x: Any) -> bool:
        return not isinstance(x, Tracer) and math.isinf(x)

    if not infinite(a) and not infinite(b):
        return lambda t: f(a + (b - a) * t) * (b - a)
    if infinite(a) and infinite(b):
        if (a < 0) == (b < 0):
            return lambda t: 0.0 * f(t)
        sign = 1.0 if a < 0 else -1.0

        def whole(t: Any) -> Any:
            s = (1 - t) / t
            return (f(s) + f(-s)) * (sign / (t * t))

        return whole
    # From one finite limit to infinity, outwards or back.
    finite, towards = (a, b) if infinite(b) else (b, a)
    sign = (1.0 if infinite(b) else -1.0) * (1.0 if towards > 0 else -1.0)
    step = 1.0 if towards > 0 else -1.0
    return lambda t: f(finite + step * (1 - t) / t) * (sign / (t * t))


def integrate_adaptively(
    f: Callable, a: Any, b: Any, epsabs: float, epsrel: float, limit: int
) -> tuple[Any, Any]:
    """The integral of an array-valued function, and an estimate of its error, a constant."""
    g = on_unit_interval(f, a, b)
    nodes, weights = (np.array(x) for x in kronrod())
    gauss = np.polynomial.legendre.leggauss(10)[1]
    shape = eval_shape(lambda t: as_array(g(t)), np.float64(0.5))

    def rule(low: Any, high: Any) -> tuple[Any, Any]:
        half, middle = (high - low) / 2, (high + low) / 2
        values = vmap(lambda x: as_array(g(middle + half * x)))(nodes)
        return half * np.tensordot(weights, values, axes=1), values

    def judged(low: Any, high: Any) -> tuple[Any, Any]:
        """Integral and error of one part."""
        whole, values = rule(low, high)
        whole, values = (stop_gradient(x) if isinstance(x, Tracer) else x for x in (whole, values))
        half = (high - low) / 2
        difference = size(whole - half * np.tensordot(gauss, values[1::2], axes=1))
        mean = whole / (high - low)
        spread = half * size(np.tensordot(weights, np.abs(values - mean), axes=1))
        some = spread > 0
        scaled = spread * np.minimum(1.0, (200 * difference / np.where(some, spread, 1.0)) ** 1.5)
        return whole, np.where(some, scaled, difference)

    def size(x: Any) -> Any:
        return np.sqrt(np.sum(np.abs(x) ** 2))

    def more(value: tuple) -> Any:
        _, _, values, errors, count = value
        enough = np.maximum(epsabs, epsrel * size(np.sum(values, axis=0)))
        return (np.sum(errors) > enough) & (count < limit)

    def split(value: tuple) -> tuple:
        lows, highs, values, errors, count = value
        worst = np.argmax(errors)
        low, high = lows[worst], highs[worst]
        middle = (low + high) / 2
        left, left_error = judged(low, middle)
        right, right_error = judged(middle, high)
        old, new = np.arange(limit) == worst, np.arange(limit) == count
        spread = (slice(None), *(None,) * len(shape.shape))
        return (
            np.where(new, middle, lows),
            np.where(old, middle, np.where(new, high, highs)),
            np.where(old[spread], left, np.where(new[spread], right, values)),
            np.where(old, left_error, np.where(new, right_error, errors)),
            count + 1,
        )

    value, error = judged(np.float64(0.0), np.float64(1.0))
    first = np.arange(limit) == 0
    spread = (slice(None), *(None,) * len(shape.shape))
    start = (
        np.zeros(limit),
        np.where(first, 1.0, 0.0),
        np.where(first[spread], value, np.zeros(shape.shape, shape.dtype)),
        np.where(first, error, 0.0),
        np.int64(1),
    )
    lows, highs, _, errors, count = while_loop(more, split, start)
    total = fori_loop(
        0,
        count,
        lambda i, total: total + rule(lows[i], highs[i])[0],
        np.zeros(shape.shape, shape.dtype),
    )
    return total, np.sum(errors)
