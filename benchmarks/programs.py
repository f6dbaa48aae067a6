"""The programs of the benchmarks as a user of the library writes them: NumPy, and loops."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import expit

import functorch_like as ft

# -- elementwise


def twenty(x: Any) -> Any:
    """Twenty operations on a vector."""
    a = np.sin(x)
    b = np.exp(a)
    c = a * b
    d = c + x
    e = np.tanh(d)
    g = e * x
    h = g - a
    i = h * h
    j = np.log(i + 1.0)
    k = j / d
    m = np.sqrt(k * k + 1.0) * b
    n = m + c
    return np.sum(np.cos(n) * 2.0)


def bump(x: Any) -> Any:
    """Sum of exp(-x x) sin x."""
    return np.sum(np.exp(-x * x) * np.sin(x))


# -- differential equations

LORENZ_START, LORENZ_STEPS, LORENZ_H = (1.0, 1.0, 1.0), 10_000, 1e-3
LORENZ_PARAMETERS = (10.0, 28.0, 8.0 / 3.0)
LOTKA_VOLTERRA_START, LOTKA_VOLTERRA_END = (10.0, 5.0), 10.0
LOTKA_VOLTERRA_PARAMETERS = (1.1, 0.4, 0.4, 0.1)
NEURAL_ODE_END = 2.0
TOLERANCE = 1e-6


def lorenz(p: Any) -> Any:
    """Squared norm of the state after fixed Runge-Kutta steps of order 4."""
    h = LORENZ_H

    def slope(s: Any) -> Any:
        x, y, z = s[0], s[1], s[2]
        return np.stack([p[0] * (y - x), x * (p[1] - z) - y, x * y - p[2] * z])

    def step(s: Any, _: Any) -> tuple[Any, None]:
        k1 = slope(s)
        k2 = slope(s + h / 2 * k1)
        k3 = slope(s + h / 2 * k2)
        k4 = slope(s + h * k3)
        return s + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4), None

    s, _ = ft.scan(step, np.array(LORENZ_START), None, length=LORENZ_STEPS)
    return np.sum(s**2)


def integrate(slope: Callable, y: Any, end: float) -> Any:
    """State at ``end``: Bogacki-Shampine steps whose size follows the estimated error."""

    def unfinished(carry: Any) -> Any:
        return carry[0] < end

    def step(carry: Any) -> Any:
        t, h, y, k1 = carry
        h = np.minimum(h, end - t)
        k2 = slope(y + h / 2 * k1)
        k3 = slope(y + 3 / 4 * h * k2)
        new = y + h * (2 / 9 * k1 + 1 / 3 * k2 + 4 / 9 * k3)
        k4 = slope(new)
        error = h * (-5 / 72 * k1 + 1 / 12 * k2 + 1 / 9 * k3 - 1 / 8 * k4)
        error = np.sqrt(np.mean((error / (TOLERANCE * (1 + np.abs(new)))) ** 2))
        accepted = error <= 1
        return (
            np.where(accepted, t + h, t),
            h * np.clip(0.9 * error ** (-1 / 3), 0.2, 5.0),
            np.where(accepted, new, y),
            np.where(accepted, k4, k1),
        )

    return ft.while_loop(unfinished, step, (0.0, 0.01, y, slope(y)))[2]


def lotka_volterra(p: Any) -> Any:
    """Squared norm of predators and prey at the end, as a function of the four rates."""

    def slope(y: Any) -> Any:
        return np.stack([y[0] * (p[0] - p[1] * y[1]), y[1] * (p[3] * y[0] - p[2])])

    return np.sum(integrate(slope, np.array(LOTKA_VOLTERRA_START), LOTKA_VOLTERRA_END) ** 2)


def neural_ode(weights: Any, y: Any) -> Any:
    """Squared norm of the state at the end of y' = B tanh(A y + a)."""
    a, bias, b = weights[:128].reshape(16, 8), weights[128:144], weights[144:].reshape(8, 16)
    return np.sum(integrate(lambda y: b @ np.tanh(a @ y + bias), y, NEURAL_ODE_END) ** 2)


# -- statistics


def logistic(w: Any, x: Any, y: Any) -> Any:
    """Mean negative log-likelihood of labels 0 and 1."""
    z = x @ w
    return np.mean(np.logaddexp(0.0, z) - y * z)


def triangle(d: int) -> np.ndarray:
    """Where the elements of a factor stand: its diagonal, its columns below, then a zero."""
    size = d + d * (d - 1) // 2
    position = np.full((d, d), size)
    position[np.diag_indices(d)] = np.arange(d)
    columns, rows = np.triu_indices(d, 1)
    position[rows, columns] = np.arange(d, size)
    return position


def mixture(alphas: Any, means: Any, factors: Any, x: Any) -> Any:
    """Log-likelihood of a Gaussian mixture with ADBench's parameters and Wishart prior."""
    n, d = x.shape
    k = len(alphas)
    diagonals, below, sums = np.exp(factors[:, :d]), factors[:, d:], np.sum(factors[:, :d], axis=1)
    packed = np.concatenate([diagonals, below, np.zeros((k, 1))], axis=1)
    q = packed[:, triangle(d)]  # (k, d, d), lower triangular
    z = (x - means[:, None]) @ np.swapaxes(q, 1, 2)
    inner = (alphas + sums)[:, None] - 0.5 * np.sum(z**2, axis=2)
    likelihood = np.sum(ft.scipy.special.logsumexp(inner, axis=0))
    normaliser = n * ft.scipy.special.logsumexp(alphas) + n * d * 0.5 * math.log(2 * math.pi)
    prior = 0.5 * (np.sum(diagonals**2) + np.sum(below**2))  # gamma = 1, m = 0
    return likelihood - normaliser + prior - k * wishart_constant(d)


def wishart_constant(p: int) -> float:
    """The constant of the Wishart prior of one component, for gamma = 1 and m = 0."""
    n = p + 1
    multivariate = 0.25 * p * (p - 1) * math.log(math.pi) + sum(
        math.lgamma(0.5 * (n - j)) for j in range(p)
    )
    return -0.5 * n * p * math.log(2) - multivariate


def flat_mixture(theta: Any, x: Any, k: int = 5) -> Any:
    """``mixture`` as a function of one vector."""
    d = x.shape[1]
    return mixture(
        theta[:k], theta[k : k + k * d].reshape(k, d), theta[k + k * d :].reshape(k, -1), x
    )


def rosenbrock(x: Any) -> Any:
    """The function of Rosenbrock."""
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


# -- bundle adjustment


def cross(a: Any, b: Any) -> Any:
    """Cross product of two 3-vectors."""
    return np.stack(
        [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
    )


def reprojection(camera: Any, point: Any, weight: Any, feature: Any) -> Any:
    """Weighted error of one observation: ADBench's camera of 11 numbers, rotation not zero."""
    rotation, centre, focal = camera[:3], camera[3:6], camera[6]
    principal, radial = camera[7:9], camera[9:]
    angle = np.sqrt(np.sum(rotation**2))
    axis = rotation / angle
    x = point - centre
    sine, cosine = np.sin(angle), np.cos(angle)
    seen = x * cosine + cross(axis, x) * sine + axis * (np.sum(axis * x) * (1 - cosine))
    u = seen[:2] / seen[2]
    r = np.sum(u**2)
    u = u * (1 + radial[0] * r + radial[1] * r**2)
    return weight * (u * focal + principal - feature)


def weight_error(weight: Any) -> Any:
    """What keeps a weight near 1."""
    return 1 - weight**2


def residuals(cameras: Any, points: Any, weights: Any, seen_by: Any, seen: Any, f: Any) -> Any:
    """Errors of all observations."""
    return ft.vmap(reprojection)(cameras[seen_by], points[seen], weights, f), weight_error(weights)


def blocks(cameras: Any, points: Any, weights: Any, seen_by: Any, seen: Any, f: Any) -> Any:
    """Jacobian blocks of all observations, in camera, point and weight, and of weight errors."""
    jacobian = ft.vmap(ft.jacrev(reprojection, argnums=(0, 1, 2)))
    return jacobian(cameras[seen_by], points[seen], weights, f), ft.vmap(ft.grad(weight_error))(
        weights
    )


# -- networks, float32

RATE = 1e-3


def train(loss: Callable) -> Callable:
    """One step of gradient descent: the weights afterwards, and the loss before."""

    def step(weights: Any, *batch: Any) -> Any:
        value, gradient = ft.value_and_grad(loss)(weights, *batch)
        return ft.tree.map(lambda w, g: w - RATE * g, weights, gradient), value

    return step


def mlp(layers: Any, x: Any, labels: Any) -> Any:
    """Mean cross-entropy of a network with relu between its layers."""
    *hidden, (w, b) = layers
    for v, a in hidden:
        x = np.maximum(x @ v + a, 0)
    logits = x @ w + b
    chosen = logits[np.arange(len(labels)), labels]
    return np.mean(ft.scipy.special.logsumexp(logits, axis=-1) - chosen)


def layer_norm(x: Any, scale: Any, bias: Any) -> Any:
    """Standardised along the last axis, scaled and shifted."""
    x = x - np.mean(x, axis=-1, keepdims=True)
    return x / np.sqrt(np.mean(x**2, axis=-1, keepdims=True) + 1e-5) * scale + bias


def gelu(x: Any) -> Any:
    """The usual approximation with tanh."""
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def transformer(p: dict, x: Any, target: Any, heads: int = 4) -> Any:
    """Mean squared error of one block, norms first."""
    batch, tokens, width = x.shape
    y = layer_norm(x, p["norm1"], p["norm1_bias"]) @ p["qkv"] + p["qkv_bias"]
    y = y.reshape(batch, tokens, 3, heads, width // heads).transpose(2, 0, 3, 1, 4)
    q, k, v = y[0], y[1], y[2]
    scores = q @ np.swapaxes(k, -1, -2) * (width // heads) ** -0.5
    y = ft.scipy.special.softmax(scores, axis=-1) @ v
    y = y.transpose(0, 2, 1, 3).reshape(batch, tokens, width)
    x = x + y @ p["out"] + p["out_bias"]
    y = gelu(layer_norm(x, p["norm2"], p["norm2_bias"]) @ p["up"] + p["up_bias"])
    x = x + y @ p["down"] + p["down_bias"]
    return np.mean((x - target) ** 2)


def lstm(p: dict, x: Any, target: Any) -> Any:
    """Mean squared error of an LSTM's outputs."""
    _, batch, size = target.shape

    def step(carry: Any, z: Any) -> Any:
        h, c = carry
        i, f, g, o = np.split(z + h @ p["hidden"], 4, axis=-1)
        c = expit(f) * c + expit(i) * np.tanh(g)
        h = expit(o) * np.tanh(c)
        return (h, c), h

    start = np.zeros((batch, size), x.dtype)
    _, y = ft.scan(step, (start, start), x @ p["input"] + p["bias"])
    return np.mean((y - target) ** 2)
