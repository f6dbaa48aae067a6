"""Random functions of in-place code, as source: loops, branches, assignments to elements.

Each is run as it stands by Python and NumPy, and scripted and compiled; both must agree, whatever
the compiler decided to do in the memory of the arrays.
"""

from __future__ import annotations

import linecache
import random
from collections.abc import Callable

import numpy as np

__all__ = ["drawn_function", "drawn_source"]

ARRAYS = ("x", "y", "z")  # of one length, n
NUMBERS = ("a", "b")


class _Writer:
    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.lines: list[str] = []
        self.loops: list[str] = []

    def index(self) -> str:
        d = self.draw
        if not self.loops or d.random() < 0.2:
            return str(d.randrange(-3, 3))
        i = d.choice(self.loops)
        return d.choice([i, i, f"{i} - 1", f"(2 * {i} + 1) % n", f"n - 1 - {i}"])

    def scalar(self, depth: int = 2) -> str:
        d = self.draw
        kind = d.randrange(8)
        if depth == 0 or kind < 2:
            return d.choice(NUMBERS)
        if kind < 4:
            return f"{d.choice(ARRAYS)}[{self.index()}]"
        if kind == 4:
            return f"np.sin({self.scalar(depth - 1)})"
        if kind == 5:
            return f"np.sum({d.choice(ARRAYS)}[1:]) * 0.1"
        op = d.choice(["+", "-", "*"])
        return f"({self.scalar(depth - 1)} {op} 0.5 * {self.scalar(depth - 1)})"

    def test(self) -> str:
        d = self.draw
        plain = f"{self.scalar(1)} {d.choice(['<', '>='])} {self.scalar(1)}"
        if d.random() < 0.2:
            return f"{plain} and {self.scalar(1)} > -0.5"
        if d.random() < 0.15:
            return f"-0.3 < {self.scalar(1)} < 0.8"
        return plain

    def line(self, indent: int, text: str) -> None:
        self.lines.append("    " * indent + text)

    def statement(self, indent: int, depth: int) -> None:
        d = self.draw
        kind = d.randrange(14)
        a = d.choice(ARRAYS)
        if kind < 4:
            self.line(
                indent, f"{a}[{self.index()}] {d.choice(['=', '=', '+=', '-='])} {self.scalar()}"
            )
        elif kind == 4:
            self.line(indent, f"{d.choice(NUMBERS)} = np.tanh({self.scalar()})")
        elif kind == 5:
            self.line(indent, f"{a} = 0.5 * {d.choice(ARRAYS)} + {self.scalar(1)}")
        elif kind == 6:
            b = d.choice([n for n in ARRAYS if n != a])
            self.line(indent, f"{a}, {b} = {b}, {a}")
        elif kind == 7:
            self.line(indent, f"{a}[1:] = {d.choice(ARRAYS)}[:-1] * 0.9")
        elif kind == 8:
            self.line(indent, f"w[{self.index()}] = {d.choice(ARRAYS)} * {self.scalar(1)}")
        elif kind == 9:
            self.line(indent, f"{a} = w[{self.index()}].copy()")
        elif kind in (10, 11) and depth:
            self.line(indent, f"if {self.test()}:")
            self.block(indent + 1, depth - 1)
            if d.random() < 0.6:
                self.line(indent, "else:")
                self.block(indent + 1, depth - 1)
        elif depth:
            name = f"i{len(self.loops)}"
            self.loops.append(name)
            bound = d.choice(["n", "n", "m", self.loops[0] if len(self.loops) > 1 else "n - 1"])
            self.line(indent, f"for {name} in range({bound}):")
            self.block(indent + 1, depth - 1)
            if d.random() < 0.25:
                self.line(indent + 1, f"if {self.test()}:")
                self.line(indent + 2, d.choice(["break", "continue", "break"]))
                self.statement(indent + 1, 0)
            self.loops.pop()
        else:
            self.line(indent, f"a = a + 0.1 * {self.scalar(1)}")

    def block(self, indent: int, depth: int) -> None:
        for _ in range(self.draw.randrange(1, 4)):
            self.statement(indent, depth)


def drawn_source(seed: int) -> str:
    """A function of ``(x, y, a, b, m)``: arrays of one length, numbers, a number of steps."""
    writer = _Writer(seed)
    writer.line(0, "def drawn(x, y, a, b, m):")
    writer.line(1, "n = len(x)")
    writer.line(1, "x, y = x.copy(), y.copy()")
    writer.line(1, "z = np.zeros(n)")
    writer.line(1, "w = np.zeros((n, n))")
    for _ in range(4):
        writer.statement(1, 3)
    writer.line(1, "return x, y, z, w, a, b")
    return "\n".join(writer.lines) + "\n"


def drawn_function(seed: int) -> Callable:
    """The function, whose source can be read."""
    source = drawn_source(seed)
    name = f"<drawn script {seed}>"
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    names: dict = {"np": np}
    exec(compile(source, name, "exec"), names)
    return names["drawn"]
