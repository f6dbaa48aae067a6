"""Small matrices factorised within compiled programs, against LAPACK."""

from __future__ import annotations

import numpy as np
import pytest

import functorch_like as ft
from functorch_like.primitives.linalg import triangular_solve

CASES = {
    "solve": lambda a, b: np.linalg.solve(a, b),
    "inverse": lambda a, b: np.linalg.inv(a),
    "determinant": lambda a, b: np.linalg.det(a),
    "slogdet": lambda a, b: tuple(np.linalg.slogdet(a)),
    "cholesky": lambda a, b: np.linalg.cholesky(
        a @ np.swapaxes(a, -1, -2) + np.eye(a.shape[-1], dtype=a.dtype)
    ),
    "upper cholesky": lambda a, b: np.linalg.cholesky(
        a @ np.swapaxes(a, -1, -2) + np.eye(a.shape[-1], dtype=a.dtype), upper=True
    ),
}


def equal(got, want, rtol):
    pairs = zip(ft.tree.leaves(got), ft.tree.leaves(want), strict=True)
    for g, w in pairs:
        assert g.shape == w.shape and g.dtype == w.dtype
        np.testing.assert_allclose(g, w, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("n", [1, 2, 3, 9, 16, 17])
@pytest.mark.parametrize("lead", [(), (4,), (2, 3)])
def test_value(name, n, lead):
    f = CASES[name]
    rng = np.random.default_rng(n)
    # neither symmetric nor with a dominant diagonal: rows must be exchanged
    a, b = rng.normal(size=(*lead, n, n)), rng.normal(size=(*lead, n, 2))
    equal(ft.jit(f)(a, b), f(a, b), 1e-9)
    equal(ft.jit(f)(np.asfortranarray(a), b), f(a, b), 1e-9)
    a, b = (x.astype(np.float32) for x in (a, b))
    want = f(a.astype(float), b.astype(float))
    want = ft.tree.map(lambda x: x.astype(np.float32), want)
    condition = np.max(np.linalg.cond(a))
    equal(ft.jit(lambda a, b: f(a, b))(a, b), want, 1e-5 * max(condition, 10))


@pytest.mark.parametrize("lower", [False, True])
@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("unit_diagonal", [False, True])
def test_triangular_solve(lower, transpose, unit_diagonal):
    def f(a, b):
        return triangular_solve(a, b, lower=lower, transpose=transpose, unit_diagonal=unit_diagonal)

    rng = np.random.default_rng(0)
    for n in (1, 3, 9):
        a, b = rng.normal(size=(2, n, n)) + 2 * np.eye(n), rng.normal(size=(2, n, 3))
        equal(ft.jit(f)(a, b), f(a, b), 1e-10)


@pytest.mark.parametrize("name", CASES)
def test_gradient_and_batch(name):
    f = CASES[name]

    def total(a, b):
        return sum(np.sum(np.sin(x)) for x in ft.tree.leaves(f(a, b)))

    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(3, 3)), rng.normal(size=(3, 2))
    equal(ft.jit(ft.grad(total, (0, 1)))(a, b), ft.grad(total, (0, 1))(a, b), 1e-9)
    equal(ft.jit(ft.hessian(total))(a, b), ft.hessian(total)(a, b), 1e-8)
    stack = rng.normal(size=(5, 3, 3))
    one = ft.vmap(total, (0, None))
    equal(ft.jit(one)(stack, b), np.stack([total(x, b) for x in stack]), 1e-10)


@pytest.mark.parametrize(
    ("f", "a", "message"),
    [
        (lambda a: np.linalg.inv(a), np.zeros((3, 3)), "Singular"),
        (lambda a: np.linalg.solve(a, a), np.ones((2, 2)), "Singular"),
        (lambda a: np.linalg.cholesky(a), -np.eye(2), "positive definite"),
        (lambda a: triangular_solve(a, a, lower=True, unit_diagonal=False, transpose=False),
         np.diag([1.0, 0.0]), "singular"),
    ],
)  # fmt: skip
def test_errors_are_those_without_jit(f, a, message):
    for g in (f, ft.jit(f)):
        with pytest.raises(np.linalg.LinAlgError, match=message):
            g(a)
    stack = np.stack([np.eye(len(a)), a])
    with pytest.raises(np.linalg.LinAlgError, match=message):
        ft.jit(ft.vmap(f))(stack)


def test_singular_determinants_and_nan():
    f = ft.jit(lambda a: (np.linalg.det(a), *np.linalg.slogdet(a)))
    assert f(np.zeros((2, 2))) == (0.0, 0.0, -np.inf)
    assert all(np.isnan(x) for x in f(np.full((2, 2), np.nan)))
    solved = ft.jit(lambda a: np.linalg.solve(a, np.ones((2, 1))))(np.full((2, 2), np.nan))
    assert np.isnan(solved).all()
