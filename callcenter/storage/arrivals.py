"""What staffing learns from the past: calls by interval, handle time, patience."""

from datetime import date, datetime

from callcenter.storage.pool import Database

# Wall-clock intervals: the hour that comes twice when clocks go back counts as one.
BY_INTERVAL = """
SELECT (at AT TIME ZONE $3)::date AS day,
       (floor(extract(epoch FROM (at AT TIME ZONE $3)::time) / 60))::int / $4 AS index,
       count(*)::int AS calls
FROM callcenter.event
WHERE type = 'queue.entered' AND at >= $1 AND at < $2 AND ($5::text IS NULL OR queue = $5)
  -- Customers who are called back came before, when they asked for it.
  AND NOT EXISTS (SELECT FROM callcenter.call WHERE call.call_id = event.call_id AND direction = 'callback')
GROUP BY 1, 2
"""

# What a contact costs an agent, without the ring, as the formulas want it.
HANDLE_TIME = """
SELECT avg(extract(epoch FROM done.at - connected.at))::float8
FROM (
    SELECT call_id, agent, seq, at FROM callcenter.event
    WHERE type = 'acw.ended' AND at >= $1 AND at < $2 AND ($3::text IS NULL OR queue = $3)
    ORDER BY at DESC LIMIT $4
) AS done
CROSS JOIN LATERAL (
    SELECT e.at FROM callcenter.event AS e
    WHERE e.call_id = done.call_id AND e.seq < done.seq AND e.type = 'agent.connected'
      AND e.agent = done.agent
    ORDER BY e.seq DESC LIMIT 1
) AS connected
"""

# Waiting time per hang-up, which is the mean where patience is exponential.
PATIENCE = """
SELECT sum(waited_s) / nullif(count(*) FILTER (WHERE outcome = 'abandoned'), 0)
FROM callcenter.wait_estimate
WHERE at_entry AND made_at >= $1 AND made_at < $2 AND ($3::text IS NULL OR queue = $3)
HAVING count(*) FILTER (WHERE outcome = 'abandoned') >= $4
"""

RECENT_CONTACTS = 5000
ENOUGH_HANG_UPS = 20


class Arrivals:
    """The past of one database, of one queue or (``None``) of all; ranges are [since, until)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def by_interval(
        self, since: datetime, until: datetime, zone: str, interval_minutes: int, queue: str | None
    ) -> dict[date, list[float]]:
        """Entries into queues by local day and interval of the day; a day without any is left out."""
        found: dict[date, list[float]] = {}
        rows = await self._database.fetch(BY_INTERVAL, since, until, zone, interval_minutes, queue)
        for row in rows:
            day = found.setdefault(row["day"], [0.0] * (1440 // interval_minutes))
            day[row["index"]] += row["calls"]
        return found

    async def handle_time_s(self, since: datetime, until: datetime, queue: str | None) -> float | None:
        """The mean of talk, hold and wrap-up of the last contacts; ``None`` without any."""
        found: float | None = await self._database.fetchval(HANDLE_TIME, since, until, queue, RECENT_CONTACTS)
        return found

    async def patience_s(self, since: datetime, until: datetime, queue: str | None) -> float | None:
        """The mean patience; ``None`` where too few have hung up to tell."""
        found: float | None = await self._database.fetchval(PATIENCE, since, until, queue, ENOUGH_HANG_UPS)
        return found
