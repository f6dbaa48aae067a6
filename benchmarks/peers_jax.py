"""The programs of the benchmarks in JAX. Each maker takes NumPy arrays and returns a call."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import programs as p
from jax import lax

jax.config.update("jax_enable_x64", True)


def ready(f: Callable, *args: Any) -> Callable[[], Any]:
    """A call of the compiled function that waits for its result."""
    compiled, args = jax.jit(f), jax.tree.map(jnp.asarray, args)
    return lambda: jax.block_until_ready(compiled(*args))


# -- elementwise


def twenty(x: Any) -> Any:
    """Twenty operations on a vector."""
    a = jnp.sin(x)
    b = jnp.exp(a)
    c = a * b
    d = c + x
    e = jnp.tanh(d)
    g = e * x
    h = g - a
    i = h * h
    j = jnp.log(i + 1.0)
    k = j / d
    m = jnp.sqrt(k * k + 1.0) * b
    n = m + c
    return jnp.sum(jnp.cos(n) * 2.0)


def small(x: np.ndarray) -> Callable[[], Any]:
    """Gradient of twenty operations; its one array is waited for with less ado."""
    gradient, array = jax.jit(jax.grad(twenty)), jnp.asarray(x)
    return lambda: gradient(array).block_until_ready()


def bump(x: Any) -> Any:
    """Sum of exp(-x x) sin x."""
    return jnp.sum(jnp.exp(-x * x) * jnp.sin(x))


# -- differential equations


def lorenz(parameters: Any) -> Any:
    """The state an array of three."""
    h = p.LORENZ_H

    def slope(s: Any) -> Any:
        x, y, z = s
        a, b, c = parameters
        return jnp.stack([a * (y - x), x * (b - z) - y, x * y - c * z])

    def step(s: Any, _: Any) -> tuple[Any, None]:
        k1 = slope(s)
        k2 = slope(s + h / 2 * k1)
        k3 = slope(s + h / 2 * k2)
        k4 = slope(s + h * k3)
        return s + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4), None

    s, _ = lax.scan(step, jnp.array(p.LORENZ_START), None, length=p.LORENZ_STEPS)
    return jnp.sum(s**2)


def lorenz_of_scalars(a: Any, b: Any, c: Any) -> Any:
    """The state a tuple of three scalars: what XLA's loops on a CPU like best."""
    h = p.LORENZ_H

    def slope(x: Any, y: Any, z: Any) -> Any:
        return a * (y - x), x * (b - z) - y, x * y - c * z

    def along(s: Any, k: Any, h: float) -> Any:
        return tuple(u + h * v for u, v in zip(s, k, strict=True))

    def step(_: Any, s: Any) -> Any:
        k1 = slope(*s)
        k2 = slope(*along(s, k1, h / 2))
        k3 = slope(*along(s, k2, h / 2))
        k4 = slope(*along(s, k3, h))
        return tuple(
            u + h / 6 * (v1 + 2 * v2 + 2 * v3 + v4)
            for u, v1, v2, v3, v4 in zip(s, k1, k2, k3, k4, strict=True)
        )

    x, y, z = lax.fori_loop(0, p.LORENZ_STEPS, step, tuple(map(jnp.float64, p.LORENZ_START)))
    return x * x + y * y + z * z


def lorenz_forward(parameters: Any) -> Any:
    """Value and gradient by forward mode over tuples of scalars, the three directions batched."""
    push = partial(jax.jvp, lorenz_of_scalars, tuple(parameters))
    return jax.vmap(push, out_axes=(None, 0))(tuple(jnp.eye(3)))


def lorenz_directions(parameters: Any) -> Any:
    """Value and gradient by forward mode over tuples of scalars, one direction at a time."""
    primals, slopes = tuple(parameters), []
    for i in range(3):
        tangents = tuple(jnp.float64(i == j) for j in range(3))
        value, slope = jax.jvp(lorenz_of_scalars, primals, tangents)
        slopes.append(slope)
    return value, jnp.stack(slopes)


def lorenz_hessian_of_scalars(parameters: Any) -> Any:
    """Hessian by forward over forward mode over tuples of scalars."""
    every = (0, 1, 2)
    columns = jax.jacfwd(jax.jacfwd(lorenz_of_scalars, argnums=every), argnums=every)(*parameters)
    return jnp.stack([jnp.stack(row) for row in columns])


def integrate(slope: Callable, y: Any, end: float) -> Any:
    """Bogacki-Shampine steps whose size follows the estimated error."""

    def unfinished(carry: Any) -> Any:
        return carry[0] < end

    def step(carry: Any) -> Any:
        t, h, y, k1 = carry
        h = jnp.minimum(h, end - t)
        k2 = slope(y + h / 2 * k1)
        k3 = slope(y + 3 / 4 * h * k2)
        new = y + h * (2 / 9 * k1 + 1 / 3 * k2 + 4 / 9 * k3)
        k4 = slope(new)
        error = h * (-5 / 72 * k1 + 1 / 12 * k2 + 1 / 9 * k3 - 1 / 8 * k4)
        error = jnp.sqrt(jnp.mean((error / (p.TOLERANCE * (1 + jnp.abs(new)))) ** 2))
        accepted = error <= 1
        return (
            jnp.where(accepted, t + h, t),
            h * jnp.clip(0.9 * error ** (-1 / 3), 0.2, 5.0),
            jnp.where(accepted, new, y),
            jnp.where(accepted, k4, k1),
        )

    return lax.while_loop(unfinished, step, (0.0, 0.01, y, slope(y)))[2]


def lotka_volterra(q: Any) -> Any:
    """Squared norm of predators and prey at the end."""

    def slope(y: Any) -> Any:
        return jnp.stack([y[0] * (q[0] - q[1] * y[1]), y[1] * (q[3] * y[0] - q[2])])

    start = jnp.array(p.LOTKA_VOLTERRA_START)
    return jnp.sum(integrate(slope, start, p.LOTKA_VOLTERRA_END) ** 2)


def neural_ode(weights: Any, y: Any) -> Any:
    """Squared norm of the state at the end of y' = B tanh(A y + a)."""
    a, bias, b = weights[:128].reshape(16, 8), weights[128:144], weights[144:].reshape(8, 16)
    end = integrate(lambda y: b @ jnp.tanh(a @ y + bias), y, p.NEURAL_ODE_END)
    return jnp.sum(end**2)


# -- statistics


def logistic(w: Any, x: Any, y: Any) -> Any:
    """Mean negative log-likelihood."""
    z = x @ w
    return jnp.mean(jnp.logaddexp(0.0, z) - y * z)


def mixture(alphas: Any, means: Any, factors: Any, x: Any) -> Any:
    """Log-likelihood of a Gaussian mixture in ADBench's parameters."""
    n, d = x.shape
    k = len(alphas)
    diagonals, below = jnp.exp(factors[:, :d]), factors[:, d:]
    sums = jnp.sum(factors[:, :d], axis=1)
    packed = jnp.concatenate([diagonals, below, jnp.zeros((k, 1))], axis=1)
    q = packed[:, p.triangle(d)]
    z = jnp.einsum("kij,knj->kni", q, x - means[:, None])
    inner = (alphas + sums)[:, None] - 0.5 * jnp.sum(z**2, axis=2)
    likelihood = jnp.sum(jax.nn.logsumexp(inner, axis=0))
    normaliser = n * jax.nn.logsumexp(alphas) + n * d * 0.5 * math.log(2 * math.pi)
    prior = 0.5 * (jnp.sum(diagonals**2) + jnp.sum(below**2))
    return likelihood - normaliser + prior - k * p.wishart_constant(d)


def flat_mixture(theta: Any, x: Any, k: int = 5) -> Any:
    """``mixture`` as a function of one vector."""
    d = x.shape[1]
    return mixture(
        theta[:k], theta[k : k + k * d].reshape(k, d), theta[k + k * d :].reshape(k, -1), x
    )


def rosenbrock(x: Any) -> Any:
    """The function of Rosenbrock."""
    return jnp.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


# -- bundle adjustment


def reprojection(camera: Any, point: Any, weight: Any, feature: Any) -> Any:
    """Weighted error of one observation."""
    rotation, centre, focal = camera[:3], camera[3:6], camera[6]
    principal, radial = camera[7:9], camera[9:]
    angle = jnp.sqrt(jnp.sum(rotation**2))
    axis = rotation / angle
    x = point - centre
    sine, cosine = jnp.sin(angle), jnp.cos(angle)
    seen = x * cosine + jnp.cross(axis, x) * sine + axis * (axis @ x * (1 - cosine))
    u = seen[:2] / seen[2]
    r = jnp.sum(u**2)
    u = u * (1 + radial[0] * r + radial[1] * r**2)
    return weight * (u * focal + principal - feature)


def blocks(jacobian: Callable) -> Callable:
    """Jacobian blocks of all observations by ``jax.jacrev`` or ``jax.jacfwd``."""

    def f(cameras: Any, points: Any, weights: Any, seen_by: Any, seen: Any, features: Any) -> Any:
        each = jax.vmap(jacobian(reprojection, argnums=(0, 1, 2)))
        errors = jax.vmap(jax.grad(p.weight_error))(weights)
        return each(cameras[seen_by], points[seen], weights, features), errors

    return f


# -- networks


def training(loss: Callable, weights: Any, *batch: Any) -> Callable[[], Any]:
    """A call that makes one step of gradient descent, the weights donated to it."""

    @partial(jax.jit, donate_argnums=0)
    def step(weights: Any, *batch: Any) -> Any:
        value, gradient = jax.value_and_grad(loss)(weights, *batch)
        return jax.tree.map(lambda w, g: w - p.RATE * g, weights, gradient), value

    state = jax.tree.map(lambda w: jnp.array(w, copy=True), weights)
    batch = jax.tree.map(jnp.asarray, batch)

    def call() -> Any:
        nonlocal state
        state, value = jax.block_until_ready(step(state, *batch))
        return state, value

    return call


def mlp(layers: Any, x: Any, labels: Any) -> Any:
    """Mean cross-entropy."""
    *hidden, (w, b) = layers
    for v, a in hidden:
        x = jax.nn.relu(x @ v + a)
    logs = jax.nn.log_softmax(x @ w + b)
    return -jnp.mean(jnp.take_along_axis(logs, labels[:, None], axis=1))


def layer_norm(x: Any, scale: Any, bias: Any) -> Any:
    """Standardised along the last axis, scaled and shifted."""
    x = x - jnp.mean(x, axis=-1, keepdims=True)
    return x * lax.rsqrt(jnp.mean(x**2, axis=-1, keepdims=True) + 1e-5) * scale + bias


def transformer(q: dict, x: Any, target: Any, heads: int = 4) -> Any:
    """Mean squared error of one block, norms first."""
    batch, tokens, width = x.shape
    y = layer_norm(x, q["norm1"], q["norm1_bias"]) @ q["qkv"] + q["qkv_bias"]
    y = y.reshape(batch, tokens, 3, heads, width // heads).transpose(2, 0, 3, 1, 4)
    scores = y[0] @ jnp.swapaxes(y[1], -1, -2) * (width // heads) ** -0.5
    y = jax.nn.softmax(scores, axis=-1) @ y[2]
    y = y.transpose(0, 2, 1, 3).reshape(batch, tokens, width)
    x = x + y @ q["out"] + q["out_bias"]
    y = jax.nn.gelu(layer_norm(x, q["norm2"], q["norm2_bias"]) @ q["up"] + q["up_bias"])
    x = x + y @ q["down"] + q["down_bias"]
    return jnp.mean((x - target) ** 2)


def lstm(q: dict, x: Any, target: Any) -> Any:
    """Mean squared error of an LSTM's outputs."""
    _, batch, size = target.shape

    def step(carry: Any, z: Any) -> Any:
        h, c = carry
        i, f, g, o = jnp.split(z + h @ q["hidden"], 4, axis=-1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    start = jnp.zeros((batch, size), x.dtype)
    _, y = lax.scan(step, (start, start), x @ q["input"] + q["bias"])
    return jnp.mean((y - target) ** 2)
