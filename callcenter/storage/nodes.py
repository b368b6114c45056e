"""The service processes that share the database, and which of them are dead.

A living process holds an advisory lock on its connection, which the server frees when the process or its
machine is gone. A free lock alone proves nothing, for an outage frees all of them: the process must also
be missing on this machine, or have been silent for longer than an outage's reconnection takes.
"""

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from callcenter.errors import StorageError
from callcenter.storage.listener import Listener
from callcenter.storage.pool import Database

HEARTBEAT_S = 5
SILENT_S = 20
LOCK_TIMEOUT_S = 10

# A row that another process took away while this one was cut off comes back with the next beat.
BEAT = """
INSERT INTO callcenter.node AS node (node_id, url, host, pid) VALUES ($1, $2, $3, $4)
ON CONFLICT (node_id) DO UPDATE SET url = excluded.url, seen_at = now()
"""
FORGET = "DELETE FROM callcenter.node WHERE node_id = $1"
SUSPECTS = """
-- The lock is free and the server has been up for long enough for everybody to have taken theirs again.
SELECT node_id, host, pid,
       greatest(seen_at, pg_postmaster_start_time()) < now() - make_interval(secs => $2) AS silent
  FROM callcenter.node
 WHERE node_id <> $1
   AND NOT EXISTS (
           SELECT FROM pg_locks
            WHERE locktype = 'advisory' AND objsubid = 1
              AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
              AND (classid::bigint << 32 | objid::bigint) = hashtextextended(node_id::text, 0))
"""
ORPHANS = """
-- Whoever carried these left no row behind.
SELECT node_id FROM (
    SELECT node_id FROM callcenter.call WHERE ended_at IS NULL
     UNION SELECT node_id FROM callcenter.queue_entry WHERE node_id IS NOT NULL
     UNION SELECT node_id FROM callcenter.agent WHERE node_id IS NOT NULL
     UNION SELECT node_id FROM callcenter.recording WHERE state = 'writing'
) AS carrier
 WHERE node_id <> $1 AND node_id NOT IN (SELECT node_id FROM callcenter.node)
"""

logger = logging.getLogger(__name__)


class Nodes:
    """This process, ``node_id``, among the others."""

    def __init__(self, database: Database, listener: Listener, node_id: UUID) -> None:
        self._database = database
        self._listener = listener
        self._node_id = node_id
        self._host = socket.gethostname()

    @asynccontextmanager
    async def registered(self, url: str) -> AsyncIterator[None]:
        """Be known under ``url`` for as long as the block lasts.

        Raises ``StorageError`` when the database does not take the registration.
        """
        await self._beat(url)
        try:
            async with asyncio.timeout(LOCK_TIMEOUT_S):
                await self._listener.hold(str(self._node_id))
        except TimeoutError as error:
            raise StorageError("this process's lock could not be taken") from error
        heart = asyncio.create_task(self._heart(url), name="node-heartbeat")
        try:
            yield
        finally:
            heart.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await heart
            self._listener.release(str(self._node_id))
            try:
                await self.forget(self._node_id)
            except StorageError as error:
                logger.warning("this process stays registered until another one clears up: %s", error)

    async def dead(self) -> list[UUID]:
        """The processes whose calls nobody carries any more; this one is never among them."""
        rows = await self._database.fetch(SUSPECTS, self._node_id, float(SILENT_S))
        found = [
            row["node_id"]
            for row in rows
            if row["silent"] or (row["host"] == self._host and not _is_alive(row["pid"]))
        ]
        orphans = await self._database.fetch(ORPHANS, self._node_id)
        return found + [row["node_id"] for row in orphans]

    async def forget(self, node_id: UUID) -> None:
        """Take a process's row away, after its calls were recovered."""
        await self._database.execute(FORGET, node_id)

    async def _heart(self, url: str) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            try:
                await self._beat(url)
            except StorageError as error:
                logger.info("the sign of life was not written: %s", error)

    async def _beat(self, url: str) -> None:
        await self._database.execute(BEAT, self._node_id, url, self._host, os.getpid())


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
