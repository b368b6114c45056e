from datetime import UTC, date, datetime

import pytest

from callback.dialogue import Ask, Booked, Listen, Pressed, Silence
from callback.known import Decided, Decision, Known, Standing

TODAY = date(2026, 3, 2)
AT = datetime(2026, 3, 2, 15, 15, tzinfo=UTC)


def said(answer: object) -> str:
    assert isinstance(answer, Ask | Decided)
    return " ".join(line.text for line in answer.lines)


def test_who_stands_in_line_hears_the_place() -> None:
    asked = said(Known(Standing(3, AT, TODAY)).begin())
    assert "number 3 in line" in asked
    assert "today" not in asked


def test_who_chose_a_time_hears_the_time() -> None:
    assert "today at 3 15 p.m." in said(Known(Standing(None, AT, TODAY)).begin())
    assert "今日の15時15分" in said(Known(Standing(None, AT, TODAY), "ja").begin())


@pytest.mark.parametrize(
    ("key", "decision"), [("1", Decision.HOLD), ("2", Decision.CANCEL), ("3", Decision.KEEP)]
)
def test_a_key_decides(key: str, decision: Decision) -> None:
    known = Known(Standing(3, AT, TODAY))
    known.begin()
    decided = known.feed(Pressed(key))
    assert isinstance(decided, Decided)
    assert decided.decision is decision
    assert decided.lines


def test_a_place_in_another_line_is_none_in_this_one() -> None:
    known = Known(Standing(3, AT, TODAY, elsewhere=True))
    assert "in another matter" in said(known.begin())
    assert "number 3" not in said(known.begin())
    assert known.feed(Pressed("1")) == known.begin()
    kept = known.feed(Pressed("3"))
    assert isinstance(kept, Decided)
    assert "stay on the line" in said(kept)


def test_who_presses_nothing_has_decided_nothing() -> None:
    known = Known(Standing(3, AT, TODAY))
    first = known.begin()
    assert known.feed(Silence()) == first
    assert known.feed(Silence()) == Decided(Decision.NOTHING)
    assert known.feed(Booked()) == Listen()
