from hypothesis import given
from hypothesis import strategies as st

from callcenter.storage.clock import SteadyTime

SECOND = 1_000_000
HOUR = 3600 * SECOND


def test_it_follows_the_beat() -> None:
    time = SteadyTime(HOUR)
    assert time.at(5) == HOUR + 5
    assert time.at(SECOND) == HOUR + SECOND


def test_the_same_beat_gives_later_times() -> None:
    time = SteadyTime(0)
    assert [time.at(7), time.at(7), time.at(7), time.at(10)] == [7, 8, 9, 10]


def test_a_slow_clock_is_put_right_at_once() -> None:
    time = SteadyTime(0)
    time.correct(SECOND, 2 * SECOND)
    assert time.at(SECOND) == 3 * SECOND


def test_a_fast_clock_slows_down_until_it_is_right() -> None:
    time = SteadyTime(0)
    assert time.at(SECOND) == SECOND
    time.correct(SECOND, -SECOND)
    assert time.at(2 * SECOND) == SECOND + 950_000
    assert time.at(11 * SECOND) == 10 * SECOND + 500_000
    assert time.at(100 * SECOND) == 99 * SECOND


def test_a_correction_during_a_correction_starts_from_where_the_clock_is() -> None:
    time = SteadyTime(0)
    time.correct(0, -SECOND)
    before = time.at(10 * SECOND)
    time.correct(10 * SECOND, -2 * SECOND)
    assert 0 < time.at(10 * SECOND + 100) - before <= 100


@given(
    st.lists(st.tuples(st.integers(0, HOUR), st.integers(-HOUR, HOUR) | st.none()), max_size=50),
)
def test_it_never_goes_back(steps: list[tuple[int, int | None]]) -> None:
    time, beat, last = SteadyTime(0), 0, -1
    for pause, offset in steps:
        beat += pause
        if offset is not None:
            time.correct(beat, offset)
        now = time.at(beat)
        assert now > last
        last = now
