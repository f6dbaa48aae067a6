"""Published problems with published digits: NIST's regressions and More, Garbow and Hillstrom's."""

from __future__ import annotations

import importlib.util
import pathlib
import sys
from types import ModuleType

import numpy as np
import pytest

BENCHMARKS = pathlib.Path(__file__).resolve().parent.parent / "benchmarks"


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", BENCHMARKS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


nist, mgh = _load("nist"), _load("mgh")


@pytest.mark.parametrize("name", list(nist.MODELS))
def test_nist_certified_digits(name: str) -> None:
    """From both starts, parameters and standard errors to the digits that are certified.

    The certified values are rounded to 11 figures: a value that begins with a 1 tells 10.3 digits.
    Lanczos1's residuals are below the rounding of its data, so that double precision cannot give
    its standard errors (NIST says so in the file).
    """
    data = nist.load(name)
    for start in (0, 1):
        jit = name in ("Misra1a", "Thurber") and start == 1
        exact = nist.fit(data, start, True, jit=jit)
        assert exact.success and exact.digits > 10.25
        assert exact.deviation_digits > (2.5 if name == "Lanczos1" else 10.1)
        if start == 1 or name not in ("MGH17", "Bennett5"):  # these take thousands of calls
            differences = nist.fit(data, start, False)
            assert exact.evaluations < differences.evaluations
            assert exact.digits >= differences.digits - 0.05


@pytest.mark.parametrize("problem", mgh.PROBLEMS, ids=lambda p: f"{p.number}-{p.start.size}")
def test_mgh_published_minima(problem) -> None:
    """Minimum to the published digits, in fewer calls of the residuals than with differences."""
    exact = mgh.solve(problem, True, jit=problem.number in (1, 20))
    assert exact.reached, (exact.value, problem.minima)
    assert exact.evaluations < mgh.solve(problem, False).evaluations


@pytest.mark.parametrize("number", [1, 5, 7, 14, 16, 21])
def test_mgh_by_newton(number: int) -> None:
    """The sum of squares as a scalar, by a trust region with its exact Hessian."""
    from functorch_like import optimize

    problem = next(p for p in mgh.PROBLEMS if p.number == number)
    found = optimize.minimize(
        lambda x: np.sum(problem.residuals(x) ** 2),
        problem.start,
        method="trust-exact",
        options={"gtol": 1e-9 if number != 16 else 1e-3},
        jit=False,
    )
    assert found.success
    assert any(found.fun == pytest.approx(best, rel=1e-5, abs=1e-12) for best in problem.minima)
