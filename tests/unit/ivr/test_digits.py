import pytest

from ivr.digits import spoken_digits


@pytest.mark.parametrize(
    ("text", "digits", "clear"),
    [
        ("Four two seven.", "427", 1.0),
        ("427.", "427", 1.0),
        ("4 2 7", "427", 1.0),
        ("4-2-7", "427", 1.0),
        ("My account number is four, two, seven.", "427", 1.0),
        ("um, double three oh nine", "3309", 1.0),
        ("triple zero one", "0001", 1.0),
        ("forty two", "42", 1.0),
        ("forty zero", "400", 1.0),
        ("twenty forty one", "2041", 1.0),
        ("thirteen fifty", "1350", 1.0),
        ("four hundred", "4", 0.5),
        ("four two blah seven", "427", 0.75),
        ("no number at all", "", 0.0),
        ("", "", 0.0),
    ],
)
def test_english(text: str, digits: str, clear: float) -> None:
    found = spoken_digits(text, "en")
    assert (found.digits, found.clear) == (digits, clear)


@pytest.mark.parametrize(
    ("text", "digits", "clear"),
    [
        ("よんにーなな", "427", 1.0),
        ("４２７です", "427", 1.0),
        ("番号は四二七です。", "427", 1.0),
        ("サンゼロニ", "302", 1.0),
        ("きゅう、しち、れい", "970", 1.0),
        ("天気", "", 0.0),
    ],
)
def test_japanese(text: str, digits: str, clear: float) -> None:
    found = spoken_digits(text, "ja")
    assert (found.digits, found.clear) == (digits, clear)
