"""What NumPy's signatures say besides the mathematics: out=, casting, NaN, errors, dtypes.

The derivatives of every call are in the support table (tests/support/cases_numpy*.py); here are the
arguments that are refused, the errors, and the values where differences say nothing.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.cases import all_cases

import functorch_like as ft
import functorch_like.numpy
from functorch_like.errors import ConcreteValueError, MutationError
from functorch_like.numpy.dispatch import FUNCTIONS

rng = np.random.default_rng(0)
X, V = rng.normal(size=(3, 4)), rng.normal(size=4)
HOLES = np.where(X > 0.5, np.nan, X)


def traced(f: Callable, *args: Any) -> Any:
    """The value of ``f`` on traced operands."""
    return ft.jvp(f, args, tuple(np.ones_like(a) for a in args))[0]


# --- names and order of the parameters ----------------------------------------------------------

OURS = {
    name: FUNCTIONS[getattr(np, name)]
    for name in np.__all__
    if inspect.isroutine(getattr(np, name)) and getattr(np, name) in FUNCTIONS
}
# like= asks for another library's array; what prints hands everything on.
ELSEWHERE = {"like", "ndmax", "max_work"}
HANDED_ON = {"array2string", "array_repr", "array_str", "shares_memory", "may_share_memory"}


@pytest.mark.parametrize("name", sorted(OURS))
def test_parameters_are_numpys(name: str) -> None:
    """Every parameter is there under its name and in its place, and no other is swallowed."""
    kind = inspect.Parameter
    theirs = inspect.signature(getattr(np, name)).parameters
    ours = inspect.signature(OURS[name]).parameters
    if name in HANDED_ON:
        return
    loose = (kind.VAR_POSITIONAL, kind.VAR_KEYWORD)
    wanted = {
        n for n, p in theirs.items() if p.kind not in (*loose, kind.POSITIONAL_ONLY)
    } - ELSEWHERE
    assert wanted <= set(ours)
    placed = (kind.POSITIONAL_ONLY, kind.POSITIONAL_OR_KEYWORD)
    if not any(p.kind is kind.VAR_POSITIONAL for p in ours.values()):
        given = [n for n, p in theirs.items() if p.kind in placed]
        taken = [n for n, p in ours.items() if p.kind in placed][: len(given)]
        assert len(taken) == len(given)
        for n, m in zip(given, taken, strict=True):
            assert n == m or theirs[n].kind is kind.POSITIONAL_ONLY
    if not any(p.kind is kind.VAR_KEYWORD for p in theirs.values()) and "like" not in theirs:
        assert not any(p.kind is kind.VAR_KEYWORD for p in ours.values())


# --- out= and where= ---------------------------------------------------------------------------

WITH_OUT = sorted(
    name
    for name, calls in all_cases()["numpy"].calls.items()
    if name not in all_cases()["numpy"].refused
    and callable(getattr(np, name))
    and not isinstance(getattr(np, name), (np.ufunc, type))
    and "out" in inspect.signature(getattr(np, name)).parameters
)


@pytest.mark.parametrize("name", WITH_OUT)
def test_a_plain_out_is_refused(name: str) -> None:
    """By an error, for the first call that NumPy itself can write into a given array."""
    cases, f = all_cases()["numpy"], getattr(np, name)
    for case in cases.calls[name]:
        if not any(a.dtype.kind in "fc" for a in case.arrays):
            continue

        made = case.call(f, *case.arrays)
        if not isinstance(made, np.ndarray):
            continue
        into = functools.partial(f, out=np.empty_like(made))
        with pytest.raises(MutationError, match="out="):
            ft.vjp(functools.partial(case.call, into), *case.arrays)
        return
    pytest.skip("no call makes an array")


@pytest.mark.parametrize("f", [np.add, np.hypot, np.maximum])
def test_ufunc_out_and_where(f: Any) -> None:
    with pytest.raises(MutationError, match="out="):
        ft.grad(lambda x: np.sum(f(x, X, out=np.empty_like(X))))(X)
    with pytest.raises(TypeError, match="where"):
        ft.grad(lambda x: np.sum(f(x, X, where=X > 0)))(X)


@pytest.mark.parametrize("f", [np.copyto, np.putmask, np.place])
def test_assignment_into_a_plain_array_is_refused(f: Callable) -> None:
    mask = np.ones_like(X, bool)
    arguments = (lambda x: (x,)) if f is np.copyto else (lambda x: (mask, x))
    with pytest.raises(MutationError):
        ft.grad(lambda x: np.sum(x) + (f(np.zeros_like(X + 0), *arguments(x)) or 0.0))(X)


def test_put_functions_into_plain_arrays_are_refused() -> None:
    plain = np.zeros((3, 4))
    for f in (
        lambda x: np.put(plain, [0], x),
        lambda x: np.put_along_axis(plain, np.zeros((1, 4), int), x, 0),
        lambda x: np.fill_diagonal(plain, x),
    ):
        with pytest.raises((MutationError, ConcreteValueError)):
            ft.grad(lambda x, f=f: f(x) or np.sum(x))(np.ones(4))
    assert not plain.any()


# --- value-dependent shapes ----------------------------------------------------------------------

VALUE_SHAPES = {
    "unique": lambda x: np.unique(x),
    "nonzero": lambda x: np.nonzero(x > 0)[0],
    "extract": lambda x: np.extract(x > 0, x),
    "compress": lambda x: np.compress(x > 0, x),
    "trim_zeros": lambda x: np.trim_zeros(np.maximum(x, 0)),
    "mask": lambda x: x[x > 0],
    "intersect1d": lambda x: np.intersect1d(x, x),
    "setdiff1d": lambda x: np.setdiff1d(x, x[:1]),
    "bincount": lambda x: np.bincount((x * x).astype(int)),
    "histogram auto": lambda x: np.histogram(x, "auto")[0],
    "real_if_close": lambda x: np.real_if_close(x + 0j),
    "argwhere": lambda x: np.argwhere(x > 0),
}


@pytest.mark.parametrize("name", VALUE_SHAPES)
def test_value_dependent_shapes_are_explained(name: str) -> None:
    f = VALUE_SHAPES[name]
    for transformed in (ft.vmap(f), ft.jit(f)):
        with pytest.raises(ConcreteValueError, match=r"depend|known|mask|truth"):
            transformed(X if transformed is not None and "vmap" in repr(transformed) else X[:, :4])


# --- errors as NumPy's --------------------------------------------------------------------------

ERRORS: dict[str, tuple[Callable, type[Exception]]] = {
    "axis": (lambda x: np.sum(x, axis=2), np.exceptions.AxisError),
    "repeated axis": (lambda x: np.sum(x, axis=(0, 0)), ValueError),
    "max of nothing": (lambda x: np.max(x[:0], axis=0), ValueError),
    "where without initial": (lambda x: np.max(x, where=x > 0), ValueError),
    "reshape": (lambda x: np.reshape(x, (5, -1)), ValueError),
    "transpose": (lambda x: np.transpose(x, (0, 0)), ValueError),
    "squeeze": (lambda x: np.squeeze(x, 0), ValueError),
    "concatenate": (lambda x: np.concatenate([x, x.T]), ValueError),
    "concatenate nothing": (lambda x: np.concatenate([x[None, 0]][1:] or [x, x[0]]), ValueError),
    "split": (lambda x: np.split(x, 3, axis=1), ValueError),
    "broadcast": (lambda x: np.broadcast_to(x, (2, 4)), ValueError),
    "matmul": (lambda x: np.matmul(x, x), ValueError),
    "matmul scalar": (lambda x: np.matmul(x, 2.0), ValueError),
    "dot": (lambda x: np.dot(x, x), ValueError),
    "einsum labels": (lambda x: np.einsum("ijk->i", x), ValueError),
    "einsum operands": (lambda x: np.einsum("ij,jk->ik", x), ValueError),
    "tensordot": (lambda x: np.tensordot(x, x, axes=1), ValueError),
    "cross": (lambda x: np.cross(x, x), ValueError),
    "take": (lambda x: np.take(x, [12]), IndexError),
    "choose": (lambda x: np.choose(np.array([[2, 0, 0, 0]]), [x, x]), ValueError),
    "quantile": (lambda x: np.quantile(x, 1.5), ValueError),
    "quantile method": (lambda x: np.quantile(x, 0.5, method="best"), ValueError),
    "percentile weights": (lambda x: np.percentile(x, 5, weights=x, method="linear"), ValueError),
    "average weights": (lambda x: np.average(x, weights=x[:2]), TypeError),
    "average axis": (lambda x: np.average(x, axis=1, weights=x[0, :3]), ValueError),
    "pad": (lambda x: np.pad(x, -1), ValueError),
    "pad mode": (lambda x: np.pad(x, 1, "somehow"), ValueError),
    "pad keyword": (lambda x: np.pad(x, 1, "edge", constant_values=1), ValueError),
    "pad empty": (lambda x: np.pad(x[:0], 1, "edge"), ValueError),
    "gradient": (lambda x: np.gradient(x[:1]), ValueError),
    "gradient spacing": (lambda x: np.gradient(x, 1.0, 2.0, 3.0), TypeError),
    "interp": (lambda x: np.interp(0.0, x[0], x[1, :2]), ValueError),
    "convolve": (lambda x: np.convolve(x[0], x[0, :0]), ValueError),
    "convolve mode": (lambda x: np.convolve(x[0], x[1], "most"), ValueError),
    "histogram": (lambda x: np.histogram(x, bins=[0.0, -1.0]), ValueError),
    "histogram bins": (lambda x: np.histogram(x, bins=0), ValueError),
    "bincount": (lambda x: np.bincount([0, 1], weights=x[0]), ValueError),
    "nanargmax": (lambda x: np.nanargmax(x * np.nan, axis=0), ValueError),
    "select": (lambda x: np.select([x > 0], [x, x]), ValueError),
    "piecewise": (lambda x: np.piecewise(x, [x > 0], [1, 2, 3]), ValueError),
    "fill_diagonal": (lambda x: np.fill_diagonal(x[0].copy(), 1.0), ValueError),
    "meshgrid": (lambda x: np.meshgrid(x[0], indexing="yx"), ValueError),
    "roots": (lambda x: np.roots(x), ValueError),
    "poly": (lambda x: np.poly(x), ValueError),
    "polyfit": (lambda x: np.polyfit(x[0], x[1], -1), ValueError),
    "vander": (lambda x: np.vander(x), ValueError),
    "cov": (lambda x: np.cov(x[None]), ValueError),
    "astype": (lambda x: np.astype(x, int).astype(float, casting="no"), TypeError),
    "concatenate casting": (
        lambda x: np.concatenate([x, x], dtype=int, casting="same_kind"),
        TypeError,
    ),
    "sum dtype": (lambda x: np.unpackbits(x), TypeError),
    "packbits": (lambda x: np.packbits(x), TypeError),
    "tile": (lambda x: np.roll(x, 1, axis=3), np.exceptions.AxisError),
    "unstack": (lambda x: np.unstack(x, axis=2), np.exceptions.AxisError),
    "diff": (lambda x: np.diff(x, n=-1), ValueError),
    "sliding window": (lambda x: np.lib.stride_tricks.sliding_window_view(x, (9, 1)), ValueError),
    "searchsorted": (lambda x: np.searchsorted(x, 0.0), ValueError),
    "clip": (lambda x: np.ptp(x[:0]), ValueError),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_are_of_numpys_kind(name: str) -> None:
    f, kind = ERRORS[name]
    with pytest.raises(kind):
        f(X.copy())
    with pytest.raises(kind):
        ft.vjp(f, X)


@pytest.mark.parametrize("f", [np.reshape, np.ravel])
def test_memory_orders_are_refused(f: Callable) -> None:
    for order in ("A", "K"):
        options = {"order": order, **({"shape": 12} if f is np.reshape else {})}
        with pytest.raises(TypeError, match="order"):
            ft.vjp(functools.partial(f, **options), X)


# --- values where there is no derivative to compare ----------------------------------------------

NAN_VALUES: dict[str, Callable] = {
    "maximum": lambda x: np.maximum(x, 0.0),
    "max": lambda x: np.max(x, axis=1),
    "min": lambda x: np.min(x, axis=0, keepdims=True),
    "nanmax of nothing": lambda x: np.nanmax(x * np.nan, axis=0),
    "nanmin of nothing": lambda x: np.nanmin(x * np.nan),
    "nanmean of nothing": lambda x: np.nanmean(x * np.nan, axis=1),
    "nanvar of few": lambda x: np.nanvar(x[:, :1], axis=1, ddof=1),
    "nanstd of few": lambda x: np.nanstd(x[:1], axis=0, ddof=1, keepdims=True),
    "nanmedian of nothing": lambda x: np.nanmedian(x * np.nan, axis=1),
    "nanquantile of nothing": lambda x: np.nanquantile(x * np.nan, [0.1, 0.5], axis=1),
    "median": lambda x: np.median(x, axis=1),
    "quantile": lambda x: np.quantile(x, 0.3, axis=0, method="hazen"),
    "sort": lambda x: np.sort(x, axis=1),
    "argsort": lambda x: np.argsort(x, axis=1),
    "argmax": lambda x: np.argmax(x, axis=1),
    "nanargmin": lambda x: np.nanargmin(x, axis=1),
    "unique": lambda x: np.unique(x),
    "unique all": lambda x: np.unique(x, equal_nan=False),
    "unique counts": lambda x: np.unique(x, return_counts=True, return_inverse=True),
    "cumsum": lambda x: np.cumsum(x, axis=1),
    "clip": lambda x: np.clip(np.ones((3, 4)), x, 2.0),
    "interp": lambda x: np.interp(x, [0.0, 1.0], [2.0, 3.0]),
    "searchsorted": lambda x: np.searchsorted([0.0, 1.0], x),
    "digitize": lambda x: np.digitize(x, [0.0, 1.0]),
    "histogram": lambda x: np.histogram(x, bins=[-1.0, 0.0, 1.0])[0],
    "isin": lambda x: np.isin(x, x),
    "allclose": lambda x: np.isclose(x, x, equal_nan=True),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", NAN_VALUES)
def test_nan(name: str) -> None:
    f = NAN_VALUES[name]
    got, want = traced(f, HOLES), f(HOLES)
    for g, w in zip(
        got if isinstance(got, tuple) else (got,),
        want if isinstance(want, tuple) else (want,),
        strict=True,
    ):
        np.testing.assert_array_equal(g, w)
        assert np.asarray(g).dtype == w.dtype


def test_the_absent_get_no_derivative() -> None:
    for f in (np.nansum, np.nanmean, np.nanvar, np.nanstd, np.nanmax, np.nanmedian, np.nanprod):
        gradient = ft.grad(lambda x, f=f: f(x))(HOLES)
        assert np.isfinite(gradient).all(), f
        assert not gradient[np.isnan(HOLES)].any(), f


def test_complex_derivatives_on_branch_cuts() -> None:
    """The side of a cut is the sign of a zero, for the derivative as for the value."""
    for f in (np.arcsin, np.arccos, np.arctanh, np.arccosh, np.sqrt, np.log, np.arcsinh, np.arctan):
        for axis in (1.0, 1j):
            for sign in (2.0, -2.0):
                for side in (0.0, -0.0):
                    at = sign if axis == 1.0 else side
                    z = complex(at, side) if axis == 1.0 else complex(side, sign)
                    step = np.copysign(1e-9, side)
                    near = complex(z.real, step) if axis == 1.0 else complex(step, z.imag)
                    slopes = [
                        ft.jvp(f, (np.array([p]),), (np.ones(1, complex),))[1] for p in (z, near)
                    ]
                    np.testing.assert_allclose(*slopes, rtol=1e-6)


def test_discrete_quantiles_are_elements() -> None:
    """A quantile by a discrete rule is one element, and its gradient is one there."""
    for method in ("inverted_cdf", "closest_observation", "lower", "higher", "nearest"):
        for q in np.linspace(0, 1, 13):
            gradient = ft.grad(lambda x, q=q, m=method: np.quantile(x, q, method=m))(V)
            assert sorted(gradient) == [0.0, 0.0, 0.0, 1.0]
            assert V[np.argmax(gradient)] == np.quantile(V, q, method=method)


METHODS = [
    "inverted_cdf", "averaged_inverted_cdf", "closest_observation", "interpolated_inverted_cdf",
    "hazen", "weibull", "linear", "median_unbiased", "normal_unbiased", "lower", "higher",
    "midpoint", "nearest",
]  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(float, st.integers(1, 12), elements=st.floats(-5, 5, width=32)),
    st.lists(st.integers(0, 24), min_size=1, max_size=4),
    st.sampled_from(METHODS),
    st.booleans(),
)
def test_quantiles_of_any_sample(x: np.ndarray, parts: list[int], method: str, skip: bool) -> None:
    """Samples with ties, and quantiles that fall on elements and between them."""
    f = np.nanquantile if skip else np.quantile
    q = np.array(parts) / 24
    want = f(x, q, method=method)
    np.testing.assert_allclose(traced(lambda x: f(x, q, method=method), x), want, rtol=1e-14)
    total = ft.grad(lambda x: np.sum(f(x, q, method=method)))(x)
    np.testing.assert_allclose(np.sum(total), len(parts), rtol=1e-12)  # shifts shift it


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 6),
    st.tuples(st.integers(0, 15), st.integers(0, 15)),
    st.sampled_from(["reflect", "symmetric", "wrap", "edge", "linear_ramp", "mean", "median"]),
    st.sampled_from(["even", "odd"]),
)
def test_pad_widths(n: int, width: tuple[int, int], mode: str, kind: str) -> None:
    """Pads wider than the array, which reflect and wrap several times."""
    x = np.random.default_rng(n).normal(size=(n, 2))
    options = {"reflect_type": kind} if mode in ("reflect", "symmetric") else {}

    def f(x: Any) -> Any:
        return np.pad(x, [width, (1, 0)], mode, **options)

    np.testing.assert_allclose(traced(f, x), f(x), rtol=1e-12, atol=1e-12)
    weights = np.random.default_rng(1).normal(size=f(x).shape)
    gradient = ft.grad(lambda x: np.sum(weights * f(x)))(x)
    v = np.random.default_rng(2).normal(size=x.shape)
    # Padding by these modes is linear, so a difference is exact; medians of even numbers too.
    slope = np.sum(weights * (f(x + 1e-6 * v) - f(x - 1e-6 * v))) / 2e-6
    np.testing.assert_allclose(np.sum(gradient * v), slope, rtol=1e-6, atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(
    hnp.arrays(
        float, st.integers(1, 9), elements=st.sampled_from([-1.0, 0.0, 0.25, 0.5, 1.0, 3.0])
    ),
    st.one_of(st.integers(1, 5), st.just([-1.0, 0.0, 0.5, 1.0]), st.just([0.0, 0.0, 1.0])),
    st.booleans(),
)
def test_histograms_with_elements_on_edges(x: np.ndarray, bins: Any, density: bool) -> None:
    w = np.arange(1.0, x.size + 1)
    with np.errstate(all="ignore"):
        want = np.histogram(x, bins, weights=w, density=density)
        got = traced(lambda x, w: np.histogram(x, bins, weights=w, density=density), x, w)
    for g, h in zip(got, want, strict=True):
        np.testing.assert_allclose(g, h, rtol=1e-14, atol=1e-15)
    counts, _ = traced(lambda x: np.histogram(x, bins), x)
    assert counts.dtype == np.int64
    np.testing.assert_array_equal(counts, np.histogram(x, bins)[0])


def test_choose_take_and_put_by_every_mode() -> None:
    places = np.array([-9, -1, 0, 5, 40])
    for mode in ("wrap", "clip"):
        got = traced(lambda x, m=mode: np.take(x, places, mode=m), X)
        np.testing.assert_array_equal(got, np.take(X, places, mode=mode))

        def put(x: Any, m: str = mode) -> Any:
            y = x.copy()
            np.put(y, places, [1.0, 2.0], mode=m)
            return y

        np.testing.assert_array_equal(traced(put, X), put(X))


def test_printing_shows_the_value() -> None:
    shown = []
    ft.grad(lambda x: shown.append(np.array2string(x, precision=2)) or np.sum(x))(V)
    assert shown == [np.array2string(V, precision=2)]
    ft.jit(lambda x: shown.append(np.array_repr(x)) or np.sum(x))(V)
    assert "Traced" in shown[1]


# --- compiled ------------------------------------------------------------------------------------

COMPILED: dict[str, Callable] = {
    "quantile": lambda x: np.sum(np.quantile(x, [0.2, 0.6], axis=1, method="weibull")),
    "weighted quantile": lambda x: np.quantile(x[0], 0.3, weights=x[1] ** 2, method="inverted_cdf"),
    "nanvar": lambda x: np.nanvar(np.where(x > 1, np.nan, x), ddof=1),
    "nanargmax": lambda x: x[0, np.nanargmax(x[0])],
    "histogramdd": lambda x: np.sum(np.histogramdd(x.T, 2, weights=x[0])[0] * [[1.0]]),
    "gradient": lambda x: np.sum(np.gradient(x, np.cumsum(x[0] ** 2), axis=1) ** 2),
    "pad": lambda x: np.sum(np.pad(x, (2, 5), "reflect", reflect_type="odd") ** 2),
    "polyfit": lambda x: np.sum(np.polyfit(x[0], x[1], 1)),
    "roots": lambda x: np.sum(np.abs(np.roots(x[0]))),
    "polydiv": lambda x: np.sum(np.polydiv(x[0], x[1, :2])[0]),
    "piecewise": lambda x: np.sum(np.piecewise(x, [x < 0, x > 1], [np.sin, 2.0, np.cos])),
    "kron": lambda x: np.sum(np.kron(x, x[:2]) ** 2),
    "put": lambda x: (y := x * 1, np.put(y, [1, 2], x[0]), np.sum(y * x))[2],
    "frompyfunc": lambda x: np.sum(np.frompyfunc(lambda a, b: a * b, 2, 1)(x, x[0])),
    "matmul axes": lambda x: np.sum(np.matmul(x, x, axes=[(0, 1), (1, 0), (0, 1)])),
}


@pytest.mark.parametrize("name", COMPILED)
def test_compiled(name: str) -> None:
    f = COMPILED[name]
    np.testing.assert_allclose(ft.jit(f)(X), f(X), rtol=1e-12)
    np.testing.assert_allclose(ft.jit(ft.grad(f))(X), ft.grad(f)(X), rtol=1e-10, atol=1e-12)
