"""Clears up after a process that died: its calls end, its callers leave the line, its agents are free.

Every step looks at the rows under their locks, so several processes may clear up after the same one, at
once or one after another, and each step happens once.
"""

from dataclasses import dataclass
from uuid import UUID

from callcenter.storage.calls import EVENTS, events_of
from callcenter.storage.closing import closing_events
from callcenter.storage.event_batch import store
from callcenter.storage.pool import Database
from callcenter.storage.queue_line import QueueLine
from callcenter.storage.recordings import RecordingRecord, Recordings

CALLS = """
-- Open calls, and ended ones whose agent was still wrapping up.
SELECT call_id FROM callcenter.call WHERE node_id = $1 AND ended_at IS NULL
 UNION
SELECT call_id FROM callcenter.agent WHERE node_id = $1 AND call_id IS NOT NULL
"""
LOCK = "SELECT FROM callcenter.call WHERE call_id = $1 FOR UPDATE"
SEEN = "SELECT (SELECT seen_at FROM callcenter.node WHERE node_id = $1) AS seen_at, clock_timestamp() AS now"


@dataclass(frozen=True, slots=True)
class Recovered:
    """What was cleared up: the calls ended, and the recordings that are now this process's to repair."""

    calls: tuple[UUID, ...]
    recordings: tuple[RecordingRecord, ...]


class Recovery:
    """Clears up on behalf of the process ``node_id``."""

    def __init__(self, database: Database, node_id: UUID) -> None:
        self._database = database
        self._node_id = node_id
        self._line = QueueLine(database)
        self._recordings = Recordings(database)

    async def recover_node(self, dead: UUID) -> Recovered:
        """End what ``dead`` left open; idempotent. The caller must know that the process is dead.

        Its agents become available again (or what they had wished for), which the log says. Afterwards the
        process can be forgotten.
        """
        call_ids = [row["call_id"] for row in await self._database.fetch(CALLS, dead)]
        ended = [call_id for call_id in call_ids if await self._end_call(call_id, dead)]
        await self._line.drop_node(dead)
        recordings = await self._recordings.adopt(dead, self._node_id)
        return Recovered(tuple(ended), tuple(recordings))

    async def _end_call(self, call_id: UUID, dead: UUID) -> bool:
        async with self._database.transaction() as connection:
            if await connection.fetchrow(LOCK, call_id) is None:
                return False
            row = await connection.fetchrow(SEEN, dead)
            events = events_of(await connection.fetch(EVENTS, call_id))
            missing = closing_events(events, row["seen_at"], row["now"])
            if missing:
                await store(connection, missing)
            return bool(missing)
