"""Synthesised utterances that know when each word and each phoneme is said.

The times come from espeak-ng itself, so they are exact; they are what the model learns to look at.
"""

import random
from dataclasses import dataclass

import av
import numpy as np
from numpy.typing import NDArray

from callcenter.media.espeak import Espeak, PhonemeTime, Speech
from callcenter.simulator.voices import ACCENTS, VARIANTS, Voice
from training.text import Piece, pieces

HELD_OUT_ACCENTS = ("en-gb-x-gbclan", "en-us", "en")
HELD_OUT_VARIANTS = ("m5", "f3", "Annie", "klatt4", "steph3", "edward2", "Marco")
"""Voices that are kept out of training for good."""

_RATE_MEAN_WPM, _RATE_DEVIATION_WPM = 165, 24
_RATE_MIN_WPM, _RATE_MAX_WPM = 110, 240
_WORD_GAPS = (0, 0, 0, 0, 1, 3, 6)
_PAUSE_AFTER_S = 0.025

Sound = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class TimedWord:
    """Characters ``start`` to ``end`` of the written text are said from ``start_s`` to ``end_s``."""

    start: int
    end: int
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Utterance:
    """A text and how it was said; ``pcm16`` is mono at ``rate_hz``, as espeak-ng makes it."""

    text: str
    pcm16: bytes
    rate_hz: int
    words: tuple[TimedWord, ...]
    phonemes: tuple[PhonemeTime, ...]


def training_voice(rng: random.Random) -> Voice:
    """A voice to train with: those of the simulator at a wider range of rates."""
    return _voice(rng, ACCENTS, VARIANTS, _RATE_MIN_WPM, _RATE_MAX_WPM)


def held_out_voice(rng: random.Random) -> Voice:
    """A voice that is never trained with, at the rates of the simulator."""
    return _voice(rng, HELD_OUT_ACCENTS, HELD_OUT_VARIANTS, 135, 195)


def _voice(
    rng: random.Random, accents: tuple[str, ...], variants: tuple[str, ...], slowest: int, fastest: int
) -> Voice:
    variant = rng.choice(variants)
    rate = rng.gauss(_RATE_MEAN_WPM, _RATE_DEVIATION_WPM)
    return Voice(
        name=rng.choice(accents) + (f"+{variant}" if variant else ""),
        rate_wpm=int(min(max(rate, slowest), fastest)),
        pitch=rng.randint(25, 80),
        pitch_range=rng.randint(25, 75),
        word_gap=rng.choice(_WORD_GAPS),
    )


def say(text: str, voice: Voice, rng: random.Random | None = None) -> Utterance:
    """Synthesise ``text``; with ``rng`` some speakers say "oh" for zero. About 10 ms."""
    said = pieces(text, rng)
    speech = Espeak().synthesize(
        " ".join(piece.spoken for piece in said),
        voice.name,
        voice.rate_wpm,
        voice.pitch,
        voice.pitch_range,
        voice.word_gap,
    )
    return Utterance(text, speech.pcm16, speech.rate_hz, word_times(said, speech), speech.phonemes)


def word_times(said: list[Piece], speech: Speech) -> tuple[TimedWord, ...]:
    """When each piece is said.

    espeak-ng tells when words begin, but not of words that it runs together ("of the"): those share the
    time by their length. A word ends where the next one or a pause begins.
    """
    begins = {word.char_start: word.start_s for word in reversed(speech.words)}
    starts: list[float | None] = []
    at = 0
    for piece in said:
        starts.append(begins.get(at))
        at += len(piece.spoken) + 1
    if starts and starts[0] is None:
        starts[0] = 0.0
    known = [index for index, start in enumerate(starts) if start is not None] + [len(said)]
    ends = [*[start for start in starts if start is not None][1:], len(speech.pcm16) / 2 / speech.rate_hz]
    pauses = [phoneme.start_s for phoneme in speech.phonemes if phoneme.name.startswith("_")]
    times: list[TimedWord] = []
    for first, beyond, end in zip(known, known[1:], ends, strict=False):
        start = starts[first] or 0.0
        within = [pause for pause in pauses if start + _PAUSE_AFTER_S < pause < end]
        if within:
            end = within[0] if beyond == first + 1 else within[-1]
        times += _shared(said[first:beyond], start, end)
    return tuple(times)


def _shared(run: list[Piece], start_s: float, end_s: float) -> list[TimedWord]:
    """Divide the time between words by their length."""
    lengths = np.array([0] + [len(piece.spoken) + 2 for piece in run])
    edges = start_s + (end_s - start_s) * np.cumsum(lengths) / lengths.sum()
    return [
        TimedWord(piece.start, piece.end, float(begin), float(end))
        for piece, begin, end in zip(run, edges, edges[1:], strict=False)
    ]


def at_rate(pcm16: bytes, rate_hz: int, to_hz: int) -> Sound:
    """The sound at another rate, as floats of -1 to 1."""
    frame = av.AudioFrame.from_ndarray(np.frombuffer(pcm16, "<i2")[np.newaxis, :], "s16", "mono")
    frame.sample_rate = rate_hz
    resampler = av.AudioResampler("s16", "mono", to_hz)
    parts = [part.to_ndarray()[0] for part in [*resampler.resample(frame), *resampler.resample(None)]]
    return np.concatenate(parts).astype(np.float32) / np.float32(32768)
