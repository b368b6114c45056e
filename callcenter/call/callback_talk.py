"""Says something to a caller in line and waits for a key, between the music."""

import asyncio
import logging
from collections.abc import Sequence

from callback.wording import Line
from callcenter.call.context import CallContext, CallerGoneError, HangUpAskedError, done
from callcenter.call.signals import Command, Gone, Played, TimerFired
from callcenter.errors import CallCenterError

log = logging.getLogger(__name__)

FIRST_PLAY = -1000
"""Sounds are numbered downwards from here; nobody else's are."""


class Talk:
    """One voice. What it has said, and that the time for a key is over, comes through the call's inbox."""

    def __init__(self, context: CallContext, language: str) -> None:
        self._context = context
        self._language = language
        self._number = FIRST_PLAY
        self._wait_s: float | None = None
        self._speaking: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._silence: TimerFired | None = None

    def say(self, lines: Sequence[Line], wait_s: float | None = None) -> None:
        """Say it, and wait for a key for ``wait_s`` after it; ``None``: none is asked for."""
        self.stop()
        self._number, self._wait_s = self._number - 1, wait_s
        self._speaking = self._context.tasks.create_task(
            self._speak(lines, self._number), name=f"callback talk of call {self._context.call_id}"
        )

    def listen(self, wait_s: float) -> None:
        """Say nothing and wait for a key."""
        self._stop_timer()
        # Known by identity: a time that ran out as a key was pressed is not that of the next question.
        self._silence = TimerFired("callback:silence")
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(wait_s, self._context.inbox.put, self._silence)

    @property
    def is_speaking(self) -> bool:
        """Whether something is being said."""
        return self._speaking is not None

    def owns(self, signal: Played | TimerFired) -> bool:
        """Whether the signal is about this talk."""
        return signal is self._silence or (isinstance(signal, Played) and signal.play_id < FIRST_PLAY)

    def is_silence(self, signal: TimerFired) -> bool:
        """Whether no key came in time."""
        return signal is self._silence

    def heard(self, signal: Played) -> bool:
        """Take the end of a sound; true where nothing follows it."""
        if signal.play_id != self._number:
            return False
        self._speaking = None
        if self._wait_s is None:
            return True
        self.listen(self._wait_s)
        return False

    async def hush(self) -> None:
        """Stop in the middle of a word."""
        self.stop()
        await self._context.caller.quiet()

    def stop(self) -> None:
        """Say and wait for nothing more; what sounds is left to whoever plays next."""
        self._stop_timer()
        self._number -= 1
        if self._speaking is not None:
            self._speaking.cancel()
            self._speaking = None

    async def say_last(self, lines: Sequence[Line]) -> None:
        """Say it to the end; raises ``CallerGoneError`` when the caller does not hear it out."""
        context = self._context
        if not lines:
            return
        await self.hush()
        self.say(lines)
        while True:
            match signal := await context.inbox.get():
                case Played() if self.owns(signal):
                    if self.heard(signal):
                        return
                case Gone(party) if party is context.caller:
                    raise CallerGoneError(context.services.now())
                case Command() if signal.name == "hangup":
                    done(signal)
                    raise HangUpAskedError
                case _:
                    context.dismiss(signal)

    async def _speak(self, lines: Sequence[Line], number: int) -> None:
        context, prompts = self._context, self._context.services.prompts
        try:
            sounds = [
                await prompts.pcm(line.text, language=self._language, keep=not line.personal)
                for line in lines
            ]
        except CallCenterError as error:
            log.error("call %s: a callback is talked about in silence: %s", context.call_id, error)
            sounds = []
        context.inbox.put(Played(number, await context.caller.play(b"".join(sounds))))

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = self._silence = None
