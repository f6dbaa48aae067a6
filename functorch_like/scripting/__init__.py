"""``script``: Python's own control flow on traced values, from the function's source."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from typing import Any

from .. import tree
from ..errors import ScriptError, boundary
from . import operators
from .regions import Unsettled
from .rewrite import rewrite
from .state import Nothing

__all__ = ["script"]


@boundary
def script(f: Callable) -> Callable:
    """Rewrite a function from its source, so that its control flow may depend on traced values.

    ``if``, ``while``, ``for``, ``break``, ``continue``, ``return`` anywhere, ``and/or/not``,
    chained comparisons and ``a if c else b`` become ``cond``, ``while_loop`` and ``scan`` where
    they depend on values that ``jit`` or ``vmap`` do not know, and stay Python's where they are
    known. Functions, methods and constructors of yours that it calls are rewritten too. Arrays made
    in the function can be assigned traced values, ``np.array([x, y])`` may hold them, and
    ``math``'s functions take them.

    Parameters
    ----------
    f
        A function whose source can be read, a method or a lambda.

    Returns
    -------
    Callable
        Takes what ``f`` takes. ``.source`` is the rewritten source.

    Raises
    ------
    ScriptError
        Something that cannot be expressed, with its line; at the call, a variable that has no
        value, or another type, on one of two traced paths.

    Notes
    -----
    A loop over a ``range`` or the rows of an array is one loop of the compiled program if
    something that it carries is traced and it has more than a few steps; if its body needs the
    index as a Python integer it is written out.

    Arrays are written in place as in NumPy, under all the names that share them. Where it depends
    on a traced value whether two names share an array, reading one after the other was written is
    an error.

    ``assert`` of a traced condition, and ``raise`` in a branch of one, are checks under
    ``checkify``; else compiled code leaves them out and goes on as if all were well. ``float(x)``
    and ``int(x)`` of a traced number stay traced, and ``min``, ``max``, ``sorted``, ``any``,
    ``all``, ``round`` and ``divmod`` take traced numbers.

    Numbers in lists, dicts, attributes and variables of functions around may be written in traced
    branches and loops. Operators and properties of your own classes run as they stand: decorate
    their methods with ``script`` where they branch on traced values. Generators run as they stand.

    ``match`` over numbers, ``in``, and plain arrays and lists of numbers read at a traced position
    work too. ``print`` shows traced values when the program runs, in every step and lane that comes
    to it. What would have to step along by itself, a generator of random numbers or an iterator, is
    an error in a loop of unknown length; a loop of known length is written out for it.

    Examples
    --------
    >>> import functorch_like as ft
    >>> @ft.jit
    ... @ft.script
    ... def root(a):
    ...     x = a
    ...     while abs(x * x - a) > 1e-12:
    ...         x = (x + a / x) / 2
    ...     return x
    >>> float(round(root(2.0), 9))
    1.414213562
    >>> float(round(ft.grad(root)(2.0), 9))
    0.353553391
    """
    if isinstance(f, types.MethodType):
        return types.MethodType(script(f.__func__), f.__self__)
    if not isinstance(f, types.FunctionType):
        raise ScriptError(
            f"script: expected a function written in Python; got {type(f).__name__}; pass the "
            "function itself, before other transformations."
        )
    inner = operators.scripted(f)

    @functools.wraps(f)
    @boundary
    def scripted(*args: Any, **kwargs: Any) -> Any:
        try:
            out = inner(*args, **kwargs)
        except Unsettled as error:
            raise ScriptError(*error.args) from None
        for leaf in tree.leaves(out):
            if isinstance(leaf, Nothing):
                leaf._raise()
        return out

    scripted.__scripted__ = True  # type: ignore[attr-defined]
    scripted.source = rewrite(f.__code__, f.__qualname__).source  # type: ignore[attr-defined]
    return scripted
