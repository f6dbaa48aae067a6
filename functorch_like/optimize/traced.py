"""SciPy's solvers under ``grad`` and ``jvp``: what they find has its implicit derivative.

A solver runs once, on plain values; its solution is then differentiated in ``args`` and in the
traced values that the function, bounds and constraints close over. Where values are not known
(``vmap``, ``jit``) the solvers of ``functorch_like.optimize`` that are loops of our own take over.
"""

from __future__ import annotations

import copy
import functools
import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse

from .. import tree
from ..arguments import as_array
from ..errors import ConcreteValueError, EscapedTracerError, user_line
from ..implicit import at_constrained_minimum, at_least_squares, at_minimum, at_root
from ..implicit.systems import _Vector
from ..jacobians import jacobian
from ..primitives.core import EVAL, Tracer, state, under

__all__ = ["differentiable"]

OURS = {
    "minimize": "lbfgs, bfgs or newton_cg",
    "least_squares": "levenberg_marquardt or gauss_newton",
    "root": "newton_root or broyden",
    "root_scalar": "brentq, bisect or newton_root",
    "minimize_scalar": "golden or fminbound",
    "curve_fit": "levenberg_marquardt",
}


def differentiable(solver: Callable) -> Callable:
    """Decorate a solver: inside of ``grad`` and ``jvp`` its solution is differentiated."""
    signature = inspect.signature(solver)

    @functools.wraps(solver)
    def call(*args: Any, **kwargs: Any) -> Any:
        if state.trace is EVAL:
            return solver(*args, **kwargs)
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        given = dict(bound.arguments)
        if solver.__name__ == "curve_fit":
            given.update(given.pop("kwargs"))
            return _traced_fit(solver, given)
        return _traced(solver, given)

    return call


def _plain(name: str, x: Any) -> Any:
    """The plain values of what may be traced."""

    def one(leaf: Any) -> Any:
        known = leaf.concrete() if isinstance(leaf, Tracer) else leaf
        if known is None:
            _refuse(name)
        if hasattr(known, "lb") and hasattr(known, "ub"):  # bounds and constraints of SciPy
            known = copy.copy(known)
            known.lb, known.ub = _plain(name, known.lb), _plain(name, known.ub)
            if hasattr(known, "given"):  # bounds of ours
                known.given = _plain(name, known.given)
        return known

    return tree.map(one, x)


def _refuse(name: str, error: Exception | None = None) -> None:
    raise TypeError(
        f"{name}: SciPy's solvers need values, which vmap and jit have not while they trace, at "
        f"{user_line()}; use functorch_like.optimize.{OURS[name]}, loops that compile: "
        "jit(vmap(...))."
    ) from error


def _traced(solver: Callable, given: dict[str, Any]) -> Any:
    name = solver.__name__
    which = next(iter(given))
    function = given[which]
    extra = given.get("args", ())
    extra = extra if isinstance(extra, tuple) else (extra,)
    rest = given.get("kwargs") or {}
    if given.get("script"):
        from ..scripting import script

        function = script(function)

    def f(x: Any) -> Any:
        return function(x, *extra, **rest)

    result = _solved(solver, given, which)
    found = result.root if name == "root_scalar" else result.x
    x = _attached(name, f, found, given)
    if name == "root_scalar":
        result.root = x
        return result
    result["x"] = x
    if name in ("minimize", "minimize_scalar"):
        result["fun"] = f(x)
    return result


def _solved(solver: Callable, given: dict[str, Any], which: str) -> Any:
    """The solver's result on plain values, without a trace in its way where that is possible."""
    name = solver.__name__
    known = {k: v if k == which else _plain(name, v) for k, v in given.items()}
    try:
        with under(EVAL):
            return solver(**known)
    except EscapedTracerError:
        pass  # the function closes over traced values
    from ..implicit import custom_root

    kept: list[Any] = []

    def solve(_: Callable, start: Any) -> Any:
        # Here, in a custom root, what is closed over stands for its values.
        try:
            kept.append(solver(**{**known, "jit": False}))
        except ConcreteValueError as error:
            if state.trace is not EVAL:  # a batch's values, or none at all
                _refuse(name, error)
            raise
        return start

    custom_root(lambda x: x, np.float64(0.0), solve, lambda _, y: y)
    return kept[0]


def _attached(name: str, f: Callable, x: Any, given: dict[str, Any]) -> Any:
    """The solution with its derivative."""
    if name in ("root", "root_scalar"):
        return at_root(_like_unknowns(f, x), x)
    vector = _Vector(x)
    lower, upper = _bounds(name, vector, given.get("bounds"))
    equality, inequality = _constraints(vector, given.get("constraints") or ())
    if name == "least_squares" and given["loss"] != "linear":
        raise TypeError(
            f"least_squares: expected loss='linear' where values are traced; got "
            f"{given['loss']!r}, at {user_line()}; write the loss into minimize."
        )
    if lower is None and upper is None and equality is None and inequality is None:
        return (at_least_squares if name == "least_squares" else at_minimum)(f, x)

    def objective(z: Any) -> Any:
        made = f(vector.unpack(z))
        if name != "least_squares":
            return made
        return 0.5 * sum(np.sum(as_array(r) ** 2) for r in tree.leaves(made))

    z = at_constrained_minimum(
        objective, vector.pack(x), equality=equality, inequality=inequality, lower=lower,
        upper=upper,
    )  # fmt: skip
    return vector.unpack(z)


def _like_unknowns(f: Callable, x: Any) -> Callable:
    """Equations in the structure of the unknowns: any structure of as many numbers will do."""
    vector = _Vector(x)

    def equations(z: Any) -> Any:
        made = f(z)
        leaves, structure = tree.flatten(made)
        same = structure == tree.structure(x)
        if same and all(
            as_array(a).shape == shape for a, (shape, _) in zip(leaves, vector.avals, strict=True)
        ):
            return made
        return vector.unpack(_flat(made))

    return functools.wraps(f)(equations) if hasattr(f, "__name__") else equations


def _traced_fit(solver: Callable, given: dict[str, Any]) -> Any:
    """``curve_fit``: the parameters and their covariance, differentiable in the data."""
    from .curve_fitting import CurveFitResult, each

    if given["nan_policy"] == "omit":
        raise TypeError(
            "curve_fit: expected data without NaN where values are traced; got "
            f"nan_policy='omit', at {user_line()}; leave the points out before."
        )
    fit = _solved(solver, given, "f")
    function, xdata, sigma = given["f"], given["xdata"], given["sigma"]
    if given["script"]:
        from ..scripting import script

        function = script(function)
    data = _flat(given["ydata"])
    if sigma is not None:
        sigma = as_array(sigma)

    def residuals(p: Any) -> Any:
        made = function(xdata, **p) if isinstance(p, dict) else function(xdata, *each(p))
        r = _flat(made) - data
        if sigma is None:
            return r
        if sigma.shape == (data.shape[0], data.shape[0]) and sigma.ndim == 2:
            return np.linalg.solve(np.linalg.cholesky(sigma), r)
        return r / sigma.reshape(-1)

    known = {"bounds": given["bounds"], "loss": "linear"}
    popt = _attached("least_squares", residuals, fit.popt, known)
    vector = _Vector(popt)
    z = vector.pack(popt)
    jacobian_here = jacobian(lambda z: residuals(vector.unpack(z)))(z)
    pcov = np.linalg.inv(jacobian_here.T @ jacobian_here)
    if not given["absolute_sigma"]:
        r = residuals(popt)
        pcov = pcov * (np.sum(r * r) / max(r.shape[0] - vector.size, 1))
    return CurveFitResult((popt, pcov, *fit[2:]), fit.result)


def _bounds(name: str, vector: _Vector, bounds: Any) -> tuple[Any, Any]:
    """Lower and upper bounds as vectors, or None where there are none."""
    if bounds is None:
        return None, None
    if hasattr(bounds, "lb"):
        low, high = getattr(bounds, "given", (bounds.lb, bounds.ub))
    elif name == "minimize":
        low = [-math.inf if b[0] is None else b[0] for b in bounds]
        high = [math.inf if b[1] is None else b[1] for b in bounds]
    else:
        low, high = bounds

    def spread(limit: Any) -> Any:
        leaves = [as_array(v) for v in tree.leaves(limit)]
        if len(leaves) == 1:
            flat = leaves[0].reshape(-1)
            return np.broadcast_to(flat, (vector.size,)) if flat.shape[0] == 1 else flat
        shapes = [shape for shape, _ in vector.avals]
        if len(leaves) != len(shapes):  # a list of numbers
            return np.concatenate([v.reshape(-1) for v in leaves])
        parts = zip(leaves, shapes, strict=True)
        return np.concatenate([np.broadcast_to(v, s).reshape(-1) for v, s in parts])

    low, high = spread(low), spread(high)
    if not np.any(np.isfinite(_value(low))) and not np.any(np.isfinite(_value(high))):
        return None, None
    return low, high


def _value(x: Any) -> Any:
    if isinstance(x, (list, tuple)):
        return [_value(v) for v in x]
    return x.concrete() if isinstance(x, Tracer) else x


def _constraints(vector: _Vector, given: Any) -> tuple[Callable | None, Callable | None]:
    """All constraints as a vector that is zero and one that is not negative."""
    single = isinstance(given, dict) or hasattr(given, "lb")
    equal: list[Callable] = []
    positive: list[Callable] = []
    for c in [given] if single else list(given):
        if isinstance(c, dict):
            args = c.get("args", ())
            args = args if isinstance(args, tuple) else (args,)
            kind = equal if c["type"] == "eq" else positive
            kind.append(lambda x, fun=c["fun"], args=args: _flat(fun(x, *args)))
            continue
        matrix = getattr(c, "A", None)
        if matrix is None:
            fun: Callable = lambda x, fun=c.fun: _flat(fun(x))  # noqa: E731
        else:
            matrix = (
                np.atleast_2d(scipy.sparse.csr_array(matrix).toarray())
                if scipy.sparse.issparse(matrix)
                else np.atleast_2d(matrix)
            )
            fun = lambda x, a=matrix: a @ vector.pack(x)  # noqa: E731
        low, high = (_flat(v) for v in (c.lb, c.ub))
        same = _value(low) == _value(high)
        for kind, holds, value in (
            (equal, same, lambda v, lo, hi: v - lo),
            (positive, ~same & np.isfinite(_value(low)), lambda v, lo, hi: v - lo),
            (positive, ~same & np.isfinite(_value(high)), lambda v, lo, hi: hi - v),
        ):
            if np.any(holds):
                kind.append(
                    lambda x, fun=fun, holds=holds, value=value, low=low, high=high: _chosen(
                        fun(x), holds, value, low, high
                    )
                )

    def joined(parts: list[Callable]) -> Callable | None:
        if not parts:
            return None
        return lambda z: np.concatenate([p(vector.unpack(z)) for p in parts])

    return joined(equal), joined(positive)


def _flat(x: Any) -> Any:
    return np.concatenate([as_array(v).reshape(-1) for v in tree.leaves(x)])


def _chosen(v: Any, holds: Any, value: Callable, low: Any, high: Any) -> Any:
    """The entries of a constraint's distance from its limit that are such a limit."""
    size = v.shape[0]
    holds = np.broadcast_to(holds, (size,))
    low, high = (np.broadcast_to(x, (size,)) for x in (low, high))
    where = np.nonzero(holds)[0]
    return value(v[where], low[where], high[where])
