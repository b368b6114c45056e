"""Only voices are recognised, and words are believed as far as there was a voice to say them."""

from typing import Protocol

from asr.guards import VOICE, is_believable
from asr.recognizer import Recognition, Recognizer, Speech


class VoiceCheck(Protocol):
    """Follows one utterance."""

    async def confirm(self, pcm16: bytes) -> float:
        """How likely there is a voice in it, 0 to 1; ``pcm16`` is all that was said so far."""


class Confirmer(Protocol):
    """Tells better than the quick detector what is a voice."""

    def begin(self) -> VoiceCheck:
        """For a new utterance."""


async def recognize_voice(recognizer: Recognizer, check: VoiceCheck | None, speech: Speech) -> Recognition:
    """What was said, or nothing where there is no voice or the words are not believed.

    Raises what ``Recognizer.recognize`` raises. Without ``check`` everything is taken for a voice.
    """
    voice = 1.0 if check is None else await check.confirm(speech.pcm16)
    if voice >= VOICE:
        recognition = await recognizer.recognize(speech)
        if is_believable(voice, recognition.confidence):
            return recognition
    return Recognition("", speech.language, 0.0)
