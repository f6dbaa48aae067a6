"""Factorisations of small matrices in the program itself.

A call of LAPACK from a compiled program goes through Python, some twenty microseconds; a system
of three equations is solved in some tens of nanoseconds. Where a matrix is singular, or has no
Cholesky factor, the primitive's own kernel is called and says so as it does without ``jit``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from ..graph import Equation
from ..kernels.elementwise import SCALAR_FUNCTIONS
from ..kernels.loop import Buffer, Builder, Call, External, If, Index
from ..kernels.scalar import FLOATS, Value, select
from .nodes import DTYPES, Root, Step

__all__ = ["EMIT_MATRICES", "MATRIX_RULES"]

LARGEST = 16  # rows of a matrix that is small


def _small(lowering: Any, equation: Equation) -> bool | None:
    """A step for real matrices of one floating-point type, if they are small."""
    views = [lowering.view(x) for x in equation.inputs]
    n = views[0].shape[-1]
    dtype = views[0].dtype
    if not 0 < n <= LARGEST or DTYPES.get(dtype) not in FLOATS:
        return False
    if any(v.dtype != dtype or v.shape[:-2] != views[0].shape[:-2] for v in views):
        return False
    if math.prod(views[0].shape[:-2]) == 0 or 0 in views[-1].shape:
        return False
    reads = [lowering.argument(view, equation) for view in views]
    writes = [lowering.result(v) for v in equation.outputs]
    scratch = Root((n * n + 1,), dtype)  # the last number tells whether there is no answer
    host = Step("host", reads, writes, equation)
    kind = "matrix_" + equation.primitive.name
    lowering.items.append(Step(kind, reads, [*writes, scratch], equation, host=host))
    return None


def _plus(x: Value, y: Any) -> Index:
    code: Any = x.body
    return Index(code, code.emit("add", "i64", x, y).name, "i64")


def _times(x: Value, y: Any) -> Index:
    code: Any = x.body
    return Index(code, code.emit("mul", "i64", x, y).name, "i64")


class _Matrix:
    """Elements of a matrix in memory, row by row."""

    def __init__(self, code: Builder, buffer: Buffer, columns: Value) -> None:
        self.code = code
        self.buffer = buffer
        self.columns = columns

    def get(self, i: Value, j: Value) -> Value:
        return self.code.load(self.buffer, _plus(_times(i, self.columns), j))

    def set(self, i: Value, j: Value, value: Value) -> None:
        self.code.store(self.buffer, _plus(_times(i, self.columns), j), value)

    def swap(self, i: Value, k: Value) -> None:
        with self.code.loop(self.columns) as j:
            one, other = self.get(i, j), self.get(k, j)
            self.set(i, j, other)
            self.set(k, j, one)


class _Task:
    """What the writer of a kernel has: sizes, memory for one matrix of the stack, and params."""

    def __init__(self, code: Builder, sizes: Sequence[Value], memory: list, step: Step) -> None:
        self.code = code
        self.n, self.columns = sizes
        count = len(step.reads)
        self.reads, self.results, self.scratch = memory[:count], memory[count:-1], memory[-1]
        self.params = step.equation.params
        self.dtype = self.scratch.dtype
        self.zero, self.one = code.constant(0, self.dtype), code.constant(1, self.dtype)
        self.failed: Any = None  # a variable: nonzero if there is no answer

    def fail_if(self, condition: Value) -> None:
        code = self.code
        one = code.constant(1, "i64")
        code.set(self.failed, code.emit("select", "i64", condition, one, code.get(self.failed)))

    def after(self, i: Value) -> Index:
        return _plus(i, self.code.constant(1, "i64"))

    def before_last(self, i: Value) -> Index:
        """The row that is as far from the last as row ``i`` is from the first."""
        code = self.code
        last = code.emit("sub", "i64", self.n, code.constant(1, "i64"))
        return Index(code, code.emit("sub", "i64", last, i).name, "i64")

    def copied(self, source: Buffer, target: Buffer, columns: Value) -> _Matrix:
        with self.code.loop(_times(self.n, columns)) as i:
            self.code.store(target, i, self.code.load(source, i))
        return _Matrix(self.code, target, columns)

    def factored(self, matrix: _Matrix, beside: _Matrix | None) -> tuple[Any, Any]:
        """Gaussian elimination with partial pivoting, applied to the columns ``beside`` too.

        Returns variables: the parity of the row exchanges, as a sign, and whether a pivot was 0.
        """
        code = self.code
        sign = code.variable(self.one)
        singular = code.variable(code.constant(0, "i64"))
        with code.loop(self.n) as k:
            pivot = code.variable(matrix.get(k, k).abs())
            row = code.variable(k)
            with code.loop(self.n, self.after(k)) as i:
                candidate = matrix.get(i, k).abs()
                better = candidate > code.get(pivot)
                code.set(pivot, select(better, candidate, code.get(pivot)))
                code.set(row, code.emit("select", "i64", better, i, code.get(row)))
            chosen = Index(code, code.get(row).name, "i64")
            exchange = If(chosen > k, [], [])
            with code.into(exchange.items):
                matrix.swap(k, chosen)
                if beside is not None:
                    beside.swap(k, chosen)
                code.set(sign, -code.get(sign))
            code.items.append(exchange)
            nothing = code.get(pivot) == self.zero
            one = code.constant(1, "i64")
            code.set(singular, code.emit("select", "i64", nothing, one, code.get(singular)))
            eliminate = If(nothing, [], [])
            with code.into(eliminate.otherwise), code.loop(self.n, self.after(k)) as i:
                factor = matrix.get(i, k) / matrix.get(k, k)
                with code.loop(self.n, self.after(k)) as j:
                    matrix.set(i, j, matrix.get(i, j) - factor * matrix.get(k, j))
                if beside is not None:
                    with code.loop(beside.columns) as j:
                        beside.set(i, j, beside.get(i, j) - factor * beside.get(k, j))
            code.items.append(eliminate)
        return sign, singular

    def substituted(self, matrix: _Matrix, beside: _Matrix) -> None:
        """Solve with the upper triangle that elimination left, in place."""
        code = self.code
        with code.loop(self.n) as turn:
            i = self.before_last(turn)
            with code.loop(beside.columns) as j:
                total = code.variable(beside.get(i, j))
                with code.loop(self.n, self.after(i)) as k:
                    code.set(total, code.get(total) - matrix.get(i, k) * beside.get(k, j))
                beside.set(i, j, code.get(total) / matrix.get(i, i))


def _solve(task: _Task) -> None:
    code = task.code
    matrix = task.copied(task.reads[0], task.scratch, task.n)
    if len(task.reads) == 2:
        beside = task.copied(task.reads[1], task.results[0], task.columns)
    else:  # the inverse solves for the identity
        beside = _Matrix(code, task.results[0], task.n)
        with code.loop(task.n) as i, code.loop(task.n) as j:
            beside.set(i, j, select(i == j, task.one, task.zero))
    _, singular = task.factored(matrix, beside)
    task.substituted(matrix, beside)
    task.fail_if(code.get(singular) != 0)


def _determinant(task: _Task) -> None:
    """The determinant, or its sign and the logarithm of its absolute value."""
    code = task.code
    matrix = task.copied(task.reads[0], task.scratch, task.n)
    sign, _ = task.factored(matrix, None)
    logarithm = code.variable(task.zero)
    first = code.constant(0, "i64")
    with code.loop(task.n) as i:
        x = matrix.get(i, i)
        if len(task.results) == 1:
            code.set(sign, code.get(sign) * x)
        else:
            unit = select(x > 0, task.one, -task.one)
            unit = select(x == x, select(x == 0, task.zero, unit), x)
            code.set(sign, code.get(sign) * unit)
            code.set(logarithm, code.get(logarithm) + SCALAR_FUNCTIONS["log"](x.abs()))
    code.store(task.results[0], first, code.get(sign))
    if len(task.results) == 2:
        code.store(task.results[1], first, code.get(logarithm))


def _cholesky(task: _Task) -> None:
    code = task.code
    source = _Matrix(code, task.reads[0], task.n)
    factor = _Matrix(code, task.results[0], task.n)

    def place(i: Value, j: Value) -> tuple[Value, Value]:
        return (j, i) if task.params["upper"] else (i, j)

    with code.loop(task.n) as j:
        with code.loop(task.n, task.after(j)) as i:
            factor.set(*place(j, i), task.zero)
        square = code.variable(source.get(j, j))
        with code.loop(j) as k:
            x = factor.get(*place(j, k))
            code.set(square, code.get(square) - x * x)
        positive = code.get(square) > task.zero
        task.fail_if(select(positive, code.constant(0, "i1"), code.constant(1, "i1")))
        diagonal = SCALAR_FUNCTIONS["sqrt"](code.get(square))
        factor.set(j, j, diagonal)
        with code.loop(task.n, task.after(j)) as i:
            total = code.variable(source.get(*place(i, j)))
            with code.loop(j) as k:
                product = factor.get(*place(i, k)) * factor.get(*place(j, k))
                code.set(total, code.get(total) - product)
            factor.set(*place(i, j), code.get(total) / diagonal)


def _triangular_solve(task: _Task) -> None:
    code = task.code
    unit, transpose = task.params["unit_diagonal"], task.params["transpose"]
    forward = task.params["lower"] != transpose
    matrix = _Matrix(code, task.reads[0], task.n)
    beside = task.copied(task.reads[1], task.results[0], task.columns)
    with code.loop(task.n) as turn:
        i = turn if forward else task.before_last(turn)
        if not unit:
            task.fail_if(matrix.get(i, i) == task.zero)
        with code.loop(task.columns) as j:
            total = code.variable(beside.get(i, j))
            with code.loop(*((i,) if forward else (task.n, task.after(i)))) as k:
                x = matrix.get(k, i) if transpose else matrix.get(i, k)
                code.set(total, code.get(total) - x * beside.get(k, j))
            made = code.get(total)
            beside.set(i, j, made if unit else made / matrix.get(i, i))


_WRITERS: dict[str, Callable[[_Task], None]] = {
    "matrix_solve": _solve,
    "matrix_inverse": _solve,
    "matrix_determinant": _determinant,
    "matrix_slogdet": _determinant,
    "matrix_cholesky": _cholesky,
    "matrix_triangular_solve": _triangular_solve,
}


def _kernel(emitter: Any, step: Step, given: Sequence[Any], lead: int) -> Any:
    """A kernel over a stack of matrices."""
    code = Builder(f"{emitter.program.kernel.name}_loop{len(emitter.kernels)}")
    kernel = code.kernel
    kernel.lower, kernel.upper = Index(code, "lower", "i64"), Index(code, "upper", "i64")
    *buffers, n, columns = (code.like(i, x) for i, x in enumerate(given))
    n, columns = (Index(code, x.name, "i64") for x in (n, columns))
    square, oblong = (n, n), (n, columns)
    lengths: list[Any] = [square]
    lengths += [oblong] * (len(step.reads) - 1)
    for root in step.writes[:-1]:
        rank = len(root.shape) - lead
        lengths.append(None if rank == 0 else oblong if len(step.reads) == 2 else square)
    failed = code.variable(code.constant(0, "i64"))
    with code.loop(kernel.upper, kernel.lower) as at:
        parts = [
            code.offset(buffer, at if length is None else _times(at, _times(*length)))
            for buffer, length in zip(buffers, lengths, strict=False)
        ]
        task = _Task(code, (n, columns), [*parts, buffers[-1]], step)
        task.failed = failed
        _WRITERS[step.kind](task)
    found = code.emit("ne", "i1", code.get(failed), code.constant(0, "i64"))
    answer = select(found, task.one, task.zero)
    code.store(buffers[-1], _times(n, n), answer)
    emitter.kernels.append(kernel)
    return kernel


def emit_matrices(emitter: Any, step: Step) -> None:
    """Call the kernel for matrices of this kind, and the primitive's own if it finds no answer."""
    code: Builder = emitter.code
    scratch = step.writes[-1]
    lead = step.reads[0].shape[:-2]
    buffers = [emitter.buffer(root)[0] for root in (*step.reads, *step.writes)]
    n = step.reads[0].shape[-1]
    columns = step.reads[-1].shape[-1]
    given = [*buffers, code.extent(n), code.extent(columns)]
    key = (step.kind, scratch.dtype, len(lead) > 0, *step.equation.params.items())
    if key not in emitter.shared:
        emitter.shared[key] = _kernel(emitter, step, given, len(lead))
    code.items.append(Call(emitter.shared[key], given, code.extent(math.prod(lead))))
    if step.kind in ("matrix_determinant", "matrix_slogdet"):
        return
    failed = code.load(buffers[-1], code.size(n * n)) != 0
    number = code.constant(len(emitter.steps), "i64")
    emitter.steps.append(step.more["host"])
    call = External("host", [number, code.constant(0, "i64")])
    code.items.append(If(failed, [call], []))


MATRIX_RULES: dict[str, Callable] = dict.fromkeys(
    (name.removeprefix("matrix_") for name in _WRITERS), _small
)
EMIT_MATRICES: dict[str, Callable] = dict.fromkeys(_WRITERS, emit_matrices)
