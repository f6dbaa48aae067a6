"""LLVM text -> machine code -> callable addresses, through llvmlite, which Numba brings along.

Numba's own front end (bytecode analysis, type inference) takes 0.4 s to wake up and 90 ms for the
smallest kernel; LLVM alone takes 10 ms. Our kernels are typed already, so they go to LLVM directly.
"""

from __future__ import annotations

import functools
import threading
from typing import Any

from . import elf

__all__ = ["Library", "assembly", "compile_object", "load_object", "target_description"]

_lock = threading.RLock()  # LLVM contexts are shared: one thread at a time


@functools.cache
def _binding() -> Any:
    import llvmlite.binding as binding

    if hasattr(binding, "initialize_all_targets"):
        binding.initialize_native_target()
        binding.initialize_native_asmprinter()
    return binding


@functools.cache
def _target() -> Any:
    return _new_target()


def _new_target() -> Any:
    binding = _binding()
    return binding.Target.from_default_triple().create_target_machine(
        cpu=binding.get_host_cpu_name(),
        features=_features(),
        opt=3,
        reloc="pic",
        codemodel="default",
    )


@functools.cache
def _features() -> str:
    return _binding().get_host_cpu_features().flatten()


@functools.cache
def target_description() -> str:
    """What compiled code depends on besides its source: LLVM, the machine and its features."""
    if elf.is_supported():  # as the kernel tells it, without waiting for LLVM
        import llvmlite

        with open("/proc/cpuinfo", "rb") as file:
            processor = file.read(8192).split(b"\n\n")[0].decode()
        told = [x for x in processor.splitlines() if x.startswith(("model", "flags", "vendor"))]
        return "\n".join(["x86_64 linux", llvmlite.__version__, *told])
    binding = _binding()
    version = ".".join(map(str, binding.llvm_version_info))
    return f"{version} {binding.get_default_triple()} {binding.get_host_cpu_name()} {_features()}"


def _optimised(text: str, level: int) -> Any:
    binding = _binding()
    try:
        module = binding.parse_assembly(text)
        module.verify()
    except RuntimeError as error:
        raise RuntimeError(
            "internal error: a program was written as text that LLVM does not take; please report "
            f"it with the text that jit(f).lower(*args).llvm gives. LLVM says: {error}"
        ) from error
    target = _target()
    options = binding.create_pipeline_tuning_options(speed_level=level)
    options.loop_vectorization = True
    options.slp_vectorization = True
    options.loop_interleaving = True
    # What is short is written out already; unrolling more doubles the compile time.
    options.loop_unrolling = False
    builder = binding.create_pass_builder(target, options)
    builder.getModulePassManager().run(module, builder)
    return module


def compile_object(text: str, level: int = 2) -> bytes:
    """Compile an LLVM module to an object file."""
    with _lock:
        return _target().emit_object(_optimised(text, level))


def assembly(text: str, level: int = 2) -> str:
    """The machine code of a module, as the assembler writes it."""
    with _lock:
        return _target().emit_assembly(_optimised(text, level))


class Library:
    """Loaded machine code; its functions live as long as it does."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine

    def address(self, name: str) -> int:
        """Where the function of this name begins."""
        found = self._engine.get_function_address(name)
        if not found:
            raise KeyError(name)
        return found


def load_object(data: bytes) -> Any:
    """Load an object file into this process: an object with ``address(name)``."""
    if elf.is_supported():
        image = elf.load(data)
        if image is not None:
            return image
    with _lock:
        binding = _binding()
        # The engine takes the machine over, and frees it.
        engine = binding.create_mcjit_compiler(binding.parse_assembly(""), _new_target())
        engine.add_object_file(binding.ObjectFileRef.from_data(data))
        engine.finalize_object()
        return Library(engine)
