"""The exponential of stacks of matrices on CuPy arrays, and its derivative.

Scaling and squaring of the Pade approximant of degree 13: N. Higham, "The scaling and squaring
method for the matrix exponential revisited", SIAM J. Matrix Anal. Appl. 26 (2005) 1179. The
derivative is the corner of the exponential of [[a, e], [0, a]], as ``primitives.matrix_functions``
has it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

__all__ = ["matrix_exponential", "matrix_exponential_derivative"]

# (26 - k)! 13! / (26! k! (13 - k)!)
COEFFICIENTS = [math.comb(13, k) * math.factorial(26 - k) / math.factorial(26) for k in range(14)]
LARGEST_NORM = 5.371920351148152  # for which degree 13 is exact to double precision


def _largest(x: Any) -> Any:
    """The largest absolute value of each matrix, with two axes of length one; 1 instead of 0."""
    size = np.abs(x).max((-2, -1))[..., None, None]
    return np.where(size == 0, 1, size)


def matrix_exponential(a: Any) -> Any:
    """exp(a) of each matrix; the norms decide on the host how often all are squared."""
    if not a.size:
        return a.copy()
    norm = np.abs(a).sum(-2).max(-1)
    halvings = np.maximum(np.ceil(np.log2(np.maximum(norm, 1.0) / LARGEST_NORM)), 0)
    halvings = halvings[..., None, None].astype(norm.dtype)
    x = (a * np.exp2(-halvings)).astype(a.dtype)
    eye = np.asarray(np.eye(a.shape[-1], dtype=a.dtype), like=a)
    x2 = x @ x
    x4 = x2 @ x2
    x6 = x2 @ x4
    c = COEFFICIENTS
    odd = x6 @ (c[13] * x6 + c[11] * x4 + c[9] * x2) + c[7] * x6 + c[5] * x4 + c[3] * x2
    odd = x @ (odd + c[1] * eye)
    even = x6 @ (c[12] * x6 + c[10] * x4 + c[8] * x2) + c[6] * x6 + c[4] * x4 + c[2] * x2
    even = even + c[0] * eye
    answer = np.linalg.solve(even - odd, even + odd)
    most = halvings.max()
    for k in range(int(most) if np.isfinite(most) else 0):
        answer = np.where(k < halvings, answer @ answer, answer)
    return answer.astype(a.dtype, copy=False)


def matrix_exponential_derivative(a: Any, e: Any) -> Any:
    """The derivative of exp at ``a`` in the direction ``e``, of each matrix."""
    if not a.size:
        return e.copy()
    # A direction as long as the matrix keeps the scaling what it is.
    scale = _largest(a) / _largest(e)
    zero = np.zeros_like(a)
    top = np.concatenate([a, (e * scale).astype(a.dtype)], -1)
    both = np.concatenate([top, np.concatenate([zero, a], -1)], -2)
    n = a.shape[-1]
    return (matrix_exponential(both)[..., :n, n:] / scale).astype(e.dtype, copy=False)
