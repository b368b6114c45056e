"""From any sampling rate to the telephone's 8 kHz."""

import av
import numpy as np

TELEPHONE_HZ = 8000


def to_8khz(pcm16: bytes, rate_hz: int) -> bytes:
    """Convert mono PCM16 of ``rate_hz`` to mono PCM16 of 8 kHz.

    Frequencies above 4 kHz are filtered out; the length in time is kept to within a millisecond.
    """
    if rate_hz == TELEPHONE_HZ or not pcm16:
        return pcm16
    frame = av.AudioFrame.from_ndarray(np.frombuffer(pcm16, "<i2")[np.newaxis, :], "s16", "mono")
    frame.sample_rate = rate_hz
    resampler = av.AudioResampler("s16", "mono", TELEPHONE_HZ)
    parts = [*resampler.resample(frame), *resampler.resample(None)]
    return b"".join(part.to_ndarray().tobytes() for part in parts)
