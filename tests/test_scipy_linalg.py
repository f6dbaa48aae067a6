"""functorch_like.scipy.linalg: what the support table does not see.

References from outside: mpmath, closed forms, JAX 0.10.2 (values written down here), SciPy.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
import scipy.linalg as sl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strict_device import to_device, to_host

import functorch_like as ft
from functorch_like.scipy import linalg

A = np.array([[4.0, 1.0, 0.5], [1.0, 3.0, 0.25], [0.5, 0.25, 2.0]])  # symmetric
G = np.array([[4.0, 1.0, 0.5], [0.3, 3.0, -0.25], [0.7, 0.1, 2.0]])
W = np.arange(9.0).reshape(3, 3)
B = np.array([1.0, 2.0, -1.0])
FUNCTIONS = [n for n in linalg.__all__ if inspect.isfunction(getattr(linalg, n))]


def weighted(function: Callable) -> Callable:
    return lambda a: (function(a) * W).sum()


# --- the module --------------------------------------------------------------------------


def test_every_function_of_scipy_is_here() -> None:
    lookups = {"find_best_blas_type", "get_blas_funcs", "get_lapack_funcs"}
    public = {n for n in sl.__all__ if not inspect.ismodule(getattr(sl, n))}
    assert public - lookups == set(linalg.__all__)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_signature_is_scipys(name: str) -> None:
    def form(function: Callable) -> list:
        def default(parameter: inspect.Parameter) -> Any:
            value = parameter.default  # SciPy marks a deprecated argument by an object
            return None if type(value) is object or value is parameter.empty else value

        parameters = inspect.signature(function).parameters.values()
        return [(p.name, p.kind, default(p)) for p in parameters]

    assert form(getattr(linalg, name)) == form(getattr(sl, name))


def test_plain_arrays_go_to_scipy() -> None:
    for name in ("expm", "logm", "sqrtm", "cholesky", "eigh", "qr", "lu", "schur", "inv"):
        got, want = getattr(linalg, name)(A), getattr(sl, name)(A)
        np.testing.assert_equal(got, want)
    np.testing.assert_equal(linalg.cho_factor(A), sl.cho_factor(A))
    with pytest.raises(ValueError, match="infs or NaNs"):
        linalg.inv(A * np.nan)


# --- references --------------------------------------------------------------------------

# jax.grad of jax.scipy.linalg's functions in float64; those that read one triangle made symmetric.
OF_JAX: dict[str, tuple[Callable, np.ndarray, list]] = {
    "cholesky": (
        lambda a: (linalg.cholesky(a, lower=True) * W).sum(),
        A,
        [[-0.1365438501, 0.2235153118, 0.6453201769], [0.2235153118, 1.1160560409, 1.979765424],
         [0.6453201769, 1.979765424, 2.8779077367]],
    ),
    "cho_solve": (
        lambda a: (linalg.cho_solve(linalg.cho_factor(a), B) ** 2).sum(),
        A,
        [[-0.0075145023, -0.0547186037, 0.0707642988], [-0.0547186037, -0.3228078567, 0.3826725015],
         [0.0707642988, 0.3826725015, -0.4338815388]],
    ),
    "lu": (
        lambda a: (linalg.lu(a)[1] * W).sum() + (linalg.lu(a)[2] ** 2 * W).sum(),
        G,
        [[1.0055403425, -0.7084847182, -3.1773533037], [-4.8728704301, 23.538186191, -2.0934089415],
         [-3.657571773, 5.3892614508, 30.4820512821]],
    ),
    "expm_frechet": (
        lambda a: (linalg.expm_frechet(a / 4, W / 8)[1] * W).sum(),
        G,
        [[2.4540591693, 2.7472835531, 3.4852330112], [3.1179821637, 4.021968237, 5.5537824606],
         [3.5601650984, 4.992310666, 7.1998950664]],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OF_JAX)
def test_gradients_are_those_of_jax(name: str) -> None:
    f, x, want = OF_JAX[name]
    np.testing.assert_allclose(ft.grad(f)(x), want, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(ft.jit(ft.grad(f))(x), want, rtol=1e-9, atol=1e-9)


def mp_power(a: Any) -> Any:
    return mpmath.expm(mpmath.mpf(3) / 10 * mpmath.logm(a))


OF_MPMATH: dict[str, tuple[Callable, Callable]] = {
    "expm": (lambda a: linalg.expm(a / 4), lambda a: mpmath.expm(a / 4)),
    "logm": (linalg.logm, mpmath.logm),
    "sqrtm": (linalg.sqrtm, mpmath.sqrtm),
    "fractional": (lambda a: linalg.fractional_matrix_power(a, 0.3), mp_power),
    "cosm": (lambda a: linalg.cosm(a / 4), lambda a: mpmath.cosm(a / 4)),
    "sinm": (lambda a: linalg.sinm(a / 4), lambda a: mpmath.sinm(a / 4)),
    "funm": (lambda a: linalg.funm(a, lambda w: np.sin(w / 4)), lambda a: mpmath.sinm(a / 4)),
}


@pytest.mark.parametrize("name", OF_MPMATH)
def test_three_derivatives_along_a_line_against_mpmath(name: str) -> None:
    f, reference = OF_MPMATH[name]
    e = W / 8 - 0.4
    with mpmath.workdps(40):
        g, h = mpmath.matrix(G.tolist()), mpmath.matrix(e.tolist())
        step = mpmath.mpf(10) ** -6

        def at(k: int) -> Any:
            return reference(g + k * step * h)

        values = {k: at(k) for k in (-2, -1, 0, 1, 2)}
        first = (values[1] - values[-1]) / (2 * step)
        second = (values[1] - 2 * values[0] + values[-1]) / step**2
        third = (values[2] - 2 * values[1] + 2 * values[-1] - values[-2]) / (2 * step**3)
        want = [
            np.array(m.tolist()).astype(complex).real for m in (values[0], first, second, third)
        ]

    def line(t: Any) -> Any:
        return np.real(f(G + t * e))

    got, function = [], line
    for _ in want:
        got.append(function(0.0))

        def function(t: Any, inner: Callable = function) -> Any:
            return ft.jvp(inner, (t,), (1.0,))[1]

    for g, w in zip(got, want, strict=True):
        np.testing.assert_allclose(g, w, rtol=1e-7, atol=1e-8)
    _, pullback = ft.vjp(f, G)
    np.testing.assert_allclose(
        np.real(np.sum(pullback(W + 0 * f(G))[0] * e)), np.sum(W * want[1]), rtol=1e-8
    )


def test_exponential_along_itself() -> None:
    third = ft.jacfwd(ft.jacfwd(ft.jacfwd(lambda t: linalg.expm(t * G / 4))))(1.0)
    cube = np.linalg.matrix_power(G / 4, 3)
    np.testing.assert_allclose(third, cube @ sl.expm(G / 4), rtol=1e-10)


def test_power_in_its_exponent() -> None:
    got = ft.jvp(lambda t: linalg.fractional_matrix_power(G, t), (0.3,), (1.0,))[1]
    want = sl.logm(G) @ sl.fractional_matrix_power(G, 0.3)
    np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-12)


# --- points where a careless formula fails -----------------------------------------------


@pytest.mark.parametrize(
    ("f", "x", "want"),
    [
        (linalg.logm, np.eye(3), W),
        (linalg.sqrtm, 4 * np.eye(3), W / 4),
        (linalg.expm, np.zeros((3, 3)), W),
        (lambda a: linalg.fractional_matrix_power(a, 0.5), np.eye(3), W / 2),
        (lambda a: linalg.polar(a)[0], np.eye(3), (W - W.T) / 2),
        (lambda a: linalg.polar(a)[1], np.eye(3), (W + W.T) / 2),
        (lambda a: linalg.orthogonal_procrustes(np.eye(3), a)[0], np.eye(3), (W - W.T) / 2),
        (lambda a: linalg.eigh(a)[0].sum(), np.eye(3), np.trace(W)),
        (lambda a: linalg.det(a), np.diag([1.0, 2.0, 0.0]), 2 * W[2, 2]),
        (linalg.signm, np.diag([2.0, 3.0, 4.0]), 0 * W),
    ],
)
def test_equal_values(f: Callable, x: np.ndarray, want: Any) -> None:
    np.testing.assert_allclose(ft.jvp(f, (x,), (W,))[1], want, atol=1e-9)
    _, pullback = ft.vjp(f, x)
    u = np.ones(np.shape(want))
    np.testing.assert_allclose(np.sum(pullback(u)[0] * W), np.sum(want), atol=1e-8)


def test_jordan_block() -> None:
    # Not diagonalizable: f([[x, 1], [0, x]]) has f'(x) in its corner.
    block = np.array([[2.0, 1.0], [0.0, 2.0]])
    direction = np.array([[0.0, 0.0], [1.0, 0.0]])
    # Along the direction the eigenvalues are 2 +- sqrt(t), so that the trace moves by f''(2).
    for f, second in ((linalg.expm, np.exp(2.0)), (linalg.logm, -0.25)):
        got = ft.jvp(f, (block,), (direction,))[1]
        np.testing.assert_allclose(np.trace(got), second, rtol=1e-7)


def test_null_space_of_a_deficient_matrix() -> None:
    u, v = np.array([[1.0], [2.0], [0.5]]), np.array([[1.0, -1.0, 2.0, 0.5]])

    def projected(t: Any) -> Any:
        n = linalg.null_space((u + t * B[:, None]) @ (v + t**2), rcond=1e-9)
        return (n @ n.T)[0, 1]

    def exact(t: Any) -> Any:  # 1 - w w^T / |w|^2
        w = v[0] + t**2
        return -w[0] * w[1] / (w @ w)

    def second(f: Callable) -> Callable:
        return lambda t: ft.jvp(lambda t: ft.jvp(f, (t,), (1.0,))[1], (t,), (1.0,))[1]

    np.testing.assert_allclose(projected(0.3), exact(0.3), rtol=1e-12)
    np.testing.assert_allclose(ft.grad(projected)(0.3), ft.grad(exact)(0.3), rtol=1e-9)
    np.testing.assert_allclose(second(projected)(0.3), second(exact)(0.3), rtol=1e-8)


def test_one_triangle_is_read_and_the_gradient_is_symmetric() -> None:
    spoiled = A + np.triu(np.full((3, 3), 7.0), 1)
    for f in (
        lambda m, a: m.cholesky(a, lower=True),
        lambda m, a: m.eigh(a)[0],
        lambda m, a: m.solve(a, B, assume_a="pos", lower=True),
        lambda m, a: m.pinvh(a),
        lambda m, a: m.ldl(a)[1],
    ):
        value, _ = ft.jvp(lambda a, f=f: f(linalg, a), (spoiled,), (W,))
        np.testing.assert_allclose(value, f(sl, spoiled), rtol=1e-12, atol=1e-14)
        gradient = ft.grad(lambda a, f=f: np.sum(f(linalg, a) ** 2))(A)
        np.testing.assert_allclose(gradient, gradient.T, rtol=1e-12, atol=1e-14)


def test_riccati_of_one_state() -> None:
    # 2 a x - b^2 x^2 / r + q = 0
    def closed(a: Any, b: Any, q: Any, r: Any) -> Any:
        return (a + np.sqrt(a**2 + b**2 * q / r)) * r / b**2

    def solved(*xs: Any) -> Any:
        return linalg.solve_continuous_are(*[np.reshape(x, (1, 1)) for x in xs])[0, 0]

    xs = (0.3, 1.2, 2.0, 0.7)
    np.testing.assert_allclose(solved(*xs), closed(*xs), rtol=1e-12)
    for k in range(4):
        np.testing.assert_allclose(ft.grad(solved, k)(*xs), ft.grad(closed, k)(*xs), rtol=1e-9)
        second = ft.grad(ft.grad(solved, k), k)(*xs)
        np.testing.assert_allclose(second, ft.grad(ft.grad(closed, k), k)(*xs), rtol=1e-8)


# --- results whose type depends on values ------------------------------------------------

NEGATIVE = np.array([[1.0, 0.2], [0.1, -2.0]])


@pytest.mark.parametrize("f", [linalg.logm, linalg.sqrtm])
def test_complex_results_of_real_matrices(f: Callable) -> None:
    value, tangent = ft.jvp(f, (NEGATIVE,), (np.eye(2),))
    assert value.dtype == tangent.dtype == np.complex128
    assert ft.jvp(f, (A,), (W,))[1].dtype == np.float64
    assert ft.jit(f)(A).dtype == np.float64
    with pytest.raises(np.linalg.LinAlgError, match=r"convert it by a\.astype\(complex\)"):
        ft.jit(f)(NEGATIVE)
    stacked = ft.vmap(f)(np.stack([NEGATIVE, np.eye(2)]))
    np.testing.assert_allclose(stacked[0], f(NEGATIVE), rtol=1e-12)


def test_real_vectors_of_real_eigenvalues() -> None:
    ft.jvp(
        lambda a: [np.testing.assert_equal(linalg.eig(a)[1].dtype, np.float64), a][1], (A,), (W,)
    )


# --- errors ------------------------------------------------------------------------------


def traced(f: Callable, *xs: np.ndarray) -> Any:
    return ft.vjp(f, *map(np.asarray, xs))


@pytest.mark.parametrize(
    ("f", "error", "message"),
    [
        (lambda a: linalg.inv(a[:2]), np.linalg.LinAlgError, r"inv: expected a square.*\(2, 3\)"),
        (lambda a: linalg.expm(a[0]), np.linalg.LinAlgError, r"expm: expected a matrix.*\(3,\)"),
        (lambda a: linalg.solve(a, np.ones(2)), np.linalg.LinAlgError, "solve: expected a right-"),
        (lambda a: linalg.solve(a, B, assume_a="odd"), ValueError, "'odd' is not a recognized"),
        (lambda a: linalg.cholesky(-a), np.linalg.LinAlgError, "positive definite"),
        (lambda a: linalg.solve(0 * a, B), np.linalg.LinAlgError, "[Ss]ingular"),
        (lambda a: linalg.solve_triangular(0 * a, B), np.linalg.LinAlgError, "singular matrix"),
        (lambda a: linalg.solve_sylvester(a, a, a[:2]), np.linalg.LinAlgError, "q of shape"),
        (lambda a: linalg.polar(a, side="up"), ValueError, "'right' or 'left'"),
        (lambda a: linalg.schur(a, sort="lhp"), TypeError, "sort is not supported"),
        (lambda a: linalg.qr(a, mode="raw"), ValueError, "'raw'"),
        (lambda a: linalg.funm(0 * a + np.eye(3), np.sin), np.linalg.LinAlgError, "distinct eigen"),
        (lambda a: linalg.lu_solve((a, [0, 1, 2]), B, trans=3), ValueError, "trans"),
        (lambda a: linalg.eigh(a, driver="gvd"), ValueError, "'gvd' is unknown"),
        (lambda a: linalg.eigh(a, subset_by_index=(1, 5)), ValueError, "0 <= start <= stop <= 2"),
        (lambda a: linalg.eigh(a, subset_by_value=(90, 99)), np.linalg.LinAlgError, "no eigenval"),
        (lambda a: linalg.solve_banded((1, 0), a, B), np.linalg.LinAlgError, "l \\+ u \\+ 1 = 2"),
        (lambda a: linalg.companion(0 * a[0]), ValueError, "must not be zero"),
        (lambda a: linalg.solve_circulant(a[0] * 0, B), np.linalg.LinAlgError, "near singular"),
        (
            lambda a: linalg.solve_continuous_are(a, a[:2], a, a),
            np.linalg.LinAlgError,
            "b of shape",
        ),
    ],
)
def test_errors_name_shapes_and_what_to_do(
    f: Callable, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        traced(f, A)


def test_check_finite() -> None:
    spoiled = A.copy()
    spoiled[0, 0] = np.nan
    with pytest.raises(ValueError, match="must not contain infs or NaNs"):
        traced(linalg.inv, spoiled)
    assert np.isnan(traced(lambda a: linalg.inv(a, check_finite=False), spoiled)[0]).any()


def test_a_normal_block_of_a_real_schur_form() -> None:
    turning = np.array([[0.0, 1.0], [-1.0, 0.0]])
    with pytest.raises(np.linalg.LinAlgError, match="output='complex'"):
        ft.jvp(lambda a: linalg.schur(a)[0], (turning,), (turning,))


def test_equal_eigenvalues_of_a_function_are_found_by_jit_too() -> None:
    with pytest.raises(np.linalg.LinAlgError, match="distinct eigenvalues"):
        ft.jit(lambda a: linalg.funm(a, np.sin))(np.eye(2))


@pytest.mark.parametrize("f", [linalg.null_space, linalg.orth, linalg.bandwidth])
def test_what_depends_on_values_is_refused_under_jit(f: Callable) -> None:
    with pytest.raises(TypeError, match="depends on values, which vmap and jit do not know"):
        ft.jit(f)(A)


@pytest.mark.parametrize("name", linalg.REFUSED)
def test_refused_names_say_what_to_write(name: str) -> None:
    f = getattr(linalg, name)
    with pytest.raises(TypeError) as raised:
        traced(lambda a: f(a, a, a, a), A)
    assert linalg.REFUSED[name] in str(raised.value)


def test_refused_names_work_on_plain_arrays() -> None:
    np.testing.assert_equal(linalg.qz(A, G), sl.qz(A, G))


# --- jit and batches ---------------------------------------------------------------------

COMPILED: list[Callable] = [
    lambda a: linalg.solve(a, B, assume_a="pos"),
    lambda a: linalg.lu(a)[2],
    lambda a: linalg.qr(a, pivoting=True, mode="economic")[1],
    lambda a: linalg.expm(a / 4),
    lambda a: linalg.sqrtm(a),
    lambda a: linalg.eigh(a, G @ G.T, eigvals_only=True),
    lambda a: linalg.schur(a)[0],
    lambda a: linalg.solve_sylvester(a, A, W),
    lambda a: linalg.solve_discrete_are(a / 9, W[:, :2], np.eye(3), np.eye(2)),
    lambda a: linalg.toeplitz(a[0], a[:, 0]),
    lambda a: linalg.solve_toeplitz((a[:, 0], a[0]), B),
    lambda a: linalg.subspace_angles(a[:, :2], W[:, :1] + 1),
]


@pytest.mark.parametrize("f", COMPILED)
def test_jit_equals_eager(f: Callable) -> None:
    def loss(a: Any) -> Any:
        return np.sum(np.sin(f(a)))

    # Symmetric and well apart: its values have no free order or sign.
    np.testing.assert_allclose(ft.jit(loss)(A), loss(A), rtol=1e-12)
    np.testing.assert_allclose(ft.jit(ft.grad(loss))(A), ft.grad(loss)(A), rtol=1e-10, atol=1e-12)
    stack = np.stack([A, A + np.eye(3) / 3])
    got = ft.vmap(ft.grad(loss))(stack)
    for k in range(2):
        np.testing.assert_allclose(got[k], ft.grad(loss)(stack[k]), rtol=1e-10, atol=1e-12)


def test_nothing_is_moved_from_a_device() -> None:
    moved = to_device(G)
    np.testing.assert_allclose(to_host(linalg.expm(moved)), sl.expm(G), rtol=1e-10)
    with pytest.raises(TypeError, match="CuPy has no kernel for lu"):
        linalg.lu_factor(moved)


def regular(rng: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Draw matrices with separated values, in some layout of memory."""
    x = rng.normal(size=shape) / (3 * shape[-1])
    if np.dtype(dtype).kind == "c":
        x = x + 1j * rng.normal(size=shape) / (3 * shape[-1])
    x = x + np.diag(1.0 + np.arange(max(shape[-2:])))[: shape[-2], : shape[-1]]
    x = x.astype(dtype)
    layout = rng.integers(3)
    if layout == 1:
        x = np.asfortranarray(x)
    elif layout == 2:
        wide = np.zeros((*shape[:-1], 2 * shape[-1]), dtype)
        wide[..., ::2] = x
        x = wide[..., ::2]
    return x


# What takes any stack of square matrices; results that depend on no choice of LAPACK.
DRAWN: dict[str, Callable] = {
    "solve": lambda m, a: m.solve(a, a[..., :1]),
    "inv": lambda m, a: m.inv(a),
    "det": lambda m, a: m.det(a),
    "pinv": lambda m, a: m.pinv(a),
    "lu": lambda m, a: m.lu(a)[1:],
    "qr": lambda m, a: m.qr(a),
    "rq": lambda m, a: m.rq(a),
    "polar": lambda m, a: m.polar(a),
    "svdvals": lambda m, a: m.svdvals(a),
    "eigvals": lambda m, a: m.eigvals(a),
    "expm": lambda m, a: m.expm(a / 4),
    "logm": lambda m, a: m.logm(a),
    "sqrtm": lambda m, a: m.sqrtm(a),
    "cosm": lambda m, a: m.cosm(a / 2),
    "tanhm": lambda m, a: m.tanhm(a / 2),
    "sylvester": lambda m, a: m.solve_sylvester(a, a, a),
    "lyapunov": lambda m, a: m.solve_continuous_lyapunov(a, a),
    "khatri_rao": lambda m, a: m.khatri_rao(a, a),
    "block_diag": lambda m, a: m.block_diag(a, a),
}


def listed(out: Any) -> list:
    return list(out) if isinstance(out, (tuple, list)) else [out]


@pytest.mark.filterwarnings("ignore:logm result may be")  # SciPy's estimate, in float32
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    name=st.sampled_from(sorted(DRAWN)),
    n=st.integers(1, 4),
    lead=st.lists(st.integers(1, 2), max_size=2).map(tuple),
    dtype=st.sampled_from(["f4", "f8", "c8", "c16"]),
    seed=st.integers(0, 100),
)
def test_any_shape_and_dtype(name: str, n: int, lead: tuple, dtype: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = regular(rng, (*lead, n, n), dtype)
    f = DRAWN[name]
    want = listed(f(sl, x))
    v = regular(rng, x.shape, dtype)
    values, tangents = ft.jvp(lambda a: listed(f(linalg, a)), (x,), (v,))
    single = np.dtype(dtype).itemsize in (4,) or dtype == "c8"
    tolerance = 2e-3 if single else 1e-9
    for value, tangent, w in zip(values, tangents, want, strict=True):
        assert value.dtype == tangent.dtype == w.dtype
        np.testing.assert_allclose(value, w, rtol=tolerance, atol=tolerance)
    _, pullback = ft.vjp(lambda a: listed(f(linalg, a)), x)
    us = [np.asarray(rng.normal(size=t.shape)).astype(t.dtype) for t in tangents]
    (cotangent,) = pullback(us)
    assert (cotangent.shape, cotangent.dtype) == (x.shape, x.dtype)
    left = np.sum(np.real(cotangent * v))
    right = sum(np.sum(np.real(u * t)) for u, t in zip(us, tangents, strict=True))
    np.testing.assert_allclose(left, right, rtol=10 * tolerance, atol=10 * tolerance)
    if not single:
        h = 1e-6
        up, down = listed(f(sl, x + h * v)), listed(f(sl, x - h * v))
        for t, a, b in zip(tangents, up, down, strict=True):
            np.testing.assert_allclose(t, (a - b) / (2 * h), rtol=1e-5, atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(
    n=st.integers(1, 6),
    lower=st.integers(0, 2),
    upper=st.integers(0, 2),
    columns=st.integers(0, 2),
    dtype=st.sampled_from(["f8", "c16"]),
    seed=st.integers(0, 100),
)
def test_banded_systems_are_dense_ones(
    n: int, lower: int, upper: int, columns: int, dtype: str, seed: int
) -> None:
    rng = np.random.default_rng(seed)

    def draw(*shape: int) -> np.ndarray:
        x = rng.normal(size=shape)
        return (x + 1j * rng.normal(size=shape) if dtype == "c16" else x).astype(dtype)

    ab, b = draw(lower + upper + 1, n) / 4, draw(n, columns) if columns else draw(n)
    ab[upper] += 3
    i, j = np.indices((n, n))
    inside = (i - j <= lower) & (j - i <= upper)

    def dense(ab: Any, b: Any) -> Any:
        a = np.where(inside, ab[np.where(inside, upper + i - j, 0), j], 0)
        return np.linalg.solve(a, b)

    def banded(ab: Any, b: Any) -> Any:
        return linalg.solve_banded((lower, upper), ab, b)

    tangent = (draw(*ab.shape), draw(*b.shape))
    for got, want in zip(ft.jvp(banded, (ab, b), tangent), ft.jvp(dense, (ab, b), tangent),
                         strict=True):  # fmt: skip
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-9)
    u = draw(*b.shape)
    for got, want in zip(ft.vjp(banded, ab, b)[1](u), ft.vjp(dense, ab, b)[1](u), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-9)
