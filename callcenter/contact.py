"""A contact: one stay of a caller in a queue, and the conversation it led to; and one in the making."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, StrEnum, auto
from typing import Any

from callcenter.events import LeftReason

_ZERO = timedelta(0)


class ContactEnd(StrEnum):
    """How a caller's stay in a queue ended."""

    OPEN = "open"  # still waiting
    ANSWERED = "answered"  # an agent was connected, whether or not they still talk
    ABANDONED = "abandoned"
    LEFT = "left"  # see the reason
    FAILED = "failed"  # the call broke, by our or the gateway's fault, while the caller waited


@dataclass(frozen=True, slots=True)
class Contact:
    """One stay in a queue, and the conversation it led to.

    ``wait_s`` runs from queue entry to the agent, the hang-up or the exit and includes ``ring_s``, the
    time agents' telephones rang. ``left_at`` is when the wait ended, whichever way. ``talk_s + hold_s`` is
    the time from ``connected_at`` to ``conversation_ended_at``. ``position`` is the last place in line
    that was known, ``original_position`` the first. An ``attended`` contact is a caller whom one agent
    handed to the next in person: it begins with the conversation, nobody waited for it in a queue. Times
    of what still goes on run up to ``now``.
    """

    queue: str
    entered_at: datetime
    ended: ContactEnd = ContactEnd.OPEN
    left_reason: LeftReason | None = None
    connected_at: datetime | None = None
    left_at: datetime | None = None
    conversation_ended_at: datetime | None = None
    agent: str | None = None
    offers: int = 0
    position: int | None = None
    original_position: int | None = None
    wait_s: float = 0.0
    ring_s: float = 0.0
    talk_s: float = 0.0
    hold_s: float = 0.0
    acw_s: float = 0.0
    attended: bool = False

    @property
    def handle_s(self) -> float:
        """Talk, hold and wrap-up together: what the contact cost the agent."""
        return self.talk_s + self.hold_s + self.acw_s


class Phase(Enum):
    """What a caller goes through."""

    SETUP = auto()
    IVR = auto()
    WAITING = auto()
    TALKING = auto()
    HOLDING = auto()
    RELEASED = auto()  # the conversation is over, or the caller hung up; nothing has followed yet
    ENDED = auto()


IN_CONTACT = frozenset({Phase.WAITING, Phase.TALKING, Phase.HOLDING})


@dataclass(slots=True)
class Entry:
    """A contact in the making."""

    queue: str
    entered_at: datetime
    known: dict[str, Any] = field(default_factory=dict)  # of a Contact, by field name
    spent: dict[Phase, timedelta] = field(default_factory=dict)
    ringing: dict[str | None, datetime] = field(default_factory=dict)  # agent -> offered at
    ring: timedelta = _ZERO
    offers: int = 0
    acw: timedelta = _ZERO
    acw_since: datetime | None = None

    def close(self, at: datetime, ended: ContactEnd, **known: Any) -> None:
        """End the wait; nobody's telephone rings any more."""
        for agent in tuple(self.ringing):
            self.stop_ringing(agent, at)
        self.known |= {"ended": ended, "left_at": at} | known

    def stop_ringing(self, agent: str | None, at: datetime) -> None:
        """Add up how long the agent's telephone rang, if it did."""
        since = self.ringing.pop(agent, None)
        if since is not None:
            self.ring += at - since

    def stop_acw(self, at: datetime) -> None:
        """End the wrap-up that runs."""
        if self.acw_since is not None:
            self.acw += at - self.acw_since
            self.acw_since = None

    def freeze(self, at: datetime) -> Contact:
        """The contact as of now, with the times of what still goes on."""
        ringing = sum((at - since for since in self.ringing.values()), self.ring)
        wrapping = at - self.acw_since if self.acw_since is not None else _ZERO
        return Contact(
            queue=self.queue,
            entered_at=self.entered_at,
            offers=self.offers,
            wait_s=_seconds(self.spent, Phase.WAITING),
            ring_s=ringing.total_seconds(),
            talk_s=_seconds(self.spent, Phase.TALKING),
            hold_s=_seconds(self.spent, Phase.HOLDING),
            acw_s=(self.acw + wrapping).total_seconds(),
            **self.known,
        )


def _seconds(spent: Mapping[Phase, timedelta], phase: Phase) -> float:
    return spent.get(phase, _ZERO).total_seconds()
