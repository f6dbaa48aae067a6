"""Random programs over random arrays against the complex step, which is exact to rounding.

Hypothesis draws a program (operations on earlier values, with broadcasting, slicing, products,
reductions) and the shape, layout and dtype of its inputs. The reference for a derivative in
direction v is Im f(x + 1e-30 i v) / 1e-30, for the Hessian that of the gradient.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import functorch_like as ft

UNARY: dict[str, Callable] = {
    "sin": np.sin,
    "tanh": np.tanh,
    "exp": lambda x: np.exp(-x * x),
    "log": lambda x: np.log(x * x + 1.5),
    "sqrt": lambda x: np.sqrt(x * x + 1.0),
    "power": lambda x: (x * x + 0.5) ** 1.7,
    "square": lambda x: x**2,
    "reciprocal": lambda x: 1 / (x * x + 2),
    "arctan": np.arctan,
    "negative": lambda x: -x,
    "transpose": lambda x: x.T,
    "flip": lambda x: x[::-1],
    "columns": lambda x: x[:, ::2],
    "row": lambda x: x[0],
    "rows twice": lambda x: x[[0, -1, 0]],
    "newaxis": lambda x: x[:1, :],
    "cumsum": lambda x: np.cumsum(x, axis=-1),
    "cumprod": lambda x: np.cumprod(np.sin(x), axis=0),
    "sum": lambda x: x.sum(axis=0, keepdims=True),
    "mean": lambda x: np.mean(x, axis=1)[:, None],
    "prod": lambda x: np.prod(np.cos(x), axis=1, keepdims=True),
    "roll": lambda x: np.roll(x, 1, axis=0),
    "pad": lambda x: np.pad(x, ((0, 1), (1, 0))),
    "reshape": lambda x: x.reshape(1, -1),
    "gram": lambda x: np.einsum("ij,kj->ik", x, x),
    "solve": lambda x: np.linalg.solve(x @ x.T + 3 * np.eye(x.shape[0]), x),
    "assign": lambda x: _assigned(x),
    "concatenate": lambda x: np.concatenate([x, 2 * x]),
    "constant": lambda x: x * np.arange(1.0, x.shape[1] + 1) + 0.5,
}
BINARY: dict[str, Callable] = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": lambda x, y: x / (y * y + 1),
    "where": lambda x, y: np.where(np.arange(x.shape[1]) % 2 == 0, x, y),
    "hypot": lambda x, y: np.sqrt(x * x + y * y + 0.1),
}


def _assigned(x):
    y = np.zeros_like(x)
    y[...] = x
    y[0] *= 2.0
    y[:, -1] += x[:, 0]
    return y


def matrix(x):
    """Every value of a program is a matrix of at most 6 x 6."""
    x = x if np.ndim(x) == 2 else np.reshape(x, (1, -1))
    return x[:6, :6]


@st.composite
def programs(draw: st.DrawFn) -> list[tuple]:
    steps: list[tuple] = []
    for k in range(draw(st.integers(1, 8))):
        earlier = st.integers(0, k + 1)  # the two inputs and what has been computed
        if draw(st.booleans()):
            steps.append((draw(st.sampled_from(sorted(UNARY))), draw(earlier)))
        else:
            steps.append((draw(st.sampled_from(sorted(BINARY))), draw(earlier), draw(earlier)))
    return steps


def run(program: list[tuple], x, y):
    values = [matrix(x), matrix(y)]
    for name, *sources in program:
        operands = [values[i] for i in sources]
        if name in BINARY:
            m, n = (max(a.shape[k] for a in operands) for k in (0, 1))
            # Sizes that do not broadcast are cut to the first row or column.
            operands = [
                a[: m if a.shape[0] == m else 1, : n if a.shape[1] == n else 1] for a in operands
            ]
            result = BINARY[name](*operands)
        else:
            result = UNARY[name](*operands)
        values.append(matrix(result))
    return np.tanh(values[-1]) + 0.1 * values[-2].sum()


def complex_step(f: Callable, xs: list, vs: list) -> np.ndarray:
    return np.imag(f(*[x + 1e-30j * v for x, v in zip(xs, vs, strict=True)])) / 1e-30


layouts = st.sampled_from(["C", "F", "strided"])
shapes = st.tuples(st.integers(1, 3), st.integers(1, 4))


def laid_out(x: np.ndarray, layout: str) -> np.ndarray:
    if layout == "strided":
        store = np.zeros((x.shape[0] * 2, x.shape[1] * 3))
        store[::2, ::-3] = x
        return store[::2, ::-3]
    return np.asarray(x, order=layout)


@given(program=programs(), shape=shapes, other=shapes, layout=layouts, seed=st.integers(0, 9))
@settings(max_examples=150)
def test_random_programs(
    program: list[tuple], shape: tuple, other: tuple, layout: str, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    xs = [laid_out(rng.normal(size=s), layout) for s in (shape, other)]
    vs = [rng.normal(size=s) for s in (shape, other)]

    def f(x, y):
        return run(program, x, y)

    value, tangent = ft.jvp(f, xs, vs)
    # To rounding: NumPy's loops differ in the last bit with the memory layout.
    np.testing.assert_allclose(value, f(*xs), rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(tangent, complex_step(f, xs, vs), rtol=1e-9, atol=1e-9)

    out, pullback = ft.vjp(f, *xs)
    u = rng.normal(size=out.shape)
    cts = pullback(u)
    np.testing.assert_allclose(
        sum(np.sum(ct * v) for ct, v in zip(cts, vs, strict=True)),
        np.sum(u * tangent),
        rtol=1e-9,
        atol=1e-9,
    )
    np.testing.assert_allclose(ft.linearize(f, *xs)[1](*vs), tangent, rtol=1e-9, atol=1e-9)

    # Second order: the gradient itself run at a complex point.
    def gradient(x, y):
        return ft.grad(lambda x, y: np.sum(f(x, y)), holomorphic=np.iscomplexobj(x))(x, y)

    product = ft.jvp(gradient, xs, vs)[1]
    np.testing.assert_allclose(product, complex_step(gradient, xs, vs), rtol=1e-7, atol=1e-7)

    lanes = [np.stack([x, -x, x * 0.5]) for x in xs]
    np.testing.assert_allclose(
        ft.vmap(gradient)(*lanes),
        np.stack([gradient(*[lane[k] for lane in lanes]) for k in range(3)]),
        rtol=1e-9,
        atol=1e-9,
    )
    graph = ft.make_graph(gradient)(*xs)
    graph.check()
    np.testing.assert_allclose(graph(*xs), gradient(*xs), rtol=1e-12, atol=1e-12)
