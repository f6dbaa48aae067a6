"""Overriding derivatives: one rule, written once, in every mode.

A ``custom_vjp``'s backward function is linear in the cotangent, so forward mode is its
transpose; a ``custom_jvp``'s rule is linear in the tangent, so reverse mode is its transpose.
Both rules are ordinary traced code and can be differentiated again, batched and staged. What
the functions close over is differentiated in the ordinary way.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from . import tree
from .arguments import as_array, resolve_argnums, substitute
from .errors import boundary, name_of
from .function_primitives import (
    CaptureTrace,
    FunctionPrimitive,
    avals_of,
    evaluated,
    inside,
    join,
    link,
    stage_function,
    strip,
    sum_over_batch,
    transpose_linear,
)
from .graph import Graph
from .primitives.core import (
    LinearTrace,
    LinearTracer,
    Tracer,
    beside,
    shape_of,
    state,
    under,
)
from .primitives.stopping import stop_gradient as stop_primitive
from .reverse import ReverseTracer

__all__ = [
    "custom_gradient",
    "custom_jvp",
    "custom_vjp",
    "stop_gradient",
]


@boundary
def stop_gradient(x: Any) -> Any:
    """The same values, constant to every derivative.

    Parameters
    ----------
    x
        Array, or pytree of arrays.

    Examples
    --------
    >>> import functorch_like as ft
    >>> ft.grad(lambda x: x * ft.stop_gradient(x))(3.0)
    np.float64(3.0)
    """
    return tree.map(lambda leaf: stop_primitive(leaf) if isinstance(leaf, Tracer) else leaf, x)


# A rule usually calls its own function, so that its derivatives have rules again: staging it
# would never end. Rules are staged this deep, one level an order of differentiation; asking a
# graph for a derivative beyond is an error.
STAGED_ORDERS = 3


class _Depths(threading.local):
    """How many times each rule is being staged inside itself."""

    def __init__(self) -> None:
        self.of: dict[int, int] = {}


_depths = _Depths()


@contextlib.contextmanager
def _staging(owner: Any) -> Iterator[bool]:
    """Enter the staging of a rule; says whether it may be staged once more."""
    depth = _depths.of.get(id(owner), 0)
    _depths.of[id(owner)] = depth + 1
    try:
        yield depth < STAGED_ORDERS
    finally:
        _depths.of[id(owner)] = depth


class _BeyondError(TypeError):
    """A rule is not staged this deep; where it is only staged anew, it ends there again."""


def _beyond(*_: Any) -> Any:
    raise _BeyondError(
        f"graph: a derivative of order above {STAGED_ORDERS} of a function with a custom rule was "
        "asked of a staged graph; differentiate the function and stage the result instead."
    )


# --------------------------------------------------------------------------------------
# custom_vjp


class _CustomVjp(FunctionPrimitive):
    """params: function(*xs); forward(*xs) -> (outs, residuals); backward(residuals, cts)."""

    __slots__ = ()

    functions = ("function", "forward_function", "backward_function")

    def record_own(self, trace: Any, primals: Sequence, slots: Sequence, params: dict) -> Any:
        backward = params["backward_function"]
        outs, residuals = params["forward_function"](*map(self.guard, primals))
        residuals = _stripped(trace, residuals)
        values = [strip(trace, x)[0] for x in outs]

        def pull(cts: list) -> Sequence[Any]:
            return backward(residuals, cts)

        return link(trace, outs, slots, pull, lambda ts: transpose_linear(pull, values, ts))

    def forward_own(self, trace: Any, primals: Sequence, tangents: Sequence, params: dict) -> Any:
        backward = params["backward_function"]
        outs, residuals = params["forward_function"](*map(self.guard, primals))
        residuals = _stripped(trace, residuals)
        values = [strip(trace, x)[0] for x in outs]
        with under(CaptureTrace(trace.parent, trace)):
            pushed = transpose_linear(lambda cts: backward(residuals, cts), values, tangents)
        return join(trace, outs, pushed)

    def process_batch(self, trace: Any, operands: Sequence, batched: list, params: dict) -> Any:
        forward, backward = params["forward_function"], params["backward_function"]

        def batched_forward(*values: Any) -> tuple[list, Any]:
            kept: list[Any] = []

            def run(*xs: Any) -> list:
                outs, residuals = forward(*xs)
                kept.append(residuals)
                return outs

            outs = inside(trace, run, batched)(*values)
            return outs, kept[0]

        def batched_backward(residuals: Any, cts: Sequence[Any]) -> list:
            missing: list[int] = []

            def run(*given: Any) -> list:
                parts = backward(residuals, list(given))
                missing.extend(i for i, part in enumerate(parts) if part is None)
                return [0.0 if part is None else part for part in parts]

            parts = inside(trace, run, [True] * len(cts))(*cts)
            parts = [None if i in missing else part for i, part in enumerate(parts)]
            return sum_over_batch(parts, batched)

        return self(
            *operands,
            function=inside(trace, params["function"], batched),
            forward_function=batched_forward,
            backward_function=batched_backward,
            owner=params["owner"],
        )

    def stage(self, trace: Any, operands: Sequence, params: dict) -> Any:
        avals = avals_of(operands)
        graph, _, _ = stage_function(trace, params["function"], avals)
        # The backward function is staged inside the forward one: what it captures from there,
        # through residuals or by closure, are the residuals of the staged rule.
        held: dict[str, Any] = {}

        def forward(*xs: Any) -> list:
            outs, residuals = params["forward_function"](*xs)
            inner: Any = state.trace
            backward, record, _ = stage_function(
                inner,
                lambda *cts: [
                    beside(x, np.zeros(shape_of(x), x.dtype)) if part is None else part
                    for part, x in zip(
                        params["backward_function"](residuals, list(cts)), xs, strict=True
                    )
                ],
                avals_of(outs),
            )
            held["backward"] = backward
            return [*outs, *record.captured]

        owner = params["owner"]
        constants = [*graph.constant_values]
        staged = {"function": graph, "forward": None, "backward": None, "owner": owner}
        with _staging(owner) as allowed:
            if allowed:
                with contextlib.suppress(_BeyondError):
                    staged["forward"], _, _ = stage_function(trace, forward, avals)
                    staged["backward"] = held["backward"]
                    constants += staged["forward"].constant_values
        return self.append_staged(trace, graph, constants, operands, staged)

    def evaluate(self, operands: Sequence, params: dict) -> Any:
        graph, forward, backward = params["function"], params["forward"], params["backward"]
        first = len(graph.constants)
        second = first + (0 if forward is None else len(forward.constants))
        own, other, xs = operands[:first], operands[first:second], operands[second:]
        count = len(graph.outputs)

        def forward_function(*values: Any) -> tuple[list, list]:
            results = forward.evaluate(values, other)
            return results[:count], results[count:]

        return self(
            *xs,
            function=evaluated(graph, own),
            forward_function=_beyond if forward is None else forward_function,
            backward_function=lambda residuals, cts: backward.evaluate(cts, residuals),
            owner=params["owner"],
        )


def _stripped(trace: Any, residuals: Any) -> Any:
    """Residuals as values of the parent trace; those of a batch inside go back into it."""

    def value(x: Any) -> Any:
        return strip(trace, x)[0] if isinstance(x, Tracer) and x._trace is trace else x

    return tree.map(value, residuals)


custom_vjp_call = _CustomVjp("custom_vjp_call")


def _resolve(f: Callable, args: tuple, kwargs: dict) -> tuple:
    """Arguments by position, keywords and defaults filled in."""
    if not kwargs:
        return args
    bound = inspect.signature(f).bind(*args, **kwargs)
    bound.apply_defaults()
    if bound.kwargs:
        raise TypeError(
            f"{name_of(f)}: a function with a custom derivative takes keyword-only arguments by a "
            "closure; pass the others by position."
        )
    return bound.args


class _Ruled:
    """A function with a rule of its own: what ``custom_vjp`` and ``custom_jvp`` share."""

    def __init__(self, fun: Callable, nondiff_argnums: Sequence[int]) -> None:
        functools.update_wrapper(self, fun, updated=())
        self.fun = fun
        self.nondiff_argnums = tuple(nondiff_argnums)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self, instance)


class _Call:
    """One call of a function with a rule, its arguments split and flattened."""

    def __init__(self, ruled: _Ruled, args: tuple, kwargs: dict) -> None:
        self.fun = ruled.fun
        args = _resolve(self.fun, args, kwargs)
        name = type(ruled).__name__
        positions = resolve_argnums(name, self.fun, ruled.nondiff_argnums, len(args))
        self.args = substitute(args, positions, [stop_gradient(args[i]) for i in positions])
        self.nondiff = [self.args[i] for i in positions]
        self.diff = [i for i in range(len(args)) if i not in positions]
        leaves, self.in_tree = tree.flatten(tuple(args[i] for i in self.diff))
        self.leaves = [as_array(x) for x in leaves]
        self.out_tree: Any = None  # known once the function, or its rule, has run

    def arguments(self, values: Sequence[Any]) -> tuple:
        """All arguments, ``values`` in place of the differentiated leaves."""
        return substitute(self.args, self.diff, tree.unflatten(self.in_tree, values))

    def flat(self, out: Any) -> list:
        outs, self.out_tree = tree.flatten(out)
        return outs

    def function(self, *values: Any) -> list:
        return self.flat(self.fun(*self.arguments(values)))


class custom_vjp(_Ruled):  # noqa: N801  (JAX's name)
    """Give a function its own reverse rule.

    Parameters
    ----------
    fun
        The function.
    nondiff_argnums
        Positions of arguments, of any type and arrays included, that are not differentiated;
        they come first among the arguments of the backward function.

    Notes
    -----
    ``defvjp(forward, backward)`` sets the rule. ``forward`` takes the arguments of ``fun`` and
    returns ``(output, residuals)``; ``backward(residuals, cotangent)`` returns a tuple, one
    cotangent (or None for zero) a differentiated argument. Forward mode, Hessians, ``vmap`` and
    staging follow from these two.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> @ft.custom_vjp
    ... def clipped(x):
    ...     return x
    >>> clipped.defvjp(lambda x: (x, None), lambda _, ct: (np.clip(ct, -1, 1),))
    >>> ft.grad(lambda x: 5 * clipped(x))(2.0)
    np.float64(1.0)
    """

    def __init__(self, fun: Callable, nondiff_argnums: Sequence[int] = ()) -> None:
        super().__init__(fun, nondiff_argnums)
        self.forward: Callable | None = None
        self.backward: Callable | None = None

    def defvjp(self, forward: Callable, backward: Callable) -> None:
        """Set the forward and backward functions."""
        self.forward, self.backward = forward, backward

    @boundary
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        forward, backward, name = self.forward, self.backward, name_of(self.fun)
        if forward is None or backward is None:
            raise TypeError(
                f"custom_vjp({name}): no rule is set; call {name}.defvjp(forward, backward)."
            )
        call = _Call(self, args, kwargs)

        def forward_function(*values: Any) -> tuple[list, Any]:
            made = forward(*call.arguments(values))
            if not (isinstance(made, (tuple, list)) and len(made) == 2):
                raise TypeError(
                    f"custom_vjp({name}): expected the forward function to return a pair (output, "
                    f"residuals); got {type(made).__name__}."
                )
            return call.flat(made[0]), made[1]

        def backward_function(residuals: Any, cts: Sequence[Any]) -> list:
            made = backward(*call.nondiff, residuals, tree.unflatten(call.out_tree, cts))
            return check_cotangents(f"custom_vjp({name})", made, call.in_tree, call.leaves)

        outs = custom_vjp_call(
            *call.leaves,
            function=call.function,
            forward_function=forward_function,
            backward_function=backward_function,
            owner=self,
        )
        return tree.unflatten(call.out_tree, outs)


def check_cotangents(where: str, made: Any, in_tree: Any, leaves: Sequence[Any]) -> list:
    """Flat cotangents from what a user's backward function returned."""
    args = tree.unflatten(in_tree, leaves)
    if not isinstance(made, (tuple, list)) or len(made) != len(args):
        got = f"{len(made)} entries" if isinstance(made, (tuple, list)) else type(made).__name__
        raise TypeError(
            f"{where}: expected the backward function to return a tuple with an entry (a cotangent "
            f"or None) for each of the {len(args)} differentiated arguments; got {got}."
        )
    flat: list[Any] = []
    for k, (ct, arg) in enumerate(zip(made, args, strict=True)):
        wanted, structure = tree.flatten(arg)
        if ct is None:
            flat.extend([None] * len(wanted))
            continue
        given, got_structure = tree.flatten(ct)
        if got_structure != structure:
            raise TypeError(
                f"{where}: expected a cotangent for argument {k} structured like it, "
                f"{tree.describe(structure)}; got {tree.describe(got_structure)}."
            )
        for x, ct_leaf in zip(wanted, given, strict=True):
            ct_leaf = as_array(ct_leaf)
            if shape_of(ct_leaf) != shape_of(x):
                raise TypeError(
                    f"{where}: expected a cotangent of shape {shape_of(x)} for argument {k}; got "
                    f"{shape_of(ct_leaf)}."
                )
            if ct_leaf.dtype != x.dtype and x.dtype.kind in "fc":
                from .numpy.manipulation import astype

                ct_leaf = astype(ct_leaf, x.dtype)
            flat.append(ct_leaf)
    return flat


def custom_gradient(fun: Callable) -> Callable:
    """Give a function its gradient as a closure.

    Parameters
    ----------
    fun
        Takes arrays (or pytrees) and returns ``(output, gradient)``, where
        ``gradient(cotangent)`` returns the cotangent of the argument, or a tuple of them where
        there are several.

    Returns
    -------
    Callable
        The function with that gradient, in every mode.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> @ft.custom_gradient
    ... def log1pexp(x):
    ...     e = np.exp(x)
    ...     return np.log(1 + e), lambda ct: ct * (1 - 1 / (1 + e))
    >>> ft.grad(log1pexp)(100.0)
    np.float64(1.0)
    """

    def value(*args: Any) -> Any:
        return _pair(args)[0]

    def _pair(args: tuple) -> Any:
        made = fun(*args)
        if not (isinstance(made, (tuple, list)) and len(made) == 2 and callable(made[1])):
            raise TypeError(
                f"custom_gradient({name_of(fun)}): expected the function to return (output, "
                f"gradient function); got {type(made).__name__}."
            )
        return made

    def forward(*args: Any) -> Any:
        out, gradient = _pair(args)
        return out, (_Held(gradient), len(args))

    def backward(residuals: Any, ct: Any) -> Any:
        held, count = residuals
        made = held.value(ct)
        return (made,) if count == 1 and not _is_single(made) else made

    def _is_single(made: Any) -> bool:
        return isinstance(made, tuple) and len(made) == 1

    functools.update_wrapper(value, fun, updated=())
    rule = custom_vjp(value)
    rule.defvjp(forward, backward)
    return rule


class _Held:
    """Keeps a function among residuals, as a leaf."""

    def __init__(self, value: Any) -> None:
        self.value = value


# --------------------------------------------------------------------------------------
# custom_jvp


class _CustomJvp(FunctionPrimitive):
    """params: function(*xs) -> outs; rule(xs, ts) -> (outs, tangents)."""

    __slots__ = ()

    functions = ("function", "rule")

    def record_own(self, trace: Any, primals: Sequence, slots: Sequence, params: dict) -> Any:
        linear = LinearTrace(state.trace, trace.tape, trace.label)
        tangents = [
            beside(x, np.zeros(x.shape, x.dtype))
            if slot is None
            else LinearTracer(linear, x.shape, x.dtype, slot)
            for x, slot in zip(primals, slots, strict=True)
        ]
        with under(linear):
            outs, pushed = params["rule"]([self.guard(x) for x in primals], tangents)
        made = []
        for out, t in zip(outs, pushed, strict=True):
            x, through = strip(trace, out)
            slot = t.slot if type(t) is LinearTracer and t._trace is linear else None
            if through is not None and slot is not None:
                identity = lambda t: t  # noqa: E731
                entry = tuple((s, identity, identity, (), None, identity) for s in (through, slot))
                made.append(trace.new(x, entry))
            elif through is not None or slot is not None:
                made.append(ReverseTracer(trace, x, slot if through is None else through))
            else:
                made.append(x)
        return tuple(made)

    def forward_own(self, trace: Any, primals: Sequence, tangents: Sequence, params: dict) -> Any:
        full = [
            beside(x, np.zeros(x.shape, x.dtype)) if t is None else t
            for x, t in zip(primals, tangents, strict=True)
        ]
        outs, pushed = params["rule"]([self.guard(x) for x in primals], full)
        return join(trace, outs, pushed)

    def process_batch(self, trace: Any, operands: Sequence, batched: list, params: dict) -> Any:
        rule, count = params["rule"], len(operands)

        def batched_rule(xs: Sequence[Any], ts: Sequence[Any]) -> tuple[list, list]:
            def run(*values: Any) -> list:
                outs, pushed = rule(list(values[:count]), list(values[count:]))
                return [*outs, *pushed]

            results = inside(trace, run, [*batched, *batched])(*xs, *ts)
            half = len(results) // 2
            return results[:half], results[half:]

        return self(
            *operands,
            function=inside(trace, params["function"], batched),
            rule=batched_rule,
            owner=params["owner"],
        )

    def stage(self, trace: Any, operands: Sequence, params: dict) -> Any:
        avals = avals_of(operands)
        count = len(operands)
        graph, _, _ = stage_function(trace, params["function"], avals)

        def both(*values: Any) -> list:
            outs, pushed = params["rule"](list(values[:count]), list(values[count:]))
            return [*outs, *pushed]

        owner, rule, constants = params["owner"], None, [*graph.constant_values]
        with _staging(owner) as allowed:
            if allowed:
                with contextlib.suppress(_BeyondError):
                    rule, _, _ = stage_function(trace, both, [*avals, *avals])
                    constants += rule.constant_values
        staged = {"function": graph, "rule": rule, "owner": owner}
        return self.append_staged(trace, graph, constants, operands, staged)

    def evaluate(self, operands: Sequence, params: dict) -> Any:
        graph: Graph = params["function"]
        rule: Graph | None = params["rule"]
        first = len(graph.constants)
        second = first + (0 if rule is None else len(rule.constants))
        own, other, xs = operands[:first], operands[first:second], operands[second:]

        def both(values: Sequence[Any], tangents: Sequence[Any]) -> tuple[list, list]:
            if rule is None:
                return _beyond()
            results = rule.evaluate([*values, *tangents], other)
            half = len(results) // 2
            return results[:half], results[half:]

        function = evaluated(graph, own)
        return self(*xs, function=function, rule=both, owner=params["owner"])


custom_jvp_call = _CustomJvp("custom_jvp_call")


class custom_jvp(_Ruled):  # noqa: N801  (JAX's name)
    """Give a function its own forward rule.

    Parameters
    ----------
    fun
        The function.
    nondiff_argnums
        Positions of arguments, of any type and arrays included, that are not differentiated;
        they come first among the arguments of the rule.

    Notes
    -----
    ``defjvp(rule)`` sets ``rule(primals, tangents) -> (output, tangent)``, linear in the
    tangents; ``defjvps(*rules)`` sets one ``rule(t, output, *primals)`` an argument (None for
    zero). Reverse mode, Hessians, ``vmap`` and staging follow from it.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> @ft.custom_jvp
    ... def f(x, y):
    ...     return np.sin(x) * y
    >>> f.defjvps(lambda t, out, x, y: 10 * t, lambda t, out, x, y: t * np.sin(x))
    >>> ft.grad(f, argnums=(0, 1))(0.0, 1.0)
    (np.float64(10.0), np.float64(0.0))
    """

    def __init__(self, fun: Callable, nondiff_argnums: Sequence[int] = ()) -> None:
        super().__init__(fun, nondiff_argnums)
        self.rule: Callable | None = None

    def defjvp(self, rule: Callable) -> Callable:
        """Set the rule; also usable as a decorator."""
        self.rule = rule
        return rule

    def defjvps(self, *rules: Callable | None) -> None:
        """Set one rule an argument."""

        def rule(*args: Any) -> tuple[Any, Any]:
            *nondiff, primals, tangents = args
            filled = iter(primals)
            positions = {i % (len(nondiff) + len(primals)) for i in self.nondiff_argnums}
            given = iter(nondiff)
            full = [
                next(given) if i in positions else next(filled)
                for i in range(len(nondiff) + len(primals))
            ]
            out = self(*full)
            total: Any = None
            for one, t in zip(rules, tangents, strict=True):
                if one is not None:
                    part = one(t, out, *full)
                    total = part if total is None else tree.map(np.add, total, part)
            if total is None:
                total = tree.map(lambda x: beside(x, np.zeros(shape_of(x), x.dtype)), out)
            return out, total

        self.rule = rule

    @boundary
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        user_rule, name = self.rule, name_of(self.fun)
        if user_rule is None:
            raise TypeError(f"custom_jvp({name}): no rule is set; call {name}.defjvp(rule).")
        call = _Call(self, args, kwargs)

        def rule(values: Sequence[Any], tangents: Sequence[Any]) -> tuple[list, list]:
            primals_in, tangents_in = (tree.unflatten(call.in_tree, x) for x in (values, tangents))
            made = user_rule(*call.nondiff, primals_in, tangents_in)
            if not (isinstance(made, (tuple, list)) and len(made) == 2):
                raise TypeError(
                    f"custom_jvp({name}): expected the rule to return a pair (output, tangent); "
                    f"got {type(made).__name__}."
                )
            outs = call.flat(made[0])
            pushed, structure = tree.flatten(made[1])
            if structure != call.out_tree:
                raise TypeError(
                    f"custom_jvp({name}): expected a tangent structured like the output, "
                    f"{tree.describe(call.out_tree)}; got {tree.describe(structure)}."
                )
            for out, t in zip(outs, pushed, strict=True):
                if shape_of(as_array(out)) != shape_of(as_array(t)):
                    raise TypeError(
                        f"custom_jvp({name}): expected a tangent of shape {shape_of(out)}, that of "
                        f"the output; got {shape_of(t)}."
                    )
            return outs, [as_array(t) for t in pushed]

        outs = custom_jvp_call(*call.leaves, function=call.function, rule=rule, owner=self)
        return tree.unflatten(call.out_tree, outs)
