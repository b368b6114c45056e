"""What is counted of contacts, calls and agents' time, before any threshold is applied. Pure.

Everything here can be added up: counts, sums of µs, and waits, which are put together. What depends on a
threshold, such as how many were answered in time, is found in the waits when it is asked for; so a tally
that was stored yesterday answers for the thresholds of today.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from callcenter.contact import Contact, ContactEnd
from callcenter.events import EndCause, LeftReason, Outcome
from callcenter.reports.waits import Waits, microseconds
from callcenter.timeline import Timeline

REFUSALS = frozenset({LeftReason.FULL, LeftReason.CLOSED})
ABANDONS = frozenset({Outcome.ABANDONED, Outcome.SHORT_ABANDONED})

SUMS = (
    "attended", "waiting", "offers", "ring_us", "talk_us", "hold_us", "acw_us",
    "calls", "open_calls", "bridged_calls", "bridged_us", "ivr_us",
    "occupied_us", "available_us", "unavailable_us", "paid_us",
)  # fmt: skip
WAITS = ("answered", "abandoned", "others", "hung_up")
COUNTERS = ("left", "refused", "outcomes")


class Counted(StrEnum):
    """As what a contact counts."""

    ANSWERED = "answered"
    ATTENDED = "attended"  # handled, but handed over in person: no queue was offered it
    ABANDONED = "abandoned"
    LEFT = "left"  # neither answered nor by hanging up: offered all the same
    REFUSED = "refused"  # beside the offered
    WAITING = "waiting"  # not through with the queue yet


def counted_as(contact: Contact) -> Counted:
    """Each contact counts as one thing."""
    match contact.ended:
        case ContactEnd.ANSWERED:
            return Counted.ATTENDED if contact.attended else Counted.ANSWERED
        case ContactEnd.ABANDONED:
            return Counted.ABANDONED
        case ContactEnd.OPEN:
            return Counted.WAITING
    return Counted.REFUSED if contact.left_reason in REFUSALS else Counted.LEFT


def left_by(contact: Contact) -> str:
    """Why it left or was refused.

    A call that broke while the caller waited says ``failed``, one of ours to a customer ``unreached``.
    """
    other = EndCause.UNREACHED if contact.ended is ContactEnd.LEFT else ContactEnd.FAILED
    return str(contact.left_reason or other)


def settled_outcome(outcome: Outcome) -> Outcome:
    """The outcome before a threshold tells short abandons from others."""
    return Outcome.ABANDONED if outcome in ABANDONS else outcome


@dataclass(slots=True)
class Tally:
    """Sums; names in ``_us`` are µs.

    ``answered``, ``abandoned`` and ``others`` are the waits of contacts: of those answered, of those who
    hung up, and of all others but the refused. ``hung_up`` are the waits, in all its queues, of each call
    that the caller broke off while waiting; ``outcomes`` are those of the other calls.
    """

    attended: int = 0
    waiting: int = 0
    offers: int = 0
    ring_us: int = 0
    talk_us: int = 0
    hold_us: int = 0
    acw_us: int = 0
    calls: int = 0
    open_calls: int = 0
    bridged_calls: int = 0
    bridged_us: int = 0
    ivr_us: int = 0
    occupied_us: int = 0
    available_us: int = 0
    unavailable_us: int = 0
    paid_us: int = 0
    left: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    answered: Waits = field(default_factory=Waits)
    abandoned: Waits = field(default_factory=Waits)
    others: Waits = field(default_factory=Waits)
    hung_up: Waits = field(default_factory=Waits)

    @property
    def entered(self) -> int:
        """Contacts that came into the queue, whatever then happened."""
        return len(self.answered) + len(self.abandoned) + len(self.others)

    def add_contact(self, contact: Contact) -> None:
        """Count a contact; a conversation or wrap-up that still runs counts with its time so far."""
        wait_us = microseconds(contact.wait_s)
        match counted_as(contact):
            case Counted.ANSWERED:
                self.answered.add(wait_us)
            case Counted.ATTENDED:
                self.attended += 1
            case Counted.ABANDONED:
                self.abandoned.add(wait_us)
            case Counted.REFUSED:
                self.refused[left_by(contact)] += 1
            case Counted.LEFT:
                self.left[left_by(contact)] += 1
                self.others.add(wait_us)
            case Counted.WAITING:
                self.waiting += 1
                self.others.add(wait_us)
        self.offers += contact.offers
        self.ring_us += microseconds(contact.ring_s)
        self.talk_us += microseconds(contact.talk_s)
        self.hold_us += microseconds(contact.hold_s)
        self.acw_us += microseconds(contact.acw_s)

    def add_call(self, call: Timeline) -> None:
        """Count a call as a whole: its outcome, its IVR time, its handle time."""
        self.calls += 1
        if call.outcome is None:
            self.open_calls += 1
        elif call.outcome in ABANDONS:
            self.hung_up.add(waited_us(call))
        else:
            self.outcomes[call.outcome] += 1
        handled_us = bridged_us(call)
        self.bridged_calls += int(handled_us is not None)
        self.bridged_us += handled_us or 0
        self.ivr_us += microseconds(call.ivr_s)

    def add(self, other: "Tally") -> None:
        """Add up."""
        for name in SUMS:
            if value := getattr(other, name):
                setattr(self, name, getattr(self, name) + value)
        for name in COUNTERS:
            if counted := getattr(other, name):
                getattr(self, name).update(counted)
        for name in WAITS:
            if waits := getattr(other, name):
                getattr(self, name).extend(waits.packed)

    def take(self, row: Mapping[str, Any]) -> None:
        """Add what the database has added up: columns of our names, ``NULL`` for nothing."""
        for name, value in row.items():
            if value and name in _SUMS:
                setattr(self, name, getattr(self, name) + value)
            elif value and name in _WAITS:
                getattr(self, name).extend(value)


_SUMS, _WAITS = frozenset(SUMS), frozenset(WAITS)


def waited_us(call: Timeline) -> int:
    """The time waited in all queues of the call."""
    return sum(microseconds(contact.wait_s) for contact in call.contacts)


def bridged_us(call: Timeline) -> int | None:
    """The handle time of all its contacts together; ``None`` for a call that reached no agent."""
    handled = [contact for contact in call.contacts if contact.connected_at]
    parts = ((contact.talk_s, contact.hold_s, contact.acw_s) for contact in handled)
    return sum(microseconds(part) for times in parts for part in times) if handled else None
