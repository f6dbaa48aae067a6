"""Special functions: values are SciPy's, derivatives agree with mpmath."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import mpmath as mp
import numpy as np
import pytest
import scipy.special as scipy_special

import functorch_like as ft
import functorch_like.scipy.special as special

ROOT2 = mp.sqrt(2)


def phi(x: Any) -> Any:
    return mp.erfc(-x / ROOT2) / 2


# name -> (mpmath's function, points)
UNARY: dict[str, tuple[Callable, list[float]]] = {
    "erf": (mp.erf, [-5, 0, 1e-8, 0.5, 3]),
    "erfc": (mp.erfc, [-2, 0, 5, 20]),
    "erfcx": (lambda x: mp.exp(x * x) * mp.erfc(x), [-3, 0, 5, 24.9, 25.1, 1e3, 1e8]),
    "erfinv": (mp.erfinv, [-0.999, 0, 0.7]),
    "erfcinv": (lambda x: mp.erfinv(1 - x), [0.1, 1.0, 1.7]),
    "gamma": (mp.gamma, [0.1, 1, 5.5, 30, -1.5]),
    "gammaln": (lambda x: mp.log(abs(mp.gamma(x))), [1e-5, 0.5, 1e5]),
    "loggamma": (mp.loggamma, [0.5, 1e3]),
    "rgamma": (mp.rgamma, [-3, -2.3, 0, 0.3, 0.5, 20]),
    "psi": (mp.digamma, [-1.3, 0.01, 30, 1e5]),
    "expit": (lambda x: 1 / (1 + mp.exp(-x)), [-40, -1, 3, 40]),
    "logit": (lambda x: mp.log(x / (1 - x)), [1e-10, 0.3, 0.9]),
    "log_expit": (lambda x: -mp.log(1 + mp.exp(-x)), [-800, -1, 0, 30]),
    "ndtr": (phi, [-8, -1, 0, 2, 6]),
    "log_ndtr": (lambda x: mp.log(phi(x)), [-1e3, -50, -3, -1e-3, 0, 0.5, 5]),
    "ndtri": (lambda p: ROOT2 * mp.erfinv(2 * p - 1), [1e-5, 0.3, 0.9]),
    "entr": (lambda x: -x * mp.log(x), [1e-300, 0.1, 3]),
    "exprel": (lambda x: mp.expm1(x) / x, [-50, -3, -1e-9, 1e-9, 2, 50]),
    "cosm1": (lambda x: mp.cos(x) - 1, [1e-9, 1, 3]),
    "exp10": (lambda x: mp.mpf(10) ** x, [-2, 3]),
    "erfi": (mp.erfi, [-2, 0, 1e-8, 3]),
    "spence": (lambda z: mp.polylog(2, 1 - z), [1e-3, 0.7, 1.0, 1.3, 1.49]),
    "zetac": (lambda s: mp.zeta(s) - 1, [-9.5, -2.0, -0.5, 0.0, 0.99, 1.5, 8.0, 40.0]),
    "ber": (lambda x: mp.ber(0, x), [1e-6, 2, 8]),
    "bei": (lambda x: mp.bei(0, x), [0.0, 1e-6, 2, 8]),
    "ker": (lambda x: mp.ker(0, x), [1e-3, 2]),
    "kei": (lambda x: mp.kei(0, x), [1e-3, 2]),
    "sindg": (lambda x: mp.sin(x * mp.pi / 180), [0, 30, 200]),
    "tandg": (lambda x: mp.tan(x * mp.pi / 180), [0, 30, 200]),
    "ndtri_exp": (lambda y: ROOT2 * mp.erfinv(2 * mp.exp(y) - 1), [-20, -3, -0.1]),
    "exp1": (mp.e1, [1e-8, 0.5, 50]),
    "expi": (mp.ei, [-3, -0.1, 10]),
    "dawsn": (
        lambda x: mp.sqrt(mp.pi) / 2 * mp.exp(-x * x) * mp.erfi(x),
        [-3, 0, 2, 10, 25.1, 100],
    ),
    "ellipk": (mp.ellipk, [-100, -0.5, -1e-6, 0, 1e-9, 0.3, 0.51, 0.99]),
    "ellipe": (mp.ellipe, [-100, -0.5, 0, 1e-9, 0.3, 0.51, 0.99]),
    "ellipkm1": (lambda p: mp.ellipk(1 - p), [1e-5, 0.3, 0.5, 1.0, 1.3, 10]),
    "j0": (lambda x: mp.besselj(0, x), [-3, 0, 1, 50]),
    "j1": (lambda x: mp.besselj(1, x), [-3, 0, 1e-8, 50]),
    "y0": (lambda x: mp.bessely(0, x), [1e-5, 3]),
    "y1": (lambda x: mp.bessely(1, x), [1e-5, 3]),
    "i0": (lambda x: mp.besseli(0, x), [-3, 0, 50]),
    "i1": (lambda x: mp.besseli(1, x), [-3, 0, 50]),
    "k0": (lambda x: mp.besselk(0, x), [1e-5, 3]),
    "k1": (lambda x: mp.besselk(1, x), [1e-5, 3]),
    "i0e": (lambda x: mp.besseli(0, x) * mp.exp(-abs(x)), [-3, 0.5, 50]),
    "i1e": (lambda x: mp.besseli(1, x) * mp.exp(-abs(x)), [-3, 0.5, 50]),
    "k0e": (lambda x: mp.besselk(0, x) * mp.exp(x), [1e-5, 3]),
    "k1e": (lambda x: mp.besselk(1, x) * mp.exp(x), [1e-5, 3]),
}


def mp_boxcox(x: Any, lam: Any) -> Any:
    return mp.log(x) if lam == 0 else mp.expm1(lam * mp.log(x)) / lam


def mp_inv_boxcox(y: Any, lam: Any) -> Any:
    return mp.exp(y) if lam == 0 else mp.exp(mp.log1p(lam * y) / lam)


def incomplete_beta(a: Any, b: Any, x: Any) -> Any:
    return mp.betainc(a, b, 0, x, regularized=True)


def lower_gamma(a: Any, x: Any) -> Any:
    return mp.gammainc(a, 0, x, regularized=True)


def student(df: Any, t: Any) -> Any:
    tail = incomplete_beta(df / 2, mp.mpf(1) / 2, df / (df + t * t)) / 2
    return tail if t < 0 else 1 - tail


# name, mpmath's function, operands, the operands differentiated
SEVERAL: list[tuple[str, Callable, tuple, tuple[int, ...]]] = [
    ("beta", mp.beta, (2.5, 0.7), (0, 1)),
    ("betaln", lambda a, b: mp.log(mp.beta(a, b)), (30.0, 1e-3), (0, 1)),
    ("xlogy", lambda x, y: x * mp.log(y), (2.5, 0.7), (0, 1)),
    ("xlogy", lambda x, y: x * mp.log(y), (0.0, 0.7), (0, 1)),
    ("xlog1py", lambda x, y: x * mp.log1p(y), (0.0, 1e-9), (0, 1)),
    ("rel_entr", lambda x, y: x * mp.log(x / y), (0.3, 2.0), (0, 1)),
    ("kl_div", lambda x, y: x * mp.log(x / y) - x + y, (0.3, 2.0), (0, 1)),
    ("boxcox", mp_boxcox, (2.5, 0.7), (0, 1)),
    ("boxcox", mp_boxcox, (2.5, 1e-9), (0, 1)),
    ("boxcox1p", lambda x, lam: mp_boxcox(1 + x, lam), (1e-9, -1.5), (0, 1)),
    ("inv_boxcox", mp_inv_boxcox, (0.5, 0.7), (0, 1)),
    ("inv_boxcox", mp_inv_boxcox, (0.5, 1e-9), (0, 1)),
    ("inv_boxcox1p", lambda y, lam: mp_inv_boxcox(y, lam) - 1, (0.5, 1.7), (0, 1)),
    ("polygamma", lambda n, x: mp.polygamma(int(n), x), (2, 1.3), (1,)),
    ("zeta", mp.zeta, (2.5, 1.3), (0, 1)),
    ("jv", mp.besselj, (2.5, 1.3), (0, 1)),
    ("yv", mp.bessely, (0.3, 1.3), (0, 1)),
    ("iv", mp.besseli, (2.0, 40.0), (0, 1)),
    ("kv", mp.besselk, (0.3, 1e-4), (0, 1)),
    ("ive", lambda v, x: mp.besseli(v, x) * mp.exp(-abs(x)), (1.5, 3.0), (0, 1)),
    ("kve", lambda v, x: mp.besselk(v, x) * mp.exp(x), (1.5, 3.0), (0, 1)),
    ("gammainc", lower_gamma, (2.5, 1.3), (0, 1)),
    ("gammaincc", lambda a, x: mp.gammainc(a, x, regularized=True), (2.5, 30.0), (0, 1)),
    ("betainc", incomplete_beta, (2.5, 1.7, 0.3), (0, 1, 2)),
    ("poch", lambda z, m: mp.gamma(z + m) / mp.gamma(z), (2.5, 1.7), (0, 1)),
    ("binom", mp.binomial, (5.5, 1.7), (0, 1)),
    ("powm1", lambda x, y: x**y - 1, (1.3, 1e-3), (0, 1)),
    ("pseudo_huber", lambda d, r: d * d * (mp.sqrt(1 + (r / d) ** 2) - 1), (1.3, 1e-3), (0, 1)),
    ("ellipkinc", mp.ellipf, (0.7, 1e-9), (0, 1)),
    ("ellipkinc", mp.ellipf, (4.0, 0.6), (0, 1)),
    ("ellipeinc", mp.ellipe, (0.7, -3.0), (0, 1)),
    ("elliprf", mp.elliprf, (0.3, 0.3, 1e3), (0, 1, 2)),
    ("elliprd", mp.elliprd, (1.0, 1e-4, 1.0), (0, 1, 2)),
    ("elliprj", mp.elliprj, (1.0, 2.0, 3.0, 0.5), (0, 1, 2, 3)),
    ("elliprg", mp.elliprg, (1.0, 2.0, 3.0), (0, 1, 2)),
    ("elliprc", mp.elliprc, (1.0, 2.0), (0, 1)),
    ("agm", mp.agm, (1.0, 1e-6), (0, 1)),
    ("struve", mp.struveh, (1.5, 2.0), (1,)),
    ("modstruve", mp.struvel, (1.5, 2.0), (1,)),
    ("hyp0f1", mp.hyp0f1, (1.5, -2.0), (0, 1)),
    ("hyp1f1", mp.hyp1f1, (1.5, 2.5, -30.0), (0, 1)),
    ("hyp1f1", mp.hyp1f1, (0.3, 1.5, 50.0), (0, 1)),
    ("hyp2f1", mp.hyp2f1, (1.5, 0.5, 2.5, -0.6), (0, 1, 2)),
    ("hyp2f1", mp.hyp2f1, (1.5, -0.5, 2.5, 0.9), (0, 1, 2)),
    ("hyperu", mp.hyperu, (1.5, 0.5, 2.0), (2,)),
    ("eval_gegenbauer", mp.gegenbauer, (4, 0.7, 1.0), (2,)),
    ("eval_jacobi", mp.jacobi, (4, 0.7, 1.2, -1.0), (3,)),
    ("spherical_in", lambda n, x: mp.sqrt(mp.pi / 2 / x) * mp.besseli(n + 0.5, x), (2, 1.3), (1,)),
    ("spherical_kn", lambda n, x: mp.sqrt(mp.pi / 2 / x) * mp.besselk(n + 0.5, x), (2, 1.3), (1,)),
    ("gdtr", lambda a, b, x: lower_gamma(b, a * x), (0.5, 1.7, 3.0), (0, 1, 2)),
    ("stdtr", student, (3.5, -1.2), (0, 1)),
    ("stdtr", student, (3.5, 0.7), (0, 1)),
    (
        "fdtr",
        lambda m, n, x: incomplete_beta(m / 2, n / 2, m * x / (n + m * x)),
        (3.0, 5.0, 0.7),
        (0, 1, 2),
    ),
    ("expn", lambda n, x: mp.expint(n, x), (3, 0.7), (1,)),
    ("expn", lambda n, x: mp.expint(n, x), (0, 0.7), (1,)),
    ("hyp1f1", mp.hyp1f1, (1.5, 2.5, -3.0), (2,)),
    ("hyp2f1", mp.hyp2f1, (1.5, 0.5, 2.5, 0.3), (3,)),
]


def reference(f: Callable, at: float, order: int = 1) -> float:
    """A derivative by mpmath, in enough digits that the difference is exact."""
    with mp.workdps(60):
        step = mp.mpf(abs(at) or 1e-3) * mp.mpf(10) ** -14
        return float(mp.diff(f, mp.mpf(float(at)), order, h=step))


@pytest.mark.parametrize("name", UNARY)
def test_unary_against_mpmath(name: str) -> None:
    exact, points = UNARY[name]
    f = getattr(special, name)
    x = np.array(points, float)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # no branch may meet arguments outside its domain
        first = ft.vmap(ft.grad(f))(x)
        second = ft.vmap(ft.grad(ft.grad(f)))(x)
    np.testing.assert_allclose(first, [reference(exact, p) for p in x], rtol=4e-12, atol=1e-300)
    np.testing.assert_allclose(second, [reference(exact, p, 2) for p in x], rtol=1e-9, atol=1e-160)
    pushed = ft.jvp(f, (x,), (np.ones_like(x),))[1]
    np.testing.assert_allclose(pushed, first, rtol=1e-15)


@pytest.mark.parametrize(("name", "exact", "operands", "which"), SEVERAL)
def test_several_operands_against_mpmath(
    name: str, exact: Callable, operands: tuple, which: tuple[int, ...]
) -> None:
    f = getattr(special, name)
    for i in which:

        def along(x: Any, i: int = i) -> Any:
            fixed = [v if isinstance(v, int) else mp.mpf(v) for v in operands]
            return exact(*fixed[:i], x, *fixed[i + 1 :])

        values = [np.float64(v) if k in which else v for k, v in enumerate(operands)]
        got = ft.grad(f, argnums=i)(*values)
        np.testing.assert_allclose(got, reference(along, operands[i]), rtol=1e-11)
        if (name, operands[0]) != ("expn", 0):
            twice = ft.grad(lambda *a: ft.grad(f, argnums=i)(*a), argnums=i)(*values)  # noqa: B023
            want = reference(along, operands[i], 2)
            np.testing.assert_allclose(twice, want, rtol=1e-8, atol=1e-12)


def test_spherical_bessel_and_sinc_at_zero() -> None:
    f: Callable = np.sinc
    # sinc(x) = sum (-1)^k (pi x)^(2k) / (2k + 1)!
    want = [1.0, 0.0, -(math.pi**2) / 3, 0.0, math.pi**4 / 5, 0.0, -(math.pi**6) / 7]
    for value in want:
        np.testing.assert_allclose(f(np.float64(0.0)), value, atol=1e-12)
        f = ft.grad(f)
    x = np.array([-2.5, 0.3, 1.0, 7.0])
    exact = [reference(lambda t: mp.sin(mp.pi * t) / (mp.pi * t), p) for p in x]
    np.testing.assert_allclose(ft.vmap(ft.grad(np.sinc))(x), exact, rtol=1e-12)
    value, _ = ft.vjp(np.sinc, x)
    np.testing.assert_array_equal(value, np.sinc(x))
    np.testing.assert_allclose(
        ft.grad(lambda t: special.spherical_jn(3, t))(np.float64(2.0)),
        scipy_special.spherical_jn(3, 2.0, derivative=True),
        rtol=1e-13,
    )


def test_numpy_i0() -> None:
    x = np.array([-2.0, 0.0, 9.0])
    value, pull = ft.vjp(np.i0, x)
    np.testing.assert_array_equal(value, np.i0(x))
    np.testing.assert_allclose(pull(np.ones(3))[0], scipy_special.i1(x), rtol=1e-14)
    np.testing.assert_array_equal(ft.vmap(np.i0)(x), np.i0(x))


def test_ends_of_domains() -> None:
    with np.errstate(all="ignore"):
        zero, one = np.float64(0.0), np.float64(1.0)
        assert ft.grad(special.xlogy)(zero, np.float64(3.0)) == np.log(3.0)
        assert ft.grad(special.xlogy, argnums=1)(zero, zero) == 0.0
        assert ft.grad(special.xlogy)(zero, zero) == -np.inf
        mixed = ft.grad(lambda y: ft.grad(special.xlogy)(zero, y))(np.float64(4.0))
        assert mixed == 0.25
        assert ft.grad(special.entr)(zero) == np.inf
        assert ft.grad(special.logit)(zero) == np.inf
        assert ft.grad(special.erfinv)(one) == np.inf
        assert ft.grad(special.k0)(zero) == -np.inf
        for x in (-700.0, 700.0):
            assert np.isfinite(ft.grad(ft.grad(special.log_expit))(np.float64(x)))
        assert ft.grad(special.log_ndtr)(np.float64(-np.inf)) == np.inf
        assert ft.grad(special.log_ndtr)(np.float64(50.0)) == 0.0
        assert ft.grad(ft.grad(special.log_ndtr))(np.float64(50.0)) == 0.0
        assert ft.grad(special.expit)(np.float64(40.0)) == pytest.approx(math.exp(-40), rel=1e-14)


REFUSED: list[tuple[str, tuple, int]] = [
    ("hyperu", (1.5, 2.0, 0.3), 1),
    ("hankel1", (1.5, 2.0), 0),
    ("struve", (1.5, 2.0), 0),
    ("eval_jacobi", (3.0, 0.5, 0.5, 0.3), 1),
    ("chndtr", (1.5, 2.0, 0.3), 1),
    ("ncfdtr", (1.5, 2.0, 1.0, 0.3), 0),
]


@pytest.mark.parametrize(("name", "operands", "i"), REFUSED)
def test_refusals(name: str, operands: tuple, i: int) -> None:
    values = tuple(map(np.float64, operands))
    f = getattr(special, name)
    with pytest.raises(TypeError, match=f"{name}: no derivative is known"):
        ft.grad(lambda *xs: np.real(f(*xs)), argnums=i)(*values)
    with pytest.raises(TypeError, match=f"{name}: no derivative is known"):
        ft.jvp(lambda v: f(*values[:i], v, *values[i + 1 :]), (values[i],), (np.float64(1.0),))


def test_a_series_that_cancels_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"hyp2f1: .* cancels or does not"):
        ft.grad(special.hyp2f1)(1.5, 0.5, 2.5, -3.0)
    with pytest.raises(ValueError, match=r"hyp0f1: .* cancels or does not"):
        ft.grad(special.hyp0f1)(1.5, -400.0)


def test_complex_scaling_is_refused() -> None:
    z, one = np.complex128(1 + 1j), np.complex128(1.0)
    with pytest.raises(TypeError, match="exp"):
        ft.jvp(lambda z: special.ive(1.0, z), (z,), (one,))
    with pytest.raises(TypeError, match="real operands only"):
        ft.jvp(lambda z: special.jve(1.0, z), (z,), (one,))
    with pytest.raises(TypeError, match="real operands only"):
        ft.jvp(special.airye, (z,), (one,))


def test_holomorphic() -> None:
    z = np.complex128(0.4 + 0.3j)
    for name in ("erf", "erfcx", "gamma", "expi"):
        f = getattr(special, name)
        h = 1e-6
        want = (f(z + h) - f(z - h)) / (2 * h)
        got = ft.jvp(f, (z,), (np.complex128(1.0),))[1]
        np.testing.assert_allclose(got, want, rtol=1e-8)


def test_scipy_ufuncs_take_tracers() -> None:
    x = np.array([0.2, 0.7], np.float32)
    for ufunc in (
        scipy_special.erf,
        scipy_special.gammaln,
        scipy_special.digamma,
        scipy_special.log1p,
    ):
        value, pull = ft.vjp(ufunc, x)
        np.testing.assert_array_equal(value, ufunc(x))
        assert value.dtype == pull(np.ones_like(value))[0].dtype == np.float32
    np.testing.assert_allclose(
        ft.vmap(lambda v: scipy_special.jv(v, 1.3))(np.arange(3)),
        scipy_special.jv(np.arange(3), 1.3),
    )


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [None, 0, (0, 1), -1])
def test_logsumexp(axis: Any, keepdims: bool) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 3, 4))
    a[0, 0] = -np.inf
    a[:, 1] += 900.0
    options = {"axis": axis, "keepdims": keepdims}
    want = scipy_special.logsumexp(a, **options)
    got, pull = ft.vjp(lambda a: special.logsumexp(a, **options), a)
    np.testing.assert_allclose(got, want, rtol=1e-14)
    assert np.shape(got) == np.shape(want)
    wide = scipy_special.logsumexp(a, axis=axis, keepdims=True)
    np.testing.assert_allclose(pull(np.ones_like(got))[0], np.exp(a - wide), rtol=1e-12)
    got = special.logsumexp(a, b=b, return_sign=True, **options)
    want = scipy_special.logsumexp(a, b=b, return_sign=True, **options)
    np.testing.assert_allclose(got[0], want[0], rtol=1e-12)
    np.testing.assert_array_equal(got[1], want[1])


def test_logsumexp_of_nothing_and_of_infinities() -> None:
    low = np.full(3, -np.inf)
    with np.errstate(divide="ignore"):
        assert special.logsumexp(low) == -np.inf
        assert special.logsumexp(np.array([np.inf, 0.0])) == np.inf
    assert special.logsumexp(np.zeros(0)) == -np.inf
    assert special.logsumexp(np.array([5.0, np.inf]), b=np.array([1.0, 0.0])) == 5.0


def test_signed_logsumexp_derivative() -> None:
    a, b = np.array([0.3, 1.0, -0.4]), np.array([1.0, -2.0, 0.5])

    def f(a: Any, b: Any) -> Any:
        return special.logsumexp(a, b=b, return_sign=True)[0]

    total = np.sum(b * np.exp(a))
    np.testing.assert_allclose(ft.grad(f)(a, b), b * np.exp(a) / total, rtol=1e-13)
    np.testing.assert_allclose(ft.grad(f, argnums=1)(a, b), np.exp(a) / total, rtol=1e-13)


@pytest.mark.parametrize("axis", [None, 0, 1, (0, 1)])
def test_softmax(axis: Any) -> None:
    rng = np.random.default_rng(1)
    x, w = rng.normal(size=(2, 3, 4))
    x[0, 2] = 800.0
    for name in ("softmax", "log_softmax"):
        f, scipy_f = getattr(special, name), getattr(scipy_special, name)
        np.testing.assert_allclose(f(x, axis), scipy_f(x, axis), rtol=1e-13)
        pushed = ft.jvp(lambda x: f(x, axis), (x,), (w,))[1]  # noqa: B023
        h = 1e-6
        numeric = (scipy_f(x + h * w, axis) - scipy_f(x - h * w, axis)) / (2 * h)
        np.testing.assert_allclose(pushed, numeric, rtol=1e-6, atol=1e-7)


def test_others() -> None:
    x = np.array([-800.0, 0.0, 2.0, 800.0])
    np.testing.assert_allclose(
        special.softplus(x), [0.0, math.log(2), np.log1p(np.exp(2.0)), 800.0]
    )
    slope = ft.grad(lambda x: np.sum(special.softplus(x)))(x)
    np.testing.assert_allclose(slope, scipy_special.expit(x), atol=1e-300)
    a = np.float64(4.3)
    assert special.multigammaln(a, 3) == pytest.approx(
        scipy_special.multigammaln(4.3, 3), rel=1e-14
    )
    want = sum(scipy_special.psi(4.3 - 0.5 * j) for j in range(3))
    assert ft.grad(lambda a: special.multigammaln(a, 3))(a) == pytest.approx(want, rel=1e-14)
    assert special.factorial(5) == pytest.approx(120.0)
    assert special.zeta(np.float64(2.0)) == pytest.approx(math.pi**2 / 6)
    assert special.polygamma(1, np.float32(2.0)).dtype == np.float32
