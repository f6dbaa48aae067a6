"""``minimize``: SciPy's solvers with exact derivatives of a function of a pytree."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.optimize
import scipy.sparse

from ..errors import boundary
from .constraints import FEASIBLE, Constraint, FlatBounds, flat_bounds, prepare
from .estimates import Likelihood
from .functions import Scalar
from .progress import INTERRUPTED, STOPPED, UNBOUNDED, Recorder, Stop
from .result import OptimizeResult
from .rewriting import rewriting
from .traced import differentiable
from .unknowns import Unknowns

__all__ = ["minimize"]

NO_DERIVATIVES = ("nelder-mead", "powell", "cobyla", "cobyqa")
PRODUCTS = ("newton-cg", "trust-ncg", "trust-krylov")
MATRIX = ("dogleg", "trust-exact")
BOUNDED = ("nelder-mead", "powell", "l-bfgs-b", "tnc", "slsqp", "trust-constr", "cobyla", "cobyqa")
CONSTRAINED = ("cobyla", "cobyqa", "slsqp", "trust-constr")
METHODS = ("cg", "bfgs", *PRODUCTS, *MATRIX, *BOUNDED, "ipopt")
# From here on SciPy's default methods, which keep dense matrices, are not chosen unasked.
MANY = 500
VIOLATED = 102
# An objective and unknowns this many times larger than at the start speak of no lower bound.
FAR = 1e5
# What SciPy says of an option it does not know must be heard.
NOT_OPTIONS = r"(?!\s*Unknown solver options)"


@boundary
@rewriting
@differentiable
def minimize(
    fun: Callable,
    x0: Any,
    args: tuple = (),
    method: str | Callable | None = None,
    jac: Any = None,
    hess: Any = None,
    hessp: Callable | None = None,
    bounds: Any = None,
    constraints: Any = (),
    tol: float | None = None,
    callback: Callable | None = None,
    options: dict | None = None,
    *,
    derivatives: str = "auto",
    jit: bool = True,
    script: bool = False,
    progress: bool = False,
) -> OptimizeResult:
    """Minimise a scalar function, with constraints or without, using its exact derivatives.

    min f(x) subject to lb <= x <= ub and cl <= c(x) <= cu, by the solvers of
    ``scipy.optimize.minimize``, or IPOPT, whose gradients, Hessians and constraint Jacobians come
    from ``f`` and ``c`` themselves.

    Parameters
    ----------
    fun
        ``fun(x, *args)`` returns a number. ``x`` has the structure and shape of ``x0``.
    x0
        Start: an array of any shape, a number, or a pytree of these. A list of numbers is a 1-D
        array, as in SciPy. Solvers work in float64.
    args
        Further arguments of ``fun``.
    method
        One of SciPy's, or ``"ipopt"`` (needs ``cyipopt``). By default what SciPy chooses, BFGS,
        L-BFGS-B (bounds) or SLSQP (constraints), and beyond 500 unknowns L-BFGS-B, or trust-constr
        (constraints), which keep no dense matrix.
    jac, hess, hessp
        Derivatives by hand, as in SciPy, of the pytree; without them, and usually, they are exact
        derivatives of ``fun``. ``"2-point"`` asks for SciPy's differences, and an instance of
        ``scipy.optimize.BFGS`` or ``SR1`` for these approximations.
    bounds
        A sequence of (min, max) pairs, or ``Bounds`` of numbers, arrays or pytrees.
    constraints
        ``LinearConstraint``, ``NonlinearConstraint`` (of functions of the pytree), dicts as for
        SLSQP, or a sequence of these. Their derivatives are exact where they leave ``jac`` and
        ``hess`` at their defaults.
    tol, options
        As in SciPy.
    callback
        ``callback(x)``, ``callback(intermediate_result)`` or trust-constr's ``callback(x, state)``,
        after each iteration; raise ``StopIteration`` or return True to stop.
    derivatives
        ``"dense"`` or ``"sparse"`` matrices, ``"products"`` (no matrix of second derivatives), or
        ``"auto"``: what size, method and pattern suggest.
    jit
        Compile the derivatives. What cannot be compiled runs eagerly; ``result.notes`` says why.
    script
        Rewrite ``fun`` from its source first, so that it may branch and loop on ``x``: see
        ``functorch_like.script``. What cannot be traced without (``np.array`` of unknowns,
        ``float``, ``math``) is rewritten unasked; ``result.notes`` says so.
    progress
        Show a line that is rewritten while the solver runs (also ``options={"disp": True}``).

    Returns
    -------
    OptimizeResult
        SciPy's fields; ``x`` and ``jac`` structured like ``x0``; ``history``, ``plot()``, and the
        uncertainties, ``covariance()`` and so on, for a negative log-likelihood. Ctrl-C returns the
        best point so far, with status 130.

    Raises
    ------
    ValueError
        The function or a derivative is not finite at ``x0`` (names the unknown, and the line that
        made the NaN); a shape does not fit; bounds cross; a method that needs curvature gets a
        Hessian that is zero.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> def rosenbrock(x):
    ...     return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)
    >>> result = ft.optimize.minimize(rosenbrock, np.zeros(4), method="trust-exact", tol=1e-8)
    >>> result.success, result.x.round(6)
    (True, array([1., 1., 1., 1.]))

    Unknowns with names, and a constraint:

    >>> def area(box):
    ...     return 2 * (box["a"] * box["b"] + box["b"] * box["c"] + box["c"] * box["a"])
    >>> volume = ft.optimize.NonlinearConstraint(lambda s: s["a"] * s["b"] * s["c"], 8.0, np.inf)
    >>> box = {"a": 1.0, "b": 3.0, "c": 4.0}
    >>> sides = ft.optimize.Bounds(0.1, np.inf)
    >>> result = ft.optimize.minimize(area, box, bounds=sides, constraints=volume)
    >>> {name: round(float(side), 4) for name, side in result.x.items()}
    {'a': 2.0, 'b': 2.0, 'c': 2.0}
    """
    unknowns = Unknowns("minimize", x0)
    args = args if isinstance(args, tuple) else (args,)
    options = _options("minimize", options)
    # Complex steps stand for exact derivatives, which are had without them.
    jac, hess = (None if isinstance(d, str) and d == "cs" else d for d in (jac, hess))
    progress = bool(options.pop("disp", False)) or progress
    limits = flat_bounds("minimize", unknowns, bounds, pairs=True)
    objective = Scalar(
        *("minimize", fun, unknowns, args),
        form=derivatives,
        jit=jit,
        script=script,
        jac=_with_args(jac, args),
    )
    start = unknowns.vector
    if limits is not None:
        start = np.clip(start, limits.lb, limits.ub)
    how = {"form": derivatives, "jit": jit, "script": script, "notes": objective.notes}
    prepared = prepare(objective.caller, constraints, unknowns, start, **how)
    chosen = _method(objective.caller, method, unknowns.n, limits, prepared)
    recorder = Recorder(
        objective.caller, unknowns, callback, progress, None if limits is None else limits.inside
    )
    solve = Solve(objective, prepared, limits, recorder, start, chosen, method)
    given_hess, given_hessp = _with_args(hess, args), _with_args(hessp, args)
    return solve.run(jac, given_hess, given_hessp, tol, options)


def _options(caller: str, options: Any) -> dict:
    if not isinstance(options, (dict, type(None))):
        raise TypeError(
            f"{caller}: expected options as a dict; got {type(options).__name__}; write "
            "options={'maxiter': 100}."
        )
    return dict(options or {})


def _with_args(derivative: Any, args: tuple) -> Any:
    if not callable(derivative) or not args:
        return derivative
    return lambda *given: derivative(*given, *args)


def _method(caller: str, method: Any, n: int, bounds: FlatBounds | None, constraints: list) -> str:
    """The method's name in small letters, checked against what the problem has."""
    if callable(method):
        return "_custom"
    if method is None:
        if constraints:
            return "slsqp" if n <= MANY else "trust-constr"
        return "l-bfgs-b" if bounds is not None or n > MANY else "bfgs"
    name = str(method).lower()
    if name not in METHODS:
        raise ValueError(
            f"{caller}: expected a method among {', '.join(sorted(METHODS))}; got {method!r}."
        )
    if constraints and name not in (*CONSTRAINED, "ipopt"):
        raise ValueError(
            f"{caller}: method {method!r} takes no constraints; use SLSQP, trust-constr, ipopt, "
            "COBYLA or COBYQA."
        )
    if bounds is not None and bounds.any and name not in (*BOUNDED, "ipopt"):
        raise ValueError(
            f"{caller}: method {method!r} takes no bounds; use L-BFGS-B, TNC, SLSQP, trust-constr "
            "or ipopt."
        )
    return name


class Solve:
    """One call of a solver, from its arguments to the result."""

    def __init__(
        self,
        objective: Scalar,
        constraints: list[Constraint],
        bounds: FlatBounds | None,
        recorder: Recorder,
        start: np.ndarray,
        name: str,
        method: Any,
    ) -> None:
        self.objective = objective
        self.constraints = constraints
        self.bounds = bounds
        self.recorder = recorder
        self.start = start
        self.name = name
        self.method = method if callable(method) else name
        self.exact = name not in NO_DERIVATIVES
        self.stopped = False
        self.first = 0.0  # the value at the start

    def run(self, jac: Any, hess: Any, hessp: Any, tol: Any, options: dict) -> OptimizeResult:
        """Call the solver and make the result, whatever way the solve ends."""
        objective, recorder = self.objective, self.recorder
        differences = isinstance(jac, str)
        objective.on_value = recorder.evaluated
        self.first = objective.check_start(self.start, gradient=self.exact and not differences)
        recorder.watch_unbounded = True
        if self.name in (*PRODUCTS, *MATRIX) and hess is None and hessp is None:
            objective.check_curvature(self.start, self.name)
        try:
            if self.name == "ipopt":
                from .ipopt import solve

                found = solve(objective, self.constraints, self.bounds, recorder, tol, options)
            else:
                found = self._scipy(jac, hess, hessp, tol, options)
        except Stop as stop:
            found = self._ended(stop.status, str(stop))
        except StopIteration:
            found = self._ended(STOPPED, "`callback` raised `StopIteration`.")
        except KeyboardInterrupt:
            found = self._ended(
                INTERRUPTED,
                f"Interrupted after {len(recorder.history)} iterations; x is the best point so "
                "far.",
            )
        return self._result(self._finite(found))

    def _scipy(self, jac: Any, hess: Any, hessp: Any, tol: Any, options: dict) -> Any:
        objective = self.objective
        keywords: dict[str, Any] = {"method": self.method, "tol": tol, "options": options}
        function = objective.first
        if not self.exact:
            function = objective.value
        elif isinstance(jac, str):
            function, keywords["jac"] = objective.value, jac
        else:
            keywords["jac"] = objective.gradient
        keywords.update(self._second_order(hess, hessp))
        if self.bounds is not None and (self.bounds.any or self.name != "_custom"):
            keywords["bounds"] = self.bounds.to_scipy()
        if self.name == "slsqp":
            keywords["constraints"] = [d for c in self.constraints for d in c.to_dicts()]
        elif self.constraints:
            keywords["constraints"] = self._constraints(keywords)
        keywords["callback"] = self._old_callback if self.name == "tnc" else self._callback
        if self.name == "trust-constr" and options.get("verbose", 0) == 0:
            options.setdefault("maxiter", 1000)
        with warnings.catch_warnings():
            # What they say is in the result, or of no use: differences are not ours.
            warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"scipy\.")
            warnings.filterwarnings("ignore", NOT_OPTIONS, scipy.optimize.OptimizeWarning)
            warnings.filterwarnings("ignore", "delta_grad == 0.0", UserWarning)
            warnings.filterwarnings("ignore", "Singular Jacobian matrix", UserWarning)
            return scipy.optimize.minimize(function, self.start, **keywords)

    def _second_order(self, hess: Any, hessp: Any) -> dict[str, Any]:
        """The Hessian for the method, or its product."""
        objective, unknowns = self.objective, self.objective.unknowns
        if self.name not in (*PRODUCTS, *MATRIX, "trust-constr", "_custom"):
            return {}
        if callable(hessp):
            return {
                "hessp": lambda x, p: unknowns.flatten(
                    hessp(unknowns.unflatten(x), unknowns.unflatten(p)),
                    "the product from hessp",
                    whole=True,
                )
            }
        if callable(hess):
            return {"hess": lambda x: hess(unknowns.unflatten(x))}
        if hess is not None:
            return {"hess": hess}
        if self.name in PRODUCTS:
            return {"hessp": objective.product}
        if self.name in MATRIX:
            plan = objective.sparse_plan(self.start)
            if plan is None:
                return {"hess": objective.dense}
            return {"hess": lambda x: plan(x, *objective.numbers).toarray()}
        if self.name == "_custom":
            return {"hess": objective.dense, "hessp": objective.product}
        try:
            objective.matrix(self.start)
        except Exception as error:
            objective.notes.append(f"no second derivatives, BFGS instead: {_first_line(error)}")
            return {"hess": scipy.optimize.BFGS()}
        return {"hess": objective.matrix}

    def _constraints(self, keywords: dict) -> list:
        """Constraints for trust-constr, COBYLA or COBYQA, their Jacobians all of one kind."""
        sparse = any(
            scipy.sparse.issparse(c.jacobian(self.start)) for c in self.constraints if self.exact
        )
        made = []
        for c in self.constraints:
            hess = None
            if self.name == "trust-constr" and c.vector is not None and c.given_hess is None:
                try:
                    c.curvature(self.start, np.zeros(c.m))
                except Exception as error:
                    self.objective.notes.append(
                        f"{c.name} has no second derivatives, BFGS instead: {_first_line(error)}"
                    )
                    hess = scipy.optimize.BFGS()
            made.append(c.to_scipy(sparse, hess))
        return made

    def _violation(self, x: np.ndarray) -> float:
        return max((c.violation(x) for c in self.constraints), default=0.0)

    def _iterated(self, x: np.ndarray, value: float | None) -> None:
        objective = self.objective
        norm = np.nan
        at = objective.at
        if objective.known is not None and at is not None and np.array_equal(at, x):
            value = objective.known[0]
            norm = float(np.max(np.abs(objective.known[1])))
        elif value is None:
            value = objective.value(x)
        self.recorder.iterated(x, float(value), norm, self._violation(x))

    def _callback(self, intermediate_result: Any) -> None:
        try:
            self._iterated(np.array(intermediate_result.x, float), intermediate_result.fun)
        except StopIteration:
            self.stopped = True
            raise

    def _old_callback(self, x: np.ndarray) -> None:
        self._iterated(np.array(x, float), None)

    def _ended(self, status: int, message: str) -> scipy.optimize.OptimizeResult:
        """The best point of a solve that ended from within."""
        recorder = self.recorder
        best = recorder.iterate if self.constraints else recorder.best
        x, value = best if best is not None else (self.start, np.nan)
        made = scipy.optimize.OptimizeResult(
            x=x,
            fun=value,
            status=status,
            success=False,
            message=message,
            nfev=recorder.evaluations,
            nit=len(recorder.history),
        )
        if self.exact and self.objective.at is not None and np.array_equal(self.objective.at, x):
            made["jac"] = self.objective.known[1]  # type: ignore[index]
        return made

    def _result(self, found: Any) -> OptimizeResult:
        objective, unknowns = self.objective, self.objective.unknowns
        objective.on_value = None
        x = np.asarray(found["x"], float).reshape(-1)
        result = OptimizeResult(found)
        result["method"] = found.get("method", self.name)
        message = found.get("message", "")
        result["message"] = message.decode() if isinstance(message, bytes) else str(message)
        if self.stopped:  # some of SciPy's methods call that a success
            result.update(
                success=False, status=STOPPED, message="`callback` raised `StopIteration`."
            )
        self._judge(result, x)
        result["x"] = unknowns.unflatten(x)
        slope = result.get("jac")
        if isinstance(slope, np.ndarray) and slope.shape == (unknowns.n,):
            result["jac"] = unknowns.unflatten(slope)
        history = self.recorder.history
        if not len(history):
            self.recorder.callback = None
            self._iterated(x, float(result["fun"]))
        result["history"] = history
        if objective.notes:
            result["notes"] = list(dict.fromkeys(objective.notes))
        result._attach(Likelihood(objective, x, self.bounds, self.constraints))
        self.recorder.finish(result)
        return result

    def _finite(self, found: Any) -> Any:
        """What the solver found, or the best point of the way where it ended at a NaN."""
        best = self.recorder.iterate if self.constraints else self.recorder.best
        if np.isfinite(found["fun"]) or best is None:
            return found
        x, value = best
        kept = {k: found[k] for k in ("status", "nit", "nfev", "njev", "nhev") if k in found}
        message = found.get("message", "")
        message = message.decode() if isinstance(message, bytes) else str(message)
        message = (
            message.rstrip(". ")
            + ". The solver ended where the function is not finite; x is the best point before."
        )
        made = scipy.optimize.OptimizeResult(x=x, fun=value, success=False, message=message, **kept)
        if self.exact:
            objective = self.objective
            objective.on_value = None
            made["jac"] = objective.both(x)[1]
        return made

    def _say_unbounded(self, result: OptimizeResult) -> None:
        """Say that a solve that did not end went a long way down and far away."""
        fun = float(result["fun"])
        if result["success"] or result["status"] == UNBOUNDED or self.recorder.best is None:
            return
        x, first = self.recorder.best[0], self.first
        far = int(np.argmax(np.abs(x)))
        scale = 1 + float(np.max(np.abs(self.start)))
        if fun < -FAR * (1 + abs(first)) and abs(x[far]) > FAR * scale:
            _add(
                result,
                f"The objective fell to {fun:.3g} at {self.objective.unknowns.name(far)} = "
                f"{x[far]:.3g}: it seems to have no lower bound; add bounds or constraints, or "
                "check its sign.",
            )

    def _judge(self, result: OptimizeResult, x: np.ndarray) -> None:
        """Say what SciPy leaves unsaid: violated constraints, and NaN on the way."""
        if self.constraints:
            violation = self._violation(x)
            result.setdefault("constr_violation", violation)
            worst = max(self.constraints, key=lambda c: c.relative_violation(x))
            if worst.relative_violation(x) > FEASIBLE:
                if result["success"]:
                    result["success"], result["status"] = False, VIOLATED
                _add(result, f"Infeasible: {worst.worst(x)}.")
        if not np.isfinite(result["fun"]):
            result["success"] = False
        self._say_unbounded(result)
        if self.exact and self.objective.flat(self.start):
            _add(
                result,
                "The gradient is exactly zero at x0 and beside it: the function does not depend "
                "on x there, or only through rounding or comparisons.",
            )
        recorder = self.recorder
        if recorder.bad and not result["success"] and recorder.bad_at is not None:
            line = self.objective.line_of_bad_value(self.objective.function, recorder.bad_at)
            _add(
                result,
                f"The function was NaN at {recorder.bad} of {recorder.evaluations} points"
                + (f": {line}" if line else "")
                + ".",
            )


def _add(result: OptimizeResult, sentence: str) -> None:
    """Say more in the message, after SciPy's, which has a full stop or not."""
    said = result["message"].rstrip(". ")
    result["message"] = f"{said}. {sentence}" if said else sentence


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
