"""Frames keep their place on the clock whatever the chunks are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.framing import FRAME_BYTES, FRAME_SAMPLES, Framer


def ramp(start: int, count: int) -> bytes:
    return ((np.arange(start, start + count) % 30_000) + 1).astype("<i2").tobytes()


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=30))
def test_any_chunks_make_the_same_frames(sizes: list[int]) -> None:
    framer = Framer()
    frames, at = [], 4000
    for size in sizes:
        frames += framer.push(ramp(at, size), at)
        at += size
    frames += framer.flush()
    assert [position for position, _ in frames] == list(range(4000, at, FRAME_SAMPLES))
    assert all(len(frame) == FRAME_BYTES for _, frame in frames)
    assert b"".join(frame for _, frame in frames)[: 2 * (at - 4000)] == ramp(4000, at - 4000)


def test_a_short_gap_becomes_zeros() -> None:
    framer = Framer()
    frames = framer.push(ramp(0, 200), 0) + framer.push(ramp(500, 300), 500)
    assert [position for position, _ in frames] == [0, 160, 320, 480, 640]
    assert b"".join(frame for _, frame in frames) == ramp(0, 200) + bytes(600) + ramp(500, 300)


def test_a_long_gap_is_a_jump_and_loses_nothing() -> None:
    framer = Framer()
    frames = framer.push(ramp(0, 200), 0) + framer.push(ramp(80_000, 160), 80_000)
    assert [position for position, _ in frames] == [0, 160, 80_000]
    assert frames[1][1] == ramp(160, 40) + bytes(240)


def test_what_comes_twice_or_late_is_dropped() -> None:
    framer = Framer()
    frames = framer.push(ramp(0, 320), 0)
    assert framer.push(ramp(0, 160), 0) == []
    assert framer.push(b"", 0) == []
    frames += framer.push(ramp(160, 320), 160)
    assert b"".join(frame for _, frame in frames) == ramp(0, 480)


def test_a_long_step_back_is_a_new_clock() -> None:
    framer = Framer()
    framer.push(ramp(90_000, 160), 90_000)
    assert [at for at, _ in framer.push(ramp(0, 320), 0)] == [0, 160]


def test_half_a_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="3 bytes"):
        Framer().push(b"abc", 0)
