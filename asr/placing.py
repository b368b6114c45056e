"""From the clock of an utterance to that of its leg. Pure."""

from asr.endpoint import Utterance
from asr.recognizer import SAMPLE_RATE_HZ, Word

_VOICE_BEFORE_S = 0.04
"""So much earlier than the voice detector tells may a word begin: it misses soft beginnings."""


def bounds_s(utterance: Utterance) -> tuple[float, float]:
    """From the first voiced frame to the last, in seconds on the leg's clock."""
    return utterance.speech_start_sample / SAMPLE_RATE_HZ, utterance.speech_end_sample / SAMPLE_RATE_HZ


def placed(words: tuple[Word, ...], utterance: Utterance) -> tuple[Word, ...]:
    """Words on the leg's clock, within the voice: what the model cannot place it puts at the edges."""
    at_s = utterance.start_sample / SAMPLE_RATE_HZ
    first_s, last_s = bounds_s(utterance)
    first_s -= _VOICE_BEFORE_S

    def within(second_s: float) -> float:
        return round(min(max(at_s + second_s, first_s), last_s), 3)

    return tuple(
        Word(word.text, within(word.start_s), max(within(word.end_s), within(word.start_s)), word.probability)
        for word in words
    )


def without_first(words: tuple[Word, ...], whole: str, rest: str) -> tuple[Word, ...]:
    """The words of ``rest``, where ``words`` are those of ``whole`` and ``rest`` is how it ends."""
    characters = len("".join(whole.split())) - len("".join(rest.split()))
    count = 0
    while characters > 0 and count < len(words):
        characters -= len(words[count].text)
        count += 1
    return words[count:]
