"""The support table: one row a public name, each made by running its calls.

``python tests/support/table.py`` prints the counts and what is wrong or missing;
``--write`` writes docs/support.md; names of modules restrict it; ``-v`` says why.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import pathlib
import sys
import warnings
from typing import NamedTuple

if __name__ == "__main__":
    sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

import numpy as np

import functorch_like as ft
from functorch_like.primitives.core import Tracer
from support.cases import Cases, all_cases
from support.verdicts import Wrong, judge, leaves

ROOT = pathlib.Path(__file__).parents[2]

# What a row may say, best first.
PLAIN = "plain"  # the public function itself takes traced arrays
OURS = "functorch_like"  # the function of that name in functorch_like does
CONSTANT = "constant"  # works on traced arrays; the result carries no derivative
REFUSED = "refused"
OTHER = "not a function of arrays"
WRONG = "wrong"
MISSING = "missing"


class Row(NamedTuple):
    """One line of the table."""

    module: str
    name: str
    status: str
    note: str


def row_of(cases: Cases, name: str) -> Row:
    """Run every call of one name."""

    def made(status: str, note: str = "") -> Row:
        return Row(cases.module.__name__, name, status, note)

    if name in cases.others:
        return made(OTHER, cases.others[name])
    calls = cases.calls.get(name, [])
    if name in cases.refused:
        for call in calls:
            try:
                judge(call, cases.public(name), cases.public(name))
            except Wrong as error:
                return made(WRONG, f"refused, yet {error}")
            except Exception:
                continue
            return made(WRONG, "refused, yet it works")
        lost = lost_derivative(cases, name)
        return made(WRONG, lost) if lost else made(REFUSED, cases.refused[name])
    if not calls:
        return made(MISSING, "no call")
    public, ours = cases.public(name), cases.of_ours(name)
    notes = {m for call in calls for m in call.without}
    note = "; ".join(sorted(f"not under {m}" for m in notes))
    problems = []
    for status, f in ((PLAIN, public), (OURS, ours)):
        if f is None:
            continue
        try:
            moving = [judge(call, f, public) for call in calls]
        except Wrong as error:
            return made(WRONG, f"{status}: {error}")
        except Exception as error:
            problems.append(f"{status}: {type(error).__name__}: {error}".split("\n")[0])
            continue
        if ours is not None and f is public and ours is not public:
            # The same function is in functorch_like too: it must not differ.
            try:
                for call in calls:
                    judge(call, ours, public, ("value", "jvp"))
            except Exception as error:
                return made(WRONG, f"{OURS}: {error}".split("\n")[0])
        return made(status if any(moving) else CONSTANT, note)
    return made(MISSING, "; ".join(problems))


def lost_derivative(cases: Cases, name: str) -> str:
    """How a refused function lets traced arrays through and forgets them, if it does.

    It is called with one, two and three of them: each call must raise, or return traced arrays.
    """
    functions = {id(f): f for f in (cases.public(name), cases.of_ours(name)) if callable(f)}
    x = np.array([0.3, 0.7, 0.2, 0.9])
    for f in functions.values():
        for count in (1, 2, 3):
            plain: list = []

            def call(*xs, f=f, plain=plain):
                with contextlib.redirect_stdout(io.StringIO()):
                    out = f(*xs)
                found = leaves(out)
                if not any(isinstance(y, Tracer) for y in found):
                    plain += [y for y in found if type(y) is np.ndarray and y.dtype.kind in "fc"]
                return xs[0]

            with warnings.catch_warnings(), contextlib.suppress(Exception):
                warnings.simplefilter("ignore")
                ft.jvp(call, (x,) * count, (x,) * count)
            if plain:
                return f"refused, yet {count} traced arrays give a plain one"
    return ""


def rows(only: tuple[str, ...] = ()) -> list[Row]:
    """The whole table, or that of some modules."""
    return [
        row_of(cases, name)
        for module, cases in sorted(all_cases().items())
        if not only or module in only
        for name in cases.names
    ]


def counts(table: list[Row]) -> dict[str, dict[str, int]]:
    """Rows by module and status."""
    made: dict[str, dict[str, int]] = {}
    for row in table:
        made.setdefault(row.module, {}).setdefault(row.status, 0)
        made[row.module][row.status] += 1
    return made


STATUSES = (PLAIN, OURS, CONSTANT, REFUSED, OTHER, WRONG, MISSING)


def markdown(table: list[Row]) -> str:
    """The page docs/support.md."""
    lines = [
        "# What can be differentiated",
        "",
        "One row a public name, made by calling it under `jvp`, `vjp`, the `jvp` of its `vjp`,",
        "`vmap` and staging, and comparing with the plain function, its differences and a loop",
        "(`python tests/support/table.py --write`; the tests run the same and fail on a row",
        "that is wrong, missing or no longer what this page says).",
        "",
        "* **plain**: the public function itself takes traced arrays.",
        "* **functorch_like**: it does not ask its arguments; the function of the same name in",
        "  `functorch_like.numpy` or `functorch_like.scipy` does.",
        "* **constant**: works on traced arrays; its result carries no derivative.",
        "* **refused**: an error that says what to write instead.",
        "",
        "| module | " + " | ".join(STATUSES[:5]) + " |",
        "|---|" + "---|" * 5,
    ]
    total = counts(table)
    for module, count in total.items():
        numbers = " | ".join(str(count.get(s, 0)) for s in STATUSES[:5])
        lines.append(f"| `{module}` | {numbers} |")
    for module in total:
        lines += ["", f"## {module}", "", "| name | | |", "|---|---|---|"]
        lines += [f"| `{r.name}` | {r.status} | {r.note} |" for r in table if r.module == module]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Print or write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="*")
    parser.add_argument("--write", action="store_true", help="write docs/support.md")
    parser.add_argument("-v", action="store_true", help="print every row")
    options = parser.parse_args()
    np.seterr(all="ignore")
    table = rows(tuple(options.modules))
    for row in table:
        if options.v or row.status in (WRONG, MISSING):
            print(f"{row.module}.{row.name}: {row.status} {row.note}")
    for module, count in counts(table).items():
        print(module, {s: count[s] for s in STATUSES if s in count})
    if options.write:
        (ROOT / "docs" / "support.md").write_text(markdown(table))


if __name__ == "__main__":
    main()
