"""The common spelling, and words counted in it."""

import pytest

from callcenter.demo.wer import WordErrors, normalise, word_errors


@pytest.mark.parametrize(
    ("text", "spelling"),
    [
        ("Hello, Mr. Smith! How's it going?", "hello mister smith how's it going"),
        ("It’s 3831.", "it's 3831"),
        ("It's 38 31.", "it's 3831"),
        ("It's 3-8-3-1", "it's 3831"),
        ("it's three eight three one", "it's 3831"),
        ("it's three 8 31", "it's 3831"),
        ("zero zero seven", "007"),
        ("fifty-five dollars", "55 dollars"),
        ("fifty five dollars", "55 dollars"),
        ("55 dollars", "55 dollars"),
        ("thirty minutes", "30 minutes"),
        ("thirty ten", "30 10"),
        ("twelve", "12"),
        ("ten percent", "10 percent"),
        ("10%", "10 percent"),
        ("between two and five", "between 2 and 5"),
        ("twenty zero", "20 0"),
        ("someone won the phone", "someone won the phone"),
        ("  ", ""),
        ("...", ""),
    ],
)
def test_one_spelling(text: str, spelling: str) -> None:
    assert normalise(text) == spelling


def test_spelling_of_a_spelling_is_itself() -> None:
    for text in ("It's 38 31, Mrs. Reed.", "fifty five or thirty", "A 10% refund"):
        assert normalise(normalise(text)) == normalise(text)


def test_different_numbers_stay_different() -> None:
    assert normalise("fifteen") != normalise("fifty")
    assert normalise("3831") != normalise("3881")


def test_errors_are_counted_over_both_speakers() -> None:
    pairs = [
        ("Good morning, my name is Anna.", "good morning my name is hannah"),
        ("It is 3831.", "it's three eight three one thanks"),
    ]
    # Anna -> hannah; "it is" -> "it's" is one word wrong and one missing; "thanks" was added.
    assert word_errors(pairs) == WordErrors(words=9, errors=4)


def test_a_speaker_who_said_nothing_adds_only_what_was_made_up() -> None:
    assert word_errors([("red two apples", "red two apples"), ("", "made up")]) == WordErrors(3, 2)


def test_all_words_missing() -> None:
    errors = word_errors([("my phone is down", "")])
    assert errors == WordErrors(4, 4)
    assert errors.rate == 1.0


def test_nothing_said_has_no_rate() -> None:
    assert word_errors([]).rate is None
    assert word_errors([("", "")]).rate is None
