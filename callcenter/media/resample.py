"""From any sound to the telephone's: 8 kHz, one channel, 16 bits."""

from pathlib import Path

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
    resampler = _resampler()
    return b"".join(map(_samples, [*resampler.resample(frame), *resampler.resample(None)]))


def read_8khz(path: Path) -> bytes:
    """Read a sound file of any rate, width and number of channels as mono PCM16 of 8 kHz.

    Raises ``ValueError`` with a reason for a file that cannot be read or holds no sound.
    """
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise ValueError("holds no sound")
            resampler = _resampler()
            parts = [
                part
                for frame in container.decode(container.streams.audio[0])
                for part in resampler.resample(frame)
            ]
            if parts:
                parts += resampler.resample(None)
    except av.FFmpegError as error:
        raise ValueError(error.strerror or "cannot be read") from error
    pcm16 = b"".join(map(_samples, parts))
    if not pcm16:
        raise ValueError("holds no sound")
    return pcm16


def _resampler() -> av.AudioResampler:
    return av.AudioResampler("s16", "mono", TELEPHONE_HZ)


def _samples(frame: av.AudioFrame) -> bytes:
    return frame.to_ndarray().tobytes()
