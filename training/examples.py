"""Utterances of the corpus made ready to train with: tokens, where each is said, labels of every frame."""

import bisect
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.channel import FRAMES_PER_S
from training.corpus import Recorded, Shard
from training.speech import TimedWord
from training.tokens import Tokens

LABEL_HZ = 50
"""The encoder's frames a second; it halves those of the spectrogram."""

PAUSE = 0
_MARKS = ".,?!"
_MARK_BEFORE_S, _MARK_AFTER_S = 0.075, 0.1
_WORD_ENDS_S = 0.02
"""A word is whole when this much of its end is missing."""

_STRESS = "',%=|"


@dataclass(frozen=True, slots=True)
class Example:
    """An utterance; ``spans`` (tokens, 2) are seconds, labels are one for each of the encoder's frames."""

    mel: NDArray[np.float16]
    ids: NDArray[np.int32]
    spans: NDArray[np.float32]
    phonemes: NDArray[np.int16]
    words: NDArray[np.int16]

    @property
    def start_s(self) -> float:
        """When the first token begins."""
        return float(self.spans[0, 0])

    @property
    def end_s(self) -> float:
        """When the last word ends; a mark after it is heard in its last part and beyond."""
        last_s = float(self.spans[-1, 1])
        is_marked = len(self.spans) > 1 and self.spans[-1, 0] < self.spans[-2, 1]
        return last_s - _MARK_AFTER_S if is_marked else last_s


def until(whole: Example, frames: int) -> Example | None:
    """The first ``frames`` frames of the spectrogram, an even number, and the words that have ended by then.

    Who hears a sentence in the middle of a word shall write the words before it and not guess.
    ``None`` where no word has ended.
    """
    ended = whole.spans[:, 1] <= frames / FRAMES_PER_S + _WORD_ENDS_S
    count = len(ended) if ended.all() else int(ended.argmin())
    if count == 0:
        return None
    labels = frames // 2
    return Example(
        whole.mel[:frames],
        whole.ids[:count],
        whole.spans[:count],
        whole.phonemes[:labels],
        whole.words[:labels],
    )


class Phonemes:
    """Numbers for espeak-ng's phonemes: 0 is a pause, the last one any that was not seen before."""

    def __init__(self, names: Iterable[str]) -> None:
        known = sorted({name.strip(_STRESS) for name in names if not name.startswith("_")} - {""})
        self._numbers = {name: number for number, name in enumerate(known, PAUSE + 1)}

    def __len__(self) -> int:
        return len(self._numbers) + 2

    def number(self, name: str) -> int:
        """The number of ``name``, whatever its stress."""
        if name.startswith("_"):
            return PAUSE
        return self._numbers.get(name.strip(_STRESS), len(self._numbers) + 1)


def phonemes_of(shard: Shard) -> Phonemes:
    """All phonemes that a shard has; take the same shard each time."""
    return Phonemes(name for recorded in shard.utterances for _, name in recorded.phonemes)


def token_spans(
    text: str, offsets: list[tuple[int, int]], words: tuple[TimedWord, ...]
) -> NDArray[np.float32]:
    """When each token of ``text`` is said, (tokens, 2) in seconds.

    A part of a word has its share of the word's time; a punctuation mark is heard at the end of a word.
    """
    starts = [word.start for word in words]
    spans = np.empty((len(offsets), 2), np.float32)
    for index, (start, end) in enumerate(offsets):
        while start < end - 1 and text[start] == " ":
            start += 1
        word = words[max(bisect.bisect_right(starts, start) - 1, 0)]
        if text[start:end].strip(_MARKS) == "":
            spans[index] = word.end_s - _MARK_BEFORE_S, word.end_s + _MARK_AFTER_S
            continue
        length = max(len(text[word.start : word.end].rstrip(_MARKS)), 1)
        shares = np.clip(((start - word.start) / length, (end - word.start) / length), 0, 1)
        spans[index] = word.start_s + shares * (word.end_s - word.start_s)
    return spans


def example(recorded: Recorded, shard: Shard, tokens: Tokens, phonemes: Phonemes) -> Example:
    """Make ``recorded`` of ``shard`` ready."""
    ids, offsets = tokens.encode(recorded.text)
    spans = token_spans(recorded.text, offsets, recorded.words)
    frames = recorded.frames // 2
    words = np.full(frames, tokens.end, np.int16)
    for token, (start, end), (start_s, end_s) in zip(ids, offsets, spans, strict=True):
        if recorded.text[start:end].strip(_MARKS + " "):
            words[_frame(start_s) : _frame(end_s)] = token
    spoken = np.full(frames, PAUSE, np.int16)
    for start_s, name in recorded.phonemes:
        spoken[_frame(start_s) :] = phonemes.number(name)
    first = recorded.first_frame
    mel = shard.mel[first : first + 2 * frames]
    return Example(mel, np.array(ids, np.int32), spans, spoken, words)


def _frame(at_s: float) -> int:
    return int(at_s * LABEL_HZ + 0.5)
