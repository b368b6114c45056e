import random
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from callcenter.simulator.voices import Voice
from training.channel import loudness
from training.corpus import Recorded, Shard, mel_filters
from training.examples import LABEL_HZ, PAUSE, Example, Phonemes, example, token_spans, until
from training.speech import TimedWord, at_rate, held_out_voice, say, training_voice
from training.tokens import Tokens
from training.windows import IGNORED, LONG, MIDDLE, SHORT, Turn, Windows

VOICE = Voice("en-us", 165, 50, 50, 0)
TEXTS = ("Yes, the number is 4071.", "Hello, Mr Smith.", "I don't know.", "Please hold while I transfer you.")


@cache
def tokens() -> Tokens:
    return Tokens.build()


@cache
def examples() -> tuple[Example, ...]:
    made = []
    for text in TEXTS:
        said = say(text, VOICE)
        mel = loudness(at_rate(said.pcm16, said.rate_hz, 8000), mel_filters()).astype(np.float16)
        phonemes = tuple((phoneme.start_s, phoneme.name) for phoneme in said.phonemes)
        recorded = Recorded(text, 0, len(mel), said.words, phonemes)
        made.append(example(recorded, Shard(mel, (recorded,)), tokens(), Phonemes(n for _, n in phonemes)))
    return tuple(made)


def windows(seed: int) -> Windows:
    other = np.random.default_rng(0).normal(-4, 1, (1200, 80)).astype(np.float16)
    return Windows(examples(), [other], tokens(), np.random.default_rng(seed))


def test_words_are_timed_in_order_even_where_espeak_runs_them_together() -> None:
    said = say("Could you tell me of the refund of 4071, Mr Smith?", VOICE)
    written = [said.text[word.start : word.end] for word in said.words]
    assert " ".join(written) == said.text.replace("4071", "4 0 7 1")
    assert all(word.start_s < word.end_s for word in said.words)
    assert all(one.end_s <= following.start_s + 1e-6 for one, following in pairwise(said.words))
    assert said.words[-1].end_s <= len(said.pcm16) / 2 / said.rate_hz


def test_a_pause_belongs_to_no_word() -> None:
    said = say("Yes. No.", VOICE)
    assert said.words[1].start_s - said.words[0].end_s > 0.1


def test_parts_of_a_word_share_its_time_and_a_mark_ends_it() -> None:
    words = (TimedWord(0, 6, 1.0, 2.0), TimedWord(7, 10, 2.0, 2.6))
    spans = token_spans("abcde, fgh", [(0, 2), (2, 5), (5, 6), (6, 10)], words)
    assert spans[0] == pytest.approx((1.0, 1.4))
    assert spans[1] == pytest.approx((1.4, 2.0))
    assert spans[2] == pytest.approx((1.925, 2.1))
    assert spans[3] == pytest.approx((2.0, 2.6))


def test_frames_are_labelled_with_what_is_said() -> None:
    one = examples()[0]
    digit = tokens().encode("4")[0][0]
    start_s, end_s = one.spans[list(one.ids).index(digit)]
    middle = int((start_s + end_s) / 2 * LABEL_HZ)
    assert one.words[middle] == digit
    assert one.phonemes[middle] != PAUSE
    assert len(one.words) == len(one.phonemes) == len(one.mel) // 2


def test_unknown_phonemes_have_a_number_and_stress_does_not_count() -> None:
    phonemes = Phonemes(["'aI", "t", "_:"])
    assert len(phonemes) == 4
    assert phonemes.number("_") == PAUSE
    assert phonemes.number("aI") == phonemes.number("'aI") != phonemes.number("t")
    assert phonemes.number("?") == 3


@pytest.mark.parametrize("form", [*SHORT[1:2], *MIDDLE, *LONG])
def test_a_window_holds_its_turns(form) -> None:
    for seed in range(12):
        mel, turns = windows(seed).window(form)
        assert 0 < len(mel) <= form.frames
        assert np.isfinite(mel).all()
        assert len(turns) <= form.turns
        ends = [turn.at + len(turn.example.mel) for turn in turns]
        assert all(end <= len(mel) for end in ends)
        assert all(turn.at % 2 == 0 for turn in turns)
        assert all(end < turn.at for end, turn in zip(ends, turns[1:], strict=False))


def test_batches_are_filled_up_and_repeat_with_the_seed() -> None:
    one, same = (windows(5).batch((0, 1, 0), 4000) for _ in range(2))
    assert one.features.shape[1:] in ((1000, 80), (1600, 80))
    assert one.tokens.shape == one.targets.shape == one.guides.shape[:2]
    assert one.tokens.shape[1] % 32 == 0
    assert one.words.shape == one.phonemes.shape == (len(one.features), one.features.shape[1] // 2)
    assert all(np.array_equal(getattr(one, name), getattr(same, name)) for name in ("features", "tokens"))


def test_the_decoder_is_taught_the_text_of_all_turns_and_then_the_end() -> None:
    turns = [Turn(0, examples()[1]), Turn(200, examples()[2])]
    for seed in range(20):
        row = windows(seed).row(turns)
        said = [token for token in row.targets if token != IGNORED]
        assert said[-1] == tokens().end
        assert tokens().decode([token for token in said if token < tokens().end]) == f"{TEXTS[1]} {TEXTS[2]}"
        assert row.tokens[-len(said) :] == said
        stamps = [token for token in said if token >= tokens().first_timestamp]
        assert stamps == sorted(stamps)
        assert len(stamps) in (0, 4)


def test_who_is_interrupted_has_said_the_words_that_ended() -> None:
    whole = examples()[3]
    cut_s = float(whole.spans[2, 1]) + 0.01
    part = until(whole, int(cut_s * 100) // 2 * 2)
    assert part is not None
    assert list(part.ids) == list(whole.ids[:3])
    assert len(part.words) == len(part.phonemes) == len(part.mel) // 2 < len(whole.words)
    assert part.end_s == pytest.approx(whole.spans[2, 1])
    assert until(whole, 4) is None
    assert list(until(whole, len(whole.mel) + 20).ids) == list(whole.ids)


def test_what_is_no_speech_is_answered_with_nothing() -> None:
    for seed in range(20):
        row = windows(seed).row([])
        said = [token for token in row.targets if token != IGNORED]
        assert said == [tokens().id_of("nospeech"), tokens().end]


def test_some_windows_have_no_speech() -> None:
    source = windows(1)
    silent = sum(not source.window(SHORT[1])[1] for _ in range(300))
    assert 20 < silent < 70


def test_held_out_voices_are_not_trained_with() -> None:
    rng = random.Random(1)
    trained = {training_voice(rng).name.partition("+")[2] for _ in range(500)}
    held_out = {held_out_voice(rng).name.partition("+")[2] for _ in range(100)}
    assert len(held_out) == 7
    assert not trained & held_out
