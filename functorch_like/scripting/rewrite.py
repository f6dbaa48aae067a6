"""A function's own source with its control flow as calls.

``if``, ``while``, ``for``, ``and``, ``or``, ``not``, chained comparisons, conditional expressions
and calls become calls of ``operators``, which decide when they run: known values take Python's
way, traced ones become conditionals and loops. Lines and file names are kept, so tracebacks and the
debugger show the user's source.

* An ``if`` becomes two functions of the names that it assigns or changes, which return what is
  read later. Where a branch ends early (return, break, continue), what follows the ``if`` moves
  into both functions, so that each path of the program returns on its own.
* The body of a loop becomes a function from the values of the names it carries to the next
  ones. ``continue`` returns them early; ``break`` sets a flag which is carried too; ``return`` in a
  loop carries the result out.
"""

from __future__ import annotations

import ast
import copy
import functools
import linecache
import types
from collections.abc import Sequence
from typing import Any, NoReturn

from ..errors import ScriptError
from . import analysis

__all__ = ["Rewritten", "rewrite"]

OPERATORS = "__script__"


class Rewritten:
    """What became of one code object."""

    def __init__(self, code: types.CodeType, tree: ast.FunctionDef) -> None:
        self.code = code
        self.tree = tree

    @property
    def source(self) -> str:
        """The new source."""
        return ast.unparse(self.tree)

    def function(self, original: types.FunctionType, operators: object) -> types.FunctionType:
        """The function over the original's globals, defaults and closure."""
        cells = dict(zip(original.__code__.co_freevars, original.__closure__ or (), strict=True))
        cells[OPERATORS] = types.CellType(operators)
        closure = tuple(cells[name] for name in self.code.co_freevars)
        made = types.FunctionType(
            self.code, original.__globals__, original.__name__, original.__defaults__, closure
        )
        made.__kwdefaults__ = original.__kwdefaults__
        functools.update_wrapper(made, original)
        del vars(made)["__wrapped__"]
        return made


@functools.lru_cache(maxsize=1024)
def rewrite(code: types.CodeType, qualified_name: str) -> Rewritten:
    """Rewrite the function that was compiled to ``code``."""
    definition = _definition(code)
    rewriter = _Rewriter(code.co_filename, definition)
    body = rewriter.function_body(definition)
    made = ast.FunctionDef(
        name="function" if definition.name == "<lambda>" else definition.name,
        args=_plain_arguments(definition.args),
        body=body,
        decorator_list=[],
        lineno=definition.lineno,
        col_offset=definition.col_offset,
    )
    owner = qualified_name.rpartition(".")[0].rpartition(".")[2]
    if owner and owner != "<locals>":
        made = _Mangler(owner).visit(made)
    factory = ast.FunctionDef(
        name="factory",
        args=_arguments([OPERATORS, *code.co_freevars]),
        body=[made, ast.Return(ast.Name(made.name, ast.Load()))],
        decorator_list=[],
        lineno=definition.lineno,
        col_offset=0,
    )
    module = ast.Module([factory], [])
    _locate(module, definition.lineno)
    try:
        compiled = compile(module, code.co_filename, "exec")
    except (SyntaxError, ValueError) as error:  # pragma: no cover - a construct we overlooked
        raise ScriptError(f"script({code.co_name}): cannot be rewritten: {error}") from error
    outer = next(c for c in compiled.co_consts if isinstance(c, types.CodeType))
    inner = next(c for c in outer.co_consts if isinstance(c, types.CodeType))
    return Rewritten(inner.replace(co_name=code.co_name, co_qualname=code.co_qualname), made)


# --- finding the source --------------------------------------------------------------------


@functools.lru_cache(maxsize=64)
def _parsed(text: str) -> list[ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda]:
    wanted = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
    return [n for n in ast.walk(ast.parse(text)) if isinstance(n, wanted)]


def _definition(code: types.CodeType) -> ast.FunctionDef:
    """The definition a code object was compiled from."""
    name, filename, line = code.co_name, code.co_filename, code.co_firstlineno
    linecache.checkcache(filename)
    text = "".join(linecache.getlines(filename))
    try:
        candidates = _parsed(text) if text else []
    except SyntaxError:
        candidates = []
    for node in candidates:
        if isinstance(node, ast.Lambda):
            if name == "<lambda>" and node.lineno == line and _is_lambda_of(node, code):
                made = ast.FunctionDef("<lambda>", node.args, [_return(node.body)], [])
                return ast.copy_location(made, node)
            continue
        first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
        if node.name == name and line in (first, node.lineno):
            if isinstance(node, ast.AsyncFunctionDef):
                break
            return node
    if text and candidates and any(getattr(n, "name", None) == name for n in candidates):
        reason = "it is no plain function, or its file has changed since it was loaded"
    else:
        reason = "its source cannot be read; define it in a file or a notebook cell"
    raise ScriptError(f"script({name}): {reason} ({filename}:{line}).")


def _is_lambda_of(node: ast.Lambda, code: types.CodeType) -> bool:
    start = (node.body.lineno, node.body.col_offset)
    places = {(a, c) for a, _, c, _ in code.co_positions() if a is not None and c is not None}
    names = [a.arg for a in (*node.args.posonlyargs, *node.args.args)]
    return names == list(code.co_varnames[: len(names)]) and (
        start in places or all(p >= start for p in places if p[1] and p[0] >= node.lineno)
    )


def _locate(node: Any, line: int) -> None:
    """Give nodes of ours the line of what they stand in."""
    if "lineno" in node._attributes:
        line = getattr(node, "lineno", line)
        whole = getattr(node, "end_lineno", None) is not None and node.end_lineno >= line
        node.lineno, node.col_offset = line, getattr(node, "col_offset", 0)
        if not whole:
            node.end_lineno, node.end_col_offset = line, node.col_offset
    for child in ast.iter_child_nodes(node):
        _locate(child, line)


# --- small pieces of syntax ------------------------------------------------------------------


def _return(value: ast.expr) -> ast.Return:
    return ast.copy_location(ast.Return(value), value)


def _name(name: str) -> ast.Name:
    return ast.Name(name, ast.Load())


def _store(name: str) -> ast.Name:
    return ast.Name(name, ast.Store())


def _arguments(names: Sequence[str]) -> ast.arguments:
    return ast.arguments([], [ast.arg(n) for n in names], None, [], [], None, [])


def _plain_arguments(arguments: ast.arguments) -> ast.arguments:
    """The same parameters without defaults and annotations, which the function keeps."""
    made = copy.deepcopy(arguments)
    for a in (*made.posonlyargs, *made.args, *made.kwonlyargs, made.vararg, made.kwarg):
        if a is not None:
            a.annotation = None
    none = ast.Constant(None)
    made.defaults = [none for _ in made.defaults]
    made.kw_defaults = [None if d is None else none for d in made.kw_defaults]
    return made


def _parameters(arguments: ast.arguments) -> set[str]:
    every = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    return {a.arg for a in (*every, arguments.vararg, arguments.kwarg) if a is not None}


def _lambda(body: ast.expr) -> ast.Lambda:
    return ast.Lambda(_arguments([]), body)


def _call(operator: str, *operands: ast.expr) -> ast.Call:
    return ast.Call(ast.Attribute(_name(OPERATORS), operator, ast.Load()), list(operands), [])


def _tuple(items: Sequence[ast.expr]) -> ast.Tuple:
    return ast.Tuple(list(items), ast.Load())


def _strings(names: Sequence[str]) -> ast.Tuple:
    return _tuple([ast.Constant(n) for n in names])


def _set(name: str, value: ast.expr) -> ast.Assign:
    return ast.Assign([_store(name)], value)


class _Mangler(ast.NodeTransformer):
    """Private names of a class, as Python writes them inside of it."""

    def __init__(self, owner: str) -> None:
        self.prefix = "_" + owner.lstrip("_")

    def _mangled(self, name: str) -> str:
        private = name.startswith("__") and not name.endswith("__")
        return self.prefix + name if private else name

    def visit_Name(self, node: ast.Name) -> ast.AST:
        node.id = self._mangled(node.id)
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        self.generic_visit(node)
        node.attr = self._mangled(node.attr)
        return node


# --- expressions -----------------------------------------------------------------------------


class _Expressions(ast.NodeTransformer):
    """Truth and calls inside expressions."""

    def __init__(self, rewriter: _Rewriter) -> None:
        self.rewriter = rewriter

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        first, *rest = node.values
        for later in rest:
            if any(isinstance(n, ast.NamedExpr) for n in ast.walk(later)):
                self.rewriter.refuse(later, "an assignment := in an operand of and/or")
        # An operand that indexes or calls is run only if it is its turn.
        lazy = any(isinstance(n, (ast.Subscript, ast.Call)) for x in rest for n in ast.walk(x))
        values = [self.visit(first), *(_lambda(self.visit(x)) for x in rest)]
        name = "and_" if isinstance(node.op, ast.And) else "or_"
        return ast.copy_location(_call(name, ast.Constant(lazy), *values), node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.op, ast.Not):
            return ast.copy_location(_call("not_", node.operand), node)
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        if len(node.ops) == 1:
            return node
        compared = []
        for op in node.ops:
            body = ast.Compare(_name("a"), [op], [_name("b")])
            compared.append(ast.Lambda(_arguments(["a", "b"]), body))
        later = [_lambda(x) for x in node.comparators]
        made = _call("compare", node.left, _tuple(compared), _tuple(later))
        return ast.copy_location(made, node)

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        self.generic_visit(node)
        made = _call(
            "branch", node.test, _lambda(node.body), _lambda(node.orelse), _tuple([]),
            ast.Constant(None), ast.Constant(node.lineno),
        )  # fmt: skip
        return ast.copy_location(made, node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        special = isinstance(node.func, ast.Name) and node.func.id in ("super", "locals", "globals")
        self.generic_visit(node)
        if not special:
            node.func = ast.copy_location(_call("call", node.func), node.func)
        return node

    def visit_Yield(self, node: ast.AST) -> ast.AST:
        self.rewriter.refuse(node, "yield")

    def visit_YieldFrom(self, node: ast.AST) -> ast.AST:
        return self.visit_Yield(node)

    def visit_Await(self, node: ast.AST) -> ast.AST:
        return self.visit_Yield(node)


# --- statements ------------------------------------------------------------------------------


class _Tail:
    """How the statements of a generated function end: what they return."""

    def __init__(
        self, names: Sequence[str] = (), stopped: str | None = None, result: str | None = None
    ) -> None:
        self.names = list(names)  # the values a loop carries or an if hands on
        self.stopped = stopped  # the flag of break
        self.result = result  # the flag of return in a loop; its value is in result + "_value"

    def fall(self) -> list[ast.stmt]:
        return [ast.Return(_tuple([_name(n) for n in self.names]))]

    def leave(self, s: ast.stmt) -> list[ast.stmt]:
        """What return, break and continue become."""
        made: list[ast.stmt] = []
        if isinstance(s, ast.Return) and self.result is not None:
            value = s.value or ast.Constant(None)
            made = [_set(self.result + "_value", value), _set(self.result, ast.Constant(True))]
        if not isinstance(s, ast.Continue) and self.stopped is not None:
            made.append(_set(self.stopped, ast.Constant(True)))
        return [*made, *self.fall()]


class _FunctionTail(_Tail):
    """The end of the function itself."""

    def fall(self) -> list[ast.stmt]:
        return []

    def leave(self, s: ast.stmt) -> list[ast.stmt]:
        return [s]


class _Rewriter:
    """Rewrites the body of one function."""

    def __init__(self, filename: str, definition: ast.FunctionDef) -> None:
        self.filename = filename
        self.name = definition.name
        self.count = 0
        self.expressions = _Expressions(self)
        # Of the function being rewritten: how often names are read, and what loops around read.
        self.read = analysis.loads(definition.body)
        self.around: list[set[str]] = []
        self.flags: set[str] = set()

    def refuse(self, node: ast.AST, what: str) -> NoReturn:
        """Raise the error about something that cannot be expressed."""
        line = getattr(node, "lineno", 0)
        source = linecache.getline(self.filename, line).strip()
        raise ScriptError(
            f"script({self.name}): {what} cannot be rewritten, at {self.filename}:{line}: {source}"
        )

    def new(self, what: str) -> str:
        self.count += 1
        return f"{what}_{self.count}_"

    def function_body(self, definition: ast.FunctionDef) -> list[ast.stmt]:
        defined = _parameters(definition.args)
        body = self.block(definition.body, _FunctionTail(), defined)
        return body or [ast.Pass()]

    def expression(self, node: ast.expr) -> ast.expr:
        return self.expressions.visit(node)

    def block(
        self, statements: Sequence[ast.stmt], tail: _Tail, defined: set[str]
    ) -> list[ast.stmt]:
        """Statements as a function body; ``defined`` are the names that have a value for sure."""
        made: list[ast.stmt] = []
        rest = list(statements)
        while rest:
            s = rest.pop(0)
            if isinstance(s, (ast.Return, ast.Break, ast.Continue)):
                if isinstance(s, ast.Return) and s.value is not None:
                    s = ast.copy_location(ast.Return(self.expression(s.value)), s)
                return made + [ast.copy_location(x, s) for x in tail.leave(s)]
            if isinstance(s, ast.If):
                if analysis.ends([s]):
                    return made + self.parting(s, rest, tail, defined)
                made += self.choice(s, defined)
            elif isinstance(s, (ast.While, ast.For)):
                before, after = self.loop(s, defined)
                made += before
                rest[:0] = after
            elif isinstance(s, (ast.With, ast.Try)):
                made.append(self.guarded(s, tail, defined))
                if analysis.always_ends([s]):
                    return made
            else:
                made.append(self.plain(s))
            defined |= analysis._exposed([s])[1]
        return made + tail.fall()

    def plain(self, s: ast.stmt) -> ast.stmt:
        """A statement without control flow of its own."""
        if isinstance(s, ast.FunctionDef):
            return self.nested(s)
        if isinstance(s, (ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith)):
            self.refuse(s, "async")
        if isinstance(s, ast.Match):
            if analysis.ends(c for c in s.cases):
                self.refuse(s, "return, break or continue in match")
            s = copy.copy(s)
            s.subject = self.expression(s.subject)
            return s
        if isinstance(s, ast.ClassDef):
            return s
        if isinstance(s, ast.Assert):
            test, message = self.expression(s.test), s.msg
            said = _lambda(self.expression(message)) if message else ast.Constant(None)
            made = ast.Expr(_call("assert_", test, said, ast.Constant(s.lineno)))
            return ast.copy_location(made, s)
        return self.expressions.visit(s)

    def nested(self, s: ast.FunctionDef) -> ast.FunctionDef:
        inner = _Rewriter(self.filename, s)
        inner.count = self.count + 100
        s = copy.copy(s)
        s.body = inner.function_body(s)
        return s

    def guarded(self, s: ast.With | ast.Try, tail: _Tail, defined: set[str]) -> ast.stmt:
        """With and try: their blocks stay where they are."""
        for node in ast.walk(s):
            if isinstance(node, (ast.If, ast.While, ast.For)) and analysis.ends([node]):
                self.refuse(node, "return, break or continue in a branch inside with or try")
        s = copy.copy(s)

        def inside(statements: list[ast.stmt]) -> list[ast.stmt]:
            if not statements:
                return []
            if analysis.ends(statements):
                return self.block(statements, tail, set(defined))
            return self.block(statements, _FunctionTail(), set(defined)) or [ast.Pass()]

        s.body = inside(s.body)
        if isinstance(s, ast.With):
            s.items = [
                ast.withitem(self.expression(i.context_expr), i.optional_vars) for i in s.items
            ]
        else:
            s.orelse, s.finalbody = inside(s.orelse), inside(s.finalbody)
            s.handlers = [
                ast.copy_location(ast.ExceptHandler(h.type, h.name, inside(h.body)), h)
                for h in s.handlers
            ]
        return s

    # --- if ----------------------------------------------------------------------------------

    def value(self, name: str, defined: set[str]) -> ast.expr:
        """The value of a name, or the mark of a name that has none yet."""
        if name in defined or name in self.flags:
            return _name(name)
        return _call("value", _lambda(_name(name)), ast.Constant(name))

    def live(self, names: set[str], subtree: ast.stmt) -> set[str]:
        """Those of the names that are read outside of a statement, or when a loop comes back."""
        inside = analysis.loads([subtree])
        looped = set().union(*self.around)
        return {n for n in names if self.read[n] > inside[n] or n in looped or n in self.flags}

    def branches(
        self,
        s: ast.If,
        bodies: tuple[list[ast.stmt], list[ast.stmt]],
        parameters: list[str],
        tail: _Tail,
        defined: set[str],
    ) -> tuple[list[ast.stmt], ast.Call]:
        """The two functions of an ``if`` and the call that chooses."""
        made: list[ast.stmt] = []
        names = []
        for what, body in zip(("then", "otherwise"), bodies, strict=True):
            name = self.new(what)
            # What a function assigns is its own: it has no value there but by a parameter.
            known = (defined - analysis.stored(body)) | set(parameters)
            statements = self.block(body, tail, known) or [ast.Pass()]
            place = body[0] if body else s
            function = ast.FunctionDef(name, _arguments(parameters), statements, [])
            made.append(ast.copy_location(function, place))
            names.append(name)
        values = _tuple([self.value(n, defined) for n in parameters])
        call = _call(
            "branch", self.expression(s.test), _name(names[0]), _name(names[1]), values,
            _strings(tail.names) if type(tail) is _Tail else ast.Constant(None),
            ast.Constant(s.lineno),
        )  # fmt: skip
        return made, ast.copy_location(call, s.test)

    def choice(self, s: ast.If, defined: set[str]) -> list[ast.stmt]:
        """An ``if`` after which both branches go on."""
        assigned = analysis.stored([*s.body, *s.orelse])
        out = sorted(self.live(assigned, s))
        read = analysis.exposed(s.body) | analysis.exposed(s.orelse)
        inside = analysis.changed([*s.body, *s.orelse]) & read
        # Names that may be passed through need a value; what is written into must be passed.
        parameters = sorted(set(out) | (assigned & read) | inside)
        made, call = self.branches(s, (s.body, s.orelse), parameters, _Tail(out), defined)
        defined |= set(out)  # if only to the mark of a name without a value
        target = ast.Tuple([_store(n) for n in out], ast.Store())
        last: ast.stmt = ast.Assign([target], call) if out else ast.Expr(call)
        return [*made, ast.copy_location(last, s)]

    def parting(
        self, s: ast.If, rest: list[ast.stmt], tail: _Tail, defined: set[str]
    ) -> list[ast.stmt]:
        """An ``if`` of which a branch ends early: what follows moves into the branches."""
        bodies = tuple(b if analysis.always_ends(b) else [*b, *rest] for b in (s.body, s.orelse))
        every = [*bodies[0], *bodies[1]]
        assigned = analysis.stored(every) | {n for n in tail.names if n in self.flags}
        read = analysis.exposed(bodies[0]) | analysis.exposed(bodies[1]) | set(tail.names)
        parameters = sorted((assigned | analysis.changed(every)) & read)
        made, call = self.branches(s, bodies, parameters, tail, defined)  # type: ignore[arg-type]
        return [*made, ast.copy_location(ast.Return(call), s)]

    # --- loops -------------------------------------------------------------------------------

    def loop(
        self, s: ast.While | ast.For, defined: set[str]
    ) -> tuple[list[ast.stmt], list[ast.stmt]]:
        """A loop as statements, and what is to be rewritten after it."""
        left = analysis.ends(s.body)
        made: list[ast.stmt] = []
        after: list[ast.stmt] = []
        flags: list[str] = []
        stopped = result = None
        if left & {ast.Break, ast.Return}:
            stopped = self.new("stopped")
            made.append(_set(stopped, ast.Constant(False)))
            flags.append(stopped)
        if ast.Return in left:
            result = self.new("returned")
            made.append(_set(result, ast.Constant(False)))
            made.append(_set(result + "_value", _call("nothing", ast.Constant("the result"))))
            flags += [result, result + "_value"]
            test = ast.If(_name(result), [ast.Return(_name(result + "_value"))], [])
            after.append(ast.copy_location(test, s))
        if s.orelse:
            if stopped is None:
                after += s.orelse
            else:
                # "x_stopped is False" must not be rewritten by the caller's analysis of reads
                test = ast.If(ast.UnaryOp(ast.Not(), _name(stopped)), s.orelse, [])
                after.append(ast.copy_location(test, s))
        self.flags |= set(flags)
        defined |= set(flags)

        again = analysis.exposed(s.body)
        own: set[str] = set()  # names that a for statement assigns itself
        if isinstance(s, ast.For):
            own = analysis.stored([s.target])
            again -= own
        else:
            again |= analysis.reads(s.test)
            own = analysis.stored([s.test])
        assigned = analysis.stored(s.body) | own
        carried = self.live(assigned, s) | (assigned & again)
        written = (analysis.changed(s.body) & again) - carried
        names = [*sorted(carried), *flags]
        parameters = [*names, *sorted(written)]
        tail = _Tail(parameters, stopped, result)
        self.around.append(again | set(flags))
        inside = (defined - analysis.stored(s.body) - own) | set(parameters)
        if isinstance(s, ast.For):
            item = self.new("item")
            first = ast.copy_location(ast.Assign([s.target], _name(item)), s)
            body: list[ast.stmt] = [first, *self.block(s.body, tail, inside | own)]
            function = ast.FunctionDef(self.new("step"), _arguments([item, *parameters]), body, [])
            made.append(ast.copy_location(function, s.body[0]))
            head, what = self.expression(s.iter), "for_loop"
        else:
            ask = self.new("test")
            asked = ast.FunctionDef(
                ask, _arguments(parameters), [_return(self.expression(s.test))], []
            )
            made.append(ast.copy_location(asked, s))
            body = self.block(s.body, tail, inside)
            function = ast.FunctionDef(self.new("step"), _arguments(parameters), body, [])
            made.append(ast.copy_location(function, s.body[0]))
            head, what = _name(ask), "while_loop"
        self.around.pop()
        call = _call(
            what, head, _name(function.name),
            _tuple([self.value(n, defined) for n in parameters]),
            _strings(parameters), ast.Constant(stopped), ast.Constant(s.lineno),
        )  # fmt: skip
        targets: list[ast.expr] = [_store(n) for n in names]
        targets += [_store(n) for n in map(self.new, ["unused"] * len(written))]
        if names:
            last: ast.stmt = ast.Assign([ast.Tuple(targets, ast.Store())], call)
        else:
            last = ast.Expr(call)
        made.append(ast.copy_location(last, s))
        defined |= set(names)
        return [ast.copy_location(m, s) if not hasattr(m, "lineno") else m for m in made], after
