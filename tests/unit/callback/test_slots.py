"""Times to choose from: buckets on the wall clock, in open hours, with room."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callback import slots
from callback.errors import RefusedError
from callback.hours import Calendar, Dialling, Period
from callback.policy import Rules, SlotRules
from callback.refusal import Refusal
from callback.request import Slot
from support.callbacks import at

NOW = at("2026-03-04T08:20")
OPEN = Calendar(
    (
        Period(at("2026-03-04T09:10"), at("2026-03-04T12:00")),
        Period(at("2026-03-05T09:00"), at("2026-03-05T17:00")),
    )
)


def rules(calendar: Calendar = OPEN, **values: object) -> Rules:
    return Rules(calendar=calendar, slots=SlotRules(**{"minutes": 60, **values}))  # type: ignore[arg-type]


def starts(found: list[Slot]) -> list[str]:
    return [slot.start.strftime("%d %H:%M") for slot in found]


def grid(made: Rules, zone: str = "UTC", now: datetime = NOW) -> list[Slot]:
    return slots.grid(made, zone, now, now, now + timedelta(days=30))


def test_whole_buckets_in_open_hours_only() -> None:
    assert starts(grid(rules())) == ["04 10:00", "04 11:00", *(f"05 {hour:02}:00" for hour in range(9, 17))]
    assert all(slot.end - slot.start == timedelta(hours=1) for slot in grid(rules()))


def test_not_before_the_lead_time_nor_beyond_the_days() -> None:
    assert starts(grid(rules(lead_s=6001)))[0] == "04 11:00"
    assert starts(grid(rules(days=1))) == ["04 10:00", "04 11:00"]


def test_only_when_the_customer_may_be_dialled() -> None:
    made = Rules(calendar=OPEN, slots=SlotRules(minutes=60), dialling=Dialling(8 * 60, 21 * 60))
    assert starts(grid(made, "America/New_York")) == ["05 13:00", "05 14:00", "05 15:00", "05 16:00"]
    assert starts(grid(made, "Asia/Tokyo")) == ["04 10:00", "04 11:00", "05 09:00", "05 10:00", "05 11:00"]


@pytest.mark.parametrize("minutes", [5, 10, 15, 20, 30, 60, 120])
def test_buckets_begin_where_the_wall_clock_is_round(minutes: int) -> None:
    made = Rules(slots=SlotRules(minutes=minutes, days=2, zone="Asia/Kolkata"))
    for slot in grid(made):
        local = slot.start.astimezone(ZoneInfo("Asia/Kolkata"))
        assert (local.hour * 60 + local.minute) % minutes == 0
        assert slot.end - slot.start == timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("zone", "day", "minutes", "expected"),
    [
        # The hour from 2 to 3 never comes.
        ("Europe/Berlin", "2026-03-29", 60, ["01:00 60", "03:00 60"]),
        ("Europe/Berlin", "2026-03-29", 120, ["00:00 120", "03:00 60", "04:00 120"]),
        # It comes twice and has its slots the first time.
        ("Europe/Berlin", "2026-10-25", 30, ["01:30 30", "02:00 30", "02:30 30", "03:00 30"]),
        ("America/New_York", "2026-11-01", 60, ["00:00 60", "01:00 60", "02:00 60"]),
        # Half an hour.
        ("Australia/Lord_Howe", "2026-10-04", 60, ["01:00 60", "02:30 30", "03:00 60"]),
        ("Australia/Lord_Howe", "2026-04-05", 60, ["00:00 60", "01:00 60", "02:00 60"]),
        ("Asia/Tokyo", "2026-03-29", 60, ["01:00 60", "02:00 60", "03:00 60"]),
    ],
)
def test_on_days_when_clocks_are_changed(zone: str, day: str, minutes: int, expected: list[str]) -> None:
    made = Rules(slots=SlotRules(minutes=minutes, zone=zone, lead_s=0))
    midnight = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone))
    found = slots.grid(made, zone, midnight.astimezone(UTC), midnight, midnight + timedelta(hours=6))
    shown = [
        f"{slot.start.astimezone(ZoneInfo(zone)):%H:%M} {(slot.end - slot.start).seconds // 60}"
        for slot in found
    ]
    first = shown.index(expected[0])
    assert shown[first : first + len(expected)] == expected


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC)),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Tokyo"]),
    st.sampled_from([5, 15, 60, 120]),
)
def test_slots_never_overlap_and_every_one_can_be_chosen(now: datetime, zone: str, minutes: int) -> None:
    made = Rules(slots=SlotRules(minutes=minutes, zone=zone, days=2, lead_s=900))
    found = grid(made, zone, now)
    for one, other in pairwise(found):
        assert one.end <= other.start
    for slot in found[:: max(1, len(found) // 8)]:
        assert slots.bucket(slot.start, made, zone, now) == slot


@pytest.mark.parametrize(
    ("start", "refusal"),
    [
        ("2026-03-04T08:00", Refusal.SLOT_PAST),
        ("2026-03-04T08:30", Refusal.TOO_EARLY),
        ("2026-03-04T09:00", Refusal.CLOSED),
        ("2026-03-04T10:30", Refusal.SLOT_UNKNOWN),
        ("2026-03-04T10:00:01", Refusal.SLOT_UNKNOWN),
        ("2026-03-04T12:00", Refusal.CLOSED),
        ("2026-05-04T10:00", Refusal.SLOT_TOO_FAR),
    ],
)
def test_why_a_time_cannot_be_chosen(start: str, refusal: Refusal) -> None:
    with pytest.raises(RefusedError) as caught:
        slots.bucket(at(start), rules(), "UTC", NOW)
    assert (caught.value.refusal, caught.value.field) == (refusal, "slot")


def test_a_chosen_time_out_of_the_customers_hours() -> None:
    made = Rules(calendar=OPEN, slots=SlotRules(minutes=60), dialling=Dialling(8 * 60, 21 * 60))
    with pytest.raises(RefusedError) as caught:
        slots.bucket(at("2026-03-04T10:00"), made, "America/New_York", NOW)
    assert caught.value.refusal is Refusal.CLOSED


def test_what_is_left_in_each() -> None:
    found = slots.with_free(grid(rules())[:3], {at("2026-03-04T10:00"): 1, at("2026-03-04T11:00"): 3})
    assert [(slot.capacity, slot.free) for slot in found] == [(2, 1), (2, 0), (2, 2)]


def test_slot_full_the_nearest_free_ones_are_offered() -> None:
    taken = dict.fromkeys((at(f"2026-03-05T{hour:02}:00") for hour in (10, 11, 12)), 2)
    found = slots.with_free(grid(rules()), taken)
    assert starts(slots.nearest(found, at("2026-03-05T11:00"))) == ["05 09:00", "05 13:00", "05 14:00"]
    assert starts(slots.nearest(found, at("2026-03-05T12:00"), 1)) == ["05 13:00"]
    assert slots.nearest([], NOW) == []


def test_clock_change_a_chosen_time_in_the_gap_and_in_the_overlap() -> None:
    assert slots.chosen(datetime(2026, 3, 29, 2, 30), "Europe/Berlin") == at("2026-03-29T01:00")
    assert slots.chosen(datetime(2026, 10, 25, 2, 30), "Europe/Berlin") == at("2026-10-25T00:30")


def test_times_at_the_ends_of_all_calendars() -> None:
    for local in (datetime.min, datetime.max):
        for zone in ("Asia/Tokyo", "America/New_York"):
            with pytest.raises(RefusedError):
                slots.bucket(slots.chosen(local, zone), rules(), zone, NOW)


def test_clock_change_times_follow_the_zones_new_rules() -> None:
    local = datetime(2026, 7, 1, 10, 0)
    assert slots.drifted(at("2026-07-01T08:00"), local, "Europe/Berlin") is None
    # Stored when summer time was thought to be gone by then.
    assert slots.drifted(at("2026-07-01T09:00"), local, "Europe/Berlin") == at("2026-07-01T08:00")


def test_zones_have_to_exist() -> None:
    assert slots.known_zone("Asia/Tokyo") == "Asia/Tokyo"
    for name in ("Mars/Olympus", "", "../etc/passwd", "Europe", "\0"):
        with pytest.raises(RefusedError) as caught:
            slots.known_zone(name)
        assert caught.value.refusal is Refusal.ZONE_UNKNOWN
