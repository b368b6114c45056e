"""Callbacks as a caller in line meets them: offered, asked for by key, or known from before.

The caller stands in line all the while: an agent who is found cuts the talk short. What is said and what keys
mean is the business of ``callback.dialogue`` and ``callback.known``.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import ivr
from callback.dialogue import (
    Answer,
    Ask,
    Book,
    Check,
    Dialogue,
    FindTimes,
    Listen,
    Outcome,
    Over,
    Pressed,
    Silence,
)
from callback.known import Decided, Decision, Known
from callback.wording import Line, Wording
from callcenter.acd.dispatcher import Ticket
from callcenter.acd.wait_time import UNAVAILABLE, Estimate
from callcenter.call.callback_talk import Talk
from callcenter.call.callback_wish import CallbackWish, Open
from callcenter.call.context import CallContext
from callcenter.call.signals import Played, TimerFired
from callcenter.callbacks.models import Offer
from callcenter.events import EventType, LeftReason
from callcenter.queueing import Queue

MOST_OFFERS = 2
OFFER_EVERY_S = 120.0


class CallbackOffer:
    """What one stay in a queue has to do with callbacks; nothing, where it is not ``is_on``.

    ``is_ringing`` says whether an agent's telephone rings. Methods that return ``LeftReason.CALLBACK`` have
    taken the caller out of the line. ``since`` is as of when a caller stands in line who has taken the place
    of a callback.
    """

    def __init__(
        self,
        context: CallContext,
        step: ivr.JoinQueue,
        queue: Queue,
        *,
        is_on: bool,
        is_ringing: Callable[[], bool],
    ) -> None:
        self.is_on = is_on and queue.callback.enabled
        self._context = context
        self._queue = queue
        self._keys = {queue.callback.key, step.callback_key}
        self._is_ringing = is_ringing
        self._language = step.language or queue.language
        self._words = Wording(self._language)
        self._talk = Talk(context, self._language)
        self._wish = CallbackWish(context, step, queue, self._language)
        self._dialogue: Dialogue | Known | None = None
        self._ticket: Ticket | None = None
        self._estimate = UNAVAILABLE
        self._offers = 0
        self._offered_s = float("-inf")
        self._news = TimerFired("callback:news")
        self._found: Open | Offer | None = None
        self._known: Open | None = None
        self._parting: tuple[Line, ...] = ()
        self.since: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether the caller is talked with, and all keys are meant for that."""
        return self._dialogue is not None

    @property
    def is_heard(self) -> bool:
        """Whether the line belongs to the talk, and not to music."""
        return self.is_open or self._talk.is_speaking

    def asks(self, digit: str) -> bool:
        """Whether the key asks for a callback."""
        return self.is_on and digit in self._keys

    def owns(self, signal: Played | TimerFired) -> bool:
        """Whether the signal is about callbacks."""
        return signal is self._news or self._talk.owns(signal)

    # What there is to talk about is looked for beside the music; ``fired`` begins with it.

    def stand(self, ticket: Ticket) -> None:
        """The caller stands in line."""
        self._ticket = ticket

    async def entered(self, estimate: Estimate) -> None:
        """The caller has come: look for a callback that is open, else whether to offer one."""
        self._found = await self._wish.open_one()
        if self._found is None:
            await self.consider(estimate)
        else:
            self._context.inbox.put(self._news)

    async def consider(self, estimate: Estimate) -> None:
        """Look whether to offer a callback to one who has still to wait so long."""
        self._estimate = estimate
        too_soon = self._context.seconds() - self._offered_s < OFFER_EVERY_S
        if too_soon or self._offers >= MOST_OFFERS or self._is_busy():
            return
        offer = await self._wish.offered(estimate)
        if offer is not None and offer.unasked:
            self._found = offer
            self._context.inbox.put(self._news)

    async def asked(self) -> None:
        """The caller has pressed the key."""
        offer = await self._wish.offered(self._estimate)
        if offer is None:
            refused = self._words.refused(await self._wish.why_not())
            await self._talk.hush()
            self._talk.say((refused, self._words.say("stay")))
            return
        await self._begin(offer, by="key")

    # What happens.

    async def key(self, digit: str) -> LeftReason | None:
        """The caller pressed a key while being talked with."""
        await self._talk.hush()
        return await self._feed(Pressed(digit))

    async def fired(self, signal: TimerFired) -> LeftReason | None:
        """A time has come, or there is something to talk about."""
        if self._talk.is_silence(signal):
            return await self._feed(Silence())
        found, self._found = self._found, None
        if signal is self._news and not self._is_busy():
            if isinstance(found, Open):
                await self._begin_known(found)
            elif found is not None:
                await self._begin(found, by="threshold")
        return None

    def heard(self, signal: Played) -> None:
        """A sound has ended; music follows the last one."""
        if self._talk.heard(signal):
            self._music()

    async def cut(self) -> None:
        """An agent has been found: nothing more is said, and the keys mean nothing."""
        if self.is_open:
            self._dialogue = None
            await self._talk.hush()
            self._music()

    async def part(self) -> None:
        """Say the last words to one who has left the line; raises ``CallerGoneError``."""
        await self._talk.say_last(self._parting)

    def close(self) -> None:
        """The stay is over."""
        self._talk.stop()

    def _is_busy(self) -> bool:
        return self.is_open or self._is_ringing()

    def _music(self) -> None:
        self._context.caller.loop(self._context.services.prompts.music())

    # A callback that is offered or asked for.

    async def _begin(self, offer: Offer, by: str) -> None:
        data = {} if self._estimate.p50_s is None else {"ewt_p50_s": round(self._estimate.p50_s, 1)}
        self._write(EventType.CALLBACK_OFFERED, by=by, **data)
        self._offers, self._offered_s = self._offers + 1, self._context.seconds()
        self._dialogue = dialogue = Dialogue(
            self._wish.number, key=offer.key, times=offer.slots, language=self._language
        )
        await self._talk.hush()
        await self._carry_out(dialogue, dialogue.offer() if by == "threshold" else dialogue.begin())

    async def _feed(self, event: Pressed | Silence) -> LeftReason | None:
        match self._dialogue:
            case Dialogue() as dialogue:
                return await self._carry_out(dialogue, dialogue.feed(event))
            case Known() as known:
                return await self._decide(known.feed(event))
        return None

    async def _carry_out(self, dialogue: Dialogue, answer: Answer) -> LeftReason | None:
        assert self._ticket is not None
        while True:
            match answer:
                case Ask(lines, wait_s):
                    self._talk.say(lines, wait_s)
                    return None
                case Listen(wait_s):
                    self._talk.listen(wait_s)
                    return None
                case Check(text):
                    answer = dialogue.feed(self._wish.check(text))
                case FindTimes():
                    answer = dialogue.feed(await self._wish.times())
                case Book():
                    answer = dialogue.feed(await self._wish.book(self._ticket, answer, self._estimate))
                case Over():
                    return self._over(answer)

    def _over(self, over: Over) -> LeftReason | None:
        if over.outcome is Outcome.ACCEPTED:
            return self._leave(over.lines)
        if over.outcome is Outcome.DECLINED:
            self._write(EventType.CALLBACK_DECLINED)
        self._stay(over.lines)
        return None

    def _leave(self, last: tuple[Line, ...]) -> LeftReason:
        self._dialogue, self._parting = None, last
        return LeftReason.CALLBACK

    def _stay(self, last: tuple[Line, ...]) -> None:
        self._dialogue = None
        if last:
            self._talk.say(last)
        else:
            self._talk.stop()
            self._music()

    # A callback that is open.

    async def _begin_known(self, found: Open) -> None:
        if found.is_being_called:
            await self._hold(found, (self._words.say("ringing"),))
            return
        self._known = found
        self._dialogue = known = Known(found.standing, self._language)
        await self._talk.hush()
        await self._decide(known.begin())

    async def _decide(self, answer: Ask | Listen | Decided) -> LeftReason | None:
        match answer:
            case Ask(lines, wait_s):
                self._talk.say(lines, wait_s)
            case Listen(wait_s):
                self._talk.listen(wait_s)
            case Decided(decision, lines):
                assert self._known is not None
                return await self._decided(self._known, decision, lines)
        return None

    async def _decided(self, found: Open, decision: Decision, lines: tuple[Line, ...]) -> LeftReason | None:
        match decision:
            case Decision.HOLD:
                await self._hold(found, lines)
            case Decision.CANCEL:
                self._stay(lines if await self._wish.cancel(found.callback) else ())
            case Decision.KEEP if found.standing.elsewhere:
                self._stay(lines)
            case Decision.KEEP:
                if await self._wish.stands(found.callback):
                    return self._leave(lines)
                self._stay(())  # nobody would call: they go on waiting
            case Decision.NOTHING:
                self._stay(lines)
        return None

    async def _hold(self, found: Open, lines: tuple[Line, ...]) -> None:
        assert self._ticket is not None
        held = await self._wish.hold(found.callback, self._ticket)
        if held and self._ticket.place is not None:
            self.since = self._ticket.place.entered_at
        self._stay(lines if held else ())

    def _write(self, kind: EventType, **data: Any) -> None:
        self._context.journal.write(kind, queue=self._queue.name, **data)
