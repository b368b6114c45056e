"""The append-only event log: appending never waits, one task stores what has been appended."""

import asyncio
import contextlib
import itertools
import logging
import random
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import asyncpg

from callcenter.errors import StorageError
from callcenter.events import Event
from callcenter.storage.event_batch import store
from callcenter.storage.pool import FIRST_PAUSE_S, LONGEST_PAUSE_S, Database

# 250 rows cost the event loop 1.5 ms at a time, which a 20 ms audio frame does not notice.
BATCH_SIZE = 250
BATCH_TIMEOUT_S = 30
CLOSE_TIMEOUT_S = 15
LOG_LOSS_EVERY_S = 60

# What an event itself can be guilty of. Anything else, such as a full disk, is no reason to drop it.
REFUSALS = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
    ValueError,
    TypeError,
    KeyError,
    RecursionError,
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EventLogStats:
    """Figures for ``/metrics``; all but ``pending`` count since the start."""

    stored: int = 0
    pending: int = 0
    lost: int = 0  # refused by ``append`` because the buffer was full, or never stored before the end
    rejected: int = 0  # not taken by the schema
    known: int = 0  # found in the log already, mostly after an outage that hid a commit


class EventLog:
    """``async with EventLog(database) as log``: what ``append`` was given is stored in order.

    While the database is away up to ``capacity`` events wait. Beyond that the newest are refused and
    counted as lost: the beginning of a call stays whole, and a call cut short is repaired as after a
    crash, where a call without its beginning would be of no use. Whatever was stored but not confirmed is
    stored again after the outage; the log's unique indexes make that harmless.
    """

    def __init__(self, database: Database, *, capacity: int = 100_000) -> None:
        self._database = database
        self._capacity = capacity
        self._pending: deque[Event] = deque()
        self._wake = asyncio.Event()
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._appended = self._settled = 0
        self._stored = self._lost = self._rejected = self._known = 0
        self._loss_logged_at = -float(LOG_LOSS_EVERY_S)

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._write(), name="event-log")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self.flush()
        except TimeoutError:
            logger.error("the database took no events for %d s before the end", CLOSE_TIMEOUT_S)
        finally:
            await self._stop()

    @property
    def stats(self) -> EventLogStats:
        """What the log has done until now."""
        return EventLogStats(
            stored=self._stored,
            pending=len(self._pending),
            lost=self._lost,
            rejected=self._rejected,
            known=self._known,
        )

    def append(self, event: Event) -> None:
        """Take ``event`` for storing; never waits and never raises."""
        if len(self._pending) >= self._capacity or self._task is None:
            self._lose(1)
            return
        self._pending.append(event)
        self._appended += 1
        self._wake.set()

    async def flush(self) -> None:
        """Wait until everything appended before is durable; bound the wait where an outage matters.

        Raises ``StorageError`` when the log is closed meanwhile.
        """
        if self._settled >= self._appended:
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((self._appended, done))
        await done

    async def _write(self) -> None:
        pause_s = FIRST_PAUSE_S
        while True:
            settled = self._settled
            try:
                async with self._database.session() as connection:
                    await self._drain(connection)
            except StorageError as error:
                logger.warning("%d events wait for the database: %s", len(self._pending), error)
            except Exception:
                logger.exception("storing events failed; it goes on")
            pause_s = FIRST_PAUSE_S if self._settled > settled else min(2 * pause_s, LONGEST_PAUSE_S)
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311  # scatter, no secret

    async def _drain(self, connection: asyncpg.Connection) -> None:
        while True:
            self._wake.clear()
            if not self._pending:
                await self._wake.wait()
            # They leave the buffer only when they are stored: an outage finds them in their place.
            batch = list(itertools.islice(self._pending, BATCH_SIZE))
            # Cutting the connection frees us even from a server that no longer answers.
            watchdog = asyncio.get_running_loop().call_later(BATCH_TIMEOUT_S, connection.terminate)
            try:
                await self._store(connection, batch)
            finally:
                watchdog.cancel()
            for _ in batch:
                self._pending.popleft()
            self._settle(len(batch))

    async def _store(self, connection: asyncpg.Connection, batch: Sequence[Event]) -> None:
        """Store the batch; one that is refused is halved until the event at fault is alone."""
        try:
            async with connection.transaction():
                result = await store(connection, batch)
        except REFUSALS as error:
            if len(batch) == 1:
                self._reject(batch[0], error)
                return
            middle = len(batch) // 2
            await self._store(connection, batch[:middle])
            await self._store(connection, batch[middle:])
            return
        self._stored += result.stored
        self._known += result.known

    def _settle(self, count: int) -> None:
        self._settled += count
        while self._waiting and self._waiting[0][0] <= self._settled:
            _, done = self._waiting.popleft()
            if not done.done():
                done.set_result(None)

    def _reject(self, event: Event, error: Exception) -> None:
        self._rejected += 1
        logger.error(
            "event %s number %s of call %s is not stored: %s",
            event.type,
            event.seq,
            event.call_id,
            type(error).__name__,
        )

    def _lose(self, count: int) -> None:
        if not count:
            return
        self._lost += count
        now = time.monotonic()
        if now - self._loss_logged_at >= LOG_LOSS_EVERY_S:
            self._loss_logged_at = now
            logger.error("%d events lost so far: the database took none and the buffer was full", self._lost)

    async def _stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._lose(len(self._pending))
        self._pending.clear()
        while self._waiting:
            _, done = self._waiting.popleft()
            if not done.done():
                done.set_exception(StorageError("the event log was closed before the events were stored"))
