"""Norms, balancing, and questions about a matrix that only its values answer."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg as scipy_linalg

from ...errors import user_line
from ...numpy.linalg import norm as numpy_norm
from ...primitives import decompositions as d
from .operands import inexact, mirrors, squares, value_of

__all__ = ["bandwidth", "ishermitian", "issymmetric", "matrix_balance", "norm"]


@mirrors(scipy_linalg.norm)
def norm(
    a: Any, ord: Any = None, axis: Any = None, keepdims: bool = False, check_finite: bool = True
) -> Any:
    """Matrix or vector norm, as ``np.linalg.norm``; the gradient of every norm at zero is zero.

    Examples
    --------
    >>> import numpy as np, functorch_like as ft
    >>> from functorch_like.scipy import linalg
    >>> ft.grad(linalg.norm)(np.array([3.0, 4.0]))
    array([0.6, 0.8])
    """
    return numpy_norm(inexact("norm", a, check_finite), ord, axis, keepdims)


@mirrors(scipy_linalg.matrix_balance)
def matrix_balance(
    A: Any,  # noqa: N803  (SciPy's name)
    permute: bool = True,
    scale: bool = True,
    separate: bool = False,
    overwrite_a: bool = False,
) -> Any:
    """Similar matrix ``inv(t) a t`` with rows and columns of like norms, and t.

    t, a permutation times powers of two, is held constant: the result is linear in ``A``.
    """
    a = squares("matrix_balance", A)
    scaling, order = d.balance(a, permute=bool(permute), scale=bool(scale))
    rows = np.take_along_axis(a, order[..., :, None], -2)
    made = np.take_along_axis(rows, order[..., None, :], -1)
    weight = (scaling[..., None, :] / scaling[..., :, None]).astype(
        np.empty(0, made.dtype).real.dtype
    )
    made = made * weight
    if separate:
        return made, (scaling, order)
    n = a.shape[-1]
    back = d.one_hot(np.argsort(order, axis=-1), n, np.float64)
    return made, back * scaling[..., None, :]


def _known(name: str, a: Any) -> Any:
    known = value_of(a)
    if known is None:
        raise TypeError(
            f"{name}: the answer depends on values, which vmap and jit do not know, at "
            f"{user_line()}; ask outside of them."
        )
    return known


@mirrors(scipy_linalg.bandwidth)
def bandwidth(a: Any) -> Any:
    """Count the diagonals below and above the main one that are not zero; a constant."""
    return scipy_linalg.bandwidth(_known("bandwidth", a))


@mirrors(scipy_linalg.issymmetric)
def issymmetric(a: Any, atol: Any = None, rtol: Any = None) -> bool:
    """Whether a matrix is symmetric; a constant."""
    return scipy_linalg.issymmetric(_known("issymmetric", a), atol=atol, rtol=rtol)


@mirrors(scipy_linalg.ishermitian)
def ishermitian(a: Any, atol: Any = None, rtol: Any = None) -> bool:
    """Whether a matrix is Hermitian; a constant."""
    return scipy_linalg.ishermitian(_known("ishermitian", a), atol=atol, rtol=rtol)
