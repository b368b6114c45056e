"""A callback's customer is dialled: an agent waits for them on the line, or nobody yet."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from callback.request import Result
from callcenter.call import callback_words as words
from callcenter.call.callback_record import CallbackRecord, LetGoError
from callcenter.call.context import CallContext, done
from callcenter.call.customer_dial import MARGIN_S, CustomerDial, Number
from callcenter.call.party import Party
from callcenter.call.signals import CallbackChanged, Command, CustomerArrived, DialFailed, Gone
from callcenter.call.state import CallInput
from callcenter.errors import StorageError
from callcenter.events import EventType
from callcenter.media.ringing_tone import ringing_tone
from callcenter.telephony.port import DialResult

RESULTS = {
    DialResult.BUSY: Result.BUSY,
    DialResult.REJECTED: Result.BUSY,
    DialResult.NO_ANSWER: Result.NO_ANSWER,
    DialResult.INVALID: Result.INVALID,
    DialResult.FAILED: Result.FAILED,
    DialResult.UNKNOWN: Result.UNKNOWN,
}


@dataclass(frozen=True, slots=True)
class Reached:
    """The customer picked up at ``at``."""

    customer: Party
    at: datetime


@dataclass(frozen=True, slots=True)
class Unreached:
    """Nobody was reached, and the callback goes on without this call. ``why`` is for the agent."""

    why: str


class DialPhase:
    """One attempt to reach the customer, through to its record."""

    def __init__(
        self, context: CallContext, record: CallbackRecord, number: Number, agent: Party | None = None
    ) -> None:
        self._context = context
        self._record = record
        self._number = number
        self._agent = agent

    async def run(self) -> Reached | Unreached:
        """Ask whether the customer may be dialled, commit the attempt, dial.

        Raises ``LetGoError`` when the callback is no longer ours; then nobody is rung any more.
        """
        context, record = self._context, self._record
        refused = await record.may_dial() or await record.dial(self._number.gateway.name, context.call_id)
        if refused:
            return Unreached(words.NOT_NOW)
        context.move(CallInput.DIAL)
        dial = CustomerDial(context, record, self._number)
        dial.start()
        saying = context.tasks.create_task(self._entertain(), name=f"waiting agent of call {context.call_id}")
        try:
            return await self._loop(dial)
        except BaseException:
            context.services.background.spawn(
                _give_up(dial), name=f"giving up the customer of call {context.call_id}"
            )
            raise
        finally:
            saying.cancel()

    async def _entertain(self) -> None:
        """Whom the customer is called for, and then the ringing."""
        if self._agent is None:
            return
        text = words.TO_AGENT.format(queue=self._record.callback.queue)
        if await self._agent.play(await self._context.services.prompts.pcm(text)):
            self._agent.loop(ringing_tone())

    async def _loop(self, dial: CustomerDial) -> Reached | Unreached:
        context, record = self._context, self._record
        while True:
            signal = await context.inbox.get()
            match signal:
                case CustomerArrived(reference, customer, at) if reference == dial.reference:
                    dial.answered(customer)
                    return await self._reached(customer, at)
                case DialFailed(reference, result) if reference == dial.reference:
                    return await self._over(dial, RESULTS[result])
                case Gone(party) if party is self._agent:
                    return await self._over(dial, Result.AGENT_GONE)
                case Command() if signal.name == "hangup":
                    done(signal)
                    return await self._over(dial, Result.AGENT_GONE)
                case CallbackChanged():
                    if await record.is_lost():
                        raise LetGoError("the callback has been changed")
                case _:
                    context.dismiss(signal)

    async def _reached(self, customer: Party, at: datetime) -> Reached:
        context = self._context
        try:
            await self._record.reached()
        except LetGoError:
            await customer.hang_up()
            raise
        context.journal.write(EventType.CALL_ANSWERED, at=at)
        return Reached(customer, at)

    async def _over(self, dial: CustomerDial, result: Result) -> Unreached:
        """Nothing may ring any more before somebody else can be told to dial again."""
        is_quiet = await dial.give_up()
        later = None if is_quiet else self._record.after_ringing(MARGIN_S)
        if not (is_quiet or result in (Result.BUSY, Result.NO_ANSWER, Result.INVALID, Result.FAILED)):
            result = Result.UNKNOWN
        # Whose telephone is busy because they phone us has not been missed: no attempt is used.
        dialled = dial.was_dialled and not (result is Result.BUSY and await self._phones_in())
        await self._record.over(result, dialled=dialled, not_before=later)
        return Unreached(words.AGENT_TOLD.get(result, words.AGENT_TOLD_ELSE))

    async def _phones_in(self) -> bool:
        number = self._record.callback.number
        try:
            return await self._context.services.history.is_calling(number)
        except StorageError:
            return False


async def _give_up(dial: CustomerDial) -> None:
    with suppress(asyncio.CancelledError):
        await dial.give_up()
