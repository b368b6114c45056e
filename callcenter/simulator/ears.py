"""Judging what a party heard: was that sentence in it, how much later, and was that a tone.

Pure; sound is µ-law of 8 kHz.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from callcenter.media.g711 import ulaw_to_pcm16
from callcenter.simulator.speech import RATE_HZ

_PIECE = int(0.4 * RATE_HZ)
_QUIET_SHARE = 0.05
"""A piece with less than this share of the sentence's mean power is a pause."""

_TONE_SHARE = 0.8
_TONE_HZ = (350.0, 2200.0)
_TONE_RMS = 300.0
_BINS_AROUND_PEAK = 2
_MUSIC_SHARE, _MUSIC_NOTES = 0.75, 8
_OPENING_S, _ALIKE = 0.7, 0.7
_LOUDNESS_FRAME, _BANDS, _FLOOR_DB = 256, 10, 40.0


@dataclass(frozen=True, slots=True)
class Match:
    """How well a sentence was found: 1.0 is bit by bit, 0.0 not at all; ``delay_ms`` is meant above 0.5."""

    score: float
    delay_ms: float


def _samples(ulaw: bytes) -> NDArray[np.float64]:
    return np.frombuffer(ulaw_to_pcm16(ulaw), "<i2").astype(np.float64)


def find(said: bytes, heard: bytes) -> Match:
    """Look for ``said`` in ``heard``, which begins at the moment the sentence was begun.

    Each piece of 0.4 s is looked for by itself, near where it was said, so that a frame that came late
    shifts what follows and spoils no more than one piece. ``delay_ms`` is the median over the pieces.
    """
    x, y = _samples(said), _samples(heard)
    reach = max(len(y) - len(x), 0)
    loud = float(np.mean(x**2)) * _QUIET_SHARE if len(x) else 0.0
    weights, scores, lags = [], [], []
    for at in range(0, len(x) - _PIECE + 1, _PIECE) or range(min(len(x), 1)):
        piece = x[at : at + _PIECE]
        energy = float(np.sum(piece**2))
        if energy <= loud * len(piece):
            continue
        score, lag = _correlate(piece, y[at : at + len(piece) + reach])
        weights.append(energy)
        scores.append(score)
        lags.append(lag)
    if not weights:
        return Match(0.0, 0.0)
    delay_ms = float(np.median(lags)) * 1000 / RATE_HZ
    return Match(round(float(np.average(scores, weights=weights)), 3), round(delay_ms, 3))


def _correlate(piece: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, int]:
    """The best place of ``piece`` in ``y``: correlation normalised there, and how far from the start."""
    if len(y) < len(piece):
        return 0.0, 0
    size = 1 << (len(piece) + len(y)).bit_length()
    products = np.fft.irfft(np.fft.rfft(y, size) * np.conj(np.fft.rfft(piece, size)), size)
    lag = int(np.argmax(products[: len(y) - len(piece) + 1]))
    norm = float(np.sqrt(np.sum(piece**2) * np.sum(y[lag : lag + len(piece)] ** 2)))
    return (min(max(float(products[lag]) / norm, 0.0), 1.0), lag) if norm else (0.0, lag)


def is_tone(ulaw: bytes) -> bool:
    """Whether the sound (100 ms or more) is one steady tone, such as the beep of a voicemail."""
    y = _samples(ulaw)
    if len(y) < RATE_HZ // 10 or float(np.sqrt(np.mean(y**2))) < _TONE_RMS:
        return False
    power = np.abs(np.fft.rfft(y * np.hanning(len(y)))) ** 2
    peak = int(np.argmax(power))
    if not _TONE_HZ[0] <= peak * RATE_HZ / len(y) <= _TONE_HZ[1]:
        return False
    around = power[max(peak - _BINS_AROUND_PEAK, 0) : peak + _BINS_AROUND_PEAK + 1]
    return float(around.sum() / power.sum()) >= _TONE_SHARE


def is_music(ulaw: bytes) -> bool:
    """Whether the sound (0.5 to 0.8 s) is a few steady notes.

    Eight of them have 85 % and more of the power of music on hold, and 43 % at most of that of a prompt.
    """
    y = _samples(ulaw)
    if not len(y):
        return False
    power = np.abs(np.fft.rfft(y * np.hanning(len(y)))) ** 2
    whole, notes = float(power.sum()), 0.0
    for _ in range(_MUSIC_NOTES if whole else 0):
        peak = int(np.argmax(power))
        around = slice(max(peak - _BINS_AROUND_PEAK, 0), peak + _BINS_AROUND_PEAK + 1)
        notes += float(power[around].sum())
        power[around] = 0.0
    return whole > 0 and notes / whole >= _MUSIC_SHARE


def begins_with(prompt: bytes, heard: bytes) -> bool:
    """Whether the beginning of a prompt is somewhere in what was heard.

    A synthesised voice never says a text twice in the same way, so it is not the waves that are compared but
    how loud each of ten bands is from moment to moment. The same texts are 0.94 alike and more, the
    openings of others 0.53 at most.
    """
    return likeness(prompt, heard) >= _ALIKE


def likeness(prompt: bytes, heard: bytes) -> float:
    """How like the beginning of a prompt is to the stretch of what was heard that is most like it, 0 to 1."""
    wanted, among = _loudness(prompt[: int(_OPENING_S * RATE_HZ)]), _loudness(heard)
    stretches = [among[at : at + len(wanted)] for at in range(len(among) - len(wanted) + 1)]
    return max((_cosine(wanted, stretch) for stretch in stretches), default=0.0)


def _loudness(ulaw: bytes) -> NDArray[np.float64]:
    """Decibels of each band (columns) every 16 ms (rows), silence being 0."""
    y = _samples(ulaw)
    starts = range(0, len(y) - _LOUDNESS_FRAME + 1, _LOUDNESS_FRAME // 2)
    if not starts:
        return np.zeros((0, _BANDS))
    frames = np.stack([y[at : at + _LOUDNESS_FRAME] for at in starts]) * np.hanning(_LOUDNESS_FRAME)
    power = np.abs(np.fft.rfft(frames, axis=1)) ** 2
    bands = np.array_split(power[:, 8 : 8 + 10 * _BANDS], _BANDS, axis=1)
    level = np.stack([band.mean(axis=1) for band in bands], axis=1)
    decibels: NDArray[np.float64] = np.maximum(10 * np.log10(level + 1.0) - _FLOOR_DB, 0.0)
    return decibels


def _cosine(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    x, y = a - a.mean(), b - b.mean()
    norm = float(np.sqrt(np.sum(x**2) * np.sum(y**2)))
    return float(np.sum(x * y)) / norm if norm else 0.0
