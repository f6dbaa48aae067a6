"""The programs of the benchmarks in torch. Each maker takes NumPy arrays and returns a call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import programs as p
import torch
from torch.nn import functional as fn


def bump(x: np.ndarray) -> Callable[[], Any]:
    """Value and gradient of the sum of exp(-x x) sin x, compiled together."""

    def f(x: torch.Tensor) -> torch.Tensor:
        return torch.sum(torch.exp(-x * x) * torch.sin(x))

    compiled = torch.compile(torch.func.grad_and_value(f), fullgraph=True)
    tensor = torch.from_numpy(x)

    def call() -> Any:
        gradient, value = compiled(tensor)
        return value, gradient

    return call


def training(loss: Callable, weights: Any, *batch: Any, compiled: bool = False) -> Callable:
    """A call that makes one step of gradient descent in place."""
    if compiled:
        loss = torch.compile(loss, fullgraph=True)
    parameters = [torch.from_numpy(w.copy()).requires_grad_(True) for w in flat(weights)]
    state, batch = rebuilt(weights, iter(parameters)), tuple(map(torch.from_numpy, batch))

    def call() -> Any:
        value = loss(state, *batch)
        gradients = torch.autograd.grad(value, parameters)
        with torch.no_grad():
            torch._foreach_add_(parameters, gradients, alpha=-p.RATE)
        return state, value

    return call


def flat(tree: Any) -> list:
    """Leaves of dictionaries, lists and tuples."""
    if isinstance(tree, dict):
        return [x for key in sorted(tree) for x in flat(tree[key])]
    if isinstance(tree, (list, tuple)):
        return [x for item in tree for x in flat(item)]
    return [tree]


def rebuilt(tree: Any, leaves: Any) -> Any:
    """The same containers around other leaves."""
    if isinstance(tree, dict):
        return {key: rebuilt(tree[key], leaves) for key in sorted(tree)}
    if isinstance(tree, (list, tuple)):
        return type(tree)(rebuilt(item, leaves) for item in tree)
    return next(leaves)


def mlp(layers: Any, x: Any, labels: Any) -> Any:
    """Mean cross-entropy."""
    *hidden, (w, b) = layers
    for v, a in hidden:
        x = torch.relu(torch.addmm(a, x, v))
    return fn.cross_entropy(torch.addmm(b, x, w), labels)


def transformer(q: dict, x: Any, target: Any, heads: int = 4) -> Any:
    """Mean squared error of one block, norms first, with torch's fused attention."""
    batch, tokens, width = x.shape
    y = fn.layer_norm(x, (width,), q["norm1"], q["norm1_bias"]) @ q["qkv"] + q["qkv_bias"]
    q1, k, v = y.reshape(batch, tokens, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
    y = fn.scaled_dot_product_attention(q1, k, v)
    x = x + y.transpose(1, 2).reshape(batch, tokens, width) @ q["out"] + q["out_bias"]
    y = fn.layer_norm(x, (width,), q["norm2"], q["norm2_bias"]) @ q["up"] + q["up_bias"]
    x = x + fn.gelu(y, approximate="tanh") @ q["down"] + q["down_bias"]
    return torch.mean((x - target) ** 2)


def lstm(weights: dict, x: np.ndarray, target: np.ndarray) -> Callable[[], Any]:
    """A training step of torch's own LSTM, its second bias fixed at zero."""
    size = target.shape[2]
    module = torch.nn.LSTM(x.shape[2], size)
    with torch.no_grad():
        module.weight_ih_l0.copy_(torch.from_numpy(weights["input"].T))
        module.weight_hh_l0.copy_(torch.from_numpy(weights["hidden"].T))
        module.bias_ih_l0.copy_(torch.from_numpy(weights["bias"]))
        module.bias_hh_l0.zero_().requires_grad_(False)
    parameters = [module.bias_ih_l0, module.weight_hh_l0, module.weight_ih_l0]
    inputs, wanted = torch.from_numpy(x), torch.from_numpy(target)

    def call() -> Any:
        value = torch.mean((module(inputs)[0] - wanted) ** 2)
        gradients = torch.autograd.grad(value, parameters)
        with torch.no_grad():
            torch._foreach_add_(parameters, gradients, alpha=-p.RATE)
        bias, hidden, given = parameters
        return {"bias": bias, "hidden": hidden.T, "input": given.T}, value

    return call
