"""numpy.polynomial beyond the support table: closed forms, zeros, compilation, refusals."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import functorch_like as ft
from functorch_like.numpy import polynomial as P

MODULES = [P.polynomial, P.chebyshev, P.legendre, P.hermite, P.hermite_e, P.laguerre]
PREFIX = ["poly", "cheb", "leg", "herm", "herme", "lag"]
C = np.array([-6.0, 11.0, -6.0, 1.0])  # (x - 1)(x - 2)(x - 3)


def test_roots_move_as_the_closed_form_says() -> None:
    roots = np.array([1.0, 2.0, 3.0])
    slope = np.polynomial.polynomial.polyval(roots, np.polynomial.polynomial.polyder(C))
    want = -(roots[:, None] ** np.arange(4)) / slope[:, None]
    for jacobian in (ft.jacfwd, ft.jacrev):
        np.testing.assert_allclose(jacobian(P.polynomial.polyroots)(C), want, rtol=1e-9)


@pytest.mark.parametrize(("module", "p"), list(zip(MODULES, PREFIX, strict=True)), ids=PREFIX)
def test_zero_coefficients_have_derivatives(module, p: str) -> None:
    """Where NumPy would trim: the product's Jacobian is that at any other point."""
    mul, zero = getattr(module, p + "mul"), np.array([1.0, 0.0])
    moved = ft.jacfwd(lambda c: mul(c, [1.0, 2.0]))(zero + 0.5)
    np.testing.assert_allclose(ft.jacfwd(lambda c: mul(c, [1.0, 2.0]))(zero), moved, atol=1e-12)
    for name, more in (("mulx", ()), ("int", ()), ("line", (0.0,))):
        f = getattr(module, p + name)
        at = (lambda c, f=f: f(c[0], c[0])) if more else f
        for c in (np.array([0.0]), np.array([2.0])):
            value, slope = ft.jvp(at, (c,), (np.ones(1),))
            np.testing.assert_allclose(value, at(np.ones(1)) * c[0], atol=1e-15)
            np.testing.assert_allclose(slope, at(np.ones(1)), atol=1e-15)
    plain = getattr(getattr(np.polynomial, module.__name__.rpartition(".")[2]), p + "mul")
    np.testing.assert_array_equal(mul(zero, [1.0, 2.0]), plain(zero, [1.0, 2.0]))


def test_series_of_a_function_fitted_and_differentiated() -> None:
    # The Chebyshev series of exp(a x) has the coefficients 2 I_k(a) (DLMF 10.35.2), I_0 halved.
    from scipy.special import ivp

    def fitted(a):
        x = np.cos(np.pi * (np.arange(40) + 0.5) / 40)
        return P.chebyshev.chebfit(x, np.exp(a * x), 12)

    want = 2 * ivp(np.arange(13), 0.7)
    want[0] /= 2
    np.testing.assert_allclose(ft.jvp(fitted, (0.7,), (1.0,))[1], want, atol=1e-10)


def test_compiled_and_batched() -> None:
    f = lambda c, x: P.Polynomial(c, domain=[-2, 2]).integ(lbnd=0.5)(x)
    g = ft.jit(ft.grad(f))
    np.testing.assert_allclose(g(C, 1.3), ft.grad(f)(C, 1.3), rtol=1e-12)
    batch = np.stack([C, 2 * C])
    found = ft.vmap(ft.grad(f), (0, None))(batch, 1.3)
    np.testing.assert_allclose(found, np.stack([ft.grad(f)(C, 1.3)] * 2))
    x = np.linspace(0, 1, 8)
    fit = ft.vmap(lambda y: P.polynomial.polyfit(x, y, 2))(np.stack([x, x**2]))
    np.testing.assert_allclose(fit, [[0, 1, 0], [0, 0, 1]], atol=1e-12)


def test_instances_are_as_numpys() -> None:
    for name in ("Polynomial", "Chebyshev", "Legendre", "Hermite", "HermiteE", "Laguerre"):
        ours, plain = getattr(P, name), getattr(np.polynomial, name)
        assert repr(ours([1, 2])) == repr(plain([1, 2])) and str(ours([1, 2])) == str(plain([1, 2]))
        np.testing.assert_array_equal(ours([1.0, 2.0, 0.0]).trim().coef, [1, 2])
        assert ours([1, 2]) == ours([1, 2])
        assert ours.basis(2).degree() == 2
    copied = pickle.loads(pickle.dumps(P.Legendre([1, 2])))
    np.testing.assert_array_equal(copied.coef, [1, 2])
    cheb = P.Polynomial(C).convert(kind=P.Chebyshev)
    np.testing.assert_allclose(cheb.coef, np.polynomial.chebyshev.poly2cheb(C), atol=1e-12)
    slope = ft.jacfwd(lambda c: P.Polynomial(c).convert(kind=P.Chebyshev).coef)(C)
    np.testing.assert_allclose(
        ft.jit(lambda c: P.Polynomial(c).convert(kind=P.Chebyshev).coef)(C), cheb.coef
    )
    units = np.eye(4)
    want = [P.Polynomial(u).convert(kind=P.Chebyshev).coef for u in units]
    np.testing.assert_allclose(slope, np.stack([np.pad(w, (0, 4 - len(w))) for w in want], 1))
    text = []
    ft.jvp(lambda c: (text.append(repr(P.Polynomial(c))), c)[1], (C,), (C,))
    assert text[0].startswith("Polynomial(Traced(array([-6., 11., -6.,  1.])")


def test_numpys_own_classes_say_where_ours_are() -> None:
    with pytest.raises(ft.errors.ConcreteValueError, match=r"functorch_like\.numpy\.polynomial"):
        ft.grad(lambda x: np.polynomial.Polynomial(C)(x))(2.0)
    with pytest.raises(ZeroDivisionError):
        ft.jvp(lambda c: P.polynomial.polydiv([1.0, 2.0], c)[0], (np.zeros(2),), (np.ones(2),))
    with pytest.raises(TypeError, match="expected 3 rows in y"):
        ft.grad(lambda y: P.polynomial.polyfit([0, 1, 2], y, 1)[0])(np.ones(4))
    with pytest.warns(np.exceptions.RankWarning):
        ft.grad(lambda y: P.polynomial.polyfit([0, 1], y, 3)[0])(np.ones(2))
    # these two ask their arguments, and so need no other name
    f = lambda x: np.polynomial.polynomial.polyval2d(x, x, np.ones((2, 2)))
    assert ft.grad(f)(2.0) == 6.0
