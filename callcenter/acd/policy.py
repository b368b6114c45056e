"""Who gets whom: the rule, free of databases and clocks.

Callers are served in one order across all queues: priority first, then the time waited times the weight of
their queue, then the order of entry. Each in turn gets the best agent who may take them, by the strategy of
their queue. Rows are claimed in the database, but what is claimed is decided here, and the simulation of a
day decides with the same function.

Callers of one ``class_of`` (queue, priority, needs) stand in the order of entry for ever. So whoever has a
long line need not hand over all of it: the first few of each class are enough, see ``all_pairs``.
"""

from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType

from callcenter.queueing import Strategy

__all__ = [
    "NO_SKILLS",
    "IdleAgent",
    "Need",
    "Pair",
    "QueueRule",
    "Skills",
    "Strategy",
    "WaitingCaller",
    "agent_rank",
    "all_pairs",
    "caller_rank",
    "class_of",
    "eligible",
    "needed_skills",
]

Skills = Mapping[str, int]
"""Skills by name, with levels from 1. An agent has them, a caller needs them."""

NO_SKILLS: Skills = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class QueueRule:
    """How one queue is served. ``ring_at_most`` bounds how many telephones ``RING_ALL`` rings at once."""

    strategy: Strategy = Strategy.LONGEST_IDLE
    weight: float = 1.0
    ring_at_most: int = 10


@dataclass(frozen=True, slots=True)
class Need:
    """From ``after_s`` seconds of waiting on, these skills are needed, and no others."""

    after_s: float
    skills: Skills


@dataclass(frozen=True, slots=True)
class IdleAgent:
    """An agent who could take a call.

    ``calls`` counts conversations since signing in, ``offered_at`` is when the last offer was made,
    ``rest_until`` is set while the agent's phone cannot be reached.
    """

    agent_id: str
    idle_since: datetime
    queues: frozenset[str]
    rest_until: datetime | None = None
    skills: Skills = field(default_factory=dict)
    calls: int = 0
    offered_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class WaitingCaller:
    """A caller in line.

    ``needs`` are steps by rising ``after_s``; none means that anybody will do. ``refused_until`` says until
    when which agents are not asked again. Until ``held_until`` only ``preferred_agent`` is asked.
    """

    entry_id: int
    queue: str
    priority: int
    entered_at: datetime
    refused_until: Mapping[str, datetime] = field(default_factory=dict)
    needs: tuple[Need, ...] = ()
    preferred_agent: str | None = None
    held_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """An offer to be made: one caller to one agent, or to several where the queue rings all."""

    caller: WaitingCaller
    agents: tuple[IdleAgent, ...]


def class_of(caller: WaitingCaller) -> Hashable:
    """What callers have in common who keep the order of entry among themselves whatever happens.

    Not so callers who are held for an agent: each of them is a class of their own.
    """
    if caller.held_until is not None:
        return caller.entry_id
    needs = tuple((need.after_s, tuple(sorted(need.skills.items()))) for need in caller.needs)
    return caller.queue, caller.priority, needs


def caller_rank(caller: WaitingCaller, weight: float, now: datetime) -> tuple[int, float, datetime, int]:
    """Sorts callers: highest priority, longest weighted wait, first to enter."""
    waited_s = (now - caller.entered_at).total_seconds()
    return -caller.priority, -waited_s * weight, caller.entered_at, caller.entry_id


def agent_rank(
    agent: IdleAgent, strategy: Strategy, needed: Skills = NO_SKILLS
) -> tuple[int, int, float, datetime, str]:
    """Sorts agents for a caller who needs ``needed``; the name makes the order total."""
    first, second, third = 0, 0, 0.0
    match strategy:
        case Strategy.FEWEST_CALLS:
            first = agent.calls
        case Strategy.ROUND_ROBIN:
            third = agent.offered_at.timestamp() if agent.offered_at is not None else float("-inf")
        case Strategy.SKILL_MATCH:
            first = -sum(agent.skills.get(skill, 0) for skill in needed)
            second = sum(skill not in needed for skill in agent.skills)
        case Strategy.LONGEST_IDLE | Strategy.RING_ALL:
            pass
    return first, second, third, agent.idle_since, agent.agent_id


def needed_skills(caller: WaitingCaller, now: datetime) -> Skills:
    """What the caller needs by now; the longer the wait, the later the step of ``needs``."""
    if not caller.needs:
        return NO_SKILLS
    waited_s = (now - caller.entered_at).total_seconds()
    reached = [need.skills for need in caller.needs if need.after_s <= waited_s]
    return reached[-1] if reached else caller.needs[0].skills


def eligible(agent: IdleAgent, caller: WaitingCaller, now: datetime, needed: Skills | None = None) -> bool:
    """Whether this caller may be offered to this agent now; ``needed`` where it is known already."""
    if caller.queue not in agent.queues or (agent.rest_until is not None and agent.rest_until > now):
        return False
    refused_until = caller.refused_until.get(agent.agent_id)
    if refused_until is not None and refused_until > now:
        return False
    if caller.held_until is not None and caller.held_until > now and agent.agent_id != caller.preferred_agent:
        return False
    if needed is None:
        needed = needed_skills(caller, now)
    return all(agent.skills.get(skill, 0) >= level for skill, level in needed.items())


def all_pairs(
    agents: Iterable[IdleAgent],
    callers: Iterable[WaitingCaller],
    rules: Mapping[str, QueueRule],
    now: datetime,
    cut_off: Collection[Hashable] = (),
) -> list[Pair]:
    """Every offer that can be made now, in order. A queue without a rule is served by the default one.

    ``cut_off`` names the classes of which only the first callers were handed over. Once the last of them
    has been served the order is known no further and the list ends; call again with those who are next.
    """
    ranked = sorted(callers, key=lambda one: caller_rank(one, _rule(rules, one.queue).weight, now))
    left = Counter(class_of(caller) for caller in ranked) if cut_off else Counter()
    idle = _Idle(agents)
    pairs = []
    for caller in ranked:
        chosen = idle.take(caller, _rule(rules, caller.queue), now)
        if chosen:
            pairs.append(Pair(caller, chosen))
        if idle.empty:
            break
        # Where one of those handed over finds nobody able, nor do those behind, who need no less; but
        # agents who have refused this one may well take the next.
        if cut_off and (name := class_of(caller)) in cut_off and (chosen or idle.refused(caller, now)):
            left[name] -= 1
            if not left[name]:
                break
    return pairs


_DEFAULT = QueueRule()


def _rule(rules: Mapping[str, QueueRule], queue: str) -> QueueRule:
    return rules.get(queue, _DEFAULT)


class _Idle:
    """Agents who have not been given to anybody yet, by the queue they serve."""

    def __init__(self, agents: Iterable[IdleAgent]) -> None:
        self._left = {agent.agent_id: agent for agent in agents}
        self._of_queue: dict[str, dict[str, IdleAgent]] = {}
        for agent in self._left.values():
            for queue in agent.queues:
                self._of_queue.setdefault(queue, {})[agent.agent_id] = agent

    @property
    def empty(self) -> bool:
        return not self._left

    def take(self, caller: WaitingCaller, rule: QueueRule, now: datetime) -> tuple[IdleAgent, ...]:
        """The best agent for the caller, or all where the queue rings all; they are gone afterwards."""
        serving = self._of_queue.get(caller.queue)
        if not serving:
            return ()
        needed = needed_skills(caller, now)
        chosen = self._choose(serving.values(), caller, rule, needed, now)
        for agent in chosen:
            del self._left[agent.agent_id]
            for queue in agent.queues:
                del self._of_queue[queue][agent.agent_id]
        return tuple(chosen)

    def refused(self, caller: WaitingCaller, now: datetime) -> bool:
        """Whether the caller would have found somebody but for refusals."""
        if not caller.refused_until:
            return False
        unrefused = replace(caller, refused_until={})
        needed = needed_skills(caller, now)
        serving = self._of_queue.get(caller.queue, {})
        return any(eligible(agent, unrefused, now, needed) for agent in serving.values())

    def _choose(
        self,
        serving: Iterable[IdleAgent],
        caller: WaitingCaller,
        rule: QueueRule,
        needed: Skills,
        now: datetime,
    ) -> Sequence[IdleAgent]:
        able = [agent for agent in serving if eligible(agent, caller, now, needed)]
        if not able:
            return ()
        preferred = [agent for agent in able if agent.agent_id == caller.preferred_agent]
        if preferred:
            return preferred
        if rule.strategy is Strategy.RING_ALL:
            able.sort(key=lambda agent: agent_rank(agent, rule.strategy, needed))
            return able[: rule.ring_at_most]
        return [min(able, key=lambda agent: agent_rank(agent, rule.strategy, needed))]
