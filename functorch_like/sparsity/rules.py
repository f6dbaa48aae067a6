"""How index sets pass through primitives: one rule a primitive or family.

A rule gives a superset of what each element of the result depends on. It is exact for operations
that move elements, elementwise ones, sums, products with constants (zeros respected), and gathers
and scatters at constant positions; factorisations, transforms and the like take all elements of
the matrix or axis they act on; an operation without a rule takes everything.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..primitives.core import Elementwise, ShapedArray
from .index_sets import IndexSets, stacked, union
from .propagation import RULES, Propagation, Sets, Value

__all__ = ["anything", "nonzero", "numbered", "rule", "stacks", "united"]


def rule(*names: str) -> Callable:
    """Register a rule for primitives."""

    def register(function: Callable) -> Callable:
        RULES.update(dict.fromkeys(names, function))
        return function

    return register


def united(parts: Sequence[Sets]) -> Sets:
    """Row by row the union of those that are not empty."""
    present = [p for p in parts if p is not None]
    return union(present) if present else None


def numbered(shape: Sequence[int], first: int = 0) -> np.ndarray:
    """The numbers of the elements of an array, from ``first`` on."""
    return np.arange(first, first + math.prod(shape)).reshape(shape)


def broadcast(x: Value, shape: tuple[int, ...]) -> Sets:
    """The sets of an operand that NumPy broadcasts to ``shape``."""
    if x.sets is None or x.aval.shape == shape:
        return x.sets
    return x.sets.take(np.broadcast_to(numbered(x.aval.shape), shape))


# --- anything, and what acts on whole matrices or axes -------------------------------------------


@rule("anything")
def anything(
    engine: Propagation, primitive: Any, operands: list[Value], params: dict, avals: list
) -> list[Sets]:
    """Every element of every result depends on all that any operand depends on."""
    return stacks(operands, avals, 0)


def stacks(operands: list[Value], avals: list[ShapedArray], lead: int) -> list[Sets]:
    """As ``anything``, for each position of the first ``lead`` axes by itself."""
    parts = []
    for x in operands:
        if x.sets is not None:
            shape = x.aval.shape
            parts.append(x.sets.reduced(shape, range(lead, len(shape))))
    one = union(parts)
    return [
        one.spread(a.shape, range(lead, len(a.shape))) if a.dtype.kind in "fc" else None
        for a in avals
    ]


@rule(
    "balance", "cholesky", "cofactor", "cofactor_derivative", "commutator_solve",
    "continuous_riccati", "determinant", "discrete_riccati", "distinct", "eig", "eig_both",
    "eig_pair", "eigh", "eigvalsh", "hermitian_eigen", "hessenberg", "inverse", "ldl", "lu",
    "matrix_exponential", "matrix_exponential_derivative", "matrix_logarithm",
    "matrix_logarithm_derivative", "matrix_power", "matrix_power_derivative", "matrix_root",
    "matrix_sign", "polar_factor", "pseudo_inverse", "qr", "schur", "slogdet",
    "stein", "svd", "svdvals", "sylvester",
)  # fmt: skip
def _matrices(
    engine: Propagation, primitive: Any, operands: list[Value], params: dict, avals: list
) -> list[Sets]:
    """The first operand is a stack of matrices, and everything else has the same leading axes."""
    lead = operands[0].aval.shape[:-2]
    ranks = (x.aval.shape for x in (*operands, *(Value(a) for a in avals)))
    same = all(shape[: len(lead)] == lead for shape in ranks)
    return stacks(operands, avals, len(lead) if same else 0)


@rule("solve", "triangular_solve", "banded_solve", "toeplitz_solve", "least_squares")
def _solve(
    engine: Propagation, primitive: Any, operands: list[Value], params: dict, avals: list
) -> list[Sets]:
    """Stacks of matrices and of right-hand sides, each column of which has its own solution."""
    a, b = operands
    parts: list[Sets] = []
    if a.sets is not None:
        parts += _matrices(engine, primitive, [a], params, avals)
    if b.sets is not None:
        rows = len(b.aval.shape) - 2
        parts.append(b.sets.reduced(b.aval.shape, (rows,)).spread(avals[0].shape, (rows,)))
    return [united(parts)]


@rule("fft", "ifft", "rfft", "irfft", "trigonometric_transform", "spline_filter")
def _along_axis(
    engine: Propagation, primitive: Any, operands: list[Value], params: dict, avals: list
) -> list[Sets]:
    x, axis = operands[0], params["axis"]
    assert x.sets is not None
    return [x.sets.reduced(x.aval.shape, (axis,)).spread(avals[0].shape, (axis,))]


@rule("cumulative_sum", "cumulative_product", "recurrence")
def _running(
    engine: Propagation, primitive: Any, operands: list[Value], params: dict, avals: list
) -> list[Sets]:
    shape = avals[0].shape
    sets = united([broadcast(x, shape) for x in operands])
    assert sets is not None
    return [sets.running(shape, params["axis"], params["reverse"])]


@rule("reduce_sum", "reduce_max", "reduce_min", "reduce_product")
def _reduce(
    engine: Propagation, primitive: Any, operands: list[Value], params: dict, avals: list
) -> list[Sets]:
    x = operands[0]
    assert x.sets is not None
    return [x.sets.reduced(x.aval.shape, params["axes"])]


# --- elementwise ---------------------------------------------------------------------------------


def nonzero(x: Value, shape: tuple[int, ...]) -> np.ndarray | None:
    """Where a constant operand is not zero; None if it is no constant."""
    array = x.constant() if x.sets is None else None
    return None if array is None else np.broadcast_to(np.not_equal(array, 0), shape).reshape(-1)


@rule("elementwise")
def _elementwise(
    engine: Propagation, primitive: Elementwise, operands: list[Value], params: dict, avals: list
) -> list[Sets]:
    rules = primitive.rules or (None,) * len(operands)
    parts = [
        broadcast(x, avals[0].shape)
        for x, derivative in zip(operands, rules, strict=True)
        if derivative is not None
    ]
    return [united(parts)]


@rule(
    "complex_absolute", "conjugate", "convert", "copy", "distribution_function", "gamma_slope",
    "imag", "quantile_function", "random_gamma", "random_von_mises", "real", "von_mises_mean",
    "von_mises_slope", "wald_root",
)  # fmt: skip
def _of_one_shape(
    engine: Propagation, primitive: Any, operands: list[Value], params: dict, avals: list
) -> list[Sets]:
    shape = avals[0].shape
    if any(x.sets is not None and x.aval.shape != shape for x in operands):
        return anything(engine, primitive, operands, params, avals)
    return [united([x.sets for x in operands])]


@rule("multiply", "divide")
def _product(
    engine: Propagation, primitive: Any, operands: list[Value], params: dict, avals: list
) -> list[Sets]:
    # d(x y) = y dx + x dy, d(x / y) = dx / y - x dy / y^2: nothing where a constant factor is 0.
    shape = avals[0].shape
    parts: list[Sets] = []
    for i, x in enumerate(operands):
        sets = broadcast(x, shape)
        if sets is not None and (i == 1 or primitive.name == "multiply"):
            mask = nonzero(operands[1 - i], shape)
            sets = sets if mask is None else sets.kept(mask)
        parts.append(sets)
    return [united(parts)]


@rule("power")
def _power(
    engine: Propagation, primitive: Any, operands: list[Value], params: dict, avals: list
) -> list[Sets]:
    # d(x^y) = y x^(y - 1) dx + x^y log x dy: nothing of x where a constant exponent is 0.
    shape = avals[0].shape
    base, exponent = operands
    sets = broadcast(base, shape)
    if sets is not None:
        mask = nonzero(exponent, shape)
        sets = sets if mask is None else sets.kept(mask)
    return [united([sets, broadcast(exponent, shape)])]


@rule("select")
def _select(
    engine: Propagation, primitive: Any, operands: list[Value], params: dict, avals: list
) -> list[Sets]:
    shape = avals[0].shape
    condition, *branches = operands
    parts = [broadcast(x, shape) for x in branches]
    mask = nonzero(condition, shape)
    if mask is not None:
        parts = [
            None if p is None else p.kept(m) for p, m in zip(parts, (mask, ~mask), strict=True)
        ]
    return [united(parts)]


# --- moving elements -----------------------------------------------------------------------------


def moved(
    primitive: Any, operands: Sequence[Value], rest: Sequence[Any], params: dict
) -> list[Sets]:
    """Run the operation on the numbers of the elements, and read off where each comes from."""
    dependent = [x.sets for x in operands if x.sets is not None]
    first, positions = 1, []
    for x in operands:
        if x.sets is None:
            positions.append(np.zeros(x.aval.shape, np.int64))  # 0 is an empty set
        else:
            positions.append(numbered(x.aval.shape, first))
            first += x.aval.size
    made = primitive.kernel(*positions, *rest, **params)
    return [stacked(dependent).take(np.asarray(made) - 1)]


@rule(
    "broadcast_to", "concatenate", "slice_at", "transpose", "unslice", "update_slice",
)  # fmt: skip
def _move(
    engine: Propagation, primitive: Any, operands: list[Value], params: dict, avals: list
) -> list[Sets]:
    return moved(primitive, operands, (), params)


@rule("reshape", "checkpoint_name", "recompute")
def _reshape(
    engine: Propagation, primitive: Any, operands: list[Value], params: dict, avals: list
) -> list[Sets]:
    return [operands[0].sets]


def indices(operands: Sequence[Value]) -> list[np.ndarray | None]:
    """Index arrays, broadcast together; None for those that are no constants."""
    shape = np.broadcast_shapes(*[x.aval.shape for x in operands])
    found = [x.constant() for x in operands]
    return [None if i is None else np.broadcast_to(i, shape) for i in found]


@rule("gather")
def _gather(
    engine: Propagation, primitive: Any, operands: list[Value], params: dict, avals: list
) -> list[Sets]:
    x, index = operands[0], indices(operands[1:])
    if all(i is not None for i in index):
        return moved(primitive, [x], index, {})
    # Along axes that are read anywhere, everything.
    assert x.sets is not None
    unknown = [axis for axis, i in enumerate(index) if i is None]
    kept = [n for axis, n in enumerate(x.aval.shape) if axis not in unknown]
    numbers = numbered(kept)
    known = tuple(i for i in index if i is not None)
    if known:
        numbers = numbers[known]
    sets = x.sets.reduced(x.aval.shape, unknown)
    return [sets.take(np.broadcast_to(numbers, avals[0].shape))]


def scattered(
    values: Value, index: Sequence[np.ndarray | None], shape: tuple[int, ...]
) -> IndexSets:
    """The sets of zeros of ``shape`` to which values are added at positions."""
    assert values.sets is not None
    unknown = [axis for axis, i in enumerate(index) if i is None]
    kept = [n for axis, n in enumerate(shape) if axis not in unknown]
    numbers = numbered(kept)
    known = tuple(i for i in index if i is not None)
    if known:
        numbers = numbers[known]
    groups = np.broadcast_to(numbers, values.aval.shape).reshape(-1)
    sets = values.sets.united(groups, math.prod(kept))
    return sets.spread(shape, unknown) if unknown else sets


@rule("scatter_add")
def _scatter_add(
    engine: Propagation, primitive: Any, operands: list[Value], params: dict, avals: list
) -> list[Sets]:
    return [scattered(operands[0], indices(operands[1:]), avals[0].shape)]


@rule("update_at")
def _update_at(
    engine: Propagation, primitive: Any, operands: list[Value], params: dict, avals: list
) -> list[Sets]:
    x, values = operands[:2]
    index = indices(operands[2:])
    if all(i is not None for i in index):
        return moved(primitive, [x, values], index, {})
    if values.sets is None:
        return [x.sets]
    return [united([x.sets, scattered(values, index, avals[0].shape)])]
