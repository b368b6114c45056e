"""Hears a caller while a question of the IVR listens: what a leg says becomes events of the engine."""

import logging

import ivr
from asr import Failure, LegSession, Listening, Partial, Recognizer, Segment, Word
from callcenter.call.context import CallContext
from callcenter.call.signals import Spoke
from callcenter.media.bridge import BridgeSide

log = logging.getLogger(__name__)


class Hearing:
    """One ``Listen`` of the engine. It costs a voice detector while it is open, and the model once for each
    utterance; nothing is written down.
    """

    def __init__(self, context: CallContext, recognizer: Recognizer, action: ivr.Listen) -> None:
        self._context = context
        self._id = action.listen_id
        self._is_open = True
        services = context.services
        hints = action.hot_words if services.settings.asr.takes_hints else ()
        listening = Listening(language=action.language, hot_words=hints, partials=False, words=False)
        self._session = LegSession(recognizer, listening, self, confirmer=services.confirmer, voice=self)
        self._side = BridgeSide(context.started_s, _nobody, (self._session.feed,))
        context.caller.listen(self._side.hear)

    def close(self) -> None:
        """Hear nothing more, and forget what is not recognised yet."""
        self._is_open = False
        self._context.caller.listen(None)
        self._side.close()
        self._context.services.background.spawn(
            self._session.finish(0), name=f"the end of listening in call {self._context.call_id}"
        )

    # What the session hears.

    def voice_began(self) -> None:
        """Somebody speaks."""
        self._tell(ivr.SpeechStarted(self._id))

    def voice_ended(self) -> None:
        """They have finished."""
        self._tell(ivr.SpeechEnded(self._id))

    def voice_was_nothing(self) -> None:
        """It was no word."""
        self._tell(ivr.Speech("", 0.0, self._id))

    def heard(self, segment: Segment) -> None:
        """It was this."""
        self._tell(ivr.Speech(segment.text, segment.confidence, self._id))

    def hearing(self, _partial: Partial) -> None:
        """Partials are not asked for."""

    def timed(self, _number: int, _words: tuple[Word, ...]) -> None:
        """Nor are times."""

    def missed(self, failure: Failure) -> None:
        """The recognizer cannot do it, now or in this language."""
        if self._is_open:
            log.warning("call %s: an answer was not heard: %s", self._context.call_id, failure.reason)
        self._tell(ivr.NotHeard(self._id))

    def _tell(self, event: ivr.Heard) -> None:
        if self._is_open:
            self._context.inbox.put(Spoke(event))


async def _nobody(_pcm16: bytes) -> None:
    """Nobody but the recognizer hears a caller at a question."""
