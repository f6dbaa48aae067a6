"""The floors of the mixture and of bundle adjustment, by hand in Numba.

Both work on blocks of points or observations, transposed so that vectors run along the block.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
from floor_math import exp, sin_cos
from numba import njit, prange

BLOCK = 64


# -- Gaussian mixture


@njit(fastmath=True, error_model="numpy")
def _combine(q: Any, c: Any, out: Any) -> None:
    """Lower triangular matrix times a block of vectors."""
    for i in range(q.shape[0]):
        for b in range(BLOCK):
            out[i, b] = q[i, i] * c[i, b]
        j = 0
        while j + 4 <= i:
            q0, q1, q2, q3 = q[i, j], q[i, j + 1], q[i, j + 2], q[i, j + 3]
            for b in range(BLOCK):
                out[i, b] += q0 * c[j, b] + q1 * c[j + 1, b] + q2 * c[j + 2, b] + q3 * c[j + 3, b]
            j += 4
        while j < i:
            q0 = q[i, j]
            for b in range(BLOCK):
                out[i, b] += q0 * c[j, b]
            j += 1


@njit(fastmath=True, error_model="numpy")
def _outer(v: Any, c: Any, out: Any) -> None:
    """Subtract the lower triangle of v c' from ``out``."""
    for i in range(c.shape[0]):
        j = 0
        while j + 4 <= i + 1:
            s0 = s1 = s2 = s3 = 0.0
            for b in range(BLOCK):
                s0 += v[i, b] * c[j, b]
                s1 += v[i, b] * c[j + 1, b]
                s2 += v[i, b] * c[j + 2, b]
                s3 += v[i, b] * c[j + 3, b]
            out[i, j] -= s0
            out[i, j + 1] -= s1
            out[i, j + 2] -= s2
            out[i, j + 3] -= s3
            j += 4
        while j < i + 1:
            s0 = 0.0
            for b in range(BLOCK):
                s0 += v[i, b] * c[j, b]
            out[i, j] -= s0
            j += 1


@njit(fastmath=True, error_model="numpy")
def _mixture(logs: Any, means: Any, q: Any, x: Any, dw: Any, dz: Any, dq: Any) -> float:
    """Likelihood of some points; sums of responsibilities, of z, and the slope in the factors."""
    k, d = means.shape
    given, c, z = np.zeros((d, BLOCK)), np.empty((d, BLOCK)), np.empty((k, d, BLOCK))
    inner, top, norm = np.empty((k, BLOCK)), np.empty(BLOCK), np.empty(BLOCK)
    total = 0.0
    for start in range(0, x.shape[0], BLOCK):
        count = min(BLOCK, x.shape[0] - start)
        for b in range(count):
            for i in range(d):
                given[i, b] = x[start + b, i]
        top[:] = -np.inf
        for m in range(k):
            for i in range(d):
                for b in range(BLOCK):
                    c[i, b] = given[i, b] - means[m, i]
            _combine(q[m], c, z[m])
            for b in range(BLOCK):
                inner[m, b] = 0.0
            for i in range(d):
                for b in range(BLOCK):
                    inner[m, b] += z[m, i, b] * z[m, i, b]
            for b in range(BLOCK):
                inner[m, b] = logs[m] - 0.5 * inner[m, b]
                top[b] = max(top[b], inner[m, b])
        norm[:] = 0.0
        for m in range(k):
            for b in range(BLOCK):
                inner[m, b] = exp(inner[m, b] - top[b])
                norm[b] += inner[m, b]
        for b in range(count):
            total += top[b] + math.log(norm[b])
            norm[b] = 1.0 / norm[b]
        norm[count:] = 0.0
        for m in range(k):
            for i in range(d):
                for b in range(BLOCK):
                    c[i, b] = given[i, b] - means[m, i]
            s = 0.0
            for b in range(BLOCK):
                inner[m, b] *= norm[b]
                s += inner[m, b]
            dw[m] += s
            for i in range(d):
                s = 0.0
                for b in range(BLOCK):
                    z[m, i, b] *= inner[m, b]
                    s += z[m, i, b]
                dz[m, i] += s
            _outer(z[m], c, dq[m])
    return total


@njit(parallel=True, error_model="numpy")
def mixture(alphas: Any, means: Any, factors: Any, x: Any, constant: float) -> Any:
    """Log-likelihood in ADBench's parameters, and its gradient.

    ``constant`` is the part of the prior that depends on the sizes only, of one component.
    """
    (k, d), n = means.shape, x.shape[0]
    q, logs, prior = np.zeros((k, d, d)), np.empty(k), 0.0
    for m in range(k):
        logs[m] = alphas[m]
        at = d
        for j in range(d):
            logs[m] += factors[m, j]
            q[m, j, j] = math.exp(factors[m, j])
            prior += 0.5 * q[m, j, j] ** 2
            for i in range(j + 1, d):
                q[m, i, j] = factors[m, at]
                prior += 0.5 * factors[m, at] ** 2
                at += 1
    parts = numba.get_num_threads()
    totals, dws = np.empty(parts), np.zeros((parts, k))
    dzs, dqs = np.zeros((parts, k, d)), np.zeros((parts, k, d, d))
    for part in prange(parts):
        low, high = part * n // parts, (part + 1) * n // parts
        totals[part] = _mixture(logs, means, q, x[low:high], dws[part], dzs[part], dqs[part])
    dw, dz, dq = np.sum(dws, axis=0), np.sum(dzs, axis=0), np.sum(dqs, axis=0)
    top = np.max(alphas)
    shares = np.exp(alphas - top)
    norm = np.sum(shares)
    dmeans, dfactors = np.zeros_like(means), np.empty_like(factors)
    for m in range(k):
        at = d
        for j in range(d):
            dfactors[m, j] = dq[m, j, j] * q[m, j, j] + dw[m] + q[m, j, j] ** 2
            for i in range(j, d):
                dmeans[m, j] += q[m, i, j] * dz[m, i]
            for i in range(j + 1, d):
                dfactors[m, at] = dq[m, i, j] + q[m, i, j]
                at += 1
    value = np.sum(totals) + prior - k * constant
    value -= n * (top + math.log(norm)) + n * d * 0.5 * math.log(2 * math.pi)
    return value, (dw - n * shares / norm, dmeans, dfactors)


# -- bundle adjustment


@njit(fastmath=True, error_model="numpy", forceinline=True)
def _row(m: Any, a: Any, y: Any, c: float, s: float, inverse: float) -> Any:
    """Transposed derivative of the rotated point times ``m``: in the rotation, in the point.

    The axis is ``a``, the point ``y``, the cosine, sine and inverse of the angle follow.
    """
    n0 = a[1] * y[2] - a[2] * y[1]
    n1 = a[2] * y[0] - a[0] * y[2]
    n2 = a[0] * y[1] - a[1] * y[0]
    my = m[0] * y[0] + m[1] * y[1] + m[2] * y[2]
    ma = m[0] * a[0] + m[1] * a[1] + m[2] * a[2]
    ay = a[0] * y[0] + a[1] * y[1] + a[2] * y[2]
    angle = c * (m[0] * n0 + m[1] * n1 + m[2] * n2) + s * (ma * ay - my)
    t = 1.0 - c
    a0 = s * (y[1] * m[2] - y[2] * m[1]) + t * (m[0] * ay + y[0] * ma)
    a1 = s * (y[2] * m[0] - y[0] * m[2]) + t * (m[1] * ay + y[1] * ma)
    a2 = s * (y[0] * m[1] - y[1] * m[0]) + t * (m[2] * ay + y[2] * ma)
    along = angle - (a[0] * a0 + a[1] * a1 + a[2] * a2) * inverse
    rotation = (
        along * a[0] + a0 * inverse,
        along * a[1] + a1 * inverse,
        along * a[2] + a2 * inverse,
    )
    point = (
        c * m[0] + s * (m[1] * a[2] - m[2] * a[1]) + t * ma * a[0],
        c * m[1] + s * (m[2] * a[0] - m[0] * a[2]) + t * ma * a[1],
        c * m[2] + s * (m[0] * a[1] - m[1] * a[0]) + t * ma * a[2],
    )
    return rotation, point


@njit(fastmath=True, error_model="numpy")
def _blocks(
    cameras: Any,
    points: Any,
    weights: Any,
    seen_by: Any,
    seen: Any,
    features: Any,
    in_camera: Any,
    in_point: Any,
    in_weight: Any,
) -> None:
    given, found = np.ones((17, BLOCK)), np.empty((2, 15, BLOCK))
    for start in range(0, seen.size, BLOCK):
        count = min(BLOCK, seen.size - start)
        for b in range(count):
            for i in range(11):
                given[i, b] = cameras[seen_by[start + b], i]
            for i in range(3):
                given[11 + i, b] = points[seen[start + b], i]
            given[14, b] = weights[start + b]
            given[15, b], given[16, b] = features[start + b, 0], features[start + b, 1]
        for b in range(BLOCK):
            r0, r1, r2 = given[0, b], given[1, b], given[2, b]
            angle = math.sqrt(r0 * r0 + r1 * r1 + r2 * r2)
            inverse = 1.0 / angle
            a = (r0 * inverse, r1 * inverse, r2 * inverse)
            s, c = sin_cos(angle)
            y = (
                given[11, b] - given[3, b],
                given[12, b] - given[4, b],
                given[13, b] - given[5, b],
            )
            ay = (a[0] * y[0] + a[1] * y[1] + a[2] * y[2]) * (1.0 - c)
            p0 = c * y[0] + s * (a[1] * y[2] - a[2] * y[1]) + ay * a[0]
            p1 = c * y[1] + s * (a[2] * y[0] - a[0] * y[2]) + ay * a[1]
            p2 = 1.0 / (c * y[2] + s * (a[0] * y[1] - a[1] * y[0]) + ay * a[2])
            u, v = p0 * p2, p1 * p2
            r = u * u + v * v
            scale = 1.0 + given[9, b] * r + given[10, b] * r * r
            slope = 2.0 * (given[9, b] + 2.0 * given[10, b] * r)
            w = given[14, b]
            wf = w * given[6, b]
            x0, x1 = u * scale, v * scale
            d00, d01, d11 = scale + slope * u * u, slope * u * v, scale + slope * v * v
            f = wf * p2
            m0 = (f * d00, f * d01, -f * (d00 * u + d01 * v))
            m1 = (f * d01, f * d11, -f * (d01 * u + d11 * v))
            rotation0, point0 = _row(m0, a, y, c, s, inverse)
            rotation1, point1 = _row(m1, a, y, c, s, inverse)
            # written out: over a loop in here, LLVM would not vectorise
            found[0, 0, b], found[1, 0, b] = rotation0[0], rotation1[0]
            found[0, 3, b], found[1, 3, b] = -point0[0], -point1[0]
            found[0, 11, b], found[1, 11, b] = point0[0], point1[0]
            found[0, 1, b], found[1, 1, b] = rotation0[1], rotation1[1]
            found[0, 4, b], found[1, 4, b] = -point0[1], -point1[1]
            found[0, 12, b], found[1, 12, b] = point0[1], point1[1]
            found[0, 2, b], found[1, 2, b] = rotation0[2], rotation1[2]
            found[0, 5, b], found[1, 5, b] = -point0[2], -point1[2]
            found[0, 13, b], found[1, 13, b] = point0[2], point1[2]
            found[0, 6, b], found[1, 6, b] = w * x0, w * x1
            found[0, 7, b], found[1, 7, b] = w, 0.0
            found[0, 8, b], found[1, 8, b] = 0.0, w
            found[0, 9, b], found[1, 9, b] = wf * u * r, wf * v * r
            found[0, 10, b], found[1, 10, b] = wf * u * r * r, wf * v * r * r
            found[0, 14, b] = x0 * given[6, b] + given[7, b] - given[15, b]
            found[1, 14, b] = x1 * given[6, b] + given[8, b] - given[16, b]
        for b in range(count):
            for e in range(2):
                for i in range(11):
                    in_camera[start + b, e, i] = found[e, i, b]
                for i in range(3):
                    in_point[start + b, e, i] = found[e, 11 + i, b]
                in_weight[start + b, e] = found[e, 14, b]


@njit(parallel=True, error_model="numpy")
def blocks(cameras: Any, points: Any, weights: Any, seen_by: Any, seen: Any, features: Any) -> Any:
    """Jacobian blocks in camera, point and weight, and the slopes of the weight errors."""
    n, parts = weights.size, numba.get_num_threads()
    in_camera, in_point, in_weight = np.empty((n, 2, 11)), np.empty((n, 2, 3)), np.empty((n, 2))
    for part in prange(parts):
        low, high = part * n // parts, (part + 1) * n // parts
        _blocks(
            cameras,
            points,
            weights[low:high],
            seen_by[low:high],
            seen[low:high],
            features[low:high],
            in_camera[low:high],
            in_point[low:high],
            in_weight[low:high],
        )
    return (in_camera, in_point, in_weight), -2.0 * weights
