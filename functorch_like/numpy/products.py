"""Products: dot, matmul, inner, outer, tensordot, einsum and their kin."""

from __future__ import annotations

import functools
import string
from typing import Any

import numpy as np

from ..primitives import elementwise as e
from ..primitives.contraction import contract
from ..primitives.core import Tracer, dtype_of, shape_of
from ..primitives.reduction import reduce_sum
from .dispatch import implements, refuse_out
from .elementwise import as_operand, conjugate
from .indexing import writable_diagonal
from .manipulation import (
    astype,
    expand_dims,
    moveaxis,
    normalize_axes,
    ravel,
    reshape,
    transpose,
)
from .operands import as_array

__all__: list[str] = []


def product(x: Any, y: Any, subscripts: tuple[str, str, str]) -> Any:
    """``contract`` of operands converted to one dtype, with sizes checked."""
    sizes: dict[str, int] = {}
    for labels, operand in zip(subscripts, (x, y), strict=False):
        for label, n in zip(labels, shape_of(operand), strict=True):
            if sizes.setdefault(label, n) != n:
                raise ValueError(
                    f"product of arrays of shapes {shape_of(x)} and {shape_of(y)}: the sizes "
                    f"{sizes[label]} and {n} of the axes summed together differ."
                )
    dtype = np.result_type(dtype_of(x), dtype_of(y))
    x, y = (astype(v, dtype) if isinstance(v, Tracer) and v.dtype != dtype else v for v in (x, y))
    return contract(x, y, subscripts=subscripts)


def _pair(a: Any, b: Any) -> tuple[Any, Any]:
    return as_array(a), as_array(b)


@implements(np.dot)
def dot(a: Any, b: Any, out: Any = None) -> Any:
    refuse_out("np.dot", out)
    a, b = _pair(a, b)
    if a.ndim == 0 or b.ndim == 0:
        return e.multiply(a, b)
    x = string.ascii_lowercase[: a.ndim]
    y = string.ascii_lowercase[a.ndim : a.ndim + b.ndim]
    summed = x[-1]
    at = 0 if b.ndim == 1 else b.ndim - 2
    y = y[:at] + summed + y[at + 1 :]
    return product(a, b, (x, y, (x + y).replace(summed, "")))


@implements(np.matmul)
def matmul(a: Any, b: Any) -> Any:
    a, b = _pair(a, b)
    if a.ndim == 0 or b.ndim == 0:
        raise ValueError(
            f"matmul: expected arrays of at least one dimension; got shapes {a.shape} and "
            f"{b.shape}; write x * y for a product with a scalar."
        )
    x = "i" * (a.ndim > 1) + "k"
    y = "k" + "j" * (b.ndim > 1)
    return _batched_product(a, b, x, y, x.replace("k", "") + y.replace("k", ""))


def _batched_product(a: Any, b: Any, x: str, y: str, out: str) -> Any:
    """A contraction of trailing axes; leading ones broadcast as in matmul."""
    lead_a, lead_b = a.shape[: a.ndim - len(x)], b.shape[: b.ndim - len(y)]
    if not lead_a and not lead_b:
        return product(a, b, (x, y, out))
    ndim = max(len(lead_a), len(lead_b))
    letters = string.ascii_uppercase[:ndim]
    shape = np.broadcast_shapes(lead_a, lead_b)
    names = []
    arrays = []
    for v, lead in ((a, lead_a), (b, lead_b)):
        # An axis of length one that the other operand repeats is left out, not spread.
        offset = ndim - len(lead)
        keep = [n == shape[offset + i] for i, n in enumerate(lead)]
        kept = tuple(n for n, k in zip(lead, keep, strict=True) if k)
        names.append("".join(letters[offset + i] for i, k in enumerate(keep) if k))
        arrays.append(v if all(keep) else reshape(v, kept + v.shape[len(lead) :]))
    return product(arrays[0], arrays[1], (names[0] + x, names[1] + y, letters + out))


@implements(np.vecdot, np.linalg.vecdot)
def vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    a, b = _pair(x1, x2)
    a, b = moveaxis(a, axis, -1), moveaxis(b, axis, -1)
    return _batched_product(conjugate(a), b, "k", "k", "")


@implements(np.matvec)
def matvec(x1: Any, x2: Any) -> Any:
    return _batched_product(*_pair(x1, x2), "ik", "k", "i")


@implements(np.vecmat)
def vecmat(x1: Any, x2: Any) -> Any:
    a, b = _pair(x1, x2)
    return _batched_product(conjugate(a), b, "k", "kj", "j")


def along_axes(
    ufunc: Any,
    function: Any,
    inputs: tuple,
    axes: Any = None,
    axis: Any = None,
    keepdims: bool = False,
) -> Any:
    """A ufunc of vectors and matrices, whose own axes need not be the last.

    ``axes`` has an int or a tuple for each operand and for the result; ``axis`` is one axis for
    all, ``keepdims`` keeps it, with length one, where the result has none of its own.
    """
    operands = list(map(as_array, inputs))
    if keepdims and ufunc is not np.vecdot:
        raise TypeError(
            f"{ufunc.__name__}: keepdims is for functions whose result has no own axes."
        )
    if axis is not None:
        if axes is not None or ufunc is not np.vecdot:
            raise TypeError(f"{ufunc.__name__}: expected axes, not axis.")
        axes = [axis] * len(operands) + ([axis] if keepdims else [])
    count = len(operands)
    places = [(a,) if isinstance(a, (int, np.integer)) else tuple(a) for a in axes or ()]
    if axes is not None and len(places) not in (count, count + 1):
        raise ValueError(f"{ufunc.__name__}: axes should be a list with {count + 1} entries.")
    for i, place in enumerate(places[:count]):
        operands[i] = moveaxis(operands[i], place, tuple(range(-len(place), 0)))
    result = function(*operands)
    if keepdims:
        result = expand_dims(result, -1)
    if len(places) > count and places[count]:
        result = moveaxis(result, tuple(range(-len(places[count]), 0)), places[count])
    return result


@implements(np.linalg.matmul)
def linalg_matmul(x1: Any, x2: Any, /) -> Any:
    return matmul(x1, x2)


@implements(np.inner)
def inner(a: Any, b: Any) -> Any:
    a, b = _pair(a, b)
    if a.ndim == 0 or b.ndim == 0:
        return e.multiply(a, b)
    x = string.ascii_lowercase[: a.ndim]
    y = string.ascii_lowercase[a.ndim : a.ndim + b.ndim - 1] + x[-1]
    return product(a, b, (x, y, (x + y).replace(x[-1], "")))


@implements(np.outer, np.linalg.outer)
def outer(a: Any, b: Any, out: Any = None) -> Any:
    refuse_out("np.outer", out)
    a, b = _pair(a, b)
    return product(ravel(a), ravel(b), ("i", "j", "ij"))


@implements(np.vdot)
def vdot(a: Any, b: Any) -> Any:
    a, b = _pair(a, b)
    return product(conjugate(ravel(a)), ravel(b), ("i", "i", ""))


@implements(np.tensordot, np.linalg.tensordot)
def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    a, b = _pair(a, b)
    if isinstance(axes, (int, np.integer)):
        a_axes: tuple = tuple(range(a.ndim - axes, a.ndim))
        b_axes: tuple = tuple(range(axes))
    else:
        a_axes, b_axes = (
            normalize_axes(tuple(np.atleast_1d(ax).tolist()), v.ndim)
            for ax, v in zip(axes, (a, b), strict=True)
        )
    x = string.ascii_lowercase[: a.ndim]
    free = iter(string.ascii_uppercase)
    y = "".join(x[a_axes[b_axes.index(i)]] if i in b_axes else next(free) for i in range(b.ndim))
    summed = {x[i] for i in a_axes}
    return product(a, b, (x, y, "".join(c for c in x + y if c not in summed)))


@implements(np.kron)
def kron(a: Any, b: Any) -> Any:
    a, b = _pair(a, b)
    ndim = max(a.ndim, b.ndim)
    a = reshape(a, (1,) * (ndim - a.ndim) + a.shape)
    b = reshape(b, (1,) * (ndim - b.ndim) + b.shape)
    x, y = string.ascii_lowercase[:ndim], string.ascii_uppercase[:ndim]
    spread = product(a, b, (x, y, "".join(i + j for i, j in zip(x, y, strict=True))))
    return reshape(spread, [m * n for m, n in zip(a.shape, b.shape, strict=True)])


@implements(np.cross, np.linalg.cross)
def cross(
    a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> Any:
    a, b = _pair(a, b)
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = moveaxis(a, axisa, -1), moveaxis(b, axisb, -1)
    if a.shape[-1] not in (2, 3) or b.shape[-1] not in (2, 3):
        raise ValueError(f"np.cross: expected vectors of length 2 or 3; got {a.shape}, {b.shape}.")
    flat = a.shape[-1] == b.shape[-1] == 2
    (x1, y1), (x2, y2) = ((v[..., 0], v[..., 1]) for v in (a, b))
    third = e.subtract(e.multiply(x1, y2), e.multiply(y1, x2))
    if flat:
        return third
    z1 = a[..., 2] if a.shape[-1] == 3 else np.zeros(())
    z2 = b[..., 2] if b.shape[-1] == 3 else np.zeros(())
    first = e.subtract(e.multiply(y1, z2), e.multiply(z1, y2))
    second = e.subtract(e.multiply(z1, x2), e.multiply(x1, z2))
    return moveaxis(np.stack([first, second, third], -1), -1, axisc)


@implements(np.linalg.multi_dot)
def multi_dot(arrays: Any, *, out: Any = None) -> Any:
    refuse_out("np.linalg.multi_dot", out)
    order = [as_operand(a) for a in arrays]
    # The order of products, and so the rounding, is NumPy's: it depends on shapes alone.
    path = _multi_dot_order(tuple(_matrix_shape(a, i, len(order)) for i, a in enumerate(order)))
    return _multiply_in_order(order, path, 0, len(order) - 1)


def _matrix_shape(a: Any, i: int, n: int) -> tuple[int, int]:
    if a.ndim == 1:
        return (1, a.shape[0]) if i == 0 else (a.shape[0], 1)
    return a.shape


@functools.lru_cache(maxsize=256)
def _multi_dot_order(shapes: tuple[tuple[int, int], ...]) -> tuple[tuple[int, ...], ...]:
    """Split points of the cheapest order (Cormen et al., Introduction to Algorithms, 15.2)."""
    n = len(shapes)
    p = [s[0] for s in shapes] + [shapes[-1][1]]
    cost = [[0] * n for _ in range(n)]
    split = [[0] * n for _ in range(n)]
    for length in range(1, n):
        for i in range(n - length):
            j = i + length
            choices = [
                (cost[i][k] + cost[k + 1][j] + p[i] * p[k + 1] * p[j + 1], k) for k in range(i, j)
            ]
            cost[i][j], split[i][j] = min(choices)
    return tuple(map(tuple, split))


def _multiply_in_order(arrays: list, split: Any, i: int, j: int) -> Any:
    if i == j:
        return arrays[i]
    k = split[i][j]
    return dot(_multiply_in_order(arrays, split, i, k), _multiply_in_order(arrays, split, k + 1, j))


@implements(np.einsum)
def einsum(
    *operands: Any,
    out: Any = None,
    optimize: Any = False,
    dtype: Any = None,
    order: Any = "K",
    casting: Any = "safe",
) -> Any:
    refuse_out("np.einsum", out)
    subscripts, arrays = _parse_einsum(operands)
    inputs, output = subscripts
    terms = [
        _reduced_operand(labels, a, "".join(inputs[:i] + inputs[i + 1 :]) + output)
        for i, (labels, a) in enumerate(zip(inputs, arrays, strict=True))
    ]
    while len(terms) > 1:
        i, j = _next_pair(terms, output) if len(terms) > 2 else (0, 1)
        second, first = terms.pop(j), terms.pop(i)
        rest = "".join(labels for labels, _ in terms) + output
        (x, a), (y, b) = first, second
        a, b, x, y = _align_ones(a, b, x, y)
        kept = "".join(dict.fromkeys(c for c in x + y if c in rest))
        if not terms:
            kept = "".join(c for c in output)
        x, a = _sum_out(x, a, y + rest)
        y, b = _sum_out(y, b, x + rest)
        terms.append((kept, product(a, b, (x, y, kept))))
    ((labels, result),) = terms
    labels, result = _sum_out(labels, result, output)
    made = transpose(result, [labels.index(c) for c in output]) if labels != output else result
    return made if dtype is None else astype(made, dtype)


def _align_ones(a: Any, b: Any, x: str, y: str) -> tuple[Any, Any, str, str]:
    """Drop axes of length one that einsum broadcasts against the other operand."""
    for c in set(x) & set(y):
        m, n = a.shape[x.index(c)], b.shape[y.index(c)]
        if m == 1 != n:
            a, x = np.squeeze(a, x.index(c)), x.replace(c, "")
        elif n == 1 != m:
            b, y = np.squeeze(b, y.index(c)), y.replace(c, "")
    return a, b, x, y


def _next_pair(terms: list, output: str) -> tuple[int, int]:
    """The pair whose product is smallest beside what it replaces: opt_einsum's greedy rule."""
    best: tuple[float, tuple[int, int]] | None = None
    for i in range(len(terms)):
        for j in range(i + 1, len(terms)):
            (x, a), (y, b) = terms[i], terms[j]
            rest = output + "".join(t for k, (t, _) in enumerate(terms) if k not in (i, j))
            sizes = dict(zip(x, a.shape, strict=True)) | dict(zip(y, b.shape, strict=True))
            made = float(np.prod([n for c, n in sizes.items() if c in rest]))
            score = made - float(np.prod(a.shape)) - float(np.prod(b.shape))
            if best is None or score < best[0]:
                best = (score, (i, j))
    assert best is not None
    return best[1]


def _sum_out(labels: str, a: Any, needed: str) -> tuple[str, Any]:
    axes = tuple(i for i, c in enumerate(labels) if c not in needed)
    if not axes:
        return labels, a
    return "".join(c for c in labels if c in needed), reduce_sum(a, axes=axes)


def _reduced_operand(labels: str, a: Any, others: str) -> tuple[str, Any]:
    """Take diagonals of repeated labels and sum those that stand nowhere else."""
    for c in dict.fromkeys(labels):
        while labels.count(c) > 1:
            i = labels.index(c)
            j = labels.index(c, i + 1)
            a = writable_diagonal(a, i, j)
            labels = labels[:i] + labels[i + 1 : j] + labels[j + 1 :] + c
    return _sum_out(labels, a, others)


def _parse_einsum(operands: tuple) -> tuple[tuple[list[str], str], list[Any]]:
    """Subscripts with the ellipsis written out as capital letters, and the operands."""
    letters = string.ascii_lowercase + string.ascii_uppercase
    if isinstance(operands[0], str):
        text, arrays = operands[0].replace(" ", ""), list(operands[1:])
    else:  # the form einsum(a, [0, 1], b, [1, 2], [0, 2])
        pairs, rest = operands[: len(operands) // 2 * 2], operands[len(operands) // 2 * 2 :]

        def spell(axes: Any) -> str:
            return "".join("..." if c is Ellipsis else letters[c] for c in axes)

        text = ",".join(spell(axes) for axes in pairs[1::2])
        text += "->" + spell(rest[0]) if rest else ""
        arrays = list(pairs[::2])
    arrays = list(map(as_array, arrays))
    left, arrow, output = text.partition("->")
    inputs = left.split(",")
    if len(inputs) != len(arrays):
        raise ValueError(
            f"np.einsum: expected {len(inputs)} operands for {text!r}; got {len(arrays)}."
        )
    free = [c for c in reversed(letters) if c not in text]
    spread: list[int] = [
        a.ndim - len(labels.replace("...", "")) if "..." in labels else 0
        for labels, a in zip(inputs, arrays, strict=True)
    ]
    dots = "".join(free[: max(spread, default=0)])
    inputs = [
        labels.replace("...", dots[len(dots) - n :])
        for labels, n in zip(inputs, spread, strict=True)
    ]
    for labels, a in zip(inputs, arrays, strict=True):
        if len(labels) != a.ndim:
            raise ValueError(
                f"np.einsum: {text!r} has {len(labels)} labels for an operand of shape {a.shape}."
            )
    if arrow:
        output = output.replace("...", dots)
    else:
        flat = "".join(inputs)
        output = dots + "".join(c for c in sorted(set(flat) - set(dots)) if flat.count(c) == 1)
    return (inputs, output), arrays
