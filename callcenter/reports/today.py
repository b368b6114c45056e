"""What became of the contacts of the day that is on, event by event. Pure.

The same as the report of the day, which folds whole calls, but cheap enough to be asked for all the time:
each event is counted once, and nothing is kept of a call but where it waits. A contact belongs to the day, in
the reporting zone, on which it entered its queue.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from uuid import UUID

from callcenter.config import Metrics
from callcenter.events import EndCause, Event, EventType, LeftReason
from callcenter.outcome import is_short
from callcenter.reports.intervals import midnight, reporting_zone
from callcenter.reports.ratio import Ratio

E = EventType
TYPES = (
    *(E.QUEUE_ENTERED, E.AGENT_CONNECTED, E.QUEUE_ABANDONED, E.QUEUE_LEFT),
    *(E.CONVERSATION_ENDED, E.CALL_ENDED),
)
"""The events that count, of calls that came in."""

_REFUSED = frozenset({LeftReason.FULL.value, LeftReason.CLOSED.value})
_AT_THE_DOOR = _REFUSED | {LeftReason.EMPTY.value}


class _End(Enum):
    ANSWERED = auto()
    ABANDONED = auto()
    LEFT = auto()
    REFUSED = auto()  # stands beside what was offered, not in it


_CUT_OFF = {
    EndCause.CALLER_HANGUP.value: _End.ABANDONED,
    EndCause.CLOSED.value: _End.REFUSED,
    EndCause.FULL.value: _End.REFUSED,
}
"""What a call's end means for a caller who still waited; left otherwise for any other cause."""


@dataclass(slots=True)
class DayFigures:
    """Contacts of one queue, or of several, that are through with it. ``offered`` are all of them."""

    offered: int = 0
    answered: int = 0
    abandoned: int = 0
    short_abandoned: int = 0
    answered_in_time: int = 0

    @property
    def service_level(self) -> Ratio:
        """The standard one: answered in time, of all answered or abandoned but the short abandons."""
        return Ratio(self.answered_in_time, self.answered + self.abandoned - self.short_abandoned)

    def __add__(self, other: "DayFigures") -> "DayFigures":
        return DayFigures(
            self.offered + other.offered,
            self.answered + other.answered,
            self.abandoned + other.abandoned,
            self.short_abandoned + other.short_abandoned,
            self.answered_in_time + other.answered_in_time,
        )


class Today:
    """``begin`` with the present time, then ``take`` each event of a call in the order it happened."""

    def __init__(self, thresholds: Metrics) -> None:
        self._thresholds = thresholds
        self._zone = reporting_zone(thresholds.timezone)
        self._start: datetime | None = None
        self._waiting: dict[UUID | None, tuple[str, datetime]] = {}
        self._talking: dict[UUID | None, tuple[str, datetime, timedelta]] = {}
        self._figures: dict[str, DayFigures] = {}

    @property
    def by_queue(self) -> Mapping[str, DayFigures]:
        """The figures of the queues that any contact of the day is through with."""
        return self._figures

    def begin(self, now: datetime) -> datetime:
        """Begin a new day if there is one; returns when the present day began, UTC."""
        start = midnight(now.astimezone(self._zone).date(), self._zone)
        if start != self._start:
            self._start, self._figures = start, {}
        return start

    def take(self, event: Event) -> None:
        """Count an event of a call that came in; those of other types change nothing."""
        call, reason = event.call_id, event.data.get("reason")
        match event.type:
            case E.QUEUE_ENTERED:
                self._over(event, _End.LEFT)
                self._talking.pop(call, None)
                self._waiting[call] = event.queue or "", event.at
            case E.AGENT_CONNECTED if call in self._waiting:
                queue, entered_at = self._waiting[call]
                self._talking[call] = queue, entered_at, event.at - entered_at
                self._over(event, _End.ANSWERED)
            case E.QUEUE_ABANDONED:
                self._over(event, _End.ABANDONED)
            case E.QUEUE_LEFT if call in self._waiting:
                self._over(event, _End.REFUSED if reason in _REFUSED else _End.LEFT)
            case E.QUEUE_LEFT if event.queue and reason in _AT_THE_DOOR and call not in self._talking:
                self._count(event.queue, event.at, timedelta(), _turned_away(reason))
            case E.CONVERSATION_ENDED:
                talked = self._talking.pop(call, None)
                if talked is not None and event.data.get("bridge") == "failed":
                    self._waits_again(call, *talked)
            case E.CALL_ENDED:
                self._over(event, _CUT_OFF.get(event.data.get("cause", ""), _End.LEFT))
                self._talking.pop(call, None)

    def _over(self, event: Event, end: _End) -> None:
        waited = self._waiting.pop(event.call_id, None)
        if waited is not None:
            queue, entered_at = waited
            self._count(queue, entered_at, event.at - entered_at, end)

    def _waits_again(self, call: UUID | None, queue: str, entered_at: datetime, wait: timedelta) -> None:
        """The agent was lost as soon as connected: nobody was answered, and the wait has gone on."""
        self._waiting[call] = queue, entered_at
        if self._start is not None and entered_at >= self._start:
            figures = self._figures[queue]
            figures.offered -= 1
            figures.answered -= 1
            figures.answered_in_time -= wait.total_seconds() <= self._thresholds.service_level_s

    def _count(self, queue: str, entered_at: datetime, wait: timedelta, end: _End) -> None:
        if self._start is None or entered_at < self._start or end is _End.REFUSED:
            return
        figures = self._figures.setdefault(queue, DayFigures())
        figures.offered += 1
        if end is _End.ANSWERED:
            figures.answered += 1
            figures.answered_in_time += wait.total_seconds() <= self._thresholds.service_level_s
        elif end is _End.ABANDONED:
            figures.abandoned += 1
            figures.short_abandoned += is_short(wait.total_seconds(), self._thresholds.short_abandon_s)


def _turned_away(reason: str) -> _End:
    return _End.REFUSED if reason in _REFUSED else _End.LEFT
