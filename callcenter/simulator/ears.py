"""Judging what a party heard: was that sentence in it, how much later, and was that a tone.

Pure; sound is µ-law of 8 kHz.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from callcenter.media.g711 import ulaw_to_pcm16
from callcenter.simulator.speech import RATE_HZ

_TONE_SHARE = 0.8
_TONE_HZ = (350.0, 2200.0)
_TONE_RMS = 300.0
_BINS_AROUND_PEAK = 2


@dataclass(frozen=True, slots=True)
class Match:
    """How well a sentence was found: 1.0 is bit by bit, 0.0 not at all; ``delay_ms`` is meant above 0.5."""

    score: float
    delay_ms: float


def _samples(ulaw: bytes) -> NDArray[np.float64]:
    return np.frombuffer(ulaw_to_pcm16(ulaw), "<i2").astype(np.float64)


def find(said: bytes, heard: bytes) -> Match:
    """Look for ``said`` in ``heard``, which begins at the moment the sentence was begun.

    Cross-correlation, normalised at its peak; a sentence with gaps or cut short scores lower.
    """
    x, y = _samples(said), _samples(heard)
    energy = float(np.sqrt(np.sum(x**2)))
    if not energy or len(y) < len(x) // 2:
        return Match(0.0, 0.0)
    size = 1 << (len(x) + len(y)).bit_length()
    correlation = np.fft.irfft(np.fft.rfft(y, size) * np.conj(np.fft.rfft(x, size)), size)[: len(y)]
    lag = int(np.argmax(correlation))
    local = float(np.sqrt(np.sum(y[lag : lag + len(x)] ** 2)))
    score = float(correlation[lag]) / (energy * local) if local else 0.0
    return Match(round(min(max(score, 0.0), 1.0), 3), round(lag * 1000 / RATE_HZ, 3))


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
