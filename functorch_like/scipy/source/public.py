"""Public functions, classes and modules of SciPy for plain and traced arguments."""

from __future__ import annotations

import functools
import importlib
import types
from collections.abc import Callable
from typing import Any

from ...errors import boundary, user_line
from ...primitives.core import Tracer
from .runtime import has_tracer, in_trace
from .translation import is_interpolant, translate

__all__ = ["Refusals", "attributes", "traced_version"]

# --------------------------------------------------------------------------------------
# The public face


class Refusals(dict):
    """Names that take no tracers, each with the reason and what to write instead."""

    def add(self, reason: str, *names: str) -> None:
        """Refuse names for a reason, a sentence."""
        self.update(dict.fromkeys(names, reason))


def traced_version(public: Callable, name: str, reason: str | None = None) -> Callable:
    """SciPy's function ``public`` for plain and traced arguments.

    Parameters
    ----------
    public
        The function that users know.
    name
        Its dotted name, for messages.
    reason
        Why traced arguments are refused, if they are.
    """
    source: list[Callable] = []

    @functools.wraps(public)
    @boundary
    def call(*args: Any, **kwargs: Any) -> Any:
        if not (has_tracer(args) or has_tracer(kwargs)):
            # A function among the arguments may close over tracers.
            functions = in_trace() and any(map(_is_function, (*args, *kwargs.values())))
            if not functions or reason is not None:
                constant = public(*args, **kwargs)
                if reason is not None or not is_interpolant(constant):
                    return constant
        if reason is not None:
            raise TypeError(f"{name}: {reason} (traced arguments, at {user_line()})")
        if not source:
            source.append(_source_of(public, name))
        try:
            return source[0](*args, **kwargs)
        except AttributeError as error:
            # The source looks at memory (flags, strides), which a tracer has not.
            if isinstance(error.obj, Tracer):
                raise TypeError(
                    f"{name}: not supported on traced arrays, at {user_line()}; write it with "
                    "other functions, or give it a rule with functorch_like.wrap(f, vjp=...)."
                ) from error
            raise

    return call


def _is_function(x: Any) -> bool:
    return isinstance(x, (types.FunctionType, types.MethodType, functools.partial))


def _source_of(public: Callable, name: str) -> Callable:
    made = translate(public)
    if made is public or not callable(made):
        raise TypeError(
            f"{name}: this SciPy function is compiled and takes no traced arrays; give it a rule "
            "with functorch_like.wrap(f, vjp=...)."
        )
    return made


def attributes(
    module_name: str, refusals: Refusals, space: dict[str, Any]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of a module of ours: SciPy's names that it does not define.

    Parameters
    ----------
    module_name
        SciPy's module, ``"scipy.signal"``.
    refusals
        Names that refuse tracers.
    space
        The ``globals()`` of our module; what is made is kept there.
    """

    def find(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"module {module_name!r} has no attribute {name!r}")
        module = importlib.import_module(module_name)
        value = getattr(module, name)
        shown = f"{module_name}.{name}"
        if name in refusals and not isinstance(value, type):
            made: Any = traced_version(value, shown, refusals[name])
        elif name in refusals:
            made = _refusing_class(value, shown, refusals[name])
        elif isinstance(value, type):
            made = translate(value)
        elif isinstance(value, types.ModuleType):
            made = _public_module(value)
        elif callable(value):
            made = traced_version(value, shown)
        else:
            made = value
        _found[module_name, name] = made
        return made

    def get(name: str) -> Any:
        made = _found.get((module_name, name))
        return find(name) if made is None else made

    def names() -> list[str]:
        module = importlib.import_module(module_name)
        return sorted({*space, *getattr(module, "__all__", dir(module))})

    return get, names


_found: dict[tuple[str, str], Any] = {}


def _public_module(module: types.ModuleType) -> types.ModuleType:
    """A submodule (``scipy.signal.windows``) with functions that take tracers."""
    made = types.ModuleType(module.__name__)
    get, names = attributes(module.__name__, Refusals(), vars(module))
    made.__getattr__ = get  # type: ignore[method-assign]
    made.__dir__ = names  # type: ignore[method-assign]
    return made


def _refusing_class(cls: type, name: str, reason: str) -> type:
    """A class of SciPy that is itself, but refuses tracers when it is made."""

    def new(owner: type, *args: Any, **kwargs: Any) -> Any:
        if has_tracer(args) or has_tracer(kwargs):
            raise TypeError(f"{name}: {reason} (traced arguments, at {user_line()})")
        return cls(*args, **kwargs)

    return type(cls.__name__, (), {"__new__": new, "__doc__": cls.__doc__})
