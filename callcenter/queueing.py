"""Settings of queues and skills: who waits how, for whom, and where to when it takes too long. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from graphlib import CycleError, TopologicalSorter
from typing import Annotated, Self

from pydantic import Field, model_validator

from callcenter.callback_settings import CallbackRules
from callcenter.section import Language, Name, Seconds, Section

HotWord = Annotated[str, Field(min_length=1, max_length=60)]
Level = Annotated[int, Field(ge=1, le=10)]
SkillLevels = Annotated[dict[Name, Level], Field(max_length=20)]


class Strategy(StrEnum):
    """How a queue chooses among the agents who may take a caller; ties go to the longest idle."""

    LONGEST_IDLE = "longest_idle"
    FEWEST_CALLS = "fewest_calls"  # since signing in
    ROUND_ROBIN = "round_robin"  # whose last offer lies longest ago
    SKILL_MATCH = "skill_match"  # highest levels where they are needed, then fewest other skills
    RING_ALL = "ring_all"  # all at once; the first to answer gets the caller


class Skill(Section):
    """Something that agents can do. Who has it has the skills that it ``implies`` at the same level, too."""

    implies: list[Name] = Field([], max_length=20)


class Relaxation(Section):
    """What the queue needs of an agent once a caller has waited ``after_s``."""

    after_s: Seconds
    needs: SkillLevels = Field({})


class Overflow(Section):
    """A way to another queue: for those who have waited ``after_s``, or who come when so many wait."""

    to: Name
    after_s: Seconds | None = None
    when_waiting: int | None = Field(None, ge=1, le=100_000)

    @model_validator(mode="after")
    def _has_one_reason(self) -> Self:
        if (self.after_s is None) == (self.when_waiting is None):
            raise ValueError("exactly one of after_s and when_waiting is needed")
        return self


class Queue(Section):
    """One waiting line.

    ``agents`` serve it besides those whose own settings name it. ``relax`` lowers what is ``needs`` step by
    step. An available ``preferred_agent`` of a caller is waited for alone for ``preferred_agent_s``. Who
    hung up and calls again within ``redial_s`` keeps the place. ``leave_when_unstaffed_s`` after the last
    agent has signed out callers get the flow's ``empty`` exit.
    """

    name: Name
    strategy: Strategy = Strategy.LONGEST_IDLE
    priority: int = Field(0, ge=-100, le=100)
    weight: float = Field(1.0, gt=0, le=1000)
    agents: list[Name] = Field([], max_length=5000)
    needs: SkillLevels = Field({})
    relax: list[Relaxation] = Field([], max_length=20)
    overflow: list[Overflow] = Field([], max_length=20)
    preferred_agent_s: float = Field(0, ge=0, le=3600)
    redial_s: float = Field(60, ge=0, le=3600)
    ring_timeout_s: Seconds = 20
    ring_at_most: int = Field(10, ge=1, le=20)
    wrap_up_s: float = Field(30, ge=0, le=3600)
    bridge_grace_s: float = Field(5, ge=0, le=60)
    max_wait_s: Seconds = 1800
    max_length: int = Field(200, ge=0)
    announce_every_s: Seconds = 30
    announce_wait: bool = True
    refuse_when_unstaffed: bool = False
    leave_when_unstaffed_s: Seconds | None = None
    language: Language = ""
    hot_words: list[HotWord] = Field([], max_length=100)
    callback: CallbackRules = CallbackRules()

    @model_validator(mode="after")
    def _relaxes(self) -> Self:
        before, since = self.needs, 0.0
        for step in self.relax:
            if step.after_s <= since:
                raise ValueError(f"relax: {step.after_s:g} s is not after {since:g} s")
            for skill, level in step.needs.items():
                if level > before.get(skill, 0):
                    raise ValueError(f"relax: after {step.after_s:g} s more of {skill} is needed than before")
            before, since = step.needs, step.after_s
        return self


Needs = tuple[tuple[float, Mapping[str, int]], ...]
"""From how many seconds of waiting on which skills are needed at which level."""


def needs_of(queue: Queue, skills: Mapping[str, int]) -> Needs:
    """What a caller of the queue needs step by step; the flow's ``skills`` come on top and do not relax."""
    steps = [(0.0, queue.needs), *((step.after_s, step.needs) for step in queue.relax)]
    needs = [(after_s, _highest(levels, skills)) for after_s, levels in steps]
    return tuple(needs) if any(levels for _, levels in needs) else ()


def _highest(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {skill: max(one.get(skill, 0), other.get(skill, 0)) for skill in sorted({*one, *other})}


def cycle_of(graph: Mapping[str, Iterable[str]]) -> list[str]:
    """The names of one cycle in order, the first once more at the end; none where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(reversed(error.args[1]))
    return []


Fault = tuple[str, tuple[str | int, ...]]
"""What is wrong, and where it stands in the settings."""


def overflow_fault(queues: Sequence[Queue]) -> Fault | None:
    """What is wrong with the ways to other queues, if anything: unknown names and loops."""
    graph = {queue.name: [way.to for way in queue.overflow] for queue in queues}
    for number, queue in enumerate(queues):
        for place, way in enumerate(queue.overflow):
            if way.to not in graph:
                at = ("queues", number, "overflow", place, "to")
                return f"queue {queue.name} overflows to {way.to}, which does not exist", at
    loop = cycle_of(graph)
    if not loop:
        return None
    number = [queue.name for queue in queues].index(loop[0])
    return f"overflow goes round: {' -> '.join(loop)}", ("queues", number, "overflow")


def fallback_fault(queues: Sequence[Queue], others: Iterable[str] = ()) -> Fault | None:
    """What is wrong with where callbacks of removed queues go, if anything; ``others`` are there as well."""
    names = {*others, *(queue.name for queue in queues)}
    for number, queue in enumerate(queues):
        fallback = queue.callback.fallback
        at = ("queues", number, "callback", "fallback")
        if fallback == queue.name:
            return f"queue {queue.name}: its callbacks cannot fall back to itself", at
        if fallback is not None and fallback not in names:
            return f"queue {queue.name}: its callbacks fall back to {fallback}, which does not exist", at
    return None


class SkillTree:
    """Which skills come with which; ``skills`` are known to be free of cycles."""

    def __init__(self, skills: Mapping[str, Skill]) -> None:
        self._implied = {name: self._closure(name, skills) for name in skills}

    @staticmethod
    def _closure(name: str, skills: Mapping[str, Skill]) -> frozenset[str]:
        found, waiting = set[str](), [name]
        while waiting:
            for implied in skills[waiting.pop()].implies:
                if implied not in found:
                    found.add(implied)
                    waiting.append(implied)
        return frozenset(found)

    def expand(self, levels: Mapping[str, int]) -> Mapping[str, int]:
        """All that somebody with these skills can do."""
        if not self._implied:
            return levels
        able = dict(levels)
        for skill, level in levels.items():
            for implied in self._implied.get(skill, ()):
                able[implied] = max(level, able.get(implied, 0))
        return able


def skill_fault(
    skills: Mapping[str, Skill], queues: Sequence[Queue], agents: Sequence[tuple[str, Iterable[str]]]
) -> Fault | None:
    """What is wrong with the skills, if anything; ``agents`` are names with the skills they have."""
    asked: list[tuple[str, Iterable[str], tuple[str | int, ...]]] = [
        *((f"skill {name}", skill.implies, ("skills", name, "implies")) for name, skill in skills.items()),
        *((f"queue {queue.name}", queue.needs, ("queues", at, "needs")) for at, queue in enumerate(queues)),
        *((f"agent {name}", has, ("agents", at, "skills")) for at, (name, has) in enumerate(agents)),
    ]
    for who, names, place in asked:
        unknown = sorted(set(names) - skills.keys())
        if unknown:
            return f"{who}: no such skill: {', '.join(unknown)}", place
    loop = cycle_of({name: skill.implies for name, skill in skills.items()})
    return (f"skills imply each other: {' -> '.join(loop)}", ("skills", loop[0])) if loop else None
