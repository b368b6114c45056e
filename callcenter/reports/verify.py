"""Whether all that was added up equals what the events say; and putting right what does not.

Every call of the range is folded anew and compared with its rows, every day that was added up with the sum of
those folds. Calls that are marked are left out: reports read their events anyway.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from callcenter.events import Event, Outcome
from callcenter.reports.agent_time import add_span, spans
from callcenter.reports.intervals import Window
from callcenter.reports.projection import CALL_COLUMNS, CONTACT_COLUMNS, Projection, project
from callcenter.reports.query import AGENT_STATES
from callcenter.reports.rollup_sql import DAYS
from callcenter.reports.rollups import Rollups
from callcenter.reports.rows import call_by_call, event_of
from callcenter.reports.tally import SUMS, WAITS, Counted, Tally, settled_outcome
from callcenter.storage.pool import Database
from callcenter.timeline import INBOUND, RELEVANT, Timeline, build

AT_ONCE = 500

EVENTS = """
SELECT event.event_id, event.at, event.type, event.call_id, event.seq, event.chain_id,
       event.queue, event.agent, event.leg, event.data
  FROM callcenter.call
  JOIN callcenter.event USING (call_id)
 WHERE call.started_at >= $1 AND call.started_at < $2
   AND call.ended_at IS NOT NULL AND event.type = ANY ($3)
   AND NOT EXISTS (SELECT FROM callcenter.report_mark AS mark WHERE mark.call_id = call.call_id)
 ORDER BY call.started_at, call.call_id, event.seq
"""
STORED_CALLS = "SELECT * FROM callcenter.report_call WHERE call_id = ANY ($1)"
STORED_CONTACTS = "SELECT * FROM callcenter.report_contact WHERE call_id = ANY ($1) ORDER BY call_id, segment"
STRAY = """
SELECT call_id FROM callcenter.report_call AS stored
 WHERE started_at >= $1 AND started_at < $2
   AND NOT EXISTS (SELECT FROM callcenter.report_mark AS mark WHERE mark.call_id = stored.call_id)
   AND NOT EXISTS (SELECT FROM callcenter.call WHERE call.call_id = stored.call_id AND ended_at IS NOT NULL)
"""
CELLS = {
    "queue": ("SELECT * FROM callcenter.rollup_queue WHERE start = $1", ("queue",)),
    "left": ("SELECT * FROM callcenter.rollup_left WHERE start = $1", ("queue",)),
    "agent": ("SELECT * FROM callcenter.rollup_agent WHERE start = $1", ("agent", "queue")),
    "time": ("SELECT * FROM callcenter.rollup_time WHERE start = $1", ("agent",)),
    "call": ("SELECT * FROM callcenter.rollup_call WHERE start = $1", ("queue", "outcome")),
}
MARK = "INSERT INTO callcenter.report_mark (call_id) SELECT unnest($1::uuid[])"
DROP_DAYS = "DELETE FROM callcenter.rollup_day WHERE start = ANY ($1)"


@dataclass(frozen=True, slots=True)
class Difference:
    """What is not as the events say."""

    what: str
    detail: str


@dataclass(slots=True)
class Verdict:
    """What was compared and what differs."""

    calls: int = 0
    contacts: int = 0
    days: int = 0
    differences: list[Difference] = field(default_factory=list)
    wrong_calls: list[UUID] = field(default_factory=list)
    wrong_days: list[datetime] = field(default_factory=list)

    def call_differs(self, call_id: UUID, detail: str) -> None:
        """Note a call."""
        self.wrong_calls.append(call_id)
        self.differences.append(Difference(f"call {call_id}", detail))

    def day_differs(self, day: Window, what: str, detail: str) -> None:
        """Note a cell of a day."""
        self.wrong_days.append(day.start)
        self.differences.append(Difference(f"day from {day.start.isoformat()}, {what}", detail))


async def verify(database: Database, since: datetime, until: datetime) -> Verdict:
    """Compare everything in [since, until), after settling what is marked. Raises ``StorageError``."""
    await Rollups(database).settle_all()
    verdict = Verdict()
    async with database.snapshot() as connection:
        rows = await connection.fetch(DAYS, since, until)
        days = [Window(row["start"], row["until"]) for row in rows]
        check = _Check(connection, verdict, days)
        types = [kind.value for kind in RELEVANT]
        async for calls in _chunks(call_by_call(connection, EVENTS, since, until, types)):
            await check.calls(calls)
        await check.days_before(until)
        for row in await connection.fetch(STRAY, since, until):
            verdict.call_differs(row["call_id"], "has rows, but no such call has ended")
    return verdict


async def repair(database: Database, verdict: Verdict) -> None:
    """Make again what differs: the calls' rows now, the days with the service's next ones."""
    await database.execute(MARK, verdict.wrong_calls)
    await database.execute(DROP_DAYS, verdict.wrong_days)
    await Rollups(database).settle_all()


@dataclass(slots=True)
class _Day:
    """The cells of a day as the events say, by kind and key."""

    window: Window
    cells: defaultdict[str, defaultdict[tuple[str, ...], Tally]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(Tally))
    )

    def add(self, call: Timeline) -> None:
        if call.direction == INBOUND and call.started_at in self.window and call.outcome is not None:
            outcome = settled_outcome(call.outcome).value
            for queue in {"", *(contact.queue for contact in call.contacts)}:
                self.cells["call"][queue, outcome].add_call(call)
        for contact in call.contacts:
            if contact.entered_at not in self.window:
                continue
            if call.direction == INBOUND:
                self.cells["queue"][contact.queue,].add_contact(contact)
            if contact.agent is not None:
                self.cells["agent"][contact.agent, contact.queue].add_contact(contact)


class _Check:
    """Goes through the calls by their start; a day is complete when a later call is reached."""

    def __init__(self, connection: Any, verdict: Verdict, days: Sequence[Window]) -> None:
        self._connection = connection
        self._verdict = verdict
        self._days = [_Day(window) for window in days]

    async def calls(self, calls: Sequence[Sequence[Event]]) -> None:
        """Compare the rows of some calls and add them to their days."""
        expected = {events[0].call_id: project(events) for events in calls}
        ids = list(expected)
        fetch = self._connection.fetch
        stored = {
            row["call_id"]: tuple(row[name] for name in CALL_COLUMNS)
            for row in await fetch(STORED_CALLS, ids)
        }
        contacts: defaultdict[UUID, list[Any]] = defaultdict(list)
        for row in await fetch(STORED_CONTACTS, ids):
            contacts[row["call_id"]].append(tuple(row[name] for name in CONTACT_COLUMNS))
        for call_id, projection in expected.items():
            if call_id is not None and projection is not None:
                self._compare(call_id, projection, stored.get(call_id), contacts[call_id])
        for events in calls:
            call = build(events, None)
            await self.days_before(call.started_at)
            projection = expected[events[0].call_id]
            if projection is not None and projection.call[_SETTLED]:
                self._add(call)

    def _add(self, call: Timeline) -> None:
        latest = max((contact.entered_at for contact in call.contacts), default=call.started_at)
        for day in self._days:
            if day.window.start > latest:
                return
            day.add(call)

    def _compare(self, call_id: UUID, expected: Projection, stored: Any, contacts: Sequence[Any]) -> None:
        self._verdict.calls += 1
        self._verdict.contacts += len(expected.contacts)
        if stored is None:
            self._verdict.call_differs(call_id, "has no row")
            return
        found = _unlike(CALL_COLUMNS, stored, expected.call)
        if len(contacts) != len(expected.contacts):
            found.append(f"{len(contacts)} contacts, the events say {len(expected.contacts)}")
        for row, wanted in zip(contacts, expected.contacts, strict=False):
            unlike = _unlike(CONTACT_COLUMNS, row, wanted)
            found += [f"contact {wanted[_SEGMENT]}: {one}" for one in unlike]
        if found:
            self._verdict.call_differs(call_id, "; ".join(found))

    async def days_before(self, at: datetime) -> None:
        """Compare the days that end before; no later call belongs to them."""
        while self._days and self._days[0].window.end <= at:
            await self._compare_day(self._days.pop(0))

    async def _compare_day(self, day: _Day) -> None:
        self._verdict.days += 1
        window = day.window
        states = [
            event_of(row) for row in await self._connection.fetch(AGENT_STATES, window.start, window.end)
        ]
        for span in spans(states, window.start, window.end):
            if (start := max(span.start, window.start)) < span.end:
                add_span(day.cells["time"][span.agent,], type(span)(span.agent, span.state, start, span.end))
        stored = await self._stored(window)
        for kind in ("queue", "agent", "time", "call"):
            mine, theirs = stored[kind], day.cells[kind]
            for key in sorted({*mine, *theirs}):
                if detail := _tallies_differ(mine.get(key, Tally()), theirs.get(key, Tally())):
                    self._verdict.day_differs(window, f"{kind} {' '.join(key)}".rstrip(), detail)

    async def _stored(self, window: Window) -> Mapping[str, Mapping[tuple[str, ...], Tally]]:
        found: defaultdict[str, defaultdict[tuple[str, ...], Tally]] = defaultdict(lambda: defaultdict(Tally))
        for kind, (statement, names) in CELLS.items():
            for row in await self._connection.fetch(statement, window.start):
                key = tuple(row[name] for name in names)
                if kind == "left":
                    tally = found["queue"][key]
                    refused = row["counted"] == Counted.REFUSED
                    (tally.refused if refused else tally.left)[row["reason"]] += row["contacts"]
                    continue
                tally = found[kind][key]
                tally.take(row)
                if kind == "call" and row["outcome"] != Outcome.ABANDONED:
                    tally.outcomes[Outcome(row["outcome"])] += row["calls"]
        return found


_SETTLED, _SEGMENT = CALL_COLUMNS.index("settled"), CONTACT_COLUMNS.index("segment")


def _unlike(columns: Sequence[str], stored: Sequence[Any], wanted: Sequence[Any]) -> list[str]:
    return [
        f"{name} {mine}, the events say {theirs}"
        for name, mine, theirs in zip(columns, stored, wanted, strict=True)
        if mine != theirs
    ]


def _tallies_differ(stored: Tally, wanted: Tally) -> str:
    names = [*SUMS, *WAITS, "left", "refused", "outcomes"]
    unlike = [name for name in names if getattr(stored, name) != getattr(wanted, name)]
    return "; ".join(f"{name} {_told(stored, name)}, the events say {_told(wanted, name)}" for name in unlike)


def _told(tally: Tally, name: str) -> str:
    value = getattr(tally, name)
    if name in WAITS:
        return f"{len(value)} waits of together {value.total.total_seconds():g} s"
    return str(dict(value)) if isinstance(value, dict) else str(value)


async def _chunks(calls: AsyncIterator[list[Event]]) -> AsyncIterator[list[list[Event]]]:
    found: list[list[Event]] = []
    async for events in calls:
        found.append(events)
        if len(found) == AT_ONCE:
            yield found
            found = []
    if found:
        yield found
