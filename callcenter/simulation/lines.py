"""Who waits and who is free in a simulated day, in the words of the rule of distribution."""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from callcenter.acd.policy import IdleAgent, WaitingCaller, class_of
from callcenter.simulation.draw import Drawn, Luck
from callcenter.simulation.model import AgentModel

DAY_BEGINS = datetime(2001, 1, 1, tzinfo=UTC)
"""The instant that second 0 stands for in front of the rule; any other gives the same day."""


def instant(at_s: float) -> datetime:
    """A second of the day as the rule wants it."""
    return DAY_BEGINS + timedelta(seconds=at_s)


class Caller:
    """One caller in line. ``offered`` while an agent's telephone rings for them; they keep their place.

    Who asked to be called back has been on the line for ``held_s``; ``paused`` while not to be dialled yet.
    ``luck`` decides what the caller does, the same whatever happens to others.
    """

    __slots__ = (
        *("attempts", "drawn", "held_s", "is_gone", "luck", "name", "number", "offered", "paused"),
        "waiting",
    )

    def __init__(self, number: int, drawn: Drawn, luck: Luck | None = None) -> None:
        self.number = number
        self.drawn = drawn
        self.luck = luck
        self.held_s: float | None = None
        self.paused = False
        self.attempts = 0
        self.is_gone = False
        self.offered: tuple[Agent, ...] = ()
        self.waiting = WaitingCaller(
            number, drawn.queue, drawn.kind.priority, instant(drawn.at_s), needs=drawn.kind.needs
        )
        self.name = class_of(self.waiting)

    def refuse(self, agents: "tuple[Agent, ...]", until_s: float) -> None:
        """These agents did not come; they are not asked again until then."""
        refused = {agent.model.agent_id: instant(until_s) for agent in agents}
        self.waiting = replace(self.waiting, refused_until={**self.waiting.refused_until, **refused})


class Agent:
    """One agent. ``since_s`` is when they signed in, ``idle`` is set while they are free."""

    __slots__ = ("busy_since_s", "calls", "idle", "model", "offered_at", "on_break", "on_shift", "since_s")

    def __init__(self, model: AgentModel) -> None:
        self.model = model
        self.on_shift = False
        self.on_break = False
        self.idle: IdleAgent | None = None
        self.busy_since_s: float | None = None
        self.since_s: float | None = None
        self.calls = 0
        self.offered_at: datetime | None = None

    def free(self, at_s: float) -> IdleAgent:
        """Idle from now on."""
        self.idle = IdleAgent(
            self.model.agent_id,
            instant(at_s),
            self.model.queues,
            skills=self.model.skills,
            calls=self.calls,
            offered_at=self.offered_at,
        )
        return self.idle


@dataclass(slots=True)
class _Class:
    """Callers of one class by the order of entry."""

    queue: str
    callers: dict[int, Caller]
    offered: int = 0
    paused: int = 0

    @property
    def waiting(self) -> int:
        return len(self.callers) - self.offered - self.paused

    def first(self, count: int) -> Iterator[Caller]:
        """The first so many who wait; beside them those who are not offered to everybody at present."""
        for caller in self.callers.values():
            if caller.offered or caller.paused:
                continue
            yield caller
            count -= not caller.waiting.refused_until
            if not count:
                return


class Lines:
    """Everybody in line, by class."""

    def __init__(self) -> None:
        self._classes: dict[Hashable, _Class] = {}

    def enter(self, caller: Caller) -> None:
        """Stand at the end."""
        self._classes.setdefault(caller.name, _Class(caller.drawn.queue, {})).callers[caller.number] = caller

    def leave(self, caller: Caller) -> None:
        """Out of the line."""
        one = self._classes[caller.name]
        one.offered -= bool(caller.offered)
        one.paused -= caller.paused
        caller.is_gone = True
        del one.callers[caller.number]

    def offer(self, caller: Caller, agents: tuple[Agent, ...]) -> None:
        """Telephones ring for the caller; an empty tuple: no longer."""
        self._classes[caller.name].offered += bool(agents) - bool(caller.offered)
        caller.offered = agents

    def pause(self, caller: Caller, *, paused: bool) -> None:
        """Whether the caller keeps the place but is passed over."""
        self._classes[caller.name].paused += paused - caller.paused
        caller.paused = paused

    def waiting(self) -> dict[Hashable, _Class]:
        """The classes in which somebody waits for an offer."""
        return {name: one for name, one in self._classes.items() if one.waiting}

    def left(self) -> Iterator[Caller]:
        """Everybody in line."""
        return (caller for one in self._classes.values() for caller in one.callers.values())

    def ahead(self, caller: Caller) -> int:
        """How many wait in the caller's queue who stand before the caller, who is the last to have come."""
        priority = caller.waiting.priority
        return sum(
            one.waiting + one.paused - (one.callers.get(caller.number) is not None)
            for one in self._classes.values()
            if one.queue == caller.drawn.queue and one.callers and _priority(one) >= priority
        )


def _priority(one: _Class) -> int:
    return next(iter(one.callers.values())).waiting.priority
