import random
from functools import cache
from itertools import islice

import pytest
from faster_whisper.tokenizer import Tokenizer as FasterWhisperTokenizer

from training.text import training_texts, words
from training.tokens import CONTROLS, TIMESTAMPS, Tokens


@cache
def tokens() -> Tokens:
    return Tokens.build()


def test_texts_come_back_as_they_were() -> None:
    for text in islice(training_texts(random.Random(1)), 300):
        ids, offsets = tokens().encode(text)
        assert tokens().decode(ids) == text
        assert max(ids) < tokens().end
        assert offsets[0][0] == 0
        assert offsets[-1][1] == len(text)


def test_every_word_is_one_token_and_digits_stand_alone() -> None:
    plain = [word for word in words() if "'" not in word]
    assert len(plain) > 400
    assert all(len(tokens().encode(word)[0]) == 1 for word in plain)
    assert len(tokens().encode("482913")[0]) == 6


def test_words_outside_the_grammar_are_spelled() -> None:
    ids, _ = tokens().encode("Zürich?")
    assert len(ids) > 2
    assert tokens().decode(ids) == "Zürich?"


def test_ids_are_in_the_order_of_whisper() -> None:
    vocabulary = tokens().vocabulary()
    assert len(vocabulary) == len(tokens()) < 4000
    controls = vocabulary[tokens().end : tokens().first_timestamp]
    assert controls == [f"<|{name}|>" for name in CONTROLS]
    assert vocabulary[tokens().first_timestamp] == "<|0.00|>"
    assert vocabulary[-1] == "<|30.00|>"
    assert len(vocabulary) - tokens().first_timestamp == TIMESTAMPS


def test_the_vocabulary_is_the_same_every_time() -> None:
    assert Tokens.build().vocabulary() == tokens().vocabulary()


def test_a_token_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(KeyError):
        tokens().id_of("nothing")


def test_faster_whisper_finds_its_tokens_and_bans_no_word() -> None:
    tokenizer = FasterWhisperTokenizer(tokens().tokenizer, multilingual=False)
    assert tokenizer.sot_sequence == [tokens().id_of("startoftranscript")]
    assert tokenizer.timestamp_begin == tokens().first_timestamp
    assert tokenizer.no_speech == tokens().id_of("nospeech")
    banned = set(tokenizer.non_speech_tokens)
    assert tokens().id_of_token("Ġ") not in banned
    for text in islice(training_texts(random.Random(2)), 200):
        assert not banned & set(tokens().encode(text)[0]), text
