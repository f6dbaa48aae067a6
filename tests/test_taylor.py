"""Taylor mode: every primitive against nested jvp, functions against mpmath, compositions."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st
from op_table import TABLE, Row
from test_rules import differentiable, listed, prepared

import functorch_like as ft
from functorch_like.primitives.core import registry

ROWS = [r for r in TABLE if differentiable(r) and r.check != () and r.label[:3] != "to-"]
CASES = [
    (row, dtype)
    for row in ROWS
    for dtype in row.dtypes
    if dtype.itemsize >= 8 and not (row.label.startswith("batched") and dtype.kind == "c")
]


def highest(row: Row, dtype: np.dtype) -> int:
    """Order 3 in real numbers, but where nested derivatives in parameters take seconds."""
    slow = row.primitive in ("hyp2f1_by_parameters", "hyp1f1_by_parameters")
    return 2 if slow or dtype.kind == "c" else 3


def nested(f, order: int):
    """Derivatives of a function of one number, by jvp in jvp."""
    made = [f]
    for _ in range(order):
        last = made[-1]
        made.append(lambda s, last=last: ft.jvp(last, (s,), (np.ones_like(s),))[1])
    return made


@pytest.mark.parametrize(("row", "dtype"), CASES, ids=[f"{r}-{d}" for r, d in CASES])
def test_every_primitive_agrees_with_nested_jvp(row: Row, dtype: np.dtype) -> None:
    primitive, operands, chosen = prepared(row, dtype)
    rng = np.random.default_rng(7)

    def direction(x):
        t = rng.normal(size=x.shape) * 0.1
        if x.dtype.kind == "c":
            t = t + 0.1j * rng.normal(size=x.shape)
        return np.asarray(t).astype(x.dtype)

    xs = [operands[i] for i in chosen]
    vs, ws = [direction(x) for x in xs], [direction(x) for x in xs]

    def f(*ys):
        full = list(operands)
        for i, y in zip(chosen, ys, strict=True):
            full[i] = y
        return [y for y in listed(primitive(*full, **row.params)) if y.dtype.kind in "fc"]

    def along(s):
        return f(*[x + s * v + s * s * w for x, v, w in zip(xs, vs, ws, strict=True)])

    order = highest(row, dtype)
    series = [[v, 2 * w, np.zeros_like(x)][:order] for x, v, w in zip(xs, vs, ws, strict=True)]
    with np.errstate(all="ignore"):
        values, found = ft.jet(f, tuple(xs), series)
        wanted = [g(np.float64(0.0)) for g in nested(along, order)]
    for i, value in enumerate(values):
        np.testing.assert_array_equal(value, listed(primitive(*operands, **row.params))[i])
        assert len(found[i]) == order
        for k in range(order):
            got, expected = found[i][k], wanted[k + 1][i]
            assert got.shape == value.shape
            assert got.dtype == value.dtype
            scale = 1 + np.max(np.abs(expected), initial=0)
            np.testing.assert_allclose(got, expected, rtol=1e-8, atol=1e-9 * scale)


# --- elementary functions against mpmath ------------------------------------------------------

FUNCTIONS = {
    "exp": (np.exp, mpmath.exp, 0.4),
    "expm1": (np.expm1, mpmath.expm1, 0.4),
    "exp2": (np.exp2, lambda x: mpmath.power(2, x), 0.4),
    "log": (np.log, mpmath.log, 1.3),
    "log2": (np.log2, lambda x: mpmath.log(x, 2), 1.3),
    "log10": (np.log10, mpmath.log10, 1.3),
    "log1p": (np.log1p, lambda x: mpmath.log(1 + x), 0.3),
    "sin": (np.sin, mpmath.sin, 0.9),
    "cos": (np.cos, mpmath.cos, 0.9),
    "tan": (np.tan, mpmath.tan, 0.5),
    "sinh": (np.sinh, mpmath.sinh, 0.5),
    "cosh": (np.cosh, mpmath.cosh, 0.5),
    "tanh": (np.tanh, mpmath.tanh, 0.5),
    "arcsin": (np.arcsin, mpmath.asin, 0.3),
    "arccos": (np.arccos, mpmath.acos, 0.3),
    "arctan": (np.arctan, mpmath.atan, 0.7),
    "arcsinh": (np.arcsinh, mpmath.asinh, 0.7),
    "arccosh": (np.arccosh, mpmath.acosh, 2.5),
    "arctanh": (np.arctanh, mpmath.atanh, 0.2),
    "sqrt": (np.sqrt, mpmath.sqrt, 2.0),
    "cbrt": (np.cbrt, mpmath.cbrt, 2.0),
    "reciprocal": (np.reciprocal, lambda x: 1 / x, 1.5),
    "x**3": (lambda x: x**3, lambda x: x**3, 0.0),
    "x**-2.5": (lambda x: x**-2.5, lambda x: x**-2.5, 1.7),
    "x**x": (lambda x: x**x, lambda x: x**x, 1.7),
    "2**x": (lambda x: 2.0**x, lambda x: 2.0**x, 1.7),
    "ratio": (
        lambda x: np.sin(x) * np.exp(-(x**2)) / (1 + np.cos(x) ** 2),
        lambda x: mpmath.sin(x) * mpmath.exp(-(x**2)) / (1 + mpmath.cos(x) ** 2),
        0.7,
    ),
}


def close(got, expected, tolerance=1e-11):
    """Coefficients decay or grow geometrically: compared each with the largest so far."""
    expected = [float(x) for x in expected]
    for k, (a, b) in enumerate(zip(got, expected, strict=True)):
        scale = max(map(abs, expected[: k + 1]))
        assert abs(float(a) - b) <= tolerance * max(abs(b), 1e-3 * scale, 1e-300), (k, a, b)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_elementary_functions_at_order_twelve(name: str) -> None:
    f, reference, x = FUNCTIONS[name]
    with mpmath.workdps(60):
        expected = mpmath.taylor(reference, x, 12)
    close(ft.taylor(f, x, 12), expected)


def test_special_functions_at_order_six() -> None:
    import scipy.special as sp

    for f, reference, x in [
        (sp.gamma, mpmath.gamma, 1.7),
        (sp.erf, mpmath.erf, 0.4),
        (sp.expit, lambda x: 1 / (1 + mpmath.exp(-x)), 0.4),
        (lambda x: sp.jv(1.0, x), lambda x: mpmath.besselj(1, x), 2.1),
    ]:
        with mpmath.workdps(60):
            close(ft.taylor(f, x, 6), mpmath.taylor(reference, x, 6), 1e-8)


def test_order_thirty_takes_polynomial_work() -> None:
    # 1 / (2 - exp(sin x)); nested jvp would take 2**30 evaluations
    got = ft.taylor(lambda x: 1 / (2 - np.exp(np.sin(x))), 0.0, 30)
    with mpmath.workdps(80):
        expected = mpmath.taylor(lambda x: 1 / (2 - mpmath.exp(mpmath.sin(x))), 0, 30)
    close(got, expected, 1e-9)


def test_bessel_family_is_expanded_once_a_member() -> None:
    import scipy.special as sp

    calls = [0]
    primitive = registry["jv"]
    kernel = primitive.kernel

    def counted(*args, **kwargs):
        calls[0] += 1
        return kernel(*args, **kwargs)

    primitive.kernel = counted
    try:
        ft.taylor(lambda x: sp.jv(2.0, x), 1.3, 10)
    finally:
        primitive.kernel = kernel
    assert calls[0] < 300  # 2**10 without the memory


def test_power_at_zero() -> None:
    for exponent, expected in [(3, [0, 0, 0, 1, 0]), (2.0, [0, 0, 1, 0, 0]), (0, [1, 0, 0, 0, 0])]:
        np.testing.assert_array_equal(ft.taylor(lambda x, n=exponent: x**n, 0.0, 4), expected)
    exponents = np.array([1.0, 2.0, 4.0])
    found = ft.taylor(lambda x: x**exponents, np.zeros(3), 4)
    np.testing.assert_array_equal(
        np.array(found), [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 0], [0, 0, 1]]
    )


def test_norm_at_zero_has_slope_zero() -> None:
    _, terms = ft.jet(np.linalg.norm, (np.zeros(3),), ([np.ones(3), np.zeros(3)],))
    assert [float(t) for t in terms] == [0.0, 0.0]


# --- what f may contain -----------------------------------------------------------------------

X = np.array([0.3, -0.2, 0.5])
V = np.array([1.0, 0.5, -0.7])


def scanned(x):
    def step(c, t):
        c = np.sin(c) * t + c
        return c, c * c

    last, ys = ft.scan(step, x, np.linspace(0.1, 1, 5))
    return last, ys


def looped(x):
    return ft.while_loop(lambda c: c[0] < 4, lambda c: (c[0] + 1, np.cos(c[1]) * x + c[1]), (0, x))[
        1
    ]


def branched(x):
    return ft.cond(np.sum(x) > 0, lambda x: np.sin(x) * x, lambda x: x, x)


@ft.custom_jvp
def ruled(x, y):
    return np.sin(x) * y


ruled.defjvps(lambda t, out, x, y: t * np.cos(x) * y, lambda t, out, x, y: t * np.sin(x))


@ft.custom_vjp
def ruled_backwards(x):
    return np.exp(np.sin(x))


ruled_backwards.defvjp(
    lambda x: (np.exp(np.sin(x)), x), lambda x, ct: (ct * np.cos(x) * np.exp(np.sin(x)),)
)


def energy(x):
    return np.sum(np.sin(x) * np.roll(x, 1)) ** 2


def scan_energy(x):
    return np.sum(scanned(x)[1])


def rooted(x):
    """The cube root of 2 + x, by a solver that is not to be expanded."""
    f = lambda y: y**3 - x - 2.0
    solve = lambda f, guess: np.cbrt(ft.stop_gradient(x) + 2.0)
    return ft.custom_root(f, np.ones(3), solve, lambda g, y: y / g(np.ones(3)))


def solved(x):
    matvec = lambda y: (2.0 + x) * y + np.roll(y, 1)
    solve = lambda apply, b: np.linalg.solve(np.stack([apply(e) for e in np.eye(3)]).T, b)
    return ft.custom_linear_solve(matvec, np.sin(x), solve, solve)


PROGRAMS = {
    "root": rooted,
    "root in jit": ft.jit(rooted),
    "linear solve": solved,
    "linear solve in jit": ft.jit(solved),
    "grad of linear solve": ft.grad(lambda x: np.sum(solved(x) ** 2)),
    "scan": scanned,
    "while": looped,
    "cond": branched,
    "switch in jit": ft.jit(branched),
    "scan in jit": ft.jit(scanned),
    "while in jit": ft.jit(looped),
    "jit": ft.jit(lambda x: np.exp(np.sin(x) * x)),
    "checkpoint": ft.checkpoint(lambda x: np.exp(np.sin(x) * x)),
    "custom_jvp": lambda x: ruled(x, x * x) * x,
    "custom_vjp": lambda x: ruled_backwards(x * x) * x,
    "custom rule of a constant": lambda x: ruled_backwards(2.0) * x,
    "custom rule that closes over x": lambda x: ft.custom_gradient(
        lambda y: (np.sin(y) * x * x, lambda ct: ct * np.cos(y) * x * x)
    )(x * 2),
    "custom rule of a constant that closes over x": lambda x: ft.custom_gradient(
        lambda y: (np.sin(y) * x * x, lambda ct: ct * np.cos(y) * x * x)
    )(2.0),
    "checkpoint that closes over x": lambda x: ft.checkpoint(lambda y: np.exp(y) * x)(np.sin(x)),
    "grad": ft.grad(energy),
    "hessian": ft.hessian(energy),
    "jvp": lambda x: ft.jvp(np.sin, (x,), (x,)),
    "vmap": lambda x: ft.vmap(lambda a, b: np.sin(a) * b, in_axes=(0, None))(x, x[0] * x),
    "grad of scan": ft.grad(scan_energy),
    "grad of jit of scan": ft.grad(ft.jit(scan_energy)),
    "grad of while": ft.grad(lambda x: np.sum(ft.fori_loop(0, 3, lambda i, c: np.sin(c) + x, x))),
    "vmap of scan": lambda x: ft.vmap(lambda a: scanned(a * x)[0])(np.ones((2, 3)) * x[0]),
    "assignment": lambda x: _assigned(x),
    "linalg": lambda x: np.linalg.eigvalsh(np.outer(x, x) + np.diag(x) + 3 * np.eye(3)),
    "tree": lambda x: {"a": x[0] * x, "b": (np.prod(x), x[1])},
}


def _assigned(x):
    y = np.zeros_like(x)
    for i in range(3):
        y[i] = np.sin(x[i]) * y[i - 1] + x[i]
    return y


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_agree_with_nested_jvp(name: str) -> None:
    f = PROGRAMS[name]
    zeros = np.zeros_like(X)
    value, found = ft.jet(f, (X,), ([V, 2 * V, zeros],))
    wanted = [g(0.0) for g in nested(lambda s: f(X + s * V + s * s * V), 3)]
    got = [value, *[ft.tree.map(lambda v, t, k=k: t[k], value, found) for k in range(3)]]
    for a, b in zip(got, wanted, strict=True):
        ft.tree.map(lambda p, q: np.testing.assert_allclose(p, q, rtol=1e-9, atol=1e-10), a, b)


def test_constant_and_integer_results() -> None:
    (a, b), (ta, tb) = ft.jet(lambda x: (np.argmax(x), 3.0), (X,), ([V, V],))
    assert a == 2
    assert b == 3.0
    assert [float(t) for t in tb] == [0.0, 0.0]
    assert len(ta) == 2


# --- transforms of jet ------------------------------------------------------------------------


def third(x, v):
    """The third derivative of the energy along v."""
    return ft.jet(energy, (x,), ([v, np.zeros(3), np.zeros(3)],))[1][2]


def test_jet_under_grad_vmap_and_jit() -> None:
    expected = nested(lambda s: energy(X + s * V), 3)[3](0.0)
    np.testing.assert_allclose(third(X, V), expected, rtol=1e-12)
    np.testing.assert_allclose(ft.jit(third)(X, V), expected, rtol=1e-12)
    batch = np.stack([V, 2 * V, -V])
    together = ft.vmap(third, in_axes=(None, 0))(X, batch)
    np.testing.assert_allclose(together, expected * np.array([1, 8, -1]), rtol=1e-12)
    np.testing.assert_allclose(ft.jit(ft.vmap(third, in_axes=(None, 0)))(X, batch), together)
    gradient = ft.grad(third)(X, V)
    for i in range(3):
        step = 1e-5 * np.eye(3)[i]
        difference = (third(X + step, V) - third(X - step, V)) / 2e-5
        np.testing.assert_allclose(gradient[i], difference, rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(ft.jit(ft.grad(third))(X, V), gradient, rtol=1e-12)
    ft.testing.check_grads(third, (X, V), order=1)


def test_jet_in_jet() -> None:
    inner = lambda x: ft.taylor(np.sin, x, 2)[2]  # -sin(x) / 2
    np.testing.assert_allclose(
        ft.taylor(inner, 0.4, 2), [-np.sin(0.4) / 2, -np.cos(0.4) / 2, np.sin(0.4) / 4]
    )


def test_perturbations_are_not_confused() -> None:
    # d/dx x * (d/dy (x + y)) = 1
    f = lambda x: x * ft.taylor(lambda y: x + y, 1.0, 1)[1]
    assert [float(c) for c in ft.taylor(f, 2.0, 2)] == [2.0, 1.0, 0.0]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.floats(-1, 1), min_size=4, max_size=4),
    st.lists(st.floats(-1, 1), min_size=4, max_size=4),
)
def test_arithmetic_is_that_of_polynomials(a, b) -> None:
    # a curve that is a polynomial, in a function that is one
    x = [np.float64(c) for c in a]
    y = [np.float64(c) for c in b]
    f = lambda x, y: (x * y + 2.0 * x - y, (x - y) ** 3)
    _, terms = ft.jet(f, (x[0], y[0]), (x[1:], y[1:]), factorial_scaled=False)
    p, q = np.polynomial.Polynomial(a), np.polynomial.Polynomial(b)
    for got, wanted in zip(terms, (p * q + 2 * p - q, (p - q) ** 3), strict=True):
        expected = np.zeros(4)
        expected[: min(4, len(wanted.coef))] = wanted.coef[:4]
        np.testing.assert_allclose(got, expected[1:], atol=1e-12)


def test_taylor_along_a_direction() -> None:
    params = {"w": np.array([1.0, 2.0]), "b": np.float64(0.5)}
    towards = {"w": np.array([0.1, 0.3]), "b": np.float64(1.0)}
    f = lambda p: np.sum(np.sin(p["w"]) * p["b"])
    got = ft.taylor(f, params, 3, direction=towards)
    step = lambda s: f({k: params[k] + s * towards[k] for k in params})
    for k, g in enumerate(nested(step, 3)):
        np.testing.assert_allclose(got[k] * math.factorial(k), g(0.0), rtol=1e-12)
    assert [float(c) for c in ft.taylor(np.exp, 0.0, 0)] == [1.0]


def test_float32_stays() -> None:
    got = ft.taylor(lambda x: np.sin(x) ** 2.5 / (1 + np.sqrt(x)), np.float32(0.5), 4)
    assert {c.dtype for c in got} == {np.dtype("f4")}


def test_value_of_another_implementation() -> None:
    # jax.experimental.jet of JAX 0.10.2 in double precision
    a = np.array([[0.5, -1.0], [0.25, 2.0]])
    x = np.array([0.3, -0.7])
    series = [np.array(t) for t in ([1.0, 0.5], [0.2, 0.1], [-1.0, 2.0], [0.0, 1.0])]
    _, terms = ft.jet(lambda x: np.sum(np.tanh(a @ x) / (1 + np.exp(x))), (x,), (series,))
    expected = [0.13320511086390266, 0.4465026797252443, 1.5100160613171678, 7.031949718196291]
    np.testing.assert_allclose(terms, expected, rtol=1e-13)


@pytest.mark.parametrize("order", [0, 1.5])
def test_struve_compiled(order: float) -> None:
    f = lambda x: scipy.special.struve(order, x)
    want = [float(t) for t in mpmath.taylor(lambda x: mpmath.struveh(order, x), 1.5, 4)]
    np.testing.assert_allclose(ft.taylor(f, 1.5, 4), want, rtol=1e-11)
    np.testing.assert_allclose(ft.jit(lambda x: ft.taylor(f, x, 4))(1.5), want, rtol=1e-11)


# --- errors -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (lambda: ft.jet(np.sin, 1.0, ([1.0],)), TypeError, "expected primals as a tuple"),
        (lambda: ft.jet(np.sin, (1.0,), ()), ValueError, "for each of the 1 primals"),
        (lambda: ft.jet(np.sin, (1.0,), (1.0,)), TypeError, "as a list of terms"),
        (lambda: ft.jet(np.add, (1.0, 2.0), ([1.0], [])), ValueError, "got 1, 0; fill"),
        (lambda: ft.jet(np.sin, (X,), ([1.0],)), ValueError, r"of shape \(3,\)"),
        (lambda: ft.jet(np.sin, (1,), ([1.0],)), TypeError, "write 1.0"),
        (lambda: ft.jet(np.sin, (1.0,), ([[1.0]],)), TypeError, "structured like its primal"),
        (lambda: ft.jet(np.sin, (1.0,), ([1j],)), TypeError, "got complex128"),
        (lambda: ft.taylor(np.sin, 1.0, -1), ValueError, "at least 0; got -1"),
        (lambda: ft.taylor(np.sin, 1.0, 1.5), TypeError, "an integer; got float"),
        (lambda: ft.taylor(np.sin, X, 1, direction=[X]), TypeError, "structured like x"),
        (lambda: ft.taylor(lambda x: float(x), 1.0, 2), TypeError, "taylor"),
        (
            lambda: ft.taylor(lambda x: scipy.special.lambertw(x).real, 1.0, 2),
            TypeError,
            "_lambertw: no derivative is known",
        ),
    ],
)
def test_errors(call, kind, text) -> None:
    with pytest.raises(kind, match=text):
        call()
