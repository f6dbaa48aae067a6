"""Inputs of the benchmarks, as NumPy arrays."""

from __future__ import annotations

import itertools

import numpy as np


def generator() -> np.random.Generator:
    """The same stream for every input."""
    return np.random.default_rng(0)


def bump(dtype: type, n: int = 1_000_000) -> np.ndarray:
    """Numbers whose sum of exp(-x x) sin x is not near 0."""
    return generator().uniform(-2.0, 4.0, n).astype(dtype)


def logistic(n: int = 100_000, d: int = 100) -> tuple[np.ndarray, ...]:
    """Weights, features, and labels 0 or 1."""
    rng = generator()
    x, w = rng.normal(size=(n, d)), 0.1 * rng.normal(size=d)
    return w, x, (rng.uniform(size=n) < 1 / (1 + np.exp(-x @ w))).astype(float)


def mixture(n: int, d: int, k: int) -> tuple[np.ndarray, ...]:
    """Log-weights, means, inverse covariance factors and points."""
    rng = generator()
    alphas, means = rng.normal(size=k), rng.uniform(size=(k, d))
    factors = 0.3 * rng.normal(size=(k, d + d * (d - 1) // 2))
    return alphas, means, factors, rng.normal(size=(n, d))


def neural_ode() -> tuple[np.ndarray, np.ndarray]:
    """272 weights (8 x 16 and 16, 16 x 8) and the state of 8."""
    rng = generator()
    return 0.5 * rng.normal(size=272), rng.normal(size=8)


def bundle(cameras: int = 50, points: int = 2000, n: int = 10_000) -> tuple[np.ndarray, ...]:
    """Cameras, points, weights, the camera and the point of each observation, and features."""
    rng = generator()
    rotations, centres = 0.3 * rng.normal(size=(cameras, 3)), rng.normal(size=(cameras, 3))
    focal, principal = rng.uniform(400, 600, (cameras, 1)), rng.uniform(-5, 5, (cameras, 2))
    radial = 0.05 * rng.normal(size=(cameras, 2))
    scene = rng.uniform(-2, 2, (points, 3)) + np.array([0.0, 0.0, 10.0])
    return (
        np.concatenate([rotations, centres, focal, principal, radial], axis=1),
        scene,
        rng.uniform(0.5, 1.5, n),
        rng.integers(0, cameras, n),
        rng.integers(0, points, n),
        rng.uniform(-200, 200, (n, 2)),
    )


def mlp(batch: int = 128) -> tuple:
    """Layers 784-512-512-10 in float32, images and labels."""
    rng = generator()
    layers = [
        ((rng.normal(size=(m, n)) / np.sqrt(m)).astype(np.float32), np.zeros(n, np.float32))
        for m, n in itertools.pairwise([784, 512, 512, 10])
    ]
    return layers, rng.normal(size=(batch, 784)).astype(np.float32), rng.integers(0, 10, batch)


def transformer(batch: int = 16, tokens: int = 64, width: int = 128) -> tuple:
    """Weights of one block in float32, its input and the output wanted."""
    rng = generator()

    def matrix(m: int, n: int) -> np.ndarray:
        return (rng.normal(size=(m, n)) / np.sqrt(m)).astype(np.float32)

    def vector(n: int, value: float = 0.0) -> np.ndarray:
        return np.full(n, value, np.float32)

    weights = {
        "norm1": vector(width, 1.0),
        "norm1_bias": vector(width),
        "qkv": matrix(width, 3 * width),
        "qkv_bias": vector(3 * width),
        "out": matrix(width, width),
        "out_bias": vector(width),
        "norm2": vector(width, 1.0),
        "norm2_bias": vector(width),
        "up": matrix(width, 4 * width),
        "up_bias": vector(4 * width),
        "down": matrix(4 * width, width),
        "down_bias": vector(width),
    }
    x, target = rng.normal(size=(2, batch, tokens, width)).astype(np.float32)
    return weights, x, target


def lstm(steps: int = 128, batch: int = 32, size: int = 128) -> tuple:
    """Weights in float32 (gates in the order i, f, g, o), inputs and the outputs wanted."""
    rng = generator()
    scale = 1 / np.sqrt(size)
    weights = {
        "input": (scale * rng.normal(size=(size, 4 * size))).astype(np.float32),
        "hidden": (scale * rng.normal(size=(size, 4 * size))).astype(np.float32),
        "bias": np.zeros(4 * size, np.float32),
    }
    x, target = rng.normal(size=(2, steps, batch, size)).astype(np.float32)
    return weights, x, target
