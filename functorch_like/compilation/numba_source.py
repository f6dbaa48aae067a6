"""A program's kernels as Python source with comments that name the equations."""

from __future__ import annotations

import math

from ..graph import Equation, Graph, Literal, equation_text
from ..kernels.loop import Buffer
from ..kernels.numba_printer import NUMPY_NAMES, identifier, number_text, source_text
from ..primitives.core import ShapedArray
from .emit import Emitter, emit
from .fuse import Block
from .lowering import first_operand, lower
from .nodes import Node, Root, Step

__all__ = ["numba_source"]


def annotated(graph: Graph) -> type[Emitter]:
    """An emitter that names the equation before its code."""
    names = graph.names()

    class Annotated(Emitter):
        """Writes comments, which the text that is compiled has none of."""

        guards = False
        splits = False

        def leaf(self, node: Node, block: Block) -> None:
            if node.equation is not None and node.compute is not first_operand:
                self.code.comment(described(node.equation, names))
            super().leaf(node, block)

        def step(self, step: Step) -> None:
            if step.kind != "alias" and step.equation is not None:
                self.code.comment(described(step.equation, names))
            super().step(step)

    return Annotated


def described(equation: Equation, names: dict) -> str:
    """The equation as the graph prints it; in a loop or branch, where names differ, its type."""
    named = (*equation.outputs, *[x for x in equation.inputs if not isinstance(x, Literal)])
    if all(v in names for v in named):
        return equation_text(equation, names)
    results = ", ".join(str(v.aval) for v in equation.outputs)
    return f"{equation.primitive.name} -> {results}"


def numba_source(graph: Graph, name: str = "program") -> str:
    """Python source for Numba of a simplified graph.

    The function takes the graph's inputs, then the arrays that it and the bodies of its loops
    captured, then arrays for its results, all of them flat.
    """
    lowering, inputs, outputs = lower(graph)
    _, emitter = emit(lowering.items, outputs, "program", annotated(graph))
    name = identifier(name)
    called = {v: identifier(text) for v, text in graph.names().items()}
    called = {v: f"{text}_" if text == name else text for v, text in called.items()}
    given = [called[v] for v in (*graph.inputs, *graph.constants)]
    given += [f"captured{i}" for i in range(len(inputs) - len(given))]
    results = ["out"] if len(outputs) == 1 else [f"out{i}" for i in range(len(outputs))]
    roots: dict[Root, str] = {}
    for var, view in lowering.views.items():
        if isinstance(view.root, Root) and view.identity and var in called:
            roots.setdefault(view.root.memory(), called[var])
    outside = dict(zip(inputs, given, strict=True))
    outside.update(zip([r.memory() for r in outputs], results, strict=True))
    roots.update(outside)
    names: dict[str, str] = {}
    values: dict[str, str] = {}
    for key, made in emitter.program.seen.items():
        if isinstance(key, Root):
            if key in roots:
                names[made.name] = roots[key]
            if key not in outside:
                values[made.name] = _memory(math.prod(key.shape), made)
        elif key[0] == "number":
            values[made.name] = str(key[1])
        elif key[0] == "literal":
            values[made.name] = number_text(key[2], key[1])
        elif key[0] == "tape":
            values[made.name] = "np.empty(0, np.int64)"
        elif key[0] == "row":
            kept = emitter.storage[key[1]].kept
            values[made.name] = _memory(math.prod(key[1].shape[a] for a in kept), made)
    arguments = [*given, *results]
    text = source_text(emitter.kernels, emitter.program.kernel, name, names, values, arguments)
    avals = [ShapedArray(r.shape, r.dtype) for r in (*inputs, *outputs)]
    listed = ", ".join(f"{x}: {aval}" for x, aval in zip(arguments, avals, strict=True))
    return f"# {name}({listed}), of flat arrays\n{_joined(text)}"


def _joined(text: str) -> str:
    """Join the comments of equations that have no names, where they follow each other."""
    lines: list[str] = []
    for line in text.split("\n"):
        before, found, kind = line.rpartition(" -> ")
        last = lines[-1] if lines else ""
        if found and "# " in before and last.endswith(found + kind) and "# " in last:
            first, more = last.rpartition(" -> ")[0], before.partition("# ")[2]
            if len(first) + len(more) < 85 and not first.endswith(f" {more}"):
                lines[-1] = f"{first}, {more} -> {kind}"
            if len(first) + len(more) < 85:
                continue
        lines.append(line)
    return "\n".join(lines)


def _memory(size: int, made: Buffer) -> str:
    return f"np.empty({size}, np.{NUMPY_NAMES.get(made.dtype, 'uint8')})"
