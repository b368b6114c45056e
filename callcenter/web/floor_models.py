"""The bodies and answers of the API about the floor: queues, agents, closures. See ``models``."""

from enum import StrEnum
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from callcenter.storage.closures import MAX_MESSAGE_LENGTH
from callcenter.web.models import Answer, Body, Name, Query, Seconds, Text, Time


class AgentEvent(StrEnum):
    """What an agent, or a supervisor for an agent, may tell us."""

    SIGN_IN = "sign_in"
    SIGN_OUT = "sign_out"
    READY = "ready"
    BREAK = "break"


class AgentStateBody(Body):
    """A change of an agent's state; ``ready`` during wrap-up ends it with the ``disposition``.

    ``resolved`` says whether the customer's matter is.
    """

    event: Annotated[AgentEvent, Field(strict=False)]
    reason: Annotated[Text, Field(max_length=100)] = ""
    disposition: Annotated[Text, Field(max_length=100)] = ""
    resolved: bool | None = None

    @model_validator(mode="after")
    def _belongs(self) -> Self:
        if self.reason and self.event is not AgentEvent.BREAK:
            raise ValueError("a reason belongs to the event break")
        if self.disposition and self.event is not AgentEvent.READY:
            raise ValueError("a disposition belongs to the event ready")
        if self.resolved is not None and self.event is not AgentEvent.READY:
            raise ValueError("resolved belongs to the event ready")
        return self


class AgentBody(Body):
    """An agent as an administrator describes one."""

    name: Annotated[Text, Field(min_length=1, max_length=200)]
    gateway: Literal["twilio", "asterisk"]
    address: Annotated[Text, Field(min_length=1, max_length=200)]
    queues: Annotated[list[Name], Field(min_length=1, max_length=1000)]
    skills: Annotated[dict[Name, Annotated[int, Field(ge=1, le=10)]], Field(max_length=20)] = Field({})


class EstimatedWait(Answer):
    """How long somebody would wait who came now: half of them up to ``p50_s``, nine of ten ``p90_s``."""

    method: str
    p50_s: Seconds
    p90_s: Seconds


class QueueState(Answer):
    """A waiting line now. ``oldest_at`` is when the one who waits longest came in.

    These are callers on the telephone; ``callbacks`` wait to be called back and keep a place.
    """

    name: str
    waiting: int
    callbacks: int
    longest_wait_s: Seconds
    oldest_at: Time | None
    estimated_wait: EstimatedWait | None


class QueueList(Answer):
    """All waiting lines."""

    queues: list[QueueState]


class QueueEntry(Answer):
    """One in line; ``position`` counts from 1, ``offered_to`` are agents whose telephones ring.

    With ``callback_id`` it is no caller on the telephone but somebody who is to be called back.
    """

    call_id: UUID
    callback_id: UUID | None
    position: int
    priority: int
    entered_at: Time
    wait_s: Seconds
    state: str
    offered_to: list[str]
    preferred_agent: str | None


class QueueDetail(QueueState):
    """A waiting line with everyone in it, and how it is served.

    ``version`` rises with each change; ``in_file``: the settings file names the queue.
    """

    entries: list[QueueEntry]
    settings: dict[str, Any]
    version: int
    in_file: bool


class Agent(Answer):
    """An agent at work. ``next_state`` is what follows the present call.

    ``address`` is what is dialled, empty for an agent's colleagues.
    """

    id: str
    name: str
    gateway: str
    address: str
    queues: list[str]
    skills: dict[str, int]
    state: str
    reason: str
    since: Time
    next_state: str | None
    call_id: UUID | None


class AgentList(Answer):
    """All agents."""

    agents: list[Agent]


class ClosureQuery(Query):
    """Which closure: of a queue, of a flow, or, without either, of all."""

    queue: Name | None = None
    flow: Annotated[str, Field(min_length=1, max_length=100)] | None = None

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.queue is not None and self.flow is not None:
            raise ValueError("a queue and a flow cannot be named together")
        return self


class ClosureBody(Body):
    """What is to be closed, what callers hear, and when it ends by itself."""

    queue: Name | None = None
    flow: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    message: Annotated[Text, Field(max_length=MAX_MESSAGE_LENGTH)] = ""
    until: Annotated[Time, Field(strict=False)] | None = None

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.queue is not None and self.flow is not None:
            raise ValueError("a queue and a flow cannot be named together")
        return self


class Closure(Answer):
    """One closure. ``name`` is the queue's or the flow's; without ``until`` somebody must open again."""

    scope: str
    name: str
    message: str
    since: Time
    by: str
    until: Time | None


class ClosureList(Answer):
    """What is closed at the moment."""

    closures: list[Closure]
