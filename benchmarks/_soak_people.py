"""The people of the soak test: a rush, most of it to be called back, and all that a ring may meet."""

import random
from collections.abc import Iterator

from callcenter.simulator.callback_plan import CallbackPlan, Pickup
from callcenter.simulator.dialogue import Speaker, Turn
from callcenter.simulator.scenario import AgentPlan, Answer, CallerPlan, PlannedTurn, Scenario, Script
from callcenter.simulator.voices import Voice

QUEUE = "sales"
AGENTS = 5
BUSY_RUSH_PER_S, CALM_PER_S = 1.2, 0.4
"""Callers per second in each minute's first half and in its second one; agents manage about 0.8."""

ATTEMPTS = 3
SETTLE_S = 180.0
_AREAS = (*range(212, 220), *range(301, 320), *range(401, 420))
_VOICE = Voice("en-us", 195, 50, 50, 0)
_TALK = (
    PlannedTurn(Turn(Speaker.AGENT, "How can I help?"), 0.3),
    PlannedTurn(Turn(Speaker.CALLER, "It does not work."), 0.3),
    PlannedTurn(Turn(Speaker.AGENT, "Yes, please?"), 1.5),
)
_PICKUPS = (
    *((),) * 12,
    *((Pickup.BUSY,), (Pickup.BUSY,), (Pickup.NO_ANSWER,), (Pickup.NO_ANSWER,)),
    *((Pickup.BUSY, Pickup.NO_ANSWER), (Pickup.BUSY, Pickup.BUSY, Pickup.BUSY)),
)
"""What happens at the first rings; one in eighteen is never reached."""

_WANT_SHARE = 0.75


def scenario(minutes: float, seed: int) -> Scenario:
    """So many minutes of rushes, and then the time to serve who is left."""
    rng = random.Random(f"soak {seed}")
    callers = tuple(_caller(rng, index, at) for index, at in enumerate(_arrivals(rng, minutes * 60)))
    return Scenario(
        callers,
        tuple(_agent(rng, index) for index in range(AGENTS)),
        deadline_s=minutes * 60 + SETTLE_S,
        seed=seed,
        listens=False,
        lingers_s=8.0,
    )


def _arrivals(rng: random.Random, length_s: float) -> Iterator[float]:
    at = 1.0
    while at < length_s:
        yield at
        at += rng.expovariate(BUSY_RUSH_PER_S if at % 60 < 30 else CALM_PER_S)


def _caller(rng: random.Random, index: int, start_s: float) -> CallerPlan:
    wants = rng.random() < _WANT_SHARE
    return CallerPlan(
        number=f"+1{_AREAS[index // 100]}55501{index % 100:02d}",
        script=Script.KEEP_PLACE if wants else Script.TALK,
        start_s=start_s,
        voice=_VOICE,
        turns=_TALK,
        think_s=0.4,
        patience_s=rng.uniform(0.8, 2.0) if wants else 60.0,
        callback=CallbackPlan(pickups=rng.choice(_PICKUPS), waits_s=SETTLE_S, attempts=ATTEMPTS)
        if wants
        else None,
    )


def _agent(rng: random.Random, index: int) -> AgentPlan:
    answers = {2: (Answer.ANSWER, Answer.REJECT), 5: (Answer.ANSWER, Answer.ANSWER, Answer.MISS)}
    return AgentPlan(
        f"agent{index + 1:02d}",
        f"+120655501{index:02d}",
        (QUEUE,),
        _VOICE,
        ring_s=rng.uniform(0.4, 0.8),
        wrap_up_s=rng.uniform(0.4, 0.8),
        answers=answers.get(index, ()),
    )
