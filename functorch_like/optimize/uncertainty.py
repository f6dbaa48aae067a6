"""Uncertainty of estimates, from exact Hessians and Jacobians at the optimum.

Covariance and standard errors (inverse observed information, or s^2 (J'J)^-1 of least squares),
profile likelihoods, the Laplace approximation of an evidence and the delta method; see G. A. F.
Seber and C. J. Wild, Nonlinear Regression, Wiley 1989, chapters 2 and 5, and D. M. Bates and D. G.
Watts, Nonlinear Regression Analysis and Its Applications, Wiley 1988, chapter 6.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import tree
from ..errors import boundary, name_of
from ..jacobians import jacobian
from .estimates import Likelihood, SingularHessianError, checked_level
from .profiles import ProfileLikelihood
from .unknowns import Unknowns, as_vector

__all__ = [
    "DeltaMethod",
    "LaplaceApproximation",
    "ProfileLikelihood",
    "SingularHessianError",
    "delta_method",
    "laplace_approximation",
    "profile_likelihood",
]

# --------------------------------------------------------------------------------------


@boundary
def profile_likelihood(
    result: Any, which: Any, level: float = 0.95, points: int = 21
) -> ProfileLikelihood:
    """Profile of the likelihood along one parameter, and the confidence interval it gives.

    The other parameters are optimised anew for each value of this one. The interval is where
    twice the log-likelihood is within a quantile of chi-squared of its maximum (for least squares,
    where the sum of squares is within a quantile of F). Unlike the symmetric interval of the
    standard error it does not depend on how the parameter is written.

    Parameters
    ----------
    result : OptimizeResult
        Of ``minimize`` of a negative log-likelihood, ``least_squares`` or ``curve_fit``.
    which
        The parameter: a number in the flat vector, a key, or a path as ``("w", 2, 0)``.
    level : float
        Of the interval.
    points : int
        Points of the curve kept in the result, spread over the interval and a bit beyond.

    Returns
    -------
    ProfileLikelihood
        ``interval``, ``values``, ``deviance``, ``signed_root``, ``plot()``.

    Examples
    --------
    The rate of an exponential distribution, whose likelihood is known in closed form:

    >>> import numpy as np
    >>> import functorch_like as ft
    >>> waits = np.array([1.3, 0.2, 2.2, 0.7, 0.1])
    >>> def loss(rate):
    ...     return rate * np.sum(waits) - waits.size * np.log(rate)
    >>> result = ft.optimize.minimize(loss, 1.0)
    >>> profile = ft.optimize.profile_likelihood(result, 0)
    >>> low, high = profile.interval
    >>> round(low, 4), round(high, 4)
    (0.3984, 2.3881)
    """
    problem = result._problem
    index = problem.unknowns.index(which, "profile_likelihood")
    error = float(np.sqrt(problem.covariance()[index, index]))
    return problem.profile().along(
        index, problem.x, error, checked_level(level), points, problem.unknowns.name(index)
    )


class LaplaceApproximation:
    """A normal distribution in place of a posterior, and the evidence that follows.

    Attributes
    ----------
    mean
        The mode, structured like the unknowns.
    log_evidence : float
        log of the integral of exp(-f): -f(x) + n/2 log(2 pi) - 1/2 log det H.
    """

    def __init__(self, problem: Likelihood) -> None:
        self._problem = problem
        n = problem.unknowns.n
        self._covariance = problem.covariance()
        factor = np.linalg.cholesky(self._covariance)
        self._factor = factor
        half_log_det = float(np.sum(np.log(np.diag(factor))))
        value = problem.objective.value(problem.x)
        self.mean = problem.unknowns.unflatten(problem.x)
        self.log_evidence = -value + 0.5 * n * np.log(2 * np.pi) + half_log_det

    def covariance(self) -> Any:
        """Covariance, a tree of trees as from ``ft.hessian``."""
        return self._problem.unknowns.blocks(self._covariance)

    def sample(self, size: int, seed: Any = None) -> Any:
        """Draws: each leaf of the unknowns with a leading axis of length ``size``."""
        rng = np.random.default_rng(seed)
        n = self._problem.unknowns.n
        draws = self._problem.x + rng.normal(size=(size, n)) @ self._factor.T
        each = [self._problem.unknowns.unflatten(row) for row in draws]
        return tree.map(lambda *rows: np.stack(rows), each[0], *each[1:])

    def __repr__(self) -> str:
        n = self._problem.unknowns.n
        return f"LaplaceApproximation({n} unknowns, log_evidence={self.log_evidence:.6g})"


@boundary
def laplace_approximation(result: Any) -> LaplaceApproximation:
    """Laplace's approximation at the minimum of minus a log-posterior (not normalised).

    log Z = log integral exp(-f(x)) dx ~ -f(x*) + n/2 log(2 pi) - 1/2 log det H(x*).

    Parameters
    ----------
    result : OptimizeResult
        Of ``minimize``, whose ``fun`` is minus the logarithm of likelihood times prior.

    Returns
    -------
    LaplaceApproximation

    Examples
    --------
    Exact for a normal density: its integral is 1.

    >>> import numpy as np
    >>> import functorch_like as ft
    >>> density = lambda x: 0.5 * np.sum(x**2) + np.log(2 * np.pi)
    >>> result = ft.optimize.minimize(density, np.ones(2))
    >>> bool(abs(ft.optimize.laplace_approximation(result).log_evidence) < 1e-12)
    True
    """
    problem = result._problem
    if not isinstance(problem, Likelihood):
        raise TypeError(
            "laplace_approximation: expected a result of minimize of minus a log-posterior; got "
            "one of least squares, whose noise level is not part of it; write 0.5 * sum(r**2 / "
            "sigma**2) plus its normalisation and minimise that."
        )
    if problem.constraints:
        raise ValueError("laplace_approximation: expected a problem without constraints.")
    return LaplaceApproximation(problem)


class DeltaMethod:
    """A function of estimates with its uncertainty to first order.

    Attributes
    ----------
    value
        g(x).
    """

    def __init__(self, value: Any, outputs: Unknowns, matrix: np.ndarray, half: float) -> None:
        self.value = value
        self._outputs = outputs
        self._matrix = matrix
        self._quantile = half

    def covariance(self) -> Any:
        """G C G', a tree of trees over the results of g."""
        return self._outputs.blocks(self._matrix)

    def standard_errors(self) -> Any:
        """Standard errors, structured like the results of g."""
        return self._outputs.unflatten(np.sqrt(np.diag(self._matrix)))

    def confidence_intervals(self) -> tuple[Any, Any]:
        """Lower and upper ends, structured like the results of g."""
        half = self._quantile * np.sqrt(np.diag(self._matrix))
        center = self._outputs.vector
        return self._outputs.unflatten(center - half), self._outputs.unflatten(center + half)

    def __repr__(self) -> str:
        return f"DeltaMethod(value={self.value!r}, standard_errors={self.standard_errors()!r})"


@boundary
def delta_method(g: Callable, result: Any, level: float = 0.95, **how: Any) -> DeltaMethod:
    """Value and uncertainty of a function of the estimates: cov g(x) = G C G', G its Jacobian.

    Parameters
    ----------
    g
        ``g(x)`` returns numbers or a pytree of arrays.
    result : OptimizeResult
        Of ``minimize`` of a negative log-likelihood, ``least_squares`` or ``curve_fit``.
    level : float
        Of ``confidence_intervals()``.
    **how
        What ``result.covariance`` takes.

    Returns
    -------
    DeltaMethod
        ``value``, ``standard_errors()``, ``confidence_intervals()``, ``covariance()``.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> t = np.arange(5.0)
    >>> fit = ft.optimize.curve_fit(lambda t, a, b: a + b * t, t, np.array([1, 3, 5, 7.1, 8.9]))
    >>> crossing = ft.optimize.delta_method(lambda p: (10.0 - p[0]) / p[1], fit)
    >>> round(float(crossing.value), 4), round(float(crossing.standard_errors()), 4)
    (4.5126, 0.0365)
    """
    problem = result._problem
    unknowns = problem.unknowns
    value = g(unknowns.unflatten(problem.x))
    outputs = Unknowns(f"delta_method({name_of(g)})", value, "the value of g")
    rows = np.asarray(jacobian(lambda v: as_vector(g(unknowns.unflatten(v))))(problem.x))
    matrix = rows @ problem.covariance(**how) @ rows.T
    return DeltaMethod(
        outputs.unflatten(outputs.vector), outputs, matrix, problem.quantile(level, **how)
    )
