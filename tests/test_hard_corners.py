"""Where a derivative does not exist, or a formula for it does not: the choices, one a row.

docs/corners.md is the page of them, with what other libraries give.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import functorch_like as ft
import functorch_like.scipy.special as sp

INF, NAN = np.inf, np.nan
L = np.linalg


def sqrt_where(x: Any) -> Any:
    return np.where(x > 0, np.sqrt(x), 0.0).sum()


def through_eigh(a: Any) -> Any:
    """exp of a Hermitian matrix; the sum of its diagonal and of its square's."""
    w, v = L.eigh(a.reshape(2, 2))
    found = (v * np.exp(w)) @ v.T
    return np.trace(found) + np.trace(found @ found)


def set_by_mask(x: Any) -> Any:
    y = np.log(x)
    y[x <= 0] = 0.0
    return y.sum()


# (name, function, point, gradient): finite to second order too.
ROWS: list[tuple[str, Any, list, list]] = [
    ("abs at 0", lambda x: np.abs(x).sum(), [0.0], [0]),
    ("sign at 0", lambda x: np.sign(x).sum(), [0.0], [0]),
    ("floor at 1", lambda x: np.floor(x).sum(), [1.0], [0]),
    ("mod at a multiple", lambda x: (x % 1.0).sum(), [1.0], [1]),
    ("x ** 0 at 0", lambda x: (x**0).sum(), [0.0], [0]),
    ("x ** 1 at 0", lambda x: (x**1).sum(), [0.0], [1]),
    ("0 ** 0", lambda x: np.power(x[0], x[1]), [0.0, 0.0], [0, 0]),
    ("0 ** 1", lambda x: np.power(x[0], x[1]), [0.0, 1.0], [1, 0]),
    ("0 ** 2", lambda x: np.power(x[0], x[1]), [0.0, 2.0], [0, 0]),
    ("constant 0 ** y at 0", lambda x: (0.0**x).sum(), [0.0], [0]),
    ("maximum, tied", lambda x: np.maximum(x[0], x[1]), [1.0, 1.0], [0.5, 0.5]),
    ("fmin, tied", lambda x: np.fmin(x[0], x[1]), [1.0, 1.0], [0.5, 0.5]),
    ("max, two tied", np.max, [1.0, 3.0, 3.0], [0, 0.5, 0.5]),
    ("min, all tied", np.min, [2.0, 2.0, 2.0], [1 / 3] * 3),
    ("sort, tied: in order", lambda x: np.sort(x) @ np.arange(3.0), [2.0, 2.0, 1.0], [1, 2, 0]),
    ("median, tied in the middle", np.median, [1.0, 2.0, 2.0, 3.0], [0, 0.5, 0.5, 0]),
    ("median, all tied: the middle one", np.median, [2.0, 2.0, 2.0], [0, 1, 0]),
    ("clip on its bounds", lambda x: np.clip(x, 1, 2).sum(), [1.0, 2.0, 3.0], [1, 1, 0]),
    ("hypot at 0", lambda x: np.hypot(x[0], x[1]), [0.0, 0.0], [0, 0]),
    ("arctan2 at 0", lambda x: np.arctan2(x[0], x[1]), [0.0, 0.0], [0, 0]),
    ("std of equal values", np.std, [2.0, 2.0, 2.0], [0, 0, 0]),
    ("var of equal values", np.var, [2.0, 2.0, 2.0], [0, 0, 0]),
    ("prod, one zero", np.prod, [0.0, 2.0, 3.0], [6, 0, 0]),
    ("prod, two zeros", np.prod, [0.0, 0.0, 3.0], [0, 0, 0]),
    ("cumprod, one zero", lambda x: np.cumprod(x).sum(), [2.0, 0.0, 3.0], [1, 8, 0]),
    ("cumprod, two zeros", lambda x: np.cumprod(x).sum(), [0.0, 0.0, 3.0], [1, 0, 0]),
    ("logaddexp of -inf", lambda x: np.logaddexp(x[0], x[1]), [-INF, -INF], [0, 0]),
    ("logaddexp with -inf", lambda x: np.logaddexp(x[0], x[1]), [-INF, 1.0], [0, 1]),
    ("sinc at 0", lambda x: np.sinc(x).sum(), [0.0], [0]),
    ("entropy of 0", lambda x: sp.entr(x).sum(), [1.0, 2.0], [-1, -1 - np.log(2)]),
    # What a selection did not choose takes no part.
    (
        "where over log",
        lambda x: np.where(x > 0, np.log(x), 0).sum(),
        [-1.0, 0.0, 4.0],
        [0, 0, 0.25],
    ),
    ("where over sqrt", sqrt_where, [-1.0, 0.0, 4.0], [0, 0, 0.25]),
    ("where over x log x", lambda x: np.where(x > 0, x * np.log(x), 0).sum(), [0.0, 1.0], [0, 1]),
    ("where over a quotient", lambda x: np.where(x != 0, np.sin(x) / x, 1).sum(), [0.0], [0]),
    ("where over a power", lambda x: np.where(x > 0, x**1.5, x).sum(), [-1.0, 0.0, 4.0], [1, 1, 3]),
    (
        "where over arcsin",
        lambda x: np.where(x < 1, np.arcsin(x), x).sum(),
        [0.0, 1.0, 2.0],
        [1, 1, 1],
    ),
    (
        "where over a reshape",
        lambda x: np.where(x[:, None] > 0, np.log(x)[:, None] * np.ones(2), 0).sum(),
        [0.0, 4.0],
        [0, 0.5],
    ),
    ("where over a sum", lambda x: np.where(x[0] > 0, np.sum(1 / x), 3.0), [0.0, 0.0], [0, 0]),
    (
        "where, used twice",
        lambda x: (lambda y: (np.where(x > 0, y, 0) + np.where(x > 1, y, 0)).sum())(np.log(x)),
        [0.0, 0.5, 2.0],
        [0, 2, 1],
    ),
    (
        "where over a unit vector",
        lambda x: np.where(L.norm(x) > 0, x / L.norm(x), 0).sum(),
        [0.0, 0.0],
        [0, 0],
    ),
    ("clip over log", lambda x: np.clip(np.log(x), -3, None).sum(), [0.0, 4.0], [0, 0.25]),
    ("sum where", lambda x: np.sum(np.log(x), where=x > 0), [0.0, 4.0], [0, 0.25]),
    ("assignment by a mask", set_by_mask, [0.0, 4.0], [0, 0.25]),
    (
        "nan_to_num over log",
        lambda x: np.nan_to_num(np.log(x), neginf=-9.0).sum(),
        [0.0, 4.0],
        [0, 0.25],
    ),
    # NaN is absent
    ("nansum", lambda x: np.nansum(x * x), [NAN, 2.0], [0, 4]),
    ("nanprod", lambda x: np.nanprod(x), [NAN, 2.0, 3.0], [0, 3, 2]),
    ("nanmean", lambda x: np.nanmean(x * x), [NAN, 2.0], [0, 4]),
    ("nanmax", np.nanmax, [NAN, 2.0, 1.0], [0, 1, 0]),
    ("nanmin, tied", np.nanmin, [NAN, 2.0, 2.0], [0, 0.5, 0.5]),
    ("nanstd of equal values", np.nanstd, [NAN, 2.0, 2.0], [0, 0, 0]),
    ("nanvar", np.nanvar, [NAN, 1.0, 3.0], [0, -1, 1]),
    ("nancumsum", lambda x: np.nancumsum(x).sum(), [1.0, NAN, 2.0], [3, 0, 1]),
    # matrices
    (
        "trace of f(A), equal eigenvalues",
        through_eigh,
        [1.0, 0.0, 0.0, 1.0],
        [np.e + 2 * np.e**2, 0, 0, np.e + 2 * np.e**2],
    ),
    (
        "eigvalsh, equal",
        lambda x: (L.eigvalsh(x.reshape(2, 2)) ** 2).sum(),
        [1.0, 0, 0, 1],
        [2, 0, 0, 2],
    ),
    ("det, rank n - 1", lambda x: L.det(x.reshape(2, 2)), [1.0, 1, 1, 1], [1, -1, -1, 1]),
    ("det of zeros", lambda x: L.det(x.reshape(2, 2)), [0.0] * 4, [0] * 4),
    ("pinv, rank 1", lambda x: L.pinv(x.reshape(2, 2)).sum(), [1.0, 1, 1, 1], [-0.25] * 4),
    ("lstsq, rank 1", lambda x: L.lstsq(np.ones((3, 2)), x)[0].sum(), [1.0, 2, 3], [1 / 3] * 3),
    ("cond of eye", lambda x: L.cond(x.reshape(2, 2)), [1.0, 0, 0, 1], [0, 0, 0, 0]),
]
for _order in (None, 0, 1, 2, 3, 0.5, INF, -INF, -1, -2, -1.5):
    ROWS.append(
        (f"vector norm {_order} of zeros", lambda x, o=_order: L.norm(x, o), [0.0, 0.0], [0, 0])
    )
for _order in (-1, -2, -1.5):
    ROWS.append(
        (f"vector norm {_order} of a zero", lambda x, o=_order: L.norm(x, o), [0.0, 2.0], [0, 0])
    )
for _order in (None, "nuc", 1, -1, 2, -2, INF, -INF):
    ROWS.append((f"matrix norm {_order} of zeros", lambda x, o=_order: L.norm(x.reshape(2, 2), o),
                 [0.0] * 4, [0] * 4))  # fmt: skip


@pytest.mark.parametrize(("f", "x", "slope"), [r[1:] for r in ROWS], ids=[r[0] for r in ROWS])
def test_choice(f: Any, x: list, slope: list) -> None:
    point = np.array(x, float)
    with np.errstate(all="ignore"):
        value = f(point)
        found, gradient = ft.value_and_grad(f)(point)
        np.testing.assert_allclose(found, value, rtol=1e-14)
        np.testing.assert_allclose(gradient, slope, atol=1e-12)
        np.testing.assert_allclose(ft.jacfwd(f)(point), slope, atol=1e-12)
        np.testing.assert_allclose(ft.vmap(ft.grad(f))(point[None])[0], slope, atol=1e-12)
        present = ~np.isnan(point)
        for second in (ft.hessian(f)(point), ft.jacrev(ft.grad(f))(point)):
            assert np.isfinite(second[np.ix_(present, present)]).all()


COMPILED = [
    r for r in ROWS if r[0].startswith(("where", "vector norm 2", "0 **", "nan", "std", "max"))
]


@pytest.mark.parametrize(
    ("f", "x", "slope"), [r[1:] for r in COMPILED], ids=[r[0] for r in COMPILED]
)
def test_compiled(f: Any, x: list, slope: list) -> None:
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(ft.jit(ft.grad(f))(np.array(x, float)), slope, atol=1e-12)


def test_limits_stay_infinite_and_indeterminate_forms_nan() -> None:
    with np.errstate(all="ignore"):
        for f, want in (
            (np.sqrt, INF),
            (np.log, INF),
            (np.cbrt, INF),
            (lambda x: x**0.5, INF),
            (lambda x: np.arcsin(1 - x), -INF),
            (lambda x: np.sqrt(x) * np.sqrt(x), NAN),  # the slope is 1; 0 would be a lie
            (lambda x: x * np.log(x), NAN),  # as is the value
            (lambda x: np.where(x < 1, np.sqrt(x) * np.sqrt(x), 0.0), NAN),  # chosen: as ever
        ):
            for at in (ft.grad(f), ft.jit(ft.grad(f))):
                np.testing.assert_array_equal(at(0.0), want)
        values = ft.grad(lambda x: L.norm(x / L.norm(x)))(np.zeros(2))
        assert np.isnan(values).all()  # 0 / 0 has no value either
        constants = np.array([[1.0, 1.0], [1.0, 2.0]])
        assert np.isnan(ft.grad(lambda x: np.corrcoef(x)[0, 1])(constants)).all()


def test_masks_keep_what_others_need() -> None:
    """A value used outside of the selection too keeps its infinite slope."""
    with np.errstate(all="ignore"):
        f = lambda x: (lambda y: np.where(x > 0, y, 0.0) + y)(np.sqrt(x))
        assert ft.grad(f)(0.0) == INF
        g = lambda x, y: np.sum(np.where(x > 0, x / y, y))
        for argnums in (0, 1):
            slope = ft.grad(g, argnums)(np.array([1.0, -1.0]), np.array([2.0, 0.0]))
            np.testing.assert_array_equal(slope, [[0.5, 0.0], [-0.25, 1.0]][argnums])
        # batches of selections, each lane its own; float32 stays float32
        x = np.array([[0.0, 1.0], [2.0, 0.0]], np.float32)
        lanes = ft.vmap(ft.grad(sqrt_where))(x)
        np.testing.assert_allclose(lanes, [[0, 0.5], [2**-1.5, 0]])
        assert lanes.dtype == ft.grad(sqrt_where)(x[0]).dtype == np.float32
        # a selection by numbers, and one in a loop
        loop = lambda x: ft.fori_loop(0, 3, lambda i, y: np.where(y > 0, np.sqrt(y), y), x).sum()
        point = np.array([0.0, 2.0])
        np.testing.assert_allclose(ft.grad(loop)(point), [1, 2**-0.875 / 8])
        np.testing.assert_allclose(ft.jit(ft.grad(loop))(point), [1, 2**-0.875 / 8])


def test_masked_values_of_complex_functions() -> None:
    f = lambda z: np.sum(np.real(np.where(np.abs(z) > 0, z * np.log(z), 0)))
    z = np.array([0j, 1 + 1j])
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(ft.grad(f)(z), [0, np.log(1 + 1j) + 1])


# --- complex steps and branch cuts -------------------------------------------------------------

ANALYTIC = [
    lambda x: np.sin(x) * np.exp(-x) + np.sqrt(x) / (1 + x**3),
    lambda x: np.log(x) ** 2.5 + np.tanh(x) * np.arctan(x) - x**-1.5,
    lambda x: np.arcsin(x / 4) + np.arccosh(x + 2) + np.log1p(x) * np.expm1(-x),
    lambda x: np.cosh(x) * np.tan(x / 5) / np.reciprocal(x) + np.square(x) + np.cbrt(2.0),
    lambda x: np.linalg.inv(np.stack([x, 0.2 * x, x * x, x]).reshape(2, 2)).sum(),
]


@pytest.mark.parametrize("f", ANALYTIC)
def test_complex_step(f: Any) -> None:
    """f(x + 1e-20j).imag / 1e-20 is the derivative to the last digits, traced or not."""
    x = 1.3
    slope = ft.grad(f)(x)
    for g in (f, ft.jit(f), lambda z: ft.vjp(f, z)[0], lambda z: ft.vmap(f)(np.array([z]))[0]):
        np.testing.assert_allclose(np.imag(g(x + 1e-20j)) / 1e-20, slope, rtol=1e-12)


CUTS = {
    np.sqrt: -4.0,
    np.log: -2.0,
    np.log2: -2.0,
    np.log10: -2.0,
    np.log1p: -3.0,
    np.arcsin: 2.0,
    np.arccos: 2.0,
    np.arctanh: 2.0,
    np.arccosh: 0.5,
    lambda z: np.arccosh(z): -3.0,
    lambda z: np.arcsin(z): -2.0,
    np.arcsinh: 2j,  # these two are cut along the imaginary axis
    np.arctan: 2j,
    lambda z: z**0.5: -4.0,
    lambda z: np.power(z, 1.5 + 0j): -4.0,
}


@pytest.mark.parametrize("f", CUTS)
def test_both_sides_of_a_cut(f: Any) -> None:
    """Values on a cut are NumPy's, by the sign of zero; so are slopes, as limits from that side."""
    for zero in (0.0, -0.0):
        at, across = CUTS[f], 1e-9j * np.copysign(1, zero)
        if type(at) is complex:
            z, across = np.array([complex(zero, at.imag)]), across.imag
        else:
            z = np.array([complex(at, zero)])
        near = z + across
        slope = ft.grad(lambda z: f(z).sum(), holomorphic=True)
        for g in (lambda z: ft.vjp(f, z)[0], ft.jit(f), lambda z: ft.vmap(f)(z)):
            np.testing.assert_allclose(g(z), f(z), rtol=1e-14)
        for s in (slope, ft.jit(slope)):
            np.testing.assert_allclose(s(z), slope(near), rtol=1e-6)


# --- integers and truth values -------------------------------------------------------------------


def test_integers_carry_no_derivative() -> None:
    for x in (3, np.int64(3), np.arange(3), True, np.array([True])):
        for transform in (ft.grad, ft.jacfwd, ft.jacrev, ft.hessian):
            with pytest.raises(TypeError, match="float"):
                transform(lambda x: np.sum(x * 1.0))(x)
    assert ft.grad(lambda x: x.astype(int) * 2.0 + x)(1.5) == 1.0
    assert ft.grad(lambda x: np.floor(x) * x)(1.5) == 1.0
    assert ft.grad(lambda x: (x > 0) * x)(1.5) == 1.0
    np.testing.assert_array_equal(
        ft.grad(lambda x, i: x[i].sum())(np.ones(3), np.array([0, 0])), [2, 0, 0]
    )
