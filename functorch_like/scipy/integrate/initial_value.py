"""``solve_ivp`` and ``odeint``: initial-value problems, differentiable in all they depend on."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ... import tree
from ...arguments import as_array
from ...control_flow import while_loop
from ...errors import boundary, name_of, user_line
from ...implicit.rules import custom_root
from ...primitives.core import Tracer
from ..source import in_trace
from .adjoint import sample_adjoint
from .explicit import DormandPrince853, RungeKutta
from .radau import Radau
from .stepping import (
    FAILED,
    FINISHED,
    RUNNING,
    Method,
    Problem,
    State,
    advance,
    attempt,
    constant,
    sample,
    start,
)

__all__ = ["OdeResult", "odeint", "solve_ivp"]

MESSAGES = {
    0: "The solver successfully reached the end of the integration interval.",
    1: "A termination event occurred.",
    -1: "Required step size is less than spacing between numbers.",
}


class OdeResult(dict):
    """What ``solve_ivp`` returns where values are traced; SciPy's fields, as attributes too."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"OdeResult has no field {name!r}") from None

    def __dir__(self) -> list[str]:
        return list(self)

    def __repr__(self) -> str:
        width = max(map(len, self)) + 1
        return "\n".join(f"{k:>{width}}: {v!r}" for k, v in self.items())


_FIXED = ("sol", "message")  # not arrays
tree.register_node(
    OdeResult,
    lambda r: (
        tuple(v for k, v in r.items() if k not in _FIXED),
        (tuple(k for k in r if k not in _FIXED), tuple(r.get(k) for k in _FIXED)),
    ),
    lambda meta, children: OdeResult(
        **dict(zip(meta[0], children, strict=True)), **dict(zip(_FIXED, meta[1], strict=True))
    ),
)


def _method(given: Any) -> Method:
    import scipy.integrate

    name = given if isinstance(given, str) else getattr(given, "__name__", str(given))
    if name in ("RK23", "RK45"):
        return RungeKutta(getattr(scipy.integrate, name))
    if name == "DOP853":
        return DormandPrince853(scipy.integrate.DOP853)
    if name == "Radau":
        return Radau()
    if name in ("BDF", "LSODA"):
        raise TypeError(
            f"solve_ivp: expected method RK23, RK45, DOP853 or Radau where values are traced; got "
            f"{name}, at {user_line()}; use Radau for stiff problems."
        )
    raise ValueError(
        f"solve_ivp: expected method RK23, RK45, DOP853 or Radau; got {name!r}, at {user_line()}."
    )


def _vector(what: str, made: Any, size: int | None = None) -> Any:
    """A vector of an array, or of a list of numbers, traced ones among them."""
    if isinstance(made, (list, tuple)):
        made = np.stack([as_array(x) for x in made]) if made else np.zeros(0)
    x = as_array(made)
    if size is not None and x.shape == () and size == 1:
        x = x.reshape(1)
    if len(x.shape) != 1 or (size is not None and x.shape[0] != size):
        wanted = "a vector" if size is None else f"shape ({size},)"
        raise TypeError(
            f"solve_ivp: expected {what} of {wanted}; got shape {x.shape}, at {user_line()}; "
            "write x.reshape(-1), and reshape it inside the function."
        )
    return x


class _Setup(NamedTuple):
    problem: Problem
    method: Method
    t0: Any
    y0: Any


def _setup(
    name: str,
    fun: Callable,
    t_span: Sequence[Any],
    y0: Any,
    method: Any,
    args: Any,
    options: dict,
) -> _Setup:
    known = {"rtol", "atol", "max_step", "first_step", "jac", "jac_sparsity", "min_step"}
    unknown = sorted(set(options) - known)
    if unknown:
        raise TypeError(f"{name}: got unknown options {', '.join(unknown)}, at {user_line()}.")
    try:
        t0, t1 = t_span
    except (TypeError, ValueError):
        raise TypeError(
            f"{name}: expected t_span as a pair (t0, tf); got {t_span!r}, at {user_line()}."
        ) from None
    y = _vector("y0", y0)
    if y.dtype.kind not in "fc":
        y = y.astype(np.float64)
    t0, t1 = (_time(name, t) for t in (t0, t1))
    size = y.shape[0]
    if not size:
        raise ValueError(f"{name}: expected y0 of at least one number, at {user_line()}.")
    for what, value in (("y0", y), ("t_span[0]", t0)):
        _require_finite(name, what, value)
    if _known(t1) is not None and np.isnan(_known(t1)):
        raise ValueError(f"{name}: expected a number as t_span[1]; got NaN, at {user_line()}.")

    def rate(t: Any, y: Any) -> Any:
        made = _vector(f"{name_of(fun)} to return an array", fun(t, y, *args), size)
        return made if made.dtype == y.dtype else made.astype(np.result_type(made.dtype, y.dtype))

    rtol, atol = options.get("rtol", 1e-3), np.asarray(options.get("atol", 1e-6))
    if np.any(atol < 0):
        raise ValueError(f"{name}: expected atol to be positive; got {atol}, at {user_line()}.")
    if atol.ndim and atol.shape != (size,):
        raise ValueError(
            f"{name}: expected atol as a number or of shape ({size},); got {atol.shape}, at "
            f"{user_line()}."
        )
    max_step, first_step = options.get("max_step", np.inf), options.get("first_step")
    if max_step <= 0 or (first_step is not None and first_step <= 0):
        raise ValueError(f"{name}: expected positive steps, at {user_line()}.")
    problem = Problem(
        rate,
        t1,
        np.where(constant(t1) >= constant(t0), 1.0, -1.0),
        np.maximum(rtol, 100 * np.finfo(np.float64).eps),
        atol[()],
        float(max_step),
        first_step,
        None,
    )
    return _Setup(problem, _method(method), t0, y)


def _require_finite(name: str, what: str, x: Any) -> None:
    """Raise where values are known and not finite: no step would ever be accepted."""
    value = _known(as_array(x))
    if value is not None and not np.all(np.isfinite(value)):
        raise ValueError(f"{name}: expected {what} to be finite; got {value}, at {user_line()}.")


def _time(name: str, given: Any) -> Any:
    t = as_array(given)
    if t.shape != ():
        raise TypeError(
            f"{name}: expected times as numbers; got shape {t.shape}, at {user_line()}."
        )
    return t if t.dtype.kind == "f" else t.astype(np.float64)


@boundary
def solve_ivp(
    fun: Callable,
    t_span: Sequence[Any],
    y0: Any,
    method: Any = "RK45",
    t_eval: Any = None,
    dense_output: bool = False,
    events: Any = None,
    vectorized: bool = False,
    args: Any = None,
    *,
    adjoint: str = "discrete",
    **options: Any,
) -> Any:
    """Solution of ``dy/dt = fun(t, y, *args)``, ``y(t0) = y0``, differentiable.

    In ``y0``, ``args``, both ends of ``t_span``, ``t_eval`` and whatever traced values ``fun`` and
    the events close over; forward and reverse, to every order, under ``vmap`` (each element takes
    its own steps) and ``jit`` (one native loop).

    Parameters
    ----------
    fun
        ``fun(t, y, *args)`` returns the derivative, an array (n,) or a list of n numbers.
    t_span
        ``(t0, tf)``.
    y0
        Initial state (n,), real or complex.
    method
        ``"RK23"``, ``"RK45"``, ``"DOP853"``, or ``"Radau"`` for stiff problems, whose Jacobian is
        the exact one. On plain arrays all of SciPy's.
    t_eval
        Times (m,) at which to give the solution, sorted. Under ``vmap`` and ``jit`` it is needed
        (the number of steps is not known); write ``t_eval=[tf]`` for the end alone.
    dense_output
        Whether ``sol(t)`` is returned; not under ``vmap`` and ``jit``.
    events
        Functions ``event(t, y, *args)`` whose zeros are found, with SciPy's attributes ``terminal``
        and ``direction``. The derivative of the time of an event is that of the root:
        ``dt = -dg / (dg/dt)``. Under ``vmap`` and ``jit`` terminal events only (the first zero
        ends it); ``t_events`` is then NaN where the event did not happen, and ``y`` after the end.
    vectorized
        Without meaning here; ``fun`` gets one state at a time where values are traced.
    args
        Tuple of further arguments of ``fun`` and the events.
    adjoint
        How reverse mode works. ``"discrete"``: through the steps; exact for the numerical
        solution, keeps all steps. ``"continuous"``: integrates the adjoint equation backwards,
        in memory for one step, as exact as the tolerances (Pontryagin; Chen et al., *Neural
        ordinary differential equations*, 2018); real states and no events. The solution itself is
        integrated backwards too, so it is of no use where that is unstable: diffusion, friction,
        stiff problems. Forward mode goes through the steps in either case (forward
        sensitivities).
    **options
        ``rtol``, ``atol``, ``first_step``, ``max_step``, as in SciPy.

    Returns
    -------
    result
        With SciPy's fields ``t`` (m,), ``y`` (n, m), ``sol``, ``t_events``, ``y_events``, ``nfev``,
        ``njev``, ``nlu``, ``status``, ``message``, ``success``.

    Raises
    ------
    TypeError
        States or derivatives that are no vectors; a method or a request that traced values do
        not allow.
    ValueError
        ``t_eval`` outside of ``t_span`` or not sorted; ``y0`` or ``fun(t0, y0)`` not finite.

    Notes
    -----
    Without traced values it is SciPy's. With them the steps are SciPy's too (for Radau nearly so:
    it makes a Jacobian at every step). Step sizes are constants to derivatives.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> from functorch_like.scipy.integrate import solve_ivp
    >>> def end(k):
    ...     decay = lambda t, y: -k * y
    ...     return solve_ivp(decay, (0.0, 1.0), [1.0], t_eval=[1.0], rtol=1e-9, atol=1e-9).y[0, 0]
    >>> print(np.allclose([ft.grad(end)(2.0), ft.jit(ft.grad(end))(2.0)], -np.exp(-2.0)))
    True
    """
    if not in_trace():
        import scipy.integrate

        return scipy.integrate.solve_ivp(
            fun, t_span, y0, method, t_eval, dense_output, events, vectorized, args, **options
        )
    if adjoint not in ("discrete", "continuous"):
        raise ValueError(
            f"solve_ivp: expected adjoint 'discrete' or 'continuous'; got {adjoint!r}, at "
            f"{user_line()}."
        )
    given = () if args is None else tuple(args)
    setup = _setup("solve_ivp", fun, t_span, y0, method, given, options)
    times = _eval_times(setup, t_eval)
    found = _prepared(events, given)
    if adjoint == "continuous":
        return _continuous(setup, times, found, dense_output)
    if _all_known(setup, times, found):
        return _eager(setup, times, found, dense_output)
    return _compiled(setup, times, found, dense_output)


def _eval_times(setup: _Setup, t_eval: Any) -> Any:
    if t_eval is None:
        return None
    if isinstance(t_eval, (list, tuple)):
        t_eval = np.stack([as_array(t) for t in t_eval]) if t_eval else np.zeros(0)
    times = as_array(t_eval)
    if len(times.shape) != 1:
        raise ValueError(
            f"solve_ivp: expected t_eval of one dimension; got shape {times.shape}, at "
            f"{user_line()}."
        )
    times = times if times.dtype.kind == "f" else times.astype(np.float64)
    plain = [_known(x) for x in (times, setup.t0, setup.problem.end)]
    if all(x is not None for x in plain):
        ts, t0, t1 = plain
        if np.any(ts < min(t0, t1)) or np.any(ts > max(t0, t1)):
            raise ValueError(
                f"solve_ivp: expected t_eval within t_span = ({t0}, {t1}); got values from "
                f"{ts.min()} to {ts.max()}, at {user_line()}."
            )
        if np.any(np.diff(ts) * (1 if t1 >= t0 else -1) <= 0):
            raise ValueError(
                f"solve_ivp: expected t_eval in the order of integration, without repetition, at "
                f"{user_line()}; sort it."
            )
    return times


def _all_known(setup: _Setup, times: Any, events: Sequence[_Event]) -> bool:
    """Whether values are known, though tangents may be a batch: then Python takes the steps."""
    t0, y0 = setup.t0, setup.y0
    f0 = setup.problem.fun(t0, y0)
    _require_finite("solve_ivp", "fun(t0, y0)", f0)
    seen = [t0, y0, setup.problem.end, f0]
    seen += [e.fun(t0, y0) for e in events]
    if times is not None:
        seen.append(times)
    return all(_known(x) is not None for x in seen)


def _known(x: Any) -> Any:
    return x.concrete() if isinstance(x, Tracer) else x


# --------------------------------------------------------------------------------------
# Events


class _Event(NamedTuple):
    fun: Callable
    terminal: float  # occurrences that end the integration
    direction: float

    def crossed(self, before: Any, after: Any) -> Any:
        """Whether the function went through zero in its direction."""
        up, down = (before <= 0) & (after >= 0), (before >= 0) & (after <= 0)
        return up if self.direction > 0 else down if self.direction < 0 else up | down


def _prepared(events: Any, args: tuple) -> list[_Event]:
    """Events from functions with SciPy's attributes."""
    if events is None:
        return []
    made = []
    for event in (events,) if callable(events) else events:
        terminal = getattr(event, "terminal", None)
        count = math.inf if not terminal else float(terminal)
        if count != math.inf and (count < 1 or int(count) != count):
            raise ValueError(
                f"solve_ivp: expected {name_of(event)}.terminal to be a boolean or a positive "
                f"integer; got {terminal!r}, at {user_line()}."
            )
        fun = functools.partial(_event_value, event, args)
        made.append(_Event(fun, count, float(getattr(event, "direction", 0) or 0)))
    return made


def _event_value(event: Callable, args: tuple, t: Any, y: Any) -> Any:
    value = as_array(event(t, y, *args))
    if value.shape == (1,):
        value = value[0]
    if value.shape != ():
        raise TypeError(
            f"solve_ivp: expected {name_of(event)} to return a number; got shape {value.shape}, at "
            f"{user_line()}."
        )
    return value


def _event_time(setup: _Setup, state: State, event: _Event) -> Any:
    """The zero of an event within a step, with the derivative of a root."""

    def value(x: Any) -> Any:  # x: the fraction of the step
        t = state.t_old + x * (state.t - state.t_old)
        return event.fun(t, setup.method.interpolate(setup.problem, state, t))

    x = custom_root(value, np.float64(0.5), _bisect, lambda g, y: y / g(np.float64(1.0)))
    return state.t_old + x * (state.t - state.t_old)


def _bisect(f: Callable, _: Any) -> Any:
    """A zero in [0, 1] by the ITP-like mixture of bisection and false position (Illinois)."""
    low, high = np.float64(0.0), np.float64(1.0)

    def more(value: tuple) -> Any:
        a, b, _, fb, count = value
        return (np.abs(b - a) > 4e-16) & (fb != 0) & (count < 120)

    def step(value: tuple) -> tuple:
        a, b, fa, fb, count = value
        slope = fb - fa
        flat = slope == 0
        secant = b - fb * (b - a) / np.where(flat, 1.0, slope)
        middle = 0.5 * (a + b)
        # Every third step halves, so that it ends.
        c = np.where((count % 3 == 2) | flat, middle, secant)
        fc = f(c)
        crosses = fc * fb <= 0
        return (
            np.where(crosses, b, a),
            c,
            np.where(crosses, fb, np.where(count % 3 == 2, fa, 0.5 * fa)),
            fc,
            count + 1,
        )

    # The second one is the answer where it is a zero: as SciPy has it, the start of the step.
    _, x, _, _, _ = while_loop(more, step, (high, low, f(high), f(low), np.int64(0)))
    return x


# --------------------------------------------------------------------------------------
# The three ways


def _result(
    setup: _Setup, t: Any, y: Any, status: Any, nfev: Any, t_events: Any, y_events: Any, sol: Any
) -> OdeResult:
    known = _known(as_array(status))
    return OdeResult(
        t=t,
        y=y,
        sol=sol,
        t_events=t_events,
        y_events=y_events,
        nfev=nfev,
        njev=0,
        nlu=0,
        status=status if known is None else int(known),
        message=None if known is None else MESSAGES[int(known)],
        success=status >= 0 if known is None else int(known) >= 0,
    )


def _eager(setup: _Setup, times: Any, events: list[_Event], dense_output: bool) -> OdeResult:
    """Step after step in Python: the values are known, and so is what happens when."""
    problem, method = setup.problem, setup.method
    direction = float(_known(problem.direction))
    state = start(problem, method, setup.t0, setup.y0)
    ts: list[Any] = [setup.t0] if times is None else []
    ys: list[Any] = [setup.y0] if times is None else []
    left = [] if times is None else list(enumerate(np.atleast_1d(_known(times)).tolist()))
    pieces: list[State] = []
    values = [e.fun(setup.t0, setup.y0) for e in events]
    t_events: list[list] = [[] for _ in events]
    y_events: list[list] = [[] for _ in events]
    status = 0
    if int(_known(state.status)) == FINISHED and times is None:  # an interval of no length
        ts.append(setup.t0)
        ys.append(setup.y0)
    while True:
        running = int(_known(state.status)) == RUNNING
        if running:
            state = attempt(problem, method, state)
            while bool(_known(state.rejected)) and int(_known(state.status)) == RUNNING:
                state = attempt(problem, method, state)
            if int(_known(state.status)) == FAILED:
                status = -1
                break
            pieces.append(state)
        t, y = state.t, state.y
        happened = []
        if running:
            after = [e.fun(t, y) for e in events]
            for i, e in enumerate(events):
                if bool(_known(e.crossed(constant(values[i]), constant(after[i])))):
                    happened.append((_event_time(setup, state, e), i))
            values = after
        happened.sort(key=lambda pair: direction * float(_known(pair[0])))
        for te, i in happened:
            t_events[i].append(te)
            y_events[i].append(method.interpolate(problem, state, te))
            if len(t_events[i]) >= events[i].terminal:
                status, t, y = 1, te, y_events[i][-1]
                break
        if times is None:
            if running:
                ts.append(t)
                ys.append(y)
        else:
            until = float(_known(t))
            while left and direction * (until - left[0][1]) >= 0:
                i, _ = left.pop(0)
                ts.append(times[i])
                ys.append(method.interpolate(problem, state, times[i]))
        if status == 1 or not running or int(_known(state.status)) == FINISHED:
            break
    sol = _Piecewise(setup, pieces, setup.t0, setup.y0) if dense_output else None
    n = setup.y0.shape[0]
    return _result(
        setup,
        np.stack(ts) if ts else np.zeros(0),
        np.stack(ys, axis=1) if ys else np.zeros((n, 0)),
        np.int64(status),
        int(_known(state.nfev)),
        [np.stack(t) if t else np.zeros(0) for t in t_events] if events else None,
        [np.stack(y) if y else np.zeros((0, n)) for y in y_events] if events else None,
        sol,
    )


class _Piecewise:
    """The solution as a function of time: the interpolant of the step that a time is in."""

    def __init__(self, setup: _Setup, pieces: list[State], t0: Any, y0: Any) -> None:
        self.setup, self.pieces, self.t0, self.y0 = setup, pieces, t0, y0
        self.ends = np.array([float(_known(p.t)) for p in pieces])
        self.direction = float(_known(setup.problem.direction))

    def __call__(self, t: Any) -> Any:
        """The solution at times: (n,) for a number, (n, m) for m of them."""
        times = as_array(t)
        known = _known(times)
        if known is None:
            raise TypeError(
                f"solve_ivp: expected times that are known when sol is called; got a traced one "
                f"without a value, at {user_line()}; use t_eval."
            )
        if not self.pieces:
            return self.y0 if known.shape == () else np.stack([self.y0] * len(known), axis=1)
        order = np.searchsorted(self.direction * self.ends, self.direction * np.atleast_1d(known))
        order = np.minimum(order, len(self.pieces) - 1)
        flat = times.reshape(-1)
        made = [
            self.setup.method.interpolate(self.setup.problem, self.pieces[k], flat[i])
            for i, k in enumerate(order)
        ]
        return made[0] if known.shape == () else np.stack(made, axis=1)


def _compiled(setup: _Setup, times: Any, events: list[_Event], dense_output: bool) -> OdeResult:
    """Loops that can be staged: shapes are those of ``times``."""
    if times is None:
        raise TypeError(
            "solve_ivp: expected t_eval under vmap and jit, where the number of steps is not "
            f"known; at {user_line()}; write t_eval=[tf] for the end alone."
        )
    if dense_output:
        raise TypeError(
            "solve_ivp: expected dense_output=False under vmap and jit, where the number of steps "
            f"is not known; at {user_line()}; use t_eval."
        )
    if any(e.terminal != 1 for e in events):
        raise TypeError(
            "solve_ivp: expected terminal events under vmap and jit, where the number of others "
            f"is not known; at {user_line()}; set event.terminal = True, or call it without them."
        )
    problem, method = setup.problem, setup.method
    state = start(problem, method, setup.t0, setup.y0)
    if not events:
        state, ys = sample(problem, method, state, times)
        state = advance(problem, method, state, lambda s: np.bool_(False))
        status = np.where(state.status == FAILED, -1, 0)
        return _result(setup, times, ys.T, status, state.nfev, None, None, None)
    return _until_event(setup, state, times, events)


def _until_event(setup: _Setup, state: State, times: Any, events: list[_Event]) -> OdeResult:
    problem, method = setup.problem, setup.method

    def values(s: State) -> Any:
        return np.stack([constant(e.fun(constant(s.t), constant(s.y))) for e in events])

    def crossed(before: Any, after: Any) -> Any:
        return np.stack([e.crossed(before[i], after[i]) for i, e in enumerate(events)])

    # The end, and which events are there, from a run without derivatives.
    def more(carry: tuple) -> Any:
        s, _, hit = carry
        return (s.status == RUNNING) & ~np.any(hit)

    def step(carry: tuple) -> tuple:
        s, before, _ = carry
        s = attempt(problem, method, s)
        after = values(s)
        hit = crossed(before, after) & ~s.rejected
        return s, np.where(s.rejected, before, after), hit

    last, _, hit = while_loop(more, step, (state, values(state), np.zeros(len(events), dtype=bool)))
    found = [_guarded_time(setup, last, e, hit[i]) for i, e in enumerate(events)]
    order = [np.where(hit[i], problem.direction * constant(t), np.inf) for i, t in enumerate(found)]
    first = functools.reduce(np.minimum, order)
    happened = [hit[i] & (order[i] == first) for i in range(len(events))]
    any_hit = np.any(hit)
    t_end = problem.end
    for h, t in zip(happened, found, strict=True):
        t_end = np.where(h, t, t_end)
    y_end = method.interpolate(problem, last, t_end)
    n = setup.y0.shape[0]
    t_events = [np.where(h, t, np.nan).reshape(1) for h, t in zip(happened, found, strict=True)]
    y_events = [np.where(h, y_end, np.nan).reshape(1, n) for h in happened]
    # The solution at the times before it, on the same steps.
    before_end = problem.direction * (constant(t_end) - constant(times)) >= 0
    within = np.where(before_end, times, setup.t0)
    ordered = np.where(before_end, within, constant(t_end))
    state, ys = sample(problem, method, state, ordered)
    ys = np.where(before_end[:, None], ys, np.nan)
    status = np.where(last.status == FAILED, -1, np.where(any_hit, 1, 0))
    return _result(setup, times, ys.T, status, last.nfev, t_events, y_events, None)


def _guarded_time(setup: _Setup, state: State, event: _Event, hit: Any) -> Any:
    """The time of an event, or the end of the step where it did not happen."""

    def shifted(t: Any, y: Any) -> Any:
        # A function with a zero in any case: where there is none, of the step's fraction.
        h = state.t - state.t_old
        x = (t - state.t_old) / np.where(h == 0, 1.0, h)
        return np.where(hit, event.fun(t, y), x - 0.5)

    return _event_time(setup, state, event._replace(fun=shifted))


def _continuous(setup: _Setup, times: Any, events: list[_Event], dense_output: bool) -> OdeResult:
    if events or dense_output:
        raise TypeError(
            "solve_ivp: expected neither events nor dense_output with adjoint='continuous', at "
            f"{user_line()}; use adjoint='discrete'."
        )
    if setup.y0.dtype.kind == "c":
        raise TypeError(
            f"solve_ivp: expected a real state with adjoint='continuous'; got "
            f"{setup.y0.dtype}, at {user_line()}; use adjoint='discrete'."
        )
    if times is None:
        raise TypeError(
            "solve_ivp: expected t_eval with adjoint='continuous', which does not keep the steps; "
            f"at {user_line()}; write t_eval=[tf] for the end alone."
        )
    ys, status, nfev = sample_adjoint(setup.problem, setup.method, setup.t0, setup.y0, times)
    return _result(setup, times, ys.T, status, nfev, None, None, None)


@boundary
def odeint(
    func: Callable,
    y0: Any,
    t: Any,
    args: tuple = (),
    Dfun: Any = None,  # noqa: N803 (SciPy's name)
    col_deriv: Any = 0,
    full_output: Any = 0,
    ml: Any = None,
    mu: Any = None,
    rtol: float | None = None,
    atol: Any = None,
    tcrit: Any = None,
    h0: float = 0.0,
    hmax: float = 0.0,
    hmin: float = 0.0,
    ixpr: Any = 0,
    mxstep: int = 0,
    mxhnil: int = 0,
    mxordn: int = 12,
    mxords: int = 5,
    printmessg: Any = 0,
    tfirst: bool = False,
    *,
    method: str = "RK45",
    adjoint: str = "discrete",
) -> Any:
    """Solution of ``dy/dt = func(y, t, *args)`` at given times, differentiable.

    Parameters
    ----------
    func
        ``func(y, t, *args)``, or ``func(t, y, *args)`` with ``tfirst``.
    y0
        State (n,) at ``t[0]``.
    t
        Times (m,), monotonic; the first one is where the solution starts.
    args
        Further arguments of ``func``.
    rtol, atol
        Tolerances, 1.49e-8 by default.
    h0, hmax
        First and largest step, 0 for no say.
    method, adjoint
        As in ``solve_ivp``: SciPy's LSODA runs where nothing is traced, ``method`` where
        something is.

    Returns
    -------
    array
        (m, n).

    Raises
    ------
    TypeError
        ``full_output`` where values are traced, and as in ``solve_ivp``.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> from functorch_like.scipy.integrate import odeint
    >>> last = lambda k: odeint(lambda y, t: -k * y, [1.0], np.array([0.0, 1.0]))[-1, 0]
    >>> print(np.allclose(ft.grad(last)(2.0), -np.exp(-2.0)))
    True
    """
    if not in_trace():
        import scipy.integrate

        return scipy.integrate.odeint(
            func, y0, t, args, Dfun, col_deriv, full_output, ml, mu, rtol, atol, tcrit, h0, hmax,
            hmin, ixpr, mxstep, mxhnil, mxordn, mxords, printmessg, tfirst,
        )  # fmt: skip
    if full_output:
        raise TypeError(
            f"odeint: expected full_output=0 where values are traced, at {user_line()}; use "
            "solve_ivp, whose result has the counts."
        )
    times = as_array(t if not isinstance(t, (list, tuple)) else np.stack([as_array(x) for x in t]))
    if len(times.shape) != 1 or times.shape[0] < 1:
        raise TypeError(
            f"odeint: expected t as a vector of times; got shape {times.shape}, at {user_line()}."
        )
    args = args if isinstance(args, tuple) else (args,)
    fun = func if tfirst else (lambda t, y, *rest: func(y, t, *rest))
    options: dict[str, Any] = {
        "rtol": 1.49012e-8 if rtol is None else rtol,
        "atol": 1.49012e-8 if atol is None else atol,
    }
    if h0:
        options["first_step"] = h0
    if hmax:
        options["max_step"] = hmax
    made = solve_ivp(
        fun, (times[0], times[-1]), y0, method, times, args=args, adjoint=adjoint, **options
    )
    return made.y.T
