"""What lies between a mouth and the recognizer: a room, a level, noise, the telephone. Pure.

Sound is mono float32 of -1 to 1, at 8 kHz unless said otherwise. All chance comes from the generator that
is handed in.
"""

import numpy as np
from numpy.typing import NDArray

from asr.features import doubled, log_mel
from callcenter.media.g711 import alaw_to_pcm16, pcm16_to_alaw, pcm16_to_ulaw, ulaw_to_pcm16

RATE_HZ = 8000
MELS = 80
FRAMES_PER_S = 100
_LOW_HZ, _HIGH_HZ = (60, 150, 200, 250, 300, 350), (3200, 3300, 3400, 3600)
_EDGE_HZ = 80.0
_A_LAW_SHARE = 0.1
_SPECTRUM_STEP = 4000

Sound = NDArray[np.float32]
Mel = NDArray[np.float32]


def in_band(sound: Sound, low_hz: float, high_hz: float, rate_hz: int = RATE_HZ) -> Sound:
    """Keep ``low_hz`` to ``high_hz``, with soft edges so that nothing rings."""
    size = _quick(len(sound))
    spectrum = np.fft.rfft(sound, size)
    hz = np.fft.rfftfreq(size, 1 / rate_hz)
    low = np.clip((hz - low_hz) / _EDGE_HZ + 0.5, 0, 1)
    high = np.clip((high_hz - hz) / _EDGE_HZ + 0.5, 0, 1)
    kept: Sound = np.fft.irfft(spectrum * low * high, size)[: len(sound)].astype(np.float32)
    return kept


def _quick(length: int) -> int:
    """A length not below ``length`` whose spectrum is quick to compute: only small prime factors."""
    return length + -length % _SPECTRUM_STEP


def companded(sound: Sound, law: str = "u") -> Sound:
    """Through G.711 and back: µ-law (``u``) or A-law (``a``)."""
    pcm16 = np.clip(np.round(sound * 32767), -32768, 32767).astype("<i2").tobytes()
    back = ulaw_to_pcm16(pcm16_to_ulaw(pcm16)) if law == "u" else alaw_to_pcm16(pcm16_to_alaw(pcm16))
    return np.frombuffer(back, "<i2").astype(np.float32) / np.float32(32768)


def telephone(sound: Sound, rng: np.random.Generator) -> Sound:
    """One of the world's telephone lines."""
    band = in_band(sound, float(rng.choice(_LOW_HZ)), float(rng.choice(_HIGH_HZ)))
    return companded(band, "a" if rng.random() < _A_LAW_SHARE else "u")


def coloured_noise(count: int, slope: float, rng: np.random.Generator) -> Sound:
    """Noise of RMS 1 whose amplitude falls with frequency to the power of ``slope``: 0 white, 0.5 pink."""
    size = _quick(count)
    spectrum = np.fft.rfft(rng.standard_normal(size, dtype=np.float32))
    spectrum /= (np.arange(len(spectrum)) * RATE_HZ / size + 30.0) ** slope
    noise = np.fft.irfft(spectrum, size)[:count]
    scaled: Sound = (noise / (noise.std() + 1e-9)).astype(np.float32)
    return scaled


def reverberant(sound: Sound, rng: np.random.Generator, rate_hz: int = RATE_HZ) -> Sound:
    """In a small room: an exponential tail of 50 to 300 ms, weaker than the direct sound."""
    length = int(rate_hz * rng.uniform(0.05, 0.3))
    tail = rng.standard_normal(length) * np.exp(-6.0 * np.arange(length) / length)
    tail *= rng.uniform(0.05, 0.4) / np.sqrt(np.sum(tail**2))
    tail[0] = 1.0
    size = _quick(len(sound) + length)
    wet = np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(tail, size), size)
    heard: Sound = wet[: len(sound)].astype(np.float32)
    return heard


def spoken_channel(sound: Sound, rng: np.random.Generator) -> Sound:
    """Speech as some far end hears it: at some level, often with noise, mostly through a telephone."""
    sound = in_a_room(sound, rng)
    return telephone(sound, rng) if rng.random() < 0.85 else sound


def in_a_room(sound: Sound, rng: np.random.Generator, rate_hz: int = RATE_HZ) -> Sound:
    """Speech at some level, sometimes reverberant, often with noise."""
    if rng.random() < 0.15:
        sound = reverberant(sound, rng, rate_hz)
    peak = float(np.abs(sound).max()) + 1e-6
    sound = sound * np.float32(10 ** (rng.uniform(-26, -3) / 20) / peak)
    if rng.random() < 0.6:
        level = (float(np.sqrt(np.mean(sound**2))) + 1e-6) * 10 ** (-rng.uniform(12, 42) / 20)
        sound = sound + coloured_noise(len(sound), rng.choice((0.0, 0.3, 0.5, 0.9)), rng) * np.float32(level)
    return sound


def loudness(sound: Sound, filters: NDArray[np.float32]) -> Mel:
    """Logarithmic (base 10) mel power of 8 kHz sound, (frames of 10 ms, mels), before normalisation."""
    return wide_loudness(doubled(sound), filters)


def wide_loudness(sound: Sound, filters: NDArray[np.float32]) -> Mel:
    """The same of 16 kHz sound."""
    return np.ascontiguousarray(log_mel(sound, filters).T) * 4.0 - 4.0


def normalised(mel: Mel) -> Mel:
    """As Whisper wants it: nothing more than 8 below the loudest, shifted and scaled to about -1 to 1."""
    scaled: Mel = (np.maximum(mel, mel.max() - 8.0) + 4.0) / 4.0
    return scaled


def added(mel: Mel, other: Mel) -> Mel:
    """Two sounds at once; powers add."""
    louder = np.maximum(mel, other)
    summed: Mel = louder + np.log10(1.0 + 10.0 ** (np.minimum(mel, other) - louder))
    return summed.astype(np.float32)
