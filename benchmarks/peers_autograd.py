"""The adaptive integrators in autograd, with a Python loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd
import autograd.numpy as np
import programs as p


def integrate(slope: Callable, y: Any, end: float) -> Any:
    """Bogacki-Shampine steps whose size follows the estimated error."""
    t, h, k1 = 0.0, 0.01, slope(y)
    while t < end:
        h = np.minimum(h, end - t)
        k2 = slope(y + h / 2 * k1)
        k3 = slope(y + 3 / 4 * h * k2)
        new = y + h * (2 / 9 * k1 + 1 / 3 * k2 + 4 / 9 * k3)
        k4 = slope(new)
        error = h * (-5 / 72 * k1 + 1 / 12 * k2 + 1 / 9 * k3 - 1 / 8 * k4)
        error = np.sqrt(np.mean((error / (p.TOLERANCE * (1 + np.abs(new)))) ** 2))
        if error <= 1:
            t, y, k1 = t + h, new, k4
        h = h * np.clip(0.9 * error ** (-1 / 3), 0.2, 5.0)
    return y


def lotka_volterra(q: Any) -> Any:
    """Squared norm of predators and prey at the end."""

    def slope(y: Any) -> Any:
        return np.array([y[0] * (q[0] - q[1] * y[1]), y[1] * (q[3] * y[0] - q[2])])

    return np.sum(integrate(slope, np.array(p.LOTKA_VOLTERRA_START), p.LOTKA_VOLTERRA_END) ** 2)


def neural_ode(weights: Any, y: Any) -> Any:
    """Squared norm of the state at the end of y' = B tanh(A y + a)."""
    a, bias = np.reshape(weights[:128], (16, 8)), weights[128:144]
    b = np.reshape(weights[144:], (8, 16))

    def slope(y: Any) -> Any:
        return np.dot(b, np.tanh(np.dot(a, y) + bias))

    return np.sum(integrate(slope, y, p.NEURAL_ODE_END) ** 2)


def make(name: str, *args: Any) -> Callable[[], Any]:
    """A call of a program's gradient."""
    gradient = autograd.grad({"lotka_volterra": lotka_volterra, "neural_ode": neural_ode}[name])
    return lambda: gradient(*args)
