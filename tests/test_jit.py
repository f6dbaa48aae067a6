"""What ``jit`` promises beside values: reuse, memory, threads, precision, the look inside."""

import logging
import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import functorch_like as ft
from functorch_like.compilation import executable
from functorch_like.kernels import elf, native


def bump(x):
    return np.sum(np.exp(-x * x) * np.sin(x))


def test_a_new_size_is_staged_but_not_compiled() -> None:
    staged = []

    @ft.jit
    @ft.value_and_grad
    def f(w, x):
        staged.append(x.shape)
        return np.mean(np.tanh(x @ w) ** 2) / x.shape[0]

    rng = np.random.default_rng(0)
    w = rng.normal(size=20)
    known = None
    for n in (16, 37, 200, 12, 37):
        x = rng.normal(size=(n, 20))
        value, _ = f(w, x)
        np.testing.assert_allclose(value, np.mean(np.tanh(x @ w) ** 2) / n)
        before, known = known, len(executable._loaded)
        assert before is None or known == before
    assert staged == [(16, 20), (37, 20), (200, 20), (12, 20)]


CHILD = """
import logging, sys
import numpy as np
import functorch_like as ft
logging.basicConfig(stream=sys.stdout, format="%(message)s")
with ft.log_compiles():
    print(ft.jit(ft.grad(lambda x: np.sum(np.sin(x) ** 2)))(np.arange(100.0))[1])
print("llvmlite.binding" in sys.modules, "numba" in sys.modules)
"""


def run_child(folder: str) -> list[str]:
    environment = os.environ | {"FUNCTORCH_LIKE_CACHE_DIR": folder}
    made = subprocess.run(
        [sys.executable, "-c", CHILD], env=environment, capture_output=True, text=True, check=True
    )
    return made.stdout.splitlines()


def test_a_fresh_process_finds_the_program_on_disk(tmp_path) -> None:
    folder = tmp_path / "cache"
    first, second = run_child(str(folder)), run_child(str(folder))
    assert any("compiled" in line for line in first)
    assert all("compiled" not in line for line in second)
    assert sum("loaded from the cache" in line for line in second) == 2  # and the runtime
    assert [x for x in first if x[0] == "0"] == [x for x in second if x[0] == "0"]
    if elf.is_supported():
        assert second[-1] == "False False"  # no compiler was woken up
    for entry in folder.iterdir():  # torn files are as good as none
        entry.write_bytes(entry.read_bytes()[:100])
    third = run_child(str(folder))
    assert any("compiled" in line for line in third)


def test_both_loaders_give_the_same_code() -> None:
    if not elf.is_supported():
        pytest.skip("only for 64-bit x86 on Linux; elsewhere LLVM loads")
    made = ft.jit(ft.grad(bump)).lower(np.ones(50))._executable
    data = native.compile_object(executable.complete_text(made.text, made.calls, made.tables))
    image = elf.load(data)
    assert image is not None and image.address("program")
    assert elf.load(data.replace(b".text", b".text")) is not None


def test_donated_memory_is_taken_over() -> None:
    @ft.jit
    def plain(p, g):
        return {k: p[k] - 0.1 * g[k] for k in p}

    step = ft.jit(lambda p, g: {k: p[k] - 0.1 * g[k] for k in p}, donate_argnums=0)
    p = {"a": np.ones((50, 3)), "b": np.arange(4.0)}
    g = {"a": np.full((50, 3), 2.0), "b": np.ones(4)}
    want = plain(p, g)
    held = dict(p)
    for _ in range(2):
        got = step(p, g)
        assert all(got[k] is held[k] for k in held)
        for k in got:
            np.testing.assert_array_equal(got[k], want[k])
        p, want = got, plain(got, g)
    fixed = np.ones(9)
    fixed.flags.writeable = False
    np.testing.assert_array_equal(ft.jit(lambda x: 2 * x, donate_argnums=0)(fixed), 2 * fixed)
    np.testing.assert_array_equal(fixed, 1)


def test_donated_memory_is_not_taken_while_it_is_read() -> None:
    f = ft.jit(lambda x: x[::-1] * 2 + x, donate_argnums=0)
    x = np.arange(40.0)
    want = x[::-1] * 2 + x
    np.testing.assert_array_equal(f(x), want)


@pytest.mark.parametrize("number", [0.1, 2, 2.0, np.float64(0.1), np.array(0.1), np.int64(2)])
def test_python_numbers_take_the_dtype_of_arrays(number) -> None:
    x = np.ones(3, np.float32)
    f = lambda x, a: np.where(x > 0, x - (a * 0.5) * x, a)
    got, want = ft.jit(f)(x, number), f(x, number)
    assert got.dtype == want.dtype
    np.testing.assert_allclose(got, want, rtol=1e-6)


def test_one_function_for_all_kinds_of_numbers() -> None:
    f = ft.jit(lambda x, a: x * a)
    x = np.ones(3, np.float32)
    kinds = [f(x, a).dtype for a in (0.5, np.float64(0.5), 2, np.int64(2), 0.5, np.array(0.5))]
    assert [str(k)[5:] for k in kinds] == ["32", "64", "32", "64", "32", "64"]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_threads_and_long_sums(dtype, monkeypatch) -> None:
    x = np.random.default_rng(0).uniform(-2, 4, 100_003).astype(dtype)
    exact = float(np.sum(np.exp(-(x.astype(float) ** 2)) * np.sin(x.astype(float))))
    matrix = np.random.default_rng(1).normal(size=(1000, 30)).astype(dtype)
    monkeypatch.setattr(executable, "THREAD_WORK", 1e3)
    for threads in (1, 2, 5):
        monkeypatch.setattr(executable, "cores", lambda threads=threads: threads)
        value, gradient = ft.jit(ft.value_and_grad(lambda x: bump(x)))(x)
        assert abs(value - exact) < 2e-7 * abs(exact) + 1e-3 * np.finfo(dtype).eps * x.size
        np.testing.assert_allclose(gradient, ft.grad(bump)(x), rtol=1e-4, atol=1e-5)
        columns = ft.jit(lambda m: (np.sum(m * m, axis=0), np.max(m, axis=0), m.T @ m[:, 0]))
        for got, want in zip(
            columns(matrix),
            (np.sum(matrix**2, axis=0), matrix.max(axis=0), matrix.T @ matrix[:, 0]),
            strict=True,
        ):
            np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_angles_of_any_size(dtype) -> None:
    """The fast sine is left where an argument is too large for it."""
    x = np.random.default_rng(0).normal(size=10_001).astype(dtype)
    x[[5, 5000, 9000]] = 1e30, -np.inf, np.nan
    for f in (np.sin, np.cos, np.tan, lambda x: np.cumsum(np.cos(x))[:3]):
        with np.errstate(invalid="ignore"):
            want = f(x)
        np.testing.assert_allclose(ft.jit(f)(x), want, rtol=1e-5, atol=1e-6)
    finite = np.nan_to_num(x, posinf=0.0, neginf=0.0)
    value = ft.jit(lambda x: np.sum(np.sin(x) ** 2))(finite)
    np.testing.assert_allclose(value, np.sum(np.sin(finite.astype(float)) ** 2), rtol=1e-5)


def test_many_threads_of_python_at_once() -> None:
    f = ft.jit(lambda x: np.sort(np.exp(x))[::-1] @ np.ones(len(x)))
    x = np.random.default_rng(0).normal(size=500)
    want = np.sum(np.exp(x))
    wrong = []

    def work() -> None:
        for _ in range(30):
            if not np.isclose(f(x), want):
                wrong.append(1)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_the_look_inside() -> None:
    x = np.linspace(0, 1, 30)
    lowered = ft.jit(ft.grad(bump)).lower(x)
    namespace: dict = {}
    code = lowered.code
    assert "functorch" not in code
    exec(code, namespace)
    np.testing.assert_allclose(namespace["bump"](x), ft.grad(bump)(x), rtol=1e-14)
    assert "for i" in lowered.source and "@njit" in lowered.source
    assert "define" in lowered.llvm and "program" in lowered.assembly()
    np.testing.assert_allclose(lowered.compile()(x), ft.grad(bump)(x), rtol=1e-13)
    assert lowered.cost().flops > 30


def test_switched_off() -> None:
    seen = []

    @ft.jit
    def f(x):
        seen.append(type(x))
        return x * 2

    with ft.disable_jit():
        np.testing.assert_array_equal(f(np.ones(3)), [2, 2, 2])
    assert seen == [np.ndarray]


def test_log_says_what_was_compiled(caplog) -> None:
    with ft.log_compiles(), caplog.at_level(logging.WARNING, "functorch_like"):

        def a_name_to_find(x):
            return np.sum(x**2) * 1.25

        ft.jit(a_name_to_find)(np.ones(33))
    assert any("a_name_to_find" in m and " ms" in m for m in caplog.messages)


def test_generated_code_is_vectorised() -> None:
    import platform

    if platform.machine() != "x86_64":
        pytest.skip("the registers' names are those of x86")
    for dtype, packed in ((np.float64, "pd"), (np.float32, "ps")):
        text = ft.jit(ft.grad(bump)).lower(np.ones(5000, dtype)).assembly()
        assert any(f"mul{packed}" in line and "mm" in line for line in text.splitlines())
        start = text.index("program_loop0_task:")
        body = text[start : text.index(".Lfunc_end", start)]
        assert not [x for x in body.splitlines() if "call" in x and "program_loop0" not in x]


def test_static_arguments_must_exist() -> None:
    with pytest.raises(ValueError, match=r"jit\(f\): static_argnums names argument 3, .* has 1: x"):

        def f(x):
            return x

        ft.jit(f, static_argnums=3)
    with pytest.raises(ValueError, match="static_argnames names 'n', but the function has no such"):
        ft.jit(f, static_argnames="n")
