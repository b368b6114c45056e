"""From the queue to the end of the last conversation: the caller waits, talks, and is handed on."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

import ivr
from callcenter import config
from callcenter.call.context import CallContext
from callcenter.call.conversation import Conversation
from callcenter.call.queue_phase import FROM_FLOW, Coming, Connected, Overflowed, QueuePhase
from callcenter.call.state import CallInput
from callcenter.call.transfer import EndedBy, Kind, Parted
from callcenter.call.words import LegWords
from callcenter.call.wrap_up import WrapUps
from callcenter.errors import NotFoundError
from callcenter.events import EndCause, EventType, LeftReason

log = logging.getLogger(__name__)

_CAUSE_OF = {
    EndedBy.CUSTOMER: EndCause.CALLER_HANGUP,
    EndedBy.AGENT: EndCause.AGENT_HANGUP,
    EndedBy.SYSTEM: EndCause.FAILED,
    EndedBy.TRANSFER: EndCause.TRANSFERRED,
}


@dataclass(frozen=True, slots=True)
class Begin:
    """How it begins; out of the flow the caller comes into the queue as everybody does.

    ``connected``: an agent is there already. ``wait_in`` says how the caller waits in a queue, closed or not.
    """

    coming: Coming = FROM_FLOW
    connected: Connected | None = None
    wait_in: Callable[[config.Queue], config.Queue] | None = None


IN_THE_FLOW = Begin()


class ServicePhase:
    """Carries out one ``ivr.JoinQueue``, with as many queues and agents as it takes."""

    def __init__(
        self, context: CallContext, step: ivr.JoinQueue, wrap_ups: WrapUps, begin: Begin = IN_THE_FLOW
    ) -> None:
        self._context = context
        self._step = step
        self._wrap_ups = wrap_ups
        self._begin = begin
        self.words: list[LegWords] = []

    async def run(self) -> EndCause | ivr.QueueEnded:
        """Serve the caller; returns why the call ends, or with what the caller goes on in the flow.

        Raises ``CallerGoneError`` when the caller hangs up in a queue.
        """
        to, coming, there = self._step.queue, self._begin.coming, self._begin.connected
        while True:
            result = there or await self._wait(to, coming)
            there = None
            if isinstance(result, Connected):
                self._wrap_ups.take(result)  # before anything is waited for: nobody may be forgotten
            await self._context.caller.quiet()
            if result is LeftReason.CALLBACK and self._step.callback_key is None:
                return EndCause.COMPLETED  # the flow says nothing of callbacks
            if not isinstance(result, Connected):
                return ivr.QueueEnded(ivr.QueueExit(result.value))
            connected, parted = await self._talk(result)
            if parted.bridge_failed:
                entered_at = connected.entered_at
                to, coming = connected.queue.name, Coming(connected.since, resumed=entered_at)
            elif parted.to is not None and parted.to.kind is not Kind.NUMBER:
                to, coming = parted.to.queue, Coming(connected.since, agent=parted.to.agent)
            else:
                return await self._after(parted.by)
            self._context.move(CallInput.RELEASE)

    async def _wait(self, to: str, coming: Coming) -> Connected | LeftReason:
        """Stand in line, in one queue after another where they overflow."""
        context = self._context
        services = context.services
        while True:
            try:
                queue = services.queues.get(to)
            except NotFoundError as error:
                log.error("call %s: %s", context.call_id, error)
                return LeftReason.CLOSED
            is_new = coming.resumed is None  # whose agent was lost at once goes on waiting, closed or not
            if self._begin.wait_in is not None:
                queue = self._begin.wait_in(queue)
            elif is_new and services.closures.of_queue(queue.name, services.now()) is not None:
                context.journal.write(EventType.QUEUE_LEFT, queue=to, reason=LeftReason.CLOSED.value)
                return LeftReason.CLOSED
            async with context.in_line:
                result = await QueuePhase(context, self._step, queue, coming).run()
            if not isinstance(result, Overflowed):
                return result
            to, coming = result.to, result.coming

    async def _talk(self, connected: Connected) -> tuple[Connected, Parted]:
        """One conversation after the other, as long as agents hand the caller on in person."""
        context = self._context
        while True:
            conversation = Conversation(context, connected, self._wrap_ups)
            try:
                parted = await conversation.run()
            finally:
                self.words += conversation.words
            if parted.bridge_failed:
                self._wrap_ups.rest(connected)
            else:
                self._wrap_ups.begin(connected, context.tasks)
            if parted.second is None:
                return connected, parted
            now = context.services.now()
            connected = replace(parted.second, at=now, entered_at=now)
            await context.caller.quiet()
            context.move(CallInput.RETURN)

    async def _after(self, by: EndedBy) -> EndCause | ivr.QueueEnded:
        """The caller whom the agent has left goes on in the flow where the flow says how."""
        if by is not EndedBy.AGENT or not self._step.comes_back:
            return _CAUSE_OF[by]
        self._context.move(CallInput.RELEASE)
        await self._context.caller.quiet()
        return ivr.QueueEnded(ivr.QueueExit.ANSWERED)
