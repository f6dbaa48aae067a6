"""Laplacians, diagonals, Gauss-Newton, operators and blocks against dense Hessians."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse.linalg

import functorch_like as ft

RNG = np.random.default_rng(0)
X = RNG.normal(size=6)
W = RNG.normal(size=(5, 6))


def ruled(x):
    return ft.custom_gradient(lambda y: (np.sin(y), lambda ct: ct * np.cos(y)))(x)


FUNCTIONS = {
    "network": lambda x: np.sum(np.tanh(W @ x) ** 2 * np.exp(-x[0])),
    "pair distances": lambda x: np.sum(
        1 / np.linalg.norm(x.reshape(3, 2)[:, None] - x.reshape(3, 2) + 0.5, axis=-1)
    ),
    "separable": lambda x: np.sum(np.sin(x) ** 2 * np.exp(x) + x),
    "separable matrix": lambda x: np.sum(np.cos(x.reshape(2, 3)).copy() * x.reshape(2, 3)),
    "determinant": lambda x: np.linalg.det(np.outer(x, x)[:3, :3] + np.diag(np.exp(x[:3]))),
    "several": lambda x: np.stack([np.arctan2(x[0], x[1]), np.hypot(x[2], x[3]) / x[4] ** 2]),
    "power": lambda x: np.sum((2 + np.sin(x)) ** (x * x)),
    "product": lambda x: np.sum(np.outer(x, x) @ np.outer(np.sin(x), x)),
    "assignment": lambda x: _assigned(x),
    "where": lambda x: np.sum(np.where(x > 0, x**3, np.exp(x)) * np.maximum(x, x[::-1])),
    "scan": lambda x: ft.scan(lambda c, t: (np.sin(c * t) + x[0], c), x, np.arange(3.0))[0].sum(),
    "jit": ft.jit(lambda x: np.sum(np.cos(x * x[::-1]))),
    "custom rule": lambda x: np.sum(ruled(x * x[::-1])),
    "checkpoint": lambda x: np.sum(ft.checkpoint(lambda y: np.sin(y) * x)(x * x)),
    "constant": lambda x: 3.0 + 0 * np.argmax(x),
    "eigenvalues": lambda x: np.linalg.eigvalsh(np.outer(x, x) + np.diag(np.exp(x)))[-1],
}


def _assigned(x):
    y = np.zeros_like(x)
    y[::2] = np.sin(x[1::2])
    y[1] = x[0] * x[5]
    return np.sum(y**2)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_laplacian_and_diagonal_are_those_of_the_hessian(name: str) -> None:
    f = FUNCTIONS[name]
    if name == "constant":
        diagonal: np.ndarray = np.zeros(6)
    else:
        diagonal = np.diagonal(ft.hessian(f)(X), axis1=-2, axis2=-1)
    scale = 1e-12 * (1 + np.abs(diagonal).max())
    trace = diagonal.sum(-1)
    np.testing.assert_allclose(ft.laplacian(f)(X), trace, rtol=1e-10, atol=scale)
    np.testing.assert_allclose(ft.laplacian(f, chunk_size=4)(X), trace, rtol=1e-10, atol=scale)
    np.testing.assert_allclose(ft.hessian_diagonal(f)(X), diagonal, rtol=1e-10, atol=scale)


def test_laplacian_closed_forms() -> None:
    x = np.array([1.0, -2.0, 0.5])
    # 1 / r is harmonic in three dimensions; exp(-a r) has Laplacian (a^2 - 2 a / r) exp(-a r)
    assert abs(ft.laplacian(lambda x: 1 / np.linalg.norm(x))(x)) < 1e-14
    r = np.linalg.norm(x)
    got = ft.laplacian(lambda x: np.exp(-1.3 * np.linalg.norm(x)))(x)
    np.testing.assert_allclose(got, (1.69 - 2.6 / r) * np.exp(-1.3 * r), rtol=1e-13)


def test_laplacian_composes() -> None:
    f = FUNCTIONS["network"]
    expected = np.trace(ft.hessian(f)(X))
    np.testing.assert_allclose(ft.jit(ft.laplacian(f))(X), expected, rtol=1e-12)
    batch = np.stack([X, -X])
    each = [np.trace(ft.hessian(f)(x)) for x in batch]
    np.testing.assert_allclose(ft.vmap(ft.laplacian(f))(batch), each, rtol=1e-12)
    gradient = ft.grad(ft.laplacian(f))(X)
    reference = ft.grad(lambda x: np.trace(ft.hessian(f)(x)))(X)
    np.testing.assert_allclose(gradient, reference, rtol=1e-10)
    np.testing.assert_allclose(ft.jit(ft.hessian_diagonal(f))(X), np.diag(ft.hessian(f)(X)))


def test_arguments_of_several_arrays() -> None:
    p = {"a": X[:4].reshape(2, 2), "b": X[4:]}
    f = lambda p, s: np.sum(np.sin(p["a"] @ p["b"])) * s
    full = ft.hessian(f)(p, 2.0)
    found = ft.hessian_diagonal(f)(p, 2.0)
    np.testing.assert_allclose(
        found["a"].ravel(), np.diag(full["a"]["a"].reshape(4, 4)), atol=1e-13
    )
    np.testing.assert_allclose(found["b"], np.diag(full["b"]["b"]), atol=1e-13)
    total = found["a"].sum() + found["b"].sum()
    np.testing.assert_allclose(ft.laplacian(f)(p, 2.0), total)
    np.testing.assert_allclose(ft.laplacian(f, argnums=(0, 1))(p, 2.0), total)  # linear in s
    value, aux = ft.laplacian(lambda x: (np.sum(x**2), x), has_aux=True)(X)
    assert value == 12
    np.testing.assert_array_equal(aux, X)
    assert ft.laplacian(np.square)(np.float32(3)).dtype == np.float32


# --- Gauss-Newton -----------------------------------------------------------------------------


def model(p):
    return {"y": np.tanh(p["w"] @ p["x"]), "z": p["x"] ** 2}


def loss(out):
    return np.sum(np.logaddexp(0, out["y"])) + np.sum(out["z"] ** 2) * out["y"][0]


P = {"w": X.reshape(2, 3), "x": np.array([0.3, -0.7, 1.2])}


def flattened(tree_of_trees, shapes=(6, 3)):
    names = ("w", "x")
    return np.block(
        [
            [tree_of_trees[i][j].reshape(m, n) for j, n in zip(names, shapes, strict=True)]
            for i, m in zip(names, shapes, strict=True)
        ]
    )


def dense_reference(loss):
    pack = lambda v: {"w": v[:6].reshape(2, 3), "x": v[6:]}
    flat = lambda v: np.concatenate([model(pack(v))["y"], model(pack(v))["z"]])
    unpack = lambda o: {"y": o[:2], "z": o[2:]}
    v = np.concatenate([P["w"].ravel(), P["x"]])
    j = ft.jacobian(flat)(v)
    h = np.eye(5) if loss is None else ft.hessian(lambda o: loss(unpack(o)))(flat(v))
    return j.T @ h @ j


@pytest.mark.parametrize("given", [None, loss], ids=["squares", "loss"])
def test_gauss_newton(given) -> None:
    reference = dense_reference(given)
    matrix = flattened(ft.gauss_newton(model, loss=given)(P))
    np.testing.assert_allclose(matrix, reference, atol=1e-13)
    chunked = flattened(ft.gauss_newton(model, loss=given, chunk_size=2)(P))
    np.testing.assert_allclose(chunked, reference, atol=1e-13)
    compiled = flattened(ft.jit(ft.gauss_newton(model, loss=given))(P))
    np.testing.assert_allclose(compiled, reference, atol=1e-13)
    v = {"w": RNG.normal(size=(2, 3)), "x": RNG.normal(size=3)}
    product = ft.gauss_newton_product(model, (P,), (v,), loss=given)
    expected = reference @ np.concatenate([v["w"].ravel(), v["x"]])
    got = np.concatenate([product["w"].ravel(), product["x"]])
    np.testing.assert_allclose(got, expected, atol=1e-13)


def test_gauss_newton_of_a_linear_model_is_the_hessian() -> None:
    linear = lambda x: W @ x
    square = lambda r: np.sum(np.cosh(r))
    got = ft.gauss_newton(linear, loss=square)(X)
    np.testing.assert_allclose(got, ft.hessian(lambda x: square(linear(x)))(X), rtol=1e-12)


# --- operators --------------------------------------------------------------------------------


def test_operators() -> None:
    f = FUNCTIONS["network"]
    h = ft.hessian(f)(X)
    operator = ft.hessian_operator(f, X)
    assert isinstance(operator, scipy.sparse.linalg.LinearOperator)
    assert operator.dtype == np.float64
    block = RNG.normal(size=(6, 4))
    np.testing.assert_allclose(operator @ block, h @ block, atol=1e-12)
    np.testing.assert_allclose(operator.T @ block[:, 0], h @ block[:, 0], atol=1e-12)
    np.testing.assert_allclose(
        scipy.sparse.linalg.eigsh(operator, 1, which="LA")[0][0], np.linalg.eigvalsh(h)[-1]
    )
    g = lambda p: {"u": np.sin(p["w"] @ p["x"]), "v": p["x"] ** 2}
    j = ft.jacobian_operator(g, P)
    blocks = ft.jacobian(g)(P)
    dense = np.block(
        [[blocks["u"]["w"].reshape(2, 6), blocks["u"]["x"]],
         [blocks["v"]["w"].reshape(3, 6), blocks["v"]["x"]]]
    )  # fmt: skip
    assert j.shape == (5, 9)
    np.testing.assert_allclose(j @ np.eye(9), dense, atol=1e-13)
    np.testing.assert_allclose(j.T @ np.eye(5), dense.T, atol=1e-13)
    np.testing.assert_allclose(j @ np.arange(9.0), dense @ np.arange(9.0), atol=1e-12)


# --- blocks, symmetry, memory -----------------------------------------------------------------


def block_function(p):
    return np.sum(np.tanh(p["w"] @ p["x"]) ** 2) + np.sum(p["x"] ** 3)


def test_blocks_of_a_hessian() -> None:
    full = ft.hessian(block_function)(P)
    reference = flattened(full)
    np.testing.assert_allclose(reference, reference.T, atol=1e-14)
    for options in (
        {"symmetric": True},
        {"symmetric": True, "chunk_size": 2},
        {"memory_limit": 2000},
        {"memory_limit": 1},
    ):
        got = flattened(ft.hessian(block_function, **options)(P))
        np.testing.assert_allclose(got, reference, atol=1e-13)
    once = ft.hessian(block_function, symmetric=True)(P)
    np.testing.assert_array_equal(once["w"]["x"], np.moveaxis(once["x"]["w"], 0, -1))
    diagonal = ft.hessian(block_function, blocks="diagonal")(P)
    for name in P:
        np.testing.assert_allclose(diagonal[name], full[name][name], atol=1e-14)
    np.testing.assert_allclose(
        ft.jit(ft.hessian(block_function, blocks="diagonal"))(P)["w"], diagonal["w"], atol=1e-14
    )


def test_symmetric_evaluation_replays_less() -> None:
    from functorch_like.primitives.core import registry

    counted = []
    kernel = registry["multiply"].kernel

    def count(x, y):
        counted.append(np.size(x))
        return kernel(x, y)

    f = lambda a, b: np.sum(np.exp(a) * np.sin(b[0])) + np.sum(np.exp(b * b))
    work = []
    for symmetric in (False, True):
        counted.clear()
        registry["multiply"].kernel = count
        try:
            ft.hessian(f, argnums=(0, 1), symmetric=symmetric)(X, X)
        finally:
            registry["multiply"].kernel = kernel
        work.append(sum(counted))
    assert work[1] < work[0]


def test_memory_limit_of_jacobians() -> None:
    f = lambda x: np.outer(np.sin(x), x)
    reference = ft.jacobian(f)(X)
    for transform in (ft.jacfwd, ft.jacrev, ft.jacobian):
        for limit in (1, 1000, 10**9):
            np.testing.assert_array_equal(transform(f, memory_limit=limit)(X), reference)
    import tracemalloc

    x = np.zeros(400)
    g = lambda x: np.sum(np.tanh(np.outer(x, x)))

    def peak(**options):
        tracemalloc.start()
        try:
            ft.hessian(g, **options)(x)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(memory_limit=10**7) < 0.5 * peak(chunk_size=100)


# --- errors -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (lambda: ft.laplacian(np.sum)(np.arange(3)), TypeError, "floating-point input; got int"),
        (lambda: ft.laplacian(np.sum)(X + 0j), TypeError, "expected real input; got complex"),
        (lambda: ft.laplacian(np.sum, chunk_size=0), ValueError, "must be positive; got 0"),
        (lambda: ft.hessian_diagonal(np.sum)(X + 0j), TypeError, "expected real input"),
        (lambda: ft.gauss_newton(lambda x: x + 1j)(X), TypeError, "a model with real"),
        (lambda: ft.gauss_newton_product(np.sin, X, (X,)), TypeError, "write .primals,."),
        (lambda: ft.gauss_newton_product(np.sin, (X,), ([X],)), TypeError, "structured like"),
        (lambda: ft.gauss_newton(np.sin, loss=np.sin)(X), TypeError, "scalar"),
        (lambda: ft.hessian_operator(np.sin, X), TypeError, "scalar"),
        (lambda: ft.hessian(np.sum, blocks="lower"), ValueError, "or \"diagonal\"; got 'lower'"),
        (lambda: ft.hessian(np.sum, memory_limit=0)(X), ValueError, "must be positive"),
        (lambda: ft.jacrev(np.sin, memory_limit=1e6)(X), TypeError, "in bytes, an integer"),
        (
            lambda: ft.grad(lambda x: np.sum(ft.hessian_operator(np.sum, x) @ X))(X),
            TypeError,
            "outside of transforms",
        ),
    ],
)
def test_errors(call, kind, text) -> None:
    with pytest.raises(kind, match=text):
        call()
