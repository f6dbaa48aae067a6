"""``custom_linear_solve`` and ``custom_root``: a solver of one's own, differentiated implicitly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import tree
from ..arguments import as_array, differentiable
from ..errors import boundary
from ..reverse import linear_transpose, linearize, split_aux
from .primitives import checked_like, linear_solve, named, root_solve

__all__ = ["custom_linear_solve", "custom_root"]


class _Unknown:
    """A pytree of unknowns: its structure, and functions of it as functions of its leaves."""

    def __init__(self, transform: str, f: Callable, given: Any, what: str) -> None:
        leaves, self.structure = tree.flatten(given)
        self.label = named(transform, f)
        self.what = what
        self.transform, self.f = transform, f
        position = f"numbers in {what}"
        self.leaves = [differentiable(transform, f, x, position=position) for x in leaves]
        if not leaves:
            raise TypeError(f"{self.label}: expected {what} with at least one array; got none.")

    def tree(self, leaves: Any) -> Any:
        return tree.unflatten(self.structure, leaves)

    def flat(self, made: Any, who: str) -> list[Any]:
        """Leaves of what a function returned, which must be like the unknowns."""
        leaves, structure = tree.flatten(made)
        if structure != self.structure:
            raise TypeError(
                f"{self.label}: expected {who} to return the structure of {self.what}, "
                f"{tree.describe(self.structure)}; got {tree.describe(structure)}."
            )
        return checked_like(f"{self.label}: expected {who} to return an array", leaves, self.leaves)


@boundary
def custom_linear_solve(
    matvec: Callable,
    b: Any,
    solve: Callable,
    transpose_solve: Callable | None = None,
    symmetric: bool = False,
    has_aux: bool = False,
) -> Any:
    """Solution of ``matvec(x) = b`` by a solver of one's own, with its implicit derivative.

    What the solver does is not looked into: ``dx`` solves ``A dx = db - dA x`` by the same
    solver, and cotangents are solved for with the transpose of ``A``.

    Parameters
    ----------
    matvec
        Linear function of a pytree like ``b``; it may close over traced values, in which the
        solution is differentiated. It is not called to solve, unless ``solve`` calls it.
    b
        Right-hand side: a pytree of real or complex floating-point arrays.
    solve
        ``solve(matvec, b) -> x``; any code that gives a solution to the precision wanted. Under
        ``grad`` and ``jvp`` it gets plain values; under ``vmap`` and ``jit`` traced ones.
    transpose_solve
        ``transpose_solve(vecmat, b) -> x``, a solution of ``vecmat(x) = b`` where ``vecmat`` is
        the transpose (not conjugate) of ``matvec``. Needed for reverse mode unless ``symmetric``.
    symmetric
        The matrix equals its transpose, so that ``solve`` serves for both.
    has_aux
        ``solve`` and ``transpose_solve`` return ``(x, aux)``; ``aux`` has no derivative.

    Returns
    -------
    pytree
        ``x``, structured like ``b``; or ``(x, aux)``.

    Raises
    ------
    TypeError
        Functions that do not return what is like ``b``; reverse mode without the transpose.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> def f(d):  # solves a diagonal system
    ...     divide = lambda matvec, b: b / d
    ...     return np.sum(ft.custom_linear_solve(lambda x: d * x, np.ones(2), divide, divide))
    >>> ft.grad(f)(np.array([1.0, 2.0]))
    array([-1.  , -0.25])
    """
    unknown = _Unknown("custom_linear_solve", matvec, b, "the right-hand side")
    made_aux: list[Any] = []

    def flat_solve(apply: Callable, how: Callable, who: str, leaves: tuple) -> list[Any]:
        x = how(apply, unknown.tree(leaves))
        made_aux.clear()
        if has_aux:
            x, aux = split_aux(unknown.transform, how, x)
            aux_leaves, structure = tree.flatten(aux)
            made_aux.extend([structure, [as_array(a) for a in aux_leaves]])
        return unknown.flat(x, who)

    def function(*leaves: Any) -> list[Any]:
        x = flat_solve(matvec, solve, "solve", leaves)
        return [*x, *made_aux[1]] if has_aux else x

    def flat_matvec(*leaves: Any) -> list[Any]:
        return unknown.flat(matvec(unknown.tree(leaves)), "matvec")

    def transposed(*leaves: Any) -> list[Any]:
        how = solve if symmetric else transpose_solve
        if how is None:
            raise TypeError(
                f"{unknown.label}: expected a solver of the transposed system, for reverse mode; "
                "got none; pass transpose_solve, or symmetric=True if the matrix is symmetric."
            )
        if symmetric:
            return flat_solve(matvec, how, "solve", leaves)
        (vecmat,) = (linear_transpose(matvec, unknown.tree(unknown.leaves)),)
        return flat_solve(lambda x: vecmat(x)[0], how, "transpose_solve", leaves)

    count = len(unknown.leaves)
    outs = linear_solve(
        *unknown.leaves,
        function=function,
        matvec=flat_matvec,
        transposed=transposed,
        solution=count,
        aux=has_aux,
    )
    x = unknown.tree(outs[:count])
    return (x, tree.unflatten(made_aux[0], outs[count:])) if has_aux else x


@boundary
def custom_root(
    f: Callable,
    initial_guess: Any,
    solve: Callable,
    tangent_solve: Callable,
    has_aux: bool = False,
) -> Any:
    """Root of a function by a solver of one's own, with its implicit derivative.

    With ``f(x, p) = 0``, ``dx = -(df/dx)^-1 (df/dp) dp`` (the implicit function theorem): what
    the solver does is not looked into.

    Parameters
    ----------
    f
        Function of a pytree that returns one of the same structure and shapes. It may close over
        traced values; the solution is differentiated in these.
    initial_guess
        Where the solver begins; the solution does not depend on it as far as derivatives go.
    solve
        ``solve(f, initial_guess) -> x``; any code. Under ``grad`` and ``jvp``, nested too, it
        gets plain values and ``f`` returns plain values; under ``vmap`` and ``jit`` traced ones.
    tangent_solve
        ``tangent_solve(g, y) -> t`` with ``g(t) = y``, where ``g`` is ``f`` linearised at the
        root: ``lambda g, y: y / g(1.0)`` for numbers, ``functorch_like.implicit.solve_dense``
        for arrays, or a ``custom_linear_solve``. It must be linear in ``y``.
    has_aux
        ``solve`` returns ``(x, aux)``; ``aux`` has no derivative.

    Returns
    -------
    pytree
        The root, structured like the guess; or ``(x, aux)``.

    Raises
    ------
    TypeError
        Functions that do not return what is like the guess.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> def newton(f, x):
    ...     while abs(f(x)) > 1e-12:
    ...         x = x - f(x) / ft.grad(f)(x)
    ...     return x
    >>> def square_root(a):
    ...     return ft.custom_root(lambda x: x * x - a, 1.0, newton, lambda g, y: y / g(1.0))
    >>> print(np.allclose(ft.grad(square_root)(4.0), 0.25))
    True
    >>> print(np.allclose(ft.grad(ft.grad(square_root))(4.0), -0.03125))
    True
    """
    unknown = _Unknown("custom_root", f, initial_guess, "the initial guess")
    made_aux: list[Any] = []

    def function(*leaves: Any) -> list[Any]:
        x = solve(f, unknown.tree(leaves))
        made_aux.clear()
        if not has_aux:
            return unknown.flat(x, "solve")
        x, aux = split_aux("custom_root", solve, x)
        aux_leaves, structure = tree.flatten(aux)
        made_aux.extend([structure, [as_array(a) for a in aux_leaves]])
        return [*unknown.flat(x, "solve"), *made_aux[1]]

    def residual(*leaves: Any) -> list[Any]:
        return unknown.flat(f(unknown.tree(leaves)), "f")

    count = len(unknown.leaves)

    def tangent(*leaves: Any) -> list[Any]:
        _, g = linearize(f, unknown.tree(leaves[:count]))
        made = tangent_solve(g, unknown.tree(leaves[count:]))
        return unknown.flat(made, "tangent_solve")

    outs = root_solve(
        *unknown.leaves,
        function=function,
        residual=residual,
        tangent=tangent,
        solution=count,
    )
    x = unknown.tree(outs[:count])
    return (x, tree.unflatten(made_aux[0], outs[count:])) if has_aux else x
