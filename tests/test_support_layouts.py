"""Every call of the support table on NumPy's modules, again, on arrays laid out otherwise.

The value and the cotangents must be those of the contiguous float64 arrays: for Fortran order,
negative strides, read-only views with strides of zero, and lists in the place of plain operands.
float32 operands must give NumPy's dtypes, and float32 cotangents.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support.cases import Case, all_cases
from support.verdicts import dtype_of, floats, leaves

import functorch_like as ft

CALLS = [
    (module, name)
    for module, cases in sorted(all_cases().items())
    if module.split(".")[0] == "numpy"
    for name, calls in cases.calls.items()
    if name not in cases.refused and any(a.dtype.kind in "fc" for c in calls for a in c.arrays)
]
# In float32 a result may turn on a rounding: which root comes first, which bin an edge is in.
UNSTABLE = {"roots", "poly", "histogram", "histogram_bin_edges", "histogramdd", "histogram2d"}


def run(case: Case, f: Callable, arrays: list[Any]) -> tuple[list, list]:
    """The values of a call, and its cotangents for fixed cotangents of the floating results."""
    chosen = [i for i, a in enumerate(arrays) if isinstance(a, np.ndarray) and a.dtype.kind in "fc"]
    values: list = []

    def recorded(*primals: Any) -> list:
        full = list(arrays)
        for i, x in zip(chosen, primals, strict=True):
            full[i] = x
        values[:] = leaves(case.call(f, *full))
        return [x * 1 if isinstance(x, (int, float)) else x for x in floats(values)]

    out, pullback = ft.vjp(recorded, *[arrays[i] for i in chosen])
    seeds = [
        np.asarray(np.linspace(1.0, 2.0, np.size(y)).reshape(np.shape(y)), dtype_of(y)) for y in out
    ]
    return list(out), list(pullback(seeds)) if out else []


def close(got: list, want: list, tolerance: float = 1e-9) -> None:
    assert len(got) == len(want)
    for g, w in zip(got, want, strict=True):
        assert np.shape(g) == np.shape(w)
        np.testing.assert_allclose(g, w, rtol=tolerance, atol=tolerance)


def fortran(x: np.ndarray) -> np.ndarray:
    return np.asarray(x, order="F")


def reversed_strides(x: np.ndarray) -> np.ndarray:
    if not x.ndim:
        return x
    back = tuple(slice(None, None, -1) for _ in x.shape)
    return x[back].copy()[back]


def repeated(x: np.ndarray) -> np.ndarray:
    return np.broadcast_to(x[:1], x.shape) if x.ndim and x.size else x


def attempt(f: Callable, *args: Any) -> Any:
    """The result, or the type of the error."""
    try:
        return f(*args)
    except Exception as error:
        return type(error)


def each(module: str, name: str) -> Any:
    cases = all_cases()[module]
    f = cases.public(name) if cases.of_ours(name) is None else cases.of_ours(name)
    for case in cases.calls[name]:
        arrays = [a.copy() for a in case.arrays]
        if any(a.dtype.kind in "fc" for a in arrays):
            yield case, f, cases.public(name), arrays


@pytest.fixture(autouse=True)
def quiet() -> Any:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize(("module", "name"), CALLS)
def test_layouts(module: str, name: str) -> None:
    for case, f, _, arrays in each(module, name):
        values, cotangents = run(case, f, arrays)
        for layout in (fortran, reversed_strides):
            got = run(case, f, [layout(a) for a in arrays])
            close(got[0], values)
            close(got[1], cotangents)


@pytest.mark.parametrize(("module", "name"), CALLS)
def test_read_only_views_without_strides(module: str, name: str) -> None:
    for case, f, _, arrays in each(module, name):
        views = [repeated(a) for a in arrays]
        want = attempt(run, case, f, [a.copy() for a in views])
        if isinstance(want, type):  # equal rows: a singular matrix, points that coincide
            with pytest.raises(want):
                run(case, f, views)
            continue
        got = run(case, f, views)
        close(got[0], want[0])
        close(got[1], want[1])


@pytest.mark.parametrize(("module", "name"), CALLS)
def test_single_precision(module: str, name: str) -> None:
    single = {"d": np.float32, "D": np.complex64}
    for case, f, public, arrays in each(module, name):
        small = [a.astype(single.get(a.dtype.char, a.dtype)) for a in arrays]
        plain = attempt(case.call, public, *[a.copy() for a in small])
        if isinstance(plain, type):
            continue
        values, cotangents = run(case, f, small)
        want = floats(plain)
        assert [dtype_of(v) for v in values] == [dtype_of(w) for w in want]
        if name not in UNSTABLE:
            close(values, want, 2e-3)
        moving = [a for a in small if a.dtype.kind in "fc"]
        if cotangents:
            assert [c.dtype for c in cotangents] == [a.dtype for a in moving]


@pytest.mark.parametrize(("module", "name"), CALLS)
def test_lists(module: str, name: str) -> None:
    for case, f, public, arrays in each(module, name):
        if len(arrays) < 2:
            continue
        mixed = [arrays[0], *[a.tolist() for a in arrays[1:]]]
        plain = attempt(case.call, public, *mixed)
        if isinstance(plain, type) or arrays[0].dtype.kind not in "fc":
            continue
        values, _ = run(case, f, mixed)
        close(values, floats(plain))
