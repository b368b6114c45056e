"""Intervals follow the days of the reporting zone, and every instant lies in exactly one."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcenter.errors import ConfigError, UsageError
from callcenter.reports.intervals import (
    Interval,
    Window,
    locate,
    midnight,
    parse_interval,
    parse_range,
    reporting_zone,
    windows,
)

BERLIN = ZoneInfo("Europe/Berlin")
TOKYO = ZoneInfo("Asia/Tokyo")
NOW = datetime(2025, 3, 3, 18, 30, tzinfo=UTC)
ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kathmandu",  # +05:45
    "Australia/Lord_Howe",  # changes by half an hour
    "America/Sao_Paulo",  # changed at midnight
    "America/St_Johns",  # changed at one minute past midnight
    "Pacific/Apia",  # skipped a day
]


def day(zone: ZoneInfo, year: int, month: int, number: int) -> tuple[datetime, datetime]:
    first = date(year, month, number)
    return midnight(first, zone), midnight(first + timedelta(days=1), zone)


@pytest.mark.parametrize(
    ("month", "number", "hours"), [(3, 29, 24), (3, 30, 23), (3, 31, 24), (10, 26, 25), (10, 27, 24)]
)
def test_a_day_with_a_clock_change_has_23_or_25_hours(month: int, number: int, hours: int) -> None:
    since, until = day(BERLIN, 2025, month, number)
    assert until - since == timedelta(hours=hours)
    counts = {interval: len(windows(since, until, interval, BERLIN)) for interval in Interval}
    assert counts == {"15": 4 * hours, "30": 2 * hours, "60": hours, "day": 1}


def test_days_begin_at_local_midnight() -> None:
    since, until = datetime(2025, 3, 28, 23, tzinfo=UTC), datetime(2025, 3, 31, 22, tzinfo=UTC)
    assert windows(since, until, Interval.DAY, BERLIN) == (
        Window(since, datetime(2025, 3, 29, 23, tzinfo=UTC)),
        Window(datetime(2025, 3, 29, 23, tzinfo=UTC), datetime(2025, 3, 30, 22, tzinfo=UTC)),
        Window(datetime(2025, 3, 30, 22, tzinfo=UTC), until),
    )


def test_the_hour_that_comes_twice_is_two_intervals() -> None:
    since, until = day(BERLIN, 2025, 10, 26)
    hours = [window.start.astimezone(BERLIN).hour for window in windows(since, until, Interval.HOUR, BERLIN)]
    assert hours[:5] == [0, 1, 2, 2, 3]


def test_a_zone_off_the_hour_has_its_own_half_hours() -> None:
    zone = ZoneInfo("Asia/Kathmandu")
    starts = [window.start for window in windows(*day(zone, 2025, 3, 3), Interval.HALF_HOUR, zone)]
    assert {start.astimezone(zone).minute for start in starts} == {0, 30}


def test_a_range_off_the_border_is_cut_short_at_both_ends() -> None:
    since, until = NOW + timedelta(minutes=7), NOW + timedelta(minutes=40)
    borders = [(w.start - NOW, w.end - NOW) for w in windows(since, until, Interval.QUARTER_HOUR, TOKYO)]
    minutes = [(start.total_seconds() / 60, end.total_seconds() / 60) for start, end in borders]
    assert minutes == [(7, 15), (15, 30), (30, 40)]


def test_a_skipped_day_is_no_interval() -> None:
    zone = ZoneInfo("Pacific/Apia")
    cut = windows(midnight(date(2011, 12, 29), zone), midnight(date(2012, 1, 1), zone), Interval.DAY, zone)
    assert [window.start.astimezone(zone).day for window in cut] == [29, 31]


def test_windows_are_half_open() -> None:
    cut = windows(NOW, NOW + timedelta(hours=1), Interval.HALF_HOUR, BERLIN)
    places = [locate(cut, NOW + timedelta(minutes=minutes)) for minutes in (-1, 0, 29, 30, 59, 60)]
    assert places == [None, 0, 0, 1, 1, None]
    assert locate((), NOW) is None


def test_an_empty_range_has_no_windows() -> None:
    assert windows(NOW, NOW, Interval.DAY, BERLIN) == ()


def test_too_many_intervals_are_refused() -> None:
    with pytest.raises(UsageError, match="longer interval"):
        windows(NOW, NOW + timedelta(days=365), Interval.QUARTER_HOUR, BERLIN)


@given(
    st.sampled_from(ZONES),
    st.sampled_from(Interval),
    st.datetimes(datetime(1987, 1, 1), datetime(2030, 1, 1)),
    st.integers(1, 4 * 86_400),
)
def test_windows_cover_the_range_without_gap_or_overlap(
    name: str, interval: Interval, start: datetime, length_s: int
) -> None:
    zone, since = ZoneInfo(name), start.replace(tzinfo=UTC)
    until = since + timedelta(seconds=length_s)
    cut = windows(since, until, interval, zone)
    assert (cut[0].start, cut[-1].end) == (since, until)
    assert all(before.end == after.start for before, after in pairwise(cut))
    assert all(window.start < window.end for window in cut)
    longest = interval.step or timedelta(hours=25)
    assert all(window.end - window.start <= longest for window in cut)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/St_Johns", "America/Sao_Paulo", "Pacific/Apia"])
def test_midnights_rise_through_every_clock_change(zone: str) -> None:
    days = [midnight(date(2006, 1, 1) + timedelta(days=n), ZoneInfo(zone)) for n in range(2200)]
    steps = {after - before for before, after in pairwise(days)}
    assert min(steps) >= timedelta(0)
    assert max(steps) <= timedelta(hours=25)


@pytest.mark.parametrize(
    ("from_", "to", "since", "until"),
    [
        (None, None, "2025-03-02T23:00", "2025-03-03T23:00"),
        ("today", "today", "2025-03-02T23:00", "2025-03-03T23:00"),
        ("yesterday", "yesterday", "2025-03-01T23:00", "2025-03-02T23:00"),
        ("yesterday", None, "2025-03-01T23:00", "2025-03-03T23:00"),
        ("2025-01-31", "2025-01-31", "2025-01-30T23:00", "2025-01-31T23:00"),
        ("2025-03-30", "2025-03-30", "2025-03-29T23:00", "2025-03-30T22:00"),
        ("2025-03-03T09:30", "2025-03-03T10:00", "2025-03-03T08:30", "2025-03-03T09:00"),
        ("2025-03-03T09:30Z", "2025-03-03 10:00+00:00", "2025-03-03T09:30", "2025-03-03T10:00"),
    ],
)
def test_a_range_is_read_in_the_reporting_zone(
    from_: str | None, to: str | None, since: str, until: str
) -> None:
    expected = tuple(datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (since, until))
    assert parse_range(from_, to, BERLIN, NOW) == expected


def test_today_is_the_day_of_the_reporting_zone() -> None:
    assert parse_range("today", None, TOKYO, NOW)[0] == datetime(2025, 3, 3, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("from_", "to", "problem"),
    [
        ("tomorow", None, "from: 'tomorow' is no date"),
        ("2025-02-30", None, "from: '2025-02-30' is no date"),
        ("2025-03-01", "03/04/2025", "to: '03/04/2025' is no date"),
        ("2025-03-02", "2025-03-01", "the range is empty: from 2025-03-02 to 2025-03-01"),
        ("2025-03-02T10:00", "2025-03-02T10:00", "the range is empty"),
        ("2026-01-01", None, "the range is empty: from 2026-01-01 to today"),
        ("today", "9999-12-31", "to: '9999-12-31' is out of range"),
        ("0001-01-01", "today", "from: '0001-01-01' is out of range"),
        ("0001-01-01T00:00", "today", "from: '0001-01-01T00:00' is out of range"),
    ],
)
def test_a_wrong_range_is_one_clear_line(from_: str, to: str | None, problem: str) -> None:
    with pytest.raises(UsageError, match="^" + problem) as caught:
        parse_range(from_, to, BERLIN, NOW)
    assert "\n" not in str(caught.value)


def test_wrong_intervals_and_zones_are_named() -> None:
    assert parse_interval("30") is Interval.HALF_HOUR
    with pytest.raises(UsageError, match=r"'45' \(one of 15, 30, 60, day\)"):
        parse_interval("45")
    for name in ("Mars/Base", "", "../etc", "Europe"):
        with pytest.raises(ConfigError, match=r"metrics\.timezone"):
            reporting_zone(name)
