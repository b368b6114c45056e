"""The boundary of speech recognition: sound in, text out."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

SAMPLE_RATE_HZ = 8000
MAX_SPEECH_S = 30
AUTO = "auto"
"""As a language: let the model tell which of the allowed ones it is."""


class Urgency(IntEnum):
    """Who goes first. What waits within one urgency goes by its deadline."""

    FINAL = 0
    """An utterance that has ended, of a call in progress."""

    PARTIAL = 1
    """An utterance that is still being said."""

    LATER = 2
    """What nobody waits for: files, word times and utterances that were put off."""


@dataclass(frozen=True, slots=True)
class Speech:
    """An utterance to be recognised, or as much of it as was heard so far.

    ``pcm16`` is mono PCM16 of 8 kHz, at most 30 s. ``deadline_s`` is on the clock of the event loop and only
    orders the work; 0 is now. ``language`` is a code of Whisper's or ``auto``, then one of ``languages`` is
    taken, or any where that is empty. ``hot_words`` are likely to be said. ``with_words`` asks for the times
    of the words. ``text`` is known beforehand where only the times of its words are asked for.
    """

    pcm16: bytes
    language: str
    urgency: Urgency = Urgency.FINAL
    deadline_s: float = 0.0
    voiced_ms: int = MAX_SPEECH_S * 1000
    languages: tuple[str, ...] = ()
    hot_words: tuple[str, ...] = ()
    with_words: bool = False
    text: str = ""


@dataclass(frozen=True, slots=True)
class Word:
    """One word and when it was said; ``probability`` is 0 to 1.

    In a ``Recognition`` the seconds count from the start of the sound, in a ``Segment`` on the leg's clock.
    In languages without blanks between words these are pieces of one to three characters.
    """

    text: str
    start_s: float
    end_s: float
    probability: float


@dataclass(frozen=True, slots=True)
class Recognition:
    """What was said in one utterance; ``text`` is empty where nothing was.

    ``confidence`` is 0 to 1: the geometric mean of the probabilities of the tokens. ``language_probability``
    is 1 where the language was given. ``words`` are empty where they were not asked for or were put off
    because too much waited. ``degraded`` tells that the utterance was put off.
    """

    text: str
    language: str
    confidence: float
    words: tuple[Word, ...] = ()
    language_probability: float = 1.0
    degraded: bool = False


@dataclass(frozen=True, slots=True)
class Segment:
    """What was said and when, in seconds on the clock of the positions that the leg was fed with.

    ``number`` counts the leg's utterances from 1, as in its partials; some of them have no text.
    """

    number: int
    start_s: float
    end_s: float
    text: str
    language: str
    confidence: float
    words: tuple[Word, ...] = ()
    degraded: bool = False


@dataclass(frozen=True, slots=True)
class Partial:
    """What was heard so far of utterance ``number``, which began at ``start_s``.

    ``seq`` rises over all partials of the leg; a listener that has a higher one drops a lower one. What two
    passes agreed on is ``stable`` and only grows; ``volatile`` follows it and may change. The segment of the
    same number replaces both; where both are empty the utterance came to nothing.
    """

    number: int
    seq: int
    start_s: float
    end_s: float
    stable: str
    volatile: str
    language: str


@dataclass(frozen=True, slots=True)
class Failure:
    """Speech for which there is no text, in seconds on the same clock, and why, without its content."""

    start_s: float
    end_s: float
    reason: str


class Recognizer(Protocol):
    """Anything that turns utterances into text."""

    async def recognize(self, speech: Speech) -> Recognition:
        """Recognise one utterance. Utterances of many callers may wait at the same time.

        Raises ``RecognitionError`` when this one cannot be recognised. A partial that is not worth its time
        any more may come back as ``OverloadedSpeechError``; finals wait, however many there are.
        """

    def pace(self) -> float:
        """How many times longer than usual partials should be apart; infinite: none are taken now."""
