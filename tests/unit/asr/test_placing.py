from asr.endpoint import Utterance
from asr.placing import placed, without_first
from asr.recognizer import Word

SAID = Utterance(bytes(32_000), 80_000, 96_000, 82_400, 93_600, 1400)
"""Sound from 10 to 12 s, voice from 10.3 to 11.7 s."""


def word(text: str, start_s: float = 0.0, end_s: float = 0.0) -> Word:
    return Word(text, start_s, end_s, 0.5)


def test_words_lie_on_the_clock_of_the_leg_and_within_the_voice() -> None:
    first, middle, last = placed((word("a", 0.0, 0.5), word("b", 0.5, 0.9), word("c", 0.9, 2.0)), SAID)
    assert (first.start_s, first.end_s) == (10.26, 10.5)
    assert (middle.start_s, middle.end_s) == (10.5, 10.9)
    assert (last.start_s, last.end_s) == (10.9, 11.7)


def test_no_word_ends_before_it_begins() -> None:
    (late,) = placed((word("a", 1.9, 1.95),), SAID)
    assert late.start_s == late.end_s == 11.7


def test_words_that_were_said_before_are_left_out_with_their_times() -> None:
    words = (word("We"), word("will"), word("see."))
    assert without_first(words, "We will see.", "see.") == words[2:]
    assert without_first(words, "We will see.", "We will see.") == words
    assert without_first(words, "We will see.", "") == ()
    pieces = (word("番号"), word("は"), word("一"))
    assert without_first(pieces, "番号は一", "は一") == pieces[1:]


def test_a_word_after_a_pause_begins_with_the_voice() -> None:
    voiced = bytes([0] * 15 + [1] * 20 + [0] * 15 + [1] * 20 + [0] * 30)
    said = Utterance(bytes(32_000), 80_000, 96_000, 82_400, 91_200, 800, voiced=voiced)
    first, second = placed((word("Yes,", 0.3, 0.72), word("please.", 0.72, 1.4)), said)
    assert (first.start_s, first.end_s) == (10.3, 10.72)
    assert second.start_s == 11.0


def test_a_short_gap_within_a_word_is_no_pause() -> None:
    voiced = bytes([1] * 10 + [0] * 4 + [1] * 86)
    said = Utterance(bytes(32_000), 80_000, 96_000, 80_000, 96_000, 1900, voiced=voiced)
    (only,) = placed((word("operator", 0.1, 0.8),), said)
    assert only.start_s == 10.1
