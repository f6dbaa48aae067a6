"""Views of traced arrays that may be assigned to.

NumPy's slices and reshapes share memory: writing to one changes the other. Tracers record
values, so such a write could not be seen by the other side. Rather than differ silently, a
tracer remembers what it is a view of and which views it has, and an assignment that NumPy
would have propagated is refused.
"""

from __future__ import annotations

import weakref
from typing import Any

from ..errors import MutationError, user_line
from ..primitives.core import Tracer

__all__ = ["check_assignable", "view_of"]


def view_of(base: Any, view: Any) -> Any:
    """Note that ``view`` would share memory with ``base`` in NumPy, and return it."""
    if isinstance(view, Tracer) and isinstance(base, Tracer) and view is not base:
        view._base = weakref.ref(base)
        try:
            base._views.append(weakref.ref(view))
        except AttributeError:
            base._views = [weakref.ref(view)]
    return view


def check_assignable(x: Tracer) -> None:
    """Raise if an assignment to ``x`` should also change another array."""
    reference = getattr(x, "_base", None)
    base = reference and reference()
    if base is not None:
        raise MutationError(
            f"assignment to a view of a traced array of shape {base.shape}, at {user_line()}: NumPy "
            "would change that array too; assign to it directly, x[i, j] = v instead of "
            "x[i][j] = v, or take a copy first, x[i].copy()."
        )
    if any(view() is not None for view in getattr(x, "_views", ())):
        raise MutationError(
            f"assignment to a traced array of shape {x.shape} while a slice or reshape of it is "
            f"still in use, at {user_line()}: NumPy would change that too; take the slice with "
            ".copy(), or after the assignment."
        )
