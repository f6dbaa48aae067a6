"""Errors that name the user's line, and tracebacks without our own frames."""

from __future__ import annotations

import functools
import os
import re
import sys
import types
from collections.abc import Callable
from typing import Any, TypeVar

import numpy
import optree

from .primitives.core import EscapedTracerError

__all__ = [
    "CheckError",
    "ConcreteValueError",
    "DeviceError",
    "EscapedTracerError",
    "MutationError",
    "ScriptError",
    "user_line",
]

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


class ScriptError(TypeError):
    """Source that ``script`` cannot express, or a traced program that its form does not allow."""


class CheckError(ValueError):
    """A check of ``checkify`` failed, or a condition that ``check`` states does not hold."""


class DeviceError(TypeError):
    """Arrays of two devices met, or a device lacks what was asked of it."""


# NumPy's own arrays are never refused by all: the ndarray of NumPy's first message is CuPy's.
_NO_DEVICE_KERNEL = re.compile(
    r"all returned NotImplemented.*'ndarray'(, '\w+')*$|no implementation found for .*cupy"
    r"|CuPy has no",
    re.DOTALL,
)
_DEVICES_MEET = re.compile(
    r"Unsupported type <class 'numpy\.ndarray'>|got numpy\.ndarray\)"
    r"|Only cupy arrays can be|Implicit conversion to a NumPy array"
)


def internal(filename: str) -> bool:
    """Whether a file is ours, NumPy's or optree's."""
    return filename.startswith(_OURS) or filename.startswith(_LIBRARIES)


def user_line() -> str:
    """``file:line: source`` of the innermost frame that is neither ours nor a library's."""
    frame = sys._getframe(1)
    while frame is not None and (
        internal(frame.f_code.co_filename)
        or frame.f_globals.get("__name__", "").startswith("scipy.")
    ):
        frame = frame.f_back  # type: ignore[assignment]
    if frame is None:
        return "an unknown line"
    import linecache

    name, number = frame.f_code.co_filename, frame.f_lineno
    source = linecache.getline(name, number, frame.f_globals).strip()
    return f"{name}:{number}" + (f": {source}" if source else "")


def fold(error: BaseException) -> BaseException:
    """Take our own frames, but the innermost, out of the error's traceback."""
    error = _about_devices(error)
    if show_internal_frames:
        return error
    if type(error) is ValueError and isinstance(error.__cause__, ConcreteValueError):
        # NumPy reports only that an element could not be set; the reason is what helps.
        error = error.__cause__.with_traceback(error.__traceback__)
    frames = []
    traceback = error.__traceback__
    while traceback is not None:
        if not internal(traceback.tb_frame.f_code.co_filename):
            frames.append(traceback)
        traceback = traceback.tb_next
    folded = None
    for frame in reversed(frames):
        folded = types.TracebackType(folded, frame.tb_frame, frame.tb_lasti, frame.tb_lineno)
    return error.with_traceback(folded)


def _about_devices(error: BaseException) -> BaseException:
    """CuPy's and NumPy's complaints about each other's arrays, in words and with the line."""
    if type(error) is not TypeError:
        return error
    message = str(error)
    mixed = _DEVICES_MEET.search(message)
    lacking = _NO_DEVICE_KERNEL.search(message)
    if not mixed and not lacking:
        return error
    line = "an unknown line"
    traceback = error.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        module = traceback.tb_frame.f_globals.get("__name__", "").partition(".")[0]
        if not internal(code.co_filename) and module not in ("cupy", "cupyx"):
            line = f"{code.co_filename}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    if mixed:
        said = (
            f"an array of NumPy and one of CuPy meet at {line}; nothing is moved between "
            "devices in silence: write cupy.asarray(x) (or cupy.asnumpy(x)) for one of them."
        )
    else:
        said = (
            f"CuPy has no kernel for what is called at {line} ({message.splitlines()[0]}); compute "
            "that part on the CPU with cupy.asnumpy(x), outside of the function."
        )
    return DeviceError(said).with_traceback(error.__traceback__)


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
