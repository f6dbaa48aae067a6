"""``checkpoint(f, policy=...)``: what is kept, what is computed again, under every transform."""

from __future__ import annotations

import collections
import re
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import functorch_like as ft
from functorch_like import checkpoint_policies as policies
from functorch_like.primitives.core import registry

RNG = np.random.default_rng(0)
WEIGHTS = RNG.normal(size=(3, 4, 4)) / 2
X = RNG.normal(size=(5, 4))
SHIFT = RNG.normal(size=4)

POLICIES: dict[str, Any] = {
    "none": None,
    "everything": policies.everything_saveable,
    "nothing": policies.nothing_saveable,
    "dots": policies.dots_saveable,
    "dots without batch": policies.dots_with_no_batch_dims_saveable,
    "only z": policies.save_only_these_names("z"),
    "all but a": policies.save_anything_except_these_names("a"),
    "names but z": policies.save_any_names_but_these("z"),
    "dots and a": policies.save_from_both_policies(
        policies.dots_saveable, policies.save_only_these_names("a")
    ),
    "own": lambda primitive, *operands, **params: primitive.name == "solve",
}


def network(keep: Callable) -> Callable:
    """A loss of layers under ``keep`` that close over a traced value and a constant."""

    def loss(weights: Any, x: Any) -> Any:
        scale = np.exp(weights[0, 0, 0])

        def layer(w: Any, h: Any) -> Any:
            z = ft.checkpoint_name(h @ w, "z")
            a = ft.checkpoint_name(np.tanh(z) * scale, "a")
            a = a.copy()
            a[0] = 2 * a[1]  # assignment, too
            # solve is differentiated by a rule with operations of its own
            q = np.linalg.solve(w @ w.T + 3 * np.eye(4), a.T).T
            return q + np.sin(a) + SHIFT

        layer = keep(layer)
        for w in weights:
            x = layer(w, x)
        return np.sum(x**2)

    return loss


TRANSFORMS: dict[str, Callable] = {
    "value": lambda f: f,
    "grad": lambda f: ft.grad(f, (0, 1)),
    "jvp": lambda f: lambda *args: ft.jvp(f, args, args),
    "linearize": lambda f: lambda *args: ft.linearize(f, *args)[1](*args),
    "hessian": lambda f: lambda w, x: ft.hessian(lambda x: f(w, x))(x[:2]),
    "grad(grad)": lambda f: lambda w, x: ft.grad(lambda w: np.sum(ft.grad(f, 1)(w, x) ** 2))(w),
    "vmap(grad)": lambda f: (
        lambda w, x: ft.vmap(ft.grad(f, (0, 1)), (None, 0))(w, np.stack([x, 2 * x]))
    ),
}


def check_same(found: Any, expected: Any) -> None:
    for x, y in zip(ft.tree.leaves(found), ft.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", TRANSFORMS)
def test_the_results_are_the_same(name: str, policy: str) -> None:
    transform = TRANSFORMS[name]
    expected = transform(network(lambda f: f))(WEIGHTS, X)
    found = transform(network(lambda f: ft.checkpoint(f, policy=POLICIES[policy])))(WEIGHTS, X)
    check_same(found, expected)


@pytest.mark.parametrize("policy", ["none", "dots", "only z", "all but a"])
def test_compiled(policy: str) -> None:
    keep = lambda f: ft.checkpoint(f, policy=POLICIES[policy])
    weights = WEIGHTS[: 2 if policy == "none" else 1]
    expected = ft.grad(network(lambda f: f), (0, 1))(weights, X)
    check_same(ft.jit(ft.grad(network(keep), (0, 1)))(weights, X), expected)
    if policy == "dots":
        check_same(ft.grad(ft.jit(network(keep)), (0, 1))(weights, X), expected)


@pytest.mark.parametrize("policy", ["none", "dots"])
def test_compiled_twice_and_batched(policy: str) -> None:
    def loss(w: Any, x: Any, keep: Any) -> Any:
        layer = ft.checkpoint(lambda w, x: np.tanh(w @ x), **keep)
        return np.sum(layer(w, layer(w, x)) ** 2)

    w, x = WEIGHTS[0], X[0]
    plain = lambda x: loss(w, x, {"policy": policies.everything_saveable})
    f = lambda x: loss(w, x, {"policy": POLICIES[policy]})
    check_same(ft.jit(ft.hessian(f))(x), ft.hessian(plain)(x))
    curl = lambda f: lambda x: np.sum(ft.grad(f)(x) ** 2)
    check_same(ft.jit(ft.grad(curl(f)))(x), ft.grad(curl(plain))(x))
    check_same(ft.jit(ft.vmap(ft.grad(f)))(X), ft.vmap(ft.grad(plain))(X))


def test_in_the_body_of_a_loop() -> None:
    def loss(w: Any, policy: Any, keep: bool = True) -> Any:
        body = lambda x: np.tanh(w @ np.sin(x))
        body = ft.checkpoint(body, policy=policy) if keep else body
        return np.sum(ft.scan(lambda x, _: (body(x), None), X[0], None, 5)[0])

    expected = ft.grad(lambda w: loss(w, None, False))(WEIGHTS[0])
    for policy in (None, policies.dots_saveable):
        f = lambda w, policy=policy: loss(w, policy)
        check_same(ft.grad(f)(WEIGHTS[0]), expected)
        check_same(ft.jit(ft.grad(f))(WEIGHTS[0]), expected)
        check_same(ft.vmap(ft.grad(f))(WEIGHTS[:1])[0], expected)


def counted(run: Callable, *names: str) -> dict[str, int]:
    """How often the kernels of primitives are called."""
    counts: collections.Counter = collections.Counter()
    kernels = {name: registry[name].kernel for name in names}

    def counting(name: str) -> Callable:
        def kernel(*args: Any, **params: Any) -> Any:
            counts[name] += 1
            return kernels[name](*args, **params)

        return kernel

    try:
        for name in names:
            registry[name].kernel = counting(name)
        run()
    finally:
        for name, kernel in kernels.items():
            registry[name].kernel = kernel
    return dict(counts)


TWO_AND_DOTS = policies.save_from_both_policies(
    policies.dots_saveable, policies.save_only_these_names("early", "late")
)


@pytest.mark.parametrize(
    ("policy", "exp", "sinh", "product"),
    [
        (policies.nothing_saveable, 2, 2, 2),
        (policies.dots_saveable, 2, 2, 1),
        (policies.save_only_these_names("early"), 1, 2, 2),
        # what only leads to a value that is kept is not computed again
        (policies.save_only_these_names("late"), 2, 1, 2),
        (policies.save_only_these_names("early", "late"), 1, 1, 2),
        (TWO_AND_DOTS, 1, 1, 1),
        # the operation whose result was named is not kept either
        (policies.save_anything_except_these_names("late"), 1, 2, 1),
        (policies.save_any_names_but_these("early"), 2, 1, 2),
    ],
    ids=["nothing", "dots", "early", "late", "two", "two and dots", "all but late", "but early"],
)
def test_how_often_operations_run(policy: Any, exp: int, sinh: int, product: int) -> None:
    def f(x: Any) -> Any:
        early = ft.checkpoint_name(np.exp(x), "early")  # whose slope is its value
        z = WEIGHTS[0] @ early
        late = ft.checkpoint_name(np.sinh(z), "late")  # whose slope is cosh(z)
        return np.sum(np.cos(late))

    g = ft.checkpoint(f, policy=policy)
    found = counted(lambda: ft.grad(g)(X[0]), "exp", "sinh", "contract")
    # One more product multiplies the cotangent.
    assert found == {"exp": exp, "sinh": sinh, "contract": product + 1}
    check_same(ft.grad(g)(X[0]), ft.grad(f)(X[0]))


def chain(keep: Callable) -> Callable:
    def block(x: Any) -> Any:
        for _ in range(6):
            x = np.sin(np.cumsum(x))
        return x

    block = keep(block)

    def loss(x: Any) -> Any:
        for _ in range(6):
            x = block(x)
        return np.sum(x)

    return loss


def test_memory() -> None:
    x = RNG.normal(size=20_000)

    def eager(f: Callable) -> float:
        tracemalloc.start()
        try:
            ft.grad(f)(x)
            return tracemalloc.get_traced_memory()[1] / x.nbytes
        finally:
            tracemalloc.stop()

    def compiled(f: Callable) -> float:
        return ft.jit(ft.grad(f)).lower(x).memory().temporaries / x.nbytes

    whole, kept = chain(lambda f: f), chain(ft.checkpoint)
    assert eager(whole) > 36 and compiled(whole) > 36  # the values of 36 operations
    assert eager(kept) < 18 and compiled(kept) < 14  # of one block, and five between
    shared = chain(lambda f: ft.checkpoint(f, prevent_cse=False))
    assert compiled(shared) > 36
    nothing = chain(ft.checkpoint(policy=policies.nothing_saveable))
    assert eager(nothing) < 24 and compiled(nothing) < 14


def test_long_chains_are_computed_again_without_recursion() -> None:
    def f(x: Any) -> Any:
        for _ in range(3000):
            x = 0.999 * x
        return np.sin(x)

    found = ft.grad(ft.checkpoint(f, policy=policies.nothing_saveable))(0.5)
    np.testing.assert_allclose(found, ft.grad(f)(0.5), rtol=1e-12)


def test_python_branches_on_known_values() -> None:
    def f(x: Any) -> Any:
        y = np.sin(x)
        return y * 2 if y > 0 else y**2  # as without checkpoint

    keep = ft.checkpoint(f, policy=policies.dots_saveable)
    for x in (0.5, -0.5):
        assert ft.grad(keep)(x) == ft.grad(f)(x)


def test_policies_ask_about_operations() -> None:
    asked = []

    def policy(primitive: Any, *operands: Any, **params: Any) -> bool:
        asked.append((primitive.name, [x.shape for x in operands], params))
        return False

    ft.grad(ft.checkpoint(lambda w, x: np.sum(np.tanh(w @ x)), policy=policy))(np.eye(2), X[:2, 0])
    assert asked[0][:2] == ("contract", [(2, 2), (2,)])
    assert asked[0][2]["subscripts"]
    assert [name for name, *_ in asked] == ["contract", "tanh", "reduce_sum"]


def test_products() -> None:
    contract = registry["contract"]
    for subscripts, dot, no_batch in [
        (("ij", "jk", "ik"), True, True),
        (("bij", "bjk", "bik"), True, False),
        (("i", "j", "ij"), False, False),
        (("bi", "bi", "bi"), False, False),
        (("i", "i", ""), True, True),
    ]:
        assert policies.dots_saveable(contract, subscripts=subscripts) is dot
        assert (
            policies.dots_with_no_batch_dims_saveable(contract, subscripts=subscripts) is no_batch
        )
    assert not policies.dots_saveable(registry["sin"])


def test_names_are_identities() -> None:
    value = {"a": 1.5, "b": np.arange(3.0)}
    named = ft.checkpoint_name(value, "both")
    check_same(named, value)
    f = lambda x: np.sum(np.sin(ft.checkpoint_name(x, "x")))
    check_same(ft.jit(ft.hessian(f))(X[0]), np.diag(-np.sin(X[0])))
    check_same(ft.vmap(ft.grad(f))(X), np.cos(X))
    assert "checkpoint_name[name=x]" in repr(ft.make_graph(f)(X[0]))


ERRORS: dict[str, tuple[Callable[[], Any], type, str]] = {
    "no function": (
        lambda: ft.checkpoint(3),
        TypeError,
        "checkpoint: expected a function; got int; write checkpoint(f)(x).",
    ),
    "policy by name": (
        lambda: ft.checkpoint(np.sin, policy="dots_saveable"),  # type: ignore[arg-type]
        TypeError,
        "checkpoint(sin): expected a policy, a function that tells what to keep; got "
        "'dots_saveable'; write policy=ft.checkpoint_policies.dots_saveable",
    ),
    "no name": (
        lambda: policies.save_only_these_names(),
        ValueError,
        "save_only_these_names: expected at least one name; got none; write "
        "save_only_these_names('hidden').",
    ),
    "a list of names": (
        lambda: policies.save_only_these_names(["a", "b"]),  # type: ignore[arg-type]
        TypeError,
        "save_only_these_names: expected names that checkpoint_name gave; got list ['a', 'b']; "
        "write save_only_these_names('hidden', 'scores').",
    ),
    "not a name": (
        lambda: ft.checkpoint_name(1.0, 3),  # type: ignore[arg-type]
        TypeError,
        "checkpoint_name: expected a name; got int 3; write checkpoint_name(x, 'hidden').",
    ),
    "not two policies": (
        lambda: policies.save_from_both_policies(policies.dots_saveable, "z"),  # type: ignore[arg-type]
        TypeError,
        "save_from_both_policies: expected two policies; got 'z'; write",
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors(case: str) -> None:
    run, kind, message = ERRORS[case]
    with pytest.raises(kind, match=re.escape(message)):
        run()


@pytest.mark.parametrize("compile", [lambda f: f, ft.jit], ids=["eager", "jit"])
def test_a_name_that_no_value_has(compile: Callable) -> None:
    def layer(x: Any) -> Any:
        return ft.checkpoint_name(np.sin(x), "hidden") ** 2

    policy = policies.save_from_both_policies(
        policies.dots_saveable, policies.save_only_these_names("hiden")
    )
    message = (
        "checkpoint(layer): expected save_only_these_names to name values that the function names "
        "by checkpoint_name ('hidden'); got 'hiden'; write ft.checkpoint_name(x, 'hiden') there, "
        "or leave the name out."
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        compile(ft.grad(ft.checkpoint(layer, policy=policy)))(1.0)
