"""What somebody hears while the other telephone rings. PCM16, 8 kHz.

Source: ITU-T E.180 supplement 2: 440 + 480 Hz, 2 s on, 4 s off, as in North America.
"""

from functools import cache

import numpy as np

from callcenter.media.frame import SAMPLE_RATE_HZ

_ON_S, _OFF_S = 2, 4
_LEVEL_DBFS = -26.0


@cache
def ringing_tone() -> bytes:
    """One ring and its pause, to be repeated."""
    at = np.arange(_ON_S * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    tone = np.sin(2 * np.pi * 440 * at) + np.sin(2 * np.pi * 480 * at)
    edge = np.linspace(0.0, 1.0, SAMPLE_RATE_HZ // 100)
    tone[: len(edge)] *= edge
    tone[-len(edge) :] *= edge[::-1]
    sound = np.concatenate([tone * 10 ** (_LEVEL_DBFS / 20), np.zeros(_OFF_S * SAMPLE_RATE_HZ)])
    return np.round(sound * 32767).astype("<i2").tobytes()
