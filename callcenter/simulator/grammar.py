"""Sentences of call-center English, drawn from the templates of ``phrases``.

Numbers are written as digit strings and spoken digit by digit, as the bundled speech model hears them.
"""

import random
import re
from collections.abc import Mapping

from callcenter.simulator.phrases import SLOTS, TEMPLATES

DIGIT_NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TITLES = {"Mr": "mister", "Mrs": "missus"}

_SLOT = re.compile(r"\{(\w+)(?::(\d+))?\}")
_JOINABLE_CHARACTERS = 60
_JOINED_SHARE = 0.15


def expand(template: str, rng: random.Random, slots: Mapping[str, tuple[str, ...]] = SLOTS) -> str:
    """Fill the slots of ``template``; the first letter becomes a capital.

    ``slots`` may narrow the choices to what makes sense in one conversation. Raises ``KeyError`` for a
    slot that does not exist.
    """
    text = template
    while (found := _SLOT.search(text)) is not None:
        name, length = found.groups()
        text = text[: found.start()] + _fill(name, length, rng, slots) + text[found.end() :]
    return text[0].upper() + text[1:]


def _fill(name: str, length: str | None, rng: random.Random, slots: Mapping[str, tuple[str, ...]]) -> str:
    if name == "digits":
        return "".join(rng.choice("0123456789") for _ in range(int(length or 1)))
    if name.startswith("your_"):
        return rng.choice(slots[name.removeprefix("your_")]).replace("my ", "your ")
    return rng.choice(slots[name])


def sentence(rng: random.Random) -> str:
    """One sentence of the grammar; now and then two short ones joined, as the model was trained."""
    first = expand(_template(rng), rng)
    if len(first) < _JOINABLE_CHARACTERS and rng.random() < _JOINED_SHARE:
        return f"{first} {expand(_template(rng), rng)}"
    return first


def _template(rng: random.Random) -> str:
    weights = [weight * len(templates) for weight, templates in TEMPLATES]
    (group,) = rng.choices(TEMPLATES, weights)
    return rng.choice(group[1])


def spoken(text: str) -> str:
    """How ``text`` is read out: digits one by one, titles in full, punctuation kept for the melody."""
    return " ".join(_spoken_word(word) for word in text.split())


def _spoken_word(word: str) -> str:
    if not word[0].isdigit():
        return TITLES.get(word, word)
    names = [DIGIT_NAMES[int(digit)] for digit in word if digit.isdigit()]
    return " ".join(names) + word.lstrip("0123456789")


def words(text: str) -> list[str]:
    """The words of ``text`` in small letters, without punctuation; digit strings are left out."""
    return re.findall(r"[a-z']+", text.lower())
