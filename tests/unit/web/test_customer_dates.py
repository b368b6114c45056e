"""Dates and times as customers read them."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from callback.request import Slot
from callcenter.web.customer.choices import days, is_choice, start_of, written
from callcenter.web.customer.dates import NO_BREAK, Calendar, zone_of

NOW = datetime(2026, 11, 26, 13, 5, tzinfo=UTC)
NEXT_YEAR = datetime(2027, 1, 4, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)


def calendar(language: str = "en", zone: str = "Europe/Berlin", now: datetime = NOW) -> Calendar:
    return Calendar(language, ZoneInfo(zone), now)


def plain(text: str) -> str:
    return text.replace(NO_BREAK, " ")


def at(hour: int, minute: int = 0, day: int = 26, month: int = 11) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("language", "start", "end", "text"),
    [
        ("en", at(13, 15), at(13, 30), "Today, 2:15–2:30 pm"),
        ("en", at(10, 45), at(11, 0), "Today, 11:45 am–12:00 pm"),
        ("en", at(23, 0), at(23, 30), "Tomorrow, 12:00–12:30 am"),
        ("en", at(8, day=28), at(9, day=28), "Saturday 28 November, 9:00–10:00 am"),
        ("en", NEXT_YEAR, NEXT_YEAR + HOUR, "Monday 4 January 2027, 9:00–10:00 am"),
        ("en", at(13, 15), at(13, 15), "Today, 2:15 pm"),
        ("en", at(13, 15), at(9, day=27), "Today, 2:15 pm – tomorrow, 10:00 am"),
        ("en", at(22, 30), at(23, 30), "Today, 11:30 pm–12:30 am"),
        ("ja", at(13, 15), at(13, 30), "今日 14:15〜14:30"),
        ("ja", at(23, 5), at(23, 30), "明日 0:05〜0:30"),
        ("ja", at(8, day=28), at(9, day=28), "11月28日（土） 9:00〜10:00"),
        ("ja", NEXT_YEAR, NEXT_YEAR + HOUR, "2027年1月4日（月） 9:00〜10:00"),
    ],
)
def test_spans(language: str, start: datetime, end: datetime, text: str) -> None:
    assert plain(calendar(language).span(start, end)) == text


@pytest.mark.parametrize(
    ("language", "zone", "text"),
    [
        ("en", "Europe/Berlin", "Berlin time (UTC+1)"),
        ("en", "America/Argentina/Buenos_Aires", "Buenos Aires time (UTC−3)"),
        ("en", "Asia/Kolkata", "Kolkata time (UTC+5:30)"),
        ("en", "UTC", "UTC"),
        ("en", "Etc/GMT+5", "UTC−5"),
        ("en", "Europe/London", "London time (UTC)"),
        ("ja", "Asia/Tokyo", "日本時間（UTC+9）"),
        ("ja", "Europe/Berlin", "Europe/Berlin（UTC+1）"),
        ("ja", "Japan", "日本時間（UTC+9）"),
    ],
)
def test_zones_are_named(language: str, zone: str, text: str) -> None:
    assert calendar(language, zone).zone_name() == text


def test_the_zone_is_named_as_it_is_then() -> None:
    assert calendar().zone_name(at(12, day=1, month=7)) == "Berlin time (UTC+2)"


def test_inside_a_sentence_days_begin_small() -> None:
    assert plain(calendar().span(at(13, 15), at(13, 30), inside=True)) == "today, 2:15–2:30 pm"


@pytest.mark.parametrize("name", ["", "Nowhere/Land", "../../etc/passwd", "/etc/passwd", "Ü", "a" * 65, "\0"])
def test_what_is_no_zone(name: str) -> None:
    assert zone_of(name) is None


def test_free_times_come_by_day() -> None:
    slots = [Slot(at(hour), at(hour, 30), 2, free) for hour, free in ((12, 1), (11, 0), (13, 2), (23, 1))]
    found = days(slots, calendar(), lambda at_: f"/to/{at_}")
    assert [(day.near, day.title, day.free, len(day.times)) for day in found] == [
        ("Today", "Thursday 26 November", "2 times free", 2),
        ("Tomorrow", "Friday 27 November", "1 time free", 1),
    ]
    first = found[0].times[0]
    assert (plain(first.text), first.at, first.href) == (
        "1:00–1:30 pm",
        "2026-11-26T12:00:00Z",
        "/to/2026-11-26T12:00:00Z",
    )


def test_an_hour_that_comes_twice_is_told_apart() -> None:
    night = datetime(2026, 10, 25, 0, 0, tzinfo=UTC)
    slots = [Slot(night + timedelta(hours=n), night + timedelta(hours=n, minutes=30), 1, 1) for n in (0, 1)]
    (day,) = days(slots, calendar(now=night))
    assert [plain(time.text) for time in day.times] == ["2:00–2:30 am (UTC+2)", "2:00–2:30 am (UTC+1)"]


@pytest.mark.parametrize(
    "text", ["", "now", "2026-11-26", "2026-11-26T12:00", "2026-11-26T12:00Z" * 4, "１２"]
)
def test_what_is_no_choice(text: str) -> None:
    assert not is_choice(text)


@pytest.mark.parametrize("start", [None, at(12)])
def test_choices_are_read_as_they_are_written(start: datetime | None) -> None:
    assert is_choice(written(start))
    assert start_of(written(start)) == start
