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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--calls", "-1", "--aht", "180"), "--calls must be between 0 and 1000000, not -1"),
        (("--calls", "10"), "--aht is needed"),
        (("--calls", "10", "--aht", "-180"), "handle time must be above 0 s, not -180"),
        (("--calls", "10", "--aht", "180", "--target", "1.2"), "target must lie between 0 and 1, not 1.2"),
        (("--calls", "10", "--aht", "180", "--within", "-1"), "time to answer must be 0 s or more, not -1"),
        (("--calls", "10", "--aht", "180", "--patience", "0"), "patience must be above 0 s, not 0"),
        (("--calls", "10", "--aht", "180", "--shrinkage", "1"), "shrinkage must be at least 0 and below 1"),
        (("--calls", "10", "--aht", "180", "--what-if", "more"), "'more' is no change"),
        (("--calls", "10", "--aht", "180", "--plot", "plan.gif"), "must end with .png or .svg"),
        (("--calls", "10", "--aht", "180", "--from", "soon"), "--from: 'soon' is no day"),
        (("--csv", "nowhere.csv", "--aht", "180"), "nowhere.csv: No such file"),
        (("--from", "2026-03-02", "--to", "2026-03-01"), "the range is empty"),
        (("--from", "2026-03-02", "--to", "2027-03-01"), "longer than 92 days"),
        (("--closed", "xmas", "--csv", "nowhere.csv"), "nowhere.csv: No such file"),
        (("--weeks", "0"), "--weeks must be between 1 and 520, not 0"),
        (("--history", "--calls", "10"), "not allowed with argument"),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    program: Program, arguments: tuple[str, ...], message: str
) -> None:
    result = program.run("staffing", *arguments, check=False)
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1
    assert message in result.stderr


def test_an_empty_database_and_an_unknown_queue(program: Program) -> None:
    for arguments, message in (
        ((), "there are no calls of the last 26 weeks in the database"),
        (("--queue", "nowhere"), "no such queue: nowhere"),
    ):
        result = program.run("staffing", *arguments, check=False)
        assert (result.returncode, len(result.stderr.splitlines())) == (2, 1)
        assert message in result.stderr
