"""What a name of SciPy's means to the rewritten sources; functions and classes compiled anew."""

from __future__ import annotations

import ast
import enum
import functools
import importlib
import inspect
import sys
import textwrap
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from ...errors import user_line
from ...numpy import fallback
from ...primitives.core import Tracer
from .namespaces import (
    NUMPY_FUNCTION,
    NUMPY_NAMES,
    AnyArray,
    MathView,
    Rows,
    module_view,
    numpy_view,
    of_scipy,
)
from .rewriting import rewrite
from .runtime import HELPERS, OURS, REPLACEMENTS, has_tracer, replaces

__all__ = ["is_interpolant", "recompiled", "replace_by_source", "translate"]


# --------------------------------------------------------------------------------------
# Translation of what a name means


class _Namespace(dict):
    """The globals of a module of SciPy, translated one by one as they are used."""

    def __init__(self, module: types.ModuleType) -> None:
        super().__init__(HELPERS)
        self.module = module
        self["__builtins__"] = __builtins__
        self["__translate"] = translate
        for name in ("__name__", "__package__", "__spec__", "__file__"):
            self[name] = getattr(module, name)

    def __missing__(self, name: str) -> Any:
        replacement = REPLACEMENTS.get((self.module.__name__, name))
        if replacement is None:
            try:
                replacement = translate(vars(self.module)[name])
            except KeyError:
                replacement = _builtin(name)
        self[name] = replacement
        return replacement


def _builtin(name: str) -> Any:
    import builtins

    try:
        return getattr(builtins, name)
    except AttributeError:
        raise KeyError(name) from None


@functools.cache
def _namespace(module_name: str) -> _Namespace:
    return _Namespace(importlib.import_module(module_name))


_translated: dict[int, tuple[Any, Any]] = {}


def translate(value: Any) -> Any:
    """A value of a module of SciPy as the rewritten sources see it."""
    if value is None or isinstance(value, (str, int, float, complex, np.ndarray, np.generic)):
        return value
    if type(value) in (list, tuple):
        return type(value)(map(translate, value))
    if type(value) is dict:
        return {k: translate(v) for k, v in value.items()}
    known = _translated.get(id(value))
    if known is None:
        # The original is kept with it, so that its id stays its own.
        known = _translated[id(value)] = (value, _translate(value))
    return known[1]


def _translate(value: Any) -> Any:
    if isinstance(value, types.ModuleType):
        name = value.__name__
        if name == "math":
            return MathView("math")
        if name == "numpy" or name.startswith("numpy.") or name.endswith("array_api_compat.numpy"):
            return numpy_view(value)
        return module_view(value) if of_scipy(name) else value
    name = getattr(value, "__name__", "")
    if name in NUMPY_NAMES and getattr(np, name, None) is value:
        return NUMPY_NAMES[name]
    replacement = fallback._replacements().get(id(value))
    if replacement is not None:
        return replacement
    if value is np.ndarray:
        return AnyArray
    if value is np.r_:
        return Rows()
    if isinstance(value, NUMPY_FUNCTION) and getattr(np, name, None) is value:
        return getattr(numpy_view(np), name)
    module = getattr(value, "__module__", None)
    if isinstance(value, np.ufunc):
        return value
    name = getattr(value, "__name__", "")
    replacement = REPLACEMENTS.get((str(module), name))
    if replacement is not None:
        return replacement
    if not of_scipy(module):
        return value
    if isinstance(value, type):
        kept = (BaseException, tuple, dict, enum.Enum, Warning)
        return value if issubclass(value, kept) or not _has_source(value) else _rebuilt(value)
    ours = _own(str(module), name, value)
    if ours is not None:
        return ours
    source = inspect.unwrap(value) if callable(value) else value
    if isinstance(source, types.FunctionType):
        replacement = REPLACEMENTS.get((source.__module__, source.__name__))
        return _lazily(source) if replacement is None else replacement
    if callable(value):
        return _guarded(value)
    return value


def _own(module: str, name: str, value: Any) -> Any:
    """Our function for SciPy's public one, if one is written."""
    parts = module.split(".")
    if len(parts) < 2 or parts[1] not in OURS:
        return None
    public = importlib.import_module(f"scipy.{parts[1]}")
    found = getattr(public, name, None)
    if found is not value and inspect.unwrap(found or _own) is not inspect.unwrap(value):
        return None
    return vars(importlib.import_module(f"functorch_like.scipy.{parts[1]}")).get(name)


def _has_source(cls: type) -> bool:
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    return str(file).endswith(".py") and not any(
        base.__module__.startswith("scipy") and not _has_source(base) for base in cls.__bases__
    )


def _holds_tracers(x: Any) -> bool:
    """Whether an argument may bring tracers along: in itself, by closure, or as an object's."""
    if isinstance(x, (list, tuple)):
        return any(map(_holds_tracers, x))
    if isinstance(x, dict):
        return any(map(_holds_tracers, x.values()))
    if isinstance(x, Tracer) or isinstance(type(x).__dict__.get("_functorch_like"), bool):
        return True
    return callable(x) and not isinstance(x, type)


def _guarded(function: Callable) -> Callable:
    """A compiled function, which takes plain arrays only."""
    name = getattr(function, "__name__", repr(function))

    def call(*args: Any, **kwargs: Any) -> Any:
        if has_tracer(args) or has_tracer(kwargs):
            raise TypeError(
                f"scipy's compiled function {name}: expected plain arrays; got traced ones, at "
                f"{user_line()}; give the function that calls it a rule with "
                "functorch_like.wrap(f, vjp=...)."
            )
        return function(*args, **kwargs)

    call.__name__ = name
    return call


def _lazily(source: types.FunctionType) -> Callable:
    """The function, compiled from its source when it is first called with a tracer."""
    made: list[Callable] = []

    @functools.wraps(source)
    def call(*args: Any, **kwargs: Any) -> Any:
        if args and not (_holds_tracers(args) or _holds_tracers(kwargs)):
            constant = _with_views(source(*args, **kwargs))
            if not is_interpolant(constant):
                return constant
        if not made:
            made.append(recompiled(source))
        return made[0](*args, **kwargs)

    return call


def is_interpolant(result: Any) -> bool:
    """Whether a result is an object of SciPy's that may be called with tracers later."""
    return type(result).__module__.startswith("scipy.interpolate")


def _with_views(result: Any) -> Any:
    """A result, with the modules in it (an array namespace) as the rewritten sources see them."""
    if isinstance(result, types.ModuleType):
        return translate(result)
    return tuple(map(_with_views, result)) if type(result) is tuple else result


def recompiled(source: types.FunctionType, owner: type | None = None) -> types.FunctionType:
    """A function of SciPy compiled from its text in the translated namespace of its module."""
    code = source.__code__
    names = _namespace(source.__module__)
    tree = ast.parse(textwrap.dedent(inspect.getsource(source)))
    node: Any = tree.body[0]
    if not isinstance(node, ast.FunctionDef):
        return types.FunctionType(code, names, source.__name__, source.__defaults__)
    ast.increment_lineno(tree, code.co_firstlineno - 1)
    node.decorator_list = []
    node.returns = None
    arguments = node.args
    for argument in ast.walk(arguments):
        if isinstance(argument, ast.arg):
            argument.annotation = None
    arguments.defaults = [ast.Constant(None) for _ in arguments.defaults]
    arguments.kw_defaults = [d and ast.Constant(None) for d in arguments.kw_defaults]
    rewrite(node, code.co_varnames + code.co_cellvars)
    # What the function closes over becomes the arguments of a function around it.
    free = dict(zip(code.co_freevars, source.__closure__ or (), strict=True))
    values = {
        name: owner if name == "__class__" else translate(cell.cell_contents)
        for name, cell in free.items()
    }
    node.name = "__recompiled"  # its own name is that of the module's function
    text = f"def __around({', '.join(values)}):\n    return __recompiled"
    around = ast.parse(text).body[0]
    assert isinstance(around, ast.FunctionDef)
    around.body.insert(0, node)
    module = ast.fix_missing_locations(ast.Module([around], []))
    space: dict[str, Any] = {}
    exec(compile(module, code.co_filename, "exec"), names, space)
    made = space["__around"](**values)
    made.__defaults__ = _each(source.__defaults__)
    if source.__kwdefaults__:
        made.__kwdefaults__ = {k: translate(v) for k, v in source.__kwdefaults__.items()}
    made.__doc__ = source.__doc__
    made.__name__ = source.__name__
    made.__qualname__ = source.__qualname__
    return made


def _each(values: tuple | None) -> tuple | None:
    return None if values is None else tuple(map(translate, values))


def _rebuilt(cls: type) -> type:
    """A class of SciPy with its methods compiled once more."""
    bases = tuple(translate(base) for base in cls.__bases__)
    body = {"__module__": cls.__module__, "__doc__": cls.__doc__, "_functorch_like": True}
    made = type(cls)(cls.__name__, bases, body)
    _translated[id(cls)] = (cls, made)  # methods may name their own class
    for name, value in vars(cls).items():
        if name in ("__dict__", "__weakref__", "__slots__", "__module__", "__doc__"):
            continue
        if isinstance(value, types.MemberDescriptorType):
            continue
        setattr(made, name, _method(value, made))
    replaced = {
        n: f for (m, n), f in REPLACEMENTS.items() if m == f"{cls.__module__}.{cls.__name__}"
    }
    for name, value in replaced.items():
        static = isinstance(vars(cls).get(name), staticmethod)
        setattr(made, name, staticmethod(value) if static else value)
    return made


def _method(value: Any, owner: type) -> Any:
    if isinstance(value, (staticmethod, classmethod)):
        return type(value)(_method(value.__func__, owner))
    if isinstance(value, property):
        return property(*(f and _method(f, owner) for f in (value.fget, value.fset, value.fdel)))
    if callable(value) and not isinstance(value, type):
        source = inspect.unwrap(value)
        if isinstance(source, types.FunctionType) and of_scipy(source.__module__):
            return _lazy_method(source, owner)
    return value


def _lazy_method(source: types.FunctionType, owner: type) -> Callable:
    made: list[Callable] = []

    @functools.wraps(source)
    def call(*args: Any, **kwargs: Any) -> Any:
        if not made:
            made.append(recompiled(source, owner))
        return made[0](*args, **kwargs)

    return call


def replace_by_source(module: str, name: str) -> None:
    """Run a helper of SciPy's from its source even on plain arguments: it makes results' arrays."""

    @replaces(module, name)
    def call(*args: Any, **kwargs: Any) -> Any:
        found = inspect.unwrap(vars(importlib.import_module(module))[name])
        made = _compiled_helpers.get((module, name))
        if made is None:
            made = _compiled_helpers[module, name] = recompiled(found)
        return made(*args, **kwargs)


_compiled_helpers: dict[tuple[str, str], Callable] = {}
