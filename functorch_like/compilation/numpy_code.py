"""A graph as plain NumPy source, which runs without this library.

Every equation is a line; an elementwise operation or a view that is used once is written
inside the expression that uses it while the line stays readable. The source calls the same
NumPy functions as the kernels do, so results agree bit for bit but for products and triangular
systems, whose last bits depend on the routine.
"""

from __future__ import annotations

import ast
import inspect
import keyword
import textwrap
import types
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..graph import Equation, Graph, Literal, Var
from ..kernels.cpu import implicit, samplers, threefry
from ..primitives import fft, linalg, reduction, sorting
from ..primitives.core import Elementwise, ShapedArray, Tracer, aval_of
from .simplify import aval_of_value, dead_code, inline, literals

__all__ = ["numpy_code"]

WIDTH = 80  # of an expression; its name and type come on top
INLINE_SIZE = 16  # captured arrays of at most so many elements are written out


def numpy_code(graph: Graph, name: str = "program", constants: dict | None = None) -> str:
    """The graph as NumPy source.

    Parameters
    ----------
    graph
        The program.
    name
        What the function is called in the source. It takes the flat arguments by position and
        returns the result, or a tuple of several.
    constants
        Filled with what the function takes by keyword: captured arrays too large to write out,
        and black boxes.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> def f(x, y):
    ...     return np.sum(x * np.sin(y), axis=0)
    >>> print(numpy_code(ft.make_graph(f)(np.zeros((2, 3)), np.zeros(3))))
    import numpy as np
    <BLANKLINE>
    <BLANKLINE>
    def program(a, b):
        # a: f64[2,3]
        # b: f64[3]
        c = np.sum(a * np.sin(b), axis=0)  # f64[3]
        return c
    <BLANKLINE>
    """
    if not name.isidentifier() or keyword.iskeyword(name):  # "<lambda>"
        name = "program"
    module = _Module({} if constants is None else constants)
    main = _Function(module, _prepared(graph), name).source(main=True)
    parts = ["\n".join(sorted(module.imports)), *module.helpers.values(), main]
    return "\n\n\n".join(parts) + "\n"


def _prepared(graph: Graph) -> Graph:
    return dead_code(literals(inline(graph)))


class Text(NamedTuple):
    """An expression and how tightly its outermost operator binds."""

    text: str
    rank: int

    def at_least(self, rank: int) -> str:
        """The expression, in parentheses if it binds less tightly."""
        return self.text if self.rank >= rank else f"({self.text})"

    def __str__(self) -> str:
        return self.text


ATOM, UNARY = 100, 14
INFIX = {
    "multiply": ("*", 13), "divide": ("/", 13), "floor_divide": ("//", 13), "remainder": ("%", 13),
    "add": ("+", 12), "subtract": ("-", 12), "left_shift": ("<<", 11), "right_shift": (">>", 11),
    "bitwise_and": ("&", 10), "bitwise_xor": ("^", 9), "bitwise_or": ("|", 8),
    "equal": ("==", 7), "not_equal": ("!=", 7), "less": ("<", 7), "less_equal": ("<=", 7),
    "greater": (">", 7), "greater_equal": (">=", 7),
}  # fmt: skip
PREFIX = {"negative": "-", "bitwise_not": "~"}
RENAMED = {
    "absolute": "np.abs", "complex_absolute": "np.abs", "numpy_i0": "np.i0",
    "root_of_square_sum": "np.sqrt", "select": "np.where", "sinc": "np.sinc",
}  # fmt: skip
VIEWS = {"broadcast_to", "convert", "imag", "real", "reshape", "slice_at", "transpose"}


def atom(text: str) -> Text:
    """A name, call or subscript."""
    return Text(text, ATOM)


def call(function: str, *args: object) -> Text:
    """A function call."""
    return atom(f"{function}({', '.join(map(str, args))})")


def method(x: Text, name: str, *args: object) -> Text:
    """A method call."""
    return atom(f"{x.at_least(ATOM)}.{name}({', '.join(map(str, args))})")


class _Module:
    """What the functions of one source share."""

    def __init__(self, constants: dict[str, Any]) -> None:
        self.constants = constants
        self.imports = {"import numpy as np"}
        self.helpers: dict[Any, str] = {}  # source by what it was copied from
        # Functions inside the main one, whose keywords they may use: name and source by graph.
        self.inner: dict[Graph, tuple[str, str]] = {}

    def function(self, graph: Graph, kind: str) -> str:
        """The name of an inner function that computes a closed graph; it returns a tuple."""
        if graph not in self.inner:
            # Written first: it may have inner functions itself, which then come before it.
            source = _Function(self, _prepared(graph), kind).source(main=False)
            name = f"{kind}_{sum(kind in known for known, _ in self.inner.values())}"
            self.inner[graph] = name, source.replace(kind, name, 1)
        return self.inner[graph][0]

    def helper(self, function: Any) -> str:
        """The name of a function of ours that uses NumPy alone, copied with all it calls."""
        name = function.__name__
        if function not in self.helpers:
            tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
            for node in ast.walk(tree):
                if isinstance(node, ast.Name):
                    used = function.__globals__.get(node.id)
                    if isinstance(used, types.FunctionType) and used is not function:
                        self.helper(used)
                    elif isinstance(used, (int, float, tuple)):
                        self.text(node.id, f"{node.id} = {used!r}")
                elif isinstance(node, ast.arg):
                    node.annotation = None
                elif isinstance(node, ast.FunctionDef):
                    node.returns = None
            self.helpers[function] = ast.unparse(tree)
        return name

    def text(self, name: str, source: str, needs: str = "") -> str:
        """The name of a function given as source."""
        self.helpers[name] = source.strip()
        if needs:
            self.imports.add(needs)
        return name

    def constant(self, value: Any, kind: str) -> Text:
        """The keyword by which the main function takes a value."""
        for name, held in self.constants.items():
            if held is value:
                return atom(name)
        count = sum(name.startswith(f"{kind}_") for name in self.constants)
        self.constants[f"{kind}_{count}"] = value
        return atom(f"{kind}_{count}")


class _Function:
    """One function of the source: its lines, and the expressions not yet written."""

    def __init__(self, module: _Module, graph: Graph, name: str) -> None:
        self.module = module
        self.graph = graph
        self.name = name
        self.lines: list[str] = []
        self.fresh = _names()
        self.named: dict[Any, Text] = {}
        self.pending: dict[Any, Text] = {}
        self.narrow: dict[Any, tuple[Text, tuple]] = {}  # broadcasts not written, and shapes
        self.uses: dict[Any, int] = {}

    def source(self, main: bool) -> str:
        """The text; the main function takes the constants and returns a single result bare."""
        graph = self.graph
        for equation in graph.equations:
            for x in equation.inputs:
                self.uses[x] = self.uses.get(x, 0) + 1
        for var in graph.inputs:
            self.line(f"# {self.target(var)}: {var.aval}")
        for var, value in zip(graph.constants, graph.constant_values, strict=True):
            written = self.written_out(value)
            if written is None:
                self.named[var] = self.module.constant(value, "constant")
                self.line(f"# {self.named[var]}: {var.aval}")
            else:
                self.assign(var, written)
        for equation in graph.equations:
            self.write(equation)
        results = [str(self.read(x)) for x in graph.outputs]
        self.line(f"return {results[0] if main and len(results) == 1 else listed(results)}")
        arguments = [str(self.named[var]) for var in graph.inputs]
        lines = self.lines
        if main:
            if self.module.constants:
                arguments += ["*", *self.module.constants]
            inner = [source for _, source in self.module.inner.values()]
            lines = [line for source in inner for line in (*source.split("\n"), "")] + lines
        body = textwrap.indent("\n".join(lines), "    ")
        return f"def {self.name}({', '.join(arguments)}):\n{body}"

    def written_out(self, value: Any) -> Text | None:
        """A captured value as an expression, if it is short."""
        if isinstance(value, Tracer) or not isinstance(value, (np.ndarray, np.generic)):
            return None
        value = np.asarray(value)
        if not value.ndim:
            return literal(value[()])
        if not value.size:
            return call("np.zeros", *filled(aval_of(value)))
        if not any(value.strides):
            return call("np.broadcast_to", literal(value[(0,) * value.ndim]), value.shape)
        if value.size > INLINE_SIZE or value.dtype.kind not in "biufc":
            return None
        if not np.all(np.isfinite(value)):
            return None
        listing = value.tolist()
        own = np.array(listing).dtype == value.dtype
        return call("np.array", listing, *([] if own else [dtype_name(value.dtype)]))

    # --- names and lines

    def target(self, var: Var) -> str:
        """A new name for a variable."""
        self.named[var] = atom(next(self.fresh))
        return str(self.named[var])

    def read(self, x: Var | Literal) -> Text:
        """An operand as an expression."""
        if isinstance(x, Literal):
            return literal(x.value)
        return self.pending[x] if x in self.pending else self.named[x]

    def name_of(self, x: Var | Literal) -> Text:
        """An operand as a name (or number): written on a line of its own if it was pending."""
        if x in self.pending:
            self.narrow.pop(x, None)
            self.assign(x, self.pending.pop(x))  # type: ignore[arg-type]
        return self.read(x)

    def assign(self, var: Var, value: Text) -> None:
        self.lines.append(f"{self.target(var)} = {value}  # {var.aval}")

    def line(self, text: str, depth: int = 0) -> None:
        self.lines.append("    " * depth + text)

    def write(self, equation: Equation) -> None:
        """Write an equation, or keep its expression for the one that uses it."""
        name = equation.primitive.name
        if equation.primitive.effect:
            raise TypeError(
                "code: expected a program of arrays alone; got one that calls debug.callback or "
                "debug.print; take these out of the function."
            )
        statement = STATEMENTS.get(name)
        if statement is not None:
            statement(self, equation, *map(self.name_of, equation.inputs))
            return
        made = self.expression(equation)
        waiting = [x for x in equation.inputs if x in self.pending]
        # What makes the line too long gets a line of its own, the longest first.
        for x in sorted(waiting, key=lambda x: -len(str(self.pending[x]))):
            if len(str(made)) <= WIDTH:
                break
            self.name_of(x)
            made = self.expression(equation)
        source = [self.read(x) for x in equation.inputs]
        for x in waiting:
            self.pending.pop(x, None)
            self.narrow.pop(x, None)
        outputs = equation.outputs
        once = self.uses.get(outputs[0], 0) == 1 and outputs[0] not in self.graph.outputs
        if once and (isinstance(equation.primitive, Elementwise) or name in VIEWS):
            self.pending[outputs[0]] = made
            if name == "broadcast_to":
                (x,) = equation.inputs
                self.narrow[outputs[0]] = source[0], aval_of_value(x).shape
        elif not equation.primitive.multiple_results:
            self.assign(outputs[0], made)
        else:
            shown = ", ".join(str(v.aval) for v in outputs)
            self.line(f"{listed(map(self.target, outputs))} = {made}  # {shown}")

    def expression(self, equation: Equation) -> Text:
        """The right-hand side."""
        primitive, params = equation.primitive, equation.params
        if isinstance(primitive, Elementwise):
            return self.elementwise(equation)
        args = [self.read(x) for x in equation.inputs]
        form = FORMS.get(primitive.name)
        if form is not None:
            return form(self, equation, *args, **params)
        if primitive.carries_function:
            raise TypeError(
                f"numpy_code: the operation {primitive.name} has no NumPy form; simplify or "
                "inline the graph first."
            )
        # No function of NumPy's: the kernel itself is passed in, as captured arrays are.
        given = [f"{name}={self.parameter(value, name)}" for name, value in params.items()]
        return call(str(self.module.constant(primitive.kernel, primitive.name)), *args, *given)

    def parameter(self, value: Any, name: str) -> str:
        """A parameter of a kernel as text, or passed in where it has none."""
        if isinstance(value, np.dtype):
            return dtype_name(value)
        plain = isinstance(value, (bool, int, float, complex, str, tuple, type(None)))
        return repr(value) if plain else str(self.module.constant(value, name))

    def elementwise(self, equation: Equation) -> Text:
        name = equation.primitive.name
        # NumPy broadcasts by itself.
        shapes = [
            self.narrow[x][1] if x in self.narrow else aval_of_value(x).shape
            for x in equation.inputs
        ]
        narrow = np.broadcast_shapes(*shapes) == equation.outputs[0].aval.shape
        dtypes = {x.aval.dtype for x in equation.inputs if isinstance(x, Var)}
        own = name in INFIX or name in PREFIX or name in RENAMED
        special = not own and not isinstance(getattr(np, name, None), np.ufunc)
        # A Python number takes the dtype of the arrays; some of SciPy's functions forget that.
        args = [
            weak(x.value)
            if isinstance(x, Literal) and not special and aval_of(x.value).dtype in dtypes
            else self.narrow[x][0]
            if narrow and x in self.narrow
            else self.read(x)
            for x in equation.inputs
        ]
        if name in INFIX:
            symbol, rank = INFIX[name]
            x, y = args
            # Comparisons would chain.
            left = x.at_least(rank + (rank == 7))
            return Text(f"{left} {symbol} {y.at_least(rank + 1)}", rank)
        if name in PREFIX:
            return Text(PREFIX[name] + args[0].at_least(UNARY + 1), UNARY)
        if not special:
            return call(RENAMED.get(name, f"np.{name}"), *args)
        return self.special(equation, args)

    def special(self, equation: Equation, args: Sequence[Text]) -> Text:
        """A function of scipy.special, in the dtype that ours gives."""
        from scipy import special

        name, wanted = equation.primitive.name, equation.outputs[0].aval.dtype
        ufunc = getattr(special, name, None)
        mixed = wanted.kind == "c" and len(args) > 1  # real parameters were made complex
        if ufunc is None or mixed or getattr(equation.primitive, "own_kernel", False):
            return call(str(self.module.constant(equation.primitive.kernel, name)), *args)
        self.module.imports.add("from scipy import special")
        made = call(f"special.{name}", *args)
        if isinstance(ufunc, np.ufunc):
            dtypes = [aval_of_value(x).dtype for x in equation.inputs]
            given = ufunc.resolve_dtypes((*dtypes, *(None,) * ufunc.nout))[-1]
        else:
            given = np.dtype(float)
        return made if given == wanted else method(made, "astype", dtype_name(wanted))


def _names() -> Iterator[str]:
    """a, b, ..., z, aa, ab, ...: the names that a printed graph uses, but for Python's."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    names = list(letters)
    while True:
        yield from (name for name in names if name not in TAKEN)
        names = [name + letter for name in names for letter in letters]


TAKEN = {
    "l",  # looks like 1
    "np", "step", "carry", "kept", "made", "cts", "special", "reversed", "range", "zip", "tuple",
    *keyword.kwlist,
}  # fmt: skip


def listed(names: Any) -> str:
    """Names as a tuple."""
    names = list(map(str, names))
    return f"({names[0]},)" if len(names) == 1 else ", ".join(names) or "()"


def dtype_name(dtype: Any) -> str:
    """A dtype as an expression."""
    dtype = np.dtype(dtype)
    if not dtype.isnative or dtype.kind not in "biufc":
        return f"np.dtype({dtype.str!r})"
    return "bool" if dtype.kind == "b" else f"np.{dtype.name}"


def filled(aval: ShapedArray) -> list[Any]:
    """Arguments of ``np.zeros``."""
    return [aval.shape] if aval.dtype == float else [aval.shape, dtype_name(aval.dtype)]


def weak(value: Any) -> Text:
    """A number as Python writes it."""
    short = None
    if isinstance(value, np.generic):
        if value.dtype in (np.float32, np.float16) and value.dtype.type(float(str(value))) == value:
            short = str(value)
        value = value.item()
    if isinstance(value, complex):
        if np.isfinite(value) and value.real >= 0 and not np.signbit(value.real):
            return atom(repr(value))
        return call("complex", weak(value.real), weak(value.imag))
    if isinstance(value, float) and not np.isfinite(value):
        shown = "np.nan" if np.isnan(value) else "np.inf" if value > 0 else "-np.inf"
    elif isinstance(value, (int, float)):
        shown = repr(value) if short is None else short
    else:  # a long double has no Python number
        return call(dtype_name(value.dtype), repr(str(value)))
    return Text(shown, UNARY if shown.startswith("-") else ATOM)


def literal(value: Any) -> Text:
    """A number with its dtype."""
    if not isinstance(value, np.generic):
        return weak(value)
    if value.dtype.kind not in "biufc" or isinstance(value.item(), np.generic):
        return call(dtype_name(value.dtype), repr(str(value)))
    if value.dtype == bool:
        return atom(f"np.{value!s}_")
    return call(dtype_name(value.dtype), weak(value))


def index_text(index: Any) -> str:
    """A basic index."""
    if isinstance(index, tuple):
        return ", ".join(map(index_text, index)) or "()"
    if isinstance(index, slice):
        start, stop = ("" if i is None else str(i) for i in (index.start, index.stop))
        return f"{start}:{stop}" + ("" if index.step is None else f":{index.step}")
    return "..." if index is Ellipsis else str(index)


def axis_text(axes: Sequence[int]) -> str:
    """Axes of a reduction."""
    return f"axis={axes[0] if len(axes) == 1 else tuple(axes)}"


# --------------------------------------------------------------------------------------
# Forms: ``(function, equation, *operands, **params) -> expression``

FORMS: dict[str, Callable[..., Text]] = {}


def _form(*names: str) -> Callable[[Callable[..., Text]], Callable[..., Text]]:
    def register(form: Callable[..., Text]) -> Callable[..., Text]:
        FORMS.update(dict.fromkeys(names, form))
        return form

    return register


def _simple(name: str, function: str) -> None:
    FORMS[name] = lambda f, e, *xs: call(function, *xs)


for _name, _function in {
    "complex_absolute": "np.abs",
    "conjugate": "np.conj",
    "determinant": "np.linalg.det",
    "imag": "np.imag",
    "inverse": "np.linalg.inv",
    "real": "np.real",
    "slogdet": "np.linalg.slogdet",
    "solve": "np.linalg.solve",
}.items():
    _simple(_name, _function)

FORMS["reshape"] = lambda f, e, x, shape: method(x, "reshape", shape)
FORMS["broadcast_to"] = lambda f, e, x, shape: call("np.broadcast_to", x, shape)
FORMS["slice_at"] = lambda f, e, x, index: atom(f"{x.at_least(ATOM)}[{index_text(index)}]")
FORMS["gather"] = lambda f, e, x, *index: atom(f"{x.at_least(ATOM)}[{_positions(index)}]")
FORMS["concatenate"] = lambda f, e, *xs, axis: call("np.concatenate", f"({_tuple(xs)})",
                                                       f"axis={axis}")  # fmt: skip
FORMS["copy"] = FORMS["stop_gradient"] = FORMS["recompute"] = lambda f, e, x: method(x, "copy")
FORMS["checkpoint_name"] = lambda f, e, x, name: method(x, "copy")
FORMS["lexsort"] = lambda f, e, *keys, axis: call("np.lexsort", f"({_tuple(keys)})",
                                                     f"axis={axis}")  # fmt: skip
FORMS["argsort"] = lambda f, e, x, axis, kind: call(
    "np.argsort", x, f"axis={axis}", *([] if kind is None else [f"kind={kind!r}"])
)
FORMS["argpartition"] = lambda f, e, x, kth, axis: call("np.argpartition", x, kth, f"axis={axis}")
FORMS["cholesky"] = lambda f, e, a, upper: call(
    "np.linalg.cholesky", a, *(["upper=True"] if upper else [])
)
FORMS["qr"] = lambda f, e, a, complete: call(
    "np.linalg.qr", a, *(["mode='complete'"] if complete else [])
)
FORMS["svd"] = lambda f, e, a, full_matrices: call(
    "np.linalg.svd", a, f"full_matrices={full_matrices}"
)
FORMS["svdvals"] = lambda f, e, a: call("np.linalg.svd", a, "compute_uv=False")
FORMS["eigh"] = lambda f, e, a, uplo: call("np.linalg.eigh", a, repr(uplo))
FORMS["eigvalsh"] = lambda f, e, a, uplo: call("np.linalg.eigvalsh", a, repr(uplo))
FORMS["pseudo_inverse"] = lambda f, e, a, rcond, hermitian: call(
    "np.linalg.pinv", a, rcond, *(["hermitian=True"] if hermitian else [])
)


def _tuple(xs: Sequence[Text]) -> str:
    return ", ".join(map(str, xs)) + ("," if len(xs) == 1 else "")


def _positions(index: Sequence[Text]) -> str:
    return ", ".join(map(str, index)) or "()"


@_form("transpose")
def _transpose(f: _Function, e: Equation, x: Text, axes: tuple) -> Text:
    if len(axes) > 1 and axes == tuple(range(len(axes)))[::-1]:
        return atom(f"{x.at_least(ATOM)}.T")
    return method(x, "transpose", axes)


@_form("convert", "discretize")
def _convert(f: _Function, e: Equation, x: Text, dtype: Any) -> Text:
    (source,) = e.inputs
    if aval_of_value(source).dtype.kind == "c" and np.dtype(dtype).kind not in "cb":
        x = atom(f"{x.at_least(ATOM)}.real")  # NumPy would warn
    return method(x, "astype", dtype_name(dtype))


def _reduction(name: str, function: str) -> None:
    def form(f: _Function, e: Equation, x: Text, axes: tuple) -> Text:
        return call(function, x, axis_text(axes))

    FORMS[name] = form


for _name in ("sum", "max", "min", "any", "all"):
    _reduction(f"reduce_{_name}", f"np.{_name}")
_reduction("reduce_product", "np.prod")


@_form("argmax")
def _argmax(f: _Function, e: Equation, x: Text, axis: int) -> Text:
    return call("np.argmax", x, f"axis={axis}")


@_form("argmin")
def _argmin(f: _Function, e: Equation, x: Text, axis: int) -> Text:
    return call("np.argmin", x, f"axis={axis}")


def _running(name: str, function: str) -> None:
    def form(f: _Function, e: Equation, x: Text, axis: int, reverse: bool) -> Text:
        if not reverse:
            return call(function, x, f"axis={axis}")
        return call("np.flip", call(function, call("np.flip", x, axis), f"axis={axis}"), axis)

    FORMS[name] = form


_running("cumulative_sum", "np.cumsum")
_running("cumulative_product", "np.cumprod")

RECURRENCE = '''
def recurrence(a, b, axis, reverse):
    """y[k] = a[k] y[k - 1] + b[k] along an axis, from its end if reverse."""
    a, b = np.moveaxis(a, axis, 0), np.moveaxis(b, axis, 0)
    y = np.empty(b.shape, np.result_type(a, b))
    last = None
    for k in reversed(range(len(b))) if reverse else range(len(b)):
        y[k] = b[k] if last is None else a[k] * y[last] + b[k]
        last = k
    return np.moveaxis(y, 0, axis)
'''


@_form("recurrence")
def _recurrence(f: _Function, e: Equation, a: Text, b: Text, axis: int, reverse: bool) -> Text:
    return call(f.module.text("recurrence", RECURRENCE), a, b, axis, reverse)


def _running_position(name: str, ufunc: str) -> None:
    def form(f: _Function, e: Equation, x: Text, axis: int) -> Text:
        helper = f.module.helper(reduction._running_argument)
        return call(f"{helper}({ufunc})", x, axis)

    FORMS[name] = form


_running_position("running_argmax", "np.maximum")
_running_position("running_argmin", "np.minimum")


@_form("searchsorted")
def _searchsorted(f: _Function, e: Equation, a: Text, v: Text, side: str) -> Text:
    return call(f.module.helper(sorting._search), a, v, repr(side))


@_form("convolve")
def _convolve(f: _Function, e: Equation, x: Text, y: Text) -> Text:
    if e.outputs[0].aval.ndim == 1:
        return call("np.convolve", x, y)
    return call(f.module.helper(fft._convolve), x, y)


def _copied_sampler(name: str, kernel: Callable) -> None:
    """A kernel of NumPy's and SciPy's functions, which takes its parameters by keyword."""

    def form(f: _Function, e: Equation, *operands: Text, **params: Any) -> Text:
        f.module.imports.add("import math")
        given = [
            f"{k}={dtype_name(v) if isinstance(v, np.dtype) else repr(v)}"
            for k, v in params.items()
        ]
        return call(f.module.helper(kernel), *operands, *given)

    FORMS[name] = form


_copied_sampler("random_bits", threefry.random_bits)
_copied_sampler("random_uniform", threefry.random_uniform)
_copied_sampler("random_split", threefry.split)
_copied_sampler("random_fold", threefry.fold)
_copied_sampler("random_poisson", samplers.poisson)
_copied_sampler("random_binomial", samplers.binomial)
_copied_sampler("random_hypergeometric", samplers.hypergeometric)
_copied_sampler("random_gamma", samplers.gamma)
_copied_sampler("random_von_mises", samplers.von_mises)
_copied_sampler("wald_root", samplers.wald_root)
_copied_sampler("gamma_slope", implicit.gamma_slope)
_copied_sampler("von_mises_mean", implicit.von_mises_mean)
_copied_sampler("von_mises_slope", implicit.von_mises_slope)


def _transform(name: str) -> None:
    def form(f: _Function, e: Equation, x: Text, n: int, axis: int, norm: Any) -> Text:
        rest = [] if norm is None else [f"norm={norm!r}"]
        return call(f"np.fft.{name}", x, f"n={n}", f"axis={axis}", *rest)

    FORMS[name] = form


for _name in ("fft", "ifft", "rfft", "irfft"):
    _transform(_name)


@_form("contract")
def _contract(f: _Function, e: Equation, a: Text, b: Text, subscripts: tuple) -> Text:
    x, y, out = subscripts
    batch = "".join(c for c in x if c in y and c in out)
    summed = [c for c in x if c in y and c not in out]
    rows = "".join(c for c in x if c not in y)
    columns = "".join(c for c in y if c not in x)
    if not summed and {x, y} <= {out, ""}:
        return Text(f"{a.at_least(13)} * {b.at_least(UNARY)}", 13)
    flat = len(summed) == 1 and len(rows) <= 1 and len(columns) <= 1
    if flat and not batch:
        (k,) = summed
        left = _turned(a, x, rows + k)
        right = _turned(b, y, k + columns)
        product = f"{left.at_least(13)} @ {right.at_least(UNARY)}"
        return Text(product, 13) if out == rows + columns else atom(f"({product}).T")
    natural = rows and columns and (x, y, out) == (
        batch + rows + "".join(summed), batch + "".join(summed) + columns, batch + rows + columns
    )  # fmt: skip
    if flat and natural:
        return Text(f"{a.at_least(13)} @ {b.at_least(UNARY)}", 13)
    return call("np.einsum", repr(f"{x},{y}->{out}"), a, b, *(["optimize=True"] if summed else []))


def _turned(x: Text, labels: str, wanted: str) -> Text:
    return x if labels == wanted else atom(f"{x.at_least(ATOM)}.T")


TRIANGULAR = '''
def triangular_solve(a, b, lower, unit_diagonal, transpose):
    """Solutions of stacks of triangular systems."""
    out = np.empty(b.shape, np.result_type(a, b))
    for i in np.ndindex(b.shape[:-2]) if out.size else ():
        out[i] = solve_triangular(
            a[i], b[i], trans=int(transpose), lower=lower, unit_diagonal=unit_diagonal,
            check_finite=False,
        )
    return out
'''


@_form("triangular_solve")
def _triangular_solve(f: _Function, e: Equation, a: Text, b: Text, **params: bool) -> Text:
    needs = "from scipy.linalg import solve_triangular"
    helper = f.module.text("triangular_solve", TRIANGULAR, needs)
    return call(helper, a, b, *(f"{k}={v}" for k, v in params.items()))


def _copied(name: str, *functions: Any) -> None:
    """A kernel that is one of our functions, applied to the operands and further functions."""

    def form(f: _Function, e: Equation, *xs: Text, **params: Any) -> Text:
        first, *more = map(f.module.helper, functions)
        return call(first, *xs[:1], *more, *xs[1:], *(f"{k}={v}" for k, v in params.items()))

    FORMS[name] = form


_copied("eig", linalg._eig_kernel)
_copied("least_squares", linalg._least_squares)
_copied("cofactor", linalg._by_regularity, linalg._regular_cofactor, linalg._singular_cofactor)
_copied(
    "cofactor_derivative",
    linalg._by_regularity,
    linalg._regular_cofactor_derivative,
    linalg._singular_cofactor_derivative,
)


@_form("black_box", "opaque_black_box")
def _black_box(f: _Function, e: Equation, /, *xs: Text, **params: Any) -> Text:
    return call(str(f.module.constant(params["f"], "function")), *xs)


# --------------------------------------------------------------------------------------
# Statements: ``(function, equation, *operands)`` writes lines

STATEMENTS: dict[str, Callable[..., None]] = {}


def _statement(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    def register(statement: Callable[..., None]) -> Callable[..., None]:
        STATEMENTS.update(dict.fromkeys(names, statement))
        return statement

    return register


@_statement("unslice")
def _unslice(f: _Function, equation: Equation, x: Text) -> None:
    (out,) = equation.outputs
    f.assign(out, call("np.zeros", *filled(out.aval)))
    f.line(f"{f.named[out]}[{index_text(equation.params['index'])}] = {x}")


@_statement("update_slice")
def _update_slice(f: _Function, equation: Equation, x: Text, value: Text) -> None:
    (out,) = equation.outputs
    f.assign(out, call("np.array", x))
    f.line(f"{f.named[out]}[{index_text(equation.params['index'])}] = {value}")


@_statement("scatter_add")
def _scatter_add(f: _Function, equation: Equation, values: Text, *index: Text) -> None:
    (out,) = equation.outputs
    f.assign(out, call("np.zeros", *filled(out.aval)))
    f.line(f"np.add.at({f.named[out]}, ({_tuple(index)}), {values})")


@_statement("update_at")
@_statement("scatter_set")
def _scatter_set(f: _Function, equation: Equation, x: Text, values: Text, *index: Text) -> None:
    (out,) = equation.outputs
    f.assign(out, call("np.array", x))
    f.line(f"{f.named[out]}[{_positions(index)}] = {values}")


def _split(names: Sequence[Any], *sizes: int) -> list[list[Any]]:
    groups, start = [], 0
    for size in sizes:
        groups.append(list(names[start : start + size]))
        start += size
    return [*groups, list(names[start:])]


def _steps(params: dict) -> str:
    steps = f"range({params['length']})"
    return f"reversed({steps})" if params["reverse"] else steps


def _rows(names: Sequence[Any]) -> list[str]:
    return [f"{name}[step]" for name in names]


@_statement("scan")
def _scan(f: _Function, equation: Equation, *operands: Text) -> None:
    params = equation.params
    constants, init, xs = _split(operands, params["n_consts"], params["n_carry"])
    carry, stacks = _split(equation.outputs, len(init))
    for out, x in zip(carry, init, strict=True):
        f.assign(out, x)
    for out in stacks:
        f.assign(out, call("np.empty", *filled(out.aval)))
    names = [f.named[out] for out in carry]
    rows = _rows([f.named[out] for out in stacks])
    made = call(f.module.function(params["graph"], "body"), *constants, *names, *_rows(xs))
    f.line(f"for step in {_steps(params)}:")
    f.line(f"{listed([*names, *rows])} = {made}", 1)


@_statement("while_loop")
def _while_loop(f: _Function, equation: Equation, *operands: Text) -> None:
    params = equation.params
    of_condition, of_body, init = _split(operands, params["n_cond_consts"], params["n_body_consts"])
    for out, x in zip(equation.outputs, init, strict=True):
        f.assign(out, x)
    names = [f.named[out] for out in equation.outputs]
    condition = call(f.module.function(params["cond"], "condition"), *of_condition, *names)
    f.line(f"while {condition}[0]:")
    made = call(f.module.function(params["body"], "body"), *of_body, *names)
    f.line(f"{listed(names)} = {made}", 1)


@_statement("switch")
def _switch(f: _Function, equation: Equation, index: Text, *operands: Text) -> None:
    graphs = equation.params["graphs"]
    targets = listed(map(f.target, equation.outputs))
    for k, graph in enumerate(graphs):
        last = k == len(graphs) - 1
        f.line("else:" if last and k else f"{'elif' if k else 'if'} {index} == {k}:")
        f.line(f"{targets} = {call(f.module.function(graph, 'branch'), *operands)}", 1)


@_statement("scan_vjp", "while_vjp")
def _loop_vjp(f: _Function, equation: Equation, *operands: Text) -> None:
    from ..control_flow.loop_primitives import body_vjp

    primitive: Any = equation.primitive
    loop = primitive.loop
    wanted = equation.params["wanted"]
    params = {k: v for k, v in equation.params.items() if k != "wanted"}
    sizes = loop.sizes(params)
    of_condition, constants, init, xs, cts = _split(operands, *sizes)
    _, want_constants, want_init, *_ = _split(wanted, *sizes)
    (graph, hoisted), active, _ = body_vjp(loop, params, wanted)
    first = [f.module.constant(x, "constant") for x in hoisted]

    floats = loop.float_results(params)[: len(init)]
    given = iter(cts)
    carry_cts = [next(given) if flag else None for flag in floats]
    stacked_cts = list(given)

    # Forwards, keeping the carries.
    body = f.module.function(loop.body(params), "body")
    f.line(f"carry, kept = ({_tuple(init)}), []")
    if sizes[3] or "length" in params:
        f.line(f"for step in {_steps(params)}:")
    else:
        condition = f.module.function(params["cond"], "condition")
        f.line(f"while {call(condition, *of_condition, '*carry')}[0]:")
    f.line("kept.append(carry)", 1)
    f.line(f"carry = {call(body, *constants, '*carry', *_rows(xs))}[:{len(init)}]", 1)

    # Backwards through the transposed body.
    totals, init_outs, rows = _split(equation.outputs, sum(want_constants), sum(want_init))
    for out in (*totals, *rows):
        f.assign(out, call("np.zeros", *filled(out.aval)))
    active_cts = [ct for ct, flag in zip(carry_cts, active, strict=True) if flag and ct is not None]
    f.line(f"cts = ({_tuple(active_cts)})")
    made = [*first, *constants, "*carry", *_rows(xs), "*cts", *_rows(stacked_cts)]
    if "length" in params:
        backwards = {**params, "reverse": not params["reverse"]}
        f.line(f"for step, carry in zip({_steps(backwards)}, reversed(kept)):")
    else:
        f.line("for carry in reversed(kept):")
    f.line(f"made = {call(f.module.function(graph, 'transposed_body'), *made)}", 1)
    for k, out in enumerate(totals):
        f.line(f"{f.named[out]} = {f.named[out]} + made[{k}]", 1)
    start = len(totals)
    f.line(f"cts = made[{start}:{start + len(active_cts)}]", 1)
    for k, out in enumerate(rows):
        f.line(f"{f.named[out]}[step] = made[{start + len(active_cts) + k}]", 1)
    positions = [sum(active[:i]) for i, want in enumerate(want_init) if want]
    for out, k in zip(init_outs, positions, strict=True):
        f.assign(out, atom(f"cts[{k}]"))
