"""Calls, as the projection of their events, and the events themselves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from callcenter.errors import NotFoundError
from callcenter.events import Event, EventType
from callcenter.storage.pool import Database

_COLUMNS = """
SELECT call_id, chain_id, node_id, direction, gateway, call_ref, from_number, to_number, queue, agent_id,
       started_at, connected_at, ended_at, end_cause, outcome
  FROM callcenter.call
"""
GET = _COLUMNS + " WHERE call_id = $1"
LIST = (
    _COLUMNS
    + """
 WHERE ($1::text IS NULL OR queue = $1)
   AND ($2::text IS NULL OR agent_id = $2)
   AND ($3::text IS NULL OR outcome = $3)
   AND ($4::text IS NULL OR direction = $4)
   AND ($5::text IS NULL OR from_number = $5 OR to_number = $5)
   AND ($6::timestamptz IS NULL OR started_at >= $6)
   AND ($7::timestamptz IS NULL OR started_at < $7)
   AND ($8::boolean IS NULL OR (ended_at IS NULL) = $8)
   AND ($9::timestamptz IS NULL OR (started_at, call_id) < ($9, $10::uuid))
 ORDER BY started_at DESC, call_id DESC
 LIMIT $11
"""
)
EVENTS = """
SELECT event_id, at, type, call_id, seq, chain_id, queue, agent, leg, data
  FROM callcenter.event WHERE call_id = $1 ORDER BY seq
"""

_KNOWN_TYPES = frozenset(EventType)


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One call. Times are UTC on the database's clock; ``queue`` and ``agent_id`` are the last ones."""

    call_id: UUID
    chain_id: UUID
    node_id: UUID
    direction: str
    gateway: str
    call_ref: str
    from_number: str
    to_number: str
    queue: str | None
    agent_id: str | None
    started_at: datetime
    connected_at: datetime | None
    ended_at: datetime | None
    end_cause: str | None
    outcome: str | None


@dataclass(frozen=True, slots=True)
class CallFilter:
    """Which calls to list; what is ``None`` does not matter. ``number`` is either party's."""

    queue: str | None = None
    agent_id: str | None = None
    outcome: str | None = None
    direction: str | None = None
    number: str | None = None
    started_from: datetime | None = None
    started_before: datetime | None = None
    is_open: bool | None = None


class Calls:
    """Reads calls; only the event log writes them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, call_id: UUID) -> CallRecord:
        """One call; raises ``NotFoundError``."""
        row = await self._database.fetchrow(GET, call_id)
        if row is None:
            raise NotFoundError(f"there is no call {call_id}")
        return CallRecord(**row)

    async def list(
        self,
        where: CallFilter | None = None,
        *,
        after: tuple[datetime, UUID] | None = None,
        limit: int = 50,
    ) -> Sequence[CallRecord]:
        """Calls, newest first; ``after`` is start and id of the last one of the page before."""
        wanted = where or CallFilter()
        at, call_id = after if after is not None else (None, None)
        rows = await self._database.fetch(
            LIST,
            wanted.queue,
            wanted.agent_id,
            wanted.outcome,
            wanted.direction,
            wanted.number,
            wanted.started_from,
            wanted.started_before,
            wanted.is_open,
            at,
            call_id,
            limit,
        )
        return [CallRecord(**row) for row in rows]

    async def events(self, call_id: UUID) -> Sequence[Event]:
        """A call's events in the order in which they happened; empty for an unknown call."""
        return events_of(await self._database.fetch(EVENTS, call_id))


def events_of(rows: Sequence[Mapping[str, Any]]) -> Sequence[Event]:
    """Rows of the log as events; types that only a newer program knows are left out."""
    return [Event(**{**row, "type": EventType(row["type"])}) for row in rows if row["type"] in _KNOWN_TYPES]
