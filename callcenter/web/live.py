"""Pushes events, words and the state of queues and agents to everyone who watches.

One hub per process. The database's notifications wake it; it reads new rows once, whoever watches, and
reads nothing while nobody does. The state is also read every ``POLL_S`` in case a notification was lost,
and told at most ``1 / STATE_EVERY_S`` times a second, to those for whom it changed; between such readings
only agents who changed are read. Partial words are in the notifications themselves.
"""

import asyncio
import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from callcenter.errors import OverloadedError, StorageError
from callcenter.storage.listener import Listener
from callcenter.web.board import Boards
from callcenter.web.feed import BATCH, FeedEvent, LiveFeed
from callcenter.web.messages import event_message, partial_message, segment_message
from callcenter.web.partials import partials_of
from callcenter.web.ranges import EventRanges
from callcenter.web.standing import Standing
from callcenter.web.subscription import STATE_EVERY_S, Interest, Subscriber, Topic

log = logging.getLogger(__name__)

POLL_S = 2.0
MAX_SUBSCRIBERS = 500


class LiveHub:
    """Fans out what happens. ``async with`` is its life; ``attach`` lets it hear the database.

    On leaving, every watcher is told that nothing more comes.
    """

    def __init__(self, feed: LiveFeed) -> None:
        self.feed = feed
        self._ranges = EventRanges()
        self._subscribers: set[Subscriber] = set()
        self._news = asyncio.Event()
        self._changed = asyncio.Event()
        self._boards = Boards()
        self._agents: set[str] = set()
        self._read_all_at_s = 0.0
        self._tasks: list[asyncio.Task[None]] = []
        self.dropped_total = 0
        self.closing = False

    async def __aenter__(self) -> Self:
        self._ranges.skip_to(await self.feed.last_event_id())
        self._tasks = [
            asyncio.create_task(self._pass_on_events(), name="live events"),
            asyncio.create_task(self._pass_on_state(), name="live state"),
        ]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def subscribers(self) -> int:
        """How many watch."""
        return len(self._subscribers)

    def attach(self, listener: Listener) -> None:
        """Hear of new events, agents and waiting lines, and of words while they are said."""
        listener.subscribe("event", self.on_event, self.on_reconnect)
        listener.subscribe("agent", self.on_agent)
        listener.subscribe("acd", self.on_change)
        listener.subscribe("partial", self.on_partials)

    def on_event(self, payload: str) -> None:
        """Take a notification: ``first..last``, the ids of events that were stored."""
        try:
            self._ranges.announce(payload)
        except ValueError:
            log.warning("a notification of events that is not first..last")
            self._ranges.resync = True
        self._news.set()
        self._changed.set()

    def on_change(self, _payload: str = "") -> None:
        """Take a notification that waiting lines changed."""
        self._changed.set()

    def on_agent(self, payload: str) -> None:
        """Take a notification that an agent changed."""
        try:
            self._agents.add(json.loads(payload)["agent_id"])
        except (ValueError, KeyError, TypeError):
            self._read_all_at_s = 0.0  # of whom, it does not say
        self._changed.set()

    def on_partials(self, payload: str) -> None:
        """Take a notification of what is being said and hand it on to those who want it."""
        watchers = [one for one in self._subscribers if Topic.PARTIALS in one.interest.topics]
        if not watchers:
            return
        try:
            partials = partials_of(payload)
        except ValueError:
            log.warning("a notification of partial words that is none")
            return
        for partial in partials:
            message = partial_message(partial)
            for watcher in watchers:
                if watcher.interest.wants(Topic.PARTIALS, partial):
                    watcher.offer_partial(partial.key, message)

    def on_reconnect(self) -> None:
        """Read on from the last event seen: notifications were lost while the listener was away."""
        self._ranges.resync = True
        self._read_all_at_s = 0.0
        self._news.set()
        self._changed.set()

    def close(self) -> None:
        """Send every watcher away; those who come later are refused."""
        self.closing = True
        for subscriber in self._subscribers:
            subscriber.close()

    @contextmanager
    def subscribe(self, interest: Interest) -> Iterator[Subscriber]:
        """Watch until the block ends; raises ``OverloadedError`` when too many do."""
        if self.closing or len(self._subscribers) >= MAX_SUBSCRIBERS:
            raise OverloadedError("too many watch already" if not self.closing else "shutting down")
        subscriber = Subscriber(interest)
        self._subscribers.add(subscriber)
        self._changed.set()
        try:
            yield subscriber
        finally:
            self._subscribers.discard(subscriber)

    async def _pass_on_events(self) -> None:
        while True:
            announced = await _set_within(self._news, POLL_S)
            try:
                await self._catch_up(lost=not announced)
            except StorageError as error:
                log.warning("live events wait: %s", error)
                self._ranges.resync = True
                await asyncio.sleep(POLL_S)

    async def _catch_up(self, *, lost: bool) -> None:
        """Pass on what was announced, and what was not when an announcement may have been lost."""
        if not self._subscribers:
            self._ranges.skip()
            return
        while (span := self._ranges.next()) is not None:
            await self._read_span(*span)
        if lost or self._ranges.resync:
            self._ranges.resync = False
            await self._read_since()

    async def _read_since(self) -> None:
        while True:
            rows = await self.feed.since(self._ranges.last_seen)
            if not self._publish(rows, announced=False) or len(rows) < BATCH:
                return

    async def _read_span(self, first: int, last: int) -> None:
        while first <= last:
            rows = await self.feed.between(first, last)
            self._publish(rows, announced=True)
            if len(rows) < BATCH:
                return
            first = rows[-1].event_id + 1

    def _publish(self, rows: Sequence[FeedEvent], *, announced: bool) -> int:
        fresh = [row for row in rows if self._ranges.is_new(row.event_id, announced=announced)]
        for row in fresh:
            self._send(Topic.EVENTS, row, event_message(row.event))
            if row.segment is not None:
                self._send(Topic.TRANSCRIPT, row, segment_message(row.segment))
        return len(fresh)

    def _send(self, topic: Topic, row: FeedEvent, message: str) -> None:
        for subscriber in tuple(self._subscribers):
            if subscriber.interest.wants(topic, row):
                self._offer(subscriber, message)

    def _offer(self, subscriber: Subscriber, message: str) -> None:
        if not subscriber.offer(message):
            self.drop(subscriber)

    def drop(self, subscriber: Subscriber) -> None:
        """Give up a watcher who does not keep up; once, however often it is called."""
        if subscriber not in self._subscribers:
            return
        subscriber.dropped = True
        self._subscribers.discard(subscriber)
        self.dropped_total += 1
        log.info("a watcher of the live socket was too slow and was dropped")

    async def _pass_on_state(self) -> None:
        while True:
            await _set_within(self._changed, POLL_S)
            watchers = [one for one in self._subscribers if Topic.STATE in one.interest.topics]
            if watchers:
                await self._show_state(watchers)
            await asyncio.sleep(STATE_EVERY_S)

    async def _show_state(self, watchers: Sequence[Subscriber]) -> None:
        try:
            standing = await self._read_state()
        except StorageError as error:
            log.warning("live state waits: %s", error)
            self._read_all_at_s = 0.0
            return
        audiences = {watcher.interest.audience: watcher.interest for watcher in watchers}
        self._boards.show(audiences, standing)
        for watcher in watchers:
            watcher.show(self._boards.of(watcher.interest.audience))

    async def _read_state(self) -> Standing:
        """Read what is new; everything now and then, since a notification may be lost."""
        changed, self._agents = self._agents, set()
        now_s = asyncio.get_running_loop().time()
        if now_s < self._read_all_at_s:
            return await self.feed.standing(changed)
        self._read_all_at_s = now_s + POLL_S
        return await self.feed.standing()


async def _set_within(event: asyncio.Event, timeout_s: float) -> bool:
    """Wait until the event is set, clear it, and say whether it was in time."""
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return False
    event.clear()
    return True
