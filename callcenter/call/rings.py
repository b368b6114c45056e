"""Agents' telephones that ring for a caller: one, or several at once for one offer."""

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from callcenter import config
from callcenter.acd.dispatcher import Offer, Refusal, Ticket
from callcenter.call.context import CallContext
from callcenter.call.party import Party
from callcenter.call.signals import AgentArrived, DialFailed
from callcenter.call.state import CallInput
from callcenter.errors import CallCenterError, GatewayError
from callcenter.events import EventType
from callcenter.telephony.port import DialResult
from callcenter.telephony.shell import new_token, reference_of

log = logging.getLogger(__name__)

REFUSALS: dict[DialResult, tuple[EventType, Refusal]] = {
    DialResult.NO_ANSWER: (EventType.OFFER_NO_ANSWER, "missed"),
    DialResult.BUSY: (EventType.OFFER_REJECTED, "rejected"),
    DialResult.REJECTED: (EventType.OFFER_REJECTED, "rejected"),
    DialResult.FAILED: (EventType.OFFER_CANCELLED, "failed"),
}


@dataclass(slots=True)
class _Ring:
    """An agent's telephone that is ringing for this caller.

    ``call_ref`` is known when the network has answered, which may be after the agent.
    """

    offer: Offer
    token: str
    timer: asyncio.TimerHandle
    call_ref: str = ""
    agent: Party | None = None
    is_dropped: bool = False

    @property
    def reference(self) -> str:
        return reference_of(self.token)


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
        token = new_token()
        reference = reference_of(token)
        if not self._rings:
            context.move(CallInput.RING)
        context.expected_agents.add(reference)
        context.journal.write(EventType.OFFER_SENT, queue=self._queue.name, agent=offer.agent_id)
        missed = DialFailed(reference, DialResult.NO_ANSWER)
        timer = asyncio.get_running_loop().call_later(self._queue.ring_timeout_s, context.inbox.put, missed)
        ring = self._rings[reference] = _Ring(offer, token, timer)
        context.tasks.create_task(self._dial(ring), name=f"dialling an agent for call {context.call_id}")

    async def _dial(self, ring: _Ring) -> None:
        context, offer, token = self._context, ring.offer, ring.token
        gateway = context.services.gateways.get(offer.gateway)
        failed = DialFailed(ring.reference, DialResult.FAILED)
        if gateway is None:
            log.error(
                "agent %s is reached by gateway %s, which is not enabled", offer.agent_id, offer.gateway
            )
            context.inbox.put(failed)
            return
        try:
            await context.services.leg_tokens.announce(
                token,
                kind="agent",
                gateway=offer.gateway,
                node_id=context.services.node_id,
                call_id=context.call_id,
                ttl_s=self._queue.ring_timeout_s + 30,
            )
            if not await context.services.dispatcher.ringing(offer):
                raise GatewayError("the offer no longer stands")
            ring.call_ref = await gateway.originate(
                offer.address, context.caller.info.from_number, token, self._queue.ring_timeout_s
            )
        except CallCenterError as error:
            log.warning("agent %s could not be dialled: %s", offer.agent_id, error)
            context.inbox.put(failed)
            return
        if ring.is_dropped:
            await self._hang_up(offer.gateway, ring.call_ref)

    async def arrived(self, ticket: Ticket, arrival: AgentArrived) -> Answered | None:
        """An agent came; ``None`` where the offer stands no more. All other telephones stop."""
        context, ring = self._context, self._rings[arrival.reference]
        ring.agent = arrival.party
        stands = await ticket.accepted(ring.offer)
        self._forget(ring)
        if not stands:
            self._no_longer_rings()
            self._write_offer(EventType.OFFER_CANCELLED, ring, reason="freed")
            self._drop_telephone(ring)
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
        self._drop_telephone(ring)
        await ticket.refused(ring.offer, reason)

    def cancel(self, reason: str) -> None:
        """Stop all telephones; the rows are the business of whoever has a reason for it."""
        for ring in list(self._rings.values()):
            self._forget(ring)
            self._write_offer(EventType.OFFER_CANCELLED, ring, reason=reason)
            self._drop_telephone(ring)

    def _forget(self, ring: _Ring) -> None:
        ring.timer.cancel()
        self._context.expected_agents.discard(ring.reference)
        del self._rings[ring.reference]

    def _no_longer_rings(self) -> None:
        if not self._rings:
            self._context.move(CallInput.UNRING)

    def _write_offer(self, kind: EventType, ring: _Ring, at: datetime | None = None, **data: str) -> None:
        journal = self._context.journal
        journal.write(kind, queue=self._queue.name, agent=ring.offer.agent_id, at=at, **data)

    def _drop_telephone(self, ring: _Ring) -> None:
        ring.is_dropped = True
        spawn, call_id = self._context.services.background.spawn, self._context.call_id
        if ring.agent is not None:
            spawn(ring.agent.hang_up(), name=f"hanging up an agent of call {call_id}")
        if ring.call_ref:
            hang_up = self._hang_up(ring.offer.gateway, ring.call_ref)
            spawn(hang_up, name=f"hanging up an agent's telephone for call {call_id}")

    async def _hang_up(self, gateway: str, call_ref: str) -> None:
        with suppress(GatewayError):
            await self._context.services.gateways[gateway].hangup(call_ref)
