"""Density estimates with Gaussian kernels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...errors import boundary, user_line
from ...numpy.elementwise import as_operand
from ...primitives.core import shape_of
from .arguments import result
from .formulas import special

__all__ = ["gaussian_kde"]


class gaussian_kde:  # noqa: N801  (SciPy's name)
    """Density estimate with Gaussian kernels, differentiable in data, weights and points.

    Parameters
    ----------
    dataset
        Data: (n,) or (d, n).
    bw_method
        "scott" (default), "silverman", a number, or a function of this object.
    weights
        Weights of the data: (n,).

    Notes
    -----
    The kernels have the data's covariance times the square of the bandwidth factor.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> data = np.array([0.0, 1.0, 3.0])
    >>> slope = ft.grad(lambda x: ft.scipy.stats.gaussian_kde(data).logpdf(x)[0])(0.5)
    >>> round(float(slope), 6)
    0.105851
    """

    @boundary
    def __init__(self, dataset: Any, bw_method: Any = None, weights: Any = None) -> None:
        data = as_operand(dataset) * 1.0
        self.dataset = np.reshape(data, (1, -1)) if len(shape_of(data)) < 2 else data
        self.d, self.n = shape_of(self.dataset)
        if self.n < 2:
            raise ValueError(f"gaussian_kde: expected two data or more; got {self.n}.")
        given = np.ones(self.n) if weights is None else as_operand(weights) * 1.0
        self.weights = given / np.sum(given)
        self.neff = 1.0 / np.sum(self.weights * self.weights)
        self.set_bandwidth(bw_method)

    def scotts_factor(self) -> Any:
        """``neff**(-1 / (d + 4))``."""
        return self.neff ** (-1.0 / (self.d + 4))

    def silverman_factor(self) -> Any:
        """``(neff (d + 2) / 4)**(-1 / (d + 4))``."""
        return (self.neff * (self.d + 2.0) / 4.0) ** (-1.0 / (self.d + 4))

    def set_bandwidth(self, bw_method: Any = None) -> None:
        """Choose the bandwidth factor anew."""
        if bw_method is None or (isinstance(bw_method, str) and bw_method == "scott"):
            self.factor = self.scotts_factor()
        elif isinstance(bw_method, str):
            if bw_method != "silverman":
                raise ValueError(
                    f"gaussian_kde: expected bw_method scott, silverman, a number or a function; "
                    f"got {bw_method!r}, at {user_line()}."
                )
            self.factor = self.silverman_factor()
        elif callable(bw_method):
            self.factor = bw_method(self)
        else:
            self.factor = bw_method
        mean = np.sum(self.dataset * self.weights, axis=1, keepdims=True)
        centred = self.dataset - mean
        scale = 1.0 - np.sum(self.weights * self.weights)
        self._data_covariance = np.matmul(centred * self.weights, centred.T) / scale
        self.covariance = self._data_covariance * self.factor**2
        self._low = np.linalg.cholesky(self.covariance)

    @boundary
    def logpdf(self, x: Any) -> Any:
        """Logarithm of the density at points (d, m): (m,)."""
        points = as_operand(x) * 1.0
        if len(shape_of(points)) < 2:
            points = np.reshape(points, (1, -1) if self.d == 1 else (-1, 1))
        if shape_of(points)[0] != self.d:
            raise ValueError(
                f"gaussian_kde: expected points of shape ({self.d}, m); got {shape_of(points)}."
            )
        data, at = (np.linalg.solve(self._low, v) for v in (self.dataset, points))
        gaps = at[:, :, None] - data[:, None, :]
        energies = -0.5 * np.sum(gaps * gaps, axis=0)
        made = special.logsumexp(energies, axis=1, b=self.weights)
        logdet = np.sum(np.log(np.diagonal(self._low)))
        return result(made - logdet - 0.5 * self.d * math.log(2.0 * math.pi))

    def evaluate(self, points: Any) -> Any:
        """Density at points (d, m): (m,)."""
        return np.exp(self.logpdf(points))

    __call__ = evaluate

    def pdf(self, x: Any) -> Any:
        """Density at points (d, m): (m,)."""
        return np.exp(self.logpdf(x))

    def integrate_box_1d(self, low: Any, high: Any) -> Any:
        """Mass between two numbers, for data of one dimension."""
        if self.d != 1:
            raise ValueError(f"integrate_box_1d: expected data of one dimension; got {self.d}.")
        width = np.sqrt(self.covariance[0, 0])
        ends = ((end - self.dataset[0]) / width for end in (low, high))
        below, above = (special.ndtr(end) for end in ends)
        return np.sum(self.weights * (above - below))
