"""Errors that name the user's line, and tracebacks without our own frames."""

from __future__ import annotations

import functools
import os
import sys
import types
from collections.abc import Callable
from typing import Any, TypeVar

import numpy
import optree

from .primitives.core import EscapedTracerError

__all__ = ["ConcreteValueError", "EscapedTracerError", "MutationError", "user_line"]

F = TypeVar("F", bound=Callable[..., Any])

_PACKAGE = os.path.dirname(os.path.abspath(__file__))
# The package's folders may be reached by their links or in place.
_OURS = tuple(
    {
        os.path.realpath(os.path.join(_PACKAGE, name)) + os.sep
        for name in (".", "primitives", "kernels")
    }
    | {_PACKAGE + os.sep}
)
_LIBRARIES = tuple(
    os.path.dirname(os.path.abspath(str(m.__file__))) + os.sep for m in (numpy, optree)
)

show_internal_frames = False


class ConcreteValueError(TypeError):
    """A traced array was asked for a plain value it cannot give."""


class MutationError(TypeError):
    """An array was written in place in a way a derivative cannot follow."""


def _internal(filename: str) -> bool:
    return filename.startswith(_OURS) or filename.startswith(_LIBRARIES)


def user_line() -> str:
    """``file:line: source`` of the innermost frame that is neither ours nor a library's."""
    frame = sys._getframe(1)
    while frame is not None and _internal(frame.f_code.co_filename):
        frame = frame.f_back  # type: ignore[assignment]
    if frame is None:
        return "an unknown line"
    import linecache

    name, number = frame.f_code.co_filename, frame.f_lineno
    source = linecache.getline(name, number, frame.f_globals).strip()
    return f"{name}:{number}" + (f": {source}" if source else "")


def fold(error: BaseException) -> BaseException:
    """Take our own frames, but the innermost, out of the error's traceback."""
    if show_internal_frames:
        return error
    if type(error) is ValueError and isinstance(error.__cause__, ConcreteValueError):
        # NumPy reports only that an element could not be set; the reason is what helps.
        error = error.__cause__.with_traceback(error.__traceback__)
    frames = []
    traceback = error.__traceback__
    while traceback is not None:
        if not _internal(traceback.tb_frame.f_code.co_filename):
            frames.append(traceback)
        traceback = traceback.tb_next
    folded = None
    for frame in reversed(frames):
        folded = types.TracebackType(folded, frame.tb_frame, frame.tb_lasti, frame.tb_lineno)
    return error.with_traceback(folded)


def boundary(function: F) -> F:
    """Decorate a public entry: errors leave it with our frames folded out."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            raise fold(error) from error.__cause__

    return wrapper  # type: ignore[return-value]


def name_of(function: Callable) -> str:
    """Name to print for a user's function."""
    return getattr(function, "__name__", None) or type(function).__name__
