"""Rows of ``callcenter.event`` as events."""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

from callcenter.events import Event, EventType


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
