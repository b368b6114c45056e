"""Questions that callers ask in their own words, and the answers to them."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field
from rapidfuzz.distance import Levenshtein

from ivr.choices import PhraseList, Phrases, in_language
from ivr.node import Edge
from ivr.part import Name, Part, Seconds, as_list
from ivr.phrases import Match, trust, units
from ivr.prompt import Prompts, SomePrompts
from ivr.questions import Question, Score
from ivr.wording import WITHOUT_BLANKS, base

SURE, UNSURE, MARGIN = 0.8, 0.5, 0.15
_ALIKE = 0.75
"""Words that are less alike are different words."""


class Answer(Part):
    """One answer: how people ask for it, what they hear, and where the call goes then, if not on asking."""

    name: Name
    questions: Phrases
    answer: SomePrompts
    next: Name | None = None


class FaqText(Part):
    """A file of questions and answers."""

    answers: Annotated[tuple[Answer, ...], BeforeValidator(as_list), Field(min_length=1, max_length=200)]

    def named(self, name: str) -> Answer:
        """The answer with this name."""
        return next(answer for answer in self.answers if answer.name == name)

    def phrasings(self, language: str, own: str) -> dict[str, tuple[str, ...]]:
        """How people ask for each answer."""
        return {answer.name: in_language(answer.questions, language, own) for answer in self.answers}


class Faq(Question):
    """The caller asks in free words and hears the answers of ``file``, relative to the flow.

    After each answer ``more`` is asked ("Is there anything else?"); who says no, or nothing, goes to
    ``done``. Without a recognizer the call goes to ``no_match`` at once.
    """

    kind: Literal["faq"]
    file: Annotated[str, Field(min_length=1, max_length=500)]
    more: Prompts = ()
    done_phrases: PhraseList | None = None
    timeout_s: Seconds = 6
    sure: Score = SURE
    unsure: Score = UNSURE
    margin: Score = MARGIN
    done: Name

    @property
    def is_spoken(self) -> bool:
        """Always."""
        return True

    @property
    def takes_keys(self) -> bool:
        """Never: there is no key for a question."""
        return False

    def edges(self) -> Iterator[Edge]:
        """The way on, then the failures; what follows on an answer is in the file."""
        yield Edge("done", self.done, ("done",))
        yield from super().edges()


def answers_to(
    heard: str, confidence: float, phrasings: Mapping[str, Sequence[str]], language: str
) -> list[Match]:
    """How well each answer fits a question asked in free words, the best first.

    Of each phrasing it counts how much of it was said, where a word that only one answer knows weighs
    more than one that all of them know: a word has the weight 1 ÷ the number of answers that use it.
    """
    known = {
        name: [_words(phrase, language) for phrase in phrases]
        for name, phrases in phrasings.items()
        if phrases
    }
    used: dict[str, int] = {}
    for lists in known.values():
        for word in {word for words in lists for word in words}:
            used[word] = used.get(word, 0) + 1
    said, scale = _words(heard, language), trust(confidence)
    weights = {word: (1 / count, _likeness(word, said)) for word, count in used.items()}
    found = [
        Match(name, round(max(_said_of(words, weights) for words in lists) * scale, 4), 0, 0)
        for name, lists in known.items()
    ]
    return sorted(found, key=lambda one: -one.score)


def _words(text: str, language: str) -> tuple[str, ...]:
    """The words of a text once each; pairs of characters in languages without blanks."""
    found = units(text, language)
    if base(language) in WITHOUT_BLANKS and len(found) > 1:
        found = tuple(a + b for a, b in pairwise(found))
    return tuple(dict.fromkeys(found))


def _said_of(words: Sequence[str], weights: Mapping[str, tuple[float, float]]) -> float:
    """How much of a phrasing was said, by each word's weight and how like it is to one that was said."""
    whole = sum(weights[word][0] for word in words)
    return sum(weights[word][0] * weights[word][1] for word in words) / whole if whole else 0.0


def _likeness(word: str, said: Sequence[str]) -> float:
    best = max((Levenshtein.normalized_similarity(word, other) for other in said), default=0.0)
    return best if best >= _ALIKE else 0.0
