"""What the live socket and the wallboard read: new events with their words, and how things stand now."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from callcenter.acd.wait_time import Estimate
from callcenter.config import Metrics
from callcenter.storage.pool import Database
from callcenter.storage.transcripts import TimedWord
from callcenter.web.standing import Row, Standing, queue_rows, totals
from callcenter.web.today import TodayReader

Estimates = Callable[[], Awaitable[Mapping[str, Estimate]]]

BATCH = 500
RECENT_S = 60
MAX_OPEN_CALLS = 200
ENDED_CALLS = 12
ESTIMATES_EVERY_S = 2.0

_EVENTS = """
SELECT e.*, c.queue AS call_queue, c.agent_id AS call_agent,
       -- the words are joined here so that one round trip serves events and transcript
       s.segment_id, s.leg AS segment_leg, s.agent_id AS segment_agent,
       s.start_ms, s.end_ms, s.text, s.language, s.confidence, s.number, s.words, s.degraded
FROM callcenter.event e
LEFT JOIN callcenter.call c USING (call_id)
LEFT JOIN callcenter.transcript_segment s
       ON s.segment_id = CASE WHEN e.type = 'transcript.segment' THEN (e.data ->> 'segment')::uuid END
"""
_BETWEEN = _EVENTS + "WHERE e.event_id BETWEEN $1 AND $2 ORDER BY e.event_id LIMIT $3"
# Ids are given before commit, so a row with a smaller id can appear after one with a larger; the margin of
# recent rows catches those, and the reader drops what it has seen.
_SINCE = (
    _EVENTS
    + "WHERE e.event_id > $1 - 1000 AND (e.event_id > $1 OR e.at > now() - make_interval(secs => $2)) "
    + "ORDER BY e.event_id LIMIT $3"
)
_LAST = "SELECT coalesce(max(event_id), 0) FROM callcenter.event"

_QUEUES = """
SELECT queue AS name, count(*) FILTER (WHERE callback_id IS NULL) AS waiting,
       min(entered_at) FILTER (WHERE callback_id IS NULL) AS oldest_at, count(callback_id) AS callbacks
FROM callcenter.queue_entry WHERE NOT consult GROUP BY queue
"""
_AGENT = """
SELECT agent_id AS id, name, state, reason, state_since AS since, call_id,
       ARRAY(SELECT q.queue FROM callcenter.agent_queue q WHERE q.agent_id = a.agent_id ORDER BY 1) AS queues
FROM callcenter.agent a
"""
_AGENTS = _AGENT + "WHERE enabled ORDER BY agent_id"
_SOME_AGENTS = _AGENT + "WHERE enabled AND agent_id = ANY ($1)"
_CALLS = """
SELECT c.call_id, c.direction, c.from_number, c.to_number, c.queue, c.agent_id, c.started_at, c.connected_at,
       CASE WHEN q.state = 'waiting' THEN 'waiting'
            WHEN q.state = 'offered' THEN 'ringing'
            WHEN a.state = 'talking' THEN 'talking'
            ELSE 'ivr' END AS phase
FROM callcenter.call c
LEFT JOIN callcenter.queue_entry q ON q.call_id = c.call_id AND NOT q.consult
LEFT JOIN callcenter.agent a ON a.agent_id = c.agent_id AND a.call_id = c.call_id
WHERE c.ended_at IS NULL
-- conversations first: they have words to show
ORDER BY a.state IS DISTINCT FROM 'talking', q.state IS NULL, c.started_at DESC, c.call_id LIMIT $1
"""
_ENDED = """
-- the index knows when calls started; of the latest fifty, show those that ended last
SELECT * FROM (
    SELECT call_id, from_number, to_number, queue, agent_id, started_at, ended_at, outcome, end_cause
    FROM callcenter.call WHERE ended_at IS NOT NULL ORDER BY started_at DESC LIMIT 50
) latest ORDER BY ended_at DESC, call_id LIMIT $1
"""
_NOW = "SELECT clock_timestamp()"


@dataclass(frozen=True, slots=True)
class FeedEvent:
    """A stored event, whose it is, and for a transcript event the segment that was said.

    ``queue`` and ``agent`` are the event's own or, failing that, those of its call.
    """

    event_id: int
    queue: str | None
    agent: str | None
    event: Mapping[str, Any]
    segment: Mapping[str, Any] | None


class LiveFeed:
    """Reads for watchers. ``queues`` are those that exist, listed even when nobody waits.

    Agents' rows are kept, so that only those who changed need to be read; ``estimates`` gives the estimated
    waits by queue and is asked every ``ESTIMATES_EVERY_S``.
    """

    def __init__(
        self,
        database: Database,
        queues: Callable[[], Iterable[str]],
        thresholds: Metrics | None = None,
        estimates: Estimates | None = None,
    ) -> None:
        self._database = database
        self._queues = queues
        self._today = TodayReader(database, thresholds or Metrics())
        self._estimates = estimates
        self._agents: dict[str, Row] = {}
        self._waits: tuple[float, Mapping[str, Estimate]] = (0.0, {})
        self._lock = asyncio.Lock()

    async def last_event_id(self) -> int:
        """The newest stored event, 0 in an empty log."""
        return int(await self._database.fetchval(_LAST))

    async def between(self, first: int, last: int) -> list[FeedEvent]:
        """At most ``BATCH`` events with ids from ``first`` to ``last``, in order."""
        return [_feed_event(row) for row in await self._database.fetch(_BETWEEN, first, last, BATCH)]

    async def since(self, event_id: int) -> list[FeedEvent]:
        """At most ``BATCH`` events newer than ``event_id``, and recent ones shortly before it."""
        rows = await self._database.fetch(_SINCE, event_id, float(RECENT_S), BATCH)
        return [_feed_event(row) for row in rows]

    async def standing(self, changed_agents: Collection[str] | None = None) -> Standing:
        """How things stand now; raises ``StorageError``.

        Only the agents named are read anew, all of them without names or on the first call.
        """
        async with self._lock:  # else older rows could replace newer ones
            return await self._standing(changed_agents)

    async def _standing(self, changed_agents: Collection[str] | None) -> Standing:
        async with self._database.acquire() as connection:
            now = await connection.fetchval(_NOW)
            lines = {row["name"]: row for row in await connection.fetch(_QUEUES)}
            if changed_agents is None or not self._agents:
                self._keep_all(await connection.fetch(_AGENTS))
            elif changed_agents:
                self._keep(changed_agents, await connection.fetch(_SOME_AGENTS, list(changed_agents)))
            calls = [dict(row) for row in await connection.fetch(_CALLS, MAX_OPEN_CALLS)]
            ended = [dict(row) for row in await connection.fetch(_ENDED, ENDED_CALLS)]
        agents = list(self._agents.values())
        today = await self._today.read(now)
        waits = await self._estimated()
        names = sorted({*self._queues(), *lines})
        return Standing(
            now=now,
            queues=queue_rows(names, lines, agents, today, waits),
            agents=agents,
            calls=calls,
            ended=ended,
            totals=totals(lines, agents, today),
        )

    async def _estimated(self) -> Mapping[str, Estimate]:
        due_s, waits = self._waits
        now_s = asyncio.get_running_loop().time()
        if self._estimates is not None and now_s >= due_s:
            waits = await self._estimates()
            self._waits = now_s + ESTIMATES_EVERY_S, waits
        return waits

    def _keep_all(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Keep these agents and no others; one who did not change keeps the very row."""
        before, self._agents = self._agents, {}
        for row in rows:
            known, new = before.get(row["id"]), dict(row)
            self._agents[new["id"]] = new if known is None or known != new else known

    def _keep(self, names: Collection[str], rows: Sequence[Mapping[str, Any]]) -> None:
        found = {row["id"]: dict(row) for row in rows}
        for name in names:
            if name in found:
                is_new = name not in self._agents
                self._agents[name] = found[name]
                if is_new:
                    self._agents = dict(sorted(self._agents.items()))
            else:
                self._agents.pop(name, None)


_EVENT_COLUMNS = ("event_id", "at", "type", "call_id", "seq", "chain_id", "queue", "agent", "leg", "data")


def _feed_event(row: Mapping[str, Any]) -> FeedEvent:
    return FeedEvent(
        event_id=row["event_id"],
        queue=row["queue"] or row["call_queue"],
        agent=row["agent"] or row["call_agent"],
        event={name: row[name] for name in _EVENT_COLUMNS},
        segment=_segment(row) if row["segment_id"] is not None else None,
    )


def _segment(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "segment_id": row["segment_id"],
        "call_id": row["call_id"],
        "leg": row["segment_leg"],
        "agent_id": row["segment_agent"],
        "start_ms": row["start_ms"],
        "end_ms": row["end_ms"],
        "text": row["text"],
        "language": row["language"],
        "confidence": row["confidence"],
        "number": row["number"],
        "words": [TimedWord(*word)._asdict() for word in row["words"] or ()],
        "degraded": row["degraded"],
    }
