"""Agents' telephones that ring for a caller: one, or several at once for one offer."""

from dataclasses import dataclass
from datetime import datetime

from callcenter import config
from callcenter.acd.dispatcher import Offer, Refusal, Ticket
from callcenter.call.context import CallContext
from callcenter.call.party import Party
from callcenter.call.ringing import Ringing, Telephone
from callcenter.call.signals import AgentArrived, DialFailed
from callcenter.call.state import CallInput
from callcenter.events import EventType
from callcenter.telephony.port import DialResult

REFUSALS: dict[DialResult, tuple[EventType, Refusal]] = {
    DialResult.NO_ANSWER: (EventType.OFFER_NO_ANSWER, "missed"),
    DialResult.BUSY: (EventType.OFFER_REJECTED, "rejected"),
    DialResult.REJECTED: (EventType.OFFER_REJECTED, "rejected"),
    DialResult.FAILED: (EventType.OFFER_CANCELLED, "failed"),
    DialResult.INVALID: (EventType.OFFER_CANCELLED, "failed"),
    DialResult.UNKNOWN: (EventType.OFFER_CANCELLED, "failed"),
}


@dataclass(frozen=True, slots=True)
class _Ring:
    """An agent's telephone that is ringing for this caller."""

    offer: Offer
    telephone: Ringing


@dataclass(frozen=True, slots=True)
class Answered:
    """An agent answered at ``at`` and the caller is theirs."""

    offer: Offer
    agent: Party
    at: datetime


class Rings:
    """The telephones that ring for one stay in a queue; the call rings as long as one of them does."""

    def __init__(self, context: CallContext, queue: config.Queue) -> None:
        self._context = context
        self._queue = queue
        self._rings: dict[str, _Ring] = {}

    def __bool__(self) -> bool:
        return bool(self._rings)

    def __contains__(self, reference: str) -> bool:
        return reference in self._rings

    def start(self, offer: Offer) -> None:
        """Let the agent's telephone ring; telephones of an offer that was forgotten stop."""
        context = self._context
        if any(ring.offer.offer_id != offer.offer_id for ring in self._rings.values()):
            self.cancel("forgotten")
            context.move(CallInput.UNRING)
        if not self._rings:
            context.move(CallInput.RING)
        context.journal.write(EventType.OFFER_SENT, queue=self._queue.name, agent=offer.agent_id)
        telephone = Ringing(
            context,
            Telephone(offer.agent_id, offer.gateway, offer.address),
            self._queue.ring_timeout_s,
            lambda: context.services.dispatcher.ringing(offer),
        )
        self._rings[telephone.reference] = _Ring(offer, telephone)
        telephone.start()

    async def arrived(self, ticket: Ticket, arrival: AgentArrived) -> Answered | None:
        """An agent came; ``None`` where the offer stands no more. All other telephones stop."""
        context, ring = self._context, self._rings[arrival.reference]
        ring.telephone.answered(arrival.party)
        stands = await ticket.accepted(ring.offer)
        self._forget(ring)
        if not stands:
            self._no_longer_rings()
            self._write_offer(EventType.OFFER_CANCELLED, ring, reason="freed")
            ring.telephone.drop()
            return None
        self._write_offer(EventType.OFFER_ACCEPTED, ring, at=arrival.at)
        self.cancel("answered by another")
        context.move(CallInput.CONNECT)
        return Answered(ring.offer, arrival.party, arrival.at)

    async def failed(self, ticket: Ticket, failure: DialFailed) -> None:
        """An agent did not come."""
        ring = self._rings[failure.reference]
        kind, reason = REFUSALS[failure.result]
        self._forget(ring)
        self._no_longer_rings()
        self._write_offer(kind, ring, reason=reason)
        ring.telephone.drop()
        await ticket.refused(ring.offer, reason)

    def cancel(self, reason: str) -> None:
        """Stop all telephones; the rows are the business of whoever has a reason for it."""
        for ring in list(self._rings.values()):
            self._forget(ring)
            self._write_offer(EventType.OFFER_CANCELLED, ring, reason=reason)
            ring.telephone.drop()

    def _forget(self, ring: _Ring) -> None:
        ring.telephone.stop()
        del self._rings[ring.telephone.reference]

    def _no_longer_rings(self) -> None:
        if not self._rings:
            self._context.move(CallInput.UNRING)

    def _write_offer(self, kind: EventType, ring: _Ring, at: datetime | None = None, **data: str) -> None:
        journal = self._context.journal
        journal.write(kind, queue=self._queue.name, agent=ring.offer.agent_id, at=at, **data)
