"""The support table holds: no row is wrong or missing, and the page says what the rows say."""

from __future__ import annotations

import pathlib

import pytest
from support.cases import all_cases
from support.table import MISSING, WRONG, row_of

NAMES = [(module, name) for module, cases in sorted(all_cases().items()) for name in cases.names]
PAGE = (pathlib.Path(__file__).parents[1] / "docs" / "support.md").read_text()


@pytest.mark.parametrize(("module", "name"), NAMES)
def test_row(module: str, name: str) -> None:
    row = row_of(all_cases()[module], name)
    assert row.status not in (WRONG, MISSING), row.note
    assert (
        f"| `{name}` | {row.status} |"
        in PAGE.partition(f"\n## {module}\n")[2].partition("\n## ")[0]
    )


def test_every_name_is_on_the_page() -> None:
    for module, cases in all_cases().items():
        for name in {*cases.calls, *cases.refused, *cases.others} - set(cases.names):
            raise AssertionError(f"{module} has no public name {name}")
