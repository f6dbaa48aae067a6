"""Scalar code -> LLVM assembly text.

Text is what LLVM reads fastest from Python and what a person can read, so no object model of
instructions stands in between. Statements of user programs are rounded one by one as NumPy rounds
them; only sums that a program declares reorderable carry fast-math flags.
"""

from __future__ import annotations

import functools
import itertools
import re
import struct
from collections.abc import Callable, Iterable
from typing import Any

from .loop import (
    ITEM_BYTES,
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
from .scalar import FLOATS, Body, Function, Statement, Value

__all__ = ["LLVM_TYPES", "declarations", "function_text", "literal", "statement_lines"]

LLVM_TYPES = {
    "f64": "double",
    "f32": "float",
    **{f"{kind}{width}": f"i{width}" for kind in "iu" for width in (8, 16, 32, 64)},
    "i1": "i1",
    "c128": "<2 x double>",
    "c64": "<2 x float>",
    "h16": "i16",
}

_FLOAT_OPS = {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv", "rem": "frem"}
_SIGNED_OPS = {"add": "add", "sub": "sub", "mul": "mul", "div": "sdiv", "rem": "srem"}
_BIT_OPS = {"and": "and", "or": "or", "xor": "xor", "shl": "shl", "lshr": "lshr"}
_FLOAT_COMPARE = {"lt": "olt", "le": "ole", "gt": "ogt", "ge": "oge", "eq": "oeq", "ne": "une"}
_OPPOSITE = {"lt": "uge", "le": "ugt", "gt": "ule", "ge": "ult", "eq": "une", "ne": "oeq"}
_INT_COMPARE = {"lt": "lt", "le": "le", "gt": "gt", "ge": "ge", "eq": "eq", "ne": "ne"}
_INTRINSICS = {
    "sqrt": "sqrt",
    "abs": "fabs",
    "floor": "floor",
    "ceil": "ceil",
    "trunc": "trunc",
    "rint": "rint",
    "copysign": "copysign",
    "fma": "fma",
    "maximum": "maximum",
    "minimum": "minimum",
}


def literal(value: Any, dtype: str) -> str:
    """A number as an LLVM constant."""
    if dtype == "f64":
        return f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016X}"
    if dtype == "f32":  # LLVM writes a float as the double of the same value
        single = struct.unpack("<f", struct.pack("<f", _to_single(value)))[0]
        return f"0x{struct.unpack('<Q', struct.pack('<d', single))[0]:016X}"
    if dtype == "i1":
        return "true" if value else "false"
    if dtype in ("c128", "c64"):
        part = "f64" if dtype == "c128" else "f32"
        kind = LLVM_TYPES[part]
        value = complex(value)
        return f"<{kind} {literal(value.real, part)}, {kind} {literal(value.imag, part)}>"
    if dtype == "h16":
        return str(int.from_bytes(struct.pack("<e", value), "little"))
    return str(int(value))


def _to_single(value: float) -> float:
    value = float(value)
    return value if abs(value) <= 3.4028235677973366e38 or value != value else value * float("inf")


def operand(x: Any, dtype: str) -> str:
    """An argument of a statement: the name of a value, or a constant of ``dtype``."""
    if isinstance(x, Constant):
        return literal(x.number, dtype)
    return f"%{x.name}" if isinstance(x, Value) else literal(x, dtype)


def _named(x: Any) -> bool:
    """Whether an argument of a statement is the result of another one."""
    return isinstance(x, Value) and not isinstance(x, Constant)


def statement_lines(statement: Statement) -> str:
    """One statement as LLVM instructions."""
    result, op, arguments, more = statement
    name = f"%{result.name}"
    dtype = result.dtype
    kind = LLVM_TYPES[dtype]
    if op in _INTRINSICS and (dtype in FLOATS):
        listed = ", ".join(f"{kind} {operand(x, dtype)}" for x in arguments)
        return f"  {name} = call {kind} @llvm.{_INTRINSICS[op]}.{dtype}({listed})"
    if op in _FLOAT_OPS:
        x, y = (operand(a, dtype) for a in arguments)
        if dtype in FLOATS:
            flags = f"{more} " if more else ""
            return f"  {name} = {_FLOAT_OPS[op]} {flags}{kind} {x}, {y}"
        table = _SIGNED_OPS[op]
        if dtype[0] == "u" and op in ("div", "rem"):
            table = "u" + table[1:]
        return f"  {name} = {table} {kind} {x}, {y}"
    if op in _BIT_OPS or op == "shr":
        x, y = (operand(a, dtype) for a in arguments)
        instruction = _BIT_OPS.get(op) or ("lshr" if dtype[0] == "u" else "ashr")
        return f"  {name} = {instruction} {kind} {x}, {y}"
    if op in _FLOAT_COMPARE:
        of = next(a.dtype for a in arguments if isinstance(a, Value))
        x, y = (operand(a, of) for a in arguments)
        if of in FLOATS:
            return f"  {name} = fcmp {_FLOAT_COMPARE[op]} {LLVM_TYPES[of]} {x}, {y}"
        sign = "" if op in ("eq", "ne") else ("u" if of[0] == "u" or of == "i1" else "s")
        return f"  {name} = icmp {sign}{_INT_COMPARE[op]} {LLVM_TYPES[of]} {x}, {y}"
    if op == "select":
        condition, x, y = arguments
        # Data decides: a jump would be guessed wrongly too often to pay.
        hint = ", !unpredictable !{}" if dtype in FLOATS else ""
        return (
            f"  {name} = select i1 {operand(condition, 'i1')}, {kind} {operand(x, dtype)}, "
            f"{kind} {operand(y, dtype)}{hint}"
        )
    if op == "neg":
        x = operand(arguments[0], dtype)
        return f"  {name} = fneg {kind} {x}" if dtype in FLOATS else f"  {name} = sub {kind} 0, {x}"
    if op == "not":
        ones = "true" if dtype == "i1" else "-1"
        return f"  {name} = xor {kind} {operand(arguments[0], dtype)}, {ones}"
    if op in ("bits", "from_bits"):
        (x,) = arguments
        return f"  {name} = bitcast {LLVM_TYPES[x.dtype]} {operand(x, x.dtype)} to {kind}"
    if op == "convert":
        (x,) = arguments
        source = LLVM_TYPES[x.dtype]
        return f"  {name} = {_conversion(x.dtype, dtype)} {source} {operand(x, x.dtype)} to {kind}"
    if op == "lookup":
        (index,) = arguments
        table = table_name(more, dtype)
        return (
            f"  {name}.p = getelementptr inbounds {kind}, ptr @{table}, "
            f"{LLVM_TYPES[index.dtype]} %{index.name}\n"
            f"  {name} = load {kind}, ptr {name}.p, !invariant.load !0"
        )
    if op == "call":
        listed = ", ".join(
            f"{LLVM_TYPES[a.dtype]} {operand(a, a.dtype)}"
            if isinstance(a, Value)
            else f"{kind} {literal(a, dtype)}"
            for a in arguments
        )
        return f"  {name} = call {kind} @{more}({listed})"
    raise NotImplementedError(f"scalar operation {op} of {dtype}")


def _conversion(source: str, target: str) -> str:
    if source in FLOATS:
        if target in FLOATS:
            return "fpext" if target == "f64" else "fptrunc"
        return "fptoui" if target[0] == "u" else "fptosi"
    unsigned = source[0] == "u" or source == "i1"
    if target in FLOATS:
        return "uitofp" if unsigned else "sitofp"
    narrow = int(target[1:]) < int(source[1:])
    if int(target[1:]) == int(source[1:]):
        return "bitcast"
    return "trunc" if narrow else "zext" if unsigned else "sext"


def table_name(table: tuple, dtype: str) -> str:
    """Name of the global that holds a constant table."""
    return f"table.{dtype}.{abs(hash(table)):x}"


def table_text(table: tuple, dtype: str) -> str:
    """A constant table as a global."""
    kind = LLVM_TYPES[dtype]
    values = ", ".join(f"{kind} {literal(v, dtype)}" for v in table)
    name = table_name(table, dtype)
    return f"@{name} = private unnamed_addr constant [{len(table)} x {kind}] [{values}], align 64"


def function_text(function: Function) -> str:
    """A scalar function as an LLVM function that is always inlined."""
    kind = LLVM_TYPES[function.dtype]
    parameters = ", ".join(f"{LLVM_TYPES[p.dtype]} %{p.name}" for p in function.parameters)
    lines = [f"define internal {kind} @{function.name}({parameters}) alwaysinline nounwind {{"]
    lines += map(statement_lines, function.body.statements)
    lines += [f"  ret {kind} {operand(function.result, function.dtype)}", "}"]
    return "\n".join(lines)


def tables_of(body: Body) -> Iterable[str]:
    """The constant tables that a body reads, as globals."""
    return {table_text(s.more, s.result.dtype): None for s in body.statements if s.op == "lookup"}


def calls_of(body: Body) -> Iterable[str]:
    """Names of the functions that a body calls."""
    return {s.more: None for s in body.statements if s.op == "call"}


@functools.cache
def declarations() -> str:
    """Declarations of the intrinsics that statements use."""
    lines = []
    counts: dict[str, int] = {"copysign": 2, "fma": 3, "maximum": 2, "minimum": 2}
    for name in dict.fromkeys(_INTRINSICS.values()):
        for dtype in ("f64", "f32"):
            kind = LLVM_TYPES[dtype]
            lines.append(
                f"declare {kind} @llvm.{name}.{dtype}({', '.join([kind] * counts.get(name, 1))})"
            )
    lines += [
        "declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)",
        "declare void @llvm.memmove.p0.p0.i64(ptr, ptr, i64, i1)",
    ]
    return "\n".join(lines)


ALIGNED = {"c128": ", align 8", "c64": ", align 4"}  # as NumPy aligns pairs
MEMORY_TYPES = {**LLVM_TYPES, "i1": "i8"}


class KernelPrinter:
    """Prints one kernel as an LLVM function."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.entry: list[str] = []  # stack memory, which LLVM wants at the start
        self.blocks = 0
        self.calls: dict[str, None] = {}
        self.tables: dict[str, None] = {}
        self.tasks: dict[str, Spawn] = {}
        self.slots: dict[int, int] = {}
        self.hints: list[str] = []
        self.compared: dict[str, tuple[Statement, int]] = {}  # and by how many selects it is read
        self.part = -1  # of a program, in which buffers of different names do not overlap
        self.based: dict[str, str] = {}  # the buffer in which another one begins
        self.scopes: dict[tuple[int, str], int] = {}  # a number for each buffer of each part

    def label(self, name: str) -> str:
        self.blocks += 1
        return f"{name}{self.blocks}"

    def add(self, line: str) -> None:
        self.lines.append(line)

    def begin(self, label: str) -> None:
        self.lines.append(f"{label}:")

    def items(self, items: Iterable[Any]) -> None:
        for item in items:
            if type(item) is Statement:
                if item.op == "call":
                    self.calls[item.more] = None
                elif item.op == "lookup":
                    self.tables[table_text(item.more, item.result.dtype)] = None
                self.lines.append(self.statement(item))
            else:
                _PRINT[type(item)](self, item)

    def statement(self, item: Statement) -> str:
        """One statement. Of two selects with one condition the second asks for the opposite.

        For x86 LLVM makes a jump of the second otherwise, which data decides: half of them are
        guessed wrongly.
        """
        name, op = item.result.name, item.op
        if op in _OPPOSITE and any(a.dtype in FLOATS for a in item.arguments if _named(a)):
            self.compared[name] = item, 0
        elif op == "select" and item.result.dtype in FLOATS and _named(item.arguments[0]):
            condition, x, y = item.arguments
            asked, count = self.compared.get(condition.name, (None, 0))
            if asked is not None:
                self.compared[condition.name] = asked, count + 1
                if count % 2:
                    of = next(a.dtype for a in asked.arguments if _named(a))
                    u, v = (operand(a, of) for a in asked.arguments)
                    opposite = f"{name}.not"
                    compare = f"fcmp {_OPPOSITE[asked.op]} {LLVM_TYPES[of]} {u}, {v}"
                    turned = Value(condition.body, opposite, "i1")
                    made = Statement(item.result, "select", (turned, y, x), item.more)
                    return f"  %{opposite} = {compare}\n{statement_lines(made)}"
        return statement_lines(item)

    def pointer(self, buffer: Buffer, index: Value, name: str) -> None:
        kind = MEMORY_TYPES[buffer.dtype]
        at = operand(index, "i64")
        self.add(f"  {name} = getelementptr inbounds {kind}, ptr %{buffer.name}, i64 {at}")

    def apart(self, buffer: Buffer) -> str:
        """That an access overlaps with none of other buffers in the same part of a program."""
        if self.part < 0:
            return ""
        key = self.part, self.based.get(buffer.name, buffer.name)
        number = FIRST_SCOPE + 3 * self.scopes.setdefault(key, len(self.scopes))
        return f", !alias.scope !{number}, !noalias !{number + 1}"

    def load(self, item: Load) -> None:
        name = f"%{item.result.name}"
        self.pointer(item.buffer, item.index, f"{name}.p")
        if item.buffer.dtype == "i1":
            self.add(f"  {name}.b = load i8, ptr {name}.p{self.apart(item.buffer)}")
            self.add(f"  {name} = icmp ne i8 {name}.b, 0")
        else:
            kind = LLVM_TYPES[item.buffer.dtype]
            aligned = ALIGNED.get(item.buffer.dtype, "")
            self.add(f"  {name} = load {kind}, ptr {name}.p{aligned}{self.apart(item.buffer)}")

    def store(self, item: Store) -> None:
        self.blocks += 1
        pointer = f"%p{self.blocks}"
        self.pointer(item.buffer, item.index, pointer)
        kind = LLVM_TYPES[item.buffer.dtype]
        value = operand(item.value, item.buffer.dtype)
        if item.buffer.dtype == "i1":
            self.add(f"  {pointer}.b = zext i1 {value} to i8")
            kind, value = "i8", f"{pointer}.b"
        aligned = ALIGNED.get(item.buffer.dtype, "")
        self.add(f"  store {kind} {value}, ptr {pointer}{aligned}{self.apart(item.buffer)}")

    def declare(self, item: Declare) -> None:
        kind = LLVM_TYPES[item.variable.dtype]
        self.entry.append(f"  %{item.variable.name} = alloca {kind}")
        initial = operand(item.initial, item.variable.dtype)
        self.add(f"  store {kind} {initial}, ptr %{item.variable.name}")

    def get(self, item: Get) -> None:
        kind = LLVM_TYPES[item.variable.dtype]
        self.add(f"  %{item.result.name} = load {kind}, ptr %{item.variable.name}")

    def set(self, item: Set) -> None:
        kind = LLVM_TYPES[item.variable.dtype]
        value = operand(item.value, item.variable.dtype)
        self.add(f"  store {kind} {value}, ptr %{item.variable.name}")

    def loop(self, item: Loop) -> None:
        head, body, exit = (self.label(x) for x in ("head", "body", "exit"))
        before = self.label("before")
        index = f"%{item.index.name}"
        self.add(f"  br label %{before}")
        self.begin(before)
        self.add(f"  br label %{head}")
        self.begin(head)
        lower, upper = operand(item.lower, "i64"), operand(item.upper, "i64")
        latch = self.label("latch")
        self.add(f"  {index} = phi i64 [{lower}, %{before}], [{index}.next, %{latch}]")
        self.add(f"  {index}.more = icmp slt i64 {index}, {upper}")
        self.add(f"  br i1 {index}.more, label %{body}, label %{exit}")
        self.begin(body)
        self.items(item.items)
        self.add(f"  br label %{latch}")
        self.begin(latch)
        self.add(f"  {index}.next = add nuw nsw i64 {index}, 1")
        plain = ""
        if item.hint:
            self.hints.append(item.hint)
            plain = f", !llvm.loop !{FIRST_LOOP + len(self.hints)}"
        self.add(f"  br label %{head}{plain}")
        self.begin(exit)

    def repeat(self, item: While) -> None:
        head, body, exit = (self.label(x) for x in ("head", "body", "exit"))
        self.add(f"  br label %{head}")
        self.begin(head)
        self.items(item.test)
        self.add(f"  br i1 {operand(item.condition, 'i1')}, label %{body}, label %{exit}")
        self.begin(body)
        self.items(item.items)
        self.add(f"  br label %{head}")
        self.begin(exit)

    def branch(self, item: If) -> None:
        then, otherwise, exit = (self.label(x) for x in ("then", "else", "exit"))
        condition = operand(item.condition, "i1")
        self.add(f"  br i1 {condition}, label %{then}, label %{otherwise}")
        for label, items in ((then, item.items), (otherwise, item.otherwise)):
            self.begin(label)
            self.items(items)
            self.add(f"  br label %{exit}")
        self.begin(exit)

    def local(self, item: Local) -> None:
        kind = MEMORY_TYPES[item.buffer.dtype]
        size = max(item.size, 1)
        self.entry.append(f"  %{item.buffer.name} = alloca [{size} x {kind}], align 64")

    def offset(self, item: Offset) -> None:
        kind = MEMORY_TYPES[item.buffer.dtype]
        at = operand(item.index, "i64")
        self.add(
            f"  %{item.buffer.name} = getelementptr inbounds {kind}, ptr %{item.base.name}, "
            f"i64 {at}"
        )
        self.based[item.buffer.name] = self.based.get(item.base.name, item.base.name)

    def load_pointer(self, item: LoadPointer) -> None:
        self.based[item.buffer.name] = f"at {item.table.name}"
        self.add(
            f"  %{item.buffer.name} = load ptr, ptr %{item.table.name}{self.apart(item.table)}"
        )

    def bytes(self, count: Value, dtype: str) -> str:
        self.blocks += 1
        name = f"%bytes{self.blocks}"
        self.add(f"  {name} = mul i64 {operand(count, 'i64')}, {ITEM_BYTES[dtype]}")
        return name

    def fill(self, item: Fill) -> None:
        number = getattr(item.value, "number", None)
        if number == 0 and not (isinstance(number, float) and str(number)[0] == "-"):
            size = self.bytes(item.count, item.buffer.dtype)
            self.add(
                f"  call void @llvm.memset.p0.i64(ptr %{item.buffer.name}, i8 0, i64 {size}, "
                "i1 false)"
            )
            return
        self.blocks += 1
        index = Value(item.value.body, f"fill{self.blocks}", "i64")
        zero = Constant(item.value.body, 0, "i64")
        self.loop(Loop(index, zero, item.count, [Store(item.buffer, index, item.value)]))

    def copy(self, item: Copy) -> None:
        size = self.bytes(item.count, item.target.dtype)
        self.add(
            f"  call void @llvm.memmove.p0.p0.i64(ptr %{item.target.name}, "
            f"ptr %{item.source.name}, i64 {size}, i1 false)"
        )

    def call(self, item: Call) -> None:
        listed = ["i64 0", f"i64 {operand(item.upper, 'i64')}"]
        listed += [_passed(x) for x in item.arguments]
        self.blocks += 1
        name = f"%error{self.blocks}"
        self.add(f"  {name} = call i64 @{item.kernel.name}({', '.join(listed)})")
        if item.kernel.error is not None:
            self.note(name)

    def spawn(self, item: Spawn) -> None:
        self.tasks[item.kernel.name] = item
        self.blocks += 1
        name = f"%spawn{self.blocks}"
        # What is not in the frame goes along in the block.
        extras = [x for x in item.arguments if id(x) not in self.slots]
        words = BLOCK + len(extras)
        self.entry.append(f"  {name} = alloca [{words * MAX_THREADS} x i64], align 64")
        for k, x in enumerate(extras):
            self.add(f"  {name}.x{k} = getelementptr inbounds i64, ptr {name}, i64 {BLOCK + k}")
            self.add(f"  store {_passed(x)}, ptr {name}.x{k}")
        threads, upper = operand(item.threads, "i64"), operand(item.upper, "i64")
        parallel, create, join = (f"%{f.name}" for f in item.functions)
        self.add(
            f"  {name}.error = call i64 {parallel}(ptr @{item.kernel.name}_task, ptr %frame, "
            f"ptr {name}, i64 {8 * words}, i64 {upper}, i64 {threads}, ptr {create}, ptr {join})"
        )
        if item.kernel.error is not None:
            self.note(f"{name}.error")
        self.items(item.after)

    def note(self, name: str) -> None:
        """Keep an error number, if it is one, in the frame."""
        self.add(f"  {name}.h = load i64, ptr %frame")
        self.add(f"  {name}.any = icmp ne i64 {name}, 0")
        self.add(f"  {name}.n = select i1 {name}.any, i64 {name}, i64 {name}.h")
        self.add(f"  store i64 {name}.n, ptr %frame")

    def external(self, item: External) -> None:
        self.blocks += 1
        name = f"%host{self.blocks}"
        self.add(f"  {name}.p = getelementptr inbounds i64, ptr %frame, i64 {HOST}")
        self.add(f"  {name}.f = load ptr, ptr {name}.p")
        number, more = (operand(x, "i64") for x in item.arguments)
        self.add(f"  {name} = call i64 {name}.f(ptr %frame, i64 {number}, i64 {more})")
        stop, go = self.label("stop"), self.label("go")
        self.add(f"  {name}.bad = icmp ne i64 {name}, 0")
        self.add(f"  br i1 {name}.bad, label %{stop}, label %{go}")
        self.begin(stop)
        self.add(f"  store i64 {name}, ptr %frame")
        self.add("  ret void")
        self.begin(go)

    def blas_threads(self, item: BlasThreads) -> None:
        self.blocks += 1
        name = f"%told{self.blocks}"
        tell, done = self.label("tell"), self.label("done")
        self.add(f"  {name}.none = icmp eq ptr %{item.function.name}, null")
        self.add(f"  br i1 {name}.none, label %{done}, label %{tell}")
        self.begin(tell)
        self.add(f"  {name} = trunc i64 {operand(item.threads, 'i64')} to i32")
        self.add(f"  call void %{item.function.name}(i32 {name})")
        self.add(f"  br label %{done}")
        self.begin(done)

    def gemm(self, item: Gemm) -> None:
        # BLAS reads columns first, so it is asked for the transposed product, b' a'.
        kind = LLVM_TYPES[item.c.dtype]
        self.blocks += 1
        name = f"%g{self.blocks}"
        m, n, k = (operand(x, "i64") for x in item.sizes)
        a_flipped, b_flipped = item.transposed
        numbers = {
            "m": n,
            "n": m,
            "k": k,
            "lda": k if b_flipped else n,
            "ldb": m if a_flipped else k,
            "ldc": n,
        }
        for key, value in numbers.items():
            self.entry.append(f"  {name}.{key} = alloca i32")
            self.add(f"  {name}.{key}.v = trunc i64 {value} to i32")
            self.add(f"  store i32 {name}.{key}.v, ptr {name}.{key}")
        for key, flipped in (("ta", b_flipped), ("tb", a_flipped)):
            self.entry.append(f"  {name}.{key} = alloca i8")
            self.add(f"  store i8 {ord('T' if flipped else 'N')}, ptr {name}.{key}")
        for key, number in (("one", 1.0), ("zero", 0.0)):
            self.entry.append(f"  {name}.{key} = alloca {kind}")
            self.add(f"  store {kind} {literal(number, item.c.dtype)}, ptr {name}.{key}")
        listed = [f"{name}.{x}" for x in ("ta", "tb", "m", "n", "k", "one")]
        listed += [f"%{item.b.name}", f"{name}.lda", f"%{item.a.name}", f"{name}.ldb"]
        listed += [f"{name}.zero", f"%{item.c.name}", f"{name}.ldc"]
        arguments = ", ".join(f"ptr {x}" for x in listed)
        self.add(f"  call void %{item.function.name}({arguments})")


def _passed(x: Any) -> str:
    if isinstance(x, Buffer):
        return f"ptr %{x.name}"
    return f"{LLVM_TYPES[x.dtype]} {operand(x, x.dtype)}"


_PRINT: dict[type, Callable[[KernelPrinter, Any], None]] = {
    Load: KernelPrinter.load,
    Store: KernelPrinter.store,
    Declare: KernelPrinter.declare,
    Get: KernelPrinter.get,
    Set: KernelPrinter.set,
    Loop: KernelPrinter.loop,
    While: KernelPrinter.repeat,
    If: KernelPrinter.branch,
    Local: KernelPrinter.local,
    Offset: KernelPrinter.offset,
    LoadPointer: KernelPrinter.load_pointer,
    Fill: KernelPrinter.fill,
    Copy: KernelPrinter.copy,
    Call: KernelPrinter.call,
    Spawn: KernelPrinter.spawn,
    External: KernelPrinter.external,
    BlasThreads: KernelPrinter.blas_threads,
    Gemm: KernelPrinter.gemm,
    Comment: lambda printer, item: printer.add(f"  ; {item.text}"),
}

# Slots of the frame, the table of 64-bit words through which a program gets all it needs.
ERROR, HOST, THREADS, SCRATCH = 0, 1, 2, 3
FIRST = 4
HINTS = {
    "rare": (1, '!"llvm.loop.vectorize.enable", i1 false'),
    "twofold": (2, '!"llvm.loop.interleave.count", i32 2'),
}
FIRST_LOOP = 2  # numbers of metadata begin above
FIRST_SCOPE = 100_000  # and those of buffers here, three each
MOST_SCOPES = 64  # buffers of one part that are told apart
MAX_THREADS = 16

# Words of a thread's block: the ends of its part, the error found in it, the frame, the number of
# the thread, and then what more the task needs. See ``kernels.call``.
BLOCK = 5


def task_text(item: Spawn, slots: dict[int, int]) -> str:
    """A kernel as a thread calls it: all it needs is in a block and in the frame."""
    kernel = item.kernel
    lines = [f"define internal ptr @{kernel.name}_task(ptr %block) nounwind {{"]

    def word(name: str, base: str, index: int, kind: str) -> None:
        lines.append(f"  %{name}.p = getelementptr inbounds i64, ptr %{base}, i64 {index}")
        lines.append(f"  %{name} = load {kind}, ptr %{name}.p")

    word("lo", "block", 0, "i64")
    word("hi", "block", 1, "i64")
    word("frame", "block", 3, "ptr")
    word("t", "block", 4, "i64")
    lines.append("  %own = icmp eq i64 %t, 0")
    lines.append("  %before = sub i64 %t, 1")
    names = ["i64 %lo", "i64 %hi"]
    extras = 0
    for k, (x, given) in enumerate(zip(kernel.parameters, item.arguments, strict=True)):
        kind = "ptr" if isinstance(x, Buffer) else LLVM_TYPES[x.dtype]
        slot = slots.get(id(given))
        if slot is None:
            word(f"a{k}", "block", BLOCK + extras, kind)
            extras += 1
        else:
            word(f"a{k}", "frame", slot, kind)
        name = f"%a{k}"
        if k in item.private:
            memory, size = item.private[k]
            word(f"m{k}", "frame", slots[id(memory)], "ptr")
            bytes = _task_number(lines, f"s{k}", size, slots)
            lines.append(f"  %o{k} = mul i64 %before, {bytes}")
            lines.append(f"  %q{k} = getelementptr inbounds i8, ptr %m{k}, i64 %o{k}")
            lines.append(f"  %r{k} = select i1 %own, ptr %a{k}, ptr %q{k}")
            name = f"%r{k}"
        elif k in item.rows:
            bytes = _task_number(lines, f"s{k}", item.rows[k], slots)
            lines.append(f"  %o{k} = mul i64 %t, {bytes}")
            lines.append(f"  %r{k} = getelementptr inbounds i8, ptr %a{k}, i64 %o{k}")
            name = f"%r{k}"
        names.append(f"{kind} {name}")
    lines.append(f"  %error = call i64 @{kernel.name}({', '.join(names)})")
    lines.append("  %result = getelementptr inbounds i64, ptr %block, i64 2")
    lines += ["  store i64 %error, ptr %result", "  ret ptr null", "}"]
    return "\n".join(lines)


def _task_number(lines: list[str], name: str, value: Value, slots: dict[int, int]) -> str:
    if isinstance(value, Constant):
        return str(value.number)
    lines.append(f"  %{name}.p = getelementptr inbounds i64, ptr %frame, i64 {slots[id(value)]}")
    lines.append(f"  %{name} = load i64, ptr %{name}.p")
    return f"%{name}"


def scopes_text(scopes: dict[tuple[int, str], int]) -> list[str]:
    """What ``KernelPrinter.apart`` refers to."""
    lines = [f"!{FIRST_SCOPE - 1} = distinct !{{!{FIRST_SCOPE - 1}}}"] if scopes else []
    parts: dict[int, list[int]] = {}
    for (part, _), number in scopes.items():
        parts.setdefault(part, []).append(FIRST_SCOPE + 3 * number)
    for numbers in parts.values():
        for own in numbers:
            others = numbers if len(numbers) <= MOST_SCOPES else []
            listed = ", ".join(f"!{other + 2}" for other in others if other != own)
            lines += [
                f"!{own} = !{{!{own + 2}}}",
                f"!{own + 1} = !{{{listed}}}",
                f"!{own + 2} = distinct !{{!{own + 2}, !{FIRST_SCOPE - 1}}}",
            ]
    return lines


def kernel_text(kernel: Kernel, printer: KernelPrinter) -> str:
    """A kernel that is called over a range."""
    printer.lines, printer.entry, printer.compared = [], [], {}
    listed = ["i64 %lower", "i64 %upper"]
    for x in kernel.parameters:
        kind = "ptr noalias" if isinstance(x, Buffer) else LLVM_TYPES[x.dtype]
        listed.append(f"{kind} %{x.name}")
    printer.items(kernel.items)
    result = "0"
    if kernel.error is not None:
        printer.entry += ["  %error = alloca i64", "  store i64 0, ptr %error"]
        printer.add("  %found = load i64, ptr %error")
        result = "%found"
    head = f"define internal i64 @{kernel.name}({', '.join(listed)}) nounwind {{"
    return "\n".join([head, *printer.entry, *printer.lines, f"  ret i64 {result}", "}"])


def program_text(kernel: Kernel, printer: KernelPrinter) -> str:
    """The program's own function, which finds its parameters in the frame."""
    printer.lines, printer.entry, printer.compared = [], [], {}
    printer.slots = {id(x): FIRST + i for i, x in enumerate(kernel.parameters)}
    for printer.part, (start, stop) in enumerate(
        itertools.pairwise([0, *kernel.parts, len(kernel.items)])
    ):
        printer.items(kernel.items[start:stop])
    used = set(re.findall(r"%(\w+)", "\n".join(printer.lines)))
    lines = []
    for i, x in enumerate(kernel.parameters):
        if x.name in used:
            kind = "ptr" if isinstance(x, Buffer) else LLVM_TYPES[x.dtype]
            slot = FIRST + i
            lines.append(f"  %{x.name}.p = getelementptr inbounds i64, ptr %frame, i64 {slot}")
            lines.append(f"  %{x.name} = load {kind}, ptr %{x.name}.p")
    if kernel.error is not None:
        lines += ["  %error = alloca i64", "  store i64 0, ptr %error"]
        printer.add("  %found = load i64, ptr %error")
        printer.note("%found")
    head = f"define void @{kernel.name}(ptr noalias %frame) nounwind {{"
    return "\n".join([head, *printer.entry, *lines, *printer.lines, "  ret void", "}"])


def module_text(kernels: Iterable[Kernel], program: Kernel) -> tuple[str, list[str], list[str]]:
    """A program's functions, and the functions and tables they call and read."""
    printer = KernelPrinter()
    text = [kernel_text(k, printer) for k in kernels]
    text.append(program_text(program, printer))
    if printer.tasks:
        text += [task_text(item, printer.slots) for item in printer.tasks.values()]
    text += [
        f"!{FIRST_LOOP + k} = distinct !{{!{FIRST_LOOP + k}, !{HINTS[hint][0]}}}"
        for k, hint in enumerate(printer.hints, 1)
    ]
    text += scopes_text(printer.scopes)
    for hint in sorted(set(printer.hints)):
        number, meaning = HINTS[hint]
        text.append(f"!{number} = !{{{meaning}}}")
    return "\n\n".join(text), list(printer.calls), list(printer.tables)
