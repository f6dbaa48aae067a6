"""What is said when a library asks a traced array for plain values.

The conversion itself says nothing about who wanted it. The frames above it do: the function of
NumPy or SciPy that was called, and whether the user's line assigns to an element.
"""

from __future__ import annotations

import dis
import importlib
import inspect
import sys
import types
from collections.abc import Iterator
from typing import Any

from ..errors import internal, user_line

__all__ = ["assigns", "calling_function", "conversion_message"]

_LIBRARIES = ("numpy", "scipy")


def _user_frame() -> tuple[types.FrameType | None, list[types.FrameType]]:
    """The user's frame, and those of the libraries that it called, outermost first."""
    between = []
    frame: types.FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_globals.get("__name__", "").partition(".")[0] in _LIBRARIES:
            between.append(frame)
        elif not internal(frame.f_code.co_filename):
            break
        frame = frame.f_back
    return frame, between[::-1]


def assigns() -> bool:
    """Whether the user's line is at an assignment to an element."""
    frame, between = _user_frame()
    if frame is None or between:
        return False
    at = frame.f_code.co_code[frame.f_lasti]
    return dis.opname[at] == "STORE_SUBSCR"


def calling_function() -> str | None:
    """Public name of the function of NumPy or SciPy that the user called, if there is one."""
    frames = _user_frame()[1]
    for frame in frames:
        name = _public_name(frame) or _decorated_name(frame)
        if name is not None:
            return name
    return None


def _public_modules(name: str) -> Iterator[tuple[str, types.ModuleType]]:
    """The public modules around a module, innermost first."""
    parts = name.split(".")
    for n in range(len(parts), 0, -1):
        path = ".".join(parts[:n])
        module = sys.modules.get(path)
        if module is not None and not any(part.startswith("_") for part in parts[:n]):
            yield path, module


def _decorated_name(frame: types.FrameType) -> str | None:
    """The name of the public function that a decorator of the library stands before."""
    if "<locals>" not in frame.f_code.co_qualname:
        return None
    for value in frame.f_locals.values():
        if isinstance(value, types.FunctionType) and value.__module__.startswith(_LIBRARIES):
            for path, module in _public_modules(value.__module__):
                public = getattr(module, value.__name__, None)
                if callable(public) and inspect.unwrap(public) is inspect.unwrap(value):
                    return f"{path}.{value.__name__}"
    return None


def _public_name(frame: types.FrameType) -> str | None:
    """The name under which the function of a frame is public, from its module's name."""
    first, *rest = frame.f_code.co_qualname.split(".")
    for path, module in _public_modules(frame.f_globals.get("__name__", "")):
        if rest and "self" in frame.f_locals:
            first = _owner_name(module, frame.f_locals["self"])
        if first and not first.startswith("_") and hasattr(module, first):
            method = bool(rest) and not rest[-1].startswith("_")
            return f"{path}.{first}.{rest[-1]}" if method else f"{path}.{first}"
    return None


def _owner_name(module: types.ModuleType, owner: Any) -> str:
    """The public name of the object a method belongs to (``norm``), or of its class."""
    for public, value in vars(module).items():
        if value is owner:
            return public
    name = getattr(owner, "name", None)
    if isinstance(name, str) and type(getattr(module, name, None)) is type(owner):
        return name  # a copy of a distribution, as frozen ones hold
    for kind in type(owner).__mro__:
        if getattr(module, kind.__name__, None) is kind and not hasattr(owner, "freeze"):
            return kind.__name__
    return ""


def _ours(name: str) -> str | None:
    """Our function in the place of a public one of NumPy or SciPy, if there is another."""
    parts = ["functorch_like", *name.split(".")]
    for n in range(len(parts) - 1, 1, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:n]))
        except ImportError:
            continue
        try:
            for part in parts[n:]:
                found = getattr(found, part)
        except (AttributeError, ImportError):
            return None
        return None if found is _public(name) else ".".join(parts)
    return None


def _public(name: str) -> Any:
    """The object of a public dotted name."""
    path, *rest = name.split(".")
    found: Any = sys.modules[path]
    for part in rest:
        found = getattr(found, part)
    return found


def conversion_message(tracer: Any) -> str:
    """Why a traced array is not converted to a plain one, and what to write instead."""
    what = f"a traced value of shape {tracer.shape} and dtype {tracer.dtype}"
    transform = tracer._trace.name
    name = calling_function()
    if name is not None:
        ours = _ours(name)
        if ours is not None:
            advice = f"Write {ours}, which takes traced values and the same arguments."
        elif hasattr(_public(name), "_implementation"):
            advice = (
                "It takes traced values, but not there, where a shape or a branch depends on "
                "them: give it a plain array made outside of the function."
            )
        else:
            advice = (
                "It is not supported on traced values: write it with other NumPy functions, or "
                "give it a rule with functorch_like.wrap(f, vjp=...)."
            )
        return (
            f"{transform}: {name} was given {what}, at {user_line()}, and converts it to a plain "
            f"NumPy array; its derivative would be lost. {advice}"
        )
    if assigns():
        return (
            f"{transform}: {what} was assigned to elements of a plain NumPy array, at "
            f"{user_line()}; its derivative would be lost. Make that array with np.zeros_like(x) "
            "or np.empty_like(x) of a traced x, or with functorch_like.numpy.zeros(...), or "
            "collect the values in a list and np.stack it."
        )
    return (
        f"{transform}: {what} was converted to a plain NumPy array, at {user_line()}; its "
        "derivative would be lost. NumPy lets nobody intercept np.array and np.asarray: leave "
        "them out, write np.stack of a list, or functorch_like.numpy.array(...), which takes "
        "traced values. Where the value is assigned to elements of a plain array, make that array "
        "with np.zeros_like(x) of a traced x or with functorch_like.numpy.zeros(...). Where the "
        "function is not NumPy's, wrap it with functorch_like.wrap(f, vjp=...); "
        "functorch_like.scipy has functions of SciPy, functorch_like.numpy.polynomial NumPy's "
        "polynomials."
    )
