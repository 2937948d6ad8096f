"""docs/failures.md is what the example files say, and every case of the six groups has its place."""

from __future__ import annotations

import ast

import pytest
from examples.table import GROUPS, PAGE, ROOT, TESTS, TITLES, examples, render

LAST = max(last for _, last in GROUPS.values())


def test_the_page_is_what_the_files_say() -> None:
    """Adding, renaming or changing an example changes the page: `python tests/examples/table.py` writes it."""
    assert PAGE.read_text(encoding="utf-8") == render()


def test_every_case_of_the_six_groups_is_held() -> None:
    """None is passed over: each has an example file or a test."""
    by_file = {number for case in examples() for number in case.change.get("failure", [])}
    assert set(TITLES) == set(range(1, LAST + 1))
    assert set(TITLES) <= by_file | set(TESTS)


@pytest.mark.parametrize(("test", "says"), sorted({entry for entries in TESTS.values() for entry in entries}))
def test_each_test_on_the_page_exists_and_is_about_what_it_says(test: str, says: str) -> None:
    """What the page calls a test is one, and a code or class it names stands in its module or in the product."""
    path, _, name = test.partition("::")
    text = (ROOT / "tests" / path).read_text(encoding="utf-8")
    assert name in {node.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)}
    if says[0].isupper() or ("-" in says and " " not in says):
        assert says in text or any(says in one.read_text(encoding="utf-8") for one in (ROOT / "src").rglob("*.py"))
