"""Views of traced arrays: memory that two names share, as NumPy's slices and reshapes do.

Tracers record values, so a view here is a value of its own that remembers what it was taken
from and how. Assigning to a view writes the change back into its base; assigning to a base
reads its living views again. Where NumPy decides between a view and a copy by memory layout,
which a traced array does not have, an assignment that would show the difference is refused.
"""

from __future__ import annotations

import itertools
import weakref
from typing import Any

from ..errors import MutationError, user_line
from ..primitives import structural as p
from ..primitives.core import Tracer

__all__ = ["assign", "is_view_at", "view_of"]


class View:
    """How a view was taken.

    ``kind`` is slice, reshape, axes (a reshape for which NumPy never copies: one that only adds or
    drops axes of length one), transpose, function (``argument`` is how to read the view from its
    base, and how to write it there, or None where NumPy's view is read-only), or unknown.
    """

    __slots__ = ("argument", "base", "contiguous", "kind")

    def __init__(self, base: Any, kind: str, argument: Any, contiguous: bool) -> None:
        self.base = base
        self.kind = kind
        self.argument = argument
        self.contiguous = contiguous

    def read(self) -> Any:
        """The view's value, from the base's."""
        if self.kind == "function":
            return self.argument[0](self.base)
        if self.kind == "slice":
            return p.slice_at(self.base, index=self.argument)
        if self.kind in ("reshape", "axes"):
            return p.reshape(self.base, shape=self.argument)
        return p.transpose(self.base, axes=self.argument)

    def write(self, value: Any) -> Any:
        """The base's value, from the view's."""
        if self.kind == "function":
            return self.argument[1](self.base, value)
        if self.kind == "slice":
            return p.update_slice(self.base, value, index=self.argument)
        if self.kind in ("reshape", "axes"):
            return p.reshape(value, shape=self.base.shape)
        return p.transpose(value, axes=p.inverse_permutation(self.argument))


def _view(x: Any) -> View | None:
    return getattr(x, "_view", None)


def view_of(base: Any, view: Any, kind: str, argument: Any = None) -> Any:
    """Note that ``view`` shares memory with ``base`` in NumPy, and return it."""
    if not (isinstance(view, Tracer) and isinstance(base, Tracer)) or view is base:
        return view
    own = _view(base)
    contiguous = _is_contiguous(base) if own is None else own.contiguous
    if kind == "reshape" and not contiguous:
        kind = "unknown"
    elif kind == "transpose":
        contiguous = contiguous and len(base.shape) < 2
    elif kind == "slice":
        contiguous = contiguous and _leading(argument)
    elif kind == "function":
        contiguous = False
    view._view = View(base, kind, argument, contiguous)
    try:
        views = base._views
    except AttributeError:
        views = base._views = []
    if len(views) % 64 == 63:
        views[:] = [v for v in views if v() is not None]
    views.append(weakref.ref(view))
    return view


def _is_contiguous(x: Any) -> bool:
    """Whether NumPy would reshape the array without a copy, as far as the trace knows."""
    while isinstance(x, Tracer):
        x = getattr(x, "primal", None) if hasattr(x, "primal") else getattr(x, "value", None)
    return x is None or bool(x.flags.c_contiguous)


def _leading(index: tuple) -> bool:
    """Whether a basic index takes a run of whole rows."""
    first, rest = index[:1], index[1:]
    step = first[0].step if first and isinstance(first[0], slice) else None
    return step in (None, 1) and all(item is None or item == slice(None) for item in rest)


def is_view_at(view: Any, base: Any, index: tuple) -> bool:
    """Whether ``view`` is ``base[index]``: what ``x[i] += v`` assigns back."""
    made = _view(view)
    return (
        made is not None and made.base is base and made.kind == "slice" and made.argument == index
    )


def assign(x: Any, value: Any) -> None:
    """Let ``x`` stand for ``value`` from here on, and what shares its memory accordingly."""
    path = [x]
    node = _view(x)
    while node is not None:
        if node.kind == "unknown":
            _refuse(x)
        if node.kind == "function" and node.argument[1] is None:
            raise ValueError("assignment destination is read-only")
        path.append(node.base)
        node = _view(node.base)
    _check(path[-1], path)
    x.become(value)
    for child, base in itertools.pairwise(path):
        made = _view(child)
        assert made is not None
        base.become(made.write(child))
    _refresh(path[-1], path)


def _living(x: Any) -> list[Any]:
    found = (reference() for reference in getattr(x, "_views", ()))
    return [view for view in found if view is not None]


def _check(x: Any, path: list) -> None:
    for view in _living(x):
        made = _view(view)
        assert made is not None
        if made.kind == "unknown":
            _refuse(x)
        _check(view, path)


def _refresh(x: Any, path: list) -> None:
    for view in _living(x):
        if not any(view is node for node in path):
            made = _view(view)
            assert made is not None
            view.become(made.read())
        _refresh(view, path)


def _refuse(x: Any) -> None:
    raise MutationError(
        f"assignment to a traced array of shape {x.shape}, at {user_line()}: whether a reshape or "
        "real part of it that is still in use shares its memory depends, in NumPy, on the memory "
        "layout; say which is meant by taking a copy, x.reshape(...).copy(), or assign first."
    )
