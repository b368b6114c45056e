"""Computed sounds: level, length, no clicks."""

import numpy as np

from callcenter.media.hold_music import beep, music_on_hold


def samples(pcm16: bytes) -> np.ndarray:
    return np.frombuffer(pcm16, "<i2").astype(float)


def dbfs(sound: np.ndarray) -> float:
    return float(20 * np.log10(np.sqrt(np.mean(sound**2)) / 32768))


def test_music_is_quiet_and_never_stops() -> None:
    sound = samples(music_on_hold())
    assert len(sound) == 20 * 8000
    assert -26.2 < dbfs(sound) < -25.8
    assert np.abs(sound).max() < 32767 * 0.5
    assert min(dbfs(second) for second in sound.reshape(20, -1)) > -36


def test_music_repeats_without_a_seam() -> None:
    sound = samples(music_on_hold())
    steps = np.abs(np.diff(sound))
    assert abs(sound[0] - sound[-1]) <= steps.max()


def test_beep_has_soft_edges() -> None:
    sound = samples(beep())
    assert len(sound) == 2000
    assert -20.5 < dbfs(sound) < -19.8
    assert np.abs(sound[:4]).max() < 200
    assert np.abs(sound[-4:]).max() < 200
    spectrum = np.abs(np.fft.rfft(sound))
    assert np.argmax(spectrum) * 8000 / len(sound) == 1000
