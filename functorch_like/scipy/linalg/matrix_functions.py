"""Functions of square matrices, differentiable at every order.

Higham, "Functions of Matrices" (2008). A real matrix has a real logarithm, root or power where
that is possible; where it is not, the result is complex if values are known, and under jit
LinAlgError is raised (give a complex matrix).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg as scipy_linalg

from ...errors import user_line
from ...numpy.linalg import matrix_power
from ...primitives import eigenproblems as q
from ...primitives import linalg as p
from ...primitives import matrix_functions as f
from ...primitives.core import dtype_of
from ...primitives.structural import convert
from .operands import (
    LinAlgError,
    double,
    is_traced,
    matrices,
    mirrors,
    same_shape,
    squares,
    stack_together,
    value_of,
)

__all__ = [
    "coshm",
    "cosm",
    "expm",
    "expm_cond",
    "expm_frechet",
    "fractional_matrix_power",
    "funm",
    "khatri_rao",
    "logm",
    "signm",
    "sinhm",
    "sinm",
    "sqrtm",
    "tanhm",
    "tanm",
]


def _to_complex(a: Any) -> Any:
    return convert(a, dtype=np.result_type(dtype_of(a), np.complex64))


def _real_or_complex(function: Callable, a: Any) -> Any:
    """Apply a function to a real matrix, and to the complex one where it has no real value."""
    try:
        return function(a)
    except f.ComplexResultError:
        return function(_to_complex(a))


@mirrors(scipy_linalg.expm)
def expm(A: Any) -> Any:  # noqa: N803  (SciPy's name)
    """Matrix exponential of (..., n, n).

    Its derivative in the direction e is the corner of expm([[a, e], [0, a]]) (Higham, 10.2).

    Examples
    --------
    >>> import numpy as np, functorch_like as ft
    >>> from functorch_like.scipy import linalg
    >>> ft.grad(lambda a: linalg.expm(a)[0, 1])(np.zeros((2, 2)))
    array([[0., 1.],
           [0., 0.]])
    """
    return f.matrix_exponential(squares("expm", A, False))


@mirrors(scipy_linalg.expm_frechet)
def expm_frechet(
    A: Any,  # noqa: N803
    E: Any,  # noqa: N803
    method: Any = None,
    compute_expm: bool = True,
    check_finite: bool = True,
) -> Any:
    """Exponential of ``A`` and its derivative in the direction ``E``, linear in E.

    ``method`` is checked and otherwise ignored on traced arrays.
    """
    if method not in (None, "SPS", "blockEnlarge"):
        raise ValueError(f"expm_frechet: unknown implementation {method!r}.")
    a, e = squares("expm_frechet", A, check_finite), squares("expm_frechet", E, check_finite)
    same_shape("expm_frechet", a, e)
    a, e = stack_together("expm_frechet", double(a), e)
    derivative = f.matrix_exponential_derivative(a, e)
    return (f.matrix_exponential(a), derivative) if compute_expm else derivative


@mirrors(scipy_linalg.expm_cond)
def expm_cond(A: Any, check_finite: bool = True) -> Any:  # noqa: N803
    """Relative condition number of the exponential: ||K|| ||a|| / ||expm(a)||.

    K is the matrix of the Frechet derivative, (n^2, n^2), whose norm is its greatest singular
    value; the others are Frobenius norms.
    """
    a = double(squares("expm_cond", A, check_finite))
    *lead, n, _ = a.shape
    count = n * n
    directions = np.eye(count, dtype=dtype_of(a)).reshape(count, n, n)
    spread = np.broadcast_to(a, (count, *a.shape))
    shape = (count, *(1,) * len(lead), n, n)
    directions = np.broadcast_to(directions.reshape(shape), (count, *a.shape))
    k = f.matrix_exponential_derivative(spread, directions)
    k = np.reshape(np.moveaxis(k, 0, -1), (*lead, count, count))
    greatest = np.max(p.svdvals(k), axis=-1)
    x = f.matrix_exponential(a)
    return greatest * _frobenius(a) / _frobenius(x)


def _frobenius(a: Any) -> Any:
    return np.sqrt(np.sum(np.real(a * np.conj(a)), axis=(-2, -1)))


@mirrors(scipy_linalg.logm)
def logm(A: Any, disp: Any = None) -> Any:  # noqa: N803
    """Principal logarithm of (..., n, n) without eigenvalues on the closed negative real axis.

    ``disp`` is not supported on traced arrays.

    Examples
    --------
    >>> import numpy as np, functorch_like as ft
    >>> from functorch_like.scipy import linalg
    >>> ft.grad(lambda a: np.trace(linalg.logm(a)))(np.array([[2.0, 1.0], [0.0, 4.0]])).round(6)
    array([[ 0.5  ,  0.   ],
           [-0.125,  0.25 ]])
    """
    _no_option("logm", "disp", disp)
    return _real_or_complex(f.matrix_logarithm, double(squares("logm", A, False)))


def _no_option(name: str, option: str, value: Any) -> None:
    if value is not None and value is not True:
        raise TypeError(f"{name}: {option} is not supported on traced arrays, at {user_line()}.")


@mirrors(scipy_linalg.sqrtm)
def sqrtm(A: Any, disp: Any = None, blocksize: Any = None) -> Any:  # noqa: N803
    """Principal square root; its derivative solves x dx + dx x = da.

    A singular matrix has no derivative. ``disp`` and ``blocksize`` are not supported on traced
    arrays.

    Examples
    --------
    >>> import numpy as np, functorch_like as ft
    >>> from functorch_like.scipy import linalg
    >>> ft.grad(lambda a: linalg.sqrtm(a).sum())(np.diag([1.0, 9.0]))
    array([[0.5       , 0.25      ],
           [0.25      , 0.16666667]])
    """
    _no_option("sqrtm", "disp", disp)
    _no_option("sqrtm", "blocksize", blocksize)
    return _real_or_complex(f.matrix_root, squares("sqrtm", A, False))


@mirrors(scipy_linalg.signm)
def signm(A: Any, disp: Any = None) -> Any:  # noqa: N803
    """Matrix sign function of a matrix without eigenvalues on the imaginary axis.

    With n = s a, n ds + ds n = da - s da s (Higham, 5.1). ``disp`` is not supported on traced
    arrays.
    """
    _no_option("signm", "disp", disp)
    return f.matrix_sign(squares("signm", A, False))


@mirrors(scipy_linalg.fractional_matrix_power)
def fractional_matrix_power(A: Any, t: Any) -> Any:  # noqa: N803
    """Real power of a matrix; differentiable in ``t`` too, as expm(t logm(a)).

    Examples
    --------
    >>> import numpy as np, functorch_like as ft
    >>> from functorch_like.scipy import linalg
    >>> a = np.diag([4.0, 9.0])
    >>> ft.grad(lambda a: linalg.fractional_matrix_power(a, 0.5)[0, 0])(a).round(6)
    array([[0.25, 0.  ],
           [0.  , 0.  ]])
    """
    a = squares("fractional_matrix_power", A, False)
    if is_traced(t):
        return _real_or_complex(lambda a: f.matrix_exponential(t * f.matrix_logarithm(a)), a)
    t, a = float(t), double(a)
    if t == int(t):
        return matrix_power(a, int(t))
    return _real_or_complex(lambda a: f.matrix_power(a, exponent=t), a)


@mirrors(scipy_linalg.funm)
def funm(A: Any, func: Callable, disp: bool = True) -> Any:  # noqa: N803
    """Function of a diagonalizable matrix with distinct eigenvalues: v diag(func(w)) inv(v).

    ``func`` takes a complex vector of eigenvalues and must be traceable and holomorphic. The
    result is real for a real matrix where its imaginary part is known to be rounding.

    Raises
    ------
    LinAlgError
        If eigenvalues are exactly equal: the derivative then needs derivatives of ``func``;
        ``expm``, ``logm``, ``sqrtm`` and ``fractional_matrix_power`` have no such bound.

    Examples
    --------
    >>> import numpy as np, functorch_like as ft
    >>> from functorch_like.scipy import linalg
    >>> ft.grad(lambda a: linalg.funm(a, np.sin)[0, 1])(np.diag([0.0, np.pi])).round(6) + 0.0
    array([[0., 0.],
           [0., 0.]])
    """
    if not disp:
        raise TypeError(f"funm: disp=False is not supported on traced arrays, at {user_line()}.")
    a = squares("funm", A)
    w, v = p.eig(a)
    w = q.distinct(w)
    made = p.transposed(
        p.solve(p.transposed(v), p.transposed(v * _to_complex(func(w))[..., None, :]))
    )
    return _real_if_rounding(a, made)


def _real_if_rounding(a: Any, made: Any) -> Any:
    if dtype_of(a).kind == "c" or dtype_of(made).kind != "c":
        return made
    known = value_of(made)
    tolerance = 1e3 * np.finfo(np.float32).eps if dtype_of(made).char == "F" else 1e6 * 2.3e-16
    if known is not None and np.allclose(known.imag, 0.0, atol=tolerance):
        return np.real(made)
    return made


# --- trigonometric and hyperbolic functions ----------------------------------------------------


def _of_exponentials(a: Any, factor: complex, sign: int) -> Any:
    """``expm(factor a) + sign expm(-factor a)``."""
    return f.matrix_exponential(factor * a) + sign * f.matrix_exponential(-factor * a)


@mirrors(scipy_linalg.cosm)
def cosm(A: Any) -> Any:  # noqa: N803
    """Matrix cosine, (expm(i a) + expm(-i a)) / 2."""
    a = squares("cosm", A, False)
    if dtype_of(a).kind == "c":
        return 0.5 * _of_exponentials(a, 1j, 1)
    return np.real(f.matrix_exponential(1j * a))


@mirrors(scipy_linalg.sinm)
def sinm(A: Any) -> Any:  # noqa: N803
    """Matrix sine, (expm(i a) - expm(-i a)) / 2i."""
    a = squares("sinm", A, False)
    if dtype_of(a).kind == "c":
        return -0.5j * _of_exponentials(a, 1j, -1)
    return np.imag(f.matrix_exponential(1j * a))


@mirrors(scipy_linalg.tanm)
def tanm(A: Any) -> Any:  # noqa: N803
    """Matrix tangent, inv(cosm(a)) sinm(a)."""
    return p.solve(cosm(A), sinm(A))


@mirrors(scipy_linalg.coshm)
def coshm(A: Any) -> Any:  # noqa: N803
    """Hyperbolic matrix cosine, (expm(a) + expm(-a)) / 2."""
    return 0.5 * _of_exponentials(squares("coshm", A, False), 1, 1)


@mirrors(scipy_linalg.sinhm)
def sinhm(A: Any) -> Any:  # noqa: N803
    """Hyperbolic matrix sine, (expm(a) - expm(-a)) / 2."""
    return 0.5 * _of_exponentials(squares("sinhm", A, False), 1, -1)


@mirrors(scipy_linalg.tanhm)
def tanhm(A: Any) -> Any:  # noqa: N803
    """Hyperbolic matrix tangent, inv(coshm(a)) sinhm(a)."""
    return p.solve(coshm(A), sinhm(A))


@mirrors(scipy_linalg.khatri_rao)
def khatri_rao(a: Any, b: Any) -> Any:
    """Kronecker products of corresponding columns: (..., m, k) and (..., n, k) to (..., m n, k)."""
    a, b = matrices("khatri_rao", a), matrices("khatri_rao", b)
    if a.shape[-1] != b.shape[-1]:
        raise LinAlgError(
            f"khatri_rao: expected as many columns in a as in b; got shapes {a.shape} and "
            f"{b.shape}, at {user_line()}."
        )
    product = a[..., :, None, :] * b[..., None, :, :]
    return np.reshape(product, (*product.shape[:-3], -1, product.shape[-1]))
