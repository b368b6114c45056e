"""Simulated people's sentences as a telephone carries them.

A sentence is synthesised once, kept within the telephone's band, given a little noise, and stored as the
very frames that go over the wire, so that saying it costs next to nothing while many calls run.
"""

import asyncio
import base64
import random
import zlib
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from callcenter.media.espeak import Espeak
from callcenter.media.g711 import pcm16_to_ulaw
from callcenter.media.resample import to_8khz
from callcenter.simulator.grammar import spoken
from callcenter.simulator.voices import Voice

RATE_HZ = 8000
FRAME_MS = 20
FRAME_BYTES = RATE_HZ * FRAME_MS // 1000
"""µ-law bytes of one frame."""

SILENCE_BYTE = 0xFF
_BAND_HZ = (300.0, 3400.0)
_BAND_EDGE_HZ = 80.0
_PEAK_DBFS = (-14.0, -5.0)
_NOISE_DB = (25.0, 40.0)
_ROOM_DBFS = -66.0
_QUIET_BELOW_PEAK = 0.005
_CACHE_MAX = 1000

Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Utterance:
    """A sentence ready to be sent: µ-law of 8 kHz and the same in base64 frames of 20 ms."""

    text: str
    ulaw: bytes
    frames: tuple[str, ...]

    @property
    def duration_s(self) -> float:
        """How long it takes to say."""
        return len(self.frames) * FRAME_MS / 1000


def encode_frames(ulaw: bytes) -> tuple[str, ...]:
    """Cut µ-law into base64 frames of 20 ms; the last one is filled up with silence."""
    padded = ulaw + bytes([SILENCE_BYTE]) * (-len(ulaw) % FRAME_BYTES)
    return tuple(
        base64.b64encode(padded[at : at + FRAME_BYTES]).decode() for at in range(0, len(padded), FRAME_BYTES)
    )


def telephone_band(samples: Samples) -> Samples:
    """Keep 300 to 3400 Hz, with soft edges so that nothing rings."""
    spectrum = np.fft.rfft(samples)
    hz = np.fft.rfftfreq(len(samples), 1 / RATE_HZ)
    low = np.clip((hz - _BAND_HZ[0]) / _BAND_EDGE_HZ + 0.5, 0, 1)
    high = np.clip((_BAND_HZ[1] - hz) / _BAND_EDGE_HZ + 0.5, 0, 1)
    return np.fft.irfft(spectrum * low * high, len(samples)).astype(np.float32)


def over_the_telephone(pcm16: bytes, rng: random.Random) -> bytes:
    """PCM16 of 8 kHz as the far end hears it: trimmed, in band, at some level, with some noise."""
    samples = _trimmed(np.frombuffer(pcm16, "<i2").astype(np.float32))
    if not len(samples):
        return b""
    noise = np.random.default_rng(rng.getrandbits(32)).standard_normal(len(samples)).astype(np.float32)
    speech, noise = telephone_band(samples), telephone_band(noise)
    speech *= 32768 * 10 ** (rng.uniform(*_PEAK_DBFS) / 20) / max(float(np.abs(speech).max()), 1.0)
    power = float(np.sqrt(np.mean(speech**2)))
    noise *= power * 10 ** (-rng.uniform(*_NOISE_DB) / 20) / float(np.sqrt(np.mean(noise**2)))
    heard: bytes = np.clip(speech + noise, -32768, 32767).astype("<i2").tobytes()
    return heard


def _trimmed(samples: Samples) -> Samples:
    """Without the stillness before the first and after the last sound."""
    loud = np.flatnonzero(np.abs(samples) > _QUIET_BELOW_PEAK * np.abs(samples).max(initial=0.0))
    return samples[loud[0] : loud[-1] + 1] if len(loud) else samples[:0]


def room_noise(seed: int, frames: int = 50) -> tuple[str, ...]:
    """What a telephone sends while nobody speaks: faint noise, to be repeated."""
    noise = (
        np.random.default_rng(seed).standard_normal(frames * FRAME_BYTES) * 32768 * 10 ** (_ROOM_DBFS / 20)
    )
    return encode_frames(pcm16_to_ulaw(noise.astype("<i2").tobytes()))


def utter(text: str, voice: Voice, seed: int = 0) -> Utterance:
    """Synthesise ``text``. Blocking, about 10 ms.

    ``seed`` decides level and noise; the voice itself varies by some ms from time to time.
    """
    speech = Espeak().synthesize(
        spoken(text), voice.name, voice.rate_wpm, voice.pitch, voice.pitch_range, voice.word_gap
    )
    rng = random.Random(zlib.crc32(f"{seed} {voice} {text}".encode()))  # noqa: S311 - not a secret
    ulaw = pcm16_to_ulaw(over_the_telephone(to_8khz(speech.pcm16, speech.rate_hz), rng))
    return Utterance(text, ulaw, encode_frames(ulaw))


class SpeechBank:
    """Sentences that have been synthesised, the least recently used ones forgotten first.

    Synthesis runs in a thread; asking for a sentence ahead of time makes the later ``get`` immediate.
    """

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._kept: OrderedDict[tuple[str, Voice], Utterance] = OrderedDict()

    async def get(self, text: str, voice: Voice) -> Utterance:
        """The sentence in this voice."""
        key = (text, voice)
        if key not in self._kept:
            self._kept[key] = await asyncio.to_thread(utter, text, voice, self._seed)
        self._kept.move_to_end(key)
        if len(self._kept) > _CACHE_MAX:
            self._kept.popitem(last=False)
        return self._kept[key]
