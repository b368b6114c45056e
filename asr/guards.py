"""What keeps invented words out of transcripts. Pure."""

import zlib

import numpy as np

from asr.features import Samples

_WINDOW, _HOP = 256, 128
_BAND = slice(10, 109)  # 312 to 3400 Hz in bins of 31 Hz
_ACTIVE_POWER = 1e-5  # -50 dBFS
_STRONGEST_BINS = 6
_TONE_SHARE = 0.97
_TONE_LEVEL_DB = 4.0
_NOISE_FLATNESS_DB = -6.0


def is_no_speech(sound: Samples) -> bool:
    """Whether 8 kHz sound of -1 to 1 is silence, a signalling tone, DTMF or steady noise, not speech.

    Tones keep 97 % of their energy in six bins and their level within 4 dB; speech (150 telephone
    utterances) has a share of 0.76, at most 0.99, and a level that varies by 4.7 to 10.6 dB. The spectrum
    of noise is flat to within 3.5 dB, that of speech never within 9.9 dB.
    """
    if len(sound) < _WINDOW:
        return True
    frames = np.lib.stride_tricks.sliding_window_view(sound, _WINDOW)[::_HOP]
    power = np.mean(frames * frames, axis=1)
    frames, power = frames[power > _ACTIVE_POWER], power[power > _ACTIVE_POWER]
    if len(frames) < 3:
        return True
    spectrum = np.abs(np.fft.rfft(frames * np.hanning(_WINDOW).astype(np.float32), axis=1)) ** 2
    spectrum = spectrum[:, _BAND] + 1e-9
    total = spectrum.sum(axis=1)
    flatness_db = 10 * np.median(np.log10(spectrum).mean(axis=1) - np.log10(total / spectrum.shape[1]))
    if flatness_db > _NOISE_FLATNESS_DB:
        return True
    strongest = np.partition(spectrum, -_STRONGEST_BINS, axis=1)[:, -_STRONGEST_BINS:].sum(axis=1)
    level_db = np.std(10 * np.log10(power))
    return bool(np.median(strongest / total) > _TONE_SHARE and level_db < _TONE_LEVEL_DB)


def compression_ratio(text: str) -> float:
    """How well the text compresses; above 2.4 it repeats itself (OpenAI Whisper, ``transcribe.py``)."""
    encoded = text.encode()
    return len(encoded) / len(zlib.compress(encoded)) if encoded else 0.0
