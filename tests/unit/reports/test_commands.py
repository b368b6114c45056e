"""What is wrong with a question is said in one line, before any database is opened."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from callcenter.cli import main
from callcenter.reports import parse_range

WRONG = {
    "from after to": ["--from", "2026-03-02", "--to", "2026-03-01"],
    "no such day": ["--from", "2026-02-29"],
    "no date": ["verify", "--from", "soon"],
    "no interval": ["--interval", "7"],
    "a share above 1": ["--target", "80"],
    "no number": ["--service-level-s", "many"],
    "not a number": ["--service-level-s", "nan"],
    "endless": ["--short-abandon-s", "inf"],
    "before nothing": ["--short-abandon-s", "-1"],
    "no view": ["--by", "chance"],
    "two forms": ["--json", "--csv"],
    "no form": ["contacts"],
    "no action": ["destroy"],
    "beyond time": ["contacts", "--csv", "-", "--from", "9999-12-31", "--to", "9999-12-31"],
}


@pytest.mark.parametrize("arguments", WRONG.values(), ids=WRONG)
def test_a_wrong_question_is_one_line_and_status_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALLCENTER_CONFIG", "configs/callcenter.yaml")
    try:
        status = main(["report", *arguments])
    except SystemExit as error:  # what argparse itself finds
        status = int(error.code or 0)
    told = capsys.readouterr()
    assert (status, told.out, len(told.err.splitlines())) == (2, "", 1), told.err


def test_a_leap_day_is_a_day() -> None:
    now = datetime(2028, 3, 1, tzinfo=UTC)
    span = parse_range("2028-02-29", "2028-02-29", ZoneInfo("Europe/Berlin"), now)
    assert [at.isoformat() for at in span] == ["2028-02-28T23:00:00+00:00", "2028-02-29T23:00:00+00:00"]
