"""What a checked function returns beside its result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import tree
from ..errors import CheckError, ConcreteValueError
from ..primitives.core import Tracer

__all__ = ["CheckError", "Error", "Site", "placed"]

SHOWN = 8  # lanes of a batch whose errors are told


class Site:
    """A place of a program where a check may fail.

    ``say(detail, *values)`` is the message, of what was computed there: a number and arrays.
    ``where`` is the line, empty where the message has it.
    """

    __slots__ = ("say", "where")

    def __init__(self, say: Callable[..., str], where: str) -> None:
        self.say = say
        self.where = where

    def message(self, detail: Any, values: Sequence[Any]) -> str:
        """What went wrong, and where."""
        return placed(self.say(detail, *values), self.where)


def placed(said: str, where: str) -> str:
    """A message with its place."""
    return f"{said} ({where})" if where else said


class Error:
    """The first error of a checked function, or none; a pytree of arrays.

    Inside a transformed function it holds traced values and can be returned from it. What
    ``vmap`` returns has one error a lane.
    """

    def __init__(self, code: Any, detail: Any, values: Any, sites: tuple[Site, ...]) -> None:
        self._code = code  # 0, or the number of the site, counted from 1
        self._detail = detail
        self._values = values  # of each site, a tuple of arrays
        self._sites = sites

    def get(self) -> str | None:
        """The message, or None if all was well; of a batch those of its first lanes."""
        if isinstance(self._code, Tracer):
            raise ConcreteValueError(
                f"{self._code._trace.name}: an error was looked at inside the transformed "
                "function, where it is not known yet; return it, or pass it to checks.check_error."
            )
        code = np.asarray(self._code)
        if not code.any():
            return None
        if not code.ndim:
            return self._message(())
        lanes = [tuple(map(int, lane)) for lane in np.argwhere(code)]
        said = [
            f"at mapped index {', '.join(map(str, lane))}: {self._message(lane)}"
            for lane in lanes[:SHOWN]
        ]
        if len(lanes) > SHOWN:
            said.append(f"and in {len(lanes) - SHOWN} more lanes of the batch")
        return "\n".join(said)

    def _message(self, lane: tuple[int, ...]) -> str:
        number = int(np.asarray(self._code)[lane]) - 1
        values = [np.asarray(x)[lane] for x in self._values[number]]
        return self._sites[number].message(np.asarray(self._detail)[lane], values)

    def throw(self) -> None:
        """Raise the error.

        Raises
        ------
        CheckError
            Unless all was well.
        """
        message = self.get()
        if message is not None:
            raise CheckError(message)

    def __repr__(self) -> str:
        known = not isinstance(self._code, Tracer)
        return f"Error({self.get()!r})" if known else "Error(traced)"


tree.register_node(
    Error,
    lambda e: ((e._code, e._detail, e._values), e._sites),
    lambda sites, children: Error(*children, sites),  # type: ignore[call-arg]
)
