"""The floor of each benchmark: values and derivatives written by hand in Numba.

Work over many elements is dealt out to as many threads as there are cores, a chunk to each.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
from floor_math import exp, exp32, sin_cos, sin_cos32
from numba import njit, prange
from numpy import float32

# -- elementwise


@njit(fastmath=True, error_model="numpy")
def twenty(x: Any) -> Any:
    """Gradient of twenty operations on a vector, in reverse mode."""
    out = np.empty_like(x)
    for i in range(x.size):
        v = x[i]
        a = math.sin(v)
        b = math.exp(a)
        c = a * b
        d = c + v
        e = math.tanh(d)
        h = e * v - a
        q = h * h + 1.0
        k = math.log(q) / d
        r = math.sqrt(k * k + 1.0)
        dn = -2.0 * math.sin(r * b + c)
        dk = dn * b * k / r
        dh = 2.0 * h * dk / (d * q)
        dd = dh * v * (1.0 - e * e) - dk * k / d
        dc = dn + dd
        db = dn * r + dc * a
        out[i] = (dc * b - dh + db * b) * math.cos(v) + dd + dh * e
    return out


@njit(fastmath=True, error_model="numpy")
def _bump(x: Any, out: Any) -> float:
    total = 0.0
    for i in range(x.size):
        e = exp(-x[i] * x[i])
        s, c = sin_cos(x[i])
        total += e * s
        out[i] = e * (c - 2.0 * x[i] * s)
    return total


@njit(fastmath=True, error_model="numpy")
def _bump32(x: Any, out: Any) -> float:
    total = float32(0.0)
    for i in range(x.size):
        e = exp32(-x[i] * x[i])
        s, c = sin_cos32(x[i])
        total += e * s
        out[i] = e * (c - float32(2.0) * x[i] * s)
    return total


@njit(parallel=True, error_model="numpy")
def bump(x: Any) -> Any:
    """Sum of exp(-x x) sin x, and its gradient."""
    out, parts = np.empty_like(x), numba.get_num_threads()
    totals = np.empty(parts)
    for part in prange(parts):
        low, high = part * x.size // parts, (part + 1) * x.size // parts
        totals[part] = _bump(x[low:high], out[low:high])
    return np.sum(totals), out


@njit(parallel=True, error_model="numpy")
def bump32(x: Any) -> Any:
    """The same in single precision, blocks of which are summed in double."""
    out, parts = np.empty_like(x), numba.get_num_threads()
    totals = np.zeros(parts)
    for part in prange(parts):
        low, high = part * x.size // parts, (part + 1) * x.size // parts
        for start in range(low, high, 4096):
            stop = min(start + 4096, high)
            totals[part] += _bump32(x[start:stop], out[start:stop])
    return np.float32(np.sum(totals)), out


# -- Lorenz


@njit(fastmath=True, error_model="numpy")
def _slope(x: float, y: float, z: float, a: float, b: float, c: float) -> Any:
    return a * (y - x), x * (b - z) - y, x * y - c * z


@njit(fastmath=True, error_model="numpy")
def _pull(x: float, y: float, z: float, a: float, b: float, c: float, v: Any) -> Any:
    """Transposed Jacobian of the slope times ``v``: in the state, then in the parameters."""
    u0, u1, u2 = v
    state = ((b - z) * u1 - a * u0 + y * u2, a * u0 - u1 + x * u2, -x * u1 - c * u2)
    return state, ((y - x) * u0, x * u1, -z * u2)


@njit(fastmath=True, error_model="numpy")
def _along(s: Any, h: float, k: Any) -> Any:
    return s[0] + h * k[0], s[1] + h * k[1], s[2] + h * k[2]


@njit(fastmath=True, error_model="numpy")
def _stages(s: Any, h: float, a: float, b: float, c: float) -> Any:
    """States at which the slope is taken, and the state after the step."""
    k1 = _slope(s[0], s[1], s[2], a, b, c)
    s2 = _along(s, h / 2, k1)
    k2 = _slope(s2[0], s2[1], s2[2], a, b, c)
    s3 = _along(s, h / 2, k2)
    k3 = _slope(s3[0], s3[1], s3[2], a, b, c)
    s4 = _along(s, h, k3)
    k4 = _slope(s4[0], s4[1], s4[2], a, b, c)
    end = (
        s[0] + h / 6 * (k1[0] + 2 * k2[0] + 2 * k3[0] + k4[0]),
        s[1] + h / 6 * (k1[1] + 2 * k2[1] + 2 * k3[1] + k4[1]),
        s[2] + h / 6 * (k1[2] + 2 * k2[2] + 2 * k3[2] + k4[2]),
    )
    return s2, s3, s4, end


@njit(fastmath=True, error_model="numpy")
def lorenz_value(p: Any, steps: int, h: float) -> float:
    """Squared norm of the state after Runge-Kutta steps from (1, 1, 1)."""
    s = (1.0, 1.0, 1.0)
    for _ in range(steps):
        s = _stages(s, h, p[0], p[1], p[2])[3]
    return s[0] ** 2 + s[1] ** 2 + s[2] ** 2


@njit(fastmath=True, error_model="numpy")
def lorenz(p: Any, steps: int, h: float) -> Any:
    """The same and its gradient in the parameters; states are kept, stages computed again."""
    a, b, c = p[0], p[1], p[2]
    kept = np.empty((steps, 3))
    s = (1.0, 1.0, 1.0)
    for i in range(steps):
        kept[i, 0], kept[i, 1], kept[i, 2] = s
        s = _stages(s, h, a, b, c)[3]
    value = s[0] ** 2 + s[1] ** 2 + s[2] ** 2
    t, gradient = (2 * s[0], 2 * s[1], 2 * s[2]), (0.0, 0.0, 0.0)
    zero = (0.0, 0.0, 0.0)
    for i in range(steps - 1, -1, -1):
        s = (kept[i, 0], kept[i, 1], kept[i, 2])
        s2, s3, s4, _ = _stages(s, h, a, b, c)
        t4, p4 = _pull(s4[0], s4[1], s4[2], a, b, c, _along(zero, h / 6, t))
        t3, p3 = _pull(s3[0], s3[1], s3[2], a, b, c, _along(_along(zero, h / 3, t), h, t4))
        t2, p2 = _pull(s2[0], s2[1], s2[2], a, b, c, _along(_along(zero, h / 3, t), h / 2, t3))
        t1, p1 = _pull(s[0], s[1], s[2], a, b, c, _along(_along(zero, h / 6, t), h / 2, t2))
        t = (
            t[0] + t1[0] + t2[0] + t3[0] + t4[0],
            t[1] + t1[1] + t2[1] + t3[1] + t4[1],
            t[2] + t1[2] + t2[2] + t3[2] + t4[2],
        )
        gradient = (
            gradient[0] + p1[0] + p2[0] + p3[0] + p4[0],
            gradient[1] + p1[1] + p2[1] + p3[1] + p4[1],
            gradient[2] + p1[2] + p2[2] + p3[2] + p4[2],
        )
    return value, np.array(gradient)


# -- logistic regression

ROWS = 16  # that stay in the fastest cache between their two uses


@njit(fastmath=True, error_model="numpy")
def _logistic(w: Any, x: Any, y: Any, out: Any) -> float:
    total, columns = 0.0, w.size
    slope = np.empty(ROWS)
    for start in range(0, y.size, ROWS):
        rows = min(ROWS, y.size - start)
        for r in range(rows):
            dot = 0.0
            for j in range(columns):
                dot += x[start + r, j] * w[j]
            slope[r] = dot
        for r in range(rows):
            z = slope[r]
            e = exp(-abs(z))
            total += max(z, 0.0) + math.log1p(e) - y[start + r] * z
            slope[r] = (1.0 if z >= 0 else e) / (1.0 + e) - y[start + r]
        r = 0
        while r + 4 <= rows:
            s0, s1, s2, s3 = slope[r], slope[r + 1], slope[r + 2], slope[r + 3]
            i = start + r
            for j in range(columns):
                out[j] += s0 * x[i, j] + s1 * x[i + 1, j] + s2 * x[i + 2, j] + s3 * x[i + 3, j]
            r += 4
        for r in range(r, rows):  # noqa: B020
            for j in range(columns):
                out[j] += slope[r] * x[start + r, j]
    return total


@njit(parallel=True, error_model="numpy")
def logistic(w: Any, x: Any, y: Any) -> Any:
    """Mean negative log-likelihood and its gradient in one pass over the data."""
    parts, n = numba.get_num_threads(), y.size
    totals, out = np.empty(parts), np.zeros((parts, w.size))
    for part in prange(parts):
        low, high = part * n // parts, (part + 1) * n // parts
        totals[part] = _logistic(w, x[low:high], y[low:high], out[part])
    return np.sum(totals) / n, np.sum(out, axis=0) / n


# -- Rosenbrock


@njit(fastmath=True, error_model="numpy")
def rosenbrock_hessian(x: Any) -> Any:
    """Dense Hessian of the function of Rosenbrock."""
    n = x.size
    out = np.zeros((n, n))
    for i in range(n - 1):
        out[i, i] += 1200.0 * x[i] * x[i] - 400.0 * x[i + 1] + 2.0
        out[i + 1, i + 1] += 200.0
        out[i, i + 1] = out[i + 1, i] = -400.0 * x[i]
    return out
