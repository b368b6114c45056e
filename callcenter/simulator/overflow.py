"""Callers who are sent on to another queue, which they cannot hear: who rings for them proves it. Pure.

Queues that overflow and those that they overflow to have no agent in common here, so that an agent who is
rung proves which queue the caller is in.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from callcenter.simulator.truth import CallTruth, ContactTruth

LATE_S = 0.5
"""How much later than the queue's rule says a caller may be sent on."""


@dataclass(frozen=True, slots=True)
class Overflow:
    """Who has waited ``after_s``, or comes while ``when_waiting`` wait, goes on to another queue."""

    to: str
    after_s: float | None = None
    when_waiting: int | None = None


Overflows = Mapping[str, Overflow]


def rung(call: CallTruth, serves: Sequence[str], at: float, overflows: Overflows) -> None:
    """An agent who serves these queues was rung at ``at``: the caller waits in one of them."""
    contact = call.contact
    assert contact is not None
    if contact.queue in serves:
        leaves_at = _leaves_at(call, contact, overflows)
        if leaves_at is not None and at > leaves_at + LATE_S:
            call.problems.append(f"was still offered to agents of {contact.queue} after the overflow")
        return
    way = overflows.get(contact.queue)
    if way is None or way.to not in serves:
        call.problems.append(f"was offered to an agent who does not serve {contact.queue}")
    else:
        _send_on(call, contact, way, overflows)


def ended(call: CallTruth, at: float, overflows: Overflows) -> None:
    """The call ends at ``at``: who still waits may have been sent on long ago, though nobody was rung."""
    contact = call.contact
    if contact is None or contact.connected_at is not None or contact.left_at is not None:
        return
    leaves_at = _leaves_at(call, contact, overflows)
    if leaves_at is not None and leaves_at < at:
        _send_on(call, contact, overflows[contact.queue], overflows)


def crowding(calls: Sequence[CallTruth], overflows: Overflows) -> Iterator[str]:
    """Who was sent on for the length of a line that was short, and who was not though it was long."""
    for queue, way in overflows.items():
        if way.when_waiting is None:
            continue
        stays = [(call, each) for call in calls for each in call.contacts if each.queue == queue]
        for call, contact in stays:
            others = [each for other, each in stays if other is not call]
            at = contact.entered_at
            surely, perhaps = _waiting(others, at, -LATE_S), _waiting(others, at, LATE_S)
            if contact.left_for == "overflow" and perhaps < way.when_waiting:
                yield f"{call.number} was sent on from {queue} while {perhaps} waited at most"
            if contact.left_for != "overflow" and surely >= way.when_waiting:
                yield f"{call.number} was kept in {queue} though {surely} waited"


def _send_on(call: CallTruth, contact: ContactTruth, way: Overflow, overflows: Overflows) -> None:
    at = _leaves_at(call, contact, overflows)
    call.leave("overflow", contact.entered_at if at is None else at)
    call.enter(way.to, contact.entered_at if at is None else at)


def _leaves_at(call: CallTruth, contact: ContactTruth, overflows: Overflows) -> float | None:
    """When the caller has waited long enough and no telephone rings any more; ``None``: never."""
    way = overflows.get(contact.queue)
    if way is None or way.after_s is None:
        return None
    at = contact.entered_at + way.after_s
    for offer in call.offers:
        is_own = contact.queue in offer.queues and offer.at >= contact.entered_at - LATE_S
        if is_own and offer.at <= at + LATE_S and offer.ended_at is not None:
            at = max(at, offer.ended_at)
    return at


def _waiting(others: Sequence[ContactTruth], at: float, within_s: float) -> int:
    """How many stood in line; those who came or went within a moment of it count where it is positive."""
    return sum(
        other.entered_at - within_s < at < (other.connected_at or other.left_at or at + 1) + within_s
        for other in others
    )
