"""Levels, and the silence that ends a message."""

import math

import numpy as np
import pytest

from callcenter.media.loudness import QUIET_DBFS, SilenceDetector, level_dbfs


def sine(dbfs_of_peak: float, samples: int = 160) -> bytes:
    times = np.arange(samples) / 8000
    peak = 32767 * 10 ** (dbfs_of_peak / 20)
    return (peak * np.sin(2 * math.pi * 1000 * times)).round().astype("<i2").tobytes()


LOUD, SILENT = sine(-10), bytes(320)


class TestLevel:
    @pytest.mark.parametrize(
        ("pcm16", "level"),
        [
            (b"\xff\x7f\x01\x80" * 80, 0.0),
            (sine(0), -3.01),
            (sine(-20), -23.01),
            (SILENT, -120.0),
            (b"", -120.0),
            (b"\x01\x00", -90.31),
        ],
    )
    def test_rms_of_full_scale(self, pcm16: bytes, level: float) -> None:
        assert level_dbfs(pcm16) == pytest.approx(level, abs=0.02)

    def test_the_most_negative_sample(self) -> None:
        assert level_dbfs(b"\x00\x80" * 10) == pytest.approx(0.0, abs=0.001)


class Message:
    """A detector of 1 s that is fed frames of 20 ms."""

    def __init__(self) -> None:
        self.fired_at: list[int] = []
        self._detector = SilenceDetector(1.0, lambda: self.fired_at.append(self.position))
        self.position = 0

    def feed(self, pcm16: bytes, frames: int = 1) -> None:
        for _ in range(frames):
            self._detector.feed(pcm16, self.position)
            self.position += len(pcm16) // 2

    def skip(self, samples: int) -> None:
        self.position += samples


class TestSilence:
    def test_it_fires_once_when_it_has_been_quiet_for_long_enough(self) -> None:
        message = Message()
        message.feed(LOUD, 50)
        message.feed(SILENT, 48)
        assert message.fired_at == []
        message.feed(SILENT, 200)
        assert message.fired_at == [(50 + 48) * 160]

    def test_a_sound_starts_the_time_anew(self) -> None:
        message = Message()
        for _ in range(5):
            message.feed(SILENT, 40)
            message.feed(LOUD)
        assert message.fired_at == []

    def test_silence_from_the_beginning_counts(self) -> None:
        message = Message()
        message.skip(80_000)
        message.feed(SILENT, 50)
        assert len(message.fired_at) == 1

    def test_a_hole_is_silence_too(self) -> None:
        message = Message()
        message.feed(LOUD, 10)
        message.skip(9000)
        message.feed(SILENT)
        assert len(message.fired_at) == 1

    @pytest.mark.parametrize(("above_db", "fires"), [(2.0, False), (-2.0, True)])
    def test_the_threshold(self, above_db: float, fires: bool) -> None:
        message = Message()
        message.feed(sine(QUIET_DBFS + 3.01 + above_db), 60)
        assert bool(message.fired_at) == fires
