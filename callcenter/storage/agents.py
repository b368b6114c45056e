"""Agents: who they are, which queues they serve, what they are doing now.

The change of a state is written, logged as ``agent.state`` and notified by the trigger ``agent_changed``,
in one transaction. What state follows which is the business of ``callcenter.acd.presence``; here a change
is a compare-and-set on the state that the decision was made from.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from callcenter import config
from callcenter.errors import NotFoundError, TransitionError, UsageError
from callcenter.storage.pool import Database

SELECT = """
SELECT a.agent_id, a.name, a.gateway, a.address, a.state, a.reason, a.state_since, a.next_state,
       a.next_reason, a.call_id, a.offer_id, a.node_id, a.enabled, a.skills,
       ARRAY(SELECT q.queue FROM callcenter.agent_queue AS q
             WHERE q.agent_id = a.agent_id ORDER BY q.queue) AS queues
FROM callcenter.agent AS a
"""
GET = f"{SELECT} WHERE a.agent_id = $1"
ALL = f"{SELECT} ORDER BY a.agent_id"

CREATE = """
INSERT INTO callcenter.agent (agent_id, name, gateway, address, skills) VALUES ($1, $2, $3, $4, $5)
"""
UPDATE = """
UPDATE callcenter.agent SET name = $2, gateway = $3, address = $4, skills = $5, enabled = $6
WHERE agent_id = $1
"""
# Sorted, so that processes that start together lock the rows in one order; a row that is right already is
# not written.
SYNC = """
INSERT INTO callcenter.agent AS a (agent_id, name, gateway, address, skills)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::jsonb[])
ORDER BY 1
ON CONFLICT (agent_id) DO UPDATE
SET name = excluded.name, gateway = excluded.gateway, address = excluded.address, skills = excluded.skills
WHERE (a.name, a.gateway, a.address, a.skills)
      IS DISTINCT FROM (excluded.name, excluded.gateway, excluded.address, excluded.skills)
"""
DROP_QUEUES = """
DELETE FROM callcenter.agent_queue AS q
WHERE q.agent_id = ANY ($1) AND NOT EXISTS (
    SELECT FROM unnest($2::text[], $3::text[]) AS wanted (agent_id, queue)
    WHERE wanted.agent_id = q.agent_id AND wanted.queue = q.queue)
"""
ADD_QUEUES = """
INSERT INTO callcenter.agent_queue (agent_id, queue)
SELECT * FROM unnest($1::text[], $2::text[]) AS wanted (agent_id, queue) ORDER BY agent_id, queue
ON CONFLICT DO NOTHING
"""
WAKE_MATCHERS = "SELECT pg_notify('acd', '')"

LOCK = "SELECT state, call_id FROM callcenter.agent WHERE agent_id = $1 FOR UPDATE"
SIGN_OUT = """
UPDATE callcenter.agent SET state = 'offline', reason = 'deleted', state_since = clock_timestamp()
WHERE agent_id = $1 AND state <> 'offline'
"""
DELETE = "DELETE FROM callcenter.agent WHERE agent_id = $1"

# $2..$5 are the state that the decision was made from, $6..$9 the one decided for, $10 whether that one
# still belongs to the call. A wish alone does not restart the time in the state.
MOVE = """
UPDATE callcenter.agent
SET state = $6, reason = $7, next_state = $8, next_reason = $9,
    state_since = CASE WHEN (state, reason) = ($6, $7) THEN state_since ELSE clock_timestamp() END,
    calls = CASE WHEN $2 = 'offline' THEN 0 ELSE calls END,
    call_id = CASE WHEN $10 THEN call_id END,
    offer_id = CASE WHEN $10 THEN offer_id END,
    node_id = CASE WHEN $10 THEN node_id END
WHERE agent_id = $1 AND state = $2 AND state_since = $3
  AND next_state IS NOT DISTINCT FROM $4 AND next_reason = $5
"""

REST = """
UPDATE callcenter.agent SET rest_until = now() + make_interval(secs => $3)
WHERE agent_id = $1 AND offer_id = $2
"""


@dataclass(frozen=True, slots=True)
class AgentRecord:
    """One agent. ``state`` and ``next_state`` are values of ``callcenter.acd.presence.AgentState``.

    ``state_since`` is UTC on the database's clock; ``call_id``, ``offer_id`` and ``node_id`` are set while
    a call is on. A disabled agent gets no calls. ``skills`` are levels by skill.
    """

    agent_id: str
    name: str
    gateway: str
    address: str
    queues: tuple[str, ...]
    state: str
    reason: str
    state_since: datetime
    next_state: str | None
    next_reason: str
    call_id: UUID | None
    offer_id: UUID | None
    node_id: UUID | None
    enabled: bool
    skills: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class NewState:
    """What an agent is to be; ``keeps_call`` says whether the call's columns stay."""

    state: str
    reason: str
    next_state: str | None
    next_reason: str
    keeps_call: bool


class Agents:
    """The agents of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def sync(self, agents: Sequence[config.Agent]) -> None:
        """Create or update the agents of the settings file; states and other agents stay as they are."""
        columns = [
            [agent.id for agent in agents],
            [agent.name or agent.id for agent in agents],
            [agent.gateway for agent in agents],
            [agent.address for agent in agents],
            [agent.skills for agent in agents],
        ]
        async with self._database.transaction() as connection:
            await connection.execute(SYNC, *columns)
            await self._set_queues(connection, agents)

    async def create(self, agent: config.Agent) -> None:
        """Add an agent, offline; raises ``UsageError`` when the id is taken."""
        values = agent.id, agent.name or agent.id, agent.gateway, agent.address, agent.skills
        async with self._database.transaction() as connection:
            try:
                await connection.execute(CREATE, *values)
            except asyncpg.UniqueViolationError:
                raise UsageError(f"there is already an agent {agent.id}") from None
            await self._set_queues(connection, [agent])

    async def update(self, agent: config.Agent, *, enabled: bool = True) -> None:
        """Replace what is known about an agent, not what the agent is doing; raises ``NotFoundError``."""
        async with self._database.transaction() as connection:
            values = agent.id, agent.name or agent.id, agent.gateway, agent.address, agent.skills
            if await connection.execute(UPDATE, *values, enabled) == "UPDATE 0":
                raise NotFoundError(f"there is no agent {agent.id}")
            await self._set_queues(connection, [agent])

    async def delete(self, agent_id: str) -> None:
        """Remove an agent, signed out first; raises ``NotFoundError``, ``TransitionError`` during a call."""
        async with self._database.transaction() as connection:
            row = await connection.fetchrow(LOCK, agent_id)
            if row is None:
                raise NotFoundError(f"there is no agent {agent_id}")
            if row["call_id"] is not None:
                raise TransitionError(f"agent {agent_id} is {row['state']} and cannot be deleted")
            await connection.execute(SIGN_OUT, agent_id)
            await connection.execute(DELETE, agent_id)

    async def get(self, agent_id: str) -> AgentRecord:
        """One agent; raises ``NotFoundError``."""
        row = await self._database.fetchrow(GET, agent_id)
        if row is None:
            raise NotFoundError(f"there is no agent {agent_id}")
        return _record(row)

    async def all(self) -> list[AgentRecord]:
        """All agents, by id."""
        return [_record(row) for row in await self._database.fetch(ALL)]

    async def move(self, seen: AgentRecord, to: NewState) -> bool:
        """Change the state if it is still the one ``seen``; false when somebody else was quicker."""
        was = seen.state, seen.state_since, seen.next_state, seen.next_reason
        new = to.state, to.reason, to.next_state, to.next_reason, to.keeps_call
        return await self._database.execute(MOVE, seen.agent_id, *was, *new) == "UPDATE 1"

    async def rest(self, agent_id: str, offer_id: UUID, seconds: float) -> None:
        """Make no offer to an agent for so long, if the agent is still on the call of this one."""
        await self._database.execute(REST, agent_id, offer_id, seconds)

    async def _set_queues(self, connection: asyncpg.Connection, agents: Sequence[config.Agent]) -> None:
        pairs = [(agent.id, queue) for agent in agents for queue in agent.queues]
        ids, queues = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        await connection.execute(DROP_QUEUES, [agent.id for agent in agents], ids, queues)
        await connection.execute(ADD_QUEUES, ids, queues)
        await connection.execute(WAKE_MATCHERS)


def _record(row: asyncpg.Record) -> AgentRecord:
    values = dict(row)
    return AgentRecord(queues=tuple(values.pop("queues")), **values)
