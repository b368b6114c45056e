"""One call from its first frame to its last event.

The main flow: the IVR engine runs until it asks for a step (a queue, a voicemail, a transfer, the end);
the step's phase takes over; what came of it is fed back to the engine. A conversation ends the flow, unless
the flow wants the caller back from it. The agent's wrap-up runs beside all that.
Everything a phase hears comes through one inbox, in order. Every step is written to the journal.
"""

import asyncio
import logging
from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import ivr
from callcenter import timeline
from callcenter.call.context import CallContext, CallerGoneError, HangUpAskedError
from callcenter.call.ivr_phase import IvrPhase
from callcenter.call.journal import Journal
from callcenter.call.party import Party
from callcenter.call.reception import receive
from callcenter.call.service_phase import ServicePhase
from callcenter.call.services import CallServices
from callcenter.call.signals import AgentArrived, Command, CustomerArrived, DialFailed, Inbox
from callcenter.call.state import CallInput, CallState
from callcenter.call.survey import write_survey_words
from callcenter.call.voicemail import VoicemailPhase
from callcenter.call.words import LegWords
from callcenter.call.wrap_up import WrapUps
from callcenter.errors import GatewayError, TransitionError
from callcenter.events import EndCause, Event, EventType

log = logging.getLogger(__name__)


class CallSession:
    """Carries one call. ``run`` does everything; the other methods put signals into the call's inbox.

    ``arrived_at`` is when the caller's leg came in. ``chain_id`` links it with the calls of the same matter;
    the call itself begins a chain where there are none.
    """

    def __init__(
        self,
        call_id: UUID,
        caller: Party,
        inbox: Inbox,
        services: CallServices,
        arrived_at: datetime,
        chain_id: UUID | None = None,
    ) -> None:
        self.call_id = call_id
        self.caller = caller
        self.inbox = inbox
        self._services = services
        self._arrived_at = arrived_at
        self._gone_at: datetime | None = None
        self._journal = Journal(call_id, chain_id or call_id, services.now, self._noted)
        self._context: CallContext | None = None
        self._wrap_ups = WrapUps(self._journal, services.dispatcher, services.background)
        self._words: list[LegWords] = []

    @property
    def state(self) -> CallState:
        """What the call is doing."""
        return CallState.IVR if self._context is None else self._context.state

    # What the rest of the program tells a call.

    def expects(self, reference: str) -> bool:
        """Whether the call waits for who has this reference; one who was given up comes too late."""
        return self._context is not None and reference in self._context.expected_agents

    def agent_arrived(self, reference: str, agent: Party, at: datetime) -> None:
        """Take the leg of an agent whom the call expects; it came in at ``at``."""
        self.inbox.put(AgentArrived(reference, agent, at))

    def customer_arrived(self, reference: str, customer: Party, at: datetime) -> None:
        """Take the leg of a customer whom the call has dialled; it came in at ``at``."""
        self.inbox.put(CustomerArrived(reference, customer, at))

    def dial_failed(self, signal: DialFailed) -> None:
        """Take the news that somebody who was dialled did not come."""
        self.inbox.put(signal)

    async def command(self, name: str, arguments: Mapping[str, str]) -> None:
        """Ask the call to do something; raises ``TransitionError`` if its state does not allow it."""
        if name == "disposition":
            resolved = arguments.get("resolved")
            self._wrap_ups.note(
                arguments["agent"], arguments["disposition"], None if resolved is None else resolved == "true"
            )
            return
        command = Command(name, arguments, asyncio.get_running_loop().create_future())
        if self.state is CallState.ENDED:
            raise TransitionError("the call has ended")
        self.inbox.put(command)
        await command.done

    # The call.

    async def run(self) -> None:
        """Carry the call to its end. Whatever happens, the end is written and the agent is freed."""
        self._write_start()
        cause = EndCause.FAILED
        try:
            async with asyncio.TaskGroup() as tasks:
                self._context = CallContext(
                    call_id=self.call_id,
                    caller=self.caller,
                    inbox=self.inbox,
                    journal=self._journal,
                    services=self._services,
                    tasks=tasks,
                    started_s=asyncio.get_running_loop().time(),
                )
                cause = await self._serve(self._context)
                self._write_end(cause)
                self._services.background.spawn(
                    self.caller.hang_up(), name=f"hanging up the caller of call {self.call_id}"
                )
                await self._last_words()
        except* Exception as group:
            log.error("call %s failed", self.call_id, exc_info=group)
        finally:
            self._write_end(EndCause.FAILED)
            await self.caller.hang_up()
            await self._wrap_ups.let_go()

    async def _serve(self, context: CallContext) -> EndCause:
        services = self._services
        engine = await receive(services, self.call_id, self.caller.info, self._arrived_at)
        phase = IvrPhase(context, engine)
        event: ivr.Event | None = None
        try:
            while True:
                step = await phase.next_step(event)
                match step:
                    case ivr.HangUp(reason):
                        return EndCause(reason.value)
                    case ivr.JoinQueue():
                        left = await self._service(context, step)
                        if isinstance(left, EndCause):
                            return left
                        event = left
                    case ivr.Voicemail() | ivr.RecordWords():
                        await self._record(context, step)
                        event = ivr.VoicemailEnded()
                    case ivr.Transfer(number):
                        if await self._transferred(number):
                            return EndCause.TRANSFERRED
                        event = ivr.TransferFailed()
        except CallerGoneError as gone:
            self._gone_at = gone.at
            return EndCause.CALLER_HANGUP
        except HangUpAskedError:
            return EndCause.COMPLETED

    async def _service(self, context: CallContext, step: ivr.JoinQueue) -> EndCause | ivr.QueueEnded:
        phase = ServicePhase(context, step, self._wrap_ups)
        try:
            return await phase.run()
        finally:
            self._words += phase.words

    async def _record(self, context: CallContext, step: ivr.Voicemail | ivr.RecordWords) -> None:
        kind = "voicemail" if isinstance(step, ivr.Voicemail) else "survey"
        phase = VoicemailPhase(context, kind, step.max_s, step.silence_s)
        try:
            await phase.run()
        finally:
            self._words += phase.words
            if isinstance(step, ivr.RecordWords) and phase.was_spoken:
                write_survey_words(self._journal, step, phase.recording_id)

    async def _transferred(self, number: str) -> bool:
        info = self.caller.info
        try:
            await self._services.gateways[info.gateway].transfer(info.call_ref, number)
        except GatewayError as error:
            log.warning("call %s could not be transferred: %s", self.call_id, error)
            return False
        self._journal.write(EventType.TRANSFER_BLIND, to=number, kind="number")
        return True

    def _noted(self, event: Event) -> None:
        self._services.append(event)

    # Beginning and end.

    def _write_start(self) -> None:
        info = self.caller.info
        self._journal.write(
            EventType.CALL_STARTED,
            at=self._arrived_at,
            direction="inbound",
            gateway=info.gateway,
            call_ref=info.call_ref,
            node_id=str(self._services.node_id),
            **{"from": info.from_number, "to": info.to_number},
        )
        self._journal.write(EventType.CALL_ANSWERED, at=self._arrived_at)

    def _write_end(self, cause: EndCause) -> None:
        if self._context is not None:
            if self._context.state is CallState.ENDED:
                return
            self._context.move(CallInput.END)
        short_s = self._services.settings.metrics.short_abandon_s
        outcome = timeline.outcome_of([*self._journal.events], cause, short_s)
        self._journal.write(EventType.CALL_ENDED, at=self._gone_at, cause=cause.value, outcome=outcome.value)
        if self._context is not None:
            while (signal := self.inbox.next_pending()) is not None:
                self._context.dismiss(signal)

    async def _last_words(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for words in self._words:
                tasks.create_task(words.finish(), name=f"last words of call {self.call_id}")
