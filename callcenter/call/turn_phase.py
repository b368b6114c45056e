"""An agent is rung for a callback whose customer has not been dialled yet."""

import logging

from callback.state import Step
from callcenter import config
from callcenter.acd.dispatcher import Ticket, TurnGoneError
from callcenter.call.callback_record import CallbackRecord, LetGoError
from callcenter.call.context import CallContext, done
from callcenter.call.queue_phase import Connected
from callcenter.call.rings import Answered, Rings
from callcenter.call.signals import AgentArrived, CallbackChanged, Command, DialFailed, Offered
from callcenter.call.state import CallInput

log = logging.getLogger(__name__)


class TurnPhase:
    """The turn of one callback, from the taking to an agent, or to nobody."""

    def __init__(self, context: CallContext, record: CallbackRecord, queue: config.Queue) -> None:
        self._context = context
        self._record = record
        self._queue = queue
        self._rings = Rings(context, queue)

    async def run(self) -> Connected | None:
        """Ring those who were found; ``None`` where nobody has come, and the claim is given back.

        Raises ``LetGoError`` when the callback is no longer ours.
        """
        context, callback = self._context, self._record.callback
        context.move(CallInput.JOIN)
        turn = context.services.dispatcher.take_turn(callback.callback_id, context.call_id, self._queue)
        try:
            async with turn as ticket:
                await self._record.step(Step.RESERVE)
                answered = await self._ring(ticket)
        except TurnGoneError as error:
            log.info("call %s: %s", context.call_id, error)
            answered = None
        if answered is None:
            context.move(CallInput.LEAVE)
            await self._record.release("no agent")
            return None
        now = context.services.now()
        return Connected(
            answered.offer, answered.agent, self._queue, answered.at, callback.arrived_at, entered_at=now
        )

    async def _ring(self, ticket: Ticket) -> Answered | None:
        context = self._context

        async def ask() -> None:
            while True:
                context.inbox.put(Offered(await ticket.offer(), ticket))

        asking = context.tasks.create_task(ask(), name=f"agents for call {context.call_id}")
        try:
            return await self._loop(ticket)
        finally:
            asking.cancel()
            self._rings.cancel("left")

    async def _loop(self, ticket: Ticket) -> Answered | None:
        context = self._context
        while not ticket.is_waiting or self._rings:
            signal = await context.inbox.get()
            match signal:
                case Offered(offer, of) if of is ticket:
                    self._rings.start(offer)
                case AgentArrived(reference) if reference in self._rings:
                    if answered := await self._rings.arrived(ticket, signal):
                        return answered
                case DialFailed(reference) if reference in self._rings:
                    await self._rings.failed(ticket, signal)
                case CallbackChanged():
                    if await self._record.is_lost():
                        self._rings.cancel("withdrawn")
                        raise LetGoError("the callback has been changed")
                case Command() if signal.name == "hangup":
                    done(signal)
                    return None
                case _:
                    context.dismiss(signal)
        return None
