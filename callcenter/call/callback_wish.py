"""What the callback desk does for one caller in line."""

import asyncio
import logging
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeVar
from zoneinfo import ZoneInfo

import ivr
from callback.dialogue import Book, Booked, Checked, NotBooked, Times
from callback.errors import CallbackError, RefusedError
from callback.known import Standing
from callback.refusal import Refusal
from callback.request import Callback, Source
from callback.state import CLAIMED, DIALLED, State
from callcenter.acd.dispatcher import Ticket
from callcenter.acd.wait_time import Estimate
from callcenter.call.context import CallContext
from callcenter.call.reception import is_withheld
from callcenter.callbacks.models import Asked, Offer
from callcenter.errors import CallCenterError
from callcenter.events import EventType
from callcenter.queueing import Queue
from callcenter.storage.pool import retrying

log = logging.getLogger(__name__)

LOOK_WITHIN_S = 2.0
BOOK_WITHIN_S = 60
MOST_TIMES = 24

BEING_CALLED = CLAIMED | {State.DIALING}
"""Their turn has come: who phones in now is the one who is being called."""

_TALKED_TO = DIALLED - {State.DIALING}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Open:
    """An open callback of the caller's number, and how it stands in the caller's words."""

    callback: Callback
    standing: Standing

    @property
    def is_being_called(self) -> bool:
        """Whether it is being carried out at this moment, for this queue."""
        return self.callback.state in BEING_CALLED and not self.standing.elsewhere


class CallbackWish:
    """The caller's number, and the desk."""

    def __init__(self, context: CallContext, step: ivr.JoinQueue, queue: Queue, language: str) -> None:
        self._context = context
        self._step = step
        self._queue = queue
        self._language = language
        self._desk = context.services.callbacks.desk
        from_number = context.caller.info.from_number
        checked = Checked() if is_withheld(from_number) else self.check(from_number)
        self.number = checked.number

    # Looking; whoever asks gets an answer soon or none.

    async def open_one(self) -> Open | None:
        """The open callback of this caller, that of this queue first; none that is being talked about now."""
        return await self._soon(self._open_one()) if self.number else None

    async def offered(self, estimate: Estimate) -> Offer | None:
        """What may be offered to one who has still to wait so long."""
        return await self._soon(self._desk.offered(self._queue.name, estimate))

    async def why_not(self) -> Refusal:
        """Why nothing is offered, to one who asks."""
        try:
            async with asyncio.timeout(LOOK_WITHIN_S):
                await self._desk.soonest(self._queue.name)
        except RefusedError as error:
            return error.refusal
        except (CallbackError, CallCenterError, TimeoutError) as error:
            log.warning("call %s: why there is no callback: %s", self._context.call_id, error or "slow")
        return Refusal.NOT_OFFERED

    def check(self, text: str) -> Checked:
        """Whether a number can be called."""
        try:
            return Checked(self._desk.number(text, self._queue.name))
        except RefusedError as error:
            return Checked(refusal=error.refusal)

    async def times(self) -> Times:
        """The free times on the caller's own clock."""
        zone_name = self._desk.zone(self.number, self._queue.name)
        zone = ZoneInfo(zone_name)
        slots = await self._soon(self._desk.slots(self._queue.name, zone=zone_name)) or []
        free = [slot.start.astimezone(zone) for slot in slots if slot.free]
        return Times(free[:MOST_TIMES], self._context.services.now().astimezone(zone).date())

    # Doing.

    async def book(self, ticket: Ticket, wish: Book, estimate: Estimate) -> Booked | NotBooked:
        """Leave the line for a callback, in one transaction; or an agent was found first."""
        asked = Asked(
            queue=self._queue.name,
            number=wish.number,
            source=Source.IVR,
            slot_start=wish.start,
            language=self._language,
            consent=True,
            priority=self._step.priority,
            skills=self._step.skills,
            chain_id=self._context.journal.chain_id,
            call_id=self._context.call_id,
        )
        callback = None
        ticket.is_leaving = True  # nobody puts the entry back that is deleted now
        try:
            callback = await self._booked(asked, estimate)
        except RefusedError as error:
            return NotBooked(error.refusal)
        except (CallbackError, CallCenterError) as error:
            log.error("call %s: no callback: %s", self._context.call_id, error)
            return NotBooked(Refusal.NOT_OFFERED)
        finally:
            ticket.is_leaving = callback is not None
        if callback is None:
            return NotBooked()
        self._note_accepted(callback, "place" if wish.start is None else "slot")
        in_s = (callback.promised_until - self._context.services.now()).total_seconds()
        return Booked(in_s, stood=callback.call_id != self._context.call_id)

    async def hold(self, callback: Callback, ticket: Ticket) -> bool:
        """Wait on the line at the callback's place, which ends it; false where it has ended by itself."""
        call_id = self._context.call_id
        try:
            merged = await retrying(
                lambda: self._desk.merge(callback.callback_id, by="customer", call_id=call_id),
                deadline_s=BOOK_WITHIN_S,
            )
        except (CallbackError, CallCenterError) as error:
            log.info("call %s: callback %s stays: %s", call_id, callback.callback_id, error)
            return False
        ticket.moved(merged.arrived_at, merged.priority)
        return True

    async def stands(self, callback: Callback) -> bool:
        """Whether it is still open; so it is where the database does not say."""
        current = await self._soon(self._desk.get(callback.callback_id))
        return current is None or current.is_open

    async def cancel(self, callback: Callback) -> bool:
        """Give the callback up; false where it goes on, since the customer is being called."""
        try:
            await retrying(
                lambda: self._desk.cancel(callback.callback_id, by="customer"), deadline_s=BOOK_WITHIN_S
            )
        except (CallbackError, CallCenterError) as error:
            log.info("call %s: callback %s stays: %s", self._context.call_id, callback.callback_id, error)
            return not await self.stands(callback)
        return True

    async def _booked(self, asked: Asked, estimate: Estimate) -> Callback | None:
        """The callback; that of an earlier try whose commit an outage has hidden, too."""
        refused: RefusedError | None = None
        try:
            callback = await retrying(
                lambda: self._desk.from_line(self._context.call_id, asked, estimate),
                deadline_s=BOOK_WITHIN_S,
            )
            if callback is not None:
                return callback
        except RefusedError as error:
            refused = error
        own = await self._own(asked)
        if own is None and refused is not None:
            raise refused
        return own

    async def _own(self, asked: Asked) -> Callback | None:
        """The open callback that this very call has asked for."""
        number = self._desk.number(asked.number, asked.queue)
        found = await retrying(lambda: self._desk.open_of(number, asked.queue), deadline_s=BOOK_WITHIN_S)
        return next((one for one in found if one.call_id == self._context.call_id), None)

    async def _open_one(self) -> Open | None:
        own = [one for one in await self._desk.open_of(self.number) if one.state not in _TALKED_TO]
        if not own:
            return None
        callback = min(own, key=lambda one: (one.queue != self._queue.name, one.promised_from))
        zone = ZoneInfo(callback.zone)
        standing = Standing(
            place=(await self._desk.status(callback)).place,
            start=(callback.slot_start or callback.promised_from).astimezone(zone),
            today=self._context.services.now().astimezone(zone).date(),
            elsewhere=callback.queue != self._queue.name,
        )
        return Open(callback, standing)

    async def _soon(self, what: Awaitable[T]) -> T | None:
        try:
            async with asyncio.timeout(LOOK_WITHIN_S):
                return await what
        except (CallbackError, CallCenterError, TimeoutError) as error:
            reason = error or f"no answer within {LOOK_WITHIN_S:g} s"
            log.warning("call %s: callbacks are not talked about: %s", self._context.call_id, reason)
            return None

    def _note_accepted(self, callback: Callback, kind: str) -> None:
        self._context.journal.write(
            EventType.CALLBACK_ACCEPTED,
            queue=self._queue.name,
            callback=str(callback.callback_id),
            kind=kind,
        )
