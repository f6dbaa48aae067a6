"""Views of traced arrays: memory that two names share, as NumPy's slices and reshapes do.

Tracers record values, so a view here is a value of its own that remembers what it was taken
from and how. Assigning to a view writes the change back into its base; assigning to a base
reads its living views again. Where NumPy decides between a view and a copy by memory layout,
which a traced array does not have, an assignment that would show the difference is refused.

After a branch or loop whose course is not known, two names may or may not stand for one array.
Both can be read; once one of them is written, reading the other is an error.
"""

from __future__ import annotations

import itertools
import weakref
from typing import Any

from ..errors import MutationError, user_line
from ..primitives import structural as p
from ..primitives.core import LOST, EscapedTracerError, Tracer, escaped_message, state

__all__ = ["assign", "is_view_at", "lose", "may_share", "origins", "refresh", "view_of"]


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
    if made is None or made.base is not base:
        return False
    if made.kind == "slice":
        return made.argument == index
    if made.kind == "function" and len(made.argument) == 3:  # at traced positions
        at = made.argument[2]
        return len(at) == len(index) and all(map(_same_item, at, index))
    return False


def _same_item(a: Any, b: Any) -> bool:
    if isinstance(a, Tracer) or isinstance(b, Tracer):
        return a is b
    return type(a) is type(b) and bool(a == b)


def assign(x: Any, value: Any) -> None:
    """Let ``x`` stand for ``value`` from here on, and what shares its memory accordingly."""
    if x._trace is LOST:
        raise EscapedTracerError(escaped_message(x))
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
    _become(x, value)
    for child, base in itertools.pairwise(path):
        made = _view(child)
        assert made is not None
        _become(base, made.write(child))
    refresh(path[-1], path)
    if hasattr(path[-1], "_shares"):
        for other in origins(path[-1])[1:]:
            lose(other)


def _become(x: Any, value: Any) -> None:
    """Let ``x`` stand for another value: in a scripted branch or loop, until its end."""
    region = getattr(state.trace, "region", None)
    if region is None or x._trace is state.trace:
        x.become(value)
    else:
        region.write(x, value)


def origins(x: Any) -> list[Any]:
    """The array whose memory ``x`` has, first, and those that may be the same one."""
    while (made := _view(x)) is not None:
        x = made.base
    found = [x]
    for reference in getattr(x, "_shares", ()):
        y = reference()
        if y is not None and not any(y is z for z in found):
            found.append(y)
    return found


def may_share(x: Any, y: Any) -> None:
    """Note that two arrays may be one."""
    for a, b in ((x, y), (y, x)):
        if not hasattr(a, "_shares"):
            a._shares = []
        a._shares.append(weakref.ref(b))


def lose(x: Any) -> None:
    """Note that the value of ``x``, and of its views, can no longer be told."""
    for view in _living(x):
        lose(view)
    region = getattr(state.trace, "region", None)
    if region is not None:
        region.lose(x)
    x._trace = LOST


def _living(x: Any) -> list[Any]:
    """Views in use; not those that a branch or loop took and that ended with it."""
    trace = state.trace
    found = (reference() for reference in getattr(x, "_views", ()))
    return [
        view
        for view in found
        if view is not None and (view._trace is trace or trace.inside(view._trace))
    ]


def _check(x: Any, path: list) -> None:
    for view in _living(x):
        made = _view(view)
        assert made is not None
        if made.kind == "unknown":
            _refuse(x)
        _check(view, path)


def refresh(x: Any, path: list) -> None:
    """Read the views of ``x`` again, but those on the path of an assignment."""
    for view in _living(x):
        if not any(view is node for node in path):
            made = _view(view)
            assert made is not None
            _become(view, made.read())
        refresh(view, path)


def _refuse(x: Any) -> None:
    raise MutationError(
        f"assignment to a traced array of shape {x.shape}, at {user_line()}: whether a reshape or "
        "real part of it that is still in use shares its memory depends, in NumPy, on the memory "
        "layout; say which is meant by taking a copy, x.reshape(...).copy(), or assign first."
    )
