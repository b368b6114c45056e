"""A contact: one stay of a caller in a queue, and the conversation it led to."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from callcenter.events import LeftReason


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
