"""From the clock of an utterance to that of its leg. Pure."""

from asr.endpoint import Utterance
from asr.recognizer import SAMPLE_RATE_HZ, Word

_FRAME_S = 0.02
_PAUSE_FRAMES = 5
_VOICE_BEFORE_S = 0.04
"""So much earlier than the voice detector tells may a word begin: it misses soft beginnings."""


def bounds_s(utterance: Utterance) -> tuple[float, float]:
    """From the first voiced frame to the last, in seconds on the leg's clock."""
    return utterance.speech_start_sample / SAMPLE_RATE_HZ, utterance.speech_end_sample / SAMPLE_RATE_HZ


def placed(words: tuple[Word, ...], utterance: Utterance) -> tuple[Word, ...]:
    """Words on the leg's clock, within the voice.

    What the model cannot place it puts at the edges, and the first word after a pause often into the pause:
    such a word begins with the voice after it.
    """
    at_s = utterance.start_sample / SAMPLE_RATE_HZ
    first_s, last_s = bounds_s(utterance)
    first_s -= _VOICE_BEFORE_S

    def within(second_s: float) -> float:
        return round(min(max(at_s + second_s, first_s), last_s), 3)

    def timed(word: Word) -> Word:
        start_s = within(_voice_from(utterance.voiced, word.start_s, word.end_s))
        return Word(word.text, start_s, max(within(word.end_s), start_s), word.probability)

    return tuple(timed(word) for word in words)


def _voice_from(voiced: bytes, start_s: float, end_s: float) -> float:
    """When, in seconds from the first frame of ``voiced``, the voice begins that lasts at ``end_s``.

    Where there is voice at ``start_s`` that is where it began; pauses shorter than 100 ms are part of it.
    """
    first, last = round(start_s / _FRAME_S), min(round(end_s / _FRAME_S), len(voiced))
    silent = _PAUSE_FRAMES if not any(voiced[first : first + 1]) else 0
    begin = first
    for frame in range(first, last):
        silent = 0 if voiced[frame] else silent + 1
        if silent >= _PAUSE_FRAMES:
            begin = frame + 1
    return max(start_s, begin * _FRAME_S) if begin < last else start_s


def without_first(words: tuple[Word, ...], whole: str, rest: str) -> tuple[Word, ...]:
    """The words of ``rest``, where ``words`` are those of ``whole`` and ``rest`` is how it ends."""
    characters = len("".join(whole.split())) - len("".join(rest.split()))
    count = 0
    while characters > 0 and count < len(words):
        characters -= len(words[count].text)
        count += 1
    return words[count:]
