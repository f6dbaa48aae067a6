"""np.fft on traced arrays: values are NumPy's, derivatives those of the matrices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import functorch_like as ft
import functorch_like.numpy.fft

ONE_AXIS = [np.fft.fft, np.fft.ifft, np.fft.rfft, np.fft.irfft, np.fft.hfft, np.fft.ihfft]
SEVERAL = [
    np.fft.fft2,
    np.fft.ifft2,
    np.fft.rfft2,
    np.fft.irfft2,
    np.fft.fftn,
    np.fft.ifftn,
    np.fft.rfftn,
    np.fft.irfftn,
]
NORMS = [None, "backward", "ortho", "forward"]
COMPLEX_ONLY = (
    "fft",
    "ifft",
    "irfft",
    "hfft",
    "fft2",
    "ifft2",
    "irfft2",
    "fftn",
    "ifftn",
    "irfftn",
)


def operand(function: Callable, *shape: int, dtype: Any = np.float64) -> np.ndarray:
    rng = np.random.default_rng(5)
    x = rng.normal(size=shape)
    if function.__name__ in COMPLEX_ONLY:
        x = x + 1j * rng.normal(size=shape)
        dtype = np.result_type(dtype, np.complex64)
    return x.astype(dtype)


def real_parts(z: Any) -> Any:
    """A complex array as real numbers, so that every part is checked."""
    return np.stack([np.real(z), np.imag(z)]) if np.iscomplexobj(z) else z


def as_real_function(
    function: Callable, x: np.ndarray, **options: Any
) -> tuple[Callable, np.ndarray]:
    """The same map of real vectors, whose Jacobian is a real matrix."""
    if x.dtype.kind == "c":
        return (
            lambda v: np.ravel(real_parts(function(v[0] + 1j * v[1], **options))),
            np.stack([x.real, x.imag]),
        )
    return lambda v: np.ravel(real_parts(function(v, **options))), x


def check_jacobian(function: Callable, x: np.ndarray, **options: Any) -> None:
    """Linear maps: the columns of the Jacobian are the images of unit vectors."""
    g, v = as_real_function(function, x, **options)
    units = np.eye(v.size).reshape(v.size, *v.shape)
    matrix = np.stack([g(u) for u in units], -1)
    pushed = np.stack([ft.jvp(g, (v,), (u,))[1] for u in units], -1)
    np.testing.assert_allclose(pushed, matrix, atol=1e-14)
    value, pull = ft.vjp(g, v)
    np.testing.assert_array_equal(value, g(v))
    pulled = np.stack([np.ravel(pull(u)[0]) for u in np.eye(value.size)])
    np.testing.assert_allclose(pulled, matrix, atol=1e-14)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("n", [None, 3, 4, 8])
@pytest.mark.parametrize("function", ONE_AXIS)
def test_jacobian_over_one_axis(function: Callable, n: int | None, norm: str | None) -> None:
    check_jacobian(function, operand(function, 5), n=n, norm=norm)


@pytest.mark.parametrize("function", SEVERAL)
@pytest.mark.parametrize(
    "options",
    [{}, {"s": (3, 4)}, {"axes": (1, 0)}, {"s": (4, 3), "axes": (-1, 0), "norm": "ortho"}],
)
def test_jacobian_over_several_axes(function: Callable, options: dict) -> None:
    if "s" in options and "axes" not in options:
        options = {**options, "axes": (-2, -1)}  # without axes NumPy warns
    check_jacobian(function, operand(function, 3, 4), **options)


def test_dft_matrix() -> None:
    """Against the matrix written out."""
    n = 6
    k = np.arange(n)
    matrix = np.exp(-2j * np.pi * np.outer(k, k) / n)
    rng = np.random.default_rng(0)
    z, ct = rng.normal(size=(2, n)) + 1j * rng.normal(size=(2, n))
    value, pull = ft.vjp(np.fft.fft, z)
    np.testing.assert_allclose(value, matrix @ z, atol=1e-13)
    np.testing.assert_allclose(pull(ct)[0], matrix.T @ ct, atol=1e-13)
    x = rng.normal(size=n)
    value, pull = ft.vjp(np.fft.fft, x)  # a real operand: the real part comes back
    np.testing.assert_allclose(pull(ct)[0], (matrix.T @ ct).real, atol=1e-13)
    assert pull(ct)[0].dtype == np.float64


@pytest.mark.parametrize("function", ONE_AXIS + SEVERAL)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_values_and_batching(function: Callable, dtype: Any) -> None:
    x = operand(function, 3, 4, 6, dtype=dtype)
    want = function(x[1])
    got, _ = ft.vjp(function, x[1])
    assert got.dtype == want.dtype
    np.testing.assert_array_equal(got, want)
    batched = ft.vmap(function)(x)
    assert batched.dtype == want.dtype
    np.testing.assert_allclose(batched, np.stack([function(v) for v in x]), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("function", [np.fft.fftshift, np.fft.ifftshift])
@pytest.mark.parametrize("axes", [None, 0, (1,), (0, 1)])
def test_shifts(function: Callable, axes: Any) -> None:
    check_jacobian(lambda x: function(x, axes), np.random.default_rng(1).normal(size=(3, 4)))


def test_second_order_and_nesting() -> None:
    rng = np.random.default_rng(2)
    x, w = rng.normal(size=(2, 7))

    def loss(x: Any) -> Any:
        spectrum = np.fft.rfft(x)
        return np.sum(np.abs(spectrum) ** 4) + np.sum(np.fft.irfft(spectrum * spectrum) * w[:6])

    grad = ft.grad(loss)
    h = 1e-5
    numeric = (grad(x + h * w) - grad(x - h * w)) / (2 * h)
    np.testing.assert_allclose(ft.jvp(grad, (x,), (w,))[1], numeric, rtol=1e-7)
    np.testing.assert_allclose(ft.grad(lambda x: np.vdot(grad(x), w))(x), numeric, rtol=1e-7)
    batch = np.stack([x, w])
    np.testing.assert_allclose(ft.vmap(grad)(batch), np.stack([grad(x), grad(w)]), rtol=1e-12)


def test_errors() -> None:
    x = np.ones(4)
    with pytest.raises(ValueError, match="Invalid norm"):
        ft.vjp(lambda x: np.fft.fft(x, norm="no"), x)
    with pytest.raises(ValueError, match="data points"):
        ft.vjp(lambda x: np.fft.fft(x, n=0), x)
    with pytest.raises(TypeError, match="complex"):
        ft.vjp(lambda x: np.fft.rfft(x * 1j), x)
    with pytest.raises(ValueError, match="different lengths"):
        ft.vjp(lambda x: np.fft.fftn(x, s=(2, 2), axes=(0,)), x)
