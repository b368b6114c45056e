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


async def call_by_call(
    connection: Any, statement: str, since: datetime, until: datetime, *values: object
) -> AsyncIterator[list[Event]]:
    """The events of each call that began in the day before ``since`` or before ``until``, by their start.

    The statement takes both ends of a part of that range first. Parts are a day long: sorting the events of
    a year takes longer than a statement may.
    """
    start = since - _A_DAY
    while start < until:
        end = min(start + _A_DAY, until)
        rows = connection.cursor(statement, start, end, *values, prefetch=PREFETCH)
        async for events in by_call(rows):
            yield events
        start = end


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
