"""The talk about a callback: every path, and that none goes on for ever or books what was not read back."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callback.dialogue import (
    MOST_DIGITS,
    MOST_QUESTIONS,
    TIMES_AT_ONCE,
    TRIES,
    Answer,
    Ask,
    Book,
    Booked,
    Check,
    Checked,
    Dialogue,
    Event,
    FindTimes,
    Listen,
    NotBooked,
    Outcome,
    Over,
    Pressed,
    Silence,
    Times,
)
from callback.refusal import Refusal

OWN, OTHER = "+12025550100", "+12025550142"
TODAY = date(2026, 3, 2)
STARTS = [datetime(2026, 3, 2, 15, 15, tzinfo=UTC) + timedelta(hours=8 * n) for n in range(6)]
TIMES = Times(STARTS, TODAY)


def heard(answer: Answer) -> str:
    assert isinstance(answer, Ask | Over), answer
    return " ".join(line.text for line in answer.lines)


def keys(dialogue: Dialogue, text: str) -> Answer:
    answer: Answer = Listen()
    for key in text:
        answer = dialogue.feed(Pressed(key))
    return answer


def test_who_keeps_the_place_confirms_the_own_number() -> None:
    dialogue = Dialogue(OWN, key="5")
    assert "press 5" in heard(dialogue.offer())
    assert "press 1" in heard(keys(dialogue, "5"))
    asked = heard(keys(dialogue, "1"))
    assert "as soon as it is your turn" in asked
    assert "ends in 0, 1, 0, 0" in asked
    assert keys(dialogue, "1") == Book(OWN)
    over = dialogue.feed(Booked(130))
    assert isinstance(over, Over)
    assert over.outcome is Outcome.ACCEPTED
    assert "within 3 minutes" in heard(over)
    assert heard(over).endswith("Goodbye.")


def test_who_chooses_a_time_hears_some_at_once_and_later_ones_by_the_star() -> None:
    dialogue = Dialogue(OWN)
    dialogue.begin()
    assert keys(dialogue, "2") == FindTimes()
    first = heard(dialogue.feed(TIMES))
    assert "For today at 3 15 p.m., press 1." in first
    assert "For tomorrow at 7 15 a.m., press 3." in first
    assert first.count("For ") == TIMES_AT_ONCE + 1  # and later times
    assert "For on Tuesday" not in first
    assert "press 2" in heard(keys(dialogue, "*"))
    assert heard(keys(dialogue, "*")) == first
    keys(dialogue, "*")
    assert "We will call you on Wednesday at 7 15 a.m." in heard(keys(dialogue, "2"))
    assert keys(dialogue, "1") == Book(OWN, STARTS[5])
    assert "We will call you on Wednesday" in heard(dialogue.feed(Booked()))


def test_whose_number_has_a_callback_already_is_promised_no_other() -> None:
    dialogue = Dialogue(OWN, times=False)
    dialogue.begin()
    keys(dialogue, "1")
    said = heard(dialogue.feed(Booked(130, stood=True)))
    assert "as agreed" in said
    assert "your place" not in said


@pytest.mark.parametrize("end", ["#", None])
def test_a_number_is_keyed_in_and_read_back_digit_by_digit(end: str | None) -> None:
    dialogue = Dialogue("", times=False)
    assert "enter the telephone number" in heard(dialogue.begin())
    keys(dialogue, "999*2025550142")
    asked = keys(dialogue, end) if end else dialogue.feed(Silence())
    assert asked == Check("2025550142")
    assert "2, 0, 2, 5, 5, 5, 0, 1, 4, 2" in heard(dialogue.feed(Checked(OTHER)))
    assert keys(dialogue, "1") == Book(OTHER)


def test_another_number_than_the_own_one() -> None:
    dialogue = Dialogue(OWN, times=False)
    dialogue.begin()
    keys(dialogue, "22025550142#")
    dialogue.feed(Checked(OTHER))
    assert "enter the telephone number" in heard(keys(dialogue, "2"))
    keys(dialogue, "2025550143#")
    dialogue.feed(Checked("+12025550143"))
    assert keys(dialogue, "1") == Book("+12025550143")


@pytest.mark.parametrize(
    ("refusal", "said"),
    [
        (Refusal.NUMBER_INVALID, "not a telephone number"),
        (Refusal.NUMBER_EMERGENCY, "emergency"),
        (Refusal.NUMBER_OWN, "ours"),
        (Refusal.NUMBER_FOREIGN, "country"),
        (Refusal.NUMBER_PREMIUM, "kind"),
    ],
)
def test_a_bad_number_is_asked_for_again_three_times(refusal: Refusal, said: str) -> None:
    dialogue = Dialogue("", times=False)
    dialogue.begin()
    for _ in range(TRIES - 1):
        keys(dialogue, "911#")
        assert said in heard(dialogue.feed(Checked(refusal=refusal)))
    keys(dialogue, "911#")
    over = dialogue.feed(Checked(refusal=refusal))
    assert isinstance(over, Over)
    assert over.outcome is Outcome.DECLINED


def test_too_many_digits_are_no_number() -> None:
    dialogue = Dialogue("", times=False)
    dialogue.begin()
    assert "not a telephone number" in heard(keys(dialogue, "1" * (MOST_DIGITS + 1)))


@pytest.mark.parametrize("refusal", [Refusal.CLOSED, Refusal.TOO_MANY, Refusal.NOT_OFFERED])
@pytest.mark.parametrize("language", ["en", "ja-JP", "fr"])
def test_a_refused_wish_is_said_in_one_sentence(refusal: Refusal, language: str) -> None:
    dialogue = Dialogue(OWN, times=False, language=language)
    dialogue.begin()
    keys(dialogue, "1")
    over = dialogue.feed(NotBooked(refusal))
    assert isinstance(over, Over)
    assert over.outcome is Outcome.REFUSED
    assert len(over.lines) == 2


def test_a_number_not_to_be_called_may_be_another_one() -> None:
    dialogue = Dialogue(OWN, times=False)
    dialogue.begin()
    keys(dialogue, "1")
    assert "asked us not to call" in heard(dialogue.feed(NotBooked(Refusal.DO_NOT_CALL)))
    keys(dialogue, "2025550142#")
    dialogue.feed(Checked(OTHER))
    assert keys(dialogue, "1") == Book(OTHER)


def test_a_time_that_was_taken_meanwhile_is_chosen_anew() -> None:
    dialogue = Dialogue(OWN)
    dialogue.begin()
    keys(dialogue, "2")
    dialogue.feed(TIMES)
    assert keys(dialogue, "11") == Book(OWN, STARTS[0])
    assert dialogue.feed(NotBooked(Refusal.SLOT_FULL)) == FindTimes()
    assert "just been taken" in heard(dialogue.feed(Times(STARTS[1:], TODAY)))
    assert keys(dialogue, "11") == Book(OWN, STARTS[1])


def test_without_free_times_it_is_the_place_in_line() -> None:
    dialogue = Dialogue(OWN)
    dialogue.begin()
    keys(dialogue, "2")
    assert "no free times" in heard(dialogue.feed(Times((), TODAY)))
    assert keys(dialogue, "1") == Book(OWN)


def test_an_agent_who_was_found_first_ends_it_without_a_word() -> None:
    dialogue = Dialogue(OWN, times=False)
    dialogue.begin()
    keys(dialogue, "1")
    assert dialogue.feed(NotBooked()) == Over(Outcome.AGENT)


@pytest.mark.parametrize("given_keys", ["", "3", "7"])
def test_who_does_not_take_the_offer_goes_on_waiting(given_keys: str) -> None:
    dialogue = Dialogue(OWN)
    dialogue.offer()
    over = keys(dialogue, given_keys) if given_keys else dialogue.feed(Silence())
    assert over == Over(Outcome.DECLINED)


@pytest.mark.parametrize("before", ["1", "12", "11"])
def test_zero_goes_on_waiting_everywhere(before: str) -> None:
    dialogue = Dialogue(OWN)
    dialogue.offer()
    if keys(dialogue, before) == FindTimes():
        dialogue.feed(TIMES)
    over = keys(dialogue, "0")
    assert isinstance(over, Over)
    assert over.outcome is Outcome.DECLINED


def test_silence_is_asked_again_and_then_left_alone() -> None:
    dialogue = Dialogue(OWN)
    first = dialogue.begin()
    for _ in range(TRIES - 1):
        assert dialogue.feed(Silence()) == first
    assert isinstance(dialogue.feed(Silence()), Over)


def test_japanese() -> None:
    dialogue = Dialogue(OWN, language="ja")
    assert "1を押してください" in heard(dialogue.offer())
    keys(dialogue, "1")
    keys(dialogue, "2")
    said = heard(dialogue.feed(TIMES))
    assert "今日の15時15分は1を" in said
    assert "明日の7時15分は3を" in said
    keys(dialogue, "*")
    assert "3月4日水曜日の7時15分" in heard(keys(dialogue, "2"))
    assert keys(dialogue, "1") == Book(OWN, STARTS[5])


@pytest.mark.parametrize(
    ("start", "said"),
    [
        (datetime(2026, 3, 2, 0, 5, tzinfo=UTC), "today at 12 05 a.m."),
        (datetime(2026, 3, 8, 12, 0, tzinfo=UTC), "on Sunday at 12 p.m."),
        (datetime(2026, 3, 9, 9, 0, tzinfo=UTC), "on Monday, March 9 at 9 a.m."),
    ],
)
def test_times_are_said_as_people_say_them(start: datetime, said: str) -> None:
    dialogue = Dialogue(OWN)
    dialogue.begin()
    keys(dialogue, "2")
    assert f"For {said}, press 1." in heard(dialogue.feed(Times([start], TODAY)))


events = st.one_of(
    st.sampled_from("0123456789*#").map(Pressed),
    st.sampled_from("0123456789*#").map(Pressed),
    st.just(Silence()),
)
answers = st.one_of(
    st.sampled_from([Booked(), Booked(600), NotBooked(), *(NotBooked(refusal) for refusal in Refusal)]),
)
checks = st.sampled_from([Checked(OTHER), Checked(OTHER), *(Checked(refusal=refusal) for refusal in Refusal)])
lists = st.sampled_from([TIMES, Times(STARTS[:2], TODAY), Times((), TODAY)])


@given(st.data(), st.sampled_from(["", OWN]), st.booleans(), st.booleans(), st.sampled_from(["en", "ja"]))
def test_it_always_ends_and_books_only_what_was_read_back(
    data: st.DataObject, number: str, times: bool, asked: bool, language: str
) -> None:
    dialogue = Dialogue(number, times=times, language=language)
    answer = dialogue.begin() if asked else dialogue.offer()
    read_back, keyed = list[str](), ""
    for _ in range((MOST_QUESTIONS + TRIES) * (MOST_DIGITS + 4)):
        read_back += _read_back(answer)
        match answer:
            case Over():
                assert isinstance(dialogue.feed(Pressed("1")), Listen)
                return
            case Check(text):
                keyed = text
            case Book(confirmed):
                whole = [keyed] if confirmed == OTHER else []
                assert read_back[-1] in [*whole, confirmed[-4:]]
        answer = dialogue.feed(data.draw(_follows(answer)))
    pytest.fail("it goes on for ever")


def _follows(answer: Answer) -> st.SearchStrategy[Event]:
    match answer:
        case Check():
            return checks
        case FindTimes():
            return lists
        case Book():
            return answers
    return events


def _read_back(answer: Answer) -> Iterator[str]:
    """The digits of numbers that were just read out."""
    for line in answer.lines if isinstance(answer, Ask) else ():
        if line.personal and ("number" in line.text or "番号" in line.text):
            yield _digits(line.text)


def _digits(text: str) -> str:
    return "".join(character for character in text if character in "0123456789")
