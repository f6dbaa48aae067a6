"""Device arrays: every primitive on a strict stand-in for CuPy, and the CUDA sources on the CPU.

The stand-in (``strict_device``) refuses what CuPy refuses: NumPy arrays beside it, functions and
keywords CuPy lacks. The CUDA kernels are compiled by NVRTC and nvcc where they are installed, and
their source is run by the C++ compiler (``cuda_on_cpu``). What needs a device is marked ``gpu``.
"""

from __future__ import annotations

import contextlib
import importlib
import pathlib
import pkgutil
import shutil
import subprocess
import warnings
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import cuda_on_cpu
import numpy as np
import pytest
from gpu_lacking import LACKING, NO_DERIVATIVE, PARTLY
from op_table import TABLE, Row
from strict_device import DeviceArray, to_device, to_host

import functorch_like as ft
import functorch_like.kernels.gpu
import functorch_like.primitives
from functorch_like import errors
from functorch_like.errors import DeviceError, fold
from functorch_like.primitives.core import Nondifferentiable, registry


def device_available() -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import cupy

        return bool(cupy.cuda.is_available())
    except Exception:
        return False


needs_device = pytest.mark.gpu
skip_without_device = pytest.mark.skipif(not device_available(), reason="no CUDA device here")
on_cpu = pytest.mark.skipif(cuda_on_cpu.COMPILER is None, reason="no C++ compiler here")

for found in pkgutil.iter_modules(functorch_like.primitives.__path__):
    importlib.import_module(f"functorch_like.primitives.{found.name}")


@pytest.fixture(autouse=True)
def kernels_on_the_cpu(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    # The stand-in's frames count as CuPy's.
    libraries = (*errors._LIBRARIES, str(pathlib.Path(__file__).with_name("strict_device.py")))
    monkeypatch.setattr(errors, "_LIBRARIES", libraries)
    with contextlib.ExitStack() as stack:
        if "gpu" not in request.keywords:
            stack.enter_context(cuda_on_cpu.without_a_device())
        stack.enter_context(np.errstate(all="ignore"))
        yield


# --- every primitive ---------------------------------------------------------------------------


def leaves(x: Any) -> list[Any]:
    return [y for part in x for y in leaves(part)] if isinstance(x, (tuple, list)) else [x]


def stages(row: Row, dtype: np.dtype, move: Callable) -> Iterator[tuple[str, Callable]]:
    """The value and the transforms of one row, on NumPy arrays or moved to the device."""
    operands = list(row.make(np.random.default_rng(0), dtype))
    primitive = registry[row.primitive]
    yield "kernel", lambda: primitive.kernel(*move(operands), **row.params)
    if isinstance(primitive, Nondifferentiable) or dtype.kind not in "fc":
        return
    floating = [i for i, x in enumerate(operands) if np.asarray(x).dtype.kind in "fc"]
    checked = floating if row.check is None else row.check
    if getattr(primitive, "rules", checked) is None or not checked:
        return

    def f(*xs: Any) -> Any:
        full = list(move(operands))
        for i, x in zip(checked, xs, strict=True):
            full[i] = x
        y = primitive(*full, **row.params)
        return [t for t in (y if isinstance(y, tuple) else (y,)) if t.dtype.kind in "fc"]

    xs = [np.asarray(operands[i]) for i in checked]
    stacked = [np.stack([x, x]) for x in xs]

    def pulled() -> Any:
        value, pull = ft.vjp(f, *move(xs))
        return pull(value)

    yield "jvp", lambda: ft.jvp(f, tuple(move(xs)), tuple(move(xs)))
    yield "vjp", pulled
    yield "vmap", lambda: ft.vmap(f)(*move(stacked))


def is_refusal(error: BaseException) -> bool:
    return type(fold(error)) is DeviceError and "has no kernel" in str(fold(error))


def refused_stages(row: Row) -> set[str]:
    """Run the stages on both sides and compare them; the names of those that refused."""
    refused: set[str] = set()
    for dtype in row.dtypes:
        tolerance = 2e-4 if dtype.itemsize == (8 if dtype.kind == "c" else 4) else 1e-8
        here = dict(stages(row, dtype, lambda x: x))
        for name, run in stages(row, dtype, to_device):
            try:
                got = leaves(run())
            except TypeError as error:
                if not is_refusal(error):
                    raise
                refused.add(name)
                if name == "kernel":
                    break
                continue
            for g, w in zip(got, leaves(here[name]()), strict=True):
                assert isinstance(g, DeviceArray), (name, type(g))
                assert g.dtype == np.asarray(w).dtype, (name, g.dtype)
                scale = max(float(np.max(np.abs(w), initial=0.0)), 1e-300)
                np.testing.assert_allclose(
                    to_host(g), w, rtol=tolerance, atol=tolerance * scale, err_msg=name
                )
    return refused


ROWS: dict[str, list[Row]] = {}
for entry in TABLE:
    ROWS.setdefault(entry.primitive, []).append(entry)


@on_cpu
@pytest.mark.parametrize("name", ROWS)
def test_primitive_on_device_arrays(name: str) -> None:
    """As on NumPy arrays, or refused as the tables say; never a transfer, never another error."""
    refused = [refused_stages(row) for row in ROWS[name]]
    if name in LACKING:
        assert all("kernel" in r for r in refused), "it has a kernel now: take it off the table"
    elif name in NO_DERIVATIVE:
        assert not any("kernel" in r for r in refused), refused
        assert any("jvp" in r for r in refused), "it has a derivative now: take it off the table"
    elif name in PARTLY:
        assert any(refused) and not all("kernel" in r for r in refused), refused
    else:
        assert not any(refused), refused


def test_tables_of_what_lacks_are_exact() -> None:
    listed = [*LACKING, *NO_DERIVATIVE, *PARTLY]
    assert len(listed) == len(set(listed))
    assert set(listed) <= set(ROWS)


# --- transforms --------------------------------------------------------------------------------

W = np.random.default_rng(2).normal(size=(3, 3))


def scanned(x: Any) -> Any:
    carry, ys = ft.scan(lambda c, row: (np.tanh(c + row * x[1]), c * row), x[0], x)
    return np.sum(carry) + np.sum(ys)


def assigned(x: Any) -> Any:
    y = np.zeros_like(x)
    y[0] = x[1]
    y[1, 0] = 2.0
    y[2, [0, 1]] = x[0, :2]
    return np.sum(y * y * x)


@ft.custom_vjp
def clipped(x):
    return np.sin(x)


clipped.defvjp(lambda x: (np.sin(x), x), lambda x, ct: (np.clip(ct, -1, 1) * np.cos(x),))

FUNCTIONS = {
    "elementwise": lambda x: np.sum(np.sin(x) * x**2 - np.exp(x) / (x * x + 1)),
    "slices": lambda x: np.sum((x @ x.T)[1:, ::2] * 3.0),
    "where": lambda x: np.sum(np.tanh(x[0]) * x[:, 1] + np.where(x[0] > 0, x[1], x[2])),
    "running": lambda x: np.max(np.cumsum(x, axis=1)) + np.prod(x[0]) + np.mean(x, 0)[1],
    "joins": lambda x: np.sum(np.concatenate([x, 2 * x]).reshape(-1, 2).T[0] ** 3),
    "kinks": lambda x: np.sum(np.maximum(x, 0.1) * np.abs(x) + np.arctan2(x, x * x + 1)),
    "linalg": lambda x: np.linalg.slogdet(x @ x.T + np.linalg.norm(x) * x)[1],
    "factorisation": lambda x: np.sum(np.linalg.cholesky(x @ x.T + 3 * np.diag(x[0] ** 2))),
    "fft": lambda x: np.sum(np.abs(np.fft.rfft(x, axis=0)) ** 2),
    "checkpoint": lambda x: np.sum(ft.checkpoint(lambda y: np.sin(y @ y))(x)),
    "custom_vjp": lambda x: np.sum(clipped(x) * x),
    "scan": scanned,
    "sort": lambda x: np.sum(np.sort(x, axis=1)[:, 1:] ** 3),
    "order": lambda x: np.quantile(x, 0.3) + np.nanquantile(x, 0.7),
    "masks": lambda x: np.sum(np.triu(x) ** 2) + np.linalg.norm(np.linalg.pinv(x)),
    "assignment": assigned,
    "padding": lambda x: np.sum(np.pad(x, 1, "reflect") ** 2) + np.sum(np.pad(x, 2) ** 2),
    "made": lambda x: np.sum(np.linspace(x[0], x[1], 4) * np.ones_like(x[0])),
    "statistics": lambda x: np.var(x) + np.median(x) + np.linalg.norm(x[0]),
}
TRANSFORMS = {
    "grad": ft.grad,
    "jvp": lambda f: lambda x: ft.jvp(f, (x,), (x,)),
    "hessian": ft.hessian,
    "jacfwd": ft.jacfwd,
    "vmap": lambda f: lambda x: ft.vmap(f)(np.stack([x, 2 * x])),
    "vmap of grad": lambda f: lambda x: ft.vmap(ft.grad(f))(np.stack([x, 2 * x])),
    "vjp": lambda f: lambda x: ft.vjp(f, x)[1](ft.vjp(f, x)[0]),
}


@on_cpu
@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_arrays_decide_the_device(name: str, transform: str) -> None:
    """Transforms on the stand-in equal those on NumPy, with no silent transfer."""
    f = FUNCTIONS[name]
    if name == "custom_vjp" and transform in ("jvp", "jacfwd", "hessian"):
        pytest.skip("a function with a rule for vjp alone")
    run = TRANSFORMS[transform](f)
    got, want = leaves(run(to_device(W))), leaves(run(W))
    for g, w in zip(got, want, strict=True):
        assert isinstance(g, DeviceArray), type(g)
        np.testing.assert_allclose(to_host(g), w, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(
    "run",
    [
        lambda f, x: ft.grad(lambda x: np.sum(f(x)))(x),
        lambda f, x: ft.jvp(f, (x,), (x,)),
        lambda f, x: ft.vmap(f)(x),
        lambda f, x: ft.hessian(lambda x: np.sum(f(x)))(x),
    ],
)
@pytest.mark.parametrize("on_device", [False, True])
def test_arrays_of_two_devices_meet_in_an_error(run: Callable, on_device: bool) -> None:
    other = W if on_device else to_device(W)

    def f(x: Any) -> Any:
        return np.sin(x) * other[0]  # the user's line

    with pytest.raises(DeviceError, match=r"(?s)NumPy and one of CuPy meet at .*test_gpu\.py:\d+"):
        run(f, to_device(W) if on_device else W)


def test_a_function_cupy_lacks_is_refused_with_the_line() -> None:
    import scipy.special

    with pytest.raises(DeviceError, match=r"CuPy has no kernel for .*test_gpu\.py:\d+"):
        ft.grad(lambda x: np.sum(scipy.special.jve(0.5, x)))(to_device(W))
    with pytest.raises(DeviceError, match=r"CuPy has no kernel for .*test_gpu\.py:\d+"):
        ft.grad(lambda x: np.sum(ft.scipy.linalg.sqrtm(x @ x.T)))(to_device(W))


# --- CuPy's own functions ----------------------------------------------------------------------


def imported_cupy() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # CuPy warns that it finds no CUDA
        return pytest.importorskip("cupy", reason="CuPy is not installed")


def test_cupys_functions_take_tracers() -> None:
    cupy = imported_cupy()
    for name in ("sin", "exp", "multiply", "maximum"):
        ufunc = getattr(cupy, name)
        f = lambda x, ufunc=ufunc: np.sum(ufunc(x, x) if ufunc.nin == 2 else ufunc(x))
        g = lambda x, name=name: np.sum(
            getattr(np, name)(x, x) if getattr(np, name).nin == 2 else getattr(np, name)(x)
        )
        np.testing.assert_allclose(to_host(ft.grad(f)(to_device(W))), ft.grad(g)(W))


# --- CUDA sources ------------------------------------------------------------------------------

MODULES: list[ModuleType] = [
    module
    for found in pkgutil.iter_modules(functorch_like.kernels.gpu.__path__)
    for module in [importlib.import_module(f"functorch_like.kernels.gpu.{found.name}")]
    if hasattr(module, "SOURCE")
]


def name_of(module: ModuleType) -> str:
    return module.__name__.rpartition(".")[2]


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_source_compiles_to_ptx(module: Any) -> None:
    nvrtc = imported_cupy().cuda.nvrtc
    try:
        program = nvrtc.createProgram(module.SOURCE, f"{name_of(module)}.cu", (), ())
    except Exception as error:  # the wheel of the compiler is not installed
        pytest.skip(f"NVRTC is not installed: {type(error).__name__}")
    for name in module.INSTANCES:
        nvrtc.addNameExpression(program, name)
    nvrtc.compileProgram(program, ("-std=c++17", "--gpu-architecture=compute_80"))
    assert nvrtc.getPTX(program).count(b".entry") == len(module.INSTANCES)


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_source_compiles_with_nvcc(module: Any, tmp_path: pathlib.Path) -> None:
    nvcc = shutil.which("nvcc")
    if nvcc is None:
        pytest.skip("no nvcc here")
    uses = "".join(
        f"void* use{i}() {{ return (void*)&{name}; }}\n" for i, name in enumerate(module.INSTANCES)
    )
    source, ptx = tmp_path / "kernel.cu", tmp_path / "kernel.ptx"
    source.write_text(module.SOURCE + uses)
    subprocess.run([nvcc, "-ptx", "-arch=sm_80", str(source), "-o", str(ptx)], check=True)
    assert ptx.read_text().count(".entry") == len(module.INSTANCES)


@on_cpu
@pytest.mark.parametrize("dtype", ["f", "d", "F", "D"])
def test_recurrence_is_that_of_the_cpu(dtype: str) -> None:
    from functorch_like.kernels.cpu.recurrence import recurrence as cpu
    from functorch_like.kernels.gpu.recurrence import recurrence as gpu

    rng = np.random.default_rng(0)
    a, b = (rng.uniform(-0.9, 0.9, size=(2, 40, 7)) * (1 + 1j)).astype("D")
    a, b = (x.astype(dtype) if dtype in "FD" else x.real.astype(dtype) for x in (a, b))
    tolerance = 1e-4 if dtype in "fF" else 1e-12
    for axis in (0, 1):
        for reverse in (False, True):
            got = gpu(*to_device([a, b]), axis, reverse)
            assert got.dtype == np.dtype(dtype)
            want = cpu(a, b, axis, reverse)
            np.testing.assert_allclose(to_host(got), want, rtol=tolerance, atol=tolerance)


BESSEL = ["jv", "iv", "ive", "yv", "kv", "kve"]
SPHERICAL = ["spherical_jn", "spherical_in", "spherical_yn", "spherical_kn"]


@pytest.mark.parametrize("name", [*BESSEL, *SPHERICAL])
def test_integer_orders(name: str) -> None:
    """Recurrences and power series from the orders 0 and 1, against SciPy."""
    import scipy.special

    kernel = registry[name].kernel
    x = np.concatenate([np.geomspace(1e-3, 60, 80), np.arange(1.0, 40.0)])
    for n in (0, 1, 2, 3, 5, 10, 16):
        want = getattr(scipy.special, name)(n, x)
        got = to_host(kernel(n, to_device(x)))
        if name in ("jv", "yv", "spherical_jn", "spherical_yn"):  # absolute where they oscillate
            np.testing.assert_allclose(got, want, rtol=1e-7, atol=1e-9)
        else:
            np.testing.assert_allclose(got, want, rtol=1e-9)
    with pytest.raises(TypeError, match=r"CuPy has no kernel for .* orders 0 to 16"):
        kernel(17, to_device(x))


@on_cpu
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i1", "i8", "u4", "?"])
def test_running_argument_is_that_of_the_cpu(dtype: str) -> None:
    from functorch_like.primitives.reduction import running_argmax, running_argmin

    x = np.random.default_rng(1).integers(0, 5, size=(3, 300, 2)).astype(dtype)
    if x.dtype.kind == "f":
        x[1, 40] = x[2, 0] = np.nan
    for primitive in (running_argmax, running_argmin):
        for axis in range(3):
            got = to_host(primitive.kernel(to_device(x), axis=axis))
            np.testing.assert_array_equal(got, primitive.kernel(x, axis=axis))


KEYS = np.random.default_rng(4).integers(0, 2**32, size=(6, 2), dtype=np.uint32)


@on_cpu
def test_counts_are_those_of_the_cpu() -> None:
    from functorch_like.kernels.cpu import samplers as cpu
    from functorch_like.kernels.gpu import samplers as gpu

    rates = np.array([0.0, 0.3, 4.0, 9.99, 10.0, 55.0, 1e3, 1e7, -1.0, np.nan])
    counts = np.array([0.0, 1.0, 30.0, 30.0, 900.0, 900.0, 1e6, -1.0, 5.0, 40.5])
    chances = np.array([0.5, 0.2, 0.9, 0.0, 0.3, 0.7, 1e-6, 0.5, 1.5, 1.0])
    good, bad, drawn = np.array([[5, 0, 40, 7, -1], [5, 9, 3, 7, 2], [4, 3, 30, 15, 1]])
    for repeats in (1, 40):
        rate, count, chance = (np.tile(x, (6, repeats)) for x in (rates, counts, chances))
        urn = [np.tile(x, (6, repeats)) for x in (good, bad, drawn)]
        for dtype in ("i4", "i8", "f8"):
            for name, operands in (
                ("poisson", [rate]),
                ("binomial", [count, chance]),
                ("hypergeometric", urn),
            ):
                got = getattr(gpu, name)(*to_device([KEYS, *operands]), dtype)
                assert got.dtype == np.dtype(dtype)
                want = getattr(cpu, name)(KEYS, *operands, dtype)
                np.testing.assert_array_equal(to_host(got), want, err_msg=name)


RANDOM: dict[str, Callable] = {
    "uniform": lambda k: ft.random.uniform(k, (3,), minval=1.0, maxval=2.0),
    "normal": lambda k: ft.random.normal(k, (3,)),
    "gamma": lambda k: ft.random.gamma(k, 2.0, (3,)),
    "poisson": lambda k: ft.random.poisson(k, 3.0, (3,)),
    "binomial": lambda k: ft.random.binomial(k, 10, 0.3, (3,)),
    "randint": lambda k: ft.random.randint(k, (3,), 0, 9),
    "permutation": lambda k: ft.random.permutation(k, 7),
    "choice": lambda k: ft.random.choice(k, 5, (3,)),
    "bernoulli": lambda k: ft.random.bernoulli(k, 0.3, (3,)),
    "beta": lambda k: ft.random.beta(k, 1.0, 2.0, (3,)),
}


@on_cpu
@pytest.mark.parametrize("name", RANDOM)
def test_random_numbers_live_where_the_key_does(name: str) -> None:
    f = RANDOM[name]
    for run, key in ((f, KEYS[0]), (ft.vmap(f), KEYS)):
        got = run(to_device(key))
        assert isinstance(got, DeviceArray)
        np.testing.assert_allclose(to_host(got), run(key), rtol=1e-5)


@on_cpu
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_von_mises_is_that_of_the_cpu(dtype: str) -> None:
    from functorch_like.kernels.cpu import samplers as cpu
    from functorch_like.kernels.gpu import samplers as gpu

    kappa = np.array([0, 1e-3, 0.5, 3, 1e3, 1e6, 1e7, 1e12, -1, np.nan], dtype)
    kappa = np.broadcast_to(kappa, (6, 40, 10)).copy()
    keys = np.random.default_rng(5).integers(0, 2**32, size=(*kappa.shape, 2), dtype=np.uint32)
    got, want = gpu.von_mises(*to_device([keys, kappa])), cpu.von_mises(keys, kappa)
    assert got.dtype == want.dtype
    np.testing.assert_allclose(to_host(got), want, rtol=1e-5 if dtype == "f4" else 1e-9, atol=1e-12)


@pytest.mark.parametrize("dtype", ["f4", "f8", "c16"])
def test_matrix_exponential_is_that_of_scipy(dtype: str) -> None:
    import scipy.linalg

    from functorch_like.kernels.gpu import matrix_exponential as gpu

    rng = np.random.default_rng(6)
    a = rng.normal(size=(5, 4, 4)) * np.array([0, 1e-9, 0.1, 2, 9])[:, None, None]
    a = (a + 1j * a.swapaxes(-1, -2)).astype(dtype) if dtype[0] == "c" else a.astype(dtype)
    e = rng.normal(size=a.shape).astype(dtype)
    tolerance = 2e-4 if dtype == "f4" else 1e-11
    got, slope = (
        gpu.matrix_exponential(to_device(a)),
        gpu.matrix_exponential_derivative(*to_device([a, e])),
    )
    assert got.dtype == slope.dtype == a.dtype
    for i, x in enumerate(a):
        want, moved = scipy.linalg.expm_frechet(x.astype("c16"), e[i].astype("c16"))
        for g, w in ((to_host(got)[i], want), (to_host(slope)[i], moved)):
            np.testing.assert_allclose(g, w, rtol=tolerance, atol=tolerance * np.abs(w).max())
    assert gpu.matrix_exponential(to_device(np.zeros((0, 3, 3)))).shape == (0, 3, 3)


# --- the kernels of the CPU the others are compared with -----------------------------------------


def stepped(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """y[k] = a[k] y[k-1] + b[k], column by column, in Python."""
    y = np.empty_like(b)
    for j in range(b.shape[1]):
        running = b.dtype.type(0)
        for k in range(b.shape[0]):
            running = b[k, j] if k == 0 else a[k, j] * running + b[k, j]
            y[k, j] = running
    return y


def test_recurrence_on_the_cpu() -> None:
    from functorch_like.kernels.cpu.recurrence import SMALL, _compiled, _steps, recurrence

    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 30, 7))
    np.testing.assert_allclose(_steps(a, b), stepped(a, b), rtol=1e-14)
    np.testing.assert_allclose(_compiled()(a, b), stepped(a, b), rtol=1e-13)
    # Both sides of the size at which Numba takes over, in every layout.
    a, b = rng.uniform(-0.9, 0.9, size=(2, 40, SMALL // 20))
    for axis in (0, 1):
        for reverse in (False, True):
            got = recurrence(a.T.copy().T, b[::-1], axis, reverse)
            flip = (slice(None),) * axis + (slice(None, None, -1 if reverse else 1),)
            want = np.moveaxis(
                _steps(np.moveaxis(a[flip], axis, 0), np.moveaxis(b[::-1][flip], axis, 0)), 0, axis
            )[flip]
            np.testing.assert_allclose(got, want, rtol=1e-12)


def test_scatter_add_agrees_at_every_size() -> None:
    from functorch_like.kernels.cpu.scatter import scatter_add
    from functorch_like.kernels.gpu.scatter import scatter_add as on_gpu

    rng = np.random.default_rng(1)
    for rows, width in ((10, 3), (3000, 16), (50, 0), (0, 4)):
        index = rng.integers(-7, 7, rows)
        values = rng.normal(size=(rows, width))
        want = np.zeros((7, width))
        np.add.at(want, index, values)
        for store in (np.zeros((7, width)), np.zeros((width, 7)).T):
            scatter_add(store, (index,), values)
            np.testing.assert_allclose(store, want, rtol=1e-12, atol=1e-12)
        moved = to_device(np.zeros((7, width)))
        on_gpu(moved, to_device((index,)), to_device(values))
        np.testing.assert_allclose(to_host(moved), want, rtol=1e-12, atol=1e-12)
    with pytest.raises((IndexError, ValueError)):
        scatter_add(np.zeros((3, 2)), (np.array([3]),), np.ones((1, 2)))


# --- on a device -------------------------------------------------------------------------------


CHOICES = {"eig", "eigh", "qr", "svd"}  # cuSOLVER chooses other signs of vectors than LAPACK


def differing(name: str) -> Iterator[str]:
    """Stages of a primitive whose results on the device are not those of the CPU."""
    import cupy

    def move(x: Any) -> Any:
        if isinstance(x, (list, tuple)):
            return type(x)(map(move, x))
        return cupy.asarray(x) if isinstance(x, (np.ndarray, np.generic)) else x

    for row in ROWS[name]:
        for dtype in row.dtypes:
            tolerance = 1e-3 if dtype.itemsize == (8 if dtype.kind == "c" else 4) else 1e-7
            here = dict(stages(row, dtype, lambda x: x))
            for stage, run in stages(row, dtype, move):
                if name in NO_DERIVATIVE and stage in ("jvp", "vjp"):
                    continue
                if name in CHOICES and stage != "kernel":
                    continue
                try:
                    pairs = list(zip(leaves(run()), leaves(here[stage]()), strict=True))
                except Exception as error:
                    yield f"{row} {dtype} {stage}: {type(error).__name__}: {error}"
                    continue
                for g, w in pairs:
                    got = cupy.asnumpy(g)
                    if name in CHOICES:
                        got, w = np.abs(got), np.abs(w)
                    scale = max(float(np.max(np.abs(w), initial=0.0)), 1e-300)
                    same = np.allclose(got, w, tolerance, tolerance * scale, equal_nan=True)
                    if not isinstance(g, cupy.ndarray) or not same:
                        yield f"{row} {dtype} {stage}: {type(g)} {got} where {w} was expected"


@needs_device
@skip_without_device
def test_primitives_on_the_device() -> None:
    """The values, and the transforms, of every row against the CPU."""
    wrong = [
        line
        for name in ROWS
        if name not in LACKING and name not in PARTLY
        for line in differing(name)
    ]
    assert not wrong, "\n".join(wrong)


@needs_device
@skip_without_device
def test_transforms_on_the_device() -> None:
    import cupy

    f = lambda x: np.sum(np.sin(x @ x.T) * np.cumprod(x, 0))
    got = ft.grad(f)(cupy.asarray(W))
    assert isinstance(got, cupy.ndarray)
    np.testing.assert_allclose(cupy.asnumpy(got), ft.grad(f)(W), rtol=1e-10)
    got = ft.hessian(f)(cupy.asarray(W))
    np.testing.assert_allclose(cupy.asnumpy(got), ft.hessian(f)(W), rtol=1e-9, atol=1e-10)
