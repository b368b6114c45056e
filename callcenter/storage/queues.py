"""Queues as rows: what the settings file says, and what was changed since through the API."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
from pydantic import ValidationError

from callcenter.errors import NotFoundError, StorageError, TransitionError
from callcenter.queueing import Queue, fallback_fault, overflow_fault
from callcenter.storage.pool import Database

CHANNEL = "queue"

ALL = "SELECT name, settings, version, from_file IS NOT NULL AS in_file FROM callcenter.queue ORDER BY name"
LOCK_ALL = "SELECT pg_advisory_xact_lock(hashtextextended('callcenter.queues', 0))"

# A file that says what it said before changes nothing, so that what was changed since stays.
SYNC = """
INSERT INTO callcenter.queue AS q (name, settings, from_file)
SELECT name, settings, settings FROM unnest($1::text[], $2::jsonb[]) AS given (name, settings) ORDER BY name
ON CONFLICT (name) DO UPDATE
SET settings = excluded.settings, from_file = excluded.from_file, version = q.version + 1, changed_at = now()
WHERE q.from_file IS DISTINCT FROM excluded.from_file
"""
# Queues that left the file: gone, unless they were changed since, or somebody waits in them or serves them.
FORGET = """
DELETE FROM callcenter.queue AS q
WHERE q.from_file IS NOT NULL AND NOT q.name = ANY ($1::text[]) AND q.settings = q.from_file
  AND NOT EXISTS (SELECT FROM callcenter.queue_entry AS e WHERE e.queue = q.name AND e.callback_id IS NULL)
  AND NOT EXISTS (SELECT FROM callcenter.agent_queue AS a WHERE a.queue = q.name)
"""
# One that is still needed stays, as if it had been made through the API.
KEEP = (
    "UPDATE callcenter.queue SET from_file = NULL WHERE from_file IS NOT NULL AND NOT name = ANY ($1::text[])"
)
PUT = """
INSERT INTO callcenter.queue AS q (name, settings) VALUES ($1, $2)
ON CONFLICT (name) DO UPDATE SET settings = excluded.settings, version = q.version + 1, changed_at = now()
RETURNING version
"""
VERSION = "SELECT version FROM callcenter.queue WHERE name = $1"
IN_USE = """
SELECT EXISTS (SELECT FROM callcenter.queue_entry WHERE queue = $1 AND callback_id IS NULL) AS waited_in,
       EXISTS (SELECT FROM callcenter.agent_queue WHERE queue = $1) AS served,
       (SELECT from_file IS NOT NULL FROM callcenter.queue WHERE name = $1) AS in_file
"""
DELETE = "DELETE FROM callcenter.queue WHERE name = $1"
TELL = "SELECT pg_notify('queue', '')"
FALLBACKS = "SELECT queue, fallback FROM callcenter.queue_fallback"


@dataclass(frozen=True, slots=True)
class QueueRecord:
    """One queue. ``version`` rises with each change; ``in_file``: the settings file names it."""

    queue: Queue
    version: int
    in_file: bool


class QueueRows:
    """The queues of one database. Who is to hear of changes listens to ``CHANNEL``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def sync(self, queues: Sequence[Queue]) -> None:
        """Take over what the settings file says, where it says something new."""
        names = [queue.name for queue in queues]
        async with self._database.transaction() as connection:
            await connection.execute(LOCK_ALL)
            await connection.execute(SYNC, names, [_settings(queue) for queue in queues])
            await connection.execute(FORGET, names)
            await connection.execute(KEEP, names)
            await connection.execute(TELL)

    async def all(self) -> list[QueueRecord]:
        """All queues by name; raises ``StorageError`` for rows of a newer program."""
        return [_record(row) for row in await self._database.fetch(ALL)]

    async def put(self, queue: Queue, version: int | None = None) -> int:
        """Make or change a queue; returns its new version.

        Raises ``TransitionError`` where it is no longer in ``version`` (0: not there yet) and where
        overflow would lead nowhere or go round.
        """
        async with self._database.transaction() as connection:
            await connection.execute(LOCK_ALL)
            present = await connection.fetchval(VERSION, queue.name)
            if version is not None and version != (present or 0):
                raise TransitionError(f"queue {queue.name} is in version {present or 0} by now")
            await self._check(connection, queue)
            new: int = await connection.fetchval(PUT, queue.name, _settings(queue))
            await connection.execute(TELL)
        return new

    async def delete(self, name: str) -> None:
        """Remove a queue that nobody uses; raises ``NotFoundError``, ``TransitionError`` where it is used.

        Callbacks are no use: they go where the queue's own settings say, or wait for a supervisor.
        """
        async with self._database.transaction() as connection:
            await connection.execute(LOCK_ALL)
            use = await connection.fetchrow(IN_USE, name)
            if use["in_file"] is None:
                raise NotFoundError(f"there is no queue {name}")
            for used, why in (
                (use["in_file"], "the settings file names it"),
                (use["waited_in"], "callers wait in it"),
                (use["served"], "agents serve it"),
                (await self._is_overflow(connection, name), "another queue overflows to it"),
            ):
                if used:
                    raise TransitionError(f"queue {name} cannot be removed: {why}")
            await connection.execute(DELETE, name)
            await connection.execute(TELL)

    async def fallbacks(self) -> dict[str, str]:
        """Where the callbacks of removed queues go, for those that had said so."""
        return {row["queue"]: row["fallback"] for row in await self._database.fetch(FALLBACKS)}

    async def _check(self, connection: asyncpg.Connection, queue: Queue) -> None:
        others = [_record(row).queue for row in await connection.fetch(ALL) if row["name"] != queue.name]
        fault = overflow_fault([*others, queue]) or fallback_fault([queue], [one.name for one in others])
        if fault is not None:
            raise TransitionError(fault[0])

    async def _is_overflow(self, connection: asyncpg.Connection, name: str) -> bool:
        queues = [_record(row).queue for row in await connection.fetch(ALL)]
        return any(way.to == name for queue in queues for way in queue.overflow)


def _settings(queue: Queue) -> dict[str, Any]:
    return queue.model_dump(mode="json", exclude={"name", "agents"})


def _record(row: Mapping[str, Any]) -> QueueRecord:
    try:
        queue = Queue(name=row["name"], **row["settings"])
    except ValidationError as error:
        raise StorageError(f"queue {row['name']} cannot be read: {error.error_count()} fields") from None
    return QueueRecord(queue, row["version"], row["in_file"])
