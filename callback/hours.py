"""When a queue is open, and when the customer's own clock allows to dial. Pure; instants are UTC."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

MINUTES_OF_DAY = 24 * 60
HORIZON = timedelta(days=400)
"""Who may not be dialled within this will never be."""


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """From ``start`` to ``end``, which does not belong to it."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Calendar:
    """When it is open: periods in order that neither overlap nor touch; ``None`` is always."""

    periods: tuple[Period, ...] | None = None

    def at(self, now: datetime) -> Period | None:
        """The open period around ``now``; ``None`` when closed."""
        if self.periods is None:
            return Period(datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
        number = bisect_right(self.periods, now, key=lambda period: period.start) - 1
        return self.periods[number] if number >= 0 and now < self.periods[number].end else None

    def later(self, now: datetime) -> Period | None:
        """The first period that begins after ``now``."""
        if self.periods is None:
            return None
        number = bisect_right(self.periods, now, key=lambda period: period.start)
        return self.periods[number] if number < len(self.periods) else None

    def before(self, now: datetime) -> Period | None:
        """The last period that was over by ``now``."""
        ended = [period for period in self.periods or () if period.end <= now]
        return ended[-1] if ended else None

    def opening(self, now: datetime) -> datetime | None:
        """``now`` when open, else when it opens next; ``None`` where it is not known to open again."""
        if self.at(now) is not None:
            return now
        later = self.later(now)
        return None if later is None else later.start

    def without(self, closed: Period) -> "Calendar":
        """The same, but closed meanwhile; one that was always open is so from the day before ``closed``."""
        day = timedelta(days=1)
        whole = self.periods
        if whole is None:
            whole = (Period(closed.start - day, max(closed.end, closed.start + HORIZON)),)
        return Calendar(tuple(_cut(whole, closed)))


ALWAYS = Calendar()


def _cut(periods: Sequence[Period], closed: Period) -> Iterable[Period]:
    for period in periods:
        if closed.end <= period.start or period.end <= closed.start:
            yield period
            continue
        if period.start < closed.start:
            yield Period(period.start, closed.start)
        if closed.end < period.end:
            yield Period(closed.end, period.end)


@dataclass(frozen=True, slots=True)
class Dialling:
    """Customers are dialled from minute ``since`` to minute ``until`` (not included) of their own day."""

    since: int = 0
    until: int = MINUTES_OF_DAY

    def allows(self, now: datetime, zone: str) -> bool:
        """Whether the customer's clock shows a minute in which they may be dialled."""
        local = now.astimezone(zone_named(zone))
        return self.since <= local.hour * 60 + local.minute < self.until

    def begins(self, now: datetime, zone: str) -> datetime:
        """``now`` if it is allowed, else when the customer's clock says so next."""
        if self.allows(now, zone):
            return now
        clock = zone_named(zone)
        today = now.astimezone(clock).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
        wall = (today + timedelta(days=days, minutes=self.since) for days in range(3))
        return min(at for local in wall if (at := resolve(local, clock)) > now)


ANY_TIME = Dialling()


def resolve(local: datetime, zone: tzinfo) -> datetime:
    """The instant at which the zone's wall clock first shows ``local``, or has first gone past it.

    Where clocks go forward over it that is the first instant afterwards; where they go back and show it
    twice, the first time counts.
    """
    early = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if early.astimezone(zone).replace(tzinfo=None) == local:
        return early
    # The clock skips it: the change lies between what the offsets after and before make of it.
    after = early.replace(microsecond=0)
    before = local.replace(tzinfo=zone, fold=1, microsecond=0).astimezone(UTC)
    offset = after.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = (before + (after - before) / 2).replace(microsecond=0)
        middle = max(middle, before + timedelta(seconds=1))
        if middle.astimezone(zone).utcoffset() == offset:
            after = middle
        else:
            before = middle
    return after


def zone_named(name: str) -> tzinfo:
    """The zone of an IANA name; UTC for a name that the zone data no longer know."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def first_chance(calendar: Calendar, dialling: Dialling, zone: str, now: datetime) -> datetime | None:
    """The first instant from ``now`` on when it is open and the customer may be dialled; ``None``: never."""
    at = now
    while at - now < HORIZON:
        opening = calendar.opening(at)
        if opening is None:
            return None
        at = dialling.begins(opening, zone)
        if at == opening:
            return at
    return None
