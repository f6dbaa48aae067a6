"""What the functions of scipy.linalg do with their arguments.

A function here is SciPy's own on plain arrays; ours runs where an argument is traced. Operands
may be stacks of matrices: leading axes broadcast, as SciPy's do.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from ...errors import user_line
from ...kernels.device import is_gpu
from ...numpy.elementwise import as_operand
from ...primitives import elementwise as e
from ...primitives import linalg as p
from ...primitives.core import Tracer, dtype_of
from ...primitives.stopping import stop_gradient
from ...primitives.structural import convert

LinAlgError = np.linalg.LinAlgError

F = TypeVar("F", bound=Callable[..., Any])


def is_traced(x: Any) -> bool:
    """Whether an argument is, or holds, something that SciPy itself cannot take."""
    if isinstance(x, (tuple, list)):
        return any(map(is_traced, x))
    return isinstance(x, Tracer) or (hasattr(x, "dtype") and is_gpu(x))


def mirrors(scipy_function: Callable) -> Callable[[F], F]:
    """Decorate our version of a function of SciPy, which is called where nothing is traced."""

    def decorate(ours: F) -> F:
        @functools.wraps(ours)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            if any(map(is_traced, args)) or any(map(is_traced, kwargs.values())):
                return ours(*args, **kwargs)
            return scipy_function(*args, **kwargs)

        return wrapper  # type: ignore[return-value]

    return decorate


def refused(scipy_function: Callable, instead: str) -> Callable:
    """SciPy's function on plain arrays, and an error that says what to write on traced ones."""
    name = scipy_function.__name__

    @functools.wraps(scipy_function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if any(map(is_traced, args)) or any(map(is_traced, kwargs.values())):
            raise TypeError(f"{name}: not supported on traced arrays, at {user_line()}; {instead}.")
        return scipy_function(*args, **kwargs)

    wrapper.__doc__ = f"SciPy's ``{name}``, on plain arrays only: {instead}."
    return wrapper


def value_of(x: Any) -> Any:
    """The value of an operand, or None where it is traced and has none."""
    return x.concrete() if isinstance(x, Tracer) else x


def inexact(name: str, x: Any, check_finite: bool = True) -> Any:
    """An operand as an array or tracer of a dtype that LAPACK has."""
    x = as_operand(x)
    if not hasattr(x, "dtype") or isinstance(x, np.generic):
        x = np.asarray(x)
    dtype = dtype_of(x)
    if dtype.kind in "iub":
        x = convert(x, dtype=np.dtype(np.float64))
    elif dtype.char == "e":
        x = convert(x, dtype=np.dtype(np.float32))
    elif dtype.char not in "fdFD":
        raise TypeError(
            f"{name}: expected an array of float32, float64, complex64 or complex128; got {dtype}, "
            f"at {user_line()}; convert it with astype."
        )
    if check_finite:
        value = value_of(x)
        if isinstance(value, (np.ndarray, np.generic)) and not np.all(np.isfinite(value)):
            raise ValueError(
                f"{name}: array must not contain infs or NaNs, at {user_line()}; "
                "check_finite=False lets them through where the function has it."
            )
    return x


def double(x: Any) -> Any:
    """An operand in double precision, in which some of SciPy's functions always answer."""
    return convert(x, dtype=np.result_type(dtype_of(x), np.float64))


def matrices(name: str, a: Any, check_finite: bool = True) -> Any:
    """An operand that is a matrix or a stack of them."""
    a = inexact(name, a, check_finite)
    if len(a.shape) < 2:
        raise LinAlgError(
            f"{name}: expected a matrix, or a stack of them; got shape {a.shape}, at {user_line()}."
        )
    return a


def squares(name: str, a: Any, check_finite: bool = True) -> Any:
    """An operand that is a square matrix or a stack of them."""
    a = matrices(name, a, check_finite)
    if a.shape[-1] != a.shape[-2]:
        raise LinAlgError(
            f"{name}: expected a square matrix; got shape {a.shape}, at {user_line()}."
        )
    return a


def vectors(name: str, x: Any, check_finite: bool = True) -> Any:
    """An operand that is a vector or a stack of them."""
    x = inexact(name, x, check_finite)
    return np.reshape(x, (1,)) if len(x.shape) == 0 else x


def unify(*arrays: Any) -> tuple[Any, ...]:
    """Operands converted to one dtype."""
    dtype = np.result_type(*map(dtype_of, arrays))
    return tuple(x if dtype_of(x) == dtype else convert(x, dtype=dtype) for x in arrays)


def stack_together(name: str, *arrays: Any, cores: tuple[int, ...] = ()) -> tuple[Any, ...]:
    """Operands of one dtype whose leading axes are broadcast; ``cores`` are the trailing ones."""
    counts = cores or (2,) * len(arrays)
    leads = [x.shape[: len(x.shape) - k] for x, k in zip(arrays, counts, strict=True)]
    try:
        lead = np.broadcast_shapes(*leads)
    except ValueError:
        shapes = ", ".join(str(tuple(x.shape)) for x in arrays)
        raise LinAlgError(
            f"{name}: expected leading axes that broadcast; got shapes {shapes}, at {user_line()}."
        ) from None
    made = []
    for x, own, k in zip(unify(*arrays), leads, counts, strict=True):
        made.append(x if own == lead else np.broadcast_to(x, lead + x.shape[len(x.shape) - k :]))
    return tuple(made)


def same_shape(name: str, *arrays: Any) -> None:
    """Raise unless the last two axes are the same."""
    if len({x.shape[-2:] for x in arrays}) > 1:
        shapes = ", ".join(str(tuple(x.shape)) for x in arrays)
        raise LinAlgError(
            f"{name}: expected matrices of one shape; got shapes {shapes}, at {user_line()}."
        )


def right_hand_side(
    name: str, a: Any, b: Any, rows: int, cores: int = 2
) -> tuple[Any, Any, Callable[[Any], Any]]:
    """Coefficients and columns as stacks of one dtype, and what gives the solution b's form."""
    vector = len(b.shape) < 2
    right = np.reshape(b, (-1, 1)) if vector else b
    if right.shape[-2] != rows:
        raise LinAlgError(
            f"{name}: expected a right-hand side with {rows} rows; got shapes {tuple(a.shape)} and "
            f"{tuple(b.shape)}, at {user_line()}; a stack of vectors is b[..., None]."
        )
    a, right = stack_together(name, a, right, cores=(cores, 2))
    return a, right, (lambda x: x[..., 0]) if vector else (lambda x: x)


def mirrored(a: Any, lower: bool, conjugate: bool = True) -> Any:
    """The Hermitian (or symmetric) matrix of which ``a`` holds one triangle.

    Its derivative is that of the Hermitian part, so that a gradient is a Hermitian matrix too.
    """
    turn = p.adjoint if conjugate else p.transposed
    if isinstance(a, Tracer):
        part = e.multiply(e.add(a, turn(a)), 0.5)
        fixed = stop_gradient(a)
        own = e.multiply(e.add(fixed, turn(fixed)), 0.5)
        error = e.subtract(_from_triangle(fixed, lower, turn), own)
        return e.add(part, error)
    return _from_triangle(a, lower, turn)


def _from_triangle(a: Any, lower: bool, turn: Callable) -> Any:
    strict = np.tril(a, -1) if lower else np.triu(a, 1)
    on = e.multiply(a, np.eye(a.shape[-1], dtype=np.empty(0, dtype_of(a)).real.dtype))
    if turn is p.adjoint:
        on = e.multiply(e.add(on, p.conjugated(on)), 0.5)
    return e.add(e.add(strict, turn(strict)), on)
