"""What a caller hears: texts with variables in them, sound files, and named prompts.

A text may hold ``{name}`` for the value of a variable and ``{name|digits}`` to have it read one digit
at a time; ``{{`` and ``}}`` stand for the braces themselves. Texts and sound files may stand there in several
languages, one of which is the flow's own.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator

from ivr.part import Language, Name, Part, as_list, problem
from ivr.wording import base

_PIECE = re.compile(r"\{\{|\}\}|\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?:\|(?P<filter>[A-Za-z]+))?\}|[{}]|[^{}]+")
_LITERAL_BRACES = {"{{": "{", "}}": "}"}


@dataclass(frozen=True, slots=True)
class Slot:
    """The place of a variable in a text."""

    variable: str
    digits: bool


def pieces(text: str) -> Iterator[str | Slot]:
    """The literal pieces and the slots of a text; raises ``ValueError`` for one that is malformed."""
    for match in _PIECE.finditer(text):
        piece = match.group()
        if piece in ("{", "}"):
            raise ValueError(f"a lone {piece!r}; write {{name}} for a variable, {piece * 2!r} for a brace")
        if (name := match["name"]) is None:
            yield _LITERAL_BRACES.get(piece, piece)
            continue
        if match["filter"] not in (None, "digits"):
            raise ValueError(f"no such filter {match['filter']!r}; there is only 'digits'")
        yield Slot(name, digits=match["filter"] == "digits")


def render(text: str, variables: Mapping[str, str]) -> str:
    """The text with its variables filled in; a variable without a value leaves nothing."""
    return "".join(_fill(piece, variables) for piece in pieces(text)).strip()


def variables_of(text: str) -> Iterator[str]:
    """The names of the variables in a text."""
    return (piece.variable for piece in pieces(text) if isinstance(piece, Slot))


def always_says_something(text: str) -> bool:
    """Whether the text is audible even when all of its variables are empty."""
    return any(character.isalnum() for character in render(text, {}))


def _fill(piece: str | Slot, variables: Mapping[str, str]) -> str:
    if isinstance(piece, str):
        return piece
    value = variables.get(piece.variable, "")
    return " ".join("".join(value.split())) if piece.digits else value


def _well_formed(text: str) -> str:
    try:
        list(pieces(text))
    except ValueError as error:
        raise problem(str(error)) from None
    return text


Template = Annotated[str, Field(max_length=2000), AfterValidator(_well_formed)]


def _languages_tag(value: Any) -> str:
    return "<languages>" if isinstance(value, Mapping) else "<one>"


SomeText = Annotated[Template, Field(min_length=1)]
FileName = Annotated[str, Field(min_length=1, max_length=500)]
_LANGUAGE_KEY = re.compile(r"[a-z]{2}([-_][A-Za-z]{2,8})?")


def _is_by_language(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(value) and all(map(_LANGUAGE_KEY.fullmatch, value))


def _chosen(value: str | Mapping[str, str], language: str, own: str) -> tuple[str, str]:
    """What there is for ``language``, else for the flow's ``own``, and which of them it is."""
    if isinstance(value, str):
        return value, own
    for wanted in (language, base(language), own, base(own)):
        if wanted in value:
            return value[wanted], language if wanted in (language, base(language)) else own
    return "", own


class TextItem(Part):
    """A text to be spoken; a bare string in the file is one too, and so are texts by their languages."""

    text: Annotated[
        Annotated[SomeText, Tag("<one>")]
        | Annotated[Mapping[Language, SomeText], Field(min_length=1), Tag("<languages>")],
        Discriminator(_languages_tag),
    ]

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, value: Any) -> Any:
        return {"text": value} if isinstance(value, str) or _is_by_language(value) else value

    @property
    def texts(self) -> Mapping[str, str]:
        """The texts by language, with an empty one for a text in the flow's own."""
        return {"": self.text} if isinstance(self.text, str) else self.text

    def in_language(self, language: str, own: str) -> tuple[str, str]:
        """The text in ``language``, else in the flow's ``own``; and the language it is in."""
        return _chosen(self.text, language, own)


class WavItem(Part):
    """A sound file, or one for each language; the path is relative to the flow file."""

    wav: Annotated[
        Annotated[FileName, Tag("<one>")]
        | Annotated[Mapping[Language, FileName], Field(min_length=1), Tag("<languages>")],
        Discriminator(_languages_tag),
    ]

    @property
    def files(self) -> Mapping[str, str]:
        """The files by language, with an empty one for a file in the flow's own."""
        return {"": self.wav} if isinstance(self.wav, str) else self.wav

    def in_language(self, language: str, own: str) -> tuple[str, str]:
        """The file in ``language``, else in the flow's ``own``; and the language it is in."""
        return _chosen(self.wav, language, own)


class NamedItem(Part):
    """One of the file's ``prompts``, said in several places or recorded in a studio under its name."""

    prompt: Name


def _tag(value: Any) -> str | None:
    if isinstance(value, str | TextItem):
        return "<text>"
    if isinstance(value, WavItem | NamedItem):
        return "<wav>" if isinstance(value, WavItem) else "<prompt>"
    if _is_by_language(value):
        return "<text>"
    keys = value if isinstance(value, dict) else ()
    return next((f"<{key}>" for key in ("text", "wav", "prompt") if key in keys), None)


Sound = Annotated[
    Annotated[TextItem, Tag("<text>")] | Annotated[WavItem, Tag("<wav>")],
    Discriminator(
        _tag, custom_error_type="flow", custom_error_message="must be a text or have one of text, wav"
    ),
]
Item = Annotated[
    Annotated[TextItem, Tag("<text>")]
    | Annotated[WavItem, Tag("<wav>")]
    | Annotated[NamedItem, Tag("<prompt>")],
    Discriminator(
        _tag, custom_error_type="flow", custom_error_message="must be a text or have one of text, wav, prompt"
    ),
]
Prompts = Annotated[tuple[Item, ...], BeforeValidator(as_list), Field(max_length=50)]
SomePrompts = Annotated[Prompts, Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class Say:
    """Speak ``text`` in ``language``. ``name`` is set for a named prompt: a recording may stand in.

    ``varies`` says that variables were filled in: the text may be about this caller only.
    """

    text: str
    language: str
    name: str = ""
    varies: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Wav:
    """Play the sound file at ``path``; ``name`` as in ``Say``."""

    path: Path
    name: str = ""


Prompt = Say | Wav
