"""What is seen of a solve while it runs: history, progress line, callback, best point so far."""

from __future__ import annotations

import inspect
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from .unknowns import Unknowns

__all__ = ["History", "Recorder", "Stop"]

# An objective below this is taken to have no lower bound (IPOPT's diverging_iterates_tol).
UNBOUNDED_BELOW = -1e20


class Stop(Exception):  # noqa: N818 - it ends a solve, which is no error
    """Ends a solve from within: the recorder has the point to return."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class History:
    """Values along a solve, an entry an iteration.

    Attributes
    ----------
    value : (n,) array
        Objective, cost or norm of the equations.
    gradient_norm : (n,) array
        Largest component of the gradient, by size; NaN where a method has none.
    violation : (n,) array
        Largest violation of a constraint; 0 without constraints.
    seconds : (n,) array
        Time since the start.
    evaluations : (n,) array
        Evaluations of the function so far.
    """

    FIELDS = ("value", "gradient_norm", "violation", "seconds", "evaluations")

    def __init__(self) -> None:
        self._rows: list[tuple[float, ...]] = []

    def append(self, *row: float) -> None:
        """Add an iteration."""
        self._rows.append(row)

    def __len__(self) -> int:
        return len(self._rows)

    def __getattr__(self, name: str) -> np.ndarray:
        if name not in History.FIELDS:
            raise AttributeError(name)
        column = History.FIELDS.index(name)
        return np.array([row[column] for row in self._rows], float)

    def __getstate__(self) -> dict:
        return {"_rows": self._rows}

    def __setstate__(self, state: dict) -> None:
        self._rows = state["_rows"]

    def __repr__(self) -> str:
        if not self._rows:
            return "History of 0 iterations"
        first, last = self._rows[0][0], self._rows[-1][0]
        return f"History of {len(self)} iterations: value {first:.6g} to {last:.6g}"


class Recorder:
    """Follows a solve.

    Parameters
    ----------
    caller
        Name printed, as ``minimize(f)``.
    unknowns
        Structure of the unknowns, in which the callback gets them.
    callback
        The user's: takes ``x``, or an argument named ``intermediate_result``.
    progress
        Show a line that is rewritten as the solve goes on.
    inside
        Whether a point obeys the bounds; points outside are not kept as the best.
    """

    def __init__(
        self,
        caller: str,
        unknowns: Unknowns,
        callback: Callable | None = None,
        progress: bool = False,
        inside: Callable[[np.ndarray], bool] | None = None,
    ) -> None:
        self.caller = caller
        self.unknowns = unknowns
        self.callback = callback
        self.takes_result = callback is not None and _takes_result(callback)
        self.takes_two = callback is not None and _takes_two(callback)
        self.progress = progress
        self.inside = inside
        self.history = History()
        self.started = self.shown = time.perf_counter()
        self.evaluations = 0
        self.bad = 0  # evaluations that gave NaN
        self.bad_at: np.ndarray | None = None
        self.best: tuple[np.ndarray, float] | None = None
        self.iterate: tuple[np.ndarray, float] | None = None
        self.smallest_violation = np.inf
        self.watch_unbounded = False
        self.width = 0

    def evaluated(self, x: np.ndarray, value: float) -> None:
        """Note an evaluation of the objective."""
        self.evaluations += 1
        if np.isnan(value):
            self.bad += 1
            if self.bad_at is None:
                self.bad_at = x.copy()
            return
        if (self.best is None or value < self.best[1]) and (self.inside is None or self.inside(x)):
            self.best = x.copy(), value
            if self.watch_unbounded and value < UNBOUNDED_BELOW:
                far = int(np.argmax(np.abs(x)))
                raise Stop(
                    UNBOUNDED,
                    f"The objective has no lower bound here: it fell to {value:.3g} at "
                    f"{self.unknowns.name(far)} = {x[far]:.3g}; add bounds or constraints, or "
                    "check its sign.",
                )

    def iterated(
        self,
        x: np.ndarray,
        value: float,
        gradient_norm: float = np.nan,
        violation: float = 0.0,
        values: Any = None,
    ) -> None:
        """Note an iteration, show it, and call the user's callback (which may raise).

        ``values`` are those of equations, which SciPy's ``root`` gives to ``callback(x, f)``.
        """
        now = time.perf_counter()
        self.history.append(value, gradient_norm, violation, now - self.started, self.evaluations)
        better = self.iterate is None or violation < self.smallest_violation - 1e-12
        same = violation <= max(self.smallest_violation, 1e-8)
        if better or (same and self.iterate is not None and value <= self.iterate[1]):
            self.iterate = x.copy(), value
            self.smallest_violation = min(violation, self.smallest_violation)
        if self.progress and (now - self.shown > 0.1 or len(self.history) == 1):
            self.shown = now
            self._show(value, gradient_norm, violation)
        if self.callback is None:
            return
        point = self.unknowns.unflatten(x.copy())
        if self.takes_result:
            from .result import OptimizeResult

            stop = self.callback(
                intermediate_result=OptimizeResult(x=point, fun=value, nit=len(self.history))
            )
        elif self.takes_two:
            stop = self.callback(point, self._second(point, value, violation, values))
        else:
            stop = self.callback(point)
        if stop is True:
            raise StopIteration

    def _second(self, point: Any, value: float, violation: float, values: Any) -> Any:
        """What SciPy's old callbacks take beside x: trust-constr's state, or the equations."""
        if values is not None:
            return values
        from .result import OptimizeResult

        nit = len(self.history)
        return OptimizeResult(x=point, fun=value, constr_violation=violation, nit=nit, niter=nit)

    def _show(self, value: float, gradient_norm: float, violation: float, end: str = "") -> None:
        text = f"{self.caller}: iteration {len(self.history)}, value {value:.8g}"
        if np.isfinite(gradient_norm):
            text += f", |gradient| {gradient_norm:.2e}"
        if violation > 0:
            text += f", violation {violation:.1e}"
        text += f", {time.perf_counter() - self.started:.1f} s"
        self._write(text + end)

    def _write(self, text: str, end: str = "") -> None:
        sys.stdout.write("\r" + text.ljust(self.width) + end)
        sys.stdout.flush()
        self.width = len(text)

    def finish(self, result: Any) -> None:
        """Leave the last line: how it ended."""
        if not self.progress:
            return
        if len(self.history):
            value, norm, violation = self.history._rows[-1][:3]
            self._show(value, norm, violation, ": " + str(result.message).splitlines()[0])
        else:
            self._write(f"{self.caller}: {str(result.message).splitlines()[0]}")
        sys.stdout.write("\n")
        sys.stdout.flush()


INTERRUPTED, UNBOUNDED, STOPPED = 130, 101, 99


def _takes_result(callback: Callable) -> bool:
    try:
        names = set(inspect.signature(callback).parameters)
    except (TypeError, ValueError):
        return False
    return names == {"intermediate_result"}


def _takes_two(callback: Callable) -> bool:
    try:
        parameters = inspect.signature(callback).parameters.values()
    except (TypeError, ValueError):
        return False
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    needed = [p for p in parameters if p.kind in positional and p.default is p.empty]
    return len(needed) == 2
