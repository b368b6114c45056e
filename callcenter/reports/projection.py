"""An ended call as the rows of ``callcenter.report_call`` and ``report_contact``. Pure.

The fold is ``timeline.build``; here its result only changes its shape.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from callcenter.contact import Contact
from callcenter.events import Event, Outcome
from callcenter.reports.tally import Counted, bridged_us, counted_as, left_by, settled_outcome, waited_us
from callcenter.reports.waits import microseconds
from callcenter.timeline import Timeline, build

CALL_COLUMNS = (
    "call_id", "direction", "started_at", "settled", "queues", "outcome", "waited_us", "bridged_us", "ivr_us",
)  # fmt: skip
CONTACT_COLUMNS = (
    "call_id", "segment", "direction", "queue", "agent", "counted", "reason", "entered_at", "left_at",
    "connected_at", "ended_at", "offers", "wait_us", "ring_us", "talk_us", "hold_us", "acw_us",
)  # fmt: skip

# A wrap-up that still runs is counted until then, and shows by its length.
_LATER = timedelta(days=36_500)

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Projection:
    """The rows of one call; a call that is not settled has no contacts here, reports read its events."""

    call: Row
    contacts: tuple[Row, ...] = ()


def project(events: Sequence[Event]) -> Projection | None:
    """Fold the events of one call; ``None`` for none. Raises as ``build`` does.

    A call is settled when it has ended and nothing of it runs any more, so that no later moment can
    change it. More events still can; then it is projected again.
    """
    if not events:
        return None
    last = max(event.at for event in events)
    call = build(events, last + _LATER)
    call_id = events[0].call_id
    settled = call.ended_at is not None and not any(
        contact.acw_s >= _LATER.total_seconds() for contact in call.contacts
    )
    if not settled:
        return Projection((call_id, call.direction, call.started_at, False, [], "", 0, None, 0))
    contacts = tuple(
        contact_row(call, contact, segment) for segment, contact in enumerate(call.contacts, start=1)
    )
    return Projection(_call_row(call, call_id), contacts)


def _call_row(call: Timeline, call_id: UUID | None) -> Row:
    return (
        call_id,
        call.direction,
        call.started_at,
        True,
        sorted({contact.queue for contact in call.contacts}),
        settled_outcome(call.outcome or Outcome.FAILED).value,
        waited_us(call),
        bridged_us(call),
        microseconds(call.ivr_s),
    )


def contact_row(call: Timeline, contact: Contact, segment: int) -> Row:
    """One contact in the columns of the table; one that still waits has no ``left_at``."""
    counted = counted_as(contact)
    reason = left_by(contact) if counted in (Counted.LEFT, Counted.REFUSED) else None
    times = (contact.wait_s, contact.ring_s, contact.talk_s, contact.hold_s, contact.acw_s)
    return (
        call.call_id,
        segment,
        call.direction,
        contact.queue,
        contact.agent,
        counted.value,
        reason,
        contact.entered_at,
        contact.left_at,
        contact.connected_at,
        contact.conversation_ended_at,
        contact.offers,
        *map(microseconds, times),
    )
