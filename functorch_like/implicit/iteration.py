"""``fixed_point``: the limit of an iteration, differentiated implicitly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import tree
from ..arguments import as_array
from ..control_flow import while_loop
from ..errors import boundary, name_of
from .rules import custom_root
from .systems import _require, _Vector, solve_auto

__all__ = ["fixed_point"]


@boundary
def fixed_point(
    f: Callable,
    x0: Any,
    *args: Any,
    tol: float | None = None,
    maxiter: int = 500,
    memory: int = 5,
    linear_solve: Callable | None = None,
) -> Any:
    """Fixed point ``x = f(x, *args)``, by iteration with Anderson's acceleration.

    ``dx = (1 - df/dx)^-1 df``: nothing of the iteration is kept for derivatives.

    Parameters
    ----------
    f
        ``f(x, *args)`` returns a pytree like ``x``. It may close over traced values.
    x0
        Where to begin: a pytree of floating-point arrays, ``n`` numbers in all.
    *args
        Further arguments of ``f``, in which the fixed point is differentiated.
    tol
        Stops where the norm of ``f(x) - x`` is at most ``tol (1 + norm of x)``; by default 100
        rounding errors.
    maxiter
        Applications of ``f`` at most.
    memory
        How many earlier steps Anderson's method combines; 0 is plain iteration.
    linear_solve
        As in ``implicit.at_root``.

    Returns
    -------
    pytree
        The fixed point, like ``x0``.

    Raises
    ------
    RuntimeError
        If it does not converge.
    TypeError
        ``f`` returns what is not like ``x0``.

    Notes
    -----
    Anderson, *Iterative procedures for nonlinear integral equations*, 1965; Walker and Ni, 2011.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> x = ft.fixed_point(lambda x, a: np.cos(a * x), 0.5, 1.0)
    >>> print(round(float(x), 12))
    0.739085133215
    >>> slope = ft.grad(lambda a: ft.fixed_point(lambda x, a: np.cos(a * x), 0.5, a))(1.0)
    >>> print(np.isclose(slope, -x * np.sin(x) / (1 + np.sin(x))))
    True
    """

    def residual(x: Any) -> Any:
        made = f(x, *args)
        got, wanted = (
            tree.map(lambda v: f"{as_array(v).dtype}{as_array(v).shape}", v) for v in (made, x)
        )
        shapes = [[as_array(v).shape for v in tree.leaves(v)] for v in (made, x)]
        if tree.flatten(made)[1] != tree.flatten(x)[1] or shapes[0] != shapes[1]:
            raise TypeError(
                f"fixed_point({name_of(f)}): expected the function to return what is like x0, "
                f"{wanted}; got {got}."
            )
        return tree.map(lambda fx, x: fx - x, made, x)

    residual.__name__ = name_of(f)

    def solve(residual: Callable, x: Any) -> Any:
        return _anderson(residual, x, tol, maxiter, memory, name_of(f))

    x0 = tree.map(_floating, x0)
    return custom_root(residual, x0, solve, solve_auto if linear_solve is None else linear_solve)


def _floating(x: Any) -> Any:
    made = as_array(x)
    return made.astype(np.float64) if made.dtype.kind in "biu" else made


def _anderson(
    residual: Callable, x0: Any, tol: float | None, maxiter: int, memory: int, name: str
) -> Any:
    vector = _Vector(x0)
    g = vector.function(residual)
    x = vector.pack(x0)
    eps = float(np.finfo(vector.dtype).eps)
    goal = 100 * eps if tol is None else float(tol)
    memory = min(memory, vector.size)

    def reached(x: Any, r: Any) -> Any:
        return np.sqrt(np.sum(r * r)) <= goal * (1.0 + np.sqrt(np.sum(x * x)))

    def more(value: tuple) -> Any:
        x, r, _, _, count = value
        finite = np.all(np.isfinite(r))
        return ~reached(x, r) & (count < maxiter) & finite

    def step(value: tuple) -> tuple:
        x, r, dxs, drs, count = value
        if memory:
            # The combination of earlier steps that makes the residual smallest, to first order.
            weights = np.linalg.lstsq(drs.T, r, rcond=1e3 * eps)[0]
            move = r - weights @ (dxs + drs)
        else:
            move = r
        x_new = x + move
        r_new = g(x_new)
        if memory:
            slot = (np.arange(memory) == count % memory)[:, None]
            dxs = np.where(slot, move, dxs)
            drs = np.where(slot, r_new - r, drs)
        return x_new, r_new, dxs, drs, count + 1

    none = np.zeros((memory, vector.size), vector.dtype)
    x, r, _, _, _ = while_loop(more, step, (x, g(x), none, none, 0))
    _require(
        reached(x, r),
        f"fixed_point({name}): expected convergence within {maxiter} applications of the function; "
        "it did not; give a better x0, more iterations or a larger tol, or damp the function.",
        RuntimeError,
    )
    return vector.unpack(x)
