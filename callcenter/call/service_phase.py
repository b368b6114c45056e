"""From the queue to the end of the last conversation: the caller waits, talks, and is handed on."""

from dataclasses import replace
from datetime import datetime

import ivr
from callcenter import config
from callcenter.call.context import CallContext
from callcenter.call.conversation import Conversation
from callcenter.call.queue_phase import Connected, QueuePhase
from callcenter.call.state import CallInput
from callcenter.call.transfer import EndedBy, Kind, Parted
from callcenter.call.words import LegWords
from callcenter.call.wrap_up import WrapUps
from callcenter.events import EndCause

_CAUSE_OF = {
    EndedBy.CUSTOMER: EndCause.CALLER_HANGUP,
    EndedBy.AGENT: EndCause.AGENT_HANGUP,
    EndedBy.SYSTEM: EndCause.FAILED,
    EndedBy.TRANSFER: EndCause.TRANSFERRED,
}


class ServicePhase:
    """Carries out one ``ivr.JoinQueue``, with as many queues and agents as it takes."""

    def __init__(self, context: CallContext, step: ivr.JoinQueue, wrap_ups: WrapUps) -> None:
        self._context = context
        self._step = step
        self._wrap_ups = wrap_ups
        self.words: list[LegWords] = []

    async def run(self) -> EndCause | ivr.QueueEnded:
        """Serve the caller; returns why the call ends, or with what the caller goes on in the flow.

        Raises ``CallerGoneError`` when the caller hangs up in a queue.
        """
        queue = self._queue(self._step.queue)
        since: datetime | None = None
        resumed: datetime | None = None
        while True:
            async with self._context.in_line:
                result = await QueuePhase(self._context, self._step, queue, since, resumed).run()
            if isinstance(result, Connected):
                self._wrap_ups.take(result)  # before anything is waited for: nobody may be forgotten
            await self._context.caller.quiet()
            if not isinstance(result, Connected):
                return ivr.QueueEnded(ivr.QueueExit(result.value))
            connected, parted = await self._talk(result)
            if parted.bridge_failed:
                queue, since, resumed = connected.queue, connected.since, connected.entered_at
            elif parted.to is not None and parted.to.kind is not Kind.NUMBER:
                queue, since, resumed = self._queue(parted.to.queue), connected.since, None
            else:
                return await self._after(parted.by)
            self._context.move(CallInput.RELEASE)

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

    def _queue(self, name: str) -> config.Queue:
        return self._context.services.settings.queue(name)
