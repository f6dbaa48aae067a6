"""NumPy's functions as a user writes them, through every mode, on awkward arrays.

Each case is an expression of ``np`` and arrays. Its value must equal NumPy's to the last bit;
its derivative, differences; its batch, a loop; its transpose, the adjoint identity.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import functorch_like as ft

A, B, V, W, T, S = (3, 4), (4, 2), (4,), (3,), (2, 3, 4), ()
MASK = np.array([[1, 0, 1, 0], [0, 1, 1, 0], [1, 1, 0, 0]], bool)
LIST = [2, 0, 2]

CASES: dict[str, tuple[Callable, tuple]] = {
    # operators, and NumPy arrays and numbers on either side
    "operators": (lambda x, y: (x + y) * x - y / (x**2 + 2) + (-x) ** 3 + 2.0 / (y + 9), (A, V)),
    "reflected": (lambda x: 1 - x + np.ones(4) * x + np.arange(12.0).reshape(3, 4) - x, (A,)),
    "numpy scalar": (lambda x: np.float64(2.0) * x + np.int64(3) - np.float64(1) / (x + 9), (A,)),
    "power": (lambda x: (x**2) ** 1.5 + 2.0**x + (x * x + 1) ** -1 + (x * x) ** 0.5, (A,)),
    "modulo": (lambda x: x % 0.7 + np.divmod(x, 0.3)[1] + x // 0.5, (A,)),
    "matmul": (lambda x, y: x @ y, (A, B)),
    "matmul batched": (lambda x, y: np.matmul(x, y), (T, B)),
    "matmul broadcast": (lambda x, y: np.matmul(x[:, None], y[None]), (T, (2, 4, 3))),
    "rmatmul": (lambda y: np.arange(6.0).reshape(2, 3) @ y, (A,)),
    "comparison": (lambda x: np.where(x > 0, x, 0.1 * x) + (x < 1) * x, (A,)),
    "abs": (lambda x: abs(x) + np.abs(x) + np.fabs(x), (A,)),
    # ufuncs with keywords, and their methods
    "ufunc dtype": (lambda x: np.add(x, 1, dtype=np.float64), (A,)),
    "reduce": (lambda x: np.add.reduce(x, axis=1) + np.maximum.reduce(x, axis=-1), (A,)),
    "reduce all": (lambda x: np.multiply.reduce(x, axis=None), (A,)),
    "accumulate": (lambda x: np.add.accumulate(x) + np.maximum.accumulate(x, axis=1), (A,)),
    "outer method": (lambda x, y: np.multiply.outer(x, y) + np.subtract.outer(x, y), (V, W)),
    "reduceat": (lambda x: np.add.reduceat(x, [0, 2, 3], axis=1), (A,)),
    "logaddexp.reduce": (lambda x: np.logaddexp.reduce(x, axis=0), (A,)),
    # methods and attributes
    "methods": (lambda x: x.sum(0) + x.mean(axis=0) + x.max(0) + x.min(0) + x.prod(axis=0), (A,)),
    "more methods": (lambda x: x.std(1) + x.var(axis=1, ddof=1) + x.argmax(1), (A,)),
    "shapes": (lambda x: x.T.reshape(2, -1).ravel()[::-1].copy().flatten(), (A,)),
    "transposes": (lambda x: x.transpose(2, 0, 1).swapaxes(0, 1) + x.transpose((0, 2, 1)), ((3, 3, 3),)),
    "attributes": (lambda x: x * x.ndim + x.size + x.shape[0] + len(x) + x.real + x.imag, (A,)),
    "astype": (lambda x: x.astype(np.float64) * x.astype(int), (A,)),
    "clip round": (lambda x: x.clip(-0.5, 0.5) + x.round(1) * 0 + np.clip(x, None, 0.3), (A,)),
    "dot method": (lambda x, y: x.dot(y) + x.take([0, 1], axis=1).cumsum(1), (A, B)),
    "iteration": (lambda x: sum(row * i for i, row in enumerate(x)), (A,)),
    "unpacking": (lambda x: (lambda a, b, c: a * b + c)(*x), (A,)),
    # indexing of every kind
    "basic index": (lambda x: x[1] * x[-1, ::2].sum() + x[..., 1:2].sum() + x[None, 0, :][0], (A,)),
    "negative step": (lambda x: x[::-1, ::-2] * 2 + x[2:0:-1, 1][0], (A,)),
    "array index": (lambda x: x[LIST] + x[np.array(LIST), 1][:, None], (A,)),
    "arrays": (lambda x: x[np.array([[0, 1], [2, 2]]), np.array([1, -1])], (A,)),
    "array and slice": (lambda x: x[:, LIST, 1:] + x[:, LIST, :3], (T,)),
    "separated arrays": (lambda x: x[[0, 1, 1], :, [3, 0, 0]], (T,)),
    "int and array": (lambda x: x[1, :, [0, 2]] + x[0, [1, 2]][:, :3], (T,)),
    "mask": (lambda x: x[MASK] * np.arange(6.0), (A,)),
    "mask rows": (lambda x: x[np.array([True, False, True])], (A,)),
    "traced mask": (lambda x: np.sum(x * (x > 0)) + np.sum(np.where(x > 0, x**2, 0)), (A,)),
    "newaxis array": (lambda x: x[:, None, [1, 2]], (A,)),
    "take": (lambda x: np.take(x, [1, -1], axis=1) + np.take(x, [0, 5, 3])[:, None][:, [0, 0]], (A,)),
    "take_along_axis": (lambda x: np.take_along_axis(x, np.argsort(x, 1), 1), (A,)),
    # shapes and joins
    "reshape": (lambda x: np.reshape(x, (2, 6), order="F") + np.reshape(x, (-1, 6)), (A,)),
    "axes": (lambda x: np.moveaxis(x, 0, -1) + np.rollaxis(x, 2, 0).transpose(1, 0, 2).T[0].sum(), (T,)),
    "expand": (lambda x: np.squeeze(np.expand_dims(x, (0, 2))) + np.atleast_3d(x)[..., 0], (A,)),
    "broadcast": (lambda x: np.broadcast_to(x, (3, 4)) + np.broadcast_arrays(x, np.ones((2, 4)))[0][0], (V,)),
    "concatenate": (lambda x, y: np.concatenate([x, y[None], np.ones((1, 4))]), (A, V)),
    "stack": (lambda x, y: np.stack([x, y], 1) + np.vstack([x, y]).T + np.column_stack((x, y)), (V, V)),
    "hstack": (lambda x, y: np.hstack([x, y]) * np.append(x, y), (V, W)),
    "dstack block": (lambda x: np.dstack([x, x]).sum(2) + np.block([[x, x], [x, x]])[:3, :4], (A,)),
    "array of tracers": (lambda x: np.stack([x[0], x[1] * 2, 3.0]), (V,)),
    "split": (lambda x: np.split(x, 2, 1)[1] * np.array_split(x, 3, 1)[0].sum(), (A,)),
    "flips": (lambda x: np.flip(x) + np.fliplr(x) + np.flipud(x) + np.rot90(np.rot90(x)), (A,)),
    "roll": (lambda x: np.roll(x, 2, 1) + np.roll(x, (1, -1), (0, 1)) + np.roll(x, 5), (A,)),
    "tile repeat": (lambda x: np.tile(x, (2, 1)) + np.repeat(x, 2, 0) + np.repeat(x, [1, 2, 3], 0), (A,)),
    "pad": (lambda x: np.pad(x, 1) + np.pad(x, 1, mode="edge") + np.pad(x, 1, "reflect"), (A,)),
    "pad wrap": (lambda x: np.pad(x, ((1, 0), (0, 2)), "wrap") + np.pad(x, ((1, 0), (0, 2)), constant_values=2.0), (A,)),
    "diagonals": (lambda x: np.diag(np.diag(x)) + np.diagonal(x, 1).sum() + np.trace(x), (A,)),
    "matrix diagonals": (
        lambda x: np.linalg.diagonal(x) + np.linalg.trace(x)[:, None] + np.diagonal(x).sum(),
        (T,),
    ),
    "diagonal axes": (lambda x: np.diagonal(x, 1, 2, 0) + np.trace(x, 0, 1, 2)[0], (T,)),
    "triangles": (lambda x: np.tril(x) * 2 + np.triu(x, 1), (A,)),
    "delete insert": (lambda x: np.delete(x, 1, 0) + x[:2], (A,)),
    # reductions
    "sum axes": (lambda x: np.sum(x, (0, 2)) + np.sum(x, axis=(0, -1), keepdims=True).sum(), (T,)),
    "sum where": (lambda x: np.sum(x, 1, where=MASK) + np.mean(x, 1, where=MASK), (A,)),
    "sum initial": (lambda x: np.sum(x, 0, initial=3.0) + np.prod(x, 0, initial=2.0), (A,)),
    "extremes": (lambda x: np.max(x, 0) - np.min(x, 0, keepdims=True) + np.amax(x), (A,)),
    "extremes of nothing": (lambda x: np.max(x[:, :0], 1, initial=2.0) * x[:, 0], (A,)),
    "extremes with initial": (lambda x: np.max(x, 1, initial=0.3) + np.min(x, (0, 1), initial=0), (A,)),
    "ptp": (lambda x: np.ptp(x, 1), (A,)),
    "moments": (lambda x: np.var(x, 0, ddof=1) + np.std(x, 0) + np.average(x, 0, [1, 2, 3]), (A,)),
    "cumulative": (lambda x: np.cumsum(x, 1) + np.cumprod(x, 0) + np.cumsum(x).reshape(3, 4), (A,)),
    "diff": (lambda x: np.diff(x, axis=1) + np.diff(x, 2, axis=1, prepend=0.0), (A,)),
    "nan functions": (lambda x: np.nansum(x, 0) + np.nanmean(x, 0) + np.nanmax(x, 0) + np.nanstd(x, 0), (A,)),
    "arg": (lambda x: x[np.argmax(x, 0), np.arange(4)] + np.argmin(x), (A,)),
    # sorting
    "sort": (lambda x: np.sort(x, 1) * np.arange(4) + np.sort(x, 0), (A,)),
    "partition": (lambda x: np.partition(x, 2, 1)[:, 2] + np.sort(x, None)[:3], (A,)),
    "searchsorted": (lambda x: x * np.searchsorted(np.array([-1.0, 0, 1]), x), (A,)),
    # products
    "dot": (lambda x, y: np.dot(x, y) + np.inner(x, y.T) + np.tensordot(x, y, 1), (A, B)),
    "dot nd": (lambda x, y: np.dot(x, y), (T, (2, 4, 3))),
    "outer kron": (lambda x, y: np.outer(x, y) + np.kron(x, y).reshape(4, 3), (V, W)),
    "vdot": (lambda x, y: np.vdot(x, y) + np.inner(x, y), (V, V)),
    "tensordot": (lambda x, y: np.tensordot(x, y, ([0, 2], [0, 1])), (T, (2, 4, 3))),
    "einsum": (lambda x, y: np.einsum("ij,jk->ki", x, y) + np.einsum("ij,jk", x, y).T, (A, B)),
    "einsum three": (lambda x, y, z: np.einsum("ij,jk,k->i", x, y, z), (A, B, (2,))),
    "einsum odd": (lambda x: np.einsum("ii->i", x[:, :3]) + np.einsum("ij->j", x)[:3] + np.einsum("ii", x[:, :3]), (A,)),
    "einsum dots": (lambda x, y: np.einsum("...ij,j->...i", x, y) + np.einsum("...j,j", x, y), (T, V)),
    "einsum lists": (lambda x, y: np.einsum(x, [0, 1], y, [1, 2], [0, 2]), (A, B)),
    "cross": (lambda x, y: np.cross(x, y) + np.cross(x[0], y), ((2, 3), (2, 3))),
    # conditionals and creation
    "where": (lambda x, y: np.where(MASK, x, y) + np.where(x > 0, 1.0, x), (A, V)),
    "select": (lambda x: np.select([x < -0.5, x < 0.5], [x, x**2], 7.0), (A,)),
    "minmax": (lambda x, y: np.maximum(x, y) + np.minimum(x, 0.2) + np.fmax(x, y), (A, V)),
    "likes": (lambda x: np.zeros_like(x) + np.ones_like(x) * x + np.full_like(x, 2.0), (A,)),
    "linspace": (lambda x: np.linspace(x[0], x[1], 5) + np.linspace(0, x[2], 5), (V,)),
    "nan_to_num": (lambda x: np.nan_to_num(np.where(MASK, np.nan, x)) + np.nan_to_num(x), (A,)),
    "angles": (lambda x: np.deg2rad(x) + np.degrees(x) + np.arctan2(x, 1.0) + np.hypot(x, 2), (A,)),
    "sinc": (lambda x: np.sinc(x), (A,)),
    # run from NumPy's own source
    "trapezoid": (lambda x: np.trapezoid(x, dx=0.5) + np.trapezoid(x, np.arange(4.0) ** 2), (A,)),
    "sliding windows": (
        lambda x: np.lib.stride_tricks.sliding_window_view(x, (2, 3)).sum((-1, -2)),
        (A,),
    ),
    "vander": (lambda x: np.vander(x, 3), (V,)),
    "ediff1d": (lambda x: np.ediff1d(x), (V,)),
    "apply_over_axes": (lambda x: np.apply_over_axes(np.sum, x, [0, 2]), (T,)),
    "meshgrid": (lambda x, y: np.meshgrid(x, y)[0] * np.meshgrid(x, y)[1], (V, W)),
}  # fmt: skip

cases = pytest.mark.parametrize("name", CASES)


def arrays(name: str, seed: int = 0, dtype: str = "f8") -> tuple[Callable, list[np.ndarray]]:
    f, shapes = CASES[name]
    rng = np.random.default_rng(seed)
    return f, [rng.normal(size=s).astype(dtype) for s in shapes]


def awkward(x: np.ndarray) -> np.ndarray:
    """The same numbers, stored reversed in every axis inside a larger array, read-only."""
    store = np.zeros([2 * n for n in x.shape], x.dtype)
    view = store[tuple(slice(None, None, -2) for _ in x.shape)]
    view[...] = x
    view.flags.writeable = False
    return view


def directional(f: Callable, xs: list, vs: list, h: float = 1e-6) -> np.ndarray:
    up = np.asarray(f(*[x + h * v for x, v in zip(xs, vs, strict=True)]))
    return (up - np.asarray(f(*[x - h * v for x, v in zip(xs, vs, strict=True)]))) / (2 * h)


@cases
@pytest.mark.parametrize("dtype", ["f8", "f4"])
def test_value_is_numpys(name: str, dtype: str) -> None:
    f, xs = arrays(name, dtype=dtype)
    with np.errstate(divide="ignore"):
        want = np.asarray(f(*xs))
        got, _ = ft.vjp(f, *xs)
        pushed, _ = ft.jvp(f, xs, xs)
        awkwardly, _ = ft.vjp(f, *map(awkward, xs))
    # NumPy sums these in another order.
    reordered = ("dot nd", "sum initial", "linspace", "sliding windows")
    if name in reordered or name.startswith("einsum"):
        np.testing.assert_allclose(
            got, want, rtol=1e-13 if dtype == "f8" else 1e-5, atol=1e-6 if dtype == "f4" else 1e-14
        )
    else:
        np.testing.assert_array_equal(got, want)
    assert got.dtype == want.dtype and pushed.dtype == want.dtype
    np.testing.assert_allclose(awkwardly, want, rtol=1e-12 if dtype == "f8" else 1e-5)


@cases
def test_derivatives(name: str) -> None:
    f, xs = arrays(name)
    rng = np.random.default_rng(5)
    vs = [rng.normal(size=x.shape) for x in xs]
    with np.errstate(divide="ignore"):
        want = directional(f, xs, vs)
        _, pushed = ft.jvp(f, xs, vs)
        value, pullback = ft.vjp(f, *xs)
    np.testing.assert_allclose(pushed, want, rtol=1e-6, atol=1e-6)
    u = rng.normal(size=value.shape)
    cts = pullback(u)
    left = sum(np.sum(ct * v) for ct, v in zip(cts, vs, strict=True))
    np.testing.assert_allclose(left, np.sum(u * pushed), rtol=1e-9, atol=1e-9)


@cases
def test_second_derivative(name: str) -> None:
    f, xs = arrays(name)
    rng = np.random.default_rng(6)
    vs = [rng.normal(size=x.shape) for x in xs]
    with np.errstate(divide="ignore"):
        u = rng.normal(size=np.shape(f(*xs)))

        def backward(*xs: np.ndarray) -> np.ndarray:
            return np.concatenate([np.ravel(ct) for ct in ft.vjp(f, *xs)[1](u)])

        _, got = ft.jvp(backward, xs, vs)
        np.testing.assert_allclose(got, directional(backward, xs, vs), rtol=1e-5, atol=1e-5)


@cases
def test_batch_is_a_loop(name: str) -> None:
    if name in ("nan functions",):
        pytest.skip("warns of empty slices in no lane: covered by test_derivatives")
    f, _ = CASES[name]
    lanes = [arrays(name, seed)[1] for seed in range(3)]
    with np.errstate(divide="ignore"):
        want = np.stack([np.asarray(f(*lane)) for lane in lanes])
        got = ft.vmap(f)(*[np.stack(column) for column in zip(*lanes, strict=True)])
        pulled = ft.vmap(lambda *xs: ft.vjp(f, *xs)[1](np.ones(want.shape[1:])))(
            *[np.stack(column) for column in zip(*lanes, strict=True)]
        )
        singly = [ft.vjp(f, *lane)[1](np.ones(want.shape[1:])) for lane in lanes]
    np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)
    for k, ct in enumerate(pulled):
        np.testing.assert_allclose(ct, np.stack([s[k] for s in singly]), rtol=1e-10, atol=1e-10)


@cases
def test_staged_is_eager(name: str) -> None:
    f, xs = arrays(name)
    with np.errstate(divide="ignore"):
        want = f(*xs)
        graph = ft.make_graph(f)(*xs)
        graph.check()
        np.testing.assert_allclose(graph(*xs), want, rtol=1e-13, atol=1e-13)
    shape = ft.eval_shape(f, *xs)
    assert (shape.shape, shape.dtype) == (np.shape(want), np.asarray(want).dtype)
