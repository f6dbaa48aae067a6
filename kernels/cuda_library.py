"""What CUDA source is printed with: CUDA's own functions, and a few of ours at the head."""

from __future__ import annotations

__all__ = ["CUDA_MATH", "MOST_ULPS", "PRELUDE"]

# CUDA's own functions, with the largest errors in units in the last place that the CUDA C++
# Programming Guide states for double and single precision, the larger where editions differ. Those
# within two units are used; instead of the others, and where CUDA has none, ours are printed.
CUDA_MATH: dict[str, tuple[str, float, float]] = {
    "exp": ("exp", 1, 2),
    "exp2": ("exp2", 1, 2),
    "expm1": ("expm1", 1, 1),
    "log": ("log", 1, 1),
    "log1p": ("log1p", 1, 1),
    "log2": ("log2", 1, 1),
    "log10": ("log10", 1, 2),
    "sin": ("sin", 2, 2),
    "cos": ("cos", 2, 2),
    "tan": ("tan", 2, 4),
    "arcsin": ("asin", 2, 4),
    "arccos": ("acos", 2, 3),
    "arctan": ("atan", 2, 2),
    "arctan2": ("atan2", 2, 3),
    "sinh": ("sinh", 2, 3),
    "cosh": ("cosh", 1, 2),
    "tanh": ("tanh", 1, 2),
    "arcsinh": ("asinh", 3, 3),
    "arccosh": ("acosh", 3, 4),
    "arctanh": ("atanh", 2, 3),
    "power": ("pow", 2, 4),
    "cbrt": ("cbrt", 1, 1),
    "hypot": ("hypot", 2, 3),
    "erf": ("erf", 2, 2),
    "erfc": ("erfc", 5, 4),
}
MOST_ULPS = 2.0

PRELUDE = """\
template <typename T> struct pair { T re, im; };
template <typename T> __device__ inline T larger(T x, T y) { return x >= y || x != x ? x : y; }
template <typename T> __device__ inline T smaller(T x, T y) { return x <= y || x != x ? x : y; }
struct add_up { template <typename T> __device__ T operator()(T x, T y) const { return x + y; } };
struct times { template <typename T> __device__ T operator()(T x, T y) const { return x * y; } };
struct highest {
    template <typename T> __device__ T operator()(T x, T y) const { return larger(x, y); }
};
struct lowest {
    template <typename T> __device__ T operator()(T x, T y) const { return smaller(x, y); }
};
struct either { template <typename T> __device__ T operator()(T x, T y) const { return x | y; } };
struct both { template <typename T> __device__ T operator()(T x, T y) const { return x & y; } };
// The values of all threads of a block put together in the same order always; for thread 0.
template <typename F, typename T> __device__ T across_block(T value, F put) {
    __shared__ T held[BLOCK_THREADS];
    __syncthreads();
    held[threadIdx.x] = value;
    for (unsigned half = BLOCK_THREADS / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half)
            held[threadIdx.x] = put(held[threadIdx.x], held[threadIdx.x + half]);
    }
    return held[0];
}
__device__ inline void accumulate(double* place, double value) { atomicAdd(place, value); }
__device__ inline void accumulate(float* place, float value) { atomicAdd(place, value); }
__device__ inline void accumulate(int* place, int value) { atomicAdd(place, value); }
__device__ inline void accumulate(unsigned* place, unsigned value) { atomicAdd(place, value); }
__device__ inline void accumulate(unsigned long long* place, unsigned long long value) {
    atomicAdd(place, value);
}
__device__ inline void accumulate(long long* place, long long value) {
    atomicAdd((unsigned long long*)place, (unsigned long long)value);
}
__device__ inline void latest(long long* place, long long value) {
    atomicMax((unsigned long long*)place, (unsigned long long)value);
}
// c = op(a) @ op(b) in one thread, for small products inside loops.
template <typename T> __device__ void product(
        const T* a, const T* b, T* c, long long m, long long n, long long k, bool at, bool bt) {
    for (long long i = 0; i < m; ++i)
        for (long long j = 0; j < n; ++j) {
            T sum = 0;
            for (long long l = 0; l < k; ++l)
                sum = fma(at ? a[l * m + i] : a[i * k + l], bt ? b[j * k + l] : b[l * n + j], sum);
            c[i * n + j] = sum;
        }
}
"""
