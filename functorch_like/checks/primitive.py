"""``check`` as a primitive: a condition that must hold where the program comes by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import tree
from ..arguments import as_array
from ..control_flow import switch_primitive
from ..errors import CheckError, boundary, user_line
from ..graph_transforms import stage_closed
from ..primitives.core import (
    EVAL,
    Nondifferentiable,
    ShapedArray,
    Tracer,
    aval_of,
    state,
    under,
    watch,
)
from .error import Error, placed

__all__ = ["check", "check_error", "check_holds", "debug_check"]

Lanes = tuple[tuple[int, tuple[bool, ...]], ...]


class CheckHolds(Nondifferentiable):
    """Operands ``(condition, *values)``; ``say(*values)`` is what is wrong where it is false.

    ``where`` is the line. ``lanes`` are the batches, the outermost first: a batch is its size and
    which operands have its axis, the first of those that are left.
    """

    __slots__ = ()

    effect = True

    def __init__(self) -> None:
        super().__init__("check_holds", self._run, self._avals, self._batched, True)

    @staticmethod
    def _run(*operands: Any, say: Callable, where: str, lanes: Lanes) -> tuple:
        condition, *values = (np.array(x) for x in operands)
        if condition.all():
            return ()
        at = [int(k) for k in np.argwhere(~condition)[0]]
        for _, batched in lanes:
            k = at.pop(0) if batched[0] else 0
            values = [x[k] if own else x for x, own in zip(values, batched[1:], strict=True)]
        with under(EVAL):
            raise CheckError(placed(say(*values), where))

    @staticmethod
    def _avals(*avals: ShapedArray, say: Callable, where: str, lanes: Lanes) -> tuple:
        return ()

    def _batched(
        self, size: int, operands: Sequence, batched: Sequence[bool], lanes: Lanes, **params: Any
    ) -> tuple:
        return self(*operands, lanes=((size, tuple(batched)), *lanes), **params)

    def record_linear(self, trace: Any, operands: Sequence, params: dict) -> Any:
        raise TypeError(
            f"{trace.name}: expected check to be given values; got a tangent that is being "
            "recorded and has none yet."
        )

    def stage(self, trace: Any, operands: Sequence, params: dict) -> Any:
        # Outside of checkify it is a call of Python, to which a compiled program comes only where
        # the condition is false.
        if watch.checks is not None:
            return super().stage(trace, operands, params)
        avals = [aval_of(as_array(x)) for x in operands]
        with under(trace):
            fails = stage_closed(("check", self), lambda *xs: trace_of(self, xs, params), avals)
            holds = stage_closed(("check", self), lambda *xs: (), avals)
            graphs, constants = switch_primitive.unite([fails, holds])
            index = np.all(operands[0]).astype(np.int64)
            switch_primitive.switch(index, *constants, *operands, graphs=graphs)
        return ()


def trace_of(primitive: CheckHolds, operands: Sequence, params: dict) -> tuple:
    """The equation itself, in the branch that is taken where the condition is false."""
    state.trace.add(primitive, operands, params)  # type: ignore[attr-defined]
    return ()


check_holds = CheckHolds()


def _known(x: Any) -> Any:
    return x.concrete() if isinstance(x, Tracer) else x


def state_condition(condition: Any, say: Callable, values: Sequence[Any], where: str) -> None:
    """Let ``condition`` be checked where the program runs; ``say(*values)`` is the message."""
    if _known(condition) is not None and bool(_known(condition)):
        return
    check_holds(condition, *values, say=say, where=where, lanes=())


@boundary
def check(condition: Any, message: str, *args: Any, **values: Any) -> None:
    """State a condition on values; where it is false, it is an error with the message.

    Under ``checkify`` the error is returned beside the function's result. Elsewhere it is raised:
    at once, or by the compiled program when it comes to this place.

    Parameters
    ----------
    condition
        A single truth value.
    message
        A format string, as of ``str.format``; not an f-string, which would show tracers.
    *args, **values
        What it names: arrays or numbers, traced or not.

    Raises
    ------
    CheckError
        The condition is false, outside of ``checkify``.
    TypeError
        The condition is no single truth value, or the message is no string.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> def root(x):
    ...     ft.check(x >= 0, "expected no negative number; got {x}", x=x)
    ...     return np.sqrt(x)
    >>> error, result = ft.jit(ft.checkify(root))(-4.0)
    >>> error.throw()
    Traceback (most recent call last):
    functorch_like.errors.CheckError: expected no negative number; got -4.0 (at ...)
    """
    if not isinstance(message, str):
        raise TypeError(
            f"check: expected a message; got {type(message).__name__}; write "
            'check(condition, "what was expected; got {x}", x=x).'
        )
    x = as_array(condition)
    if not isinstance(getattr(x, "dtype", None), np.dtype) or x.dtype.kind != "b" or x.shape:
        shown = aval_of(x) if isinstance(getattr(x, "dtype", None), np.dtype) else type(condition)
        single = getattr(x, "shape", ()) == ()
        fix = "compare it, x > 0" if single else "reduce it, np.all(condition)"
        raise TypeError(
            f"check: expected a condition that is a single truth value; got {shown}; {fix}."
        )
    leaves, treedef = tree.flatten((args, values))
    places = [i for i, leaf in enumerate(leaves) if _is_operand(leaf)]
    fixed = [None if _is_operand(leaf) else leaf for leaf in leaves]

    def say(*computed: Any) -> str:
        full = list(fixed)
        for i, value in zip(places, computed, strict=True):
            full[i] = value[()]
        given, named = tree.unflatten(treedef, full)
        return message.format(*given, **named)

    operands = [as_array(leaves[i]) for i in places]
    state_condition(x, say, operands, f"at {user_line()}")


def _is_operand(x: Any) -> bool:
    if isinstance(x, Tracer):
        return True
    return isinstance(getattr(x, "dtype", None), np.dtype) and x.dtype.kind in "biufc"


@boundary
def debug_check(condition: Any, message: str, *args: Any, **values: Any) -> None:
    """A ``check`` that counts under ``checkify`` alone, and costs nothing elsewhere.

    Examples
    --------
    >>> import functorch_like as ft
    >>> def f(x):
    ...     ft.checks.debug_check(x > 0, "got {}", x)
    ...     return x
    >>> f(-1.0)
    -1.0
    >>> ft.checkify(f)(-1.0)[0].get()
    'got -1.0 (at ...)'
    """
    if watch.checks is not None:
        check(condition, message, *args, **values)


@boundary
def check_error(error: Error) -> None:
    """Raise the error of a checked function, or hand it to the ``checkify`` around.

    Examples
    --------
    >>> import functorch_like as ft
    >>> def f(x):
    ...     ft.check(x > 0, "got {}", x)
    ...     return x
    >>> def g(x):
    ...     error, y = ft.checkify(f)(x)
    ...     ft.checks.check_error(error)
    ...     return y * 2
    >>> ft.checkify(g)(-1.0)[0].get()
    'got -1.0 (at ...)'
    """
    if not isinstance(error, Error):
        raise TypeError(f"check_error: expected what checkify returns; got {type(error).__name__}.")
    leaves, treedef = tree.flatten(error)

    def say(*values: Any) -> str:
        return str(tree.unflatten(treedef, values).get())

    fine = np.all(np.equal(as_array(error._code), 0))
    state_condition(fine, say, [as_array(x) for x in leaves], "")
