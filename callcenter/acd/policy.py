"""Who gets whom: the rule, free of databases and clocks.

The rule runs in the database, in one statement of ``callcenter.storage.queue_line``, because only there
can several processes apply it at once. This is the same rule as plain Python: what it says is right, and
tests hold the statement against it.

All callers rank agents alike (longest idle first) and all agents rank callers alike (priority, then time
of entry). Matching is then unambiguous: it makes no difference whether one starts with the first agent or
with the first caller, the set of pairs is the same (both are the one stable matching).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class IdleAgent:
    """An agent who could take a call; ``rest_until`` is set while the agent's phone cannot be reached."""

    agent_id: str
    idle_since: datetime
    queues: frozenset[str]
    rest_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class WaitingCaller:
    """A caller in line; ``refused_until`` says until when which agents are not asked again."""

    entry_id: int
    queue: str
    priority: int
    entered_at: datetime
    refused_until: Mapping[str, datetime] = field(default_factory=dict)


def agent_rank(agent: IdleAgent) -> tuple[datetime, str]:
    """Sorts agents: longest idle first, then by name so that the order is total."""
    return agent.idle_since, agent.agent_id


def caller_rank(caller: WaitingCaller) -> tuple[int, datetime, int]:
    """Sorts callers: highest priority first, then in order of entry."""
    return -caller.priority, caller.entered_at, caller.entry_id


def eligible(agent: IdleAgent, caller: WaitingCaller, now: datetime) -> bool:
    """Whether this caller may be offered to this agent now."""
    if agent.rest_until is not None and agent.rest_until > now:
        return False
    refused_until = caller.refused_until.get(agent.agent_id)
    return caller.queue in agent.queues and (refused_until is None or refused_until <= now)


def first_pair(
    agents: Iterable[IdleAgent], callers: Iterable[WaitingCaller], now: datetime
) -> tuple[IdleAgent, WaitingCaller] | None:
    """The next offer: the longest idle agent who may get anybody, with the first caller for them."""
    line = sorted(callers, key=caller_rank)
    for agent in sorted(agents, key=agent_rank):
        for caller in line:
            if eligible(agent, caller, now):
                return agent, caller
    return None


def all_pairs(
    agents: Iterable[IdleAgent], callers: Iterable[WaitingCaller], now: datetime
) -> list[tuple[IdleAgent, WaitingCaller]]:
    """Every offer that can be made now, in order."""
    idle, line, pairs = list(agents), list(callers), []
    while (pair := first_pair(idle, line, now)) is not None:
        pairs.append(pair)
        idle.remove(pair[0])
        line.remove(pair[1])
    return pairs
