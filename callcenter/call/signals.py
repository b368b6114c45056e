"""What a call session is told, one at a time, through its inbox."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import ivr
from callcenter.acd.dispatcher import Offer, Ticket
from callcenter.telephony.port import DialResult

if TYPE_CHECKING:
    from callcenter.call.consult import Consult
    from callcenter.call.party import Party

MAX_PENDING_KEYS = 64


@dataclass(frozen=True, slots=True)
class Key:
    """The caller pressed a key."""

    digit: str


@dataclass(frozen=True, slots=True)
class Spoke:
    """The caller said something to the IVR, or begins to, or has finished."""

    event: ivr.Heard


@dataclass(frozen=True, slots=True)
class Gone:
    """A party's leg ended."""

    party: "Party"
    reason: str


@dataclass(frozen=True, slots=True)
class Played:
    """A prompt has been played to its end, or not (``complete`` false)."""

    play_id: int
    complete: bool


@dataclass(frozen=True, slots=True)
class TimerFired:
    """A timer ran out: one of the IVR engine's, by number, or one of a phase, by name."""

    timer: int | str


@dataclass(frozen=True, slots=True)
class Offered:
    """The distributor found an agent for the stay in line that ``ticket`` stands for."""

    offer: Offer
    ticket: Ticket


@dataclass(frozen=True, slots=True)
class AgentArrived:
    """The dialled agent's leg came in at ``at``; ``reference`` names the token it carried."""

    reference: str
    party: "Party"
    at: datetime


@dataclass(frozen=True, slots=True)
class CustomerArrived:
    """The dialled customer's leg came in at ``at``; ``reference`` names the token it carried."""

    reference: str
    party: "Party"
    at: datetime


@dataclass(frozen=True, slots=True)
class CallbackChanged:
    """Somebody, perhaps the call itself, has changed the callback that is being carried out."""


@dataclass(frozen=True, slots=True)
class DialFailed:
    """The dialled party did not come."""

    reference: str
    result: DialResult


@dataclass(frozen=True, slots=True)
class LookedUp:
    """A lookup of the flow is over; ``values`` are ``None`` where it failed."""

    lookup_id: int
    values: Mapping[str, str] | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A voicemail ended by itself: silence, or the longest time allowed."""

    reason: str


@dataclass(frozen=True, slots=True)
class Command:
    """Somebody asks through the API. ``done`` gets ``None`` or the error to answer with."""

    name: str
    arguments: Mapping[str, str]
    done: asyncio.Future[None]


@dataclass(frozen=True, slots=True)
class ConsultAnswered:
    """The second agent has come."""

    consult: "Consult"


@dataclass(frozen=True, slots=True)
class ConsultFailed:
    """No second agent came."""

    consult: "Consult"


Signal = (
    Key
    | Spoke
    | Gone
    | Played
    | TimerFired
    | Offered
    | AgentArrived
    | CustomerArrived
    | CallbackChanged
    | DialFailed
    | LookedUp
    | Recorded
    | Command
    | ConsultAnswered
    | ConsultFailed
)


class Inbox:
    """A call's signals in order of arrival.

    Only a caller's keys can come in numbers; beyond ``MAX_PENDING_KEYS`` they are dropped. Everything
    else is bounded by what the session itself has started.
    """

    def __init__(self) -> None:
        self._signals: asyncio.Queue[Signal] = asyncio.Queue()

    def put(self, signal: Signal) -> None:
        """Add a signal; never waits."""
        if isinstance(signal, Key) and self._signals.qsize() >= MAX_PENDING_KEYS:
            return
        self._signals.put_nowait(signal)

    async def get(self) -> Signal:
        """Wait for the next signal."""
        return await self._signals.get()

    def next_pending(self) -> Signal | None:
        """Take the next signal if one is there."""
        return None if self._signals.empty() else self._signals.get_nowait()
