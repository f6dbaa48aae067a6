"""Kernels as data: functions of buffers and sizes made of loops, loads, stores and scalar code.

A ``Kernel`` is built by a ``Builder``, on which ordinary arithmetic, loops and branches are
written; printers turn it into LLVM, Numba or CUDA text. Sizes are run-time values, so that one
kernel serves every size; ``Constant`` numbers are part of the text.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from .scalar import Body, Statement, Value

__all__ = [
    "BlasThreads",
    "Buffer",
    "Builder",
    "Call",
    "Constant",
    "Copy",
    "Declare",
    "External",
    "Fill",
    "Get",
    "If",
    "Kernel",
    "Load",
    "LoadPointer",
    "Local",
    "Loop",
    "Offset",
    "Set",
    "Spawn",
    "Store",
    "Variable",
    "While",
]

ITEM_BYTES = {"f64": 8, "f32": 4, "i1": 1, "c128": 16, "c64": 8, "h16": 2}
ITEM_BYTES.update({f"{k}{w}": w // 8 for k in "iu" for w in (8, 16, 32, 64)})


class Constant(Value):
    """A number in the text."""

    __slots__ = ("number",)

    def __init__(self, body: Body, number: Any, dtype: str) -> None:
        super().__init__(body, repr(number), dtype)
        self.number = number


class Index(Value):
    """An index: sums and products with numbers that depend on shapes keep them out of the text."""

    __slots__ = ()

    def _index(self, op: str, x: Any, y: Any) -> Index:
        body: Any = self.body
        x, y = (body.size(v) if type(v) is int else v for v in (x, y))
        made = Index(body, body.name(), "i64")
        body.items.append(Statement(made, op, (x, y)))
        return made

    def __add__(self, other: Any) -> Index:
        return self._index("add", self, other)

    def __radd__(self, other: Any) -> Index:
        return self._index("add", other, self)

    def __sub__(self, other: Any) -> Index:
        return self._index("sub", self, other)

    def __mul__(self, other: Any) -> Index:
        return self._index("mul", self, other)

    def __rmul__(self, other: Any) -> Index:
        return self._index("mul", other, self)


PLAIN = frozenset({0, 1, -1, 2, -2, 3, 4, 0.5, -0.5, float("inf"), -float("inf")})
LIMITED = frozenset({"sin", "cos", "tan"})  # have a faster version for small arguments
TINY = 8  # sizes up to this are part of the text


class Buffer:
    """Memory of elements of one dtype, contiguous; ``name`` is its pointer's."""

    __slots__ = ("dtype", "name")

    def __init__(self, name: str, dtype: str) -> None:
        self.name = name
        self.dtype = dtype

    def __repr__(self) -> str:
        return f"{self.name}: {self.dtype}*"


class Variable:
    """A scalar that is assigned to more than once: an accumulator, a loop's carry."""

    __slots__ = ("dtype", "name")

    def __init__(self, name: str, dtype: str) -> None:
        self.name = name
        self.dtype = dtype


class Item:
    """What a kernel is made of, beside scalar statements."""

    __slots__ = ()


class Comment(Item):
    """A line for the reader."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


class Load(Item):
    __slots__ = ("buffer", "index", "result")

    def __init__(self, result: Value, buffer: Buffer, index: Value) -> None:
        self.result, self.buffer, self.index = result, buffer, index


class Store(Item):
    __slots__ = ("buffer", "index", "value")

    def __init__(self, buffer: Buffer, index: Value, value: Value) -> None:
        self.buffer, self.index, self.value = buffer, index, value


class Declare(Item):
    __slots__ = ("initial", "variable")

    def __init__(self, variable: Variable, initial: Value) -> None:
        self.variable, self.initial = variable, initial


class Get(Item):
    __slots__ = ("result", "variable")

    def __init__(self, result: Value, variable: Variable) -> None:
        self.result, self.variable = result, variable


class Set(Item):
    __slots__ = ("value", "variable")

    def __init__(self, variable: Variable, value: Value) -> None:
        self.variable, self.value = variable, value


class Loop(Item):
    """``for index in range(lower, upper)``."""

    __slots__ = ("hint", "index", "items", "lower", "upper")

    def __init__(
        self, index: Value, lower: Value, upper: Value, items: list, hint: str = ""
    ) -> None:
        self.index, self.lower, self.upper, self.items = index, lower, upper, items
        # "rare": seldom runs and is not worth the compiler's time; "twofold": long chains of
        # operations, of which two at a time fill the processor.
        self.hint = hint


class While(Item):
    """Run ``test`` items; while ``condition`` holds, run ``items``."""

    __slots__ = ("condition", "items", "test")

    def __init__(self, test: list, condition: Value, items: list) -> None:
        self.test, self.condition, self.items = test, condition, items


class If(Item):
    __slots__ = ("condition", "items", "otherwise")

    def __init__(self, condition: Value, items: list, otherwise: list) -> None:
        self.condition, self.items, self.otherwise = condition, items, otherwise


class Local(Item):
    """Memory on the stack of the kernel: ``size`` elements, a number in the text."""

    __slots__ = ("buffer", "size")

    def __init__(self, buffer: Buffer, size: int) -> None:
        self.buffer, self.size = buffer, size


class Offset(Item):
    """A buffer that begins inside another one, ``index`` elements on."""

    __slots__ = ("base", "buffer", "index")

    def __init__(self, buffer: Buffer, base: Buffer, index: Value) -> None:
        self.buffer, self.base, self.index = buffer, base, index


class LoadPointer(Item):
    """A buffer whose address is the first word of another one."""

    __slots__ = ("buffer", "table")

    def __init__(self, buffer: Buffer, table: Buffer) -> None:
        self.buffer, self.table = buffer, table


class Fill(Item):
    """Set ``count`` elements to one value."""

    __slots__ = ("buffer", "count", "value")

    def __init__(self, buffer: Buffer, value: Value, count: Value) -> None:
        self.buffer, self.value, self.count = buffer, value, count


class Copy(Item):
    """Copy ``count`` elements between buffers that do not overlap, or are the same."""

    __slots__ = ("count", "source", "target")

    def __init__(self, target: Buffer, source: Buffer, count: Value) -> None:
        self.target, self.source, self.count = target, source, count


class Call(Item):
    """Call another kernel of the module over ``range(upper)``.

    ``arguments`` match the kernel's parameters.
    """

    __slots__ = ("arguments", "kernel", "source", "upper")

    def __init__(self, kernel: Kernel, arguments: list, upper: Value, source: Any = None) -> None:
        self.kernel, self.arguments, self.upper, self.source = kernel, arguments, upper, source


class Spawn(Item):
    """Call another kernel over ``range(upper)``, in as many parts as there are ``threads``.

    ``private`` holds, by the position of an argument, the memory and the bytes that each further
    thread gets in its place; ``rows`` the bytes by which an argument is moved on for each thread.
    ``after`` puts together what the threads have accumulated.
    """

    __slots__ = ("after", "arguments", "functions", "kernel", "private", "rows", "threads", "upper")

    def __init__(
        self,
        kernel: Kernel,
        arguments: list,
        upper: Value,
        threads: Value,
        functions: tuple[Buffer, ...],
        private: dict[int, tuple[Buffer, Value]],
        rows: dict[int, Value],
    ) -> None:
        self.kernel, self.arguments, self.upper, self.threads = kernel, arguments, upper, threads
        self.functions, self.private, self.rows = functions, private, rows
        self.after: list[Any] = []


class External(Item):
    """Call a function outside the module through a pointer in the frame."""

    __slots__ = ("arguments", "function", "result")

    def __init__(self, function: str, arguments: list, result: Value | None = None) -> None:
        self.function, self.arguments, self.result = function, arguments, result


class Kernel:
    """A function of buffers and scalars; ``parameters`` are ``Buffer`` and ``Value``.

    A kernel that is called over a range has the range's ends, ``lower`` and ``upper``, as its
    first two parameters. ``parts`` are the positions in ``items`` where what memory holds may be
    another array: between them buffers of different names do not overlap.
    """

    __slots__ = ("error", "errors", "items", "lower", "name", "parameters", "parts", "upper")

    def __init__(self, name: str) -> None:
        self.name = name
        self.error: Variable | None = None
        self.errors: dict[str, int] = {}
        self.parameters: list[Any] = []
        self.items: list[Any] = []
        self.parts: list[int] = []
        self.lower: Value | None = None
        self.upper: Value | None = None


class Edges:
    """Where conditions on a loop's index may fail, as they are met: outside of ``spans``.

    Where the loop is ``within`` all of them, none is asked.
    """

    __slots__ = ("index", "spans", "within")

    def __init__(self, index: Value, within: bool = False) -> None:
        self.index = index
        self.within = within
        self.spans: dict[tuple[int, int], None] = {}


class Builder(Body):
    """Writes the items of one kernel; statements go to the innermost open loop or branch."""

    __slots__ = (
        "count",
        "distinct",
        "edges",
        "error",
        "errors",
        "guard",
        "hint",
        "items",
        "kernel",
        "seen",
    )

    def __init__(self, name: str, distinct: bool = False) -> None:
        super().__init__("v")
        self.distinct = distinct
        self.kernel = Kernel(name)
        self.error: Variable | None = None
        self.errors: dict[str, int] = {}
        self.hint = ""
        self.edges: Edges | None = None  # of the loop being written
        self.guard: Variable | None = None  # becomes nonzero where a limit is passed
        self.items: list[Any] = self.kernel.items
        self.count = 0
        self.seen: dict[Any, Any] = {}

    def name(self, prefix: str = "v") -> str:
        """A name that is new in this kernel."""
        self.count += 1
        return f"{prefix}{self.count}"

    def emit(self, op: str, dtype: str, *arguments: Any, more: Any = None) -> Value:
        result = Value(self, self.name(), dtype)
        self.items.append(Statement(result, op, arguments, more))
        return result

    def constant(self, number: Any, dtype: str) -> Constant:
        return Constant(self, number, dtype)

    def size(self, n: int) -> Value:
        """A number that depends on shapes: a parameter, so that the code serves all sizes."""
        return self.constant(n, "i64") if -TINY <= n <= TINY else self.extent(n)

    def extent(self, n: int) -> Value:
        """A length, of however few elements: a batch of 5 is one of 50 to the code."""
        if n <= 1:
            return self.constant(n, "i64")
        # Of the program's own numbers each has its place: that two are equal says nothing of
        # the next size, at which the text is to be the same.
        key = ("number", n, len(self.seen)) if self.distinct else ("number", n)
        return self.parameter(key, Index(self, f"n{len(self.kernel.parameters)}", "i64"))

    def number(self, value: Any, dtype: str) -> Value:
        """A number of the program; only the plainest are part of the text."""
        if dtype in ("i1", "c128", "c64", "h16") or value in PLAIN or value != value:
            return self.constant(value.item() if hasattr(value, "item") else value, dtype)
        return self.scalar(("literal", dtype, value.item()), dtype)

    def scalar(self, key: Any, dtype: str) -> Value:
        """The parameter that is the number ``key``."""
        return self.parameter(key, Value(self, f"n{len(self.kernel.parameters)}", dtype))

    def like(self, key: Any, other: Any) -> Any:
        """A parameter like another kernel's, a buffer or a number."""
        make = self.buffer if isinstance(other, Buffer) else self.scalar
        return make(key, other.dtype)

    def pointer(self, table: Buffer) -> Buffer:
        """The memory whose address is the first word of ``table``."""
        made = Buffer(self.name("at"), table.dtype)
        self.items.append(LoadPointer(made, table))
        return made

    def cast(self, buffer: Buffer, dtype: str) -> Buffer:
        """The same memory as elements of another dtype."""
        return Buffer(buffer.name, dtype)

    def buffer(self, key: Any, dtype: str) -> Buffer:
        """The parameter that is the memory ``key``."""
        return self.parameter(key, Buffer(f"b{len(self.kernel.parameters)}", dtype))

    def math(self, name: str, *arguments: Value) -> Value:
        """Call a function; where a guard is up, a faster one with a limit that is watched."""
        if self.guard is None or name not in LIMITED:
            return super().math(name, *arguments)
        from .vector_math import SMALL_ANGLE  # which is printed, as kernels are

        (x,) = arguments
        beyond = x.abs() > SMALL_ANGLE[x.dtype]
        held = self.get(self.guard)
        self.set(self.guard, held | beyond.convert("i32"))
        return super().math(f"{name}_small", x)

    def flag(self, condition: Value, message: str) -> None:
        """Note an error if the condition holds; the program goes on to its end."""
        if self.error is None:
            self.error = Variable("error", "i64")
            self.errors = {}
        code = self.errors.setdefault(message, len(self.errors) + 1)
        held = self.get(self.error)
        found = self.emit("select", "i64", condition, self.constant(code, "i64"), held)
        self.set(self.error, found)

    def branch(self, condition: Value, then: Any, otherwise: Any, dtype: str) -> Value:
        """The value of one of two functions, of which only one runs."""
        variable = Variable(self.name("s"), dtype)
        self.items.append(Declare(variable, self.constant(0, dtype)))
        made = If(condition, [], [])
        for function, items in ((then, made.items), (otherwise, made.otherwise)):
            with self.into(items):
                self.set(variable, function())
        self.items.append(made)
        return self.get(variable)

    def parameter(self, key: Any, made: Any) -> Any:
        """The parameter that stands for ``key`` outside; ``made`` if there is none yet."""
        found = self.seen.get(key)
        if found is None:
            found = self.seen[key] = made
            self.kernel.parameters.append(found)
        return found

    def load(self, buffer: Buffer, index: Value) -> Value:
        result = Value(self, self.name(), buffer.dtype)
        self.items.append(Load(result, buffer, index))
        return result

    def store(self, buffer: Buffer, index: Value, value: Any) -> None:
        self.items.append(Store(buffer, index, value))

    def variable(self, initial: Value) -> Variable:
        made = Variable(self.name("s"), initial.dtype)
        self.items.append(Declare(made, initial))
        return made

    def get(self, variable: Variable) -> Value:
        result = Value(self, self.name(), variable.dtype)
        self.items.append(Get(result, variable))
        return result

    def set(self, variable: Variable, value: Value) -> None:
        self.items.append(Set(variable, value))

    def local(self, dtype: str, size: int) -> Buffer:
        buffer = Buffer(self.name("local"), dtype)
        self.items.append(Local(buffer, size))
        return buffer

    def offset(self, base: Buffer, index: Value) -> Buffer:
        buffer = Buffer(self.name("at"), base.dtype)
        self.items.append(Offset(buffer, base, index))
        return buffer

    def comment(self, text: str) -> None:
        self.items.append(Comment(text))

    @contextlib.contextmanager
    def into(self, items: list) -> Iterator[list]:
        """Write to another list of items."""
        outer, self.items = self.items, items
        try:
            yield items
        finally:
            self.items = outer

    @contextlib.contextmanager
    def loop(self, upper: Value, lower: Value | None = None) -> Iterator[Value]:
        index = Index(self, self.name("i"), "i64")
        items: list[Any] = []
        start = self.constant(0, "i64") if lower is None else lower
        self.items.append(Loop(index, start, upper, items, self.hint))
        with self.into(items):
            yield index


class BlasThreads(Item):
    """Tell BLAS how many threads to use from here on, if it has the function to be told by."""

    __slots__ = ("function", "threads")

    def __init__(self, function: Buffer, threads: Value) -> None:
        self.function, self.threads = function, threads


class Gemm(Item):
    """``c = op(a) @ op(b)`` in row-major memory by BLAS; ``sizes`` are m, n, k."""

    __slots__ = ("a", "b", "c", "function", "sizes", "transposed")

    def __init__(
        self,
        function: Buffer,
        a: Buffer,
        b: Buffer,
        c: Buffer,
        sizes: tuple[Value, Value, Value],
        transposed: tuple[bool, bool],
    ) -> None:
        self.function, self.a, self.b, self.c = function, a, b, c
        self.sizes, self.transposed = sizes, transposed
