"""A plan of load: many short calls at once, in which everything happens that reports must count.

Pure. The service that takes these calls needs the queues, agents and menu keys that are named here.
"""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import cycle, islice

from callcenter.simulator.dialogue import Speaker, Turn
from callcenter.simulator.overflow import Overflow
from callcenter.simulator.scenario import (
    DECLINE_KEY,
    SURVEY_KEY,
    AgentPlan,
    Answer,
    CallerPlan,
    Handover,
    HandoverMode,
    PlannedTurn,
    Scenario,
    Script,
)
from callcenter.simulator.voices import Voice

KEYS = {"sales": "1", "support": "2", "express": "3", "desk": "4", "night": "5", "full": "6"}
"""The menu's keys for the queues that callers may choose."""

OVERFLOWS: Mapping[str, Overflow] = {
    "express": Overflow("relief", after_s=3.0),
    "desk": Overflow("relief", when_waiting=1),
}
STAFF = {"sales": 0.28, "support": 0.28, "express": 0.1, "desk": 0.08, "relief": 0.26}
"""The share of the agents who serve a queue, and no other; nobody serves ``night`` and ``full``."""

QUEUES = (*KEYS, "relief")
NIGHT_WAIT_S = 6.0
"""After this the queue ``night`` lets go of its callers."""

RING_TIMEOUT_S = 3.0
MIN_AGENTS = 7
MAX_AGENTS, MAX_CALLS = 100, 2700

_VOICES = tuple(
    Voice(name, rate_wpm, pitch, 50, 0)
    for name, rate_wpm, pitch in (("en-us", 195, 50), ("en-us+f2", 190, 55), ("en+m3", 190, 40))
)
_QUESTIONS = ("Hello.", "Yes, please?", "How can I help?")
_ANSWERS = ("My phone is down.", "It does not work.", "Where is it?")
_AREAS = (*range(212, 220), *range(301, 320))
_PATIENT_S = 90.0


@dataclass(frozen=True, slots=True)
class _Draw:
    """What a caller's plan is drawn from; ``staff`` are the agents of each queue."""

    rng: random.Random
    staff: Mapping[str, tuple[str, ...]]

    def to_queue(self, mode: HandoverMode, queue: str) -> Handover:
        return Handover(mode, "queue", queue, queue)

    def to_agent(self, mode: HandoverMode, queue: str) -> Handover:
        return Handover(mode, "agent", self.rng.choice(self.staff[queue]), queue)


_Kind = Callable[[_Draw, CallerPlan], CallerPlan]


def scenario(seed: int = 1, calls: int = 1000, agents: int = 26, at_once: int = 32) -> Scenario:
    """``calls`` callers, ``at_once`` at most at the same time. 30 calls hold every kind at least once.

    Raises ``ValueError`` for fewer or more people than that works with.
    """
    if not MIN_AGENTS <= agents <= MAX_AGENTS or not 1 <= calls <= MAX_CALLS or at_once < 1:
        raise ValueError(f"{MIN_AGENTS} to {MAX_AGENTS} agents, 1 to {MAX_CALLS} calls, at least 1 at once")
    plans = tuple(_agents(seed, agents))
    staff = {queue: tuple(plan.id for plan in plans if queue in plan.queues) for queue in STAFF}
    draw = _Draw(random.Random(f"load {seed}"), staff)  # noqa: S311 - not a secret
    callers = tuple(
        kind(draw, _caller(draw, index)) for index, kind in enumerate(islice(cycle(_KINDS), calls))
    )
    return Scenario(
        callers,
        plans,
        deadline_s=120.0 + 60.0 * calls / min(at_once, agents),
        seed=seed,
        at_once=at_once,
        overflows=OVERFLOWS,
        listens=False,
        probes=True,
    )


def _agents(seed: int, agents: int) -> Iterator[AgentPlan]:
    rng = random.Random(f"agents of load {seed}")  # noqa: S311 - not a secret
    numbers = {queue: max(1, int(share * agents)) for queue, share in STAFF.items()}
    numbers["relief"] += agents - sum(numbers.values())
    queues = [queue for queue, number in numbers.items() for _ in range(number)]
    answers = {1: (Answer.REJECT,), 4: (Answer.ANSWER, Answer.REJECT), 6: (Answer.MISS,)}
    for index, queue in enumerate(queues):
        yield AgentPlan(
            id=f"agent{index + 1:03d}",
            address=f"+120655501{index:02d}",
            queues=(queue,),
            voice=rng.choice(_VOICES),
            ring_s=rng.uniform(1.1, 1.4),
            wrap_up_s=rng.uniform(0.8, 1.6),
            answers=answers.get(index % 9, ()),
        )


def _caller(draw: _Draw, index: int) -> CallerPlan:
    rng = draw.rng
    turns = (
        PlannedTurn(Turn(Speaker.AGENT, rng.choice(_QUESTIONS)), 0.2),
        PlannedTurn(Turn(Speaker.CALLER, rng.choice(_ANSWERS)), 0.2),
    )
    return CallerPlan(
        number=f"+1{_AREAS[index // 100]}55501{index % 100:02d}",
        script=Script.TALK,
        start_s=0.1 * index,
        voice=rng.choice(_VOICES),
        turns=turns,
        think_s=rng.uniform(0.2, 0.6),
        patience_s=_PATIENT_S,
        hold_s=rng.uniform(0.8, 1.4),
    )


def _in(queue: str, plan: CallerPlan) -> CallerPlan:
    return replace(plan, key=KEYS[queue], queue=queue)


# The kinds of callers. Who leaves a queue does so long before a telephone could be answered, or where there
# is none: what came first is then no matter of some milliseconds.


def _talks(queue: str) -> _Kind:
    return lambda _draw, plan: _in(queue, plan)


def _is_held(draw: _Draw, plan: CallerPlan) -> CallerPlan:
    return replace(_in("support", plan), hold_after=draw.rng.choice((0, 1)))


def _uses_wrong_key(_draw: _Draw, plan: CallerPlan) -> CallerPlan:
    return replace(_in("sales", plan), script=Script.WRONG_KEY)


def _is_surveyed(draw: _Draw, plan: CallerPlan) -> CallerPlan:
    rng = draw.rng
    satisfied = rng.choice(("1", "2", "3", "4", "5", "5", "*4"))
    recommends = rng.choice(("0", "5", "6", "7", "8", "9", "10", "10", "*9"))
    return replace(_in("sales", plan), ends=Speaker.AGENT, survey=(SURVEY_KEY, satisfied, recommends))


def _is_surveyed_in_part(draw: _Draw, plan: CallerPlan) -> CallerPlan:
    keys: tuple[tuple[str, ...], ...] = ((SURVEY_KEY, "4"), (SURVEY_KEY, "2"), (DECLINE_KEY,), ())
    return replace(_in("support", plan), ends=Speaker.AGENT, survey=draw.rng.choice(keys))


def _is_sent(mode: HandoverMode, source: str, target: str, to_agent: bool = False) -> _Kind:
    def plan_it(draw: _Draw, plan: CallerPlan) -> CallerPlan:
        to = draw.to_agent(mode, target) if to_agent else draw.to_queue(mode, target)
        return replace(_in(source, plan), handovers=(to,))

    return plan_it


def _is_sent_twice(draw: _Draw, plan: CallerPlan) -> CallerPlan:
    first = draw.to_queue(HandoverMode.BLIND, "support")
    second = draw.to_queue(HandoverMode.WARM, "relief")
    return replace(_is_surveyed(draw, plan), hold_after=0, handovers=(first, second))


def _is_sent_to_nobody(draw: _Draw, plan: CallerPlan) -> CallerPlan:
    """Gives up in a queue that nobody serves; the first wait may last no longer."""
    to = draw.to_queue(HandoverMode.BLIND, "night")
    return replace(_in("support", plan), handovers=(to,), patience_s=_PATIENT_S, patience_later_s=2.0)


def _gives_up_soon(draw: _Draw, plan: CallerPlan) -> CallerPlan:
    return replace(_in("sales", plan), script=Script.ABANDON, patience_s=draw.rng.uniform(0.3, 0.9))


def _gives_up_late(draw: _Draw, plan: CallerPlan) -> CallerPlan:
    patience_s = draw.rng.uniform(2.5, NIGHT_WAIT_S - 1.5)
    return replace(_in("night", plan), script=Script.ABANDON, patience_s=patience_s)


def _wants_callback(queue: str, latest_s: float) -> _Kind:
    return lambda draw, plan: replace(
        _in(queue, plan), script=Script.CALLBACK, patience_s=draw.rng.uniform(0.3, latest_s)
    )


def _does(script: Script, queue: str = "") -> _Kind:
    return lambda _draw, plan: replace(_in(queue, plan) if queue else plan, script=script)


def _leaves_message(_draw: _Draw, plan: CallerPlan) -> CallerPlan:
    return replace(plan, script=Script.VOICEMAIL, turns=plan.turns[1:])


_BLIND, _WARM, _CANCELLED = HandoverMode.BLIND, HandoverMode.WARM, HandoverMode.CANCELLED
_KINDS: tuple[_Kind, ...] = (
    *(_talks("express"),) * 3,
    *(_talks("desk"),) * 3,
    _talks("sales"),
    _is_held,
    _is_sent(_BLIND, "sales", "support"),
    _wants_callback("sales", 0.9),
    _is_surveyed,
    _is_sent(_WARM, "sales", "support"),
    _does(Script.HANG_UP_IN_MENU),
    _is_sent(_CANCELLED, "support", "sales"),
    _gives_up_soon,
    _does(Script.TIMED_OUT, "night"),
    _is_sent(_WARM, "support", "relief", to_agent=True),
    _gives_up_late,
    _is_surveyed_in_part,
    _does(Script.TURNED_AWAY, "full"),
    _is_sent(_BLIND, "support", "sales", to_agent=True),
    _is_sent_to_nobody,
    _does(Script.HOURS),
    _is_sent_twice,
    _wants_callback("night", NIGHT_WAIT_S - 1.5),
    _leaves_message,
    _uses_wrong_key,
    _talks("express"),
    _is_sent(_BLIND, "sales", "express"),
    _is_surveyed,
)
