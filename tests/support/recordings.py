"""What is in the sound files of a service."""

import io
import wave

import av
import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]


def flac_channels(sound: bytes) -> tuple[Samples, Samples]:
    """Caller and agent of a stereo FLAC file at 8 kHz."""
    with av.open(io.BytesIO(sound), "r") as container:
        stream = container.streams.audio[0]
        assert (stream.rate, stream.channels, stream.codec_context.name) == (8000, 2, "flac")
        frames = [frame.to_ndarray().reshape(-1, 2) for frame in container.decode(stream)]
    both = np.concatenate(frames).astype("<i2")
    return both[:, 0].copy(), both[:, 1].copy()


def wave_channels(sound: bytes) -> tuple[Samples, Samples]:
    with wave.open(io.BytesIO(sound)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, 2, 2)
        both = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").reshape(-1, 2)
    return both[:, 0].copy(), both[:, 1].copy()


def bursts_of(samples: Samples) -> list[tuple[float, float]]:
    """Beginning and end, in seconds, of the sounds that are at least 50 ms apart."""
    sounding = np.flatnonzero(np.abs(samples.astype(int)) > 500)
    if not sounding.size:
        return []
    breaks = np.flatnonzero(np.diff(sounding) > 400)
    begins = [sounding[0], *sounding[breaks + 1]]
    ends = [*sounding[breaks], sounding[-1]]
    return [(begin / 8000, end / 8000) for begin, end in zip(begins, ends, strict=True)]
