"""The bodies and answers of the API. ``openapi.yaml`` says the same in the words of OpenAPI; a test compares.

Times are UTC, written as RFC 3339; spans are seconds; a call's own clock (words, recordings) is ms since the
call started.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from callcenter.events import Outcome

MAX_PAGE = 200

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")]
Seconds = Annotated[float, Field(ge=0)]


def _utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise ValueError("the time is out of range") from None


Time = Annotated[AwareDatetime, AfterValidator(_utc)]


def _no_control_characters(text: str) -> str:
    if not text.isprintable():
        raise ValueError("control characters are not allowed")
    return text


Text = Annotated[str, AfterValidator(_no_control_characters)]


def plus(number: object) -> object:
    """A plus sign that the client forgot to escape arrives as a blank."""
    return f"+{number[1:]}" if isinstance(number, str) and number.startswith(" ") else number


class Body(BaseModel):
    """What a client sends: unknown fields are refused, types are not guessed."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Query(BaseModel):
    """Query parameters: text that is parsed; unknown ones are refused."""

    model_config = ConfigDict(extra="forbid", populate_by_name=False)


class Answer(BaseModel):
    """What we send."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, frozen=True)

    def as_json(self) -> str:
        """The body of the answer."""
        return self.model_dump_json(by_alias=True)


class Span(Query):
    """A half-open span of time."""

    from_: Time | None = Field(None, alias="from")
    to: Time | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.from_ is not None and self.to is not None and self.from_ >= self.to:
            raise ValueError("from must be before to")
        return self


class CallQuery(Span):
    """Which calls: those that started in the span and match every filter given."""

    queue: Name | None = None
    agent: Name | None = None
    outcome: Outcome | None = None
    number: Annotated[str, BeforeValidator(plus), Field(pattern=r"^\+?[0-9]{3,20}$")] | None = None
    cursor: str | None = Field(None, max_length=200)
    limit: int = Field(50, ge=1, le=MAX_PAGE)


Number = Annotated[str, Field(pattern=r"^\+?[0-9]{2,20}$")]


class TransferBody(Body):
    """Where a call goes: to exactly one of ``number``, ``queue`` and ``agent``; ``to`` is a ``number``, too.

    ``warm`` asks first: the caller is on hold until the transfer is completed or cancelled.
    """

    number: Number | None = None
    to: Number | None = None
    queue: Name | None = None
    agent: Name | None = None
    mode: Literal["blind", "warm"] = "blind"

    @model_validator(mode="after")
    def _goes_to_one(self) -> Self:
        given = [each for each in (self.number, self.to, self.queue, self.agent) if each is not None]
        if len(given) != 1:
            raise ValueError("exactly one of number, queue and agent is needed")
        if self.mode == "warm" and self.telephone is not None:
            raise ValueError("a transfer to a number is blind")
        return self

    @property
    def telephone(self) -> str | None:
        """The number, whatever it was called."""
        return self.number or self.to


class MonitorBody(Body):
    """How a supervisor takes part in a call."""

    mode: Literal["listen", "whisper", "barge"]


class Call(Answer):
    """One call."""

    call_id: UUID
    chain_id: UUID
    direction: str
    gateway: str
    from_: str = Field(alias="from")
    to: str
    queue: str | None
    agent_id: str | None
    started_at: Time
    connected_at: Time | None
    ended_at: Time | None
    end_cause: str | None
    outcome: str | None


class CallPage(Answer):
    """Calls, newest first. ``next_cursor`` is null on the last page."""

    calls: list[Call]
    next_cursor: str | None


class Contact(Answer):
    """One stay in a queue and the conversation it led to."""

    queue: str
    entered_at: Time
    ended: str
    left_reason: str | None
    left_at: Time | None
    connected_at: Time | None
    conversation_ended_at: Time | None
    agent_id: str | None
    offers: int
    wait_s: Seconds
    ring_s: Seconds
    talk_s: Seconds
    hold_s: Seconds
    acw_s: Seconds
    attended: bool


class Timeline(Answer):
    """Where the call's time went, computed from its events."""

    answered_at: Time | None
    total_s: Seconds
    ivr_s: Seconds
    wait_s: Seconds
    contacts: list[Contact]


class CallDetail(Call):
    """One call with its figures."""

    timeline: Timeline | None


class EventItem(Answer):
    """One row of the event log."""

    event_id: int
    at: Time
    type: str
    call_id: UUID | None
    seq: int | None
    chain_id: UUID | None
    queue: str | None
    agent: str | None
    leg: str | None
    data: dict[str, Any]


class EventList(Answer):
    """The events of a call in the order they happened."""

    events: list[EventItem]


class Word(Answer):
    """One word and when it was said; of languages without blanks pieces of one to three characters."""

    text: str
    start_ms: int
    end_ms: int
    probability: float


class Segment(Answer):
    """What one party said, in one go.

    ``number`` counts the utterances of the leg. ``words`` are empty where their times are not known (yet).
    ``degraded``: it came late, because too much was said at once.
    """

    segment_id: UUID
    call_id: UUID
    leg: str
    agent_id: str | None
    start_ms: int
    end_ms: int
    text: str
    language: str
    confidence: float
    number: int | None
    words: list[Word]
    degraded: bool


class Transcript(Answer):
    """What was said in a call, in order of time."""

    call_id: UUID
    segments: list[Segment]


class Recording(Answer):
    """A sound file. ``url`` answers once the state is ``done``."""

    recording_id: UUID
    kind: str
    channels: int
    offset_ms: int
    duration_ms: int | None
    state: str
    url: str


class RecordingList(Answer):
    """The sound files of a call."""

    recordings: list[Recording]


class Check(Answer):
    """Something that must work before calls may come."""

    name: str
    ok: bool


class Readiness(Answer):
    """Whether calls may come, and what each check says."""

    ready: bool
    checks: list[Check]
