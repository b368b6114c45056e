"""``callcenter staffing`` as a user meets it."""

import json
from datetime import date, timedelta
from pathlib import Path

import pytest

from support.program import Program

MONDAY = date(2026, 3, 2)


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    """Ten weeks of Mondays: 100 calls from 9:00 to 9:30."""
    path = tmp_path / "calls.csv"
    rows = [f"{MONDAY + timedelta(weeks=week)}T09:00,100" for week in range(10)]
    path.write_text("\n".join(["start,calls", *rows]) + "\n")
    return path


def test_the_textbook(program: Program) -> None:
    asked = (
        "staffing",
        "--calls",
        "100",
        "--aht",
        "180",
        "--patience",
        "120",
        "--shrinkage",
        "0.3",
        "--json",
    )
    made = json.loads(program.run(*asked, "--what-if", "agents=+2").stdout)
    (need,) = made["intervals"]
    assert (need["load"], need["agents_erlang_c"], need["agents_erlang_a"], need["with_shrinkage"]) == (
        10,
        14,
        12,
        18,
    )
    planned, more = made["what_if"]
    assert more["service_level"] > planned["service_level"] > 0.75


def test_a_day_is_foretold_and_drawn(program: Program, calls: Path, tmp_path: Path) -> None:
    picture = tmp_path / "plan.png"
    asked = ("staffing", "--csv", str(calls), "--aht", "180", "--from", "2026-05-18", "--plot", str(picture))
    text = program.run(*asked).stdout
    assert text.startswith("calls: weighted mean of the same weekdays over 10 days (10 days are few)\n")
    assert "2026-05-18 09:00  100.0  10.00  14" in text
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_an_empty_database_and_an_unknown_queue(program: Program) -> None:
    for arguments, message in (
        ((), "there are no calls of the last 26 weeks in the database"),
        (("--queue", "nowhere"), "no such queue: nowhere"),
    ):
        result = program.run("staffing", *arguments, check=False)
        assert (result.returncode, len(result.stderr.splitlines())) == (2, 1)
        assert message in result.stderr
