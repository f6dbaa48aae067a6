"""A function's own source with its control flow as calls.

``if``, ``while``, ``for``, ``and``, ``or``, ``not``, chained comparisons, conditional expressions
and calls become calls of ``operators``, which decide when they run: known values take Python's
way, traced ones become conditionals and loops. Lines and file names are kept, so tracebacks and the
debugger show the user's source.

* An ``if`` becomes two functions of the names that it assigns, which return what is read later.
  Where a branch ends early (return, break, continue), what follows the ``if`` moves into both
  functions, so that each path of the program returns on its own.
* The body of a loop becomes a function from the values of the names it carries to the next
  ones. ``continue`` returns them early; ``break`` sets a flag which is carried too; ``return`` in a
  loop carries the result out.
* Names that functions defined in the function read stay its own: the functions made of branches
  and loops declare them nonlocal.
* Before something is written into, ``writable`` is told.
"""

from __future__ import annotations

import ast
import copy
import functools
import linecache
import types
from collections.abc import Sequence
from typing import NoReturn

from ..errors import ScriptError
from . import analysis
from .exits import Leaving, nested_choice
from .plain import Plain, formatted_later
from .source import find_definition
from .syntax import (
    OPERATORS,
    Mangler,
    index_value,
    load_name,
    locate,
    make_arguments,
    make_assignment,
    make_call,
    make_lambda,
    make_return,
    make_strings,
    make_tuple,
    parameters_of,
    plain_arguments,
    store_name,
)

__all__ = ["Rewritten", "rewrite"]


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
    definition = Plain().visit(copy.deepcopy(find_definition(code)))
    rewriter = _Rewriter(code.co_filename, definition)
    body = rewriter.function_body(definition)
    made = ast.FunctionDef(
        name="function" if definition.name == "<lambda>" else definition.name,
        args=plain_arguments(definition.args),
        body=body,
        decorator_list=[],
        lineno=definition.lineno,
        col_offset=definition.col_offset,
    )
    owner = qualified_name.rpartition(".")[0].rpartition(".")[2]
    if owner and owner != "<locals>":
        made = Mangler(owner).visit(made)
    factory = ast.FunctionDef(
        name="factory",
        args=make_arguments([OPERATORS, *code.co_freevars]),
        body=[made, ast.Return(ast.Name(made.name, ast.Load()))],
        decorator_list=[],
        lineno=definition.lineno,
        col_offset=0,
    )
    module = ast.Module([factory], [])
    locate(module, definition.lineno)
    try:
        compiled = compile(module, code.co_filename, "exec")
    except (SyntaxError, ValueError) as error:  # pragma: no cover - a construct we overlooked
        raise ScriptError(f"script({code.co_name}): cannot be rewritten: {error}") from error
    outer = next(c for c in compiled.co_consts if isinstance(c, types.CodeType))
    inner = next(c for c in outer.co_consts if isinstance(c, types.CodeType))
    return Rewritten(inner.replace(co_name=code.co_name, co_qualname=code.co_qualname), made)


# --- expressions -----------------------------------------------------------------------------


_REDUCTIONS = ("sum", "any", "all", "min", "max")


def compared_by(op: ast.cmpop, left: ast.expr, right: ast.expr) -> ast.expr:
    """``left op right``; membership as a call."""
    if not isinstance(op, (ast.In, ast.NotIn)):
        return ast.Compare(left, [op], [right])
    made = make_call("contained", left, right)
    return made if isinstance(op, ast.In) else make_call("not_", made)


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
        values = [self.visit(first), *(make_lambda(self.visit(x)) for x in rest)]
        name = "and_" if isinstance(node.op, ast.And) else "or_"
        return ast.copy_location(make_call(name, ast.Constant(lazy), *values), node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.op, ast.Not):
            return ast.copy_location(make_call("not_", node.operand), node)
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        if len(node.ops) == 1:
            made = compared_by(node.ops[0], node.left, node.comparators[0])
            return ast.copy_location(made, node)
        compared = []
        for op in node.ops:
            body = compared_by(op, load_name("a"), load_name("b"))
            compared.append(ast.Lambda(make_arguments(["a", "b"]), body))
        later = [make_lambda(x) for x in node.comparators]
        made = make_call("compare", node.left, make_tuple(compared), make_tuple(later))
        return ast.copy_location(made, node)

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        self.generic_visit(node)
        made = make_call(
            "branch", node.test, make_lambda(node.body), make_lambda(node.orelse), make_tuple([]),
            ast.Constant(None), ast.Constant(node.lineno),
        )  # fmt: skip
        return ast.copy_location(made, node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if isinstance(node.func, ast.Name) and node.func.id in _REDUCTIONS and node.args:
            items = node.args[0]
            if isinstance(items, ast.GeneratorExp) and len(items.generators) == 1:
                self.filter_inside(items)
        special = isinstance(node.func, ast.Name) and node.func.id in ("super", "locals", "globals")
        if isinstance(node.func, ast.Name) and node.func.id == "print":
            node.args = [formatted_later(x) for x in node.args]
        self.generic_visit(node)
        if not special:
            node.func = ast.copy_location(make_call("call", node.func), node.func)
            for keyword in node.keywords:
                if keyword.arg == "out":
                    made = make_call("writable", keyword.value)
                    keyword.value = ast.copy_location(made, keyword.value)
        return node

    def filter_inside(self, items: ast.GeneratorExp) -> None:
        """``(x for v in y if c)`` as ``(chosen(c, lambda: x) for v in y)``, for a reduction."""
        (loop,) = items.generators
        if not loop.ifs or any(isinstance(n, ast.NamedExpr) for n in ast.walk(items)):
            return
        one = loop.ifs[0] if len(loop.ifs) == 1 else ast.BoolOp(ast.And(), loop.ifs)
        made = make_call("chosen", ast.copy_location(one, loop.ifs[0]), make_lambda(items.elt))
        items.elt, loop.ifs = ast.copy_location(made, items.elt), []

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        self.generic_visit(node)
        node.ifs = [ast.copy_location(make_call("kept", x), x) for x in node.ifs]
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        self.generic_visit(node)
        if not isinstance(node.ctx, ast.Load):
            made = make_call("writable", node.value, ast.Constant(True))
            node.value = ast.copy_location(made, node.value)
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        self.generic_visit(node)
        if not isinstance(node.ctx, ast.Load):
            node.value = ast.copy_location(make_call("writable", node.value), node.value)
        elif any(isinstance(n, (ast.Name, ast.Attribute)) for n in ast.walk(node.slice)):
            made = make_call("element", node.value, index_value(node.slice))
            return ast.copy_location(made, node)
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
        return [ast.Return(make_tuple([load_name(n) for n in self.names]))]

    def leave(self, s: ast.stmt) -> list[ast.stmt]:
        """What return, break and continue become."""
        made: list[ast.stmt] = []
        if isinstance(s, ast.Return) and self.result is not None:
            value = s.value or ast.Constant(None)
            made = [
                make_assignment(self.result + "_value", value),
                make_assignment(self.result, ast.Constant(True)),
            ]
        if not isinstance(s, ast.Continue) and self.stopped is not None:
            made.append(make_assignment(self.stopped, ast.Constant(True)))
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
        self.changed = analysis.changed(definition.body)
        self.declared = analysis.declared(definition.body)
        self.masks = analysis.masks(definition.body)
        # Names that functions defined in this one read: they see each assignment.
        own = analysis.stored(definition.body) - set(self.declared)
        self.shared = analysis.captured(definition.body) & own
        self.around: list[set[str]] = []
        self.flags: set[str] = set()
        self.bound: set[str] = set()

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
        defined = parameters_of(definition.args)
        body = self.block(definition.body, _FunctionTail(), set(defined)) or [ast.Pass()]
        made = sorted(self.bound - defined)
        if made:  # so that the functions made of branches and loops can assign them
            never = ast.If(
                ast.Constant(False), [make_assignment(n, ast.Constant(None)) for n in made], []
            )
            body.insert(0, ast.copy_location(never, definition.body[0]))
        return body

    def function(
        self, name: str, parameters: Sequence[str], body: list[ast.stmt], assigned: set[str]
    ) -> ast.FunctionDef:
        """A branch or loop body as a function; shared names are assigned where they are."""
        shared = (self.shared | set(self.declared)) & (assigned | set(parameters))
        taken = [n + "_given_" if n in shared else n for n in parameters]
        made: list[ast.stmt] = []
        local = sorted(n for n in shared if self.declared.get(n) is not ast.Global)
        if local:
            made.append(ast.Nonlocal(local))
            self.bound |= set(local) - set(self.declared)
        if shared - set(local):
            made.append(ast.Global(sorted(shared - set(local))))
        made += [make_assignment(n, load_name(n + "_given_")) for n in parameters if n in shared]
        return ast.FunctionDef(name, make_arguments(taken), [*made, *body], [])

    def expression(self, node: ast.expr) -> ast.expr:
        # Of a copy: what follows an if may be rewritten in both of its branches.
        return self.expressions.visit(copy.deepcopy(node))

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
            if isinstance(s, (ast.Nonlocal, ast.Global)):
                made.append(s)
                for name in s.names:
                    read = [make_lambda(load_name(name))] if isinstance(s, ast.Nonlocal) else []
                    said = ast.Expr(make_call("refuse_outside", ast.Constant(name), *read))
                    made.append(ast.copy_location(said, s))
                continue
            if isinstance(s, ast.If):
                s = nested_choice(s)
                if analysis.ends([s]):
                    return made + self.parting(s, rest, tail, defined)
                made += self.choice(s, defined)
            elif isinstance(s, (ast.While, ast.For)):
                before, after = self.loop(s, defined)
                made += before
                rest[:0] = after
                if isinstance(s, ast.While) and analysis.endless(s):
                    rest = after  # nothing else is reached
            elif isinstance(s, (ast.With, ast.Try, ast.Match)) and self.leaves_from_within(s):
                before, inside, after = self.left_by_flags(s, defined)
                made += before
                defined |= analysis.stored(before)
                rest[:0] = [inside, *after]
            elif isinstance(s, (ast.With, ast.Try)):
                made.append(self.guarded(s, tail, defined))
                if analysis.always_ends([s]):
                    return made
            else:
                made.append(self.plain(s, defined))
            defined |= analysis.sure([s])
        return made + tail.fall()

    def plain(self, s: ast.stmt, defined: set[str]) -> ast.stmt:
        """A statement without control flow of its own."""
        if isinstance(s, ast.FunctionDef):
            return self.nested(s)
        if isinstance(s, (ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith)):
            self.refuse(s, "async")
        if isinstance(s, ast.Match):
            s = copy.copy(s)
            s.subject = self.expression(s.subject)
            s.cases = [
                ast.match_case(
                    c.pattern,
                    c.guard and make_call("guard", self.expression(c.guard)),
                    self.block(c.body, _FunctionTail(), set(defined)) or [ast.Pass()],
                )
                for c in s.cases
            ]
            return s
        if isinstance(s, ast.ClassDef):
            return s
        if isinstance(s, ast.Assert):
            test, message = self.expression(s.test), s.msg
            said = make_lambda(self.expression(message)) if message else ast.Constant(None)
            made = ast.Expr(make_call("assert_", test, said, ast.Constant(s.lineno)))
            return ast.copy_location(made, s)
        if isinstance(s, ast.AugAssign) and isinstance(s.target, ast.Subscript):
            at = s.target.slice
            if analysis.is_mask(at) or (isinstance(at, ast.Name) and at.id in self.masks):
                call = make_call(
                    "augment", self.expression(s.target.value), self.expression(at),
                    ast.Constant(type(s.op).__name__), self.expression(s.value),
                )  # fmt: skip
                return ast.copy_location(ast.Expr(call), s)
        made = self.expressions.visit(copy.deepcopy(s))
        if isinstance(s, ast.Raise) and s.exc is not None:
            made.exc = ast.copy_location(make_call("raised", made.exc), s.exc)
        if isinstance(s, ast.Assign) and isinstance(s.value, (ast.Call, ast.BinOp)):
            names = {t.id for t in s.targets if isinstance(t, ast.Name)}
            if len(s.targets) == 1 and names & self.changed:
                made.value = ast.copy_location(make_call("own", made.value), s.value)
        return made

    def nested(self, s: ast.FunctionDef) -> ast.FunctionDef:
        if analysis.yields(s):  # a generator runs as it stands
            return s
        inner = _Rewriter(self.filename, s)
        inner.count = self.count + 100
        s = copy.copy(s)
        s.body = inner.function_body(s)
        return s

    def leaves_from_within(self, s: ast.stmt) -> bool:
        """Whether a branch or loop inside a with, try or match leaves it early."""
        if isinstance(s, ast.Match):
            return bool(analysis.ends(s.cases))
        blocks = [s.body]  # type: ignore[attr-defined]
        if isinstance(s, ast.Try):
            if analysis.ends(s.finalbody):
                self.refuse(s.finalbody[0], "return, break or continue in finally")
            blocks += [s.orelse, *(h.body for h in s.handlers)]
        simple = (ast.Return, ast.Break, ast.Continue)
        return any(
            not isinstance(x, simple) and bool(analysis.ends([x]))
            for block in blocks
            for x in block
        )

    def left_by_flags(
        self, s: ast.stmt, defined: set[str]
    ) -> tuple[list[ast.stmt], ast.stmt, list[ast.stmt]]:
        """A with, try or match that is left early, its blocks as loops of one turn.

        Return, break and continue set a flag and break out of the turn; after the statement they
        are made up for. Comes with what stands before it and what after.
        """
        left = analysis.ends([s])
        result = self.new("returned")
        flags: dict[type, str] = {
            k: result if k is ast.Return else self.new("left")
            for k in (ast.Return, ast.Break, ast.Continue)
            if k in left
        }
        before: list[ast.stmt] = [make_assignment(n, ast.Constant(False)) for n in flags.values()]
        after: list[ast.stmt] = []
        if ast.Return in flags:
            nothing = make_call("nothing", ast.Constant("the result"))
            before.append(make_assignment(result + "_value", nothing))
            self.flags.add(result + "_value")
            made = ast.If(load_name(result), [ast.Return(load_name(result + "_value"))], [])
            after.append(made)
        for kind in (ast.Break, ast.Continue):
            if kind in flags:
                after.append(ast.If(load_name(flags[kind]), [kind()], []))
        self.flags |= set(flags.values())
        # What is sure to have a value unless the statement was left: the flags tell.
        for name in sorted(analysis.sure(getattr(s, "body", [])) - defined - self.shared):
            before.append(make_assignment(name, make_call("nothing", ast.Constant(name))))
        leaving = Leaving(flags, result + "_value")

        def once(body: list[ast.stmt]) -> list[ast.stmt]:
            if not analysis.ends(body):
                return body
            turn = [y for x in copy.deepcopy(body) for y in leaving.left(x)]
            target = store_name(self.new("once"))
            return [ast.For(target, ast.Tuple([ast.Constant(0)], ast.Load()), turn, [])]

        s = copy.copy(s)
        if isinstance(s, ast.Match):
            s.cases = [ast.match_case(c.pattern, c.guard, once(c.body)) for c in s.cases]
        else:
            assert isinstance(s, (ast.With, ast.Try))
            s.body = once(s.body)
        if isinstance(s, ast.Try):
            s.handlers = [
                ast.copy_location(ast.ExceptHandler(h.type, h.name, once(h.body)), h)
                for h in s.handlers
            ]
            if s.orelse:  # which is not run after the body was left
                gone: list[ast.expr] = [load_name(n) for n in flags.values()]
                stays = ast.UnaryOp(
                    ast.Not(), gone[0] if len(gone) == 1 else ast.BoolOp(ast.Or(), gone)
                )
                s.orelse = [ast.If(stays, once(s.orelse), [])]
        for x in (*before, s, *after):
            locate(x, s.lineno)
            ast.copy_location(x, s)
        return before, s, after

    def guarded(self, s: ast.With | ast.Try, tail: _Tail, defined: set[str]) -> ast.stmt:
        """With and try: their blocks stay where they are."""
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
            if s.handlers:
                item = ast.withitem(make_call("Trying"), None)
                return ast.copy_location(ast.With([item], [s]), s)
        return s

    # --- if ----------------------------------------------------------------------------------

    def value(self, name: str, defined: set[str]) -> ast.expr:
        """The value of a name, or the mark of a name that has none yet."""
        if name in defined or name in self.flags:
            return load_name(name)
        return make_call("value", make_lambda(load_name(name)), ast.Constant(name))

    def live(self, names: set[str], subtree: ast.stmt) -> set[str]:
        """Those of the names that are read outside of a statement, or when a loop comes back."""
        inside = analysis.loads([subtree])
        looped = set().union(*self.around)
        always = self.flags | self.shared | set(self.declared)
        return {n for n in names if self.read[n] > inside[n] or n in looped or n in always}

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
            function = self.function(name, parameters, statements, analysis.stored(body))
            made.append(ast.copy_location(function, place))
            names.append(name)
        values = make_tuple([self.value(n, defined) for n in parameters])
        call = make_call(
            "branch", self.expression(s.test), load_name(names[0]), load_name(names[1]), values,
            make_strings(tail.names) if type(tail) is _Tail else ast.Constant(None),
            ast.Constant(s.lineno),
        )  # fmt: skip
        return made, ast.copy_location(call, s.test)

    def choice(self, s: ast.If, defined: set[str]) -> list[ast.stmt]:
        """An ``if`` after which both branches go on."""
        assigned = analysis.stored([*s.body, *s.orelse])
        out = sorted(self.live(assigned, s))
        read = analysis.exposed(s.body) | analysis.exposed(s.orelse)
        # Names that may be passed through need a value.
        parameters = sorted(set(out) | (assigned & read))
        made, call = self.branches(s, (s.body, s.orelse), parameters, _Tail(out), defined)
        defined |= set(out)  # if only to the mark of a name without a value
        target = ast.Tuple([store_name(n) for n in out], ast.Store())
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
        parameters = sorted(assigned & (read | self.shared | set(self.declared)))
        made, call = self.branches(s, bodies, parameters, tail, defined)  # type: ignore[arg-type]
        return [*made, ast.copy_location(ast.Return(call), s)]

    # --- loops -------------------------------------------------------------------------------

    def with_test_inside(self, s: ast.While) -> ast.While:
        """``while`` whose condition assigns, as an endless loop that it breaks."""
        if s.orelse:
            self.refuse(s, "an assignment := in the condition of a while with else")
        leave = ast.If(s.test, [ast.Pass()], [ast.Break()])
        made = ast.While(ast.Constant(True), [leave, *s.body], [])
        ast.copy_location(made, s)
        locate(made, s.lineno)
        return made

    def loop(
        self, s: ast.While | ast.For, defined: set[str]
    ) -> tuple[list[ast.stmt], list[ast.stmt]]:
        """A loop as statements, and what is to be rewritten after it."""
        if isinstance(s, ast.While) and analysis.stored([s.test]):
            s = self.with_test_inside(s)
        left = analysis.ends(s.body)
        made: list[ast.stmt] = []
        after: list[ast.stmt] = []
        flags: list[str] = []
        stopped = result = None
        if left & {ast.Break, ast.Return}:
            stopped = self.new("stopped")
            made.append(make_assignment(stopped, ast.Constant(False)))
            flags.append(stopped)
        if ast.Return in left:
            result = self.new("returned")
            made.append(make_assignment(result, ast.Constant(False)))
            made.append(
                make_assignment(result + "_value", make_call("nothing", ast.Constant("the result")))
            )
            flags += [result, result + "_value"]
            leave: ast.stmt = ast.Return(load_name(result + "_value"))
            if not (isinstance(s, ast.While) and analysis.endless(s)):
                leave = ast.If(load_name(result), [ast.copy_location(leave, s)], [])
            after.append(ast.copy_location(leave, s))
        if s.orelse:
            if stopped is None:
                after += s.orelse
            else:
                # "x_stopped is False" must not be rewritten by the caller's analysis of reads
                test = ast.If(ast.UnaryOp(ast.Not(), load_name(stopped)), s.orelse, [])
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
        parameters = [*sorted(carried), *flags]
        tail = _Tail(parameters, stopped, result)
        self.around.append(again | set(flags))
        inside = (defined - analysis.stored(s.body) - own) | set(parameters)
        if isinstance(s, ast.For):
            item = self.new("item")
            first = ast.copy_location(ast.Assign([s.target], load_name(item)), s)
            body: list[ast.stmt] = [first, *self.block(s.body, tail, inside | own)]
            function = self.function(self.new("step"), [item, *parameters], body, assigned)
            made.append(ast.copy_location(function, s.body[0]))
            head, what = self.expression(s.iter), "for_loop"
        else:
            ask = self.new("test")
            asked = self.function(ask, parameters, [make_return(self.expression(s.test))], set())
            made.append(ast.copy_location(asked, s))
            body = self.block(s.body, tail, inside)
            function = self.function(self.new("step"), parameters, body, assigned)
            made.append(ast.copy_location(function, s.body[0]))
            head, what = load_name(ask), "while_loop"
        self.around.pop()
        call = make_call(
            what, head, load_name(function.name),
            make_tuple([self.value(n, defined) for n in parameters]),
            make_strings(parameters), make_tuple([self.value(n, defined) for n in sorted(written)]),
            ast.Constant(stopped), ast.Constant(s.lineno),
        )  # fmt: skip
        targets: list[ast.expr] = [store_name(n) for n in parameters]
        if parameters:
            last: ast.stmt = ast.Assign([ast.Tuple(targets, ast.Store())], call)
        else:
            last = ast.Expr(call)
        made.append(ast.copy_location(last, s))
        defined |= set(parameters)
        return [ast.copy_location(m, s) if not hasattr(m, "lineno") else m for m in made], after
