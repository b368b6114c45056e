"""Sound files of calls: which there are and whether they are whole."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from callcenter.errors import NotFoundError
from callcenter.storage.pool import Database

_COLUMNS = """
SELECT recording_id, call_id, node_id, kind, path, channels, offset_ms, duration_ms, state, created_at
  FROM callcenter.recording
"""
OPEN = """
INSERT INTO callcenter.recording (recording_id, call_id, node_id, kind, path, channels, offset_ms)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING
"""
# writing -> done, writing -> failed; a repair may also turn failed into done.
CLOSE = """
UPDATE callcenter.recording
   SET state = $2, path = coalesce($3, path), duration_ms = coalesce($4, duration_ms)
 WHERE recording_id = $1
"""
GET = _COLUMNS + " WHERE recording_id = $1"
OF_CALL = _COLUMNS + " WHERE call_id = $1 ORDER BY offset_ms, recording_id"
# One of several processes gets them, and they are found again should that one die too.
ADOPT = """
UPDATE callcenter.recording SET node_id = $2 WHERE node_id = $1 AND state = 'writing'
RETURNING recording_id, call_id, node_id, kind, path, channels, offset_ms, duration_ms, state, created_at
"""


@dataclass(frozen=True, slots=True)
class RecordingRecord:
    """One file. ``path`` is relative to the recordings folder; ``offset_ms`` is on the call's clock."""

    recording_id: UUID
    call_id: UUID
    node_id: UUID
    kind: str
    path: str
    channels: int
    offset_ms: int
    duration_ms: int | None
    state: str
    created_at: datetime


class Recordings:
    """The recordings of all calls; each write is safe to repeat."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(
        self,
        *,
        recording_id: UUID,
        call_id: UUID,
        node_id: UUID,
        kind: str,
        path: str,
        channels: int,
        offset_ms: int,
    ) -> None:
        """A file has begun to grow. ``kind`` is ``conversation``, ``voicemail`` or ``survey``."""
        await self._database.execute(OPEN, recording_id, call_id, node_id, kind, path, channels, offset_ms)

    async def finish(self, recording_id: UUID, *, duration_ms: int, path: str | None = None) -> None:
        """The file is whole; ``path`` where it got another name. Raises ``NotFoundError``."""
        await self._close(recording_id, "done", path, duration_ms)

    async def fail(
        self, recording_id: UUID, *, duration_ms: int | None = None, path: str | None = None
    ) -> None:
        """The file ends early or cannot be read; raises ``NotFoundError``."""
        await self._close(recording_id, "failed", path, duration_ms)

    async def get(self, recording_id: UUID) -> RecordingRecord:
        """One recording; raises ``NotFoundError``."""
        row = await self._database.fetchrow(GET, recording_id)
        if row is None:
            raise NotFoundError(f"there is no recording {recording_id}")
        return RecordingRecord(**row)

    async def of_call(self, call_id: UUID) -> list[RecordingRecord]:
        """A call's recordings in the order in which they began."""
        return [RecordingRecord(**row) for row in await self._database.fetch(OF_CALL, call_id)]

    async def adopt(self, dead: UUID, node_id: UUID) -> list[RecordingRecord]:
        """Take over the unfinished recordings of a dead process, to repair them."""
        return [RecordingRecord(**row) for row in await self._database.fetch(ADOPT, dead, node_id)]

    async def _close(self, recording_id: UUID, state: str, path: str | None, duration_ms: int | None) -> None:
        tag = await self._database.execute(CLOSE, recording_id, state, path, duration_ms)
        if tag == "UPDATE 0":
            raise NotFoundError(f"there is no recording {recording_id}")
