"""What one watcher wants, may see, and has not taken yet."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from callcenter.web.board import Audience, Board, Told
from callcenter.web.feed import FeedEvent
from callcenter.web.partials import LivePartial
from callcenter.web.principal import Principal
from callcenter.web.standing import Row, Standing

QUEUE_SIZE = 512
MAX_PARTIALS = 1000
STATE_EVERY_S = 0.25
"""A watcher is told the state at most so often."""


class Topic(StrEnum):
    """What can be watched."""

    EVENTS = "events"
    TRANSCRIPT = "transcript"
    PARTIALS = "partials"
    STATE = "state"


@dataclass(frozen=True, slots=True)
class Interest:
    """The topics, narrowed to one queue where ``queue`` is given and to what the role may see."""

    topics: frozenset[Topic]
    principal: Principal
    queue: str | None = None

    @property
    def audience(self) -> Audience:
        """Equal for watchers who see the same, so that what they see is made once."""
        own = self.principal.agent_id
        return (self.queue, True, None) if self.principal.sees_all else (self.queue, False, own)

    def wants(self, topic: Topic, news: FeedEvent | LivePartial) -> bool:
        """Whether the event or the partial goes to this watcher under ``topic``."""
        return (
            topic in self.topics
            and (self.queue is None or news.queue == self.queue)
            and self.principal.may_see(news.agent)
        )

    def view(self, standing: Standing) -> Standing:
        """The part of ``standing`` that this watcher wants and may see."""
        return Standing(
            now=standing.now,
            queues=[row for row in standing.queues if self.queue in (None, row["name"])],
            agents=[row for row in standing.agents if self.queue is None or self.queue in row["queues"]],
            calls=[row for row in standing.calls if self._shows(row)],
            ended=[row for row in standing.ended if self._shows(row)],
            totals=self._totals(standing),
        )

    def _totals(self, standing: Standing) -> Row:
        """Of all queues, or of the one that is watched."""
        if self.queue is None:
            return standing.totals
        own = next((row for row in standing.queues if row["name"] == self.queue), {})
        return {name: value for name, value in own.items() if name in standing.totals}

    def _shows(self, call: Mapping[str, Any]) -> bool:
        return self.queue in (None, call["queue"]) and self.principal.may_see(call["agent_id"])


class Subscriber:
    """A watcher's bounded queue of messages; one that is full is never emptied: the watcher is dropped.

    Partial words wait beside it, the newest of each leg, and are taken when the queue is empty. Nobody is
    dropped for them: where there are too many, the oldest give way. Of the state nothing waits at all: who
    has time for it is told the newest.
    """

    def __init__(self, interest: Interest) -> None:
        self.interest = interest
        self.dropped = False
        self._board: Board | None = None
        self._told: Told | None = None
        self._told_at_s = -STATE_EVERY_S
        self._messages: deque[str] = deque()
        self._partials: dict[tuple[str, str], str] = {}
        self._closed = False
        self._news = asyncio.Event()

    def offer(self, message: str) -> bool:
        """Queue a message; false when the watcher is too slow and has to go."""
        if len(self._messages) >= QUEUE_SIZE:
            return False
        self._messages.append(message)
        self._news.set()
        return True

    def offer_partial(self, key: tuple[str, str], message: str) -> None:
        """Keep the newest partial of a leg in place of the one that was not taken yet."""
        self._partials.pop(key, None)
        self._partials[key] = message
        if len(self._partials) > MAX_PARTIALS:
            del self._partials[next(iter(self._partials))]
        self._news.set()

    def show(self, board: Board) -> None:
        """Tell the watcher what is new on the board, if anything is, as soon as there is time for it."""
        if board is not self._board:
            self._board, self._told = board, None
        if self._told != board.version:
            self._news.set()

    def close(self) -> None:
        """Tell the watcher that nothing more comes after what is queued."""
        self._closed = True
        self._news.set()

    async def next(self) -> str | None:
        """Wait for the next message; ``None`` when there will be no more or the watcher was dropped."""
        while not self.dropped:
            if self._messages:
                return self._messages.popleft()
            if self._closed:
                return None
            pause_s = self._pause_s()
            if pause_s == 0:
                return self._tell()
            if self._partials:
                return self._partials.pop(next(iter(self._partials)))
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._news.wait()
        return None

    def _pause_s(self) -> float | None:
        """How long until the state may be told; ``None`` where there is nothing new to tell."""
        if self._board is None or self._told == self._board.version:
            return None
        return max(0.0, self._told_at_s + STATE_EVERY_S - asyncio.get_running_loop().time())

    def _tell(self) -> str:
        assert self._board is not None
        told, self._told = self._told, self._board.version
        self._told_at_s = asyncio.get_running_loop().time()
        return self._board.message(told)
