"""What callers may say, as a flow file lists it: phrases, and the choices they lead to."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag

from ivr.part import Language, Name, Part, as_list, problem
from ivr.wording import base

KEYS = tuple("0123456789*#")
MAX_PHRASES = 50


def _has_words(phrase: str) -> str:
    if not any(character.isalnum() for character in phrase):
        raise problem(f"{phrase!r} has no word in it")
    return phrase


def _no_more_than(most: int, what: str) -> Any:
    def check(value: tuple[str, ...]) -> tuple[str, ...]:
        if len(value) > most:
            raise problem(f"{len(value)} {what} are too many; at most {most}")
        return value

    return AfterValidator(check)


Phrase = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_has_words)]
PhraseList = Annotated[
    tuple[Phrase, ...],
    BeforeValidator(as_list),
    Field(min_length=1),
    _no_more_than(MAX_PHRASES, "phrases"),
]


def _phrases_tag(value: Any) -> str:
    return "<languages>" if isinstance(value, Mapping) else "<list>"


Phrases = Annotated[
    Annotated[PhraseList, Tag("<list>")]
    | Annotated[Mapping[Language, PhraseList], Field(min_length=1), Tag("<languages>")],
    Discriminator(_phrases_tag),
]
"""A list of phrases in the flow's language, or a list for each language."""


def in_language(phrases: Phrases | None, language: str, own: str) -> tuple[str, ...]:
    """The phrases in ``language``, else in the flow's ``own``; a list without languages will do for all."""
    if phrases is None:
        return ()
    if not isinstance(phrases, Mapping):
        return phrases
    for wanted in (language, base(language), own, base(own)):
        if wanted in phrases:
            return phrases[wanted]
    return ()


class Choice(Part):
    """Something that may be chosen by its key, by one of its ``phrases``, or by either.

    ``name`` is what the log calls it where it was said; the first phrase where there is none.
    ``set_language`` has the caller spoken to, and heard, in another language from here on.
    """

    phrases: Phrases | None = None
    name: Name | None = None
    set_language: Language | None = None
    next: Name


def _choice_tag(value: Any) -> str:
    return "<node>" if isinstance(value, str) else "<choice>"


AnyChoice = Annotated[
    Annotated[Name, Tag("<node>")] | Annotated[Choice, Tag("<choice>")], Discriminator(_choice_tag)
]
"""The name of a node, or a ``Choice``."""


def whole(choice: AnyChoice) -> Choice:
    """A choice whose file only says where it leads, as a ``Choice``."""
    return Choice(next=choice) if isinstance(choice, str) else choice


class Repeat(Part):
    """What callers press or say at any question to hear it again."""

    phrases: Phrases | None = None
    key: Annotated[str, Field(pattern=r"^[0-9*#]$")] | None = None


class Operator(Repeat):
    """What callers press or say at any question to be put through to a person, at the node ``next``."""

    next: Name
