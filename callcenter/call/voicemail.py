"""A caller speaks after the tone, a message or the answer to a survey.

Beep, record, stop at silence, a key, the longest time or the hang-up.
"""

import asyncio
from uuid import UUID

from callcenter import config
from callcenter.call.context import CallContext, CallerGoneError, HangUpAskedError, done
from callcenter.call.signals import Command, Gone, Key, Recorded
from callcenter.call.sound_file import SoundFile
from callcenter.call.state import CallInput
from callcenter.call.words import LegWords
from callcenter.events import EventType
from callcenter.media.bridge import BridgeSide
from callcenter.media.loudness import QUIET_DBFS, SilenceDetector, level_dbfs

STOP_KEYS = "#*"


class VoicemailPhase:
    """One recording of the caller alone: a ``voicemail``, or the answer to a ``survey``.

    ``max_s`` is the longest it takes, ``silence_s`` the silence that ends it. Afterwards ``was_spoken`` tells
    whether anything was heard in it.
    """

    def __init__(self, context: CallContext, kind: str, max_s: float, silence_s: float) -> None:
        self._context = context
        self._kind = kind
        self._max_s = max_s
        self._silence_s = silence_s
        self.words: list[LegWords] = []
        self.recording_id: UUID | None = None
        self.was_spoken = False

    async def run(self) -> str:
        """Record; returns why it ended: ``silence``, ``longest``, ``key``.

        Raises ``CallerGoneError`` when the caller hangs up; the message up to there is kept. Who hangs up
        before the beep is over leaves none.
        """
        context = self._context
        context.move(CallInput.RECORD)
        if not await context.caller.play(context.services.prompts.beep()):
            raise CallerGoneError(self._context.services.now())
        longest = asyncio.get_running_loop().call_later(self._max_s, context.inbox.put, Recorded("longest"))
        try:
            async with SoundFile(context, self._kind, channels=1) as sound:
                self.recording_id = sound.recording_id
                side = self._listen(sound)
                try:
                    reason = await self._wait()
                finally:
                    side.close()
        finally:
            longest.cancel()
            context.caller.listen(None)
        context.move(CallInput.RECORDED)
        return reason

    def _listen(self, sound: SoundFile) -> BridgeSide:
        context, services = self._context, self._context.services
        taps = [sound.tap(0)]
        if services.recognizer is not None and context.is_recordable:
            words = LegWords(context, services.recognizer, "caller", self._queue(), None)
            self.words.append(words)
            taps.append(words.feed)
        silence = SilenceDetector(self._silence_s, lambda: context.inbox.put(Recorded("silence")))
        taps += [silence.feed, self._notice]
        side = BridgeSide(context.started_s, _nobody, tuple(taps))
        context.caller.listen(side.hear)
        return side

    def _notice(self, pcm16: bytes, _position: int) -> None:
        self.was_spoken = self.was_spoken or level_dbfs(pcm16) > QUIET_DBFS

    def _queue(self) -> config.Queue | None:
        """The queue that the caller came from; a watcher of that queue sees the call."""
        context = self._context
        for event in reversed(context.journal.events):
            if event.type is EventType.QUEUE_ENTERED and event.queue is not None:
                return context.services.queues.find(event.queue)
        return None

    async def _wait(self) -> str:
        context = self._context
        while True:
            match signal := await context.inbox.get():
                case Recorded(reason):
                    return reason
                case Key(digit) if digit in STOP_KEYS:
                    return "key"
                case Gone(party) if party is context.caller:
                    raise CallerGoneError(self._context.services.now())
                case Command() as command if command.name == "hangup":
                    done(command)
                    raise HangUpAskedError
                case _:
                    context.dismiss(signal)


async def _nobody(_pcm16: bytes) -> None:
    """Nobody hears a message while it is left."""
