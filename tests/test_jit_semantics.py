"""What jit promises besides values: errors as NumPy's, when it stages anew, threads, recursion."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import functorch_like as ft
from functorch_like.compilation import executable
from functorch_like.kernels import native

X = np.arange(5.0)


# --------------------------------------------------------------------------------------
# Errors


@pytest.mark.parametrize("index", [[1, 7], [-6], [5]])
def test_indices_out_of_bounds(index: list) -> None:
    at = np.array(index)
    programs: list[Callable] = [
        lambda x, i: x[i],
        lambda x, i: np.take(x, i),
        lambda x, i: np.sum(np.sin(x[i]) * 2),
        ft.grad(lambda x, i: np.sum(x[i])),
        lambda x, i: ft.scan(lambda c, k: (c + x[k], None), 0.0, i)[0],
    ]
    for f in programs:
        compiled = ft.jit(f)
        with pytest.raises(IndexError, match="out of bounds"):
            compiled(X, at)
        inside = np.zeros_like(at)
        np.testing.assert_array_equal(compiled(X, inside), f(X, inside))  # it still works
    with pytest.raises(IndexError, match="out of bounds"):
        ft.jit(lambda x: x[at])(X)


def test_branching_names_the_line_and_the_remedy() -> None:
    def branching(x):
        if x[0] > 0:
            return x
        return -x

    with pytest.raises(ft.errors.ConcreteValueError) as caught:
        ft.jit(branching)(X)
    message = str(caught.value)
    for part in ("jit(branching)", "if x[0] > 0:", "np.where", "cond"):
        assert part in message


@pytest.mark.parametrize(
    "f",
    [
        lambda x: float(x[0]),
        lambda x: np.zeros(int(x[0])),
        lambda x: x[x > 0],
        lambda x: np.nonzero(x),
        lambda x: sum(x for _ in range(x.astype(int)[0])),
        lambda x: 1 if np.all(x > 0) else 2,
    ],
)
def test_values_that_are_not_known(f: Callable) -> None:
    with pytest.raises(ft.errors.ConcreteValueError, match=r"jit\(<lambda>\)"):
        ft.jit(f)(X)


def test_escaped_tracers() -> None:
    kept: list[Any] = []

    @ft.jit
    def leaking(x):
        kept.append(x)
        return x * 2

    leaking(X)
    uses: list[Callable] = [
        lambda: ft.jit(lambda x: x + kept[0])(X),
        lambda: np.sum(kept[0]),
        lambda: ft.grad(lambda x: np.sum(x + kept[0]))(X),
    ]
    for use in uses:
        with pytest.raises(ft.errors.EscapedTracerError, match=r"jit\(leaking\)"):
            use()


def test_errors_of_numpys_own_kernels() -> None:
    programs: list[Callable] = [
        np.linalg.cholesky,
        lambda a: np.linalg.cholesky(a) * 2,
        lambda a: ft.scan(lambda c, _: (np.linalg.cholesky(c), None), a, length=2)[0],
        lambda a: ft.cond(a[0, 0] < 2, np.linalg.cholesky, lambda a: a, a),
    ]
    for f in programs:
        compiled = ft.jit(f)
        for _ in range(3):
            with pytest.raises(np.linalg.LinAlgError, match="positive definite"):
                compiled(-np.eye(3))
            np.testing.assert_allclose(compiled(np.eye(3)), f(np.eye(3)))


def test_wrong_arguments_and_results() -> None:
    with pytest.raises(TypeError, match=r"static argument 1 to be hashable"):
        ft.jit(lambda x, n: x, static_argnums=1)(X, [1])
    with pytest.raises(TypeError, match=r"expected arguments of arrays or numbers; got str"):
        ft.jit(lambda x, s: x)(X, "text")
    with pytest.raises(TypeError, match=r"expected a result of arrays or numbers; got str"):
        ft.jit(lambda x: "text")(X)
    for strange in (object(), np.array(["2020"], "M8[Y]")):
        with pytest.raises(TypeError, match=r"expected arguments of arrays or numbers"):
            ft.jit(lambda x: x)(strange)
        with pytest.raises(TypeError, match=r"expected a result of arrays or numbers"):
            ft.jit(lambda x, y=strange: y)(X)
    with pytest.raises(TypeError, match=r"jit: expected a function; got int"):
        ft.jit(3)
    with pytest.raises(ZeroDivisionError):
        ft.jit(lambda x: 1 / 0)(X)
    with pytest.raises(ValueError, match="broadcast"):
        ft.jit(lambda x: x + np.ones(3))(X)
    assert ft.jit(lambda x: None)(X) is None
    assert ft.jit(lambda x, y: (x[0], None))(X, None) == (0.0, None)


@pytest.mark.parametrize(
    "text",
    [
        "define double @f( {",
        "define i64 @f(i1 %c) {\n  br i1 %c, label %a, label %b\na:\n  %x = add i64 1, 1\n"
        "  br label %b\nb:\n  ret i64 %x\n}",
    ],
)
def test_text_that_llvm_does_not_take(text: str) -> None:
    with pytest.raises(RuntimeError, match=r"internal error: .* please report"):
        native.compile_object(text)


# --------------------------------------------------------------------------------------
# When it stages and compiles


def test_stages_once_for_each_kind_of_arguments() -> None:
    calls = []

    @ft.jit
    def f(x):
        calls.append(x.shape)
        return np.sum(np.tanh(x) ** 2)

    same = [np.ones(20), np.zeros(20), np.ones(40)[::2], np.ones(20)[::-1]]
    for x in same:
        f(x)
    assert len(calls) == 1
    for count, x in enumerate((np.ones(30), np.ones(20, "f4"), np.ones((20, 1)), 3.0, 3), 2):
        f(x)
        f(x)
        assert len(calls) == count


def test_static_arguments() -> None:
    calls = []

    def power(x, n, *, sign="+"):
        calls.append(n)
        return x**n if sign == "+" else -(x**n)

    f = ft.jit(power, static_argnums=1, static_argnames="sign")
    for n, sign in ((2, "+"), (3, "+"), (2, "+"), (2, "-"), (2, "-")):
        np.testing.assert_array_equal(f(X, n, sign=sign), power(X, n, sign=sign))
    assert len(calls) == 3 + 5  # the other five are this test's own


def softmax(x):
    e = np.exp(x - np.max(x, axis=1, keepdims=True))
    return e / np.sum(e, axis=1, keepdims=True)


# Programs, and their arguments for two sizes.
OF_ANY_SIZE: dict[str, tuple[Callable, Callable]] = {
    "sum": (lambda x: np.sum(np.sin(x)), lambda m, n: [(m, n)]),
    "mean": (lambda x: np.mean(x, axis=0) + np.mean(x), lambda m, n: [(m, n)]),
    "var": (lambda x: np.var(x, axis=0), lambda m, n: [(m, n)]),
    "softmax": (ft.grad(lambda x: np.sum(softmax(x) ** 2)), lambda m, n: [(m, n)]),
    "differences": (lambda x: x[1:] - x[:-1], lambda m, n: [(m, n)]),
    "roll": (lambda x: np.roll(x, 1, 0) + np.roll(x, -1, 1), lambda m, n: [(m, n)]),
    "flip": (lambda x: x[::-1] + x[:, ::-1], lambda m, n: [(m, n)]),
    "joins": (lambda x: np.concatenate([x, 2 * x] * 4), lambda m, n: [(m, n)]),
    "product": (ft.grad(lambda x, y: np.sum(np.tanh(x @ y))), lambda m, n: [(m, n), (n, m)]),
    "vector": (lambda x, y: x @ y, lambda m, n: [(m, n), (n,)]),
    "scan": (
        lambda x: ft.scan(lambda c, y: (np.tanh(c + y), c * y), x[0], x, reverse=True),
        lambda m, n: [(m, n)],
    ),
    "grad of scan": (
        ft.grad(lambda x: np.sum(ft.scan(lambda c, y: (np.tanh(c + y), None), x[0], x)[0])),
        lambda m, n: [(m, n)],
    ),
    "grad of while": (
        ft.grad(
            lambda x: np.sum(
                ft.while_loop(lambda s: s[0] < 3, lambda s: (s[0] + 1, np.tanh(s[1] + x)), (0, x))[
                    1
                ]
            )
        ),
        lambda m, n: [(m, n)],
    ),
    "hessian": (
        ft.hessian(lambda x: np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2)),
        lambda m, n: [(m,)],
    ),
    "assign": (lambda x: x.at[::2].set(1.0), lambda m, n: [(m, n)]),
    "vmap": (ft.vmap(ft.grad(lambda x: np.prod(x))), lambda m, n: [(m, n)]),
}


@pytest.mark.parametrize("name", OF_ANY_SIZE)
def test_one_text_for_all_sizes(name: str) -> None:
    """Sizes above 16, and what depends on them, are arguments; equal ones are one argument."""
    f, shapes = OF_ANY_SIZE[name]
    rng = np.random.default_rng(0)
    compiled = ft.jit(f)
    counts, texts = [], set()
    for m, n in ((37, 40), (83, 101), (58, 31)):
        args = [rng.normal(size=s) for s in shapes(m, n)]
        compiled(*args)
        counts.append(len(executable._loaded))
        texts.add(compiled.lower(*args).llvm)
    assert len(texts) == 1
    assert counts[0] == counts[-1]


# --------------------------------------------------------------------------------------
# Threads, recursion


def in_threads(work: Callable[[int], None], count: int = 8) -> None:
    failures: list[BaseException] = []

    def run(k: int) -> None:
        try:
            work(k)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(k,)) for k in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures[0]


def test_many_threads_and_one_program() -> None:
    rng = np.random.default_rng(0)
    inputs = [rng.normal(size=(40, 40)) for _ in range(4)]
    tape = lambda a: ft.while_loop(
        lambda s: s[0] < 300, lambda s: (s[0] + 1, np.tanh(s[1] * 1.01 + a)), (0, a)
    )[1]
    programs: list[Callable] = [
        lambda x: np.sum(np.tanh(x @ x) ** 2) + np.sort(x[0]),
        ft.grad(lambda x: np.sum(np.tanh(np.exp(-x * x) @ x))),
        lambda x: ft.grad(lambda a: np.sum(tape(a)))(x[0]),
    ]
    for f in programs:
        want = [f(x) for x in inputs]
        compiled = ft.jit(f)

        def work(k: int, compiled: Any = compiled, want: list = want) -> None:
            for _ in range(10):  # the first calls race to compile
                got = compiled(inputs[k % 4])
                np.testing.assert_allclose(got, want[k % 4], rtol=1e-9, atol=1e-12)

        in_threads(work)


def test_threads_with_errors_in_between() -> None:
    cholesky = ft.jit(lambda a: np.linalg.cholesky(a) * 2)
    gather = ft.jit(lambda x, i: x[i] * 2)

    def work(k: int) -> None:
        for i in range(60):
            bad = (i + k) % 3 == 0
            try:
                out = cholesky(-np.eye(3) if bad else 4 * np.eye(3))
                assert not bad and np.all(out == 4 * np.eye(3))
            except np.linalg.LinAlgError:
                assert bad
            try:
                out = gather(X, np.array([9 if bad else 2, 1]))
                assert not bad and np.all(out == [4, 2])
            except IndexError:
                assert bad

    in_threads(work)


def test_a_program_may_call_itself() -> None:
    """Through a function of Python's that the program calls: each run has memory of its own."""

    def host(x):
        return np.asarray(f(x - 1)) * x if x[0] > 1 else np.ones_like(x)

    factorial = ft.wrap(host, result=ft.ShapedArray((2,), np.float64))
    f = ft.jit(lambda x: factorial(x) + 0.0)
    np.testing.assert_array_equal(f(np.array([5.0, 6.0])), [120.0, 360.0])


def test_an_error_deep_in_a_recursion() -> None:
    def host(x):
        if x[0] > 2:
            return np.asarray(f(x - 1))
        raise KeyError("deep")

    wrapped = ft.wrap(host, result=ft.ShapedArray((1,), np.float64))
    f = ft.jit(lambda x: wrapped(x) * 2)
    for _ in range(2):
        with pytest.raises(KeyError, match="deep"):
            f(np.array([5.0]))
