"""The problems of More, Garbow and Hillstrom: values reached and evaluations needed.

J. J. More, B. S. Garbow and K. E. Hillstrom, Testing unconstrained optimization software, ACM
Transactions on Mathematical Software 7, 1981. ``python benchmarks/mgh.py`` prints the table, a row
a problem from its standard start: ``ft.optimize.least_squares`` with exact derivatives and
``scipy.optimize.least_squares`` with differences, method "lm" and equal tolerances; ``--write``
puts it into docs/optimisation.md.
"""

from __future__ import annotations

import pathlib
import sys
import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy.optimize

import functorch_like as ft


class Problem(NamedTuple):
    """A problem of the paper: residuals, start, and the published sums of squares at minima."""

    number: int
    name: str
    residuals: Callable
    start: np.ndarray
    minima: tuple[float, ...]


def _numbers(text: str) -> np.ndarray:
    return np.array(text.split(), float)


BARD = np.array(
    [0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39, 0.37, 0.58, 0.73, 0.96, 1.34, 2.10, 4.39]
)
GAUSSIAN = np.array([0.0009, 0.0044, 0.0175, 0.0540, 0.1295, 0.2420, 0.3521, 0.3989])
GAUSSIAN = np.concatenate([GAUSSIAN, GAUSSIAN[-2::-1]])
MEYER = _numbers(
    "34780 28610 23650 19630 16370 13720 11540 9744 8261 7030 6005 5147 4427 3820 3307 2872"
)
KOWALIK = np.array(
    [0.1957, 0.1947, 0.1735, 0.1600, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235, 0.0246]
)
KOWALIK_U = np.array([4, 2, 1, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625])
OSBORNE_1 = 1e-3 * _numbers(
    "844 908 932 936 925 908 881 850 818 784 751 718 685 658 628 603 580 558 538 522 506 490 478 "
    "467 457 448 438 431 424 420 414 411 406"
)
OSBORNE_2 = 1e-3 * _numbers(
    "1366 1191 1112 1013 991 885 831 847 786 725 746 679 608 655 616 606 602 626 651 724 649 649 "
    "694 644 624 661 612 558 533 495 500 423 395 375 372 391 396 405 428 429 523 562 607 653 672 "
    "708 633 668 645 632 591 559 597 625 739 710 729 720 636 581 428 292 162 98 54"
)


def freudenstein_roth(x):
    return np.stack(
        [
            -13 + x[0] + ((5 - x[1]) * x[1] - 2) * x[1],
            -29 + x[0] + ((x[1] + 1) * x[1] - 14) * x[1],
        ]
    )


def helical_valley(x):
    turn = np.arctan2(x[1], x[0]) / (2 * np.pi)  # in (-1/2, 1/2], cut where the paper's is not
    turn = np.where(turn < -0.25, turn + 1, turn)
    return np.stack([10 * (x[2] - 10 * turn), 10 * (np.hypot(x[0], x[1]) - 1), x[2]])


def bard(x):
    u = np.arange(1.0, 16.0)
    v = 16 - u
    return BARD - (x[0] + u / (v * x[1] + np.minimum(u, v) * x[2]))


def gaussian(x):
    t = (8 - np.arange(1.0, 16.0)) / 2
    return x[0] * np.exp(-x[1] * (t - x[2]) ** 2 / 2) - GAUSSIAN


def meyer(x):
    return x[0] * np.exp(x[1] / (45 + 5 * np.arange(1.0, 17.0) + x[2])) - MEYER


def gulf(x):
    t = np.arange(1.0, 100.0) / 100
    y = 25 + (-50 * np.log(t)) ** (2 / 3)
    return np.exp(-(np.abs(y - x[1]) ** x[2]) / x[0]) - t


def box(x):
    t = 0.1 * np.arange(1.0, 11.0)
    return np.exp(-t * x[0]) - np.exp(-t * x[1]) - x[2] * (np.exp(-t) - np.exp(-10 * t))


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


def kowalik_osborne(x):
    u = KOWALIK_U
    return KOWALIK - x[0] * (u**2 + u * x[1]) / (u**2 + u * x[2] + x[3])


def brown_dennis(x):
    t = np.arange(1.0, 21.0) / 5
    return (x[0] + t * x[1] - np.exp(t)) ** 2 + (x[2] + x[3] * np.sin(t) - np.cos(t)) ** 2


def osborne_1(x):
    t = 10 * np.arange(33.0)
    return OSBORNE_1 - (x[0] + x[1] * np.exp(-t * x[3]) + x[2] * np.exp(-t * x[4]))


def osborne_2(x):
    t = np.arange(65.0) / 10
    peaks = [x[k] * np.exp(-((t - x[k + 7]) ** 2) * x[k + 4]) for k in (1, 2, 3)]
    return OSBORNE_2 - (x[0] * np.exp(-t * x[4]) + sum(peaks))


def biggs(x):
    t = 0.1 * np.arange(1.0, 14.0)
    y = np.exp(-t) - 5 * np.exp(-10 * t) + 3 * np.exp(-4 * t)
    return x[2] * np.exp(-t * x[0]) - x[3] * np.exp(-t * x[1]) + x[5] * np.exp(-t * x[4]) - y


def watson(x):
    n = x.shape[0]
    t = np.arange(1.0, 30.0)[:, None] / 29
    j = np.arange(n)
    slopes = (j[1:] * t ** (j[1:] - 1)) @ x[1:]
    values = (t**j) @ x
    return np.concatenate([slopes - values**2 - 1, np.stack([x[0], x[1] - x[0] ** 2 - 1])])


def extended_rosenbrock(x):
    return np.concatenate([10 * (x[1::2] - x[::2] ** 2), 1 - x[::2]])


def extended_powell(x):
    a, b, c, d = x[::4], x[1::4], x[2::4], x[3::4]
    return np.concatenate(
        [a + 10 * b, np.sqrt(5) * (c - d), (b - 2 * c) ** 2, np.sqrt(10) * (a - d) ** 2]
    )


def penalty_1(x):
    return np.concatenate([np.sqrt(1e-5) * (x - 1), np.reshape(np.sum(x**2) - 0.25, (1,))])


def penalty_2(x):
    n = x.shape[0]
    i = np.arange(2, n + 1)
    y = np.exp(i / 10) + np.exp((i - 1) / 10)
    root = np.sqrt(1e-5)
    return np.concatenate(
        [
            np.reshape(x[0] - 0.2, (1,)),
            root * (np.exp(x[1:] / 10) + np.exp(x[:-1] / 10) - y),
            root * (np.exp(x[1:] / 10) - np.exp(-0.1)),
            np.reshape(np.sum(np.arange(n, 0, -1) * x**2) - 1, (1,)),
        ]
    )


def variably_dimensioned(x):
    total = np.sum(np.arange(1, x.shape[0] + 1) * (x - 1))
    return np.concatenate([x - 1, np.stack([total, total**2])])


def trigonometric(x):
    n = x.shape[0]
    return n - np.sum(np.cos(x)) + np.arange(1, n + 1) * (1 - np.cos(x)) - np.sin(x)


def brown_almost_linear(x):
    n = x.shape[0]
    return np.concatenate([x[:-1] + np.sum(x) - (n + 1), np.reshape(np.prod(x) - 1, (1,))])


def discrete_boundary(x):
    n = x.shape[0]
    h = 1 / (n + 1)
    padded = np.concatenate([np.zeros(1), x, np.zeros(1)])
    t = np.arange(1, n + 1) * h
    return 2 * x - padded[:-2] - padded[2:] + h**2 * (x + t + 1) ** 3 / 2


def discrete_integral(x):
    n = x.shape[0]
    h = 1 / (n + 1)
    t = np.arange(1, n + 1) * h
    cube = (x + t + 1) ** 3
    below = np.cumsum(t * cube)
    above = np.sum((1 - t) * cube) - np.cumsum((1 - t) * cube)
    return x + h * ((1 - t) * below + t * above) / 2


def broyden_tridiagonal(x):
    padded = np.concatenate([np.zeros(1), x, np.zeros(1)])
    return (3 - 2 * x) * x - padded[:-2] - 2 * padded[2:] + 1


def broyden_banded(x):
    n = x.shape[0]
    near = np.array([[j != i and i - 5 <= j <= i + 1 for j in range(n)] for i in range(n)], float)
    return x * (2 + 5 * x**2) + 1 - near @ (x * (1 + x))


def linear_full(x, m=20):
    n = x.shape[0]
    padded = np.concatenate([x, np.zeros(m - n)])
    return padded - 2 / m * np.sum(x) - 1


def linear_rank_1(x, m=20):
    return np.arange(1, m + 1) * np.sum(np.arange(1, x.shape[0] + 1) * x) - 1


def linear_rank_1_zeros(x, m=20):
    total = np.sum(np.arange(2, x.shape[0]) * x[1:-1])
    i = np.arange(m)
    return np.where((i == 0) | (i == m - 1), 0.0, i) * total - 1


def chebyquad(x):
    n = x.shape[0]
    shifted = 2 * x - 1
    terms = [np.ones(n), shifted]
    for _ in range(n - 1):
        terms.append(2 * shifted * terms[-1] - terms[-2])
    i = np.arange(1, n + 1)
    integrals = np.where(i % 2 == 0, -1.0 / np.maximum(i**2 - 1, 1), 0.0)
    return np.stack([np.mean(t) for t in terms[1:]]) - integrals


def _grid(n):
    t = np.arange(1, n + 1) / (n + 1)
    return t * (t - 1)


def _p(number, name, residuals, start, *minima):
    return Problem(number, name, residuals, np.array(start, float), minima)


M = 20
PROBLEMS = [
    _p(1, "Rosenbrock", lambda x: np.stack([10 * (x[1] - x[0] ** 2), 1 - x[0]]), [-1.2, 1], 0),
    _p(2, "Freudenstein and Roth", freudenstein_roth, [0.5, -2], 0, 48.9842),
    _p(
        *(3, "Powell badly scaled"),
        lambda x: np.stack([1e4 * x[0] * x[1] - 1, np.exp(-x[0]) + np.exp(-x[1]) - 1.0001]),
        *([0, 1], 0),
    ),
    _p(
        *(4, "Brown badly scaled"),
        lambda x: np.stack([x[0] - 1e6, x[1] - 2e-6, x[0] * x[1] - 2]),
        *([1, 1], 0),
    ),
    _p(
        *(5, "Beale"),
        lambda x: np.array([1.5, 2.25, 2.625]) - x[0] * (1 - x[1] ** np.arange(1, 4)),
        *([1, 1], 0),
    ),
    _p(
        *(6, "Jennrich and Sampson"),
        lambda x: (
            2
            + 2 * np.arange(1, 11)
            - (np.exp(np.arange(1, 11) * x[0]) + np.exp(np.arange(1, 11) * x[1]))
        ),
        *([0.3, 0.4], 124.362),
    ),
    _p(7, "Helical valley", helical_valley, [-1, 0, 0], 0),
    _p(8, "Bard", bard, [1, 1, 1], 8.21487e-3, 17.4286),
    _p(9, "Gaussian", gaussian, [0.4, 1, 0], 1.12793e-8),
    _p(10, "Meyer", meyer, [0.02, 4000, 250], 87.9458),
    _p(11, "Gulf research and development", gulf, [5, 2.5, 0.15], 0),
    _p(12, "Box three-dimensional", box, [0, 10, 20], 0),
    _p(13, "Powell singular", extended_powell, [3, -1, 0, 1], 0),
    _p(14, "Wood", wood, [-3, -1, -3, -1], 0),
    _p(
        15,
        "Kowalik and Osborne",
        kowalik_osborne,
        [0.25, 0.39, 0.415, 0.39],
        3.07505e-4,
        1.02734e-3,
    ),
    _p(16, "Brown and Dennis", brown_dennis, [25, 5, -5, -1], 85822.2),
    _p(17, "Osborne 1", osborne_1, [0.5, 1.5, -1, 0.01, 0.02], 5.46489e-5),
    _p(18, "Biggs EXP6", biggs, [1, 2, 1, 1, 1, 1], 5.65565e-3, 0),
    _p(
        *(19, "Osborne 2", osborne_2),
        *([1.3, 0.65, 0.65, 0.7, 0.6, 3, 5, 7, 2, 4.5, 5.5], 4.01377e-2),
    ),
    _p(20, "Watson, n = 6", watson, np.zeros(6), 2.28767e-3),
    _p(20, "Watson, n = 9", watson, np.zeros(9), 1.39976e-6),
    _p(20, "Watson, n = 12", watson, np.zeros(12), 4.72238e-10),
    _p(21, "Extended Rosenbrock, n = 10", extended_rosenbrock, [-1.2, 1] * 5, 0),
    _p(22, "Extended Powell singular, n = 12", extended_powell, [3, -1, 0, 1] * 3, 0),
    _p(23, "Penalty I, n = 4", penalty_1, [1, 2, 3, 4], 2.24997e-5),
    _p(23, "Penalty I, n = 10", penalty_1, np.arange(1, 11), 7.08765e-5),
    _p(24, "Penalty II, n = 4", penalty_2, np.full(4, 0.5), 9.37629e-6),
    _p(24, "Penalty II, n = 10", penalty_2, np.full(10, 0.5), 2.93660e-4),
    _p(
        *(25, "Variably dimensioned, n = 10", variably_dimensioned),
        *(1 - np.arange(1, 11) / 10, 0),
    ),
    _p(26, "Trigonometric, n = 10", trigonometric, np.full(10, 0.1), 0, 2.79506e-5),
    _p(27, "Brown almost-linear, n = 10", brown_almost_linear, np.full(10, 0.5), 0, 1),
    _p(28, "Discrete boundary value, n = 10", discrete_boundary, _grid(10), 0),
    _p(29, "Discrete integral equation, n = 10", discrete_integral, _grid(10), 0),
    _p(30, "Broyden tridiagonal, n = 10", broyden_tridiagonal, np.full(10, -1.0), 0),
    _p(31, "Broyden banded, n = 10", broyden_banded, np.full(10, -1.0), 0),
    _p(32, "Linear, full rank, n = 10", linear_full, np.ones(10), M - 10),
    _p(33, "Linear, rank 1, n = 10", linear_rank_1, np.ones(10), M * (M - 1) / (2 * (2 * M + 1))),
    _p(
        *(34, "Linear, rank 1, zero columns, n = 10", linear_rank_1_zeros, np.ones(10)),
        (M**2 + 3 * M - 6) / (2 * (2 * M - 3)),
    ),
    _p(35, "Chebyquad, n = 8", chebyquad, np.arange(1, 9) / 9, 3.51687e-3),
    _p(35, "Chebyquad, n = 9", chebyquad, np.arange(1, 10) / 10, 0),
    _p(35, "Chebyquad, n = 10", chebyquad, np.arange(1, 11) / 11, 6.50395e-3),
]

TOLERANCES = {"ftol": 1e-13, "xtol": 1e-13, "gtol": 1e-13}


def reached(problem: Problem, value: float) -> bool:
    """Whether a sum of squares is one of the published minima, to their digits."""
    return any(
        abs(value - best) <= 1e-5 * best if best else value < 1e-20 for best in problem.minima
    )


class Outcome(NamedTuple):
    """Sum of squares, calls of the residuals, and calls of the Jacobian."""

    value: float
    evaluations: int
    jacobians: int
    reached: bool


def solve(problem: Problem, exact: bool, jit: bool = True) -> Outcome:
    """Solve by least squares from the standard start."""
    count = 0

    def counted(x):
        nonlocal count
        count += 1
        return problem.residuals(x)

    options = {"method": "lm", "max_nfev": 20000, **TOLERANCES}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        if exact:
            found = ft.optimize.least_squares(problem.residuals, problem.start, jit=jit, **options)
            count = found.nfev
        else:
            found = scipy.optimize.least_squares(counted, problem.start, **options)
    value = 2 * float(found.cost)
    return Outcome(value, count, found.njev or 0 if exact else 0, reached(problem, value))


def table() -> str:
    """The table as Markdown."""
    lines = [
        "| problem | published minima | found | residuals, Jacobians | found by differences | "
        "residuals |",
        "|---|---|---|---|---|---|",
    ]
    for p in PROBLEMS:
        exact, differences = solve(p, True), solve(p, False)
        lines.append(
            f"| {p.number}. {p.name} | {', '.join(f'{v:.6g}' for v in p.minima)} | "
            f"{exact.value:.6g} | {exact.evaluations}, {exact.jacobians} | "
            f"{differences.value:.6g} | {differences.evaluations} |"
            + ("" if exact.reached else "  <- not a published minimum")
        )
    return "\n".join(lines)


if __name__ == "__main__":
    made = table()
    print(made)
    if "--write" in sys.argv[1:]:
        sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
        from nist import write

        write("MGH", made)
