"""GPU kernels: compiled here by NVRTC where it is installed, run where there is a device.

Without a device the array-module-neutral code is run on a strict stand-in for CuPy: an array
type that NumPy's functions dispatch on and that refuses to become a NumPy array in silence.
"""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import warnings

import numpy as np
import pytest

import functorch_like as ft
from functorch_like.kernels.gpu import recurrence as gpu_recurrence


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


@pytest.mark.parametrize("dtype", ["f", "d", "F", "D"])
def test_recurrence_compiles_to_ptx(dtype: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # CuPy warns that it finds no CUDA
        cupy = pytest.importorskip("cupy", reason="CuPy is not installed")
        nvrtc = cupy.cuda.nvrtc
    source = gpu_recurrence.SOURCE
    name = f"recurrence<{gpu_recurrence.TYPES[dtype]}>"
    try:
        program = nvrtc.createProgram(source, "recurrence.cu", (), ())
    except Exception as error:  # the wheel of the compiler is not installed
        pytest.skip(f"NVRTC is not installed: {type(error).__name__}")
    nvrtc.addNameExpression(program, name)
    nvrtc.compileProgram(program, ("-std=c++17", "--gpu-architecture=compute_80"))
    assert b".entry" in nvrtc.getPTX(program)


def test_recurrence_compiles_with_nvcc(tmp_path: pathlib.Path) -> None:
    nvcc = shutil.which("nvcc")
    if nvcc is None:
        pytest.skip("no nvcc here")
    instances = "".join(
        f"template __global__ void recurrence<{t}>(const {t}*, const {t}*, {t}*, "
        "long long, long long);\n"
        for t in gpu_recurrence.TYPES.values()
    )
    source, ptx = tmp_path / "recurrence.cu", tmp_path / "recurrence.ptx"
    source.write_text(gpu_recurrence.SOURCE + instances)
    subprocess.run([nvcc, "-ptx", "-arch=sm_80", str(source), "-o", str(ptx)], check=True)
    assert ptx.read_text().count(".entry") == len(gpu_recurrence.TYPES)


def run_source_on_cpu(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The CUDA kernel's loop, thread by thread, in Python."""
    y = np.empty_like(b)
    steps, columns = b.shape
    for j in range(columns):
        running = b.dtype.type(0)
        for k in range(steps):
            running = b[k, j] if k == 0 else a[k, j] * running + b[k, j]
            y[k, j] = running
    return y


def test_recurrence_agrees_with_the_cpu_kernel() -> None:
    from functorch_like.kernels.cpu.recurrence import SMALL, _compiled, _steps, recurrence

    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 30, 7))
    np.testing.assert_allclose(_steps(a, b), run_source_on_cpu(a, b), rtol=1e-14)
    np.testing.assert_allclose(_compiled()(a, b), run_source_on_cpu(a, b), rtol=1e-13)
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

    rng = np.random.default_rng(1)
    for rows, width in ((10, 3), (3000, 16), (50, 0), (0, 4)):
        index = rng.integers(-7, 7, rows)
        values = rng.normal(size=(rows, width))
        want = np.zeros((7, width))
        np.add.at(want, index, values)
        for store in (np.zeros((7, width)), np.zeros((width, 7)).T):
            scatter_add(store, (index,), values)
            np.testing.assert_allclose(store, want, rtol=1e-12, atol=1e-12)
    with pytest.raises((IndexError, ValueError)):
        scatter_add(np.zeros((3, 2)), (np.array([3]),), np.ones((1, 2)))


class DeviceArray(np.lib.mixins.NDArrayOperatorsMixin):
    """Stands for a CuPy array: dispatched on by NumPy, never converted to a NumPy array."""

    __array_priority__ = 100

    def __init__(self, value: np.ndarray) -> None:
        self.value = np.asarray(value)

    shape = property(lambda self: self.value.shape)
    dtype = property(lambda self: self.value.dtype)
    ndim = property(lambda self: self.value.ndim)
    size = property(lambda self: self.value.size)
    base = None

    def __array__(self, *args: object, **kwargs: object) -> np.ndarray:
        raise TypeError("implicit conversion of a device array to NumPy")

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **kwargs):
        if out is not None:
            kwargs["out"] = tuple(unwrapped(o) for o in out)
        result = getattr(ufunc, method)(*map(unwrapped, inputs), **kwargs)
        return DeviceArray(result)

    def __array_function__(self, func, types, args, kwargs):
        return rewrapped(func(*unwrapped(args), **unwrapped(kwargs)))

    def __getitem__(self, index):
        return DeviceArray(self.value[unwrapped(index)])

    def __setitem__(self, index, value):
        self.value[unwrapped(index)] = unwrapped(value)

    def __getattr__(self, name):
        method = getattr(self.value, name)
        if not callable(method):
            return method
        return lambda *args, **kwargs: rewrapped(method(*unwrapped(args), **unwrapped(kwargs)))


DeviceArray.__module__ = "cupy"  # is_gpu asks for the type's module


def unwrapped(x):
    if isinstance(x, DeviceArray):
        return x.value
    if isinstance(x, (tuple, list)):
        return type(x)(map(unwrapped, x))
    if isinstance(x, dict):
        return {k: unwrapped(v) for k, v in x.items()}
    return x


def rewrapped(x):
    if isinstance(x, (np.ndarray, np.generic)):
        return DeviceArray(np.asarray(x))
    return type(x)(map(rewrapped, x)) if isinstance(x, (tuple, list)) else x


W = np.random.default_rng(2).normal(size=(3, 3))


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.sum(np.sin(x) * x**2 - np.exp(x) / (x * x + 1)),
        lambda x: np.sum((x @ x.T)[1:, ::2] * 3.0),
        lambda x: np.sum(np.tanh(x[0]) * x[:, 1] + np.where(x[0] > 0, x[1], x[2])),
        lambda x: np.max(np.cumsum(x, axis=1)) + np.prod(x[0]) + np.mean(x, 0)[1],
        lambda x: np.sum(np.concatenate([x, 2 * x]).reshape(-1, 2).T[0] ** 3),
        lambda x: np.sum(np.maximum(x, 0.1) * np.abs(x) + np.arctan2(x, x * x + 1)),
    ],
)
def test_arrays_decide_the_device(f) -> None:
    """Values and gradients on the stand-in equal those on NumPy, with no silent transfer."""
    for transform in (ft.grad, lambda f: lambda x: ft.jvp(f, (x,), (x,))[1]):
        got = transform(f)(DeviceArray(W))
        assert isinstance(got, DeviceArray), type(got)
        np.testing.assert_allclose(got.value, transform(f)(W), rtol=1e-12)


@needs_device
@skip_without_device
def test_primitives_on_the_device() -> None:
    """Every row of the table whose kernel CuPy has, against the CPU."""
    import cupy
    from op_table import TABLE

    from functorch_like.primitives.core import registry

    refused = []
    for row in TABLE:
        for dtype in row.dtypes:
            operands = row.make(np.random.default_rng(0), dtype)
            want = registry[row.primitive].kernel(*operands, **row.params)
            try:
                got = registry[row.primitive].kernel(*map(cupy.asarray, operands), **row.params)
            except Exception as error:
                refused.append((str(row), type(error).__name__))
                continue
            if isinstance(got, cupy.ndarray):
                np.testing.assert_allclose(
                    cupy.asnumpy(got), want, rtol=1e-4 if dtype.itemsize == 4 else 1e-10
                )
    print(f"{len(refused)} rows CuPy has no kernel for: {refused}")


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
