"""Random programs on arrays: what they are made of is chosen by a function ``pick(options)``.

``draw(pick)`` runs the program on plain NumPy while it is drawn, so that every operation fits the
shapes it meets, and returns it with its arguments. ``pick`` may be Hypothesis's draw or a random
number generator's choice.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

# Below 9 compiled code is unrolled, to 16 sizes are part of it, beyond they are arguments.
SIZES = (1, 2, 3, 7, 8, 9, 16, 17, 33, 100)
MOST = 20_000  # elements of an array

Pick = Callable[[Sequence], Any]


class Step:
    """Appends ``apply(*[values[i] for i in sources])``, one value or a list of them."""

    def __init__(self, name: str, sources: list[int], apply: Callable) -> None:
        self.name, self.sources, self.apply = name, sources, apply

    def __repr__(self) -> str:
        return f"{self.name}{self.sources}"


class Drawn:
    """A program, its arguments and which of its values it returns."""

    def __init__(
        self, arguments: list, steps: list[Step], results: list[int], single: bool
    ) -> None:
        self.arguments, self.steps, self.results = arguments, steps, results
        self.single = single  # some value is of single precision

    def __call__(self, *arguments: Any) -> list:
        values = list(arguments)
        for step in self.steps:
            made = step.apply(*[values[i] for i in step.sources])
            values += made if type(made) is list else [made]
        return [values[i] for i in self.results]

    def __repr__(self) -> str:
        lines = [f"v{i} = {x.dtype}{list(x.shape)}" for i, x in enumerate(self.arguments)]
        for i, step in enumerate(self.steps):
            lines.append(f"v{len(self.arguments) + i} = {step!r}")
        return "\n".join([*lines, f"return {self.results}"])


# --------------------------------------------------------------------------------------
# Arguments


def shape_of(
    pick: Pick, sizes: Sequence[int] = SIZES, ranks: Sequence[int] = (0, 1, 1, 2, 2, 2, 3, 3, 4)
) -> tuple:
    while True:
        shape = tuple(pick(sizes) for _ in range(pick(ranks)))
        if math.prod(shape) <= MOST:
            return shape


def numbers(rng: np.random.Generator, shape: tuple, dtype: str) -> np.ndarray:
    kind = np.dtype(dtype).kind
    if kind == "b":
        return rng.random(shape) > 0.5
    if kind in "iu":
        return rng.integers(0 if kind == "u" else -9, 10, shape).astype(dtype)
    return rng.normal(size=shape).astype(dtype)


def laid_out(x: np.ndarray, layout: str) -> np.ndarray:
    """The same array in another order or with gaps in memory."""
    if layout == "F":
        return np.asarray(x, order="F")
    if layout == "reversed" and x.ndim:
        store = np.zeros([2 * n for n in x.shape], x.dtype)
        view = store[tuple(slice(None, None, -2) for _ in x.shape)]
        view[...] = x
        return view
    if layout == "broadcast" and x.ndim:
        return np.broadcast_to(x[:1], x.shape)
    return x


# --------------------------------------------------------------------------------------
# Operations: each is a function (pick, values, rng) -> (name, sources, function) or None


def floats(values: list) -> list[int]:
    return [i for i, x in enumerate(values) if x.dtype.kind == "f"]


def latest(pick: Pick, options: Sequence[int]) -> int:
    """One of the given values, most often a late one."""
    return pick([*options, *options[-3:], *options[-2:], *options[-2:]])


FLOAT_UNARY: dict[str, Callable] = {
    "sin": np.sin,
    "cos": np.cos,
    "tanh": np.tanh,
    "exp": lambda x: np.exp(-x * x),
    "log": lambda x: np.log(x * x + 1.5),
    "log1p": lambda x: np.log1p(x * x),
    "expm1": lambda x: np.expm1(np.tanh(x)),
    "sqrt": lambda x: np.sqrt(x * x + 1),
    "power": lambda x: (x * x + 0.5) ** 1.7,
    "square": lambda x: x**2,
    "cube": lambda x: x**3,
    "reciprocal": lambda x: 1 / (x * x + 2),
    "arctan": np.arctan,
    "negative": lambda x: -x,
    "abs": np.abs,
    "sign": np.sign,
    "clip": lambda x: np.clip(x, -0.7, 0.9),
    "relu": lambda x: np.maximum(x, 0),
    "single": lambda x: x.astype(np.float32),
    "double": lambda x: x.astype(np.float64),
    "literals": lambda x: 0.37 * x + 1.25,
    "inverse": lambda x: 1 - x,
    "isfinite": np.isfinite,
    "positive": lambda x: x > 0.1,
    "sinc": np.sinc,
    "floor": lambda x: np.floor(x * 3.3),
}
INT_UNARY: dict[str, Callable] = {
    "abs": np.abs,
    "modulo": lambda x: x % 7,
    "floor": lambda x: x // 3,
    "square": lambda x: (x % 11) ** 2,
    "float": lambda x: x.astype(np.float64) * 0.1,
    "single": lambda x: x.astype(np.float32) / 3,
    "divide": lambda x: x / 4,
    "sine": lambda x: np.sin(x),
    "narrow": lambda x: (x % 50).astype(np.int8),
    "xor": lambda x: x ^ 5,
    "shift": lambda x: (x % 8) << 2,
    "even": lambda x: x % 2 == 0,
    "negative": lambda x: -x,
}
BOOL_UNARY: dict[str, Callable] = {
    "not": lambda x: ~x,
    "float": lambda x: x * 1.5,
    "int": lambda x: x.astype(int),
    "where": lambda x: np.where(x, 2.5, -1.0),
    "where int": lambda x: np.where(x, 3, 1),
    "add": lambda x: x + x,
}


def unary(pick: Pick, values: list, rng: np.random.Generator) -> tuple | None:
    i = latest(pick, range(len(values)))
    table = {"f": FLOAT_UNARY, "b": BOOL_UNARY}.get(values[i].dtype.kind, INT_UNARY)
    name = pick(sorted(table))
    return name, [i], table[name]


BINARY: dict[str, Callable] = {
    "add": lambda x, y: x + y,
    "subtract": lambda x, y: np.subtract(1.0 * x, y),
    "multiply": lambda x, y: x * y,
    "divide": lambda x, y: x / (y * y + 1.5),
    "where": lambda x, y: np.where(x > 0.3, x, y),
    "maximum": np.maximum,
    "minimum": np.minimum,
    "hypot": lambda x, y: np.hypot(x, y + 2.5),
    "arctan2": lambda x, y: np.arctan2(x, y * y + 1.0),
    "less": lambda x, y: x < y,
    "equal": lambda x, y: x == y,
    "logical": lambda x, y: (x > 0) & (y > 0),
    "or": lambda x, y: np.logical_or(x > 0.2, y > 0.2),
    "logaddexp": np.logaddexp,
    "modulo": lambda x, y: x % (y * y + 2),
    "lazy": lambda x, y: np.where(y > 0, np.sqrt(np.abs(x * 1.0)), y),
}


def binary(pick: Pick, values: list, rng: np.random.Generator) -> tuple | None:
    i = latest(pick, range(len(values)))
    j = latest(pick, range(len(values)))
    a, b = values[i].shape, values[j].shape
    cuts: list[tuple] = [(), ()]
    rank = min(len(a), len(b))
    pairs = zip(a[len(a) - rank :], b[len(b) - rank :], strict=True)
    for k, (m, n) in enumerate(pairs):
        if m != n and m != 1 and n != 1:
            # cut one to a single element, or the longer one to the shorter
            least = min(m, n)
            which = pick([0, 1, 2]) if least else 2
            for side, shape in enumerate((a, b)):
                axis = len(shape) - rank + k
                if which == 2:
                    cuts[side] += ((axis, slice(0, least)),)
                elif which == side:
                    start = pick([0, shape[axis] - 1])
                    cuts[side] += ((axis, slice(start, start + 1)),)
    name = pick(sorted(BINARY))

    def cut(x: Any, chosen: tuple) -> Any:
        index = [slice(None)] * x.ndim
        for axis, part in chosen:
            index[axis] = part
        return x[tuple(index)] if chosen else x

    f = BINARY[name]
    return name, [i, j], lambda x, y: f(cut(x, cuts[0]), cut(y, cuts[1]))


def an_int_index(pick: Pick, n: int) -> Any:
    return pick([0, -1, n // 2, -n])


def a_slice(pick: Pick, n: int) -> slice:
    return pick(
        [
            slice(None),
            slice(None),
            slice(1, None),
            slice(None, -1),
            slice(None, None, 2),
            slice(None, None, -1),
            slice(1, None, 3),
            slice(None, None, -2),
            slice(n // 2, None),
            slice(None, n // 2 + 1),
            slice(-2, None),
            slice(-2, None, -3),
            slice(n // 2, n // 2),
        ]
    )


def basic_index(pick: Pick, shape: tuple) -> tuple:
    index: list[Any] = []
    for n in shape:
        if n and pick([False, False, True]):
            index.append(an_int_index(pick, n))
        else:
            index.append(a_slice(pick, n))
    if index and pick([False, True]):
        index = index[: pick(range(1, len(index) + 1))]
        if pick([False, True]):
            index.append(Ellipsis)
    if pick([False, False, True]):
        index.insert(pick(range(len(index) + 1)), None)
    return tuple(index)


def indexed(pick: Pick, values: list, rng: np.random.Generator) -> tuple | None:
    i = latest(pick, range(len(values)))
    index = basic_index(pick, values[i].shape)
    return f"index {index}", [i], lambda x: x[index] + 0 if index == () else x[index]


def factorised(pick: Pick, size: int) -> tuple:
    """A shape of so many elements."""
    shape: list[int] = []
    rest = size
    for _ in range(pick([0, 1, 2, 3])):
        divisors = [d for d in range(1, min(rest, 130) + 1) if rest % d == 0]
        d = pick(divisors)
        shape.append(d)
        rest //= d
    shape.insert(pick(range(len(shape) + 1)), rest)
    return tuple(shape)


def shaped(pick: Pick, values: list, rng: np.random.Generator) -> tuple | None:
    i = latest(pick, range(len(values)))
    x = values[i]
    kind = pick(
        [
            "reshape",
            "reshape",
            "transpose",
            "flip",
            "roll",
            "expand",
            "broadcast",
            "ravel",
            "tile",
            "repeat",
            "pad",
            "squeeze",
            "split",
            "swap",
        ]
    )
    if kind == "reshape":
        if x.size == 0:
            return None
        shape = factorised(pick, x.size)
        return f"reshape{shape}", [i], lambda x: x.reshape(shape)
    if kind == "transpose":
        axes = list(range(x.ndim))
        axes = [axes.pop(pick(range(len(axes)))) for _ in range(x.ndim)]
        return f"transpose{axes}", [i], lambda x: np.transpose(x, axes)
    if kind == "swap":
        return "T", [i], lambda x: x.T
    if kind == "ravel":
        return "ravel", [i], lambda x: x.ravel()
    if kind == "expand":
        axis = pick(range(x.ndim + 1))
        return f"expand{axis}", [i], lambda x: np.expand_dims(x, axis)
    if kind == "squeeze":
        return "squeeze", [i], np.squeeze
    if kind == "broadcast":
        lead = (pick([1, 3, 9, 17]),)
        if x.size * lead[0] > MOST:
            return None
        return f"broadcast{lead}", [i], lambda x: np.broadcast_to(x, lead + x.shape)
    if x.ndim == 0:
        return None
    axis = pick(range(x.ndim))
    n = x.shape[axis]
    if kind == "flip":
        return f"flip{axis}", [i], lambda x: np.flip(x, axis)
    if kind == "roll":
        by = pick([1, -2, 5])
        return f"roll{by, axis}", [i], lambda x: np.roll(x, by, axis)
    if x.size * 4 > MOST:
        return None
    if kind == "tile":
        return "tile", [i], lambda x: np.tile(x, (2,) * x.ndim if x.ndim < 2 else (2, 1))
    if kind == "repeat":
        return f"repeat{axis}", [i], lambda x: np.repeat(x, 2, axis)
    if kind == "split":
        at = pick([1, n // 2, n - 1])
        return f"split{at, axis}", [i], lambda x: np.split(x, [max(at, 0)], axis)[pick([0])]
    width = [(pick([0, 1, 3]), pick([0, 2])) for _ in x.shape]
    if x.dtype.kind == "b":
        return None
    return f"pad{width}", [i], lambda x: np.pad(x, width)


def joined(pick: Pick, values: list, rng: np.random.Generator) -> tuple | None:
    i = latest(pick, range(len(values)))
    x = values[i]
    count = pick([2, 2, 3, 4, 5, 6, 11, 20])
    if x.size * count > MOST:
        return None
    others = [j for j, y in enumerate(values) if y.shape == x.shape]
    chosen = [pick(others) for _ in range(min(count, 3))]
    scales = [1.0, 0.5, 2.0] if pick([True, False]) else None

    def parts(xs: tuple) -> list:
        made = [xs[k % len(xs)] for k in range(count)]
        return [y if scales is None else y * scales[k % 3] for k, y in enumerate(made)]

    if pick([False, True]):
        axis = pick(range(-x.ndim - 1, x.ndim + 1))
        return f"stack{count, axis}", chosen, lambda *xs: np.stack(parts(xs), axis)
    if x.ndim == 0:
        return None
    axis = pick(range(-x.ndim, x.ndim))
    cuts = [pick([None, 1, -1, 2, 0]) for _ in range(count)]

    def cut(y: Any, k: int) -> Any:
        index = [slice(None)] * y.ndim
        index[axis] = slice(cuts[k])
        return y[tuple(index)]

    return (
        f"concatenate{cuts, axis}",
        chosen,
        lambda *xs: np.concatenate([cut(y, k) for k, y in enumerate(parts(xs))], axis),
    )


REDUCTIONS: dict[str, Callable] = {
    "sum": np.sum,
    "mean": np.mean,
    "max": np.max,
    "min": np.min,
    "prod": lambda x, **k: np.prod(np.cos(1.0 * x), **k),
    "any": lambda x, **k: np.any(x > 1.5, **k),
    "all": lambda x, **k: np.all(x < 2.5, **k),
    "var": lambda x, **k: np.var(1.0 * x, **k),
    "norm": lambda x, **k: np.sqrt(np.sum(1.0 * x * x, **k) + 1),
    "logsumexp": lambda x, axis, keepdims: np.log(
        np.sum(np.exp(1.0 * x - np.max(x, axis=axis, keepdims=True)), axis=axis, keepdims=keepdims)
    ),
    "softmax": lambda x, axis, keepdims: (lambda e: e / np.sum(e, axis=axis, keepdims=True))(
        np.exp(np.tanh(1.0 * x))
    ),
    "centred": lambda x, axis, keepdims: 1.0 * x - np.mean(x, axis=axis, keepdims=True),
    "count": lambda x, **k: np.sum(x > 0, **k),
}


def reduced(pick: Pick, values: list, rng: np.random.Generator) -> tuple | None:
    i = latest(pick, range(len(values)))
    x = values[i]
    name = pick(sorted(REDUCTIONS))
    axes = tuple(a for a in range(x.ndim) if pick([True, False]))
    axis = pick([axes, axes, None]) if axes else None
    empty = x.size == 0
    if empty and name not in ("sum", "any", "all", "count", "prod"):
        return None
    if axis is not None and len(axis) == 1 and pick([True, False]):
        axis = axis[0]
    keep = pick([False, True])
    f = REDUCTIONS[name]
    return f"{name}{axis, keep}", [i], lambda x: f(x, axis=axis, keepdims=keep)


def contracted(pick: Pick, values: list, rng: np.random.Generator) -> tuple | None:
    i = latest(pick, range(len(values)))
    x = values[i]
    if x.dtype.kind == "b":
        return None
    if pick([False, True, True]) or x.ndim == 0:  # with a constant matrix
        if x.ndim == 0 or x.ndim > 3:
            return None
        n = x.shape[-1]
        m = pick(SIZES)
        if x.size // max(n, 1) * m > MOST:
            return None
        kind = pick(["right", "vector", "transposed", "batched"])
        if kind == "right":
            w = rng.normal(size=(n, m)) / (n + 1) ** 0.5
            w = w.astype(x.dtype) if x.dtype.kind == "f" else w
            return f"matmul constant {m}", [i], lambda x: x @ w
        if kind == "vector":
            v = rng.normal(size=n)
            return "matmul vector", [i], lambda x: np.tanh(x @ v)
        if kind == "transposed":
            w = rng.normal(size=(m, n)) / (n + 1) ** 0.5
            return f"inner {m}", [i], lambda x: np.einsum("...i,ji->j...", x, w)
        if x.ndim < 2:
            return None
        w = rng.normal(size=(*x.shape[:-2], n, m)) / (n + 1) ** 0.5
        return f"batched {m}", [i], lambda x: np.matmul(x, w)
    # of two values: letters of the second match those of the first where sizes do
    j = latest(pick, range(len(values)))
    y = values[j]
    if y.dtype.kind == "b" or x.ndim > 3 or y.ndim > 3:
        return None
    letters = [chr(97 + a) for a in range(x.ndim)]
    sizes = dict(zip(letters, x.shape, strict=True))
    other: list[str] = []
    for b, n in enumerate(y.shape):
        fitting = [c for c in letters if sizes[c] == n and c not in other]
        fresh = chr(110 + b)
        c = pick([*fitting, *fitting, fresh])
        other.append(c)
        sizes[c] = n
    listed = list(dict.fromkeys(letters + other))
    kept = [c for c in listed if pick([True, False]) or (c in letters) != (c in other)]
    kept = [kept.pop(pick(range(len(kept)))) for _ in range(len(kept))]
    total = math.prod(sizes[c] for c in listed)
    if math.prod(sizes[c] for c in kept) > MOST or total > 40 * MOST:
        return None
    text = f"{''.join(letters)},{''.join(other)}->{''.join(kept)}"
    summed = max(1, math.prod(sizes[c] for c in listed if c not in kept))
    return text, [i, j], lambda x, y: np.einsum(text, x, y) / summed**0.5


def gathered(pick: Pick, values: list, rng: np.random.Generator) -> tuple | None:
    i = latest(pick, range(len(values)))
    x = values[i]
    if x.ndim == 0 or x.size == 0:
        return None
    n = x.shape[0]
    count = pick([1, 2, 5, 9, 17, 40])
    if x.size // n * count > MOST:
        return None
    index = rng.integers(-n, n, count)
    kind = pick(["rows", "list", "last", "pair", "matrix", "take", "traced", "mask", "along"])
    if kind == "rows":
        return f"rows {count}", [i], lambda x: x[index]
    if kind == "list":
        return f"list {count}", [i], lambda x: x[index.tolist()]
    if kind == "take":
        return f"take {count}", [i], lambda x: np.take(x, index, axis=0)
    if kind == "mask":
        mask = rng.random(n) > 0.5
        return f"mask {mask.sum()}", [i], lambda x: x[mask]
    if kind == "matrix":
        square = index[: count // 2 * 2].reshape(-1, 2) if count > 1 else index[None]
        return f"matrix {square.shape}", [i], lambda x: x[square]
    if kind == "last":
        m = x.shape[-1]
        last = rng.integers(-m, m, min(count, 9))
        return f"last {len(last)}", [i], lambda x: x[..., last]
    if kind == "along":
        at = rng.integers(0, n, (min(count, 7), *x.shape[1:]))
        return f"along {at.shape}", [i], lambda x: np.take_along_axis(x, at, 0)
    if kind == "traced":
        whole = [j for j, y in enumerate(values) if y.dtype.kind == "i" and y.size <= 500]
        if not whole or x.size // n * values[whole[-1]].size > MOST:
            return None
        j = pick(whole)
        if x.size // n * values[j].size > MOST:
            return None
        return "traced index", [i, j], lambda x, k: x[k % n]
    if x.ndim < 2:
        return None
    m = x.shape[1]
    second = rng.integers(-m, m, count)
    return f"pair {count}", [i], lambda x: x[index, second]


def assigned(pick: Pick, values: list, rng: np.random.Generator) -> tuple | None:
    i = latest(pick, range(len(values)))
    x = values[i]
    if x.ndim == 0 or x.dtype.kind == "b":
        return None
    kind = pick(
        ["basic", "basic", "add", "scale", "rows", "repeated", "zeros", "at", "whole", "mask"]
    )
    index = basic_index(pick, x.shape)
    index = tuple(k for k in index if k is not None)
    n = x.shape[0]
    some = rng.integers(-n, n, 5) if n else None

    def basic(x: Any) -> Any:
        y = x.copy()
        y[index] = 2 * y[index] + 1
        return y

    def add(x: Any) -> Any:
        y = 1 * x
        y[index] += x[index]
        return y

    def scale(x: Any) -> Any:
        y = 1 * x
        y[index] *= 3
        y[-1:] = y[:1]
        return y

    def rows(x: Any) -> Any:
        y = 1 * x
        y[some] = x[some] * 2
        return y

    def repeated(x: Any) -> Any:
        y = np.zeros_like(x)
        np.add.at(y, some, x[some])
        return y

    def zeros(x: Any) -> Any:
        y = np.zeros_like(x)
        y[index] = x[index]
        return y

    def at(x: Any) -> Any:
        y = np.zeros_like(np.concatenate([x, x[:1]]))
        np.add.at(y, np.arange(n) // 2, x)
        return y

    def whole(x: Any) -> Any:
        y = np.empty_like(x)
        y[...] = x
        y += y
        return y

    def mask(x: Any) -> Any:
        y = 1 * x
        y[y > 0] = 2
        return y

    made = {f.__name__: f for f in (basic, add, scale, rows, repeated, zeros, at, whole, mask)}
    if not n:
        return None
    return f"assign {kind} {index}", [i], made[kind]


def by_numpy(pick: Pick, values: list, rng: np.random.Generator) -> tuple | None:
    """What compiled programs leave to NumPy's own kernels."""
    i = latest(pick, range(len(values)))
    x = values[i]
    if x.ndim == 0 or x.size == 0 or x.dtype.kind != "f":
        return None
    kind = pick(["cumsum", "sort", "cumprod", "argsort", "solve", "diff", "median", "astype"])
    axis = pick(range(x.ndim))
    functions: dict[str, Callable] = {
        "cumsum": lambda x: np.cumsum(x, axis) / 3,
        "cumprod": lambda x: np.cumprod(np.sin(x), axis),
        "sort": lambda x: np.sort(x, axis),
        "argsort": lambda x: np.argsort(x, axis, kind="stable"),
        "diff": lambda x: np.diff(x, axis=axis),
        "median": lambda x: np.median(x, axis),
        "astype": lambda x: (np.tanh(x) * 5.4).astype(np.int64),
        "solve": lambda x: np.linalg.solve(x @ np.swapaxes(x, -1, -2) + 9 * np.eye(x.shape[-2]), x),
    }
    if kind == "solve" and (x.ndim < 2 or x.shape[-2] > 20 or x.dtype != np.float64):
        return None
    return f"{kind} {axis}", [i], functions[kind]


OPERATIONS = (
    [unary] * 4 + [binary] * 4 + [indexed] * 3 + [shaped] * 3 + [joined] * 2 + [reduced] * 3
    + [contracted] * 3 + [gathered] * 2 + [assigned] * 2 + [by_numpy]
)  # fmt: skip


# --------------------------------------------------------------------------------------
# Loops and branches, whose bodies are drawn programs too


def alike(x: Any, value: Any) -> Any:
    """``value`` with the shape and dtype of ``x``."""
    if x.dtype.kind == "f":
        value = value if value.shape == x.shape else x + np.sum(1.0 * value) / 8
        return np.tanh(1.0 * value).astype(x.dtype)
    return (x % 9 + value.size % 7) % 11 if x.dtype.kind in "iu" else ~x


def body_of(
    pick: Pick, arguments: list, count: int, operations: Sequence[Callable], stacks: int = 0
) -> tuple[str, Callable]:
    """``body(*arguments) -> (values like the first count, stacks more values)``."""
    inner = draw(pick, pick([0, 1, 2, 3]), operations=operations, arguments=arguments)
    all_values = len(arguments) + len(inner.steps)
    inner.results = list(range(all_values))
    with np.errstate(all="ignore"):
        made = [np.asarray(x) for x in inner(*arguments)]
    inner.results = list(range(len(made)))
    following: list[tuple[int, bool]] = []
    for x in arguments[:count]:
        same = [k for k, y in enumerate(made) if (y.shape, y.dtype) == (x.shape, x.dtype)]
        others = [k for k in same if k < count]
        kind = pick(["computed", "computed", "computed", "carry", "fitted"])
        if kind == "carry":  # itself, or one given in its place
            following.append((pick(others), False))
        elif kind == "computed":
            following.append((pick([*same[-2:], len(made) - 1]), True))
        else:
            following.append((pick(range(len(made))), True))
    ys = [pick(range(len(made) + 2)) for _ in range(stacks)]

    def body(*given: Any) -> tuple[list, list]:
        values = inner(*given)
        nexts = [
            alike(given[k], values[i]) if fit else values[i] for k, (i, fit) in enumerate(following)
        ]
        extra = [*values, nexts[0] if nexts else 1.5, 2.5]
        return nexts, [extra[i] for i in ys]

    return f"{{{inner!r} next {following} ys {ys}}}".replace("\n", "; "), body


def looped(pick: Pick, values: list, rng: np.random.Generator) -> tuple | None:
    import functorch_like as ft

    n_carry = pick([1, 1, 2, 3])
    small = [i for i, x in enumerate(values) if x.size <= 2000]
    if not small:
        return None
    carries = [latest(pick, small) for _ in range(n_carry)]
    consts = [latest(pick, small) for _ in range(pick([0, 0, 1, 2]))]
    kind = pick(["scan", "scan", "scan", "while", "fori", "cond", "switch", "map"])
    operations = [*OPERATIONS, looped] if pick([False, False, True]) else OPERATIONS
    first = [values[i] for i in carries]
    fixed = [values[i] for i in consts]
    if kind in ("scan", "map"):
        length = pick([1, 2, 3, 4, 9])
        rows = [i for i, x in enumerate(values) if x.ndim and 1 <= x.shape[0] <= 20]
        stacked = [latest(pick, rows) for _ in range(pick([0, 1, 1, 2]))] if rows else []
        if stacked:
            length = values[stacked[0]].shape[0]
            stacked = [i for i in stacked if values[i].shape[0] == length]
        if kind == "map" and not stacked:
            return None
        reverse = pick([False, True])
        own = [values[i][0] for i in stacked]
        text, body = body_of(pick, [*first, *own, *fixed], n_carry, operations, pick([0, 1, 2, 3]))

        def scan(*given: Any) -> list:
            init, xs, extra = (
                list(given[:n_carry]),
                list(given[n_carry : n_carry + len(stacked)]),
                given[n_carry + len(stacked) :],
            )
            if kind == "map":
                return [*ft.map(lambda x: body(*init, *x, *extra)[0], xs)]
            carry, ys = ft.scan(
                lambda c, x: body(*c, *x, *extra), init, xs, length=length, reverse=reverse
            )
            return [*carry, *ys]

        return f"{kind} {length, reverse} {text}", [*carries, *stacked, *consts], scan
    text, body = body_of(pick, [*first, *fixed], n_carry, operations)
    steps = pick([0, 1, 2, 5])

    def run(*given: Any) -> list:
        init, extra = list(given[:n_carry]), given[n_carry:]
        if kind == "fori":
            return ft.fori_loop(0, steps, lambda i, c: body(*c, *extra)[0], init)
        if kind == "while":
            return ft.while_loop(
                lambda s: (s[0] < steps) & (np.sum(s[1][0]) < 1e6),
                lambda s: (s[0] + 1, body(*s[1], *extra)[0]),
                (0, init),
            )[1]
        total = np.sum(init[0] * 1.0)
        branches = [lambda *c: body(*c, *extra)[0], lambda *c: list(c)]
        if kind == "cond":
            return ft.cond(total > 0.1, *branches, *init)
        index = np.floor(np.abs(total) * 1.37 + 0.21).astype(np.int64) % 3
        halves = lambda *c: [alike(x, x) for x in c]
        return ft.switch(index, [*branches, halves], *init)

    return f"{kind} {steps} {text}", [*carries, *consts], run


def draw(
    pick: Pick,
    length: int = 6,
    sizes: Sequence[int] = SIZES,
    dtypes: Sequence[str] = ("f8", "f8", "f8", "f4", "i8", "?", "i4"),
    layouts: Sequence[str] = ("C", "C", "F", "reversed", "broadcast"),
    operations: Sequence[Callable] = OPERATIONS,
    arguments: list | None = None,
) -> Drawn:
    """A program with its arguments."""
    rng = np.random.default_rng(pick(range(1000)))
    if arguments is None:
        arguments = []
        shape = shape_of(pick, sizes)
        for _ in range(pick([1, 2, 3])):
            if pick([True, False]):
                shape = shape_of(pick, sizes)
            arguments.append(laid_out(numbers(rng, shape, pick(dtypes)), pick(layouts)))
    values = list(arguments)
    steps: list[Step] = []
    for _ in itertools.count():
        if len(steps) >= length:
            break
        made = pick(operations)(pick, values, rng)
        if made is None:
            if pick([True, True, True, False]):
                continue
            made = unary(pick, values, rng)
        name, sources, function = made
        try:
            with np.errstate(all="ignore"):
                value = function(*[values[i] for i in sources])
        except TypeError:  # a loop of no steps is staged, and its plain arrays are no tracers
            continue
        several = value if type(value) is list else [value]
        several = [np.asarray(x) for x in several]
        if any(x.size > MOST or x.dtype == np.float16 for x in several):
            continue
        steps.append(Step(name, sources, function))
        values += several
        value = values[-1]
        if value.dtype.kind == "f" and np.max(np.abs(value), initial=0) > 30:
            steps.append(Step("tanh", [len(values) - 1], np.tanh))
            values.append(np.tanh(value))
        elif value.dtype.kind in "iu" and np.max(np.abs(value), initial=0) > 1000:
            steps.append(Step("modulo", [len(values) - 1], lambda x: x % 101))
            values.append(value % 101)
    count = pick([1, 1, 2, 3])
    results = [len(values) - 1, *[pick(range(len(values))) for _ in range(count - 1)]]
    return Drawn(arguments, steps, results, any(x.dtype == np.float32 for x in values))
