"""What estimated waits are made from, what was estimated, and how right it was."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from callcenter.storage.pool import Database

RECENT_CONTACTS = 200
"""Handle times and waits of a queue are learnt from its last so many contacts."""

RECENT_HOURS = 4
PASSED_S = 60.0
"""Who may not be dialled for so long is passed by those who come now."""

ARRIVALS_MINUTES = 30

# Who can be counted on. Agents who wished to leave after their call will not take another one.
STAFF = """
SELECT one.queues, one.skills, count(*)::int AS agents,
       (count(*) FILTER (WHERE one.is_free))::int AS free
FROM (
    SELECT ARRAY(SELECT q.queue FROM callcenter.agent_queue AS q
                 WHERE q.agent_id = a.agent_id ORDER BY q.queue) AS queues,
           CASE WHEN $1 THEN a.skills ELSE '{}' END AS skills,
           a.state = 'available' AND a.rest_until <= now() AS is_free
    FROM callcenter.agent AS a
    WHERE a.enabled AND a.state NOT IN ('offline', 'break') AND a.next_state IS NULL
) AS one
GROUP BY one.queues, one.skills
"""

# When each of those who wait came, as seconds since 1970: one array per queue and priority is much less to
# read than one row per caller. Those kept are of callbacks; those passed may not be dialled for a while yet.
LINES = """
SELECT entry.queue, entry.priority,
       array_agg(extract(epoch FROM entered_at)::float8 ORDER BY entered_at)
           FILTER (WHERE entry.state = 'waiting') AS entered,
       array_agg(extract(epoch FROM entered_at)::float8 ORDER BY entered_at)
           FILTER (WHERE entry.state = 'waiting' AND entry.callback_id IS NOT NULL) AS kept,
       array_agg(extract(epoch FROM entered_at)::float8 ORDER BY entered_at)
           FILTER (WHERE entry.state = 'waiting' AND later.callback_id IS NOT NULL) AS passed,
       (count(*) FILTER (WHERE entry.state <> 'waiting'))::int AS offered
FROM callcenter.queue_entry AS entry
LEFT JOIN callback.callback AS later
       ON later.callback_id = entry.callback_id AND NOT entry.ready
      AND later.not_before > now() + make_interval(secs => $1)
GROUP BY entry.queue, entry.priority
"""

HISTORY = """
SELECT q.queue, handled.*, waited.*
FROM (SELECT DISTINCT queue FROM callcenter.agent_queue) AS q
-- How long contacts kept their agents, from the first ring to the end of the wrap-up. Where a customer is
-- called back the customer's telephone rings as well before anybody is connected: no ring of an agent's.
CROSS JOIN LATERAL (
    SELECT count(*)::int AS contacts,
           avg(extract(epoch FROM done.at - sent.at))::float8 AS service_s,
           (avg(extract(epoch FROM connected.at - sent.at)) FILTER (WHERE is_inbound))::float8 AS ring_s,
           (stddev_pop(extract(epoch FROM connected.at - sent.at)) FILTER (WHERE is_inbound))::float8
               AS ring_deviation_s
    FROM (
        SELECT e.call_id, e.agent, e.seq, e.at FROM callcenter.event AS e
        WHERE e.type = 'acw.ended' AND e.queue = q.queue AND e.at > now() - make_interval(hours => $2)
        ORDER BY e.at DESC LIMIT $1
    ) AS done
    CROSS JOIN LATERAL (
        SELECT NOT EXISTS (
            SELECT FROM callcenter.call WHERE call.call_id = done.call_id AND direction = 'callback'
        ) AS is_inbound
    ) AS call
    CROSS JOIN LATERAL (
        SELECT e.at, e.seq FROM callcenter.event AS e
        WHERE e.call_id = done.call_id AND e.seq < done.seq AND e.type = 'agent.connected'
          AND e.agent = done.agent
        ORDER BY e.seq DESC LIMIT 1
    ) AS connected
    CROSS JOIN LATERAL (
        SELECT e.at FROM callcenter.event AS e
        WHERE e.call_id = done.call_id AND e.seq < connected.seq AND e.type = 'offer.sent'
          AND e.agent = done.agent
        ORDER BY e.seq DESC LIMIT 1
    ) AS sent
) AS handled
CROSS JOIN LATERAL (
    SELECT coalesce(sum(w.waited_s), 0)::float8 AS waited_s,
           (count(*) FILTER (WHERE w.outcome = 'abandoned'))::int AS abandoned,
           (array_agg(w.waited_s ORDER BY w.ended_at DESC) FILTER (WHERE w.outcome = 'answered'))[1]
               AS last_served_s
    FROM (
        SELECT e.outcome, e.waited_s, e.made_at + make_interval(secs => e.waited_s) AS ended_at
        FROM callcenter.wait_estimate AS e
        WHERE e.queue = q.queue AND e.at_entry AND e.made_at > now() - make_interval(hours => $2)
        ORDER BY e.made_at DESC LIMIT $1
    ) AS w
) AS waited
"""

ARRIVALS = """
SELECT queue, priority, count(*)::int AS callers FROM callcenter.wait_estimate
WHERE at_entry AND made_at > now() - make_interval(mins => $1)
GROUP BY queue, priority
"""

# Again after an outage that hid the commit: nothing happens.
ADD = """
INSERT INTO callcenter.wait_estimate
    (call_id, queue, made_at, at_entry, priority, position, method, p50_s, p90_s, said_from_s, said_to_s,
     outcome, waited_s)
SELECT $1, $2, given.*, $12,
       greatest(0, extract(epoch FROM $13::timestamptz - given.made_at))::float8
FROM unnest($3::timestamptz[], $4::boolean[], $5::int[], $6::int[], $7::text[], $8::float8[], $9::float8[],
            $10::int[], $11::int[])
     AS given (made_at, at_entry, priority, position, method, p50_s, p90_s, said_from_s, said_to_s)
ON CONFLICT (call_id, made_at) DO NOTHING
"""

# Of callers who were answered only: nobody knows how long the others would have waited.
ACCURACY = """
SELECT queue, method, at_entry, count(*)::int AS estimates,
       (count(*) FILTER (WHERE said_to_s IS NOT NULL))::int AS told,
       (count(*) FILTER (WHERE is_known))::int AS served,
       (avg(p50_s - waited_s) FILTER (WHERE is_known))::float8 AS bias_s,
       (avg(abs(p50_s - waited_s)) FILTER (WHERE is_known))::float8 AS mae_s,
       (avg((waited_s <= p90_s)::int) FILTER (WHERE is_known))::float8 AS p90_coverage
FROM (
    SELECT *, outcome = 'answered' AND p50_s IS NOT NULL AS is_known FROM callcenter.wait_estimate
    WHERE made_at >= $1 AND made_at < $2 AND ($3::text IS NULL OR queue = $3)
) AS made
GROUP BY GROUPING SETS ((), (queue), (method), (at_entry))
ORDER BY queue, method, at_entry DESC
"""


@dataclass(frozen=True, slots=True)
class Staff:
    """Agents at work who serve the same queues and have the same skills; ``free`` of them are available."""

    queues: frozenset[str]
    skills: dict[str, int]
    agents: int
    free: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """Who stands in line for one queue and priority: when they came (seconds since 1970, ascending), how many
    ring. ``kept`` are those of them who keep a place for a callback, ``passed`` those of these whom others
    pass.
    """

    queue: str
    priority: int
    entered: Sequence[float]
    kept: Sequence[float]
    passed: Sequence[float]
    offered: int


@dataclass(frozen=True, slots=True)
class Recent:
    """The recent past of a queue; ``service_s`` is how long ``contacts`` kept their agents on average."""

    queue: str
    contacts: int
    service_s: float | None
    ring_s: float | None
    ring_deviation_s: float | None
    waited_s: float
    abandoned: int
    last_served_s: float | None


@dataclass(frozen=True, slots=True)
class MadeEstimate:
    """An estimate as it is kept; ``said_*`` is the range that the caller was told, if any."""

    made_at: datetime
    at_entry: bool
    priority: int
    position: int
    method: str
    p50_s: float | None
    p90_s: float | None
    said_from_s: int | None = None
    said_to_s: int | None = None


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How right estimates were. The errors are of ``served`` callers; ``None`` where there are none.

    One of ``queue``, ``method`` and ``at_entry`` is set, none of them in the figures of all together.
    """

    queue: str | None
    method: str | None
    at_entry: bool | None
    estimates: int
    told: int
    served: int
    bias_s: float | None
    mae_s: float | None
    p90_coverage: float | None


class WaitEstimates:
    """Estimates of one database, and what they are made from."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def staff(self, *, with_skills: bool) -> list[Staff]:
        """The agents at work."""
        rows = await self._database.fetch(STAFF, with_skills)
        return [Staff(frozenset(row["queues"]), row["skills"], row["agents"], row["free"]) for row in rows]

    async def lines(self) -> list[Waiting]:
        """Everybody in line."""
        rows = await self._database.fetch(LINES, PASSED_S)
        return [
            Waiting(
                row["queue"],
                row["priority"],
                row["entered"] or (),
                row["kept"] or (),
                row["passed"] or (),
                row["offered"],
            )
            for row in rows
        ]

    async def history(self) -> list[Recent]:
        """The recent past of the queues that agents serve."""
        rows = await self._database.fetch(HISTORY, RECENT_CONTACTS, RECENT_HOURS)
        return [Recent(**row) for row in rows]

    async def arrivals(self) -> list[tuple[str, int, int]]:
        """Queue, priority and number of the callers of the last half hour who wait no longer."""
        rows = await self._database.fetch(ARRIVALS, ARRIVALS_MINUTES)
        return [(row["queue"], row["priority"], row["callers"]) for row in rows]

    async def add(
        self, call_id: UUID, queue: str, made: Sequence[MadeEstimate], outcome: str, ended_at: datetime
    ) -> None:
        """Keep the estimates of one stay once it is over; may be repeated."""
        columns: list[list[Any]] = [
            [one.made_at for one in made],
            [one.at_entry for one in made],
            [one.priority for one in made],
            [one.position for one in made],
            [one.method for one in made],
            [one.p50_s for one in made],
            [one.p90_s for one in made],
            [one.said_from_s for one in made],
            [one.said_to_s for one in made],
        ]
        await self._database.execute(ADD, call_id, queue, *columns, outcome, ended_at)

    async def accuracy(self, since: datetime, until: datetime, queue: str | None = None) -> list[Accuracy]:
        """How right the estimates made in [since, until) were: all, by queue, by method, by moment."""
        return [Accuracy(**row) for row in await self._database.fetch(ACCURACY, since, until, queue)]
