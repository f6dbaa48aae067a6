"""Quasi-Newton minimisation: L-BFGS and BFGS, whole iterations in one loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ...control_flow import while_loop
from ...errors import boundary
from ...reverse import value_and_grad
from .derivatives import minimum
from .line_search import DIVERGED, ROUNDING, strong_wolfe
from .problem import (
    RUNNING,
    Limits,
    Solution,
    Status,
    Variables,
    count,
    decide,
    finite,
    largest,
    length_of,
    unmoved,
)

__all__ = ["bfgs", "lbfgs"]

PATIENCE = 3  # iterations in a row with hardly any decrease, after which to stop
MOST = 15_000  # iterations, unless more are asked for


@boundary
def lbfgs(
    fun: Callable,
    x0: Any,
    args: Any = (),
    *,
    tol: float | None = None,
    ftol: float | None = None,
    xtol: float | None = None,
    max_iterations: int | None = None,
    memory: int = 10,
    max_line_search: int = 25,
) -> Solution:
    """Minimise a function of many unknowns by L-BFGS.

    The Hessian is approximated from the last few steps (D. Liu and J. Nocedal, *On the limited
    memory BFGS method for large scale optimization*, Math. Prog. 45, 1989); line searches satisfy
    the strong Wolfe conditions. Compiled by ``jit`` it is one native loop; under ``vmap`` each
    lane takes its own number of iterations.

    Parameters
    ----------
    fun
        ``fun(x, *args)``, a single real number. It may be infinite or NaN away from ``x0``: steps
        that lead there are shortened.
    x0
        Where to start: a pytree of real arrays.
    args
        Further arguments, a tuple of pytrees. The solution is differentiable in them, and in
        whatever ``fun`` closes over.
    tol
        Stop when no component of the gradient is larger; by default the square root of the
        precision, 1.5e-8 in float64.
    ftol
        Stop when 3 iterations in a row decrease the function by at most ``ftol`` times its
        absolute value; by default the precision.
    xtol
        Stop when a step changes no unknown by more than this share; by default the precision.
    max_iterations
        By default 200 times the number of unknowns, at most 15,000.
    memory
        Number of steps kept.
    max_line_search
        Largest number of evaluations in a line search.

    Returns
    -------
    Solution
        ``x`` is structured like ``x0``. Derivatives of ``x`` and ``fun`` are those of the exact
        minimum, by the implicit function theorem: dx/da = -H^-1 d(gradient)/da. Where the Hessian
        is singular they are an error, and NaN in compiled code and in batches, whose other lanes
        keep theirs.

    Raises
    ------
    TypeError
        Unknowns that are not real, or a function that does not return a single real number.
    ValueError
        No unknowns, or options out of range.

    Examples
    --------
    >>> import numpy as np, functorch_like as ft
    >>> def rosenbrock(x, a):
    ...     return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (a - x[:-1]) ** 2)
    >>> found = ft.optimize.lbfgs(rosenbrock, np.zeros(2), (1.0,))
    >>> found.x.round(6), bool(found.success)
    (array([1., 1.]), True)

    A thousand of them at once, compiled:

    >>> starts = np.random.default_rng(0).normal(size=(1000, 2))
    >>> many = ft.jit(ft.vmap(lambda x: ft.optimize.lbfgs(rosenbrock, x, (1.0,))))(starts)
    >>> bool(np.all(many.success)), many.x.shape
    (True, (1000, 2))
    """
    method = _LimitedMemory("lbfgs", max_line_search, memory)
    return method.minimise(Variables("lbfgs", fun, x0, args), tol, ftol, xtol, max_iterations)


@boundary
def bfgs(
    fun: Callable,
    x0: Any,
    args: Any = (),
    *,
    tol: float | None = None,
    ftol: float | None = None,
    xtol: float | None = None,
    max_iterations: int | None = None,
    max_line_search: int = 25,
) -> Solution:
    """Minimise a function of a few unknowns by BFGS.

    Like ``lbfgs``, with all that was learnt about the inverse of the Hessian kept in an n x n
    matrix (J. Nocedal and S. Wright, *Numerical Optimization*, 2006, section 6.1). The parameters,
    the result and its derivatives are those of ``lbfgs``.

    Examples
    --------
    >>> import numpy as np, functorch_like as ft
    >>> def beale(x, y):
    ...     return np.sum((y - x[0] * (1 - x[1] ** np.arange(1, 4))) ** 2)
    >>> found = ft.optimize.bfgs(beale, np.array([1.0, 1.0]), (np.array([1.5, 2.25, 2.625]),))
    >>> found.x.round(6), found.message
    (array([3. , 0.5]), 'the gradient is within its tolerance')
    """
    method = _Dense("bfgs", max_line_search)
    return method.minimise(Variables("bfgs", fun, x0, args), tol, ftol, xtol, max_iterations)


# --------------------------------------------------------------------------------------
# The iteration


class _State(NamedTuple):
    x: Any
    value: Any
    gradient: Any
    memory: Any  # what the direction is made of
    fresh: Any  # whether the memory is empty
    stalls: Any
    iterations: Any
    evaluations: Any
    status: Any


class _QuasiNewton:
    """The iteration; a subclass says what is remembered of steps and how it gives directions."""

    def __init__(self, name: str, most: int) -> None:
        self.most = count(name, "max_line_search", most, 25, least=1)

    def empty(self, n: int, dtype: Any) -> Any:
        """A memory of no steps."""
        raise NotImplementedError

    def forget(self, memory: Any, which: Any) -> Any:
        """The memory emptied where ``which`` holds."""
        raise NotImplementedError

    def direction(self, memory: Any, gradient: Any) -> Any:
        """Minus the approximate inverse of the Hessian times the gradient."""
        raise NotImplementedError

    def update(
        self, memory: Any, step: Any, change: Any, product: Any, curved: Any, fresh: Any
    ) -> Any:
        """The memory with a step and the gradient's change added, where ``curved`` holds.

        ``product`` is that of the two; ``fresh`` says that the memory is empty.
        """
        raise NotImplementedError

    def minimise(
        self,
        variables: Variables,
        tol: float | None,
        ftol: float | None,
        xtol: float | None,
        max_iterations: int | None,
    ) -> Solution:
        """The whole minimisation; see ``lbfgs``."""
        eps = variables.eps
        limits = Limits.of(
            variables.label, (tol, eps**0.5), (ftol, eps), (xtol, eps),
            (max_iterations, min(200 * variables.size, MOST)),
        )  # fmt: skip

        def run(start: Any) -> tuple[Any, Any]:
            s = self.iterate(variables, start, limits)
            return s.x, (largest(s.gradient), s.iterations, s.evaluations, s.status)

        return minimum(variables, run)

    def iterate(self, variables: Variables, start: Any, limits: Limits) -> _State:
        """The loop."""
        evaluate = value_and_grad(variables.objective)
        value, gradient = evaluate(start)
        status = limits.begin(finite(start, value, gradient), largest(gradient))
        state = _State(
            x=start,
            value=value,
            gradient=gradient,
            memory=self.empty(variables.size, variables.dtype),
            fresh=np.bool_(True),
            stalls=np.int64(0),
            iterations=np.int64(0),
            evaluations=np.int64(1),
            status=status,
        )
        return while_loop(
            lambda s: s.status == RUNNING,
            lambda s: self.advance(evaluate, variables.eps, limits, s),
            state,
        )

    def advance(self, evaluate: Callable, eps: float, limits: Limits, s: _State) -> _State:
        """One iteration: direction, line search, update, and whether to stop."""
        direction = self.direction(s.memory, s.gradient)
        slope = np.sum(direction * s.gradient)
        steepest = length_of(s.gradient)
        # Rounding, or a memory that went wrong: not a direction of descent.
        usable = slope < -1e-12 * length_of(direction) * steepest
        direction = np.where(usable, direction, -s.gradient)
        slope = np.where(usable, slope, -steepest * steepest)
        fresh = np.logical_or(s.fresh, ~usable)
        one = np.ones_like(s.value)
        first = np.where(fresh, np.minimum(one, 1.0 / steepest), one)

        search = strong_wolfe(
            evaluate, s.x, s.value, s.gradient, direction, slope, first, eps, self.most
        )
        moved = search.low > 0
        step = search.low * direction
        x = s.x + step
        change = search.low_gradient - s.gradient
        product = np.sum(step * change)
        curved = np.logical_and(moved, product > eps * length_of(step) * length_of(change))
        # No step along a direction from memory: forget it, and try the steepest descent.
        memory = self.forget(s.memory, np.logical_or(~usable, ~moved))
        memory = self.update(memory, step, change, product, curved, fresh)

        decrease = s.value - search.low_value
        size = np.maximum(np.abs(s.value), np.abs(search.low_value))
        idle = np.logical_and(moved, decrease <= limits.ftol * size)
        stalls = np.where(idle, s.stalls + 1, np.int64(0))
        norm = length_of(x)
        stuck = np.logical_and(~moved, fresh)
        level = -slope * first <= ROUNDING * eps * np.abs(s.value)
        diverged = np.logical_or(search.low_value < -DIVERGED, norm > DIVERGED)
        short = unmoved(step, x, limits.xtol)
        iterations = s.iterations + 1
        status = decide(
            RUNNING,
            (np.logical_and(moved, diverged), Status.UNBOUNDED),
            (largest(search.low_gradient) <= limits.tol, Status.GRADIENT),
            (np.logical_and(stuck, level), Status.FUNCTION),
            (stuck, Status.STALLED),
            (stalls >= PATIENCE, Status.FUNCTION),
            (np.logical_and(moved, short), Status.STEP),
            (iterations >= limits.iterations, Status.MAX_ITERATIONS),
        )
        return _State(
            x=x,
            value=search.low_value,
            gradient=search.low_gradient,
            memory=memory,
            fresh=np.logical_and(np.logical_or(fresh, ~moved), ~curved),
            stalls=stalls,
            iterations=iterations,
            evaluations=s.evaluations + search.evaluations,
            status=status,
        )


# --------------------------------------------------------------------------------------
# The memories


class _History(NamedTuple):
    """The last steps and what the gradient changed in them, in a ring."""

    steps: Any
    changes: Any
    inverses: Any  # 1 / (step . change)
    scale: Any
    stored: Any  # how many there were, those overwritten included


class _LimitedMemory(_QuasiNewton):
    def __init__(self, name: str, most: int, memory: int) -> None:
        super().__init__(name, most)
        self.kept = count(name, "memory", memory, 10, least=1)

    def empty(self, n: int, dtype: Any) -> _History:
        rows = (self.kept, n)
        return _History(
            steps=np.zeros(rows, dtype),
            changes=np.zeros(rows, dtype),
            inverses=np.zeros(self.kept, dtype),
            scale=np.ones((), dtype),
            stored=np.int64(0),
        )

    def forget(self, memory: _History, which: Any) -> _History:
        return memory._replace(
            scale=np.where(which, np.ones_like(memory.scale), memory.scale),
            stored=np.where(which, np.int64(0), memory.stored),
        )

    def direction(self, memory: _History, gradient: Any) -> Any:
        steps, changes, inverses, scale, stored = memory
        used = np.minimum(stored, self.kept)

        def backwards(value: tuple) -> tuple:
            i, q, alphas = value
            at = (stored - 1 - i) % self.kept
            alpha = inverses[at] * np.sum(steps[at] * q)
            alphas[at] = alpha
            return i + 1, q - alpha * changes[at], alphas

        def forwards(value: tuple) -> tuple:
            i, r = value
            at = (stored - used + i) % self.kept
            beta = inverses[at] * np.sum(changes[at] * r)
            return i + 1, r + (alphas[at] - beta) * steps[at]

        def more(value: tuple) -> Any:
            return value[0] < used

        alphas = np.zeros(self.kept, gradient.dtype)
        _, q, alphas = while_loop(more, backwards, (np.int64(0), gradient, alphas))
        return -while_loop(more, forwards, (np.int64(0), scale * q))[1]

    def update(
        self, memory: _History, step: Any, change: Any, product: Any, curved: Any, fresh: Any
    ) -> _History:
        steps, changes, inverses, scale, stored = memory
        at = stored % self.kept
        one = np.ones_like(product)
        safe = np.where(curved, product, one)
        steps[at] = np.where(curved, step, steps[at])
        changes[at] = np.where(curved, change, changes[at])
        inverses[at] = np.where(curved, 1.0 / safe, inverses[at])
        ratio = safe / np.where(curved, np.sum(change * change), one)
        return _History(steps, changes, inverses, np.where(curved, ratio, scale), stored + curved)


class _Dense(_QuasiNewton):
    """All of the inverse's approximation."""

    def empty(self, n: int, dtype: Any) -> Any:
        return np.eye(n, dtype=dtype)

    def forget(self, memory: Any, which: Any) -> Any:
        return np.where(which, np.eye(memory.shape[0], dtype=memory.dtype), memory)

    def direction(self, memory: Any, gradient: Any) -> Any:
        return -np.sum(memory * gradient, axis=1)

    def update(
        self, memory: Any, step: Any, change: Any, product: Any, curved: Any, fresh: Any
    ) -> Any:
        one = np.ones_like(product)
        product = np.where(curved, product, one)
        ratio = product / np.where(curved, np.sum(change * change), one)
        matrix = memory * np.where(fresh, ratio, one)  # the identity, to the scale of the problem
        image = np.sum(matrix * change, axis=1)
        quotient = (1.0 + np.sum(change * image) / product) / product
        mixed = step[:, None] * image
        new = matrix + quotient * (step[:, None] * step) - (mixed + mixed.T) / product
        return np.where(curved, new, memory)
