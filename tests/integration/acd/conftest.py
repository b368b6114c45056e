"""A call center's rows: agents and callers on a fresh database."""

import itertools
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import pytest

from callcenter import config
from callcenter.acd.matcher import Matcher
from callcenter.acd.policy import QueueRule
from callcenter.acd.presence import AgentEvent
from callcenter.acd.roster import Roster
from callcenter.queueing import SkillTree
from callcenter.storage.agents import AgentRecord, Agents
from callcenter.storage.pool import Database
from callcenter.storage.queue_line import Offer, Place, QueueLine

_numbers = itertools.count(100)

CALLBACK = """
INSERT INTO callback.callback
       (callback_id, queue, number, source, mode, state, arrived_at, not_before, expires_at, promised_from,
        promised_until, zone, priority, chain_id, attempts_max, lease_until, worker)
VALUES ($1, $2, $6, 'ivr', 'agent_first', $5, now() - make_interval(secs => $4), now(),
        now() + interval '1 hour', now(), now(), 'UTC', $3, $1, 3,
        CASE WHEN $5 = 'claimed' THEN now() + interval '30 s' END, CASE WHEN $5 = 'claimed' THEN $1::uuid END)
RETURNING callback_id
"""
BECOMES = """
UPDATE callback.callback SET state = $2,
    lease_until = CASE WHEN $2 = ANY ('{claimed,agent_reserved,agent_accepted,dialing}')
                       THEN now() + interval '30 s' END,
    worker = CASE WHEN $2 = ANY ('{claimed,agent_reserved,agent_accepted,dialing}') THEN callback_id END,
    ended_at = CASE WHEN $2 = 'cancelled' THEN now() END
WHERE callback_id = $1
"""


@dataclass
class Center:
    database: Database
    node_id: UUID = field(default_factory=uuid4)
    rules: dict[str, QueueRule] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.agents = Agents(self.database)
        self.line = QueueLine(self.database)
        self.matcher = Matcher(self.line, lambda: self.rules, SkillTree({}))
        self.roster = Roster(self.agents)

    async def agent(self, name: str, queues: str = "sales", *, idle_s: float | None = 0) -> str:
        """An agent available for ``idle_s`` seconds, or offline."""
        await self.agents.create(
            config.Agent(id=name, name=name.title(), address="+12025550142", queues=queues.split())
        )
        if idle_s is not None:
            await self.roster.signal(name, AgentEvent.SIGN_IN)
            await self.database.execute(
                "UPDATE callcenter.agent SET state_since = state_since - make_interval(secs => $2)"
                " WHERE agent_id = $1",
                name,
                float(idle_s),
            )
        return name

    async def caller(self, queue: str = "sales", priority: int = 0, **limits: Any) -> UUID:
        call_id = uuid4()
        place = await self.line.enter(call_id, self.node_id, config.Queue(name=queue, **limits), priority)
        assert isinstance(place, Place)
        return call_id

    async def callback(
        self, queue: str = "sales", priority: int = 0, *, age_s: float = 0, state: str = "due"
    ) -> UUID:
        """Somebody who came ``age_s`` ago and is to be called back."""
        callback_id: UUID = await self.database.fetchval(
            CALLBACK, uuid4(), queue, priority, float(age_s), state, f"+1202555{next(_numbers):04d}"
        )
        return callback_id

    async def becomes(self, callback_id: UUID, state: str) -> None:
        """Move a callback, as whoever answers for it does."""
        await self.database.execute(BECOMES, callback_id, state)

    async def match(self) -> Offer | None:
        """The next offer, where one can be made."""
        offers = await self.matcher.match(at_most=1)
        return offers[0] if offers else None

    async def offer(self) -> Offer:
        offer = await self.match()
        assert offer is not None
        return offer

    async def look(self, agent_id: str) -> AgentRecord:
        return await self.agents.get(agent_id)

    async def state(self, agent_id: str) -> tuple[str, str]:
        agent = await self.agents.get(agent_id)
        return agent.state, agent.reason

    async def log(self, agent_id: str) -> list[tuple[str, str, str]]:
        """What the event log holds of an agent: from, to, reason."""
        rows = await self.database.fetch(
            "SELECT data FROM callcenter.event WHERE agent = $1 AND type = 'agent.state' ORDER BY event_id",
            agent_id,
        )
        return [(row["data"]["from"], row["data"]["to"], row["data"]["reason"]) for row in rows]


@pytest.fixture
def center(database: Database) -> Center:
    return Center(database)
