"""Simplification: each pass on small graphs, and random programs before and after."""

from __future__ import annotations

import types

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_random_programs import laid_out, layouts, programs, run, shapes

import functorch_like as ft
import functorch_like.control_flow.switch_primitive  # declares the primitives of control flow
from functorch_like.compilation.simplify import (
    PASSES,
    absorb_transposes,
    bodies,
    common_subexpressions,
    dead_code,
    fold,
    identities,
    inline,
    literals,
    simplify,
)
from functorch_like.graph import Equation, Graph, Literal, Var
from functorch_like.graph_transforms import stage_closed
from functorch_like.primitives.core import registry

X = np.linspace(-1.0, 2.0, 3)
M = np.arange(12.0).reshape(3, 4) / 7
ONE_EACH = (inline, literals, dead_code, fold, identities, absorb_transposes, common_subexpressions)


def lines(graph: Graph) -> list[str]:
    """The equations as printed, and the result."""
    graph.check()
    return [line.strip() for line in repr(graph).splitlines()[1:-1]]


def staged(f, *args) -> Graph:
    return ft.make_graph(f)(*args)


def after(step, f, *args) -> list[str]:
    graph = staged(f, *args)
    shown = repr(graph)
    made = step(graph)
    assert repr(graph) == shown, "a pass changed the graph it was given"
    same(made(*args), graph(*args))
    return lines(made)


def apply(name: str, *operands, **params):
    return registry[name](*operands, **params)


def same(got, wanted) -> None:
    for a, b in zip(ft.tree.leaves(got), ft.tree.leaves(wanted), strict=True):
        a, b = np.asarray(a), np.asarray(b)
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        np.testing.assert_array_equal(a, b)
        if a.dtype.kind == "f":
            np.testing.assert_array_equal(
                np.signbit(a[~np.isnan(a)]), np.signbit(b[~np.isnan(b)]), strict=True
            )


def closed(f, *avals) -> Graph:
    return stage_closed(("test", f), f, [ft.ShapedArray(*a) for a in avals]).graph


# --- inline ------------------------------------------------------------------------------------


def ruled():
    f = ft.custom_vjp(lambda x: np.sin(x) * SHIFT)
    f.defvjp(lambda x: (f(x), x), lambda x, ct: (ct * np.cos(x),))
    return f


SHIFT = np.array([1.0, 2.0, 3.0])


def test_inline_custom_rules_and_checkpoints() -> None:
    f = ruled()
    g = ft.custom_jvp(lambda x, y: (x * y, y))
    g.defjvp(lambda primals, tangents: (g(*primals), tangents))
    h = ft.checkpoint(lambda x: f(np.exp(x)) + SHIFT)

    def program(x):
        product, y = g(h(x), x)
        return h(product) + f(y)

    graph = staged(program, X)
    made = inline(graph)
    made.check()
    names = [e.primitive.name for e in made.equations]
    assert not any(name.endswith("_call") for name in names)
    assert names.count("sin") == 3 and names.count("exp") == 2
    same(made(X), graph(X))


def test_inline_gives_each_call_variables_of_its_own() -> None:
    inner = staged(lambda x: np.sin(x) * SHIFT, X)
    call = ft.checkpoint(lambda x: inner(x))
    made = inline(staged(lambda x: call(call(x)), X))
    made.check()
    same(made(X), inner(inner(X)))


def test_inline_calls_of_graphs() -> None:
    call = types.SimpleNamespace(name="jit_call", carries_function=False)
    closed_graph = closed(lambda x, y: [x + y, np.float64(2.0), x], ((3,), float), ((3,), float))
    open_graph = staged(lambda x: x * SHIFT, X)
    x, y = (Var(ft.ShapedArray((3,), float)) for _ in range(2))
    first, second = (
        [Var(aval) for aval in graph.output_avals] for graph in (closed_graph, open_graph)
    )
    equations = [
        Equation(call, [x, y], {"graph": closed_graph}, first),
        Equation(call, [first[0]], {"graph": open_graph}, second),
    ]
    made = inline(Graph([x, y], [], [], equations, [*second, *first[1:]]))
    made.check()
    assert [e.primitive.name for e in made.equations] == ["add", "multiply"]
    assert made.constant_values[0] is SHIFT
    same(made.evaluate([X, -2 * X]), [-X * SHIFT, np.float64(2.0), X])


def test_inline_of_a_call_that_gives_back_its_argument_or_a_number() -> None:
    f = ft.checkpoint(lambda x: (x, np.float32(2.0), 3.0))
    graph = staged(lambda x: f(x)[0] * f(x)[1] + f(x)[2], X)
    same(inline(graph)(X), X * np.float32(2.0) + 3.0)
    assert len(inline(graph).equations) < len(graph.equations)


def test_inline_leaves_black_boxes() -> None:
    f = ft.wrap(lambda x: np.asarray(x) * 2, result=ft.ShapedArray((3,), float))
    assert "opaque_black_box" in after(simplify, f, X)[0]


# --- bodies ------------------------------------------------------------------------------------


def test_bodies_of_loops_are_simplified() -> None:
    f = ruled_twice()
    scalar, vector = ((), float), ((3,), float)
    body = closed(lambda c, x: [f(c * 1.0), x * 1.0 + np.sin(c) - np.sin(c)], vector, vector)
    loop = {"graph": body, "n_consts": 0, "n_carry": 1, "length": 3, "reverse": False}
    more = closed(lambda i, x: [i < 3.0], scalar, vector)
    step = closed(lambda i, x: [i + 1.0, f(x) * 1.0], scalar, vector)
    branches = (closed(lambda x: [x * 1.0], vector), closed(lambda x: [f(x)], vector))

    def program(m, x):
        carry, ys = apply("scan", x, m, **loop)
        consts = {"n_cond_consts": 0, "n_body_consts": 0}
        _, x = apply("while_loop", 0.0 * x[0], carry, cond=more, body=step, **consts)
        return apply("switch", np.int64(1), x, graphs=branches)[0] + ys

    m = np.stack([X, X + 1, X + 2])
    graph = staged(program, m, X)
    made = bodies(graph)
    made.check()
    same(made(m, X), graph(m, X))
    simplified = [e.params for e in made.equations if e.primitive.multiple_results]
    assert [e.primitive.name for e in simplified[0]["graph"].equations] == [
        "multiply", "sin", "add", "subtract"
    ]  # fmt: skip
    assert simplified[1]["cond"].equations[0].primitive.name == "less"
    assert [len(g.equations) for g in simplified[2]["graphs"]] == [0, 1]
    assert bodies(staged(program, m, X)).equations[0].params["graph"] is simplified[0]["graph"]


def ruled_twice():
    f = ft.custom_vjp(lambda x: x * 2.0)
    f.defvjp(lambda x: (f(x), None), lambda _, ct: (ct * 2.0,))
    return f


def test_reverse_sweeps_keep_the_rules_of_their_bodies() -> None:
    rule = ft.custom_vjp(lambda x: np.sin(x))
    rule.defvjp(lambda x: (np.sin(x), None), lambda _, ct: (ct * 7.0,))
    body = closed(lambda c: [rule(c)], ((), float))
    loop = {"graph": body, "n_consts": 0, "n_carry": 1, "length": 1, "reverse": False}
    graph = staged(ft.grad(lambda x: apply("scan", x, **loop)[0]), 0.5)
    made = simplify(graph)
    made.check()
    assert made(0.5) == graph(0.5) == 7.0


# --- literals ----------------------------------------------------------------------------------


def test_literals() -> None:
    number, zeros, own = np.float32(3.0), np.broadcast_to(np.float64(0.5), (3,)), np.array(2.0)
    assert after(literals, lambda x: (x * number + zeros) * own, X) == [
        "b: f64[] = array(2.)",
        "c: f64[3] = broadcast_to[shape=(3,)] np.float64(0.5)",
        "d: f64[3] = multiply a np.float32(3.0)",
        "e: f64[3] = add d c",
        "f: f64[3] = multiply e b",
        "return f",
    ]


def test_literals_leave_what_somebody_may_write() -> None:
    base = np.array(2.0)
    view = np.broadcast_to(base, (3,))
    graph = literals(staged(lambda x: x * view, X))
    base[...] = 5.0
    same(graph(X), X * 5.0)
    frozen = np.array(2.0)
    frozen.flags.writeable = False
    assert "2.0" in lines(literals(staged(lambda x: x * frozen, X)))[0]
    same(literals(staged(lambda x: x + np.zeros((0, 3)), X))(X), np.zeros((0, 3)))


def test_a_literal_may_be_a_result() -> None:
    assert after(literals, lambda x: np.float64(2.0), X) == ["return np.float64(2.0)"]


# --- dead code ---------------------------------------------------------------------------------


def test_dead_code() -> None:
    def f(x):
        np.exp(np.sin(x) * SHIFT)
        q, _ = np.linalg.qr(x[:, None])
        return q

    made = after(dead_code, f, X)
    assert [line.split(" = ")[1].split("[")[0] for line in made[:2]] == ["slice_at", "qr"]
    assert dead_code(made_graph := dead_code(staged(f, X))) is made_graph


# --- common subexpressions -----------------------------------------------------------------------


def test_common_subexpressions() -> None:
    def f(x):
        a = np.sin(x[::-1]) * np.sin(x[::-1])
        return a + x[::-1] * x + x * x[::-1]

    assert after(common_subexpressions, f, X) == [
        "b: f64[3] = slice_at[index=(::-1)] a",
        "c: f64[3] = sin b",
        "d: f64[3] = multiply c c",
        "e: f64[3] = multiply b a",
        "f: f64[3] = add d e",
        "g: f64[3] = add f e",
        "return g",
    ]


def test_common_subexpressions_compare_params_and_bits() -> None:
    def f(x):
        return (
            x * 0.0 + x * -0.0,
            np.sum(x, 0) + np.sum(x, 1, keepdims=True),
            x - 1.0 + (1.0 - x),
            np.linalg.qr(x)[0],
            np.linalg.qr(x)[1],
        )

    graph = staged(f, M)
    made = common_subexpressions(graph)
    made.check()
    assert len(made.equations) == len(graph.equations) - 1  # the second qr
    same(made(M), graph(M))


# --- folding -------------------------------------------------------------------------------------


def test_fold() -> None:
    def f(x):
        two = apply("broadcast_to", np.exp(0.0) + np.float64(1.0), shape=(4,))
        rows = apply("broadcast_to", two, shape=(3, 4))
        return x * np.negative(apply("transpose", rows, axes=(1, 0))).T[1:].sum()

    made = lines(dead_code(fold(literals(staged(f, 2.0)))))
    assert made[0].endswith("broadcast_to[shape=(2, 4)] np.float64(-2.0)")
    assert len(made) == 4


def test_fold_uses_numbers_where_another_operand_has_the_shape() -> None:
    column = np.broadcast_to(np.float64(3.0), (3, 1))
    made = after(simplify, lambda x: np.maximum(x, column), M)
    assert made == ["b: f64[3,4] = maximum a np.float64(3.0)", "return b"]
    row = np.arange(4.0)
    twos = np.broadcast_to(np.float64(2.0), (3, 4))
    made = after(simplify, lambda x: x + apply("maximum", twos, row), M)
    assert made[1:3] == [
        "c: f64[3,4] = broadcast_to[shape=(3, 4)] np.float64(2.0)",
        "d: f64[3,4] = maximum c b",
    ]


def test_fold_raises_no_warnings_and_keeps_dtypes() -> None:
    zero = np.float32(0.0)
    with np.errstate(divide="ignore"):
        made = after(simplify, lambda x: apply("broadcast_to", apply("log", zero), shape=(3,)), X)
    assert made == ["b: f32[3] = broadcast_to[shape=(3,)] np.float32(-inf)", "return b"]


# --- identities ----------------------------------------------------------------------------------

SIGNED = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1.5, 5e-324, -1e308])
ZEROS = np.broadcast_to(np.float64(0.0), SIGNED.shape)
RAW = {
    "multiply by 1": lambda x: x * 1.0 * np.float64(1.0),
    "1 multiplied": lambda x: 1.0 * x,
    "divide by 1": lambda x: x / 1.0,
    "subtract 0": lambda x: x - 0.0,
    "add -0": lambda x: x + -0.0,
    "negative twice": lambda x: np.negative(np.negative(x)),
    "positive": lambda x: +x,
    "copy": lambda x: x.copy(),
    "stop": ft.stop_gradient,
    "power 1": lambda x: x**1.0,
    "to itself": lambda x: apply("convert", x, dtype=np.dtype(float)),
    "to complex and back": lambda x: apply(
        "convert", apply("convert", x, dtype=np.dtype(complex)), dtype=np.dtype(float)
    ),
    "reshape": lambda x: x.reshape(2, 4).reshape(8),
    "transpose": lambda x: apply(
        "transpose",
        apply("transpose", x.reshape(2, 2, 2), axes=(1, 2, 0)),
        axes=(2, 0, 1),
    ).reshape(8),
    "no transpose": lambda x: apply("transpose", x, axes=(0,)),
    "everything": lambda x: apply("slice_at", x, index=(slice(0, 8),)),
    "everything and more": lambda x: apply("slice_at", x, index=(Ellipsis,)),
    "select": lambda x: apply("select", np.arange(8) > 3, x, x),
    "select true": lambda x: apply("select", np.True_, x, -x),
    "real": lambda x: apply("conjugate", apply("real", x)),
    "concatenate": lambda x: apply("concatenate", x, axis=0),
    "update": lambda x: apply("update_slice", ZEROS, x, index=(slice(None),)),
    "unslice": lambda x: apply("unslice", x, shape=(8,), index=(Ellipsis,)),
    "no axes": lambda x: apply("reduce_max", apply("reduce_product", x, axes=()), axes=()),
}


@pytest.mark.parametrize("name", RAW)
def test_identities_that_hold_exactly(name: str) -> None:
    graph = staged(RAW[name], SIGNED)
    made = dead_code(identities(literals(graph)))
    assert lines(made) == ["return a"]
    same(made(SIGNED), graph(SIGNED))


NOT = {
    "add 0": lambda x: x + 0.0,
    "subtract -0": lambda x: x - -0.0,
    "multiply by 0": lambda x: x * 0.0,
    "power 0.5": lambda x: np.power(x, 0.5),
    "divide by 3": lambda x: x / 3.0,
    "complex times 1": lambda x: x.astype(complex) * np.complex128(1.0),
    "wider result": lambda x: x * np.complex128(1.0),
    "narrowed": lambda x: x.astype(np.float32).astype(float),
    "reversed": lambda x: x[::-1],
    "a row": lambda x: x[None],
    "conjugate": lambda x: np.conj(x.astype(complex)),
}


@pytest.mark.parametrize("name", NOT)
def test_identities_that_do_not_hold(name: str) -> None:
    with np.errstate(all="ignore"):
        graph = staged(NOT[name], SIGNED)
        made = simplify(graph)
        made.check()
        assert len(made.equations) >= 1
        same(made(SIGNED), graph(SIGNED))


REWRITTEN = {
    "square": (lambda x: np.power(x, 2.0), "square a"),
    "inverse": (lambda x: x / 8.0, "multiply a np.float64(0.125)"),
    "difference": (lambda x: x + -np.sin(x), "subtract a b"),
    "difference of negative": (lambda x: -np.sin(x) + x, "subtract a b"),
    "sum": (lambda x: x - -np.sin(x), "add a b"),
    "sign": (lambda x: x * -1.0, "negative a"),
    "first reshape": (lambda x: x.reshape(2, 4).reshape(4, 2), "reshape[shape=(4, 2)] a"),
    "broadcast": (
        lambda x: apply("broadcast_to", apply("broadcast_to", x, shape=(2, 8)), shape=(3, 2, 8)),
        "broadcast_to[shape=(3, 2, 8)] a",
    ),
    "convert": (lambda x: (x > 0).astype(np.int8).astype(float), "convert[dtype=float64] c"),
    "transpose": (
        lambda x: apply(
            "transpose", apply("transpose", x.reshape(2, 2, 2), axes=(1, 2, 0)), axes=(1, 2, 0)
        ),
        "transpose[axes=(2, 0, 1)] b",
    ),
    "unslice": (
        lambda x: apply(
            "update_slice", np.broadcast_to(0.0, (9,)), x, index=(slice(0, 8),)
        ),
        "unslice[shape=(9,), index=(0:8)] a",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REWRITTEN)
def test_identities_that_rewrite(name: str) -> None:
    f, shown = REWRITTEN[name]
    with np.errstate(all="ignore"):
        graph = staged(f, SIGNED)
        made = dead_code(identities(literals(graph)))
        assert lines(made)[-2].partition(" = ")[2] == shown
        same(made(SIGNED), graph(SIGNED))


@pytest.mark.parametrize(
    "f", [lambda x: x + ZEROS, lambda x: apply("reduce_sum", x, axes=())], ids=["zeros", "no axes"]
)
def test_identities_but_for_negative_zero(f) -> None:
    made = simplify(staged(f, SIGNED))
    assert lines(made) == ["return a"]
    np.testing.assert_array_equal(made(SIGNED), f(SIGNED))


def test_identities_broadcast_and_keep_dtypes() -> None:
    ones = np.broadcast_to(np.float64(1.0), (3, 4))
    assert after(simplify, lambda x: x * ones, M[0]) == [
        "b: f64[3,4] = broadcast_to[shape=(3, 4)] a",
        "return b",
    ]
    # Complex ones stay, so that infinities meet their zeros, and so does the wider dtype.
    twos = np.broadcast_to(np.complex128(1.0), (3, 4))
    assert len(after(simplify, lambda x: x * twos, M)) > 1
    assert after(simplify, lambda x: x * ones, M.astype(np.float32)) == [
        "b: f64[3,4] = convert[dtype=float64] a",
        "return b",
    ]


def test_integers() -> None:
    n = np.array([3, -4, 0])
    assert after(simplify, lambda n: n * 1 + 0 - 0, n) == ["return a"]
    assert after(simplify, lambda n: n / 1, n) != ["return a"]
    after(simplify, lambda n: n**2 // 2 + (n > 0) * 1, n)


# --- products ------------------------------------------------------------------------------------


def test_transposes_are_absorbed_by_products() -> None:
    made = after(simplify, lambda x: (x.T @ np.sin(x)).T, M)
    assert made == [
        "b: f64[3,4] = sin a",
        "c: f64[4,4] = contract[subscripts=('ki', 'kj', 'ji')] a b",
        "return c",
    ]


def test_a_product_used_as_it_was_keeps_its_transpose() -> None:
    made = after(absorb_transposes, lambda x: (y := x @ SQUARE, y.T), M)
    assert sum("contract" in line for line in made) == 1
    assert sum("transpose" in line for line in made) == 1


SQUARE = np.eye(4) + 0.1


def test_broadcast_operands_of_products() -> None:
    stack = np.stack([M, -M])
    made = after(simplify, lambda w: np.matmul(stack, np.broadcast_to(w, (2, 4, 4))), SQUARE)
    assert "broadcast_to" not in "".join(made)
    same(simplify(staged(lambda w: stack @ w, SQUARE))(SQUARE), stack @ SQUARE)


def test_products_without_a_sum_are_multiplications() -> None:
    made = after(simplify, lambda x, y: np.einsum("i,j->ji", x, y), X, M[0])
    assert made[-2].partition(" = ")[2].startswith("multiply")
    made = after(simplify, lambda x, y: np.einsum("bi,b->bi", x, y), M, X)
    assert not any("contract" in line or "transpose" in line for line in made)


# --- all of them ---------------------------------------------------------------------------------


def test_print_of_a_gradient() -> None:
    def f(x):
        return np.sum(np.exp(-x * x) * np.sin(x) ** 2)

    assert repr(simplify(staged(ft.grad(f), X))) == EXPECTED


EXPECTED = """\
graph(a: f64[3]) {
  b: f64[3] = negative a
  c: f64[3] = multiply b a
  d: f64[3] = exp c
  e: f64[3] = sin a
  f: f64[3] = square e
  g: f64[3] = multiply np.float64(2.0) e
  h: f64[3] = multiply d g
  i: f64[3] = cos a
  j: f64[3] = multiply h i
  k: f64[3] = multiply f d
  l: f64[3] = multiply k a
  m: f64[3] = multiply k b
  n: f64[3] = add j m
  o: f64[3] = subtract n l
  return o
}"""


def test_structures_are_kept() -> None:
    graph = simplify(staged(lambda d: {"out": (d["x"], d["x"] * 1.0)}, {"x": X}))
    assert graph({"x": X})["out"][0] is not None


def test_literal_inputs_and_no_equations() -> None:
    v = Var(ft.ShapedArray((), float))
    graph = Graph([v], [], [], [], [v, Literal(2.0)])
    assert simplify(graph).evaluate([1.0]) == [1.0, 2.0]
    out = Var(ft.ShapedArray((), float))
    numbers = Equation(registry["add"], [Literal(1.0), Literal(2.0)], {}, [out])
    assert simplify(Graph([], [], [], [numbers], [out])).evaluate([]) == [3.0]


SUMS = {"contract", "solve", "reduce_sum", "reduce_product"}


@given(program=programs(), shape=shapes, other=shapes, layout=layouts, seed=st.integers(0, 9))
@settings(max_examples=150)
def test_random_programs_keep_their_values(
    program: list[tuple], shape: tuple, other: tuple, layout: str, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    xs = [laid_out(rng.normal(size=s), layout) for s in (shape, other)]

    def f(x, y):
        return run(program, x, y)

    def gradient(x, y):
        return ft.grad(lambda x, y: np.sum(f(x, y)), argnums=(0, 1))(x, y)

    for function in (f, gradient):
        graph = staged(function, *xs)
        wanted = graph(*xs)
        for step in ONE_EACH:
            made = step(graph)
            made.check()
            agree(graph, made(*xs), wanted)
        made = graph
        for step in PASSES:
            made = step(made)
            made.check()
        agree(graph, made(*xs), wanted)
        assert len(made.equations) <= len(graph.equations)
        assert repr(simplify(made)) == repr(made)


def agree(graph: Graph, got, wanted) -> None:
    # NumPy sums in an order that depends on the memory layout.
    exact = SUMS.isdisjoint(e.primitive.name for e in graph.equations)
    for a, b in zip(ft.tree.leaves(got), ft.tree.leaves(wanted), strict=True):
        assert a.dtype == b.dtype
        if exact:
            np.testing.assert_array_equal(a, b)
        else:
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)
