"""The nodes that wait for what the caller answers."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from ivr.node import Edge, Node
from ivr.part import Keys, Name, NewVariable, Part, Seconds, problem
from ivr.prompt import Prompts


class Failure(Part):
    """What is said before asking again, and where the call goes after the last attempt."""

    prompts: Prompts = ()
    next: Name


class Question(Node):
    """Base of the nodes that wait for keys.

    ``attempts`` is how often the question is put in all; attempts without input and attempts without a
    match count together. ``barge_in`` says what keys during the prompt do: interrupt it and count, or
    be dropped, together with all that was dialled ahead.
    """

    prompts: Prompts = ()
    barge_in: bool = True
    attempts: Annotated[int, Field(ge=1, le=10)] = 3
    no_input: Failure
    no_match: Failure

    def edges(self) -> Iterator[Edge]:
        """The ways out after the last attempt."""
        yield Edge("no input", self.no_input.next, ("no_input", "next"))
        yield Edge("no match", self.no_match.next, ("no_match", "next"))


def _single_keys(choices: Mapping[str, str]) -> Mapping[str, str]:
    for key in choices:
        if key not in tuple("0123456789*#"):
            raise problem(f"{key!r} is not one of 0-9, * and #", key)
    return choices


class Menu(Question):
    """One key out of ``choices`` within ``timeout_s`` of the prompt's end."""

    kind: Literal["menu"]
    timeout_s: Seconds = 5
    choices: Annotated[Mapping[str, Name], Field(min_length=1), AfterValidator(_single_keys)]

    def edges(self) -> Iterator[Edge]:
        """The choices, then the failures."""
        for key, target in self.choices.items():
            yield Edge(key, target, ("choices", key))
        yield from super().edges()


class Gather(Question):
    """Several keys into ``variable``: exactly ``length``, or ``min_length`` to ``max_length``.

    It is over at the greatest length, at the ``terminator``, or when ``inter_digit_timeout_s`` pass
    without another key. Fewer keys than the least, or a key that is none of ``digits``, are no match.
    What a ``secret`` node gathers shows as asterisks in ``Input`` actions.
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
