"""The call that calls a customer back.

Agent first: an agent's telephone rings, then the customer's, and who picks up hears a person. Customer
first: the customer is dialled, says yes by a key, and stands at the head of the line for a while. Once both
are on the line it is a call like any other. The callback's record is kept in step; when the callback turns
out to be somebody else's, nobody is dialled any more, but nobody who talks is cut off.
"""

import asyncio
import logging
from dataclasses import dataclass, replace
from uuid import uuid4

import ivr
from callback.errors import RefusedError
from callback.policy import UNKNOWN_WAIT, moved, snoozed
from callback.request import Mode, Result, Slot
from callback.state import Step
from callcenter import config
from callcenter.call import callback_words as words
from callcenter.call.absent import AbsentLeg
from callcenter.call.callback_record import CallbackRecord, LetGoError
from callcenter.call.confirm_phase import Answer, ConfirmPhase
from callcenter.call.context import CallContext, CallerGoneError, HangUpAskedError
from callcenter.call.customer_dial import Number
from callcenter.call.dial_phase import DialPhase, Reached, Unreached
from callcenter.call.machine_phase import MachinePhase
from callcenter.call.party import Party
from callcenter.call.queue_phase import Coming, Connected
from callcenter.call.service_phase import Begin, ServicePhase
from callcenter.call.services import CallServices
from callcenter.call.session import CallSession
from callcenter.call.signals import CallbackChanged, Inbox
from callcenter.call.state import CallInput
from callcenter.call.turn_phase import TurnPhase
from callcenter.callback_settings import CallbackRules
from callcenter.callbacks.desk import CallbackDesk
from callcenter.errors import NotFoundError, StorageError
from callcenter.events import EndCause, Event, EventType
from callcenter.media.frame import PacedBy
from callcenter.telephony.port import ABNORMAL_ENDS, LegInfo

log = logging.getLogger(__name__)

HEAD_OF_LINE = 1_000
"""The priority of customers who have picked up: above that of any queue and of any caller."""
NO_LIMIT = 1_000_000
CLOSE_WAIT_S = 5.0
"""The call does not wait longer for the database to take its outcome."""


@dataclass(frozen=True, slots=True)
class Carried:
    """What a call carries out, through which telephone, and the rules it asks."""

    record: CallbackRecord
    number: Number
    queue: config.Queue
    desk: CallbackDesk


class CallbackSession(CallSession):
    """Carries out one claimed callback. ``run`` records the outcome whatever happens.

    The commands of the API, supervisors, the drain and the agents' wrap-up are those of every call.
    """

    def __init__(self, carried: Carried, services: CallServices) -> None:
        callback, number = carried.record.callback, carried.number
        expected = LegInfo("", number.gateway.name, "", "", PacedBy.GATEWAY, callback.number, number.shown)
        customer = Party(AbsentLeg(expected), services.pacer)
        super().__init__(uuid4(), customer, Inbox(), services, services.now(), callback.chain_id)
        self._carried = carried
        self._kept = carried.record
        self._talked = False

    def changed(self) -> None:
        """Somebody has changed the callback, perhaps this call itself."""
        self.inbox.put(CallbackChanged())

    async def run(self) -> None:
        """Carry it to its end; a callback that the call leaves unfinished is given back or tried again."""
        try:
            await super().run()
        finally:
            if not self._kept.is_closing:
                self._services.background.spawn(
                    self._settle(), name=f"outcome of callback {self._kept.callback_id}"
                )

    async def _settle(self) -> None:
        """The call was cut off, or has failed."""
        record = self._kept
        if record.was_bridged:
            await record.close(Result.BRIDGED)
        elif record.is_dialled:
            # A telephone that may still ring must not be rung by somebody else.
            await record.close(Result.LOST, not_before=record.after_ringing(0))
        else:
            await record.close(None)

    def _write_start(self) -> None:
        info = self.caller.info
        self._journal.write(
            EventType.CALL_STARTED,
            at=self._arrived_at,
            direction="callback",
            gateway=info.gateway,
            call_ref="",
            node_id=str(self._services.node_id),
            callback=str(self._kept.callback_id),
            attempt=str(self._kept.attempt_id),
            **{"from": info.to_number, "to": info.from_number},
        )

    def _noted(self, event: Event) -> None:
        super()._noted(event)
        match event.type:
            case EventType.AGENT_CONNECTED:
                self._kept.follow(Step.BRIDGE)
            case EventType.CONVERSATION_ENDED if event.data.get("bridge") == "failed":
                self._kept.follow(Step.WAIT)
            case EventType.CONVERSATION_ENDED:
                self._talked = True

    # The call.

    async def _serve(self, context: CallContext) -> EndCause:
        try:
            if self._kept.callback.mode is Mode.AGENT_FIRST:
                return await self._agent_first(context)
            return await self._customer_first(context)
        except LetGoError as error:
            log.info("call %s lets go of its callback: %s", self.call_id, error)
            self._kept.settled.set()
            return EndCause.UNREACHED
        except CallerGoneError as gone:
            self._gone_at = gone.at
            return await self._left_by_customer()
        except HangUpAskedError:
            await self._finish(Result.FAILED)
            return EndCause.UNREACHED

    async def _agent_first(self, context: CallContext) -> EndCause:
        connected = await TurnPhase(context, self._kept, self._carried.queue).run()
        if connected is None:
            return EndCause.UNREACHED
        self._wrap_ups.take(connected)
        try:
            await self._kept.step(Step.ACCEPT)
            dialled = await DialPhase(context, self._kept, self._carried.number, connected.agent).run()
        except LetGoError:
            await self._free(connected, words.WITHDRAWN)
            raise
        if isinstance(dialled, Unreached):
            await self._free(connected, dialled.why)
            return EndCause.UNREACHED
        self._take_in(context, dialled)
        if await self._is_machine(context, connected):
            return EndCause.UNREACHED
        return await self._connect(context, connected)

    async def _connect(self, context: CallContext, connected: Connected) -> EndCause:
        """Agent and customer are both on the line, unless one has gone at the last moment."""
        if self._kept.callback.apologise:
            self._kept.has_apologised = True
            await self._tell(context, "apology")
        await connected.agent.quiet()
        if context.caller.gone_why:
            await self._free(connected, words.AGENT_TOLD_ELSE)
            raise CallerGoneError(self._services.now())
        if connected.agent.gone_why:
            context.move(CallInput.RELEASE)
            await self._wrap_ups.free(connected)
            return await self._head_of_line(context, "agent_lost")
        context.move(CallInput.CONNECT)
        now = self._services.now()
        return await self._talk(context, Begin(connected=replace(connected, at=now, entered_at=now)))

    async def _customer_first(self, context: CallContext) -> EndCause:
        dialled = await DialPhase(context, self._kept, self._carried.number).run()
        if not isinstance(dialled, Reached):
            return EndCause.UNREACHED
        self._take_in(context, dialled)
        if await self._is_machine(context, None):
            return EndCause.UNREACHED
        context.move(CallInput.RELEASE)
        self._kept.follow(Step.CONFIRM)
        asking = ConfirmPhase(context, self._kept, self._carried.desk)
        try:
            answer = await asking.run()
        except CallerGoneError:
            answer = Answer.NOTHING
        match answer:
            case Answer.NOW:
                return await self._head_of_line(context, "connect")
            case Answer.LATER:
                await self._postpone(None)
                await asking.tell("postponed")
            case Slot() as slot:
                await self._postpone(slot)
                await asking.tell("postponed")
            case Answer.NEVER:
                await self._kept.over(Result.CANCELLED)
                await asking.tell("cancelled")
            case Answer.NOTHING:
                await self._kept.over(Result.NOT_CONFIRMED)
                await asking.tell("goodbye")
        return EndCause.UNREACHED

    async def _postpone(self, slot: Slot | None) -> None:
        """Another time; one that was taken a moment ago becomes a short while."""
        record, desk = self._kept, self._carried.desk
        try:
            wait = await desk.wait(record.callback.queue)
        except (StorageError, NotFoundError):
            wait = UNKNOWN_WAIT
        now = self._services.now()
        try:
            if slot is not None:
                terms = moved(record.callback, slot, record.rules, now, wait)
                await record.over(Result.POSTPONED, slot=slot, terms=terms)
                return
        except RefusedError as error:
            log.info("call %s: the chosen time is gone: %s", self.call_id, error)
        await record.over(Result.POSTPONED, terms=snoozed(record.callback, record.rules, now, wait))

    async def _head_of_line(self, context: CallContext, told: str) -> EndCause:
        """The customer waits as a live caller, from the moment on that they are told why."""
        self._kept.follow(Step.WAIT)
        context.tasks.create_task(self._tell(context, told), name=f"{told} of call {self.call_id}")
        return await self._talk(context, Begin(Coming(since=self._kept.callback.arrived_at)))

    async def _talk(self, context: CallContext, begin: Begin) -> EndCause:
        """From here on it is a call like any other, but that nobody who has not talked yet waits for long."""
        step = ivr.JoinQueue(
            self._carried.queue.name,
            priority=HEAD_OF_LINE,
            exit_key=None,
            announce_position=False,
            language=self._kept.callback.language,
        )
        phase = ServicePhase(context, step, self._wrap_ups, replace(begin, wait_in=self._wait_in))
        try:
            left = await phase.run()
        finally:
            self._words += phase.words
        if isinstance(left, EndCause) and self._broke_at_once(context, left):
            await self._finish(Result.BRIDGE_FAILED)
            return EndCause.FAILED
        if isinstance(left, EndCause) or self._talked:
            await self._finish(Result.BRIDGED)
            return left if isinstance(left, EndCause) else EndCause.TIMED_OUT
        await self._finish(Result.AGENT_GONE)
        await self._tell(context, "nobody")
        return EndCause.UNREACHED

    def _wait_in(self, queue: config.Queue) -> config.Queue:
        """How a customer who has picked up waits: briefly, and turned away by nothing."""
        # Who is being called back is offered no callback.
        queue = queue.model_copy(update={"callback": CallbackRules()})
        if self._talked:
            return queue
        return queue.model_copy(
            update={
                "max_wait_s": self._kept.rules.wait_cap_s,
                "max_length": NO_LIMIT,
                "overflow": [],
                "refuse_when_unstaffed": False,
                "leave_when_unstaffed_s": None,
            }
        )

    def _broke_at_once(self, context: CallContext, cause: EndCause) -> bool:
        """Whether the customer's line broke before there was a conversation to speak of."""
        began = [event.at for event in self._journal.events if event.type is EventType.AGENT_CONNECTED]
        if cause is not EndCause.CALLER_HANGUP or context.caller.gone_why not in ABNORMAL_ENDS:
            return False
        talked_s = (self._services.now() - began[-1]).total_seconds() if began else 0.0
        return len(began) == 1 and talked_s <= self._carried.queue.bridge_grace_s

    async def _is_machine(self, context: CallContext, connected: Connected | None) -> bool:
        """Whether a machine has answered; then it is dealt with, and the agent is free."""
        if not self._kept.rules.detect_machine:
            return False
        phase = MachinePhase(context, self._kept)
        if not await phase.is_machine():
            return False
        if connected is not None:
            self._services.background.spawn(
                self._free(connected, words.AGENT_TOLD[Result.MACHINE]),
                name=f"freeing the agent of call {self.call_id}",
            )
        left = await phase.leave_message()
        await self._kept.over(Result.MACHINE, message_left=left)
        return True

    # Ends.

    async def _left_by_customer(self) -> EndCause:
        """The customer has hung up before an agent came, or in line after a conversation."""
        await self._finish(Result.BRIDGED if self._talked else Result.ABANDONED)
        return EndCause.CALLER_HANGUP

    async def _finish(self, result: Result) -> None:
        """Record the outcome of a customer who was on the line; the call is over all the same."""
        closing = self._services.background.spawn(
            self._kept.close(result), name=f"outcome of callback {self._kept.callback_id}"
        )
        if result is not Result.BRIDGED:
            await asyncio.wait({closing}, timeout=CLOSE_WAIT_S)

    def _take_in(self, context: CallContext, reached: Reached) -> None:
        """The customer takes the place that was kept."""
        self.caller.on_ended("replaced")
        self.caller = context.caller = reached.customer

    async def _tell(self, context: CallContext, name: str) -> None:
        language = self._kept.callback.language
        text = words.say(name, language)
        await context.caller.play(await self._services.prompts.pcm(text, language=language))

    async def _free(self, connected: Connected, why: str) -> None:
        """Tell the agent in one sentence and let them go, without a wrap-up: nobody has talked."""
        agent = connected.agent
        try:
            await agent.quiet()
            await agent.play(await self._services.prompts.pcm(why))
        finally:
            await self._wrap_ups.free(connected)
