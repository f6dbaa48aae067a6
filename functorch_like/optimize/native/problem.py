"""What the native solvers share: results and their status, pytrees as vectors, stopping."""

from __future__ import annotations

import enum
import operator
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ... import tree
from ...arguments import as_array
from ...errors import name_of
from ...primitives.core import aval_of

__all__ = [
    "RUNNING",
    "Limits",
    "Root",
    "Solution",
    "Status",
    "Variables",
    "count",
    "decide",
    "finite",
    "largest",
    "length_of",
    "unmoved",
]


class Status(enum.IntEnum):
    """Why a solver stopped: positive where it found what was asked, as SciPy's numbers are."""

    MAX_ITERATIONS = 0
    GRADIENT = 1
    FUNCTION = 2
    STEP = 3
    STALLED = -1
    NOT_FINITE = -2
    UNBOUNDED = -3
    NO_BRACKET = -4


RUNNING = 100

_MESSAGES = {
    Status.MAX_ITERATIONS: "the largest number of iterations was reached",
    Status.GRADIENT: "the gradient is within its tolerance",
    Status.FUNCTION: "the function decreases by less than its tolerance",
    Status.STEP: "the step (of a bracket: its width) is within its tolerance",
    Status.STALLED: "no acceptable step was found; the last point is the best one",
    Status.NOT_FINITE: "the function or its derivative is not finite at the start",
    Status.UNBOUNDED: "the function seems to be unbounded below",
    Status.NO_BRACKET: "the function has the same sign at both ends of the interval",
}


def _message(status: Any) -> str:
    codes, counts = np.unique(np.asarray(status), return_counts=True)
    if np.ndim(status) == 0:
        return _MESSAGES[Status(int(codes[0]))]
    return "; ".join(
        f"{count}: {_MESSAGES[Status(int(code))]}"
        for code, count in zip(codes, counts, strict=True)
    )


class Solution(NamedTuple):
    """Result of a minimisation; a pytree, with a leading axis a batch under ``vmap``.

    Attributes
    ----------
    x
        The best point found, structured like ``x0``.
    fun
        What was minimised, there; of a least-squares problem half the sum of squares.
    gradient_norm
        Largest component of the gradient, by absolute value; of a problem with bounds, of
        those components that no bound holds.
    iterations, evaluations
        int64; evaluations are those of the function, with or without derivatives.
    status
        int64, a ``Status``.
    """

    x: Any
    fun: Any
    gradient_norm: Any
    iterations: Any
    evaluations: Any
    status: Any

    @property
    def success(self) -> Any:
        """Whether a minimum was found, to the tolerances."""
        return self.status > 0

    @property
    def message(self) -> str:
        """The status in words; of a batch, with how often each occurs."""
        return _message(self.status)


class Root(NamedTuple):
    """Result of a search for a root; a pytree, with a leading axis a batch under ``vmap``.

    Attributes
    ----------
    x
        The best point found, structured like ``x0``.
    fun
        The function there.
    iterations, evaluations
        int64; evaluations are those of the function, with or without derivatives.
    status
        int64, a ``Status``.
    """

    x: Any
    fun: Any
    iterations: Any
    evaluations: Any
    status: Any

    @property
    def success(self) -> Any:
        """Whether a root was found, to the tolerances."""
        return self.status > 0

    @property
    def message(self) -> str:
        """The status in words; of a batch, with how often each occurs."""
        return _message(self.status)


# --------------------------------------------------------------------------------------
# Arguments


def _array_of(x0: Any) -> Any:
    """A list or tuple of numbers as an array, for which SciPy takes it."""
    if type(x0) in (list, tuple) and x0 and all(isinstance(x, (int, float)) for x in x0):
        return np.asarray(x0, float)
    return x0


class Variables:
    """The unknowns: a pytree, and the vector the solvers work with."""

    def __init__(self, solver: str, fun: Callable, x0: Any, args: Any) -> None:
        self.label = f"{solver}({name_of(fun)})"
        self.args = args if isinstance(args, tuple) else (args,)
        self.fun = fun
        leaves, self.structure = tree.flatten(_array_of(x0))
        arrays = [as_array(x) for x in leaves]
        for x in arrays:
            if x.dtype.kind not in "iuf":
                raise TypeError(
                    f"{self.label}: expected x0 of real floating-point arrays; got {aval_of(x)}; "
                    "split complex unknowns into their real and imaginary parts."
                )
        if not sum(x.size for x in arrays):
            raise ValueError(f"{self.label}: expected at least one unknown; x0 has none.")
        self.dtypes = [x.dtype if x.dtype.kind == "f" else np.dtype(float) for x in arrays]
        self.shapes = [x.shape for x in arrays]
        self.dtype = np.result_type(*self.dtypes)
        if self.dtype == np.float16:
            self.dtype = np.dtype(np.float32)
        self.eps = float(np.finfo(self.dtype).eps)
        self.start = self.vector_of(arrays)
        self.size = int(self.start.shape[0])

    def vector_of(self, arrays: Sequence[Any]) -> Any:
        """One vector of the leaves."""
        parts = [as_array(x).astype(self.dtype).reshape(-1) for x in arrays]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def tree_of(self, vector: Any) -> Any:
        """The pytree that a vector stands for."""
        leaves, start = [], 0
        for shape, dtype in zip(self.shapes, self.dtypes, strict=True):
            size = int(np.prod(shape, dtype=np.int64))
            piece = vector[start : start + size] if size != vector.shape[0] else vector
            piece = piece.reshape(shape)[()]
            leaves.append(piece if dtype == self.dtype else piece.astype(dtype))
            start += size
        return tree.unflatten(self.structure, leaves)

    def objective(self, vector: Any) -> Any:
        """The function's single value."""
        value = self.fun(self.tree_of(vector), *self.args)
        leaves, structure = tree.flatten(value)
        x = as_array(leaves[0]) if structure == tree.LEAF else None
        if x is None or x.size != 1 or x.dtype.kind not in "fiu":
            got = tree.describe(structure) if x is None else str(aval_of(x))
            raise TypeError(
                f"{self.label}: expected a function that returns a single real number; got {got}; "
                "reduce it, np.sum(...), or use a least-squares solver for a vector of residuals."
            )
        return x.reshape(()).astype(self.dtype)

    def residual(self, vector: Any) -> Any:
        """The function's values, as one vector."""
        leaves = tree.leaves(self.fun(self.tree_of(vector), *self.args))
        arrays = [as_array(x) for x in leaves]
        for x in arrays:
            if x.dtype.kind not in "fiu":
                raise TypeError(
                    f"{self.label}: expected a function that returns real arrays; got "
                    f"{aval_of(x)}; split complex values into their real and imaginary parts."
                )
        if not sum(x.size for x in arrays):
            raise ValueError(f"{self.label}: expected at least one residual; got none.")
        return self.vector_of(arrays)

    def bound(self, name: str, given: Any, default: float) -> Any:
        """A bound as a vector: given by a pytree like ``x0``, or by one number."""
        if given is None:
            return np.full(self.size, default, self.dtype)
        leaves, structure = tree.flatten(given)
        if structure == self.structure:
            arrays = [as_array(x) for x in leaves]
        elif structure == tree.LEAF and as_array(leaves[0]).shape == ():
            arrays = [as_array(leaves[0])] * len(self.shapes)
        else:
            raise TypeError(
                f"{self.label}: expected {name} structured like x0, "
                f"{tree.describe(self.structure)}, or a single number; got "
                f"{tree.describe(structure)}."
            )
        parts = []
        for x, shape in zip(arrays, self.shapes, strict=True):
            try:
                parts.append(np.broadcast_to(x, shape))
            except ValueError:
                raise ValueError(
                    f"{self.label}: expected {name} of shape {shape}, as x0 has; got {x.shape}."
                ) from None
        return self.vector_of(parts)


def _tolerance(label: str, name: str, given: float | None, default: float) -> float:
    """A tolerance, checked where its value is known."""
    if given is None:
        return default
    if not float(given) >= 0:
        raise ValueError(f"{label}: expected {name} to be at least 0; got {given}.")
    return float(given)


def count(label: str, name: str, given: int | None, default: int, least: int = 0) -> int:
    """A number of iterations, or the like."""
    number = default if given is None else operator.index(given)
    if number < least:
        raise ValueError(f"{label}: expected {name} to be at least {least}; got {given}.")
    return number


# --------------------------------------------------------------------------------------
# Small pieces of the iterations


def largest(vector: Any) -> Any:
    """Largest absolute value, NaN where there is one."""
    return np.max(np.abs(vector))


def finite(*values: Any) -> Any:
    """Whether all numbers are finite."""
    found = [np.all(np.isfinite(x)) for x in values]
    result = found[0]
    for one in found[1:]:
        result = np.logical_and(result, one)
    return result


def decide(otherwise: Any, *cases: tuple[Any, Any]) -> Any:
    """The status of the first case that holds."""
    status: Any = np.int64(otherwise) if isinstance(otherwise, int) else otherwise
    for holds, code in reversed(cases):
        status = np.where(holds, np.int64(code), status)
    return status[()]


def length_of(vector: Any) -> Any:
    """Euclidean norm."""
    return np.sqrt(np.sum(vector * vector))


def unmoved(step: Any, x: Any, share: float) -> Any:
    """Whether a step changes no component by more than this share of it."""
    return np.all(np.abs(step) <= share * np.abs(x))


class Limits(NamedTuple):
    """When to stop."""

    tol: float
    ftol: float
    xtol: float
    iterations: int

    @classmethod
    def of(cls, label: str, tol: tuple, ftol: tuple, xtol: tuple, iterations: tuple) -> Limits:
        """From what was given, each with its default."""
        return cls(
            _tolerance(label, "tol", *tol),
            _tolerance(label, "ftol", *ftol),
            _tolerance(label, "xtol", *xtol),
            count(label, "max_iterations", *iterations),
        )

    def begin(self, usable: Any, norm: Any) -> Any:
        """The status at the start, whose gradient has the given norm."""
        return decide(
            RUNNING,
            (~usable, Status.NOT_FINITE),
            (norm <= self.tol, Status.GRADIENT),
            (np.bool_(self.iterations == 0), Status.MAX_ITERATIONS),
        )
