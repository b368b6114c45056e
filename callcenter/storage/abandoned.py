"""Callers who hung up in a queue and whom nobody has talked to since."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from callcenter.storage.pool import Database

LIST = """
WITH lost AS (
    SELECT DISTINCT ON (from_number, queue)
           call_id, from_number AS number, queue, started_at, ended_at,
           count(*) OVER (PARTITION BY from_number, queue) AS calls
      FROM callcenter.call
     WHERE direction = 'inbound' AND outcome IN ('abandoned', 'short_abandoned') AND queue IS NOT NULL
       AND started_at >= $1 AND ($2::text IS NULL OR queue = $2)
       AND from_number ~ '^[+]?[0-9]{3,20}$'  -- others have withheld it
     ORDER BY from_number, queue, started_at DESC, call_id DESC
)
SELECT lost.call_id, lost.number, lost.queue, lost.ended_at AS abandoned_at, lost.calls,
       coalesce((SELECT (e.data ->> 'wait_s')::float8 FROM callcenter.event AS e
                  WHERE e.call_id = lost.call_id AND e.type = 'queue.abandoned' ORDER BY e.seq DESC LIMIT 1),
                extract(epoch FROM lost.ended_at - lost.started_at)::float8) AS waited_s
  FROM lost
 WHERE NOT EXISTS (SELECT FROM callcenter.call AS later
                    WHERE later.from_number = lost.number AND later.started_at > lost.started_at
                      AND later.connected_at IS NOT NULL)
   -- asked to be called back, or was called back since
   AND NOT EXISTS (SELECT FROM callback.callback AS c
                    WHERE c.number = lost.number
                      AND (c.ended_at IS NULL
                           OR c.state IN ('completed', 'merged') AND c.ended_at > lost.started_at))
   AND NOT EXISTS (SELECT FROM callback.do_not_call AS d WHERE d.number = lost.number)
   AND ($3::timestamptz IS NULL OR (lost.ended_at, lost.call_id) < ($3, $4::uuid))
 ORDER BY lost.ended_at DESC, lost.call_id DESC LIMIT $5
"""


@dataclass(frozen=True, slots=True)
class AbandonedCaller:
    """A caller's last call to a queue; ``calls`` such calls were lost, ``waited_s`` is of the last."""

    call_id: UUID
    number: str
    queue: str
    abandoned_at: datetime
    waited_s: float
    calls: int


class AbandonedCallers:
    """Reads them; raises ``StorageError``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(
        self,
        since: datetime,
        queue: str | None = None,
        *,
        after: tuple[datetime, UUID] | None = None,
        limit: int = 50,
    ) -> "list[AbandonedCaller]":
        """Those whose call began at ``since`` or later, newest first, each number once per queue.

        ``after`` is the time and the call of the last one of the page before.
        """
        at, call_id = after if after is not None else (None, None)
        rows = await self._database.fetch(LIST, since, queue, at, call_id, limit)
        return [AbandonedCaller(**row) for row in rows]
