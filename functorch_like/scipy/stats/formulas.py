"""Functions that several declarations share."""

from __future__ import annotations

import importlib
import math
from typing import Any

import numpy as np

__all__ = [
    "EULER", "LOG_2", "LOG_PI", "LOG_ROOT_TWO_PI", "ZETA_3", "expm1_over", "log1mexp",
    "log1p_over", "log_normal_density", "special",
]  # fmt: skip

# Its names are found when they are used, so that type checkers cannot know them.
special: Any = importlib.import_module("functorch_like.scipy.special")

LOG_2 = math.log(2.0)
LOG_PI = math.log(math.pi)
LOG_ROOT_TWO_PI = 0.5 * math.log(2.0 * math.pi)
EULER = 0.57721566490153286
ZETA_3 = 1.2020569031595942


def log_normal_density(x: Any) -> Any:
    """Log density of the normal distribution."""
    return -0.5 * np.square(x) - LOG_ROOT_TWO_PI


def log1mexp(x: Any) -> Any:
    """``log(1 - exp(x))`` of negative ``x`` (Maechler, 2012)."""
    near = x > -math.log(2.0)
    small = np.log(-np.expm1(np.where(near, x, -1.0)))
    return np.where(near, small, np.log1p(-np.exp(np.where(near, -1.0, x))))


def log1p_over(c: Any, y: Any) -> Any:
    """``log(1 + c y) / c``, which is ``y`` at ``c = 0``, with derivatives there."""
    w = c * y
    near = np.absolute(w) < 0.01
    u = np.where(near, w, 0.0)
    series: Any = 0.0
    for k in range(11, 0, -1):
        series = series * u + (-1.0) ** (k + 1) / k
    far = np.log1p(np.where(near, 1.0, w)) / np.where(near, 1.0, c)
    return np.where(near, y * series, far)


def expm1_over(c: Any, y: Any) -> Any:
    """``(exp(c y) - 1) / c``, which is ``y`` at ``c = 0``, with derivatives there."""
    return y * special.exprel(c * y)
