"""Where an utterance begins and ends. Pure: frames and voice decisions in, utterances out."""

from collections import deque
from dataclasses import dataclass

import numpy as np

from asr.framing import FRAME_SAMPLES

_FRAME_MS = 20


@dataclass(frozen=True, slots=True)
class EndpointSettings:
    """Durations in ms.

    An utterance ends after ``hangover_ms`` without voice, after ``short_hangover_ms`` where what was heard so
    far is a whole sentence, and keeps ``tail_ms`` of them. One with less than ``min_voiced_ms`` of voice is
    a noise. One that grows longer than ``cut_after_ms`` is cut at its quietest pause of ``pause_ms`` or more,
    or else at ``max_ms``; then the next one begins ``overlap_ms`` earlier, so that no word is lost.
    """

    pre_roll_ms: int = 300
    hangover_ms: int = 500
    short_hangover_ms: int = 300
    tail_ms: int = 200
    min_voiced_ms: int = 140
    pause_ms: int = 200
    cut_after_ms: int = 10_000
    max_ms: int = 15_000
    overlap_ms: int = 300


@dataclass(frozen=True, slots=True)
class Utterance:
    """Sound to be recognised.

    ``start_sample`` and ``end_sample`` are the bounds of ``pcm16``, which has some silence around the
    speech; ``speech_start_sample`` and ``speech_end_sample`` are those of the voiced frames. The first
    ``overlap_ms`` are the end of the utterance before. ``voiced`` is 1 for each frame with a voice.
    """

    pcm16: bytes
    start_sample: int
    end_sample: int
    speech_start_sample: int
    speech_end_sample: int
    voiced_ms: int
    overlap_ms: int = 0
    voiced: bytes = b""


class Endpointer:
    """Follows one leg. Frames are 20 ms; a frame that does not follow on the last one ends the utterance.

    ``number`` counts utterances from 1, those that were noises too; it is the one that is being said, or the
    next one. ``sentence_ended`` is set by whoever reads along and forgotten with the next voice.
    """

    def __init__(self, settings: EndpointSettings | None = None) -> None:
        self._settings = settings or EndpointSettings()
        self._hangover = _frames(self._settings.hangover_ms)
        self._short_hangover = _frames(self._settings.short_hangover_ms)
        self._cut_after = _frames(self._settings.cut_after_ms)
        self._lead: deque[bytes] = deque(maxlen=_frames(self._settings.pre_roll_ms))
        self._frames: list[bytes] = []
        self._voiced = bytearray()
        self._silent = 0
        self._next: int | None = None
        self._overlap_ms = 0
        self.number = 1
        self.sentence_ended = False

    @property
    def length_ms(self) -> int:
        """Of the utterance that is being said, with its pre-roll; 0 in silence."""
        return len(self._frames) * _FRAME_MS

    def so_far(self) -> Utterance | None:
        """The utterance that is being said, unless there is too little voice in it yet."""
        return self._first(len(self._frames))

    def feed(self, frame: bytes, position: int, voiced: bool) -> Utterance | None:
        """Take the frame whose first sample has ``position``; return the utterance that it completes."""
        ended = self.flush() if position != self._next and self._next is not None else None
        self._next = position + FRAME_SAMPLES
        if not self._frames:
            if not voiced:
                self._lead.append(frame)
                return ended
            self._frames = [*self._lead]
            self._voiced = bytearray(len(self._lead))
            self._lead.clear()
        self._frames.append(frame)
        self._voiced.append(voiced)
        if voiced and self._silent:
            self.sentence_ended = False
        self._silent = 0 if voiced else self._silent + 1
        return ended or self._completed()

    def flush(self) -> Utterance | None:
        """End the utterance in progress, if there is one, and forget what came before it."""
        utterance = self._take(len(self._frames)) if self._frames else None
        self._reset()
        self._lead.clear()
        self._next = None
        return utterance

    def _completed(self) -> Utterance | None:
        if self._silent >= (self._short_hangover if self.sentence_ended else self._hangover):
            kept = len(self._frames) - self._silent + _frames(self._settings.tail_ms)
            utterance = self._take(kept)
            self._lead.extend(self._frames[kept:])
            self._reset()
            return utterance
        length = len(self._frames)
        if length < self._cut_after:
            return None
        pause = _frames(self._settings.pause_ms)
        if length == self._cut_after or self._silent == pause:
            cut = self._quietest_pause()
            if cut is not None:
                return self._cut(cut)
        if length < _frames(self._settings.max_ms):
            return None
        return self._cut(length, _frames(self._settings.overlap_ms))

    def _quietest_pause(self) -> int | None:
        """The middle of the quietest pause in the later half: the number of frames before it."""
        best: tuple[float, int] | None = None
        first = self._cut_after // 2
        run = 0
        for index in range(first, len(self._voiced) + 1):
            if index < len(self._voiced) and not self._voiced[index]:
                run += 1
                continue
            if run >= _frames(self._settings.pause_ms):
                level = _level(self._frames[index - run : index])
                if best is None or level < best[0]:
                    best = (level, index - run // 2)
            run = 0
        return None if best is None else best[1]

    def _cut(self, at: int, overlap: int = 0) -> Utterance | None:
        utterance = self._take(at)
        frames, voiced = self._frames[at - overlap :], self._voiced[at - overlap :]
        self._reset()
        if any(voiced):
            self._frames, self._voiced = frames, voiced
            self._silent = len(voiced) - 1 - voiced.rindex(1)
            self._overlap_ms = overlap * _FRAME_MS
        else:
            self._lead.extend(frames)
        return utterance

    def _take(self, count: int) -> Utterance | None:
        self.number += 1
        return self._first(count)

    def _first(self, count: int) -> Utterance | None:
        """The first ``count`` frames as an utterance, unless there is too little voice in them."""
        voiced = self._voiced[:count]
        voiced_ms = voiced.count(1, _frames(self._overlap_ms)) * _FRAME_MS
        if voiced_ms < max(self._settings.min_voiced_ms, _FRAME_MS) or self._next is None:
            return None
        start = self._next - len(self._frames) * FRAME_SAMPLES
        pcm16 = b"".join(self._frames[:count])
        return Utterance(
            pcm16=pcm16,
            start_sample=start,
            end_sample=start + len(pcm16) // 2,
            speech_start_sample=start + voiced.index(1) * FRAME_SAMPLES,
            speech_end_sample=start + (voiced.rindex(1) + 1) * FRAME_SAMPLES,
            voiced_ms=voiced_ms,
            overlap_ms=self._overlap_ms,
            voiced=bytes(voiced),
        )

    def _reset(self) -> None:
        self._frames = []
        self._voiced = bytearray()
        self._silent = 0
        self._overlap_ms = 0
        self.sentence_ended = False


def _frames(ms: int) -> int:
    return ms // _FRAME_MS


def _level(frames: list[bytes]) -> float:
    sound = np.frombuffer(b"".join(frames), "<i2").astype(np.float32)
    return float(np.mean(sound * sound))
