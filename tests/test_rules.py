"""Every row of the table: value, types, both derivatives, batching, staging, second order.

References are outside the rules: central differences in double precision, the defining
identity <vjp(u), v> = <u, jvp(v)>, a Python loop for vmap, the kernel itself for staging.
"""

from __future__ import annotations

import importlib
import pkgutil

import numpy as np
import pytest
from op_table import C16, TABLE, Row

import functorch_like as ft
import functorch_like.primitives as primitives_package
from functorch_like.primitives.core import (
    Elementwise,
    General,
    Linear,
    Multilinear,
    Nondifferentiable,
    Primitive,
    registry,
)

for module in pkgutil.iter_modules(primitives_package.__path__):
    importlib.import_module(f"functorch_like.primitives.{module.name}")


def differentiable(row: Row) -> bool:
    primitive = registry[row.primitive]
    return not isinstance(primitive, Nondifferentiable) and not (
        isinstance(primitive, Elementwise) and primitive.rules is None
    )


def parametrized(chosen: list[tuple[Row, np.dtype]]) -> pytest.MarkDecorator:
    ids = [f"{row}-{dtype}" for row, dtype in chosen]
    return pytest.mark.parametrize(("row", "dtype"), chosen, ids=ids)


CASES = [(row, dtype) for row in TABLE for dtype in row.dtypes]
SMOOTH = [case for case in CASES if differentiable(case[0])]
cases = parametrized(CASES)
smooth_cases = parametrized(SMOOTH)
# Differences of single precision say nothing of second order.
double_cases = parametrized(
    [(r, d) for r, d in SMOOTH if d.itemsize >= 8 and not r.label.startswith("to-")]
)
flat_cases = parametrized([(r, d) for r, d in CASES if not differentiable(r) and d.kind in "fc"])


def listed(x: object) -> list:
    return list(x) if isinstance(x, tuple) else [x]


def prepared(row: Row, dtype: np.dtype, seed: int = 0) -> tuple[Primitive, list, list[int]]:
    """The primitive, its operands, and which of them are differentiated."""
    rng = np.random.default_rng(seed)
    operands = list(row.make(rng, dtype))
    chosen = row.check
    if chosen is None:
        chosen = tuple(i for i, x in enumerate(operands) if np.asarray(x).dtype.kind in "fc")
    return registry[row.primitive], operands, list(chosen)


def in_chosen(primitive: Primitive, operands: list, chosen: list[int], params: dict):
    """The primitive as a function of its differentiated operands, floating results only."""

    def f(*xs: object) -> list:
        full = list(operands)
        for i, x in zip(chosen, xs, strict=True):
            full[i] = x
        return [y for y in listed(primitive(*full, **params)) if y.dtype.kind in "fc"]

    return f


def random_like(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    v = rng.normal(size=x.shape)
    if x.dtype.kind == "c":
        v = v + 1j * rng.normal(size=x.shape)
    return np.asarray(v).astype(x.dtype)


# They read one triangle of their operand and stand for functions of Hermitian matrices.
HERMITIAN = {"cholesky", "eigh", "eigvalsh", "hermitian_eigen", "ldl"}


def directions(row: Row, rng: np.random.Generator, xs: list) -> list[np.ndarray]:
    vs = [random_like(rng, x) for x in xs]
    if row.primitive in HERMITIAN:
        vs = [v + np.conj(np.swapaxes(v, -1, -2)) for v in vs]
    return vs


def difference(f, xs: list, vs: list, h: float = 1e-5) -> list:
    up = f(*[x + h * v for x, v in zip(xs, vs, strict=True)])
    down = f(*[x - h * v for x, v in zip(xs, vs, strict=True)])
    return [(a - b) / (2 * h) for a, b in zip(up, down, strict=True)]


def inner(xs: list, ys: list) -> complex:
    return sum(np.sum(np.asarray(x) * np.asarray(y)) for x, y in zip(xs, ys, strict=True))


@cases
def test_abstract_matches_value(row: Row, dtype: np.dtype) -> None:
    primitive, operands, _ = prepared(row, dtype)
    values = listed(primitive.kernel(*operands, **row.params))
    avals = [ft.ShapedArray(np.shape(x), np.asarray(x).dtype) for x in operands]
    made = listed(primitive.abstract(*avals, **row.params))
    assert [(a.shape, a.dtype) for a in made] == [(v.shape, v.dtype) for v in values]


@cases
def test_staged_equals_value(row: Row, dtype: np.dtype) -> None:
    primitive, operands, _ = prepared(row, dtype)
    graph = ft.make_graph(lambda *xs: primitive(*xs, **row.params))(*operands)
    graph.check()
    for got, want in zip(
        listed(graph(*operands)), listed(primitive.kernel(*operands, **row.params)), strict=True
    ):
        np.testing.assert_array_equal(got, want)


@smooth_cases
def test_forward_against_differences(row: Row, dtype: np.dtype) -> None:
    primitive, operands, chosen = prepared(row, dtype)
    f = in_chosen(primitive, operands, chosen, row.params)
    rng = np.random.default_rng(1)
    xs = [operands[i] for i in chosen]
    vs = directions(row, rng, xs)
    values, tangents = ft.jvp(f, xs, vs)
    for y, t in zip(values, tangents, strict=True):
        assert (y.shape, y.dtype) == (t.shape, t.dtype)
    wide = np.dtype("c16") if dtype.kind == "c" else np.dtype("f8")
    wide_operands = [
        x.astype(wide) if i in chosen else x for i, x in enumerate(map(np.asarray, operands))
    ]
    g = in_chosen(primitive, wide_operands, chosen, row.params)
    want = difference(g, [wide_operands[i] for i in chosen], [v.astype(wide) for v in vs])
    tolerance = row.tolerance if dtype.itemsize >= 8 else 1e-3
    for got, reference in zip(tangents, want, strict=True):
        np.testing.assert_allclose(got, reference, rtol=tolerance, atol=tolerance)


@smooth_cases
def test_reverse_is_transpose_of_forward(row: Row, dtype: np.dtype) -> None:
    primitive, operands, chosen = prepared(row, dtype)
    f = in_chosen(primitive, operands, chosen, row.params)
    rng = np.random.default_rng(2)
    xs = [operands[i] for i in chosen]
    vs = [random_like(rng, x) for x in xs]
    values, pullback = ft.vjp(f, *xs)
    us = [random_like(rng, y) for y in values]
    cts = pullback(us)
    for x, ct in zip(xs, cts, strict=True):
        assert (np.shape(x), np.asarray(x).dtype) == (ct.shape, ct.dtype)
    _, tangents = ft.jvp(f, xs, vs)
    # Real parts: a real operand of a complex function has a real cotangent.
    left, right = np.real(inner(cts, vs)), np.real(inner(us, tangents))
    tolerance = 1e-10 if dtype.itemsize >= 8 else 1e-3
    np.testing.assert_allclose(left, right, rtol=tolerance, atol=tolerance)
    linear = ft.linearize(f, *xs)[1](*vs)
    for got, want in zip(linear, tangents, strict=True):
        np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance)


@double_cases
def test_second_order(row: Row, dtype: np.dtype) -> None:
    primitive, operands, chosen = prepared(row, dtype)
    f = in_chosen(primitive, operands, chosen, row.params)
    rng = np.random.default_rng(3)
    xs = [operands[i] for i in chosen]
    vs = directions(row, rng, xs)
    us = [random_like(rng, np.asarray(y)) for y in f(*xs)]

    def backward(*xs: object) -> list:
        return list(ft.vjp(f, *xs)[1](us))

    _, over_reverse = ft.jvp(backward, xs, vs)
    want = difference(backward, xs, vs)
    for got, reference in zip(over_reverse, want, strict=True):
        np.testing.assert_allclose(got, reference, rtol=1e-4, atol=1e-4)
    # Reverse over forward must contract to the same number: <u, d(J v)> = <H, ...>.
    _, pull = ft.vjp(lambda *xs: ft.jvp(f, xs, vs)[1], *xs)
    mixed = pull(us)
    for got, reference in zip(mixed, over_reverse, strict=True):
        np.testing.assert_allclose(got, reference, rtol=1e-8, atol=1e-8)


@cases
def test_batched_equals_loop(row: Row, dtype: np.dtype) -> None:
    count = len(prepared(row, dtype)[1])
    for batched in {tuple(range(count)), (0,), (count - 1,)}:
        check_batched(row, dtype, batched)


def check_batched(row: Row, dtype: np.dtype, batched: tuple[int, ...]) -> None:
    primitive, operands, _ = prepared(row, dtype)
    size = 3
    lanes = [prepared(row, dtype, seed)[1] for seed in range(size)]
    args = [
        np.stack([lane[i] for lane in lanes]) if i in batched else operands[i]
        for i in range(len(operands))
    ]
    in_axes = tuple(0 if i in batched else None for i in range(len(operands)))
    got = ft.vmap(lambda *xs: primitive(*xs, **row.params), in_axes)(*args)
    for k, out in enumerate(listed(got)):
        want = np.stack(
            [
                listed(
                    primitive.kernel(
                        *[
                            lanes[s][i] if i in batched else operands[i]
                            for i in range(len(operands))
                        ],
                        **row.params,
                    )
                )[k]
                for s in range(size)
            ]
        )
        assert out.dtype == want.dtype
        tolerance = 1e-12 if dtype.itemsize >= 8 else 1e-5
        np.testing.assert_allclose(out, want, rtol=tolerance, atol=tolerance)


@flat_cases
def test_no_derivative(row: Row, dtype: np.dtype) -> None:
    primitive, operands, chosen = prepared(row, dtype)

    def f(*xs: object) -> object:
        full = list(operands)
        for i, x in zip(chosen, xs, strict=True):
            full[i] = x
        return [y * 1.0 for y in listed(primitive(*full, **row.params))]

    xs = [operands[i] for i in chosen]
    values, pullback = ft.vjp(f, *xs)
    for ct, x in zip(pullback([np.ones(y.shape, y.dtype) for y in values]), xs, strict=True):
        assert ct.shape == x.shape and not np.any(ct)


def test_every_primitive_is_complete() -> None:
    """A primitive without a row, a kernel, or a rule its family needs, fails here."""
    rows = {row.primitive for row in TABLE}
    for name, primitive in registry.items():
        if (
            primitive.carries_function
            or primitive.effect
            or name in ("black_box", "opaque_black_box")
            or name in ("scan", "scan_vjp", "while_loop", "while_vjp", "switch", "jit_call")
            or name.startswith("ufunc:")
        ):
            continue  # tested with their transforms: test_custom_rules, test_control_flow, ...
        assert name in rows, f"{name} has no row in op_table.py"
        assert callable(primitive.kernel) and callable(primitive.abstract), name
        assert callable(primitive.batch), f"{name} has no batching rule"
        if isinstance(primitive, Elementwise):
            assert primitive.rules is None or len(primitive.rules) == primitive.arity
        elif isinstance(primitive, General):
            assert callable(primitive.rule)
            assert (primitive.linear_in is None) == (primitive.transpose is None), name
        elif isinstance(primitive, (Linear, Multilinear)):
            assert callable(primitive.transpose)
        else:
            assert isinstance(primitive, Nondifferentiable), f"{name} belongs to no family"


def test_table_covers_complex() -> None:
    assert sum(C16 in row.dtypes for row in TABLE) > 40
