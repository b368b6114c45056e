"""Keeps what reports are made of up to date: each ended call's rows, and days of the reporting zone.

Only one process at a time does so, in short transactions; the others find the lock taken and try later.
Nothing waits for it: reports fold for themselves what is still marked.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from itertools import groupby, islice
from operator import itemgetter
from typing import Any
from uuid import UUID

from callcenter.reports.intervals import Interval, Window, midnight, windows
from callcenter.reports.projection import CALL_COLUMNS, CONTACT_COLUMNS, Projection, project
from callcenter.reports.rollup_sql import ADD_CELLS, ADD_DAY, ADD_TIME
from callcenter.reports.rows import event_of
from callcenter.storage.pool import Database
from callcenter.timeline import RELEVANT

BATCH_MARKS = 100
# So many calls are folded in 3 ms, after which whoever else is on the event loop has a turn.
FOLD_AT_ONCE = 20
# A day is added up when it has been over for so long; whatever comes even later leaves a mark.
DAY_OVER = timedelta(hours=2)

LOCK = "SELECT pg_try_advisory_xact_lock(hashtextextended('callcenter.rollups', 0))"
TAKE = """
DELETE FROM callcenter.report_mark
 WHERE ctid = ANY (ARRAY (SELECT ctid FROM callcenter.report_mark WHERE call_id IS NOT NULL LIMIT $1))
RETURNING call_id
"""
# Calls in progress are not projected: their end will mark them again.
ENDED = """
SELECT event_id, at, type, call_id, seq, chain_id, queue, agent, leg, data
  FROM callcenter.event
 WHERE type = ANY ($2) AND call_id IN (
           SELECT call_id FROM callcenter.call WHERE call_id = ANY ($1) AND ended_at IS NOT NULL)
 ORDER BY call_id, seq
"""
TIMES_OF = """
SELECT started_at AS at FROM callcenter.report_call WHERE call_id = ANY ($1)
UNION ALL
SELECT entered_at FROM callcenter.report_contact WHERE call_id = ANY ($1)
"""
FORGET = "DELETE FROM callcenter.report_call WHERE call_id = ANY ($1)"
DROP_DAYS = """
DELETE FROM callcenter.rollup_day AS day USING unnest($1::timestamptz[]) AS changed (at)
 WHERE changed.at >= day.start AND changed.at < day.until
"""
LATE_STATES = """
WITH late AS (DELETE FROM callcenter.report_mark WHERE at IS NOT NULL RETURNING at)
DELETE FROM callcenter.rollup_day WHERE until > (SELECT min(at) FROM late)
"""
KNOWN_DAYS = "SELECT start, until FROM callcenter.rollup_day"
FIRST_CALL = "SELECT min(started_at) AS first, now() AS now FROM callcenter.report_call"

logger = logging.getLogger(__name__)


class Rollups:
    """Brings projections and days up to date, a batch at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def settle(self, batch: int = BATCH_MARKS) -> int:
        """Fold the calls of up to ``batch`` marks and store their rows; the number of marks taken.

        0 also while another process does it. Days that hold anything changed are dropped with it. Raises
        ``StorageError``.
        """
        async with self._database.transaction() as connection:
            if not await connection.fetchval(LOCK):
                return 0
            await connection.execute(LATE_STATES)
            marked = await connection.fetch(TAKE, batch)
            call_ids = list({row["call_id"] for row in marked})
            if call_ids:
                rows = await connection.fetch(ENDED, call_ids, [kind.value for kind in RELEVANT])
                await _store(connection, call_ids, await _project(rows))
            return len(marked)

    async def settle_all(self) -> None:
        """Settle until nothing is marked, or another process is at it."""
        while await self.settle():
            pass

    async def add_up_days(self, zone: tzinfo, *, now: datetime | None = None, limit: int = 5) -> int:
        """Add up the newest days that are over and are not added up, at most ``limit``; their number.

        Days of another zone are dropped. ``now`` is the database's present. Raises ``StorageError``.
        """
        async with self._database.transaction() as connection:
            if not await connection.fetchval(LOCK):
                return 0
            row = await connection.fetchrow(FIRST_CALL)
            if row["first"] is None:
                return 0
            known = {(day["start"], day["until"]) for day in await connection.fetch(KNOWN_DAYS)}
            wanted = whole_days(row["first"], (now or row["now"]) - DAY_OVER, zone)
            others = known - {(day.start, day.end) for day in wanted}
            if others:
                await connection.execute(DROP_DAYS, [start for start, _ in others])
            missing = (day for day in reversed(wanted) if (day.start, day.end) not in known)
            found = list(islice(missing, limit))
            for day in found:
                await _add_up(connection, day)
            return len(found)


def whole_days(first: datetime, until: datetime, zone: tzinfo) -> Sequence[Window]:
    """The days of the zone from the one with ``first`` in it to the last that ends before ``until``."""
    start = midnight(first.astimezone(zone).date(), zone)
    return (
        [day for day in windows(start, until, Interval.DAY, zone) if day.end < until] if start < until else []
    )


async def _add_up(connection: Any, day: Window) -> None:
    if await connection.fetchval(ADD_DAY, day.start, day.end) is None:
        return
    for statement in ADD_CELLS:
        await connection.execute(statement, day.start, day.end)
    await connection.execute(ADD_TIME, [day.start], [day.end], day.end, [day.start, day.end])


async def _project(rows: Sequence[Mapping[str, Any]]) -> list[Projection]:
    found = []
    calls = groupby(rows, key=itemgetter("call_id"))
    for number, (_, own) in enumerate(calls, start=1):
        if (projection := project([event_of(row) for row in own])) is not None:
            found.append(projection)
        if number % FOLD_AT_ONCE == 0:
            await asyncio.sleep(0)
    return found


async def _store(connection: Any, call_ids: Sequence[UUID], projections: Sequence[Projection]) -> None:
    before = [row["at"] for row in await connection.fetch(TIMES_OF, call_ids)]
    await connection.execute(FORGET, call_ids)
    contacts = [row for projection in projections for row in projection.contacts]
    await _insert(connection, "report_call", CALL_COLUMNS, [projection.call for projection in projections])
    await _insert(connection, "report_contact", CONTACT_COLUMNS, contacts)
    after = [projection.call[_STARTED_AT] for projection in projections]
    after += [row[_ENTERED_AT] for row in contacts]
    await connection.execute(DROP_DAYS, list({*before, *after}))


_STARTED_AT = CALL_COLUMNS.index("started_at")
_ENTERED_AT = CONTACT_COLUMNS.index("entered_at")


async def _insert(connection: Any, table: str, columns: Sequence[str], rows: Iterable[Any]) -> None:
    await connection.copy_records_to_table(table, schema_name="callcenter", columns=columns, records=rows)
