"""Forward mode: every value carries its tangent along."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from . import tree
from .arguments import as_array, differentiable, same_structure
from .errors import boundary, name_of
from .primitives.core import PrimalTracer, Primitive, Trace, state, under
from .reverse import _like, finish, split_aux

__all__ = ["jvp"]


class ForwardTracer(PrimalTracer):
    """A value and its tangent, both in the parent trace."""

    __slots__ = ("tangent",)

    def __init__(self, trace: Trace, primal: Any, tangent: Any) -> None:
        self._trace = trace
        self.primal = primal
        self.tangent = tangent

    def constant(self) -> bool:
        return self.tangent is None and super().constant()

    def become(self, other: Any) -> None:
        """Stand for another value from here on: what assignment to an element does."""
        own = type(other) is ForwardTracer and other._trace is self._trace
        self.primal, self.tangent = (other.primal, other.tangent) if own else (other, None)


class ForwardTrace(Trace):
    """Applies each primitive's jvp."""

    __slots__ = ()

    def constant(self, value: Any) -> ForwardTracer:
        """A value without derivative, as a tracer that can be assigned to."""
        return ForwardTracer(self, value, None)

    def process(self, primitive: Primitive, operands: Sequence[Any], params: dict) -> Any:
        primals: list = []
        tangents: list = []
        own = mine = False
        for x in operands:
            if type(x) is ForwardTracer and x._trace is self:
                primals.append(x.primal)
                tangents.append(x.tangent)
                mine = True
                if x.tangent is not None:
                    own = True
            else:
                primals.append(x)
                tangents.append(None)
        parent = self.parent
        if primitive.carries_function:
            return primitive.forward(self, primals, tangents, params)
        if not own:
            answer = parent.process(primitive, primals, params)
            if not mine:
                return answer
            if primitive.multiple_results:
                return tuple(self.kept(a, None) for a in answer)
            return self.kept(answer, None)
        # What runs now runs in the parent's sense, wherever in the chain we were called.
        saved = state.trace
        state.trace = parent
        try:
            answer, tangent = primitive.jvp(primals, tangents, params)
        finally:
            state.trace = saved
        if not primitive.multiple_results:
            return self.kept(answer, tangent)
        return tuple(self.kept(a, t) for a, t in zip(answer, tangent, strict=True))

    def kept(self, answer: Any, tangent: Any) -> Any:
        """A result as a tracer, so that it can be assigned to; integers and bools as they are."""
        if tangent is None and answer.dtype.kind not in "fc":
            return answer
        return ForwardTracer(self, answer, tangent)


def push(transform: str, f: Callable, primals: tuple, tangents: tuple, has_aux: bool) -> tuple:
    """Run ``f`` once with tangents; see ``jvp``."""
    leaves, in_tree = tree.flatten(primals)
    directions, structure = tree.flatten(tangents)
    same_structure(transform, f, "tangents", structure, in_tree, "the primals")
    trace = ForwardTrace(state.trace, (transform, f))
    traced = []
    for leaf, t in zip(leaves, directions, strict=True):
        x = differentiable(transform, f, leaf)
        traced.append(ForwardTracer(trace, x, _like(transform, f, "tangent", t, x)))
    with under(trace):
        out = f(*tree.unflatten(in_tree, traced))
    aux = None
    if has_aux:
        out, aux = split_aux(transform, f, out)
        aux = tree.map(lambda x: x.primal if _owned(x, trace) else x, aux)
    out_leaves, out_tree = tree.flatten(out)
    values = [x.primal if _owned(x, trace) else as_array(x) for x in out_leaves]
    found = [x.tangent if _owned(x, trace) else None for x in out_leaves]
    pushed = finish(found, values, directions)
    return tree.unflatten(out_tree, values), tree.unflatten(out_tree, pushed), aux


def _owned(x: Any, trace: Trace) -> bool:
    return type(x) is ForwardTracer and x._trace is trace


@boundary
def jvp(f: Callable, primals: Sequence, tangents: Sequence, has_aux: bool = False) -> Any:
    """Value of ``f`` and its derivative in one direction.

    Parameters
    ----------
    f
        Function of arrays (or pytrees of arrays).
    primals, tangents
        Sequences of the arguments and of their tangents, of equal structures, shapes and
        dtypes (Python numbers take their primal's dtype).
    has_aux
        ``f`` returns ``(output, aux)``.

    Returns
    -------
    tuple
        ``(output, tangent)``, or ``(output, tangent, aux)``.

    Raises
    ------
    TypeError
        Structures, shapes or dtypes that do not match, or integer primals.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> ft.jvp(np.sin, (0.0,), (2.0,))
    (np.float64(0.0), np.float64(2.0))
    """
    for name, given in (("primals", primals), ("tangents", tangents)):
        if not isinstance(given, (tuple, list)):
            raise TypeError(
                f"jvp({name_of(f)}): expected {name} as a tuple or list, one entry an argument; "
                f"got {type(given).__name__}; write ({name},)."
            )
    out, tangent, aux = push("jvp", f, tuple(primals), tuple(tangents), has_aux)
    return (out, tangent, aux) if has_aux else (out, tangent)
