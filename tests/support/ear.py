"""A model without an engine around it."""

from typing import Any

from asr import Recognition, RecognitionError, Speech, Urgency
from asr.engine import Retry
from asr.whisper import WhisperBatches, WhisperSettings


class Ear:
    """A model that hears one utterance after the other, alone."""

    def __init__(self, settings: WhisperSettings) -> None:
        self.model = WhisperBatches(settings)
        self.model.load()

    def hear(self, pcm16: bytes, language: str = "en", **how: Any) -> Recognition:
        speech = Speech(pcm16, language, **{"urgency": Urgency.FINAL, **how})
        for full in (False, True):
            plan = self.model.plan(speech, full=full)
            (outcome,) = self.model.run([speech], plan)
            match outcome:
                case Recognition():
                    return outcome
                case RecognitionError():
                    raise outcome
                case Retry():
                    pass
        raise RecognitionError("the model repeated itself")
