"""What becomes of a call under every transform, against differences of the plain function.

The reference is always the public function on plain arrays: its value, its central differences,
a Python loop over it. Modes:

* ``value``: the traced value and its dtype.
* ``jvp``: against differences. ``vjp``: the adjoint identity <u, J v> = <J^T u, v>.
* ``second``: the jvp of the vjp, against differences of the vjp.
* ``vmap``: against a loop. ``stage``: the staged graph, evaluated.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

import functorch_like as ft

from .cases import Case

__all__ = ["MODES", "Wrong", "judge", "leaves", "reference"]

MODES = ("value", "jvp", "vjp", "second", "vmap", "stage")


class Wrong(AssertionError):
    """A transform gave another result than the plain function."""


def leaves(out: Any) -> list[Any]:
    """Arrays and numbers of nested tuples, lists, dicts and records, in order."""
    if isinstance(out, dict):
        return [leaf for v in out.values() for leaf in leaves(v)]
    if isinstance(out, (tuple, list)):
        return [leaf for v in out for leaf in leaves(v)]
    if out is None or isinstance(out, (str, np.dtype, type, slice)) or out is Ellipsis:
        return []
    fields = getattr(type(out), "_fields", None) or getattr(out, "_fields", None)
    if fields and not hasattr(out, "dtype"):
        return [leaf for name in fields for leaf in leaves(getattr(out, name))]
    return [out]


def floats(out: Any) -> list[Any]:
    """The leaves that can carry a derivative."""
    return [x for x in leaves(out) if np.dtype(dtype_of(x)).kind in "fc"]


def dtype_of(x: Any) -> np.dtype:
    return x.dtype if hasattr(x, "dtype") else np.asarray(x).dtype


def reference(case: Case, f: Callable) -> tuple[list, list, list]:
    """Values, a direction for each array, and the differences along it."""
    rng = np.random.default_rng(1)
    directions = [random_like(rng, x) for x in case.arrays]
    values = leaves(case.call(f, *[x.copy() for x in case.arrays]))

    def along(h: float) -> list:
        moved = [x + h * v for x, v in zip(case.arrays, directions, strict=True)]
        return [np.asarray(y) for y in floats(case.call(f, *moved))]

    h = 1e-5
    with np.errstate(all="ignore"):
        # Richardson's extrapolation of central differences: error h^4.
        one = [(a - b) / (2 * h) for a, b in zip(along(h), along(-h), strict=True)]
        two = [(a - b) / (4 * h) for a, b in zip(along(2 * h), along(-2 * h), strict=True)]
        slopes = [(4 * a - b) / 3 for a, b in zip(one, two, strict=True)]
    return values, directions, slopes


def random_like(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    v = rng.normal(size=x.shape)
    if x.dtype.kind == "c":
        v = v + 1j * rng.normal(size=x.shape)
    return np.asarray(v).astype(x.dtype) if x.dtype.kind in "fc" else np.zeros_like(x)


def close(got: Any, want: Any, tolerance: float, what: str) -> None:
    got, want = np.asarray(got), np.asarray(want)
    if got.shape != want.shape:
        raise Wrong(f"{what}: shape {got.shape} instead of {want.shape}")
    if not np.allclose(got, want, rtol=tolerance, atol=tolerance, equal_nan=True):
        with np.errstate(all="ignore"):
            worst = np.nanmax(np.abs(got - want))
        raise Wrong(f"{what}: off by {worst:.2g}")


def inner(xs: list, ys: list) -> float:
    # Real parts: a real operand of a complex function has a real cotangent.
    return sum(float(np.sum(np.real(np.asarray(x) * np.asarray(y)))) for x, y in zip(xs, ys))  # noqa: B905


def judge(case: Case, f: Callable, plain: Callable, modes: tuple[str, ...] = MODES) -> bool:
    """Run a call of ``f`` under ``modes``; whether its result carries a derivative.

    Raises ``Wrong`` where a result differs from that of ``plain``, and whatever ``f`` raises.
    """
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return _judge(case, f, plain, modes)


def _judge(case: Case, f: Callable, plain: Callable, modes: tuple[str, ...]) -> bool:
    values, directions, slopes = reference(case, plain)
    # Only floating operands are differentiated; the others are passed as they are.
    chosen = [i for i, x in enumerate(case.arrays) if x.dtype.kind in "fc"]
    xs = [case.arrays[i] for i in chosen]
    vs = [directions[i] for i in chosen]

    def full(primals: tuple) -> list:
        args: list = list(case.arrays)
        for i, x in zip(chosen, primals, strict=True):
            args[i] = x
        return args

    def everything(*primals: Any) -> list:
        return leaves(case.call(f, *full(primals)))

    def floating(*primals: Any) -> list:
        return [x * 1 if isinstance(x, (int, float)) else x for x in floats(everything(*primals))]

    tolerance = case.tolerance
    moving = any(np.any(np.abs(s) > 1e-7) for s in slopes)
    if not xs:
        for got, want in zip(everything(), values, strict=True):
            close(got, want, 1e-10, "value")
        return False

    got_values: list = []

    def recorded(*primals: Any) -> list:
        got_values[:] = everything(*primals)
        return floats(got_values)

    primal_out, tangents = ft.jvp(recorded, tuple(xs), tuple(vs))
    if "value" in modes:
        if len(got_values) != len(values):
            raise Wrong(f"value: {len(got_values)} results instead of {len(values)}")
        for got, want in zip(primal_out, floats(values), strict=True):
            close(got, want, 1e-10, "value")
            if np.dtype(dtype_of(got)) != np.dtype(dtype_of(want)):
                raise Wrong(f"value: dtype {dtype_of(got)} instead of {dtype_of(want)}")
    if "jvp" in modes:
        for got, want in zip(tangents, slopes, strict=True):
            close(got, want, tolerance, "jvp")
    if not tangents:
        return _others(case, everything, xs, values, modes)
    rng = np.random.default_rng(2)
    us = [random_like(rng, np.asarray(t)) for t in tangents]
    if "vjp" in modes:
        _, pullback = ft.vjp(floating, *xs)
        cotangents = pullback(us)
        for x, ct in zip(xs, cotangents, strict=True):
            if np.shape(ct) != x.shape:
                raise Wrong(f"vjp: shape {np.shape(ct)} instead of {x.shape}")
        close(inner(cotangents, vs), inner(us, tangents), 1e-8, "vjp")
    if "second" in modes and moving:

        def backward(*primals: Any) -> list:
            return list(ft.vjp(floating, *primals)[1](us))

        _, curved = ft.jvp(backward, tuple(xs), tuple(vs))
        h = 1e-5
        up = backward(*[x + h * v for x, v in zip(xs, vs, strict=True)])
        down = backward(*[x - h * v for x, v in zip(xs, vs, strict=True)])
        for got, a, b in zip(curved, up, down, strict=True):
            slope = (a - b) / (2 * h)
            scale = max(1.0, float(np.max(np.abs(slope), initial=0.0)))
            close(np.asarray(got) / scale, slope / scale, max(1e-4, tolerance), "second")
    _others(case, everything, xs, values, modes)
    return moving


def _others(case: Case, f: Callable, xs: list, values: list, modes: tuple[str, ...]) -> bool:
    """Batching and staging, of every result; False."""
    if "vmap" in modes:
        _expect_error_or(case, "vmap", lambda: _batched(case, f, xs))
    if "stage" in modes:
        _expect_error_or(case, "stage", lambda: _staged(f, xs, values))
    return False


def _expect_error_or(case: Case, mode: str, check: Callable) -> None:
    if mode not in case.without:
        return check()
    try:
        check()
    except Wrong:
        raise
    except Exception as error:
        if not str(error):
            raise Wrong(f"{mode}: refused without a reason: {error!r}") from error
        return None
    raise Wrong(f"{mode}: works, though the table says that it cannot")


def _batched(case: Case, f: Callable, xs: list) -> None:
    lanes = [[x, x * 0.99, x * 1.01] for x in xs]
    got = ft.vmap(lambda *ys: [numeric(x) for x in f(*ys)])(*[np.stack(lane) for lane in lanes])
    for k in range(3):
        want = f(*[lane[k] for lane in lanes])
        for g, w in zip(got, want, strict=True):
            close(np.asarray(g)[k], w, 1e-8, "vmap")


def numeric(x: Any) -> Any:
    return np.asarray(x) if isinstance(x, (bool, int, float, complex)) else x


def _staged(f: Callable, xs: list, values: list) -> None:
    graph = ft.make_graph(lambda *ys: [numeric(x) for x in f(*ys)])(*xs)
    for got, want in zip(graph.evaluate(xs), values, strict=True):
        close(got, want, 1e-10, "stage")
