"""Storing events: the rows of the log and what they change in ``callcenter.call``, in one transaction.

``event_id`` is drawn before the commit, so with several processes a row can become visible after one with
a larger id. A reader follows the announced spans, which come with the commit, or looks back a little.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from callcenter.events import Event, EventType

INSERT = """
-- What is there already was stored by an attempt whose commit was not heard of.
WITH stored AS (
    INSERT INTO callcenter.event (at, type, call_id, seq, chain_id, queue, agent, leg, data)
    SELECT at, type, call_id, seq, chain_id, queue, agent, leg, data::jsonb
      FROM unnest($1::timestamptz[], $2::text[], $3::uuid[], $4::integer[], $5::uuid[], $6::text[],
                  $7::text[], $8::text[], $9::text[])
           WITH ORDINALITY AS given (at, type, call_id, seq, chain_id, queue, agent, leg, data, place)
     -- An event without a call has no number that could be unique; its time and content must serve.
     WHERE call_id IS NOT NULL OR NOT EXISTS (
               SELECT FROM callcenter.event AS known
                WHERE known.call_id IS NULL AND known.agent IS NOT DISTINCT FROM given.agent
                  AND known.at = given.at AND known.type = given.type AND known.data = given.data::jsonb)
     ORDER BY place
    ON CONFLICT DO NOTHING
    RETURNING event_id
), span AS (
    SELECT count(*) AS stored, min(event_id) AS first_id, max(event_id) AS last_id FROM stored
)
-- Wakes the readers of the log; heard when the transaction commits.
SELECT stored, CASE WHEN stored > 0 THEN pg_notify('event', first_id || '..' || last_id)::text END
  FROM span
"""
STARTED = """
INSERT INTO callcenter.call
       (call_id, chain_id, node_id, direction, gateway, call_ref, from_number, to_number, started_at)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[],
                     $8::text[], $9::timestamptz[])
ON CONFLICT DO NOTHING
"""
# The first queue and its time stay; what they are only changes when events are stored again.
QUEUED = """
UPDATE callcenter.call AS call
   SET queue = given.queue, topic = coalesce(topic, given.first), queued_at = coalesce(queued_at, given.at)
  FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[]) AS given (call_id, queue, first, at)
 WHERE call.call_id = given.call_id
"""
RESOLVED = """
UPDATE callcenter.call AS call
   SET agent_resolved = coalesce(given.by_agent, agent_resolved),
       customer_resolved = coalesce(given.by_customer, customer_resolved)
  FROM unnest($1::uuid[], $2::boolean[], $3::boolean[]) AS given (call_id, by_agent, by_customer)
 WHERE call.call_id = given.call_id
"""
CONNECTED = """
UPDATE callcenter.call AS call
   SET agent_id = given.agent, connected_at = coalesce(connected_at, given.first_at),
       queue = coalesce(call.queue, given.queue)
  FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::text[])
       AS given (call_id, agent, first_at, queue)
 WHERE call.call_id = given.call_id
"""
ENDED = """
UPDATE callcenter.call AS call SET ended_at = given.at, end_cause = given.cause, outcome = given.outcome
  FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[]) AS given (call_id, at, cause, outcome)
 WHERE call.call_id = given.call_id AND call.ended_at IS NULL
"""


@dataclass(frozen=True, slots=True)
class Stored:
    """How many of the given events were new to the log."""

    stored: int
    known: int


async def store(connection: asyncpg.Connection, events: Sequence[Event]) -> Stored:
    """Add ``events`` to the log in their order; the caller holds the transaction.

    An event that is in the log already, by call and number or by agent, time and content, is left as it
    is. Raises the library's errors for values that the schema does not take.
    """
    stored: int = await connection.fetchval(INSERT, *_columns([_row(event) for event in events]))
    started = [_call(event) for event in events if event.type is EventType.CALL_STARTED]
    if started:
        await connection.execute(STARTED, *_columns(started))
    await _project_progress(connection, events)
    ended = [
        (event.call_id, event.at, event.data.get("cause"), event.data.get("outcome"))
        for event in events
        if event.type is EventType.CALL_ENDED
    ]
    if ended:
        await connection.execute(ENDED, *_columns(ended))
    return Stored(stored, len(events) - stored)


async def _project_progress(connection: asyncpg.Connection, events: Sequence[Event]) -> None:
    queued = [event for event in events if event.type is EventType.QUEUE_ENTERED]
    if queued:
        last = {event.call_id: event.queue for event in queued}
        entered = {event.call_id: (event.queue, event.at) for event in reversed(queued)}
        rows = [(call_id, queue, *entered[call_id]) for call_id, queue in last.items()]
        await connection.execute(QUEUED, *_columns(rows))
    connected = [event for event in events if event.type is EventType.AGENT_CONNECTED]
    if connected:
        agents = {event.call_id: event.agent for event in connected}
        first = {event.call_id: event.at for event in reversed(connected)}
        at = [first[call_id] for call_id in agents]
        # An agent may come before any queue is entered: to call a customer back.
        queues = {event.call_id: event.queue for event in connected}
        values = (list(agents.values()), at, [queues[call_id] for call_id in agents])
        await connection.execute(CONNECTED, list(agents), *values)
    resolved = _resolved(events)
    if resolved:
        await connection.execute(RESOLVED, *_columns((call_id, *said) for call_id, said in resolved.items()))


def _resolved(events: Sequence[Event]) -> dict[UUID | None, tuple[bool | None, bool | None]]:
    """What agents and customers say last of each call, whether it was resolved."""
    said: dict[UUID | None, tuple[bool | None, bool | None]] = {}
    for event in events:
        by_agent, by_customer = said.get(event.call_id, (None, None))
        if event.type is EventType.ACW_ENDED and isinstance(event.data.get("resolved"), bool):
            said[event.call_id] = event.data["resolved"], by_customer
        elif event.type is EventType.SURVEY_ANSWERED and _is_yes_or_no(event.data):
            said[event.call_id] = by_agent, event.data["score"] == 1
    return said


def _is_yes_or_no(answer: Mapping[str, Any]) -> bool:
    """Whether a survey's question asked for it; one on a scale may be called ``resolved``, too."""
    asked = answer.get("question") == "resolved" and answer.get("kind") not in ("csat", "nps", "words")
    return asked and answer.get("score") in (0, 1)


def _row(event: Event) -> tuple[Any, ...]:
    return (
        event.at,
        event.type.value,
        event.call_id,
        event.seq,
        event.chain_id,
        event.queue,
        event.agent,
        event.leg,
        json.dumps(dict(event.data), default=str),
    )


def _call(event: Event) -> tuple[Any, ...]:
    data = event.data
    return (
        event.call_id,
        event.chain_id or event.call_id,
        data["node_id"],
        data["direction"],
        data["gateway"],
        data["call_ref"],
        data["from"],
        data["to"],
        event.at,
    )


def _columns(rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
