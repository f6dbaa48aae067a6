"""Solvers of linear systems ``g(t) = y`` given by a function, for implicit derivatives.

``g`` is a linear function of a pytree, traced or plain. ``solve_dense`` makes its matrix;
``solve_cg`` and ``solve_gmres`` only apply it, in a loop that compiles and whose derivatives are
solves again, by ``custom_linear_solve``. Complex unknowns count as two real ones, so that ``g``
need only be linear over the reals.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import debug, tree
from ..arguments import as_array
from ..batching import vmap
from ..control_flow import cond, fori_loop, while_loop
from ..errors import boundary, name_of
from ..primitives.core import beside, shape_of
from ..primitives.structural import size_of
from .rules import custom_linear_solve

__all__ = ["solve_auto", "solve_cg", "solve_dense", "solve_gmres"]

# Up to so many real unknowns the matrix is made: 8 MB, and a factorisation of a few milliseconds.
DENSE = 1000


class _Vector:
    """A pytree of arrays as one real vector, there and back."""

    def __init__(self, like: Any) -> None:
        leaves, self.structure = tree.flatten(like)
        given = [(shape_of(x), x.dtype) for x in map(as_array, leaves)]
        # Whole numbers are unknowns like any others.
        self.avals = [(s, np.dtype(float) if d.kind in "biu" else d) for s, d in given]
        dtype = np.result_type(*[dtype for _, dtype in self.avals])
        self.dtype = np.dtype(dtype.char.lower()) if dtype.kind == "c" else dtype
        self.size = sum(size_of(s) * (2 if d.kind == "c" else 1) for s, d in self.avals)

    def pack(self, given: Any) -> Any:
        """The vector."""
        parts = []
        for x in tree.leaves(given):
            flat = as_array(x).reshape(-1)
            if flat.dtype.kind == "c":
                parts += [flat.real.astype(self.dtype), flat.imag.astype(self.dtype)]
            else:
                parts.append(flat.astype(self.dtype))
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def unpack(self, vector: Any) -> Any:
        """The pytree."""
        leaves, start = [], 0

        def take(count: int) -> Any:
            nonlocal start
            start += count
            return vector[start - count : start]

        for shape, dtype in self.avals:
            count = size_of(shape)
            part = take(count) + 1j * take(count) if dtype.kind == "c" else take(count)
            leaves.append(part.astype(dtype).reshape(shape))
        return tree.unflatten(self.structure, leaves)

    def function(self, g: Callable) -> Callable:
        """``g`` as a function of vectors."""
        return lambda v: self.pack(g(self.unpack(v)))


@boundary
def solve_dense(g: Callable, y: Any) -> Any:
    """Solution of ``g(t) = y`` with the matrix of ``g``, made by one batched application.

    Parameters
    ----------
    g
        Linear function of a pytree like ``y``; over the reals where it is complex.
    y
        Pytree of arrays, ``n`` real numbers in all.

    Returns
    -------
    pytree
        ``t``, like ``y``.

    Raises
    ------
    TypeError
        ``g`` returns another number of numbers than it takes.
    numpy.linalg.LinAlgError
        A singular matrix.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> a = np.array([[2.0, 1.0], [0.0, 1.0]])
    >>> ft.implicit.solve_dense(lambda t: a @ t, np.array([3.0, 1.0]))
    array([1., 1.])
    """
    vector = _Vector(y)
    right = vector.pack(y)
    columns = vmap(vector.function(g))(beside(right, np.eye(vector.size, dtype=vector.dtype)))
    if columns.shape != (vector.size, vector.size):
        raise TypeError(
            f"solve_dense({name_of(g)}): expected a function to the space it comes from, of "
            f"{vector.size} real numbers like y; got one that returns {columns.shape[1]}; for more "
            "equations than unknowns take np.linalg.lstsq."
        )
    return vector.unpack(np.linalg.solve(columns.T, right))


def _require(holds: Any, message: str, error: type[Exception]) -> None:
    """Raise unless it holds: when the program runs, in compiled code too."""

    def fail(value: Any) -> Any:
        debug.callback(_raise, value, message=message, error=error)
        return value

    cond(holds, lambda value: value, fail, np.float64(0.0))


def _raise(value: Any, message: str, error: type[Exception]) -> None:
    raise error(message)


def _tolerance(vector: _Vector, tol: float | None) -> float:
    return 50 * float(np.finfo(vector.dtype).eps) if tol is None else float(tol)


@boundary
def solve_cg(g: Callable, y: Any, tol: float | None = None, maxiter: int | None = None) -> Any:
    """Solution of ``g(t) = y`` by conjugate gradients, for a symmetric positive definite ``g``.

    Parameters
    ----------
    g
        Linear function of a pytree like ``y``, symmetric and positive definite.
    y
        Pytree of arrays, ``n`` real numbers in all.
    tol
        Norm of the residual to reach, relative to that of ``y``; 50 rounding errors by default.
    maxiter
        Iterations at most; 10 n by default.

    Returns
    -------
    pytree
        ``t``, like ``y``.

    Raises
    ------
    RuntimeError
        If it does not converge, or ``g`` is found not to be positive definite.

    Notes
    -----
    Hestenes and Stiefel, *Methods of conjugate gradients for solving linear systems*, 1952.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> np.round(ft.implicit.solve_cg(lambda t: np.array([2.0, 4.0]) * t, np.ones(2)), 12)
    array([0.5 , 0.25])
    """
    vector = _Vector(y)
    goal, most = _tolerance(vector, tol), 10 * vector.size if maxiter is None else maxiter

    def iterate(apply: Callable, right: Any) -> Any:
        small = (goal * goal) * np.sum(right * right)

        def more(value: tuple) -> Any:
            _, _, _, rr, count, sound = value
            return (rr > small) & (count < most) & sound

        def step(value: tuple) -> tuple:
            x, r, p, rr, count, _ = value
            ap = apply(p)
            curvature = np.sum(p * ap)
            alpha = rr / np.where(curvature > 0, curvature, 1.0)
            x, r = x + alpha * p, r - alpha * ap
            rr, before = np.sum(r * r), rr
            return x, r, r + (rr / before) * p, rr, count + 1, curvature > 0

        start = (np.zeros_like(right), right, right, np.sum(right * right), 0, np.bool_(True))
        x, _, _, rr, _, sound = while_loop(more, step, start)
        # Rounding may hold it a little above its goal.
        _require(
            sound & (rr <= np.maximum(100 * small, 0.0)),
            f"solve_cg: expected a symmetric positive definite function that {most} iterations "
            f"solve to a relative residual of {goal:.1e}; it is not, or they do not; use "
            "solve_gmres or solve_dense, or give a larger tol.",
            RuntimeError,
        )
        return x

    apply = vector.function(g)
    x = custom_linear_solve(apply, vector.pack(y), iterate, symmetric=True)
    return vector.unpack(x)


@boundary
def solve_gmres(
    g: Callable,
    y: Any,
    tol: float | None = None,
    restart: int = 40,
    maxiter: int | None = None,
) -> Any:
    """Solution of ``g(t) = y`` by restarted GMRES, which only applies ``g``.

    Parameters
    ----------
    g
        Linear function of a pytree like ``y``.
    y
        Pytree of arrays, ``n`` real numbers in all.
    tol
        Norm of the residual to reach, relative to that of ``y``; 50 rounding errors by default.
    restart
        Dimension of the Krylov spaces: ``restart`` vectors of n numbers are kept.
    maxiter
        Krylov spaces at most; by default as many as take 10 n applications of ``g``, at least 20.

    Returns
    -------
    pytree
        ``t``, like ``y``.

    Raises
    ------
    RuntimeError
        If it does not converge.

    Notes
    -----
    Saad and Schultz, *GMRES: a generalized minimal residual algorithm*, 1986; the basis is
    orthogonalised twice by classical Gram-Schmidt, and the small problem solved by a least-squares
    call.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> a = np.array([[2.0, 1.0], [-1.0, 3.0]])
    >>> np.round(a @ ft.implicit.solve_gmres(lambda t: a @ t, np.array([1.0, 2.0])), 12)
    array([1., 2.])
    """
    vector = _Vector(y)
    goal, width = _tolerance(vector, tol), min(restart, vector.size)
    most = max(20, 10 * vector.size // width) if maxiter is None else maxiter

    def iterate(apply: Callable, right: Any) -> Any:
        norm = np.sqrt(np.sum(right * right))

        def more(value: tuple) -> Any:
            _, _, size, count = value
            return (size > goal * norm) & (count < most)

        def cycle(value: tuple) -> tuple:
            x, r, size, count = value
            x = x + _krylov_step(apply, r, size, width)
            r = right - apply(x)
            return x, r, np.sqrt(np.sum(r * r)), count + 1

        x, _, size, _ = while_loop(more, cycle, (np.zeros_like(right), right, norm, 0))
        _require(
            size <= 100 * goal * norm,
            f"solve_gmres: expected convergence to a relative residual of {goal:.1e} within "
            f"{most} Krylov spaces of {width} vectors; give a larger restart or tol, a better "
            "conditioned function, or use solve_dense.",
            RuntimeError,
        )
        return x

    apply = vector.function(g)
    x = custom_linear_solve(apply, vector.pack(y), iterate, iterate)
    return vector.unpack(x)


def _krylov_step(apply: Callable, r: Any, size: Any, width: int) -> Any:
    """The correction in the Krylov space of ``r`` that makes the residual smallest."""
    first = r / np.where(size > 0, size, 1.0)
    basis = np.concatenate([first[None], np.zeros_like(r)[None].repeat(width, 0)])
    small = np.zeros((width + 1, width), r.dtype)

    def extend(k: Any, value: tuple) -> tuple:
        basis, small = value
        w = apply(basis[k])
        before = np.sqrt(np.sum(w * w))
        h = basis @ w
        w = w - h @ basis
        again = basis @ w
        w, h = w - again @ basis, h + again
        length = np.sqrt(np.sum(w * w))
        # What rounding leaves of a vector within the space is none: the space is complete.
        ends = length <= 10 * np.finfo(r.dtype).eps * before
        inverse = np.where(ends, 0.0, 1.0 / np.where(ends, 1.0, length))
        column = h + np.where(np.arange(width + 1) == k + 1, np.where(ends, 0.0, length), 0.0)
        taken = np.arange(width) == k
        small = small + column[:, None] * taken[None, :]
        row = np.arange(width + 1) == k + 1
        return basis + row[:, None] * (inverse * w)[None, :], small

    basis, small = fori_loop(0, width, extend, (basis, small))
    right = size * (np.arange(width + 1) == 0)
    coefficients = np.linalg.lstsq(small, right.astype(r.dtype), rcond=None)[0]
    return coefficients @ basis[:width]


def solve_auto(g: Callable, y: Any, symmetric: bool = False) -> Any:
    """``solve_dense`` up to 1000 real unknowns, above that a Krylov method."""
    if _Vector(y).size <= DENSE:
        return solve_dense(g, y)
    return solve_cg(g, y) if symmetric else solve_gmres(g, y)
