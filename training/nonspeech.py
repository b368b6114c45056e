"""What a recognizer hears when nobody speaks to it: noise, music, signalling tones, a room full of people.

Everything is computed; the model is trained to answer it with nothing. Sounds are 8 kHz, RMS about 1 before
``clip`` sets the level.
"""

import random
from collections.abc import Callable

import numpy as np

from callcenter.media.hold_music import music_on_hold
from training.channel import RATE_HZ, Sound, coloured_noise, reverberant, telephone
from training.speech import at_rate, say, training_voice
from training.text import training_texts

_DTMF_LOW, _DTMF_HIGH = (697, 770, 852, 941), (1209, 1336, 1477, 1633)
_SIGNALS = (  # Hz, seconds on and off: ringing, dial, busy and congestion of several countries, beeps, fax
    ((440, 480), 2.0, 4.0),
    ((400, 450), 0.4, 0.2),
    ((425,), 1.0, 4.0),
    ((350, 440), 9.0, 0.0),
    ((425,), 9.0, 0.0),
    ((480, 620), 0.5, 0.5),
    ((480, 620), 0.25, 0.25),
    ((425,), 0.25, 0.25),
    ((1000,), 0.3, 2.0),
    ((1400,), 0.4, 3.0),
    ((1100,), 0.5, 3.0),
    ((2100,), 3.3, 0.5),
)
_BURST_MIN = 64
_SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 4, 7, 9))


def silence(count: int, rng: np.random.Generator) -> Sound:
    """Nothing, or nearly nothing."""
    if rng.random() < 0.4:
        return np.zeros(count, np.float32)
    return coloured_noise(count, 0.3, rng) * np.float32(10 ** (-rng.uniform(25, 50) / 20))


def noise(count: int, rng: np.random.Generator) -> Sound:
    """Noise of any colour, often in slow gusts, sometimes with mains hum or clicks."""
    sound = coloured_noise(count, rng.uniform(0.0, 1.2), rng)
    if rng.random() < 0.5:
        knots = rng.uniform(-1.2, 0.3, max(2, count // 3000))
        sound *= 10 ** np.interp(np.arange(count), np.linspace(0, count, len(knots)), knots).astype(
            np.float32
        )
    if rng.random() < 0.25:
        hum_hz = float(rng.choice((50.0, 60.0, 120.0, 400.0)))
        for harmonic in range(1, 6):
            sound += _tone(count, harmonic * hum_hz, rng) * np.float32(rng.uniform(0, 1))
    if rng.random() < 0.3:
        for at in rng.integers(0, max(count - 80, 1), int(rng.integers(1, 20))):
            sound[at : at + 80] += (rng.standard_normal(80) * np.exp(-np.arange(80) / 12) * 8)[: count - at]
    return sound


def signal(count: int, rng: np.random.Generator) -> Sound:
    """Ringback, dial tone, busy, beeps, fax."""
    hz, on_s, off_s = _SIGNALS[rng.integers(len(_SIGNALS))]
    sound = np.sum([_tone(count, one * rng.uniform(0.99, 1.01), rng) for one in hz], axis=0)
    period_s = on_s + off_s
    at_s = np.arange(count) / RATE_HZ + rng.uniform(0, period_s)
    switched: Sound = (sound * (at_s % period_s < on_s)).astype(np.float32)
    return switched


def dtmf(count: int, rng: np.random.Generator) -> Sound:
    """Keys being pressed."""
    sound = np.zeros(count, np.float32)
    at = int(rng.uniform(0, 0.5) * RATE_HZ)
    while at < count:
        length = min(int(rng.uniform(0.06, 0.4) * RATE_HZ), count - at)
        for hz in (rng.choice(_DTMF_LOW), rng.choice(_DTMF_HIGH)):
            sound[at : at + length] += _tone(length, float(hz), rng)
        at += length + int(rng.uniform(0.04, 0.9) * RATE_HZ)
    return sound


def music(count: int, rng: np.random.Generator) -> Sound:
    """Melody, chords, bass and a beat by chance, on instruments made of a few harmonics."""
    sound = np.zeros(count, np.float32)
    beat_s = 60 / rng.uniform(60, 170)
    scale, root = _SCALES[rng.integers(len(_SCALES))], int(rng.integers(45, 64))
    for octave, notes_a_beat, together in ((12, 2, 1), (0, 0.5, 3), (-12, 1, 1)):
        if rng.random() < 0.75:
            _play(sound, beat_s / notes_a_beat, [root + octave + step for step in scale], together, rng)
    if rng.random() < 0.4:
        for at in range(0, count, max(int(beat_s * RATE_HZ), 1)):
            length = min(1200, count - at)
            hit = rng.standard_normal(length) * np.exp(-np.arange(length) / 200)
            sound[at : at + length] += (hit * rng.uniform(0.2, 0.8)).astype(np.float32)
    if not sound.any():
        _play(sound, beat_s, [root + step for step in scale], 2, rng)
    return reverberant(sound, rng) if rng.random() < 0.3 else sound


def _play(sound: Sound, note_s: float, notes: list[int], together: int, rng: np.random.Generator) -> None:
    """Add one voice of the music to ``sound``."""
    harmonics = rng.uniform(0, 1, 6) * 0.7 ** np.arange(6)
    decay, attack_s, vibrato = rng.uniform(0.2, 6.0), rng.uniform(0.003, 0.15), rng.uniform(0, 0.01)
    length, at = int(note_s * RATE_HZ), 0
    while at < len(sound):
        if rng.random() < 0.85:
            count = min(int(length * rng.uniform(0.6, 1.6)), len(sound) - at)
            time_s = np.arange(count) / RATE_HZ
            envelope = np.minimum(time_s / attack_s, 1) * np.exp(-decay * time_s)
            for note in rng.choice(notes, together):
                phase = 2 * np.pi * 440 * 2 ** ((int(note) - 69) / 12) * time_s
                phase += vibrato * 20 * np.sin(2 * np.pi * 5.5 * time_s)
                tone = np.sum([h * np.sin(phase * (n + 1)) for n, h in enumerate(harmonics)], axis=0)
                sound[at : at + count] += (envelope * tone).astype(np.float32)
        at += length


def house_music(count: int, rng: np.random.Generator) -> Sound:
    """The call center's own music on hold, from anywhere in its loop."""
    loop = np.frombuffer(music_on_hold(), "<i2").astype(np.float32) / np.float32(3000)
    return np.roll(np.resize(loop, max(count, len(loop))), -int(rng.integers(len(loop))))[:count]


def babble(count: int, rng: np.random.Generator) -> Sound:
    """Seven and more people at once, none of whom can be understood."""
    draw = random.Random(int(rng.integers(2**32)))
    texts = training_texts(draw)
    sound = np.zeros(count, np.float32)
    for _ in range(int(rng.integers(7, 13))):
        talk = np.zeros(0, np.float32)
        while len(talk) < count:
            utterance = say(next(texts), training_voice(draw))
            talk = np.concatenate([talk, at_rate(utterance.pcm16, utterance.rate_hz, RATE_HZ)])
        shifted = np.roll(talk, -int(rng.integers(len(talk))))[:count]
        sound += shifted / (shifted.std() + np.float32(1e-3)) * np.float32(rng.uniform(0.7, 1.0))
    return sound


def body(count: int, rng: np.random.Generator) -> Sound:
    """Coughs, breaths, sneezes and bumps of the handset: bursts of noise, some with a throat's formants."""
    sound = coloured_noise(count, 0.5, rng) * np.float32(0.003)
    at = int(rng.uniform(0, 0.6) * RATE_HZ)
    while at < count:
        for _ in range(int(rng.integers(1, 5))):
            length = min(int(rng.uniform(0.06, 0.7) * RATE_HZ), count - at)
            if length < _BURST_MIN:
                break
            sound[at : at + length] += _burst(length, rng)
            at += length + int(rng.uniform(0.02, 0.25) * RATE_HZ)
        at += int(rng.uniform(0.2, 3.0) * RATE_HZ)
    return sound


def _burst(length: int, rng: np.random.Generator) -> Sound:
    """One burst: a quick rise, a slow fall, noise that a throat of some shape has coloured."""
    noise = coloured_noise(length, rng.uniform(0.0, 1.0), rng)
    if rng.random() < 0.7:
        spectrum = np.fft.rfft(noise)
        hz = np.fft.rfftfreq(length, 1 / RATE_HZ)
        throat = np.full(len(hz), 0.05)
        for centre in rng.uniform((250, 900, 1900), (900, 1900, 3200)):
            throat += rng.uniform(0.2, 1) * np.exp(-0.5 * ((hz - centre) / rng.uniform(80, 350)) ** 2)
        noise = np.fft.irfft(spectrum * throat, length).astype(np.float32)
    at_s = np.arange(length) / RATE_HZ
    envelope = np.minimum(at_s / rng.uniform(0.002, 0.08), 1) * np.exp(-at_s * rng.uniform(3, 25))
    burst: Sound = (noise / (noise.std() + 1e-6) * envelope * rng.uniform(0.3, 1)).astype(np.float32)
    return burst


def _tone(count: int, hz: float, rng: np.random.Generator) -> Sound:
    phase = rng.uniform(0, 2 * np.pi)
    tone: Sound = np.sin(2 * np.pi * hz * np.arange(count) / RATE_HZ + phase).astype(np.float32)
    return tone


KINDS: dict[str, Callable[[int, np.random.Generator], Sound]] = {
    "silence": silence,
    "noise": noise,
    "signal": signal,
    "dtmf": dtmf,
    "music": music,
    "babble": babble,
    "body": body,
}
"""What is trained with. ``house_music`` is kept for evaluation."""

_SHARES = {
    "silence": 0.07,
    "noise": 0.23,
    "signal": 0.11,
    "dtmf": 0.14,
    "music": 0.29,
    "babble": 0.08,
    "body": 0.08,
}


def clip(count: int, rng: np.random.Generator) -> Sound:
    """A sound of ``count`` samples that is not speech, of any kind and level, mostly by telephone."""
    kind = str(rng.choice(list(_SHARES), p=list(_SHARES.values())))
    return levelled(kind, KINDS[kind](count, rng), rng)


def levelled(kind: str, sound: Sound, rng: np.random.Generator) -> Sound:
    """At -50 to -8 dBFS with some noise below, through a telephone; silence stays silent."""
    rms = float(np.sqrt(np.mean(sound**2)))
    if kind != "silence" and rms > 0:
        sound = sound / np.float32(rms)
        if rng.random() < 0.5:
            floor = np.float32(10 ** (-rng.uniform(15, 45) / 20))
            sound = sound + floor * coloured_noise(len(sound), rng.uniform(0, 0.9), rng)
    sound = sound * np.float32(10 ** (rng.uniform(-50, -8) / 20))
    return telephone(sound, rng) if rng.random() < 0.85 else sound
