import random
import re
from itertools import islice, pairwise

import pytest

from callcenter.simulator.phrases import TEMPLATES
from training.text import (
    count_sentences,
    held_out_texts,
    is_held_out,
    long_number,
    pieces,
    random_words,
    training_texts,
    words,
)


def drawn(seed: int, count: int = 2000) -> list[str]:
    return list(islice(training_texts(random.Random(seed)), count))


def test_there_are_more_than_a_million_sentences() -> None:
    assert count_sentences() > 10**6
    assert len(set(drawn(1))) > 1500


def test_texts_repeat_with_the_seed() -> None:
    assert drawn(4, 100) == drawn(4, 100)
    assert drawn(4, 100) != drawn(5, 100)


def test_what_is_held_out_is_never_trained_with() -> None:
    held_out = set(islice(held_out_texts(random.Random(2)), 300))
    assert len(held_out) > 200
    assert all(is_held_out(text) for text in held_out)
    assert not any(is_held_out(text) for text in drawn(3))


def test_sentences_without_a_slot_and_short_answers_are_always_trained_with() -> None:
    fixed = [text for _, group in TEMPLATES for text in group if "{" not in text]
    assert len(fixed) > 30
    assert not any(is_held_out(text) for text in fixed)
    assert not any(is_held_out(text) for text in ("Yes.", "For billing, press one.", "4071."))


def test_training_holds_long_numbers_and_words_in_any_order() -> None:
    texts = drawn(6)
    long = [text for text in texts if sum(map(len, re.findall(r"\d+", text))) >= 8]
    assert len(long) > 100
    assert sum(len(random_words(random.Random(seed)).split()) for seed in range(200)) > 800


def test_a_long_number_has_up_to_sixteen_digits() -> None:
    counts = [len(re.sub(r"\D", "", long_number(random.Random(seed)))) for seed in range(200)]
    assert min(counts) == 4
    assert max(counts) == 16


def test_words_are_written_as_inside_a_sentence() -> None:
    known = set(words())
    assert {"Acme", "Monday", "I", "I'm", "billing", "your", "zero", "Mr", "five"} <= known
    assert not {"Please", "Thank", "billing.", ""} & known


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("It's 407.", ["It's", "four", "zero", "seven."]),
        ("So 12, right?", ["So", "one", "two,", "right?"]),
        ("Yes, Mr Smith.", ["Yes,", "mister", "Smith."]),
        ("", []),
    ],
)
def test_digits_are_read_one_by_one(text: str, said: list[str]) -> None:
    assert [piece.spoken for piece in pieces(text)] == said


def test_pieces_cover_the_written_text_in_order() -> None:
    for text in drawn(7, 300):
        parts = pieces(text)
        assert "".join(text[part.start : part.end] for part in parts) == text.replace(" ", "")
        assert all(one.end <= following.start for one, following in pairwise(parts))


def test_some_speakers_say_oh_and_then_always() -> None:
    readings = {" ".join(p.spoken for p in pieces("00", random.Random(seed))) for seed in range(30)}
    assert readings == {"zero zero", "oh oh"}
