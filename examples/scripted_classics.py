"""Nine numerical classics as they are published, compiled and differentiated by one decorator.

Loops, early exits and elements written in place stay as they stand. Each function is drawn over one
of its parameters; the straight lines are its gradient. Run as

    python examples/scripted_classics.py [picture.png]
"""

from __future__ import annotations

import math
import pathlib
import sys
from collections.abc import Callable

import numpy as np

import functorch_like as ft

scripted = ft.jit(script=True)


@scripted
def bogacki_shampine(rate, t_end=8.0, tolerance=1e-8):
    """Prey of the Lotka-Volterra equations at a later time, by an adaptive integrator."""

    def slope(y):
        return np.array([y[0] * (rate - y[1]), y[1] * (y[0] - 1.0)])

    y = np.array([1.5, 1.0])
    t, h = 0.0, 0.05
    while t < t_end:
        if t + h > t_end:
            h = t_end - t
        k1 = slope(y)
        k2 = slope(y + h * k1 / 2)
        k3 = slope(y + 3 * h * k2 / 4)
        new = y + h * (2 * k1 + 3 * k2 + 4 * k3) / 9
        k4 = slope(new)
        error = np.max(np.abs(h * (-5 * k1 / 72 + k2 / 12 + k3 / 9 - k4 / 8)))
        if error < tolerance:
            t += h
            y = new
        h *= min(4.0, max(0.2, 0.9 * (tolerance / (error + 1e-16)) ** (1 / 3)))
    return y[0]


@scripted
def kalman(noise, readings):
    """Log likelihood of a random walk seen through noise."""
    mean, variance, total = 0.0, 1.0, 0.0
    for reading in readings:
        variance += noise
        spread = variance + 0.25
        total -= 0.5 * ((reading - mean) ** 2 / spread + math.log(2 * math.pi * spread))
        gain = variance / spread
        mean += gain * (reading - mean)
        variance *= 1 - gain
    return total


@scripted
def metropolis(start, steps, uniforms):
    """Mean of a random walk through a distribution with two peaks, for fixed random numbers."""

    def energy(x):
        return (x * x - 1) ** 2

    x, total = start, 0.0
    for step, uniform in zip(steps, uniforms, strict=True):
        new = x + step
        if math.log(uniform) < energy(x) - energy(new):
            x = new
        total += x
    return total / len(steps)


@scripted
def bisection(a):
    """Minus the square of the root of x + exp(x) = a, found by halving."""
    low, high = -50.0, 50.0
    while high - low > 1e-13:
        middle = (low + high) / 2
        if middle + math.exp(middle) > a:
            high = middle
        else:
            low = middle
    x = (low + high) / 2
    x -= (x + math.exp(x) - a) / (1 + math.exp(x))  # one step of Newton's carries the derivative
    return -x * x


@scripted
def time_warping(shift, x, y):
    """Distance of two series that may be stretched."""
    d = np.full((len(x) + 1, len(y) + 1), np.inf)
    d[0, 0] = 0.0
    for i in range(len(x)):
        for j in range(len(y)):
            cost = (x[i] + shift - y[j]) ** 2
            d[i + 1, j + 1] = cost + min(d[i, j + 1], d[i + 1, j], d[i, j])
    return d[-1, -1]


@scripted
def rod(conductivity, heat):
    """Temperature in the middle of a heated rod: a tridiagonal system, swept in place."""
    n = len(heat)
    diagonal = np.full(n, 2 * conductivity + 0.1)
    x = heat.copy()
    for i in range(1, n):
        w = -conductivity / diagonal[i - 1]
        diagonal[i] += w * conductivity
        x[i] -= w * x[i - 1]
    x[-1] /= diagonal[-1]
    for i in range(n - 2, -1, -1):
        x[i] = (x[i] + conductivity * x[i + 1]) / diagonal[i]
    return x[n // 2]


@scripted
def log_determinant(length, points):
    """Of a covariance matrix, by the three loops of Cholesky."""
    n = len(points)
    low = np.zeros((n, n))
    total = 0.0
    for i in range(n):
        for j in range(i + 1):
            s = math.exp(-(((points[i] - points[j]) / length) ** 2)) + 0.01 * (i == j)
            for k in range(j):
                s -= low[i, k] * low[j, k]
            if i == j:
                low[i, j] = math.sqrt(s)
                total += 2 * math.log(low[i, j])
            else:
                low[i, j] = s / low[j, j]
    return total


@scripted
def ray(angle, centres, radii):
    """Distance along a ray to the first of some balls, by marching; 6 where it misses."""
    direction = np.array([math.cos(angle), math.sin(angle)])
    t = 0.0
    for _ in range(200):
        distance = np.min(np.sqrt(np.sum((centres - t * direction) ** 2, axis=1)) - radii)
        if distance < 1e-10:
            return t
        if t > 6.0:
            break
        t += distance
    return 6.0


@scripted
def levenberg_marquardt(outlier, x, y):
    """Decay rate fitted to data of which one is moved."""
    y = y.copy()
    y[3] += outlier
    p = np.array([1.0, 1.0])
    damping = 1e-3
    for _ in range(60):
        e = np.exp(-p[1] * x)
        r = p[0] * e - y
        j = np.stack([e, -p[0] * x * e], axis=1)
        g = j.T @ r
        if np.max(np.abs(g)) < 1e-12:
            break
        h = j.T @ j
        new = p - np.linalg.solve(h + damping * np.diag(np.diag(h)), g)
        if np.sum((new[0] * np.exp(-new[1] * x) - y) ** 2) < r @ r:
            p = new
            damping /= 10
        else:
            damping *= 10
    return p[1]


def classics() -> dict[str, tuple[Callable, tuple, tuple[float, float]]]:
    """Each function with its further arguments and the range of the first that is drawn."""
    rng = np.random.default_rng(1)
    x = np.linspace(0.0, 3.0, 12)
    walk = np.cumsum(0.5 * rng.normal(size=40)) + 0.5 * rng.normal(size=40)
    balls = np.array([[3.0, 0.0], [4.0, 1.6], [2.5, -1.5]])
    return {
        "adaptive Runge-Kutta": (bogacki_shampine, (), (0.6, 2.0)),
        "Kalman filter": (kalman, (walk,), (0.02, 1.0)),
        "Metropolis sampler": (
            metropolis, (0.6 * rng.normal(size=60), rng.uniform(size=60)), (-1.5, 1.5)
        ),
        "bisection": (bisection, (), (0.2, 6.0)),
        "dynamic time warping": (time_warping, (np.sin(x), np.cos(x)), (-1.5, 1.5)),
        "tridiagonal solver": (rod, (np.ones(41),), (0.2, 20.0)),
        "Cholesky": (log_determinant, (np.linspace(0, 4, 9),), (0.3, 2.0)),
        "ray marcher": (ray, (balls, np.array([0.5, 0.8, 0.6])), (-0.9, 0.8)),
        "Levenberg-Marquardt": (levenberg_marquardt, (x, 2 * np.exp(-1.3 * x)), (-0.4, 0.4)),
    }  # fmt: skip


def main(output: pathlib.Path | None = None) -> dict:
    """Print values and slopes, and draw each function with its tangents to ``output``."""
    found = {}
    for name, (f, rest, (low, high)) in classics().items():
        slope = ft.jit(ft.grad(f))
        t = np.linspace(low, high, 200)
        marks = np.linspace(low, high, 8)[1:-1]
        found[name] = {
            "t": t,
            "values": np.array([f(v, *rest) for v in t]),
            "marks": marks,
            "at": np.array([f(v, *rest) for v in marks]),
            "slopes": np.array([slope(v, *rest) for v in marks]),
        }
        one = found[name]
        print(
            f"{name:22} f({marks[2]:6.3f}) = {one['at'][2]:10.6f}, slope {one['slopes'][2]:10.6f}"
        )
    if output is not None:
        plot(found, output)
    return found


def plot(found: dict, output: pathlib.Path) -> None:
    """Nine curves and their tangents."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(3, 3, figsize=(11, 8), layout="constrained")
    for axis, (name, one) in zip(axes.flat, found.items(), strict=True):
        axis.plot(one["t"], one["values"], color="0.55", linewidth=1.5)
        half = 0.06 * (one["t"][-1] - one["t"][0])
        for t, value, slope in zip(one["marks"], one["at"], one["slopes"], strict=True):
            ends = np.array([-half, half])
            axis.plot(t + ends, value + slope * ends, color="tab:red", linewidth=2.5)
        axis.plot(one["marks"], one["at"], "o", color="black", markersize=4)
        axis.set_title(name)
        axis.grid(alpha=0.3)
    figure.supxlabel("the parameter that is differentiated in")
    figure.supylabel("value of the program; its slope in red")
    figure.savefig(output, dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else None)
