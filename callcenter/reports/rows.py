"""Rows of ``callcenter.event`` as events."""

import json
from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from callcenter.events import Event, EventType

PREFETCH = 5000
_A_DAY = timedelta(days=1)


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


# The calls of a day are found by the index of their events; a planner that reads all events instead, because
# there are many, takes as long for each day as for the year.
_BY_INDEX = "SET LOCAL jit = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off"
_AS_EVER = "SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on"


async def call_by_call(
    connection: Any, statement: str, since: datetime, until: datetime, *values: object
) -> AsyncIterator[list[Event]]:
    """The events of each call that began in the day before ``since`` or before ``until``, by their start.

    The statement takes both ends of a part of that range first. Parts are a day long: sorting the events of
    a year takes longer than a statement may. Within a transaction.
    """
    await connection.execute(_BY_INDEX)
    start = since - _A_DAY
    while start < until:
        end = min(start + _A_DAY, until)
        rows = connection.cursor(statement, start, end, *values, prefetch=PREFETCH)
        async for events in by_call(rows):
            yield events
        start = end
    await connection.execute(_AS_EVER)


async def by_call(rows: AsyncIterator[Mapping[str, Any]]) -> AsyncIterator[list[Event]]:
    """The events of one call after the other, from rows that are ordered so."""
    events: list[Event] = []
    async for row in rows:
        event = event_of(row)
        if events and events[0].call_id != event.call_id:
            yield events
            events = []
        events.append(event)
    if events:
        yield events
