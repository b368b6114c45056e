"""The time on the database's clock, without asking the database each time.

All processes write times that compare with each other, and a call's times never run backwards, because
the clock of the machine is used only for its steady beat.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self

import asyncpg

from callcenter.errors import StorageError
from callcenter.storage.pool import Database

PROBES = 5
PROBE_EVERY_S = 60
SLOWEST_PACE = 0.95
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

NOW = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"

logger = logging.getLogger(__name__)


class SteadyTime:
    """Wall time in µs from a steady beat in µs and now and then the true distance between the two.

    The result rises strictly. A clock found slow is put right at once; one found fast runs at 95 % of its
    pace until it is right, so that durations stay nearly true and nothing ever happens before its cause.
    """

    def __init__(self, offset_us: int) -> None:
        self._offset_us = offset_us
        self._target_us = offset_us
        self._corrected_at_us = 0
        self._last_us = 0

    def correct(self, beat_us: int, offset_us: int) -> None:
        """Take a new measurement of the distance, made at ``beat_us``."""
        self._offset_us = self._offset_at(beat_us)
        self._target_us = offset_us
        self._corrected_at_us = beat_us

    def at(self, beat_us: int) -> int:
        """The time at ``beat_us``, later by at least 1 µs than the one given before."""
        self._last_us = max(beat_us + self._offset_at(beat_us), self._last_us + 1)
        return self._last_us

    def _offset_at(self, beat_us: int) -> int:
        given_up_us = int((1 - SLOWEST_PACE) * (beat_us - self._corrected_at_us))
        return max(self._target_us, self._offset_us - given_up_us)


class DatabaseClock:
    """``async with DatabaseClock(database) as clock``: ``clock.now()`` costs no query.

    The distance to the database's clock is measured at the start and every minute; of several probes the
    one with the shortest way there and back counts, so the error is below half of that way.
    """

    def __init__(self, database: Database, beat_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._database = database
        self._beat_ns = beat_ns
        self._time = SteadyTime(0)
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._time = SteadyTime((await self._measure())[1])
        self._task = asyncio.create_task(self._follow(), name="database-clock")
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

    def now(self) -> datetime:
        """UTC on the database's clock, in µs; every call gives a later time than the one before."""
        return EPOCH + timedelta(microseconds=self._time.at(self._beat_ns() // 1000))

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(PROBE_EVERY_S)
            try:
                self._time.correct(*await self._measure())
            except StorageError as error:
                logger.debug("the database's clock could not be asked: %s", error)

    async def _measure(self) -> tuple[int, int]:
        """The beat and the distance of the database's clock from it, both in µs."""
        async with self._database.acquire() as connection:
            probes = [await self._probe(connection) for _ in range(PROBES)]
        _, beat_us, offset_us = min(probes)
        return beat_us, offset_us

    async def _probe(self, connection: asyncpg.Connection) -> tuple[int, int, int]:
        asked_ns = self._beat_ns()
        database_us: int = await connection.fetchval(NOW)
        way_ns = self._beat_ns() - asked_ns
        beat_us = (asked_ns + way_ns // 2) // 1000
        return way_ns, beat_us, database_us - beat_us
