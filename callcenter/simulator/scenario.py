"""Who calls when, what for and how it goes wrong: a plan that a seed makes repeatable.

Pure. A plan says what people intend; what then happened is recorded, not predicted.
"""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import chain, cycle, islice

from callcenter.simulator.callback_plan import CallbackPlan, Doing, Meanwhile
from callcenter.simulator.dialogue import Speaker, Topic, Turn, dialogue
from callcenter.simulator.faults import Fault
from callcenter.simulator.grammar import expand
from callcenter.simulator.overflow import Overflow
from callcenter.simulator.voices import Voice, random_voice

DIALLED = "+13125550100"
MENU_KEYS = {Topic.SALES: "1", Topic.SUPPORT: "2", Topic.BILLING: "3"}
"""Billing asks for an account number first."""

MENU_WORDS = {Topic.SALES: "Speak to sales.", Topic.SUPPORT: "Speak to technical support."}
MENU_NAMES = {Topic.SALES: "sales", Topic.SUPPORT: "support"}
"""What callers say, and what the service calls it."""

QUESTIONS_WORDS, QUESTIONS_CHOICE = "Speak to customer service.", ("question", "What would you like to know?")
QUESTIONS = {
    "When will I get my refund?": (
        "refund",
        "Refunds are paid within five business days after the goods have come back.",
    ),
    "How much do I owe?": ("price", "What you owe is on your monthly statement."),
}
"""What callers ask, what the service calls it, and what it then says."""

MUMBLES = ("Thank you very much.", "I don't know.")
HOURS_KEY, VOICEMAIL_KEY, WRONG_KEY = "9", "0", "7"
CALLBACK_KEY = "8"
CALLED_BACK = "called_back"
"""The script of a call that the service makes to a customer."""

SURVEY_KEY, DECLINE_KEY = "1", "2"
AGENT_NAMES = ("alice", "bob", "carol", "dave")
_CALLER_AREAS = tuple(range(212, 220)) + tuple(range(301, 320))
_AGENT_AREA = 206


class Script(StrEnum):
    """What a caller is going to do."""

    TALK = "talk"  # choose a topic, wait, talk
    WRONG_KEY = "wrong_key"  # the same after a key that the menu does not have
    ACCOUNT = "account"  # the same by way of an account number
    SPOKEN_CHOICE = "spoken_choice"  # the same, but the choice is said
    SECOND_TRY = "second_try"  # the same after something that the menu does not know
    HANG_UP_IN_MENU = "hang_up_in_menu"
    ABANDON = "abandon"  # give up in the queue
    HOURS = "hours"  # ask for the opening hours and be hung up on
    QUESTION = "question"  # ask something and be answered
    VOICEMAIL = "voicemail"
    CALLBACK = "callback"  # ask in the queue to be called back
    KEEP_PLACE = "keep_place"  # the same, and be called back
    BOOK = "book"  # ask for it on the customers' page, and be called back
    AGAIN = "again"  # phone in while a callback is open
    TIMED_OUT = "timed_out"  # wait until the queue lets go
    TURNED_AWAY = "turned_away"  # choose a queue that is full


class HandoverMode(StrEnum):
    """How an agent hands a caller over."""

    BLIND = "blind"
    WARM = "warm"  # ask first, then leave the caller to the one who was asked
    CANCELLED = "cancelled"  # ask first, then go on alone


@dataclass(frozen=True, slots=True)
class Handover:
    """To whom an agent hands a caller over: ``to`` says whether ``name`` is a ``queue`` or an ``agent``."""

    mode: HandoverMode
    to: str
    name: str
    queue: str


class Answer(StrEnum):
    """What an agent does with an offer."""

    ANSWER = "answer"
    REJECT = "reject"
    MISS = "miss"


@dataclass(frozen=True, slots=True)
class PlannedTurn:
    """A sentence and the pause before it; a negative one interrupts the sentence before."""

    turn: Turn
    gap_s: float


@dataclass(frozen=True, slots=True)
class CallerPlan:
    """One caller. Times in seconds; ``think_s`` is from hearing the menu to the key or the first word.

    ``words`` are said to the service, one after the other. ``key`` and ``queue`` stand for the topic's own
    where they are given. ``patience_later_s`` is for queues that the caller is handed over to. The agents who
    talk to the caller make the ``handovers``, one after the other. ``callback`` is for those who ask to be
    called back, ``again`` for who phones in again meanwhile.
    """

    number: str
    script: Script
    start_s: float
    voice: Voice
    turns: tuple[PlannedTurn, ...] = ()
    topic: Topic = Topic.SALES
    think_s: float = 1.5
    patience_s: float = 90.0
    patience_later_s: float = 90.0
    account: str = ""
    words: tuple[str, ...] = ()
    ends: Speaker = Speaker.CALLER
    survey: tuple[str, ...] = ()
    hold_after: int | None = None
    hold_s: float = 2.5
    fault: Fault = Fault.NONE
    key: str = ""
    queue: str = ""
    handovers: tuple[Handover, ...] = ()
    callback: CallbackPlan | None = None
    again: Doing | None = None


@dataclass(frozen=True, slots=True)
class AgentPlan:
    """One agent, who comes ``signs_in_s`` after all has begun.

    ``answers`` are for the first offers in order; later ones are answered.
    """

    id: str
    address: str
    queues: tuple[str, ...]
    voice: Voice
    ring_s: float = 0.8
    wrap_up_s: float = 1.0
    answers: tuple[Answer, ...] = ()
    signs_in_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """A whole plan. ``deadline_s`` is the longest the simulation may take.

    At most ``at_once`` callers call at the same time, where that is not 0; the others call later.
    ``overflows`` are the ways that the service sends callers, by queue. Where nobody ``listens``, what
    is said is not looked for in the other party's ear. Where it is to be known how late the machine makes
    everybody, the simulation ``probes``. Everybody ``lingers_s`` when all is done, in case a telephone rings.
    """

    callers: tuple[CallerPlan, ...]
    agents: tuple[AgentPlan, ...]
    dialled: str = DIALLED
    deadline_s: float = 150.0
    seed: int = 0
    at_once: int = 0
    overflows: Mapping[str, Overflow] = field(default_factory=dict)
    listens: bool = True
    probes: bool = False
    lingers_s: float = 0.0

    @classmethod
    def demo(cls, seed: int = 1, calls: int = 20, agents: int = 4) -> "Scenario":
        """A short, busy day: two calls for each agent at once, then the rest one after another.

        With 20 calls and 4 agents it takes about a minute and holds every script, two callers who give up
        (one soon, one late), two who are called back instead and one who asks for that on the page, a
        rejected and a missed offer, a hold, and interruptions.
        """
        rng = random.Random(f"callers {seed}")  # noqa: S311 - not a secret
        wave = 2 * agents
        plans = []
        starts = _arrivals(rng, wave)
        patience, standing = cycle((4.0, 8.0)), cycle(_HOW_IT_STANDS)
        for index, script in enumerate(islice(_scripts(wave), calls)):
            plan = _caller(rng, index, script, next(starts))
            if script is Script.ABANDON:
                plan = replace(plan, patience_s=next(patience))
            elif script is Script.KEEP_PLACE:
                plan = _asking(plan, next(standing))
            elif script is Script.BOOK:
                plan = replace(plan, callback=_SOONER_AFTER_ALL)
            plans.append(_surveyed(seed, plan) if plan.ends is Speaker.AGENT else plan)
        return cls(
            tuple(_with_a_hold(plans)), tuple(_agent(seed, index) for index in range(agents)), seed=seed
        )


_RUSH = (
    *(Script.TALK, Script.SPOKEN_CHOICE, Script.ACCOUNT, Script.TALK, Script.WRONG_KEY),
    *(Script.SPOKEN_CHOICE, Script.SECOND_TRY, Script.TALK),
)
_DAY = (
    Script.ABANDON,
    Script.ABANDON,
    Script.KEEP_PLACE,
    Script.KEEP_PLACE,
    Script.BOOK,
    Script.HANG_UP_IN_MENU,
    Script.HOURS,
    Script.VOICEMAIL,
    Script.SPOKEN_CHOICE,
    Script.QUESTION,
    Script.TALK,
    Script.SECOND_TRY,
    Script.VOICEMAIL,
    Script.HANG_UP_IN_MENU,
)
_MESSAGES = (
    "{thing} {problem} and I need help.",
    "Can you call me back {when}?",
    "I want to speak to {department}.",
    "I have been waiting for {duration}.",
)
SPEAKERS = frozenset({Script.SPOKEN_CHOICE, Script.SECOND_TRY})
CALLED = frozenset({Script.KEEP_PLACE, Script.BOOK})
"""Who is called back."""

_CONVERSATIONS = frozenset({Script.TALK, Script.WRONG_KEY, Script.ACCOUNT, *SPEAKERS, *CALLED})
_HOW_IT_STANDS = (CallbackPlan(), CallbackPlan(meanwhile=(Doing(Meanwhile.ASK, 2.0, ("3",)),)))
_SOONER_AFTER_ALL = CallbackPlan(meanwhile=(Doing(Meanwhile.MOVE_ON_PAGE, 3.0),))
_INTERRUPTION_SHARE = 0.2
_INTERRUPTION_S = 0.6


def _scripts(wave: int) -> Iterator[Script]:
    return chain(islice(cycle(_RUSH), wave), cycle(_DAY))


def _arrivals(rng: random.Random, wave: int) -> Iterator[float]:
    """The rush within 4 s, then, while everybody is busy, those who give up, then a steady trickle."""
    for index in range(wave):
        yield 4.0 * index / wave
    at = 5.0
    while True:
        yield at
        at += rng.uniform(0.6, 0.9) if at < 6.0 else rng.uniform(1.5, 3.0)


def _caller(rng: random.Random, index: int, script: Script, start_s: float) -> CallerPlan:
    topic = Topic.BILLING if script is Script.ACCOUNT else rng.choice((Topic.SALES, Topic.SUPPORT))
    turns: list[PlannedTurn] = []
    if script in _CONVERSATIONS or script is Script.ABANDON:
        turns = _spaced(rng, dialogue(rng, topic))
    elif script is Script.VOICEMAIL:
        texts = [expand(text, rng) for text in rng.sample(_MESSAGES, 2)]
        turns = [PlannedTurn(Turn(Speaker.CALLER, text), rng.uniform(0.3, 0.5)) for text in texts]
    return CallerPlan(
        number=f"+1{_CALLER_AREAS[index // 100 % len(_CALLER_AREAS)]}55501{index % 100:02d}",
        script=script,
        start_s=start_s,
        voice=random_voice(rng),
        turns=tuple(turns),
        topic=topic,
        think_s=rng.uniform(1.0, 2.0),
        account="".join(rng.choice("0123456789") for _ in range(6)) if script is Script.ACCOUNT else "",
        ends=rng.choice((Speaker.CALLER, Speaker.CALLER, Speaker.AGENT)),
        words=_words(rng, script, topic),
    )


def _asking(plan: CallerPlan, callback: CallbackPlan) -> CallerPlan:
    """Keep the place in line after a while; who phones in again comes by way of the menu."""
    again = tuple(replace(one, keys=(MENU_KEYS[plan.topic], *one.keys)) for one in callback.meanwhile)
    return replace(plan, patience_s=1.5, callback=replace(callback, meanwhile=again))


def _words(rng: random.Random, script: Script, topic: Topic) -> tuple[str, ...]:
    match script:
        case Script.SPOKEN_CHOICE:
            return (MENU_WORDS[topic],)
        case Script.SECOND_TRY:
            return (rng.choice(MUMBLES), MENU_WORDS[topic])
        case Script.QUESTION:
            return (QUESTIONS_WORDS, rng.choice(tuple(QUESTIONS)))
        case _:
            return ()


def _surveyed(seed: int, plan: CallerPlan) -> CallerPlan:
    """What the caller will say of the call; drawn apart, so that the rest of the day stays as it is."""
    rng = random.Random(f"survey {plan.number} {seed}")  # noqa: S311 - not a secret
    whole = (SURVEY_KEY, rng.choice("34555"), rng.choice(("6", "8", "9", "10", "10")))
    return replace(plan, survey=rng.choice((whole, whole, whole, whole[:2], (DECLINE_KEY,), ())))


def _spaced(rng: random.Random, turns: list[Turn]) -> list[PlannedTurn]:
    planned = []
    for index, turn in enumerate(turns):
        gap_s = rng.uniform(0.4, 0.9)
        if index and turn.speaker is not turns[index - 1].speaker and rng.random() < _INTERRUPTION_SHARE:
            gap_s = -_INTERRUPTION_S
        planned.append(PlannedTurn(turn, gap_s))
    return planned


def _with_a_hold(plans: list[CallerPlan]) -> Iterator[CallerPlan]:
    """One conversation of the day is put on hold after the caller's first sentence."""
    talkers = [plan for plan in plans if plan.script in _CONVERSATIONS and len(plan.turns) >= 3]
    chosen = talkers[min(1, len(talkers) - 1)] if talkers else None
    for plan in plans:
        if plan is not chosen:
            yield plan
            continue
        third = replace(plan.turns[2], gap_s=0.6)
        yield replace(plan, hold_after=1, turns=(*plan.turns[:2], third, *plan.turns[3:]))


def _agent(seed: int, index: int) -> AgentPlan:
    rng = random.Random(f"agent {index} {seed}")  # noqa: S311 - not a secret
    name = AGENT_NAMES[index] if index < len(AGENT_NAMES) else f"agent{index + 1}"
    answers = {2: (Answer.REJECT,), 3: (Answer.ANSWER, Answer.MISS)}.get(index, ())
    voice = random_voice(rng)
    return AgentPlan(
        id=name,
        address=f"+1{_AGENT_AREA}55501{index % 100:02d}",
        queues=tuple(str(topic) for topic in Topic),
        voice=replace(voice, rate_wpm=max(voice.rate_wpm, 160), word_gap=0),
        ring_s=rng.uniform(0.6, 1.1),
        wrap_up_s=rng.uniform(0.8, 1.6),
        answers=answers,
    )
