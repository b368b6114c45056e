import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.languages import ends_sentence, folded, is_stock_phrase, joined, normalised, units


@pytest.mark.parametrize(
    ("text", "language", "ends"),
    [
        ("That is all.", "en", True),
        ('He said "no."', "en", True),
        ("My number is", "en", False),
        ("Yes,", "en", False),
        ("", "en", False),
        ("ありがとうございます。", "ja", True),
        ("「はい。」", "ja", True),
        ("はい、", "ja", False),
        ("何時ですか？", "ja", True),
        ("はい｡", "ja", True),
        ("Wait… ", "en", True),
        ("¿Qué?", "es", True),
        (" ", "en", False),
    ],
)
def test_where_a_sentence_ends(text: str, language: str, ends: bool) -> None:
    assert ends_sentence(text, language) is ends


@pytest.mark.parametrize(
    ("text", "language", "parts"),
    [
        ("I can't hear you.", "en", ["I", "can't", "hear", "you."]),
        ("はい、 そう", "ja", list("はい、そう")),
        ("ที่นี่", "th", ["ที่", "นี่"]),
        ("", "en", []),
    ],
)
def test_units_are_words_or_characters(text: str, language: str, parts: list[str]) -> None:
    assert units(text, language) == parts
    assert units(joined(parts, language), language) == parts


@pytest.mark.parametrize(
    ("text", "language", "plain"),
    [
        ("I CAN’T hear 'you', Mr. Smith!", "en", "i can't hear you mr smith"),
        ("カタカナ、ＡＢＣ１２。", "ja", "カタカナabc12"),
        ("Ça va?", "fr", "ça va"),
        ("ｶﾞｽ・３％", "ja", "ガス3"),
        ("It's 10:30 - O'Neill's 'n' co.", "en", "it's 10 30 o'neill's n co"),
        ("हिन्दी में।", "hi", "हिन्दी में"),
        ("ที่นี่!", "th", "ที่นี่"),
        ("می\u200cخواهم؟", "fa", "میخواهم"),
        ("… -", "en", ""),
    ],
)
def test_folding_takes_away_what_is_no_word(text: str, language: str, plain: str) -> None:
    assert folded(text, language) == plain


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("二十三日の三時", "23日の三時"),
        ("千二百円です", "1200円です"),
        ("三万五千", "35000"),
        ("十万", "100000"),
        ("〇九〇", "090"),
        ("一人", "一人"),
        ("3万5000円", "35000円"),
        ("１億２千万", "120000000"),
        ("090", "090"),
        ("1,500円、二千二十六年。", "1500円2026年"),
        ("ｶｽﾀﾏｰ　ｾﾝﾀｰ", "カスタマーセンター"),
    ],
)
def test_japanese_numbers_become_digits(text: str, plain: str) -> None:
    assert normalised(text, "ja") == plain


def test_english_titles_are_read_in_full() -> None:
    assert normalised("Mr. Smith and Mrs Jones", "en") == "mister smith and missus jones"
    assert normalised("Dr Dupont", "fr") == "dr dupont"


def test_a_comma_within_a_number_does_not_part_it() -> None:
    assert normalised("$1,234,500, or 3, 400", "en") == "1234500 or 3 400"


@given(st.text("aÉßΐ3Ａｶﾞか番ที่ह्ि'’.,。、 \u3000\n", max_size=20), st.sampled_from(["en", "ja", "th", "hi"]))
def test_units_lose_nothing_but_blanks_and_folding_twice_is_folding_once(text: str, language: str) -> None:
    parts = units(text, language)
    assert "".join(joined(parts, language).split()) == "".join(text.split())
    assert units(joined(parts, language), language) == parts
    once = folded(text, language)
    assert folded(once, language) == once


@pytest.mark.parametrize(
    ("text", "language", "is_stock"),
    [
        ("Thank you for watching!", "en", True),
        ("ご視聴ありがとうございました。", "ja", True),
        ("Thank you.", "en", False),
        ("Thank you for watching my parcel.", "en", False),
        ("Yes.", "en", False),
        ("Okay.", "en", False),
        ("Bye.", "en", False),
        ("you", "en", True),
        ("I’ll see you in the next video.", "en", True),
        ("Thanks for watching!", "ja", True),
        ("チャンネル登録をお願いします！", "ja", True),
        ("ありがとうございました。", "ja", False),
        ("おやすみなさい。", "ja", False),
        ("", "en", False),
    ],
)
def test_phrases_that_models_invent(text: str, language: str, is_stock: bool) -> None:
    assert is_stock_phrase(text, language) is is_stock
