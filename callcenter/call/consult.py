"""A second agent is asked about a call while its caller is on hold.

::

    SEEKING ──answered──> TALKING ──┐
       └──────────drop─────────────┴──> OVER

The second agent comes through the line of a queue, like every agent: an entry that is nobody's contact stands
where the caller would stand. Everything that can go wrong with an offer is dealt with there.
"""

import asyncio
import logging
from datetime import datetime
from enum import Enum

from callcenter import config
from callcenter.acd.dispatcher import Asked, Offer, Ticket
from callcenter.call.context import CallContext
from callcenter.call.party import Party
from callcenter.call.queue_phase import PATIENCE_RINGS, Connected
from callcenter.call.ringing import Ringing, Telephone
from callcenter.call.rings import REFUSALS
from callcenter.call.signals import AgentArrived, ConsultAnswered, ConsultFailed, DialFailed, Gone, Signal
from callcenter.call.transfer import Destination
from callcenter.call.wrap_up import WrapUps
from callcenter.errors import CallCenterError

log = logging.getLogger(__name__)
NO_LIMIT = 1_000_000
HOLD_MARGIN_S = 10.0
"""Who is named is asked for alone until the search is over."""


class Stage(Enum):
    """How far a consult has come."""

    SEEKING = "seeking"
    TALKING = "talking"
    OVER = "over"


class Consult:
    """One search for a second agent, and that agent's leg. ``since`` is when the caller arrived."""

    def __init__(
        self,
        context: CallContext,
        wrap_ups: WrapUps,
        to: Destination,
        queue: config.Queue,
        since: datetime,
    ) -> None:
        self.to = to
        self.second: Connected | None = None
        self.stage = Stage.SEEKING
        self._context = context
        self._wrap_ups = wrap_ups
        self._queue = queue
        self._since = since
        self._ringing: Ringing | None = None
        self._answer: asyncio.Future[AgentArrived | DialFailed] | None = None
        self._gone = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Look for the second agent; the inbox gets ``ConsultAnswered`` or ``ConsultFailed``."""
        self._task = self._context.tasks.create_task(
            self._seek(), name=f"consult of call {self._context.call_id}"
        )

    def hear(self, signal: Signal) -> bool:
        """Take what is meant for the telephone that rings; false for what is not."""
        ringing, answer = self._ringing, self._answer
        if ringing is None or answer is None or self.stage is not Stage.SEEKING:
            return False
        match signal:
            case AgentArrived(reference, party) if reference == ringing.reference:
                ringing.answered(party)
            case DialFailed(reference) if reference == ringing.reference:
                pass
            case Gone(party) if party is ringing.party:
                self._gone = True
                return True
            case _:
                return False
        if not answer.done():
            answer.set_result(signal)
        return True

    def answered(self) -> Party | None:
        """The second agent has come: the leg to talk to, ``None`` if it has ended meanwhile."""
        assert self.second is not None
        if self._gone:
            return None
        self.stage = Stage.TALKING
        return self.second.agent

    def hand_over(self) -> Connected:
        """Let the caller have the second agent."""
        assert self.stage is Stage.TALKING
        assert self.second is not None
        self.stage = Stage.OVER
        return self.second

    def drop(self) -> None:
        """Give up the search or the second agent, who is free again; may be called twice."""
        if self.stage is Stage.OVER:
            return
        self.stage = Stage.OVER
        if self._task is not None:
            self._task.cancel()
        if self.second is not None:
            self._context.services.background.spawn(
                self._wrap_ups.free(self.second),
                name=f"freeing {self.second.offer.agent_id} from a consult",
            )

    async def _seek(self) -> None:
        context, queue = self._context, self._queue
        # The agent who asks decides how long; the line's own limits are for callers.
        asked = queue.model_copy(update={"max_length": NO_LIMIT, "refuse_when_unstaffed": False})
        patience_s = PATIENCE_RINGS * queue.ring_timeout_s
        wanted = Asked(preferred_agent=self.to.agent, hold_s=patience_s + HOLD_MARGIN_S, consult=True)
        wait = context.services.dispatcher.wait(context.call_id, asked, queue.priority, self._since, wanted)
        reason = f"agent {self.to.to} did not come"
        try:
            async with context.in_line, asyncio.timeout(patience_s), wait as ticket:
                while (offer := await ticket.offer()) and self.to.agent in (None, offer.agent_id):
                    if await self._ring(ticket, offer):
                        context.inbox.put(ConsultAnswered(self))
                        return
                    if self.to.agent is not None:
                        break
        except TimeoutError:
            reason = "nobody was free in time"
        except CallCenterError as error:
            reason = str(error)
        log.info("call %s: no second agent: %s", context.call_id, reason)
        context.inbox.put(ConsultFailed(self))

    async def _ring(self, ticket: Ticket, offer: Offer) -> bool:
        """Ring one agent; true when the agent has come and is the call's."""
        services = self._context.services
        telephone = Telephone(offer.agent_id, offer.gateway, offer.address)
        ringing = Ringing(
            self._context, telephone, self._queue.ring_timeout_s, lambda: services.dispatcher.ringing(offer)
        )
        answer: asyncio.Future[AgentArrived | DialFailed] = asyncio.get_running_loop().create_future()
        self._ringing, self._answer = ringing, answer
        try:
            ringing.start()
            match await answer:
                case AgentArrived(_, agent, at):
                    if not await ticket.accepted(offer):
                        return False
                    self.second = Connected(offer, agent, self._queue, at, self._since, at)
                    self._wrap_ups.take(self.second)
                    return True
                case DialFailed(_, result):
                    await ticket.refused(offer, REFUSALS[result][1])
            return False
        finally:
            if self.second is None:
                ringing.drop()
