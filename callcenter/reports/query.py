"""What reports read: rows added up before, and the events of all that is not.

The figures are those of the event log at one moment, whatever has been added up until then: a call that is
in progress, or that changed since its rows were made, is folded from its events.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from callcenter.config import Metrics, Settings
from callcenter.errors import NotFoundError
from callcenter.events import Event, Outcome
from callcenter.reports import rollup_sql
from callcenter.reports.intervals import Interval, Window, parse_interval
from callcenter.reports.rows import by_call, call_by_call, event_of
from callcenter.reports.summary import Count, CountBy, Summary
from callcenter.reports.tally import Counted
from callcenter.storage.migrate import Migrations
from callcenter.storage.pool import Database
from callcenter.timeline import RELEVANT, Timeline, build

# So many rows make 3 ms of folding at a time.
PREFETCH = 250

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
            WHERE entry.call_id = call.call_id AND entry.queue = $4))
 ORDER BY call.started_at, call.call_id, event.seq
"""

# The same of calls that began in [$1, $2), wherever they ended.
BEGUN = """
SELECT event.event_id, event.at, event.type, event.call_id, event.seq, event.chain_id,
       event.queue, event.agent, event.leg, event.data
  FROM callcenter.call
  JOIN callcenter.event USING (call_id)
 WHERE call.started_at >= $1 AND call.started_at < $2 AND event.type = ANY ($3)
 ORDER BY call.started_at, call.call_id, event.seq
"""

# With each agent's last change before the range, which tells the state he was in when it began.
AGENT_STATES = """
WITH RECURSIVE who AS (
    -- Everybody in the log, by jumps through the index from one name to the next.
    (SELECT agent FROM callcenter.event WHERE call_id IS NULL AND agent IS NOT NULL ORDER BY agent LIMIT 1)
    UNION ALL
    SELECT (SELECT event.agent FROM callcenter.event
             WHERE call_id IS NULL AND event.agent > who.agent ORDER BY event.agent LIMIT 1)
      FROM who WHERE who.agent IS NOT NULL
)
SELECT found.*
  FROM who
 CROSS JOIN LATERAL (
       (SELECT event_id, at, type, call_id, seq, chain_id, queue, agent, leg, data FROM callcenter.event
         WHERE call_id IS NULL AND event.agent = who.agent AND type = 'agent.state' AND at < $1
         ORDER BY at DESC, event_id DESC LIMIT 1)
       UNION ALL
       SELECT event_id, at, type, call_id, seq, chain_id, queue, agent, leg, data FROM callcenter.event
        WHERE call_id IS NULL AND event.agent = who.agent AND type = 'agent.state' AND at >= $1 AND at < $2
       ) AS found
 ORDER BY found.at, found.event_id
"""

# Calls in progress, calls whose wrap-up still runs, and calls that changed since they were projected.
PENDING = """
WITH pending AS (
    SELECT call_id FROM callcenter.call WHERE ended_at IS NULL
    UNION
    SELECT call_id FROM callcenter.report_mark WHERE call_id IS NOT NULL
    UNION
    SELECT call_id FROM callcenter.report_call WHERE NOT settled
)
SELECT event.event_id, event.at, event.type, event.call_id, event.seq, event.chain_id,
       event.queue, event.agent, event.leg, event.data
  FROM pending
  JOIN callcenter.call USING (call_id)
  JOIN callcenter.event USING (call_id)
 WHERE call.started_at >= $1::timestamptz - interval '1 day'
   AND call.started_at < $2
   AND (call.ended_at IS NULL OR call.ended_at >= $1)
   AND event.type = ANY ($3)
 ORDER BY call.started_at, call.call_id, event.seq
"""

# Compiling a statement takes longer than running it; sums over a year fit into memory.
PREPARE = "SET LOCAL jit = off; SET LOCAL work_mem = '64MB'"


@dataclass(frozen=True, slots=True)
class Question:
    """What a report is to show; ``interval`` and ``by`` as in ``summarise``.

    ``now`` is how far what is still open is counted; by default to the database's present.
    """

    thresholds: Metrics
    since: datetime
    until: datetime
    interval: Interval = Interval.DAY
    queue: str | None = None
    by: CountBy = CountBy.OFFERED
    now: datetime | None = None

    def count(self) -> Count:
        """Where the answer is added up. Raises as ``Count``."""
        return Count(self.thresholds, self.since, self.until, self.interval, self.queue, self.by)


class Reports:
    """Answers from the database, each from one snapshot of it."""

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
            async for events in by_call(rows):
                found.append(build(events, now, short_abandon_s))  # noqa: PERF401  # a fold, row by row
        return found

    async def agent_states(self, since: datetime, until: datetime) -> list[Event]:
        """The agents' changes of state in [since, until), and the last before. Raises ``StorageError``."""
        return [event_of(row) for row in await self._database.fetch(AGENT_STATES, since, until)]

    async def summary(self, question: Question) -> Summary:
        """Add up. Raises ``StorageError``, and ``UsageError`` for too many intervals."""
        async with self._database.snapshot() as connection:
            count = await read_count(connection, question)
        # Adding up the waits of a year takes longer than a frame of sound lasts.
        return await asyncio.to_thread(count.summary)

    async def summary_from_events(self, question: Question) -> Summary:
        """The same from nothing but the events: slow, and what the other must equal. Raises as it does."""
        count = question.count()
        async with self._database.snapshot() as connection:
            now = question.now or await connection.fetchval("SELECT now()")
            types = [kind.value for kind in RELEVANT]
            async for events in call_by_call(connection, BEGUN, question.since, question.until, types):
                count.add(build(events, now))
            if question.queue is None:
                states = await connection.fetch(AGENT_STATES, question.since, question.until)
                count.add_agent_states([event_of(row) for row in states], min(now, question.until))
        return await asyncio.to_thread(count.summary)


async def read_count(connection: Any, question: Question) -> Count:
    """Add up within a snapshot. Raises ``UsageError`` for too many intervals."""
    count = question.count()
    await connection.execute(PREPARE)
    now = question.now or await connection.fetchval("SELECT now()")
    reading = _Reading(connection, question, count, now)
    await reading.rows()
    await reading.pending()
    return count


class _Reading:
    """One report on its way: from a snapshot into a count."""

    def __init__(self, connection: Any, question: Question, count: Count, now: datetime) -> None:
        self._connection = connection
        self._question = question
        self._count = count
        self._now = now

    async def rows(self) -> None:
        """Take what is projected: added up by day where a window is such a day, else row by row."""
        count, queue, by = self._count, self._question.queue, self._question.by
        days = await self._days()
        spans = _left_by(days, count.cut)
        starts = [start for start, _ in days]
        borders = [*(window.start for window in count.cut), self._question.until]
        # Days are added up by when contacts were offered.
        offered = by is CountBy.OFFERED
        contacts = (*(spans if offered else _left_by(set(), count.cut)), queue, starts if offered else [])
        fetch = self._connection.fetch
        for row in await fetch(rollup_sql.QUEUES[by], *contacts, borders):
            self._at(row, count.queues).take(row)
        for row in await fetch(rollup_sql.LEFT[by], *contacts, borders):
            tally = self._at(row, count.queues)
            refused = row["counted"] == Counted.REFUSED
            (tally.refused if refused else tally.left)[row["reason"]] += row["contacts"]
        for row in await fetch(rollup_sql.AGENTS[by], *contacts):
            count.agents[row["agent"]].take(row)
            count.handled_us[row["agent"], row["queue"]] += row["talk_us"] + row["hold_us"] + row["acw_us"]
        for row in await fetch(rollup_sql.CALLS, *spans, queue, starts, borders):
            tally = count.windows[row["place"]]
            tally.take(row)
            if row["outcome"] != Outcome.ABANDONED:
                tally.outcomes[Outcome(row["outcome"])] += row["calls"]
        if queue is None:
            for row in await fetch(rollup_sql.TIME, *spans, self._now, starts, borders):
                self._at(row, count.agents, "agent").take(row)

    async def pending(self) -> None:
        """Fold the calls whose rows are not there, or are out of date."""
        question, types = self._question, [kind.value for kind in RELEVANT]
        rows = self._connection.cursor(PENDING, question.since, question.until, types, prefetch=PREFETCH)
        async for events in by_call(rows):
            self._count.add(build(events, self._now))

    def _at(self, row: Any, named: Any, key: str = "queue") -> Any:
        return named[row[key]] if row["place"] is None else self._count.windows[row["place"]]

    async def _days(self) -> set[tuple[datetime, datetime]]:
        """The windows that are added up already."""
        question = self._question
        if question.interval is not Interval.DAY:
            return set()
        rows = await self._connection.fetch(rollup_sql.DAYS, question.since, question.until)
        days = {(row["start"], row["until"]) for row in rows}
        return days & {(window.start, window.end) for window in self._count.cut}


def _left_by(
    days: set[tuple[datetime, datetime]], cut: Sequence[Window]
) -> tuple[list[datetime], list[datetime]]:
    """The beginnings and ends of what the days do not cover."""
    left = _joined([window for window in cut if (window.start, window.end) not in days])
    return [window.start for window in left], [window.end for window in left]


def _joined(cut: Sequence[Window]) -> list[Window]:
    """Windows that follow each other, as one."""
    found: list[Window] = []
    for window in cut:
        if found and found[-1].end == window.start:
            found[-1] = Window(found[-1].start, window.end)
        else:
            found.append(window)
    return found


async def read_summary(
    settings: Settings,
    *,
    since: datetime,
    until: datetime,
    queue: str | None = None,
    interval: str = "day",
    by: CountBy = CountBy.OFFERED,
    thresholds: Metrics | None = None,
    from_events: bool = False,
) -> Summary:
    """Open the database and summarise [since, until); a queue that has left the settings keeps its past.

    The schema is brought up to date first, so a report before the first start is empty. ``thresholds``
    stand in for those of the settings. ``from_events`` takes nothing that was added up before.

    Raises ``NotFoundError`` for a queue that has neither settings nor a past, ``UsageError`` for an
    interval that does not exist, ``StorageError``.
    """
    question = Question(thresholds or settings.metrics, since, until, parse_interval(interval), queue, by)
    async with Database.open(settings, application_name="callcenter report") as database:
        await Migrations(database).upgrade()
        reports = Reports(database)
        summary = await (reports.summary_from_events if from_events else reports.summary)(question)
        rows = await database.fetch("SELECT name FROM callcenter.queue")
    known = {*(each.name for each in settings.queues), *(row["name"] for row in rows), *summary.by_queue}
    if queue is not None and queue not in known:
        raise NotFoundError(f"no such queue: {queue}")
    return summary
