import random
import re
from functools import cache
from pathlib import Path

import pytest

import asr
from callcenter.media.espeak import Espeak
from callcenter.simulator.dialogue import MAX_SPOKEN_WORDS, Speaker, Topic, dialogue
from callcenter.simulator.grammar import expand, sentence, spoken, words
from callcenter.simulator.phrases import SLOTS, TEMPLATES
from callcenter.simulator.voices import ACCENTS, COMMON_VARIANTS, RARE_VARIANTS, random_voice

MODEL = Path(asr.__file__).parent / "models" / "demo-en"
SLOT = re.compile(r"\\\{(\w+)(?::(\d+))?\\\}")


@cache
def slot_pattern(name: str) -> str:
    choices = SLOTS[name.removeprefix("your_")]
    if name.startswith("your_"):
        choices = tuple(choice.replace("my ", "your ") for choice in choices)
    return "(?:" + "|".join(pattern(choice) for choice in choices) + ")"


def pattern(template: str) -> str:
    def fill(found: re.Match[str]) -> str:
        name, length = found.groups()
        return rf"\d{{{length}}}" if name == "digits" else slot_pattern(name)

    return SLOT.sub(fill, re.escape(template).replace(r"\ ", " ").replace(":", ":"))


@cache
def sentence_patterns() -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern(text), re.IGNORECASE) for _, group in TEMPLATES for text in group)


def is_sentence(text: str) -> bool:
    return any(compiled.fullmatch(text) for compiled in sentence_patterns())


def test_every_word_is_known_to_the_bundled_model() -> None:
    known = set((MODEL / "vocabulary.txt").read_text().split())
    texts = [text for choices in SLOTS.values() for text in choices]
    texts += [text for _, group in TEMPLATES for text in group]
    bare = [re.sub(r"\{[^}]*\}", " ", text) for text in texts]
    assert {word for text in bare for word in words(text)} <= known


def test_every_slot_that_is_named_exists() -> None:
    texts = [text for choices in SLOTS.values() for text in choices]
    texts += [text for _, group in TEMPLATES for text in group]
    named = {name for text in texts for name in re.findall(r"\{(\w+)", text)}
    assert {name.removeprefix("your_") for name in named} - {"digits"} <= set(SLOTS)


def test_sentences_repeat_with_the_seed_and_differ_between_seeds() -> None:
    def drawn(seed: int) -> list[str]:
        rng = random.Random(seed)
        return [sentence(rng) for _ in range(50)]

    assert drawn(3) == drawn(3)
    assert drawn(3) != drawn(4)
    assert len(set(drawn(3))) > 40
    assert all(text[0].isupper() or text[0].isdigit() for text in drawn(3))
    assert not any("{" in text or "}" in text for text in drawn(3))


def test_a_slot_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(KeyError):
        expand("{nothing}", random.Random(1))


def test_the_other_side_says_your() -> None:
    text = expand("{your_object}", random.Random(1), {"object": ("my bill",)})
    assert text == "Your bill"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("It's 4071.", "It's four zero seven one."),
        ("So that is 12, is that correct?", "So that is one two, is that correct?"),
        ("Thank you, Mr Smith.", "Thank you, mister Smith."),
        ("Goodbye.", "Goodbye."),
        ("", ""),
    ],
)
def test_numbers_are_spoken_digit_by_digit(written: str, read: str) -> None:
    assert spoken(written) == read


@pytest.mark.parametrize("topic", list(Topic))
def test_dialogues_go_from_greeting_to_an_end_in_three_to_five_sentences(topic: Topic) -> None:
    for seed in range(40):
        turns = dialogue(random.Random(seed), topic)
        assert 3 <= len(turns) <= 5
        assert [turn.speaker for turn in turns[:2]] == [Speaker.AGENT, Speaker.CALLER]
        for turn in turns:
            assert is_sentence(turn.text), turn.text
            assert len(spoken(turn.text).split()) <= MAX_SPOKEN_WORDS


def test_a_sentence_outside_the_grammar_is_told_apart() -> None:
    assert is_sentence("My router is down since Monday.")
    assert not is_sentence("My router is purple since Monday.")


def test_voices_are_those_the_model_was_trained_on() -> None:
    engine = Espeak()
    for variant in (*COMMON_VARIANTS, *RARE_VARIANTS):
        assert engine.synthesize("Yes", f"en-us+{variant}").pcm16
    for accent in set(ACCENTS):
        assert engine.synthesize("Yes", accent).pcm16


def test_voices_stay_within_what_is_understood() -> None:
    voices = [random_voice(random.Random(seed)) for seed in range(300)]
    assert all(135 <= voice.rate_wpm <= 195 and 25 <= voice.pitch <= 80 for voice in voices)
    held_out = {"m5", "f3", "Annie", "klatt4", "steph3", "edward2", "Marco"}
    assert not held_out & {voice.name.partition("+")[2] for voice in voices}
    assert len({voice.name for voice in voices}) > 100
