"""Integrals over several variables as one finite sum, for ``dblquad``, ``tplquad`` and ``nquad``.

QUADPACK divides every interval on plain values, as SciPy nests it. The divisions of all levels
together are points of the unit cube with weights; the integral is the weighted sum of the integrand
there, at once, which is what is differentiated: one batched evaluation instead of one a point.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ...arguments import as_array
from ...batching import vmap
from ...implicit.rules import custom_root
from ...primitives.core import Tracer
from ...primitives.stopping import stop_gradient
from .adaptive import kronrod

__all__ = ["integrate_together", "parts_of", "weighted"]

MOST = 1 << 22  # points; above that the integrals are summed one inside the other


class _NotTogetherError(Exception):
    """The integral is none that one sum can give."""


def weighted(g: Callable, points: Any, weights: Any) -> Any:
    """The sum of ``weights`` times ``g`` at ``points``: at once, or where that fails in turn.

    A batch cannot be branched on, nor given to ``math.sin``. The values are known, and must
    be in the sum, which is compared with QUADPACK's.
    """
    try:
        values = vmap(lambda x: as_array(g(x)).reshape(()))(as_array(points))
        total = np.sum(weights * values)
        if not isinstance(total, Tracer) or total.concrete() is not None:
            return total
    except Exception:  # what is wrong with it will be raised below
        pass
    total = np.float64(0.0)
    for x, w in zip(points, weights, strict=True):
        total = total + w * g(x)
    return total


def integrate_together(
    func: Callable, limits: Callable, options: Callable, count: int
) -> tuple[Any, float] | None:
    """The integral and QUADPACK's estimate of its error, or None where one sum cannot give it.

    ``func(*x)`` has ``count`` variables, the first one innermost; ``limits(k, later)`` and
    ``options(k, later)`` are those of variable k, given the later ones.
    """
    kept: list[Any] = []

    def divide(_: Callable, start: Any) -> Any:
        # In a custom root what is closed over stands for its values.
        kept.clear()
        kept.append(_divided(func, limits, options, count))
        return start

    try:
        custom_root(lambda x: x, np.float64(0.0), divide, lambda _, y: y)
        value, error, places, weights = kept[0]

        def integrand(place: tuple) -> Any:
            later: tuple = ()
            factor: Any = 1.0
            for k in reversed(range(count)):
                x, slope = _placed(*limits(k, later), *(part[k] for part in place))
                later, factor = (x, *later), factor * slope
            return as_array(factor * func(*later)).reshape(())

        summed = np.sum(weights * vmap(integrand)(places))
    except Warning:  # made an error by the user's filter
        raise
    except Exception:  # the integrals one inside the other raise what is wrong
        return None
    known = summed.concrete() if isinstance(summed, Tracer) else summed
    if known is None or not abs(known - value) <= max(10 * error, 1e-9 * abs(value), 1e-13):
        return None
    return value + (summed - stop_gradient(summed)), error


def _known(x: Any) -> float:
    known = x.concrete() if isinstance(x, Tracer) else x
    if known is None:
        raise _NotTogetherError
    return float(known)


def _divided(func: Callable, limits: Callable, options: Callable, count: int) -> tuple:
    """Value, error, places as arrays (m, count) of what ``_placed`` takes, and weights (m,)."""
    import scipy.integrate

    rows: list[tuple] = []

    def level(k: int, later: tuple) -> tuple:
        low, high = map(_known, limits(k, later))
        inner = (lambda x: _known(func(x, *later))) if k == 0 else (
            lambda x: level(k - 1, (x, *later))[0]
        )  # fmt: skip
        made = scipy.integrate.quad(inner, low, high, full_output=1, **options(k, later))
        if len(made) > 3:
            warnings.warn(made[3], scipy.integrate.IntegrationWarning, stacklevel=4)
        return *made[:3], low, high

    def collect(k: int, later: tuple, places: tuple, weight: float) -> tuple:
        made = level(k, later)
        *_, info, low, high = made
        both = math.isinf(low) and math.isinf(high)
        if both and low == high:
            raise _NotTogetherError
        infinite = math.isinf(low) or math.isinf(high)
        for p, q in parts_of(info, low, high):
            ends = (not infinite and p == low, not infinite and q == high)
            for node, own in zip(*kronrod(), strict=True):
                for side in (1.0, -1.0) if both else (1.0,):
                    place = ((1 + node) / 2, p, q, *ends, side)
                    if k == 0:
                        rows.append(((place, *places), weight * own / 2))
                    else:
                        x = float(_placed(low, high, *place)[0])
                        collect(k - 1, (x, *later), (place, *places), weight * own / 2)
        if len(rows) > MOST:
            raise _NotTogetherError
        return made

    made = collect(count - 1, (), (), 1.0)
    places, weights = zip(*rows, strict=True)
    columns = zip(*(zip(*place, strict=True) for place in places), strict=True)
    return made[0], made[1], tuple(np.array(column) for column in columns), np.array(weights)


def parts_of(info: dict, low: float, high: float) -> list[tuple[float, float]]:
    """QUADPACK's division of the interval, each part in the direction of integration."""
    count = info["last"]
    if low == high:  # an interval of no length still has the derivatives of its limits
        return [(low, high)]
    parts = zip(info["alist"][:count].tolist(), info["blist"][:count].tolist(), strict=True)
    back = low > high and not (math.isinf(low) or math.isinf(high))
    return [(q, p) if back else (p, q) for p, q in parts]


def _placed(
    low: Any, high: Any, fraction: Any, p: Any, q: Any, first: Any, last: Any, side: Any
) -> tuple[Any, Any]:
    """The point at a fraction of the part (p, q), and its slope.

    Parts at the ends of the interval move with its limits, the others stay where they are. Where
    a limit is infinite, parts are of QUADPACK's variable t, x = limit +- (1 - t) / t.
    """

    def infinite(x: Any) -> bool:
        return not isinstance(x, Tracer) and math.isinf(x)

    if not infinite(low) and not infinite(high):
        start, end = np.where(first, low, p), np.where(last, high, q)
        return start + (end - start) * fraction, end - start
    t = p + (q - p) * fraction
    far, stretch = (1 - t) / t, (q - p) / (t * t)
    if infinite(low) and infinite(high):
        return side * far, (1.0 if low < high else -1.0) * stretch
    finite, limit = (low, high) if infinite(high) else (high, low)
    step = 1.0 if limit > 0 else -1.0
    # Outwards from the finite limit; from infinity back to it counts the other way.
    sign = step if infinite(high) else -step
    return finite + step * far, sign * stretch
