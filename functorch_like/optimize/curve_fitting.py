"""``curve_fit``: SciPy's, with the exact Jacobian and uncertainties on the result."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg
import scipy.optimize

from .. import tree
from ..errors import boundary, name_of
from .constraints import flat_bounds
from .estimates import SingularHessianError
from .functions import Vector
from .progress import Recorder
from .result import OptimizeResult
from .rewriting import rewriting
from .sums_of_squares import Fit, quietly
from .traced import differentiable
from .unknowns import Unknowns, as_vector

__all__ = ["CurveFitResult", "curve_fit"]


class CurveFitResult(tuple):
    """What ``curve_fit`` returns: SciPy's tuple ``(popt, pcov)``, which knows more.

    Attributes
    ----------
    popt, pcov
        Parameters, structured like ``p0``, and their covariance as a matrix.
    result : OptimizeResult
        Of the least-squares solve: ``nfev``, ``history``, ``message``, ``plot()``.

    The methods of ``OptimizeResult``, ``standard_errors()``, ``confidence_intervals()``,
    ``profile_likelihood(...)``, ``covariance()``, ``delta_method(g)``, are here too.
    """

    result: OptimizeResult

    def __new__(cls, parts: tuple, result: OptimizeResult) -> CurveFitResult:
        """SciPy's tuple with what is known of the fit."""
        made = super().__new__(cls, parts)
        made.result = result
        return made

    def __getnewargs__(self) -> tuple:
        return tuple(self), self.result

    @property
    def popt(self) -> Any:
        """The parameters."""
        return self[0]

    x = popt

    @property
    def pcov(self) -> np.ndarray:
        """Their covariance matrix, in the order of the flat vector."""
        return np.asarray(self[1])

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "result":
            raise AttributeError(name)
        return getattr(self.result, name)


@boundary
@rewriting
@differentiable
def curve_fit(
    f: Callable,
    xdata: Any,
    ydata: Any,
    p0: Any = None,
    sigma: Any = None,
    absolute_sigma: bool = False,
    check_finite: bool | None = None,
    bounds: Any = (-np.inf, np.inf),
    method: str | None = None,
    jac: Any = None,
    *,
    full_output: bool = False,
    nan_policy: str | None = None,
    jit: bool = True,
    script: bool = False,
    progress: bool = False,
    polish: bool = False,
    callback: Callable | None = None,
    **kwargs: Any,
) -> CurveFitResult:
    """Fit a function to data by least squares, with exact derivatives in the parameters.

    Parameters
    ----------
    f
        ``f(xdata, *params)`` returns values like ``ydata``; with a dict ``p0``,
        ``f(xdata, **params)``.
    xdata
        Passed to ``f``.
    ydata : array, or pytree of arrays
        Data.
    p0
        Start: numbers, one a parameter, by default 1 each; a dict; or a list of numbers and arrays.
    sigma
        Standard deviations, a number or shaped like ``ydata``, or the (m, m) covariance of it.
    absolute_sigma : bool
        ``sigma`` is known in absolute terms; otherwise only its proportions, and the variance is
        estimated from the residuals.
    check_finite, nan_policy, full_output
        As in SciPy.
    bounds
        A pair (lower, upper), or ``Bounds``.
    method
        ``"lm"`` (MINPACK), ``"trf"`` or ``"dogbox"``; by default ``"lm"`` without bounds.
    jac
        By hand, ``jac(xdata, *params)``, or ``"2-point"`` for differences.
    jit, script, progress, callback, polish
        As in ``least_squares``.
    **kwargs
        ``ftol``, ``xtol``, ``gtol``, ``maxfev`` ... of ``leastsq`` (lm), or of ``least_squares``.

    Returns
    -------
    CurveFitResult
        The tuple ``(popt, pcov)`` with the methods of ``OptimizeResult``. ``pcov`` is infinite,
        with SciPy's warning, where the data do not determine the parameters; ``covariance()`` then
        names the direction.

    Raises
    ------
    RuntimeError
        The fit did not converge.
    ValueError
        Data or values that are not finite, or shapes that do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> t = np.linspace(0, 4, 50)
    >>> y = 2.5 * np.exp(-1.3 * t) + 0.5 + 0.01 * np.sin(40 * t)
    >>> def model(t, a, b, c):
    ...     return a * np.exp(-b * t) + c
    >>> fit = ft.optimize.curve_fit(model, t, y)
    >>> popt, pcov = fit
    >>> popt.round(2), fit.standard_errors().round(3)
    (array([2.5, 1.3, 0.5]), array([0.004, 0.005, 0.002]))
    """
    caller = f"curve_fit({name_of(f)})"
    if isinstance(jac, str) and jac == "cs":  # complex steps are exact, as ours are
        jac = None
    if "args" in kwargs:
        raise ValueError(f"{caller}: 'args' is not supported; close over them, or pass xdata.")
    if p0 is None:
        p0 = _ones(caller, f, bounds)
    unknowns = Unknowns("curve_fit", p0, "p0")
    xdata, ydata, sigma = _finite(caller, xdata, ydata, sigma, check_finite, nan_policy)
    weigh = _weights(caller, sigma, ydata.size)

    def residuals(params: Any, *given: Any) -> Any:
        named = isinstance(params, dict)
        made = f(xdata, **params) if named else f(xdata, *each(params))
        values = as_vector(made)
        if np.size(values) != ydata.size and 1 not in (np.size(values), ydata.size):
            raise ValueError(
                f"{caller}: expected f to return {ydata.size} values, as many as ydata; got "
                f"{np.size(values)}."
            )
        return weigh(values - ydata)

    residuals.__name__ = name_of(f)
    if script:
        from ..scripting import script as rewritten

        f = rewritten(f)
    given = _by_hand(jac, xdata, weigh, unknowns) if callable(jac) else None
    vector = Vector("curve_fit", residuals, unknowns, form="dense", jit=jit, jac=given)
    limits = flat_bounds(caller, unknowns, bounds, pairs=False)
    if limits is not None and not limits.any:
        limits = None
    method = method or ("lm" if limits is None else "trf")
    if method == "lm" and limits is not None:
        raise ValueError(f"{caller}: method 'lm' takes no bounds; use 'trf' or 'dogbox'.")
    if method == "lm" and ydata.size != 1 and unknowns.n > ydata.size:
        raise TypeError(
            f"{caller}: expected at least as many data as parameters; got {ydata.size} data for "
            f"{unknowns.n} parameters; fix some, or use method='trf'."
        )
    recorder = Recorder(
        caller, unknowns, callback, progress, None if limits is None else limits.inside
    )
    fit = Fit(vector, limits, recorder, absolute_sigma, polish)
    if method == "lm":
        result = fit.run(lambda: quietly(lambda: _minpack(fit, jac, kwargs)))
    else:
        if "max_nfev" not in kwargs:
            kwargs["max_nfev"] = kwargs.pop("maxfev", None)
        options: dict[str, Any] = {"method": method, "loss": "linear", **kwargs}
        if isinstance(jac, str):
            options["jac"] = jac
        result = fit.run(lambda: fit.call_scipy(options))
    if not result.success and result.status not in (99, 130):
        raise RuntimeError(f"{caller}: optimal parameters not found: {result.message}")
    return _packed(caller, result, full_output)


def each(params: Any) -> Any:
    """The parameters as arguments: elements of a vector, or entries of a tuple or list."""
    if isinstance(params, (list, tuple)):
        return params
    if np.ndim(params) == 0:
        return (params,)
    return [params[i] for i in range(np.shape(params)[0])]


def _ones(caller: str, f: Callable, bounds: Any) -> np.ndarray:
    """A start as SciPy makes it: ones, moved inside the bounds."""
    parameters = [
        p
        for p in inspect.signature(f).parameters.values()
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    if len(parameters) < 2:
        raise ValueError(
            f"{caller}: expected f(xdata, a, b, ...), or p0, to tell the number of parameters; got "
            f"{len(parameters)} arguments."
        )
    n = len(parameters) - 1
    lb, ub = (bounds.lb, bounds.ub) if isinstance(bounds, scipy.optimize.Bounds) else bounds
    lb, ub = (np.broadcast_to(np.asarray(side, float), (n,)) for side in (lb, ub))
    start = np.ones(n)
    both, low, high = (
        np.isfinite(lb) & np.isfinite(ub),
        np.isfinite(lb) & ~np.isfinite(ub),
        ~np.isfinite(lb) & np.isfinite(ub),
    )
    start[both] = 0.5 * (lb[both] + ub[both])
    start[low] = lb[low] + 1
    start[high] = ub[high] - 1
    return start


def _finite(
    caller: str, xdata: Any, ydata: Any, sigma: Any, check: bool | None, policy: str | None
) -> tuple[Any, np.ndarray, Any]:
    """Data as float64, checked for NaN or freed of them as ``nan_policy`` says."""
    if check is None:
        check = policy is None
    if isinstance(xdata, (list, tuple, np.ndarray)):
        xdata = np.asarray(xdata, float)
    if len(tree.leaves(ydata)) > 1 and not isinstance(ydata, (list, tuple)):
        ydata = as_vector(ydata)
    ydata = np.asarray(ydata, float)
    ydata = ydata.reshape(-1)
    if ydata.size == 0:
        raise ValueError(f"{caller}: expected data; got empty ydata.")
    if policy not in (None, "raise", "omit"):
        raise ValueError(
            f"{caller}: expected nan_policy of None, 'raise' or 'omit'; got {policy!r}."
        )
    bad_y = np.isnan(ydata) if policy == "omit" and not check else ~np.isfinite(ydata)
    numeric = isinstance(xdata, np.ndarray)
    bad_x = ~np.isfinite(xdata) if numeric else np.zeros(1, bool)
    if policy == "omit" and not check:
        lost = bad_y
        if numeric and xdata.shape[-1] == ydata.size:
            lost = lost | np.isnan(xdata).any(axis=tuple(range(xdata.ndim - 1)))
            xdata = xdata[..., ~lost]
        ydata = ydata[~lost]
        if sigma is not None and np.ndim(sigma):
            sigma = np.asarray(sigma)
            sigma = sigma[~lost] if sigma.ndim == 1 else sigma[~lost][:, ~lost]
    elif check or policy == "raise":
        for what, bad in (("ydata", bad_y), ("xdata", bad_x)):
            if bad.any():
                place = ", ".join(str(int(i)) for i in np.argwhere(bad)[0])
                others = int(bad.sum()) - 1
                raise ValueError(
                    f"{caller}: expected finite {what}; got {what}[{place}], which is not"
                    + (f" and {others} more like it" if others else "")
                    + "; leave them out, or say nan_policy='omit'."
                )
    return xdata, ydata, sigma


def _weights(caller: str, sigma: Any, m: int) -> Callable[[Any], Any]:
    """Residuals in units of their standard deviations."""
    if sigma is None:
        return lambda r: r
    sigma = np.asarray(sigma, float)
    if sigma.size == 1 or (sigma.size == m and sigma.ndim != 2) or sigma.shape == (m,):
        if not np.isfinite(sigma).all() or (sigma <= 0).any():
            i = int(np.flatnonzero(~(np.isfinite(sigma) & (sigma > 0)).ravel())[0])
            raise ValueError(
                f"{caller}: expected positive, finite sigma; element {i} is {sigma.ravel()[i]}."
            )
        scale = 1.0 / sigma.reshape(-1)
        return lambda r: r * scale
    if sigma.shape == (m, m):
        try:
            factor = np.linalg.cholesky(sigma)
        except np.linalg.LinAlgError:
            raise ValueError(
                f"{caller}: expected sigma, a covariance, to be positive definite."
            ) from None
        inverse = scipy.linalg.solve_triangular(factor, np.eye(m), lower=True)
        return lambda r: inverse @ r
    raise ValueError(
        f"{caller}: expected sigma of shape ({m},), as ydata, or ({m}, {m}); got {sigma.shape}."
    )


def _by_hand(jac: Callable, xdata: Any, weigh: Callable, unknowns: Unknowns) -> Callable:
    def given(params: Any) -> np.ndarray:
        made = jac(xdata, **params) if isinstance(params, dict) else jac(xdata, *each(params))
        matrix = np.asarray(made, float).reshape(-1, unknowns.n)
        return np.stack([np.asarray(weigh(column)) for column in matrix.T], axis=1)

    return given


def _minpack(fit: Fit, jac: Any, kwargs: dict) -> scipy.optimize.OptimizeResult:
    """MINPACK's Levenberg-Marquardt, with ``leastsq``'s options."""
    vector, start = fit.vector, fit.start
    fit.each_best = True
    jacobian: Any = None
    if jac is None or callable(jac):
        vector.settle(start)
        vector.check_jacobian(start, vector.jacobian(start))
        jacobian = vector.jacobian
    kwargs = dict(kwargs)
    if "max_nfev" in kwargs:
        kwargs["maxfev"] = kwargs.pop("max_nfev")
    x, _, info, message, flag = scipy.optimize.leastsq(
        vector.value, start, Dfun=jacobian, full_output=True, **kwargs
    )
    residuals = info["fvec"]
    return scipy.optimize.OptimizeResult(
        x=np.atleast_1d(x),
        fun=residuals,
        cost=0.5 * float(residuals @ residuals),
        jac=vector.jacobian(np.atleast_1d(x)) if jacobian is not None else None,
        nfev=info["nfev"],
        njev=info.get("njev"),
        status=flag,
        success=flag in (1, 2, 3, 4),
        message=" ".join(message.split()),
        infodict=info,
    )


def _packed(caller: str, result: OptimizeResult, full_output: bool) -> CurveFitResult:
    try:
        covariance = result._problem.covariance()
    except (SingularHessianError, ValueError) as error:
        n = result._problem.unknowns.n
        covariance = np.full((n, n), np.inf)
        at_bound = "at a bound" in str(error)
        if at_bound:  # SciPy takes no notice of bounds here
            problem = result._problem
            bounds, problem.bounds = problem.bounds, None
            try:
                covariance = problem.covariance()
            except (SingularHessianError, ValueError):
                pass
            finally:
                problem.bounds = bounds
        if not np.isfinite(covariance).all():
            warnings.warn(
                f"Covariance of the parameters could not be estimated: {error}",
                scipy.optimize.OptimizeWarning,
                stacklevel=4,
            )
    info = result.pop("infodict", None) or {"nfev": result["nfev"], "fvec": result["fun"]}
    parts: tuple = (result["x"], covariance)
    if full_output:
        parts = (*parts, info, result["message"], result["status"])
    return CurveFitResult(parts, result)
