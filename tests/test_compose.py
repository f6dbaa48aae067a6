"""All ordered pairs, and some triples, of transforms against closed forms."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import functorch_like as ft

# Each transform turns a scalar function of a scalar, known with its derivatives as a sequence
# f, f', f'', ..., into another such function.


def seq_exp_sin(x: float, n: int) -> list[float]:
    """exp(x) sin(x) and derivatives: 2^(k/2) exp(x) sin(x + k pi / 4)."""
    return [2 ** (k / 2) * np.exp(x) * np.sin(x + k * np.pi / 4) for k in range(n)]


def base(x):
    return np.exp(x) * np.sin(x)


@ft.custom_vjp
def custom(x):
    return np.exp(x) * np.sin(x)


custom.defvjp(lambda x: (custom(x), x), lambda x, ct: (ct * np.exp(x) * (np.sin(x) + np.cos(x)),))


@ft.custom_jvp
def custom_forward(x):
    return np.exp(x) * np.sin(x)


custom_forward.defjvp(
    lambda p, t: (custom_forward(*p), t[0] * np.exp(p[0]) * (np.sin(p[0]) + np.cos(p[0])))
)


@ft.custom_gradient
def custom_closure(x):
    return np.exp(x) * np.sin(x), lambda ct: ct * np.exp(x) * (np.sin(x) + np.cos(x))


FUNCTIONS = {
    "plain": base,
    "custom_vjp": custom,
    "custom_jvp": custom_forward,
    "custom_gradient": custom_closure,
    "checkpoint": ft.checkpoint(base),
    "in place": lambda x: _in_place(x),
}


def _in_place(x):
    out = np.zeros_like(x, shape=(2,))
    out[0] = np.exp(x)
    out[1] = np.sin(x)
    out[0] *= out[1]
    return out[0]


def transposed(f: Callable) -> Callable:
    """f'(x) as the transpose of the linear map t -> f'(x) t, applied to 1."""
    return lambda x: ft.linear_transpose(lambda t: ft.linearize(f, x)[1](t), x)(x * 0 + 1.0)[0]


# name -> (transform, how many derivatives it takes)
TRANSFORMS: dict[str, tuple[Callable, int]] = {
    "grad": (ft.grad, 1),
    "value_and_grad": (lambda f: lambda x: ft.value_and_grad(f)(x)[1], 1),
    "jvp": (lambda f: lambda x: ft.jvp(f, (x,), (x * 0 + 1.0,))[1], 1),
    "vjp": (lambda f: lambda x: ft.vjp(f, x)[1](x * 0 + 1.0)[0], 1),
    "linearize": (lambda f: lambda x: ft.linearize(f, x)[1](x * 0 + 1.0), 1),
    "linear_transpose": (transposed, 1),
    "jacfwd": (ft.jacfwd, 1),
    "jacrev": (ft.jacrev, 1),
    "jacobian": (ft.jacobian, 1),
    "hessian": (ft.hessian, 2),
    "hvp": (lambda f: lambda x: ft.hvp(f, (x,), (x * 0 + 1.0,)), 2),
    "vmap": (lambda f: lambda x: ft.vmap(f)(np.stack([x, x + 1.0]))[0], 0),
    "vmap chunked": (lambda f: lambda x: ft.vmap(f, chunk_size=2)(np.stack([x, x, x]))[2], 0),
    "checkpoint": (ft.checkpoint, 0),
    "make_graph": (lambda f: lambda x: ft.make_graph(f)(x)(x), 0),
}


def check(names: tuple[str, ...], function: str, x: float) -> None:
    f, order = FUNCTIONS[function], 0
    for name in names:
        transform, taken = TRANSFORMS[name]
        f, order = transform(f), order + taken
    np.testing.assert_allclose(f(x), seq_exp_sin(x, order + 1)[order], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("outer", TRANSFORMS)
@pytest.mark.parametrize("inner", TRANSFORMS)
def test_pairs(inner: str, outer: str, function: str) -> None:
    check((inner, outer), function, 0.7)


@given(
    names=st.lists(st.sampled_from(sorted(TRANSFORMS)), min_size=3, max_size=4),
    function=st.sampled_from(sorted(FUNCTIONS)),
    x=st.floats(-1, 1),
)
def test_longer_chains(names: list[str], function: str, x: float) -> None:
    if "make_graph" in names and function.startswith("custom"):
        # A staged custom rule carries three orders: see STAGED_ORDERS.
        names = [n for n in names if n != "make_graph"]
    check(tuple(names), function, x)


def test_perturbations_are_not_confused() -> None:
    # Siskind and Pearlmutter (2005): d/dx (x * d/dy (x + y)) = 1.
    for inner, outer in itertools.product((ft.grad, ft.jacfwd), repeat=2):
        assert outer(lambda x, inner=inner: x * inner(lambda y: x + y)(2.0))(1.0) == 1.0
        assert outer(lambda x, inner=inner: x * inner(lambda y: x * y)(2.0))(3.0) == 6.0


def test_vmap_of_vmap_and_derivatives_between() -> None:
    x = np.arange(6.0).reshape(2, 3) / 5
    f = ft.vmap(ft.vmap(ft.grad(base)))
    np.testing.assert_allclose(f(x), np.exp(x) * (np.sin(x) + np.cos(x)))
    g = ft.vmap(ft.jacrev(lambda r: ft.vmap(base)(r)), in_axes=1, out_axes=-1)
    want = np.exp(x) * (np.sin(x) + np.cos(x))
    got = g(x)
    assert got.shape == (2, 2, 3)
    np.testing.assert_allclose(np.einsum("iij->ij", got), want)


def test_function_runs_once_under_vmap_and_jacobians() -> None:
    runs = []

    def f(x):
        runs.append(1)
        return np.sin(x)

    ft.vmap(f)(np.zeros(100))
    ft.jacrev(f)(np.zeros(50))
    ft.jacfwd(f)(np.zeros(50))
    ft.jacobian(f)(np.zeros(50))
    assert len(runs) == 4
