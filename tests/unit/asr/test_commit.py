from hypothesis import given
from hypothesis import strategies as st

from asr.commit import Agreement, changed, without_overlap
from asr.languages import folded

WORDS = st.lists(st.sampled_from(["yes", "no", "one", "two", "pay"]), max_size=8).map(" ".join)


def passes(*texts: str, language: str = "en") -> list[tuple[str, str]]:
    agreement = Agreement(language)
    return [agreement.hear(text) for text in texts]


def test_two_passes_that_agree_make_words_stable_but_never_the_last_one() -> None:
    assert passes("I want", "I want to", "I want to pay") == [
        ("", "I want"),
        ("I", "want to"),
        ("I want", "to pay"),
    ]


def test_a_pass_that_contradicts_changes_only_what_is_volatile() -> None:
    assert passes("I want to", "I want to pay", "A want to pay now", "A want to pay now please")[1:] == [
        ("I want", "to pay"),
        ("I want", "to pay now"),
        ("I want to pay", "now please"),
    ]


def test_capitals_and_marks_do_not_matter_and_a_doubtful_mark_waits() -> None:
    assert passes("Yes, my. number", "yes my number is") == [
        ("", "Yes, my. number"),
        ("yes my", "number is"),
    ]
    assert passes("Yes, that, is", "Yes, that. is fine")[1] == ("Yes, that", "is fine")
    assert passes("Yes, that. is", "Yes, that. is fine")[1] == ("Yes, that.", "is fine")
    assert passes("Yes, that. is", "Yes, that. is fine", "yes that is fine now")[2] == (
        "Yes, that. is",
        "fine now",
    )


def test_japanese_agrees_by_characters() -> None:
    assert passes("電話番", "電話番号は", language="ja")[1] == ("電話", "番号は")


def test_marks_that_stand_alone_neither_count_nor_shift_what_follows() -> None:
    assert passes("はいそうで", "はい、そうです", "「はい」そうですね", language="ja") == [
        ("", "はいそうで"),
        ("はい、そう", "です"),
        ("はい、そうで", "すね"),
    ]
    assert passes("hello - there", "hello there you", "- hello there you are")[2] == (
        "hello there",
        "you are",
    )


def test_the_language_of_the_first_pass_counts_where_none_was_given() -> None:
    agreement = Agreement("auto")
    agreement.hear("電話番", "ja")
    assert agreement.hear("電話番号は", "ja") == ("電話", "番号は")
    assert agreement.hear("電話番号は何", "en") == ("電話番号", "は何")


def test_a_pass_that_is_shorter_than_what_is_stable_takes_nothing_back() -> None:
    assert passes("one two no", "one two no yes", "one", "")[1:] == [
        ("one two", "no yes"),
        ("one two", ""),
        ("one two", ""),
    ]


@given(st.lists(WORDS, max_size=6))
def test_what_is_stable_only_grows_and_was_heard(texts: list[str]) -> None:
    before = ""
    for (stable, _), text in zip(passes(*texts), texts, strict=True):
        assert stable.startswith(before)
        assert len(stable.split()) <= max(len(before.split()), len(text.split()))
        before = stable


JAPANESE = st.text("はいそう番号。、「」 ", max_size=10)


@given(st.lists(JAPANESE, max_size=6))
def test_so_it_is_without_blanks_and_nothing_is_shown_twice_or_lost(texts: list[str]) -> None:
    before = ""
    for (stable, volatile), text in zip(passes(*texts, language="ja"), texts, strict=True):
        assert stable.startswith(before)
        said = folded(text, "ja")
        assert len(folded(stable + volatile, "ja")) == max(len(said), len(folded(stable, "ja")))
        assert said.endswith(folded(volatile, "ja"))
        before = stable


def test_stable_words_that_the_final_does_not_have_are_counted() -> None:
    assert changed("I want to", "I want to pay.", "en") == (0, 3)
    assert changed("I won to", "I want to pay.", "en") == (1, 3)
    assert changed("", "Anything", "en") == (0, 0)
    assert changed("I want", "", "en") == (2, 2)
    assert changed("I want to", "Well, I really want to pay", "en") == (0, 3)
    assert changed("two three one", "one two three", "en") == (1, 3)
    assert changed("はい、電話", "はい電車です。", "ja") == (1, 4)


@given(WORDS, WORDS)
def test_what_the_final_begins_with_has_not_changed(stable: str, rest: str) -> None:
    lost, count = changed(stable, f"{stable} {rest}", "en")
    assert (lost, count) == (0, len(stable.split()))
    assert 0 <= changed(stable, rest, "en")[0] <= count


def test_what_was_said_twice_is_left_out_once() -> None:
    assert without_overlap("and then we will", "We will see.", "en") == "see."
    assert without_overlap("and then we", "They will see.", "en") == "They will see."
    assert without_overlap("", "Yes.", "en") == "Yes."
    assert without_overlap("電話番号", "番号は", "ja") == "は"
    assert without_overlap("お支払いです。", "です、お願いします。", "ja") == "お願いします。"
    assert without_overlap("it is done.", "Done.", "en") == ""
    assert without_overlap("a b c d e", "a b c d e f", "en") == "a b c d e f"
    assert without_overlap("a b c", "b c d", "en", longest_units=1) == "b c d"


@given(WORDS, WORDS)
def test_leaving_out_never_adds(before: str, after: str) -> None:
    left = without_overlap(before, after, "en")
    assert after.endswith(left)
    assert len(after.split()) - len(left.split()) <= 4
