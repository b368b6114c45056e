"""The node that asks another system, and what is asked and understood. Whoever carries it out has the line.

A URL's variables are percent-encoded and its host is written out: what callers enter chooses neither the
host nor the way there. What is not in the file is not sent: secrets are named, and read where it is sent.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Self, TypeAlias
from urllib.parse import quote, urlsplit

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from ivr.node import Edge, Node
from ivr.part import Name, NewVariable, Part, problem
from ivr.prompt import Prompts, Slot, Template, pieces, render, variables_of

MAX_VALUE_LENGTH = 200
"""Characters of a found value that are kept, and of a variable that are sent."""

MAX_BODY_DEPTH = 5
_AUTHORITY = re.compile(
    r"https?://(?P<host>[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(?P<port>:[0-9]{1,5})?(?=[/?]|$)"
)
_OUTSIDE_URLS = re.compile(r"[^!-~]|[\"#<>\\^`{|}]")
_DEFAULT_PORTS = {"http": 80, "https": 443}

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"


def _url(text: str) -> str:
    for piece in pieces(text):
        if isinstance(piece, Slot) and piece.digits:
            raise problem(f"the variable {piece.variable!r} cannot be read digit by digit here")
        if isinstance(piece, str) and (found := _OUTSIDE_URLS.search(piece)):
            raise problem(f"the character {found.group()!r} is not allowed")
    match = _AUTHORITY.match(text)
    if match is None:
        raise problem("must begin with http:// or https:// and a host without variables")
    if match["port"] and not 0 < int(match["port"][1:]) < 65536:
        raise problem(f"there is no port {match['port'][1:]}")
    return text


def _printable(text: str) -> str:
    if not (text.isascii() and text.isprintable()):
        raise problem("must be printable ASCII")
    return text


class Secret(Part):
    """A header's value that is in a variable of the environment, after a ``prefix`` such as ``Bearer``."""

    env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,126}$")]
    prefix: Annotated[str, Field(max_length=100), AfterValidator(_printable)] = ""


def _header_tag(value: Any) -> str | None:
    if isinstance(value, str):
        return "<text>"
    return "<env>" if isinstance(value, Secret) or (isinstance(value, dict) and "env" in value) else None


def _body(value: Any, depth: int = 0) -> Any:
    if depth > MAX_BODY_DEPTH:
        raise problem(f"nested more than {MAX_BODY_DEPTH} deep")
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _body(inner, depth + 1)
    if isinstance(value, str):
        try:
            list(pieces(value))
        except ValueError as error:
            raise problem(str(error)) from None
    return value


Url = Annotated[Template, Field(max_length=1000), AfterValidator(_url)]
HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,62}$")]
HeaderText = Annotated[str, Field(max_length=500), AfterValidator(_printable)]
Header = Annotated[
    Annotated[HeaderText, Tag("<text>")] | Annotated[Secret, Tag("<env>")],
    Discriminator(_header_tag, custom_error_type="flow", custom_error_message="must be a text or have env"),
]
Body = Annotated[dict[str, Any], AfterValidator(_body)]
JsonPath = Annotated[str, Field(pattern=r"^\$(\.[A-Za-z0-9_-]{1,63}){1,10}$")]


class Lookup(Node):
    """Ask ``url`` by GET, or by POST with a JSON ``body``, and put parts of the JSON answer into variables.

    The caller hears the ``prompts`` meanwhile, to their end. ``failed`` is where the call goes when no good
    answer comes within ``timeout_s``; the variables keep their values then.
    """

    kind: Literal["lookup"]
    method: Literal["get", "post"] = "get"
    url: Url
    headers: Annotated[Mapping[HeaderName, Header], Field(max_length=20)] = Field(default_factory=dict)
    body: Body | None = None
    timeout_s: Annotated[float, Field(gt=0, le=10, allow_inf_nan=False)] = 3
    into: Annotated[Mapping[NewVariable, JsonPath], Field(max_length=50)] = Field(default_factory=dict)
    prompts: Prompts = ()
    barge_in: bool = True
    next: Name
    failed: Name

    @model_validator(mode="after")
    def _a_body_is_posted(self) -> Self:
        if self.body is not None and self.method != "post":
            raise problem("needs method: post", "body")
        return self

    @property
    def host(self) -> str:
        """The host that is asked, with its port where that is not the scheme's own."""
        parts = urlsplit(self.url.split("{", 1)[0])
        port = parts.port if parts.port not in (None, _DEFAULT_PORTS[parts.scheme]) else None
        return f"{parts.hostname}:{port}" if port else str(parts.hostname)

    @property
    def secrets(self) -> Iterator[str]:
        """The variables of the environment that are sent."""
        return (value.env for value in self.headers.values() if isinstance(value, Secret))

    def templates(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Every text with variables in it, with its place within the node."""
        yield ("url",), self.url
        for text in _texts(self.body):
            yield ("body",), text

    def edges(self) -> Iterator[Edge]:
        """The way on, then the way out."""
        yield Edge("found", self.next, ("next",))
        yield Edge("failed", self.failed, ("failed",))

    def request(self, variables: Mapping[str, str]) -> "Request":
        """What is asked for a caller with these variables."""
        short = {name: variables.get(name, "")[:MAX_VALUE_LENGTH] for name in self._variables()}
        url = "".join(
            piece if isinstance(piece, str) else _quoted(short[piece.variable]) for piece in pieces(self.url)
        )
        body = None if self.body is None else _filled(self.body, short)
        return Request(self.method.upper(), url, self.headers, body, self.timeout_s, self.into)

    def _variables(self) -> Iterator[str]:
        return (name for _, text in self.templates() for name in variables_of(text))


@dataclass(frozen=True, slots=True)
class Request:
    """One question to another system; ``into`` are the paths of what is wanted of the answer.

    A caller's number and the like are in ``url`` and ``body``: neither belongs into a log.
    """

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str | Secret]
    body: Json = field(repr=False)
    timeout_s: float
    into: Mapping[str, str]


def found(document: Json, into: Mapping[str, str]) -> dict[str, str]:
    """The values at the paths ``into`` of a JSON document, as text.

    A step of a path is a key, or an index of a list. Raises ``ValueError`` for a path that leads nowhere or
    to keys and values; the message tells nothing of the document. Text is cut to 200 printable characters.
    """
    return {name: _text(_at(document, path), path) for name, path in into.items()}


def _quoted(value: str) -> str:
    """A value for a URL; one of dots alone would climb in the path and leaves nothing."""
    return "" if not value.strip(".") else quote(value, safe="")


def _texts(body: Any) -> Iterator[str]:
    if isinstance(body, str):
        yield body
    for inner in body.values() if isinstance(body, Mapping) else body if isinstance(body, list) else ():
        yield from _texts(inner)


def _filled(body: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(body, str):
        return render(body, variables)
    if isinstance(body, Mapping):
        return {key: _filled(value, variables) for key, value in body.items()}
    return [_filled(value, variables) for value in body]


def _at(document: Json, path: str) -> Json:
    value = document
    for step in path.split(".")[1:]:
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif (
            isinstance(value, Sequence)
            and not isinstance(value, str)
            and step.isdecimal()
            and int(step) < len(value)
        ):
            value = value[int(step)]
        else:
            raise ValueError(f"the answer has nothing at {path}")
    return value


def _text(value: Json, path: str) -> str:
    if isinstance(value, dict | list):
        raise ValueError(f"the answer has no single value at {path}")
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = "".join(character for character in str(value) if character.isprintable())
    return text[:MAX_VALUE_LENGTH].strip()
