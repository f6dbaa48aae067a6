"""jit: a function staged once for each kind of arguments, and run as one native program."""

from __future__ import annotations

import contextlib
import functools
import inspect
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from . import graph_picture, tree
from .arguments import as_array
from .compilation.cost import Cost
from .compilation.executable import Executable
from .compilation.footprint import Memory, footprint
from .compilation.numba_source import numba_source
from .compilation.profile import Profile, profile_graph
from .compilation.simplify import simplify
from .control_flow.loop_primitives import chosen, instantiated, is_float, present, record_block
from .errors import DeviceError, boundary, name_of, user_line
from .graph import Graph, keeping_lines
from .graph_transforms import (
    BodyTrace,
    Closed,
    batch_graph,
    close,
    derived,
    jvp_graph,
    reached,
    scatter,
    vjp_graph,
    without_effects,
)
from .kernels.call import FAILED
from .kernels.device import is_gpu
from .primitives.core import (
    EVAL,
    Primitive,
    ShapedArray,
    Tracer,
    aval_of,
    state,
    under,
    watch,
)

__all__ = ["disable_jit", "jit", "log_compiles"]

logger = logging.getLogger("functorch_like")


class _Switches(threading.local):
    disabled = False


_switches = _Switches()


@contextlib.contextmanager
def disable_jit(disable: bool = True) -> Iterator[None]:
    """Run jitted functions as plain Python inside this context, to print and to debug.

    Examples
    --------
    >>> import functorch_like as ft
    >>> with ft.disable_jit():
    ...     float(ft.jit(lambda x: x * 2)(3.0))
    6.0
    """
    before = _switches.disabled
    _switches.disabled = disable
    try:
        yield
    finally:
        _switches.disabled = before


@contextlib.contextmanager
def log_compiles(enable: bool = True) -> Iterator[None]:
    """Log, inside this context, what is staged and compiled, why, and how long it takes.

    Messages go to the logger ``functorch_like`` at level WARNING, as in JAX, so that they are seen
    without further ado.

    Examples
    --------
    >>> import functorch_like as ft
    >>> with ft.log_compiles():
    ...     float(ft.jit(lambda x: x + 1)(1.0))
    2.0
    """
    from .compilation import executable

    before = executable.log_compiles
    executable.log_compiles = enable
    try:
        yield
    finally:
        executable.log_compiles = before


# --------------------------------------------------------------------------------------
# The primitive: a call of a compiled graph

WEAK = (float, int, complex)  # Python's numbers, which take the dtype of the arrays they meet


class JitCall(Primitive):
    """Runs a closed graph as compiled code; every derivative of it is another such call."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("jit_call", self._run, multiple_results=True)
        self.abstract = lambda *avals, graph: tuple(graph.output_avals)
        self.batch = self._batched

    @staticmethod
    def _run(*operands: Any, graph: Graph) -> tuple:
        if any(map(is_gpu, operands)):
            return tuple(derived(graph, "on device", lambda: on_device(graph))(operands))
        executable = derived(graph, "executable", lambda: Executable(simplify(graph)))
        return tuple(executable([np.asarray(x) for x in operands]))

    def stage(self, trace: Any, operands: Sequence, params: dict) -> Any:
        with under(trace):
            return tuple(params["graph"].evaluate(operands))

    def jvp(self, primals: Sequence, tangents: Sequence, params: dict) -> tuple[Any, Any]:
        graph = params["graph"]
        flags = tuple(t is not None for t in tangents)
        dependent = reached(graph, flags, derivative=True)
        pushed, constants = jvp_graph(graph, flags, dependent)
        results = self(*constants, *primals, *present(tangents), graph=pushed)
        count = len(graph.outputs)
        return results[:count], scatter(dependent, results[count:])

    def record(self, trace: Any, primals: Sequence, slots: Sequence, params: dict) -> Any:
        graph = params["graph"]
        answers = trace.parent.process(self, primals, params)
        given = tuple(s is not None for s in slots)
        dependent = reached(graph, given, derivative=True)

        def pull(cts: list) -> list:
            flags = tuple(is_float(a) for a in graph.output_avals)
            full = present(instantiated(flags, answers, scatter(dependent, cts)))
            pulled, constants = vjp_graph(graph, given, flags)
            return list(self(*constants, *primals, *full, graph=pulled))

        def push(ts: list) -> list:
            again = without_effects(params)
            return chosen(dependent, self.jvp(primals, scatter(given, ts), again)[1])

        return record_block(trace, answers, dependent, slots, pull, push)

    def record_linear(self, trace: Any, operands: Sequence, params: dict) -> Any:
        with under(trace):
            return tuple(params["graph"].evaluate(operands))

    def _batched(
        self, size: int, operands: Sequence, batched: Sequence[bool], graph: Graph
    ) -> tuple:
        made, constants = batch_graph(graph, size, tuple(batched), (True,) * len(graph.outputs))
        return self(*constants, *operands, graph=made)


jit_call = JitCall()


def on_device(graph: Graph, name: str = "program") -> Any:
    """The program of a graph for CuPy's arrays."""
    from .compilation.device.executable import device_program

    return device_program(simplify(graph), name)


# --------------------------------------------------------------------------------------
# jit


class Program:
    """A function staged for one kind of arguments.

    ``weak`` holds the type of each argument that is a Python number, ``donated`` the positions of
    those whose memory results may take.
    """

    def __init__(self, graph: Graph, name: str, weak: tuple, donated: tuple[int, ...]) -> None:
        self.graph = graph
        self.name = name
        self.weak = weak
        self.donated = donated
        self.kept = not any(isinstance(x, Tracer) for x in graph.constant_values)
        self.on_device = any(map(is_gpu, graph.constant_values))

    @functools.cached_property
    def closed(self) -> Closed:
        """The graph without captured arrays, and these."""
        return close(self.graph)

    @functools.cached_property
    def executable(self) -> Executable:
        """The compiled program."""
        made = Executable(simplify(self.graph), self.name)
        made.donated = self.donated
        made.weak = tuple(kind is float for kind in self.weak)
        return made

    @functools.cached_property
    def device_executable(self) -> Any:
        """The compiled program for CuPy's arrays."""
        return on_device(self.graph, self.name)


class Lowered:
    """A program for arguments of given types: its graph, its sources, and what it costs."""

    def __init__(self, program: Program, name: str) -> None:
        self._program = program
        self._name = name

    @property
    def graph(self) -> Graph:
        """The program as it is compiled: staged and simplified."""
        return self._executable.graph

    @property
    def _executable(self) -> Executable:
        return self._program.executable

    @property
    def code(self) -> str:
        """The program as plain NumPy source that runs without this library."""
        from .compilation.numpy_code import numpy_code

        return numpy_code(self.graph, name=self._name)

    @property
    def source(self) -> str:
        """The kernels as Python source, which Numba compiles and Python runs."""
        return numba_source(self.graph, self._name)

    @property
    def llvm(self) -> str:
        """The kernels as LLVM sees them."""
        return self._executable.text

    @property
    def cuda(self) -> str:
        """The kernels as CUDA C++, as they run on CuPy's arrays."""
        return str(self._program.device_executable.source)

    def assembly(self) -> str:
        """The machine code."""
        return self._executable.assembly()

    def compile(self) -> Callable[..., Any]:
        """The compiled program, a function of arguments like those it was lowered with."""
        executable, out_tree = self._executable, self._program.graph.out_tree
        executable.load()

        def compiled(*args: Any) -> Any:
            leaves = [as_array(x) for x in tree.leaves(args)]
            if self._program.on_device or any(map(is_gpu, leaves)):
                return tree.unflatten(out_tree, self._program.device_executable(leaves))
            leaves = [np.asarray(x, order="C") for x in leaves]
            return tree.unflatten(out_tree, executable(leaves))

        return compiled

    def cost(self) -> Cost:
        """Floating-point operations, bytes read and written, and bytes of temporary memory."""
        return self._executable.cost()

    def memory(self) -> Memory:
        """What a call takes: see ``Memory``. ``jit(f).memory(*args)`` knows the user's lines."""
        return footprint(self._executable, self._name)

    def show(self, path: Any = None) -> str:
        """Draw the program; equations that run in one loop have one colour.

        Parameters
        ----------
        path
            File to write, ``.svg`` or ``.html``; by default a temporary one, which is opened in
            the browser.

        Returns
        -------
        str
            Path of the file.
        """
        return self.graph.show(path, self._executable.groups())

    def _repr_svg_(self) -> str | None:
        small = len(self.graph.equations) <= 200
        return graph_picture.to_svg(self.graph, self._executable.groups()) if small else None

    def _repr_html_(self) -> str | None:
        small = len(self.graph.equations) <= 200
        return graph_picture.to_html(self.graph, self._executable.groups()) if small else None


class Jitted:
    """What ``jit`` returns: calls like the function, with ``lower`` to look inside."""

    def __init__(
        self,
        f: Callable,
        static_argnums: Sequence[int],
        static_argnames: Sequence[str],
        donate_argnums: Sequence[int],
    ) -> None:
        functools.update_wrapper(self, f, updated=())
        self._function = f
        self._static_argnums = static_argnums
        self._static_argnames = static_argnames
        self._donate_argnums = donate_argnums
        self._programs: dict[Any, Program] = {}
        # The program called last, for which no key need be made: its builtin function, the
        # structures of its arguments and results, and what raises its errors.
        self._last: Any = None

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        last = self._last
        if last is not None and state.trace is EVAL and not kwargs:
            call, flat, in_tree, build, fail = last
            if flat:
                results = call(*args)
            else:
                leaves, given = tree.flatten(args)
                results = call(*leaves) if given == in_tree else NotImplemented
            if results is not NotImplemented and not _switches.disabled:
                if results is FAILED:
                    fail()
                return results if build is None else build(results)
        if _switches.disabled:
            return self._function(*args, **kwargs)
        return self._call(args, kwargs)

    @boundary
    def _call(self, args: tuple, kwargs: dict) -> Any:
        program, leaves = self._program(args, kwargs)
        if program.on_device or any(map(is_gpu, leaves)):
            self._check_devices(leaves)
            if state.trace is EVAL and program.kept:
                results = program.device_executable(leaves)
                return tree.unflatten(program.graph.out_tree, results)
        if state.trace is EVAL and program.kept:
            results = program.executable([np.asarray(x) for x in leaves])
            plain = all(kind in (None, float) for kind in program.weak)
            if plain and not (kwargs or self._static_argnums or self._static_argnames):
                self._remember(program)
        else:
            graph, constants = program.closed
            results = jit_call(*constants, *leaves, graph=graph)
        return tree.unflatten(program.graph.out_tree, results)

    def _check_devices(self, leaves: Sequence) -> None:
        """Raise unless all arrays are the device's."""
        for x in leaves:
            if isinstance(x, np.ndarray) and x.ndim:
                raise DeviceError(
                    f"jit({name_of(self._function)}): expected all arrays on one device; got "
                    f"arrays of CuPy and one of NumPy, {aval_of(x)}; write cupy.asarray(x) for it, "
                    "or cupy.asnumpy(x) for the others."
                )

    def _remember(self, program: Program) -> None:
        executable = program.executable
        in_tree, out_tree = program.graph.in_tree, program.graph.out_tree
        flat = in_tree == tree.flatten((0,) * in_tree.num_leaves)[1]
        count = out_tree.num_leaves
        build: Callable | None = functools.partial(tree.unflatten, out_tree)
        if count == 1:  # the call returns it as it is
            build = None if out_tree.is_leaf() else lambda x: tree.unflatten(out_tree, (x,))
        if out_tree == tree.flatten((0,) * count)[1]:
            build = (lambda x: (x,)) if count == 1 else None
        instance = executable.instances[0]
        self._last = (instance.entry.call, flat, in_tree, build, instance.fail)

    def lower(self, *args: Any, **kwargs: Any) -> Lowered:
        """Stage the function for arguments of these types, without running it."""
        program, _ = self._program(args, kwargs)
        return Lowered(program, getattr(self._function, "__name__", "program"))

    @boundary
    def profile(self, *args: Any, repeat: int | None = None, **kwargs: Any) -> Profile:
        """Run the program and measure what each of its loops and library calls takes.

        Parameters
        ----------
        *args, **kwargs
            Arguments of the function.
        repeat
            How often to run; as often as fits into 0.3 seconds if not given.

        Returns
        -------
        Profile
            Prints as a table of times, bytes and operations a second, and the user's lines.

        Raises
        ------
        DeviceError
            The arguments are CuPy's.
        """
        if any(map(is_gpu, tree.leaves((args, kwargs)))):
            raise DeviceError(
                f"jit({name_of(self._function)}).profile: expected arrays of NumPy, whose programs "
                "it measures; got arrays of CuPy; measure these with cupyx.profiler.benchmark."
            )
        with keeping_lines():  # staged anew: programs that are kept do not know their lines
            fresh = Jitted(self._function, self._static_argnums, self._static_argnames, ())
            program, leaves = fresh._program(args, kwargs)
        graph = simplify(program.graph)
        name = name_of(self._function)
        return profile_graph(graph, [np.asarray(x) for x in leaves], name, repeat, user_line())

    @boundary
    def memory(self, *args: Any, **kwargs: Any) -> Memory:
        """How many bytes a call takes at the most, without running it.

        Parameters
        ----------
        *args, **kwargs
            Arguments of the function, or ``ShapedArray`` objects for their types alone.

        Returns
        -------
        Memory
            Arguments, results, temporaries with their lines, and tapes of loops; prints as a
            table.

        Examples
        --------
        >>> import numpy as np
        >>> import functorch_like as ft
        >>> ft.jit(lambda x: x @ x).memory(ft.ShapedArray((1000, 1000), "f8"))
        <lambda>: 16 MB at the most
        arguments    8 MB
        results      8 MB
        temporaries   0 B  kept between calls
        """
        with keeping_lines():  # staged anew: programs that are kept do not know their lines
            fresh = Jitted(
                self._function,
                self._static_argnums,
                self._static_argnames,
                self._donate_argnums,
            )
            program, _ = fresh._program(args, kwargs)
        return footprint(program.executable, name_of(self._function), user_line())

    def _program(self, args: tuple, kwargs: dict) -> tuple[Program, list]:
        static: tuple = ()
        if self._static_argnums or self._static_argnames:
            args, kwargs, static = self._without_static(args, kwargs)
        leaves, in_tree = tree.flatten((args, kwargs) if kwargs else args)
        weak = tuple(type(x) if type(x) in WEAK else None for x in leaves)
        leaves = [x if type(x) is np.ndarray else self._leaf(x) for x in leaves]
        # Programs that debug_nans evaluates know their lines.
        how = (bool(kwargs), watch.evaluate is not None, watch.checks)
        key = (in_tree, static, how, weak, *[(x.shape, x.dtype) for x in leaves])
        program = self._programs.get(key)
        if program is None:
            leaves = [x if isinstance(x, (Tracer, ShapedArray)) else self._plain(x) for x in leaves]
            program = self._stage(in_tree, bool(kwargs), leaves, static, weak)
            if program.kept:
                self._programs[key] = program
        return program, leaves

    def _leaf(self, x: Any) -> Any:
        return x if isinstance(x, (Tracer, ShapedArray)) else self._plain(as_array(x))

    def _plain(self, x: Any) -> Any:
        """An array of numbers in the machine's byte order."""
        if not hasattr(x, "dtype") or x.dtype.kind not in "biufc":
            raise TypeError(
                f"jit({name_of(self._function)}): expected arguments of arrays or numbers; got "
                f"{type(x).__name__} {x!r}; name it in static_argnums or static_argnames, or pass "
                "it by a closure."
            )
        plain = np.dtype(x.dtype.type)
        return x if x.dtype is plain else x.astype(plain)

    def _without_static(self, args: tuple, kwargs: dict) -> tuple[tuple, dict, tuple]:
        numbers = {n % len(args) for n in self._static_argnums if -len(args) <= n < len(args)}
        static = [(n, args[n]) for n in sorted(numbers)]
        named = [(k, kwargs[k]) for k in sorted(kwargs) if k in self._static_argnames]
        for which, value in (*static, *named):
            try:
                hash(value)
            except TypeError:
                raise TypeError(
                    f"jit({name_of(self._function)}): expected static argument {which!r} to be "
                    f"hashable, because a program is kept for each of its values; got "
                    f"{type(value).__name__}; pass a tuple instead of a list, or let it be traced."
                ) from None
        kept = tuple(x for n, x in enumerate(args) if n not in numbers)
        rest = {k: v for k, v in kwargs.items() if k not in self._static_argnames}
        return kept, rest, (tuple(static), tuple(named), len(args))

    def _stage(
        self, in_tree: Any, named: bool, leaves: list, static: tuple, weak: tuple
    ) -> Program:
        f = self._function
        trace = BodyTrace(state.trace, ("jit", f))
        inputs = [trace.input(aval_of(x)) for x in leaves]
        for x, kind in zip(inputs, weak, strict=True):
            x.weak = None if kind is None else kind(0)
        variables = [x._var for x in inputs]
        given = tree.unflatten(in_tree, inputs)
        args, kwargs = given if named else (given, {})
        if static:
            fixed, by_name, count = static
            positions = dict(fixed)
            rest = iter(args)
            args = tuple(positions[n] if n in positions else next(rest) for n in range(count))
            kwargs = {**kwargs, **dict(by_name)}
        with under(trace):
            out = f(*args, **kwargs)
            outputs, out_tree = tree.flatten(out)
            read = [trace.variable(self._output(x)) for x in outputs]
        graph = Graph(variables, trace.constants, trace.captured, trace.equations, [*read])
        graph.in_tree, graph.out_tree = in_tree, out_tree
        return Program(graph, name_of(f), weak, self._donated(in_tree, named))

    def _donated(self, in_tree: Any, named: bool) -> tuple[int, ...]:
        """Positions of the leaves of the donated arguments."""
        if not self._donate_argnums:
            return ()
        numbered = tree.unflatten(in_tree, range(in_tree.num_leaves))
        args = list(numbered[0] if named else numbered)
        for n in sorted(self._static_argnums):  # they are not among the traced ones
            if n <= len(args):
                args.insert(n, None)
        return tuple(
            leaf
            for n in self._donate_argnums
            if -len(args) <= n < len(args)
            for leaf in tree.leaves(args[n])
        )

    def _output(self, x: Any) -> Any:
        made = as_array(x)
        kind = getattr(getattr(made, "dtype", None), "kind", "O")
        if not isinstance(made, Tracer) and kind not in "biufc":
            raise TypeError(
                f"jit({name_of(self._function)}): expected a result of arrays or numbers; got "
                f"{type(x).__name__}; return only arrays, or pytrees of them."
            )
        return made


def jit(
    f: Callable | None = None,
    *,
    static_argnums: int | Sequence[int] = (),
    static_argnames: str | Sequence[str] = (),
    donate_argnums: int | Sequence[int] = (),
    script: bool = False,
) -> Any:
    """Compile a function: the first call with arguments of new types stages and compiles it.

    Parameters
    ----------
    f
        Function of arrays (or pytrees of arrays), written in NumPy.
    static_argnums, static_argnames
        Arguments that are not arrays: a program is staged for each of their (hashable) values.
    donate_argnums
        Arguments whose memory results of their shape and dtype take over, where nothing else
        needs it any more: such a result is the very array that was passed, and the array's old
        contents are lost. Arguments that cannot be written are copied first.
    script
        Rewrite the function from its source, so that it may branch and loop on traced values:
        see ``functorch_like.script``.

    Returns
    -------
    Callable
        Behaves like ``f``. ``lower(*args)`` shows the program.

    Raises
    ------
    ConcreteValueError
        Where ``f`` branches on a value that depends on its arguments; see ``script`` and ``cond``.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> @ft.jit
    ... def f(x):
    ...     return np.sum(np.sin(x) ** 2)
    >>> round(float(f(np.arange(3.0))), 6)
    1.534895
    """
    if f is None:
        return functools.partial(
            jit,
            static_argnums=static_argnums,
            static_argnames=static_argnames,
            donate_argnums=donate_argnums,
            script=script,
        )
    if not callable(f):
        raise TypeError(f"jit: expected a function; got {type(f).__name__}.")
    if script:
        from .scripting import script as rewritten

        f = rewritten(f)
    numbers = (static_argnums,) if isinstance(static_argnums, int) else tuple(static_argnums)
    names = (static_argnames,) if isinstance(static_argnames, str) else tuple(static_argnames)
    try:
        parameters = inspect.signature(f).parameters
    except (TypeError, ValueError):
        parameters = {}  # type: ignore[assignment]
    listed = list(parameters)
    kinds = {p.kind for p in parameters.values()}
    if listed and inspect.Parameter.VAR_POSITIONAL not in kinds:
        for n in numbers:
            if not -len(listed) <= n < len(listed):
                raise ValueError(
                    f"jit({name_of(f)}): static_argnums names argument {n}, but the function has "
                    f"{len(listed)}: {', '.join(listed)}."
                )
    if listed and inspect.Parameter.VAR_KEYWORD not in kinds:
        for name in names:
            if name not in parameters:
                raise ValueError(
                    f"jit({name_of(f)}): static_argnames names {name!r}, but the function has no "
                    f"such argument; it has {', '.join(listed)}."
                )
    if listed:  # an argument may be given either way
        numbers = tuple(dict.fromkeys((*numbers, *(listed.index(n) for n in names if n in listed))))
        names = tuple(dict.fromkeys((*names, *(listed[n] for n in numbers if n < len(listed)))))
    donated = (donate_argnums,) if isinstance(donate_argnums, int) else tuple(donate_argnums)
    return Jitted(f, numbers, names, donated)
