"""numpy.linalg on traced arrays: values, derivatives of both orders, batches, hard corners."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import functorch_like as ft
import functorch_like.numpy.linalg

L = np.linalg
F8, F4, C16 = (np.dtype(t) for t in ("f8", "f4", "c16"))


def normal(seed: int, *shape: int, dtype: Any = F8) -> np.ndarray:
    """Draw standard normal numbers from a seed."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=shape)
    dtype = np.dtype(dtype)
    if dtype.kind == "c":
        x = x + 1j * rng.normal(size=shape)
    return np.asarray(x).astype(dtype)


def separated(seed: int, *shape: int, dtype: Any = F8) -> np.ndarray:
    """Matrices with distinct singular values, and eigenvalues if square."""
    ramp = np.diag(1.5 * np.arange(1, max(shape[-2:]) + 1))[: shape[-2], : shape[-1]]
    return (normal(seed, *shape, dtype=dtype) / 4 + ramp).astype(dtype)


def adjoint(x: Any) -> Any:
    """Conjugate transpose."""
    return np.conj(np.swapaxes(x, -1, -2))


def hermitian(seed: int, *shape: int, dtype: Any = F8) -> np.ndarray:
    """Hermitian positive-definite matrices with distinct eigenvalues."""
    x = separated(seed, *shape, dtype=dtype)
    return ((x + adjoint(x)) / 2).astype(dtype)


def fixed(q: Any) -> Any:
    """Multiply vectors by their adjoints, which takes their phases away."""
    return q[..., :, None, :] * np.conj(q[..., None, :, :])


def parts(*results: Any) -> tuple:
    """Results as a plain tuple."""
    return tuple(results)


A, B, H, W, V = "separated", "normal", "hermitian", "wide", "vector"

# name: (function, kinds of its arguments, are tangents Hermitian)
CASES: dict[str, tuple[Callable, tuple[str, ...]]] = {
    "solve": (lambda a, b: L.solve(a, b), (A, B)),
    "solve_vector": (lambda a, b: L.solve(a, b), (A, V)),
    "inv": (lambda a: L.inv(a), (A,)),
    "det": (lambda a: L.det(a), (A,)),
    "slogdet": (lambda a: tuple(L.slogdet(a)), (A,)),
    "cholesky": (lambda a: L.cholesky(a), (H,)),
    "cholesky_upper": (lambda a: L.cholesky(a, upper=True), (H,)),
    "qr": (lambda a: tuple(L.qr(a)), (B,)),
    "qr_r": (lambda a: L.qr(a, mode="r"), (B,)),
    "qr_wide": (lambda a: tuple(L.qr(a)), (W,)),
    "qr_complete": (lambda a: parts(fixed(L.qr(a, "complete")[0][:, 2:]).sum(-1)), (B,)),
    "svd_values": (lambda a: L.svd(a, full_matrices=False)[1], (B,)),
    "svd_u": (lambda a: fixed(L.svd(a, full_matrices=False)[0]), (B,)),
    "svd_vh": (lambda a: fixed(adjoint(L.svd(a, full_matrices=False)[2])), (W,)),
    "svd_uv": (lambda a: L.svd(a, False).U @ L.svd(a, False).Vh, (W,)),
    "svd_null": (lambda a: fixed(L.svd(a)[0][:, 2:]).sum(-1), (B,)),
    "svd_null_wide": (lambda a: fixed(adjoint(L.svd(a)[2][2:])).sum(-1), (W,)),
    "svdvals": (lambda a: L.svdvals(a), (W,)),
    "svd_hermitian": (lambda a: fixed(L.svd(a, hermitian=True)[0]), (H,)),
    "svd_hermitian_values": (
        lambda a: L.svd(a, compute_uv=False, hermitian=True),
        (H,),
    ),
    "eigh_values": (lambda a: L.eigh(a)[0], (H,)),
    "eigh_vectors": (lambda a: fixed(L.eigh(a, "U")[1]), (H,)),
    "eigvalsh": (lambda a: L.eigvalsh(a), (H,)),
    "eig": (lambda a: tuple(L.eig(a)), (A,)),
    "eigvals": (lambda a: L.eigvals(a), (A,)),
    "lstsq": (lambda a, b: L.lstsq(a, b)[:2], (B, B)),
    "lstsq_vector": (lambda a, b: L.lstsq(a, b)[0], (W, V)),
    "pinv": (lambda a: L.pinv(a), (B,)),
    "pinv_wide": (lambda a: L.pinv(a, rtol=1e-9), (W,)),
    "pinv_hermitian": (lambda a: L.pinv(a, hermitian=True), (H,)),
    "matrix_power": (lambda a: L.matrix_power(a, 5), (A,)),
    "matrix_power_3": (lambda a: L.matrix_power(a, 3), (A,)),
    "matrix_power_minus": (lambda a: L.matrix_power(a, -2), (A,)),
    "cond": (lambda a: L.cond(a), (A,)),
    "cond_minus": (lambda a: L.cond(a, -2), (A,)),
    "cond_fro": (lambda a: L.cond(a, "fro"), (A,)),
    "tensorinv": (lambda a: L.tensorinv(a.reshape(1, 3, 3)), (A,)),
    "tensorsolve": (lambda a, b: L.tensorsolve(a.reshape(1, 3, 3), b.reshape(1, 3)), (A, V)),
    "matrix_transpose": (lambda a: L.matrix_transpose(a), (B,)),
    "vector_norm": (lambda a: L.vector_norm(a), (B,)),
    "vector_norm_axes": (lambda a: L.vector_norm(a, axis=(0, 1), ord=3, keepdims=True), (B,)),
    "matrix_norm": (lambda a: L.matrix_norm(a), (B,)),
    "matrix_norm_nuc": (lambda a: L.matrix_norm(a, ord="nuc", keepdims=True), (B,)),
}
for _order in (None, "fro", "nuc", np.inf, -np.inf, 1, -1, 2, -2):
    CASES[f"norm_{_order}"] = (lambda a, o=_order: L.norm(a, o), (B,))
    CASES[f"norm_{_order}_axes"] = (
        lambda a, o=_order: L.norm(a[None], o, axis=(2, 1), keepdims=True),
        (B,),
    )
for _order in (None, np.inf, -np.inf, 1, -1, 2, 3, 2.5, 0.5):
    CASES[f"norm_vector_{_order}"] = (lambda a, o=_order: L.norm(a, o), (V,))
    CASES[f"norm_axis_{_order}"] = (
        lambda a, o=_order: L.norm(a, o, axis=0, keepdims=True),
        (B,),
    )

# sums in another order, one LAPACK call for another, or powers by another route
INEXACT = {"lstsq", "eigvals", "cond_fro"}


def operands(name: str, dtype: Any, seed: int = 0) -> list[np.ndarray]:
    """Arguments of a case."""
    made = []
    for i, kind in enumerate(CASES[name][1]):
        k = 10 * seed + i
        made.append(
            {
                A: lambda k=k: separated(k, 3, 3, dtype=dtype),
                B: lambda k=k: normal(k, 3, 2, dtype=dtype),
                H: lambda k=k: hermitian(k, 3, 3, dtype=dtype),
                W: lambda k=k: normal(k, 2, 3, dtype=dtype),
                V: lambda k=k: normal(k, 2 if CASES[name][1][0] == W else 3, dtype=dtype),
            }[kind]()
        )
    return made


def directions(name: str, dtype: Any, seed: int) -> list[np.ndarray]:
    """Directions in which to differentiate: Hermitian where the argument is."""
    made = [
        normal(50 + seed + i, *x.shape, dtype=dtype) for i, x in enumerate(operands(name, dtype))
    ]
    return [
        t + adjoint(t) if kind == H else t for t, kind in zip(made, CASES[name][1], strict=True)
    ]


def as_tuple(x: Any) -> tuple:
    """Make a tuple of one result or several."""
    return tuple(x) if isinstance(x, (tuple, list)) else (x,)


def pairing(xs: Any, ys: Any) -> float:
    """Real part of the sum of products: the pairing of cotangents with tangents."""
    pairs = zip(as_tuple(xs), as_tuple(ys), strict=True)
    return sum(float(np.sum(np.multiply(x, y)).real) for x, y in pairs)


def central(f: Callable, xs: Any, ts: Any, h: float = 1e-5) -> tuple:
    """Differences of fourth order."""

    def at(s: float) -> tuple:
        return as_tuple(f(*[x + s * h * t for x, t in zip(xs, ts, strict=True)]))

    return tuple(
        (8 * (a - b) - (c - d)) / (12 * h)
        for a, b, c, d in zip(at(1), at(-1), at(2), at(-2), strict=True)
    )


def close(xs: Any, ys: Any, tolerance: float) -> None:
    """Assert that results agree relative to their size."""
    for x, y in zip(as_tuple(xs), as_tuple(ys), strict=True):
        scale = 1 + np.abs(y).max(initial=0)
        np.testing.assert_allclose(x, y, rtol=0, atol=tolerance * scale)


KINDS = pytest.mark.parametrize("dtype", [F8, C16], ids=str)
NAMES = pytest.mark.parametrize("name", CASES)


@KINDS
@NAMES
def test_value_is_numpys(name: str, dtype: np.dtype) -> None:
    f, xs = CASES[name][0], operands(name, dtype)
    plain = as_tuple(f(*xs))
    for traced in (ft.jvp(f, xs, directions(name, dtype, 0))[0], ft.vjp(f, *xs)[0]):
        for x, y in zip(as_tuple(traced), plain, strict=True):
            assert x.dtype == y.dtype
            assert x.shape == y.shape
            if name in INEXACT or dtype == C16:
                np.testing.assert_allclose(x, y, rtol=1e-12, atol=1e-13)
            else:
                np.testing.assert_array_equal(x, y)


@KINDS
@NAMES
def test_jvp_is_the_derivative(name: str, dtype: np.dtype) -> None:
    f, xs, ts = CASES[name][0], operands(name, dtype), directions(name, dtype, 0)
    close(ft.jvp(f, xs, ts)[1], central(f, xs, ts, 1e-4), 1e-7)


@KINDS
@NAMES
def test_vjp_is_the_transpose_of_jvp(name: str, dtype: np.dtype) -> None:
    f, xs, ts = CASES[name][0], operands(name, dtype), directions(name, dtype, 0)
    out, pull = ft.vjp(f, *xs)
    moved = ft.jvp(f, xs, ts)[1]
    weights = tuple(normal(70 + i, *y.shape, dtype=y.dtype) for i, y in enumerate(as_tuple(out)))
    back = pull(weights if isinstance(out, (tuple, list)) else weights[0])
    for g, x in zip(back, xs, strict=True):
        assert g.dtype == x.dtype
        assert g.shape == x.shape
    assert pairing(weights, moved) == pytest.approx(pairing(back, ts), rel=1e-9, abs=1e-9)


def scalar(name: str, xs: list) -> Callable:
    """Make a real function of the case's results, with weights from a seed."""
    f = CASES[name][0]
    weights = [normal(80 + i, *np.shape(y)) for i, y in enumerate(as_tuple(f(*xs)))]

    def total(*args: Any) -> Any:
        ys = as_tuple(f(*args))
        return sum(
            np.sum(w * (np.real(y) + np.imag(y)) ** 2) for w, y in zip(weights, ys, strict=True)
        )

    return total


@KINDS
@NAMES
def test_second_order(name: str, dtype: np.dtype) -> None:
    xs, ts = operands(name, dtype), directions(name, dtype, 1)
    g = ft.grad(scalar(name, xs), argnums=tuple(range(len(xs))))
    forward_over_reverse = ft.jvp(g, xs, ts)[1]
    close(forward_over_reverse, central(g, xs, ts, 1e-4), 1e-6)

    def along(*args: Any) -> Any:
        return sum(np.sum(np.real(gradient * t)) for gradient, t in zip(g(*args), ts, strict=True))

    reverse_over_reverse = ft.grad(along, argnums=tuple(range(len(xs))))(*xs)
    # The Hessian is symmetric: <s, H t> = <H s, t>.
    ss = directions(name, dtype, 7)
    assert pairing(reverse_over_reverse, ss) == pytest.approx(
        pairing(ft.jvp(g, xs, ss)[1], ts), rel=1e-7, abs=1e-7
    )


@KINDS
@NAMES
def test_vmap_is_a_loop(name: str, dtype: np.dtype) -> None:
    f = CASES[name][0]
    batch = [operands(name, dtype, seed) for seed in range(3)]
    stacked = [np.stack(column) for column in zip(*batch, strict=True)]
    tall = ft.vmap(f)(*stacked)
    for i, xs in enumerate(batch):
        for x, y in zip(as_tuple(tall), as_tuple(f(*xs)), strict=True):
            np.testing.assert_allclose(x[i], y, rtol=1e-9, atol=1e-11)
    g = ft.grad(scalar(name, batch[0]), argnums=tuple(range(len(stacked))))
    gradients = ft.vmap(g)(*stacked)
    for i, xs in enumerate(batch):
        close(tuple(x[i] for x in gradients), g(*xs), 1e-9)


@NAMES
def test_float32_stays_float32(name: str) -> None:
    f, xs, ts = CASES[name][0], operands(name, F4), directions(name, F4, 0)
    plain = as_tuple(f(*xs))
    out, moved = ft.jvp(f, xs, ts)
    for y, a, b in zip(plain, as_tuple(out), as_tuple(moved), strict=True):
        assert y.dtype == a.dtype == b.dtype
    _, pull = ft.vjp(f, *xs)
    assert all(g.dtype == F4 for g in pull(out))
    assert all(g.dtype == F4 for g in as_tuple(ft.grad(scalar(name, xs))(*xs)))


@pytest.mark.parametrize("f", [L.inv, L.det, L.cholesky, L.eigvalsh, L.svdvals, L.norm, L.pinv])
def test_integers_become_float64(f: Callable) -> None:
    x = np.stack([np.eye(3, dtype=int) * 3 + 1, np.eye(3, dtype=int) * 2])
    found = ft.vmap(f)(x)
    assert found.dtype == F8
    np.testing.assert_allclose(found, [f(v) for v in x], rtol=1e-13)


# --- batches inside the operand ---------------------------------------------------------------


@pytest.mark.parametrize(
    "shapes", [((2, 3, 3), (3, 2)), ((3, 3), (2, 3, 2)), ((2, 1, 3, 3), (4, 3, 1))]
)
def test_solve_broadcasts(shapes: tuple) -> None:
    a, b = separated(0, *shapes[0]), normal(1, *shapes[1])
    s, t = normal(2, *shapes[0]), normal(3, *shapes[1])
    out, moved = ft.jvp(L.solve, (a, b), (s, t))
    np.testing.assert_array_equal(out, L.solve(a, b))
    close(moved, central(L.solve, (a, b), (s, t), 1e-4), 1e-9)
    weights = normal(4, *out.shape)
    back = ft.vjp(L.solve, a, b)[1](weights)
    assert pairing(weights, moved) == pytest.approx(pairing(back, (s, t)))


def test_solve_promotes_operands() -> None:
    a, b = separated(0, 3, 3), normal(1, 3, dtype=C16)
    _, pull = ft.vjp(L.solve, a, b)
    g = pull(normal(2, 3, dtype=C16))
    assert [x.dtype for x in g] == [F8, C16]
    assert ft.grad(lambda a: L.norm(L.solve(a, b.real.astype("f4"))))(a).dtype == F8


def test_solve_of_one_matrix_for_a_batch_factors_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = separated(0, 3, 3), normal(1, 5, 3)
    shapes = []
    from functorch_like.primitives.linalg import solve

    kernel = solve.kernel
    monkeypatch.setattr(solve, "kernel", lambda a, b: shapes.append(a.shape) or kernel(a, b))
    x = ft.vmap(L.solve, in_axes=(None, 0))(a, b)
    np.testing.assert_allclose(x, [L.solve(a, v) for v in b])
    assert shapes == [(3, 3)]


@pytest.mark.parametrize(
    "f", [L.inv, L.det, L.cholesky, L.eigvalsh, L.svdvals, lambda a: L.qr(a)[1], L.pinv, L.cond]
)
def test_stack_of_matrices(f: Callable) -> None:
    x, t = hermitian(0, 2, 2, 3, 3), hermitian(1, 2, 2, 3, 3)
    out, moved = ft.jvp(f, (x,), (t,))
    np.testing.assert_array_equal(out, f(x))
    close(moved, central(f, (x,), (t,), 1e-4), 1e-7)


@pytest.mark.parametrize(
    "f",
    [
        L.inv,
        L.det,
        L.cholesky,
        L.slogdet,
        L.eigh,
        L.eig,
        L.qr,
        L.svdvals,
        L.norm,
        L.pinv,
        lambda a: L.solve(a, a),
    ],
)
@pytest.mark.parametrize("shape", [(0, 0), (0, 2, 2)])
def test_empty(f: Callable, shape: tuple) -> None:
    if f is L.norm and len(shape) == 3:
        pytest.skip("a norm takes two axes")
    x = np.zeros(shape)
    out, pull = ft.vjp(f, x)
    for y, z in zip(as_tuple(out), as_tuple(f(x)), strict=True):
        np.testing.assert_array_equal(y, z)
    (g,) = pull(out)
    assert g.shape == shape


# --- hard corners -----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [F8, C16], ids=str)
@pytest.mark.parametrize("order", [None, 1, 2, np.inf, 3, 2.5, 1.5])
def test_gradient_of_a_norm_at_zero_is_zero(order: Any, dtype: np.dtype) -> None:
    x = np.zeros(3, dtype)
    f = lambda v: L.norm(v, order)
    np.testing.assert_array_equal(ft.grad(f)(x), 0)
    moved = ft.jvp(ft.grad(f), (x,), (np.ones(3, dtype),))[1]
    assert np.isfinite(moved).all()
    # one element zero
    y = np.array([0.0, 1.0, -2.0]).astype(dtype)
    assert np.isfinite(ft.grad(f)(y)).all()
    assert np.isfinite(ft.jvp(ft.grad(f), (y,), (np.ones(3, dtype),))[1]).all()


@pytest.mark.parametrize("order", [None, "fro", "nuc", 1, 2, np.inf])
def test_gradient_of_a_matrix_norm_at_zero_is_finite(order: Any) -> None:
    f = lambda a: L.norm(a, order)
    x = np.zeros((3, 2))
    assert np.isfinite(ft.grad(f)(x)).all()
    assert np.isfinite(ft.jvp(ft.grad(f), (x,), (np.ones((3, 2)),))[1]).all()


def test_zeros_in_a_row_of_norms() -> None:
    x = np.array([[0.0, 0.0], [3.0, 4.0]])
    g = ft.grad(lambda v: np.sum(L.norm(v, axis=-1)))(x)
    np.testing.assert_allclose(g, [[0, 0], [0.6, 0.8]])


SYMMETRIC_FUNCTIONS = [
    lambda a: np.sum(L.eigvalsh(a) ** 2),
    lambda a: np.sum(L.eigh(a)[0] * np.array([1.0, 2.0, 3.0])),
    lambda a: np.sum(L.eigh(a)[1] ** 3),
    lambda a: np.sum(L.svd(a)[0] ** 3),
    lambda a: np.sum(np.log(1 + L.svdvals(a))),
    lambda a: L.norm(a, "nuc"),
    lambda a: np.sum(np.abs(L.eig(a)[1]) ** 2 + np.real(L.eig(a)[0])[:, None]),
]


@pytest.mark.parametrize("dtype", [F8, C16], ids=str)
@pytest.mark.parametrize("f", SYMMETRIC_FUNCTIONS)
@pytest.mark.parametrize("values", [(2.0, 2.0, 2.0), (1.0, 1.0, 3.0), (0.0, 0.0, 0.0)])
def test_repeated_values_make_no_nan(f: Callable, values: tuple, dtype: np.dtype) -> None:
    a = np.diag(values).astype(dtype)
    g = ft.grad(lambda a: np.real(f(a)))
    t = hermitian(0, 3, 3, dtype=dtype)
    assert np.isfinite(g(a)).all()
    assert np.isfinite(ft.jvp(g, (a,), (t,))[1]).all()
    assert np.isfinite(ft.grad(lambda a: np.sum(np.real(g(a) * t)))(a)).all()


def test_trace_of_a_power_at_repeated_eigenvalues() -> None:
    # sum(w**2) = sum(a * a) for a symmetric a, whatever its eigenvalues
    g = ft.grad(lambda a: np.sum(L.eigvalsh(a) ** 2))(np.eye(3))
    np.testing.assert_allclose(g, 2 * np.eye(3), atol=1e-14)


@pytest.mark.parametrize("f", [L.cholesky, L.eigvalsh, lambda a: L.eigh(a)[1]])
def test_gradient_of_a_symmetric_function_is_symmetric(f: Callable) -> None:
    x = hermitian(0, 3, 3)
    g = ft.grad(lambda a: np.sum(f(a) ** 3))(x)
    np.testing.assert_allclose(g, g.T, atol=1e-13)


@pytest.mark.parametrize("dtype", [F8, C16], ids=str)
@pytest.mark.parametrize("rank", [0, 1, 2])
def test_determinant_at_a_singular_matrix(rank: int, dtype: np.dtype) -> None:
    x = normal(0, 3, 3, dtype=dtype)
    x[rank:] = 0  # exactly singular
    t, s = normal(1, 3, 3, dtype=dtype), normal(2, 3, 3, dtype=dtype)
    close(ft.jvp(L.det, (x,), (t,))[1], central(L.det, (x,), (t,), 1e-3), 1e-9)
    # the determinant is a polynomial: its second derivative is that of differences
    slope = lambda a: ft.jvp(L.det, (a,), (t,))[1]
    close(ft.jvp(slope, (x,), (s,))[1], central(slope, (x,), (s,), 1e-3), 1e-9)
    both = np.stack([x, np.eye(3, dtype=dtype)])
    g = ft.vmap(ft.grad(lambda a: np.real(L.det(a))))(both)
    np.testing.assert_allclose(g[1], np.eye(3), atol=1e-12)
    assert np.isfinite(g).all()


def test_third_derivative_of_a_determinant() -> None:
    x, t = separated(0, 3, 3), normal(1, 3, 3)
    second = lambda a: ft.jvp(lambda b: ft.jvp(L.det, (b,), (t,))[1], (a,), (t,))[1]
    # det(x + s t) is a cubic in s with leading coefficient det(t)
    assert ft.jvp(second, (x,), (t,))[1] == pytest.approx(6 * L.det(t))


@pytest.mark.parametrize("dtype", [F8, C16], ids=str)
def test_rank_deficient_pinv(dtype: np.dtype) -> None:
    left, right = normal(0, 4, 2, dtype=dtype), normal(1, 2, 3, dtype=dtype)
    s, t = normal(2, 4, 2, dtype=dtype), normal(3, 2, 3, dtype=dtype)
    f = lambda u, v: L.pinv(u @ v, rcond=1e-9)
    close(ft.jvp(f, (left, right), (s, t))[1], central(f, (left, right), (s, t), 1e-4), 1e-6)
    g = ft.grad(lambda u, v: np.sum(np.abs(f(u, v)) ** 2))
    assert np.isfinite(g(left, right)).all()
    close(ft.jvp(g, (left, right), (s, t))[1], central(g, (left, right), (s, t), 1e-4), 1e-5)


def test_rank_deficient_lstsq() -> None:
    left, right, b = normal(0, 4, 2), normal(1, 2, 3), normal(2, 4)
    s, t = normal(3, 4, 2), normal(4, 2, 3)
    f = lambda u, v: L.lstsq(u @ v, b, rcond=1e-9)[0]
    close(ft.jvp(f, (left, right), (s, t))[1], central(f, (left, right), (s, t), 1e-4), 1e-6)
    out, residuals, rank, values = ft.jvp(
        lambda a: L.lstsq(a, b, rcond=1e-9), (left @ right,), (s @ right,)
    )[0]
    assert rank == 2
    assert residuals.shape == (0,)
    np.testing.assert_allclose(values, L.svdvals(left @ right))
    assert out.shape == (3,)


def test_eig_of_a_rotation_keeps_its_normalisation() -> None:
    turn = np.array([[0.0, -1.0], [2.0, 0.2]])  # a pair of complex eigenvalues
    t = normal(0, 2, 2)
    f = lambda a: tuple(L.eig(a))
    close(ft.jvp(f, (turn,), (t,))[1], central(f, (turn,), (t,), 1e-5), 1e-7)


def test_eig_is_real_where_numpys_is() -> None:
    a = np.diag([1.0, 2.0, 4.0]) + 0.1
    w, v = ft.jvp(L.eig, (a,), (a,))[0]
    assert w.dtype == v.dtype == F8
    assert ft.vmap(L.eigvals)(a[None]).dtype == C16


def test_matrix_rank_has_no_derivative() -> None:
    a = np.diag([1.0, 2.0, 0.0])
    assert ft.jvp(L.matrix_rank, (a,), (a,))[0] == 2
    np.testing.assert_array_equal(ft.vmap(L.matrix_rank)(np.stack([a, np.eye(3)])), [2, 3])
    np.testing.assert_array_equal(ft.grad(lambda a: L.matrix_rank(a) * np.sum(a))(a), 2)
    assert ft.jvp(lambda a: L.matrix_rank(a, tol=1.5), (a,), (a,))[0] == 1
    assert ft.jvp(lambda a: L.matrix_rank(a, hermitian=True, rtol=0.6), (a,), (a,))[0] == 1
    assert ft.jvp(L.matrix_rank, (np.zeros(3),), (np.zeros(3),))[0] == 0


def test_cond_of_a_singular_matrix_is_infinite() -> None:
    a = np.zeros((2, 2))
    assert ft.jvp(L.cond, (a,), (a,))[0] == np.inf


def test_named_results() -> None:
    a = hermitian(0, 3, 3)

    def f(a: Any) -> Any:
        e, s, q = L.eigh(a), L.svd(a), L.qr(a)
        return (
            e.eigenvalues[0]
            + s.S[0]
            + q.R[0, 0]
            + L.slogdet(a).logabsdet
            + np.real(L.eig(a).eigenvalues[0])
        )

    assert np.isfinite(ft.grad(f)(a)).all()


# --- errors -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "f", [L.inv, L.det, L.slogdet, L.cholesky, L.eigh, L.eigvalsh, L.eig, L.eigvals]
)
def test_matrices_must_be_square(f: Callable) -> None:
    with pytest.raises(L.LinAlgError, match=r"expected square matrices; got shape \(2, 3\)"):
        ft.jvp(f, (np.ones((2, 3)),), (np.ones((2, 3)),))
    with pytest.raises(L.LinAlgError, match="expected a matrix"):
        ft.jvp(f, (np.ones(3),), (np.ones(3),))


def test_singular_matrices_are_numpys_error() -> None:
    x = np.zeros((2, 2))
    for f in (L.inv, L.cholesky, lambda a: L.solve(a, np.ones(2))):
        with pytest.raises(L.LinAlgError):
            ft.jvp(f, (x,), (x,))
    with pytest.raises(L.LinAlgError, match="singular matrix"):
        ft.jvp(L.qr, (x,), (x,))


def test_other_refusals() -> None:
    x = np.eye(3)
    with pytest.raises(ValueError, match="mode 'reduced', 'complete' or 'r'"):
        ft.grad(lambda a: L.qr(a, "raw")[0].sum())(x)
    with pytest.raises(ValueError, match="right-hand side with 3 rows"):
        ft.jvp(lambda a: L.solve(a, np.ones((2, 2))), (x,), (x,))
    with pytest.raises(ValueError, match="UPLO must be"):
        ft.jvp(lambda a: L.eigvalsh(a, "X"), (x,), (x,))
    with pytest.raises(L.LinAlgError, match="two dimensions"):
        ft.jvp(lambda a: L.lstsq(a[None], np.ones(3))[0], (x,), (x,))
    with pytest.raises(ValueError, match="Invalid norm order"):
        ft.jvp(lambda a: L.norm(a[0], "fro", axis=0), (x,), (x,))
    with pytest.raises(ValueError, match="Invalid norm order for matrices"):
        ft.jvp(lambda a: L.norm(a, 3), (x,), (x,))
    with pytest.raises(ValueError, match="Improper number of dimensions"):
        ft.jvp(lambda a: L.norm(a[None], 1), (x,), (x,))
    with pytest.raises(ValueError, match="can't be both set"):
        ft.jvp(lambda a: L.matrix_rank(a, tol=1.0, rtol=1.0), (x,), (x,))
    with pytest.raises(ValueError, match="positive ind"):
        ft.jvp(lambda a: L.tensorinv(a, 0), (x,), (x,))
    with pytest.raises(L.LinAlgError, match="tensorsolve"):
        ft.jvp(lambda a: L.tensorsolve(a[:2], np.ones(2)), (x,), (x,))
