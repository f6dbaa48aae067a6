"""Kernels -> CUDA C++ source, which NVRTC compiles and, behind a header, any C++ compiler.

A *grid kernel* is started by the host: one thread for each index, or one block. Other kernels
become ``__device__`` functions that a thread calls. Statements are rounded one by one, as on the
CPU: the text is to be compiled with ``--fmad=false``, and asks for ``fma`` where it wants one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .cuda_library import CUDA_MATH, MOST_ULPS, PRELUDE
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
    Index,
    Item,
    Kernel,
    Load,
    LoadPointer,
    Local,
    Loop,
    Offset,
    Set,
    Store,
    While,
)
from .scalar import FLOATS, Function, Statement, Value
from .vector_math import function as math_function

__all__ = ["NO_ANSWER", "TAPE_FULL", "Atomic", "BlockReduce", "Special", "cuda_text", "number_text"]

CUDA_TYPES = {
    "f64": "double",
    "f32": "float",
    "i64": "long long",
    "i32": "int",
    "i16": "short",
    "i8": "signed char",
    "u64": "unsigned long long",
    "u32": "unsigned int",
    "u16": "unsigned short",
    "u8": "unsigned char",
    "i1": "bool",
    "c128": "pair<double>",
    "c64": "pair<float>",
    "h16": "unsigned short",
}
_UNSIGNED = {f"i{w}": CUDA_TYPES[f"u{w}"] for w in (8, 16, 32, 64)}
_INFIX = {"add": "+", "sub": "-", "mul": "*", "div": "/", "rem": "%"}
_BITWISE = {"and": "&", "or": "|", "xor": "^"}
_COMPARE = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}
_CALLS = {
    "sqrt": "sqrt",
    "abs": "fabs",
    "floor": "floor",
    "ceil": "ceil",
    "trunc": "trunc",
    "rint": "rint",
    "copysign": "copysign",
    "fma": "fma",
    "rem": "fmod",
    "maximum": "larger",
    "minimum": "smaller",
}

NO_ANSWER = -2  # noted where a matrix is singular, or has no Cholesky factor
TAPE_FULL = -1  # noted where a loop's tape is too short; the host makes a longer one

_COMBINE = {
    "add": "add_up",
    "multiply": "times",
    "max": "highest",
    "min": "lowest",
    "or": "either",
    "and": "both",
}
ATOMIC = frozenset({"f64", "f32", "i32", "u32", "i64", "u64"})


class Special(Item):
    """``result`` is a number the device gives: a thread's or a block's index."""

    __slots__ = ("result", "text")

    def __init__(self, result: Value, text: str) -> None:
        self.result, self.text = result, text


class BlockReduce(Item):
    """Put the values of all threads of a block together; every thread must get here."""

    __slots__ = ("combine", "result", "value")

    def __init__(self, result: Value, value: Value, combine: str) -> None:
        self.result, self.value, self.combine = result, value, combine


class Atomic(Item):
    """Add to an element that other threads add to, or (``latest``) keep its largest value."""

    __slots__ = ("buffer", "function", "index", "value")

    def __init__(
        self, buffer: Buffer, index: Value, value: Value, function: str = "accumulate"
    ) -> None:
        self.buffer, self.index, self.value, self.function = buffer, index, value, function


def number_text(value: Any, dtype: str) -> str:
    """A number of a dtype as CUDA source."""
    kind = CUDA_TYPES[dtype]
    if dtype in FLOATS:
        value = float(value)
        suffix = "f" if dtype == "f32" else ""
        if value != value:
            return "(0.0f / 0.0f)" if suffix else "(0.0 / 0.0)"
        if math.isinf(value) or (suffix and abs(value) > 3.4028235677973366e38):
            return f"({'-' if value < 0 else ''}1.0{suffix} / 0.0{suffix})"
        return (
            f"{value!r}{suffix}" if value >= 0 and str(value)[0] != "-" else f"({value!r}{suffix})"
        )
    if dtype == "i1":
        return "true" if value else "false"
    if dtype in ("c128", "c64"):
        value = complex(value)
        part = "f64" if dtype == "c128" else "f32"
        return f"{kind}{{{number_text(value.real, part)}, {number_text(value.imag, part)}}}"
    if dtype == "h16":
        import struct

        return str(int.from_bytes(struct.pack("<e", value), "little"))
    value = int(value)
    if dtype == "u64":
        return f"{value & (1 << 64) - 1}ull"
    if dtype[0] == "u":
        return f"{value & (1 << int(dtype[1:])) - 1}u"
    if dtype == "i64":
        return "(-9223372036854775807ll - 1)" if value == -(1 << 63) else f"{value}ll"
    return "(-2147483647 - 1)" if value == -(1 << 31) else str(value)


def _operand(x: Any, dtype: str) -> str:
    if isinstance(x, Constant):
        return number_text(x.number, dtype)
    return x.name if isinstance(x, Value) else number_text(x, dtype)


class _Module:
    """What the kernels of a module call and read."""

    def __init__(self) -> None:
        self.tables: dict[tuple, str] = {}
        self.functions: dict[str, str] = {}
        self.declared: dict[str, str] = {}

    def table(self, item: Statement) -> str:
        key = (item.result.dtype, item.more)
        return self.tables.setdefault(key, f"TABLE{len(self.tables)}")

    def function(self, full: str) -> str:
        """The name of a mathematical function like ``exp.f64``."""
        name, _, dtype = full.rpartition(".")
        name = name.removesuffix("_small")
        known = CUDA_MATH.get(name)
        if known is not None and (known[1] if dtype == "f64" else known[2]) <= MOST_ULPS:
            return known[0]
        made = f"ft_{name}_{dtype}"
        if made not in self.functions:
            self.functions[made] = ""  # it comes before those that call it
            text = self._function_text(made, math_function(name, dtype))
            del self.functions[made]
            self.functions[made] = text
        return made

    def _function_text(self, name: str, function: Function) -> str:
        writer = _Writer(self)
        writer.items(function.body.statements)
        listed = ", ".join(f"{CUDA_TYPES[p.dtype]} {p.name}" for p in function.parameters)
        head = f"__device__ inline {CUDA_TYPES[function.dtype]} {name}({listed}) {{"
        end = f"    return {_operand(function.result, function.dtype)};"
        return "\n".join([head, *writer.lines, end, "}"])


class _Writer:
    """Writes the lines of one function."""

    def __init__(self, module: _Module) -> None:
        self.module = module
        self.lines: list[str] = []
        self.depth = 1
        self.count = 0
        self.kinds: dict[str, str] = {}  # dtypes with which pointers were declared

    def add(self, text: str) -> None:
        self.lines.append("    " * self.depth + text)

    def block(self, head: str, items: Iterable[Any], tail: str = "}") -> None:
        self.add(head)
        self.depth += 1
        self.items(items)
        self.depth -= 1
        self.add(tail)

    def items(self, items: Iterable[Any]) -> None:
        for item in items:
            if type(item) is Statement:
                name, kind = item.result.name, CUDA_TYPES[item.result.dtype]
                self.add(f"const {kind} {name} = {self.expression(item)};")
            else:
                _WRITE[type(item)](self, item)

    def fresh(self, prefix: str) -> str:
        self.count += 1
        return f"{prefix}_{self.count}"

    # --- scalars

    def expression(self, item: Statement) -> str:
        result, op, arguments, more = item
        dtype = result.dtype
        kind = CUDA_TYPES[dtype]
        if op == "call":
            listed = [_operand(a, a.dtype if isinstance(a, Value) else dtype) for a in arguments]
            return f"{self.module.function(more)}({', '.join(listed)})"
        if op in _COMPARE:
            of = next(a.dtype for a in arguments if isinstance(a, Value))
            x, y = (_operand(a, of) for a in arguments)
            return f"{x} {_COMPARE[op]} {y}"
        if op == "select":
            condition = _operand(arguments[0], "i1")
            x, y = (_operand(a, dtype) for a in arguments[1:])
            return f"{condition} ? {x} : {y}"
        if op == "convert":
            (x,) = arguments
            if dtype == "i1" and x.dtype not in FLOATS:
                return f"({_operand(x, x.dtype)} & 1) != 0"
            return f"({kind}){_operand(x, x.dtype)}"
        if op == "bits":
            (x,) = arguments
            call = "__double_as_longlong" if x.dtype == "f64" else "__float_as_int"
            return f"{call}({_operand(x, x.dtype)})"
        if op == "from_bits":
            (x,) = arguments
            call = "__longlong_as_double" if dtype == "f64" else "__int_as_float"
            return f"{call}({_operand(x, x.dtype)})"
        if op == "lookup":
            return f"{self.module.table(item)}[{arguments[0].name}]"
        texts = [_operand(a, dtype) for a in arguments]
        if op in _CALLS and dtype in FLOATS:
            return f"{_CALLS[op]}({', '.join(texts)})"
        return self.arithmetic(op, dtype, kind, texts, type(result) is Index)

    def arithmetic(self, op: str, dtype: str, kind: str, texts: list[str], index: bool) -> str:
        # Integers wrap around, which C++ promises of unsigned ones alone; indices do not.
        unsigned = _UNSIGNED.get(dtype, kind)
        wraps = not index and dtype in _UNSIGNED
        if op in _INFIX:
            x, y = texts
            if dtype in FLOATS or index or dtype in ("u32", "u64"):
                return f"{x} {_INFIX[op]} {y}"
            if op in ("div", "rem") or not wraps:
                return f"({kind})({x} {_INFIX[op]} {y})"
            return f"({kind})(({unsigned}){x} {_INFIX[op]} ({unsigned}){y})"
        if op in _BITWISE:
            return f"({kind})({texts[0]} {_BITWISE[op]} {texts[1]})"
        if op == "shl":
            return f"({kind})(({unsigned}){texts[0]} << {texts[1]})"
        if op == "lshr":
            return f"({kind})(({unsigned}){texts[0]} >> {texts[1]})"
        if op == "shr":
            return f"({kind})({texts[0]} >> {texts[1]})"
        if op == "neg":
            return f"-{texts[0]}" if dtype in FLOATS else f"({kind})(0 - ({unsigned}){texts[0]})"
        if op == "not":
            return f"!{texts[0]}" if dtype == "i1" else f"({kind})~{texts[0]}"
        raise NotImplementedError(f"scalar operation {op} of {dtype}")

    # --- memory

    def at(self, buffer: Buffer, index: Value) -> str:
        return f"{self.pointer(buffer)}[{_operand(index, 'i64')}]"

    def pointer(self, buffer: Buffer) -> str:
        if self.kinds.get(buffer.name, buffer.dtype) != buffer.dtype:
            return f"(({CUDA_TYPES[buffer.dtype]}*){buffer.name})"
        return buffer.name

    def load(self, item: Load) -> None:
        kind = CUDA_TYPES[item.buffer.dtype]
        self.add(f"const {kind} {item.result.name} = {self.at(item.buffer, item.index)};")

    def store(self, item: Store) -> None:
        value = _operand(item.value, item.buffer.dtype)
        self.add(f"{self.at(item.buffer, item.index)} = {value};")

    def declare(self, item: Declare) -> None:
        v = item.variable
        self.add(f"{CUDA_TYPES[v.dtype]} {v.name} = {_operand(item.initial, v.dtype)};")

    def get(self, item: Get) -> None:
        kind = CUDA_TYPES[item.variable.dtype]
        self.add(f"const {kind} {item.result.name} = {item.variable.name};")

    def set(self, item: Set) -> None:
        self.add(f"{item.variable.name} = {_operand(item.value, item.variable.dtype)};")

    def local(self, item: Local) -> None:
        self.kinds[item.buffer.name] = item.buffer.dtype
        kind = CUDA_TYPES[item.buffer.dtype]
        self.add(f"{kind} {item.buffer.name}[{max(item.size, 1)}];")

    def offset(self, item: Offset) -> None:
        self.kinds[item.buffer.name] = item.buffer.dtype
        kind = CUDA_TYPES[item.buffer.dtype]
        index = _operand(item.index, "i64")
        self.add(f"{kind}* {item.buffer.name} = {self.pointer(item.base)} + {index};")

    def load_pointer(self, item: LoadPointer) -> None:
        self.kinds[item.buffer.name] = item.buffer.dtype
        kind = CUDA_TYPES[item.buffer.dtype]
        self.add(f"{kind}* {item.buffer.name} = ({kind}*){self.pointer(item.table)}[0];")

    def fill(self, item: Fill) -> None:
        k = self.fresh("k")
        count = _operand(item.count, "i64")
        value = _operand(item.value, item.buffer.dtype)
        self.add(f"for (long long {k} = 0; {k} < {count}; ++{k})")
        self.add(f"    {self.pointer(item.buffer)}[{k}] = {value};")

    def copy(self, item: Copy) -> None:
        k = self.fresh("k")
        count = _operand(item.count, "i64")
        target, source = self.pointer(item.target), self.pointer(item.source)
        self.add(f"for (long long {k} = 0; {k} < {count}; ++{k}) {target}[{k}] = {source}[{k}];")

    # --- order

    def loop(self, item: Loop) -> None:
        i = item.index.name
        lower, upper = _operand(item.lower, "i64"), _operand(item.upper, "i64")
        self.block(f"for (long long {i} = {lower}; {i} < {upper}; ++{i}) {{", item.items)

    def repeat(self, item: While) -> None:
        self.add("while (true) {")
        self.depth += 1
        self.items(item.test)
        self.add(f"if (!{_operand(item.condition, 'i1')}) break;")
        self.items(item.items)
        self.depth -= 1
        self.add("}")

    def branch(self, item: If) -> None:
        self.block(f"if ({_operand(item.condition, 'i1')}) {{", item.items)
        if item.otherwise:
            self.lines.pop()
            self.block("} else {", item.otherwise)

    def call(self, item: Call) -> None:
        listed = ["0ll", _operand(item.upper, "i64")]
        for x in item.arguments:
            listed.append(self.pointer(x) if isinstance(x, Buffer) else _operand(x, x.dtype))
        call = f"{item.kernel.name}({', '.join(listed)})"
        if item.kernel.error is None:
            self.add(f"{call};")
        else:
            e = self.fresh("e")
            self.add(f"if (const long long {e} = {call}) *failed = {e};")

    def external(self, item: External) -> None:
        # Of the host's own functions only those are asked for that say why there is no answer.
        self.add(f"*failed = {TAPE_FULL if item.function == 'grow' else NO_ANSWER};")
        self.add("return;")

    def gemm(self, item: Gemm) -> None:
        arrays = ", ".join(self.pointer(x) for x in (item.a, item.b, item.c))
        sizes = ", ".join(_operand(x, "i64") for x in item.sizes)
        flags = ", ".join(number_text(x, "i1") for x in item.transposed)
        self.add(f"product({arrays}, {sizes}, {flags});")

    # --- the device's own

    def special(self, item: Special) -> None:
        kind = CUDA_TYPES[item.result.dtype]
        self.add(f"const {kind} {item.result.name} = ({kind}){item.text};")

    def block_reduce(self, item: BlockReduce) -> None:
        kind = CUDA_TYPES[item.result.dtype]
        value = _operand(item.value, item.result.dtype)
        call = f"across_block({value}, {_COMBINE[item.combine]}())"
        self.add(f"const {kind} {item.result.name} = {call};")

    def atomic(self, item: Atomic) -> None:
        value = _operand(item.value, item.buffer.dtype)
        index = _operand(item.index, "i64")
        self.add(f"{item.function}({self.pointer(item.buffer)} + {index}, {value});")


_WRITE: dict[type, Callable[[_Writer, Any], None]] = {
    Comment: lambda writer, item: writer.add("// " + " ".join(item.text.split())),
    Load: _Writer.load,
    Store: _Writer.store,
    Declare: _Writer.declare,
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
    External: _Writer.external,
    Gemm: _Writer.gemm,
    BlasThreads: lambda writer, item: None,
    Special: _Writer.special,
    BlockReduce: _Writer.block_reduce,
    Atomic: _Writer.atomic,
}


def _written(items: Iterable[Any], found: set[str]) -> set[str]:
    """Names of the memory that may be written, by whatever name it is reached."""
    for item in items:
        kind = type(item)
        if kind in (Store, Fill, Atomic):
            found.add(item.buffer.name)
        elif kind is Copy:
            found.add(item.target.name)
        elif kind is Offset:
            found.add(item.base.name)
        elif kind is Gemm:
            found.add(item.c.name)
        elif kind is Call:
            found.update(x.name for x in item.arguments if isinstance(x, Buffer))
        for name in ("items", "otherwise", "test"):
            _written(getattr(item, name, ()), found)
    return found


def _declared(x: Any, read_only: bool) -> str:
    if not isinstance(x, Buffer):
        return f"{CUDA_TYPES[x.dtype]} {x.name}"
    if read_only:
        return f"const {CUDA_TYPES[x.dtype]}* __restrict__ {x.name}"
    return f"{CUDA_TYPES[x.dtype]}* {x.name}"


def _kernel(kernel: Kernel, module: _Module, grid: bool) -> str:
    writer = _Writer(module)
    for x in kernel.parameters:
        if isinstance(x, Buffer):
            writer.kinds[x.name] = x.dtype
    if kernel.error is not None:
        writer.add("long long error = 0;")
    writer.items(kernel.items)
    written = _written(kernel.items, set()) if grid else None
    listed = [
        _declared(x, written is not None and x.name not in written) for x in kernel.parameters
    ]
    if grid:
        head = f'extern "C" __global__ void {kernel.name}('
        listed.append("long long* failed")
        if kernel.error is not None:
            writer.add("if (error) *failed = error;")
    else:
        head = f"__device__ long long {kernel.name}("
        listed = ["long long lower", "long long upper", *listed]
        writer.add(f"return {'error' if kernel.error is not None else '0'};")
    return "\n".join([f"{head}{', '.join(listed)}) {{", *writer.lines, "}"])


def cuda_text(grids: Sequence[Kernel], functions: Sequence[Kernel] = (), threads: int = 256) -> str:
    """A module of CUDA source.

    Parameters
    ----------
    grids
        Kernels that the host starts. Their parameters are the kernel's, and the address of a
        64-bit word into which the number of an error is put.
    functions
        Kernels over a range that those call.
    threads
        Threads of a block in which values are put together, a power of two.

    Returns
    -------
    str
        The source; the kernels have their own names.
    """
    module = _Module()
    parts = [_kernel(k, module, False) for k in functions]
    parts += [_kernel(k, module, True) for k in grids]
    tables = [
        f"__device__ const {CUDA_TYPES[dtype]} {name}[] = "
        f"{{{', '.join(number_text(v, dtype) for v in table)}}};"
        for (dtype, table), name in module.tables.items()
    ]
    head = PRELUDE.replace("BLOCK_THREADS", str(threads))
    return "\n\n".join([head, *tables, *module.functions.values(), *parts]) + "\n"
