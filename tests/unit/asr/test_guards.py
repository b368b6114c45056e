"""What is no speech is not taken for speech, and the other way round."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.guards import (
    Decoded,
    Verdict,
    compression_ratio,
    is_believable,
    is_loop,
    is_no_speech,
    judge,
    too_many_tokens,
    until_loop,
)


def samples(pcm16: bytes) -> np.ndarray:
    return np.frombuffer(pcm16, "<i2").astype(np.float32) / 32768


def test_tones_noise_and_silence_are_no_speech(no_speech: bytes) -> None:
    assert is_no_speech(samples(no_speech))


@pytest.mark.parametrize("text", ["Yes.", "No.", "One moment, please.", "Mm hm.", "Oh.", "Six."])
@pytest.mark.parametrize("level", [1.0, 0.1])
def test_speech_is_speech(say: Callable[..., bytes], text: str, level: float) -> None:
    for voice in ("en-us", "en-us+f2", "en-gb-scotland+m3"):
        assert not is_no_speech(samples(say(text, voice)) * np.float32(level))


def test_clipped_speech_is_speech(say: Callable[..., bytes]) -> None:
    assert not is_no_speech(np.clip(samples(say("I would like to pay my bill.")) * 20, -1, 1))


def test_nothing_is_no_speech() -> None:
    assert is_no_speech(np.zeros(0, np.float32))
    assert is_no_speech(np.ones(100, np.float32))


def test_repetition_compresses() -> None:
    assert compression_ratio("") == 0.0
    assert compression_ratio("Thank you for calling, how can I help you today?") < 1.5
    assert compression_ratio("Thank you. " * 30) > 2.4


def decoded(text: str, **how: object) -> Decoded:
    usual = {
        "language": "en",
        "tokens": 6,
        "log_probability": -0.2,
        "no_speech": 0.01,
        "capped": False,
        "voiced_ms": 2000,
    }
    return Decoded(text, **{**usual, **how})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("made", "verdict"),
    [
        (decoded("Yes, that is correct."), Verdict.KEEP),
        (decoded(""), Verdict.EMPTY),
        (decoded("Hello.", no_speech=0.9), Verdict.KEEP),
        (decoded("Hello.", log_probability=-1.5), Verdict.KEEP),
        (decoded("Hello.", no_speech=0.9, log_probability=-1.5), Verdict.EMPTY),
        (decoded("Thank you for watching.", voiced_ms=900), Verdict.EMPTY),
        (decoded("Thank you for watching.", voiced_ms=4000, log_probability=-0.9), Verdict.EMPTY),
        (decoded("Thank you for watching.", voiced_ms=4000), Verdict.KEEP),
        (decoded("ご視聴ありがとうございました", language="ja", voiced_ms=800), Verdict.EMPTY),
        (decoded("Yes yes.", capped=True), Verdict.RETRY),
        (decoded("Much too much for so little.", tokens=20, voiced_ms=400), Verdict.RETRY),
        (decoded("to the to the to the to the"), Verdict.RETRY),
        (decoded("the phone " * 40), Verdict.RETRY),
        (decoded("そのためそのためそのためそのため", language="ja"), Verdict.RETRY),
        (decoded("そのそのそのそのそのそのその", language="ja"), Verdict.RETRY),
        (decoded("はい、はい、はい、はい。", language="ja"), Verdict.KEEP),
        (decoded("お客様番号は1000000000です", language="ja"), Verdict.KEEP),
        (decoded("no " * 7), Verdict.RETRY),
        (decoded("My number is 0 0 0 0 0 0 0 0 0 1"), Verdict.KEEP),
        (decoded("4 2 4 2 4 2 4 2"), Verdict.KEEP),
        (decoded("… ♪", voiced_ms=900), Verdict.EMPTY),
        (decoded("Thank you. Thank you.", voiced_ms=900), Verdict.KEEP),
        (decoded("You", voiced_ms=400), Verdict.EMPTY),
        (decoded("No, no, no, no, no!"), Verdict.KEEP),
        (decoded("0 0 0 0 1"), Verdict.KEEP),
    ],
)
def test_what_was_decoded_is_judged(made: Decoded, verdict: Verdict) -> None:
    assert judge(made) is verdict


@pytest.mark.parametrize(
    ("tokens", "voiced_ms"),
    [(2, 150), (32, 4200), (29, 3600), (12, 700), (10, 1600), (15, 1200), (132, 15_000)],
    ids=[
        "yes",
        "a Japanese request",
        "katakana",
        "moshi moshi",
        "ten digits",
        "spelled letters",
        "monologue",
    ],
)
def test_nobody_speaks_too_fast_who_was_measured(tokens: int, voiced_ms: int) -> None:
    assert not too_many_tokens(tokens, voiced_ms)


def test_a_page_in_a_second_is_too_much() -> None:
    assert too_many_tokens(23, 1000)
    assert not too_many_tokens(22, 1000)


@given(st.lists(st.sampled_from("abcdefg"), unique=True, max_size=7), st.integers(0, 20))
def test_what_is_not_repeated_is_no_loop(words: list[str], marks: int) -> None:
    assert not is_loop([*words, *[""] * marks])


@given(st.lists(st.sampled_from(["pay", "bill", "call"]), min_size=1, max_size=6), st.integers(7, 20))
def test_what_is_repeated_often_is_a_loop_however_it_begins(piece: list[str], times: int) -> None:
    assert is_loop(piece * times)
    assert is_loop(["so", "then", *piece * times])


def test_a_loop_in_a_long_text_is_no_reason_to_throw_it_away() -> None:
    assert not is_loop([*"abcdefghijklmnop", *["no", "way"] * 4])


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("I want to the to the to the to the", "I want to the"),
        ("My number is 4071.", "My number is 4071."),
        ("well well well well well", "well"),
        ("", ""),
    ],
)
def test_text_is_kept_until_it_repeats_itself(text: str, kept: str) -> None:
    assert until_loop(text, "en") == kept


def test_words_are_believed_as_far_as_there_was_a_voice() -> None:
    assert is_believable(0.95, 0.3)
    assert is_believable(0.5, 0.9)
    assert not is_believable(0.5, 0.6)
    assert not is_believable(0.75, 0.5)
