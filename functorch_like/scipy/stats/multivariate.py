"""Distributions of vectors and matrices: densities, masses, entropies and moments.

Covariances and scale matrices must be symmetric positive definite; they are factored by Cholesky,
which reads the lower triangle and is differentiated as a function of a symmetric matrix.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...errors import user_line
from ...primitives.core import shape_of
from .arguments import constant, double, has_tracer, public
from .continuous import Frozen
from .formulas import special

__all__ = [
    "dirichlet", "dirichlet_multinomial", "invwishart", "matrix_normal", "matrix_t",
    "multinomial", "multivariate_hypergeom", "multivariate_normal", "multivariate_t",
    "normal_inverse_gamma", "uniform_direction", "vonmises_fisher", "wishart",
]  # fmt: skip

LOG_2_PI = math.log(2.0 * math.pi)


class Multivariate:
    """A distribution of vectors or matrices; calling it fixes the parameters."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, *args: Any, **kwds: Any) -> Frozen:
        return Frozen(self, args, kwds)

    def __getattr__(self, name: str) -> Any:
        if name not in ("rvs", "fit", "cdf", "logcdf", "marginal"):
            raise AttributeError(f"{self.name} has no attribute {name!r}")

        def call(*args: Any, **kwds: Any) -> Any:
            if has_tracer(args, kwds):
                raise TypeError(
                    f"{self.name}.{name}: expected plain arrays; got traced ones, at "
                    f"{user_line()}; it is computed with random numbers or by fitting: use "
                    "functorch_like.random, or minimise -sum(logpdf)."
                )
            import scipy.stats

            return getattr(getattr(scipy.stats, self.name), name)(*args, **kwds)

        return call

    def _take(self, **values: Any) -> list[Any]:
        return [np.asarray(v) if type(v) is float else v for v in (
            double(value, f"{self.name}: {name}") for name, value in values.items()
        )]  # fmt: skip


def _transpose(x: Any) -> Any:
    return np.swapaxes(x, -1, -2)


def _factor(matrix: Any) -> tuple[Any, Any]:
    """Lower factor and the logarithm of the determinant."""
    low = np.linalg.cholesky(matrix)
    return low, 2.0 * np.sum(np.log(np.diagonal(low, 0, -2, -1)), axis=-1)


def _distances(x: Any, mean: Any, low: Any) -> Any:
    """Squared Mahalanobis distances of the vectors along the last axis."""
    centred = x - mean
    rows = np.reshape(centred, (-1, shape_of(low)[-1]))
    scaled = np.linalg.solve(low, rows.T)
    return np.reshape(np.sum(scaled * scaled, axis=0), shape_of(centred)[:-1])


def _square(name: str, what: str, matrix: Any, size: int | None) -> Any:
    """A matrix from a matrix, a diagonal or a number."""
    shape = shape_of(matrix)
    if len(shape) == 0:
        return matrix * np.eye(size or 1)
    if len(shape) == 1:
        return np.diag(matrix)
    if len(shape) != 2 or shape[0] != shape[1]:
        raise ValueError(f"{name}: expected {what} to be a square matrix; got shape {shape}.")
    return matrix


def _points(name: str, x: Any, size: int) -> Any:
    """Vectors along the last axis, as SciPy reads them."""
    if len(shape_of(x)) == 0:
        x = np.reshape(x, (1,))
    elif len(shape_of(x)) == 1 and size == 1:
        x = np.reshape(x, (-1, 1))
    if shape_of(x)[-1] != size:
        raise ValueError(
            f"{name}: expected points of {size} numbers along the last axis; got shape "
            f"{shape_of(x)}."
        )
    return x


class _Density(Multivariate):
    """Adds ``pdf``."""

    def logpdf(self, *args: Any, **kwds: Any) -> Any:
        raise NotImplementedError

    @public
    def pdf(self, *args: Any, **kwds: Any) -> Any:
        """Density."""
        return np.exp(self.logpdf(*args, **kwds))


class _MultivariateNormal(_Density):
    def _parameters(self, mean: Any, cov: Any) -> tuple[Any, Any]:
        if not (hasattr(cov, "shape") and hasattr(cov, "dtype")) and hasattr(cov, "covariance"):
            raise TypeError(
                f"{self.name}: expected a covariance matrix; got {type(cov).__name__}; pass "
                "its covariance."
            )
        (cov,) = self._take(cov=cov)
        size = 1 if len(shape_of(cov)) == 0 else shape_of(cov)[0]
        if mean is None:
            mean = np.zeros(size)
        (mean,) = self._take(mean=mean)
        mean = np.reshape(mean, (-1,))
        cov = _square(self.name, "cov", cov, shape_of(mean)[0])
        if shape_of(cov)[0] != shape_of(mean)[0]:
            raise ValueError(
                f"{self.name}: expected a mean and a covariance of the same dimension; got "
                f"shapes {shape_of(mean)} and {shape_of(cov)}."
            )
        return mean, cov

    @public
    def logpdf(self, x: Any, mean: Any = None, cov: Any = 1, allow_singular: bool = False) -> Any:
        """Log density at points along the last axis of ``x``."""
        if allow_singular:
            raise TypeError(
                f"{self.name}: a singular covariance has no density and no derivative; got "
                "allow_singular=True; add a small multiple of the identity."
            )
        mean, cov = self._parameters(mean, cov)
        size = shape_of(mean)[0]
        (x,) = self._take(x=x)
        low, logdet = _factor(cov)
        distances = _distances(_points(self.name, x, size), mean, low)
        made = -0.5 * (size * LOG_2_PI + logdet + distances)
        return np.reshape(made, ()) if shape_of(made) == (1,) else made

    @public
    def entropy(self, mean: Any = None, cov: Any = 1) -> Any:
        """Differential entropy."""
        mean, cov = self._parameters(mean, cov)
        return 0.5 * (shape_of(mean)[0] * (LOG_2_PI + 1.0) + _factor(cov)[1])


class _MultivariateT(_Density):
    @public
    def logpdf(self, x: Any, loc: Any = None, shape: Any = 1, df: Any = 1) -> Any:
        """Log density at points along the last axis of ``x``."""
        x, shape, df = self._take(x=x, shape=shape, df=df)
        size = shape_of(shape)[0] if len(shape_of(shape)) else 1
        (loc,) = self._take(loc=np.zeros(size) if loc is None else loc)
        shape = _square(self.name, "shape", shape, shape_of(loc)[0] if shape_of(loc) else 1)
        size = shape_of(shape)[0]
        low, logdet = _factor(shape)
        distances = _distances(_points(self.name, x, size), loc, low)
        half = 0.5 * (df + size)
        return (
            special.gammaln(half)
            - special.gammaln(0.5 * df)
            - 0.5 * size * np.log(df * math.pi)
            - 0.5 * logdet
            - half * np.log1p(distances / df)
        )


class _Dirichlet(_Density):
    @public
    def logpdf(self, x: Any, alpha: Any) -> Any:
        """Log density; the components of ``x`` (all, or all but the last) run along axis 0."""
        x, alpha = self._take(x=x, alpha=alpha)
        if shape_of(x)[0] + 1 == shape_of(alpha)[0]:
            x = np.concatenate([x, 1.0 - np.sum(x, axis=0, keepdims=True)])
        if shape_of(x)[0] != shape_of(alpha)[0]:
            raise ValueError(
                f"{self.name}: expected {shape_of(alpha)[0]} components along axis 0 of x; got "
                f"shape {shape_of(x)}."
            )
        exponents = np.reshape(alpha, (-1,) + (1,) * (len(shape_of(x)) - 1)) - 1.0
        constant_ = special.gammaln(np.sum(alpha)) - np.sum(special.gammaln(alpha))
        return constant_ + np.sum(special.xlogy(exponents, x), axis=0)

    @public
    def mean(self, alpha: Any) -> Any:
        """Expectation."""
        (alpha,) = self._take(alpha=alpha)
        return alpha / np.sum(alpha)

    @public
    def var(self, alpha: Any) -> Any:
        """Variances."""
        (alpha,) = self._take(alpha=alpha)
        total = np.sum(alpha)
        return alpha * (total - alpha) / (total * total * (total + 1.0))

    @public
    def cov(self, alpha: Any) -> Any:
        """Covariance matrix."""
        (alpha,) = self._take(alpha=alpha)
        total = np.sum(alpha)
        a = alpha / total
        return (np.diag(a) - a[:, None] * a) / (total + 1.0)

    @public
    def entropy(self, alpha: Any) -> Any:
        """Differential entropy."""
        (alpha,) = self._take(alpha=alpha)
        total, size = np.sum(alpha), shape_of(alpha)[0]
        norm = np.sum(special.gammaln(alpha)) - special.gammaln(total)
        return (
            norm + (total - size) * special.psi(total) - np.sum((alpha - 1.0) * special.psi(alpha))
        )


class _Mass(Multivariate):
    """Adds ``pmf``."""

    def logpmf(self, *args: Any, **kwds: Any) -> Any:
        raise NotImplementedError

    @public
    def pmf(self, *args: Any, **kwds: Any) -> Any:
        """Mass."""
        made = self.logpmf(*args, **kwds)
        zero = made == -math.inf
        return np.where(zero, 0.0, np.exp(np.where(zero, 0.0, made)))

    def _counts(self, x: Any, n: Any) -> tuple[Any, Any]:
        """Counts, and whether they are whole, not negative and add up to ``n``."""
        x = constant(x)
        proper = np.logical_and(
            np.all(np.logical_and(x >= 0.0, np.floor(x) == x), axis=-1), np.sum(x, axis=-1) == n
        )
        return np.where(np.expand_dims(proper, -1), x, 0.0), proper


class _DirichletMultinomial(_Mass):
    @public
    def logpmf(self, x: Any, alpha: Any, n: Any) -> Any:
        """Log mass of the counts along the last axis of ``x``."""
        x, alpha, n = self._take(x=x, alpha=alpha, n=n)
        x, proper = self._counts(x, n)
        total = np.sum(alpha, axis=-1)
        made = special.gammaln(total) + special.gammaln(n + 1.0) - special.gammaln(n + total)
        made = made + np.sum(
            special.gammaln(x + alpha) - special.gammaln(alpha) - special.gammaln(x + 1.0), axis=-1
        )
        return np.where(proper, made, -math.inf)

    @public
    def mean(self, alpha: Any, n: Any) -> Any:
        """Expectation."""
        alpha, n = self._take(alpha=alpha, n=n)
        return n * alpha / np.sum(alpha, axis=-1, keepdims=True)


class _Multinomial(_Mass):
    def _complete(self, p: Any) -> Any:
        """SciPy takes the last probability to be what the others leave."""
        return np.concatenate([p[..., :-1], 1.0 - np.sum(p[..., :-1], axis=-1, keepdims=True)], -1)

    @public
    def logpmf(self, x: Any, n: Any, p: Any) -> Any:
        """Log mass of the counts along the last axis of ``x``."""
        x, n, p = self._take(x=x, n=n, p=p)
        p = self._complete(p)
        x, proper = self._counts(x, n)
        made = special.gammaln(n + 1.0) + np.sum(
            special.xlogy(x, p) - special.gammaln(x + 1.0), axis=-1
        )
        return np.where(proper, made, -math.inf)

    @public
    def mean(self, n: Any, p: Any) -> Any:
        """Expectation."""
        n, p = self._take(n=n, p=p)
        return n * self._complete(p)

    @public
    def cov(self, n: Any, p: Any) -> Any:
        """Covariance matrix."""
        n, p = self._take(n=n, p=p)
        p = self._complete(p)
        outer = p[..., :, None] * p[..., None, :]
        return n * (p[..., :, None] * np.eye(shape_of(p)[-1]) - outer)


class _MultivariateHypergeometric(_Mass):
    @public
    def logpmf(self, x: Any, m: Any, n: Any) -> Any:
        """Log mass of the counts along the last axis of ``x``."""
        x, m, n = self._take(x=x, m=m, n=n)
        x, proper = self._counts(x, n)
        proper = np.logical_and(proper, np.all(x <= m, axis=-1))
        x = np.where(np.expand_dims(proper, -1), x, 0.0)
        total = np.sum(m, axis=-1)
        made = (
            np.sum(special.betaln(m + 1.0, 1.0) - special.betaln(x + 1.0, m - x + 1.0), axis=-1)
            + special.betaln(n + 1.0, total - n + 1.0)
            - special.betaln(total + 1.0, 1.0)
        )
        return np.where(proper, made, -math.inf)


class _Wishart(_Density):
    inverse = False

    @public
    def logpdf(self, x: Any, df: Any, scale: Any) -> Any:
        """Log density of the matrices along the first two axes of ``x``."""
        x, df, scale = self._take(x=x, df=df, scale=scale)
        size = shape_of(scale)[0] if len(shape_of(scale)) else 1
        scale = _square(self.name, "scale", scale, size)
        if len(shape_of(x)) < 2:
            x = np.reshape(x, (1, 1, -1)) if len(shape_of(x)) else np.reshape(x, (1, 1))
        matrices = np.moveaxis(x, (0, 1), (-2, -1)) if len(shape_of(x)) > 2 else x
        low, logdet = _factor(scale)
        low_x, logdet_x = _factor(matrices)
        first, second = (low_x, low) if self.inverse else (low, low_x)
        lead = shape_of(matrices)[:-2]
        wide = [np.broadcast_to(f, (*lead, size, size)) for f in (first, second)]
        ratio = np.linalg.solve(*wide)
        trace = np.sum(ratio * ratio, axis=(-2, -1))
        normal = 0.5 * df * size * math.log(2.0) + special.multigammaln(0.5 * df, size)
        if self.inverse:
            return 0.5 * df * logdet - normal - 0.5 * (df + size + 1.0) * logdet_x - 0.5 * trace
        return 0.5 * (df - size - 1.0) * logdet_x - 0.5 * trace - normal - 0.5 * df * logdet

    @public
    def mean(self, df: Any, scale: Any) -> Any:
        """Expectation."""
        df, scale = self._take(df=df, scale=scale)
        if self.inverse:
            return scale / (df - (shape_of(scale)[0] if shape_of(scale) else 1) - 1.0)
        return df * scale


class _InverseWishart(_Wishart):
    inverse = True


class _MatrixNormal(_Density):
    @public
    def logpdf(self, X: Any, mean: Any = None, rowcov: Any = 1, colcov: Any = 1) -> Any:  # noqa: N803
        """Log density of the matrices along the last two axes of ``X``."""
        x, rowcov, colcov = self._take(X=X, rowcov=rowcov, colcov=colcov)
        rows, columns = shape_of(x)[-2:]
        (mean,) = self._take(mean=np.zeros((rows, columns)) if mean is None else mean)
        low_r, logdet_r = _factor(_square(self.name, "rowcov", rowcov, rows))
        low_c, logdet_c = _factor(_square(self.name, "colcov", colcov, columns))
        squares = _whitened(x - mean, low_r, low_c)
        made = rows * columns * LOG_2_PI + columns * logdet_r + rows * logdet_c
        return -0.5 * (made + np.sum(squares * squares, axis=(-2, -1)))


def _whitened(x: Any, low_r: Any, low_c: Any) -> Any:
    """Matrices with unit covariances of rows and columns."""
    lead, (rows, columns) = shape_of(x)[:-2], shape_of(x)[-2:]
    left = np.linalg.solve(np.broadcast_to(low_r, (*lead, rows, rows)), x)
    return np.linalg.solve(np.broadcast_to(low_c, (*lead, columns, columns)), _transpose(left))


class _MatrixT(_Density):
    @public
    def logpdf(
        self,
        X: Any,  # noqa: N803
        mean: Any = None,
        row_spread: Any = 1,
        col_spread: Any = 1,
        df: Any = 1,
    ) -> Any:
        """Log density of the matrices along the last two axes of ``X``."""
        x, row, column, df = self._take(X=X, row_spread=row_spread, col_spread=col_spread, df=df)
        rows, columns = shape_of(x)[-2:]
        (mean,) = self._take(mean=np.zeros((rows, columns)) if mean is None else mean)
        low_r, logdet_r = _factor(_square(self.name, "row_spread", row, rows))
        low_c, logdet_c = _factor(_square(self.name, "col_spread", column, columns))
        white = _whitened(x - mean, low_r, low_c)
        gram = np.matmul(white, _transpose(white)) + np.eye(columns)
        n = df + rows + columns - 1.0
        return (
            special.multigammaln(0.5 * n, columns)
            - special.multigammaln(0.5 * (df + columns - 1.0), columns)
            - 0.5 * rows * columns * math.log(math.pi)
            - 0.5 * columns * logdet_r
            - 0.5 * rows * logdet_c
            - 0.5 * n * _factor(gram)[1]
        )


class _VonMisesFisher(_Density):
    def _log_constant(self, size: int, kappa: Any) -> Any:
        half = 0.5 * size
        if size == 3:
            bessel = 0.5 * np.log(2.0 / (math.pi * kappa)) + np.log(-0.5 * np.expm1(-2.0 * kappa))
        else:
            bessel = np.log(special.ive(half - 1.0, kappa))
        return (half - 1.0) * np.log(kappa) - half * LOG_2_PI - bessel - kappa

    @public
    def logpdf(self, x: Any, mu: Any = None, kappa: Any = 1) -> Any:
        """Log density at the unit vectors along the last axis of ``x``."""
        x, mu, kappa = self._take(x=x, mu=mu, kappa=kappa)
        return self._log_constant(shape_of(mu)[-1], kappa) + kappa * np.sum(x * mu, axis=-1)

    @public
    def entropy(self, mu: Any = None, kappa: Any = 1) -> Any:
        """Differential entropy."""
        mu, kappa = self._take(mu=mu, kappa=kappa)
        half = 0.5 * shape_of(mu)[-1]
        ratio = special.ive(half, kappa) / special.ive(half - 1.0, kappa)
        return -self._log_constant(shape_of(mu)[-1], kappa) - kappa * ratio


class _NormalInverseGamma(_Density):
    @public
    def logpdf(self, x: Any, s2: Any, mu: Any = 0, lmbda: Any = 1, a: Any = 1, b: Any = 1) -> Any:
        """Log density at ``x`` and the variance ``s2``."""
        x, s2, mu, lmbda, a, b = self._take(x=x, s2=s2, mu=mu, lmbda=lmbda, a=a, b=b)
        inside = np.logical_and(s2 > 0.0, np.isfinite(s2))
        v = np.where(inside, s2, 1.0)
        made = (
            0.5 * (np.log(lmbda) - LOG_2_PI - np.log(v))
            + a * np.log(b)
            - special.gammaln(a)
            - (a + 1.0) * np.log(v)
            - (2.0 * b + lmbda * (x - mu) ** 2) / (2.0 * v)
        )
        return np.where(inside, made, -math.inf)


multivariate_normal = _MultivariateNormal("multivariate_normal")
multivariate_t = _MultivariateT("multivariate_t")
dirichlet = _Dirichlet("dirichlet")
dirichlet_multinomial = _DirichletMultinomial("dirichlet_multinomial")
multinomial = _Multinomial("multinomial")
multivariate_hypergeom = _MultivariateHypergeometric("multivariate_hypergeom")
wishart = _Wishart("wishart")
invwishart = _InverseWishart("invwishart")
matrix_normal = _MatrixNormal("matrix_normal")
matrix_t = _MatrixT("matrix_t")
vonmises_fisher = _VonMisesFisher("vonmises_fisher")
normal_inverse_gamma = _NormalInverseGamma("normal_inverse_gamma")
uniform_direction = Multivariate("uniform_direction")
