"""The boundary of speech recognition: sound in, text out."""

from dataclasses import dataclass
from typing import Protocol

SAMPLE_RATE_HZ = 8000


@dataclass(frozen=True, slots=True)
class Recognition:
    """What was said in one utterance; ``text`` is empty where nothing was.

    ``confidence`` is 0 to 1: the geometric mean of the probabilities of the tokens.
    """

    text: str
    language: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Segment:
    """What was said and when, in seconds on the clock of the positions that the leg was fed with."""

    start_s: float
    end_s: float
    text: str
    language: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Failure:
    """Speech for which there is no text, in seconds on the same clock, and why, without its content."""

    start_s: float
    end_s: float
    reason: str


class Recognizer(Protocol):
    """Anything that turns utterances into text."""

    async def recognize(self, pcm16: bytes, language: str) -> Recognition:
        """Recognise one utterance of at most 30 s: mono PCM16, 8 kHz.

        Utterances of several callers may wait at the same time. Raises ``RecognitionError`` when this
        utterance cannot be recognised, ``OverloadedSpeechError`` at once when too many wait.
        """
