"""Passes that make a graph shorter without changing its values: ``Graph -> Graph``.

No pass changes the graph it is given; results share its variables and unchanged equations.
What a pass returns is for evaluation only: ``inline`` and ``identities`` let go of custom
rules and of ``stop_gradient``, so differentiate first. Arrays cannot be written inside a
graph, so ``copy`` is an identity there; a result of the graph may then be one of its inputs,
or the same variable as another result, and whoever runs the graph hands out copies.

Values stay the same bit for bit, with these exceptions:

* ``x + zeros``, for zeros that a derivative rule or ``np.zeros_like`` made, and sums over no
  axes: x itself, which keeps the sign of a -0.0 where the sum would be +0.0;
* the sign and payload of a NaN;
* the last bits of ``contract``: NumPy, too, sums a product in an order that depends on how
  its operands are laid out;
* the last bit of functions that NumPy computes otherwise for one number than for many.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from ..arguments import as_array
from ..graph import Equation, Graph, Literal, Var
from ..graph_transforms import derived, effectful
from ..primitives.contraction import contract
from ..primitives.core import Elementwise, Primitive, ShapedArray, aval_of
from ..primitives.elementwise import add, multiply, negative, square, subtract
from ..primitives.structural import broadcast_to, reshape, transpose, unslice
from .bounded import expand_bounded
from .scans import expand_scans

__all__ = [
    "PASSES",
    "absorb_transposes",
    "bodies",
    "common_subexpressions",
    "dead_code",
    "fold",
    "identities",
    "inline",
    "literals",
    "rewrite",
    "simplified",
    "simplify",
]

Value = Var | Literal


def simplify(graph: Graph) -> Graph:
    """Apply all of ``PASSES``.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> simplify(ft.make_graph(ft.grad(lambda x: np.sum(x**2)))(np.zeros(3)))
    graph(a: f64[3]) {
      b: f64[3] = multiply np.float64(2.0) a
      return b
    }
    """
    for step in PASSES:
        graph = step(graph)
    return graph


def _remade(
    graph: Graph,
    equations: list[Equation],
    outputs: Sequence[Value],
    constants: Iterable[tuple[Var, Any]] | None = None,
) -> Graph:
    """A graph of the same signature."""
    pairs = (
        list(zip(graph.constants, graph.constant_values, strict=True))
        if constants is None
        else list(constants)
    )
    made = Graph(
        graph.inputs, [v for v, _ in pairs], [x for _, x in pairs], equations, list(outputs)
    )
    made.in_tree, made.out_tree = graph.in_tree, graph.out_tree
    return made


def aval_of_value(x: Value) -> ShapedArray:
    """Shape and dtype of a variable or literal."""
    return x.aval if isinstance(x, Var) else aval_of(x.value)


# --------------------------------------------------------------------------------------
# inline


def _function_of(equation: Equation) -> Graph | None:
    """The graph an equation merely calls: custom rules, checkpoints and calls under jit."""
    if equation.primitive.carries_function:
        return equation.params["function"]
    return equation.params["graph"] if equation.primitive.name == "jit_call" else None


def inline(graph: Graph) -> Graph:
    """Replace calls (custom rules, checkpoints, jit) by the equations of what they call."""
    if not any(_function_of(e) for e in graph.equations):
        return graph
    equations: list[Equation] = []
    constants = list(zip(graph.constants, graph.constant_values, strict=True))
    lifted: dict[int, Var] = {}  # constants that called graphs hold themselves, by identity

    def lift(var: Var, value: Any) -> Var:
        if id(value) not in lifted:
            lifted[id(value)] = Var(var.aval)
            constants.append((lifted[id(value)], value))
        return lifted[id(value)]

    def call(inner: Graph, operands: list[Value]) -> list[Value]:
        split = len(operands) - len(inner.inputs)
        held: dict[Any, Value] = dict(zip(inner.inputs, operands[split:], strict=True))
        if split:
            # What the call's graphs captured comes first, that of the function before others.
            held.update(zip(inner.constants, operands[:split], strict=False))
        else:
            for var, value in zip(inner.constants, inner.constant_values, strict=True):
                held[var] = lift(var, value)
        write(inner.equations, held, fresh=True)
        found = [held.get(x, x) for x in inner.outputs]
        # A bare Python number would be weakly typed where it is used.
        return [Literal(as_array(x.value)) if isinstance(x, Literal) else x for x in found]

    def write(source: list[Equation], held: dict[Any, Value], fresh: bool) -> None:
        for equation in source:
            inputs = [held.get(x, x) for x in equation.inputs]
            inner = _function_of(equation)
            if inner is not None:
                held.update(zip(equation.outputs, call(inner, inputs), strict=True))
                continue
            outputs = equation.outputs
            if fresh:  # the same graph may be called twice
                outputs = [Var(v.aval) for v in outputs]
                held.update(zip(equation.outputs, outputs, strict=True))
            made = Equation(equation.primitive, inputs, equation.params, outputs, equation.line)
            equations.append(made)

    held: dict[Any, Value] = {}
    write(graph.equations, held, fresh=False)
    return _remade(graph, equations, [held.get(x, x) for x in graph.outputs], constants)


# --------------------------------------------------------------------------------------
# bodies

# Their graphs are only ever evaluated. Those of scan_vjp and while_vjp are differentiated when
# they run, and must keep their custom rules.
EVALUATED_BODIES = {"scan", "while_loop", "switch"}


def simplified(value: Any) -> Any:
    """A graph, or those among a param's values, simplified; it is done once."""
    if isinstance(value, Graph):
        return derived(value, "simplified", lambda: simplify(value))
    return tuple(map(simplified, value)) if isinstance(value, tuple) else value


def bodies(graph: Graph) -> Graph:
    """Simplify the graphs inside loops and branches."""
    if not any(e.primitive.name in EVALUATED_BODIES for e in graph.equations):
        return graph

    equations = [
        Equation(
            e.primitive,
            e.inputs,
            {k: simplified(v) for k, v in e.params.items()},
            e.outputs,
            e.line,
        )
        if e.primitive.name in EVALUATED_BODIES
        else e
        for e in graph.equations
    ]
    return _remade(graph, equations, graph.outputs)


# --------------------------------------------------------------------------------------
# literals


def _uniform_value(x: Any) -> Any:
    """The one number that a captured array holds and always will, else None."""
    if isinstance(x, np.generic):
        return x
    if type(x) is not np.ndarray or x.flags.writeable or any(x.strides) or not x.size:
        return None
    owner = x.base
    # A view of something others can write may change: theirs is one reference more than
    # those of the view, of this function and of the call below.
    if isinstance(owner, np.ndarray) and owner.flags.writeable and sys.getrefcount(owner) > 3:
        return None
    return x[(0,) * x.ndim]


def literals(graph: Graph) -> Graph:
    """Write captured numbers, and captured arrays of one number, into the equations."""
    kept, spread, held = [], [], {}
    for var, captured in zip(graph.constants, graph.constant_values, strict=True):
        value = _uniform_value(captured)
        if value is None:
            kept.append((var, captured))
        elif var.aval.shape:
            params = {"shape": var.aval.shape}
            spread.append(Equation(broadcast_to, [Literal(value)], params, [var]))
        else:
            held[var] = Literal(value)
    if not held and not spread:
        return graph
    equations = [*spread, *graph.equations]
    if held:
        equations = [
            Equation(e.primitive, [held.get(x, x) for x in e.inputs], e.params, e.outputs, e.line)  # type: ignore[arg-type]
            if any(x in held for x in e.inputs)
            else e
            for e in equations
        ]
    return _remade(graph, equations, [held.get(x, x) for x in graph.outputs], kept)  # type: ignore[arg-type]


# --------------------------------------------------------------------------------------
# dead code


def dead_code(graph: Graph) -> Graph:
    """Drop equations and captured arrays that no result depends on."""
    needed: set[Value] = set(graph.outputs)
    equations = []
    for equation in reversed(graph.equations):
        if not needed.isdisjoint(equation.outputs) or effectful(equation):
            equations.append(equation)
            needed.update(equation.inputs)
    if len(equations) == len(graph.equations) and needed.issuperset(graph.constants):
        return graph
    captured = zip(graph.constants, graph.constant_values, strict=True)
    return _remade(
        graph, equations[::-1], graph.outputs, [pair for pair in captured if pair[0] in needed]
    )


# --------------------------------------------------------------------------------------
# Rewriting: one walk in which every equation meets rules once its operands have met theirs

# A rule ``(walk, primitive, inputs, params, aval of the result)`` returns what stands for the
# result: a value, another operation ``(primitive, inputs, params)``, or None for "as it is".
Operation = tuple[Primitive, list[Value], dict[str, Any]]
Rule = Callable[["_Walk", Primitive, list[Any], dict[str, Any], ShapedArray], Any]

COMMUTATIVE = {add, multiply}


class _Walk:
    """A pass over the equations that applies rules and may share equal equations."""

    def __init__(self, graph: Graph, kinds: Sequence[Callable], share: bool) -> None:
        self.graph = graph
        self.kinds = kinds
        self.share = share
        self.chains: dict[Primitive, tuple[Rule, ...]] = {}
        self.equations: list[Equation] = []
        self.stands_for: dict[Any, Value] = {}  # what a variable was replaced by
        self.makers: dict[Any, Equation] = {}
        self.uniform: dict[Any, Literal] = {}  # variables that repeat one number
        self.seen: dict[Any, list[Var]] = {}
        self.uses: dict[Any, int] = {}
        self.line: str | None = None  # the user's, of the equation at hand

    def run(self) -> Graph:
        uses = self.uses
        for equation in self.graph.equations:
            for x in equation.inputs:
                uses[x] = uses.get(x, 0) + 1
        for x in self.graph.outputs:
            uses[x] = uses.get(x, 0) + 1
        for equation in self.graph.equations:
            self.visit(equation)
        stands_for = self.stands_for
        return _remade(
            self.graph, self.equations, [stands_for.get(x, x) for x in self.graph.outputs]
        )

    def rules(self, primitive: Primitive) -> tuple[Rule, ...]:
        chain = tuple(rule for kind in self.kinds if (rule := kind(primitive)) is not None)
        self.chains[primitive] = chain
        return chain

    def visit(self, equation: Equation) -> None:
        """Write the equation as the rules leave it, or note what stands for its results."""
        stands_for, outputs = self.stands_for, equation.outputs
        self.line = equation.line
        primitive, params = equation.primitive, equation.params
        inputs = [stands_for.get(x, x) for x in equation.inputs]
        chain = self.chains.get(primitive)
        if chain is None:
            chain = self.rules(primitive)
        changed = True
        while changed:
            changed = False
            for rule in chain:
                made = rule(self, primitive, inputs, params, outputs[0].aval)
                if made is None:
                    continue
                if type(made) is not tuple:
                    self.replace(outputs[0], made, inputs)
                    return
                primitive, inputs, params = made
                chain = self.chains.get(primitive) or self.rules(primitive)
                changed = True
                break
        if self.share and not effectful(equation):
            key = _key(primitive, inputs, params)
            found = self.seen.get(key)
            if found is not None:
                for out, same in zip(outputs, found, strict=True):
                    self.replace(out, same, ())
                return
            self.seen[key] = outputs
        # Every rule that changes the primitive or the params makes new params.
        if params is not equation.params or inputs != equation.inputs:
            equation = Equation(primitive, inputs, params, outputs, equation.line)
        self.equations.append(equation)
        for out in outputs:
            self.makers[out] = equation
        if primitive is broadcast_to and type(inputs[0]) is Literal:
            self.uniform[outputs[0]] = inputs[0]

    def replace(self, out: Var, value: Value, inputs: Sequence[Value]) -> None:
        self.stands_for[out] = value
        gone = 1 if value in inputs else 0
        self.uses[value] = self.uses.get(value, 0) + self.uses.get(out, 0) - gone

    def write(self, primitive: Primitive, inputs: list[Any], **params: Any) -> Value:
        """A further equation; returns its result."""
        out = Var(primitive.abstract(*map(aval_of_value, inputs), **params))
        self.visit(Equation(primitive, inputs, params, [out], self.line))
        return self.stands_for.get(out, out)

    def known(self, x: Value) -> Any:
        """The number that a value repeats, else None."""
        literal = x if type(x) is Literal else self.uniform.get(x)
        return None if literal is None else literal.value

    def operand(self, x: Value, maker: str) -> Any:
        """The first operand of the operation that made ``x``, if it is the one named."""
        made = self.makers.get(x)
        return made.inputs[0] if made is not None and made.primitive.name == maker else None


def _key(primitive: Primitive, inputs: Sequence[Value], params: dict) -> Any:
    """Equal for equations with equal results; arrays, graphs and functions by identity."""
    sources: list[Any] = [x if type(x) is Var else _literal_key(x) for x in inputs]
    if primitive in COMMUTATIVE:
        sources = [frozenset(sources)]
    key = (primitive, *sources, *params.items())
    try:
        hash(key)
    except TypeError:
        key = (primitive, *sources, *[(k, _hashable(v)) for k, v in params.items()])
    return key


def _literal_key(x: Any) -> tuple:
    # By its bits: 0.0 and -0.0 are equal, NaN is not.
    value = x.value
    return type(value), value.tobytes() if isinstance(value, np.generic) else repr(value)


def _hashable(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return tuple(map(_hashable, value))
    if isinstance(value, slice):  # hashable from Python 3.12 on
        return "slice", value.start, value.stop, value.step
    try:
        hash(value)
    except TypeError:
        return id(value)
    return value


def _spread(literal: Literal, aval: ShapedArray) -> Any:
    """A number repeated to a shape."""
    return (broadcast_to, [literal], {"shape": aval.shape}) if aval.shape else literal


def _fitted(x: Value, aval: ShapedArray) -> Any:
    """``x`` in place of a result that has its values; None where the dtype forbids it."""
    if type(x) is Literal:
        return _spread(x, aval) if aval_of(x.value).dtype == aval.dtype else None
    own = x.aval  # type: ignore[union-attr]
    if own == aval:
        return x
    return (broadcast_to, [x], {"shape": aval.shape}) if own.dtype == aval.dtype else None


# --- folding ---------------------------------------------------------------------------------

POINTWISE = {
    "complex_absolute", "conjugate", "convert", "copy", "discretize", "imag", "real",
    "stop_gradient",
}  # fmt: skip
MOVING = {"broadcast_to", "reshape", "slice_at", "transpose"}


def _folding(primitive: Primitive) -> Rule | None:
    if isinstance(primitive, Elementwise) or primitive.name in POINTWISE:
        return _fold_pointwise
    return _fold_moving if primitive.name in MOVING else None


def _fold_pointwise(walk: _Walk, primitive: Any, inputs: list, params: dict, aval: Any) -> Any:
    """Compute numbers made of numbers; take a repeated number as the number itself."""
    uniform = walk.uniform
    for x in inputs:
        if type(x) is Literal or x in uniform:
            break
    else:
        return None
    numbers = [x if type(x) is Literal else uniform.get(x) for x in inputs]
    if None not in numbers:
        with np.errstate(all="ignore"):
            operands = [x.value for x in numbers if x is not None]
            value = np.asarray(primitive.kernel(*operands, **params))[()]
        return _spread(Literal(value), aval) if value.dtype == aval.dtype else None
    if all(x is n or n is None for x, n in zip(inputs, numbers, strict=True)):
        return None
    # Another operand must keep the result's shape.
    if any(n is None and x.aval.shape == aval.shape for x, n in zip(inputs, numbers, strict=True)):
        settled = [x if n is None else n for x, n in zip(inputs, numbers, strict=True)]
        return primitive, settled, params
    return None


def _fold_moving(walk: _Walk, primitive: Any, inputs: list, params: dict, aval: Any) -> Any:
    """Moving the elements of a repeated number repeats it in another shape."""
    x = inputs[0]
    if type(x) is Literal:
        return None if primitive is broadcast_to and aval.shape else _spread(x, aval)
    literal = walk.uniform.get(x)
    return None if literal is None else _spread(literal, aval)


# --- identities ------------------------------------------------------------------------------

IDENTITIES: dict[str, Rule] = {}


def _identity(*names: str) -> Callable[[Rule], Rule]:
    def register(rule: Rule) -> Rule:
        IDENTITIES.update(dict.fromkeys(names, rule))
        return rule

    return register


def _identities(primitive: Primitive) -> Rule | None:
    return IDENTITIES.get(primitive.name)


def _is_zero(value: Any, sign: float) -> bool:
    """Whether a number is the zero of that sign, in both parts if complex; an integer has any."""
    if value is None or value != 0:
        return False
    parts = (value.real, value.imag) if isinstance(value, np.complexfloating) else (value,)
    return isinstance(value, np.integer) or all(math.copysign(1.0, x) == sign for x in parts)


@_identity("add")
def _of_add(walk: _Walk, primitive: Any, inputs: list, params: dict, aval: Any) -> Any:
    for x, y in (inputs, inputs[::-1]):
        number = walk.known(y)
        # Zeros that were spread to a shape come from derivative rules and zeros_like; the
        # number 0.0 is the user's, who may want the sign of -0.0 gone.
        if _is_zero(number, -1.0) or (type(y) is Var and number is not None and number == 0):
            fitted = _fitted(x, aval)
            if fitted is not None:
                return fitted
        minus = walk.operand(y, "negative")
        if minus is not None:
            return subtract, [x, minus], {}
    return None


@_identity("subtract")
def _of_subtract(walk: _Walk, primitive: Any, inputs: list, params: dict, aval: Any) -> Any:
    x, y = inputs
    if _is_zero(walk.known(y), 1.0):
        return _fitted(x, aval)
    minus = walk.operand(y, "negative")
    return None if minus is None else (add, [x, minus], {})


@_identity("multiply")
def _of_multiply(walk: _Walk, primitive: Any, inputs: list, params: dict, aval: Any) -> Any:
    if aval.dtype.kind == "c":  # (a + ib)(1 + i0) meets infinity times 0
        return None
    for x, y in (inputs, inputs[::-1]):
        number = walk.known(y)
        if number is None:
            continue
        if number == 1:
            fitted = _fitted(x, aval)
            if fitted is not None:
                return fitted
        if number == -1 and type(x) is Var and x.aval == aval:
            return negative, [x], {}
    return None


@_identity("divide")
def _of_divide(walk: _Walk, primitive: Any, inputs: list, params: dict, aval: Any) -> Any:
    x, y = inputs
    number = walk.known(y)
    if number is None or aval.dtype.kind != "f":
        return None
    if number == 1:
        return _fitted(x, aval)
    if type(y) is Literal and isinstance(number, np.floating) and number.dtype == aval.dtype:
        # The inverse of a power of two is exact, and so is the product with it. A larger one may
        # be a size, at whose next value the program should be the same.
        mantissa, exponent = np.frexp(number)
        if abs(mantissa) == 0.5 and abs(exponent) <= 4:
            return multiply, [x, Literal(number.dtype.type(1) / number)], {}
    return None


@_identity("power")
def _of_power(walk: _Walk, primitive: Any, inputs: list, params: dict, aval: Any) -> Any:
    x, y = inputs
    number = walk.known(y)
    if number is None or aval.dtype.kind not in "fiu" or type(x) is Literal:
        return None
    if x.aval == aval and number == 2:
        return square, [x], {}
    return _fitted(x, aval) if number == 1 else None


@_identity("negative")
def _of_negative(walk: _Walk, primitive: Any, inputs: list, params: dict, aval: Any) -> Any:
    return walk.operand(inputs[0], "negative")


@_identity("positive", "copy", "stop_gradient", "checkpoint_name", "real", "conjugate")
def _of_copy(walk: _Walk, primitive: Any, inputs: list, params: dict, aval: Any) -> Any:
    x = inputs[0]
    if primitive.name == "conjugate" and aval.dtype.kind == "c":
        return None
    return x if type(x) is Var and x.aval == aval else None


@_identity("select")
def _of_select(walk: _Walk, primitive: Any, inputs: list, params: dict, aval: Any) -> Any:
    condition, x, y = inputs
    known = walk.known(condition)
    if known is not None:
        return _fitted(x if known else y, aval)
    return _fitted(x, aval) if x is y else None


@_identity("convert")
def _of_convert(walk: _Walk, primitive: Any, inputs: list, params: dict, aval: Any) -> Any:
    x = inputs[0]
    if type(x) is not Var:
        return None
    if x.aval == aval:
        return x
    source = walk.operand(x, "convert")
    if type(source) is not Var or not _widens(source.aval.dtype, x.aval.dtype):
        return None
    # Out-of-range numbers become integers as the processor likes, so not by another way.
    if aval.dtype.kind in "iu" and source.aval.dtype.kind in "fc":
        return None
    return primitive, [source], params


def _widens(narrow: np.dtype, wide: np.dtype) -> bool:
    """Whether every value of one dtype is one of the other."""
    inexact = narrow.kind in "iu" and narrow.itemsize == 8 and wide.kind in "fc"
    return np.can_cast(narrow, wide) and not inexact


@_identity("reshape", "broadcast_to")
def _of_reshape(walk: _Walk, primitive: Any, inputs: list, params: dict, aval: Any) -> Any:
    x = inputs[0]
    if type(x) is not Var:
        return None
    if x.aval == aval:
        return x
    source = walk.operand(x, primitive.name)
    return None if type(source) is not Var else (primitive, [source], params)


@_identity("transpose")
def _of_transpose(walk: _Walk, primitive: Any, inputs: list, params: dict, aval: Any) -> Any:
    x, axes = inputs[0], params["axes"]
    if axes == tuple(range(len(axes))):
        return x
    source = walk.operand(x, "transpose")
    if source is None:
        return None
    first = walk.makers[x].params["axes"]
    return transpose, [source], {"axes": tuple(first[a] for a in axes)}


def _reads_everything(index: tuple, shape: tuple[int, ...]) -> bool:
    """Whether a basic index is the whole array, in order."""
    if any(i is None or isinstance(i, (int, np.integer)) for i in index):
        return False
    sizes = shape[: index.index(Ellipsis)] if Ellipsis in index else shape
    if any(isinstance(i, slice) for i in index[len(sizes) + 1 :]):
        return False  # slices behind an ellipsis: not worth counting
    return all(
        i is Ellipsis
        or (i.start in (None, 0) and i.step in (None, 1) and (i.stop is None or i.stop >= n))
        for i, n in zip(index, sizes, strict=False)
    )


@_identity("slice_at", "unslice")
def _of_slice(walk: _Walk, primitive: Any, inputs: list, params: dict, aval: Any) -> Any:
    x = inputs[0]
    if type(x) is Var and x.aval == aval and _reads_everything(params["index"], aval.shape):
        return x
    return None


@_identity("update_slice")
def _of_update(walk: _Walk, primitive: Any, inputs: list, params: dict, aval: Any) -> Any:
    x, value = inputs
    if type(value) is not Var or value.aval.dtype != aval.dtype:
        return None
    index = params["index"]
    if value.aval == aval and _reads_everything(index, aval.shape):
        return value
    if aval.shape and _is_zero(walk.known(x), 1.0):
        return unslice, [value], {"shape": aval.shape, "index": index}
    return None


@_identity("concatenate")
def _of_concatenate(walk: _Walk, primitive: Any, inputs: list, params: dict, aval: Any) -> Any:
    return inputs[0] if len(inputs) == 1 else None


@_identity("reduce_sum", "reduce_product", "reduce_max", "reduce_min", "reduce_any", "reduce_all")
def _of_reduction(walk: _Walk, primitive: Any, inputs: list, params: dict, aval: Any) -> Any:
    x = inputs[0]
    return x if not params["axes"] and type(x) is Var and x.aval == aval else None


# --- products --------------------------------------------------------------------------------


def _products(primitive: Primitive) -> Rule | None:
    if primitive is contract:
        return _absorb_operands
    return _absorb_result if primitive is transpose else None


def _absorb_operands(walk: _Walk, primitive: Any, inputs: list, params: dict, aval: Any) -> Any:
    """Read operands before they were transposed or broadcast; multiply where nothing is summed."""
    x, y, out = params["subscripts"]
    operands, labels = list(inputs), [x, y]
    for i in (0, 1):
        made = walk.makers.get(operands[i])
        if made is None:
            continue
        if made.primitive is transpose:
            source = dict(zip(made.params["axes"], labels[i], strict=True))
            labels[i] = "".join(source[a] for a in range(len(source)))
            operands[i] = made.inputs[0]
        elif made.primitive is broadcast_to and type(made.inputs[0]) is Var:
            _absorb_broadcast(walk, i, operands, labels, out)
    if not any(c in y and c not in out for c in x):
        return multiply, [_placed(walk, *pair, out, aval) for pair in zip(operands, labels)], {}  # noqa: B905
    if operands == inputs:
        return None
    return contract, operands, {"subscripts": (labels[0], labels[1], out)}


def _absorb_broadcast(walk: _Walk, i: int, operands: list, labels: list[str], out: str) -> None:
    """Drop the labels of axes along which an operand repeats, if the other one has them."""
    wide, narrow = operands[i].aval.shape, walk.makers[operands[i]].inputs[0]
    own = narrow.aval.shape  # type: ignore[union-attr]
    lead = len(wide) - len(own)
    repeated = [k for k, n in enumerate(wide) if k < lead or own[k - lead] != n]
    if not all(labels[i][k] in out and labels[i][k] in labels[1 - i] for k in repeated):
        return
    kept = [k for k in range(len(wide)) if k not in repeated]
    labels[i] = "".join(labels[i][k] for k in kept)
    shape = tuple(wide[k] for k in kept)
    operands[i] = narrow if shape == own else walk.write(reshape, [narrow], shape=shape)


def _placed(walk: _Walk, x: Value, labels: str, out: str, aval: ShapedArray) -> Value:
    """An operand with its labelled axes where the result has them."""
    order = tuple(labels.index(c) for c in out if c in labels)
    sizes = aval_of_value(x).shape
    x = walk.write(transpose, [x], axes=order)
    shape = tuple(sizes[labels.index(c)] if c in labels else 1 for c in out)
    x = walk.write(reshape, [x], shape=shape)
    return walk.write(broadcast_to, [x], shape=aval.shape)


def _absorb_result(walk: _Walk, primitive: Any, inputs: list, params: dict, aval: Any) -> Any:
    """Write a product transposed in the first place, unless it is needed as it was, too."""
    x = inputs[0]
    made = walk.makers.get(x)
    if made is None or made.primitive is not contract or walk.uses.get(x, 0) != 1:
        return None
    left, right, out = made.params["subscripts"]
    turned = "".join(out[a] for a in params["axes"])
    return contract, list(made.inputs), {"subscripts": (left, right, turned)}


# --- the passes --------------------------------------------------------------------------------


def fold(graph: Graph) -> Graph:
    """Compute what is made of numbers alone, and use a repeated number as a number."""
    return _Walk(graph, (_folding,), share=False).run()


def identities(graph: Graph) -> Graph:
    """Drop operations that give an operand back, and merge those that undo or repeat another."""
    return _Walk(graph, (_identities,), share=False).run()


def absorb_transposes(graph: Graph) -> Graph:
    """Let products read and write their axes in any order instead of transposing for them."""
    return _Walk(graph, (_products,), share=False).run()


def common_subexpressions(graph: Graph) -> Graph:
    """Compute equal things once."""
    return _Walk(graph, (), share=True).run()


def rewrite(graph: Graph) -> Graph:
    """All four of the above in one walk, so that each meets what the others made."""
    return _Walk(graph, (_identities, _products, _folding), share=True).run()


PASSES: tuple[Callable[[Graph], Graph], ...] = (
    inline,
    expand_bounded,
    expand_scans,
    bodies,
    literals,
    dead_code,
    rewrite,
    dead_code,
)
