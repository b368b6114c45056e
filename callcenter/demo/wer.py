"""Word error rate of a transcript, after both texts were brought to one spelling. Pure.

The spelling: small letters, no punctuation, titles in full, numbers in digits. Digits that follow each other
are one number, however they were grouped or spoken: ``38 31``, ``3-8-3-1`` and ``three eight three one`` are
``3831``; ``fifty-five`` is ``55``.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import jiwer

_ONES = {
    name: str(value)
    for value, name in enumerate(
        ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    )
}
_TEENS = {
    name: str(value)
    for value, name in enumerate(
        (
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
            "sixteen",
            "seventeen",
            "eighteen",
            "nineteen",
        ),
        start=10,
    )
}
_TENS = {
    name: value
    for value, name in enumerate(
        ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"), start=2
    )
}
_TITLES = {"mr": "mister", "mrs": "missus"}
_TOKEN = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*|\d+")


@dataclass(frozen=True, slots=True)
class WordErrors:
    """Wrong, missing and added words against ``words`` that were said."""

    words: int
    errors: int

    @property
    def rate(self) -> float | None:
        """Errors per word said; ``None`` where nothing was said."""
        return self.errors / self.words if self.words else None


def normalise(text: str) -> str:
    """The text in the common spelling, words parted by one blank."""
    tokens = _TOKEN.findall(text.lower().replace("’", "'").replace("%", " percent "))
    words: list[str] = []
    in_digits = False
    place = 0
    while place < len(tokens):
        token = tokens[place]
        following = tokens[place + 1] if place + 1 < len(tokens) else ""
        if token in _TENS:
            unit = _digits(following)
            paired = len(unit) == 1 and unit != "0"
            words.append(f"{_TENS[token]}{unit if paired else 0}")
            place += 2 if paired else 1
            in_digits = False
            continue
        digits = _digits(token)
        if digits and in_digits:
            words[-1] += digits
        else:
            words.append(digits or _TEENS.get(token) or _TITLES.get(token, token))
        in_digits = bool(digits)
        place += 1
    return " ".join(words)


def _digits(token: str) -> str:
    """The digits of a digit string or of the name of one digit; empty for any other word."""
    return token if token.isdigit() else _ONES.get(token, "")


def word_errors(pairs: Sequence[tuple[str, str]]) -> WordErrors:
    """Count over pairs of what was said and what was written down of it, one pair for each speaker."""
    if not pairs:
        return WordErrors(0, 0)
    said, written = zip(*((normalise(one), normalise(other)) for one, other in pairs), strict=True)
    counted = jiwer.process_words(list(said), list(written))
    wrong_or_missing = counted.substitutions + counted.deletions
    return WordErrors(counted.hits + wrong_or_missing, wrong_or_missing + counted.insertions)
