"""Functions of square matrices (exponential, logarithm, powers, root, sign); leading axes batch.

The Frechet derivative of a matrix function is itself a value of it (Mathias 1996; Higham,
"Functions of Matrices", 2008, theorem 3.6):

    f([[a, e], [0, a]]) = [[f(a), L(a, e)], [0, f(a)]]

so that ``L`` is a primitive, linear in e, whose transpose is ``L(a^T, .)`` and whose derivative
is the corner of L at the matrix of twice the size: all orders follow. The root and the sign solve
Sylvester equations instead (Higham, sections 6.1 and 5.1).

``matrix_logarithm``, ``matrix_root`` and ``matrix_power`` of real matrices are real; where the
principal value is complex they raise ``ComplexResultError``.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.linalg as sl

from ..kernels.device import by_device
from ..kernels.gpu.matrix_exponential import matrix_exponential as exponential_on_gpu
from ..kernels.gpu.matrix_exponential import (
    matrix_exponential_derivative as exponential_slope_on_gpu,
)
from .core import General, shape_of
from .elementwise import subtract
from .linalg import matmul, transposed
from .matrix_equations import over_stack, same_aval, sylvester, total, whole_batch
from .structural import concatenate, slice_at, zeros_like

__all__ = [
    "ComplexResultError",
    "matrix_exponential",
    "matrix_exponential_derivative",
    "matrix_logarithm",
    "matrix_logarithm_derivative",
    "matrix_power",
    "matrix_power_derivative",
    "matrix_root",
    "matrix_sign",
]


class ComplexResultError(np.linalg.LinAlgError):
    """A function of a real matrix has no real value."""


def _beside(x: Any, y: Any) -> Any:
    return concatenate(x, y, axis=len(shape_of(x)) - 1)


def _above(x: Any, y: Any) -> Any:
    return concatenate(x, y, axis=len(shape_of(x)) - 2)


def _twofold(a: Any, corner: Any) -> Any:
    """``[[a, corner], [0, a]]``, where None is zero."""
    zero = zeros_like(a)
    return _above(_beside(a, zero if corner is None else corner), _beside(zero, a))


def _corner(x: Any) -> Any:
    n = shape_of(x)[-1] // 2
    return slice_at(x, index=(Ellipsis, slice(0, n), slice(n, 2 * n)))


def _matrix_function(
    name: str, core: Callable, on_gpu: tuple[Callable, Callable] | None = None
) -> tuple[General, General]:
    """Declare ``f`` and its Frechet derivative, of ``core(matrix, **params)``."""

    def derivative_core(a: np.ndarray, e: np.ndarray, **params: Any) -> np.ndarray:
        length = np.abs(e).max()
        if length == 0:
            return e
        # A direction as long as the matrix keeps the function's own scaling what it is.
        scale = (np.abs(a).max() or 1.0) / length
        n = len(a)
        both = np.zeros((2 * n, 2 * n), np.result_type(a, e))
        both[:n, :n] = both[n:, n:] = a
        both[:n, n:] = e * scale
        return core(both, **params)[:n, n:] / scale

    def rule(primals: Sequence, tangents: Sequence, **params: Any) -> tuple[Any, Any]:
        (a,), (da,) = primals, tangents
        return f(a, **params), derivative(a, da, **params)

    def derivative_rule(primals: Sequence, tangents: Sequence, **params: Any) -> tuple[Any, Any]:
        (a, e), (da, de) = primals, tangents
        tangent = None if de is None else derivative(a, de, **params)
        if da is not None:
            moved = derivative(_twofold(a, e), _twofold(da, None), **params)
            tangent = total(tangent, _corner(moved))
        return derivative(a, e, **params), tangent

    kernels = (
        over_stack(name, core, same_aval),
        over_stack(f"{name}_derivative", derivative_core, same_aval),
    )
    f: General = General(
        name,
        kernel=kernels[0] if on_gpu is None else by_device(kernels[0], on_gpu[0]),
        abstract=same_aval,
        rule=rule,
        batch=whole_batch(lambda: f),
    )
    derivative: General = General(
        f"{name}_derivative",
        kernel=kernels[1] if on_gpu is None else by_device(kernels[1], on_gpu[1]),
        abstract=same_aval,
        rule=derivative_rule,
        batch=whole_batch(lambda: derivative),
        linear_in=1,
        transpose=lambda ct, operands, **params: derivative(transposed(operands[0]), ct, **params),
    )
    return f, derivative


def _real_again(name: str, a: np.ndarray, value: Any) -> Any:
    """The value of a function of a real matrix, which must be real but for rounding."""
    if not np.iscomplexobj(value) or np.iscomplexobj(a):
        return value
    size = np.abs(value).max(initial=1.0)
    if np.abs(value.imag).max(initial=0.0) > np.finfo(value.dtype).eps ** 0.5 * size:
        raise ComplexResultError(
            f"{name}: the matrix of shape {a.shape} has eigenvalues on the negative real axis, so "
            f"that its {name} is complex; convert it by a.astype(complex)."
        )
    return value.real


def _logarithm(a: np.ndarray) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # SciPy's estimate of the error
        return _real_again("logm", a, sl.logm(a))


def _power(a: np.ndarray, exponent: float) -> Any:
    return _real_again("fractional_matrix_power", a, sl.fractional_matrix_power(a, exponent))


# ``matrix_exponential(a)``; its derivative ``(a, e)`` is linear in e.
matrix_exponential, matrix_exponential_derivative = _matrix_function(
    "matrix_exponential", lambda a: sl.expm(a), (exponential_on_gpu, exponential_slope_on_gpu)
)

matrix_logarithm, matrix_logarithm_derivative = _matrix_function("matrix_logarithm", _logarithm)

# ``matrix_power(a, exponent=t)`` for a real number t.
matrix_power, matrix_power_derivative = _matrix_function("matrix_power", _power)

# --- root and sign -------------------------------------------------------------------------


def _root(a: np.ndarray) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sl.LinAlgWarning)
        return _real_again("sqrtm", a, sl.sqrtm(a))


def _root_rule(primals: Sequence, tangents: Sequence) -> tuple[Any, Any]:
    # x x = a, so x dx + dx x = da
    (a,), (da,) = primals, tangents
    x = matrix_root(a)
    return x, sylvester(x, x, da)


# The principal square root.
matrix_root: General = General(
    "matrix_root",
    kernel=over_stack("matrix_root", _root, same_aval),
    abstract=same_aval,
    rule=_root_rule,
    batch=whole_batch(lambda: matrix_root),
)


def _sign_core(a: np.ndarray) -> Any:
    return _real_again("signm", a, sl.signm(a))


def _sign_rule(primals: Sequence, tangents: Sequence) -> tuple[Any, Any]:
    # a = s n with s s = 1: n ds + ds n = da - s da s
    (a,), (da,) = primals, tangents
    s = matrix_sign(a)
    n = matmul(s, a)
    return s, sylvester(n, n, subtract(da, matmul(s, matmul(da, s))))


# The matrix sign function: eigenvalues go to the signs of their real parts.
matrix_sign: General = General(
    "matrix_sign",
    kernel=over_stack("matrix_sign", _sign_core, same_aval),
    abstract=same_aval,
    rule=_sign_rule,
    batch=whole_batch(lambda: matrix_sign),
)
