"""Checks on request: ``checkify`` turns errors that depend on values into a result.

``check`` states a condition; under ``checkify`` it, and operations that index, divide or make a
NaN, set a flag that the program computes beside its values and returns. So checks are compiled
with the program, batched with it, and carried by its loops.
"""

from __future__ import annotations

import contextlib
import functools
import linecache
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from .. import tree
from ..debug import remembering_lines
from ..errors import boundary, internal, name_of
from ..primitives.core import state, under, watch
from .error import CheckError, Error, Site
from .primitive import check, check_error, debug_check
from .trace import KINDS, CheckTrace, Ended

__all__ = [
    "CheckError",
    "Error",
    "all_checks",
    "automatic_checks",
    "check",
    "check_error",
    "checkify",
    "debug_check",
    "div_checks",
    "float_checks",
    "index_checks",
    "nan_checks",
    "user_checks",
]

user_checks = frozenset({"user"})
nan_checks = frozenset({"nan"})
index_checks = frozenset({"index"})
div_checks = frozenset({"div"})
float_checks = nan_checks | div_checks
automatic_checks = float_checks | index_checks
all_checks = automatic_checks | user_checks


@contextlib.contextmanager
def _watching(errors: frozenset[str]) -> Iterator[None]:
    """Have lines remembered and assertions of scripted functions checked."""
    before = watch.checks
    with remembering_lines():
        watch.checks = errors
        try:
            yield
        finally:
            watch.checks = before


def line_of_error(error: BaseException) -> str:
    """``file:line: source`` of the user's innermost line that an error came through."""
    found = "an unknown line"
    traceback = error.__traceback__
    while traceback is not None:
        name = traceback.tb_frame.f_code.co_filename
        if not internal(name):
            source = linecache.getline(name, traceback.tb_lineno).strip()
            found = f"{name}:{traceback.tb_lineno}" + (f": {source}" if source else "")
        traceback = traceback.tb_next
    return found


def checkify(f: Callable, errors: Iterable[str] = user_checks) -> Callable[..., tuple[Error, Any]]:
    """Have a function return its first error beside its result, as ``jax.experimental.checkify``.

    It composes with all transformations, on either side of them. Around ``grad`` and ``jvp`` the
    operations of the derivative are checked too; inside of ``vmap`` each lane has an error of its
    own; ``jit`` compiles the checks into the program: a flag and its message's number are computed
    beside the values, and nothing calls Python. In a loop the first step that fails is told, and a
    ``while_loop`` ends there. Jitted functions that ``f`` calls are compiled with their checks.

    Parameters
    ----------
    f
        Function of arrays (or pytrees of arrays).
    errors
        Which checks: a union of ``user_checks`` (calls of ``check``; in scripted functions also
        ``assert`` and ``raise`` that depend on traced values), ``index_checks`` (an index out of
        the bounds of its axis), ``nan_checks`` (an operation that makes NaN of what is none),
        ``div_checks`` (division by zero), ``float_checks`` (the last two), ``automatic_checks``
        (all but the user's), ``all_checks``; see ``functorch_like.checks``.

    Returns
    -------
    Callable
        Takes what ``f`` takes and returns ``(error, result)``. ``error.throw()`` raises the first
        error, if there was one, ``error.get()`` is its message or None. After an error the result
        is of no use: an index out of bounds reads the first element, a division goes on with inf.

    Raises
    ------
    ValueError
        Kinds of checks that do not exist.

    Notes
    -----
    An index out of bounds that is known at once, outside of all other transformations, ends the
    function as it does in NumPy; then the result is None. What NumPy computes from plain arrays
    that do not depend on the arguments is not looked at. Functions with custom derivatives are
    looked at as a whole where their derivative may still be wanted, in compiled code and under
    ``grad``; so is the backward sweep of a compiled loop.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> @ft.jit
    ... def pick(x, i):
    ...     return np.log(x[i])
    >>> checked = ft.checkify(pick, errors=ft.checks.all_checks)
    >>> error, result = checked(np.array([1.0, 2.0]), 1)
    >>> error.get() is None, round(float(result), 3)
    (True, 0.693)
    >>> error, _ = checked(np.array([1.0, 2.0]), 5)
    >>> error.throw()
    Traceback (most recent call last):
    functorch_like.errors.CheckError: index 5 is out of bounds for axis 0 with size 2 ...
    """
    if not callable(f):
        raise TypeError(f"checkify: expected a function; got {type(f).__name__}.")
    wanted = frozenset([errors] if isinstance(errors, str) else errors)
    if not wanted <= frozenset(KINDS):
        unknown = ", ".join(sorted(map(str, wanted - frozenset(KINDS))))
        raise ValueError(
            f"checkify({name_of(f)}): expected kinds of checks among {', '.join(KINDS)}; got "
            f"{unknown}; pass a union of the sets in functorch_like.checks."
        )

    @functools.wraps(f, updated=())
    @boundary
    def checked(*args: Any, **kwargs: Any) -> tuple[Error, Any]:
        trace = CheckTrace(state.trace, ("checkify", f), wanted)
        args, kwargs = tree.map(trace.argument, (args, kwargs))
        with _watching(wanted), under(trace):
            try:
                out = f(*args, **kwargs)
            except Ended as end:
                if end.trace is not trace:
                    raise
                out = None
            except IndexError as error:  # of a position that does not depend on the arguments
                if "index" not in wanted or "out of bounds" not in str(error):
                    raise
                out = None
                said = str(error)
                site = Site(lambda detail: said, f"at {line_of_error(error)}")
                trace.note(np.int64(1), np.int64(0), [site], [()])
        return trace.error(), tree.map(trace.value, out)

    return checked
