"""Images: interpolation in every mode, filters and measurements."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given, settings
from hypothesis import strategies as st

import functorch_like as ft
from functorch_like.scipy import ndimage

rng = np.random.default_rng(3)
MODES = (
    "reflect", "grid-mirror", "constant", "grid-constant", "nearest", "mirror", "grid-wrap", "wrap",
)  # fmt: skip
IMAGE = rng.normal(size=(5, 6))
FAR = rng.uniform(-9, 15, size=(2, 40))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("order", range(6))
def test_interpolation_is_scipys(order: int, mode: str) -> None:
    matrix, offset = np.array([[1.1, 0.2], [-0.1, 0.9]]), np.array([0.3, 0.2])
    for prefilter in (True, False):
        options = {"order": order, "mode": mode, "cval": 0.7, "prefilter": prefilter}
        calls = [
            lambda m, v, o=options: m.map_coordinates(v, FAR, **o),
            lambda m, v, o=options: m.shift(v, (1.3, -2.6), **o),
            lambda m, v, o=options: m.zoom(v, (1.3, 2.6), **o),
            lambda m, v, o=options: m.zoom(v, (1.3, 2.6), grid_mode=True, **o),
            lambda m, v, o=options: m.affine_transform(v, matrix, offset, **o),
            lambda m, v, o=options: m.rotate(v, 30.0, **o),
        ]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for call in calls:
                want = call(scipy.ndimage, IMAGE)
                got, _ = ft.jvp(lambda v, c=call: c(ndimage, v), (IMAGE,), (IMAGE,))
                np.testing.assert_allclose(got, want, atol=1e-9)


@settings(deadline=None, max_examples=40)
@given(
    shape=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    order=st.integers(0, 5),
    mode=st.sampled_from(MODES),
    seed=st.integers(0, 99),
)
def test_any_shape_and_the_transpose(shape, order, mode, seed) -> None:
    draw = np.random.default_rng(seed)
    image, points = draw.normal(size=shape), draw.uniform(-3, 8, (2, 5))
    call = {"order": order, "mode": mode}
    got, pull = ft.vjp(lambda v: ndimage.map_coordinates(v, points, **call), image)
    np.testing.assert_allclose(got, scipy.ndimage.map_coordinates(image, points, **call), atol=1e-9)
    other, ct = draw.normal(size=shape), draw.normal(size=5)
    tangent = scipy.ndimage.map_coordinates(other, points, **call)  # it is linear
    np.testing.assert_allclose(np.sum(pull(ct)[0] * other), np.sum(ct * tangent), atol=1e-9)


def test_derivative_in_the_coordinates_of_a_cubic() -> None:
    # The cubic spline through samples of a cubic is that cubic, far from the mirrored ends.
    x = np.arange(60.0)
    image = 1e-3 * (x - 30) ** 3
    at = np.array([[29.3, 30.9]])
    got = ft.jacfwd(lambda p: ndimage.map_coordinates(image, p))(at).diagonal(axis1=0, axis2=2)
    np.testing.assert_allclose(got.ravel(), 3e-3 * (at[0] - 30) ** 2, rtol=1e-6)


def test_registration_compiled_and_batched() -> None:
    image = rng.normal(size=(8, 9))

    def loss(shift):
        return np.sum((ndimage.shift(image, shift, mode="grid-wrap") - image) ** 2)

    shifts = rng.uniform(-1, 1, (3, 2))
    want = np.stack([ft.grad(loss)(s) for s in shifts])
    np.testing.assert_allclose(ft.vmap(ft.grad(loss))(shifts), want, atol=1e-10)
    np.testing.assert_allclose(ft.jit(ft.grad(loss))(shifts[0]), want[0], atol=1e-10)
    np.testing.assert_allclose(ft.hessian(loss)(shifts[0]), ft.hessian(loss)(shifts[0]).T)


def test_filters_keep_single_precision_and_complex() -> None:
    x = IMAGE.astype(np.float32)
    for function in (ndimage.gaussian_filter, ndimage.maximum_filter):
        options = {"sigma": 1.0} if function.__name__ == "gaussian_filter" else {"size": 3}
        value, tangent = ft.jvp(lambda v, f=function, o=options: f(v, **o), (x,), (x,))
        assert value.dtype == tangent.dtype == np.float32
    z = IMAGE + 1j * IMAGE[::-1]
    got, _ = ft.jvp(lambda v: ndimage.gaussian_filter(v, 1.0), (z,), (z,))
    np.testing.assert_allclose(got, scipy.ndimage.gaussian_filter(z, 1.0), atol=1e-12)


def test_windows_reach_the_extreme_element() -> None:
    x = np.array([0.0, 3.0, 1.0, 2.0])
    jacobian = ft.jacrev(lambda v: ndimage.maximum_filter1d(v, 3))(x)
    assert jacobian.argmax(1).tolist() == [1, 1, 1, 3]
    assert np.all(jacobian.sum(1) == 1)


@pytest.mark.parametrize("name", ["sum", "mean", "variance", "maximum", "median"])
def test_regions_without_elements(name: str) -> None:
    labels, index = np.array([1, 1, 0, 3]), np.array([[1, 2], [3, 0]])
    x = rng.normal(size=4)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        if name == "median":
            index = np.array([[1, 3], [3, 0]])
        want = getattr(scipy.ndimage, name)(x, labels, index)
        got, _ = ft.jvp(lambda v: getattr(ndimage, name)(v, labels, index), (x,), (x,))
    np.testing.assert_allclose(got, want)
    with pytest.raises(TypeError, match="expected plain labels"):
        ft.grad(lambda v: getattr(ndimage, name)(v, v, 1))(x)


def test_refusal() -> None:
    with pytest.raises(TypeError, match=r"scipy\.ndimage\.generic_filter: .*plain buffers"):
        ft.grad(lambda v: ndimage.generic_filter(v, np.sum, 3).sum())(IMAGE)


@pytest.mark.parametrize("order", [1, 3])
@pytest.mark.parametrize("mode", ["mirror", "reflect", "grid-wrap"])
def test_modes_agree_with_an_extended_image(mode: str, order: int) -> None:
    row = rng.normal(size=60)
    pad = {"mirror": "reflect", "reflect": "symmetric", "grid-wrap": "wrap"}[mode]
    longer = np.pad(row, 40, pad)
    at = rng.uniform(-20, 80, (1, 9))
    call = ndimage.map_coordinates
    got = ft.jvp(lambda p: call(row, p, order=order, mode=mode), (at,), (at,))
    want = ft.jvp(lambda p: call(longer, p + 40, order=order), (at,), (at,))
    np.testing.assert_allclose(got[0], want[0], atol=1e-9)
    np.testing.assert_allclose(got[1], want[1], atol=1e-7)
