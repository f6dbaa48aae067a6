"""Random bits and numbers as nodes: the whole block of an element stays in registers.

The same arithmetic as ``kernels.cpu.threefry``, so the same bits; numbers fuse with what is made
of them. The flat position of an element in its key's result is the counter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..graph import Equation
from ..kernels.cpu.threefry import PARITY, ROTATIONS
from ..kernels.loop import Builder
from ..kernels.scalar import Value, select
from .nodes import DTYPES, Label, labels_index, sliced

__all__ = ["RANDOM_RULES", "block"]


def block(k0: Value, k1: Value, x0: Value, x1: Value) -> tuple[Value, Value]:
    """The two words of threefry-2x32, values of dtype u32."""
    keys = (k0, k1, k0 ^ k1 ^ PARITY)
    x0, x1 = x0 + k0, x1 + k1
    for group in range(5):
        for r in ROTATIONS[group % 2]:
            x0 = x0 + x1
            x1 = ((x1 << r) | x1.shift_right_logical(32 - r)) ^ x0
        x0 = x0 + keys[(group + 1) % 3]
        x1 = x1 + keys[(group + 2) % 3] + (group + 1)
    return x0, x1


def _position(code: Builder, at: Sequence, shape: Sequence[int]) -> Value:
    """The flat index of an element, in C order."""
    flat: Any = code.constant(0, "i64")
    for i, n in zip(at, shape, strict=True):
        flat = flat * code.size(n) + i if n != 1 else flat
    return flat


def _words(lowering: Any, equation: Equation, tail: int, finish: Callable) -> bool | None:
    """A node of blocks: ``finish(first word, second word, index of the tail)`` of each."""
    (out,) = equation.outputs
    key = lowering.view(equation.inputs[0])
    if key.literal or any(n == 0 for n in out.aval.shape):
        return False
    lead = len(key.shape) - 1
    labels = [Label(n) for n in out.aval.shape]
    full = labels_index(labels)
    words = [sliced(key, (Ellipsis, i)) for i in range(2)]
    inner = slice(lead, len(labels) - tail)
    shape = out.aval.shape[inner]

    def compute(code: Builder, read: Callable, at: list) -> Value:
        k0, k1 = (read(i, at[:lead]) for i in range(2))
        flat = _position(code, at[inner], shape)
        high = flat.shift_right_logical(32).convert("u32")
        return finish(*block(k0, k1, high, flat.convert("u32")), at[-1] if tail else None)

    operands = [(word, full[:lead]) for word in words]
    lowering.node(lowering.result(out), labels, labels, operands, compute, equation)
    return None


def _wide(x0: Value, x1: Value) -> Value:
    return (x0.convert("u64") << 32) | x1.convert("u64")


def _bits(lowering: Any, equation: Equation) -> bool | None:
    width = equation.params["width"]

    def finish(x0: Value, x1: Value, at: Any) -> Value:
        return _wide(x0, x1) if width == 64 else (x0 ^ x1).convert(f"u{width}")

    return _words(lowering, equation, 0, finish)


def _uniform(lowering: Any, equation: Equation) -> bool | None:
    dtype = np.dtype(equation.params["dtype"])
    if dtype.itemsize < 4:
        return False
    kind, mantissa = DTYPES[dtype], int(np.finfo(dtype).nmant)

    def finish(x0: Value, x1: Value, at: Any) -> Value:
        bits = _wide(x0, x1) if kind == "f64" else x0 ^ x1
        # Below 2^52 a signed integer says the same, and converts in one instruction.
        bits = bits.shift_right_logical(8 * dtype.itemsize - mantissa)
        return bits.convert(f"i{8 * dtype.itemsize}").convert(kind) * 2.0**-mantissa

    return _words(lowering, equation, 0, finish)


def _split(lowering: Any, equation: Equation) -> bool | None:
    def finish(x0: Value, x1: Value, at: Any) -> Value:
        return (x0, x1)[at] if type(at) is int else select(at == 0, x0, x1)

    return _words(lowering, equation, 1, finish)


def _fold(lowering: Any, equation: Equation) -> bool | None:
    (out,) = equation.outputs
    views = [lowering.view(x) for x in equation.inputs]
    if any(v.literal or v.shape != out.aval.shape for v in views):
        return False
    labels = [Label(n) for n in out.aval.shape]
    full = labels_index(labels)
    words = [sliced(v, (Ellipsis, i)) for v in views for i in range(2)]

    def compute(code: Builder, read: Callable, at: list) -> Value:
        x0, x1 = block(*(read(i, at[:-1]) for i in range(4)))
        return (x0, x1)[at[-1]] if type(at[-1]) is int else select(at[-1] == 0, x0, x1)

    operands = [(word, full[:-1]) for word in words]
    lowering.node(lowering.result(out), labels, labels, operands, compute, equation)
    return None


RANDOM_RULES: dict[str, Callable] = {
    "random_bits": _bits,
    "random_fold": _fold,
    "random_split": _split,
    "random_uniform": _uniform,
}
