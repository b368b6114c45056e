"""The front end of Whisper: from sound to a log-mel spectrogram. Pure.

The same figures as ``faster_whisper.feature_extractor`` (after OpenAI's ``audio.py``), but on one core:
the product with the filters is taken in pieces too small for OpenBLAS to wake its other threads. Those
would spin on the cores that carry calls; for a short utterance that doubled the CPU time of recognition.
"""

import numpy as np
from numpy.typing import NDArray

_WINDOW, _HOP = 400, 160
_HANN = np.hanning(_WINDOW + 1)[:-1].astype(np.float32)
_PIECE = 8
_HALF_BAND = (np.sinc(np.arange(32) - 15.5) * np.kaiser(32, 6.0)).astype(np.float32)

Samples = NDArray[np.float32]


def doubled(sound: Samples) -> Samples:
    """From 8 to 16 kHz: between each two samples the one that band-limited interpolation puts there."""
    between = np.convolve(np.pad(sound, (15, 16)), _HALF_BAND, "valid")
    return np.stack([sound, between], axis=1).reshape(-1)


def log_mel(sound: Samples, filters: Samples) -> Samples:
    """Spectrogram of 16 kHz sound of -1 to 1: (mels, frames of 10 ms), about -1 to 1.

    ``filters`` is the mel filter bank, (mels, 201).
    """
    padded = np.pad(np.pad(sound, (0, _HOP)), _WINDOW // 2, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP][:-1]
    spectrum = np.fft.rfft(windows * _HANN, axis=1)
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    mel = np.empty((len(power), len(filters)), np.float32)
    for start in range(0, len(power), _PIECE):
        np.matmul(power[start : start + _PIECE], filters.T, out=mel[start : start + _PIECE])
    logarithm = np.log10(np.maximum(mel, 1e-10))
    logarithm = (np.maximum(logarithm, logarithm.max() - 8.0) + 4.0) / 4.0
    return np.ascontiguousarray(logarithm.T)
