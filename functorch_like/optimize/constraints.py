"""Bounds and constraints: SciPy's classes in, vectors with exact derivatives out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.optimize
import scipy.sparse
import scipy.sparse.linalg
from scipy.optimize import LinearConstraint, NonlinearConstraint

from ..errors import name_of
from .functions import Vector
from .unknowns import Unknowns

__all__ = ["Bounds", "Constraint", "LinearConstraint", "NonlinearConstraint"]

# Nonlinear constraints count as satisfied up to this, relative to the size of the limit.
FEASIBLE = 1e-6


class Bounds(scipy.optimize.Bounds):
    """Bounds on the unknowns: ``lb <= x <= ub``.

    Parameters
    ----------
    lb, ub
        Numbers, arrays of the shape of ``x0``, or pytrees like it; ``-np.inf`` and ``np.inf``
        where there is no bound. Equal bounds fix an unknown.
    keep_feasible
        As in ``scipy.optimize.Bounds``.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> bounds = ft.optimize.Bounds({"rate": 0.1, "shift": -np.inf}, {"rate": 9.0, "shift": np.inf})
    >>> def f(p):
    ...     return p["rate"] ** 2 + (p["shift"] - p["rate"]) ** 2
    >>> result = ft.optimize.minimize(f, {"rate": 1.0, "shift": 0.0}, bounds=bounds)
    >>> float(result.x["rate"].round(6)), float(result.x["shift"].round(6))
    (0.1, 0.1)
    """

    def __init__(self, lb: Any = -np.inf, ub: Any = np.inf, keep_feasible: Any = False) -> None:
        self.given = (lb, ub)
        super().__init__(lb, ub, keep_feasible)

    def __repr__(self) -> str:
        return f"Bounds({self.given[0]!r}, {self.given[1]!r})"


class FlatBounds:
    """Bounds of the vector."""

    def __init__(self, lb: np.ndarray, ub: np.ndarray, keep_feasible: Any = False) -> None:
        self.lb, self.ub, self.keep_feasible = lb, ub, keep_feasible

    def inside(self, x: np.ndarray) -> bool:
        """Whether ``x`` is within the bounds, up to rounding."""
        slack = 1e-12 * (1 + np.abs(x))
        return bool(np.all(x >= self.lb - slack) and np.all(x <= self.ub + slack))

    def active(self, x: np.ndarray) -> np.ndarray:
        """Which unknowns stand at a bound."""
        room = 1e-8 * (1 + np.abs(x))
        return (x - self.lb <= room) | (self.ub - x <= room)

    @property
    def any(self) -> bool:
        """Whether there is a finite bound."""
        return bool(np.isfinite(self.lb).any() or np.isfinite(self.ub).any())

    def to_scipy(self) -> scipy.optimize.Bounds:
        """As SciPy's object."""
        return scipy.optimize.Bounds(self.lb, self.ub, self.keep_feasible)


def flat_bounds(caller: str, unknowns: Unknowns, bounds: Any, pairs: bool) -> FlatBounds | None:
    """The bounds of a call as vectors; ``pairs`` says how a plain sequence is read.

    ``minimize`` takes a sequence of (min, max) for each unknown, ``least_squares`` a pair of the
    lower and upper bounds.
    """
    if bounds is None:
        return None
    keep: Any = False
    if isinstance(bounds, scipy.optimize.Bounds):
        lower, upper = getattr(bounds, "given", (bounds.lb, bounds.ub))
        keep = bounds.keep_feasible
    elif pairs:
        lower, upper = _from_pairs(caller, unknowns, bounds)
    else:
        if not isinstance(bounds, (tuple, list)) or len(bounds) != 2:
            raise ValueError(
                f"{caller}: expected bounds=(lower, upper) or Bounds(lower, upper); got "
                f"{type(bounds).__name__} of {len(bounds)} elements."
            )
        lower, upper = bounds
    lb, ub = (
        unknowns.flatten(
            np.squeeze(side) if isinstance(side, np.ndarray) and side.shape == (1,) else side,
            what,
            caller,
        )
        for side, what in ((lower, "lower bounds"), (upper, "upper bounds"))
    )
    for side, what in ((lb, "lower"), (ub, "upper")):
        if np.isnan(side).any():
            i = int(np.flatnonzero(np.isnan(side))[0])
            raise ValueError(f"{caller}: the {what} bound of {unknowns.name(i)} is NaN.")
    crossed = np.flatnonzero(lb > ub)
    if crossed.size:
        i = int(crossed[0])
        raise ValueError(
            f"{caller}: infeasible bounds: {unknowns.name(i)} has lower bound {lb[i]:g} above its "
            f"upper bound {ub[i]:g}" + (f", and {crossed.size - 1} more" * (crossed.size > 1)) + "."
        )
    return FlatBounds(lb, ub, keep)


def _from_pairs(caller: str, unknowns: Unknowns, bounds: Any) -> tuple[np.ndarray, np.ndarray]:
    try:
        pairs = [tuple(pair) for pair in bounds]
        lower = np.array([-np.inf if a is None else a for a, _ in pairs], float)
        upper = np.array([np.inf if b is None else b for _, b in pairs], float)
    except (TypeError, ValueError):
        raise ValueError(
            f"{caller}: expected bounds as a sequence of (min, max) pairs, None where there is "
            f"none, or as Bounds(lower, upper); got {bounds!r}."
        ) from None
    if len(pairs) != unknowns.n:
        raise ValueError(
            f"{caller}: expected {unknowns.n} pairs of bounds, one for each unknown; got "
            f"{len(pairs)}."
        )
    return (
        (lower, upper)
        if unknowns.plain and unknowns.shapes[0] == (len(pairs),)
        else (
            unknowns.unflatten(lower),
            unknowns.unflatten(upper),
        )
    )


class Constraint:
    """One constraint ``lb <= c(x) <= ub`` of the vector."""

    def __init__(
        self,
        caller: str,
        number: int,
        source: Any,
        unknowns: Unknowns,
        start: np.ndarray,
        **how: Any,
    ) -> None:
        self.unknowns = unknowns
        self.matrix: Any = None
        self.vector: Vector | None = None
        self.given_hess: Callable | None = None
        self.name = f"constraint {number}"
        if isinstance(source, scipy.optimize.LinearConstraint):
            self._linear(caller, source)
            lb, ub, self.keep_feasible = source.lb, source.ub, source.keep_feasible
        elif isinstance(source, scipy.optimize.NonlinearConstraint):
            self._nonlinear(caller, source.fun, source.jac, (), how)
            hess = source.hess
            self.given_hess = hess if callable(hess) else None
            lb, ub, self.keep_feasible = source.lb, source.ub, source.keep_feasible
        elif isinstance(source, dict):
            lb, ub = self._old(caller, source, how)
            self.keep_feasible = False
        else:
            raise TypeError(
                f"{caller}: expected constraints of LinearConstraint, NonlinearConstraint or dicts "
                f"with 'type' and 'fun'; got {type(source).__name__}."
            )
        values = self.value(start)
        self.m = values.size
        try:
            self.lb, self.ub = (
                np.array(np.broadcast_to(np.asarray(_flat(side), float), (self.m,)))
                for side in (lb, ub)
            )
        except ValueError:
            raise ValueError(
                f"{caller}: expected limits of {self.name} to fit its {self.m} values; got shapes "
                f"{np.shape(_flat(lb))} and {np.shape(_flat(ub))}."
            ) from None
        crossed = np.flatnonzero((self.lb > self.ub) | np.isnan(self.lb) | np.isnan(self.ub))
        if crossed.size:
            i = int(crossed[0])
            raise ValueError(
                f"{caller}: infeasible {self.name}: element {i} has lower limit {self.lb[i]:g} and "
                f"upper limit {self.ub[i]:g}."
            )
        if self.vector is not None:
            self.vector.check_start(start, "constraint values")

    def _linear(self, caller: str, source: scipy.optimize.LinearConstraint) -> None:
        matrix = source.A
        self.matrix = (
            scipy.sparse.csr_array(matrix)
            if scipy.sparse.issparse(matrix)
            else np.atleast_2d(np.asarray(matrix, float))
        )
        if self.matrix.shape[1] != self.unknowns.n:
            raise ValueError(
                f"{caller}: expected the matrix of {self.name} to have {self.unknowns.n} columns, "
                f"one for each unknown; got shape {self.matrix.shape}."
            )

    def _nonlinear(self, caller: str, fun: Callable, jac: Any, args: tuple, how: dict) -> None:
        self.name += f" ({name_of(fun)})"
        given = None
        if callable(jac):

            def given(x: Any) -> Any:
                made = jac(x, *args)
                return made if scipy.sparse.issparse(made) else np.atleast_2d(made)

        self.vector = Vector(caller, fun, self.unknowns, args, jac=given, **how)

    def _old(self, caller: str, source: dict, how: dict) -> tuple[float, float]:
        kind = str(source.get("type", "")).lower()
        if kind not in ("eq", "ineq") or "fun" not in source:
            raise ValueError(
                f"{caller}: expected a constraint dict with 'type' of 'eq' or 'ineq' and 'fun'; "
                f"got {source!r}."
            )
        args = source.get("args", ())
        args = args if isinstance(args, tuple) else (args,)
        self._nonlinear(caller, source["fun"], source.get("jac"), args, how)
        return 0.0, 0.0 if kind == "eq" else np.inf

    def value(self, x: np.ndarray) -> np.ndarray:
        """c(x)."""
        if self.vector is None:
            return np.asarray(self.matrix @ x)
        return self.vector.value(x)

    def jacobian(self, x: np.ndarray) -> Any:
        """The matrix of first derivatives, dense or sparse."""
        return self.matrix if self.vector is None else self.vector.jacobian(x)

    def curvature(self, x: np.ndarray, weights: np.ndarray) -> Any:
        """The Hessian of ``weights @ c``."""
        if self.vector is None:
            return scipy.sparse.csr_array((x.size, x.size))
        if self.given_hess is not None:
            return self.given_hess(self.unknowns.unflatten(x), weights)
        return self.vector.curvature(x, weights)

    def excess(self, x: np.ndarray) -> np.ndarray:
        """By how much each element violates its limits."""
        values = self.value(x)
        return np.maximum(np.maximum(self.lb - values, values - self.ub), 0.0)

    def violation(self, x: np.ndarray) -> float:
        """The largest violation."""
        excess = self.excess(x)
        return float(np.max(excess)) if excess.size else 0.0

    def relative_violation(self, x: np.ndarray) -> float:
        """The largest violation, relative to the size of the limit where that is above 1."""
        size = np.maximum(
            np.where(np.isfinite(self.lb), np.abs(self.lb), 0),
            np.where(np.isfinite(self.ub), np.abs(self.ub), 0),
        )
        excess = self.excess(x) / np.maximum(1.0, size)
        return float(np.max(excess)) if excess.size else 0.0

    def worst(self, x: np.ndarray) -> str:
        """The most violated element in words."""
        excess = self.excess(x)
        i = int(np.argmax(excess))
        value = self.value(x)[i]
        side = "below" if value < self.lb[i] else "above"
        limit = self.lb[i] if value < self.lb[i] else self.ub[i]
        return f"{self.name}, element {i}, is {value:.6g}, {side} its limit {limit:g}"

    def to_scipy(self, sparse: bool, hess: Any = None) -> Any:
        """As SciPy's object, Jacobians and Hessians of one kind."""
        convert = scipy.sparse.csr_array if sparse else _dense
        if self.vector is None:
            return LinearConstraint(convert(self.matrix), self.lb, self.ub, self.keep_feasible)
        return NonlinearConstraint(
            self.value,
            self.lb,
            self.ub,
            jac=lambda x: convert(self.jacobian(x)),
            hess=hess if hess is not None else self.curvature,
            keep_feasible=self.keep_feasible,
        )

    def to_dicts(self) -> list[dict]:
        """As SLSQP wants it: equalities and inequalities apart, ``>= 0``."""
        equal = self.lb == self.ub
        low = np.isfinite(self.lb) & ~equal
        high = np.isfinite(self.ub) & ~equal
        made = []
        if equal.any():
            made.append(self._dict("eq", equal, 1.0, self.lb))
        if low.any():
            made.append(self._dict("ineq", low, 1.0, self.lb))
        if high.any():
            made.append(self._dict("ineq", high, -1.0, self.ub))
        return made

    def _dict(self, kind: str, chosen: np.ndarray, sign: float, limit: np.ndarray) -> dict:
        return {
            "type": kind,
            "fun": lambda x: sign * (self.value(x) - limit)[chosen],
            "jac": lambda x: sign * _dense(self.jacobian(x))[chosen],
        }


def _flat(side: Any) -> Any:
    """Limits of a constraint, a pytree like its values, as a vector (numbers as they are)."""
    from .. import tree
    from .unknowns import as_vector

    leaves = tree.leaves(side)
    if len(leaves) == 1 and np.ndim(leaves[0]) == 0:
        return leaves[0]
    return as_vector(side)


def _dense(matrix: Any) -> np.ndarray:
    if scipy.sparse.issparse(matrix):
        return np.asarray(matrix.toarray())
    if isinstance(matrix, scipy.sparse.linalg.LinearOperator):
        return np.asarray(matrix @ np.eye(matrix.shape[1]))
    return np.asarray(matrix, float)


def prepare(
    caller: str, constraints: Any, unknowns: Unknowns, start: np.ndarray, **how: Any
) -> list[Constraint]:
    """The constraints of a call."""
    if constraints is None:
        return []
    if isinstance(
        constraints, (dict, scipy.optimize.LinearConstraint, scipy.optimize.NonlinearConstraint)
    ):
        constraints = (constraints,)
    if not isinstance(constraints, Sequence):
        raise TypeError(
            f"{caller}: expected a constraint or a sequence of them; got "
            f"{type(constraints).__name__}."
        )
    return [Constraint(caller, i, c, unknowns, start, **how) for i, c in enumerate(constraints)]
