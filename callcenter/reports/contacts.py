"""Every contact of a range, one row each: for whoever calculates for himself."""

import csv
import json
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from callcenter.config import Settings
from callcenter.errors import UsageError
from callcenter.reports.parquet import MOMENT, NUMBER, TEXT, WHOLE, ParquetFile
from callcenter.reports.projection import CONTACT_COLUMNS, contact_row
from callcenter.reports.query import PENDING
from callcenter.reports.rows import by_call
from callcenter.storage.migrate import Migrations
from callcenter.storage.pool import Database
from callcenter.timeline import RELEVANT, build

AT_ONCE = 5000
COLUMNS: Mapping[str, str] = {
    "call_id": TEXT,
    "segment": WHOLE,
    "direction": TEXT,
    "queue": TEXT,
    "agent": TEXT,
    "counted": TEXT,
    "reason": TEXT,
    "entered_at": MOMENT,
    "left_at": MOMENT,
    "connected_at": MOMENT,
    "ended_at": MOMENT,
    "offers": WHOLE,
    "wait_s": NUMBER,
    "ring_s": NUMBER,
    "talk_s": NUMBER,
    "hold_s": NUMBER,
    "acw_s": NUMBER,
}
CONTACTS = """
SELECT call_id, segment, direction, queue, agent, counted, reason, entered_at, left_at, connected_at,
       ended_at, offers, wait_us, ring_us, talk_us, hold_us, acw_us
  FROM callcenter.report_contact AS contact
 WHERE entered_at >= $1 AND entered_at < $2 AND ($3::text IS NULL OR queue = $3)
   AND NOT EXISTS (SELECT FROM callcenter.report_mark AS mark WHERE mark.call_id = contact.call_id)
 ORDER BY entered_at, call_id, segment
"""

Row = Mapping[str, Any]
Write = Callable[[Sequence[Row]], None]


async def write_contacts(
    settings: Settings, since: datetime, until: datetime, queue: str | None, form: str, path: Path
) -> int:
    """Write the contacts that entered a queue in [since, until) as ``csv``, ``json`` or ``parquet``.

    A few thousand rows are held at a time. Contacts in progress are there with their times so far, at the
    end. The number of rows. Raises ``UsageError`` for a file that cannot be written, ``StorageError``.
    """
    count = 0
    async with Database.open(settings, application_name="callcenter report") as database:
        await Migrations(database).upgrade()
        with _file(form, path) as write:
            async for rows in contacts(database, since, until, queue):
                write(rows)
                count += len(rows)
    return count


async def contacts(
    database: Database, since: datetime, until: datetime, queue: str | None = None
) -> AsyncIterator[list[Row]]:
    """The rows in batches: those projected by when they entered the queue, then those in progress."""
    async with database.snapshot() as connection:
        cursor = await connection.cursor(CONTACTS, since, until, queue)
        while rows := await cursor.fetch(AT_ONCE):
            yield [_row(tuple(row)) for row in rows]
        now = await connection.fetchval("SELECT now()")
        types = [kind.value for kind in RELEVANT]
        async for events in by_call(connection.cursor(PENDING, since, until, types, prefetch=AT_ONCE)):
            call = build(events, now)
            rows = [
                _row(contact_row(call, contact, segment))
                for segment, contact in enumerate(call.contacts, start=1)
                if since <= contact.entered_at < until and queue in (None, contact.queue)
            ]
            if rows:
                yield rows


def _row(values: Sequence[Any]) -> Row:
    given = dict(zip(CONTACT_COLUMNS, values, strict=True))
    row = {name: given[name] for name in COLUMNS if name in given} | {"call_id": str(given["call_id"])}
    times = [name for name in COLUMNS if name not in given]
    return row | {name: given[name.removesuffix("_s") + "_us"] / 1_000_000 for name in times}


@contextmanager
def _file(form: str, path: Path) -> Iterator[Write]:
    if form == "parquet":
        with ParquetFile(path, COLUMNS) as file:
            yield file.write
        return
    with _opened(path, form) as text:
        yield _csv(text) if form == "csv" else _json(text)


def _csv(text: TextIO) -> Write:
    writer = csv.DictWriter(text, list(COLUMNS), lineterminator="\n")
    writer.writeheader()
    return lambda rows: writer.writerows(_told(row, "") for row in rows)


def _json(text: TextIO) -> Write:
    return lambda rows: text.writelines(json.dumps(_told(row, None)) + "\n" for row in rows)


def _told(row: Row, nothing: Any) -> dict[str, Any]:
    def told(value: Any) -> Any:
        return value.isoformat() if isinstance(value, datetime) else nothing if value is None else value

    return {name: told(value) for name, value in row.items()}


@contextmanager
def _opened(path: Path, form: str) -> Iterator[TextIO]:
    """The file, or standard output for ``-``; one that could not be finished is removed."""
    if str(path) == "-":
        yield sys.stdout
        return
    try:
        with path.open("w", encoding="utf-8", newline="") as text:
            yield text
    except OSError as error:
        raise UsageError(f"--{form}: {path}: {error.strerror}") from None
