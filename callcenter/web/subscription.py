"""What one watcher wants, may see, and has not taken yet."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from callcenter.web.feed import FeedEvent, Standing
from callcenter.web.principal import Principal

QUEUE_SIZE = 512


class Topic(StrEnum):
    """What can be watched."""

    EVENTS = "events"
    TRANSCRIPT = "transcript"
    STATE = "state"


@dataclass(frozen=True, slots=True)
class Interest:
    """The topics, narrowed to one queue where ``queue`` is given and to what the role may see."""

    topics: frozenset[Topic]
    principal: Principal
    queue: str | None = None

    @property
    def audience(self) -> tuple[str | None, bool, str | None]:
        """Equal for watchers who see the same, so that what they see is made once."""
        own = self.principal.agent_id
        return (self.queue, True, None) if self.principal.sees_all else (self.queue, False, own)

    def wants(self, topic: Topic, event: FeedEvent) -> bool:
        """Whether the event goes to this watcher under ``topic``."""
        return (
            topic in self.topics
            and (self.queue is None or event.queue == self.queue)
            and self.principal.may_see(event.agent)
        )

    def view(self, standing: Standing) -> Standing:
        """The part of ``standing`` that this watcher wants and may see."""
        return Standing(
            now=standing.now,
            queues=[row for row in standing.queues if self.queue in (None, row["name"])],
            agents=[row for row in standing.agents if self.queue is None or self.queue in row["queues"]],
            calls=[row for row in standing.calls if self._shows(row)],
            ended=[row for row in standing.ended if self._shows(row)],
        )

    def _shows(self, call: Mapping[str, Any]) -> bool:
        return self.queue in (None, call["queue"]) and self.principal.may_see(call["agent_id"])


class Subscriber:
    """A watcher's bounded queue of messages; one that is full is never emptied: the watcher is dropped."""

    def __init__(self, interest: Interest) -> None:
        self.interest = interest
        self.dropped = False
        self.last_standing: Standing | None = None
        self._messages: asyncio.Queue[str | None] = asyncio.Queue(QUEUE_SIZE + 1)

    def offer(self, message: str) -> bool:
        """Queue a message; false when the watcher is too slow and has to go."""
        if self._messages.qsize() >= QUEUE_SIZE:
            return False
        self._messages.put_nowait(message)
        return True

    def close(self) -> None:
        """Tell the watcher that nothing more comes after what is queued."""
        if not self._messages.full():
            self._messages.put_nowait(None)

    async def next(self) -> str | None:
        """Wait for the next message; ``None`` when there will be no more or the watcher was dropped."""
        return None if self.dropped else await self._messages.get()
