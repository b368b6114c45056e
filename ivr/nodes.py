"""The nodes of a flow: one class per kind, with the fields that a flow file gives it."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from ivr.cases import Case
from ivr.consent import Consent
from ivr.faq import Faq
from ivr.lookup import Lookup
from ivr.node import Edge, Node
from ivr.part import Language, Name, NewVariable, Seconds, as_list, problem
from ivr.prompt import Item, Prompts, SomePrompts, Template
from ivr.questions import Gather, Menu, Question
from ivr.survey import Survey


class HangUpReason(StrEnum):
    """Why a flow ends a call."""

    COMPLETED = "completed"
    CLOSED = "closed"
    FULL = "full"
    TIMED_OUT = "timed_out"


class QueueExit(StrEnum):
    """Why a caller comes back from a queue; only with ``ANSWERED`` having spoken to somebody."""

    TIMEOUT = "timeout"
    EMPTY = "empty"
    FULL = "full"
    CLOSED = "closed"
    KEY = "key"
    CALLBACK = "callback"
    ANSWERED = "answered"


class Play(Node):
    """Say something and go on. With ``barge_in`` a key cuts it short and counts as dialled ahead."""

    kind: Literal["play"]
    prompts: SomePrompts
    barge_in: bool = False
    next: Name

    def edges(self) -> Iterator[Edge]:
        """The way on."""
        yield Edge("", self.next, ("next",))


class Branch(Node):
    """Go to the first case that is true, or ``else``."""

    kind: Literal["branch"]
    cases: Annotated[tuple[Case, ...], BeforeValidator(as_list), Field(min_length=1, max_length=100)]
    otherwise: Name = Field(alias="else")

    def edges(self) -> Iterator[Edge]:
        """The cases in order, then the rest."""
        for index, case in enumerate(self.cases):
            yield Edge(str(case), case.next, ("cases", index, "next"))
        yield Edge("else", self.otherwise, ("else",))


class Set(Node):
    """Give variables values; a value may hold other variables, as a prompt's text may.

    ``set_language`` has the caller spoken to, and heard, in another language from here on.
    """

    kind: Literal["set"]
    values: Annotated[Mapping[NewVariable, Template], Field(min_length=1)] = Field(default_factory=dict)
    set_language: Language | None = None
    next: Name

    @model_validator(mode="after")
    def _sets_something(self) -> Self:
        if not self.values and self.set_language is None:
            raise problem("is missing", "values")
        return self

    def edges(self) -> Iterator[Edge]:
        """The way on."""
        yield Edge("", self.next, ("next",))


QueueKey = Annotated[str, Field(pattern=r"^[0-9*#]$")]


class Queue(Node):
    """Wait for an agent. Every way out has a target; ``answered`` may be left out.

    With ``answered`` a caller whom the agent has left goes on there (a survey, say), else the call ends with
    the conversation.
    ``priority`` is the caller's place before others in the same queue, higher first. ``skills`` are levels
    that the agent must have on top of what the queue asks for. ``preferred_agent``, such as
    ``{last_agent}``, is waited for alone for as long as the queue says. ``exit_key`` lets the caller leave
    for ``key``, ``callback_key`` for ``callback``, where the flow hands over the wish to be called back;
    ``announce_position`` has the position said while waiting.
    """

    kind: Literal["queue"]
    queue: Name
    priority: Annotated[int, Field(ge=-100, le=100)] = 0
    skills: Annotated[Mapping[Name, Annotated[int, Field(ge=1, le=10)]], Field(max_length=20)] = Field(
        default_factory=dict
    )
    preferred_agent: Template = ""
    announce_position: bool = True
    exit_key: QueueKey | None = None
    callback_key: QueueKey | None = None
    timeout: Name
    empty: Name
    full: Name
    closed: Name
    key: Name | None = None
    callback: Name | None = None
    answered: Name | None = None

    @model_validator(mode="after")
    def _key_has_a_target(self) -> Self:
        for key, target in (("exit_key", "key"), ("callback_key", "callback")):
            if getattr(self, key) is not None and getattr(self, target) is None:
                raise problem(f"is missing: the target of {key}", target)
            if getattr(self, key) is None and getattr(self, target) is not None:
                raise problem(f"is missing: the key that leads to the target {target}", key)
        if self.exit_key is not None and self.exit_key == self.callback_key:
            raise problem(f"{self.exit_key} is the exit_key, too", "callback_key")
        return self

    def target(self, reason: QueueExit) -> str:
        """Where a caller goes who comes back; one who came back by a key that is not set, as by timeout."""
        return getattr(self, reason) or self.timeout

    def edges(self) -> Iterator[Edge]:
        """The ways out that have a target."""
        for reason in QueueExit:
            if (target := getattr(self, reason)) is not None:
                keys = {QueueExit.KEY: self.exit_key, QueueExit.CALLBACK: self.callback_key}
                label = f"key {keys[reason]}" if reason in keys else str(reason)
                yield Edge(label, target, (str(reason),))


class Voicemail(Node):
    """Record a message after the prompts, until silence or the greatest length, and go on."""

    kind: Literal["voicemail"]
    mailbox: Name
    prompts: Prompts = ()
    barge_in: bool = True
    max_length_s: Seconds = 120
    silence_s: Seconds = 5
    next: Name

    def edges(self) -> Iterator[Edge]:
        """The way on."""
        yield Edge("", self.next, ("next",))


class Transfer(Node):
    """Hand the call to another number and let go of it; ``failed`` is where it goes on when that fails."""

    kind: Literal["transfer"]
    number: Annotated[str, Field(pattern=r"^\+?[0-9]{2,20}$")]
    failed: Name

    def edges(self) -> Iterator[Edge]:
        """The way out when the network refuses."""
        yield Edge("failed", self.failed, ("failed",))


class HangUp(Node):
    """Say the prompts, if any, and end the call."""

    kind: Literal["hangup"]
    prompts: Prompts = ()
    reason: HangUpReason = HangUpReason.COMPLETED


class Call(Node):
    """Go through a sub-flow: ``flow`` of the same file, or all of another ``file``, relative to this one.

    ``next`` is where the call goes on when the sub-flow returns; it is left out for one that never does.
    """

    kind: Literal["call"]
    flow: Name | None = None
    file: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    next: Name | None = None

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        if (self.flow is None) == (self.file is None):
            raise problem("must have exactly one of flow, file")
        return self

    @property
    def callee(self) -> str:
        """The key of the sub-flow in ``Flow.flows``."""
        return f"flow {self.flow}" if self.flow else f"file {self.file}"

    def edges(self) -> Iterator[Edge]:
        """The way on."""
        if self.next is not None:
            yield Edge("", self.next, ("next",))


_KINDS = (
    "play",
    "menu",
    "gather",
    "branch",
    "set",
    "queue",
    "voicemail",
    "transfer",
    "hangup",
    "call",
    "lookup",
    "consent",
    "survey",
    "faq",
)


def _kind_tag(value: Any) -> str | None:
    kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
    return f"<{kind}>" if kind in _KINDS else None


AnyNode = Annotated[
    Annotated[Play, Tag("<play>")]
    | Annotated[Menu, Tag("<menu>")]
    | Annotated[Gather, Tag("<gather>")]
    | Annotated[Branch, Tag("<branch>")]
    | Annotated[Set, Tag("<set>")]
    | Annotated[Queue, Tag("<queue>")]
    | Annotated[Voicemail, Tag("<voicemail>")]
    | Annotated[Transfer, Tag("<transfer>")]
    | Annotated[HangUp, Tag("<hangup>")]
    | Annotated[Call, Tag("<call>")]
    | Annotated[Lookup, Tag("<lookup>")]
    | Annotated[Consent, Tag("<consent>")]
    | Annotated[Survey, Tag("<survey>")]
    | Annotated[Faq, Tag("<faq>")],
    Discriminator(
        _kind_tag, custom_error_type="kind", custom_error_message="must be one of " + ", ".join(_KINDS)
    ),
]


def prompts_of(node: Node) -> Iterator[tuple[tuple[str | int, ...], Item]]:
    """Every prompt of a node with the place where it stands within the node."""
    groups: list[tuple[tuple[str | int, ...], tuple[Item, ...]]] = []
    if isinstance(node, Play | Voicemail | HangUp | Question | Lookup | Consent | Survey):
        groups.append((("prompts",), node.prompts))
    if isinstance(node, Question):
        groups.append((("say_or_press",), node.say_or_press))
        groups.append((("no_input", "prompts"), node.no_input.prompts))
        groups.append((("no_match", "prompts"), node.no_match.prompts))
    if isinstance(node, Survey):
        groups.append((("again",), node.again))
        for number, question in enumerate(node.questions):
            groups.append((("questions", number, "prompt"), question.prompt))
    if isinstance(node, Faq):
        groups.append((("more",), node.more))
    for place, items in groups:
        for index, item in enumerate(items):
            yield (*place, index), item
