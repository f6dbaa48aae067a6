"""The CUDA source of the random kernels, run on the CPU against NumPy's; see ``test_gpu.py``."""

from __future__ import annotations

import cuda_on_cpu
import numpy as np
import pytest
import strict_device

from functorch_like import random as r
from functorch_like.kernels.cpu import samplers
from functorch_like.kernels.cpu import threefry as cpu
from functorch_like.kernels.gpu import threefry as gpu

KEYS = cpu.split(np.array([3, 4], np.uint32), (40,))
to_device, host = strict_device.to_device, strict_device.host
on_cpu = pytest.mark.skipif(cuda_on_cpu.COMPILER is None, reason="no C++ compiler here")


@on_cpu
def test_bits_are_those_of_the_cpu() -> None:
    with cuda_on_cpu.without_a_device():
        keys = to_device(KEYS)
        for shape in ((), (5,), (2, 7), (0,)):
            for width in (8, 16, 32, 64):
                got = host(gpu.random_bits(keys, shape, width))
                np.testing.assert_array_equal(got, cpu.random_bits(KEYS, shape, width))
            for dtype in ("f2", "f4", "f8"):
                got = host(gpu.random_uniform(keys, shape, dtype))
                assert got.dtype == np.dtype(dtype)
                np.testing.assert_array_equal(got, cpu.random_uniform(KEYS, shape, dtype))
            np.testing.assert_array_equal(host(gpu.split(keys, shape)), cpu.split(KEYS, shape))
        words = cpu.split(KEYS[0], (40,))
        got = host(gpu.fold(keys, to_device(words)))
        np.testing.assert_array_equal(got, cpu.fold(KEYS, words))


@on_cpu
@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_gamma_is_that_of_the_cpu(dtype: str, log: bool) -> None:
    a = np.concatenate([np.geomspace(0.02, 1e4, 37), [0.0, -1.0, np.nan]]).astype(dtype)
    with cuda_on_cpu.without_a_device():
        got = host(gpu.gamma(to_device(KEYS), to_device(a), log))
    want = samplers.gamma(KEYS, a, log)
    assert got.dtype == want.dtype and np.isnan(got[37:]).all()
    tolerance = 1e-4 if dtype == "f4" else 1e-11
    np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance)


@on_cpu
def test_normal_numbers_of_the_device_in_the_tails() -> None:
    """The device's own inverse of erf, through SciPy's erf."""
    import scipy.special

    source = gpu.SOURCE + (
        "__global__ void inverse(const double* x, double* y, long long n) {"
        " long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;"
        " if (i < n) y[i] = inverse_erf(x[i]); }\n"
    )
    x = np.concatenate([[0.0], np.geomspace(1e-300, 0.5, 60), 1 - np.geomspace(1e-15, 0.5, 60)])
    x = np.concatenate([x, -x, [-0.99999999999999988898]])
    with cuda_on_cpu.without_a_device():
        from functorch_like.kernels.gpu import launch

        y = to_device(np.zeros_like(x))
        launch.launch(source, "inverse", x.size, to_device(x), y, x.size)
    np.testing.assert_allclose(host(y), scipy.special.erfinv(x), rtol=4e-15, atol=0)


DRAWS = {
    "uniform": lambda k: r.uniform(k, (4,), minval=np.arange(4.0) - 9),
    "normal": lambda k: r.normal(k, (4,)),
    "pareto": lambda k: r.pareto(k, 2.5, (4,)),
    "triangular": lambda k: r.triangular(k, 0.0, 1.0, 2.0, (4,)),
    "beta": lambda k: r.beta(k, 1.0, 2.0, (3,)),
    "dirichlet": lambda k: r.dirichlet(k, np.ones(3)),
    "bernoulli": lambda k: r.bernoulli(k, 0.4, (4,)),
    "randint": lambda k: r.randint(k, (4,), 0, 9),
    "categorical": lambda k: r.categorical(k, np.arange(3.0), shape=(4,)),
    "permutation": lambda k: r.permutation(k, 5),
    "choice": lambda k: r.choice(k, 5, (3,), replace=False),
    "fold_in": lambda k: r.fold_in(k, 3),
}


@on_cpu
@pytest.mark.parametrize("name", DRAWS)
def test_samples_are_where_the_key_is(name: str) -> None:
    with cuda_on_cpu.without_a_device():
        got = DRAWS[name](to_device(KEYS[0]))
        assert isinstance(got, strict_device.DeviceArray)
        np.testing.assert_allclose(host(got), DRAWS[name](KEYS[0]), rtol=1e-12)
