from hypothesis import given
from hypothesis import strategies as st

from asr.scoring import Errors, score


def test_words_are_counted_without_marks_and_capitals() -> None:
    assert score("I want to pay.", "i want, to PLAY", "en") == Errors(4, 1)
    assert score("I want to pay.", "", "en") == Errors(4, 4)


def test_characters_are_counted_in_japanese_whatever_their_width() -> None:
    assert score("カード番号", "ｶｰﾄﾞ番号", "ja") == Errors(5, 0)
    assert score("電話番号", "電話番", "ja") == Errors(4, 1)


def test_what_was_never_said_counts_as_an_error() -> None:
    nothing = score("", "thank you", "en")
    assert nothing == Errors(0, 2)
    assert nothing.rate is None
    assert (nothing + score("yes no", "yes no", "en")).rate == 1.0


def test_added_words_count_and_a_rate_may_exceed_one() -> None:
    assert score("yes", "yes yes yes", "en") == Errors(1, 2)
    assert score("yes", "yes yes yes", "en").rate == 2.0
    assert score("...", "", "en") == Errors(0, 0)


def test_numbers_and_marks_of_another_spelling_are_no_errors() -> None:
    assert score("三万五千円です。", "3万5000円です", "ja") == Errors(8, 0)
    assert score("Mr. Ito owes 1,500.", "mister ito owes 1500", "en") == Errors(4, 0)
    assert score("", "はい。", "ja") == Errors(0, 2)


@given(st.text("ab はい。", max_size=12), st.text("ab はい。", max_size=12), st.sampled_from(["en", "ja"]))
def test_errors_are_none_for_the_same_and_bounded_by_the_longer(one: str, other: str, language: str) -> None:
    assert score(one, one, language).errors == 0
    there, back = score(one, other, language), score(other, one, language)
    assert there.errors == back.errors <= max(there.units, back.units)
