"""How many agents there are for customers who are dialled before any agent is."""

from callcenter.storage.pool import Database
from callcenter.storage.queue_sql import MAY_BE_ASKED

# Who stands in line before the first of them comes first. Customers who have picked up and wait are left out:
# they are counted among those who are being carried.
FREE = f"""
WITH first AS (
    SELECT e.priority, e.entered_at, e.entry_id
    FROM callcenter.queue_entry AS e JOIN callback.callback AS c USING (callback_id)
    WHERE e.queue = $1 AND c.state = 'due' AND c.mode = 'customer_first'
    ORDER BY -e.priority, e.entered_at, e.entry_id LIMIT 1
),
before AS (
    SELECT e.entry_id FROM callcenter.queue_entry AS e, first
    WHERE e.queue = $1 AND e.ready AND e.state = 'waiting'
      AND (-e.priority, e.entered_at, e.entry_id) < (-first.priority, first.entered_at, first.entry_id)
      AND NOT EXISTS (SELECT FROM callback.attempt AS a WHERE a.call_id = e.call_id AND a.ended_at IS NULL)
),
idle AS (
    SELECT a.agent_id FROM callcenter.agent AS a
    WHERE {MAY_BE_ASKED}
      AND EXISTS (SELECT FROM callcenter.agent_queue AS q WHERE q.agent_id = a.agent_id AND q.queue = $1)
),
-- Agents who serve other queues as well are promised to the customers whom those are dialling.
elsewhere AS (
    SELECT least(count(*), (
        SELECT count(*) FROM idle JOIN callcenter.agent_queue AS q USING (agent_id) WHERE q.queue = c.queue
    )) AS promised
    FROM callback.callback AS c
    WHERE c.queue <> $1 AND c.mode = 'customer_first'
      AND (c.state = 'reconciling' OR c.lease_until IS NOT NULL AND c.state <> 'bridged')
      AND c.ended_at IS NULL
    GROUP BY c.queue
)
SELECT greatest(0, (SELECT count(*) FROM idle) - (SELECT count(*) FROM before)
                   - (SELECT coalesce(sum(promised), 0) FROM elsewhere))::bigint
"""  # noqa: S608  # constants only


class AgentRoom:
    """Counts the free agents of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def free_agents(self, queue: str) -> int:
        """Agents who could take a call of the queue now and are promised to nobody who stands before."""
        free: int = await self._database.fetchval(FREE, queue)
        return free
