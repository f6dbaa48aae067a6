"""Compiled programs on the device, without one: the CUDA source compiled for this processor.

Every program runs through the device's own executable, on the strict stand-in for CuPy's arrays:
its kernels are compiled by the C++ compiler (``cuda_on_cpu``), its memory is full of NaNs at the
start, its threads are taken first to last and last to first. Results are compared with the program
of the CPU. The same sources are compiled to PTX by NVRTC, where it is installed.
"""

from __future__ import annotations

import contextlib
import copy
import re
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import cuda_on_cpu
import numpy as np
import pytest
import test_control_flow as loops
import test_gpu
from device_programs import EVERY, SUITES
from op_table import TABLE
from strict_device import DeviceArray, to_device, to_host

import functorch_like as ft
from functorch_like.compilation.device import kernels
from functorch_like.compilation.device import loops as device_loops
from functorch_like.errors import DeviceError
from functorch_like.kernels.cuda_library import CUDA_MATH
from functorch_like.kernels.cuda_printer import cuda_text, number_text
from functorch_like.kernels.gpu import programs
from functorch_like.kernels.loop import Builder
from functorch_like.primitives.core import Elementwise, registry

on_cpu = pytest.mark.skipif(cuda_on_cpu.COMPILER is None, reason="no C++ compiler here")
RNG = np.random.default_rng(11)


@pytest.fixture(autouse=True)
def kernels_on_the_cpu(request: pytest.FixtureRequest) -> Iterator[None]:
    here = "gpu" not in request.keywords
    device = cuda_on_cpu.without_a_device() if here else contextlib.nullcontext()
    with device, np.errstate(all="ignore"):
        yield


# --- comparing --------------------------------------------------------------------------------


def on_device(args: Any) -> Any:
    """Arguments with their arrays on the device; numbers too, if there are no arrays."""
    is_array = lambda x: isinstance(x, (np.ndarray, np.generic))
    every = not any(is_array(x) and np.ndim(x) for x in ft.tree.leaves(args))
    move = lambda x: DeviceArray(np.array(x)) if is_array(x) or every else x
    return ft.tree.map(move, args)


def agree(got: Any, want: Any, rtol: float) -> None:
    for a, b in zip(ft.tree.leaves(got), ft.tree.leaves(want), strict=True):
        assert isinstance(a, DeviceArray), type(a)
        a, b = to_host(a), np.asarray(b)
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        if b.dtype.kind not in "fc":
            np.testing.assert_array_equal(a, b)
            continue
        scale = np.max(np.abs(b), where=np.isfinite(b), initial=1.0)
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * scale)


def executable(compiled: Any) -> Any:
    """The device's executable of a jitted function that was called with one kind of arguments."""
    (program,) = compiled._programs.values()
    return program.device_executable


def check(f: Callable, *args: Any, rtol: float = 1e-9) -> Any:
    """The device gives what the CPU does, in both orders of threads; its executable."""
    want = ft.jit(f)(*copy.deepcopy(args))
    compiled = ft.jit(f)
    for backwards in (False, True):
        with cuda_on_cpu.order(backwards):
            agree(compiled(*on_device(copy.deepcopy(args))), want, rtol)
    return executable(compiled)


@on_cpu
@pytest.mark.parametrize(
    ("f", "args"), [x[2:] for x in EVERY], ids=[f"{suite} {name}" for suite, name, *_ in EVERY]
)
def test_program_gives_what_the_cpu_does(f: Callable, args: tuple) -> None:
    check(f, *args, rtol=1e-8)


def in_one_module(sources: list[str]) -> str:
    """Sources in namespaces of their own: NVRTC takes a while to begin."""
    parts = []
    for i, source in enumerate(sources):
        plain = source.replace('extern "C" __global__', "__global__")
        parts.append(f"namespace program{i} {{\n{plain}\n}}")
    return "\n".join(parts)


def nvrtc() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # CuPy warns that it finds no CUDA
        cupy = pytest.importorskip("cupy", reason="CuPy is not installed")
    try:
        cupy.cuda.nvrtc.getVersion()
    except Exception as error:  # the wheel of the compiler is not installed
        pytest.skip(f"NVRTC is not installed: {type(error).__name__}")
    return cupy


def ptx_of(source: str, target: str = "compute_80") -> bytes:
    """PTX, or machine code, by NVRTC itself."""
    cupy = nvrtc()
    stand_in, programs.launch.cupy = programs.launch.cupy, lambda: cupy
    try:
        return programs.compiled(source, target)
    finally:
        programs.launch.cupy = stand_in


@pytest.mark.parametrize("suite", SUITES)
def test_programs_compile_to_ptx(suite: str) -> None:
    nvrtc()
    chosen = [x[2:] for x in EVERY if x[0] == suite][::2]
    given = [ft.jit(f).lower(*args).cuda for f, args in chosen]
    sources = [x for x in given if "__global__ void" in x]
    assert len(sources) > 0.7 * len(given)
    count = sum(x.count('extern "C" __global__') for x in sources)
    assert ptx_of(in_one_module(sources)).count(b".entry") == count


def test_machine_code_is_made_without_a_device() -> None:
    source = ft.jit(lambda x: np.sum(np.sin(x))).lower(np.ones(1000)).cuda
    assert ptx_of(source, "sm_90")[:4] == b"\x7fELF"
    with pytest.raises(RuntimeError, match=r"NVRTC: .*wrong"):
        ptx_of("__global__ void f() { wrong; }")


# --- elementary functions -------------------------------------------------------------------------


def elementwise_rows() -> Iterator[tuple[str, Any]]:
    for row in TABLE:
        if isinstance(registry[row.primitive], Elementwise):
            yield row.primitive, row


@on_cpu
def test_every_elementwise_primitive() -> None:
    """In one program for each dtype."""
    for dtype in (np.dtype("f8"), np.dtype("f4")):
        functions, operands = [], []
        for name, row in elementwise_rows():
            if dtype not in row.dtypes:
                continue
            given = row.make(np.random.default_rng(0), dtype)
            function = lambda *xs, name=name, row=row: registry[name](*xs, **row.params)
            lowered = ft.jit(function).lower(*given)
            if "host" in lowered.source:
                continue  # a call of the primitive's own kernel on either side
            functions.append(function)
            operands.append(tuple(given))
        assert len(functions) > 60
        every = lambda xs, functions=functions: [f(*x) for f, x in zip(functions, xs, strict=True)]
        check(every, operands, rtol=1e-12 if dtype == "f8" else 3e-6)


SPECIAL = np.array([0.0, -0.0, 1.0, -1.0, 0.5, -2.5, np.inf, -np.inf, np.nan, 1e300, 5e-324])


@on_cpu
def test_special_values_and_signs() -> None:
    names = "exp log log1p expm1 sqrt sin tan arcsin arctan tanh arccosh cbrt abs sign rint floor"
    functions = [getattr(np, name) for name in names.split()]

    def f(x: Any) -> list:
        y = x[::-1]
        made = [g(x) for g in functions]
        made += [np.maximum(x, y), np.minimum(x, y), np.fmax(x, y), np.copysign(x, y), x // y]
        made += [x % y, np.power(x, y), np.arctan2(x, y), np.hypot(x, y), np.signbit(x)]
        made += [np.max(x), np.min(x), np.any(np.isnan(x)), np.isinf(x), 1 / x, x > y, x != x]
        return made

    check(f, SPECIAL, rtol=1e-14)
    check(f, SPECIAL.astype("f4"), rtol=1e-6)


@on_cpu
@pytest.mark.parametrize("dtype", ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"])
def test_integers_wrap_as_numpys(dtype: str) -> None:
    limits = np.iinfo(dtype)
    x = np.array([limits.min, limits.max, 0, 1, 5, 100, limits.max - 3, limits.min + 7], dtype)
    y = np.array([3, 2, 0, limits.max, 7, 3, limits.max, limits.max], dtype)

    def f(x: Any, y: Any) -> list:
        made = [x + y, x - y, x * y, -x, x // y, x % y, x & y, x | ~y, x ^ y, x < y, abs(x)]
        made += [np.maximum(x, y), np.sum(x), np.prod(x), np.max(x), x.astype("f8"), x * 0.5]
        made += [x.astype("i2"), x.astype("u4"), x.astype(bool), np.sign(y), (x > y) * x]
        return made

    check(f, x, y, rtol=1e-14)


def test_numbers_are_exact_in_the_text() -> None:
    for value, dtype, text in (
        (0.1, "f64", "0.1"),
        (-2.0, "f32", "(-2.0f)"),
        (-0.0, "f64", "(-0.0)"),
        (float("inf"), "f64", "(1.0 / 0.0)"),
        (1e300, "f32", "(1.0f / 0.0f)"),
        (True, "i1", "true"),
        (-(2**63), "i64", "(-9223372036854775807ll - 1)"),
        (2**64 - 1, "u64", "18446744073709551615ull"),
        (1 + 2j, "c128", "pair<double>{1.0, 2.0}"),
        (1.0, "h16", "15360"),
    ):
        assert number_text(value, dtype) == text


def test_functions_of_more_than_two_ulps_are_ours() -> None:
    source = ft.jit(lambda x: np.sin(x) + np.arcsinh(x)).lower(np.ones(3)).cuda
    assert "= sin(" in source and "ft_arcsinh_f64(" in source and "asinh(v" not in source
    assert CUDA_MATH["arcsinh"][1] > 2


# --- reductions -----------------------------------------------------------------------------------

REDUCED = [
    *[((7,), 0), ((300,), 0), ((50_000,), 0), ((2000, 3), 0), ((2000, 3), 1), ((6, 300), 1)],
    *[((9, 300), 0), ((3, 20_000), 1), ((9_000, 35), 0), ((5, 600, 4), (0, 1)), ((0, 3), 0)],
    *[((6, 5, 50), (0, 2)), ((1, 900, 1), 1), ((3, 0), 1), ((20, 2, 80), 2), ((2, 3), (0, 1))],
]


@on_cpu
@pytest.mark.parametrize(("shape", "axis"), REDUCED)
def test_reductions(shape: tuple, axis: Any) -> None:
    """Each by threads, by blocks or in two stages, as the shape asks for."""
    x = RNG.normal(size=shape)
    empty = 0 in shape

    def f(x: Any) -> list:
        y = np.tanh(x) * 0.1 + 1
        made = [y, np.sum(y, axis), np.any(x > 3, axis)]
        made += [] if empty else [np.max(x, axis)]
        if x.size < 2000:
            made += [np.prod(y, axis), np.all(x < 3, axis), np.sum(x > 0, axis)]
            made += [] if empty else [np.min(x, axis), np.sum(y * y, axis)]
        return made

    check(f, x, rtol=1e-11)
    if x.size < 2000:
        check(lambda x: np.sum(x, axis), x.astype("f4"), rtol=1e-5)


@on_cpu
def test_long_sums_are_repeatable_and_exact() -> None:
    x = RNG.normal(size=100_000).astype("f4") + 1e4
    compiled = ft.jit(np.sum)
    got = []
    for backwards in (False, True):
        with cuda_on_cpu.order(backwards):
            got.append(to_host(compiled(to_device(x)))[()])
    assert got[0] == got[1]
    assert abs(float(got[0]) - np.sum(x, dtype="f8")) < 2e-7 * abs(np.sum(x, dtype="f8"))
    x[70_000] = np.nan
    assert np.isnan(to_host(ft.jit(np.max)(to_device(x))))


# --- elements at computed positions ---------------------------------------------------------------


@on_cpu
def test_added_and_written_elements() -> None:
    i = RNG.integers(-9, 9, 500)
    v = RNG.normal(size=(500, 3))

    def added(v: Any, i: Any) -> Any:
        return ft.vjp(lambda x: x[i], np.zeros((9, 3)) * v[0, 0])[1](v)

    check(added, v, i, rtol=1e-11)

    def written(v: Any, i: Any) -> Any:  # of several values for one element the last one counts
        x = np.zeros((9, 3)) * v[0, 0]
        x[i] = v
        y = np.zeros(20) + v[0, 0]
        y[3:9] = v[:6, 1]
        y[2::7] += 1.0
        return x, y

    check(written, v, i)


@on_cpu
def test_an_index_out_of_bounds_is_an_error() -> None:
    f = ft.jit(lambda x, i: np.sin(x[i]) * 2)
    x, i = np.arange(5.0), np.array([0, -5, 4])
    agree(f(*to_device((x, i))), f(x, i), 1e-14)
    for wrong in (5, -6):
        with pytest.raises(IndexError, match="index out of bounds"):
            f(*to_device((x, np.array([0, wrong, 1]))))
    agree(f(*to_device((x, i))), f(x, i), 1e-14)


# --- what becomes of a program --------------------------------------------------------------------


def started(f: Callable, *args: Any) -> list[tuple[str, int, int]]:
    """The kernels that a call starts, with their blocks and threads."""
    compiled = ft.jit(f)
    compiled(*on_device(args))
    before = len(cuda_on_cpu.STARTED)
    compiled(*on_device(args))
    return cuda_on_cpu.STARTED[before:]


@on_cpu
def test_value_and_gradient_are_one_kernel() -> None:
    f = ft.value_and_grad(lambda x: np.sum(np.exp(-x * x) * np.sin(x)))
    ((_, blocks, threads), (end, *_)) = started(f, RNG.normal(size=100_000))
    assert (threads, end.endswith("_end")) == (kernels.BLOCK, True)
    assert blocks == -(-100_000 // kernels.CHUNK)
    source = ft.jit(f).lower(np.ones(100_000)).cuda
    assert (source.count("= exp("), source.count("= sin("), source.count("= cos(")) == (1, 1, 1)


@on_cpu
def test_a_batch_of_loops_has_a_thread_a_lane() -> None:
    def root(a: Any) -> Any:
        return ft.while_loop(lambda r: np.abs(r * r - a) > 1e-9, lambda r: (r + a / r) / 2, a)

    lanes = np.linspace(1, 100, 1000)
    found = started(ft.vmap(ft.grad(root)), lanes)
    assert (-(-1000 // kernels.BLOCK), kernels.BLOCK) in [x[1:] for x in found]
    check(ft.vmap(ft.grad(root)), lanes)


@on_cpu
def test_tapes_grow() -> None:
    def f(x: Any, n: Any) -> Any:
        step = lambda c: (c[0] + 1, np.sin(c[1]) + c[1] * 0.5)
        return np.sum(ft.while_loop(lambda c: c[0] < n, step, (0, x))[1])

    slope = ft.grad(f)
    compiled = ft.jit(slope)
    for steps in (3, 5000, 10):  # the lanes' too
        args = (np.array([0.3, 0.2]), np.int64(steps))
        agree(compiled(*on_device(args)), slope(*args), 1e-9)
    batch = ft.vmap(slope, in_axes=(None, 0))
    check(batch, np.array([0.3, 0.2]), np.array([0, 5, 900, 70]))


def network(w: Any, xs: Any) -> Any:
    def step(h: Any, x: Any) -> tuple:
        h = np.tanh(h @ w + x)
        return h, h

    h, ys = ft.scan(step, np.zeros_like(xs[0]), xs)
    return np.sum(h * ys[2])


@on_cpu
def test_large_loops_are_started_by_the_host_and_replayed() -> None:
    w, xs = RNG.normal(size=(40, 40)) / 7, RNG.normal(size=(6, 30, 40))
    f = ft.value_and_grad(network)
    compiled = ft.jit(f)
    before = len(cuda_on_cpu.CAPTURED)
    for k in range(4):
        agree(compiled(*to_device((w, xs * (k + 1)))), f(w, xs * (k + 1)), 1e-9)
    made = executable(compiled).kinds()
    assert made["hostscan"] == 2 and made["product"] == 3 and "library" not in made
    assert cuda_on_cpu.CAPTURED[before:] == [3]  # the first call runs step by step


@on_cpu
def test_gradients_of_loops_in_complex_numbers() -> None:
    """They run primitive by primitive; what a step makes of constants alone is moved too."""

    def escape(x: Any, y: Any) -> Any:
        c, z, n = complex(x, y), 0j, 0
        for _ in range(9):
            if abs(z) > 2:
                break
            z = z * z + c
            n += 1
        return n + abs(z)

    g = ft.grad(ft.script(escape), (0, 1))
    check(g, np.float64(0.3), np.float64(0.6))
    check(g, np.float64(-1.3), np.float64(0.4))


@on_cpu
def test_loops_that_call_libraries_run_on_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    def f(a: Any) -> Any:
        def step(c: tuple) -> tuple:
            k, x = c
            x = ft.cond(np.sum(x) > 0, lambda x: np.linalg.solve(a, x), lambda x: -x, x)
            return k + 1, x

        return ft.while_loop(lambda c: c[0] < 4, step, (0, a[0]))[1]

    small = RNG.normal(size=(12, 12)) + 5 * np.eye(12)
    assert "loop kernel" in check(f, small).kinds()
    with pytest.raises(np.linalg.LinAlgError, match=r"jit\(f\): .* singular"):
        ft.jit(f)(to_device(np.ones((12, 12))))
    a = RNG.normal(size=(20, 20)) + 5 * np.eye(20)
    made = check(f, a)
    assert {"hostwhile", "hostswitch", "library"} <= set(made.kinds())
    check(ft.grad(lambda a: np.sum(f(a))), a)
    # Every loop in this way.
    monkeypatch.setattr(device_loops, "THREAD_WORK", -1)
    monkeypatch.setattr(device_loops, "LANE_WORK", -1)
    for name in ("recurrent", "branch_in_while", "nested", "assigned"):
        g = ft.grad(loops.PROGRAMS[name][0])
        made = check(g, loops.X)
        assert "loop kernel" not in made.kinds()
        if name != "nested":
            check(ft.vmap(g), loops.X * loops.LANES)


def test_a_new_size_has_the_same_text() -> None:
    f = lambda x, y: (np.sin(x) @ y, np.sum(x * y[:, 0], 1), np.max(x, 0))
    texts = {
        ft.jit(f).lower(np.ones((n, m)), np.ones((m, m))).cuda
        for n, m in ((2000, 50), (3000, 51), (2500, 52))
    }
    assert len(texts) == 1


def test_constants_are_moved_once_and_arrays_never(monkeypatch: pytest.MonkeyPatch) -> None:
    moved = []
    real = programs.upload
    monkeypatch.setattr(programs, "upload", lambda x: (moved.append(np.shape(x)), real(x))[1])
    table = np.arange(50.0)
    f = ft.jit(lambda x, a, b: x * table + a * b)
    for _ in range(3):
        agree(f(to_device(np.ones(50)), 2.0, np.float32(3)), table + 6.0, 1e-14)
    # The table once, the numbers together.
    assert moved.count((50,)) == 1 and moved.count((2, 16)) == 3 and len(moved) == 4
    with pytest.raises(DeviceError, match=r"jit\(<lambda>\): expected all arrays on one device"):
        ft.jit(lambda x, y: x + y)(to_device(np.ones(3)), np.ones(3))


@on_cpu
def test_closed_over_arrays_of_the_device() -> None:
    w = to_device(RNG.normal(size=(5, 5)))
    x = RNG.normal(size=5)
    f = lambda w, x: np.sum(np.sin(w @ x) * x)
    for g in (ft.jit(lambda x: f(w, x)), ft.jit(ft.grad(lambda x: f(w, x)))):
        got = g(to_device(x))
        assert isinstance(got, DeviceArray)
    np.testing.assert_allclose(to_host(got), ft.grad(lambda x: f(to_host(w), x))(x), rtol=1e-12)
    assert isinstance(ft.jit(lambda a: w * a)(2.0), DeviceArray)  # the program's array decides
    turned = DeviceArray(w._host.T)  # read at every call, in whatever order it lies in memory
    h = ft.jit(lambda x: turned @ x)
    for _ in range(2):
        np.testing.assert_allclose(to_host(h(to_device(x))), to_host(w).T @ x, rtol=1e-12)
        w[...] = w * 2.0


@on_cpu
def test_the_look_inside(caplog: pytest.LogCaptureFixture) -> None:
    x = to_device(np.ones(5))
    with ft.log_compiles():
        f = ft.jit(lambda x, y: {"a": np.sin(x) + y})
        f(x, x)
    assert "kernels for the device" in caplog.text
    lowered = f.lower(x, x)
    agree(lowered.compile()(x, x), {"a": np.sin(np.ones(5)) + 1}, 1e-14)
    assert "__global__ void kernel0(" in lowered.cuda and "= sin(" in lowered.cuda
    with pytest.raises(DeviceError, match=r"jit\(<lambda>\)\.profile: expected arrays of NumPy"):
        f.profile(x, x)
    with ft.debug_nans(), pytest.raises(FloatingPointError, match=r"log made NaN .*test_gpu_prog"):
        ft.jit(lambda x: np.log(x))(to_device(-np.ones(3)))


@on_cpu
def test_layouts_and_kinds_of_arguments() -> None:
    x = RNG.normal(size=(4, 6))
    f = lambda x, n: x[1:, ::2] * n
    for given in (x.T, x[::-1], x[:, ::2], x.astype(">f8"), np.asfortranarray(x)):
        agree(ft.jit(f)(DeviceArray(given), 2.0), f(given.astype("f8"), 2.0), 1e-14)
    for kind in ("f2", "c8", "c16", "?", "u1"):
        y = (x * 10).astype(kind)
        check(lambda y: (y[::-1], np.where(y == y[0, 0], y, y[0])), y, rtol=1e-6)
    made = ft.jit(f, static_argnums=1)(to_device(x), 3)
    agree(made, f(x, 3), 1e-14)


@on_cpu
def test_transforms_of_compiled_functions() -> None:
    f = ft.jit(lambda x: np.sum(np.tanh(x) ** 2))
    plain = lambda x: np.sum(np.tanh(x) ** 2)
    x = RNG.normal(size=(3, 7))
    for transform in (ft.grad, ft.vmap, ft.hessian, lambda f: ft.vmap(ft.grad(f))):
        agree(transform(f)(to_device(x)), transform(plain)(x), 1e-10)


@on_cpu
def test_random_numbers_and_callbacks() -> None:
    seen: list[Any] = []

    def f(key: Any, x: Any) -> Any:
        one, other = ft.random.split(key)
        y = ft.random.normal(one, (50,)) + ft.random.uniform(other, (50,)) * x
        ft.debug.callback(lambda v: seen.append(v), np.sum(y))
        return y, ft.random.bits(one, (3, 4))

    check(f, ft.random.key(3), 2.0 * np.ones(50))
    assert len(seen) == 3
    np.testing.assert_allclose(seen, seen[0], rtol=1e-12)


def test_what_has_no_kernel_is_refused_with_its_name() -> None:
    with pytest.raises(DeviceError, match="CuPy has no kernel for"):
        ft.jit(lambda x: ft.scipy.linalg.sqrtm(x @ x.T))(to_device(np.eye(3)))


def test_complex_numbers_are_computed_by_cupy() -> None:
    z = RNG.normal(size=(4, 5)) + 1j * RNG.normal(size=(4, 5))
    f = lambda z: np.abs(np.fft.fft(z * 2j)) ** 2 + np.real(z[::-1])
    got = ft.jit(f)
    agree(got(to_device(z)), f(z), 1e-12)
    assert executable(got).kinds()["library"] > 2


# --- the stand-in itself --------------------------------------------------------------------------


@on_cpu
def test_the_harness_tells_a_race() -> None:
    """A sum that depends on the order of threads, and a barrier that keeps it."""
    code = Builder("racing")
    out = code.buffer("out", "f64")
    zero = code.constant(0, "i64")
    code.store(out, zero, code.load(out, zero) * 3.0 + 1.0)
    text = cuda_text([code.kernel]).replace("* 3.0 + 1.0", "")
    text = re.sub(r"b0\[0ll\] = (v\d+);", r"b0[0ll] = \1 + threadIdx.x;", text)
    run = cuda_on_cpu.load(text, ["racing"])["racing"]
    found = []
    for backwards in (False, True):
        memory = np.zeros(1)
        with cuda_on_cpu.order(backwards), contextlib.nullcontext():
            run((1,), (4,), (memory.ctypes.data, memory.ctypes.data))
        found.append(memory[0])
    assert found[0] != found[1]


# --- on a device ----------------------------------------------------------------------------------


@test_gpu.needs_device
@test_gpu.skip_without_device
@pytest.mark.parametrize("suite", SUITES)
def test_programs_on_the_device(suite: str) -> None:
    """Every program with CuPy's arrays, three times: compiled, run again, replayed."""
    import cupy

    wrong = []
    for s, name, f, args in EVERY:
        if s != suite:
            continue
        want = ft.tree.leaves(ft.jit(f)(*copy.deepcopy(args)))
        moved = ft.tree.map(
            lambda x: cupy.asarray(x._host) if isinstance(x, DeviceArray) else x, on_device(args)
        )
        compiled = ft.jit(f)
        for _ in range(3):
            try:
                for a, b in zip(ft.tree.leaves(compiled(*moved)), want, strict=True):
                    got, b = cupy.asnumpy(a), np.asarray(b)
                    scale = np.max(np.abs(b), where=np.isfinite(b), initial=1.0)
                    np.testing.assert_allclose(got, b, rtol=1e-7, atol=1e-7 * scale)
            except Exception as error:
                wrong.append(f"{name}: {type(error).__name__}: {str(error)[:300]}")
                break
    assert not wrong, "\n".join(wrong)


@test_gpu.needs_device
@test_gpu.skip_without_device
def test_loops_are_captured_on_the_device() -> None:
    import cupy

    w, xs = RNG.normal(size=(40, 40)) / 7, RNG.normal(size=(6, 30, 40))
    f = ft.value_and_grad(network)
    compiled = ft.jit(f)
    for k in range(4):
        got = compiled(cupy.asarray(w), cupy.asarray(xs * (k + 1)))
        for a, b in zip(ft.tree.leaves(got), ft.tree.leaves(f(w, xs * (k + 1))), strict=True):
            np.testing.assert_allclose(cupy.asnumpy(a), b, rtol=1e-9, atol=1e-10)
    assert executable(compiled).repeats, "CuPy captured no graph"
