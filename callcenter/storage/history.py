"""Who calls: what earlier calls from the same number say about the caller."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from callcenter.storage.pool import Database

MAX_COUNTED = 1000
"""More calls than this are not counted: a number that dials all day must not make its own calls slow."""

OF_NUMBER = """
WITH earlier AS (           -- by the index on (from_number, started_at); the present call is none of them
    SELECT queue, agent_id, started_at, outcome FROM callcenter.call
     WHERE from_number = $1 AND started_at < $2 AND call_id <> $3 AND ended_at IS NOT NULL
     ORDER BY started_at DESC LIMIT $5
), latest AS (
    SELECT queue, outcome, started_at FROM earlier ORDER BY started_at DESC LIMIT 1
), talked AS (              -- the last agent, if that is not too long ago
    SELECT agent_id FROM earlier
     WHERE agent_id IS NOT NULL AND started_at >= $2 - make_interval(days => $4)
     ORDER BY started_at DESC LIMIT 1
)
SELECT (SELECT count(*) FROM earlier) AS calls,
       (SELECT agent_id FROM talked) AS agent,
       latest.queue, latest.outcome, latest.started_at
  FROM (VALUES (1)) AS one LEFT JOIN latest ON true
"""


# By the same index; calls that last for days are none that somebody is making.
CALLING = """
SELECT EXISTS (
    SELECT FROM callcenter.call
     WHERE from_number = $1 AND started_at > clock_timestamp() - interval '1 day'
       AND ended_at IS NULL AND direction = 'inbound')
"""


@dataclass(frozen=True, slots=True)
class CallerHistory:
    """Earlier calls of one number that have ended: how many (counted up to 1000), and the last of them.

    ``last_agent`` is who last talked with the caller within the days asked for.
    """

    calls: int = 0
    last_agent: str = ""
    last_queue: str = ""
    last_outcome: str = ""
    last_at: datetime | None = None


class History:
    """Reads what the calls of a number were."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_number(self, number: str, call_id: UUID, before: datetime, days: int) -> CallerHistory:
        """The history of ``number`` before the call ``call_id``; the agent only within ``days``."""
        row = await self._database.fetchrow(OF_NUMBER, number, before, call_id, days, MAX_COUNTED)
        if row is None:
            return CallerHistory()
        return CallerHistory(
            calls=row["calls"],
            last_agent=row["agent"] or "",
            last_queue=row["queue"] or "",
            last_outcome=row["outcome"] or "",
            last_at=row["started_at"],
        )

    async def is_calling(self, number: str) -> bool:
        """Whether somebody is on the telephone with us from this number."""
        calling: bool = await self._database.fetchval(CALLING, number)
        return calling
