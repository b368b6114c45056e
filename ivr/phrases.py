"""How well what was heard matches what may be said. Pure.

A phrase counts as said where a stretch of the transcript is like it: the transcript is cut into units (words,
or characters in languages without blanks), and every stretch of about the phrase's length is compared with it
by edit distance, so that a letter that was misheard costs little. Words around the phrase cost a little, and
so does a recognizer that does not trust itself.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from rapidfuzz.distance import Levenshtein

from ivr.wording import WITHOUT_BLANKS, base, wording

SURE, UNSURE, MARGIN = 0.88, 0.65, 0.1
MAX_UNITS = 60
"""Of a transcript; what a caller says after that is not a choice any more."""

_AROUND = 0.12
"""What all the words around a phrase can cost."""

_TRUST_AT_NOTHING, _TRUST_PER_CONFIDENCE = 0.6, 0.5
_KATAKANA, _HIRAGANA = (0x30A1, 0x30F6), 0x3041


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From ``sure`` on a choice is taken, from ``unsure`` on it is confirmed; ``margin`` is to the second."""

    sure: float = SURE
    unsure: float = UNSURE
    margin: float = MARGIN


@dataclass(frozen=True, slots=True)
class Match:
    """How well a name's best phrase matches, 0 to 1, and which units of the transcript it was found in."""

    name: str
    score: float
    start: int
    end: int

    def contains(self, other: "Match") -> bool:
        """Whether the other one was found in a part of what this one was found in."""
        return self.start <= other.start and other.end <= self.end and self.length > other.length

    @property
    def length(self) -> int:
        """Units."""
        return self.end - self.start


class Certainty(Enum):
    """What may be done with a match."""

    SURE = auto()
    UNSURE = auto()
    NONE = auto()


def units(text: str, language: str) -> tuple[str, ...]:
    """What is compared: words, or characters in languages without blanks.

    Without case, width, punctuation and fillers; number words are digits.
    """
    words = wording(language)
    folded = unicodedata.normalize("NFKC", text).casefold().replace("'", "").replace("\u2019", "")
    plain = "".join(c if c.isalnum() else " " for c in folded)
    if base(language) not in WITHOUT_BLANKS:
        found = [words.numbers.get(word, word) for word in plain.split() if word not in words.fillers]
        return tuple(found[:MAX_UNITS])
    for filler in sorted(words.fillers, key=len, reverse=True):
        plain = plain.replace(filler, " ")
    joined = "".join(_hiragana(words.numbers.get(c, c)) for c in plain if c != " ")
    return tuple(joined[:MAX_UNITS])


def _hiragana(character: str) -> str:
    first, last = _KATAKANA
    return chr(ord(character) - first + _HIRAGANA) if first <= ord(character) <= last else character


def trust(confidence: float) -> float:
    """How much a match counts with this confidence of the recognizer: 1 from 0.8 on, 0.85 at 0.5."""
    return min(_TRUST_AT_NOTHING + _TRUST_PER_CONFIDENCE * confidence, 1.0)


def matches(
    heard: str, confidence: float, choices: Mapping[str, Sequence[str]], language: str
) -> list[Match]:
    """How well each choice's phrases match, the best first. A choice without phrases is left out."""
    said = units(heard, language)
    found = [
        _best(name, said, [units(phrase, language) for phrase in phrases])
        for name, phrases in choices.items()
        if phrases
    ]
    scale = trust(confidence)
    scaled = [Match(one.name, round(one.score * scale, 4), one.start, one.end) for one in found if one]
    return sorted(scaled, key=lambda one: -one.score)


def _best(name: str, said: tuple[str, ...], phrases: Iterable[tuple[str, ...]]) -> Match | None:
    found = [match for phrase in phrases if phrase for match in _stretches(name, said, phrase)]
    return max(found, key=lambda one: (one.score, one.length), default=None)


def _stretches(name: str, said: tuple[str, ...], phrase: tuple[str, ...]) -> Iterator[Match]:
    wanted = "".join(phrase)
    for length in {min(len(phrase) + more, len(said)) for more in (-1, 0, 1)} - {0}:
        around = 1 - _AROUND * (len(said) - length) / len(said)
        for start in range(len(said) - length + 1):
            like = Levenshtein.normalized_similarity("".join(said[start : start + length]), wanted)
            yield Match(name, like * around, start, start + length)


def judge(found: Sequence[Match], limits: Thresholds) -> tuple[Certainty, Match | None]:
    """What is to be done with matches: the one that is meant, and how sure that is.

    "Technical support" also has "support" in it; the longer phrase that is surely there is what was said.
    """
    sure = [one for one in found if one.score >= limits.sure]
    left = [one for one in found if not any(longer.contains(one) for longer in sure)]
    ranked = sorted(left, key=lambda one: (-one.score, -one.length))
    if not ranked or ranked[0].score < limits.unsure:
        return Certainty.NONE, None
    best = ranked[0]
    rival = ranked[1].score if len(ranked) > 1 else 0.0
    if best.score >= limits.sure and round(best.score - rival, 4) >= limits.margin:
        return Certainty.SURE, best
    return Certainty.UNSURE, best
