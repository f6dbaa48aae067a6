"""Counts and angles on CuPy arrays: ``kernels.cpu.samplers``, one thread an element.

Streams, formulas and sources are those of the CPU, so that both give the same numbers but for the
rounding of logarithms.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from . import launch
from .threefry import GENERATOR

__all__ = ["INSTANCES", "SOURCE", "binomial", "hypergeometric", "poisson", "von_mises"]

SOURCE = (
    GENERATOR
    + """
const int MOST = 10000;  // rounds of rejection

__device__ inline words child(words key, u32 i) { return block(key.x0, key.x1, 0, i); }

template <typename T> __device__ inline T uniform_at(words key, u32 position) {
    return unit<T>(block(key.x0, key.x1, 0, position));
}

__device__ inline double no_number() { return log(-1.0); }

__global__ void poisson(
        const u32* key, const double* rates, double* out, u64 columns, u64 total) {
    u64 i = (u64)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= total) return;
    u64 row = i / columns;
    u32 column = (u32)(i % columns);
    words keys = {key[2 * row], key[2 * row + 1]};
    double rate = rates[i];
    out[i] = -1.0;
    if (rate == 0.0) {
        out[i] = 0.0;
    } else if (rate > 0.0 && rate < 10.0) {  // products of uniform numbers
        double sum = 0.0, k = 0.0;
        do {
            words own = child(keys, 1);
            keys = child(keys, 0);
            k += 1.0;
            sum += log((double)uniform_at<float>(own, column));
        } while (sum > -rate);
        out[i] = k - 1.0;
    } else if (rate >= 10.0 && rate < 4611686018427387904.0) {  // Hoermann's rejection
        double log_rate = log(rate), b = 0.931 + 2.53 * sqrt(rate), a = -0.059 + 0.02483 * b;
        double inverse_alpha = 1.1239 + 1.1328 / (b - 3.4), v_r = 0.9277 - 3.6224 / (b - 2.0);
        for (int round = 0; round < MOST; ++round) {
            words first = child(keys, 1), second = child(keys, 2);
            keys = child(keys, 0);
            double u = (double)uniform_at<float>(first, column) - 0.5;
            double v = (double)uniform_at<float>(second, column);
            double edge = 0.5 - fabs(u);
            double k = floor((2.0 * a / edge + b) * u + rate + 0.43);
            double s = log(v * inverse_alpha / (a / (edge * edge) + b));
            double t = -rate + k * log_rate - lgamma(k + 1.0);
            bool quick = edge >= 0.07 && v <= v_r;
            bool rejected = k < 0.0 || (edge < 0.013 && v > edge);
            if (quick || (!rejected && s <= t)) {
                out[i] = k;
                break;
            }
        }
    }
}

// What Stirling's formula misses of log k!.
__device__ inline double stirling_rest(double k) {
    if (k <= 9.0) {
        return lgamma(k + 1.0)
            - (0.91893853320467274 + (k + 0.5) * log(k + 1.0) - (k + 1.0));
    }
    double squared = (k + 1.0) * (k + 1.0);
    return (1.0 / 12 - (1.0 / 360 - 1.0 / 1260 / squared) / squared) / (k + 1.0);
}

__global__ void binomial(
        const u32* key, const double* counts, const double* chances, double* out, u64 columns,
        u64 total) {
    u64 i = (u64)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= total) return;
    u64 row = i / columns;
    u32 column = (u32)(i % columns);
    words keys = {key[2 * row], key[2 * row + 1]};
    double n = floor(counts[i]), chance = chances[i];
    out[i] = no_number();
    if (!(n >= 0.0 && n < 1.7976931348623157e308 && chance >= 0.0 && chance <= 1.0)) return;
    bool flipped = chance >= 0.5;
    double p = flipped ? 1.0 - chance : chance, found = -1.0;
    if (n * p <= 10.0) {  // waiting times between successes
        double log_miss = log1p(-p), waited = 0.0, k = log_miss < 0.0 ? 0.0 : 1.0;
        while (log_miss < 0.0 && waited <= n) {
            words own = child(keys, 0);
            keys = child(keys, 1);
            k += 1.0;
            waited += ceil(log(uniform_at<double>(own, column)) / log_miss);
        }
        found = k - 1.0;
    } else {  // Hoermann's rejection
        double deviation = sqrt(n * p * (1.0 - p)), b = 1.15 + 2.53 * deviation;
        double a = -0.0873 + 0.0248 * b + 0.01 * p, center = n * p + 0.5, v_r = 0.92 - 4.2 / b;
        double odds = p / (1.0 - p), alpha = (2.83 + 5.1 / b) * deviation;
        double mode = floor((n + 1.0) * p);
        double at_mode = (mode + 0.5) * log((mode + 1.0) / (odds * (n - mode + 1.0)))
            + stirling_rest(mode) + stirling_rest(n - mode);
        for (int round = 0; round < MOST; ++round) {
            words first = child(keys, 1), second = child(keys, 2);
            keys = child(keys, 0);
            double u = uniform_at<double>(first, column) - 0.5;
            double v = uniform_at<double>(second, column);
            double edge = 0.5 - fabs(u), k = floor((2.0 * a / edge + b) * u + center);
            if (edge >= 0.07 && v <= v_r) {
                found = k;
                break;
            }
            if (k < 0.0 || k > n) continue;
            v = log(v * alpha / (a / (edge * edge) + b));
            double bound = at_mode + (n + 1.0) * log((n - mode + 1.0) / (n - k + 1.0))
                + (k + 0.5) * log(odds * (n - k + 1.0) / (k + 1.0))
                - stirling_rest(k) - stirling_rest(n - k);
            if (v <= bound) {
                found = k;
                break;
            }
        }
    }
    out[i] = flipped ? n - found : found;
}

__global__ void hypergeometric(
        const u32* key, const long long* goods, const long long* bads, const long long* draws,
        long long* out, u64 columns, u64 total) {
    u64 i = (u64)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= total) return;
    u64 row = i / columns;
    u32 column = (u32)(i % columns);
    words keys = {key[2 * row], key[2 * row + 1]};
    long long good = goods[i], bad = bads[i], drawn = draws[i], all = good + bad;
    out[i] = -1;
    if (good < 0 || bad < 0 || drawn < 0 || drawn > all) return;
    bool rest = drawn > all - drawn;  // what stays behind is a sample as well
    long long have = good, found = 0;
    for (long long todo = rest ? all - drawn : drawn; todo > 0; --todo) {
        words own = child(keys, 1);
        keys = child(keys, 0);
        if (uniform_at<double>(own, column) * (double)all < (double)have) {
            ++found;
            --have;
        }
        --all;
    }
    out[i] = rest ? good - found : found;
}

// Best and Fisher (1979); a key an element.
template <typename T>
__global__ void von_mises(const u32* key, const T* kappas, T* out, u64 total) {
    u64 i = (u64)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= total) return;
    const double pi = 3.14159265358979323846;
    words keys = {key[2 * i], key[2 * i + 1]}, stream = child(keys, 0);
    double k = (double)kappas[i];
    if (!(k >= 0.0)) {
        out[i] = (T)no_number();
        return;
    }
    double angle = normal<double>(child(keys, 1)) / sqrt(k);
    double root = sqrt(1.0 + 4.0 * k * k), t = 1.0 + root, excess = 1.0 + 1.0 / (root + 2.0 * k);
    for (int round = 0; k <= 1e6 && round < MOST; ++round) {
        words own = child(stream, 1);
        stream = child(stream, 0);
        double z = cos(pi * uniform_at<double>(own, 0)), u2 = uniform_at<double>(own, 1);
        double u3 = uniform_at<double>(own, 2);
        double versine = excess * (1.0 - z) / (t + 2.0 * k * z);  // 1 - cos
        double c = excess / 2.0 + k * versine;
        if (c * (2.0 - c) > u2 || log(c / u2) + 1.0 - c >= 0.0) {
            double half = versine / 2.0;
            angle = copysign(2.0 * asin(sqrt(half < 1.0 ? half : 1.0)), u3 - 0.5);
            break;
        }
    }
    double turned = fmod(angle + pi, 2.0 * pi);
    out[i] = (T)((turned < 0.0 ? turned + 2.0 * pi : turned) - pi);
}
"""
)

INSTANCES = ("poisson", "binomial", "hypergeometric", "von_mises<float>", "von_mises<double>")
FLOATS = {"f": "float", "d": "double"}


def _rows(key: Any, *parameters: Any) -> tuple[Any, int, int]:
    """Keys in C order, the number of elements a key, and that of all elements."""
    total = parameters[0].size
    rows = math.prod(key.shape[:-1])
    return key.copy(), total // max(rows, 1), total


def poisson(key: Any, rate: Any, dtype: Any) -> Any:
    """Poisson counts; see ``kernels.cpu.samplers``."""
    rate = rate.astype(np.float64).copy()  # in C order
    key, columns, total = _rows(key, rate)
    out = np.empty_like(rate)
    launch.launch(SOURCE, "poisson", total, key, rate, out, columns, total)
    return out.astype(dtype)


def binomial(key: Any, count: Any, chance: Any, dtype: Any) -> Any:
    """Binomial counts; see ``kernels.cpu.samplers``."""
    count, chance = count.astype(np.float64).copy(), chance.astype(np.float64).copy()
    key, columns, total = _rows(key, count)
    out = np.empty_like(count)
    launch.launch(SOURCE, "binomial", total, key, count, chance, out, columns, total)
    if np.dtype(dtype).kind in "iu":
        out = np.where(np.isnan(out), -1.0, out)
    return out.astype(dtype)


def hypergeometric(key: Any, good: Any, bad: Any, drawn: Any, dtype: Any) -> Any:
    """Good ones among those drawn; see ``kernels.cpu.samplers``."""
    good, bad, drawn = (x.astype(np.int64).copy() for x in (good, bad, drawn))
    key, columns, total = _rows(key, good)
    out = np.empty_like(good)
    launch.launch(SOURCE, "hypergeometric", total, key, good, bad, drawn, out, columns, total)
    return out.astype(dtype)


def von_mises(key: Any, kappa: Any) -> Any:
    """Angles about 0; see ``kernels.cpu.samplers``."""
    kappa = kappa.copy()
    out = np.empty_like(kappa)
    name = f"von_mises<{FLOATS[kappa.dtype.char]}>"
    launch.launch(SOURCE, name, kappa.size, key.copy(), kappa, out, kappa.size)
    return out
