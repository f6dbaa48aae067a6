"""Threefry-2x32 on CuPy arrays, and the gamma sampler on it; see ``kernels.cpu``.

The bits are those of the CPU; gamma variates agree with it up to the rounding of logarithms.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from . import launch

__all__ = [
    "GENERATOR",
    "INSTANCES",
    "SOURCE",
    "fold",
    "gamma",
    "random_bits",
    "random_uniform",
    "split",
]

# One thread an element. The block stays in registers, and nothing is read but the key, so a
# stream is as fast as memory takes it. No headers, so that NVRTC needs none.
GENERATOR = """
typedef unsigned int u32;
typedef unsigned long long u64;
struct words { u32 x0, x1; };

__device__ inline u32 rotated(u32 x, int r) { return (x << r) | (x >> (32 - r)); }

__device__ inline words block(u32 k0, u32 k1, u32 x0, u32 x1) {
    const u32 key[3] = {k0, k1, k0 ^ k1 ^ 0x1BD11BDAu};
    const int rotations[2][4] = {{13, 15, 26, 6}, {17, 29, 16, 24}};
    x0 += k0;
    x1 += k1;
#pragma unroll
    for (int group = 0; group < 5; ++group) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            x0 += x1;
            x1 = rotated(x1, rotations[group % 2][i]) ^ x0;
        }
        x0 += key[(group + 1) % 3];
        x1 += key[(group + 2) % 3] + (u32)(group + 1);
    }
    return {x0, x1};
}

__device__ inline words numbered(const u32* key, u64 count, u64 i) {
    u64 row = i / count, at = i % count;
    return block(key[2 * row], key[2 * row + 1], (u32)(at >> 32), (u32)at);
}

__device__ inline u64 joined(words w) { return ((u64)w.x0 << 32) | w.x1; }

// Multiples of 2^-mantissa in [0, 1).
template <typename T> __device__ inline T unit(words w);
template <> __device__ inline float unit<float>(words w) {
    return (float)((w.x0 ^ w.x1) >> 9) * 1.1920928955078125e-07f;
}
template <> __device__ inline double unit<double>(words w) {
    return (double)(joined(w) >> 12) * 2.220446049250313e-16;
}

// Winitzki's approximation (2008), and Halley's steps on erf or erfc, whichever is not rounded.
template <typename T> __device__ inline T inverse_erf(T x) {
    T size = x < (T)0 ? -x : x, rest = (T)1 - size;
    T logs = log(rest * ((T)1 + size)), half = (T)4.330746750799873 + logs / (T)2;
    T z = sqrt(sqrt(half * half - logs / (T)0.147) - half);
    for (int i = 0; i < 3; ++i) {
        T miss = size < (T)0.5 ? erf(z) - size : rest - erfc(z);
        T step = miss * (T)0.8862269254527580 * exp(z * z);
        z -= step / ((T)1 + z * step);
    }
    return x < (T)0 ? -z : z;
}

template <typename T> __device__ inline T normal(words key) {
    const T low = sizeof(T) == 8 ? (T)-0.99999999999999988898 : (T)-0.99999994f;
    T u = unit<T>(block(key.x0, key.x1, 0, 0)) * ((T)1 - low) + low;
    return (T)1.4142135623730951 * inverse_erf(u > low ? u : low);
}
"""

SOURCE = (
    GENERATOR
    + """
template <typename T>
__global__ void random_bits(const u32* key, T* out, u64 count, u64 total) {
    u64 i = (u64)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= total) return;
    words w = numbered(key, count, i);
    out[i] = sizeof(T) == 8 ? (T)joined(w) : (T)(w.x0 ^ w.x1);
}

template <typename T>
__global__ void random_uniform(const u32* key, T* out, u64 count, u64 total) {
    u64 i = (u64)blockIdx.x * blockDim.x + threadIdx.x;
    if (i < total) out[i] = unit<T>(numbered(key, count, i));
}

__global__ void random_split(const u32* key, u32* out, u64 count, u64 total) {
    u64 i = (u64)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= total) return;
    words w = numbered(key, count, i);
    out[2 * i] = w.x0;
    out[2 * i + 1] = w.x1;
}

__global__ void random_fold(const u32* key, const u32* data, u32* out, u64 total) {
    u64 i = (u64)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= total) return;
    words w = block(key[2 * i], key[2 * i + 1], data[2 * i], data[2 * i + 1]);
    out[2 * i] = w.x0;
    out[2 * i + 1] = w.x1;
}

// Marsaglia and Tsang (2000), with the streams of kernels.cpu.samplers.gamma.
template <typename T>
__global__ void random_gamma(
        const u32* key, const T* shape, T* out, long long logarithm, u64 total) {
    u64 i = (u64)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= total) return;
    T a = shape[i];
    if (!(a > (T)0)) {
        out[i] = (T)0 / ((T)0 * a);  // NaN
        return;
    }
    bool large = a >= (T)1;
    T d = (large ? a : a + (T)1) - (T)(1.0 / 3), c = (T)(1.0 / 3) / sqrt(d), cube;
    words stream = block(key[2 * i], key[2 * i + 1], 0, 0);
    words boosting = block(key[2 * i], key[2 * i + 1], 0, 1);
    for (;;) {
        words normals = block(stream.x0, stream.x1, 0, 1);
        words uniforms = block(stream.x0, stream.x1, 0, 2);
        stream = block(stream.x0, stream.x1, 0, 0);
        T x, v;
        do {
            words drawn = block(normals.x0, normals.x1, 0, 1);
            normals = block(normals.x0, normals.x1, 0, 0);
            x = normal<T>(drawn);
            v = (T)1 + x * c;
        } while (v <= (T)0);
        T square = x * x, u = unit<T>(block(uniforms.x0, uniforms.x1, 0, 0));
        cube = v * v * v;
        if (u < (T)1 - (T)0.0331 * (square * square)) break;
        if (log(u) < square * (T)0.5 + d * ((T)1 - cube + log(cube))) break;
    }
    T left = (T)1 - unit<T>(block(boosting.x0, boosting.x1, 0, 0));
    if (logarithm) {
        T logs = log(left);
        out[i] = log(d) + log(cube) + (large || logs == (T)0 ? (T)0 : logs * ((T)1 / a));
    } else {
        out[i] = d * cube * (large ? (T)1 : pow(left, (T)1 / a));
    }
}
"""
)

BITS = {8: "unsigned char", 16: "unsigned short", 32: "unsigned int", 64: "unsigned long long"}
FLOATS = {"f": "float", "d": "double"}
INSTANCES = (
    *(f"random_bits<{t}>" for t in BITS.values()),
    *(f"random_uniform<{t}>" for t in FLOATS.values()),
    "random_split",
    "random_fold",
    *(f"random_gamma<{t}>" for t in FLOATS.values()),
)


def _numbered(name: str, key: Any, shape: Any, tail: tuple[int, ...], dtype: Any) -> Any:
    key = key.copy()  # in C order
    lead, count = key.shape[:-1], math.prod(shape)
    out = np.empty_like(key, shape=(*lead, *shape, *tail), dtype=dtype)
    total = math.prod(lead) * count
    launch.launch(SOURCE, name, total, key, out, count, total)
    return out


def random_bits(key: Any, shape: tuple[int, ...], width: int) -> Any:
    """Random bits; see ``kernels.cpu.threefry``."""
    return _numbered(f"random_bits<{BITS[width]}>", key, shape, (), f"uint{width}")


def random_uniform(key: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """Numbers in [0, 1); see ``kernels.cpu.threefry``."""
    dtype = np.dtype(dtype)
    if dtype.itemsize == 2:  # multiples of 2^-10
        bits = np.right_shift(random_bits(key, shape, 16), 6)
        return np.multiply(bits.astype(dtype), dtype.type(2.0**-10))
    return _numbered(f"random_uniform<{FLOATS[dtype.char]}>", key, shape, (), dtype)


def split(key: Any, shape: tuple[int, ...]) -> Any:
    """Keys; see ``kernels.cpu.threefry``."""
    return _numbered("random_split", key, shape, (2,), "uint32")


def fold(key: Any, words: Any) -> Any:
    """The key of a key and two words; see ``kernels.cpu.threefry``."""
    key, words = key.copy(), launch.cupy().asarray(words).astype("uint32")
    out = np.empty_like(key)
    launch.launch(SOURCE, "random_fold", key.size // 2, key, words, out, key.size // 2)
    return out


def gamma(key: Any, a: Any, log: bool) -> Any:
    """Gamma variates or their logarithms; see ``kernels.cpu.samplers``."""
    key, a = key.copy(), launch.cupy().asarray(a).copy()
    out = np.empty_like(a)
    name = f"random_gamma<{FLOATS[a.dtype.char]}>"
    launch.launch(SOURCE, name, a.size, key, a, out, int(log), a.size)
    return out
