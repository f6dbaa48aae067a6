"""Patterns read from programs: exact where promised, never too small anywhere."""

from __future__ import annotations

import importlib
import pkgutil
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from drawn_programs import OPERATIONS, Drawn, draw, looped
from hypothesis import given, settings
from hypothesis import strategies as st
from op_table import TABLE, Row

import functorch_like as ft
import functorch_like.primitives as primitives_package
from functorch_like.primitives.core import Elementwise, Nondifferentiable, registry
from functorch_like.sparsity import propagation
from functorch_like.sparsity.propagation import RULES, VALUED

for module in pkgutil.iter_modules(primitives_package.__path__):
    importlib.import_module(f"functorch_like.primitives.{module.name}")

plan_jacobian, plan_hessian = ft.sparsity.plan_jacobian, ft.sparsity.plan_hessian
RNG = np.random.default_rng(0)
X = RNG.uniform(0.5, 1.5, 12)


def pattern_of(f: Callable, *args: Any, **options: Any) -> np.ndarray:
    return plan_jacobian(f, *args, jit=False, **options).pattern.toarray()


# --- every primitive -----------------------------------------------------------------------------


def smooth(row: Row) -> bool:
    primitive = registry[row.primitive]
    flat = isinstance(primitive, Elementwise) and primitive.rules is None
    return not isinstance(primitive, Nondifferentiable) and not flat


def dense_jacobian(f: Callable, x: np.ndarray, holomorphic: bool) -> np.ndarray:
    leaves = ft.tree.leaves(ft.jacfwd(f, holomorphic=holomorphic)(x))
    return np.concatenate([np.reshape(j, (np.size(j) // x.size, x.size)) for j in leaves])


# A Jacobian of these takes seconds; their other row has the same rule.
SLOW = {"matrix_power", "matrix_power_derivative", "matrix_logarithm_derivative"}
ROWS = [r for r in TABLE if smooth(r) and not (r.primitive in SLOW and r.label == "batched")]
# Elementwise primitives share a rule: every twelfth row, and those with one of their own.
ALIKE = [r for r in ROWS if isinstance(registry[r.primitive], Elementwise)]
ALIKE = [r for r in ALIKE if r.primitive not in ("multiply", "divide", "select")]
SHARED = {id(r) for r in ALIKE} - {id(r) for r in ALIKE[::12]}
ROWS = [r for r in ROWS if id(r) not in SHARED]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_every_primitive(row: Row) -> None:
    primitive = registry[row.primitive]
    operands = list(row.make(np.random.default_rng(0), row.dtypes[0]))
    floats = [i for i, x in enumerate(operands) if np.asarray(x).dtype.kind in "fc"]
    for i in row.check if row.check is not None else floats:
        x = np.asarray(operands[i])
        holomorphic = x.dtype.kind == "c"

        def f(x: Any, i: int = i) -> Any:
            return primitive(*operands[:i], x, *operands[i + 1 :], **row.params)

        outs = ft.tree.leaves(f(x))
        if not x.size or (holomorphic and any(out.dtype.kind != "c" for out in outs)):
            continue  # real and complex parts of one derivative
        want = dense_jacobian(f, x, holomorphic)
        made = pattern_of(f, x, holomorphic=holomorphic, mode="column")
        small = 1e-13 * np.max(np.abs(want), initial=0.0)
        assert np.all(made | (np.abs(want) <= small))


def test_every_primitive_has_a_rule() -> None:
    """A family's rule, or one of its own; what has none depends on everything."""
    covered = set(RULES) | set(VALUED)
    without = {
        name
        for name, primitive in registry.items()
        if not isinstance(primitive, (Elementwise, Nondifferentiable))
        and name not in covered
        and primitive.__class__.__module__.startswith("functorch_like.primitives")
        and any(row.primitive == name for row in TABLE)
    }
    assert without == set()


# --- exactness -----------------------------------------------------------------------------------

MATRIX = np.where(RNG.random((5, 12)) < 0.3, RNG.normal(size=(5, 12)), 0.0)
BATCH = np.where(RNG.random((3, 2, 4)) < 0.5, 1.0, 0.0)
AT = RNG.integers(-12, 12, 7)
KERNEL = np.array([1.0, 0.0, -1.0])
CROSS = np.array([[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]])

EXACT: dict[str, Callable] = {
    "elementwise": lambda x: np.sin(x) * x + np.exp(x) / x,
    "powers": lambda x: x ** np.array([0.0, 1.0, 2.5] * 4),
    "slices": lambda x: x[1:] * x[:-1] - x[::-1][1:],
    "strides": lambda x: x[::3] * 2 + x[1::3],
    "new axes": lambda x: x[:, None][3:5] * x[None, 4:6],
    "reductions": lambda x: np.sum(x.reshape(3, 4) ** 2, axis=0),
    "mean": lambda x: np.mean(x.reshape(2, 3, 2), axis=(0, 2)),
    "norms": lambda x: np.linalg.norm(x.reshape(4, 3), axis=1),
    "transpose": lambda x: x.reshape(3, 4).T.ravel() * x,
    "concatenate": lambda x: np.concatenate([x[5:], np.ones(2), x[:5] ** 2]),
    "stack": lambda x: np.stack([x[:4], x[4:8], np.zeros(4)], axis=1),
    "pad": lambda x: np.pad(x[:3], 2),
    "roll": lambda x: np.roll(x, 3) * x,
    "diff": lambda x: np.diff(x, 2),
    "broadcast": lambda x: x.reshape(3, 4) + x[:4],
    "repeat": lambda x: np.repeat(x, 2),
    "tile": lambda x: np.tile(x, 2),
    "diag": lambda x: np.diag(x[:4]),
    "triangles": lambda x: np.tril(x.reshape(3, 4)),
    "where": lambda x: np.where(np.arange(12) % 3 == 0, x**2, 0.0),
    "masks": lambda x: x * (np.arange(12) > 4),
    "gather": lambda x: x[AT] ** 2,
    "gather rows": lambda x: x.reshape(6, 2)[np.array([0, 3, 3])],
    "gather pairs": lambda x: x.reshape(3, 4)[np.array([0, 2]), np.array([1, 1])],
    "take along": lambda x: np.take_along_axis(x.reshape(3, 4), np.array([[1], [0], [3]]), 1),
    "scatter": lambda x: np.bincount(np.array([0, 1, 1, 4]), minlength=6) * x[0],
    "matrix": lambda x: MATRIX @ x,
    "sparse matrix": lambda x: scipy.sparse.csr_array(MATRIX) @ x**2,
    "matrix of matrix": lambda x: MATRIX[:, :4] @ x.reshape(4, 3),
    "stack of matrices": lambda x: BATCH @ x.reshape(3, 4, 1),
    "einsum": lambda x: np.einsum("ij,kj->ik", x.reshape(3, 4), BATCH[0]),
    "products": lambda x: x.reshape(3, 4) @ x.reshape(4, 3),
    "convolve": lambda x: np.convolve(x, KERNEL, "same"),
    "cumsum": lambda x: np.cumsum(x.reshape(3, 4), axis=1),
    "running product": lambda x: np.cumprod(x),
    "sort columns": lambda x: np.sum(np.sort(x.reshape(3, 4), axis=1), axis=1),
    "solve columns": lambda x: np.linalg.solve(np.ones((2, 2)) + np.eye(2), x.reshape(2, 6)),
    "batch of inverses": lambda x: np.linalg.inv(x.reshape(3, 2, 2) + 2 * np.eye(2)),
    "fft of rows": lambda x: np.abs(np.fft.fft(x.reshape(4, 3), axis=1)),
    "clip": lambda x: np.clip(x, 0.0, 10.0),
    "jit": lambda x: ft.jit(lambda y: y[1:] * y[:-1])(x),
    "vmap": lambda x: ft.vmap(lambda y: y * np.sum(y))(x.reshape(4, 3)),
    "checkpoint": lambda x: ft.checkpoint(lambda y: y[1:] * y[:-1])(x),
    "grad inside": lambda x: ft.grad(lambda y: np.sum(y[1:] ** 3 * y[:-1]))(x),
}


@pytest.mark.parametrize("name", EXACT)
def test_exact(name: str) -> None:
    f = EXACT[name]
    found = False
    for seed in range(3):  # nonzero at some of a few points
        x = np.random.default_rng(seed).uniform(0.5, 1.5, 12)
        found = found | (np.abs(dense_jacobian(f, x, False)) > 1e-14)
    np.testing.assert_array_equal(pattern_of(f, X), found)


def test_correlation_with_a_kernel_of_zeros() -> None:
    image = ft.scipy.ndimage.correlate
    made = pattern_of(lambda x: image(x.reshape(5, 6), CROSS, mode="constant"), np.ones(30))
    want = dense_jacobian(
        lambda x: image(x.reshape(5, 6), CROSS, mode="constant"), np.ones(30), False
    )
    np.testing.assert_array_equal(made, want != 0)


def test_values_of_arguments_are_not_looked_at() -> None:
    def f(x: Any, weights: Any) -> Any:
        return weights * x

    plan = plan_jacobian(f, np.zeros(3), np.array([0.0, 0.0, 0.0]))
    np.testing.assert_array_equal(plan(np.zeros(3), np.arange(3.0)).toarray(), np.diag([0, 1, 2]))
    plan = plan_jacobian(lambda x: np.maximum(x, 0) + np.abs(x), np.zeros(3))
    assert plan.nnz == 3


def test_positions_in_arguments() -> None:
    # Along an axis that an argument indexes everything may be read; other axes stay apart.
    made = pattern_of(lambda x, i: x[i], np.ones(4), np.array([1, 2]))
    assert made.all() and made.shape == (2, 4)
    made = pattern_of(lambda x, i: x[np.arange(3), i], np.ones((3, 2)), np.array([0, 1, 0]))
    np.testing.assert_array_equal(made, np.kron(np.eye(3, dtype=bool), np.ones((1, 2), bool)))


# --- loops, branches, functions with rules -------------------------------------------------------


def chain(x: Any) -> Any:
    return ft.scan(lambda carry, y: (y, carry * y), x[0], x[1:])[1]


def drift(x: Any) -> Any:
    return ft.scan(lambda carry, y: (carry + y, carry * 1.0), 0.0 * x[0], x)[1]


LOOPS: dict[str, Callable] = {
    "neighbours": chain,
    "running": drift,
    "reversed": lambda x: ft.scan(lambda c, y: (y, c * y), x[0], x[1:], reverse=True)[1],
    "map": lambda x: ft.map(lambda y: np.sin(y) * y[0], x.reshape(4, 3)),
    "fori": lambda x: ft.fori_loop(0, 5, lambda i, c: c + x[i] * x[i + 1], 0.0),
    "while": lambda x: ft.while_loop(lambda s: s[0] < 3, lambda s: (s[0] + 1, s[1] * x), (0, x))[1],
    "cond": lambda x: ft.cond(x[0] > 0, lambda y: y[1:] * 2, lambda y: y[:-1] * y[:-1], x),
    "switch": lambda x: ft.switch(1, [lambda y: y[:3], lambda y: y[3:6] ** 2], x),
    "nested": lambda x: ft.scan(
        lambda c, y: (c, ft.scan(lambda d, z: (z, d * z), y[0], y[1:])[1]), 0.0, x.reshape(3, 4)
    )[1],
}


@pytest.mark.parametrize("budget", [propagation.BUDGET, 0.0])
@pytest.mark.parametrize("name", LOOPS)
def test_loops(name: str, budget: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Followed step by step they are exact; together, a superset."""
    monkeypatch.setattr(propagation, "BUDGET", budget)
    f = LOOPS[name]
    want = dense_jacobian(f, X, False)
    made = pattern_of(f, X)
    assert np.all(made | (want == 0))
    if budget and name not in ("cond",):
        np.testing.assert_array_equal(made, want != 0)
    if name == "map":  # nothing goes from step to step: exact in any case
        np.testing.assert_array_equal(made, want != 0)
    scalar = lambda x: np.sum(np.sin(f(x)) ** 2)
    hessian = plan_hessian(scalar, X, jit=False)
    np.testing.assert_allclose(hessian(X).toarray(), ft.hessian(scalar)(X), atol=1e-10)
    if budget and name in ("neighbours", "map", "nested"):
        assert hessian.nnz < 12 * 12 / 2


@ft.custom_vjp
def ruled(x: Any) -> Any:
    return x[1:] * x[:-1]


ruled.defvjp(
    lambda x: (ruled(x), x),
    lambda x, ct: (
        np.concatenate([ct * x[1:], np.zeros(1)]) + np.concatenate([np.zeros(1), ct * x[:-1]]),
    ),
)


@ft.custom_jvp
def pushed(x: Any, y: Any) -> Any:
    return x * y[0]


pushed.defjvps(lambda t, out, x, y: t * y[0], lambda t, out, x, y: x * t[0])


def test_functions_with_rules() -> None:
    want = np.eye(11, 12, dtype=bool) | np.eye(11, 12, 1, dtype=bool)
    np.testing.assert_array_equal(pattern_of(ruled, X), want)
    made = pattern_of(lambda x: pushed(x[:4], x[4:8]), X)
    want = np.eye(4, 12, dtype=bool)
    want[:, 4] = True
    np.testing.assert_array_equal(made, want)
    # What a function with a rule closes over is differentiated in the ordinary way.

    def closing(x: Any) -> Any:
        @ft.custom_vjp
        def inner(y: Any) -> Any:
            return y * x[5]

        inner.defvjp(lambda y: (inner(y), None), lambda _, ct: (3 * ct,))
        return inner(x[:2])

    made = pattern_of(closing, X)
    want = np.eye(2, 12, dtype=bool)
    want[:, 5] = True
    np.testing.assert_array_equal(made, want)
    black_box = ft.wrap(
        lambda x: np.asarray(x) ** 2, vjp=lambda ct, out, x: 2 * x * ct,
        result=ft.ShapedArray((12,), float),
    )  # fmt: skip
    np.testing.assert_array_equal(pattern_of(black_box, X), np.eye(12, dtype=bool))
    assert not pattern_of(lambda x: ft.stop_gradient(x), X).any()
    assert pattern_of(ft.straight_through(np.round), X).sum() == 12


# --- Hessians ------------------------------------------------------------------------------------


def test_linear_parts_leave_nothing() -> None:
    def f(x: Any) -> Any:
        return 3 * np.sum(x) + np.ones(12) @ x + x[0] * x[1] + np.sum(np.cumsum(x)) + x[3] ** 2

    want = np.zeros((12, 12), bool)
    want[0, 1] = want[1, 0] = want[3, 3] = True
    np.testing.assert_array_equal(plan_hessian(f, X).pattern.toarray(), want)


def test_powers_of_a_constant_exponent() -> None:
    exponents = np.array([0, 1, 2, 3])
    found = ft.sparsity.plan_hessian(lambda x: np.sum(x**exponents), np.ones(4))
    np.testing.assert_array_equal(found.pattern.toarray(), np.diag(exponents > 1))
    # An exponent that is an argument may be any.
    found = ft.sparsity.plan_hessian(lambda x, p: np.sum(x**p), np.ones(4), np.zeros(4))
    assert found.nnz == 4


def test_partially_separable() -> None:
    mesh = RNG.integers(0, 12, (8, 3))

    def energy(x: Any) -> Any:
        corners = x[mesh]
        return np.sum(np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=1) ** 3)

    want = np.zeros((12, 12), bool)
    for element in mesh:
        if len(set(element.tolist())) > 1:
            want[np.ix_(element, element)] = True
    made = plan_hessian(energy, X)
    assert np.all(made.pattern.toarray() <= want)
    np.testing.assert_allclose(made(X).toarray(), ft.hessian(energy)(X), atol=1e-10)


# --- random programs -----------------------------------------------------------------------------


def loss(program: Drawn) -> Callable:
    def f(*xs: Any) -> Any:
        total = 0.0
        for r in program(*xs):
            if r.dtype.kind == "f":
                total = total + np.sum(np.tanh(r * 0.3)) / max(r.size, 1) ** 0.5
        return total * 1.0

    return f


def blocks(rows: Any, outs: list, xs: list) -> np.ndarray:
    made = [
        np.concatenate(
            [np.reshape(b, (out.size, x.size)) for b, x in zip(r, xs, strict=True)], axis=1
        )
        for r, out in zip(rows, outs, strict=True)
    ]
    return np.concatenate(made)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**9), st.sampled_from([20_000.0, 0.0]))
def test_random_programs(seed: int, budget: float) -> None:
    pick = random.Random(seed)
    program = draw(
        lambda options: options[pick.randrange(len(options))],
        length=5, sizes=(1, 2, 3, 5), dtypes=("f8", "f8", "i8", "?"),
        operations=[*OPERATIONS, looped, looped],
    )  # fmt: skip
    args = program.arguments
    at = tuple(i for i, x in enumerate(args) if x.dtype.kind == "f" and x.size)
    f = lambda *xs: [r for r in program(*xs) if r.dtype.kind == "f"]
    with pytest.MonkeyPatch.context() as patch, np.errstate(all="ignore"):
        patch.setattr(propagation, "BUDGET", budget)
        outs = f(*args)
        if not at or not outs or any(r.size == 0 for r in outs) or program.single:
            return
        xs = [args[i] for i in at]
        want = blocks(ft.jacfwd(f, argnums=at)(*args), outs, xs)
        for mode in ("column", "row", "bidirectional"):
            plan = plan_jacobian(f, *args, argnums=at, jit=False, mode=mode)
            scale = np.max(np.abs(want), where=np.isfinite(want), initial=1.0)
            np.testing.assert_allclose(plan(*args).toarray(), want, rtol=1e-8, atol=1e-8 * scale)
        want = blocks(ft.hessian(loss(program), argnums=at)(*args), xs, xs)
        scale = np.max(np.abs(want), where=np.isfinite(want), initial=1.0)
        for coloring in ("star", "acyclic"):
            plan = plan_hessian(loss(program), *args, argnums=at, jit=False, coloring=coloring)
            np.testing.assert_allclose(plan(*args).toarray(), want, rtol=1e-7, atol=1e-8 * scale)
