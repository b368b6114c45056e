"""What the training voices say: the simulator's grammar, long numbers, and words in any order.

Word sequences without sense keep the model from guessing by grammar alone. Some sentences are kept out of
training for good, by their check sum, so that any later evaluation can draw new ones.
"""

import random
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from math import prod

from callcenter.simulator.grammar import DIGIT_NAMES, TITLES, expand, sentence
from callcenter.simulator.phrases import SLOTS, TEMPLATES

RANDOM_WORDS_SHARE, LONG_NUMBER_SHARE = 0.18, 0.12
HELD_OUT_SHARE = 0.05
_HELD_OUT_WORDS_MIN = 5
_OH_SHARE = 0.25
_PROPER_SLOTS = ("first", "last", "company", "month", "day", "title")
_PROPER = frozenset({"I", "English", "Spanish", "Japanese"})
_WORD = re.compile(r"[A-Za-z']+")
_SLOT = re.compile(r"\{(\w+)(?::(\d+))?\}")
_NUMBER_CARRIERS = (
    "{n}.",
    "It's {n}.",
    "Sure, it is {n}.",
    "My {kind} number is {n}.",
    "The {kind} number is {n}.",
    "Your {kind} number is {n}.",
    "Yes, the number is {n}.",
    "So that is {n}, is that correct?",
    "Let me repeat that, {n}.",
    "Can you confirm the {kind} number {n}?",
    "You can reach me at {n}.",
)


@dataclass(frozen=True, slots=True)
class Piece:
    """A word as it is said, and the characters of the written text that it stands for."""

    spoken: str
    start: int
    end: int


@cache
def words() -> tuple[str, ...]:
    """All words of the grammar as they are written inside a sentence, sorted."""
    texts = [choice for choices in SLOTS.values() for choice in choices]
    texts += [template for _, group in TEMPLATES for template in group]
    proper = _PROPER | {
        word
        for name in _PROPER_SLOTS
        for choice in SLOTS[name]
        for word in choice.split()
        if word[0].isupper()
    }
    found = {word for text in texts for word in _WORD.findall(_SLOT.sub(" ", text))}
    found |= {word for text in texts if "my " in text for word in ("your",)} | set(DIGIT_NAMES)
    kept = {word if word in proper or word.startswith("I'") else word.lower() for word in found}
    return tuple(sorted(kept))


def count_sentences() -> int:
    """How many sentences the templates make, one at a time; the same text by two ways counts twice."""

    def ways(text: str) -> int:
        slots = _SLOT.findall(text)
        return prod(10 ** int(length) if name == "digits" else _choices(name) for name, length in slots)

    @cache
    def _choices(name: str) -> int:
        return sum(ways(choice) for choice in SLOTS[name.removeprefix("your_")])

    return sum(ways(template) for _, group in TEMPLATES for template in group)


@cache
def _fixed() -> frozenset[str]:
    texts = [template for _, group in TEMPLATES for template in group]
    return frozenset(text for text in texts if "{" not in text)


def is_held_out(text: str) -> bool:
    """Whether ``text`` is never trained with: one in twenty of those with five words and a slot or more."""
    if len(text.split()) < _HELD_OUT_WORDS_MIN or text in _fixed():
        return False
    return zlib.crc32(text.encode()) % 1000 < 1000 * HELD_OUT_SHARE


def training_texts(rng: random.Random) -> Iterator[str]:
    """Texts to train with, without end."""
    while True:
        draw = rng.random()
        if draw < RANDOM_WORDS_SHARE:
            text = random_words(rng)
        elif draw < RANDOM_WORDS_SHARE + LONG_NUMBER_SHARE:
            text = long_number(rng)
        else:
            text = sentence(rng)
        if not is_held_out(text):
            yield text


def held_out_texts(rng: random.Random) -> Iterator[str]:
    """Sentences of the grammar that are not in training, without end."""
    while True:
        text = sentence(rng)
        if is_held_out(text):
            yield text


def long_number(rng: random.Random) -> str:
    """A sentence with 4 to 16 digits, in one string or in groups."""
    digits = "".join(rng.choice("0123456789") for _ in range(rng.randint(4, 16)))
    group = rng.choice((len(digits), len(digits), 3, 4, 5))
    number = " ".join(digits[at : at + group] for at in range(0, len(digits), group))
    return expand(rng.choice(_NUMBER_CARRIERS).replace("{n}", number), rng)


def random_words(rng: random.Random) -> str:
    """One to ten words without sense, some of them numbers, some neighbours from a sentence."""
    chosen: list[str] = []
    for _ in range(rng.randint(1, 10)):
        draw = rng.random()
        if draw < 0.12:
            chosen.append("".join(rng.choice("0123456789") for _ in range(rng.randint(1, 6))))
        elif draw < 0.45:
            neighbours = [_inside(word) for word in _WORD.findall(sentence(rng))] or ["yes"]
            at = rng.randrange(len(neighbours))
            chosen += neighbours[at : at + rng.randint(1, 3)]
        else:
            chosen.append(rng.choice(words()))
    if len(chosen) > 4 and rng.random() < 0.3:
        chosen[rng.randrange(1, len(chosen) - 1)] += ","
    text = " ".join(chosen)
    return text[0].upper() + text[1:] + rng.choice("...?")


def _inside(word: str) -> str:
    """A word as it is written inside a sentence."""
    return word if word in words() else word.lower()


def pieces(text: str, rng: random.Random | None = None) -> list[Piece]:
    """How ``text`` is read out, digits one by one; now and then a speaker says "oh" for zero.

    Without ``rng`` a zero is a zero. Punctuation stays with its word, for the melody.
    """
    zero = "oh" if rng is not None and rng.random() < _OH_SHARE else DIGIT_NAMES[0]
    said: list[Piece] = []
    for found in re.finditer(r"\S+", text):
        word, start = found.group(), found.start()
        if not word[0].isdigit():
            said.append(Piece(TITLES.get(word, word), start, found.end()))
            continue
        digits = re.match(r"\d+", word)
        assert digits is not None
        names = [zero if digit == "0" else DIGIT_NAMES[int(digit)] for digit in digits.group()]
        said += [Piece(name, start + at, start + at + 1) for at, name in enumerate(names[:-1])]
        said.append(Piece(names[-1] + word[digits.end() :], start + digits.end() - 1, found.end()))
    return said
