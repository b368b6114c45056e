"""A caller in line: music, position announcements, offers to agents, and the ways out."""

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

import ivr
from callcenter import config
from callcenter.acd.dispatcher import LineRefusedError, Offer, Refusal, Ticket
from callcenter.call.context import CallContext, CallerGoneError, HangUpAskedError, done
from callcenter.call.party import Party
from callcenter.call.signals import (
    AgentArrived,
    Command,
    DialFailed,
    Gone,
    Key,
    Offered,
    Played,
    TimerFired,
)
from callcenter.call.state import CallInput
from callcenter.errors import CallCenterError, GatewayError
from callcenter.events import EventType, LeftReason
from callcenter.telephony.port import DialResult
from callcenter.telephony.shell import new_token, reference_of

log = logging.getLogger(__name__)

REFUSALS: dict[DialResult, tuple[EventType, Refusal]] = {
    DialResult.NO_ANSWER: (EventType.OFFER_NO_ANSWER, "missed"),
    DialResult.BUSY: (EventType.OFFER_REJECTED, "rejected"),
    DialResult.REJECTED: (EventType.OFFER_REJECTED, "rejected"),
    DialResult.FAILED: (EventType.OFFER_CANCELLED, "failed"),
}


@dataclass(frozen=True, slots=True)
class Connected:
    """An agent answered at ``at`` and the caller is theirs.

    ``since`` is when the caller had arrived, ``entered_at`` when in this queue.
    """

    offer: Offer
    agent: Party
    queue: config.Queue
    at: datetime
    since: datetime
    entered_at: datetime


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


class QueuePhase:
    """One stay in one queue.

    ``since`` is when a caller arrived who was handed over to this queue: the place in line is by that.
    ``resumed`` is when the stay began that goes on: the agent who had answered was lost at once.
    """

    def __init__(
        self,
        context: CallContext,
        step: ivr.JoinQueue,
        queue: config.Queue,
        since: datetime | None = None,
        resumed: datetime | None = None,
    ) -> None:
        self._context = context
        self._step = step
        self._queue = queue
        self._since = since
        self._resumed = resumed
        self._ring: _Ring | None = None
        # Known by identity: what an earlier stay of the call has left in the inbox is not for this one.
        self._waited = TimerFired("queue:waited")
        self._announce_now = TimerFired("queue:announce")
        self._handles: dict[TimerFired, asyncio.TimerHandle] = {}
        self._announcing: asyncio.Task[None] | None = None
        self._overdue = False
        self._entered_s = 0.0
        self._original_position = 0
        self._position = 0

    async def run(self) -> Connected | LeftReason:
        """Wait for an agent, or for a reason to leave.

        The wait begins now, however long the database takes to confirm the place in line. Raises
        ``CallerGoneError`` when the caller hangs up; the events are written then.
        """
        services, queue = self._context.services, self._queue
        entered_at, self._entered_s = services.now(), self._context.seconds()
        if self._resumed is not None:
            self._entered_s -= (entered_at - self._resumed).total_seconds()
            entered_at = self._resumed
        self._since = self._since or entered_at
        priority = queue.priority + self._step.priority
        wait = services.dispatcher.wait(self._context.call_id, queue, priority, self._since)
        try:
            async with wait as ticket:
                return await self._wait(ticket, entered_at)
        except LineRefusedError as error:
            self._context.journal.write(EventType.QUEUE_LEFT, queue=queue.name, reason=error.reason.value)
            return error.reason

    async def _wait(self, ticket: Ticket, entered_at: datetime) -> Connected | LeftReason:
        context = self._context
        context.move(CallInput.JOIN)
        assert ticket.place is not None
        self._position = self._original_position = ticket.place.position
        self._entered_at = entered_at
        if self._resumed is None:
            context.journal.write(
                EventType.QUEUE_ENTERED,
                queue=self._queue.name,
                at=entered_at,
                position=self._original_position,
                priority=ticket.priority,
            )
        context.caller.loop(context.services.prompts.music())
        waited_s = context.seconds() - self._entered_s
        self._later(max(0.0, self._queue.max_wait_s - waited_s), self._waited)
        self._later(self._queue.announce_every_s, self._announce_now)
        self._ask_for_offer(ticket)
        try:
            return await self._loop(ticket)
        except (CallerGoneError, HangUpAskedError):
            self._abandoned()
            raise
        finally:
            self._asking.cancel()
            if self._announcing is not None:
                self._announcing.cancel()
            for handle in self._handles.values():
                handle.cancel()
            self._cancel_ring("left")

    def _ask_for_offer(self, ticket: Ticket) -> None:
        async def ask() -> None:
            self._context.inbox.put(Offered(await ticket.offer(), ticket))

        self._asking = self._context.tasks.create_task(ask(), name=f"offer to call {self._context.call_id}")

    async def _loop(self, ticket: Ticket) -> Connected | LeftReason:
        context = self._context
        while True:
            signal = await context.inbox.get()
            match signal:
                case Offered(offer, of) if of is ticket:
                    self._start_ring(offer)
                case AgentArrived(reference, party, at) if self._ring and self._ring.reference == reference:
                    if connected := await self._arrived(ticket, self._ring, party, at):
                        return connected
                case DialFailed(reference, result):
                    await self._dial_failed(ticket, reference, result)
                case Gone(party) if party is context.caller:
                    raise CallerGoneError(context.services.now())
                case Key(digit) if digit == self._step.exit_key:
                    return self._leave(LeftReason.KEY)
                case TimerFired() if signal is self._waited:
                    self._overdue = True
                case TimerFired() if signal is self._announce_now:
                    self._announce(ticket)
                case Played():
                    context.caller.loop(context.services.prompts.music())
                case Command() if signal.name == "hangup":
                    done(signal)
                    raise HangUpAskedError
                case _:
                    context.dismiss(signal)
            if self._overdue and self._ring is None:
                return self._leave(LeftReason.TIMEOUT)

    # An agent's telephone.

    def _start_ring(self, offer: Offer) -> None:
        context = self._context
        token = new_token()
        context.expected_agent = reference_of(token)
        context.move(CallInput.RING)
        context.journal.write(EventType.OFFER_SENT, queue=self._queue.name, agent=offer.agent_id)
        missed = DialFailed(reference_of(token), DialResult.NO_ANSWER)
        timer = asyncio.get_running_loop().call_later(self._queue.ring_timeout_s, context.inbox.put, missed)
        self._ring = _Ring(offer, token, timer)
        context.tasks.create_task(
            self._dial(self._ring), name=f"dialling an agent for call {context.call_id}"
        )

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

    async def _arrived(self, ticket: Ticket, ring: _Ring, agent: Party, at: datetime) -> Connected | None:
        context = self._context
        ring.agent = agent
        ring.timer.cancel()
        context.expected_agent = ""
        stands = await ticket.accepted(ring.offer)
        self._ring = None
        if not stands:
            context.move(CallInput.UNRING)
            context.journal.write(
                EventType.OFFER_CANCELLED, queue=self._queue.name, agent=ring.offer.agent_id, reason="freed"
            )
            self._drop_telephone(ring)
            self._ask_for_offer(ticket)
            return None
        agent_id = ring.offer.agent_id
        context.journal.write(EventType.OFFER_ACCEPTED, queue=self._queue.name, agent=agent_id, at=at)
        context.move(CallInput.CONNECT)
        return Connected(ring.offer, agent, self._queue, at, self._since or at, self._entered_at)

    async def _dial_failed(self, ticket: Ticket, reference: str, result: DialResult) -> None:
        ring = self._ring
        if ring is None or ring.reference != reference:
            return
        self._ring = None
        ring.timer.cancel()
        context = self._context
        context.expected_agent = ""
        kind, reason = REFUSALS[result]
        context.move(CallInput.UNRING)
        context.journal.write(kind, queue=self._queue.name, agent=ring.offer.agent_id, reason=reason)
        self._drop_telephone(ring)
        await ticket.refused(ring.offer, reason)
        self._ask_for_offer(ticket)

    def _cancel_ring(self, reason: str) -> None:
        ring, self._ring = self._ring, None
        if ring is None:
            return
        ring.timer.cancel()
        self._context.expected_agent = ""
        self._context.journal.write(
            EventType.OFFER_CANCELLED, queue=self._queue.name, agent=ring.offer.agent_id, reason=reason
        )
        self._drop_telephone(ring)

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

    # The caller.

    def _announce(self, ticket: Ticket) -> None:
        self._later(self._queue.announce_every_s, self._announce_now)
        busy = self._ring is not None or (self._announcing is not None and not self._announcing.done())
        if self._step.announce_position and not busy:
            self._announcing = self._context.tasks.create_task(
                self._say_position(ticket), name=f"announcement of call {self._context.call_id}"
            )

    async def _say_position(self, ticket: Ticket) -> None:
        context = self._context
        try:
            position = await ticket.position()
            if position is None:
                return
            text = f"You are number {position} in the queue. Please stay on the line."
            pcm16 = await context.services.prompts.pcm(text)
        except CallCenterError as error:
            log.warning("call %s: the position is not announced: %s", context.call_id, error)
            return
        if self._ring is not None:
            return
        self._position = position
        context.journal.write(EventType.QUEUE_ANNOUNCED, queue=self._queue.name, position=position)
        context.inbox.put(Played(-1, await context.caller.play(pcm16)))

    def _abandoned(self) -> None:
        self._cancel_ring("caller gone")
        self._context.journal.write(
            EventType.QUEUE_ABANDONED,
            queue=self._queue.name,
            position=self._position,
            original_position=self._original_position,
            wait_s=round(self._context.seconds() - self._entered_s, 3),
        )

    def _leave(self, reason: LeftReason) -> LeftReason:
        self._cancel_ring(reason.value)
        self._context.journal.write(EventType.QUEUE_LEFT, queue=self._queue.name, reason=reason.value)
        self._context.move(CallInput.LEAVE)
        return reason

    def _later(self, seconds: float, signal: TimerFired) -> None:
        loop = asyncio.get_running_loop()
        self._handles[signal] = loop.call_later(seconds, self._context.inbox.put, signal)
