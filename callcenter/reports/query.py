"""Reading the event log for reports, without holding more of it than one call at a time."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any

from callcenter.config import Metrics, Settings
from callcenter.errors import NotFoundError
from callcenter.events import Event, EventType
from callcenter.reports.intervals import Interval, parse_interval
from callcenter.reports.summary import Summary, summarise
from callcenter.storage.migrate import Migrations
from callcenter.storage.pool import Database
from callcenter.timeline import RELEVANT, Timeline, build

PREFETCH = 2000

# A call that began up to a day before the range may still have entered a queue within it.
CALLS = """
SELECT event.event_id, event.at, event.type, event.call_id, event.seq, event.chain_id,
       event.queue, event.agent, event.leg, event.data
  FROM callcenter.call
  JOIN callcenter.event USING (call_id)
 WHERE call.started_at >= $1::timestamptz - interval '1 day'
   AND call.started_at < $2
   AND (call.ended_at IS NULL OR call.ended_at >= $1)
   AND event.type = ANY ($3)
   AND ($4::text IS NULL OR EXISTS (
           SELECT FROM callcenter.event AS entry
            WHERE entry.call_id = call.call_id AND entry.queue = $4 AND entry.type LIKE 'queue.%'))
 ORDER BY call.started_at, call.call_id, event.seq
"""

# The state an agent is in when the range begins was entered within the day before, or is not known.
AGENT_STATES = """
SELECT event_id, at, type, call_id, seq, chain_id, queue, agent, leg, data
  FROM callcenter.event
 WHERE at >= $1::timestamptz - interval '1 day' AND at < $2 AND type = 'agent.state'
 ORDER BY at, event_id
"""


class Reports:
    """What reports read from the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def timelines(
        self,
        since: datetime,
        until: datetime,
        queue: str | None = None,
        *,
        now: datetime | None = None,
        short_abandon_s: float = 6,
    ) -> list[Timeline]:
        """The calls that took place in [since, until) at least in part, by their start.

        Calls that began up to a day before ``since`` are among them, because contacts count where they
        entered a queue; ``summarise`` takes from each what belongs to the range. With ``queue`` only calls
        that entered it. Raises ``StorageError``.
        """
        found = []
        async with self._database.transaction() as connection:
            types = [kind.value for kind in RELEVANT]
            rows = connection.cursor(CALLS, since, until, types, queue, prefetch=PREFETCH)
            async for events in _by_call(rows):
                found.append(build(events, now, short_abandon_s))  # noqa: PERF401  # a fold, row by row
        return found

    async def agent_states(self, since: datetime, until: datetime) -> list[Event]:
        """The agents' changes of state in [since, until) and in the day before. Raises ``StorageError``."""
        return [event_of(row) for row in await self._database.fetch(AGENT_STATES, since, until)]

    async def summary(
        self,
        metrics: Metrics,
        *,
        since: datetime,
        until: datetime,
        interval: Interval = Interval.DAY,
        queue: str | None = None,
    ) -> Summary:
        """Read and summarise [since, until); what is still open counts up to the database's present.

        Raises ``StorageError``, and ``UsageError`` for too many intervals.
        """
        now: datetime = await self._database.fetchval("SELECT now()")
        calls = await self.timelines(since, until, queue, now=now, short_abandon_s=metrics.short_abandon_s)
        states = [] if queue else await self.agent_states(since, until)
        # Counting a month takes seconds, which the calls on this loop do not have.
        return await asyncio.to_thread(
            summarise,
            calls,
            metrics,
            since=since,
            until=until,
            interval=interval,
            queue=queue,
            agent_states=states,
            now=now,
        )


async def read_summary(
    settings: Settings,
    *,
    since: datetime,
    until: datetime,
    queue: str | None = None,
    interval: str = "day",
    thresholds: Metrics | None = None,
) -> Summary:
    """Open the database and summarise [since, until); a queue that has left the settings keeps its past.

    The schema is brought up to date first, so a report before the first start is empty. ``thresholds``
    stand in for those of the settings.

    Raises ``NotFoundError`` for a queue that has neither settings nor a past, ``UsageError`` for an
    interval that does not exist, ``StorageError``.
    """
    length = parse_interval(interval)
    async with Database.open(settings, application_name="callcenter report") as database:
        await Migrations(database).upgrade()
        summary = await Reports(database).summary(
            thresholds or settings.metrics, since=since, until=until, interval=length, queue=queue
        )
    known = {each.name for each in settings.queues} | set(summary.by_queue)
    if queue is not None and queue not in known:
        raise NotFoundError(f"no such queue: {queue}")
    return summary


def event_of(row: Mapping[str, Any]) -> Event:
    """Make an event of a row of ``callcenter.event``; the payload may come as text or as an object."""
    data = row["data"]
    return Event(
        type=EventType(row["type"]),
        at=row["at"],
        call_id=row["call_id"],
        seq=row["seq"],
        chain_id=row["chain_id"],
        queue=row["queue"],
        agent=row["agent"],
        leg=row["leg"],
        data=json.loads(data) if isinstance(data, str) else data,
        event_id=row["event_id"],
    )


async def _by_call(rows: AsyncIterator[Mapping[str, Any]]) -> AsyncIterator[list[Event]]:
    events: list[Event] = []
    async for row in rows:
        event = event_of(row)
        if events and events[0].call_id != event.call_id:
            yield events
            events = []
        events.append(event)
    if events:
        yield events
