"""The matching statement against the rule in plain Python."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from callcenter.acd.policy import IdleAgent, WaitingCaller, all_pairs
from callcenter.storage.pool import Database
from callcenter.storage.queue_line import QueueLine

QUEUES = ["billing", "claims", "sales", "support"]


class Situation:
    """Agents and callers by chance; few distinct times, so that ties are common."""

    def __init__(self, seed: int, now: datetime) -> None:
        self.random = random.Random(seed)
        self.now = now
        names = [f"agent-{number}" for number in range(self.random.randint(0, 12))]
        self.agents = [self._agent(name) for name in names]
        self.callers = [self._caller(number, names) for number in range(1, self.random.randint(1, 40))]

    def _agent(self, name: str) -> IdleAgent:
        queues = self.random.sample(QUEUES, self.random.randint(1, len(QUEUES)))
        rest = self._soon_or_past() if self.random.random() < 0.2 else None
        return IdleAgent(name, self._past(), frozenset(queues), rest)

    def _caller(self, number: int, names: list[str]) -> WaitingCaller:
        refusers = self.random.sample(names, min(len(names), self.random.choice([0, 0, 1, 3])))
        return WaitingCaller(
            number,
            self.random.choice(QUEUES),
            self.random.choice([0, 0, 0, 1, -1]),
            self._past(),
            {name: self._soon_or_past() for name in refusers},
        )

    def _past(self) -> datetime:
        return self.now - timedelta(seconds=self.random.randint(60, 65))

    def _soon_or_past(self) -> datetime:
        return self.now + timedelta(seconds=self.random.choice([-1, 600]))


async def store(database: Database, situation: Situation) -> dict[Any, int]:
    await database.execute("TRUNCATE callcenter.agent, callcenter.agent_queue, callcenter.queue_entry")
    node_id = uuid4()
    calls = {uuid4(): caller for caller in situation.callers}
    async with database.acquire() as connection:
        for agent in situation.agents:
            await connection.execute(
                "INSERT INTO callcenter.agent (agent_id, name, gateway, address, state, state_since,"
                " rest_until)"
                " VALUES ($1, $1, 'twilio', '2001', 'available', $2, coalesce($3::timestamptz, '-infinity'))",
                agent.agent_id,
                agent.idle_since,
                agent.rest_until,
            )
        await connection.executemany(
            "INSERT INTO callcenter.agent_queue VALUES ($1, $2)",
            [(agent.agent_id, queue) for agent in situation.agents for queue in agent.queues],
        )
        await connection.executemany(
            "INSERT INTO callcenter.queue_entry (entry_id, call_id, node_id, queue, priority, entered_at,"
            " refused_by, refused_until) OVERRIDING SYSTEM VALUE VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            [
                (
                    caller.entry_id,
                    call_id,
                    node_id,
                    caller.queue,
                    caller.priority,
                    caller.entered_at,
                    list(caller.refused_until),
                    list(caller.refused_until.values()),
                )
                for call_id, caller in calls.items()
            ],
        )
    return {call_id: caller.entry_id for call_id, caller in calls.items()}


@pytest.mark.parametrize("block", range(5))
async def test_the_statement_follows_the_rule(database: Database, block: int) -> None:
    line = QueueLine(database)
    matched = 0
    for seed in range(block * 15, block * 15 + 15):
        situation = Situation(seed, datetime.now(UTC))
        entries = await store(database, situation)
        found = []
        while (offer := await line.match()) is not None:
            found.append((offer.agent_id, entries[offer.call_id]))
        expected = all_pairs(situation.agents, situation.callers, situation.now)
        assert found == [(agent.agent_id, caller.entry_id) for agent, caller in expected], f"seed {seed}"
        matched += len(found)
    assert matched > 15
