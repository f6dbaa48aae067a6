"""The implicit derivative of a solution that was found by other means.

``at_root``, ``at_minimum``, ``at_least_squares`` and ``at_constrained_minimum`` take a solution as
plain values (SciPy's, say) and return it with its derivatives in whatever is traced: the residual's
closed-over values and ``args``. ``implicit_function`` does it for a solver that is any code.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import tree
from ..arguments import as_array
from ..custom_rules import stop_gradient
from ..errors import boundary, name_of
from ..overrides import wrap
from ..reverse import grad, vjp
from .rules import custom_root
from .systems import solve_auto

__all__ = [
    "at_constrained_minimum",
    "at_least_squares",
    "at_minimum",
    "at_root",
    "implicit_function",
]


def _arguments(args: Any) -> tuple:
    return args if isinstance(args, tuple) else (args,)


def _as_floats(x: Any) -> Any:
    """A solution without derivative, its numbers as floating-point arrays."""

    def one(leaf: Any) -> Any:
        a = as_array(leaf)
        return a.astype(np.float64) if a.dtype.kind in "biu" else a

    return tree.map(one, stop_gradient(x))


@boundary
def at_root(f: Callable, x: Any, args: Any = (), linear_solve: Callable | None = None) -> Any:
    """A root of ``f(x, *args)``, with its derivatives.

    ``dx = -(df/dx)^-1 df``, where ``df`` is the change of f that what is traced makes.

    Parameters
    ----------
    f
        ``f(x, *args)`` returns a pytree like ``x``, which is zero at the solution. It may close
        over traced values.
    x
        The solution: a pytree of arrays. Its own derivative, if it has one, is left aside.
    args
        Further arguments of ``f``, a tuple.
    linear_solve
        ``linear_solve(g, y) -> t`` with ``g(t) = y`` for the linearised ``f``; by default
        ``solve_dense`` up to 1000 numbers and ``solve_gmres`` above.

    Returns
    -------
    pytree
        ``x``.

    Raises
    ------
    TypeError
        ``f`` returns what is not like ``x``.
    numpy.linalg.LinAlgError
        Where a derivative is asked for and df/dx is singular: the solution is not isolated.

    Examples
    --------
    >>> import functorch_like as ft
    >>> cube_root = lambda a: ft.implicit.at_root(lambda x: x**3 - a, 2.0)
    >>> print(round(float(ft.grad(cube_root)(8.0)), 12))
    0.083333333333
    """
    args = _arguments(args)

    def residual(x: Any) -> Any:
        return f(x, *args)

    functools.update_wrapper(residual, f, updated=())
    solve = solve_auto if linear_solve is None else linear_solve
    return custom_root(residual, _as_floats(x), lambda _, x: x, solve)


@boundary
def at_minimum(
    objective: Callable, x: Any, args: Any = (), linear_solve: Callable | None = None
) -> Any:
    """An unconstrained minimum of ``objective(x, *args)``, with its derivatives.

    The root of the gradient: ``dx = -H^-1 d(grad)``, with the exact Hessian ``H``.

    Parameters
    ----------
    objective
        ``objective(x, *args)`` returns a number.
    x
        The minimiser (or any stationary point): a pytree of real arrays.
    args
        Further arguments, a tuple.
    linear_solve
        As in ``at_root``; by default conjugate gradients above 1000 numbers.

    Returns
    -------
    pytree
        ``x``.

    Raises
    ------
    numpy.linalg.LinAlgError
        Where a derivative is asked for and the Hessian is singular.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> def objective(x, a):
    ...     return np.sum((x - a) ** 2) + np.sum(x) ** 2
    >>> a = np.array([1.0, 2.0])
    >>> minimum = lambda a: ft.implicit.at_minimum(objective, np.array([0.0, 1.0]), (a,))
    >>> ft.jacobian(minimum)(a).round(6)
    array([[ 0.666667, -0.333333],
           [-0.333333,  0.666667]])
    """
    args = _arguments(args)
    solve = functools.partial(solve_auto, symmetric=True) if linear_solve is None else linear_solve
    return at_root(grad(lambda x: objective(x, *args)), x, (), solve)


@boundary
def at_least_squares(
    residuals: Callable, x: Any, args: Any = (), linear_solve: Callable | None = None
) -> Any:
    """A minimum of half the sum of squares of ``residuals(x, *args)``, with its derivatives.

    The root of ``J^T r``, whose derivative has the second derivatives of the residuals: exact,
    not Gauss and Newton's approximation, also where the residuals are not zero.

    Parameters
    ----------
    residuals
        ``residuals(x, *args)`` returns an array, or a pytree of arrays.
    x
        The minimiser: a pytree of real arrays.
    args, linear_solve
        As in ``at_minimum``.

    Returns
    -------
    pytree
        ``x``.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> t = np.array([0.0, 1.0, 2.0])
    >>> line = lambda y: ft.implicit.at_least_squares(lambda p: p[0] + p[1] * t - y, np.zeros(2))
    >>> design = np.stack([np.ones(3), t], axis=1)
    >>> print(np.allclose(ft.jacobian(line)(t), np.linalg.pinv(design)))
    True
    """
    args = _arguments(args)

    def normal(x: Any) -> Any:
        r, pullback = vjp(lambda x: residuals(x, *args), x)
        return pullback(r)[0]

    solve = functools.partial(solve_auto, symmetric=True) if linear_solve is None else linear_solve
    return at_root(normal, x, (), solve)


@boundary
def at_constrained_minimum(
    objective: Callable,
    x: Any,
    args: Any = (),
    *,
    equality: Callable | None = None,
    inequality: Callable | None = None,
    lower: Any = None,
    upper: Any = None,
    tol: float = 1e-6,
    linear_solve: Callable | None = None,
) -> Any:
    """A minimum under constraints, with its derivatives: those of the Karush-Kuhn-Tucker system.

    Constraints that hold with equality at ``x`` stay active, the others are left aside; the
    solution and the multipliers of the active ones are the root of ``grad L = 0, c = 0``.
    A derivative exists where the active gradients are independent, multipliers of active
    inequalities are not zero, and the Hessian is definite along the active set (Fiacco and
    McCormick, 1968).

    Parameters
    ----------
    objective
        ``objective(x, *args)`` returns a number.
    x
        The minimiser: a real vector (n,).
    args
        Further arguments of all functions, a tuple.
    equality
        ``equality(x, *args)`` returns a vector (p,) that is zero.
    inequality
        ``inequality(x, *args)`` returns a vector (q,) that is not negative, as SciPy has it.
    lower, upper
        Bounds, numbers or vectors (n,), which may be traced; infinite where there are none.
    tol
        A constraint is active within ``tol (1 + |its value or bound|)``.
    linear_solve
        As in ``at_root``.

    Returns
    -------
    array
        ``x``, (n,).

    Raises
    ------
    TypeError
        ``x`` that is no vector.
    numpy.linalg.LinAlgError
        Where a derivative is asked for and the system is singular.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> one = lambda x: np.sum(x)[None] - 1
    >>> nearest = lambda a: ft.implicit.at_constrained_minimum(   # of the points with sum 1
    ...     lambda x: np.sum((x - a) ** 2), np.array([0.5, 0.5]), equality=one
    ... )
    >>> ft.jacobian(nearest)(np.array([1.0, 1.0]))
    array([[ 0.5, -0.5],
           [-0.5,  0.5]])
    """
    args = _arguments(args)
    x = _as_floats(x)
    if not hasattr(x, "shape") or len(x.shape) != 1:
        shape = getattr(x, "shape", type(x).__name__)
        raise TypeError(
            f"at_constrained_minimum({name_of(objective)}): expected x as a vector; got {shape}; "
            "use at_minimum where there are no constraints, or x.reshape(-1)."
        )

    def constraints(x: Any) -> Any:
        """All that hold as c = 0 or c >= 0, in one vector; the first are equalities."""
        made = [as_array(c(x, *args)).reshape(-1) for c in (equality, inequality) if c is not None]
        if lower is not None:
            made.append(np.where(np.isfinite(lower), x - lower, np.inf))
        if upper is not None:
            free = np.isfinite(upper)
            if lower is not None:  # what equal bounds fix is held once
                free = free & (upper > lower)
            made.append(np.where(free, upper - x, np.inf))
        return np.concatenate(made) if made else np.zeros(0)

    values = stop_gradient(constraints(x))
    if not values.shape[0]:
        return at_minimum(objective, x, args, linear_solve)
    equalities = 0 if equality is None else as_array(equality(x, *args)).size
    size = 1.0 + np.max(np.abs(x))
    active = (np.arange(values.shape[0]) < equalities) | (np.abs(values) <= tol * size)

    def active_constraints(x: Any) -> Any:
        return np.where(active, constraints(x), 0.0)

    def stationarity(x: Any, multipliers: Any) -> Any:
        slope = grad(lambda x: objective(x, *args))(x)
        _, pullback = vjp(active_constraints, x)
        return slope - pullback(multipliers)[0]

    def system(z: tuple) -> tuple:
        x, multipliers = z
        return stationarity(x, multipliers), np.where(active, active_constraints(x), multipliers)

    # Multipliers: the least-squares solution of stationarity, those of the rest being zero.
    from ..jacobians import jacobian

    rows = jacobian(active_constraints)(x)
    slope = grad(lambda x: objective(x, *args))(x)
    start = stop_gradient(np.linalg.lstsq(rows.T, slope, rcond=None)[0])
    return at_root(system, (x, start), (), linear_solve)[0]


@boundary
def implicit_function(
    solver: Callable,
    residual: Callable,
    result: Any = None,
    linear_solve: Callable | None = None,
) -> Callable:
    """The function that an equation defines, computed by any solver, with its derivatives.

    Parameters
    ----------
    solver
        ``solver(*args) -> x`` with ``residual(x, *args) = 0``: a call of SciPy, of C code, of a
        simulation. It gets plain arrays only, under every transform; under ``vmap`` it is called
        once an element.
    residual
        ``residual(x, *args)``, in NumPy operations, like ``x``; of an optimum its gradient.
    result
        ``ShapedArray`` (or a pytree of them) of what ``solver`` returns; needed only under
        ``jit``.
    linear_solve
        As in ``at_root``.

    Returns
    -------
    Callable
        Like ``solver``; forward and reverse mode of every order, ``vmap`` and ``jit``.

    Raises
    ------
    TypeError
        A ``residual`` that is not like what ``solver`` returns.

    Examples
    --------
    >>> import numpy as np, scipy.optimize
    >>> import functorch_like as ft
    >>> def kepler(E, e, M):
    ...     return E - e * np.sin(E) - M
    >>> def solver(e, M):
    ...     return scipy.optimize.brentq(kepler, 0.0, 2 * np.pi, (e, M), xtol=1e-14)
    >>> anomaly = ft.implicit_function(solver, kepler)
    >>> E = anomaly(0.3, 1.0)
    >>> print(np.allclose(ft.grad(anomaly, argnums=1)(0.3, 1.0), 1 / (1 - 0.3 * np.cos(E))))
    True
    """
    box = wrap(solver, jvp=lambda tangents, out, *args: tree.map(np.zeros_like, out), result=result)

    def solution(*args: Any) -> Any:
        return at_root(residual, box(*args), args, linear_solve)

    functools.update_wrapper(solution, solver, updated=())
    return solution
