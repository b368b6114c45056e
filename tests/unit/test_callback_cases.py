"""Every case of callbacks has its tests: those that docs/callbacks.md names."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
CASES = 20


def test_the_tests_that_the_table_of_cases_names_are_there() -> None:
    text = (ROOT / "docs" / "callbacks.md").read_text().partition("## Cases and their tests")[2]
    table, _, invariants = text.partition("The invariants:")
    rows = [line for line in table.splitlines() if line.startswith("| ") and "`" in line]
    assert len(rows) == CASES
    named = re.findall("`([a-z_]+)`", "\n".join([*rows, invariants]))
    assert len(named) > 2 * CASES
    code = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    there = set(re.findall(r"def test_(\w+)\(", code))
    assert set(named) <= there
