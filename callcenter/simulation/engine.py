"""Runs a day: a heap of what is due, and the rule of distribution between two of them.

The rule is given what the live matcher gives it: the free agents who serve a queue with callers, and the
first callers of each class, as many as there are such agents.
"""

import heapq
import itertools
import math
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from callcenter.acd.policy import all_pairs
from callcenter.simulation.draw import Drawn, Luck, callers
from callcenter.simulation.lines import Agent, Caller, Lines, instant
from callcenter.simulation.model import DayModel
from callcenter.simulation.result import DayResult, Ended, Stay


class Happened(StrEnum):
    """What a ``Moment`` tells."""

    ENTERED = "entered"  # before anybody has looked for an agent
    OFFERED = "offered"
    MISSED = "missed"
    ANSWERED = "answered"  # seconds: the wait
    ABANDONED = "abandoned"  # seconds: the wait
    ASKED = "asked"  # for a callback; the place is kept. seconds: how long the caller held the line
    DIALLED = "dialled"  # by an agent who has come; the customer's telephone rings
    CALLED_BACK = "called_back"  # seconds: since the customer entered the queue
    UNREACHED = "unreached"  # by this attempt; ahead: how many are left
    FREED = (
        "freed"  # seconds: how long the call kept the agent, from the answer on; 0 when nobody was reached
    )
    SIGNED_IN = "signed_in"
    SIGNED_OUT = "signed_out"
    BREAK_OVER = "break_over"


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened, with what anybody in the room could have seen of it.

    ``ahead`` counts who waits before the caller in the same queue; set for ``ENTERED``.
    """

    at_s: float
    what: Happened
    queue: str = ""
    caller: int = 0
    agent_id: str = ""
    seconds: float = 0.0
    ahead: int = 0
    priority: int = 0


class Simulation:
    """One day of ``model``. Iterate over ``moments`` to watch it, or ``run`` it.

    Callers are drawn by ``seed`` unless they are given: those of a real day, or of a worked example.
    ``expected_s`` says, right after an ``ENTERED`` was told, how long that caller is expected to wait;
    without it, or where it does not know, no callback is offered.
    """

    def __init__(
        self,
        model: DayModel,
        seed: int,
        given: Sequence[Drawn] | None = None,
        expected_s: Callable[[Moment], float | None] = lambda _: None,
    ) -> None:
        self._model = model
        self._seed = seed
        self._expected_s = expected_s
        self._callbacks = {queue.name: queue.callbacks for queue in model.queues}
        self._rules = {queue.name: queue.rule for queue in model.queues}
        self._lines = Lines()
        self._agents = {agent.agent_id: Agent(agent) for agent in model.agents}
        self._free: dict[str, Agent] = {}
        self._due: list[tuple[float, int, Callable[..., Iterator[Moment]], tuple[object, ...]]] = []
        self._numbers = itertools.count(1)
        self._stays: list[Stay] = []
        self._occupied_s = 0.0
        self._signed_in_s = 0.0
        streams = np.random.SeedSequence(seed).spawn(len(model.queues) + 1)
        self._rng = np.random.default_rng(streams[0])
        if given is None:
            generators = [np.random.default_rng(stream) for stream in streams[1:]]
            pairs = zip(model.queues, generators, strict=True)
            given = [one for queue, rng in pairs for one in callers(queue, model.interval_s, rng)]
        self._schedule(given)

    def run(self) -> DayResult:
        """Run the day to its end."""
        last_s = 0.0
        for moment in self.moments():
            last_s = moment.at_s
        return self.result(last_s)

    def result(self, last_s: float) -> DayResult:
        """What came of the moments, of which the last was at ``last_s``."""
        waiting = (self._stay(last_s, caller, "waiting") for caller in self._lines.left())
        return DayResult((*self._stays, *waiting), self._occupied_s, self._signed_in_s)

    @staticmethod
    def _stay(
        now_s: float, caller: Caller, ended: Ended, handle_s: float = 0.0, agent: Agent | None = None
    ) -> Stay:
        drawn, name = caller.drawn, None if agent is None else agent.model.agent_id
        wait_s = now_s - drawn.at_s
        return Stay(drawn.queue, drawn.at_s, ended, wait_s, handle_s, name, caller.held_s, caller.attempts)

    def moments(self) -> Iterator[Moment]:
        """Run the day and tell what happens as it happens."""
        while self._due:
            now_s, _, act, arguments = heapq.heappop(self._due)
            yield from act(now_s, *arguments)
            yield from self._match(now_s)

    def _schedule(self, drawn: Sequence[Drawn]) -> None:
        for agent in self._agents.values():
            for start_s, end_s in agent.model.shifts:
                self._at(start_s, self._sign_in, agent)
                self._at(end_s, self._sign_out, agent)
        for number, one in enumerate(sorted(drawn, key=lambda one: one.at_s), 1):
            self._at(one.at_s, self._enter, number, one)

    def _at(self, when_s: float, act: Callable[..., Iterator[Moment]], *arguments: object) -> None:
        heapq.heappush(self._due, (when_s, next(self._numbers), act, arguments))

    # Callers.

    def _enter(self, now_s: float, number: int, drawn: Drawn) -> Iterator[Moment]:
        callbacks = self._callbacks[drawn.queue]
        caller = Caller(number, drawn, None if callbacks is None else Luck(self._seed, number, callbacks))
        self._lines.enter(caller)
        if math.isfinite(drawn.patience_s):
            self._at(now_s + drawn.patience_s, self._give_up, caller)
        for need in drawn.kind.needs:
            if need.after_s > 0:
                self._at(now_s + need.after_s, self._look)
        entered = Moment(
            now_s,
            Happened.ENTERED,
            drawn.queue,
            number,
            ahead=self._lines.ahead(caller),
            priority=drawn.kind.priority,
        )
        yield entered
        if caller.luck is not None:
            self._offer_callback(now_s, caller, caller.luck, self._expected_s(entered) or 0.0)

    def _give_up(self, now_s: float, caller: Caller) -> Iterator[Moment]:
        if caller.is_gone or caller.held_s is not None:
            return
        if caller.luck is not None and caller.luck.takes_by_key:
            yield from self._ask(now_s, caller)
            return
        self._lines.leave(caller)
        drawn = caller.drawn
        self._stays.append(self._stay(now_s, caller, "abandoned"))
        yield Moment(now_s, Happened.ABANDONED, drawn.queue, caller.number, seconds=now_s - drawn.at_s)
        for agent in caller.offered:
            yield from self._release(now_s, agent)
        caller.offered = ()

    def _look(self, _now_s: float) -> Iterator[Moment]:
        """Nothing happens but that the rule is asked again."""
        return iter(())

    # Offers.

    def _match(self, now_s: float) -> Iterator[Moment]:
        while self._free and (waiting := self._lines.waiting()):
            wanted = {one.queue for one in waiting.values()}
            agents = [agent for agent in self._free.values() if not wanted.isdisjoint(agent.model.queues)]
            if not agents:
                return
            first: dict[int, Caller] = {}
            cut_off: set[Hashable] = set()
            for name, one in waiting.items():
                first |= {caller.number: caller for caller in one.first(len(agents))}
                if one.waiting > len(agents):  # perhaps all of them were handed over, which does no harm
                    cut_off.add(name)
            pairs = all_pairs(
                [agent.idle for agent in agents if agent.idle is not None],
                [caller.waiting for caller in first.values()],
                self._rules,
                instant(now_s),
                cut_off,
            )
            for pair in pairs:
                called = tuple(self._agents[agent.agent_id] for agent in pair.agents)
                yield from self._ring(now_s, first[pair.caller.entry_id], called)
            if not pairs or not cut_off:
                return

    def _ring(self, now_s: float, caller: Caller, agents: tuple[Agent, ...]) -> Iterator[Moment]:
        rings = self._model.rings
        self._lines.offer(caller, agents)
        answers_s = self._rng.exponential(rings.mean_s, len(agents))
        missed = self._rng.random(len(agents)) < rings.missed_share
        answers_s[missed] = math.inf
        soonest = int(answers_s.argmin())
        if answers_s[soonest] < rings.timeout_s:
            self._at(now_s + float(answers_s[soonest]), self._answer, caller, agents, agents[soonest])
        else:
            self._at(now_s + rings.timeout_s, self._miss, caller, agents)
        for agent in agents:
            del self._free[agent.model.agent_id]
            agent.idle = None
            agent.offered_at = instant(now_s)
            agent.busy_since_s = now_s
            yield Moment(now_s, Happened.OFFERED, caller.drawn.queue, caller.number, agent.model.agent_id)

    def _answer(
        self, now_s: float, caller: Caller, agents: tuple[Agent, ...], agent: Agent
    ) -> Iterator[Moment]:
        if caller.offered is not agents:
            return
        if caller.held_s is None:
            yield self._talk(now_s, caller, agent, "answered", Happened.ANSWERED)
        else:
            yield self._dial(now_s, caller, agent)
        for other in agents:
            if other is not agent:
                yield from self._release(now_s, other)

    def _talk(
        self, now_s: float, caller: Caller, agent: Agent, ended: Ended, what: Happened, dialled_s: float = 0.0
    ) -> Moment:
        """Caller and agent are together; ``dialled_s`` is how long that has taken the agent before."""
        drawn, agent_id = caller.drawn, agent.model.agent_id
        self._lines.leave(caller)
        caller.offered = ()
        agent.calls += 1
        handle_s = drawn.talk_s + drawn.wrap_up_s
        self._stays.append(self._stay(now_s, caller, ended, handle_s, agent))
        self._at(now_s + handle_s, self._finish, agent, drawn.queue, dialled_s + handle_s)
        return Moment(now_s, what, drawn.queue, caller.number, agent_id, seconds=now_s - drawn.at_s)

    def _miss(self, now_s: float, caller: Caller, agents: tuple[Agent, ...]) -> Iterator[Moment]:
        if caller.offered is not agents:
            return
        rings = self._model.rings
        self._lines.offer(caller, ())
        caller.refuse(agents, now_s + rings.exclude_s)
        self._at(now_s + rings.exclude_s, self._look)
        for agent in agents:
            agent.on_break = True
            self._not_busy(now_s, agent)
            self._at(now_s + rings.break_s, self._return, agent)
            yield Moment(now_s, Happened.MISSED, caller.drawn.queue, caller.number, agent.model.agent_id)
            if not agent.on_shift:
                yield from self._go_home(now_s, agent)

    # Callbacks.

    def _offer_callback(self, now_s: float, caller: Caller, luck: Luck, expected_s: float) -> None:
        if expected_s > luck.of.offer_after_s and luck.accepts(expected_s, caller.drawn.patience_s):
            self._at(now_s + luck.of.menu_s, self._ask, caller)

    def _ask(self, now_s: float, caller: Caller) -> Iterator[Moment]:
        """Who is rung for at that moment gets the agent instead."""
        if caller.is_gone or caller.held_s is not None or caller.luck is None:
            return
        if caller.offered:
            self._at(now_s + self._model.rings.timeout_s, self._ask, caller)
            return
        caller.held_s = now_s - caller.drawn.at_s
        self._pause(now_s + caller.luck.of.earliest_s, caller)
        yield Moment(now_s, Happened.ASKED, caller.drawn.queue, caller.number, seconds=caller.held_s)

    def _pause(self, until_s: float, caller: Caller) -> None:
        self._lines.pause(caller, paused=True)
        self._at(until_s, self._fall_due, caller)

    def _fall_due(self, _now_s: float, caller: Caller) -> Iterator[Moment]:
        self._lines.pause(caller, paused=False)
        return iter(())

    def _dial(self, now_s: float, caller: Caller, agent: Agent) -> Moment:
        assert caller.luck is not None
        caller.offered = (agent,)
        caller.attempts += 1
        rings_s, picked_up = caller.luck.rings_s()
        act = self._reached if picked_up else self._unreached
        self._at(now_s + rings_s, act, caller, agent, rings_s)
        return Moment(now_s, Happened.DIALLED, caller.drawn.queue, caller.number, agent.model.agent_id)

    def _reached(self, now_s: float, caller: Caller, agent: Agent, rings_s: float) -> Iterator[Moment]:
        yield self._talk(now_s, caller, agent, "called_back", Happened.CALLED_BACK, rings_s)

    def _unreached(self, now_s: float, caller: Caller, agent: Agent, rings_s: float) -> Iterator[Moment]:
        assert caller.luck is not None
        left = caller.luck.of.attempts - caller.attempts
        self._lines.offer(caller, ())
        if left:
            self._pause(now_s + caller.luck.of.retry_s, caller)
        else:
            self._lines.leave(caller)
            self._stays.append(self._stay(now_s, caller, "unreached"))
        queue, agent_id = caller.drawn.queue, agent.model.agent_id
        yield Moment(now_s, Happened.UNREACHED, queue, caller.number, agent_id, seconds=rings_s, ahead=left)
        yield from self._release(now_s, agent)

    # Agents.

    def _sign_in(self, now_s: float, agent: Agent) -> Iterator[Moment]:
        agent.on_shift = True
        agent.calls = 0
        yield Moment(now_s, Happened.SIGNED_IN, agent_id=agent.model.agent_id)
        if agent.since_s is None:
            agent.since_s = now_s
        self._free_if_there(now_s, agent)

    def _sign_out(self, now_s: float, agent: Agent) -> Iterator[Moment]:
        agent.on_shift = False
        if agent.busy_since_s is None:
            yield from self._go_home(now_s, agent)

    def _return(self, now_s: float, agent: Agent) -> Iterator[Moment]:
        agent.on_break = False
        if agent.on_shift:
            yield Moment(now_s, Happened.BREAK_OVER, agent_id=agent.model.agent_id)
        self._free_if_there(now_s, agent)

    def _finish(self, now_s: float, agent: Agent, queue: str, handle_s: float) -> Iterator[Moment]:
        yield from self._release(now_s, agent, queue, handle_s)

    def _release(
        self, now_s: float, agent: Agent, queue: str = "", handle_s: float = 0.0
    ) -> Iterator[Moment]:
        self._not_busy(now_s, agent)
        yield Moment(now_s, Happened.FREED, queue, agent_id=agent.model.agent_id, seconds=handle_s)
        if agent.on_shift:
            self._free_if_there(now_s, agent)
        else:
            yield from self._go_home(now_s, agent)

    def _free_if_there(self, now_s: float, agent: Agent) -> None:
        if agent.on_shift and not agent.on_break and agent.busy_since_s is None and agent.idle is None:
            agent.free(now_s)
            self._free[agent.model.agent_id] = agent

    def _not_busy(self, now_s: float, agent: Agent) -> None:
        if agent.busy_since_s is not None:
            self._occupied_s += now_s - agent.busy_since_s
            agent.busy_since_s = None

    def _go_home(self, now_s: float, agent: Agent) -> Iterator[Moment]:
        self._free.pop(agent.model.agent_id, None)
        agent.idle = None
        if agent.since_s is not None:
            self._signed_in_s += now_s - agent.since_s
            agent.since_s = None
            yield Moment(now_s, Happened.SIGNED_OUT, agent_id=agent.model.agent_id)
