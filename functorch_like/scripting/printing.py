"""``print`` of values that are known only when the program runs."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

from .. import debug, tree
from ..primitives.core import Tracer
from .regions import current

__all__ = ["Text", "print_"]


class Text:
    """An f-string that is to be printed."""

    def __init__(self, show: Callable[..., str], values: tuple) -> None:
        self.show, self.values = show, values

    def __str__(self) -> str:
        return self.show(*self.values)


def print_(*values: Any, **options: Any) -> None:
    """``print``: traced values, and what traced branches print, when the program runs."""
    parts = [(x.show, x.values) if isinstance(x, Text) else (None, (x,)) for x in values]
    given = [part for _, part in parts]
    traced = any(isinstance(x, Tracer) for x in tree.leaves(given))
    if not traced and current() is None:
        builtins.print(*values, **options)
        return

    def show(*known: Any) -> None:
        shown = [
            part[0] if f is None else f(*part) for (f, _), part in zip(parts, known, strict=True)
        ]
        builtins.print(*shown, **options)

    debug.callback(show, *given)
