"""checkify: the first failing check is a result, wherever the check stands and whatever is around.

What is checked is NumPy's own behaviour: the same function on plain arrays raises the IndexError,
or warns and makes the NaN or the infinity, that the error is to tell.
"""

from __future__ import annotations

import linecache
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import functorch_like as ft
from functorch_like.checks import (
    CheckError,
    all_checks,
    automatic_checks,
    check_error,
    debug_check,
    div_checks,
    float_checks,
    index_checks,
    nan_checks,
    user_checks,
)

HOW: dict[str, Callable] = {
    "eager": ft.checkify,
    "compiled": lambda f, errors: ft.jit(ft.checkify(f, errors)),
    "around compiled": lambda f, errors: ft.checkify(ft.jit(f), errors),
    "staged": lambda f, errors: lambda *a: ft.make_graph(ft.checkify(f, errors))(*a)(*a),
}
how = pytest.mark.parametrize("how", HOW)
X = np.array([1.0, -2.0, 3.0])


def message(how: str, f: Callable, errors: Any, *args: Any) -> str | None:
    with np.errstate(all="ignore"):  # of what is not checked, and of kernels that programs call
        return HOW[how](f, errors)(*args)[0].get()


def names_line(said: str | None, source: str) -> bool:
    """Whether a message ends with a line of this file that has the source."""
    found = re.search(r"test_checks\.py:(\d+): (.*)\)$", str(said))
    assert found, said
    assert linecache.getline(__file__, int(found[1])).strip() == found[2]
    return source in found[2]


# --- one check ----------------------------------------------------------------------------------


def root(x: Any) -> Any:
    ft.check(x >= 0, "expected no negative number; got {x}, after {}", 3, x=x)
    return np.sqrt(x)


@how
def test_user_check(how: str) -> None:
    error, y = HOW[how](root, user_checks)(4.0)
    assert error.get() is None and y == 2.0
    error.throw()
    with np.errstate(invalid="ignore"):
        error, y = HOW[how](root, user_checks)(-4.0)
    assert error.get().startswith("expected no negative number; got -4.0, after 3 (at ")
    assert names_line(error.get(), "ft.check(x >= 0")
    with pytest.raises(CheckError, match=r"got -4\.0, after 3"):
        error.throw()


@how
@pytest.mark.parametrize("i", [3, -4, 17])
def test_index_check(how: str, i: int) -> None:
    def f(x: Any, i: Any) -> Any:
        return x[i] * 2

    said = message(how, f, index_checks, X, np.int64(i))
    assert said.startswith(f"index {i} is out of bounds for axis 0 with size 3 (")
    assert names_line(said, "x[i] * 2")
    for inside in (-3, 2):
        error, y = HOW[how](f, index_checks)(X, np.int64(inside))
        assert error.get() is None and y == X[inside] * 2


@how
def test_axis_and_shape_of_an_index(how: str) -> None:
    a = np.arange(12.0).reshape(3, 4)

    def f(a: Any, i: Any, j: Any) -> Any:
        return a[i, j]

    at = np.array([0, 1, 2]), np.array([3, 9, -1])
    said = message(how, f, index_checks, a, *at)
    assert said.startswith(
        "index 9 is out of bounds for axis 1 with size 4 of an array of shape (3,"
    )
    said = message(how, f, index_checks, a, at[1], at[0])
    assert said.startswith(
        "index 9 is out of bounds for axis 0 with size 3 of an array of shape (3,"
    )


@how
@pytest.mark.parametrize("write", ["set", "add", "rows", "put"])
def test_index_of_an_assignment(how: str, write: str) -> None:
    def f(x: Any, i: Any, v: Any) -> Any:
        x = x.copy()
        if write == "set":
            x[i] = v
        elif write == "add":
            x[i] += v
        elif write == "rows":
            x = x.reshape(3, 1) * np.ones(2)
            x[i] = v
        else:
            np.add.at(x, i, v)
        return x

    said = message(how, f, index_checks, X, np.int64(5), 1.0)
    assert said.startswith("index 5 is out of bounds for axis 0 with size 3")
    error, y = HOW[how](f, index_checks)(X, np.int64(1), 1.0)
    assert error.get() is None
    np.testing.assert_array_equal(y, f(X.copy(), 1, 1.0))


@how
def test_nan_check(how: str) -> None:
    def f(x: Any) -> Any:
        y = np.log(x)
        return np.sum(y)

    said = message(how, f, nan_checks, X)
    assert said.startswith("log made NaN in 1 of 3 elements; operands: f64[3] (")
    assert names_line(said, "np.log(x)")
    assert message(how, np.log, nan_checks, -1.0).startswith("log made NaN; operands: f64[] -1.0 (")
    assert message(how, f, nan_checks, np.abs(X)) is None
    assert message(how, f, nan_checks, np.array([1.0, np.nan, 2.0])) is None, "it was there before"
    assert message(how, lambda x: x - x, nan_checks, np.inf).startswith("subtract made NaN")
    singular = np.full((2, 2), np.inf)
    assert message(how, lambda x: x @ (x - 1e9), nan_checks, singular * [1, -1]) is not None


@how
@pytest.mark.parametrize("f", [np.divide, np.floor_divide, np.remainder, np.fmod])
def test_division_check(how: str, f: Callable) -> None:
    for dtype in (float, int):
        x = np.array([1, 2, 3], dtype)
        said = message(how, lambda a, b: f(a, b), div_checks, x, np.array([1, 0, 0], dtype))
        assert said.startswith("division by zero in 2 of 3 elements (at ")
        assert names_line(said, "lambda a, b: f(a, b)")
        assert message(how, lambda a, b: f(a, b), div_checks, x, x) is None


def test_what_is_checked_does_not_warn() -> None:
    error, _ = ft.checkify(lambda x: np.log(x) / (x - x), float_checks)(X)
    assert error.get().startswith("log made NaN")


@how
def test_kinds(how: str) -> None:
    def f(x: Any, i: Any) -> Any:
        y = x[i]
        z = np.log(y - 1e9) + 1 / (y - y)
        ft.check(y > 1e9, "small")
        return z

    told = {
        index_checks: "index 7",
        div_checks: "division",
        nan_checks: "log made",
        user_checks: "small",
        float_checks: "log made",
        automatic_checks: "index 7",
        all_checks: "index 7",
        div_checks | user_checks: "division",
    }
    with np.errstate(all="ignore"):
        for errors, start in told.items():
            inside = "index" not in errors
            said = message(how, f, errors, X, np.int64(1 if inside else 7))
            assert said.startswith(start), (errors, said)
        assert message(how, f, frozenset(), X, np.int64(1)) is None


# --- loops and branches -------------------------------------------------------------------------


@how
def test_scan(how: str) -> None:
    def f(x: Any, steps: Any) -> Any:
        def body(c: Any, i: Any) -> Any:
            ft.check(c < 5.0, "step {}: the carry is {}", i, c)
            return c + x[i], c / (x[i] - 3.0)

        return ft.scan(body, 0.0, steps)

    x = np.arange(4.0)
    with np.errstate(divide="ignore"):
        said = message(how, f, user_checks, x + 2, np.arange(4))
    assert said.startswith("step 2: the carry is 5.0 (")
    assert message(how, f, index_checks, x, np.arange(6)).startswith("index 4 is out of bounds")
    said = message(how, f, div_checks, x, np.arange(4))
    assert said.startswith("division by zero (") and names_line(said, "c / (x[i] - 3.0)")
    error, got = HOW[how](f, all_checks)(x, np.arange(3))
    assert error.get() is None
    np.testing.assert_allclose(got[0], 3.0)
    np.testing.assert_allclose(got[1], [0.0, 0.0, -1.0])


@how
def test_while_loop_ends_at_its_first_error(how: str) -> None:
    def first_negative(x: Any) -> Any:
        return ft.while_loop(lambda i: x[i] >= 0, lambda i: i + 1, np.int64(0))

    error, i = HOW[how](first_negative, index_checks)(np.array([1.0, 2.0, -1.0]))
    assert error.get() is None and i == 2
    said = message(how, first_negative, index_checks, np.arange(3.0))
    assert said.startswith("index 3 is out of bounds for axis 0 with size 3")

    def body(s: Any) -> Any:
        ft.check(s[0] != 4, "at {}", s[0])
        return s[0] + 1, s[1] / (s[0] - 7)

    def f(x: Any) -> Any:
        return ft.while_loop(lambda s: s[0] < 9, body, (np.int64(0), x))

    with np.errstate(all="ignore"):
        assert message(how, f, user_checks, 1.0).startswith("at 4 (")
        assert message(how, f, div_checks, 1.0).startswith("division by zero (")
        assert message(how, f, all_checks, 1.0).startswith("at 4 (")


@how
def test_branches_check_what_they_run(how: str) -> None:
    def f(x: Any) -> Any:
        return ft.switch(
            x.astype(np.int64), [lambda v: np.log(v - 9), lambda v: 1 / (v - 1), np.sin], x
        )

    with np.errstate(all="ignore"):
        assert message(how, f, all_checks, np.float64(0.0)).startswith("log made NaN")
        assert message(how, f, all_checks, np.float64(1.0)).startswith("division by zero")
        assert message(how, f, all_checks, np.float64(2.0)) is None


# --- batches ------------------------------------------------------------------------------------

LANES: dict[str, Callable] = {
    "eager": lambda f, e: ft.vmap(ft.checkify(f, e)),
    "compiled": lambda f, e: ft.jit(ft.vmap(ft.checkify(f, e))),
    "of compiled": lambda f, e: ft.vmap(ft.jit(ft.checkify(f, e))),
}


@pytest.mark.parametrize("lanes", LANES)
def test_each_lane_has_its_error(lanes: str) -> None:
    x = np.array([1.0, -2.0, 4.0, -5.0])
    with np.errstate(invalid="ignore"):
        error, y = LANES[lanes](root, user_checks)(x)
    np.testing.assert_allclose(y[[0, 2]], [1.0, 2.0])
    first, second = error.get().split("\n")
    assert first.startswith("at mapped index 1: expected no negative number; got -2.0")
    assert second.startswith("at mapped index 3: expected no negative number; got -5.0")
    error, _ = LANES[lanes](lambda x, i: x[i], index_checks)(np.ones((3, 5)), np.array([2, 8, -9]))
    assert "index 1: index 8 is out of bounds for axis" in error.get()
    assert "index 2: index -9 is out of bounds for axis" in error.get()
    assert len(error.get().split("\n")) == 2


def test_many_lanes_are_told_in_short() -> None:
    error, _ = ft.vmap(ft.checkify(lambda x: 1 / x, div_checks))(np.zeros(50))
    assert len(error.get().split("\n")) == 9 and error.get().endswith(
        "and in 42 more lanes of the batch"
    )


@how
def test_batches_inside(how: str) -> None:
    with np.errstate(invalid="ignore"):
        said = message(how, ft.vmap(root), user_checks, np.array([1.0, 2.0, -3.0, -4.0]))
    assert said.startswith("at mapped index 2: expected no negative number; got -3.0")

    def pair(x: Any, y: Any) -> Any:
        ft.check(x + y < 7, "{} and {}", x, y)
        return x * y

    f = ft.vmap(ft.vmap(pair, in_axes=(0, None)), in_axes=(None, 0))
    said = message(how, f, user_checks, np.arange(5.0), np.arange(4.0))
    assert said.startswith("at mapped index 3, 4: 4.0 and 3.0 (")
    said = message(
        how, ft.vmap(lambda x, i: x[i]), index_checks, np.ones((3, 5)), np.array([1, 7, 2])
    )
    assert said.startswith(
        "index 7 is out of bounds for axis 1 with size 5 of an array of shape (3, 5)"
    )


@how
def test_lanes_of_their_own_length(how: str) -> None:
    def f(x: Any) -> Any:
        def body(v: Any) -> Any:
            ft.check(v < 50, "grew to {}", v)
            return v * 3

        return ft.while_loop(lambda v: v < 30, body, x)

    def g(x: Any) -> Any:
        def body(v: Any) -> Any:
            ft.check(v != 12, "met {}", v)
            return v * 2

        return ft.while_loop(lambda v: v < 30, body, x)

    error, y = HOW[how](ft.vmap(f), all_checks)(np.array([1.0, 10.0, 40.0]))
    assert error.get() is None
    np.testing.assert_array_equal(y, [81.0, 30.0, 40.0])
    assert message(how, ft.vmap(g), all_checks, np.array([1.0, 3.0, 5.0])).startswith("met 12.0")


# --- derivatives --------------------------------------------------------------------------------


@how
@pytest.mark.parametrize(
    "transform", [ft.grad, ft.jacfwd, ft.hessian, lambda f: ft.grad(ft.grad(f))]
)
def test_derivatives_are_checked(how: str, transform: Callable) -> None:
    derivative = transform(lambda x: np.sqrt(x))
    with np.errstate(all="ignore"):
        said = message(how, derivative, div_checks, 0.0)
        assert said.startswith("division by zero (in the derivative of ") or transform is ft.jacfwd
        assert names_line(said, "np.sqrt(x)")
    error, got = HOW[how](derivative, all_checks)(4.0)
    assert error.get() is None
    np.testing.assert_allclose(got, derivative(4.0))


def test_grad_of_checked_function() -> None:
    def loss(x: Any) -> Any:
        error, y = ft.checkify(root, all_checks)(x)
        return np.sum(y), error

    for g in (ft.grad(loss, has_aux=True), ft.jit(ft.grad(loss, has_aux=True))):
        slope, error = g(4.0)
        assert slope == 0.25 and error.get() is None
        with np.errstate(invalid="ignore"):
            assert g(-4.0)[1].get().startswith("expected no negative number; got -4.0")


@how
def test_gradient_through_a_loop(how: str) -> None:
    def f(x: Any) -> Any:
        def body(c: Any, i: Any) -> Any:
            ft.check(c > 0, "{}", c)
            return c * np.sqrt(x[i]), None

        return ft.scan(body, 1.0, np.arange(3))[0]

    x = np.array([2.0, 3.0, 4.0])
    error, slope = HOW[how](ft.grad(f), all_checks)(x)
    assert error.get() is None
    np.testing.assert_allclose(slope, np.sqrt(24.0) / (2 * x))


# --- functions with rules of their own, and nesting ---------------------------------------------


@ft.custom_vjp
def clipped(x: Any) -> Any:
    return np.log(x)


clipped.defvjp(lambda x: (np.log(x), x), lambda x, ct: (ct * 100.0,))


@how
def test_custom_rules_stay(how: str) -> None:
    with np.errstate(invalid="ignore"):
        assert "made NaN" in message(how, clipped, nan_checks, -1.0)
        assert "made NaN" in message(how, ft.checkpoint(lambda x: np.log(x)), nan_checks, -1.0)
    error, slope = HOW[how](ft.grad(clipped), all_checks)(2.0)
    assert error.get() is None and slope == 100.0

    def loss(x: Any) -> Any:
        error, y = HOW[how](lambda x: clipped(x) * 2, all_checks)(x)
        return y, error

    if how != "staged":
        slope, error = ft.grad(loss, has_aux=True)(2.0)
        assert slope == 200.0 and error.get() is None


@how
def test_inner_errors_are_handed_on(how: str) -> None:
    def f(x: Any) -> Any:
        error, y = ft.checkify(root)(x)
        check_error(error)
        return y + 1

    with np.errstate(invalid="ignore"):
        said = message(how, f, user_checks, -4.0)
        assert said.startswith("expected no negative number; got -4.0, after 3 (at ")
        assert said.count("(at ") == 1
        with pytest.raises(CheckError, match=r"got -4\.0"):
            f(-4.0)
    error, y = HOW[how](f, user_checks)(4.0)
    assert error.get() is None and y == 3.0


def test_error_is_not_looked_at_too_early() -> None:
    def f(x: Any) -> Any:
        error, y = ft.checkify(root)(x)
        error.throw()
        return y

    with pytest.raises(
        ft.errors.ConcreteValueError, match=r"return it, or pass it to checks\.check"
    ):
        ft.jit(f)(1.0)


# --- without checkify ---------------------------------------------------------------------------


def test_check_raises_at_run_time() -> None:
    for f in (root, ft.jit(root), ft.grad(root), ft.jit(ft.grad(root)), ft.jit(ft.hessian(root))):
        f(4.0)
        with pytest.raises(CheckError, match=r"got -1\.0, after 3 \(at .*test_checks"):
            f(-1.0)
        f(4.0)
    for f in (ft.vmap(root), ft.jit(ft.vmap(root)), ft.vmap(ft.jit(root))):
        f(np.ones(3))
        with pytest.raises(CheckError, match=r"got -1\.0, after 3 \(at .*test_checks"):
            f(np.array([1.0, -1.0, 2.0]))


def test_debug_check_costs_nothing_elsewhere() -> None:
    def f(x: Any) -> Any:
        debug_check(x > 0, "got {}", x)
        return x * 2

    assert len(ft.jit(f).lower(1.0).graph.equations) == 1
    assert ft.jit(f)(-1.0) == -2.0
    assert ft.checkify(ft.jit(f))(-1.0)[0].get().startswith("got -1.0")
    assert ft.jit(f)(-1.0) == -2.0


def test_compiled_checks_call_no_python() -> None:
    def f(x: Any, i: Any) -> Any:
        ft.check(x[i] > 0, "{}", x[i])
        return np.sum(np.log(x) / x[i])

    lowered = ft.jit(ft.checkify(f, all_checks)).lower(X, np.int64(0))
    kinds = {entry.kind for entry in lowered.cost().entries}
    assert kinds <= {"loop", "scalar"}


# --- scripted functions -------------------------------------------------------------------------


@ft.script
def scripted(x: Any, i: Any) -> Any:
    assert x[0] > 0, "the first must be positive"
    s = 0.0
    for k in range(len(x)):
        if x[k] > 100:
            raise ValueError("too large")
        s += x[k]
    while s < 30:
        if i > 10:
            raise RuntimeError("no convergence")
        s = s + x[1]
        i = i + 1
    return s / (x[2] - 5)


CASES = [
    ([1.0, 20.0, 9.0], None),
    ([-1.0, 20.0, 30.0], "AssertionError: the first must be positive"),
    ([1.0, 200.0, 30.0], "ValueError: too large"),
    ([1.0, 1e-3, 2.0], "RuntimeError: no convergence"),
    ([1.0, 20.0, 5.0], "division by zero"),
]


@pytest.mark.parametrize(("x", "told"), CASES)
@pytest.mark.parametrize("how", ["compiled", "around compiled"])
def test_assertions_and_raises_of_scripted_functions(how: str, x: list, told: str | None) -> None:
    said = message(how, scripted, all_checks, np.array(x), np.int64(0))
    if told is None:
        assert said is None
    else:
        assert said.startswith(told)
        if not told.startswith("division"):
            assert names_line(said, "assert" if "first" in told else "raise")
    lanes = ft.vmap(HOW[how](scripted, all_checks), in_axes=(0, None))
    error, _ = lanes(np.array([CASES[0][0], x]), np.int64(0))
    assert (error.get() or "").startswith(f"at mapped index 1: {told}" if told else "")


# --- values and arguments -----------------------------------------------------------------------


@how
def test_values_are_those_of_the_function(how: str) -> None:
    def f(x: Any, s: Any, n: Any, name: str = "sin") -> Any:
        y = x * s + n
        return {"y": getattr(np, name)(y), "n": n * 2, "none": None, "z": (x[0] > 0, x[1:3])}

    if how == "eager":
        x = np.array([1.5, 2.5, -1.0], np.float32)
        _, got = ft.checkify(f, all_checks)(x, 2.0, 3, name="cos")
        want = f(x, 2.0, 3, name="cos")
        assert got["y"].dtype == np.float32, "Python's floats stay weak"
        np.testing.assert_array_equal(got["y"], want["y"])
        assert got["n"] == 6 and got["none"] is None and got["z"][0]
    error, got = HOW[how](lambda x, s: x * s + 1, all_checks)(np.float32([1, 2]), np.float32(3))
    assert error.get() is None and got.dtype == np.float32


def test_arguments_are_not_written() -> None:
    def f(x: Any) -> Any:
        x[0] = 7.0
        return x

    x = np.zeros(3)
    _, y = ft.checkify(f)(x)
    assert y[0] == 7.0 and x[0] == 0.0


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda: ft.checkify(3), TypeError, "checkify: expected a function; got int"),
        (lambda: ft.checkify(root, "nans"), ValueError, "expected kinds of checks among user"),
        (lambda: ft.check(X > 0, "m"), TypeError, r"single truth value; got bool\[3\]; reduce it"),
        (lambda: ft.check(1.0, "m"), TypeError, r"single truth value; got f64\[\]; compare it"),
        (lambda: ft.check("yes", "m"), TypeError, "single truth value; got"),
        (lambda: ft.check(True, 5), TypeError, "check: expected a message; got int"),
        (lambda: check_error("x"), TypeError, "check_error: expected what checkify returns"),
        (lambda: ft.checkify(lambda x: x[9])(X), IndexError, "out of bounds"),
    ],
)
def test_bad_input(call: Callable, error: type, said: str) -> None:
    with pytest.raises(error, match=said):
        call()


def test_trace_is_left_after_an_error() -> None:
    def f(x: Any) -> Any:
        raise KeyError("mine")

    with pytest.raises(KeyError):
        ft.checkify(f, all_checks)(1.0)
    error, _ = ft.checkify(lambda x, i: x[i], all_checks)(X, np.int64(9))
    assert error.get() is not None
    assert ft.grad(lambda x: x**2)(3.0) == 6.0
    assert repr(error).startswith("Error('index 9")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(-6, 6), min_size=1, max_size=4),
    st.integers(1, 4),
    st.sampled_from(["eager", "compiled"]),
)
def test_index_checks_agree_with_numpy(index: list[int], size: int, how: str) -> None:
    x, at = np.arange(float(size)), np.array(index)
    error, y = HOW[how](lambda x, i: x[i], index_checks)(x, at)
    try:
        want = x[at]
    except IndexError as said:
        told = str(said).split(" is out")[0]
        assert error.get() is not None and re.match(r"index -?\d+$", told)
        assert int(re.match(r"index (-?\d+)", error.get())[1]) in index
    else:
        assert error.get() is None
        np.testing.assert_array_equal(y, want)


DIVIDED = st.lists(st.sampled_from([0.0, 1.0, -2.0, np.inf, np.nan]), min_size=3, max_size=3)


@settings(max_examples=60, deadline=None)
@given(DIVIDED, DIVIDED)
def test_nan_checks_agree_with_numpy(a: list[float], b: list[float]) -> None:
    x, y = np.array(a), np.array(b)
    with np.errstate(all="ignore"):
        z = x / y
    made = np.isnan(z) & ~np.isnan(x) & ~np.isnan(y)
    error, got = ft.checkify(lambda x, y: x / y, nan_checks)(x, y)
    np.testing.assert_array_equal(got, z)
    said = error.get()
    assert (said is not None) == made.any()
    if said is not None:
        assert said.startswith(f"divide made NaN in {made.sum()} of 3 elements")
