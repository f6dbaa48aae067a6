"""From Python straight into native code: a builtin function around a compiled program.

ctypes and Numba's dispatcher take a microsecond or more to look at a few arrays. ``entry`` makes
an ordinary builtin (``METH_FASTCALL``) whose machine code checks that each argument is a NumPy
array of the expected dtype and shape, contiguous and aligned, makes the result arrays, and runs
the program; a call takes some 0.2 us. Anything unexpected is answered by ``NotImplemented``, upon
which the caller goes the long way.

It reads the fields of array objects where NumPy's C API, stable since 1.7, says they are, and
NumPy's functions from its table of C functions. See "Array API" in NumPy's C-API reference, and
``PyMethodDef`` and ``PyTupleObject`` in CPython's.
"""

from __future__ import annotations

import ctypes
import functools
import platform
import sys
import sysconfig
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .llvm_printer import MAX_THREADS

__all__ = ["FAILED", "RUNTIME_TEXT", "Entry", "is_supported", "make_entry"]

FAILED = Ellipsis  # the program ended with an error, whose number is in the entry's table

# Words of an entry's table; the argument tables have rows of 5 words: slot, dtype, ndim,
# shape, and flags that an argument must have or the argument, less -1, whose memory a result takes.
(
    PROGRAM,
    INPUTS,
    OUTPUTS,
    FRAME_WORDS,
    FRAME,
    BUSY,
    INPUT_TABLE,
    OUTPUT_TABLE,
    ARRAY_TYPE,
    NEW_ARRAY,
    AS_SCALAR,
    NEW_TUPLE,
    SAVE_THREAD,
    RESTORE_THREAD,
    RELEASES,
    NOT_IMPLEMENTED,
    ELLIPSIS,
    ERROR,
    FLOAT_TYPE,
    DOUBLE_TYPE,
    RELEASE,
    DOUBLE_DESCR,
    WORDS,
) = range(23)


ROW = 5
CONTIGUOUS_ALIGNED, WRITEABLE = 0x101, 0x400
PYTHON_FLOAT = -2  # in place of flags: the argument is a Python float, not an array of no axes


def _word(name: str, index: int, kind: str = "i64") -> str:
    return (
        f"  %{name}.p = getelementptr inbounds i64, ptr %table, i64 {index}\n"
        f"  %{name} = load {kind}, ptr %{name}.p\n"
    )


ENTRY_TEXT = f"""
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)

define ptr @entry(ptr %self, ptr %args, i64 %count) nounwind {{
  %table.p = getelementptr inbounds i8, ptr %self, i64 16
  %table = load ptr, ptr %table.p
{_word("inputs", INPUTS)}{_word("outputs", OUTPUTS)}{_word("busy", BUSY)}\
{_word("words", FRAME_WORDS)}{_word("template", FRAME, "ptr")}{_word("in", INPUT_TABLE, "ptr")}\
{_word("out", OUTPUT_TABLE, "ptr")}{_word("array_type", ARRAY_TYPE, "ptr")}\
{_word("new_array", NEW_ARRAY, "ptr")}{_word("as_scalar", AS_SCALAR, "ptr")}\
{_word("new_tuple", NEW_TUPLE, "ptr")}{_word("save", SAVE_THREAD, "ptr")}\
{_word("restore", RESTORE_THREAD, "ptr")}{_word("releases", RELEASES)}\
{_word("program", PROGRAM, "ptr")}{_word("not_implemented", NOT_IMPLEMENTED, "ptr")}\
{_word("ellipsis", ELLIPSIS, "ptr")}{_word("float_type", FLOAT_TYPE, "ptr")}\
{_word("double_type", DOUBLE_TYPE, "ptr")}{_word("release", RELEASE, "ptr")}\
{_word("double_descr", DOUBLE_DESCR, "ptr")}
  %right = icmp eq i64 %count, %inputs
  %idle = icmp eq i64 %busy, 0
  %go = and i1 %right, %idle
  br i1 %go, label %start, label %refuse

start:
  %frame = alloca i64, i64 %words, align 16
  %frame.bytes = mul i64 %words, 8
  call void @llvm.memcpy.p0.p0.i64(ptr %frame, ptr %template, i64 %frame.bytes, i1 false)
  br label %head

head:
  %i = phi i64 [0, %start], [%i.next, %take]
  %more = icmp slt i64 %i, %inputs
  br i1 %more, label %check, label %make

check:
  %arg.p = getelementptr inbounds ptr, ptr %args, i64 %i
  %arg = load ptr, ptr %arg.p
  %row = mul i64 %i, {ROW}
  %want = getelementptr inbounds i64, ptr %in, i64 %row
  %slot = load i64, ptr %want
  %want.descr.p = getelementptr inbounds i64, ptr %want, i64 1
  %want.descr = load ptr, ptr %want.descr.p
  %want.ndim.p = getelementptr inbounds i64, ptr %want, i64 2
  %want.ndim = load i64, ptr %want.ndim.p
  %want.shape.p = getelementptr inbounds i64, ptr %want, i64 3
  %want.shape = load ptr, ptr %want.shape.p
  %want.flags.p = getelementptr inbounds i64, ptr %want, i64 4
  %want.flags64 = load i64, ptr %want.flags.p
  %want.flags = trunc i64 %want.flags64 to i32
  %type.p = getelementptr inbounds i8, ptr %arg, i64 8
  %type = load ptr, ptr %type.p
  %data.p = getelementptr inbounds i8, ptr %arg, i64 16
  %is.array = icmp eq ptr %type, %array_type
  br i1 %is.array, label %array, label %number

number:
  ; a Python float or np.float64: both hold their value where an array holds its pointer
  %is.float = icmp eq ptr %type, %float_type
  %is.double = icmp eq ptr %type, %double_type
  %wants.python = icmp eq i64 %want.flags64, {PYTHON_FLOAT}
  %is.either = select i1 %wants.python, i1 %is.float, i1 %is.double
  %no.axes = icmp eq i64 %want.ndim, 0
  %wants.double = icmp eq ptr %want.descr, %double_descr
  %takes.number = and i1 %no.axes, %wants.double
  %ok.number = and i1 %is.either, %takes.number
  br i1 %ok.number, label %take, label %refuse

array:
  %data = load ptr, ptr %data.p
  %ndim.p = getelementptr inbounds i8, ptr %arg, i64 24
  %ndim32 = load i32, ptr %ndim.p
  %ndim = zext i32 %ndim32 to i64
  %dims.p = getelementptr inbounds i8, ptr %arg, i64 32
  %shape = load ptr, ptr %dims.p
  %descr.p = getelementptr inbounds i8, ptr %arg, i64 56
  %descr = load ptr, ptr %descr.p
  %flags.p = getelementptr inbounds i8, ptr %arg, i64 64
  %flags = load i32, ptr %flags.p
  %flags.wanted = and i32 %flags, %want.flags
  %plain = icmp eq i32 %flags.wanted, %want.flags
  %same.descr = icmp eq ptr %descr, %want.descr
  %same.ndim = icmp eq i64 %ndim, %want.ndim
  %a1 = and i1 %plain, %same.descr
  %a2 = and i1 %a1, %same.ndim
  br i1 %a2, label %dims, label %refuse

dims:
  %d = phi i64 [0, %array], [%d.next, %dim]
  %d.more = icmp slt i64 %d, %ndim
  br i1 %d.more, label %dim, label %take

dim:
  %n.p = getelementptr inbounds i64, ptr %shape, i64 %d
  %n = load i64, ptr %n.p
  %m.p = getelementptr inbounds i64, ptr %want.shape, i64 %d
  %m = load i64, ptr %m.p
  %d.next = add i64 %d, 1
  %same = icmp eq i64 %n, %m
  br i1 %same, label %dims, label %refuse

refuse:
  %refs = load i64, ptr %not_implemented
  %more.refs = add i64 %refs, 1
  store i64 %more.refs, ptr %not_implemented
  ret ptr %not_implemented

take:
  %pointer = phi ptr [%data, %dims], [%data.p, %number]
  %slot.p = getelementptr inbounds i64, ptr %frame, i64 %slot
  store ptr %pointer, ptr %slot.p
  %i.next = add i64 %i, 1
  br label %head

make:
  store i64 1, ptr %busy.p
  %made = alloca ptr, i64 %outputs
  br label %make.head

make.head:
  %k = phi i64 [0, %make], [%k.next, %make.take]
  %k.more = icmp slt i64 %k, %outputs
  br i1 %k.more, label %make.one, label %run

make.one:
  %k.row = mul i64 %k, {ROW}
  %spec = getelementptr inbounds i64, ptr %out, i64 %k.row
  %k.slot = load i64, ptr %spec
  %k.descr.p = getelementptr inbounds i64, ptr %spec, i64 1
  %k.descr = load ptr, ptr %k.descr.p
  %k.ndim.p = getelementptr inbounds i64, ptr %spec, i64 2
  %k.ndim = load i64, ptr %k.ndim.p
  %k.shape.p = getelementptr inbounds i64, ptr %spec, i64 3
  %k.shape = load ptr, ptr %k.shape.p
  %k.taken.p = getelementptr inbounds i64, ptr %spec, i64 4
  %k.taken = load i64, ptr %k.taken.p
  %k.takes = icmp sge i64 %k.taken, 0
  br i1 %k.takes, label %take.over, label %make.new

take.over:
  %taken.p = getelementptr inbounds ptr, ptr %args, i64 %k.taken
  %taken = load ptr, ptr %taken.p
  %taken.refs = load i64, ptr %taken
  %taken.refs.more = add i64 %taken.refs, 1
  store i64 %taken.refs.more, ptr %taken
  br label %make.take

make.new:
  %k.refs = load i64, ptr %k.descr
  %k.refs.more = add i64 %k.refs, 1
  store i64 %k.refs.more, ptr %k.descr
  %k.ndim32 = trunc i64 %k.ndim to i32
  %result = call ptr %new_array(ptr %array_type, ptr %k.descr, i32 %k.ndim32, ptr %k.shape, \
ptr null, ptr null, i32 0, ptr null)
  %none = icmp eq ptr %result, null
  br i1 %none, label %no.memory, label %make.take

no.memory:
  store i64 0, ptr %busy.p
  ret ptr null

make.take:
  %made.one = phi ptr [%result, %make.new], [%taken, %take.over]
  %result.p = getelementptr inbounds ptr, ptr %made, i64 %k
  store ptr %made.one, ptr %result.p
  %result.data.p = getelementptr inbounds i8, ptr %made.one, i64 16
  %result.data = load ptr, ptr %result.data.p
  %k.slot.p = getelementptr inbounds i64, ptr %frame, i64 %k.slot
  store ptr %result.data, ptr %k.slot.p
  %k.next = add i64 %k, 1
  br label %make.head

run:
  %lets.go = icmp ne i64 %releases, 0
  br i1 %lets.go, label %released, label %held

held:
  call void %program(ptr %frame)
  br label %ran

released:
  %thread = call ptr %save()
  call void %program(ptr %frame)
  call void %restore(ptr %thread)
  br label %ran

ran:
  store i64 0, ptr %busy.p
  %error = load i64, ptr %frame
  %failed = icmp ne i64 %error, 0
  %single = icmp eq i64 %outputs, 1
  br i1 %single, label %one, label %several

one:
  %one.made = load ptr, ptr %made
  %one.result = call ptr %as_scalar(ptr %one.made)
  br label %done

several:
  %tuple = call ptr %new_tuple(i64 %outputs)
  br label %tuple.head

tuple.head:
  %t = phi i64 [0, %several], [%t.next, %tuple.body]
  %t.more = icmp slt i64 %t, %outputs
  br i1 %t.more, label %tuple.body, label %tuple.done

tuple.body:
  %t.made.p = getelementptr inbounds ptr, ptr %made, i64 %t
  %t.made = load ptr, ptr %t.made.p
  %t.result = call ptr %as_scalar(ptr %t.made)
  %items = getelementptr inbounds i8, ptr %tuple, i64 24
  %item = getelementptr inbounds ptr, ptr %items, i64 %t
  store ptr %t.result, ptr %item
  %t.next = add i64 %t, 1
  br label %tuple.head

tuple.done:
  br label %done

done:
  %answer = phi ptr [%one.result, %one], [%tuple, %tuple.done]
  br i1 %failed, label %drop, label %give

give:
  ret ptr %answer

drop:
  call void %release(ptr %answer)
  %error.p = getelementptr inbounds i64, ptr %table, i64 {ERROR}
  store i64 %error, ptr %error.p
  %e.refs = load i64, ptr %ellipsis
  %e.more.refs = add i64 %e.refs, 1
  store i64 %e.more.refs, ptr %ellipsis
  ret ptr %ellipsis
}}
"""


# Runs a task on parts of a range: the first in this thread, the others in threads of their own,
# which live no longer than the call. A thread takes some 10 us to make, and nothing is left behind
# for a fork to trip over. Where no thread is to be had, its part is done here. A block holds the
# ends of the part, the error found in it, the frame, the number of the thread, and what more the
# task needs.
PARALLEL = f"""
define i64 @parallel(ptr %task, ptr %frame, ptr %blocks, i64 %bytes, i64 %upper, \
i64 %threads, ptr %create, ptr %join) nounwind {{
  %ids = alloca [{MAX_THREADS} x i64]
  %made = alloca [{MAX_THREADS} x i32]
  %first.hi = sdiv i64 %upper, %threads
  store i64 0, ptr %blocks
  %hi.p = getelementptr inbounds i64, ptr %blocks, i64 1
  store i64 %first.hi, ptr %hi.p
  %frame.p = getelementptr inbounds i64, ptr %blocks, i64 3
  store ptr %frame, ptr %frame.p
  %number.p = getelementptr inbounds i64, ptr %blocks, i64 4
  store i64 0, ptr %number.p
  br label %head
head:
  %t = phi i64 [1, %0], [%t.next, %next]
  %t.next = add i64 %t, 1
  %more = icmp slt i64 %t, %threads
  br i1 %more, label %start, label %own
start:
  %offset = mul i64 %t, %bytes
  %block = getelementptr inbounds i8, ptr %blocks, i64 %offset
  call void @llvm.memcpy.p0.p0.i64(ptr %block, ptr %blocks, i64 %bytes, i1 false)
  %lo.m = mul i64 %upper, %t
  %lo = sdiv i64 %lo.m, %threads
  store i64 %lo, ptr %block
  %hi.m = mul i64 %upper, %t.next
  %hi = sdiv i64 %hi.m, %threads
  %block.hi = getelementptr inbounds i64, ptr %block, i64 1
  store i64 %hi, ptr %block.hi
  %block.t = getelementptr inbounds i64, ptr %block, i64 4
  store i64 %t, ptr %block.t
  %id = getelementptr inbounds i64, ptr %ids, i64 %t
  %status = call i32 %create(ptr %id, ptr null, ptr %task, ptr %block)
  %flag = getelementptr inbounds i32, ptr %made, i64 %t
  store i32 %status, ptr %flag
  %failed = icmp ne i32 %status, 0
  br i1 %failed, label %here, label %next
here:
  call ptr %task(ptr %block)
  br label %next
next:
  br label %head
own:
  call ptr %task(ptr %blocks)
  br label %wait
wait:
  %w = phi i64 [0, %own], [%w.next, %noted]
  %error = phi i64 [0, %own], [%error.next, %noted]
  %waiting = icmp slt i64 %w, %threads
  br i1 %waiting, label %look, label %done
look:
  %first = icmp eq i64 %w, 0
  br i1 %first, label %noted, label %joinable
joinable:
  %w.flag = getelementptr inbounds i32, ptr %made, i64 %w
  %w.status = load i32, ptr %w.flag
  %running = icmp eq i32 %w.status, 0
  br i1 %running, label %joining, label %noted
joining:
  %w.id.p = getelementptr inbounds i64, ptr %ids, i64 %w
  %w.id = load i64, ptr %w.id.p
  %joined = call i32 %join(i64 %w.id, ptr null)
  br label %noted
noted:
  %w.offset = mul i64 %w, %bytes
  %w.block = getelementptr inbounds i8, ptr %blocks, i64 %w.offset
  %result.p = getelementptr inbounds i64, ptr %w.block, i64 2
  %result = load i64, ptr %result.p
  %bad = icmp ne i64 %result, 0
  %error.next = select i1 %bad, i64 %result, i64 %error
  %w.next = add i64 %w, 1
  br label %wait
done:
  ret i64 %error
}}
"""

RUNTIME_TEXT = ENTRY_TEXT + PARALLEL


@functools.cache
def is_supported() -> bool:
    """Whether objects are laid out as ``entry`` reads them: CPython with the GIL, 64 bits."""
    return (
        platform.python_implementation() == "CPython"
        and sys.maxsize > 2**32
        and not sysconfig.get_config_var("Py_GIL_DISABLED")
        and not hasattr(sys, "gettotalrefcount")
        and int(np.__version__.split(".")[0]) == 2
    )


@functools.cache
def _addresses() -> dict[int, int]:
    """What every entry needs of CPython and NumPy."""
    from numpy._core import _multiarray_umath  # type: ignore[attr-defined]

    get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
    get_pointer.restype = ctypes.c_void_p
    get_pointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    table = get_pointer(_multiarray_umath._ARRAY_API, None)
    functions = (ctypes.c_void_p * 100).from_address(table)

    def python(name: str) -> int:
        return ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value or 0

    return {
        ARRAY_TYPE: functions[2] or 0,
        NEW_ARRAY: functions[94] or 0,
        AS_SCALAR: functions[76] or 0,
        NEW_TUPLE: python("PyTuple_New"),
        RELEASE: python("Py_DecRef"),
        SAVE_THREAD: python("PyEval_SaveThread"),
        RESTORE_THREAD: python("PyEval_RestoreThread"),
        NOT_IMPLEMENTED: id(NotImplemented),
        ELLIPSIS: id(FAILED),
        FLOAT_TYPE: id(float),
        DOUBLE_TYPE: id(np.float64),
        DOUBLE_DESCR: id(np.dtype(np.float64)),
    }


class _MethodDef(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


METH_FASTCALL = 0x0080


class Entry(NamedTuple):
    """A builtin function, and what must live as long as it."""

    call: Any
    table: np.ndarray
    kept: tuple


class Array(NamedTuple):
    """An argument or a result: its place in the frame, dtype and shape.

    ``more`` holds the flags an argument must have, or the number of the argument whose memory a
    result takes, -1 if it has memory of its own.
    """

    slot: int
    dtype: np.dtype
    shape: tuple[int, ...]
    more: int


def make_entry(
    address: int,
    program: int,
    template: np.ndarray,
    inputs: Sequence[Array],
    outputs: Sequence[Array],
    releases: bool,
) -> Entry:
    """A builtin function for a program.

    Parameters
    ----------
    address
        Of ``entry`` in the loaded code.
    program
        Address of the program.
    template
        The program's frame but for the pointers of arguments and results.
    inputs, outputs
        What they are.
    releases
        Whether the program is long enough to let other threads run meanwhile.
    """
    table = np.zeros(WORDS, np.int64)
    kept: list[Any] = [table, template]

    def described(arrays: Sequence[Array]) -> int:
        rows = np.zeros((len(arrays) or 1, ROW), np.int64)
        for row, x in zip(rows, arrays, strict=False):
            shape = np.array(x.shape or (0,), np.int64)
            kept.extend((shape, x.dtype))
            row[:] = x.slot, id(x.dtype), len(x.shape), shape.ctypes.data, x.more
        kept.append(rows)
        return rows.ctypes.data

    table[PROGRAM] = program
    table[INPUTS], table[OUTPUTS] = len(inputs), len(outputs)
    table[FRAME_WORDS], table[FRAME] = len(template), template.ctypes.data
    table[INPUT_TABLE], table[OUTPUT_TABLE] = described(inputs), described(outputs)
    table[RELEASES] = releases
    for index, value in _addresses().items():
        table[index] = value
    method = _MethodDef(b"program", address, METH_FASTCALL, None)
    new = ctypes.pythonapi.PyCFunction_NewEx
    new.restype = ctypes.py_object
    new.argtypes = [ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p]
    call = new(ctypes.addressof(method), table, None)
    return Entry(call, table, (method, *kept))
