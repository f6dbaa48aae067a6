"""What ``script`` says about programs that it cannot express, and that nothing is wrong in silence.

Each message names the user's line and what to write instead, and the traceback has only the user's
own frames.
"""

# ruff: noqa: B012
from __future__ import annotations

import collections
import inspect
import linecache
import sys
import traceback
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from script_programs import PROGRAMS

import functorch_like as ft
from functorch_like import script
from functorch_like.errors import ConcreteValueError, EscapedTracerError, ScriptError
from functorch_like.scripting.rewrite import rewrite

X = np.array([0.3, -1.2, 0.7, 2.1, -0.4, 0.9, 1.1])
CASES: list[tuple[Callable, type, str]] = []


def refused(error: type, message: str) -> Callable:
    def note(f: Callable) -> Callable:
        CASES.append((f, error, message))
        return f

    return note


# --- variables ----------------------------------------------------------------------------------


@refused(ScriptError, "b is used where it may have no value: only one branch of the if at line")
def one_branch(x, a):
    if a > 0:
        b = a
    return b + 1


@refused(ScriptError, "last is used where it may have no value: only the loop at line")
def only_in_the_loop(x, a):
    while a < 10:
        a = a + 1
        last = a
    return last


@refused(ScriptError, "x changes its type in the loop at line .*f64.7. before.*got f64.14.; start")
def shape_in_a_loop(x, a):
    while a < 10:
        a = a + 1
        x = np.concatenate([x, x])
    return x


@refused(ScriptError, "n changes its type in the loop at line .*i32.*, got f64.*astype")
def dtype_in_a_loop(x, a):
    n = np.int32(3)
    while a < 10:
        a = a + 1
        n = n * 1.5
    return n


@refused(ScriptError, "prev cannot be carried .*while a < 10.*None before the loop, f64")
def none_in_a_loop(x, a):
    prev = None
    while a < 10:
        if prev is not None:
            a = a + prev
        prev = a
        a = a + 1
    return a


@refused(ScriptError, "mode differs between the branches .*'up' in one, 'down' in the other")
def string_of_two_branches(x, a):
    if a > 0:
        mode = "up"
    else:
        mode = "down"
    return a if mode == "up" else -a


@refused(ScriptError, "y differs .*f64.7. in one, f64.6. in the other; give them one shape")
def shapes_of_two_branches(x, a):
    if a > 0:
        y = x
    else:
        y = x[1:]
    return y


@refused(ScriptError, "y differs .*f32.7. in one, f64.7. in the other; convert one by x.astype")
def dtypes_of_two_branches(x, a):
    if a > 0:
        y = x.astype(np.float32)
    else:
        y = x
    return y


@refused(ScriptError, "the value returned differs .*tuple .* in one, f64.. in the other; make them")
def structures_of_two_branches(x, a):
    if a > 0:
        return a, x
    return a


@refused(ScriptError, "the value returned differs .*f64.. in one, None in the other; give it a")
def no_value_returned(x, a):
    if a > 0:
        return a


# --- conditions ---------------------------------------------------------------------------------


@refused(
    ScriptError, "a condition must be a single truth value; got bool.7., at .*np.all or np.any"
)
def array_as_condition(x, a):
    if x > 0:
        return a
    return -a


@refused(ScriptError, "range: expected a step that is not traced, at")
def traced_step(x, a):
    s = 0.0
    for i in range(0, 7, (a * 4).astype(np.int64)):
        s += x[i]
    return s


@refused(ScriptError, "calls itself without end under a traced condition.*write a loop")
def endless_recursion(x, a):
    def halve(t):
        return t if t < 0.1 else halve(t * 0.5)

    return halve(a)


@refused(ScriptError, "whether an exception is raised inside try depends on a traced value")
def raise_inside_try(x, a):
    try:
        if a > 0:
            raise ValueError("positive")
        b = a
    except ValueError:
        b = -a
    return b


def _positive(a):
    if a < 0:
        raise ValueError("negative")
    return np.sqrt(a)


@refused(ScriptError, "whether an exception is raised inside try depends on a traced value")
def raise_in_a_function_called_inside_try(x, a):
    try:
        return _positive(a)
    except Exception:
        return 0.0


# --- containers and outer objects ---------------------------------------------------------------


@refused(ScriptError, "a list changes its length in a traced branch or loop, at")
def list_grows_in_a_loop(x, a):
    out = []
    while a < 10:
        out.append(a)
        a = a + 1
    return out


@refused(ScriptError, "out cannot be carried .*list .. before the loop, list .*after a step")
def list_is_replaced_in_a_loop(x, a):
    out = []
    while a < 10:
        out = [*out, a]
        a = a + 1
    return out


@refused(ScriptError, "a list changes its length in a traced branch or loop")
def list_grows_in_a_branch(x, a):
    out = []
    if a > 0:
        out.append(a)
    return out


@refused(ScriptError, "dict.'k'. is made in one branch of a traced condition only, at")
def dict_item_of_one_branch(x, a):
    d = {}
    if a > 0:
        d["k"] = a
    return d


class Held:
    value = 0.0


@refused(ScriptError, "Held.value is made in one branch of a traced condition only")
def attribute_of_one_branch(x, a):
    held = Held()
    if a > 0:
        held.value = a
    return held.value


@refused(ScriptError, "Held.value cannot be carried .*is written in each step; keep it in a var")
def array_attribute_in_a_while(x, a):
    held = Held()
    held.value = x
    while a < 10:
        held.value = held.value + 1
        a = a + 1
    return held.value


@refused(ScriptError, 'dict."n".* .*keep its shape and dtype|dict..n.. changes its type')
def item_that_changes_its_type(x, a):
    d = {"n": np.int32(1)}
    while a < 10:
        d["n"] = d["n"] * 1.5
        a = a + 1
    return d


@refused(
    ScriptError,
    "only arrays and numbers can depend on a traced value; register Held with functorch_like.tree",
)
def object_of_two_branches(x, a):
    def make(v):
        held = Held()
        held.value = v
        return held

    held = make(a) if a > 0 else make(-a)
    return held.value


GLOBAL = np.zeros(3)


@refused(ConcreteValueError, "assigned to elements of a plain NumPy array, at .*GLOBAL")
def global_array_in_a_loop(x, a):
    for i in range(7):
        GLOBAL[i % 3] += a
    return GLOBAL


@refused(ScriptError, "a plain array of shape .3,. is written in a traced branch .*x = x.copy")
def global_array_in_a_branch(x, a):
    if a > 0:
        GLOBAL[0] = 1.0
    return GLOBAL


COUNT = 0.0


@refused(ScriptError, "COUNT, a global variable or one without a value, is assigned in a traced")
def global_in_a_branch(x, a):
    def add(v):
        global COUNT
        COUNT = COUNT + v

    if a > 0:
        add(a)
    return COUNT


# --- names that may be one array ----------------------------------------------------------------


@refused(EscapedTracerError, "read after it may have been written by another name.*y = x.copy")
def alias_of_one_branch(x, a):
    x = x.copy()
    y = x.copy()
    if a > 0:
        y = x
    y[0] = 100.0
    return x


@refused(EscapedTracerError, "read after it may have been written by another name")
def view_of_one_branch(x, a):
    x = x.copy()
    y = x[0:2].copy()
    if a > 0:
        y = x[0:2]
    y[0] = 100.0
    return x


@refused(EscapedTracerError, "read after it may have been written by another name")
def alias_of_what_the_first_step_writes(x, a):
    x = x.copy()
    y = x
    for i in range(20):
        x[0] = i * a
        x = x * 0.9 + a
    return x, y


@refused(ScriptError, "cannot be carried by the loop .*they may be one array, and one of them is")
def view_that_a_loop_replaces(x, a):
    y = x.copy()
    z = y[1:4]
    while z[0] < 5:
        y[1] += 1.0
        z *= 1.1
    return y, z


# --- what cannot be rewritten -------------------------------------------------------------------


@refused(ScriptError, "an assignment := in an operand of and/or cannot be rewritten, at .*b := a")
def walrus_after_and(x, a):
    c = a > 0 and (b := a * 2) > 1
    return b if c else a


@refused(ScriptError, "return, break or continue in finally cannot be rewritten, at .*if s > 0")
def return_in_finally(x, a):
    s = a
    try:
        s = s * 2
    finally:
        if s > 0:
            return s


@refused(ScriptError, "generators and coroutines cannot be rewritten")
def generator(x, a):
    for v in x:
        if v > 0:
            yield v


@refused(ScriptError, "generators and coroutines cannot be rewritten")
async def coroutine(x, a):
    return a


# --- what steps by itself -----------------------------------------------------------------------


@refused(ScriptError, "Generator.uniform draws numbers in a traced .*rng.uniform.*draw an array")
def random_numbers_in_a_loop(x, a):
    rng = np.random.default_rng(0)
    while a < 10:
        a = a + rng.uniform()
    return a


@refused(ScriptError, "a list_iterator is advanced in a traced branch or loop, .*next.numbers")
def iterator_in_a_loop(x, a):
    numbers = iter([1.0] * 50)
    while a < 10:
        a = a + next(numbers)
    return a


@refused(ScriptError, "a generator is advanced in a traced branch or loop")
def generator_in_a_branch(x, a):
    numbers = (float(i) for i in range(9))
    if a > 0:
        a = a + next(numbers)
    return a + next(numbers)


@refused(ScriptError, "a deque changes its length in a traced branch or loop")
def deque_that_grows(x, a):
    seen = collections.deque()
    while a < 10:
        a = a * 2
        seen.append(a)
    return a


@refused(ScriptError, "how many elements a comprehension has would depend .*if v > a; keep all")
def filtered_list(x, a):
    return [
        v
        for v in x  # in lines of their own: the condition's is named
        if v > a
    ]


@refused(ScriptError, "the guard of a case that takes a value apart depends .*write it as an if")
def guarded_structure(x, a):
    match (1.0, 2.0):
        case (p, q) if a > p:
            return p + q
        case _:
            return a


# --- the tests ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("f", "error", "message"), CASES, ids=lambda x: getattr(x, "__name__", ""))
def test_refused(f: Callable, error: type, message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        ft.jit(script(f))(X, 0.5)
    frames = [frame.filename for frame in traceback.extract_tb(caught.value.__traceback__)]
    inside = [name for name in frames if "/scripting/" in name or "/control_flow/" in name]
    assert not inside, "our own frames are folded out"
    assert not np.any(GLOBAL), "what was written while staging is put back"


def test_line_is_named() -> None:
    with pytest.raises(ScriptError, match=r"test_script_errors.py:\d+: if x > 0;"):
        ft.jit(script(array_as_condition))(X, 0.5)


def test_no_source() -> None:
    names: dict[str, Any] = {}
    exec("def f(x):\n    return x if x > 0 else -x", names)
    with pytest.raises(ScriptError, match="its source cannot be read; define it in a file"):
        script(names["f"])


def test_changed_file() -> None:
    name = "<changed script>"
    text = "def f(x):\n    return x\n"
    names: dict[str, Any] = {}
    exec(compile(text, name, "exec"), names)
    linecache.cache[name] = (0, None, ["\n", *text.splitlines(True)], name)
    with pytest.raises(ScriptError, match="its file has changed since it was loaded"):
        script(names["f"])


@pytest.mark.parametrize("f", [abs, np.sin, 3, type])
def test_not_a_function(f: Any) -> None:
    with pytest.raises(ScriptError, match="expected a function written in Python; got"):
        script(f)


def test_source_is_readable() -> None:
    made = script(one_branch).source
    assert "def then_1_(b):" in made and "b = a" in made
    assert made.count("\n") < 12


def test_traced_assertions_and_raises_are_not_checked() -> None:
    def root(x: Any) -> Any:
        assert x > 0, "not positive"
        if x < 0:
            raise ValueError("negative")
        return np.sqrt(x)

    assert ft.jit(script(root))(4.0) == 2.0
    assert np.isnan(ft.jit(script(root))(-4.0))
    with pytest.raises(AssertionError, match="not positive"):
        script(root)(-4.0)  # known values are checked


def test_error_of_the_program_itself() -> None:
    def broken(x: Any) -> Any:
        if x > 0:
            return x.nonsense
        return x

    with pytest.raises(AttributeError, match="nonsense"):
        ft.jit(script(broken))(1.0)


# --- what tracebacks and the debugger show ------------------------------------------------------


def lines_of(code: types.CodeType) -> set[int]:
    """Line numbers of a code object and of those inside it."""
    found = {line for *_, line in code.co_lines() if line is not None}
    return found.union(*(lines_of(c) for c in code.co_consts if isinstance(c, types.CodeType)))


@pytest.mark.parametrize("f", [f for f, _ in PROGRAMS][::4], ids=lambda f: f.__name__)
def test_rewritten_code_has_the_lines_of_its_source(f: Callable) -> None:
    made = rewrite(f.__code__, f.__qualname__).code
    source, first = inspect.getsourcelines(f)
    assert made.co_filename == f.__code__.co_filename and made.co_name == f.__name__
    assert lines_of(made) <= set(range(first, first + len(source)))
    assert lines_of(f.__code__) - {first} <= lines_of(made) | set(
        range(first, f.__code__.co_firstlineno + 2)
    ) | {n for n in range(first, first + len(source)) if _says_nothing(source[n - first])}
    assert inspect.getsource(script(f)) == inspect.getsource(f)
    assert inspect.signature(script(f)) == inspect.signature(f)


def _says_nothing(line: str) -> bool:
    """Whether a line has no code of its own once rewritten: pass, else, nonlocal, break ..."""
    word = line.strip().split(" ")[0].rstrip(":")
    return word in {
        "pass",
        "case",
        "break",
        "continue",
        "nonlocal",
        "global",
        "else",
        "try",
        "for",
        "while",
    }


def failing(x: Any, n: Any) -> Any:
    total = 0.0
    for k in range(3):
        while total < n:
            if total > 2:
                total = total + deeper(x, k)
            total = total + 1
    return total


def deeper(x: Any, k: Any) -> Any:
    if x[k] > 0:
        return x.nothing_of_the_kind
    return x[k]


@pytest.mark.parametrize("how", [script, lambda f: ft.jit(script(f)), lambda f: ft.grad(script(f))])
def test_traceback_is_that_of_the_source(how: Callable) -> None:
    with pytest.raises(AttributeError) as caught:
        how(failing)(X, 5.0)
    shown = traceback.extract_tb(caught.value.__traceback__)
    mine = [(s.name, s.line) for s in shown if s.filename == __file__][1:]
    texts = [line for _, line in mine]
    assert texts[-1] == "return x.nothing_of_the_kind"
    assert "total = total + deeper(x, k)" in texts and "for k in range(3):" in texts
    assert all(linecache.getline(s.filename, s.lineno).strip() for s in shown)


def test_debugger_stops_at_the_users_line() -> None:
    seen: list[tuple[str, str]] = []

    def watch(frame: Any, event: str, arg: Any) -> Any:
        if frame.f_code.co_filename == __file__ and event == "line":
            line = linecache.getline(__file__, frame.f_lineno).strip()
            if "total = total + 1" in line:
                seen.append((line, str(frame.f_locals.get("k"))))
        return watch

    before = sys.gettrace()
    sys.settrace(watch)
    try:
        assert script(failing)(-np.abs(X), 2.5) == 3.0
    finally:
        sys.settrace(before)
    assert seen[0] == ("total = total + 1", "0") and len(seen) == 3


def test_a_compiled_loop_ends_at_an_index_out_of_bounds() -> None:
    @ft.jit(script=True)
    def first_negative(x: Any) -> Any:
        i = 0
        while x[i] >= 0:
            i += 1
        return i

    assert first_negative(X) == 1
    with pytest.raises(IndexError, match="out of bounds"):
        first_negative(np.abs(X))
