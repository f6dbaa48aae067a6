"""Numerical classics as people write them, with arguments.

They are run as they stand, and scripted: compiled, differentiated and batched.
"""

# ruff: noqa: B007
from __future__ import annotations

import math

import numpy as np

__all__ = ["CLASSICS"]


def dormand_prince(y, t, t_end, tolerance, theta):
    """Adaptive Dormand-Prince 5(4) for the Lotka-Volterra equations."""

    def rhs(y):
        return np.array(
            [theta[0] * y[0] - theta[1] * y[0] * y[1], theta[3] * y[0] * y[1] - theta[2] * y[1]]
        )

    h = 0.01
    steps = 0
    while t < t_end:
        if t + h > t_end:
            h = t_end - t
        k1 = rhs(y)
        k2 = rhs(y + h * (k1 / 5))
        k3 = rhs(y + h * (3 * k1 / 40 + 9 * k2 / 40))
        k4 = rhs(y + h * (44 * k1 / 45 - 56 * k2 / 15 + 32 * k3 / 9))
        k5 = rhs(
            y + h * (19372 * k1 / 6561 - 25360 * k2 / 2187 + 64448 * k3 / 6561 - 212 * k4 / 729)
        )
        k6 = rhs(
            y
            + h
            * (
                9017 * k1 / 3168
                - 355 * k2 / 33
                + 46732 * k3 / 5247
                + 49 * k4 / 176
                - 5103 * k5 / 18656
            )
        )
        new = y + h * (
            35 * k1 / 384 + 500 * k3 / 1113 + 125 * k4 / 192 - 2187 * k5 / 6784 + 11 * k6 / 84
        )
        k7 = rhs(new)
        error = h * (
            71 * k1 / 57600
            - 71 * k3 / 16695
            + 71 * k4 / 1920
            - 17253 * k5 / 339200
            + 22 * k6 / 525
            - k7 / 40
        )
        ratio = np.sqrt(
            np.mean((error / (tolerance * (1 + np.maximum(np.abs(y), np.abs(new))))) ** 2)
        )
        if ratio <= 1:
            t = t + h
            y = new
        steps += 1
        if steps > 10000:
            break
        h = h * min(5.0, max(0.2, 0.9 * (ratio + 1e-16) ** -0.2))
    return y


def kalman(observations, transition, noise, observe, spread):
    """Log likelihood of a linear Gaussian state space model."""
    n = transition.shape[0]
    mean = np.zeros(n)
    cov = np.eye(n)
    total = 0.0
    for y in observations:
        mean = transition @ mean
        cov = transition @ cov @ transition.T + noise
        residual = y - observe @ mean
        s = observe @ cov @ observe.T + spread
        gain = np.linalg.solve(s, observe @ cov).T
        total -= 0.5 * (
            residual @ np.linalg.solve(s, residual) + np.linalg.slogdet(2 * np.pi * s)[1]
        )
        mean = mean + gain @ residual
        cov = cov - gain @ s @ gain.T
    return total


def metropolis(log_density_scale, start, proposals, uniforms):
    """Random-walk Metropolis on a Gaussian; mean of the chain."""

    def log_density(x):
        return -0.5 * np.sum(x * x) * log_density_scale

    x = start
    current = log_density(x)
    accepted = 0
    total = np.zeros_like(start)
    for step in range(len(uniforms)):
        candidate = x + proposals[step]
        new = log_density(candidate)
        if math.log(uniforms[step]) < new - current:
            x = candidate
            current = new
            accepted += 1
        total += x
    return total / len(uniforms), accepted


def bisection(a, low=0.0, high=10.0):
    """Root of x^3 = a inside an objective."""

    def f(x):
        return x**3 - a

    while high - low > 1e-13:
        middle = (low + high) / 2
        if f(low) * f(middle) <= 0:
            high = middle
        else:
            low = middle
    x = (low + high) / 2
    return x - f(x) / (3 * x * x)


def time_warping(x, y):
    """Dynamic time warping distance."""
    n, m = len(x), len(y)
    d = np.full((n + 1, m + 1), np.inf)
    d[0, 0] = 0.0
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            cost = abs(x[i - 1] - y[j - 1])
            d[i, j] = cost + min(d[i - 1, j], d[i, j - 1], d[i - 1, j - 1])
    return d[n, m]


def thomas(a, b, c, d):
    """Tridiagonal system by in-place sweeps; a, b, c are the three diagonals."""
    n = len(d)
    b = b.copy()
    d = d.copy()
    for i in range(1, n):
        w = a[i] / b[i - 1]
        b[i] -= w * c[i - 1]
        d[i] -= w * d[i - 1]
    x = np.zeros(n)
    x[n - 1] = d[n - 1] / b[n - 1]
    for i in range(n - 2, -1, -1):
        x[i] = (d[i] - c[i] * x[i + 1]) / b[i]
    return x


def cholesky(a):
    """Cholesky factor by three loops."""
    n = a.shape[0]
    low = np.zeros((n, n))
    for i in range(n):
        for j in range(i + 1):
            s = a[i, j]
            for k in range(j):
                s -= low[i, k] * low[j, k]
            if i == j:
                low[i, j] = math.sqrt(s)
            else:
                low[i, j] = s / low[j, j]
    return low


def march(origin, direction, centres, radii):
    """Distance along a ray to a union of spheres; -1 where it misses."""
    t = 0.0
    for step in range(128):
        p = origin + t * direction
        distance = np.min(np.sqrt(np.sum((centres - p) ** 2, axis=1)) - radii)
        if distance < 1e-9:
            return t
        if t > 100.0:
            return -1.0
        t += distance
    return -1.0


def levenberg_marquardt(p, x, y):
    """Fit y = p0 exp(-p1 x) + p2."""

    def residuals(p):
        return p[0] * np.exp(-p[1] * x) + p[2] - y

    def jacobian(p):
        e = np.exp(-p[1] * x)
        return np.stack([e, -p[0] * x * e, np.ones_like(x)], axis=1)

    damping = 1e-3
    r = residuals(p)
    cost = r @ r
    iteration = 0
    while iteration < 100:
        iteration += 1
        j = jacobian(p)
        g = j.T @ r
        if np.max(np.abs(g)) < 1e-10:
            break
        h = j.T @ j
        step = np.linalg.solve(h + damping * np.diag(np.diag(h)), -g)
        new = residuals(p + step)
        if new @ new < cost:
            p = p + step
            r = new
            cost = r @ r
            damping = damping / 10
        else:
            damping = damping * 10
    return p


def _classics():
    """Each function with arguments and the positions of those that are differentiated."""
    rng = np.random.default_rng(0)
    draw = rng.normal
    square = draw(size=(8, 8))
    x = np.linspace(0, 3, 12)
    y = 2 * np.exp(-1.3 * x) + 0.5 + 0.01 * draw(size=12)
    rates = np.array([1.5, 1.0, 3.0, 1.0])
    transition = 0.9 * np.eye(3) + 0.05 * draw(size=(3, 3))
    spheres = np.array([[5.0, 0, 0], [7.0, 1, 0]])
    return {
        dormand_prince: ((np.array([1.0, 0.5]), 0.0, 2.0, 1e-6, rates), (0, 4)),
        kalman: (
            (draw(size=(9, 2)), transition, 0.1 * np.eye(3), draw(size=(2, 3)), 0.5 * np.eye(2)),
            (0, 1, 2),
        ),
        metropolis: ((1.5, np.zeros(3), 0.5 * draw(size=(20, 3)), rng.uniform(size=20)), (1, 2)),
        bisection: ((5.0,), (0,)),
        time_warping: ((draw(size=7), draw(size=8)), (0, 1)),
        thomas: ((draw(size=9), 5 + draw(size=9), draw(size=9), draw(size=9)), (0, 1, 2, 3)),
        cholesky: ((square @ square.T + 8 * np.eye(8),), (0,)),
        march: (
            (np.zeros(3), np.array([1.0, 0.02, 0.0]), spheres, np.array([1.0, 1.5])),
            (0, 1, 2, 3),
        ),
        levenberg_marquardt: ((np.array([1.0, 1.0, 0.0]), x, y), (2,)),
    }


CLASSICS = _classics()
