"""Opening hours: a weekly plan on the wall clock of a time zone, less the holidays.

The plan is compared with what the clock on the office wall shows at an instant. So a change to or from
daylight saving time needs no rule of its own: the hour that is skipped never comes, and both passes of
the hour that is repeated are open or closed alike.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from ivr.part import Part, as_list, problem

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MINUTES_OF_DAY = 24 * 60

_PROBE = timedelta(hours=12)


def _minute(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    hour, _, minute = value.partition(":")
    if len(hour) not in (1, 2) or len(minute) != 2 or not (hour + minute).isdecimal() or not value.isascii():
        raise problem(f"{value!r} is not a time of day such as 09:30")
    total = int(hour) * 60 + int(minute)
    if int(minute) > 59 or total > MINUTES_OF_DAY:
        raise problem(f"{value!r} is not between 00:00 and 24:00")
    return total


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _days(value: Any) -> Any:
    if not isinstance(value, str | list):
        return value
    names = value if isinstance(value, list) else value.split(",")
    found: list[int] = []
    for name in names:
        first, dash, last = (step.strip().lower() for step in str(name).partition("-"))
        if first not in DAYS or (dash and last not in DAYS):
            raise problem(f"{name!r} is not a day or a range of days such as mon-fri")
        start, end = DAYS.index(first), DAYS.index(last if dash else first)
        found += [day % 7 for day in range(start, end + 1 if end >= start else end + 8)]
    if len(set(found)) < len(found):
        raise problem(f"{value!r} names a day twice")
    return tuple(sorted(found))


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise problem(f"no such time zone {name!r}; use an IANA name such as Europe/Berlin") from None
    return name


Minute = Annotated[int, BeforeValidator(_minute)]
Days = Annotated[tuple[int, ...], BeforeValidator(_days), Field(min_length=1)]


class Shift(Part):
    """Open from ``from`` to ``to`` (not included) on ``days``; minutes of the local day, 24:00 is its end."""

    days: Days
    opens: Minute = Field(alias="from")
    closes: Minute = Field(alias="to")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.closes <= self.opens:
            text = f"{_clock(self.closes)} is not after {_clock(self.opens)}; split a night at 24:00"
            raise problem(text, "to")
        return self

    def __str__(self) -> str:
        return f"{_clock(self.opens)}-{_clock(self.closes)}"


class Holidays(Part):
    """Closed from the first to the last day, both included; a bare date in the file is one day."""

    first: date = Field(alias="from")
    last: date = Field(alias="to")

    @model_validator(mode="before")
    @classmethod
    def _one_day(cls, value: Any) -> Any:
        return {"from": value, "to": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.last < self.first:
            raise problem(f"{self.last} is before {self.first}", "to")
        return self


class Hours(Part):
    """When something is open: ``zone`` is an IANA name, an empty ``weekly`` plan is always closed."""

    zone: Annotated[str, AfterValidator(_known_zone)]
    weekly: Annotated[tuple[Shift, ...], BeforeValidator(as_list)]
    holidays: Annotated[tuple[Holidays, ...], BeforeValidator(as_list)] = ()

    @field_validator("weekly")
    @classmethod
    def _no_overlap(cls, weekly: tuple[Shift, ...]) -> tuple[Shift, ...]:
        for day, name in enumerate(DAYS):
            shifts = sorted((shift.opens, index) for index, shift in enumerate(weekly) if day in shift.days)
            for (_, one), (opens, other) in pairwise(shifts):
                if opens < weekly[one].closes:
                    raise problem(f"{weekly[other]} overlaps {weekly[one]} on {name}", max(one, other))
        return weekly

    def open(self, now: datetime) -> bool:
        """Whether it is open at ``now``; raises ``ValueError`` for a ``now`` without a time zone."""
        if now.tzinfo is None:
            raise ValueError("opening hours need a time with a time zone")
        local = now.astimezone(ZoneInfo(self.zone))
        today = local.date()
        if any(holidays.first <= today <= holidays.last for holidays in self.holidays):
            return False
        minute = local.hour * 60 + local.minute
        return any(
            today.weekday() in shift.days and shift.opens <= minute < shift.closes for shift in self.weekly
        )

    def periods(self, since: datetime, until: datetime) -> list[tuple[datetime, datetime]]:
        """When it is open between two instants; ``open`` tells the same.

        UTC, in order; the ends do not belong to them, and what touches is one period. An hour that the
        clock repeats is in it twice, one that it skips is not. Raises ``ValueError`` without time zones.
        """
        if since.tzinfo is None or until.tzinfo is None:
            raise ValueError("opening hours need times with a time zone")
        found: list[tuple[datetime, datetime]] = []
        for start, end, offset in _stretches(
            ZoneInfo(self.zone), since.astimezone(UTC), until.astimezone(UTC)
        ):
            midnight = datetime.combine((start + offset).date(), time(), UTC) - offset
            while midnight < end:
                for opens, closes in self._shifts((midnight + offset).date()):
                    first = max(midnight + timedelta(minutes=opens), start)
                    last = min(midnight + timedelta(minutes=closes), end)
                    if first >= last:
                        continue
                    if found and found[-1][1] == first:
                        first = found.pop()[0]
                    found.append((first, last))
                midnight += timedelta(days=1)
        return found

    def _shifts(self, day: date) -> list[tuple[int, int]]:
        if any(holidays.first <= day <= holidays.last for holidays in self.holidays):
            return []
        return sorted((shift.opens, shift.closes) for shift in self.weekly if day.weekday() in shift.days)


def _stretches(
    zone: ZoneInfo, since: datetime, until: datetime
) -> Iterator[tuple[datetime, datetime, timedelta]]:
    """The time between two instants, divided where the zone's clock is put forward or back; with offsets."""
    start = since
    while start < until:
        offset = _offset(zone, start)
        probe = start
        while probe < until and _offset(zone, min(probe + _PROBE, until)) == offset:
            probe += _PROBE
        end = until
        if probe < until:
            end = _change(zone, probe, min(probe + _PROBE, until), offset)
        yield start, end, offset
        start = end


def _change(zone: ZoneInfo, before: datetime, after: datetime, offset: timedelta) -> datetime:
    """The whole second at which the offset, which is that of ``before``, changes."""
    first, last = int(before.timestamp()), int(after.timestamp())
    while last - first > 1:
        middle = (first + last) // 2
        if _offset(zone, datetime.fromtimestamp(middle, UTC)) == offset:
            first = middle
        else:
            last = middle
    return datetime.fromtimestamp(last, UTC)


def _offset(zone: ZoneInfo, at: datetime) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta()
