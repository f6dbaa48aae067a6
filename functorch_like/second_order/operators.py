"""Jacobians and Hessians as linear operators, for SciPy's iterative methods."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import tree
from ..arguments import differentiable
from ..batching import vmap
from ..errors import boundary, name_of
from ..jacobians import _real_input, _recorded
from ..primitives.core import EVAL, shape_of, state
from ..reverse import Recording, finish, grad, pull_back, push_forward, record

if TYPE_CHECKING:
    from scipy.sparse.linalg import LinearOperator

__all__ = ["hessian_operator", "jacobian_operator"]


def _flat(parts: list[Any]) -> Any:
    return np.concatenate([np.ravel(x) for x in parts]) if parts else np.zeros(0)


def _shaped(vector: Any, models: list[Any]) -> list[Any]:
    """The parts of a vector, in the shapes and dtypes of arrays."""
    made, start = [], 0
    for x in models:
        n = int(np.prod(shape_of(x), dtype=int))
        part = np.asarray(vector[start : start + n], x.dtype)
        made.append(part.reshape(shape_of(x)))
        start += n
    return made


def _forward(made: Recording, vector: Any) -> Any:
    seeds = list(zip(made.in_slots, _shaped(vector, made.inputs), strict=True))
    wanted = [slot for slot in made.out_slots if slot is not None]
    found = iter(push_forward(made.tape, seeds, wanted))
    pushed = [None if slot is None else next(found) for slot in made.out_slots]
    return _flat(finish(pushed, made.outputs))


def _backward(made: Recording, vector: Any) -> Any:
    cts = _shaped(vector, made.outputs)
    seeds = [(s, ct) for s, ct in zip(made.out_slots, cts, strict=True) if s is not None]
    return _flat(finish(pull_back(made.tape, seeds, made.in_slots), made.inputs))


def _columns(apply: Callable, model: list[Any]) -> Callable:
    """``apply`` to each column of a matrix, as one batch."""

    def product(matrix: Any) -> Any:
        def one(*parts: Any) -> Any:
            return apply(list(parts))

        rows = np.ascontiguousarray(np.asarray(matrix).T)
        parts, start = [], 0
        for x in model:
            n = int(np.prod(shape_of(x), dtype=int))
            part = rows[:, start : start + n].astype(x.dtype)
            parts.append(part.reshape(len(rows), *shape_of(x)))
            start += n
        return vmap(one, out_axes=-1)(*parts)

    return product


def _operator(made: Recording, symmetric: bool) -> LinearOperator:
    from scipy.sparse.linalg import LinearOperator

    rows = sum(int(np.prod(shape_of(x), dtype=int)) for x in made.outputs)
    columns = sum(int(np.prod(shape_of(x), dtype=int)) for x in made.inputs)
    dtype = np.result_type(*[x.dtype for x in (*made.inputs, *made.outputs)])

    def push_columns(parts: list[Any]) -> Any:
        wanted = [slot for slot in made.out_slots if slot is not None]
        found = iter(push_forward(made.tape, list(zip(made.in_slots, parts, strict=True)), wanted))
        pushed = [None if slot is None else next(found) for slot in made.out_slots]
        return _flat(finish(pushed, made.outputs))

    def pull_columns(parts: list[Any]) -> Any:
        seeds = [(s, ct) for s, ct in zip(made.out_slots, parts, strict=True) if s is not None]
        return _flat(finish(pull_back(made.tape, seeds, made.in_slots), made.inputs))

    def forward(v: Any) -> Any:
        return _forward(made, np.ravel(v))

    def backward(v: Any) -> Any:
        return _backward(made, np.ravel(v))

    forward_many = _columns(push_columns, made.inputs)
    return LinearOperator(
        shape=(rows, columns),
        dtype=dtype,
        matvec=forward,
        rmatvec=forward if symmetric else backward,
        matmat=forward_many,
        rmatmat=forward_many if symmetric else _columns(pull_columns, made.outputs),
    )


def _plain(name: str, f: Callable, x: Any) -> None:
    if state.trace is not EVAL:
        raise TypeError(
            f"{name}({name_of(f)}): expected to be called outside of transforms, because SciPy's "
            "operators hold plain arrays; write ft.hvp, ft.jvp or ft.vjp within a traced function."
        )
    leaves = [differentiable(name, f, leaf) for leaf in tree.leaves(x)]
    _real_input(name, f, leaves, False)


@boundary
def hessian_operator(f: Callable, x: Any) -> LinearOperator:
    """The Hessian of a scalar function at ``x``, as a ``scipy.sparse.linalg.LinearOperator``.

    The gradient runs once and its linear part is recorded; each product replays the record.

    Parameters
    ----------
    f
        Scalar function of one argument, a real array or a pytree of them.
    x
        Where.

    Returns
    -------
    scipy.sparse.linalg.LinearOperator
        Of shape (n, n), n elements of ``x`` in the order of its flattened leaves; symmetric.

    Raises
    ------
    TypeError
        Integer or complex ``x``, a result that is not a real scalar, or a call within a transform.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.sparse.linalg
    >>> import functorch_like as ft
    >>> f = lambda x: np.sum(x**4) / 12 + x[0] * x[1]
    >>> h = ft.hessian_operator(f, np.array([1.0, 2.0, 3.0]))
    >>> h @ np.array([1.0, 0.0, 0.0])
    array([1., 1., 0.])
    >>> step, _ = scipy.sparse.linalg.cg(h, np.array([2.0, 5.0, 9.0]))  # a Newton step
    >>> np.allclose(step, 1)
    True
    """
    _plain("hessian_operator", f, x)
    made = _recorded("hessian_operator", f, grad(f), (x,), {}, 0, False, False)
    return _operator(made, symmetric=True)


@boundary
def jacobian_operator(f: Callable, x: Any) -> LinearOperator:
    """The Jacobian at ``x``, as a ``scipy.sparse.linalg.LinearOperator``.

    ``f`` runs once; products are replays of its record, products of the transpose walks back.

    Parameters
    ----------
    f
        Function of one argument, a real array or a pytree of them, with real results.
    x
        Where.

    Returns
    -------
    scipy.sparse.linalg.LinearOperator
        Of shape (m, n), for the flattened leaves of the result and of ``x``.

    Raises
    ------
    TypeError
        Integer or complex ``x``, results that are not real, or a call within a transform.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> j = ft.jacobian_operator(np.diff, np.zeros(3))
    >>> j @ np.array([1.0, 0.0, 0.0]), j.T @ np.array([0.0, 1.0])
    (array([-1.,  0.]), array([-0., -1.,  1.]))
    """
    _plain("jacobian_operator", f, x)
    made = record("jacobian_operator", f, (x,), {}, (0,))
    for out in made.outputs:
        if out.dtype.kind != "f":
            raise TypeError(
                f"jacobian_operator({name_of(f)}): expected real floating-point results; got "
                f"{out.dtype} of shape {shape_of(out)}."
            )
    return _operator(made, symmetric=False)
