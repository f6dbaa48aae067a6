"""The least-squares problems of More, Garbow and Hillstrom, with their published minima.

J. More, B. Garbow and K. Hillstrom, *Testing unconstrained optimization software*, ACM Trans.
Math. Softw. 7 (1981); the data, starts and minima are those of the paper.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


def numbers(text: str) -> np.ndarray:
    return np.array(text.split(), float)


class Problem(NamedTuple):
    """Residuals, the start, the published sum of squares, and the minimiser where it is known."""

    residuals: Callable
    start: list[float]
    square: Any  # or those of all minima
    minimiser: Any = None


def rosenbrock(x):
    return np.stack([10 * (x[1] - x[0] ** 2), 1 - x[0]])


def freudenstein_roth(x):
    return np.stack(
        [
            -13 + x[0] + ((5 - x[1]) * x[1] - 2) * x[1],
            -29 + x[0] + ((x[1] + 1) * x[1] - 14) * x[1],
        ]
    )


def powell_badly_scaled(x):
    return np.stack([1e4 * x[0] * x[1] - 1, np.exp(-x[0]) + np.exp(-x[1]) - 1.0001])


def brown_badly_scaled(x):
    return np.stack([x[0] - 1e6, x[1] - 2e-6, x[0] * x[1] - 2])


def beale(x):
    return np.array([1.5, 2.25, 2.625]) - x[0] * (1 - x[1] ** np.arange(1, 4))


def jennrich_sampson(x):
    i = np.arange(1.0, 11)
    return 2 + 2 * i - np.exp(i * x[0]) - np.exp(i * x[1])


def helical_valley(x):
    angle = np.arctan2(x[1], x[0]) / (2 * np.pi)
    angle = np.where((x[0] < 0) & (x[1] < 0), angle + 1, angle)
    radius = np.sqrt(x[0] ** 2 + x[1] ** 2)
    return np.stack([10 * (x[2] - 10 * angle), 10 * (radius - 1), x[2]])


BARD = numbers("14 18 22 25 29 32 35 39 37 58 73 96 134 210 439") / 100


def bard(x):
    u = np.arange(1.0, 16)
    v = 16 - u
    return BARD - (x[0] + u / (v * x[1] + np.minimum(u, v) * x[2]))


GAUSS = np.array([9, 44, 175, 540, 1295, 2420, 3521, 3989, 3521, 2420, 1295, 540, 175, 44, 9]) / 1e4


def gaussian(x):
    t = (8 - np.arange(1.0, 16)) / 2
    return x[0] * np.exp(-x[1] * (t - x[2]) ** 2 / 2) - GAUSS


MEYER = numbers(
    "34780 28610 23650 19630 16370 13720 11540 9744 8261 7030 6005 5147 4427 3820 3307 2872.0"
)


def meyer(x):
    t = 45 + 5 * np.arange(1.0, 17)
    return x[0] * np.exp(x[1] / (t + x[2])) - MEYER


def gulf(x):
    t = np.arange(1.0, 100) / 100
    y = 25 + (-50 * np.log(t)) ** (2 / 3)
    return np.exp(-(np.abs(y - x[1]) ** x[2]) / x[0]) - t


def box_three(x):
    t = np.arange(1.0, 11) / 10
    return np.exp(-t * x[0]) - np.exp(-t * x[1]) - x[2] * (np.exp(-t) - np.exp(-10 * t))


def powell_singular(x):
    return np.stack(
        [
            x[0] + 10 * x[1],
            np.sqrt(5) * (x[2] - x[3]),
            (x[1] - 2 * x[2]) ** 2,
            np.sqrt(10) * (x[0] - x[3]) ** 2,
        ]
    )


def wood(x):
    return np.stack(
        [
            10 * (x[1] - x[0] ** 2),
            1 - x[0],
            np.sqrt(90) * (x[3] - x[2] ** 2),
            1 - x[2],
            np.sqrt(10) * (x[1] + x[3] - 2),
            (x[1] - x[3]) / np.sqrt(10),
        ]
    )


KOWALIK_Y = np.array(
    [0.1957, 0.1947, 0.1735, 0.1600, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235, 0.0246]
)
KOWALIK_U = np.array([4, 2, 1, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625])


def kowalik_osborne(x):
    u = KOWALIK_U
    return KOWALIK_Y - x[0] * (u**2 + u * x[1]) / (u**2 + u * x[2] + x[3])


def brown_dennis(x):
    t = np.arange(1.0, 21) / 5
    return (x[0] + t * x[1] - np.exp(t)) ** 2 + (x[2] + x[3] * np.sin(t) - np.cos(t)) ** 2


OSBORNE_1 = (
    numbers(
        "844 908 932 936 925 908 881 850 818 784 751 718 685 658 628 603 580 558 538 522 506 490 "
        "478 467 457 448 438 431 424 420 414 411 406"
    )
    / 1000
)


def osborne_1(x):
    t = 10 * np.arange(33.0)
    return OSBORNE_1 - (x[0] + x[1] * np.exp(-t * x[3]) + x[2] * np.exp(-t * x[4]))


OSBORNE_2 = (
    numbers(
        "1366 1191 1112 1013 991 885 831 847 786 725 746 679 608 655 616 606 602 626 651 724 649 "
        "649 694 644 624 661 612 558 533 495 500 423 395 375 372 391 396 405 428 429 523 562 607 "
        "653 672 708 633 668 645 632 591 559 597 625 739 710 729 720 636 581 428 292 162 98 54"
    )
    / 1000
)


def osborne_2(x):
    t = np.arange(65.0) / 10
    model = x[0] * np.exp(-t * x[4])
    for k in range(1, 4):
        model = model + x[k] * np.exp(-((t - x[7 + k]) ** 2) * x[4 + k])
    return OSBORNE_2 - model


def biggs(x):
    t = np.arange(1.0, 14) / 10
    y = np.exp(-t) - 5 * np.exp(-10 * t) + 3 * np.exp(-4 * t)
    return x[2] * np.exp(-t * x[0]) - x[3] * np.exp(-t * x[1]) + x[5] * np.exp(-t * x[4]) - y


def watson(x):
    """Of six unknowns."""
    t = np.arange(1.0, 30)[:, None] / 29
    j = np.arange(6)
    first = np.sum(j[1:] * x[1:] * t ** (j[1:] - 1), axis=1)
    second = np.sum(x * t**j, axis=1)
    rest = np.stack([x[0], x[1] - x[0] ** 2 - 1])
    return np.concatenate([first - second**2 - 1, rest])


def penalty_1(x):
    """Of four unknowns."""
    rest = np.sum(x * x) - 0.25
    return np.concatenate([np.sqrt(1e-5) * (x - 1), rest.reshape(1)])


def trigonometric(x):
    n = x.shape[0]
    c = np.cos(x)
    return n - np.sum(c) + np.arange(1.0, n + 1) * (1 - c) - np.sin(x)


def brown_almost_linear(x):
    n = x.shape[0]
    last = np.prod(x) - 1
    return np.concatenate([x[:-1] + np.sum(x) - (n + 1), last.reshape(1)])


def broyden_tridiagonal(x):
    zero = np.zeros(1)
    left, right = np.concatenate([zero, x[:-1]]), np.concatenate([x[1:], zero])
    return (3 - 2 * x) * x - left - 2 * right + 1


def broyden_banded(x):
    n = x.shape[0]
    i = np.arange(n)
    distance = i[:, None] - i
    band = (distance <= 5) & (distance >= -1) & (distance != 0)
    return x * (2 + 5 * x**2) + 1 - np.sum(np.where(band, x * (1 + x), 0.0), axis=1)


def discrete_boundary_value(x):
    n = x.shape[0]
    h = 1 / (n + 1)
    zero = np.zeros(1)
    left, right = np.concatenate([zero, x[:-1]]), np.concatenate([x[1:], zero])
    t = h * np.arange(1.0, n + 1)
    return 2 * x - left - right + h**2 * (x + t + 1) ** 3 / 2


def chebyquad(x):
    """Of eight unknowns, whose residuals cannot vanish."""
    n = x.shape[0]
    y = 2 * x - 1
    before, now = np.ones(n), y
    rows = []
    for i in range(1, n + 1):
        integral = 0.0 if i % 2 else -1.0 / (i * i - 1)
        rows.append(np.sum(now) / n - integral)
        before, now = now, 2 * y * now - before
    return np.stack(rows)


TENTH = np.arange(1.0, 11) / 11
PROBLEMS = {
    "rosenbrock": Problem(rosenbrock, [-1.2, 1], 0, [1, 1]),
    "freudenstein_roth": Problem(freudenstein_roth, [0.5, -2], (48.9842, 0)),
    "powell_badly_scaled": Problem(powell_badly_scaled, [0, 1], 0, [1.098e-5, 9.106]),
    "brown_badly_scaled": Problem(brown_badly_scaled, [1, 1], 0, [1e6, 2e-6]),
    "beale": Problem(beale, [1, 1], 0, [3, 0.5]),
    "jennrich_sampson": Problem(jennrich_sampson, [0.3, 0.4], 124.362, [0.2578, 0.2578]),
    "helical_valley": Problem(helical_valley, [-1, 0, 0], 0, [1, 0, 0]),
    "bard": Problem(bard, [1, 1, 1], 8.21487e-3),
    "gaussian": Problem(gaussian, [0.4, 1, 0], 1.12793e-8),
    "meyer": Problem(meyer, [0.02, 4000, 250], 87.9458),
    "gulf": Problem(gulf, [5, 2.5, 0.15], 0, [50, 25, 1.5]),
    "box_three": Problem(box_three, [0, 10, 20], 0),
    "powell_singular": Problem(powell_singular, [3, -1, 0, 1], 0),
    "wood": Problem(wood, [-3, -1, -3, -1], 0, [1, 1, 1, 1]),
    "kowalik_osborne": Problem(kowalik_osborne, [0.25, 0.39, 0.415, 0.39], 3.07505e-4),
    "brown_dennis": Problem(brown_dennis, [25, 5, -5, -1], 85822.2),
    "osborne_1": Problem(osborne_1, [0.5, 1.5, -1, 0.01, 0.02], 5.46489e-5),
    "biggs": Problem(biggs, [1, 2, 1, 1, 1, 1], (5.65565e-3, 0)),
    "osborne_2": Problem(
        osborne_2, [1.3, 0.65, 0.65, 0.7, 0.6, 3, 5, 7, 2, 4.5, 5.5], 4.01377e-2
    ),
    "watson": Problem(watson, [0] * 6, 2.28767e-3),
    "penalty_1": Problem(penalty_1, [1, 2, 3, 4], 2.24997e-5),
    "brown_almost_linear": Problem(brown_almost_linear, [0.5] * 10, 0),
    "broyden_tridiagonal": Problem(broyden_tridiagonal, [-1] * 10, 0),
    "broyden_banded": Problem(broyden_banded, [-1] * 10, 0),
    "discrete_boundary_value": Problem(
        discrete_boundary_value, list(TENTH * (TENTH - 1)), 0
    ),
    "chebyquad": Problem(chebyquad, list(np.arange(1, 9) / 9), 3.51687e-3),
}  # fmt: skip
