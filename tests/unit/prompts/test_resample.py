"""Conversion to the telephone's rate keeps length, level and pitch, and filters what would alias."""

import numpy as np
import pytest

from callcenter.media.resample import to_8khz


def sine(hz: float, rate_hz: int, seconds: float = 0.5) -> bytes:
    at = np.arange(int(rate_hz * seconds)) / rate_hz
    return (10_000 * np.sin(2 * np.pi * hz * at)).astype("<i2").tobytes()


@pytest.mark.parametrize("rate_hz", [11_025, 16_000, 22_050, 44_100, 48_000])
def test_speech_band_is_kept(rate_hz: int) -> None:
    out = np.frombuffer(to_8khz(sine(1000, rate_hz), rate_hz), "<i2").astype(float)
    want = np.frombuffer(sine(1000, 8000), "<i2").astype(float)
    assert abs(len(out) - len(want)) <= 8
    middle = slice(200, len(want) - 200)
    assert np.abs(out[middle] - want[middle]).max() < 100


def test_what_would_alias_is_removed() -> None:
    out = np.frombuffer(to_8khz(sine(5000, 22_050), 22_050), "<i2").astype(float)
    assert np.sqrt(np.mean(out[200:-200] ** 2)) < 10


def test_eight_kilohertz_and_nothing_are_left_alone() -> None:
    assert to_8khz(sine(300, 8000), 8000) == sine(300, 8000)
    assert to_8khz(b"", 22_050) == b""
