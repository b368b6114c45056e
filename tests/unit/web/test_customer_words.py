"""The customers' texts: all languages say the same things."""

import string
import unicodedata

import pytest

from callcenter.web.customer.language import DEFAULT, LANGUAGES, chosen
from callcenter.web.customer.words import Words


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_missing_or_empty(language: str) -> None:
    words = LANGUAGES[language]
    assert words.keys() == Words.__annotations__.keys()
    assert all(str(text).strip() for text in words.values())


@pytest.mark.parametrize("name", Words.__annotations__)
def test_all_languages_fill_in_the_same(name: str) -> None:
    found = {language: placeholders(dict(words)[name]) for language, words in LANGUAGES.items()}  # type: ignore[arg-type]
    assert len(set(map(frozenset, found.values()))) == 1, found


def test_japanese_is_written_in_japanese() -> None:
    for name, text in LANGUAGES["ja"].items():
        signs = {unicodedata.name(sign, "").split()[0] for sign in str(text)}
        assert signs & {"HIRAGANA", "KATAKANA", "CJK", "FULLWIDTH"} or name in {"between"}, name


@pytest.mark.parametrize(
    ("asked", "accepted", "before", "language"),
    [
        ("", "", "", DEFAULT),
        ("ja", "en", "en", "ja"),
        ("xx", "ja", "", "ja"),
        ("", "de-DE,ja;q=0.5,en;q=0.4", "", "ja"),
        ("", "en;q=0.4,ja;q=0.5", "", "ja"),
        ("", "ja;q=0,en", "", "en"),
        ("", "ja;q=high, en", "", "en"),
        ("", "en", "ja-JP", "ja"),
        ("", "," * 10_000 + "ja", "", DEFAULT),
    ],
)
def test_the_language_is_asked_for_known_or_accepted(
    asked: str, accepted: str, before: str, language: str
) -> None:
    assert chosen(asked, accepted, before) == language
