"""A function of the user's as a compiled one, or the eager one where it cannot be compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import tree
from ..jit import jit as compile_function

__all__ = ["Staged", "with_numbers"]


def with_numbers(fun: Callable, args: tuple, kwargs: dict) -> tuple[Callable, list[float]]:
    """``fun`` of the unknowns and of the floating-point numbers among its other arguments.

    Those numbers are arguments of the compiled program, so that another value needs no other
    program; everything else is closed over, so that indices, masks and matrices are constants,
    from which the pattern of a sparse derivative is found.
    """
    leaves, treedef = tree.flatten((args, kwargs))
    places = [i for i, x in enumerate(leaves) if type(x) in (float, np.float64)]

    def call(unknowns: Any, *given: Any) -> Any:
        full = list(leaves)
        for i, x in zip(places, given, strict=True):
            full[i] = x
        positional, named = tree.unflatten(treedef, full)
        return fun(unknowns, *positional, **named)

    return call, [float(leaves[i]) for i in places]


class Staged:
    """A function that is compiled at its first call, or else runs eagerly ever after.

    The reason why it could not be compiled goes to ``notes``. Errors that it raises when run
    eagerly are the user's.
    """

    def __init__(self, what: str, function: Callable, enabled: bool, notes: list[str]) -> None:
        self.what = what
        self.notes = notes
        self.eager = function
        self.call = compile_function(function) if enabled else function
        self.settled = not enabled

    def __call__(self, *args: Any) -> Any:
        """Run the function."""
        if self.settled:
            return self.call(*args)
        try:
            result = self.call(*args)
        except Exception as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        else:
            self.settled = True
            return result
        result = self.eager(*args)
        self.notes.append(f"the {self.what} is not compiled: {reason}")
        self.call, self.settled = self.eager, True
        return result
