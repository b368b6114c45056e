"""What was heard and what may be said, by hand."""

import pytest

from ivr.phrases import Certainty, Match, Thresholds, judge, matches, trust, units

MENU = {"1": ["sales"], "2": ["support", "technical support"], "3": ["billing", "my bill"]}
JAPANESE = {"1": ["営業"], "2": ["サポート", "技術サポート"], "3": ["請求について", "お支払い"]}


def verdict(
    heard: str, choices: dict[str, list[str]] = MENU, language: str = "en", confidence: float = 1.0
) -> tuple[Certainty, str]:
    certainty, best = judge(matches(heard, confidence, choices, language), Thresholds())
    return certainty, best.name if best is not None else ""


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("Um, technical SUPPORT, please!", "en", ("technical", "support")),
        ("Option two.", "en", ("option", "2")),
        ("Ｂｉｌｌｉｎｇ", "en", ("billing",)),
        ("That's all", "en", ("thats", "all")),
        ("えーと、ｻﾎﾟｰﾄ。", "ja", ("さ", "ぽ", "ー", "と")),
        ("一番　です", "ja", ("1", "番", "で", "す")),
        ("...", "en", ()),
    ],
)
def test_what_is_compared(text: str, language: str, expected: tuple[str, ...]) -> None:
    assert units(text, language) == expected


@pytest.mark.parametrize(
    ("heard", "expected"),
    [
        ("Sales.", "1"),
        ("Um, sales, please.", "1"),
        ("I would like to speak to somebody in sales about my order", "1"),
        ("Technical support", "2"),
        ("technicle support", "2"),
        ("It is about my bill", "3"),
    ],
)
def test_what_is_surely_meant(heard: str, expected: str) -> None:
    assert verdict(heard) == (Certainty.SURE, expected)


@pytest.mark.parametrize(
    ("heard", "best"), [("Sail", ""), ("sale", "1"), ("billings", "3"), ("sapport", "2")]
)
def test_what_was_misheard_is_confirmed_or_nothing(heard: str, best: str) -> None:
    assert verdict(heard) == ((Certainty.UNSURE, best) if best else (Certainty.NONE, ""))


def test_two_at_once_are_no_choice() -> None:
    assert verdict("sales or billing")[0] is Certainty.UNSURE


@pytest.mark.parametrize("heard", ["", "...", "I don't know", "Thank you very much.", "perfect", "um"])
def test_what_means_nothing_here(heard: str) -> None:
    assert verdict(heard) == (Certainty.NONE, "")


def test_scores_by_hand() -> None:
    """Found whole in 1 of 3 words: 1 - 0.12 * 2/3 = 0.92. One of five letters wrong: 0.8."""
    assert matches("speak to sales", 1.0, {"1": ["sales"]}, "en") == [Match("1", 0.92, 2, 3)]
    assert matches("sale", 1.0, {"1": ["sales"]}, "en") == [Match("1", 0.8, 0, 1)]


def test_confidence_by_hand() -> None:
    assert [trust(confidence) for confidence in (1.0, 0.8, 0.5, 0.0)] == [1.0, 1.0, 0.85, 0.6]
    assert verdict("sales", confidence=0.5) == (Certainty.UNSURE, "1")


def test_the_longer_phrase_is_what_was_said() -> None:
    choices = {"any": ["support"], "phone": ["phone support"]}
    assert verdict("phone support", choices) == (Certainty.SURE, "phone")
    assert verdict("support", choices) == (Certainty.SURE, "any")


@pytest.mark.parametrize(
    ("heard", "expected"),
    [
        ("サポート", "2"),
        ("ｻﾎﾟｰﾄお願いします", "2"),
        ("さぽーと", "2"),
        ("えーと、技術サポートをお願いします。", "2"),
        ("請求についてききたいのですが", "3"),
        ("営業", "1"),
    ],
)
def test_japanese_has_no_blanks(heard: str, expected: str) -> None:
    assert verdict(heard, JAPANESE, "ja") == (Certainty.SURE, expected)


def test_japanese_with_a_mistake_is_confirmed() -> None:
    assert verdict("請求にたいて", JAPANESE, "ja") == (Certainty.UNSURE, "3")  # one of six: 0.83
    assert verdict("今日はいい天気", JAPANESE, "ja") == (Certainty.NONE, "")


@pytest.mark.parametrize(("first", "sure"), [(0.88, True), (0.87, False)])
def test_the_thresholds_are_met_exactly(first: float, sure: bool) -> None:
    certainty, _ = judge([Match("a", first, 0, 1), Match("b", first - 0.1, 2, 3)], Thresholds())
    assert certainty is (Certainty.SURE if sure else Certainty.UNSURE)


def test_a_margin_too_small() -> None:
    certainty, best = judge([Match("a", 0.95, 0, 1), Match("b", 0.86, 2, 3)], Thresholds())
    assert (certainty, best and best.name) == (Certainty.UNSURE, "a")


def test_long_talk_is_bounded() -> None:
    assert len(units("word " * 1000, "en")) == 60
