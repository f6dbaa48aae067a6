"""Strong Wolfe line search, one loop: a trial a turn.

J. Nocedal and S. Wright, *Numerical Optimization* (2006), algorithms 3.5 and 3.6 in one: while no
interval is known that holds an acceptable step the trial steps grow, afterwards the interval
shrinks by cubic interpolation. Values that differ by rounding count as equal, and the slopes
decide, so that the search works to the end (W. Hager and H. Zhang, *A new conjugate gradient
method with guaranteed descent and an efficient line search*, SIAM J. Optim. 16, 2005).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ...control_flow import while_loop
from .problem import finite

__all__ = ["DIVERGED", "ROUNDING", "Search", "strong_wolfe"]

SUFFICIENT = 1e-4  # of the decrease that the slope at the start promises
CURVATURE = 0.9  # of that slope may be left
ROUNDING = 10.0  # relative errors of the function's value, in units of eps
DIVERGED = 1e20  # a function below -DIVERGED, or a point beyond, is taken to be unbounded


class Search(NamedTuple):
    """A line search: the trial step, the interval from ``low``, its best step, to ``high``."""

    step: Any
    low: Any
    low_value: Any
    low_slope: Any
    low_gradient: Any
    high: Any
    high_value: Any
    high_slope: Any
    bracketed: Any
    done: Any
    evaluations: Any


def strong_wolfe(
    evaluate: Callable,
    x: Any,
    value: Any,
    gradient: Any,
    direction: Any,
    start: Any,
    first: Any,
    eps: float,
    most: int,
) -> Search:
    """Look for a step along a direction of descent.

    Parameters
    ----------
    evaluate
        ``evaluate(x) -> (value, gradient)``.
    x, value, gradient
        Where the search begins.
    direction, start
        A direction, and its product with the gradient, which is negative.
    first
        First trial step, positive.
    eps
        Relative rounding error.
    most
        Largest number of evaluations.

    Returns
    -------
    Search
        ``low`` is the step, 0 if there is none, with its value and gradient. It satisfies the
        strong Wolfe conditions if ``done``, else only the first of them.
    """
    noise = ROUNDING * eps * np.abs(value)

    def more(s: Search) -> Any:
        return np.logical_and(~s.done, s.evaluations < most)

    def trial(s: Search) -> Search:
        step = s.step
        f, g = evaluate(x + step * direction)
        slope = np.sum(g * direction)
        usable = np.logical_and(finite(f), finite(g))
        fell = np.logical_or(f <= value + SUFFICIENT * step * start + noise, f < -DIVERGED)
        lowest = np.logical_or(s.low == 0, f <= s.low_value + noise)
        good = np.logical_and(usable, np.logical_and(fell, lowest))
        unbounded = f < -DIVERGED
        accepted = np.logical_and(good, np.abs(slope) <= -CURVATURE * start)
        # A good step with a slope away from high: low is the other end from now on.
        turned = np.where(s.bracketed, slope * (s.high - s.low) >= 0, slope >= 0)
        turned = np.logical_and(good, turned)

        high = np.where(good, np.where(turned, s.low, s.high), step)
        high_value = np.where(good, np.where(turned, s.low_value, s.high_value), f)
        high_slope = np.where(good, np.where(turned, s.low_slope, s.high_slope), slope)
        low, low_value = np.where(good, step, s.low), np.where(good, f, s.low_value)
        low_slope = np.where(good, slope, s.low_slope)
        bracketed = np.logical_or(s.bracketed, np.logical_or(~good, turned))

        inside = _cubic(low, low_value, low_slope, high, high_value, high_slope)
        width = high - low
        # Too little gained by the last trial: halve. Outside of the domain: come back further.
        slow = np.abs(width) > 0.66 * np.abs(s.high - s.low)
        halve = np.logical_and(s.bracketed, slow)
        share = np.clip(np.where(halve, 0.5, (inside - low) / width), 0.1, 0.9)
        known = np.logical_and(finite(high_value), finite(high_slope))
        share = np.where(np.logical_and(known, finite(share)), share, 0.2)
        further = np.clip(_secant(s.low, s.low_slope, low, low_slope), 2.0 * low, 10.0 * low)
        new = np.where(bracketed, low + share * width, further)
        return Search(
            new.astype(x.dtype),
            low.astype(x.dtype),
            low_value.astype(x.dtype),
            low_slope.astype(x.dtype),
            np.where(good, g, s.low_gradient),
            high.astype(x.dtype),
            high_value.astype(x.dtype),
            high_slope.astype(x.dtype),
            bracketed,
            np.logical_or(accepted, unbounded),
            s.evaluations + 1,
        )

    zero = 0 * value
    return while_loop(
        more,
        trial,
        Search(
            step=first,
            low=zero,
            low_value=value,
            low_slope=start,
            low_gradient=gradient,
            high=zero,
            high_value=value,
            high_slope=start,
            bracketed=np.bool_(False),
            done=np.bool_(False),
            evaluations=np.int64(0),
        ),
    )


def _cubic(a: Any, fa: Any, da: Any, b: Any, fb: Any, db: Any) -> Any:
    """Minimiser of the cubic with these values and slopes; NaN where there is none."""
    d = da + db - 3 * (fa - fb) / (a - b)
    under = d * d - da * db
    root = np.sign(b - a) * np.sqrt(np.where(under >= 0, under, np.nan))
    return b - (b - a) * (db + root - d) / (db - da + 2 * root)


def _secant(a: Any, da: Any, b: Any, db: Any) -> Any:
    """Where the slope would vanish if it were linear; very far away if it does not fall."""
    falls = np.abs(db) < np.abs(da)
    return np.where(falls, b - db * (b - a) / np.where(falls, db - da, 1.0), np.inf)
