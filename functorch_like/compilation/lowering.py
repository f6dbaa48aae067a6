"""Graph -> nodes and steps: how each primitive is computed in compiled code.

Elementwise primitives, reductions, products and indexing become nodes, which fuse into loops;
shape operations become views; large products are calls of BLAS; control flow becomes native loops
and branches; everything else is a call of the primitive's own kernel from within the program.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..graph import Equation, Graph, Literal, Var
from ..kernels import vector_math
from ..kernels.device import is_gpu
from ..kernels.elementwise import SCALAR_FUNCTIONS
from ..kernels.loop import Builder
from ..kernels.scalar import FLOATS, Statement, Value
from ..primitives.core import Elementwise
from .control import CONTROL_RULES
from .elements import ELEMENT_RULES, accumulate, first_terms, late_writes, later_sums, one_by_one
from .loop_reversal import REVERSAL_RULES, totals_of
from .nodes import (
    DTYPES,
    OPAQUE,
    UNROLL,
    UNROLL_PROGRAM,
    UNROLL_TOTAL,
    Label,
    Node,
    Root,
    Step,
    View,
    broadcast,
    computes,
    convert,
    in_range,
    labels_index,
    movable,
    parse_index,
    reshaped,
    sliced,
    transposed,
)
from .random_bits import RANDOM_RULES
from .ranges import Range, find_ranges
from .small_matrices import MATRIX_RULES

__all__ = ["Lowering", "first_operand", "lower"]

GEMM_SMALLEST = 4
GEMM_WORK = 2048  # products of at least so many multiplications are given to BLAS
# Powers that are products of few factors, and as exact as a general power.
POWERS: dict[float, Callable[[Value], Value]] = {
    3.0: lambda x: x * x * x,
    4.0: lambda x: (x * x) * (x * x),
    -1.0: lambda x: 1.0 / x,
    -2.0: lambda x: 1.0 / (x * x),
}
PULLED = 4  # joins of more arrays than this are written one after the other


class Lowering:
    """The nodes and steps of a graph, in order, and the views of its variables."""

    def __init__(self, most: int = UNROLL_TOTAL) -> None:
        self.most = most  # elements of a node that may be written out
        self.items: list[Any] = []
        self.views: dict[Var, View] = {}
        self.captured: list[tuple[Root, Any]] = []  # arrays that bodies of loops bring along
        self.owned: set[Root] = set()  # memory that may be written once its values are not needed
        self.lasting: set[Root] = set()  # of that, what a loop hands from step to step
        self.logged: dict[Root, Any] = {}  # memory whose changes are noted, and where
        self.last: dict[Var, int] = {}  # the last equation that reads each variable
        self.sums: dict[Var, tuple[Equation, int]] = {}  # terms that are added later, in place
        self.first_terms: dict[Var, tuple[Var, Equation]] = {}  # where totals may begin
        self.ranges: dict[Var, Range] = {}  # of integers, as far as they are known
        self.summed: dict[Equation, Var] = {}  # sums that are part of a total already
        self.at = 0  # the equation being lowered

    def follow(self, graph: Graph) -> None:
        """Lower the equations of a graph."""
        equations = graph.equations
        if self.lasting:
            equations = one_by_one(equations, graph.outputs)
        equations = late_writes(equations)
        self.last = {x: k for k, e in enumerate(equations) for x in e.inputs if isinstance(x, Var)}
        end = len(equations)
        self.last.update((x, end) for x in graph.outputs if isinstance(x, Var))
        if self.lasting:
            self.sums = later_sums(equations, graph.outputs)
        for term, k in self.sums.values():
            self.last.update((x, max(k, self.last[x])) for x in term.inputs if isinstance(x, Var))
        find_ranges(equations, self.ranges)
        self.first_terms = first_terms(equations, graph.outputs, totals_of)
        for total, (x, last) in self.first_terms.items():
            if self.last[x] < end:
                reads = [k for k, e in enumerate(equations) if x in e.inputs and e is not last]
                makes = next(k for k, e in enumerate(equations) if total in e.outputs)
                self.last[x] = max([*reads, makes])
        for self.at, equation in enumerate(equations):
            self.add(equation)

    def take(self, x: Any, equation: Equation, alone: bool = False) -> Root | None:
        """The memory of an operand for the equation to overwrite, or None if it is needed.

        ``alone``: the other operands, which the equation reads again and again, must not share it.
        """
        view = self.view(x)
        if view.literal or not view.identity or self.last.get(x, 0) > self.at:
            return None
        memory = view.root.memory()
        if memory not in self.owned or sum(y is x for y in equation.inputs) > 1:
            return None
        sharing = [
            (var, other)
            for var, other in self.views.items()
            if var is not x and not other.literal and other.root.memory() is memory
        ]
        if alone and any(var in equation.inputs for var, _ in sharing):
            return None
        sharing = [(var, v) for var, v in sharing if self.last.get(var, -1) > self.at]
        if any(math.prod(v.shape) >= math.prod(view.shape) for _, v in sharing):
            return None  # to copy the rest is no better than to copy the array
        for var, v in sharing:
            own = Root(v.shape, v.dtype)
            self.copy(own, v, equation)
            self.views[var] = View(own, v.shape, v.dtype)
        return view.root

    def borrow(self, x: Any, equation: Equation) -> Root | None:
        """The memory of an operand for the equation to write and to leave as it was, or None."""
        view = self.view(x)
        if view.literal or not view.identity or view.root.memory() not in self.owned:
            return None
        others = [self.view(y) for y in equation.inputs if y is not x]
        memory = view.root.memory()
        if len(others) < len(equation.inputs) - 1 or any(
            not v.literal and v.root.memory() is memory for v in others
        ):
            return None
        return view.root

    def view(self, x: Var | Literal) -> View:
        if isinstance(x, Literal):
            value = np.asarray(x.value)
            return View(value[()], value.shape, value.dtype)
        return self.views[x]

    def input(self, var: Var) -> Root:
        root = Root(var.aval.shape, var.aval.dtype)
        self.views[var] = View(root, root.shape, root.dtype)
        return root

    def result(self, var: Var) -> Root:
        root = self.input(var)
        self.owned.add(root)
        return root

    def capture(self, x: Any) -> View:
        """An array that belongs to the program."""
        if not is_gpu(x):
            x = np.asarray(x)
            if x.shape == ():
                return View(x[()], (), x.dtype)
        found = next((root for root, held in self.captured if held is x), None)
        if found is None:
            found = Root(x.shape, x.dtype)
            self.captured.append((found, x))
        return View(found, x.shape, x.dtype)

    def node(self, root: Root, *args: Any, **kwargs: Any) -> Node:
        made = Node(root, *args, **{"most": self.most, **kwargs})
        if root.alias is None and root.window is None:
            self.owned.add(root)
        self.items.append(made)
        return made

    def root(self, view: View, equation: Any = None) -> Root:
        """The view's elements in memory of their own order; a copy where there is none."""
        if view.identity and not view.literal:
            return view.root
        made = Root(view.shape, view.dtype)
        self.copy(made, view, equation)
        return made

    def argument(self, view: View, equation: Equation) -> Any:
        """An operand as a primitive's kernel takes it: a number, or an array in memory."""
        if view.literal and view.shape == ():
            return view.root
        root = self.root(view, equation)
        if root.memory().window is not None:
            root = Root(view.shape, view.dtype)
            self.copy(root, view, equation)
        return root

    def copy(self, root: Root, view: View, equation: Any) -> None:
        """Write a view's elements to a root of its shape."""
        labels = [Label(n) for n in view.shape]
        operands = [(view, labels_index(labels))]
        # All of it, as loops and branches keep small arrays in registers.
        self.node(root, labels, labels, operands, first_operand, equation, most=UNROLL_TOTAL)
        self.items[-1].pointwise = True

    def add(self, equation: Equation) -> None:
        name = equation.primitive.name
        if equation in self.summed:
            self.views[equation.outputs[0]] = self.views[self.summed[equation]]
            return
        if self.sums and equation.outputs and equation.outputs[0] in self.sums:
            return
        if name == "add" and self.sums:
            for x in equation.inputs:
                term, _ = self.sums.pop(x, (None, 0)) if isinstance(x, Var) else (None, 0)
                if term is not None and accumulate(self, equation, term):
                    return
                if term is not None:
                    self.add(term)
        rule = _RULES.get(name) or CONTROL_RULES.get(name) or REVERSAL_RULES.get(name)
        if rule is not None:
            if rule(self, equation) is not False:
                return
        elif isinstance(equation.primitive, Elementwise) and self._elementwise(equation):
            return
        self.host(equation)

    def host(self, equation: Equation) -> None:
        """Call the primitive's kernel."""
        views = [self.view(x) for x in equation.inputs]
        reads = [self.argument(view, equation) for view in views]
        writes = [self.result(v) for v in equation.outputs]
        self.items.append(Step("host", reads, writes, equation))

    def _elementwise(self, equation: Equation) -> bool:
        (out,) = equation.outputs
        views = [self.view(x) for x in equation.inputs]
        dtypes = compute_dtypes(equation.primitive, tuple(v.dtype for v in views), out.aval.dtype)
        if dtypes is None or not is_fusible(equation.primitive.name, dtypes):
            return False
        kinds = [DTYPES[d] for d in dtypes]
        function = SCALAR_FUNCTIONS[equation.primitive.name]
        if equation.primitive.name == "power" and views[1].literal:
            product = POWERS.get(float(views[1].root))
            if product is not None:
                function, views, kinds = product, views[:1], kinds[:1]
        result = DTYPES[out.aval.dtype]

        def compute(code: Builder, read: Callable, at: list) -> Value:
            values = [read(k, at).convert(kind) for k, kind in enumerate(kinds)]
            return convert(function(*values), result)

        long = calls_function(equation.primitive.name, dtypes)
        self.pointwise(equation, views, compute, min(self.most, UNROLL if long else self.most))
        return True

    def pointwise(
        self, equation: Equation, views: Sequence[View], compute: Callable, most: int
    ) -> None:
        """A node whose operands are all read at the result's own index."""
        (out,) = equation.outputs
        shape = out.aval.shape
        full = [v if v.literal else broadcast(v, shape) for v in views]
        labels = [Label(n) for n in shape]
        at = labels_index(labels)
        operands = [(v, at) for v in full]
        made = self.node(self.result(out), labels, labels, operands, compute, equation, most=most)
        made.pointwise = True


def first_operand(code: Builder, read: Callable, at: list) -> Value:
    """What a copy computes."""
    return read(0, at)


@functools.cache
def compute_dtypes(primitive: Any, given: tuple, out: np.dtype) -> tuple | None:
    """The dtypes an elementwise primitive computes in, or None."""
    if primitive.name == "select":
        return (np.dtype(bool), out, out)
    kernel = primitive.kernel
    if isinstance(kernel, np.ufunc) and kernel.nout == 1:
        try:
            return kernel.resolve_dtypes((*given, None))[:-1]
        except TypeError:
            return None
    return (out,) * len(given) if out.kind == "f" else None


@functools.cache
def calls_function(name: str, dtypes: tuple) -> bool:
    """Whether an element takes a long series of instructions."""
    trial = Builder("trial")
    SCALAR_FUNCTIONS[name](*[Value(trial, "x", DTYPES[d]) for d in dtypes])
    return any(isinstance(s, Statement) and s.op == "call" for s in trial.items)


@functools.cache
def is_fusible(name: str, dtypes: tuple) -> bool:
    """Whether there is a scalar function of this name for these dtypes."""
    function = SCALAR_FUNCTIONS.get(name)
    if function is None or any(d not in DTYPES for d in dtypes):
        return False
    if not all(map(computes, dtypes)):
        return name == "select"
    trial = Builder("trial")
    made = function(*[Value(trial, "x", DTYPES[d]) for d in dtypes])
    if made is None:
        return False
    calls = [s.more for s in trial.items if isinstance(s, Statement) and s.op == "call"]
    return all(c.rpartition(".")[0] in vector_math.FUNCTIONS for c in calls)


# --------------------------------------------------------------------------------------
# Shapes


def _as_view(make: Callable) -> Callable:
    def rule(lowering: Lowering, equation: Equation) -> bool | None:
        view = lowering.view(equation.inputs[0])
        if view.literal and view.shape == () and equation.outputs[0].aval.shape != ():
            made = broadcast(view, equation.outputs[0].aval.shape)
        else:
            made = make(view, **equation.params)
        if made is None:
            return False
        lowering.views[equation.outputs[0]] = made
        return None

    return rule


def _reshape(lowering: Lowering, equation: Equation) -> None:
    (x,), (out,) = equation.inputs, equation.outputs
    view = lowering.view(x)
    made = reshaped(view, out.aval.shape)
    if made is None:
        # The axes run together: the same memory under another shape.
        source = lowering.root(view, equation)
        root = Root(out.aval.shape, source.dtype)
        root.alias = source
        lowering.items.append(Step("alias", [source], [root], equation))
        made = View(root, root.shape, root.dtype)
    lowering.views[out] = made


def _recompute(lowering: Lowering, equation: Equation) -> None:
    (x,), (out,) = equation.inputs, equation.outputs
    view = lowering.view(x)
    if not view.literal and view.shape:
        # A step: what reads the array under this name stands after what stands before it.
        source = lowering.root(view, equation)
        root = Root(view.shape, view.dtype)
        root.alias = source
        lowering.items.append(Step("alias", [source], [root], equation))
        view = View(root, root.shape, root.dtype)
    lowering.views[out] = view


def _convert(lowering: Lowering, equation: Equation) -> bool | None:
    (x,), (out,) = equation.inputs, equation.outputs
    view = lowering.view(x)
    if view.dtype == out.aval.dtype:
        lowering.views[out] = view
        return None
    if not computes(view.dtype) or not computes(out.aval.dtype):
        return False
    if view.dtype.kind == "f" and out.aval.dtype.kind in "iu":
        return False  # beyond the range NumPy's answer is the machine's: leave it to NumPy
    kind = DTYPES[out.aval.dtype]
    lowering.pointwise(
        equation, [view], lambda code, read, at: convert(read(0, at), kind), lowering.most
    )
    return None


def _unslice(lowering: Lowering, equation: Equation) -> bool | None:
    return _place(lowering, equation, None, lowering.view(equation.inputs[0]))


def _update_slice(lowering: Lowering, equation: Equation) -> bool | None:
    base, value = map(lowering.view, equation.inputs)
    return _place(lowering, equation, base, value)


def _place(lowering: Lowering, equation: Equation, base: View | None, value: View) -> bool | None:
    """``value`` at a basic index of ``base``, or of zeros."""
    (out,) = equation.outputs
    if not movable(out.aval.dtype, [value.dtype, *([base.dtype] if base else [])]):
        return False
    shape = out.aval.shape
    kind = DTYPES[out.aval.dtype]
    parts = [p for p in parse_index(shape, equation.params["index"]) if p[0] != "new"]
    kept = [p for p in parse_index(shape, equation.params["index"]) if p[0] != "int"]
    value = broadcast(value, [n for _, _, _, n in kept]) if not value.literal else value
    labels = [Label(n) for n in shape]
    full = labels_index(labels)

    def known(at: list) -> list:
        """The value's index as far as it is known while nodes are placed."""
        found: list[Any] = []
        axes = iter(zip(at, parts, shape, strict=True))
        for part in parse_index(shape, equation.params["index"]):
            if part[0] == "new":
                found.append(0)
                continue
            i, (what, start, step, count), n = next(axes)
            if what == "int":
                continue
            whole = start == 0 and step == 1 and count == n
            found.append(i if whole else 0 if i.label.unrolled else OPAQUE)
        return found

    def compute(code: Builder, read: Callable, at: list) -> Value:
        conditions: Any = []
        index: list = []
        axes = iter(zip(at, parts, shape, strict=True))
        for part in parse_index(shape, equation.params["index"]):
            if part[0] == "new":
                index.append(0)
                continue
            i, (what, start, step, count), n = next(axes)
            whole = start == 0 and step == 1 and count == n
            inside, k = (True, i) if whole else in_range(i, start, step, count)
            if what != "int":
                index.append(k)
            if inside is False:
                conditions = None
                break
            if inside is not True:
                conditions.append(inside)
        outside = (
            (lambda: code.constant(0, kind))
            if base is None
            else (lambda: convert(read(1, at), kind))
        )
        if conditions is None:
            return outside()
        if not conditions:
            return convert(read(0, index), kind)
        condition = functools.reduce(lambda a, b: a & b, conditions)
        return code.branch(condition, lambda: convert(read(0, index), kind), outside, kind)

    operands = [(value, known(full))]
    if base is not None:
        operands.append((base, full))
    node = lowering.node(lowering.result(out), labels, labels, operands, compute, equation)
    node.operands[0] = (value, known(full))  # now that it is settled what is written out
    return None


def _concatenate(lowering: Lowering, equation: Equation) -> bool | None:
    (out,) = equation.outputs
    axis = equation.params["axis"]
    views = [lowering.view(x) for x in equation.inputs]
    if not movable(out.aval.dtype, [v.dtype for v in views]):
        return False
    kind = DTYPES[out.aval.dtype]
    views = [v for v in views if v.shape[axis] > 0] or views[:1]
    starts = [0]
    for v in views:
        starts.append(starts[-1] + v.shape[axis])
    if len(views) > PULLED and out.aval.shape[axis] > UNROLL:
        _write_parts(lowering, equation, views, starts)
        return None
    labels = [Label(n) for n in out.aval.shape]
    if any(n > UNROLL for n in out.aval.shape[axis + 1 :]):
        _write_parts(lowering, equation, views, starts)
        return None

    def at_axis(at: list, i: Any) -> list:
        return [*at[:axis], i, *at[axis + 1 :]]

    def compute(code: Builder, read: Callable, at: list) -> Value:
        i = at[axis]
        if type(i) is int:
            k = next(k for k in range(len(views)) if i < starts[k + 1])
            return convert(read(k, at_axis(at, i - starts[k])), kind)

        def rest(k: int) -> Value:
            moved = i if starts[k] == 0 else i - code.size(starts[k])
            here = lambda: convert(read(k, at_axis(at, moved)), kind)  # noqa: E731
            if k == len(views) - 1:
                return here()
            return code.branch(i < code.size(starts[k + 1]), here, lambda: rest(k + 1), kind)

        return rest(0)

    full = labels_index(labels)
    operands = [(v, full) for v in views]
    node = lowering.node(lowering.result(out), labels, labels, operands, compute, equation)
    known = 0 if labels[axis].unrolled else OPAQUE
    node.operands = [(v, at_axis(full, known)) for v in views]
    return None


def _write_parts(
    lowering: Lowering, equation: Equation, views: Sequence[View], starts: Sequence[int]
) -> None:
    (out,) = equation.outputs
    axis = equation.params["axis"]
    kind = DTYPES[out.aval.dtype]
    root = lowering.result(out)

    def part(view: View, start: int) -> None:
        labels = [Label(n) for n in view.shape]
        axes: list[Label | None] = list(labels)
        axes[axis] = None

        def position(code: Builder, read: Callable, at: list) -> list:
            return [*at[:axis], at[axis] + code.size(start), *at[axis + 1 :]]

        lowering.node(
            root,
            labels,
            axes,
            [(view, labels_index(labels))],
            lambda code, read, at: convert(read(0, at), kind),
            equation,
            position=position,
        )

    for view, start in zip(views, starts, strict=False):
        part(view, start)


# --------------------------------------------------------------------------------------
# Reductions and products


def _reduction(combine: str) -> Callable:
    def rule(lowering: Lowering, equation: Equation) -> bool | None:
        (out,) = equation.outputs
        view = lowering.view(equation.inputs[0])
        if not computes(view.dtype) or not computes(out.aval.dtype):
            return False
        axes = {a % max(len(view.shape), 1) for a in equation.params["axes"]}
        if combine in ("max", "min") and any(view.shape[a] == 0 for a in axes):
            return False  # NumPy says what is wrong
        kind = DTYPES[out.aval.dtype]
        if kind[0] in "iu" and combine in ("max", "min") and kind != DTYPES[view.dtype]:
            return False
        labels = [Label(n, a in axes) for a, n in enumerate(view.shape)]
        lowering.node(
            lowering.result(out),
            labels,
            [x for x in labels if not x.reduced],
            [(view, labels_index(labels))],
            lambda code, read, at: convert(read(0, at), kind),
            equation,
            combine=combine,
        )
        lowering.items[-1].pointwise = True
        return None

    return rule


def _contract(lowering: Lowering, equation: Equation) -> bool | None:
    (out,) = equation.outputs
    views = [lowering.view(x) for x in equation.inputs]
    if not all(computes(v.dtype) for v in views) or not computes(out.aval.dtype):
        return False
    kind = DTYPES[out.aval.dtype]
    if kind == "i1":
        return False
    x, y, z = equation.params["subscripts"]
    sizes = dict(zip(x, views[0].shape, strict=True)) | dict(zip(y, views[1].shape, strict=True))
    summed = [c for c in x if c in y and c not in z]
    rows = [c for c in x if c not in y]
    columns = [c for c in y if c not in x]
    m, n, k = (math.prod(sizes[c] for c in part) for part in (rows, columns, summed))
    same = views[0].dtype == views[1].dtype == out.aval.dtype
    if same and kind in FLOATS and min(m, n, k) >= GEMM_SMALLEST and m * n * k >= GEMM_WORK:
        _matrix_product(lowering, equation, views, sizes)
        return None
    labels = {c: Label(sizes[c], c in summed) for c in dict.fromkeys(x + y)}
    # Loops in the order in which the larger operand lies in memory.
    order = (x, y) if math.prod(views[0].shape) >= math.prod(views[1].shape) else (y, x)
    listed = [labels[c] for c in dict.fromkeys(order[0] + order[1])]
    place = {label: i for i, label in enumerate(listed)}
    picks = [[place[labels[c]] for c in s] for s in (x, y)]
    full = labels_index(listed)

    def compute(code: Builder, read: Callable, at: list) -> Value:
        a, b = (convert(read(i, [at[p] for p in pick]), kind) for i, pick in enumerate(picks))
        return code.emit("mul", kind, a, b, more="contract" if summed else None)

    lowering.node(
        lowering.result(out),
        listed,
        [labels[c] for c in z],
        [(v, [full[p] for p in pick]) for v, pick in zip(views, picks, strict=True)],
        compute,
        equation,
        combine="add" if summed else None,
    )
    return None


def _matrix_product(
    lowering: Lowering, equation: Equation, views: Sequence[View], sizes: dict[str, int]
) -> None:
    """A call of BLAS for each element of the batch axes, which lead."""
    x, y, z = equation.params["subscripts"]
    batch = [c for c in z if c in x and c in y]
    summed = [c for c in x if c in y and c not in z]

    def laid_out(view: View, labels: str, inner: list[str]) -> tuple[Root, bool]:
        """The operand in memory as batch x own x inner, or transposed; copied if neither."""
        own = [c for c in labels if c not in batch and c not in inner]
        for order, flipped in ((batch + own + inner, False), (batch + inner + own, True)):
            if list(labels) == order and view.identity:
                return view.root, flipped
        order = batch + own + inner
        return lowering.root(transposed(view, [labels.index(c) for c in order]), equation), False

    a, a_flipped = laid_out(views[0], x, summed)
    b, b_flipped = laid_out(views[1], y, summed)
    rows = [c for c in x if c not in y]
    columns = [c for c in y if c not in x]
    # Computed as batch x rows x columns, or with rows and columns changed over.
    turned = list(z) == batch + columns + rows and list(z) != batch + rows + columns
    if turned:
        rows, columns = columns, rows
        a, a_flipped, b, b_flipped = b, b_flipped, a, a_flipped
    made = batch + rows + columns
    (out,) = equation.outputs
    root = Root([sizes[c] for c in made], out.aval.dtype)
    view = View(root, root.shape, root.dtype)
    lowering.views[out] = view if made == list(z) else transposed(view, [made.index(c) for c in z])
    count, m, n, k = (math.prod(sizes[c] for c in part) for part in (batch, rows, columns, summed))
    # b is columns x summed in memory unless flipped, so as a right operand it is transposed.
    lowering.items.append(
        Step(
            "gemm",
            [a, b],
            [root],
            equation,
            batch=count,
            m=m,
            n=n,
            k=k,
            transposed=(a_flipped, not b_flipped),
        )
    )


def _same(view: View) -> View:
    return view


_RULES: dict[str, Callable] = {
    "reshape": _reshape,
    "transpose": _as_view(transposed),
    "broadcast_to": _as_view(broadcast),
    "slice_at": _as_view(sliced),
    "copy": _as_view(_same),
    "stop_gradient": _as_view(_same),
    "recompute": _recompute,
    "convert": _convert,
    "discretize": _convert,
    "unslice": _unslice,
    "update_slice": _update_slice,
    "concatenate": _concatenate,
    "reduce_sum": _reduction("add"),
    "reduce_product": _reduction("multiply"),
    "reduce_max": _reduction("max"),
    "reduce_min": _reduction("min"),
    "reduce_any": _reduction("or"),
    "reduce_all": _reduction("and"),
    "contract": _contract,
    **ELEMENT_RULES,
    **MATRIX_RULES,
    **RANDOM_RULES,
}


def equation_count(graph: Graph) -> int:
    """How many equations there are, with those in the bodies of loops and branches."""
    count = len(graph.equations)
    for equation in graph.equations:
        for value in equation.params.values():
            for inner in value if isinstance(value, tuple) else (value,):
                if isinstance(inner, Graph):
                    count += equation_count(inner)
    return count


def lower(graph: Graph) -> tuple[Lowering, list[Root], list[Root]]:
    """Nodes and steps of a graph's equations, its inputs, and where its results are."""
    most = max(2 * UNROLL, min(UNROLL_TOTAL, UNROLL_PROGRAM // max(equation_count(graph), 1)))
    lowering = Lowering(most)
    inputs = [lowering.input(var) for var in (*graph.inputs, *graph.constants)]
    lowering.follow(graph)
    outputs: list[Root] = []
    taken: set[Root] = set(inputs)
    for x in graph.outputs:
        view = lowering.view(x)
        root = lowering.root(view)
        if root.memory() in taken:  # a result has memory of its own
            root = Root(view.shape, view.dtype)
            lowering.copy(root, view, None)
        taken.add(root.memory())
        outputs.append(root)
    inputs += [root for root, _ in lowering.captured]
    return lowering, inputs, outputs
