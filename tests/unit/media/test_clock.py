"""Positions on a recording's time line under jitter, loss, reordering, jumps and drift."""

import random

from hypothesis import given
from hypothesis import strategies as st

from callcenter.media.clock import MAX_ERROR_MS, SampleClock

FRAME = 160


def positions(
    arrivals: list[tuple[int | None, float]], clock: SampleClock | None = None
) -> tuple[list[int | None], SampleClock]:
    """Place frames of 20 ms that arrive as (time stamp, seconds after the start)."""
    clock = clock or SampleClock(start_s=500.0)
    return [clock.place(FRAME, stamp, 500.0 + at_s) for stamp, at_s in arrivals], clock


def test_sound_that_follows_on_stays_in_one_piece() -> None:
    for stamped in (True, False):
        stream = [(20 * n + 300 if stamped else None, 0.02 * (n + 1)) for n in range(1000)]
        placed, clock = positions(stream)
        assert placed == [FRAME * n for n in range(1000)]
        assert clock.gaps_ms == 0


def test_the_clock_starts_at_its_start_and_not_at_the_first_sound() -> None:
    assert positions([(None, 2.0)])[0] == positions([(77, 2.0)])[0] == [8 * 1980]


def test_sound_from_before_the_start_is_at_the_start() -> None:
    burst: list[tuple[int | None, float]] = [(20 * n, 0.0) for n in range(15)]
    placed, _ = positions([*burst, (300, 0.02), (320, 0.04)])
    assert None not in placed
    assert all(place is not None and place <= 60 * 8 for place in placed[:15])
    assert placed[15] is not None
    assert placed[15] <= MAX_ERROR_MS * 8
    assert placed[16] == placed[15] + FRAME


def test_jitter_is_absorbed() -> None:
    chance = random.Random(7)
    for stamped in (True, False):
        stream = [
            (20 * n if stamped else None, 0.02 * (n + 1) + chance.uniform(0, 0.055)) for n in range(3000)
        ]
        placed, clock = positions(stream)
        first = placed[0]
        assert first is not None
        assert placed == [first + FRAME * n for n in range(3000)]
        assert clock.gaps_ms == 0


def test_lost_frames_become_holes_of_their_length() -> None:
    chance = random.Random(3)
    kept = [n for n in range(5000) if n == 0 or chance.random() >= 0.05]
    placed, clock = positions([(20 * n, 0.02 * (n + 1) + chance.uniform(0, 0.04)) for n in kept])
    errors = [place - FRAME * n for n, place in zip(kept, placed, strict=True) if place is not None]
    assert len(errors) == len(kept)
    assert max(errors) - min(errors) <= 40 * 8
    lost_ms = 20 * (kept[-1] + 1 - len(kept))
    assert abs(clock.gaps_ms - lost_ms) <= 40


def test_without_time_stamps_a_silence_becomes_a_hole() -> None:
    placed, clock = positions([(None, 0.02), (None, 0.04), (None, 1.54), (None, 1.56)])
    assert placed == [0, 160, 1520 * 8, 1540 * 8]
    assert clock.gaps_ms == 1480


def test_a_stall_and_the_burst_after_it_lose_nothing_with_time_stamps() -> None:
    on_time: list[tuple[int | None, float]] = [(20 * n, 0.02 * (n + 1)) for n in range(50)]
    burst: list[tuple[int | None, float]] = [(20 * n, 1.6) for n in range(50, 80)]
    placed, clock = positions(on_time + burst)
    assert placed == [FRAME * n for n in range(80)]
    assert clock.gaps_ms == 0


def test_without_time_stamps_a_burst_stays_near_the_clock() -> None:
    on_time: list[tuple[int | None, float]] = [(None, 0.02 * (n + 1)) for n in range(50)]
    placed, _ = positions(on_time + [(None, 1.6)] * 30)
    last = placed[-1]
    assert last is not None
    assert abs(last + FRAME - 1600 * 8) <= (MAX_ERROR_MS + 20) * 8


def test_late_and_double_frames_are_dropped() -> None:
    placed, clock = positions(
        [(0, 0.05), (20, 0.07), (60, 0.11), (40, 0.112), (60, 0.113), (80, 0.13), (80, 0.131), (100, 0.15)]
    )
    assert placed == [240, 400, 720, None, None, 880, None, 1040]
    assert clock.gaps_ms == 20


def test_a_gateways_clock_that_jumps_does_not_move_the_sound() -> None:
    for jump_ms in (5_000, -5_000, 3_600_000, -40_000):
        stamps = [60_000 + 20 * n + (jump_ms if n >= 100 else 0) for n in range(200)]
        placed, clock = positions([(stamp, 0.02 * (n + 1)) for n, stamp in enumerate(stamps)])
        assert placed == [FRAME * n for n in range(200)]
        assert clock.gaps_ms == 0


def test_time_stamps_that_stood_still_are_caught_up_with() -> None:
    stamps = [20 * n for n in range(2000)]
    placed, clock = positions([(s, 0.02 * (n + 1) + (2.0 if n >= 100 else 0)) for n, s in enumerate(stamps)])
    last = placed[-1]
    assert last is not None
    assert abs(last - FRAME * 1999 - 16000) <= MAX_ERROR_MS * 8
    assert abs(clock.gaps_ms - 2000) <= MAX_ERROR_MS


def test_an_hour_of_drift_stays_within_the_bound() -> None:
    chance = random.Random(11)
    for drift in (1 + 100e-6, 1 - 100e-6):
        for stamped in (True, False):
            clock, worst = SampleClock(start_s=0.0), 0.0
            for n in range(0, 180_000):
                at_s = 0.02 * (n + 1) * drift
                place = clock.place(FRAME, 20 * n if stamped else None, at_s + chance.uniform(0, 0.01))
                assert place is not None
                worst = max(worst, abs(place + FRAME - 8000 * at_s))
            assert worst <= (MAX_ERROR_MS + 15) * 8


def test_odd_sizes_with_rounded_stamps_leave_no_holes() -> None:
    clock, sample, end = SampleClock(start_s=0.0), 0, 0
    for n in range(500):
        samples = 138 if n % 2 else 163
        assert clock.place(samples, sample // 8, (sample + samples) / 8000) == end
        sample += samples
        end = sample
    assert clock.gaps_ms == 0


@given(
    st.lists(
        st.tuples(st.none() | st.integers(0, 10**15), st.integers(0, 20_000), st.integers(1, 16_000)),
        max_size=60,
    )
)
def test_no_history_leads_far_from_the_clock(history: list[tuple[int | None, int, int]]) -> None:
    clock, now_s = SampleClock(start_s=100.0), 100.0
    for stamp, wait_ms, samples in history:
        now_s += wait_ms / 1000
        place = clock.place(samples, stamp, now_s)
        assert place is None or 0 <= place <= (now_s - 100.0) * 8000 + MAX_ERROR_MS * 8 + 1
    assert clock.gaps_ms >= 0
