"""What all simulated people share: the network, the desk's API, their speech, the record, the clock."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from callcenter.simulator.callback_truth import CallbackTruth
from callcenter.simulator.calls import PhoneCall
from callcenter.simulator.gateway import Gateway
from callcenter.simulator.overflow import Overflows
from callcenter.simulator.scenario import CALLED_BACK, CallerPlan, Handover
from callcenter.simulator.service_api import ServiceApi
from callcenter.simulator.speech import SpeechBank
from callcenter.simulator.truth import CallTruth, Truth


@dataclass(frozen=True, slots=True)
class Progress:
    """Something that just happened, for a live view.

    ``at_s`` is from the start of the simulation, ``who`` a caller's number or an agent, ``call`` the
    number of the caller whose call it belongs to.
    """

    at_s: float
    who: str
    what: str
    text: str = ""
    call: str = ""


Show = Callable[[Progress], None]


@dataclass(slots=True, eq=False)
class Consult:
    """An agent asks another about a caller who is on hold meanwhile.

    ``second`` is who answered; ``completed`` says whether the caller was handed over, once ``decided``.
    """

    second: str = ""
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    decided: asyncio.Event = field(default_factory=asyncio.Event)
    completed: bool = False

    def decide(self, completed: bool) -> None:
        """Tell the second agent how it came out."""
        self.completed = completed
        self.decided.set()


@dataclass(slots=True, eq=False)
class Meeting:
    """One caller's call, where the caller and the agents who answer find each other.

    ``joined`` is set while an agent is on the call, ``parted`` when the agent has left; ``over`` says
    that the conversation is finished and not merely interrupted, or handed on. ``handovers`` are still to be
    made. So many are ``answering``: have picked up, but are not yet connected. ``reached`` is there for a
    caller who is called back, and set once that caller has picked up.
    """

    plan: CallerPlan
    truth: CallTruth
    call: PhoneCall
    answering: int = 0
    joined: asyncio.Event = field(default_factory=asyncio.Event)
    parted: asyncio.Event = field(default_factory=asyncio.Event)
    over: bool = False
    handovers: deque[Handover] = field(default_factory=deque)
    consult: Consult | None = None
    reached: asyncio.Event | None = None

    @property
    def waits(self) -> bool:
        """Whether the caller still waits for an agent."""
        contact = self.truth.contact
        is_waiting = contact is not None and contact.connected_at is None and contact.left_at is None
        return is_waiting and self.truth.ended_at is None

    async def settled(self) -> None:
        """Wait until nobody is picking up at this moment: then it is known what came first."""
        while self.answering and not self.joined.is_set() and not self.call.ended.is_set():
            await any_set(0.05, self.joined, self.call.ended)


@dataclass(slots=True, eq=False)
class Expecting:
    """Somebody who is to be called back.

    ``turn`` is where the customer and the agent of the present try find each other; there is none before
    somebody's telephone rings for it. ``over`` is set when the customer expects no call any more. ``page`` is
    the address at which a customer who has it can change the callback.
    """

    plan: CallerPlan
    truth: CallbackTruth
    dialled: str
    turn: Meeting | None = None
    page: str = ""
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def meeting(self, at: float) -> Meeting:
        """The present try; the first telephone to ring for it begins it."""
        if self.turn is None:
            talk = CallTruth(self.plan.number, self.dialled, CALLED_BACK, at)
            nobody_yet = PhoneCall(self.dialled, self.plan.number)
            self.turn = Meeting(self.plan, talk, nobody_yet, reached=asyncio.Event())
        return self.turn

    def end(self, reason: str, at: float) -> None:
        """The customer expects no call any more."""
        self.truth.end(reason, at)
        self.over.set()


@dataclass(slots=True, eq=False)
class World:
    """``epoch`` turns the loop's clock into seconds since 1970.

    ``listens`` says whether what was said is looked for in the other party's ear, which takes a while.
    """

    gateway: Gateway
    api: ServiceApi
    bank: SpeechBank
    truth: Truth
    show: Show
    epoch: float
    started_at: float
    overflows: Overflows = field(default_factory=dict)
    listens: bool = True
    meetings: dict[str, Meeting] = field(default_factory=dict)
    left_at: dict[str, float] = field(default_factory=dict)
    expecting: dict[str, Expecting] = field(default_factory=dict)

    def now(self) -> float:
        """Seconds since 1970."""
        return self.epoch + asyncio.get_running_loop().time()

    def meeting_of(self, number: str) -> Meeting | None:
        """Where an agent who is rung for this customer finds them: on the line, or to be called back."""
        live, expecting = self.meetings.get(number), self.expecting.get(number)
        if expecting is None or (live is not None and live.waits):
            return live
        return expecting.meeting(self.now()) if expecting.truth.is_open or expecting.turn else live

    def report(self, who: str, what: str, text: str = "", call: str = "") -> None:
        """Tell the live view."""
        self.show(Progress(round(self.now() - self.started_at, 3), who, what, text, call))


async def any_set(timeout_s: float, *events: asyncio.Event) -> bool:
    """Wait until one of the events is set; false when none is within ``timeout_s``."""
    if any(event.is_set() for event in events):
        return True
    if timeout_s <= 0:
        return False
    tasks = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        done, _ = await asyncio.wait(tasks, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
    return bool(done)
