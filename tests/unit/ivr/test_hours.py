from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from ivr import Hours


def hours(zone: str, weekly: Any, holidays: Any = ()) -> Hours:
    return Hours.model_validate({"zone": zone, "weekly": weekly, "holidays": list(holidays)})


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


OFFICE = hours(
    "Europe/Berlin",
    [
        {"days": "mon-fri", "from": "09:00", "to": "12:00"},
        {"days": "mon-thu", "from": "13:00", "to": "17:30"},
    ],
    ["2025-04-18", {"from": "2025-12-24", "to": "2025-12-26"}],
)


@pytest.mark.parametrize(
    ("instant", "is_open"),
    [
        ("2025-01-08T07:59:59+00:00", False),  # Wednesday, 08:59:59 in winter
        ("2025-01-08T08:00:00+00:00", True),
        ("2025-07-09T06:59:59+00:00", False),  # 08:59:59 in summer
        ("2025-07-09T07:00:00+00:00", True),
        ("2025-01-08T10:59:59+00:00", True),
        ("2025-01-08T11:00:00+00:00", False),  # the end does not belong to it
        ("2025-01-08T12:30:00+00:00", True),
        ("2025-01-10T12:30:00+00:00", False),  # Friday afternoon
        ("2025-01-11T09:00:00+00:00", False),  # Saturday
        ("2025-01-08T03:30:00-05:00", True),  # the same instant from elsewhere
    ],
)
def test_the_plan_is_read_on_the_wall_clock_of_the_zone(instant: str, is_open: bool) -> None:
    assert OFFICE.open(at(instant)) is is_open


@pytest.mark.parametrize(
    ("instant", "is_open"),
    [
        ("2025-04-17T10:00:00+02:00", True),
        ("2025-04-18T10:00:00+02:00", False),
        ("2025-12-23T23:30:00+00:00", False),  # already the 24th in Berlin, and night
        ("2025-12-24T10:00:00+01:00", False),
        ("2025-12-26T10:00:00+01:00", False),
        ("2025-12-29T10:00:00+01:00", True),
    ],
)
def test_holidays_are_days_of_the_zone_and_ranges_include_both_ends(instant: str, is_open: bool) -> None:
    assert OFFICE.open(at(instant)) is is_open


def test_a_holiday_begins_at_midnight_of_the_zone() -> None:
    around_the_clock = hours(
        "Asia/Tokyo", [{"days": "mon-sun", "from": "0:00", "to": "24:00"}], ["2025-01-01"]
    )
    assert around_the_clock.open(at("2024-12-31T14:59:59+00:00"))
    assert not around_the_clock.open(at("2024-12-31T15:00:00+00:00"))
    assert not around_the_clock.open(at("2025-01-01T14:59:59+00:00"))
    assert around_the_clock.open(at("2025-01-01T15:00:00+00:00"))


def open_minutes(plan: Hours, first: datetime, last: datetime) -> int:
    return sum(
        plan.open(first + timedelta(minutes=m)) for m in range(int((last - first).total_seconds()) // 60)
    )


def test_an_hour_that_the_clock_skips_is_not_open() -> None:
    plan = hours("Europe/Berlin", [{"days": "sun", "from": "02:00", "to": "04:00"}])
    day = datetime(2025, 3, 30, tzinfo=UTC)  # 02:00 to 03:00 do not exist
    assert open_minutes(plan, day - timedelta(hours=1), day + timedelta(hours=23)) == 60
    assert not plan.open(at("2025-03-30T00:59:59+00:00"))
    assert plan.open(at("2025-03-30T01:00:00+00:00"))  # 03:00
    assert not plan.open(at("2025-03-30T02:00:00+00:00"))  # 04:00


def test_an_hour_that_the_clock_repeats_is_open_twice() -> None:
    plan = hours("Europe/Berlin", [{"days": "sun", "from": "02:00", "to": "03:00"}])
    day = datetime(2025, 10, 26, tzinfo=UTC)  # 02:00 to 03:00 come twice
    assert open_minutes(plan, day - timedelta(hours=2), day + timedelta(hours=22)) == 120
    assert plan.open(at("2025-10-26T00:30:00+00:00"))
    assert plan.open(at("2025-10-26T01:30:00+00:00"))
    assert not plan.open(at("2025-10-26T02:00:00+00:00"))


def test_half_an_hour_of_daylight_saving() -> None:
    plan = hours("Australia/Lord_Howe", [{"days": "mon-sun", "from": "01:30", "to": "02:00"}])
    day = datetime(2025, 4, 5, 13, 30, tzinfo=UTC)  # the clock goes from 02:00 back to 01:30
    assert open_minutes(plan, day - timedelta(hours=6), day + timedelta(hours=6)) == 60


def test_an_empty_plan_is_always_closed() -> None:
    assert not hours("Etc/UTC", []).open(at("2025-01-08T12:00:00+00:00"))


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ("mon", (0,)),
        ("mon-sun", (0, 1, 2, 3, 4, 5, 6)),
        ("Sat-Mon", (0, 5, 6)),
        ("mon, wed-fri", (0, 2, 3, 4)),
        (["tue", "thu"], (1, 3)),
    ],
)
def test_days(days: Any, expected: tuple[int, ...]) -> None:
    plan = hours("Etc/UTC", [{"days": days, "from": "1:00", "to": "2:00"}])
    assert plan.weekly[0].days == expected


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time with a time zone"):
        OFFICE.open(datetime(2025, 1, 8, 12))


def test_a_fixed_offset_will_do() -> None:
    assert OFFICE.open(datetime(2025, 1, 8, 18, 30, tzinfo=timezone(timedelta(hours=9))))


# What is open between two instants.


def minutes_of(periods: list[tuple[datetime, datetime]]) -> int:
    return sum(int((last - first).total_seconds()) // 60 for first, last in periods)


def test_the_periods_of_a_week() -> None:
    found = OFFICE.periods(at("2025-04-16T00:00:00+00:00"), at("2025-04-22T00:00:00+00:00"))
    assert [(first.isoformat()[5:16], last.isoformat()[5:16]) for first, last in found] == [
        ("04-16T07:00", "04-16T10:00"),
        ("04-16T11:00", "04-16T15:30"),
        ("04-17T07:00", "04-17T10:00"),
        ("04-17T11:00", "04-17T15:30"),
        # A holiday, and the weekend.
        ("04-21T07:00", "04-21T10:00"),
        ("04-21T11:00", "04-21T15:30"),
    ]


def test_periods_are_cut_at_both_ends_and_joined_where_they_touch() -> None:
    around = hours(
        "Asia/Tokyo",
        [
            {"days": "mon-sun", "from": "00:00", "to": "12:00"},
            {"days": "mon-sun", "from": "12:00", "to": "24:00"},
        ],
    )
    since, until = at("2025-03-01T05:00:00+00:00"), at("2025-03-09T06:00:00+00:00")
    assert around.periods(since, until) == [(since, until)]
    assert around.periods(until, since) == []
    assert hours("Asia/Tokyo", []).periods(since, until) == []
    with pytest.raises(ValueError, match="time zone"):
        around.periods(since.replace(tzinfo=None), until)


@pytest.mark.parametrize(
    ("zone", "day", "opens", "closes"),
    [
        ("Europe/Berlin", "2025-03-30", "02:00", "04:00"),
        ("Europe/Berlin", "2025-03-30", "02:30", "02:45"),
        ("Europe/Berlin", "2025-10-26", "02:00", "02:45"),
        ("Europe/Berlin", "2025-10-26", "00:00", "24:00"),
        ("America/New_York", "2025-03-09", "01:30", "03:30"),
        ("America/New_York", "2025-11-02", "00:30", "01:30"),
        ("Australia/Lord_Howe", "2025-10-05", "01:45", "02:45"),
        ("Australia/Lord_Howe", "2025-04-06", "01:15", "01:45"),
        ("Asia/Tokyo", "2025-03-30", "02:00", "04:00"),
    ],
)
def test_periods_and_the_plan_say_the_same_when_clocks_are_changed(
    zone: str, day: str, opens: str, closes: str
) -> None:
    plan = hours(zone, [{"days": "mon-sun", "from": opens, "to": closes}])
    since = at(f"{day}T00:00:00+00:00") - timedelta(days=2)
    until = since + timedelta(days=4)
    found = plan.periods(since, until)
    assert minutes_of(found) == open_minutes(plan, since, until)
    for first, last in found:
        assert plan.open(first)
        assert plan.open(last - timedelta(seconds=1))
        assert first == since or not plan.open(first - timedelta(seconds=1))
        assert last == until or not plan.open(last)
