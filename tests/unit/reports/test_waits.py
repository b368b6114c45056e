"""Waits are exact to the microsecond and packed as the database packs them."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcenter.reports.waits import Waits, microseconds, nearest_rank


def waits(*seconds: float) -> Waits:
    found = Waits()
    for one in seconds:
        found.add(microseconds(one))
    return found


def test_they_are_packed_as_int8send_does() -> None:
    assert waits(0.000258, 2).packed == bytes([0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0x1E, 0x84, 0x80])


def test_a_limit_is_kept_to_the_microsecond() -> None:
    some = waits(20, 20.000001, 19.999999, 0.3)
    assert [some.within(limit) for limit in (20, 20.000001, 0.3, 0.299999, 0)] == [3, 4, 1, 0, 0]


def test_they_grow_after_they_were_looked_at() -> None:
    some = waits(3, 1)
    assert (some.nearest_rank_s(100), some.total) == (3, timedelta(seconds=4))
    some.extend(waits(7).packed)
    assert (some.nearest_rank_s(100), some.total, len(some)) == (7, timedelta(seconds=11), 3)
    assert list(some) == [timedelta(seconds=one) for one in (1, 3, 7)]
    assert some == waits(7, 3, 1) != waits(7, 3)
    assert Waits().nearest_rank_s(50) is None


@given(st.lists(st.integers(0, 2**40)), st.lists(st.integers(0, 2**40)), st.integers(1, 100))
def test_parts_put_together_are_the_whole(some: list[int], others: list[int], percent: int) -> None:
    whole = waits(*(one / 10**6 for one in some))
    whole.extend(waits(*(one / 10**6 for one in others)).packed)
    both = sorted(some + others)
    assert whole.total == timedelta(microseconds=sum(both))
    rank = nearest_rank(both, percent)
    assert whole.nearest_rank_s(percent) == (None if rank is None else pytest.approx(rank / 10**6))
