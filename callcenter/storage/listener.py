"""Hears the database's notifications and holds locks for as long as the process lives.

A notification only wakes: while the connection is down they are lost, so every subscriber is told to look
for itself when it is back, and polls at its own pace besides.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import asyncpg

from callcenter.errors import StorageError
from callcenter.storage.pool import FIRST_PAUSE_S, LONGEST_PAUSE_S, Database

CHECK_EVERY_S = 10
CHECK_TIMEOUT_S = 5

TAKE_LOCK = "SELECT pg_try_advisory_lock(hashtextextended($1, 0))"
FREE_LOCK = "SELECT pg_advisory_unlock(hashtextextended($1, 0))"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Subscriber:
    channel: str
    callback: Callable[[str], None]
    on_resync: Callable[[], None] | None


class Listener:
    """``async with Listener(database) as listener``: one connection for all that listens in a process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._subscribers: list[_Subscriber] = []
        self._wanted_locks: set[str] = set()
        self._held_locks: set[str] = set()
        self._changed = asyncio.Event()
        self._settled = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="database-listener")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def subscribe(
        self,
        channel: str,
        callback: Callable[[str], None],
        on_resync: Callable[[], None] | None = None,
    ) -> None:
        """Call ``callback`` with each payload on ``channel``, ``on_resync`` after each reconnection."""
        self._subscribers.append(_Subscriber(channel, callback, on_resync))
        self._unsettle()

    async def settled(self) -> None:
        """Wait until all that was subscribed or asked to be held is; bound it where an outage matters."""
        await self._settled.wait()

    async def hold(self, key: str) -> None:
        """Take the advisory lock of ``key`` and take it again after each reconnection."""
        self._wanted_locks.add(key)
        self._unsettle()
        await self.settled()

    def release(self, key: str) -> None:
        """Let go of a lock."""
        self._wanted_locks.discard(key)
        self._unsettle()

    def _unsettle(self) -> None:
        self._settled.clear()
        self._changed.set()

    async def _run(self) -> None:
        pause_s = FIRST_PAUSE_S
        first = True
        while True:
            try:
                async with self._database.session() as connection:
                    pause_s = FIRST_PAUSE_S
                    await self._listen(connection, resync=not first)
            except StorageError as error:
                logger.warning("notifications are not heard: %s", error)
            except Exception:
                logger.exception("listening failed; it goes on")
            self._held_locks.clear()
            self._settled.clear()
            first = False
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311  # scatter, no secret
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def _listen(self, connection: asyncpg.Connection, *, resync: bool) -> None:
        """Serve the subscribers until the connection is lost."""
        channels: set[str] = set()
        connection.add_termination_listener(lambda _: self._changed.set())
        while not connection.is_closed():
            self._changed.clear()
            subscribers = tuple(self._subscribers)
            for channel in {one.channel for one in subscribers} - channels:
                await connection.add_listener(channel, self._heard)
                channels.add(channel)
            await self._exchange_locks(connection)
            if resync:
                resync = False
                self._resync()
            if not self._changed.is_set() and self._held_locks == self._wanted_locks:
                self._settled.set()
            await self._wait(connection)

    async def _wait(self, connection: asyncpg.Connection) -> None:
        try:
            async with asyncio.timeout(CHECK_EVERY_S if self._settled.is_set() else 1):
                await self._changed.wait()
        except TimeoutError:
            await connection.execute("SELECT 1", timeout=CHECK_TIMEOUT_S)

    async def _exchange_locks(self, connection: asyncpg.Connection) -> None:
        for key in self._held_locks - self._wanted_locks:
            await connection.execute(FREE_LOCK, key)
            self._held_locks.discard(key)
        for key in self._wanted_locks - self._held_locks:
            if await connection.fetchval(TAKE_LOCK, key):
                self._held_locks.add(key)

    def _heard(self, _connection: object, _pid: int, channel: str, payload: str) -> None:
        for subscriber in self._subscribers:
            if subscriber.channel == channel:
                try:
                    subscriber.callback(payload)
                except Exception:
                    logger.exception("a subscriber of %s failed", channel)

    def _resync(self) -> None:
        for subscriber in self._subscribers:
            if subscriber.on_resync is not None:
                try:
                    subscriber.on_resync()
                except Exception:
                    logger.exception("a subscriber of %s failed to catch up", subscriber.channel)
