"""Open periods and the customer's clock, around the days on which clocks are changed."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callback.hours import ALWAYS, Calendar, Dialling, Period, first_chance, resolve, zone_named
from support.callbacks import at

WEEK = Calendar(
    (
        Period(at("2026-03-04T09:00"), at("2026-03-04T17:00")),
        Period(at("2026-03-05T09:00"), at("2026-03-05T17:00")),
    )
)


def test_a_period_has_its_beginning_and_not_its_end() -> None:
    assert WEEK.at(at("2026-03-04T08:59:59")) is None
    assert WEEK.at(at("2026-03-04T09:00")) == WEEK.periods[0]  # type: ignore[index]
    assert WEEK.at(at("2026-03-04T17:00")) is None
    assert WEEK.opening(at("2026-03-04T12:00")) == at("2026-03-04T12:00")
    assert WEEK.opening(at("2026-03-04T17:00")) == at("2026-03-05T09:00")
    assert WEEK.opening(at("2026-03-05T17:00")) is None
    assert WEEK.later(at("2026-03-04T12:00")) == Period(at("2026-03-05T09:00"), at("2026-03-05T17:00"))
    assert WEEK.before(at("2026-03-04T12:00")) is None
    assert WEEK.before(at("2026-03-04T17:00")) == Period(at("2026-03-04T09:00"), at("2026-03-04T17:00"))
    assert Calendar(()).opening(at("2026-03-04T12:00")) is None


def test_always_open() -> None:
    now = at("2026-03-04T03:00")
    assert ALWAYS.at(now) is not None
    assert ALWAYS.opening(now) == now
    assert ALWAYS.later(now) is None
    assert ALWAYS.before(now) is None


def test_closed_meanwhile() -> None:
    lunch = Period(at("2026-03-04T12:00"), at("2026-03-05T10:00"))
    assert WEEK.without(lunch).periods == (
        Period(at("2026-03-04T09:00"), at("2026-03-04T12:00")),
        Period(at("2026-03-05T10:00"), at("2026-03-05T17:00")),
    )
    endless = Period(at("2026-03-04T12:00"), datetime.max.replace(tzinfo=UTC))
    assert WEEK.without(endless).periods == (Period(at("2026-03-04T09:00"), at("2026-03-04T12:00")),)
    assert ALWAYS.without(endless).opening(at("2026-03-04T12:00")) is None
    assert ALWAYS.without(lunch).opening(at("2026-03-04T12:00")) == at("2026-03-05T10:00")
    assert WEEK.without(Period(at("2026-03-06T00:00"), at("2026-03-07T00:00"))) == WEEK


@pytest.mark.parametrize(
    ("zone", "local", "instant"),
    [
        ("Europe/Berlin", "2026-03-29T01:59", "2026-03-29T00:59"),
        ("Europe/Berlin", "2026-03-29T02:00", "2026-03-29T01:00"),  # skipped: 03:00 on the clock
        ("Europe/Berlin", "2026-03-29T02:30", "2026-03-29T01:00"),
        ("Europe/Berlin", "2026-03-29T03:00", "2026-03-29T01:00"),
        ("Europe/Berlin", "2026-10-25T02:30", "2026-10-25T00:30"),  # twice: the first time
        ("Europe/Berlin", "2026-10-25T03:00", "2026-10-25T02:00"),
        ("America/New_York", "2026-03-08T02:15", "2026-03-08T07:00"),
        ("America/New_York", "2026-11-01T01:15", "2026-11-01T05:15"),
        ("Australia/Lord_Howe", "2026-10-04T02:10", "2026-10-03T15:30"),  # half an hour is skipped
        ("Australia/Lord_Howe", "2026-10-04T02:45", "2026-10-03T15:45"),
        ("Australia/Lord_Howe", "2026-04-05T01:45", "2026-04-04T14:45"),
        ("Asia/Tokyo", "2026-03-29T02:30", "2026-03-28T17:30"),
        ("Pacific/Apia", "2011-12-30T12:00", "2011-12-30T10:00"),  # a whole day that never was
    ],
)
def test_a_time_on_the_wall_clock(zone: str, local: str, instant: str) -> None:
    assert resolve(datetime.fromisoformat(local), ZoneInfo(zone)) == at(instant)


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Tokyo", "UTC"]),
)
def test_the_clock_shows_it_first_then(local: datetime, name: str) -> None:
    zone = ZoneInfo(name)
    found = resolve(local, zone)
    assert found.tzinfo is UTC
    shown = found.astimezone(zone).replace(tzinfo=None)
    assert shown >= local
    before = (found - timedelta(minutes=1)).astimezone(zone).replace(tzinfo=None)
    assert before < local
    assert shown == local or shown - local < timedelta(hours=1, seconds=1)


def test_customers_are_dialled_by_their_own_clock() -> None:
    hours = Dialling(8 * 60, 21 * 60)
    assert hours.allows(at("2026-03-04T13:00"), "America/New_York")
    assert not hours.allows(at("2026-03-04T12:59"), "America/New_York")
    assert not hours.allows(at("2026-03-04T13:00"), "America/Los_Angeles")
    assert hours.begins(at("2026-03-04T13:00"), "America/Los_Angeles") == at("2026-03-04T16:00")
    assert not hours.allows(at("2026-03-04T12:00"), "Asia/Tokyo")  # 21:00
    assert hours.begins(at("2026-03-04T12:00"), "Asia/Tokyo") == at("2026-03-04T23:00")
    assert hours.allows(at("2026-03-04T12:00"), "no such zone")  # as UTC


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
def test_dialling_hours_around_a_change_of_the_clock(zone: str) -> None:
    hours = Dialling(2 * 60 + 30, 21 * 60)
    clock = zone_named(zone)
    now = at("2026-01-01T00:00")
    while now < at("2026-12-31T00:00"):
        begins = hours.begins(now, zone)
        assert hours.allows(begins, zone)
        assert begins == now or begins.astimezone(clock).hour in (2, 3)
        now += timedelta(hours=7)


def test_the_first_chance_is_when_both_are_right() -> None:
    hours = Dialling(8 * 60, 21 * 60)
    assert first_chance(WEEK, hours, "UTC", at("2026-03-04T12:00")) == at("2026-03-04T12:00")
    assert first_chance(WEEK, hours, "America/New_York", at("2026-03-04T10:00")) == at("2026-03-04T13:00")
    assert first_chance(WEEK, hours, "Pacific/Auckland", at("2026-03-04T12:00")) is None  # only at its night
    assert first_chance(ALWAYS, hours, "Asia/Tokyo", at("2026-03-04T12:00")) == at("2026-03-04T23:00")
    assert first_chance(Calendar(()), hours, "UTC", at("2026-03-04T12:00")) is None
