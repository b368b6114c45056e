"""The node that asks callers how they found it."""

import hashlib
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from ivr.node import Edge, Node
from ivr.part import Name, Part, Seconds, as_list, problem
from ivr.prompt import Prompts, SomePrompts


class Scale(StrEnum):
    """What a question is answered with."""

    CSAT = "csat"  # 1 to 5, by one key
    NPS = "nps"  # 0 to 10, by one key or two
    YES_NO = "yes_no"  # 1 is yes, 2 is no; the score is 1 or 0
    WORDS = "words"  # in the caller's own words, recorded and written down


class SurveyQuestion(Part):
    """One question; ``id`` names it in the figures."""

    id: Name
    kind: Scale
    prompt: SomePrompts


class Survey(Node):
    """Ask a ``share`` of the callers the questions, one after the other.

    ``prompts`` offer the survey; with ``decline`` that key skips all of it, within ``decline_timeout_s`` of
    the offer, and any other key begins. A question that gets no answer within ``timeout_s``, or one that is
    not on its scale, is asked once more, after ``again``, and then left out. Words end at ``silence_s`` of
    silence, at ``max_length_s``, or by ``#`` or ``*``.
    """

    kind: Literal["survey"]
    share: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 1
    prompts: Prompts = ()
    decline: Annotated[str, Field(pattern=r"^[0-9*#]$")] | None = None
    decline_timeout_s: Seconds = 2
    questions: Annotated[
        tuple[SurveyQuestion, ...], BeforeValidator(as_list), Field(min_length=1, max_length=10)
    ]
    again: Prompts = ()
    barge_in: bool = True
    timeout_s: Seconds = 5
    inter_digit_timeout_s: Seconds = 2
    max_length_s: Seconds = 60
    silence_s: Seconds = 3
    next: Name

    @model_validator(mode="after")
    def _fields_agree(self) -> Self:
        ids = [question.id for question in self.questions]
        for index, name in enumerate(ids):
            if name in ids[:index]:
                raise problem(f"{name!r} is also the id of an earlier question", "questions", index, "id")
        if self.decline is not None and not self.prompts:
            raise problem("is missing: what offers the survey", "prompts")
        return self

    def asks(self, call_id: str, name: str) -> bool:
        """Whether a call is among those that are asked: the same answer for the same call, whoever asks."""
        digest = hashlib.sha256(f"{name}/{call_id}".encode()).digest()
        return int.from_bytes(digest[:8]) < self.share * 2**64

    def edges(self) -> Iterator[Edge]:
        """The way on."""
        yield Edge("", self.next, ("next",))
