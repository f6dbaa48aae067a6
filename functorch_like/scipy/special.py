"""Special functions of plain and traced arrays, under scipy.special's names.

The ufuncs of scipy.special also take traced arrays themselves, so ``scipy.special.erf(x)``
needs nothing from here; importing this module is what connects them. Functions of scipy.special
that are written in Python (``logsumexp``, ``softmax``, ``polygamma``, ``zeta`` ...) do not ask
their arguments: use the ones of this module.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.special as scipy_special

from ..numpy.dispatch import UFUNCS
from ..numpy.elementwise import as_operand
from ..primitives import elementwise as e
from ..primitives import special as p
from ..primitives.core import dtype_of, shape_of
from ..primitives.reduction import keep_dims, reduce_max, reduce_sum
from ..primitives.special import (
    beta,
    betainc,
    betaln,
    boxcox,
    boxcox1p,
    cosm1,
    dawsn,
    digamma,
    ellipe,
    ellipk,
    ellipkm1,
    entr,
    erf,
    erfc,
    erfcinv,
    erfcx,
    erfinv,
    exp1,
    exp10,
    expi,
    expit,
    expn,
    exprel,
    gamma,
    gammainc,
    gammaincc,
    gammaln,
    hyp1f1,
    hyp2f1,
    i0,
    i0e,
    i1,
    i1e,
    inv_boxcox,
    inv_boxcox1p,
    iv,
    ive,
    j0,
    j1,
    jv,
    k0,
    k0e,
    k1,
    k1e,
    kl_div,
    kv,
    kve,
    log_expit,
    log_ndtr,
    loggamma,
    logit,
    ndtr,
    ndtri,
    polygamma,
    psi,
    rel_entr,
    rgamma,
    spherical_jn,
    xlog1py,
    xlogy,
    y0,
    y1,
    yv,
)
from ..primitives.stopping import stop_gradient

__all__ = [
    "beta", "betainc", "betaln", "boxcox", "boxcox1p", "cosm1", "dawsn", "digamma", "ellipe",
    "ellipk", "ellipkm1", "entr", "erf", "erfc", "erfcinv", "erfcx", "erfinv", "exp1", "exp10",
    "expi", "expit", "expn", "exprel", "factorial", "gamma", "gammainc", "gammaincc", "gammaln",
    "hyp1f1", "hyp2f1", "i0", "i0e", "i1", "i1e", "inv_boxcox", "inv_boxcox1p", "iv", "ive", "j0",
    "j1", "jv", "k0", "k0e", "k1", "k1e", "kl_div", "kv", "kve", "log_expit", "log_ndtr",
    "log_softmax", "loggamma", "logit", "logsumexp", "multigammaln", "ndtr", "ndtri", "polygamma",
    "psi", "rel_entr", "rgamma", "softmax", "softplus", "spherical_jn", "xlog1py", "xlogy", "y0",
    "y1", "yv", "zeta",
]  # fmt: skip

for _primitive in vars(p).values():
    if isinstance(_primitive, p.Special):
        _ufunc = getattr(scipy_special, _primitive.name, None)
        if isinstance(_ufunc, np.ufunc):
            UFUNCS[_ufunc] = _primitive
# scipy.special has its own loops for these; the values agree to rounding.
for _name in ("cbrt", "exp2", "expm1", "log1p"):
    UFUNCS[getattr(scipy_special, _name)] = getattr(e, _name)
UFUNCS[scipy_special.jn] = jv


def _floating(x: Any) -> Any:
    """An operand as a floating array or tracer."""
    x = as_operand(x)
    if dtype_of(x).kind in "fc":
        return x if hasattr(x, "dtype") else np.asarray(x)
    return e.multiply(1.0, x)


def _axes(x: Any, axis: Any) -> tuple[int, ...]:
    from ..numpy.manipulation import normalize_axes

    return normalize_axes(axis, len(shape_of(x)))


def _centre(x: Any, axes: tuple[int, ...]) -> Any:
    """The largest element along axes, kept; a constant, and 0 where it is not finite."""
    largest = stop_gradient(keep_dims(reduce_max(x, axes=axes), shape_of(x), axes))
    return e.select(e.isfinite(largest), largest, np.zeros(1, dtype_of(x)))


def logsumexp(
    a: Any, axis: Any = None, b: Any = None, keepdims: bool = False, return_sign: bool = False
) -> Any:
    """Logarithm of the sum of exponentials, without overflow.

    Parameters
    ----------
    a
        Exponents (real).
    axis
        Axis or axes summed over; all of them by default.
    b
        Factors of the exponentials, which may be zero or negative; they broadcast against ``a``.
    keepdims
        Whether summed axes stay, with length one.
    return_sign
        Whether to return the pair (logarithm of the absolute sum, sign of the sum); without
        it a negative sum gives NaN.

    Returns
    -------
    array, or a pair of arrays

    Examples
    --------
    >>> import numpy as np
    >>> from functorch_like.scipy.special import logsumexp
    >>> print(round(float(logsumexp(np.array([1000.0, 1000.0])) - 1000.0), 6))
    0.693147
    """
    a = _floating(a)
    if dtype_of(a).kind == "c":
        raise TypeError(
            "logsumexp: expected real exponents; got complex ones; do np.log(np.sum(...))."
        )
    if b is not None:
        b = _floating(b)
        shape = np.broadcast_shapes(shape_of(a), shape_of(b))
        a, b = (v if shape_of(v) == shape else np.broadcast_to(v, shape) for v in (a, b))
        # A factor 0 leaves its exponent out, though that be infinite.
        absent = e.equal(b, 0.0)
        a = e.select(absent, -math.inf, a)
    axes = _axes(a, axis)
    if math.prod(shape_of(a)[i] for i in axes) == 0:
        empty = np.sum(np.zeros(shape_of(a), dtype_of(a)), axis=axes, keepdims=keepdims)
        return (empty - math.inf, empty) if return_sign else empty - math.inf
    centre = _centre(a, axes)
    terms = e.exp(e.subtract(a, centre))
    if b is not None:
        terms = e.multiply(terms, b)
    total = reduce_sum(terms, axes=axes)
    direction = e.sign(total)
    if return_sign:
        # log|s| has slope 1/s whatever its sign.
        total = e.multiply(total, stop_gradient(direction))
    kept = shape_of(keep_dims(total, shape_of(a), axes))
    logarithm = e.add(e.log(total), np.reshape(centre, shape_of(total)))
    if keepdims:
        logarithm, direction = np.reshape(logarithm, kept), np.reshape(direction, kept)
    return (logarithm, direction) if return_sign else logarithm


def softmax(x: Any, axis: Any = None) -> Any:
    """Exponentials divided by their sum.

    Parameters
    ----------
    x
        Logits.
    axis
        Axis or axes that sum to one; all of them by default.

    Returns
    -------
    array of the shape of ``x``

    Examples
    --------
    >>> import numpy as np
    >>> from functorch_like.scipy.special import softmax
    >>> print(softmax(np.array([0.0, 0.0, 1000.0])))
    [0. 0. 1.]
    """
    x = _floating(x)
    axes = _axes(x, axis)
    terms = e.exp(e.subtract(x, _centre(x, axes)))
    return e.divide(terms, keep_dims(reduce_sum(terms, axes=axes), shape_of(x), axes))


def log_softmax(x: Any, axis: Any = None) -> Any:
    """Logarithm of ``softmax``, accurate where that underflows.

    Parameters
    ----------
    x
        Logits.
    axis
        Axis or axes whose softmax sums to one; all of them by default.

    Returns
    -------
    array of the shape of ``x``
    """
    x = _floating(x)
    axes = _axes(x, axis)
    moved = e.subtract(x, _centre(x, axes))
    total = keep_dims(reduce_sum(e.exp(moved), axes=axes), shape_of(x), axes)
    return e.subtract(moved, e.log(total))


def softplus(x: Any) -> Any:
    """``log(1 + exp(x))``, without overflow.

    Parameters
    ----------
    x
        Operand.

    Returns
    -------
    array of the shape of ``x``
    """
    return e.logaddexp(0.0, _floating(x))


def zeta(x: Any, q: Any = None) -> Any:
    """Hurwitz zeta function, or Riemann's where ``q`` is not given; differentiable in ``q``.

    Parameters
    ----------
    x
        Exponent.
    q
        Shift, 1 by default.

    Returns
    -------
    array
    """
    return p.zeta(as_operand(x), 1.0 if q is None else _floating(q))


def multigammaln(a: Any, d: int) -> Any:
    """Logarithm of the multivariate gamma function.

    Parameters
    ----------
    a
        Argument, greater than ``(d - 1) / 2``.
    d
        Dimension.

    Returns
    -------
    array of the shape of ``a``
    """
    a = _floating(a)
    total = gammaln(a)
    for j in range(1, d):
        total = e.add(total, gammaln(e.subtract(a, 0.5 * j)))
    return e.add(total, d * (d - 1) * 0.25 * math.log(math.pi))


def factorial(n: Any) -> Any:
    """``gamma(n + 1)``.

    Parameters
    ----------
    n
        Argument, not necessarily an integer.

    Returns
    -------
    array of the shape of ``n``
    """
    return gamma(e.add(_floating(n), 1.0))
