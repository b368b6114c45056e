"""Times that customers choose from, buckets on the wall clock of the queue's zone. Pure; instants are UTC."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime, time, timedelta, tzinfo
from itertools import pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from callback.errors import RefusedError
from callback.hours import MINUTES_OF_DAY, resolve, zone_named
from callback.refusal import Refusal
from callback.request import Slot
from callback.rules import Rules

NEAREST = 3
DAY = timedelta(days=1)


def known_zone(name: str) -> str:
    """The name of a time zone; raises ``RefusedError`` for one that there is not."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise RefusedError(Refusal.ZONE_UNKNOWN, "there is no such time zone", "zone") from None
    return name


def grid(rules: Rules, zone: str, now: datetime, since: datetime, until: datetime) -> list[Slot]:
    """The buckets that begin from ``since`` on and before ``until`` and may be chosen at ``now``.

    All of each lies in an open period and in the hours in which a customer of ``zone`` may be dialled. They
    begin no sooner than the lead time, no later than the days ahead.
    """
    first = max(since, now + timedelta(seconds=rules.slots.lead_s))
    last = min(until, now + timedelta(days=rules.slots.days))
    return [
        slot
        for slot in _buckets(rules, first, last)
        if first <= slot.start < last and fault(slot, rules, zone) is None
    ]


def bucket(start: datetime, rules: Rules, zone: str, now: datetime) -> Slot:
    """The bucket that begins at ``start``; raises ``RefusedError`` where it may not be chosen at ``now``."""
    if start <= now:
        raise RefusedError(Refusal.SLOT_PAST, "this time is over", "slot")
    if start < now + timedelta(seconds=rules.slots.lead_s):
        raise RefusedError(Refusal.TOO_EARLY, "this time is too soon", "slot")
    if start >= now + timedelta(days=rules.slots.days):
        raise RefusedError(Refusal.SLOT_TOO_FAR, "this time is too far ahead", "slot")
    slot = next((one for one in _buckets(rules, start, start) if one.start == start), None)
    if slot is None:
        raise RefusedError(Refusal.SLOT_UNKNOWN, "no callbacks are made at this time", "slot")
    refusal = fault(slot, rules, zone)
    if refusal is not None:
        raise RefusedError(refusal, "no callbacks are made at this time", "slot")
    return slot


def fault(slot: Slot, rules: Rules, zone: str) -> Refusal | None:
    """Why nobody is dialled in this bucket; ``None`` where customers of ``zone`` are."""
    period = rules.calendar.at(slot.start)
    if period is None or slot.end > period.end:
        return Refusal.CLOSED
    if not rules.dialling.allows(slot.start, zone):
        return Refusal.CLOSED
    return None if rules.dialling.allows(slot.end - timedelta(seconds=1), zone) else Refusal.CLOSED


def with_free(slots: Iterable[Slot], taken: Mapping[datetime, int]) -> list[Slot]:
    """The buckets with what is left in each, by how many places are taken in those that begin then."""
    return [replace(slot, free=max(slot.capacity - taken.get(slot.start, 0), 0)) for slot in slots]


def nearest(slots: Iterable[Slot], wanted: datetime, count: int = NEAREST) -> list[Slot]:
    """The free buckets that begin nearest to ``wanted``, in order of time; of two as near the earlier."""
    free = sorted(
        (slot for slot in slots if slot.free), key=lambda slot: (abs(slot.start - wanted), slot.start)
    )
    return sorted(free[:count], key=lambda slot: slot.start)


def chosen(local: datetime, zone: str) -> datetime:
    """The instant that somebody means who chose a time on the wall clock of ``zone``."""
    try:
        return resolve(local, zone_named(zone))
    except OverflowError:
        raise RefusedError(Refusal.SLOT_UNKNOWN, "there is no such time", "slot") from None


def drifted(start: datetime, local: datetime, zone: str) -> datetime | None:
    """Where a chosen time is now, if the zone's rules have changed since; ``None``: where it was."""
    now_at = chosen(local, zone)
    return None if now_at == start else now_at


def _buckets(rules: Rules, first: datetime, last: datetime) -> Iterator[Slot]:
    """All buckets of the days from ``first`` to ``last`` as the wall clock shows them, open or not.

    One on an hour that the clock skips is as much shorter; an hour that it shows twice has its buckets the
    first time.
    """
    settings = rules.slots
    zone = zone_named(settings.zone)
    day, end = first.astimezone(zone).date(), last.astimezone(zone).date()
    length = timedelta(minutes=settings.minutes)
    while day <= end:
        starts = _beginnings(day, settings.minutes, zone)
        for start, following in pairwise(starts):
            if start < following:
                yield Slot(start, min(start + length, following), settings.capacity, settings.capacity)
        day += DAY


def _beginnings(day: date, minutes: int, zone: tzinfo) -> list[datetime]:
    """When the buckets of a day begin, and when the last one ends."""
    midnight = datetime.combine(day, time())
    first, last = resolve(midnight, zone), resolve(midnight + DAY, zone)
    if last - first == DAY:
        return [first + timedelta(minutes=minute) for minute in range(0, MINUTES_OF_DAY + 1, minutes)]
    return [
        resolve(midnight + timedelta(minutes=minute), zone)
        for minute in range(0, MINUTES_OF_DAY + 1, minutes)
    ]
