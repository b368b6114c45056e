"""A caller in line: music, position announcements, offers to agents, and the ways out."""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import ivr
from callcenter import config
from callcenter.acd.dispatcher import Asked, LineRefusedError, Offer, Ticket
from callcenter.call.callback_offer import CallbackOffer
from callcenter.call.context import CallContext, CallerGoneError, HangUpAskedError, done
from callcenter.call.party import Party
from callcenter.call.rings import Answered, Rings
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
from callcenter.call.wait_notes import WaitNotes
from callcenter.errors import CallCenterError
from callcenter.events import EventType, LeftReason
from callcenter.queueing import Overflow

log = logging.getLogger(__name__)

LOOK_FOR_STAFF_S = 5.0
PATIENCE_RINGS = 2
"""An agent who is named is waited for as long as this many ringing times of the queue."""


@dataclass(frozen=True, slots=True)
class Coming:
    """How a caller comes into a queue; out of the flow it is all as of now.

    ``since`` is what the place in line goes by, ``waiting_since`` when the wait began, where that was in
    another queue. The stay that began at ``resumed`` goes on: the agent who had answered was lost at once.
    ``agent`` is waited for alone for ``PATIENCE_RINGS`` ringing times. ``is_new``: the caller may leave a
    callback instead of waiting.
    """

    since: datetime | None = None
    waiting_since: datetime | None = None
    resumed: datetime | None = None
    agent: str | None = None
    is_new: bool = False


FROM_FLOW = Coming(is_new=True)


@dataclass(frozen=True, slots=True)
class Connected:
    """An agent answered at ``at`` and the caller is theirs.

    ``since`` is what the place in line went by, ``entered_at`` when the caller came into this queue.
    """

    offer: Offer
    agent: Party
    queue: config.Queue
    at: datetime
    since: datetime
    entered_at: datetime


@dataclass(frozen=True, slots=True)
class Overflowed:
    """The caller goes on to another queue."""

    to: str
    coming: Coming


class QueuePhase:
    """One stay in one queue."""

    def __init__(
        self, context: CallContext, step: ivr.JoinQueue, queue: config.Queue, coming: Coming = FROM_FLOW
    ) -> None:
        self._context = context
        self._step = step
        self._queue = queue
        self._coming = coming
        self._entered_at = coming.resumed or context.services.now()
        self._since = coming.since or self._entered_at
        self._waiting_since = coming.waiting_since or self._entered_at
        self._rings = Rings(context, queue)
        # Known by identity: what an earlier stay of the call has left in the inbox is not for this one.
        self._waited = TimerFired("queue:waited")
        self._announce_now = TimerFired("queue:announce")
        self._look_for_staff = TimerFired("queue:staff")
        self._overflows = [(TimerFired(f"queue:overflow to {way.to}"), way) for way in queue.overflow]
        self._handles: dict[int, asyncio.TimerHandle] = {}
        self._asides: set[asyncio.Task[None]] = set()
        self._exit: LeftReason | Overflowed | None = None
        self._unstaffed_since_s: float | None = None
        self._entered_s = 0.0
        self._original_position = 0
        self._position = 0
        self._notes = WaitNotes(context, queue)
        self._callbacks = CallbackOffer(
            context, step, queue, is_on=coming.is_new, is_ringing=lambda: bool(self._rings)
        )

    async def run(self) -> Connected | LeftReason | Overflowed:
        """Wait for an agent, or for a reason to leave.

        The wait begins now, however long the database takes to confirm the place in line. Raises
        ``CallerGoneError`` when the caller hangs up; the events are written then.
        """
        services, queue, call_id = self._context.services, self._queue, self._context.call_id
        now, entered_at = services.now(), self._entered_at
        self._entered_s = self._context.seconds() - (now - entered_at).total_seconds()
        priority = queue.priority + self._step.priority
        waiting = services.dispatcher.wait(call_id, queue, priority, self._since, self._asked())
        try:
            async with waiting as ticket:
                left = await self._wait(ticket, entered_at)
            if left is LeftReason.CALLBACK:
                await self._callbacks.part()
            return left
        except LineRefusedError as error:
            to = self._overflow_of(ways=self._queue.overflow) if error.reason is LeftReason.FULL else None
            left = to or error.reason
            self._write_left(left)
            return left

    def _asked(self) -> Asked:
        number = self._context.caller.info.from_number
        known = number if any(character.isdigit() for character in number) else ""
        if self._coming.agent is not None:
            hold_s = PATIENCE_RINGS * self._queue.ring_timeout_s
            return Asked(known, self._step.skills, self._coming.agent, hold_s)
        return Asked(known, self._step.skills, self._step.preferred_agent or None)

    async def _wait(self, ticket: Ticket, entered_at: datetime) -> Connected | LeftReason | Overflowed:
        context = self._context
        context.move(CallInput.JOIN)
        assert ticket.place is not None
        self._position = self._original_position = ticket.place.position
        wait = await self._notes.entered(self._position, ticket.priority, ticket.place.entered_at, entered_at)
        if self._coming.resumed is None:
            context.journal.write(
                EventType.QUEUE_ENTERED,
                queue=self._queue.name,
                at=entered_at,
                position=self._original_position,
                priority=ticket.priority,
                **wait,
            )
        crowded = [way for way in self._queue.overflow if self._is_crowded(way)]
        if crowded:
            self._notes.over("left")
            return self._leave(self._overflow_to(crowded[0].to))
        context.caller.loop(context.services.prompts.music())
        self._set_timers()
        self._ask_for_offer(ticket)
        self._callbacks.stand(ticket)
        if self._callbacks.is_on:
            self._aside(self._greet(), "callbacks")
        try:
            ended = await self._loop(ticket)
            self._notes.over("answered" if isinstance(ended, Connected) else "left")
            return ended
        except (CallerGoneError, HangUpAskedError):
            self._notes.over("abandoned")
            self._abandoned(ticket)
            raise
        finally:
            self._asking.cancel()
            for task in self._asides:
                task.cancel()
            for handle in self._handles.values():
                handle.cancel()
            self._rings.cancel("left")
            self._callbacks.close()
            self._notes.over("failed")

    def _ask_for_offer(self, ticket: Ticket) -> None:
        async def ask() -> None:
            while True:
                self._context.inbox.put(Offered(await ticket.offer(), ticket))

        self._asking = self._context.tasks.create_task(ask(), name=f"offers to call {self._context.call_id}")

    async def _loop(self, ticket: Ticket) -> Connected | LeftReason | Overflowed:
        context = self._context
        while True:
            signal = await context.inbox.get()
            match signal:
                case Offered(offer, of) if of is ticket:
                    await self._callbacks.cut()
                    self._rings.start(offer)
                case AgentArrived(reference) if reference in self._rings:
                    if answered := await self._rings.arrived(ticket, signal):
                        return self._connected(answered)
                case DialFailed(reference) if reference in self._rings:
                    await self._rings.failed(ticket, signal)
                case Gone(party) if party is context.caller:
                    raise CallerGoneError(context.services.now())
                case Key(digit) if self._callbacks.is_open:
                    if left := await self._callbacks.key(digit):
                        return self._leave(left)
                case Key(digit) if digit == self._step.exit_key:
                    return self._leave(LeftReason.KEY)
                case Key(digit) if self._callbacks.asks(digit):
                    if not self._rings:
                        await self._callbacks.asked()
                case Key(digit) if digit == self._step.callback_key:
                    return self._leave(LeftReason.CALLBACK)
                case TimerFired() if self._callbacks.owns(signal):
                    if left := await self._callbacks.fired(signal):
                        return self._leave(left)
                case TimerFired():
                    self._time_passed(ticket, signal)
                case Played() if self._callbacks.owns(signal):
                    self._callbacks.heard(signal)
                case Played():
                    if not self._callbacks.is_heard:
                        context.caller.loop(context.services.prompts.music())
                case Command() if signal.name == "hangup":
                    done(signal)
                    raise HangUpAskedError
                case _:
                    context.dismiss(signal)
            # Whose telephone rings already may still answer; who talks of a callback may come to an end.
            if self._exit is not None and not self._rings and not self._callbacks.is_open:
                return self._leave(self._exit)

    def _connected(self, answered: Answered) -> Connected:
        since = self._callbacks.since or self._since
        return Connected(answered.offer, answered.agent, self._queue, answered.at, since, self._entered_at)

    # Time.

    def _set_timers(self) -> None:
        queue = self._queue
        waited_s = self._context.seconds() - self._entered_s
        self._later(max(0.0, queue.max_wait_s - waited_s), self._waited)
        self._later(queue.announce_every_s, self._announce_now)
        if queue.leave_when_unstaffed_s is not None:
            self._later(min(LOOK_FOR_STAFF_S, queue.leave_when_unstaffed_s), self._look_for_staff)
        for signal, way in self._overflows:
            if way.after_s is not None:
                self._later(max(0.0, way.after_s - self._waited_s()), signal)

    def _time_passed(self, ticket: Ticket, signal: TimerFired) -> None:
        if signal is self._waited:
            self._exit = self._exit or LeftReason.TIMEOUT
        elif signal is self._announce_now:
            self._announce(ticket)
        elif signal is self._look_for_staff:
            self._aside(self._leave_if_unstaffed(), "staff")
        for overflow, way in self._overflows:
            if signal is overflow:
                self._exit = self._exit or self._overflow_to(way.to)

    def _later(self, seconds: float, signal: TimerFired) -> None:
        loop = asyncio.get_running_loop()
        self._handles[id(signal)] = loop.call_later(seconds, self._context.inbox.put, signal)

    def _aside(self, work: Coroutine[Any, Any, None], what: str) -> None:
        task = self._context.tasks.create_task(work, name=f"{what} of call {self._context.call_id}")
        self._asides.add(task)
        task.add_done_callback(self._asides.discard)

    def _waited_s(self) -> float:
        """How long the caller has waited for this, in other queues, too."""
        return (self._context.services.now() - self._waiting_since).total_seconds()

    # Other queues, and nobody there.

    def _is_crowded(self, way: Overflow) -> bool:
        return way.when_waiting is not None and self._original_position > way.when_waiting

    def _overflow_of(self, ways: Sequence[Overflow]) -> Overflowed | None:
        """Where a caller goes whom a full queue refuses."""
        crowded = [way for way in ways if way.when_waiting is not None]
        return self._overflow_to(crowded[0].to) if crowded else None

    def _overflow_to(self, queue: str) -> Overflowed:
        since = self._callbacks.since or self._since
        return Overflowed(queue, Coming(since, self._waiting_since, is_new=self._coming.is_new))

    async def _leave_if_unstaffed(self) -> None:
        """Note since when nobody is there; the caller leaves when that has lasted."""
        patience_s = self._queue.leave_when_unstaffed_s
        assert patience_s is not None
        now_s = self._context.seconds()
        if await self._context.services.dispatcher.staffed(self._queue.name):
            self._unstaffed_since_s = None
        elif self._unstaffed_since_s is None:
            self._unstaffed_since_s = now_s
        elif now_s - self._unstaffed_since_s >= patience_s:
            self._exit = self._exit or LeftReason.EMPTY
            self._context.inbox.put(TimerFired("queue:nobody"))
            return
        self._later(min(LOOK_FOR_STAFF_S, patience_s), self._look_for_staff)

    # The caller.

    def _announce(self, ticket: Ticket) -> None:
        self._later(self._queue.announce_every_s, self._announce_now)
        is_quiet = not (self._rings or self._asides or self._callbacks.is_open)
        if is_quiet and (self._step.announce_position or self._callbacks.is_on):
            self._aside(self._speak_up(ticket), "announcement")

    async def _greet(self) -> None:
        await self._callbacks.entered(await self._notes.estimate(self._position))

    async def _speak_up(self, ticket: Ticket) -> None:
        if self._step.announce_position:
            await self._say_position(ticket)
        if self._callbacks.is_on:
            await self._callbacks.consider(await self._notes.estimate(self._position))

    async def _say_position(self, ticket: Ticket) -> None:
        context = self._context
        try:
            position = await ticket.position()
            if position is None:
                return
            text = f"You are number {position} in the queue. Please stay on the line."
            pcm16 = await context.services.prompts.pcm(text)
            wait = await self._notes.announcement(position)
        except CallCenterError as error:
            log.warning("call %s: the position is not announced: %s", context.call_id, error)
            return
        if self._rings or self._callbacks.is_open:
            return
        self._position = position
        told = self._notes.told(wait)
        context.journal.write(EventType.QUEUE_ANNOUNCED, queue=self._queue.name, position=position, **told)
        context.inbox.put(Played(-1, await context.caller.play(pcm16 + wait.pcm16)))

    def _abandoned(self, ticket: Ticket) -> None:
        self._rings.cancel("caller gone")
        context = self._context
        context.journal.write(
            EventType.QUEUE_ABANDONED,
            queue=self._queue.name,
            position=self._position,
            original_position=self._original_position,
            wait_s=round(context.seconds() - self._entered_s, 3),
        )
        if self._queue.redial_s:
            context.services.dispatcher.remember_place(self._asked().number, ticket)

    def _leave(self, left: LeftReason | Overflowed) -> LeftReason | Overflowed:
        self._rings.cancel(_reason_of(left).value)
        self._write_left(left)
        self._context.move(CallInput.LEAVE)
        return left

    def _write_left(self, left: LeftReason | Overflowed) -> None:
        data = {"reason": _reason_of(left).value}
        if isinstance(left, Overflowed):
            data["to"] = left.to
        self._context.journal.write(EventType.QUEUE_LEFT, queue=self._queue.name, at=None, **data)


def _reason_of(left: LeftReason | Overflowed) -> LeftReason:
    return LeftReason.OVERFLOW if isinstance(left, Overflowed) else left
