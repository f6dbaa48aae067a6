"""``least_squares``: SciPy's solvers with the exact Jacobian of the residuals."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.optimize
import scipy.sparse

from ..errors import boundary
from .constraints import FlatBounds, flat_bounds
from .estimates import Residuals
from .functions import Vector
from .polish import polish as newton_steps
from .progress import INTERRUPTED, STOPPED, Recorder, Stop
from .result import OptimizeResult
from .rewriting import rewriting
from .traced import differentiable
from .unknowns import Unknowns

__all__ = ["least_squares"]


@boundary
@rewriting
@differentiable
def least_squares(
    fun: Callable,
    x0: Any,
    jac: Any = None,
    bounds: Any = (-np.inf, np.inf),
    method: str = "trf",
    ftol: float | None = 1e-8,
    xtol: float | None = 1e-8,
    gtol: float | None = 1e-8,
    x_scale: Any = None,
    loss: Any = "linear",
    f_scale: float = 1.0,
    diff_step: Any = None,
    tr_solver: str | None = None,
    tr_options: dict | None = None,
    jac_sparsity: Any = None,
    max_nfev: int | None = None,
    verbose: int = 0,
    args: tuple = (),
    kwargs: dict | None = None,
    callback: Callable | None = None,
    workers: Any = None,
    *,
    derivatives: str = "auto",
    jit: bool = True,
    script: bool = False,
    progress: bool = False,
    polish: bool = False,
) -> OptimizeResult:
    """Least squares with the exact Jacobian: min sum rho(f_i(x)^2) / 2 within bounds.

    Parameters
    ----------
    fun
        ``fun(x, *args, **kwargs)`` returns the residuals: an array of any shape, or a pytree of
        arrays. ``x`` has the structure and shape of ``x0``.
    x0
        Start: an array of any shape, a number, or a pytree of these.
    jac
        By hand, as in SciPy: a function of the pytree that returns the (m, n) matrix, or
        ``"2-point"`` ... for differences. Without it the Jacobian is exact.
    bounds
        A pair (lower, upper) of numbers, arrays or pytrees, or ``Bounds``.
    method, ftol, xtol, gtol, x_scale, loss, f_scale, tr_solver, tr_options, max_nfev, verbose
        As in ``scipy.optimize.least_squares``.
    diff_step, jac_sparsity, workers
        For ``jac="2-point"`` and the like only; the exact Jacobian's pattern is found from ``fun``.
    args, kwargs
        Further arguments of ``fun``.
    callback
        As in ``minimize``; with ``method="lm"`` after each new best point.
    derivatives
        ``"dense"``, ``"sparse"`` (methods trf and dogbox, solved by LSMR), ``"products"`` (J v and
        J' v without a matrix), or ``"auto"``.
    jit, script, progress
        As in ``minimize``.
    polish
        Go on from the solution with Newton steps on the exact gradient, down to rounding, which a
        comparison of sums of squares cannot reach: twice as many digits. A few more Jacobians and
        Hessians. Plain sums of squares only, with no bound active.

    Returns
    -------
    OptimizeResult
        SciPy's fields; ``x`` structured like ``x0``, ``fun``, ``jac`` and ``grad`` flat. The
        uncertainties are ``covariance()`` and so on.

    Raises
    ------
    ValueError
        Residuals or derivatives that are not finite at ``x0``, with the element and the line that
        made them; a start outside the bounds; shapes that do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> t = np.linspace(0, 4, 9)
    >>> y = 2.5 * np.exp(-1.3 * t)
    >>> def residuals(p):
    ...     return p["size"] * np.exp(-p["rate"] * t) - y
    >>> fit = ft.optimize.least_squares(residuals, {"rate": 1.0, "size": 1.0})
    >>> {name: round(float(value), 6) for name, value in fit.x.items()}
    {'rate': 1.3, 'size': 2.5}
    """
    unknowns = Unknowns("least_squares", x0)
    args = args if isinstance(args, tuple) else (args,)
    differences = isinstance(jac, str) and jac != "cs"  # complex steps are exact, as ours are
    given = None
    if callable(jac):

        def given(x: Any) -> Any:
            return jac(x, *args, **(kwargs or {}))

    vector = Vector(
        *("least_squares", fun, unknowns, args, kwargs),
        form="dense" if method == "lm" else derivatives,
        jit=jit,
        script=script,
        jac=given,
    )
    limits = flat_bounds(vector.caller, unknowns, bounds, pairs=False)
    if limits is not None and not limits.any:
        limits = None
    options: dict[str, Any] = {
        "method": method,
        "ftol": ftol,
        "xtol": xtol,
        "gtol": gtol,
        "x_scale": _scale(vector.caller, unknowns, x_scale),
        "loss": loss,
        "f_scale": f_scale,
        "tr_solver": tr_solver,
        "tr_options": tr_options,
        "max_nfev": max_nfev,
        "verbose": verbose,
    }
    if differences:
        options.update(jac=jac, diff_step=diff_step, jac_sparsity=jac_sparsity, workers=workers)
    recorder = Recorder(
        vector.caller, unknowns, callback, progress, None if limits is None else limits.inside
    )
    fit = Fit(vector, limits, recorder, polish=polish)
    return fit.run(lambda: fit.call_scipy(options))


def _scale(caller: str, unknowns: Unknowns, x_scale: Any) -> Any:
    if x_scale is None or isinstance(x_scale, str):
        return x_scale
    return unknowns.flatten(x_scale, "x_scale", caller)


class Fit:
    """One least-squares solve, from the residuals to the result."""

    def __init__(
        self,
        vector: Vector,
        bounds: FlatBounds | None,
        recorder: Recorder,
        absolute_sigma: bool = False,
        polish: bool = False,
    ) -> None:
        self.vector = vector
        self.bounds = bounds
        self.recorder = recorder
        self.absolute_sigma = absolute_sigma
        self.polish = polish
        self.start = vector.unknowns.vector
        self.plain = True
        self.each_best = False  # MINPACK has no callback: a new best point is an iteration

    def run(self, solve: Callable[[], Any]) -> OptimizeResult:
        """Check the start, call the solver, and make the result whatever way it ends."""
        vector, start = self.vector, self.start
        if self.bounds is not None:
            outside = np.flatnonzero((start < self.bounds.lb) | (start > self.bounds.ub))
            if outside.size:
                i = int(outside[0])
                raise ValueError(
                    f"{vector.caller}: expected x0 within the bounds; got "
                    f"{vector.unknowns.name(i)} = {start[i]:g} outside of "
                    f"[{self.bounds.lb[i]:g}, {self.bounds.ub[i]:g}]."
                )
        vector.on_value = self._evaluated
        vector.check_start(start, "residuals")
        try:
            found = solve()
        except Stop as stop:
            found = self._ended(stop.status, str(stop))
        except StopIteration:
            found = self._ended(STOPPED, "`callback` raised `StopIteration`.")
        except KeyboardInterrupt:
            found = self._ended(
                INTERRUPTED,
                f"Interrupted after {self.recorder.evaluations} evaluations; x is the best point "
                "so far.",
            )
        return self._result(found)

    def call_scipy(self, options: dict) -> Any:
        """Call ``scipy.optimize.least_squares``."""
        vector, start = self.vector, self.start
        lm = options["method"] == "lm"
        self.plain = options["loss"] == "linear"
        self.each_best = lm
        options = dict(options)
        if "jac" not in options:
            vector.settle(start)
            matrix = vector.jacobian(start)
            vector.check_jacobian(start, matrix)
            options["jac"] = self._jacobian
            if scipy.sparse.issparse(matrix) and lm:
                raise ValueError(f"{vector.caller}: method 'lm' takes dense Jacobians; use 'trf'.")
        if self.bounds is not None:
            options["bounds"] = (self.bounds.lb, self.bounds.ub)
        if not lm:
            options["callback"] = self._callback
        found = scipy.optimize.least_squares(vector.value, start, **options)
        if lm and found.success and self._steep(found):
            # MINPACK as SciPy 1.17 has it reads memory it has not set where the Jacobian has not
            # full rank, and then stops at once, one time in four.
            first = found.nfev, found.njev or 0
            options.update(method="trf", x_scale="jac")
            found = scipy.optimize.least_squares(vector.value, found.x, **options)
            found.nfev += first[0]
            found.njev = None if found.njev is None else found.njev + first[1]
            vector.notes.append("MINPACK stopped where the gradient is not zero: 'trf' went on")
        inner = self._away_from_bounds(found) if options["method"] == "trf" else None
        if inner is not None:
            again = scipy.optimize.least_squares(vector.value, inner, **options)
            again.nfev += found.nfev
            again.njev = None if again.njev is None else again.njev + (found.njev or 0)
            if again.cost < found.cost:
                found = again
                vector.notes.append("x0 is at a bound, where 'trf' stops: solved from beside it")
        return found

    def _away_from_bounds(self, found: Any) -> np.ndarray | None:
        """A start within the bounds if the sum of squares falls from the bound it ended beside.

        SciPy's 'trf' scales steps by the distance from the bounds: from a start at a bound they can
        be so short that it calls itself converged.
        """
        if self.bounds is None or not found.success or not self.plain:
            return None
        if isinstance(found.jac, scipy.sparse.linalg.LinearOperator):
            return None
        x, downhill = found.x, -np.asarray(found.grad)
        rising = downhill > 0
        room = np.where(rising, self.bounds.ub - x, x - self.bounds.lb)
        behind = np.where(rising, x - self.bounds.lb, self.bounds.ub - x)
        near = 1e-6 * (1 + np.abs(x))
        sizes = np.sqrt((found.jac**2).sum(axis=0)) * np.linalg.norm(found.fun)
        leaving = (behind < near) & (room > 1e3 * near) & (np.abs(downhill) > 0.01 * sizes)
        if not np.any(leaving & (sizes > 0)):
            return None
        step = np.minimum(0.1 * (1 + np.abs(x)), 0.5 * room)
        return np.where(leaving, x + np.where(rising, step, -step), x)

    def _steep(self, found: Any) -> bool:
        """Whether the residuals are far from orthogonal to a column of the Jacobian."""
        matrix, residuals = np.asarray(found.jac), found.fun
        with np.errstate(all="ignore"):
            sizes = np.linalg.norm(matrix, axis=0) * np.linalg.norm(residuals)
            cosines = np.abs(matrix.T @ residuals) / sizes
        return bool(np.any(cosines > 0.01)) and bool(np.linalg.norm(residuals) > 1e-12)

    def _jacobian(self, x: np.ndarray) -> Any:
        made = self.vector.jacobian(x)
        return made.copy() if isinstance(made, np.ndarray) else made

    def _evaluated(self, x: np.ndarray, residuals: np.ndarray) -> None:
        with np.errstate(over="ignore", invalid="ignore"):
            cost = 0.5 * float(residuals @ residuals)
        best = self.recorder.best
        self.recorder.evaluated(x, cost)
        if self.each_best and (best is None or cost < best[1]):
            self.recorder.iterated(x, cost, self._slope(x, residuals))

    def _slope(self, x: np.ndarray, residuals: np.ndarray) -> float:
        known = self.vector.jacobian_at
        if known is None or not np.array_equal(known[0], x):
            return np.nan
        return float(np.max(np.abs(known[1].T @ residuals)))

    def _callback(self, intermediate_result: Any) -> None:
        x = np.array(intermediate_result.x, float)
        cost = float(intermediate_result.cost)
        residuals = self.vector.value(x)
        self.recorder.iterated(x, cost, self._slope(x, residuals))

    def _ended(self, status: int, message: str) -> scipy.optimize.OptimizeResult:
        best = self.recorder.best
        x = self.start if best is None else best[0]
        return scipy.optimize.OptimizeResult(
            x=x,
            cost=np.nan if best is None else best[1],
            fun=self.vector.value(x),
            status=status,
            success=False,
            message=message,
            nfev=self.recorder.evaluations,
        )

    def _polished(self, result: OptimizeResult, x: np.ndarray) -> np.ndarray:
        """The point after ``polish``, the fields of the result brought up to it."""
        vector = self.vector
        if not self.plain or (self.bounds is not None and self.bounds.active(x).any()):
            vector.notes.append("not polished: a robust loss, or a bound that is active")
            return x
        x, tried = newton_steps(vector, x)
        residuals, matrix = vector.value(x), vector.dense(x)
        slope = matrix.T @ residuals
        result.update(
            fun=residuals,
            cost=0.5 * float(residuals @ residuals),
            jac=matrix,
            grad=slope,
            optimality=float(np.max(np.abs(slope))),
            nfev=result["nfev"] + tried,
            njev=(result.get("njev") or 0) + tried,
            nhev=tried,
        )
        return x

    def _result(self, found: Any) -> OptimizeResult:
        vector, recorder = self.vector, self.recorder
        vector.on_value = None
        x = np.asarray(found["x"], float).reshape(-1)
        result = OptimizeResult(found)
        if result["status"] == -2:
            result["status"] = STOPPED
        if recorder.bad and not result["success"] and recorder.bad_at is not None:
            line = vector.line_of_bad_value(vector.function, recorder.bad_at)
            result["message"] += (
                f" The residuals were NaN at {recorder.bad} of {recorder.evaluations} points"
                + (f": {line}" if line else "")
                + "."
            )
        if not len(recorder.history):
            recorder.callback = None
            recorder.iterated(x, float(result["cost"]), float(result.get("optimality", np.nan)))
        if self.polish and result["success"]:
            x = self._polished(result, x)
        result["x"] = vector.unknowns.unflatten(x)
        result["history"] = recorder.history
        if vector.notes:
            result["notes"] = list(dict.fromkeys(vector.notes))
        result._attach(Residuals(vector, x, self.bounds, self.absolute_sigma, self.plain))
        recorder.finish(result)
        return result


def quietly(solve: Callable[[], Any]) -> Any:
    """Call a solver without SciPy's warnings, whose content is in the result."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"scipy\.")
        warnings.filterwarnings(
            "ignore", r"(?!\s*Unknown solver options)", scipy.optimize.OptimizeWarning
        )
        return solve()
