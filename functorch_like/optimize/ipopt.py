"""IPOPT through ``cyipopt``, with exact sparse Jacobians and Hessians of the Lagrangian.

A. Waechter and L. T. Biegler, On the implementation of an interior-point filter line-search
algorithm for large-scale nonlinear programming, Mathematical Programming 106, 2006.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.optimize
import scipy.sparse

from .constraints import Constraint, FlatBounds
from .functions import Scalar
from .progress import STOPPED, Recorder
from .result import OptimizeResult

__all__ = ["minimize_ipopt", "solve"]


def minimize_ipopt(fun: Callable, x0: Any, *args: Any, **kwargs: Any) -> OptimizeResult:
    """``minimize`` by IPOPT: the arguments and results of ``minimize`` with ``method="ipopt"``.

    Needs ``cyipopt``: ``pip install functorch-like[ipopt]``. ``options`` are IPOPT's own, beside
    ``maxiter``; ``tol`` is its ``tol``.

    Examples
    --------
    >>> import functorch_like as ft
    >>> circle = ft.optimize.NonlinearConstraint(lambda p: p[0] ** 2 + p[1] ** 2, 1.0, 1.0)
    >>> f = lambda p: p[0] + p[1]
    >>> ft.optimize.minimize_ipopt(f, [0.0, -1.0], constraints=circle).x  # doctest: +SKIP
    array([-0.70710678, -0.70710678])
    """
    from .minimization import minimize

    kwargs["method"] = "ipopt"
    return minimize(fun, x0, *args, **kwargs)


class _Callbacks:
    """What IPOPT calls: values, and derivatives on fixed sparsity patterns."""

    def __init__(
        self,
        objective: Scalar,
        constraints: list[Constraint],
        recorder: Recorder,
        start: np.ndarray,
    ) -> None:
        self.objective, self.constraints, self.recorder = objective, constraints, recorder
        self.n = start.size
        self.m = sum(c.m for c in constraints)
        self.start = start
        self.stopped = False
        self.error: BaseException | None = None
        self.jacobian_places = self._jacobian_pattern()
        self.hessian_places = self._hessian_pattern()

    # ----- patterns

    def _jacobian_pattern(self) -> tuple[np.ndarray, np.ndarray]:
        rows, columns, offset = [], [], 0
        for c in self.constraints:
            pattern = scipy.sparse.csr_array(_ones_like(c.jacobian(self.start)))
            pattern.sum_duplicates()
            made = pattern.tocoo()
            rows.append(made.coords[0] + offset)
            columns.append(made.coords[1])
            offset += c.m
        if not rows:
            return np.zeros(0, int), np.zeros(0, int)
        return np.concatenate(rows), np.concatenate(columns)

    def _hessian_pattern(self) -> tuple[np.ndarray, np.ndarray]:
        total = _ones_like(self.objective.matrix(self.start))
        for c in self.constraints:
            if c.vector is not None:
                total = total + _ones_like(c.curvature(self.start, np.zeros(c.m)))
        lower = scipy.sparse.coo_array(scipy.sparse.tril(scipy.sparse.csr_array(total)))
        return lower.coords[0].astype(int), lower.coords[1].astype(int)

    # ----- IPOPT's names

    def objective_(self, x: np.ndarray) -> float:
        return self.objective.both(x)[0]

    def gradient(self, x: np.ndarray) -> np.ndarray:
        return self.objective.gradient(x)

    def constraints_(self, x: np.ndarray) -> np.ndarray:
        return np.concatenate([c.value(x) for c in self.constraints])

    def jacobian(self, x: np.ndarray) -> np.ndarray:
        matrices = [scipy.sparse.csr_array(c.jacobian(x)) for c in self.constraints]
        whole = scipy.sparse.csr_array(scipy.sparse.vstack(matrices))
        return _entries(whole, *self.jacobian_places)

    def hessian(self, x: np.ndarray, multipliers: np.ndarray, weight: float) -> np.ndarray:
        total = weight * scipy.sparse.csr_array(self.objective.matrix(x))
        start = 0
        for c in self.constraints:
            if c.vector is not None:
                part = c.curvature(x, multipliers[start : start + c.m])
                total = total + scipy.sparse.csr_array(part)
            start += c.m
        return _entries(scipy.sparse.csr_array(total), *self.hessian_places)

    def intermediate(self, x: np.ndarray, value: float, violation: float, slope: float) -> bool:
        try:
            self.recorder.iterated(x, value, slope, violation)
        except StopIteration:
            self.stopped = True
            return False
        return True


def _ones_like(matrix: Any) -> Any:
    """The pattern of a matrix: all of a dense one, the stored entries of a sparse one."""
    if scipy.sparse.issparse(matrix):
        made = scipy.sparse.csr_array(matrix, copy=True)
        made.data = np.ones_like(made.data, float)
        return made
    return scipy.sparse.csr_array(np.ones(matrix.shape))


def _entries(matrix: Any, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Values at places, zero where nothing is stored."""
    if not rows.size:
        return np.zeros(0)
    return np.asarray(matrix[rows, columns]).reshape(-1)


def solve(
    objective: Scalar,
    constraints: list[Constraint],
    bounds: FlatBounds | None,
    recorder: Recorder,
    tol: float | None,
    options: dict,
) -> scipy.optimize.OptimizeResult:
    """Call IPOPT; SciPy's fields, with the multipliers."""
    try:
        import cyipopt
    except ImportError:
        raise ImportError(
            f"{objective.caller}: method 'ipopt' needs cyipopt; install it with pip install "
            "functorch-like[ipopt], or use method='trust-constr'."
        ) from None
    start = objective.unknowns.vector
    n = start.size
    lb, ub = (np.full(n, -np.inf), np.full(n, np.inf)) if bounds is None else (bounds.lb, bounds.ub)
    start = np.clip(start, lb, ub)
    second_order = options.get("hessian_approximation") != "limited-memory"
    if second_order:
        objective.check_curvature_exists(start, "ipopt")
    calls = _Callbacks(objective, constraints, recorder, start)
    cl = np.concatenate([c.lb for c in constraints]) if constraints else np.zeros(0)
    cu = np.concatenate([c.ub for c in constraints]) if constraints else np.zeros(0)

    class Problem(cyipopt.Problem):  # type: ignore[misc, name-defined]
        """IPOPT's view; errors of the user's functions are kept and raised after it returns."""

        def objective(self, x: np.ndarray) -> float:
            return calls.objective_(x)

        def gradient(self, x: np.ndarray) -> np.ndarray:
            return calls.gradient(x)

        def constraints(self, x: np.ndarray) -> np.ndarray:
            return calls.constraints_(x)

        def jacobian(self, x: np.ndarray) -> np.ndarray:
            return calls.jacobian(x)

        def jacobianstructure(self) -> tuple[np.ndarray, np.ndarray]:
            return calls.jacobian_places

        def hessian(self, x: np.ndarray, multipliers: np.ndarray, weight: float) -> np.ndarray:
            return calls.hessian(x, multipliers, weight)

        def hessianstructure(self) -> tuple[np.ndarray, np.ndarray]:
            return calls.hessian_places

        def intermediate(self, *state: Any) -> bool:
            _, _, value, violation, slope = state[:5]
            x = calls.objective.at if calls.objective.at is not None else start
            current = self.get_current_iterate()
            if current is not None:
                x = current["x"]
            return calls.intermediate(np.array(x), float(value), float(violation), float(slope))

    problem = Problem(n=n, m=calls.m, lb=lb, ub=ub, cl=cl, cu=cu)
    options = {"print_level": 0, "sb": "yes", **options}
    options["max_iter"] = options.pop("maxiter", options.get("max_iter", 3000))
    if tol is not None:
        options["tol"] = tol
    for name, value in options.items():
        try:
            problem.add_option(name, value)
        except TypeError:
            raise ValueError(
                f"{objective.caller}: IPOPT has no option {name!r} that takes {value!r}."
            ) from None
    x, info = problem.solve(start)
    if calls.stopped:
        raise StopIteration
    message = info["status_msg"]
    text = message.decode() if isinstance(message, bytes) else str(message)
    made = scipy.optimize.OptimizeResult(
        x=x,
        fun=float(info["obj_val"]),
        jac=objective.gradient(x),
        success=info["status"] in (0, 1),
        status=int(info["status"]),
        message=text,
        nit=max(len(recorder.history) - 1, 0),
        nfev=recorder.evaluations,
        multipliers=np.asarray(info["mult_g"]),
        bound_multipliers=(np.asarray(info["mult_x_L"]), np.asarray(info["mult_x_U"])),
    )
    if info["status"] == 5:
        made["status"] = STOPPED
    return made
