"""Reads the figures of the day that is on: once its events until now, then only what is new."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from callcenter.config import Metrics
from callcenter.reports.rows import event_of
from callcenter.reports.today import TYPES, DayFigures, Today
from callcenter.storage.pool import Database

PREFETCH = 1000
BATCH = 5000
BEFORE_MIDNIGHT = timedelta(hours=2)
"""Who came before midnight may still wait after it and is not to be taken for somebody new."""
MARGIN = 2000
MAX_SEEN = 3 * MARGIN

_EVENTS = """
SELECT e.event_id, e.at, e.type, e.call_id, e.seq, e.chain_id, e.queue, e.agent, e.leg, e.data
  FROM callcenter.event AS e JOIN callcenter.call USING (call_id)
 WHERE call.direction = 'inbound' AND e.type = ANY ($1)
"""
OF_DAY = _EVENTS + " AND e.at >= $2 ORDER BY e.event_id"
# Ids are given before commit: a row with a smaller id can appear a little after one with a larger.
SINCE = (
    _EVENTS
    + f" AND e.event_id > $2 - {MARGIN} AND (e.event_id > $2 OR e.at > now() - interval '60 seconds')"
    + " ORDER BY e.event_id LIMIT $3"
)


class TodayReader:
    """The figures of the day, by queue; ``read`` may be called by several tasks.

    A read costs what has happened since the last one; the first of the process reads the day.
    """

    def __init__(self, database: Database, thresholds: Metrics) -> None:
        self._database = database
        self._thresholds = thresholds
        self._today: Today | None = None
        self._last_id = 0
        self._seen: OrderedDict[int, None] = OrderedDict()
        self._lock = asyncio.Lock()

    async def read(self, now: datetime) -> Mapping[str, DayFigures]:
        """Read on until ``now``, UTC on the database's clock; raises ``StorageError``."""
        async with self._lock:
            if self._today is None:
                # Known only when all of it was read: an outage begins anew.
                self._today = await self._whole_day(now)
            else:
                self._today.begin(now)
                await self._read_on(self._today)
            return {queue: figures + DayFigures() for queue, figures in self._today.by_queue.items()}

    async def _whole_day(self, now: datetime) -> Today:
        today = Today(self._thresholds)
        since = today.begin(now) - BEFORE_MIDNIGHT
        async with self._database.transaction() as connection:
            async for row in connection.cursor(OF_DAY, [*TYPES], since, prefetch=PREFETCH):
                self._take(today, row)
        return today

    async def _read_on(self, today: Today) -> None:
        while True:
            rows = await self._database.fetch(SINCE, [*TYPES], self._last_id, BATCH)
            for row in rows:
                if row["event_id"] not in self._seen:
                    self._take(today, row)
            if len(rows) < BATCH:
                return

    def _take(self, today: Today, row: Mapping[str, Any]) -> None:
        event_id = row["event_id"]
        self._seen[event_id] = None
        if len(self._seen) > MAX_SEEN:
            self._seen.popitem(last=False)
        self._last_id = max(self._last_id, event_id)
        today.take(event_of(row))
