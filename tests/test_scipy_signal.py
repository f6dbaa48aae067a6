"""Signal processing: filters, convolutions and spectra against SciPy, closed forms and loops."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import scipy.fft
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st

import functorch_like as ft
from functorch_like.scipy import fft, signal
from functorch_like.scipy.source import traced_version

rng = np.random.default_rng(5)


@settings(deadline=None, max_examples=30)
@given(
    n=st.integers(1, 12),
    nb=st.integers(1, 4),
    na=st.integers(1, 4),
    lead=st.sampled_from([(), (2,), (2, 3), (0,)]),
    seed=st.integers(0, 99),
    single=st.booleans(),
)
def test_lfilter_is_its_recursion(n, nb, na, lead, seed, single) -> None:
    draw = np.random.default_rng(seed)
    dtype = np.float32 if single else np.float64
    b, a, x = (draw.normal(size=s).astype(dtype) for s in (nb, na, (*lead, n)))
    a[0] = 2.0
    a[1:] *= 0.2
    got = ft.jvp(lambda v: signal.lfilter(b, a, v), (x,), (x,))[0]
    y = np.zeros(x.shape)
    for k in range(n):
        total = sum((b[j] * x[..., k - j] for j in range(nb) if j <= k), np.zeros(lead))
        total = total - sum((a[j] * y[..., k - j] for j in range(1, na) if j <= k), np.zeros(lead))
        y[..., k] = total / a[0]
    np.testing.assert_allclose(got, y, atol=1e-4 if single else 1e-12)
    assert got.dtype == dtype


def test_lfilter_state_carries_on() -> None:
    b, a = scipy.signal.butter(4, 0.2)
    x = rng.normal(size=(2, 30))

    def in_two(v):
        first, state = signal.lfilter(b, a, v[:, :2], zi=np.zeros((2, 4)))
        second, _ = signal.lfilter(b, a, v[:, 2:], zi=state)
        return np.concatenate([first, second], 1)

    whole, t = ft.jvp(lambda v: signal.lfilter(b, a, v), (x,), (x[::-1],))
    parts, u = ft.jvp(in_two, (x,), (x[::-1],))
    np.testing.assert_allclose(parts, whole, atol=1e-12)
    np.testing.assert_allclose(u, t, atol=1e-12)


def test_lfilter_derivative_in_the_pole() -> None:
    # y_n = sum_k p^k for x = 1: dy_n/dp = sum_k k p^(k - 1).
    p, n = 0.7, 9
    slope = ft.jacrev(lambda q: signal.lfilter([1.0], np.stack([1.0, -q]), np.ones(n)))(p)
    want = [sum(k * p ** (k - 1) for k in range(1, m + 1)) for m in range(n)]
    np.testing.assert_allclose(slope, want, rtol=1e-12)
    curved = ft.grad(ft.grad(lambda q: signal.lfilter([1.0], np.stack([1.0, -q]), np.ones(n))[-1]))
    want2 = sum(k * (k - 1) * p ** (k - 2) for k in range(2, n))
    np.testing.assert_allclose(curved(p), want2, rtol=1e-10)


def test_gain_in_the_leading_coefficient() -> None:
    # a[0] = 1 exactly: SciPy's source does not divide by it, the derivative must.
    b, a = scipy.signal.butter(2, 0.3)
    got = ft.jvp(lambda c: signal.lfilter_zi(b, c), (a,), (np.array([1.0, 0, 0]),))[1]
    h = 1e-6
    up, down = (scipy.signal.lfilter_zi(b, a + s * h * np.eye(3)[0]) for s in (1, -1))
    np.testing.assert_allclose(got, (up - down) / (2 * h), rtol=1e-6)


@settings(deadline=None, max_examples=40)
@given(
    x=st.tuples(st.integers(1, 5), st.integers(1, 6)),
    y=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    mode=st.sampled_from(["full", "same", "valid"]),
    method=st.sampled_from(["direct", "fft"]),
    kinds=st.tuples(st.booleans(), st.booleans()),
)
def test_correlate_any_shape(x, y, mode, method, kinds) -> None:
    if mode == "valid" and not (
        all(a >= b for a, b in zip(x, y, strict=True))
        or all(a <= b for a, b in zip(x, y, strict=True))
    ):
        return
    p, q = (
        rng.normal(size=s) + (1j * rng.normal(size=s) if c else 0)
        for s, c in zip((x, y), kinds, strict=True)
    )
    for name in ("convolve", "correlate"):
        want = getattr(scipy.signal, name)(p, q, mode, method)
        for wrong_way in (False, True):
            # Strides that are not C's.
            u = np.asfortranarray(p)[::-1][::-1] if wrong_way else p
            got, pull = ft.vjp(lambda u, v, n=name: getattr(signal, n)(u, v, mode, method), u, q)
            np.testing.assert_allclose(got, want, atol=1e-10)
            ct = np.ones(want.shape, want.dtype)
            assert [c.shape for c in pull(ct)] == [p.shape, q.shape]


def test_compiled_and_batched() -> None:
    b, a = scipy.signal.butter(3, 0.3)
    x = rng.normal(size=(4, 40))

    def loss(v):
        y = signal.filtfilt(b, a, v)
        return np.sum(np.abs(signal.hilbert(y)) ** 2) + np.sum(signal.welch(v, nperseg=16)[1])

    want = np.stack([ft.grad(loss)(row) for row in x])
    np.testing.assert_allclose(ft.vmap(ft.grad(loss))(x), want, atol=1e-10)
    np.testing.assert_allclose(ft.jit(ft.grad(loss))(x[0]), want[0], atol=1e-10)


def test_parseval_of_the_stft() -> None:
    x = rng.normal(size=64)

    def again(v):
        return signal.istft(signal.stft(v, nperseg=16)[2], nperseg=16)[1]

    np.testing.assert_allclose(ft.jacfwd(again)(x), np.eye(64), atol=1e-12)


@pytest.mark.parametrize("kind", [1, 2, 3, 4])
@pytest.mark.parametrize("name", ["dct", "dst"])
@pytest.mark.parametrize("norm", [None, "ortho", "forward"])
def test_inverse_transforms(name: str, kind: int, norm: str) -> None:
    x = rng.normal(size=(2, 6))

    def there_and_back(v):
        return getattr(fft, "i" + name)(getattr(fft, name)(v, kind, norm=norm), kind, norm=norm)

    np.testing.assert_allclose(ft.jvp(there_and_back, (x,), (x,))[1], x, atol=1e-12)


def test_refusals_name_the_function_and_the_line() -> None:
    with pytest.raises(TypeError, match=r"scipy\.signal\.find_peaks: positions of peaks.*test_sci"):
        ft.grad(lambda x: signal.find_peaks(x)[0].sum())(np.arange(5.0))
    with pytest.raises(TypeError, match="roots"):
        ft.grad(lambda x: signal.unique_roots(x)[0].sum())(np.arange(5.0))
    with pytest.raises(ValueError, match="vector of coefficients b"):
        ft.grad(lambda x: signal.lfilter(np.ones((2, 2)), [1.0], x).sum())(np.arange(5.0))
    with pytest.raises(ValueError, match=r"state zi of shape \(2,\)"):
        ft.grad(lambda x: signal.lfilter([1.0, 2, 3], [1.0], x, zi=x)[0].sum())(np.arange(5.0))
    with pytest.raises(AttributeError):
        _ = signal.no_such_name


def test_plain_arguments_reach_scipy_itself() -> None:
    x = rng.normal(size=30)
    np.testing.assert_array_equal(signal.detrend(x), scipy.signal.detrend(x))
    assert "welch" in dir(signal)
    assert inspect.unwrap(signal.butter) is inspect.unwrap(scipy.signal.butter)
    assert traced_version(scipy.signal.detrend, "d")(x).shape == x.shape
    np.testing.assert_array_equal(
        signal.windows.gaussian(5, 1.0), scipy.signal.windows.gaussian(5, 1.0)
    )


def test_window_with_a_traced_width() -> None:
    # exp(-k^2 / (2 s^2)): slope k^2 / s^3 times the window.
    k = np.arange(5) - 2.0
    got = ft.jacfwd(lambda s: signal.windows.gaussian(5, s))(1.5)
    np.testing.assert_allclose(got, k**2 / 1.5**3 * np.exp(-(k**2) / (2 * 1.5**2)), rtol=1e-12)
