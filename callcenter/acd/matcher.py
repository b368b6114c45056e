"""Applies the rule to the rows: reads who is free and who is first, decides, claims what was decided."""

import json
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID, uuid4

from callcenter.acd.policy import IdleAgent, Need, Pair, QueueRule, WaitingCaller, all_pairs, class_of
from callcenter.queueing import Queue, SkillTree
from callcenter.storage.queue_line import Offer, QueueLine, Round

OF_EACH_CLASS = 8
DEEPER = 16
PAIRS_AT_ONCE = 64
ATTEMPTS = 5

Rules = Callable[[], Mapping[str, QueueRule]]
"""How each queue is served at present."""


def rule_of(queue: Queue) -> QueueRule:
    """What the rule of distribution has to know of a queue."""
    return QueueRule(queue.strategy, queue.weight, queue.ring_at_most)


class Matcher:
    """Makes offers, for the calls of all processes."""

    def __init__(self, line: QueueLine, rules: Rules, skills: SkillTree) -> None:
        self._line = line
        self._rules = rules
        self._skills = skills

    async def match(self, at_most: int = PAIRS_AT_ONCE) -> list[Offer]:
        """Make offers to ``at_most`` callers and tell their processes; none: all that can be made are made.

        Also none while another process matches.
        """
        for _ in range(ATTEMPTS):
            async with self._line.matching() as round_:
                if round_ is None:
                    return []
                pairs = (await self._decide(round_))[:at_most]
                if not pairs:
                    return []
                # Where all rows are held by others, such as callers who leave, look again.
                if offers := await round_.claim(_wanted(pairs)):
                    return offers
        return []

    async def _decide(self, round_: Round) -> list[Pair]:
        rows = await round_.agents()
        if not rows:
            return []
        now = rows[0]["now"]
        agents = [self._agent(row) for row in rows]
        queues = sorted(set[str]().union(*(agent.queues for agent in agents)))
        names = [agent.agent_id for agent in agents]
        of_each = min(OF_EACH_CLASS, len(agents))
        while True:
            found = await round_.callers(queues, names, of_each)
            callers = [_caller(row, now) for row in found]
            cut_off = _cut_off(callers, of_each)
            pairs = all_pairs(agents, callers, self._rules(), now, cut_off)
            # Nobody may get one of the first callers, as they have refused them: those behind may be luckier.
            if pairs or not cut_off:
                return pairs
            of_each *= DEEPER

    def _agent(self, row: Mapping[str, Any]) -> IdleAgent:
        return IdleAgent(
            agent_id=row["agent_id"],
            idle_since=row["state_since"],
            queues=frozenset(row["queues"]),
            skills=self._skills.expand(row["skills"]),
            calls=row["calls"],
            offered_at=row["offered_at"],
        )


def _caller(row: Mapping[str, Any], now: datetime) -> WaitingCaller:
    held_until = row["held_until"]
    return WaitingCaller(
        entry_id=row["entry_id"],
        queue=row["queue"],
        priority=row["priority"],
        entered_at=row["entered_at"],
        refused_until=dict(zip(row["refused_by"], row["refused_until"], strict=True)),
        needs=_needs(row["needs"]),
        preferred_agent=row["preferred_agent"],
        held_until=held_until if held_until is not None and held_until > now else None,
    )


@lru_cache(maxsize=10_000)
def _needs(text: str) -> tuple[Need, ...]:
    return tuple(Need(after_s, skills) for after_s, skills in json.loads(text))


def _cut_off(callers: Sequence[WaitingCaller], of_each: int) -> set[Hashable]:
    counts = Counter(class_of(caller) for caller in callers if caller.held_until is None)
    return {name for name, count in counts.items() if count >= of_each}


def _wanted(pairs: Sequence[Pair]) -> list[tuple[int, str, UUID]]:
    offers = [(pair, uuid4()) for pair in pairs]
    return [
        (pair.caller.entry_id, agent.agent_id, offer_id) for pair, offer_id in offers for agent in pair.agents
    ]
