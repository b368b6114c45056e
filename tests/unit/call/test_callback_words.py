"""What customers and agents are told when customers are called back."""

from string import Formatter

import pytest

from callcenter.call import callback_words as words


def fields(text: str) -> set[str | None]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def test_both_languages_say_the_same() -> None:
    english, japanese = words._ENGLISH, words._JAPANESE
    assert english.keys() == japanese.keys()
    for name, text in english.items():
        assert fields(text) == fields(japanese[name]), name


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "Thank you."),
        ("en-GB", "Thank you."),
        ("fr", "Thank you."),
        ("", "Thank you."),
        ("ja-JP", "ありが"),
    ],
)
def test_the_language_is_the_customers_where_it_is_spoken(language: str, text: str) -> None:
    assert words.say("connect", language).startswith(text)


@pytest.mark.parametrize(
    ("confirm", "others"), [("1", ["2", "3", "4"]), ("2", ["3", "4", "5"]), ("#", ["2", "3", "4"])]
)
def test_other_keys_are_none_that_confirms(confirm: str, others: list[str]) -> None:
    assert words.keys_beside(confirm, 3) == others
