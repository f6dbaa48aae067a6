"""How to call every public name of NumPy's and SciPy's modules.

A module of cases makes one ``Cases(module)`` and says of each public name one of:

* ``cases(name, *arrays, call=..., **keywords)``: a call that is judged (``verdicts.py``) under
  every transform. Without ``call`` it is ``f(*arrays, **keywords)``; ``call(f, *arrays)`` may put
  the arrays where they belong. A name may have several calls, one for each thing its signature
  can do.
* ``cases.refuse(reason, *names)``: tracers are refused there. A ``call`` in ``refused_calls`` shows
  that they are, by an error and not by a wrong result.
* ``cases.other(what, *names)``: not a function of arrays (a type, a constant, a module, a maker of
  constants).

The sets of names come from the modules themselves, so that none can be forgotten.
"""

from __future__ import annotations

import importlib
import pkgutil
import types
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

__all__ = ["Case", "Cases", "all_cases"]

MODULES: dict[str, Cases] = {}


class Case(NamedTuple):
    """One call of one public name."""

    module: str
    name: str
    arrays: tuple[np.ndarray, ...]
    call: Callable
    without: frozenset[str]
    tolerance: float
    label: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}" + (f"-{self.label}" if self.label else "")


class Cases:
    """The calls of one public module."""

    def __init__(self, module: types.ModuleType, ours: str, exclude: tuple[str, ...] = ()) -> None:
        self.module = module
        self.ours = ours  # the dotted name of the module of ours with the same names
        names = getattr(module, "__all__", None) or dir(module)
        self.names = sorted(n for n in set(names) - set(exclude) if not n.startswith("_"))
        self.calls: dict[str, list[Case]] = {}
        self.refused: dict[str, str] = {}
        self.others: dict[str, str] = {}
        MODULES[module.__name__] = self

    def __call__(
        self,
        name: str,
        *arrays: Any,
        call: Callable | None = None,
        without: tuple[str, ...] = (),
        tolerance: float = 1e-5,
        **keywords: Any,
    ) -> None:
        """Add a call; ``without`` names modes (vmap, stage) that must be an error instead."""
        known = self.calls.setdefault(name, [])
        arrays = tuple(np.asarray(a) for a in arrays)
        if call is None:
            call = _Call(keywords)
        label = str(len(known)) if known else ""
        known.append(
            Case(self.module.__name__, name, arrays, call, frozenset(without), tolerance, label)
        )

    def refuse(self, reason: str, *names: str) -> None:
        """Names that take arrays but not traced ones, and why."""
        self.refused.update(dict.fromkeys(names, reason))

    def other(self, what: str, *names: str) -> None:
        """Names that are not functions of arrays, and what they are."""
        self.others.update(dict.fromkeys(names, what))

    def public(self, name: str) -> Any:
        """The public object; names may be dotted (``norm.logpdf``)."""
        return _dotted(self.module, name)

    def of_ours(self, name: str) -> Any:
        """Our object of that name, or None."""
        try:
            return _dotted(importlib.import_module(self.ours), name)
        except (AttributeError, ImportError):
            return None

    def __iter__(self) -> Iterator[Case]:
        for calls in self.calls.values():
            yield from calls


class _Call:
    """``f(*arrays, **keywords)``."""

    def __init__(self, keywords: dict[str, Any]) -> None:
        self.keywords = keywords

    def __call__(self, f: Callable, *arrays: Any) -> Any:
        return f(*arrays, **self.keywords)


def _dotted(root: Any, name: str) -> Any:
    for part in name.split("."):
        root = getattr(root, part)
    return root


def all_cases() -> dict[str, Cases]:
    """Every module of cases in this folder, loaded."""
    import support

    for found in pkgutil.iter_modules(support.__path__):
        if found.name.startswith("cases_"):
            importlib.import_module(f"support.{found.name}")
    return MODULES
