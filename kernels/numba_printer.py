"""Kernels -> Python source that Numba compiles, for people to read.

The text is valid Python, with the same values, where Numba is not installed or switched off.
Statements whose result is used once are written into the expression that uses it.
"""

from __future__ import annotations

import keyword
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from .loop import (
    BlasThreads,
    Buffer,
    Call,
    Comment,
    Constant,
    Copy,
    Declare,
    External,
    Fill,
    Gemm,
    Get,
    If,
    Kernel,
    Load,
    LoadPointer,
    Local,
    Loop,
    Offset,
    Set,
    Spawn,
    Store,
    While,
)
from .scalar import FLOATS, Function, Statement, Value
from .vector_math import function as math_function

__all__ = ["NUMPY_NAMES", "identifier", "number_text", "source_text"]

WIDTH = 90
INDENT = "    "

NUMPY_NAMES = {
    "f64": "float64",
    "f32": "float32",
    "i1": "bool_",
    "c128": "complex128",
    "c64": "complex64",
    "h16": "float16",
    **{f"i{width}": f"int{width}" for width in (8, 16, 32, 64)},
    **{f"u{width}": f"uint{width}" for width in (8, 16, 32, 64)},
}

# Python's precedences: how tightly an expression holds together.
TERNARY, OR, AND, NOT, COMPARE, BIT_OR, BIT_XOR, BIT_AND, SHIFT, SUM, PRODUCT, UNARY, ATOM = range(
    13
)
_INFIX = {
    "add": ("+", SUM),
    "sub": ("-", SUM),
    "mul": ("*", PRODUCT),
    "div": ("/", PRODUCT),
    "rem": ("%", PRODUCT),
    "and": ("&", BIT_AND),
    "or": ("|", BIT_OR),
    "xor": ("^", BIT_XOR),
    "shl": ("<<", SHIFT),
    "shr": (">>", SHIFT),
}
_COMPARE = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}
_MIRRORED = {"lt": "gt", "le": "ge", "gt": "lt", "ge": "le", "eq": "eq", "ne": "ne"}
_BOOLEAN = {"and": ("and", AND), "or": ("or", OR), "xor": ("!=", COMPARE)}
# NumPy's functions, not ``math``'s: these neither raise at poles nor lose float32.
_NUMPY_OPS = frozenset(
    {"sqrt", "floor", "ceil", "trunc", "rint", "copysign", "maximum", "minimum", "fmod"}
)
_NUMPY_FUNCTIONS = {
    **{
        name: name
        for name in (
            *("exp", "exp2", "expm1", "log", "log1p", "log2", "log10", "sin", "cos", "tan"),
            *("arcsin", "arccos", "arctan", "arctan2", "sinh", "cosh", "tanh", "arcsinh"),
            *("arccosh", "arctanh", "cbrt", "power", "hypot", "logaddexp", "logaddexp2"),
        )
    },
    "sin_small": "sin",
    "cos_small": "cos",
    "tan_small": "tan",
}

_HELPERS = {
    "fma": '''
def fma(a, b, c):
    """a * b + c; compiled programs round it once."""
    return a * b + c
''',
    "gemm": '''
def gemm(a, b, c, m, n, k, a_transposed, b_transposed):
    """c = a @ b, m by k by n; in memory a and b may be transposed."""
    out = c[: m * n].reshape(m, n)
    if a_transposed and b_transposed:
        np.dot(a[: m * k].reshape(k, m).T, b[: n * k].reshape(n, k).T, out)
    elif a_transposed:
        np.dot(a[: m * k].reshape(k, m).T, b[: n * k].reshape(k, n), out)
    elif b_transposed:
        np.dot(a[: m * k].reshape(m, k), b[: n * k].reshape(n, k).T, out)
    else:
        np.dot(a[: m * k].reshape(m, k), b[: n * k].reshape(k, n), out)
''',
    "host": '''
def host(number):
    """A call of the primitive's own function, which only the compiled program can make."""
    raise NotImplementedError
''',
    "capacity": '''
def capacity(tape, row):
    """How many rows of so many words a tape has room for."""
    return len(tape) // max(row, 1)
''',
    "longer": '''
def longer(tape, row):
    """The tape with room for twice as many rows."""
    made = np.empty(max(2 * len(tape), 256 * max(row, 1)), np.int64)
    made[: len(tape)] = tape
    return made
''',
}


def identifier(name: str, default: str = "program") -> str:
    """The name as one that Python source can use."""
    if not name.isidentifier():
        return default
    return f"{name}_" if keyword.iskeyword(name) or name in _TAKEN else name


_TAKEN = frozenset({"np", "njit", "error", "lower", "upper", "range", "len", "max", "abs"}) | set(
    _HELPERS
)


def number_text(value: Any, dtype: str) -> str:
    """A number of a dtype."""
    if dtype in ("f64", "f32", "h16"):
        value = float(value)
        text = repr(value) if dtype == "f64" else str(getattr(np, NUMPY_NAMES[dtype])(value))
        if value != value:
            text = "np.nan"
        elif value in (float("inf"), -float("inf")):
            text = "np.inf" if value > 0 else "-np.inf"
        return text if dtype == "f64" else f"np.{NUMPY_NAMES[dtype]}({text})"
    if dtype == "i1":
        return str(bool(value))
    if dtype in ("c128", "c64"):
        value = complex(value)
        return f"np.{NUMPY_NAMES[dtype]}(complex({value.real!r}, {value.imag!r}))"
    return str(int(value)) if dtype == "i64" else f"np.{NUMPY_NAMES[dtype]}({int(value)})"


def _known(x: Any) -> bool:
    return isinstance(x, Constant) or not isinstance(x, Value)


class _Expression:
    """Text that is not written yet, and what it depends on."""

    __slots__ = ("alias", "left", "level", "op", "reads", "right", "text", "variables")

    def __init__(self, text: str, level: int = ATOM) -> None:
        self.text = text
        self.level = level
        self.reads: set[str] = set()  # names of the memory that is read
        self.variables: set[str] = set()
        self.alias = False  # merely another name of a variable
        self.op = self.left = self.right = ""  # of a sum or product, for ``x += y``

    def within(self, level: int) -> str:
        """The text as a part of an expression of this precedence."""
        return self.text if self.level >= level else f"({self.text})"

    def depend(self, *others: _Expression) -> _Expression:
        for other in others:
            self.reads |= other.reads
            self.variables |= other.variables
        return self


def _parts(item: Any) -> tuple[Sequence[Any], Sequence[list]]:
    """The values that an item uses, and the lists of items inside it."""
    kind = type(item)
    if kind is Statement:
        return item.arguments, ()
    if kind in (Load, Offset):
        return (item.index,), ()
    if kind is Store:
        return (item.index, item.value), ()
    if kind is Declare:
        return (item.initial,), ()
    if kind is Set:
        return (item.value,), ()
    if kind is Loop:
        return (item.lower, item.upper), (item.items,)
    if kind is If:
        return (item.condition,), (item.items, item.otherwise)
    if kind is Fill:
        return (item.value, item.count), ()
    if kind is Copy:
        return (item.count,), ()
    if kind is Call or kind is Spawn:
        return (*item.arguments, item.upper), ()
    if kind is External:
        return item.arguments, ()
    return (item.sizes, ()) if kind is Gemm else ((), ())


class _Writer:
    """Writes the lines of one function."""

    def __init__(self, source: _Source, names: Mapping[str, str]) -> None:
        self.source = source
        self.names = dict(names)
        self.lines: list[tuple[int, str]] = []
        self.depth = 1
        self.pending: dict[str, _Expression] = {}
        self.uses: dict[str, int] = {}  # how often a value is still to be used
        self.homes: dict[str, set[int]] = {}  # the lists in which it is used
        self.here = 0
        self.base: dict[str, str] = {}  # the memory inside which a buffer lies
        self.kinds: dict[str, str] = {}  # dtypes of buffers where they were made
        self.tapes: list[str] = []
        self.rows: list[Any] = []

    # --- what is used where

    def count(self, items: Iterable[Any], home: int) -> None:
        for item in items:
            if type(item) is While:  # the test and the body are one run of statements
                self.count(item.test, id(item))
                self.use(item.condition, id(item))
                self.count(item.items, id(item))
                continue
            values, inner = _parts(item)
            for value in values:
                self.use(value, home)
            for listed in inner:
                self.count(listed, id(listed))
            if type(item) is LoadPointer and item.table.name not in self.tapes:
                self.tapes.append(item.table.name)
            if type(item) is External and item.function == "grow":
                self.rows.append(item.arguments[1])

    def use(self, value: Any, home: int) -> None:
        if isinstance(value, Value) and not isinstance(value, Constant):
            self.uses[value.name] = self.uses.get(value.name, 0) + 1
            self.homes.setdefault(value.name, set()).add(home)

    # --- lines

    def add(self, text: str) -> None:
        self.lines.append((self.depth, text))

    def flush(self, conflicts: Callable[[_Expression], bool] = lambda _: True) -> None:
        """Write what is pending where it would not be the same later."""
        for name in [n for n, e in self.pending.items() if conflicts(e)]:
            made = self.pending.pop(name)
            if self.uses.get(name):
                self.add(f"{name} = {made.text}")

    def stored(self, buffer: Buffer) -> None:
        """Flush what reads memory that is about to change."""
        memory = self.memory(buffer)
        self.flush(lambda e: memory in e.reads)

    def memory(self, buffer: Buffer) -> str:
        name = buffer.name
        while name in self.base:
            name = self.base[name]
        # In the program's own function a loop's carry may be the memory of its result.
        return name if self.source.kernel is not self.source.program else "memory"

    # --- expressions

    def value(self, x: Any, dtype: str = "i64") -> _Expression:
        """A value's expression; a pending one is used up."""
        if isinstance(x, Constant):
            x = x.number
        if not isinstance(x, Value):
            text = number_text(x, dtype)
            return _Expression(text, UNARY if text[0] == "-" else ATOM)
        name = x.name
        self.uses[name] -= 1
        made = self.pending.get(name)
        if made is None:
            return _Expression(self.names.get(name, name))
        if not self.uses[name]:
            del self.pending[name]
        return made

    def text(self, x: Any, dtype: str = "i64") -> str:
        return self.value(x, dtype).text

    def hold(self, result: Value, made: _Expression) -> None:
        """Keep an expression until it is used, or write it if it is long or used elsewhere."""
        name = result.name
        if not self.uses.get(name):
            return
        once = self.uses[name] == 1 and self.homes[name] == {self.here}
        if made.alias or (once and len(made.text) + 4 * self.depth <= WIDTH - 25):
            self.pending[name] = made
        else:
            self.add(f"{name} = {made.text}")

    def shorten(self, arguments: Sequence[Any], limit: int) -> None:
        """Name the longest of the operands until all of them fit on a line."""
        held = [
            x.name
            for x in arguments
            if isinstance(x, Value) and x.name in self.pending and not isinstance(x, Constant)
        ]
        held.sort(key=lambda name: len(self.pending[name].text))
        while held and sum(len(self.pending[n].text) for n in held) > limit:
            name = held.pop()
            if not self.pending[name].alias:
                self.add(f"{name} = {self.pending.pop(name).text}")

    def statement(self, item: Statement) -> None:
        self.shorten(item.arguments, WIDTH - 25 - 4 * self.depth)
        self.hold(item.result, self.expression(item))

    def expression(self, item: Statement) -> _Expression:
        result, op, arguments, more = item
        dtype = result.dtype
        if op in _COMPARE:
            if not _known(arguments[1]) and _known(arguments[0]):  # x > 0, not 0 < x
                op, arguments = _MIRRORED[op], arguments[::-1]
            of = next(a.dtype for a in arguments if isinstance(a, Value))
            x, y = (self.value(a, of) for a in arguments)
            text = f"{x.within(COMPARE + 1)} {_COMPARE[op]} {y.within(COMPARE + 1)}"
            return _Expression(text, COMPARE).depend(x, y)
        if op in ("bits", "from_bits", "convert", "lookup"):
            return self.converted(item)
        if op == "select":
            condition = self.value(arguments[0], "i1")
            x, y = (self.value(a, dtype) for a in arguments[1:])
            text = f"{x.within(OR)} if {condition.within(OR)} else {y.within(OR)}"
            return _Expression(text, TERNARY).depend(condition, x, y)
        values = [
            self.value(a, a.dtype if op == "call" and isinstance(a, Value) else dtype)
            for a in arguments
        ]
        made = self.operation(op, dtype, values, more)
        # Numba computes with narrow integers as int64.
        if dtype[0] in "iu" and dtype not in ("i64", "u64", "i1"):
            made = _Expression(f"np.{NUMPY_NAMES[dtype]}({made.text})")
        return made.depend(*values)

    def operation(self, op: str, dtype: str, values: list[_Expression], more: Any) -> _Expression:
        listed = ", ".join(v.text for v in values)
        if op == "call":
            return _Expression(f"{self.source.function(more)}({listed})")
        if op == "rem" and dtype in FLOATS:
            op = "fmod"
        if op in _NUMPY_OPS:
            return _Expression(f"np.{op}({listed})")
        if op == "fma":
            return _Expression(f"{self.source.helper('fma')}({listed})")
        if op == "abs":
            return _Expression(f"abs({listed})")
        if op == "neg":
            return _Expression(f"-{values[0].within(UNARY)}", UNARY)
        if op == "not":
            if dtype == "i1":
                return _Expression(f"not {values[0].within(NOT)}", NOT)
            return _Expression(f"~{values[0].within(UNARY)}", UNARY)
        if op == "lshr":
            unsigned = f"np.uint{dtype[1:]}"
            x, y = (f"{unsigned}({v.text})" for v in values)
            return _Expression(f"np.{NUMPY_NAMES[dtype]}({x} >> {y})")
        if op not in _INFIX:
            raise NotImplementedError(f"scalar operation {op} of {dtype}")
        sign, level = _BOOLEAN[op] if dtype == "i1" else _INFIX[op]
        if op == "div" and dtype not in FLOATS:
            sign = "//"  # of indices, which are not negative
        if dtype == "i64" and values[1].text == {"add": "0", "sub": "0", "mul": "1"}.get(op):
            return values[0]
        # Shifts of sums are seldom read as Python reads them.
        left = values[0].within(UNARY if level == SHIFT else level + (level == COMPARE))
        right = values[1].within(level + 1)
        made = _Expression(f"{left} {sign} {right}", level)
        if op in ("add", "sub", "mul"):
            made.op, made.left, made.right = sign, values[0].text, values[1].text
        return made

    def converted(self, item: Statement) -> _Expression:
        (argument,) = item.arguments
        x = self.value(argument, argument.dtype)
        target = NUMPY_NAMES[item.result.dtype]
        if item.op == "lookup":
            return _Expression(f"{self.source.table(item)}[{x.text}]").depend(x)
        if item.op == "convert":
            return _Expression(f"np.{target}({x.text})").depend(x)
        return _Expression(f"np.{NUMPY_NAMES[argument.dtype]}({x.text}).view(np.{target})").depend(
            x
        )

    def array(self, buffer: Buffer) -> str:
        """A buffer as an array of its dtype."""
        name = self.names.get(buffer.name, buffer.name)
        made = self.kinds.setdefault(buffer.name, buffer.dtype)
        return name if made == buffer.dtype else f"{name}.view(np.{NUMPY_NAMES[buffer.dtype]})"

    # --- items

    def items(self, items: Sequence[Any], home: int) -> None:
        outer, self.here = self.here, home
        self.run(items)
        self.flush(lambda e: not e.alias)
        self.here = outer

    def run(self, items: Sequence[Any]) -> None:
        for position, item in enumerate(items):
            if type(item) is Declare and _set_by_next(item, items[position + 1 : position + 2]):
                continue
            _WRITE[type(item)](self, item)

    def nested(self, items: Sequence[Any], home: int) -> None:
        first = len(self.lines)
        self.depth += 1
        self.items(items, home)
        if all(text.startswith("#") for _, text in self.lines[first:]):
            self.add("pass")
        self.depth -= 1

    def before_block(self, *lists: Sequence[Any]) -> None:
        """Flush before items that may run many times, or not at all."""
        changed: set[str] = set()

        def visit(items: Iterable[Any]) -> None:
            for item in items:
                if type(item) is Set:
                    changed.add(item.variable.name)
                elif type(item) is While:
                    visit(item.test)
                    visit(item.items)
                else:
                    for listed in _parts(item)[1]:
                        visit(listed)

        for items in lists:
            visit(items)
        self.flush(lambda e: not e.alias or bool(e.variables & changed))

    def load(self, item: Load) -> None:
        if item.buffer.name in self.tapes:
            row = self.rows[self.tapes.index(item.buffer.name)]
            self.uses.setdefault(getattr(row, "name", ""), 0)
            helper = self.source.helper("capacity")
            shown = number_text(row.number, "i64") if isinstance(row, Constant) else row.name
            made = _Expression(f"{helper}({self.array(item.buffer)}, {shown})")
            made.reads.add(item.buffer.name)
        else:
            self.shorten((item.index,), WIDTH - 30 - 4 * self.depth)
            index = self.value(item.index)
            made = _Expression(f"{self.array(item.buffer)}[{index.text}]").depend(index)
            made.reads.add(self.memory(item.buffer))
        self.hold(item.result, made)

    def store(self, item: Store) -> None:
        index = self.value(item.index)
        self.shorten((item.value,), WIDTH - 4 * self.depth - len(index.text) - 10)
        value = self.value(item.value, item.buffer.dtype)
        self.stored(item.buffer)
        self.assign(f"{self.array(item.buffer)}[{index.text}]", value)

    def assign(self, target: str, value: _Expression) -> None:
        if value.op and value.left == target:
            self.add(f"{target} {value.op}= {value.right}")
        elif value.text != target:
            self.add(f"{target} = {value.text}")

    def declare(self, item: Declare) -> None:
        self.add(f"{item.variable.name} = {self.text(item.initial, item.variable.dtype)}")

    def get(self, item: Get) -> None:
        made = _Expression(item.variable.name)
        made.variables.add(item.variable.name)
        made.alias = True
        self.hold(item.result, made)

    def set(self, item: Set) -> None:
        name = item.variable.name
        self.shorten((item.value,), WIDTH - 4 * self.depth - len(name))
        value = self.value(item.value, item.variable.dtype)
        self.flush(lambda e: name in e.variables)
        self.assign(name, value)

    def loop(self, item: Loop) -> None:
        lower, upper = self.text(item.lower), self.text(item.upper)
        bounds = upper if lower == "0" else f"{lower}, {upper}"
        self.before_block(item.items)
        self.add(f"for {item.index.name} in range({bounds}):")
        self.nested(item.items, id(item.items))

    def repeat(self, item: While) -> None:
        self.before_block(item.test, item.items)
        place = len(self.lines)
        self.add("while True:")
        self.depth += 1
        outer, self.here = self.here, id(item)
        self.run(item.test)
        self.flush(lambda e: not e.alias and e is not self.pending.get(item.condition.name))
        condition = self.value(item.condition, "i1")
        if all(text.startswith("#") for _, text in self.lines[place + 1 :]):
            comments = [(depth - 1, text) for depth, text in self.lines[place + 1 :]]
            self.lines[place:] = [*comments, (self.depth - 1, f"while {condition.text}:")]
        else:
            self.add(f"if not {condition.within(NOT)}:")
            self.lines.append((self.depth + 1, "break"))
        self.depth -= 1
        self.nested(item.items, id(item))
        self.here = outer

    def branch(self, item: If) -> None:
        condition = self.text(item.condition, "i1")
        self.before_block(item.items, item.otherwise)
        self.add(f"if {condition}:")
        self.nested(item.items, id(item.items))
        if not item.otherwise:
            return
        place = len(self.lines)
        self.add("else:")
        self.nested(item.otherwise, id(item.otherwise))
        rest = self.lines[place + 1 :]
        if rest[0][1].startswith("if ") and all(
            depth > self.depth + 1 or text.startswith(("elif ", "else:"))
            for depth, text in rest[1:]
        ):
            first = (self.depth, f"el{rest[0][1]}")
            self.lines[place:] = [first, *((depth - 1, text) for depth, text in rest[1:])]

    def local(self, item: Local) -> None:
        kind = NUMPY_NAMES[item.buffer.dtype]
        self.kinds[item.buffer.name] = item.buffer.dtype
        self.add(f"{item.buffer.name} = np.empty({max(item.size, 1)}, np.{kind})")

    def offset(self, item: Offset) -> None:
        self.kinds[item.buffer.name] = item.buffer.dtype
        self.base[item.buffer.name] = item.base.name
        index = self.value(item.index)
        self.add(f"{item.buffer.name} = {self.array(item.base)}[{index.text}:]")

    def load_pointer(self, item: LoadPointer) -> None:
        self.kinds[item.buffer.name] = "i64"
        self.base[item.buffer.name] = item.table.name
        self.add(f"{item.buffer.name} = {self.array(item.table)}")

    def fill(self, item: Fill) -> None:
        value = self.text(item.value, item.buffer.dtype)
        count = self.text(item.count)
        self.stored(item.buffer)
        self.add(f"{self.array(item.buffer)}[:{count}] = {value}")

    def copy(self, item: Copy) -> None:
        count = self.text(item.count)
        self.stored(item.target)
        source, target = self.array(item.source), self.array(item.target)
        if source != target:
            self.add(f"{target}[:{count}] = {source}[:{count}]")

    def call(self, item: Call | Spawn) -> None:
        listed = ["0", self.text(item.upper)]
        for x in item.arguments:
            listed.append(self.array(x) if isinstance(x, Buffer) else self.text(x, x.dtype))
        self.flush(lambda e: bool(e.reads))
        call = f"{self.source.kernel_name(item.kernel)}({', '.join(listed)})"
        self.add(call if item.kernel.error is None else f"error = {call} or error")

    def external(self, item: External) -> None:
        number, more = (self.text(x) for x in item.arguments)
        self.flush(lambda e: bool(e.reads))
        if item.function == "grow":
            tape = self.tapes[-1 - int(number)]
            tape = self.names.get(tape, tape)
            self.add(f"{tape} = {self.source.helper('longer')}({tape}, {more})")
        elif item.function == "host":
            call = f"{self.source.helper('host')}({number})"
            last = self.lines[-1][1] if self.lines else ""
            if last.startswith("# ") and len(last) + len(call) + 4 * self.depth < WIDTH:
                call = f"{call}  {self.lines.pop()[1]}"
            self.add(call)

    def gemm(self, item: Gemm) -> None:
        arrays = [self.array(x) for x in (item.a, item.b, item.c)]
        sizes = [self.text(x) for x in item.sizes]
        flags = [str(bool(x)) for x in item.transposed]
        self.flush(lambda e: bool(e.reads))
        self.add(f"{self.source.helper('gemm')}({', '.join([*arrays, *sizes, *flags])})")


def _set_by_next(item: Declare, following: Sequence[Any]) -> bool:
    """Whether both sides of the branch that follows set the variable, so that it needs no value."""
    if not following or type(following[0]) is not If:
        return False
    return all(
        items and type(items[-1]) is Set and items[-1].variable is item.variable
        for items in (following[0].items, following[0].otherwise)
    )


_WRITE: dict[type, Callable[[_Writer, Any], None]] = {
    Comment: lambda writer, item: writer.add("# " + " ".join(item.text.split())),
    Statement: _Writer.statement,
    Declare: _Writer.declare,
    Load: _Writer.load,
    Store: _Writer.store,
    Get: _Writer.get,
    Set: _Writer.set,
    Loop: _Writer.loop,
    While: _Writer.repeat,
    If: _Writer.branch,
    Local: _Writer.local,
    Offset: _Writer.offset,
    LoadPointer: _Writer.load_pointer,
    Fill: _Writer.fill,
    Copy: _Writer.copy,
    Call: _Writer.call,
    Spawn: _Writer.call,  # the threads are left to the compiled program
    External: _Writer.external,
    Gemm: _Writer.gemm,
    BlasThreads: lambda writer, item: None,  # how fast, not what
}


class _Source:
    """The text of a program and of what it needs."""

    def __init__(self, program: Kernel, name: str) -> None:
        self.program = program
        self.kernel = program  # the one being written
        self.name = name
        self.helpers: dict[str, str] = {}
        self.tables: dict[tuple, str] = {}
        self.functions: dict[str, str] = {}
        self.passed: dict[str, dict[str, str]] = {}  # names of what kernels are called with

    def kernel_name(self, kernel: Kernel) -> str:
        return self.name + kernel.name.removeprefix(self.program.name)

    def helper(self, name: str) -> str:
        self.helpers[name] = _HELPERS[name].strip()
        return name

    def table(self, item: Statement) -> str:
        key = (item.result.dtype, item.more)
        return self.tables.setdefault(key, f"TABLE{len(self.tables)}")

    def function(self, full: str) -> str:
        """The Python name of a mathematical function like ``exp.f64``."""
        name, _, dtype = full.rpartition(".")
        if name in _NUMPY_FUNCTIONS:
            return f"np.{_NUMPY_FUNCTIONS[name]}"
        made = f"{name}_{dtype}"
        if made not in self.functions:
            self.functions[made] = ""  # it comes before those that it calls
            self.functions[made] = self.function_text(made, math_function(name, dtype))
        return made

    def function_text(self, name: str, function: Function) -> str:
        outer, self.kernel = self.kernel, Kernel(name)
        writer = _Writer(self, {})
        home = writer.here = id(function)
        writer.count(function.body.statements, home)
        writer.use(function.result, home)
        writer.run(function.body.statements)
        writer.add(f"return {writer.text(function.result, function.dtype)}")
        self.kernel = outer
        return _function(name, [p.name for p in function.parameters], writer.lines)

    def kernel_text(self, kernel: Kernel, names: Mapping[str, str]) -> str:
        self.kernel = kernel
        writer = _Writer(self, names)
        for x in kernel.parameters:
            if isinstance(x, Buffer):
                writer.kinds[x.name] = x.dtype
        writer.count(kernel.items, id(kernel.items))
        if kernel.error is not None:
            writer.add("error = 0")
        writer.items(kernel.items, id(kernel.items))
        if kernel.error is not None:
            writer.add("return error")
        listed = [names.get(x.name, x.name) for x in kernel.parameters]
        return _function(self.kernel_name(kernel), ["lower", "upper", *listed], writer.lines)

    def program_text(
        self,
        kernels: Sequence[Kernel],
        names: Mapping[str, str],
        values: Mapping[str, str],
        parameters: Sequence[str] | None,
    ) -> str:
        program = self.kernel = self.program
        writer = _Writer(self, names)
        writer.count(program.items, id(program.items))
        given = []
        for x in program.parameters:
            name = names.get(x.name, x.name)
            if isinstance(x, Buffer):
                writer.kinds[x.name] = x.dtype
            elif x.name in values and not writer.uses.get(x.name):
                continue  # only threads use it
            if x.name in values:
                writer.add(f"{name} = {values[x.name]}")
            else:
                given.append(name)
        messages = {m for k in (*kernels, program) for m in k.errors}
        if messages:
            writer.add("error = 0")
        writer.items(program.items, id(program.items))
        if messages:
            writer.add("if error:")
            writer.depth += 1
            writer.add(f'raise IndexError("{" or ".join(sorted(messages))}")')
        return _function(self.name, given if parameters is None else parameters, writer.lines)


def _function(name: str, parameters: Sequence[str], lines: Sequence[tuple[int, str]]) -> str:
    head = f"def {name}({', '.join(parameters)}):"
    text = ['@njit(error_model="numpy")']
    for depth, line in [(0, head), *lines]:
        text += _wrapped(INDENT * depth, line)
    if all(line.startswith("#") for _, line in lines):
        text.append(f"{INDENT}pass")
    return "\n".join(text)


def _wrapped(indent: str, line: str) -> list[str]:
    """A line in pieces, broken after commas, all of which are inside brackets."""
    found = []
    more = indent
    while len(more) + len(line) > WIDTH + 5:
        end = line.rfind(", ", 0, WIDTH - len(more)) + 1
        if not end or line.startswith("#"):
            break
        found.append(more + line[:end])
        line = line[end + 1 :]
        more = indent + 2 * INDENT
    if line.startswith("#") and len(indent) + len(line) > WIDTH + 5:
        line = f"{line[: WIDTH - len(indent)]} ..."
    return [*found, more + line]


def _called_with(items: Iterable[Any], found: dict[int, dict[str, str]]) -> None:
    """What the program calls the buffers that it passes to each kernel."""
    for item in items:
        if type(item) in (Call, Spawn):
            pairs = zip(item.kernel.parameters, item.arguments, strict=True)
            found[id(item.kernel)] = {
                made.name: x.name for made, x in pairs if isinstance(x, Buffer)
            }
        elif type(item) is While:
            _called_with((*item.test, *item.items), found)
        else:
            for listed in _parts(item)[1]:
                _called_with(listed, found)


def source_text(
    kernels: Sequence[Kernel],
    program: Kernel,
    name: str = "program",
    names: Mapping[str, str] | None = None,
    values: Mapping[str, str] | None = None,
    parameters: Sequence[str] | None = None,
) -> str:
    """A program as Python source.

    Parameters
    ----------
    kernels
        The kernels that the program calls.
    program
        The program's own function.
    name
        What the function is called.
    names
        Other names for parameters of the program, by theirs.
    values
        Text of the values of parameters that are known; they become local variables.
    parameters
        The parameters of the function, by their new names; all that have no value if not given.

    Returns
    -------
    str
        A module. Its last function is the program; arrays are passed flat.
    """
    names, values = dict(names or {}), dict(values or {})
    source = _Source(program, name)
    passed: dict[int, dict[str, str]] = {}
    _called_with(program.items, passed)
    functions = []
    for kernel in kernels:
        inner = {
            own: names[outer] for own, outer in passed.get(id(kernel), {}).items() if outer in names
        }
        functions.append(source.kernel_text(kernel, inner))
    functions.append(source.program_text(kernels, names, values, parameters))
    tables = [
        f"{made} = np.array({list(table)!r}, np.{NUMPY_NAMES[dtype]})"
        for (dtype, table), made in source.tables.items()
    ]
    helpers = [f'@njit(error_model="numpy")\n{text}' for text in source.helpers.values()]
    parts = ["import numpy as np\nfrom numba import njit"]
    parts += ["\n".join(tables)] * bool(tables)
    return "\n\n\n".join([*parts, *helpers, *source.functions.values(), *functions]) + "\n"
