"""What keeps invented words out of transcripts. Pure."""

import zlib

import numpy as np

from asr.features import Samples

_WINDOW, _HOP = 256, 128
_BAND = slice(10, 109)  # 312 to 3400 Hz in bins of 31 Hz
_HANN = np.hanning(_WINDOW).astype(np.float32)
_ACTIVE_POWER = 1e-5  # -50 dBFS
_ACTIVE_FRAMES = 3
_STRONGEST_BINS = 6
_TONE_SHARE = 0.97
_STEADY_DB = 3.0
_NOISE_FLATNESS_DB = -6.0


def is_no_speech(sound: Samples) -> bool:
    """Whether 8 kHz sound of -1 to 1 is silence, a signalling tone, DTMF or steady noise, not speech.

    What is louder than -50 dBFS counts. It is a signal when its level varies by less than 3 dB (sentences:
    4.7 to 10.6, tones and noise: at most 2.7), and it is either a tone, six bins of which have 97 % of its
    energy, or noise with a spectrum flat to within 6 dB. Of 1,500 single words, of which some are as steady
    as a tone, none was taken for one. Music is neither.
    """
    if len(sound) < _WINDOW:
        return True
    frames = np.lib.stride_tricks.sliding_window_view(sound, _WINDOW)[::_HOP]
    frames = frames - frames.mean(axis=1, keepdims=True)
    power = np.mean(np.square(frames), axis=1)
    frames, power = frames[power > _ACTIVE_POWER], power[power > _ACTIVE_POWER]
    if len(power) < _ACTIVE_FRAMES:
        return True
    if np.std(10 * np.log10(power)) > _STEADY_DB:
        return False
    spectrum = np.square(np.abs(np.fft.rfft(frames * _HANN, axis=1)[:, _BAND]))
    shape = spectrum / spectrum.sum(axis=1, keepdims=True) + 1e-12
    flatness_db = 10 * np.median(np.log10(shape).mean(axis=1) + np.log10(shape.shape[1]))
    strongest = np.partition(shape, -_STRONGEST_BINS, axis=1)[:, -_STRONGEST_BINS:].sum(axis=1)
    return bool(flatness_db > _NOISE_FLATNESS_DB or np.median(strongest) > _TONE_SHARE)


def compression_ratio(text: str) -> float:
    """How well the text compresses; above 2.4 it repeats itself (OpenAI Whisper, ``transcribe.py``)."""
    encoded = text.encode()
    return len(encoded) / len(zlib.compress(encoded)) if encoded else 0.0
