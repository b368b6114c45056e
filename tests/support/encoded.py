"""Recordings as people have them: any codec and container that FFmpeg writes."""

from pathlib import Path

import av
import numpy as np

from callcenter.media.espeak import Espeak
from callcenter.media.resample import to_8khz

RATE_HZ = 8000
CODECS = {
    ".wav": ("pcm_s16le", 8000),
    ".flac": ("flac", 8000),
    ".mp3": ("libmp3lame", 16000),
    ".ogg": ("libopus", 48000),
    ".m4a": ("aac", 16000),
    ".mkv": ("libopus", 48000),
}
_LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 6: "5.1"}


def silence(seconds: float) -> bytes:
    return bytes(2 * round(seconds * RATE_HZ))


def spoken(text: str) -> bytes:
    """Synthetic speech, PCM16 of 8 kHz."""
    speech = Espeak().synthesize(text, "en-us")
    return to_8khz(speech.pcm16, speech.rate_hz)


def encode(path: Path, *channels: bytes, pause: tuple[float, float] | None = None) -> Path:
    """Write channels of PCM16 as the suffix says; ``pause`` (at, length) is one in the times only."""
    codec, rate_hz = CODECS[path.suffix]
    longest = max(len(channel) for channel in channels)
    sound = np.stack([np.frombuffer(channel.ljust(longest, b"\0"), "<i2") for channel in channels], axis=1)
    layout = _LAYOUTS[len(channels)]
    with av.open(path, "w") as container:
        stream = container.add_stream(codec, rate=rate_hz, layout=layout)
        resampler = av.AudioResampler(format=stream.format.name, layout=layout, rate=rate_hz)
        frame = av.AudioFrame.from_ndarray(sound.reshape(1, -1), format="s16", layout=layout)
        frame.sample_rate, frame.pts = RATE_HZ, 0
        for resampled in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(_later(stream.encode(resampled), pause))
        container.mux(_later(stream.encode(None), pause))
    return path


def _later(packets: list[av.Packet], pause: tuple[float, float] | None) -> list[av.Packet]:
    for packet in packets:
        if pause is not None and packet.pts is not None and packet.pts * packet.time_base >= pause[0]:
            packet.pts += round(pause[1] / packet.time_base)
            packet.dts = packet.pts
    return packets


def shorten(path: Path, share: float = 0.6) -> Path:
    """What is left of a file that was not copied to its end."""
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    return path
