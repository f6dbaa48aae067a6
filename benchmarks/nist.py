"""NIST's nonlinear regressions: digits reached and evaluations needed, exact against differences.

``python benchmarks/nist.py`` prints the table; ``--write`` puts it into docs/optimisation.md. Each
of the 27 data sets of the Statistical Reference Datasets is fitted from both of its published
starts, by ``ft.optimize.curve_fit(..., method="trf", polish=True)`` at its default tolerances, and
by ``scipy.optimize.curve_fit(..., method="trf")``, which takes differences, with tolerances of
1e-15, so that it stops only where it can go no further. Digits are -log10 of the largest relative
error of a parameter (or standard error), 11 at most; the certified values themselves are rounded
to 11 figures, so that 10.3 is full agreement for a value that begins with a 1.
"""

from __future__ import annotations

import pathlib
import re
import sys
import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy.optimize

import functorch_like as ft

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDER = ROOT / "tests" / "data" / "nist"


def _gauss(x, b1, b2, b3, b4, b5, b6, b7, b8):
    peaks = b3 * np.exp(-((x - b4) ** 2) / b5**2) + b6 * np.exp(-((x - b7) ** 2) / b8**2)
    return b1 * np.exp(-b2 * x) + peaks


def _lanczos(x, b1, b2, b3, b4, b5, b6):
    return b1 * np.exp(-b2 * x) + b3 * np.exp(-b4 * x) + b5 * np.exp(-b6 * x)


def _cubics(x, b1, b2, b3, b4, b5, b6, b7):
    return (b1 + b2 * x + b3 * x**2 + b4 * x**3) / (1 + b5 * x + b6 * x**2 + b7 * x**3)


def _chwirut(x, b1, b2, b3):
    return np.exp(-b1 * x) / (b2 + b3 * x)


def _saturating(x, b1, b2):
    return b1 * (1 - np.exp(-b2 * x))


def _enso(x, b1, b2, b3, b4, b5, b6, b7, b8, b9):
    def wave(a, b, period):
        return a * np.cos(2 * np.pi * x / period) + b * np.sin(2 * np.pi * x / period)

    return b1 + wave(b2, b3, 12.0) + wave(b5, b6, b4) + wave(b8, b9, b7)


# The models as the files state them.
MODELS: dict[str, Callable] = {
    "Bennett5": lambda x, b1, b2, b3: b1 * (b2 + x) ** (-1 / b3),
    "BoxBOD": _saturating,
    "Chwirut1": _chwirut,
    "Chwirut2": _chwirut,
    "DanWood": lambda x, b1, b2: b1 * x**b2,
    "ENSO": _enso,
    "Eckerle4": lambda x, b1, b2, b3: (b1 / b2) * np.exp(-0.5 * ((x - b3) / b2) ** 2),
    "Gauss1": _gauss,
    "Gauss2": _gauss,
    "Gauss3": _gauss,
    "Hahn1": _cubics,
    "Kirby2": lambda x, b1, b2, b3, b4, b5: (b1 + b2 * x + b3 * x**2) / (1 + b4 * x + b5 * x**2),
    "Lanczos1": _lanczos,
    "Lanczos2": _lanczos,
    "Lanczos3": _lanczos,
    "MGH09": lambda x, b1, b2, b3, b4: b1 * (x**2 + x * b2) / (x**2 + x * b3 + b4),
    "MGH10": lambda x, b1, b2, b3: b1 * np.exp(b2 / (x + b3)),
    "MGH17": lambda x, b1, b2, b3, b4, b5: b1 + b2 * np.exp(-x * b4) + b3 * np.exp(-x * b5),
    "Misra1a": _saturating,
    "Misra1b": lambda x, b1, b2: b1 * (1 - (1 + b2 * x / 2) ** -2.0),
    "Misra1c": lambda x, b1, b2: b1 * (1 - (1 + 2 * b2 * x) ** -0.5),
    "Misra1d": lambda x, b1, b2: b1 * b2 * x * (1 + b2 * x) ** -1.0,
    "Nelson": lambda x, b1, b2, b3: b1 - b2 * x[0] * np.exp(-b3 * x[1]),
    "Rat42": lambda x, b1, b2, b3: b1 / (1 + np.exp(b2 - b3 * x)),
    "Rat43": lambda x, b1, b2, b3, b4: b1 / (1 + np.exp(b2 - b3 * x)) ** (1 / b4),
    "Roszman1": lambda x, b1, b2, b3, b4: b1 - b2 * x - np.arctan(b3 / (x - b4)) / np.pi,
    "Thurber": _cubics,
}


class Dataset(NamedTuple):
    """A file: data, the two starts, and what is certified."""

    name: str
    level: str
    x: np.ndarray
    y: np.ndarray
    starts: tuple[np.ndarray, np.ndarray]
    certified: np.ndarray
    deviations: np.ndarray
    residual: float


def load(name: str) -> Dataset:
    """Read one of NIST's files."""
    text = (FOLDER / f"{name}.dat").read_text()
    number = r"([-+]?[\d.]+(?:E[-+]?\d+)?)"
    four = r"\s+".join([number] * 4)
    rows = re.findall(rf"^\s*b\d+ =\s*{four}\s*$", text, re.MULTILINE)
    values = np.array(rows, float)
    body = re.split(r"^Data:\s+.*$", text, flags=re.MULTILINE)[-1]
    data = np.array([line.split() for line in body.splitlines() if line.strip()], float)
    y, x = data[:, 0], data[:, 1:].T
    level = re.search(r"(Lower|Average|Higher) Level", text)
    residual = re.search(rf"Residual Sum of Squares:\s+{number}", text)
    assert level is not None and residual is not None
    return Dataset(
        *(name, level[1].lower(), x[0] if len(x) == 1 else x),
        np.log(y) if name == "Nelson" else y,
        (values[:, 0], values[:, 1]),
        *(values[:, 2], values[:, 3], float(residual[1])),
    )


def digits(found: np.ndarray, certified: np.ndarray) -> float:
    """Correct digits of the worst element, between 0 and the 11 that are certified."""
    with np.errstate(divide="ignore", invalid="ignore"):
        worst = np.max(np.abs(found - certified) / np.abs(certified))
    return float(np.clip(-np.log10(worst), 0.0, 11.0)) if np.isfinite(worst) else 0.0


class Fit(NamedTuple):
    """What a fit reached and what it cost."""

    digits: float
    deviation_digits: float
    evaluations: int
    jacobians: int
    hessians: int
    success: bool


def fit(data: Dataset, start: int, exact: bool, jit: bool = True) -> Fit:
    """Fit from one of the two starts, to as many digits as the derivatives allow."""
    model = MODELS[data.name]
    count = 0

    def counted(x, *b):
        nonlocal count
        count += 1
        return model(x, *b)

    p0 = data.starts[start]
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            if exact:
                found = ft.optimize.curve_fit(
                    *(model, data.x, data.y, p0), method="trf", polish=True, maxfev=5000, jit=jit
                )
                deviations = found.standard_errors()
                cost = found.nfev, found.njev, found.nhev
            else:
                found = scipy.optimize.curve_fit(
                    *(counted, data.x, data.y, p0),
                    method="trf",
                    maxfev=5000,
                    ftol=1e-15,
                    xtol=1e-15,
                    gtol=1e-15,
                )
                deviations = np.sqrt(np.diag(found[1]))
                cost = count, 0, 0
        except RuntimeError:
            return Fit(0.0, 0.0, count, 0, 0, False)
    return Fit(
        digits(np.asarray(found[0]), data.certified),
        digits(np.asarray(deviations), data.deviations),
        *cost,
        True,
    )


def table() -> str:
    """The table as Markdown."""
    lines = [
        "| data set (level) | unknowns | start | digits | of standard errors | model calls | "
        "Jacobians, Hessians | digits by differences | their model calls |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name in MODELS:
        data = load(name)
        for start in (0, 1):
            exact, differences = fit(data, start, True), fit(data, start, False)
            lines.append(
                f"| {name} ({data.level}) | {data.certified.size} | {start + 1} | "
                f"{exact.digits:.1f} | {exact.deviation_digits:.1f} | {exact.evaluations} | "
                f"{exact.jacobians}, {exact.hessians} | {differences.digits:.1f} | "
                f"{differences.evaluations} |"
            )
    return "\n".join(lines)


def write(section: str, text: str) -> None:
    """Put a table between its marks in docs/optimisation.md."""
    page = ROOT / "docs" / "optimisation.md"
    begin, end = f"<!-- {section} -->", f"<!-- end of {section} -->"
    before, rest = page.read_text().split(begin)
    after = rest.split(end)[1]
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}")


if __name__ == "__main__":
    made = table()
    print(made)
    if "--write" in sys.argv[1:]:
        write("NIST", made)
