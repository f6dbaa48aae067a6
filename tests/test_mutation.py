"""In-place code on traced arrays: what NumPy would do, or an error; never something else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import functorch_like as ft

X = np.array([0.5, 1.5, -2.0, 3.0])
M = np.arange(1.0, 13).reshape(3, 4)


def sweep(y):
    for i in range(1, len(y)):
        y[i] = y[i] * y[i - 1] + y[i]


def cases():
    def elements(x):
        out = np.zeros_like(x)
        for i in range(4):
            out[i] = x[i] ** 2
        return out

    def slices(x):
        y = x.copy()
        y[1:3] = x[2:] * 2
        y[::-2] += 1.5
        y[-1] *= x[0]
        return y

    def recurrence(x):
        y = x.copy()
        sweep(y)
        return y

    def arrays(x):
        y = np.zeros_like(x)
        y[[0, 1, 0]] = x[:3]  # the last write to element 0 wins
        y[np.array([2, 3])] = x[1]
        return y * x

    def mask(x):
        y = x.copy()
        y[np.array([True, False, True, False])] = x[1:3] * 3
        y[x < 0] = 7.0
        return y

    def whole(x):
        y = np.empty_like(x)
        y[:] = x
        y[...] = y * y
        y /= 2
        y -= x
        y **= 2
        return y

    def accumulate(x):
        y = np.zeros_like(x)
        np.add.at(y, [0, 0, 1, 3], x)
        np.subtract.at(y, [2], x[0])
        return y

    def ufunc_out(x):
        y = np.zeros_like(x)
        np.multiply(x, x, out=y)
        np.sin(y, out=y, where=np.array([True, True, False, False]))
        return y

    def sort(x):
        y = x.copy()
        y.sort()
        return y * np.arange(4)

    def put(x):
        y = np.zeros_like(x)
        np.put_along_axis(y, np.array([1, 3]), x[:2] ** 2, 0)
        return y

    def at(x):
        return x.at[1].set(x[0] * 2).at[[2, 2]].add(x[3]).at[0].multiply(3.0).at[3].max(10.0)

    def fill(x):
        y = np.full_like(x, x[0])
        y[2] = 1.0
        return y * x

    return [
        elements,
        slices,
        recurrence,
        arrays,
        mask,
        whole,
        accumulate,
        ufunc_out,
        sort,
        put,
        fill,
        at,
    ]


def plain(f, x):
    """NumPy's own result (``.at`` is ours alone)."""
    if f.__name__ != "at":
        return f(x)
    y = x.copy()
    y[1] = x[0] * 2
    y[2] += 2 * x[3]
    y[0] *= 3.0
    y[3] = max(y[3], 10.0)
    return y


@pytest.mark.parametrize("f", cases(), ids=lambda f: f.__name__)
def test_in_place_code(f) -> None:
    want = plain(f, X.copy())
    jacobian = np.stack(
        [(plain(f, X + 1e-6 * e) - plain(f, X - 1e-6 * e)) / 2e-6 for e in np.eye(4)], -1
    )
    np.testing.assert_array_equal(ft.vjp(f, X)[0], want)
    for transform in (ft.jacrev, ft.jacfwd, ft.jacobian):
        np.testing.assert_allclose(transform(f)(X), jacobian, atol=1e-7)
    batch = np.stack([X, 2 * X, -X]) if f.__name__ not in ("mask", "sort") else np.stack([X, 2 * X])
    if f.__name__ != "mask":  # a mask that differs along the batch has no fixed shape
        np.testing.assert_allclose(ft.vmap(f)(batch), np.stack([plain(f, b.copy()) for b in batch]))
        np.testing.assert_allclose(ft.make_graph(f)(X)(X), want) if f.__name__ != "mask" else None
    second = ft.hessian(lambda x: np.sum(f(x) * np.arange(1.0, 5)))(X)
    gradient = ft.grad(lambda x: np.sum(f(x) * np.arange(1.0, 5)))
    columns = [(gradient(X + 1e-6 * e) - gradient(X - 1e-6 * e)) / 2e-6 for e in np.eye(4)]
    np.testing.assert_allclose(second, np.stack(columns, -1), atol=1e-6)
    np.testing.assert_array_equal(X, [0.5, 1.5, -2.0, 3.0])  # the caller's array is untouched


def test_matrix_assignment() -> None:
    def f(a):
        b = np.zeros_like(a)
        b[:, 1] = a[:, 0]
        b[0, 1:3] += a[1, 2:]
        b[1] = a[2]
        b[[0, 2], [3, 3]] = a[[1, 1], [0, 2]]
        return b

    want = f(M.copy())
    value, pullback = ft.vjp(f, M)
    np.testing.assert_array_equal(value, want)
    ct = np.arange(12.0).reshape(3, 4)
    np.testing.assert_allclose(np.sum(pullback(ct)[0] * M), np.sum(ct * want))  # f is linear


def test_aliases_see_the_change_as_in_numpy() -> None:
    def f(x):
        y = x * 1.0
        z = y
        y[0] = 10.0
        y += 1
        return z

    np.testing.assert_array_equal(ft.vjp(f, X)[0], f(X))
    # Numbers are immutable: += rebinds the name.
    assert ft.grad(lambda x: _rebinding(x))(3.0) == ft.grad(lambda x: (x + 1) * x)(3.0)


def _rebinding(x):
    y = x
    y += 1
    return y * x


def views():
    def write_to_a_slice(x):
        y = x * 1.0
        view = y[1:]
        view[0] = y[3] * 2
        view += 1
        return y

    def write_under_a_slice(x):
        y = x * 1.0
        view, deeper = y[1:], y[1:][::2]
        y[1] = x[0] * x[1]
        y *= 2
        return np.concatenate([view, deeper])

    def matrix(x):
        y = x.reshape(2, 2) * 1.0
        flat, transposed, row = y.reshape(-1), y.T, y[0]
        transposed[0, 1] = x[0] ** 2
        flat[3] = x[1]
        row *= 3
        return np.concatenate([y.ravel(), flat, transposed.copy().ravel(), row])

    def rows(x):
        y = x.reshape(2, 2) * 1.0
        for row in y:
            row[0] = row[1] * 2
        return y.copy().ravel()

    def split(x):
        y = x * 1.0
        first, second = np.split(y, 2)
        first += second
        second[:] = first
        return y

    def squeezed(x):
        y = x * 1.0
        column = y[:, None]
        column[2] = 7.0 * x[0]
        np.squeeze(column)[0] = 2.0
        return y

    return [write_to_a_slice, write_under_a_slice, matrix, rows, split, squeezed]


@pytest.mark.parametrize("f", views(), ids=lambda f: f.__name__)
def test_views_share_memory_as_in_numpy(f) -> None:
    np.testing.assert_array_equal(ft.vjp(f, X)[0], f(X))
    jacobian = np.stack([(f(X + 1e-6 * e) - f(X - 1e-6 * e)) / 2e-6 for e in np.eye(4)], -1)
    np.testing.assert_allclose(ft.jacrev(f)(X), jacobian, atol=1e-7)
    np.testing.assert_allclose(ft.jacfwd(f)(X), jacobian, atol=1e-7)
    np.testing.assert_allclose(ft.vmap(f)(np.stack([X, -X])), np.stack([f(X), f(-X)]))


@pytest.mark.parametrize(
    "f",
    [
        lambda x: _assign((x * 1.0).reshape(2, 2).T.reshape(-1), 0),
        lambda x: _with_reshaped(x.reshape(2, 2) * 1.0),
    ],
)
def test_where_layout_decides_is_refused(f) -> None:
    with pytest.raises(
        ft.errors.MutationError, match=r"test_mutation.py:.*depends, in NumPy, on the"
    ):
        ft.grad(lambda x: np.sum(f(x)))(X)


def _assign(y, i):
    y[i] = 5.0
    return y


def _with_reshaped(y):
    maybe_view = y.T.reshape(-1)
    y[0, 0] = 5.0
    return maybe_view


def test_views_of_what_is_gone_are_free() -> None:
    def f(x):
        y = (x * 2)[1:].reshape(3)
        y[0] = x[0]
        return y

    np.testing.assert_array_equal(ft.vjp(f, X)[0], f(X))


def test_dtype_is_kept_or_refused() -> None:
    with pytest.raises(TypeError, match="imaginary part would be lost"):
        ft.grad(lambda x: np.sum(_set(np.zeros_like(x), 1j * x[0])))(X)
    with pytest.raises(TypeError, match="would be truncated"):
        ft.grad(lambda x: np.sum(_set(np.zeros_like(x, dtype=int), x[0])))(X)
    out = ft.vjp(lambda x: _set(np.zeros_like(x, dtype="f4"), x[0]), X)[0]
    assert out.dtype == np.float32
    with pytest.raises(TypeError, match="cannot cast the result from complex128 to float64"):
        ft.grad(lambda x: np.sum(_add_in_place(x * 1.0, 1j)))(X)
    with pytest.raises(ValueError, match="could not broadcast"):
        ft.grad(lambda x: np.sum(_set(np.zeros_like(x), x[:3], slice(0, 2))))(X)
    with pytest.raises(IndexError):
        ft.grad(lambda x: np.sum(_set(np.zeros_like(x), x[0], 9)))(X)


def _set(y, value, index=0):
    y[index] = value
    return y


def _add_in_place(y, value):
    y += value
    return y


def test_across_nested_transforms() -> None:
    def f(x):
        def g(y):
            out = np.zeros_like(y)
            out[0] = y[0] * x[0]
            out[1] = y[1] ** 2 * x[1]
            return np.sum(out)

        return np.sum(ft.grad(g)(x) ** 2)

    closed = lambda x: x[0] ** 2 + (2 * x[1] ** 2) ** 2
    np.testing.assert_allclose(ft.grad(f)(X), ft.grad(closed)(X))
    np.testing.assert_allclose(ft.vmap(ft.grad(f))(np.stack([X, X])), [ft.grad(closed)(X)] * 2)


@given(
    writes=st.lists(
        st.tuples(st.integers(-4, 3), st.integers(-4, 3), st.sampled_from(["set", "add", "mul"])),
        max_size=12,
    )
)
def test_random_writes(writes: list) -> None:
    def f(x):
        y = x.copy()
        for i, j, kind in writes:
            if kind == "set":
                y[i] = y[j] * 1.5
            elif kind == "add":
                y[i] += y[j]
            else:
                y[i] *= y[j]
        return y

    value, tangent = ft.jvp(f, (X,), (np.ones(4),))
    np.testing.assert_array_equal(value, f(X))
    step = 1e-20j  # the complex step is exact here
    np.testing.assert_allclose(tangent, np.imag(f(X + step)) / 1e-20, rtol=1e-12, atol=1e-12)
    (ct,) = ft.vjp(f, X)[1](np.ones(4))
    np.testing.assert_allclose(np.sum(ct), np.sum(tangent), rtol=1e-12, atol=1e-12)
