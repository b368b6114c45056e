"""The nodes that wait for what the caller answers."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from ivr.choices import KEYS, AnyChoice, Choice, whole
from ivr.node import Edge, Node
from ivr.part import Keys, Name, NewVariable, Part, Seconds, problem
from ivr.phrases import MARGIN, SURE, UNSURE, Thresholds
from ivr.prompt import Prompts


class Failure(Part):
    """What is said before asking again, and where the call goes after the last attempt."""

    prompts: Prompts = ()
    next: Name


Score = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Question(Node):
    """Base of the nodes that wait for keys or words.

    ``attempts`` is how often the question is put in all; attempts without input, without a match and with an
    answer that the caller denied count together. ``barge_in`` says what keys and voices during the prompt
    do: interrupt it and count, or be dropped, together with all that was dialled ahead.

    ``say_or_press`` stands in for ``prompts`` while words can be heard. From ``sure`` on what was heard is
    taken, from ``unsure`` on, or where the second best is nearer than ``margin``, the caller is asked whether
    that was meant. ``operator: no`` keeps the flow's operator out of this question.
    """

    prompts: Prompts = ()
    say_or_press: Prompts = ()
    barge_in: bool = True
    attempts: Annotated[int, Field(ge=1, le=10)] = 3
    sure: Score = SURE
    unsure: Score = UNSURE
    margin: Score = MARGIN
    operator: bool = True
    no_input: Failure
    no_match: Failure

    @model_validator(mode="after")
    def _thresholds_in_order(self) -> Self:
        if self.unsure > self.sure:
            raise problem(f"{self.unsure:g} is more than sure, {self.sure:g}", "unsure")
        return self

    @property
    def is_spoken(self) -> bool:
        """Whether words can answer it."""
        return False

    @property
    def takes_keys(self) -> bool:
        """Whether keys can answer it."""
        return True

    @property
    def thresholds(self) -> Thresholds:
        """When what was heard is believed."""
        return Thresholds(self.sure, self.unsure, self.margin)

    def edges(self) -> Iterator[Edge]:
        """The ways out after the last attempt."""
        yield Edge("no input", self.no_input.next, ("no_input", "next"))
        yield Edge("no match", self.no_match.next, ("no_match", "next"))


def _keys_or_phrases(choices: Mapping[str, AnyChoice]) -> Mapping[str, AnyChoice]:
    for key, choice in choices.items():
        if key in KEYS:
            continue
        if isinstance(choice, str):
            raise problem(f"{key!r} is not one of 0-9, * and #", key)
        if not key[0].isalpha():
            raise problem(f"{key!r} is neither a key (0-9, * or #) nor a name", key)
        if choice.phrases is None:
            raise problem("is missing: without a key the choice must be said", key, "phrases")
    return choices


class Menu(Question):
    """One of the ``choices``, by key or by voice, within ``timeout_s`` of the prompt's end.

    A choice that can only be said stands under a name in the place of a key.
    """

    kind: Literal["menu"]
    timeout_s: Seconds = 5
    choices: Annotated[
        Mapping[Annotated[str, Field(min_length=1, max_length=63)], AnyChoice],
        Field(min_length=1, max_length=50),
        AfterValidator(_keys_or_phrases),
    ]

    @property
    def is_spoken(self) -> bool:
        """Whether any choice can be said."""
        return any(isinstance(choice, Choice) and choice.phrases for choice in self.choices.values())

    @property
    def takes_keys(self) -> bool:
        """Whether any choice has a key."""
        return any(key in KEYS for key in self.choices)

    def chosen(self, key: str) -> Choice | None:
        """The choice of a key, or of the name that stands in its place."""
        choice = self.choices.get(key)
        return None if choice is None else whole(choice)

    def edges(self) -> Iterator[Edge]:
        """The choices, then the failures."""
        for key, choice in self.choices.items():
            if isinstance(choice, str):
                yield Edge(key, choice, ("choices", key))
            else:
                yield Edge(_label(key, choice), choice.next, ("choices", key, "next"))
        yield from super().edges()


def _label(key: str, choice: Choice) -> str:
    phrases = choice.phrases or ()
    first = next(iter(phrases.values())) if isinstance(phrases, Mapping) else phrases
    return " ".join(part for part in (key if key in KEYS else "", f"“{first[0]}”" if first else "") if part)


class Gather(Question):
    """Several keys into ``variable``: exactly ``length``, or ``min_length`` to ``max_length``.

    It is over at the greatest length, at the ``terminator``, or when ``inter_digit_timeout_s`` pass
    without another key. Fewer keys than the least, or a key that is none of ``digits``, are no match.
    What a ``secret`` node gathers shows as asterisks in ``Input`` actions. With ``spoken`` the digits may be
    said, all at once or in groups; where any of them was heard badly they are read back and confirmed.
    """

    kind: Literal["gather"]
    variable: NewVariable
    digits: Keys = "0123456789"
    length: Annotated[int, Field(ge=1, le=64)] | None = None
    min_length: Annotated[int, Field(ge=1, le=64)] | None = None
    max_length: Annotated[int, Field(ge=1, le=64)] | None = None
    terminator: Annotated[str, Field(max_length=1)] = "#"
    first_digit_timeout_s: Seconds = 6
    inter_digit_timeout_s: Seconds = 3
    secret: bool = False
    spoken: bool = False
    next: Name

    @model_validator(mode="after")
    def _lengths_and_keys_agree(self) -> Self:
        if self.length is not None:
            for name in ("min_length", "max_length"):
                if getattr(self, name) is not None:
                    raise problem("cannot stand beside length", name)
        if self.longest < self.shortest:
            raise problem(f"{self.longest} is less than the least length, {self.shortest}", "max_length")
        if self.terminator and self.terminator not in "0123456789*#":
            raise problem(f"{self.terminator!r} is not one of 0-9, * and #", "terminator")
        if self.terminator and self.terminator in self.digits:
            raise problem(f"{self.terminator!r} is also one of the digits {self.digits}", "terminator")
        return self

    @property
    def is_spoken(self) -> bool:
        """Whether the digits may be said."""
        return self.spoken

    @property
    def shortest(self) -> int:
        """The least number of keys."""
        return self.length or self.min_length or 1

    @property
    def longest(self) -> int:
        """The greatest number of keys."""
        return self.length or self.max_length or 20

    def edges(self) -> Iterator[Edge]:
        """The way on, then the failures."""
        yield Edge("done", self.next, ("next",))
        yield from super().edges()
