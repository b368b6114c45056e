"""Sounds that are computed: music on hold and the beep before a recording. PCM16, 8 kHz."""

import numpy as np
from numpy.typing import NDArray

_RATE_HZ = 8000
_BAR_S = 5.0
_NOTE_S = 0.625
_MUSIC_DBFS = -26.0
_BEEP_DBFS = -20.0
_A4 = 69
# MIDI notes of four chords, lowest first: Cmaj7, Am7, Fmaj7, G6.
_CHORDS = ((48, 60, 64, 67, 71), (45, 57, 60, 64, 67), (41, 57, 60, 65, 69), (43, 59, 62, 64, 67))
_ARPEGGIO = (1, 2, 3, 4, 3, 2, 4, 3)


def music_on_hold() -> bytes:
    """A quiet loop of 20 s, -26 dBFS RMS; its end runs into its beginning without a seam."""
    loop = np.zeros(int(len(_CHORDS) * _BAR_S * _RATE_HZ))
    for bar, chord in enumerate(_CHORDS):
        start_s = bar * _BAR_S
        for note in chord:
            _add(loop, start_s, 0.12 * _pad(note))
        for step, index in enumerate(_ARPEGGIO):
            _add(loop, start_s + step * _NOTE_S, 0.3 * _pluck(chord[index] + 12))
    level = np.sqrt(np.mean(loop**2))
    return _pcm16(loop * 10 ** (_MUSIC_DBFS / 20) / level)


def beep(hz: float = 1000.0, seconds: float = 0.25) -> bytes:
    """A tone with soft edges, -20 dBFS RMS."""
    tone = np.sin(2 * np.pi * hz * _seconds(seconds)) * np.sqrt(2) * 10 ** (_BEEP_DBFS / 20)
    edge = np.linspace(0.0, 1.0, int(0.01 * _RATE_HZ))
    tone[: len(edge)] *= edge
    tone[-len(edge) :] *= edge[::-1]
    return _pcm16(tone)


def _seconds(length_s: float) -> NDArray[np.float64]:
    return np.arange(int(length_s * _RATE_HZ)) / _RATE_HZ


def _hz(note: int) -> float:
    return float(440.0 * 2 ** ((note - _A4) / 12))


def _pad(note: int) -> NDArray[np.float64]:
    at = _seconds(_BAR_S * 1.3)
    envelope = np.sin(np.pi * at / (_BAR_S * 1.3)) ** 2
    return envelope * (np.sin(2 * np.pi * _hz(note) * at) + 0.3 * np.sin(4 * np.pi * _hz(note) * at))


def _pluck(note: int) -> NDArray[np.float64]:
    at = _seconds(2.0)
    envelope = np.minimum(at / 0.008, 1.0) * np.exp(-3.0 * at) * np.minimum((2.0 - at) / 0.05, 1.0)
    return envelope * (np.sin(2 * np.pi * _hz(note) * at) + 0.2 * np.sin(6 * np.pi * _hz(note) * at))


def _add(loop: NDArray[np.float64], start_s: float, sound: NDArray[np.float64]) -> None:
    places = (int(start_s * _RATE_HZ) + np.arange(len(sound))) % len(loop)
    loop[places] += sound


def _pcm16(sound: NDArray[np.float64]) -> bytes:
    return np.round(np.clip(sound, -1.0, 1.0) * 32767).astype("<i2").tobytes()
