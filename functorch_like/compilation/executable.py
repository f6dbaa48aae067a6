"""A compiled program with its memory, ready to be called on arrays."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import logging
import math
import os
import threading
import time
from collections.abc import Callable, Container, Sequence
from typing import Any

import numpy as np

from ..graph import Graph
from ..kernels import call, llvm_printer, native, vector_math
from ..kernels.cache import default_cache
from ..kernels.llvm_printer import FIRST, HOST, MAX_THREADS, SCRATCH, declarations, module_text
from ..kernels.vector_math import functions_text
from .cost import Cost, equations_of, program_cost
from .emit import Emitter, emit
from .fuse import Group
from .lowering import lower
from .memory import plan_arena
from .nodes import DTYPES, Node, Root, Step

__all__ = ["Executable"]

ENTRY = "program"


class Native:
    """Loaded machine code of a program text."""

    __slots__ = ("address", "library")

    def __init__(self, library: native.Library) -> None:
        self.library = library
        self.address = library.address(ENTRY)


_loaded: dict[str, Native] = {}
_loading = threading.RLock()  # code that another thread runs must not be replaced
log_compiles = False


def complete_text(text: str, calls: Sequence[str], tables: Sequence[str]) -> str:
    """A whole LLVM module of a program's functions."""
    parts = [declarations(), *tables, functions_text(calls), text, "!0 = !{}"]
    return "\n\n".join(parts)


@functools.cache
def _basis() -> str:
    """What machine code depends on besides the program's text."""
    sources = []
    for module in (vector_math, native, llvm_printer, call):
        folder = os.path.dirname(module.__file__ or "")
        names = [module.__file__ or ""]
        if os.path.basename(names[0]) == "__init__.py":
            names = sorted(os.path.join(folder, n) for n in os.listdir(folder) if n[-3:] == ".py")
        for name in names:
            with open(name, "rb") as file:
                sources.append(hashlib.blake2b(file.read(), digest_size=16).hexdigest())
    return " ".join([native.target_description(), *sources])


def compiled(what: str, text: str, complete: Callable[[], str]) -> native.Library:
    """Load a program from the cache, or compile it and put it there."""
    start = time.perf_counter()
    key = hashlib.blake2b(f"{_basis()}\n{text}".encode(), digest_size=16).hexdigest()
    data = default_cache().get(key)
    found = data is not None
    if data is None:
        data = native.compile_object(complete())
        default_cache().put(key, data)
    library = native.load_object(data)
    if log_compiles:
        logging.getLogger("functorch_like").warning(
            "%s: %s in %.1f ms (%d bytes of code, key %s)",
            what,
            "loaded from the cache" if found else "not in the cache; compiled",
            1e3 * (time.perf_counter() - start),
            len(data),
            key,
        )
    return library


def native_of(what: str, text: str, calls: Sequence[str], tables: Sequence[str]) -> Native:
    """The machine code of a program, compiled where it is not at hand."""
    with _loading:
        found = _loaded.get(text)
        if found is None:
            library = compiled(what, text, lambda: complete_text(text, calls, tables))
            found = _loaded[text] = Native(library)
    return found


_runtime: list[native.Library] = []


def runtime(name: str) -> int:
    """Address of a function of ``kernels.call``."""
    with _loading:
        if not _runtime:
            text = call.RUNTIME_TEXT
            _runtime.append(compiled("runtime", text, lambda: text))
    return _runtime[0].address(name)


@functools.cache
def blas(name: str) -> int:
    """Address of a function of BLAS."""
    from scipy.linalg import cython_blas

    capsule = cython_blas.__pyx_capi__[name]
    get_name = ctypes.pythonapi.PyCapsule_GetName
    get_name.restype, get_name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
    get_pointer.restype = ctypes.c_void_p
    get_pointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    return get_pointer(capsule, get_name(capsule))


@functools.cache
def _openblas() -> Any:
    """The library of BLAS that SciPy's wheels bring along, or None."""
    import scipy

    folder = os.path.join(os.path.dirname(scipy.__file__), "..", "scipy.libs")
    try:
        names = [x for x in os.listdir(folder) if x.startswith("libscipy_openblas")]
        return ctypes.CDLL(os.path.join(folder, names[0])) if len(names) == 1 else None
    except OSError:
        return None


def openblas(name: str) -> int:
    """Address of a function that OpenBLAS has beside BLAS; 0 where there is none."""
    function = getattr(_openblas(), f"scipy_{name}", None)
    return ctypes.cast(function, ctypes.c_void_p).value or 0 if function is not None else 0


@functools.cache
def openblas_threads() -> int:
    """How many threads OpenBLAS was set to when first asked."""
    function = getattr(_openblas(), "scipy_openblas_get_num_threads", None)
    return int(function()) if function is not None else 1


@functools.cache
def system(name: str) -> int:
    """Address of a function of the C library; 0 where there is none."""
    function = getattr(ctypes.pythonapi, name, None)
    return ctypes.cast(function, ctypes.c_void_p).value or 0 if function is not None else 0


@functools.cache
def cores() -> int:
    """How many threads a loop may use: ``FUNCTORCH_LIKE_NUM_THREADS``, or the cores there are."""
    if not system("pthread_create"):
        return 1
    wanted = os.environ.get("FUNCTORCH_LIKE_NUM_THREADS")
    if wanted is None and hasattr(os, "sched_getaffinity"):
        return min(len(os.sched_getaffinity(0)), MAX_THREADS)
    return max(1, min(int(wanted or os.cpu_count() or 1), MAX_THREADS))


def work(group: Group | Step, stored: Container[Any]) -> float:
    """Roughly how many nanoseconds a loop, or a batch of products, takes in one thread.

    ``stored`` are the roots that are in memory, where the others are in registers.
    """
    if isinstance(group, Step):
        more = group.more
        one = more["m"] * more["n"] * more["k"]
        return 0.05 * one * more["batch"] if one <= BLAS_THREADED else 0.0
    total = 0.0
    used: dict[Root, None] = {}
    for node in group.nodes:
        cost = WRITTEN_OUT if any(x.unrolled for x in node.labels) else PLAIN
        if node.primitive_name in vector_math.FUNCTIONS:
            cost = TRANSCENDENTAL
        total += cost * math.prod(x.size for x in node.labels)
        used[node.root.memory()] = None
        used.update({view.root.memory(): None for view, _ in node.operands if not view.literal})
    return total + BYTE * sum(nbytes(root) for root in used if root in stored)


# Products beyond so many multiplications are split by OpenBLAS, whose threads cost more than they
# bring below that.
BLAS_THREADED = 8_000_000
# Nanoseconds an element takes, and a byte of memory, and for how many a thread is worth making.
TRANSCENDENTAL, WRITTEN_OUT, PLAIN, BYTE, THREAD_WORK = 2.0, 0.3, 0.05, 0.03, 100_000
TURNS = 4  # turns of a loop that a thread gets at least: of three the other would wait for one


def nbytes(root: Root) -> int:
    return math.prod(root.shape) * root.dtype.itemsize


def touched(entry: Any) -> set[Root]:
    """Roots in the program's memory that an entry reads or writes."""
    found: set[Root] = set()

    def add(root: Any) -> None:
        if isinstance(root, Root):
            root = root.memory()
            while root.base is not None:
                root = root.base.memory()
            found.add(root)

    def visit(entry: Any) -> None:
        if isinstance(entry, Group):
            for inner in entry.body.entries:
                visit(inner)
        elif isinstance(entry, Node):
            add(entry.root)
            for view, _ in entry.operands:
                add(view.root)
        else:
            for root in (*entry.reads, *entry.writes):
                add(root)
            for roots in entry.more.values():
                if isinstance(roots, (list, tuple)):
                    for root in roots:
                        add(root)
            for body in entry.more.get("bodies", ()):
                for inner in body.block.entries:
                    visit(inner)

    visit(entry)
    return found


class Executable:
    """A program for arguments of given shapes and dtypes."""

    def __init__(self, graph: Graph, name: str = "program", kind: type[Emitter] = Emitter) -> None:
        self.graph = graph
        self.name = name
        self.constants = [np.asarray(x, order="C") for x in graph.constant_values]
        lowering, self.inputs, self.outputs = lower(graph)
        self.constants += [np.asarray(x, order="C") for _, x in lowering.captured]
        self.top, self.emitter = emit(lowering.items, self.outputs, ENTRY, kind)
        kernels, program = self.emitter.kernels, self.emitter.program.kernel
        self.text, self.calls, self.tables = module_text(kernels, program)
        self.native: Any = None
        self.instances: list[Instance] = []
        self.donated: tuple[int, ...] = ()  # inputs whose memory results may take
        self.weak: tuple[bool, ...] = ()  # inputs that are Python floats
        self._lay_out()

    def _lay_out(self) -> None:
        """Slots of the frame, and where in the arena temporaries lie."""
        keys = list(self.emitter.program.seen)
        self.slots: dict[Any, int] = {key: FIRST + i for i, key in enumerate(keys)}
        lives: dict[Root, list[int]] = {}  # the first and the last entry that needs each root
        for position, entry in enumerate(self.top.entries):
            for root in touched(entry):
                life = lives.setdefault(root, [position, position])
                life[1] = position
        self.lives = lives
        outside = {r.memory() for r in (*self.inputs, *self.outputs)}
        temporary: list[Any] = [k for k in keys if isinstance(k, Root) and k not in outside]
        rows = [k for k in keys if isinstance(k, tuple) and k[0] in ("row", "private")]
        end = len(self.top.entries)
        spans = [(lives[r][0], lives[r][1], nbytes(r)) for r in temporary]
        spans += [(0, end, self.row_bytes(k)) for k in rows]
        offsets, self.arena_bytes = plan_arena(spans)
        self.offsets = dict(zip([*temporary, *rows], offsets, strict=True))

    def row_bytes(self, key: tuple) -> int:
        """Size of what a kernel keeps for one turn of its loop, or for its other threads."""
        if key[0] == "private":
            return nbytes(key[1]) * (MAX_THREADS - 1)
        return self.emitter.row_bytes(key[1]) * MAX_THREADS

    def load(self) -> Native:
        """Compile the program if that has not been done."""
        if self.native is None:
            self.native = native_of(self.name, self.text, self.calls, self.tables)
        return self.native

    def taken_over(self) -> list[int]:
        """For each result the donated argument whose memory it takes, or -1.

        The argument must have been read for the last time before the result is written, or be
        read at the very elements that are written then.
        """
        donated = [k for k in self.donated if self.inputs[k] in self.slots]
        found = []
        for out in self.outputs:
            memory = out.memory()
            chosen = -1
            for k in donated:
                given = self.inputs[k]
                if (given.shape, given.dtype) != (memory.shape, memory.dtype):
                    continue
                before, after = self.lives[given][1], self.lives.get(memory, (-1, -1))[0]
                if before < after or (before == after and self._in_place(given, memory, after)):
                    chosen = k
                    donated.remove(k)
                    break
            found.append(chosen)
        return found

    def _in_place(self, given: Root, made: Root, position: int) -> bool:
        """Whether only the node that writes an element reads this element of the argument."""
        entry = self.top.entries[position]
        nodes = entry.nodes if isinstance(entry, Group) else [entry]
        for node in nodes:
            if not isinstance(node, Node):
                return False
            for view, _ in node.operands:
                if view.root is not given:
                    continue
                plain = node.pointwise and view.identity and node.combine is None
                if node.root is not made or not plain:
                    return False
        return True

    def is_long(self) -> bool:
        """Whether a run may take long enough to let other threads have their turn."""
        size = self.arena_bytes + sum(map(nbytes, (*self.inputs, *self.outputs)))
        return size > 32768 or any(
            isinstance(e, Step) and e.kind != "alias" for e in self.top.entries
        )

    def cost(self) -> Cost:
        """Operations, bytes, and memory; see ``Cost``."""
        return program_cost(self.top.entries, self.slots, self.arena_bytes)

    def groups(self) -> dict[int, int]:
        """For positions of the graph's equations, the part of the program that computes them."""
        places = {id(e): i for i, e in enumerate(self.graph.equations)}
        return {
            places[id(equation)]: position
            for position, entry in enumerate(self.top.entries)
            if not (isinstance(entry, Step) and entry.kind == "alias")
            for equation in equations_of(entry)
            if id(equation) in places
        }

    def assembly(self) -> str:
        """The machine code, as the assembler writes it."""
        return native.assembly(complete_text(self.text, self.calls, self.tables))

    def __call__(self, leaves: Sequence[np.ndarray]) -> Sequence[Any]:
        """Results for arguments of the right dtypes and shapes, however they lie in memory."""
        leaves = [
            np.require(
                x if x.dtype is root.dtype else x.astype(root.dtype),
                requirements=("C", "A", "W") if k in self.donated else ("C", "A"),
            )
            for k, (x, root) in enumerate(zip(leaves, self.inputs, strict=False))
        ]
        for k, weak in enumerate(self.weak):
            if weak:
                leaves[k] = float(leaves[k])  # type: ignore[call-overload]
        for instance in self.instances:
            results = instance.entry.call(*leaves)
            if results is not NotImplemented:
                return self.checked(instance, results)
        instance = Instance(self)  # the others are at work, in other threads or further out
        make_room(self)
        self.instances.append(instance)
        return self.checked(instance, instance.entry.call(*leaves))

    def checked(self, instance: Instance, results: Any) -> Sequence[Any]:
        """The results as a sequence, or the error that the program met."""
        if results is call.FAILED:
            instance.fail()
        return results if len(self.outputs) != 1 else (results,)


ROOM = 1 << 30  # bytes of temporary memory that programs keep between calls
_used: dict[Executable, None] = {}  # programs that keep memory, the last to get some last


def make_room(executable: Executable) -> None:
    """Let programs that got their memory longest ago give it back, if all have too much."""
    with _loading:
        _used.pop(executable, None)
        _used[executable] = None
        total = sum(x.arena_bytes * (len(x.instances) + (x is executable)) for x in _used)
        for other in list(_used):
            if total <= ROOM or other is executable:
                break
            total -= other.arena_bytes * len(other.instances)
            other.instances = []
            del _used[other]


class Instance:
    """Memory for one run of a program at a time."""

    def __init__(self, executable: Executable) -> None:
        self.executable = executable
        program = executable.load()
        slots = executable.slots
        self.tapes: dict[int, list] = {}
        self.error: BaseException | None = None
        self.arena = np.empty(executable.arena_bytes + 64, np.uint8)
        base = -(-self.arena.ctypes.data // 64) * 64
        frame = self.template = np.zeros(FIRST + len(slots), np.int64)
        for key, offset in executable.offsets.items():
            frame[slots[key]] = base + offset
        for key, slot in slots.items():
            if isinstance(key, tuple) and key[0] in PARAMETERS:
                PARAMETERS[key[0]](self, frame, slot, *key[1:])
        if executable.emitter.steps or self.tapes:
            self.host = _HOST(self.run_step)
            frame[HOST] = ctypes.cast(self.host, ctypes.c_void_p).value or 0
        count = len(executable.graph.inputs)
        for root, value in zip(executable.inputs[count:], executable.constants, strict=True):
            if root in slots:
                frame[slots[root]] = value.ctypes.data

        def placed(roots: Sequence[Root], more: Sequence[int]) -> list[call.Array]:
            return [
                call.Array(slots.get(r.memory(), UNUSED), r.dtype, r.shape, k)
                for r, k in zip(roots, more, strict=True)
            ]

        taken = executable.taken_over()
        flags = [call.CONTIGUOUS_ALIGNED] * count
        for k, weak in enumerate(executable.weak):
            if weak:
                flags[k] = call.PYTHON_FLOAT
        for k in taken:
            if k >= 0:
                flags[k] |= call.WRITEABLE

        self.entry = call.make_entry(
            runtime("entry"),
            program.address,
            frame,
            placed(executable.inputs[:count], flags),
            placed(executable.outputs, taken),
            releases=executable.is_long(),
        )

    def fail(self) -> None:
        """Raise what went wrong in the program."""
        error, self.error = self.error, None
        told = self.executable.emitter.tells_blas
        address = openblas("openblas_set_num_threads") if told else 0
        if address:  # the program may not have got to its end
            ctypes.CFUNCTYPE(None, ctypes.c_int)(address)(openblas_threads())
        if error is not None:
            raise error
        raise IndexError(ERRORS[int(self.entry.table[call.ERROR])])

    # What the frame holds besides arrays

    def _number(self, frame: np.ndarray, slot: int, value: int, _place: int) -> None:
        frame[slot] = value

    def _function(self, frame: np.ndarray, slot: int, name: str) -> None:
        frame[slot] = FUNCTIONS[name](name)

    def _literal(self, frame: np.ndarray, slot: int, kind: str, value: Any) -> None:
        data = np.array(value, NUMPY_DTYPES[kind]).tobytes()
        frame[slot : slot + 1].view(np.uint8)[: len(data)] = np.frombuffer(data, np.uint8)

    def _tape(self, frame: np.ndarray, slot: int, number: int) -> None:
        table = np.zeros(2, np.int64)  # the tape's address, and how many rows it has
        self.tapes[number] = [table, np.empty(0, np.int64)]
        frame[slot] = table.ctypes.data

    def _blas(self, frame: np.ndarray, slot: int, step: Step | None) -> None:
        more = step.more if step is not None else None
        small = more is not None and more["m"] * more["n"] * more["k"] <= BLAS_THREADED
        frame[slot] = 1 if small else openblas_threads()

    def _threads(self, frame: np.ndarray, slot: int, group: Group | Step) -> None:
        parts = group.extent // TURNS if isinstance(group, Group) else cores()
        worth = int(work(group, self.executable.slots) / THREAD_WORK)
        frame[slot] = max(1, min(cores(), parts, worth))

    def grow(self, number: int, row: int) -> None:
        """Twice the rows for a tape."""
        table, memory = self.tapes[number]
        rows = max(2 * int(table[1]), 256)
        larger = np.empty(rows * max(row, 1), np.int64)
        larger[: memory.size] = memory
        self.tapes[number][1] = larger
        table[:] = larger.ctypes.data, rows

    # What the program cannot do itself

    def run_step(self, frame: int, number: int, more: int) -> int:
        """Run a primitive's own kernel on the program's memory, or grow a tape."""
        try:
            if number < 0:
                self.grow(-1 - number, more)
                return 0
            step = self.executable.emitter.steps[number]
            operands = [self.array(frame, x) if isinstance(x, Root) else x for x in step.reads]
            primitive = step.equation.primitive
            into = getattr(primitive.kernel, "into", None)
            if into is not None:  # a kernel that can write its result where it is wanted
                target = self.array(frame, step.writes[0])
                target.flags.writeable = True
                into(target, *operands, **step.equation.params)
                return 0
            answer = primitive.kernel(*operands, **step.equation.params)
            answers = answer if primitive.multiple_results else (answer,)
            for root, value in zip(step.writes, answers, strict=True):
                target = self.array(frame, root)
                target.flags.writeable = True
                target[...] = value
        except BaseException as error:  # carried over the native frames
            self.error = error
            return -1
        return 0

    def array(self, frame: int, root: Root) -> np.ndarray:
        """A root's memory as a read-only array."""
        slot = self.executable.slots[root.memory()]
        address = ctypes.c_int64.from_address(frame + 8 * slot).value
        buffer = (ctypes.c_char * max(nbytes(root), 1)).from_address(address)
        made: np.ndarray = np.ndarray(root.shape, root.dtype, memoryview(buffer))
        made.flags.writeable = False
        return made


PARAMETERS: dict[str, Callable[..., None]] = {
    "number": Instance._number,
    "function": Instance._function,
    "literal": Instance._literal,
    "tape": Instance._tape,
    "threads": Instance._threads,
    "blas": Instance._blas,
}
FUNCTIONS: dict[str, Callable[[str], int]] = {
    "dgemm": blas,
    "sgemm": blas,
    "parallel": runtime,
    "openblas_set_num_threads": lambda name: openblas(name),
    "pthread_create": system,
    "pthread_join": system,
}
UNUSED = SCRATCH  # where the pointer of an argument goes that the program does not read
NUMPY_DTYPES = {short: dtype for dtype, short in DTYPES.items()}
ERRORS = {1: "index out of bounds"}
_HOST = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
