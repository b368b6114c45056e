from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from callcenter.errors import UsageError
from callcenter.staffing.history import read_csv
from callcenter.staffing.plan import Need, Wish, plan
from callcenter.staffing.plot import draw
from callcenter.staffing.what_if import Change, staffed, try_out

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


def needs(*calls: float, wish: Wish | None = None) -> list[Need]:
    starts = [NINE + timedelta(minutes=30 * n) for n in range(len(calls))]
    return plan(starts, calls, 1800, wish or Wish(180))


def test_the_plan_of_ten_erlang() -> None:
    (need,) = needs(100, wish=Wish(180, shrinkage=0.3))
    assert (need.load, need.agents_c, need.agents_a, need.agents, need.paid) == (10, 14, None, 14, 20)
    assert need.service_level == pytest.approx(0.8884, abs=5e-5)
    (patient,) = needs(100, wish=Wish(180, patience_s=120))
    assert (patient.agents_c, patient.agents_a, patient.agents) == (14, 12, 12)
    assert (patient.wait_s, patient.abandonment) == (
        pytest.approx(7.39, abs=5e-3),
        pytest.approx(0.0616, abs=5e-5),
    )
    assert patient.occupancy == pytest.approx(10 * (1 - 0.0616) / 12, abs=1e-3)


def test_an_interval_without_calls_needs_nobody() -> None:
    (need,) = needs(0)
    assert (need.agents, need.paid, need.wait_s, need.occupancy) == (0, 0, 0, 0)


def test_negative_calls_are_refused() -> None:
    with pytest.raises(UsageError, match="calls must be 0 or more, not -1"):
        needs(-1)


@pytest.mark.parametrize(
    ("text", "of_ten"),
    [
        ("agents=+2", 12),
        ("agents=-2", 8),
        ("agents=7", 7),
        ("agents=+50%", 15),
        ("agents=-11", 0),
        ("agents=2.5", 2.5),
    ],
)
def test_changes(text: str, of_ten: float) -> None:
    assert Change.parse(text).apply(10) == of_ten


@pytest.mark.parametrize(
    "text", ["agents", "agents=", "agents=+two", "staff=+2", "agents=20%", "agents=++2", "="]
)
def test_what_is_no_change(text: str) -> None:
    with pytest.raises(UsageError, match="is no change"):
        Change.parse(text)


def test_agents_come_and_go_by_the_interval() -> None:
    shifts = [agent.shifts for agent in staffed([1, 3, 2, 0, 1], 10)]
    assert shifts == [((0, 30), (40, 50)), ((10, 30),), ((10, 20),)]


def test_what_if_agrees_with_erlang_and_more_agents_help() -> None:
    planned = needs(*[100.0] * 12, wish=Wish(180, patience_s=120))
    as_planned, more, less = try_out(
        planned, 1800, Wish(180, patience_s=120), ["agents=+2", "agents=-2,calls=+10%"]
    )
    assert as_planned.name == "as planned"
    # Twelve agents: 6.2 % hang up, whatever the distribution of handle times within a few percent.
    assert as_planned.abandonment == pytest.approx(0.0616, abs=0.012)
    assert as_planned.service_level == pytest.approx(planned[0].service_level, abs=0.03)
    assert as_planned.calls == more.calls < less.calls
    assert more.service_level > as_planned.service_level > less.service_level
    assert len(as_planned.intervals) == 12
    again, *_ = try_out(planned, 1800, Wish(180, patience_s=120), [])
    assert again == as_planned


def test_what_cannot_be_tried() -> None:
    with pytest.raises(UsageError, match="none is given"):
        try_out(needs(10), 1800, Wish(180), ["patience=+10"])
    with pytest.raises(UsageError, match="must stay above 0"):
        try_out(needs(10), 1800, Wish(180), ["aht=0"])
    for calls, change in ((300_000, "agents=1"), (10, "agents=999999999"), (10, "calls=+99999999%")):
        with pytest.raises(UsageError, match="more than 200000 calls or 20000 agents"):
            try_out(needs(calls, wish=Wish(10)), 1800, Wish(10), [change])


@pytest.mark.parametrize(("name", "begins"), [("plan.png", b"\x89PNG"), ("plan.svg", b"<?xml")])
def test_the_picture(tmp_path: Path, name: str, begins: bytes) -> None:
    wish = Wish(180, patience_s=120, shrinkage=0.3)
    planned = needs(20, 40, 0, wish=wish)
    outcomes = try_out(planned, 1800, wish, ["agents=+1"])
    draw(tmp_path / name, planned, timedelta(minutes=30), 0.8, outcomes, "sales")
    assert (tmp_path / name).read_bytes().startswith(begins)


def test_a_picture_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"plan.gif must end with .png or .svg"):
        draw(tmp_path / "plan.gif", needs(1), timedelta(minutes=30), 0.8, [], "")
    with pytest.raises(UsageError, match="No such file"):
        draw(tmp_path / "no" / "plan.png", needs(1), timedelta(minutes=30), 0.8, [], "")


# Calls from a file.


def write(folder: Path, text: str) -> Path:
    path = folder / "calls.csv"
    path.write_text(text)
    return path


def test_calls_are_counted_by_local_day_and_interval(tmp_path: Path) -> None:
    rows = ("2026-03-02T09:00,5,sales", "2026-03-02T09:30,7,sales", "", "2026-03-02T08:00Z,2,billing")
    path = write(tmp_path, "\n".join(["start,calls,queue", *rows, ""]))
    (day, counts), *others = read_csv(path, 30, BERLIN).items()
    assert (day.isoformat(), counts[18], counts[19], sum(counts), others) == ("2026-03-02", 7, 7, 14, [])
    assert sum(read_csv(path, 30, BERLIN, "billing")[day]) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"calls.csv:1: there is no column calls, start"),
        ("start,calls\n", "calls.csv: there are no calls in it"),
        ("start,calls\n2026-03-02T09:00,5\nmonday,5\n", "calls.csv:3: 'monday' is no time"),
        ("start,calls\n2026-03-02T09:00,many\n", "calls.csv:2: 'many' is no number of calls"),
        ("start,calls\n2026-03-02T09:00,-1\n", "calls.csv:2: '-1' is no number of calls"),
        ("start,calls\n2026-03-02T09:00,nan\n", "calls.csv:2: 'nan' is no number of calls"),
        (
            "start,calls\n2026-03-02T09:10,1\n",
            "calls.csv:2: 2026-03-02T09:10 is not at a border of 30 minutes",
        ),
        ("start,calls\n2026-03-02T09:00,1,2\n", "calls.csv:2: 3 fields where 2 are named"),
        ("start,calls\n" + "x" * 2000, "calls.csv:2: is longer than 1000 characters"),
        ('start,calls\n"2026', "is no CSV"),
    ],
)
def test_what_is_wrong_with_a_file(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_csv(write(tmp_path, text), 30, BERLIN)


def test_a_file_that_is_not_there_or_not_text(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_csv(tmp_path / "none.csv", 30, BERLIN)
    with pytest.raises(UsageError, match="Is a directory"):
        read_csv(tmp_path, 30, BERLIN)
    (tmp_path / "sound.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="is not UTF-8 text"):
        read_csv(tmp_path / "sound.csv", 30, BERLIN)
    with pytest.raises(UsageError, match="there is no column queue"):
        read_csv(write(tmp_path, "start,calls\n2026-03-02T09:00,5\n"), 30, BERLIN, "sales")
