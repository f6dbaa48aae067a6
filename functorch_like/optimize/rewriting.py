"""SciPy code as it stands: what cannot be traced is rewritten from its source, as by ``script``."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ..errors import ConcreteValueError, ScriptError

__all__ = ["rewriting"]


def rewriting(solver: Callable) -> Callable:
    """Decorate a solver: where tracing its functions fails, it goes on with ``script=True``.

    ``np.array`` of unknowns, ``float``, ``math.exp`` and arrays filled element by element give no
    derivative unless the source is rewritten. ``result.notes`` says that it was. If it cannot be,
    the error is the one of the function as it was given.
    """

    @functools.wraps(solver)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return solver(*args, **kwargs)
        except (ConcreteValueError, ValueError) as error:
            if kwargs.get("script") or not _untraceable(error):
                raise
            first = error
        try:
            result = solver(*args, **{**kwargs, "script": True})
        except (ScriptError, ConcreteValueError, OSError):
            raise first from first.__cause__
        except ValueError as error:
            raise (first if _untraceable(error) else error) from None
        except Exception as error:
            raise error from first
        reason = _reason(first)
        note = f"the function was rewritten from its source, as script=True does: {reason}"
        if isinstance(result, dict):
            result["notes"] = [note, *result.get("notes", [])]
        elif isinstance(getattr(result, "__dict__", {}).get("result"), dict):
            result.result["notes"] = [note, *result.result.get("notes", [])]
        return result

    return call


def _untraceable(error: BaseException) -> bool:
    # NumPy reports a failed assignment as a ValueError whose cause says why.
    return isinstance(error, ConcreteValueError) or isinstance(error.__cause__, ConcreteValueError)


def _reason(error: BaseException) -> str:
    cause = error.__cause__ if isinstance(error.__cause__, ConcreteValueError) else error
    return str(cause).splitlines()[0].partition("; its derivative would be lost")[0]
