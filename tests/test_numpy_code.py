"""Graphs as NumPy source: every primitive, random programs, loops; run without the library."""

from __future__ import annotations

import importlib
import pkgutil
import re
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from op_table import TABLE, Row
from test_random_programs import laid_out, layouts, programs, run, shapes

import functorch_like as ft
import functorch_like.primitives as primitives_package
from functorch_like.compilation.numpy_code import numpy_code
from functorch_like.compilation.simplify import simplify
from functorch_like.graph import Graph
from functorch_like.graph_transforms import stage_closed
from functorch_like.primitives.core import registry

for module in pkgutil.iter_modules(primitives_package.__path__):
    importlib.import_module(f"functorch_like.primitives.{module.name}")

M = np.arange(12.0).reshape(3, 4) / 7


def run_code(graph: Graph, *args) -> list:
    constants: dict = {}
    source = numpy_code(graph, constants=constants)
    assert "functorch_like" not in source
    namespace: dict = {}
    exec(compile(source, "program.py", "exec"), namespace)
    made = namespace["program"](*ft.tree.leaves(args), **constants)
    return list(made) if len(graph.outputs) != 1 else [made]


def code_lines(f, *args) -> list[str]:
    lines = numpy_code(ft.make_graph(f)(*args)).splitlines()
    return [line.strip() for line in lines if line.startswith("    ") and "# a:" not in line]


# Another routine of BLAS or LAPACK, or memory laid out in another way.
CLOSE = {"contract", "triangular_solve", "cofactor", "cofactor_derivative", "eig", "least_squares"}
CASES = [(row, dtype) for row in TABLE for dtype in row.dtypes]


@pytest.mark.parametrize(("row", "dtype"), CASES, ids=[f"{r}-{d}" for r, d in CASES])
def test_every_primitive(row: Row, dtype: np.dtype) -> None:
    operands = row.make(np.random.default_rng(0), dtype)
    operands = [np.asarray(x) for x in operands]

    def f(*xs):
        return registry[row.primitive](*xs, **row.params)

    graph = ft.make_graph(f)(*operands)
    got = run_code(graph, *operands)
    for a, b in zip(got, ft.tree.leaves(graph(*operands)), strict=True):
        assert (np.asarray(a).dtype, np.shape(a)) == (b.dtype, b.shape)
        if row.primitive in CLOSE:
            tolerance = 1e-4 if dtype == np.float32 else 1e-12
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)
        else:
            np.testing.assert_array_equal(a, b)


@given(program=programs(), shape=shapes, other=shapes, layout=layouts, seed=st.integers(0, 9))
@settings(max_examples=100)
def test_random_programs(
    program: list[tuple], shape: tuple, other: tuple, layout: str, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    xs = [laid_out(rng.normal(size=s), layout) for s in (shape, other)]

    def gradient(x, y):
        return ft.grad(lambda x, y: np.sum(run(program, x, y)), argnums=(0, 1))(x, y)

    for f in (lambda x, y: run(program, x, y), gradient):
        graph = ft.make_graph(f)(*xs)
        for shown in (graph, simplify(graph)):
            for a, b in zip(run_code(shown, *xs), ft.tree.leaves(graph(*xs)), strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)
        assert max(map(len, numpy_code(graph).splitlines())) <= 110


# --- how it reads ------------------------------------------------------------------------------


def test_the_whole_source() -> None:
    def f(p, x):
        h = np.tanh(x @ p["w"] + p["b"])
        return np.mean(h * np.sin(x[:, :1]) - 2)

    graph = ft.make_graph(f)({"w": np.ones((3, 2)), "b": np.ones(2)}, np.ones((4, 3)))
    assert numpy_code(graph, "mean_loss") == SOURCE


SOURCE = """\
import numpy as np


def mean_loss(a, b, c):
    # a: f64[2]
    # b: f64[3,2]
    # c: f64[4,3]
    d = c @ b  # f64[4,2]
    e = np.sum(np.tanh(d + a) * np.sin(c[:, :1]) - 2.0, axis=(0, 1))  # f64[]
    f = e / 8.0  # f64[]
    return f
"""


@pytest.mark.parametrize(
    ("f", "text"),
    [
        (lambda x: x - (x - 1.0), "x - (x - 1.0)"),
        (lambda x: (x - 1.0) - x, "x - 1.0 - x"),
        (lambda x: x / (x * x + 1), "x / (x * x + 1.0)"),
        (lambda x: -(x + 1.0) * -2.0, "-(x + 1.0) * -2.0"),
        (lambda x: np.negative(-x), "-(-x)"),
        (lambda x: (x < 1.0) == (x > 2.0), "(x < 1.0) == (x > 2.0)"),
        (lambda x: (x + 1.0).T[0], "(x + 1.0).T[0]"),
        (lambda x: x[..., None, ::-2], "x[..., None, ::-2]"),
        (lambda x: (x > 0).astype(np.float32), "(x > 0.0).astype(np.float32)"),
        (lambda x: np.maximum(x, -np.inf), "np.maximum(x, -np.inf)"),
        (lambda x: x * np.float64(3) - np.int8(1), "x * 3.0 - np.int8(1)"),
        (lambda x: x[0] + x[:, :1] * x, "x[0] + x[:, :1] * x"),
        (lambda x: x[0] + x[:, :1], "x[0] + x[:, :1]"),
        (lambda x: np.broadcast_to(x[0], (3, 4)) * 2, "np.broadcast_to(x[0], (3, 4)) * 2.0"),
        (lambda x: np.einsum("ij,ij->ij", x + 1, x), "(x + 1.0) * x"),
        (lambda x: x @ x.T, "x @ x.T"),
        (lambda x: np.einsum("ij,kj->ki", x, x), "(x @ x.T).T"),
        (lambda x: np.where(x > 1, x, 0), "np.where(x > 1.0, x, 0.0)"),
    ],
)
def test_expressions(f, text: str) -> None:
    graph = ft.make_graph(f)(M)
    lines = numpy_code(graph).splitlines()
    shown = lines[-2].strip().partition(" = ")[2].partition("  #")[0]
    assert shown == re.sub(r"\bx\b", "a", text)
    np.testing.assert_array_equal(run_code(graph, M)[0], graph(M))


def test_long_lines_are_broken() -> None:
    def f(x):
        y = x
        for k in range(40):
            y = np.sin(y) * (k + 0.5) + x
        return y

    lines = code_lines(f, M)
    assert 5 < len(lines) < 25 and max(map(len, lines)) < 100


def test_numbers_of_every_kind() -> None:
    values = [
        np.float32(0.1), np.float32(np.pi), np.float64(-0.0), np.nan, -np.inf, 1e-320, 2**53 + 1.0,
        np.int8(-3), np.uint64(2**64 - 1), True, 1 + 2j, complex(-0.0, np.inf), np.complex64(0.1j),
        np.longdouble(1) / 3, np.float16(0.1),
    ]  # fmt: skip
    for value in values:
        graph = ft.make_graph(lambda x, value=value: (x + value, np.asarray(value)))(M)
        for a, b in zip(run_code(graph, M), graph(M), strict=True):
            np.testing.assert_array_equal(a, b, strict=True)
            np.testing.assert_array_equal(np.signbit(np.real(a)), np.signbit(np.real(b)))


def test_captured_arrays() -> None:
    large, small = np.arange(40.0), np.array([1, 2], np.int8)

    def f(x):
        return x + large.reshape(4, 10)[:3, :4] + small[0] + np.outer(np.ones(3), large[:4])

    graph = ft.make_graph(lambda x: (np.float32(2) * x[0, :2] * small, np.sum(x) * large))(M)
    constants: dict = {}
    source = numpy_code(graph, constants=constants)
    assert constants["constant_0"] is large and len(constants) == 1
    assert "def program(a, *, constant_0):" in source
    assert "np.array([1, 2], np.int8)" in source
    for a, b in zip(run_code(graph, M), graph(M), strict=True):
        np.testing.assert_array_equal(a, b)


def test_black_boxes_are_keywords() -> None:
    result = ft.ShapedArray((3, 4), float)
    graph = ft.make_graph(lambda x: np.sin(ft.wrap(np.tanh, result=result)(x)))(M)
    np.testing.assert_array_equal(run_code(graph, M)[0], graph(M))


def test_functions_with_rules_are_written_out() -> None:
    f = ft.custom_vjp(lambda x: np.sin(x) * 2)
    f.defvjp(lambda x: (f(x), x), lambda x, ct: (ct,))
    assert code_lines(lambda x: ft.checkpoint(f)(x) + 1, M)[0] == (
        "b = np.sin(a) * 2.0 + 1.0  # f64[3,4]"
    )


def test_names_that_python_does_not_take() -> None:
    graph = ft.make_graph(np.sin)(M)
    for name in ("<lambda>", "lambda", ""):
        assert "def program(a):" in numpy_code(graph, name)


def test_no_operations_and_no_results() -> None:
    assert run_code(ft.make_graph(lambda x: x)(M), M)[0] is M
    assert run_code(ft.make_graph(lambda x: ())(M), M) == []
    assert run_code(ft.make_graph(lambda x: (1.0, x))(M), M)[0] == 1.0


def test_it_runs_without_the_library() -> None:
    graph = ft.make_graph(lambda x: ft.scipy.special.erf(np.linalg.inv(x @ x.T + np.eye(3))))(M)
    code = (
        "import sys\nsys.modules['functorch_like'] = None\n"
        + numpy_code(graph)
        + "print(repr(program(np.arange(12.0).reshape(3, 4) / 7).tolist()))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    np.testing.assert_allclose(eval(out.stdout), graph(M), rtol=1e-13)


# --- loops and branches -------------------------------------------------------------------------


def apply(name: str, *operands, **params):
    return registry[name](*operands, **params)


def closed(f, *avals) -> Graph:
    with_types = [ft.ShapedArray(*a) for a in avals]
    return stage_closed(("test", f), f, with_types).graph


SCALAR, VECTOR = ((), float), ((4,), float)
WEIGHTS = np.linspace(-1.0, 1.0, 10)


def looped(length: int = 3, reverse: bool = False):
    body = closed(
        lambda w, c, n, x: [np.tanh(c * w) + x, n + 1.0, c * x, np.sum(c)],
        VECTOR, VECTOR, SCALAR, VECTOR,
    )  # fmt: skip
    params = {"graph": body, "n_consts": 1, "n_carry": 2, "length": length, "reverse": reverse}

    def f(w, c, xs):
        carry, n, ys, sums = apply("scan", w, c, np.sum(c) * 0.0, xs, **params)
        return carry + np.sum(ys, 0) * n + np.sum(sums**2)

    return f


def agrees(f, *args) -> str:
    graph = ft.make_graph(f)(*args)
    for made in (graph, simplify(graph)):
        for a, b in zip(run_code(made, *args), ft.tree.leaves(graph(*args)), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)
    return numpy_code(graph)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("length", [3, 0])
def test_scan_and_its_derivatives(length: int, reverse: bool) -> None:
    f = looped(length, reverse)
    w, c, xs = M[0] + 0.3, M[1], M[:length]
    source = agrees(f, w, c, xs)
    assert f"for step in {'reversed(' * reverse}range({length})" in source
    agrees(lambda *args: ft.grad(lambda *a: np.sum(f(*a)), argnums=(0, 1, 2))(*args), w, c, xs)
    agrees(lambda w: ft.hessian(lambda w: np.sum(f(w, c, xs)))(w), w)
    agrees(lambda *args: ft.vmap(f)(*args), *[np.stack([x, 2 * x]) for x in (w, c, xs)])


def test_while_and_its_derivatives() -> None:
    more = closed(lambda limit, i, x: [i < limit], SCALAR, SCALAR, VECTOR)
    body = closed(lambda w, i, x: [i + 1.0, np.sin(x * w)], VECTOR, SCALAR, VECTOR)
    params = {"cond": more, "body": body, "n_cond_consts": 1, "n_body_consts": 1}

    def f(w, x):
        return apply("while_loop", np.float64(3.0), w, np.float64(0.0), x, **params)[1]

    assert "while condition_0(" in agrees(f, M[0], M[1])
    agrees(ft.grad(lambda *a: np.sum(f(*a)), argnums=(0, 1)), M[0], M[1])
    agrees(ft.jacfwd(f), M[0], M[1])


def test_switch_and_its_derivatives() -> None:
    graphs = tuple(
        closed(g, VECTOR) for g in (lambda x: [x], lambda x: [np.sin(x)], lambda x: [x * x])
    )

    def f(i, x):
        return apply("switch", i, x, graphs=graphs)[0]

    for i in range(3):
        assert "elif b == 1:" in agrees(lambda x, i: f(i, x), M[0], np.int64(i))
        agrees(lambda i, x: ft.grad(lambda x: np.sum(f(i, x)))(x), np.int64(i), M[0])


def test_what_a_reversed_body_captures_is_a_keyword() -> None:
    body = closed(lambda c: [np.fft.irfft(np.fft.rfft(np.sin(c), 40), 40)[:4]], VECTOR)
    params = {"graph": body, "n_consts": 0, "n_carry": 1, "length": 2, "reverse": False}
    outer = closed(lambda c: ft.vjp(lambda c: apply("scan", c, **params), c)[1]((c,)), VECTOR)
    params = {**params, "graph": outer}
    source = agrees(lambda x: apply("scan", x, **params)[0], M[0])
    assert "def program(a, *, constant_0):" in source
