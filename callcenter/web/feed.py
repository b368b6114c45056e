"""What the live socket and the wallboard read: new events with their words, and how things stand now."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from callcenter.storage.pool import Database
from callcenter.storage.transcripts import TimedWord

BATCH = 500
RECENT_S = 60
MAX_OPEN_CALLS = 200
ENDED_CALLS = 12

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
SELECT queue AS name, count(*) AS waiting, min(entered_at) AS oldest_at
FROM callcenter.queue_entry GROUP BY queue
"""
_AGENTS = """
SELECT agent_id AS id, name, state, reason, state_since AS since, call_id,
       ARRAY(SELECT q.queue FROM callcenter.agent_queue q WHERE q.agent_id = a.agent_id ORDER BY 1) AS queues
FROM callcenter.agent a WHERE enabled ORDER BY agent_id
"""
_CALLS = """
SELECT c.call_id, c.direction, c.from_number, c.to_number, c.queue, c.agent_id, c.started_at, c.connected_at,
       CASE WHEN q.state = 'waiting' THEN 'waiting'
            WHEN q.state = 'offered' THEN 'ringing'
            WHEN a.state = 'talking' THEN 'talking'
            ELSE 'ivr' END AS phase
FROM callcenter.call c
LEFT JOIN callcenter.queue_entry q USING (call_id)
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


@dataclass(frozen=True, slots=True)
class Standing:
    """How things stand at ``now`` (the database's clock), as rows ready to be shown."""

    now: datetime
    queues: Sequence[Mapping[str, Any]]
    agents: Sequence[Mapping[str, Any]]
    calls: Sequence[Mapping[str, Any]]
    ended: Sequence[Mapping[str, Any]]

    def __eq__(self, other: object) -> bool:
        """Whether anything but the time differs."""
        if not isinstance(other, Standing):
            return NotImplemented
        return (self.queues, self.agents, self.calls, self.ended) == (
            other.queues,
            other.agents,
            other.calls,
            other.ended,
        )

    __hash__ = None  # type: ignore[assignment]


class LiveFeed:
    """Reads for watchers. ``queues`` are those that exist, listed even when nobody waits."""

    def __init__(self, database: Database, queues: Callable[[], Iterable[str]]) -> None:
        self._database = database
        self._queues = queues

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

    async def standing(self) -> Standing:
        """How things stand now; raises ``StorageError``."""
        queues = {row["name"]: row for row in await self._database.fetch(_QUEUES)}
        names = sorted({*self._queues(), *queues})
        return Standing(
            queues=[_queue(name, queues.get(name)) for name in names],
            agents=[dict(row) for row in await self._database.fetch(_AGENTS)],
            calls=[dict(row) for row in await self._database.fetch(_CALLS, MAX_OPEN_CALLS)],
            ended=[dict(row) for row in await self._database.fetch(_ENDED, ENDED_CALLS)],
            now=await self._database.fetchval(_NOW),
        )


def _queue(name: str, row: Mapping[str, Any] | None) -> dict[str, Any]:
    if row is None:
        return {"name": name, "waiting": 0, "oldest_at": None}
    return {"name": name, "waiting": row["waiting"], "oldest_at": row["oldest_at"]}


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
