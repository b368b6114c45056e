import pytest

from callcenter.web.ranges import MAX_PENDING, MAX_SEEN, EventRanges


def test_ranges_come_back_in_order() -> None:
    ranges = EventRanges()
    ranges.announce("5..9")
    ranges.announce("3")
    assert [ranges.next(), ranges.next(), ranges.next()] == [(5, 9), (3, 3), None]


@pytest.mark.parametrize("payload", ["", "..", "a..b", "9..5", "0..1", "-3..-1", "1...2"])
def test_what_is_no_range_is_refused(payload: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # int() words it
        EventRanges().announce(payload)


def test_an_event_is_new_once() -> None:
    ranges = EventRanges()
    assert ranges.is_new(7, announced=True)
    assert not ranges.is_new(7, announced=True)
    assert not ranges.is_new(7, announced=False)
    assert ranges.last_seen == 7


def test_an_earlier_id_that_was_committed_later_is_still_new() -> None:
    ranges = EventRanges()
    ranges.skip_to(10)
    assert ranges.is_new(20, announced=True)
    assert ranges.is_new(15, announced=False)
    assert ranges.last_seen == 20


def test_what_nobody_watched_is_not_replayed() -> None:
    ranges = EventRanges()
    ranges.announce("5..9")
    ranges.skip()
    assert ranges.next() is None
    assert not ranges.is_new(8, announced=False)
    assert ranges.is_new(10, announced=False)


def test_too_many_ranges_become_one_resync() -> None:
    ranges = EventRanges()
    for number in range(1, MAX_PENDING + 2):
        ranges.announce(str(number))
    assert ranges.resync
    assert ranges.next() is None


def test_memory_is_bounded() -> None:
    ranges = EventRanges()
    for number in range(1, MAX_SEEN + 100):
        ranges.is_new(number, announced=True)
    assert len(ranges._seen) == MAX_SEEN
