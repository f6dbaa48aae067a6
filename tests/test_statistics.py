"""NumPy's statistics, interpolation, convolution and assigning functions on traced arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import functorch_like as ft
import functorch_like.numpy.statistics
from functorch_like.errors import ConcreteValueError, MutationError

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(2, 6))
M = RNG.normal(size=(4, 5))
HOLES = M.copy()
HOLES[1, 2] = np.nan
POSITIVE = np.abs(X) + 0.5
KNOTS = np.array([-3.0, -1.0, 0.0, 0.7, 2.0, 4.0])
QUERIES = np.array([-4.0, -2.0, 0.31, 0.5, 1.2, 5.0])


def flat(value: Any) -> list:
    return [u for v in value for u in flat(v)] if isinstance(value, (tuple, list)) else [value]


def total(value: Any) -> Any:
    """One number made of all floating results, with different weights."""
    parts: Any = 0.0
    for v in flat(value):
        v = np.real(v) + 0.7 * np.imag(v) if np.iscomplexobj(v) else v
        if v.dtype.kind == "f":
            parts = parts + np.sum(np.cos(np.arange(v.size)).reshape(v.shape) * v)
    return parts


def check(
    f: Callable, *args: np.ndarray, vmap: bool = True, second: bool = True, exact: bool = True
) -> None:
    """Values, gradients in every argument, batches, and derivatives of the gradient."""
    want = flat(f(*args))
    got = flat(ft.vjp(f, *args)[0])
    assert len(got) == len(want)
    for g, w in zip(got, want, strict=True):
        assert np.shape(g) == np.shape(w)
        assert g.dtype == w.dtype
        if exact:
            np.testing.assert_array_equal(g, w)
        else:
            np.testing.assert_allclose(g, w, rtol=1e-12, atol=1e-13)

    def loss(*args: Any) -> Any:
        return total(f(*args))

    everything = tuple(range(len(args)))
    gradient = ft.grad(loss, argnums=everything)
    directions = [np.random.default_rng(i).normal(size=a.shape) for i, a in enumerate(args)]
    h = 1e-6

    def moved(sign: int) -> list:
        return [a + sign * h * d for a, d in zip(args, directions, strict=True)]

    numeric = (loss(*moved(1)) - loss(*moved(-1))) / (2 * h)
    slopes = gradient(*args)
    inner = sum(np.nansum(g * d) for g, d in zip(slopes, directions, strict=True))
    np.testing.assert_allclose(inner, numeric, rtol=1e-6, atol=1e-7)
    if second:

        def along(*args: Any) -> Any:
            return sum(np.sum(np.sin(g)) for g in gradient(*args))

        numeric = (along(*moved(1)) - along(*moved(-1))) / (2 * h)
        np.testing.assert_allclose(
            ft.jvp(along, args, tuple(directions))[1], numeric, rtol=1e-5, atol=1e-6
        )
    if vmap:
        batch = [np.stack([a, 1.07 * a, 0.9 * a]) for a in args]
        rows = [[b[i] for b in batch] for i in range(3)]
        for k, g in enumerate(flat(ft.vmap(f)(*batch))):
            np.testing.assert_allclose(
                g, np.stack([flat(f(*r))[k] for r in rows]), rtol=1e-12, atol=1e-13
            )
        for k, g in enumerate(ft.vmap(gradient)(*batch)):
            np.testing.assert_allclose(g, np.stack([gradient(*r)[k] for r in rows]), atol=1e-12)


CONTINUOUS = [
    "linear",
    "hazen",
    "weibull",
    "median_unbiased",
    "normal_unbiased",
    "interpolated_inverted_cdf",
]
STEPS = [
    "inverted_cdf",
    "averaged_inverted_cdf",
    "closest_observation",
    "lower",
    "higher",
    "midpoint",
    "nearest",
]


@pytest.mark.parametrize(
    "options", [{}, {"axis": 1}, {"axis": 0, "keepdims": True}, {"axis": (0, 1)}]
)
@pytest.mark.parametrize("function", [np.median, np.nanmedian])
def test_median(function: Callable, options: dict) -> None:
    check(lambda a: function(a, **options), M)
    if function is np.nanmedian:
        with np.errstate(invalid="ignore"):
            got, pull = ft.vjp(lambda a: function(a, **options), HOLES)
        np.testing.assert_array_equal(got, function(HOLES, **options))
        assert pull(np.ones_like(got))[0][1, 2] == 0.0
    else:
        np.testing.assert_array_equal(
            ft.vjp(lambda a: function(a, **options), HOLES)[0], function(HOLES, **options)
        )


@pytest.mark.parametrize("method", CONTINUOUS + STEPS)
def test_quantile_methods(method: str) -> None:
    for q in (0.37, 0.0, 1.0, 0.5):
        check(lambda a: np.quantile(a, q, method=method), X, exact=False)  # noqa: B023
    check(lambda a: np.quantile(a, [0.1, 0.55], axis=0, method=method), M, exact=False)


def test_quantile_linear_is_exact() -> None:
    check(lambda a: np.quantile(a, 0.3), X)
    check(lambda a: np.percentile(a, [10, 55], axis=1, keepdims=True), M)
    single = M.astype(np.float32)
    got, _ = ft.vjp(lambda a: np.quantile(a, 0.3, axis=1), single)
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, np.quantile(single, 0.3, axis=1))


def test_quantile_in_q() -> None:
    q = np.array([0.13, 0.37])
    check(lambda a, q: np.quantile(a, q), X, q)
    check(
        lambda a: np.quantile(a, 0.37, method="inverted_cdf", weights=np.arange(1.0, 7)),
        X,
        vmap=False,
    )
    with pytest.raises(ValueError, match="between 0 and 1"):
        ft.grad(lambda a: np.quantile(a, 1.5))(X)


@pytest.mark.parametrize("axis", [None, 0, 1])
def test_nan_quantiles(axis: int | None) -> None:
    for f in (
        lambda a: np.nanquantile(a, 0.3, axis=axis),
        lambda a: np.nanpercentile(a, [30.0, 80.0], axis=axis),
    ):
        got, pull = ft.vjp(f, HOLES)
        np.testing.assert_allclose(got, f(HOLES), rtol=1e-14)
        check(f, M, exact=False)
        assert pull(np.ones_like(got))[0][1, 2] == 0.0
        with np.errstate(invalid="ignore"):
            batched = ft.vmap(f)(np.stack([HOLES, M]))
        np.testing.assert_allclose(batched, np.stack([f(HOLES), f(M)]), rtol=1e-14)


def test_covariance() -> None:
    check(np.cov, M)
    check(lambda a, b: np.cov(a, b), X, Y)
    check(lambda a: np.cov(a, rowvar=False, ddof=0), M)
    weights = [0.1, 0.2, 0.3, 0.2, 0.1]
    check(lambda a: np.cov(a, fweights=[1, 2, 1, 1, 3], aweights=weights), M, exact=False)
    check(np.corrcoef, M, exact=False)
    check(lambda a, b: np.corrcoef(a, b), X, Y, exact=False)


def test_interp() -> None:
    check(np.interp, QUERIES, KNOTS, Y)
    check(lambda x, f: np.interp(x, KNOTS, f, left=1.0, right=2.0), QUERIES, Y)
    check(lambda x: np.interp(x, KNOTS, Y, period=3.3), QUERIES)
    assert ft.grad(lambda x: np.interp(x, [0.0, 1.0, 2.0], [0.0, 1.0, 3.0]))(np.float64(1.0)) == 2.0


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("sizes", [(6, 3), (3, 6), (5, 5), (6, 2), (2, 6), (1, 4)])
def test_convolve_and_correlate(mode: str, sizes: tuple[int, int]) -> None:
    a, v = X[: sizes[0]], Y[: sizes[1]]
    check(lambda a, v: np.convolve(a, v, mode), a, v)
    check(lambda a, v: np.correlate(a, v, mode), a, v)
    z = a + 1j * a[::-1]
    got, _ = ft.vjp(lambda z: np.correlate(z, v * 1j, mode), z)
    np.testing.assert_allclose(got, np.correlate(z, v * 1j, mode), rtol=1e-13)


def test_gradient() -> None:
    check(np.gradient, X)
    check(lambda a: np.gradient(a, edge_order=2), M)
    check(lambda a: np.gradient(a, 0.3, axis=1), M)
    points = np.cumsum(POSITIVE)
    for order in (1, 2):
        check(lambda f, x: np.gradient(f, x, edge_order=order), X, points, exact=False)  # noqa: B023
    even = np.arange(6.0)  # equal spacings are coordinates all the same
    check(lambda f, x: np.gradient(f, x), X, even, exact=False)


def test_trapezoid_and_polynomials() -> None:
    check(np.trapezoid, X, Y)
    check(np.polyval, Y[:4], X)
    check(np.polymul, X, Y[:3])
    check(np.polyder, X)
    check(lambda a: np.vander(a, 4), X)
    check(lambda a: np.vander(a, increasing=True), X[:4])
    check(np.ediff1d, X)
    check(lambda a: np.ediff1d(a, to_end=[1.0, 2.0], to_begin=3.0), X)
    check(np.unwrap, X * 5)
    check(lambda a: np.unwrap(a, axis=0, period=3.0), M * 5)


def test_histogram() -> None:
    check(lambda w: np.histogram(X, 5, weights=w), POSITIVE)
    check(lambda w: np.histogram(X, 5, weights=w, density=True), POSITIVE)
    check(lambda w: np.histogram2d(X, Y, 3, weights=w), POSITIVE, vmap=False)
    check(lambda a: np.histogram(a, 3), X, exact=False)
    check(lambda a: np.histogram(a, 5, range=(-1, 1)), X, exact=False)
    check(lambda a, w: np.histogram(a, 4, weights=w), X, POSITIVE, exact=False)
    check(lambda w: np.bincount([0, 1, 1, 3, 0, 2], w, minlength=6), POSITIVE)


def test_unique() -> None:
    values = np.array([2.0, 1.0, 2.0, 3.0])
    got, pull = ft.vjp(np.unique, values)
    np.testing.assert_array_equal(got, [1.0, 2.0, 3.0])
    np.testing.assert_array_equal(pull(np.array([5.0, 6.0, 7.0]))[0], [6.0, 5.0, 0.0, 7.0])
    check(
        lambda a: np.unique(a, return_index=True, return_inverse=True, return_counts=True),
        X,
        vmap=False,
    )
    check(lambda a: np.unique(a, axis=0), M, vmap=False)
    with pytest.raises(ConcreteValueError, match=r"np\.unique"):
        ft.vmap(np.unique)(M)


def test_functions_applied() -> None:
    check(lambda a: np.apply_along_axis(lambda v: np.cumsum(v) * v[0], 1, a), M)
    check(lambda a: np.apply_along_axis(lambda v: np.outer(v[:2], v[:3]), 0, a), M)
    check(lambda a: np.apply_along_axis(np.sum, 0, a), M)
    check(lambda a: np.apply_over_axes(np.sum, a, [0, 1]), M)
    check(lambda a: np.piecewise(a, [a < 0, a >= 0], [np.square, np.sin]), X)
    check(lambda a: np.piecewise(a, [a < 0], [-1.0, lambda t: t * 3]), X)
    check(np.sinc, X)
    check(np.i0, X)


def test_making_arrays() -> None:
    check(lambda a: np.logspace(a[0], a[1], 5), X)
    check(lambda a: np.geomspace(a[0], a[1], 5), POSITIVE)
    check(lambda a: np.geomspace(a[:3], a[3:], 5, axis=1, endpoint=False), POSITIVE)
    for options in ({}, {"indexing": "ij", "sparse": True}):
        check(lambda a, b: np.meshgrid(a, b, **options), X, Y[:3])  # noqa: B023
    check(lambda a: np.resize(a, (3, 4)), X)
    check(lambda a: np.insert(a, 2, 5.0), X)
    check(lambda a, v: np.insert(a, 1, v), X, Y[:3])
    check(lambda a, v: np.insert(a, [1, 3], v, axis=1), M, M[:, :2])
    check(lambda a, v: np.insert(a, slice(0, 4, 2), v), X, Y[:2])
    check(lambda a, v: np.insert(a, 2, v, axis=0), M, M[0])
    check(lambda a: np.block([[a, a * 2], [a * 3, a]]), M)
    check(lambda a: np.trim_zeros(np.concatenate([np.zeros(2), a, np.zeros(1)])), X, vmap=False)


def assigning(change: Callable) -> Callable:
    """The function that copies, changes the copy, and returns it."""

    def f(a: Any, *rest: Any) -> Any:
        out = a * 1.0
        change(out, *rest)
        return np.sin(out)

    return f


def test_functions_that_assign() -> None:
    late = np.arange(6) > 2
    changes: list[tuple[Callable, tuple]] = [
        (lambda o: np.copyto(o, 3.0, where=late), (X,)),
        (lambda o: np.putmask(o, late, [1.0, 2.0]), (X,)),
        (lambda o: np.place(o, late, [1.0, 2.0]), (X,)),
        (lambda o: np.put(o, [1, -1], [4.0, 5.0]), (X,)),
        (lambda o: np.fill_diagonal(o, 1.0), (M,)),
        (lambda o: np.fill_diagonal(o, [1.0, 2.0]), (np.ones((7, 3)),)),
        (lambda o: np.fill_diagonal(o, 1.0, wrap=True), (np.ones((7, 3)),)),
    ]
    for change, args in changes:
        check(assigning(change), *args)

    def both(a: Any, b: Any) -> Any:
        out = a * b
        np.copyto(out, b, where=a > 0)
        np.put(out, [0, 2], b[:2])
        np.putmask(out, late, b)
        return out

    check(both, X, Y)
    with pytest.raises(MutationError, match="copyto"):
        ft.grad(lambda b: np.copyto(np.zeros(6), b))(X)
    with pytest.raises(TypeError, match="same_kind"):
        ft.grad(lambda a: np.copyto(a * 1.0, 1j * np.ones(6)))(X)
