"""Programs in the style of HIPS autograd's tutorial, against autograd itself.

Each program takes the NumPy namespace as its first parameter: ours runs on plain ``numpy``,
autograd's on ``autograd.numpy``. Values, gradients and Hessians must agree.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from types import ModuleType
from typing import Any

import autograd
import autograd.numpy
import numpy
import pytest

import functorch_like as ft

RNG = numpy.random.default_rng(7)
CLOSE: dict[str, Any] = {"rtol": 1e-10, "atol": 1e-10}


def tanh_by_exp(np: ModuleType, x: Any) -> Any:
    """Hyperbolic tangent from exponentials."""
    y = np.exp(-2.0 * x)
    return (1.0 - y) / (1.0 + y)


def taylor_sine(np: ModuleType, x: Any) -> Any:
    """Sine by its series, until the terms no longer matter."""
    total = term = x
    k = 0
    while np.abs(term) > 1e-17:
        term = -term * x**2 / ((2 * k + 3) * (2 * k + 2))
        total = total + term
        k += 1
    return total


def newton_square_root(np: ModuleType, x: Any) -> Any:
    """Square root by recursion, with a branch on the value."""

    def improve(y: Any) -> Any:
        following = (y + x / y) / 2
        return following if np.abs(following - y) < 1e-12 else improve(following)

    return improve(x if x > 1 else np.ones_like(x))


def rosenbrock(np: ModuleType, x: Any) -> Any:
    """Rosenbrock's function in any number of variables."""
    return np.sum(100 * (x[1:] - x[:-1] ** 2.0) ** 2.0 + (1 - x[:-1]) ** 2.0)


LOGISTIC_INPUTS = numpy.array(
    [[0.52, 1.12, 0.77], [0.88, -1.08, 0.15], [0.52, 0.06, -1.30], [0.74, -2.49, 1.39]]
)
LOGISTIC_TARGETS = numpy.array([True, True, False, True])


def logistic_regression(np: ModuleType, weights: Any) -> Any:
    """Training loss of the tutorial: sigmoid by tanh, probabilities of the labels."""

    def sigmoid(x: Any) -> Any:
        return 0.5 * (np.tanh(x / 2.0) + 1)

    predictions = sigmoid(np.dot(LOGISTIC_INPUTS, weights))
    of_labels = predictions * LOGISTIC_TARGETS + (1 - predictions) * (1 - LOGISTIC_TARGETS)
    return -np.sum(np.log(of_labels))


SIZES = (3, 5, 4, 2)
COUNT = sum(m * n + n for m, n in itertools.pairwise(SIZES))
NET_INPUTS = RNG.normal(size=(6, 3))
NET_TARGETS = numpy.eye(2)[RNG.integers(0, 2, 6)]


def neural_net(np: ModuleType, flat: Any) -> Any:
    """Cross-entropy of a small network whose parameters are sliced from one vector."""
    layers, start = [], 0
    for m, n in itertools.pairwise(SIZES):
        weight = np.reshape(flat[start : start + m * n], (m, n))
        bias = flat[start + m * n : start + m * n + n]
        layers.append((weight, bias))
        start += m * n + n
    inputs = NET_INPUTS
    for weight, bias in layers:
        outputs = np.dot(inputs, weight) + bias
        inputs = np.tanh(outputs)
    log_probabilities = outputs - np.log(np.sum(np.exp(outputs), axis=1, keepdims=True))
    prior = -0.05 * np.dot(flat, flat)
    return -prior - np.sum(log_probabilities * NET_TARGETS)


GRID = 6
DENSITY = RNG.uniform(size=(GRID, GRID))
WANTED = RNG.uniform(size=(GRID, GRID))


def fluid(np: ModuleType, flat: Any) -> Any:
    """Two steps of a toy fluid on a torus: projection by relaxation, then upwind advection."""
    vx, vy = np.reshape(flat, (2, GRID, GRID))
    density = DENSITY
    for _ in range(2):
        divergence = 0.5 * (
            np.roll(vx, -1, axis=0)
            - np.roll(vx, 1, axis=0)
            + np.roll(vy, -1, axis=1)
            - np.roll(vy, 1, axis=1)
        )
        pressure = np.zeros((GRID, GRID))
        for _ in range(4):
            around = sum(np.roll(pressure, s, axis=a) for s in (-1, 1) for a in (0, 1))
            pressure = (around - divergence) / 4.0
        vx = vx - 0.5 * (np.roll(pressure, -1, axis=0) - np.roll(pressure, 1, axis=0))
        vy = vy - 0.5 * (np.roll(pressure, -1, axis=1) - np.roll(pressure, 1, axis=1))
        for v, axis in ((vx, 0), (vy, 1)):
            step = 0.2 * v
            density = density - np.where(
                step > 0,
                step * (density - np.roll(density, 1, axis=axis)),
                step * (np.roll(density, -1, axis=axis) - density),
            )
    return np.mean((density - WANTED) ** 2)


POINTS = RNG.normal(size=(12, 2))


def gaussian_mixture(np: ModuleType, flat: Any) -> Any:
    """Log-likelihood of three Gaussians with full covariance, logsumexp by hand."""
    logits, means = flat[:3], np.reshape(flat[3:9], (3, 2))
    factors = np.reshape(flat[9:], (3, 2, 2))

    def logsumexp(x: Any, axis: int) -> Any:
        largest = np.max(x, axis=axis, keepdims=True)
        return np.squeeze(largest, axis) + np.log(np.sum(np.exp(x - largest), axis=axis))

    columns = []
    for k in range(3):
        precision = np.dot(factors[k], factors[k].T) + 0.5 * np.eye(2)
        away = POINTS - means[k]
        distance = np.sum(np.dot(away, precision) * away, axis=1)
        _, log_determinant = np.linalg.slogdet(precision)
        columns.append(logits[k] - 0.5 * distance + 0.5 * log_determinant)
    log_weights = np.stack(columns, axis=1) - logsumexp(logits, 0)
    return np.mean(logsumexp(log_weights, 1)) - np.log(2 * np.pi)


IMAGE = RNG.normal(size=(2, 7, 8))


def convolution(np: ModuleType, kernel: Any) -> Any:
    """Convolve by shifted slices, rectify, pool by reshaping."""
    out = 0.0
    for i in range(3):
        for j in range(3):
            out = out + kernel[i, j] * IMAGE[:, i : i + 4, j : j + 6]
    out = np.maximum(out, 0.0)
    pooled = np.max(np.max(np.reshape(out, (2, 2, 2, 3, 2)), axis=4), axis=2)
    return np.sum(pooled**2) + np.sum(np.abs(kernel))


STATES, LETTERS = 4, 3
SEQUENCE = numpy.eye(LETTERS)[RNG.integers(0, LETTERS, (7, 2))]


def recurrent_net(np: ModuleType, flat: Any) -> Any:
    """Log-likelihood of a recurrent network, a bias column added by concatenation."""
    cut = (LETTERS + STATES + 1) * STATES
    change = np.reshape(flat[:cut], (LETTERS + STATES + 1, STATES))
    predict = np.reshape(flat[cut:], (STATES + 1, LETTERS))

    def with_bias(*parts: Any) -> Any:
        return np.hstack([*parts, np.ones((2, 1))])

    hidden = np.concatenate([np.zeros((1, STATES)), np.full((1, STATES), 0.1)], axis=0)
    total = 0.0
    for letter, following in itertools.pairwise(SEQUENCE):
        hidden = np.tanh(np.dot(np.concatenate((letter, hidden), axis=1), change[:-1]) + change[-1])
        scores = np.dot(with_bias(hidden), predict)
        log_total = np.log(np.sum(np.exp(scores), axis=1, keepdims=True))
        total = total + np.sum(following * (scores - log_total))
    return -total / len(SEQUENCE)


RNN_COUNT = (LETTERS + STATES + 1) * STATES + (STATES + 1) * LETTERS


def lstm_gates(np: ModuleType, flat: Any) -> Any:
    """Run a cell whose gates are split from one product; stack and weigh its history."""
    weight = np.reshape(flat, (3, 12))
    cell = hidden = np.zeros((2, 3))
    history = []
    for t in range(4):
        gates = np.einsum("bi,ij->bj", hidden + 0.1 * (t + 1), weight)
        forget, change, out, _ = np.split(gates, 4, axis=1)
        cell = cell / (1 + np.exp(-forget)) + np.tanh(change)
        hidden = np.tanh(cell) / (1 + np.exp(-out))
        history.append(hidden)
    stacked = np.stack(history)
    return np.sum(np.cumsum(stacked, axis=0) ** 2) + np.prod(1 + 0.1 * stacked[-1])


TIMES = numpy.linspace(0.0, 10.0, 9)
OBSERVED = numpy.sin(TIMES) + 0.1 * RNG.normal(size=9)


def gaussian_process(np: ModuleType, params: Any) -> Any:
    """Negative marginal likelihood of a Gaussian process, the covariance by broadcasting."""
    mean, scale, noise, length = params[0], np.exp(params[1]), np.exp(params[2]), params[3]
    apart = (TIMES[:, None] - TIMES[None, :]) / np.exp(length)
    covariance = scale * np.exp(-0.5 * apart**2) + (noise + 1e-3) * np.eye(len(TIMES))
    away = OBSERVED - mean
    _, log_determinant = np.linalg.slogdet(covariance)
    return 0.5 * np.dot(away, np.linalg.solve(covariance, away)) + 0.5 * log_determinant


CHARGES = RNG.normal(size=5)


def molecule(np: ModuleType, x: Any) -> Any:
    """Coulomb energy and springs, with norms, triangles and fancy indexing."""
    i, j = np.triu_indices(5, 1)
    apart = np.sqrt(np.sum((x[i] - x[j]) ** 2, axis=-1))
    angles = np.arctan2(x[:, 1], x[:, 0])
    springs = np.linalg.norm(x[1:] - x[:-1], axis=1)
    return np.sum(CHARGES[i] * CHARGES[j] / apart) + np.sum((springs - 1) ** 2) + np.var(angles)


def runge_kutta(np: ModuleType, params: Any) -> Any:
    """Thirty steps of Runge and Kutta's method for two species; distance from a wish."""

    def rate(y: Any) -> Any:
        prey, predator = y
        return np.stack(
            [
                prey * (params[0] - params[1] * predator),
                predator * (params[2] * prey - params[3]),
            ]
        )

    y, h = np.array([1.0, 0.5]), 0.1
    for _ in range(30):
        k1 = rate(y)
        k2 = rate(y + h / 2 * k1)
        k3 = rate(y + h / 2 * k2)
        k4 = rate(y + h * k3)
        y = y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return np.sum((y - np.array([1.5, 1.0])) ** 2)


def sorted_quantiles(np: ModuleType, x: Any) -> Any:
    """Order statistics, clipping and selection: piecewise, away from the kinks."""
    ordered = np.sort(x)
    weights = np.linspace(-1.0, 1.0, len(x))
    clipped = np.clip(x, -0.8, 0.8)
    return np.dot(weights, ordered) ** 2 + np.sum(np.where(x > 0, x**3, np.sinh(clipped)))


PROGRAMS: list[tuple[Callable, Any]] = [
    (tanh_by_exp, 0.7),
    (taylor_sine, 1.3),
    (newton_square_root, 2.6),
    (newton_square_root, 0.3),
    (rosenbrock, RNG.normal(size=5)),
    (logistic_regression, RNG.normal(size=3)),
    (neural_net, 0.5 * RNG.normal(size=COUNT)),
    (fluid, RNG.normal(size=2 * GRID * GRID)),
    (gaussian_mixture, RNG.normal(size=21)),
    (convolution, RNG.normal(size=(3, 3))),
    (recurrent_net, 0.5 * RNG.normal(size=RNN_COUNT)),
    (lstm_gates, RNG.normal(size=36)),
    (gaussian_process, numpy.array([0.1, -0.2, -2.0, 0.4])),
    (molecule, RNG.normal(size=(5, 3))),
    (runge_kutta, numpy.array([1.1, 0.8, 0.6, 0.9])),
    (sorted_quantiles, RNG.normal(size=7)),
]
IDS = [f"{program.__name__}-{k}" for k, (program, _) in enumerate(PROGRAMS)]


def pair(program: Callable) -> tuple[Callable, Callable]:
    """Return the program over plain NumPy and over autograd's NumPy."""
    return functools.partial(program, numpy), functools.partial(program, autograd.numpy)


@pytest.mark.parametrize(("program", "x"), PROGRAMS, ids=IDS)
def test_value_and_gradient(program: Callable, x: Any) -> None:
    """Value and gradient agree, and the value is that of the program run on its own."""
    ours, theirs = pair(program)
    value, gradient = ft.value_and_grad(ours)(x)
    if program is lstm_gates:  # np.einsum is computed by BLAS here, by a C loop in NumPy
        assert value == pytest.approx(ours(x), rel=1e-14)
    else:
        assert value == ours(x)  # bit for bit: tracing does not change the numbers
    expected_value, expected = autograd.value_and_grad(theirs)(x)
    numpy.testing.assert_allclose(value, expected_value, **CLOSE)
    numpy.testing.assert_allclose(gradient, expected, **CLOSE)
    assert numpy.shape(gradient) == numpy.shape(x)


@pytest.mark.parametrize(("program", "x"), PROGRAMS, ids=IDS)
def test_hessian(program: Callable, x: Any) -> None:
    """Hessians agree."""
    ours, theirs = pair(program)
    if numpy.ndim(x) == 0:
        expected = autograd.grad(autograd.grad(theirs))(x)
    else:
        expected = autograd.hessian(theirs)(x)
    found = ft.hessian(ours)(x)
    assert numpy.shape(found) == 2 * numpy.shape(x)
    numpy.testing.assert_allclose(found, expected, **CLOSE)


@pytest.mark.parametrize(("program", "x"), PROGRAMS, ids=IDS)
def test_hessian_vector_product_and_jvp(program: Callable, x: Any) -> None:
    """Products with a vector agree: H v, and forward mode with autograd's gradient."""
    ours, theirs = pair(program)
    v = numpy.random.default_rng(1).normal(size=numpy.shape(x))[()]
    gradient = autograd.grad(theirs)
    expected = autograd.grad(lambda y: autograd.numpy.sum(gradient(y) * v))(x)
    numpy.testing.assert_allclose(ft.hvp(ours, (x,), (v,)), expected, **CLOSE)
    _, tangent = ft.jvp(ours, (x,), (v,))
    numpy.testing.assert_allclose(tangent, numpy.sum(gradient(x) * v), **CLOSE)


def test_repeated_derivatives_of_tanh() -> None:
    """Six derivatives of tanh, one inside the other, as in the tutorial."""
    ours, theirs = pair(tanh_by_exp)
    for order in range(6):
        for x in (-1.5, 0.3, 2.0):
            numpy.testing.assert_allclose(ours(x), theirs(x), rtol=1e-9, atol=1e-9)
        if order < 5:
            ours, theirs = ft.grad(ours), autograd.grad(theirs)


def test_elementwise_derivatives_of_tanh() -> None:
    """``elementwise_grad`` of the tutorial is ``vmap(grad(f))``."""
    ours, theirs = pair(tanh_by_exp)
    x = numpy.linspace(-3, 3, 21)
    for _ in range(4):
        ours, theirs = ft.grad(ours), autograd.elementwise_grad(theirs)
        numpy.testing.assert_allclose(ft.vmap(ours)(x), theirs(x), **CLOSE)


def test_training_takes_the_same_path() -> None:
    """Two hundred steps of gradient descent end in the same weights."""
    ours, theirs = pair(logistic_regression)
    ours, theirs = ft.grad(ours), autograd.grad(theirs)
    w = u = numpy.zeros(3)
    for _ in range(200):
        w, u = w - 0.05 * ours(w), u - 0.05 * theirs(u)
    numpy.testing.assert_allclose(w, u, **CLOSE)
    assert logistic_regression(numpy, w) < 0.5 * logistic_regression(numpy, numpy.zeros(3))


def test_gradient_of_a_structure() -> None:
    """Gradients of parameters kept in lists and dictionaries have the same structure."""

    def loss(np: ModuleType, params: Any) -> Any:
        x = NET_INPUTS
        for layer in params["layers"]:
            x = np.tanh(np.dot(x, layer["w"]) + layer["b"])
        return np.sum(x**2) * params["scale"]

    rng = numpy.random.default_rng(3)
    params = {
        "layers": [
            {"w": rng.normal(size=(3, 4)), "b": rng.normal(size=4)},
            {"w": rng.normal(size=(4, 2)), "b": rng.normal(size=2)},
        ],
        "scale": 0.7,
    }
    ours, theirs = pair(loss)
    found, expected = ft.grad(ours)(params), autograd.grad(theirs)(params)
    for mine, other in zip(found["layers"], expected["layers"], strict=True):
        for name in ("w", "b"):
            numpy.testing.assert_allclose(mine[name], other[name], **CLOSE)
    numpy.testing.assert_allclose(found["scale"], expected["scale"], **CLOSE)


def test_array_of_traced_values() -> None:
    """``np.array([a, b])`` cannot be intercepted: the error says ``np.stack``, and that works."""

    def rotated(np: ModuleType, array: Callable, angle: Any) -> Any:
        c, s = np.cos(angle), np.sin(angle)
        turn = array([array([c, -s]), array([s, c])])
        return np.sum(np.dot(turn, np.ones(2)) ** 3)

    ours = functools.partial(rotated, numpy, numpy.stack)
    theirs = functools.partial(rotated, autograd.numpy, autograd.numpy.array)
    numpy.testing.assert_allclose(ft.grad(ours)(0.4), autograd.grad(theirs)(0.4), **CLOSE)
    second = autograd.grad(autograd.grad(theirs))(0.4)
    numpy.testing.assert_allclose(ft.hessian(ours)(0.4), second, **CLOSE)
    with pytest.raises(TypeError, match=r"np\.stack"):
        ft.grad(functools.partial(rotated, numpy, numpy.array))(0.4)
