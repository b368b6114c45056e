"""Reporting intervals: half-open, in UTC, drawn along the days of the reporting zone.

A day runs from one local midnight to the next, so a day with a clock change has 23 or 25 hours and as many
intervals as fit; every instant lies in exactly one interval. Where midnight does not exist (the clock
jumps over it) the day begins at the jump; where it comes twice, at the first.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from callcenter.errors import ConfigError, UsageError

MAX_WINDOWS = 10_000


class Interval(StrEnum):
    """How finely a report is cut."""

    QUARTER_HOUR = "15"
    HALF_HOUR = "30"
    HOUR = "60"
    DAY = "day"

    @property
    def step(self) -> timedelta | None:
        """The length in time that has passed; ``None`` for a day, which has no fixed one."""
        return None if self is Interval.DAY else timedelta(minutes=int(self))


@dataclass(frozen=True, slots=True)
class Window:
    """Start (included) to end (not included), both UTC."""

    start: datetime
    end: datetime

    def __contains__(self, at: datetime) -> bool:
        return self.start <= at < self.end


def reporting_zone(name: str) -> ZoneInfo:
    """Find an IANA zone; raises ``ConfigError`` for one that does not exist."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError(f"metrics.timezone: no such time zone: {name!r}") from None


def parse_interval(text: str) -> Interval:
    """Read ``15``, ``30``, ``60`` or ``day``; raises ``UsageError``."""
    try:
        return Interval(text)
    except ValueError:
        choices = ", ".join(Interval)
        raise UsageError(f"no such interval: {text!r} (one of {choices})") from None


def midnight(day: date, zone: tzinfo) -> datetime:
    """The instant, in UTC, at which a local day begins."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def windows(since: datetime, until: datetime, interval: Interval, zone: tzinfo) -> tuple[Window, ...]:
    """Cut [since, until) at the borders of the zone's days and of the intervals within each day.

    The first and the last window are cut short where the range does not begin or end at a border. Raises
    ``UsageError`` for more than 10,000 windows.
    """
    found: list[Window] = []
    start = since.astimezone(UTC)
    until = until.astimezone(UTC)
    while start < until:
        end = min(_border_after(start, interval, zone), until)
        found.append(Window(start, end))
        start = end
        if len(found) > MAX_WINDOWS:
            raise UsageError("the range has too many intervals; choose a longer interval or a shorter range")
    return tuple(found)


def locate(cut: Sequence[Window], at: datetime) -> int | None:
    """Find the index of the window that holds an instant, in windows that follow each other."""
    index = bisect_right(cut, at, key=lambda window: window.start) - 1
    return index if index >= 0 and at in cut[index] else None


def parse_range(from_: str | None, to: str | None, zone: tzinfo, now: datetime) -> tuple[datetime, datetime]:
    """Read the range of a report: [since, until) in UTC.

    Each end is a date, a date and time (local where it names no offset), ``today`` or ``yesterday``. A day
    given as the end is included as a whole. Without a beginning the report begins today, without an end it
    ends with today. Raises ``UsageError``.
    """
    today = now.astimezone(zone).date()
    since = _instant("from", from_ or "today", zone, today, days_later=0)
    until = _instant("to", to or "today", zone, today, days_later=1)
    if since >= until:
        raise UsageError(f"the range is empty: from {from_ or 'today'} to {to or 'today'}")
    return since, until


def _border_after(start: datetime, interval: Interval, zone: tzinfo) -> datetime:
    day = start.astimezone(zone).date()
    tomorrow = _first_midnight_after(start, day, zone)
    if interval.step is None:
        return tomorrow
    passed = start - midnight(day, zone)
    return min(start + interval.step - passed % interval.step, tomorrow)


def _first_midnight_after(start: datetime, day: date, zone: tzinfo) -> datetime:
    # A zone that crosses the date line skips a whole day: its midnight is the next day's, too.
    return next(end for days in (1, 2) if (end := midnight(day + timedelta(days), zone)) > start)


def _instant(name: str, text: str, zone: tzinfo, today: date, *, days_later: int) -> datetime:
    named = {"today": today, "yesterday": today - timedelta(days=1)}
    try:
        day = named.get(text) or date.fromisoformat(text)
    except ValueError:
        return _moment(name, text, zone)
    try:
        return midnight(day + timedelta(days=days_later), zone)
    except OverflowError:
        raise UsageError(f"{name}: {text!r} is out of range") from None


def _moment(name: str, text: str, zone: tzinfo) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except ValueError:
        wanted = "2025-03-30, 2025-03-30T09:30, today or yesterday"
        raise UsageError(f"{name}: {text!r} is no date (write it like {wanted})") from None
    except OverflowError:
        raise UsageError(f"{name}: {text!r} is out of range") from None
