"""``root``: SciPy's solvers of equations, and Newton's method, with exact Jacobians."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.optimize

from ..errors import boundary
from .functions import Vector
from .newton import newton
from .progress import INTERRUPTED, STOPPED, Recorder, Stop
from .result import OptimizeResult
from .rewriting import rewriting
from .sums_of_squares import quietly
from .traced import differentiable
from .unknowns import Unknowns

__all__ = ["root"]

WITHOUT_JACOBIAN = (
    *("broyden1", "broyden2", "anderson", "linearmixing", "diagbroyden", "excitingmixing"),
    "df-sane",
)
METHODS = ("hybr", "lm", "newton", "krylov", *WITHOUT_JACOBIAN)
MANY = 200  # MINPACK keeps and updates a dense matrix


@boundary
@rewriting
@differentiable
def root(
    fun: Callable,
    x0: Any,
    args: tuple = (),
    method: str | None = None,
    jac: Any = None,
    tol: float | None = None,
    callback: Callable | None = None,
    options: dict | None = None,
    *,
    derivatives: str = "auto",
    jit: bool = True,
    script: bool = False,
    progress: bool = False,
) -> OptimizeResult:
    """Solve equations F(x) = 0 with the exact Jacobian.

    Parameters
    ----------
    fun
        ``fun(x, *args)`` returns as many numbers as there are unknowns, as an array or a pytree.
    x0
        Start: an array of any shape, a number, or a pytree of these.
    args
        Further arguments of ``fun``.
    method
        ``"hybr"`` or ``"lm"`` (MINPACK, dense), SciPy's Broyden and mixing methods (which take no
        Jacobian), ``"newton"`` (dense or sparse direct solves, line search), ``"krylov"`` (GMRES on
        exact products, no matrix). By default ``"hybr"``, beyond 200 unknowns ``"newton"``.
    jac
        By hand, a function of the pytree that returns the matrix; exact otherwise.
    tol, callback, options
        As in SciPy; ``newton`` and ``krylov`` take ``fatol`` (largest equation, 1e-10 of its size
        at the start), ``xtol``, ``maxiter``, and ``krylov`` also ``inner_maxiter`` and
        ``preconditioner`` (a ``LinearOperator``).
    derivatives, jit, script, progress
        As in ``minimize``.

    Returns
    -------
    OptimizeResult
        ``x`` structured like ``x0``, ``fun`` like what ``fun`` returns.

    Raises
    ------
    ValueError
        The numbers of equations and unknowns differ; the equations or their Jacobian are not finite
        at ``x0``, with the element and the line.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> def equations(p):
    ...     return p["x"] ** 2 + p["y"] ** 2 - 4.0, p["x"] * p["y"] - 1.0
    >>> solution = ft.optimize.root(equations, {"x": 2.0, "y": 0.0})
    >>> {name: round(float(value), 6) for name, value in solution.x.items()}
    {'x': 1.931852, 'y': 0.517638}
    """
    unknowns = Unknowns("root", x0)
    args = args if isinstance(args, tuple) else (args,)
    options = dict(options or {})
    progress = bool(options.pop("disp", False)) or progress
    name = (method or ("hybr" if unknowns.n <= MANY else "newton")).lower()
    given = None
    if callable(jac):

        def given(x: Any) -> Any:
            return jac(x, *args)

    dense = name in ("hybr", "lm")
    vector = Vector(
        *("root", fun, unknowns, args),
        form="dense" if dense else derivatives,
        jit=jit,
        script=script,
        jac=given,
    )
    if name not in METHODS:
        raise ValueError(
            f"{vector.caller}: expected a method among {', '.join(METHODS)}; got {method!r}."
        )
    solve = Equations(vector, Recorder(vector.caller, unknowns, callback, progress), name)
    return solve.run(tol, options)


class Equations:
    """One solve of equations."""

    def __init__(self, vector: Vector, recorder: Recorder, name: str) -> None:
        self.vector, self.recorder, self.name = vector, recorder, name
        self.start = vector.unknowns.vector
        self.each = name in ("hybr", "lm", "df-sane")  # no callback, or one without values

    def run(self, tol: float | None, options: dict) -> OptimizeResult:
        """Check the start, solve, and make the result."""
        vector, start = self.vector, self.start
        vector.on_value = self._evaluated
        values = vector.value(start)
        if values.size != start.size and self.name != "lm":
            raise ValueError(
                f"{vector.caller}: expected as many equations as unknowns, {start.size}; got "
                f"{values.size}; use least_squares where they differ."
            )
        vector.check_start(start, "equations")
        if self.name not in (*WITHOUT_JACOBIAN, "krylov"):
            vector.settle(start)
            vector.check_jacobian(start, vector.jacobian(start))
        try:
            found = self._solve(tol, options)
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

    def _solve(self, tol: float | None, options: dict) -> Any:
        vector = self.vector
        if self.name in ("newton", "krylov"):
            known = {"fatol", "xtol", "maxiter", "inner_maxiter", "preconditioner"}
            unknown = set(options) - known
            if unknown:
                raise ValueError(
                    f"{vector.caller}: method {self.name!r} takes the options "
                    f"{', '.join(sorted(known))}; got {', '.join(sorted(unknown))}."
                )
            krylov = self.name == "krylov"
            return newton(vector, self.start, tol, self._iterated, krylov=krylov, **options)
        keywords: dict[str, Any] = {"method": self.name, "tol": tol, "options": options}
        if self.name in ("hybr", "lm"):
            keywords["jac"] = vector.jacobian
        elif self.name != "df-sane":
            keywords["callback"] = self._iterated
        return quietly(lambda: scipy.optimize.root(vector.value, self.start, **keywords))

    def _evaluated(self, x: np.ndarray, values: np.ndarray) -> None:
        norm = float(np.max(np.abs(values))) if np.isfinite(values).all() else np.nan
        best = self.recorder.best
        self.recorder.evaluated(x, norm)
        if self.each and (best is None or norm < best[1]):
            self.recorder.iterated(x, norm, values=values)

    def _iterated(self, x: np.ndarray, values: np.ndarray) -> None:
        norm = float(np.max(np.abs(values)))
        self.recorder.iterated(np.asarray(x, float), norm, values=values)

    def _ended(self, status: int, message: str) -> scipy.optimize.OptimizeResult:
        best = self.recorder.best
        x = self.start if best is None else best[0]
        return scipy.optimize.OptimizeResult(
            x=x,
            fun=self.vector.value(x),
            status=status,
            success=False,
            message=message,
            nfev=self.recorder.evaluations,
        )

    def _result(self, found: Any) -> OptimizeResult:
        vector, recorder = self.vector, self.recorder
        vector.on_value = None
        x = np.asarray(found["x"], float).reshape(-1)
        result = OptimizeResult(found)
        result["message"] = " ".join(str(result["message"]).split())
        result["x"] = vector.unknowns.unflatten(x)
        values = np.asarray(result["fun"], float).reshape(-1)
        outputs = vector.outputs(x)
        if outputs.n == values.size:
            result["fun"] = outputs.unflatten(values)
        if not np.isfinite(values).all():
            result["success"] = False
        if recorder.bad and not result["success"] and recorder.bad_at is not None:
            line = vector.line_of_bad_value(vector.function, recorder.bad_at)
            result["message"] += f" The equations were NaN at {recorder.bad} points" + (
                f": {line}." if line else "."
            )
        result["history"] = recorder.history
        if vector.notes:
            result["notes"] = list(dict.fromkeys(vector.notes))
        recorder.finish(result)
        return result
