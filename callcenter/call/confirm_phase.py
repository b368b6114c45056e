"""A customer who was dialled before any agent is asked: now, later, at another time, or not at all."""

import asyncio
import logging
from collections.abc import Collection
from enum import Enum, auto

from callback.errors import RefusedError
from callback.request import Slot
from callcenter.call import callback_words as words
from callcenter.call.callback_record import CallbackRecord, LetGoError
from callcenter.call.context import CallContext, CallerGoneError, HangUpAskedError, done
from callcenter.call.signals import CallbackChanged, Command, Gone, Key, Played, TimerFired
from callcenter.callbacks.desk import CallbackDesk
from callcenter.errors import CallCenterError

log = logging.getLogger(__name__)

TIMES = 3


class Answer(Enum):
    """What the customer wants; a slot is another time."""

    NOW = auto()
    LATER = auto()
    NEVER = auto()
    NOTHING = auto()  # no key was pressed: nobody there, or somebody else


class ConfirmPhase:
    """One question to the customer, and where another time is wanted a second one."""

    def __init__(self, context: CallContext, record: CallbackRecord, desk: CallbackDesk) -> None:
        self._context = context
        self._record = record
        self._desk = desk
        self._language = record.callback.language

    async def run(self) -> Answer | Slot:
        """Ask and listen. Raises ``CallerGoneError`` when the customer hangs up."""
        rules = self._record.rules
        snooze, other, never = words.keys_beside(rules.confirm_key, 3)
        minutes = max(1, round(rules.snooze_s / 60))
        opening = [self._say("apology")] if self._record.callback.apologise else []
        self._record.has_apologised = True
        text = " ".join(
            [
                self._say("greeting"),
                *opening,
                self._say("confirm", key=rules.confirm_key),
                self._say("snooze", key=snooze, minutes=minutes),
                self._say("other", key=other),
                self._say("cancel", key=never),
            ]
        )
        match await self._ask(text, {rules.confirm_key, snooze, other, never}):
            case "":
                return Answer.NOTHING
            case key if key == other:
                return await self._choose()
            case key:
                return {snooze: Answer.LATER, never: Answer.NEVER}.get(key, Answer.NOW)

    async def _choose(self) -> Answer | Slot:
        """Another time out of the next free ones; who chooses none is called later."""
        callback = self._record.callback
        try:
            slots = await self._desk.slots(callback.queue, zone=callback.zone)
        except (CallCenterError, RefusedError) as error:
            log.warning("call %s: no times are offered: %s", self._context.call_id, error)
            slots = []
        free = {str(key): slot for key, slot in enumerate([one for one in slots if one.free > 0][:TIMES], 1)}
        if not free:
            await self.tell("no_times")
            return Answer.LATER
        now = self._context.services.now()
        offers = (
            self._say(
                "choose", key=key, time=words.spoken_time(slot.start, callback.zone, now, self._language)
            )
            for key, slot in free.items()
        )
        return free.get(await self._ask(" ".join(offers), free.keys(), keep=False), Answer.LATER)

    def _say(self, name: str, **values: object) -> str:
        return words.say(name, self._language, **values)

    async def tell(self, name: str) -> None:
        """Say something to its end; who hangs up meanwhile has heard enough."""
        context = self._context
        pcm16 = await context.services.prompts.pcm(self._say(name), language=self._language)
        await context.caller.play(pcm16)

    async def _ask(self, text: str, keys: Collection[str], *, keep: bool = True) -> str:
        """Say it and wait for one of the keys; empty where none came in time."""
        context = self._context
        pcm16 = await context.services.prompts.pcm(text, language=self._language, keep=keep)
        silent = TimerFired("callback:silent")

        async def play() -> None:
            context.inbox.put(Played(-1, await context.caller.play(pcm16)))

        playing = context.tasks.create_task(play(), name=f"question of call {context.call_id}")
        timer: asyncio.TimerHandle | None = None
        try:
            while True:
                match signal := await context.inbox.get():
                    case Key(digit) if digit in keys:
                        await context.caller.quiet()
                        return digit
                    case Played():
                        loop = asyncio.get_running_loop()
                        timer = loop.call_later(self._record.rules.confirm_s, context.inbox.put, silent)
                    case TimerFired() if signal is silent:
                        return ""
                    case Gone(party) if party is context.caller:
                        raise CallerGoneError(context.services.now())
                    case Command() if signal.name == "hangup":
                        done(signal)
                        raise HangUpAskedError
                    case CallbackChanged():
                        if await self._record.is_lost():
                            raise LetGoError("the callback has been changed")
                    case _:
                        context.dismiss(signal)
        finally:
            playing.cancel()
            if timer is not None:
                timer.cancel()
