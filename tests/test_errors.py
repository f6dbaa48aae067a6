"""Bad input: each message names the transform, what was got, and what to do; and the line."""

from __future__ import annotations

import math
import traceback

import numpy as np
import pytest
import scipy.special

import functorch_like as ft

X = np.array([0.5, 1.5])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ft.grad(np.sin)(X), TypeError, r"grad\(sin\): expected a scalar result; got an array of shape \(2,\) and dtype float64; .*np\.sum.*jacobian"),
        (lambda: ft.grad(lambda x: (x, x))(1.0), TypeError, r"expected a scalar result; got the structure \(\*, \*\)"),
        (lambda: ft.grad(np.sum)(3), TypeError, r"grad\(sum\): expected real or complex floating-point input; got int64 .* write 3\.0"),
        (lambda: ft.grad(np.sum)(np.arange(3)), TypeError, r"got int64 of shape \(3,\).*astype\(float\)"),
        (lambda: ft.jvp(np.sin, (1,), (1.0,)), TypeError, r"jvp\(sin\): expected real or complex"),
        (lambda: ft.hessian(np.sum)(np.arange(3)), TypeError, r"hessian\(sum\)"),
        (lambda: ft.grad(np.sum)("text"), TypeError, r"expected input of arrays or numbers; got str"),
        (lambda: ft.grad(lambda x: 1j * x)(1.0), TypeError, r"expected a real result; got complex128.*holomorphic"),
        (lambda: ft.grad(np.sum, holomorphic=True)(X), TypeError, r"expected complex input because holomorphic=True; got float64"),
        (lambda: ft.jacfwd(np.sin)(X + 1j), TypeError, r"jacfwd\(sin\): expected real input; got complex128"),
        (lambda: ft.grad(np.sum, argnums=2)(X), ValueError, r"argnums=2 names argument 2, but the call has 1"),
        (lambda: ft.grad(np.add, argnums=(0, -2))(X, X), ValueError, r"names an argument twice"),
        (lambda: ft.grad(lambda x: x, has_aux=True)(1.0), TypeError, r"return a pair \(output, aux\)"),
        (lambda: ft.jvp(np.sin, X, X), TypeError, r"expected primals as a tuple or list.*write \(primals,\)"),
        (lambda: ft.jvp(np.sin, (X,), (X, X)), TypeError, r"expected tangents structured like the primals"),
        (lambda: ft.jvp(np.sin, (X,), (np.ones(3),)), TypeError, r"expected a tangent of shape \(2,\); got \(3,\)"),
        (lambda: ft.jvp(np.sin, (X.astype("f4"),), (X,)), TypeError, r"expected a tangent of dtype float32; got float64; write tangent\.astype\(float32\)"),
        (lambda: ft.vjp(np.sin, X)[1](np.ones(3)), TypeError, r"expected a cotangent of shape \(2,\); got \(3,\)"),
        (lambda: ft.vjp(np.sin, X)[1]((X, X)), TypeError, r"expected a cotangent structured like the output, \*; got \(\*, \*\)"),
        (lambda: ft.linearize(np.sin, X)[1](X, X), TypeError, r"linearize\(sin\): expected one tangent .* 1; got 2"),
        (lambda: ft.linear_transpose(np.sin, X), TypeError, r"linear_transpose\(sin\): the operation sin is not linear"),
        (lambda: ft.linear_transpose(lambda x: x + 1.0, X), TypeError, r"add is not linear"),
        (lambda: ft.linear_transpose(lambda x: np.ones(2), X), TypeError, r"a constant that is not zero"),
        (lambda: ft.vmap(np.sin, in_axes=2)(X), ValueError, r"vmap\(sin\): expected leaf 0 .* to have an axis 2; got an array of shape \(2,\)"),
        (lambda: ft.vmap(np.add)(X, np.ones(3)), ValueError, r"expected one size for all mapped axes; got 2 \(leaf 0 .*; 3 \(leaf 1"),
        (lambda: ft.vmap(np.add, in_axes=(0,))(X, X), ValueError, r"one entry of in_axes an argument; got 1 for 2"),
        (lambda: ft.vmap(np.add, in_axes=None)(X, X), ValueError, r"got none\. .*axis_size"),
        (lambda: ft.vmap(lambda d: d["a"], in_axes=({"b": 0},))({"a": X}), ValueError, r"pytree prefix of the arguments"),
        (lambda: ft.vmap(np.sin, out_axes=None)(X), ValueError, r"the same for the whole batch because out_axes=None"),
        (lambda: ft.vmap(np.sin, out_axes=3)(X), ValueError, r"out_axes=3 is out of range for a result of shape \(2,\)"),
        (lambda: ft.vmap(np.sin, chunk_size=0), ValueError, r"chunk_size must be positive"),
        (lambda: ft.make_graph(np.sin)(X)(np.ones(3)), TypeError, r"graph: expected f64\[2\] for leaf 0; got f64\[3\]"),
        (lambda: ft.make_graph(np.sin)(X)(X, X), TypeError, r"graph: expected arguments structured like"),
    ],
)  # fmt: skip
def test_messages(call, error, message: str) -> None:
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (lambda x: math.sin(x), r"a Python float was asked of a traced value.*math\.sin\(x\).*NumPy's functions"),
        (lambda x: float(x), r"a Python float was asked.*float\(x\)"),
        (lambda x: int(x), r"a Python int was asked"),
        (lambda x: complex(x), r"a Python complex was asked"),
        (lambda x: x.item(), r"item\(\) was asked"),
        (lambda x: scipy.special.smirnov(5, x), r"no derivative is known for this ufunc"),
        (lambda x: np.asarray(x), r"converted to a plain NumPy array"),
        (lambda x: [0, 1][x], r"an integer index was asked"),
    ],
)  # fmt: skip
def test_lost_derivatives_are_refused(f, message: str) -> None:
    with pytest.raises(TypeError, match=message) as caught:
        ft.grad(f)(1.0)
    assert "test_errors.py:" in str(caught.value)


def test_writing_into_a_plain_array_names_both_ways_out() -> None:
    def f(x):
        out = np.zeros(2)
        out[0] = x[0]
        return out.sum()

    with pytest.raises(ft.errors.ConcreteValueError) as caught:
        ft.grad(f)(X)
    for part in ("test_errors.py:", "out[0] = x[0]", "np.zeros_like(x)", "np.stack"):
        assert part in str(caught.value)

    def g(x):
        out = np.zeros(2)
        out[:] = x
        return out.sum()

    with pytest.raises(ft.errors.ConcreteValueError, match=r"out\[:\] = x.*np\.zeros_like"):
        ft.grad(g)(X)

    def h(x):
        out = np.zeros(2)
        out += x
        return out.sum()

    with pytest.raises(
        ft.errors.MutationError, match=r"np\.add: out= cannot be written.*out \+= x"
    ):
        ft.grad(h)(X)
    with pytest.raises(ft.errors.MutationError, match="out="):
        ft.grad(lambda x: np.sum(np.sin(x, out=np.zeros(2))))(X)
    with pytest.raises(ft.errors.MutationError, match="plain array"):
        ft.grad(lambda x: np.add.at(np.zeros(2), [0], x[0]))(X)


def test_branching_on_a_batch() -> None:
    with pytest.raises(ft.errors.ConcreteValueError, match=r"vmap\(.*truth of a traced.*np\.where"):
        ft.vmap(lambda x: x if x > 0 else -x)(X)
    with pytest.raises(ft.errors.ConcreteValueError, match=r"boolean mask.*np\.where"):
        ft.vmap(lambda x: x[x > 0])(np.ones((2, 3)))
    with pytest.raises(ft.errors.ConcreteValueError, match="make_graph"):
        ft.make_graph(lambda x: x if x > 0 else -x)(1.0)


def test_escaped_tracers_are_caught_where_they_land() -> None:
    kept = []

    def leaks(x):
        kept.append(x)
        return np.sum(x)

    for transform in (ft.grad, ft.vmap, ft.make_graph, ft.jacfwd):
        kept.clear()
        transform(leaks)(X)
        for use in (
            lambda x: x + 1,
            lambda x: np.sin(x),
            lambda x: np.sum(x),
            lambda x: np.ones(2) * x,
            lambda x: ft.grad(lambda y: np.sum(y * x))(np.ones(2)),
            lambda x: ft.vmap(lambda y: y * x)(np.ones(2)),
            lambda x: ft.make_graph(lambda y: y * x)(np.ones(2)),
        ):
            with pytest.raises(
                ft.errors.EscapedTracerError, match=r"\(leaks\): a traced array of shape"
            ):
                use(kept[0])


def test_our_frames_are_folded_out() -> None:
    def users_function(x):
        return np.sum(x) + np.ones(5) @ x  # fails

    try:
        ft.grad(ft.checkpoint(lambda x: ft.vmap(users_function)(x).sum()))(np.ones((2, 3)))
    except ValueError as error:
        frames = traceback.extract_tb(error.__traceback__)
        ours = [
            f for f in frames if "functorch_like/" in f.filename or "/primitives/" in f.filename
        ]
        assert len(ours) <= 1, frames
        assert any(f.name == "users_function" for f in frames)
        assert "(5,)" in str(error) and "(3,)" in str(error)
    else:
        raise AssertionError("no error")


def test_internal_frames_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ft.errors, "show_internal_frames", True)
    try:
        ft.grad(np.sin)(X)
    except TypeError as error:
        assert len(traceback.extract_tb(error.__traceback__)) > 2


def test_unknown_functions_say_so() -> None:
    with pytest.raises(TypeError, match=r"not supported on traced arrays.*test_errors\.py:.*wrap"):
        ft.grad(lambda x: np.is_busday(x))(X)
    with pytest.raises(TypeError, match=r"numpy\.busday_offset: not supported on .*test_errors"):
        ft.grad(lambda x: np.sum(np.busday_offset(x, 1)))(X)
    with pytest.raises(
        TypeError, match=r"no derivative is known for this ufunc.*finite_difference"
    ):
        ft.grad(lambda x: np.sum(scipy.special.smirnov(5, x)))(X)

    # ... but values, batches and staging work.
    def values(x):
        return scipy.special.smirnov(5, x / 2)

    want = values(X)
    np.testing.assert_allclose(ft.vmap(values)(X), want)
    np.testing.assert_allclose(ft.make_graph(values)(X)(X), want)


def test_repr_shows_the_value() -> None:
    seen = []
    ft.grad(lambda x: (seen.append(repr(x)), np.sum(x))[1])(X)
    ft.vmap(lambda x: (seen.append(f"{x}"), x)[1])(X)
    assert seen[0].startswith("Traced(array([0.5, 1.5]), grad(")
    assert seen[1] == "Traced(float64[], vmap(<lambda>))"
