"""What the matcher makes of rows against the rule in plain Python, which sees everybody."""

import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from callcenter.acd import matcher
from callcenter.acd.matcher import Matcher
from callcenter.acd.policy import IdleAgent, Need, QueueRule, Strategy, WaitingCaller, all_pairs
from callcenter.queueing import SkillTree
from callcenter.storage.pool import Database
from callcenter.storage.queue_line import QueueLine

QUEUES = ["billing", "claims", "sales", "support"]
SKILLS = ["english", "japanese", "refunds"]


class Situation:
    """Agents, callers and rules by chance; few distinct times, so that ties are common."""

    def __init__(self, seed: int, now: datetime) -> None:
        self.random = random.Random(seed)
        self.now = now
        names = [f"agent-{number}" for number in range(self.random.randint(0, 12))]
        self.agents = [self._agent(name) for name in names]
        self.callers = [self._caller(number, names) for number in range(1, self.random.randint(1, 40))]
        self.rules = {
            name: QueueRule(
                self.random.choice(list(Strategy)), self.random.choice([1.0, 1.0, 0.5, 3.0]), ring_at_most=3
            )
            for name in self.random.sample(QUEUES, 3)
        }

    def _agent(self, name: str) -> IdleAgent:
        queues = self.random.sample(QUEUES, self.random.randint(1, len(QUEUES)))
        return IdleAgent(
            name,
            self._past(),
            frozenset(queues),
            rest_until=self._soon_or_past() if self.random.random() < 0.2 else None,
            skills=self._levels(3),
            calls=self.random.randint(0, 2),
            offered_at=self.random.choice([None, self._past()]),
        )

    def _caller(self, number: int, names: list[str]) -> WaitingCaller:
        refusers = self.random.sample(names, min(len(names), self.random.choice([0, 0, 1, 3])))
        needed = self._levels(2)
        steps = (Need(0.0, needed), Need(self.random.choice([30.0, 600.0]), {}))
        preferred = self.random.choice([None, None, *names]) if names else None
        held = preferred is not None and self.random.random() < 0.7
        return WaitingCaller(
            number,
            self.random.choice(QUEUES),
            self.random.choice([0, 0, 0, 1, -1]),
            self._past(),
            {name: self._soon_or_past() for name in refusers},
            steps if needed and self.random.random() < 0.5 else (),
            preferred,
            self._soon_or_past() if held else None,
        )

    def _levels(self, highest: int) -> dict[str, int]:
        skills = self.random.sample(SKILLS, self.random.choice([0, 1, 1, 2]))
        return {skill: self.random.randint(1, highest) for skill in sorted(skills)}

    def _past(self) -> datetime:
        return self.now - timedelta(seconds=self.random.randint(60, 65))

    def _soon_or_past(self) -> datetime:
        return self.now + timedelta(seconds=self.random.choice([-1, 600]))


async def store(database: Database, situation: Situation) -> dict[UUID, int]:
    await database.execute("TRUNCATE callcenter.agent, callcenter.agent_queue, callcenter.queue_entry")
    node_id = uuid4()
    calls = {uuid4(): caller for caller in situation.callers}
    async with database.acquire() as connection:
        for agent in situation.agents:
            await connection.execute(
                "INSERT INTO callcenter.agent (agent_id, name, gateway, address, state, state_since,"
                " rest_until, skills, calls, offered_at) VALUES ($1, $1, 'twilio', '2001', 'available', $2,"
                " coalesce($3::timestamptz, '-infinity'), $4, $5, $6)",
                agent.agent_id,
                agent.idle_since,
                agent.rest_until,
                agent.skills,
                agent.calls,
                agent.offered_at,
            )
        await connection.executemany(
            "INSERT INTO callcenter.agent_queue VALUES ($1, $2)",
            [(agent.agent_id, queue) for agent in situation.agents for queue in agent.queues],
        )
        await connection.executemany(
            "INSERT INTO callcenter.queue_entry (entry_id, call_id, node_id, queue, priority, entered_at,"
            " refused_by, refused_until, needs, preferred_agent, held_until) OVERRIDING SYSTEM VALUE"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
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
                    json.dumps([[need.after_s, need.skills] for need in caller.needs]),
                    caller.preferred_agent,
                    caller.held_until,
                )
                for call_id, caller in calls.items()
            ],
        )
    return {call_id: caller.entry_id for call_id, caller in calls.items()}


@pytest.mark.parametrize("block", range(6))
async def test_the_matcher_follows_the_rule(
    database: Database, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it sees no more than the first caller or two of each class at a time."""
    monkeypatch.setattr(matcher, "OF_EACH_CLASS", 1 + block % 3)
    line = QueueLine(database)
    matched = 0
    for seed in range(block * 20, block * 20 + 20):
        situation = Situation(seed, datetime.now(UTC))
        entries = await store(database, situation)
        expected = all_pairs(situation.agents, situation.callers, situation.rules, situation.now)
        found: dict[UUID, tuple[int, list[Any]]] = {}
        matching = Matcher(line, lambda rules=situation.rules: rules, SkillTree({}))  # type: ignore[misc]
        while offers := await matching.match():
            for offer in offers:
                found.setdefault(offer.offer_id, (entries[offer.call_id], []))[1].append(offer.agent_id)
        wanted = [(pair.caller.entry_id, [one.agent_id for one in pair.agents]) for pair in expected]
        assert list(found.values()) == wanted, f"seed {seed}"
        matched += len(wanted)
    assert matched > 25
