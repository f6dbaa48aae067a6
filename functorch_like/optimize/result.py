"""Results: SciPy's fields, and what can be asked of them afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.optimize

from .progress import History

if TYPE_CHECKING:
    from .estimates import Problem
    from .uncertainty import DeltaMethod, LaplaceApproximation, ProfileLikelihood

__all__ = ["OptimizeResult"]


class OptimizeResult(scipy.optimize.OptimizeResult):
    """What a solver found: SciPy's ``OptimizeResult`` with ``x`` in the user's pytree.

    Attributes
    ----------
    x
        The solution, structured like ``x0``.
    success, converged : bool
        Whether the solver converged, to a point that obeys the constraints.
    status : int
        SciPy's; 99 if the callback stopped the solve, 101 if the objective has no lower bound, 102
        if the point violates constraints that the solver let pass, 130 if it was interrupted.
    message : str
        Why it ended.
    history : History
        Values and gradient norms, an entry an iteration.
    notes : list of str
        What the user may want to know: derivatives that could not be compiled, and why.

    The other fields are SciPy's for the method. Uncertainties (``covariance``,
    ``standard_errors`` ...) are computed when asked for, from the exact derivatives at ``x``.
    """

    history: History

    @property
    def converged(self) -> bool:
        """The same as ``success``."""
        return bool(self["success"])

    @property
    def _problem(self) -> Problem:
        try:
            problem: Problem = self.__dict__["problem"]
        except KeyError:
            raise ValueError(
                "expected a result of minimize, least_squares or curve_fit, as it was returned; "
                "a copied or unpickled one no longer knows its function."
            ) from None
        return problem

    def _attach(self, problem: Problem) -> None:
        self.__dict__["problem"] = problem

    def __reduce__(self) -> tuple:
        return type(self), (), None, None, iter(self.items())

    def __dir__(self) -> list[str]:
        return sorted({*self.keys(), *object.__dir__(self)})

    def plot(self, ax: Any = None) -> Any:
        """Draw the convergence: distance of the value from its last, and the gradient's norm.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        matplotlib.axes.Axes
        """
        import matplotlib.pyplot as plt

        if ax is None:
            _, ax = plt.subplots(figsize=(6.4, 4.0), layout="constrained")
        history = self["history"]
        steps = np.arange(len(history))
        value, norm, violation = history.value, history.gradient_norm, history.violation
        if len(value):
            above = value - np.nanmin(value)
            seen = above > 0
            ax.semilogy(steps[seen], above[seen], "o-", ms=3, label="value above the smallest")
        seen = np.isfinite(norm) & (norm > 0)
        if seen.any():
            ax.semilogy(steps[seen], norm[seen], "s-", ms=3, label="largest part of the gradient")
        seen = violation > 0
        if seen.any():
            ax.semilogy(steps[seen], violation[seen], "^-", ms=3, label="constraint violation")
        ax.set_xlabel("iteration")
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.grid(alpha=0.3)
        if ax.get_legend_handles_labels()[0]:
            ax.legend()
        ax.set_title("converged" if self["success"] else "not converged")
        return ax

    def covariance(self, **how: Any) -> Any:
        """Covariance of the estimates, a tree of trees as from ``ft.hessian``.

        Parameters
        ----------
        absolute_sigma : bool
            Results of ``least_squares`` and ``curve_fit``: the residuals are in units of their
            standard deviation; otherwise their variance is estimated from their size.
        hessian : bool
            Results of ``least_squares`` and ``curve_fit``: use the whole Hessian (the observed
            information), not its Gauss-Newton part, J' J.

        Returns
        -------
        pytree
            For a vector ``x`` the matrix: the inverse of the Hessian of the negative
            log-likelihood, which ``fun`` of ``minimize`` is taken to be, or
            s^2 (J' J)^-1, s^2 = sum r^2 / (m - n), for least squares.

        Raises
        ------
        SingularHessianError
            The data do not determine the parameters; names the direction.
        ValueError
            A parameter stands at a bound.
        """
        return self._problem.unknowns.blocks(self._problem.covariance(**how))

    def standard_errors(self, **how: Any) -> Any:
        """Square roots of the variances, structured like ``x``; takes what ``covariance`` takes."""
        problem = self._problem
        return problem.unknowns.unflatten(np.sqrt(np.diag(problem.covariance(**how))))

    def confidence_intervals(self, level: float = 0.95, **how: Any) -> tuple[Any, Any]:
        """Lower and upper ends of the intervals, each structured like ``x``.

        From the quadratic approximation: x +- q * standard error, q of Student's distribution with
        m - n degrees of freedom where the variance is estimated, of the normal one otherwise. See
        ``profile_likelihood`` for intervals that follow the likelihood itself.
        """
        problem = self._problem
        half = problem.quantile(level, **how) * np.sqrt(np.diag(problem.covariance(**how)))
        return (
            problem.unknowns.unflatten(problem.x - half),
            problem.unknowns.unflatten(problem.x + half),
        )

    def profile_likelihood(self, which: Any, **how: Any) -> ProfileLikelihood:
        """See ``functorch_like.optimize.profile_likelihood``."""
        from .uncertainty import profile_likelihood

        return profile_likelihood(self, which, **how)

    def laplace_approximation(self) -> LaplaceApproximation:
        """See ``functorch_like.optimize.laplace_approximation``."""
        from .uncertainty import laplace_approximation

        return laplace_approximation(self)

    def delta_method(self, g: Callable, **how: Any) -> DeltaMethod:
        """See ``functorch_like.optimize.delta_method``."""
        from .uncertainty import delta_method

        return delta_method(g, self, **how)
