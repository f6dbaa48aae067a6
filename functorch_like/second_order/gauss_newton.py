"""Gauss-Newton: the curvature J^T H J of a loss of a model, without the model's own curvature."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import tree
from ..arguments import resolve_argnums, same_structure
from ..batching import vmap
from ..errors import boundary, name_of
from ..forward import push
from ..jacobians import _basis, _blocks, _chunk, _one, _real_input
from ..primitives.core import beside, shape_of
from ..reverse import Recording, _like, finish, grad, pull_back, push_forward, record

__all__ = ["gauss_newton", "gauss_newton_product"]


def _recorded(name: str, f: Callable, args: tuple, kwargs: dict, numbers: Sequence[int]) -> Any:
    _real_input(name, f, tree.leaves([args[i] for i in numbers]), False)
    made = record(name, f, args, kwargs, numbers)
    for out in made.outputs:
        if out.dtype.kind != "f":
            raise TypeError(
                f"{name}({name_of(f)}): expected a model with real floating-point results; got "
                f"{out.dtype} of shape {shape_of(out)}; return its real and imaginary parts."
            )
    return made


def _product(name: str, made: Recording, loss: Callable | None, tangents: Sequence) -> list[Any]:
    """J^T H J t, with None for what is zero."""
    wanted = [slot for slot in made.out_slots if slot is not None]
    given = [(s, t) for s, t in zip(made.in_slots, tangents, strict=True) if t is not None]
    found = iter(push_forward(made.tape, given, wanted))
    pushed = [None if slot is None else next(found) for slot in made.out_slots]
    if loss is not None:
        outputs = tree.unflatten(made.out_tree, made.outputs)
        full = tree.unflatten(made.out_tree, finish(pushed, made.outputs))
        _, curved, _ = push(name, grad(loss), (outputs,), (full,), False)
        pushed = tree.leaves(curved)
    seeds = [
        (slot, t)
        for slot, t in zip(made.out_slots, pushed, strict=True)
        if slot is not None and t is not None
    ]
    return pull_back(made.tape, seeds, made.in_slots)


@boundary
def gauss_newton_product(
    f: Callable, primals: Sequence, tangents: Sequence, loss: Callable | None = None
) -> Any:
    """Product of the generalised Gauss-Newton matrix with a vector.

    G v = J^T H J v, where J is the Jacobian of the model ``f`` and H the Hessian of the loss at
    its output (Schraudolph, "Fast curvature matrix-vector products", 2002). It is the Hessian of
    ``loss(f(x))`` without the curvature of ``f``, and positive semidefinite for a convex loss.

    Parameters
    ----------
    f
        The model: a function of real arrays (or pytrees).
    primals, tangents
        Sequences of the arguments and of the vector's parts, of equal structures.
    loss
        Scalar function of what ``f`` returns; half the sum of squares if not given, so that the
        product is J^T J v.

    Returns
    -------
    pytree, or tuple of pytrees
        G v, structured like the argument, or a tuple with an entry an argument.

    Raises
    ------
    TypeError
        Structures, shapes or dtypes that do not match, or a model whose result is not real.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> residuals = lambda p: p[0] * np.exp(p[1] * np.arange(3.0)) - 1.0
    >>> ft.gauss_newton_product(residuals, (np.array([1.0, 0.0]),), (np.array([1.0, 0.0]),))
    array([3., 3.])
    """
    name = "gauss_newton_product"
    for what, given in (("primals", primals), ("tangents", tangents)):
        if not isinstance(given, (tuple, list)):
            raise TypeError(
                f"{name}({name_of(f)}): expected {what} as a tuple or list, one entry an "
                f"argument; got {type(given).__name__}; write ({what},)."
            )
    made = _recorded(name, f, tuple(primals), {}, range(len(primals)))
    structure = tree.structure(tuple(primals))
    parts, got = tree.flatten(tuple(tangents))
    same_structure(name, f, "tangents", got, structure, "the primals")
    vectors = [_like(name, f, "tangent", t, x) for t, x in zip(parts, made.inputs, strict=True)]
    product = finish(_product(name, made, loss, vectors), made.inputs, vectors)
    result = tree.unflatten(structure, product)
    return result[0] if len(primals) == 1 else result


def gauss_newton(
    f: Callable,
    argnums: int | Sequence[int] = 0,
    loss: Callable | None = None,
    chunk_size: int | None = None,
) -> Callable:
    """The generalised Gauss-Newton matrix J^T H J of a loss of a model.

    Parameters
    ----------
    f
        The model: a function of real arrays (or pytrees).
    argnums
        Position, or positions, of the arguments to differentiate.
    loss
        Scalar function of what ``f`` returns; half the sum of squares if not given: J^T J.
    chunk_size
        Columns computed at a time; by default as many as fit the cache.

    Returns
    -------
    Callable
        The matrix, as a Hessian is given: leaves of shape ``input.shape + input.shape``, as a
        tree of trees where the argument is a pytree.

    Raises
    ------
    TypeError
        Integer or complex arguments, or a model whose result is not real.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> residuals = lambda p: p[0] * np.exp(p[1] * np.arange(3.0)) - 1.0
    >>> ft.gauss_newton(residuals)(np.array([1.0, 0.0]))
    array([[3., 3.],
           [3., 5.]])
    """

    @functools.wraps(f, updated=())
    @boundary
    def matrix_of(*args: Any, **kwargs: Any) -> Any:
        numbers = resolve_argnums("gauss_newton", f, argnums, len(args))
        made = _recorded("gauss_newton", f, args, kwargs, numbers)

        def column(*tangents: Any) -> list[Any]:
            found = _product("gauss_newton", made, loss, tangents)
            return [
                beside(x, np.zeros(shape_of(x), x.dtype)) if ct is None else ct
                for ct, x in zip(found, made.inputs, strict=True)
            ]

        chunk = _chunk(chunk_size, made.inputs)
        columns = vmap(column, out_axes=-1, chunk_size=chunk)(*_basis(made.inputs))
        shapes = [shape_of(x) for x in made.inputs]
        alone = not _one(argnums) and len(numbers) == 1

        def chosen(parts: Sequence[Any]) -> Any:
            one = tree.unflatten(made.in_tree, parts)
            return (one,) if alone else one

        return chosen([chosen(_blocks(x, shapes, len(shape_of(x)) - 1)) for x in columns])

    return matrix_of
