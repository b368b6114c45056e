"""The events of one call, numbered as they happen."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from callcenter.events import Event, EventType


class Journal:
    """Numbers a call's events from 1 without holes and hands them to the event log.

    Writing never waits: the log keeps what the database cannot take now. The journal keeps the call's
    events too, so that the outcome of the call is computed from the very events that are stored.
    """

    def __init__(
        self,
        call_id: UUID,
        chain_id: UUID,
        now: Callable[[], datetime],
        append: Callable[[Event], None],
    ) -> None:
        self.call_id = call_id
        self.chain_id = chain_id
        self.events: list[Event] = []
        self._now = now
        self._append = append

    def write(
        self,
        type_: EventType,
        *,
        queue: str | None = None,
        agent: str | None = None,
        leg: str | None = None,
        at: datetime | None = None,
        **data: Any,
    ) -> Event:
        """Record that something happened now, or ``at`` where it was seen before it could be confirmed.

        No event lies before its predecessor.
        """
        if at is not None and self.events:
            at = max(at, self.events[-1].at)
        event = Event(
            type=type_,
            at=at or self._now(),
            call_id=self.call_id,
            seq=len(self.events) + 1,
            chain_id=self.chain_id,
            queue=queue,
            agent=agent,
            leg=leg,
            data=data,
        )
        self.events.append(event)
        self._append(event)
        return event
