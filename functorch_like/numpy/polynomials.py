"""NumPy's older polynomial functions, by coefficients of falling powers.

Leading zeros are dropped where the values are known. Where they are not (in a batch, in a graph)
the leading coefficient is taken to be other than zero, and a remainder to have full length.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..primitives.core import Tracer, beside
from .dispatch import implements
from .manipulation import astype, concatenate, ravel, reshape, stack
from .operands import as_array, as_floating, is_known, known_value

__all__: list[str] = []


def _trimmed(c: Any) -> Any:
    """A vector of coefficients without its leading zeros."""
    c = ravel(as_array(c))
    if not is_known(c):
        return c
    significant = np.flatnonzero(known_value("", c))
    return c[int(significant[0]) :] if len(significant) else c[-1:]


@implements(np.polymul)
def polymul(a1: Any, a2: Any) -> Any:
    return np.convolve(_trimmed(a1), _trimmed(a2))


@implements(np.polydiv)
def polydiv(u: Any, v: Any) -> tuple[Any, Any]:
    u, v = (np.atleast_1d(as_array(c)) + 0.0 for c in (u, v))
    u, v = (astype(c, np.result_type(u.dtype, v.dtype)) for c in (u, v))
    m, n = u.shape[0] - 1, v.shape[0] - 1
    digits = []
    rest = u
    for _ in range(m - n + 1):  # long division: every step takes away the leading coefficient
        digit = rest[0] / v[0]
        digits.append(digit)
        rest = concatenate([rest[1 : n + 1] - digit * v[1:], rest[n + 1 :]])
    quotient = stack(digits) if digits else np.zeros(1, u.dtype)
    if not rest.shape[0]:
        rest = np.zeros(1, u.dtype)
    while is_known(rest) and rest.shape[0] > 1 and np.allclose(known_value("", rest)[0], 0, 1e-14):
        rest = rest[1:]
    return quotient, rest


@implements(np.poly)
def poly(seq_of_zeros: Any) -> Any:
    zeros = np.atleast_1d(as_array(seq_of_zeros))
    shape = zeros.shape
    real = zeros.dtype.kind != "c"
    if len(shape) == 2 and shape[0] == shape[1] and shape[0] != 0:
        zeros = np.linalg.eigvals(zeros)
    elif len(shape) != 1:
        raise ValueError("input must be 1d or non-empty square 2d array.")
    if not shape[0]:
        return 1.0
    made: Any = beside(zeros, np.ones(1, zeros.dtype))
    one = beside(zeros, np.ones((), zeros.dtype))
    for i in range(shape[0]):
        made = np.convolve(made, stack([one, -zeros[i]]))
    if made.dtype.kind == "c":
        if not real and is_known(zeros):  # conjugate pairs have real coefficients
            values = known_value("np.poly", zeros)
            real = bool(np.all(np.sort(values) == np.sort(values.conjugate())))
        if real:
            made = made.real
    return made


@implements(np.roots)
def roots(p: Any) -> Any:
    p = np.atleast_1d(as_array(p))
    if p.ndim != 1:
        raise ValueError("Input must be a rank-1 array.")
    vanishing = 0
    if is_known(p):
        significant = np.flatnonzero(known_value("np.roots", p))
        if not len(significant):
            return np.zeros(0)
        vanishing = p.shape[0] - 1 - int(significant[-1])
        p = p[int(significant[0]) : int(significant[-1]) + 1]
    p = as_floating(p)
    n = p.shape[0]
    if n < 2:
        return np.zeros(vanishing)
    first = reshape(-p[1:] / p[0], (1, -1))
    found = np.linalg.eigvals(concatenate([first, np.eye(n - 2, n - 1, dtype=p.dtype)]))
    return concatenate([found, np.zeros(vanishing, found.dtype)]) if vanishing else found


@implements(np.polyfit)
def polyfit(
    x: Any,
    y: Any,
    deg: Any,
    rcond: Any = None,
    full: bool = False,
    w: Any = None,
    cov: Any = False,
) -> Any:
    order = int(deg) + 1
    x, y = as_array(x) + 0.0, as_array(y) + 0.0
    if deg < 0:
        raise ValueError("expected deg >= 0")
    if x.ndim != 1 or not x.shape[0]:
        raise TypeError("expected non-empty vector for x")
    if y.ndim not in (1, 2):
        raise TypeError("expected 1D or 2D array for y")
    if x.shape[0] != y.shape[0]:
        raise TypeError("expected x and y to have same length")
    if rcond is None:
        rcond = x.shape[0] * np.finfo(x.dtype).eps
    left, right = np.vander(x, order), y
    if w is not None:
        w = as_array(w) + 0.0
        if w.ndim != 1:
            raise TypeError("expected a 1-d array for weights")
        if w.shape[0] != y.shape[0]:
            raise TypeError("expected w and y to have the same length")
        left = left * w[:, None]
        right = right * (w[:, None] if y.ndim == 2 else w)
    # Columns of length one: the solution does not depend on it, its conditioning does.
    scale = np.sqrt(np.sum(left * left, axis=0))
    left = left / scale
    c, residuals, rank, singular = np.linalg.lstsq(left, right, rcond)
    c = (c.T / scale).T
    if full:
        return c, residuals, rank, singular, rcond
    known = rank.concrete() if isinstance(rank, Tracer) else rank
    if known is not None and known != order:
        warnings.warn("Polyfit may be poorly conditioned", np.exceptions.RankWarning, stacklevel=4)
    if not cov:
        return c
    base = np.linalg.inv(np.dot(left.T, left)) / (scale[:, None] * scale)
    if cov == "unscaled":
        factor: Any = 1.0
    else:
        if x.shape[0] <= order:
            raise ValueError(
                "the number of data points must exceed order to scale the covariance matrix"
            )
        factor = residuals / (x.shape[0] - order)
    return c, base * factor if y.ndim == 1 else base[:, :, None] * factor
